/* arima_order.h - the best coefficients of one order for all series of a range, and the member that they make.
 *
 * Where a search begins: from the optima of the largest orders nested in this one, as far as there are any (one coefficient
 * less; without the constant), with 0 for the new coordinate, and from a few fixed points: the best of these. A fixed order
 * follows all of its fixed points roughly, and then the best ends of these to the end, since many share a basin: on 7,245 fits of
 * M3 99.5 % reach R's likelihood so, against 97.3 % with the best two points alone. Each start that is kept is a job in the queue
 * of the range; a lane that has ended one loads the next, as in fit_search.h, with the series' differences. Nothing of a job
 * depends on when and where it runs, nor on what else does.
 *
 * The end of a series is compared by criterion with the member so far, and replaces it (fit.h). It is a member when
 * nu > n_params + 1, so that AICc exists. */
#ifndef TIDE_ARIMA_ORDER_H
#define TIDE_ARIMA_ORDER_H

#include "kernels/arima_begin.h"
#include "kernels/fit.h"

#define TIDE_LOG_2PI 1.8378770664093453

#define TIDE_ARIMA_ROUGH 0.2  /* tolerance of the searches that find out where to search */
#define TIDE_ARIMA_SAME 1e-2  /* ends nearer than this are of one optimum */
#define TIDE_ARIMA_WINDOW 2.5 /* of the criterion: orders that are polished */
#define TIDE_ARIMA_SLACK 1.0  /* of the criterion: a search that will end this far above the member is given up */

/* Which lanes an order is fitted for. */
typedef enum tide_arima_who {
    TIDE_ARIMA_ALL,    /* all that may have it */
    TIDE_ARIMA_LIKELY, /* those of them where its criterion is within TIDE_ARIMA_WINDOW of the best of the screening */
    TIDE_ARIMA_REST,   /* those where it is within it of the member, and has not been fitted to the end */
    TIDE_ARIMA_WANTED  /* those whose `want` it is */
} tide_arima_who;

typedef struct tide_arima_how {
    tide_arima_who who;
    double tolerance;
    int member; /* 1: the end may become the member; 0: it only goes into the table */
    int again;  /* 1: begins from its entry of the table, and from the second best of the nested optima */
    int starts; /* fixed points tried; 0: only nested optima, and the origin where there are none */
    int keep;   /* of the starts, 1 .. TIDE_ARIMA_KEEP */
    int finish; /* of their ends at TIDE_ARIMA_ROUGH, followed to the end; 0: all, at once */
    int sparse; /* 1: few lanes take part */
} tide_arima_how;

/* An order's fit. */
typedef struct tide_arima_task {
    int at; /* entry of the list */
    tide_arima_order order;
    tide_arima_shape shape;
    tide_arima_how how;
} tide_arima_task;

/* The queue of a range for one order. */
typedef struct tide_arima_feed {
    const tide_fit_block *first;
    size_t next, end;
    size_t job[TIDE_LANES];
    int32_t rows[TIDE_LANES], filled[TIDE_LANES];
    int n_missing[TIDE_LANES], pairs[TIDE_LANES];
} tide_arima_feed;

/* n_params of lane k: coefficients and the variance. */
TIDE_FN int tide_arima_n_params(const tide_fit_block *b, const tide_arima_carry *c,
                                const tide_arima_task *task, int k) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    return task->shape.k + task->order.constant + 2 * (int)TIDE_AT(c->pairs, 0, k) + (int)TIDE_AT(c->n_xreg, 0, k) + 1;
}

/* log likelihood of lane k on the scale of the data, from the objective. */
TIDE_FN double tide_arima_loglik(const tide_fit_block *b, const tide_arima_carry *c, int k,
                                 double objective) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    double nu = TIDE_AT(c->nu, 0, k), scale = b->tiles->scale[tide_fit_lane(b, k)];
    return -0.5 * tide_fma(nu, 1.0 + TIDE_LOG_2PI, objective) + TIDE_AT(c->jacobian, 0, k) -
           nu * tide_log(scale);
}

/* The criterion of lane k at its value in the table. */
TIDE_FN double tide_arima_criterion(const tide_fit_block *b, const tide_arima_carry *c,
                                    const tide_arima_task *task, int k) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    double value = TIDE_AT(tide_arima_entry(b, c, task->at), 0, k);
    if (!(value < TIDE_INF))
        return TIDE_INF;
    return tide_criterion_value(b->spec->criterion, tide_arima_loglik(b, c, k, value),
                                tide_arima_n_params(b, c, task, k), (int)TIDE_AT(c->nu, 0, k));
}

/* May lane k have the order? */
TIDE_FN int tide_arima_allowed(const tide_fit_block *b, const tide_arima_carry *c,
                               const tide_arima_task *task, int k) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    const tide_arima_order *o = &task->order;
    const double third = TIDE_AT(c->present, 0, k) / 3.0, season = (double)b->spec->season;
    const int has = TIDE_AT(c->constant, 0, k) != 0.0;
    if (!(TIDE_AT(c->nu, 0, k) > (double)(tide_arima_n_params(b, c, task, k) + 1)) || (o->constant && !has))
        return 0;
    if (b->spec->arima.fixed)
        return o->constant || !has;
    return (double)o->p <= third && (double)o->q <= third && season * (double)o->P <= third &&
           season * (double)o->Q <= third && (TIDE_AT(c->flat, 0, k) == 0.0 || task->shape.k == 0);
}

