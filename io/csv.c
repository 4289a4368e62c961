/* csv.c - see csv.h.
 *
 * One buffer holds what was read and not yet parsed; a block's ids are stretches of it, not copies (a doubled
 * quote is taken out in place, once its record is known to be complete). So a block ends where the buffer
 * does, or at block_rows, and only the unfinished record at the end is moved to the front before the next
 * read. Nothing is allocated after opening.
 *
 *   buffer   [at] next record .. [n] sentinel '\n', then TIDE_CSV_SLACK bytes
 *
 * A record that reaches the sentinel is incomplete, unless the input has ended: then the sentinel is its line
 * end. */
#include "io/csv.h"
#include "host/quote.h"
#include "io/csv_input.h"
#include "io/csv_number.h"
#include "io/csv_scan.h"
#include "kernels/tide_fn.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUFFER_BYTES = 1 << 20, BUFFER_LEAST = 64, BLOCK_ROWS = 1 << 16, FAULT_TEXTS = 8 };
enum { ROLE_NONE = 0, ROLE_ID, ROLE_DS, ROLE_Y, ROLES };

typedef struct csv {
    tide_input *input;
    const char *name; /* the source's, for messages */
    char name_bytes[160];
    locale_t c_locale;
    char *buffer;
    size_t capacity, at, n;
    int ended;     /* the input has no more bytes */
    int skipping;  /* in a line that was too long: drop bytes up to its end */
    uint64_t line; /* of the next record */
    char delimiter;
    size_t n_columns;
    uint8_t *role; /* [n_columns] */
    int kind_known;
    tide_ds_kind kind;
    /* The block. */
    size_t n_rows, block_rows, n_faults;
    uint32_t *id_at, *id_length;
    int64_t *ds;
    double *y;
    uint8_t *fault;
    uint64_t *row_line;
    char fault_text[FAULT_TEXTS][48];
    int any_fault;
} csv;

static void csv_close(void *self) {
    csv *c = self;
    if (!c)
        return;
    tide_input_close(c->input);
    if (c->c_locale)
        freelocale(c->c_locale);
    free(c->buffer);
    free(c->role);
    free(c->id_at);
    free(c->id_length);
    free(c->ds);
    free(c->y);
    free(c->fault);
    free(c->row_line);
    free(c);
}

/* ---- the buffer
 * ------------------------------------------------------------------------------------------------- */

/* Moves the unfinished record to the front and reads on. */
static tide_status refill(csv *c, tide_error *err) {
    size_t rest = c->n - c->at, got = 0;
    if (c->at && rest)
        memmove(c->buffer, c->buffer + c->at, rest);
    c->at = 0;
    c->n = rest;
    size_t room = c->capacity - rest;
    TIDE_TRY(tide_input_read(c->input, c->buffer + rest, room, &got, err));
    c->n += got;
    c->ended = got < room;
    c->buffer[c->n] = '\n';
    return TIDE_OK;
}

/* The rest of a line that did not fit into the buffer. */
static void skip_line(csv *c) {
    char *from = c->buffer + c->at, *lf = memchr(from, '\n', c->n - c->at);
    c->skipping = lf == NULL && !c->ended;
    c->at = lf ? (size_t)(lf + 1 - c->buffer) : c->n;
    c->line += lf != NULL;
}

/* ---- the header
 * ------------------------------------------------------------------------------------------------- */

static size_t count_outside_quotes(const char *text, size_t length, char wanted) {
    size_t n = 0;
    int quoted = 0;
    for (size_t i = 0; i < length && (quoted || text[i] != '\n'); ++i) {
        if (text[i] == '"')
            quoted = !quoted;
        else
            n += !quoted && text[i] == wanted;
    }
    return n;
}

/* The most frequent of comma, semicolon and tab in the header; the first of these when none is there. */
static char detect_delimiter(const csv *c) {
    static const char candidates[] = ",;\t";
    char best = ',';
    size_t most = 0;
    for (int i = 0; candidates[i]; ++i) {
        size_t n = count_outside_quotes(c->buffer + c->at, c->n - c->at, candidates[i]);
        if (n > most) {
            most = n;
            best = candidates[i];
        }
    }
    return best;
}

/* "'a', 'b', 'c'": the columns found, as far as they fit. */
static void list_column(char *list, size_t size, const tide_csv_field *field) {
    char text[48];
    size_t length = strlen(list);
    tide_quote(text, sizeof text, field->at, field->length);
    if (length + strlen(text) + 8 < size)
        snprintf(list + length, size - length, "%s'%s'", length ? ", " : "", text);
    else if (length >= 3 && memcmp(list + length - 3, "...", 3) != 0 && length + 6 < size)
        memcpy(list + length, ", ...", 6);
}

