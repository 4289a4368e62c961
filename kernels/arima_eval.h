/* arima_eval.h - the exact likelihood of a seasonal ARMA with regressors and missing values, and its gradient.
 *
 * Model of the differenced series: w_t = sum_c beta_c x_ct + n_t, n a stationary ARMA, t = 0 .. n - 1. Objective,
 * -2 log likelihood less constants, with sigma2 and beta put at their best:
 *
 *     Q = nu log(S/nu) + sum_t log F_t + log det(V'V of the missing values),   S = sum_t v_t^2/F_t
 *
 * v and F: the innovations and their variances (in units of sigma2) by the Chandrasekhar recursion (Morf, Sidhu, Kailath,
 * "Some new algorithms for recursive estimation in constant, linear, discrete-time systems", IEEE Trans. Automatic
 * Control 19, 1974), O(r) a step, with M, F from arima_poly.h and L = M, x = 0 at first:
 *
 *     v = w_t - x_0,  l = L_0,  k = l/F                    k: a partial autocorrelation of w, |k| < 1
 *     x_i <- x_{i+1} + phi_{i+1} x_0 + M_i v/F
 *     T_i = L_{i+1} + phi_{i+1} l,  M_i <- M_i - k T_i,  L_i <- T_i - k M_i (old M),  F <- F - k l
 *
 * It is run over columns: w, a dummy for each missing value, the constant, other regressors; each has its own x. With
 * V_c its innovations over sqrt(F), S_cc' = V_c'V_c' and beta solves the normal equations (LDL', pivots smaller than 1e-10
 * of their diagonal dropped: a column that is zero or not identified gets 0).
 *
 * Missing values. y is given an arbitrary value there, and a column for the difference: 1 at that step, differenced like
 * y. Missing values are integrated out over the flat measure: what is left is the density of the values present given the
 * first d + mD of them (diffuse in those of the first d + mD that are missing). The integral over delta of
 * exp(-|w - D delta|^2/2 sigma2), |.|^2 in the metric of the inverse covariance, is the minimum's times
 * (2 pi sigma2)^{n_missing/2} det(D'D)^{-1/2}: hence nu = n - n_missing and the determinant of the dummies' block alone
 * (Gomez, Maravall, Pena, "Missing observations in ARIMA models: skipping approach versus additive outlier approach",
 * J. Econometrics 88, 1999). The constant and regressors are maximised over, as in R's arima(): no determinant.
 *
 * Gradient: adjoint of the loop. By the envelope theorem beta may be held fixed, so that one column u = w - sum beta x
 * counts; and log det(D'D) = sum over j of the squares of the columns D c_j, c_j of the inverse factor held fixed, as far
 * as first derivatives go. M, L are found again backwards: M = (M' + k L')/(1 - k^2), T = (L' + k M')/(1 - k^2), so that
 * the tape has v, 1/F and l only.
 *
 * Lanes have lengths of their own. Past its end a lane goes on without data and its sums stand still; M and L are kept as
 * they were at the end, and the way back begins there, so that the other lanes change no bit. Columns that a lane does not
 * have are zero columns, and change no bit either. */
#ifndef TIDE_ARIMA_EVAL_H
#define TIDE_ARIMA_EVAL_H

#include "kernels/arima_poly.h"
#include "kernels/tide_math.h"

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
    double *m, *l;         /* [r+1] */
    double *m_end, *l_end; /* [r+1] at the lane's end */
    double *m_bar, *l_bar; /* [r+1] */
    double *m_bar_sum;     /* [r] of the groups */
    double *x;             /* [max(columns, GROUP)*(r+1)] states of the columns */
    double *x_end;         /* [r] of the first column */
    double *z;             /* [GROUP*(rows+r+1)] derivatives by x_0 */
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
    return tide_arima_poly_size(s) + 6 * (r + 1) + 2 * r + states * (r + 1) + g * (n + r + 1) +
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
    TIDE_PLACE_ARIMA_(m, r + 1);
    TIDE_PLACE_ARIMA_(l, r + 1);
    TIDE_PLACE_ARIMA_(m_end, r + 1);
    TIDE_PLACE_ARIMA_(l_end, r + 1);
    TIDE_PLACE_ARIMA_(m_bar, r + 1);
    TIDE_PLACE_ARIMA_(l_bar, r + 1);
    TIDE_PLACE_ARIMA_(m_bar_sum, r);
    TIDE_PLACE_ARIMA_(x, states * (r + 1));
    TIDE_PLACE_ARIMA_(x_end, r);
    TIDE_PLACE_ARIMA_(z, g * (n + r + 1));
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

