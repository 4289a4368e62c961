/* stl.h - seasonal-trend decomposition by loess (Cleveland et al. 1990) and the strength of a season.
 *
 *     y_t = seasonal_t + trend_t + remainder_t
 *
 * A pass: (1) take the trend off; (2) smooth each phase's values along the cycles, one cycle more at either
 * end: C; (3) low pass L of C: moving averages of m, m and 3, then loess; (4) seasonal = C - L; (5) take the
 * seasonal off; (6) trend = loess of that. Settings are those of `mstl` in R's package forecast for one
 * season: seasonal window 11 and degree 0, trend window the next odd of 33 m/19, low-pass window the next odd
 * of m, both of degree 1, every tenth of a window estimated, two passes, no robustness weights.
 *
 * Missing values: y holds an estimate there (interpolate.h) and weight is TIDE_STL_MISSING instead of 1 - so
 * little that it counts only where a whole window is missing. Without missing values weight is NULL, which is
 * several times faster: kernels then depend on the place alone.
 *
 * Work of tide_stl: 4n + 4m + max(window) elements beside y and weight (stl_work). Cost for n = 120, m = 12:
 * some 8 us. Scalar, one series; element i of every array is p[i*s]. */
#ifndef TIDE_STL_H
#define TIDE_STL_H

#include "kernels/loess.h"

#define TIDE_STL_MISSING 1e-6

typedef struct tide_stl_spec {
    int period, passes;
    tide_loess seasonal, trend, lowpass;
} tide_stl_spec;

/* Work arrays; seasonal and trend are the result. */
typedef struct tide_stl_work {
    double *seasonal, *trend; /* [n] */
    double *a, *c;            /* [n + 2m] */
    double *kernel;           /* [widest window] */
} tide_stl_work;

TIDE_FN tide_stl_spec tide_stl_usual(int m) {
    int trend = (33 * m + 18) / 19, low = m + (m % 2 == 0); /* 33m/19 = 1.5 m/(1 - 1.5/11), rounded up */
    trend += trend % 2 == 0;
    tide_stl_spec p = {m, 2, {11, 0, 2}, {trend, 1, (trend + 9) / 10}, {low, 1, (low + 9) / 10}};
    return p;
}

TIDE_FN int tide_stl_widest(tide_stl_spec p) {
    int w = p.seasonal.window > p.trend.window ? p.seasonal.window : p.trend.window;
    return w > p.lowpass.window ? w : p.lowpass.window;
}

TIDE_FN size_t tide_stl_elements(int n, int m) {
    return 4u * (size_t)n + 4u * (size_t)m + (size_t)tide_stl_widest(tide_stl_usual(m));
}

TIDE_FN tide_stl_work tide_stl_work_at(double *work, int n, int m, size_t s) {
    size_t ns = (size_t)n * s, cs = (size_t)(n + 2 * m) * s;
    tide_stl_work w = {work, work + ns, work + 2 * ns, work + 2 * ns + cs, work + 2 * ns + 2 * cs};
    return w;
}

/* One estimate of the phases first..end-1 at cycle x of k, from x's neighbours, into out[(x + 1)*m + phase].
 */
TIDE_FN void tide_stl_cycle(const double *y, const double *weight, tide_stl_spec p, int first, int end, int k,
                            int x, double *kernel, double *out, size_t s) {
    int m = p.period;
    tide_span span = tide_loess_span(x, k, p.seasonal.window);
    double *row = out + (size_t)((x + 1) * m) * s;
    if (weight) {
        for (int j = first; j < end; ++j) {
            const double *phase = y + (size_t)j * s;
            tide_loess_kernel(x, span, k, p.seasonal.degree, weight + (size_t)j * s, (size_t)m * s, kernel,
                              s);
            TIDE_EL(row, j, s) = tide_loess_sum(kernel, s, phase + (size_t)(span.left * m) * s, (size_t)m * s,
                                                span.right - span.left + 1);
        }
        return;
    }
    tide_loess_kernel(x, span, k, p.seasonal.degree, NULL, 0, kernel, s);
    for (int j = first; j < end; ++j)
        TIDE_EL(row, j, s) = 0.0;
    for (int c = span.left; c <= span.right; ++c) {
        double w = TIDE_EL(kernel, c - span.left, s);
        const double *values = y + (size_t)(c * m) * s;
        for (int j = first; j < end; ++j)
            TIDE_EL(row, j, s) += w * TIDE_EL(values, j, s);
    }
}

/* Smooth of each phase of y [n], n >= 2m, into out [n + 2m]: a cycle before the first value, ..., a cycle
 * after the last. */
