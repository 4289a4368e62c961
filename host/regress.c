/* regress.c - least squares of many series on shared regressors (regressors.h), by two products a chunk of series:
 *
 *     X' Y         (k, s)            Y: the series at their rows, 0 where missing or outside
 *     (X x X)' M   (k(k+1)/2, s)     M: 1 where a series has a value; the Gram matrix of each series over its own values
 *
 * and a Cholesky factorisation a series. k counts the intercept. Columns are divided by powers of two first and cut
 * into slices (linalg.h), so the results do not depend on who multiplies. Memory: about 8 (3 k^2/2 + 4 s) bytes a row of
 * the run at hand, s = SERIES, some 64 MiB at most: runs are the shorter for it. They begin at multiples of their length, which
 * the number of regressors decides, so that a series' sums do not depend on its mates in a chunk. */
#include "host/regressors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SERIES = 256, EXPONENT_LEAST = -900, EXPONENT_MOST = 900, WORK_DOUBLES = 1 << 23 };
static const double collinear = 1e-11; /* share of a diagonal below which a pivot counts as 0 */

typedef struct chunk {
    const tide_regressors *r;
    const tide_panel *panel;
    const size_t *row;
    size_t first, n; /* series */
    size_t k, pairs; /* columns with the intercept; k(k+1)/2 */
    double *x_scale; /* [k] powers of two */
    double y_scale[SERIES];
    double *a, *aa;  /* slices of X (rows, 3k) and of its products (rows, 3 pairs) */
    double *b, *m;   /* slices of Y (rows, 3s), and M (rows, s) */
    double *c, *cm;  /* products */
    double *xy, *g;  /* (k, s), (pairs, s): sums over the runs of rows */
} chunk;

/* A power of two above every |v|, so that v/s is in [-1, 1]; 1 for zeros. Kept where products of two stay normal. */
static double power_above(double largest) {
    int e = 0;
    if (!(largest > 0.0))
        return 1.0;
    frexp(largest, &e);
    e = e < EXPONENT_LEAST ? EXPONENT_LEAST : e > EXPONENT_MOST ? EXPONENT_MOST : e;
    return ldexp(1.0, e);
}

static void put_slices(double v, double *at, size_t stride) {
    double s[TIDE_SLICES];
    tide_slice(v, s);
    for (size_t i = 0; i < TIDE_SLICES; ++i)
        at[i * stride] = s[i];
}

/* X and its products at rows [from, from + n). */
static void cut_regressors(const chunk *c, size_t from, size_t n) {
    double v[TIDE_XREG_MAX + 1];
    for (size_t t = 0; t < n; ++t) {
        const double *x = c->r->x + (from + t) * c->r->n;
        v[0] = 1.0;
        for (size_t i = 1; i < c->k; ++i)
            v[i] = x[i - 1] / c->x_scale[i];
        for (size_t i = 0, pair = 0; i < c->k; ++i) {
            put_slices(v[i], c->a + t * TIDE_SLICES * c->k + i, c->k);
            for (size_t j = 0; j <= i; ++j, ++pair)
                put_slices(v[i] * v[j], c->aa + t * TIDE_SLICES * c->pairs + pair, c->pairs);
        }
    }
}

/* Y and M at rows [from, from + n). */
static void cut_series(const chunk *c, size_t from, size_t n) {
    const tide_panel *p = c->panel;
    memset(c->b, 0, n * TIDE_SLICES * c->n * sizeof *c->b);
    memset(c->m, 0, n * c->n * sizeof *c->m);
    for (size_t j = 0; j < c->n; ++j) {
        size_t i = c->first + j, length = p->at[i + 1] - p->at[i], start = c->row[i];
        if (start == TIDE_NO_ROW)
            continue;
        size_t begin = start > from ? start : from, end = start + length < from + n ? start + length : from + n;
        for (size_t t = begin; t < end; ++t) {
            double y = p->y[p->at[i] + (t - start)];
            if (!tide_is_finite(y))
                continue;
            put_slices(y / c->y_scale[j], c->b + (t - from) * TIDE_SLICES * c->n + j, c->n);
            c->m[(t - from) * c->n + j] = 1.0;
        }
    }
}

/* Adds the products over rows [from, from + n) to the sums. */
static void add_run(const tide_linalg *linalg, const chunk *c, size_t from, size_t n, int *failed) {
    tide_linalg cpu;
    tide_linalg_cpu(&cpu);
    cut_regressors(c, from, n);
    cut_series(c, from, n);
    if (linalg->cross(linalg->self, n, TIDE_SLICES * c->k, TIDE_SLICES * c->n, c->a, c->b, c->c) ||
        linalg->cross(linalg->self, n, TIDE_SLICES * c->pairs, c->n, c->aa, c->m, c->cm)) {
        *failed = 1;
        cpu.cross(cpu.self, n, TIDE_SLICES * c->k, TIDE_SLICES * c->n, c->a, c->b, c->c);
        cpu.cross(cpu.self, n, TIDE_SLICES * c->pairs, c->n, c->aa, c->m, c->cm);
    }
    for (size_t i = 0; i < c->k; ++i)
        for (size_t j = 0; j < c->n; ++j)
            c->xy[i * c->n + j] += tide_slices_join(c->c, c->k, c->n, i, j);
    for (size_t i = 0; i < c->pairs; ++i)
        for (size_t j = 0; j < c->n; ++j)
            c->g[i * c->n + j] += (c->cm[(2 * c->pairs + i) * c->n + j] + c->cm[(c->pairs + i) * c->n + j]) +
                                  c->cm[i * c->n + j];
}

