/* tide_vec.h - as many lanes as one register holds, for recursions whose state should stay in registers.
 *
 * TIDE_EACH_LANE (tide_fn.h) makes one vector loop of each statement, with its operands in memory. Where a recursion carries
 * values from row to row, that is one load and one store a row for each of them, and these cost more than the arithmetic.
 * A tide_vec is such a value: TIDE_VEC lanes of it. Lanes 0 .. TIDE_LANES - 1 are gone through in TIDE_LANES/TIDE_VEC turns,
 * each over all rows.
 *
 *     AVX-512 8 lanes, AVX and FMA 4, 64-bit Arm 2, else (and on CUDA, where a thread is the lane) 1: a plain double
 *
 * + - * / are the compiler's; the functions below are loops over the lanes that it makes one instruction of. No value of a
 * lane depends on another lane's, so that the width changes no bit. */
#ifndef TIDE_VEC_H
#define TIDE_VEC_H

#include "kernels/tide_fn.h"

#if defined(TIDE_DEVICE_FORM) || TIDE_LANES == 1
#define TIDE_VEC 1
#elif defined(__AVX512F__) && TIDE_LANES % 8 == 0
#define TIDE_VEC 8
#elif defined(__AVX__) && defined(__FMA__) && TIDE_LANES % 4 == 0
#define TIDE_VEC 4
#elif defined(__aarch64__) && TIDE_LANES % 2 == 0
#define TIDE_VEC 2
#else
#define TIDE_VEC 1
#endif

#if TIDE_VEC > 1
typedef double tide_vec __attribute__((vector_size(8 * TIDE_VEC)));
#define TIDE_EACH_OF_VEC(k) _Pragma("omp simd") for (int k = 0; k < TIDE_VEC; ++k)
#else
typedef double tide_vec;
#define TIDE_EACH_OF_VEC(k) for (int k = 0; k < 1; ++k)
#endif

/* From one row to the next in an array of (rows, TIDE_VEC lanes): a part of a workspace array that belongs to one turn. */
#if defined(TIDE_DEVICE_FORM)
#define TIDE_VEC_STRIDE tide_stride
#else
#define TIDE_VEC_STRIDE ((size_t)TIDE_VEC)
#endif

TIDE_FN tide_vec tide_vec_get(const double *p) {
    tide_vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

TIDE_FN void tide_vec_put(double *p, tide_vec v) {
    memcpy(p, &v, sizeof v);
}

TIDE_FN tide_vec tide_vec_of(double x) {
    double a[TIDE_VEC];
    TIDE_EACH_OF_VEC(k) a[k] = x;
    return tide_vec_get(a);
}

/* a*b + c with one rounding. */
TIDE_FN tide_vec tide_vec_fma(tide_vec a, tide_vec b, tide_vec c) {
    double x[TIDE_VEC], y[TIDE_VEC], z[TIDE_VEC];
    tide_vec_put(x, a);
    tide_vec_put(y, b);
    tide_vec_put(z, c);
    TIDE_EACH_OF_VEC(k) z[k] = tide_fma(x[k], y[k], z[k]);
    return tide_vec_get(z);
}

/* gone where w is NaN, else here. */
TIDE_FN tide_vec tide_vec_present(tide_vec w, tide_vec here, tide_vec gone) {
    double x[TIDE_VEC], y[TIDE_VEC], z[TIDE_VEC];
    tide_vec_put(x, w);
    tide_vec_put(y, here);
    tide_vec_put(z, gone);
    TIDE_EACH_OF_VEC(k) y[k] = tide_is_nan(x[k]) ? z[k] : y[k];
    return tide_vec_get(y);
}

#endif
