/* fit.h - one fit from its configuration to a published generation: what tidemill fit and the public tide_fit do. */
#ifndef TIDE_IO_FIT_H
#define TIDE_IO_FIT_H

#include "host/config.h"
#include "host/observer.h"
#include "host/report.h"
#include "host/run.h"
#include "host/stream.h"
#include "io/runs.h"

/* Opens the source (or reads `own` unless NULL), the backend and the store, runs the pipeline, publishes a generation and
 * records the run. cfg is checked and resolved in place (freq). The report is filled as far as the run got, also on failure;
 * then the store is as it was. */
tide_status tide_fit_run(tide_config *cfg, tide_source *own, const tide_observer *observer, tide_report *report,
                         tide_error *err);

/* A run's row in the book of the store that parts->sink writes to. What fails here is said as a warning: no store depends
 * on it. NULL from the first is allowed in the second. metrics: JSON, or NULL. */
tide_runs *tide_book_begin(const tide_run_parts *parts, const char *command, const char *run_id);
void tide_book_finish(tide_runs *runs, const tide_report *report, tide_status status, const tide_error *failure,
                      const char *metrics, const tide_observer *observer);

#endif
