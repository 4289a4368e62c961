/* normal.h - the standard normal distribution: density, distribution function and quantile, branch-free.
 *
 *   cdf       For a = |x|: upper tail Q(a) = exp(-a^2/2) G(a), where (1 + a) G(a) is smooth in
 *             t = (a - 5)/(a + 5) over all of [-1, 1): one polynomial of degree 25 (Chebyshev interpolation,
 *             50 digits) serves the whole axis, as Schonfelder (1978, Math. Comp. 32) does for erfc. a^2 is
 *             carried in double-double. Relative error measured: 5e-16 down to x = -37.5.
 *   quantile  Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988) 477-484, coefficients from
 *             there: three rational functions; the one that applies is chosen coefficient by coefficient, so
 *             that lanes do not diverge. Relative error measured: 7e-16 for 1e-300 <= p < 1. */
#ifndef TIDE_NORMAL_H
#define TIDE_NORMAL_H

#include "kernels/tide_math.h"

/* exp(-a*a/2), a^2 in double-double. |a| < 1e150. */
TIDE_FN double tide_gauss(double a) {
    double h = a * a;
    return tide_exp_pair(-0.5 * h, -0.5 * tide_fma(a, a, -h));
}

/* P(X > a) / exp(-a^2/2) for 0 <= a <= 64. */
TIDE_FN double tide_normal_tail_ratio(double a) {
    double t = (a - 5.0) / (a + 5.0);
    double p = 0x1.30062054a108ep-34;
    p = tide_fma(p, t, 0x1.b955cb7ff3a54p-36);
    p = tide_fma(p, t, -0x1.bf4ba0379225ap-31);
    p = tide_fma(p, t, -0x1.dbca95d80f093p-32);
    p = tide_fma(p, t, 0x1.8017aa0503ca1p-28);
    p = tide_fma(p, t, 0x1.146c73b270e82p-28);
    p = tide_fma(p, t, -0x1.1a1cc899b95efp-25);
    p = tide_fma(p, t, -0x1.cdd46144f1540p-26);
    p = tide_fma(p, t, 0x1.a9a2ba039b1f7p-23);
    p = tide_fma(p, t, 0x1.13d704d4ff509p-23);
    p = tide_fma(p, t, -0x1.5f51169c3595ap-20);
    p = tide_fma(p, t, -0x1.2fae62e6021c7p-24);
    p = tide_fma(p, t, 0x1.30047a130439ap-17);
    p = tide_fma(p, t, -0x1.4c0d87bd7511ap-17);
    p = tide_fma(p, t, -0x1.c1b1cde8ba3f7p-15);
    p = tide_fma(p, t, 0x1.7e61e04f1d12cp-13);
    p = tide_fma(p, t, 0x1.0571a2d2e6013p-17);
    p = tide_fma(p, t, -0x1.b75f4f7ed3169p-10);
    p = tide_fma(p, t, 0x1.ab6d038d68973p-8);
    p = tide_fma(p, t, -0x1.f11aab030cc7ap-7);
    p = tide_fma(p, t, 0x1.92037bab4662ep-6);
    p = tide_fma(p, t, -0x1.b08e0007b4c6ap-6);
    p = tide_fma(p, t, 0x1.47c1d03054999p-7);
    p = tide_fma(p, t, 0x1.fc66cc64a13dfp-6);
    p = tide_fma(p, t, -0x1.76ff86859eb14p-4);
    p = tide_fma(p, t, 0x1.d8979b0f2b39dp-2);
    return p / (1.0 + a);
}

/* P(X <= x) and, in *density, the density at x. 0 at -inf, 1 at inf; for NaN both TIDE_NAN. */
TIDE_FN double tide_normal_both(double x, double *density) {
    double a = tide_min(tide_abs(x), 64.0), g = tide_gauss(a), q = tide_normal_tail_ratio(a) * g;
    *density = tide_is_nan(x) ? TIDE_NAN : 0x1.9884533d43651p-2 * g;
    return tide_is_nan(x) ? TIDE_NAN : x < 0.0 ? q : 1.0 - q;
}

TIDE_FN double tide_normal_cdf(double x) {
    double density;
    return tide_normal_both(x, &density);
}

TIDE_FN double tide_normal_density(double x) {
    double density;
    tide_normal_both(x, &density);
    return density;
}

/* x with P(X <= x) = p. -inf at 0, inf at 1, TIDE_NAN outside [0, 1]. */
TIDE_FN double tide_normal_quantile(double p) {
    double q = p - 0.5, edge = q < 0.0 ? p : 1.0 - p;
    int central = tide_abs(q) <= 0.425;
    double w = tide_sqrt(-tide_log(edge > 0.0 ? edge : 1.0));
    int near = w <= 5.0;
    double r = central ? 0.180625 - q * q : near ? w - 1.6 : w - 5.0;
    double a, b;
#define TIDE_PICK_(c, n, f) (central ? (c) : near ? (n) : (f))
    a = TIDE_PICK_(2509.0809287301226727, 7.7454501427834140764e-4, 2.01033439929228813265e-7);
    b = TIDE_PICK_(5226.495278852545925, 1.05075007164441684324e-9, 2.04426310338993978564e-15);
    a = tide_fma(a, r,
                 TIDE_PICK_(33430.575583588128105, 0.0227238449892691845833, 2.71155556874348757815e-5));
    b = tide_fma(b, r, TIDE_PICK_(28729.085735721942674, 5.475938084995344946e-4, 1.4215117583164458887e-7));
    a = tide_fma(a, r, TIDE_PICK_(67265.770927008700853, 0.24178072517745061177, 1.2426609473880784386e-3));
    b = tide_fma(b, r, TIDE_PICK_(39307.89580009271061, 0.0151986665636164571966, 1.8463183175100546818e-5));
    a = tide_fma(a, r, TIDE_PICK_(45921.953931549871457, 1.27045825245236838258, 0.026532189526576123093));
    b = tide_fma(b, r, TIDE_PICK_(21213.794301586595867, 0.14810397642748007459, 7.868691311456132591e-4));
    a = tide_fma(a, r, TIDE_PICK_(13731.693765509461125, 3.64784832476320460504, 0.29656057182850489123));
    b = tide_fma(b, r, TIDE_PICK_(5394.1960214247511077, 0.68976733498510000455, 0.0148753612908506148525));
    a = tide_fma(a, r, TIDE_PICK_(1971.5909503065514427, 5.7694972214606914055, 1.7848265399172913358));
    b = tide_fma(b, r, TIDE_PICK_(687.1870074920579083, 1.6763848301838038494, 0.13692988092273580531));
    a = tide_fma(a, r, TIDE_PICK_(133.14166789178437745, 4.6303378461565452959, 5.4637849111641143699));
    b = tide_fma(b, r, TIDE_PICK_(42.313330701600911252, 2.05319162663775882187, 0.59983220655588793769));
    a = tide_fma(a, r, TIDE_PICK_(3.387132872796366608, 1.42343711074968357734, 6.6579046435011037772));
    b = tide_fma(b, r, 1.0);
#undef TIDE_PICK_
    double ratio = a / b;
    double x = central ? q * ratio : q < 0.0 ? -ratio : ratio;
    x = edge > 0.0 ? x : q < 0.0 ? -TIDE_INF : TIDE_INF;
    return ((p >= 0.0) & (p <= 1.0)) ? x : TIDE_NAN;
}

#endif
