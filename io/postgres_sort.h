/* postgres_sort.h - sorts the records of a part (postgres_group.h) by id, time and value. */
#ifndef TIDE_POSTGRES_SORT_H
#define TIDE_POSTGRES_SORT_H

#include "io/postgres_block.h"
#include <string.h>

/* A record is a run of rows of one id that came one after the other, unaligned, native:
 *
 *   uint16 length of the key | uint8 id_odd, and time_odd << 4 | uint8 rows | key | rows times: int64 ds, double y */
enum { TIDE_PG_RECORD_HEAD = 4, TIDE_PG_RECORD_ROW = 16, TIDE_PG_RECORD_ROWS_MOST = 255 };

static inline uint32_t tide_pg_record_key_length(const unsigned char *record) {
    uint16_t length;
    memcpy(&length, record, 2);
    return length;
}

static inline size_t tide_pg_record_rows(const unsigned char *record) {
    return record[3];
}

static inline size_t tide_pg_record_bytes(const unsigned char *record) {
    return TIDE_PG_RECORD_HEAD + (size_t)tide_pg_record_key_length(record) +
           TIDE_PG_RECORD_ROW * tide_pg_record_rows(record);
}

static inline uint8_t tide_pg_record_odd(const tide_pg_row *row) {
    return (uint8_t)(row->id_odd | row->time_odd << 4);
}

/* The record's first row; the others differ in ds and y. */
static inline tide_pg_row tide_pg_record_row(const unsigned char *record) {
    return (tide_pg_row){.key = record + TIDE_PG_RECORD_HEAD,
                         .key_length = tide_pg_record_key_length(record),
                         .id_odd = record[2] & 15,
                         .time_odd = record[2] >> 4};
}

static inline void tide_pg_record_value(const unsigned char *record, const tide_pg_row *row, size_t i, int64_t *ds,
                                        double *y) {
    const unsigned char *at = record + TIDE_PG_RECORD_HEAD + row->key_length + TIDE_PG_RECORD_ROW * i;
    memcpy(ds, at, 8);
    memcpy(y, at + 8, 8);
}

/* As memcmp; of two of which one begins with the other, the shorter comes first. */
static inline int tide_pg_key_compare(const unsigned char *a, uint32_t a_length, const unsigned char *b,
                                      uint32_t b_length) {
    int c = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return c ? c : (a_length > b_length) - (a_length < b_length);
}

/* Memory for sorting, used again from part to part: a thread's own. Zeroed to begin with. */
typedef struct tide_pg_sorter {
    struct tide_pg_sorter_room {
        void *at;
        size_t size;
    } records, rows, numbers;
} tide_pg_sorter;

/* Room for the n bytes of a part's records; NULL when memory is short. */
unsigned char *tide_pg_sorter_room(tide_pg_sorter *sorter, size_t n);
/* Appends the n bytes of records that are in the sorter's room to *out, in order. */
tide_status tide_pg_sort_records(tide_pg_sorter *sorter, const tide_pg_shape *shape, size_t n_bytes, tide_pg_blocks *out,
                                 tide_error *err);
void tide_pg_sorter_free(tide_pg_sorter *sorter);

#endif
