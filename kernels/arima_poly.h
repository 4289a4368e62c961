/* arima_poly.h - from bounded coordinates to the coefficients of a seasonal ARMA, to its first moments, and back.
 *
 * Coordinates u, k = p + q + P + Q of them in the order of coef (arima.h), each in [-1, 1]: of each of the four polynomials
 * they give the partial autocorrelations, and these its coefficients by the Durbin-Levinson recursion (Barndorff-Nielsen and
 * Schou, "On the parametrization of autoregressive models by partial autocorrelations", J. Multivariate Analysis 3, 1973):
 *
 *     k_h = u_h (3 - u_h^2)/2
 *     c_h = k_h,   c_j <- c_j -+ k_h c_{h-j}   (- for AR, + for MA), h = 1, 2, ...
 *
 * The cubic stretches the neighbourhood of the unit circle, where the information on k grows like 1/(1 - k^2), so that the
 * Hessian changes little over the box.
 *
 * With a radius R > 1 every root lies at modulus R or beyond: c_i is multiplied by R^-i (seasonal R^-mi), so that the
 * best model whose roots keep away from the unit circle is found by the search itself instead of being rejected.
 *
 * Moments, with innovations of variance 1; a = p + mP and b = q + mQ lags of the products phi and theta:
 *
 *     gamma_u    autocovariances of 1/phi(B): partial autocorrelations of phi by step-down, then upwards again
 *     gamma_w    those of theta(B)/phi(B): gamma_u filtered by the autocorrelations of both MA polynomials
 *     psi        psi_j = theta_j + sum phi_i psi_{j-i}
 *     M_j        cov(next state j, w) = sum_{i>=j} phi_{i+1} gamma_w(i-j) + sum_{i>j} theta_i psi_{i-j-1},  F = gamma_w(0)
 *
 * A point is infeasible where gamma_u(0) > 1e7: beyond, doubles lose so much in the step-down that likelihoods are wrong
 * and false maxima appear.
 *
 * Backwards: the adjoint of each line, by hand. Of gamma_u it needs no triangle of lower orders: gamma solves the
 * Yule-Walker equations W gamma = e_0, so the adjoint needs W'lambda = c, that is the symmetric polynomial equation
 * A(z) lambda(1/z) + A(1/z) lambda(z) = C(z), A = 1 - phi_1 z - ...; and with A_h(z) = A_{h-1}(z) - k_h z^h A_{h-1}(1/z),
 *
 *     A_h lambda~ + A_h~ lambda  =  (1 - k_h^2)(A_{h-1} mu~ + A_{h-1}~ mu)   for lambda = mu + k_h z^h mu~
 *
 * so that one step-down solves it: C's coefficient of z^h is taken off by the term z^h, what remains has degree h - 1.
 *
 * All is written for lanes, with loops over lags outside (tide_fn.h); the order is the same for all lanes. */
#ifndef TIDE_ARIMA_POLY_H
#define TIDE_ARIMA_POLY_H

#include "kernels/arima.h"
#include "kernels/boxqn.h"

#define TIDE_ARIMA_AR_MOST 0.9974 /* of a coordinate of an AR polynomial: k = 1 - 1e-5; MA: 1 */
#define TIDE_ARIMA_GAMMA_MOST 1e7

enum {
    TIDE_ARIMA_TAPS = (TIDE_ARIMA_ORDER_MAX + 1) * (TIDE_ARIMA_SEASONAL_MAX + 1),
    TIDE_ARIMA_K_MAX = 2 * (TIDE_ARIMA_ORDER_MAX + TIDE_ARIMA_SEASONAL_MAX)
};

/* Lags with a coefficient, ascending, each once. */
typedef struct tide_arima_taps {
    int n;
    int lag[TIDE_ARIMA_TAPS];
} tide_arima_taps;

/* An order at a season. */
typedef struct tide_arima_shape {
    int p, q, P, Q, m;
    int a, b; /* lags of phi and of theta */
    int r, k; /* states; coordinates */
    int lags; /* of gamma_w: 0 .. lags - 1 */
    int far;  /* of gamma_u: 0 .. far - 1 */
    double radius;
    size_t stride;
    tide_arima_taps phi, theta;
} tide_arima_shape;

TIDE_FN void tide_arima_taps_of(tide_arima_taps *t, int low, int high, int m) {
    t->n = 0;
    for (int s = 0; s <= high; ++s)
        for (int i = 0; i <= low; ++i) {
            int lag = s * m + i, at = t->n;
            while (at > 0 && t->lag[at - 1] > lag)
                --at;
            if (lag == 0 || (at > 0 && t->lag[at - 1] == lag))
                continue;
            for (int j = t->n; j > at; --j)
                t->lag[j] = t->lag[j - 1];
            t->lag[at] = lag;
            ++t->n;
        }
}

