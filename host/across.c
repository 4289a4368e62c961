/* across.c - see across.h.
 *
 * Memory, beside the batch's results: one results block (of the largest set), a copy of the tiles without the last
 * values, and for each series and set the error and the forecasts of the last values. All of it is bounded by the batch. */
#include "host/across.h"

#include "kernels/ets.h"
#include "kernels/results.h"
#include "kernels/tide_fn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SETS_MAX = TIDE_FAMILY_COUNT, HOLD_LEAST = 6, PART_HELD = 4 };

typedef struct sets {
    uint32_t families[SETS_MAX];
    int32_t slots[SETS_MAX];
    int n;
} sets;

static int32_t slots_of(const tide_fit_spec *fit, uint32_t families) {
    int forms = 0;
    if (fit->ets_mode != TIDE_ETS_AVERAGE || !(families & TIDE_FAMILIES_ETS))
        return 1;
    for (int id = 0; id < TIDE_ETS_FORMS; ++id)
        forms += (int)(fit->ets_forms >> id & 1u) && (fit->season > 1 || tide_ets_form_of(id).season == TIDE_NO);
    int n = forms * __builtin_popcount(families & TIDE_FAMILIES_ETS);
    return n > 0 ? n : 1;
}

static sets sets_of(const tide_fit_spec *fit) {
    sets s = {{0}, {0}, 0};
    if (fit->families & TIDE_FAMILIES_ETS)
        s.families[s.n++] = fit->families & TIDE_FAMILIES_ETS;
    for (int f = TIDE_FAMILY_NONE + 1; f < TIDE_FAMILY_COUNT; ++f)
        if ((fit->families & ~TIDE_FAMILIES_ETS) >> f & 1u)
            s.families[s.n++] = 1u << f;
    for (int g = 0; g < s.n; ++g)
        s.slots[g] = slots_of(fit, s.families[g]);
    return s;
}

int32_t tide_across_slots(const tide_fit_spec *fit) {
    sets s = sets_of(fit);
    int32_t n = 0;
    for (int g = 0; g < s.n; ++g)
        n += s.slots[g];
    return n > 0 ? n : 1;
}

void tide_across_free(tide_across_work *work) {
    free(work->results);
    free(work->tiles);
    free(work->errors);
    memset(work, 0, sizeof *work);
}

/* Room for `bytes`; what the block held is lost when it grows. */
static tide_status grow(void **block, size_t *have, size_t bytes, tide_error *err) {
    if (bytes <= *have)
        return TIDE_OK;
    bytes = (bytes + 63) / 64 * 64;
    free(*block);
    *have = 0;
    *block = aligned_alloc(64, bytes);
    if (!*block)
        return tide_fail(err, TIDE_MEMORY, "no memory to compare families (%zu bytes)", bytes);
    *have = bytes;
    return TIDE_OK;
}

/* Steps that a backtest of a series of n steps keeps out; 0 = none. */
static int32_t held_of(int32_t n, int32_t season) {
    int32_t m = season > 1 ? season : 1, whole = (HOLD_LEAST + m - 1) / m * m, most = n / PART_HELD;
    int32_t h = whole < most ? whole : most;
    return n < 2 * PART_HELD ? 0 : h;
}

static double value_of(const tide_tiles *t, size_t lane, int32_t step) {
    return t->y[t->offset[lane / TIDE_TILE_WIDTH] + (size_t)step * TIDE_TILE_WIDTH + lane % TIDE_TILE_WIDTH];
}

/* The tiles without the last values, in work->tiles: own lengths and values, the rest is borrowed. *held: most steps. */
static tide_status cut_tiles(tide_across_work *work, const tide_tiles *all, int32_t season, tide_tiles *cut,
                             int32_t *held, tide_error *err) {
    size_t lanes = all->n_tiles * TIDE_TILE_WIDTH, length_bytes = (lanes * sizeof(int32_t) + 63) / 64 * 64;
    TIDE_TRY(grow(&work->tiles, &work->tiles_bytes, length_bytes + all->y_count * sizeof(double), err));
    *cut = *all;
    cut->length = (int32_t *)work->tiles;
    cut->y = (double *)(void *)((unsigned char *)work->tiles + length_bytes);
    memcpy(cut->y, all->y, all->y_count * sizeof *cut->y);
    *held = 0;
    for (size_t lane = 0; lane < lanes; ++lane) {
        size_t tile = lane / TIDE_TILE_WIDTH, k = lane % TIDE_TILE_WIDTH;
        int32_t h = held_of(all->length[lane], season);
        cut->length[lane] = all->length[lane] - h;
        *held = h > *held ? h : *held;
        for (int32_t t = cut->length[lane]; t < all->length[lane]; ++t)
            cut->y[cut->offset[tile] + (size_t)t * TIDE_TILE_WIDTH + k] = TIDE_NAN;
    }
    return TIDE_OK;
}

