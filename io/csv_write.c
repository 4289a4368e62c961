/* csv_write.c - rows to CSV at several million a second: one large buffer, dates from a small cache (they
 * repeat from series to series), whole numbers and numbers of two decimals without printf.
 *
 * A y that is neither is written with the fewest of 15, 16 or 17 digits that read back to the same bits. */
#include "io/csv_write.h"
#include "kernels/tide_fn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 18, ROW_BYTES = 2 * TIDE_ID_MAX_BYTES + 128, DATES = 4096, DATE_BYTES = 40 };

typedef struct date_text {
    int64_t ds;
    uint32_t length; /* 0 = free */
    char text[DATE_BYTES];
} date_text;

typedef struct csv_writer {
    int fd;
    const char *name;
    size_t used;
    date_text dates[DATES];
    char buffer[BUFFER_BYTES + ROW_BYTES];
} csv_writer;

static tide_status flush(csv_writer *w, tide_error *err) {
    for (size_t at = 0; at < w->used;) {
        ssize_t n = write(w->fd, w->buffer + at, w->used - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return tide_fail(err, TIDE_DISK, "%s: cannot write: %s", w->name, strerror(errno));
        at += (size_t)n;
    }
    w->used = 0;
    return TIDE_OK;
}

static char *put_unsigned(char *out, uint64_t u) {
    char digits[20];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + u % 10);
    while ((u /= 10) != 0);
    while (n)
        *out++ = digits[--n];
    return out;
}

static char *put_value(char *out, double v) {
    if (tide_is_nan(v))
        return out;
    int negative = v < 0;
    double a = negative ? -v : v;
    if (a < 1e13) {
        uint64_t whole = (uint64_t)a, hundredths = (uint64_t)(100 * a + 0.5);
        if ((double)whole == a) {
            if (negative)
                *out++ = '-';
            return put_unsigned(out, whole);
        }
        /* The decimal n.dd reads back as the double nearest to hundredths / 100, which is what division
         * gives. */
        if ((double)hundredths / 100 == a) {
            if (negative)
                *out++ = '-';
            out = put_unsigned(out, hundredths / 100);
            *out++ = '.';
            *out++ = (char)('0' + hundredths / 10 % 10);
            if (hundredths % 10)
                *out++ = (char)('0' + hundredths % 10);
            return out;
        }
    }
    char text[40];
    int length = 0;
    for (int digits = 15; digits <= 17; ++digits) {
        length = snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    memcpy(out, text, (size_t)length);
    return out + length;
}

static char *put_date(csv_writer *w, char *out, tide_ds_kind kind, int64_t ds) {
    date_text *d = &w->dates[(uint64_t)ds * 0x9e3779b97f4a7c15ull >> 52];
    if (!d->length || d->ds != ds) {
        d->length = (uint32_t)tide_ds_format(kind, ds, d->text, sizeof d->text);
        d->ds = ds;
    }
    memcpy(out, d->text, DATE_BYTES); /* a fixed size is two moves; the row has room */
    return out + d->length;
}

static char *put_id(char *out, const char *id, size_t length) {
    int quote = 0;
    for (size_t i = 0; i < length; ++i)
        quote |= id[i] == ',' || id[i] == '"' || id[i] == '\n' || id[i] == '\r';
    if (length && (id[0] == ' ' || id[length - 1] == ' '))
        quote = 1;
    if (!quote) {
        memcpy(out, id, length);
        return out + length;
    }
    *out++ = '"';
    for (size_t i = 0; i < length; ++i) {
        if (id[i] == '"')
            *out++ = '"';
        *out++ = id[i];
    }
    *out++ = '"';
    return out;
}

static tide_status write_rows(csv_writer *w, tide_source *in, const tide_rows *rows, tide_error *err) {
    for (size_t i = 0; i < rows->n; ++i) {
        if ((rows->fault && rows->fault[i] != TIDE_ROW_GOOD) || rows->id_length[i] > TIDE_ID_MAX_BYTES)
            return tide_fail(err, TIDE_INPUT, "%s: %s %llu cannot be used, so it cannot be written", in->name,
                             in->line_word, (unsigned long long)rows->line[i]);
        char *out = put_id(w->buffer + w->used, rows->bytes + rows->id_at[i], rows->id_length[i]);
        *out++ = ',';
        out = put_date(w, out, rows->ds_kind, rows->ds[i]);
        *out++ = ',';
        out = put_value(out, rows->y[i]);
        *out++ = '\n';
        w->used = (size_t)(out - w->buffer);
        if (w->used >= BUFFER_BYTES)
            TIDE_TRY(flush(w, err));
    }
    return TIDE_OK;
}

tide_status tide_csv_write(tide_source *in, int fd, const char *name, const char *header, uint64_t *n_rows,
                           tide_error *err) {
    if (!header)
        header = "unique_id,ds,y";
    size_t length = strlen(header);
    if (length >= BUFFER_BYTES)
        return tide_fail(err, TIDE_CONFIG, "%s: the header line is too long", name);
    csv_writer *w = malloc(sizeof *w);
    if (!w)
        return tide_fail(err, TIDE_MEMORY, "%s: out of memory", name);
    w->fd = fd;
    w->name = name;
    memset(w->dates, 0, sizeof w->dates);
    memcpy(w->buffer, header, length);
    w->buffer[length] = '\n';
    w->used = length + 1;
    uint64_t n = 0;
    tide_status status;
    for (;;) {
        tide_rows rows;
        status = in->next(in->self, &rows, err);
        if (status != TIDE_OK || rows.n == 0)
            break;
        status = write_rows(w, in, &rows, err);
        if (status != TIDE_OK)
            break;
        n += rows.n;
    }
    if (status == TIDE_OK)
        status = flush(w, err);
    free(w);
    if (status == TIDE_OK && n_rows)
        *n_rows = n;
    return status;
}

tide_status tide_simulate_write_csv(const tide_simulate_options *options, int fd, const char *name,
                                    uint64_t *n_rows, tide_error *err) {
    tide_source source;
    TIDE_TRY(tide_simulate_open(options, &source, err));
    tide_status status = tide_csv_write(&source, fd, name, NULL, n_rows, err);
    source.close(source.self);
    return status;
}
