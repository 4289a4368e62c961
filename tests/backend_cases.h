/* backend_cases.h - batches on which backends must agree bit for bit: one list for the tests and for GPU
 * machines.
 *
 * Every series is made from its case and number alone by a counter-based generator, so that a case is the
 * same on every machine and a series the same in every batch that holds it. */
#ifndef TIDE_TESTS_BACKEND_CASES_H
#define TIDE_TESTS_BACKEND_CASES_H

#include "host/backend.h"
#include "host/panel.h"
#include "host/plan.h"
#include "kernels/results.h"
#include "kernels/tide_fn.h"
#include "tests/draw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct backend_case {
    const char *name;
    size_t n_series;
    int shortest, longest; /* steps */
    int season;
    int mode; /* tide_ets_mode */
    uint32_t families;
    int odd;  /* 1: some series are empty, constant, negative, full of gaps, huge, shut out ... */
    int slow; /* 1: only where there is a GPU */
    int warm; /* 1: some series and forms begin from given coefficients, some of them absurd */
} backend_case;

enum {
    CASE_ETS = 1 << TIDE_FAMILY_ETS,
    CASE_PLAIN =
        1 << TIDE_FAMILY_NAIVE | 1 << TIDE_FAMILY_SNAIVE | 1 << TIDE_FAMILY_DRIFT | 1 << TIDE_FAMILY_MEAN,
    CASE_ALL = CASE_ETS | CASE_PLAIN,
    CASE_ROBUST = TIDE_FAMILIES_ETS
};

/* clang-format off */
static const backend_case backend_cases[] = {
    {"one series", 1, 48, 48, 12, TIDE_ETS_LIKELIHOOD, CASE_ETS, 0, 0, 0},
    {"31 series, no season", 31, 20, 40, 1, TIDE_ETS_LIKELIHOOD, CASE_ALL, 0, 0, 0},
    {"33 series, quarters", 33, 12, 60, 4, TIDE_ETS_LIKELIHOOD, CASE_ALL, 1, 0, 0},
    {"257 series, odd ones among them", 257, 0, 30, 4, TIDE_ETS_LIKELIHOOD, CASE_ALL, 1, 0, 0},
    {"65 series, averaged", 65, 10, 40, 4, TIDE_ETS_AVERAGE, CASE_ETS, 1, 0, 0},
    {"65 series, averaged with robust fits", 65, 10, 40, 4, TIDE_ETS_AVERAGE, CASE_ROBUST, 1, 0, 0},
    {"40 series, weeks", 40, 60, 130, 52, TIDE_ETS_LIKELIHOOD, CASE_ETS, 0, 0, 0},
    {"300 series, plain families", 300, 0, 50, 7, TIDE_ETS_LIKELIHOOD, CASE_PLAIN, 1, 0, 0},
    {"97 series, some warm", 97, 10, 50, 4, TIDE_ETS_LIKELIHOOD, CASE_ETS, 1, 0, 1},
    {"70 series, some warm, averaged", 70, 20, 60, 6, TIDE_ETS_AVERAGE, CASE_ETS, 1, 0, 1},
    {"70 series, some warm, averaged with robust fits", 70, 20, 60, 6, TIDE_ETS_AVERAGE, CASE_ROBUST, 1, 0, 1},
    {"10000 series, months", 10000, 30, 120, 12, TIDE_ETS_LIKELIHOOD, CASE_ALL, 1, 1, 0},
    {"100000 series, months", 100000, 120, 120, 12, TIDE_ETS_LIKELIHOOD, CASE_ETS, 1, 1, 0},
    {"2000 series, months, averaged", 2000, 40, 120, 12, TIDE_ETS_AVERAGE, CASE_ETS, 1, 1, 0},
    {"2000 series, months, averaged with robust fits", 2000, 40, 120, 12, TIDE_ETS_AVERAGE, CASE_ROBUST, 1, 1, 0},
    {"20000 series, months, some warm", 20000, 60, 120, 12, TIDE_ETS_LIKELIHOOD, CASE_ETS, 1, 1, 1},
    {"500 long series, hours", 500, 200, 2000, 24, TIDE_ETS_LIKELIHOOD, CASE_ETS, 0, 1, 0},
    {"64 series, days of a year", 64, 800, 1500, 365, TIDE_ETS_LIKELIHOOD, CASE_ETS, 0, 1, 0},
};
/* clang-format on */
enum { BACKEND_CASES = sizeof backend_cases / sizeof backend_cases[0] };

static inline uint64_t case_bits(uint64_t a, uint64_t b) {
    return draw_bits(a, b, 0x1234567);
}

static inline double case_unit(uint64_t a, uint64_t b) {
    return draw_unit(a, b, 0x1234567);
}

/* Sum of four uniforms, centred: near enough to normal, and free of libm. */
static inline double case_noise(uint64_t a, uint64_t b) {
    return case_unit(a, 4 * b) + case_unit(a, 4 * b + 1) + case_unit(a, 4 * b + 2) + case_unit(a, 4 * b + 3) -
           2.0;
}

/* Value of series i at step t; kind chooses what is odd about it. */
static inline double case_value(size_t i, int t, int season, int kind) {
    uint64_t id = 1000 + i;
    double level = 20.0 + 400.0 * case_unit(id, 1), slope = (case_unit(id, 2) - 0.4) * 0.02 * level;
    int phase = t % season;
    double swing = season > 1 ? (case_unit(id, 100 + (uint64_t)phase) - 0.5) * level * 0.6 : 0.0;
    double y = level + slope * t + swing + case_noise(id, 5000 + (uint64_t)t) * level * 0.08;
    switch (kind) {
    case 1:
        return level; /* constant */
    case 2:
        return 0.0; /* all zero */
    case 3:
        return case_unit(id, 9000 + (uint64_t)t) < 0.3 ? TIDE_NAN : y; /* gaps */
    case 4:
        return y - 1.2 * level; /* both signs */
    case 5:
        return y * 1e300 / level * 0.5; /* huge */
    case 6:
        return y / level * 1e-310; /* denormal */
    case 7:
        return TIDE_NAN; /* all missing */
    case 8:
        return case_unit(id, 9000 + (uint64_t)t) < 0.8 ? 0.0 : floor(y); /* intermittent */
    case 9:
        return t % 2 ? 1e200 * y : 1e-200 * y; /* scales too far apart */
    default:
        return y;
    }
}