/* Marks the lanes that the order is fitted for; returns whether any is. */
TIDE_FN int tide_arima_takes(const tide_fit_block *b, const tide_arima_carry *c,
                             const tide_arima_task *task) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    tide_fit_work f = tide_fit_place(b);
    int any = 0;
    for (int k = 0; k < TIDE_LANES; ++k) {
        int ok = tide_arima_allowed(b, c, task, k);
        if (ok && task->how.who == TIDE_ARIMA_LIKELY)
            ok = tide_arima_criterion(b, c, task, k) < TIDE_AT(c->screened, 0, k) + TIDE_ARIMA_WINDOW;
        if (ok && task->how.who == TIDE_ARIMA_REST)
            ok = TIDE_AT(tide_arima_polished(b, c, task->at), 0, k) == 0.0 &&
                 tide_arima_criterion(b, c, task, k) < TIDE_AT(c->best, 0, k) + TIDE_ARIMA_WINDOW;
        if (task->how.who == TIDE_ARIMA_WANTED)
            ok = TIDE_AT(c->want, 0, k) == (double)task->at;
        TIDE_AT(c->usable, 0, k) = ok ? 1.0 : 0.0;
        if (ok)
            TIDE_AT(f.tried, 0, k) = 1.0;
        any |= ok;
    }
    return any;
}

/* ---- series in flight ---- */

TIDE_FN void tide_arima_flight_begin(tide_arima_feed *feed, const tide_fit_block *b,
                                     const tide_arima_flight_work *w, const tide_arima_task *task) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    feed->first = b;
    feed->next = feed->end = 0;
    for (int k = 0; k < TIDE_LANES; ++k) {
        feed->job[k] = TIDE_FIT_IDLE;
        feed->rows[k] = feed->filled[k] = feed->n_missing[k] = feed->pairs[k] = 0;
    }
    tide_arima_fill(w->w, b->rows, TIDE_NAN, tide_stride);
    tide_arima_fill(w->missing, TIDE_ARIMA_MISSING_MAX, TIDE_ARIMA_NEVER, tide_stride);
    tide_arima_fill(w->weight, TIDE_ARIMA_WEIGHTS, 0.0, tide_stride);
    tide_arima_fill(w->n, 1, 0.0, tide_stride);
    tide_arima_fill(w->constant, 1, 0.0, tide_stride);
    tide_arima_fill(w->reg, tide_arima_regressors(&b->spec->arima) * b->rows, 0.0, tide_stride);
    tide_arima_fill(w->begin, 1, 0.0, tide_stride);
    tide_arima_fill(w->q.status, 1, TIDE_QN_FAILED, tide_stride);
    tide_arima_fill(w->q.aim, 1, TIDE_INF, tide_stride);
    tide_arima_fill(w->q.mark, 1, 0.0, tide_stride);
    tide_arima_fill(w->q.x, task->shape.k, 0.0, tide_stride);
    tide_arima_fill(w->q.trial, task->shape.k, 0.0, tide_stride);
    tide_arima_fill(w->q.hessian, tide_packed(task->shape.k, 0), 0.0, tide_stride);
}

/* The differences of the series in lane `from` into lane k, with the mean taken off where the order has a constant. */
TIDE_FN void tide_arima_load_values(const tide_arima_feed *feed, const tide_arima_carry *c, int from, int k,
                                    const tide_arima_flight_work *w, const tide_arima_task *task) {
    size_t tide_stride = task->shape.stride;
    (void)tide_stride;
    const int rows = (int)TIDE_AT(c->n, 0, from);
    const double mean = task->order.constant ? TIDE_AT(c->mean, 0, from) : 0.0;
    for (int t = 0; t < rows; ++t)
        TIDE_AT(w->w, t, k) = TIDE_AT(c->w, t, from) - mean;
    for (int t = rows; t < feed->filled[k]; ++t)
        TIDE_AT(w->w, t, k) = TIDE_NAN;
}

/* All else of the series in lane `from` of block b into lane k. */
TIDE_FN void tide_arima_load(tide_arima_feed *feed, const tide_fit_block *b, const tide_arima_carry *c,
                             int from, int k, const tide_arima_flight_work *w, const tide_arima_task *task) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    const int rows = (int)TIDE_AT(c->n, 0, from), n_missing = (int)TIDE_AT(c->n_missing, 0, from);
    for (int j = 0; j < n_missing || j < feed->n_missing[k]; ++j)
        TIDE_AT(w->missing, j, k) = TIDE_AT(c->missing, j, from);
    for (int j = 0; j < TIDE_ARIMA_WEIGHTS; ++j)
        TIDE_AT(w->weight, j, k) = TIDE_AT(c->weight, j, from);
    for (int j = 0; j < tide_arima_regressors(&b->spec->arima); ++j) {
        const int lag[TIDE_ARIMA_WEIGHTS] = {
            0, 1, 2, b->spec->season, b->spec->season + 1, b->spec->season + 2};
        const int skip = (int)(TIDE_AT(c->steps, 0, from)) - rows;
        double *reg = w->reg + (size_t)j * (size_t)b->rows * TIDE_STRIDE;
        for (int t = 0; t < rows; ++t) {
            double x = 0.0;
            for (int i = 0; i < TIDE_ARIMA_WEIGHTS; ++i) {
                double weight = TIDE_AT(c->weight, i, from);
                if (weight != 0.0)
                    x = tide_fma(weight, tide_arima_regressor(b, c, j, t + skip - lag[i], from), x);
            }
            TIDE_AT(reg, t, k) = x;
        }
        for (int t = rows; t < feed->filled[k]; ++t)
            TIDE_AT(reg, t, k) = 0.0;
    }
    TIDE_AT(w->n, 0, k) = (double)rows;
    TIDE_AT(w->constant, 0, k) = task->order.constant ? TIDE_AT(c->constant, 0, from) : 0.0;
    feed->rows[k] = feed->filled[k] = rows;
    feed->n_missing[k] = n_missing;
    feed->pairs[k] = (int)TIDE_AT(c->pairs, 0, from);
}

