/* ets_gauss.h - the Gauss-Newton Hessian of an ETS likelihood, over lanes.
 *
 * Every form is a nonlinear least-squares problem: n log S + 2 sum log|f| = n log sum (G e_t)^2 with
 * G = exp(mean log|f|). With E_t = d(e_t)/dx and h = mean of d(log f_t)/dx (0 for additive error), g the
 * gradient,
 *
 *     Hessian  ~  (2n/S) sum (E_t + e_t h)(E_t + e_t h)'  =  (2n/S) sum E_t E_t' + g h' + h g' - 2n h h'
 *
 * By absolute errors (ets_eval.h) S = sum r_t and each term of the first sum has the weight 1/r_t of an
 * iteratively reweighted fit; the last 2n becomes 2n + (2n/S) sum delta^2/r_t, and the matrix stays a sum of
 * squares.
 *
 * E_t comes from forward sensitivities, one column a parameter: the derivatives of level, trend and the ring
 * of seasonal states by that parameter, carried along with the states. Forms without multiplicative season
 * are linear in their states; with it the same is done in terms of e (see ets_eval.h). E is kept for
 * TIDE_ETS_BLOCK steps, then the packed matrix takes up all of them at once, so that it travels through the
 * cache once a block and not once a step. The pass takes TIDE_CHUNK lanes, one vector register, at a time:
 * what the columns share stays in registers, and the scratch of one chunk after the other stays in the
 * first-level cache. */
#ifndef TIDE_ETS_GAUSS_H
#define TIDE_ETS_GAUSS_H

#include "kernels/ets_eval.h"

#if TIDE_LANES == 1
#define TIDE_CHUNK 1
#define TIDE_EACH_OF_CHUNK(k) for (int k = 0; k < 1; ++k)
#else
#if defined(__AVX512F__)
#define TIDE_CHUNK 8
#elif defined(__AVX__)
#define TIDE_CHUNK 4
#else
#define TIDE_CHUNK 2
#endif
#define TIDE_EACH_OF_CHUNK(k) _Pragma("omp simd") for (int k = 0; k < TIDE_CHUNK; ++k)
#endif

/* Distance of elements in the pass's own scratch, and element i of lane k of the chunk. */
#if defined(TIDE_DEVICE_FORM)
#define TIDE_CHUNK_STRIDE tide_stride
#else
#define TIDE_CHUNK_STRIDE ((size_t)TIDE_CHUNK)
#endif
#define TIDE_OF(p, i, k) ((p)[(size_t)(i)*TIDE_CHUNK_STRIDE + (size_t)(k)])

enum { TIDE_ETS_BLOCK = 8 };
#if defined(__CUDA_ARCH__)
#define TIDE_UNROLLED _Pragma("unroll")
#elif defined(__CUDACC__) /* nvcc's pass for the host hands gcc what it would warn of */
#define TIDE_UNROLLED
#else
#define TIDE_UNROLLED _Pragma("GCC unroll 8")
#endif

/* Scratch of the pass, for n parameters and period m: (elements, lanes of a chunk). */
typedef struct tide_ets_columns {
    double *level, *trend, *log_f; /* [n] derivatives of level, trend; sum of (df/dx)/f */
    double *ring;                  /* [n*m] of the seasonal states: column c, slot j at c*m + j */
    double *e;                     /* [TIDE_ETS_BLOCK*n] */
    double *season;                /* [m] the seasonal states themselves */
} tide_ets_columns;

TIDE_FN size_t tide_ets_columns_size(int n, int m) {
    return (size_t)n * (size_t)(3 + m + TIDE_ETS_BLOCK) + (size_t)m;
}

TIDE_FN double *tide_ets_columns_place(tide_ets_columns *c, double *at, int n, int m, size_t tide_stride) {
    (void)tide_stride;
    size_t vector = (size_t)n * TIDE_CHUNK_STRIDE;
    c->level = at;
    c->trend = at + vector;
    c->log_f = at + 2 * vector;
    c->ring = at + 3 * vector;
    c->e = at + (size_t)(3 + m) * vector;
    c->season = at + (size_t)(3 + m + TIDE_ETS_BLOCK) * vector;
    return at + tide_ets_columns_size(n, m) * TIDE_STRIDE;
}

