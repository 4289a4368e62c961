/* linalg.h - products of many series with regressors that they share, with the same bits from every library.
 *
 *     C (k, s) = A' B,   A (n, k) the regressors, B (n, s) the series, one a column
 *
 * A general matrix product sums in an order of its own, so cuBLAS, a CPU library and a plain loop differ in the last
 * bits; a choice that hangs on them would break the promise that results do not depend on the machine. Here every
 * sum is exact instead, so that its order cannot matter. Each column is divided by a power of two just above its
 * largest magnitude and cut into three slices,
 *
 *     v = s_0 + s_1 + s_2 + rest,   s_i a multiple of 2^-20(i+1),  |rest| <= 2^-61,
 *
 * (the splitting of Ozaki, Ogita, Oishi, Rump, "Error-free transformations of matrix multiplication", Numerical
 * Algorithms 59, 2012). A product of two slices is an integer of at most 40 bits times a power of two, and the sum of
 * 8192 of them fits the 53 bits of a double. One product of the sliced matrices, (n, 3k)' (n, 3s), gives all nine
 * parts; adding them from the smallest up, in a fixed order, gives C to about 2^-60 of the largest possible sum: more
 * than a plain product has. It costs nine times its flops, which for few regressors stay below the cost of moving B.
 *
 * Longer columns are taken in runs of TIDE_LINALG_ROWS rows, whose C are added in order.
 *
 * Who computes: linalg_cpu.c everywhere; linalg_cuda.cu, the only user of cuBLAS, where there is a GPU. cuBLAS is
 * looked for at run time: the program must start on machines without it, and as the bits are the same, a machine
 * that has none only takes the CPU's way. */
#ifndef TIDE_LINALG_H
#define TIDE_LINALG_H

#include "kernels/tide_fn.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TIDE_SLICES = 3, TIDE_LINALG_ROWS = 8192 };

typedef struct tide_linalg {
    void *self;
    char name[64]; /* "cpu", "cublas 13.0" */
    /* c (k, s) = a' b; a (n, k), b (n, s), n <= TIDE_LINALG_ROWS, all row-major and dense, host memory of the caller.
     * Entries are slices, so that every sum is exact. Returns 0, or 1 after a failure of the device (c is undefined;
     * the caller takes the CPU). */
    int (*cross)(void *self, size_t n, size_t k, size_t s, const double *a, const double *b, double *c);
    void (*close)(void *self);
} tide_linalg;

void tide_linalg_cpu(tide_linalg *out); /* needs no close */
/* Returns 1 and fills *out when the device and a cuBLAS are there; else 0 with one line in why[why_size]. */
int tide_linalg_cublas(int device, tide_linalg *out, char *why, size_t why_size);

#ifdef __cplusplus
}
#endif

/* Slices of v, |v| <= 1. Adding and taking off 1.5 * 2^(52-b) rounds to a multiple of 2^-b. */
TIDE_FN void tide_slice(double v, double s[TIDE_SLICES]) {
    const double to_20 = 0x1.8p32, to_40 = 0x1.8p12, to_60 = 0x1.8p-8;
    s[0] = (v + to_20) - to_20;
    v -= s[0];
    s[1] = (v + to_40) - to_40;
    v -= s[1];
    s[2] = (v + to_60) - to_60;
}

/* C[i][j] of k, s columns from the (3k, 3s) product of their slices: block (a, b) is slice a of A with slice b of B. */
TIDE_FN double tide_slices_join(const double *c, size_t k, size_t s, size_t i, size_t j) {
#define TIDE_PART_(a, b) c[((size_t)(a)*k + i) * (TIDE_SLICES * s) + (size_t)(b)*s + j]
    double sum = TIDE_PART_(2, 2);
    sum += TIDE_PART_(1, 2) + TIDE_PART_(2, 1);
    sum += TIDE_PART_(0, 2) + TIDE_PART_(1, 1) + TIDE_PART_(2, 0);
    sum += TIDE_PART_(0, 1) + TIDE_PART_(1, 0);
    return sum + TIDE_PART_(0, 0);
#undef TIDE_PART_
}

/* Solves G x = b for k unknowns; g: the lower triangle of G by rows, k(k+1)/2, replaced by its Cholesky factor; b is
 * replaced by x. A column that the ones before it explain to within `tolerance` of its diagonal is left out (x = 0), as
 * is one of zeros. Returns how many were used. */
TIDE_FN int tide_cholesky_solve(double *g, double *b, int k, double tolerance) {
    int used = 0;
    for (int i = 0; i < k; ++i) {
        double *row = g + (size_t)i * (size_t)(i + 1) / 2;
        double whole = row[i];
        for (int j = 0; j <= i; ++j) {
            const double *other = g + (size_t)j * (size_t)(j + 1) / 2;
            double sum = row[j];
            for (int p = 0; p < j; ++p)
                sum = tide_fma(-row[p], other[p], sum);
            if (j < i)
                row[j] = other[j] != 0.0 ? sum / other[j] : 0.0;
            else
                row[j] = sum > tolerance * whole ? tide_sqrt(sum) : 0.0;
        }
        used += row[i] != 0.0;
        double sum = b[i];
        for (int p = 0; p < i; ++p)
            sum = tide_fma(-row[p], b[p], sum);
        b[i] = row[i] != 0.0 ? sum / row[i] : 0.0;
    }
    for (int i = k - 1; i >= 0; --i) {
        const double *row = g + (size_t)i * (size_t)(i + 1) / 2;
        if (row[i] == 0.0) {
            b[i] = 0.0;
            continue;
        }
        double sum = b[i];
        for (int p = i + 1; p < k; ++p)
            sum = tide_fma(-g[(size_t)p * (size_t)(p + 1) / 2 + (size_t)i], b[p], sum);
        b[i] = sum / row[i];
    }
    return used;
}

#endif
