/* across.h - a choice across model families: several fits of one batch, and what each series keeps of them.
 *
 * Within a family the kernels choose or average by a criterion; between families the values of a criterion compare only
 * roughly (ARIMA's likelihood is of the differenced series). So each family, or set of families that are fitted together
 * (exponential smoothing by likelihood and by absolute errors), is fitted for itself, and
 *
 *     backtest   weights a set by 1/error^2 of its forecasts of the last values, which a first fit does not see (Bates,
 *                Granger, "The combination of forecasts", 1969); the members are those of a second fit to all values,
 *                so that fitting takes twice as long
 *     mean       weights all sets alike
 *     criterion  keeps the set whose best member has the lowest criterion
 *
 * Half of M3 (1,470 series), exponential smoothing with the seasonal naive, and with the drift: MASE 1.387 and 1.359 by
 * backtest, 1.396 and 1.368 with 1/error, 1.422 and 1.422 by mean; smoothing alone 1.367.
 *
 * A series' last values are, of its steps n, the smallest multiple of the season that is at least 6, but n/4 at most; with
 * fewer than 8 steps, or none of the last values present, the sets share alike. A set that could not be fitted (too
 * short, constant, overflow, without regressors) is left out where another could; where none could, the first set's fallback stays. */
#ifndef TIDE_ACROSS_H
#define TIDE_ACROSS_H

#include "host/backend.h"
#include "host/error.h"
#include "kernels/batch.h"

typedef enum tide_across { TIDE_ACROSS_BACKTEST = 0, TIDE_ACROSS_MEAN = 1, TIDE_ACROSS_CRITERION = 2 } tide_across;

/* Member slots that a series needs for all sets of the spec. */
int32_t tide_across_slots(const tide_fit_spec *fit);

/* Memory of the fits, kept from batch to batch; all zero is valid and empty. */
typedef struct tide_across_work {
    void *results, *tiles, *errors;
    size_t results_bytes, tiles_bytes, errors_bytes;
} tide_across_work;
void tide_across_free(tide_across_work *work);

/* Fits the tiles into `results`, which are mapped for fit->slots = tide_across_slots(fit). With a single set it is the
 * backend's fit. backtest_error[n_series], or NULL: the mean absolute error of what was kept, over that of the seasonal
 * naive forecasts of one step within the first fit's values (MASE); TIDE_NAN where there was no backtest. */
tide_status tide_across_fit(tide_across_work *work, const tide_backend *backend, const tide_fit_spec *fit, int32_t rule,
                            const tide_tiles *tiles, tide_results *results, double *backtest_error, tide_error *err);

#endif
