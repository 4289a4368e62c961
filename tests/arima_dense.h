/* arima_dense.h - ARIMA by dense matrices, slow and apart from the kernels: what tests compare with.
 *
 * The differenced series w has Harvey's state a (dimension r): w_t = a_0, a' = T a + R e, T the companion matrix of phi,
 * R = (1, theta). The stationary covariance P comes by doubling, the end of the series by Kalman's filter over w with
 * missing values left out, forecast variances by carrying the covariance of (a, lags of n) through the steps. */
#ifndef TIDE_TESTS_ARIMA_DENSE_H
#define TIDE_TESTS_ARIMA_DENSE_H

#include "kernels/arima_forecast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DENSE_MOST = 180, DENSE_ROWS = 64, DENSE_STATES = 256 };

typedef struct dense_arima {
    tide_arima_order order;
    int m, r, lags;
    double coef[DENSE_ROWS], state[DENSE_STATES]; /* as a member has them */
    double phi[DENSE_MOST], theta[DENSE_MOST], delta[DENSE_MOST]; /* [i] of lag i + 1 */
    double P[DENSE_MOST][DENSE_MOST];                             /* of a at the end, over sigma2 */
    double loglik_sum, loglik_logs;                               /* of w: sum v^2/F, sum log F */
    int n_used;
} dense_arima;

/* Product of 1 + sign*(a_1 B + ...) and 1 + sign*(b_1 B^m + ...); out[i] of lag i + 1, with that sign taken off. */
static inline void dense_multiply(const double *a, int na, const double *b, int nb, int m, double sign, double *out) {
    double x[DENSE_MOST + 1] = {1.0}, y[DENSE_MOST + 1] = {1.0}, z[DENSE_MOST + 1] = {0.0};
    for (int i = 0; i < na; ++i)
        x[i + 1] = sign * a[i];
    for (int i = 0; i < nb; ++i)
        y[m * (i + 1)] = sign * b[i];
    for (int i = 0; i <= na; ++i)
        for (int j = 0; j <= m * nb; ++j)
            z[i + j] += x[i] * y[j];
    for (int i = 0; i < DENSE_MOST; ++i)
        out[i] = sign * z[i + 1];
}

static inline void dense_product(int n, double (*a)[DENSE_MOST], double (*b)[DENSE_MOST], int b_turned,
                                 double (*out)[DENSE_MOST]) {
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) {
            double s = 0.0;
            for (int k = 0; k < n; ++k)
                s += a[i][k] * (b_turned ? b[j][k] : b[k][j]);
            out[i][j] = s;
        }
}

/* Expands the polynomials and sets the stationary covariance; coef must be filled. */
static inline void dense_begin(dense_arima *d, tide_arima_order o, int m) {
    static double A[DENSE_MOST][DENSE_MOST], B[DENSE_MOST][DENSE_MOST], C[DENSE_MOST][DENSE_MOST];
    const double ones[2] = {1.0, 1.0};
    double once[DENSE_MOST];
    d->order = o;
    d->m = m;
    d->r = tide_arima_r(o, m);
    d->lags = tide_arima_diff_lags(o, m);
    dense_multiply(d->coef, o.p, d->coef + o.p + o.q, o.P, m, -1.0, d->phi);
    dense_multiply(d->coef + o.p, o.q, d->coef + o.p + o.q + o.P, o.Q, m, 1.0, d->theta);
    memset(d->delta, 0, sizeof d->delta);
    for (int i = 0; i < o.d + o.D; ++i) { /* one difference after the other */
        memcpy(once, d->delta, sizeof once);
        dense_multiply(once, DENSE_MOST / 2, ones, 1, i < o.d ? 1 : m, -1.0, d->delta);
    }
    int n = d->r;
    memset(A, 0, sizeof A);
    for (int i = 0; i < n; ++i) {
        A[i][0] += d->phi[i];
        if (i + 1 < n)
            A[i][i + 1] += 1.0;
        for (int j = 0; j < n; ++j)
            d->P[i][j] = (i ? d->theta[i - 1] : 1.0) * (j ? d->theta[j - 1] : 1.0);
    }
    for (int pass = 0; pass < 60; ++pass) { /* P <- P + A P A', A <- A A */
        dense_product(n, A, d->P, 0, B);
        dense_product(n, B, A, 1, C);
        double most = 0.0;
        for (int i = 0; i < n; ++i)
            for (int j = 0; j < n; ++j) {
                d->P[i][j] += C[i][j];
                most = fmax(most, fabs(C[i][j]) / d->P[0][0]);
            }
        if (most < 1e-18)
            break;
        dense_product(n, A, A, 0, B);
        memcpy(A, B, sizeof A);
    }
}