/* What all columns need of a step, for each lane of the chunk. */
typedef struct tide_ets_now {
    double q[TIDE_CHUNK], s[TIDE_CHUNK], trend[TIDE_CHUNK];
    double weight[TIDE_CHUNK],
        recip[TIDE_CHUNK]; /* de = weight*df; d(log f) = recip*df; both 0 where y is missing */
    double r_level[TIDE_CHUNK], r_season[TIDE_CHUNK];   /* what alpha and beta, what gamma multiply */
    double a[TIDE_CHUNK], b[TIDE_CHUNK], g[TIDE_CHUNK]; /* gains of the sensitivities */
    double a1[TIDE_CHUNK], b1[TIDE_CHUNK],
        g1[TIDE_CHUNK]; /* 1 + alpha e, beta e, 1 + gamma e (multiplicative season) */
    double phi[TIDE_CHUNK];
} tide_ets_now;

/* How a boxed parameter drives the states directly: weights of the innovation in level, trend and season;
 * damped = 1 adds the trend (derivative by phi). All NULL and 0 for an initial state. */
typedef struct tide_ets_drive {
    const double *level, *trend, *season;
    int damped;
} tide_ets_drive;

/* Carries one column over one step. at: its ring slot of this step. */
TIDE_FN void tide_ets_column(tide_ets_form form, const tide_ets_now *now, tide_ets_drive drive, double *level,
                             double *trend, double *season, double *log_f, double *e) {
    TIDE_EACH_OF_CHUNK(k) {
        double dq = level[k], db = 0.0, ds = 0.0, df, de;
        if (form.trend != TIDE_NO) {
            db = form.trend == TIDE_DAMPED ? now->phi[k] * trend[k] : trend[k];
            if (drive.damped)
                db += now->trend[k];
            dq += db;
        }
        if (form.season == TIDE_MUL) {
            ds = season[k];
            df = tide_fma(now->s[k], dq, now->q[k] * ds);
            de = now->weight[k] * df;
            if (form.trend != TIDE_NO)
                db = tide_fma(now->b1[k], dq, tide_fma(now->b[k], de, db));
            dq = tide_fma(now->a[k], de, now->a1[k] * dq);
            ds = tide_fma(now->g[k], de, now->g1[k] * ds);
        } else {
            df = dq;
            if (form.season != TIDE_NO) {
                ds = season[k];
                df += ds;
                ds = tide_fma(now->g[k], df, ds);
            }
            de = now->weight[k] * df;
            if (form.trend != TIDE_NO)
                db = tide_fma(now->b[k], df, db);
            dq = tide_fma(now->a[k], df, dq);
        }
        if (drive.level)
            dq = tide_fma(drive.level[k], now->r_level[k], dq);
        if (drive.trend && form.trend != TIDE_NO)
            db = tide_fma(drive.trend[k], now->r_level[k], db);
        if (drive.season && form.season != TIDE_NO)
            ds = tide_fma(drive.season[k], now->r_season[k], ds);
        level[k] = dq;
        if (form.trend != TIDE_NO)
            trend[k] = db;
        if (form.season != TIDE_NO)
            season[k] = ds;
        if (form.error == TIDE_MUL)
            log_f[k] = tide_fma(now->recip[k], df, log_f[k]);
        e[k] = de;
    }
}

/* Sensitivities die out by as much as 1e-4 a step; values that no longer matter become 0 before they become
 * denormal, which costs a CPU some hundred cycles each. */
TIDE_FN void tide_ets_tidy(double *a, int n, size_t tide_stride) {
    (void)tide_stride;
    for (int i = 0; i < n; ++i)
        TIDE_EACH_OF_CHUNK(k) TIDE_OF(a, i, k) = tide_abs(TIDE_OF(a, i, k)) < 1e-200 ? 0.0 : TIDE_OF(a, i, k);
}

/* packed += sum over the block of e_i e_j, for i, j < n_columns of n. */
TIDE_CALLED void tide_ets_accumulate(double *packed, const double *e, int n, int n_columns,
                                     size_t tide_stride) {
    (void)tide_stride;
    for (int i = 0; i < n_columns; ++i) {
        double ei[TIDE_ETS_BLOCK][TIDE_CHUNK], *a = packed + (size_t)tide_packed(i, 0) * TIDE_CHUNK_STRIDE;
        TIDE_UNROLLED
        for (int t = 0; t < TIDE_ETS_BLOCK; ++t)
            TIDE_EACH_OF_CHUNK(k) ei[t][k] = TIDE_OF(e, t * n + i, k);
        for (int j = 0; j <= i; ++j)
            TIDE_EACH_OF_CHUNK(k) {
                double acc = TIDE_OF(a, j, k);
                TIDE_UNROLLED
                for (int t = 0; t < TIDE_ETS_BLOCK; ++t)
                    acc = tide_fma(ei[t][k], TIDE_OF(e, t * n + j, k), acc);
                TIDE_OF(a, j, k) = acc;
            }
    }
}

