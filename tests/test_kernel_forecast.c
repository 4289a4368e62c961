/* test_kernel_forecast.c - naive.h, ets_forecast.h, forecast.h: closed forms by hand, simulation against
 * closed form, mixtures, missing values, layouts, and what must not happen. */
#include "kernels/criteria.h"
#include "kernels/forecast.h"
#include "kernels/naive.h"
#include "tests/draw.h"

#include <criterion/criterion.h>
#include <math.h>

enum { MOST = 4096 };

static double off(double got, double want) {
    return fabs(got - want) / fmax(fabs(want), 1e-300);
}

/* A member with room for its rows. */
typedef struct member {
    double coef[4], state[2 + 400];
    tide_member_view view;
} member;

static const tide_member_view *member_of(member *m, int family, int form, double sigma2) {
    m->view = (tide_member_view){.family = family, .form = (uint32_t)form, .n_obs = 100, .weight = 1.0, .sigma2 = sigma2,
                                 .scale = 1.0, .coef = m->coef, .state = m->state, .stride = 1};
    return &m->view;
}

/* Forecasts into mean[horizon], lo and hi[levels*horizon]; returns tide_forecast_series'. */
static int forecast(const tide_forecast_spec *spec, const tide_member_view *v, int n, uint64_t key,
                    double *mean, double *lo, double *hi) {
    double *work = malloc(tide_forecast_workspace(spec, n) * sizeof *work);
    int ok = tide_forecast_series(spec, v, n, key, (tide_forecast_work){work, 1},
                                  (tide_forecast_out){mean, lo, hi, 1});
    free(work);
    return ok;
}

/* Half-width of the one level's interval over z: the standard deviation of step h (0-based). */
static double spread(const tide_forecast_spec *spec, const double *lo, const double *hi, int h) {
    return (hi[h] - lo[h]) / (2.0 * tide_normal_quantile(0.5 + 0.5 * spec->level[0]));
}

Test(forecast, damped_sum_is_phi_to_phi_h_and_levels_off) {
    static double mean[MOST];
    member m = {.coef = {0.3, 0.1, 0.0, 0.9}, .state = {100.0, 7.0}};
    tide_forecast_spec spec = {.season = 1, .horizon = MOST};
    cr_assert(forecast(&spec, member_of(&m, TIDE_FAMILY_ETS, TIDE_ETS_AAdN, 4.0), 1, 0, mean, NULL, NULL));
    for (int h = 1; h <= 40; ++h) {
        double sum = 0.9 * (1.0 - pow(0.9, h)) / (1.0 - 0.9);
        cr_expect_lt(off(mean[h - 1], 100.0 + 7.0 * sum), 1e-14, "h=%d", h);
    }
    cr_expect(off(mean[1], 100.0 + 7.0 * (0.9 + 0.81)) < 1e-15, "phi + phi^2, not phi + phi");
    cr_expect_lt(off(mean[MOST - 1], 100.0 + 7.0 * 9.0), 1e-14);
}

Test(forecast, undamped_trend_is_exact_at_any_horizon) {
    static double mean[MOST];
    member m = {.coef = {0.3, 0.1, 0.0, 1.0}, .state = {100.0, 0.1}};
    tide_forecast_spec spec = {.season = 1, .horizon = MOST};
    cr_assert(forecast(&spec, member_of(&m, TIDE_FAMILY_ETS, TIDE_ETS_AAN, 4.0), 1, 0, mean, NULL, NULL));
    for (int h = 1; h <= MOST; ++h)
        cr_expect(mean[h - 1] == fma((double)h, 0.1, 100.0), "h=%d", h);
}

Test(forecast, variance_of_ann_is_one_plus_h_less_one_alpha_squared) {
    double mean[30], lo[30], hi[30];
    member m = {.coef = {0.4, 0.0, 0.0, 0.0}, .state = {10.0}};
    tide_forecast_spec spec = {.season = 1, .horizon = 30, .n_levels = 1, .level = {0.9}};
    cr_assert(forecast(&spec, member_of(&m, TIDE_FAMILY_ETS, TIDE_ETS_ANN, 2.5), 1, 0, mean, lo, hi));
    for (int h = 1; h <= 30; ++h)
        cr_expect_lt(off(spread(&spec, lo, hi, h - 1), sqrt(2.5 * (1.0 + (h - 1) * 0.4 * 0.4))), 1e-14,
                     "h=%d", h);
}

