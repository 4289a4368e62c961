/* The pipeline with a source, a backend and a sink made here: order, failures of every stage, stopping,
 * recycling. */
#include "host/run.h"
#include "kernels/tide_fn.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 5 }; /* a series */

typedef struct stage { /* what the three ends of the pipeline share */
    uint64_t n_series, next;
    uint64_t fail_source_at, fail_fit_at, fail_write_at; /* batch or block number, from 1; 0 = never */
    uint64_t blocks, fits, writes, fitted, written;
    int fail_finish, finished, endless, fit_ms, write_ms, source_ms, finish_ms;
    uint64_t kept; /* series that an earlier run has fitted */
    int64_t first_y; /* y of the next series expected by the sink */
    int order_is_right;
    _Atomic int stopping; /* the sink has seen three batches */
} stage;

/* Two series a block: ids "000000000" on, times 1 to ROWS, y = the series' number everywhere. */
static tide_status source_next(void *self, tide_rows *rows, tide_error *err) {
    enum { N = 2 * ROWS };
    static char ids[32];
    static uint32_t at[N], length[N];
    static int64_t ds[N];
    static double y[N];
    static uint64_t line[N];
    stage *s = (stage *)self;
    size_t n = 0;
    if (++s->blocks == s->fail_source_at)
        return tide_fail(err, TIDE_CONNECTION, "the source broke");
    if (s->source_ms)
        usleep((useconds_t)s->source_ms * 1000);
    for (uint32_t k = 0; k < 2 && (s->endless || s->next < s->n_series); ++k, ++s->next) {
        snprintf(ids + 9 * k, 10, "%09u", (unsigned)(s->next % 1000000000u));
        for (int t = 0; t < ROWS; ++t, ++n) {
            at[n] = 9 * k;
            length[n] = 9;
            ds[n] = t + 1;
            y[n] = (double)s->next;
            line[n] = s->next * ROWS + (uint64_t)t + 2;
        }
    }
    memset(rows, 0, sizeof *rows);
    *rows = (tide_rows){.n = n,
                        .ds_kind = TIDE_DS_INTEGER,
                        .bytes = ids,
                        .id_at = at,
                        .id_length = length,
                        .ds = ds,
                        .y = y,
                        .line = line};
    return TIDE_OK;
}

/* "Fits" by writing the first value of each series into sigma2, so that the sink can see whose results it
 * gets. */
static tide_status backend_fit(void *self, const tide_fit_spec *spec, const tide_tiles *tiles,
                               tide_results *r, tide_error *err) {
    stage *s = (stage *)self;
    (void)spec;
    if (++s->fits == s->fail_fit_at)
        return tide_fail(err, TIDE_DEVICE, "the backend broke");
    if (s->fit_ms)
        usleep((useconds_t)s->fit_ms * 1000);
    for (size_t k = 0; k < tiles->n_tiles * TIDE_TILE_WIDTH; ++k) {
        int32_t i = tiles->order[k];
        if (i < 0)
            continue;
        r->outcome[i] = TIDE_OUTCOME_CONSTANT;
        r->n_members[i] = 1;
        r->family[i] = TIDE_FAMILY_ETS;
        r->form[i] = TIDE_ETS_ANN;
        r->sigma2[i] = tiles->y[tiles->offset[k / TIDE_TILE_WIDTH] + k % TIDE_TILE_WIDTH] * tiles->scale[k];
        ++s->fitted;
    }
    return TIDE_OK;
}

static tide_status sink_write(void *self, const tide_panel *p, const tide_results *r, tide_error *err) {
    stage *s = (stage *)self;
    if (++s->writes == s->fail_write_at)
        return tide_fail(err, TIDE_DISK, "the sink broke");
    if (s->write_ms)
        usleep((useconds_t)s->write_ms * 1000);
    if (p->first_number != s->written)
        s->order_is_right = 0;
    for (size_t i = 0; i < p->n_series; ++i, ++s->first_y)
        if (r->sigma2[i] != (double)s->first_y || p->y[p->at[i]] != (double)s->first_y)
            s->order_is_right = 0;
    s->written += p->n_series;
    if (s->writes > 2) atomic_store(&s->stopping, 1);
    return TIDE_OK;
}

static tide_status sink_finish(void *self, tide_error *err) {
    stage *s = (stage *)self;
    if (s->finish_ms)
        usleep((useconds_t)s->finish_ms * 1000);
    if (s->fail_finish)
        return tide_fail(err, TIDE_DISK, "the end broke");
    s->finished = 1;
    return TIDE_OK;
}

