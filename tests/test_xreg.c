/* test_xreg.c - shared regressors from a table to coefficients and forecasts: closed forms, R's examples, series that the
 * table does not cover or whose values cannot tell its columns apart, and the same bits everywhere. */
#include "host/across.h"
#include "host/xreg.h"
#include "kernels/results.h"
#include "kernels/tide_fn.h"
#include "tests/device_emulated.h"
#include "tests/draw.h"
#include "tests/golden.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 400 };

static double unit(uint64_t a, uint64_t b) {
    return draw_unit(a, b, 99) - 0.5;
}

/* A table of `rows` days from day 0 on, two regressors; the second is 1 from `switched` on. */
static tide_regressors table_of(size_t rows, size_t switched) {
    tide_regressors r = {.n = 2, .rows = rows, .kind = TIDE_DS_DATE, .freq = {TIDE_UNIT_DAY, 1}};
    r.x = calloc(2 * rows, sizeof *r.x);
    r.names = calloc(16, 1);
    memcpy(r.names, "wave\0step", 10);
    for (size_t t = 0; t < rows; ++t) {
        r.x[2 * t] = sin(0.7 * (double)t) + unit(3, t);
        r.x[2 * t + 1] = t >= switched;
    }
    return r;
}

static tide_fit_spec spec_for(const tide_regressors *r, tide_arima_order o) {
    tide_fit_spec s = {.season = 1, .families = 1u << TIDE_FAMILY_ARIMA, .max_iterations = 2000, .slots = 1};
    s.arima = (tide_arima_spec){.max_p = o.p, .max_q = o.q, .max_order = o.p + o.q, .max_d = o.d, .d = o.d, .fixed = 1,
                                .p = o.p, .q = o.q, .constant = o.constant, .max_iterations = 1000, .lambda = 1.0,
                                .root_min = 1.0, .xreg = (int32_t)r->n};
    return s;
}

typedef struct fitted {
    tide_plan plan;
    tide_xreg work;
    tide_across_work across;
    tide_results r;
} fitted;

/* Fits the panel as a run does. */
static void fit(fitted *f, const tide_backend *backend, const tide_regressors *table, const tide_panel *p,
                const tide_fit_spec *spec) {
    tide_linalg cpu;
    tide_error err;
    memset(f, 0, sizeof *f);
    tide_linalg_cpu(&cpu);
    f->work.regressors = table;
    f->work.linalg = &cpu;
    cr_assert_eq(tide_plan_build(&f->plan, p, &err), TIDE_OK);
    cr_assert_eq(tide_xreg_fill(&f->work, p, &f->plan, &err), TIDE_OK, "%s", err.message);
    f->r = (tide_results){.n_series = p->n_series, .slots = spec->slots, .coef_rows = tide_coef_rows(spec),
                          .state_rows = tide_state_rows(spec), .xreg = table->x, .xreg_rows = table->rows,
                          .xreg_columns = (int32_t)table->n};
    void *block = aligned_alloc(64, tide_results_map(&f->r, NULL));
    tide_results_map(&f->r, block);
    cr_assert_eq(tide_across_fit(&f->across, backend, spec, TIDE_ACROSS_BACKTEST, &f->plan.tiles, &f->r, NULL, &err), TIDE_OK,
                 "%s", err.message);
}

static void drop(fitted *f) {
    free(f->r.outcome);
    tide_plan_free(&f->plan);
    tide_xreg_free(&f->work);
    tide_across_free(&f->across);
}

static tide_backend cpu_backend(const char *isa) {
    tide_backend b;
    const tide_backend_options o = {.kind = TIDE_BACKEND_CPU, .jobs = 1, .isa = isa};
    memset(&b, 0, sizeof b);
    if (tide_backend_open_cpu(&o, &b, NULL) != TIDE_OK)
        b.self = NULL; /* not on this processor */
    return b;
}

static void add(tide_panel *p, const char *id, const double *y, size_t n, int64_t first) {
    cr_assert_eq(tide_panel_add(p, id, strlen(id), y, n, first, first + (int64_t)n - 1, NULL), TIDE_OK);
}