/* The data of what is in flight. */
TIDE_FN tide_arima_data tide_arima_flight(const tide_arima_feed *feed, const tide_fit_block *b,
                                          const tide_arima_flight_work *w, const tide_arima_task *task) {
    tide_arima_data d;
    d.stride = b->stride;
    d.rows = 1;
    d.m = b->spec->season;
    d.n = w->n;
    d.w = w->w;
    d.n_missing = 0;
    d.missing = w->missing;
    d.weight = w->weight;
    d.n_constant = task->order.constant;
    d.constant = w->constant;
    d.n_reg = b->spec->arima.xreg ? tide_arima_regressors(&b->spec->arima) : 0;
    d.reg = w->reg;
    d.reg_rows = b->rows;
    for (int k = 0; k < TIDE_LANES; ++k) {
        d.rows = feed->rows[k] > d.rows ? feed->rows[k] : d.rows;
        d.n_missing = feed->n_missing[k] > d.n_missing ? feed->n_missing[k] : d.n_missing;
        if (!b->spec->arima.xreg) /* pairs past the most of a lane are zero columns at the end: left out */
            d.n_reg = 2 * feed->pairs[k] > d.n_reg ? 2 * feed->pairs[k] : d.n_reg;
    }
    return d;
}

/* All series of block b, each in its own lane. */
TIDE_FN tide_arima_data tide_arima_load_block(const tide_fit_block *b, const tide_arima_carry *c,
                                              const tide_arima_flight_work *w, const tide_arima_task *task) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    tide_arima_feed feed;
    tide_arima_flight_begin(&feed, b, w, task);
    for (int k = 0; k < TIDE_LANES; ++k)
        tide_arima_load(&feed, b, c, k, k, w, task);
    const int constant = task->order.constant; /* past its end a series has NaN, with and without */
    for (int t = 0; t < b->rows; ++t)
        TIDE_EACH_LANE(k)
    TIDE_AT(w->w, t, k) = TIDE_AT(c->w, t, k) - (constant ? TIDE_AT(c->mean, 0, k) : 0.0);
    return tide_arima_flight(&feed, b, w, task);
}

/* ---- starts ---- */

/* First coordinates of the polynomials at the fixed starts. */
TIDE_FN double tide_arima_fixed_start(int number, int part) {
    const double at[8][4] = {{0.0, 0.0, 0.0, 0.0},     {0.3, -0.6, 0.2, -0.6}, {0.7, 0.3, 0.5, -0.3},
                             {-0.4, -0.3, -0.2, -0.5}, {0.9, -0.5, 0.8, -0.5}, {-0.5, 0.5, 0.3, -0.8},
                             {0.2, -0.9, 0.1, -0.8},   {0.5, 0.0, 0.0, 0.0}};
    return at[number][part];
}

/* Coordinates of the trial from start `number` of the fixed ones. */
TIDE_FN void tide_arima_set_fixed(const tide_arima_task *task, double *trial, int number) {
    size_t tide_stride = task->shape.stride;
    (void)tide_stride;
    for (int part = 0; part < 4; ++part) {
        tide_arima_part p = tide_arima_part_of(&task->shape, part);
        for (int i = 0; i < p.n; ++i) {
            double at = i == 0 ? tide_arima_fixed_start(number, part) : 0.0;
            TIDE_EACH_LANE(k) TIDE_AT(trial, p.first + i, k) = at;
        }
    }
}

/* Puts (value, u) among the best how.keep of the lanes, best first; of equals the earlier one stays ahead. */
TIDE_FN void tide_arima_note(const tide_arima_carry *c, const tide_arima_task *task, const double *u,
                             const double *value) {
    size_t tide_stride = task->shape.stride;
    (void)tide_stride;
    const int keep = task->how.keep;
    double place[TIDE_LANES];
    TIDE_EACH_LANE(k) place[k] = 0.0;
    for (int turn = 0; turn < keep; ++turn)
        TIDE_EACH_LANE(k)
    place[k] += TIDE_AT(value, 0, k) < TIDE_AT(c->value[turn], 0, k) ? 0.0 : 1.0;
    for (int turn = keep - 1; turn >= 0; --turn)
        TIDE_EACH_LANE(k) {
            double here = TIDE_AT(c->value[turn], 0, k), ahead = TIDE_AT(c->value[turn > 0 ? turn - 1 : 0], 0, k);
            TIDE_AT(c->value[turn], 0, k) = place[k] < (double)turn    ? ahead
                                            : place[k] == (double)turn ? TIDE_AT(value, 0, k)
                                                                       : here;
        }
    for (int i = 0; i < task->shape.k; ++i)
        for (int turn = keep - 1; turn >= 0; --turn)
            TIDE_EACH_LANE(k) {
                double here = TIDE_AT(c->x[turn], i, k), ahead = TIDE_AT(c->x[turn > 0 ? turn - 1 : 0], i, k);
                TIDE_AT(c->x[turn], i, k) = place[k] < (double)turn    ? ahead
                                            : place[k] == (double)turn ? TIDE_AT(u, i, k)
                                                                       : here;
            }
}