/* Hyndman et al. (2008), table 6.1: AAN, s2 {1 + (h-1)[a^2 + a b h + b^2 h(2h-1)/6]}. */
Test(forecast, variance_of_aan_is_that_of_the_book) {
    double mean[30], lo[30], hi[30], a = 0.4, b = 0.15;
    member m = {.coef = {a, b, 0.0, 0.0}, .state = {10.0, 1.0}};
    tide_forecast_spec spec = {.season = 1, .horizon = 30, .n_levels = 1, .level = {0.9}};
    cr_assert(forecast(&spec, member_of(&m, TIDE_FAMILY_ETS, TIDE_ETS_AAN, 2.5), 1, 0, mean, lo, hi));
    for (int h = 1; h <= 30; ++h) {
        double v = 2.5 * (1.0 + (h - 1) * (a * a + a * b * h + b * b * h * (2 * h - 1) / 6.0));
        cr_expect_lt(off(spread(&spec, lo, hi, h - 1), sqrt(v)), 1e-14, "h=%d", h);
    }
}

/* Table 6.1: ANA, s2 {1 + (h-1) a^2 + g k (2a + g)}, k = floor((h-1)/m): the first return is at h = m + 1. */
Test(forecast, season_returns_after_m_steps_in_the_variance_of_ana) {
    double mean[30], lo[30], hi[30], a = 0.4, g = 0.3;
    member m = {.coef = {a, 0.0, g, 0.0}, .state = {10.0, 0.0, 1.0, 2.0, 3.0, 4.0}};
    tide_forecast_spec spec = {.season = 4, .horizon = 30, .n_levels = 1, .level = {0.9}};
    cr_assert(forecast(&spec, member_of(&m, TIDE_FAMILY_ETS, TIDE_ETS_ANA, 2.5), 1, 0, mean, lo, hi));
    for (int h = 1; h <= 30; ++h) {
        double v = 2.5 * (1.0 + (h - 1) * a * a + g * ((h - 1) / 4) * (2.0 * a + g));
        cr_expect_lt(off(spread(&spec, lo, hi, h - 1), sqrt(v)), 1e-14, "h=%d", h);
        cr_expect(mean[h - 1] == 10.0 + 1.0 + (h - 1) % 4);
    }
}

/* MNN: mean l, second moment l^2 (1 + a^2 v)^(h-1) (1 + v). */
Test(forecast, variance_of_mnn_is_a_product_of_moments) {
    double mean[30], lo[30], hi[30], a = 0.4, v = 0.04;
    member m = {.coef = {a, 0.0, 0.0, 0.0}, .state = {1e200}};
    tide_forecast_spec spec = {.season = 1, .horizon = 30, .n_levels = 1, .level = {0.9}};
    cr_assert(forecast(&spec, member_of(&m, TIDE_FAMILY_ETS, TIDE_ETS_MNN, v), 1, 0, mean, lo, hi));
    for (int h = 1; h <= 30; ++h) {
        double want = 1e200 * sqrt(pow(1.0 + a * a * v, h - 1) * (1.0 + v) - 1.0);
        cr_expect_lt(off(spread(&spec, lo, hi, h - 1), want), 1e-13, "h=%d", h);
    }
}