TIDE_FN void tide_stl_phases(const double *y, const double *weight, int n, tide_stl_spec p, double *kernel,
                             double *out, size_t s) {
    int m = p.period, rest = n % m;
    for (int group = 0; group < 2;
         ++group) { /* phases with a value in the last, incomplete cycle, and the others */
        int first = group ? rest : 0, end = group ? m : rest, k = n / m + !group;
        int jump = p.seasonal.jump < k - 1 ? p.seasonal.jump : k - 1;
        if (first == end)
            continue;
        tide_stl_cycle(y, weight, p, first, end, k, -1, kernel, out, s);
        for (int x = 0, last = 0;;) {
            tide_stl_cycle(y, weight, p, first, end, k, x, kernel, out, s);
            for (int j = first; j < end && x - last > 1; ++j)
                tide_join(out + (size_t)(m + j) * s, last, x, (size_t)m * s);
            if (x == k - 1)
                break;
            last = x;
            x = x + jump < k - 1 ? x + jump : k - 1;
        }
        tide_stl_cycle(y, weight, p, first, end, k, k, kernel, out, s);
    }
}

/* Means of `length` successive values of y [n] into out [n - length + 1], which may be y. */
TIDE_FN void tide_moving_mean(const double *y, int n, int length, double *out, size_t s) {
    double sum = 0.0, one = 1.0 / (double)length;
    for (int t = 0; t < length - 1; ++t)
        sum += TIDE_EL(y, t, s);
    for (int t = 0; t + length <= n; ++t) {
        double oldest = TIDE_EL(y, t, s);
        sum += TIDE_EL(y, t + length - 1, s);
        TIDE_EL(out, t, s) = sum * one;
        sum -= oldest;
    }
}

/* Decomposes y [n], n > 2m: w.seasonal and w.trend. weight: NULL, or [n]: 1, and TIDE_STL_MISSING where y is
 * a guess. */
TIDE_FN void tide_stl(const double *y, const double *weight, int n, tide_stl_spec p, tide_stl_work w,
                      size_t s) {
    int m = p.period;
    double *b = w.seasonal;
    for (int t = 0; t < n; ++t)
        TIDE_EL(w.trend, t, s) = 0.0;
    for (int pass = 0; pass < p.passes; ++pass) {
        for (int t = 0; t < n; ++t)
            TIDE_EL(b, t, s) = TIDE_EL(y, t, s) - TIDE_EL(w.trend, t, s);
        tide_stl_phases(b, weight, n, p, w.kernel, w.c, s);
        tide_moving_mean(w.c, n + 2 * m, m, w.a, s);
        tide_moving_mean(w.a, n + m + 1, m, w.a, s);
        tide_moving_mean(w.a, n + 2, 3, w.a, s);
        tide_loess_smooth(w.a, n, p.lowpass, NULL, w.kernel, b, s);
        for (int t = 0; t < n; ++t) {
            TIDE_EL(b, t, s) = TIDE_EL(w.c, m + t, s) - TIDE_EL(b, t, s);
            TIDE_EL(w.a, t, s) = TIDE_EL(y, t, s) - TIDE_EL(b, t, s);
        }
        tide_loess_smooth(w.a, n, p.trend, weight, w.kernel, w.trend, s);
    }
}

/* Strength of the season in 0..1 (Wang, Smith, Hyndman 2006): 1 - var(remainder)/var(seasonal + remainder),
 * over the values present; of a decomposition by tide_stl. 0 for a series without seasonal and remainder. */
TIDE_FN double tide_stl_strength(const double *y, const double *weight, int n, tide_stl_work w, size_t s) {
    double sums[2] = {0.0, 0.0}, squares[2] = {0.0, 0.0}, count = 0.0;
    for (int t = 0; t < n; ++t) {
        double present = !weight || TIDE_EL(weight, t, s) == 1.0 ? 1.0 : 0.0;
        double both = TIDE_EL(y, t, s) - TIDE_EL(w.trend, t, s);
        sums[0] += present * (both - TIDE_EL(w.seasonal, t, s));
        sums[1] += present * both;
        count += present;
    }
    for (int t = 0; t < n; ++t) {
        double present = !weight || TIDE_EL(weight, t, s) == 1.0 ? 1.0 : 0.0;
        double both = TIDE_EL(y, t, s) - TIDE_EL(w.trend, t, s);
        double r = both - TIDE_EL(w.seasonal, t, s) - sums[0] / count, q = both - sums[1] / count;
        squares[0] += present * r * r;
        squares[1] += present * q * q;
    }
    double strength = 1.0 - squares[0] / squares[1];
    return squares[1] > 0.0 ? tide_max(0.0, tide_min(1.0, strength)) : 0.0;
}

#endif
