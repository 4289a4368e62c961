/* ets_forecast.h - point forecasts, forecast variances and simulated paths of an exponential smoothing model.
 *
 * Hyndman, Koehler, Ord, Snyder (2008), chapter 6; notation of ets.h. With phi_h = phi + ... + phi^h (phi_h =
 * h undamped, summed by recurrence, never as 1/(1 - phi)), the point forecast is the recursion without
 * innovations,
 *
 *     f_h = (level + phi_h trend) (+ or * season of step h)
 *
 * and the innovation of a step returns after j steps with weight c_j = alpha + beta phi_j + gamma [m | j].
 *
 *   class 1: additive error      v_h = sigma2 (1 + sum_{j<h} c_j^2)
 *   class 2: multiplicative      v_h = (1 + sigma2) theta_h - f_h^2, theta_h = f_h^2 + excess_h,
 *     error, season additive     excess_h = sigma2 sum_{j<h} c_j^2 theta_{h-j}; computed as excess_h + sigma2
 *     or none                    theta_h, in which nothing cancels. O(h^2)
 *   class 3: multiplicative error and season, below
 *
 * Class 3. The book works with matrices of side 2m (level and trend by seasons). Not needed: r = q e,
 *
 *     q = level + phi trend
 *     level <- q (1 + alpha e),  trend <- phi trend + beta q e,  season <- season (1 + gamma e)
 *
 * so level and trend are a chain of their own, and a season is only multiplied by (1 + gamma e) at its own
 * steps. Thus y_h = s q_h (1 + e_h) prod (1 + gamma e_i) over earlier steps i of h's season, s its state now.
 * Carrying mean and covariance of (level, trend) * prod through the steps (five numbers; at a step of the
 * season with the moments of normal e up to the fourth) gives mean and variance exactly; one chain a season,
 * O(min(m, h) h) in all. The forecast is the mean: f_h up to h = m, beyond it larger by terms of order alpha
 * gamma sigma2.
 *
 * Models that are no ETS but have its form (naive.h) add the variance of an estimated level or slope:
 * v_h += sigma2 (level_variance + h^2 slope_variance).
 *
 * Multiplicative errors: sigma2 is relative, and states are divided by a power of two before they are
 * squared. */
#ifndef TIDE_ETS_FORECAST_H
#define TIDE_ETS_FORECAST_H

#include "kernels/ets.h"
#include "kernels/rng.h"

/* A model at its last step, ready to forecast. */
typedef struct tide_smoother {
    tide_ets_form form;
    tide_ets_par par;
    double sigma2, level, trend;
    double level_variance, slope_variance; /* of estimated parameters, over sigma2; 0 for ETS */
    const double *season; /* season of step h at season[((h - 1) % m)*stride]; unread if form has none */
    size_t stride;
    int m;
} tide_smoother;

/* Element i of an array at p[i*stride]. */
typedef struct tide_column {
    double *p;
    size_t stride;
} tide_column;

TIDE_FN double *tide_cell(tide_column c, size_t i) {
    return c.p + i * c.stride;
}

/* phi_h and what is needed to go on to h + 1. */
typedef struct tide_damped {
    double power, sum;
} tide_damped;

TIDE_FN tide_damped tide_damped_next(tide_damped d, double phi) {
    d.power *= phi;
    d.sum += d.power;
    return d;
}

TIDE_FN tide_damped tide_damped_start(void) {
    tide_damped d = {1.0, 0.0};
    return d;
}

/* Season of step h >= 1; 0 where the form has none. */
TIDE_FN double tide_smoother_season(const tide_smoother *s, int h) {
    return s->form.season == TIDE_NO ? 0.0 : s->season[(size_t)((h - 1) % s->m) * s->stride];
}

/* f_h; d: phi_h. */
TIDE_FN double tide_smoother_mean(const tide_smoother *s, int h, tide_damped d) {
    double q = s->form.trend == TIDE_NO ? s->level : tide_fma(d.sum, s->trend, s->level);
    return tide_ets_mean(s->form, q, tide_smoother_season(s, h));
}

