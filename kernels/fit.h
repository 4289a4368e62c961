/* fit.h - from a range of lane blocks to their results, in stages.
 *
 *   tide_fit_begin       looks at the series: values present, range, seasonal decomposition
 *   tide_fit_candidate   fits one candidate and merges it into the results; nothing where the spec leaves it
 * out. Candidates: the ETS forms by their number, then naive, snaive, drift and mean tide_fit_end fallbacks,
 * order, weights, outcome, unused slots zeroed
 *
 * Family ETS_ROBUST, in average mode: every form that a series takes is fitted by absolute errors too, from
 * where the fit by likelihood has ended. loglik and criterion of these members are of Laplace's distribution,
 * -2 log L = 2n log sum|e_t| + 2 sum log|f_t| (multiplicative error) less constants, comparable among
 * themselves only: each set of members is weighted on its own and they share half and half. sigma2 remains
 * the mean square of the errors.
 *
 * begin and end are for one block, a candidate for all blocks of the range that starts at the one given.
 * Candidates come in the order of tide_fit_turn, each in a launch of its own: the best `slots` by (criterion,
 * family, form) are kept, one in likelihood mode. A form is given up for a series as soon as its search has no
 * hope to get below the best of those before it, in average mode to get a weight that would be kept
 * (fit_search.h); so the order matters, and a form fitted alone is never given up. CUDA: thread g has tile g/32, lane0 g%32, workspace base + g,
 * stride = threads.
 *
 * Which candidates a series takes. Multiplicative error or season: all values > 0. Season: m > 1 and at least
 * two periods from the first to the last value. Any ETS form: n > n_params + 1, so that AICc exists. n_params
 * counts as R's ets(): coefficients, initial states (level, trend, m - 1 seasons, estimated by likelihood or
 * by decomposition), and the variance. sigma2 = S/(n - n_params + 1), R's own divisor; for multiplicative
 * error it is relative.
 *
 * Seasonal initial states stay at the decomposition in average mode and where m > TIDE_SEASON_FREE_MAX.
 *
 * Outcomes. All values equal: CONSTANT, a mean with variance 0, whatever was asked for. No candidate takes
 * the series: SHORT; every one that did failed to stay finite: OVERFLOW; both get the first of snaive, naive,
 * mean that can be had, of which a variance past the largest double is cut to it. The best member stopped at
 * its limit: NOT_CONVERGED. A criterion that does not exist (AICc of a fallback with few values) is given as
 * AIC.
 */
#ifndef TIDE_FIT_H
#define TIDE_FIT_H

#include "kernels/criteria.h"
#include "kernels/fit_search.h"
#include "kernels/naive.h"

/* Absolute errors are rounded off over this share of the likelihood fit's root mean square error: forecasts
 * of M3 are as good anywhere from 0.02 to 0.6, and the search takes fewer rounds the rounder the corner is.
 * The least delta is for perfect fits (values are scaled to a mean near 1). */
#define TIDE_FIT_CORNER 0.4
#define TIDE_FIT_LEAST_CORNER 1e-12

enum { TIDE_CANDIDATES = TIDE_ETS_FORMS + 4 };

/* The candidate to take at turn i: those first that win often, and cheap ones. */
static inline int tide_fit_turn(int i) {
    static const unsigned char turn[TIDE_ETS_FORMS] = {
        TIDE_ETS_MNN, TIDE_ETS_ANN,  TIDE_ETS_MNM,  TIDE_ETS_MAN, TIDE_ETS_MNA, TIDE_ETS_ANA,  TIDE_ETS_MAM, TIDE_ETS_AAN,
        TIDE_ETS_MAdN, TIDE_ETS_AAdN, TIDE_ETS_MAdM, TIDE_ETS_MAA, TIDE_ETS_AAA, TIDE_ETS_MAdA, TIDE_ETS_AAdA};
    return i < TIDE_ETS_FORMS ? turn[i] : i;
}

