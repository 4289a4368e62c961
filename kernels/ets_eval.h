/* ets_eval.h - value and gradient of the likelihood of an ETS form, over lanes.
 *
 * Objective (what R's ets() minimises, -2 log likelihood less constants):
 *
 *     Q = n log S + 2 sum log|f_t| (multiplicative error only),   S = sum e_t^2,   n values present
 *     + penalty*beta/alpha where the fit spec has a penalty
 *
 * and by absolute errors, the likelihood where e is Laplace's, its corner rounded off over delta:
 *
 *     Q = 2 n log S + 2 sum log|f_t|,   S = sum r_t,   r_t = sqrt(e_t^2 + delta^2)
 *
 * which differs in the gradient only by S and by e_t/r_t in place of e_t.
 *
 * Parameters x, in this order (a form has those that apply):
 *
 *     level, trend, season_0..season_{n_free-1}   initial states, free; season_j is the state of steps t = j
 * mod m alpha, u1, u2, phi                          in boxes: beta = lo1 + u1 (min(alpha, up1, cap) - lo1),
 *                                                 gamma = lo2 + u2 (min(1 - alpha, up2) - lo2), u in [0, 1]
 *
 * The cap on beta, for forms with trend and season, is the border of the admissible region (ets_admissible.h)
 * where gamma is small, which is where optima meet it. The characteristic equation is (z^m - 1)(1 + L(z)) +
 * gamma = 0 with L(z) = (alpha + phi beta z/(z - phi))/(z - 1). For small gamma its seasonal roots stay near
 * w^m = 1 and move inwards if and only if Re(1 + L(w)) > 0, in which the first harmonic, cos = 1 - gap, is
 * the strictest:
 *
 *     beta phi (1 + phi) < (2 - alpha - gamma) ((1 - phi)^2 + 2 phi gap),  to first order times 1 - 2
 * gamma/(m alpha)
 *
 * taken at gamma = lo2: a larger gamma only makes it stricter. So the search slides along the border instead
 * of running into it; what is outside nevertheless, at larger gamma, is rejected by the exact test.
 *
 * The seasonal states that are not free are given: either only the last one, which fixes the gauge (a
 * constant moved from the season into the level leaves every f unchanged), or all of them.
 *
 * Gradient by the adjoint method: one pass forward with a tape, one backward, over all parameters at once,
 * for 2 to 3 times the cost of the value. With L, B, S_j the derivatives of Q by the states after step t, c =
 * 2n/S:
 *
 *     additive season or none   d(eps) = alpha L + beta B + gamma S_j
 *         additive error        d(f) = -(d(eps) + c eps)
 *         multiplicative error  d(f) = (2 - c e (1 + e))/f - d(eps)
 *         before the step       q = L + d(f);  L <- q, S_j <- S_j + d(f), B <- phi (q + B), d(phi) += b (q +
 * B) multiplicative season     in terms of e: level q (1 + alpha e), trend phi b + beta q e, season s (1 +
 * gamma e) d(e) = c e + alpha q L + beta q B + gamma s S_j;  d(f) = (2 - d(e)(1 + e))/f before the step q' =
 * s d(f) + (1 + alpha e) L + beta e B;  S_j <- q d(f) + (1 + gamma e) S_j, L, B as above
 *
 * A missing value has eps = 0 and no term; the tape keeps NaN for it. Steps past a lane's end are missing,
 * and leave exact zeros behind in every derivative, so that the length of the tile does not matter to the
 * bits. sum log|f| is the log of a product whose exponent is split off every few steps: one logarithm in all.
 */
#ifndef TIDE_ETS_EVAL_H
#define TIDE_ETS_EVAL_H

#include "kernels/boxqn.h"
#include "kernels/ets.h"
#include "kernels/tide_math.h"

/* One form on one lane block. Pointers borrowed; arrays of (elements, lanes) but y, whose rows are a tile's.
 */
typedef struct tide_ets_problem {
    const double *y; /* step t of lane k at y[t*TIDE_TILE_WIDTH + k], scaled */
    int32_t rows;    /* steps of the tile */
    int32_t season;  /* m >= 1 */
    int32_t n_free;  /* seasonal initial states among x: 0 or m - 1 */
    size_t stride;
    const double *n_obs; /* [1] values present */
    const double *fixed; /* [m] seasonal states of which n_free.. are used */
    const double *
        relative; /* [m] the multiplicative decomposition, for the start of forms with multiplicative error */
    double *ring; /* scratch [m] */
    double *ring_bar;          /* scratch [m] */
    double *tape;              /* scratch [rows*tide_ets_tape(form)] */
    double lower[4], upper[4]; /* usual region */
    double gap;                /* tide_ets_period_gap(m) */
    double penalty;
    const double *delta; /* [1] half-width of the corner of |e| (absolute errors); NULL: squared errors */
} tide_ets_problem;

