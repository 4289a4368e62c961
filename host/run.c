/* run.c - the pipeline.
 *
 *      free ──► reader ──► read ──► fitter ──► fitted ──► writer ──► free
 *               source,             plan,                 report,
 *               intake              backend.fit           sink.write
 *
 * TIDE_BATCHES batches (a panel, a results block) go round over four queues; their number is what bounds the
 * memory, and they keep their blocks, so that nothing is allocated once the largest batch has been seen.
 * Three threads work; the caller's thread watches: it asks the observer whether to stop and reports progress.
 * The first error of a stage is kept and cancels all queues; each stage then ends at its next hand-over.
 * Order is kept, since each stage is one thread.
 *
 * Sizes. `memory` is shared by TIDE_BATCHES batches and the plan's copy of the values; half of a share goes
 * to the results, half to the values. A panel grows by doubling, hence a factor of two. On the CPU more than
 * a few thousand series a batch gain nothing (a batch should hold many tiles a thread), a GPU wants many
 * more. Results do not depend on it. */
#include "host/run.h"
#include "host/plan.h"
#include "host/queue.h"
#include "host/xreg.h"
#include "kernels/results.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { TIDE_BATCHES = 4 };

typedef struct batch {
    tide_panel panel;
    tide_results results;
    void *block;
    size_t block_bytes;
} batch;

typedef struct run {
    const tide_run_parts *parts;
    tide_source timed; /* the parts' source, each call timed */
    tide_intake *intake;
    tide_report *report;
    tide_plan plan;
    tide_across_work across;
    tide_xreg xreg;
    batch batches[TIDE_BATCHES];
    tide_queue free, read, fitted;
    pthread_mutex_t lock; /* of status, error, ended */
    pthread_cond_t changed;
    tide_status status;
    tide_error error;
    int ended, reader_ended; /* stages that have ended; the first of them */
    _Atomic uint64_t series_read, series_written, bytes, bytes_total;
} run;

/* Keeps the first failure and makes all stages end. */
static void run_fail(run *r, tide_status status, const tide_error *err) {
    pthread_mutex_lock(&r->lock);
    if (r->status == TIDE_OK) {
        r->status = status;
        r->error = *err;
    }
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    tide_queue_cancel(&r->free);
    tide_queue_cancel(&r->read);
    tide_queue_cancel(&r->fitted);
}

