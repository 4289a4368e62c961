/* regressors.c - see regressors.h. A source is read by intake into one panel, whose series become columns. */
#include "host/regressors.h"

#include "host/hash.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    for (size_t i = 0; i < p->n_series; ++i) {
        size_t length = p->id_at[i + 1] - p->id_at[i];
        if (length > TIDE_REGRESSOR_NAME || memchr(p->ids + p->id_at[i], 0, length))
            return tide_fail(err, TIDE_INPUT, "the name of regressor %zu is not a text of at most %d bytes", i + 1,
                             (int)TIDE_REGRESSOR_NAME);
        if (p->outcome[i] != TIDE_OUTCOME_FITTED || p->at[i + 1] == p->at[i])
            return tide_fail(err, TIDE_INPUT, "regressor '%.*s' cannot be used: a bad, infinite or duplicate row",
                             (int)(p->id_at[i + 1] - p->id_at[i] < 80 ? p->id_at[i + 1] - p->id_at[i] : 80),
                             p->ids + p->id_at[i]);
    }
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
    if (out->rows > TIDE_REGRESSOR_ROWS_MAX || out->rows * out->n > TIDE_REGRESSOR_CELLS_MAX)
        return tide_fail(err, TIDE_INPUT, "%zu regressors of %zu steps are more than %d values", out->n, out->rows,
                         (int)TIDE_REGRESSOR_CELLS_MAX);
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
    free(r->present);
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

size_t tide_regressors_reach(const tide_regressors *r, size_t row) {
    size_t end = row;
    while (end < r->rows && (!r->present || r->present[end]))
        ++end;
    return end > row ? end - row : 0;
}

tide_xreg_table tide_regressors_table(const tide_regressors *r) {
    return (tide_xreg_table){.n = (int32_t)r->n,
                             .rows = (int64_t)r->rows,
                             .first_ds = r->first_ds,
                             .end_of_month = r->end_of_month,
                             .x = r->x,
                             .present = r->present,
                             .names = r->names};
}

static size_t names_size(const tide_regressors *r) {
    const char *end = r->names;
    for (size_t i = 0; i < r->n; ++i)
        end += strlen(end) + 1;
    return (size_t)(end - r->names);
}

uint64_t tide_regressors_fingerprint(const tide_regressors *r) {
    uint64_t h = tide_hash_bytes(r->names, names_size(r));
    h = tide_hash_word(h, (uint64_t)r->first_ds);
    h = tide_hash_word(h, (uint64_t)r->kind << 1 | (uint64_t)(r->end_of_month != 0));
    h = tide_hash_word(h, tide_hash_bytes(r->x, r->rows * r->n * sizeof *r->x));
    return tide_hash_finish(tide_hash_word(h, r->present ? tide_hash_bytes(r->present, r->rows) : 0));
}

/* Takes column `i` out of x and names. */
static void drop(tide_regressors *r, size_t i) {
    char *name = r->names, *end = r->names + names_size(r);
    for (size_t j = 0; j < i; ++j)
        name += strlen(name) + 1;
    size_t length = strlen(name) + 1;
    memmove(name, name + length, (size_t)(end - name) - length);
    for (size_t t = 0, to = 0; t < r->rows; ++t)
        for (size_t j = 0; j < r->n; ++j)
            if (j != i)
                r->x[to++] = r->x[t * r->n + j];
    --r->n;
}

/* Column i less its mean over the rows present, 0 elsewhere, divided by its largest size; 0 when it is constant. */
static int centre(const tide_regressors *r, size_t i, double *out) {
    double sum = 0.0, count = 0.0, largest = 0.0;
    for (size_t t = 0; t < r->rows; ++t)
        largest = fabs(r->x[t * r->n + i]) > largest ? fabs(r->x[t * r->n + i]) : largest;
    for (size_t t = 0; t < r->rows; ++t)
        if (!r->present || r->present[t]) {
            sum += largest > 0.0 ? r->x[t * r->n + i] / largest : 0.0;
            count += 1.0;
        }
    double squares = 0.0;
    for (size_t t = 0; t < r->rows; ++t) {
        out[t] = (!r->present || r->present[t]) && largest > 0.0 ? r->x[t * r->n + i] / largest - sum / count : 0.0;
        squares += out[t] * out[t];
    }
    return squares > 1e-20 * count;
}

/* What the first n orthogonal columns leave of v, twice for the sake of rounding; returns the share of its square left. */
static double orthogonal(const double *columns, size_t n, size_t rows, double *v) {
    double before = 0.0, after = 0.0;
    for (size_t t = 0; t < rows; ++t)
        before += v[t] * v[t];
    for (size_t pass = 0; pass < 2; ++pass)
        for (size_t j = 0; j < n; ++j) {
            const double *c = columns + j * rows;
            double product = 0.0, square = 0.0;
            for (size_t t = 0; t < rows; ++t) {
                product += c[t] * v[t];
                square += c[t] * c[t];
            }
            for (size_t t = 0; t < rows; ++t)
                v[t] -= product / square * c[t];
        }
    for (size_t t = 0; t < rows; ++t)
        after += v[t] * v[t];
    return before > 0.0 ? after / before : 0.0;
}

tide_status tide_regressors_settle(tide_regressors *r, void (*told)(void *self, const char *line), void *self,
                                   tide_error *err) {
    const double collinear = 1e-11; /* as in regress.c */
    double *columns = malloc((r->rows + 1) * r->n * sizeof *columns);
    if (!columns)
        return tide_fail(err, TIDE_MEMORY, "no memory for %zu regressors of %zu steps", r->n, r->rows);
    for (size_t i = 0; i < r->n;) {
        double *own = columns + i * r->rows;
        const int varies = centre(r, i, own);
        if (varies && orthogonal(columns, i, r->rows, own) > collinear) {
            ++i;
            continue;
        }
        const char *name = r->names;
        char line[TIDE_REGRESSOR_NAME + 120];
        for (size_t j = 0; j < i; ++j)
            name += strlen(name) + 1;
        snprintf(line, sizeof line, varies ? "regressor '%s' is a combination of those before it: it is left out"
                                           : "regressor '%s' is constant: it is left out",
                 name);
        if (told)
            told(self, line);
        drop(r, i);
    }
    free(columns);
    return r->n ? TIDE_OK : tide_fail(err, TIDE_INPUT, "every regressor is constant: none is left");
}
