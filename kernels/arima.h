/* arima.h - the seasonal ARIMA model: its orders, and what a member of family ARIMA stores.
 *
 * Box, Jenkins, Reinsel, Ljung, "Time Series Analysis" (2015), section 9.1, with the signs of R's arima():
 *
 *     z_t   = y_t, or its Box-Cox transform (boxcox.h) of y_t/scale
 *     z_t   = constant*g_t + sum_j beta_j x_jt + n_t
 *     w_t   = (1 - B)^d (1 - B^m)^D n_t
 *     w_t   = sum_{i<=p+mP} phi_i w_{t-i} + a_t + sum_{j<=q+mQ} theta_j a_{t-j},   a_t ~ N(0, sigma2)
 *
 * phi and theta are the products of the ordinary and the seasonal polynomial: 1 - phi_1 B - ... =
 * (1 - ar_1 B - ...)(1 - sar_1 B^m - ...), 1 + theta_1 B + ... = (1 + ma_1 B + ...)(1 + sma_1 B^m + ...).
 * `constant` is a mean (g_t = 1) where d + D = 0 and a drift (g_t = t) where d + D = 1; there is none beyond. Time
 * runs from t = 1, the first step of the stretch that the model was fitted on, to t = steps, the last one.
 * Regressors x_j: `fourier` pairs sin(2 pi k t/period), cos(2 pi k t/period), k = 1, 2, ..., then `xreg` columns
 * that are shared by all series (regressors.h).
 *
 * The form of a member (tide_results.form) is its order, packed into 32 bits, so that the number of coefficients and
 * of states follows from the form and the season alone:
 *
 *     bits  0-3 p   4-7 q   8-9 P   10-11 Q   12-13 d   14-15 D   16 constant   17 boxcox   18-22 fourier   23-30 xreg
 *
 * Rows of coef:  ar[p]  ma[q]  sar[P]  sma[Q]  constant (if any)  beta[2*fourier + xreg]  lambda (if boxcox)  steps
 * Rows of state: x[r], then lag[d + m*D];   r = max(p + mP, q + mQ + 1)
 *
 *     x    the state of w at the end in Harvey's form: the forecasts of w are x_0, then x_i <- x_{i+1} + phi_{i+1} x_0
 *     lag  n_steps, n_{steps-1}, ...: what the differences are taken of, newest first; a missing value is its estimate
 *
 * Units: those of z (unit of y without Box-Cox; of the transform of y/scale with it). sigma2 and the constant too.
 * `steps` also fixes the variances of forecasts exactly: the covariances of the end follow from the coefficients and
 * the steps, since they do not depend on the data (arima_forecast.h). Exception, stated there: missing values.
 *
 * n_params counts as R's Arima(): coefficients (constant and regressors included) and the variance; lambda is not
 * counted. loglik is exact, of the differenced series, with the Jacobian of Box-Cox, so that it compares between values
 * of lambda; n of the criterion is the number of differenced values present. */
#ifndef TIDE_ARIMA_H
#define TIDE_ARIMA_H

#include "kernels/batch.h"
#include "kernels/tide_fn.h"

typedef struct tide_arima_order {
    int p, d, q, P, D, Q;
    int constant; /* 0 or 1; only where d + D <= 1 */
    int boxcox;   /* 0 or 1 */
    int fourier;  /* pairs of Fourier terms */
    int xreg;     /* shared regressors */
} tide_arima_order;

TIDE_FN uint32_t tide_arima_form(tide_arima_order o) {
    return (uint32_t)o.p | (uint32_t)o.q << 4 | (uint32_t)o.P << 8 | (uint32_t)o.Q << 10 | (uint32_t)o.d << 12 |
           (uint32_t)o.D << 14 | (uint32_t)o.constant << 16 | (uint32_t)o.boxcox << 17 | (uint32_t)o.fourier << 18 |
           (uint32_t)o.xreg << 23;
}

