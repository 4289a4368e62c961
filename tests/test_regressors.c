/* test_regressors.c - shared regressors: from rows to columns, and least squares of many series on them. */
#include "host/regressors.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- a source over rows in memory, one block ------------------------------------------------------------------- */
typedef struct row {
    const char *id, *ds;
    double y;
} row;

typedef struct rows {
    const row *list;
    size_t n;
    char bytes[4096];
    uint32_t id_at[256], id_length[256];
    int64_t ds[256];
    double y[256];
    uint64_t line[256];
} rows;

static tide_status next(void *self, tide_rows *out, tide_error *err) {
    rows *m = self;
    uint32_t at = 0;
    tide_ds_kind kind = TIDE_DS_DATE;
    (void)err;
    for (size_t i = 0; i < m->n; ++i) {
        m->id_at[i] = at;
        m->id_length[i] = (uint32_t)strlen(m->list[i].id);
        memcpy(m->bytes + at, m->list[i].id, m->id_length[i]);
        at += m->id_length[i];
        cr_assert(tide_ds_parse(m->list[i].ds, strlen(m->list[i].ds), &kind, &m->ds[i]));
        m->y[i] = m->list[i].y;
        m->line[i] = i + 2;
    }
    *out = (tide_rows){.n = m->n, .ds_kind = kind, .bytes = m->bytes, .id_at = m->id_at, .id_length = m->id_length,
                       .ds = m->ds, .y = m->y, .line = m->line};
    m->n = 0;
    return TIDE_OK;
}

static tide_status read(const row *list, size_t n, const char *freq, tide_regressors *out, tide_error *err) {
    static rows m;
    m.list = list;
    m.n = n;
    tide_source source = {.self = &m, .name = "memory", .line_word = "row", .next = next};
    tide_intake_options o;
    memset(&o, 0, sizeof o);
    cr_assert_eq(tide_freq_parse(freq, &o.freq, NULL), TIDE_OK);
    o.out_of_order = TIDE_POLICY_SORT;
    o.max_length = 1 << 20;
    return tide_regressors_read(&source, &o, out, err);
}

Test(regressors, rows_become_columns_and_gaps_are_zero) {
    const row list[] = {{"promo", "2024-01-03", 2.5}, {"promo", "2024-01-06", 1.0}, {"holiday", "2024-01-01", 1.0}};
    tide_regressors r;
    tide_error err;
    cr_assert_eq(read(list, 3, "D", &r, &err), TIDE_OK, "%s", err.message);
    cr_assert(r.n == 2 && r.rows == 6);
    cr_assert_str_eq(r.names, "promo");
    cr_assert_str_eq(r.names + 6, "holiday");
    const double want[12] = {0, 1, 0, 0, 2.5, 0, 0, 0, 0, 0, 1, 0};
    cr_assert_arr_eq(r.x, want, sizeof want);
    int64_t ds;
    tide_ds_kind kind;
    size_t at;
    cr_assert(tide_ds_parse("2024-01-06", 10, &kind, &ds));
    cr_assert(tide_regressors_row(&r, ds, &at, &err) == TIDE_OK && at == 5);
    cr_assert_eq(tide_regressors_row(&r, ds + 1, &at, &err), TIDE_INPUT);
    cr_assert(strstr(err.message, "2024-01-07") && strstr(err.message, "6 steps from 2024-01-01"), "%s", err.message);
    cr_assert_eq(tide_regressors_row(&r, ds - 6, &at, &err), TIDE_INPUT);
    tide_regressors_free(&r);
}

Test(regressors, what_cannot_be_used_is_named) {
    const row infinite[] = {{"oil", "2024-01-03", INFINITY}}, off[] = {{"a", "2024-01-01", 1}, {"b", "2024-01-03", 1}};
    tide_regressors r = {.n = 77};
    tide_error err;
    cr_assert_eq(read(infinite, 1, "D", &r, &err), TIDE_INPUT);
    cr_assert(strstr(err.message, "'oil'") && r.n == 77, "%s", err.message);
    cr_assert_eq(read(off, 2, "W", &r, &err), TIDE_INPUT);
    cr_assert(strstr(err.message, "'b'"), "%s", err.message);
    cr_assert_eq(read(NULL, 0, "D", &r, &err), TIDE_INPUT);
    row many[TIDE_XREG_MAX + 1];
    char names[TIDE_XREG_MAX + 1][16];
    for (int i = 0; i <= TIDE_XREG_MAX; ++i) {
        snprintf(names[i], sizeof names[i], "x%d", i);
        many[i] = (row){names[i], "2024-01-03", 1.0};
    }
    cr_assert_eq(read(many, TIDE_XREG_MAX + 1, "D", &r, &err), TIDE_INPUT);
    cr_assert_eq(read(many, TIDE_XREG_MAX, "D", &r, &err), TIDE_OK);
    tide_regressors_free(&r);
}

