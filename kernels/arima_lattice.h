/* arima_lattice.h - the recursion of arima_eval.h, once forwards and once backwards, two steps at a time.
 *
 * A step reads and writes M, L and x of every row, with three fused multiply-adds to a row: bound by memory. Two steps go
 * through the rows together, the second one a row behind, since what it needs of the first (L and x of the next row, M of
 * its own) is known by then. Values go from row to row in registers (tide_vec.h), a turn for TIDE_VEC lanes at a time. A
 * lane's operations and their order are those of single steps, which are taken where a lane ends between the two, and where
 * there are many columns.
 *
 * Rows: R = max(a, b, 1); row b of a state of b + 1 rows is zero throughout, since nothing is left of theta there. phi's
 * taps are few: runs of rows with and without them have loops of their own, where the others are 0 in the array.
 *
 * Backwards, M and L over F are found again: with m = M/F, l = L/F of the state after a step and k = L_0/F before it,
 *
 *     t_i = l_i + k m_i,   m_i <- m_i + k l_i,   l_{i+1} <- t_i - phi_{i+1} k,   l_0 <- k
 *
 * without a division. With A = sum z m, K = sum of M_bar t + L_bar m (M_bar, L_bar from after the step, m from before it)
 * F is nowhere else in the step's adjoint:
 *
 *     g k_bar = -k F_bar - K,   L_bar_0 = g k_bar - k F_bar + sum phi L_bar,   z_t = sum phi z - A - 2 omega v g
 *     F_bar <- F_bar + g - k g k_bar - A v g - omega (v g)^2 */
#ifndef TIDE_ARIMA_LATTICE_H
#define TIDE_ARIMA_LATTICE_H

#include "kernels/arima_data.h"

/* The exponent of a product of variances (positive) moves to *exponent; NaN once it has left the normal numbers. */
TIDE_FN void tide_arima_split(double *product, double *exponent) {
    uint64_t u = tide_to_bits(*product);
    double e = tide_from_bits((u >> 52) | 0x4330000000000000ull) - (0x1p52 + 1023.0);
    *exponent += (*product >= 0x1p-1022) & (*product < TIDE_INF) ? e : TIDE_NAN;
    *product = tide_from_bits((u & 0x000fffffffffffffull) | 0x3ff0000000000000ull);
}

/* ---- rows ---- */

TIDE_FN int tide_arima_lattice_rows(const tide_arima_shape *s) {
    int rows = s->a > s->b ? s->a : s->b;
    return rows > 1 ? rows : 1;
}

/* Runs of rows, each with or without taps; ends with run n - 1. */
typedef struct tide_arima_runs {
    int n;
    int end[2 * TIDE_ARIMA_TAPS + 2], taps[2 * TIDE_ARIMA_TAPS + 2];
} tide_arima_runs;

/* Of the rows [from, to); a row has taps where phi has one there or `other` rows further on. */
TIDE_FN void tide_arima_runs_of(const tide_arima_shape *s, int from, int to, int other, tide_arima_runs *runs) {
    runs->n = 0;
    for (int i = from; i < to; ++i) {
        int taps = 0;
        for (int j = 0; j < s->phi.n; ++j)
            taps |= (s->phi.lag[j] - 1 == i) | (s->phi.lag[j] - 1 == i + other);
        if (runs->n == 0 || runs->taps[runs->n - 1] != taps)
            runs->taps[runs->n++] = taps;
        runs->end[runs->n - 1] = i + 1;
    }
}

/* ---- a turn: TIDE_VEC lanes ---- */

typedef struct tide_arima_turn {
    size_t stride;
    int lane;         /* the first of them */
    int rows;         /* most steps of one */
    int first_end;    /* fewest steps of one that has any */
    const double *n;  /* [TIDE_VEC] steps */
    const double *w;  /* of this turn's lanes, in an array of all lanes, as what follows */
    const double *phi;
    double *g, *l0;
    double *M, *L; /* of this turn alone */
} tide_arima_turn;

TIDE_FN tide_arima_turn tide_arima_turn_of(const tide_arima_shape *s, const tide_arima_work *w,
                                           const tide_arima_data *d, int lane) {
    tide_arima_turn q;
    size_t tide_stride = s->stride;
    (void)tide_stride;
    q.stride = s->stride;
    q.lane = lane;
    q.n = d->n + lane;
    q.w = d->w + lane;
    q.phi = w->poly.phi + lane;
    q.g = w->g + lane;
    q.l0 = w->l0 + lane;
    q.M = w->row + (size_t)(lane * 4 * (s->r + 2));
    q.L = q.M + TIDE_VEC_STRIDE;
    q.rows = 0;
    q.first_end = d->rows;
    for (int k = 0; k < TIDE_VEC; ++k) {
        int n = (int)q.n[k];
        q.rows = n > q.rows ? n : q.rows;
        q.first_end = (n > 0) & (n < q.first_end) ? n : q.first_end;
    }
    return q;
}

