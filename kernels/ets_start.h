/* ets_start.h - where the search for an ETS form begins: seasonal decomposition, level and trend,
 * coefficients.
 *
 * Decomposition (classical, Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", section 3.4):
 * the trend is a centred moving average over a period (2 x m where m is even), the season of slot j = t mod m
 * the mean of y less trend (y over trend) at its steps, normalised to sum 0 (mean 1). Missing values: the
 * average is over the values present; a second round takes the average of the seasonally adjusted values, so
 * that a gap in a peak season does not bend the trend. A window that is not full, at the ends or over a gap,
 * counts 2^-20 of a full one: it matters only where a slot has nothing better. A slot without any value is
 * neutral. No window looks past the lane's own steps in another way than at missing values, so the tile's
 * length does not matter to the bits.
 *
 * Level and trend: least squares over the first max(10, 2m) values present, seasonally adjusted. */
#ifndef TIDE_ETS_START_H
#define TIDE_ETS_START_H

#include "kernels/ets_eval.h"

/* Centred moving average at step t of the adjusted series in p->tape (value and presence of a step side by
 * side, 0 where missing); *weight = 1 for a full window, 2^-20 for one at least half full, else 0 (then the
 * average is 1). */
TIDE_FN void tide_ets_window(const tide_ets_problem *p, int32_t t, double *average, double *weight) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    const int m = p->season, half = m / 2;
    double sum[TIDE_LANES], count[TIDE_LANES];
    TIDE_EACH_LANE(k) sum[k] = count[k] = 0.0;
    int32_t from = t - half > 0 ? t - half : 0, to = t + half < p->rows ? t + half : p->rows - 1;
    for (int32_t at = from; at <= to; ++at) {
        double share = m % 2 == 0 && (at == t - half || at == t + half) ? 0.5 : 1.0;
        const double *v = p->tape + 2 * (size_t)at * TIDE_STRIDE;
        TIDE_EACH_LANE(k) {
            sum[k] = tide_fma(share, TIDE_AT(v, 0, k), sum[k]);
            count[k] = tide_fma(share, TIDE_AT(v, 1, k), count[k]);
        }
    }
    TIDE_EACH_LANE(k) {
        int some = count[k] >= 0.5 * (double)m;
        average[k] = some ? sum[k] / count[k] : 1.0;
        weight[k] = count[k] == (double)m ? 1.0 : some ? 0x1p-20 : 0.0;
    }
}

/* season [m]: the additive (kind TIDE_ADD) or multiplicative decomposition; scratch [2m]. Multiplicative: for
 * lanes whose values are all positive; others hold anything. Uses 2*rows of p->tape. Cost: 2 rows*m window
 * terms. */
TIDE_CALLED void tide_ets_decompose(int kind, const tide_ets_problem *p, double *season, double *scratch) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    const int m = p->season;
    const double neutral = kind == TIDE_MUL ? 1.0 : 0.0;
    double *sums = scratch, *weights = scratch + (size_t)m * TIDE_STRIDE;
    for (int j = 0; j < m; ++j)
        TIDE_EACH_LANE(k) TIDE_AT(season, j, k) = neutral;
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 2 * m; ++i)
            TIDE_EACH_LANE(k) TIDE_AT(scratch, i, k) = 0.0;
        for (int32_t t = 0; t < p->rows; ++t) {
            const double *y = p->y + (size_t)t * TIDE_TILE_WIDTH, *s = season + (size_t)(t % m) * TIDE_STRIDE;
            double *v = p->tape + 2 * (size_t)t * TIDE_STRIDE;
            TIDE_EACH_LANE(k) {
                double adjusted = kind == TIDE_MUL ? y[k] / TIDE_AT(s, 0, k) : y[k] - TIDE_AT(s, 0, k);
                TIDE_AT(v, 0, k) = tide_is_nan(y[k]) ? 0.0 : adjusted;
                TIDE_AT(v, 1, k) = tide_is_nan(y[k]) ? 0.0 : 1.0;
            }
        }
        for (int32_t t = 0; t < p->rows; ++t) {
            double average[TIDE_LANES], weight[TIDE_LANES];
            const double *y = p->y + (size_t)t * TIDE_TILE_WIDTH;
            tide_ets_window(p, t, average, weight);
            int j = (int)(t % m);
            TIDE_EACH_LANE(k) {
                double d = kind == TIDE_MUL ? y[k] / average[k] : y[k] - average[k];
                double w = tide_is_nan(y[k]) ? 0.0 : weight[k];
                TIDE_AT(sums, j, k) += w > 0.0 ? w * d : 0.0;
                TIDE_AT(weights, j, k) += w;
            }
        }
        double total[TIDE_LANES];
        TIDE_EACH_LANE(k) total[k] = 0.0;
        for (int j = 0; j < m; ++j)
            TIDE_EACH_LANE(k) {
                double w = TIDE_AT(weights, j, k), s = w > 0.0 ? TIDE_AT(sums, j, k) / w : neutral;
                s = kind == TIDE_MUL ? tide_max(0.01, s) : s;
                TIDE_AT(season, j, k) = s;
                total[k] += s;
            }
        for (int j = 0; j < m; ++j)
            TIDE_EACH_LANE(k) {
                double mean = total[k] / (double)m, s = TIDE_AT(season, j, k);
                TIDE_AT(season, j, k) = kind == TIDE_MUL ? s / mean : s - mean;
            }
    }
}

