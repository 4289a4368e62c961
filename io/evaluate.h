/* evaluate.h - one evaluation from its configuration to its scores: what tidemill evaluate does. */
#ifndef TIDE_IO_EVALUATE_H
#define TIDE_IO_EVALUATE_H

#include "host/config.h"
#include "host/evaluate.h"
#include "host/observer.h"
#include "host/report.h"

typedef struct tide_evaluate_job {
    const char *store;     /* directory or generation file whose models are evaluated; NULL: refits at every origin */
    int by_origin;
    tide_evaluated_fn row; /* may be NULL */
    void *row_self;
} tide_evaluate_job;

/* Reads the source as tide_fit_run does (also through a history, which stays as it is), with a store by its frequency and
 * season, and evaluates every series. *out: what was found, to be destroyed by the caller; NULL after a failure. */
tide_status tide_evaluate_run(tide_config *cfg, const tide_evaluate_job *job, const tide_observer *observer,
                              tide_report *report, tide_evaluator **out, tide_error *err);

#endif
