/* boxcox.h - the transform of Box and Cox (J. Royal Statistical Society B 26, 1964), its inverse, and lambda
 * by the method of Guerrero (J. Forecasting 12, 1993).
 *
 *     z = (y^lambda - 1)/lambda,   log y where lambda = 0,   for y > 0
 *
 * Both ways run over L = log y with u = lambda L, so that they stay accurate, and continuous, as lambda goes
 * to 0:
 *
 *     z = L (e^u - 1)/u,  u as log of the rounded e^u;      L = z log(w)/(w - 1),  w = 1 + lambda z rounded
 *
 * (the errors of rounding e^u and w cancel: Kahan's trick for expm1 and log1p).
 *
 * lambda: the series is cut into periods of m values (of 2 without a season), the incomplete one at the start
 * left out; chosen is the lambda that makes sd/mean^(1 - lambda) of the periods most alike: least coefficient
 * of variation, within [lower, upper], found by Brent's search (Algorithms for Minimization without
 * Derivatives, 1973, chapter 5) to 1.2e-4, as R's BoxCox.lambda does. Scalar, one series. */
#ifndef TIDE_BOXCOX_H
#define TIDE_BOXCOX_H

#include "kernels/loess.h"
#include "kernels/tide_math.h"

/* Transform of y. What it has no value for becomes -infinity (y <= 0 with lambda <= 0); y < 0 with lambda > 0
 * continues the curve through 0 as an odd power, as R does. A missing value stays one. */
TIDE_FN double tide_boxcox_forward(double y, double lambda) {
    double size = tide_abs(y), log_y = tide_log(size), e = tide_exp(lambda * log_y);
    double z = e == 1.0 ? log_y : log_y * ((e - 1.0) / tide_log(e));
    double odd = lambda > 0.0 ? ((y < 0.0 ? -e : 0.0) - 1.0) / lambda : -TIDE_INF;
    return y > 0.0 ? z : tide_is_nan(y) ? TIDE_NAN : odd;
}

/* Inverse. Where lambda z + 1 < 0 there is none: infinity for lambda < 0 (the transform of every y lies
 * below), and the odd power for lambda > 0. */
TIDE_FN double tide_boxcox_back(double z, double lambda) {
    double w = 1.0 + lambda * z;
    double y = tide_exp(w == 1.0 ? z : z * (tide_log(w) / (w - 1.0)));
    double odd = lambda > 0.0 ? (w < 0.0 ? -tide_exp(tide_log(-w) / lambda) : 0.0) : TIDE_INF;
    return w > 0.0 ? y : tide_is_nan(z) ? TIDE_NAN : odd;
}

/* log dz/dy, y > 0: what a value adds to the log-likelihood when the model is one of z. */
TIDE_FN double tide_boxcox_log_slope(double y, double lambda) {
    return (lambda - 1.0) * tide_log(y);
}

/* Mean of y where z ~ N(mean, variance), to second order (R's biasadj). The factor is cut at 2, what the
 * expansion is worth at most; TIDE_INF where the mean of z has no inverse. */
TIDE_FN double tide_boxcox_back_mean(double mean, double variance, double lambda) {
    double w = 1.0 + lambda * mean, more = 0.5 * variance * (1.0 - lambda) / (w * w);
    double y = tide_boxcox_back(mean, lambda);
    return w > 0.0 ? y * (1.0 + tide_max(-1.0, tide_min(more, 1.0))) : y;
}

/* What the search knows of a period: 3 elements of work, the last for its ratio sd/mean^(1 - lambda). */
enum { TIDE_GUERRERO_LOG_MEAN, TIDE_GUERRERO_SD, TIDE_GUERRERO_RATIO, TIDE_GUERRERO_ROWS };

/* Coefficient of variation of the ratios of `count` periods. */
TIDE_FN double tide_guerrero_cv(double *periods, int count, double lambda, size_t s) {
    double mean = 0.0, square = 0.0;
    for (int i = 0; i < count; ++i) {
        double *p = periods + (size_t)(TIDE_GUERRERO_ROWS * i) * s;
        double ratio = p[TIDE_GUERRERO_SD * s] * tide_exp((lambda - 1.0) * p[TIDE_GUERRERO_LOG_MEAN * s]);
        p[TIDE_GUERRERO_RATIO * s] = ratio;
        mean += ratio;
    }
    mean /= (double)count;
    for (int i = 0; i < count; ++i) {
        double e = TIDE_EL(periods, TIDE_GUERRERO_ROWS * i + TIDE_GUERRERO_RATIO, s) - mean;
        square += e * e;
    }
    return tide_sqrt(square / (double)(count - 1)) / mean;
}

