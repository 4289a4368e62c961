/* ets_fit.h - the parts of a fit of one ETS form to a lane block: starts, admissibility, final states. The rounds
 * that join them are in fit_search.h.
 *
 * Starts: for the first one the initial states that suit its coefficients are solved for (a Gauss-Newton step
 * in the states alone; exact for additive error), the others take the same states, and the best two by value
 * are remembered, or the best of two groups (ets_start.h). Each of the two that are kept gets a search of its own; the better end counts.
 *
 * A fit by absolute errors has one start, where the fit by likelihood has ended, and takes its delta from the
 * errors there.
 *
 * Lanes with coefficients of an earlier fit begin with these and search once (ets_warm.h).
 *
 * A trial outside the admissible region, or with an f <= 0 under multiplicative error, is a rejected step. */
#ifndef TIDE_ETS_FIT_H
#define TIDE_ETS_FIT_H

#include "kernels/ets_admissible.h"
#include "kernels/ets_gauss.h"
#include "kernels/ets_start.h"
#include "kernels/ets_warm.h"

enum { TIDE_ETS_REFRESH = 4, TIDE_ETS_REFRESH_LAST = 8 };

/* The two starts of a lane that are kept, and in their place the ends of the searches from them. */
typedef struct tide_ets_kept {
    double *x[2];      /* [n] the best and the second best start; then where its search ended */
    double *value[2];  /* [1] infinite where there is none */
    double *status[2]; /* [1] TIDE_QN_FAILED until its search has ended */
    double *usable;    /* [1] 1 where the lane takes this form */
    double *bar;       /* [1] an objective above it cannot matter any more (fit.h); infinite: all may */
} tide_ets_kept;

/* Workspace of a fit: everything that a form needs besides the problem's own scratch. */
typedef struct tide_ets_work {
    tide_boxqn q;
    tide_ets_columns columns;
    tide_ets_kept kept;      /* of the block at hand */
    double *base;            /* [n] starting states */
    double *begin, *refresh; /* [1] masks */
    double *last_start;      /* [1] the last round of the screening that counts for the lane (ets_warm.h) */
    const double *warm;      /* NULL, or the block's coefficients of this form: c of lane k at [c*32 + k] */
    double *polynomial;      /* [m+2] */
    double *final_state;     /* [2+m] */
    double *final_sum, *final_objective; /* [1] at the best point: S, and Q without the penalty */
    int n_starts, keep;
} tide_ets_work;

/* Doubles a lane of tide_ets_kept for n parameters. */
TIDE_FN size_t tide_ets_kept_size(int n) {
    return 6 + 2 * (size_t)n;
}

TIDE_FN tide_ets_kept tide_ets_kept_place(double *at, int n, size_t tide_stride) {
    (void)tide_stride;
    tide_ets_kept kept;
    kept.usable = at;
    kept.bar = at + TIDE_STRIDE;
    for (int turn = 0; turn < 2; ++turn) {
        kept.value[turn] = at + (size_t)(2 + turn) * TIDE_STRIDE;
        kept.status[turn] = at + (size_t)(4 + turn) * TIDE_STRIDE;
        kept.x[turn] = at + (6 + (size_t)turn * (size_t)n) * TIDE_STRIDE;
    }
    return kept;
}

/* Places everything but `kept` for n parameters of which n_box boxed; returns the end. */
TIDE_FN size_t tide_ets_work_size(int n, int n_box, int m) {
    return tide_boxqn_size(n, n_box) + tide_ets_columns_size(n, m) + (size_t)n + 5 + 2 * (size_t)m + 4;
}

TIDE_FN double *tide_ets_work_place(tide_ets_work *w, double *at, int n, int n_box, int m, size_t stride) {
    size_t tide_stride = stride;
    (void)tide_stride;
    w->q.n = n;
    w->q.n_box = n_box;
    w->q.stride = stride;
    at = tide_boxqn_place(&w->q, at);
    at = tide_ets_columns_place(&w->columns, at, n, m, stride);
    w->base = at;
    at += (size_t)n * TIDE_STRIDE;
    double **scalars[] = {&w->begin, &w->refresh, &w->last_start, &w->final_sum, &w->final_objective};
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; ++i, at += TIDE_STRIDE)
        *scalars[i] = at;
    w->polynomial = at;
    at += (size_t)(m + 2) * TIDE_STRIDE;
    w->final_state = at;
    return at + (size_t)(m + 2) * TIDE_STRIDE;
}