/* Does a lane of the turn have `steps` steps? */
TIDE_FN int tide_arima_ends(const tide_arima_turn *q, int steps) {
    int ends = 0;
    if (steps < q->first_end)
        return 0;
    for (int k = 0; k < TIDE_VEC; ++k)
        ends |= q->n[k] == (double)steps;
    return ends;
}

/* Element i of an array of all lanes, at a pointer to this turn's first lane; of an array of this turn. */
#define TIDE_ALL(p, i) ((p) + (size_t)(i)*TIDE_STRIDE)
#define TIDE_OWN(p, i) ((p) + (size_t)(i)*TIDE_VEC_STRIDE)
/* Row i of M, L and their derivatives, which lie side by side: arrays a multiple of 4096 bytes apart would make loads wait for
 * stores to others. */
#define TIDE_ROW(p, i) ((p) + (size_t)(i)*4 * TIDE_VEC_STRIDE)

/* ---- forwards ---- */

/* What the columns of a pass are. */
typedef struct tide_arima_columns_of {
    const tide_arima_data *d;
    const double *mix; /* NULL: those of the data; else (columns, rows_max), of this turn's lanes */
    size_t column;     /* elements of a column of mix, and of the tape */
    int n;
    double *x;         /* [n*(r+1)] of this turn */
    size_t state;      /* elements of a column's x */
    double *v;         /* tape, of this turn's lanes */
    double *s;         /* NULL, or S, of this turn's lanes; not its first element */
    double *value;     /* [n] innovations of the step, of this turn's lanes */
} tide_arima_columns_of;

TIDE_FN tide_vec tide_arima_value(const tide_arima_columns_of *c, const tide_arima_turn *q, int column, int t) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    if (c->mix)
        return tide_vec_get(TIDE_ALL(c->mix + (size_t)column * c->column, t));
    return column == 0 ? tide_vec_get(TIDE_ALL(q->w, t)) : tide_arima_column(c->d, column, t, q->lane);
}

/* F, and sums over the steps. */
typedef struct tide_arima_sums {
    tide_vec f, sum, product, exponent;
} tide_arima_sums;

/* F and the tape, one step on: 1/F, k. */
TIDE_FN void tide_arima_variance(const tide_arima_turn *q, int t, tide_vec w, tide_vec l, tide_arima_sums *a,
                                 tide_vec *g, tide_vec *kk) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    const tide_vec one = tide_vec_of(1.0);
    *g = one / a->f;
    *kk = l * *g;
    a->product = a->product * tide_vec_present(w, a->f, one);
    a->f = tide_vec_fma(-*kk, l, a->f);
    tide_vec_put(TIDE_ALL(q->g, t), *g);
    tide_vec_put(TIDE_ALL(q->l0, t), l);
    if (t % 8 == 7) {
        double product[TIDE_VEC], exponent[TIDE_VEC];
        tide_vec_put(product, a->product);
        tide_vec_put(exponent, a->exponent);
        TIDE_EACH_OF_VEC(k) tide_arima_split(&product[k], &exponent[k]);
        a->product = tide_vec_get(product);
        a->exponent = tide_vec_get(exponent);
    }
}

/* Adds products of the step's innovations to S. */
TIDE_FN void tide_arima_products(const tide_arima_columns_of *c, int n, const tide_vec *v, tide_vec g,
                                 size_t tide_stride) {
    (void)tide_stride;
    for (int i = 1; i < n; ++i)
        for (int j = 0; j <= i; ++j) {
            double *sum = TIDE_ALL(c->s, tide_packed(i, j));
            tide_vec_put(sum, tide_vec_fma(v[i] * g, v[j], tide_vec_get(sum)));
        }
}

