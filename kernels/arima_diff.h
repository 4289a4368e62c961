/* arima_diff.h - how often an ARIMA model takes differences: D by the strength of the season, then d by KPSS.
 *
 *     D   1 where n > 2m and the strength of the season of an STL decomposition (stl.h) is over 0.64, else 0
 *     d   differences of lag 1 are taken while KPSS rejects that the (seasonally differenced) series is level
 *
 * KPSS (Kwiatkowski, Phillips, Schmidt, Shin, J. Econometrics 54, 1992), e_t = x_t - mean:
 *
 *     statistic = sum_t (e_1 + ... + e_t)^2 / (n^2 v)
 *     n v       = sum_t e_t^2 + 2 sum_{k<=l} (1 - k/(l+1)) sum_t e_t e_{t-k},   l = floor(3 sqrt(n)/13)
 *
 * Over 0.463 it rejects at 5 %. These are the choices of nsdiffs(test = "seas") and ndiffs(test = "kpss") in R's
 * package forecast, and of its auto.arima; so are the stops: a series that is constant (within 1.5e-8 of its
 * size) is not differenced again, and differences without any value are taken back.
 *
 * Missing values: STL gives them next to no weight; the differences where either value is missing are left
 * out, and the differences of the test are then taken between the values that remain, as R does. Departures
 * from R: leading missing values are skipped everywhere; a constant series with gaps counts as constant; R
 * decomposes with a robust interpolation in the place of a missing value (D and d equal on all 1,470 series
 * of M3 tried, with 10 % missing on 99.5 %, with 30 % on 97 %; bench/peers/arima_orders.sh).
 *
 * With regressors the caller passes the residuals of a regression on them, with Box-Cox the transformed
 * series. Scale does not matter. Scalar code, a series a call, so that a worker needs the work of one series;
 * cost for n = 120: some 8 us with season 12, 20 us where values are missing, under 2 us without season. */
#ifndef TIDE_ARIMA_DIFF_H
#define TIDE_ARIMA_DIFF_H

#include "kernels/arima.h"
#include "kernels/interpolate.h"
#include "kernels/stl.h"

#define TIDE_SEASON_STRONG 0.64
#define TIDE_KPSS_5_PERCENT 0.463

typedef struct tide_arima_diffs {
    int d, D;
    int constant;    /* 1: all differences are equal. The model is then (0,d,0)(0,D,0) with variance 0; where
                        d + D <= 1 its constant is level (a mean or a drift), with D = 1 level/m */
    double level;    /* mean of the differences */
    double strength; /* of the season; TIDE_NAN where it was not asked for */
    double kpss;     /* the first statistic; TIDE_NAN likewise */
} tide_arima_diffs;

/* Elements of work that tide_arima_choose_d needs for n steps: 8 (6n + 4m + 96) bytes or less. */
TIDE_FN size_t tide_arima_diff_elements(int n, int season) {
    return 2u * (size_t)n + tide_stl_elements(n, tide_arima_seasonal(season) ? season : 1);
}

/* Is x [n] constant? Within 1.5e-8 of its mean size over the elements that differ from the first; within
 * `noise` where that size is below noise, what rounding leaves of equal differences. As all.equal() of R,
 * whose noise is 1.5e-8. */
TIDE_FN int tide_arima_constant(const double *x, int n, double noise, size_t s) {
    double off = 0.0, size = 0.0, count = 0.0, first = n > 0 ? TIDE_EL(x, 0, s) : 0.0;
    for (int t = 1; t < n; ++t) {
        double v = TIDE_EL(x, t, s), differs = v == first ? 0.0 : 1.0;
        off += differs * tide_abs(v - first);
        size += differs * tide_abs(v);
        count += differs;
    }
    return count == 0.0 || off <= (size > noise * count ? 1.5e-8 * size : noise * count);
}

/* The KPSS statistic of x [n]; TIDE_NAN where the variance is 0. */
TIDE_FN double tide_kpss(const double *x, int n, size_t s) {
    double count = (double)n, mean = 0.0, path = 0.0, squares = 0.0, variance = 0.0;
    int lags = (int)(3.0 * tide_sqrt(count) / 13.0);
    for (int t = 0; t < n; ++t)
        mean += TIDE_EL(x, t, s);
    mean /= count;
    for (int t = 0; t < n; ++t) {
        double e = TIDE_EL(x, t, s) - mean;
        path += e;
        squares += path * path;
        variance += e * e;
    }
    for (int k = 1; k <= lags; ++k) {
        double sum = 0.0;
        for (int t = k; t < n; ++t)
            sum += (TIDE_EL(x, t, s) - mean) * (TIDE_EL(x, t - k, s) - mean);
        variance += 2.0 * (1.0 - (double)k / (double)(lags + 1)) * sum;
    }
    return variance > 0.0 ? squares / (count * variance) : TIDE_NAN;
}