#define TIDE_ETS_WITHIN                                                                                      \
    (1.0 - 2e-6) /* stays this much inside the cap, which is good to first order in gamma */

enum { TIDE_ETS_TAPE_MAX = 5 };

/* Doubles a step that the tape keeps: e; with multiplicative error 1/f and eps, or with multiplicative season
 * 1/f, level and season before the step; with damping, last, the trend before it. */
TIDE_FN int tide_ets_tape(tide_ets_form form) {
    return (form.error == TIDE_ADD ? 1 : form.season == TIDE_MUL ? 4 : 3) + (form.trend == TIDE_DAMPED);
}

/* Counts of parameters. */
TIDE_FN int tide_ets_n_states(tide_ets_form form, int n_free) {
    return 1 + (form.trend != TIDE_NO) + (form.season != TIDE_NO ? n_free : 0);
}
TIDE_FN int tide_ets_n_box(tide_ets_form form) {
    return 1 + (form.trend != TIDE_NO) + (form.season != TIDE_NO) + (form.trend == TIDE_DAMPED);
}

/* The coefficients of one lane, and their derivatives by the boxed coordinates. */
typedef struct tide_ets_theta {
    tide_ets_par par;
    double beta_alpha, beta_u, beta_phi, gamma_alpha, gamma_u;
} tide_ets_theta;

/* 1 - cos(2 pi/m) = 2 sin(pi/m)^2 for m >= 2, by the series of the sine: libm's differ. */
TIDE_FN double tide_ets_period_gap(int m) {
    double x = 3.14159265358979323846 / (double)m, xx = x * x, sum = 0.0;
    for (int i = 21; i > 1; i -= 2)
        sum = (1.0 - sum) * xx / (double)(i * (i - 1));
    sum = x * (1.0 - sum);
    return 2.0 * sum * sum;
}

/* x: the first boxed parameter of the lane, the next one `step` elements on. */
TIDE_FN tide_ets_theta tide_ets_theta_of(tide_ets_form form, const tide_ets_problem *p, const double *x,
                                         size_t step) {
    tide_ets_theta t;
    double alpha = x[0], phi = 1.0, u1 = form.trend != TIDE_NO ? x[step] : 0.0;
    if (form.trend == TIDE_DAMPED)
        phi = x[(form.season != TIDE_NO ? 3 : 2) * step];
    t.par.alpha = alpha;
    t.par.beta = t.par.gamma = 0.0;
    t.par.phi = phi;
    t.beta_alpha = t.beta_u = t.beta_phi = t.gamma_alpha = t.gamma_u = 0.0;
    if (form.trend != TIDE_NO) {
        double top = tide_min(alpha, p->upper[1]), by_alpha = alpha < p->upper[1] ? 1.0 : 0.0, by_phi = 0.0;
        if (form.season != TIDE_NO) { /* the bound of the head comment */
            double share = 2.0 * p->lower[2] / (double)p->season, room = 2.0 - alpha - p->lower[2];
            double numerator = tide_fma(1.0 - phi, 1.0 - phi, 2.0 * phi * p->gap),
                   denominator = phi * (1.0 + phi);
            double k = TIDE_ETS_WITHIN * numerator / denominator, part = 1.0 - share / alpha,
                   cap = room * k * part;
            double k_phi = TIDE_ETS_WITHIN *
                           (2.0 * (p->gap + phi - 1.0) * denominator - numerator * (1.0 + 2.0 * phi)) /
                           (denominator * denominator);
            int capped = cap < top;
            top = capped ? cap : top;
            by_alpha = capped ? k * (room * share / (alpha * alpha) - part) : by_alpha;
            by_phi = capped ? room * part * k_phi : 0.0;
        }
        double range = top - p->lower[1];
        int open = range > 0.0;
        t.beta_u = open ? range : 0.0;
        t.beta_alpha = open ? u1 * by_alpha : 0.0;
        t.beta_phi = open ? u1 * by_phi : 0.0;
        t.par.beta = tide_fma(u1, t.beta_u, p->lower[1]);
    }
    if (form.season != TIDE_NO) {
        double u2 = x[(form.trend != TIDE_NO ? 2 : 1) * step],
               range = tide_min(1.0 - alpha, p->upper[2]) - p->lower[2];
        int open = range > 0.0;
        t.gamma_u = open ? range : 0.0;
        t.gamma_alpha = open & (1.0 - alpha < p->upper[2]) ? -u2 : 0.0;
        t.par.gamma = tide_fma(u2, t.gamma_u, p->lower[2]);
    }
    return t;
}

