/* forecast.h - from a series' model, a weighted set of members, to its mean and interval limits.
 *
 *   mean      weighted mean of the members' point forecasts
 *   limits of coverage L, at the quantiles (1 -+ L)/2 of the forecast distribution:
 *     closed form, one member     f_h -+ z sqrt(v_h)
 *     closed form, several        quantiles of the mixture of the members' normals, by Newton steps
 *     simulated                   quantiles of paths; a member gets a share of the paths after its weight
 *
 * Paths are fixed by seed, key, path and step (rng.h), every sum has a fixed order: the same bits on all
 * machines. A family appears here once, in tide_smoother_of. */
#ifndef TIDE_FORECAST_H
#define TIDE_FORECAST_H

#include "kernels/batch.h"
#include "kernels/ets_forecast.h"

/* One member as the kernels see it: pointers with a stride, so that results (device or host) and a mapped
 * store (stride 1) are read in place. Rows: coef 4, state 2 + season, as in batch.h and the families'
 * headers. */
typedef struct tide_member_view {
    int family;
    uint32_t form;
    int32_t n_obs;
    double weight, sigma2;
    const double *coef, *state; /* element r at coef[r*stride] */
    size_t stride;
} tide_member_view;

/* Scratch of one series: element i at at[i*stride], tide_forecast_workspace(spec, n_members) elements. CPU:
 * stride 1 (write the literal 1, so that loops over paths vectorise); CUDA: base + thread, stride = threads,
 * so that loads coalesce. */
typedef struct tide_forecast_work {
    double *at;
    size_t stride;
} tide_forecast_work;

/* mean[h*stride], lo and hi[(level*horizon + h)*stride], h = 0..horizon-1; lo, hi may be NULL when n_levels
 * == 0. */
typedef struct tide_forecast_out {
    double *mean, *lo, *hi;
    size_t stride;
} tide_forecast_out;

/* Doubles of workspace that tide_forecast_series needs for a series of at most n_members members. */
TIDE_FN size_t tide_forecast_workspace(const tide_forecast_spec *spec, int n_members) {
    size_t h = (size_t)spec->horizon, m = (size_t)spec->season,
           members = n_members > 0 ? (size_t)n_members : 1;
    size_t seasons = m <= 1 ? 0 : m < h ? m : h;
    if (spec->n_levels == 0)
        return 1;
    if (spec->intervals == TIDE_INTERVALS_CLOSED)
        return h * (2 * members + 3);
    return (size_t)(spec->paths > 0 ? spec->paths : 1) * (TIDE_PATH_SEASONS + seasons);
}

/* The member as a smoother. Returns 0 when it has no model or a family of another kind; *out is to be left
 * alone then. */
TIDE_FN int tide_smoother_of(const tide_member_view *v, int season, tide_smoother *out) {
    tide_ets_par fixed = {0.0, 0.0, 0.0, 1.0};
    tide_smoother s;
    const int ets = (int)(TIDE_FAMILIES_ETS >> (v->family & 31) & 1u);
    s.form = tide_ets_form_of(ets                               ? (int)v->form
                              : v->family == TIDE_FAMILY_SNAIVE ? TIDE_ETS_ANA
                              : v->family == TIDE_FAMILY_DRIFT  ? TIDE_ETS_AAN
                                                                : TIDE_ETS_ANN);
    s.par = fixed;
    s.sigma2 = v->sigma2;
    s.level = v->state[0];
    s.trend = s.form.trend == TIDE_NO ? 0.0 : v->state[v->stride];
    s.level_variance = 0.0;
    s.slope_variance = 0.0;
    s.season = v->state + 2 * v->stride;
    s.stride = v->stride;
    s.m = season;
    switch (v->family) {
    case TIDE_FAMILY_ETS:
    case TIDE_FAMILY_ETS_ROBUST:
        s.par.alpha = v->coef[0];
        s.par.beta = s.form.trend == TIDE_NO ? 0.0 : v->coef[v->stride];
        s.par.gamma = s.form.season == TIDE_NO ? 0.0 : v->coef[2 * v->stride];
        s.par.phi = s.form.trend == TIDE_DAMPED ? v->coef[3 * v->stride] : 1.0;
        break;
    case TIDE_FAMILY_NAIVE:
        s.par.alpha = 1.0;
        break;
    case TIDE_FAMILY_SNAIVE:
        s.par.gamma = 1.0;
        break;
    case TIDE_FAMILY_DRIFT:
        s.par.alpha = 1.0;
        s.slope_variance = v->coef[0];
        break;
    case TIDE_FAMILY_MEAN:
        s.level_variance = v->coef[0];
        break;
    default:
        break;
    }
    *out = s;
    return v->family > TIDE_FAMILY_NONE && v->family < TIDE_FAMILY_COUNT;
}

