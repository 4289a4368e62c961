/* fit_search.h - the rounds of a fit: screening of starts, and searches that run through the lanes.
 *
 * All lanes go through the same rounds; a round is one evaluation at each lane's trial point and then updates
 * under masks (boxqn.h). Screening takes the same number of rounds for every series, so it goes block by block.
 * A search takes as long as it takes (15 rounds in the median, some 100 in the worst of 32): the starts that
 * were kept are a job in the queue of the range, searched from one after the other, and a lane whose job has ended
 * loads the next one, with the values of its series. The Gauss-Newton Hessian is taken at a job's own rounds 0, 4 and 8, and lanes
 * are loaded at multiples of 4, so that these fall together for all of them.
 *
 * When and in which lane a job runs, beside which others, and over how many rows of missing values past the end
 * of its series, changes no bit of it. A CUDA thread has the queue of its own series: the two starts. */
#ifndef TIDE_FIT_SEARCH_H
#define TIDE_FIT_SEARCH_H

#include "kernels/fit_work.h"

/* A search is given up when its steps are hardly damped and its value, less three times what it has gained since it
 * was looked at last (four rounds ago) and a slack, is still above what it aims at: the bar of the series for this
 * form (fit.h), or what the search from the first start has found. The second start is searched from only where the
 * first search has ended at most so far above the bar. On the 1,470 series of M3's development half, 15 forms,
 * likelihood mode, this halves the rounds, and the criterion of the choice is worse than without for 8 series. */
#define TIDE_FIT_SLACK_BAR 12.0
#define TIDE_FIT_SLACK_FIRST 2.0
#define TIDE_FIT_SECOND_MAX 8.0
#define TIDE_FIT_LAMBDA_MAX 0.1

/* The queue of a range for one form. Job j: the series in lane j % TIDE_LANES of block j / TIDE_LANES. */
typedef struct tide_fit_feed {
    const tide_fit_block *first;
    size_t next, end;           /* jobs not yet loaded */
    size_t job[TIDE_LANES];     /* job of the lane; TIDE_FIT_IDLE: none */
    int turn[TIDE_LANES];       /* 0: searches from the first start, 1: from the second */
    int32_t length[TIDE_LANES]; /* steps of the series in the lane; 0 for none */
    int32_t filled[TIDE_LANES]; /* steps of y_flight that may hold values */
    double *n_obs, *delta, *fixed, *y; /* of the series in flight */
} tide_fit_feed;

#define TIDE_FIT_IDLE ((size_t)-1)

/* No starts yet. */
TIDE_FN void tide_ets_kept_begin(const tide_ets_work *w) {
    size_t tide_stride = w->q.stride;
    (void)tide_stride;
    for (int turn = 0; turn < 2; ++turn)
        TIDE_EACH_LANE(k) {
            TIDE_AT(w->kept.value[turn], 0, k) = TIDE_INF;
            TIDE_AT(w->kept.status[turn], 0, k) = TIDE_QN_FAILED;
        }
}

/* Fills the queue with the jobs of the range that begins at `first`, all lanes idle, and makes p the problem of
 * the series in flight. */
