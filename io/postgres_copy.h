/* postgres_copy.h - the way of rows into PostgreSQL: COPY ... FROM STDIN (FORMAT binary).
 *
 * Tuples are put together in one buffer (postgres_binary.h draws the format), which is sent whenever it holds
 * 64 KiB; libpq's own buffer is emptied after each, so that memory stays bounded however slow the server is. */
#ifndef TIDE_POSTGRES_COPY_H
#define TIDE_POSTGRES_COPY_H

#include "io/postgres_binary.h"
#include "io/postgres_connect.h"

enum { TIDE_PG_COPY_BYTES = 1 << 16 };

typedef struct tide_pg_copy {
    tide_pg *pg;
    const char *doing; /* "loading rows", for messages */
    uint64_t rows;
    size_t used, room; /* of the buffer */
    unsigned char *buffer;
} tide_pg_copy;

/* Runs the COPY statement `sql`. A tuple may be up to tuple_bytes long. Free it also after a failure. */
tide_status tide_pg_copy_start(tide_pg_copy *copy, tide_pg *pg, const char *sql, size_t tuple_bytes,
                               const char *doing, tide_error *err);
/* Where the next tuple is to be written; tide_pg_copy_put takes the place after its last byte. */
static inline unsigned char *tide_pg_copy_place(tide_pg_copy *copy) {
    return copy->buffer + copy->used;
}
tide_status tide_pg_copy_send(tide_pg_copy *copy, tide_error *err);
static inline tide_status tide_pg_copy_put(tide_pg_copy *copy, const unsigned char *end, tide_error *err) {
    copy->used = (size_t)(end - copy->buffer);
    ++copy->rows;
    return copy->used >= TIDE_PG_COPY_BYTES ? tide_pg_copy_send(copy, err) : TIDE_OK;
}
/* Sends whole tuples that were put together elsewhere. */
tide_status tide_pg_copy_tuples(tide_pg_copy *copy, const void *bytes, size_t n, uint64_t rows, tide_error *err);
/* Ends the COPY; the server must count as many rows as were put. */
tide_status tide_pg_copy_end(tide_pg_copy *copy, tide_error *err);
void tide_pg_copy_free(tide_pg_copy *copy); /* safe on a zeroed one */

/* Text that PostgreSQL takes: UTF-8 without a NUL. */
int tide_pg_takes_text(const char *bytes, size_t n);

/* --- values ------------------------------------------------------------------------------------------------
 */
static inline unsigned char *tide_pg_put16(unsigned char *p, uint16_t v) {
    *p++ = (unsigned char)(v >> 8);
    *p++ = (unsigned char)v;
    return p;
}

static inline unsigned char *tide_pg_put32(unsigned char *p, uint32_t v) {
    return tide_pg_put16(tide_pg_put16(p, (uint16_t)(v >> 16)), (uint16_t)v);
}

static inline unsigned char *tide_pg_put64(unsigned char *p, uint64_t v) {
    return tide_pg_put32(tide_pg_put32(p, (uint32_t)(v >> 32)), (uint32_t)v);
}

/* Fields with their length in front. */
static inline unsigned char *tide_pg_put_null(unsigned char *p) {
    return tide_pg_put32(p, UINT32_MAX);
}

static inline unsigned char *tide_pg_put_int8(unsigned char *p, int64_t v) {
    return tide_pg_put64(tide_pg_put32(p, 8), (uint64_t)v);
}

static inline unsigned char *tide_pg_put_bytes(unsigned char *p, const void *bytes, size_t n) {
    p = tide_pg_put32(p, (uint32_t)n);
    if (n)
        memcpy(p, bytes, n);
    return p + n;
}

/* A missing value is NULL. */
static inline unsigned char *tide_pg_put_float8(unsigned char *p, double v) {
    return tide_is_nan(v) ? tide_pg_put_null(p) : tide_pg_put64(tide_pg_put32(p, 8), tide_to_bits(v));
}

/* ds as a field of the table's type; NULL when it does not fit. */
static inline unsigned char *tide_pg_put_ds(unsigned char *p, unsigned type, int64_t ds) {
    switch (type) {
    case TIDE_PG_DATE:
        if (ds < TIDE_PG_YEAR_1_DAYS || ds > INT32_MAX - 1)
            return NULL;
        return tide_pg_put32(tide_pg_put32(p, 4), (uint32_t)(int32_t)(ds - TIDE_PG_EPOCH_DAYS));
    case TIDE_PG_TIMESTAMP:
    case TIDE_PG_TIMESTAMPTZ:
        if (ds < TIDE_PG_YEAR_1_US || ds > INT64_MAX - 1)
            return NULL;
        return tide_pg_put_int8(p, ds - TIDE_PG_EPOCH_US);
    case TIDE_PG_INT2:
        if (ds != (int16_t)ds)
            return NULL;
        return tide_pg_put16(tide_pg_put32(p, 2), (uint16_t)(int16_t)ds);
    case TIDE_PG_INT4:
        if (ds != (int32_t)ds)
            return NULL;
        return tide_pg_put32(tide_pg_put32(p, 4), (uint32_t)(int32_t)ds);
    default:
        return tide_pg_put_int8(p, ds);
    }
}

#endif
