/* xreg.c - see xreg.h. */
#include "host/xreg.h"

#include <stdlib.h>
#include <string.h>

static tide_status make_room(tide_xreg *x, size_t lanes, tide_error *err) {
    size_t k = x->regressors->n;
    if (lanes <= x->capacity)
        return TIDE_OK;
    tide_xreg_free(x);
    x->row = malloc(lanes * sizeof *x->row);
    x->beta = malloc(lanes * (k + 1) * sizeof *x->beta);
    x->at = malloc(lanes * sizeof *x->at);
    x->ols = malloc(lanes * k * sizeof *x->ols);
    if (!x->row || !x->beta || !x->at || !x->ols) {
        tide_xreg_free(x);
        return tide_fail(err, TIDE_MEMORY, "no memory for the regressors of %zu series", lanes);
    }
    x->capacity = lanes;
    return TIDE_OK;
}

/* First rows of the panel's series; those without values need none. */
static tide_status find_rows(tide_xreg *x, const tide_panel *panel, tide_error *err) {
    for (size_t i = 0; i < panel->n_series; ++i) {
        size_t last;
        x->row[i] = 0;
        if (panel->at[i + 1] == panel->at[i])
            continue;
        tide_status status = tide_regressors_row(x->regressors, panel->first_ds[i], &x->row[i], err);
        if (!status)
            status = tide_regressors_row(x->regressors, panel->last_ds[i], &last, err);
        size_t length = panel->id_at[i + 1] - panel->id_at[i];
        if (status)
            return tide_error_prefix(err, status, "series '%.*s'", (int)(length < 80 ? length : 80),
                                     panel->ids + panel->id_at[i]);
        if (last - x->row[i] + 1 != panel->at[i + 1] - panel->at[i])
            return tide_fail(err, TIDE_INPUT, "series '%.*s' is on another grid than the regressors",
                             (int)(length < 80 ? length : 80), panel->ids + panel->id_at[i]);
    }
    return TIDE_OK;
}

tide_status tide_xreg_fill(tide_xreg *x, const tide_panel *panel, tide_plan *plan, tide_error *err) {
    size_t k = x->regressors->n, n = panel->n_series, lanes = plan->tiles.n_tiles * TIDE_TILE_WIDTH;
    int failed = 0;
    TIDE_TRY(make_room(x, lanes, err));
    TIDE_TRY(find_rows(x, panel, err));
    TIDE_TRY(tide_regress(x->linalg, x->regressors, panel, x->row, x->beta, &failed, err));
    x->linalg_failed |= failed;
    tide_tiles *t = &plan->tiles;
    t->xreg = x->regressors->x;
    t->xreg_rows = x->regressors->rows;
    t->xreg_at = x->at;
    t->xreg_ols = x->ols;
    for (size_t lane = 0; lane < lanes; ++lane) {
        int32_t i = t->order[lane];
        double *ols = t->xreg_ols + lane / TIDE_TILE_WIDTH * k * TIDE_TILE_WIDTH + lane % TIDE_TILE_WIDTH;
        t->xreg_at[lane] = i < 0 ? 0 : (int32_t)x->row[i];
        for (size_t c = 0; c < k; ++c)
            ols[c * TIDE_TILE_WIDTH] = i < 0 ? 0.0 : x->beta[(c + 1) * n + (size_t)i] / t->scale[lane];
    }
    return TIDE_OK;
}

void tide_xreg_free(tide_xreg *x) {
    free(x->row);
    free(x->beta);
    free(x->at);
    free(x->ols);
    x->row = NULL;
    x->beta = x->ols = NULL;
    x->at = NULL;
    x->capacity = 0;
}