/* One step, any number of columns. */
TIDE_CALLED void tide_arima_one(const tide_arima_shape *s, const tide_arima_turn *q,
                                const tide_arima_columns_of *c, int t, tide_arima_sums *a) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    const int rows = tide_arima_lattice_rows(s);
    const tide_vec zero = tide_vec_of(0.0), w = tide_vec_get(TIDE_ALL(q->w, t)), l = tide_vec_get(q->L);
    tide_vec g, kk;
    tide_arima_variance(q, t, w, l, a, &g, &kk);
    for (int i = 0; i < c->n; ++i) {
        double *x = c->x + (size_t)i * c->state;
        const tide_vec x0 = tide_vec_get(x), v = tide_vec_present(w, tide_arima_value(c, q, i, t) - x0, zero),
                       vg = v * g;
        if (i == 0)
            a->sum = tide_vec_fma(vg, v, a->sum);
        tide_vec_put(TIDE_ALL(c->value, i), v);
        if (c->mix || i == 0)
            tide_vec_put(TIDE_ALL(c->v + (size_t)i * c->column, t), v);
        for (int j = 0; j < rows; ++j) /* phi's part below: there, too, M's comes last */
            tide_vec_put(TIDE_OWN(x, j), tide_vec_get(TIDE_OWN(x, j + 1)));
        for (int j = 0; j < s->phi.n; ++j) {
            const int at = s->phi.lag[j] - 1;
            tide_vec_put(TIDE_OWN(x, at), tide_vec_fma(tide_vec_get(TIDE_ALL(q->phi, at)), x0,
                                                       tide_vec_get(TIDE_OWN(x, at))));
        }
        for (int j = 0; j < rows; ++j)
            tide_vec_put(TIDE_OWN(x, j), tide_vec_fma(tide_vec_get(TIDE_ROW(q->M, j)), vg,
                                                      tide_vec_get(TIDE_OWN(x, j))));
    }
    for (int i = 1; c->s && i < c->n; ++i)
        for (int j = 0; j <= i; ++j) {
            double *sum = TIDE_ALL(c->s, tide_packed(i, j));
            tide_vec_put(sum, tide_vec_fma(tide_vec_get(TIDE_ALL(c->value, i)) * g,
                                           tide_vec_get(TIDE_ALL(c->value, j)), tide_vec_get(sum)));
        }
    for (int j = 0; j < s->phi.n; ++j) {
        double *at = TIDE_ROW(q->L, s->phi.lag[j]);
        tide_vec_put(at, tide_vec_fma(tide_vec_get(TIDE_ALL(q->phi, s->phi.lag[j] - 1)), l, tide_vec_get(at)));
    }
    for (int j = 0; j < rows; ++j) {
        const tide_vec m = tide_vec_get(TIDE_ROW(q->M, j)), u = tide_vec_get(TIDE_ROW(q->L, j + 1));
        tide_vec_put(TIDE_ROW(q->M, j), tide_vec_fma(-kk, u, m));
        tide_vec_put(TIDE_ROW(q->L, j), tide_vec_fma(-kk, m, u));
    }
    tide_vec_put(TIDE_ROW(q->L, rows), zero);
}

/* What two steps carry from row to row: first step, second step. */
typedef struct tide_arima_pair {
    tide_vec k0, k1, l0, l1, m; /* m: M of the row before, between the steps */
    tide_vec vg0[TIDE_ARIMA_GROUP], vg1[TIDE_ARIMA_GROUP], x0[TIDE_ARIMA_GROUP], x1[TIDE_ARIMA_GROUP];
} tide_arima_pair;

/* Rows [from, to) of the first step, and those before them of the second one. n, taps: constants in the callers. */
TIDE_FN void tide_arima_rows_two(const tide_arima_turn *q, const tide_arima_columns_of *c, tide_arima_pair *p,
                                 int from, int to, int n, int taps) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    for (int i = from; i < to; ++i) {
        tide_vec m = tide_vec_get(TIDE_ROW(q->M, i)), t = tide_vec_get(TIDE_ROW(q->L, i + 1)), between,
                 phi0 = m, phi1 = m; /* any */
        if (taps) {
            phi0 = tide_vec_get(TIDE_ALL(q->phi, i));
            phi1 = tide_vec_get(TIDE_ALL(q->phi, i - 1));
            t = tide_vec_fma(phi0, p->l0, t);
        }
        for (int j = 0; j < n; ++j) {
            double *at = c->x + (size_t)j * c->state;
            tide_vec x = tide_vec_get(TIDE_OWN(at, i + 1));
            if (taps)
                x = tide_vec_fma(phi0, p->x0[j], x);
            x = tide_vec_fma(m, p->vg0[j], x);
            if (taps)
                x = tide_vec_fma(phi1, p->x1[j], x);
            tide_vec_put(TIDE_OWN(at, i - 1), tide_vec_fma(p->m, p->vg1[j], x));
        }
        between = tide_vec_fma(p->k0, t, m);
        t = tide_vec_fma(p->k0, m, t);
        if (taps)
            t = tide_vec_fma(phi1, p->l1, t);
        tide_vec_put(TIDE_ROW(q->M, i - 1), tide_vec_fma(p->k1, t, p->m));
        tide_vec_put(TIDE_ROW(q->L, i - 1), tide_vec_fma(p->k1, p->m, t));
        p->m = between;
    }
}