/* A step by absolute errors, y its values (NaN where missing) and square its e^2: scales the step's n columns
 * by sqrt(w) and adds r to sum, r - w e^2 = delta^2/r to lost. */
TIDE_FN void tide_ets_reweigh(double *e, int n, const double *y, const double *square, const double *delta,
                              double *sum, double *lost, size_t tide_stride) {
    (void)tide_stride;
    double share[TIDE_CHUNK];
    TIDE_EACH_OF_CHUNK(k) {
        double corner = delta[k] * delta[k], r = tide_sqrt(square[k] + corner), w = 1.0 / r;
        int missing = tide_is_nan(y[k]);
        share[k] = tide_sqrt(w);
        sum[k] += missing ? 0.0 : r;
        lost[k] += missing ? 0.0 : corner * w;
    }
    for (int i = 0; i < n; ++i)
        TIDE_EACH_OF_CHUNK(k) TIDE_OF(e, i, k) *= share[k];
}

/* The parts of the drives: derivatives of the coefficients by the boxed parameters. */
typedef struct tide_ets_drives {
    double one[TIDE_CHUNK], a_trend[TIDE_CHUNK], a_season[TIDE_CHUNK];
    double u_trend[TIDE_CHUNK], u_season[TIDE_CHUNK], p_trend[TIDE_CHUNK];
} tide_ets_drives;

/* Carries all columns over one step in ring slot j; e: their de, [n_columns]. */
TIDE_FN void tide_ets_carry(tide_ets_form form, const tide_ets_columns *columns, const tide_ets_now *now,
                            const tide_ets_drives *d, int n_states, int n_columns, int m, int j, double *e,
                            size_t tide_stride) {
    (void)tide_stride;
    const tide_ets_drive state = {NULL, NULL, NULL, 0}, by_alpha = {d->one, d->a_trend, d->a_season, 0};
    const tide_ets_drive by_u1 = {NULL, d->u_trend, NULL, 0}, by_u2 = {NULL, NULL, d->u_season, 0};
    const tide_ets_drive by_phi = {NULL, d->p_trend, NULL, 1};
    const int at_u2 = 1 + (form.trend != TIDE_NO);
#define TIDE_COLUMN_(c, drive)                                                                               \
    tide_ets_column(form, now, drive, columns->level + (size_t)(c)*TIDE_CHUNK_STRIDE,                        \
                    columns->trend + (size_t)(c)*TIDE_CHUNK_STRIDE,                                          \
                    columns->ring + (size_t)((c)*m + j) * TIDE_CHUNK_STRIDE,                                 \
                    columns->log_f + (size_t)(c)*TIDE_CHUNK_STRIDE, e + (size_t)(c)*TIDE_CHUNK_STRIDE)
    for (int c = 0; c < n_states; ++c)
        TIDE_COLUMN_(c, state);
    if (n_columns == n_states)
        return;
    TIDE_COLUMN_(n_states, by_alpha);
    if (form.trend != TIDE_NO)
        TIDE_COLUMN_(n_states + 1, by_u1);
    if (form.season != TIDE_NO)
        TIDE_COLUMN_(n_states + at_u2, by_u2);
    if (form.trend == TIDE_DAMPED)
        TIDE_COLUMN_(n_columns - 1, by_phi);
#undef TIDE_COLUMN_
}

