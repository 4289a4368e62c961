/* arima_fisher.h - a Hessian to begin with: the expected one, in closed form, without an evaluation.
 *
 * With ar(B) sar(B^m) w = ma(B) sma(B^m) a the derivative of a_t by ar_i is -a_{t-i}/ar(B), by ma_i -a_{t-i}/ma(B), and
 * by the seasonal coefficients the same in steps of m: impulse responses h_A, shifted. Over n steps that begin with
 * nothing (Box, Jenkins, section 7.2: nonlinear least squares), the expected Hessian of nu log S is
 *
 *     2 sum_{s<n} (n - s) h_A(s - i) h_B(s - j)
 *
 * which stays finite where a root lies on the unit circle. Carried over to the coordinates by the Jacobian of
 * arima_poly.h. Good near an optimum of a model that fits; the search corrects it as it goes (boxqn.h). */
#ifndef TIDE_ARIMA_FISHER_H
#define TIDE_ARIMA_FISHER_H

#include "kernels/arima_eval.h"

typedef struct tide_arima_fisher {
    double *response;             /* [4*rows] ar, ma, sar, sma */
    double *info, *jacobian, *by; /* [k*k] */
} tide_arima_fisher;

TIDE_FN size_t tide_arima_fisher_size(int k, int rows) {
    return 4 * (size_t)rows + 3 * (size_t)k * (size_t)k;
}

TIDE_FN double *tide_arima_fisher_place(tide_arima_fisher *f, int k, int rows, size_t stride, double *at) {
    size_t tide_stride = stride, square = (size_t)k * (size_t)k * TIDE_STRIDE;
    (void)tide_stride;
    f->response = at;
    f->info = at + 4 * (size_t)rows * TIDE_STRIDE;
    f->jacobian = f->info + square;
    f->by = f->jacobian + square;
    return f->by + square;
}

/* The parts of coef: number, first, sign, lag of the first. */
typedef struct tide_arima_part {
    int n, first, lag;
    double sign;
} tide_arima_part;

TIDE_FN tide_arima_part tide_arima_part_of(const tide_arima_shape *s, int which) {
    tide_arima_part p;
    p.n = which == 0 ? s->p : which == 1 ? s->q : which == 2 ? s->P : s->Q;
    p.first = (which > 0 ? s->p : 0) + (which > 1 ? s->q : 0) + (which > 2 ? s->P : 0);
    p.lag = which < 2 ? 1 : s->m;
    p.sign = which % 2 ? -1.0 : 1.0;
    return p;
}

/* The Hessian of the lanes marked in `begin` at u into the packed `hessian`; w->poly is used as scratch. rows: most steps
 * of a lane. */
