#include "host/ordered.h"

#include "host/pool.h"
#include "host/queue.h"

#include <pthread.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

typedef struct chunk_set {
    tide_chunk *chunk; /* [o->set] */
    size_t n;
} chunk_set;

typedef struct ordered {
    const tide_ordered *o;
    chunk_set set[2];
    chunk_set *making;
    tide_queue empty, full;
    tide_status status; /* of the thread that uses chunks */
    tide_error err;
} ordered;

static void drop_bytes(tide_chunk *c) {
    free(c->bytes);
    c->bytes = NULL;
    c->size = 0;
}

static void make_chunk(const tide_ordered *o, int worker, tide_chunk *c) {
    c->status = TIDE_OK;
    memset(c->note, 0, sizeof c->note);
    FILE *f = open_memstream(&c->bytes, &c->size);
    if (!f) {
        c->status = tide_fail(&c->err, TIDE_MEMORY, "out of memory");
        return;
    }
    __fsetlocking(f, FSETLOCKING_BYCALLER); /* nobody else knows it */
    c->status = o->make(o->self, worker, c, f, &c->err);
    int bad = ferror(f);
    bad |= fclose(f);
    if (bad && !c->status)
        c->status = tide_fail(&c->err, TIDE_MEMORY, "out of memory");
}

static void make_item(void *context, int worker, size_t item) {
    ordered *r = (ordered *)context;
    make_chunk(r->o, worker, &r->making->chunk[item]);
}

static tide_status use_chunk(const tide_ordered *o, tide_chunk *c, tide_error *err) {
    if (c->status) {
        if (err)
            *err = c->err;
        return c->status;
    }
    return o->use(o->self, c, err);
}

/* Cuts the next set off the items; 0 at the end. */
static int cut(const tide_ordered *o, uint64_t *at, chunk_set *set) {
    set->n = 0;
    while (set->n < o->set && *at < o->items) {
        tide_chunk *c = &set->chunk[set->n++];
        c->first = *at;
        c->n = o->items - *at < o->chunk ? o->items - *at : o->chunk;
        *at += c->n;
    }
    return set->n > 0;
}

static tide_status run_alone(const tide_ordered *o, tide_error *err) {
    tide_status status = TIDE_OK;
    for (uint64_t at = 0; at < o->items && !status; at += o->chunk) {
        tide_chunk c = {.first = at, .n = o->items - at < o->chunk ? o->items - at : o->chunk};
        make_chunk(o, 0, &c);
        status = use_chunk(o, &c, err);
        drop_bytes(&c);
    }
    return status;
}

static void *use_sets(void *argument) {
    ordered *r = (ordered *)argument;
    chunk_set *set;
    while ((set = (chunk_set *)tide_queue_pop(&r->full, NULL)) != NULL) {
        for (size_t i = 0; i < set->n; ++i) {
            if (!r->status)
                r->status = use_chunk(r->o, &set->chunk[i], &r->err);
            drop_bytes(&set->chunk[i]);
        }
        if (r->status) { /* the maker must not wait for a set */
            tide_queue_cancel(&r->empty);
            break;
        }
        tide_queue_push(&r->empty, set, NULL);
    }
    return NULL;
}

static void make_sets(ordered *r, tide_pool *pool) {
    uint64_t at = 0;
    while ((r->making = (chunk_set *)tide_queue_pop(&r->empty, NULL)) != NULL && cut(r->o, &at, r->making)) {
        tide_pool_run(pool, r->making->n, make_item, r);
        tide_queue_push(&r->full, r->making, NULL);
    }
    tide_queue_close(&r->full);
}

static tide_status run_sets(ordered *r, tide_error *err) {
    tide_pool *pool = NULL;
    pthread_t user;
    TIDE_TRY(tide_pool_create(r->o->workers, &pool, err));
    tide_status status = tide_queue_init(&r->empty, 2, err);
    if (!status) {
        status = tide_queue_init(&r->full, 2, err);
        if (!status) {
            for (int i = 0; i < 2; ++i)
                tide_queue_push(&r->empty, &r->set[i], NULL);
            if (pthread_create(&user, NULL, use_sets, r) != 0) {
                status = tide_fail(err, TIDE_MEMORY, "a thread cannot be started");
            } else {
                make_sets(r, pool);
                pthread_join(user, NULL);
                status = r->status;
                if (status && err)
                    *err = r->err;
            }
            tide_queue_free(&r->full);
        }
        tide_queue_free(&r->empty);
    }
    tide_pool_free(pool);
    return status;
}

tide_status tide_ordered_run(const tide_ordered *o, tide_error *err) {
    if (o->workers <= 1 || o->items <= o->chunk)
        return run_alone(o, err);
    ordered r = {.o = o};
    for (int i = 0; i < 2; ++i)
        r.set[i].chunk = (tide_chunk *)calloc(o->set, sizeof *r.set[i].chunk);
    tide_status status = r.set[0].chunk && r.set[1].chunk ? run_sets(&r, err) : tide_fail(err, TIDE_MEMORY, "out of memory");
    for (int i = 0; i < 2; ++i) {
        for (size_t k = 0; r.set[i].chunk && k < o->set; ++k)
            drop_bytes(&r.set[i].chunk[k]);
        free(r.set[i].chunk);
    }
    return status;
}
