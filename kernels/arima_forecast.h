/* arima_forecast.h - point forecasts, exact forecast variances and simulated paths of a stored ARIMA member.
 *
 * Notation of arima.h. No history is needed: the member's state x holds the forecasts of w, its lags what w is summed
 * onto. With w_h the forecasts x_0, x_i <- x_{i+1} + phi_{i+1} x_0,
 *
 *     n_h = w_h + (terms of the differencing polynomial)(n_{h-1}, n_{h-2}, ...)
 *     z_h = n_h + constant g + sum_j beta_j x_j(steps + h)
 *     y_h = z_h, or scale * inverse Box-Cox of z_h
 *
 * Variances. Innovations v_s of the steps s = 1, 2, ... ahead have variances sigma2 F_s and come back with the gains
 * K_s = M_s/F_s of the exact filter of w, so the error of n_h is sum_{s<=h} g_{s,h-s} v_s, where g_s is what the
 * recursion above makes of x = K_s, lags 0, after a first value of 1:
 *
 *     var n_h = sigma2 sum_{s<=h} g_{s,h-s}^2 F_s
 *
 * M_s and F_s do not depend on the data but on the coefficients and the number of steps alone: the lattice of
 * Chandrasekhar's recursion (arima_eval.h), started from the moments of arima_poly.h, is run again over the steps of the fit and goes on through
 * the forecast. It ends early where it has settled: once all |L_i| <= 1e-9 F, the gains change by less than 1e-18 a step,
 * and one impulse response serves all later innovations. A moving average with a root on the unit circle never settles
 * (F_s is 1 + 1/s); then EXACT steps ahead have gains of their own and later ones share the last, whose F differs from
 * the limit by 1/(steps + EXACT).
 *
 * Box-Cox. z is normal, y is not. Limits are quantiles: those of z, transformed. The point forecast is the median;
 * with bias_adjust the mean, by R's expansion of second order (boxcox.h). Where lambda z + 1 <= 0 has no inverse (lambda < 0: the distribution of y reaches infinity), a limit
 * is cut to +-TIDE_TRANSFORM_LIMIT; a point forecast there counts as not finite.
 *
 * What the variances leave out: uncertainty of the coefficients (as R's), and of missing values among the last
 * r + d + mD steps, whose place the filter's estimates have taken. */
#ifndef TIDE_ARIMA_FORECAST_H
#define TIDE_ARIMA_FORECAST_H

#include "kernels/arima.h"
#include "kernels/arima_poly.h"
#include "kernels/boxcox.h"
#include "kernels/ets_forecast.h"
#include "kernels/fourier.h"
#include "kernels/member_view.h"

enum { TIDE_ARIMA_EXACT_STEPS = 512 };

/* ---- Box-Cox ---- */

/* What stands for a value without bound. */
#define TIDE_TRANSFORM_LIMIT 1e299

/* The member's transform: nothing, or Box-Cox of y/scale. */
typedef struct tide_transform {
    int on;
    double lambda, scale;
} tide_transform;

TIDE_FN tide_transform tide_member_transform(const tide_member_view *v) {
    tide_arima_order o = tide_arima_order_of(v->form);
    tide_transform t = {v->family == TIDE_FAMILY_ARIMA && o.boxcox, 1.0, v->scale};
    if (t.on)
        t.lambda = v->coef[(size_t)tide_arima_lambda_at(o) * v->stride];
    return t;
}

/* A quantile or a simulated value of the transform as one of y. */
TIDE_FN double tide_transform_back(tide_transform t, double z) {
    double y = t.on ? t.scale * tide_boxcox_back(z, t.lambda) : z;
    return t.on ? tide_max(-TIDE_TRANSFORM_LIMIT, tide_min(y, TIDE_TRANSFORM_LIMIT)) : y;
}

/* ---- the model ---- */

/* A member at its last step, ready to forecast. */
typedef struct tide_arima_model {
    tide_arima_order order;
    int m, r, lags; /* season; rows of x; rows of lag */
    int64_t steps;
    double sigma2;
    tide_transform transform;
    const double *coef, *state;
    size_t stride;
    const double *xreg; /* (xreg_rows, order.xreg) from the step after the last on */
    int64_t xreg_rows;
} tide_arima_model;

TIDE_FN double tide_arima_coef(const tide_arima_model *a, int row) {
    return a->coef[(size_t)row * a->stride];
}

