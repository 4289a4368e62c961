/* test_kernel_math.c - tide_math.h, normal.h, rng.h, criteria.h: accuracy against long double, special cases,
 * and the same bits from scalar calls and from vector loops of every instruction set that runs here. */
#include "kernels/criteria.h"
#include "kernels/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

enum { POINTS = 1 << 20 };

static uint64_t xorshift(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static double unit_draw(uint64_t *state) {
    return (double)(xorshift(state) >> 11) * 0x1p-53;
}

/* Any finite x > 0, all exponents alike, subnormals included. */
static double any_positive(uint64_t *state) {
    for (;;) {
        double x = tide_from_bits(xorshift(state) >> 1);
        if (x > 0.0 && tide_is_finite(x))
            return x;
    }
}

static double off(double got, long double want) {
    return want == 0.0L ? (got == 0.0 ? 0.0 : HUGE_VAL) : (double)fabsl(((long double)got - want) / want);
}

/* The bits that matter: a NaN must be TIDE_NAN. */
static int is(double got, double want) {
    return tide_to_bits(got) == tide_to_bits(want);
}

Test(math, log_is_within_1e_15_over_all_positive_numbers) {
    uint64_t seed = 88172645463325252ull;
    double worst = 0.0, near_one = 0.0;
    for (int i = 0; i < POINTS; ++i) {
        double x = any_positive(&seed), y = 1.0 + (unit_draw(&seed) - 0.5) * (i & 1 ? 1e-6 : 1.0);
        worst = fmax(worst, off(tide_log(x), logl(x)));
        near_one = fmax(near_one, off(tide_log(y), logl(y)));
    }
    double x = 1.0; /* neighbours of 1, of sqrt(1/2) and of sqrt(2), where m wraps round; subnormals */
    const double edges[] = {1.0, 0x1.6a09e667f3bcdp-1, 0x1.6a09e667f3bcdp+0, 0x1p-1022, 0x1p-1074};
    for (size_t e = 0; e < sizeof edges / sizeof *edges; ++e) {
        x = edges[e];
        for (int i = 0; i < 1000; ++i, x = nextafter(x, 0.0))
            if (x > 0.0)
                worst = fmax(worst, off(tide_log(x), logl(x)));
        x = edges[e];
        for (int i = 0; i < 1000; ++i, x = nextafter(x, 2.0))
            worst = fmax(worst, off(tide_log(x), logl(x)));
    }
    cr_log_info("log: largest relative error %.2g, near 1 %.2g", worst, near_one);
    cr_expect_lt(worst, 3e-16);
    cr_expect_lt(near_one, 3e-16);
}

Test(math, exp_is_within_1e_15_and_rounds_once_below_the_normal_range) {
    uint64_t seed = 1;
    double worst = 0.0, low = 0.0;
    for (int i = 0; i < POINTS; ++i) {
        double x = -708.39 + unit_draw(&seed) * (708.39 + 709.78), y = (unit_draw(&seed) - 0.5) * 1e-3;
        double z = -745.1 + unit_draw(&seed) * (745.1 - 708.4);
        worst = fmax(worst, off(tide_exp(x), expl(x)));
        worst = fmax(worst, off(tide_exp(y), expl(y)));
        low = fmax(low, (double)(fabsl((long double)tide_exp(z) - expl(z)) / 0x1p-1074L));
    }
    cr_log_info("exp: largest relative error %.2g; subnormal results: %.3g units", worst, low);
    cr_expect_lt(worst, 3e-16);
    cr_expect_lt(low, 1.0);
}

Test(math, pow_is_within_1e_15_where_the_exponent_is_largest) {
    uint64_t seed = 2;
    double worst = 0.0;
    for (int i = 0; i < POINTS; ++i) {
        double x = i & 1 ? any_positive(&seed) : 1.0 + (unit_draw(&seed) - 0.5) * (i & 2 ? 1.0 : 1e-8);
        double most = 708.0 / fabs((double)logl(x)), y = (2.0 * unit_draw(&seed) - 1.0) * most;
        if (x == 1.0 || !isfinite(most))
            continue;
        if (i & 4)
            y = y < 0.0 ? -most : most;
        worst = fmax(worst, off(tide_pow(x, y), powl(x, y)));
    }
    cr_log_info("pow: largest relative error %.2g", worst);
    cr_expect_lt(worst, 4e-16);
}

Test(math, powers_of_small_integers_are_exact) {
    for (int i = 2; i < 40; ++i) {
        double want = 1.0;
        for (int k = 0; want < 0x1p53; ++k, want *= i)
            cr_expect(tide_pow(i, k) == want, "%d^%d is %.17g", i, k, tide_pow(i, k));
    }
    for (int k = -1074; k < 1024; ++k)
        cr_expect(tide_pow(2.0, k) == ldexp(1.0, k), "2^%d", k);
    cr_expect(tide_pow(4.0, 0.5) == 2.0);
    cr_expect(tide_exp(0.0) == 1.0 && tide_log(1.0) == 0.0);
}

Test(math, special_values_are_those_stated) {
    const double inf = TIDE_INF, nan = TIDE_NAN, other = -tide_from_bits(0x7ff8000000000123ull);
    cr_expect(is(tide_log(0.0), -inf) && is(tide_log(-0.0), -inf) && is(tide_log(inf), inf));
    cr_expect(is(tide_log(-1.0), nan) && is(tide_log(-inf), nan) && is(tide_log(other), nan));
    cr_expect(is(tide_exp(inf), inf) && is(tide_exp(-inf), 0.0) && is(tide_exp(other), nan));
    cr_expect(is(tide_exp(709.79), inf) && is(tide_exp(-746.0), 0.0) && is(tide_exp(1e300), inf));
    cr_expect(tide_exp(709.78) < inf && tide_exp(-745.13) == 0x1p-1074);
    cr_expect(is(tide_pow(0.0, 2.0), 0.0) && is(tide_pow(0.0, -2.0), inf) && is(tide_pow(0.0, 0.0), 1.0));
    cr_expect(is(tide_pow(inf, 2.0), inf) && is(tide_pow(inf, -2.0), 0.0) && is(tide_pow(inf, 0.0), 1.0));
    cr_expect(is(tide_pow(0.5, inf), 0.0) && is(tide_pow(0.5, -inf), inf) && is(tide_pow(2.0, inf), inf));
    cr_expect(is(tide_pow(2.0, -inf), 0.0) && is(tide_pow(1.0, inf), 1.0) && is(tide_pow(1.0, other), 1.0));
    cr_expect(is(tide_pow(other, 0.0), 1.0) && is(tide_pow(other, 1.0), nan) &&
              is(tide_pow(2.0, other), nan));
    cr_expect(is(tide_pow(-1.0, 2.0), nan) && is(tide_pow(-inf, 3.0), nan) &&
              is(tide_pow(1e300, 1e300), inf));
    cr_expect(is(tide_pow(1e-300, 1e300), 0.0) && is(tide_pow(1e300, -1e300), 0.0));
}

Test(normal, cdf_is_within_1e_14_in_both_tails) {
    uint64_t seed = 3;
    double worst = 0.0;
    for (int i = 0; i < POINTS / 4; ++i) {
        double x = -37.5 + unit_draw(&seed) * 46.0;
        worst = fmax(worst, off(tide_normal_cdf(x),
                                0.5L * erfcl(-(long double)x * 0.707106781186547524400844362104849L)));
    }
    cr_log_info("normal cdf: largest relative error %.2g", worst);
    cr_expect_lt(worst, 1e-14);
    cr_expect(is(tide_normal_cdf(0.0), 0.5) && is(tide_normal_cdf(-TIDE_INF), 0.0) &&
              is(tide_normal_cdf(TIDE_INF), 1.0));
    cr_expect(is(tide_normal_cdf(-TIDE_NAN), TIDE_NAN));
    cr_expect_lt(off(tide_normal_density(2.0), 0.0539909665131880519505642L), 4e-16);
}

Test(normal, quantile_is_within_1e_13_and_inverts_the_cdf) {
    uint64_t seed = 4;
    double worst = 0.0, back = 0.0;
    for (int i = 0; i < POINTS / 4; ++i) {
        double p = i & 1 ? unit_draw(&seed) : exp(-690.0 * unit_draw(&seed)), x = tide_normal_quantile(p);
        if (p <= 0.0 || p >= 1.0 || p == 0.5)
            continue;
        /* One Newton step in long double from x: its length is the error of x. The upper half by symmetry. */
        long double q = p < 0.5 ? (long double)p : 1.0L - (long double)p, z = p < 0.5 ? x : -(long double)x;
        long double tail = 0.5L * erfcl(-z * 0.707106781186547524400844362104849L);
        long double step = (tail - q) / (expl(-0.5L * z * z) * 0.398942280401432677939946059934382L);
        worst = fmax(worst, (double)fabsl(step / z));
        if (p < 0.5)
            back = fmax(back, off(tide_normal_cdf(x), p) / (1.0 + x * x));
    }
    cr_log_info("normal quantile: largest relative error %.2g", worst);
    cr_expect_lt(worst, 1e-13);
    cr_expect_lt(back, 1e-14);
    cr_expect(is(tide_normal_quantile(0.5), 0.0) && is(tide_normal_quantile(0.0), -TIDE_INF));
    cr_expect(is(tide_normal_quantile(1.0), TIDE_INF) && is(tide_normal_quantile(-0.1), TIDE_NAN));
    cr_expect(is(tide_normal_quantile(1.1), TIDE_NAN) && is(tide_normal_quantile(-TIDE_NAN), TIDE_NAN));
    cr_expect_lt(off(tide_normal_quantile(0.975), 1.95996398454005423552459443L), 1e-15);
}

/* Known answers of Random123 (Salmon et al. 2011), file kat_vectors: philox4x32, 10 rounds. */
Test(rng, philox_has_the_published_answers) {
    static const uint32_t known[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb,
         0x5001e420, 0x24126ea1}};
    for (int i = 0; i < 3; ++i) {
        const uint32_t *k = known[i];
        tide_philox c = {{k[0], k[1], k[2], k[3]}};
        c = tide_philox4x32(c, k[4], k[5]);
        for (int j = 0; j < 4; ++j)
            cr_expect_eq(c.word[j], k[6 + j], "vector %d word %d", i, j);
    }
}