/* 1/f to within an ulp or two, without the divider (16 cycles an AVX-512 vector on Intel, and slow on GPUs
 * too): a first guess from the exponent by one subtraction, relative error < 0.13, then two cubic steps and a
 * quadratic one. Meaningless or not finite for zero, infinite, NaN and for |f| beyond 2^+-1000. */
TIDE_FN double tide_ets_reciprocal(double f) {
    double r = tide_from_bits(0x7fde623822fc16e6ull - tide_to_bits(f));
    double e = tide_fma(-f, r, 1.0);
    r = tide_fma(r, tide_fma(e, e, e), r);
    e = tide_fma(-f, r, 1.0);
    r = tide_fma(r, tide_fma(e, e, e), r);
    e = tide_fma(-f, r, 1.0);
    return tide_fma(r, e, r);
}

/* Moves the exponent of *product to *exponent; NaN there when the product has left the normal numbers. */
TIDE_FN void tide_ets_split(double *product, double *exponent) {
    double a = tide_abs(*product);
    uint64_t u = tide_to_bits(a);
    double e = tide_from_bits((u >> 52) | 0x4330000000000000ull) - (0x1p52 + 1023.0);
    *exponent += (a >= 0x1p-1022) & (a < TIDE_INF) ? e : TIDE_NAN;
    *product = tide_from_bits((u & 0x000fffffffffffffull) | 0x3ff0000000000000ull);
}

/* Least S that counts: a perfect fit has a finite likelihood. Values are scaled to a mean near 1. */
#define TIDE_ETS_LEAST_S 1e-30

/* Loads the seasonal states of x and of the problem into the ring. season: first seasonal parameter. */
TIDE_FN void tide_ets_fill_ring(const tide_ets_problem *p, const double *season) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    for (int j = 0; j < p->season; ++j) {
        const double *from =
            j < p->n_free ? season + (size_t)j * TIDE_STRIDE : p->fixed + (size_t)j * TIDE_STRIDE;
        TIDE_EACH_LANE(k) TIDE_AT(p->ring, j, k) = TIDE_AT(from, 0, k);
    }
}

/* A lane block's step t: states in registers, sums, and the tape. One step of every form; see ets.h for the
 * equations. */
typedef struct tide_ets_moment {
    double level, trend, season; /* states after the step */
    double e, eps;               /* innovation, NaN where y is missing; y - f, 0 there */
    double q, s, b, recip;       /* before the innovation: level, season, trend; 1/f (multiplicative error) */
    double f;
} tide_ets_moment;

TIDE_FN tide_ets_moment tide_ets_moment_of(tide_ets_form form, tide_ets_par par, double y, double level,
                                           double trend, double season) {
    tide_ets_moment m;
    m.b = trend;
    m.s = season;
    m.q = tide_ets_level_ahead(form, par.phi, level, trend);
    m.f = tide_ets_mean(form, m.q, season);
    double eps = y - m.f, e;
    m.recip = form.error == TIDE_MUL ? tide_ets_reciprocal(m.f) : 0.0;
    m.e = form.error == TIDE_MUL ? eps * m.recip : eps; /* NaN where y is */
    /* Only a missing y counts for nothing; an f that is not a number spoils the sums, as it should. */
    eps = tide_is_nan(y) ? 0.0 : eps;
    e = tide_is_nan(y) ? 0.0 : m.e;
    m.eps = eps;
    double r = form.season == TIDE_MUL ? m.q * e : eps; /* eps/season = q e */
    m.level = tide_fma(par.alpha, r, m.q);
    m.trend = form.trend == TIDE_ADD      ? tide_fma(par.beta, r, trend)
              : form.trend == TIDE_DAMPED ? tide_fma(par.beta, r, par.phi * trend)
                                          : trend;
    m.season = form.season == TIDE_ADD   ? tide_fma(par.gamma, eps, season)
               : form.season == TIDE_MUL ? tide_fma(par.gamma * season, e, season)
                                         : season;
    return m;
}