/* The optima of the orders nested in this one, if they are in the list, as starts. */
TIDE_FN void tide_arima_note_nested(const tide_fit_block *b, const tide_arima_carry *c,
                                    const tide_arima_flight_work *w, const tide_arima_task *task) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    for (int part = 0; part < 5; ++part) {
        tide_arima_order from = task->order, found;
        int *count = part == 0   ? &from.p
                     : part == 1 ? &from.q
                     : part == 2 ? &from.P
                     : part == 3 ? &from.Q
                                 : &from.constant;
        int number, fresh = -1; /* the new coordinate */
        if (*count == 0)
            continue;
        if (part < 4) {
            tide_arima_part p = tide_arima_part_of(&task->shape, part);
            fresh = p.first + p.n - 1;
        }
        --*count;
        if (!tide_arima_walk(&b->spec->arima, b->spec->season, 0, &from, &found, &number))
            continue;
        const double *entry = tide_arima_entry(b, c, number + from.constant), *u = entry + TIDE_STRIDE;
        for (int i = 0; i < task->shape.k; ++i) {
            const double *x = u + (size_t)(fresh >= 0 && i > fresh ? i - 1 : i) * TIDE_STRIDE;
            TIDE_EACH_LANE(k) TIDE_AT(w->q.trial, i, k) = i == fresh ? 0.0 : TIDE_AT(x, 0, k);
        }
        TIDE_EACH_LANE(k) {
            double usable = TIDE_AT(c->usable, 0, k);
            TIDE_AT(w->begin, 0, k) = usable != 0.0 ? TIDE_AT(entry, 0, k) : TIDE_INF;
        }
        tide_arima_note(c, task, w->q.trial, w->begin);
    }
}

/* The starts of a block. */
TIDE_FN void tide_arima_starts(const tide_fit_block *b, const tide_arima_carry *c,
                               const tide_arima_flight_work *w, const tide_arima_task *task) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    for (int turn = 0; turn < TIDE_ARIMA_KEEP; ++turn) {
        tide_arima_fill(c->x[turn], task->shape.k, 0.0, tide_stride);
        tide_arima_fill(c->value[turn], 1, TIDE_INF, tide_stride);
        tide_arima_fill(c->status[turn], 1, TIDE_QN_FAILED, tide_stride);
    }
    if (!b->spec->arima.fixed && task->shape.k > 0) /* else no search would correct a nested value */
        tide_arima_note_nested(b, c, w, task);
    if (task->how.again) { /* the best of these has been followed already */
        const double *entry = tide_arima_entry(b, c, task->at);
        TIDE_EACH_LANE(k)
        TIDE_AT(c->value[0], 0, k) = TIDE_AT(c->usable, 0, k) != 0.0 ? TIDE_AT(entry, 0, k) : TIDE_INF;
        for (int i = 0; i < task->shape.k; ++i)
            TIDE_EACH_LANE(k) TIDE_AT(c->x[0], i, k) = TIDE_AT(entry, 1 + i, k);
    }
    int none = 0, any = 0;
    for (int k = 0; k < TIDE_LANES; ++k) {
        any |= TIDE_AT(c->usable, 0, k) != 0.0;
        none |= TIDE_AT(c->usable, 0, k) != 0.0 && !(TIDE_AT(c->value[0], 0, k) < TIDE_INF);
    }
    int starts = task->how.starts > none ? task->how.starts : none;
    if (task->shape.k == 0)
        starts = 1;
    if (starts == 0 || !any)
        return;
    tide_arima_data d = tide_arima_load_block(b, c, w, task);
    for (int i = 0; i < starts; ++i) {
        tide_arima_set_fixed(task, w->q.trial, i);
        tide_arima_eval(&task->shape, &w->eval, &d, w->q.trial, w->begin, NULL);
        /* without `starts`, only for lanes that have nothing else */
        TIDE_EACH_LANE(k) {
            int wanted = (TIDE_AT(c->usable, 0, k) != 0.0) &
                         ((task->how.starts > i) | !(TIDE_AT(c->value[0], 0, k) < TIDE_INF));
            TIDE_AT(w->begin, 0, k) = wanted ? TIDE_AT(w->begin, 0, k) : TIDE_INF;
        }
        tide_arima_note(c, task, w->q.trial, w->begin);
    }
}

/* ---- the searches ---- */

/* The job of lane `from` goes on in lane `to`, which has none. */
TIDE_FN void tide_arima_move_job(tide_arima_feed *feed, const tide_arima_flight_work *w, int from, int to) {
    const tide_boxqn *q = &w->q;
    size_t tide_stride = q->stride;
    (void)tide_stride;
    const int n_missing = feed->n_missing[from] > feed->n_missing[to] ? feed->n_missing[from] : feed->n_missing[to],
              regressors = w->regressors * w->reg_rows;
    for (size_t i = 0; i < tide_boxqn_size(q->n, q->n_box); ++i) /* its arrays follow each other, from x on */
        TIDE_AT(q->x, i, to) = TIDE_AT(q->x, i, from);
    for (int t = 0; t < feed->rows[from]; ++t)
        TIDE_AT(w->w, t, to) = TIDE_AT(w->w, t, from);
    for (int t = feed->rows[from]; t < feed->filled[to]; ++t)
        TIDE_AT(w->w, t, to) = TIDE_NAN;
    for (int j = 0; j < n_missing; ++j)
        TIDE_AT(w->missing, j, to) = TIDE_AT(w->missing, j, from);
    for (int j = 0; j < TIDE_ARIMA_WEIGHTS; ++j)
        TIDE_AT(w->weight, j, to) = TIDE_AT(w->weight, j, from);
    for (int j = 0; j < regressors; ++j)
        TIDE_AT(w->reg, j, to) = TIDE_AT(w->reg, j, from);
    TIDE_AT(w->n, 0, to) = TIDE_AT(w->n, 0, from);
    TIDE_AT(w->constant, 0, to) = TIDE_AT(w->constant, 0, from);
    TIDE_AT(w->begin, 0, to) = TIDE_AT(w->begin, 0, from);
    feed->job[to] = feed->job[from];
    feed->rows[to] = feed->filled[to] = feed->rows[from];
    feed->n_missing[to] = feed->n_missing[from];
    feed->job[from] = TIDE_FIT_IDLE;
    feed->rows[from] = 0;
    TIDE_AT(w->n, 0, from) = 0.0;
    TIDE_AT(w->begin, 0, from) = 0.0;
    TIDE_AT(q->status, 0, from) = TIDE_QN_FAILED;
}

