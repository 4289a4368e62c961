/* test_kernel_arima_diff.c - loess.h, stl.h, interpolate.h, arima_diff.h, boxcox.h: values by hand, then
 * those of R's forecast package (golden/tests.csv), strides, and what must not happen. */
#include "kernels/arima_diff.h"
#include "kernels/boxcox.h"
#include "tests/golden.h"

#include <criterion/criterion.h>
#include <math.h>

enum { MOST = 600 };

static const tide_arima_spec by_test = {.d = -1, .D = -1, .max_d = 2, .max_D = 1};

/* The orders of y [n], computed with every array at stride s; guards behind the work. */
static tide_arima_diffs orders(const tide_arima_spec *spec, const double *y, int n, int season, size_t s) {
    size_t elements = tide_arima_diff_elements(n, season);
    double *spread = malloc(((size_t)n * s + 1) * sizeof *spread),
           *work = malloc((elements * s + 1) * sizeof *work);
    for (int t = 0; t < n; ++t)
        spread[(size_t)t * s] = y[t];
    for (size_t i = 0; i <= elements * s; ++i)
        work[i] = -77.0;
    tide_arima_diffs r = tide_arima_choose_d(spec, spread, s, n, season, work, s);
    cr_assert(work[elements * s] == -77.0, "n=%d season=%d: wrote behind its work", n, season);
    for (size_t i = 0; i < elements * s; ++i)
        cr_assert(i % s == 0 || work[i] == -77.0, "n=%d season=%d: wrote into another lane's work", n,
                  season);
    free(spread);
    free(work);
    return r;
}

/* Pseudo-random in (-0.5, 0.5). */
static double noise(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / 16777216.0 - 0.5;
}

Test(loess, degree_1_keeps_a_line_and_degree_0_a_constant) {
    double y[50], out[50], kernel[64], weight[50];
    unsigned seed = 1;
    for (int t = 0; t < 50; ++t) {
        y[t] = 3.0 - 0.25 * t;
        weight[t] = 1.5 + noise(&seed);
    }
    const int windows[] = {3, 7, 13, 49, 93};
    for (int n = 2; n <= 50; n += 7)
        for (int w = 0; w < 5; ++w)
            for (int jump = 1; jump < 10; jump += 4)
                for (int weighted = 0; weighted < 2; ++weighted) {
                    tide_loess l = {windows[w], 1, jump};
                    if (n == 2 && windows[w] == 3) /* two points, the farther one without weight: no line */
                        continue;
                    tide_loess_smooth(y, n, l, weighted ? weight : NULL, kernel, out, 1);
                    for (int t = 0; t < n; ++t)
                        cr_expect_float_eq(out[t], y[t], 1e-13, "n=%d window=%d jump=%d", n, windows[w],
                                           jump);
                }
    for (int t = 0; t < 50; ++t)
        y[t] = 7.0;
    tide_loess_smooth(y, 50, (tide_loess){11, 0, 2}, NULL, kernel, out, 1);
    for (int t = 0; t < 50; ++t)
        cr_expect_float_eq(out[t], 7.0, 1e-14);
}

Test(loess, weights_are_tricube_by_hand) {
    double kernel[3];
    /* Window 3 of 5 points at the middle: distances 1, 0, 1 with h = 1: the neighbours are beyond 0.999 h. */
    tide_loess_kernel(2, tide_loess_span(2, 5, 3), 5, 0, NULL, 0, kernel, 1);
    cr_expect(kernel[0] == 0.0 && kernel[1] == 1.0 && kernel[2] == 0.0);
    /* At the end h = 2: weights 1, (1 - 1/8)^3, 0. */
    tide_loess_kernel(0, tide_loess_span(0, 5, 3), 5, 0, NULL, 0, kernel, 1);
    double w = 0.875 * 0.875 * 0.875;
    cr_expect_float_eq(kernel[0], 1.0 / (1.0 + w), 1e-15);
    cr_expect_float_eq(kernel[1], w / (1.0 + w), 1e-15);
    cr_expect(kernel[2] == 0.0);
    cr_expect(tide_loess_span(1, 4, 9).h == 2.0 + 2.0, "a window wider than the data widens h");
}

