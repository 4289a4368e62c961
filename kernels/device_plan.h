/* device_plan.h - arithmetic of the GPU path: grids, the cutting of a batch, memory maps, what goes in and
 * comes out.
 *
 * Plain functions without any CUDA, so that all of it is tested on a machine without a GPU.
 *
 * Cutting. A device batch is a run of consecutive tiles. Batches are cut so that each device gets at least
 * two (copies of one overlap the kernels of the other), none is larger than what fills a device, and each
 * fits its share of the memory. A batch that does not fit after all is halved, down to one tile.
 *
 * Memory. A slot's device block; its page-locked host block ends where the workspace begins:
 *
 *     | order | length | scale | outcome | rows | offset | y | warm | xreg, its rows and least squares | results | workspace |
 *     '---------------- one upload ----------------------------------------------------------------'- download '
 *
 * `warm` and `xreg` take no room where the tiles have none.
 *
 * On the device, lane g is series g of the batch: results come back in the batch's own order, n_series =
 * lanes, and the host scatters them to the panel's order while the device computes the next batch. (The other
 * way, letting the device write in panel order, needs memory for the whole panel's results on every device,
 * and a merge.) The workspace is interleaved: element i of thread g lies at [i*threads + g], so that a warp's
 * accesses coalesce. */
#ifndef TIDE_DEVICE_PLAN_H
#define TIDE_DEVICE_PLAN_H

#include "kernels/batch_cuda.h"
#include "kernels/results.h"
#include <string.h>

enum { TIDE_DEVICE_BLOCK = 128, TIDE_WARP = 32, TIDE_DEVICE_THREADS_PER_SM = 2048 };

/* Threads a block: whole warps, fewer when the launch would otherwise leave multiprocessors without a block.
 */
static inline int tide_device_block(size_t threads, int multiprocessors) {
    int block = TIDE_DEVICE_BLOCK;
    while (block > TIDE_WARP && (threads + (size_t)block - 1) / (size_t)block < 2 * (size_t)multiprocessors)
        block /= 2;
    return block;
}

static inline size_t tide_device_blocks(size_t threads, int block) {
    return (threads + (size_t)block - 1) / (size_t)block;
}

static inline size_t tide_device_place(size_t *at, size_t bytes) {
    size_t where = *at;
    *at += (bytes + 255) / 256 * 256; /* the alignment of cudaMalloc */
    return where;
}

/* ---- fit ---- */

typedef struct tide_device_range {
    size_t first, count; /* tiles */
} tide_device_range;

typedef size_t (*tide_workspace_fn)(const tide_fit_spec *spec, int32_t rows);

typedef struct tide_device_layout {
    size_t lanes;            /* threads of the launch = stride of the workspace = n_series of the results */
    int32_t rows;            /* steps of the longest tile */
    size_t y_first, y_count; /* the batch's part of the tiles' y */
    size_t order_at, length_at, scale_at, outcome_at, rows_at, offset_at,
        y_at, warm_at, xreg_at, xreg_row_at, xreg_ols_at; /* bytes from the block's start */
    size_t warm_bytes, xreg_bytes, xreg_row_bytes, xreg_ols_bytes; /* 0: none */
    size_t input_bytes;
    size_t results_at, results_bytes;
    size_t workspace_at, workspace_bytes;
    size_t host_bytes, device_bytes;
} tide_device_layout;