TIDE_FN void tide_fit_begin(const tide_fit_block *b) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    tide_fit_work w = tide_fit_place(b);
    double first[TIDE_LANES], last[TIDE_LANES], count[TIDE_LANES], low[TIDE_LANES], high[TIDE_LANES];
    const double *y = tide_fit_y(b);
    TIDE_EACH_LANE(k) {
        first[k] = last[k] = -1.0;
        count[k] = 0.0;
        low[k] = TIDE_INF;
        high[k] = -TIDE_INF;
    }
    for (int32_t t = 0; t < b->tiles->rows[b->tile]; ++t, y += TIDE_TILE_WIDTH)
        TIDE_EACH_LANE(k) {
            int here = !tide_is_nan(y[k]);
            first[k] = here & (first[k] < 0.0) ? (double)t : first[k];
            last[k] = here ? (double)t : last[k];
            count[k] += here ? 1.0 : 0.0;
            low[k] = y[k] < low[k] ? y[k] : low[k];
            high[k] = y[k] > high[k] ? y[k] : high[k];
        }
    TIDE_EACH_LANE(k) {
        TIDE_AT(w.n_obs, 0, k) = count[k];
        TIDE_AT(w.span, 0, k) = count[k] > 0.0 ? last[k] - first[k] + 1.0 : 0.0;
        TIDE_AT(w.low, 0, k) = low[k];
        TIDE_AT(w.high, 0, k) = high[k];
        TIDE_AT(w.tried, 0, k) = 0.0;
        TIDE_AT(w.best, 0, k) = TIDE_INF;
    }
    if (b->spec->season > 1 && (b->spec->families & TIDE_FAMILIES_ETS)) {
        tide_ets_problem p = tide_fit_problem(b, &w, TIDE_ADD);
        tide_ets_decompose(TIDE_ADD, &p, w.season_add, w.ring);
        tide_ets_decompose(TIDE_MUL, &p, w.season_mul, w.ring);
    } else {
        for (int j = 0; j < b->spec->season; ++j)
            TIDE_EACH_LANE(k) {
                TIDE_AT(w.season_add, j, k) = 0.0;
                TIDE_AT(w.season_mul, j, k) = 1.0;
            }
    }
    for (int k = 0; k < TIDE_LANES; ++k) {
        int32_t i = b->tiles->order[tide_fit_lane(b, k)];
        if (i >= 0)
            b->out->n_members[i] = 0;
    }
}

/* A fitted candidate, on the scale of the data, and where its coefficients and states are (element r at
 * state[r*stride]); rows past theirs are zero in the results. */
typedef struct tide_fit_member {
    int family, converged, n_params;
    uint32_t form;
    double sigma2, loglik, criterion;
    int n_coef, n_state;
    const double *coef;
    size_t coef_stride;
    const double *state;
    size_t stride;
    double level_scale, season_scale; /* what the states have to be multiplied by: the first two, the others */
} tide_fit_member;

/* Members whose criteria compare are a set: the fits by likelihood, those by absolute errors, and ARIMA, whose
 * likelihood is of differences. */
enum { TIDE_SETS = 3 };
TIDE_FN int tide_fit_set(int family) {
    return family == TIDE_FAMILY_ETS_ROBUST ? 1 : family == TIDE_FAMILY_ARIMA ? 2 : 0;
}

/* Is member slot a of series i ranked before b? By set first. */
TIDE_FN int tide_fit_before(double criterion_a, int family_a, uint32_t form_a, double criterion_b,
                            int family_b, uint32_t form_b) {
    if (tide_fit_set(family_a) != tide_fit_set(family_b))
        return tide_fit_set(family_a) < tide_fit_set(family_b);
    if (criterion_a != criterion_b)
        return criterion_a < criterion_b;
    return family_a != family_b ? family_a < family_b : form_a < form_b;
}

