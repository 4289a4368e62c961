/* history.c - see history.h: which rows to read, whether they belong to the file, and the steps of a run around it.
 *
 * Identity. Two runs may share a history when their rows mean the same: lines "key=JSON text" of source (a Postgres address
 * without its password; "file" for any file or standard input, since a night's rows often come in a file of their own;
 * "simulate", "caller"), table or query, columns, from, frequency, and the policies that decide values and outcomes
 * (duplicates, bad_rows, infinite, max_length). Season, models, batch sizes and `to` are no part of it.
 *
 * Window. Rows after bound = watermark - reread. `reread` is a number of steps of the frequency, or a number and a unit
 * (35d, 6h, 2M). The bound reaches a database as the text source.from = bound + 1 (unit of ds: a day, a microsecond, 1). */
#include "io/history.h"
#include "host/regular.h"
#include "host/text.h"
#include "io/history_merge.h"
#include "io/postgres.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tide_history {
    tide_config *cfg;
    int own;
    tide_history_place place;
    tide_history_file *old; /* NULL: everything is read */
    uint64_t generation;    /* of the new one */
    int64_t bound, from_ds, to_ds;
    char *from;   /* the user's source.from, while the config's is narrowed */
    int narrowed; /* cfg->source.from is ours */
    tide_history_writer *writer;
    tide_history_scratch scratch;
    tide_history_merge *merge;
    tide_panel_source panels;
    tide_source *source;
    tide_ds_kind ds_kind;
    uint64_t watched; /* series of a full read */
    tide_report_history report;
};

/* --- identity ------------------------------------------------------------------------------------------------ */

static const char *policy_name(tide_policy policy) {
    static const char *const names[] = {"quarantine", "error", "skip", "first", "last", "sum", "mean", "sort"};
    return names[policy];
}

static void put_line(FILE *f, const char *key, const char *value) {
    fprintf(f, "%s=", key);
    tide_put_json(f, value ? value : "", value ? strlen(value) : 0);
    fputs("\n", f);
}

/* "postgresql://me@db/retail": what the rows come from, without a secret. */
static void source_name(const tide_history *h, char *out, size_t size) {
    const char *path = h->cfg->source.path;
    if (h->own || !path) {
        snprintf(out, size, "caller");
    } else if (tide_postgres_is_url(path)) {
        tide_redact_url(path, out, size);
        char *secret = strstr(out, ":***@");
        if (secret)
            memmove(secret, secret + 4, strlen(secret + 4) + 1);
    } else {
        snprintf(out, size, "%s", strncmp(path, "simulate:", 9) == 0 ? "simulate" : "file");
    }
}

/* malloc'd; NULL when memory is short. */
static char *make_identity(const tide_history *h, tide_ds_kind kind) {
    const tide_config *cfg = h->cfg;
    const char *from = h->narrowed ? h->from : cfg->source.from;
    char *text = NULL, buffer[2048], freq[24];
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    source_name(h, buffer, sizeof buffer);
    put_line(f, "source", buffer);
    put_line(f, "source.table", cfg->source.table);
    put_line(f, "source.query", cfg->source.query);
    put_line(f, "source.id_column", cfg->source.id_column ? cfg->source.id_column : "unique_id");
    put_line(f, "source.ds_column", cfg->source.ds_column ? cfg->source.ds_column : "ds");
    put_line(f, "source.y_column", cfg->source.y_column ? cfg->source.y_column : "y");
    buffer[0] = 0;
    if (from)
        tide_ds_format(kind, h->from_ds, buffer, sizeof buffer);
    put_line(f, "source.from", buffer);
    tide_freq_format(cfg->intake.freq, freq, sizeof freq);
    put_line(f, "freq", freq);
    put_line(f, "intake.duplicates", policy_name(cfg->intake.duplicates));
    put_line(f, "intake.bad_rows", policy_name(cfg->intake.bad_rows));
    put_line(f, "intake.infinite", policy_name(cfg->intake.infinite));
    snprintf(buffer, sizeof buffer, "%zu", cfg->intake.max_length);
    put_line(f, "intake.max_length", buffer);
    return tide_close_text(f, &text);
}