TIDE_FN void tide_fit_feed_begin(tide_fit_feed *feed, const tide_fit_block *first, tide_ets_problem *p,
                                 const tide_ets_work *w) {
    size_t tide_stride = first->stride;
    (void)tide_stride;
    feed->first = first;
    feed->next = 0;
    feed->end = first->n_blocks * TIDE_LANES;
    for (int k = 0; k < TIDE_LANES; ++k) {
        feed->job[k] = TIDE_FIT_IDLE;
        feed->turn[k] = 0;
        feed->length[k] = feed->filled[k] = 0;
    }
    TIDE_EACH_LANE(k) {
        TIDE_AT(w->q.status, 0, k) = TIDE_QN_FAILED;
        TIDE_AT(w->q.aim, 0, k) = TIDE_AT(w->q.mark, 0, k) = TIDE_INF;
    }
#if TIDE_LANES > 1
    tide_fit_work f = tide_fit_place(first);
    feed->n_obs = f.n_obs_flight;
    feed->delta = f.delta_flight;
    feed->fixed = f.fixed_flight;
    feed->y = first->y_flight;
    TIDE_EACH_LANE(k) TIDE_AT(feed->n_obs, 0, k) = TIDE_AT(feed->delta, 0, k) = 1.0;
    for (int j = 0; j < p->season; ++j)
        TIDE_EACH_LANE(k) TIDE_AT(feed->fixed, j, k) = 1.0;
    for (int i = 0; i < w->q.n; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(w->q.x, i, k) = TIDE_AT(w->q.trial, i, k) = 0.5;
    for (size_t i = 0; i < (size_t)first->rows * TIDE_TILE_WIDTH; ++i)
        feed->y[i] = TIDE_NAN;
    p->n_obs = feed->n_obs;
    p->delta = p->delta ? feed->delta : NULL;
    p->fixed = feed->fixed;
    p->y = feed->y;
#else
    (void)p;
#endif
}

/* Puts the values of the series in lane `from` of block b into lane k; one lane reads them in place. */
TIDE_FN void tide_fit_load_series(tide_fit_feed *feed, const tide_fit_block *b, int from, int k,
                                  tide_ets_problem *p, int season_kind) {
    tide_fit_work f = tide_fit_place(b);
    int32_t length = b->tiles->length[tide_fit_lane(b, from)];
    feed->length[k] = length;
    const double *y = tide_fit_y(b) + from, *fixed = season_kind == TIDE_MUL ? f.season_mul : f.season_add;
#if TIDE_LANES == 1
    p->n_obs = f.n_obs;
    p->delta = p->delta ? f.delta : NULL;
    p->fixed = fixed;
    p->y = y;
#else
    for (int32_t t = 0; t < length; ++t)
        feed->y[(size_t)t * TIDE_TILE_WIDTH + (size_t)k] = y[(size_t)t * TIDE_TILE_WIDTH];
    for (int32_t t = length; t < feed->filled[k]; ++t)
        feed->y[(size_t)t * TIDE_TILE_WIDTH + (size_t)k] = TIDE_NAN;
    feed->filled[k] = length;
    TIDE_AT(feed->n_obs, 0, k) = TIDE_AT(f.n_obs, 0, from);
    if (p->delta)
        TIDE_AT(feed->delta, 0, k) = TIDE_AT(f.delta, 0, from);
    for (int j = 0; season_kind != TIDE_NO && j < p->season; ++j)
        TIDE_AT(feed->fixed, j, k) = TIDE_AT(fixed, j, from);
#endif
}

/* Gives up searches without hope. */
TIDE_FN void tide_fit_give_up(const tide_fit_feed *feed, const tide_boxqn *q) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    for (int k = 0; k < TIDE_LANES; ++k) {
        double value = TIDE_AT(q->value, 0, k), gain = TIDE_AT(q->mark, 0, k) - value;
        double slack = feed->turn[k] > 0 ? TIDE_FIT_SLACK_FIRST : TIDE_FIT_SLACK_BAR;
        if (TIDE_AT(q->status, 0, k) == TIDE_QN_RUNNING && TIDE_AT(q->lambda, 0, k) < TIDE_FIT_LAMBDA_MAX &&
            value - 3.0 * gain - slack > TIDE_AT(q->aim, 0, k))
            TIDE_AT(q->status, 0, k) = TIDE_QN_GIVEN_UP;
        TIDE_AT(q->mark, 0, k) = value;
    }
}

/* Makes start `turn` of lane `at` of the block the trial of lane k. */
TIDE_FN void tide_fit_load_start(tide_fit_feed *feed, const tide_ets_work *w, const tide_ets_kept *kept, int turn,
                                 size_t at, int k, double aim) {
    const tide_boxqn *q = &w->q;
    size_t tide_stride = q->stride;
    (void)tide_stride;
    for (int i = 0; i < q->n; ++i)
        TIDE_AT(q->trial, i, k) = TIDE_AT(kept->x[turn], i, at);
    TIDE_AT(w->begin, 0, k) = 1.0;
    TIDE_AT(q->aim, 0, k) = aim;
    TIDE_AT(q->mark, 0, k) = TIDE_AT(kept->value[turn], 0, at);
    feed->turn[k] = turn;
}

/* The lanes that have ended store their ends and load their second start, where it is to be searched from, or
 * else the next jobs: marked in w->begin, with the start as their trial. Returns how many lanes have a job. */