/* c_j; d: phi_j. */
TIDE_FN double tide_smoother_weight(const tide_smoother *s, int j, tide_damped d) {
    double c = tide_fma(s->par.beta, d.sum, s->par.alpha);
    return s->form.season != TIDE_NO && j % s->m == 0 ? c + s->par.gamma : c;
}

/* Class 1: standard deviations of steps 1..horizon. */
TIDE_FN void tide_spread_additive(const tide_smoother *s, int horizon, tide_column sd) {
    tide_damped d = tide_damped_start();
    double sum = 1.0, scale = tide_sqrt(s->sigma2); /* apart: sigma2 may be as large as a double gets */
    for (int h = 1; h <= horizon; ++h) {
        double slope = (double)h * (double)h * s->slope_variance;
        *tide_cell(sd, (size_t)h - 1) = scale * tide_sqrt(sum + (s->level_variance + slope));
        d = tide_damped_next(d, s->par.phi);
        double c = tide_smoother_weight(s, h, d);
        sum = tide_fma(c, c, sum);
    }
}

/* Class 2. scratch: 2*horizon elements, c_j^2 and theta_h. */
TIDE_FN void tide_spread_linear(const tide_smoother *s, int horizon, tide_column sd, tide_column scratch) {
    tide_damped d = tide_damped_start();
    size_t n = (size_t)horizon;
    for (size_t h = 1; h <= n; ++h) {
        d = tide_damped_next(d, s->par.phi);
        double c = tide_smoother_weight(s, (int)h, d), f = tide_smoother_mean(s, (int)h, d);
        double sum = 0.0;
        for (size_t j = 1; j < h; ++j)
            sum = tide_fma(*tide_cell(scratch, j - 1), *tide_cell(scratch, n + h - j - 1), sum);
        double excess = s->sigma2 * sum, theta = tide_fma(f, f, excess);
        *tide_cell(scratch, h - 1) = c * c;
        *tide_cell(scratch, n + h - 1) = theta;
        *tide_cell(sd, h - 1) = tide_sqrt(tide_fma(s->sigma2, theta, excess));
    }
}

/* Adds weight times the point forecasts of steps 1..horizon to mean[0..horizon-1]. */
TIDE_FN void tide_smoother_add_means(const tide_smoother *s, int horizon, double weight, tide_column mean) {
    int chained = s->form.season == TIDE_MUL, plain = chained && s->m < horizon ? s->m : horizon;
    tide_damped d = tide_damped_start();
    for (int h = 1; h <= plain; ++h) {
        d = tide_damped_next(d, s->par.phi);
        double *to = tide_cell(mean, (size_t)h - 1);
        *to = tide_fma(weight, tide_smoother_mean(s, h, d), *to);
    }
    double phi = s->form.trend == TIDE_NO ? 0.0 : s->par.phi, gv = s->par.gamma * s->sigma2;
    for (int phase = 1; plain < horizon && phase <= s->m; ++phase) { /* class 3, see tide_chain_next */
        double l = s->level, b = s->form.trend == TIDE_NO ? 0.0 : s->trend,
               season = tide_smoother_season(s, phase);
        for (int h = 1, next = phase; h <= horizon; ++h) {
            double q = tide_fma(phi, b, l), g = h == next ? gv : 0.0;
            if (h == next && h > plain) {
                double *to = tide_cell(mean, (size_t)h - 1);
                *to = tide_fma(weight, q * season, *to);
            }
            next += h == next ? s->m : 0;
            l = tide_fma(s->par.alpha * g, q, q);
            b = tide_fma(s->par.beta * g, q, phi * b);
        }
    }
}

/* Mean (l, b) and covariance of level and trend, times the product over the season's earlier steps. */
typedef struct tide_chain {
    double l, b, ll, lb, bb;
} tide_chain;

