/* tide_math.h - tide_log, tide_exp, tide_pow: our own, because libm's differ between machines and stop
 * vectorisation.
 *
 * Straight-line code without tables or branches: fma, division, and bit tricks that exist as vector
 * instructions from AVX2 on (no arithmetic 64-bit shift, no conversion between 64-bit integers and doubles),
 * so that a `#pragma omp simd` loop over lanes becomes vector code and CUDA threads do not diverge.
 *
 *   log   x = 2^k m, m in [sqrt(1/2), sqrt(2)), f = m - 1, s = f/(2 + f), z = s^2:
 *         log m = 2 atanh s = f - s (f - z P(z)), log x = k ln2 + log m; the high part of k ln2 is exact
 *   exp   x = k ln2 + r, |r| <= ln2/2: exp x = 2^k (1 + r + r^2 E(r)); 2^k as two factors, so that subnormal
 *         results are rounded once
 *   pow   exp(y log x) with log x and the product in double-double (relative error of the logarithm some
 *         1e-20): an error of the exponent becomes a relative error of the result, up to 745 times as large
 *
 * P, Q (of pow) and E are polynomials through Chebyshev nodes of the interval, computed with 60 digits; their
 * own relative errors are below 1e-19. Measured against long double and __float128 over some millions of
 * points, largest relative error: log 1.6e-16, exp 1.5e-16 (subnormal results: 0.8 units), pow 2.6e-16
 * (tests/test_kernel_math.c). */
#ifndef TIDE_MATH_H
#define TIDE_MATH_H

#include "kernels/tide_fn.h"

/* ln 2 = high + low: high has 42 bits, so that k*high is exact for every exponent k. */
#define TIDE_LN2_HIGH 0x1.62e42fefa3800p-1
#define TIDE_LN2_LOW 0x1.ef35793c76730p-45

/* A value and its rounding error: high + low, |low| <= ulp(high)/2 or so. */
typedef struct tide_pair {
    double high, low;
} tide_pair;

/* x > 0 finite into exponent k (as a double) and m in [sqrt(1/2), sqrt(2)), x = 2^k m exactly; subnormals
 * too. */
TIDE_FN double tide_split_exponent(double x, double *m) {
    double tiny = x < 0x1p-1022 ? 54.0 : 0.0;
    uint64_t u = tide_to_bits(x < 0x1p-1022 ? x * 0x1p54 : x);
    uint64_t e = (u + 0x00095f619980c433ull) >> 52; /* 1.0 less sqrt(1/2), as bits: exponent + 1023 */
    *m = tide_from_bits(u - (e << 52) + 0x3ff0000000000000ull);
    return tide_from_bits(e | 0x4330000000000000ull) - (0x1p52 + 1023.0) - tiny;
}

/* Natural logarithm. log 0 = -inf, log inf = inf; TIDE_NAN for x < 0 and NaN. */
TIDE_FN double tide_log(double x) {
    double m, k = tide_split_exponent(x, &m);
    double f = m - 1.0, s = f / (2.0 + f), z = s * s;
    double p = 0x1.0c0aff044a970p-3;
    p = tide_fma(p, z, 0x1.0fbde0f4ad17bp-3);
    p = tide_fma(p, z, 0x1.3b1c3c1c81c8fp-3);
    p = tide_fma(p, z, 0x1.745cf8e4bba1bp-3);
    p = tide_fma(p, z, 0x1.c71c7201a55d7p-3);
    p = tide_fma(p, z, 0x1.2492492476a1ap-2);
    p = tide_fma(p, z, 0x1.9999999999a39p-2);
    p = tide_fma(p, z, 0x1.5555555555555p-1);
    double low = tide_fma(k, TIDE_LN2_LOW, -(s * (f - z * p)));
    double r = k * TIDE_LN2_HIGH + (f + low);
    r = x < TIDE_INF ? r : TIDE_INF;
    r = x > 0.0 ? r : -TIDE_INF;
    return x >= 0.0 ? r : TIDE_NAN;
}

