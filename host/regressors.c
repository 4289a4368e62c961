/* regressors.c - see regressors.h. A source is read by intake into one panel, whose series become columns. */
#include "host/regressors.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 1 << 24 };

/* The earliest first time of the panel's series. */
static int64_t earliest(const tide_panel *p) {
    int64_t first = p->first_ds[0];
    for (size_t i = 1; i < p->n_series; ++i)
        first = p->first_ds[i] < first ? p->first_ds[i] : first;
    return first;
}

static tide_status check_panel(const tide_panel *p, tide_error *err) {
    if (p->n_series == 0)
        return tide_fail(err, TIDE_INPUT, "no regressors (no usable row)");
    if (p->n_series > TIDE_XREG_MAX)
        return tide_fail(err, TIDE_INPUT, "more than %d regressors", (int)TIDE_XREG_MAX);
    for (size_t i = 0; i < p->n_series; ++i)
        if (p->outcome[i] != TIDE_OUTCOME_FITTED || p->at[i + 1] == p->at[i])
            return tide_fail(err, TIDE_INPUT, "regressor '%.*s' cannot be used: a bad, infinite or duplicate row",
                             (int)(p->id_at[i + 1] - p->id_at[i] < 80 ? p->id_at[i + 1] - p->id_at[i] : 80),
                             p->ids + p->id_at[i]);
    return TIDE_OK;
}

/* Lays the panel's series out as columns of out->x. */
static tide_status lay_out(const tide_panel *p, tide_regressors *out, tide_error *err) {
    int64_t at[TIDE_XREG_MAX];
    out->n = p->n_series;
    out->first_ds = earliest(p);
    out->end_of_month = p->end_of_month[0];
    for (size_t i = 0; i < out->n; ++i) {
        const char *name = p->ids + p->id_at[i];
        size_t length = p->id_at[i + 1] - p->id_at[i];
        if (!tide_grid_steps(out->freq, out->kind, out->first_ds, p->first_ds[i], out->end_of_month, &at[i]) ||
            at[i] < 0)
            return tide_fail(err, TIDE_INPUT, "regressor '%.*s' begins off the grid of the others",
                             (int)(length < 80 ? length : 80), name);
        size_t end = (size_t)at[i] + (p->at[i + 1] - p->at[i]);
        out->rows = end > out->rows ? end : out->rows;
    }
    if (out->rows > ROWS_MAX)
        return tide_fail(err, TIDE_INPUT, "the regressors span %zu steps, more than %d", out->rows, (int)ROWS_MAX);
    size_t text = p->id_at[out->n] + out->n;
    out->x = calloc(out->rows * out->n, sizeof *out->x);
    out->names = calloc(text, 1);
    if (!out->x || !out->names)
        return tide_fail(err, TIDE_MEMORY, "no memory for %zu regressors of %zu steps", out->n, out->rows);
    char *name = out->names;
    for (size_t i = 0; i < out->n; ++i) {
        size_t length = p->id_at[i + 1] - p->id_at[i];
        memcpy(name, p->ids + p->id_at[i], length);
        name += length + 1;
        for (size_t t = p->at[i]; t < p->at[i + 1]; ++t)
            if (!tide_is_nan(p->y[t]))
                out->x[((size_t)at[i] + (t - p->at[i])) * out->n + i] = p->y[t];
    }
    return TIDE_OK;
}

tide_status tide_regressors_read(tide_source *source, const tide_intake_options *options, tide_regressors *out,
                                 tide_error *err) {
    tide_regressors r;
    tide_panel panel, more;
    tide_intake_report report;
    tide_intake *intake = NULL;
    tide_intake_options all = *options;
    memset(&r, 0, sizeof r);
    memset(&report, 0, sizeof report);
    tide_panel_init(&panel);
    tide_panel_init(&more);
    all.from_ds = INT64_MIN;
    all.to_ds = INT64_MAX;
    all.batch_series = TIDE_XREG_MAX + 1; /* one panel holds all that are allowed, and shows one too many */
    all.batch_values = SIZE_MAX / 2;
    tide_status status = tide_intake_open(source, &all, &report, &intake, err);
    if (!status)
        status = tide_intake_next(intake, &panel, err);
    if (!status)
        status = check_panel(&panel, err);
    if (!status) {
        r.freq = options->freq;
        r.kind = tide_intake_ds_kind(intake);
        status = tide_intake_next(intake, &more, err);
    }
    if (!status && more.n_series)
        status = tide_fail(err, TIDE_INPUT, "more than %d regressors", (int)TIDE_XREG_MAX);
    if (!status)
        status = lay_out(&panel, &r, err);
    tide_intake_close(intake);
    tide_panel_free(&panel);
    tide_panel_free(&more);
    if (status) {
        tide_regressors_free(&r);
        return tide_error_prefix(err, status, "regressors, %s", source->name);
    }
    *out = r;
    return TIDE_OK;
}

void tide_regressors_free(tide_regressors *r) {
    free(r->x);
    free(r->names);
    memset(r, 0, sizeof *r);
}

tide_status tide_regressors_row(const tide_regressors *r, int64_t ds, size_t *row, tide_error *err) {
    int64_t steps = 0;
    char text[40], first[40];
    int on_grid = tide_grid_steps(r->freq, r->kind, r->first_ds, ds, r->end_of_month, &steps);
    if (on_grid && steps >= 0 && (uint64_t)steps < r->rows) {
        *row = (size_t)steps;
        return TIDE_OK;
    }
    tide_ds_format(r->kind, ds, text, sizeof text);
    tide_ds_format(r->kind, r->first_ds, first, sizeof first);
    return tide_fail(err, TIDE_INPUT, on_grid ? "no regressors at %s: they are %zu steps from %s on"
                                              : "%s is off the grid of the regressors (%zu steps from %s on)",
                     text, r->rows, first);
}
