#include "io/fit.h"
#include "host/backend.h"
#include "host/run.h"
#include "host/tidemill.h"
#include "io/history.h"
#include "io/open.h"
#include "io/regressors_csv.h"
#include "io/runs.h"
#include "io/store_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(const tide_observer *observer, tide_log_level level, const char *text) {
    if (*text && observer && observer->message)
        observer->message(observer->self, level, text);
}

/* --- the book of runs: a failure here is a warning, since the store does not depend on it
 * ------------------------ */
static void warn(const tide_observer *observer, const tide_error *err) {
    say(observer, TIDE_LOG_WARNING, err->message);
}

tide_runs *tide_book_begin(const tide_run_parts *parts, const char *command, const char *run_id) {
    const tide_config *cfg = parts->cfg;
    tide_runs *runs = NULL;
    tide_error err;
    char *config = tide_config_dump(cfg);
    const tide_run_start start = {.run_id = run_id,
                                  .command = command,
                                  .config = config,
                                  .source = parts->source->name,
                                  .source_from = cfg->source.from,
                                  .source_to = cfg->source.to,
                                  .code_version = tide_build_info(),
                                  .resumed = tide_store_writer_resumed(parts->sink)};
    if (tide_runs_open(cfg->store.dir, &runs, &err) || tide_runs_begin(runs, &start, &err)) {
        warn(parts->observer, &err);
        tide_runs_close(runs);
        runs = NULL;
    }
    free(config);
    return runs;
}

void tide_book_finish(tide_runs *runs, const tide_report *report, tide_status status, const tide_error *failure,
                      const char *metrics, const tide_observer *observer) {
    tide_error err;
    if (!runs)
        return;
    char *outcomes = tide_report_outcomes_json(report), *forms = tide_report_forms_json(report);
    char *stages = tide_report_stages_json(report), first[48], last[48];
    int any = tide_report_window(report, first, last);
    char *warm = report->warm_generation ? tide_report_warm_json(report) : NULL;
    const tide_run_end end = {.status = status ? tide_status_name(status) : "ok",
                              .message = status ? failure->message : NULL,
                              .backend = report->backend,
                              .outcomes = outcomes,
                              .forms = forms,
                              .stages = stages,
                              .warm = warm,
                              .metrics = metrics,
                              .first_ds = any ? first : NULL,
                              .last_ds = any ? last : NULL,
                              .rows = report->intake.rows,
                              .series = report->series,
                              .members = report->members,
                              .generation = report->generation,
                              .store_bytes = report->store_bytes,
                              .peak_memory_bytes = report->peak_bytes};
    if (tide_runs_finish(runs, report->run_id, &end, &err))
        warn(observer, &err);
    tide_runs_close(runs);
    free(outcomes);
    free(forms);
    free(stages);
    free(warm);
}

/* What decides the results, for a later run that wants to go on: the configuration, the program, the kind of times, and
 * the generation that a warm start comes from, the regressors' content. NULL when memory is short. */
static char *identity_of(const tide_config *cfg, const tide_feed *feed, const tide_source *own, const tide_warm *warm,
                         const tide_xreg_feed *xreg) {
    char *config = tide_config_identity(cfg), *text = NULL;
    const char *build = tide_build_info(); /* "0.1.0 (commit 12ab34cd, gcc ..." */
    const tide_store_info *from = warm ? tide_warm_info(warm) : NULL;
    char regressors[24] = "null";
    if (xreg->on)
        snprintf(regressors, sizeof regressors, "%016llx",
                 (unsigned long long)tide_regressors_fingerprint(&xreg->regressors));
    if (config && asprintf(&text, "program=%.*s)\n%ssource=\"%s\"\nds kind=%d\nwarm generation=%s\nregressors=%s\n", (int)strcspn(build, ","), build,
                           config, own ? own->name : "", (int)feed->ds_kind,
                           from ? from->run_id : "null", regressors) < 0)
        text = NULL;
    free(config);
    return text;
}

/* The pipeline between an open source and an open store; history may be NULL. */
static tide_status fit_into(const tide_run_parts *parts, tide_history *history, tide_report *report, tide_error *err) {
    tide_store_written written;
    char run_id[TIDE_RUN_ID_SIZE];
    tide_ds_kind kind = report->ds_kind;
    memcpy(run_id, report->run_id, sizeof run_id); /* tide_run clears the report */
    tide_runs *runs = tide_book_begin(parts, "fit", run_id);
    tide_status status = tide_run(parts, report, err);
    memcpy(report->run_id, run_id, sizeof run_id);
    report->ds_kind = kind;
    snprintf(report->store, sizeof report->store, "%s", parts->cfg->store.dir);
    if (!status) {
        tide_store_writer_written(parts->sink, &written);
        report->generation = written.generation;
        report->store_bytes = written.file_bytes;
        if (history)
            status = tide_history_finish(history, report, err);
    }
    tide_book_finish(runs, report, status, err, NULL, parts->observer);
    return status;
}

/* After a failure: what stays for --resume. */
static void say_kept(tide_sink *sink, const tide_observer *observer) {
    char text[160];
    uint64_t kept = tide_store_writer_keep(sink);
    if (kept == 0)
        return;
    snprintf(text, sizeof text, "%llu series are finished and kept: the same command with --resume goes on after them",
             (unsigned long long)kept);
    say(observer, TIDE_LOG_INFO, text);
}