Test(rng, uniforms_stay_inside_the_open_interval) {
    cr_expect(tide_uniform_of(0, 0) == 0x1p-53 && tide_uniform_of(~0u, ~0u) == 1.0 - 0x1p-53);
    cr_expect(tide_uniform_of(0x80000000u, 0) == 0.5 + 0x1p-53);
}

Test(rng, normal_draws_have_normal_moments_and_streams_are_apart) {
    double m[5] = {0.0}, between = 0.0;
    int n = 1 << 18;
    for (int i = 0; i < n; ++i) {
        tide_pair z = tide_normal_pair(42, 7, (uint32_t)i, 0), w = tide_normal_pair(42, 8, (uint32_t)i, 0);
        for (int k = 1; k < 5; ++k)
            m[k] += (pow(z.high, k) + pow(z.low, k)) / (2.0 * n);
        between += (z.high * z.low + z.high * w.high) / (2.0 * n);
    }
    double se = 1.0 / sqrt(2.0 * n); /* of the mean; of powers 2, 3, 4: times sqrt(2), sqrt(15), sqrt(96) */
    cr_expect_lt(fabs(m[1]), 5.0 * se);
    cr_expect_lt(fabs(m[2] - 1.0), 5.0 * se * 1.42);
    cr_expect_lt(fabs(m[3]), 5.0 * se * 3.88);
    cr_expect_lt(fabs(m[4] - 3.0), 5.0 * se * 9.80);
    cr_expect_lt(fabs(between), 5.0 * se * 1.42);
}