/* 0, with *out untouched, when the view is of another family, or of an order or number of steps that cannot be. */
TIDE_FN int tide_arima_model_of(const tide_member_view *v, int season, tide_arima_model *out) {
    tide_arima_model a;
    a.order = tide_arima_order_of(v->form);
    if (v->family != TIDE_FAMILY_ARIMA || !tide_arima_valid_at(a.order, season) ||
        (a.order.xreg && (!v->xreg || v->xreg_columns != a.order.xreg)))
        return 0;
    a.m = season;
    a.r = tide_arima_r(a.order, season);
    a.lags = tide_arima_diff_lags(a.order, season);
    a.sigma2 = v->sigma2;
    a.transform = tide_member_transform(v);
    a.coef = v->coef;
    a.state = v->state;
    a.stride = v->stride;
    a.xreg = v->xreg;
    a.xreg_rows = v->xreg_rows;
    double steps = tide_arima_coef(&a, tide_arima_steps_at(a.order));
    if (!(steps >= (double)a.lags && steps <= 2147483647.0))
        return 0;
    a.steps = (int64_t)steps;
    *out = a;
    return 1;
}

/* ---- recursion and lattice ---- */

/* Memory of one member, r or lags elements each; element i of every column at p[i*stride]. */
typedef struct tide_arima_ahead {
    tide_column phi, M, L, x, lag; /* lag is a ring: step h lies at (h - 1) mod lags */
    double F;
} tide_arima_ahead;

/* Most rows of x and of lag for a season: elements of the columns above. */
TIDE_FN size_t tide_arima_r_max(int m) {
    return (size_t)(TIDE_ARIMA_ORDER_MAX + 1 + (tide_arima_seasonal(m) ? m * TIDE_ARIMA_SEASONAL_MAX : 0));
}
TIDE_FN size_t tide_arima_lags_max(int m) {
    return (size_t)(2 + (tide_arima_seasonal(m) ? m : 0));
}
TIDE_FN size_t tide_arima_ahead_size(int m) {
    return 4 * tide_arima_r_max(m) + tide_arima_lags_max(m);
}

TIDE_FN tide_arima_ahead tide_arima_ahead_place(int m, tide_column at) {
    tide_arima_ahead s;
    size_t r = tide_arima_r_max(m) * at.stride;
    s.phi.p = at.p;
    s.M.p = at.p + r;
    s.L.p = at.p + 2 * r;
    s.x.p = at.p + 3 * r;
    s.lag.p = at.p + 4 * r;
    s.phi.stride = s.M.stride = s.L.stride = s.x.stride = s.lag.stride = at.stride;
    s.F = 1.0;
    return s;
}

/* Scratch of the moments that the lattice starts from (arima_poly.h), for every order at the season. It has the stride
 * of its lanes: 1 on a CPU. */
TIDE_FN size_t tide_arima_moments_size(int m) {
    const tide_arima_order largest = {
        TIDE_ARIMA_ORDER_MAX, 0, TIDE_ARIMA_ORDER_MAX, TIDE_ARIMA_SEASONAL_MAX, 0, TIDE_ARIMA_SEASONAL_MAX, 0, 0, 0, 0};
    tide_arima_order o = largest;
    o.P = tide_arima_seasonal(m) ? o.P : 0;
    o.Q = tide_arima_seasonal(m) ? o.Q : 0;
    tide_arima_shape s = tide_arima_shape_of(o, m, 1.0, 1);
    return tide_arima_poly_size(&s);
}

/* phi, and with `gains` M, L and F as they are at the first step; at: scratch of tide_arima_moments_size. Coefficients
 * without moments (not stationary, or too near to it: a fit gives none) get the gains of the steady state. */
TIDE_FN void tide_arima_ahead_begin(const tide_arima_model *a, int gains, tide_column at, tide_arima_ahead *s) {
    tide_arima_shape shape = tide_arima_shape_of(a->order, a->m, 1.0, at.stride);
    tide_arima_poly w;
    tide_arima_poly_place(&w, &shape, at.p);
    for (int i = 0; i < shape.k; ++i)
        w.coef[(size_t)i * at.stride] = tide_arima_coef(a, i);
    if (gains)
        tide_arima_moments_of_coef(&shape, &w);
    else
        tide_arima_expand(&shape, &w);
    for (int i = 0; i < a->r; ++i)
        *tide_cell(s->phi, (size_t)i) = w.phi[(size_t)i * at.stride];
    int feasible = gains && *w.feasible != 0.0;
    s->F = feasible ? *w.f : 1.0;
    for (int i = 0; gains && i < a->r; ++i) {
        double theta = i < shape.b ? w.theta[(size_t)(i + 1) * at.stride] : 0.0;
        double m = feasible ? w.m[(size_t)i * at.stride] : *tide_cell(s->phi, (size_t)i) + theta;
        *tide_cell(s->M, (size_t)i) = m;
        *tide_cell(s->L, (size_t)i) = feasible ? m : 0.0;
    }
}