/* Steps t and t + 1 of n columns (a constant in the callers). */
TIDE_FN void tide_arima_two(const tide_arima_shape *s, const tide_arima_turn *q, const tide_arima_columns_of *c,
                            const tide_arima_runs *runs, int t, int n, tide_arima_sums *a) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    const int rows = tide_arima_lattice_rows(s), taps = s->phi.n > 0;
    const tide_vec zero = tide_vec_of(0.0), w0 = tide_vec_get(TIDE_ALL(q->w, t)),
                   w1 = tide_vec_get(TIDE_ALL(q->w, t + 1)), m = tide_vec_get(q->M);
    tide_arima_pair p;
    tide_vec g, kk, v[TIDE_ARIMA_GROUP], u = tide_vec_get(TIDE_ROW(q->L, 1)), phi = zero;
    if (taps)
        phi = tide_vec_get(q->phi);
    p.l0 = tide_vec_get(q->L);
    tide_arima_variance(q, t, w0, p.l0, a, &g, &kk);
    p.k0 = -kk;
    for (int j = 0; j < n; ++j) {
        const double *x = c->x + (size_t)j * c->state;
        p.x0[j] = tide_vec_get(x);
        v[j] = tide_vec_present(w0, tide_arima_value(c, q, j, t) - p.x0[j], zero);
        p.vg0[j] = v[j] * g;
        if (c->mix || j == 0)
            tide_vec_put(TIDE_ALL(c->v + (size_t)j * c->column, t), v[j]);
        p.x1[j] = tide_vec_get(TIDE_OWN(x, 1));
        if (taps)
            p.x1[j] = tide_vec_fma(phi, p.x0[j], p.x1[j]);
        p.x1[j] = tide_vec_fma(m, p.vg0[j], p.x1[j]);
    }
    a->sum = tide_vec_fma(p.vg0[0], v[0], a->sum);
    if (n > 1 && c->s)
        tide_arima_products(c, n, v, g, tide_stride);
    if (taps)
        u = tide_vec_fma(phi, p.l0, u);
    p.m = tide_vec_fma(p.k0, u, m);
    p.l1 = tide_vec_fma(p.k0, m, u);
    tide_arima_variance(q, t + 1, w1, p.l1, a, &g, &kk);
    p.k1 = -kk;
    for (int j = 0; j < n; ++j) {
        v[j] = tide_vec_present(w1, tide_arima_value(c, q, j, t + 1) - p.x1[j], zero);
        p.vg1[j] = v[j] * g;
        if (c->mix || j == 0)
            tide_vec_put(TIDE_ALL(c->v + (size_t)j * c->column, t + 1), v[j]);
    }
    a->sum = tide_vec_fma(p.vg1[0], v[0], a->sum);
    if (n > 1 && c->s)
        tide_arima_products(c, n, v, g, tide_stride);
    for (int i = 0, from = 1; i < runs->n; from = runs->end[i++]) {
        if (runs->taps[i])
            tide_arima_rows_two(q, c, &p, from, runs->end[i], n, 1);
        else
            tide_arima_rows_two(q, c, &p, from, runs->end[i], n, 0);
    }
    /* the last row of the second step */
    phi = taps ? tide_vec_get(TIDE_ALL(q->phi, rows - 1)) : zero;
    u = taps ? tide_vec_fma(phi, p.l1, zero) : zero;
    tide_vec_put(TIDE_ROW(q->M, rows - 1), tide_vec_fma(p.k1, u, p.m));
    tide_vec_put(TIDE_ROW(q->L, rows - 1), tide_vec_fma(p.k1, p.m, u));
    for (int j = 0; j < n; ++j) {
        u = taps ? tide_vec_fma(phi, p.x1[j], zero) : zero;
        tide_vec_put(TIDE_OWN(c->x + (size_t)j * c->state, rows - 1), tide_vec_fma(p.m, p.vg1[j], u));
    }
}

/* Keeps M/F, L/F and x of the lanes that have `steps` steps. */
TIDE_FN void tide_arima_keep_end(const tide_arima_shape *s, const tide_arima_work *w, const tide_arima_turn *q,
                                 const double *x, tide_vec f, int steps) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    const int rows = tide_arima_lattice_rows(s);
    double by[TIDE_VEC];
    tide_vec_put(by, tide_vec_of(1.0) / f);
    for (int i = 0; i < s->r; ++i)
        TIDE_EACH_OF_VEC(k) {
            const int end = q->n[k] == (double)steps, lane = q->lane + k, there = i < rows;
            double m = there ? TIDE_ROW(q->M, i)[k] : 0.0, l = there ? TIDE_ROW(q->L, i)[k] : 0.0,
                   state = there ? TIDE_OWN(x, i)[k] : 0.0;
            TIDE_AT(w->m_end, i, lane) = end ? m * by[k] : TIDE_AT(w->m_end, i, lane);
            TIDE_AT(w->l_end, i, lane) = end ? l * by[k] : TIDE_AT(w->l_end, i, lane);
            TIDE_AT(w->x_end, i, lane) = end ? state : TIDE_AT(w->x_end, i, lane);
        }
}

