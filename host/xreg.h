/* xreg.h - shared regressors on their way into a fit: what the tiles of a batch need of them (kernels/batch.h). */
#ifndef TIDE_XREG_H
#define TIDE_XREG_H

#include "host/plan.h"
#include "host/regressors.h"

/* Work of the fitter's thread, kept from batch to batch. Zero it before; linalg and regressors are borrowed. */
typedef struct tide_xreg {
    const tide_regressors *regressors;
    const tide_linalg *linalg;
    int linalg_failed; /* the device's products failed; the CPU made them */
    size_t *row;
    double *beta;
    int32_t *at; /* of the tiles: as many as lanes */
    double *ols;
    size_t capacity; /* lanes */
} tide_xreg;

/* Gives the plan's tiles their xreg arrays, for the panel that it was built from; valid until the next call. TIDE_INPUT
 * when the regressors do not cover a series, naming it. */
tide_status tide_xreg_fill(tide_xreg *x, const tide_panel *panel, tide_plan *plan, tide_error *err);
void tide_xreg_free(tide_xreg *x);

#endif
