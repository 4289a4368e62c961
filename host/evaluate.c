/* evaluate.c - see evaluate.h.
 *
 * A panel goes through in three steps: windows (what each sees and what it is scored on), for each origin, oldest first, a
 * plan of the panel cut there, its fit and its forecasts, then the scores by a pool. At last one thread adds up, series by
 * series. Memory: the cut panel and its tiles, and forecasts and scores of all origins (tide_evaluator_bytes). */
#include "host/evaluate.h"

#include "host/across.h"
#include "host/plan.h"
#include "host/pool.h"
#include "host/quote.h"
#include "host/since.h"
#include "host/xreg.h"
#include "kernels/tide_fn.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_TRAIN = 4 };

typedef struct window {
    int32_t train; /* steps of the panel before the origin */
    int32_t skip;  /* steps between the origin and the first value: a store's, of rows that begin later */
    int32_t steps; /* of the panel to score, from `train` on */
    int32_t values;
    int64_t row;   /* of the store */
    int16_t outcome;
    uint8_t status;
} window;

struct tide_evaluator {
    tide_evaluation report;
    tide_evaluated_fn row;
    void *row_self;
    tide_pool *pool;
    tide_plan plan;
    tide_across_work across;
    tide_xreg xreg;
    size_t n_metrics, n_values; /* metrics of the model; doubles a window */
    /* Of the panel at hand: */
    const tide_panel *panel;
    tide_panel cut;    /* only what a plan looks at */
    window *windows;   /* [origins*n] */
    double *scores;    /* [origins*n*n_values]: of the model, then six of each benchmark */
    double *forecasts; /* [origins*horizon*(1 + 2 levels)*n]; of an origin mean, lo, hi */
    uint64_t *key;     /* [n] */
    double *scratch;   /* [workers*scratch_size]: two benchmarks, or a store's mean, lo, hi */
    size_t cap_series, cap_values, scratch_size;
    tide_status status; /* first failure of a worker, by item */
    tide_error err;
    size_t failed_item;
    pthread_mutex_t lock; /* of the three */
};

const char *tide_window_status_name(int status) {
    static const char *const names[TIDE_WINDOW_STATUSES] = {"scored",   "too_short",    "shut_out",     "no_actuals",
                                                            "no_model", "not_in_store", "no_new_values", "off_grid"};
    return status >= 0 && status < TIDE_WINDOW_STATUSES ? names[status] : "?";
}

const char *tide_method_name(int method) {
    static const char *const names[TIDE_METHODS] = {"model", "snaive", "naive2"};
    return method >= 0 && method < TIDE_METHODS ? names[method] : "?";
}

void tide_tally_add(tide_tally *tally, const double *value, int n_metrics, double n_values) {
    for (int m = 0; m < n_metrics; ++m) {
        int coverage = m >= TIDE_METRIC_LEVELS && (m - TIDE_METRIC_LEVELS) % TIDE_LEVEL_METRICS == TIDE_LEVEL_COVERAGE;
        double weight = coverage ? n_values : 1.0;
        if (isnan(value[m]))
            continue;
        tally->sum[m] += weight * value[m];
        tally->weight[m] += weight;
    }
}

double tide_tally_mean(const tide_tally *tally, int metric) {
    return tally->weight[metric] > 0.0 ? tally->sum[metric] / tally->weight[metric] : TIDE_NAN;
}

double tide_evaluation_owa(const tide_evaluation *e, int method) {
    double parts[2];
    for (int i = 0; i < 2; ++i) {
        int metric = i ? TIDE_METRIC_MASE : TIDE_METRIC_SMAPE;
        double naive = tide_tally_mean(&e->total[TIDE_METHOD_NAIVE2], metric);
        parts[i] = naive > 0.0 ? tide_tally_mean(&e->total[method], metric) / naive : TIDE_NAN;
    }
    return 0.5 * (parts[0] + parts[1]);
}

/* --- memory -------------------------------------------------------------------------------------------------- */

static size_t forecast_doubles(const tide_evaluate_options *o) {
    return (size_t)o->forecast.horizon * (1 + 2 * (size_t)o->forecast.n_levels);
}

