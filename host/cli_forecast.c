/* cli_forecast.c - tidemill forecast: fit and predict in one call, keeping no store.
 *
 * The pipeline's sink forecasts each batch and prints it. A backend does one thing at a time, so fitting and
 * forecasting take turns on it under a lock; both use all of it. */
#include "host/cli.h"
#include "host/names.h"
#include "host/quote.h"
#include "host/run.h"
#include "io/open.h"
#include "io/regressors_csv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct forecaster {
    const tide_config *cfg;
    tide_backend inner;
    pthread_mutex_t lock; /* of inner */
    tide_cli_output out;
    tide_xreg_feed xreg;
    const char *path;
    tide_ds_kind ds_kind;
    int opened;
    double *block;
    uint64_t *key;
    size_t block_bytes, key_count;
} forecaster;

static tide_status locked_fit(void *self, const tide_fit_spec *spec, const tide_tiles *tiles,
                              tide_results *results, tide_error *err) {
    forecaster *f = (forecaster *)self;
    pthread_mutex_lock(&f->lock);
    tide_status status = f->inner.fit(f->inner.self, spec, tiles, results, err);
    pthread_mutex_unlock(&f->lock);
    return status;
}

static tide_status locked_forecast(void *self, const tide_forecast_spec *spec, const tide_results *results,
                                   const uint64_t *key, double *mean, double *lo, double *hi, tide_error *err) {
    forecaster *f = (forecaster *)self;
    pthread_mutex_lock(&f->lock);
    tide_status status = f->inner.forecast(f->inner.self, spec, results, key, mean, lo, hi, err);
    pthread_mutex_unlock(&f->lock);
    return status;
}

static const char *locked_note(void *self) {
    forecaster *f = (forecaster *)self;
    return f->inner.note ? f->inner.note(f->inner.self) : "";
}

/* Room for the forecasts and keys of n series over `horizon` steps. */
static tide_status make_room(forecaster *f, size_t n, size_t horizon, tide_error *err) {
    size_t columns = 1 + 2 * (size_t)f->cfg->predict.spec.n_levels, bytes;
    if (__builtin_mul_overflow(n, horizon, &bytes) ||
        __builtin_mul_overflow(bytes, columns * sizeof(double), &bytes))
        return tide_fail(err, TIDE_MEMORY, "%zu series of %zu steps do not fit into memory", n, horizon);
    if (bytes > f->block_bytes) {
        free(f->block);
        f->block = (double *)malloc(bytes);
        f->block_bytes = f->block ? bytes : 0;
    }
    if (n > f->key_count) {
        free(f->key);
        f->key = (uint64_t *)malloc(n * sizeof *f->key);
        f->key_count = f->key ? n : 0;
    }
    if (!f->block_bytes || !f->key_count)
        return tide_fail(err, TIDE_MEMORY, "no memory for the forecasts of %zu series", n);
    return TIDE_OK;
}

/* Longest horizon that a series of the panel needs; 0 when no series has steps to show. */
static int64_t longest(const forecaster *f, const tide_panel *p) {
    int64_t most = 0, first, last;
    for (size_t i = 0; i < p->n_series; ++i)
        if (tide_cli_output_range(&f->out, p->last_ds[i], p->end_of_month[i], &first, &last) && last > most)
            most = last;
    return most;
}

/* Do the regressors reach as far as the forecasts of all series whose model has them? */
static tide_status check_reach(const forecaster *f, const tide_panel *p, const tide_results *r, tide_error *err) {
    const tide_regressors *x = &f->xreg.regressors;
    for (size_t i = 0; i < p->n_series && f->xreg.on; ++i) {
        int64_t first, last;
        int takes = 0;
        for (size_t j = 0; j < r->n_members[i]; ++j)
            takes |= r->family[j * r->n_series + i] == TIDE_FAMILY_ARIMA;
        if (!takes || !tide_cli_output_range(&f->out, p->last_ds[i], p->end_of_month[i], &first, &last))
            continue;
        int64_t reach = (int64_t)tide_regressors_reach(x, (size_t)r->xreg_next[i]);
        if (reach >= last)
            continue;
        char id[96], ds[40];
        tide_ds_format(x->kind, tide_grid_add(x->freq, x->kind, p->last_ds[i], reach + 1, p->end_of_month[i]), ds, sizeof ds);
        return tide_fail(err, TIDE_INPUT, "series '%s': no regressors at %s",
                         tide_quote(id, sizeof id, p->ids + p->id_at[i], p->id_at[i + 1] - p->id_at[i]), ds);
    }
    return TIDE_OK;
}

static tide_status sink_write(void *self, const tide_panel *p, const tide_results *results, tide_error *err) {
    forecaster *f = (forecaster *)self;
    size_t n = p->n_series;
    if (!f->opened) {
        TIDE_TRY(tide_cli_output_open(&f->out, f->path, f->cfg, f->cfg->intake.freq, f->ds_kind, err));
        f->opened = 1;
    }
    tide_forecast_spec spec = f->cfg->predict.spec;
    int64_t horizon = longest(f, p);
    if (horizon == 0)
        return TIDE_OK;
    TIDE_TRY(check_reach(f, p, results, err));
    spec.horizon = (int32_t)horizon;
    TIDE_TRY(make_room(f, n, (size_t)horizon, err));
    double *mean = f->block, *lo = NULL, *hi = NULL;
    if (spec.n_levels) {
        lo = mean + n * (size_t)horizon;
        hi = lo + n * (size_t)horizon * (size_t)spec.n_levels;
    }
    for (size_t i = 0; i < n; ++i)
        f->key[i] = tide_id_key(p->ids + p->id_at[i], p->id_at[i + 1] - p->id_at[i]);
    tide_status status = locked_forecast(f, &spec, results, f->key, mean, lo, hi, err);
    for (size_t i = 0; i < n && !status; ++i) {
        tide_cli_forecast_rows rows = {.id = p->ids + p->id_at[i],
                                       .id_length = p->id_at[i + 1] - p->id_at[i],
                                       .last_ds = p->last_ds[i],
                                       .end_of_month = p->end_of_month[i],
                                       .has_ds = p->at[i + 1] > p->at[i] || p->first_ds[i] != 0 ||
                                                 p->last_ds[i] != 0,
                                       .horizon = spec.horizon,
                                       .mean = mean + i,
                                       .lo = lo ? lo + i : NULL,
                                       .hi = hi ? hi + i : NULL,
                                       .stride = n};
        if (tide_cli_output_range(&f->out, rows.last_ds, rows.end_of_month, &rows.first, &rows.last))
            status = tide_cli_output_rows(&f->out, &rows, err);
    }
    return status;
}

