/* pool.h - threads that live as long as a backend and share out numbered items.
 *
 * The calling thread works too, so a pool of one starts no thread. Items are handed out one by one from an
 * atomic counter: which worker gets which item is left to chance, so an item's result may only depend on its
 * number. */
#ifndef TIDE_POOL_H
#define TIDE_POOL_H

#include "host/error.h"
#include <stddef.h>

typedef struct tide_pool tide_pool;

/* worker: 0 .. workers-1, the same for all items that one thread does during a run. */
typedef void (*tide_pool_fn)(void *context, int worker, size_t item);

/* workers >= 1. TIDE_MEMORY when the threads cannot be started. */
tide_status tide_pool_create(int workers, tide_pool **out, tide_error *err);
void tide_pool_free(tide_pool *pool); /* NULL is allowed */
int tide_pool_workers(const tide_pool *pool);

/* Calls fn for each item of 0 .. items-1 and returns when all are done. One call at a time a pool. */
void tide_pool_run(tide_pool *pool, size_t items, tide_pool_fn fn, void *context);

/* Processors that this process may use: its affinity mask, cut down to the CPU quota of its cgroup (version
 * 2). */
int tide_processors(void);

#endif
