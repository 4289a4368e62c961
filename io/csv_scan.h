/* csv_scan.h - takes one CSV record apart, in place.
 *
 * The text ends with a sentinel line feed at `end`, followed by TIDE_CSV_SLACK readable bytes, so that the
 * search for the end of a field needs no bounds check and may look at 16 bytes at once. */
#ifndef TIDE_CSV_SCAN_H
#define TIDE_CSV_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { TIDE_CSV_SLACK = 32 };

typedef struct tide_csv_field {
    char *at;
    size_t length;
    int doubled; /* holds "" for each quote: tide_csv_unquote makes it what was meant */
} tide_csv_field;

typedef enum tide_csv_scan {
    TIDE_CSV_FIELD,      /* a delimiter follows at *next - 1 */
    TIDE_CSV_LAST_FIELD, /* the record ends at *next */
    TIDE_CSV_OPEN_QUOTE, /* no closing quote up to the end of the text */
    TIDE_CSV_BROKEN      /* something between closing quote and delimiter */
} tide_csv_scan;

/* First delimiter or line feed at or after p. */
static inline char *tide_csv_find(char *p, char delimiter) {
#if defined(__SSE2__)
    const __m128i d = _mm_set1_epi8(delimiter), lf = _mm_set1_epi8('\n');
    for (;; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        int mask = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, d), _mm_cmpeq_epi8(v, lf)));
        if (mask)
            return p + __builtin_ctz((unsigned)mask);
    }
#else
    while (*p != delimiter && *p != '\n')
        ++p;
    return p;
#endif
}

/* A field that starts with a quote at p. Adds the line feeds inside to *lines. */
static inline tide_csv_scan tide_csv_quoted(char *p, char *end, char delimiter, tide_csv_field *field,
                                            char **next, uint64_t *lines) {
    char *from = p + 1, *q = from;
    field->at = from;
    field->doubled = 0;
    for (;;) {
        q = q < end ? memchr(q, '"', (size_t)(end - q)) : NULL;
        if (!q)
            return TIDE_CSV_OPEN_QUOTE;
        if (q + 1 >= end || q[1] != '"')
            break;
        field->doubled = 1;
        q += 2;
    }
    field->length = (size_t)(q - from);
    for (char *lf = from; lf < q && (lf = memchr(lf, '\n', (size_t)(q - lf))) != NULL; ++lf)
        *lines += 1;
    ++q;
    if (*q == '\r' && q < end && q[1] == '\n')
        ++q;
    *next = q + 1;
    if (*q == '\n')
        return TIDE_CSV_LAST_FIELD;
    return *q == delimiter ? TIDE_CSV_FIELD : TIDE_CSV_BROKEN;
}

/* The field at p; *next becomes the start of the next field or record. */
static inline tide_csv_scan tide_csv_next_field(char *p, char *end, char delimiter, tide_csv_field *field,
                                                char **next, uint64_t *lines) {
    if (__builtin_expect(*p == '"', 0))
        return tide_csv_quoted(p, end, delimiter, field, next, lines);
    char *q = tide_csv_find(p, delimiter);
    field->at = p;
    field->length = (size_t)(q - p);
    field->doubled = 0;
    *next = q + 1;
    if (*q == delimiter)
        return TIDE_CSV_FIELD;
    if (q > p && q[-1] == '\r')
        field->length -= 1;
    return TIDE_CSV_LAST_FIELD;
}

static inline void tide_csv_unquote(tide_csv_field *field) {
    if (!field->doubled)
        return;
    size_t n = 0;
    for (size_t i = 0; i < field->length; ++i) {
        field->at[n++] = field->at[i];
        i += field->at[i] == '"';
    }
    field->length = n;
    field->doubled = 0;
}

#endif