/* a <- T a, P <- T P T' + R R'. */
static inline void dense_predict(dense_arima *d, double *a) {
    static double Q[DENSE_MOST][DENSE_MOST];
    int n = d->r;
    double first = a[0];
    for (int i = 0; i < n; ++i)
        a[i] = d->phi[i] * first + (i + 1 < n ? a[i + 1] : 0.0);
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j)
            Q[i][j] = d->phi[i] * d->P[0][j] + (i + 1 < n ? d->P[i + 1][j] : 0.0);
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j)
            d->P[i][j] = d->phi[j] * Q[i][0] + (j + 1 < n ? Q[i][j + 1] : 0.0) +
                         (i ? d->theta[i - 1] : 1.0) * (j ? d->theta[j - 1] : 1.0);
}

/* Filters n values of z, TIDE_NAN = missing (only where there are no differences); state and P become those of the end.
 * Writes steps into coef too. */
static inline void dense_filter(dense_arima *d, const double *z, int n) {
    const tide_arima_order o = d->order;
    double *noise = malloc((size_t)n * sizeof *noise), a[DENSE_MOST] = {0.0}, k[DENSE_MOST];
    d->coef[tide_arima_steps_at(o)] = n;
    for (int t = 0; t < n; ++t) {
        noise[t] = z[t];
        if (o.constant)
            noise[t] -= d->coef[tide_arima_constant_at(o)] * (o.d + o.D ? t + 1.0 : 1.0);
        for (int j = 0; j < 2 * o.fourier; ++j) {
            double turn = 2.0 * acos(-1.0) * (j / 2 + 1) * (t + 1) / d->m;
            noise[t] -= d->coef[tide_arima_beta_at(o) + j] * (j % 2 ? cos(turn) : sin(turn));
        }
    }
    d->loglik_sum = d->loglik_logs = 0.0;
    d->n_used = 0;
    for (int t = d->lags; t < n; ++t) {
        double w = noise[t];
        for (int i = 0; i < d->lags; ++i)
            w -= d->delta[i] * noise[t - 1 - i];
        if (!isnan(w)) {
            double v = w - a[0], F = d->P[0][0];
            for (int i = 0; i < d->r; ++i)
                k[i] = d->P[i][0] / F;
            for (int i = 0; i < d->r; ++i)
                a[i] += k[i] * v;
            for (int i = 0; i < d->r; ++i)
                for (int j = 0; j < d->r; ++j)
                    d->P[i][j] -= k[i] * k[j] * F;
            d->loglik_sum += v * v / F;
            d->loglik_logs += log(F);
            ++d->n_used;
        }
        dense_predict(d, a);
    }
    for (int i = 0; i < d->r; ++i)
        d->state[i] = a[i];
    for (int i = 0; i < d->lags; ++i)
        d->state[d->r + i] = noise[n - 1 - i];
    free(noise);
}

/* Standard deviations of z at steps 1..horizon over sqrt(sigma2), from P as the filter has left it. */
static inline void dense_spreads(const dense_arima *d, int horizon, double *sd) {
    static double V[DENSE_MOST][DENSE_MOST], T[DENSE_MOST][DENSE_MOST], U[DENSE_MOST][DENSE_MOST];
    int r = d->r, n = r + d->lags;
    memset(V, 0, sizeof V);
    memset(T, 0, sizeof T);
    for (int i = 0; i < r; ++i) {
        memcpy(V[i], d->P[i], (size_t)r * sizeof(double));
        T[i][0] += d->phi[i];
        if (i + 1 < r)
            T[i][i + 1] += 1.0;
    }
    if (d->lags) { /* the newest lag becomes n_t = a_0 + sum delta lag, the others move on */
        T[r][0] = 1.0;
        for (int i = 0; i < d->lags; ++i)
            T[r][r + i] = d->delta[i];
        for (int i = 1; i < d->lags; ++i)
            T[r + i][r + i - 1] = 1.0;
    }
    for (int h = 0; h < horizon; ++h) {
        double look[DENSE_MOST] = {1.0}, v = 0.0;
        for (int i = 0; i < d->lags; ++i)
            look[r + i] = d->delta[i];
        for (int i = 0; i < n; ++i)
            for (int j = 0; j < n; ++j)
                v += look[i] * look[j] * V[i][j];
        sd[h] = sqrt(v);
        dense_product(n, T, V, 0, U);
        dense_product(n, U, T, 1, V);
        for (int i = 0; i < r; ++i)
            for (int j = 0; j < r; ++j)
                V[i][j] += (i ? d->theta[i - 1] : 1.0) * (j ? d->theta[j - 1] : 1.0);
    }
}

static inline tide_member_view dense_view(const dense_arima *d, double sigma2) {
    tide_member_view v = {.family = TIDE_FAMILY_ARIMA, .form = tide_arima_form(d->order), .n_obs = 0, .weight = 1.0, .sigma2 = sigma2,
                          .scale = 1.0, .coef = d->coef, .state = d->state, .stride = 1};
    return v;
}

#endif
