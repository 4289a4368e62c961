/* update.h - the models of a store carried over values that came after them, into a new generation: tidemill update.
 *
 * The source is read as by a fit; of each series that the store has, what lies after its model's last step goes into a
 * temporary file (8 bytes a value, 16 a series in memory). Then the store's rows are written in their order: rows with new
 * values have their members' states rolled (kernels/roll.h), their last time, numbers of values and fingerprint moved on;
 * all others are copied bit for bit. Coefficients, weights, sigma2, likelihood, criterion, scale, outcome and backtest error
 * are those of the fit. Nothing is published when no series has a new value.
 *
 * The fingerprint of a series that the source holds from its first value on is that of its values, as a fit would take it;
 * else it is chained: a hash of the old one and the new values. Where the source holds all that the model was fitted on,
 * a fingerprint of other values there says that they were corrected (or that an update has chained it since): the series
 * is named and rolled on from the stored states all the same, which have seen the old values; a fit heals it. */
#ifndef TIDE_IO_UPDATE_H
#define TIDE_IO_UPDATE_H

#include "host/config.h"
#include "host/observer.h"
#include "host/report.h"

enum { TIDE_UPDATE_NAMED = 5 };

typedef struct tide_update_count {
    uint64_t n;
    char named[TIDE_UPDATE_NAMED][96];
} tide_update_count;

typedef struct tide_update_summary {
    uint64_t series;            /* of the store */
    uint64_t updated, values, missing; /* series rolled; their steps that came: present, and not */
    uint64_t unchanged;         /* series without a new value; refused ones are counted apart */
    uint64_t fallbacks;         /* of the updated: models that a fit may better now (outcome other than fitted) */
    tide_update_count unknown;  /* ids of the source that the store lacks, or has no model for */
    tide_update_count corrected; /* see above */
    tide_update_count refused;  /* have new values, but their states cannot be rolled (roll.h): left as they were */
    tide_update_count unusable; /* shut out by intake, or off the grid of their model */
    uint64_t before, generation; /* generations; 0: nothing was published */
    char run_id[40];
} tide_update_summary;

tide_status tide_update_run(tide_config *cfg, const tide_observer *observer, tide_report *report,
                            tide_update_summary *summary, tide_error *err);
/* One JSON object on one line, malloc'd; NULL when memory is short. */
char *tide_update_json(const tide_update_summary *summary);

#endif
