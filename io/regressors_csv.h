/* regressors_csv.h - a file of shared regressors (host/regressors.h), wide or long, plain or gzip. */
#ifndef TIDE_REGRESSORS_CSV_H
#define TIDE_REGRESSORS_CSV_H

#include "host/config.h"
#include "host/observer.h"
#include "host/regressors.h"

/* Reads cfg->arima.regressors for series whose times are of `kind` on a grid of `freq`; columns have the names that the
 * source's have (cfg->source). The file is wide unless it has a column of ids. Dates serve series with timestamps, as
 * their midnights. Leaves out what tells nothing apart, which the observer (may be NULL) hears. TIDE_INPUT names the file
 * and the line, column, time or regressor that cannot be used; TIDE_DISK: it cannot be read. */
tide_status tide_regressors_open(const tide_config *cfg, tide_freq freq, tide_ds_kind kind, const tide_observer *observer,
                                 tide_regressors *out, tide_error *err);
/* What a fit needs of the regressors that its config names, if any; `on` 0: there are none. */
typedef struct tide_xreg_feed {
    int on;
    tide_regressors regressors;
    tide_linalg linalg;
} tide_xreg_feed;
/* Opens them and puts their number into cfg. TIDE_CONFIG: no family takes them. */
tide_status tide_xreg_feed_open(tide_config *cfg, tide_ds_kind kind, const tide_backend *backend,
                                const tide_observer *observer, tide_xreg_feed *out, tide_error *err);
void tide_xreg_feed_close(tide_xreg_feed *feed); /* all zero is valid and closed */

/* The same for a forecast from a store: its regressors, with the values of the file where that has any. Columns may stand in
 * another order and be more; one that the store has and the file has not is TIDE_INPUT. */
tide_status tide_regressors_over(const tide_config *cfg, const tide_xreg_table *stored, tide_freq freq, tide_ds_kind kind,
                                 tide_regressors *out, tide_error *err);

#endif