/* Value of column c >= 1 at row t: dummies first, then the constant, then the regressors. */
TIDE_FN void tide_arima_column(const tide_arima_data *d, int c, int t, double *out) {
    size_t tide_stride = d->stride;
    (void)tide_stride;
    const int j = c - 1;
    if (j < d->n_missing) {
        TIDE_EACH_LANE(k) {
            double since = (double)t - TIDE_AT(d->missing, j, k), y = 0.0;
            y += since == 0.0 ? TIDE_AT(d->weight, 0, k) : 0.0;
            y += since == 1.0 ? TIDE_AT(d->weight, 1, k) : 0.0;
            y += since == 2.0 ? TIDE_AT(d->weight, 2, k) : 0.0;
            y += since == (double)d->m ? TIDE_AT(d->weight, 3, k) : 0.0;
            y += since == (double)(d->m + 1) ? TIDE_AT(d->weight, 4, k) : 0.0;
            y += since == (double)(d->m + 2) ? TIDE_AT(d->weight, 5, k) : 0.0;
            out[k] = y;
        }
    } else if (j < d->n_missing + d->n_constant) {
        TIDE_EACH_LANE(k) out[k] = TIDE_AT(d->constant, 0, k);
    } else {
        const double *x =
            d->reg + (size_t)(j - d->n_missing - d->n_constant) * (size_t)d->reg_rows * TIDE_STRIDE;
        TIDE_EACH_LANE(k) out[k] = TIDE_AT(x, t, k);
    }
}

/* The exponent of a product of variances (positive) moves to *exponent; NaN once it has left the normal numbers. */
TIDE_FN void tide_arima_split(double *product, double *exponent) {
    uint64_t u = tide_to_bits(*product);
    double e = tide_from_bits((u >> 52) | 0x4330000000000000ull) - (0x1p52 + 1023.0);
    *exponent += (*product >= 0x1p-1022) & (*product < TIDE_INF) ? e : TIDE_NAN;
    *product = tide_from_bits((u & 0x000fffffffffffffull) | 0x3ff0000000000000ull);
}

/* Rows [from, to) of M, L and of the first column's x, one step on; taps: phi is not zero there, a constant in callers. */
TIDE_FN void tide_arima_rows_on(const tide_arima_work *w, int from, int to, int taps, const double *kk,
                                const double *l, const double *x0, const double *vg, size_t tide_stride) {
    (void)tide_stride;
    double *M = w->m, *L = w->l, *x = w->x;
    const double *phi = w->poly.phi;
    for (int i = from; i < to; ++i)
        TIDE_EACH_LANE(k) {
            double m = TIDE_AT(M, i, k), t = TIDE_AT(L, i + 1, k), s = TIDE_AT(x, i + 1, k);
            if (taps) {
                t = tide_fma(TIDE_AT(phi, i, k), l[k], t);
                s = tide_fma(TIDE_AT(phi, i, k), x0[k], s);
            }
            TIDE_AT(x, i, k) = tide_fma(m, vg[k], s);
            TIDE_AT(M, i, k) = tide_fma(-kk[k], t, m);
            TIDE_AT(L, i, k) = tide_fma(-kk[k], m, t);
        }
}

/* The state of column c >= 1, one step on, with M as it was before the step. */
TIDE_FN void tide_arima_state_on(const tide_arima_shape *s, const tide_arima_work *w, double *x,
                                 const double *vg) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    double x0[TIDE_LANES];
    TIDE_EACH_LANE(k) x0[k] = TIDE_AT(x, 0, k);
    for (int i = 0; i < s->r; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(x, i, k) = tide_fma(TIDE_AT(w->m, i, k), vg[k], TIDE_AT(x, i + 1, k));
    for (int j = 0; j < s->phi.n; ++j)
        TIDE_EACH_LANE(k)
    TIDE_AT(x, s->phi.lag[j] - 1, k) =
        tide_fma(TIDE_AT(w->poly.phi, s->phi.lag[j] - 1, k), x0[k], TIDE_AT(x, s->phi.lag[j] - 1, k));
}