Test(stl, gives_back_level_and_pattern) {
    const int periods[] = {2, 4, 7, 12, 52, 53};
    for (int i = 0; i < 6; ++i)
        for (int n = 2 * periods[i] + 1; n < 300; n += 41) {
            int m = periods[i];
            double y[MOST], work[6 * MOST + 400];
            for (int t = 0; t < n; ++t)
                y[t] = 50.0 + ((t % m) - 0.5 * (m - 1)) * (t % m == 1 ? 3.0 : 1.0);
            double mean = 0.0;
            for (int t = 0; t < m; ++t)
                mean += y[t] / m;
            tide_stl_work w = tide_stl_work_at(work, n, m, 1);
            tide_stl(y, NULL, n, tide_stl_usual(m), w, 1);
            for (int t = 0; t < n; ++t) {
                cr_expect_float_eq(w.trend[t], mean, 1e-11, "m=%d n=%d t=%d", m, n, t);
                cr_expect_float_eq(w.seasonal[t], y[t] - mean, 1e-11, "m=%d n=%d t=%d", m, n, t);
            }
            cr_expect_gt(tide_stl_strength(y, NULL, n, w, 1), 1.0 - 1e-12);
        }
}

Test(stl, needs_no_value_where_the_weight_says_missing) {
    enum { N = 120, M = 12 };
    double y[N], hole[N], full[N], weight[N], work[6 * N + 400], work2[6 * N + 400];
    unsigned seed = 5;
    for (int t = 0; t < N; ++t)
        y[t] = 20.0 + 0.1 * t + 5.0 * sin(2 * 3.14159265358979 * t / M) + 0.2 * noise(&seed);
    memcpy(hole, y, sizeof y);
    for (int t = 3; t < N; t += 11)
        hole[t] = (double)NAN;
    cr_assert_eq(tide_interpolate(hole, 1, N, TIDE_STL_MISSING, full, weight, 1), N - 11);
    tide_stl_work w = tide_stl_work_at(work, N, M, 1), v = tide_stl_work_at(work2, N, M, 1);
    tide_stl(y, NULL, N, tide_stl_usual(M), w, 1);
    tide_stl(full, weight, N, tide_stl_usual(M), v, 1);
    double off = 0.0;
    for (int t = 0; t < N; ++t)
        off = fmax(off, fabs(v.seasonal[t] - w.seasonal[t]));
    cr_expect_lt(off, 0.12, "season off by %g", off); /* the line across a peak would be off by 0.7 */
    cr_expect_float_eq(tide_stl_strength(full, weight, N, v, 1), tide_stl_strength(y, NULL, N, w, 1), 2e-3);
}

Test(interpolate, joins_neighbours_and_extends_the_ends) {
    double none = (double)NAN, y[] = {none, none, 4.0, none, none, none, 8.0, 1.0, none}, out[9], weight[9];
    const double want[] = {4.0, 4.0, 4.0, 5.0, 6.0, 7.0, 8.0, 1.0, 1.0};
    cr_assert_eq(tide_interpolate(y, 1, 9, 0.5, out, weight, 1), 3);
    for (int t = 0; t < 9; ++t) {
        cr_expect(out[t] == want[t], "t=%d", t);
        cr_expect(weight[t] == (isnan(y[t]) ? 0.5 : 1.0));
    }
    cr_assert_eq(tide_interpolate(y, 1, 2, 0.5, out, weight, 1), 0);
    cr_expect(isnan(out[0]) && isnan(out[1]));
}

Test(kpss, statistic_by_hand) {
    double x[20];
    for (int t = 0; t < 10; ++t)
        x[t] = t + 1;
    cr_expect_float_eq(tide_kpss(x, 10, 1), 833.25 / (100.0 * 8.25), 1e-15,
                       "no lag: sums of residuals by hand");
    for (int t = 0; t < 20; ++t)
        x[t] = t % 2 ? -1.0 : 1.0;
    /* One lag with weight 1/2: 20 - 19 = 1; partial sums 1, 0, 1, 0, ... */
    cr_expect_float_eq(tide_kpss(x, 20, 1), 10.0 / (20.0 * 1.0), 1e-15);
    double same[] = {2.0, 2.0, 2.0};
    cr_expect(tide_to_bits(tide_kpss(same, 3, 1)) == tide_to_bits(TIDE_NAN));
}