TIDE_FN tide_arima_shape tide_arima_shape_of(tide_arima_order o, int m, double radius, size_t stride) {
    tide_arima_shape s;
    s.p = o.p;
    s.q = o.q;
    s.P = o.P;
    s.Q = o.Q;
    s.m = m;
    s.a = tide_arima_ar_lags(o, m);
    s.b = tide_arima_ma_lags(o, m);
    s.r = tide_arima_r(o, m);
    s.k = o.p + o.q + o.P + o.Q;
    s.lags = s.a > 1 ? s.a : 1;
    s.far = s.lags + s.b > s.a + 1 ? s.lags + s.b : s.a + 1;
    s.radius = radius;
    s.stride = stride;
    tide_arima_taps_of(&s.phi, o.p, o.P, m);
    tide_arima_taps_of(&s.theta, o.q, o.Q, m);
    return s;
}

/* Memory of the maps, (elements, lanes). What ends in _bar is the derivative of the objective by it. */
typedef struct tide_arima_poly {
    double *k, *coef, *coef_bar; /* [k] partial autocorrelations; coefficients */
    double *phi, *phi_bar;       /* [r] element i: lag i + 1 */
    double *theta, *theta_bar;   /* [b+1] element i: lag i */
    double *psi, *psi_bar;       /* [b+1] */
    double *pacf, *lower;        /* [a+1] of phi; scratch of the recursions */
    double *gamma, *gamma_bar;   /* [far] of u */
    double *half, *half_bar;     /* [lags+q] gamma_u filtered by the seasonal MA */
    double *gw, *gw_bar;         /* [lags] of w */
    double *c, *c_bar;           /* [q+1 + Q+1] autocorrelations of the two MA polynomials */
    double *tau;                 /* [a+1] */
    double *triangle;            /* [15] */
    double *m, *m_bar;           /* [r] */
    double *f, *f_bar;           /* [1] */
    double *feasible;            /* [1] 1 or 0 */
} tide_arima_poly;

enum { TIDE_ARIMA_TRIANGLE = TIDE_ARIMA_ORDER_MAX * (TIDE_ARIMA_ORDER_MAX + 1) / 2 };

/* Doubles a lane for an order with a and b lags. */
TIDE_FN size_t tide_arima_poly_size(const tide_arima_shape *s) {
    size_t a = (size_t)s->a, b = (size_t)s->b, q = (size_t)s->q, r = (size_t)s->r, lags = (size_t)s->lags;
    return (size_t)s->k +
           2 * ((size_t)s->k + 2 * r + 2 * (b + 1) + (size_t)s->far + (lags + q) + lags +
                (q + (size_t)s->Q + 2)) +
           3 * (a + 1) + TIDE_ARIMA_TRIANGLE + 3;
}

TIDE_FN double *tide_arima_poly_place(tide_arima_poly *w, const tide_arima_shape *s, double *at) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    size_t a = (size_t)s->a, b = (size_t)s->b, q = (size_t)s->q, r = (size_t)s->r, lags = (size_t)s->lags,
           k = (size_t)s->k, c = q + (size_t)s->Q + 2;
#define TIDE_PLACE_ARIMA_(field, count) (w->field = at, at += (count)*TIDE_STRIDE)
    TIDE_PLACE_ARIMA_(k, k);
    TIDE_PLACE_ARIMA_(coef, k);
    TIDE_PLACE_ARIMA_(coef_bar, k);
    TIDE_PLACE_ARIMA_(phi, r);
    TIDE_PLACE_ARIMA_(phi_bar, r);
    TIDE_PLACE_ARIMA_(theta, b + 1);
    TIDE_PLACE_ARIMA_(theta_bar, b + 1);
    TIDE_PLACE_ARIMA_(psi, b + 1);
    TIDE_PLACE_ARIMA_(psi_bar, b + 1);
    TIDE_PLACE_ARIMA_(pacf, a + 1);
    TIDE_PLACE_ARIMA_(lower, a + 1);
    TIDE_PLACE_ARIMA_(gamma, (size_t)s->far);
    TIDE_PLACE_ARIMA_(gamma_bar, (size_t)s->far);
    TIDE_PLACE_ARIMA_(half, lags + q);
    TIDE_PLACE_ARIMA_(half_bar, lags + q);
    TIDE_PLACE_ARIMA_(gw, lags);
    TIDE_PLACE_ARIMA_(gw_bar, lags);
    TIDE_PLACE_ARIMA_(c, c);
    TIDE_PLACE_ARIMA_(c_bar, c);
    TIDE_PLACE_ARIMA_(tau, a + 1);
    TIDE_PLACE_ARIMA_(triangle, (size_t)TIDE_ARIMA_TRIANGLE);
    TIDE_PLACE_ARIMA_(m, r);
    TIDE_PLACE_ARIMA_(m_bar, r);
    TIDE_PLACE_ARIMA_(f, 1);
    TIDE_PLACE_ARIMA_(f_bar, 1);
    TIDE_PLACE_ARIMA_(feasible, 1);
