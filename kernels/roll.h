/* roll.h - carries the final states of a member over values that came after its fit; what was estimated stays.
 *
 * Exponential smoothing, and the naive families as its special cases (naive.h, forecast.h): the recursion of ets.h from the
 * stored final states on, in the units of the fit (values over the series' scale, a power of two). It is the step that the
 * fit itself took, so that states after k more values are, bit for bit, those of one pass over all values with the same
 * coefficients and first states. A missing value has no innovation. The mean of MEAN and the slope of DRIFT were estimated:
 * they stay.
 *
 * ARIMA. A step of Kalman's filter of w (notation of arima_forecast.h): with the forecast n^ of the step and the innovation
 * v = n - n^, the state becomes x_i <- x_{i+1} + phi_{i+1} x_0 + K_i v. The gains K = M/F of that step are exact: the
 * lattice is run again over the steps of the fit and goes on. So the state is that of the exact likelihood over all values
 * at the stored coefficients, provided the stretch that was fitted had no missing value among its last steps (whose gains
 * would differ; the same approximation as in the variances of arima_forecast.h).
 * Missing values among the new ones are integrated out: each is its forecast plus an unknown, whose effect on all later
 * innovations is followed in a column of its own; sum v^2/F is least at their conditional means. At most
 * TIDE_ROLL_MISSING of them in one call.
 *
 * sigma2, weights, likelihood and criterion are those of the fit. Refused (0): results that are not finite; a value or a
 * one-step mean of zero or below where error or season are multiplicative, or outside the domain of Box-Cox; ARIMA with
 * shared regressors that do not reach as far as the new values. */
#ifndef TIDE_ROLL_H
#define TIDE_ROLL_H

#include "kernels/ets_eval.h"
#include "kernels/forecast.h"

enum { TIDE_ROLL_MISSING = 64 };

/* Doubles of scratch for every member at a season. */
TIDE_FN size_t tide_roll_scratch(int season) {
    size_t column = tide_arima_r_max(season) + tide_arima_lags_max(season), k = TIDE_ROLL_MISSING;
    return tide_arima_ahead_size(season) + tide_arima_moments_size(season) + k * column + k * k + 2 * k;
}

/* Smoothing: state [2 + season] of stride 1, season next first, in place. */
TIDE_FN int tide_roll_smoother(const tide_smoother *s, int family, double scale, const double *y, int n, double *state) {
    const tide_ets_form form = s->form;
    const int m = s->m, multiplicative = (form.error == TIDE_MUL) | (form.season == TIDE_MUL);
    const double season_scale = form.season == TIDE_MUL ? 1.0 : scale;
    double level = state[0] / scale, trend = form.trend == TIDE_NO ? 0.0 : state[1] / scale;
    for (int t = 0; t < n; ++t) {
        int here = !tide_is_nan(y[t]);
        double value = y[t] / scale, *ring = state + 2 + t % m;
        double season = form.season == TIDE_NO ? 0.0 : *ring / season_scale;
        tide_ets_moment o = tide_ets_moment_of(form, s->par, value, level, trend, season);
        if (multiplicative & here & !((value > 0.0) & (o.f > 0.0)))
            return 0;
        level = o.level;
        trend = o.trend;
        if (here & ((family == TIDE_FAMILY_NAIVE) | (family == TIDE_FAMILY_DRIFT)))
            level = value; /* as naive.h has it, without a rounding */
        if (form.season != TIDE_NO)
            *ring = (here & (family == TIDE_FAMILY_SNAIVE) ? value : o.season) * season_scale;
    }
    state[0] = level * scale;
    if (form.trend != TIDE_NO)
        state[1] = trend * scale;
    int ok = tide_is_finite(state[0]) & tide_is_finite(form.trend == TIDE_NO ? 0.0 : state[1]);
    if (form.season == TIDE_NO)
        return ok;
    for (int i = 0; i < m; ++i)
        ok &= tide_is_finite(state[2 + i]);
    for (int turns = n % m; turns > 0; --turns) { /* the next period's first comes first */
        double first = state[2];
        for (int i = 0; i + 1 < m; ++i)
            state[2 + i] = state[3 + i];
        state[1 + m] = first;
    }
    return ok;
}

/* --- ARIMA --- */

/* Unknown values: column c has x at cell[c*size], then its lags. Normal equations A b = rhs of the least sum of v^2/F. */
typedef struct tide_roll_unknowns {
    double *cell, *A, *rhs, *v;
    size_t size;
    int n;
} tide_roll_unknowns;

/* One step of all columns: their innovations into u->v. missing: a new column begins with 1, the others go along with their
 * forecasts; else what was observed does not depend on them. */
TIDE_FN void tide_roll_columns(const tide_arima_model *a, tide_arima_ahead *s, tide_roll_unknowns *u, int h, int missing) {
    const tide_column x = s->x, lag = s->lag;
    for (int c = 0; c < u->n; ++c) {
        s->x.p = u->cell + (size_t)c * u->size;
        s->lag.p = s->x.p + a->r;
        double first = *s->x.p, ahead = tide_arima_integrate(a, s->lag, h, first);
        u->v[c] = missing ? c + 1 == u->n ? 1.0 : 0.0 : -ahead;
        if (a->lags > 0)
            s->lag.p[(h - 1) % a->lags] = ahead + u->v[c];
        tide_arima_shift(a, s, first);
        for (int i = 0; i < a->r; ++i)
            s->x.p[i] = tide_fma(s->M.p[i] / s->F, u->v[c], s->x.p[i]);
    }
    s->x = x;
    s->lag = lag;
}

