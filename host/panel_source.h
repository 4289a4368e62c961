/* panel_source.h - a source of whole panels: series that lie on their grids already, for a run that needs no intake.
 *
 * io/ fills the table (history_merge.c); host/run.c takes panels from it in place of rows from a tide_source. Used by one
 * thread at a time. */
#ifndef TIDE_PANEL_SOURCE_H
#define TIDE_PANEL_SOURCE_H

#include "host/error.h"
#include "host/panel.h"

typedef struct tide_panel_source {
    void *self;
    char name[160]; /* for messages and the report */
    /* Fills the (cleared) panel with the next batch of at most max_series series, and of at most max_values values unless a
     * single series has more; sets first_number. n_series == 0 at the end. */
    tide_status (*next)(void *self, tide_panel *panel, size_t max_series, size_t max_values, tide_error *err);
    /* Work done and in all, for progress; total 0 = unknown. May be NULL. */
    void (*progress)(void *self, uint64_t *done, uint64_t *total);
} tide_panel_source;

#endif
