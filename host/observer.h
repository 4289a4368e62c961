/* observer.h - how a run speaks to its caller: messages, progress, and the question whether to stop.
 *
 * The library never prints. All calls come from the thread that called tide_run (or tide_fit), so that a callback needs no
 * lock. Any pointer may be NULL. */
#ifndef TIDE_OBSERVER_H
#define TIDE_OBSERVER_H

#include <stdint.h>

typedef enum tide_log_level { TIDE_LOG_INFO = 0, TIDE_LOG_WARNING = 1 } tide_log_level;

typedef struct tide_progress {
    uint64_t series;             /* written so far */
    uint64_t series_read;        /* handed over by intake so far */
    uint64_t bytes, bytes_total; /* of the source; total 0 = unknown */
    double elapsed_s;
    double rate;                 /* series a second since the start */
    double eta_s;                /* seconds left, or -1 when it cannot be told */
    int finished;                /* 1 in the last call of a run that went well */
} tide_progress;

typedef struct tide_observer {
    void *self;
    void (*message)(void *self, tide_log_level level, const char *text); /* one line, no newline */
    void (*progress)(void *self, const tide_progress *progress);         /* about five times a second */
    int (*stop)(void *self); /* asked ten times a second; 1 ends the run with TIDE_INTERRUPTED */
    /* A second after that, all is ended but a read of the source that does not return (a server or a pipe that says
     * nothing): a caller that is a process of its own may end here. */
    void (*stuck)(void *self);
} tide_observer;

#endif
