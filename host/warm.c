/* warm.c - see warm.h.
 *
 * A stored model has its members' forms only: one in likelihood mode, some of 15 in average mode. The other
 * forms take the coefficients of the nearest stored one: like season first, then like trend, then like error;
 * what that form does not have (gamma of a form without a season) stays at the usual start. Measured on
 * simulated monthly series after 5 % new data, likelihood mode: with the stored form alone warm, the fit took
 * 1.00 of a cold one's time, with all forms of like season 0.98, with all of them 0.57, and the share of
 * likelihoods within 1e-3 of the cold ones went from 99.6 to 99.3 % (before ets_warm.h screened as well). */
#include "host/warm.h"

#include "kernels/ets.h"
#include "kernels/tide_fn.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tide_warm {
    tide_store *store;
    tide_store_info info;
    char *path;
};

tide_status tide_warm_open(const char *path, int32_t season, tide_warm **out, tide_error *err) {
    tide_warm *w = calloc(1, sizeof *w);
    if (!w || !(w->path = strdup(path))) {
        free(w);
        return tide_fail(err, TIDE_MEMORY, "warm store '%s': out of memory", path);
    }
    tide_status status = tide_store_open(path, TIDE_VERIFY_TOUCHED, &w->store, err);
    if (status) {
        tide_error_prefix(err, status, "warm");
    } else {
        tide_store_get_info(w->store, &w->info);
        if (w->info.season != season)
            status = tide_fail(err, TIDE_CONFIG,
                               "warm: store '%s' was fitted with season %d, this fit has season %d", path,
                               (int)w->info.season, (int)season);
    }
    if (status) {
        tide_warm_close(w);
        return status;
    }
    *out = w;
    return TIDE_OK;
}

void tide_warm_close(tide_warm *warm) {
    if (!warm)
        return;
    tide_store_close(warm->store);
    free(warm->path);
    free(warm);
}

const tide_store_info *tide_warm_info(const tide_warm *warm) {
    return &warm->info;
}

const char *tide_warm_path(const tide_warm *warm) {
    return warm->path;
}

/* What a form does not share with another, worst first. */
static int difference(tide_ets_form a, tide_ets_form b) {
    int season = a.season != b.season ? (a.season == TIDE_NO || b.season == TIDE_NO ? 16 : 2) : 0;
    int trend = a.trend != b.trend ? (a.trend == TIDE_NO || b.trend == TIDE_NO ? 8 : 4) : 0;
    return season + trend + (a.error != b.error);
}

/* Coefficients of a series by form, TIDE_NAN where there are none. */
typedef struct starts {
    double coef[TIDE_ETS_FORMS][TIDE_ETS_COEF_ROWS];
    int stored[TIDE_ETS_FORMS];
} starts;

static void take(starts *s, int form, const tide_member *m) {
    tide_ets_form f = tide_ets_form_of(form);
    const int has[TIDE_ETS_COEF_ROWS] = {1, f.trend != TIDE_NO, f.season != TIDE_NO, f.trend == TIDE_DAMPED};
    for (int c = 0; c < TIDE_ETS_COEF_ROWS; ++c)
        s->coef[form][c] = has[c] && c < m->n_coef && tide_is_finite(m->coef[c]) ? m->coef[c] : TIDE_NAN;
    s->stored[form] = !tide_is_nan(s->coef[form][0]);
}

static int lend(starts *s) {
    int any = 0;
    for (int form = 0; form < TIDE_ETS_FORMS; ++form) {
        int best = -1, least = 0;
        any |= s->stored[form];
        for (int from = 0; from < TIDE_ETS_FORMS && !s->stored[form]; ++from) {
            int d = difference(tide_ets_form_of(form), tide_ets_form_of(from));
            if (s->stored[from] && (best < 0 || d < least)) {
                best = from;
                least = d;
            }
        }
        if (best >= 0)
            memcpy(s->coef[form], s->coef[best], sizeof s->coef[form]);
    }
    return any;
}

/* The starts of one id; *found: whether there are any. */
static tide_status look_up(const tide_warm *w, const char *id, size_t id_length, starts *s, int *found,
                           tide_error *err) {
    int64_t row = -1;
    tide_series_model series;
    *found = 0;
    for (int form = 0; form < TIDE_ETS_FORMS; ++form) {
        s->stored[form] = 0;
        for (int c = 0; c < TIDE_ETS_COEF_ROWS; ++c)
            s->coef[form][c] = TIDE_NAN;
    }
    TIDE_TRY(tide_store_find(w->store, id, id_length, &row, err));
    if (row < 0)
        return TIDE_OK;
    TIDE_TRY(tide_store_series(w->store, row, &series, err));
    for (int32_t j = 0; j < series.n_members; ++j) {
        tide_member m;
        TIDE_TRY(tide_store_member(w->store, &series, j, &m, err));
        if (m.family == TIDE_FAMILY_ETS && m.form < TIDE_ETS_FORMS && m.n_coef > 0)
            take(s, (int)m.form, &m);
    }
    *found = lend(s);
    return TIDE_OK;
}

tide_status tide_warm_fill(const tide_warm *warm, const tide_panel *panel, tide_plan *plan, uint64_t *found,
                           tide_error *err) {
    tide_tiles *tiles = &plan->tiles;
    size_t count = tiles->n_tiles * TIDE_WARM_ROWS * TIDE_TILE_WIDTH;
    if (count > plan->warm_count) {
        free(plan->warm);
        plan->warm_count = 0;
        plan->warm = malloc(count * sizeof *plan->warm);
        if (!plan->warm)
            return tide_fail(err, TIDE_MEMORY, "no memory for the starts of %zu series", tiles->n_series);
        plan->warm_count = count;
    }
    *found = 0;
    for (size_t lane = 0; lane < tiles->n_tiles * TIDE_TILE_WIDTH; ++lane) {
        double *out =
            plan->warm + lane / TIDE_TILE_WIDTH * TIDE_WARM_ROWS * TIDE_TILE_WIDTH + lane % TIDE_TILE_WIDTH;
        starts s;
        int any = 0;
        int32_t i = tiles->order[lane];
        if (i >= 0 && tiles->outcome[lane] == TIDE_OUTCOME_FITTED) {
            tide_status status = look_up(warm, panel->ids + panel->id_at[i],
                                         panel->id_at[i + 1] - panel->id_at[i], &s, &any, err);
            if (status)
                return tide_error_prefix(err, status, "warm");
        }
        for (int form = 0; form < TIDE_ETS_FORMS; ++form)
            for (int c = 0; c < TIDE_ETS_COEF_ROWS; ++c)
                out[(size_t)(form * TIDE_ETS_COEF_ROWS + c) * TIDE_TILE_WIDTH] =
                    any ? s.coef[form][c] : TIDE_NAN;
        *found += (uint64_t)any;
    }
    tiles->warm = plan->warm;
    return TIDE_OK;
}