/* R's ets(AirPassengers, "ANN"): loglik, k = 3, n = 144. */
Test(criteria, are_those_of_r) {
    double loglik = -863.89337759925127;
    cr_expect_lt(off(tide_criterion_value(TIDE_AIC, loglik, 3, 144), 1733.7867551985025L), 1e-14);
    cr_expect_lt(off(tide_criterion_value(TIDE_AICC, loglik, 3, 144), 1733.9581837699311L), 1e-14);
    cr_expect_lt(off(tide_criterion_value(TIDE_BIC, loglik, 3, 144), 1742.6961950972304L), 1e-14);
    cr_expect(is(tide_criterion_value(TIDE_AICC, loglik, 3, 4), TIDE_INF));
    cr_expect(tide_criterion_value(TIDE_AICC, loglik, 3, 5) < TIDE_INF);
}

/* ---- one source, the same bits ---- */
enum { FUNCTIONS = 6, BLOCK = 1024 + 5 };

static inline __attribute__((always_inline)) void all_functions(const double *x, const double *y,
                                                                double (*out)[BLOCK], int n) {
#pragma omp simd
    for (int k = 0; k < n; ++k)
        out[0][k] = tide_log(x[k]);
#pragma omp simd
    for (int k = 0; k < n; ++k)
        out[1][k] = tide_exp(y[k]);
#pragma omp simd
    for (int k = 0; k < n; ++k)
        out[2][k] = tide_pow(x[k], y[k]);
#pragma omp simd
    for (int k = 0; k < n; ++k)
        out[3][k] = tide_normal_cdf(y[k]);
#pragma omp simd
    for (int k = 0; k < n; ++k)
        out[4][k] = tide_normal_quantile(x[k]);
#pragma omp simd
    for (int k = 0; k < n; ++k)
        out[5][k] = tide_normal_pair(9, tide_to_bits(x[k]), (uint32_t)k, 3).low;
}

