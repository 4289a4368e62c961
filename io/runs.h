/* runs.h - the book of runs: runs.db in a store's directory, SQLite, one row a run, never one a model.
 *
 * Losing the book never loses a store: a caller reports a failure here as a warning and goes on. A row with
 * status 'running' and no `finished` belongs to a run that is at work or was killed: which of them, its process,
 * when that was started, and the boot of its host tell. A run that is gone on with keeps its row, and `resumed`
 * lists when, where and after how many series. Nothing secret goes in:
 * the source is redacted here, the configuration by whoever makes its JSON (tide_redact_url of
 * host/config.h). */
#ifndef TIDE_RUNS_H
#define TIDE_RUNS_H

#include "host/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct tide_runs tide_runs;

enum { TIDE_RUN_ID_SIZE = 40 };

/* What is known when a run begins; texts may be NULL. */
typedef struct tide_run_start {
    const char *run_id;                  /* tide_run_id_make */
    const char *command;                 /* "fit" */
    const char *config;                  /* JSON of the whole configuration */
    const char *source;                  /* "csv sales.csv", or an address: redacted here */
    const char *source_from, *source_to; /* window of ds asked for */
    const char *code_version;
    uint64_t resumed; /* series that an earlier attempt has finished: the row is there already; 0: a new run */
} tide_run_start;

/* What is known when it ends. */
typedef struct tide_run_end {
    const char *status;  /* "ok", or a status name as tide_status_name gives it */
    const char *message; /* of a failure */
    const char *backend;
    const char *outcomes;                                    /* JSON: {"fitted": 991, ...} */
    const char *forms;                                       /* JSON: {"ets AAN": 120, ...} */
    const char *stages;                                      /* JSON: seconds busy and waiting by stage */
    const char *first_ds, *last_ds;                          /* of the data; NULL: there were none */
    const char *metrics;                                     /* JSON: of a backtest; NULL */
    const char *warm;                                        /* JSON: where the starts came from; NULL: a cold run */
    uint64_t rows, series, members, generation, store_bytes; /* generation 0: none was published */
    uint64_t peak_memory_bytes;
} tide_run_end;

/* A new run id: "20240131T235959Z-1a2b3c4d", time and 32 random bits. out[TIDE_RUN_ID_SIZE]. */
void tide_run_id_make(char out[TIDE_RUN_ID_SIZE]);

/* Opens or creates <dir>/runs.db; the directory must exist. Waits up to 5 s for another process. */
tide_status tide_runs_open(const char *dir, tide_runs **out, tide_error *err);
tide_status tide_runs_begin(tide_runs *runs, const tide_run_start *start, tide_error *err);
tide_status tide_runs_finish(tide_runs *runs, const char *run_id, const tide_run_end *end, tide_error *err);
void tide_runs_close(tide_runs *runs); /* NULL is allowed */

/* --- reading ------------------------------------------------------------------------------------------------ */
/* X(column, SQL type, kind): TEXT, NUMBER, or JSON as text. Columns that an older book lacks are added to it by the next
 * tide_runs_open and read as NULL until then; none is ever taken away. */
#define TIDE_RUN_COLUMNS_LIST(X)                                                                             \
    X(run_id, "TEXT PRIMARY KEY", TEXT)                                                                      \
    X(command, "TEXT", TEXT)                                                                                 \
    X(status, "TEXT NOT NULL", TEXT)                                                                         \
    X(message, "TEXT", TEXT)                                                                                 \
    X(started, "TEXT NOT NULL", TEXT)                                                                        \
    X(finished, "TEXT", TEXT)                                                                                \
    X(host, "TEXT", TEXT)                                                                                    \
    X(process, "INTEGER", NUMBER)                                                                            \
    X(boot_id, "TEXT", TEXT)                                                                                 \
    X(process_start, "INTEGER", NUMBER)                                                                      \
    X(code_version, "TEXT", TEXT)                                                                            \
    X(backend, "TEXT", TEXT)                                                                                 \
    X(config, "TEXT", JSON)                                                                                  \
    X(source, "TEXT", TEXT)                                                                                  \
    X(source_from, "TEXT", TEXT)                                                                             \
    X(source_to, "TEXT", TEXT)                                                                               \
    X(first_ds, "TEXT", TEXT)                                                                                \
    X(last_ds, "TEXT", TEXT)                                                                                 \
    X(rows, "INTEGER", NUMBER)                                                                               \
    X(series, "INTEGER", NUMBER)                                                                             \
    X(members, "INTEGER", NUMBER)                                                                            \
    X(outcomes, "TEXT", JSON)                                                                                \
    X(forms, "TEXT", JSON)                                                                                   \
    X(stages, "TEXT", JSON)                                                                                  \
    X(generation, "INTEGER", NUMBER)                                                                         \
    X(store_bytes, "INTEGER", NUMBER)                                                                        \
    X(peak_memory_bytes, "INTEGER", NUMBER)                                                                  \
    X(warm, "TEXT", JSON)                                                                                    \
    X(resumed, "TEXT", JSON)                                                                                 \
    X(metrics, "TEXT", JSON)

typedef enum tide_run_column {
#define X(name, type, kind) TIDE_RUN_##name,
    TIDE_RUN_COLUMNS_LIST(X)
#undef X
        TIDE_RUN_COLUMNS
} tide_run_column;
typedef enum tide_run_kind { TIDE_RUN_TEXT, TIDE_RUN_NUMBER, TIDE_RUN_JSON } tide_run_kind;
const char *tide_run_column_name(int column);
tide_run_kind tide_run_column_kind(int column);

typedef struct tide_run_row {
    const char *value[TIDE_RUN_COLUMNS]; /* as text; NULL: none */
    const char *state;                   /* its status, but "killed" when it says running and its process is gone */
    double seconds;                      /* from its start to its end; -1: it has none */
} tide_run_row;

/* Opens <dir>/runs.db as it is; TIDE_STORE when there is none. */
tide_status tide_runs_open_existing(const char *dir, tide_runs **out, tide_error *err);
/* Calls each() for the run of this id, or for all in order of their start when it is NULL, until it fails. *n: how many. */
tide_status tide_runs_each(tide_runs *runs, const char *run_id,
                           tide_status (*each)(void *context, const tide_run_row *row, tide_error *err), void *context,
                           uint64_t *n, tide_error *err);

#endif
