/* report.c - counts of a run, and the two ways to show them. Zero counts are left out of the text, not of the
 * JSON. */
#include "host/report.h"
#include "host/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const outcome_names[] = {
#define TIDE_OUTCOME(NAME, number, text, why) [number] = text,
#include "kernels/outcomes.def"
#undef TIDE_OUTCOME
};

static const char *const family_names[] = {
#define TIDE_FAMILY(NAME, number, text, title) [number] = text,
#include "kernels/families.def"
#undef TIDE_FAMILY
};

static const char *const form_names[] = {
#define TIDE_ETS_FORM(name, e, t, s) #name,
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
};

void tide_report_add(tide_report *report, const tide_panel *panel, const tide_results *results) {
    size_t n = results->n_series;
    if (!report->batches) {
        report->first_ds = INT64_MAX;
        report->last_ds = INT64_MIN;
    }
    for (size_t i = 0; i < n; ++i) {
        if (panel->at[i + 1] == panel->at[i])
            continue;
        if (panel->first_ds[i] < report->first_ds)
            report->first_ds = panel->first_ds[i];
        if (panel->last_ds[i] > report->last_ds)
            report->last_ds = panel->last_ds[i];
    }
    ++report->batches;
    report->series += n;
    for (size_t i = 0; i < n; ++i) {
        if (results->outcome[i] < TIDE_OUTCOME_COUNT)
            ++report->by_outcome[results->outcome[i]];
        for (size_t j = 0; j < results->n_members[i]; ++j) {
            uint8_t family = results->family[j * n + i];
            uint32_t form = results->form[j * n + i];
            if (family < TIDE_FAMILY_COUNT)
                ++report->by_family[family];
            if (family == TIDE_FAMILY_ETS && form < TIDE_ETS_FORMS)
                ++report->by_form[form];
            ++report->members;
        }
    }
}

static const struct {
    const char *name;
    size_t offset;
} deviations[] = {{"bad_rows", offsetof(tide_report, intake.bad_rows)},
                  {"duplicates", offsetof(tide_report, intake.duplicates)},
                  {"infinite", offsetof(tide_report, intake.infinite)},
                  {"out_of_order", offsetof(tide_report, intake.out_of_order)},
                  {"off_grid", offsetof(tide_report, intake.off_grid)},
                  {"late", offsetof(tide_report, intake.late)},
                  {"no_regressors", offsetof(tide_report, uncovered)}};
enum { DEVIATIONS = sizeof deviations / sizeof deviations[0] };

static const tide_intake_count *deviation(const tide_report *r, size_t i) {
    return (const tide_intake_count *)(const void *)((const char *)r + deviations[i].offset);
}

static void put_counts(FILE *f, const char *title, const char *const *names, const uint64_t *counts,
                       size_t n) {
    int any = 0;
    for (size_t i = 0; i < n; ++i) {
        if (!counts[i])
            continue;
        fprintf(f, "%s%s %" PRIu64, any ? ", " : title, names[i], counts[i]);
        any = 1;
    }
    if (any)
        fputs("\n", f);
}

static void put_stage(FILE *f, const char *name, tide_stage s) {
    fprintf(f, "  %-6s %9.2f s busy %9.2f s waiting\n", name, s.busy_s, s.wait_s);
}

/* The counts of series, and the rows of the window, in one order for text and JSON. */
static const struct {
    const char *key, *words;
    size_t offset;
} history_counts[] = {
    {"unchanged", "unchanged", offsetof(tide_report_history, series_unchanged)},
    {"extended", "extended", offsetof(tide_report_history, series_extended)},
    {"corrected", "corrected", offsetof(tide_report_history, series_corrected)},
    {"new", "new", offsetof(tide_report_history, series_new)},
    {"gone", "gone", offsetof(tide_report_history, series_gone)},
    {"ended", "ended", offsetof(tide_report_history, series_ended)},
    {"healed", "healed", offsetof(tide_report_history, series_healed)},
    {"shut_out", "shut out", offsetof(tide_report_history, series_shut_out)},
    {"values_corrected", "values corrected", offsetof(tide_report_history, corrected)},
    {"rows_late", "rows that came late", offsetof(tide_report_history, rows_late)},
    {"rows_deleted", "rows deleted", offsetof(tide_report_history, rows_deleted)}};
