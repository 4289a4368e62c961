/* arima_stepwise.h - the search by steps from order to order, for comparison with R's auto.arima.
 *
 * The path of Hyndman and Khandakar, "Automatic time series forecasting: the forecast package for R", J. Statistical
 * Software 27 (2008), section 3.2, as auto.arima() takes it: the best of (2,2)(1,1), (0,0)(0,0), (1,0)(1,0), (0,1)(0,1),
 * with a constant where there may be one, and (0,0)(0,0) without; from there the moves below, one after the other, each
 * order once; the first that improves the criterion is the new place, and the moves begin anew. It ends when none of them
 * improves, or with 94 orders.
 *
 * Departures from R: likelihoods are exact throughout; roots are kept at root_min by the coordinates instead of orders being
 * thrown away; max_order does not bind here, nor does it there.
 *
 * Lanes go their own ways: a round fits the order that most of the series of the range want next, for all of these, and each
 * of them goes on to its next order; the others wait, and more may want theirs meanwhile, so that lanes fill. What is fitted
 * beside a series does not matter to it. With one lane (a CUDA thread) there is nothing to fill: what the first one wants. */
#ifndef TIDE_ARIMA_STEPWISE_H
#define TIDE_ARIMA_STEPWISE_H

#include "kernels/arima_order.h"

enum { TIDE_ARIMA_STEPS_MOST = 94, TIDE_ARIMA_FIRST = 5, TIDE_ARIMA_MOVES = 17 };
enum {
    TIDE_ARIMA_LIST_MOST = 2 * (TIDE_ARIMA_ORDER_MAX + 1) * (TIDE_ARIMA_ORDER_MAX + 1) *
                           (TIDE_ARIMA_SEASONAL_MAX + 1) * (TIDE_ARIMA_SEASONAL_MAX + 1)
};

/* What move `number` adds to P, Q, p, q. */
TIDE_FN int tide_arima_move(int number, int part) {
    const signed char to[8][2] = {{-1, 0}, {0, -1}, {1, 0}, {0, 1}, {-1, -1}, {-1, 1}, {1, -1}, {1, 1}};
    return part / 2 == number / 8 ? to[number % 8][part % 2] : 0;
}

/* Order `step` of lane k's path from `current`: the first ones, then the moves; 0 where there is none. */
TIDE_FN int tide_arima_step_order(const tide_fit_block *b, const tide_arima_carry *c, int k, int step,
                                  tide_arima_order current, tide_arima_order *o) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    const tide_arima_spec *s = &b->spec->arima;
    const int has = TIDE_AT(c->constant, 0, k) != 0.0, seasonal = tide_arima_seasonal(b->spec->season);
    const int third = (int)TIDE_AT(c->present, 0, k) / 3, year = third / b->spec->season;
    const int p = s->max_p < third ? s->max_p : third, q = s->max_q < third ? s->max_q : third;
    const int P = !seasonal         ? 0
                  : s->max_P < year ? s->max_P
                                    : year,
              Q = !seasonal         ? 0
                  : s->max_Q < year ? s->max_Q
                                    : year;
    *o = current;
    if (step < TIDE_ARIMA_FIRST) {
        const signed char first[TIDE_ARIMA_FIRST][4] = {
            {2, 2, 1, 1}, {0, 0, 0, 0}, {1, 0, 1, 0}, {0, 1, 0, 1}, {0, 0, 0, 0}};
        o->p = first[step][0] < p ? first[step][0] : p;
        o->q = first[step][1] < q ? first[step][1] : q;
        o->P = first[step][2] < P ? first[step][2] : P;
        o->Q = first[step][3] < Q ? first[step][3] : Q;
        o->constant = step < 4 && has;
        return 1;
    }
    step -= TIDE_ARIMA_FIRST;
    if (step == TIDE_ARIMA_MOVES - 1) {
        o->constant = !o->constant;
        return o->constant ? has : 1;
    }
    o->P += tide_arima_move(step, 0);
    o->Q += tide_arima_move(step, 1);
    o->p += tide_arima_move(step, 2);
    o->q += tide_arima_move(step, 3);
    return (o->p >= 0) & (o->q >= 0) & (o->P >= 0) & (o->Q >= 0) & (o->p <= p) & (o->q <= q) & (o->P <= P) &
           (o->Q <= Q);
}

