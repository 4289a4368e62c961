/* plan.c - from a panel to tiles (layout: kernels/batch.h).
 *
 * Order: stable, longest series first, by a radix sort of the lengths in three digits of 11 bits. Equal
 * lengths keep the panel's order, so that a panel of like series is read and written in sequence.
 *
 * Scale: a power of two s = 2^k with 1/2 < mean|y|/s <= 1 over the present values, so that y/s is exact. The
 * mean is taken of |y| / 2^e, e the exponent of the largest |y|, which neither overflows at 1e300 nor
 * vanishes among denormals. k stays within +-1022, so that s and 1/s are normal numbers: a series of
 * denormals keeps a scaled mean down to 2^-52. Values more than 2^1022 below the mean may underflow to
 * denormals or zero: they carry no weight.
 *
 * Lanes without a fit: a series that intake shut out keeps its outcome; one without a present value becomes
 * "empty"; one with an infinite value that nobody shut out becomes "not_finite". Each gets a lane with length
 * 0, scale 1. */
#include "host/plan.h"

#include "kernels/tide_fn.h"
#include <math.h>
#include <stdlib.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, EXPONENT_MAX = 1022, ALIGNMENT = 64 };

typedef struct lane_plan {
    int32_t length;
    uint8_t outcome;
    double scale;
} lane_plan;

/* Power of two just above mean|y| of the n_present values whose largest magnitude is `largest` > 0. */
static double scale_of(const double *y, size_t n, size_t n_present, double largest) {
    int e = 0;
    frexp(largest, &e);
    double sum = 0.0;
    /* 2^-e itself may overflow when the largest is a denormal: then two exact steps. */
    double first = ldexp(1.0, -(e / 2)), second = ldexp(1.0, -(e - e / 2));
    for (size_t t = 0; t < n; ++t)
        if (!isnan(y[t]))
            sum += fabs(y[t]) * first * second;
    int k = 0;
    double fraction = frexp(sum / (double)n_present, &k);
    if (fraction == 0.5)
        --k; /* the mean is itself a power of two */
    k += e;
    k = k > EXPONENT_MAX ? EXPONENT_MAX : k < -EXPONENT_MAX ? -EXPONENT_MAX : k;
    return ldexp(1.0, k);
}

static lane_plan look_at(const double *y, size_t n, uint8_t intake_outcome) {
    lane_plan lane = {0, intake_outcome, 1.0};
    if (intake_outcome != TIDE_OUTCOME_FITTED)
        return lane;
    size_t present = 0;
    double largest = 0.0;
    for (size_t t = 0; t < n; ++t) {
        double a = fabs(y[t]);
        if (isnan(a))
            continue;
        ++present;
        if (a > largest)
            largest = a;
    }
    if (present == 0) {
        lane.outcome = TIDE_OUTCOME_EMPTY;
    } else if (isinf(largest)) {
        lane.outcome = TIDE_OUTCOME_NOT_FINITE;
    } else {
        lane.length = (int32_t)n;
        if (largest > 0.0)
            lane.scale = scale_of(y, n, present, largest);
    }
    return lane;
}

/* Stable, descending by length: order[] becomes the sorted panel indices. spare: [n] scratch. */
static void sort_by_length(const lane_plan *lane, size_t n, int32_t *order, int32_t *spare) {
    for (size_t i = 0; i < n; ++i)
        order[i] = (int32_t)i;
    for (int shift = 0; shift < 33; shift += DIGIT_BITS) {
        size_t start[DIGITS] = {0};
        for (size_t i = 0; i < n; ++i) {
            uint32_t key = (uint32_t)INT32_MAX - (uint32_t)lane[order[i]].length;
            ++start[(key >> shift) & (DIGITS - 1)];
        }
        size_t sum = 0;
        int used = 0;
        for (int d = 0; d < DIGITS; ++d) {
            size_t count = start[d];
            used += count > 0;
            start[d] = sum;
            sum += count;
        }
        if (used <= 1)
            continue; /* all alike in this digit: nothing moves */
        for (size_t i = 0; i < n; ++i) {
            uint32_t key = (uint32_t)INT32_MAX - (uint32_t)lane[order[i]].length;
            spare[start[(key >> shift) & (DIGITS - 1)]++] = order[i];
        }
        memcpy(order, spare, n * sizeof *order);
    }
}

