/* test_evaluate.c - metrics by hand, benchmarks by hand, and windows that are what a fit of the cut series gives. */
#include "host/evaluate.h"
#include "host/plan.h"
#include "kernels/tide_fn.h"
#include "tests/draw.h"
#include "tests/results_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEASON = 4, HORIZON = 5, ORIGINS = 3 };

static void near(double got, double want, const char *what) {
    cr_expect(fabs(got - want) <= 1e-14 * fmax(1.0, fabs(want)), "%s: %.17g, not %.17g", what, got, want);
}

Test(score, metrics_of_a_window_by_hand) {
    /* e = y - f: 2, -1, missing, 4 */
    const double y[] = {10, 3, TIDE_NAN, 0}, mean[] = {8, 4, 99, -4}, lo[] = {7, 3.5, 0, -5}, hi[] = {9, 5, 0, -3},
                 level[] = {0.8};
    double v[TIDE_METRICS_MAX];
    tide_window w = {y, 4, mean, lo, hi, 1, 4, 1, level, {2.0, 8.0}};
    cr_assert_eq(tide_score_window(&w, v), 3);
    near(v[TIDE_METRIC_MAE], 7.0 / 3, "MAE");
    near(v[TIDE_METRIC_RMSE], sqrt(7.0), "RMSE");
    near(v[TIDE_METRIC_BIAS], -5.0 / 3, "bias: forecasts too low");
    near(v[TIDE_METRIC_SMAPE], (200.0 * 2 / 18 + 200.0 / 7 + 200.0) / 3, "sMAPE");
    near(v[TIDE_METRIC_MASE], 7.0 / 6, "MASE");
    near(v[TIDE_METRIC_RMSSE], sqrt(7.0 / 8), "RMSSE");
    near(v[TIDE_METRIC_LEVELS + TIDE_LEVEL_COVERAGE], 0.0, "coverage");
    near(v[TIDE_METRIC_LEVELS + TIDE_LEVEL_WIDTH], 5.5 / 3, "width");
    near(v[TIDE_METRIC_LEVELS + TIDE_LEVEL_MSIS], (5.5 + 10.0 * (1 + 0.5 + 3)) / 3 / 2.0, "MSIS");
    /* Losses of lo at 0.1, then of hi at 0.9: y above lo by 3 and 5, below by 0.5; y above hi by 1 and 3, below by 2. */
    near(v[TIDE_METRIC_LEVELS + TIDE_LEVEL_PINBALL],
         0.5 * ((0.1 * 3 + 0.9 * 0.5 + 0.1 * 5) + (0.9 * 1 + 0.1 * 2 + 0.9 * 3)) / 3 / 2.0, "pinball");
}

Test(score, both_limits_pinball_is_the_interval_score_times_a_quarter_of_alpha) {
    const double y[] = {1, 5, -3, 7.5}, mean[] = {0, 0, 0, 0}, lo[] = {0, 1, 2, 3}, hi[] = {2, 4, 6, 8}, level[] = {0.95};
    double v[TIDE_METRICS_MAX];
    tide_window w = {y, 4, mean, lo, hi, 1, 4, 1, level, {3.0, 1.0}};
    cr_assert_eq(tide_score_window(&w, v), 4);
    near(v[TIDE_METRIC_LEVELS + TIDE_LEVEL_PINBALL], 0.05 / 4 * v[TIDE_METRIC_LEVELS + TIDE_LEVEL_MSIS], "identity");
}

