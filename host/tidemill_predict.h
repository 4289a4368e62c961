/* tidemill_predict.h - the predictor: maps a model store and forecasts from it. Needs libc and libm only.
 *
 * A store is a directory with immutable generations gen-NNNNNN.h5 and the link CURRENT; its format is in io/store_format.h.
 * Every byte is verified (XXH3, in blocks of 64 KiB) before it is used: a damaged store is refused naming the column.
 * A tide_store is read-only and safe to use from several threads at once. */
#ifndef TIDEMILL_PREDICT_H
#define TIDEMILL_PREDICT_H

#include "host/error.h"
#include "host/grid.h"
#include "kernels/batch.h"

#if defined(__GNUC__)
#define TIDE_API __attribute__((visibility("default")))
#else
#define TIDE_API
#endif

typedef struct tide_store tide_store;

typedef enum tide_verify {
    TIDE_VERIFY_TOUCHED = 0, /* directory at open, each block of a column when it is first read */
    TIDE_VERIFY_ALL = 1      /* every block at open */
} tide_verify;

/* path: a store directory (its CURRENT generation) or one generation file. */
TIDE_API tide_status tide_store_open(const char *path, tide_verify verify, tide_store **out, tide_error *err);
TIDE_API void tide_store_close(tide_store *store); /* NULL is allowed */

typedef struct tide_store_info {
    uint32_t format_version;
    uint64_t generation, n_series, n_members;
    tide_freq freq;
    int32_t season;
    tide_ds_kind ds_kind;
    uint64_t seed;            /* of simulated intervals */
    char run_id[40];          /* a row of runs.db */
    char code_version[64];
    char created_utc[32];
    char backend[64];
    uint64_t file_bytes;
} tide_store_info;
TIDE_API void tide_store_get_info(const tide_store *store, tide_store_info *info);

/* Row of an id, or -1: *row. About 0.2 us among a million models. TIDE_STORE when a block it needs is damaged. */
TIDE_API tide_status tide_store_find(const tide_store *store, const char *id, size_t id_length, int64_t *row,
                                     tide_error *err);

/* XXH3-64 of an id: what a store's `key` holds, so that forecasts without a store draw the same random numbers. */
TIDE_API uint64_t tide_id_key(const char *id, size_t id_length);

/* One member of a series' model; pointers lead into the mapped store. */
typedef struct tide_member {
    uint8_t family, converged;
    uint32_t form;
    int32_t n_params, n_coef, n_state;
    double weight, sigma2, loglik, criterion;
    const double *coef;  /* [n_coef] */
    const double *state; /* [n_state] at the last value */
} tide_member;

typedef struct tide_series_model {
    const char *id;
    size_t id_length;
    uint8_t outcome, end_of_month;
    int32_t n_values, n_obs;
    int64_t first_ds, last_ds;
    double scale, backtest_error; /* TIDE_NAN until evaluated */
    uint64_t fingerprint, key;    /* key: XXH3 of the id, its stream of random numbers */
    int32_t n_members;
    uint64_t first_member;
} tide_series_model;

/* Regressors that all series share: values at the steps of a grid with the frequency of the store. Members of family ARIMA
 * may have coefficients of them (tide_arima_form: xreg), and are forecast only as far as the values reach. */
typedef struct tide_xreg_table {
    int32_t n;              /* regressors; 0: none */
    int32_t end_of_month;   /* grid.h */
    int64_t rows, first_ds; /* steps, the first of them at first_ds, in the store's kind of time */
    const double *x;        /* (rows, n) row-major */
    const uint8_t *present; /* [rows] 1: there are values at the step; NULL: at every one */
    const char *names;      /* n texts, each ended by 0 */
} tide_xreg_table;
/* The regressors that the fit was given, its future ones included; pointers lead into the mapped store. n = 0: none. */
TIDE_API tide_status tide_store_xreg(const tide_store *store, tide_xreg_table *out, tide_error *err);
/* Rows of the table from the step after last_ds on, at most `most` of them and none after one that is missing: how many in
 * *rows; NULL where there is none, or last_ds is off the table's grid. */
TIDE_API const double *tide_xreg_after(const tide_xreg_table *table, const tide_store_info *info, int64_t last_ds, int64_t most,
                                       int64_t *rows);
/* Name of regressor i, "" when there is none. */
TIDE_API const char *tide_xreg_name(const tide_xreg_table *table, int i);

TIDE_API tide_status tide_store_series(const tide_store *store, int64_t row, tide_series_model *out, tide_error *err);
TIDE_API tide_status tide_store_member(const tide_store *store, const tide_series_model *series, int32_t j,
                                       tide_member *out, tide_error *err);

/* Forecasts `spec->horizon` steps from the series' last_ds: mean[h], lo and hi[level*horizon + h] (may be NULL when
 * n_levels == 0). A series without a model gives TIDE_NAN everywhere and TIDE_OK. spec->season must be the store's. A model
 * with regressors takes those of the store; TIDE_INPUT names the first time that they lack. */
TIDE_API tide_status tide_store_forecast(const tide_store *store, int64_t row, const tide_forecast_spec *spec,
                                         double *mean, double *lo, double *hi, tide_error *err);
/* The same with other values of the regressors, such as forecasts of the weather that are newer than the fit: as many, in
 * the same order as tide_store_xreg has them. NULL: the store's. */
TIDE_API tide_status tide_store_forecast_with(const tide_store *store, int64_t row, const tide_forecast_spec *spec,
                                              const tide_xreg_table *xreg, double *mean, double *lo, double *hi,
                                              tide_error *err);

/* Text of outcome, family and form numbers ("fitted", "ets", "AAdN"); "?" for unknown ones. A family without forms has
 * the form ""; the many of ARIMA are all "ARIMA" here, and written out by tide_form_text. */
TIDE_API const char *tide_outcome_name(int outcome);
TIDE_API const char *tide_outcome_text(int outcome);
TIDE_API const char *tide_family_name(int family);
TIDE_API const char *tide_form_name(int family, uint32_t form);

/* The form at a season as R writes it, "AAdN" or "ARIMA(0,1,1)(0,1,1)[12] with drift", into out, which it returns;
 * TIDE_FORM_TEXT bytes hold every one. */
enum { TIDE_FORM_TEXT = 96 };
TIDE_API const char *tide_form_text(int family, uint32_t form, int season, char *out, size_t size);

#endif
