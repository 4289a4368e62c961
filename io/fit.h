/* fit.h - one fit from its configuration to a published generation: what tidemill fit and the public tide_fit do. */
#ifndef TIDE_IO_FIT_H
#define TIDE_IO_FIT_H

#include "host/config.h"
#include "host/observer.h"
#include "host/report.h"
#include "host/stream.h"

/* Opens the source (or reads `own` unless NULL), the backend and the store, runs the pipeline, publishes a generation and
 * records the run. cfg is checked and resolved in place (freq). The report is filled as far as the run got, also on failure;
 * then the store is as it was. */
tide_status tide_fit_run(tide_config *cfg, tide_source *own, const tide_observer *observer, tide_report *report,
                         tide_error *err);

#endif
