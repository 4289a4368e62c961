/* arima_fourier.h - Fourier terms of a season before an ARIMA model is searched: least squares on them, and how many of them.
 *
 * Regressors: pairs sin(2 pi k t/m), cos(2 pi k t/m), k = 1 .. K, at the steps t = 1 .. n of a stretch.
 *
 * Normal equations. A product of two terms is half a sum of terms of the frequencies k + l and k - l, so that the Gram matrix
 * over the values present follows from the sums of sines and cosines up to frequency 2K: 4K terms a step instead of 2K^2.
 *
 * How many. K is chosen before the order, by the criterion of the run (AICc), in a model of reference: d differences, noise
 * of AR(2), an intercept. With the noise known,
 *
 *     f_t = phi(B) (1 - B)^d x_t
 *
 * is regressed on the terms filtered alike. But a filter only turns and stretches a pair within the plane that it spans, so
 * the pairs may stay as they are: one factorisation LDL' of the normal equations of f on an intercept and all pairs in their
 * order has the sum of squares left by every K in its last row. phi is that of Yule and Walker for what least squares on all pairs leaves
 * of x, differenced; d is the KPSS test's for it. Cost: about that of two more choices of d, a small part of one order's fit.
 *
 * On how it does against a fixed K: bench/fourier.sh. K then is as if it had been given: the same d, the same models. */
#ifndef TIDE_ARIMA_FOURIER_H
#define TIDE_ARIMA_FOURIER_H

#include "kernels/arima_work.h"
#include "kernels/criteria.h"
#include "kernels/fourier.h"

enum { TIDE_FOURIER_AR = 2 };

/* Elements that the functions below need for K pairs. */
TIDE_FN size_t tide_fourier_ols_size(int pairs) {
    size_t n = 2 * (size_t)pairs + 2;
    return n * (n + 1) / 2 + n + 2 * n;
}

/* Normal equations of x [n] (stride s, TIDE_NAN = missing) on an intercept and K pairs: lower triangle by rows (tide_packed),
 * columns, then x, at a; factorised: entry (i, j) becomes L_ij d_j, pivots that vanish 0. sums: 2(2K + 1) elements.
 * Returns the number of values. */
TIDE_FN int tide_fourier_normal(const double *x, int n, int m, int pairs, double *a, double *sums, size_t s) {
    const int columns = 1 + 2 * pairs, most = 2 * pairs;
    int count = 0;
    double *sine = sums, *cosine = sums + (size_t)(most + 1) * s;
    for (int j = 0; j <= most; ++j)
        sine[(size_t)j * s] = cosine[(size_t)j * s] = 0.0;
    double *last = a + (size_t)tide_packed(columns, 0) * s;
    for (int j = 0; j <= columns; ++j)
        last[(size_t)j * s] = 0.0;
    for (int t = 0; t < n; ++t) {
        double v = x[(size_t)t * s];
        if (tide_is_nan(v))
            continue;
        ++count;
        last[0] += v;
        last[(size_t)columns * s] = tide_fma(v, v, last[(size_t)columns * s]);
        for (int j = 1; j <= most; ++j) {
            tide_pair p = tide_turn((int64_t)j * (t + 1) % m, m);
            sine[(size_t)j * s] += p.high;
            cosine[(size_t)j * s] += p.low;
            if (j <= pairs) {
                double *to = last + (size_t)(2 * j - 1) * s;
                to[0] = tide_fma(v, p.high, to[0]);
                to[s] = tide_fma(v, p.low, to[s]);
            }
        }
    }
    cosine[0] = (double)count;
    a[0] = (double)count;
    for (int k = 1; k <= pairs; ++k) {
        double *row_sin = a + (size_t)tide_packed(2 * k - 1, 0) * s, *row_cos = a + (size_t)tide_packed(2 * k, 0) * s;
        row_sin[0] = sine[(size_t)k * s];
        row_cos[0] = cosine[(size_t)k * s];
        for (int l = 1; l <= k; ++l) {
            double c_less = cosine[(size_t)(k - l) * s], c_more = cosine[(size_t)(k + l) * s];
            double s_less = sine[(size_t)(k - l) * s], s_more = sine[(size_t)(k + l) * s];
            row_sin[(size_t)(2 * l - 1) * s] = 0.5 * (c_less - c_more);
            row_cos[(size_t)(2 * l) * s] = 0.5 * (c_less + c_more);
            row_cos[(size_t)(2 * l - 1) * s] = 0.5 * (s_more - s_less); /* cos k sin l */
            if (l < k)
                row_sin[(size_t)(2 * l) * s] = 0.5 * (s_more + s_less); /* sin k cos l */
        }
    }
    for (int i = 0; i <= columns; ++i)
        for (int j = 0; j <= i; ++j) {
            double sum = a[(size_t)tide_packed(i, j) * s], whole = sum;
            for (int p = 0; p < j; ++p) {
                double d = a[(size_t)tide_packed(p, p) * s];
                sum -= d > 0.0 ? a[(size_t)tide_packed(i, p) * s] * a[(size_t)tide_packed(j, p) * s] / d : 0.0;
            }
            a[(size_t)tide_packed(i, j) * s] = i == j && !(sum > 1e-10 * whole) ? 0.0 : sum;
        }
    return count;
}