/* The first line of two identities that differs, as a message. */
static tide_status compare_identity(const tide_history *h, const char *theirs, size_t length, const char *ours,
                                    tide_error *err) {
    const char *end = theirs + length;
    while (*ours || theirs < end) {
        size_t n = strcspn(ours, "\n"), m = 0;
        while (theirs + m < end && theirs[m] != '\n')
            ++m;
        if (n != m || memcmp(ours, theirs, n) != 0) {
            size_t key = strcspn(ours, "="), their_key = 0;
            while (their_key < m && theirs[their_key] != '=')
                ++their_key;
            if (key != their_key || memcmp(ours, theirs, key) != 0)
                return tide_fail(err, TIDE_CONFIG, "history '%s' was written with other keys than this program has "
                                 "(--rebuild-history makes it anew)", h->place.path);
            return tide_fail(err, TIDE_CONFIG,
                             "history '%s' holds rows of another kind: %.*s is %.*s there, %.*s here (another --history, or "
                             "--rebuild-history makes it anew)",
                             h->place.path, (int)key, ours, m - key > 101 ? 100 : (int)(m - key - 1), theirs + key + 1,
                             n - key > 101 ? 100 : (int)(n - key - 1), ours + key + 1);
        }
        ours += n + (ours[n] == '\n');
        theirs += m + (theirs + m < end);
    }
    return TIDE_OK;
}

static tide_status check_identity(tide_history *h, tide_error *err) {
    const char *theirs = NULL;
    size_t length = 0;
    TIDE_TRY(tide_history_identity(h->old, &theirs, &length, err));
    char *ours = make_identity(h, (tide_ds_kind)tide_history_get_header(h->old)->ds_kind);
    if (!ours)
        return tide_fail(err, TIDE_MEMORY, "history: out of memory");
    tide_status status = compare_identity(h, theirs, length, ours, err);
    free(ours);
    return status;
}

/* --- window -------------------------------------------------------------------------------------------------- */

/* The time `reread` before the watermark. */
static tide_status find_bound(tide_history *h, tide_error *err) {
    const tide_history_header *old = tide_history_get_header(h->old);
    const char *text = h->cfg->history.reread;
    tide_ds_kind kind = (tide_ds_kind)old->ds_kind;
    tide_freq freq = {old->freq_unit, old->freq_multiple};
    char unit[32];
    int64_t n = 0;
    h->bound = old->has_watermark ? old->watermark : INT64_MIN;
    if (!text || !old->has_watermark)
        return TIDE_OK;
    char *rest = NULL;
    errno = 0;
    n = strtoll(text, &rest, 10);
    if (*text < '0' || *text > '9' || errno || n > 1000000000 || strlen(rest) > 8)
        return tide_fail(err, TIDE_CONFIG, "history.reread: '%.60s' is not a number of steps, or a number and a unit (35d)", text);
    if (*rest) {
        if (rest[1] == 0 && strchr("dwbqyDWBQY", *rest))
            snprintf(unit, sizeof unit, "%c", toupper((unsigned char)*rest));
        else
            snprintf(unit, sizeof unit, "%s", rest);
        tide_status status = tide_freq_parse(unit, &freq, err);
        if (status || freq.multiple != 1)
            return tide_fail(err, TIDE_CONFIG, "history.reread: '%.60s' has no known unit (s, min, h, d, w, M, Q, Y)", text);
        if (kind == TIDE_DS_INTEGER || (kind == TIDE_DS_DATE && freq.unit < TIDE_UNIT_DAY))
            return tide_fail(err, TIDE_CONFIG, "history.reread: '%.60s' cannot be taken from times that are %s", text,
                             kind == TIDE_DS_INTEGER ? "integers: give a number of steps" : "dates");
    }
    if (freq.unit == TIDE_UNIT_BUSINESS_DAY && kind != TIDE_DS_INTEGER) { /* a few more days do no harm */
        freq.unit = TIDE_UNIT_DAY;
        n += 2 * (n * freq.multiple / 5 + 1);
    }
    h->bound = tide_grid_add(freq, kind, old->watermark, -n, 0);
    return TIDE_OK;
}

/* Makes source.from of the config the first time of the window: for sources that then give fewer rows. Rows of a file are
 * left out by intake. */
