/* postgres_decode.c - see postgres_decode.h; the values themselves are in postgres_binary.h. */
#include "io/postgres_decode.h"
#include "io/postgres_binary.h"

#include <string.h>

static int is_integer(unsigned type) {
    return type == TIDE_PG_INT2 || type == TIDE_PG_INT4 || type == TIDE_PG_INT8;
}

int tide_pg_is_text(unsigned type) {
    return type == TIDE_PG_TEXT || type == TIDE_PG_VARCHAR || type == TIDE_PG_BPCHAR || type == TIDE_PG_NAME;
}

/* --- ids ------------------------------------------------------------------------------------------------- */

static void put_be(unsigned char *out, uint64_t v, int bytes) {
    for (int i = bytes; i-- > 0; v >>= 8)
        out[i] = (unsigned char)v;
}

static void integer_key(int64_t v, unsigned char *out) {
    put_be(out, (uint64_t)v ^ UINT64_C(1) << 63, 8);
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int tide_pg_key_of_text(unsigned id_type, const char *text, unsigned char *out) {
    size_t n = strlen(text);
    if (is_integer(id_type)) {
        char *end;
        long long v = strtoll(text, &end, 10);
        if (!n || *end)
            return -1;
        integer_key(v, out);
        return 8;
    }
    if (id_type == TIDE_PG_UUID) {
        int digits = 0;
        for (; *text; ++text) {
            int v = hex_digit(*text);
            if (*text == '-')
                continue;
            if (v < 0 || digits == 32)
                return -1;
            out[digits / 2] = (unsigned char)(digits % 2 ? out[digits / 2] | v : v << 4);
            ++digits;
        }
        return digits == 32 ? 16 : -1;
    }
    while (id_type == TIDE_PG_BPCHAR && n && text[n - 1] == ' ')
        --n;
    if (n > TIDE_ID_MAX_BYTES)
        return -1;
    memcpy(out, text, n);
    return (int)n;
}

size_t tide_pg_key_text(unsigned id_type, const unsigned char *key, size_t length, char *out) {
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    if (is_integer(id_type)) {
        char digits[20];
        size_t n = 0;
        uint64_t raw = tide_be64(key) ^ UINT64_C(1) << 63;
        uint64_t u = raw >> 63 ? 0 - raw : raw;
        do
            digits[n++] = (char)('0' + u % 10);
        while ((u /= 10) != 0);
        if (raw >> 63)
            out[at++] = '-';
        while (n)
            out[at++] = digits[--n];
        return at;
    }
    if (id_type == TIDE_PG_UUID) {
        for (size_t i = 0; i < 16; ++i) {
            if (i == 4 || i == 6 || i == 8 || i == 10)
                out[at++] = '-';
            out[at++] = hex[key[i] >> 4];
            out[at++] = hex[key[i] & 15];
        }
        return at;
    }
    memcpy(out, key, length);
    return length;
}

/* 0 = malformed. */
static int take_id(tide_pg_decoder *d, tide_pg_row *row, const unsigned char *p, uint32_t length) {
    unsigned type = d->shape->id_type;
    row->id_odd = 0;
    if (is_integer(type)) {
        int64_t v;
        if (!tide_pg_integer(p, length, &v))
            return 0;
        integer_key(v, d->key);
        row->key = d->key;
        row->key_length = 8;
        return 1;
    }
    if (type == TIDE_PG_UUID && length != 16)
        return 0;
    if (type == TIDE_PG_BPCHAR)
        while (length && p[length - 1] == ' ')
            --length; /* padding, which is no part of a char(n) value */
    row->key = p;
    row->key_length = length;
    if (length == 0) {
        row->id_odd = TIDE_PG_ID_EMPTY;
    } else if (length > TIDE_ID_MAX_BYTES) {
        row->id_odd = TIDE_PG_ID_LONG;
        memcpy(d->key, p, TIDE_ID_MAX_BYTES + 1);
        put_be(d->key + TIDE_ID_MAX_BYTES + 1, length, 4);
        row->key = d->key;
        row->key_length = TIDE_PG_KEY_MAX;
    }
    return 1;
}

/* --- times ----------------------------------------------------------------------------------------------- */

static int take_ds(const tide_pg_shape *shape, tide_pg_row *row, const unsigned char *p, uint32_t length) {
    row->time_odd = 0;
    if (shape->kind == TIDE_DS_INTEGER)
        return tide_pg_integer(p, length, &row->ds);
    int is_date = shape->kind == TIDE_DS_DATE;
    switch (is_date ? tide_pg_date(p, length, &row->ds) : tide_pg_timestamp(p, length, &row->ds)) {
    case TIDE_PG_DS_GOOD:
        return 1;
    case TIDE_PG_DS_INFINITE:
        row->ds = INT64_MAX;
        row->time_odd = TIDE_PG_TIME_ABOVE;
        return 1;
    case TIDE_PG_DS_MINUS_INFINITE:
        row->ds = INT64_MIN;
        row->time_odd = TIDE_PG_TIME_BELOW;
        return 1;
    case TIDE_PG_DS_BC:
        row->ds = is_date ? (int32_t)tide_be32(p) : (int64_t)tide_be64(p);
        row->time_odd = TIDE_PG_TIME_BC;
        return 1;
    default:
        return 0;
    }
}

/* --- packed values --------------------------------------------------------------------------------------- */

typedef struct array_value {
    const unsigned char *p, *end;
    uint32_t n, dimensions;
} array_value;

/* Reads the head of an array: int32 dimensions, int32 has-nulls, oid, then int32 size and lower bound each. */
static int open_array(unsigned element, const unsigned char *p, uint32_t length, array_value *out) {
    if (length < 12 || tide_be32(p + 8) != element)
        return 0;
    uint32_t dimensions = tide_be32(p);
    *out = (array_value){p + 12, p + length, 0, 1};
    if (dimensions == 0)
        return length == 12;
    out->dimensions = dimensions;
    if (dimensions != 1)
        return 1;
    if (length < 20)
        return 0;
    out->n = tide_be32(p + 12);
    out->p += 8;
    return out->n <= (length - 20) / 4;
}

static tide_status take_packed(tide_pg_decoder *d, tide_pg_row *row, array_value values, int *well,
                               tide_error *err) {
    const tide_pg_shape *shape = d->shape;
    int end_of_month = shape->freq.unit >= TIDE_UNIT_MONTH && tide_grid_is_month_end(shape->kind, row->ds);
    tide_grid grid = tide_grid_start(shape->freq, shape->kind, row->ds, end_of_month);
    int64_t first = row->ds;
    if (!grid.valid) {
        row->time_odd = TIDE_PG_TIME_WEEKEND;
        row->y = TIDE_NAN;
        return d->taker.take(d->taker.self, row, err);
    }
    for (uint32_t i = 0; i < values.n; ++i) {
        if (values.end - values.p < 4)
            return *well = 0, TIDE_OK;
        uint32_t length = tide_be32(values.p);
        values.p += 4;
        row->y = TIDE_NAN;
        if (length != UINT32_MAX) {
            if (length > (size_t)(values.end - values.p) ||
                !tide_pg_number(shape->y_type, values.p, length, &row->y))
                return *well = 0, TIDE_OK;
            values.p += length;
        }
        row->ds = grid.step > 0 && first < INT64_MAX / 2 && grid.step < INT64_MAX / 2 / UINT32_MAX
                      ? first + (int64_t)i * grid.step
                      : tide_grid_at(&grid, i);
        if (row->ds >= shape->from && row->ds <= shape->to)
            TIDE_TRY(d->taker.take(d->taker.self, row, err));
    }
    *well = values.p == values.end;
    return TIDE_OK;
}

/* --- tuples ---------------------------------------------------------------------------------------------- */

/* The three fields of a tuple; *p is moved behind them, *well = 0 when they are malformed. */
static tide_status take_tuple(tide_pg_decoder *d, const unsigned char **at, const unsigned char *end, int *well,
                              tide_error *err) {
    const unsigned char *field[3], *p = *at;
    uint32_t length[3];
    *well = 0;
    for (int f = 0; f < 3; ++f) {
        if (end - p < 4)
            return TIDE_OK;
        length[f] = tide_be32(p);
        p += 4;
        field[f] = p;
        if (length[f] == UINT32_MAX)
            continue;
        if (length[f] > (size_t)(end - p))
            return TIDE_OK;
        p += length[f];
    }
    *at = p;
    tide_pg_row row = {.key = d->key, .y = TIDE_NAN};
    if (length[0] == UINT32_MAX)
        row.id_odd = TIDE_PG_ID_NULL;
    else if (!take_id(d, &row, field[0], length[0]))
        return TIDE_OK;
    if (length[1] == UINT32_MAX) {
        row.time_odd = TIDE_PG_TIME_NULL;
        row.ds = INT64_MAX;
    } else if (!take_ds(d->shape, &row, field[1], length[1])) {
        return TIDE_OK;
    }
    *well = 1;
    ++d->tuples;
    if (d->shape->packed && !row.time_odd) {
        array_value values;
        if (length[2] == UINT32_MAX)
            return TIDE_OK;
        *well = open_array(d->shape->y_type, field[2], length[2], &values);
        if (*well && values.dimensions != 1)
            return tide_fail(err, TIDE_INPUT, "%s: reading rows: row %llu: an array has %u dimensions, not one", d->name,
                             (unsigned long long)d->tuples, values.dimensions);
        return *well ? take_packed(d, &row, values, well, err) : TIDE_OK;
    }
    if (!d->shape->packed && length[2] != UINT32_MAX &&
        !tide_pg_number(d->shape->y_type, field[2], length[2], &row.y))
        return *well = 0, TIDE_OK;
    return d->taker.take(d->taker.self, &row, err);
}

tide_status tide_pg_decode(tide_pg_decoder *d, const unsigned char *p, size_t length, tide_error *err) {
    static const unsigned char signature[11] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0};
    const unsigned char *end = p + length;
    if (!d->header_seen) {
        if (length < 19 || memcmp(p, signature, sizeof signature) != 0 || tide_be32(p + 15) > length - 19)
            goto malformed;
        p += 19 + tide_be32(p + 15);
        d->header_seen = 1;
    }
    while (p < end) {
        int well;
        if (end - p < 2 || d->trailer_seen)
            goto malformed;
        int fields = (int16_t)tide_be16(p);
        p += 2;
        if (fields == -1) {
            d->trailer_seen = 1;
            continue;
        }
        if (fields != 3)
            goto malformed;
        TIDE_TRY(take_tuple(d, &p, end, &well, err));
        if (!well)
            goto malformed;
    }
    return TIDE_OK;
malformed:
    return tide_fail(err, TIDE_CONNECTION, "%s: reading rows: row %llu is malformed (SQLSTATE 08P01)", d->name,
                     (unsigned long long)d->tuples + 1);
}
