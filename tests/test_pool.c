/* Threads that share out items. */
#include "host/pool.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct tally {
    atomic_int *done;
    atomic_int busy[8], wrong;
    int workers;
} tally;

static void count_item(void *context, int worker, size_t item) {
    tally *t = context;
    if (worker < 0 || worker >= t->workers || atomic_fetch_add(&t->busy[worker], 1) != 0)
        atomic_store(&t->wrong, 1);
    atomic_fetch_add(&t->done[item], 1);
    atomic_fetch_sub(&t->busy[worker], 1);
}

Test(pool, does_each_item_once_whatever_the_number_of_threads) {
    enum { N = 3000 };
    for (int workers = 1; workers <= 5; ++workers) {
        tide_pool *pool = NULL;
        cr_assert_eq(tide_pool_create(workers, &pool, NULL), TIDE_OK);
        cr_assert_eq(tide_pool_workers(pool), workers);
        tally t = {.done = calloc(N, sizeof(atomic_int)), .workers = workers};
        for (size_t run = 0; run < 50; ++run)
            tide_pool_run(pool, run % 7 == 0 ? run : N, count_item, &t);
        for (size_t i = 0; i < N; ++i) {
            int want = 0;
            for (size_t run = 0; run < 50; ++run)
                want += i < (run % 7 == 0 ? run : N);
            cr_assert_eq(atomic_load(&t.done[i]), want, "item %zu", i);
        }
        cr_assert_eq(atomic_load(&t.wrong), 0);
        free(t.done);
        tide_pool_free(pool);
    }
}

Test(pool, refuses_no_workers_and_allows_none_to_free) {
    tide_pool *pool = NULL;
    cr_assert_eq(tide_pool_create(0, &pool, NULL), TIDE_INTERNAL);
    cr_assert_null(pool);
    tide_pool_free(NULL);
}

Test(pool, this_machine_has_processors) {
    cr_assert_geq(tide_processors(), 1);
}