Test(orders, determined_series_say_so) {
    double y[96];
    tide_arima_diffs r;
    for (int t = 0; t < 96; ++t)
        y[t] = 0.1 * t + 5.0;
    r = orders(&by_test, y, 96, 1, 1);
    cr_expect(r.d == 1 && r.D == 0 && r.constant, "a line: one difference, then constant");
    cr_expect_float_eq(r.level, 0.1, 1e-14);
    r = orders(&by_test, y, 96, 12, 1);
    cr_expect(r.d == 1 && r.D == 0 && r.constant, "a line has no season");
    for (int t = 0; t < 96; ++t)
        y[t] = 0.3 * t * t - t;
    r = orders(&by_test, y, 96, 1, 1);
    cr_expect(r.d == 2 && r.constant, "a parabola: two differences");
    cr_expect_float_eq(r.level, 0.6, 1e-10);
    for (int t = 0; t < 96; ++t)
        y[t] = 10.0 + (t % 12) * 0.7 + 0.025 * t;
    r = orders(&by_test, y, 96, 12, 1);
    cr_expect(r.d == 0 && r.D == 1 && r.constant, "line and season: a seasonal difference");
    cr_expect_float_eq(r.level, 0.3, 1e-13);
    for (int t = 0; t < 96; ++t)
        y[t] = 4.0;
    r = orders(&by_test, y, 96, 12, 1);
    cr_expect(r.d == 0 && r.D == 0 && r.constant && r.level == 4.0);
}

Test(orders, walks_and_noise) {
    double walk[400], white[400], twice[400];
    unsigned seed = 3;
    for (int t = 0; t < 400; ++t) {
        white[t] = noise(&seed);
        walk[t] = (t ? walk[t - 1] : 0.0) + noise(&seed);
        twice[t] = (t ? twice[t - 1] : 0.0) + walk[t];
    }
    cr_expect_eq(orders(&by_test, white, 400, 12, 1).d, 0);
    cr_expect_eq(orders(&by_test, white, 400, 12, 1).D, 0);
    cr_expect_eq(orders(&by_test, walk, 400, 1, 1).d, 1);
    cr_expect_eq(orders(&by_test, twice, 400, 1, 1).d, 2);
    tide_arima_spec one = by_test;
    one.max_d = 1;
    cr_expect_eq(orders(&one, twice, 400, 1, 1).d, 1, "max_d holds");
}

Test(orders, of_a_spec_are_kept) {
    double y[60];
    unsigned seed = 9;
    for (int t = 0; t < 60; ++t)
        y[t] = noise(&seed);
    for (int d = 0; d <= 2; ++d)
        for (int D = 0; D <= 1; ++D) {
            tide_arima_spec spec = by_test;
            spec.d = d;
            spec.D = D;
            tide_arima_diffs r = orders(&spec, y, 60, 12, 1);
            cr_expect(r.d == d && r.D == D && !r.constant);
            cr_expect_eq(orders(&spec, y, 60, 54, 1).D, 0, "no seasonal difference of a period that long");
        }
}

Test(orders, short_and_missing_series_do_no_harm) {
    double y[40], none[40];
    unsigned seed = 4;
    for (int t = 0; t < 40; ++t) {
        y[t] = 100.0 + 10.0 * t + noise(&seed);
        none[t] = (double)NAN;
    }
    for (int n = 0; n <= 40; ++n)
        for (int season = 1; season <= 13; season += 3) {
            tide_arima_diffs r = orders(&by_test, y, n, season, 1);
            cr_expect(r.d >= 0 && r.d <= 2 && r.D <= (n > 2 * season));
            r = orders(&by_test, none, n, season, 1);
            cr_expect(r.d == 0 && r.D == 0 && r.constant);
        }
    double late[40];
    memcpy(late, none, sizeof late);
    memcpy(late + 7, y, 33 * sizeof *y);
    tide_arima_diffs a = orders(&by_test, late, 40, 4, 1), b = orders(&by_test, y, 33, 4, 1);
    cr_expect(a.d == b.d && a.D == b.D && a.level == b.level && a.strength == b.strength,
              "leading gaps do not count");
    for (int t = 0; t < 40; t += 2) /* no two neighbours: differences of lag 1 have no value at all */
        late[t] = y[t], late[t + 1] = (double)NAN;
    cr_expect_eq(orders(&by_test, late, 40, 1, 1).d, 0);
}

