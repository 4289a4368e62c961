/* store_index.h - builds the id index of a generation (its form: store_format.h) from the spooled ids. */
#ifndef TIDE_STORE_INDEX_H
#define TIDE_STORE_INDEX_H

#include "io/spool.h"
#include "io/store_format.h"

typedef struct tide_index_input {
    uint64_t n_series;
    int dir_fd;                          /* where a temporary may lie */
    const tide_spool *id_at, *ids, *key; /* flushed; key = XXH3-64 of each id */
} tide_index_input;

/* Writes all slots to the (empty) spool and sets index_seed, index_slots, index_row_bits and index_max_probe
 * of the header, whose index_seed is the first to be tried. Two equal ids: TIDE_INPUT naming the id. */
tide_status tide_index_build(const tide_index_input *in, tide_store_header *header, tide_spool *slots,
                             tide_error *err);

#endif