/* Differences of lag `lag` of x [n] in place; a missing value makes two. Returns their number, n - lag or 0.
 */
TIDE_FN int tide_arima_difference(double *x, int n, int lag, size_t s) {
    for (int t = lag; t < n; ++t)
        TIDE_EL(x, t - lag, s) = TIDE_EL(x, t, s) - TIDE_EL(x, t - lag, s);
    return n > lag ? n - lag : 0;
}

/* (1 - B)^d (1 - B^m)^D y into x [n] (stride s), without the missing ones; returns their number. */
TIDE_FN int tide_arima_differences(const double *y, size_t ys, int n, int m, int D, int d, double *x,
                                   size_t s) {
    int count = 0;
    for (int t = 0; t < n; ++t)
        TIDE_EL(x, t, s) = TIDE_EL(y, t, ys);
    for (int i = 0; i < D; ++i)
        n = tide_arima_difference(x, n, m, s);
    for (int i = 0; i < d; ++i)
        n = tide_arima_difference(x, n, 1, s);
    for (int t = 0; t < n; ++t) {
        double v = TIDE_EL(x, t, s);
        if (!tide_is_nan(v))
            TIDE_EL(x, count++, s) = v;
    }
    return count;
}

/* Differences of lag 1 that KPSS asks for, `most` at most; x [n] is used up. *first: the first statistic. */
TIDE_FN int tide_arima_kpss_order(double *x, int n, int most, double noise, double *first, size_t s) {
    int d = 0;
    while (d < most && !tide_arima_constant(x, n, noise, s)) {
        double statistic = tide_kpss(x, n, s);
        *first = d ? *first : statistic;
        if (!(statistic > TIDE_KPSS_5_PERCENT))
            break;
        n = tide_arima_difference(x, n, 1, s);
        ++d;
    }
    return d;
}

/* The orders for y [n] (stride ys, TIDE_NAN = missing) with the season m of the data: those that the spec
 * fixes, the others by test. work: tide_arima_diff_elements(n, m) elements of stride s. */
TIDE_FN tide_arima_diffs tide_arima_choose_d(const tide_arima_spec *spec, const double *y, size_t ys, int n,
                                             int m, double *work, size_t s) {
    tide_arima_diffs r = {0, 0, 0, 0.0, TIDE_NAN, TIDE_NAN};
    int seasonal = tide_arima_seasonal(m);
    for (; n > 0 && tide_is_nan(*y); --n)
        y += ys;
    m = seasonal ? m : 1;
    double *filled = work, *weight = work + (size_t)n * s, noise = 0.0;
    tide_stl_work w = tide_stl_work_at(weight + (size_t)n * s, n, m, s);
    double *x = w.a;
    for (int t = 0; t < n; ++t)
        noise = tide_max(1e-13 * tide_abs(TIDE_EL(y, t, ys)), noise); /* a NaN is never the larger */
    int count = tide_arima_differences(y, ys, n, m, 0, 0, x, s);
    int constant = tide_arima_constant(x, count, noise, s);
    r.D = seasonal & (spec->D > 0);
    if (seasonal & (spec->D < 0) & (spec->max_D > 0) & (n > 2 * m) & !constant) {
        double *missing = count < n ? weight : NULL;
        tide_interpolate(y, ys, n, TIDE_STL_MISSING, filled, weight, s);
        tide_stl(filled, missing, n, tide_stl_usual(m), w, s);
        r.strength = tide_stl_strength(filled, missing, n, w, s);
        r.D = r.strength > TIDE_SEASON_STRONG;
    }
    count = tide_arima_differences(y, ys, n, m, r.D, 0, x, s);
    if (count == 0 && spec->D < 0) {
        r.D = 0;
        count = tide_arima_differences(y, ys, n, m, 0, 0, x, s);
    }
    r.d = spec->d >= 0 ? spec->d : tide_arima_kpss_order(x, count, spec->max_d, noise, &r.kpss, s);
    count = tide_arima_differences(y, ys, n, m, r.D, r.d, x, s);
    while (count == 0 && r.d > 0 && spec->d < 0)
        count = tide_arima_differences(y, ys, n, m, r.D, --r.d, x, s);
    for (int t = 0; t < count; ++t)
        r.level += TIDE_EL(x, t, s);
    r.level /= (double)(count > 0 ? count : 1);
    r.constant = tide_arima_constant(x, count, noise, s);
    return r;
}

#endif
