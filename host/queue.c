#include "host/queue.h"

#include <time.h>

double tide_now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

tide_status tide_queue_init(tide_queue *q, int capacity, tide_error *err) {
    if (capacity < 1 || capacity > TIDE_QUEUE_MAX)
        return tide_fail(err, TIDE_INTERNAL, "queue of %d slots", capacity);
    if (pthread_mutex_init(&q->lock, NULL))
        return tide_fail(err, TIDE_MEMORY, "no mutex for a queue");
    if (pthread_cond_init(&q->changed, NULL)) {
        pthread_mutex_destroy(&q->lock);
        return tide_fail(err, TIDE_MEMORY, "no condition variable for a queue");
    }
    q->head = q->count = q->closed = q->cancelled = 0;
    q->capacity = capacity;
    return TIDE_OK;
}

void tide_queue_free(tide_queue *q) {
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
}

int tide_queue_push(tide_queue *q, void *item, double *waited_s) {
    pthread_mutex_lock(&q->lock);
    if (q->count == q->capacity && !q->closed && !q->cancelled) {
        double start = tide_now_s();
        while (q->count == q->capacity && !q->closed && !q->cancelled)
            pthread_cond_wait(&q->changed, &q->lock);
        if (waited_s)
            *waited_s += tide_now_s() - start;
    }
    int taken = !q->closed && !q->cancelled;
    if (taken) {
        q->slot[(q->head + q->count) % q->capacity] = item;
        ++q->count;
        pthread_cond_broadcast(&q->changed);
    }
    pthread_mutex_unlock(&q->lock);
    return taken;
}

void *tide_queue_pop(tide_queue *q, double *waited_s) {
    void *item = NULL;
    pthread_mutex_lock(&q->lock);
    if (q->count == 0 && !q->closed && !q->cancelled) {
        double start = tide_now_s();
        while (q->count == 0 && !q->closed && !q->cancelled)
            pthread_cond_wait(&q->changed, &q->lock);
        if (waited_s)
            *waited_s += tide_now_s() - start;
    }
    if (q->count && !q->cancelled) {
        item = q->slot[q->head];
        q->head = (q->head + 1) % q->capacity;
        --q->count;
        pthread_cond_broadcast(&q->changed);
    }
    pthread_mutex_unlock(&q->lock);
    return item;
}

static void end(tide_queue *q, int *flag) {
    pthread_mutex_lock(&q->lock);
    *flag = 1;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

void tide_queue_close(tide_queue *q) {
    end(q, &q->closed);
}

void tide_queue_cancel(tide_queue *q) {
    end(q, &q->cancelled);
}
