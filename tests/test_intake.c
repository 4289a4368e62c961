/* test_intake.c - rows to series, over a source that lives in memory: every policy, the grids, grouping,
 * bounded batches. */
#include "host/gather.h"
#include "host/hash.h"
#include "host/intake.h"
#include "host/quote.h"
#include "host/regular.h"
#include "kernels/batch.h"
#include "kernels/tide_fn.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a source over arrays, in blocks of `block` rows
 * -------------------------------------------------------------- */

typedef struct row {
    const char *id, *ds;
    double y;
    tide_row_fault fault;
} row;

typedef struct memory {
    const row *rows;
    size_t n, at, block;
    char bytes[4096];
    uint32_t id_at[64], id_length[64];
    int64_t ds[64];
    double y[64];
    uint8_t fault[64];
    uint64_t line[64];
    char text[64][48];
} memory;

static tide_status memory_next(void *self, tide_rows *out, tide_error *err) {
    (void)err;
    memory *m = self;
    memset(m->bytes, 'x', sizeof m->bytes); /* what was lent before is gone */
    size_t n = 0, bytes = 0, faults = 0;
    tide_ds_kind kind = TIDE_DS_INTEGER;
    for (; n < m->block && m->at < m->n; ++n, ++m->at) {
        const row *r = &m->rows[m->at];
        m->id_at[n] = (uint32_t)bytes;
        m->id_length[n] = (uint32_t)strlen(r->id);
        memcpy(m->bytes + bytes, r->id, m->id_length[n]);
        bytes += m->id_length[n];
        m->ds[n] = 0;
        m->fault[n] = (uint8_t)r->fault;
        if (r->fault)
            snprintf(m->text[faults++], sizeof m->text[0], "abc");
        if (*r->ds)
            cr_assert(tide_ds_parse(r->ds, strlen(r->ds), &kind, &m->ds[n]), "%s", r->ds);
        m->y[n] = r->y;
        m->line[n] = m->at + 2;
    }
    *out = (tide_rows){n,     kind, m->bytes, m->id_at, m->id_length,
                       m->ds, m->y, m->fault, m->line,  (const char(*)[48])m->text,
                       faults};
    return TIDE_OK;
}

static tide_source source_of(memory *m, const row *rows, size_t n, size_t block) {
    memset(m, 0, sizeof *m);
    m->rows = rows;
    m->n = n;
    m->block = block;
    return (tide_source){.self = m, .name = "memory", .line_word = "line", .next = memory_next};
}

static tide_intake_options defaults(const char *freq) {
    tide_intake_options o = {.duplicates = TIDE_POLICY_QUARANTINE,
                             .bad_rows = TIDE_POLICY_QUARANTINE,
                             .infinite = TIDE_POLICY_QUARANTINE,
                             .out_of_order = TIDE_POLICY_SORT,
                             .from_ds = INT64_MIN,
                             .to_ds = INT64_MAX,
                             .batch_series = 4096,
                             .batch_values = 1 << 16,
                             .max_length = 1 << 12};
    cr_assert_eq(tide_freq_parse(freq, &o.freq, NULL), TIDE_OK);
    return o;
}

/* Runs intake over rows in blocks of 1, 3 and all rows, which must not matter; one panel with all series. */
static tide_status take(const row *rows, size_t n, tide_intake_options o, tide_panel *panel,
                        tide_intake_report *report, tide_error *err) {
    static const size_t blocks[] = {1, 3, 64};
    tide_status status = TIDE_OK;
    uint64_t print = 0;
    for (int b = 0; b < 3; ++b) {
        memory m;
        tide_source source = source_of(&m, rows, n, blocks[b]);
        tide_intake *in;
        cr_assert_eq(tide_intake_open(&source, &o, report, &in, err), TIDE_OK);
        status = tide_intake_next(in, panel, err);
        uint64_t now = tide_hash_bytes(report, sizeof *report) ^ (uint64_t)status;
        for (size_t i = 0; i < panel->n_series; ++i)
            now = tide_hash_word(now ^ panel->outcome[i], panel->fingerprint[i]);
        if (b && status == TIDE_OK)
            cr_assert_eq(now, print, "block size must not matter");
        print = now;
        if (status == TIDE_OK && b < 2) {
            tide_panel rest;
            tide_panel_init(&rest);
            cr_assert_eq(tide_intake_next(in, &rest, err), TIDE_OK);
            cr_assert_eq(rest.n_series, 0);
            tide_panel_free(&rest);
        }
        tide_intake_close(in);
    }
    return status;
}