/* A step; g = gamma at steps of the season, 0 at others. Moments of e: 0, v, 0, 3 v^2. */
TIDE_FN tide_chain tide_chain_next(tide_chain x, tide_ets_par p, double g, double v) {
    double phi = p.phi, a = p.alpha, b = p.beta;
    double q = tide_fma(phi, x.b, x.l);                         /* mean of q */
    double qb = tide_fma(phi, x.bb, x.lb);                      /* cov(q, trend) */
    double qq = tide_fma(phi, qb, tide_fma(phi, x.lb, x.ll));   /* var(q) */
    double u = phi * x.b, uu = phi * phi * x.bb, uq = phi * qb; /* trend ahead: mean, variance, cov with q */
    double gv = g * v, agv = a * gv;
    tide_chain y;
    y.l = tide_fma(agv, q, q);
    y.b = tide_fma(b * gv, q, u);
    /* E[(1 + g e)^2 e^k], k = 0, 1, 2 */
    double e0 = tide_fma(g, gv, 1.0), e1 = 2.0 * gv, e2 = tide_fma(3.0 * gv, gv, v);
    /* from the covariance before, by E[. (1 + g e)^2]; from the mean before, by the covariances of the
     * factors */
    y.ll = qq * (e0 + a * (2.0 * e1 + a * e2)) + q * q * (v * (a + g) * (a + g) + 2.0 * agv * agv);
    y.lb = uq * (e0 + a * e1) + b * qq * (e1 + a * e2) + u * q * (gv * (a + g)) +
           b * q * q * (v * (a + g) + 2.0 * agv * gv);
    y.bb = uu * e0 + 2.0 * b * uq * e1 + b * b * qq * e2 + u * u * (g * gv) + 2.0 * b * u * q * gv +
           b * b * q * q * (v + 2.0 * gv * gv);
    return y;
}

/* Class 3: the chain of each season through all steps. */
TIDE_FN void tide_spread_seasonal(const tide_smoother *s, int horizon, tide_column sd) {
    int m = s->m, phases = horizon < m ? horizon : m;
    tide_ets_par p = s->par;
    p.phi = s->form.trend == TIDE_NO ? 0.0 : s->par.phi;
    for (int phase = 1; phase <= phases; ++phase) {
        tide_chain x = {s->level, s->form.trend == TIDE_NO ? 0.0 : s->trend, 0.0, 0.0, 0.0};
        double season = tide_abs(tide_smoother_season(s, phase));
        int next = phase;
        for (int h = 1; h <= horizon && next <= horizon; ++h) {
            int mine = h == next;
            if (mine) {
                double q = tide_fma(p.phi, x.b, x.l);
                double qq = tide_fma(p.phi, tide_fma(p.phi, x.bb, 2.0 * x.lb), x.ll);
                *tide_cell(sd, (size_t)h - 1) =
                    season * tide_sqrt(tide_fma(s->sigma2, tide_fma(q, q, qq), qq));
                next += m;
            }
            x = tide_chain_next(x, p, mine ? p.gamma : 0.0, s->sigma2);
        }
    }
}

/* Power of two near |x| (1 for 0, and where its inverse would leave the normal range). */
TIDE_FN double tide_unit_of(double x) {
    uint64_t e = tide_to_bits(x) & 0x7ff0000000000000ull;
    return e >= 0x0020000000000000ull && e < 0x7fc0000000000000ull ? tide_from_bits(e) : 1.0;
}

/* Means and standard deviations of steps 1..horizon, into mean and sd (horizon elements each).
 * scratch: 3*horizon elements. */
TIDE_FN void tide_smoother_moments(const tide_smoother *model, int horizon, tide_column mean, tide_column sd,
                                   tide_column scratch) {
    for (int h = 0; h < horizon; ++h)
        *tide_cell(mean, (size_t)h) = 0.0;
    tide_smoother_add_means(model, horizon, 1.0, mean);
    if (model->form.error == TIDE_ADD) {
        tide_spread_additive(model, horizon, sd);
        return;
    }
    double unit = tide_unit_of(model->level), per = 1.0 / unit;
    tide_smoother s = *model;
    s.level *= per;
    s.trend *= per;
    if (s.form.season == TIDE_MUL) {
        tide_spread_seasonal(&s, horizon, sd);
    } else {
        tide_column season = {tide_cell(scratch, 2 * (size_t)horizon), scratch.stride};
        if (s.form.season == TIDE_ADD) {
            for (int h = 1; h <= horizon && h <= s.m; ++h)
                *tide_cell(season, (size_t)h - 1) = tide_smoother_season(model, h) * per;
            s.season = season.p;
            s.stride = season.stride;
        }
        tide_spread_linear(&s, horizon, sd, scratch);
    }
    for (int h = 1; h <= horizon; ++h)
        *tide_cell(sd, (size_t)h - 1) *= unit;
}