/* What least squares on an intercept and K pairs leaves of x [n] less the intercept, in place; work: tide_fourier_ols_size. */
TIDE_FN void tide_fourier_take_off(double *x, int n, int m, int pairs, double *work, size_t s) {
    const int columns = 1 + 2 * pairs;
    double *beta = work, *sums = beta + (size_t)(columns + 1) * s, *a = sums + (size_t)(2 * columns) * s;
    tide_fourier_normal(x, n, m, pairs, a, sums, s);
    for (int j = columns - 1; j >= 0; --j) {
        double d = a[(size_t)tide_packed(j, j) * s], sum = a[(size_t)tide_packed(columns, j) * s];
        for (int i = j + 1; i < columns; ++i)
            sum -= a[(size_t)tide_packed(i, j) * s] * beta[(size_t)i * s];
        beta[(size_t)j * s] = d > 0.0 ? sum / d : 0.0;
    }
    for (int t = 0; t < n; ++t)
        for (int k = 1; k <= pairs; ++k) {
            tide_pair p = tide_turn((int64_t)k * (t + 1) % m, m);
            double v = x[(size_t)t * s];
            v -= beta[(size_t)(2 * k - 1) * s] * p.high;
            x[(size_t)t * s] = v - beta[(size_t)(2 * k) * s] * p.low;
        }
}

/* phi of an AR(2) for e [n], by Yule and Walker over the neighbours present; 0, 0 where there is nothing to go by. */
TIDE_FN tide_pair tide_fourier_noise(const double *e, int n, size_t s) {
    double mean = 0.0, count = 0.0, g[TIDE_FOURIER_AR + 1], pairs[TIDE_FOURIER_AR + 1];
    tide_pair phi = {0.0, 0.0};
    for (int t = 0; t < n; ++t) {
        double v = e[(size_t)t * s];
        mean += tide_is_nan(v) ? 0.0 : v;
        count += tide_is_nan(v) ? 0.0 : 1.0;
    }
    mean = count > 0.0 ? mean / count : 0.0;
    for (int lag = 0; lag <= TIDE_FOURIER_AR; ++lag) {
        g[lag] = pairs[lag] = 0.0;
        for (int t = lag; t < n; ++t) {
            double product = (e[(size_t)t * s] - mean) * (e[(size_t)(t - lag) * s] - mean);
            g[lag] += tide_is_nan(product) ? 0.0 : product;
            pairs[lag] += tide_is_nan(product) ? 0.0 : 1.0;
        }
        g[lag] = pairs[lag] > 0.0 ? g[lag] / pairs[lag] : 0.0;
    }
    if (!(g[0] > 0.0))
        return phi;
    double r1 = tide_max(-0.99, tide_min(g[1] / g[0], 0.99)), left = 1.0 - r1 * r1; /* partial autocorrelations */
    double k2 = tide_max(-0.99, tide_min((g[2] / g[0] - r1 * r1) / left, 0.99));
    phi.high = r1 * (1.0 - k2);
    phi.low = k2;
    return phi;
}