/* Of the kept series it knows that they are naive. */
static tide_status sink_recall(void *self, tide_panel *p, tide_results *r, tide_error *err) {
    stage *s = (stage *)self;
    (void)err;
    p->kept = p->first_number >= s->kept                  ? 0
              : s->kept - p->first_number < p->n_series ? (size_t)(s->kept - p->first_number)
                                                          : p->n_series;
    for (size_t i = 0; i < p->kept; ++i) {
        r->outcome[i] = TIDE_OUTCOME_SHORT;
        r->n_members[i] = 1;
        r->family[i] = TIDE_FAMILY_NAIVE;
        r->form[i] = 0;
        r->sigma2[i] = (double)(p->first_number + i);
    }
    return TIDE_OK;
}

static int stop_at_once(void *self) {
    stage *s = (stage *)self;
    return atomic_load(&s->stopping);
}

static tide_status run(stage *s, size_t batch, tide_report *report, tide_error *err) {
    tide_config cfg;
    tide_config_init(&cfg);
    cr_assert_eq(tide_config_check(&cfg, err), TIDE_OK);
    cfg.intake.batch_series = batch;
    s->order_is_right = 1;
    tide_backend backend = {.self = s, .name = "test", .fit = backend_fit};
    tide_source source = {.self = s, .name = "test rows", .line_word = "line", .next = source_next};
    tide_sink sink = {.self = s, .name = "test sink", .write = sink_write, .finish = sink_finish};
    if (s->kept)
        sink.recall = sink_recall;
    tide_observer observer = {.self = s, .stop = s->endless ? stop_at_once : NULL};
    const tide_run_parts parts = {
        .cfg = &cfg, .backend = &backend, .source = &source, .sink = &sink, .observer = &observer};
    tide_status status = tide_run(&parts, report, err);
    tide_config_free(&cfg);
    return status;
}

Test(run, every_series_arrives_once_in_order_with_its_own_results) {
    const size_t batches[] = {1, 2, 3, 31, 32, 33, 1000, 0};
    for (size_t b = 0; b < sizeof batches / sizeof batches[0]; ++b) {
        stage s = {.n_series = 301};
        tide_report report;
        tide_error err = {TIDE_OK, ""};
        cr_assert_eq(run(&s, batches[b], &report, &err), TIDE_OK, "%s", err.message);
        cr_assert(s.order_is_right, "batches of %zu", batches[b]);
        cr_assert(s.finished);
        cr_assert_eq(s.written, 301);
        cr_assert_eq(report.series, 301);
        cr_assert_eq(report.members, 301);
        cr_assert_eq(report.by_outcome[TIDE_OUTCOME_CONSTANT], 301);
        cr_assert_eq(report.by_form[TIDE_ETS_ANN], 301);
        cr_assert_eq(report.intake.rows, 301 * ROWS);
        if (batches[b])
            cr_assert_eq(report.batches, (301 + batches[b] - 1) / batches[b]);
    }
}