TIDE_FN double tide_members_total(const tide_member_view *members, int n) {
    double total = 0.0;
    for (int i = 0; i < n; ++i)
        total += members[i].weight;
    return total;
}

/* Normal distributions of a mixture at one step: member j has mean at 2*j*horizon and sd at (2*j + 1)*horizon
 * of `at`. */
typedef struct tide_mixture {
    const tide_member_view *members;
    double total; /* of their weights */
    tide_column at;
    size_t horizon;
    int n;
} tide_mixture;

/* The x where the mixture has probability p < 1/2 below it (side = 1) or above it (side = -1). */
TIDE_FN double tide_mixture_quantile(const tide_mixture *mix, double p, double side) {
    double z = tide_normal_quantile(p), low = TIDE_INF, high = -TIDE_INF, widest = 0.0;
    for (int j = 0; j < mix->n; ++j) { /* between the members' own quantiles */
        double mean = side * *tide_cell(mix->at, 2 * (size_t)j * mix->horizon);
        double sd = *tide_cell(mix->at, (2 * (size_t)j + 1) * mix->horizon), x = tide_fma(z, sd, mean);
        low = tide_min(low, x);
        high = tide_max(high, x);
        widest = tide_max(widest, sd);
    }
    double x = low + (high - low) * 0.5, width = 1e-13 * widest, target = p * mix->total;
    for (int pass = 0; pass < 100 && high - low > width; ++pass) {
        double below = 0.0, density = 0.0;
        for (int j = 0; j < mix->n; ++j) {
            double mean = side * *tide_cell(mix->at, 2 * (size_t)j * mix->horizon);
            double sd = *tide_cell(mix->at, (2 * (size_t)j + 1) * mix->horizon);
            double w = mix->members[j].weight, here;
            double u = sd > 0.0 ? (x - mean) / sd : 0.0, cdf = tide_normal_both(u, &here);
            below = tide_fma(w, sd > 0.0 ? cdf : x < mean ? 0.0 : 1.0, below);
            density = tide_fma(w, sd > 0.0 ? here / sd : 0.0, density);
        }
        if (below > target)
            high = x;
        else
            low = x;
        double step = (below - target) / density;
        if (tide_abs(step) <= width)
            return side * (x - step);
        x -= step;
        if (!(x > low && x < high))
            x = low + (high - low) * 0.5;
    }
    return side * x;
}

/* Limits in closed form; 0 when one is not finite. */
TIDE_FN int tide_limits_closed(const tide_forecast_spec *spec, const tide_member_view *members, int n,
                               tide_column at, tide_forecast_out out) {
    size_t horizon = (size_t)spec->horizon;
    int ok = 1;
    double total = tide_members_total(members, n);
    tide_column scratch = {tide_cell(at, 2 * (size_t)n * horizon), at.stride};
    for (int j = 0; j < n; ++j) {
        tide_smoother s;
        tide_column mean = {tide_cell(at, 2 * (size_t)j * horizon), at.stride};
        tide_column sd = {tide_cell(at, (2 * (size_t)j + 1) * horizon), at.stride};
        if (!tide_smoother_of(&members[j], spec->season, &s))
            return 0;
        tide_smoother_moments(&s, spec->horizon, mean, sd, scratch);
        for (size_t h = 0; h < horizon; ++h)
            ok &= tide_is_finite(*tide_cell(sd, h)) & tide_is_finite(*tide_cell(mean, h));
    }
    for (int l = 0; ok && l < spec->n_levels; ++l) {
        double p = 0.5 * (1.0 - spec->level[l]), z = -tide_normal_quantile(p);
        for (size_t h = 0; h < horizon; ++h) {
            size_t o = ((size_t)l * horizon + h) * out.stride;
            if (n == 1) {
                double mean = *tide_cell(at, h), sd = *tide_cell(at, horizon + h);
                out.lo[o] = tide_fma(-z, sd, mean);
                out.hi[o] = tide_fma(z, sd, mean);
            } else {
                tide_mixture mix = {members, total, {tide_cell(at, h), at.stride}, horizon, n};
                out.lo[o] = tide_mixture_quantile(&mix, p, 1.0);
                out.hi[o] = tide_mixture_quantile(&mix, p, -1.0);
            }
            ok &= tide_is_finite(out.lo[o]) & tide_is_finite(out.hi[o]);
        }
    }
    return ok;
}

