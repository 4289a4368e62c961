/* history.h - a fit with a history: one file of all series, so that a nightly run reads only rows past its watermark.
 *
 *     tide_history_open      before the source: locks and opens the file, compares identities, and narrows the config's
 *                            source.from to the window
 *     tide_history_start     the source is open: new file begun; panels come from the merge, or from intake, watched
 *     tide_history_prepare   all series written: new file whole, synced, verified     (tide_run_parts.before_finish)
 *     tide_history_finish    the store is published: the new file replaces the old one
 *
 * Without a file (or with history.rebuild) every row is read. A run that fails leaves file and store as they were; one that
 * is killed between publish and finish has a store that is newer than the history, and the next run reads those rows again.
 * With cfg->history.read_only the run sees the same panels, but no new file is written: there is nothing to prepare, and
 * finish only fills the report. Formats: history_format.h; how old and new rows meet: history_merge.h. */
#ifndef TIDE_HISTORY_H
#define TIDE_HISTORY_H

#include "host/config.h"
#include "host/observer.h"
#include "host/panel_source.h"
#include "host/report.h"

typedef struct tide_history tide_history;

/* cfg is kept until the close; its source.from is narrowed until the start. own: 1 when rows come from the caller. Errors:
 * TIDE_BUSY, TIDE_STORE (damaged, or of another identity, with the key that differs), TIDE_CONFIG. */
tide_status tide_history_open(tide_config *cfg, int own, const tide_observer *observer, tide_history **out, tide_error *err);
/* *panels: what the run reads instead of the source; NULL when it reads the source, which cfg->intake lets the history see.
 * source and *panels stay until the close. */
tide_status tide_history_start(tide_history *h, tide_source *source, tide_ds_kind ds_kind, const char *run_id,
                               tide_panel_source **panels, tide_error *err);
tide_ds_kind tide_history_ds_kind(const tide_history *h); /* after the start: of the series, whatever the new rows are */
tide_status tide_history_prepare(void *history, tide_error *err);
/* Also fills the report's history and, of a merge, its intake. */
tide_status tide_history_finish(tide_history *h, tide_report *report, tide_error *err);
void tide_history_close(tide_history *h); /* NULL is allowed */

#endif
