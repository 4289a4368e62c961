/* A run that reads only a window gives the bits of one that reads everything: random tables that grow, are corrected and
 * lose rows within the window, by frequency and policy; and the counts, refusals and the order of ids. */
#include "tests/history_fixture.h"

#include <inttypes.h>

static uint64_t state;
static uint64_t draw(uint64_t n) { /* 0 .. n - 1 */
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % n;
}

typedef struct grid_case {
    const char *freq;
    tide_ds_kind kind;
    int64_t first;    /* where series begin, about */
    int64_t off_grid; /* added to a time, it leaves the grid; 0: nothing does */
    const char *rereads[3];
} grid_case;

static const grid_case cases[] = {{"D", TIDE_DS_DATE, 19000, 0, {"0", "7d", "2M"}},
                                  {"2D", TIDE_DS_DATE, 19000, 1, {"0", "3", "30d"}},
                                  {"M", TIDE_DS_DATE, 18993, 3, {"0", "2", "5M"}}, /* 2022-01-01 */
                                  {"M", TIDE_DS_DATE, 19023, 2, {"1", "3", "5"}},  /* 2022-01-31: last days */
                                  {"M", TIDE_DS_DATE, 19051, 1, {"0", "3", "5"}},  /* 2022-02-28 */
                                  {"Q", TIDE_DS_DATE, 19082, 1, {"0", "1", "2Q"}}, /* 2022-03-31 */
                                  {"W", TIDE_DS_DATE, 19000, 3, {"0", "2", "21d"}},
                                  {"B", TIDE_DS_DATE, 19001, 2, {"0", "3", "10d"}},
                                  {"15min", TIDE_DS_TIMESTAMP, INT64_C(1640995200000000), 60000000, {"0", "8", "3h"}},
                                  {"h", TIDE_DS_TIMESTAMP, INT64_C(1640995200000001), 60000000, {"0", "8", "1d"}},
                                  {"N", TIDE_DS_INTEGER, -20, 0, {"0", "4", "9"}},
                                  {"5", TIDE_DS_INTEGER, 100, 2, {"0", "4", "9"}}};
enum { CASES = sizeof cases / sizeof *cases };

static double value(void) {
    static const double odd[] = {0.0, -0.0, 1e300, -5.5};
    return draw(20) == 0 ? odd[draw(4)] : (double)draw(100000) / 8.0;
}

/* What a night does to the rows after `bound`; `now` is the time up to which rows come. */
static void one_night(hf_table *t, const grid_case *c, tide_freq freq, int64_t bound, int64_t upto, int dirty) {
    size_t before = t->n;
    for (size_t i = 0; i < before; ++i) {
        hf_row *r = &t->row[i];
        if (r->deleted || r->ds <= bound)
            continue;
        if (draw(12) == 0)
            r->y = value();
        else if (draw(15) == 0)
            r->deleted = 1;
        else if (dirty && draw(30) == 0) /* also takes back what an earlier night did */
            r->y = draw(2) ? TIDE_INF : TIDE_NAN;
        else if (dirty && c->off_grid && draw(40) == 0)
            r->ds += c->off_grid;
    }
    for (int k = 0; k < 26; ++k) {
        char id[24];
        snprintf(id, sizeof id, k % 3 ? "s%d" : "S-%d", k * 7);
        int64_t start = c->first + (c->kind == TIDE_DS_DATE && freq.unit < TIDE_UNIT_MONTH && c->off_grid == 0 ? k : 0);
        if (k > 20 && bound == INT64_MIN)
            continue; /* ids that come later */
        for (int64_t step = draw(3) ? 0 : 3; step < 400; ++step) {
            int64_t ds = tide_grid_add(freq, c->kind, start, step, tide_grid_is_month_end(c->kind, start) && k % 2);
            if (ds <= bound)
                continue;
            if (ds > upto || (k % 5 == 4 && step > 12 + k)) /* some end */
                break;
            int here = 0;
            for (size_t i = 0; i < before && !here; ++i)
                here = !t->row[i].deleted && t->row[i].ds == ds && strcmp(t->row[i].id, id) == 0;
            if (here && !(dirty && draw(60) == 0)) /* else a duplicate */
                continue;
            if (draw(8) == 0)
                continue; /* a gap */
            hf_add(t, id, ds, draw(15) == 0 ? TIDE_NAN : value());
        }
    }
}