/* One way through the data of a turn; n: columns, a constant in the callers, 0: as many as there are. */
TIDE_FN void tide_arima_pass_turn(const tide_arima_shape *s, const tide_arima_work *w, const tide_arima_turn *q,
                                  const tide_arima_columns_of *c, const tide_arima_runs *runs, int n,
                                  tide_arima_sums *a) {
    for (int t = 0; t < q->rows;) {
        if (n > 0 && t % 2 == 0 && t + 2 <= q->rows && !tide_arima_ends(q, t + 1)) {
            tide_arima_two(s, q, c, runs, t, n, a);
            t += 2;
        } else {
            tide_arima_one(s, q, c, t, a);
            t += 1;
        }
        if (tide_arima_ends(q, t))
            tide_arima_keep_end(s, w, q, c->x, a->f, t);
    }
}

/* One way through the data. mix NULL: over the first n_col columns of the data, leaving S, log F and the tape of the first
 * column; else over the n_col columns of `mix`, leaving the tape of all of them. Both leave `sum` of the first. */
TIDE_CALLED void tide_arima_pass(const tide_arima_shape *s, const tide_arima_work *w,
                                 const tide_arima_data *d, int n_col, const double *mix) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const int rows = tide_arima_lattice_rows(s);
    tide_arima_runs runs;
    tide_arima_runs_of(s, 1, rows, -1, &runs);
    if (!mix)
        tide_arima_fill(w->s, tide_packed(n_col, 0), 0.0, tide_stride);
    for (int lane = 0; lane < TIDE_LANES; lane += TIDE_VEC) {
        const tide_arima_turn q = tide_arima_turn_of(s, w, d, lane);
        tide_arima_columns_of c;
        c.d = d;
        c.mix = mix ? mix + lane : NULL;
        c.column = (size_t)w->rows_max * TIDE_STRIDE;
        c.n = n_col;
        c.state = (size_t)(s->r + 1) * TIDE_VEC_STRIDE;
        c.x = w->x + (size_t)(lane * n_col * (s->r + 1));
        c.v = w->v + lane;
        c.s = mix ? NULL : w->s + lane;
        c.value = w->value + lane;
        tide_arima_sums a;
        a.f = tide_vec_get(&TIDE_AT(w->poly.f, 0, lane));
        a.sum = a.exponent = tide_vec_of(0.0);
        a.product = tide_vec_of(1.0);
        for (int i = 0; i < rows; ++i) {
            const tide_vec m = tide_vec_get(&TIDE_AT(w->poly.m, i, lane));
            tide_vec_put(TIDE_ROW(q.M, i), m);
            tide_vec_put(TIDE_ROW(q.L, i), m);
        }
        tide_vec_put(TIDE_ROW(q.L, rows), a.sum);
        for (int i = 0; i < n_col * (s->r + 1); ++i)
            tide_vec_put(TIDE_OWN(c.x, i), a.sum);
        if (n_col == 1)
            tide_arima_pass_turn(s, w, &q, &c, &runs, 1, &a);
        else if (n_col == 2)
            tide_arima_pass_turn(s, w, &q, &c, &runs, 2, &a);
        else if (n_col == TIDE_ARIMA_GROUP)
            tide_arima_pass_turn(s, w, &q, &c, &runs, TIDE_ARIMA_GROUP, &a);
        else
            tide_arima_pass_turn(s, w, &q, &c, &runs, 0, &a);
        tide_vec_put(&TIDE_AT(w->sum, 0, lane), a.sum);
        if (!mix) {
            double product[TIDE_VEC], exponent[TIDE_VEC];
            tide_vec_put(product, a.product);
            tide_vec_put(exponent, a.exponent);
            TIDE_EACH_OF_VEC(k) {
                tide_arima_split(&product[k], &exponent[k]);
                TIDE_AT(w->log_f, 0, lane + k) =
                    tide_fma(exponent[k], 0x1.62e42fefa39efp-1, tide_log(product[k]));
            }
        }
    }
}

/* ---- backwards ---- */

/* The arrays of a turn on the way back. */
typedef struct tide_arima_way_back {
    double *M, *L, *mb, *lb; /* M/F, L/F and the derivatives by M and L; of this turn alone */
    double *z;               /* (columns, rows_max + r + 2) of this turn */
    size_t slide;            /* elements of a column's z */
    double *phi_bar;         /* of this turn's lanes, as what follows */
    const double *v, *y;     /* (columns, rows_max) innovations, values */
    size_t column;           /* elements of a column of both */
    tide_vec omega, log_term, fb;
} tide_arima_way_back;

/* A step on the way back: what it reads, and what it sums up over the rows. */
typedef struct tide_arima_back_step {
    tide_vec k, l, g, w, phi_lb;
    tide_vec km, kl; /* K in two sums, so that they do not wait for each other */
    tide_vec vg[TIDE_ARIMA_GROUP], x0[TIDE_ARIMA_GROUP], a[TIDE_ARIMA_GROUP], xb[TIDE_ARIMA_GROUP];
} tide_arima_back_step;