static inline int case_kind(const backend_case *c, size_t i) {
    return c->odd && i % 3 == 1 ? (int)(i / 3 % 11) : 0;
}

/* Aborts when memory is short: test code. */
static inline void case_panel(const backend_case *c, tide_panel *panel) {
    tide_panel_init(panel);
    double *y = malloc((size_t)(c->longest + 1) * sizeof *y);
    if (!y)
        abort();
    for (size_t i = 0; i < c->n_series; ++i) {
        int kind = case_kind(c, i), span = c->longest - c->shortest + 1;
        int n = c->shortest + (int)(case_bits(7, i) % (uint64_t)span);
        for (int t = 0; t < n; ++t)
            y[t] = case_value(i, t, c->season, kind);
        char id[32];
        int length = snprintf(id, sizeof id, "S%zu", i);
        if (tide_panel_add(panel, id, (size_t)length, y, (size_t)n, 0, n > 0 ? n - 1 : 0, NULL) != TIDE_OK)
            abort();
        if (kind == 10)
            panel->outcome[i] = TIDE_OUTCOME_BAD_ROW;
    }
    free(y);
}

static inline tide_fit_spec case_spec(const backend_case *c) {
    tide_fit_spec s;
    memset(&s, 0, sizeof s);
    s.season = c->season;
    s.families = c->families;
    s.ets_forms = (1u << TIDE_ETS_FORMS) - 1u;
    s.criterion = TIDE_AICC;
    s.ets_mode = c->mode;
    s.max_iterations = 60;
    s.slots = c->mode == TIDE_ETS_AVERAGE ? TIDE_ETS_FORMS * __builtin_popcount(c->families) : 1;
    s.penalty = c->mode == TIDE_ETS_AVERAGE ? 1.0 : 0.0;
    s.temperature = 2.0;
    s.min_weight = 0.01;
    for (int i = 0; i < 4; ++i) {
        s.lower[i] = i == 3 ? 0.8 : 1e-4;
        s.upper[i] = i == 3 ? 0.98 : 0.9999;
    }
    return s;
}

/* Warm coefficients for some series of a case's plan: a function of case and series alone. */
static inline void case_warm(const backend_case *c, tide_plan *plan) {
    tide_tiles *t = &plan->tiles;
    size_t lanes = t->n_tiles * TIDE_TILE_WIDTH;
    if (!c->warm)
        return;
    plan->warm = malloc(lanes * TIDE_WARM_ROWS * sizeof *plan->warm);
    if (!plan->warm)
        abort();
    for (size_t lane = 0; lane < lanes; ++lane)
        for (uint64_t row = 0; row < TIDE_WARM_ROWS; ++row) {
            uint64_t id = (uint64_t)(t->order[lane] + 1),
                     kind = case_bits(id, 900 + row / TIDE_ETS_COEF_ROWS) % 8;
            double v = case_unit(id, 1000 + row);
            if (row % TIDE_ETS_COEF_ROWS == 3)
                v = 0.8 + 0.18 * v;
            if (kind == 0 || id % 3 == 0 || (kind == 1 && row % TIDE_ETS_COEF_ROWS > 0))
                v = TIDE_NAN;
            if (kind == 2)
                v = (v - 0.5) * 1e6;
            if (kind == 3)
                v = row % 2 ? 1.0 : 0.0;
            plan->warm[(lane / TIDE_TILE_WIDTH * TIDE_WARM_ROWS + row) * TIDE_TILE_WIDTH +
                       lane % TIDE_TILE_WIDTH] = v;
        }
    t->warm = plan->warm;
}

/* A results block for n series, filled with garbage. *bytes: its size. Free r->outcome, which is the block's
 * start. */
static inline tide_results case_results(const tide_fit_spec *spec, size_t n, size_t *bytes) {
    tide_results r;
    memset(&r, 0, sizeof r);
    r.n_series = n;
    r.slots = spec->slots;
    r.coef_rows = tide_coef_rows(spec);
    r.state_rows = tide_state_rows(spec);
    *bytes = tide_results_map(&r, NULL);
    void *block = aligned_alloc(64, *bytes + 64);
    if (!block)
        abort();
    memset(block, 0, *bytes + 64); /* the gaps between arrays compare equal ... */
    tide_results_map(&r, block);
    /* ... but every element must be written: none of these is a value that a fit leaves. */
    memset(r.outcome, 0xee, n);
    memset(r.n_members, 0xee, n);
    memset(r.state, 0xee, n * (size_t)r.slots * (size_t)r.state_rows * sizeof *r.state);
    memset(r.coef, 0xee, n * (size_t)r.slots * (size_t)r.coef_rows * sizeof *r.coef);
    return r;
}

static inline tide_forecast_spec case_forecast_spec(const backend_case *c, int intervals) {
    tide_forecast_spec s;
    memset(&s, 0, sizeof s);
    s.season = c->season;
    s.horizon = 13;
    s.n_levels = 2;
    s.level[0] = 0.8;
    s.level[1] = 0.95;
    s.intervals = intervals;
    s.paths = 200;
    s.seed = 42;
    return s;
}

#endif
