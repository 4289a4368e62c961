/* postgres_sort.h - sorts the records of a part (postgres_group.h) by id, time and value. */
#ifndef TIDE_POSTGRES_SORT_H
#define TIDE_POSTGRES_SORT_H

#include "io/postgres_block.h"
#include <string.h>

enum { TIDE_PG_RECORD_HEAD = 20 };

static inline size_t tide_pg_record_bytes(const unsigned char *record) {
    uint16_t length;
    memcpy(&length, record, 2);
    return TIDE_PG_RECORD_HEAD + (size_t)length;
}

static inline tide_pg_row tide_pg_record_row(const unsigned char *record) {
    tide_pg_row row = {.key = record + TIDE_PG_RECORD_HEAD,
                       .key_length = (uint32_t)tide_pg_record_bytes(record) - TIDE_PG_RECORD_HEAD,
                       .id_odd = record[2],
                       .time_odd = record[3]};
    memcpy(&row.ds, record + 4, 8);
    memcpy(&row.y, record + 12, 8);
    return row;
}

/* As memcmp; of two of which one begins with the other, the shorter comes first. */
static inline int tide_pg_key_compare(const unsigned char *a, uint32_t a_length, const unsigned char *b,
                                      uint32_t b_length) {
    int c = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return c ? c : (a_length > b_length) - (a_length < b_length);
}

/* Appends the n bytes of records to *out, in order. */
tide_status tide_pg_sort_records(const tide_pg_shape *shape, const unsigned char *records, size_t n_bytes,
                                 tide_pg_blocks *out, tide_error *err);

#endif