static void stage_ended(run *r, int is_reader) {
    pthread_mutex_lock(&r->lock);
    ++r->ended;
    r->reader_ended |= is_reader;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* The next batch: of the panel source where there is one, else of intake. */
static tide_status read_batch(run *r, tide_panel *panel, tide_error *err) {
    tide_panel_source *panels = r->parts->panels;
    tide_panel_clear(panel);
    return panels ? panels->next(panels->self, panel, r->report->batch_series, r->report->batch_values, err)
                  : tide_intake_next(r->intake, panel, err);
}

static void note_progress(run *r) {
    const tide_panel_source *panels = r->parts->panels;
    const tide_source *source = r->parts->source;
    uint64_t done = 0, total = 0;
    if (panels && panels->progress)
        panels->progress(panels->self, &done, &total);
    else if (!panels && source->progress)
        source->progress(source->self, &done, &total);
    atomic_store(&r->bytes, done);
    atomic_store(&r->bytes_total, total);
}

static tide_status timed_next(void *self, tide_rows *rows, tide_error *err) {
    run *r = (run *)self;
    double start = tide_now_s();
    tide_status status = r->parts->source->next(r->parts->source->self, rows, err);
    r->report->source_s += tide_now_s() - start;
    return status;
}

static void *reader(void *arg) {
    run *r = (run *)arg;
    tide_stage *time = &r->report->read;
    batch *b;
    while ((b = (batch *)tide_queue_pop(&r->free, &time->wait_s))) {
        tide_error err = {TIDE_OK, ""};
        double start = tide_now_s();
        tide_status status = read_batch(r, &b->panel, &err);
        time->busy_s += tide_now_s() - start;
        if (status) {
            run_fail(r, status, &err);
            break;
        }
        note_progress(r);
        if (b->panel.n_series == 0)
            break;
        atomic_fetch_add(&r->series_read, b->panel.n_series);
        if (!tide_queue_push(&r->read, b, &time->wait_s))
            break;
    }
    tide_queue_close(&r->read);
    stage_ended(r, 1);
    return NULL;
}

/* Results of the batch's panel, mapped into its block, which grows when it must. */
static tide_status map_results(batch *b, const tide_fit_spec *spec, const tide_regressors *x, tide_error *err) {
    tide_results *res = &b->results;
    memset(res, 0, sizeof *res);
    res->n_series = b->panel.n_series;
    res->slots = spec->slots;
    res->coef_rows = tide_coef_rows(spec);
    res->state_rows = tide_state_rows(spec);
    if (x) {
        res->xreg = x->x;
        res->xreg_rows = x->rows;
        res->xreg_columns = (int32_t)x->n;
    }
    size_t bytes = tide_results_map(res, NULL);
    if (bytes > b->block_bytes) {
        free(b->block);
        b->block_bytes = 0;
        b->block = aligned_alloc(64, bytes);
        if (!b->block)
            return tide_fail(err, TIDE_MEMORY, "no memory for the results of %zu series (%zu bytes)",
                             res->n_series, bytes);
        b->block_bytes = bytes;
    }
    tide_results_map(res, b->block);
    return TIDE_OK;
}

/* Adds the time since *since to *seconds, and begins anew. */
static void lap(double *since, double *seconds) {
    double now = tide_now_s();
    *seconds += now - *since;
    *since = now;
}

/* Plan, starts and fit of a batch, but for series that an earlier run has fitted: a batch that holds others too is fitted
 * whole, which gives these the same bits again. */
static tide_status fit_batch(run *r, batch *b, tide_error *err) {
    const tide_run_parts *p = r->parts;
    tide_report *report = r->report;
    double since = tide_now_s();
    TIDE_TRY(map_results(b, &p->cfg->fit, p->regressors, err));
    if (p->work)
        return p->work(p->work_self, &b->panel, &b->results, err);
    if (p->sink->recall) {
        TIDE_TRY(p->sink->recall(p->sink->self, &b->panel, &b->results, err));
        report->resumed += b->panel.kept;
        if (b->panel.kept == b->panel.n_series)
            return TIDE_OK;
    }
    tide_status status = tide_plan_build(&r->plan, &b->panel, err);
    if (!status && p->regressors)
        status = tide_xreg_fill(&r->xreg, &b->panel, &r->plan, err);
    lap(&since, &report->plan_s);
    if (!status && p->warm) {
        uint64_t found = 0;
        status = tide_warm_fill(p->warm, &b->panel, &r->plan, &found, err);
        report->warm_series += found;
        lap(&since, &report->warm_s);
    }
    return status ? status
                  : tide_across_fit(&r->across, p->backend, &p->cfg->fit, p->cfg->across, &r->plan.tiles, &b->results,
                                    b->panel.backtest_error, err);
}

static void *fitter(void *arg) {
    run *r = (run *)arg;
    tide_stage *time = &r->report->fit;
    batch *b;
    while ((b = (batch *)tide_queue_pop(&r->read, &time->wait_s))) {
        tide_error err = {TIDE_OK, ""};
        double start = tide_now_s();
        tide_status status = fit_batch(r, b, &err);
        time->busy_s += tide_now_s() - start;
        if (status) {
            run_fail(r, status, &err);
            break;
        }
        if (!tide_queue_push(&r->fitted, b, &time->wait_s))
            break;
    }
    tide_queue_close(&r->fitted);
    stage_ended(r, 0);
    return NULL;
}

static void *writer(void *arg) {
    run *r = (run *)arg;
    tide_sink *sink = r->parts->sink;
    tide_stage *time = &r->report->write;
    batch *b;
    while ((b = (batch *)tide_queue_pop(&r->fitted, &time->wait_s))) {
        tide_error err = {TIDE_OK, ""};
        double start = tide_now_s();
        tide_report_add(r->report, &b->panel, &b->results);
        tide_status status = sink->write(sink->self, &b->panel, &b->results, &err);
        time->busy_s += tide_now_s() - start;
        if (status) {
            run_fail(r, status, &err);
            break;
        }
        atomic_fetch_add(&r->series_written, b->panel.n_series);
        /* The reader may have ended already; the free queue has room for all batches. */
        if (!tide_queue_push(&r->free, b, &time->wait_s))
            break;
    }
    stage_ended(r, 0);
    return NULL;
}

static void show_progress(run *r, double start, int finished) {
    const tide_observer *o = r->parts->observer;
    if (!o || !o->progress)
        return;
    tide_progress p = {.series = atomic_load(&r->series_written),
                       .series_read = atomic_load(&r->series_read),
                       .bytes = atomic_load(&r->bytes),
                       .bytes_total = atomic_load(&r->bytes_total),
                       .elapsed_s = tide_now_s() - start,
                       .eta_s = -1.0,
                       .finished = finished};
    p.rate = p.elapsed_s > 0.0 ? (double)p.series / p.elapsed_s : 0.0;
    if (p.bytes && p.bytes_total && p.rate > 0.0 && p.bytes <= p.bytes_total) {
        double all = (double)p.series_read * (double)p.bytes_total / (double)p.bytes;
        p.eta_s = all > (double)p.series ? (all - (double)p.series) / p.rate : 0.0;
    }
    o->progress(o->self, &p);
}

static int asked_to_stop(const run *r) {
    const tide_observer *o = r->parts->observer;
    return o && o->stop && o->stop(o->self);
}

/* Until all three stages have ended: asks whether to stop ten times a second, shows progress five times. */
static void watch(run *r, double start) {
    double stopped_s = 0.0;
    for (int tick = 0;; ++tick) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            ++until.tv_sec;
        }
        pthread_mutex_lock(&r->lock);
        if (r->ended < 3)
            pthread_cond_timedwait(&r->changed, &r->lock, &until);
        int ended = r->ended, only_reader = ended == 2 && !r->reader_ended;
        pthread_mutex_unlock(&r->lock);
        if (ended == 3)
            return;
        if (asked_to_stop(r)) {
            tide_error err;
            tide_fail(&err, TIDE_INTERRUPTED, "stopped by a signal; nothing was published");
            run_fail(r, TIDE_INTERRUPTED, &err);
            if (stopped_s <= 0.0)
                stopped_s = tide_now_s();
            if (only_reader && r->parts->observer->stuck && tide_now_s() - stopped_s > 1.0)
                r->parts->observer->stuck(r->parts->observer->self);
        }
        if (tick % 2)
            show_progress(r, start, 0);
    }
}