/* ---- simulation ---- All paths advance together, a step at a time, so that memory does not grow with the
 * horizon and the loop over paths is straight-line code. Columns of `paths` elements each: */
enum { TIDE_PATH_VALUE, TIDE_PATH_LEVEL, TIDE_PATH_TREND, TIDE_PATH_DRAW, TIDE_PATH_SEASONS };

typedef struct tide_paths {
    tide_column at; /* column c of path i at element c*paths + i */
    int paths;      /* of the series */
    int from, to;   /* those of this member */
    int seasons;    /* columns of seasonal states: min(m, horizon), or 0 */
    uint64_t seed, key;
} tide_paths;

/* A simulated value stays within +-TIDE_PATH_LIMIT; what is not a number counts as beyond. */
#define TIDE_PATH_LIMIT 1e300

TIDE_FN double *tide_path_cell(const tide_paths *w, int column, int path) {
    return tide_cell(w->at, (size_t)column * (size_t)w->paths + (size_t)path);
}

/* Every path of the member at the states of the model; an estimated level or slope is drawn for each. */
TIDE_FN void tide_paths_start(const tide_smoother *s, const tide_paths *w) {
    double level_sd = tide_sqrt(s->sigma2 * s->level_variance),
           slope_sd = tide_sqrt(s->sigma2 * s->slope_variance);
    int estimated = s->level_variance > 0.0 || s->slope_variance > 0.0;
    for (int i = w->from; i < w->to; ++i) {
        tide_pair z = {0.0, 0.0};
        if (estimated)
            z = tide_normal_pair(w->seed, w->key, (uint32_t)i, 0xffffffffu);
        *tide_path_cell(w, TIDE_PATH_LEVEL, i) = tide_fma(level_sd, z.high, s->level);
        *tide_path_cell(w, TIDE_PATH_TREND, i) = tide_fma(slope_sd, z.low, s->trend);
    }
    for (int j = 0; j < w->seasons && s->form.season != TIDE_NO; ++j)
        for (int i = w->from; i < w->to; ++i)
            *tide_path_cell(w, TIDE_PATH_SEASONS + j, i) = tide_smoother_season(s, j + 1);
}

/* Standard normal draws of step h >= 1; returns the column that they are in: a block of the generator serves two
 * steps. */
TIDE_FN int tide_paths_draw(const tide_paths *w, int h) {
    if (h % 2 == 0)
        return TIDE_PATH_DRAW;
    for (int i = w->from; i < w->to; ++i) {
        tide_pair z = tide_normal_pair(w->seed, w->key, (uint32_t)i, (uint32_t)((h - 1) / 2));
        *tide_path_cell(w, TIDE_PATH_VALUE, i) = z.high;
        *tide_path_cell(w, TIDE_PATH_DRAW, i) = z.low;
    }
    return TIDE_PATH_VALUE;
}

/* Step h >= 1 of every path: its value into the column TIDE_PATH_VALUE. */
TIDE_FN void tide_paths_step(const tide_smoother *s, const tide_paths *w, int h) {
    double scale = tide_sqrt(s->sigma2);
    int seasonal = s->form.season != TIDE_NO, draw = tide_paths_draw(w, h);
    int column = TIDE_PATH_SEASONS + (seasonal ? (h - 1) % s->m : 0);
    for (int i = w->from; i < w->to; ++i) {
        double *value = tide_path_cell(w, TIDE_PATH_VALUE, i);
        double *level = tide_path_cell(w, TIDE_PATH_LEVEL, i), *trend = tide_path_cell(w, TIDE_PATH_TREND, i);
        double none = 0.0, *season = seasonal ? tide_path_cell(w, column, i) : &none;
        double e = scale * *tide_path_cell(w, draw, i);
        double f = tide_ets_mean(s->form, tide_ets_level_ahead(s->form, s->par.phi, *level, *trend), *season);
        double y = s->form.error == TIDE_ADD ? f + e : tide_fma(f, e, f), mean;
        tide_ets_step(s->form, s->par, y, level, trend, season, &mean);
        *value = tide_max(-TIDE_PATH_LIMIT, tide_min(y, TIDE_PATH_LIMIT));
    }
}

