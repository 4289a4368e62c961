/* arima_begin.h - from a block's series to differences that ARIMA models are fitted to.
 *
 * The stretch: leading missing values are left out; so are values before the latest stretch that begins with a value and
 * has no more than TIDE_ARIMA_MISSING_MAX missing ones (steps, its length, tells). A missing value is filled by the line
 * between its neighbours, whatever that is: a dummy corrects it. Missing values at the end count as all others, so that
 * forecasts begin after the series' last step.
 *
 * Regressors: pairs sin(2 pi k t/m), cos(2 pi k t/m) of Fourier terms, t = 1 at the stretch's first step, as many as the spec
 * has and the period allows (2k < m), or as the criterion chooses among these (arima_fourier.h); none under D = 1, which takes
 * them out. Then the shared regressors, but for those that the lane cannot tell apart (xreg_ols is TIDE_NAN): they count as
 * zeros. d and D are chosen on what least squares on them leaves.
 *
 * Box-Cox, then the orders of differences by test (arima_diff.h) or as the spec fixes them. With d + D <= 1 there is a
 * constant's column: 1 for a mean or a drift under d = 1, m under D = 1. */
#ifndef TIDE_ARIMA_BEGIN_H
#define TIDE_ARIMA_BEGIN_H

#include "kernels/arima_fourier.h"

#define TIDE_ARIMA_LAMBDA_LEAST (-0.9) /* of an estimated lambda: as R's BoxCox(lambda = "auto") */
#define TIDE_ARIMA_LAMBDA_MOST 2.0

/* Box-Cox of lane k's stretch z [n], in place: 0 where a value has no transform. jacobian: of the steps from `skip` on,
 * once d is known (tide_arima_jacobian). */
TIDE_FN int tide_arima_transform(const tide_fit_block *b, const tide_arima_carry *c, int k, int n,
                                 double *work, size_t s) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    const tide_arima_spec *spec = &b->spec->arima;
    double *z = &TIDE_AT(c->z, 0, k), lambda = spec->lambda;
    if (spec->boxcox == TIDE_BOXCOX_ESTIMATED)
        lambda = tide_boxcox_lambda(z, TIDE_STRIDE, n, b->spec->season, TIDE_ARIMA_LAMBDA_LEAST,
                                    TIDE_ARIMA_LAMBDA_MOST, work, s);
    TIDE_AT(c->lambda, 0, k) = lambda;
    int ok = 1;
    for (int t = 0; t < n; ++t) {
        double y = TIDE_AT(z, t, 0);
        double x = tide_boxcox_forward(y, lambda);
        ok &= tide_is_nan(y) | tide_is_finite(x);
        TIDE_AT(z, t, 0) = x;
    }
    return ok;
}

/* Differences of lane k, with the orders already in c. z [steps] without gaps. */
TIDE_FN void tide_arima_take(const tide_fit_block *b, const tide_arima_carry *c, int k) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    const int m = b->spec->season, d = (int)TIDE_AT(c->d, 0, k), D = (int)TIDE_AT(c->D, 0, k),
              n = (int)TIDE_AT(c->n, 0, k), skip = d + m * D;
    double sum = 0.0;
    for (int i = 0; i < 3; ++i) {
        double low = i == 0 ? 1.0 : i == 1 ? -(double)d : d == 2 ? 1.0 : 0.0;
        TIDE_AT(c->weight, i, k) = low;
        TIDE_AT(c->weight, 3 + i, k) = D ? -low : 0.0;
    }
    for (int t = 0; t < n; ++t) {
        double w = TIDE_AT(c->z, t + skip, k);
        for (int i = 1; i <= d; ++i)
            w = tide_fma(TIDE_AT(c->weight, i, k), TIDE_AT(c->z, t + skip - i, k), w);
        for (int i = 0; D && i <= d; ++i)
            w = tide_fma(TIDE_AT(c->weight, 3 + i, k), TIDE_AT(c->z, t + skip - m - i, k), w);
        TIDE_AT(c->w, t, k) = w;
        sum += w;
    }
    for (int t = n; t < b->rows; ++t)
        TIDE_AT(c->w, t, k) = TIDE_NAN;
    TIDE_AT(c->mean, 0, k) = n > 0 ? sum / (double)n : 0.0;
}

/* Least squares of shared regressor j of lane k; TIDE_NAN: the lane is without it. */
TIDE_FN double tide_arima_xreg_ols(const tide_fit_block *b, int j, int k) {
    size_t lane = tide_fit_lane(b, k);
    return b->tiles->xreg_ols[(lane / TIDE_TILE_WIDTH * (size_t)b->spec->arima.xreg + (size_t)j) * TIDE_TILE_WIDTH +
                              lane % TIDE_TILE_WIDTH];
}

/* Regressor j of lane k at step t of the stretch (from 0), before differences; Fourier terms first. */
TIDE_FN double tide_arima_regressor(const tide_fit_block *b, const tide_arima_carry *c, int j, int t, int k) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    const tide_arima_spec *spec = &b->spec->arima;
    const int terms = 2 * spec->max_fourier;
    if (j < terms)
        return j < 2 * (int)TIDE_AT(c->pairs, 0, k) ? tide_fourier(j, t + 1, b->spec->season) : 0.0;
    if (tide_is_nan(tide_arima_xreg_ols(b, j - terms, k)))
        return 0.0;
    size_t row =
        (size_t)b->tiles->xreg_at[tide_fit_lane(b, k)] + (size_t)(int)TIDE_AT(c->first, 0, k) + (size_t)t;
    return b->tiles->xreg[row * (size_t)spec->xreg + (size_t)(j - terms)];
}

