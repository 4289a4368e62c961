/* arima_work.h - what a block of lanes carries through the search of an ARIMA model, the list of orders, and where all of it
 * lies in memory.
 *
 * Memory in doubles a lane; N = longest series of the range, t = entries of the list of orders, K = most coordinates:
 *
 *     carry    z [N] | w [N] | missing [64] | weight [6] | kept [2(K+2)] | table [t(K+2)] | scalars
 *     scratch  in flight: w [N], missing [64], weight [6], scalars | boxqn | arima_fisher.h | regressors [N each] | arima_eval.h
 *              (or, at the beginning, that of the orders of differences)
 *
 * The carry is one for each block of a range, the scratch is one for the range. A table entry is the optimum of an order:
 * its value (TIDE_INF: none), then its coordinates: larger orders begin from there. */
#ifndef TIDE_ARIMA_WORK_H
#define TIDE_ARIMA_WORK_H

#include "kernels/arima_diff.h"
#include "kernels/arima_fisher.h"
#include "kernels/boxcox.h"
#include "kernels/fit_work.h"

/* ---- the list of orders: by their number of coefficients, so that an order comes after those nested in it ---- */

/* Most coefficients of an order of a search. */
TIDE_FN int tide_arima_most(const tide_arima_spec *s, int m) {
    int seasonal = tide_arima_seasonal(m);
    int all = s->max_p + s->max_q + (seasonal ? s->max_P + s->max_Q : 0);
    return all < s->max_order || s->search == TIDE_ARIMA_STEPWISE ? all : s->max_order;
}

/* Walks the list until entry `at` (want NULL) or the order `want`: 1 when it is there, in *o and with its number in
 * *number; else 0 with *number the length of the list. Entries come in pairs, without and with a constant. */
TIDE_FN int tide_arima_walk(const tide_arima_spec *s, int m, int at, const tide_arima_order *want,
                            tide_arima_order *o, int *number) {
    const int seasonal = tide_arima_seasonal(m), max_P = seasonal ? s->max_P : 0,
              max_Q = seasonal ? s->max_Q : 0;
    memset(o, 0, sizeof *o);
    o->constant = at & 1;
    *number = 0;
    if (s->fixed) {
        o->p = s->p;
        o->q = s->q;
        o->P = seasonal ? s->P : 0;
        o->Q = seasonal ? s->Q : 0;
        *number = want ? 0 : at < 2 ? at : 2;
        return want ? 0 : at < 2;
    }
    const int most = tide_arima_most(s, m);
    for (int sum = 0; sum <= most; ++sum)
        for (o->P = 0; o->P <= max_P && o->P <= sum; ++o->P)
            for (o->Q = 0; o->Q <= max_Q && o->P + o->Q <= sum; ++o->Q)
                for (o->p = 0; o->p <= s->max_p && o->P + o->Q + o->p <= sum; ++o->p) {
                    o->q = sum - o->P - o->Q - o->p;
                    if (o->q > s->max_q)
                        continue;
                    if (want ? (want->p == o->p) & (want->q == o->q) & (want->P == o->P) & (want->Q == o->Q)
                             : *number == (at & ~1))
                        return 1;
                    *number += 2;
                }
    return 0;
}

/* Entry `at` of the list; 0 past the end. */
TIDE_FN int tide_arima_list(const tide_arima_spec *s, int m, int at, tide_arima_order *o) {
    int number;
    return tide_arima_walk(s, m, at, NULL, o, &number);
}

TIDE_FN int tide_arima_list_length(const tide_arima_spec *s, int m) {
    tide_arima_order o;
    int number;
    tide_arima_walk(s, m, -2, NULL, &o, &number);
    return s->fixed ? 2 : number;
}

/* Calls of tide_arima_fit_order that a search takes: each entry is screened, then each is polished where it may win, then, where
 * those that might have won lie on the border, what may win in their place; a fixed order has two entries; a search by steps is one call. */
TIDE_FN int tide_arima_launches(const tide_arima_spec *s, int m) {
    return s->fixed ? 2 : s->search == TIDE_ARIMA_STEPWISE ? 1 : 3 * tide_arima_list_length(s, m);
}

/* Most coordinates of an order of the list. */
TIDE_FN int tide_arima_k_most(const tide_arima_spec *s, int m) {
    int seasonal = tide_arima_seasonal(m);
    if (s->fixed)
        return s->p + s->q + (seasonal ? s->P + s->Q : 0);
    return tide_arima_most(s, m);
}

/* Regressors of a likelihood, at most: Fourier terms, then the shared ones. */
TIDE_FN int tide_arima_regressors(const tide_arima_spec *s) {
    return 2 * s->max_fourier + s->xreg;
}

