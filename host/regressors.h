/* regressors.h - regressors that all series of a run share: calendar effects, holidays, prices of a market.
 *
 * They come from a source of rows like any series: `unique_id` is the regressor's name, `ds` its time, `y` its value, so
 * that CSV files, tables, queries and all of intake's checks serve. A step of the grid without a row is 0: a holiday is
 * one row. The times must lie on one grid with the frequency of the run, and cover the series' times and the horizon. */
#ifndef TIDE_REGRESSORS_H
#define TIDE_REGRESSORS_H

#include "host/intake.h"
#include "host/panel.h"
#include "kernels/linalg.h"

typedef struct tide_regressors {
    size_t n;    /* regressors, at most TIDE_XREG_MAX */
    size_t rows; /* grid steps from first_ds on */
    int64_t first_ds;
    tide_ds_kind kind;
    tide_freq freq;
    int end_of_month;
    double *x;   /* (rows, n) row-major, owned */
    char *names; /* n texts, each ended by '\0', owned */
} tide_regressors;

/* Reads the source to its end. TIDE_INPUT: none, too many, a series that intake shut out, times off one grid, too many
 * rows. *out is untouched on failure. */
tide_status tide_regressors_read(tide_source *source, const tide_intake_options *options, tide_regressors *out,
                                 tide_error *err);
void tide_regressors_free(tide_regressors *r);

/* Row of the time `ds`, 0 <= *row < rows; TIDE_INPUT when it is off the grid or outside, naming it. */
tide_status tide_regressors_row(const tide_regressors *r, int64_t ds, size_t *row, tide_error *err);

/* Least squares of each series of the panel on the regressors and an intercept, over the values present:
 * beta (n + 1, n_series), the intercept first, on the scale of the data. row[i]: row of series i's first step. A
 * regressor that the others explain over a series' time has 0 there; so has every regressor of a series that intake shut
 * out. linalg: who multiplies; when it fails the CPU does, and *failed (may be NULL) is set to 1. The same bits either way. */
tide_status tide_regress(const tide_linalg *linalg, const tide_regressors *r, const tide_panel *panel, const size_t *row,
                         double *beta, int *failed, tide_error *err);

#endif