#define TAKE(rows, options) take(rows, sizeof(rows) / sizeof(rows)[0], options, &panel, &report, &err)
#define NEED                                                                                                 \
    tide_panel panel;                                                                                        \
    tide_intake_report report;                                                                               \
    tide_error err = {0};                                                                                    \
    tide_panel_init(&panel)

static void check_series(const tide_panel *p, size_t i, const char *id, const double *y, size_t n) {
    cr_assert_lt(i, p->n_series);
    cr_assert_eq(p->id_at[i + 1] - p->id_at[i], strlen(id));
    cr_assert_eq(memcmp(p->ids + p->id_at[i], id, strlen(id)), 0);
    cr_assert_eq(p->outcome[i], TIDE_OUTCOME_FITTED);
    cr_assert_eq(p->at[i + 1] - p->at[i], n, "%zu values", p->at[i + 1] - p->at[i]);
    for (size_t t = 0; t < n; ++t) {
        double expected = y[t] == y[t] ? y[t] : TIDE_NAN;
        cr_assert_eq(tide_to_bits(p->y[p->at[i] + t]), tide_to_bits(expected), "%s step %zu: %g", id, t,
                     p->y[p->at[i] + t]);
    }
}
#define SERIES(i, id, ...)                                                                                   \
    check_series(&panel, i, id, (const double[]){__VA_ARGS__},                                               \
                 sizeof((double[]){__VA_ARGS__}) / sizeof(double))

static void check_shut_out(const tide_panel *p, size_t i, const char *id, int outcome) {
    cr_assert_lt(i, p->n_series);
    cr_assert_eq(memcmp(p->ids + p->id_at[i], id, strlen(id)), 0);
    cr_assert_eq(p->outcome[i], outcome, "outcome %d", p->outcome[i]);
    cr_assert_eq(p->at[i + 1], p->at[i]);
}

#define G TIDE_ROW_GOOD
static const double none = __builtin_nan("");
static const double infinite = __builtin_inf();

/* ---- grids
 * ------------------------------------------------------------------------------------------------------------
 */

Test(intake, gaps_and_nulls_become_missing_values) {
    NEED;
    const row rows[] = {{"A", "2024-01-31", none, G},
                        {"A", "2024-02-29", 2, G},
                        {"A", "2024-05-31", 5, G},
                        {"A", "2024-06-30", none, G},
                        {"B", "2024-01-15", 7, G}};
    cr_assert_eq(TAKE(rows, defaults("M")), TIDE_OK, "%s", err.message);
    cr_assert_eq(panel.n_series, 2);
    SERIES(0, "A", none, 2, none, none, 5, none);
    SERIES(1, "B", 7);
    cr_assert_eq(panel.end_of_month[0], 1);
    cr_assert_eq(panel.end_of_month[1], 0);
    cr_assert_eq(panel.first_ds[0], 19753); /* 2024-01-31 */
    cr_assert_eq(panel.last_ds[0], 19904);
    cr_assert_eq(report.rows, 5);
    cr_assert_eq(report.series, 2);
    cr_assert_eq(report.gaps, 2);
    cr_assert_eq(report.missing, 2);
    cr_assert_eq(report.values, 3);
    tide_panel_free(&panel);
}

Test(intake, each_series_has_its_own_phase) {
    NEED;
    const row rows[] = {{"A", "2024-01-03", 1, G},
                        {"A", "2024-01-17", 3, G},
                        {"B", "2024-01-05", 4, G},
                        {"B", "2024-01-12", 5, G}};
    cr_assert_eq(TAKE(rows, defaults("W")), TIDE_OK);
    SERIES(0, "A", 1, none, 3);
    SERIES(1, "B", 4, 5);
    tide_panel_free(&panel);
}