/* ---- memory ---- */

enum { TIDE_ARIMA_KEEP = 8 };

/* Columns of a likelihood, at most. */
TIDE_FN int tide_arima_columns_most(const tide_arima_spec *s) {
    return 1 + TIDE_ARIMA_MISSING_MAX + 1 + tide_arima_regressors(s);
}

typedef struct tide_arima_carry {
    double *z, *w;            /* [N] the stretch, gaps filled; its differences, TIDE_NAN past their end */
    double *missing, *weight; /* [64], [6] as tide_arima_data has them */
    double *x[TIDE_ARIMA_KEEP], *value[TIDE_ARIMA_KEEP], *status[TIDE_ARIMA_KEEP]; /* of the order at hand */
    double *table;                                                                 /* [t(K+2)] */
    double *n, *nu,
        *present; /* [1] rows of w; of them not missing (as far as identified); values of the stretch */
    double *steps, *d, *D;     /* [1] of the stretch; its orders of differences */
    double *n_missing, *flat;  /* [1] dummies; 1: all differences are equal */
    double *constant, *mean;   /* [1] value of the constant's column, 0 where there is none; mean of w */
    double *lambda, *jacobian; /* [1] of Box-Cox; sum of log dz/dy over what counts */
    double *first, *pairs;     /* [1] step of the tile that the stretch begins at; pairs of Fourier terms */
    double *n_xreg;            /* [1] shared regressors that the lane's values tell apart */
    double *usable, *best;     /* [1] of the order at hand; criterion of the member so far */
    double *screened;          /* [1] best criterion of the screening */
    double *step, *count, *current, *want, *before; /* [1] of a search by steps (arima_stepwise.h) */
} tide_arima_carry;

typedef struct tide_arima_flight_work {
    double *w, *missing, *weight, *n, *constant; /* of the series in flight */
    double *reg;                                 /* [regressors*reg_rows] likewise, differenced */
    int regressors, reg_rows;
    tide_boxqn q;
    double *begin; /* [1] */
    tide_arima_work eval;
    tide_arima_fisher fisher;
} tide_arima_flight_work;

TIDE_FN size_t tide_arima_carry_size(const tide_fit_spec *spec, int32_t rows) {
    if (!(spec->families >> TIDE_FAMILY_ARIMA & 1u))
        return 0;
    size_t k = (size_t)tide_arima_k_most(&spec->arima, spec->season);
    return 2 * (size_t)rows + TIDE_ARIMA_MISSING_MAX + TIDE_ARIMA_WEIGHTS + TIDE_ARIMA_KEEP * (k + 2) +
           (size_t)tide_arima_list_length(&spec->arima, spec->season) * (k + 2) + 23;
}

/* Least squares on the Fourier terms and an intercept, before d and D are chosen, and a copy of the series (arima_fourier.h). */
TIDE_FN size_t tide_arima_ols_size(const tide_arima_spec *s, int32_t rows) {
    size_t n = 2 * (size_t)s->max_fourier + 2;
    return n * (n + 1) / 2 + 3 * n + (s->fourier_auto ? (size_t)rows : 0);
}

TIDE_FN size_t tide_arima_search_size(const tide_fit_spec *spec, int32_t rows) {
    if (!(spec->families >> TIDE_FAMILY_ARIMA & 1u))
        return 0;
    int k = tide_arima_k_most(&spec->arima, spec->season);
    tide_arima_shape s =
        tide_arima_shape_of(tide_arima_largest(&spec->arima, spec->season), spec->season, 1.0, 1);
    size_t search =
               tide_boxqn_size(k, k) + 1 +
               tide_arima_work_size(&s, rows, tide_arima_columns_most(&spec->arima), TIDE_ARIMA_MISSING_MAX) +
               (size_t)tide_arima_regressors(&spec->arima) * (size_t)rows + tide_arima_fisher_size(k, rows) +
               (size_t)s.k + 2 * (size_t)k,
           before = (size_t)rows + tide_arima_diff_elements(rows, spec->season) +
                    tide_guerrero_elements(rows, spec->season) + tide_arima_ols_size(&spec->arima, rows);
    return (size_t)rows + TIDE_ARIMA_MISSING_MAX + TIDE_ARIMA_WEIGHTS + 2 +
           (search > before ? search : before);
}