/* The pass over lanes k0 .. k0 + TIDE_CHUNK - 1. */
TIDE_FN void tide_ets_gauss_chunk(tide_ets_form form, const tide_ets_problem *p,
                                  const tide_ets_columns *columns, int n_columns, const tide_boxqn *q,
                                  const double *refresh, int k0) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    const int m = form.season == TIDE_NO ? 1 : p->season;
    const int n_core = 1 + (form.trend != TIDE_NO), n_states = tide_ets_n_states(form, p->n_free);
    const int n = n_states + tide_ets_n_box(form);
    double *sums = q->factor;
    double level[TIDE_CHUNK], trend[TIDE_CHUNK], sum[TIDE_CHUNK];
    double lost[TIDE_CHUNK]; /* S - sum w e^2 by absolute errors, else 0 */
    double alpha[TIDE_CHUNK], beta[TIDE_CHUNK], gamma[TIDE_CHUNK];
    double slope[TIDE_CHUNK], slope_u1[TIDE_CHUNK], slope_phi[TIDE_CHUNK]; /* of the penalty */
    tide_ets_now now;
    tide_ets_drives drives;
    TIDE_EACH_OF_CHUNK(k) {
        tide_ets_theta t = tide_ets_theta_of(form, p, &TIDE_AT(q->x, n_states, k0 + k), TIDE_STRIDE);
        alpha[k] = t.par.alpha;
        beta[k] = t.par.beta;
        gamma[k] = t.par.gamma;
        now.phi[k] = t.par.phi;
        drives.one[k] = 1.0;
        drives.a_trend[k] = t.beta_alpha;
        drives.a_season[k] = t.gamma_alpha;
        drives.u_trend[k] = t.beta_u;
        drives.u_season[k] = t.gamma_u;
        drives.p_trend[k] = t.beta_phi;
        slope[k] = p->penalty * (t.beta_alpha - t.par.beta / t.par.alpha) / t.par.alpha;
        slope_u1[k] = p->penalty * t.beta_u / t.par.alpha;
        slope_phi[k] = p->penalty * t.beta_phi / t.par.alpha;
        level[k] = TIDE_AT(q->x, 0, k0 + k);
        trend[k] = form.trend != TIDE_NO ? TIDE_AT(q->x, 1, k0 + k) : 0.0;
        sum[k] = lost[k] = 0.0;
    }
    for (int j = 0; form.season != TIDE_NO && j < m; ++j) {
        const double *from = j < p->n_free ? &TIDE_AT(q->x, n_core + j, k0) : &TIDE_AT(p->fixed, j, k0);
        TIDE_EACH_OF_CHUNK(k) TIDE_OF(columns->season, j, k) = from[k];
    }
    for (int c = 0; c < n_columns; ++c) {
        double by_level = c == 0 ? 1.0 : 0.0, by_trend = form.trend != TIDE_NO && c == 1 ? 1.0 : 0.0;
        TIDE_EACH_OF_CHUNK(k) {
            TIDE_OF(columns->level, c, k) = by_level;
            TIDE_OF(columns->trend, c, k) = by_trend;
            TIDE_OF(columns->log_f, c, k) = 0.0;
        }
        for (int j = 0; form.season != TIDE_NO && j < m; ++j) {
            double initial = c == n_core + j && c < n_states ? 1.0 : 0.0;
            TIDE_EACH_OF_CHUNK(k) TIDE_OF(columns->ring, c * m + j, k) = initial;
        }
    }
    for (int i = 0; i < tide_packed(n_columns, 0); ++i)
        TIDE_EACH_OF_CHUNK(k) TIDE_OF(sums, i, k) = 0.0;
    int j = 0;
    const double *y = p->y + k0;
    for (int32_t t0 = 0; t0 < p->rows; t0 += TIDE_ETS_BLOCK) {
        for (int32_t t = t0; t < t0 + TIDE_ETS_BLOCK; ++t) {
            double *e = columns->e + (size_t)(t - t0) * (size_t)n * TIDE_CHUNK_STRIDE;
            if (t >= p->rows) { /* the rest of the last block */
                for (int c = 0; c < n_columns; ++c)
                    TIDE_EACH_OF_CHUNK(k) TIDE_OF(e, c, k) = 0.0;
                continue;
            }
            double *season = columns->season + (size_t)j * TIDE_CHUNK_STRIDE;
            double square[TIDE_CHUNK];
            TIDE_EACH_OF_CHUNK(k) {
                tide_ets_par par = {alpha[k], beta[k], gamma[k], now.phi[k]};
                tide_ets_moment o = tide_ets_moment_of(form, par, y[k], level[k], trend[k],
                                                       form.season != TIDE_NO ? season[k] : 0.0);
                int missing = tide_is_nan(y[k]);
                double w = missing ? 0.0 : 1.0, u = missing ? 0.0 : o.e;
                now.q[k] = o.q;
                now.s[k] = o.s;
                now.trend[k] = o.b;
                now.recip[k] = w * o.recip;
                now.weight[k] = form.error == TIDE_MUL ? -(1.0 + u) * now.recip[k] : -w;
                now.r_level[k] = form.season == TIDE_MUL ? o.q * u : o.eps;
                now.r_season[k] = form.season == TIDE_MUL ? o.s * u : o.eps;
                now.a[k] = form.season == TIDE_MUL ? alpha[k] * o.q : -w * alpha[k];
                now.b[k] = form.season == TIDE_MUL ? beta[k] * o.q : -w * beta[k];
                now.g[k] = form.season == TIDE_MUL ? gamma[k] * o.s : -w * gamma[k];
                now.a1[k] = tide_fma(alpha[k], u, 1.0);
                now.b1[k] = beta[k] * u;
                now.g1[k] = tide_fma(gamma[k], u, 1.0);
                square[k] = u * u;
                sum[k] = p->delta ? sum[k] : tide_fma(u, u, sum[k]);
                level[k] = o.level;
                trend[k] = o.trend;
                if (form.season != TIDE_NO)
                    season[k] = o.season;
            }
            tide_ets_carry(form, columns, &now, &drives, n_states, n_columns, m, j, e, tide_stride);
            if (p->delta)
                tide_ets_reweigh(e, n_columns, y, square, &TIDE_AT(p->delta, 0, k0), sum, lost, tide_stride);
            y += TIDE_TILE_WIDTH;
            if (form.season != TIDE_NO && t / m % TIDE_ETS_BLOCK == 0) /* a slot is visited once a period */
                for (int c = 0; c < n_columns; ++c)
                    tide_ets_tidy(columns->ring + (size_t)(c * m + j) * TIDE_CHUNK_STRIDE, 1, tide_stride);
            j = j + 1 < m ? j + 1 : 0;
        }
        tide_ets_tidy(columns->level, n_columns, tide_stride);
        if (form.trend != TIDE_NO)
            tide_ets_tidy(columns->trend, n_columns, tide_stride);
        tide_ets_accumulate(sums, columns->e, n, n_columns, tide_stride);
    }
    /* The columns' level and trend are done with: they hold the likelihood's gradient and h from here on. */
    for (int c = 0; c < n_columns; ++c)
        TIDE_EACH_OF_CHUNK(k) {
            double g = TIDE_AT(q->gradient, c, k0 + k);
            g -= c == n_states                                ? slope[k]
                 : form.trend != TIDE_NO && c == n_states + 1 ? slope_u1[k]
                 : form.trend == TIDE_DAMPED && c == n - 1    ? slope_phi[k]
                                                              : 0.0;
            TIDE_OF(columns->level, c, k) = g;
            TIDE_OF(columns->trend, c, k) = TIDE_OF(columns->log_f, c, k) / TIDE_AT(p->n_obs, 0, k0 + k);
        }
    double factor[TIDE_CHUNK], on[TIDE_CHUNK], turn[TIDE_CHUNK];
    TIDE_EACH_OF_CHUNK(k) {
        factor[k] = 2.0 * TIDE_AT(p->n_obs, 0, k0 + k) / tide_max(TIDE_ETS_LEAST_S, sum[k]);
        turn[k] = 2.0 * TIDE_AT(p->n_obs, 0, k0 + k) + factor[k] * lost[k];
        on[k] = refresh ? TIDE_AT(refresh, 0, k0 + k) : 1.0;
    }
    for (int i = 0; i < n_columns; ++i)
        for (int l = 0; l <= i; ++l)
            TIDE_EACH_OF_CHUNK(k) {
                int at = tide_packed(i, l);
                double h = factor[k] * TIDE_OF(sums, at, k);
                if (form.error == TIDE_MUL) {
                    double gi = TIDE_OF(columns->level, i, k), gl = TIDE_OF(columns->level, l, k);
                    double hi = TIDE_OF(columns->trend, i, k), hl = TIDE_OF(columns->trend, l, k);
                    h = tide_fma(gi, hl, tide_fma(hi, gl - turn[k] * hl, h));
                }
                TIDE_AT(q->hessian, at, k0 + k) = on[k] != 0.0 ? h : TIDE_AT(q->hessian, at, k0 + k);
            }
}

/* The Hessian at q->x, where q->gradient is the penalised gradient, into q->hessian for the lanes whose
 * `refresh` is not 0 (NULL: all). Only the first n_columns parameters: all, or the free ones. q->factor
 * serves as scratch. */
TIDE_FN void tide_ets_gauss(tide_ets_form form, const tide_ets_problem *p, const tide_ets_columns *columns,
                            int n_columns, const tide_boxqn *q, const double *refresh) {
    for (int k0 = 0; k0 < TIDE_LANES; k0 += TIDE_CHUNK) {
        int any = !refresh;
        for (int k = 0; refresh && k < TIDE_CHUNK; ++k)
            any |= refresh[k0 + k] != 0.0;
        if (any)
            tide_ets_gauss_chunk(form, p, columns, n_columns, q, refresh, k0);
    }
}

#endif
