/* test_kernel_arima_forecast.c - arima_forecast.h: closed forms by hand, variances against dense matrices, Box-Cox,
 * mixtures with other families, simulation against closed form, what must not happen. */
#define TIDE_DEVICE_FORM 1 /* the strides of memory are free then */
#include "kernels/forecast.h"
#include "tests/arima_dense.h"
#include "tests/draw.h"

#include <criterion/criterion.h>

enum { H = 40, N = 120 };

static double off(double got, double want) {
    return fabs(got - want) / fmax(fabs(want), 1e-300);
}

static int forecast(const tide_forecast_spec *spec, const tide_member_view *v, int n, double *mean, double *lo,
                    double *hi) {
    double *work = malloc(tide_forecast_workspace(spec, n) * sizeof *work);
    int ok = tide_forecast_series(spec, v, n, 77, (tide_forecast_work){work, 1}, (tide_forecast_out){mean, lo, hi, 1});
    free(work);
    return ok;
}

static tide_forecast_spec spec_of(int season, int horizon) {
    return (tide_forecast_spec){
        .season = season, .horizon = horizon, .n_levels = 1, .paths = 40000, .seed = 11, .level = {0.9}};
}

/* Mean and standard deviation of z from the one level's limits. */
static void moments(const tide_member_view *v, int season, int horizon, double *mean, double *sd) {
    double *lo = malloc((size_t)horizon * sizeof *lo), *hi = malloc((size_t)horizon * sizeof *hi);
    tide_forecast_spec spec = spec_of(season, horizon);
    cr_assert(forecast(&spec, v, 1, mean, lo, hi));
    for (int h = 0; h < horizon; ++h)
        sd[h] = (hi[h] - lo[h]) / (2.0 * tide_normal_quantile(0.95));
    free(lo);
    free(hi);
}

static void random_walk(double *y, int n, uint64_t seed) {
    for (int t = 0; t < n; ++t)
        y[t] = (t ? y[t - 1] : 50.0) + draw_noise(&seed);
}

Test(arima_forecast, random_walk_has_variance_h_and_a_drift_adds_its_line) {
    double mean[H], sd[H], coef[2] = {0.25, 30}, state[2] = {0.0, 100.0 - 0.25 * 30};
    tide_arima_order o = {.d = 1, .constant = 1};
    tide_member_view v = {.family = TIDE_FAMILY_ARIMA, .form = tide_arima_form(o), .n_obs = 30, .weight = 1.0, .sigma2 = 4.0,
                          .scale = 1.0, .coef = coef, .state = state, .stride = 1};
    moments(&v, 1, H, mean, sd);
    for (int h = 1; h <= H; ++h) {
        cr_expect_lt(off(mean[h - 1], 100.0 + 0.25 * h), 1e-14);
        cr_expect_lt(off(sd[h - 1], 2.0 * sqrt(h)), 1e-13);
    }
}

Test(arima_forecast, autoregression_returns_to_its_mean) {
    double mean[H], sd[H], phi = 0.8, coef[3] = {phi, 10.0, 50}, state[1] = {phi * 5.0};
    tide_arima_order o = {.p = 1, .constant = 1};
    tide_member_view v = {.family = TIDE_FAMILY_ARIMA, .form = tide_arima_form(o), .n_obs = 50, .weight = 1.0, .sigma2 = 2.25,
                          .scale = 1.0, .coef = coef, .state = state, .stride = 1};
    moments(&v, 1, H, mean, sd);
    for (int h = 1; h <= H; ++h) {
        cr_expect_lt(off(mean[h - 1], 10.0 + 5.0 * pow(phi, h)), 1e-14);
        cr_expect_lt(off(sd[h - 1], 1.5 * sqrt((1.0 - pow(phi, 2 * h)) / (1.0 - phi * phi))), 1e-13);
    }
}

Test(arima_forecast, seasonal_difference_repeats_the_season_and_adds_a_variance_each) {
    double mean[H], sd[H], coef[1] = {48}, state[1 + 12] = {0.0};
    tide_arima_order o = {.D = 1};
    for (int i = 0; i < 12; ++i)
        state[1 + i] = 100.0 + i * i;
    tide_member_view v = {.family = TIDE_FAMILY_ARIMA, .form = tide_arima_form(o), .n_obs = 48, .weight = 1.0, .sigma2 = 1.0,
                          .scale = 1.0, .coef = coef, .state = state, .stride = 1};
    moments(&v, 12, H, mean, sd);
    for (int h = 1; h <= H; ++h) {
        cr_expect_eq(mean[h - 1], state[12 - (h - 1) % 12], "lag holds the newest first");
        cr_expect_lt(off(sd[h - 1], sqrt((h - 1) / 12 + 1)), 1e-13);
    }
}