/* White noise: maximum likelihood is least squares, here of two regressors and a mean by the normal equations. */
Test(xreg, coefficients_in_white_noise_are_least_squares) {
    enum { N = 120 };
    tide_regressors table = table_of(N + 5, 70);
    tide_backend cpu = cpu_backend(NULL);
    double y[N], g[6] = {0}, b[3] = {0};
    for (size_t t = 0; t < N; ++t)
        y[t] = 40.0 + 3.0 * table.x[2 * t] - 7.0 * table.x[2 * t + 1] + unit(1, t);
    y[17] = TIDE_NAN;
    for (size_t t = 0; t < N; ++t) {
        const double x[3] = {1.0, table.x[2 * t], table.x[2 * t + 1]};
        for (int i = 0, at = 0; i < 3 && t != 17; ++i) {
            b[i] += x[i] * y[t];
            for (int j = 0; j <= i; ++j, ++at)
                g[at] += x[i] * x[j];
        }
    }
    cr_assert_eq(tide_cholesky_solve(g, b, 3, 1e-12), 3);
    tide_panel p;
    tide_panel_init(&p);
    add(&p, "a", y, N, 0);
    tide_fit_spec spec = spec_for(&table, (tide_arima_order){.constant = 1});
    fitted f;
    fit(&f, &cpu, &table, &p, &spec);
    for (int i = 0; i < 3; ++i)
        cr_assert_float_eq(f.r.coef[i], b[i], 1e-9, "coefficient %d: %.12g, least squares %.12g", i, f.r.coef[i], b[i]);
    cr_assert_eq(f.r.n_params[0], 4);
    double mean[5];
    const tide_forecast_spec ahead = {.season = 1, .horizon = 5};
    cr_assert_eq(cpu.forecast(cpu.self, &ahead, &f.r, NULL, mean, NULL, NULL, NULL), TIDE_OK);
    for (size_t h = 0; h < 5; ++h)
        cr_assert_float_eq(mean[h], b[0] + b[1] * table.x[2 * (N + h)] + b[2], 1e-9);
    drop(&f);
    tide_panel_free(&p);
    cpu.close(cpu.self);
    tide_regressors_free(&table);
}

/* R 4.2.2, forecast 8.20: Arima(y, order, xreg = x, method = "ML", optim.control = list(reltol = 1e-14)), forecast(h). */
Test(xreg, r_agrees) {
    static const struct {
        const char *series;
        tide_arima_order order;
        double coef[4], loglik, mean[2], lo, hi; /* ar, ma, mean, xreg; 80 % limits of the first step */
        int wave;                                /* x_t = sin(t/5), else t - 46, the year less 1920 */
    } cases[] = {{"LakeHuron", {.p = 2, .constant = 1},
                  {1.0048177382569, -0.2913011027247, 579.0994107596963, -0.0215681363814}, -101.198267167,
                  {579.3973, 578.8052}, 578.5130, 580.2815, 0},
                 {"WWWusage", {.p = 1, .d = 1, .q = 1},
                  {0.594850386836, 0.535363901500, -16.593567042568}, -252.016055473,
                  {218.9421, 218.5356}, 214.9535, 222.9307, 1}};
    tide_backend cpu = cpu_backend(NULL);
    for (size_t c = 0; c < 2; ++c) {
        double y[LONGEST];
        int period, n = golden_series(cases[c].series, y, LONGEST, &period);
        tide_regressors table = {.n = 1, .rows = (size_t)n + 2, .kind = TIDE_DS_INTEGER, .freq = {TIDE_UNIT_STEP, 1}};
        table.first_ds = 1;
        table.x = malloc(table.rows * sizeof *table.x);
        for (int t = 1; t <= n + 2; ++t)
            table.x[t - 1] = cases[c].wave ? sin((double)t / 5.0) : (double)(t - 46);
        tide_panel p;
        tide_panel_init(&p);
        add(&p, "a", y, (size_t)n, 1);
        tide_fit_spec spec = spec_for(&table, cases[c].order);
        fitted f;
        fit(&f, &cpu, &table, &p, &spec);
        cr_assert_gt(f.r.loglik[0], cases[c].loglik - 1e-4, "%s: %.9g", cases[c].series, f.r.loglik[0]);
        cr_assert_lt(f.r.loglik[0], cases[c].loglik + 1e-2, "%s: %.9g", cases[c].series, f.r.loglik[0]);
        const int n_coef = tide_arima_n_coef(tide_arima_order_of(f.r.form[0])) - 1;
        for (int i = 0; i < n_coef; ++i)
            cr_assert_float_eq(f.r.coef[i], cases[c].coef[i], 2e-3 * fmax(1.0, fabs(cases[c].coef[i])), "%s %d: %.9g",
                               cases[c].series, i, f.r.coef[i]);
        double mean[2], lo[2], hi[2];
        const tide_forecast_spec ahead = {.season = 1, .horizon = 2, .n_levels = 1, .level = {0.8}};
        uint64_t key = 1;
        cr_assert_eq(cpu.forecast(cpu.self, &ahead, &f.r, &key, mean, lo, hi, NULL), TIDE_OK);
        for (int h = 0; h < 2; ++h)
            cr_assert_float_eq(mean[h], cases[c].mean[h], 5e-3, "%s +%d: %.8g", cases[c].series, h + 1, mean[h]);
        cr_assert_float_eq(lo[0], cases[c].lo, 2e-2, "%.8g", lo[0]);
        cr_assert_float_eq(hi[0], cases[c].hi, 2e-2, "%.8g", hi[0]);
        drop(&f);
        tide_panel_free(&p);
        free(table.x);
    }
    cpu.close(cpu.self);
}

