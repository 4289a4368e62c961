/* bench.h - what the benches of one core share: time, memory, fits by a lane driver, and series that are the same on every
 * machine: level, trend, multiplicative season, a walk and noise, without a missing value. */
#ifndef TIDE_BENCH_H
#define TIDE_BENCH_H

#include "host/panel.h"
#include "host/plan.h"
#include "kernels/results.h"
#include "tests/draw.h"
#include "tests/drivers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline double bench_seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Processor time of this thread. */
static inline double bench_cpu_s(void) {
    return bench_seconds(CLOCK_THREAD_CPUTIME_ID);
}

/* Aligned zeros; ends the program when there is no memory. */
static inline void *bench_grab(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!p) {
        fprintf(stderr, "%s: out of memory\n", program_invocation_short_name);
        exit(1);
    }
    memset(p, 0, bytes);
    return p;
}

/* Step t of series i. */
static inline double bench_value(size_t i, int t, int season) {
    uint64_t id = 17u + i;
    double level = 100.0 * (1.0 + 0.01 * (draw_unit(id, 1, 0) - 0.3) * t);
    double swing = 1.0 + 0.4 * (draw_unit(id, 10u + (uint64_t)(t % season), 0) - 0.5);
    double walk = 0.0;
    for (int s = t > 24 ? t - 24 : 0; s <= t; ++s)
        walk += draw_unit(id, 1000u + (uint64_t)s, 0) - 0.5;
    return level * swing * (1.0 + 0.03 * walk) * (1.0 + 0.08 * (draw_unit(id, 5000u + (uint64_t)t, 0) - 0.5));
}

/* n such series and their tiles; ends the program when there is no memory. */
static inline void bench_plan(tide_panel *panel, tide_plan *plan, size_t n, int steps, int season) {
    double *y = bench_grab((size_t)steps * sizeof *y);
    memset(plan, 0, sizeof *plan);
    tide_panel_init(panel);
    for (size_t i = 0; i < n; ++i) {
        for (int t = 0; t < steps; ++t)
            y[t] = bench_value(i, t, season);
        if (tide_panel_add(panel, "x", 1, y, (size_t)steps, 0, steps - 1, NULL) != TIDE_OK)
            exit(1);
    }
    if (tide_plan_build(plan, panel, NULL) != TIDE_OK)
        exit(1);
    free(y);
}

/* Seconds of fitting all tiles, at most `range` at a time: the least of three rounds. */
static inline double bench_fit_s(const tide_lane_driver *driver, const tide_fit_spec *spec, const tide_tiles *tiles,
                                 size_t range) {
    tide_results r;
    memset(&r, 0, sizeof r);
    r.n_series = tiles->n_series;
    r.slots = spec->slots;
    r.coef_rows = tide_coef_rows(spec);
    r.state_rows = tide_state_rows(spec);
    void *block = bench_grab(tide_results_map(&r, NULL));
    tide_results_map(&r, block);
    if (range > tiles->n_tiles)
        range = tiles->n_tiles;
    void *work = bench_grab(driver->workspace_bytes(spec, tiles->rows[0], range));
    double best = 1e30;
    for (int round = 0; round < 3; ++round) {
        double start = bench_cpu_s();
        for (size_t t = 0; t < tiles->n_tiles; t += range)
            driver->fit_tiles(spec, tiles, t, tiles->n_tiles - t < range ? tiles->n_tiles - t : range, work, &r);
        double s = bench_cpu_s() - start;
        best = s < best ? s : best;
    }
    free(work);
    free(block);
    return best;
}

#endif
