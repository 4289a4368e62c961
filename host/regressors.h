/* regressors.h - regressors that all series of a run share: calendar effects, holidays, prices of a market.
 *
 * Two files can hold them (io/regressors_csv.h reads both):
 *
 *     wide   ds,promo,price      a row a time, a column a regressor; each cell a number
 *     long   unique_id,ds,y      a row a value, unique_id the regressor's name; a step of the grid without a row is 0, so
 *                                that a holiday is one row. It is a source of rows like any series: all of intake's checks serve
 *
 * The times lie on one grid with the frequency of the run. A wide file may lack steps of it (`present`): a series whose
 * time touches one, or reaches past the ends, has no regressors there (xreg.h).
 *
 * A regressor that is constant over the file, or that those before it and an intercept make up, tells nothing apart: it is
 * left out, by name (tide_regressors_settle). R's auto.arima() leaves out the constant ones and refuses the others. */
#ifndef TIDE_REGRESSORS_H
#define TIDE_REGRESSORS_H

#include "host/intake.h"
#include "host/panel.h"
#include "host/tidemill_predict.h"
#include "kernels/linalg.h"

enum {
    TIDE_REGRESSOR_NAME = 200,         /* bytes of a name, at most */
    TIDE_REGRESSOR_ROWS_MAX = 1 << 24, /* steps of the grid */
    TIDE_REGRESSOR_CELLS_MAX = 1 << 24 /* steps times regressors: 128 MiB */
};

typedef struct tide_regressors {
    size_t n;    /* regressors, at most TIDE_XREG_MAX */
    size_t rows; /* grid steps from first_ds on */
    int64_t first_ds;
    tide_ds_kind kind;
    tide_freq freq;
    int end_of_month;
    double *x;        /* (rows, n) row-major, owned; 0 where not present */
    uint8_t *present; /* [rows] 1: the file has this step; owned; NULL: it has all */
    char *names;      /* n texts, each ended by '\0', owned */
} tide_regressors;

/* Reads a source of the long form to its end. TIDE_INPUT: none, too many, a series that intake shut out, times off one
 * grid, too many rows. *out is untouched on failure. */
tide_status tide_regressors_read(tide_source *source, const tide_intake_options *options, tide_regressors *out,
                                 tide_error *err);
void tide_regressors_free(tide_regressors *r);

/* Leaves out what tells nothing apart; told (may be NULL) hears of each, a line. TIDE_INPUT when none is left. */
tide_status tide_regressors_settle(tide_regressors *r, void (*told)(void *self, const char *line), void *self,
                                   tide_error *err);
/* Hash of grid, names and values. */
uint64_t tide_regressors_fingerprint(const tide_regressors *r);
/* As the predictor takes them (tidemill_predict.h); valid as long as r. */
tide_xreg_table tide_regressors_table(const tide_regressors *r);

/* Row of the time `ds`, 0 <= *row < rows; TIDE_INPUT when it is off the grid or outside, naming it. */
tide_status tide_regressors_row(const tide_regressors *r, int64_t ds, size_t *row, tide_error *err);
/* Steps from `row` on that are all there. */
size_t tide_regressors_reach(const tide_regressors *r, size_t row);

/* Least squares of each series of the panel on the regressors and an intercept, over the values present:
 * beta (n + 1, n_series), the intercept first, on the scale of the data. row[i]: row of series i's first step, or
 * TIDE_NO_ROW: the series is left out. A regressor that the others explain over a series' time is not identified: 0 in
 * beta, 0 in identified (n, n_series; may be NULL), which is 1 for the others; so is every regressor of a series that
 * intake shut out, or that is left out. linalg: who multiplies; when it fails the CPU does, and *failed (may be NULL) is
 * set to 1. The same bits either way. */
#define TIDE_NO_ROW SIZE_MAX
tide_status tide_regress(const tide_linalg *linalg, const tide_regressors *r, const tide_panel *panel, const size_t *row,
                         double *beta, uint8_t *identified, int *failed, tide_error *err);

#endif