#undef TIDE_PLACE_ARIMA_
    return at;
}

TIDE_FN void tide_arima_fill(double *x, int n, double value, size_t tide_stride) {
    (void)tide_stride;
    for (int i = 0; i < n; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(x, i, k) = value;
}

/* y[j] += a*x[i], both by the lane. */
TIDE_FN void tide_arima_add(double *y, int j, const double *a, int ia, const double *x, int i,
                            size_t tide_stride) {
    (void)tide_stride;
    TIDE_EACH_LANE(k) TIDE_AT(y, j, k) = tide_fma(TIDE_AT(a, ia, k), TIDE_AT(x, i, k), TIDE_AT(y, j, k));
}

/* One polynomial: n coefficients at c from coordinates u; sign 1 for AR, -1 for MA; scale = radius^-lag. */
TIDE_FN void tide_arima_step_up(double *c, const double *u, int n, double sign, double scale,
                                size_t tide_stride) {
    (void)tide_stride;
    for (int h = 1; h <= n; ++h) {
        TIDE_EACH_LANE(k) TIDE_AT(c, h - 1, k) = TIDE_AT(u, h - 1, k);
        for (int i = 0; i < h / 2; ++i)
            TIDE_EACH_LANE(k) {
                double f = -sign * TIDE_AT(u, h - 1, k), x = TIDE_AT(c, i, k), y = TIDE_AT(c, h - 2 - i, k);
                TIDE_AT(c, i, k) = tide_fma(f, y, x);
                TIDE_AT(c, h - 2 - i, k) = tide_fma(f, x, y);
            }
    }
    double by = scale;
    for (int i = 0; i < n; ++i, by *= scale)
        TIDE_EACH_LANE(k) TIDE_AT(c, i, k) *= by;
}

/* Its adjoint: u_bar from c_bar, which is used up. */
TIDE_FN void tide_arima_step_up_back(double *c_bar, const double *u, double *u_bar, int n, double sign,
                                     double scale, double *triangle, size_t tide_stride) {
    (void)tide_stride;
    double by = scale;
    for (int i = 0; i < n; ++i, by *= scale)
        TIDE_EACH_LANE(k) TIDE_AT(c_bar, i, k) *= by;
    for (int h = 1; h <= n; ++h) { /* the polynomials of order 1 .. n */
        double *now = triangle + (size_t)(h * (h - 1) / 2) * TIDE_STRIDE;
        const double *before = triangle + (size_t)((h - 1) * (h - 2) / 2) * TIDE_STRIDE;
        for (int i = 0; i < h - 1; ++i)
            TIDE_EACH_LANE(k)
        TIDE_AT(now, i, k) =
            tide_fma(-sign * TIDE_AT(u, h - 1, k), TIDE_AT(before, h - 2 - i, k), TIDE_AT(before, i, k));
        TIDE_EACH_LANE(k) TIDE_AT(now, h - 1, k) = TIDE_AT(u, h - 1, k);
    }
    for (int h = n; h >= 1; --h) {
        const double *before = triangle + (size_t)((h - 1) * (h - 2) / 2) * TIDE_STRIDE;
        double acc[TIDE_LANES];
        TIDE_EACH_LANE(k) acc[k] = TIDE_AT(c_bar, h - 1, k);
        for (int i = 0; i < h - 1; ++i)
            TIDE_EACH_LANE(k)
            acc[k] = tide_fma(-sign * TIDE_AT(c_bar, i, k), TIDE_AT(before, h - 2 - i, k), acc[k]);
        for (int i = 0; i < h / 2; ++i) {
            int j = h - 2 - i;
            TIDE_EACH_LANE(k) {
                double f = -sign * TIDE_AT(u, h - 1, k), x = TIDE_AT(c_bar, i, k), y = TIDE_AT(c_bar, j, k);
                TIDE_AT(c_bar, i, k) = tide_fma(f, y, x);
                TIDE_AT(c_bar, j, k) = tide_fma(f, x, y);
            }
        }
        TIDE_EACH_LANE(k) TIDE_AT(u_bar, h - 1, k) = acc[k];
    }
}

/* The partial autocorrelation of a coordinate, and its derivative. */
TIDE_FN double tide_arima_partial(double u) {
    return u * tide_fma(-0.5 * u, u, 1.5);
}
TIDE_FN double tide_arima_partial_slope(double u) {
    return 1.5 * tide_fma(-u, u, 1.0);
}

/* radius^-n by repeated multiplication. */
TIDE_FN double tide_arima_shrink(double radius, int n) {
    double f = 1.0, by = 1.0 / radius;
    for (int i = 0; i < n; ++i)
        f *= by;
    return f;
}

/* coef from u, by way of the partial autocorrelations `partial`. */
TIDE_FN void tide_arima_coef_of(const tide_arima_shape *s, const double *x, double *partial, double *coef) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const double *u = partial;
    for (int i = 0; i < s->k; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(partial, i, k) = tide_arima_partial(TIDE_AT(x, i, k));
    const double one = 1.0 / s->radius, season = tide_arima_shrink(s->radius, s->m);
    const size_t q = (size_t)s->p * TIDE_STRIDE, P = q + (size_t)s->q * TIDE_STRIDE,
                 Q = P + (size_t)s->P * TIDE_STRIDE;
    tide_arima_step_up(coef, u, s->p, 1.0, one, tide_stride);
    tide_arima_step_up(coef + q, u + q, s->q, -1.0, one, tide_stride);
    tide_arima_step_up(coef + P, u + P, s->P, 1.0, season, tide_stride);
    tide_arima_step_up(coef + Q, u + Q, s->Q, -1.0, season, tide_stride);
}

/* The products: phi and theta from coef. */
TIDE_FN void tide_arima_expand(const tide_arima_shape *s, const tide_arima_poly *w) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const double *ar = w->coef, *ma = ar + (size_t)s->p * TIDE_STRIDE, *sar = ma + (size_t)s->q * TIDE_STRIDE,
                 *sma = sar + (size_t)s->P * TIDE_STRIDE;
    tide_arima_fill(w->phi, s->r, 0.0, tide_stride);
    tide_arima_fill(w->theta, s->b + 1, 0.0, tide_stride);
    TIDE_EACH_LANE(k) TIDE_AT(w->theta, 0, k) = 1.0;
    for (int i = 0; i < s->p; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(w->phi, i, k) += TIDE_AT(ar, i, k);
    for (int i = 0; i < s->q; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(w->theta, i + 1, k) += TIDE_AT(ma, i, k);
    for (int j = 0; j < s->P; ++j) {
        int lag = (j + 1) * s->m;
        TIDE_EACH_LANE(k) TIDE_AT(w->phi, lag - 1, k) += TIDE_AT(sar, j, k);
        for (int i = 0; i < s->p; ++i)
            TIDE_EACH_LANE(k) TIDE_AT(w->phi, lag + i, k) -= TIDE_AT(sar, j, k) * TIDE_AT(ar, i, k);
    }
    for (int j = 0; j < s->Q; ++j) {
        int lag = (j + 1) * s->m;
        TIDE_EACH_LANE(k) TIDE_AT(w->theta, lag, k) += TIDE_AT(sma, j, k);
        for (int i = 0; i < s->q; ++i)
            TIDE_EACH_LANE(k) TIDE_AT(w->theta, lag + i + 1, k) += TIDE_AT(sma, j, k) * TIDE_AT(ma, i, k);
    }
}

/* Adds to coef_bar what the products pass on. */
TIDE_FN void tide_arima_expand_back(const tide_arima_shape *s, const tide_arima_poly *w) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const size_t q = (size_t)s->p * TIDE_STRIDE, P = q + (size_t)s->q * TIDE_STRIDE,
                 Q = P + (size_t)s->P * TIDE_STRIDE;
    const double *ar = w->coef, *ma = ar + q, *sar = ar + P, *sma = ar + Q;
    double *ar_bar = w->coef_bar, *ma_bar = ar_bar + q, *sar_bar = ar_bar + P, *sma_bar = ar_bar + Q;
    for (int i = 0; i < s->p; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(ar_bar, i, k) += TIDE_AT(w->phi_bar, i, k);
    for (int i = 0; i < s->q; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(ma_bar, i, k) += TIDE_AT(w->theta_bar, i + 1, k);
    for (int j = 0; j < s->P; ++j) {
        int lag = (j + 1) * s->m;
        TIDE_EACH_LANE(k) TIDE_AT(sar_bar, j, k) += TIDE_AT(w->phi_bar, lag - 1, k);
        for (int i = 0; i < s->p; ++i)
            TIDE_EACH_LANE(k) {
                double b = TIDE_AT(w->phi_bar, lag + i, k);
                TIDE_AT(sar_bar, j, k) = tide_fma(-b, TIDE_AT(ar, i, k), TIDE_AT(sar_bar, j, k));
                TIDE_AT(ar_bar, i, k) = tide_fma(-b, TIDE_AT(sar, j, k), TIDE_AT(ar_bar, i, k));
            }
    }
    for (int j = 0; j < s->Q; ++j) {
        int lag = (j + 1) * s->m;
        TIDE_EACH_LANE(k) TIDE_AT(sma_bar, j, k) += TIDE_AT(w->theta_bar, lag, k);
        for (int i = 0; i < s->q; ++i)
            TIDE_EACH_LANE(k) {
                double b = TIDE_AT(w->theta_bar, lag + i + 1, k);
                TIDE_AT(sma_bar, j, k) = tide_fma(b, TIDE_AT(ma, i, k), TIDE_AT(sma_bar, j, k));
                TIDE_AT(ma_bar, i, k) = tide_fma(b, TIDE_AT(sma, j, k), TIDE_AT(ma_bar, i, k));
            }
    }
}

/* Takes `lower` from order h down to h - 1 with the partial autocorrelation at pacf[h]; by = 1/(1 - k^2). */
TIDE_FN void tide_arima_step_down(double *lower, const double *pacf, int h, const double *by,
                                  size_t tide_stride) {
    (void)tide_stride;
    for (int i = 0; i < h / 2; ++i) {
        int j = h - 2 - i;
        TIDE_EACH_LANE(k) {
            double f = TIDE_AT(pacf, h, k), x = TIDE_AT(lower, i, k), y = TIDE_AT(lower, j, k);
            TIDE_AT(lower, i, k) = tide_fma(f, y, x) * by[k];
            TIDE_AT(lower, j, k) = tide_fma(f, x, y) * by[k];
        }
    }
}

/* gamma_u from phi, and whether the point is feasible. */
TIDE_FN void tide_arima_gamma_u(const tide_arima_shape *s, const tide_arima_poly *w) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const int a = s->a, far = s->far;
    double ok[TIDE_LANES], by[TIDE_LANES], all[TIDE_LANES], acc[TIDE_LANES], left[TIDE_LANES];
    TIDE_EACH_LANE(k) {
        ok[k] = 1.0;
        all[k] = 1.0;
    }
    for (int i = 0; i < a; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(w->lower, i, k) = TIDE_AT(w->phi, i, k);
    for (int h = a; h >= 1; --h) {
        TIDE_EACH_LANE(k) {
            double f = TIDE_AT(w->lower, h - 1, k);
            TIDE_AT(w->pacf, h, k) = f;
            by[k] = 1.0 / tide_fma(-f, f, 1.0);
            ok[k] = tide_abs(f) < 1.0 ? ok[k] : 0.0;
            all[k] *= by[k];
        }
        tide_arima_step_down(w->lower, w->pacf, h, by, tide_stride);
    }
    TIDE_EACH_LANE(k) {
        TIDE_AT(w->feasible, 0, k) = (ok[k] != 0.0) & (all[k] <= TIDE_ARIMA_GAMMA_MOST) ? 1.0 : 0.0;
        TIDE_AT(w->gamma, 0, k) = all[k];
        left[k] = all[k];
    }
    for (int h = 1; h <= a; ++h) {
        TIDE_EACH_LANE(k) acc[k] = TIDE_AT(w->pacf, h, k) * left[k];
        for (int j = 1; j < h; ++j)
            TIDE_EACH_LANE(k)
            acc[k] = tide_fma(TIDE_AT(w->lower, j - 1, k), TIDE_AT(w->gamma, h - j, k), acc[k]);
        TIDE_EACH_LANE(k) {
            double f = TIDE_AT(w->pacf, h, k);
            TIDE_AT(w->gamma, h, k) = acc[k];
            left[k] *= tide_fma(-f, f, 1.0);
        }
        for (int i = 0; i < h / 2; ++i) {
            int j = h - 2 - i;
            TIDE_EACH_LANE(k) {
                double f = -TIDE_AT(w->pacf, h, k), x = TIDE_AT(w->lower, i, k), y = TIDE_AT(w->lower, j, k);
                TIDE_AT(w->lower, i, k) = tide_fma(f, y, x);
                TIDE_AT(w->lower, j, k) = tide_fma(f, x, y);
            }
        }
        TIDE_EACH_LANE(k) TIDE_AT(w->lower, h - 1, k) = TIDE_AT(w->pacf, h, k);
    }
    for (int h = a + 1; h < far; ++h) {
        TIDE_EACH_LANE(k) TIDE_AT(w->gamma, h, k) = 0.0;
        for (int i = 0; i < s->phi.n; ++i)
            tide_arima_add(w->gamma, h, w->phi, s->phi.lag[i] - 1, w->gamma, h - s->phi.lag[i], tide_stride);
    }
}

/* out(h) = sum_{|i| <= n} c_|i| in(|h + step i|) for h = 0 .. count - 1. */
TIDE_FN void tide_arima_filter(double *out, int count, const double *c, int n, int step, const double *in,
                               size_t tide_stride) {
    (void)tide_stride;
    for (int h = 0; h < count; ++h) {
        TIDE_EACH_LANE(k) TIDE_AT(out, h, k) = TIDE_AT(c, 0, k) * TIDE_AT(in, h, k);
        for (int i = 1; i <= n; ++i) {
            int up = h + step * i, down = h - step * i;
            tide_arima_add(out, h, c, i, in, up, tide_stride);
            tide_arima_add(out, h, c, i, in, down < 0 ? -down : down, tide_stride);
        }
    }
}

TIDE_FN void tide_arima_filter_back(const double *out_bar, int count, const double *c, double *c_bar, int n,
                                    int step, const double *in, double *in_bar, size_t tide_stride) {
    (void)tide_stride;
    for (int h = 0; h < count; ++h)
        for (int i = -n; i <= n; ++i) {
            int lag = h + step * i, at = lag < 0 ? -lag : lag, by = i < 0 ? -i : i;
            tide_arima_add(c_bar, by, out_bar, h, in, at, tide_stride);
            tide_arima_add(in_bar, at, out_bar, h, c, by, tide_stride);
        }
}

/* c_i = sum_j x_j x_{j+i}, x_0 = 1, x_j at x[j-1], i = 0 .. n. */
TIDE_FN void tide_arima_autocorrelate(double *c, const double *x, int n, size_t tide_stride) {
    (void)tide_stride;
    for (int i = 0; i <= n; ++i) {
        if (i == 0)
            TIDE_EACH_LANE(k) TIDE_AT(c, 0, k) = 1.0;
        else
            TIDE_EACH_LANE(k) TIDE_AT(c, i, k) = TIDE_AT(x, i - 1, k);
        for (int j = 1; j + i <= n; ++j)
            tide_arima_add(c, i, x, j - 1, x, j + i - 1, tide_stride);
    }
}

TIDE_FN void tide_arima_autocorrelate_back(const double *c_bar, const double *x, double *x_bar, int n,
                                           size_t tide_stride) {
    (void)tide_stride;
    for (int i = 0; i <= n; ++i) {
        if (i > 0)
            TIDE_EACH_LANE(k) TIDE_AT(x_bar, i - 1, k) += TIDE_AT(c_bar, i, k);
        for (int j = 1; j + i <= n; ++j) {
            tide_arima_add(x_bar, j - 1, c_bar, i, x, j + i - 1, tide_stride);
            tide_arima_add(x_bar, j + i - 1, c_bar, i, x, j - 1, tide_stride);
        }
    }
}

/* Everything that follows from coef: phi, theta, m, f, feasible. */
TIDE_FN void tide_arima_moments_of_coef(const tide_arima_shape *s, const tide_arima_poly *w) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    double *cs = w->c + (size_t)(s->q + 1) * TIDE_STRIDE;
    const double *ma = w->coef + (size_t)s->p * TIDE_STRIDE, *sma = ma + (size_t)(s->q + s->P) * TIDE_STRIDE;
    tide_arima_expand(s, w);
    tide_arima_gamma_u(s, w);
    tide_arima_autocorrelate(w->c, ma, s->q, tide_stride);
    tide_arima_autocorrelate(cs, sma, s->Q, tide_stride);
    tide_arima_filter(w->half, s->lags + s->q, cs, s->Q, s->m, w->gamma, tide_stride);
    tide_arima_filter(w->gw, s->lags, w->c, s->q, 1, w->half, tide_stride);
    for (int j = 0; j < s->b; ++j) {
        TIDE_EACH_LANE(k) TIDE_AT(w->psi, j, k) = TIDE_AT(w->theta, j, k);
        for (int i = 0; i < s->phi.n && s->phi.lag[i] <= j; ++i)
            tide_arima_add(w->psi, j, w->phi, s->phi.lag[i] - 1, w->psi, j - s->phi.lag[i], tide_stride);
    }
    for (int j = 0; j < s->r; ++j) {
        TIDE_EACH_LANE(k) TIDE_AT(w->m, j, k) = 0.0;
        for (int i = 0; i < s->phi.n; ++i)
            if (s->phi.lag[i] > j)
                tide_arima_add(w->m, j, w->phi, s->phi.lag[i] - 1, w->gw, s->phi.lag[i] - 1 - j, tide_stride);
        for (int i = 0; i < s->theta.n; ++i)
            if (s->theta.lag[i] > j)
                tide_arima_add(w->m, j, w->theta, s->theta.lag[i], w->psi, s->theta.lag[i] - j - 1,
                               tide_stride);
    }
    TIDE_EACH_LANE(k) TIDE_AT(w->f, 0, k) = TIDE_AT(w->gw, 0, k);
}

/* Everything from u: coef, phi, theta, m, f, feasible. */
TIDE_CALLED void tide_arima_setup(const tide_arima_shape *s, const tide_arima_poly *w, const double *u) {
    tide_arima_coef_of(s, u, w->k, w->coef);
    tide_arima_moments_of_coef(s, w);
}

/* Adds to phi_bar what gamma_u passes on; gamma_bar is used up. */
TIDE_FN void tide_arima_gamma_u_back(const tide_arima_shape *s, const tide_arima_poly *w) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const int a = s->a, far = s->far;
    double *c = w->gamma_bar, *lambda = w->gamma_bar, by[TIDE_LANES];
    for (int h = far - 1; h > a; --h)
        for (int i = 0; i < s->phi.n; ++i) {
            int lag = s->phi.lag[i];
            tide_arima_add(w->phi_bar, lag - 1, w->gamma_bar, h, w->gamma, h - lag, tide_stride);
            tide_arima_add(w->gamma_bar, h - lag, w->gamma_bar, h, w->phi, lag - 1, tide_stride);
        }
    if (a == 0)
        return;
    for (int i = 0; i < a; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(w->lower, i, k) = TIDE_AT(w->phi, i, k);
    TIDE_EACH_LANE(k) TIDE_AT(c, 0, k) *= 2.0;
    for (int h = a; h >= 1; --h) {
        for (int i = 1; i < h; ++i)
            tide_arima_add(c, h - i, c, h, w->lower, i - 1, tide_stride);
        TIDE_EACH_LANE(k) {
            double f = TIDE_AT(w->pacf, h, k), t = TIDE_AT(c, h, k);
            TIDE_AT(w->tau, h, k) = t;
            TIDE_AT(c, 0, k) = tide_fma(2.0 * t, TIDE_AT(w->lower, h - 1, k), TIDE_AT(c, 0, k));
            by[k] = 1.0 / tide_fma(-f, f, 1.0);
        }
        for (int i = 0; i < h; ++i)
            TIDE_EACH_LANE(k) TIDE_AT(c, i, k) *= by[k];
        tide_arima_step_down(w->lower, w->pacf, h, by, tide_stride);
    }
    TIDE_EACH_LANE(k) TIDE_AT(lambda, 0, k) *= 0.5;
    for (int h = 1; h <= a; ++h) {
        /* z^h mu~ at index j is mu_{h-j}: pairs (j, h - j) */
        TIDE_EACH_LANE(k)
        TIDE_AT(lambda, h, k) =
            tide_fma(TIDE_AT(w->pacf, h, k), TIDE_AT(lambda, 0, k), TIDE_AT(w->tau, h, k));
        for (int j = 1; j <= h / 2; ++j)
            TIDE_EACH_LANE(k) {
                double f = TIDE_AT(w->pacf, h, k), x = TIDE_AT(lambda, j, k), y = TIDE_AT(lambda, h - j, k);
                TIDE_AT(lambda, j, k) = tide_fma(f, y, x);
                TIDE_AT(lambda, h - j, k) = tide_fma(f, x, y);
            }
    }
    for (int i = 0; i < s->phi.n; ++i) {
        int lag = s->phi.lag[i];
        for (int h = 0; h <= a; ++h) {
            int at = h < lag ? lag - h : h - lag;
            tide_arima_add(w->phi_bar, lag - 1, lambda, h, w->gamma, at, tide_stride);
        }
    }
}

/* The derivatives by u, from m_bar, f_bar and what phi_bar has so far at its taps. */
TIDE_CALLED void tide_arima_setup_back(const tide_arima_shape *s, const tide_arima_poly *w, const double *u,
                                       double *u_bar) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const size_t q = (size_t)s->p * TIDE_STRIDE, P = q + (size_t)s->q * TIDE_STRIDE,
                 Q = P + (size_t)s->P * TIDE_STRIDE;
    double *cs = w->c + (size_t)(s->q + 1) * TIDE_STRIDE,
           *cs_bar = w->c_bar + (size_t)(s->q + 1) * TIDE_STRIDE;
    tide_arima_fill(w->coef_bar, s->k, 0.0, tide_stride);
    tide_arima_fill(w->theta_bar, s->b + 1, 0.0, tide_stride);
    tide_arima_fill(w->psi_bar, s->b + 1, 0.0, tide_stride);
    tide_arima_fill(w->gamma_bar, s->far, 0.0, tide_stride);
    tide_arima_fill(w->half_bar, s->lags + s->q, 0.0, tide_stride);
    tide_arima_fill(w->gw_bar, s->lags, 0.0, tide_stride);
    tide_arima_fill(w->c_bar, s->q + s->Q + 2, 0.0, tide_stride);
    for (int j = 0; j < s->r; ++j) {
        for (int i = 0; i < s->phi.n; ++i) {
            int lag = s->phi.lag[i];
            if (lag <= j)
                continue;
            tide_arima_add(w->phi_bar, lag - 1, w->m_bar, j, w->gw, lag - 1 - j, tide_stride);
            tide_arima_add(w->gw_bar, lag - 1 - j, w->m_bar, j, w->phi, lag - 1, tide_stride);
        }
        for (int i = 0; i < s->theta.n; ++i) {
            int lag = s->theta.lag[i];
            if (lag <= j)
                continue;
            tide_arima_add(w->theta_bar, lag, w->m_bar, j, w->psi, lag - j - 1, tide_stride);
            tide_arima_add(w->psi_bar, lag - j - 1, w->m_bar, j, w->theta, lag, tide_stride);
        }
    }
    for (int j = s->b - 1; j >= 0; --j) {
        TIDE_EACH_LANE(k) TIDE_AT(w->theta_bar, j, k) += TIDE_AT(w->psi_bar, j, k);
        for (int i = 0; i < s->phi.n && s->phi.lag[i] <= j; ++i) {
            int lag = s->phi.lag[i];
            tide_arima_add(w->phi_bar, lag - 1, w->psi_bar, j, w->psi, j - lag, tide_stride);
            tide_arima_add(w->psi_bar, j - lag, w->psi_bar, j, w->phi, lag - 1, tide_stride);
        }
    }
    TIDE_EACH_LANE(k) TIDE_AT(w->gw_bar, 0, k) += TIDE_AT(w->f_bar, 0, k);
    tide_arima_filter_back(w->gw_bar, s->lags, w->c, w->c_bar, s->q, 1, w->half, w->half_bar, tide_stride);
    tide_arima_filter_back(w->half_bar, s->lags + s->q, cs, cs_bar, s->Q, s->m, w->gamma, w->gamma_bar,
                           tide_stride);
    tide_arima_autocorrelate_back(w->c_bar, w->coef + q, w->coef_bar + q, s->q, tide_stride);
    tide_arima_autocorrelate_back(cs_bar, w->coef + Q, w->coef_bar + Q, s->Q, tide_stride);
    tide_arima_gamma_u_back(s, w);
    tide_arima_expand_back(s, w);
    const double one = 1.0 / s->radius, season = tide_arima_shrink(s->radius, s->m);
    tide_arima_step_up_back(w->coef_bar, w->k, u_bar, s->p, 1.0, one, w->triangle, tide_stride);
    tide_arima_step_up_back(w->coef_bar + q, w->k + q, u_bar + q, s->q, -1.0, one, w->triangle, tide_stride);
    tide_arima_step_up_back(w->coef_bar + P, w->k + P, u_bar + P, s->P, 1.0, season, w->triangle,
                            tide_stride);
    tide_arima_step_up_back(w->coef_bar + Q, w->k + Q, u_bar + Q, s->Q, -1.0, season, w->triangle,
                            tide_stride);
    for (int i = 0; i < s->k; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(u_bar, i, k) *= tide_arima_partial_slope(TIDE_AT(u, i, k));
}

#endif
