/* score.h - how good the forecasts of one window are: the metrics of the M competitions, and two benchmarks to set beside.
 *
 * A window: values y_1 .. y_h that the forecasts f_1 .. f_h had not seen, and the values before. Missing y are left out of
 * every mean. With e = y - f and the means over the values present,
 *
 *     MAE, RMSE, bias    mean |e|, sqrt(mean e^2), mean (f - y): above 0, the forecasts are too high
 *     sMAPE              mean of 200 |e| / (|y| + |f|); 0/0 counts 0
 *     MASE, RMSSE        MAE, and RMSE, over that of the naive forecasts y_{t-lag} of the values before (in-sample); a scale
 *                        of 0 (constant, or fewer than two values a lag apart) leaves them undefined: TIDE_NAN
 *     of each level L    coverage: share of y with lo <= y <= hi; width: mean (hi - lo);
 *                        MSIS: mean of hi - lo + 2/a (max(lo - y, 0) + max(y - hi, 0)), a = 1 - L, over the scale of MASE;
 *                        pinball: mean loss of lo as quantile a/2 and of hi as quantile 1 - a/2, over the scale of MASE
 *
 * Pinball loss of a quantile q at level u: u (y - q) where y >= q, else (1 - u)(q - y). M5's scale is lag 1 (Makridakis,
 * Spiliotis, Assimakopoulos, "The M5 uncertainty competition", 2022), that of M4 and MASE the season (Hyndman, Koehler,
 * "Another look at measures of forecast accuracy", 2006). bench/peers/score.py has the same definitions. */
#ifndef TIDE_SCORE_H
#define TIDE_SCORE_H

#include "kernels/batch.h"

typedef enum tide_metric {
    TIDE_METRIC_MAE, TIDE_METRIC_RMSE, TIDE_METRIC_BIAS, TIDE_METRIC_SMAPE, TIDE_METRIC_MASE, TIDE_METRIC_RMSSE,
    TIDE_METRIC_LEVELS, /* four of each level follow: */
    TIDE_METRICS_MAX = TIDE_METRIC_LEVELS + 4 * TIDE_LEVELS_MAX
} tide_metric;
enum { TIDE_LEVEL_COVERAGE, TIDE_LEVEL_WIDTH, TIDE_LEVEL_MSIS, TIDE_LEVEL_PINBALL, TIDE_LEVEL_METRICS };

/* Metrics that a score with n levels has. */
static inline int tide_metric_count(int n_levels) {
    return TIDE_METRIC_LEVELS + TIDE_LEVEL_METRICS * n_levels;
}
/* "mae", ..., "coverage-80", "width-80", ...; returns `out`. level: [n_levels] in (0, 1). */
const char *tide_metric_name(int metric, const double *level, char *out, size_t size);

/* Errors of the naive forecasts within y[0..n): mean absolute, mean square; both 0 when there are none. */
typedef struct tide_scale {
    double mae, mse;
} tide_scale;
tide_scale tide_scale_of(const double *y, size_t n, int32_t lag);

/* Forecast h of the window at mean[h*stride]; limits at lo[(level*rows + h)*stride]. */
typedef struct tide_window {
    const double *actual; /* [horizon], TIDE_NAN = missing */
    int32_t horizon;      /* steps to be scored */
    const double *mean, *lo, *hi;
    size_t stride, rows;
    int32_t n_levels;     /* lo, hi may be NULL when 0 */
    const double *level;
    tide_scale scale;
} tide_window;

/* value[tide_metric_count(n_levels)]: TIDE_NAN where undefined. Returns the values that were compared; with 0 all is
 * TIDE_NAN. */
int32_t tide_score_window(const tide_window *w, double *value);

/* The seasonal naive: the last value present of the same place in the season; where that has none, the last value of
 * all. TIDE_NAN without any value. f [horizon]. */
void tide_snaive_forecast(const double *y, size_t n, int32_t season, int32_t horizon, double *f);
/* Naive2 of the M4 competition: the last value, seasonally adjusted by classical multiplicative decomposition where
 * n >= 3 seasons, all values are present and above 0, and the autocorrelation at the season is significant at 90 %. */
void tide_naive2_forecast(const double *y, size_t n, int32_t season, int32_t horizon, double *f);

#endif
