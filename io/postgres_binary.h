/* postgres_binary.h - PostgreSQL's binary values to ds and y, without libpq.
 *
 *   COPY binary   signature "PGCOPY\n\377\r\n\0", int32 flags, int32 length of an extension; then a tuple
 * each: int16 fields (-1: end), and per field int32 length (-1: NULL) and that many bytes date          int32
 * days since 2000-01-01; 0x7fffffff = infinity, 0x80000000 = -infinity; negative far enough: BC timestamp[tz]
 * int64 microseconds since 2000-01-01 00:00 (UTC); extremes of int64 = infinities numeric       int16 n,
 * weight, sign, dscale, then n digits of base 10000: sum of digit[i] * 10000^(weight - i)
 *
 * All numbers are big-endian. A numeric becomes the double nearest to it: up to 15 decimal digits and powers
 * up to 10^22 are exact in double, so that one multiplication or division rounds once (Clinger 1990); all
 * others go through strtod, whose result is exact in glibc. A double needs at most 767 digits to decide its
 * rounding; beyond 800 the rest is replaced by one digit that says whether anything was there. */
#ifndef TIDE_POSTGRES_BINARY_H
#define TIDE_POSTGRES_BINARY_H

#include "host/grid.h"
#include "kernels/tide_fn.h"

#include <stdio.h>
#include <stdlib.h>

enum tide_pg_type {
    TIDE_PG_INT8 = 20,
    TIDE_PG_INT2 = 21,
    TIDE_PG_INT4 = 23,
    TIDE_PG_TEXT = 25,
    TIDE_PG_NAME = 19,
    TIDE_PG_FLOAT4 = 700,
    TIDE_PG_FLOAT8 = 701,
    TIDE_PG_FLOAT4_ARRAY = 1021,
    TIDE_PG_FLOAT8_ARRAY = 1022,
    TIDE_PG_BPCHAR = 1042,
    TIDE_PG_VARCHAR = 1043,
    TIDE_PG_DATE = 1082,
    TIDE_PG_TIMESTAMP = 1114,
    TIDE_PG_TIMESTAMPTZ = 1184,
    TIDE_PG_NUMERIC = 1700,
    TIDE_PG_UUID = 2950
};

/* 1970-01-01 to 2000-01-01, and to 0001-01-01, in days and microseconds. */
#define TIDE_PG_EPOCH_DAYS 10957
#define TIDE_PG_EPOCH_US (INT64_C(10957) * 86400000000)
#define TIDE_PG_YEAR_1_DAYS (-719162)
#define TIDE_PG_YEAR_1_US (INT64_C(-719162) * 86400000000)

