/* test_across.c - several families by backtest, mean or criterion: shares by hand, independence of the batch, fallbacks. */
#include "host/plan.h"
#include "kernels/tide_fn.h"
#include "tests/draw.h"
#include "tests/results_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEASON = 4, N = 90 };

typedef struct outcome {
    tide_panel panel;
    tide_plan plan;
    tide_results results;
    void *block;
} outcome;

/* Series i: seasonal, trending, level, short, constant, empty, or with gaps, by its number alone. */
static void add_series(tide_panel *p, int number) {
    double y[80];
    int n = number % 9 == 3 ? 3 : number % 9 == 7 ? 7 : 24 + number % 40;
    uint64_t seed = (uint64_t)number * 977u + 5;
    char id[16];
    tide_error err;
    for (int t = 0; t < n; ++t) {
        y[t] = 100.0 + draw_noise(&seed) + (number % 3 == 0 ? 20.0 * (t % SEASON) : number % 3 == 1 ? 3.0 * t : 0.0);
        y[t] = number % 9 == 5 ? 7.0 : number % 9 == 8 && t % 5 == 2 ? TIDE_NAN : y[t];
        y[t] = number % 27 == 4 ? TIDE_NAN : y[t];
    }
    snprintf(id, sizeof id, "s%d", number);
    cr_assert_eq(tide_panel_add(p, id, strlen(id), y, (size_t)n, 0, n - 1, &err), TIDE_OK);
}

static tide_backend *backend(void) {
    static tide_backend b;
    tide_error err;
    tide_backend_options options = {.jobs = 1};
    if (!b.self)
        cr_assert_eq(tide_backend_open_cpu(&options, &b, &err), TIDE_OK);
    return &b;
}

/* Fits series from, from + step, ... (count of them), by across or, with rule < 0, by the backend alone. */
static void fit(outcome *o, const tide_fit_spec *spec, int32_t rule, int from, int step, int count) {
    tide_across_work work = {0};
    tide_error err;
    memset(o, 0, sizeof *o);
    tide_panel_init(&o->panel);
    for (int i = 0; i < count; ++i)
        add_series(&o->panel, from + i * step);
    cr_assert_eq(tide_plan_build(&o->plan, &o->panel, &err), TIDE_OK);
    o->block = results_begin(&o->results, spec, (size_t)count);
    tide_backend *b = backend();
    if (rule < 0)
        cr_assert_eq(b->fit(b->self, spec, &o->plan.tiles, &o->results, &err), TIDE_OK);
    else
        cr_assert_eq(tide_across_fit(&work, b, spec, rule, &o->plan.tiles, &o->results, o->panel.backtest_error, &err),
                     TIDE_OK);
    tide_across_free(&work);
}

static void drop(outcome *o) {
    tide_panel_free(&o->panel);
    tide_plan_free(&o->plan);
    free(o->block);
}

static double weight_of(const tide_results *r, size_t i, uint32_t families) {
    double sum = 0.0;
    for (size_t j = 0; j < r->n_members[i]; ++j)
        sum += families >> r->family[j * r->n_series + i] & 1u ? r->weight[j * r->n_series + i] : 0.0;
    return sum;
}

enum { ETS = 1 << TIDE_FAMILY_ETS, NAIVE = 1 << TIDE_FAMILY_NAIVE, SNAIVE = 1 << TIDE_FAMILY_SNAIVE };

Test(across, one_set_is_the_backends_fit) {
    tide_fit_spec spec = across_spec(SEASON, ETS);
    outcome a, b;
    cr_assert_eq(spec.slots, 3);
    fit(&a, &spec, TIDE_ACROSS_BACKTEST, 0, 1, N);
    fit(&b, &spec, -1, 0, 1, N);
    cr_expect_eq(memcmp(a.block, b.block, tide_results_map(&(tide_results){.n_series = N, .slots = 3, .coef_rows = 4,
                                                                         .state_rows = 2 + SEASON}, NULL)), 0);
    cr_expect(isnan(a.panel.backtest_error[0]));
    drop(&a);
    drop(&b);
}