/* Puts the member into slot j of series i. */
TIDE_FN void tide_fit_put(tide_results *r, size_t i, size_t j, const tide_fit_member *m) {
    size_t n = r->n_series, at = j * n + i;
    r->family[at] = (uint8_t)m->family;
    r->form[at] = (uint32_t)m->form;
    r->converged[at] = (uint8_t)m->converged;
    r->n_params[at] = m->n_params;
    r->weight[at] = 1.0;
    r->sigma2[at] = m->sigma2;
    r->loglik[at] = m->loglik;
    r->criterion[at] = m->criterion;
    for (int32_t c = 0; c < r->coef_rows; ++c)
        r->coef[(j * (size_t)r->coef_rows + (size_t)c) * n + i] =
            c < m->n_coef ? m->coef[(size_t)c * m->coef_stride] : 0.0;
    for (int32_t s = 0; s < r->state_rows; ++s)
        r->state[(j * (size_t)r->state_rows + (size_t)s) * n + i] =
            s < m->n_state ? m->state[(size_t)s * m->stride] * (s < 2 ? m->level_scale : m->season_scale) : 0.0;
}

/* Slots that a set may take: one of them in likelihood mode, and for ARIMA. */
TIDE_FN int tide_fit_set_slots(const tide_fit_spec *spec, int set) {
    int arima = tide_fit_wants(spec, TIDE_FAMILY_ARIMA);
    return set == 2 || spec->ets_mode != TIDE_ETS_AVERAGE || spec->slots <= arima ? 1 : spec->slots - arima;
}

/* Merges a candidate of lane k, unless a number of it is not finite: then 0. */
TIDE_FN int tide_fit_merge(const tide_fit_block *b, int k, const tide_fit_member *m) {
    tide_results *r = b->out;
    int32_t series = b->tiles->order[tide_fit_lane(b, k)];
    if (series < 0)
        return 0;
    int finite = tide_is_finite(m->sigma2) & tide_is_finite(m->loglik) & !tide_is_nan(m->criterion);
    for (int32_t s = 0; s < m->n_state; ++s)
        finite &=
            tide_is_finite(m->state[(size_t)s * m->stride] * (s < 2 ? m->level_scale : m->season_scale));
    if (!finite)
        return 0;
    size_t i = (size_t)series, n = r->n_series;
    const int set = tide_fit_set(m->family), count = r->n_members[i];
    int mine = 0;
    size_t worst = 0; /* of the member's set */
    for (size_t j = 0; j < (size_t)count; ++j) {
        if (tide_fit_set(r->family[j * n + i]) != set)
            continue;
        if (mine++ == 0 ||
            tide_fit_before(r->criterion[worst * n + i], r->family[worst * n + i], r->form[worst * n + i],
                            r->criterion[j * n + i], r->family[j * n + i], r->form[j * n + i]))
            worst = j;
    }
    if (mine < tide_fit_set_slots(b->spec, set) && count < b->spec->slots) {
        r->n_members[i] = (uint8_t)(count + 1);
        tide_fit_put(r, i, (size_t)count, m);
        return 1;
    }
    if (mine > 0 && tide_fit_before(m->criterion, m->family, m->form, r->criterion[worst * n + i],
                        r->family[worst * n + i], r->form[worst * n + i]))
        tide_fit_put(r, i, worst, m);
    return 1;
}

/* Is lane k to be fitted at all: a series that intake let pass, with two different values? */
TIDE_FN int tide_fit_open(const tide_fit_block *b, const tide_fit_work *w, int k) {
    size_t tide_stride = b->stride, lane = tide_fit_lane(b, k);
    (void)tide_stride;
    return b->tiles->order[lane] >= 0 && b->tiles->outcome[lane] == TIDE_OUTCOME_FITTED &&
           TIDE_AT(w->low, 0, k) < TIDE_AT(w->high, 0, k);
}

TIDE_FN int tide_ets_n_params(tide_ets_form form, int m) {
    return tide_ets_n_box(form) + 1 + (form.trend != TIDE_NO) + (form.season != TIDE_NO ? m - 1 : 0) + 1;
}

/* The objective above which a form of n_params cannot matter to the series of lane k: what makes its criterion as
 * high as the best so far, or in average mode so much higher that its weight is below the least. */