/* The spec of one set and its results, mapped into work->results. */
static tide_status set_begin(tide_across_work *work, const tide_fit_spec *fit, const sets *s, int g,
                             const tide_results *all, tide_fit_spec *spec, tide_results *r, tide_error *err) {
    *spec = *fit;
    spec->families = s->families[g];
    spec->slots = s->slots[g];
    memset(r, 0, sizeof *r);
    r->n_series = all->n_series;
    r->xreg = all->xreg;
    r->xreg_rows = all->xreg_rows;
    r->xreg_columns = all->xreg_columns;
    r->slots = spec->slots;
    r->coef_rows = tide_coef_rows(spec);
    r->state_rows = tide_state_rows(spec);
    TIDE_TRY(grow(&work->results, &work->results_bytes, tide_results_map(r, NULL), err));
    tide_results_map(r, work->results);
    return TIDE_OK;
}

/* The tiles as a set of families sees them: ARIMA alone takes regressors, and leaves out series that have none. */
static tide_tiles tiles_for(const tide_tiles *tiles, uint32_t families) {
    tide_tiles t = *tiles;
    if (t.xreg_outcome && families >> TIDE_FAMILY_ARIMA & 1u)
        t.outcome = t.xreg_outcome;
    return t;
}

/* Was the series fitted by what was asked for, and not by a fallback? */
static int is_fitted(const tide_results *r, size_t i) {
    return r->n_members[i] > 0 &&
           (r->outcome[i] == TIDE_OUTCOME_FITTED || r->outcome[i] == TIDE_OUTCOME_NOT_CONVERGED);
}

/* Forecasts of the last values by each set and what they are worth, by panel index. */
typedef struct backtest {
    size_t n;
    int32_t held;   /* most steps kept out; 0: no series has a backtest */
    double *error;  /* [sets*n] mean absolute error, in the series' scale; TIDE_NAN = none */
    double *mean;   /* [sets*held*n] */
    double *share;  /* [sets*n] of the weights */
} backtest;

static tide_status backtest_place(tide_across_work *work, int n_sets, backtest *b, tide_error *err) {
    size_t each = (size_t)n_sets * b->n;
    TIDE_TRY(grow(&work->errors, &work->errors_bytes, (2 + (size_t)b->held) * each * sizeof(double) + 64, err));
    b->error = (double *)work->errors;
    b->share = b->error + each;
    b->mean = b->share + each;
    for (size_t at = 0; at < each; ++at)
        b->error[at] = TIDE_NAN;
    return TIDE_OK;
}

/* Mean of |y - forecast| over the values present past the cut, forecasts weighted by `weight` over the sets. */
static double lane_error(const backtest *b, const tide_tiles *all, const tide_tiles *cut, size_t lane, int n_sets,
                         const double *weight) {
    size_t i = (size_t)all->order[lane];
    double sum = 0.0, count = 0.0;
    for (int32_t t = cut->length[lane]; t < all->length[lane]; ++t) {
        double y = value_of(all, lane, t), forecast = 0.0;
        if (isnan(y))
            continue;
        for (int g = 0; g < n_sets; ++g)
            if (weight[g] > 0.0)
                forecast += weight[g] * b->mean[((size_t)g * (size_t)b->held + (size_t)(t - cut->length[lane])) * b->n + i];
        sum += fabs(y - forecast / all->scale[lane]);
        count += 1.0;
    }
    return count > 0.0 && isfinite(sum) ? sum / count : TIDE_NAN;
}

/* Mean of |y_t - y_{t-m}| before the cut. */
static double lane_naive_error(const tide_tiles *all, const tide_tiles *cut, size_t lane, int32_t season) {
    double sum = 0.0, count = 0.0;
    int32_t m = season > 1 && cut->length[lane] > season ? season : 1;
    for (int32_t t = m; t < cut->length[lane]; ++t) {
        double step = value_of(all, lane, t) - value_of(all, lane, t - m);
        sum += isnan(step) ? 0.0 : fabs(step);
        count += isnan(step) ? 0.0 : 1.0;
    }
    return count > 0.0 ? sum / count : TIDE_NAN;
}