Test(xreg, series_that_the_table_does_not_cover_are_named_and_the_others_are_as_without_them) {
    enum { N = 100 };
    tide_regressors table = table_of(N + 20, 60);
    table.present = malloc(table.rows);
    memset(table.present, 1, table.rows);
    table.present[105] = 0;
    tide_backend cpu = cpu_backend(NULL);
    double y[N + 20];
    for (size_t t = 0; t < N + 20; ++t)
        y[t] = 5.0 + 2.0 * table.x[2 * t] + table.x[2 * t + 1] + unit(9, t);
    tide_panel p, one;
    tide_panel_init(&p);
    tide_panel_init(&one);
    add(&p, "good", y, N, 0);
    add(&p, "early", y, N, -2);
    add(&p, "past", y, N, 30);   /* ends at day 129, after the table */
    add(&p, "gap", y, N + 10, 3); /* to day 112 */
    cr_assert_eq(tide_panel_add(&p, "none", 4, NULL, 0, 0, 0, NULL), TIDE_OK);
    add(&one, "good", y, N, 0);
    tide_fit_spec spec = spec_for(&table, (tide_arima_order){.p = 1, .constant = 1});
    fitted f, alone;
    fit(&f, &cpu, &table, &p, &spec);
    fit(&alone, &cpu, &table, &one, &spec);
    const int want[5] = {TIDE_OUTCOME_FITTED, TIDE_OUTCOME_NO_REGRESSORS, TIDE_OUTCOME_NO_REGRESSORS,
                         TIDE_OUTCOME_NO_REGRESSORS, TIDE_OUTCOME_EMPTY};
    for (int i = 0; i < 5; ++i)
        cr_assert_eq(f.r.outcome[i], want[i], "series %d: %d", i, f.r.outcome[i]);
    for (int i = 1; i < 5; ++i)
        cr_assert_eq(f.r.n_members[i], 0);
    cr_assert(f.work.covered == 1 && f.work.uncovered.n == 3);
    cr_assert_str_eq(f.work.uncovered.named[0], "series 'early': no regressors at 1969-12-30");
    cr_assert_str_eq(f.work.uncovered.named[1], "series 'past': no regressors at 1970-04-16");
    cr_assert_str_eq(f.work.uncovered.named[2], "series 'gap': no regressors at 1970-04-16");
    for (int c = 0; c < f.r.coef_rows; ++c)
        cr_assert_eq(tide_to_bits(f.r.coef[(size_t)c * 5]), tide_to_bits(alone.r.coef[c]));
    cr_assert_eq(tide_regressors_reach(&table, 100), 5u);
    drop(&f);
    drop(&alone);
    tide_panel_free(&p);
    tide_panel_free(&one);
    cpu.close(cpu.self);
    tide_regressors_free(&table);
}