/* Map of a batch of tiles. Sizes are size_t: no overflow while lanes * rows * doubles stay below 2^60. */
static inline tide_device_layout tide_device_layout_of(const tide_fit_spec *spec, const tide_tiles *tiles,
                                                       tide_device_range range, tide_workspace_fn workspace) {
    tide_device_layout l;
    memset(&l, 0, sizeof l);
    l.lanes = range.count * TIDE_TILE_WIDTH;
    l.y_first = range.count ? tiles->offset[range.first] : 0;
    for (size_t i = range.first; i < range.first + range.count; ++i) {
        if (tiles->rows[i] > l.rows)
            l.rows = tiles->rows[i];
        l.y_count += (size_t)tiles->rows[i] * TIDE_TILE_WIDTH; /* the plan lays tiles end to end */
    }
    size_t at = 0;
    l.order_at = tide_device_place(&at, l.lanes * sizeof(int32_t));
    l.length_at = tide_device_place(&at, l.lanes * sizeof(int32_t));
    l.scale_at = tide_device_place(&at, l.lanes * sizeof(double));
    l.outcome_at = tide_device_place(&at, l.lanes);
    l.rows_at = tide_device_place(&at, range.count * sizeof(int32_t));
    l.offset_at = tide_device_place(&at, range.count * sizeof(size_t));
    l.y_at = tide_device_place(&at, l.y_count * sizeof(double));
    l.warm_bytes = tiles->warm ? l.lanes * TIDE_WARM_ROWS * sizeof(double) : 0;
    l.warm_at = tide_device_place(&at, l.warm_bytes);
    if (tiles->xreg) {
        size_t k = (size_t)spec->arima.xreg;
        l.xreg_bytes = tiles->xreg_rows * k * sizeof(double);
        l.xreg_row_bytes = l.lanes * sizeof(int32_t);
        l.xreg_ols_bytes = l.lanes * k * sizeof(double);
    }
    l.xreg_at = tide_device_place(&at, l.xreg_bytes);
    l.xreg_row_at = tide_device_place(&at, l.xreg_row_bytes);
    l.xreg_ols_at = tide_device_place(&at, l.xreg_ols_bytes);
    l.input_bytes = at;
    tide_results r;
    memset(&r, 0, sizeof r);
    r.n_series = l.lanes;
    r.slots = spec->slots;
    r.coef_rows = tide_coef_rows(spec);
    r.state_rows = tide_state_rows(spec);
    l.results_bytes = tide_results_map(&r, NULL);
    l.results_at = tide_device_place(&at, l.results_bytes);
    l.host_bytes = at;
    l.workspace_bytes = l.lanes * workspace(spec, l.rows) * sizeof(double);
    l.workspace_at = tide_device_place(&at, l.workspace_bytes);
    l.device_bytes = at;
    return l;
}

/* Most tiles of a device batch: enough to fill the device, at least two batches a device where there are that
 * many. */
static inline size_t tide_device_tiles_max(size_t n_tiles, int devices, int multiprocessors) {
    size_t fill = (size_t)multiprocessors * TIDE_DEVICE_THREADS_PER_SM / TIDE_TILE_WIDTH;
    size_t parts = 2 * (size_t)devices;
    size_t share = (n_tiles + parts - 1) / parts;
    size_t most = share < fill ? share : fill;
    return most < 1 ? 1 : most;
}

/* How many tiles from `first` on make the next batch: at most tiles_max, within `bytes` of device memory, at
 * least one (a tile that does not fit is found out by the allocation). Needs grow with the count, so halving
 * finds the edge. */