/* The next entry of lane k's path that has not been fitted, into want; -1 at its end. */
TIDE_FN void tide_arima_step_lane(const tide_fit_block *b, const tide_arima_carry *c, int k) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    const tide_fit_spec *spec = b->spec;
    int step = (int)TIDE_AT(c->step, 0, k);
    tide_arima_task task;
    tide_arima_order current, found;
    memset(&current, 0, sizeof current);
    if (TIDE_AT(c->current, 0, k) >= 0.0)
        tide_arima_list(&spec->arima, spec->season, (int)TIDE_AT(c->current, 0, k), &current);
    TIDE_AT(c->want, 0, k) = -1.0;
    for (; step < TIDE_ARIMA_FIRST + TIDE_ARIMA_MOVES; ++step) {
        if (!tide_arima_step_order(b, c, k, step, current, &task.order) ||
            !tide_arima_walk(&spec->arima, spec->season, 0, &task.order, &found, &task.at))
            continue;
        task.at += task.order.constant;
        task.shape.k = task.order.p + task.order.q + task.order.P + task.order.Q;
        if (TIDE_AT(tide_arima_entry(b, c, task.at), 0, k) != TIDE_INF || !tide_arima_allowed(b, c, &task, k))
            continue;
        if (TIDE_AT(c->count, 0, k) < (double)TIDE_ARIMA_STEPS_MOST)
            TIDE_AT(c->want, 0, k) = (double)task.at;
        break;
    }
    TIDE_AT(c->step, 0, k) = (double)(step + 1);
    TIDE_AT(c->count, 0, k) += 1.0;
}

/* The entry to fit next, -1 when no lane wants one. */
TIDE_FN int tide_arima_most_wanted(const tide_fit_block *first) {
#if TIDE_LANES > 1
    int wants[TIDE_ARIMA_LIST_MOST], most = -1;
    for (int at = 0; at < TIDE_ARIMA_LIST_MOST; ++at)
        wants[at] = 0;
#endif
    for (size_t i = 0; i < first->n_blocks; ++i) {
        tide_fit_block b = tide_fit_block_at(first, i);
        tide_arima_carry c = tide_arima_carry_place(&b);
        size_t tide_stride = b.stride;
        (void)tide_stride;
        for (int k = 0; k < TIDE_LANES; ++k) {
            int at = (int)TIDE_AT(c.want, 0, k);
            if (at < 0)
                continue;
#if TIDE_LANES > 1
            ++wants[at];
            most = most < 0 || wants[at] > wants[most] ? at : most;
#else
            return at;
#endif
        }
    }
#if TIDE_LANES > 1
    return most;
#else
    return -1;
#endif
}

/* The whole search for all blocks of the range. */
TIDE_FN void tide_arima_stepwise(const tide_fit_block *first) {
    const tide_arima_how how = {TIDE_ARIMA_WANTED, 1e-5, 1, 0, 4, 2, 0, 1};
    for (int fitted = -1, round = 0; round == 0 || fitted >= 0; ++round) {
        for (size_t i = 0; i < first->n_blocks; ++i) {
            tide_fit_block b = tide_fit_block_at(first, i);
            tide_arima_carry c = tide_arima_carry_place(&b);
            size_t tide_stride = b.stride;
            (void)tide_stride;
            for (int k = 0; k < TIDE_LANES; ++k) {
                if (round == 0) {
                    TIDE_AT(c.step, 0, k) = TIDE_AT(c.count, 0, k) = 0.0;
                    TIDE_AT(c.current, 0, k) = TIDE_AT(c.want, 0, k) = -1.0;
                    TIDE_AT(c.before, 0, k) = TIDE_INF;
                } else if (TIDE_AT(c.want, 0, k) != (double)fitted) {
                    continue;
                } else if (TIDE_AT(c.best, 0, k) < TIDE_AT(c.before, 0, k)) { /* what was wanted is better */
                    TIDE_AT(c.before, 0, k) = TIDE_AT(c.best, 0, k);
                    TIDE_AT(c.current, 0, k) = TIDE_AT(c.want, 0, k);
                    if (TIDE_AT(c.step, 0, k) > (double)TIDE_ARIMA_FIRST)
                        TIDE_AT(c.step, 0, k) = (double)TIDE_ARIMA_FIRST;
                }
                tide_arima_step_lane(&b, &c, k);
            }
        }
        fitted = tide_arima_most_wanted(first);
        if (fitted >= 0)
            tide_arima_fit_entry(first, fitted, how);
    }
}

#endif