/* Runs the series through the states of x and writes the tape. Leaves S, and the product and exponent of prod
 * f (multiplicative error; else 1 and 0). S is infinite where multiplicative error meets an f <= 0: a
 * relative error has no meaning there (R takes log|f| and goes on). robust: by absolute errors, a constant.
 */
TIDE_FN void tide_ets_forward(tide_ets_form form, int robust, const tide_ets_problem *p, const double *x,
                              double *sum, double *product, double *exponent) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    const int m = form.season == TIDE_NO ? 1 : p->season;
    const int n_states = tide_ets_n_states(form, p->n_free), n_tape = tide_ets_tape(form);
    double level[TIDE_LANES], trend[TIDE_LANES], s[TIDE_LANES], prod[TIDE_LANES], expo[TIDE_LANES],
        least[TIDE_LANES];
    double alpha[TIDE_LANES], beta[TIDE_LANES], gamma[TIDE_LANES], phi[TIDE_LANES], corner[TIDE_LANES];
    TIDE_EACH_LANE(k) {
        tide_ets_theta t = tide_ets_theta_of(form, p, &TIDE_AT(x, n_states, k), TIDE_STRIDE);
        alpha[k] = t.par.alpha;
        beta[k] = t.par.beta;
        gamma[k] = t.par.gamma;
        phi[k] = t.par.phi;
        corner[k] = robust ? TIDE_AT(p->delta, 0, k) * TIDE_AT(p->delta, 0, k) : 0.0;
        level[k] = TIDE_AT(x, 0, k);
        trend[k] = form.trend != TIDE_NO ? TIDE_AT(x, 1, k) : 0.0;
        s[k] = 0.0;
        prod[k] = least[k] = 1.0;
        expo[k] = 0.0;
    }
    if (form.season != TIDE_NO)
        tide_ets_fill_ring(p, x + (size_t)(1 + (form.trend != TIDE_NO)) * TIDE_STRIDE);
    int j = 0;
    const double *y = p->y;
    double *tape = p->tape;
    for (int32_t t0 = 0; t0 < p->rows; t0 += 8) {
        int32_t t1 = t0 + 8 < p->rows ? t0 + 8 : p->rows;
        for (int32_t t = t0; t < t1; ++t) {
            double *ring = p->ring + (size_t)j * TIDE_STRIDE;
            TIDE_EACH_LANE(k) {
                tide_ets_par par = {alpha[k], beta[k], gamma[k], phi[k]};
                tide_ets_moment o = tide_ets_moment_of(form, par, y[k], level[k], trend[k],
                                                       form.season != TIDE_NO ? TIDE_AT(ring, 0, k) : 0.0);
                double e = tide_is_nan(y[k]) ? 0.0 : o.e;
                if (robust)
                    s[k] += tide_is_nan(y[k]) ? 0.0 : tide_sqrt(tide_fma(e, e, corner[k]));
                else
                    s[k] = tide_fma(e, e, s[k]);
                if (form.error == TIDE_MUL) {
                    double f = tide_is_nan(y[k]) ? 1.0 : o.f;
                    prod[k] *= f;
                    least[k] = tide_min(f, least[k]);
                }
                level[k] = o.level;
                trend[k] = o.trend;
                if (form.season != TIDE_NO)
                    TIDE_AT(ring, 0, k) = o.season;
                TIDE_AT(tape, 0, k) = o.e;
                if (form.error == TIDE_MUL) {
                    TIDE_AT(tape, 1, k) = o.recip;
                    TIDE_AT(tape, 2, k) = form.season == TIDE_MUL ? o.q : o.eps;
                }
                if (form.season == TIDE_MUL)
                    TIDE_AT(tape, 3, k) = o.s;
                if (form.trend == TIDE_DAMPED)
                    TIDE_AT(tape, n_tape - 1, k) = o.b;
            }
            y += TIDE_TILE_WIDTH;
            tape += (size_t)n_tape * TIDE_STRIDE;
            j = j + 1 < m ? j + 1 : 0;
        }
        if (form.error == TIDE_MUL)
            TIDE_EACH_LANE(k) tide_ets_split(&prod[k], &expo[k]);
    }
    TIDE_EACH_LANE(k) {
        sum[k] = least[k] > 0.0 ? s[k] : TIDE_INF;
        product[k] = prod[k];
        exponent[k] = expo[k];
    }
}