static inline size_t tide_device_cut(const tide_fit_spec *spec, const tide_tiles *tiles, size_t first,
                                     size_t tiles_max, size_t bytes, tide_workspace_fn workspace) {
    size_t left = tiles->n_tiles - first, high = left < tiles_max ? left : tiles_max, low = 1;
    while (low < high) { /* the largest count in [low, high] that fits; low always counts as fitting */
        size_t middle = low + (high - low + 1) / 2;
        tide_device_range range;
        range.first = first;
        range.count = middle;
        if (tide_device_layout_of(spec, tiles, range, workspace).device_bytes <= bytes)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Splits a batch of at least two tiles; the first part keeps the longer series and never more tiles than the
 * second. */
static inline void tide_device_halve(tide_device_range whole, tide_device_range *a, tide_device_range *b) {
    a->first = whole.first;
    a->count = whole.count / 2;
    b->first = whole.first + a->count;
    b->count = whole.count - a->count;
}

/* Fills the inputs of a host block. */
static inline void tide_device_stage(const tide_tiles *tiles, tide_device_range range,
                                     const tide_device_layout *l, unsigned char *host) {
    size_t lane0 = range.first * TIDE_TILE_WIDTH;
    int32_t *order = (int32_t *)(void *)(host + l->order_at);
    size_t *offset = (size_t *)(void *)(host + l->offset_at);
    for (size_t g = 0; g < l->lanes; ++g)
        order[g] = tiles->order[lane0 + g] < 0 ? -1 : (int32_t)g;
    for (size_t i = 0; i < range.count; ++i)
        offset[i] = tiles->offset[range.first + i] - l->y_first;
    memcpy(host + l->length_at, tiles->length + lane0, l->lanes * sizeof(int32_t));
    memcpy(host + l->scale_at, tiles->scale + lane0, l->lanes * sizeof(double));
    memcpy(host + l->outcome_at, tiles->outcome + lane0, l->lanes);
    memcpy(host + l->rows_at, tiles->rows + range.first, range.count * sizeof(int32_t));
    memcpy(host + l->y_at, tiles->y + l->y_first, l->y_count * sizeof(double));
    if (l->warm_bytes)
        memcpy(host + l->warm_at, tiles->warm + lane0 * TIDE_WARM_ROWS, l->warm_bytes);
    if (l->xreg_bytes) {
        memcpy(host + l->xreg_at, tiles->xreg, l->xreg_bytes);
        memcpy(host + l->xreg_row_at, tiles->xreg_at + lane0, l->xreg_row_bytes);
        memcpy(host + l->xreg_ols_at, tiles->xreg_ols + lane0 * (l->xreg_ols_bytes / sizeof(double) / l->lanes),
               l->xreg_ols_bytes);
    }
}

/* The launch that works on a device block with that map. */
static inline tide_device_fit tide_device_fit_of(const tide_fit_spec *spec, tide_device_range range,
                                                 const tide_device_layout *l, unsigned char *device) {
    tide_device_fit f;
    memset(&f, 0, sizeof f);
    f.spec = *spec;
    f.threads = l->lanes;
    f.workspace = (double *)(void *)(device + l->workspace_at);
    f.tiles.n_series = l->lanes;
    f.tiles.n_tiles = range.count;
    f.tiles.order = (int32_t *)(void *)(device + l->order_at);
    f.tiles.length = (int32_t *)(void *)(device + l->length_at);
    f.tiles.scale = (double *)(void *)(device + l->scale_at);
    f.tiles.outcome = device + l->outcome_at;
    f.tiles.rows = (int32_t *)(void *)(device + l->rows_at);
    f.tiles.offset = (size_t *)(void *)(device + l->offset_at);
    f.tiles.y = (double *)(void *)(device + l->y_at);
    f.tiles.y_count = l->y_count;
    f.tiles.warm = l->warm_bytes ? (double *)(void *)(device + l->warm_at) : NULL;
    if (l->xreg_bytes) {
        f.tiles.xreg = (const double *)(const void *)(device + l->xreg_at);
        f.tiles.xreg_rows = l->xreg_bytes / sizeof(double) / (size_t)spec->arima.xreg;
        f.tiles.xreg_at = (int32_t *)(void *)(device + l->xreg_row_at);
        f.tiles.xreg_ols = (double *)(void *)(device + l->xreg_ols_at);
    }
    f.results.n_series = l->lanes;
    f.results.slots = spec->slots;
    f.results.coef_rows = tide_coef_rows(spec);
    f.results.state_rows = tide_state_rows(spec);
    tide_results_map(&f.results, device + l->results_at);
    return f;
}

/* X(array, rows): every array of tide_results r as a matrix of (rows, n_series). */
#define TIDE_RESULTS_ARRAYS(X, r)                                                                            \
    X(outcome, 1)                                                                                            \
    X(n_members, 1)                                                                                          \
    X(n_obs, 1)                                                                                              \
    X(scale, 1)                                                                                              \
    X(xreg_next, 1)                                                                                          \
    X(family, (size_t)(r)->slots)                                                                            \
    X(form, (size_t)(r)->slots)                                                                              \
    X(converged, (size_t)(r)->slots)                                                                         \
    X(n_params, (size_t)(r)->slots)                                                                          \
    X(weight, (size_t)(r)->slots)                                                                            \
    X(sigma2, (size_t)(r)->slots)                                                                            \
    X(loglik, (size_t)(r)->slots)                                                                            \
    X(criterion, (size_t)(r)->slots)                                                                         \
    X(coef, (size_t)(r)->slots *(size_t)(r)->coef_rows)                                                      \
    X(state, (size_t)(r)->slots *(size_t)(r)->state_rows)

/* Moves a batch's results (mapped in its host block) to their places in the panel's results. */
static inline void tide_device_scatter(const tide_tiles *tiles, tide_device_range range,
                                       const tide_results *from, tide_results *to) {
    const int32_t *order = tiles->order + range.first * TIDE_TILE_WIDTH;
    size_t lanes = range.count * TIDE_TILE_WIDTH;
    while (lanes > 0 && order[lanes - 1] < 0)
        --lanes;
#define TIDE_SCATTER_(array, n_rows)                                                                         \
    for (size_t row = 0; row < (n_rows); ++row)                                                              \
        for (size_t g = 0; g < lanes; ++g)                                                                   \
            if (order[g] >= 0)                                                                               \
                to->array[row * to->n_series + (size_t)order[g]] = from->array[row * from->n_series + g];
    TIDE_RESULTS_ARRAYS(TIDE_SCATTER_, to)
#undef TIDE_SCATTER_
}

/* ---- forecast ---- */

/* A device batch of a forecast: consecutive series. Inputs are their results and keys, outputs mean, lo, hi.
 */
typedef struct tide_forecast_layout {
    size_t results_at, key_at, xreg_at, xreg_bytes, input_bytes;
    size_t mean_at, lo_at, hi_at, output_bytes; /* outputs lie together from mean_at on */
    size_t host_bytes;
    size_t workspace_at, device_bytes;
} tide_forecast_layout;

typedef size_t (*tide_forecast_workspace_fn)(const tide_forecast_spec *spec, int n_members);

static inline tide_results tide_device_results_like(const tide_results *all, size_t n, unsigned char *block) {
    tide_results r;
    memset(&r, 0, sizeof r);
    r.n_series = n;
    r.slots = all->slots;
    r.coef_rows = all->coef_rows;
    r.state_rows = all->state_rows;
    if (block)
        tide_results_map(&r, block);
    return r;
}

static inline tide_forecast_layout tide_forecast_layout_of(const tide_forecast_spec *spec,
                                                           const tide_results *all, size_t n,
                                                           tide_forecast_workspace_fn workspace) {
    tide_forecast_layout l;
    memset(&l, 0, sizeof l);
    tide_results r = tide_device_results_like(all, n, NULL);
    size_t at = 0, values = (size_t)spec->horizon * n * sizeof(double), levels = (size_t)spec->n_levels;
    l.results_at = tide_device_place(&at, tide_results_map(&r, NULL));
    l.key_at = tide_device_place(&at, n * sizeof(uint64_t));
    l.xreg_bytes = all->xreg ? all->xreg_rows * (size_t)all->xreg_columns * sizeof(double) : 0;
    l.xreg_at = tide_device_place(&at, l.xreg_bytes);
    l.input_bytes = at;
    l.mean_at = tide_device_place(&at, values);
    l.lo_at = tide_device_place(&at, values * levels);
    l.hi_at = tide_device_place(&at, values * levels);
    l.output_bytes = at - l.mean_at;
    l.host_bytes = at;
    l.workspace_at = tide_device_place(&at, n * workspace(spec, all->slots) * sizeof(double));
    l.device_bytes = at;
    return l;
}

/* Most series of a forecast batch within `bytes`, at most `most`, at least one. */
static inline size_t tide_forecast_cut(const tide_forecast_spec *spec, const tide_results *all, size_t most,
                                       size_t bytes, tide_forecast_workspace_fn workspace) {
    size_t low = 1, high = most < 1 ? 1 : most;
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (tide_forecast_layout_of(spec, all, middle, workspace).device_bytes <= bytes)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Fills the inputs for series [first, first + n). key may be NULL: zeros. */
static inline void tide_forecast_stage(const tide_results *all, const uint64_t *key, size_t first, size_t n,
                                       const tide_forecast_layout *l, unsigned char *host) {
    tide_results part = tide_device_results_like(all, n, host + l->results_at);
#define TIDE_GATHER_(array, n_rows)                                                                          \
    for (size_t row = 0; row < (n_rows); ++row)                                                              \
        memcpy(part.array + row * n, all->array + row * all->n_series + first, n * sizeof *part.array);
    TIDE_RESULTS_ARRAYS(TIDE_GATHER_, all)
#undef TIDE_GATHER_
    if (key)
        memcpy(host + l->key_at, key + first, n * sizeof *key);
    else
        memset(host + l->key_at, 0, n * sizeof(uint64_t));
    if (l->xreg_bytes)
        memcpy(host + l->xreg_at, all->xreg, l->xreg_bytes);
}

static inline tide_device_forecast tide_device_forecast_of(const tide_forecast_spec *spec,
                                                           const tide_results *all, size_t n,
                                                           const tide_forecast_layout *l,
                                                           unsigned char *device) {
    tide_device_forecast f;
    memset(&f, 0, sizeof f);
    f.spec = *spec;
    f.n = n;
    f.results = tide_device_results_like(all, n, device + l->results_at);
    if (l->xreg_bytes) {
        f.results.xreg = (const double *)(const void *)(device + l->xreg_at);
        f.results.xreg_rows = all->xreg_rows;
        f.results.xreg_columns = all->xreg_columns;
    }
    f.key = (const uint64_t *)(const void *)(device + l->key_at);
    f.mean = (double *)(void *)(device + l->mean_at);
    f.lo = spec->n_levels > 0 ? (double *)(void *)(device + l->lo_at) : NULL;
    f.hi = spec->n_levels > 0 ? (double *)(void *)(device + l->hi_at) : NULL;
    f.workspace = (double *)(void *)(device + l->workspace_at);
    return f;
}

/* Moves one output of a batch, (rows, n), into columns [first, first + n) of (rows, all_n). */
static inline void tide_forecast_scatter(const double *from, size_t rows, size_t first, size_t n,
                                         size_t all_n, double *to) {
    for (size_t row = 0; row < rows; ++row)
        memcpy(to + row * all_n + first, from + row * n, n * sizeof *to);
}

#endif
