/* arima_data.h - what the likelihood of arima_eval.h reads, its memory, and the values of its columns. */
#ifndef TIDE_ARIMA_DATA_H
#define TIDE_ARIMA_DATA_H

#include "kernels/arima_poly.h"
#include "kernels/tide_math.h"
#include "kernels/tide_vec.h"

#define TIDE_ARIMA_LEAST_S                                                                                   \
    1e-30 /* a perfect fit has a finite likelihood; values are scaled to a mean near 1 */
#define TIDE_ARIMA_PIVOT 1e-10
#define TIDE_ARIMA_NEVER (-1e9) /* time of a missing value that a lane does not have */

enum { TIDE_ARIMA_GROUP = 4, TIDE_ARIMA_WEIGHTS = 6 };

/* The series of the lanes, differenced. Pointers borrowed; (elements, lanes). */
typedef struct tide_arima_data {
    size_t stride;
    int rows; /* most steps of a lane */
    int m;
    const double *n; /* [1] steps of the lane */
    const double *w; /* [rows] TIDE_NAN at and past n */
    int n_missing;   /* most of a lane */
    const double
        *missing; /* [n_missing] row at which the dummy has weight 1; may be below 0; TIDE_ARIMA_NEVER */
    const double *weight;   /* [6] of the differences, at lags 0, 1, 2, m, m+1, m+2 */
    int n_constant;         /* 0 or 1 */
    const double *constant; /* [1] value of the constant's column; 0: the lane has none */
    int n_reg;
    const double *reg; /* [n_reg*reg_rows] further regressors, differenced; column j from row j*reg_rows on */
    int reg_rows;
} tide_arima_data;

TIDE_FN int tide_arima_columns(const tide_arima_data *d) {
    return 1 + d->n_missing + d->n_constant + d->n_reg;
}

typedef struct tide_arima_work {
    tide_arima_poly poly;
    int columns_max, rows_max, missing_max;
    /* by turns, (rows, TIDE_VEC lanes) each: */
    double *row;           /* [4*(r+2)] M, L, and the derivatives by them, side by side */
    double *x;             /* [max(columns, GROUP)*(r+1)] states of the columns */
    double *z;             /* [GROUP*(rows+r+2)] derivatives by x_0 */
    /* (elements, lanes): */
    double *m_end, *l_end; /* [r] over F, at the lane's end */
    double *m_bar_sum;     /* [r] of the groups */
    double *x_end;         /* [r] of the first column */
    double *g, *l0;        /* [rows] tape: 1/F and l */
    double *v;             /* [GROUP*rows] tape of innovations */
    double *mix;           /* [GROUP*rows] columns of a group */
    double *value;         /* [columns] innovations of the step */
    double *s;             /* [columns(columns+1)/2] S, then its factor below the diagonal, pivots on it */
    double *inverse;       /* [columns] 1/pivot, 0 where dropped */
    double *beta;          /* [columns] of column c; 0 for w itself */
    double *c;             /* [missing] column of the inverse factor */
    double *f_bar;         /* [1] */
    double *sum, *log_f, *log_det, *nu, *objective; /* [1] */
} tide_arima_work;

TIDE_FN size_t tide_arima_work_size(const tide_arima_shape *s, int rows, int columns, int missing) {
    size_t r = (size_t)s->r, n = (size_t)rows, c = (size_t)columns, g = TIDE_ARIMA_GROUP,
           states = c > g ? c : g;
    return tide_arima_poly_size(s) + 4 * (r + 2) + 4 * r + states * (r + 1) + g * (n + r + 2) +
           (2 + 2 * g) * n + 3 * c + c * (c + 1) / 2 + (size_t)missing + 6;
}

TIDE_FN double *tide_arima_work_place(tide_arima_work *w, const tide_arima_shape *s, int rows, int columns,
                                      int missing, double *at) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    size_t r = (size_t)s->r, n = (size_t)rows, c = (size_t)columns, g = TIDE_ARIMA_GROUP,
           states = c > g ? c : g;
    w->columns_max = columns;
    w->rows_max = rows;
    w->missing_max = missing;
    at = tide_arima_poly_place(&w->poly, s, at);
#define TIDE_PLACE_ARIMA_(field, count) (w->field = at, at += (count)*TIDE_STRIDE)
    TIDE_PLACE_ARIMA_(row, 4 * (r + 2));
    TIDE_PLACE_ARIMA_(x, states * (r + 1));
    TIDE_PLACE_ARIMA_(z, g * (n + r + 2));
    TIDE_PLACE_ARIMA_(m_end, r);
    TIDE_PLACE_ARIMA_(l_end, r);
    TIDE_PLACE_ARIMA_(m_bar_sum, r);
    TIDE_PLACE_ARIMA_(x_end, r);
    TIDE_PLACE_ARIMA_(g, n);
    TIDE_PLACE_ARIMA_(l0, n);
    TIDE_PLACE_ARIMA_(v, g * n);
    TIDE_PLACE_ARIMA_(mix, g * n);
    TIDE_PLACE_ARIMA_(value, c);
    TIDE_PLACE_ARIMA_(s, c * (c + 1) / 2);
    TIDE_PLACE_ARIMA_(inverse, c);
    TIDE_PLACE_ARIMA_(beta, c);
    TIDE_PLACE_ARIMA_(c, (size_t)missing);
    TIDE_PLACE_ARIMA_(f_bar, 1);
    TIDE_PLACE_ARIMA_(sum, 1);
    TIDE_PLACE_ARIMA_(log_f, 1);
    TIDE_PLACE_ARIMA_(log_det, 1);
    TIDE_PLACE_ARIMA_(nu, 1);
    TIDE_PLACE_ARIMA_(objective, 1);
#undef TIDE_PLACE_ARIMA_
    return at;
}

/* Value of column c >= 1 at row t, of the lanes from `lane` on: dummies first, then the constant, then the regressors. */
TIDE_FN tide_vec tide_arima_column(const tide_arima_data *d, int c, int t, int lane) {
    size_t tide_stride = d->stride;
    (void)tide_stride;
    const int j = c - 1;
    if (j < d->n_missing) {
        double out[TIDE_VEC];
        TIDE_EACH_OF_VEC(k) {
            double since = (double)t - TIDE_AT(d->missing, j, lane + k), y = 0.0;
            y += since == 0.0 ? TIDE_AT(d->weight, 0, lane + k) : 0.0;
            y += since == 1.0 ? TIDE_AT(d->weight, 1, lane + k) : 0.0;
            y += since == 2.0 ? TIDE_AT(d->weight, 2, lane + k) : 0.0;
            y += since == (double)d->m ? TIDE_AT(d->weight, 3, lane + k) : 0.0;
            y += since == (double)(d->m + 1) ? TIDE_AT(d->weight, 4, lane + k) : 0.0;
            y += since == (double)(d->m + 2) ? TIDE_AT(d->weight, 5, lane + k) : 0.0;
            out[k] = y;
        }
        return tide_vec_get(out);
    }
    if (j < d->n_missing + d->n_constant)
        return tide_vec_get(&TIDE_AT(d->constant, 0, lane));
    const double *x =
        d->reg + (size_t)(j - d->n_missing - d->n_constant) * (size_t)d->reg_rows * TIDE_STRIDE;
    return tide_vec_get(&TIDE_AT(x, t, lane));
}

#endif