/* ---- least squares ------------------------------------------------------------------------------------------------ */
enum { K = 3 };

static tide_regressors waves(size_t n_rows) { /* a wave, a dummy, and the dummy again: collinear */
    tide_regressors r = {.n = K, .rows = n_rows, .x = malloc(n_rows * K * sizeof(double))};
    for (size_t t = 0; t < n_rows; ++t) {
        r.x[t * K] = 1e3 * sin((double)t * 0.7);
        r.x[t * K + 1] = t % 7 == 3;
        r.x[t * K + 2] = 2.0 * r.x[t * K + 1];
    }
    return r;
}

static tide_panel series_on(const tide_regressors *r, size_t n, size_t *at, double unit) {
    tide_panel p;
    tide_panel_init(&p);
    double *y = malloc(r->rows * sizeof *y);
    for (size_t i = 0; i < n; ++i) {
        size_t length = r->rows - 2 * (i % 20);
        at[i] = i % 20;
        for (size_t t = 0; t < length; ++t) {
            const double *x = r->x + (at[i] + t) * K;
            y[t] = t % 11 == i % 11 ? TIDE_NAN : unit * (5.0 + (double)i + 0.25 * x[0] - 3.0 * x[1]);
        }
        cr_assert_eq(tide_panel_add(&p, "s", 1, y, length, 0, 0, NULL), TIDE_OK);
    }
    free(y);
    return p;
}

static int broken_cross(void *self, size_t n, size_t k, size_t s, const double *a, const double *b, double *c) {
    (void)self, (void)n, (void)a, (void)b;
    for (size_t i = 0; i < k * s; ++i)
        c[i] = 1e30;
    return 1;
}

Test(regressors, least_squares_finds_what_made_the_series) {
    static const size_t lengths[] = {60, 9000}; /* the second takes two runs of rows */
    static const double units[] = {1.0, 1e200, 1e-200};
    tide_linalg cpu, broken = {.name = "broken", .cross = broken_cross};
    tide_linalg_cpu(&cpu);
    for (int l = 0; l < 2; ++l)
        for (int u = 0; u < (l ? 1 : 3); ++u) {
            tide_regressors r = waves(lengths[l]);
            size_t n = l ? 3 : 300, *at = malloc(n * sizeof *at);
            tide_panel p = series_on(&r, n, at, units[u]);
            double *beta = malloc((K + 1) * n * sizeof *beta), *again = malloc((K + 1) * n * sizeof *again);
            int failed = 7;
            cr_assert_eq(tide_regress(&cpu, &r, &p, at, beta, NULL, &failed, NULL), TIDE_OK);
            cr_assert_eq(failed, 0);
            for (size_t i = 0; i < n; ++i) {
                double unit = units[u];
                cr_assert_float_eq(beta[i] / unit, 5.0 + (double)i, 1e-10, "%zu: %g", i, beta[i]);
                cr_assert_float_eq(beta[n + i] / unit, 0.25, 1e-13);
                cr_assert_float_eq(beta[2 * n + i] / unit, -3.0, 1e-10);
                cr_assert_eq(beta[3 * n + i], 0.0);
            }
            cr_assert_eq(tide_regress(&broken, &r, &p, at, again, NULL, &failed, NULL), TIDE_OK);
            cr_assert_eq(failed, 1);
            cr_assert_arr_eq(beta, again, (K + 1) * n * sizeof *beta);
            free(beta);
            free(again);
            free(at);
            free(r.x);
            tide_panel_free(&p);
        }
}

Test(regressors, a_series_does_not_depend_on_its_mates) {
    tide_linalg cpu;
    tide_linalg_cpu(&cpu);
    tide_regressors r = waves(100);
    size_t at[400];
    tide_panel p = series_on(&r, 400, at, 1.0), one;
    double beta[400 * (K + 1)], alone[K + 1];
    cr_assert_eq(tide_regress(&cpu, &r, &p, at, beta, NULL, NULL, NULL), TIDE_OK);
    for (size_t i = 0; i < 400; i += 133) {
        tide_panel_init(&one);
        cr_assert_eq(tide_panel_add(&one, "s", 1, p.y + p.at[i], p.at[i + 1] - p.at[i], 0, 0, NULL), TIDE_OK);
        cr_assert_eq(tide_regress(&cpu, &r, &one, at + i, alone, NULL, NULL, NULL), TIDE_OK);
        for (size_t c = 0; c <= K; ++c)
            cr_assert_eq(tide_to_bits(alone[c]), tide_to_bits(beta[c * 400 + i]));
        tide_panel_free(&one);
    }
    tide_error err;
    at[5] = 98;
    cr_assert_eq(tide_regress(&cpu, &r, &p, at, beta, NULL, NULL, &err), TIDE_INPUT);
    cr_assert(strstr(err.message, "'s'"), "%s", err.message);
    tide_panel_free(&p);
    free(r.x);
}
