/* fit_fixture.h - series fitted through the lane drivers, for the tests of fit.h and of the search of ARIMA models. */
#ifndef TIDE_FIT_FIXTURE_H
#define TIDE_FIT_FIXTURE_H

#include "host/panel.h"
#include "host/plan.h"
#include "kernels/tide_fn.h"
#include "tests/draw.h"
#include "tests/drivers.h"
#include "tests/results_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

typedef struct batch {
    tide_panel panel;
    tide_plan plan;
    tide_results r;
    const double *xreg; /* NULL, or shared regressors from step 0 of every series */
    size_t xreg_rows;
} batch;

static inline void batch_begin(batch *b) {
    memset(b, 0, sizeof *b);
    tide_panel_init(&b->panel);
}

static inline void batch_add(batch *b, const double *y, int n) {
    cr_assert_eq(tide_panel_add(&b->panel, "x", 1, y, (size_t)n, 0, n > 0 ? n - 1 : 0, NULL), TIDE_OK);
}

/* Fits everything with a driver, a range of one tile, then one of two, of three, and so on; results and workspace begin as
 * garbage. */
static inline void batch_fit(batch *b, const tide_lane_driver *driver, const tide_fit_spec *spec) {
    cr_assert_eq(tide_plan_build(&b->plan, &b->panel, NULL), TIDE_OK);
    tide_tiles tiles = b->plan.tiles;
    int32_t *at = NULL;
    double *ols = NULL;
    if (b->xreg) {
        size_t lanes = tiles.n_tiles * TIDE_TILE_WIDTH;
        tiles.xreg = b->xreg;
        tiles.xreg_rows = b->xreg_rows;
        tiles.xreg_at = at = calloc(lanes, sizeof *at);
        tiles.xreg_ols = ols = calloc(lanes * (size_t)spec->arima.xreg, sizeof *ols);
        cr_assert(at && ols);
    }
    results_begin(&b->r, spec, b->panel.n_series);
    for (size_t t = 0, count = 1; t < tiles.n_tiles; t += count, ++count) {
        count = tiles.n_tiles - t < count ? tiles.n_tiles - t : count;
        int32_t rows = tiles.rows[t]; /* the longest comes first */
        size_t bytes = (driver->workspace_bytes(spec, rows, count) + 63) / 64 * 64;
        void *work = aligned_alloc(64, bytes);
        memset(work, 0x7f, bytes);
        driver->fit_tiles(spec, &tiles, t, count, work, &b->r);
        free(work);
    }
    free(at);
    free(ols);
}

static inline void batch_free(batch *b) {
    free(b->r.outcome);
    tide_plan_free(&b->plan);
    tide_panel_free(&b->panel);
}

/* Fits one series, as widely as this machine can. */
static inline void fit_one(batch *b, const double *y, int n, const tide_fit_spec *spec) {
    batch_begin(b);
    batch_add(b, y, n);
    batch_fit(b, widest(), spec);
}

/* Every result of series i of a and series j of b has the same bits. */
static inline void same_series(const batch *a, size_t i, const batch *b, size_t j, const char *what) {
    const tide_results *p = &a->r, *q = &b->r;
    size_t n = p->n_series, m = q->n_series;
    cr_assert_eq(p->outcome[i], q->outcome[j], "%s: outcome of %zu, %d and %d", what, i, p->outcome[i],
                 q->outcome[j]);
    cr_assert_eq(p->n_members[i], q->n_members[j], "%s: members of %zu", what, i);
    cr_assert_eq(p->n_obs[i], q->n_obs[j]);
    for (size_t s = 0; s < (size_t)p->slots; ++s) {
        cr_assert_eq(p->family[s * n + i], q->family[s * m + j], "%s: family of %zu", what, i);
        cr_assert_eq(p->form[s * n + i], q->form[s * m + j], "%s: form of %zu: %x and %x", what, i,
                     p->form[s * n + i], q->form[s * m + j]);
        cr_assert_eq(p->converged[s * n + i], q->converged[s * m + j]);
        cr_assert_eq(p->n_params[s * n + i], q->n_params[s * m + j]);
#define SAME(field, rows)                                                                                    \
    for (size_t c = 0; c < (size_t)(rows); ++c)                                                              \
        cr_assert_eq(memcmp(&p->field[(s * (size_t)(rows) + c) * n + i],                                     \
                            &q->field[(s * (size_t)(rows) + c) * m + j], 8),                                 \
                     0, "%s: %s %zu of series %zu, %.17g and %.17g", what, #field, c, i,                     \
                     p->field[(s * (size_t)(rows) + c) * n + i],                                             \
                     q->field[(s * (size_t)(rows) + c) * m + j]);
        SAME(weight, 1)
        SAME(sigma2, 1)
        SAME(loglik, 1)
        SAME(criterion, 1)
        SAME(coef, p->coef_rows)
        SAME(state, p->state_rows)
#undef SAME
    }
}

/* What value v at step t of n becomes in a series of an odd kind, 1 to 10; chance: drawn for this value. */
static inline double odd_value(int kind, double v, double level, int t, int n, double chance) {
    switch (kind) {
    case 1: return level;
    case 2: return t % 5 ? 0.0 : v;
    case 3: return v - 1.2 * level;
    case 4: return chance < 0.3 ? TIDE_NAN : v;
    case 5: return t < 6 || t > n - 4 ? TIDE_NAN : v;
    case 6: return TIDE_NAN;
    case 7: return v * 1e297;
    case 8: return v * 1e-312;
    case 9: return 3.0 + 0.5 * t;
    case 10: return t % 2 ? 1e180 * v : 1e-180 * v;
    default: return v;
    }
}

#endif