/* Q from the sums of a forward pass, without the penalty. power: 1, or 2 by absolute errors. */
TIDE_FN double tide_ets_objective(double n_obs, double power, double sum, double product, double exponent) {
    double log_f = tide_fma(exponent, 0x1.62e42fefa39efp-1, tide_log(product));
    return tide_fma(power * n_obs, tide_log(tide_max(TIDE_ETS_LEAST_S, sum)), 2.0 * log_f);
}

/* The derivative of Q by every parameter, from the tape and S of a forward pass at x: gradient [n]. */
TIDE_FN void tide_ets_backward(tide_ets_form form, int robust, const tide_ets_problem *p, const double *x,
                               const double *sum, double *gradient) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    const int m = form.season == TIDE_NO ? 1 : p->season;
    const int n_states = tide_ets_n_states(form, p->n_free), n_core = 1 + (form.trend != TIDE_NO);
    const int n_tape = tide_ets_tape(form);
    double c[TIDE_LANES], lb[TIDE_LANES], bb[TIDE_LANES];
    double d_alpha[TIDE_LANES], d_beta[TIDE_LANES], d_gamma[TIDE_LANES], d_phi[TIDE_LANES];
    double alpha[TIDE_LANES], beta[TIDE_LANES], gamma[TIDE_LANES], phi[TIDE_LANES], corner[TIDE_LANES];
    TIDE_EACH_LANE(k) {
        tide_ets_theta t = tide_ets_theta_of(form, p, &TIDE_AT(x, n_states, k), TIDE_STRIDE);
        alpha[k] = t.par.alpha;
        beta[k] = t.par.beta;
        gamma[k] = t.par.gamma;
        phi[k] = t.par.phi;
        corner[k] = robust ? TIDE_AT(p->delta, 0, k) * TIDE_AT(p->delta, 0, k) : 0.0;
        c[k] = 2.0 * TIDE_AT(p->n_obs, 0, k) / tide_max(TIDE_ETS_LEAST_S, sum[k]);
        lb[k] = bb[k] = d_alpha[k] = d_beta[k] = d_gamma[k] = d_phi[k] = 0.0;
    }
    if (form.season != TIDE_NO)
        for (int i = 0; i < m; ++i)
            TIDE_EACH_LANE(k) TIDE_AT(p->ring_bar, i, k) = 0.0;
    int j = (int)((p->rows - 1) % m);
    const double *tape = p->tape + (size_t)(p->rows - 1) * (size_t)n_tape * TIDE_STRIDE;
    for (int32_t t = p->rows; t > 0; --t) {
        double *ring_bar = p->ring_bar + (size_t)j * TIDE_STRIDE;
        TIDE_EACH_LANE(k) {
            double noted = TIDE_AT(tape, 0, k), e = tide_is_nan(noted) ? 0.0 : noted;
            double pull = robust ? e / tide_sqrt(tide_fma(e, e, corner[k])) : e; /* dS/de */
            double sb = form.season != TIDE_NO ? TIDE_AT(ring_bar, 0, k) : 0.0, fb, qb;
            if (form.season == TIDE_MUL) {
                double recip = TIDE_AT(tape, 1, k), q = TIDE_AT(tape, 2, k), s = TIDE_AT(tape, 3, k);
                double l = q * lb[k], b = q * bb[k], g = s * sb;
                double eb = tide_fma(alpha[k], l, tide_fma(gamma[k], g, c[k] * pull));
                if (form.trend != TIDE_NO)
                    eb = tide_fma(beta[k], b, eb);
                fb = tide_fma(-eb, 1.0 + e, 2.0) * recip;
                fb = tide_is_nan(noted) ? 0.0 : fb;
                d_alpha[k] = tide_fma(l, e, d_alpha[k]);
                d_beta[k] = tide_fma(b, e, d_beta[k]);
                d_gamma[k] = tide_fma(g, e, d_gamma[k]);
                qb = tide_fma(s, fb, tide_fma(alpha[k] * e, lb[k], lb[k]));
                if (form.trend != TIDE_NO)
                    qb = tide_fma(beta[k] * e, bb[k], qb);
                TIDE_AT(ring_bar, 0, k) = tide_fma(q, fb, tide_fma(gamma[k] * e, sb, sb));
            } else {
                double eb = alpha[k] * lb[k], eps;
                if (form.trend != TIDE_NO)
                    eb = tide_fma(beta[k], bb[k], eb);
                if (form.season != TIDE_NO)
                    eb = tide_fma(gamma[k], sb, eb);
                if (form.error == TIDE_ADD) {
                    eps = e;
                    fb = -tide_fma(c[k], pull, eb);
                } else {
                    double recip = TIDE_AT(tape, 1, k);
                    eps = TIDE_AT(tape, 2, k);
                    fb = tide_fma(tide_fma(-c[k] * pull, 1.0 + e, 2.0), recip, -eb);
                }
                fb = tide_is_nan(noted) ? 0.0 : fb;
                d_alpha[k] = tide_fma(lb[k], eps, d_alpha[k]);
                d_beta[k] = tide_fma(bb[k], eps, d_beta[k]);
                d_gamma[k] = tide_fma(sb, eps, d_gamma[k]);
                qb = lb[k] + fb;
                if (form.season != TIDE_NO)
                    TIDE_AT(ring_bar, 0, k) = sb + fb;
            }
            lb[k] = qb;
            if (form.trend == TIDE_ADD)
                bb[k] += qb;
            if (form.trend == TIDE_DAMPED) {
                d_phi[k] = tide_fma(TIDE_AT(tape, n_tape - 1, k), qb + bb[k], d_phi[k]);
                bb[k] = phi[k] * (qb + bb[k]);
            }
        }
        tape -= (size_t)n_tape * TIDE_STRIDE;
        j = j > 0 ? j - 1 : m - 1;
    }
    TIDE_EACH_LANE(k) {
        TIDE_AT(gradient, 0, k) = lb[k];
        if (form.trend != TIDE_NO)
            TIDE_AT(gradient, 1, k) = bb[k];
    }
    if (form.season != TIDE_NO)
        for (int i = 0; i < p->n_free; ++i)
            TIDE_EACH_LANE(k) TIDE_AT(gradient, n_core + i, k) = TIDE_AT(p->ring_bar, i, k);
    TIDE_EACH_LANE(k) {
        tide_ets_theta t = tide_ets_theta_of(form, p, &TIDE_AT(x, n_states, k), TIDE_STRIDE);
        int at = n_states;
        if (form.trend != TIDE_NO) { /* the penalty acts on beta and alpha */
            d_beta[k] += p->penalty / alpha[k];
            d_alpha[k] -= p->penalty * beta[k] / (alpha[k] * alpha[k]);
        }
        TIDE_AT(gradient, at, k) =
            tide_fma(t.beta_alpha, d_beta[k], tide_fma(t.gamma_alpha, d_gamma[k], d_alpha[k]));
        if (form.trend != TIDE_NO)
            TIDE_AT(gradient, ++at, k) = t.beta_u * d_beta[k];
        if (form.season != TIDE_NO)
            TIDE_AT(gradient, ++at, k) = t.gamma_u * d_gamma[k];
        if (form.trend == TIDE_DAMPED)
            TIDE_AT(gradient, ++at, k) = tide_fma(t.beta_phi, d_beta[k], d_phi[k]);
    }
}