/* trial = the base states with the coefficients of start i. The careful start of multiplicative error follows
 * the data closely and has neither trend nor additive season, so that f > 0 however the series moves. */
TIDE_FN void tide_ets_set_start(tide_ets_form form, const tide_ets_problem *p, const tide_ets_work *w,
                                int i) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    const int n_states = tide_ets_n_states(form, p->n_free);
    tide_ets_guess g = tide_ets_guess_of(form, i);
    for (int c = 0; c < n_states; ++c)
        TIDE_EACH_LANE(k) TIDE_AT(w->q.trial, c, k) = TIDE_AT(w->base, c, k);
    if (form.error == TIDE_MUL && i == TIDE_ETS_CAREFUL) {
        if (form.trend != TIDE_NO)
            TIDE_EACH_LANE(k) TIDE_AT(w->q.trial, 1, k) = 0.0;
        if (form.season == TIDE_ADD && p->n_free > 0) {
            const double *last = p->fixed + (size_t)p->n_free * TIDE_STRIDE;
            const double *relative = p->relative + (size_t)p->n_free * TIDE_STRIDE;
            TIDE_EACH_LANE(k) {
                double level = (TIDE_AT(w->base, 0, k) + TIDE_AT(last, 0, k)) / TIDE_AT(relative, 0, k);
                TIDE_AT(w->q.trial, 0, k) = level - TIDE_AT(last, 0, k);
            }
            for (int c = n_states - p->n_free; c < n_states; ++c)
                TIDE_EACH_LANE(k) TIDE_AT(w->q.trial, c, k) = TIDE_AT(last, 0, k);
        }
    }
    double guess[4];
    int n = 0;
    guess[n++] = g.alpha;
    if (form.trend != TIDE_NO)
        guess[n++] = g.u1;
    if (form.season != TIDE_NO)
        guess[n++] = g.u2;
    if (form.trend == TIDE_DAMPED)
        guess[n++] = g.phi;
    for (int c = 0; c < n; ++c)
        TIDE_EACH_LANE(k) {
            double v = tide_max(guess[c], TIDE_AT(w->q.lower, c, k));
            TIDE_AT(w->q.trial, n_states + c, k) = tide_min(v, TIDE_AT(w->q.upper, c, k));
        }
}

/* Boxes of the coefficients, and the base states from the decomposition. With multiplicative error an
 * additive season begins as the multiplicative one times the level, so that f > 0 where the level is. */
TIDE_FN void tide_ets_prepare(tide_ets_form form, const tide_ets_problem *p, const tide_ets_work *w) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    const int n_core = 1 + (form.trend != TIDE_NO);
    double low[4], high[4];
    int n = 0;
    low[n] = p->lower[0];
    high[n++] = p->upper[0];
    if (form.trend != TIDE_NO) {
        low[n] = 0.0;
        high[n++] = 1.0;
    }
    if (form.season != TIDE_NO) {
        low[n] = 0.0;
        high[n++] = 1.0;
    }
    if (form.trend == TIDE_DAMPED) {
        low[n] = p->lower[3];
        high[n++] = p->upper[3];
    }
    for (int c = 0; c < n; ++c)
        TIDE_EACH_LANE(k) {
            TIDE_AT(w->q.lower, c, k) = low[c];
            TIDE_AT(w->q.upper, c, k) = high[c];
        }
    tide_ets_start_line(form, p, w->base, w->base + (size_t)(n_core - 1) * TIDE_STRIDE);
    if (form.season == TIDE_NO || p->n_free == 0)
        return;
    if (form.error == TIDE_MUL && form.season == TIDE_ADD) {
        double shift[TIDE_LANES], level[TIDE_LANES];
        TIDE_EACH_LANE(k) {
            level[k] = TIDE_AT(w->base, 0, k);
            shift[k] =
                TIDE_AT(p->fixed, p->n_free, k) - (TIDE_AT(p->relative, p->n_free, k) - 1.0) * level[k];
            TIDE_AT(w->base, 0, k) = level[k] - shift[k];
        }
        for (int j = 0; j < p->n_free; ++j)
            TIDE_EACH_LANE(k)
        TIDE_AT(w->base, n_core + j, k) = tide_fma(TIDE_AT(p->relative, j, k) - 1.0, level[k], shift[k]);
    } else {
        for (int j = 0; j < p->n_free; ++j)
            TIDE_EACH_LANE(k) TIDE_AT(w->base, n_core + j, k) = TIDE_AT(p->fixed, j, k);
    }
}