static void solve(const chunk *c, double *beta, uint8_t *identified) {
    double g[(TIDE_XREG_MAX + 1) * (TIDE_XREG_MAX + 2) / 2], b[TIDE_XREG_MAX + 1];
    for (size_t j = 0; j < c->n; ++j) {
        for (size_t i = 0; i < c->pairs; ++i)
            g[i] = c->g[i * c->n + j];
        for (size_t i = 0; i < c->k; ++i)
            b[i] = c->xy[i * c->n + j];
        tide_cholesky_solve(g, b, (int)c->k, collinear);
        for (size_t i = 0; i < c->k; ++i) {
            double v = b[i] * (c->y_scale[j] / c->x_scale[i]);
            beta[i * c->panel->n_series + c->first + j] = tide_is_finite(v) ? v : 0.0;
            if (identified && i > 0) /* a column that was left out has 0 in its factor's diagonal */
                identified[(i - 1) * c->panel->n_series + c->first + j] =
                    g[i * (i + 1) / 2 + i] != 0.0 && tide_is_finite(v);
        }
    }
}

/* Scales of the chunk's series, and the rows that they lie on. */
static void measure(chunk *c, size_t *from, size_t *to) {
    const tide_panel *p = c->panel;
    *from = SIZE_MAX;
    *to = 0;
    for (size_t j = 0; j < c->n; ++j) {
        size_t i = c->first + j, out = c->row[i] == TIDE_NO_ROW;
        size_t end = out ? c->row[i] : c->row[i] + (p->at[i + 1] - p->at[i]);
        double largest = 0.0;
        for (size_t t = p->at[i]; t < p->at[i + 1]; ++t)
            largest = fabs(p->y[t]) > largest && tide_is_finite(p->y[t]) ? fabs(p->y[t]) : largest;
        c->y_scale[j] = power_above(largest);
        if (end == c->row[i])
            continue;
        *from = c->row[i] < *from ? c->row[i] : *from;
        *to = end > *to ? end : *to;
    }
}

static tide_status make_room(chunk *c, size_t rows, double **block, tide_error *err) {
    size_t s = SERIES, k3 = TIDE_SLICES * c->k, p3 = TIDE_SLICES * c->pairs;
    size_t sizes[8] = {rows * k3, rows * p3, rows * TIDE_SLICES * s, rows * s, k3 * TIDE_SLICES * s,
                       p3 * s,    c->k * s,  c->pairs * s};
    double **parts[8] = {&c->a, &c->aa, &c->b, &c->m, &c->c, &c->cm, &c->xy, &c->g}, *at;
    size_t all = c->k;
    for (int i = 0; i < 8; ++i)
        all += sizes[i];
    *block = at = malloc(all * sizeof *at);
    if (!at)
        return tide_fail(err, TIDE_MEMORY, "no memory for a regression (%zu bytes)", all * sizeof *at);
    for (int i = 0; i < 8; at += sizes[i++])
        *parts[i] = at;
    c->x_scale = at;
    return TIDE_OK;
}

tide_status tide_regress(const tide_linalg *linalg, const tide_regressors *r, const tide_panel *panel, const size_t *row,
                         double *beta, uint8_t *identified, int *failed, tide_error *err) {
    chunk c = {.r = r, .panel = panel, .row = row, .k = r->n + 1, .pairs = (r->n + 1) * (r->n + 2) / 2};
    size_t fit = WORK_DOUBLES / (TIDE_SLICES * (c.k + c.pairs + SERIES) + SERIES);
    size_t run = fit < TIDE_LINALG_ROWS ? fit : TIDE_LINALG_ROWS, most = r->rows < run ? r->rows : run;
    double *block = NULL;
    int device_failed = 0;
    for (size_t i = 0; i < panel->n_series; ++i)
        if (row[i] != TIDE_NO_ROW && (row[i] > r->rows || panel->at[i + 1] - panel->at[i] > r->rows - row[i]))
            return tide_fail(err, TIDE_INPUT, "series '%.*s' goes beyond the regressors' %zu steps",
                             (int)(panel->id_at[i + 1] - panel->id_at[i] < 80 ? panel->id_at[i + 1] - panel->id_at[i] : 80),
                             panel->ids + panel->id_at[i], r->rows);
    TIDE_TRY(make_room(&c, most, &block, err));
    c.x_scale[0] = 1.0;
    for (size_t i = 0; i < r->n; ++i) {
        double largest = 0.0;
        for (size_t t = 0; t < r->rows; ++t)
            largest = fabs(r->x[t * r->n + i]) > largest ? fabs(r->x[t * r->n + i]) : largest;
        c.x_scale[i + 1] = power_above(largest);
    }
    for (c.first = 0; c.first < panel->n_series; c.first += c.n) {
        size_t from, to;
        c.n = panel->n_series - c.first < SERIES ? panel->n_series - c.first : SERIES;
        measure(&c, &from, &to);
        memset(c.xy, 0, c.k * c.n * sizeof *c.xy);
        memset(c.g, 0, c.pairs * c.n * sizeof *c.g);
        for (size_t end; from < to; from = end) {
            end = (from / run + 1) * run;
            end = end < to ? end : to;
            add_run(linalg, &c, from, end - from, &device_failed);
        }
        solve(&c, beta, identified);
    }
    free(block);
    if (failed)
        *failed = device_failed;
    return TIDE_OK;
}