/* ARIMA(0,1,1) is simple smoothing with alpha = 1 + theta, (0,2,2) is Holt's method (Hyndman et al. 2008, ch. 11). */
Test(arima_forecast, is_exponential_smoothing_where_both_are_one_model) {
    double alpha = 0.4, beta = 0.1, mean[H], sd[H], level = 30.0, slope = 2.0;
    tide_arima_order o = {.q = 2, .d = 2};
    double coef[3] = {alpha + beta - 2.0, 1.0 - alpha, 1e9}, state[3 + 2];
    /* f_1 = level + slope, f_2 = level + 2 slope from any last two values: w forecasts follow from them */
    state[3] = 31.5;
    state[4] = 27.0;
    double f1 = level + slope, f2 = level + 2.0 * slope;
    state[0] = f1 - 2.0 * state[3] + state[4];
    state[1] = f2 - 2.0 * f1 + state[3];
    state[2] = 0.0;
    tide_member_view v = {.family = TIDE_FAMILY_ARIMA, .form = tide_arima_form(o), .n_obs = 99, .weight = 1.0, .sigma2 = 4.0,
                          .scale = 1.0, .coef = coef, .state = state, .stride = 1};
    moments(&v, 1, H, mean, sd);
    double sum = 1.0;
    for (int h = 1; h <= H; ++h) {
        cr_expect_lt(off(mean[h - 1], level + h * slope), 1e-12);
        cr_expect_lt(off(sd[h - 1], 2.0 * sqrt(sum)), 1e-11, "h=%d %g %g", h, sd[h - 1], 2.0 * sqrt(sum));
        sum += (alpha + beta * h) * (alpha + beta * h);
    }
}

/* The airline model by its difference equation: y_h = y_{h-1} + y_{h-12} - y_{h-13} + a_h + theta's. */
Test(arima_forecast, airline_model_follows_its_difference_equation) {
    double y[N + H], a[N + H] = {0.0}, psi[H], mean[H], sd[H], t1 = -0.4, t12 = -0.6;
    uint64_t seed = 5;
    static dense_arima d;
    for (int t = 0; t < N; ++t)
        y[t] = 100.0 + t + 20.0 * sin(0.52 * t) + 3.0 * draw_noise(&seed);
    d.coef[0] = t1;
    d.coef[1] = t12;
    dense_begin(&d, (tide_arima_order){.q = 1, .d = 1, .Q = 1, .D = 1}, 12);
    dense_filter(&d, y, N);
    tide_member_view v = dense_view(&d, 9.0);
    moments(&v, 12, H, mean, sd);
    /* innovations from a start of zeros: forgotten after 107 steps but for 0.6^8 */
    for (int t = 13; t < N; ++t)
        a[t] = y[t] - y[t - 1] - y[t - 12] + y[t - 13] - t1 * a[t - 1] - t12 * a[t - 12] - t1 * t12 * a[t - 13];
    double sum = 0.0;
    for (int h = 0; h < H; ++h) {
        int t = N + h;
        y[t] = y[t - 1] + y[t - 12] - y[t - 13] + t1 * a[t - 1] + t12 * a[t - 12] + t1 * t12 * a[t - 13];
        cr_expect_lt(fabs(mean[h] - y[t]), 0.2);
        psi[h] = h == 0 ? 1.0 : psi[h - 1] + (h >= 12 ? psi[h - 12] : 0.0) - (h >= 13 ? psi[h - 13] : 0.0);
        psi[h] += h == 1 ? t1 : h == 12 ? t12 : h == 13 ? t1 * t12 : 0.0;
        sum += psi[h] * psi[h];
        cr_expect_lt(off(sd[h], 3.0 * sqrt(sum)), 0.01, "h=%d", h);
    }
}

