/* arima_reference.h - the likelihood of a seasonal ARMA by another road, slow and in __float128: for tests only.
 *
 * Autocovariances: the Yule-Walker equations with the cross terms of a and w, solved densely by elimination. Innovations:
 * Levinson's recursion on the Toeplitz covariance, or a dense Cholesky factor of the covariance of the values present.
 * Missing values after differencing: dense least squares with a dummy for each. Nothing is shared with the kernels but
 * plain arithmetic. */
#ifndef TIDE_TESTS_ARIMA_REFERENCE_H
#define TIDE_TESTS_ARIMA_REFERENCE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef __float128 quad;
enum { REFERENCE_LAGS = 130, REFERENCE_STEPS = 1024, REFERENCE_COLUMNS = 72 };

static inline long double quad_log(quad x) { /* good to long double */
    int e = 0;
    while (x >= 2) {
        x /= 2;
        ++e;
    }
    while (x < 1) {
        x *= 2;
        --e;
    }
    return (long double)e * 0.693147180559945309417232121458176568L + logl((long double)x);
}

static inline void *reference_memory(size_t count, size_t size) {
    void *p = calloc(count, size);
    if (!p)
        abort();
    return p;
}

/* Product of 1 + s*c_1 z + ... and its seasonal like: out[0..n*], returns the degree. */
static inline int reference_product(const quad *low, int p, const quad *high, int P, int m, quad sign,
                                    quad *out) {
    int degree = p + m * P;
    for (int i = 0; i <= degree; ++i)
        out[i] = 0;
    for (int j = 0; j <= P; ++j)
        for (int i = 0; i <= p; ++i)
            out[j * m + i] += (i ? sign * low[i - 1] : 1) * (j ? sign * high[j - 1] : 1);
    return degree;
}

/* a x = b for a n-by-n matrix of rows, in place, partial pivoting; x in b. */
static inline void reference_solve(quad *a, quad *b, int n) {
    for (int i = 0; i < n; ++i) {
        int best = i;
        for (int j = i + 1; j < n; ++j)
            if (fabsl((long double)a[j * n + i]) > fabsl((long double)a[best * n + i]))
                best = j;
        for (int c = 0; c < n; ++c) {
            quad t = a[i * n + c];
            a[i * n + c] = a[best * n + c];
            a[best * n + c] = t;
        }
        quad t = b[i];
        b[i] = b[best];
        b[best] = t;
        for (int j = i + 1; j < n; ++j) {
            quad f = a[j * n + i] / a[i * n + i];
            for (int c = i; c < n && f != 0; ++c)
                a[j * n + c] -= f * a[i * n + c];
            b[j] -= f * b[i];
        }
    }
    for (int i = n - 1; i >= 0; --i) {
        for (int c = i + 1; c < n; ++c)
            b[i] -= a[i * n + c] * b[c];
        b[i] /= a[i * n + i];
    }
}

/* gamma(0..n-1) of phi(B) w = theta(B) a, var a = 1; coefficients as in arima.h. */
static inline void reference_acvf(const double *ar, int p, const double *ma, int q, const double *sar, int P,
                                  const double *sma, int Q, int m, quad *gamma, int n) {
    quad low[8], high[8], phi[REFERENCE_LAGS], theta[REFERENCE_LAGS], psi[REFERENCE_LAGS];
    for (int i = 0; i < p; ++i)
        low[i] = ar[i];
    for (int i = 0; i < P; ++i)
        high[i] = sar[i];
    int a = reference_product(low, p, high, P, m, -1, phi);
    for (int i = 1; i <= a; ++i)
        phi[i] = -phi[i];
    for (int i = 0; i < q; ++i)
        low[i] = ma[i];
    for (int i = 0; i < Q; ++i)
        high[i] = sma[i];
    int b = reference_product(low, q, high, Q, m, 1, theta);
    for (int j = 0; j <= b; ++j) {
        psi[j] = theta[j];
        for (int i = 1; i <= a && i <= j; ++i)
            psi[j] += phi[i] * psi[j - i];
    }
    int size = a + 1;
    quad *matrix = reference_memory((size_t)(size * size), sizeof(quad)),
         *right = reference_memory((size_t)(a + b + n + 1), sizeof(quad));
    for (int h = 0; h <= a || h < n; ++h) {
        quad cross = 0;
        for (int j = h; j <= b; ++j)
            cross += theta[j] * psi[j - h];
        right[h] = cross;
        if (h > a)
            continue;
        matrix[h * size + h] += 1;
        for (int i = 1; i <= a; ++i)
            matrix[h * size + abs(h - i)] -= phi[i];
    }
    reference_solve(matrix, right, size);
    for (int h = 0; h < n; ++h) {
        if (h > a)
            for (int i = 1; i <= a; ++i)
                right[h] += phi[i] * right[h - i];
        gamma[h] = right[h];
    }
    free(matrix);
    free(right);
}