TIDE_FN void tide_arima_back_begin(const tide_arima_turn *q, const tide_arima_way_back *b, int t, int n,
                                   tide_arima_back_step *e) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    const tide_vec zero = tide_vec_of(0.0);
    e->w = tide_vec_get(TIDE_ALL(q->w, t));
    e->g = tide_vec_get(TIDE_ALL(q->g, t));
    e->l = tide_vec_get(TIDE_ALL(q->l0, t));
    e->k = e->l * e->g;
    e->phi_lb = e->km = e->kl = zero;
    for (int c = 0; c < n; ++c) {
        const size_t column = (size_t)c * b->column;
        const tide_vec v = tide_vec_get(TIDE_ALL(b->v + column, t));
        e->vg[c] = v * e->g;
        e->x0[c] = tide_vec_present(e->w, tide_vec_get(TIDE_ALL(b->y + column, t)) - v, zero);
        e->a[c] = e->xb[c] = zero;
    }
}

/* Row i: from M, L and their derivatives after the step to m, mb of this row and l, lb of the next one before it. */
TIDE_FN void tide_arima_back_row(const tide_arima_turn *q, const tide_arima_way_back *b, int i, int n, int taps,
                                 const tide_vec *z, tide_arima_back_step *e, tide_vec *m, tide_vec *l,
                                 tide_vec *mb, tide_vec *lb) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    const tide_vec m1 = *m, l1 = *l, mb1 = *mb, lb1 = *lb;
    *m = tide_vec_fma(e->k, l1, m1);
    *l = tide_vec_fma(e->k, m1, l1);
    *mb = tide_vec_fma(-e->k, lb1, mb1);
    *lb = tide_vec_fma(-e->k, mb1, lb1);
    e->km = tide_vec_fma(mb1, *l, e->km);
    e->kl = tide_vec_fma(lb1, *m, e->kl);
    for (int c = 0; c < n; ++c) {
        *mb = tide_vec_fma(z[c], e->vg[c], *mb);
        e->a[c] = tide_vec_fma(z[c], *m, e->a[c]);
    }
    if (taps) {
        const tide_vec phi = tide_vec_get(TIDE_ALL(q->phi, i));
        double *bar = TIDE_ALL(b->phi_bar, i);
        tide_vec sum = tide_vec_fma(*lb, e->l, tide_vec_get(bar));
        *l = tide_vec_fma(-phi, e->k, *l);
        e->phi_lb = tide_vec_fma(*lb, phi, e->phi_lb);
        for (int c = 0; c < n; ++c) {
            e->xb[c] = tide_vec_fma(z[c], phi, e->xb[c]);
            sum = tide_vec_fma(z[c], e->x0[c], sum);
        }
        tide_vec_put(bar, sum);
    }
}

/* The step's end: F_bar, z of the step; *lb = L_bar_0 before it. */
TIDE_FN void tide_arima_back_end(const tide_arima_turn *q, tide_arima_way_back *b, int t, int n,
                                 const tide_arima_back_step *e, tide_vec *lb) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    const tide_vec two = tide_vec_of(2.0), term = tide_vec_present(e->w, b->log_term * e->g, tide_vec_of(0.0)),
                   g_kb = tide_vec_fma(-e->k, b->fb, -(e->km + e->kl));
    tide_vec sum = e->k * g_kb;
    for (int c = 0; c < n; ++c) {
        const tide_vec o = b->omega * e->vg[c];
        sum = tide_vec_fma(e->a[c] + o, e->vg[c], sum);
        tide_vec_put(TIDE_OWN(b->z + (size_t)c * b->slide, t), e->xb[c] - tide_vec_fma(two, o, e->a[c]));
    }
    *lb = tide_vec_fma(-e->k, b->fb, g_kb) + e->phi_lb;
    b->fb = b->fb + (term - sum);
}

/* One step, n columns (a constant in the callers). */
TIDE_FN void tide_arima_back_one(const tide_arima_turn *q, tide_arima_way_back *b, const tide_arima_runs *runs,
                                 int t, int rows, int n) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    tide_arima_back_step e;
    tide_vec z[TIDE_ARIMA_GROUP], m, l, mb, lb;
    tide_arima_back_begin(q, b, t, n, &e);
    for (int run = runs->n - 1, i = rows - 1; run >= 0; --run)
        for (const int from = run > 0 ? runs->end[run - 1] : 0; i >= from; --i) {
            m = tide_vec_get(TIDE_ROW(b->M, i));
            l = tide_vec_get(TIDE_ROW(b->L, i));
            mb = tide_vec_get(TIDE_ROW(b->mb, i));
            lb = tide_vec_get(TIDE_ROW(b->lb, i));
            for (int c = 0; c < n; ++c)
                z[c] = tide_vec_get(TIDE_OWN(b->z + (size_t)c * b->slide, t + 1 + i));
            if (runs->taps[run])
                tide_arima_back_row(q, b, i, n, 1, z, &e, &m, &l, &mb, &lb);
            else
                tide_arima_back_row(q, b, i, n, 0, z, &e, &m, &l, &mb, &lb);
            tide_vec_put(TIDE_ROW(b->M, i), m);
            tide_vec_put(TIDE_ROW(b->L, i + 1), l);
            tide_vec_put(TIDE_ROW(b->mb, i), mb);
            tide_vec_put(TIDE_ROW(b->lb, i + 1), lb);
        }
    tide_arima_back_end(q, b, t, n, &e, &lb);
    tide_vec_put(b->L, e.k);
    tide_vec_put(b->lb, lb);
}

