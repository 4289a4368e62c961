/* naive.h - the benchmark families NAIVE, SNAIVE, DRIFT and MEAN: fit of one series in one or two passes.
 *
 * Each is a special case of additive exponential smoothing with fixed coefficients (Hyndman et al. 2008, ch.
 * 2), so that likelihood, criterion, states, variances and simulation are those of ets.h and compare with it
 * exactly:
 *
 *     family   as ETS   coefficients           estimated               n_params   needs
 *     NAIVE    ANN      alpha = 1              first level, sigma2     2          2 values
 *     SNAIVE   ANA      alpha = 0, gamma = 1   m first seasons, ~      m + 1      every season, one twice
 *     DRIFT    AAN      alpha = 1, beta = 0    first level, slope, ~   3          3 values
 *     MEAN     ANN      alpha = 0              level, ~                2          2 values (1: see below)
 *
 * The first value (SNAIVE: the first of each season) fixes the first state and has innovation 0. With n the
 * values present and S the sum of squared innovations,
 *
 *     loglik = -(n/2) log S          as R's ets(): constants left out; S no less than 1e-300
 *     sigma2 = S/(n - n_params + 1)  innovations less slopes: as R's naive, snaive, rwf(drift) and meanf
 *
 * Missing values carry the states forward without an innovation, as in ets.h: NAIVE predicts the last present
 * value, SNAIVE the last present value of the season; the variance at horizon h does not grow by the steps
 * that are missing at the end. DRIFT's slope is (last - first present value)/(steps between), a gap of g
 * steps predicts g slopes, and the level is carried along the slope over missing steps at the end.
 *
 * Results: state row 0 the level (last value, or the mean) at the last step, row 1 the slope (DRIFT), rows
 * 2..m+1 the seasons, next period's first; other rows 0. coef row 0 = the variance of the estimated slope
 * (DRIFT, 1/steps) or mean (MEAN, 1/n) over sigma2; other rows 0. So variances of forecasts are (sigma2
 * times)
 *
 *     NAIVE h    SNAIVE floor((h-1)/m) + 1    DRIFT h + h^2/steps    MEAN 1 + 1/n
 *
 * One value only: MEAN fits with sigma2 = 0 (nothing is known of the spread; the outcome says SHORT). */
#ifndef TIDE_NAIVE_H
#define TIDE_NAIVE_H

#include "kernels/batch.h"
#include "kernels/tide_math.h"

/* One series: y_t at y[t*stride], t = 0..n-1, TIDE_NAN = missing. In a tile: base + lane, TIDE_TILE_WIDTH,
 * length. */
typedef struct tide_naive_series {
    const double *y;
    size_t stride;
    int32_t n;
} tide_naive_series;

typedef struct tide_naive_model {
    int32_t n_obs, n_params;
    double level, slope; /* state rows 0 and 1 */
    double relative;     /* coef row 0 */
    double sigma2, loglik;
} tide_naive_model;

/* First and last present step (-1 when there is none) and the number of values present. */
TIDE_FN int32_t tide_naive_span(tide_naive_series s, int32_t *first, int32_t *last) {
    int32_t count = 0;
    *first = -1;
    *last = -1;
    for (int32_t t = 0; t < s.n; ++t) {
        if (tide_is_nan(s.y[(size_t)t * s.stride]))
            continue;
        if (*first < 0)
            *first = t;
        *last = t;
        ++count;
    }
    return count;
}

/* Sum of squared innovations of SNAIVE; *phases = seasons that have a value. Slot (t - n) mod m belongs to
 * step t, so that slot 0 ends as the season of the next period. */
TIDE_FN double tide_naive_seasons(tide_naive_series s, int m, double *season, size_t season_stride,
                                  int32_t *phases) {
    double sum = 0.0;
    int32_t seen = 0;
    int slot = (m - s.n % m) % m;
    for (int i = 0; i < m; ++i)
        season[(size_t)i * season_stride] = TIDE_NAN;
    for (int32_t t = 0; t < s.n; ++t) {
        double y = s.y[(size_t)t * s.stride], *last = &season[(size_t)slot * season_stride];
        slot = slot + 1 == m ? 0 : slot + 1;
        if (tide_is_nan(y))
            continue;
        if (tide_is_nan(*last))
            ++seen;
        else
            sum = tide_fma(y - *last, y - *last, sum);
        *last = y;
    }
    *phases = seen;
    return sum;
}

/* Fits `family` (TIDE_FAMILY_NAIVE, SNAIVE, DRIFT or MEAN) with season length m. season: SNAIVE's scratch and
 * result, m elements at season[i*season_stride]; untouched by the others, for which it may be NULL. Returns 1
 * with *out set; 0, with *out untouched, when the series has too few values for the family or a sum
 * overflows. */
TIDE_FN int tide_naive_fit(int family, int m, tide_naive_series s, tide_naive_model *out, double *season,
                           size_t season_stride) {
    int32_t first, last;
    tide_naive_model r = {0, 2, 0.0, 0.0, 0.0, 0.0, 0.0};
    double sum = 0.0;
    r.n_obs = tide_naive_span(s, &first, &last);
    if (r.n_obs < (family == TIDE_FAMILY_MEAN ? 1 : family == TIDE_FAMILY_DRIFT ? 3 : 2))
        return 0;
    if (family == TIDE_FAMILY_SNAIVE) {
        int32_t phases;
        sum = tide_naive_seasons(s, m, season, season_stride, &phases);
        if (phases < m || r.n_obs <= m)
            return 0;
        r.n_params = m + 1;
    } else if (family == TIDE_FAMILY_MEAN) {
        double total = 0.0;
        for (int32_t t = first; t <= last; ++t) {
            double y = s.y[(size_t)t * s.stride];
            if (!tide_is_nan(y))
                total += y;
        }
        r.level = total / (double)r.n_obs;
        for (int32_t t = first; t <= last; ++t) {
            double y = s.y[(size_t)t * s.stride];
            if (!tide_is_nan(y))
                sum = tide_fma(y - r.level, y - r.level, sum);
        }
        r.relative = 1.0 / (double)r.n_obs;
    } else {
        double level = s.y[(size_t)first * s.stride], end = s.y[(size_t)last * s.stride];
        if (family == TIDE_FAMILY_DRIFT) {
            r.slope = (end - level) / (double)(last - first);
            r.relative = 1.0 / (double)(last - first);
            r.n_params = 3;
        }
        for (int32_t t = first + 1, at = first; t <= last; ++t) {
            double y = s.y[(size_t)t * s.stride];
            if (tide_is_nan(y))
                continue;
            double e = y - tide_fma((double)(t - at), r.slope, level);
            sum = tide_fma(e, e, sum);
            level = y;
            at = t;
        }
        r.level = tide_fma((double)(s.n - 1 - last), r.slope, level);
    }
    r.sigma2 = r.n_obs > r.n_params - 1 ? sum / (double)(r.n_obs - r.n_params + 1) : 0.0;
    r.loglik = -0.5 * (double)r.n_obs * tide_log(tide_max(sum, 1e-300));
    if (!(tide_is_finite(sum) && tide_is_finite(r.level) && tide_is_finite(r.slope)))
        return 0;
    *out = r;
    return 1;
}

#endif