Test(intake, times_off_the_grid_follow_the_policy_of_bad_rows) {
    NEED;
    const row rows[] = {{"A", "2024-01-01", 1, G},
                        {"A", "2024-02-02", 2, G},
                        {"A", "2024-03-01", 3, G},
                        {"B", "2024-01-01", 4, G}};
    tide_intake_options o = defaults("M");
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    check_shut_out(&panel, 0, "A", TIDE_OUTCOME_BAD_GRID);
    cr_assert_eq(panel.first_ds[0], 19723);
    cr_assert_eq(panel.last_ds[0], 19783);
    SERIES(1, "B", 4);
    cr_assert_eq(report.off_grid.n, 1);
    cr_assert_str_eq(report.off_grid.named[0],
                     "series 'A' line 3: ds 2024-02-02 is off the grid M from 2024-01-01");
    o.bad_rows = TIDE_POLICY_SKIP;
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    SERIES(0, "A", 1, none, 3);
    cr_assert_eq(report.off_grid.n, 1);
    o.bad_rows = TIDE_POLICY_ERROR;
    cr_assert_eq(TAKE(rows, o), TIDE_INPUT);
    cr_assert_str_eq(err.message,
                     "memory: series 'A' line 3: ds 2024-02-02 is off the grid M from 2024-01-01");
    cr_assert_eq(panel.n_series, 0);
    tide_panel_free(&panel);
}

Test(intake, a_weekend_on_business_days_is_off_the_grid_and_skipping_starts_at_a_weekday) {
    NEED;
    const row rows[] = {{"A", "2024-01-06", 1, G}, {"A", "2024-01-08", 2, G}, {"A", "2024-01-10", 3, G}};
    tide_intake_options o = defaults("B");
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    check_shut_out(&panel, 0, "A", TIDE_OUTCOME_BAD_GRID);
    o.bad_rows = TIDE_POLICY_SKIP;
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    SERIES(0, "A", 2, none, 3);
    cr_assert_eq(panel.first_ds[0], 19730);
    cr_assert_eq(report.off_grid.n, 1);
    tide_panel_free(&panel);
}

Test(intake, a_span_beyond_max_length_is_shut_out_and_costs_no_memory) {
    NEED;
    const row rows[] = {{"A", "0001-01-01", 1, G}, {"A", "9999-12-31", 2, G}, {"B", "2024-01-01", 3, G}};
    tide_intake_options o = defaults("D");
    o.bad_rows = TIDE_POLICY_SKIP;
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    check_shut_out(&panel, 0, "A", TIDE_OUTCOME_BAD_GRID);
    SERIES(1, "B", 3);
    cr_assert_str_eq(report.off_grid.named[0],
                     "series 'A' line 3: from 0001-01-01 to 9999-12-31 there are more than 4096 steps");
    o.max_length = 1;
    const row pair[] = {{"A", "2024-01-01", 1, G}, {"B", "2024-01-01", 3, G}, {"B", "2024-01-02", 3, G}};
    cr_assert_eq(TAKE(pair, o), TIDE_OK);
    SERIES(0, "A", 1);
    check_shut_out(&panel, 1, "B", TIDE_OUTCOME_BAD_GRID);
    tide_panel_free(&panel);
}

Test(intake, more_rows_than_four_times_the_longest_series_are_shut_out) {
    NEED;
    row rows[12];
    for (int i = 0; i < 12; ++i)
        rows[i] = (row){i < 10 ? "A" : "B", i == 11 ? "2" : "1", i, G};
    tide_intake_options o = defaults("N");
    o.max_length = 2;
    o.duplicates = TIDE_POLICY_SUM;
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    check_shut_out(&panel, 0, "A", TIDE_OUTCOME_BAD_GRID);
    SERIES(1, "B", 10, 11);
    cr_assert_eq(report.off_grid.n, 1);
    tide_panel_free(&panel);
}

Test(intake, a_kind_of_time_that_does_not_suit_the_frequency_ends_the_run) {
    NEED;
    const row rows[] = {{"A", "2024-01-06", 1, G}};
    cr_assert_eq(TAKE(rows, defaults("h")), TIDE_INPUT);
    cr_assert_str_eq(err.message, "memory: ds holds dates, but frequency h needs timestamps");
    tide_panel_free(&panel);
}

/* ---- policies
 * ------------------------------------------------------------------------------------------------------------
 */

