/* regressors_csv.c - see regressors_csv.h.
 *
 * A wide file is read whole, some bytes a cell, and taken apart in place by csv_scan.h; its limits are those of
 * regressors.h. Rows may come in any order. Each cell must be a finite number: what is missing at a time of history or
 * future is a matter for whoever makes the file, so that an empty cell is no zero. A long file is a source of rows (csv.h). */
#include "io/regressors_csv.h"

#include "host/quote.h"
#include "io/csv.h"
#include "io/csv_input.h"
#include "io/csv_number.h"
#include "io/csv_scan.h"
#include "kernels/tide_fn.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 30, COLUMNS_MAX = TIDE_XREG_MAX + 2 };
static const int64_t day_us = INT64_C(86400000000);

typedef struct line_of {
    int64_t ds;
    size_t row;    /* of the cells */
    uint64_t line; /* of the file */
} line_of;

typedef struct wide {
    const char *name; /* for messages */
    locale_t c_locale;
    char *text, *at, *end; /* all of the file; the next record; one past the last byte, where a line feed stands */
    uint64_t line;
    char delimiter;
    tide_csv_field column[COLUMNS_MAX];
    size_t n_columns, ds_column;
    tide_ds_kind kind;
    line_of *lines; /* [n_rows], growing */
    double *cells;  /* (n_rows, n_columns - 1) */
    size_t n_rows, room;
} wide;

static tide_status read_all(wide *w, const char *path, tide_error *err) {
    tide_input *in = NULL;
    size_t size = 1 << 16, n = 0, got = 0;
    TIDE_TRY(tide_input_open(path, w->name, &in, err));
    tide_status status = TIDE_OK;
    for (int more = 1; more && !status;) {
        char *grown = realloc(w->text, size + TIDE_CSV_SLACK + 1);
        if (!grown) {
            status = tide_fail(err, TIDE_MEMORY, "%s: no memory for it", w->name);
            break;
        }
        w->text = grown;
        status = tide_input_read(in, w->text + n, size - n, &got, err);
        n += status ? 0 : got;
        more = n == size;
        size *= 2;
        if (!status && more && size > FILE_BYTES_MAX)
            status = tide_fail(err, TIDE_INPUT, "%s: more than %d bytes", w->name, FILE_BYTES_MAX / 2);
    }
    tide_input_close(in);
    if (status)
        return status;
    memset(w->text + n, 0, TIDE_CSV_SLACK + 1);
    w->text[n] = '\n';
    w->at = w->text;
    w->end = w->text + n;
    w->line = 1;
    if (n >= 3 && memcmp(w->at, "\xef\xbb\xbf", 3) == 0)
        w->at += 3;
    return TIDE_OK;
}

static void skip_blank_lines(wide *w) {
    for (; w->at < w->end && (*w->at == '\n' || *w->at == '\r'); ++w->at)
        w->line += *w->at == '\n';
}

static void trim(tide_csv_field *f) {
    tide_csv_unquote(f);
    while (f->length && (*f->at == ' ' || *f->at == '\t'))
        ++f->at, --f->length;
    while (f->length && (f->at[f->length - 1] == ' ' || f->at[f->length - 1] == '\t'))
        --f->length;
}

/* The fields of the next record, trimmed, into field[0 .. most), and their number. */
static tide_status next_record(wide *w, tide_csv_field *field, size_t most, size_t *n, tide_error *err) {
    char *p = w->at;
    uint64_t lines = 1;
    *n = 0;
    for (tide_csv_scan scan = TIDE_CSV_FIELD; scan == TIDE_CSV_FIELD;) {
        tide_csv_field f;
        scan = tide_csv_next_field(p, w->end, w->delimiter, &f, &p, &lines);
        if (scan == TIDE_CSV_OPEN_QUOTE || scan == TIDE_CSV_BROKEN)
            return tide_fail(err, TIDE_INPUT, "%s line %llu: a quote that nothing closes", w->name,
                             (unsigned long long)w->line);
        trim(&f);
        if (*n < most)
            field[*n] = f;
        ++*n;
    }
    w->at = p > w->end ? w->end : p;
    w->line += lines;
    return TIDE_OK;
}