/* Orders of all kinds: variances and the forecasts of w by dense matrices. */
static const struct {
    tide_arima_order o;
    int m, n;
    double coef[8];
} cases[] = {
    {{.q = 1, .d = 1}, 1, 12, {-0.7}},
    {{.q = 1, .d = 1}, 1, 10, {-1.0}},
    {{.q = 2}, 1, 8, {0.5, -0.4}},
    {{.p = 2, .q = 2, .d = 1}, 1, 15, {0.5, 0.2, 0.3, 0.4}},
    {{.p = 2, .constant = 1}, 1, 20, {1.2, -0.5, 7.0}},
    {{.q = 1, .Q = 1, .d = 1, .D = 1}, 12, 40, {-0.4, -0.9}},
    {{.q = 1, .Q = 1, .d = 1, .D = 1}, 12, 60, {-0.4, -1.0}},
    {{.p = 1, .q = 1, .P = 1, .Q = 2, .d = 1}, 4, 30, {0.6, -0.3, 0.7, 0.2, -0.5}},
    {{.p = 5, .P = 2}, 4, 40, {0.2, 0.1, -0.2, 0.1, 0.1, 0.3, 0.2}},
    {{.p = 1, .q = 2, .d = 2}, 1, 25, {0.3, -0.8, 0.1}},
    {{.p = 1, .P = 2, .Q = 1, .D = 1, .constant = 1}, 12, 70, {0.8, -0.3, -0.2, -0.7, 0.4}},
    {{.p = 1, .q = 1, .fourier = 2}, 7, 50, {0.5, 0.3, 3.0, -2.0, 1.0, 0.5}},
};

Test(arima_forecast, means_and_variances_are_those_of_dense_matrices) {
    double y[N], mean[H], sd[H], want[H];
    static dense_arima d;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        memset(&d, 0, sizeof d);
        memcpy(d.coef, cases[i].coef, sizeof cases[i].coef);
        random_walk(y, cases[i].n, 3 + i);
        dense_begin(&d, cases[i].o, cases[i].m);
        dense_filter(&d, y, cases[i].n);
        tide_member_view v = dense_view(&d, 4.0);
        moments(&v, cases[i].m, H, mean, sd);
        dense_spreads(&d, H, want);
        double x[DENSE_MOST], n[DENSE_MOST + H];
        memcpy(x, d.state, sizeof x);
        for (int k = 0; k < d.lags; ++k)
            n[d.lags - 1 - k] = d.state[d.r + k];
        for (int h = 0; h < H; ++h) {
            double z = x[0], first = x[0];
            for (int k = 0; k < d.lags; ++k)
                z += d.delta[k] * n[d.lags + h - 1 - k];
            n[d.lags + h] = z;
            for (int k = 0; k < d.r; ++k)
                x[k] = (k + 1 < d.r ? x[k + 1] : 0.0) + d.phi[k] * first;
            if (d.order.constant)
                z += d.coef[tide_arima_constant_at(d.order)] * (d.order.d + d.order.D ? cases[i].n + h + 1 : 1);
            for (int j = 0; j < 2 * d.order.fourier; ++j) {
                double turn = 2.0 * acos(-1.0) * (j / 2 + 1) * (cases[i].n + h + 1) / d.m;
                z += d.coef[tide_arima_beta_at(d.order) + j] * (j % 2 ? cos(turn) : sin(turn));
            }
            cr_expect_lt(fabs(mean[h] - z), 1e-11 * fmax(1.0, fabs(z)), "case %zu h=%d: %g, %g", i, h + 1, mean[h], z);
            cr_expect_lt(off(sd[h], 2.0 * want[h]), 1e-8, "case %zu h=%d: sd %.12g, dense %.12g", i, h + 1, sd[h],
                         2.0 * want[h]);
        }
    }
}

Test(arima_forecast, simulated_paths_have_the_closed_forms_quantiles) {
    double y[N], mean[H], lo[H], hi[H], near_lo[H], near_hi[H];
    static dense_arima d;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i += 1) {
        memset(&d, 0, sizeof d);
        memcpy(d.coef, cases[i].coef, sizeof cases[i].coef);
        random_walk(y, cases[i].n, 3 + i);
        dense_begin(&d, cases[i].o, cases[i].m);
        dense_filter(&d, y, cases[i].n);
        tide_member_view v = dense_view(&d, 4.0);
        tide_forecast_spec spec = spec_of(cases[i].m, i % 2 ? H : 9);
        cr_assert(forecast(&spec, &v, 1, mean, lo, hi));
        spec.intervals = TIDE_INTERVALS_SIMULATED;
        cr_assert(forecast(&spec, &v, 1, mean, near_lo, near_hi));
        for (int h = 0; h < spec.horizon; ++h) {
            double sd = (hi[h] - lo[h]) / (2.0 * tide_normal_quantile(0.95));
            cr_expect_lt(fabs(near_lo[h] - lo[h]), 0.06 * sd, "case %zu h=%d: %g, %g", i, h + 1, near_lo[h], lo[h]);
            cr_expect_lt(fabs(near_hi[h] - hi[h]), 0.06 * sd, "case %zu h=%d: %g, %g", i, h + 1, near_hi[h], hi[h]);
        }
    }
}