Test(score, undefined_is_nan_and_zero_over_zero_is_no_error) {
    const double zero[] = {0, 0}, gone[] = {TIDE_NAN, TIDE_NAN};
    double v[TIDE_METRICS_MAX];
    tide_window w = {zero, 2, zero, NULL, NULL, 1, 2, 0, NULL, {0.0, 0.0}};
    cr_assert_eq(tide_score_window(&w, v), 2);
    near(v[TIDE_METRIC_SMAPE], 0.0, "sMAPE of 0/0");
    cr_expect(isnan(v[TIDE_METRIC_MASE]) && isnan(v[TIDE_METRIC_RMSSE]));
    w.actual = gone;
    cr_assert_eq(tide_score_window(&w, v), 0);
    cr_expect(isnan(v[TIDE_METRIC_MAE]));
    w.actual = zero;
    w.mean = gone;
    tide_score_window(&w, v);
    cr_expect(isnan(v[TIDE_METRIC_SMAPE]) && isnan(v[TIDE_METRIC_MAE]), "no forecast is no perfect one");
}

Test(score, scale_leaves_out_pairs_with_a_missing_value) {
    const double y[] = {1, 4, TIDE_NAN, 10, 9, 7};
    tide_scale one = tide_scale_of(y, 6, 1), two = tide_scale_of(y, 6, 2), none = tide_scale_of(y, 2, 4);
    near(one.mae, (3.0 + 1 + 2) / 3, "lag 1");
    near(one.mse, (9.0 + 1 + 4) / 3, "lag 1, squares");
    near(two.mae, (6.0 + 3) / 2, "lag 2");
    near(none.mae, 0.0, "no pair");
}

Test(score, seasonal_naive_takes_the_last_value_of_each_place) {
    const double y[] = {1, 2, 3, 4, 5, TIDE_NAN, 7};
    double f[6];
    tide_snaive_forecast(y, 7, 3, 6, f); /* places 1, 2, 0 of the season follow */
    const double want[] = {5, 3, 7, 5, 3, 7};
    for (int h = 0; h < 6; ++h)
        near(f[h], want[h], "seasonal naive");
}

Test(score, naive2_adjusts_where_the_season_is_significant_and_only_there) {
    double y[24], f[8];
    const double index[] = {0.8, 1.2, 1.5, 0.5};
    for (int t = 0; t < 24; ++t)
        y[t] = 100.0 * index[t % 4];
    tide_naive2_forecast(y, 22, 4, 8, f);
    for (int h = 0; h < 8; ++h) /* an exact season comes out exactly */
        cr_expect(fabs(f[h] - 100.0 * index[(22 + h) % 4]) < 1e-11, "step %d: %g", h, f[h]);
    tide_naive2_forecast(y, 11, 4, 1, f);
    near(f[0], y[10], "less than three seasons");
    y[5] = 0.0;
    tide_naive2_forecast(y, 22, 4, 1, f);
    near(f[0], y[21], "a value of zero");
    for (int t = 0; t < 24; ++t)
        y[t] = 100.0 + (double)(t * 7919 % 13);
    tide_naive2_forecast(y, 24, 4, 1, f);
    near(f[0], y[23], "no season");
}

/* --- windows ------------------------------------------------------------------------------------------------- */

/* The first `cut` steps less of series `number`: long, short, with gaps, constant, by its number. */
static void add_series(tide_panel *p, int number, int cut) {
    double y[80];
    int n = number % 7 == 3 ? 9 : 30 + number % 20;
    uint64_t seed = (uint64_t)number * 977u + 5;
    char id[16];
    for (int t = 0; t < n; ++t) {
        y[t] = 100.0 + draw_noise(&seed) + (number % 3 == 0 ? 20.0 * (t % SEASON) : 0.0) + (number % 2 ? 2.0 * t : 0.0);
        y[t] = number % 7 == 5 ? 7.0 : number % 7 == 6 && t % 5 == 2 ? TIDE_NAN : y[t];
    }
    int id_length = snprintf(id, sizeof id, "s%d", number);
    n = n > cut ? n - cut : 0;
    cr_assert_eq(tide_panel_add(p, id, (size_t)id_length, y, (size_t)n, 0, n - 1, NULL), TIDE_OK);
}

typedef struct kept_rows {
    int n;
    tide_evaluated row[400];
} kept_rows;