TIDE_FN double tide_fit_bar(const tide_fit_block *b, const tide_fit_work *f, int n_params, int k) {
    const tide_fit_spec *spec = b->spec;
    size_t tide_stride = b->stride;
    (void)tide_stride;
    double best = TIDE_AT(f->best, 0, k), n = TIDE_AT(f->n_obs, 0, k), margin = 0.0;
    if (tide_fit_wants(spec, TIDE_FAMILY_ETS_ROBUST) || !(best < TIDE_INF))
        return TIDE_INF; /* the fit by absolute errors begins where this one ends */
    if (spec->ets_mode == TIDE_ETS_AVERAGE)
        margin = spec->min_weight > 0.0 ? -spec->temperature * tide_log(spec->min_weight) : TIDE_INF;
    double scale = b->tiles->scale[tide_fit_lane(b, k)];
    return best + margin - 2.0 * n * tide_log(scale) -
           tide_criterion_value(spec->criterion, 0.0, n_params, (int)n);
}

/* Marks the lanes of the block that take the form, and sets their bars; returns whether any does. */
TIDE_FN int tide_fit_takes(const tide_fit_block *b, tide_ets_form form, int n_params, const tide_ets_kept *kept) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    tide_fit_work f = tide_fit_place(b);
    int any = 0;
    for (int k = 0; k < TIDE_LANES; ++k) {
        int ok = tide_fit_open(b, &f, k) && TIDE_AT(f.n_obs, 0, k) > (double)(n_params + 1) &&
                 (form.error == TIDE_ADD || TIDE_AT(f.low, 0, k) > 0.0) &&
                 (form.season == TIDE_NO || TIDE_AT(f.span, 0, k) >= 2.0 * (double)b->spec->season);
        TIDE_AT(kept->usable, 0, k) = ok ? 1.0 : 0.0;
        TIDE_AT(kept->bar, 0, k) = ok ? tide_fit_bar(b, &f, n_params, k) : TIDE_INF;
        if (ok)
            TIDE_AT(f.tried, 0, k) = 1.0;
        any |= ok;
    }
    return any;
}

/* After the fit by likelihood: sets the block's delta from its errors. */
TIDE_FN void tide_fit_corner(const tide_fit_block *b, const tide_fit_work *f, const tide_ets_work *w) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    TIDE_EACH_LANE(k) {
        double mean_square = TIDE_AT(w->final_sum, 0, k) / TIDE_AT(f->n_obs, 0, k);
        double delta = TIDE_FIT_CORNER * tide_sqrt(mean_square);
        TIDE_AT(f->delta, 0, k) = tide_max(TIDE_FIT_LEAST_CORNER, delta);
    }
}

/* Before the fit by absolute errors: leaves only those lanes usable whose fit by likelihood has an end, and
 * makes it the trial (anything finite in the others); returns whether any lane is. */
TIDE_FN int tide_fit_takes_again(const tide_ets_work *w) {
    const tide_boxqn *q = &w->q;
    const tide_ets_kept *kept = &w->kept;
    size_t tide_stride = q->stride;
    (void)tide_stride;
    int any = 0;
    for (int k = 0; k < TIDE_LANES; ++k) {
        int ok = TIDE_AT(kept->usable, 0, k) != 0.0 && TIDE_AT(kept->status[0], 0, k) != TIDE_QN_FAILED;
        TIDE_AT(kept->usable, 0, k) = ok ? 1.0 : 0.0;
        for (int i = 0; i < q->n; ++i)
            TIDE_AT(q->trial, i, k) = ok ? TIDE_AT(kept->x[0], i, k) : 0.5;
        any |= ok;
    }
    return any;
}