TIDE_FN void tide_roll_normal(tide_roll_unknowns *u, double v, double F) {
    for (int i = 0; i < u->n; ++i) {
        u->rhs[i] = tide_fma(-u->v[i] / F, v, u->rhs[i]);
        for (int j = 0; j <= i; ++j)
            u->A[i * TIDE_ROLL_MISSING + j] = tide_fma(u->v[i] / F, u->v[j], u->A[i * TIDE_ROLL_MISSING + j]);
    }
}

/* rhs <- the unknowns, by Cholesky; A has at least the 1/F of its own step on the diagonal. */
TIDE_FN void tide_roll_solve(tide_roll_unknowns *u) {
    double *A = u->A, *b = u->rhs;
    const int w = TIDE_ROLL_MISSING;
    for (int i = 0; i < u->n; ++i) {
        for (int j = 0; j <= i; ++j) {
            double sum = A[i * w + j];
            for (int k = 0; k < j; ++k)
                sum = tide_fma(-A[i * w + k], A[j * w + k], sum);
            A[i * w + j] = i == j ? tide_sqrt(sum) : sum / A[j * w + j];
        }
        for (int k = 0; k < i; ++k)
            b[i] = tide_fma(-A[i * w + k], b[k], b[i]);
        b[i] /= A[i * w + i];
    }
    for (int i = u->n - 1; i >= 0; --i) {
        for (int k = i + 1; k < u->n; ++k)
            b[i] = tide_fma(-A[k * w + i], b[k], b[i]);
        b[i] /= A[i * w + i];
    }
}

TIDE_FN int tide_roll_arima(const tide_arima_model *a, const double *y, int n, double *coef, double *state, double *scratch) {
    const tide_column at = {scratch, 1}, moments = {scratch + tide_arima_ahead_size(a->m), 1};
    tide_arima_ahead s = tide_arima_ahead_place(a->m, at);
    tide_roll_unknowns u;
    u.cell = moments.p + tide_arima_moments_size(a->m);
    u.size = tide_arima_r_max(a->m) + tide_arima_lags_max(a->m);
    u.A = u.cell + TIDE_ROLL_MISSING * u.size;
    u.rhs = u.A + TIDE_ROLL_MISSING * TIDE_ROLL_MISSING;
    u.v = u.rhs + TIDE_ROLL_MISSING;
    u.n = 0;
    tide_arima_lattice_end(a, moments, &s);
    tide_arima_ahead_state(a, &s);
    for (int h = 1; h <= n; ++h) {
        int missing = tide_is_nan(y[h - 1]);
        double first = *s.x.p, ahead = tide_arima_integrate(a, s.lag, h, first), v = 0.0;
        if (!missing) {
            double z = y[h - 1];
            if (a->transform.on) {
                if (!(z > 0.0))
                    return 0;
                z = tide_boxcox_forward(z / a->transform.scale, a->transform.lambda);
            }
            z -= tide_arima_regression(a, h);
            v = z - ahead;
            if (a->lags > 0)
                s.lag.p[(h - 1) % a->lags] = z;
        } else {
            if (u.n == TIDE_ROLL_MISSING)
                return 0;
            for (size_t i = 0; i < u.size; ++i)
                u.cell[(size_t)u.n * u.size + i] = 0.0;
            for (int i = 0; i <= u.n; ++i)
                u.A[u.n * TIDE_ROLL_MISSING + i] = 0.0;
            u.rhs[u.n++] = 0.0;
        }
        tide_roll_columns(a, &s, &u, h, missing);
        tide_roll_normal(&u, v, s.F);
        tide_arima_shift(a, &s, first);
        for (int i = 0; i < a->r; ++i)
            s.x.p[i] = tide_fma(s.M.p[i] / s.F, v, s.x.p[i]);
        tide_arima_lattice_step(a, &s);
    }
    tide_roll_solve(&u);
    int ok = 1;
    for (int i = 0; i < a->r + a->lags; ++i) { /* lags newest first */
        int place = i < a->r ? i : ((n - 1 - (i - a->r)) % a->lags + a->lags) % a->lags;
        double value = i < a->r ? s.x.p[place] : s.lag.p[place];
        for (int c = 0; c < u.n; ++c)
            value = tide_fma(u.rhs[c], u.cell[(size_t)c * u.size + (size_t)(i < a->r ? place : a->r + place)], value);
        state[i] = value;
        ok &= tide_is_finite(value);
    }
    coef[tide_arima_steps_at(a->order)] = (double)(a->steps + n);
    return ok;
}

/* Rolls a member over y[0..n) (unit of the data, TIDE_NAN = missing), the steps after its last one. coef and state, of stride
 * 1, are its own, changed in place, and lost on 0; xreg (xreg_rows, xreg_columns): shared regressors of those steps, NULL
 * without any; scratch: tide_roll_scratch(season) doubles. */
TIDE_FN int tide_roll_with(int family, uint32_t form, int season, double scale, const double *xreg, int64_t xreg_rows,
                           int32_t xreg_columns, const double *y, int n, double *coef, double *state, double *scratch) {
    tide_member_view v;
    tide_smoother s;
    tide_arima_model a;
    memset(&v, 0, sizeof v);
    v.family = family;
    v.form = form;
    v.weight = 1.0;
    v.scale = scale;
    v.coef = coef;
    v.state = state;
    v.stride = 1;
    v.xreg = xreg;
    v.xreg_rows = xreg_rows;
    v.xreg_columns = xreg_columns;
    if (tide_arima_model_of(&v, season, &a))
        return tide_roll_arima(&a, y, n, coef, state, scratch);
    return tide_smoother_of(&v, season, &s) ? tide_roll_smoother(&s, family, scale, y, n, state) : 0;
}

#endif