Test(intake, duplicates_follow_their_policy) {
    NEED;
    const row rows[] = {{"A", "1", 1, G}, {"A", "2", 10, G}, {"A", "2", none, G},
                        {"A", "2", 4, G}, {"A", "3", 3, G},  {"B", "1", 8, G}};
    tide_intake_options o = defaults("N");
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    check_shut_out(&panel, 0, "A", TIDE_OUTCOME_DUPLICATE);
    SERIES(1, "B", 8);
    cr_assert_eq(report.duplicates.n, 2);
    cr_assert_str_eq(report.duplicates.named[1],
                     "series 'A' line 5: ds 2 is there already, in line 3: y is 4 here, 10 there");
    o.duplicates = TIDE_POLICY_FIRST;
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    SERIES(0, "A", 1, 10, 3);
    o.duplicates = TIDE_POLICY_LAST;
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    SERIES(0, "A", 1, 4, 3);
    o.duplicates = TIDE_POLICY_SUM;
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    SERIES(0, "A", 1, 14, 3);
    o.duplicates = TIDE_POLICY_MEAN;
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    SERIES(0, "A", 1, 7, 3);
    cr_assert_eq(report.duplicates.n, 2);
    o.duplicates = TIDE_POLICY_ERROR;
    cr_assert_eq(TAKE(rows, o), TIDE_INPUT);
    cr_assert(strstr(err.message, "memory: series 'A' line 4: ds 2"), "%s", err.message);
    tide_panel_free(&panel);
}

Test(intake, a_sum_of_missing_values_is_missing_and_one_that_overflows_is_infinite) {
    NEED;
    const row rows[] = {{"A", "1", none, G},
                        {"A", "1", none, G},
                        {"A", "2", 1, G},
                        {"B", "1", 1.5e308, G},
                        {"B", "1", 1.5e308, G}};
    tide_intake_options o = defaults("N");
    o.duplicates = TIDE_POLICY_SUM;
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    SERIES(0, "A", none, 1);
    check_shut_out(&panel, 1, "B", TIDE_OUTCOME_NOT_FINITE);
    cr_assert_eq(report.infinite.n, 1);
    tide_panel_free(&panel);
}

Test(intake, bad_rows_follow_their_policy) {
    NEED;
    const row rows[] = {{"A", "1", 1, G},
                        {"A", "2", none, TIDE_ROW_BAD_Y},
                        {"A", "", none, TIDE_ROW_BAD_DS},
                        {"", "", none, TIDE_ROW_BAD_SHAPE},
                        {"A", "3", 3, G},
                        {"B", "", none, TIDE_ROW_BAD_DS}};
    tide_intake_options o = defaults("N");
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    cr_assert_eq(panel.n_series, 2);
    check_shut_out(&panel, 0, "A", TIDE_OUTCOME_BAD_ROW);
    check_shut_out(&panel, 1, "B", TIDE_OUTCOME_BAD_ROW);
    cr_assert_eq(report.bad_rows.n, 4);
    cr_assert_str_eq(report.bad_rows.named[0], "series 'A' line 3: y is 'abc'");
    cr_assert_str_eq(report.bad_rows.named[1], "series 'A' line 4: ds is 'abc'");
    cr_assert_str_eq(report.bad_rows.named[2], "line 5: row is broken: abc");
    o.bad_rows = TIDE_POLICY_SKIP;
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    SERIES(0, "A", 1, none, 3);
    check_shut_out(&panel, 1, "B", TIDE_OUTCOME_EMPTY);
    cr_assert_eq(report.bad_rows.n, 4);
    o.bad_rows = TIDE_POLICY_ERROR;
    cr_assert_eq(TAKE(rows, o), TIDE_INPUT);
    cr_assert_str_eq(err.message, "memory: series 'A' line 3: y is 'abc'");
    cr_assert_eq(take(rows + 3, 1, o, &panel, &report, &err), TIDE_INPUT);
    cr_assert_str_eq(err.message, "memory: line 2: row is broken: abc");
    tide_panel_free(&panel);
}

