/* history_write.h - the writer of a history (history_format.h): beside the file that is there, which stays until the new one
 * is whole. */
#ifndef TIDE_HISTORY_WRITE_H
#define TIDE_HISTORY_WRITE_H

#include "host/intake.h"
#include "host/regular.h"
#include "io/history_map.h"

typedef struct tide_history_place { /* the file and its directory, locked for one writer */
    int dir_fd, lock_fd;
    char path[512];
    char name[256]; /* of the file in its directory */
} tide_history_place;

/* Finds the directory, takes the lock ".NAME.lock" in it (TIDE_BUSY names the holder) and removes what dead writers of
 * this file left. */
tide_status tide_history_place_open(const char *path, tide_history_place *out, tide_error *err);
void tide_history_place_close(tide_history_place *place); /* gives the lock back; safe on {-1, -1} */

/* Where a group's rows are turned into a series as the history keeps it; zero: valid and empty. */
typedef struct tide_history_scratch {
    double *values;
    int64_t *times;
    size_t capacity;
} tide_history_scratch;
void tide_history_scratch_free(tide_history_scratch *scratch);
/* The series of a closed group, as rows or on its grid (history_format.h); borrowed from group and scratch. Of more than
 * max_rows rows none is kept: the series is SEALED, or stays on its grid. fingerprint and changed are the caller's to set. */
tide_status tide_history_of_group(tide_history_scratch *scratch, const tide_group *group, size_t max_rows,
                                  tide_history_series *out, tide_error *err);

typedef struct tide_history_writer tide_history_writer;

typedef struct tide_history_writer_options {
    const tide_history_place *place; /* borrowed until the close */
    uint64_t generation;
    tide_freq freq;
    tide_ds_kind ds_kind;
    size_t max_length;
    const char *identity; /* lines "key=value\n" */
    const char *run_id, *source;
} tide_history_writer_options;

tide_status tide_history_writer_open(const tide_history_writer_options *options, tide_history_writer **out, tide_error *err);
/* y: [n] the values that left for the models, which are counted; those of the series unless it is kept as rows. */
tide_status tide_history_put(tide_history_writer *w, const tide_history_series *series, const double *y, size_t n,
                             tide_error *err);
/* All is written, synced and verified, still under its temporary name; after a failure, or without a commit, the close
 * throws it away. */
tide_status tide_history_prepare_file(tide_history_writer *w, tide_error *err);
/* Replaces the old file. */
tide_status tide_history_commit(tide_history_writer *w, tide_error *err);
const tide_history_header *tide_history_written(const tide_history_writer *w);
void tide_history_writer_close(tide_history_writer *w); /* NULL is allowed */

/* The latest time that counts for a watermark: one day from now; none for integers. */
int64_t tide_history_limit(tide_ds_kind kind);

/* Order of two ids where TIDE_ORDER_NUMBERS, and whether an id is a whole number as that order knows it. */
int tide_history_is_number(const char *id, size_t length);
int tide_history_compare(unsigned order, const char *a, size_t a_length, const char *b, size_t b_length);

#endif