TIDE_CALLED void tide_arima_fisher_hessian(const tide_arima_shape *s, const tide_arima_work *w,
                                           const tide_arima_data *d, const tide_arima_fisher *f,
                                           const double *u, const double *begin, double *hessian) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const int k_all = s->k;
    const size_t sequence = (size_t)w->rows_max * TIDE_STRIDE;
    const tide_arima_poly *poly = &w->poly;
    double acc[TIDE_LANES];
    tide_arima_coef_of(s, u, poly->k, poly->coef);
    tide_arima_fill(f->jacobian, k_all * k_all, 0.0, tide_stride);
    tide_arima_fill(f->info, k_all * k_all, 0.0, tide_stride);
    for (int which = 0; which < 4; ++which) {
        const tide_arima_part p = tide_arima_part_of(s, which);
        double *h = f->response + (size_t)which * sequence;
        for (int t = 0; p.n > 0 && t < d->rows; t += p.lag) {
            TIDE_EACH_LANE(k) acc[k] = t == 0 ? 1.0 : 0.0;
            for (int i = 0; i < p.n && t - (i + 1) * p.lag >= 0; ++i)
                TIDE_EACH_LANE(k)
            acc[k] = tide_fma(p.sign * TIDE_AT(poly->coef, p.first + i, k),
                              TIDE_AT(h, t - (i + 1) * p.lag, k), acc[k]);
            TIDE_EACH_LANE(k) TIDE_AT(h, t, k) = acc[k];
        }
        const double shrink = which < 2 ? 1.0 / s->radius : tide_arima_shrink(s->radius, s->m);
        for (int i = 0; i < p.n; ++i) {
            tide_arima_fill(poly->coef_bar, p.n, 0.0, tide_stride);
            TIDE_EACH_LANE(k) TIDE_AT(poly->coef_bar, i, k) = 1.0;
            tide_arima_step_up_back(poly->coef_bar, poly->k + (size_t)p.first * TIDE_STRIDE,
                                    f->jacobian + (size_t)((p.first + i) * k_all + p.first) * TIDE_STRIDE,
                                    p.n, p.sign, shrink, poly->triangle, tide_stride);
            for (int j = 0; j < p.n; ++j)
                TIDE_EACH_LANE(k)
            TIDE_AT(f->jacobian, (p.first + i) * k_all + p.first + j, k) *=
                tide_arima_partial_slope(TIDE_AT(u, p.first + j, k));
        }
    }
    for (int a = 0; a < 4; ++a)
        for (int b = 0; b <= a; ++b) {
            const tide_arima_part pa = tide_arima_part_of(s, a), pb = tide_arima_part_of(s, b);
            const double *ha = f->response + (size_t)a * sequence, *hb = f->response + (size_t)b * sequence;
            for (int i = 0; i < pa.n; ++i)
                for (int j = 0; j < (a == b ? i + 1 : pb.n); ++j) {
                    /* a seasonal response has values at multiples of m only */
                    int la = (i + 1) * pa.lag, lb = (j + 1) * pb.lag, step = pa.lag, from = la;
                    while (from < lb)
                        from += step;
                    TIDE_EACH_LANE(k) acc[k] = 0.0;
                    for (int t = from; t < d->rows; t += step)
                        TIDE_EACH_LANE(k) {
                            double left = tide_max(TIDE_AT(d->n, 0, k) - (double)t, 0.0);
                            acc[k] = tide_fma(left * TIDE_AT(ha, t - la, k), TIDE_AT(hb, t - lb, k), acc[k]);
                        }
                    int row = pa.first + i, column = pb.first + j;
                    TIDE_EACH_LANE(k) {
                        TIDE_AT(f->info, row * k_all + column, k) = 2.0 * acc[k];
                        TIDE_AT(f->info, column * k_all + row, k) = 2.0 * acc[k];
                    }
                }
        }
    for (int i = 0; i < k_all; ++i)
        for (int j = 0; j < k_all; ++j) {
            TIDE_EACH_LANE(k) acc[k] = 0.0;
            for (int e = 0; e < k_all; ++e)
                TIDE_EACH_LANE(k)
            acc[k] =
                tide_fma(TIDE_AT(f->info, i * k_all + e, k), TIDE_AT(f->jacobian, e * k_all + j, k), acc[k]);
            TIDE_EACH_LANE(k) TIDE_AT(f->by, i * k_all + j, k) = acc[k];
        }
    for (int i = 0; i < k_all; ++i)
        for (int j = 0; j <= i; ++j) {
            TIDE_EACH_LANE(k) acc[k] = 0.0;
            for (int e = 0; e < k_all; ++e)
                TIDE_EACH_LANE(k)
            acc[k] =
                tide_fma(TIDE_AT(f->jacobian, e * k_all + i, k), TIDE_AT(f->by, e * k_all + j, k), acc[k]);
            double *h = hessian + (size_t)tide_packed(i, j) * TIDE_STRIDE;
            TIDE_EACH_LANE(k) TIDE_AT(h, 0, k) = TIDE_AT(begin, 0, k) != 0.0 ? acc[k] : TIDE_AT(h, 0, k);
        }
}

#endif