Test(intake, infinite_values_follow_their_policy) {
    NEED;
    const row rows[] = {
        {"A", "1", 1, G}, {"A", "2", infinite, G}, {"A", "3", -infinite, G}, {"B", "1", 1e308, G}};
    tide_intake_options o = defaults("N");
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    check_shut_out(&panel, 0, "A", TIDE_OUTCOME_NOT_FINITE);
    SERIES(1, "B", 1e308);
    cr_assert_eq(report.infinite.n, 2);
    cr_assert_str_eq(report.infinite.named[1], "series 'A' line 4: y is minus infinity");
    o.infinite = TIDE_POLICY_SKIP;
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    SERIES(0, "A", 1, none, none);
    o.infinite = TIDE_POLICY_ERROR;
    cr_assert_eq(TAKE(rows, o), TIDE_INPUT);
    cr_assert_str_eq(err.message, "memory: series 'A' line 3: y is infinite");
    tide_panel_free(&panel);
}

Test(intake, rows_out_of_order_are_sorted_and_counted) {
    NEED;
    const row rows[] = {{"A", "3", 3, G}, {"A", "1", 1, G}, {"A", "2", 2, G}, {"B", "1", 8, G}};
    tide_intake_options o = defaults("N");
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    SERIES(0, "A", 1, 2, 3);
    cr_assert_eq(report.out_of_order.n, 1);
    cr_assert_str_eq(report.out_of_order.named[0], "series 'A' line 3: ds 1 comes after 3");
    o.out_of_order = TIDE_POLICY_ERROR;
    cr_assert_eq(TAKE(rows, o), TIDE_INPUT);
    tide_panel_free(&panel);
}

Test(intake, sorting_is_right_and_stable_for_any_length) {
    tide_error err = {0};
    tide_intake_options o = defaults("N");
    o.duplicates = TIDE_POLICY_FIRST;
    for (size_t n = 1; n < 400; n += n < 70 ? 1 : 37) {
        tide_intake_report report = {0};
        tide_regular r = {&o, &report, "memory", "line", TIDE_DS_INTEGER, 0};
        tide_group g;
        cr_assert_eq(tide_group_init(&g, &err), TIDE_OK);
        for (int falling = 0; falling < 2; ++falling) {
            uint64_t state = n;
            size_t distinct = n / 2 + 1;
            double *first = malloc(distinct * sizeof *first);
            for (size_t d = 0; d < distinct; ++d)
                first[d] = none;
            tide_group_open(&g, "A", 1, 1);
            for (size_t i = 0; i < n + distinct; ++i) {
                state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                size_t ds = i < n ? (size_t)(state >> 33) % distinct : i - n;
                if (falling)
                    ds = i < distinct ? distinct - 1 - i : 0;
                if (falling && i >= distinct)
                    break;
                if (first[ds] != first[ds])
                    first[ds] = (double)i;
                cr_assert_eq(tide_group_push(&r, &g, (tide_row){(int64_t)ds, (double)i, i}, &err), TIDE_OK);
            }
            cr_assert_eq(tide_group_close(&r, &g, &err), TIDE_OK);
            cr_assert_eq(g.n, distinct);
            for (size_t d = 0; d < distinct; ++d)
                cr_assert_eq(g.y[d], first[d], "n %zu step %zu", n, d);
            free(first);
        }
        tide_group_free(&g);
    }
}

Test(intake, rows_outside_the_range_are_left_out) {
    NEED;
    const row rows[] = {{"A", "1", 1, G}, {"B", "4", 1, G},        {"B", "5", infinite, G}, {"B", "6", 6, G},
                        {"B", "8", 8, G}, {"B", "9", infinite, G}, {"C", "10", 3, G}};
    tide_intake_options o = defaults("N");
    o.from_ds = 6;
    o.to_ds = 8;
    for (o.gather = 0; o.gather < 2; ++o.gather) {
        cr_assert_eq(TAKE(rows, o), TIDE_OK);
        cr_assert_eq(panel.n_series, 1);
        SERIES(0, "B", 6, none, 8);
        cr_assert_eq(report.outside, 5);
        cr_assert_eq(report.infinite.n, 0);
    }
    tide_panel_free(&panel);
}

/* ---- grouping
 * --------------------------------------------------------------------------------------------------------------
 */