static tide_status keep_row(void *self, const tide_evaluated *row, tide_error *err) {
    kept_rows *k = self;
    (void)err;
    cr_assert_lt(k->n, 400);
    k->row[k->n++] = *row;
    return TIDE_OK;
}

/* Evaluates `count` series in batches; the evaluator is to be destroyed. */
static tide_evaluator *evaluate(const tide_fit_spec *spec, int count, int batch, int jobs, int by_origin, kept_rows *rows) {
    tide_backend backend;
    tide_backend_options how = {.jobs = jobs};
    tide_evaluator *e = NULL;
    cr_assert_eq(tide_backend_open_cpu(&how, &backend, NULL), TIDE_OK);
    const tide_evaluate_options o = {.origins = ORIGINS,
                                     .step = 2,
                                     .jobs = jobs,
                                     .by_origin = by_origin,
                                     .fit = spec,
                                     .forecast = {.season = SEASON, .horizon = HORIZON, .n_levels = 1, .level = {0.8}},
                                     .backend = &backend,
                                     .freq = {TIDE_UNIT_STEP, 1}};
    cr_assert_eq(tide_evaluator_create(&o, rows ? keep_row : NULL, rows, &e, NULL), TIDE_OK);
    for (int from = 0; from < count; from += batch) {
        tide_panel panel;
        tide_results r;
        tide_panel_init(&panel);
        for (int i = from; i < count && i < from + batch; ++i)
            add_series(&panel, i, 0);
        void *block = results_begin(&r, spec, panel.n_series);
        cr_assert_eq(tide_evaluator_panel(e, &panel, &r, NULL), TIDE_OK);
        free(block);
        tide_panel_free(&panel);
    }
    backend.close(backend.self);
    return e;
}

Test(evaluate, a_window_is_what_a_fit_of_the_cut_series_gives) {
    tide_fit_spec spec = across_spec(SEASON, 1u << TIDE_FAMILY_ETS | 1u << TIDE_FAMILY_SNAIVE);
    static kept_rows rows;
    tide_evaluator *e = evaluate(&spec, 60, 60, 2, 1, &rows);
    tide_backend backend;
    tide_backend_options how = {.jobs = 1};
    cr_assert_eq(rows.n, 60 * ORIGINS);
    cr_assert_eq(tide_backend_open_cpu(&how, &backend, NULL), TIDE_OK);
    int scored = 0, shorts = 0;
    for (int k = 0; k < ORIGINS; ++k) {
        tide_panel panel, whole;
        tide_plan plan = {.block = NULL};
        tide_results r;
        tide_across_work work = {.results = NULL};
        double mean[60 * HORIZON];
        tide_panel_init(&panel);
        tide_panel_init(&whole);
        for (int i = 0; i < 60; ++i) {
            add_series(&panel, i, HORIZON + 2 * k);
            add_series(&whole, i, 0);
        }
        void *block = results_begin(&r, &spec, 60);
        cr_assert_eq(tide_plan_build(&plan, &panel, NULL), TIDE_OK);
        cr_assert_eq(tide_across_fit(&work, &backend, &spec, TIDE_ACROSS_BACKTEST, &plan.tiles, &r, NULL, NULL), TIDE_OK);
        tide_forecast_spec f = {.season = SEASON, .horizon = HORIZON};
        cr_assert_eq(backend.forecast(backend.self, &f, &r, NULL, mean, NULL, NULL, NULL), TIDE_OK);
        for (size_t i = 0; i < 60; ++i) {
            const tide_evaluated *row = &rows.row[i * ORIGINS + (size_t)(ORIGINS - 1 - k)];
            size_t train = panel.at[i + 1] - panel.at[i];
            if (train < SEASON + 1) {
                cr_expect_eq(row->status, TIDE_WINDOW_SHORT);
                ++shorts;
                continue;
            }
            double want[TIDE_METRICS_MAX];
            tide_window w = {.actual = whole.y + whole.at[i] + train,
                             .horizon = HORIZON,
                             .mean = mean + i,
                             .stride = 60,
                             .scale = tide_scale_of(panel.y + panel.at[i], train, SEASON)};
            cr_assert_gt(tide_score_window(&w, want), 0);
            cr_expect_eq(memcmp(want, row->value[TIDE_METHOD_MODEL], TIDE_METRIC_LEVELS * sizeof *want), 0,
                         "series %zu, origin %d", i, k);
            cr_expect_eq(row->outcome, r.outcome[i]);
            cr_expect_eq(row->origin, (int64_t)train - 1);
            ++scored;
        }
        free(block);
        tide_across_free(&work);
        tide_plan_free(&plan);
        tide_panel_free(&panel);
        tide_panel_free(&whole);
    }
    const tide_evaluation *report = tide_evaluator_report(e);
    cr_expect_gt(shorts, 0);
    cr_expect_eq(report->windows_by_status[TIDE_WINDOW_SCORED], (uint64_t)scored);
    cr_expect_eq(report->windows_by_status[TIDE_WINDOW_SHORT], (uint64_t)shorts);
    cr_expect_gt(report->unscaled, 0, "constants have no MASE");
    cr_expect_gt(report->missing, 0);
    tide_evaluator_destroy(e);
    backend.close(backend.self);
}