/* ---- Box-Cox ---- */

/* A random walk in z = (( y/scale)^lambda - 1)/lambda. */
typedef struct walk {
    double coef[2], state[2];
    tide_member_view v;
} walk;

static void walk_of(walk *w, double lambda, double scale, double last, double sigma) {
    tide_arima_order o = {.d = 1, .boxcox = 1};
    *w = (walk){.coef = {lambda, 40.0},
                .state = {0.0, lambda == 0.0 ? log(last / scale) : (pow(last / scale, lambda) - 1.0) / lambda}};
    w->v = (tide_member_view){.family = TIDE_FAMILY_ARIMA, .form = tide_arima_form(o), .n_obs = 40, .weight = 1.0,
                              .sigma2 = sigma * sigma, .scale = scale, .coef = w->coef, .state = w->state, .stride = 1};
}

Test(arima_forecast, logarithm_gives_lognormal_median_mean_and_limits) {
    double mean[H], lo[H], hi[H], sigma = 0.1, z = tide_normal_quantile(0.95);
    walk w;
    walk_of(&w, 0.0, 64.0, 100.0, sigma);
    tide_forecast_spec spec = spec_of(1, H);
    for (int adjust = 0; adjust < 2; ++adjust) {
        spec.bias_adjust = adjust;
        cr_assert(forecast(&spec, &w.v, 1, mean, lo, hi));
        for (int h = 1; h <= H; ++h) {
            double sd = sigma * sqrt(h);
            cr_expect_lt(off(mean[h - 1], 100.0 * (adjust ? 1.0 + sd * sd / 2.0 : 1.0)), 1e-12);
            cr_expect_lt(off(lo[h - 1], 100.0 * exp(-z * sd)), 1e-12);
            cr_expect_lt(off(hi[h - 1], 100.0 * exp(z * sd)), 1e-12);
        }
    }
}

Test(arima_forecast, bias_adjusted_forecast_is_near_the_mean_of_paths) {
    double mean[1], lo[1], hi[1], sigma = 0.3;
    for (int i = 0; i < 4; ++i) {
        const double lambda[4] = {0.5, 0.25, 0.0, -0.2};
        walk w;
        walk_of(&w, lambda[i], 8.0, 10.0, sigma);
        tide_forecast_spec spec = spec_of(1, 1);
        spec.bias_adjust = 1;
        cr_assert(forecast(&spec, &w.v, 1, mean, lo, hi));
        double sum = 0.0; /* midpoints of 2000 equal slices of probability */
        for (int k = 0; k < 2000; ++k)
            sum += 8.0 * tide_boxcox_back(w.state[1] + sigma * tide_normal_quantile((k + 0.5) / 2000.0), lambda[i]);
        cr_expect_lt(off(mean[0], sum / 2000.0), 4e-3, "lambda %g: %g, %g", lambda[i], mean[0], sum / 2000.0);
        spec.bias_adjust = 0;
        cr_assert(forecast(&spec, &w.v, 1, mean, lo, hi));
        cr_expect_lt(off(mean[0], 10.0), 1e-14, "the median");
        cr_expect_lt(mean[0], sum / 2000.0);
    }
}

/* P(Y <= x) of the mixture by each member's own distribution. */
static double probability(double x, const double *lambda, const double *last, const double *sd, const double *weight,
                          int n) {
    double p = 0.0;
    for (int j = 0; j < n; ++j) {
        double z = lambda[j] == 1.0 ? x - last[j]
                                    : tide_boxcox_forward(x / 4.0, lambda[j]) - tide_boxcox_forward(last[j] / 4.0, lambda[j]);
        p += weight[j] * 0.5 * erfc(-z / sd[j] / sqrt(2.0));
    }
    return p;
}

