/* forecast.h - from a series' model, a weighted set of members, to its mean and interval limits.
 *
 *   mean      weighted mean of the members' point forecasts
 *   limits of coverage L, at the quantiles (1 -+ L)/2 of the forecast distribution:
 *     closed form, one member     f_h -+ z sqrt(v_h)
 *     closed form, several        quantiles of the mixture of the members' distributions, by Newton steps; they are
 *                                 normal, or become it by the member's Box-Cox transform (arima_forecast.h)
 *     simulated                   quantiles of paths; a member gets a share of the paths after its weight
 *
 * Paths are fixed by seed, key, path and step (rng.h), every sum has a fixed order: the same bits on all
 * machines. The families are told apart in tide_smoother_of and in the tide_member_* functions after it. */
#ifndef TIDE_FORECAST_H
#define TIDE_FORECAST_H

#include "kernels/arima_forecast.h"
#include "kernels/batch.h"
#include "kernels/ets_forecast.h"

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

/* Columns that the simulation of a path needs, whatever the members are. */
TIDE_FN size_t tide_path_columns(const tide_forecast_spec *spec) {
    size_t m = (size_t)spec->season, h = (size_t)spec->horizon, seasons = m <= 1 ? 0 : m < h ? m : h;
    size_t arima = spec->no_arima ? 0 : tide_arima_path_columns(spec->season, spec->horizon);
    return TIDE_PATH_SEASONS + (seasons > arima ? seasons : arima);
}

/* Doubles between the lattices of two members in a simulation. */
TIDE_FN size_t tide_path_lattice(const tide_forecast_spec *spec) {
    return spec->no_arima ? 0 : tide_arima_ahead_size(spec->season) + 1;
}

/* Doubles of workspace that tide_forecast_series needs for a series of at most n_members members. Simulated: the
 * paths, then a lattice for each member, then what one needs to start. */
TIDE_FN size_t tide_forecast_workspace(const tide_forecast_spec *spec, int n_members) {
    size_t h = (size_t)spec->horizon, members = n_members > 0 ? (size_t)n_members : 1;
    size_t arima_size = tide_arima_forecast_size(spec->season), means = 2 * h + arima_size;
    if (spec->n_levels == 0)
        return means;
    if (spec->intervals == TIDE_INTERVALS_CLOSED)
        return h * (2 * members + 3) + arima_size;
    size_t paths = (size_t)(spec->paths > 0 ? spec->paths : 1) * tide_path_columns(spec) + members * tide_path_lattice(spec) +
                   (spec->no_arima ? 0 : tide_arima_moments_size(spec->season));
    return paths > means ? paths : means;
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
    return v->family > TIDE_FAMILY_NONE && v->family < TIDE_FAMILY_COUNT && v->family != TIDE_FAMILY_ARIMA;
}

/* Adds share times the member's point forecasts to mean; 0 when it cannot be forecast. scratch: 2*horizon +
 * tide_arima_forecast_size elements. */
TIDE_FN int tide_member_add_means(const tide_forecast_spec *spec, const tide_member_view *v, double share,
                                  tide_column mean, tide_column scratch) {
    tide_smoother s;
    tide_arima_model a;
    if (tide_arima_model_of(v, spec->season, &a)) {
        tide_arima_add_means(&a, spec->horizon, spec->bias_adjust, share, mean, scratch);
        return 1;
    }
    if (!tide_smoother_of(v, spec->season, &s))
        return 0;
    tide_smoother_add_means(&s, spec->horizon, share, mean);
    return 1;
}

/* Mean and standard deviation of the normal distribution that the member's value has at each step, or that its
 * transform has where there is one; 0 when it cannot be forecast. scratch: 3*horizon + tide_arima_forecast_size. */