Test(orders, do_not_depend_on_stride_or_scale) {
    unsigned seed = 8;
    for (int n = 5; n < 160; n += 13) {
        double y[MOST], scaled[MOST];
        for (int t = 0; t < n; ++t) {
            y[t] = noise(&seed) + 0.02 * t + (t % 12 < 3 ? 1.0 : 0.0);
            y[t] = n % 2 && t % 17 == 5 ? (double)NAN : y[t];
            scaled[t] = y[t] * 0x1p-40;
        }
        tide_arima_diffs a = orders(&by_test, y, n, 12, 1), b = orders(&by_test, y, n, 12, 32),
                         c = orders(&by_test, scaled, n, 12, 3);
        cr_expect(memcmp(&a, &b, sizeof a) == 0, "n=%d: stride 32 gave other bits", n);
        c.level *= 0x1p40;
        cr_expect(memcmp(&a, &c, sizeof a) == 0, "n=%d: scale gave other bits", n);
    }
}

Test(orders, equal_those_of_r_on_the_classic_series) {
    golden_table t;
    golden_open(&t, "tests.csv");
    int rows = 0;
    for (; golden_next(&t); ++rows) {
        double y[MOST], work[MOST];
        int season = 1;
        const char *name = golden_text(&t, "series");
        int n = golden_series(name, y, MOST, &season);
        tide_arima_diffs r = orders(&by_test, y, n, season, 1);
        double strength = golden_number(&t, "seas_strength"), want = golden_number(&t, "ndiffs_kpss_after_D");
        cr_expect_eq(r.D, season > 1 ? (int)golden_number(&t, "nsdiffs_seas") : 0, "%s: D", name);
        cr_expect_eq(r.d, (int)(isnan(want) ? golden_number(&t, "ndiffs_kpss") : want), "%s: d", name);
        if (season > 1) /* presidents: interpolation differs from R's, by the file head */
            cr_expect_float_eq(r.strength, strength, strcmp(name, "presidents") ? 1e-12 : 0.05,
                               "%s: strength %.15g", name, r.strength);
        tide_arima_spec plain = by_test;
        plain.max_D = 0;
        r = orders(&plain, y, n, season, 1);
        cr_expect_eq(r.d, (int)golden_number(&t, "ndiffs_kpss"), "%s: d without seasonal difference", name);
        cr_expect_float_eq(r.kpss, golden_number(&t, "kpss_level_stat"), 1e-12, "%s: KPSS", name);
        double lambda = tide_boxcox_lambda(y, 1, n, season, -1.0, 2.0, work, 1), least = y[0];
        for (int i = 0; i < n; ++i)
            least = fmin(least, y[i]);
        if (least <= 0.0) { /* R searches in [0, 2] here */
            cr_expect_eq(lambda, 1.0, "%s", name);
            continue;
        }
        cr_expect_float_eq(lambda, golden_number(&t, "boxcox_lambda_guerrero"), 1e-7, "%s: lambda %.15g",
                           name, lambda);
    }
    golden_close(&t);
    cr_assert_eq(rows, 14);
}