/* Rows from .. to, downwards, of the step at t, and those after them of the step before it. */
TIDE_FN void tide_arima_back_rows_two(const tide_arima_turn *q, const tide_arima_way_back *b, int t, int from,
                                      int to, int taps, tide_arima_back_step *e1, tide_arima_back_step *e0,
                                      tide_vec *m_next, tide_vec *mb_next) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    for (int i = from; i >= to; --i) {
        tide_vec m = tide_vec_get(TIDE_ROW(b->M, i)), l = tide_vec_get(TIDE_ROW(b->L, i)),
                 mb = tide_vec_get(TIDE_ROW(b->mb, i)), lb = tide_vec_get(TIDE_ROW(b->lb, i));
        const tide_vec z = tide_vec_get(TIDE_OWN(b->z, t + 1 + i)); /* of row i + 1 of the step before, too */
        tide_arima_back_row(q, b, i, 1, taps, &z, e1, &m, &l, &mb, &lb);
        tide_arima_back_row(q, b, i + 1, 1, taps, &z, e0, m_next, &l, mb_next, &lb);
        tide_vec_put(TIDE_ROW(b->M, i + 1), *m_next);
        tide_vec_put(TIDE_ROW(b->L, i + 2), l);
        tide_vec_put(TIDE_ROW(b->mb, i + 1), *mb_next);
        tide_vec_put(TIDE_ROW(b->lb, i + 2), lb);
        *m_next = m;
        *mb_next = mb;
    }
}

/* Steps t and t - 1, one column. runs: of rows 0 .. rows - 2, with taps there or one row on. */
TIDE_FN void tide_arima_back_two(const tide_arima_turn *q, tide_arima_way_back *b, const tide_arima_runs *runs,
                                 int t, int rows, int phi_taps) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    tide_arima_back_step e1, e0;
    const int last = rows - 1;
    tide_vec m = tide_vec_get(TIDE_ROW(b->M, last)), l = tide_vec_get(TIDE_ROW(b->L, last)),
             mb = tide_vec_get(TIDE_ROW(b->mb, last)), lb = tide_vec_get(TIDE_ROW(b->lb, last)),
             z = tide_vec_get(TIDE_OWN(b->z, t + 1 + last));
    tide_arima_back_begin(q, b, t, 1, &e1);
    tide_arima_back_begin(q, b, t - 1, 1, &e0);
    if (phi_taps)
        tide_arima_back_row(q, b, last, 1, 1, &z, &e1, &m, &l, &mb, &lb);
    else
        tide_arima_back_row(q, b, last, 1, 0, &z, &e1, &m, &l, &mb, &lb);
    for (int run = runs->n - 1, i = rows - 2; run >= 0; --run) {
        const int to = run > 0 ? runs->end[run - 1] : 0;
        if (runs->taps[run])
            tide_arima_back_rows_two(q, b, t, i, to, 1, &e1, &e0, &m, &mb);
        else
            tide_arima_back_rows_two(q, b, t, i, to, 0, &e1, &e0, &m, &mb);
        i = to - 1;
    }
    tide_arima_back_end(q, b, t, 1, &e1, &lb);
    l = e1.k;
    z = tide_vec_get(TIDE_OWN(b->z, t));
    if (phi_taps)
        tide_arima_back_row(q, b, 0, 1, 1, &z, &e0, &m, &l, &mb, &lb);
    else
        tide_arima_back_row(q, b, 0, 1, 0, &z, &e0, &m, &l, &mb, &lb);
    tide_vec_put(b->M, m);
    tide_vec_put(TIDE_ROW(b->L, 1), l);
    tide_vec_put(b->mb, mb);
    tide_vec_put(TIDE_ROW(b->lb, 1), lb);
    tide_arima_back_end(q, b, t - 1, 1, &e0, &lb);
    tide_vec_put(b->L, e0.k);
    tide_vec_put(b->lb, lb);
}

