/* postgres_merge.h - a load that may be repeated: rows of a source into a PostgreSQL table, each (id, ds) once.
 *
 * Rows that the table lacks are added; those that it has are left alone, or with `corrections` get the new y where
 * it is distinct. So a repeated or overlapping load changes nothing that was not new or corrected. All or nothing:
 * after any failure, and however this process or the server ends, the table is as it was and nothing is left
 * behind. Two loads at once give what one after the other gives. */
#ifndef TIDE_POSTGRES_MERGE_H
#define TIDE_POSTGRES_MERGE_H

#include "host/stream.h"

typedef enum tide_load_duplicates { /* rows of one (id, ds) in the input */
    TIDE_LOAD_DUPLICATES_ERROR = 0, /* nothing is loaded; the message names both lines */
    TIDE_LOAD_DUPLICATES_FIRST,
    TIDE_LOAD_DUPLICATES_LAST
} tide_load_duplicates;

typedef struct tide_load_progress {
    const char *stage; /* "reading", "looking for duplicates", "merging", "indexing" */
    uint64_t rows;     /* read so far */
    uint64_t done, total; /* of the source, in its own unit; total 0 = unknown */
} tide_load_progress;

typedef struct tide_load_options {
    const char *url, *table;
    const char *id_column, *ds_column, *y_column; /* of the table; NULL = unique_id, ds, y */
    const char *from, *to; /* only rows with from <= ds <= to; NULL = no bound */
    int create;      /* make the table where it does not exist */
    int index;       /* a unique index on (id, ds), unless the table has one that begins with them */
    int corrections; /* rows that are there already get the new y where it is distinct */
    int skip_bad_rows; /* rows that cannot be read are counted and named instead of ending the load */
    tide_load_duplicates duplicates;
    int connect_timeout_s, statement_timeout_s, read_timeout_s; /* as in postgres.h; the silence of a server that is
                                                                   asked to merge, check or index has no limit */
    int lock_timeout_s; /* longest wait for other writers; 0 = 300 */
    void *self;         /* of the callbacks, each of which may be NULL */
    void (*progress)(void *self, const tide_load_progress *progress); /* once a block and at each stage */
    void (*message)(void *self, const char *text);                    /* a refused row; the first five are named */
    int (*stop)(void *self);                                          /* 1 ends the load with TIDE_INTERRUPTED */
} tide_load_options;

typedef struct tide_load_report {
    uint64_t read;         /* rows of the source */
    uint64_t inserted;
    uint64_t corrected;    /* had another y */
    uint64_t unchanged;    /* were there; without corrections their y was not looked at */
    uint64_t duplicates;   /* left out by FIRST or LAST */
    uint64_t out_of_range; /* before from or after to */
    uint64_t refused;      /* could not be read */
    int created, indexed;
    int direct;            /* 1: a new or empty table was filled directly, without a merge */
    double read_s, merge_s, index_s; /* reading and sending; checking and merging; index and statistics */
} tide_load_report;

/* Reads `rows` to its end. Infinite y is loaded as it is, missing y as NULL. TIDE_INPUT: a row that cannot be used
 * (with its line), a duplicate, a table that does not fit; TIDE_CONNECTION: the server. *report is set on success. */
tide_status tide_postgres_merge(const tide_load_options *options, tide_source *rows, tide_load_report *report,
                                tide_error *err);

#endif