Test(intake, an_id_that_comes_back_ends_the_run_unless_gathered) {
    NEED;
    const row rows[] = {{"B", "1", 1, G},
                        {"A", "1", 10, G},
                        {"B", "3", 3, G},
                        {"A", "2", infinite, G},
                        {"C", "1", 5, G},
                        {"B", "2", 2, G},
                        {"C", "2", none, TIDE_ROW_BAD_Y},
                        {"D", "", none, TIDE_ROW_BAD_DS}};
    tide_intake_options o = defaults("N");
    cr_assert_eq(TAKE(rows, o), TIDE_INPUT);
    cr_assert(strstr(err.message, "memory: series 'B' line 4: this id was there before"), "%s", err.message);
    o.gather = 1;
    cr_assert_eq(TAKE(rows, o), TIDE_OK, "%s", err.message);
    cr_assert_eq(panel.n_series, 4);
    SERIES(0, "B", 1, 2, 3);
    check_shut_out(&panel, 1, "A", TIDE_OUTCOME_NOT_FINITE);
    check_shut_out(&panel, 2, "C", TIDE_OUTCOME_BAD_ROW);
    check_shut_out(&panel, 3, "D", TIDE_OUTCOME_BAD_ROW);
    cr_assert_eq(report.out_of_order.n, 1);
    cr_assert_str_eq(report.bad_rows.named[0], "series 'C' line 8: y is 'abc'");
    tide_panel_free(&panel);
}

Test(intake, gathered_and_grouped_input_give_the_same_series) {
    enum { N_SERIES = 37, N = 11 };
    static row rows[N_SERIES * N], mixed[N_SERIES * N];
    static char ids[N_SERIES][16], times[N][16];
    for (int i = 0; i < N_SERIES; ++i) {
        snprintf(ids[i], sizeof ids[i], "s%d", i);
        for (int t = 0; t < N; ++t) {
            snprintf(times[t], sizeof times[t], "%d", t * 2 - 5);
            rows[i * N + t] = (row){ids[i], times[t], i * 100 + t, G};
            mixed[t * N_SERIES + i] = rows[i * N + t];
        }
    }
    NEED;
    tide_panel gathered;
    tide_panel_init(&gathered);
    tide_intake_options o = defaults("2N");
    cr_assert_eq(TAKE(rows, o), TIDE_OK);
    o.gather = 1;
    cr_assert_eq(take(mixed, N_SERIES * N, o, &gathered, &report, &err), TIDE_OK);
    cr_assert_eq(gathered.n_series, N_SERIES);
    cr_assert_arr_eq(panel.fingerprint, gathered.fingerprint, N_SERIES * sizeof(uint64_t));
    cr_assert_arr_eq(panel.ids, gathered.ids, panel.id_at[N_SERIES]);
    cr_assert_arr_eq(panel.y, gathered.y, panel.at[N_SERIES] * sizeof(double));
    tide_panel_free(&panel);
    tide_panel_free(&gathered);
}

Test(intake, gather_keeps_many_ids_and_rows_apart) {
    tide_gather g = {0};
    for (uint64_t i = 0; i < 200000; ++i) {
        char id[16];
        size_t number;
        int n = snprintf(id, sizeof id, "%d", (int)(i % 5003));
        cr_assert_eq(tide_gather_series_of(&g, id, (size_t)n, i, &number, NULL), TIDE_OK);
        cr_assert_eq(number, i % 5003);
        cr_assert_eq(tide_gather_push(&g, number, (int64_t)i, (double)i, i, NULL), TIDE_OK);
    }
    cr_assert_eq(g.n_series, 5003);
    for (uint64_t s = 0; s < g.n_series; ++s) {
        uint64_t expected = s;
        for (uint32_t at = g.series[s].first; at != TIDE_GATHER_NONE; expected += 5003) {
            cr_assert_eq((uint64_t)tide_gather_row_at(&g, at)->ds, expected);
            at = tide_gather_row_at(&g, at)->next;
        }
        cr_assert_geq(expected, 200000);
    }
    size_t number;
    cr_assert_eq(tide_gather_push(&g, 0, 0, 0, UINT64_C(1) << 32, NULL), TIDE_INPUT);
    cr_assert_eq(tide_gather_series_of(&g, "0\0x", 3, 1, &number, NULL), TIDE_OK);
    cr_assert_eq(number, 5003, "ids are compared in full");
    tide_gather_free(&g);
}

