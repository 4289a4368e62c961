/* run.h - the pipeline: read, fit and write at the same time, with a fixed number of batches in flight. */
#ifndef TIDE_RUN_H
#define TIDE_RUN_H

#include "host/backend.h"
#include "host/config.h"
#include "host/observer.h"
#include "host/panel_source.h"
#include "host/regressors.h"
#include "host/report.h"
#include "host/stream.h"
#include "host/warm.h"

typedef struct tide_run_parts {
    const tide_config *cfg; /* checked and resolved */
    tide_backend *backend;
    tide_source *source;
    tide_panel_source *panels;     /* read instead of `source`, when not NULL; then intake and its report stay empty */
    tide_sink *sink;
    const tide_observer *observer; /* may be NULL */
    const tide_regressors *regressors; /* of ARIMA, cfg->fit.arima.xreg of them; NULL: none */
    const tide_linalg *linalg;         /* for their products; NULL where there are none */
    const tide_warm *warm;         /* starts of the fits; NULL: cold */
    /* Does the fitter's work on each panel instead of plan, starts and fit: `results` is mapped for it and cfg->fit, and is
     * to be filled as far as the sink and the report look at it (outcome and n_members at least). NULL: fits. */
    tide_status (*work)(void *work_self, const tide_panel *panel, tide_results *results, tide_error *err);
    void *work_self;
    /* Called when all is written, before the sink makes it visible; a failure is the run's. May be NULL. */
    tide_status (*before_finish)(void *before_self, tide_error *err);
    void *before_self;
} tide_run_parts;

/* Reads the source to its end, fits every series, hands the batches to the sink in order and finishes it. Opens and closes
 * nothing. The report is zeroed first and filled as far as the run got, also on failure, but for source, sink and store
 * names, which are the caller's. Errors: the first of any stage; TIDE_INPUT when there is no series; TIDE_INTERRUPTED when
 * the observer asked to stop. After a failure the sink has not been finished. */
tide_status tide_run(const tide_run_parts *parts, tide_report *report, tide_error *err);

#endif
