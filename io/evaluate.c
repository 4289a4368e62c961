/* evaluate.c - see evaluate.h.
 *
 * The pipeline of a fit with another worker: read, evaluate, nothing to write. Of --memory half goes to the pipeline as
 * ever, a quarter to forecasts and scores, the rest is for the panels cut at the origins. */
#include "io/evaluate.h"
#include "host/run.h"
#include "io/history.h"
#include "io/open.h"
#include "io/regressors_csv.h"

#include <stdio.h>
#include <string.h>

static tide_status keep_nothing(void *self, const tide_panel *panel, const tide_results *results, tide_error *err) {
    (void)self, (void)panel, (void)results, (void)err;
    return TIDE_OK;
}

static tide_status finish_nothing(void *self, tide_error *err) {
    (void)self, (void)err;
    return TIDE_OK;
}

static void share_memory(tide_config *cfg, const tide_backend *backend, const tide_evaluate_options *o) {
    size_t most = backend->batch_series > 4096 ? backend->batch_series : 4096;
    size_t n = cfg->memory_bytes / 4 / tide_evaluator_bytes(o);
    n = n < most ? n : most;
    if (!cfg->intake.batch_series)
        cfg->intake.batch_series = n < TIDE_TILE_WIDTH ? TIDE_TILE_WIDTH : n / TIDE_TILE_WIDTH * TIDE_TILE_WIDTH;
    cfg->memory_bytes /= 2;
}

typedef struct parts {
    tide_store *store;
    tide_history *history;
    tide_feed feed;
    tide_backend backend;
    tide_xreg_feed xreg;
} parts;

static tide_status open_parts(parts *p, tide_config *cfg, const tide_evaluate_job *job, const tide_observer *observer,
                              tide_panel_source **panels, char *note, size_t note_size, tide_error *err) {
    tide_store_info info = {.n_series = 0};
    if (job->store) {
        TIDE_TRY(tide_store_open(job->store, TIDE_VERIFY_TOUCHED, &p->store, err));
        TIDE_TRY(tide_obey_store(cfg, p->store, &info, err));
    }
    cfg->history.read_only = 1;
    if (cfg->history.path)
        TIDE_TRY(tide_history_open(cfg, 0, observer, &p->history, err));
    TIDE_TRY(tide_feed_open(cfg, NULL, observer, &p->feed, err));
    if (p->history)
        TIDE_TRY(tide_history_start(p->history, &p->feed.source, p->feed.ds_kind, "evaluate", panels, err));
    tide_ds_kind kind = p->history ? tide_history_ds_kind(p->history) : p->feed.ds_kind;
    if (job->store && info.n_series && info.ds_kind != kind)
        return tide_fail(err, TIDE_INPUT, "%s: its times are of another kind than those of store '%s'", p->feed.source.name,
                         job->store);
    tide_backend_options backend = cfg->backend;
    if (job->store)
        backend.kind = TIDE_BACKEND_CPU; /* nothing is fitted */
    TIDE_TRY(tide_backend_open(&backend, &p->backend, note, note_size, err));
    return job->store ? TIDE_OK : tide_xreg_feed_open(cfg, kind, &p->backend, observer, &p->xreg, err);
}

static void close_parts(parts *p) {
    tide_xreg_feed_close(&p->xreg);
    if (p->backend.close)
        p->backend.close(p->backend.self);
    tide_history_close(p->history);
    tide_feed_close(&p->feed);
    tide_store_close(p->store);
}

static tide_status evaluate(parts *p, tide_config *cfg, const tide_evaluate_job *job, const tide_observer *observer,
                            tide_panel_source *panels, tide_report *report, tide_evaluator **out, tide_error *err) {
    tide_ds_kind kind = p->history ? tide_history_ds_kind(p->history) : p->feed.ds_kind;
    const tide_evaluate_options o = {.origins = cfg->evaluate.origins,
                                     .step = cfg->evaluate.step,
                                     .min_train = cfg->evaluate.min_train,
                                     .lag = cfg->evaluate.lag,
                                     .across = cfg->across,
                                     .jobs = cfg->backend.jobs,
                                     .by_origin = job->by_origin,
                                     .fit = &cfg->fit,
                                     .forecast = cfg->predict.spec,
                                     .backend = &p->backend,
                                     .regressors = p->xreg.on ? &p->xreg.regressors : NULL,
                                     .linalg = p->xreg.on ? &p->xreg.linalg : NULL,
                                     .store = p->store,
                                     .freq = cfg->intake.freq,
                                     .ds_kind = kind};
    share_memory(cfg, &p->backend, &o);
    TIDE_TRY(tide_evaluator_create(&o, job->row, job->row_self, out, err));
    tide_sink sink = {.name = "scores", .write = keep_nothing, .finish = finish_nothing};
    const tide_run_parts run = {.cfg = cfg,
                                .backend = &p->backend,
                                .source = &p->feed.source,
                                .panels = panels,
                                .regressors = p->xreg.on ? &p->xreg.regressors : NULL,
                                .linalg = p->xreg.on ? &p->xreg.linalg : NULL,
                                .sink = &sink,
                                .observer = observer,
                                .work = tide_evaluator_panel,
                                .work_self = *out};
    tide_status status = tide_run(&run, report, err);
    report->ds_kind = kind;
    tide_feed_tell(&p->feed, observer);
    if (!status && p->history)
        status = tide_history_finish(p->history, report, err);
    if (status) {
        tide_evaluator_destroy(*out);
        *out = NULL;
    }
    return status;
}

tide_status tide_evaluate_run(tide_config *cfg, const tide_evaluate_job *job, const tide_observer *observer,
                              tide_report *report, tide_evaluator **out, tide_error *err) {
    parts p;
    tide_panel_source *panels = NULL;
    char note[256] = "";
    memset(&p, 0, sizeof p);
    *out = NULL;
    tide_status status = open_parts(&p, cfg, job, observer, &panels, note, sizeof note, err);
    if (!status) {
        if (*note && observer && observer->message)
            observer->message(observer->self, TIDE_LOG_INFO, note);
        status = evaluate(&p, cfg, job, observer, panels, report, out, err);
    }
    close_parts(&p);
    return status;
}
