/* since.h - where a series of a panel and its stored model meet: what came after the values that the model has seen. */
#ifndef TIDE_SINCE_H
#define TIDE_SINCE_H

#include "host/panel.h"
#include "host/tidemill_predict.h"

typedef struct tide_since {
    int64_t row; /* of the store, -1: it does not have the id */
    tide_series_model model;
    int64_t known; /* steps of the panel's series up to the model's last; all of them when nothing came after */
    int64_t skip;  /* steps after the model's last and before the panel's first: its rows begin later */
    int off_grid;  /* the panel's times are not steps of the model's grid, or too far behind its last: fresh is 0 */
    int64_t fresh; /* steps of the panel after the model's last: values [known, known + fresh) */
} tide_since;

enum { TIDE_SINCE_GAP_MAX = 1 << 20 }; /* steps without a row between model and panel */

/* Looks up series i of the panel. TIDE_STORE when the store is damaged. */
tide_status tide_since_of(const tide_store *store, const tide_store_info *info, const tide_panel *panel, size_t i,
                          tide_since *out, tide_error *err);

#endif
