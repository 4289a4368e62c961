/* member_view.h - one member of a model as the forecasting kernels see it. */
#ifndef TIDE_MEMBER_VIEW_H
#define TIDE_MEMBER_VIEW_H

#include <stddef.h>
#include <stdint.h>

/* Pointers with a stride, so that results (device or host) and a mapped store (stride 1) are read in place.
 * Rows: those of the family's header, as many as family and form have; see there. */
typedef struct tide_member_view {
    int family;
    uint32_t form;
    int32_t n_obs;
    double weight, sigma2;
    double scale; /* of the series: Box-Cox transforms y/scale */
    const double *coef, *state; /* element r at coef[r*stride] */
    size_t stride;
    /* Shared regressors from the step after the last one on, (xreg_rows, xreg_columns) row-major; may be NULL. */
    const double *xreg;
    int64_t xreg_rows;
    int32_t xreg_columns;
} tide_member_view;

#endif