/* Is row i one of phi's taps, and where does the run of equal answers end? */
TIDE_FN int tide_arima_run(const tide_arima_shape *s, int i, int *end) {
    for (int j = 0; j < s->phi.n; ++j) {
        int at = s->phi.lag[j] - 1;
        if (at > i) {
            *end = at;
            return 0;
        }
        if (at == i) {
            int to = i + 1;
            for (int h = j + 1; h < s->phi.n && s->phi.lag[h] - 1 == to; ++h)
                ++to;
            *end = to;
            return 1;
        }
    }
    *end = s->r;
    return 0;
}

/* The first row that a lane ends with. */
TIDE_FN int tide_arima_first_end(const tide_arima_data *d) {
    size_t tide_stride = d->stride;
    (void)tide_stride;
    int first = d->rows;
    for (int k = 0; k < TIDE_LANES; ++k) {
        int n = (int)TIDE_AT(d->n, 0, k);
        first = (n > 0) & (n < first) ? n : first;
    }
    return first;
}

/* Does a lane end with row t? first: tide_arima_first_end. */
TIDE_FN int tide_arima_ends(const tide_arima_data *d, int t, int first) {
    size_t tide_stride = d->stride;
    (void)tide_stride;
    int ends = 0;
    if (t + 1 < first)
        return 0;
    for (int k = 0; k < TIDE_LANES; ++k)
        ends |= TIDE_AT(d->n, 0, k) == (double)(t + 1);
    return ends;
}

/* One way through the data. mix NULL: over the first n_col columns of the data, leaving S, log F and the tape of the first
 * column; else over the n_col columns of `mix`, leaving the tape of all of them. */