Test(boxcox, closed_forms_and_back) {
    const double lambdas[] = {-1.0, -0.5, -1e-9, 0.0, 1e-12, 1e-6, 0.3, 0.5, 1.0, 2.0};
    for (int i = 0; i < 10; ++i)
        for (double y = 1e-3; y < 2e3; y *= 3.7) {
            double lambda = lambdas[i], z = tide_boxcox_forward(y, lambda);
            long double l = logl((long double)y),
                        want = lambda == 0.0 ? l : expm1l((long double)lambda * l) / (long double)lambda;
            cr_expect_lt(fabs(z - (double)want), 4e-15 * fabs((double)want) + 1e-18, "lambda=%g y=%g", lambda,
                         y);
            /* z itself is rounded, which for lambda < 0 and large y is all that is left of y. */
            double rounding = 1e-15 + 2.3e-16 * fabs(z) * exp((1.0 - lambda) * log(y)) / y;
            cr_expect_lt(fabs(tide_boxcox_back(z, lambda) / y - 1.0), 8.0 * rounding, "lambda=%g y=%g",
                         lambda, y);
            double step = 1e-6 * y,
                   slope = (tide_boxcox_forward(y + step, lambda) - tide_boxcox_forward(y - step, lambda)) /
                           (2.0 * step);
            cr_expect_float_eq(log(slope), tide_boxcox_log_slope(y, lambda), 1e-5, "lambda=%g y=%g", lambda,
                               y);
        }
    cr_expect_float_eq(tide_boxcox_forward(5.0, 1.0), 4.0, 2e-15);
    cr_expect(tide_boxcox_forward(0.0, 0.5) == -2.0);
    cr_expect(tide_boxcox_back(-2.0, 0.5) == 0.0);
    cr_expect_float_eq(tide_boxcox_forward(-4.0, 0.5), -6.0, 1e-15);
    cr_expect_float_eq(tide_boxcox_back(-6.0, 0.5), -4.0, 1e-15);
    cr_expect(tide_boxcox_forward(0.0, 0.0) == -TIDE_INF && tide_boxcox_forward(-1.0, -1.0) == -TIDE_INF);
    cr_expect(isnan(tide_boxcox_forward(TIDE_NAN, 0.5)) && isnan(tide_boxcox_back(TIDE_NAN, -0.5)));
    cr_expect(tide_boxcox_back(1.0, -1.0) == TIDE_INF && tide_boxcox_back(9.0, -1.0) == TIDE_INF);
}

Test(boxcox, mean_of_the_inverse_by_second_order) {
    cr_expect_float_eq(tide_boxcox_back_mean(2.0, 0.1, 0.0), exp(2.0) * 1.05, 1e-14);
    cr_expect_float_eq(tide_boxcox_back_mean(3.0, 0.4, 1.0), 4.0, 1e-15);
    /* lambda = 1/2: y = (1 + z/2)^2, E y = (1 + mean/2)^2 + variance/4 exactly. */
    cr_expect_float_eq(tide_boxcox_back_mean(6.0, 2.0, 0.5), 16.0 + 0.5, 1e-13);
    cr_expect(isfinite(tide_boxcox_back_mean(-1.999, 1e6, 0.5)), "no explosion next to the boundary");
}

Test(boxcox, lambda_takes_the_spread_off_the_level) {
    double y[240], work[360];
    unsigned seed = 2;
    for (int t = 0; t < 240; ++t)
        y[t] = exp(0.02 * t + 0.3 * sin(t * 0.5235987755982988) + 0.1 * noise(&seed));
    cr_expect_float_eq(tide_boxcox_lambda(y, 1, 240, 12, -1.0, 2.0, work, 1), 0.0, 0.02);
    for (int t = 0; t < 240; ++t)
        y[t] = y[t] * 0x1p30;
    double lambda = tide_boxcox_lambda(y, 1, 240, 12, -1.0, 2.0, work, 1);
    cr_expect_float_eq(lambda, 0.0, 0.02, "a scale changes nothing");
    for (int t = 0; t < 240; ++t)
        y[t] = 100.0 + 0.5 * t + 5.0 * sin(t * 0.5235987755982988);
    cr_expect_float_eq(tide_boxcox_lambda(y, 1, 240, 12, -1.0, 2.0, work, 1), 1.0, 0.05);
    y[17] = 0.0;
    cr_expect_eq(tide_boxcox_lambda(y, 1, 240, 12, -1.0, 2.0, work, 1), 1.0,
                 "no transform of what is not positive");
    for (int t = 0; t < 240; ++t)
        y[t] = 3.0;
    cr_expect_eq(tide_boxcox_lambda(y, 1, 240, 12, -1.0, 2.0, work, 1), 1.0);
    cr_expect_eq(tide_boxcox_lambda(y, 1, 24, 12, -1.0, 2.0, work, 1), 1.0);
    for (int n = 0; n < 30; ++n)
        for (int season = 1; season < 12; ++season) {
            lambda = tide_boxcox_lambda(y, 1, n, season, -1.0, 2.0, work, 1);
            cr_expect(lambda >= -1.0 && lambda <= 2.0);
        }
}
