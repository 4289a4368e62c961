/* The bounded queue: order, blocking at both ends, closing, cancelling. */
#include "host/queue.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <unistd.h>

typedef struct producer {
    tide_queue *q;
    uintptr_t n;
    double waited_s;
    int last; /* what the last push returned */
} producer;

static void *produce(void *arg) {
    producer *p = (producer *)arg;
    for (uintptr_t i = 1; i <= p->n; ++i)
        if (!(p->last = tide_queue_push(p->q, (void *)i, &p->waited_s)))
            return NULL;
    tide_queue_close(p->q);
    return NULL;
}

Test(queue, keeps_order_and_never_holds_more_than_its_capacity) {
    tide_queue q;
    pthread_t thread;
    producer p = {&q, 20000, 0.0, 0};
    cr_assert_eq(tide_queue_init(&q, 3, NULL), TIDE_OK);
    pthread_create(&thread, NULL, produce, &p);
    for (uintptr_t i = 1; i <= p.n; ++i) {
        pthread_mutex_lock(&q.lock);
        int count = q.count;
        pthread_mutex_unlock(&q.lock);
        cr_assert_leq(count, 3);
        cr_assert_eq((uintptr_t)tide_queue_pop(&q, NULL), i);
    }
    cr_assert_null(tide_queue_pop(&q, NULL), "closed and empty");
    pthread_join(thread, NULL);
    tide_queue_free(&q);
}

Test(queue, a_full_queue_makes_the_producer_wait_and_counts_it) {
    tide_queue q;
    pthread_t thread;
    producer p = {&q, 3, 0.0, 0};
    tide_queue_init(&q, 2, NULL);
    pthread_create(&thread, NULL, produce, &p);
    usleep(50000);
    for (uintptr_t i = 1; i <= 3; ++i)
        cr_assert_eq((uintptr_t)tide_queue_pop(&q, NULL), i);
    pthread_join(thread, NULL);
    cr_assert_gt(p.waited_s, 0.02);
    tide_queue_free(&q);
}

Test(queue, close_lets_the_rest_out_and_takes_nothing_more) {
    tide_queue q;
    int a, b;
    tide_queue_init(&q, 4, NULL);
    cr_assert(tide_queue_push(&q, &a, NULL));
    tide_queue_close(&q);
    cr_assert_not(tide_queue_push(&q, &b, NULL));
    cr_assert_eq(tide_queue_pop(&q, NULL), &a);
    cr_assert_null(tide_queue_pop(&q, NULL));
    tide_queue_free(&q);
}

Test(queue, cancel_wakes_a_waiting_producer_and_drops_what_is_there) {
    tide_queue q;
    pthread_t thread;
    producer p = {&q, 3, 0.0, 1};
    tide_queue_init(&q, 1, NULL);
    pthread_create(&thread, NULL, produce, &p);
    usleep(20000);
    tide_queue_cancel(&q);
    pthread_join(thread, NULL);
    cr_assert_not(p.last);
    cr_assert_null(tide_queue_pop(&q, NULL));
    tide_queue_free(&q);
}

static void *cancel_later(void *arg) {
    usleep(20000);
    tide_queue_cancel((tide_queue *)arg);
    return NULL;
}

Test(queue, cancel_wakes_a_waiting_consumer) {
    tide_queue q;
    pthread_t thread;
    double waited = 0.0;
    tide_queue_init(&q, 1, NULL);
    pthread_create(&thread, NULL, cancel_later, &q);
    cr_assert_null(tide_queue_pop(&q, &waited));
    cr_assert_gt(waited, 0.005);
    pthread_join(thread, NULL);
    tide_queue_free(&q);
}

Test(queue, refuses_a_capacity_it_has_no_slots_for) {
    tide_queue q;
    tide_error err;
    cr_assert_eq(tide_queue_init(&q, 0, &err), TIDE_INTERNAL);
    cr_assert_eq(tide_queue_init(&q, TIDE_QUEUE_MAX + 1, &err), TIDE_INTERNAL);
}
