/* ets_admissible.h - is a seasonal form with trend forecastable at these coefficients?
 *
 * The usual region (boxes of fit.h) does not keep past innovations from growing: the discount matrix must
 * have its eigenvalues within the unit circle. For the seasonal forms these are the roots of (Hyndman et al.
 * 2008, section 10.2)
 *
 *     z^(m+1) + (a+b-phi) z^m + (a+b-a phi)(z^(m-1) + ... + z^2) + (a+b-a phi+g-1) z + phi(1-a-g)
 *
 * with a, b, g, phi = alpha, beta, gamma, phi; multiplicative forms use the same polynomial, as R's ets()
 * does. Without trend it has a root at exactly 1 and the others inside, throughout the usual region, so
 * nothing is tested there; nor for forms without season, where the usual region lies within the admissible
 * one.
 *
 * Test: Schur-Cohn step-down. From p of degree d with leading coefficient c_d and k = c_0/c_d, the polynomial
 * c_{i+1} - k c_{d-1-i} of degree d-1 has as many roots inside as p less one, provided |k| < 1. About m^2/2
 * fma and m divisions, in place: each step leaves its result one element further on. */
#ifndef TIDE_ETS_ADMISSIBLE_H
#define TIDE_ETS_ADMISSIBLE_H

#include "kernels/ets.h"

/* c: scratch [m+2] of a lane block. Sets bad[k] = 1.0 where a root lies on or outside the unit circle, else
 * leaves it. */
TIDE_FN void tide_ets_admissible(int m, const double *alpha, const double *beta, const double *gamma,
                                 const double *phi, double *c, size_t tide_stride, double *bad) {
    (void)tide_stride;
    TIDE_EACH_LANE(k) {
        double middle = alpha[k] + beta[k] - alpha[k] * phi[k];
        TIDE_AT(c, 0, k) = phi[k] * (1.0 - alpha[k] - gamma[k]);
        TIDE_AT(c, 1, k) = middle + gamma[k] - 1.0;
        TIDE_AT(c, m, k) = alpha[k] + beta[k] - phi[k];
        TIDE_AT(c, m + 1, k) = 1.0;
    }
    for (int i = 2; i < m; ++i)
        TIDE_EACH_LANE(k) TIDE_AT(c, i, k) = alpha[k] + beta[k] - alpha[k] * phi[k];
    for (int degree = m + 1, base = 0; degree > 0; --degree, ++base) {
        double reflection[TIDE_LANES];
        TIDE_EACH_LANE(k) {
            double first = TIDE_AT(c, base, k), last = TIDE_AT(c, base + degree, k);
            double r = first / last;
            reflection[k] = r;
            bad[k] = tide_abs(r) < 1.0 ? bad[k] : 1.0;
            TIDE_AT(c, base + degree, k) = tide_fma(-r, first, last);
        }
        int p = base + 1, q = base + degree - 1;
        for (; p < q; ++p, --q)
            TIDE_EACH_LANE(k) {
                double u = TIDE_AT(c, p, k), v = TIDE_AT(c, q, k);
                TIDE_AT(c, p, k) = tide_fma(-reflection[k], v, u);
                TIDE_AT(c, q, k) = tide_fma(-reflection[k], u, v);
            }
        if (p == q)
            TIDE_EACH_LANE(k) TIDE_AT(c, p, k) = tide_fma(-reflection[k], TIDE_AT(c, p, k), TIDE_AT(c, p, k));
    }
}

#endif