/* x_i <- x_{i+1} + phi_{i+1} first, first = x_0 as it was. */
TIDE_FN void tide_arima_shift(const tide_arima_model *a, const tide_arima_ahead *s, double first) {
    for (int i = 0; i < a->r; ++i) {
        double next = i + 1 < a->r ? *tide_cell(s->x, (size_t)i + 1) : 0.0;
        *tide_cell(s->x, (size_t)i) = tide_fma(*tide_cell(s->phi, (size_t)i), first, next);
    }
}

/* What the differencing polynomial adds to w at step h: coefficients 1, c1, c2 of (1 - B)^d, before is n_{h-i}. */
TIDE_FN double tide_arima_integrate(const tide_arima_model *a, tide_column lag, int h, double w) {
    const int d = a->order.d, D = a->order.D, n = a->lags;
    double c1 = d == 1 ? -1.0 : -2.0;
    for (int i = 1; i <= d; ++i)
        w = tide_fma(i == 1 ? -c1 : -1.0, *tide_cell(lag, (size_t)((h - 1 - i + n) % n)), w);
    for (int i = 0; D && i <= d; ++i)
        w = tide_fma(i == 0 ? 1.0 : i == 1 ? c1 : 1.0, *tide_cell(lag, (size_t)((h - 1 - i - a->m + n) % n)), w);
    if (n > 0)
        *tide_cell(lag, (size_t)((h - 1) % n)) = w;
    return w;
}

/* x and lag as they are at the end of the fit. */
TIDE_FN void tide_arima_ahead_state(const tide_arima_model *a, const tide_arima_ahead *s) {
    for (int i = 0; i < a->r; ++i)
        *tide_cell(s->x, (size_t)i) = a->state[(size_t)i * a->stride];
    for (int i = 0; i < a->lags; ++i)
        *tide_cell(s->lag, (size_t)(a->lags - 1 - i)) = a->state[(size_t)(a->r + i) * a->stride];
}

/* One step of the lattice (arima_eval.h); 1 when it had settled and nothing moves any more. */
TIDE_FN int tide_arima_lattice_step(const tide_arima_model *a, tide_arima_ahead *s) {
    double first = *tide_cell(s->L, 0), k = first / s->F, largest = 0.0;
    for (int i = 0; i < a->r; ++i)
        largest = tide_max(largest, tide_abs(*tide_cell(s->L, (size_t)i)));
    if (largest <= 1e-9 * s->F)
        return 1;
    for (int i = 0; i < a->r; ++i) {
        double next = i + 1 < a->r ? *tide_cell(s->L, (size_t)i + 1) : 0.0;
        double t = tide_fma(*tide_cell(s->phi, (size_t)i), first, next), m = *tide_cell(s->M, (size_t)i);
        *tide_cell(s->M, (size_t)i) = tide_fma(-k, t, m);
        *tide_cell(s->L, (size_t)i) = tide_fma(-k, m, t);
    }
    s->F *= tide_fma(-k, k, 1.0);
    return 0;
}

/* phi, M, L and F as they are after the steps of the fit. */
TIDE_FN void tide_arima_lattice_end(const tide_arima_model *a, tide_column at, tide_arima_ahead *s) {
    int64_t steps = a->steps - a->lags, most = (int64_t)1 << 20; /* no series is longer */
    tide_arima_ahead_begin(a, 1, at, s);
    for (int64_t t = 0; t < steps && t < most; ++t)
        if (tide_arima_lattice_step(a, s))
            return;
}

/* ---- moments ---- */

/* constant*g + sum beta x at step h ahead. */
TIDE_FN double tide_arima_regression(const tide_arima_model *a, int h) {
    const tide_arima_order o = a->order;
    int64_t t = a->steps + h;
    double sum = 0.0;
    if (o.constant)
        sum = tide_arima_coef(a, tide_arima_constant_at(o)) * (o.d + o.D > 0 ? (double)t : 1.0);
    for (int j = 0; j < 2 * o.fourier; ++j)
        sum = tide_fma(tide_arima_coef(a, tide_arima_beta_at(o) + j), tide_fourier(j, t, a->m), sum);
    if (o.xreg && h > a->xreg_rows)
        return TIDE_NAN; /* the regressors end before: no forecast */
    for (int j = 0; j < o.xreg; ++j)
        sum = tide_fma(tide_arima_coef(a, tide_arima_beta_at(o) + 2 * o.fourier + j),
                       a->xreg[(size_t)(h - 1) * (size_t)o.xreg + (size_t)j], sum);
    return sum;
}