/* Level before the first step and trend a step, by least squares, into level and trend ([1] each; trend NULL:
 * the mean). */
TIDE_FN void tide_ets_start_line(tide_ets_form form, const tide_ets_problem *p, double *level,
                                 double *trend) {
    size_t tide_stride = p->stride;
    (void)tide_stride;
    const int m = form.season == TIDE_NO ? 1 : p->season;
    const double most = 2 * m > 10 ? 2.0 * (double)m : 10.0;
    double n[TIDE_LANES], st[TIDE_LANES], stt[TIDE_LANES], sy[TIDE_LANES], sty[TIDE_LANES], last[TIDE_LANES];
    TIDE_EACH_LANE(k) n[k] = st[k] = stt[k] = sy[k] = sty[k] = last[k] = 0.0;
    for (int32_t t = 0; t < p->rows; ++t) {
        const double *y = p->y + (size_t)t * TIDE_TILE_WIDTH, *s = p->fixed + (size_t)(t % m) * TIDE_STRIDE;
        double at = (double)(t + 1);
        TIDE_EACH_LANE(k) {
            double v = form.season == TIDE_MUL   ? y[k] / TIDE_AT(s, 0, k)
                       : form.season == TIDE_ADD ? y[k] - TIDE_AT(s, 0, k)
                                                 : y[k];
            int in = !tide_is_nan(y[k]) & (n[k] < most);
            v = in ? v : 0.0;
            last[k] = tide_is_nan(y[k]) ? last[k] : at;
            double w = in ? 1.0 : 0.0;
            n[k] += w;
            st[k] = tide_fma(w, at, st[k]);
            stt[k] = tide_fma(w * at, at, stt[k]);
            sy[k] += v;
            sty[k] = tide_fma(at, v, sty[k]);
        }
    }
    TIDE_EACH_LANE(k) {
        double mean = sy[k] / n[k], spread = tide_fma(n[k], stt[k], -st[k] * st[k]);
        if (form.trend == TIDE_NO) {
            TIDE_AT(level, 0, k) = mean;
        } else {
            double slope = tide_fma(n[k], sty[k], -st[k] * sy[k]) / spread;
            double l = mean - slope * (st[k] / n[k]);
            /* A multiplicative error needs f > 0 from the first step to the last. */
            int positive = (l > 0.1 * mean) & (l + slope * last[k] > 0.1 * mean);
            int sloped = (spread > 0.0) & ((form.error == TIDE_ADD) | positive);
            TIDE_AT(level, 0, k) = sloped ? l : mean;
            TIDE_AT(trend, 0, k) = sloped ? slope : 0.0;
        }
    }
}

/* Starts of the boxed parameters: number `i` of `tide_ets_n_starts`. The first is the one to take where one
 * is enough. */
typedef struct tide_ets_guess {
    double alpha, u1, u2, phi;
} tide_ets_guess;

enum { TIDE_ETS_CAREFUL = 3 }; /* the start that keeps f > 0 (ets_fit.h): large alpha, small beta and gamma */

TIDE_FN int tide_ets_n_starts(tide_ets_form form) {
    return form.season != TIDE_NO ? (form.trend == TIDE_NO ? 6 : 8) : form.trend == TIDE_NO ? 6 : 12;
}

/* Where the two starts to keep are the best of two groups: the group of start i, else -1. With a trend and no season
 * a small and a large beta often have an optimum each. */
TIDE_FN int tide_ets_start_group(tide_ets_form form, int i) {
    return form.trend == TIDE_ADD && form.season == TIDE_NO ? i / 4 > 0 : -1;
}

TIDE_FN tide_ets_guess tide_ets_guess_of(tide_ets_form form, int i) {
    tide_ets_guess g = {0.3, 0.1, 0.1, 0.95};
    const int careful = form.error == TIDE_MUL && i == TIDE_ETS_CAREFUL;
    if (form.season != TIDE_NO) {
        g.alpha = i == 0   ? 0.3
                  : i == 1 ? 0.1
                  : i == 2 ? 0.6
                  : i == 3 ? 0.9
                  : i == 4 ? 0.05
                  : i == 5 ? 0.4
                           : 0.95;
        g.u1 = careful ? 0.0 : i == 4 ? 0.4 : i == 6 ? 0.6 : i == 7 ? 0.4 : 0.05;
        g.u2 = careful ? 0.0 : i == 1 ? 0.5 : i == 4 ? 0.02 : i == 5 ? 0.8 : i == 7 ? 0.3 : 0.05;
        if (i == 7)
            g.alpha = 0.4;
        g.phi = i == 3 || i == 7 ? 0.85 : 0.95;
    } else if (form.trend == TIDE_NO) {
        g.alpha = i == 0 ? 0.3 : i == 1 ? 0.1 : i == 2 ? 0.6 : i == 3 ? 0.9 : i == 4 ? 0.02 : 0.99;
    } else {
        int a = i % 4, b = i / 4;
        g.alpha = a == 0 ? 0.3 : a == 1 ? 0.08 : a == 2 ? 0.6 : 0.95;
        g.u1 = careful ? 0.0 : b == 0 ? 0.05 : b == 1 ? 0.4 : 0.95;
        g.phi = a % 2 ? 0.85 : 0.96;
    }
    return g;
}

#endif