/* Makes trial_value infinite where the lane is not usable (NULL: all are) or the trial is not admissible. */
TIDE_FN void tide_ets_bar(tide_ets_form form, const tide_ets_problem *p, const tide_ets_work *w,
                          const double *usable) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    double bad[TIDE_LANES];
    TIDE_EACH_LANE(k) bad[k] = 0.0;
    if (usable)
        TIDE_EACH_LANE(k) bad[k] = TIDE_AT(usable, 0, k) != 0.0 ? 0.0 : 1.0;
    if (form.season != TIDE_NO && form.trend != TIDE_NO) {
        const int n_states = tide_ets_n_states(form, p->n_free);
        double alpha[TIDE_LANES], beta[TIDE_LANES], gamma[TIDE_LANES], phi[TIDE_LANES];
        TIDE_EACH_LANE(k) {
            tide_ets_theta t = tide_ets_theta_of(form, p, &TIDE_AT(w->q.trial, n_states, k), TIDE_STRIDE);
            alpha[k] = t.par.alpha;
            beta[k] = t.par.beta;
            gamma[k] = t.par.gamma;
            phi[k] = t.par.phi;
        }
        tide_ets_admissible(p->season, alpha, beta, gamma, phi, w->polynomial, p->stride, bad);
    }
    TIDE_EACH_LANE(k) {
        double v = TIDE_AT(w->q.trial_value, 0, k);
        TIDE_AT(w->q.trial_value, 0, k) = (bad[k] == 0.0) & tide_is_finite(v) ? v : TIDE_INF;
    }
}

/* Copies n elements for the lanes whose mask is not 0. */
TIDE_CALLED void tide_lanes_copy(double *to, const double *from, const double *mask, int n,
                                 size_t tide_stride) {
    (void)tide_stride;
    for (int c = 0; c < n; ++c)
        TIDE_EACH_LANE(k) TIDE_AT(to, c, k) = mask[k] != 0.0 ? TIDE_AT(from, c, k) : TIDE_AT(to, c, k);
}

/* A start has been evaluated, at x and at trial (which may be the same): the better one goes into the list of
 * the two best (group -1), or into place `group` if it is the best there. With `base` its states become the starting
 * states of the lane. */
TIDE_CALLED void tide_ets_note_start(const tide_ets_work *w, int n_states, int base, int group) {
    const tide_boxqn *q = &w->q;
    const tide_ets_kept *kept = &w->kept;
    size_t tide_stride = q->stride;
    (void)tide_stride;
    double solved[TIDE_LANES], first[TIDE_LANES], next[TIDE_LANES];
    TIDE_EACH_LANE(k) {
        double a = TIDE_AT(q->trial_value, 0, k), b = TIDE_AT(q->value, 0, k), v = tide_min(a, b);
        double best = TIDE_AT(kept->value[0], 0, k), second = TIDE_AT(kept->value[1], 0, k);
        int to_first = (group != 1) & (v < best), to_second = (group != 0) & (v < second),
            moved = (group < 0) & to_first;
        solved[k] = a < b ? 1.0 : 0.0;
        first[k] = to_first ? 1.0 : 0.0;
        next[k] = to_second ? 1.0 : 0.0;
        TIDE_AT(kept->value[1], 0, k) = moved ? best : to_second ? v : second;
        TIDE_AT(kept->value[0], 0, k) = to_first ? v : best;
    }
    tide_lanes_copy(q->x, q->trial, solved, q->n, tide_stride);
    tide_lanes_copy(kept->x[1], q->x, next, q->n, tide_stride);
    if (group < 0)
        tide_lanes_copy(kept->x[1], kept->x[0], first, q->n, tide_stride);
    tide_lanes_copy(kept->x[0], q->x, first, q->n, tide_stride);
    if (base)
        tide_lanes_copy(w->base, q->x, solved, n_states, tide_stride);
}

