/* pool.c - a run is a generation number: workers sleep until it changes, do items, and the last one out wakes
 * the caller. All shared fields are under one mutex except the item counter, which is atomic. */
#include "host/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct worker {
    tide_pool *pool;
    int number;
    pthread_t thread;
} worker;

struct tide_pool {
    int workers;
    int started;    /* threads to join: workers 1 .. started */
    worker *worker; /* [workers]; 0 is the caller */
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    unsigned generation; /* of the run that the fields below belong to */
    int busy;            /* threads that have not finished this run */
    int stop;
    size_t items;
    tide_pool_fn fn;
    void *context;
    atomic_size_t next;
};

static void do_items(tide_pool *p, int number) {
    for (;;) {
        size_t item = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (item >= p->items)
            return;
        p->fn(p->context, number, item);
    }
}

static void *thread_main(void *argument) {
    worker *w = argument;
    tide_pool *p = w->pool;
    unsigned seen = 0;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->stop && p->generation == seen)
            pthread_cond_wait(&p->wake, &p->lock);
        if (p->stop)
            break;
        seen = p->generation;
        pthread_mutex_unlock(&p->lock);
        do_items(p, w->number);
        pthread_mutex_lock(&p->lock);
        if (--p->busy == 0)
            pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

tide_status tide_pool_create(int workers, tide_pool **out, tide_error *err) {
    if (workers < 1)
        return tide_fail(err, TIDE_INTERNAL, "a pool of %d workers", workers);
    tide_pool *p = calloc(1, sizeof *p);
    worker *list = calloc((size_t)workers, sizeof *list);
    if (!p || !list) {
        free(p);
        free(list);
        return tide_fail(err, TIDE_MEMORY, "no memory for %d threads", workers);
    }
    p->workers = workers;
    p->worker = list;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    for (int i = 1; i < workers; ++i) {
        list[i].pool = p;
        list[i].number = i;
        int rc = pthread_create(&list[i].thread, NULL, thread_main, &list[i]);
        if (rc != 0) {
            tide_pool_free(p);
            return tide_fail(err, TIDE_MEMORY, "cannot start thread %d of %d: %s", i + 1, workers,
                             strerror(rc));
        }
        p->started = i;
    }
    *out = p;
    return TIDE_OK;
}

void tide_pool_free(tide_pool *p) {
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = 1;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i <= p->started; ++i)
        pthread_join(p->worker[i].thread, NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->done);
    free(p->worker);
    free(p);
}

int tide_pool_workers(const tide_pool *p) {
    return p->workers;
}

void tide_pool_run(tide_pool *p, size_t items, tide_pool_fn fn, void *context) {
    if (items == 0)
        return;
    pthread_mutex_lock(&p->lock);
    p->items = items;
    p->fn = fn;
    p->context = context;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    p->busy = p->started;
    ++p->generation;
    if (p->started > 0)
        pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    do_items(p, 0);
    pthread_mutex_lock(&p->lock);
    while (p->busy > 0)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

/* Whole processors that the cgroup's quota pays for, or 0 for no limit. A container sees its own limit here.
 */
static int cgroup_quota(void) {
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!f)
        return 0;
    char quota[32] = "";
    long long period = 0;
    int got = fscanf(f, "%31s %lld", quota, &period);
    fclose(f);
    long long q = got == 2 && period > 0 ? strtoll(quota, NULL, 10) : 0; /* "max" reads as 0 */
    if (q <= 0)
        return 0;
    long long whole = (q + period - 1) / period;
    return whole > 1 << 16 ? 0 : (int)whole;
}

int tide_processors(void) {
    int n = 1;
    /* A fixed cpu_set_t holds 1024 processors; a larger machine needs a larger mask. */
    for (size_t cpus = 1024; cpus <= 1 << 16; cpus *= 4) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (!set)
            break;
        int rc = sched_getaffinity(0, CPU_ALLOC_SIZE(cpus), set);
        if (rc == 0)
            n = CPU_COUNT_S(CPU_ALLOC_SIZE(cpus), set);
        CPU_FREE(set);
        if (rc == 0)
            break;
    }
    int quota = cgroup_quota();
    if (quota > 0 && quota < n)
        n = quota;
    return n < 1 ? 1 : n;
}