/* Merges what the searches of the block have found into its results. */
TIDE_FN void tide_fit_gather(const tide_fit_block *b, const tide_fit_work *f, int id, const tide_ets_problem *p,
                             const tide_ets_work *w) {
    const tide_ets_form form = tide_ets_form_of(id);
    const int n_states = tide_ets_n_states(form, p->n_free),
              n_params = tide_ets_n_params(form, b->spec->season);
    size_t tide_stride = b->stride;
    (void)tide_stride;
    for (int k = 0; k < TIDE_LANES; ++k) {
        double status = TIDE_AT(w->q.status, 0, k);
        if (TIDE_AT(w->kept.usable, 0, k) == 0.0 || status == TIDE_QN_FAILED || status == TIDE_QN_GIVEN_UP)
            continue;
        double scale = b->tiles->scale[tide_fit_lane(b, k)], n = TIDE_AT(p->n_obs, 0, k),
               sum = TIDE_AT(w->final_sum, 0, k);
        tide_ets_theta t = tide_ets_theta_of(form, p, &TIDE_AT(w->q.x, n_states, k), TIDE_STRIDE);
        tide_fit_member m;
        m.family = p->delta ? TIDE_FAMILY_ETS_ROBUST : TIDE_FAMILY_ETS;
        m.form = (uint32_t)id;
        m.converged = status == TIDE_QN_CONVERGED;
        m.n_params = n_params;
        m.sigma2 = sum / (n - (double)(n_params - 1));
        if (form.error == TIDE_ADD)
            m.sigma2 *= scale * scale;
        m.loglik = -0.5 * TIDE_AT(w->final_objective, 0, k) - n * tide_log(scale);
        m.criterion = tide_criterion_value(b->spec->criterion, m.loglik, n_params, (int)n);
        if (form.trend != TIDE_NO)
            m.criterion += p->penalty * (t.par.beta / t.par.alpha);
        const double coef[TIDE_ETS_COEF_ROWS] = {t.par.alpha, t.par.beta, t.par.gamma,
                                                 form.trend == TIDE_DAMPED ? t.par.phi : 0.0};
        m.n_coef = TIDE_ETS_COEF_ROWS;
        m.n_state = 2 + b->spec->season;
        m.coef = coef;
        m.coef_stride = 1;
        m.state = &TIDE_AT(w->final_state, 0, k);
        m.stride = TIDE_STRIDE;
        m.level_scale = scale;
        m.season_scale = form.season == TIDE_MUL ? 1.0 : scale;
        if (tide_fit_merge(b, k, &m))
            TIDE_AT(f->best, 0, k) = tide_min(m.criterion, TIDE_AT(f->best, 0, k));
    }
}

/* One form, all blocks of the range: screens the starts block by block, lets the searches from them run
 * through the lanes as these become free, then takes each block's ends. */
TIDE_FN void tide_fit_ets(const tide_fit_block *first, int id) {
    const tide_ets_form form = tide_ets_form_of(id);
    const tide_fit_spec *spec = first->spec;
    if (form.season != TIDE_NO && spec->season < 2)
        return;
    const int n_free = form.season == TIDE_NO ? 0 : tide_fit_n_free(spec);
    const int n_box = tide_ets_n_box(form), n = tide_ets_n_states(form, n_free) + n_box;
    const int n_params = tide_ets_n_params(form, spec->season);
    tide_fit_work f = tide_fit_place(first);
    tide_ets_work w;
    tide_ets_work_place(&w, f.rest, n, n_box, spec->season, first->stride);
    w.n_starts = spec->ets_mode == TIDE_ETS_AVERAGE ? 1 : tide_ets_n_starts(form);
    w.keep = spec->ets_mode == TIDE_ETS_AVERAGE ? 1 : 2;
    w.q.tolerance = spec->ets_mode == TIDE_ETS_AVERAGE ? 1e-3 : 1e-5;
    w.q.coarse = 1e-3;
    w.q.round_limit = (double)spec->max_iterations;
    /* By likelihood, then by absolute errors from there: one loop, so that the rounds are compiled once. */
    const int robust = spec->ets_mode == TIDE_ETS_AVERAGE && tide_fit_wants(spec, TIDE_FAMILY_ETS_ROBUST),
              passes = robust ? 2 : 1;
    for (int pass = 0; pass < passes; ++pass) {
        int any = 0;
        for (size_t i = 0; i <= first->n_blocks; ++i) {
            int searching = i == first->n_blocks;
            if (searching && !any)
                return;
            tide_fit_block b = tide_fit_block_at(first, searching ? 0 : i);
            f = tide_fit_place(&b);
            tide_ets_problem p = tide_fit_problem(&b, &f, form.season);
            tide_fit_feed feed;
            p.delta = pass > 0 ? f.delta : NULL;
            w.kept = tide_ets_kept_place(f.kept, n, b.stride);
            w.warm = pass > 0 ? NULL : tide_fit_warm(&b, id);
            if (searching) {
                tide_fit_feed_begin(&feed, &b, &p, &w);
            } else {
                int takes = pass > 0 ? tide_fit_takes_again(&w)
                                     : tide_fit_takes(&b, form, n_params, &w.kept);
                any |= takes;
                tide_ets_kept_begin(&w);
                if (!takes)
                    continue;
                if (pass == 0) {
                    tide_ets_prepare(form, &p, &w);
                    tide_ets_set_start(form, &p, &w, 0);
                    tide_ets_warm_start(form, &p, &w.q, w.warm);
                }
            }
            tide_fit_rounds(form, &p, &w, searching ? &feed : NULL);
        }
        for (size_t i = 0; i < first->n_blocks; ++i) {
            tide_fit_block b = tide_fit_block_at(first, i);
            f = tide_fit_place(&b);
            tide_ets_problem p = tide_fit_problem(&b, &f, form.season);
            p.delta = pass > 0 ? f.delta : NULL;
            w.kept = tide_ets_kept_place(f.kept, n, b.stride);
            tide_ets_choose(&w);
            tide_ets_finish(form, &p, &w, b.tiles->length + tide_fit_lane(&b, 0));
            if (pass > 0 || tide_fit_wants(spec, TIDE_FAMILY_ETS))
                tide_fit_gather(&b, &f, id, &p, &w);
            if (pass + 1 < passes)
                tide_fit_corner(&b, &f, &w);
        }
    }
}