Test(run, a_failure_of_any_stage_ends_all_and_keeps_the_first_message) {
    const struct {
        stage s;
        tide_status status;
        const char *message;
    } cases[] = {
        {{.n_series = 1000, .fail_source_at = 1}, TIDE_CONNECTION, "the source broke"},
        {{.n_series = 1000, .fail_source_at = 100, .write_ms = 1}, TIDE_CONNECTION, "the source broke"},
        {{.n_series = 1000, .fail_fit_at = 1}, TIDE_DEVICE, "the backend broke"},
        {{.n_series = 1000, .fail_fit_at = 7, .fit_ms = 1}, TIDE_DEVICE, "the backend broke"},
        {{.n_series = 1000, .fail_write_at = 1}, TIDE_DISK, "the sink broke"},
        {{.n_series = 1000, .fail_write_at = 5, .write_ms = 1}, TIDE_DISK, "the sink broke"},
        {{.n_series = 1000, .fail_finish = 1}, TIDE_DISK, "the end broke"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        stage s = cases[i].s;
        tide_report report;
        tide_error err = {TIDE_OK, ""};
        cr_assert_eq(run(&s, 10, &report, &err), cases[i].status, "case %zu", i);
        cr_assert_str_eq(err.message, cases[i].message);
        cr_assert_not(s.finished);
        cr_assert(s.order_is_right);
    }
}

Test(run, no_series_is_an_error_of_the_input) {
    stage s = {.n_series = 0};
    tide_report report;
    tide_error err = {TIDE_OK, ""};
    cr_assert_eq(run(&s, 10, &report, &err), TIDE_INPUT);
    cr_assert(strstr(err.message, "test rows"));
    cr_assert_not(s.finished);
}

Test(run, stopping_ends_an_endless_source_without_finishing) {
    stage s = {.endless = 1, .write_ms = 1};
    tide_report report;
    tide_error err = {TIDE_OK, ""};
    cr_assert_eq(run(&s, 10, &report, &err), TIDE_INTERRUPTED);
    cr_assert_not(s.finished);
    cr_assert(s.order_is_right);
}

Test(run, the_slowest_stage_is_busy_and_the_others_wait) {
    stage s = {.n_series = 100, .fit_ms = 5};
    tide_report report;
    tide_error err = {TIDE_OK, ""};
    cr_assert_eq(run(&s, 10, &report, &err), TIDE_OK);
    cr_assert_gt(report.fit.busy_s, 0.04);
    cr_assert_gt(report.write.wait_s, 0.03);
    cr_assert_lt(report.write.busy_s, report.fit.busy_s);
    cr_assert_gt(report.peak_bytes, 0);
    char *json = tide_report_json(&report), *text = tide_report_text(&report);
    cr_assert(strstr(json, "\"constant\": 100"));
    cr_assert(strstr(text, "constant 100"));
    cr_assert(strstr(text, "ANN 100"));
    free(json);
    free(text);
}

/* A batch that is kept whole is not fitted; one that is kept in part is, all of it. */
Test(run, what_an_earlier_run_has_fitted_is_not_fitted_again) {
    const uint64_t kept[] = {1, 9, 10, 11, 295, 300, 301};
    for (size_t k = 0; k < sizeof kept / sizeof kept[0]; ++k) {
        stage s = {.n_series = 301, .kept = kept[k]};
        tide_report report;
        tide_error err = {TIDE_OK, ""};
        cr_assert_eq(run(&s, 10, &report, &err), TIDE_OK, "%s", err.message);
        cr_assert(s.order_is_right);
        cr_assert_eq(s.written, 301);
        cr_assert_eq(s.fitted, kept[k] == 301 ? 0 : 301 - kept[k] / 10 * 10);
        cr_assert_eq(report.resumed, kept[k]);
        cr_assert_eq(report.series, 301);
        cr_assert_eq(report.by_outcome[TIDE_OUTCOME_SHORT], kept[k] == 301 ? 301 : kept[k] / 10 * 10);
        cr_assert_eq(report.members, 301);
    }
}

Test(run, the_report_names_the_station_that_bounds_the_run) {
    const struct {
        stage s;
        tide_station bound;
    } cases[] = {
        {{.n_series = 60, .source_ms = 10}, TIDE_STATION_SOURCE},
        {{.n_series = 60, .source_ms = 1, .fit_ms = 20}, TIDE_STATION_FITTING},
        {{.n_series = 60, .source_ms = 1, .fit_ms = 1, .write_ms = 20}, TIDE_STATION_WRITING},
        {{.n_series = 60, .fit_ms = 1, .finish_ms = 200}, TIDE_STATION_PUBLISHING}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        stage s = cases[i].s;
        tide_report report;
        tide_error err = {TIDE_OK, ""};
        double without;
        char line[64];
        cr_assert_eq(run(&s, 10, &report, &err), TIDE_OK, "%s", err.message);
        cr_assert_eq(tide_report_bound(&report, &without), cases[i].bound, "case %zu: %s", i,
                     tide_station_name(tide_report_bound(&report, &without)));
        cr_assert_lt(without, report.wall_s);
        char *json = tide_report_json(&report), *text = tide_report_text(&report);
        snprintf(line, sizeof line, "bound by %s:", tide_station_name(cases[i].bound));
        cr_assert(strstr(text, line), "%s", text);
        snprintf(line, sizeof line, "\"bound\": {\"station\": \"%s\"", tide_station_name(cases[i].bound));
        cr_assert(strstr(json, line), "%s", json);
        free(json);
        free(text);
    }
}

/* Seconds are what counts, not which thread they are on: by hand. */
Test(run, the_bounding_station_is_the_one_whose_absence_shortens_most) {
    tide_report r = {.read = {5.0, 0.0}, .fit = {7.0, 0.0}, .write = {3.0, 0.0}, .finish_s = 1.0, .plan_s = 1.0};
    double without;
    r.source_s = 4.0;
    cr_assert_eq(tide_report_bound(&r, &without), TIDE_STATION_FITTING);
    cr_assert_float_eq(without, 6.0, 1e-12); /* reading 5, then publishing 1 */
    cr_assert_float_eq(tide_report_station_s(&r, TIDE_STATION_INTAKE), 1.0, 1e-12);
    r.read.busy_s = 9.0;
    r.source_s = 2.0;
    cr_assert_eq(tide_report_bound(&r, &without), TIDE_STATION_INTAKE);
    cr_assert_float_eq(without, 8.0, 1e-12);
    r.finish_s = 30.0;
    cr_assert_eq(tide_report_bound(&r, &without), TIDE_STATION_PUBLISHING);
    cr_assert_float_eq(without, 9.0, 1e-12);
}

Test(run, the_report_has_the_window_of_the_data) {
    stage s = {.n_series = 20};
    tide_report report;
    tide_error err = {TIDE_OK, ""};
    char first[48], last[48];
    cr_assert_eq(run(&s, 7, &report, &err), TIDE_OK, "%s", err.message);
    cr_assert(tide_report_window(&report, first, last));
    cr_assert_str_eq(first, "1");
    cr_assert_str_eq(last, "5");
    tide_report none = {0};
    cr_assert_not(tide_report_window(&none, first, last));
}