static int is_named(const tide_csv_field *f, const char *name) {
    return strlen(name) == f->length && memcmp(f->at, name, f->length) == 0;
}

static char delimiter_of(const wide *w) {
    static const char candidates[] = ",;\t";
    char best = ',';
    size_t most = 0;
    for (const char *c = candidates; *c; ++c) {
        size_t n = 0;
        for (const char *p = w->at; p < w->end && *p != '\n'; ++p)
            n += *p == *c;
        best = n > most ? *c : best;
        most = n > most ? n : most;
    }
    return best;
}

/* *is_long: the header has a column of ids. */
static tide_status read_header(wide *w, const tide_config *cfg, int *is_long, tide_error *err) {
    const char *ds = cfg->source.ds_column ? cfg->source.ds_column : "ds";
    const char *id = cfg->source.id_column ? cfg->source.id_column : "unique_id";
    int found = 0, found_id = 0;
    char text[80];
    skip_blank_lines(w);
    if (w->at == w->end)
        return tide_fail(err, TIDE_INPUT, "%s: the file is empty", w->name);
    w->delimiter = cfg->source.delimiter ? cfg->source.delimiter : delimiter_of(w);
    TIDE_TRY(next_record(w, w->column, COLUMNS_MAX, &w->n_columns, err));
    size_t n = w->n_columns < COLUMNS_MAX ? w->n_columns : COLUMNS_MAX;
    for (size_t i = 0; i < n; ++i) {
        const tide_csv_field *f = &w->column[i];
        if (is_named(f, ds)) {
            w->ds_column = i;
            ++found;
        }
        found_id |= is_named(f, id);
    }
    *is_long = found_id;
    if (found_id)
        return TIDE_OK;
    for (size_t i = 0; i < n; ++i) {
        const tide_csv_field *f = &w->column[i];
        if (f->length == 0 || f->length > TIDE_REGRESSOR_NAME || memchr(f->at, 0, f->length))
            return tide_fail(err, TIDE_INPUT, "%s: column %zu has no name of 1 to %d bytes", w->name, i + 1,
                             (int)TIDE_REGRESSOR_NAME);
        for (size_t j = 0; j < i; ++j)
            if (w->column[j].length == f->length && memcmp(w->column[j].at, f->at, f->length) == 0)
                return tide_fail(err, TIDE_INPUT, "%s: column '%s' stands twice in the header", w->name,
                                 tide_quote(text, sizeof text, f->at, f->length));
    }
    if (!found)
        return tide_fail(err, TIDE_INPUT, "%s: there is no column '%s' for the times of the regressors", w->name, ds);
    if (w->n_columns > TIDE_XREG_MAX + 1)
        return tide_fail(err, TIDE_INPUT, "%s: %zu regressors, at most %d are possible", w->name, w->n_columns - 1,
                         (int)TIDE_XREG_MAX);
    return n > 1 ? TIDE_OK : tide_fail(err, TIDE_INPUT, "%s: no column beside '%s'", w->name, ds);
}

/* Room for a row more. */
static tide_status grow(wide *w, tide_error *err) {
    size_t k = w->n_columns - 1;
    if (w->n_rows < w->room)
        return TIDE_OK;
    size_t room = w->room ? 2 * w->room : 256;
    line_of *lines = realloc(w->lines, room * sizeof *lines);
    w->lines = lines ? lines : w->lines;
    double *cells = lines ? realloc(w->cells, room * k * sizeof *cells) : NULL;
    w->cells = cells ? cells : w->cells;
    if (!cells)
        return tide_fail(err, TIDE_MEMORY, "%s: no memory for it", w->name);
    w->room = room;
    return TIDE_OK;
}

