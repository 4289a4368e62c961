/* intake.h - from rows to series on a regular grid: groups rows by id, orders them by time, turns gaps into missing
 * values, and applies the policies for rows that cannot be used. Nothing is repaired silently: each deviation is
 * counted in the report and the first TIDE_NAMED_MAX of each kind are named with line and id.
 *
 * Grouping: rows of one id must follow each other (any order of ids). When an id comes back later, the run ends with
 * TIDE_INPUT naming id and line, unless `gather` is set: then all rows are held in memory (24 bytes a row, at most 2^32
 * rows and lines) and grouped, in order of first appearance, before the first series leaves. A 64-bit hash of each id
 * seen is kept to notice it (16 to 32 bytes a series; none when the source is `grouped`).
 *
 * A series, in this order: rows outside from_ds..to_ds are left out; unusable and infinite values follow their
 * policy; rows are sorted by time, equal times in input order; duplicates follow their policy (SUM and MEAN over the
 * values present; FIRST and LAST in input order); rows off the grid that starts at the first time (B: at the first
 * weekday) follow `bad_rows` (QUARANTINE: outcome BAD_GRID). A span of more than max_length steps, or more than
 * 4 max_length rows, is BAD_GRID also with SKIP. A quarantined series leaves with its outcome, its first and last time
 * where known (else 0) and no values; one whose rows were all skipped leaves as EMPTY. A series with several faults
 * has the outcome of the first in this order: bad row and infinite (as they come), duplicate, off the grid. */
#ifndef TIDE_INTAKE_H
#define TIDE_INTAKE_H

#include "host/stream.h"

struct tide_group;   /* host/regular.h */
struct tide_regular;
struct tide_gather;  /* host/gather.h */

typedef enum tide_policy {
    TIDE_POLICY_QUARANTINE = 0, /* the series ends with an outcome and no model */
    TIDE_POLICY_ERROR,          /* the run ends */
    TIDE_POLICY_SKIP,           /* bad rows: left out and counted */
    TIDE_POLICY_FIRST, TIDE_POLICY_LAST, TIDE_POLICY_SUM, TIDE_POLICY_MEAN, /* duplicates only */
    TIDE_POLICY_SORT            /* out-of-order rows only: put in order and counted */
} tide_policy;

typedef struct tide_intake_options {
    tide_freq freq;
    tide_policy duplicates;   /* QUARANTINE (default), ERROR, FIRST, LAST, SUM, MEAN */
    tide_policy bad_rows;     /* QUARANTINE (default), ERROR, SKIP; rows without a usable id: ERROR or counted, skipped */
    tide_policy infinite;     /* QUARANTINE (default), ERROR, SKIP (= missing) */
    tide_policy out_of_order; /* SORT (default), ERROR */
    int gather;
    int64_t from_ds, to_ds;   /* only rows with from_ds <= ds <= to_ds; INT64_MIN/MAX: all */
    size_t batch_series;      /* most series a panel, e.g. 4096 */
    size_t batch_values;      /* most values a panel (a longer single series still gets one) */
    size_t max_length;        /* most grid steps a series (a span beyond is BAD_GRID), e.g. 1 << 20 */
    int windowed;             /* 1, with gather: rows from from_ds up to before window_ds come too late: they are left out, */
    int64_t window_ds;        /* counted and named */
    /* Sees each series as it goes into a panel, also one that is shut out, with its `kept` rows; may be NULL. */
    tide_status (*each)(void *each_self, const struct tide_group *series, uint64_t fingerprint, tide_error *err);
    void *each_self;
} tide_intake_options;

enum { TIDE_NAMED_MAX = 5 };

typedef struct tide_intake_count {
    uint64_t n;
    char named[TIDE_NAMED_MAX][200]; /* "series 'A' line 12: y is 'abc'" */
} tide_intake_count;

typedef struct tide_intake_report {
    uint64_t rows, series, values, gaps, missing; /* gaps: grid steps without a row; missing: rows with NULL or NaN;
                                                     values: numbers that left for the models */
    uint64_t outside;                             /* rows left out by from_ds and to_ds */
    tide_intake_count bad_rows, duplicates, infinite, out_of_order, off_grid; /* rows; a too long span counts as 1 */
    tide_intake_count late;                       /* rows before window_ds */
} tide_intake_report;

typedef struct tide_intake tide_intake;

/* Borrows source and report; both must outlive the intake. */
tide_status tide_intake_open(tide_source *source, const tide_intake_options *options, tide_intake_report *report,
                             tide_intake **out, tide_error *err);
/* Fills the (cleared) panel with the next batch; n_series == 0 at the end. */
tide_status tide_intake_next(tide_intake *in, tide_panel *panel, tide_error *err);
/* With gather, instead of panels: reads the source to its end and shows all rows by series (borrowed until the close), and
 * the means of putting them on a grid. *kind_known: 0 when no row had a usable time. For a merge with rows that are there
 * already (io/history_merge.c). */
tide_status tide_intake_gather(tide_intake *in, const struct tide_gather **rows, const struct tide_regular **regular,
                               int *kind_known, tide_error *err);
tide_ds_kind tide_intake_ds_kind(const tide_intake *in); /* valid after the first panel */
void tide_intake_close(tide_intake *in);

#endif