/* Value and, with a gradient ([n], may be NULL), derivative of the penalised objective at x. */
TIDE_FN void tide_ets_eval(tide_ets_form form, const tide_ets_problem *p, const double *x, double *value,
                           double *gradient) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    const int n_states = tide_ets_n_states(form, p->n_free);
    double sum[TIDE_LANES], product[TIDE_LANES], exponent[TIDE_LANES];
    const int robust = p->delta != NULL;
    if (robust)
        tide_ets_forward(form, 1, p, x, sum, product, exponent);
    else
        tide_ets_forward(form, 0, p, x, sum, product, exponent);
    TIDE_EACH_LANE(k) {
        double q =
            tide_ets_objective(TIDE_AT(p->n_obs, 0, k), robust ? 2.0 : 1.0, sum[k], product[k], exponent[k]);
        tide_ets_theta t = tide_ets_theta_of(form, p, &TIDE_AT(x, n_states, k), TIDE_STRIDE);
        double ratio = form.trend != TIDE_NO ? t.par.beta / t.par.alpha : 0.0;
        q = tide_fma(p->penalty, ratio, q);
        TIDE_AT(value, 0, k) = tide_is_finite(sum[k]) ? q : TIDE_INF;
    }
    if (gradient && robust)
        tide_ets_backward(form, 1, p, x, sum, gradient);
    else if (gradient)
        tide_ets_backward(form, 0, p, x, sum, gradient);
}

#endif