/* After the screening of two groups: the better start comes first. */
TIDE_CALLED void tide_ets_rank_starts(const tide_ets_work *w) {
    const tide_boxqn *q = &w->q;
    const tide_ets_kept *kept = &w->kept;
    size_t tide_stride = q->stride;
    (void)tide_stride;
    double turned[TIDE_LANES];
    TIDE_EACH_LANE(k) {
        double a = TIDE_AT(kept->value[0], 0, k), b = TIDE_AT(kept->value[1], 0, k);
        turned[k] = b < a ? 1.0 : 0.0;
        TIDE_AT(kept->value[0], 0, k) = b < a ? b : a;
        TIDE_AT(kept->value[1], 0, k) = b < a ? a : b;
    }
    tide_lanes_copy(q->x, kept->x[0], turned, q->n, tide_stride);
    tide_lanes_copy(kept->x[0], kept->x[1], turned, q->n, tide_stride);
    tide_lanes_copy(kept->x[1], q->x, turned, q->n, tide_stride);
}

/* The better of the two ends of a lane becomes its x, value and status. */
TIDE_CALLED void tide_ets_choose(const tide_ets_work *w) {
    const tide_boxqn *q = &w->q;
    const tide_ets_kept *kept = &w->kept;
    size_t tide_stride = q->stride;
    (void)tide_stride;
    double first[TIDE_LANES], second[TIDE_LANES];
    TIDE_EACH_LANE(k) {
        double a = TIDE_AT(kept->value[0], 0, k), b = TIDE_AT(kept->value[1], 0, k);
        double end_a = TIDE_AT(kept->status[0], 0, k), end_b = TIDE_AT(kept->status[1], 0, k);
        first[k] = a <= b ? 1.0 : 0.0;
        second[k] = a <= b ? 0.0 : 1.0;
        TIDE_AT(q->value, 0, k) = a <= b ? a : b;
        TIDE_AT(q->status, 0, k) = a <= b ? end_a : end_b;
    }
    tide_lanes_copy(q->x, kept->x[0], first, q->n, tide_stride);
    tide_lanes_copy(q->x, kept->x[1], second, q->n, tide_stride);
}

/* After the first start: the last round of the screening that counts for each lane, one more for warm ones.
 * Returns the last one that the block needs. */
TIDE_CALLED int tide_ets_warm_rounds(const tide_ets_work *w) {
    size_t tide_stride = w->q.stride;
    (void)tide_stride;
    int rounds = w->n_starts;
    for (int k = 0; k < TIDE_LANES; ++k) {
        int warm = w->warm && !tide_is_nan(w->warm[k]), last = w->n_starts + warm;
        TIDE_AT(w->last_start, 0, k) = (double)last;
        if (TIDE_AT(w->kept.usable, 0, k) != 0.0 && last > rounds)
            rounds = last;
    }
    return rounds;
}

/* After the screening: warm lanes search once. */
TIDE_CALLED void tide_ets_warm_once(const tide_ets_work *w) {
    size_t tide_stride = w->q.stride;
    (void)tide_stride;
    for (int k = 0; w->warm && k < TIDE_LANES; ++k)
        if (!tide_is_nan(w->warm[k]))
            TIDE_AT(w->kept.value[1], 0, k) = TIDE_INF;
}

/* Marks lanes that want a new Gauss-Newton Hessian; returns whether any does. */
TIDE_CALLED int tide_ets_wants_hessian(const tide_ets_work *w) {
    const tide_boxqn *q = &w->q;
    size_t tide_stride = q->stride;
    (void)tide_stride;
    int any = 0;
    TIDE_EACH_LANE(k) {
        double r = TIDE_AT(q->round, 0, k);
        int due = (r == 0.0) | (r == (double)TIDE_ETS_REFRESH) | (r == (double)TIDE_ETS_REFRESH_LAST);
        TIDE_AT(w->refresh, 0, k) = due & (TIDE_AT(q->status, 0, k) == TIDE_QN_RUNNING) ? 1.0 : 0.0;
    }
    for (int k = 0; k < TIDE_LANES; ++k)
        any |= TIDE_AT(w->refresh, 0, k) != 0.0;
    return any;
}

/* Final states at each lane's own length, S = sum e^2 and Q (by absolute errors with delta 0) at the best
 * point. Free seasonal states are normalised first (sum 0 or mean 1, the level takes up the rest), as R
 * reports them; f does not change by that. */