/* Once nothing is left to load, the jobs move together into as few turns of the recursion (tide_vec.h) as hold them: a turn
 * without a job costs nothing. */
TIDE_FN void tide_arima_close_up(tide_arima_feed *feed, const tide_arima_flight_work *w, int busy) {
    const int need = (busy + TIDE_VEC - 1) / TIDE_VEC * TIDE_VEC; /* lanes, whole turns */
    for (int from = need, to = 0; from < TIDE_LANES; ++from) {
        if (feed->job[from] == TIDE_FIT_IDLE)
            continue;
        while (feed->job[to] != TIDE_FIT_IDLE)
            ++to;
        tide_arima_move_job(feed, w, from, to);
    }
}

/* The objective at which lane k's order would be as good as the member so far, where only members count: in the polishing. In the
 * screening each end is a start for larger orders too; giving up there was worth a tenth more, and lost 1 % of M3's choices. */
TIDE_FN double tide_arima_aim(const tide_fit_block *b, const tide_arima_carry *c, const tide_arima_task *task, int k) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    if (!task->how.again)
        return TIDE_INF;
    return TIDE_AT(c->best, 0, k) - tide_criterion_value(b->spec->criterion, tide_arima_loglik(b, c, k, 0.0),
                                                         tide_arima_n_params(b, c, task, k), (int)TIDE_AT(c->nu, 0, k));
}

/* Gives up searches without hope: three times what was gained since the last look, and TIDE_ARIMA_SLACK, would not reach the
 * aim. The grid takes 14 % less time by it; on M3 (1,470 series) 3 choices are worse, one by more than 1 of AICc. */
TIDE_FN void tide_arima_give_up(const tide_boxqn *q) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    TIDE_EACH_LANE(k) {
        double value = TIDE_AT(q->value, 0, k), gain = TIDE_AT(q->mark, 0, k) - value;
        int hopeless = (TIDE_AT(q->status, 0, k) == TIDE_QN_RUNNING) & (TIDE_AT(q->lambda, 0, k) < 1.0) &
                       (tide_fma(-3.0, gain, value) - TIDE_ARIMA_SLACK > TIDE_AT(q->aim, 0, k));
        TIDE_AT(q->status, 0, k) = hopeless ? TIDE_QN_GIVEN_UP : TIDE_AT(q->status, 0, k);
        TIDE_AT(q->mark, 0, k) = value;
    }
}

/* Lanes that have ended store their ends and load the next jobs. Returns how many have a job. */
TIDE_FN int tide_arima_exchange(tide_arima_feed *feed, const tide_arima_flight_work *w,
                                const tide_arima_task *task) {
    const tide_boxqn *q = &w->q;
    size_t tide_stride = q->stride, keep = (size_t)task->how.keep;
    (void)tide_stride;
    int busy = 0;
    for (int k = 0; k < TIDE_LANES; ++k) {
        TIDE_AT(w->begin, 0, k) = 0.0;
        if (TIDE_AT(q->status, 0, k) != TIDE_QN_RUNNING) {
            if (feed->job[k] != TIDE_FIT_IDLE) {
                size_t series = feed->job[k] / keep, turn = feed->job[k] % keep, at = series % TIDE_LANES;
                tide_fit_block b = tide_fit_block_at(feed->first, series / TIDE_LANES);
                tide_arima_carry c = tide_arima_carry_place(&b);
                for (int i = 0; i < q->n; ++i)
                    TIDE_AT(c.x[turn], i, at) = TIDE_AT(q->x, i, k);
                TIDE_AT(c.value[turn], 0, at) = TIDE_AT(q->value, 0, k);
                TIDE_AT(c.status[turn], 0, at) = TIDE_AT(q->status, 0, k);
                feed->job[k] = TIDE_FIT_IDLE;
                feed->rows[k] = 0;
                TIDE_AT(w->n, 0, k) = 0.0;
            }
            while (feed->next < feed->end && feed->job[k] == TIDE_FIT_IDLE) {
                size_t job = feed->next++, series = job / keep, turn = job % keep, at = series % TIDE_LANES;
                tide_fit_block b = tide_fit_block_at(feed->first, series / TIDE_LANES);
                tide_arima_carry c = tide_arima_carry_place(&b);
                if (TIDE_AT(c.usable, 0, at) == 0.0 || !(TIDE_AT(c.value[turn], 0, at) < TIDE_INF))
                    continue;
                tide_arima_load_values(feed, &c, (int)at, k, w, task);
                tide_arima_load(feed, &b, &c, (int)at, k, w, task);
                for (int i = 0; i < q->n; ++i)
                    TIDE_AT(q->trial, i, k) = TIDE_AT(c.x[turn], i, at);
                TIDE_AT(w->begin, 0, k) = 1.0;
                TIDE_AT(q->aim, 0, k) = tide_arima_aim(&b, &c, task, (int)at);
                TIDE_AT(q->mark, 0, k) = TIDE_AT(c.value[turn], 0, at);
                feed->job[k] = job;
            }
        }
        busy += feed->job[k] != TIDE_FIT_IDLE;
    }
    if (TIDE_LANES > TIDE_VEC && feed->next >= feed->end)
        tide_arima_close_up(feed, w, busy);
    return busy;
}