static void same_panels(const tide_panel *a, const tide_panel *b, const char *what) {
    cr_assert_eq(a->n_series, b->n_series, "%s: %zu series and %zu", what, a->n_series, b->n_series);
    for (size_t i = 0; i < a->n_series; ++i) {
        size_t length = a->id_at[i + 1] - a->id_at[i], n = a->at[i + 1] - a->at[i];
        const char *id = a->ids + a->id_at[i];
        cr_assert(length == b->id_at[i + 1] - b->id_at[i] && memcmp(id, b->ids + b->id_at[i], length) == 0,
                  "%s: ids differ at %zu: %.*s", what, i, (int)length, id);
        cr_assert_eq(a->outcome[i], b->outcome[i], "%s: %.*s: outcome %d and %d", what, (int)length, id, a->outcome[i],
                     b->outcome[i]);
        cr_assert(a->first_ds[i] == b->first_ds[i] && a->last_ds[i] == b->last_ds[i],
                  "%s: %.*s: %" PRId64 "..%" PRId64 " and %" PRId64 "..%" PRId64, what, (int)length, id, a->first_ds[i],
                  a->last_ds[i], b->first_ds[i], b->last_ds[i]);
        cr_assert_eq(a->end_of_month[i], b->end_of_month[i], "%s: %.*s: end of month", what, (int)length, id);
        cr_assert_eq(n, b->at[i + 1] - b->at[i], "%s: %.*s: number of values", what, (int)length, id);
        cr_assert(n == 0 || memcmp(a->y + a->at[i], b->y + b->at[i], n * 8) == 0, "%s: %.*s: values", what, (int)length, id);
        cr_assert_eq(a->fingerprint[i], b->fingerprint[i], "%s: %.*s: fingerprint", what, (int)length, id);
    }
}

