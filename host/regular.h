/* regular.h - one series' rows, as they came, onto its regular grid: order, duplicates, gaps (intake.h lists
 * the rules).
 *
 * A group collects the rows of one id; closing it leaves the series in the group's own arrays. Memory is kept
 * from series to series and bounded by max_length.
 *
 * What a later merge with new rows needs beyond the series itself (io/history.h) stands in the bits of the
 * NaNs: a step without a row (a gap) is TIDE_GAP, a row without a value TIDE_NAN; in the rows of a series that
 * was shut out, an infinite value is TIDE_WAS_INFINITE or TIDE_WAS_MINUS_INFINITE. All of them are missing values, and a
 * panel takes each for TIDE_NAN. */
#ifndef TIDE_REGULAR_H
#define TIDE_REGULAR_H

#include "host/intake.h"
#include "kernels/tide_fn.h"

#define TIDE_GAP tide_from_bits(0x7ff8000000000001ull)
#define TIDE_WAS_INFINITE tide_from_bits(0x7ff8000000000002ull)
#define TIDE_WAS_MINUS_INFINITE tide_from_bits(0xfff8000000000002ull)

typedef struct tide_row {
    int64_t ds;
    double y;
    uint64_t line; /* 0: kept by the history */
} tide_row;

/* What is the same for all series of a run; everything borrowed. */
typedef struct tide_regular {
    const tide_intake_options *options;
    tide_intake_report *report;
    const char *source, *line_word; /* for messages */
    tide_ds_kind ds_kind;
    int keep_rows; /* 1: a closed group has its `kept` rows */
} tide_regular;

typedef struct tide_group {
    char *id; /* [TIDE_ID_MAX_BYTES] */
    size_t id_length;
    uint64_t first_line;
    tide_row *rows, *spare; /* [cap_rows] spare: for sorting */
    size_t n_rows, cap_rows;
    int ascending;   /* 1: ds strictly ascending so far */
    int touched;     /* 1: a row was here, usable or not, within from_ds..to_ds */
    int sealed;      /* 1: its outcome does not follow from its rows: a fault without a time, or too many rows */
    uint8_t outcome; /* tide_outcome */
    /* After tide_group_close: */
    double *y; /* [n] */
    size_t n, cap_y;
    int64_t first_ds, last_ds;
    uint8_t end_of_month;
    size_t n_off_grid;     /* rows left off the grid */
    const tide_row *kept;  /* [n_kept] with keep_rows: the rows in order of time, duplicates included */
    size_t n_kept;
} tide_group;

tide_status tide_group_init(tide_group *g, tide_error *err);
void tide_group_free(tide_group *g);
/* Starts a series; id_length <= TIDE_ID_MAX_BYTES. */
void tide_group_open(tide_group *g, const char *id, size_t id_length, uint64_t line);
/* A row with a usable ds; applies from_ds..to_ds and the policy for infinite values. */
tide_status tide_group_push(const tide_regular *r, tide_group *g, tide_row row, tide_error *err);
/* Counts and names a row that has a fault; `what` says which, for the message ("y is 'abc'"). */
tide_status tide_group_fault(const tide_regular *r, tide_group *g, uint64_t line, const char *what,
                             tide_error *err);
/* Puts the series on its grid: y, n, first_ds, last_ds, end_of_month, outcome. */
tide_status tide_group_close(const tide_regular *r, tide_group *g, tide_error *err);

/* Adds to a count and names the case while there is room: "series 'A' line 12: ..."; g NULL: no series known.
 */
void tide_count_case(const tide_regular *r, tide_intake_count *count, const tide_group *g, uint64_t line,
                     const char *what);
/* TIDE_INPUT with the same words, after the source's name. */
tide_status tide_fail_case(const tide_regular *r, const tide_group *g, uint64_t line, const char *what,
                           tide_error *err);

#endif