/* MNM, step m + 1: y = l s (1 + a e_1)(1 + g e_1) prod_{i=2}^{m} (1 + a e_i) (1 + e_{m+1}). */
Test(forecast, mean_and_variance_of_mnm_a_season_ahead_are_products_of_moments) {
    double mean[5], lo[5], hi[5], a = 0.4, g = 0.3, v = 0.09;
    member m = {.coef = {a, 0.0, g, 0.0}, .state = {50.0, 0.0, 1.5, 0.8, 0.9, 0.8}};
    tide_forecast_spec spec = {.season = 4, .horizon = 5, .n_levels = 1, .level = {0.9}};
    cr_assert(forecast(&spec, member_of(&m, TIDE_FAMILY_ETS, TIDE_ETS_MNM, v), 1, 0, mean, lo, hi));
    double f = 50.0 * 1.5, first = 1.0 + a * g * v;
    double second =
        (1.0 + (a * a + g * g + 4.0 * a * g) * v + 3.0 * a * a * g * g * v * v) * pow(1.0 + a * a * v, 3);
    cr_expect_lt(off(mean[0], f), 1e-15);
    cr_expect_lt(off(mean[4], f * first), 1e-15);
    cr_expect_lt(off(spread(&spec, lo, hi, 4), f * sqrt(second * (1.0 + v) - first * first)), 1e-13);
}

/* All forms and families, with large coefficients so that each term counts. The standard error of a simulated
 * variance is sqrt(2/paths) for normal values; multiplicative ones have heavier tails, for which small sigma
 * keeps 5 standard errors enough. */
Test(forecast, closed_form_variance_is_that_of_simulated_paths) {
    enum { PATHS = 40000, H = 10, M = 4 };
    static double work[PATHS * (TIDE_PATH_SEASONS + M)], mean[H], sd[H], scratch[3 * H];
    for (int c = 0; c < TIDE_ETS_FORMS + 4; ++c) {
        int family = c < TIDE_ETS_FORMS ? TIDE_FAMILY_ETS : TIDE_FAMILY_NAIVE + c - TIDE_ETS_FORMS;
        int form = family == TIDE_FAMILY_ETS ? c : 0;
        tide_ets_form e = tide_ets_form_of(form);
        int times = e.season == TIDE_MUL;
        member m = {.coef = {0.5, 0.2, 0.4, 0.9},
                    .state = {100.0, 3.0, times ? 1.2 : 20.0, times ? 0.7 : -30.0, times ? 0.9 : -10.0,
                              times ? 1.2 : 20.0}};
        if (family != TIDE_FAMILY_ETS)
            m.coef[0] = 1.0 / 30.0;
        tide_smoother s;
        cr_assert(tide_smoother_of(member_of(&m, family, form, e.error == TIDE_MUL ? 0.01 : 25.0), M, &s));
        tide_smoother_moments(&s, H, (tide_column){mean, 1}, (tide_column){sd, 1}, (tide_column){scratch, 1});
        tide_paths w = {{work, 1}, PATHS, 0, PATHS, M, 11, (uint64_t)c};
        tide_paths_start(&s, &w);
        for (int h = 1; h <= H; ++h) {
            double sum = 0.0, squares = 0.0;
            tide_paths_step(&s, &w, h);
            for (int i = 0; i < PATHS; ++i)
                sum += work[i] - mean[h - 1];
            for (int i = 0; i < PATHS; ++i)
                squares += pow(work[i] - mean[h - 1] - sum / PATHS, 2);
            double variance = sd[h - 1] * sd[h - 1];
            cr_expect_lt(fabs(sum / PATHS), 5.0 * sd[h - 1] / sqrt(PATHS),
                         "case %d h=%d: mean is off by %g of %g", c, h, sum / PATHS, mean[h - 1]);
            cr_expect_lt(fabs(squares / PATHS / variance - 1.0), 5.0 * sqrt(2.0 / PATHS),
                         "case %d h=%d: %g for %g", c, h, squares / PATHS, variance);
        }
    }
}