/* Two histories hold the same, but for when and by whom they were written. */
static void same_histories(const char *a_path, const char *b_path, const char *what) {
    tide_history_file *a = NULL, *b = NULL;
    tide_error err = {TIDE_OK, ""};
    cr_assert_eq(tide_history_map(a_path, &a, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(tide_history_map(b_path, &b, &err), TIDE_OK, "%s", err.message);
    const tide_history_header *x = tide_history_get_header(a), *y = tide_history_get_header(b);
    cr_assert_eq(x->n_series, y->n_series);
    cr_assert(x->watermark == y->watermark && x->has_watermark == y->has_watermark && x->order == y->order, "%s", what);
    cr_assert(x->n_present == y->n_present && x->n_gaps == y->n_gaps && x->n_missing == y->n_missing, "%s", what);
    for (uint64_t i = 0; i < x->n_series; ++i) {
        tide_history_series s, t;
        cr_assert_eq(tide_history_get(a, i, &s, &err), TIDE_OK, "%s", err.message);
        cr_assert_eq(tide_history_get(b, i, &t, &err), TIDE_OK, "%s", err.message);
        cr_assert(s.flags == t.flags && s.n == t.n && !s.times == !t.times, "%s: %.*s: %d %zu, %d %zu", what,
                  (int)s.id_length, s.id, s.flags, s.n, t.flags, t.n);
        cr_assert(s.n == 0 || memcmp(s.values, t.values, 8 * s.n) == 0, "%s: %.*s", what, (int)s.id_length, s.id);
        cr_assert(s.n == 0 || !s.times || memcmp(s.times, t.times, 8 * s.n) == 0, "%s: %.*s", what, (int)s.id_length, s.id);
    }
    tide_history_unmap(a);
    tide_history_unmap(b);
}

static int64_t watermark_of(const char *path) {
    tide_history_file *f = NULL;
    cr_assert_eq(tide_history_map(path, &f, NULL), TIDE_OK);
    int64_t w = tide_history_get_header(f)->watermark;
    tide_history_unmap(f);
    return w;
}

/* The bound that a run with this reread would take, found as the program documents it. */
static int64_t bound_of(const tide_config *cfg, tide_ds_kind kind) {
    tide_history *h = NULL;
    tide_config copy;
    int64_t from = INT64_MIN;
    tide_error err = {TIDE_OK, ""};
    cr_assert_eq(tide_config_copy(cfg, &copy, NULL), TIDE_OK);
    cr_assert_eq(tide_history_open(&copy, 1, NULL, &h, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(tide_config_bound("from", copy.source.from, 0, kind, &from, NULL), TIDE_OK);
    tide_history_close(h);
    tide_config_free(&copy);
    return from - 1;
}

typedef struct totals {
    uint64_t corrected, late, deleted, gone, fresh, healed, shut_out, unchanged, extended, ended;
} totals;

/* Six nights of one case: with a window, and everything anew. */
static void nights_agree(const grid_case *c, uint64_t seed, totals *sum) {
    static const char *const duplicates[] = {"quarantine", "first", "last", "sum", "mean"};
    char path[320], full_path[340], what[160];
    tide_config cfg, full;
    tide_freq freq;
    hf_table t = {.kind = c->kind};
    tide_error err = {TIDE_OK, ""};
    state = seed;
    hf_place(path);
    snprintf(full_path, sizeof full_path, "%s.full", path);
    hf_config(&cfg, c->freq, path);
    hf_config(&full, c->freq, full_path);
    cr_assert_eq(tide_freq_parse(c->freq, &freq, NULL), TIDE_OK);
    const char *dup = duplicates[draw(5)], *bad = draw(3) ? "quarantine" : "skip", *inf = draw(3) ? "quarantine" : "skip";
    tide_config *both[] = {&cfg, &full};
    for (int i = 0; i < 2; ++i) {
        tide_config_set(both[i], "intake.duplicates", dup, NULL);
        tide_config_set(both[i], "intake.bad_rows", bad, NULL);
        tide_config_set(both[i], "intake.infinite", inf, NULL);
        if (draw(2) == 0 && i == 0)
            cfg.intake.batch_series = 1000, cfg.intake.batch_values = 1000000;
    }
    full.history.rebuild = 1;
    int dirty = draw(4) != 0;
    for (int night = 0; night < 6; ++night) {
        tide_panel a, b;
        static tide_report report, whole;
        int64_t bound = INT64_MIN;
        tide_panel_init(&a);
        tide_panel_init(&b);
        tide_config_set(&cfg, "history.reread", c->rereads[draw(3)], NULL);
        if (night)
            bound = bound_of(&cfg, c->kind);
        int64_t start = night ? watermark_of(path) : c->first;
        int64_t upto = tide_grid_add(freq, c->kind, start, night ? (int64_t)draw(6) : 25, 0);
        one_night(&t, c, freq, bound, upto, dirty);
        snprintf(what, sizeof what, "%s from %" PRId64 ", seed %" PRIu64 ", night %d, reread %s, %s %s %s", c->freq, c->first,
                 seed, night, cfg.history.reread, dup, bad, inf);
        cr_assert_eq(hf_run(&cfg, &t, (int)draw(2), &a, &report, &err), TIDE_OK, "%s: %s", what, err.message);
        cr_assert_eq(hf_run(&full, &t, 0, &b, &whole, &err), TIDE_OK, "%s: %s", what, err.message);
        same_panels(&a, &b, what);
        same_histories(path, full_path, what);
        const tide_report_history *r = &report.history;
        cr_assert_eq(r->series_unchanged + r->series_extended + r->series_corrected + r->series_new, a.n_series, "%s", what);
        cr_assert_eq(report.intake.values, whole.intake.values, "%s", what);
        cr_assert_eq(report.intake.gaps, whole.intake.gaps, "%s", what);
        if (night) {
            sum->corrected += r->corrected.n;
            sum->late += r->rows_late;
            sum->deleted += r->rows_deleted;
            sum->gone += r->series_gone;
            sum->fresh += r->series_new;
            sum->healed += r->series_healed;
            sum->shut_out += r->series_shut_out;
            sum->unchanged += r->series_unchanged;
            sum->extended += r->series_extended;
            sum->ended += r->series_ended;
        }
        tide_panel_free(&a);
        tide_panel_free(&b);
    }
    tide_config_free(&cfg);
    tide_config_free(&full);
    free(t.row);
    hf_forget(path);
}

static void many_nights(size_t from, size_t upto) {
    totals sum;
    memset(&sum, 0, sizeof sum);
    const char *seeds = getenv("TIDE_HISTORY_SEEDS"); /* more of them, for a long run by hand */
    uint64_t n = seeds ? strtoull(seeds, NULL, 10) : 12;
    for (size_t c = from; c < upto; ++c)
        for (uint64_t seed = 1; seed <= n; ++seed)
            nights_agree(&cases[c], seed * 1000 + c, &sum);
    /* None of the things that a window can hold was left out. */
    cr_assert(sum.corrected && sum.late && sum.deleted && sum.fresh && sum.healed && sum.shut_out && sum.unchanged &&
              sum.extended && sum.ended);
}

Test(history, daily_windows_give_what_a_full_read_gives) { many_nights(0, 2); }
Test(history, monthly_windows_give_what_a_full_read_gives) { many_nights(2, 6); }
Test(history, weekly_and_business_windows_give_what_a_full_read_gives) { many_nights(6, 8); }
Test(history, windows_of_timestamps_give_what_a_full_read_gives) { many_nights(8, 10); }
Test(history, windows_of_integers_give_what_a_full_read_gives) { many_nights(10, CASES); }
