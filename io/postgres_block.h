/* postgres_block.h - rows in columns: what a reader fills and the source hands out.
 *
 * A block holds up to TIDE_PG_BLOCK_ROWS rows and 4 MB of ids (some 0.8 MB in all where ids repeat): rows of one id that
 * follow each other share its bytes. A saved block is on disk and takes no memory but its head. */
#ifndef TIDE_POSTGRES_BLOCK_H
#define TIDE_POSTGRES_BLOCK_H

#include "io/postgres_decode.h"
#include "io/postgres_disk.h"

enum { TIDE_PG_BLOCK_ROWS = 32768, TIDE_PG_BLOCK_BYTES = 4 << 20, TIDE_PG_FAULT_TEXTS = 8 };

typedef struct tide_pg_block {
    struct tide_pg_block *next;
    size_t n, used, n_faults, n_fault_text;
    unsigned char *columns; /* ds, y, id_at, id_length, fault; NULL when saved */
    char *bytes;
    size_t bytes_size;
    unsigned char last_key[16]; /* of the last row, when ids are integers or uuids */
    int saved;
    uint64_t saved_at;
    char fault_text[TIDE_PG_FAULT_TEXTS][48];
} tide_pg_block;

tide_status tide_pg_block_make(tide_pg_block **out, tide_error *err);
void tide_pg_block_free(tide_pg_block *block); /* NULL is allowed */
/* 1 when a row more may not fit. */
int tide_pg_block_full(const tide_pg_block *block);
/* Appends a row to a block that is not full. */
tide_status tide_pg_block_add(tide_pg_block *block, const tide_pg_shape *shape, const tide_pg_row *row,
                              tide_error *err);
/* Appends a good row with the id of the row before, which is in the block and has a good id, to a block that is not full. */
void tide_pg_block_repeat(tide_pg_block *block, int64_t ds, double y);
tide_status tide_pg_block_save(tide_pg_block *block, tide_pg_disk *disk, tide_error *err);
tide_status tide_pg_block_load(tide_pg_block *block, tide_pg_disk *disk, tide_error *err);
/* Borrows the block's columns; line is the caller's. */
void tide_pg_block_rows(const tide_pg_block *block, tide_ds_kind kind, const uint64_t *line, tide_rows *out);

/* A list of blocks being filled. */
typedef struct tide_pg_blocks {
    tide_pg_block *first, *last;
    size_t n;
} tide_pg_blocks;

tide_status tide_pg_blocks_grow(tide_pg_blocks *list, tide_error *err); /* an empty block at the end */
void tide_pg_blocks_free(tide_pg_blocks *list);

#endif