Test(intake, batches_are_bounded_and_numbered) {
    enum { N_SERIES = 23, N = 7 };
    static row rows[N_SERIES * N];
    static char ids[N_SERIES][16], times[2][N][16];
    for (int t = 0; t < N; ++t) {
        snprintf(times[0][t], sizeof times[0][t], "%d", t);
        snprintf(times[1][t], sizeof times[1][t], "%d", 10 * t);
    }
    for (int i = 0; i < N_SERIES; ++i) {
        snprintf(ids[i], sizeof ids[i], "s%d", i);
        /* series 11 is longer than a batch */
        for (int t = 0; t < N; ++t)
            rows[i * N + t] = (row){ids[i], times[i == 11][t], t, G};
    }
    memory m;
    tide_source source = source_of(&m, rows, N_SERIES * N, 10);
    tide_intake_options o = defaults("N");
    o.batch_series = 5;
    o.batch_values = 30;
    tide_intake_report report;
    tide_intake *in;
    cr_assert_eq(tide_intake_open(&source, &o, &report, &in, NULL), TIDE_OK);
    tide_panel panel;
    tide_panel_init(&panel);
    uint64_t n = 0;
    int alone = 0;
    while (tide_intake_next(in, &panel, NULL) == TIDE_OK && panel.n_series) {
        cr_assert_eq(panel.first_number, n);
        cr_assert_leq(panel.n_series, 5);
        cr_assert(panel.at[panel.n_series] <= 30 || panel.n_series == 1);
        alone += panel.at[panel.n_series] == 61;
        n += panel.n_series;
    }
    cr_assert_eq(n, N_SERIES);
    cr_assert_eq(alone, 1);
    cr_assert_eq(report.series, N_SERIES);
    tide_panel_free(&panel);
    tide_intake_close(in);
}

Test(intake, no_rows_give_no_series) {
    NEED;
    const row rows[] = {{"A", "1", 1, G}};
    cr_assert_eq(take(rows, 0, defaults("D"), &panel, &report, &err), TIDE_OK);
    cr_assert_eq(panel.n_series, 0);
    cr_assert_eq(report.rows, 0);
    tide_panel_free(&panel);
}

static tide_status failing_next(void *self, tide_rows *rows, tide_error *err) {
    memory *m = self;
    if (m->at >= 3)
        return tide_fail(err, TIDE_CONNECTION, "gone");
    return memory_next(self, rows, err);
}

Test(intake, a_failing_source_ends_the_run_without_a_partial_series) {
    NEED;
    const row rows[] = {{"A", "1", 1, G}, {"B", "1", 1, G}, {"B", "2", 1, G}, {"B", "3", 1, G}};
    memory m;
    tide_source source = source_of(&m, rows, 4, 3);
    source.next = failing_next;
    tide_intake *in;
    tide_intake_options o = defaults("N");
    cr_assert_eq(tide_intake_open(&source, &o, &report, &in, &err), TIDE_OK);
    cr_assert_eq(tide_intake_next(in, &panel, &err), TIDE_CONNECTION);
    cr_assert_str_eq(err.message, "gone");
    cr_assert_eq(panel.n_series, 0);
    tide_intake_close(in);
    tide_panel_free(&panel);
}

Test(intake, only_the_first_five_of_a_kind_are_named_but_all_counted) {
    row rows[40];
    for (int i = 0; i < 40; ++i)
        rows[i] = (row){"A\n\x1b[31m", "1", infinite, G};
    NEED;
    cr_assert_eq(TAKE(rows, defaults("N")), TIDE_OK);
    cr_assert_eq(report.infinite.n, 40);
    cr_assert_str_eq(report.infinite.named[4], "series 'A\\x0a\\x1b[31m' line 6: y is infinite");
    cr_assert_eq(report.duplicates.n, 39);
    tide_panel_free(&panel);
}

/* ---- the parts
 * ----------------------------------------------------------------------------------------------------------------
 */