/* The benchmark family fitted to lane k; 0 where it cannot be. Its states are left in the block's rest. */
TIDE_FN int tide_fit_benchmark(const tide_fit_block *b, const tide_fit_work *f, int family, int k,
                               tide_fit_member *m) {
    size_t tide_stride = b->stride, lane = tide_fit_lane(b, k);
    (void)tide_stride;
    tide_naive_series s;
    tide_naive_model model;
    s.y = tide_fit_y(b) + k;
    s.stride = TIDE_TILE_WIDTH;
    s.n = b->tiles->length[lane];
    double *state = f->rest;
    if (family == TIDE_FAMILY_SNAIVE && b->spec->season < 2)
        return 0;
    if (!tide_naive_fit(family, b->spec->season, s, &model, &TIDE_AT(state, 2, k), TIDE_STRIDE))
        return 0;
    TIDE_AT(state, 0, k) = model.level;
    TIDE_AT(state, 1, k) = model.slope;
    for (int j = 0; family != TIDE_FAMILY_SNAIVE && j < b->spec->season; ++j)
        TIDE_AT(state, 2 + j, k) = 0.0;
    TIDE_AT(state, 2 + b->spec->season, k) = model.relative;
    double scale = b->tiles->scale[lane];
    m->family = family;
    m->form = 0;
    m->converged = 1;
    m->n_params = model.n_params;
    m->sigma2 = model.sigma2 * scale * scale;
    m->loglik = model.loglik - (double)model.n_obs * tide_log(scale);
    m->criterion = tide_criterion_value(b->spec->criterion, m->loglik, m->n_params, model.n_obs);
    m->n_coef = 1;
    m->n_state = 2 + b->spec->season;
    m->coef = &TIDE_AT(state, m->n_state, k);
    m->coef_stride = TIDE_STRIDE;
    m->state = &TIDE_AT(state, 0, k);
    m->stride = TIDE_STRIDE;
    m->level_scale = m->season_scale = scale;
    return 1;
}

/* Candidate `id` for all blocks of the range: a constant in the caller, so that each form is compiled on its
 * own. */
TIDE_FN void tide_fit_candidate(const tide_fit_block *first, int id) {
    if (id < TIDE_ETS_FORMS) {
        if ((first->spec->families & TIDE_FAMILIES_ETS) && ((first->spec->ets_forms >> id) & 1u))
            tide_fit_ets(first, id);
        return;
    }
    const int family = TIDE_FAMILY_NAIVE + (id - TIDE_ETS_FORMS);
    if (!tide_fit_wants(first->spec, family))
        return;
    for (size_t i = 0; i < first->n_blocks; ++i) {
        tide_fit_block b = tide_fit_block_at(first, i);
        size_t tide_stride = b.stride;
        (void)tide_stride;
        tide_fit_work f = tide_fit_place(&b);
        for (int k = 0; k < TIDE_LANES; ++k) {
            tide_fit_member m;
            if (!tide_fit_open(&b, &f, k) || !tide_fit_benchmark(&b, &f, family, k, &m))
                continue;
            TIDE_AT(f.tried, 0, k) = 1.0;
            tide_fit_merge(&b, k, &m);
        }
    }
}