static void loop_baseline(const double *x, const double *y, double (*out)[BLOCK], int n) {
    all_functions(x, y, out, n);
}
#if defined(__x86_64__)
__attribute__((target("avx2,fma,bmi2"))) static void loop_avx2(const double *x, const double *y,
                                                               double (*out)[BLOCK], int n) {
    all_functions(x, y, out, n);
}
__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma,bmi2,prefer-vector-width=512"))) static void
loop_avx512(const double *x, const double *y, double (*out)[BLOCK], int n) {
    all_functions(x, y, out, n);
}
#endif

Test(math, vector_loops_give_the_bits_of_scalar_calls) {
    static double x[BLOCK], y[BLOCK], want[FUNCTIONS][BLOCK], got[FUNCTIONS][BLOCK];
    static const double special[] = {0.0,   -0.0,   1.0,   -1.0,      0.5,    0.075,
                                     0.925, 1e-300, 1e300, 0x1p-1074, 709.78, -745.2};
    enum { SPECIAL = sizeof special / sizeof *special };
    uint64_t seed = 5;
    for (int round = 0; round < 200; ++round) {
        for (int i = 0; i < BLOCK; ++i) {
            x[i] = i & 1 ? any_positive(&seed) : unit_draw(&seed);
            y[i] = (unit_draw(&seed) - 0.5) * (i & 2 ? 1500.0 : 12.0);
            if (i < SPECIAL)
                x[i] = special[i];
            if (i >= SPECIAL && i < 2 * SPECIAL)
                y[i] = special[i - SPECIAL];
        }
        x[100] = y[101] = -TIDE_NAN;
        x[102] = y[103] = TIDE_INF;
        x[104] = y[105] = -TIDE_INF;
        for (int i = 0; i < BLOCK; ++i) {
            want[0][i] = tide_log(x[i]);
            want[1][i] = tide_exp(y[i]);
            want[2][i] = tide_pow(x[i], y[i]);
            want[3][i] = tide_normal_cdf(y[i]);
            want[4][i] = tide_normal_quantile(x[i]);
            want[5][i] = tide_normal_pair(9, tide_to_bits(x[i]), (uint32_t)i, 3).low;
        }
        memset(got, 0, sizeof got);
        loop_baseline(x, y, got, BLOCK);
        cr_assert_eq(memcmp(want, got, sizeof want), 0, "baseline loop differs in round %d", round);
#if defined(__x86_64__)
        memset(got, 0, sizeof got);
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            loop_avx2(x, y, got, BLOCK);
            cr_assert_eq(memcmp(want, got, sizeof want), 0, "AVX2 loop differs in round %d", round);
        }
        memset(got, 0, sizeof got);
        if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
            loop_avx512(x, y, got, BLOCK);
            cr_assert_eq(memcmp(want, got, sizeof want), 0, "AVX-512 loop differs in round %d", round);
        }
#endif
    }
}