Test(panel, keeps_bytes_and_fingerprints_depend_on_values_and_start_only) {
    tide_panel p;
    tide_panel_init(&p);
    const double y[] = {1, __builtin_nan("7"), 3}, z[] = {1, -__builtin_nan(""), 3};
    cr_assert_eq(tide_panel_add(&p, "a\0b", 3, y, 3, 5, 7, NULL), TIDE_OK);
    cr_assert_eq(tide_panel_add(&p, "other", 5, z, 3, 5, 7, NULL), TIDE_OK);
    cr_assert_eq(tide_panel_add(&p, "other", 5, z, 3, 6, 8, NULL), TIDE_OK);
    cr_assert_eq(tide_panel_add(&p, "other", 5, z, 2, 5, 6, NULL), TIDE_OK);
    cr_assert_eq(tide_panel_add(&p, "none", 4, NULL, 2, 5, 6, NULL), TIDE_OK);
    cr_assert_eq(tide_panel_add(&p, "", 0, NULL, 0, 0, 0, NULL), TIDE_OK);
    cr_assert_eq(p.fingerprint[0], p.fingerprint[1]);
    cr_assert_neq(p.fingerprint[0], p.fingerprint[2]);
    cr_assert_neq(p.fingerprint[0], p.fingerprint[3]);
    cr_assert_eq(memcmp(p.ids, "a\0bother", 8), 0);
    cr_assert_eq(tide_to_bits(p.y[1]), tide_to_bits(TIDE_NAN));
    cr_assert_eq(tide_to_bits(p.y[4]), tide_to_bits(TIDE_NAN));
    cr_assert_eq(tide_to_bits(p.y[p.at[4]]), tide_to_bits(TIDE_NAN));
    for (int i = 0; i < 1000; ++i)
        cr_assert_eq(tide_panel_add(&p, "id", 2, y, 3, 5, 7, NULL), TIDE_OK);
    cr_assert_eq(p.n_series, 1006);
    cr_assert_eq(p.fingerprint[1005], p.fingerprint[0]);
    tide_panel_clear(&p);
    cr_assert_eq(p.n_series, 0);
    size_t before = p.n_series;
    cr_assert_eq(tide_panel_reserve(&p, 10, SIZE_MAX / 4, NULL), TIDE_MEMORY);
    cr_assert_eq(p.n_series, before);
    tide_panel_free(&p);
}

Test(hash, flips_half_of_the_bits_for_each_bit_of_the_input) {
    enum { BYTES = 21, ROUNDS = 2000 };
    uint64_t state = 1;
    long flips[BYTES * 8] = {0};
    for (int round = 0; round < ROUNDS; ++round) {
        unsigned char in[BYTES];
        for (int i = 0; i < BYTES; ++i) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            in[i] =
                round < 200 ? (unsigned char)(i == round % BYTES ? round : 0) : (unsigned char)(state >> 56);
        }
        uint64_t h = tide_hash_bytes(in, BYTES);
        for (int b = 0; b < BYTES * 8; ++b) {
            in[b / 8] ^= (unsigned char)(1 << b % 8);
            flips[b] += __builtin_popcountll(h ^ tide_hash_bytes(in, BYTES));
            in[b / 8] ^= (unsigned char)(1 << b % 8);
        }
    }
    for (int b = 0; b < BYTES * 8; ++b) {
        double mean = (double)flips[b] / ROUNDS;
        cr_assert(mean > 31 && mean < 33, "input bit %d flips %g of 64", b, mean);
    }
}

Test(hash, lengths_and_zeros_are_told_apart) {
    static const char zeros[64] = {0};
    for (size_t a = 0; a < 64; ++a)
        for (size_t b = 0; b < a; ++b)
            cr_assert_neq(tide_hash_bytes(zeros, a), tide_hash_bytes(zeros, b));
}

Test(quote, makes_any_bytes_printable_and_cuts_between_characters) {
    char out[16];
    cr_assert_str_eq(tide_quote(out, sizeof out, "plain", 5), "plain");
    cr_assert_str_eq(tide_quote(out, sizeof out, "a\0\n\x7f", 4), "a\\x00\\x0a\\x7f");
    cr_assert_str_eq(tide_quote(out, sizeof out, "gr\xc3\xbc\xc3\x9f", 6), "gr\xc3\xbc\xc3\x9f");
    cr_assert_str_eq(tide_quote(out, sizeof out, "\xc3", 1), "\\xc3");
    cr_assert_str_eq(tide_quote(out, sizeof out, "\xc2\x9b", 2), "\\xc2\\x9b");
    cr_assert_str_eq(tide_quote(out, sizeof out, "123456789012345", 15), "123456789012345");
    cr_assert_str_eq(tide_quote(out, sizeof out, "1234567890123456", 16), "123456789012...");
    cr_assert_str_eq(tide_quote(out, sizeof out, "12345678901\xc3\xbc\xc3\xbc\xc3\xbc", 17),
                     "12345678901...");
}
