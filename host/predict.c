/* predict.c - from a stored model to forecasts, by the same kernel that the backends run
 * (kernels/forecast.h): a store gives the bits that the fit would have given.
 *
 * The kernel wants every row of coefficients and states in its place; a store leaves out the rows at the end
 * that the form does not have. So members are copied into a padded block first (those of ARIMA have no such rows and
 * are read in place), one allocation a call, which also holds the kernel's scratch: a season of 366 and all members of an average need some 70 kB, too much
 * for a small stack. */
#include "host/tidemill_predict.h"

#include "kernels/forecast.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t tide_id_key(const char *id, size_t id_length) {
    return XXH3_64bits(id, id_length);
}

static tide_status check_spec(const tide_store *store, const tide_forecast_spec *spec, tide_error *err) {
    tide_store_info info;
    tide_store_get_info(store, &info);
    if (spec->horizon < 1)
        return tide_fail(err, TIDE_CONFIG, "horizon %d: must be at least 1", (int)spec->horizon);
    if (spec->season != info.season)
        return tide_fail(err, TIDE_CONFIG, "season %d: the store's is %d", (int)spec->season,
                         (int)info.season);
    if (spec->n_levels < 0 || spec->n_levels > TIDE_LEVELS_MAX)
        return tide_fail(err, TIDE_CONFIG, "%d levels: at most %d", (int)spec->n_levels, TIDE_LEVELS_MAX);
    for (int i = 0; i < spec->n_levels; ++i)
        if (!(spec->level[i] > 0.0 && spec->level[i] < 1.0))
            return tide_fail(err, TIDE_CONFIG, "level %g: must lie between 0 and 1", spec->level[i]);
    if (spec->intervals == TIDE_INTERVALS_SIMULATED && spec->n_levels > 0 && spec->paths < 1)
        return tide_fail(err, TIDE_CONFIG, "%d paths: a simulation needs at least 1", (int)spec->paths);
    return TIDE_OK;
}

const char *tide_xreg_name(const tide_xreg_table *table, int i) {
    const char *name = table->names;
    if (i < 0 || i >= table->n)
        return "";
    while (i-- > 0)
        name += strlen(name) + 1;
    return name;
}

const double *tide_xreg_after(const tide_xreg_table *table, const tide_store_info *info, int64_t last_ds, int64_t most,
                              int64_t *rows) {
    int64_t at = 0, h = 0;
    *rows = 0;
    if (table->n == 0 || !tide_grid_steps(info->freq, info->ds_kind, table->first_ds, last_ds, table->end_of_month, &at))
        return NULL;
    for (++at; h < most && at + h >= 0 && at + h < table->rows && (!table->present || table->present[at + h]);)
        ++h;
    *rows = h;
    return h > 0 ? table->x + at * table->n : NULL;
}

/* Gives the members the regressors that follow the series, as far as `horizon`; TIDE_INPUT when they end before. */
static tide_status take_xreg(const tide_store *store, const tide_series_model *series, const tide_xreg_table *given,
                             int32_t horizon, tide_member_view *views, tide_error *err) {
    tide_store_info info;
    tide_xreg_table x = {0};
    int64_t h = 0;
    int columns = 0;
    for (int32_t j = 0; j < series->n_members; ++j)
        if (views[j].family == TIDE_FAMILY_ARIMA && tide_arima_order_of(views[j].form).xreg > columns)
            columns = tide_arima_order_of(views[j].form).xreg;
    if (columns == 0)
        return TIDE_OK;
    tide_store_get_info(store, &info);
    if (given)
        x = *given;
    else
        TIDE_TRY(tide_store_xreg(store, &x, err));
    if (x.n != columns)
        return tide_fail(err, TIDE_INPUT, "%d regressors, the model has %d", (int)x.n, columns);
    const double *next = tide_xreg_after(&x, &info, series->last_ds, horizon, &h);
    if (h < horizon) {
        char missing[40], from[40], to[40];
        int id = (int)(series->id_length < 80 ? series->id_length : 80);
        tide_ds_format(info.ds_kind, tide_grid_add(info.freq, info.ds_kind, series->last_ds, h + 1, series->end_of_month),
                       missing, sizeof missing);
        tide_ds_format(info.ds_kind, x.first_ds, from, sizeof from);
        tide_ds_format(info.ds_kind, tide_grid_add(info.freq, info.ds_kind, x.first_ds, x.rows - 1, x.end_of_month), to,
                       sizeof to);
        return tide_fail(err, TIDE_INPUT,
                         "series '%.*s': no regressors at %s: those %s reach from %s to %s (--regressors FILE gives others)",
                         id, series->id, missing, given ? "given" : "of the store", from, to);
    }
    for (int32_t j = 0; j < series->n_members; ++j) {
        views[j].xreg = next;
        views[j].xreg_rows = h;
        views[j].xreg_columns = x.n;
    }
    return TIDE_OK;
}