enum { HISTORY_COUNTS = sizeof history_counts / sizeof history_counts[0], HISTORY_ROWS = 8 };
_Static_assert(offsetof(tide_intake_count, n) == 0, "a count begins with its number");

static uint64_t history_count(const tide_report_history *h, size_t i) {
    return *(const uint64_t *)(const void *)((const char *)h + history_counts[i].offset);
}

static void put_history(FILE *f, const tide_report_history *h) {
    if (!h->before) {
        fprintf(f, "history %s: all was read; generation %" PRIu64 ", watermark %s\n", h->path, h->generation, h->watermark);
        return;
    }
    fprintf(f, "history %s: generation %" PRIu64 " -> %" PRIu64 ", watermark %s -> %s, read from %s on\n", h->path, h->before,
            h->generation, h->watermark_before, h->watermark, *h->window ? h->window : "the beginning");
    for (size_t from = 0; from < HISTORY_COUNTS; from = from ? HISTORY_COUNTS : HISTORY_ROWS) {
        int any = 0;
        for (size_t i = from; i < (from ? HISTORY_COUNTS : HISTORY_ROWS); ++i) {
            if (history_count(h, i)) {
                fprintf(f, "%s%" PRIu64 " %s", any ? ", " : from ? "  " : "  series: ", history_count(h, i),
                        history_counts[i].words);
                any = 1;
            }
        }
        fputs(any ? "\n" : "", f);
    }
    for (uint64_t k = 0; k < h->corrected.n && k < TIDE_NAMED_MAX && h->corrected.named[k][0]; ++k)
        fprintf(f, "    %s\n", h->corrected.named[k]);
}

static const char *const station_names[TIDE_STATIONS] = {"source",  "intake",  "tiling",    "warm starts",
                                                         "fitting", "writing", "publishing"};

const char *tide_station_name(tide_station station) {
    return (int)station >= 0 && station < TIDE_STATIONS ? station_names[station] : "?";
}

double tide_report_station_s(const tide_report *r, tide_station station) {
    const double seconds[TIDE_STATIONS] = {
        [TIDE_STATION_SOURCE] = r->source_s,
        [TIDE_STATION_INTAKE] = r->read.busy_s - r->source_s,
        [TIDE_STATION_TILING] = r->plan_s,
        [TIDE_STATION_WARM] = r->warm_s,
        [TIDE_STATION_FITTING] = r->fit.busy_s - r->plan_s - r->warm_s,
        [TIDE_STATION_WRITING] = r->write.busy_s,
        [TIDE_STATION_PUBLISHING] = r->finish_s,
    };
    return seconds[station] > 0.0 ? seconds[station] : 0.0;
}

/* Seconds that a run takes at least, were the station `without` free (TIDE_STATIONS: none). */
static double least_s(const tide_report *r, int without) {
    static const int thread[TIDE_STATIONS] = {0, 0, 1, 1, 1, 2, 3};
    double busy[4] = {0.0, 0.0, 0.0, 0.0};
    for (int s = 0; s < TIDE_STATIONS; ++s)
        if (s != without)
            busy[thread[s]] += tide_report_station_s(r, (tide_station)s);
    double most = busy[0] > busy[1] ? busy[0] : busy[1];
    return (most > busy[2] ? most : busy[2]) + busy[3];
}

