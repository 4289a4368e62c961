/* cli_forecaster.c - forecasts of the rows of a store, one by one or all of them by several threads. */
#include "host/cli.h"
#include "host/ordered.h"
#include "host/pool.h"
#include "host/quote.h"
#if !defined(TIDE_FRONT)
#include "io/regressors_csv.h"
#endif

#include <stdlib.h>
#include <string.h>

enum { NAMED = 5, NO_MODEL = 0, NO_ROWS = 1, ROWS = 2, NAMES = 3 }; /* places in tide_chunk.note */

tide_status tide_cli_forecaster_open(tide_cli_forecaster *f, const char *store, tide_config *cfg, tide_error *err) {
    memset(f, 0, sizeof *f);
    TIDE_TRY(tide_store_open(store, TIDE_VERIFY_TOUCHED, &f->store, err));
    tide_store_get_info(f->store, &f->info);
    cfg->season = f->info.season; /* the default horizon follows the store */
    TIDE_TRY(tide_config_check(cfg, err));
    f->spec = cfg->predict.spec;
    f->spec.seed = f->info.seed;
    f->spec.season = f->info.season;
    f->by_range = cfg->predict.from || cfg->predict.to;
#if !defined(TIDE_FRONT) /* which has passed such a command on */
    if (cfg->arima.regressors) {
        tide_xreg_table stored;
        tide_regressors merged;
        TIDE_TRY(tide_store_xreg(f->store, &stored, err));
        TIDE_TRY(tide_regressors_over(cfg, &stored, f->info.freq, f->info.ds_kind, &merged, err));
        f->xreg = tide_regressors_table(&merged);
    }
#endif
    return tide_cli_output_describe(&f->shape, cfg, f->info.freq, f->info.ds_kind, err);
}

void tide_cli_forecaster_close(tide_cli_forecaster *f) {
    tide_store_close(f->store);
    free((void *)(uintptr_t)f->xreg.x);
    free((void *)(uintptr_t)f->xreg.present);
    free((void *)(uintptr_t)f->xreg.names);
    free(f->scratch.mean);
    memset(f, 0, sizeof *f);
}

static tide_status make_room(tide_cli_scratch *s, int32_t horizon, int32_t n_levels, tide_error *err) {
    if (horizon <= s->room)
        return TIDE_OK;
    size_t h = (size_t)horizon, l = (size_t)n_levels;
    double *block = (double *)malloc((h + 2 * h * l) * sizeof *block);
    if (!block)
        return tide_fail(err, TIDE_MEMORY, "no memory for %d steps", horizon);
    free(s->mean);
    s->mean = block;
    s->lo = l ? block + h : NULL;
    s->hi = l ? block + h + h * l : NULL;
    s->room = horizon;
    return TIDE_OK;
}

tide_status tide_cli_forecast_row(const tide_cli_forecaster *f, tide_cli_scratch *scratch, int64_t row,
                                  tide_cli_forecast_rows *rows, int *state, tide_error *err) {
    tide_series_model m;
    TIDE_TRY(tide_store_series(f->store, row, &m, err));
    int has_ds = m.n_values > 0 || m.first_ds != 0 || m.last_ds != 0;
    *rows = (tide_cli_forecast_rows){.id = m.id,
                                     .id_length = m.id_length,
                                     .last_ds = m.last_ds,
                                     .end_of_month = m.end_of_month,
                                     .has_ds = has_ds,
                                     .first = 1,
                                     .last = f->spec.horizon,
                                     .stride = 1};
    tide_forecast_spec spec = f->spec;
    *state = m.n_members == 0 ? TIDE_CLI_NO_MODEL : TIDE_CLI_FORECAST;
    if (f->by_range) {
        if (!has_ds || !tide_cli_output_range(&f->shape, m.last_ds, m.end_of_month, &rows->first, &rows->last)) {
            *state = TIDE_CLI_NO_ROWS;
            return TIDE_OK;
        }
        spec.horizon = (int32_t)rows->last;
    }
    TIDE_TRY(make_room(scratch, spec.horizon, spec.n_levels, err));
    TIDE_TRY(tide_store_forecast_with(f->store, row, &spec, f->xreg.n ? &f->xreg : NULL, scratch->mean, scratch->lo, scratch->hi,
                                      err));
    rows->horizon = spec.horizon;
    rows->mean = scratch->mean;
    rows->lo = scratch->lo;
    rows->hi = scratch->hi;
    return TIDE_OK;
}

