/* xreg.h - shared regressors on their way into a fit: what the tiles of a batch need of them (kernels/batch.h).
 *
 * A series has no regressors when the table lacks a step between its first and its last: it ends as NO_REGRESSORS where
 * only ARIMA is asked for, and is fitted by the other families without a word of them where there are others. Such series
 * are counted and the first few are named with the time that is missing.
 *
 * The coefficients of least squares (regress.c: two exact products for many series, by cuBLAS where there is one) go with the
 * tiles: d and D are chosen on what they leave, and a regressor that a series' values cannot tell from the others is
 * TIDE_NAN there, which takes it out of that series' models. The likelihood itself needs no start for its coefficients: it is
 * maximised over them in closed form (kernels/arima_eval.h). */
#ifndef TIDE_XREG_H
#define TIDE_XREG_H

#include "host/plan.h"
#include "host/regressors.h"

/* Work of the fitter's thread, kept from batch to batch. Zero it before; linalg and regressors are borrowed. */
typedef struct tide_xreg {
    const tide_regressors *regressors;
    const tide_linalg *linalg;
    int linalg_failed; /* the device's products failed; the CPU made them */
    uint64_t covered;  /* series with values that have regressors, so far */
    tide_intake_count uncovered; /* those that have not */
    size_t *row;
    double *beta;
    uint8_t *identified;
    int32_t *at; /* of the tiles: as many as lanes */
    uint8_t *outcome;
    double *ols;
    size_t capacity; /* lanes */
} tide_xreg;

/* Gives the plan's tiles their xreg arrays, for the panel that it was built from; valid until the next call. */
tide_status tide_xreg_fill(tide_xreg *x, const tide_panel *panel, tide_plan *plan, tide_error *err);
void tide_xreg_free(tide_xreg *x);

#endif