/* The step comes after the series' end: its coefficient is 0 and no parameter, and the model the one without it. */
Test(xreg, a_regressor_that_a_series_never_saw_is_not_in_its_model) {
    enum { N = 90 };
    tide_regressors table = table_of(N + 10, N + 2), wave = {.n = 1, .rows = N + 10, .kind = TIDE_DS_DATE, .freq = {TIDE_UNIT_DAY, 1}};
    wave.x = malloc(wave.rows * sizeof *wave.x);
    for (size_t t = 0; t < wave.rows; ++t)
        wave.x[t] = table.x[2 * t];
    tide_backend cpu = cpu_backend(NULL);
    for (int level = 0; level < 2; ++level) { /* also where the column is constant, but not zero */
        for (size_t t = 0; t < N; ++t)
            table.x[2 * t + 1] = 3.0 * level;
        double y[N], e = 0.0;
        for (size_t t = 0; t < N; ++t) {
            e = 0.5 * e + unit(12, t);
            y[t] = 50.0 + 2.0 * table.x[2 * t] + e;
        }
        tide_panel p;
        tide_panel_init(&p);
        add(&p, "a", y, N, 0);
        tide_fit_spec spec = spec_for(&table, (tide_arima_order){.p = 1, .constant = 1}),
                      less = spec_for(&wave, (tide_arima_order){.p = 1, .constant = 1});
        fitted f, g;
        fit(&f, &cpu, &table, &p, &spec);
        fit(&g, &cpu, &wave, &p, &less);
        cr_assert_eq(f.r.coef[3], 0.0);
        cr_assert_eq(f.r.n_params[0], g.r.n_params[0]);
        cr_assert_eq(tide_to_bits(f.r.loglik[0]), tide_to_bits(g.r.loglik[0]));
        cr_assert_eq(tide_to_bits(f.r.coef[2]), tide_to_bits(g.r.coef[2]));
        double with[8], without[8];
        const tide_forecast_spec ahead = {.season = 1, .horizon = 8};
        cr_assert_eq(cpu.forecast(cpu.self, &ahead, &f.r, NULL, with, NULL, NULL, NULL), TIDE_OK);
        cr_assert_eq(cpu.forecast(cpu.self, &ahead, &g.r, NULL, without, NULL, NULL, NULL), TIDE_OK);
        cr_assert_arr_eq(with, without, sizeof with);
        drop(&f);
        drop(&g);
        tide_panel_free(&p);
    }
    cpu.close(cpu.self);
    free(wave.x);
    tide_regressors_free(&table);
}

Test(xreg, what_tells_nothing_apart_is_left_out_by_name) {
    enum { N = 50 };
    tide_regressors r = {.n = 4, .rows = N, .kind = TIDE_DS_INTEGER, .freq = {TIDE_UNIT_STEP, 1}};
    r.x = malloc(4 * N * sizeof *r.x);
    r.names = malloc(32);
    memcpy(r.names, "one\0a\0b\0sum", 12);
    for (size_t t = 0; t < N; ++t) {
        r.x[4 * t] = 1e-7;
        r.x[4 * t + 1] = 1e9 + unit(1, t);
        r.x[4 * t + 2] = 1e-9 * unit(2, t);
        r.x[4 * t + 3] = 2.0 * r.x[4 * t + 1] + 3e9 * r.x[4 * t + 2] + 7.0;
    }
    const uint64_t before = tide_regressors_fingerprint(&r);
    cr_assert_eq(tide_regressors_settle(&r, NULL, NULL, NULL), TIDE_OK);
    const tide_xreg_table t = tide_regressors_table(&r);
    cr_assert_eq(r.n, 2u);
    cr_assert_str_eq(tide_xreg_name(&t, 0), "a");
    cr_assert_str_eq(tide_xreg_name(&t, 1), "b");
    cr_assert_eq(r.x[2 * 7], 1e9 + unit(1, 7));
    cr_assert_eq(r.x[2 * 7 + 1], 1e-9 * unit(2, 7));
    const uint64_t after = tide_regressors_fingerprint(&r);
    cr_assert_neq(before, after);
    r.x[3] += 1e-16;
    cr_assert_neq(tide_regressors_fingerprint(&r), after);
    tide_regressors_free(&r);
}