/* Limits from simulated paths; 0 when one is not finite or there are no paths. */
TIDE_FN int tide_limits_simulated(const tide_forecast_spec *spec, const tide_member_view *members, int n,
                                  uint64_t key, tide_column at, tide_forecast_out out) {
    int m = spec->season, seasons = m <= 1 ? 0 : m < spec->horizon ? m : spec->horizon;
    size_t horizon = (size_t)spec->horizon;
    int ok = spec->paths > 0;
    double total = tide_members_total(members, n);
    tide_paths w = {at, spec->paths, 0, 0, seasons, spec->seed, key};
    for (int h = 0; ok && h <= spec->horizon; ++h) { /* step 0 sets the states */
        double share = 0.0;
        w.to = 0;
        for (int j = 0; j < n; ++j) {
            tide_smoother s;
            if (!tide_smoother_of(&members[j], m, &s))
                return 0;
            share += members[j].weight;
            w.from = w.to;
            w.to = j + 1 == n ? w.paths : (int)(share / total * (double)w.paths + 0.5);
            if (h == 0)
                tide_paths_start(&s, &w);
            else
                tide_paths_step(&s, &w, h);
        }
        if (h == 0)
            continue;
        tide_range range = tide_range_of(at, w.paths);
        for (int l = 0; l < spec->n_levels; ++l) {
            double p = 0.5 * (1.0 - spec->level[l]);
            size_t o = ((size_t)l * horizon + (size_t)h - 1) * out.stride;
            out.lo[o] = tide_sample_quantile(at, w.paths, p, range);
            out.hi[o] = tide_sample_quantile(at, w.paths, 1.0 - p, range);
            ok &= (out.lo[o] > -TIDE_PATH_LIMIT) & (out.hi[o] < TIDE_PATH_LIMIT);
        }
    }
    return ok;
}

/* Forecasts one series. key: hash of its id. Returns 1; 0 when it has no model (n_members == 0), a member is
 * of no known family, or a number would not be finite: then every output is TIDE_NAN. */
TIDE_FN int tide_forecast_series(const tide_forecast_spec *spec, const tide_member_view *members,
                                 int n_members, uint64_t key, tide_forecast_work work,
                                 tide_forecast_out out) {
    size_t horizon = (size_t)spec->horizon;
    int ok = n_members > 0;
    double total = tide_members_total(members, n_members);
    tide_column at = {work.at, work.stride};
    for (size_t h = 0; h < horizon; ++h)
        out.mean[h * out.stride] = 0.0;
    for (int j = 0; ok && j < n_members; ++j) {
        tide_smoother s;
        tide_column mean = {out.mean, out.stride};
        ok = tide_smoother_of(&members[j], spec->season, &s);
        double share = n_members == 1 ? 1.0 : members[j].weight / total;
        if (ok)
            tide_smoother_add_means(&s, spec->horizon, share, mean);
    }
    for (size_t h = 0; ok && h < horizon; ++h)
        ok = tide_is_finite(out.mean[h * out.stride]);
    if (ok && spec->n_levels > 0)
        ok = spec->intervals == TIDE_INTERVALS_CLOSED
                 ? tide_limits_closed(spec, members, n_members, at, out)
                 : tide_limits_simulated(spec, members, n_members, key, at, out);
    if (ok)
        return 1;
    for (size_t h = 0; h < horizon; ++h)
        out.mean[h * out.stride] = TIDE_NAN;
    for (size_t i = 0; i < (size_t)spec->n_levels * horizon; ++i) {
        out.lo[i * out.stride] = TIDE_NAN;
        out.hi[i * out.stride] = TIDE_NAN;
    }
    return 0;
}

#endif