/* Means of z. */
TIDE_FN void tide_arima_means(const tide_arima_model *a, int horizon, tide_column mean, tide_column at,
                              tide_arima_ahead *s) {
    tide_arima_ahead_begin(a, 0, at, s);
    tide_arima_ahead_state(a, s);
    for (int h = 1; h <= horizon; ++h) {
        double w = *tide_cell(s->x, 0);
        *tide_cell(mean, (size_t)h - 1) = tide_arima_integrate(a, s->lag, h, w) + tide_arima_regression(a, h);
        tide_arima_shift(a, s, w);
    }
}

/* Standard deviations of z. */
TIDE_FN void tide_arima_spreads(const tide_arima_model *a, int horizon, tide_column sd, tide_column at,
                                tide_arima_ahead *s) {
    for (int h = 0; h < horizon; ++h)
        *tide_cell(sd, (size_t)h) = 0.0;
    tide_arima_lattice_end(a, at, s);
    for (int from = 1, settled = 0; from <= horizon && !settled; ++from) {
        for (int i = 0; i < a->r; ++i)
            *tide_cell(s->x, (size_t)i) = *tide_cell(s->M, (size_t)i) / s->F;
        for (int i = 0; i < a->lags; ++i)
            *tide_cell(s->lag, (size_t)i) = 0.0;
        double F = s->F, sum = 0.0;
        settled = tide_arima_lattice_step(a, s) || from > TIDE_ARIMA_EXACT_STEPS;
        for (int h = from; h <= horizon; ++h) {
            double w = h == from ? 1.0 : *tide_cell(s->x, 0);
            double g = tide_arima_integrate(a, s->lag, h - from + 1, w), *to = tide_cell(sd, (size_t)h - 1);
            sum = tide_fma(g, g, settled ? sum : 0.0);
            *to = tide_fma(sum, F, *to);
            if (h > from)
                tide_arima_shift(a, s, w);
        }
    }
    for (int h = 0; h < horizon; ++h)
        *tide_cell(sd, (size_t)h) = tide_sqrt(a->sigma2) * tide_sqrt(*tide_cell(sd, (size_t)h));
}

/* Elements that the forecasts of one member need beside their outcome. */
TIDE_FN size_t tide_arima_forecast_size(int m) {
    return tide_arima_ahead_size(m) + tide_arima_moments_size(m);
}

/* Means and standard deviations of z at steps 1..horizon. scratch: tide_arima_forecast_size. */
TIDE_FN void tide_arima_moments(const tide_arima_model *a, int horizon, tide_column mean, tide_column sd,
                                tide_column scratch) {
    tide_arima_ahead s = tide_arima_ahead_place(a->m, scratch);
    tide_column at = {tide_cell(scratch, tide_arima_ahead_size(a->m)), scratch.stride};
    tide_arima_means(a, horizon, mean, at, &s);
    tide_arima_spreads(a, horizon, sd, at, &s);
}

/* Adds weight times the point forecasts of y. scratch: 2*horizon + tide_arima_forecast_size elements. */
TIDE_FN void tide_arima_add_means(const tide_arima_model *a, int horizon, int bias_adjust, double weight,
                                  tide_column mean, tide_column scratch) {
    size_t n = (size_t)horizon;
    tide_column z = scratch, sd = {tide_cell(scratch, n), scratch.stride};
    tide_column rest = {tide_cell(scratch, 2 * n), scratch.stride};
    tide_column at = {tide_cell(rest, tide_arima_ahead_size(a->m)), scratch.stride};
    tide_arima_ahead s = tide_arima_ahead_place(a->m, rest);
    int adjust = bias_adjust && a->transform.on;
    tide_arima_means(a, horizon, z, at, &s);
    if (adjust)
        tide_arima_spreads(a, horizon, sd, at, &s);
    for (size_t h = 0; h < n; ++h) {
        double y = *tide_cell(z, h), v = adjust ? *tide_cell(sd, h) : 0.0;
        if (a->transform.on)
            y = a->transform.scale * tide_boxcox_back_mean(y, v * v, a->transform.lambda);
        double *to = tide_cell(mean, h);
        *to = tide_fma(weight, y, *to);
    }
}

/* ---- simulation ---- Columns of the member's paths (ets_forecast.h) from TIDE_PATH_SEASONS on: x as far as the
 * horizon reaches, then a ring of the steps already simulated. All paths share the gains. */

