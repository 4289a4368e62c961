/* queue.h - a bounded queue of pointers between two stages of the pipeline.
 *
 * The producer closes it at the end: pop then drains it and returns NULL. Cancel (after an error, by any thread) makes
 * both sides return at once. Waiting is timed, since a run reports where it waited. */
#ifndef TIDE_QUEUE_H
#define TIDE_QUEUE_H

#include "host/error.h"
#include <pthread.h>

enum { TIDE_QUEUE_MAX = 8 };

typedef struct tide_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *slot[TIDE_QUEUE_MAX];
    int head, count, capacity, closed, cancelled;
} tide_queue;

/* capacity: 1..TIDE_QUEUE_MAX. */
tide_status tide_queue_init(tide_queue *q, int capacity, tide_error *err);
void tide_queue_free(tide_queue *q); /* nobody may use it any more; items are not freed */
/* Blocks while full. 1 when taken, 0 when closed or cancelled. Adds the seconds waited to *waited_s (may be NULL). */
int tide_queue_push(tide_queue *q, void *item, double *waited_s);
/* Blocks while empty. NULL when cancelled, or closed and empty. */
void *tide_queue_pop(tide_queue *q, double *waited_s);
void tide_queue_close(tide_queue *q);
void tide_queue_cancel(tide_queue *q);

/* Seconds of the monotonic clock. */
double tide_now_s(void);

#endif
