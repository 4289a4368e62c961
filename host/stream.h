/* stream.h - the two borders of the pipeline: rows come in by a tide_source, fitted models leave by a tide_sink.
 *
 * io/ fills these tables (csv.c, postgres.c, store_write.c), main.c wires them, so that host never includes io.
 * A new source is one file that fills tide_source. Each table is used by one thread at a time. */
#ifndef TIDE_STREAM_H
#define TIDE_STREAM_H

#include "host/error.h"
#include "host/grid.h"
#include "host/panel.h"
#include "kernels/batch.h"

enum { TIDE_ID_MAX_BYTES = 16384 };

/* Why a row cannot be used. */
typedef enum tide_row_fault {
    TIDE_ROW_GOOD = 0,
    TIDE_ROW_BAD_DS,      /* unparsable, infinite or BC time; id is valid */
    TIDE_ROW_BAD_Y,       /* not a number; id is valid */
    TIDE_ROW_BAD_ID,      /* empty, or longer than TIDE_ID_MAX_BYTES; belongs to no series */
    TIDE_ROW_BAD_SHAPE    /* too few or too many fields, broken quoting; belongs to no series */
} tide_row_fault;

/* A block of rows, columnar; borrowed from the source until its next call. Infinite y is passed on (intake decides). */
typedef struct tide_rows {
    size_t n;             /* 0 = end of input */
    tide_ds_kind ds_kind; /* the same in all blocks of a source */
    const char *bytes;    /* ids of the block */
    const uint32_t *id_at, *id_length; /* [n] */
    const int64_t *ds;    /* [n] */
    const double *y;      /* [n] TIDE_NAN = missing */
    const uint8_t *fault; /* [n] tide_row_fault; may be NULL: all good */
    const uint64_t *line; /* [n] line in the file (from 1, header included), or row number of the query */
    const char (*fault_text)[48]; /* [n_fault_text] the offending text of the block's first faults, printable */
    size_t n_fault_text;
} tide_rows;

typedef struct tide_source {
    void *self;
    char name[160];       /* "csv sales.csv", "postgres demand.sales" - never with a password */
    const char *line_word; /* "line" or "row", for messages */
    int grouped;          /* 1: rows are guaranteed to come ordered by id, then ds (Postgres with ORDER BY) */
    tide_status (*next)(void *self, tide_rows *rows, tide_error *err);
    /* Bytes read and in all, for progress; total 0 = unknown. May be NULL. */
    void (*progress)(void *self, uint64_t *done, uint64_t *total);
    void (*close)(void *self); /* frees; safe after failure; called exactly once by the owner */
    /* One line for the log on how the rows are read ("2 connections, 101 ranges of ids by an index"), and what went on
     * while they were ("..., 1 failure overcome"). At any time between open and close. May be NULL. */
    void (*describe)(void *self, char *out, size_t size);
} tide_source;

/* Fitted batches arrive in series order (panel.first_number ascending, no gaps). Of a panel with `kept` series the sink
 * has the results of these already; when it is all of them, `results` hold only what recall filled. */
typedef struct tide_sink {
    void *self;
    char name[160];
    tide_status (*write)(void *self, const tide_panel *panel, const tide_results *results, tide_error *err);
    /* Sets panel->kept: how many of its first series an interrupted run has left, their data compared; fills outcome,
     * n_members, family and form of these. Called for every panel, in order, by a thread of its own. NULL: never any. */
    tide_status (*recall)(void *self, tide_panel *panel, tide_results *results, tide_error *err);
    /* Makes all of it visible at once (a store: checksums, fsync, rename). After a failure nothing has changed. */
    tide_status (*finish)(void *self, tide_error *err);
    void (*close)(void *self); /* frees; without a finish before, throws away what was written */
} tide_sink;

#endif