TIDE_CALLED void tide_arima_pass(const tide_arima_shape *s, const tide_arima_work *w,
                                 const tide_arima_data *d, int n_col, const double *mix) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const int r = s->r, rows = d->rows, first_end = tide_arima_first_end(d);
    const size_t state = (size_t)(r + 1) * TIDE_STRIDE, column = (size_t)w->rows_max * TIDE_STRIDE;
    double f[TIDE_LANES], g[TIDE_LANES], l[TIDE_LANES], kk[TIDE_LANES], vg[TIDE_LANES], x0[TIDE_LANES],
        product[TIDE_LANES], exponent[TIDE_LANES], value[TIDE_LANES];
    for (int i = 0; i < r; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(w->m, i, k) = TIDE_AT(w->l, i, k) = TIDE_AT(w->poly.m, i, k);
    TIDE_EACH_LANE(k) {
        TIDE_AT(w->m, r, k) = TIDE_AT(w->l, r, k) = 0.0;
        f[k] = TIDE_AT(w->poly.f, 0, k);
        vg[k] = x0[k] = 0.0;
        product[k] = 1.0;
        exponent[k] = 0.0;
    }
    tide_arima_fill(w->x, n_col * (r + 1), 0.0, tide_stride);
    if (!mix)
        tide_arima_fill(w->s, tide_packed(n_col, 0), 0.0, tide_stride);
    for (int t = 0; t < rows; ++t) {
        const double *y = w->mix; /* any */
        TIDE_EACH_LANE(k) {
            g[k] = 1.0 / f[k];
            l[k] = TIDE_AT(w->l, 0, k);
            kk[k] = l[k] * g[k];
            product[k] *= tide_is_nan(TIDE_AT(d->w, t, k)) ? 1.0 : f[k];
            f[k] = tide_fma(-kk[k], l[k], f[k]);
            TIDE_AT(w->g, t, k) = g[k];
            TIDE_AT(w->l0, t, k) = l[k];
        }
        if (t % 8 == 7)
            TIDE_EACH_LANE(k) tide_arima_split(&product[k], &exponent[k]);
        for (int c = n_col - 1; c >= 0; --c) {
            double *x = w->x + (size_t)c * state;
            if (mix) {
                y = mix + (size_t)c * column;
                TIDE_EACH_LANE(k) value[k] = TIDE_AT(y, t, k);
            } else if (c == 0) {
                TIDE_EACH_LANE(k) value[k] = TIDE_AT(d->w, t, k);
            } else {
                tide_arima_column(d, c, t, value);
            }
            TIDE_EACH_LANE(k) {
                double v = tide_is_nan(TIDE_AT(d->w, t, k)) ? 0.0 : value[k] - TIDE_AT(x, 0, k);
                TIDE_AT(w->value, c, k) = v;
                vg[k] = v * g[k];
                x0[k] = TIDE_AT(x, 0, k);
            }
            if (mix || c == 0) {
                double *v = w->v + (size_t)c * column;
                TIDE_EACH_LANE(k) TIDE_AT(v, t, k) = TIDE_AT(w->value, c, k);
            }
            if (c > 0)
                tide_arima_state_on(s, w, x, vg);
        }
        if (!mix)
            for (int c = 1; c < n_col; ++c)
                for (int e = 0; e <= c; ++e) {
                    double *sum = w->s + (size_t)tide_packed(c, e) * TIDE_STRIDE;
                    TIDE_EACH_LANE(k)
                    TIDE_AT(sum, 0, k) =
                        tide_fma(TIDE_AT(w->value, c, k) * g[k], TIDE_AT(w->value, e, k), TIDE_AT(sum, 0, k));
                }
        for (int i = 0, to; i < r; i = to) {
            if (tide_arima_run(s, i, &to))
                tide_arima_rows_on(w, i, to, 1, kk, l, x0, vg, tide_stride);
            else
                tide_arima_rows_on(w, i, to, 0, kk, l, x0, vg, tide_stride);
        }
        if (tide_arima_ends(d, t, first_end))
            for (int i = 0; i < r; ++i)
                TIDE_EACH_LANE(k) {
                    int end = TIDE_AT(d->n, 0, k) == (double)(t + 1);
                    TIDE_AT(w->m_end, i, k) = end ? TIDE_AT(w->m, i, k) : TIDE_AT(w->m_end, i, k);
                    TIDE_AT(w->l_end, i, k) = end ? TIDE_AT(w->l, i, k) : TIDE_AT(w->l_end, i, k);
                    TIDE_AT(w->x_end, i, k) = end ? TIDE_AT(w->x, i, k) : TIDE_AT(w->x_end, i, k);
                }
    }
    if (!mix)
        TIDE_EACH_LANE(k) {
            tide_arima_split(&product[k], &exponent[k]);
            TIDE_AT(w->log_f, 0, k) = tide_fma(exponent[k], 0x1.62e42fefa39efp-1, tide_log(product[k]));
        }
}