TIDE_FN tide_arima_order tide_arima_order_of(uint32_t form) {
    tide_arima_order o;
    o.p = (int)(form & 15u);
    o.q = (int)(form >> 4 & 15u);
    o.P = (int)(form >> 8 & 3u);
    o.Q = (int)(form >> 10 & 3u);
    o.d = (int)(form >> 12 & 3u);
    o.D = (int)(form >> 14 & 3u);
    o.constant = (int)(form >> 16 & 1u);
    o.boxcox = (int)(form >> 17 & 1u);
    o.fourier = (int)(form >> 18 & 31u);
    o.xreg = (int)(form >> 23 & 255u);
    return o;
}

/* Is it an order that a member may have? (A damaged store must not make a reader overrun.) */
TIDE_FN int tide_arima_valid(tide_arima_order o) {
    return (o.p <= TIDE_ARIMA_ORDER_MAX) & (o.q <= TIDE_ARIMA_ORDER_MAX) & (o.P <= TIDE_ARIMA_SEASONAL_MAX) &
           (o.Q <= TIDE_ARIMA_SEASONAL_MAX) & (o.d <= 2) & (o.D <= 1) & (!o.constant | (o.d + o.D <= 1)) &
           (o.fourier <= TIDE_ARIMA_FOURIER_MAX) & (o.xreg <= TIDE_XREG_MAX);
}

/* Lags of the expanded polynomials, dimension of the state, lags of the differences; m = season. */
TIDE_FN int tide_arima_ar_lags(tide_arima_order o, int m) {
    return o.p + m * o.P;
}
TIDE_FN int tide_arima_ma_lags(tide_arima_order o, int m) {
    return o.q + m * o.Q;
}
TIDE_FN int tide_arima_r(tide_arima_order o, int m) {
    int ar = tide_arima_ar_lags(o, m), ma = tide_arima_ma_lags(o, m) + 1;
    return ar > ma ? ar : ma;
}
TIDE_FN int tide_arima_diff_lags(tide_arima_order o, int m) {
    return o.d + m * o.D;
}

/* First rows of the parts of coef. */
TIDE_FN int tide_arima_constant_at(tide_arima_order o) {
    return o.p + o.q + o.P + o.Q;
}
TIDE_FN int tide_arima_beta_at(tide_arima_order o) {
    return tide_arima_constant_at(o) + o.constant;
}
TIDE_FN int tide_arima_lambda_at(tide_arima_order o) {
    return tide_arima_beta_at(o) + 2 * o.fourier + o.xreg;
}
TIDE_FN int tide_arima_steps_at(tide_arima_order o) {
    return tide_arima_lambda_at(o) + o.boxcox;
}
TIDE_FN int tide_arima_n_coef(tide_arima_order o) {
    return tide_arima_steps_at(o) + 1;
}
TIDE_FN int tide_arima_n_state(tide_arima_order o, int m) {
    return tide_arima_r(o, m) + tide_arima_diff_lags(o, m);
}

/* Longest expanded lag and rows that hold every order of a spec (season m). Seasonal terms and seasonal differences exist
 * for m <= TIDE_ARIMA_SEASON_MAX only; longer periods are a matter of Fourier terms. */
TIDE_FN int tide_arima_seasonal(int m) {
    return m > 1 && m <= TIDE_ARIMA_SEASON_MAX;
}
/* Is it an order that a member can have at season m? */
TIDE_FN int tide_arima_valid_at(tide_arima_order o, int m) {
    return tide_arima_valid(o) & (tide_arima_seasonal(m) | ((o.P == 0) & (o.Q == 0) & (o.D == 0))) &
           (2 * o.fourier <= m);
}
TIDE_FN tide_arima_order tide_arima_largest(const tide_arima_spec *s, int m) {
    tide_arima_order o;
    int seasonal = tide_arima_seasonal(m);
    o.p = s->fixed ? s->p : s->max_p;
    o.q = s->fixed ? s->q : s->max_q;
    o.P = !seasonal ? 0 : s->fixed ? s->P : s->max_P;
    o.Q = !seasonal ? 0 : s->fixed ? s->Q : s->max_Q;
    o.d = s->d > s->max_d ? s->d : s->max_d;
    o.D = !seasonal ? 0 : s->D > s->max_D ? s->D : s->max_D;
    o.constant = 1;
    o.boxcox = s->boxcox != TIDE_BOXCOX_NONE;
    o.fourier = s->max_fourier;
    o.xreg = s->xreg;
    return o;
}

#endif