/* First fits and the errors of their forecasts. */
static tide_status run_backtest(tide_across_work *work, const tide_backend *backend, const tide_fit_spec *fit,
                                const sets *s, const tide_tiles *all, tide_tiles *cut, backtest *b,
                                const tide_results *out, tide_error *err) {
    TIDE_TRY(cut_tiles(work, all, fit->season, cut, &b->held, err));
    TIDE_TRY(backtest_place(work, s->n, b, err));
    for (int g = 0; g < s->n && b->held > 0; ++g) {
        tide_fit_spec spec;
        tide_results r;
        tide_forecast_spec ahead = {.season = fit->season, .horizon = b->held};
        double *mean = b->mean + (size_t)g * (size_t)b->held * b->n, weight[SETS_MAX] = {0.0};
        TIDE_TRY(set_begin(work, fit, s, g, out, &spec, &r, err));
        const tide_tiles own = tiles_for(cut, spec.families);
        TIDE_TRY(backend->fit(backend->self, &spec, &own, &r, err));
        TIDE_TRY(backend->forecast(backend->self, &ahead, &r, NULL, mean, NULL, NULL, err));
        weight[g] = 1.0;
        for (size_t lane = 0; lane < all->n_tiles * TIDE_TILE_WIDTH; ++lane) {
            if (all->order[lane] < 0)
                continue;
            size_t i = (size_t)all->order[lane];
            b->error[(size_t)g * b->n + i] = is_fitted(&r, i) ? lane_error(b, all, cut, lane, s->n, weight) : TIDE_NAN;
        }
    }
    return TIDE_OK;
}

/* Copies member slot j of series i (all of its rows), to slot k of another result with at least as many rows. */
static void copy_member(const tide_results *from, size_t j, tide_results *to, size_t k, size_t i) {
    size_t n = to->n_series, a = j * n + i, b = k * n + i;
    to->family[b] = from->family[a];
    to->form[b] = from->form[a];
    to->converged[b] = from->converged[a];
    to->n_params[b] = from->n_params[a];
    to->weight[b] = from->weight[a];
    to->sigma2[b] = from->sigma2[a];
    to->loglik[b] = from->loglik[a];
    to->criterion[b] = from->criterion[a];
    for (size_t c = 0; c < (size_t)to->coef_rows; ++c)
        to->coef[(k * (size_t)to->coef_rows + c) * n + i] =
            c < (size_t)from->coef_rows ? from->coef[(j * (size_t)from->coef_rows + c) * n + i] : 0.0;
    for (size_t c = 0; c < (size_t)to->state_rows; ++c)
        to->state[(k * (size_t)to->state_rows + c) * n + i] =
            c < (size_t)from->state_rows ? from->state[(j * (size_t)from->state_rows + c) * n + i] : 0.0;
}

static void clear_member(tide_results *r, size_t k, size_t i) {
    size_t n = r->n_series, at = k * n + i;
    r->family[at] = r->converged[at] = 0;
    r->form[at] = 0;
    r->n_params[at] = 0;
    r->weight[at] = r->sigma2[at] = r->loglik[at] = r->criterion[at] = 0.0;
    for (size_t c = 0; c < (size_t)r->coef_rows; ++c)
        r->coef[(k * (size_t)r->coef_rows + c) * n + i] = 0.0;
    for (size_t c = 0; c < (size_t)r->state_rows; ++c)
        r->state[(k * (size_t)r->state_rows + c) * n + i] = 0.0;
}

/* What became of one set of a series: its members in the results, its outcome. */
typedef struct part {
    uint8_t outcome, fitted, n;
} part;

/* Shares of the sets of one series; fitted[g]: it has members to give weight to. */
static void share_out(int32_t rule, int n_sets, const int *fitted, const double *error, const double *criterion,
                      double *share) {
    int n = 0, errors = 0, perfect = 0, best = -1;
    for (int g = 0; g < n_sets; ++g) {
        share[g] = 0.0;
        n += fitted[g];
        errors += fitted[g] && isfinite(error[g]);
        perfect += fitted[g] && error[g] == 0.0;
        if (fitted[g] && (best < 0 || criterion[g] < criterion[best]))
            best = g;
    }
    double total = 0.0;
    for (int g = 0; g < n_sets; ++g) {
        if (!fitted[g])
            continue;
        if (rule == TIDE_ACROSS_CRITERION)
            share[g] = g == best;
        else if (rule == TIDE_ACROSS_MEAN || !errors)
            share[g] = 1.0;
        else if (perfect)
            share[g] = error[g] == 0.0;
        else
            share[g] = isfinite(error[g]) ? 1.0 / (error[g] * error[g]) : 0.0;
        total += share[g];
    }
    for (int g = 0; g < n_sets; ++g)
        share[g] = total > 0.0 ? share[g] / total : 0.0;
}

/* Drops the members of sets without a share, scales the others' weights. parts[g] members lie set after set. */
static void settle(tide_results *r, size_t i, int n_sets, const part *parts, const double *share) {
    size_t n = r->n_series, from = 0, to = 0;
    int best = -1;
    for (int g = 0; g < n_sets; ++g) {
        for (int j = 0; j < parts[g].n; ++j, ++from) {
            if (share[g] == 0.0)
                continue;
            if (from != to)
                copy_member(r, from, r, to, i);
            r->weight[to * n + i] *= share[g];
            ++to;
        }
        if (share[g] > 0.0 && (best < 0 || share[g] > share[best]))
            best = g;
    }
    r->n_members[i] = (uint8_t)to;
    if (best >= 0)
        r->outcome[i] = parts[best].outcome;
    for (; to < from; ++to) /* what is left of those that moved or went */
        clear_member(r, to, i);
}