/* beta, nu and the log determinant from S. */
TIDE_CALLED void tide_arima_solve(const tide_arima_shape *s, const tide_arima_work *w,
                                  const tide_arima_data *d, int n_col) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    double acc[TIDE_LANES], lost[TIDE_LANES], log_det[TIDE_LANES];
    TIDE_EACH_LANE(k) lost[k] = log_det[k] = 0.0;
    for (int i = 1; i < n_col; ++i) { /* row i: element 0 becomes z_i, elements 1 .. i - 1 the factor */
        double *row = w->s + (size_t)tide_packed(i, 0) * TIDE_STRIDE;
        for (int j = 1; j < i; ++j) { /* until divided: row(j) = L_ij d_j */
            const double *before = w->s + (size_t)tide_packed(j, 0) * TIDE_STRIDE;
            TIDE_EACH_LANE(k) acc[k] = TIDE_AT(row, j, k);
            for (int p = 1; p < j; ++p)
                TIDE_EACH_LANE(k) acc[k] = tide_fma(-TIDE_AT(row, p, k), TIDE_AT(before, p, k), acc[k]);
            TIDE_EACH_LANE(k) TIDE_AT(row, j, k) = acc[k];
        }
        TIDE_EACH_LANE(k) acc[k] = TIDE_AT(row, i, k);
        for (int j = 1; j < i; ++j) {
            const double *before = w->s + (size_t)tide_packed(j, 0) * TIDE_STRIDE;
            TIDE_EACH_LANE(k) {
                double u = TIDE_AT(row, j, k), factor = u * TIDE_AT(w->inverse, j, k);
                acc[k] = tide_fma(-u, factor, acc[k]);
                TIDE_AT(row, 0, k) = tide_fma(-factor, TIDE_AT(before, 0, k), TIDE_AT(row, 0, k));
                TIDE_AT(row, j, k) = factor;
            }
        }
        const int dummy = i <= d->n_missing;
        TIDE_EACH_LANE(k) {
            double diagonal = TIDE_AT(row, i, k), pivot = acc[k];
            int kept = pivot > TIDE_ARIMA_PIVOT * diagonal;
            TIDE_AT(w->inverse, i, k) = kept ? 1.0 / pivot : 0.0;
            TIDE_AT(row, i, k) = kept ? pivot : 1.0;
            lost[k] += dummy & kept ? 1.0 : 0.0;
            log_det[k] += dummy ? tide_log(kept ? pivot : 1.0) : 0.0;
        }
    }
    for (int i = n_col - 1; i >= 1; --i) {
        TIDE_EACH_LANE(k)
        acc[k] = TIDE_AT(w->s + (size_t)tide_packed(i, 0) * TIDE_STRIDE, 0, k) * TIDE_AT(w->inverse, i, k);
        for (int j = i + 1; j < n_col; ++j) {
            const double *factor = w->s + (size_t)tide_packed(j, i) * TIDE_STRIDE;
            TIDE_EACH_LANE(k) acc[k] = tide_fma(-TIDE_AT(factor, 0, k), TIDE_AT(w->beta, j, k), acc[k]);
        }
        TIDE_EACH_LANE(k) TIDE_AT(w->beta, i, k) = TIDE_AT(w->inverse, i, k) != 0.0 ? acc[k] : 0.0;
    }
    TIDE_EACH_LANE(k) {
        TIDE_AT(w->nu, 0, k) = TIDE_AT(d->n, 0, k) - lost[k];
        TIDE_AT(w->log_det, 0, k) = log_det[k];
    }
}

/* The first column of mix: what the regressors leave of w. */
TIDE_FN void tide_arima_mix_rest(const tide_arima_shape *s, const tide_arima_work *w,
                                 const tide_arima_data *d, int n_col) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    double value[TIDE_LANES], acc[TIDE_LANES];
    for (int t = 0; t < d->rows; ++t) {
        TIDE_EACH_LANE(k) acc[k] = TIDE_AT(d->w, t, k);
        for (int c = 1; c < n_col; ++c) {
            tide_arima_column(d, c, t, value);
            TIDE_EACH_LANE(k) acc[k] = tide_fma(-TIDE_AT(w->beta, c, k), value[k], acc[k]);
        }
        TIDE_EACH_LANE(k) TIDE_AT(w->mix, t, k) = acc[k];
    }
}

/* Columns [first, first + GROUP) of D L^-T pivot^-1/2, whose squares' sums are 1: the columns of log det(D'D). */
TIDE_FN void tide_arima_mix_missing(const tide_arima_shape *s, const tide_arima_work *w,
                                    const tide_arima_data *d, int first) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const int lags[TIDE_ARIMA_WEIGHTS] = {0, 1, 2, d->m, d->m + 1, d->m + 2};
    tide_arima_fill(w->mix, TIDE_ARIMA_GROUP * w->rows_max, 0.0, tide_stride);
    for (int c = 0; c < TIDE_ARIMA_GROUP; ++c) {
        int j = first + c; /* dummy, from 0 */
        if (j >= d->n_missing)
            break;
        double *mix = w->mix + (size_t)c * (size_t)w->rows_max * TIDE_STRIDE;
        TIDE_EACH_LANE(k)
        TIDE_AT(w->c, j, k) = tide_sqrt(TIDE_AT(w->inverse, j + 1, k));
        for (int i = j - 1; i >= 0; --i) {
            double acc[TIDE_LANES];
            TIDE_EACH_LANE(k) acc[k] = 0.0;
            for (int e = i + 1; e <= j; ++e) {
                const double *factor = w->s + (size_t)tide_packed(e + 1, i + 1) * TIDE_STRIDE;
                TIDE_EACH_LANE(k) acc[k] = tide_fma(-TIDE_AT(factor, 0, k), TIDE_AT(w->c, e, k), acc[k]);
            }
            TIDE_EACH_LANE(k) TIDE_AT(w->c, i, k) = TIDE_AT(w->inverse, i + 1, k) != 0.0 ? acc[k] : 0.0;
        }
        for (int i = 0; i <= j; ++i)
            for (int k = 0; k < TIDE_LANES; ++k)
                for (int h = 0; h < TIDE_ARIMA_WEIGHTS; ++h) {
                    double at = TIDE_AT(d->missing, i, k) + (double)lags[h];
                    if (at < 0.0 || at >= TIDE_AT(d->n, 0, k))
                        continue;
                    double *to = &TIDE_AT(mix, (int)at, k);
                    *to = tide_fma(TIDE_AT(w->c, i, k), TIDE_AT(d->weight, h, k), *to);
                }
    }
}

