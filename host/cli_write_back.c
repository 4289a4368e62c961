/* cli_write_back.c - forecasts of all series of a store, and the models if asked, into Postgres tables. */
#include "host/cli.h"
#include "host/ordered.h"
#include "host/pool.h"
#include "host/queue.h"
#include "io/postgres.h"
#include "io/postgres_forecasts.h"
#include "io/store_dir.h"

#include <stdlib.h>
#include <string.h>

typedef struct writing {
    tide_cli_forecaster f;
    tide_write_back *back;
    uint64_t forecasts, parameters; /* rows */
    tide_cli_progress progress;
    tide_observer observer;
    double start, shown; /* seconds */
} writing;

tide_status tide_cli_write_back_check(const tide_cli_write_back *w, tide_error *err) {
    if (!w->url || !tide_postgres_is_url(w->url))
        return tide_fail(err, TIDE_USAGE, "the output must be a file or postgresql://...");
    if (!w->table)
        return tide_fail(err, TIDE_USAGE, "forecasts into Postgres need --table TABLE");
    if (w->lock_timeout > 604800)
        return tide_fail(err, TIDE_USAGE, "--lock-timeout: at most 604800 seconds");
    return TIDE_OK;
}

tide_status tide_cli_write_back_probe(const tide_cli_write_back *w, const tide_config *cfg, tide_error *err) {
    const tide_write_back_options o = {.url = w->url,
                                       .table = w->table,
                                       .parameters = w->parameters,
                                       .connect_timeout_s = cfg->source.connect_timeout_s,
                                       .statement_timeout_s = cfg->source.statement_timeout_s};
    return tide_write_back_probe(&o, err);
}

static tide_status put_rows(void *self, FILE *f, const tide_cli_forecast_rows *rows, tide_error *err) {
    const writing *w = (const writing *)self;
    const tide_write_back_series s = {
        .id = rows->id,
        .id_length = rows->id_length,
        .grid = tide_grid_start(w->f.info.freq, w->f.info.ds_kind, rows->last_ds, rows->end_of_month),
        .has_ds = rows->has_ds,
        .first = rows->first,
        .last = rows->last,
        .horizon = rows->horizon,
        .mean = rows->mean,
        .lo = rows->lo,
        .hi = rows->hi};
    return tide_write_back_rows(w->back, f, &s, err);
}

/* finished clears the bar. */
static void show(writing *w, int finished) {
    double now = tide_now_s(), elapsed = now - w->start, rate = elapsed > 0.0 ? (double)w->f.done / elapsed : 0.0;
    if (!finished && now - w->shown < 0.2)
        return;
    w->shown = now;
    const tide_progress p = {.series = w->f.done,
                             .series_read = w->f.done,
                             .elapsed_s = elapsed,
                             .rate = rate,
                             .eta_s = rate > 0.0 ? (double)(w->f.info.n_series - w->f.done) / rate : -1.0,
                             .finished = finished};
    w->observer.progress(w->observer.self, &p);
}

static tide_status send_rows(void *self, const char *bytes, size_t n, uint64_t rows, tide_error *err) {
    writing *w = (writing *)self;
    w->forecasts += rows;
    show(w, 0);
    return tide_write_back_send(w->back, bytes, n, rows, err);
}

static tide_status make_members(void *self, int worker, tide_chunk *chunk, FILE *f, tide_error *err) {
    const writing *w = (const writing *)self;
    (void)worker;
    for (uint64_t row = chunk->first; row < chunk->first + chunk->n; ++row) {
        tide_series_model series;
        TIDE_TRY(tide_store_series(w->f.store, (int64_t)row, &series, err));
        for (int32_t j = 0; j < series.n_members; ++j) {
            tide_member m;
            TIDE_TRY(tide_store_member(w->f.store, &series, j, &m, err));
            TIDE_TRY(tide_write_back_member(w->back, f, &series, j, &m, err));
            ++chunk->note[0];
        }
    }
    return TIDE_OK;
}