/* Batch sizes that the config leaves open (0), from its memory (see the head of the file). */
static void choose_batch(const tide_run_parts *p, tide_intake_options *o) {
    const tide_config *cfg = p->cfg;
    tide_results one = {.n_series = 1024,
                        .slots = cfg->fit.slots,
                        .coef_rows = tide_coef_rows(&cfg->fit),
                        .state_rows = tide_state_rows(&cfg->fit)};
    size_t a_series = tide_results_map(&one, NULL) / 1024 + 128;
    size_t across = (cfg->fit.families & (cfg->fit.families - 1)) != 0; /* a copy of both more (across.h) */
    size_t share = cfg->memory_bytes / (TIDE_BATCHES + 1 + across) / 2;
    if (!o->batch_series) {
        size_t most = p->backend->batch_series > 4096 ? p->backend->batch_series : 4096;
        size_t n = share / a_series;
        n = n < most ? n : most;
        o->batch_series = n < TIDE_TILE_WIDTH ? TIDE_TILE_WIDTH : n / TIDE_TILE_WIDTH * TIDE_TILE_WIDTH;
    }
    if (!o->batch_values)
        o->batch_values = share / (2 * sizeof(double));
}

static uint64_t peak_bytes(void) {
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) == 0 ? (uint64_t)u.ru_maxrss * 1024u : 0;
}

static tide_status start_queues(run *r, tide_error *err) {
    tide_queue *queues[3] = {&r->free, &r->read, &r->fitted};
    for (int i = 0; i < 3; ++i) {
        tide_status status = tide_queue_init(queues[i], TIDE_BATCHES, err);
        if (status) {
            while (i--)
                tide_queue_free(queues[i]);
            return status;
        }
    }
    return TIDE_OK;
}