/* Back through one pass: n columns on the tape (a constant in the callers), each with 1/omega-weighted squares. Adds to
 * m_bar_sum, f_bar and phi_bar. columns: the column's values, to have x_0 = value - v again. */
TIDE_FN void tide_arima_back(const tide_arima_shape *s, const tide_arima_work *w, const tide_arima_data *d,
                             int n, const double *columns, const double *omega, double log_term) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const int r = s->r, rows = d->rows, first_end = tide_arima_first_end(d);
    const size_t column = (size_t)w->rows_max * TIDE_STRIDE,
                 slide = (size_t)(w->rows_max + r + 1) * TIDE_STRIDE;
    double *M = w->m, *L = w->l, *mb = w->m_bar, *lb = w->l_bar;
    double g[TIDE_LANES], l[TIDE_LANES], kk[TIDE_LANES], h[TIDE_LANES], fb[TIDE_LANES], kb[TIDE_LANES],
        lb0[TIDE_LANES], vg[TIDE_ARIMA_GROUP][TIDE_LANES], vgb[TIDE_ARIMA_GROUP][TIDE_LANES],
        x0[TIDE_ARIMA_GROUP][TIDE_LANES], xb[TIDE_ARIMA_GROUP][TIDE_LANES];
    tide_arima_fill(mb, r + 1, 0.0, tide_stride);
    tide_arima_fill(lb, r + 1, 0.0, tide_stride);
    for (int c = 0; c < n; ++c)
        tide_arima_fill(w->z + (size_t)c * slide + (size_t)rows * TIDE_STRIDE, r + 1, 0.0, tide_stride);
    TIDE_EACH_LANE(k) fb[k] = 0.0;
    for (int t = rows - 1; t >= 0; --t) {
        if (tide_arima_ends(d, t, first_end))
            for (int i = 0; i < r; ++i)
                TIDE_EACH_LANE(k) {
                    int end = TIDE_AT(d->n, 0, k) == (double)(t + 1);
                    TIDE_AT(M, i, k) = end ? TIDE_AT(w->m_end, i, k) : TIDE_AT(M, i, k);
                    TIDE_AT(L, i, k) = end ? TIDE_AT(w->l_end, i, k) : TIDE_AT(L, i, k);
                    TIDE_AT(mb, i, k) = end ? 0.0 : TIDE_AT(mb, i, k);
                    TIDE_AT(lb, i, k) = end ? 0.0 : TIDE_AT(lb, i, k);
                    fb[k] = end ? 0.0 : fb[k];
                }
        TIDE_EACH_LANE(k) {
            g[k] = TIDE_AT(w->g, t, k);
            l[k] = TIDE_AT(w->l0, t, k);
            kk[k] = l[k] * g[k];
            h[k] = 1.0 / tide_fma(-kk[k], kk[k], 1.0);
            kb[k] = -fb[k] * l[k];
            lb0[k] = -kk[k] * fb[k];
        }
        for (int c = 0; c < n; ++c) {
            const double *v = w->v + (size_t)c * column, *y = columns + (size_t)c * column;
            TIDE_EACH_LANE(k) {
                double inside = TIDE_AT(v, t, k);
                vg[c][k] = inside * g[k];
                vgb[c][k] = 0.0;
                xb[c][k] = 0.0;
                x0[c][k] = tide_is_nan(TIDE_AT(d->w, t, k)) ? 0.0 : TIDE_AT(y, t, k) - inside;
            }
        }
        for (int i = r - 1; i >= 0; --i) {
            const double *z0 = w->z + (size_t)(t + 1 + i) * TIDE_STRIDE;
            TIDE_EACH_LANE(k) {
                double m1 = TIDE_AT(M, i, k), l1 = TIDE_AT(L, i, k), mb1 = TIDE_AT(mb, i, k),
                       lb1 = TIDE_AT(lb, i, k);
                double m0 = tide_fma(kk[k], l1, m1) * h[k], t0 = tide_fma(kk[k], m1, l1) * h[k];
                double sum = tide_fma(-kk[k], lb1, mb1);
                for (int c = 0; c < n; ++c) {
                    double z = z0[(size_t)c * slide + (size_t)k];
                    vgb[c][k] = tide_fma(z, m0, vgb[c][k]);
                    sum = tide_fma(z, vg[c][k], sum);
                }
                kb[k] = tide_fma(-mb1, t0, tide_fma(-lb1, m0, kb[k]));
                TIDE_AT(M, i, k) = m0;
                TIDE_AT(mb, i, k) = sum;
                TIDE_AT(L, i + 1, k) = t0; /* less phi l, at taps below */
                TIDE_AT(lb, i + 1, k) = tide_fma(-kk[k], mb1, lb1);
            }
        }
        for (int j = 0; j < s->phi.n; ++j) {
            int i = s->phi.lag[j] - 1;
            const double *z0 = w->z + (size_t)(t + 1 + i) * TIDE_STRIDE;
            TIDE_EACH_LANE(k) {
                double phi = TIDE_AT(w->poly.phi, i, k), tb = TIDE_AT(lb, i + 1, k),
                       pb = TIDE_AT(w->poly.phi_bar, i, k);
                TIDE_AT(L, i + 1, k) = tide_fma(-phi, l[k], TIDE_AT(L, i + 1, k));
                lb0[k] = tide_fma(tb, phi, lb0[k]);
                pb = tide_fma(tb, l[k], pb);
                for (int c = 0; c < n; ++c) {
                    double z = z0[(size_t)c * slide + (size_t)k];
                    xb[c][k] = tide_fma(z, phi, xb[c][k]);
                    pb = tide_fma(z, x0[c][k], pb);
                }
                TIDE_AT(w->poly.phi_bar, i, k) = pb;
            }
        }
        TIDE_EACH_LANE(k) {
            double gb = kb[k] * l[k];
            for (int c = 0; c < n; ++c) {
                double v = TIDE_AT(w->v + (size_t)c * column, t, k), o = omega[k];
                gb = tide_fma(vgb[c][k], v, gb);
                gb = tide_fma(o * v, v, gb);
                double vb = tide_fma(vgb[c][k], g[k], 2.0 * o * vg[c][k]);
                w->z[(size_t)c * slide + (size_t)t * TIDE_STRIDE + (size_t)k] = xb[c][k] - vb;
            }
            double term = tide_is_nan(TIDE_AT(d->w, t, k)) ? 0.0 : log_term * g[k];
            fb[k] = tide_fma(-gb * g[k], g[k], fb[k] + term);
            TIDE_AT(L, 0, k) = l[k];
            TIDE_AT(lb, 0, k) = tide_fma(kb[k], g[k], lb0[k]);
        }
    }
    for (int i = 0; i < r; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(w->m_bar_sum, i, k) += TIDE_AT(mb, i, k) + TIDE_AT(lb, i, k);
    TIDE_EACH_LANE(k) TIDE_AT(w->f_bar, 0, k) += fb[k];
}

