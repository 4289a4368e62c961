/* update_rows.h - the second half of an update: a store's rows, in order, into the next generation. */
#ifndef TIDE_UPDATE_ROWS_H
#define TIDE_UPDATE_ROWS_H

#include "host/observer.h"
#include "host/pool.h"
#include "host/stream.h"
#include "host/tidemill_predict.h"
#include "io/spool.h"
#include "io/update.h"

/* New values of a row. In the spool, at `at`: the new fingerprint (8 bytes), then n doubles, TIDE_NAN = missing. */
typedef struct tide_update_entry {
    uint64_t at;
    uint32_t n; /* 0: none */
} tide_update_entry;

typedef struct tide_update_rows {
    const tide_store *store;
    const tide_store_info *info;
    const tide_update_entry *entry; /* [n_series] */
    const tide_spool *spool;        /* flushed */
    tide_pool *pool;
    tide_xreg_table xreg; /* the store's shared regressors; n = 0: none */
    tide_sink *sink;
    const tide_observer *observer; /* may be NULL */
    tide_update_summary *summary;  /* counts are added: updated, values, missing, unchanged, fallbacks, refused */
} tide_update_rows;

/* Writes every row to the sink, and finishes it unless none was updated. */
tide_status tide_update_write(const tide_update_rows *rows, tide_error *err);

/* Counts, and keeps the id if it is among the first. */
void tide_update_note(tide_update_count *count, const char *id, size_t id_length);

#endif