/* The model of a series that no candidate fits: 1 when there is one. */
TIDE_FN int tide_fit_fallback(const tide_fit_block *b, const tide_fit_work *f, int k, tide_fit_member *m) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    const double largest = 0x1.fffffffffffffp1023;
    int constant = TIDE_AT(f->low, 0, k) == TIDE_AT(f->high, 0, k), found = 0;
    if (!constant) {
        found = tide_fit_benchmark(b, f, TIDE_FAMILY_SNAIVE, k, m);
        if (!found)
            found = tide_fit_benchmark(b, f, TIDE_FAMILY_NAIVE, k, m);
    }
    if (!found)
        found = tide_fit_benchmark(b, f, TIDE_FAMILY_MEAN, k, m);
    if (!found)
        return 0;
    if (constant) { /* the mean as it was summed may be a last bit off */
        TIDE_AT(f->rest, 0, k) = TIDE_AT(f->low, 0, k);
        m->sigma2 = 0.0;
    }
    m->sigma2 = tide_min(m->sigma2, largest);
    return 1;
}

/* Exchanges slots a and b of series i. */
TIDE_FN void tide_fit_swap(tide_results *r, size_t i, size_t a, size_t b) {
    size_t n = r->n_series;
#define TIDE_SWAP_(type, array, rows)                                                                        \
    for (size_t c = 0; c < (size_t)(rows); ++c) {                                                            \
        type *u_ = &r->array[(a * (size_t)(rows) + c) * n + i],                                              \
             *v_ = &r->array[(b * (size_t)(rows) + c) * n + i];                                              \
        type t_ = *u_;                                                                                       \
        *u_ = *v_;                                                                                           \
        *v_ = t_;                                                                                            \
    }
    TIDE_SWAP_(uint8_t, family, 1)
    TIDE_SWAP_(uint32_t, form, 1)
    TIDE_SWAP_(uint8_t, converged, 1)
    TIDE_SWAP_(int32_t, n_params, 1)
    TIDE_SWAP_(double, weight, 1)
    TIDE_SWAP_(double, sigma2, 1)
    TIDE_SWAP_(double, loglik, 1)
    TIDE_SWAP_(double, criterion, 1)
    TIDE_SWAP_(double, coef, r->coef_rows)
    TIDE_SWAP_(double, state, r->state_rows)
#undef TIDE_SWAP_
}

/* Gives members [from, to) of series i, in order of rank, weights by criterion that sum to share; returns how
 * many are kept, the first ones. */
TIDE_FN size_t tide_fit_share(const tide_fit_spec *spec, tide_results *r, size_t i, size_t from, size_t to,
                              double share) {
    size_t n = r->n_series, keep = from;
    double total = 0.0, kept = 0.0;
    for (size_t j = from; j < to; ++j) {
        double behind = r->criterion[j * n + i] - r->criterion[from * n + i];
        double w = j == from ? 1.0 : tide_is_finite(behind) ? tide_exp(-behind / spec->temperature) : 0.0;
        r->weight[j * n + i] = w;
        total += w;
    }
    for (; keep < to && (keep == from || r->weight[keep * n + i] >= spec->min_weight * total); ++keep)
        kept += r->weight[keep * n + i];
    for (size_t j = from; j < keep; ++j)
        r->weight[j * n + i] = share * (r->weight[j * n + i] / kept);
    return keep - from;
}

/* Orders the members of series i by rank and turns their criteria into weights, the same sum for each set that has
 * members; returns how many are kept. */