enum { TIDE_ARIMA_LOAD = 2 }; /* rounds between exchanges */

/* Bounds of the next step: a good part of the way to the border, never onto it. The likelihood is symmetric under
 * inversion of MA roots, so that the gradient vanishes there, minimum or not. */
TIDE_FN void tide_arima_bounds(const tide_boxqn *q, const tide_arima_task *task) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    const double share = 0.9;
    for (int part = 0; part < 4; ++part) {
        tide_arima_part p = tide_arima_part_of(&task->shape, part);
        const double most = part % 2 ? 1.0 : TIDE_ARIMA_AR_MOST;
        for (int i = p.first; i < p.first + p.n; ++i)
            TIDE_EACH_LANE(k) {
                double x = TIDE_AT(q->x, i, k);
                TIDE_AT(q->lower, i, k) = tide_fma(share, -most - x, x);
                TIDE_AT(q->upper, i, k) = tide_fma(share, most - x, x);
            }
    }
}

TIDE_FN void tide_arima_rounds(const tide_fit_block *first, const tide_arima_flight_work *w,
                               const tide_arima_task *task) {
    const tide_boxqn *q = &w->q;
    const double first_lambda = 1e-3;
    tide_arima_feed feed;
    tide_arima_flight_begin(&feed, first, w, task);
    feed.end = first->n_blocks * TIDE_LANES * (size_t)task->how.keep;
    tide_arima_data d = tide_arima_flight(&feed, first, w, task);
    for (int round = 0;; ++round) {
        const int loading = round % TIDE_ARIMA_LOAD == 0;
        if (loading) {
            if (round > 0)
                tide_arima_give_up(q);
            if (tide_arima_exchange(&feed, w, task) == 0)
                return;
            d = tide_arima_flight(&feed, first, w, task);
        }
        tide_arima_eval(&task->shape, &w->eval, &d, q->trial, q->trial_value, q->trial_gradient);
        if (round > 0)
            tide_boxqn_update(q);
        if (loading) {
            tide_boxqn_start(q, w->begin, first_lambda);
            tide_arima_fisher_hessian(&task->shape, &w->eval, &d, &w->fisher, q->x, w->begin, q->hessian);
        }
        tide_arima_bounds(q, task);
        tide_boxqn_propose(q, 0);
    }
}

/* Of the ends of a lane's searches, those to go on from: the best how.finish, one of those that agree. */
TIDE_FN void tide_arima_rank(const tide_fit_block *b, const tide_arima_carry *c, const tide_arima_task *task) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    for (int k = 0; k < TIDE_LANES; ++k) {
        for (int turn = 0; turn < task->how.keep; ++turn)
            if (TIDE_AT(c->status[turn], 0, k) == TIDE_QN_FAILED)
                TIDE_AT(c->value[turn], 0, k) = TIDE_INF;
        for (int turn = 0; turn < task->how.finish; ++turn) {
            int best = turn;
            for (int i = turn + 1; i < task->how.keep; ++i)
                best = TIDE_AT(c->value[i], 0, k) < TIDE_AT(c->value[best], 0, k) ? i : best;
            double value = TIDE_AT(c->value[best], 0, k);
            TIDE_AT(c->value[best], 0, k) = TIDE_AT(c->value[turn], 0, k);
            TIDE_AT(c->value[turn], 0, k) = value;
            TIDE_AT(c->status[turn], 0, k) = TIDE_QN_FAILED;
            for (int i = 0; i < task->shape.k; ++i) {
                double x = TIDE_AT(c->x[best], i, k);
                TIDE_AT(c->x[best], i, k) = TIDE_AT(c->x[turn], i, k);
                TIDE_AT(c->x[turn], i, k) = x;
            }
            for (int i = turn + 1; i < task->how.keep; ++i)
                if (TIDE_AT(c->value[i], 0, k) < value + TIDE_ARIMA_SAME)
                    TIDE_AT(c->value[i], 0, k) = TIDE_INF;
        }
    }
}

/* ---- the member ---- */