TIDE_FN int tide_arima_path_rows(const tide_arima_model *a, int horizon) {
    return a->r < horizon ? a->r : horizon;
}
TIDE_FN int tide_arima_path_lags(const tide_arima_model *a, int horizon) {
    return a->lags < horizon ? a->lags : horizon;
}
/* Columns for the largest order. */
TIDE_FN size_t tide_arima_path_columns(int m, int horizon) {
    size_t h = (size_t)horizon, r = tide_arima_r_max(m), lags = tide_arima_lags_max(m);
    return (r < h ? r : h) + (lags < h ? lags : h);
}

/* at: scratch of tide_arima_moments_size, for this call only. */
TIDE_FN void tide_arima_paths_start(const tide_arima_model *a, const tide_paths *w, int horizon, tide_column at,
                                    tide_arima_ahead *s) {
    tide_arima_lattice_end(a, at, s);
    for (int j = 0; j < tide_arima_path_rows(a, horizon); ++j)
        for (int i = w->from; i < w->to; ++i)
            *tide_path_cell(w, TIDE_PATH_SEASONS + j, i) = a->state[(size_t)j * a->stride];
}

/* Adds c * n_{h-back} to column TIDE_PATH_LEVEL. */
TIDE_FN void tide_arima_paths_add(const tide_arima_model *a, const tide_paths *w, int horizon, int h, int back,
                                  double c) {
    int rows = tide_arima_path_rows(a, horizon), lags = tide_arima_path_lags(a, horizon);
    double known = h <= back ? a->state[(size_t)(a->r + back - h) * a->stride] : 0.0;
    for (int i = w->from; i < w->to; ++i) {
        double n = h <= back ? known : *tide_path_cell(w, TIDE_PATH_SEASONS + rows + (h - back - 1) % lags, i);
        double *to = tide_path_cell(w, TIDE_PATH_LEVEL, i);
        *to = tide_fma(c, n, *to);
    }
}

/* Step h >= 1 of every path: y into column TIDE_PATH_VALUE. */
TIDE_FN void tide_arima_paths_step(const tide_arima_model *a, const tide_paths *w, int horizon, int h,
                                   tide_arima_ahead *s) {
    const int rows = tide_arima_path_rows(a, horizon), lags = tide_arima_path_lags(a, horizon), d = a->order.d;
    const double scale = tide_sqrt(a->sigma2) * tide_sqrt(s->F), c1 = d == 1 ? -1.0 : -2.0;
    int draw = tide_paths_draw(w, h);
    for (int i = w->from; i < w->to; ++i) { /* TREND: the innovation; LEVEL: x_0, then w, then n */
        *tide_path_cell(w, TIDE_PATH_TREND, i) = scale * *tide_path_cell(w, draw, i);
        *tide_path_cell(w, TIDE_PATH_LEVEL, i) = *tide_path_cell(w, TIDE_PATH_SEASONS, i);
    }
    for (int j = 0; j < rows; ++j) {
        double gain = *tide_cell(s->M, (size_t)j) / s->F, phi = *tide_cell(s->phi, (size_t)j);
        for (int i = w->from; i < w->to; ++i) {
            double next = j + 1 < rows ? *tide_path_cell(w, TIDE_PATH_SEASONS + j + 1, i) : 0.0;
            double v = *tide_path_cell(w, TIDE_PATH_TREND, i), first = *tide_path_cell(w, TIDE_PATH_LEVEL, i);
            *tide_path_cell(w, TIDE_PATH_SEASONS + j, i) = tide_fma(gain, v, tide_fma(phi, first, next));
        }
    }
    for (int i = w->from; i < w->to; ++i)
        *tide_path_cell(w, TIDE_PATH_LEVEL, i) += *tide_path_cell(w, TIDE_PATH_TREND, i);
    for (int i = 1; i <= d; ++i)
        tide_arima_paths_add(a, w, horizon, h, i, i == 1 ? -c1 : -1.0);
    for (int i = 0; a->order.D && i <= d; ++i)
        tide_arima_paths_add(a, w, horizon, h, a->m + i, i == 1 ? c1 : 1.0);
    double shift = tide_arima_regression(a, h);
    for (int i = w->from; i < w->to; ++i) {
        double n = *tide_path_cell(w, TIDE_PATH_LEVEL, i), y = tide_transform_back(a->transform, n + shift);
        if (lags > 0)
            *tide_path_cell(w, TIDE_PATH_SEASONS + rows + (h - 1) % lags, i) = n;
        *tide_path_cell(w, TIDE_PATH_VALUE, i) = tide_max(-TIDE_PATH_LIMIT, tide_min(y, TIDE_PATH_LIMIT));
    }
    tide_arima_lattice_step(a, s);
}

#endif