/* Lanes that have `steps` steps begin their way back. */
TIDE_FN void tide_arima_take_end(const tide_arima_work *w, const tide_arima_turn *q, tide_arima_way_back *b,
                                 int rows, int steps) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    double fb[TIDE_VEC];
    tide_vec_put(fb, b->fb);
    for (int i = 0; i < rows; ++i)
        TIDE_EACH_OF_VEC(k) {
            const int end = q->n[k] == (double)steps, lane = q->lane + k;
            double *m = &TIDE_ROW(b->M, i)[k], *l = &TIDE_ROW(b->L, i)[k], *mb = &TIDE_ROW(b->mb, i)[k],
                   *lb = &TIDE_ROW(b->lb, i)[k];
            *m = end ? TIDE_AT(w->m_end, i, lane) : *m;
            *l = end ? TIDE_AT(w->l_end, i, lane) : *l;
            *mb = end ? 0.0 : *mb;
            *lb = end ? 0.0 : *lb;
        }
    TIDE_EACH_OF_VEC(k) fb[k] = q->n[k] == (double)steps ? 0.0 : fb[k];
    b->fb = tide_vec_get(fb);
}

/* Back through one pass: n columns on the tape (a constant in the callers), their squares weighted by omega. Adds to
 * m_bar_sum, f_bar and phi_bar. columns: the columns' values, to have x_0 = value - v again. */
TIDE_FN void tide_arima_back(const tide_arima_shape *s, const tide_arima_work *w, const tide_arima_data *d,
                             int n, const double *columns, const double *omega, double log_term) {
    size_t tide_stride = s->stride;
    (void)tide_stride;
    const int rows = tide_arima_lattice_rows(s), slide = w->rows_max + s->r + 2;
    const tide_vec zero = tide_vec_of(0.0);
    tide_arima_runs one, two;
    tide_arima_runs_of(s, 0, rows, 0, &one);
    tide_arima_runs_of(s, 0, rows - 1, 1, &two);
    for (int lane = 0; lane < TIDE_LANES; lane += TIDE_VEC) {
        const tide_arima_turn q = tide_arima_turn_of(s, w, d, lane);
        tide_arima_way_back b;
        b.M = q.M;
        b.L = q.L;
        b.mb = q.L + TIDE_VEC_STRIDE;
        b.lb = b.mb + TIDE_VEC_STRIDE;
        b.z = w->z + (size_t)(lane * slide) * TIDE_ARIMA_GROUP;
        b.slide = (size_t)slide * TIDE_VEC_STRIDE;
        b.phi_bar = w->poly.phi_bar + lane;
        b.v = w->v + lane;
        b.y = columns + lane;
        b.column = (size_t)w->rows_max * TIDE_STRIDE;
        b.omega = tide_vec_get(omega + lane);
        b.log_term = tide_vec_of(log_term);
        b.fb = zero;
        for (int i = 0; i < rows + 1; ++i) {
            tide_vec_put(TIDE_ROW(b.M, i), zero);
            tide_vec_put(TIDE_ROW(b.L, i), zero);
            tide_vec_put(TIDE_ROW(b.mb, i), zero);
            tide_vec_put(TIDE_ROW(b.lb, i), zero);
            for (int c = 0; c < n; ++c)
                tide_vec_put(TIDE_OWN(b.z + (size_t)c * b.slide, q.rows + i), zero);
        }
        for (int t = q.rows - 1; t >= 0;) {
            if (tide_arima_ends(&q, t + 1))
                tide_arima_take_end(w, &q, &b, rows, t + 1);
            if (n == 1 && t > 0 && !tide_arima_ends(&q, t)) {
                tide_arima_back_two(&q, &b, &two, t, rows, s->phi.n > 0);
                t -= 2;
            } else {
                tide_arima_back_one(&q, &b, &one, t, rows, n);
                t -= 1;
            }
        }
        for (int i = 0; i < rows; ++i) {
            double *sum = &TIDE_AT(w->m_bar_sum, i, lane);
            tide_vec_put(sum, tide_vec_get(sum) + (tide_vec_get(TIDE_ROW(b.mb, i)) + tide_vec_get(TIDE_ROW(b.lb, i))));
        }
        tide_vec_put(&TIDE_AT(w->f_bar, 0, lane), tide_vec_get(&TIDE_AT(w->f_bar, 0, lane)) + b.fb);
    }
}

TIDE_CALLED void tide_arima_back_single(const tide_arima_shape *s, const tide_arima_work *w,
                                        const tide_arima_data *d, const double *columns, const double *omega) {
    tide_arima_back(s, w, d, 1, columns, omega, 1.0);
}

TIDE_CALLED void tide_arima_back_group(const tide_arima_shape *s, const tide_arima_work *w,
                                       const tide_arima_data *d, const double *omega) {
    tide_arima_back(s, w, d, TIDE_ARIMA_GROUP, w->mix, omega, 0.0);
}

#undef TIDE_ALL
#undef TIDE_OWN
#undef TIDE_ROW

#endif