/* The best of the ends into x[0], value[0], status[0], and into the table. */
TIDE_FN void tide_arima_choose(const tide_fit_block *b, const tide_arima_carry *c,
                               const tide_arima_task *task) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    double *entry = tide_arima_entry(b, c, task->at), stays[TIDE_LANES];
    for (int turn = 1; turn < task->how.keep; ++turn) {
        double better[TIDE_LANES];
        TIDE_EACH_LANE(k) {
            int take = (TIDE_AT(c->status[turn], 0, k) != TIDE_QN_FAILED) &
                       ((TIDE_AT(c->value[turn], 0, k) < TIDE_AT(c->value[0], 0, k)) |
                        (TIDE_AT(c->status[0], 0, k) == TIDE_QN_FAILED));
            better[k] = take ? 1.0 : 0.0;
            TIDE_AT(c->value[0], 0, k) = take ? TIDE_AT(c->value[turn], 0, k) : TIDE_AT(c->value[0], 0, k);
            TIDE_AT(c->status[0], 0, k) = take ? TIDE_AT(c->status[turn], 0, k) : TIDE_AT(c->status[0], 0, k);
        }
        for (int i = 0; i < task->shape.k; ++i)
            TIDE_EACH_LANE(k)
        TIDE_AT(c->x[0], i, k) = better[k] != 0.0 ? TIDE_AT(c->x[turn], i, k) : TIDE_AT(c->x[0], i, k);
    }
    TIDE_EACH_LANE(k) {
        int has = (TIDE_AT(c->usable, 0, k) != 0.0) & (TIDE_AT(c->status[0], 0, k) != TIDE_QN_FAILED);
        int kept = (TIDE_AT(c->usable, 0, k) == 0.0) & (task->how.who != TIDE_ARIMA_ALL);
        stays[k] = kept ? 1.0 : 0.0;
        TIDE_AT(entry, 0, k) = kept ? TIDE_AT(entry, 0, k) : has ? TIDE_AT(c->value[0], 0, k) : TIDE_NAN;
    }
    for (int i = 0; i < task->shape.k; ++i)
        TIDE_EACH_LANE(k)
    TIDE_AT(entry, 1 + i, k) = stays[k] != 0.0 ? TIDE_AT(entry, 1 + i, k) : TIDE_AT(c->x[0], i, k);
}

/* Coefficients and states of lane k from an evaluation of the block, into the lane's z_bar (coef, then state); merged. */
TIDE_FN void tide_arima_gather(const tide_fit_block *b, const tide_arima_carry *c,
                               const tide_arima_flight_work *w, const tide_arima_data *d,
                               const tide_arima_task *task, int k) {
    size_t tide_stride = b->stride, lane = tide_fit_lane(b, k);
    (void)tide_stride;
    const int m = b->spec->season, n_params = tide_arima_n_params(b, c, task, k);
    const double nu = TIDE_AT(c->nu, 0, k), steps = TIDE_AT(c->steps, 0, k);
    const int boxcox = b->spec->arima.boxcox != TIDE_BOXCOX_NONE;
    const double scale = boxcox ? 1.0 : b->tiles->scale[lane];
    tide_arima_order o = task->order;
    o.d = (int)TIDE_AT(c->d, 0, k);
    o.D = (int)TIDE_AT(c->D, 0, k);
    o.boxcox = boxcox;
    o.fourier = (int)TIDE_AT(c->pairs, 0, k);
    o.xreg = b->spec->arima.xreg;
    const int terms = 2 * b->spec->arima.max_fourier, n_reg = tide_arima_regressors(&b->spec->arima);
    const int n_coef = tide_arima_n_coef(o), n_state = tide_arima_n_state(o, m), r = task->shape.r;
    /* the states of columns are of no more use: room for both */
    double *coef = w->eval.x, *state = coef + (size_t)n_coef * TIDE_STRIDE, constant = 0.0;
    for (int i = 0; i < task->shape.k; ++i)
        TIDE_AT(coef, i, k) = TIDE_AT(w->eval.poly.coef, i, k);
    if (o.constant) {
        constant =
            TIDE_AT(w->eval.beta, 1 + d->n_missing, k) + TIDE_AT(c->mean, 0, k) / TIDE_AT(c->constant, 0, k);
        TIDE_AT(coef, tide_arima_constant_at(o), k) = constant * scale;
    }
    const int reg_at = 1 + d->n_missing + d->n_constant; /* first regressor among the columns */
    for (int j = 0; j < n_reg; ++j)
        if (j < 2 * o.fourier || j >= terms)
            TIDE_AT(coef, tide_arima_beta_at(o) + (j < terms ? j : j - terms + 2 * o.fourier), k) =
                TIDE_AT(w->eval.beta, reg_at + j, k) * scale;
    if (boxcox)
        TIDE_AT(coef, tide_arima_lambda_at(o), k) = TIDE_AT(c->lambda, 0, k);
    TIDE_AT(coef, tide_arima_steps_at(o), k) = steps;
    for (int i = 0; i < r; ++i)
        TIDE_AT(state, i, k) = TIDE_AT(w->eval.x_end, i, k) * scale;
    const int skip = tide_arima_diff_lags(o, m);
    for (int i = 0; i < skip; ++i) {
        int t = (int)steps - 1 - i;
        double g = o.d + o.D == 0 ? 1.0 : (double)(t + 1), z = TIDE_AT(c->z, t, k);
        for (int j = 0; j < (int)TIDE_AT(c->n_missing, 0, k); ++j)
            z -= TIDE_AT(c->missing, j, k) == (double)(t - skip) ? TIDE_AT(w->eval.beta, 1 + j, k) : 0.0;
        if (o.constant)
            z = tide_fma(-constant, g, z);
        for (int j = 0; j < n_reg; ++j)
            if (j < 2 * o.fourier || j >= terms)
                z = tide_fma(-TIDE_AT(w->eval.beta, reg_at + j, k), tide_arima_regressor(b, c, j, t, k), z);
        TIDE_AT(state, r + i, k) = z * scale;
    }
    tide_fit_member v;
    v.family = TIDE_FAMILY_ARIMA;
    v.form = tide_arima_form(o);
    v.converged = TIDE_AT(c->status[0], 0, k) == TIDE_QN_CONVERGED;
    v.n_params = n_params;
    v.sigma2 = TIDE_AT(w->eval.sum, 0, k) / (nu - (double)(n_params - 1)) * scale * scale;
    v.loglik = tide_arima_loglik(b, c, k, TIDE_AT(c->value[0], 0, k));
    v.criterion = TIDE_AT(c->best, 0, k);
    v.n_coef = n_coef;
    v.n_state = n_state;
    v.coef = &TIDE_AT(coef, 0, k);
    v.coef_stride = TIDE_STRIDE;
    v.state = &TIDE_AT(state, 0, k);
    v.stride = TIDE_STRIDE;
    v.level_scale = v.season_scale = 1.0;
    tide_fit_merge(b, k, &v);
}