static tide_status add_column(csv *c, tide_csv_field *field, const char *const names[ROLES],
                              size_t found[ROLES], tide_error *err) {
    if ((c->n_columns & (c->n_columns + 1)) == 0) { /* 0, 1, 3, 7, ...: double */
        uint8_t *role = realloc(c->role, 2 * (c->n_columns + 1));
        if (!role)
            return tide_fail(err, TIDE_MEMORY, "out of memory for the header of %s", c->name);
        c->role = role;
    }
    uint8_t role = ROLE_NONE;
    for (uint8_t r = ROLE_ID; r < ROLES; ++r) {
        if (strlen(names[r]) != field->length || memcmp(names[r], field->at, field->length) != 0)
            continue;
        if (found[r]++)
            return tide_fail(err, TIDE_INPUT, "%s: column '%s' stands twice in the header", c->name,
                             names[r]);
        role = r;
    }
    c->role[c->n_columns++] = role;
    return TIDE_OK;
}

static tide_status read_header(csv *c, const char *const names[ROLES], tide_error *err) {
    char list[400] = "";
    size_t found[ROLES] = {0};
    TIDE_TRY(refill(c, err));
    if (c->n >= 3 && memcmp(c->buffer, "\xef\xbb\xbf", 3) == 0)
        c->at = 3;
    if (c->n >= 2 && (memcmp(c->buffer, "\xff\xfe", 2) == 0 || memcmp(c->buffer, "\xfe\xff", 2) == 0))
        return tide_fail(err, TIDE_INPUT, "%s: the text is UTF-16; convert it to UTF-8", c->name);
    for (; c->at < c->n && (c->buffer[c->at] == '\n' || c->buffer[c->at] == '\r'); ++c->at)
        c->line += c->buffer[c->at] == '\n';
    if (c->at == c->n)
        return tide_fail(err, TIDE_INPUT, "%s: the file is empty", c->name);
    if (c->delimiter == 0)
        c->delimiter = detect_delimiter(c);
    char *p = c->buffer + c->at, *end = c->buffer + c->n;
    uint64_t lines = 1;
    for (tide_csv_scan scan = TIDE_CSV_FIELD; scan == TIDE_CSV_FIELD;) {
        tide_csv_field field;
        scan = tide_csv_next_field(p, end, c->delimiter, &field, &p, &lines);
        if (scan == TIDE_CSV_OPEN_QUOTE || scan == TIDE_CSV_BROKEN)
            return tide_fail(err, TIDE_INPUT, "%s line %llu: the header has a quote that nothing closes",
                             c->name, (unsigned long long)c->line);
        if (p > end && !c->ended)
            return tide_fail(err, TIDE_INPUT, "%s: the header is longer than %zu bytes", c->name,
                             c->capacity);
        tide_csv_unquote(&field);
        list_column(list, sizeof list, &field);
        TIDE_TRY(add_column(c, &field, names, found, err));
    }
    for (int r = ROLE_ID; r < ROLES; ++r) {
        if (!found[r])
            return tide_fail(err, TIDE_INPUT, "%s line %llu: there is no column '%s'; the header has %s",
                             c->name, (unsigned long long)c->line, names[r], list);
    }
    c->at = p > end ? c->n : (size_t)(p - c->buffer);
    c->line += lines;
    return TIDE_OK;
}

/* ---- rows
 * ---------------------------------------------------------------------------------------------------------
 */

static void mark_fault(csv *c, tide_row_fault fault, const char *text, size_t length) {
    c->fault[c->n_rows] = (uint8_t)fault;
    c->any_fault = 1;
    if (c->n_faults < FAULT_TEXTS)
        tide_quote(c->fault_text[c->n_faults++], sizeof c->fault_text[0], text, length);
}

/* A row that belongs to no series; `what` goes into the report. */
static void add_stray(csv *c, tide_row_fault fault, const char *what) {
    c->id_at[c->n_rows] = c->id_length[c->n_rows] = 0;
    c->ds[c->n_rows] = 0;
    c->y[c->n_rows] = TIDE_NAN;
    c->row_line[c->n_rows] = c->line;
    mark_fault(c, fault, what, strlen(what));
    c->n_rows += 1;
}

static void trim(tide_csv_field *f) {
    while (f->length && (f->at[0] == ' ' || f->at[0] == '\t'))
        ++f->at, --f->length;
    while (f->length && (f->at[f->length - 1] == ' ' || f->at[f->length - 1] == '\t'))
        --f->length;
}

static int is_missing(const char *p, size_t length) {
    switch (length) {
    case 0:
        return 1;
    case 2:
        return memcmp(p, "NA", 2) == 0;
    case 3:
        return memcmp(p, "NaN", 3) == 0 || memcmp(p, "nan", 3) == 0;
    case 4:
        return memcmp(p, "null", 4) == 0 || memcmp(p, "NULL", 4) == 0;
    default:
        return 0;
    }
}

