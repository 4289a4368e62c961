/* fourier.h - the Fourier terms of a period: sine and cosine of whole fractions of a turn.
 *
 * Regressor j of `pairs` pairs at time t (1 = the first step) is sin(2 pi k t/m) for even j and cos(2 pi k t/m) for odd
 * j, k = j/2 + 1, m the period. The fraction k*t/m is reduced in whole numbers to an eighth of a turn before anything is
 * rounded, so that the terms repeat exactly after m steps, however large t is, and the error stays below one unit of
 * the last place. On [0, pi/4] Taylor's series to x^17 and x^16 have a truncation below 2e-18. */
#ifndef TIDE_FOURIER_H
#define TIDE_FOURIER_H

#include "kernels/tide_math.h"

/* sin (high) and cos (low) of 2 pi j/m; 0 <= j < m. */
TIDE_FN tide_pair tide_turn(int64_t j, int64_t m) {
    int64_t eighth = 8 * j / m, rest = 8 * j - eighth * m;
    int odd = (int)(eighth & 1);
    double x = 0x1.921fb54442d18p-1 * ((double)(odd ? m - rest : rest) / (double)m), z = x * x;
    double s = 0x1.952c77030ad4ap-49; /* 1/17! */
    s = tide_fma(s, z, -0x1.ae7f3e733b81fp-41);
    s = tide_fma(s, z, 0x1.6124613a86d09p-33);
    s = tide_fma(s, z, -0x1.ae64567f544e4p-26);
    s = tide_fma(s, z, 0x1.71de3a556c734p-19);
    s = tide_fma(s, z, -0x1.a01a01a01a01ap-13);
    s = tide_fma(s, z, 0x1.1111111111111p-7);
    s = tide_fma(s, z, -0x1.5555555555555p-3);
    s = tide_fma(s * z, x, x);
    double c = 0x1.ae7f3e733b81fp-45; /* 1/16! */
    c = tide_fma(c, z, -0x1.93974a8c07c9dp-37);
    c = tide_fma(c, z, 0x1.1eed8eff8d898p-29);
    c = tide_fma(c, z, -0x1.27e4fb7789f5cp-22);
    c = tide_fma(c, z, 0x1.a01a01a01a01ap-16);
    c = tide_fma(c, z, -0x1.6c16c16c16c17p-10);
    c = tide_fma(c, z, 0x1.5555555555555p-5);
    c = tide_fma(c, z, -0.5);
    c = tide_fma(c, z, 1.0);
    /* eighths 0..7: (s, c) (c, s) (c, -s) (s, -c) (-s, -c) (-c, -s) (-c, s) (-s, c) of the reduced angle */
    int swap = (int)((eighth + 1) >> 1 & 1);
    double sine = swap ? c : s, cosine = swap ? s : c;
    tide_pair r;
    r.high = eighth >= 4 ? -sine : sine;
    r.low = (eighth >= 2) & (eighth < 6) ? -cosine : cosine;
    return r;
}

/* Regressor j at time t >= 0. */
TIDE_FN double tide_fourier(int j, int64_t t, int64_t m) {
    tide_pair p = tide_turn((int64_t)(j / 2 + 1) * t % m, m);
    return j % 2 ? p.low : p.high;
}

#endif