/* Second fits: the members of every set, one after the other. parts[g*n + i]. */
static tide_status fit_all(tide_across_work *work, const tide_backend *backend, const tide_fit_spec *fit, const sets *s,
                           const tide_tiles *tiles, tide_results *out, part *parts, tide_error *err) {
    size_t n = out->n_series;
    tide_results sized = *out;
    memset(out->outcome, 0, tide_results_map(&sized, NULL)); /* the first array: slots that stay empty are zero */
    for (int g = 0; g < s->n; ++g) {
        tide_fit_spec spec;
        tide_results r;
        TIDE_TRY(set_begin(work, fit, s, g, out, &spec, &r, err));
        const tide_tiles own = tiles_for(tiles, spec.families);
        TIDE_TRY(backend->fit(backend->self, &spec, &own, &r, err));
        for (size_t i = 0; i < n; ++i) {
            part *p = &parts[(size_t)g * n + i];
            *p = (part){r.outcome[i], (uint8_t)is_fitted(&r, i), r.n_members[i]};
            for (size_t j = 0; j < r.n_members[i]; ++j)
                copy_member(&r, j, out, (size_t)out->n_members[i] + j, i);
            out->n_members[i] = (uint8_t)(out->n_members[i] + r.n_members[i]);
            if (r.n_obs[i] > 0 || g == 0) /* a set that left the series out has counted nothing */
                out->n_obs[i] = r.n_obs[i];
            if (g == 0) {
                out->outcome[i] = r.outcome[i];
                out->scale[i] = r.scale[i];
                out->xreg_next[i] = r.xreg_next[i];
            }
        }
    }
    return TIDE_OK;
}

tide_status tide_across_fit(tide_across_work *work, const tide_backend *backend, const tide_fit_spec *fit, int32_t rule,
                            const tide_tiles *tiles, tide_results *results, double *backtest_error, tide_error *err) {
    const sets s = sets_of(fit);
    size_t n = results->n_series;
    tide_tiles cut = *tiles;
    backtest b = {.n = n};
    for (size_t i = 0; backtest_error && i < n; ++i)
        backtest_error[i] = TIDE_NAN;
    if (s.n < 2) {
        const tide_tiles own = tiles_for(tiles, fit->families);
        return backend->fit(backend->self, fit, &own, results, err);
    }
    if (rule == TIDE_ACROSS_BACKTEST)
        TIDE_TRY(run_backtest(work, backend, fit, &s, tiles, &cut, &b, results, err));
    else
        TIDE_TRY(backtest_place(work, s.n, &b, err));

    part *parts = (part *)malloc((n + 1) * (size_t)s.n * sizeof *parts);
    tide_status status = parts ? fit_all(work, backend, fit, &s, tiles, results, parts, err)
                               : tide_fail(err, TIDE_MEMORY, "no memory to compare families of %zu series", n);
    for (size_t lane = 0; !status && lane < tiles->n_tiles * TIDE_TILE_WIDTH; ++lane) {
        if (tiles->order[lane] < 0)
            continue;
        size_t i = (size_t)tiles->order[lane], slot = 0;
        int fitted[SETS_MAX], any = 0;
        part mine[SETS_MAX];
        double error[SETS_MAX], criterion[SETS_MAX], share[SETS_MAX];
        for (int g = 0; g < s.n; ++g) {
            mine[g] = parts[(size_t)g * n + i];
            fitted[g] = mine[g].fitted;
            any |= fitted[g];
            error[g] = b.error[(size_t)g * n + i];
            criterion[g] = mine[g].n ? results->criterion[slot * n + i] : 0.0;
            slot += mine[g].n;
        }
        if (!any) /* the first fallback, if there is one */
            for (int g = 0, found = 0; g < s.n && !found; ++g)
                fitted[g] = found = mine[g].n > 0;
        share_out(rule, s.n, fitted, error, criterion, share);
        settle(results, i, s.n, mine, share);
        if (backtest_error && any && b.held > 0 && cut.length[lane] < tiles->length[lane]) {
            double naive = lane_naive_error(tiles, &cut, lane, fit->season);
            double kept = lane_error(&b, tiles, &cut, lane, s.n, share);
            backtest_error[i] = naive > 0.0 && isfinite(kept) ? kept / naive : TIDE_NAN;
        }
    }
    free(parts);
    return status;
}
