/* warm.h - starts a fit from the coefficients that a model store holds: tide_tiles.warm filled by id. */
#ifndef TIDE_WARM_H
#define TIDE_WARM_H

#include "host/panel.h"
#include "host/plan.h"
#include "host/tidemill_predict.h"

typedef struct tide_warm tide_warm;

/* Maps the generation that `path` (a store directory, then its CURRENT one, or a generation file) is at now;
 * later generations, also of this very run, do not change it. season: that of the fit. TIDE_STORE with the
 * path when there is no such store or it is damaged, TIDE_CONFIG when it was fitted with another season. */
tide_status tide_warm_open(const char *path, int32_t season, tide_warm **out, tide_error *err);
void tide_warm_close(tide_warm *warm); /* NULL is allowed */

/* What it maps; belongs to `warm`. */
const tide_store_info *tide_warm_info(const tide_warm *warm);
const char *tide_warm_path(const tide_warm *warm);

/* Fills plan->tiles.warm for the panel that the plan was built from. Series that the store does not hold, or
 * without an ETS model in it, start cold. *found: how many do not. One thread a plan; several plans may be
 * filled at once. TIDE_STORE when a block of the store that is needed is damaged. */
tide_status tide_warm_fill(const tide_warm *warm, const tide_panel *panel, tide_plan *plan, uint64_t *found,
                           tide_error *err);

#endif