static inline uint16_t tide_be16(const unsigned char *p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t tide_be32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t tide_be64(const unsigned char *p) {
    return (uint64_t)tide_be32(p) << 32 | tide_be32(p + 4);
}

/* int2, int4, int8 by their length; 1 on success. */
static inline int tide_pg_integer(const unsigned char *p, uint32_t length, int64_t *out) {
    switch (length) {
    case 2:
        *out = (int16_t)tide_be16(p);
        return 1;
    case 4:
        *out = (int32_t)tide_be32(p);
        return 1;
    case 8:
        *out = (int64_t)tide_be64(p);
        return 1;
    default:
        return 0;
    }
}

typedef enum tide_pg_ds {
    TIDE_PG_DS_GOOD,
    TIDE_PG_DS_MALFORMED,
    TIDE_PG_DS_INFINITE,
    TIDE_PG_DS_MINUS_INFINITE,
    TIDE_PG_DS_BC
} tide_pg_ds;

static inline tide_pg_ds tide_pg_date(const unsigned char *p, uint32_t length, int64_t *out) {
    if (length != 4)
        return TIDE_PG_DS_MALFORMED;
    int32_t v = (int32_t)tide_be32(p);
    if (v == INT32_MAX)
        return TIDE_PG_DS_INFINITE;
    if (v == INT32_MIN)
        return TIDE_PG_DS_MINUS_INFINITE;
    if ((int64_t)v + TIDE_PG_EPOCH_DAYS < TIDE_PG_YEAR_1_DAYS)
        return TIDE_PG_DS_BC;
    *out = (int64_t)v + TIDE_PG_EPOCH_DAYS;
    return TIDE_PG_DS_GOOD;
}

static inline tide_pg_ds tide_pg_timestamp(const unsigned char *p, uint32_t length, int64_t *out) {
    if (length != 8)
        return TIDE_PG_DS_MALFORMED;
    int64_t v = (int64_t)tide_be64(p);
    if (v == INT64_MAX)
        return TIDE_PG_DS_INFINITE;
    if (v == INT64_MIN)
        return TIDE_PG_DS_MINUS_INFINITE;
    if (v < TIDE_PG_YEAR_1_US - TIDE_PG_EPOCH_US)
        return TIDE_PG_DS_BC;
    if (v > INT64_MAX - TIDE_PG_EPOCH_US)
        return TIDE_PG_DS_MALFORMED;
    *out = v + TIDE_PG_EPOCH_US;
    return TIDE_PG_DS_GOOD;
}

/* 1 on success; NaN becomes TIDE_NAN. */
static inline int tide_pg_numeric(const unsigned char *p, uint32_t length, double *out) {
    enum { MOST_DIGITS = 800 };
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (length < 8)
        return 0;
    size_t n = tide_be16(p);
    int exponent = 4 * ((int16_t)tide_be16(p + 2) + 1 - (int)n); /* of the last digit */
    uint16_t sign = tide_be16(p + 4);
    if (length != 8 + 2 * n)
        return 0;
    if (sign == 0xc000)
        return *out = TIDE_NAN, 1;
    if (sign == 0xd000 || sign == 0xf000)
        return *out = sign == 0xd000 ? TIDE_INF : -TIDE_INF, 1;
    if (sign != 0 && sign != 0x4000)
        return 0;
    uint64_t small = 0;
    int fits = n <= 4;
    for (size_t i = 0; i < n; ++i) {
        uint16_t digit = tide_be16(p + 8 + 2 * i);
        if (digit > 9999)
            return 0;
        if (fits)
            small = small * 10000 + digit;
    }
    double v;
    /* A fraction ends with zeros up to its fourth place; without them more values take the short way. */
    int places = exponent;
    if (fits)
        while (small && places < 0 && small % 10 == 0)
            small /= 10, ++places;
    if (fits && small < UINT64_C(1) << 53 && places >= -22 && places <= 22) {
        v = places < 0 ? (double)small / power[-places] : (double)small * power[places];
    } else {
        char text[MOST_DIGITS + 40];
        size_t used = 0, i = 0;
        for (; i < n && used + 4 <= MOST_DIGITS; ++i) {
            unsigned digit = tide_be16(p + 8 + 2 * i);
            for (unsigned unit = 1000; unit; unit /= 10)
                text[used++] = (char)('0' + digit / unit % 10);
        }
        int dropped = 0;
        exponent += 4 * (int)(n - i);
        for (; i < n; ++i)
            dropped |= tide_be16(p + 8 + 2 * i) != 0;
        if (dropped)
            text[used++] = '1', --exponent;
        snprintf(text + used, sizeof text - used, "e%d", exponent);
        v = strtod(text, NULL);
    }
    *out = sign ? -v : v;
    return 1;
}

/* y of one of its types: 1 on success, NaN as TIDE_NAN. */
static inline int tide_pg_number(unsigned type, const unsigned char *p, uint32_t length, double *out) {
    switch (type) {
    case TIDE_PG_FLOAT8: {
        if (length != 8)
            return 0;
        double v = tide_from_bits(tide_be64(p));
        *out = tide_is_nan(v) ? TIDE_NAN : v;
        return 1;
    }
    case TIDE_PG_FLOAT4: {
        if (length != 4)
            return 0;
        uint32_t bits = tide_be32(p);
        float v;
        memcpy(&v, &bits, sizeof v);
        *out = tide_is_nan((double)v) ? TIDE_NAN : (double)v;
        return 1;
    }
    case TIDE_PG_NUMERIC:
        return tide_pg_numeric(p, length, out);
    default: {
        int64_t v;
        if (!tide_pg_integer(p, length, &v))
            return 0;
        *out = (double)v;
        return 1;
    }
    }
}

#endif
