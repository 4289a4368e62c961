/* fit_work.h - a range of lane blocks, and where each of them has its memory.
 *
 * A range is n_blocks blocks of TIDE_LANES series, one after the other through the tiles. A CPU driver takes
 * many blocks at once, so that a lane that has ended a search can go on with another series; a CUDA thread is a
 * range of one block of one lane.
 *
 * Memory in doubles a lane, m = season, n = most parameters of a form. What a block carries from stage to stage:
 *
 *     | n_obs span low high tried delta best | season_add [m] | season_mul [m] | kept starts [6 + 2n] |
 *
 * and scratch that the blocks of a range share, rows = longest tile of the range:
 *
 *     | ring [m] | ring_bar [m] | tape [5 rows] | in flight: n_obs, delta, fixed [m] (several lanes) | work |
 *
 * Several lanes also have the values in flight, y [rows*TIDE_TILE_WIDTH] a range, laid out like a tile. */
#ifndef TIDE_FIT_WORK_H
#define TIDE_FIT_WORK_H

#include "kernels/batch.h"
#include "kernels/ets_fit.h"

typedef struct tide_fit_block {
    const tide_fit_spec *spec;
    const tide_tiles *tiles;
    size_t tile;
    int lane0;       /* lanes lane0 .. lane0 + TIDE_LANES - 1 of the tile */
    size_t n_blocks; /* of the range that begins here */
    int32_t rows;    /* longest tile of the range that scratch is for */
    double *carry, *scratch; /* element i of lane k at [i*stride + k]; they may hold anything at first */
    double *y_flight;        /* several lanes: [rows*TIDE_TILE_WIDTH], else NULL */
    double *arima_carry, *arima_scratch; /* likewise, of the search of ARIMA models (arima_work.h) */
    size_t arima_carry_size;             /* doubles a lane of the former */
    size_t stride;           /* TIDE_LANES on the CPU, threads of the launch on a device */
    tide_results *out;
} tide_fit_block;

/* The parts of the workspace. */
typedef struct tide_fit_work {
    double *n_obs, *span, *low,
        *high;     /* [1] values present; steps from first to last; least and largest value */
    double *tried; /* [1] 1 once a candidate took the series */
    double *delta; /* [1] of the form at hand, for its fit by absolute errors */
    double *best;  /* [1] lowest criterion of the forms fitted so far */
    double *season_add, *season_mul; /* [m] decompositions */
    double *kept;                    /* tide_ets_kept of the form at hand */
    double *ring, *ring_bar, *tape;
    double *n_obs_flight, *delta_flight, *fixed_flight; /* several lanes: of the series in flight */
    double *rest;
} tide_fit_work;

/* Seasonal initial states that the search is free to move. */
TIDE_FN int tide_fit_n_free(const tide_fit_spec *spec) {
    return spec->ets_mode == TIDE_ETS_LIKELIHOOD && spec->season <= TIDE_SEASON_FREE_MAX ? spec->season - 1
                                                                                         : 0;
}

/* Most parameters of a form. */
TIDE_FN int tide_fit_n_most(const tide_fit_spec *spec) {
    return 2 + tide_fit_n_free(spec) + 4;
}

/* Doubles a lane that a block carries. */
TIDE_FN size_t tide_fit_carry_size(const tide_fit_spec *spec) {
    return 7 + 2 * (size_t)spec->season + tide_ets_kept_size(tide_fit_n_most(spec));
}

/* Doubles a lane of scratch, for tiles of at most `rows` steps. */
TIDE_FN size_t tide_fit_scratch_size(const tide_fit_spec *spec, int32_t rows) {
    size_t m = (size_t)spec->season;
    return 2 * m + (size_t)TIDE_ETS_TAPE_MAX * (size_t)rows + (TIDE_LANES > 1 ? 2 + m : 0) +
           tide_ets_work_size(tide_fit_n_most(spec), 4, spec->season);
}

/* Doubles of workspace of a thread with one lane: what it carries, then its scratch. */
TIDE_FN size_t tide_fit_workspace(const tide_fit_spec *spec, int32_t rows) {
    return tide_fit_carry_size(spec) + tide_fit_scratch_size(spec, rows);
}