TIDE_FN int tide_fit_weigh(const tide_fit_spec *spec, tide_results *r, size_t i, int count) {
    size_t n = r->n_series, members = (size_t)count;
    for (size_t j = 0; j + 1 < members; ++j) {
        size_t best = j;
        for (size_t l = j + 1; l < members; ++l)
            if (tide_fit_before(r->criterion[l * n + i], r->family[l * n + i], r->form[l * n + i],
                                r->criterion[best * n + i], r->family[best * n + i], r->form[best * n + i]))
                best = l;
        if (best != j)
            tide_fit_swap(r, i, j, best);
    }
    size_t sets = 0, kept = 0;
    for (size_t j = 0; j < members; ++j)
        sets += j == 0 || tide_fit_set(r->family[j * n + i]) != tide_fit_set(r->family[(j - 1) * n + i]);
    for (size_t from = 0, to; from < members; from = to) {
        for (to = from + 1; to < members; ++to)
            if (tide_fit_set(r->family[to * n + i]) != tide_fit_set(r->family[from * n + i]))
                break;
        size_t keep = tide_fit_share(spec, r, i, from, to, 1.0 / (double)sets);
        for (size_t j = 0; j < keep && from > kept; ++j)
            tide_fit_swap(r, i, kept + j, from + j);
        kept += keep;
    }
    return (int)kept;
}

/* Zeroes slots [from, slots) of series i. */
TIDE_FN void tide_fit_clear(tide_results *r, size_t i, int from) {
    const double nothing[1] = {0.0};
    tide_fit_member zero;
    zero.family = zero.converged = zero.n_params = 0;
    zero.form = 0;
    zero.sigma2 = zero.loglik = zero.criterion = 0.0;
    zero.n_coef = zero.n_state = 0;
    zero.coef = zero.state = nothing;
    zero.coef_stride = zero.stride = 0;
    zero.level_scale = zero.season_scale = 0.0;
    for (int j = from; j < r->slots; ++j) {
        tide_fit_put(r, i, (size_t)j, &zero);
        r->weight[(size_t)j * r->n_series + i] = 0.0;
    }
}

TIDE_FN void tide_fit_end(const tide_fit_block *b) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    tide_fit_work f = tide_fit_place(b);
    tide_results *r = b->out;
    for (int k = 0; k < TIDE_LANES; ++k) {
        size_t lane = tide_fit_lane(b, k), n = r->n_series;
        if (b->tiles->order[lane] < 0)
            continue;
        size_t i = (size_t)b->tiles->order[lane];
        int outcome = b->tiles->outcome[lane], members = r->n_members[i];
        int shut_out = outcome != TIDE_OUTCOME_FITTED;
        if (!shut_out && TIDE_AT(f.n_obs, 0, k) == 0.0) {
            outcome = TIDE_OUTCOME_EMPTY;
            shut_out = 1;
        }
        if (shut_out) {
            members = 0;
        } else if (members == 0) {
            tide_fit_member m;
            int constant = TIDE_AT(f.low, 0, k) == TIDE_AT(f.high, 0, k) && TIDE_AT(f.n_obs, 0, k) > 1.0;
            outcome = constant                        ? TIDE_OUTCOME_CONSTANT
                      : TIDE_AT(f.tried, 0, k) != 0.0 ? TIDE_OUTCOME_OVERFLOW
                                                      : TIDE_OUTCOME_SHORT;
            if (tide_fit_fallback(b, &f, k, &m)) {
                tide_fit_put(r, i, 0, &m);
                members = 1;
            }
        } else {
            members = tide_fit_weigh(b->spec, r, i, members);
            if (!r->converged[i])
                outcome = TIDE_OUTCOME_NOT_CONVERGED;
        }
        for (size_t j = 0; j < (size_t)members; ++j)
            if (!tide_is_finite(r->criterion[j * n + i]))
                r->criterion[j * n + i] = 2.0 * (double)r->n_params[j * n + i] - 2.0 * r->loglik[j * n + i];
        r->outcome[i] = (uint8_t)outcome;
        r->n_members[i] = (uint8_t)members;
        r->n_obs[i] = shut_out ? 0 : (int32_t)TIDE_AT(f.n_obs, 0, k);
        r->scale[i] = b->tiles->scale[lane];
        r->xreg_next[i] = b->tiles->xreg ? b->tiles->xreg_at[lane] + b->tiles->length[lane] : 0;
        tide_fit_clear(r, i, members);
    }
}

#endif
