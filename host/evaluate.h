/* evaluate.h - forecasts against values that they had not seen, series by series: a panel comes in, scores go out.
 *
 * Windows. By refitting, a series of n steps has `origins` windows: window k ends k*step steps before the series' end, its
 * last `horizon` steps are held out and everything before is what a fit of its own sees, exactly as `fit` would that had
 * met the series cut off there (the same bits). A window that would leave fewer than min_train steps is too short and
 * skipped. Against a store there is one window: the steps after the stored model's last one, at most `horizon` of them,
 * and the values up to it, as far as the panel has them, are its in-sample values.
 *
 * Means. A series' metric is the mean over its windows, the whole's is the mean over series, each counting the same;
 * coverage alone is by value: the share of all values compared. What is undefined (MASE of a constant) is left out of a
 * mean and counted. Benchmarks are averaged over the same windows as the model. Sums are taken in the order of the series,
 * by one thread: no result depends on batches, threads or lanes. */
#ifndef TIDE_EVALUATE_H
#define TIDE_EVALUATE_H

#include "host/backend.h"
#include "host/panel.h"
#include "host/regressors.h"
#include "host/score.h"
#include "host/tidemill_predict.h"

typedef enum tide_window_status {
    TIDE_WINDOW_SCORED = 0,
    TIDE_WINDOW_SHORT,     /* too few steps before the origin */
    TIDE_WINDOW_SHUT_OUT,  /* intake has quarantined the series: see its outcome */
    TIDE_WINDOW_NO_ACTUAL, /* all values to compare with are missing */
    TIDE_WINDOW_NO_MODEL,  /* no forecast: see the outcome */
    TIDE_WINDOW_UNKNOWN,   /* the store does not have the id */
    TIDE_WINDOW_NO_NEW,    /* no value after those that the stored model was fitted on */
    TIDE_WINDOW_OFF_GRID,  /* its times are not steps of the stored model's grid */
    TIDE_WINDOW_STATUSES
} tide_window_status;
const char *tide_window_status_name(int status); /* "scored", "too_short", ... */

enum { TIDE_METHOD_MODEL = 0, TIDE_METHOD_SNAIVE, TIDE_METHOD_NAIVE2, TIDE_METHODS };
const char *tide_method_name(int method);

/* A weighted mean of each metric, TIDE_NAN values left out. */
typedef struct tide_tally {
    double sum[TIDE_METRICS_MAX], weight[TIDE_METRICS_MAX];
} tide_tally;
void tide_tally_add(tide_tally *tally, const double *value, int n_metrics, double n_values);
double tide_tally_mean(const tide_tally *tally, int metric); /* TIDE_NAN without any */

enum { TIDE_EVALUATE_NAMED = 5 };

typedef struct tide_evaluate_options {
    int32_t origins, step, min_train; /* step 0 = the horizon; min_train 0 = season + 1, at least 4 */
    int32_t lag;                      /* of the naive errors that scale; 0 = season */
    int32_t across;                   /* rule between families (across.h) */
    int jobs;                         /* threads that score; 0 = all processors */
    int by_origin;                    /* 1: a row a window, else a row a series */
    const tide_fit_spec *fit;
    tide_forecast_spec forecast;      /* season, horizon, levels */
    const tide_backend *backend;      /* refits; or */
    const tide_regressors *regressors; /* of the refits' ARIMA; NULL: none */
    const tide_linalg *linalg;         /* multiplies them */
    const tide_store *store;          /* the stored models, when not NULL */
    tide_freq freq;
    tide_ds_kind ds_kind;
} tide_evaluate_options;

/* What was found, of all series so far. */
typedef struct tide_evaluation {
    tide_evaluate_options options;                   /* defaults filled in */
    uint64_t series, by_status[TIDE_WINDOW_STATUSES]; /* a series with a scored window is scored, else as its latest */
    uint64_t windows, windows_by_status[TIDE_WINDOW_STATUSES];
    uint64_t by_outcome[TIDE_OUTCOME_COUNT]; /* of the windows that got so far as a model */
    uint64_t values, missing;                /* compared; held out, but not there */
    uint64_t unscaled;                       /* scored windows whose MASE is undefined */
    char named_short[TIDE_EVALUATE_NAMED][96];
    tide_tally total[TIDE_METHODS]; /* over series; of benchmarks the metrics before TIDE_METRIC_LEVELS */
    tide_tally *by_step;            /* [horizon] of the model, over windows */
    uint64_t *step_values;          /* [horizon] */
    double total_values;
} tide_evaluation;
/* Overall weighted average of sMAPE and MASE relative to naive2; TIDE_NAN when a part is undefined. */
double tide_evaluation_owa(const tide_evaluation *e, int method);

/* A row: one series, or one of its windows. */
typedef struct tide_evaluated {
    const tide_evaluate_options *options;
    const char *id;
    size_t id_length;
    int status, outcome;   /* outcome: of the latest window's model, or why there is none; -1: nothing is known */
    int32_t windows;       /* scored */
    int32_t values, missing;
    int has_origin;
    int64_t origin;        /* last time that the (latest) model saw */
    double value[TIDE_METHODS][TIDE_METRICS_MAX];
} tide_evaluated;
/* May be NULL. Called in the order of the series, by the thread that evaluates. */
typedef tide_status (*tide_evaluated_fn)(void *self, const tide_evaluated *row, tide_error *err);

typedef struct tide_evaluator tide_evaluator;
/* Bytes that a series takes in memory beside its values and its fit. */
size_t tide_evaluator_bytes(const tide_evaluate_options *options);
/* options' pointers are borrowed; *out_report belongs to the evaluator. */
tide_status tide_evaluator_create(const tide_evaluate_options *options, tide_evaluated_fn row, void *row_self,
                                  tide_evaluator **out, tide_error *err);
void tide_evaluator_destroy(tide_evaluator *e); /* NULL is allowed */
const tide_evaluation *tide_evaluator_report(const tide_evaluator *e);
/* Evaluates a panel. `results` is mapped for it and the fit spec, and holds the latest fits afterwards (of a store: outcomes
 * alone). The signature is that of tide_run_parts.work, self being a tide_evaluator. */
tide_status tide_evaluator_panel(void *self, const tide_panel *panel, tide_results *results, tide_error *err);

#endif