TIDE_FN int tide_fit_exchange(tide_ets_form form, tide_fit_feed *feed, tide_ets_problem *p,
                              const tide_ets_work *w) {
    const tide_boxqn *q = &w->q;
    size_t tide_stride = q->stride;
    (void)tide_stride;
    int busy = 0;
    int32_t rows = 1;
    for (int k = 0; k < TIDE_LANES; ++k) {
        TIDE_AT(w->begin, 0, k) = 0.0;
        if (TIDE_AT(q->status, 0, k) != TIDE_QN_RUNNING) {
            if (feed->job[k] != TIDE_FIT_IDLE) {
                size_t series = feed->job[k], at = series % TIDE_LANES;
                int turn = feed->turn[k];
                tide_fit_block b = tide_fit_block_at(feed->first, series / TIDE_LANES);
                tide_ets_kept kept = tide_ets_kept_place(tide_fit_place(&b).kept, q->n, q->stride);
                double value = TIDE_AT(q->value, 0, k), bar = TIDE_AT(kept.bar, 0, at);
                for (int i = 0; i < q->n; ++i)
                    TIDE_AT(kept.x[turn], i, at) = TIDE_AT(q->x, i, k);
                TIDE_AT(kept.value[turn], 0, at) = value;
                TIDE_AT(kept.status[turn], 0, at) = TIDE_AT(q->status, 0, k);
                if (turn == 0 && w->keep > 1 && TIDE_AT(kept.value[1], 0, at) < TIDE_INF &&
                    value - TIDE_FIT_SECOND_MAX <= bar) {
                    tide_fit_load_start(feed, w, &kept, 1, at, k, tide_min(value, bar));
                } else {
                    if (turn == 0)
                        TIDE_AT(kept.value[1], 0, at) = TIDE_INF;
                    feed->job[k] = TIDE_FIT_IDLE;
                    feed->length[k] = 0;
                }
            }
            while (feed->next < feed->end && feed->job[k] == TIDE_FIT_IDLE) {
                size_t series = feed->next++, at = series % TIDE_LANES;
                tide_fit_block b = tide_fit_block_at(feed->first, series / TIDE_LANES);
                tide_ets_kept kept = tide_ets_kept_place(tide_fit_place(&b).kept, q->n, q->stride);
                if (TIDE_AT(kept.usable, 0, at) == 0.0 || !(TIDE_AT(kept.value[0], 0, at) < TIDE_INF))
                    continue;
                tide_fit_load_series(feed, &b, (int)at, k, p, form.season);
                tide_fit_load_start(feed, w, &kept, 0, at, k, TIDE_AT(kept.bar, 0, at));
                feed->job[k] = series;
            }
        }
        busy += feed->job[k] != TIDE_FIT_IDLE;
        rows = feed->length[k] > rows ? feed->length[k] : rows;
    }
    p->rows = rows;
    return busy;
}

/* Screens the starts of a block (feed NULL; start 0 is the trial) and leaves the two best in w->kept, or runs
 * the searches of a queue until it is empty. */
TIDE_FN void tide_fit_rounds(tide_ets_form form, tide_ets_problem *p, const tide_ets_work *w,
                             tide_fit_feed *feed) {
    const tide_boxqn *q = &w->q;
    const int n_states = tide_ets_n_states(form, p->n_free);
    const double gentle = 1e-6, first_lambda = 1e-2;
    int last = w->n_starts; /* round of the screening */
    for (int round = 0;; ++round) {
        const int loading = feed && round % TIDE_ETS_REFRESH == 0;
        if (loading)
            tide_fit_give_up(feed, q);
        if (loading && tide_fit_exchange(form, feed, p, w) == 0)
            return;
        int valued = !feed && round > 0; /* no gradient needed */
        tide_ets_eval(form, p, q->trial, q->trial_value, valued ? NULL : q->trial_gradient);
        tide_ets_bar(form, p, w, feed ? NULL : w->kept.usable);
        int wanted = n_states + tide_ets_n_box(form);
        const double *refresh = NULL;
        if (feed) {
            if (round > 0)
                tide_boxqn_update(q);
            if (loading)
                tide_boxqn_start(q, w->begin, first_lambda);
            refresh = w->refresh;
            if (!tide_ets_wants_hessian(w))
                wanted = 0;
        } else if (round == 0) { /* the first start as it is: solve for its states */
            tide_boxqn_start(q, NULL, gentle);
            wanted = n_states;
        } else { /* it with its states solved for, then the others with the same states */
            if (round > 1) {
                tide_ets_warm_shut(q, w->last_start, round);
                tide_boxqn_start(q, NULL, gentle);
            }
            int group = w->keep > 1 ? tide_ets_start_group(form, round <= w->n_starts ? round - 1 : 0) : -1;
            tide_ets_note_start(w, n_states, round == 1, group);
            if (round == 1)
                last = tide_ets_warm_rounds(w);
            if (round == last) {
                if (group >= 0)
                    tide_ets_rank_starts(w);
                tide_ets_warm_once(w);
                return;
            }
            tide_ets_set_start(form, p, w, round < w->n_starts ? round : 0);
            continue;
        }
        if (wanted > 0)
            tide_ets_gauss(form, p, &w->columns, wanted, q, refresh);
        tide_boxqn_propose(q, !feed);
    }
}

#endif