Test(forecast, simulated_limits_come_near_closed_ones_and_do_not_depend_on_layout) {
    enum { H = 7, L = 2, STRIDE = 5 };
    static double mean[H], lo[L * H], hi[L * H], near_lo[L * H], near_hi[L * H], out[3][L * H * STRIDE];
    tide_forecast_spec spec = {
        .season = 4, .horizon = H, .n_levels = L, .paths = 20000, .seed = 3, .level = {0.8, 0.95}};
    member m = {.coef = {0.5, 0.2, 0.4, 0.9}, .state = {100.0, 3.0, 20.0, -30.0, -10.0, 20.0}};
    const tide_member_view *v = member_of(&m, TIDE_FAMILY_ETS, TIDE_ETS_AAdA, 25.0);
    cr_assert(forecast(&spec, v, 1, 5, mean, lo, hi));
    spec.intervals = TIDE_INTERVALS_SIMULATED;
    cr_assert(forecast(&spec, v, 1, 5, mean, near_lo, near_hi));
    for (int i = 0; i < L * H; ++i) {
        double sd = (hi[i] - lo[i]) / (2.0 * tide_normal_quantile(0.5 + 0.5 * spec.level[i / H]));
        cr_expect_lt(fabs(near_lo[i] - lo[i]), 0.1 * sd);
        cr_expect_lt(fabs(near_hi[i] - hi[i]), 0.1 * sd);
    }
    double *work = malloc(STRIDE * tide_forecast_workspace(&spec, 1) * sizeof *work);
    cr_assert(tide_forecast_series(&spec, v, 1, 5, (tide_forecast_work){work, STRIDE},
                                   (tide_forecast_out){out[0], out[1], out[2], STRIDE}));
    free(work);
    for (int i = 0; i < L * H; ++i) {
        cr_expect(out[1][i * STRIDE] == near_lo[i] && out[2][i * STRIDE] == near_hi[i]);
        cr_expect(i >= H || out[0][i * STRIDE] == mean[i]);
    }
    cr_assert(forecast(&spec, v, 1, 6, mean, lo, hi));
    cr_expect(lo[0] != near_lo[0], "another series has other draws");
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma,bmi2"))) static int
forecast_avx512(const tide_forecast_spec *spec, const tide_member_view *v, int n, double *work,
                tide_forecast_out out) {
    return tide_forecast_series(spec, v, n, 5, (tide_forecast_work){work, 1}, out);
}

Test(forecast, bits_do_not_depend_on_the_instruction_set) {
    enum { H = 13, L = 2 };
    static double a[5][L * H], b[5][L * H];
    if (!__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return;
    for (int form = 0; form < TIDE_ETS_FORMS; ++form)
        for (int simulated = 0; simulated < 2; ++simulated) {
            double up = tide_ets_form_of(form).season == TIDE_MUL ? 1.2 : 12.0;
            double var = tide_ets_form_of(form).error == TIDE_MUL ? 0.01 : 25.0;
            member m[2] = {{.coef = {0.5, 0.2, 0.4, 0.9}, .state = {100.0, 3.0, up, 0.7, 0.9, up}},
                           {.coef = {0.3, 0.1, 0.2, 0.8}, .state = {90.0, 1.0, up, 0.6, 0.9, 1.3}}};
            tide_member_view v[2] = {*member_of(&m[0], TIDE_FAMILY_ETS, form, var),
                                     *member_of(&m[1], TIDE_FAMILY_ETS, form, var)};
            tide_forecast_spec spec = {.season = 4,
                                       .horizon = H,
                                       .n_levels = L,
                                       .intervals = simulated,
                                       .paths = 1000,
                                       .seed = 3,
                                       .level = {0.8, 0.95}};
            double *work = malloc(tide_forecast_workspace(&spec, 2) * sizeof *work);
            cr_assert(tide_forecast_series(&spec, v, 2, 5, (tide_forecast_work){work, 1},
                                           (tide_forecast_out){a[0], a[1], a[2], 1}));
            cr_assert(forecast_avx512(&spec, v, 2, work, (tide_forecast_out){b[0], b[1], b[2], 1}));
            free(work);
            cr_expect_eq(memcmp(a, b, sizeof a), 0, "form %d", form);
        }
}
#endif

static int ascending(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

Test(forecast, order_statistics_are_those_of_a_sorted_copy) {
    uint64_t seed = 1;
    double v[301];
    for (int round = 0; round < 60; ++round) {
        int n = 1 + round * 5;
        for (int i = 0; i < n; ++i) {
            double u = draw_next(&seed);
            v[i] = round % 4 == 0   ? floor(u * 5.0) /* many alike */
                   : round % 4 == 1 ? tide_normal_quantile(u)
                   : round % 4 == 2
                       ? ldexp(u - 0.5, (int)(seed % 1900) - 950) /* all magnitudes, both signs */
                       : (i % 9 ? 1.0 : -TIDE_PATH_LIMIT);
        }
        double sorted[301];
        memcpy(sorted, v, sizeof v);
        qsort(sorted, (size_t)n, sizeof *sorted, ascending);
        for (int k = 0; k < n; ++k) {
            tide_column c = {v, 1};
            tide_pair x = tide_order_pair(c, n, k, tide_range_of(c, n));
            cr_assert(x.high == sorted[k], "round %d k %d: %g, not %g", round, k, x.high, sorted[k]);
            cr_assert(x.low == sorted[k + 1 < n ? k + 1 : k], "round %d k %d: next %g", round, k, x.low);
        }
    }
}

/* Type 8 of Hyndman and Fan: position (n + 1/3) p + 1/3 among 1..n. */
Test(forecast, sample_quantile_is_median_unbiased) {
    double v[5] = {5.0, 1.0, 4.0, 2.0, 3.0};
    tide_column c = {v, 1};
    tide_range r = tide_range_of(c, 5), one = {5.0, 5.0};
    cr_expect(r.low == 1.0 && r.high == 5.0);
    cr_expect(tide_sample_quantile(c, 5, 0.5, r) == 3.0);
    cr_expect_lt(off(tide_sample_quantile(c, 5, 0.25, r), (16.0 / 3.0) * 0.25 + 1.0 / 3.0), 1e-15);
    cr_expect(tide_sample_quantile(c, 5, 0.01, r) == 1.0 && tide_sample_quantile(c, 5, 0.99, r) == 5.0);
    cr_expect(tide_sample_quantile(c, 1, 0.7, one) == 5.0);
}

Test(forecast, mixture_limits_have_the_stated_probability) {
    enum { H = 6, N = 3 };
    double mean[H], lo[2 * H], hi[2 * H], one_mean[N][H], one_lo[N][2 * H], one_hi[N][2 * H];
    tide_forecast_spec spec = {.season = 1, .horizon = H, .n_levels = 2, .level = {0.5, 0.99}};
    member m[N] = {
        {.coef = {0.3}, .state = {10.0}}, {.coef = {0.5, 0.2}, .state = {12.0, 1.0}}, {.state = {0.0}}};
    tide_member_view v[N] = {*member_of(&m[0], TIDE_FAMILY_ETS, TIDE_ETS_ANN, 1.0),
                             *member_of(&m[1], TIDE_FAMILY_ETS, TIDE_ETS_MAN, 0.01),
                             *member_of(&m[2], TIDE_FAMILY_MEAN, 0, 4.0)};
    double weight[N] = {0.5, 0.3, 0.2};
    for (int j = 0; j < N; ++j) {
        v[j].weight = weight[j];
        cr_assert(forecast(&spec, &v[j], 1, 0, one_mean[j], one_lo[j], one_hi[j]));
    }
    cr_assert(forecast(&spec, v, N, 0, mean, lo, hi));
    for (int h = 0; h < H; ++h) {
        double expected = 0.0;
        for (int j = 0; j < N; ++j)
            expected += weight[j] * one_mean[j][h];
        cr_expect_lt(off(mean[h], expected), 1e-15);
        for (int l = 0; l < 2; ++l) {
            double below = 0.0, above = 0.0, z = tide_normal_quantile(0.5 + 0.5 * spec.level[l]);
            for (int j = 0; j < N; ++j) {
                double sd = (one_hi[j][l * H + h] - one_lo[j][l * H + h]) / (2.0 * z);
                below += weight[j] * 0.5 * erfc((one_mean[j][h] - lo[l * H + h]) / sd / sqrt(2.0));
                above += weight[j] * 0.5 * erfc((hi[l * H + h] - one_mean[j][h]) / sd / sqrt(2.0));
            }
            cr_expect_lt(off(below, 0.5 * (1.0 - spec.level[l])), 1e-10, "h=%d level %d", h, l);
            cr_expect_lt(off(above, 0.5 * (1.0 - spec.level[l])), 1e-10, "h=%d level %d", h, l);
        }
    }
    v[1] = v[2] = v[0]; /* three alike are one */
    cr_assert(forecast(&spec, v, N, 0, mean, lo, hi));
    for (int i = 0; i < 2 * H; ++i)
        cr_expect(off(lo[i], one_lo[0][i]) < 1e-13 && off(hi[i], one_hi[0][i]) < 1e-13);
}

Test(forecast, without_variance_all_limits_are_the_mean) {
    double mean[8], lo[8], hi[8];
    tide_forecast_spec spec = {.season = 1, .horizon = 8, .n_levels = 1, .paths = 50, .level = {0.9}};
    member m[2] = {{.state = {7.0}}, {.state = {9.0}}};
    tide_member_view v[2] = {*member_of(&m[0], TIDE_FAMILY_MEAN, 0, 0.0),
                             *member_of(&m[1], TIDE_FAMILY_NAIVE, 0, 0.0)};
    for (spec.intervals = 0; spec.intervals < 2; ++spec.intervals) {
        cr_assert(forecast(&spec, v, 1, 0, mean, lo, hi));
        for (int h = 0; h < 8; ++h)
            cr_expect(mean[h] == 7.0 && lo[h] == 7.0 && hi[h] == 7.0);
        v[0].weight = v[1].weight = 0.5;
        cr_assert(forecast(&spec, v, 2, 0, mean, lo, hi)); /* two points: a limit on either */
        for (int h = 0; h < 8; ++h)
            cr_expect(mean[h] == 8.0 && off(lo[h], 7.0) < 1e-14 && off(hi[h], 9.0) < 1e-14, "%.17g %.17g",
                      lo[h], hi[h]);
    }
}

Test(forecast, no_model_or_a_number_out_of_range_is_nan_throughout) {
    double mean[4], lo[4], hi[4];
    for (int c = 0; c < 6; ++c) {
        tide_forecast_spec spec = {
            .season = 2, .horizon = 4, .n_levels = 1, .intervals = c == 5, .paths = 10, .level = {0.9}};
        member m = {.coef = {0.5, 0.1, 0.1, 0.9}, .state = {1.0, 0.0, 1.0, 1.0}};
        tide_member_view v = *member_of(&m, TIDE_FAMILY_ETS, TIDE_ETS_MAM, 0.01);
        if (c == 1)
            v.sigma2 = TIDE_NAN;
        if (c == 2)
            m.state[0] = TIDE_INF;
        if (c == 3)
            m.state[3] = -TIDE_NAN;
        if (c == 4)
            v.family = TIDE_FAMILY_NONE;
        if (c == 5)
            v.sigma2 = 1e308;
        cr_expect_eq(forecast(&spec, &v, c > 0, 0, mean, lo, hi), 0, "case %d", c);
        for (int h = 0; h < 4; ++h)
            cr_expect(tide_to_bits(mean[h]) == tide_to_bits(TIDE_NAN) &&
                          tide_to_bits(lo[h]) == tide_to_bits(TIDE_NAN) &&
                          tide_to_bits(hi[h]) == tide_to_bits(TIDE_NAN),
                      "case %d h %d", c, h);
    }
}

Test(forecast, largest_variance_still_has_finite_limits) {
    double mean[50], lo[50], hi[50];
    member m = {.state = {1e300}};
    tide_forecast_spec spec = {.season = 1, .horizon = 50, .n_levels = 1, .paths = 100, .level = {0.999}};
    const tide_member_view *v = member_of(&m, TIDE_FAMILY_NAIVE, 0, 0x1.fffffffffffffp1023);
    for (spec.intervals = 0; spec.intervals < 2; ++spec.intervals) {
        m.state[0] = spec.intervals ? 1e200 : 1e300;
        cr_assert(forecast(&spec, v, 1, 0, mean, lo, hi));
        for (int h = 0; h < 50; ++h) cr_expect(tide_is_finite(lo[h]) && tide_is_finite(hi[h]));
    }
}

/* ---- naive.h ---- */
#define NA ((double)NAN)

static int fit(int family, int m, const double *y, int n, tide_naive_model *out, double *season) {
    return tide_naive_fit(family, m, (tide_naive_series){y, 1, n}, out, season, 1);
}

Test(naive, families_have_their_text_book_estimates) {
    static const double y[8] = {3.0, 5.0, 4.0, 8.0, 6.0, 7.0, 9.0, 10.0};
    tide_naive_model r = {0};
    double season[4];
    cr_assert(fit(TIDE_FAMILY_NAIVE, 1, y, 8, &r, NULL)); /* differences 2 -1 4 -2 1 2 1 */
    cr_expect(r.level == 10.0 && r.n_obs == 8 && r.n_params == 2);
    cr_expect_lt(off(r.sigma2, 31.0 / 7.0), 1e-15);
    cr_expect_lt(off(r.loglik, -4.0 * log(31.0)), 1e-15);
    cr_assert(fit(TIDE_FAMILY_DRIFT, 1, y, 8, &r, NULL)); /* slope 1: 1 -2 3 -3 0 1 0 */
    cr_expect(r.level == 10.0 && r.slope == 1.0 && r.n_params == 3 && r.relative == 1.0 / 7.0);
    cr_expect_lt(off(r.sigma2, 24.0 / 6.0), 1e-15);
    cr_assert(fit(TIDE_FAMILY_MEAN, 1, y, 8, &r, NULL));
    cr_expect(r.level == 6.5 && r.n_params == 2 && r.relative == 1.0 / 8.0);
    cr_expect_lt(off(r.sigma2, 42.0 / 7.0), 1e-15);
    cr_assert(fit(TIDE_FAMILY_SNAIVE, 4, y, 8, &r, season)); /* seasonal differences 3 2 5 2 */
    cr_expect(season[0] == 6.0 && season[1] == 7.0 && season[2] == 9.0 && season[3] == 10.0 &&
              r.n_params == 5);
    cr_expect_lt(off(r.sigma2, 42.0 / 4.0), 1e-15);
}

Test(naive, likelihood_is_that_of_the_ets_form_they_are) {
    static const double y[11] = {3.0, NA, 4.0, 8.0, 6.0, NA, NA, 10.0, 9.0, 13.0, NA};
    static const struct {
        int family, form, m;
        double alpha, gamma;
    } cases[] = {{TIDE_FAMILY_NAIVE, TIDE_ETS_ANN, 1, 1.0, 0.0},
                 {TIDE_FAMILY_DRIFT, TIDE_ETS_AAN, 1, 1.0, 0.0},
                 {TIDE_FAMILY_MEAN, TIDE_ETS_ANN, 1, 0.0, 0.0},
                 {TIDE_FAMILY_SNAIVE, TIDE_ETS_ANA, 2, 0.0, 1.0}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; ++c) {
        tide_naive_model r = {0};
        double season[2] = {0.0, 0.0}, ring[2] = {3.0, 8.0}, sum = 0.0, mean;
        int m = cases[c].m;
        cr_assert(fit(cases[c].family, m, y, 11, &r, season));
        tide_ets_par par = {cases[c].alpha, 0.0, cases[c].gamma, 1.0};
        double level = cases[c].family == TIDE_FAMILY_MEAN ? r.level
                       : m > 1                             ? 0.0
                                                           : 3.0 - r.slope,
               trend = r.slope;
        for (int t = 0; t < 11; ++t) {
            double e = tide_ets_step(tide_ets_form_of(cases[c].form), par, y[t], &level, &trend, &ring[t % m],
                                     &mean);
            sum += e * e;
        }
        cr_expect_lt(off(r.loglik, -0.5 * 7.0 * log(sum)), 1e-14, "case %zu", c);
        cr_expect_lt(off(r.level, level), m > 1 ? 1.0 : 1e-15, "case %zu", c);
        cr_expect(m == 1 || (season[0] == ring[1] && season[1] == ring[0]), "case %zu", c);
    }
}

Test(naive, missing_values_at_the_end_carry_the_last_present_ones_forward) {
    static const double y[9] = {NA, 1.0, 2.0, 3.0, 5.0, 4.0, 7.0, NA, NA};
    tide_naive_model r = {0};
    double season[2];
    cr_assert(fit(TIDE_FAMILY_NAIVE, 1, y, 9, &r, NULL));
    cr_expect_eq(r.level, 7.0);
    cr_assert(fit(TIDE_FAMILY_DRIFT, 1, y, 9, &r, NULL));
    cr_expect(off(r.slope, 6.0 / 5.0) < 1e-15 && off(r.level, 7.0 + 2.0 * 6.0 / 5.0) < 1e-15);
    cr_assert(
        fit(TIDE_FAMILY_SNAIVE, 2, y, 9, &r, season)); /* the next step, 9, is of the season of 1, 3, 5 */
    cr_expect(season[0] == 4.0 && season[1] == 7.0);
}

Test(naive, too_few_values_are_refused_and_leave_the_output_alone) {
    static const double y[8] = {NA, 2.0, NA, NA, 4.0, NA, NA, NA};
    tide_naive_model r = {.n_obs = -7};
    double season[8];
    cr_expect(!fit(TIDE_FAMILY_NAIVE, 1, y, 4, &r, NULL) && !fit(TIDE_FAMILY_DRIFT, 1, y, 8, &r, NULL));
    cr_expect(!fit(TIDE_FAMILY_SNAIVE, 3, y, 8, &r, season) && !fit(TIDE_FAMILY_SNAIVE, 8, y, 8, &r, season));
    cr_expect(!fit(TIDE_FAMILY_MEAN, 1, y, 0, &r, NULL) && !fit(TIDE_FAMILY_MEAN, 1, y, 1, &r, NULL));
    static const double huge[3] = {1e200, -1e200, 1e200};
    cr_expect(!fit(TIDE_FAMILY_NAIVE, 1, huge, 3, &r, NULL));
    cr_expect_eq(r.n_obs, -7);
    cr_assert(fit(TIDE_FAMILY_MEAN, 1, y, 4, &r, NULL));
    cr_expect(r.level == 2.0 && r.sigma2 == 0.0 && tide_is_finite(r.loglik));
    cr_assert(fit(TIDE_FAMILY_NAIVE, 1, y, 8, &r, NULL));
    cr_expect(r.level == 4.0 && r.sigma2 == 4.0);
}

/* h; floor((h-1)/m) + 1; h + h^2/steps; 1 + 1/n - times sigma2. */
Test(naive, forecast_variances_are_the_text_book_ones) {
    enum { H = 9 };
    static const double y[8] = {3.0, 5.0, 4.0, 8.0, 6.0, 7.0, 9.0, 10.0};
    tide_forecast_spec spec = {.season = 4, .horizon = H, .n_levels = 1, .level = {0.9}};
    for (int family = TIDE_FAMILY_NAIVE; family <= TIDE_FAMILY_MEAN; ++family) {
        double mean[H], lo[H], hi[H];
        tide_naive_model r = {0};
        member m = {.coef = {0.0}};
        cr_assert(fit(family, 4, y, 8, &r, m.state + 2));
        m.state[0] = r.level;
        m.state[1] = r.slope;
        m.coef[0] = r.relative;
        cr_assert(forecast(&spec, member_of(&m, family, 0, r.sigma2), 1, 0, mean, lo, hi));
        for (int h = 1; h <= H; ++h) {
            double of[4] = {h, (h - 1) / 4 + 1, h + h * h / 7.0, 1.0 + 1.0 / 8.0};
            double point[4] = {10.0, y[4 + (h - 1) % 4], 10.0 + h, 6.5};
            cr_expect_lt(off(spread(&spec, lo, hi, h - 1), sqrt(r.sigma2 * of[family - TIDE_FAMILY_NAIVE])),
                         1e-14, "family %d h=%d", family, h);
            cr_expect_lt(off(mean[h - 1], point[family - TIDE_FAMILY_NAIVE]), 1e-15, "family %d h=%d", family,
                         h);
        }
    }
}