static tide_status read_row(wide *w, tide_error *err) {
    tide_csv_field field[COLUMNS_MAX];
    unsigned long long line = w->line;
    size_t n;
    char text[80], column[80];
    tide_ds_kind kind;
    TIDE_TRY(grow(w, err));
    TIDE_TRY(next_record(w, field, COLUMNS_MAX, &n, err));
    if (n != w->n_columns)
        return tide_fail(err, TIDE_INPUT, "%s line %llu: %zu fields, the header has %zu", w->name, line, n, w->n_columns);
    const tide_csv_field *ds = &field[w->ds_column];
    line_of *to = &w->lines[w->n_rows];
    if (!tide_ds_parse(ds->at, ds->length, &kind, &to->ds))
        return tide_fail(err, TIDE_INPUT, "%s line %llu: '%s' is not an integer, a date or a timestamp", w->name, line,
                         tide_quote(text, sizeof text, ds->at, ds->length));
    if (w->n_rows && kind != w->kind)
        return tide_fail(err, TIDE_INPUT, "%s line %llu: '%s' is a time of another kind than those before it", w->name, line,
                         tide_quote(text, sizeof text, ds->at, ds->length));
    w->kind = kind;
    to->line = line;
    to->row = w->n_rows;
    double *cell = w->cells + w->n_rows * (n - 1);
    for (size_t i = 0; i < n; ++i) {
        if (i == w->ds_column)
            continue;
        if (!tide_csv_number(field[i].at, field[i].length, w->c_locale, cell) || !tide_is_finite(*cell))
            return tide_fail(err, TIDE_INPUT, "%s line %llu, column '%s': '%s' is not a finite number", w->name, line,
                             tide_quote(column, sizeof column, w->column[i].at, w->column[i].length),
                             tide_quote(text, sizeof text, field[i].at, field[i].length));
        ++cell;
    }
    ++w->n_rows;
    return TIDE_OK;
}

static int by_time(const void *a, const void *b) {
    const line_of *x = (const line_of *)a, *y = (const line_of *)b;
    return x->ds != y->ds ? (x->ds < y->ds ? -1 : 1) : x->line < y->line ? -1 : x->line > y->line;
}

/* A time of the file as one of the series' kind; 0 when it cannot be. */
static int as_kind(tide_ds_kind from, tide_ds_kind to, int64_t *ds) {
    if (from == TIDE_DS_DATE && to == TIDE_DS_TIMESTAMP)
        return !__builtin_mul_overflow(*ds, day_us, ds);
    return from == to;
}

static const char *kind_text(tide_ds_kind kind) {
    return kind == TIDE_DS_INTEGER ? "integers" : kind == TIDE_DS_DATE ? "dates" : "timestamps";
}