static tide_status sink_finish(void *self, tide_error *err) {
    return tide_cli_output_close(&((forecaster *)self)->out, 1, err);
}

/* Series a batch, so that their forecasts take a quarter of the memory at most. */
static void limit_batch(tide_config *cfg, size_t wanted) {
    size_t bytes =
        (size_t)cfg->predict.spec.horizon * (1 + 2 * (size_t)cfg->predict.spec.n_levels) * sizeof(double);
    size_t n = cfg->memory_bytes / 4 / bytes;
    if (cfg->intake.batch_series)
        return;
    if (n > wanted)
        n = wanted;
    cfg->intake.batch_series = n < TIDE_TILE_WIDTH ? TIDE_TILE_WIDTH : n / TIDE_TILE_WIDTH * TIDE_TILE_WIDTH;
}

static tide_status forecast(tide_config *cfg, const char *path, const tide_observer *observer,
                            tide_report *report, tide_error *err) {
    forecaster f;
    tide_feed feed;
    char note[256] = "";
    memset(&f, 0, sizeof f);
    TIDE_TRY(tide_feed_open(cfg, NULL, observer, &feed, err));
    pthread_mutex_init(&f.lock, NULL);
    tide_status status = tide_backend_open(&cfg->backend, &f.inner, note, sizeof note, err);
    if (!status)
        status = tide_xreg_feed_open(cfg, feed.ds_kind, &f.inner, observer, &f.xreg, err);
    if (!status) {
        if (*note)
            observer->message(observer->self, TIDE_LOG_INFO, note);
        tide_backend locked = f.inner;
        locked.self = &f;
        locked.fit = locked_fit;
        locked.forecast = locked_forecast; /* of a backtest */
        locked.note = locked_note;
        limit_batch(cfg, f.inner.batch_series > 4096 ? f.inner.batch_series : 4096);
        f.cfg = cfg;
        f.path = path;
        f.ds_kind = feed.ds_kind;
        tide_sink sink = {.self = &f, .name = "forecasts", .write = sink_write, .finish = sink_finish};
        const tide_run_parts parts = {
            .cfg = cfg, .backend = &locked, .source = &feed.source, .sink = &sink, .observer = observer,
            .regressors = f.xreg.on ? &f.xreg.regressors : NULL, .linalg = f.xreg.on ? &f.xreg.linalg : NULL};
        status = tide_run(&parts, report, err);
        tide_feed_tell(&feed, observer);
        tide_cli_output_close(&f.out, 0, NULL);
    }
    if (f.inner.close)
        f.inner.close(f.inner.self);
    tide_xreg_feed_close(&f.xreg);
    free(f.block);
    free(f.key);
    pthread_mutex_destroy(&f.lock);
    tide_feed_close(&feed);
    return status;
}

static tide_status run(const tide_cli_command *self, int argc, char **argv, tide_error *err) {
    const char *report_path = NULL, *output = NULL;
    int quiet = 0;
    const tide_cli_flag own[] = {
        {"output", TIDE_CLI_TEXT, &output, "FILE", "write here instead of standard output"},
        {"report", TIDE_CLI_TEXT, &report_path, "FILE", "write the run's report as JSON"},
        {"quiet", TIDE_CLI_SWITCH, &quiet, NULL,
         "no progress and no summary on stderr; errors and warnings remain"},
        {NULL, TIDE_CLI_SWITCH, NULL, NULL, NULL}};
    tide_cli_args args;
    tide_cli_progress progress;
    tide_report *report = (tide_report *)calloc(1, sizeof *report);
    tide_status status = tide_cli_parse(self, own, argc, argv, &args, err);
    if (status || args.helped)
        goto done;
    status = tide_cli_take_source(&args, err);
    if (!status && !report)
        status = tide_fail(err, TIDE_MEMORY, "out of memory");
    if (status)
        goto done;
    tide_observer observer = tide_cli_observer(&progress, quiet);
    status = forecast(&args.cfg, output, &observer, report, err);
    status = tide_cli_finish(&progress, status, report, quiet, report_path, err);
done:
    free(report);
    tide_cli_args_free(&args, own);
    return status;
}

const tide_cli_command tide_cli_forecast = {
    .name = "forecast",
    .bit = TIDE_CMD_FORECAST,
    .argument = "SOURCE",
    .usage = "SOURCE [options]",
    .summary = "fits every series and prints its forecasts, keeping no store",
    .text = "The same as fit and then predict --all, with the same numbers. SOURCE as for fit, output as for "
            "predict.\n",
    .examples = "  tidemill forecast sales.csv --freq M --horizon 12 --level 80,95 > forecasts.csv\n"
                "  tidemill forecast simulate:100 --freq W --format json\n",
    .run = run};
