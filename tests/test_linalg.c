/* test_linalg.c - products of slices: exact, so that no order of summation can change a bit; and the small solver. */
#include "kernels/linalg.h"
#include "kernels/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static double uniform(uint64_t *state) { /* (-1, 1), of any magnitude down to 2^-40 */
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    double u = (double)(int64_t)*state * 0x1p-63;
    return ldexp(u, -(int)(*state >> 58) % 41);
}

/* Sums from the last row to the first, in runs of eight that are added as a tree: nothing like the CPU's order. */
static void cross_backwards(size_t n, size_t k, size_t s, const double *a, const double *b, double *c) {
    for (size_t i = 0; i < k; ++i)
        for (size_t j = 0; j < s; ++j) {
            double total = 0.0, part[8];
            for (size_t t = n; t > 0;) {
                for (int l = 0; l < 8; ++l, t -= t > 0)
                    part[l] = t > 0 ? a[(t - 1) * k + i] * b[(t - 1) * s + j] : 0.0;
                for (int w = 4; w; w /= 2)
                    for (int l = 0; l < w; ++l)
                        part[l] += part[l + w];
                total += part[0];
            }
            c[i * s + j] = total;
        }
}

static double *sliced(const double *v, size_t n, size_t columns) {
    double *out = malloc(n * columns * TIDE_SLICES * sizeof *out), s[TIDE_SLICES];
    for (size_t t = 0; t < n; ++t)
        for (size_t j = 0; j < columns; ++j) {
            tide_slice(v[t * columns + j], s);
            for (size_t i = 0; i < TIDE_SLICES; ++i)
                out[t * columns * TIDE_SLICES + i * columns + j] = s[i];
        }
    return out;
}

Test(linalg, slices_add_up_and_are_multiples) {
    uint64_t state = 7;
    for (int i = 0; i < 100000; ++i) {
        double v = i == 0 ? 1.0 : i == 1 ? -1.0 : i == 2 ? 0.0 : uniform(&state), s[TIDE_SLICES];
        tide_slice(v, s);
        cr_assert(fabs(((v - s[0]) - s[1]) - s[2]) <= 0x1p-61, "%a", v);
        for (int b = 0; b < TIDE_SLICES; ++b) {
            double units = ldexp(s[b], 20 * (b + 1));
            cr_assert_eq(units, nearbyint(units));
            cr_assert(fabs(units) <= 0x1p20, "slice %d of %a is %a units", b, v, units);
        }
    }
}

Test(linalg, no_order_of_summation_changes_a_bit) {
    enum { K = 3, S = 700 };
    const size_t n = TIDE_LINALG_ROWS;
    double *a = malloc(n * K * sizeof *a), *b = malloc(n * S * sizeof *b);
    double *c = malloc(9 * K * S * sizeof *c), *d = malloc(9 * K * S * sizeof *d);
    uint64_t state = 3;
    for (size_t i = 0; i < n * K; ++i)
        a[i] = i % K == 0 ? 1.0 : uniform(&state); /* a column of ones reaches the largest sum that is allowed */
    for (size_t i = 0; i < n * S; ++i)
        b[i] = i % S == 0 ? 1.0 : uniform(&state);
    double *sa = sliced(a, n, K), *sb = sliced(b, n, S);
    tide_linalg cpu;
    tide_linalg_cpu(&cpu);
    cr_assert_eq(cpu.cross(cpu.self, n, 3 * K, 3 * S, sa, sb, c), 0);
    cross_backwards(n, 3 * K, 3 * S, sa, sb, d);
    cr_assert_arr_eq(c, d, 9 * K * S * sizeof *c);
    for (size_t i = 0; i < K; ++i)
        for (size_t j = 0; j < S; j += 97) {
            long double exact = 0.0L, size = 0.0L;
            for (size_t t = 0; t < n; ++t) {
                exact += (long double)a[t * K + i] * (long double)b[t * S + j];
                size += fabsl((long double)a[t * K + i] * (long double)b[t * S + j]);
            }
            double joined = tide_slices_join(c, K, S, i, j);
            cr_assert(fabsl((long double)joined - exact) <= 0x1p-53L * fabsl(exact) + 0x1p-58L * (long double)n,
                      "%zu %zu: %.17g, exact %.20Lg of %.3Lg", i, j, joined, exact, size);
        }
    free(a);
    free(b);
    free(c);
    free(d);
    free(sa);
    free(sb);
}

Test(linalg, cholesky_solves_and_leaves_out_what_is_collinear) {
    /* G = L L', L = (2; 1 3; -1 2 1) and x = (1, -2, 3) */
    double g[6] = {4, 2, 10, -2, 5, 6}, b[3] = {4 - 4 - 6, 2 - 20 + 15, -2 - 10 + 18};
    cr_assert_eq(tide_cholesky_solve(g, b, 3, 1e-12), 3);
    cr_assert(fabs(b[0] - 1) < 1e-14 && fabs(b[1] + 2) < 1e-14 && fabs(b[2] - 3) < 1e-14);
    /* The third column is the sum of the others, the fourth is 0: both are left out, the rest is as without them. */
    double h[10] = {4, 2, 10, 6, 12, 18, 0, 0, 0, 0}, c[4] = {4 - 4, 2 - 20, 6 - 24, 0};
    cr_assert_eq(tide_cholesky_solve(h, c, 4, 1e-12), 2);
    cr_assert(fabs(c[0] - 1) < 1e-14 && fabs(c[1] + 2) < 1e-14 && c[2] == 0.0 && c[3] == 0.0);
}

Test(linalg, without_a_gpu_cublas_says_why) {
    tide_linalg none;
    char why[80] = "";
    if (tide_linalg_cublas(0, &none, why, sizeof why)) {
        none.close(none.self);
        cr_skip_test("there is a GPU: tests/gpu_backend.c compares it");
    }
    cr_assert(strlen(why) > 5, "'%s'", why);
}
