/* postgres_block.c - see postgres_block.h.
 *
 *   columns   ds[ROWS] int64 | y[ROWS] double | id_at[ROWS] uint32 | id_length[ROWS] uint32 | fault[ROWS] uint8 */
#include "io/postgres_block.h"
#include "io/postgres_binary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = TIDE_PG_BLOCK_ROWS, COLUMN_BYTES = 25, FIRST_BYTES = 16384 };

static int64_t *ds_of(const tide_pg_block *b) {
    return (int64_t *)(void *)b->columns;
}
static double *y_of(const tide_pg_block *b) {
    return (double *)(void *)(b->columns + 8 * (size_t)ROWS);
}
static uint32_t *id_at_of(const tide_pg_block *b) {
    return (uint32_t *)(void *)(b->columns + 16 * (size_t)ROWS);
}
static uint32_t *id_length_of(const tide_pg_block *b) {
    return (uint32_t *)(void *)(b->columns + 20 * (size_t)ROWS);
}
static uint8_t *fault_of(const tide_pg_block *b) {
    return b->columns + 24 * (size_t)ROWS;
}

static tide_status no_memory(tide_error *err) {
    return tide_fail(err, TIDE_MEMORY, "postgres: out of memory");
}

tide_status tide_pg_block_make(tide_pg_block **out, tide_error *err) {
    tide_pg_block *b = calloc(1, sizeof *b);
    if (b) {
        b->columns = malloc(COLUMN_BYTES * (size_t)ROWS);
        b->bytes = malloc(FIRST_BYTES);
        b->bytes_size = FIRST_BYTES;
    }
    if (!b || !b->columns || !b->bytes) {
        tide_pg_block_free(b);
        return no_memory(err);
    }
    *out = b;
    return TIDE_OK;
}

void tide_pg_block_free(tide_pg_block *b) {
    if (!b)
        return;
    free(b->columns);
    free(b->bytes);
    free(b);
}

int tide_pg_block_full(const tide_pg_block *b) {
    return b->n == ROWS || b->used >= TIDE_PG_BLOCK_BYTES;
}

static void note_fault(tide_pg_block *b, size_t i, tide_row_fault fault, const char *text) {
    fault_of(b)[i] = (uint8_t)fault;
    ++b->n_faults;
    if (b->n_fault_text < TIDE_PG_FAULT_TEXTS)
        snprintf(b->fault_text[b->n_fault_text++], sizeof b->fault_text[0], "%s", text);
}

static void note_odd(tide_pg_block *b, size_t i, const tide_pg_row *row) {
    static const char *const time_word[] = {"", "-infinity", "a time BC", "first time at a weekend", "infinity", "NULL"};
    char text[48];
    if (row->id_odd == TIDE_PG_ID_LONG) {
        snprintf(text, sizeof text, "id of %u bytes", tide_be32(row->key + TIDE_ID_MAX_BYTES + 1));
        note_fault(b, i, TIDE_ROW_BAD_ID, text);
    } else if (row->id_odd) {
        note_fault(b, i, TIDE_ROW_BAD_ID, row->id_odd == TIDE_PG_ID_NULL ? "id is NULL" : "empty id");
    } else {
        note_fault(b, i, TIDE_ROW_BAD_DS, time_word[row->time_odd]);
    }
}

/* Whether the row before has the same id. */
static int repeats(const tide_pg_block *b, const tide_pg_shape *shape, const tide_pg_row *row) {
    uint32_t length = b->n ? id_length_of(b)[b->n - 1] : 0;
    if (!length)
        return 0;
    if (!tide_pg_is_text(shape->id_type))
        return memcmp(b->last_key, row->key, row->key_length) == 0;
    return length == row->key_length && memcmp(b->bytes + id_at_of(b)[b->n - 1], row->key, length) == 0;
}