Test(arima_forecast, mixture_limits_have_their_probability_in_each_members_own_scale) {
    static const double lambdas[][2] = {{0.0, 0.5}, {-0.5, 0.0}, {0.3, 2.0}};
    double mean[3], lo[3], hi[3], weight[3] = {0.2, 0.5, 0.3};
    for (int c = 0; c < 3; ++c) {
        walk a, b;
        double ets_coef[4] = {1.0, 0.0, 0.0, 0.0}, ets_state[3] = {12.0, 0.0, 0.0};
        double lambda[3] = {lambdas[c][0], lambdas[c][1], 1.0}, last[3] = {10.0, 13.0, 12.0}, sd[3] = {0.2, 0.4, 2.5};
        walk_of(&a, lambda[0], 4.0, last[0], sd[0]);
        walk_of(&b, lambda[1], 4.0, last[1], sd[1]);
        tide_member_view v[3] = {a.v, b.v, a.v};
        v[2].family = TIDE_FAMILY_ETS;
        v[2].form = TIDE_ETS_ANN;
        v[2].coef = ets_coef;
        v[2].state = ets_state;
        v[2].sigma2 = sd[2] * sd[2];
        for (int j = 0; j < 3; ++j)
            v[j].weight = weight[j];
        tide_forecast_spec spec = spec_of(1, 3);
        cr_assert(forecast(&spec, v, 3, mean, lo, hi));
        for (int h = 0; h < 3; ++h) {
            double grown[3] = {sd[0] * sqrt(h + 1), sd[1] * sqrt(h + 1), sd[2] * sqrt(h + 1)};
            cr_expect_lt(fabs(probability(lo[h], lambda, last, grown, weight, 3) - 0.05), 1e-9, "case %d", c);
            cr_expect_lt(fabs(probability(hi[h], lambda, last, grown, weight, 3) - 0.95), 1e-9, "case %d", c);
        }
        cr_expect_lt(off(mean[0], 0.2 * 10.0 + 0.5 * 13.0 + 0.3 * 12.0), 1e-13);
        double near_lo[3], near_hi[3];
        spec.intervals = TIDE_INTERVALS_SIMULATED;
        cr_assert(forecast(&spec, v, 3, mean, near_lo, near_hi));
        for (int h = 0; h < 3; ++h) {
            cr_expect_lt(fabs(near_lo[h] - lo[h]), 0.03 * (hi[h] - lo[h]), "case %d h=%d: %g %g", c, h, near_lo[h], lo[h]);
            cr_expect_lt(fabs(near_hi[h] - hi[h]), 0.03 * (hi[h] - lo[h]), "case %d h=%d: %g %g", c, h, near_hi[h], hi[h]);
        }
    }
}

/* lambda = -1: z has the bound 1, which wide intervals pass. */
Test(arima_forecast, limits_without_bound_are_cut_and_leave_the_mixtures_other_limits_right) {
    double mean[2], lo[2], hi[2];
    walk w;
    walk_of(&w, -1.0, 1.0, 10.0, 0.2);
    tide_forecast_spec spec = spec_of(1, 2);
    cr_assert(forecast(&spec, &w.v, 1, mean, lo, hi));
    cr_expect_eq(hi[0], TIDE_TRANSFORM_LIMIT);
    cr_expect(lo[0] > 0.0 && lo[0] < 10.0);
    double coef[4] = {1.0}, state[3] = {11.0};
    tide_member_view v[2] = {w.v, w.v};
    v[0].weight = 0.02;
    v[1] = (tide_member_view){.family = TIDE_FAMILY_ETS, .form = TIDE_ETS_ANN, .n_obs = 40, .weight = 0.98, .sigma2 = 1.0,
                              .scale = 1.0, .coef = coef, .state = state, .stride = 1};
    cr_assert(forecast(&spec, v, 2, mean, lo, hi));
    double lambda[2] = {-1.0, 1.0}, below = 0.0;
    below += 0.02 * tide_normal_cdf((tide_boxcox_forward(hi[0], lambda[0]) - w.state[1]) / 0.2);
    below += 0.98 * tide_normal_cdf(hi[0] - 11.0);
    cr_expect_lt(fabs(below - 0.95), 1e-9, "hi %g", hi[0]);
}

