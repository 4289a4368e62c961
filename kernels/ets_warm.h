/* ets_warm.h - a search that begins from coefficients found before (tide_tiles.warm).
 *
 * A lane that has them takes them as its first start, for which the states are solved, then screens all the
 * cold starts by their value as ever (the first of them in a round of its own after the others), and then
 * searches once, from the best. A lane's starts, and so its bits, depend on that lane alone; a block screens
 * for as many rounds as its slowest lane needs (tide_ets_warm_rounds, ets_fit.h).
 *
 * Measured while cold fits searched twice for every form (bench/warm.sh, 5 % new data; time and likelihoods
 * within 1e-3 of the cold fit): with the stored coefficients as the only start, 0.58 and 99.3 % on 20,000
 * simulated monthly series, 0.62 and 97.5 % on 709 of the M3 competition, likelihood mode. With the
 * screening, which is values without gradients and so a small part of a fit, 0.44 and 99.4 %, 0.43 and 98.0
 * %: what takes the time is the second search, and searches from a poor start.
 *
 * Stored are alpha, beta, gamma and phi, while the search moves shares u1 and u2 of ranges that depend on
 * alpha and phi (ets_eval.h): these are inverted here and clamped. */
#ifndef TIDE_ETS_WARM_H
#define TIDE_ETS_WARM_H

#include "kernels/batch.h"
#include "kernels/boxqn.h"
#include "kernels/ets_eval.h"

/* Share u in [0, 1] of a range that begins at `low`. */
TIDE_FN double tide_ets_share(double value, double low, double range) {
    double u = (value - low) / range;
    return range > 0.0 ? tide_min(tide_max(u, 0.0), 1.0) : 0.0;
}

/* Over the cold start that q->trial holds: the stored coefficients of the lanes that have them. One that is
 * not stored (the form that they come from had none) stays as it is. warm: NULL, or c of lane k at
 * [c*TIDE_TILE_WIDTH + k]. */
TIDE_FN void tide_ets_warm_start(tide_ets_form form, const tide_ets_problem *p, const tide_boxqn *q,
                                 const double *warm) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    if (!warm)
        return;
    const int at = tide_ets_n_states(form, p->n_free), trend = form.trend != TIDE_NO,
              season = form.season != TIDE_NO;
    TIDE_EACH_LANE(k) {
        double alpha = warm[k], beta = warm[TIDE_TILE_WIDTH + k], gamma = warm[2 * TIDE_TILE_WIDTH + k],
               phi = warm[3 * TIDE_TILE_WIDTH + k];
        int on = !tide_is_nan(alpha);
        double a = tide_min(tide_max(alpha, TIDE_AT(q->lower, 0, k)), TIDE_AT(q->upper, 0, k));
        TIDE_AT(q->trial, at, k) = on ? a : TIDE_AT(q->trial, at, k);
        if (form.trend == TIDE_DAMPED) {
            const int c = 1 + trend + season; /* the boxes are numbered from alpha on */
            double v = tide_min(tide_max(phi, TIDE_AT(q->lower, c, k)), TIDE_AT(q->upper, c, k));
            TIDE_AT(q->trial, at + c, k) = on & !tide_is_nan(phi) ? v : TIDE_AT(q->trial, at + c, k);
        }
        tide_ets_theta t = tide_ets_theta_of(form, p, &TIDE_AT(q->trial, at, k), TIDE_STRIDE);
        if (trend)
            TIDE_AT(q->trial, at + 1, k) = on & !tide_is_nan(beta)
                                               ? tide_ets_share(beta, p->lower[1], t.beta_u)
                                               : TIDE_AT(q->trial, at + 1, k);
        if (season)
            TIDE_AT(q->trial, at + 1 + trend, k) = on & !tide_is_nan(gamma)
                                                       ? tide_ets_share(gamma, p->lower[2], t.gamma_u)
                                                       : TIDE_AT(q->trial, at + 1 + trend, k);
    }
}

/* A start that does not count for a lane loses its value. */
TIDE_FN void tide_ets_warm_shut(const tide_boxqn *q, const double *last_start, int round) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    TIDE_EACH_LANE(k) {
        double v = TIDE_AT(q->trial_value, 0, k);
        TIDE_AT(q->trial_value, 0, k) = (double)round <= TIDE_AT(last_start, 0, k) ? v : TIDE_INF;
    }
}

#endif