TIDE_CALLED void tide_arima_back_one(const tide_arima_shape *s, const tide_arima_work *w,
                                     const tide_arima_data *d, const double *columns, const double *omega) {
    tide_arima_back(s, w, d, 1, columns, omega, 1.0);
}

TIDE_CALLED void tide_arima_back_group(const tide_arima_shape *s, const tide_arima_work *w,
                                       const tide_arima_data *d, const double *omega) {
    tide_arima_back(s, w, d, TIDE_ARIMA_GROUP, w->mix, omega, 0.0);
}

/* value [1] and gradient [k] (NULL: value only) of the lanes at u. Infinite where infeasible or not finite, with gradient
 * 0. Leaves coef, sum, nu, log_f, log_det, beta and x_end in w. */
TIDE_CALLED void tide_arima_eval(const tide_arima_shape *s, const tide_arima_work *w,
                                 const tide_arima_data *d, const double *u, double *value, double *gradient) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const int n_col = tide_arima_columns(d);
    double sum[TIDE_LANES], omega[TIDE_LANES];
    tide_arima_setup(s, &w->poly, u);
    tide_arima_pass(s, w, d, n_col, NULL);
    tide_arima_solve(s, w, d, n_col);
    if (n_col > 1) {
        tide_arima_mix_rest(s, w, d, n_col);
        tide_arima_pass(s, w, d, 1, w->mix);
    }
    TIDE_EACH_LANE(k) sum[k] = 0.0;
    for (int t = 0; t < d->rows; ++t)
        TIDE_EACH_LANE(k)
        sum[k] = tide_fma(TIDE_AT(w->v, t, k) * TIDE_AT(w->g, t, k), TIDE_AT(w->v, t, k), sum[k]);
    TIDE_EACH_LANE(k) {
        double nu = TIDE_AT(w->nu, 0, k), least = tide_max(TIDE_ARIMA_LEAST_S, sum[k]);
        double q = tide_fma(nu, tide_log(least / nu), TIDE_AT(w->log_f, 0, k) + TIDE_AT(w->log_det, 0, k));
        int ok = (TIDE_AT(w->poly.feasible, 0, k) != 0.0) & (nu > 0.0) & (sum[k] >= 0.0) & tide_is_finite(q);
        TIDE_AT(w->sum, 0, k) = sum[k];
        omega[k] = ok ? nu / least : 0.0;
        TIDE_AT(w->objective, 0, k) = ok ? q : TIDE_INF;
    }
    if (gradient) {
        tide_arima_fill(w->m_bar_sum, s->r, 0.0, tide_stride);
        tide_arima_fill(w->f_bar, 1, 0.0, tide_stride);
        tide_arima_fill(w->poly.phi_bar, s->r, 0.0, tide_stride);
        tide_arima_back_one(s, w, d, n_col > 1 ? w->mix : d->w, omega);
        TIDE_EACH_LANE(k) omega[k] = 1.0;
        for (int first = 0; first < d->n_missing; first += TIDE_ARIMA_GROUP) {
            tide_arima_mix_missing(s, w, d, first);
            tide_arima_pass(s, w, d, TIDE_ARIMA_GROUP, w->mix);
            tide_arima_back_group(s, w, d, omega);
        }
        for (int i = 0; i < s->r; ++i)
            TIDE_EACH_LANE(k) TIDE_AT(w->poly.m_bar, i, k) = TIDE_AT(w->m_bar_sum, i, k);
        TIDE_EACH_LANE(k) TIDE_AT(w->poly.f_bar, 0, k) = TIDE_AT(w->f_bar, 0, k);
        tide_arima_setup_back(s, &w->poly, u, gradient);
        for (int i = 0; i < s->k; ++i)
            TIDE_EACH_LANE(k)
        TIDE_AT(w->objective, 0, k) =
            tide_is_finite(TIDE_AT(gradient, i, k)) ? TIDE_AT(w->objective, 0, k) : TIDE_INF;
        for (int i = 0; i < s->k; ++i)
            TIDE_EACH_LANE(k)
        TIDE_AT(gradient, i, k) = TIDE_AT(w->objective, 0, k) < TIDE_INF ? TIDE_AT(gradient, i, k) : 0.0;
    }
    TIDE_EACH_LANE(k) TIDE_AT(value, 0, k) = TIDE_AT(w->objective, 0, k);
}

#endif