void tide_cli_note_row(tide_cli_forecaster *f, int64_t row, int state) {
    tide_series_model m;
    char id[64];
    if (state == TIDE_CLI_NO_ROWS)
        ++f->no_rows;
    if (state == TIDE_CLI_NO_MODEL && f->no_model++ < NAMED && !tide_store_series(f->store, row, &m, NULL))
        fprintf(stderr, "tidemill predict: no model for '%s': %s\n", tide_quote(id, sizeof id, m.id, m.id_length),
                tide_outcome_text(m.outcome));
}

void tide_cli_note_end(const tide_cli_forecaster *f) {
    if (f->no_model > NAMED)
        fprintf(stderr, "tidemill predict: %llu series in all have no model; their mean is empty\n",
                (unsigned long long)f->no_model);
    if (f->no_rows)
        fprintf(stderr, "tidemill predict: %llu series have no forecast in the range asked for\n",
                (unsigned long long)f->no_rows);
}

/* --- all ------------------------------------------------------------------------------------------------------- */
typedef struct everything {
    tide_cli_forecaster *f;
    const tide_cli_all *all;
    tide_cli_scratch *scratch; /* a worker */
} everything;

static tide_status make(void *self, int worker, tide_chunk *chunk, FILE *file, tide_error *err) {
    everything *e = (everything *)self;
    for (uint64_t row = chunk->first; row < chunk->first + chunk->n; ++row) {
        tide_cli_forecast_rows rows;
        int state;
        TIDE_TRY(tide_cli_forecast_row(e->f, &e->scratch[worker], (int64_t)row, &rows, &state, err));
        if (state == TIDE_CLI_NO_MODEL && chunk->note[NO_MODEL]++ < TIDE_CHUNK_NOTES - NAMES)
            chunk->note[NAMES + chunk->note[NO_MODEL] - 1] = row;
        chunk->note[NO_ROWS] += state == TIDE_CLI_NO_ROWS;
        if (state != TIDE_CLI_NO_ROWS) {
            chunk->note[ROWS] += (uint64_t)(rows.last - rows.first + 1);
            TIDE_TRY(e->all->put(e->all->self, file, &rows, err));
        }
    }
    return TIDE_OK;
}

static tide_status use(void *self, const tide_chunk *chunk, tide_error *err) {
    everything *e = (everything *)self;
    for (uint64_t i = 0; i < chunk->note[NO_MODEL]; ++i)
        tide_cli_note_row(e->f, i < TIDE_CHUNK_NOTES - NAMES ? (int64_t)chunk->note[NAMES + i] : 0, TIDE_CLI_NO_MODEL);
    e->f->no_rows += chunk->note[NO_ROWS];
    e->f->done += chunk->n;
    if (tide_cli_stopped(NULL))
        return tide_fail(err, TIDE_INTERRUPTED, "stopped by a signal");
    return chunk->size ? e->all->use(e->all->self, chunk->bytes, chunk->size, chunk->note[ROWS], err) : TIDE_OK;
}

tide_status tide_cli_forecast_all(tide_cli_forecaster *f, const tide_cli_all *all, tide_error *err) {
    /* A chunk has some 65536 numbers, so that two sets of them stay small. */
    uint64_t cells = (uint64_t)f->spec.horizon * (1 + 2 * (uint64_t)f->spec.n_levels);
    size_t chunk = cells > 65536 ? 1 : (size_t)(65536 / cells);
    int workers = all->jobs > 0 ? all->jobs : tide_processors();
    if (chunk > 256)
        chunk = 256;
    if ((uint64_t)workers > (f->info.n_series + chunk - 1) / chunk)
        workers = (int)((f->info.n_series + chunk - 1) / chunk);
    everything e = {.f = f, .all = all, .scratch = calloc((size_t)workers + 1, sizeof *e.scratch)};
    if (!e.scratch)
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    const tide_ordered o = {.self = &e,
                            .items = f->info.n_series,
                            .chunk = chunk,
                            .set = (size_t)workers * (cells > 65536 ? 1 : 4),
                            .workers = workers,
                            .make = make,
                            .use = use};
    tide_status status = tide_ordered_run(&o, err);
    for (int i = 0; i <= workers; ++i)
        free(e.scratch[i].mean);
    free(e.scratch);
    return status;
}