tide_status tide_pg_block_add(tide_pg_block *b, const tide_pg_shape *shape, const tide_pg_row *row,
                              tide_error *err) {
    size_t i = b->n;
    ds_of(b)[i] = row->time_odd ? 0 : row->ds;
    y_of(b)[i] = row->y;
    fault_of(b)[i] = TIDE_ROW_GOOD;
    if (row->id_odd) {
        id_at_of(b)[i] = (uint32_t)b->used;
        id_length_of(b)[i] = 0;
    } else if (repeats(b, shape, row)) {
        id_at_of(b)[i] = id_at_of(b)[i - 1];
        id_length_of(b)[i] = id_length_of(b)[i - 1];
    } else {
        size_t need = b->used + (row->key_length > 40 ? row->key_length : 40);
        if (need > b->bytes_size) {
            char *more = realloc(b->bytes, 2 * need);
            if (!more)
                return no_memory(err);
            b->bytes = more;
            b->bytes_size = 2 * need;
        }
        id_at_of(b)[i] = (uint32_t)b->used;
        id_length_of(b)[i] =
            (uint32_t)tide_pg_key_text(shape->id_type, row->key, row->key_length, b->bytes + b->used);
        b->used += id_length_of(b)[i];
        if (!tide_pg_is_text(shape->id_type))
            memcpy(b->last_key, row->key, row->key_length);
    }
    if (row->id_odd || row->time_odd)
        note_odd(b, i, row);
    ++b->n;
    return TIDE_OK;
}

void tide_pg_block_repeat(tide_pg_block *b, int64_t ds, double y) {
    size_t i = b->n++;
    ds_of(b)[i] = ds;
    y_of(b)[i] = y;
    fault_of(b)[i] = TIDE_ROW_GOOD;
    id_at_of(b)[i] = id_at_of(b)[i - 1];
    id_length_of(b)[i] = id_length_of(b)[i - 1];
}

tide_status tide_pg_block_save(tide_pg_block *b, tide_pg_disk *disk, tide_error *err) {
    size_t n = COLUMN_BYTES * (size_t)ROWS;
    char *more = realloc(b->bytes, b->used + n);
    if (!more)
        return no_memory(err);
    b->bytes = more;
    memcpy(b->bytes + b->used, b->columns, n); /* one piece on disk */
    TIDE_TRY(tide_pg_disk_write(disk, b->bytes, b->used + n, &b->saved_at, err));
    free(b->bytes);
    free(b->columns);
    b->bytes = NULL;
    b->columns = NULL;
    b->saved = 1;
    return TIDE_OK;
}

tide_status tide_pg_block_load(tide_pg_block *b, tide_pg_disk *disk, tide_error *err) {
    size_t n = COLUMN_BYTES * (size_t)ROWS;
    if (!b->saved)
        return TIDE_OK;
    b->columns = malloc(n);
    b->bytes = malloc(b->used + 1);
    if (!b->columns || !b->bytes)
        return no_memory(err);
    TIDE_TRY(tide_pg_disk_read(disk, b->saved_at, b->bytes, b->used, err));
    TIDE_TRY(tide_pg_disk_read(disk, b->saved_at + b->used, b->columns, n, err));
    tide_pg_disk_forget(disk, b->saved_at, b->used + n);
    b->saved = 0;
    return TIDE_OK;
}

void tide_pg_block_rows(const tide_pg_block *b, tide_ds_kind kind, const uint64_t *line, tide_rows *out) {
    *out = (tide_rows){.n = b->n,
                       .ds_kind = kind,
                       .bytes = b->bytes,
                       .id_at = id_at_of(b),
                       .id_length = id_length_of(b),
                       .ds = ds_of(b),
                       .y = y_of(b),
                       .fault = b->n_faults ? fault_of(b) : NULL,
                       .line = line,
                       .fault_text = (const char(*)[48])b->fault_text,
                       .n_fault_text = b->n_fault_text};
}

tide_status tide_pg_blocks_grow(tide_pg_blocks *list, tide_error *err) {
    tide_pg_block *b = NULL;
    TIDE_TRY(tide_pg_block_make(&b, err));
    if (list->last)
        list->last->next = b;
    else
        list->first = b;
    list->last = b;
    ++list->n;
    return TIDE_OK;
}

void tide_pg_blocks_free(tide_pg_blocks *list) {
    for (tide_pg_block *b = list->first, *next; b; b = next) {
        next = b->next;
        tide_pg_block_free(b);
    }
    *list = (tide_pg_blocks){NULL, NULL, 0};
}