tide_status tide_fit_run(tide_config *cfg, tide_source *own, const tide_observer *observer,
                         tide_report *report, tide_error *err) {
    tide_feed feed;
    tide_backend backend;
    tide_sink sink;
    tide_xreg_feed xreg;
    tide_warm *warm = NULL;
    tide_history *history = NULL;
    tide_panel_source *panels = NULL;
    char note[256] = "", *identity = NULL;
    memset(report, 0, sizeof *report);
    memset(&backend, 0, sizeof backend);
    memset(&sink, 0, sizeof sink);
    memset(&feed, 0, sizeof feed);
    memset(&xreg, 0, sizeof xreg);
    if (!cfg->store.dir || !*cfg->store.dir)
        return tide_fail(err, TIDE_CONFIG, "store.dir: no store is given (--store DIR)");
    tide_run_id_make(report->run_id);
    tide_status status =
        cfg->history.path ? tide_history_open(cfg, own != NULL, observer, &history, err) : TIDE_OK;
    if (!status)
        status = tide_feed_open(cfg, own, observer, &feed, err);
    if (status == TIDE_CONFIG && history)
        tide_error_prefix(err, status, "reading on from history '%s'", cfg->history.path);
    if (!status && history)
        status = tide_history_start(history, &feed.source, feed.ds_kind, report->run_id, &panels, err);
    if (!status && cfg->store.warm)
        status = tide_warm_open(cfg->store.warm, cfg->fit.season, &warm, err);
    if (!status)
        status = tide_backend_open(&cfg->backend, &backend, note, sizeof note, err);
    if (!status)
        status = tide_xreg_feed_open(cfg, history ? tide_history_ds_kind(history) : feed.ds_kind, &backend, observer, &xreg,
                                     err);
    if (!status && !(identity = identity_of(cfg, &feed, own, warm, &xreg)))
        status = tide_fail(err, TIDE_MEMORY, "out of memory");
    if (!status) {
        say(observer, TIDE_LOG_INFO, note);
        const tide_xreg_table table = tide_regressors_table(&xreg.regressors);
        const tide_store_writer_options store = {.dir = cfg->store.dir,
                                                 .freq = cfg->intake.freq,
                                                 .season = cfg->fit.season,
                                                 .seed = cfg->predict.spec.seed,
                                                 .run_id = report->run_id,
                                                 .backend = backend.name,
                                                 .keep = cfg->store.keep,
                                                 .identity = identity,
                                                 .xreg = xreg.on ? &table : NULL,
                                                 .resume = cfg->store.resume || cfg->store.resume_mixed,
                                                 .resume_mixed = cfg->store.resume_mixed};
        status = tide_store_writer_open(&store, &sink, err);
    }
    if (!status) {
        const tide_run_parts parts = {.cfg = cfg,
                                      .backend = &backend,
                                      .source = &feed.source,
                                      .panels = panels,
                                      .sink = &sink,
                                      .observer = observer,
                                      .regressors = xreg.on ? &xreg.regressors : NULL,
                                      .linalg = xreg.on ? &xreg.linalg : NULL,
                                      .warm = warm,
                                      .before_finish = history ? tide_history_prepare : NULL,
                                      .before_self = history};
        tide_error failure = {TIDE_OK, ""};
        const char *found = tide_store_writer_note(&sink);
        tide_store_writer_set_kind(&sink, history ? tide_history_ds_kind(history) : feed.ds_kind);
        say(observer, tide_store_writer_resumed(&sink) ? TIDE_LOG_INFO : TIDE_LOG_WARNING, found);
        snprintf(report->run_id, sizeof report->run_id, "%s", tide_store_writer_run_id(&sink));
        report->ds_kind = history ? tide_history_ds_kind(history) : feed.ds_kind;
        status = fit_into(&parts, history, report, &failure);
        tide_feed_tell(&feed, observer);
        if (status) {
            say_kept(&sink, observer);
            if (err)
                *err = failure;
        }
    }
    if (sink.close)
        sink.close(sink.self);
    if (backend.close)
        backend.close(backend.self);
    tide_xreg_feed_close(&xreg);
    tide_warm_close(warm);
    tide_history_close(history);
    tide_feed_close(&feed);
    free(identity);
    return status;
}

tide_status tide_fit(const tide_config *cfg, tide_source *source, const tide_observer *observer,
                     tide_fit_summary *summary, tide_error *err) {
    tide_config copy;
    TIDE_TRY(tide_config_copy(cfg, &copy, err));
    tide_report *report = (tide_report *)calloc(1, sizeof *report);
    tide_status status = report ? tide_fit_run(&copy, source, observer, report, err)
                                : tide_fail(err, TIDE_MEMORY, "out of memory");
    if (!status && summary) {
        tide_fit_summary s = {.rows = report->intake.rows,
                              .series = report->series,
                              .members = report->members,
                              .generation = report->generation,
                              .wall_s = report->wall_s,
                              .peak_bytes = report->peak_bytes,
                              .report_json = tide_report_json(report)};
        memcpy(s.by_outcome, report->by_outcome, sizeof s.by_outcome);
        memcpy(s.run_id, report->run_id, sizeof s.run_id);
        memcpy(s.backend, report->backend, sizeof s.backend);
        *summary = s; /* a report that memory was short for is NULL: the fit itself went well */
    }
    free(report);
    tide_config_free(&copy);
    return status;
}