/* The rows in order of time, on one grid. */
static tide_status lay_out(wide *w, tide_freq freq, tide_ds_kind kind, tide_regressors *out, tide_error *err) {
    const size_t k = w->n_columns - 1;
    char text[40], first[40];
    int64_t steps = 0;
    for (size_t i = 0; i < w->n_rows; ++i)
        if (!as_kind(w->kind, kind, &w->lines[i].ds))
            return tide_fail(err, TIDE_INPUT, "%s: its times are %s, those of the series are %s", w->name,
                             kind_text(w->kind), kind_text(kind));
    qsort(w->lines, w->n_rows, sizeof *w->lines, by_time);
    const int months = freq.unit == TIDE_UNIT_MONTH || freq.unit == TIDE_UNIT_QUARTER || freq.unit == TIDE_UNIT_YEAR;
    *out = (tide_regressors){.n = k, .first_ds = w->lines[0].ds, .kind = kind, .freq = freq, .end_of_month = months};
    for (size_t i = 0; i < w->n_rows; ++i)
        out->end_of_month &= tide_grid_is_month_end(kind, w->lines[i].ds);
    tide_ds_format(kind, out->first_ds, first, sizeof first);
    for (size_t i = 0; i < w->n_rows; ++i) {
        tide_ds_format(kind, w->lines[i].ds, text, sizeof text);
        if (i && w->lines[i].ds == w->lines[i - 1].ds)
            return tide_fail(err, TIDE_INPUT, "%s: lines %llu and %llu are both of %s", w->name,
                             (unsigned long long)w->lines[i - 1].line, (unsigned long long)w->lines[i].line, text);
        if (!tide_grid_steps(freq, kind, out->first_ds, w->lines[i].ds, out->end_of_month, &steps) || steps < 0)
            return tide_fail(err, TIDE_INPUT, "%s line %llu: %s is off the grid that begins at %s", w->name,
                             (unsigned long long)w->lines[i].line, text, first);
        if (steps >= TIDE_REGRESSOR_ROWS_MAX || (size_t)(steps + 1) * k > TIDE_REGRESSOR_CELLS_MAX)
            return tide_fail(err, TIDE_INPUT, "%s line %llu: %s is too far from %s: at most %d values are possible", w->name,
                             (unsigned long long)w->lines[i].line, text, first, (int)TIDE_REGRESSOR_CELLS_MAX);
    }
    size_t names = 0;
    for (size_t i = 0; i < w->n_columns; ++i)
        names += w->column[i].length + 1;
    out->rows = (size_t)steps + 1;
    out->x = calloc(out->rows * k, sizeof *out->x);
    out->present = calloc(out->rows, 1);
    out->names = calloc(names, 1);
    if (!out->x || !out->present || !out->names)
        return tide_fail(err, TIDE_MEMORY, "%s: no memory for %zu steps", w->name, out->rows);
    for (size_t i = 0; i < w->n_rows; ++i) {
        tide_grid_steps(freq, kind, out->first_ds, w->lines[i].ds, out->end_of_month, &steps);
        memcpy(out->x + (size_t)steps * k, w->cells + w->lines[i].row * k, k * sizeof *out->x);
        out->present[steps] = 1;
    }
    char *name = out->names;
    for (size_t i = 0; i < w->n_columns; ++i)
        if (i != w->ds_column) {
            memcpy(name, w->column[i].at, w->column[i].length);
            name += w->column[i].length + 1;
        }
    return TIDE_OK;
}

static tide_status read_wide(wide *w, tide_freq freq, tide_ds_kind kind, tide_regressors *out, tide_error *err) {
    tide_regressors r = {.n = 0};
    for (skip_blank_lines(w); w->at < w->end; skip_blank_lines(w))
        TIDE_TRY(read_row(w, err));
    if (!w->n_rows)
        return tide_fail(err, TIDE_INPUT, "%s: no row", w->name);
    tide_status status = lay_out(w, freq, kind, &r, err);
    if (status)
        tide_regressors_free(&r);
    else
        *out = r;
    return status;
}

static tide_status read_long(const tide_config *cfg, const char *path, tide_freq freq, tide_ds_kind kind,
                             tide_regressors *out, tide_error *err) {
    const tide_csv_options o = {.path = path,
                                .id_column = cfg->source.id_column,
                                .ds_column = cfg->source.ds_column,
                                .y_column = cfg->source.y_column,
                                .delimiter = cfg->source.delimiter};
    const tide_intake_options intake = {.freq = freq,
                                        .duplicates = TIDE_POLICY_ERROR,
                                        .bad_rows = TIDE_POLICY_ERROR,
                                        .infinite = TIDE_POLICY_ERROR,
                                        .out_of_order = TIDE_POLICY_SORT,
                                        .gather = 1,
                                        .max_length = TIDE_REGRESSOR_ROWS_MAX};
    tide_source source;
    tide_regressors r;
    TIDE_TRY(tide_csv_open(&o, &source, err));
    tide_status status = tide_regressors_read(&source, &intake, &r, err);
    source.close(source.self);
    TIDE_TRY(status);
    if (!as_kind(r.kind, kind, &r.first_ds)) {
        status = tide_fail(err, TIDE_INPUT, "regressors %s: its times are %s, those of the series are %s", path,
                           kind_text(r.kind), kind_text(kind));
        tide_regressors_free(&r);
        return status;
    }
    r.kind = kind;
    *out = r;
    return TIDE_OK;
}