static size_t score_doubles(const tide_evaluate_options *o) {
    return (size_t)tide_metric_count(o->forecast.n_levels) + (TIDE_METHODS - 1) * TIDE_METRIC_LEVELS;
}

size_t tide_evaluator_bytes(const tide_evaluate_options *o) {
    size_t origins = o->store || o->origins < 1 ? 1 : (size_t)o->origins;
    return origins * ((forecast_doubles(o) + score_doubles(o)) * sizeof(double) + sizeof(window)) + 64;
}

static void *grown(void *old, size_t count, size_t size) {
    size_t bytes;
    free(old);
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : malloc(bytes + 64);
}

/* Room for a panel of n series and `values` values. */
static tide_status reserve(tide_evaluator *e, size_t n, size_t values, tide_error *err) {
    const tide_evaluate_options *o = &e->report.options;
    size_t each = (size_t)o->origins * n;
    if (n > e->cap_series) {
        e->cap_series = 0;
        e->cut.at = grown(e->cut.at, n + 1, sizeof *e->cut.at);
        e->cut.outcome = grown(e->cut.outcome, n, 1);
        e->cut.last_ds = grown(e->cut.last_ds, n, sizeof *e->cut.last_ds);
        e->windows = grown(e->windows, each, sizeof *e->windows);
        e->scores = grown(e->scores, each, score_doubles(o) * sizeof *e->scores);
        e->forecasts = grown(e->forecasts, each, forecast_doubles(o) * sizeof *e->forecasts);
        e->key = grown(e->key, n, sizeof *e->key);
        if (!e->cut.at || !e->cut.outcome || !e->cut.last_ds || !e->windows || !e->scores || !e->forecasts || !e->key)
            return tide_fail(err, TIDE_MEMORY, "no memory to evaluate %zu series at %d origins", n, (int)o->origins);
        e->cap_series = n;
    }
    if (values > e->cap_values && !o->store) {
        e->cap_values = 0;
        e->cut.y = grown(e->cut.y, values, sizeof *e->cut.y);
        if (!e->cut.y)
            return tide_fail(err, TIDE_MEMORY, "no memory for a copy of %zu values", values);
        e->cap_values = values;
    }
    return TIDE_OK;
}

tide_status tide_evaluator_create(const tide_evaluate_options *options, tide_evaluated_fn row, void *row_self,
                                  tide_evaluator **out, tide_error *err) {
    tide_evaluator *e = calloc(1, sizeof *e);
    if (!e)
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    tide_evaluate_options *o = &e->report.options;
    *o = *options;
    o->origins = o->store || o->origins < 1 ? 1 : o->origins;
    o->step = o->step > 0 ? o->step : o->forecast.horizon;
    o->lag = o->lag > 0 ? o->lag : o->forecast.season;
    if (o->min_train < 1)
        o->min_train = o->forecast.season + 1 > LEAST_TRAIN ? o->forecast.season + 1 : LEAST_TRAIN;
    e->xreg.regressors = o->regressors;
    e->xreg.linalg = o->linalg;
    e->row = row;
    e->row_self = row_self;
    e->n_metrics = (size_t)tide_metric_count(o->forecast.n_levels);
    e->n_values = score_doubles(o);
    pthread_mutex_init(&e->lock, NULL);
    int workers = o->jobs > 0 ? o->jobs : tide_processors();
    e->scratch_size = 2 * (size_t)o->forecast.horizon + forecast_doubles(o);
    e->report.by_step = calloc((size_t)o->forecast.horizon, sizeof *e->report.by_step);
    e->report.step_values = calloc((size_t)o->forecast.horizon, sizeof *e->report.step_values);
    e->scratch = grown(NULL, (size_t)workers * e->scratch_size, sizeof *e->scratch);
    tide_status status = e->report.by_step && e->report.step_values && e->scratch
                             ? tide_pool_create(workers, &e->pool, err)
                             : tide_fail(err, TIDE_MEMORY, "no memory for %d steps ahead", (int)o->forecast.horizon);
    if (status) {
        tide_evaluator_destroy(e);
        return status;
    }
    *out = e;
    return TIDE_OK;
}