/* x [n] becomes f [n - d - 2] in place: d differences (at most 2), then 1 - phi_1 B - phi_2 B^2. Returns its length. */
TIDE_FN int tide_fourier_filter(double *x, int n, int d, tide_pair phi, size_t s) {
    for (int i = 0; i < d; ++i)
        n = tide_arima_difference(x, n, 1, s);
    for (int t = TIDE_FOURIER_AR; t < n; ++t) {
        double v = x[(size_t)t * s] - phi.high * x[(size_t)(t - 1) * s];
        x[(size_t)(t - TIDE_FOURIER_AR) * s] = v - phi.low * x[(size_t)(t - 2) * s];
    }
    return n > TIDE_FOURIER_AR ? n - TIDE_FOURIER_AR : 0;
}

/* Most pairs that the values present can tell: over the longest stretch of the season without a single one (g steps of m),
 * a wave shorter than 2(g + 1) steps may do whatever it likes. */
TIDE_FN int tide_fourier_told(const double *x, int n, int m, size_t s) {
    const int phases = n < m ? n : m;
    int gap = 0, run = 0;
    for (int turn = 0; turn < 2; ++turn) { /* the season is a circle */
        run += m - phases;
        gap = run > gap ? run : gap;
        for (int p = 0; p < phases; ++p) {
            int here = 0;
            for (int t = p; t < n && !here; t += m)
                here = !tide_is_nan(x[(size_t)t * s]);
            run = here ? 0 : run + 1;
            gap = run > gap ? run : gap;
        }
    }
    return gap < m ? m / (2 * (gap + 1)) : 0;
}

/* Pairs, at most `most` and those that can be told, for x [n] (stride s, TIDE_NAN = missing), which is kept; work: n elements, then the larger of
 * tide_fourier_ols_size(most) and tide_arima_diff_elements(n, m). */
TIDE_FN int tide_fourier_choose(const tide_fit_spec *spec, const double *x, int n, int m, int most, double *work, size_t s) {
    const int told = tide_fourier_told(x, n, m, s);
    double *copy = work, *rest = work + (size_t)n * s;
    most = most < told ? most : told;
    for (int t = 0; t < n; ++t)
        copy[(size_t)t * s] = x[(size_t)t * s];
    tide_fourier_take_off(copy, n, m, most, rest, s);
    const int d = tide_arima_choose_d(&spec->arima, copy, s, n, m, rest, s).d;
    int left = n;
    for (int i = 0; i < d; ++i)
        left = tide_arima_difference(copy, left, 1, s);
    const tide_pair phi = tide_fourier_noise(copy, left, s);
    for (int t = 0; t < n; ++t)
        copy[(size_t)t * s] = x[(size_t)t * s];
    left = tide_fourier_filter(copy, n, d, phi, s);
    double *sums = rest, *a = sums + (size_t)(4 * most + 2) * s;
    const int count = tide_fourier_normal(copy, left, m, most, a, sums, s), last = 1 + 2 * most;
    double best = TIDE_INF, size = 0.0;
    int chosen = 0;
    for (int t = 0; t < left; ++t) {
        double v = copy[(size_t)t * s];
        size += tide_is_nan(v) ? 0.0 : v * v;
    }
    double rss = size;
    for (int k = 0; k <= most; ++k) {
        const int params = 2 * k + 2 + TIDE_FOURIER_AR; /* intercept and variance too */
        for (int j = k == 0 ? 0 : 2 * k - 1; j <= 2 * k; ++j) {
            double pivot = a[(size_t)tide_packed(j, j) * s], x_j = a[(size_t)tide_packed(last, j) * s];
            rss -= pivot > 0.0 ? x_j * x_j / pivot : 0.0;
        }
        if (count <= params + 1)
            break;
        double variance = tide_max(rss, 1e-14 * size) / (double)count; /* below, rounding is what is left */
        double loglik = -0.5 * (double)count * (variance > 0.0 ? tide_log(variance) : 0.0);
        double value = tide_criterion_value(spec->criterion, loglik, params, count);
        chosen = value < best ? k : chosen;
        best = value < best ? value : best;
    }
    return chosen;
}

#endif