static int read_time(csv *c, tide_csv_field *f, int64_t *ds) {
    tide_ds_kind kind;
    if (!tide_ds_parse(f->at, f->length, &kind, ds)) {
        trim(f);
        if (!tide_ds_parse(f->at, f->length, &kind, ds))
            return 0;
    }
    if (!c->kind_known) {
        c->kind_known = 1;
        c->kind = kind;
    }
    return kind == c->kind;
}

static int read_value(const csv *c, tide_csv_field *f, double *y) {
    if (tide_csv_number(f->at, f->length, c->c_locale, y))
        return 1;
    trim(f);
    if (is_missing(f->at, f->length)) {
        *y = TIDE_NAN;
        return 1;
    }
    return tide_csv_number(f->at, f->length, c->c_locale, y);
}

static void add_row(csv *c, tide_csv_field fields[ROLES]) {
    tide_csv_field *id = &fields[ROLE_ID], *ds = &fields[ROLE_DS], *y = &fields[ROLE_Y];
    size_t i = c->n_rows;
    if (id->doubled | ds->doubled | y->doubled)
        for (int r = ROLE_ID; r < ROLES; ++r)
            tide_csv_unquote(&fields[r]);
    if (id->length == 0 || id->length > TIDE_ID_MAX_BYTES) {
        add_stray(c, TIDE_ROW_BAD_ID, id->length ? "longer than 16384 bytes" : "empty");
        return;
    }
    c->id_at[i] = (uint32_t)(id->at - c->buffer);
    c->id_length[i] = (uint32_t)id->length;
    c->row_line[i] = c->line;
    c->fault[i] = TIDE_ROW_GOOD;
    if (!read_time(c, ds, &c->ds[i])) {
        c->ds[i] = 0;
        c->y[i] = TIDE_NAN;
        mark_fault(c, TIDE_ROW_BAD_DS, ds->at, ds->length);
    } else if (!read_value(c, y, &c->y[i])) {
        c->y[i] = TIDE_NAN;
        mark_fault(c, TIDE_ROW_BAD_Y, y->at, y->length);
    }
    c->n_rows += 1;
}

/* Leaves a broken record: goes on after the first line feed at or after `from` (or skips to it, when it is
 * not in the buffer), one line further. */
static void leave_broken(csv *c, char *from, const char *what) {
    char *start = c->buffer + c->at;
    add_stray(c, TIDE_ROW_BAD_SHAPE, what);
    for (char *lf = start; lf < from && (lf = memchr(lf, '\n', (size_t)(from - lf))) != NULL; ++lf)
        c->line += 1;
    c->at = (size_t)(from - c->buffer);
    c->skipping = 1;
    skip_line(c);
}

static int is_blank_line(const char *p) {
    return p[0] == '\n' || (p[0] == '\r' && p[1] == '\n');
}

/* Parses the record at `at`: a row more, or none (blank line). 0: incomplete, more bytes are needed. */
static int next_record(csv *c) {
    char *start = c->buffer + c->at, *end = c->buffer + c->n, *p = start;
    int whole_buffer = c->at == 0 && c->n == c->capacity; /* more bytes cannot be had */
    if (start >= end)
        return 0;
    if (is_blank_line(start)) {
        p += 1 + (*start == '\r');
        if (p > end && !c->ended)
            return 0; /* a CR whose LF is the sentinel */
        c->at = p > end ? c->n : (size_t)(p - c->buffer);
        c->line += 1;
        return 1;
    }
    tide_csv_field fields[ROLES];
    uint64_t lines = 1;
    size_t column = 0;
    for (tide_csv_scan scan = TIDE_CSV_FIELD; scan == TIDE_CSV_FIELD; ++column) {
        char *from = p;
        tide_csv_field *field = &fields[column < c->n_columns ? c->role[column] : ROLE_NONE];
        scan = tide_csv_next_field(p, end, c->delimiter, field, &p, &lines);
        if (scan == TIDE_CSV_OPEN_QUOTE || (scan == TIDE_CSV_BROKEN && p > end)) {
            if (!c->ended && !whole_buffer)
                return 0;
            leave_broken(c, from,
                         c->ended ? "a quote that nothing closes" : "a quoted field that is too long");
            return 1;
        }
        if (scan == TIDE_CSV_BROKEN) {
            leave_broken(c, from, "text after a closing quote");
            return 1;
        }
    }
    if (p > end && !c->ended) {
        if (!whole_buffer)
            return 0;
        leave_broken(c, end, "a line that is too long");
        return 1;
    }
    if (column == c->n_columns) {
        add_row(c, fields);
    } else {
        char what[48];
        snprintf(what, sizeof what, "%zu fields instead of %zu", column, c->n_columns);
        add_stray(c, TIDE_ROW_BAD_SHAPE, what);
    }
    c->at = p > end ? c->n : (size_t)(p - c->buffer);
    c->line += lines;
    return 1;
}

