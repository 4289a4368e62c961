/* panel.h - a batch of series of unequal length, as it travels from intake to plan to writer.
 *
 * Columnar and ragged: series i has id bytes [id_at[i], id_at[i+1]) of `ids` and values [at[i], at[i+1]) of `y`, the
 * first of them at time `first_ds[i]`, one a grid step, TIDE_NAN where missing. Leading and trailing missing values do
 * not occur unless the input had rows there. Grows by doubling; `tide_panel_clear` keeps the memory, so that the
 * pipeline's panels are recycled and resident memory stays bounded. */
#ifndef TIDE_PANEL_H
#define TIDE_PANEL_H

#include "host/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct tide_panel {
    size_t n_series;
    size_t *id_at;         /* [n_series + 1] */
    char *ids;             /* bytes kept exactly; not terminated */
    size_t *at;            /* [n_series + 1] */
    double *y;
    int64_t *first_ds;     /* [n_series] in the unit of the panel's ds kind (grid.h) */
    int64_t *last_ds;      /* [n_series] time of the last grid step */
    uint8_t *end_of_month; /* [n_series] grid.h */
    uint8_t *outcome;      /* [n_series] TIDE_OUTCOME_FITTED, or why intake shut the series out (kernels/batch.h) */
    uint64_t *fingerprint; /* [n_series] hash (host/hash.h) of first_ds and the bits of y, missing as TIDE_NAN */
    double *backtest_error; /* [n_series] TIDE_NAN unless the fit made a backtest (across.h) */
    size_t kept;           /* the first `kept` series were fitted by an earlier run that this one goes on with (stream.h) */
    uint64_t first_number; /* number of the panel's first series in the run, from 0: the writer keeps this order */
    size_t cap_series, cap_ids, cap_y;
} tide_panel;

void tide_panel_init(tide_panel *p); /* all zero: valid and empty */
void tide_panel_free(tide_panel *p);
void tide_panel_clear(tide_panel *p);
/* What tide_panel_add takes of n values, any NaN as TIDE_NAN. */
uint64_t tide_panel_fingerprint(const double *y, size_t n, int64_t first_ds);
/* Room for one more series with id_bytes and n values; TIDE_MEMORY leaves the panel as it was. */
tide_status tide_panel_reserve(tide_panel *p, size_t id_bytes, size_t n, tide_error *err);
/* Appends a series: copies id and y (y may be NULL: n values of TIDE_NAN), any NaN as TIDE_NAN, and takes the
 * fingerprint; outcome FITTED and end_of_month 0 are the caller's to change. */
tide_status tide_panel_add(tide_panel *p, const char *id, size_t id_length, const double *y, size_t n,
                           int64_t first_ds, int64_t last_ds, tide_error *err);

#endif
