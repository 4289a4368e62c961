/* postgres_forecasts.h - forecasts, and the models behind them, into PostgreSQL tables that are replaced whole.
 *
 *   forecasts    unique_id text, ds, mean, lo_80, hi_80 ... double precision, run_id text, generation bigint
 *   parameters   unique_id text, member integer, family, form text, weight double precision, coefficients
 *                double precision[], sigma2, loglik, criterion double precision, run_id text, generation bigint
 *
 * ds is date, timestamp or bigint like the store's; a level of 97.5 is lo_97_5. Both tables change in one
 * transaction (postgres_replace.h says how). Rows are put together by any number of threads and sent by one. */
#ifndef TIDE_POSTGRES_FORECASTS_H
#define TIDE_POSTGRES_FORECASTS_H

#include "host/tidemill_predict.h"

#include <stdio.h>

typedef struct tide_write_back tide_write_back;

typedef struct tide_write_back_options {
    const char *url, *table;
    const char *parameters;  /* table of the models; NULL: none */
    tide_ds_kind ds_kind;
    int32_t season;          /* of the store, which names of forms tell */
    int32_t n_levels;
    const double *level;     /* 0 .. 1 */
    const char *run_id;
    uint64_t generation;
    int replace_rows;        /* within the tables, instead of new tables in their place */
    int connect_timeout_s, statement_timeout_s, read_timeout_s; /* postgres.h */
    int lock_timeout_s;      /* 0 = 300 */
    int (*stop)(void *self); /* may be NULL */
    void *self;
} tide_write_back_options;

/* Connects, checks the tables and makes new ones, begins to send forecasts. Options are copied but for the texts. */
tide_status tide_write_back_open(const tide_write_back_options *options, tide_write_back **out, tide_error *err);

/* Looks whether the server can be reached and the tables are such as could be replaced, as far as can be told before there
 * is a store: for a caller who would not like to find out after hours. Only the options up to `parameters`, replace_rows
 * and the time limits are looked at. */
tide_status tide_write_back_probe(const tide_write_back_options *options, tide_error *err);

/* Steps first .. last (from 1) of one series: values as in tide_cli_forecast_rows with stride 1. */
typedef struct tide_write_back_series {
    const char *id;
    size_t id_length;
    tide_grid grid; /* ds of step h is tide_grid_at(&grid, h) */
    int has_ds;     /* 0: ds is NULL */
    int64_t first, last;
    int32_t horizon;
    const double *mean, *lo, *hi;
} tide_write_back_series;
/* Writes a series' rows, as bytes for _send, to f; any thread. TIDE_INPUT when the id is not UTF-8. */
tide_status tide_write_back_rows(const tide_write_back *w, FILE *f, const tide_write_back_series *s, tide_error *err);
/* Likewise the row of a member of a series' model. */
tide_status tide_write_back_member(const tide_write_back *w, FILE *f, const tide_series_model *series, int32_t j,
                                   const tide_member *m, tide_error *err);
tide_status tide_write_back_send(tide_write_back *w, const char *bytes, size_t n, uint64_t rows, tide_error *err);
/* Ends the forecasts; what is sent from now on are parameters (only where a table for them was given). */
tide_status tide_write_back_parameters(tide_write_back *w, tide_error *err);
/* Indexes, puts the tables in place and commits. *swap_s (may be NULL): how long the last step took, which readers may
 * have waited for. */
tide_status tide_write_back_finish(tide_write_back *w, double *swap_s, tide_error *err);
void tide_write_back_close(tide_write_back *w); /* without a finish before, nothing has changed; NULL is allowed */

#endif