/* log x in double-double for x > 0 finite (the value is meaningless for others). */
TIDE_FN tide_pair tide_log_pair(double x) {
    double m, k = tide_split_exponent(x, &m);
    double f = m - 1.0, d = 1.0 + m, d_low = m - (d - 1.0);
    double s = f / d, s_low = (tide_fma(-s, d, f) - s * d_low) / d;
    double z = s * s, z_low = tide_fma(s, s, -z) + 2.0 * s * s_low;
    double q = 0x1.087e4945615c6p-3;
    q = tide_fma(q, z, 0x1.1018374c7f117p-3);
    q = tide_fma(q, z, 0x1.3b18bc82cc745p-3);
    q = tide_fma(q, z, 0x1.745d09e3d8241p-3);
    q = tide_fma(q, z, 0x1.c71c71d7fbbacp-3);
    q = tide_fma(q, z, 0x1.249249248e4d8p-2);
    q = tide_fma(q, z, 0x1.999999999999fp-2) * z;
    /* a = 2/3 + z Q(z), b = z a, c = s b; log m = 2 s + c */
    double a = 0x1.5555555555555p-1 + q, a_low = (0x1.5555555555555p-1 - a) + q + 0x1.5555555555555p-55;
    double b = z * a, b_low = tide_fma(z, a, -b) + tide_fma(z, a_low, z_low * a);
    double c = s * b, c_low = tide_fma(s, b, -c) + tide_fma(s, b_low, s_low * b);
    double l = 2.0 * s + c, l_low = (2.0 * s - l) + c + tide_fma(2.0, s_low, c_low);
    tide_pair r;
    double h = k * TIDE_LN2_HIGH;
    r.high = h + l;
    r.low = (h - r.high) + l + tide_fma(k, TIDE_LN2_LOW, l_low);
    return r;
}

/* exp(x + low), |low| tiny beside 1; x must not be NaN. */
TIDE_FN double tide_exp_pair(double x, double low) {
    double t = tide_max(tide_min(x, 720.0), -760.0);
    double k = tide_fma(t, 0x1.71547652b82fep+0, 0x1.8p52) - 0x1.8p52; /* nearest integer of t/ln2 */
    double r = tide_fma(-k, 0x1.62e42fefa39efp-1, t);
    r = tide_fma(-k, 0x1.abc9e3b39803fp-56, r) + low;
    double p = 0x1.1f7340dbc337ep-29;
    p = tide_fma(p, r, 0x1.af4e554377204p-26);
    p = tide_fma(p, r, 0x1.27e4db46cddd1p-22);
    p = tide_fma(p, r, 0x1.71de01fdbf9cap-19);
    p = tide_fma(p, r, 0x1.a01a01a6e1e2ap-16);
    p = tide_fma(p, r, 0x1.a01a01abf85abp-13);
    p = tide_fma(p, r, 0x1.6c16c16c162c3p-10);
    p = tide_fma(p, r, 0x1.11111111100bep-7);
    p = tide_fma(p, r, 0x1.5555555555556p-5);
    p = tide_fma(p, r, 0x1.5555555555557p-3);
    p = tide_fma(p, r, 0.5);
    p = 1.0 + tide_fma(r * r, p, r);
    /* 2^k as two factors: the low bits of a double near 1.5*2^52 are an integer, here one exponent field
     * each. */
    double half = (k * 0.5 + 0x1.8p52) - 0x1.8p52;
    uint64_t u = tide_to_bits(half + (0x1.8p52 + 1023.0)) << 52;
    uint64_t v = tide_to_bits((k - half) + (0x1.8p52 + 1023.0)) << 52;
    return p * tide_from_bits(u) * tide_from_bits(v);
}

/* e^x. inf above 709.78, gradual underflow to 0 below -708.4; TIDE_NAN for NaN. */
TIDE_FN double tide_exp(double x) {
    double r = tide_exp_pair(x, 0.0);
    return tide_is_nan(x) ? TIDE_NAN : r;
}

/* x^y for x >= 0 and any y. As C's pow there: x^0 = 1^y = 1 even for NaN, 0^y is 0 or inf, inf^y is inf or 0.
 * TIDE_NAN for x < 0 (also where y is an integer: use multiplication there). */
TIDE_FN double tide_pow(double x, double y) {
    tide_pair l = tide_log_pair(x);
    double h = y * l.high;
    double low = tide_fma(y, l.high, -h) + y * l.low;
    int inside = tide_abs(h) < 800.0;
    /* x outside (0, inf) has logarithm -inf or inf; also h that overflows or is NaN (0*inf, settled
     * below). */
    double edge = x < 1.0 ? -y : y;
    double r = tide_exp_pair(inside ? h : h > 0.0 ? 800.0 : -800.0, inside ? low : 0.0);
    double limit = edge > 0.0 ? TIDE_INF : 0.0;
    r = ((x > 0.0) & (x < TIDE_INF)) ? r : limit;
    r = ((x >= 0.0) & (y == y)) ? r : TIDE_NAN;
    return ((x == 1.0) | (y == 0.0)) ? 1.0 : r;
}

#endif