static size_t place(size_t *at, size_t count, size_t size) {
    size_t where = *at;
    *at += (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return where;
}

/* Room for `bytes`; what the block held before is lost when it grows, and kept when that fails. */
static tide_status grow(tide_plan *plan, size_t bytes, tide_error *err) {
    if (bytes <= plan->block_bytes)
        return TIDE_OK;
    size_t want =
        bytes < plan->block_bytes + plan->block_bytes / 2 ? plan->block_bytes + plan->block_bytes / 2 : bytes;
    want = (want + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *block = aligned_alloc(ALIGNMENT, want);
    if (!block)
        return tide_fail(err, TIDE_MEMORY, "no memory for tiles (%zu bytes)", want);
    free(plan->block);
    plan->block = block;
    plan->block_bytes = want;
    return TIDE_OK;
}

/* Copies a series into lane k of its tile, scaled, with TIDE_NAN where it is missing or over. */
static void fill_lane(double *tile, int32_t rows, int k, const double *y, int32_t length, double scale) {
    const double nan = TIDE_NAN;
    double *out = tile + k;
    for (int32_t t = 0; t < length; ++t, out += TIDE_TILE_WIDTH)
        *out = isnan(y[t]) ? nan : y[t] / scale;
    for (int32_t t = length; t < rows; ++t, out += TIDE_TILE_WIDTH)
        *out = nan;
}

tide_status tide_plan_build(tide_plan *plan, const tide_panel *panel, tide_error *err) {
    size_t n = panel->n_series;
    if (n >= INT32_MAX - TIDE_TILE_WIDTH)
        return tide_fail(err, TIDE_INPUT, "%zu series in one batch", n);
    size_t n_tiles = (n + TIDE_TILE_WIDTH - 1) / TIDE_TILE_WIDTH, lanes = n_tiles * TIDE_TILE_WIDTH;

    /* Scratch, by series: what its lane will be, and the sort's two orders. */
    lane_plan *lane = calloc(n + 1, sizeof *lane);
    int32_t *order = calloc(n + 1, 2 * sizeof *order);
    tide_status status = TIDE_OK;
    if (!lane || !order) {
        status = tide_fail(err, TIDE_MEMORY, "no memory to plan %zu series", n);
        goto done;
    }
    for (size_t i = 0; i < n; ++i) {
        size_t length = panel->at[i + 1] - panel->at[i];
        if (length > INT32_MAX) {
            int shown =
                (int)(panel->id_at[i + 1] - panel->id_at[i] > 60 ? 60
                                                                 : panel->id_at[i + 1] - panel->id_at[i]);
            status = tide_fail(err, TIDE_INPUT, "series '%.*s': %zu steps are too many", shown,
                               panel->ids + panel->id_at[i], length);
            goto done;
        }
        lane[i] = look_at(panel->y + panel->at[i], length, panel->outcome[i]);
    }
    sort_by_length(lane, n, order, order + n);

    size_t y_count = 0;
    for (size_t T = 0; T < n_tiles; ++T)
        y_count += (size_t)lane[order[T * TIDE_TILE_WIDTH]].length * TIDE_TILE_WIDTH;
    if (y_count > (SIZE_MAX >> 4)) {
        status = tide_fail(err, TIDE_MEMORY, "tiles of %zu values", y_count);
        goto done;
    }
    size_t bytes = 0;
    size_t order_at = place(&bytes, lanes, sizeof(int32_t)),
           length_at = place(&bytes, lanes, sizeof(int32_t));
    size_t scale_at = place(&bytes, lanes, sizeof(double)), outcome_at = place(&bytes, lanes, 1);
    size_t rows_at = place(&bytes, n_tiles, sizeof(int32_t)),
           offset_at = place(&bytes, n_tiles, sizeof(size_t));
    size_t y_at = place(&bytes, y_count, sizeof(double));
    status = grow(plan, bytes + ALIGNMENT, err);
    if (status != TIDE_OK)
        goto done;

    unsigned char *base = plan->block;
    tide_tiles *tiles = &plan->tiles;
    tiles->n_series = n;
    tiles->n_tiles = n_tiles;
    tiles->order = (int32_t *)(void *)(base + order_at);
    tiles->length = (int32_t *)(void *)(base + length_at);
    tiles->scale = (double *)(void *)(base + scale_at);
    tiles->outcome = base + outcome_at;
    tiles->rows = (int32_t *)(void *)(base + rows_at);
    tiles->offset = (size_t *)(void *)(base + offset_at);
    tiles->y = (double *)(void *)(base + y_at);
    tiles->y_count = y_count;
    tiles->warm = NULL;
    tiles->xreg = NULL;
    tiles->xreg_rows = 0;
    tiles->xreg_at = NULL;
    tiles->xreg_ols = NULL;
    tiles->xreg_outcome = NULL;

    size_t offset = 0;
    for (size_t T = 0; T < n_tiles; ++T) {
        int32_t rows = lane[order[T * TIDE_TILE_WIDTH]].length;
        tiles->rows[T] = rows;
        tiles->offset[T] = offset;
        for (int k = 0; k < TIDE_TILE_WIDTH; ++k) {
            size_t at = T * TIDE_TILE_WIDTH + (size_t)k;
            int32_t series = at < n ? order[at] : -1;
            lane_plan l = series >= 0 ? lane[series] : (lane_plan){0, TIDE_OUTCOME_EMPTY, 1.0};
            tiles->order[at] = series;
            tiles->length[at] = l.length;
            tiles->scale[at] = l.scale;
            tiles->outcome[at] = l.outcome;
            fill_lane(tiles->y + offset, rows, k, series >= 0 ? panel->y + panel->at[series] : NULL, l.length,
                      l.scale);
        }
        offset += (size_t)rows * TIDE_TILE_WIDTH;
    }
done:
    free(lane);
    free(order);
    return status;
}

void tide_plan_free(tide_plan *plan) {
    free(plan->block);
    free(plan->warm);
    *plan = (tide_plan){0};
}