tide_station tide_report_bound(const tide_report *r, double *without_s) {
    tide_station bound = TIDE_STATION_SOURCE;
    for (int s = 1; s < TIDE_STATIONS; ++s) {
        double more = least_s(r, s) - least_s(r, bound);
        if (more < 0.0 || (more <= 0.0 && tide_report_station_s(r, (tide_station)s) > tide_report_station_s(r, bound)))
            bound = (tide_station)s;
    }
    *without_s = least_s(r, bound);
    return bound;
}

static void put_bound(FILE *f, const tide_report *r) {
    double without;
    tide_station bound = tide_report_bound(r, &without);
    for (int s = 0; s < TIDE_STATIONS; ++s)
        if (s != TIDE_STATION_WARM || r->warm_generation)
            fprintf(f, "%s%s %.2f s", s ? ", " : "  of which ", station_names[s],
                    tide_report_station_s(r, (tide_station)s));
    fprintf(f, "\nbound by %s: busy %.2f s of %.2f s; were it free, the run would take %.2f s or more\n",
            station_names[bound], tide_report_station_s(r, bound), r->wall_s, without);
}

static void put_text(FILE *f, const tide_report *r) {
    fprintf(f,
            "%" PRIu64 " series, %" PRIu64 " rows from %s (freq %s, season %d), %" PRIu64 " gaps, %" PRIu64
            " missing\n",
            r->series, r->intake.rows, r->source, r->freq, r->season, r->intake.gaps, r->intake.missing);
    if (r->resumed)
        fprintf(f, "%" PRIu64 " of the series were fitted before the run was interrupted\n", r->resumed);
    if (r->warm_generation)
        fprintf(f, "warm start of %" PRIu64 " series from generation %" PRIu64 " of %s (run %s)\n",
                r->warm_series, r->warm_generation, r->warm_store, r->warm_run_id);
    if (*r->history.path)
        put_history(f, &r->history);
    put_counts(f, "outcomes: ", outcome_names, r->by_outcome, TIDE_OUTCOME_COUNT);
    put_counts(f, "families: ", family_names, r->by_family, TIDE_FAMILY_COUNT);
    put_counts(f, "forms:    ", form_names, r->by_form, TIDE_ETS_FORMS);
    for (size_t i = 0; i < DEVIATIONS; ++i) {
        const tide_intake_count *c = deviation(r, i);
        if (!c->n)
            continue;
        fprintf(f, "%s: %" PRIu64 "\n", deviations[i].name, c->n);
        for (uint64_t k = 0; k < c->n && k < TIDE_NAMED_MAX && c->named[k][0]; ++k)
            fprintf(f, "  %s\n", c->named[k]);
    }
    fprintf(f, "stages, on %s%s%s:\n", r->backend, *r->backend_note ? "; " : "", r->backend_note);
    put_stage(f, "read", r->read);
    put_stage(f, "fit", r->fit);
    put_stage(f, "write", r->write);
    put_bound(f, r);
    fprintf(f, "%.2f s in all, %.0f series/s, peak memory %.1f MiB\n", r->wall_s,
            r->wall_s > 0.0 ? (double)r->series / r->wall_s : 0.0, (double)r->peak_bytes / 1048576.0);
    if (r->generation)
        fprintf(f, "published generation %" PRIu64 " of %s (run %s)\n", r->generation, r->store, r->run_id);
}

static void put_json_counts(FILE *f, const char *const *names, const uint64_t *counts, size_t n) {
    for (size_t i = 0; i < n; ++i)
        fprintf(f, "%s\"%s\": %" PRIu64, i ? ", " : "{", names[i], counts[i]);
    fputs("}", f);
}

/* Without the braces around: "read": {...}, ... */
static void put_json_threads(FILE *f, const tide_report *r) {
    const struct {
        const char *name;
        tide_stage time;
    } stages[] = {{"read", r->read}, {"fit", r->fit}, {"write", r->write}, {"finish", {r->finish_s, 0.0}}};
    for (size_t i = 0; i < 4; ++i)
        fprintf(f, "%s\"%s\": {\"busy_s\": %.6f, \"wait_s\": %.6f}", i ? ", " : "", stages[i].name,
                stages[i].time.busy_s, stages[i].time.wait_s);
}