/* Regressors and Fourier pairs by criterion, by every instruction set and a device. */
Test(xreg, every_backend_gives_the_same_bits, .timeout = 300) {
    enum { SERIES = 70, H = 6 };
    static emulated_machine machine = {.devices = 1,
                                       .device = {{.memory_bytes = 1u << 30, .free_bytes = 1u << 30, .multiprocessors = 1}}};
    tide_regressors table = table_of(200, 100);
    tide_panel p;
    tide_panel_init(&p);
    for (size_t i = 0; i < SERIES; ++i) {
        double y[LONGEST], e = 0.0;
        const size_t first = i % 11, n = i % 13 == 0 ? i % 7 : 60 + i;
        for (size_t t = 0; t < n; ++t) {
            e = 0.6 * e + unit(40 + i, t);
            y[t] = t % 23 == i ? TIDE_NAN : 10.0 + (double)(i % 5) * table.x[2 * (first + t)] + sin(0.1 * (double)(t * (i % 3))) + e;
        }
        add(&p, "s", y, n, (int64_t)first);
    }
    tide_fit_spec spec = spec_for(&table, (tide_arima_order){.p = 1, .q = 1, .constant = 1});
    spec.season = 61;
    spec.arima.fixed = 0;
    spec.arima.d = -1;
    spec.arima.max_d = 1;
    spec.arima.root_min = 1.01;
    spec.arima.max_fourier = 3;
    spec.arima.fourier_auto = 1;
    static const char *const isas[] = {"scalar", "baseline", "avx2", "avx512", "device"};
    fitted first = {.r = {.n_series = 0}};
    double *mean = malloc(2 * SERIES * H * sizeof *mean);
    size_t bytes = 0;
    int fourier = 0;
    for (int i = 0; i < 5; ++i) {
        const tide_backend_options options = {.kind = TIDE_BACKEND_CUDA};
        tide_backend b;
        memset(&b, 0, sizeof b);
        if (i == 4)
            cr_assert_eq(tide_backend_open_cuda(&options, emulated_driver(&machine), &b, NULL), TIDE_OK);
        else
            b = cpu_backend(isas[i]);
        if (!b.self)
            continue;
        cr_assert_eq(b.gpu, i == 4);
        fitted f;
        fit(&f, &b, &table, &p, &spec);
        const tide_forecast_spec ahead = {.season = 61, .horizon = H};
        double *mine = mean + (i ? SERIES * H : 0);
        cr_assert_eq(b.forecast(b.self, &ahead, &f.r, NULL, mine, NULL, NULL, NULL), TIDE_OK);
        if (i == 0) {
            first = f;
            tide_results sized = f.r;
            bytes = tide_results_map(&sized, NULL);
            for (size_t s = 0; s < SERIES; ++s)
                fourier += f.r.family[s] == TIDE_FAMILY_ARIMA && tide_arima_order_of(f.r.form[s]).fourier;
        } else {
            cr_assert_eq(memcmp(f.r.outcome, first.r.outcome, SERIES), 0);
            cr_assert_eq(memcmp(f.r.coef, first.r.coef, SERIES * (size_t)f.r.coef_rows * sizeof(double)), 0, "%s", isas[i]);
            cr_assert_eq(memcmp(f.r.state, first.r.state, SERIES * (size_t)f.r.state_rows * sizeof(double)), 0, "%s", isas[i]);
            cr_assert_eq(memcmp(f.r.xreg_next, first.r.xreg_next, SERIES * sizeof(int32_t)), 0);
            cr_assert_eq(memcmp(mine, mean, SERIES * H * sizeof *mean), 0, "%s", isas[i]);
            drop(&f);
        }
        b.close(b.self);
    }
    cr_assert(bytes > 0 && fourier > 5 && fourier < SERIES, "%d", fourier);
    drop(&first);
    free(mean);
    tide_panel_free(&p);
    tide_regressors_free(&table);
}
