/* runs.h - the book of runs: runs.db in a store's directory, SQLite, one row a run, never one a model.
 *
 * Losing the book never loses a store: a caller reports a failure here as a warning and goes on. A row with
 * status 'running' and no `finished` belongs to a run that is at work or was killed. Nothing secret goes in:
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
} tide_run_start;

/* What is known when it ends. */
typedef struct tide_run_end {
    const char *status;  /* "ok", or a status name as tide_status_name gives it */
    const char *message; /* of a failure */
    const char *backend;
    const char *outcomes;                                    /* JSON: {"fitted": 991, ...} */
    const char *forms;                                       /* JSON: {"ets AAN": 120, ...} */
    const char *stages;                                      /* JSON: seconds busy and waiting by stage */
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

#endif