TIDE_FN int tide_member_moments(const tide_forecast_spec *spec, const tide_member_view *v, tide_column mean,
                                tide_column sd, tide_column scratch) {
    tide_smoother s;
    tide_arima_model a;
    if (tide_arima_model_of(v, spec->season, &a)) {
        tide_arima_moments(&a, spec->horizon, mean, sd, scratch);
        return 1;
    }
    if (!tide_smoother_of(v, spec->season, &s))
        return 0;
    tide_smoother_moments(&s, spec->horizon, mean, sd, scratch);
    return 1;
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

/* The normal distribution of member j. */
TIDE_FN tide_pair tide_mixture_normal(const tide_mixture *mix, int j) {
    tide_pair p; /* mean, sd */
    p.high = *tide_cell(mix->at, 2 * (size_t)j * mix->horizon);
    p.low = *tide_cell(mix->at, (2 * (size_t)j + 1) * mix->horizon);
    return p;
}

/* Probability of member j's values with side*y < x (high) and its density there (low). With a transform f the
 * value is standardised as (f(y) - mean)/sd, cut to +-40, and the density has the factor f'(y). */
TIDE_FN tide_pair tide_mixture_member(const tide_mixture *mix, int j, double x, double side) {
    tide_pair normal = tide_mixture_normal(mix, j), r = {0.0, 0.0};
    double mean = side * normal.high, sd = normal.low, slope = 1.0;
    tide_transform t = tide_member_transform(&mix->members[j]);
    if (t.on) {
        double y = side * x / t.scale;
        slope = y > 0.0 ? tide_exp(tide_boxcox_log_slope(y, t.lambda)) / t.scale : 0.0;
        x = side * tide_boxcox_forward(y, t.lambda);
        x = sd > 0.0 ? tide_max(tide_fma(-40.0, sd, mean), tide_min(x, tide_fma(40.0, sd, mean))) : x;
    }
    double here, cdf = tide_normal_both(sd > 0.0 ? (x - mean) / sd : 0.0, &here);
    r.high = sd > 0.0 ? cdf : x < mean ? 0.0 : 1.0;
    r.low = sd > 0.0 ? here / sd * slope : 0.0;
    return r;
}

/* The mixture's probability of values with side*y < x (high), and its density there (low), both times the weights' total. On
 * the CPU the members of a mixture without transforms are looked at side by side, and then summed in their order: the same
 * operations in vectors. */
TIDE_FN tide_pair tide_mixture_at(const tide_mixture *mix, int transformed, double x, double side) {
    tide_pair sum = {0.0, 0.0};
#if !defined(TIDE_DEVICE_FORM)
    enum { TOGETHER = 16 };
    if (!transformed) {
        double below[TOGETHER], density[TOGETHER];
        const size_t sd_at = mix->horizon * mix->at.stride;
        for (int first = 0; first < mix->n; first += TOGETHER) {
            int n = mix->n - first < TOGETHER ? mix->n - first : TOGETHER;
            const double *at = mix->at.p + 2 * (size_t)first * sd_at;
            for (int j = 0; j < n; ++j) {
                double mean = side * at[2 * (size_t)j * sd_at], sd = at[(2 * (size_t)j + 1) * sd_at], here;
                double cdf = tide_normal_both(sd > 0.0 ? (x - mean) / sd : 0.0, &here);
                below[j] = sd > 0.0 ? cdf : x < mean ? 0.0 : 1.0;
                density[j] = sd > 0.0 ? here / sd : 0.0;
            }
            for (int j = 0; j < n; ++j) {
                double weight = mix->members[first + j].weight;
                sum.high = tide_fma(weight, below[j], sum.high);
                sum.low = tide_fma(weight, density[j], sum.low);
            }
        }
        return sum;
    }
#endif
    (void)transformed;
    for (int j = 0; j < mix->n; ++j) {
        tide_pair member = tide_mixture_member(mix, j, x, side);
        sum.high = tide_fma(mix->members[j].weight, member.high, sum.high);
        sum.low = tide_fma(mix->members[j].weight, member.low, sum.low);
    }
    return sum;
}

/* The x where the mixture has probability p < 1/2 below it (side = 1) or above it (side = -1). */
TIDE_FN double tide_mixture_quantile(const tide_mixture *mix, double p, double side) {
    double z = tide_normal_quantile(p), low = TIDE_INF, high = -TIDE_INF, widest = 0.0;
    int transformed = 0;
    for (int j = 0; j < mix->n; ++j) { /* between the members' own quantiles */
        tide_pair normal = tide_mixture_normal(mix, j);
        tide_transform t = tide_member_transform(&mix->members[j]);
        double x = tide_fma(z, normal.low, side * normal.high);
        double middle = tide_transform_back(t, normal.high);
        x = t.on ? side * tide_transform_back(t, side * x) : x;
        low = tide_min(low, x);
        high = tide_max(high, x);
        transformed |= t.on;
        double spread = t.on ? tide_abs(side * x - middle) : normal.low;
        widest = tide_max(widest, spread < TIDE_TRANSFORM_LIMIT ? spread : 0.0);
    }
    double x = low + (high - low) * 0.5, width = 1e-13 * widest, target = p * mix->total;
    for (int pass = 0; pass < 100 && high - low > width; ++pass) {
        tide_pair sum = tide_mixture_at(mix, transformed, x, side);
        double below = sum.high, density = sum.low;
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
        if (transformed && pass >= 30 && pass % 2) /* scales of members may differ by hundreds of powers of ten */
            x = tide_middle(low, high);
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
        tide_column mean = {tide_cell(at, 2 * (size_t)j * horizon), at.stride};
        tide_column sd = {tide_cell(at, (2 * (size_t)j + 1) * horizon), at.stride};
        if (!tide_member_moments(spec, &members[j], mean, sd, scratch))
            return 0;
        for (size_t h = 0; h < horizon; ++h)
            ok &= tide_is_finite(*tide_cell(sd, h)) & tide_is_finite(*tide_cell(mean, h));
    }
    for (int l = 0; ok && l < spec->n_levels; ++l) {
        double p = 0.5 * (1.0 - spec->level[l]), z = -tide_normal_quantile(p);
        for (size_t h = 0; h < horizon; ++h) {
            size_t o = ((size_t)l * horizon + h) * out.stride;
            if (n == 1) {
                double mean = *tide_cell(at, h), sd = *tide_cell(at, horizon + h);
                tide_transform t = tide_member_transform(members);
                out.lo[o] = tide_transform_back(t, tide_fma(-z, sd, mean));
                out.hi[o] = tide_transform_back(t, tide_fma(z, sd, mean));
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
    size_t horizon = (size_t)spec->horizon, lattice = tide_path_lattice(spec);
    int ok = spec->paths > 0;
    double total = tide_members_total(members, n);
    tide_paths w = {at, spec->paths, 0, 0, seasons, spec->seed, key};
    size_t lattices_at = tide_path_columns(spec) * (size_t)w.paths;
    tide_column start = {tide_cell(at, lattices_at + (size_t)n * lattice), at.stride};
    for (int h = 0; ok && h <= spec->horizon; ++h) { /* step 0 sets the states */
        double share = 0.0;
        w.to = 0;
        for (int j = 0; j < n; ++j) {
            tide_smoother s;
            tide_arima_model a;
            memset(&s, 0, sizeof s); /* the one that is not the member's */
            memset(&a, 0, sizeof a);
            tide_column rest = {tide_cell(at, lattices_at + (size_t)j * lattice), at.stride};
            int is_arima = tide_arima_model_of(&members[j], m, &a);
            if (is_arima ? spec->no_arima : !tide_smoother_of(&members[j], m, &s))
                return 0;
            share += members[j].weight;
            w.from = w.to;
            w.to = j + 1 == n ? w.paths : (int)(share / total * (double)w.paths + 0.5);
            if (is_arima) {
                tide_arima_ahead gains = tide_arima_ahead_place(m, rest);
                double *F = tide_cell(rest, lattice - 1);
                if (h == 0) {
                    tide_arima_paths_start(&a, &w, spec->horizon, start, &gains);
                } else {
                    gains.F = *F;
                    tide_arima_paths_step(&a, &w, spec->horizon, h, &gains);
                }
                *F = gains.F;
            } else if (h == 0) {
                tide_paths_start(&s, &w);
            } else {
                tide_paths_step(&s, &w, h);
            }
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
        tide_column mean = {out.mean, out.stride};
        double share = n_members == 1 ? 1.0 : members[j].weight / total;
        ok = tide_member_add_means(spec, &members[j], share, mean, at);
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