static tide_status send_members(void *self, const tide_chunk *chunk, tide_error *err) {
    writing *w = (writing *)self;
    w->parameters += chunk->note[0];
    if (tide_cli_stopped(NULL))
        return tide_fail(err, TIDE_INTERRUPTED, "stopped by a signal");
    return chunk->size ? tide_write_back_send(w->back, chunk->bytes, chunk->size, chunk->note[0], err) : TIDE_OK;
}

static tide_status write_members(writing *w, int jobs, tide_error *err) {
    const int workers = jobs > 0 ? jobs : tide_processors();
    const tide_ordered o = {.self = w,
                            .items = w->f.info.n_series,
                            .chunk = 256,
                            .set = 4 * (size_t)workers,
                            .workers = workers,
                            .make = make_members,
                            .use = send_members};
    TIDE_TRY(tide_write_back_parameters(w->back, err));
    return tide_ordered_run(&o, err);
}

static tide_status write_all(writing *w, const tide_cli_write_back *how, const tide_config *cfg, double *swap_s,
                             tide_error *err) {
    const tide_write_back_options o = {.url = how->url,
                                       .table = how->table,
                                       .parameters = how->parameters,
                                       .ds_kind = w->f.info.ds_kind,
                                       .season = w->f.info.season,
                                       .n_levels = w->f.spec.n_levels,
                                       .level = w->f.spec.level,
                                       .run_id = w->f.info.run_id,
                                       .generation = w->f.info.generation,
                                       .replace_rows = how->replace_rows,
                                       .connect_timeout_s = cfg->source.connect_timeout_s,
                                       .statement_timeout_s = cfg->source.statement_timeout_s,
                                       .lock_timeout_s = (int)how->lock_timeout,
                                       .stop = tide_cli_stopped};
    TIDE_TRY(tide_write_back_open(&o, &w->back, err));
    const tide_cli_all all = {.self = w, .jobs = cfg->backend.jobs, .put = put_rows, .use = send_rows};
    TIDE_TRY(tide_cli_forecast_all(&w->f, &all, err));
    if (how->parameters)
        TIDE_TRY(write_members(w, cfg->backend.jobs, err));
    return tide_write_back_finish(w->back, swap_s, err);
}

tide_status tide_cli_write_back_run(const tide_cli_write_back *how, const char *store, tide_config *cfg, tide_error *err) {
    writing w;
    double swap_s = 0.0;
    memset(&w, 0, sizeof w);
    w.observer = tide_cli_observer(&w.progress, how->quiet);
    w.start = w.shown = tide_now_s();
    tide_status status = tide_cli_forecaster_open(&w.f, store, cfg, err);
    if (!status)
        status = write_all(&w, how, cfg, &swap_s, err);
    show(&w, 1);
    tide_write_back_close(w.back);
    tide_cli_note_end(&w.f);
    if (!status && !how->quiet) {
        fprintf(stderr, "%llu forecasts of %llu series, generation %llu, in table %s after %.2f s (the last step %.3f s)\n",
                (unsigned long long)w.forecasts, (unsigned long long)w.f.info.n_series,
                (unsigned long long)w.f.info.generation, how->table, tide_now_s() - w.start, swap_s);
        if (how->parameters)
            fprintf(stderr, "%llu members of models in table %s\n", (unsigned long long)w.parameters, how->parameters);
    }
    tide_cli_forecaster_close(&w.f);
    return status;
}

tide_status tide_cli_write_back_generation(const tide_cli_write_back *w, tide_config *cfg, uint64_t generation,
                                           tide_error *err) {
    char name[32], path[1024];
    tide_generation_name(generation, name);
    snprintf(path, sizeof path, "%s/%s", cfg->store.dir, name);
    tide_status status = tide_cli_write_back_run(w, path, cfg, err);
    return status ? tide_error_prefix(err, status, "generation %llu is published, but not written back",
                                      (unsigned long long)generation)
                  : TIDE_OK;
}
