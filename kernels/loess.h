/* loess.h - local regression on a regular grid, degree 0 or 1 (Cleveland 1979, as used by Cleveland,
 * Cleveland, McRae, Terpenning, "STL: A Seasonal-Trend Decomposition Procedure Based on Loess", J. Official
 * Statistics 6, 1990).
 *
 * The estimate at x is a weighted sum of the `window` points nearest to x, or of all where there are fewer:
 *
 *     weight of a point at distance r   (1 - (r/h)^3)^3 times its own weight
 *     h                                 distance of the farthest point; (window - n)/2 more where window > n
 *     degree 1                          the weighted least-squares line, at x
 *
 * On a grid the weights depend on the place alone, so that away from the ends one kernel serves every point;
 * with weights of the points' own it is computed for each. Only every `jump`-th point and the last are
 * estimated, lines join them. Scalar, one series; element i of every array is p[i*s]. */
#ifndef TIDE_LOESS_H
#define TIDE_LOESS_H

#include "kernels/tide_fn.h"

typedef struct tide_loess {
    int window; /* odd */
    int degree; /* 0 or 1 */
    int jump;
} tide_loess;

#define TIDE_EL(p, i, s) ((p)[(size_t)(i) * (s)])

/* Points left..right (0-based, of n) for an estimate at x, which may lie outside of 0..n-1. */
typedef struct tide_span {
    int left, right;
    double h;
} tide_span;

TIDE_FN tide_span tide_loess_span(int x, int n, int window) {
    int width = window < n ? window : n, left = x - width / 2;
    left = left < 0 ? 0 : left;
    left = left > n - width ? n - width : left;
    int right = left + width - 1, far = x - left > right - x ? x - left : right - x;
    tide_span span = {left, right, (double)(far + (window > n ? (window - n) / 2 : 0))};
    return span;
}

TIDE_FN double tide_tricube(double r, double h) {
    double u = r / h, v = 1.0 - u * u * u;
    return r <= 0.001 * h ? 1.0 : r <= 0.999 * h ? v * v * v : 0.0;
}

/* kernel[j - left], stride ks: the estimate at x is the sum of kernel[j - left]*y_j. weight: NULL, or [n]
 * positive weights of the points, element j at weight[j*ws]. */
TIDE_FN void tide_loess_kernel(int x, tide_span span, int n, int degree, const double *weight, size_t ws,
                               double *kernel, size_t ks) {
    double s0 = 0.0, s1 = 0.0, s2 = 0.0;
    for (int j = span.left; j <= span.right; ++j) {
        double u = (double)(j - x), w = tide_tricube(tide_abs(u), span.h);
        w = weight ? w * TIDE_EL(weight, j, ws) : w;
        TIDE_EL(kernel, j - span.left, ks) = w;
        s0 += w;
        s1 += w * u;
        s2 += w * u * u;
    }
    double mean = s1 / s0, spread = s2 / s0 - mean * mean, range = 0.001 * (double)(n - 1);
    int line = (degree > 0) & (spread > range * range);
    double slope = line ? -mean / spread : 0.0;
    for (int j = span.left; j <= span.right; ++j) {
        double u = (double)(j - x), w = TIDE_EL(kernel, j - span.left, ks) / s0;
        TIDE_EL(kernel, j - span.left, ks) = w * (1.0 + slope * (u - mean));
    }
}

/* Sum of kernel[i]*y[i], i < count; four partial sums in a fixed order hide the latency of the additions. */
TIDE_FN double tide_loess_sum(const double *kernel, size_t ks, const double *y, size_t ys, int count) {
    double a = 0.0, b = 0.0, c = 0.0, d = 0.0;
    int i = 0;
    for (; i + 4 <= count; i += 4) {
        a += TIDE_EL(kernel, i, ks) * TIDE_EL(y, i, ys);
        b += TIDE_EL(kernel, i + 1, ks) * TIDE_EL(y, i + 1, ys);
        c += TIDE_EL(kernel, i + 2, ks) * TIDE_EL(y, i + 2, ys);
        d += TIDE_EL(kernel, i + 3, ks) * TIDE_EL(y, i + 3, ys);
    }
    for (; i < count; ++i)
        a += TIDE_EL(kernel, i, ks) * TIDE_EL(y, i, ys);
    return (a + b) + (c + d);
}

/* out[from..to] on the line between its ends; stride s. */
TIDE_FN void tide_join(double *out, int from, int to, size_t s) {
    double first = TIDE_EL(out, from, s), step = (TIDE_EL(out, to, s) - first) / (double)(to - from);
    for (int j = from + 1; j < to; ++j)
        TIDE_EL(out, j, s) = first + step * (double)(j - from);
}

/* Smooth of y [n >= 1] into out [n], another array. weight: NULL or [n]. kernel: min(window, n) elements of
 * work. */
TIDE_FN void tide_loess_smooth(const double *y, int n, tide_loess l, const double *weight, double *kernel,
                               double *out, size_t s) {
    int jump = l.jump < n - 1 ? l.jump : n - 1, half = l.window / 2, kept = 0;
    for (int at = 0, last = 0;;) {
        tide_span span = tide_loess_span(at, n, l.window);
        int inside = (at >= half) & (at + half < n);
        if (!(kept & inside))
            tide_loess_kernel(at, span, n, l.degree, weight, s, kernel, s);
        kept = inside & !weight;
        TIDE_EL(out, at, s) =
            tide_loess_sum(kernel, s, y + (size_t)span.left * s, s, span.right - span.left + 1);
        if (at - last > 1)
            tide_join(out, last, at, s);
        if (at == n - 1)
            break;
        last = at;
        at = at + jump < n - 1 ? at + jump : n - 1;
    }
}

#endif
