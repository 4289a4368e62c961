/* interpolate.h - a guess for missing values, where a method needs every step: the line between the
 * neighbours present, and the nearest value at the ends. Methods that also know weights (stl.h) let the guess
 * count for next to nothing, so that their own estimate takes its place. Scalar, one series. */
#ifndef TIDE_INTERPOLATE_H
#define TIDE_INTERPOLATE_H

#include "kernels/loess.h"

/* Copies y [n] (stride ys, TIDE_NAN = missing) into out [n] with missing values replaced; weight [n]: 1, and
 * `missing` for a guess (out and weight: stride s). Returns the number of values present; nothing is replaced
 * when that is 0. */
TIDE_FN int tide_interpolate(const double *y, size_t ys, int n, double missing, double *out, double *weight,
                             size_t s) {
    int last = -1, count = 0;
    for (int t = 0; t < n; ++t) {
        double v = TIDE_EL(y, t, ys);
        TIDE_EL(out, t, s) = v;
        TIDE_EL(weight, t, s) = tide_is_nan(v) ? missing : 1.0;
        if (tide_is_nan(v))
            continue;
        if (last < 0)
            for (int j = 0; j < t; ++j)
                TIDE_EL(out, j, s) = v;
        else if (t - last > 1)
            tide_join(out, last, t, s);
        last = t;
        ++count;
    }
    for (int j = last + 1; last >= 0 && j < n; ++j)
        TIDE_EL(out, j, s) = TIDE_EL(out, last, s);
    return count;
}

#endif
