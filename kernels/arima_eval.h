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

#include "kernels/arima_lattice.h"

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
    for (int lane = 0; lane < TIDE_LANES; lane += TIDE_VEC)
        for (int t = 0; t < d->rows; ++t) {
            tide_vec acc = tide_vec_get(&TIDE_AT(d->w, t, lane));
            for (int c = 1; c < n_col; ++c)
                acc = tide_vec_fma(-tide_vec_get(&TIDE_AT(w->beta, c, lane)), tide_arima_column(d, c, t, lane),
                                   acc);
            tide_vec_put(&TIDE_AT(w->mix, t, lane), acc);
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

/* value [1] and gradient [k] (NULL: value only) of the lanes at u. Infinite where infeasible or not finite, with gradient
 * 0. Leaves coef, sum, nu, log_f, log_det, beta and x_end in w. */
TIDE_CALLED void tide_arima_eval(const tide_arima_shape *s, const tide_arima_work *w,
                                 const tide_arima_data *d, const double *u, double *value, double *gradient) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const int n_col = tide_arima_columns(d);
    double omega[TIDE_LANES];
    tide_arima_setup(s, &w->poly, u);
    tide_arima_pass(s, w, d, n_col, NULL);
    tide_arima_solve(s, w, d, n_col);
    if (n_col > 1) {
        tide_arima_mix_rest(s, w, d, n_col);
        tide_arima_pass(s, w, d, 1, w->mix);
    }
    TIDE_EACH_LANE(k) {
        double sum = TIDE_AT(w->sum, 0, k), nu = TIDE_AT(w->nu, 0, k), least = tide_max(TIDE_ARIMA_LEAST_S, sum);
        double q = tide_fma(nu, tide_log(least / nu), TIDE_AT(w->log_f, 0, k) + TIDE_AT(w->log_det, 0, k));
        int ok = (TIDE_AT(w->poly.feasible, 0, k) != 0.0) & (nu > 0.0) & (sum >= 0.0) & tide_is_finite(q);
        omega[k] = ok ? nu / least : 0.0;
        TIDE_AT(w->objective, 0, k) = ok ? q : TIDE_INF;
    }
    if (gradient) {
        tide_arima_fill(w->m_bar_sum, s->r, 0.0, tide_stride);
        tide_arima_fill(w->f_bar, 1, 0.0, tide_stride);
        tide_arima_fill(w->poly.phi_bar, s->r, 0.0, tide_stride);
        tide_arima_back_single(s, w, d, n_col > 1 ? w->mix : d->w, omega);
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