/* Innovations over their standard deviations (up to the square root: returns sums): for n_col columns of n steps with
 * autocovariance gamma, cross[i*n_col + j] = sum v_i v_j/F and *log_f = sum log F. Levinson. */
static inline void reference_cross(const quad *gamma, int n, const quad *columns, int n_col, quad *cross,
                                   long double *log_f) {
    quad *a = reference_memory((size_t)n + 1, sizeof(quad)),
         *before = reference_memory((size_t)n + 1, sizeof(quad));
    quad v[REFERENCE_COLUMNS], f = gamma[0];
    *log_f = 0;
    for (int i = 0; i < n_col * n_col; ++i)
        cross[i] = 0;
    for (int t = 0; t < n; ++t) {
        if (t > 0) {
            quad k = gamma[t];
            for (int j = 1; j < t; ++j)
                k -= a[j] * gamma[t - j];
            k /= f;
            memcpy(before, a, ((size_t)n + 1) * sizeof(quad));
            for (int j = 1; j < t; ++j)
                a[j] = before[j] - k * before[t - j];
            a[t] = k;
            f *= 1 - k * k;
        }
        for (int c = 0; c < n_col; ++c) {
            v[c] = columns[c * n + t];
            for (int j = 1; j <= t; ++j)
                v[c] -= a[j] * columns[c * n + t - j];
        }
        for (int i = 0; i < n_col; ++i)
            for (int j = 0; j < n_col; ++j)
                cross[i * n_col + j] += v[i] * v[j] / f;
        *log_f += quad_log(f);
    }
    free(a);
    free(before);
}

/* Q = nu log(S/nu) + log F + log det of the block of columns 1..n_missing; column 0 the data; all columns identified. */
static inline double reference_objective(const quad *gamma, int n, const quad *columns, int n_col,
                                         int n_missing) {
    quad *cross = reference_memory((size_t)(n_col * n_col), sizeof(quad));
    long double log_f, log_det = 0;
    reference_cross(gamma, n, columns, n_col, cross, &log_f);
    for (int i = 1; i < n_col; ++i) { /* sweep columns 1.. out of the others */
        if (i <= n_missing)
            log_det += quad_log(cross[i * n_col + i]);
        for (int r = 0; r < n_col; ++r) {
            if (r == i || (r > 0 && r < i))
                continue;
            quad f = cross[r * n_col + i] / cross[i * n_col + i];
            for (int c = 0; c < n_col; ++c)
                cross[r * n_col + c] -= f * cross[i * n_col + c];
        }
    }
    long double nu = n - n_missing, q = nu * (quad_log(cross[0]) - logl(nu)) + log_f + log_det;
    free(cross);
    return (double)q;
}

/* The same for d = D = 0 without regressors, from the covariance of the values present (y NaN: missing). */
static inline double reference_present(const quad *gamma, int n, const double *y) {
    int *at = reference_memory((size_t)n, sizeof *at), count = 0;
    for (int t = 0; t < n; ++t)
        if (y[t] == y[t])
            at[count++] = t;
    quad *l = reference_memory((size_t)(count * count), sizeof(quad)),
         *v = reference_memory((size_t)count, sizeof(quad));
    long double log_f = 0;
    quad s = 0;
    for (int i = 0; i < count; ++i) { /* LDL' */
        for (int j = 0; j <= i; ++j) {
            quad c = gamma[at[i] - at[j]];
            for (int p = 0; p < j; ++p)
                c -= l[i * count + p] * l[j * count + p] * l[p * count + p];
            l[i * count + j] = j < i ? c / l[j * count + j] : c;
        }
        v[i] = y[at[i]];
        for (int p = 0; p < i; ++p)
            v[i] -= l[i * count + p] * v[p];
        s += v[i] * v[i] / l[i * count + i];
        log_f += quad_log(l[i * count + i]);
    }
    long double nu = count;
    free(at);
    free(l);
    free(v);
    return (double)(nu * (quad_log(s) - logl(nu)) + log_f);
}

#endif
