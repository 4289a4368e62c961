/* report.h - what a run did: counts by outcome and form, deviations of the input, seconds by stage, memory. */
#ifndef TIDE_REPORT_H
#define TIDE_REPORT_H

#include "host/intake.h"
#include "host/panel.h"
#include "kernels/batch.h"
#include <stddef.h>

/* A stage's seconds: at work, and waiting for its neighbours. */
typedef struct tide_stage {
    double busy_s, wait_s;
} tide_stage;

/* What a run made of its history (io/history.h). Series of the new one: unchanged, extended, corrected and new. */
typedef struct tide_report_history {
    char path[256]; /* empty: the run had none */
    uint64_t generation, before; /* numbers of the new and of the old one; before 0: all was read */
    uint64_t bytes;
    char watermark[48], watermark_before[48]; /* largest times, as texts */
    char window[48];                          /* first time that was read; empty: all */
    uint64_t series_unchanged, series_extended, series_corrected, series_new;
    uint64_t series_gone;  /* lost their last row */
    uint64_t series_ended; /* had every row that was due until this run, and lack one now */
    uint64_t series_healed, series_shut_out; /* became, or are no longer, fit for a model */
    uint64_t rows_late, rows_deleted; /* of the window read again: not there before; no longer there */
    tide_intake_count corrected;      /* of the window read again: values that differ */
} tide_report_history;

typedef struct tide_report {
    tide_intake_report intake;
    tide_intake_count uncovered; /* series without regressors at a step (xreg.h) */
    uint64_t series, members, batches;
    uint64_t by_outcome[TIDE_OUTCOME_COUNT]; /* sum = series */
    uint64_t by_family[TIDE_FAMILY_COUNT];   /* members; sum = members */
    uint64_t by_form[TIDE_ETS_FORMS];        /* members of family ETS */
    tide_stage read, fit, write;             /* read: source and intake */
    double source_s, plan_s, warm_s;         /* of read: the source's rows; of fit: tiles, starts */
    double finish_s;                         /* making the result visible */
    uint64_t resumed;                        /* series that an interrupted run had fitted */
    int64_t first_ds, last_ds;               /* of the series with values; first > last: there was none */
    tide_ds_kind ds_kind;                    /* their unit */
    double wall_s;
    uint64_t peak_bytes;                     /* of resident memory, of the process so far */
    uint64_t batch_series, batch_values;     /* most a batch may hold */
    char source[160], sink[160], backend[128];
    char backend_note[256]; /* why this backend, or empty */
    char freq[24];
    int32_t season;
    uint64_t generation; /* 0: no store was written */
    uint64_t store_bytes;
    char run_id[40], store[256];
    uint64_t warm_series, warm_generation; /* series that started from stored coefficients; generation 0: a cold run */
    char warm_run_id[40], warm_store[256]; /* the run that fitted these */
    tide_report_history history;
} tide_report;

/* The stations that a run is made of. Source and intake share a thread, so do tiling, starts and fitting; three threads
 * work at the same time, and publishing follows. */
typedef enum tide_station {
    TIDE_STATION_SOURCE, TIDE_STATION_INTAKE, TIDE_STATION_TILING, TIDE_STATION_WARM, TIDE_STATION_FITTING,
    TIDE_STATION_WRITING, TIDE_STATION_PUBLISHING, TIDE_STATIONS
} tide_station;
const char *tide_station_name(tide_station station); /* "source", ... */
double tide_report_station_s(const tide_report *report, tide_station station); /* busy */
/* The station that bounds the run: the one without which it could be shortest, of several the busiest. *without_s: how long it would then be at
 * least, by the busiest thread that remains. */
tide_station tide_report_bound(const tide_report *report, double *without_s);

/* First and last time of the data as text; 0 when there were no values. */
int tide_report_window(const tide_report *report, char first[48], char last[48]);
/* Adds the counts of a fitted batch. */
void tide_report_add(tide_report *report, const tide_panel *panel, const tide_results *results);
/* For people, several lines; for machines, one JSON object. A malloc'd text; NULL when memory is short. */
char *tide_report_text(const tide_report *report);
char *tide_report_json(const tide_report *report);
/* Parts of the JSON, each an object on one line: {"fitted": 991, ...}, {"AAN": 120, ...}, {"read": {"busy_s": ...}, ...}. */
char *tide_report_outcomes_json(const tide_report *report);
char *tide_report_forms_json(const tide_report *report); /* forms of ETS, then the other families by name */
char *tide_report_stages_json(const tide_report *report); /* then stations_s, bound */
char *tide_report_warm_json(const tide_report *report); /* store, generation and run that the starts came from; null: cold */

#endif