/* "stations_s": {...}, "bound": {...} */
static void put_json_stations(FILE *f, const tide_report *r) {
    double without;
    tide_station bound = tide_report_bound(r, &without);
    fputs("\"stations_s\": {", f);
    for (int k = 0; k < TIDE_STATIONS; ++k)
        fprintf(f, "%s\"%s\": %.6f", k ? ", " : "", station_names[k], tide_report_station_s(r, (tide_station)k));
    fprintf(f, "}, \"bound\": {\"station\": \"%s\", \"busy_s\": %.6f, \"without_s\": %.6f}", station_names[bound],
            tide_report_station_s(r, bound), without);
}

static void put_json_stages(FILE *f, const tide_report *r) {
    fputs("{", f);
    put_json_threads(f, r);
    fputs(", ", f);
    put_json_stations(f, r);
    fputs("}", f);
}

int tide_report_window(const tide_report *r, char first[48], char last[48]) {
    if (r->series == 0 || r->first_ds > r->last_ds)
        return 0;
    tide_ds_format(r->ds_kind, r->first_ds, first, 48);
    tide_ds_format(r->ds_kind, r->last_ds, last, 48);
    return 1;
}

/* null when there were no values. */
static void put_json_window(FILE *f, const tide_report *r) {
    char first[48], last[48];
    if (tide_report_window(r, first, last))
        fprintf(f, "[\"%s\", \"%s\"]", first, last);
    else
        fputs("null", f);
}

/* null for a cold run. */
static void put_json_warm(FILE *f, const tide_report *r) {
    if (!r->warm_generation) {
        fputs("null", f);
        return;
    }
    fputs("{\"store\": ", f);
    tide_put_json(f, r->warm_store, strlen(r->warm_store));
    fprintf(f, ", \"generation\": %" PRIu64 ", \"run_id\": ", r->warm_generation);
    tide_put_json(f, r->warm_run_id, strlen(r->warm_run_id));
    fprintf(f, ", \"series\": %" PRIu64 "}", r->warm_series);
}

/* What `put` prints, as a malloc'd text. */
static char *printed(const tide_report *r, void (*put)(FILE *, const tide_report *)) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    put(f, r);
    return tide_close_text(f, &text);
}

/* null for a run without a history. */
static void put_json_history(FILE *f, const tide_report *r) {
    const tide_report_history *h = &r->history;
    if (!*h->path) {
        fputs("null", f);
        return;
    }
    fputs("{\"path\": ", f);
    tide_put_json(f, h->path, strlen(h->path));
    fprintf(f, ", \"generation\": %" PRIu64 ", \"before\": %" PRIu64 ", \"bytes\": %" PRIu64, h->generation, h->before,
            h->bytes);
    fprintf(f, ", \"watermark_before\": \"%s\", \"watermark\": \"%s\", \"window\": \"%s\"", h->watermark_before,
            h->watermark, h->window);
    for (size_t i = 0; i < HISTORY_COUNTS; ++i)
        fprintf(f, ", \"%s\": %" PRIu64, history_counts[i].key, history_count(h, i));
    fputs("}", f);
}

static void put_json_outcomes(FILE *f, const tide_report *r) {
    put_json_counts(f, outcome_names, r->by_outcome, TIDE_OUTCOME_COUNT);
}

static void put_json_forms(FILE *f, const tide_report *r) {
    for (size_t i = 0; i < TIDE_ETS_FORMS; ++i)
        fprintf(f, "%s\"%s\": %" PRIu64, i ? ", " : "{", form_names[i], r->by_form[i]);
    for (size_t i = 0; i < TIDE_FAMILY_COUNT; ++i)
        if (i != TIDE_FAMILY_NONE && i != TIDE_FAMILY_ETS)
            fprintf(f, ", \"%s\": %" PRIu64, family_names[i], r->by_family[i]);
    fputs("}", f);
}