static tide_status csv_next(void *self, tide_rows *rows, tide_error *err) {
    csv *c = self;
    c->n_rows = c->n_faults = 0;
    c->any_fault = 0;
    for (;;) {
        while (c->n_rows < c->block_rows && next_record(c))
            continue;
        if (c->n_rows || c->ended)
            break;
        TIDE_TRY(refill(c, err));
        while (c->skipping) {
            skip_line(c);
            if (c->skipping)
                TIDE_TRY(refill(c, err));
        }
    }
    *rows = (tide_rows){.n = c->n_rows,
                        .ds_kind = c->kind,
                        .bytes = c->buffer,
                        .id_at = c->id_at,
                        .id_length = c->id_length,
                        .ds = c->ds,
                        .y = c->y,
                        .fault = c->any_fault ? c->fault : NULL,
                        .line = c->row_line,
                        .fault_text = (const char(*)[48])c->fault_text,
                        .n_fault_text = c->n_faults};
    return TIDE_OK;
}

static void csv_progress(void *self, uint64_t *done, uint64_t *total) {
    const csv *c = self;
    tide_input_progress(c->input, done, total);
}

/* ---- opening
 * -------------------------------------------------------------------------------------------------------- */

static tide_status allocate(csv *c, const tide_csv_options *options, tide_error *err) {
    size_t n = options->block_rows ? options->block_rows : BLOCK_ROWS;
    c->block_rows = n;
    c->capacity = options->buffer_bytes ? options->buffer_bytes : BUFFER_BYTES;
    if (c->capacity < BUFFER_LEAST || c->capacity > UINT32_MAX / 2 || n > UINT32_MAX / 2)
        return tide_fail(err, TIDE_CONFIG, "csv buffer of %zu bytes or block of %zu rows: out of range",
                         c->capacity, n);
    c->buffer = calloc(1, c->capacity + 1 + TIDE_CSV_SLACK);
    c->id_at = malloc(n * sizeof *c->id_at);
    c->id_length = malloc(n * sizeof *c->id_length);
    c->ds = malloc(n * sizeof *c->ds);
    c->y = malloc(n * sizeof *c->y);
    c->fault = malloc(n);
    c->row_line = malloc(n * sizeof *c->row_line);
    c->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c->buffer || !c->id_at || !c->id_length || !c->ds || !c->y || !c->fault || !c->row_line ||
        !c->c_locale)
        return tide_fail(err, TIDE_MEMORY, "out of memory to read %s", c->name);
    return TIDE_OK;
}

static tide_status open_csv(csv *c, const tide_csv_options *options, tide_error *err) {
    const char *names[ROLES] = {"", options->id_column ? options->id_column : "unique_id",
                                options->ds_column ? options->ds_column : "ds",
                                options->y_column ? options->y_column : "y"};
    for (int r = ROLE_ID; r < ROLES; ++r)
        for (int s = r + 1; s < ROLES; ++s)
            if (strcmp(names[r], names[s]) == 0)
                return tide_fail(err, TIDE_CONFIG, "column '%s' cannot be two of id, ds and y", names[r]);
    if (options->delimiter == '"' || options->delimiter == '\n' || options->delimiter == '\r')
        return tide_fail(err, TIDE_CONFIG, "a quote or a line end cannot be the delimiter");
    if (strcmp(options->path, "-") == 0) {
        snprintf(c->name_bytes, sizeof c->name_bytes, "csv standard input");
    } else {
        char path[150];
        snprintf(c->name_bytes, sizeof c->name_bytes, "csv %s",
                 tide_quote(path, sizeof path, options->path, strlen(options->path)));
    }
    c->name = c->name_bytes;
    c->delimiter = options->delimiter;
    c->line = 1;
    TIDE_TRY(allocate(c, options, err));
    TIDE_TRY(tide_input_open(options->path, c->name, &c->input, err));
    return read_header(c, names, err);
}

tide_status tide_csv_open(const tide_csv_options *options, tide_source *out, tide_error *err) {
    csv *c = calloc(1, sizeof *c);
    if (!c)
        return tide_fail(err, TIDE_MEMORY, "out of memory to read %s", options->path);
    tide_status status = open_csv(c, options, err);
    if (status != TIDE_OK) {
        csv_close(c);
        return status;
    }
    tide_source source = {
        .self = c, .line_word = "line", .next = csv_next, .progress = csv_progress, .close = csv_close};
    memcpy(source.name, c->name_bytes, sizeof source.name);
    *out = source;
    return TIDE_OK;
}
