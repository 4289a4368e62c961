/* open.h - from a configuration to an open source whose kind of time is known. */
#ifndef TIDE_OPEN_H
#define TIDE_OPEN_H

#include "host/config.h"
#include "host/observer.h"
#include "host/stream.h"
#include "host/tidemill_predict.h"

/* The source that cfg->source names: a Postgres URL, "-", "simulate:N" (N simulated series, of freq, from and to), else a
 * CSV file. A new kind of source is a line here. */
tide_status tide_open_source(const tide_config *cfg, tide_source *out, tide_error *err);

/* For a command that works on stored models: frequency, season and seed of the config become the store's. TIDE_CONFIG when it
 * was told others. */
tide_status tide_obey_store(tide_config *cfg, const tide_store *store, tide_store_info *info, tide_error *err);

typedef struct tide_feed {
    tide_source source; /* to read from */
    tide_source inner;
    int owned;          /* inner is to be closed */
    char told[256];     /* what the observer has last heard of how the rows are read */
    tide_ds_kind ds_kind;
} tide_feed;

/* Checks the config, opens its source (or takes `own`, which stays the caller's, unless NULL), looks at the first rows and
 * resolves the config by them. What was found out goes to the observer (may be NULL) as a message. */
tide_status tide_feed_open(tide_config *cfg, tide_source *own, const tide_observer *observer, tide_feed *out,
                            tide_error *err);
/* Tells the observer how the rows are read or were read, where that is not what it has heard before. */
void tide_feed_tell(tide_feed *feed, const tide_observer *observer);
void tide_feed_close(tide_feed *feed);

#endif
