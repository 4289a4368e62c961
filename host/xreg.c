/* xreg.c - see xreg.h. */
#include "host/xreg.h"
#include "host/quote.h"

#include "kernels/tide_fn.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tide_status make_room(tide_xreg *x, size_t lanes, tide_error *err) {
    size_t k = x->regressors->n;
    if (lanes <= x->capacity)
        return TIDE_OK;
    tide_xreg_free(x);
    x->row = malloc(lanes * sizeof *x->row);
    x->beta = malloc(lanes * (k + 1) * sizeof *x->beta);
    x->identified = malloc(lanes * k);
    x->at = malloc(lanes * sizeof *x->at);
    x->outcome = malloc(lanes);
    x->ols = malloc(lanes * k * sizeof *x->ols);
    if (!x->row || !x->beta || !x->identified || !x->at || !x->outcome || !x->ols) {
        tide_xreg_free(x);
        return tide_fail(err, TIDE_MEMORY, "no memory for the regressors of %zu series", lanes);
    }
    x->capacity = lanes;
    return TIDE_OK;
}

/* Row of the first step of series i, or TIDE_NO_ROW with the first time that has no regressors in *missing. */
static size_t find_row(const tide_regressors *r, const tide_panel *p, size_t i, int64_t *missing) {
    const size_t n = p->at[i + 1] - p->at[i];
    size_t first = 0, last = 0, reach;
    *missing = p->first_ds[i];
    if (tide_regressors_row(r, p->first_ds[i], &first, NULL))
        return TIDE_NO_ROW;
    reach = tide_regressors_reach(r, first);
    if (reach < n) {
        *missing = tide_grid_add(r->freq, r->kind, p->first_ds[i], (int64_t)reach, p->end_of_month[i]);
        return TIDE_NO_ROW;
    }
    *missing = p->last_ds[i]; /* a series on a grid of its own */
    return tide_regressors_row(r, p->last_ds[i], &last, NULL) || last - first + 1 != n ? TIDE_NO_ROW : first;
}

static void name_series(tide_xreg *x, const tide_panel *p, size_t i, int64_t missing) {
    tide_intake_count *c = &x->uncovered;
    char id[96], ds[40];
    if (c->n++ >= TIDE_NAMED_MAX)
        return;
    tide_ds_format(x->regressors->kind, missing, ds, sizeof ds);
    snprintf(c->named[c->n - 1], sizeof c->named[0], "series '%s': no regressors at %s",
             tide_quote(id, sizeof id, p->ids + p->id_at[i], p->id_at[i + 1] - p->id_at[i]), ds);
}

tide_status tide_xreg_fill(tide_xreg *x, const tide_panel *panel, tide_plan *plan, tide_error *err) {
    const tide_regressors *r = x->regressors;
    size_t k = r->n, n = panel->n_series, lanes = plan->tiles.n_tiles * TIDE_TILE_WIDTH;
    int failed = 0;
    TIDE_TRY(make_room(x, lanes, err));
    for (size_t i = 0; i < n; ++i) {
        int64_t missing;
        int any = panel->at[i + 1] > panel->at[i] && panel->outcome[i] == TIDE_OUTCOME_FITTED;
        x->row[i] = any ? find_row(r, panel, i, &missing) : TIDE_NO_ROW;
        x->covered += x->row[i] != TIDE_NO_ROW;
        if (any && x->row[i] == TIDE_NO_ROW)
            name_series(x, panel, i, missing);
    }
    TIDE_TRY(tide_regress(x->linalg, r, panel, x->row, x->beta, x->identified, &failed, err));
    x->linalg_failed |= failed;
    tide_tiles *t = &plan->tiles;
    t->xreg = r->x;
    t->xreg_rows = r->rows;
    t->xreg_at = x->at;
    t->xreg_ols = x->ols;
    t->xreg_outcome = x->outcome;
    for (size_t lane = 0; lane < lanes; ++lane) {
        int32_t i = t->order[lane];
        const int has = i >= 0 && x->row[i] != TIDE_NO_ROW;
        double *ols = t->xreg_ols + lane / TIDE_TILE_WIDTH * k * TIDE_TILE_WIDTH + lane % TIDE_TILE_WIDTH;
        /* without regressors: as if they had just ended, so that none follow */
        t->xreg_at[lane] = has ? (int32_t)x->row[i] : (int32_t)r->rows - t->length[lane];
        x->outcome[lane] = has || t->length[lane] == 0 || t->outcome[lane] != TIDE_OUTCOME_FITTED
                               ? t->outcome[lane]
                               : TIDE_OUTCOME_NO_REGRESSORS;
        for (size_t c = 0; c < k; ++c)
            ols[c * TIDE_TILE_WIDTH] = !has                                    ? 0.0
                                       : x->identified[c * n + (size_t)i] ? x->beta[(c + 1) * n + (size_t)i] / t->scale[lane]
                                                                               : TIDE_NAN;
    }
    return TIDE_OK;
}

void tide_xreg_free(tide_xreg *x) {
    free(x->row);
    free(x->beta);
    free(x->identified);
    free(x->at);
    free(x->outcome);
    free(x->ols);
    x->row = NULL;
    x->beta = x->ols = NULL;
    x->identified = x->outcome = NULL;
    x->at = NULL;
    x->capacity = 0;
}