/* One lane; open: it is to be fitted at all. n = 0 where it cannot be. */
TIDE_FN void tide_arima_begin_lane(const tide_fit_block *b, const tide_arima_carry *c, int k, int open) {
    size_t tide_stride = b->stride, lane = tide_fit_lane(b, k);
    (void)tide_stride;
    const tide_fit_spec *spec = b->spec;
    const size_t s = TIDE_LANES > 1 ? 1 : TIDE_STRIDE;
    const double *y = tide_fit_y(b) + k;
    double *filled = b->arima_scratch, *work = filled + (size_t)b->rows * s;
    int length = open ? b->tiles->length[lane] : 0, first = length, missing = 0, present = 0;
    for (int t = length - 1; t >= 0; --t) { /* the latest stretch with few enough missing values */
        int gone = tide_is_nan(y[(size_t)t * TIDE_TILE_WIDTH]);
        missing += gone;
        if (missing > TIDE_ARIMA_MISSING_MAX)
            break;
        first = gone ? first : t;
    }
    const int steps = length - first, m = spec->season;
    missing = 0;
    for (int t = 0; t < steps; ++t) {
        double v = y[(size_t)(first + t) * TIDE_TILE_WIDTH];
        TIDE_AT(c->z, t, k) = v;
        present += !tide_is_nan(v);
    }
    for (int j = 0; j < TIDE_ARIMA_MISSING_MAX; ++j)
        TIDE_AT(c->missing, j, k) = TIDE_ARIMA_NEVER;
    TIDE_AT(c->n, 0, k) = TIDE_AT(c->nu, 0, k) = TIDE_AT(c->n_missing, 0, k) = 0.0;
    TIDE_AT(c->steps, 0, k) = (double)steps;
    TIDE_AT(c->present, 0, k) = (double)present;
    TIDE_AT(c->d, 0, k) = TIDE_AT(c->D, 0, k) = TIDE_AT(c->flat, 0, k) = 0.0;
    TIDE_AT(c->constant, 0, k) = TIDE_AT(c->jacobian, 0, k) = 0.0;
    TIDE_AT(c->lambda, 0, k) = 1.0;
    TIDE_AT(c->first, 0, k) = (double)first;
    TIDE_AT(c->pairs, 0, k) = TIDE_AT(c->n_xreg, 0, k) = 0.0;
    TIDE_AT(c->best, 0, k) = TIDE_AT(c->screened, 0, k) = TIDE_INF;
    if (steps > 0 &&
        (spec->arima.boxcox == TIDE_BOXCOX_NONE || tide_arima_transform(b, c, k, steps, work, s))) {
        const int half = (m - 1) / 2, most = spec->arima.max_fourier < half ? spec->arima.max_fourier : half;
        const int raw = spec->arima.boxcox == TIDE_BOXCOX_NONE; /* least squares are of y itself */
        for (int j = 0; j < spec->arima.xreg; ++j)
            TIDE_AT(c->n_xreg, 0, k) += tide_is_nan(tide_arima_xreg_ols(b, j, k)) ? 0.0 : 1.0;
        for (int t = 0; t < steps; ++t) {
            double v = TIDE_AT(c->z, t, k);
            for (int j = 0; raw && j < spec->arima.xreg; ++j) {
                double ols = tide_arima_xreg_ols(b, j, k);
                v -= tide_is_nan(ols) ? 0.0 : ols * tide_arima_regressor(b, c, 2 * spec->arima.max_fourier + j, t, k);
            }
            filled[(size_t)t * s] = v;
        }
        const int pairs = spec->arima.fourier_auto ? tide_fourier_choose(spec, filled, steps, m, most, work, s) : most;
        TIDE_AT(c->pairs, 0, k) = (double)pairs;
        if (pairs > 0)
            tide_fourier_take_off(filled, steps, m, pairs, work, s);
        tide_arima_diffs r = tide_arima_choose_d(&spec->arima, filled, s, steps, m, work, s);
        if (r.D > 0)
            TIDE_AT(c->pairs, 0, k) = 0.0;
        /* differences of what the regressors leave may all be equal without the others being so */
        if (TIDE_AT(c->n_xreg, 0, k) > 0.0 || TIDE_AT(c->pairs, 0, k) > 0.0)
            r.constant = 0;
        int skip = r.d + m * r.D;
        tide_interpolate(&TIDE_AT(c->z, 0, k), TIDE_STRIDE, steps, 0.0, filled, work, s);
        double jacobian = 0.0;
        for (int t = 0; t < steps; ++t) {
            double v = y[(size_t)(first + t) * TIDE_TILE_WIDTH];
            if (tide_is_nan(v)) {
                TIDE_AT(c->missing, missing, k) = (double)(t - skip);
                ++missing;
            } else if (t >= skip && spec->arima.boxcox != TIDE_BOXCOX_NONE) {
                jacobian += tide_boxcox_log_slope(tide_abs(v), TIDE_AT(c->lambda, 0, k));
            }
            TIDE_AT(c->z, t, k) = filled[(size_t)t * s];
        }
        TIDE_AT(c->d, 0, k) = (double)r.d;
        TIDE_AT(c->D, 0, k) = (double)r.D;
        TIDE_AT(c->flat, 0, k) = r.constant ? 1.0 : 0.0;
        TIDE_AT(c->n, 0, k) = steps > skip ? (double)(steps - skip) : 0.0;
        TIDE_AT(c->nu, 0, k) = steps - skip > missing ? (double)(steps - skip - missing) : 0.0;
        TIDE_AT(c->n_missing, 0, k) = (double)missing;
        TIDE_AT(c->jacobian, 0, k) = jacobian;
        if (r.d + r.D <= 1 && spec->arima.constant)
            TIDE_AT(c->constant, 0, k) = r.D ? (double)m : 1.0;
    }
    tide_arima_take(b, c, k);
}

#endif