/* Copies members into rows of `width` doubles: coefficients, then states, each padded with zeros. */
static tide_status load_members(const tide_store *store, const tide_series_model *series, size_t width,
                                double *rows, tide_member_view *views, tide_error *err) {
    for (int32_t j = 0; j < series->n_members; ++j, rows += width) {
        tide_member m = {0};
        TIDE_TRY(tide_store_member(store, series, j, &m, err));
        const double *coef = m.coef, *state = m.state;
        if (m.family != TIDE_FAMILY_ARIMA) {
            memcpy(rows, coef, (size_t)m.n_coef * sizeof *rows);
            memcpy(rows + TIDE_ETS_COEF_ROWS, state, (size_t)m.n_state * sizeof *rows);
            coef = rows;
            state = rows + TIDE_ETS_COEF_ROWS;
        }
        views[j] = (tide_member_view){.family = m.family,
                                      .form = m.form,
                                      .n_obs = series->n_obs,
                                      .weight = m.weight,
                                      .sigma2 = m.sigma2,
                                      .scale = series->scale,
                                      .coef = coef,
                                      .state = state,
                                      .stride = 1};
    }
    return TIDE_OK;
}

/* The kernel by the instructions of this processor: with baseline ones every fma is a call of libm, which takes as long as
 * all else of an interval. The bits are the same, as everywhere. */
typedef struct forecast_job {
    const tide_forecast_spec *spec;
    const tide_member_view *members;
    int n;
    uint64_t key;
    tide_forecast_work work;
    tide_forecast_out out;
} forecast_job;

#define FORECAST(name)                                                                                                \
    static void name(const forecast_job *j) {                                                                         \
        tide_forecast_series(j->spec, j->members, j->n, j->key, j->work, j->out);                                     \
    }

FORECAST(forecast_baseline)
#if defined(__x86_64__)
__attribute__((target("avx2,fma,bmi2"))) FORECAST(forecast_avx2)
__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma,bmi2"))) FORECAST(forecast_avx512)
#endif

static void forecast(const forecast_job *job) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        forecast_avx512(job);
        return;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        forecast_avx2(job);
        return;
    }
#endif
    forecast_baseline(job);
}

tide_status tide_store_forecast(const tide_store *store, int64_t row, const tide_forecast_spec *spec,
                                double *mean, double *lo, double *hi, tide_error *err) {
    return tide_store_forecast_with(store, row, spec, NULL, mean, lo, hi, err);
}

tide_status tide_store_forecast_with(const tide_store *store, int64_t row, const tide_forecast_spec *spec,
                                     const tide_xreg_table *xreg, double *mean, double *lo, double *hi,
                                     tide_error *err) {
    tide_series_model series = {0};
    TIDE_TRY(check_spec(store, spec, err));
    TIDE_TRY(tide_store_series(store, row, &series, err));
    size_t members = (size_t)series.n_members, width = TIDE_ETS_COEF_ROWS + 2 + (size_t)spec->season;
    size_t scratch = tide_forecast_workspace(spec, series.n_members);
    tide_member_view *views = calloc(members + 1, sizeof *views);
    double *rows = malloc((members * width + scratch + 1) * sizeof *rows);
    tide_status status = TIDE_OK;
    if (!views || !rows)
        status = tide_fail(err, TIDE_MEMORY, "out of memory for a forecast of %d steps", (int)spec->horizon);
    else {
        memset(rows, 0, members * width * sizeof *rows);
        status = load_members(store, &series, width, rows, views, err);
    }
    if (status == TIDE_OK)
        status = take_xreg(store, &series, xreg, spec->horizon, views, err);
    if (status == TIDE_OK) {
        forecast(&(forecast_job){.spec = spec,
                                 .members = views,
                                 .n = series.n_members,
                                 .key = series.key,
                                 .work = {rows + members * width, 1},
                                 .out = {mean, lo, hi, 1}});
    }
    free(rows);
    free(views);
    return status;
}