TIDE_FN void tide_ets_finish(tide_ets_form form, const tide_ets_problem *p, const tide_ets_work *w,
                             const int32_t *length) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    const int m = form.season == TIDE_NO ? 1 : p->season;
    const int n_states = tide_ets_n_states(form, p->n_free), n_core = 1 + (form.trend != TIDE_NO);
    const double *x = w->q.x;
    double level[TIDE_LANES], trend[TIDE_LANES], sum[TIDE_LANES], prod[TIDE_LANES], expo[TIDE_LANES];
    double alpha[TIDE_LANES], beta[TIDE_LANES], gamma[TIDE_LANES], phi[TIDE_LANES], mean[TIDE_LANES];
    double total[TIDE_LANES]; /* sum |e| */
    TIDE_EACH_LANE(k) {
        tide_ets_theta t = tide_ets_theta_of(form, p, &TIDE_AT(x, n_states, k), TIDE_STRIDE);
        alpha[k] = t.par.alpha;
        beta[k] = t.par.beta;
        gamma[k] = t.par.gamma;
        phi[k] = t.par.phi;
        level[k] = TIDE_AT(x, 0, k);
        trend[k] = form.trend != TIDE_NO ? TIDE_AT(x, 1, k) : 0.0;
        sum[k] = total[k] = expo[k] = mean[k] = 0.0;
        prod[k] = 1.0;
    }
    if (form.season != TIDE_NO)
        tide_ets_fill_ring(p, x + (size_t)n_core * TIDE_STRIDE);
    if (form.season != TIDE_NO && p->n_free > 0) {
        for (int j = 0; j < m; ++j)
            TIDE_EACH_LANE(k) mean[k] += TIDE_AT(p->ring, j, k) / (double)m;
        TIDE_EACH_LANE(k) {
            level[k] = form.season == TIDE_MUL ? level[k] * mean[k] : level[k] + mean[k];
            if (form.season == TIDE_MUL)
                trend[k] *= mean[k];
        }
        for (int j = 0; j < m; ++j)
            TIDE_EACH_LANE(k) {
                double s = TIDE_AT(p->ring, j, k);
                TIDE_AT(p->ring, j, k) = form.season == TIDE_MUL ? s / mean[k] : s - mean[k];
            }
    }
    int j = 0;
    for (int32_t t = 0; t < p->rows; ++t) {
        const double *y = p->y + (size_t)t * TIDE_TILE_WIDTH;
        double *ring = p->ring + (size_t)j * TIDE_STRIDE;
        TIDE_EACH_LANE(k) {
            tide_ets_par par = {alpha[k], beta[k], gamma[k], phi[k]};
            double season = form.season != TIDE_NO ? TIDE_AT(ring, 0, k) : 0.0;
            tide_ets_moment o = tide_ets_moment_of(form, par, y[k], level[k], trend[k], season);
            double e = tide_is_nan(y[k]) ? 0.0 : o.e;
            int on = t < length[k];
            sum[k] = tide_fma(e, e, sum[k]);
            total[k] += tide_abs(e);
            if (form.error == TIDE_MUL) {
                prod[k] *= tide_is_nan(y[k]) ? 1.0 : o.f;
                tide_ets_split(&prod[k], &expo[k]);
            }
            level[k] = on ? o.level : level[k];
            trend[k] = on ? o.trend : trend[k];
            if (form.season != TIDE_NO)
                TIDE_AT(ring, 0, k) = on ? o.season : season;
        }
        j = j + 1 < m ? j + 1 : 0;
    }
    TIDE_EACH_LANE(k) {
        TIDE_AT(w->final_sum, 0, k) = sum[k];
        TIDE_AT(w->final_objective, 0, k) = tide_ets_objective(
            TIDE_AT(p->n_obs, 0, k), p->delta ? 2.0 : 1.0, p->delta ? total[k] : sum[k], prod[k], expo[k]);
        TIDE_AT(w->final_state, 0, k) = level[k];
        TIDE_AT(w->final_state, 1, k) = trend[k];
    }
    for (int i = 0; i < p->season; ++i)
        for (int k = 0; k < TIDE_LANES; ++k)
            TIDE_AT(w->final_state, 2 + i, k) =
                form.season != TIDE_NO ? TIDE_AT(p->ring, (length[k] + i) % m, k) : 0.0;
}

#endif