Test(arima_forecast, what_cannot_be_forecast_gives_nan_everywhere) {
    double mean[H], lo[H], hi[H], coef[8] = {0.5, 50}, state[64] = {1.0};
    tide_forecast_spec spec = spec_of(1, H);
    const tide_arima_order good = {.p = 1};
    const tide_arima_order bad[] = {{.p = 9}, {.P = 1}, {.D = 1}, {.d = 3}, {.d = 2, .constant = 1}, {.fourier = 2}};
    tide_member_view v = {.family = TIDE_FAMILY_ARIMA, .form = tide_arima_form(good), .n_obs = 50, .weight = 1.0, .sigma2 = 1.0,
                          .scale = 1.0, .coef = coef, .state = state, .stride = 1};
    cr_assert(forecast(&spec, &v, 1, mean, lo, hi));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
        v.form = tide_arima_form(bad[i]);
        cr_expect_eq(forecast(&spec, &v, 1, mean, lo, hi), 0, "order %zu", i);
        cr_expect(isnan(mean[0]) && isnan(lo[H - 1]) && isnan(hi[0]));
    }
    v.form = tide_arima_form(good);
    const double steps[] = {-1.0, (double)NAN, (double)INFINITY, 1e300};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; ++i) {
        coef[1] = steps[i];
        cr_expect_eq(forecast(&spec, &v, 1, mean, lo, hi), 0, "steps %g", steps[i]);
    }
    coef[1] = 50;
    coef[0] = 1e200; /* explodes */
    cr_expect_eq(forecast(&spec, &v, 1, mean, lo, hi), 0);
    spec.intervals = TIDE_INTERVALS_SIMULATED;
    cr_expect_eq(forecast(&spec, &v, 1, mean, lo, hi), 0);
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma,bmi2"))) static int
forecast_avx512(const tide_forecast_spec *spec, const tide_member_view *v, double *work, tide_forecast_out out) {
    return tide_forecast_series(spec, v, 1, 77, (tide_forecast_work){work, 1}, out);
}

Test(arima_forecast, bits_do_not_depend_on_the_instruction_set_or_the_stride) {
    enum { STRIDE = 3 };
    double y[N];
    static double a[3][H], b[3][H], c[3][H * STRIDE];
    static dense_arima d;
    if (!__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i)
        for (int simulated = 0; simulated < 2; ++simulated) {
            memset(&d, 0, sizeof d);
            memcpy(d.coef, cases[i].coef, sizeof cases[i].coef);
            random_walk(y, cases[i].n, 3 + i);
            dense_begin(&d, cases[i].o, cases[i].m);
            dense_filter(&d, y, cases[i].n);
            tide_member_view v = dense_view(&d, 4.0);
            tide_forecast_spec spec = spec_of(cases[i].m, H);
            spec.paths = 500;
            spec.intervals = simulated;
            double *work = malloc(STRIDE * tide_forecast_workspace(&spec, 1) * sizeof *work);
            cr_assert(forecast(&spec, &v, 1, a[0], a[1], a[2]));
            cr_assert(forecast_avx512(&spec, &v, work, (tide_forecast_out){b[0], b[1], b[2], 1}));
            cr_expect_eq(memcmp(a, b, sizeof a), 0, "case %zu", i);
            cr_assert(tide_forecast_series(&spec, &v, 1, 77, (tide_forecast_work){work, STRIDE},
                                           (tide_forecast_out){c[0], c[1], c[2], STRIDE}));
            for (int h = 0; h < H; ++h)
                cr_expect(c[0][h * STRIDE] == a[0][h] && c[1][h * STRIDE] == a[1][h] && c[2][h * STRIDE] == a[2][h]);
            free(work);
        }
}
#endif

Test(arima_forecast, fourier_terms_are_sines_of_whole_fractions_of_a_turn) {
    for (int m = 1; m <= 366; ++m)
        for (int t = 0; t < m; ++t) {
            long double turn = 2.0L * acosl(-1.0L) * t / m;
            cr_assert_lt(fabs(tide_fourier(0, t, m) - (double)sinl(turn)), 2.3e-16, "%d/%d", t, m);
            cr_assert_lt(fabs(tide_fourier(1, t, m) - (double)cosl(turn)), 2.3e-16, "%d/%d", t, m);
            cr_assert_eq(tide_fourier(3, 1000000000LL * m + t, m), tide_fourier(1, 2 * t % m, m));
        }
}