static void put_json(FILE *f, const tide_report *r) {
    const struct {
        const char *key, *value;
    } texts[] = {{"run_id", r->run_id},
                 {"source", r->source},
                 {"store", r->store},
                 {"backend", r->backend},
                 {"backend_note", r->backend_note},
                 {"freq", r->freq}};
    fputs("{\n", f);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; ++i) {
        fprintf(f, "  \"%s\": ", texts[i].key);
        tide_put_json(f, texts[i].value, strlen(texts[i].value));
        fputs(",\n", f);
    }
    fprintf(f, "  \"season\": %d,\n  \"generation\": %" PRIu64 ",\n  \"store_bytes\": %" PRIu64 ",\n",
            r->season, r->generation, r->store_bytes);
    fprintf(f, "  \"series\": %" PRIu64 ",\n  \"members\": %" PRIu64 ",\n  \"batches\": %" PRIu64 ",\n",
            r->series, r->members, r->batches);
    fprintf(f, "  \"resumed\": %" PRIu64 ",\n  \"window\": ", r->resumed);
    put_json_window(f, r);
    fputs(",\n  \"warm\": ", f);
    put_json_warm(f, r);
    fputs(",\n  \"history\": ", f);
    put_json_history(f, r);
    fputs(",\n  \"outcomes\": ", f);
    put_json_counts(f, outcome_names, r->by_outcome, TIDE_OUTCOME_COUNT);
    fputs(",\n  \"families\": ", f);
    put_json_counts(f, family_names, r->by_family, TIDE_FAMILY_COUNT);
    fputs(",\n  \"forms\": ", f);
    put_json_counts(f, form_names, r->by_form, TIDE_ETS_FORMS);
    fprintf(f,
            ",\n  \"input\": {\"rows\": %" PRIu64 ", \"values\": %" PRIu64 ", \"gaps\": %" PRIu64
            ", \"missing\": %" PRIu64 ", \"outside\": %" PRIu64,
            r->intake.rows, r->intake.values, r->intake.gaps, r->intake.missing, r->intake.outside);
    for (size_t i = 0; i < DEVIATIONS; ++i) {
        const tide_intake_count *c = deviation(r, i);
        fprintf(f, ",\n    \"%s\": {\"n\": %" PRIu64 ", \"named\": [", deviations[i].name, c->n);
        for (uint64_t k = 0; k < c->n && k < TIDE_NAMED_MAX && c->named[k][0]; ++k) {
            fputs(k ? ", " : "", f);
            tide_put_json(f, c->named[k], strlen(c->named[k]));
        }
        fputs("]}", f);
    }
    fputs("},\n  \"stages\": {", f);
    put_json_threads(f, r);
    fputs("},\n  ", f);
    put_json_stations(f, r);
    fprintf(f, ",\n  \"batch_series\": %" PRIu64 ",\n  \"batch_values\": %" PRIu64 ",\n", r->batch_series,
            r->batch_values);
    fprintf(f, "  \"wall_s\": %.6f,\n  \"series_per_s\": %.1f,\n  \"peak_bytes\": %" PRIu64 "\n}\n",
            r->wall_s, r->wall_s > 0.0 ? (double)r->series / r->wall_s : 0.0, r->peak_bytes);
}

char *tide_report_text(const tide_report *r) {
    return printed(r, put_text);
}

char *tide_report_json(const tide_report *r) {
    return printed(r, put_json);
}

char *tide_report_outcomes_json(const tide_report *r) {
    return printed(r, put_json_outcomes);
}

char *tide_report_forms_json(const tide_report *r) {
    return printed(r, put_json_forms);
}

char *tide_report_stages_json(const tide_report *r) {
    return printed(r, put_json_stages);
}

char *tide_report_warm_json(const tide_report *r) {
    return printed(r, put_json_warm);
}
