/* plan.h - sorts the series of a panel by length and cuts them into tiles (layout: kernels/batch.h). */
#ifndef TIDE_PLAN_H
#define TIDE_PLAN_H

#include "host/panel.h"
#include "kernels/batch.h"

/* Owns one growing block that all arrays of `tiles` point into; reuse it from batch to batch. */
typedef struct tide_plan {
    tide_tiles tiles;
    void *block;
    size_t block_bytes;
    double *warm; /* [warm_count], filled by host/warm.h; tiles.warm is this or NULL */
    size_t warm_count;
} tide_plan;

/* Builds the tiles of a panel: stable sort by length (longest first), scaling by a power of two, TIDE_NAN padding.
 * Series that intake shut out, and those without a value, get a lane with length 0 and their outcome. Starts cold. */
tide_status tide_plan_build(tide_plan *plan, const tide_panel *panel, tide_error *err);
void tide_plan_free(tide_plan *plan);

#endif