static tide_status read_file(const tide_config *cfg, tide_freq freq, tide_ds_kind kind, tide_regressors *out,
                             tide_error *err) {
    const char *path = cfg->arima.regressors;
    char name[300], shown[240];
    int is_long = 0;
    if (strcmp(path, "-") == 0)
        return tide_fail(err, TIDE_CONFIG, "arima.regressors: must be a file, not standard input");
    snprintf(name, sizeof name, "regressors %s", tide_quote(shown, sizeof shown, path, strlen(path)));
    wide w = {.name = name, .c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    tide_status status = w.c_locale ? read_all(&w, path, err) : tide_fail(err, TIDE_MEMORY, "out of memory");
    if (!status)
        status = read_header(&w, cfg, &is_long, err);
    if (!status)
        status = is_long ? read_long(cfg, path, freq, kind, out, err) : read_wide(&w, freq, kind, out, err);
    if (w.c_locale)
        freelocale(w.c_locale);
    free(w.text);
    free(w.lines);
    free(w.cells);
    return status;
}

static void tell(void *self, const char *line) {
    const tide_observer *o = (const tide_observer *)self;
    if (o && o->message)
        o->message(o->self, TIDE_LOG_WARNING, line);
}

tide_status tide_regressors_open(const tide_config *cfg, tide_freq freq, tide_ds_kind kind, const tide_observer *observer,
                                 tide_regressors *out, tide_error *err) {
    tide_regressors r;
    TIDE_TRY(read_file(cfg, freq, kind, &r, err));
    tide_observer *self = (tide_observer *)(uintptr_t)observer;
    tide_status status = tide_regressors_settle(&r, tell, self, err);
    if (status) {
        tide_regressors_free(&r);
        return tide_error_prefix(err, status, "regressors %.200s", cfg->arima.regressors);
    }
    *out = r;
    return TIDE_OK;
}

tide_status tide_xreg_feed_open(tide_config *cfg, tide_ds_kind kind, const tide_backend *backend,
                                const tide_observer *observer, tide_xreg_feed *out, tide_error *err) {
    char why[120], line[200];
    if (!cfg->arima.regressors)
        return TIDE_OK;
    if (!(cfg->fit.families >> TIDE_FAMILY_ARIMA & 1u))
        return tide_fail(err, TIDE_CONFIG, "arima.regressors: only ARIMA takes regressors (--models arima)");
    tide_observer *self = (tide_observer *)(uintptr_t)observer;
    TIDE_TRY(tide_regressors_open(cfg, cfg->intake.freq, kind, observer, &out->regressors, err));
    if (cfg->fit.families & ~(1u << TIDE_FAMILY_ARIMA))
        tell(self, "regressors: ARIMA takes them, the other families go without");
    tide_backend_linalg(backend, &out->linalg, why, sizeof why);
    if (*why) {
        snprintf(line, sizeof line, "regressors: no cuBLAS (%.120s): the CPU multiplies", why);
        tell(self, line);
    }
    out->on = 1;
    cfg->arima.spec.xreg = cfg->fit.arima.xreg = (int32_t)out->regressors.n;
    return TIDE_OK;
}

void tide_xreg_feed_close(tide_xreg_feed *feed) {
    tide_regressors_free(&feed->regressors);
    if (feed->linalg.close)
        feed->linalg.close(feed->linalg.self);
    memset(feed, 0, sizeof *feed);
}

/* Column of `r` with this name, or -1. */
static int find_column(const tide_regressors *r, const char *name) {
    const tide_xreg_table t = tide_regressors_table(r);
    for (int i = 0; i < t.n; ++i)
        if (strcmp(tide_xreg_name(&t, i), name) == 0)
            return i;
    return -1;
}

/* `stored` with the values of `given` over it; from[c]: column of `given` for column c. */
static tide_status merge(const tide_xreg_table *stored, const tide_regressors *given, const int *from, tide_regressors *out,
                         tide_error *err) {
    const size_t k = (size_t)stored->n;
    int64_t shift = 0; /* of given against stored, in steps */
    if (!tide_grid_steps(given->freq, given->kind, stored->first_ds, given->first_ds, stored->end_of_month, &shift)) {
        char text[40];
        tide_ds_format(given->kind, given->first_ds, text, sizeof text);
        return tide_fail(err, TIDE_INPUT, "%s is off the grid of the store's regressors", text);
    }
    int64_t before = shift < 0 ? -shift : 0, end = stored->rows > shift + (int64_t)given->rows
                                                       ? stored->rows
                                                       : shift + (int64_t)given->rows;
    if (before > TIDE_REGRESSOR_ROWS_MAX || end > TIDE_REGRESSOR_ROWS_MAX ||
        (size_t)(before + end) * k > TIDE_REGRESSOR_CELLS_MAX)
        return tide_fail(err, TIDE_INPUT, "too far from the store's regressors");
    tide_regressors r = {.n = k,
                         .rows = (size_t)(before + end),
                         .first_ds = before ? given->first_ds : stored->first_ds,
                         .kind = given->kind,
                         .freq = given->freq,
                         .end_of_month = stored->end_of_month};
    size_t names = (size_t)(tide_xreg_name(stored, (int)k - 1) - stored->names) + strlen(tide_xreg_name(stored, (int)k - 1)) + 1;
    r.x = calloc(r.rows * k, sizeof *r.x);
    r.present = calloc(r.rows, 1);
    r.names = malloc(names);
    if (!r.x || !r.present || !r.names) {
        tide_regressors_free(&r);
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    }
    memcpy(r.names, stored->names, names);
    memcpy(r.x + (size_t)before * k, stored->x, (size_t)stored->rows * k * sizeof *r.x);
    for (int64_t t = 0; t < stored->rows; ++t)
        r.present[before + t] = !stored->present || stored->present[t];
    for (size_t t = 0; t < given->rows; ++t) {
        size_t to = (size_t)(before + shift) + t;
        if (given->present && !given->present[t])
            continue;
        r.present[to] = 1;
        for (size_t c = 0; c < k; ++c)
            r.x[to * k + c] = given->x[t * given->n + (size_t)from[c]];
    }
    *out = r;
    return TIDE_OK;
}

tide_status tide_regressors_over(const tide_config *cfg, const tide_xreg_table *stored, tide_freq freq, tide_ds_kind kind,
                                 tide_regressors *out, tide_error *err) {
    tide_regressors given;
    int from[TIDE_XREG_MAX];
    if (!stored->n)
        return tide_fail(err, TIDE_INPUT, "regressors %.200s: the models of the store have none", cfg->arima.regressors);
    TIDE_TRY(read_file(cfg, freq, kind, &given, err));
    tide_status status = TIDE_OK;
    for (int c = 0; c < stored->n && !status; ++c) {
        from[c] = find_column(&given, tide_xreg_name(stored, c));
        if (from[c] < 0)
            status = tide_fail(err, TIDE_INPUT, "it lacks '%s', which the store's models have", tide_xreg_name(stored, c));
    }
    if (!status)
        status = merge(stored, &given, from, out, err);
    tide_regressors_free(&given);
    return status ? tide_error_prefix(err, status, "regressors %.200s", cfg->arima.regressors) : TIDE_OK;
}
