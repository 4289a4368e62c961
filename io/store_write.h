/* store_write.h - the store's writer: a tide_sink that turns fitted batches into the next generation of a
 * store. */
#ifndef TIDE_STORE_WRITE_H
#define TIDE_STORE_WRITE_H

#include "host/stream.h"
#include "host/tidemill_predict.h"

typedef struct tide_store_writer_options {
    const char *dir;       /* store directory; its last component is created if missing */
    const char *spool_dir; /* where columns lie while they grow (as large as the generation); NULL = dir */
    tide_freq freq;
    int32_t season;
    uint64_t seed;       /* of simulated intervals */
    const char *run_id;  /* at most 39 bytes */
    const char *backend; /* its name, cut to 63 bytes; NULL = "" */
    int keep; /* generations kept; older ones are removed after the publish, never CURRENT; 0 = all */
    uint64_t index_seed; /* first seed of the id index; 0 unless in a test */
    const char *identity; /* lines "key=value": what decides the results. A run that dies leaves what it has finished in the
                             store's directory (spool_dir is then of no use); NULL = nothing is kept */
    const tide_xreg_table *xreg; /* regressors of the fit, kept in the generation; NULL = none */
    int resume;       /* go on with what a run of the same identity has left, under its run id; 0 = throw it away */
    int resume_mixed; /* when the source has changed since, keep the series before the first that differs */
} tide_store_writer_options;

/* What finish() has published. */
typedef struct tide_store_written {
    uint64_t generation, n_series, n_members, file_bytes;
    int pruned;     /* older generations removed */
    char path[560]; /* of the generation file */
} tide_store_written;

/* Takes the store's lock until close (TIDE_BUSY names who has it) and removes what dead writers left, but with `resume`
 * goes on with it: TIDE_CONFIG names the key that differs and leaves it there. The options' texts are copied. On success
 * the sink's functions and this file's work on *out; on failure *out is untouched. */
tide_status tide_store_writer_open(const tide_store_writer_options *options, tide_sink *out, tide_error *err);

/* The kind of ds, known after the first panel (tide_intake_ds_kind): to be said before finish, unless no
 * series came. */
void tide_store_writer_set_kind(tide_sink *sink, tide_ds_kind kind);
/* The backend that did the work, when it changed during the run. */
void tide_store_writer_set_backend(tide_sink *sink, const char *name);
/* Generation number that this writer will publish; 0 < n. */
uint64_t tide_store_writer_generation(const tide_sink *sink);
/* The options' run id, or that of the run which is gone on with. */
const char *tide_store_writer_run_id(const tide_sink *sink);
/* Series that an earlier run has finished; 0: a run from the start. */
uint64_t tide_store_writer_resumed(const tide_sink *sink);
/* What was found at the opening and what became of it, a line, or "". */
const char *tide_store_writer_note(const tide_sink *sink);
/* After a failure: how many series stay for a later run to go on with. */
uint64_t tide_store_writer_keep(tide_sink *sink);
/* After a successful finish. */
void tide_store_writer_written(const tide_sink *sink, tide_store_written *out);

#endif