/* Runs the three stages to their end. */
static void run_stages(run *r, double start) {
    void *(*const stages[3])(void *) = {reader, fitter, writer};
    pthread_t thread[3];
    int started = 0;
    for (int i = 0; i < TIDE_BATCHES; ++i)
        tide_queue_push(&r->free, &r->batches[i], NULL);
    while (started < 3 && pthread_create(&thread[started], NULL, stages[started], r) == 0)
        ++started;
    if (started < 3) {
        tide_error err;
        tide_fail(&err, TIDE_MEMORY, "cannot start a thread of the pipeline");
        run_fail(r, TIDE_MEMORY, &err);
        for (int i = started; i < 3; ++i)
            stage_ended(r, i == 0);
    }
    watch(r, start);
    for (int i = 0; i < started; ++i)
        pthread_join(thread[i], NULL);
}

static tide_status finish(run *r, tide_error *err) {
    const tide_run_parts *p = r->parts;
    if (r->status) {
        if (err)
            *err = r->error;
        return r->status;
    }
    if (asked_to_stop(r))
        return tide_fail(err, TIDE_INTERRUPTED, "stopped by a signal; nothing was published");
    if (!r->report->series)
        return tide_fail(err, TIDE_INPUT, "%s: no series (no usable row)", p->source->name);
    if (p->regressors && r->xreg.uncovered.n && !r->xreg.covered && !r->report->resumed)
        return tide_fail(err, TIDE_INPUT, "the regressors cover no series: %s", r->xreg.uncovered.named[0]);
    double start = tide_now_s();
    tide_status status = p->before_finish ? p->before_finish(p->before_self, err) : TIDE_OK;
    if (!status)
        status = p->sink->finish(p->sink->self, err);
    r->report->finish_s = tide_now_s() - start;
    return status;
}

tide_status tide_run(const tide_run_parts *parts, tide_report *report, tide_error *err) {
    const tide_config *cfg = parts->cfg;
    double start = tide_now_s();
    tide_status status;
    memset(report, 0, sizeof *report);
    run *r = (run *)calloc(1, sizeof *r);
    if (!r)
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    tide_intake_options intake = cfg->intake;
    r->parts = parts;
    r->report = report;
    r->xreg.regressors = parts->regressors;
    r->xreg.linalg = parts->linalg;
    choose_batch(parts, &intake);
    report->batch_series = intake.batch_series;
    report->batch_values = intake.batch_values;
    report->season = cfg->fit.season;
    tide_freq_format(cfg->intake.freq, report->freq, sizeof report->freq);
    if (parts->warm) {
        const tide_store_info *info = tide_warm_info(parts->warm);
        report->warm_generation = info->generation;
        snprintf(report->warm_run_id, sizeof report->warm_run_id, "%s", info->run_id);
        snprintf(report->warm_store, sizeof report->warm_store, "%s", tide_warm_path(parts->warm));
    }
    snprintf(report->source, sizeof report->source, "%s", parts->source->name);
    snprintf(report->sink, sizeof report->sink, "%s", parts->sink->name);
    snprintf(report->backend, sizeof report->backend, "%s", parts->backend->name);

    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    status = start_queues(r, err);
    if (status)
        goto no_queues;
    if (!parts->panels) {
        r->timed = *parts->source;
        r->timed.self = r;
        r->timed.next = timed_next;
        status = tide_intake_open(&r->timed, &intake, &report->intake, &r->intake, err);
    }
    if (!status) {
        run_stages(r, start);
        report->uncovered = r->xreg.uncovered;
        status = finish(r, err);
        if (parts->backend->note)
            snprintf(report->backend_note, sizeof report->backend_note, "%s",
                     parts->backend->note(parts->backend->self));
        tide_intake_close(r->intake);
        if (!status)
            show_progress(r, start, 1);
    }
    for (int i = 0; i < TIDE_BATCHES; ++i) {
        tide_panel_free(&r->batches[i].panel);
        free(r->batches[i].block);
    }
    tide_plan_free(&r->plan);
    tide_across_free(&r->across);
    tide_xreg_free(&r->xreg);
    tide_queue_free(&r->free);
    tide_queue_free(&r->read);
    tide_queue_free(&r->fitted);
no_queues:
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
    report->wall_s = tide_now_s() - start;
    report->peak_bytes = peak_bytes();
    return status;
}
