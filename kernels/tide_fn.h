/* tide_fn.h - what lets one numerical source compile for gcc lanes and for CUDA threads.
 *
 * Every function of the numerical core is `TIDE_FN`: always inlined by gcc, `__host__ __device__` for nvcc.
 * It is plain scalar C in the common subset of C11 and C++17. Functions over lanes loop with TIDE_EACH_LANE:
 *
 *   variant            TIDE_LANES   element i of lane k of a workspace array
 *   one lane           1            p[i]
 *   SIMD baseline      4            p[i * TIDE_LANES + k]
 *   SIMD AVX2          16           (a constant stride lets the compiler keep lanes in registers)
 *   SIMD AVX-512       32
 *   CUDA thread        1            p[i * stride], stride = threads of the launch, so that loads coalesce
 *
 * TIDE_STRIDE hides the difference: a constant for CPU lanes, `tide_stride` (a local variable or parameter that
 * the function must have in scope) where TIDE_DEVICE_FORM is defined. The tests compile the device form with gcc
 * too, and call it in a loop over blocks and threads.
 *
 * Same bits everywhere (a promise, tested): build with -ffp-contract=off (nvcc: --fmad=false) and never with
 * fast-math; a fused multiply-add happens only where `tide_fma` is written; log, exp and pow come from
 * tide_math.h; every sum has a fixed order; a NaN that leaves the core is TIDE_NAN, never one that arithmetic
 * made (its payload differs between machines). Division and square root are correctly rounded on all of them.
 */
#ifndef TIDE_FN_H
#define TIDE_FN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__CUDACC__)
#define TIDE_FN static __host__ __device__ __forceinline__
#define TIDE_DEVICE_FORM 1
#else
#define TIDE_FN static inline __attribute__((always_inline, unused))
#endif

#if !defined(TIDE_LANES)
#define TIDE_LANES 1
#endif

#if defined(TIDE_DEVICE_FORM)
#if TIDE_LANES != 1
#error "the device form has one lane a thread"
#endif
#define TIDE_STRIDE tide_stride
#define TIDE_EACH_LANE(k) for (int k = 0; k < 1; ++k)
#else
#define TIDE_STRIDE ((size_t)TIDE_LANES)
#if TIDE_LANES == 1
#define TIDE_EACH_LANE(k) for (int k = 0; k < 1; ++k)
#else
#define TIDE_EACH_LANE(k) _Pragma("omp simd") for (int k = 0; k < TIDE_LANES; ++k)
#endif
#endif

/* Element i of lane k of the workspace array p: p has (elements, lanes) with the lane as last index. */
#define TIDE_AT(p, i, k) ((p)[(size_t)(i) * TIDE_STRIDE + (size_t)(k)])

#define TIDE_NAN tide_from_bits(0x7ff8000000000000ull)
#define TIDE_INF tide_from_bits(0x7ff0000000000000ull)

TIDE_FN double tide_from_bits(uint64_t u) {
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

TIDE_FN uint64_t tide_to_bits(double x) {
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

/* a*b + c with one rounding: one instruction on x86-64-v3, Arm and GPUs; emulated (right, slow) below. */
TIDE_FN double tide_fma(double a, double b, double c) {
#if defined(__CUDA_ARCH__)
    return __fma_rn(a, b, c);
#else
    return __builtin_fma(a, b, c);
#endif
}

TIDE_FN double tide_sqrt(double x) {
#if defined(__CUDA_ARCH__)
    return __dsqrt_rn(x);
#else
    return __builtin_sqrt(x);
#endif
}

TIDE_FN double tide_abs(double x) {
    return tide_from_bits(tide_to_bits(x) & 0x7fffffffffffffffull);
}

/* b where either is NaN, as vminpd and vmaxpd do. */
TIDE_FN double tide_min(double a, double b) {
    return a < b ? a : b;
}

TIDE_FN double tide_max(double a, double b) {
    return a > b ? a : b;
}

TIDE_FN int tide_is_nan(double x) {
    return x != x;
}

TIDE_FN int tide_is_finite(double x) {
    return tide_abs(x) < TIDE_INF;
}

#endif