/* Elements of work for n values. */
TIDE_FN size_t tide_guerrero_elements(int n, int season) {
    return TIDE_GUERRERO_ROWS * (size_t)(n / (season > 2 ? season : 2));
}

/* log mean and sd of each period of y [n] into periods; returns their number, -1 where a value is not
 * positive. Missing values are left out, and periods with fewer than two values. */
TIDE_FN int tide_guerrero_periods(const double *y, size_t ys, int n, int season, double *periods, size_t s) {
    int period = season > 2 ? season : 2, count = 0;
    for (int t = 0; t < n; ++t)
        if (TIDE_EL(y, t, ys) <= 0.0)
            return -1;
    for (int first = n % period; first < n; first += period) {
        double mean = 0.0, square = 0.0, present = 0.0;
        for (int t = first; t < first + period; ++t) {
            double v = TIDE_EL(y, t, ys);
            mean += tide_is_nan(v) ? 0.0 : v;
            present += tide_is_nan(v) ? 0.0 : 1.0;
        }
        mean /= present;
        for (int t = first; t < first + period; ++t) {
            double v = TIDE_EL(y, t, ys);
            square += tide_is_nan(v) ? 0.0 : (v - mean) * (v - mean);
        }
        if (present < 2.0)
            continue;
        double *p = periods + (size_t)(TIDE_GUERRERO_ROWS * count) * s;
        p[TIDE_GUERRERO_LOG_MEAN * s] = tide_log(mean);
        p[TIDE_GUERRERO_SD * s] = tide_sqrt(square / (present - 1.0));
        ++count;
    }
    return count;
}

/* lambda for y [n] (stride ys, TIDE_NAN = missing) in [lower, upper]; 1, no transform, for a series with a
 * value that is not positive, without two periods to compare, or that does not vary within them. Any scale of
 * y gives the same. work: tide_guerrero_elements(n, season), stride s. Some 25 evaluations of n/m
 * exponentials. */
TIDE_FN double tide_boxcox_lambda(const double *y, size_t ys, int n, int season, double lower, double upper,
                                  double *work, size_t s) {
    const double golden = 0.38196601125010515, root_eps = 0x1p-26,
                 tolerance = 0x1p-13 / 3.0; /* (3 - sqrt 5)/2 */
    if (n <= 2 * season)
        return 1.0;
    int count = tide_guerrero_periods(y, ys, n, season, work, s), varies = 0;
    for (int i = 0; i < count; ++i)
        varies |= TIDE_EL(work, TIDE_GUERRERO_ROWS * i + TIDE_GUERRERO_SD, s) > 0.0;
    if (count < 2 || !varies)
        return 1.0;
    /* x: best so far, w: second best, v: the w before; d: this step, e: the step before the last. */
    double a = lower, b = upper, x = a + golden * (b - a), w = x, v = x, d = 0.0, e = 0.0;
    double fx = tide_guerrero_cv(work, count, x, s), fw = fx, fv = fx;
    for (int i = 0; i < 100; ++i) {
        double middle = 0.5 * (a + b), least = root_eps * tide_abs(x) + tolerance, p = 0.0, q = 0.0,
               before = e;
        if (tide_abs(x - middle) <= 2.0 * least - 0.5 * (b - a))
            break;
        if (tide_abs(e) > least) { /* the parabola through x, w, v has its vertex at x + p/q */
            double g = (x - w) * (fx - fv), h = (x - v) * (fx - fw);
            p = (x - v) * h - (x - w) * g;
            q = 2.0 * (h - g);
            p = q > 0.0 ? -p : p;
            q = tide_abs(q);
            e = d;
        }
        if (tide_abs(p) >= tide_abs(0.5 * q * before) || p <= q * (a - x) || p >= q * (b - x)) {
            e = x < middle ? b - x : a - x;
            d = golden * e;
        } else {
            d = p / q;
            if (x + d - a < 2.0 * least || b - (x + d) < 2.0 * least)
                d = x < middle ? least : -least;
        }
        double u = x + (tide_abs(d) >= least ? d : d > 0.0 ? least : -least);
        double fu = tide_guerrero_cv(work, count, u, s);
        if (fu <= fx) {
            a = u < x ? a : x;
            b = u < x ? x : b;
            v = w, fv = fw, w = x, fw = fx, x = u, fx = fu;
        } else {
            a = u < x ? u : a;
            b = u < x ? b : u;
            if (fu <= fw || w == x)
                v = w, fv = fw, w = u, fw = fu;
            else if (fu <= fv || v == x || v == w)
                v = u, fv = fu;
        }
    }
    return x;
}

#endif
