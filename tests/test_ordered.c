/* test_ordered.c - bytes made by several threads come out in order, and the first failure in that order ends it. */
#include "host/ordered.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct work {
    uint64_t fail_make, fail_use; /* item at which to fail; UINT64_MAX = none */
    atomic_ullong made;
    uint64_t next, used_chunks;
    char text[1 << 16];
    size_t length;
} work;

static tide_status make(void *self, int worker, tide_chunk *chunk, FILE *f, tide_error *err) {
    work *w = (work *)self;
    cr_assert(worker >= 0 && worker < 64 && chunk->n > 0);
    for (uint64_t i = chunk->first; i < chunk->first + chunk->n; ++i) {
        if (i == w->fail_make)
            return tide_fail(err, TIDE_STORE, "made %d", (int)i);
        if (i % 3) /* some make nothing */
            fprintf(f, "%d,", (int)i);
        chunk->note[0] += i;
        atomic_fetch_add(&w->made, 1);
    }
    return TIDE_OK;
}

static tide_status use(void *self, const tide_chunk *chunk, tide_error *err) {
    work *w = (work *)self;
    uint64_t sum = 0;
    cr_assert_eq(chunk->first, w->next, "in order, no gap");
    for (uint64_t i = chunk->first; i < chunk->first + chunk->n; ++i) {
        if (i == w->fail_use)
            return tide_fail(err, TIDE_DISK, "used %d", (int)i);
        sum += i;
    }
    cr_assert_eq(chunk->note[0], sum, "notes are of this chunk");
    w->next += chunk->n;
    ++w->used_chunks;
    memcpy(w->text + w->length, chunk->bytes, chunk->size);
    w->length += chunk->size;
    return TIDE_OK;
}

static tide_status run(work *w, uint64_t items, size_t chunk, size_t set, int workers, tide_error *err) {
    *w = (work){.fail_make = w->fail_make, .fail_use = w->fail_use};
    const tide_ordered o = {.self = w, .items = items, .chunk = chunk, .set = set, .workers = workers, .make = make, .use = use};
    return tide_ordered_run(&o, err);
}

Test(ordered, all_comes_out_in_order_whatever_the_threads, .timeout = 60) {
    static work one, many;
    static const uint64_t sizes[] = {0, 1, 6, 7, 8, 28, 29, 1000};
    one.fail_make = one.fail_use = many.fail_make = many.fail_use = UINT64_MAX;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
        cr_assert_eq(run(&one, sizes[s], 1000, 1, 1, NULL), TIDE_OK);
        cr_assert_eq(one.next, sizes[s]);
        for (int workers = 1; workers <= 16; workers *= 2)
            for (size_t set = 1; set <= 4; set += 3) {
                cr_assert_eq(run(&many, sizes[s], 7, set, workers, NULL), TIDE_OK);
                cr_assert_eq(many.next, sizes[s]);
                cr_assert_eq(many.used_chunks, (sizes[s] + 6) / 7);
                cr_assert(many.length == one.length && memcmp(many.text, one.text, one.length) == 0);
            }
    }
}

Test(ordered, the_first_failure_in_order_is_told, .timeout = 60) {
    static work w;
    tide_error err;
    for (int workers = 1; workers <= 8; workers *= 8) {
        w.fail_make = 500;
        w.fail_use = UINT64_MAX;
        cr_assert_eq(run(&w, 1000, 7, 4, workers, &err), TIDE_STORE);
        cr_assert_str_eq(err.message, "made 500");
        cr_assert_eq(w.next, 497, "what comes before is used");
        w.fail_use = 100;
        cr_assert_eq(run(&w, 1000, 7, 4, workers, &err), TIDE_DISK);
        cr_assert_str_eq(err.message, "used 100");
        cr_assert_eq(w.next, 98);
        cr_assert_lt((uint64_t)w.made, 400, "and the rest is not made");
        cr_assert_eq(run(&w, 1000, 7, 4, workers, NULL), TIDE_DISK);
    }
}