Test(evaluate, batches_and_threads_change_no_bit) {
    tide_fit_spec spec = across_spec(SEASON, 1u << TIDE_FAMILY_ETS);
    tide_evaluator *a = evaluate(&spec, 60, 60, 1, 0, NULL), *b = evaluate(&spec, 60, 7, 3, 0, NULL);
    const tide_evaluation *x = tide_evaluator_report(a), *y = tide_evaluator_report(b);
    cr_expect_eq(memcmp(x->total, y->total, sizeof x->total), 0);
    cr_expect_eq(memcmp(x->by_step, y->by_step, HORIZON * sizeof *x->by_step), 0);
    cr_expect_eq(x->values, y->values);
    cr_expect(tide_evaluation_owa(x, TIDE_METHOD_NAIVE2) == 1.0);
    cr_expect(tide_evaluation_owa(x, TIDE_METHOD_MODEL) < 1.0, "seasons and trends are worth modelling");
    tide_evaluator_destroy(a);
    tide_evaluator_destroy(b);
}

Test(evaluate, a_series_is_the_mean_of_its_windows_and_the_whole_the_mean_of_series) {
    tide_fit_spec spec = across_spec(SEASON, 1u << TIDE_FAMILY_ETS);
    static kept_rows windows, series;
    tide_evaluator *a = evaluate(&spec, 30, 30, 1, 1, &windows), *b = evaluate(&spec, 30, 30, 1, 0, &series);
    double total = 0.0, n = 0.0;
    for (int i = 0; i < 30; ++i) {
        double sum = 0.0, count = 0.0;
        for (int k = 0; k < ORIGINS; ++k) {
            const tide_evaluated *w = &windows.row[i * ORIGINS + k];
            if (w->status == TIDE_WINDOW_SCORED) {
                sum += w->value[TIDE_METHOD_MODEL][TIDE_METRIC_RMSE];
                count += 1.0;
            }
        }
        cr_expect_eq(series.row[i].windows, (int)count);
        if (count > 0.0) {
            near(series.row[i].value[TIDE_METHOD_MODEL][TIDE_METRIC_RMSE], sum / count, "series");
            total += sum / count;
            n += 1.0;
        }
    }
    cr_expect_gt(n, 0.0);
    near(tide_tally_mean(&tide_evaluator_report(b)->total[TIDE_METHOD_MODEL], TIDE_METRIC_RMSE), total / n, "whole");
    tide_evaluator_destroy(a);
    tide_evaluator_destroy(b);
}
