/* ordered.h - bytes made by several threads and used by one, in order.
 *
 * Items 0 .. items-1 are cut into chunks. Workers of a pool make the bytes of chunks, a set of them at a time; one
 * more thread uses a finished set, chunk by chunk in order, while the next set is made. Two sets bound the memory.
 * The bytes do not depend on the number of workers. */
#ifndef TIDE_ORDERED_H
#define TIDE_ORDERED_H

#include "host/error.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TIDE_CHUNK_NOTES = 8 };

typedef struct tide_chunk {
    uint64_t first, n; /* items */
    char *bytes;       /* made; NULL when there are none */
    size_t size;
    uint64_t note[TIDE_CHUNK_NOTES]; /* for `make` to tell `use` what it likes; zero at first */
    tide_status status;              /* of making it */
    tide_error err;
} tide_chunk;

typedef struct tide_ordered {
    void *self;
    uint64_t items;
    size_t chunk, set; /* items a chunk, chunks a set; >= 1 */
    int workers;       /* 1: all is done by the calling thread */
    /* Writes the bytes of a chunk to f, which no other thread uses. worker: 0 .. workers-1. */
    tide_status (*make)(void *self, int worker, tide_chunk *chunk, FILE *f, tide_error *err);
    tide_status (*use)(void *self, const tide_chunk *chunk, tide_error *err);
} tide_ordered;

/* The first failure, in order of the items, ends it; chunks before it have been used. */
tide_status tide_ordered_run(const tide_ordered *o, tide_error *err);

#endif