TIDE_FN tide_fit_work tide_fit_place(const tide_fit_block *b) {
    tide_fit_work w;
    size_t tide_stride = b->stride, m = (size_t)b->spec->season * TIDE_STRIDE;
    (void)tide_stride;
    double *at = b->carry;
    w.n_obs = at;
    w.span = at + TIDE_STRIDE;
    w.low = at + 2 * TIDE_STRIDE;
    w.high = at + 3 * TIDE_STRIDE;
    w.tried = at + 4 * TIDE_STRIDE;
    w.delta = at + 5 * TIDE_STRIDE;
    w.best = at + 6 * TIDE_STRIDE;
    w.season_add = at + 7 * TIDE_STRIDE;
    w.season_mul = w.season_add + m;
    w.kept = w.season_mul + m;
    w.ring = b->scratch;
    w.ring_bar = w.ring + m;
    w.tape = w.ring_bar + m;
    w.n_obs_flight = w.tape + (size_t)TIDE_ETS_TAPE_MAX * (size_t)b->rows * TIDE_STRIDE;
    w.delta_flight = w.n_obs_flight + (TIDE_LANES > 1 ? TIDE_STRIDE : 0);
    w.fixed_flight = w.delta_flight + (TIDE_LANES > 1 ? TIDE_STRIDE : 0);
    w.rest = w.fixed_flight + (TIDE_LANES > 1 ? m : 0);
    return w;
}

/* Block i of the range that begins at `first`. */
TIDE_FN tide_fit_block tide_fit_block_at(const tide_fit_block *first, size_t i) {
    tide_fit_block b = *first;
    size_t tide_stride = b.stride, lane = (size_t)first->lane0 + i * TIDE_LANES;
    (void)tide_stride;
    b.tile = first->tile + lane / TIDE_TILE_WIDTH;
    b.lane0 = (int)(lane % TIDE_TILE_WIDTH);
    b.n_blocks = first->n_blocks - i;
    b.carry = first->carry + i * tide_fit_carry_size(first->spec) * TIDE_STRIDE;
    b.arima_carry = first->arima_carry + i * first->arima_carry_size * TIDE_STRIDE;
    return b;
}

/* Number of lane k in the tiles' per-lane arrays. */
TIDE_FN size_t tide_fit_lane(const tide_fit_block *b, int k) {
    return b->tile * TIDE_TILE_WIDTH + (size_t)b->lane0 + (size_t)k;
}

TIDE_FN const double *tide_fit_y(const tide_fit_block *b) {
    return b->tiles->y + b->tiles->offset[b->tile] + b->lane0;
}

TIDE_FN int tide_fit_wants(const tide_fit_spec *spec, int family) {
    return (int)((spec->families >> family) & 1u);
}

/* Stored coefficients of a form for this block, or NULL. */
TIDE_FN const double *tide_fit_warm(const tide_fit_block *b, int id) {
    if (!b->tiles->warm)
        return NULL;
    size_t row = b->tile * TIDE_WARM_ROWS + (size_t)id * TIDE_ETS_COEF_ROWS;
    return b->tiles->warm + row * TIDE_TILE_WIDTH + b->lane0;
}

/* The problem of a form on this block. */
TIDE_FN tide_ets_problem tide_fit_problem(const tide_fit_block *b, const tide_fit_work *w, int season_kind) {
    tide_ets_problem p;
    p.y = tide_fit_y(b);
    p.rows = b->tiles->rows[b->tile];
    p.season = b->spec->season;
    p.n_free = season_kind == TIDE_NO ? 0 : tide_fit_n_free(b->spec);
    p.stride = b->stride;
    p.n_obs = w->n_obs;
    p.fixed = season_kind == TIDE_MUL ? w->season_mul : w->season_add;
    p.relative = w->season_mul;
    p.ring = w->ring;
    p.ring_bar = w->ring_bar;
    p.tape = w->tape;
    for (int i = 0; i < 4; ++i) {
        p.lower[i] = b->spec->lower[i];
        p.upper[i] = b->spec->upper[i];
    }
    p.gap = p.season > 1 ? tide_ets_period_gap(p.season) : 0.0;
    p.delta = NULL;
    p.penalty = b->spec->ets_mode == TIDE_ETS_AVERAGE ? b->spec->penalty : 0.0;
    return p;
}

#endif