TIDE_FN tide_arima_carry tide_arima_carry_place(const tide_fit_block *b) {
    const tide_fit_spec *spec = b->spec;
    size_t tide_stride = b->stride, k = (size_t)tide_arima_k_most(&spec->arima, spec->season),
           n = (size_t)b->rows;
    (void)tide_stride;
    double *at = b->arima_carry;
    tide_arima_carry c;
#define TIDE_PLACE_ARIMA_(field, count) (c.field = at, at += (count)*TIDE_STRIDE)
    TIDE_PLACE_ARIMA_(z, n);
    TIDE_PLACE_ARIMA_(w, n);
    TIDE_PLACE_ARIMA_(missing, (size_t)TIDE_ARIMA_MISSING_MAX);
    TIDE_PLACE_ARIMA_(weight, (size_t)TIDE_ARIMA_WEIGHTS);
    for (int i = 0; i < TIDE_ARIMA_KEEP; ++i) {
        TIDE_PLACE_ARIMA_(x[i], k);
        TIDE_PLACE_ARIMA_(value[i], 1);
        TIDE_PLACE_ARIMA_(status[i], 1);
    }
    TIDE_PLACE_ARIMA_(n, 1);
    TIDE_PLACE_ARIMA_(nu, 1);
    TIDE_PLACE_ARIMA_(present, 1);
    TIDE_PLACE_ARIMA_(steps, 1);
    TIDE_PLACE_ARIMA_(d, 1);
    TIDE_PLACE_ARIMA_(D, 1);
    TIDE_PLACE_ARIMA_(n_missing, 1);
    TIDE_PLACE_ARIMA_(flat, 1);
    TIDE_PLACE_ARIMA_(constant, 1);
    TIDE_PLACE_ARIMA_(mean, 1);
    TIDE_PLACE_ARIMA_(lambda, 1);
    TIDE_PLACE_ARIMA_(jacobian, 1);
    TIDE_PLACE_ARIMA_(first, 1);
    TIDE_PLACE_ARIMA_(pairs, 1);
    TIDE_PLACE_ARIMA_(n_xreg, 1);
    TIDE_PLACE_ARIMA_(usable, 1);
    TIDE_PLACE_ARIMA_(best, 1);
    TIDE_PLACE_ARIMA_(screened, 1);
    TIDE_PLACE_ARIMA_(step, 1);
    TIDE_PLACE_ARIMA_(count, 1);
    TIDE_PLACE_ARIMA_(current, 1);
    TIDE_PLACE_ARIMA_(want, 1);
    TIDE_PLACE_ARIMA_(before, 1);
    c.table = at;
#undef TIDE_PLACE_ARIMA_
    return c;
}

/* Scratch of the range for one order. */
TIDE_FN tide_arima_flight_work tide_arima_flight_place(const tide_fit_block *b, const tide_arima_shape *s) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    tide_arima_flight_work w;
    double *at = b->arima_scratch;
    w.w = at;
    at += (size_t)b->rows * TIDE_STRIDE;
    w.missing = at;
    at += (size_t)TIDE_ARIMA_MISSING_MAX * TIDE_STRIDE;
    w.weight = at;
    at += (size_t)TIDE_ARIMA_WEIGHTS * TIDE_STRIDE;
    w.n = at;
    at += TIDE_STRIDE;
    w.constant = at;
    at += TIDE_STRIDE;
    w.q.n = w.q.n_box = s->k;
    w.q.stride = b->stride;
    at = tide_boxqn_place(&w.q, at);
    w.begin = at;
    at += TIDE_STRIDE;
    at = tide_arima_fisher_place(&w.fisher, s->k, b->rows, b->stride, at);
    w.reg = at;
    w.regressors = tide_arima_regressors(&b->spec->arima);
    w.reg_rows = b->rows;
    at += (size_t)tide_arima_regressors(&b->spec->arima) * (size_t)b->rows * TIDE_STRIDE;
    tide_arima_work_place(&w.eval, s, b->rows, tide_arima_columns_most(&b->spec->arima),
                          TIDE_ARIMA_MISSING_MAX, at);
    return w;
}

/* Entry `at` of the block's table: the value, then the coordinates. */
TIDE_FN double *tide_arima_entry(const tide_fit_block *b, const tide_arima_carry *c, int at) {
    size_t tide_stride = b->stride, k = (size_t)tide_arima_k_most(&b->spec->arima, b->spec->season);
    (void)tide_stride;
    return c->table + (size_t)at * (k + 2) * TIDE_STRIDE;
}

/* 1 once the entry's order has been fitted to the end. */
TIDE_FN double *tide_arima_polished(const tide_fit_block *b, const tide_arima_carry *c, int at) {
    size_t tide_stride = b->stride, k = (size_t)tide_arima_k_most(&b->spec->arima, b->spec->season);
    (void)tide_stride;
    return tide_arima_entry(b, c, at) + (k + 1) * TIDE_STRIDE;
}

#endif
