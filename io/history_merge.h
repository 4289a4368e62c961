/* history_merge.h - a history and the rows of a window after it, as panels: what a full read would give.
 *
 * The window is every row with a time after `bound`. Whatever the history holds of it is replaced by what was read; rows
 * up to `bound` are the history's. Each series goes into the new history and into a panel.
 *
 * A series without rows in the window passes as it is. Else its old rows up to the bound and the new ones go through intake
 * again, and so decide outcome, grid and values together (history_format.h: a series that was shut out is kept as rows, and
 * is healed when the window corrects what was wrong). One that has no row left is gone. New ids go where the order of the
 * ids puts them, when the history has one (bytewise or by number) and rows come by id; else (gather, or no such order)
 * behind the others, as they came.
 *
 * Memory: the rows of the window, 24 bytes each, and 60 bytes a series that has some; 4 bytes a new id. */
#ifndef TIDE_HISTORY_MERGE_H
#define TIDE_HISTORY_MERGE_H

#include "host/panel_source.h"
#include "host/report.h"
#include "io/history_write.h"

typedef struct tide_history_merge tide_history_merge;

typedef struct tide_history_merge_options {
    tide_history_file *old;      /* borrowed, as the next three */
    tide_source *source;         /* of the window's rows; rows before it are late */
    tide_history_writer *writer; /* NULL: nothing is written */
    tide_report_history *report; /* counts are added to it */
    tide_intake_options intake;  /* of the run, from_ds and to_ds as the user gave them */
    int by_id;                   /* 1: the input comes by id, so that new ids belong between the others */
    int64_t bound;
    uint64_t generation;         /* of the new history */
} tide_history_merge_options;

/* Reads nothing yet: the first panel does. On success *out fills panels until it is closed. */
tide_status tide_history_merge_open(const tide_history_merge_options *options, tide_history_merge **merge,
                                    tide_panel_source *out, tide_error *err);
/* Rows, faults and what was counted of them, as intake reports it of a full read. */
const tide_intake_report *tide_history_merge_report(const tide_history_merge *merge);
void tide_history_merge_close(tide_history_merge *merge); /* NULL is allowed */

#endif