void tide_evaluator_destroy(tide_evaluator *e) {
    if (!e)
        return;
    tide_pool_free(e->pool);
    tide_plan_free(&e->plan);
    tide_across_free(&e->across);
    tide_xreg_free(&e->xreg);
    free(e->cut.last_ds);
    free(e->cut.at);
    free(e->cut.outcome);
    free(e->cut.y);
    free(e->windows);
    free(e->scores);
    free(e->forecasts);
    free(e->key);
    free(e->scratch);
    free(e->report.by_step);
    free(e->report.step_values);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

const tide_evaluation *tide_evaluator_report(const tide_evaluator *e) {
    return &e->report;
}

/* --- windows ------------------------------------------------------------------------------------------------- */

static window refit_window(const tide_evaluate_options *o, const tide_panel *p, size_t i, int k) {
    int64_t n = (int64_t)(p->at[i + 1] - p->at[i]), train = n - o->forecast.horizon - (int64_t)k * o->step;
    window w = {.outcome = (int16_t)p->outcome[i], .row = -1};
    if (p->outcome[i] != TIDE_OUTCOME_FITTED) {
        w.status = TIDE_WINDOW_SHUT_OUT;
    } else if (train < o->min_train) {
        w.status = TIDE_WINDOW_SHORT;
        w.outcome = -1;
    } else {
        w.train = (int32_t)train;
        w.steps = o->forecast.horizon;
    }
    return w;
}

/* What of the panel's series comes after the stored model's window. */
static tide_status store_window(const tide_evaluate_options *o, const tide_store_info *info, const tide_panel *p, size_t i,
                                window *w, tide_error *err) {
    tide_since since;
    *w = (window){.outcome = (int16_t)p->outcome[i], .row = -1, .status = TIDE_WINDOW_SHUT_OUT};
    if (p->outcome[i] != TIDE_OUTCOME_FITTED)
        return TIDE_OK;
    TIDE_TRY(tide_since_of(o->store, info, p, i, &since, err));
    int64_t room = o->forecast.horizon - since.skip;
    w->row = since.row;
    w->outcome = (int16_t)(since.row < 0 ? -1 : since.model.outcome);
    w->status = since.row < 0                  ? TIDE_WINDOW_UNKNOWN
                : since.model.n_members == 0   ? TIDE_WINDOW_NO_MODEL
                : since.off_grid               ? TIDE_WINDOW_OFF_GRID
                : since.fresh > 0 && room > 0 ? TIDE_WINDOW_SCORED
                                               : TIDE_WINDOW_NO_NEW;
    if (w->status != TIDE_WINDOW_SCORED)
        return TIDE_OK;
    w->train = (int32_t)since.known;
    w->skip = (int32_t)since.skip;
    w->steps = (int32_t)(since.fresh < room ? since.fresh : room);
    return TIDE_OK;
}

/* The panel up to the origin of window k, as far as a plan looks at it. */
static void cut_panel(tide_evaluator *e, const tide_panel *p, const window *w) {
    const tide_evaluate_options *o = &e->report.options;
    tide_panel *cut = &e->cut;
    cut->n_series = p->n_series;
    cut->ids = p->ids;
    cut->id_at = p->id_at;
    cut->first_ds = p->first_ds;
    cut->end_of_month = p->end_of_month;
    cut->at[0] = 0;
    for (size_t i = 0; i < p->n_series; ++i) {
        size_t n = (size_t)w[i].train;
        cut->outcome[i] = w[i].status == TIDE_WINDOW_SHORT ? TIDE_OUTCOME_SHORT : p->outcome[i];
        cut->at[i + 1] = cut->at[i] + n;
        cut->last_ds[i] = tide_grid_add(o->freq, o->ds_kind, p->first_ds[i], (int64_t)n - 1, p->end_of_month[i]);
        if (n)
            memcpy(cut->y + cut->at[i], p->y + p->at[i], n * sizeof *cut->y);
    }
}

static double *forecasts_of(const tide_evaluator *e, size_t k) {
    return e->forecasts + k * e->panel->n_series * forecast_doubles(&e->report.options);
}

static tide_status refit(tide_evaluator *e, size_t k, tide_results *results, tide_error *err) {
    const tide_evaluate_options *o = &e->report.options;
    size_t n = e->panel->n_series, horizon = (size_t)o->forecast.horizon;
    window *w = e->windows + k * n;
    double *mean = forecasts_of(e, k), *lo = o->forecast.n_levels ? mean + n * horizon : NULL;
    double *hi = lo ? lo + n * horizon * (size_t)o->forecast.n_levels : NULL;
    cut_panel(e, e->panel, w);
    TIDE_TRY(tide_plan_build(&e->plan, &e->cut, err));
    if (o->regressors)
        TIDE_TRY(tide_xreg_fill(&e->xreg, &e->cut, &e->plan, err));
    TIDE_TRY(tide_across_fit(&e->across, o->backend, o->fit, o->across, &e->plan.tiles, results, NULL, err));
    TIDE_TRY(o->backend->forecast(o->backend->self, &o->forecast, results, e->key, mean, lo, hi, err));
    for (size_t i = 0; i < n; ++i)
        if (w[i].status == TIDE_WINDOW_SCORED) {
            w[i].outcome = results->outcome[i];
            if (results->n_members[i] == 0 || isnan(mean[i]))
                w[i].status = TIDE_WINDOW_NO_MODEL;
        }
    return TIDE_OK;
}

/* --- scores -------------------------------------------------------------------------------------------------- */

static void note_failure(tide_evaluator *e, size_t item, const tide_error *err, tide_status status) {
    pthread_mutex_lock(&e->lock);
    if (e->status == TIDE_OK || item < e->failed_item) {
        e->status = status;
        e->err = *err;
        e->failed_item = item;
    }
    pthread_mutex_unlock(&e->lock);
}

/* Series i's forecasts from the store, into the places where a backend would have put them. */
static tide_status from_store(tide_evaluator *e, size_t i, double *scratch, tide_error *err) {
    const tide_evaluate_options *o = &e->report.options;
    window *w = &e->windows[i];
    size_t n = e->panel->n_series, horizon = (size_t)o->forecast.horizon, levels = (size_t)o->forecast.n_levels;
    double *lo = levels ? scratch + horizon : NULL, *hi = lo ? lo + levels * horizon : NULL, *to = forecasts_of(e, 0) + i;
    TIDE_TRY(tide_store_forecast(o->store, w->row, &o->forecast, scratch, lo, hi, err));
    if (isnan(scratch[0]))
        w->status = TIDE_WINDOW_NO_MODEL;
    for (size_t h = 0; h < horizon * (1 + 2 * levels); ++h)
        to[h * n] = scratch[h];
    return TIDE_OK;
}

static tide_window score_window_of(const tide_evaluator *e, size_t item) {
    const tide_evaluate_options *o = &e->report.options;
    const window *w = &e->windows[item];
    size_t n = e->panel->n_series, i = item % n, horizon = (size_t)o->forecast.horizon;
    const double *y = e->panel->y + e->panel->at[i], *mean = forecasts_of(e, item / n) + i;
    const double *lo = mean + n * horizon;
    return (tide_window){.actual = y + w->train,
                         .horizon = w->steps,
                         .mean = mean + (size_t)w->skip * n,
                         .lo = lo + (size_t)w->skip * n,
                         .hi = lo + n * horizon * (size_t)o->forecast.n_levels + (size_t)w->skip * n,
                         .stride = n,
                         .rows = horizon,
                         .n_levels = o->forecast.n_levels,
                         .level = o->forecast.level,
                         .scale = tide_scale_of(y, (size_t)w->train, o->lag)};
}

static void score_item(void *context, int worker, size_t item) {
    tide_evaluator *e = context;
    const tide_evaluate_options *o = &e->report.options;
    window *w = &e->windows[item];
    size_t n = e->panel->n_series, horizon = (size_t)o->forecast.horizon;
    double *scratch = e->scratch + (size_t)worker * e->scratch_size, *score = e->scores + item * e->n_values;
    if (o->store && w->status == TIDE_WINDOW_SCORED) {
        tide_error err;
        tide_status status = from_store(e, item, scratch, &err);
        if (status) {
            note_failure(e, item, &err, status);
            return;
        }
    }
    if (w->status != TIDE_WINDOW_SCORED)
        return;
    tide_window v = score_window_of(e, item);
    w->values = tide_score_window(&v, score);
    if (w->values == 0) {
        w->status = TIDE_WINDOW_NO_ACTUAL;
        return;
    }
    const double *y = e->panel->y + e->panel->at[item % n];
    tide_snaive_forecast(y, (size_t)w->train, o->forecast.season, o->forecast.horizon, scratch);
    tide_naive2_forecast(y, (size_t)w->train, o->forecast.season, o->forecast.horizon, scratch + horizon);
    v.n_levels = 0;
    v.stride = 1;
    for (size_t b = 0; b < TIDE_METHODS - 1; ++b) {
        v.mean = scratch + b * horizon + (size_t)w->skip;
        tide_score_window(&v, score + e->n_metrics + b * TIDE_METRIC_LEVELS);
    }
}

/* --- sums ---------------------------------------------------------------------------------------------------- */

static const double *score_at(const tide_evaluator *e, size_t item, int method) {
    const double *score = e->scores + item * e->n_values;
    return method == TIDE_METHOD_MODEL ? score : score + e->n_metrics + (size_t)(method - 1) * TIDE_METRIC_LEVELS;
}

static int metrics_of(const tide_evaluator *e, int method) {
    return method == TIDE_METHOD_MODEL ? (int)e->n_metrics : TIDE_METRIC_LEVELS;
}

/* Every step of a window is a window of its own here. */
static void add_steps(tide_evaluator *e, size_t item) {
    const window *w = &e->windows[item];
    tide_window v = score_window_of(e, item);
    v.horizon = 1;
    for (int32_t h = 0; h < w->steps; ++h, ++v.actual, v.mean += v.stride, v.lo += v.stride, v.hi += v.stride) {
        double value[TIDE_METRICS_MAX];
        if (tide_score_window(&v, value) == 0)
            continue;
        tide_tally_add(&e->report.by_step[w->skip + h], value, (int)e->n_metrics, 1.0);
        ++e->report.step_values[w->skip + h];
    }
}

static void count_window(tide_evaluator *e, size_t item) {
    tide_evaluation *r = &e->report;
    const window *w = &e->windows[item];
    ++r->windows;
    ++r->windows_by_status[w->status];
    if (w->outcome >= 0 && w->outcome < TIDE_OUTCOME_COUNT)
        ++r->by_outcome[w->outcome];
    if (w->status != TIDE_WINDOW_SCORED)
        return;
    r->values += (uint64_t)w->values;
    r->missing += (uint64_t)(w->steps - w->values);
    r->unscaled += (uint64_t)isnan(score_at(e, item, TIDE_METHOD_MODEL)[TIDE_METRIC_MASE]);
    add_steps(e, item);
}

static void means_of(const tide_evaluator *e, const tide_tally *sums, tide_evaluated *row) {
    for (int method = 0; method < TIDE_METHODS; ++method)
        for (int m = 0; m < TIDE_METRICS_MAX; ++m)
            row->value[method][m] = m < metrics_of(e, method) ? tide_tally_mean(&sums[method], m) : TIDE_NAN;
}

static int64_t origin_of(const tide_evaluator *e, size_t i, const window *w) {
    const tide_panel *p = e->panel;
    return tide_grid_add(e->report.options.freq, e->report.options.ds_kind, p->first_ds[i],
                         (int64_t)w->train - 1 - w->skip, p->end_of_month[i]);
}

static tide_status put_row(tide_evaluator *e, size_t i, const window *w, const tide_tally *sums, tide_evaluated *row,
                           tide_error *err) {
    const tide_panel *p = e->panel;
    if (!e->row)
        return TIDE_OK;
    row->options = &e->report.options;
    row->id = p->ids + p->id_at[i];
    row->id_length = p->id_at[i + 1] - p->id_at[i];
    row->outcome = w->outcome;
    row->has_origin = w->steps > 0;
    row->origin = row->has_origin ? origin_of(e, i, w) : 0;
    means_of(e, sums, row);
    return e->row(e->row_self, row, err);
}

/* One series: its windows, oldest first, into the sums. */
static tide_status add_series(tide_evaluator *e, size_t i, tide_error *err) {
    tide_evaluation *r = &e->report;
    const tide_evaluate_options *o = &r->options;
    const tide_panel *p = e->panel;
    tide_tally sums[TIDE_METHODS];
    tide_evaluated whole;
    memset(sums, 0, sizeof sums);
    memset(&whole, 0, sizeof whole);
    whole.status = e->windows[i].status;
    for (size_t k = (size_t)o->origins; k-- > 0;) {
        size_t item = k * p->n_series + i;
        const window *w = &e->windows[item];
        tide_tally own[TIDE_METHODS];
        memset(own, 0, sizeof own);
        count_window(e, item);
        for (int method = 0; method < TIDE_METHODS && w->status == TIDE_WINDOW_SCORED; ++method) {
            tide_tally_add(&sums[method], score_at(e, item, method), metrics_of(e, method), (double)w->values);
            tide_tally_add(&own[method], score_at(e, item, method), metrics_of(e, method), (double)w->values);
        }
        tide_evaluated row = {.status = w->status};
        if (w->status == TIDE_WINDOW_SCORED) {
            row.windows = 1;
            row.values = w->values;
            row.missing = w->steps - w->values;
            ++whole.windows;
            whole.values += row.values;
            whole.missing += row.missing;
            whole.status = TIDE_WINDOW_SCORED;
        }
        if (o->by_origin)
            TIDE_TRY(put_row(e, i, w, own, &row, err));
    }
    if (whole.status == TIDE_WINDOW_SHORT && r->by_status[TIDE_WINDOW_SHORT] < TIDE_EVALUATE_NAMED)
        tide_quote(r->named_short[r->by_status[TIDE_WINDOW_SHORT]], sizeof r->named_short[0], p->ids + p->id_at[i],
                   p->id_at[i + 1] - p->id_at[i]);
    ++r->series;
    ++r->by_status[whole.status];
    if (!o->by_origin)
        TIDE_TRY(put_row(e, i, &e->windows[i], sums, &whole, err));
    for (int method = 0; method < TIDE_METHODS && whole.windows > 0; ++method) {
        double mean[TIDE_METRICS_MAX];
        for (int m = 0; m < metrics_of(e, method); ++m)
            mean[m] = tide_tally_mean(&sums[method], m);
        tide_tally_add(&r->total[method], mean, metrics_of(e, method), (double)whole.values);
    }
    return TIDE_OK;
}

static tide_status make_windows(tide_evaluator *e, tide_error *err) {
    const tide_evaluate_options *o = &e->report.options;
    const tide_panel *p = e->panel;
    tide_store_info info;
    if (o->store)
        tide_store_get_info(o->store, &info);
    for (size_t i = 0; i < p->n_series; ++i) {
        e->key[i] = tide_id_key(p->ids + p->id_at[i], p->id_at[i + 1] - p->id_at[i]);
        if (o->store)
            TIDE_TRY(store_window(o, &info, p, i, &e->windows[i], err));
        for (int k = 0; k < o->origins && !o->store; ++k)
            e->windows[(size_t)k * p->n_series + i] = refit_window(o, p, i, k);
    }
    return TIDE_OK;
}

tide_status tide_evaluator_panel(void *self, const tide_panel *panel, tide_results *results, tide_error *err) {
    tide_evaluator *e = self;
    const tide_evaluate_options *o = &e->report.options;
    size_t n = panel->n_series, items = (size_t)o->origins * n;
    TIDE_TRY(reserve(e, n, panel->at[n], err));
    e->panel = panel;
    TIDE_TRY(make_windows(e, err));
    for (size_t k = (size_t)o->origins; k-- > 0 && !o->store;)
        TIDE_TRY(refit(e, k, results, err));
    for (size_t i = 0; i < n && o->store; ++i) { /* what the report counts: series that the store knows */
        results->outcome[i] = e->windows[i].outcome < 0 ? TIDE_OUTCOME_COUNT : (uint8_t)e->windows[i].outcome;
        results->n_members[i] = 0;
    }
    tide_pool_run(e->pool, items, score_item, e);
    if (e->status) {
        if (err)
            *err = e->err;
        return e->status;
    }
    for (size_t i = 0; i < n; ++i)
        TIDE_TRY(add_series(e, i, err));
    return TIDE_OK;
}