Test(across, weights_sum_to_one_and_mean_shares_alike) {
    tide_fit_spec spec = across_spec(SEASON, ETS | NAIVE | SNAIVE);
    cr_assert_eq(spec.slots, 5);
    for (int32_t rule = 0; rule < 3; ++rule) {
        outcome a;
        int thirds = 0, fallbacks = 0;
        fit(&a, &spec, rule, 0, 1, N);
        for (size_t i = 0; i < N; ++i) {
            const tide_results *r = &a.results;
            if (r->outcome[i] == TIDE_OUTCOME_EMPTY) {
                cr_expect_eq(r->n_members[i], 0);
                continue;
            }
            cr_assert_geq(r->n_members[i], 1);
            cr_expect_float_eq(weight_of(r, i, ~0u), 1.0, 1e-14);
            for (size_t j = r->n_members[i]; j < (size_t)r->slots; ++j)
                cr_expect(r->family[j * N + i] == 0 && r->weight[j * N + i] == 0.0 &&
                              r->coef[(j * (size_t)r->coef_rows) * N + i] == 0.0 &&
                              r->state[(j * (size_t)r->state_rows) * N + i] == 0.0,
                          "unused slots are zero: series %zu slot %zu", i, j);
            fallbacks += r->outcome[i] == TIDE_OUTCOME_CONSTANT;
            if (rule == TIDE_ACROSS_MEAN && weight_of(r, i, SNAIVE) > 0.0 && weight_of(r, i, ETS) > 0.0) {
                cr_expect_float_eq(weight_of(r, i, ETS), 1.0 / 3.0, 1e-14);
                ++thirds;
            }
            if (rule == TIDE_ACROSS_CRITERION)
                cr_expect((weight_of(r, i, ETS) > 0) + (weight_of(r, i, NAIVE) > 0) + (weight_of(r, i, SNAIVE) > 0) <= 1);
        }
        cr_expect(fallbacks > 5, "constant series keep their own outcome");
        cr_expect(rule != TIDE_ACROSS_MEAN || thirds > N / 2);
        drop(&a);
    }
}

/* Shares by hand: naive and seasonal naive forecasts need no fit. */
Test(across, backtest_weighs_by_the_inverse_square_error_of_the_values_kept_out) {
    tide_fit_spec spec = across_spec(SEASON, NAIVE | SNAIVE);
    outcome a;
    int seen = 0;
    fit(&a, &spec, TIDE_ACROSS_BACKTEST, 0, 1, N);
    for (size_t i = 0; i < N; ++i) {
        const double *y = a.panel.y + a.panel.at[i];
        int n = (int)(a.panel.at[i + 1] - a.panel.at[i]), h = n / 4 < 8 ? n / 4 : 8, gaps = 0;
        for (int t = 0; t < n; ++t)
            gaps += isnan(y[t]) != 0;
        if (n < 20 || gaps || y[0] == y[1])
            continue;
        double naive = 0.0, seasonal = 0.0, within = 0.0, both = 0.0;
        int cut = n - h;
        for (int t = SEASON; t < cut; ++t)
            within += fabs(y[t] - y[t - SEASON]) / (cut - SEASON);
        for (int t = cut; t < n; ++t) {
            naive += fabs(y[t] - y[cut - 1]) / h;
            seasonal += fabs(y[t] - y[cut - SEASON + (t - cut) % SEASON]) / h;
        }
        double w = seasonal * seasonal / (naive * naive + seasonal * seasonal);
        for (int t = cut; t < n; ++t)
            both += fabs(y[t] - w * y[cut - 1] - (1.0 - w) * y[cut - SEASON + (t - cut) % SEASON]) / h;
        cr_expect_float_eq(weight_of(&a.results, i, NAIVE), w, 1e-12, "series %zu", i);
        cr_expect_float_eq(a.panel.backtest_error[i], both / within, 1e-10);
        /* the members are of all values: the last one is the naive level */
        for (size_t j = 0; j < a.results.n_members[i]; ++j)
            if (a.results.family[j * N + i] == TIDE_FAMILY_NAIVE)
                cr_expect_eq(a.results.state[(j * (size_t)a.results.state_rows) * N + i], y[n - 1]);
        ++seen;
    }
    cr_assert_gt(seen, N / 2);
    drop(&a);
}

Test(across, a_series_result_does_not_depend_on_its_batch) {
    tide_fit_spec spec = across_spec(SEASON, ETS | NAIVE | SNAIVE);
    for (int32_t rule = 0; rule < 3; ++rule) {
        outcome all, some;
        fit(&all, &spec, rule, 0, 1, N);
        fit(&some, &spec, rule, 4, 7, 12);
        for (size_t k = 0; k < 12; ++k) {
            size_t i = 4 + 7 * k;
            const tide_results *a = &all.results, *b = &some.results;
            cr_assert(a->outcome[i] == b->outcome[k] && a->n_members[i] == b->n_members[k], "series %zu", i);
            cr_assert_eq(memcmp(&all.panel.backtest_error[i], &some.panel.backtest_error[k], 8), 0);
            for (size_t j = 0; j < (size_t)a->slots; ++j) {
                cr_assert(a->weight[j * N + i] == b->weight[j * 12 + k] && a->family[j * N + i] == b->family[j * 12 + k]);
                for (size_t s = 0; s < (size_t)a->state_rows; ++s)
                    cr_assert_eq(memcmp(&a->state[(j * (size_t)a->state_rows + s) * N + i],
                                        &b->state[(j * (size_t)b->state_rows + s) * 12 + k], 8),
                                 0);
            }
        }
        drop(&all);
        drop(&some);
    }
}