static tide_status narrow(tide_history *h, tide_error *err) {
    tide_config *cfg = h->cfg;
    tide_ds_kind kind = (tide_ds_kind)tide_history_get_header(h->old)->ds_kind;
    char text[48];
    if (h->bound == INT64_MIN || (cfg->source.from && h->from_ds > h->bound))
        return TIDE_OK;
    if (h->bound == INT64_MAX)
        return tide_fail(err, TIDE_CONFIG, "history '%s': no time can come after its watermark", h->place.path);
    tide_ds_format(kind, h->bound + 1, text, sizeof text);
    memcpy(h->report.window, text, sizeof text);
    if (!h->own && !tide_postgres_is_url(cfg->source.path) && strncmp(cfg->source.path, "simulate:", 9) != 0)
        return TIDE_OK;
    char *copy = strdup(text);
    if (!copy)
        return tide_fail(err, TIDE_MEMORY, "history: out of memory");
    h->from = cfg->source.from;
    cfg->source.from = copy;
    h->narrowed = 1;
    return TIDE_OK;
}

static void widen(tide_history *h) {
    if (!h->narrowed)
        return;
    free(h->cfg->source.from);
    h->cfg->source.from = h->from;
    h->from = NULL;
    h->narrowed = 0;
}

/* The range that the user asked for, in the unit of the history's times. */
static tide_status read_range(tide_history *h, tide_ds_kind kind, tide_error *err) {
    h->from_ds = INT64_MIN;
    h->to_ds = INT64_MAX;
    TIDE_TRY(tide_config_bound("source.from", h->cfg->source.from, 0, kind, &h->from_ds, err));
    return tide_config_bound("source.to", h->cfg->source.to, 1, kind, &h->to_ds, err);
}

static tide_status use_old(tide_history *h, const tide_observer *observer, tide_error *err) {
    tide_config *cfg = h->cfg;
    const tide_history_header *old = tide_history_get_header(h->old);
    tide_ds_kind kind = (tide_ds_kind)old->ds_kind;
    char freq[24], note[700];
    h->generation = old->generation + 1;
    h->report.before = old->generation;
    if (!cfg->freq) { /* what the first rows of a window cannot tell */
        tide_freq_format((tide_freq){old->freq_unit, old->freq_multiple}, freq, sizeof freq);
        TIDE_TRY(tide_config_set(cfg, "freq", freq, err));
        TIDE_TRY(tide_config_check(cfg, err));
    }
    TIDE_TRY(read_range(h, kind, err));
    TIDE_TRY(check_identity(h, err));
    if (old->has_watermark)
        tide_ds_format(kind, old->watermark, h->report.watermark_before, sizeof h->report.watermark_before);
    if (old->has_watermark && h->to_ds < old->watermark)
        return tide_fail(err, TIDE_CONFIG, "source.to: '%.60s' is before %s, up to which history '%s' has read", cfg->source.to,
                         h->report.watermark_before, h->place.path);
    TIDE_TRY(find_bound(h, err));
    TIDE_TRY(narrow(h, err));
    snprintf(note, sizeof note, "history %s: generation %llu, %llu series up to %s; reading rows from %s on", h->place.path,
             (unsigned long long)old->generation, (unsigned long long)old->n_series,
             old->has_watermark ? h->report.watermark_before : "nothing", *h->report.window ? h->report.window : "the beginning");
    if (observer && observer->message)
        observer->message(observer->self, TIDE_LOG_INFO, note);
    return TIDE_OK;
}

tide_status tide_history_open(tide_config *cfg, int own, const tide_observer *observer, tide_history **out, tide_error *err) {
    TIDE_TRY(tide_config_check(cfg, err));
    if (!own && !cfg->source.path)
        return tide_fail(err, TIDE_CONFIG, "source.path: no source is given");
    tide_history *h = calloc(1, sizeof *h);
    if (!h)
        return tide_fail(err, TIDE_MEMORY, "history: out of memory");
    h->cfg = cfg;
    h->own = own;
    h->generation = 1;
    tide_error why;
    tide_status status = tide_history_place_open(cfg->history.path, &h->place, err);
    if (status) {
        free(h);
        return status;
    }
    snprintf(h->report.path, sizeof h->report.path, "%s", cfg->history.path);
    status = tide_history_map(cfg->history.path, &h->old, &why);
    if (!status && cfg->history.rebuild) {
        h->generation = tide_history_get_header(h->old)->generation + 1;
        tide_history_unmap(h->old);
        h->old = NULL;
    } else if (!status) {
        status = use_old(h, observer, err);
    } else if (status == TIDE_NOT_FOUND || (status == TIDE_STORE && cfg->history.rebuild)) {
        status = TIDE_OK;
    } else {
        status = tide_fail(err, status, "%s (--rebuild-history makes it anew)", why.message);
    }
    if (status) {
        tide_history_close(h);
        return status;
    }
    *out = h;
    return TIDE_OK;
}