/* The smallest of side*value above `bound` (side 1 or -1), TIDE_INF if there is none. A minimum does not
 * depend on the order; eight partial ones let the compiler use vectors. */
TIDE_FN double tide_least_above(tide_column v, int n, double side, double bound) {
    double least[8];
    int i = 0;
    for (int j = 0; j < 8; ++j)
        least[j] = TIDE_INF;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; ++j) {
            double x = side * *tide_cell(v, (size_t)(i + j));
            least[j] = tide_min(least[j], x > bound ? x : TIDE_INF);
        }
    for (; i < n; ++i) {
        double x = side * *tide_cell(v, (size_t)i);
        least[0] = tide_min(least[0], x > bound ? x : TIDE_INF);
    }
    for (int j = 1; j < 8; ++j)
        least[0] = tide_min(least[0], least[j]);
    return least[0];
}

TIDE_FN int tide_count_upto(tide_column v, int n, double bound) {
    int count = 0;
    for (int i = 0; i < n; ++i)
        count += *tide_cell(v, (size_t)i) <= bound;
    return count;
}

/* Smallest and largest of n finite values. */
typedef struct tide_range {
    double low, high;
} tide_range;

TIDE_FN tide_range tide_range_of(tide_column v, int n) {
    tide_range r = {tide_least_above(v, n, 1.0, -TIDE_INF), -tide_least_above(v, n, -1.0, -TIDE_INF)};
    return r;
}

/* The middle of the representable numbers from low to high. */
TIDE_FN double tide_middle(double low, double high) {
    uint64_t sign = 0x8000000000000000ull, a = tide_to_bits(low), b = tide_to_bits(high);
    a = a & sign ? ~a : a | sign; /* order of the numbers as order of integers */
    b = b & sign ? ~b : b | sign;
    a += (b - a) / 2;
    return tide_from_bits(a & sign ? a & ~sign : ~a);
}

/* Elements k and k + 1 (0-based, in ascending order; the last one twice) of n values within `range`, by
 * counting: a bracket (low, high] with `below` values <= low and `upto` <= high is cut until one value is
 * left in it. Moves nothing and needs no room. Cuts at the middle, and where the counts would put it if the
 * values lay evenly; after 24 passes at the middle of the representable numbers instead, so that no set of
 * values takes more than 90 passes. */
TIDE_FN tide_pair tide_order_pair(tide_column v, int n, int k, tide_range range) {
    double low = range.low, high = range.high;
    int below = tide_count_upto(v, n, low), smallest = k < below, upto = smallest ? below : n;
    high = smallest ? low : high;
    low = smallest ? -TIDE_INF : low;
    for (int pass = 0; !smallest && upto - below > 1; ++pass) {
        double part = pass % 3 == 0 ? 0.5 : ((double)(k - below) + 0.5) / (double)(upto - below);
        double cut = tide_fma(part, high - low, low);
        if (pass >= 24)
            cut = tide_middle(low, high);
        if (!(cut > low && cut < high)) {
            if (pass >= 24)
                break; /* neighbours: all that are left equal high */
            continue;
        }
        int count = tide_count_upto(v, n, cut);
        if (count > k) {
            high = cut;
            upto = count;
        } else {
            low = cut;
            below = count;
        }
    }
    tide_pair r = {tide_least_above(v, n, 1.0, low), 0.0};
    r.low = k + 1 < upto || k + 1 == n ? r.high : tide_least_above(v, n, 1.0, r.high);
    return r;
}

/* Sample quantile at p, median-unbiased (Hyndman and Fan 1996, type 8). n >= 1 finite values within
 * `range`. */
TIDE_FN double tide_sample_quantile(tide_column v, int n, double p, tide_range range) {
    double at = ((double)n + 1.0 / 3.0) * p - 2.0 / 3.0; /* 0-based */
    at = tide_max(0.0, tide_min(at, (double)(n - 1)));
    int k = (int)at;
    tide_pair pair = tide_order_pair(v, n, k, range);
    return tide_fma(at - (double)k, pair.low - pair.high, pair.high);
}

#endif