/* Does the optimum of lane k lie on the border of a search, with a root at root_min? R leaves such orders out, and rightly:
 * what lies there is a difference too many or too few, or an order too large for a short series. In the screening, which
 * stops before the border, what comes near it does not set the bar, so that the best order inside is polished too. */
TIDE_FN int tide_arima_on_border(const tide_fit_block *b, const tide_arima_carry *c, const tide_arima_task *task, int k) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    const double border = task->how.member ? 0.999 : 0.95;
    int on = 0;
    for (int i = 0; i < task->shape.k; ++i)
        on |= tide_abs(tide_arima_partial(TIDE_AT(c->x[0], i, k))) > border;
    return on & !b->spec->arima.fixed & (b->spec->arima.root_min > 1.0);
}

/* Members of a block where the order is better than what was before. */
TIDE_FN void tide_arima_gather_block(const tide_fit_block *b, const tide_arima_carry *c,
                                     const tide_arima_flight_work *w, const tide_arima_task *task) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    double better[TIDE_LANES];
    int any = 0;
    for (int k = 0; k < TIDE_LANES; ++k) {
        if (TIDE_AT(c->usable, 0, k) != 0.0 && task->how.member)
            TIDE_AT(tide_arima_polished(b, c, task->at), 0, k) = 1.0;
        const int usable = TIDE_AT(c->usable, 0, k) != 0.0 && !tide_arima_on_border(b, c, task, k);
        double criterion = usable ? tide_arima_criterion(b, c, task, k) : TIDE_INF;
        better[k] = 0.0;
        TIDE_AT(c->screened, 0, k) = tide_min(criterion, TIDE_AT(c->screened, 0, k));
        if (!task->how.member || !(criterion < TIDE_AT(c->best, 0, k)))
            continue;
        better[k] = 1.0;
        any = 1;
        TIDE_AT(c->best, 0, k) = criterion;
    }
    if (!any)
        return;
    tide_arima_data d = tide_arima_load_block(b, c, w, task);
    tide_arima_eval(&task->shape, &w->eval, &d, c->x[0], w->begin, NULL);
    for (int k = 0; k < TIDE_LANES; ++k)
        if (better[k] != 0.0 && TIDE_AT(w->begin, 0, k) < TIDE_INF)
            tide_arima_gather(b, c, w, &d, task, k);
}

/* Entry `at` of the list for all blocks of the range. how: its tolerance, starts and so on. */
TIDE_FN void tide_arima_fit_entry(const tide_fit_block *first, int at, tide_arima_how how) {
    const tide_fit_spec *spec = first->spec;
    tide_arima_task task;
    if (!tide_arima_list(&spec->arima, spec->season, at, &task.order))
        return;
    task.at = at;
    task.how = how;
    task.shape = tide_arima_shape_of(task.order, spec->season, spec->arima.fixed ? 1.0 : spec->arima.root_min,
                                     first->stride);
    tide_arima_flight_work w = tide_arima_flight_place(first, &task.shape);
    w.q.tolerance = w.q.coarse = how.tolerance;
    w.q.round_limit = (double)spec->arima.max_iterations;
    int any = 0;
    for (size_t i = 0; i < first->n_blocks; ++i) {
        tide_fit_block b = tide_fit_block_at(first, i);
        tide_arima_carry c = tide_arima_carry_place(&b);
        int takes = tide_arima_takes(&b, &c, &task);
        any |= takes;
        if (takes || !how.sparse)
            tide_arima_starts(&b, &c, &w, &task);
    }
    if (how.sparse && !any)
        return;
    if (any && task.shape.k > 0 && how.finish > 0) {
        w.q.tolerance = w.q.coarse = TIDE_ARIMA_ROUGH;
        tide_arima_rounds(first, &w, &task);
        for (size_t i = 0; i < first->n_blocks; ++i) {
            tide_fit_block b = tide_fit_block_at(first, i);
            tide_arima_carry c = tide_arima_carry_place(&b);
            tide_arima_rank(&b, &c, &task);
        }
        w.q.tolerance = w.q.coarse = how.tolerance;
        task.how.keep = how.finish;
    }
    if (any && task.shape.k > 0)
        tide_arima_rounds(first, &w, &task);
    for (size_t i = 0; i < first->n_blocks; ++i) {
        tide_fit_block b = tide_fit_block_at(first, i);
        tide_arima_carry c = tide_arima_carry_place(&b);
        if (task.shape.k == 0)
            TIDE_EACH_LANE(k) {
                size_t tide_stride = b.stride;
                (void)tide_stride;
                TIDE_AT(c.status[0], 0, k) =
                    TIDE_AT(c.value[0], 0, k) < TIDE_INF ? TIDE_QN_CONVERGED : TIDE_QN_FAILED;
            }
        tide_arima_choose(&b, &c, &task);
        tide_arima_gather_block(&b, &c, &w, &task);
    }
}

#endif