/* --- the run ------------------------------------------------------------------------------------------------- */

/* A series of a full read. */
static tide_status watch_series(void *self, const tide_group *group, uint64_t fingerprint, tide_error *err) {
    tide_history *h = self;
    tide_history_series series;
    TIDE_TRY(tide_history_of_group(&h->scratch, group, h->cfg->intake.max_length, &series, err));
    series.fingerprint = fingerprint;
    series.changed = h->generation;
    ++h->watched;
    return tide_history_put(h->writer, &series, group->y, group->n, err);
}

static tide_status open_writer(tide_history *h, const char *run_id, tide_error *err) {
    char *identity = make_identity(h, h->ds_kind);
    if (!identity)
        return tide_fail(err, TIDE_MEMORY, "history: out of memory");
    const tide_history_writer_options o = {.place = &h->place,
                                           .generation = h->generation,
                                           .freq = h->cfg->intake.freq,
                                           .ds_kind = h->ds_kind,
                                           .max_length = h->cfg->intake.max_length,
                                           .identity = identity,
                                           .run_id = run_id,
                                           .source = h->source->name};
    tide_status status = tide_history_writer_open(&o, &h->writer, err);
    free(identity);
    return status;
}

tide_status tide_history_start(tide_history *h, tide_source *source, tide_ds_kind ds_kind, const char *run_id,
                               tide_panel_source **panels, tide_error *err) {
    tide_config *cfg = h->cfg;
    h->source = source;
    h->ds_kind = h->old ? (tide_ds_kind)tide_history_get_header(h->old)->ds_kind : ds_kind;
    widen(h);
    if (!h->old)
        TIDE_TRY(read_range(h, ds_kind, err));
    if (!cfg->history.read_only)
        TIDE_TRY(open_writer(h, run_id, err));
    *panels = NULL;
    if (!h->old) {
        if (cfg->history.read_only)
            return TIDE_OK;
        cfg->intake.each = watch_series;
        cfg->intake.each_self = h;
        return TIDE_OK;
    }
    cfg->intake.from_ds = h->from_ds;
    cfg->intake.to_ds = h->to_ds;
    const tide_history_merge_options o = {.old = h->old,
                                          .source = source,
                                          .writer = h->writer,
                                          .report = &h->report,
                                          .intake = cfg->intake,
                                          .by_id = !cfg->intake.gather,
                                          .bound = h->bound,
                                          .generation = h->generation};
    TIDE_TRY(tide_history_merge_open(&o, &h->merge, &h->panels, err));
    *panels = &h->panels;
    return TIDE_OK;
}

tide_ds_kind tide_history_ds_kind(const tide_history *h) {
    return h->ds_kind;
}

tide_status tide_history_prepare(void *history, tide_error *err) {
    tide_history *h = history;
    return tide_history_prepare_file(h->writer, err);
}

tide_status tide_history_finish(tide_history *h, tide_report *report, tide_error *err) {
    if (!h->writer) {
        if (h->merge)
            report->intake = *tide_history_merge_report(h->merge);
        return TIDE_OK;
    }
    const tide_history_header *new = tide_history_written(h->writer);
    TIDE_TRY(tide_history_commit(h->writer, err));
    h->report.generation = new->generation;
    h->report.bytes = new->file_bytes;
    if (new->has_watermark)
        tide_ds_format(h->ds_kind, new->watermark, h->report.watermark, sizeof h->report.watermark);
    if (h->merge) {
        report->intake = *tide_history_merge_report(h->merge);
        report->intake.values = new->n_present; /* of all series, as a full read counts them */
        report->intake.gaps = new->n_gaps;
        report->intake.missing = new->n_missing;
    } else {
        h->report.series_new = h->watched;
    }
    report->history = h->report;
    return TIDE_OK;
}

void tide_history_close(tide_history *h) {
    if (!h)
        return;
    widen(h);
    if (h->cfg->intake.each_self == h) {
        h->cfg->intake.each = NULL;
        h->cfg->intake.each_self = NULL;
    }
    tide_history_merge_close(h->merge);
    tide_history_writer_close(h->writer);
    tide_history_scratch_free(&h->scratch);
    tide_history_unmap(h->old);
    tide_history_place_close(&h->place);
    free(h);
}
