/* Tiles: order, scale, padding, and what becomes of series that cannot be fitted. */
#include "host/plan.h"
#include "kernels/tide_fn.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static tide_panel make(size_t n, const size_t *length, double first) {
    tide_panel p;
    tide_panel_init(&p);
    for (size_t i = 0; i < n; ++i) {
        double *y = malloc((length[i] + 1) * sizeof *y);
        for (size_t t = 0; t < length[i]; ++t)
            y[t] = first + (double)(i * 1000 + t);
        cr_assert_eq(tide_panel_add(&p, "x", 1, y, length[i], 0, 0, NULL), TIDE_OK);
        free(y);
    }
    return p;
}

static tide_panel one(const double *y, size_t n) {
    tide_panel p;
    tide_panel_init(&p);
    cr_assert_eq(tide_panel_add(&p, "x", 1, y, n, 0, 0, NULL), TIDE_OK);
    return p;
}

static double scale_of(const double *y, size_t n) {
    tide_panel p = one(y, n);
    tide_plan plan = {0};
    cr_assert_eq(tide_plan_build(&plan, &p, NULL), TIDE_OK);
    double s = plan.tiles.scale[0];
    for (size_t t = 0; t < n; ++t) {
        double back = plan.tiles.y[t * TIDE_TILE_WIDTH] * s;
        cr_assert(isnan(y[t]) ? isnan(back) : back == y[t], "scaling is exact at step %zu", t);
    }
    tide_plan_free(&plan);
    tide_panel_free(&p);
    return s;
}

Test(plan, no_series_gives_no_tiles) {
    tide_panel p = make(0, NULL, 0);
    tide_plan plan = {0};
    cr_assert_eq(tide_plan_build(&plan, &p, NULL), TIDE_OK);
    cr_assert_eq(plan.tiles.n_tiles, 0);
    cr_assert_eq(plan.tiles.y_count, 0);
    tide_plan_free(&plan);
    tide_panel_free(&p);
}

Test(plan, sorts_longest_first_and_keeps_the_order_of_equal_lengths) {
    enum { N = 5000 };
    size_t length[N];
    for (size_t i = 0; i < N; ++i)
        length[i] = i * 2654435761u % 97 * (i % 50 == 0 ? 60 : 1);
    tide_panel p = make(N, length, 1.0);
    tide_plan plan = {0};
    cr_assert_eq(tide_plan_build(&plan, &p, NULL), TIDE_OK);
    cr_assert_eq(plan.tiles.n_tiles, (N + 31) / 32);
    char seen[N] = {0};
    for (size_t k = 0; k < N; ++k) {
        size_t i = (size_t)plan.tiles.order[k];
        cr_assert(i < N && !seen[i], "each series has one lane");
        seen[i] = 1;
        cr_assert_eq((size_t)plan.tiles.length[k], length[i]);
        if (k == 0)
            continue;
        size_t before = (size_t)plan.tiles.order[k - 1];
        cr_assert(length[before] > length[i] || (length[before] == length[i] && before < i));
    }
    for (size_t k = N; k < plan.tiles.n_tiles * 32; ++k) {
        cr_assert_eq(plan.tiles.order[k], -1);
        cr_assert_eq(plan.tiles.length[k], 0);
        cr_assert_eq(plan.tiles.scale[k], 1.0);
    }
    tide_plan_free(&plan);
    tide_panel_free(&p);
}

Test(plan, every_value_lies_where_the_layout_says_and_the_rest_is_nan) {
    size_t length[70];
    for (size_t i = 0; i < 70; ++i)
        length[i] = 1 + i * 7 % 23;
    tide_panel p = make(70, length, 5.0);
    tide_plan plan = {0};
    cr_assert_eq(tide_plan_build(&plan, &p, NULL), TIDE_OK);
    const tide_tiles *T = &plan.tiles;
    cr_assert_eq((uintptr_t)T->y % 64, 0);
    size_t sum = 0;
    for (size_t tile = 0; tile < T->n_tiles; ++tile) {
        cr_assert_eq(T->offset[tile], sum);
        sum += (size_t)T->rows[tile] * 32;
        for (size_t k = 0; k < 32; ++k) {
            size_t lane = tile * 32 + k;
            cr_assert_leq(T->length[lane], T->rows[tile]);
            for (int32_t t = 0; t < T->rows[tile]; ++t) {
                double y = T->y[T->offset[tile] + (size_t)t * 32 + k];
                if (t >= T->length[lane])
                    cr_assert_eq(tide_to_bits(y), tide_to_bits(TIDE_NAN));
                else
                    cr_assert_eq(y * T->scale[lane], p.y[p.at[T->order[lane]] + (size_t)t]);
            }
        }
    }
    cr_assert_eq(T->y_count, sum);
    tide_plan_free(&plan);
    tide_panel_free(&p);
}

Test(plan, scale_is_the_power_of_two_just_above_the_mean) {
    cr_assert_eq(scale_of((double[]){3.0, 3.0}, 2), 4.0);
    cr_assert_eq(scale_of((double[]){4.0}, 1), 4.0);
    cr_assert_eq(scale_of((double[]){-5.0, TIDE_NAN, 3.5}, 3), 8.0);
    cr_assert_eq(scale_of((double[]){0.0, 0.0}, 2), 1.0);
    cr_assert_eq(scale_of((double[]){1e-3}, 1), 0x1p-9);
}

Test(plan, scale_follows_the_unit_of_the_data) {
    double y[6] = {1.25, 7.5, TIDE_NAN, 3.0, 0.5, 2.0}, z[6];
    double s = scale_of(y, 6);
    for (int e = -900; e <= 900; e += 75) {
        for (int t = 0; t < 6; ++t)
            z[t] = ldexp(y[t], e);
        cr_assert_eq(scale_of(z, 6), ldexp(s, e));
    }
}

Test(plan, scale_neither_overflows_nor_vanishes) {
    cr_assert_eq(scale_of((double[]){1e308, 1.7e308, 1.7e308}, 3), 0x1p1022);
    cr_assert_eq(scale_of((double[]){5e-324, 5e-324}, 2), 0x1p-1022);
    double s = scale_of((double[]){1e300, 1.0}, 2);
    cr_assert(s >= 0.5e300 && s <= 1e300);
}

Test(plan, series_without_a_fit_get_an_empty_lane_and_their_outcome) {
    tide_panel p;
    tide_panel_init(&p);
    double missing[3] = {TIDE_NAN, TIDE_NAN, TIDE_NAN}, infinite[2] = {1.0, TIDE_INF}, good[1] = {2.0};
    tide_panel_add(&p, "a", 1, missing, 3, 0, 2, NULL);
    tide_panel_add(&p, "b", 1, infinite, 2, 0, 1, NULL);
    tide_panel_add(&p, "c", 1, good, 0, 0, 0, NULL);
    tide_panel_add(&p, "d", 1, good, 1, 0, 0, NULL);
    tide_panel_add(&p, "e", 1, good, 1, 0, 0, NULL);
    p.outcome[4] = TIDE_OUTCOME_DUPLICATE;
    tide_plan plan = {0};
    cr_assert_eq(tide_plan_build(&plan, &p, NULL), TIDE_OK);
    uint8_t want[5] = {TIDE_OUTCOME_EMPTY, TIDE_OUTCOME_NOT_FINITE, TIDE_OUTCOME_EMPTY, TIDE_OUTCOME_FITTED,
                       TIDE_OUTCOME_DUPLICATE};
    for (int k = 0; k < 5; ++k) {
        int i = plan.tiles.order[k];
        cr_assert_eq(plan.tiles.outcome[k], want[i]);
        cr_assert_eq(plan.tiles.length[k], i == 3);
    }
    cr_assert_eq(plan.tiles.order[0], 3);
    tide_plan_free(&plan);
    tide_panel_free(&p);
}

Test(plan, block_is_reused_from_batch_to_batch) {
    size_t large[40], small[3] = {2, 9, 4};
    for (size_t i = 0; i < 40; ++i)
        large[i] = 50;
    tide_panel a = make(40, large, 1.0), b = make(3, small, 1.0);
    tide_plan plan = {0};
    cr_assert_eq(tide_plan_build(&plan, &a, NULL), TIDE_OK);
    void *block = plan.block;
    cr_assert_eq(tide_plan_build(&plan, &b, NULL), TIDE_OK);
    cr_assert_eq(plan.block, block);
    cr_assert_eq(plan.tiles.n_series, 3);
    cr_assert_eq(plan.tiles.rows[0], 9);
    cr_assert_eq(plan.tiles.order[0], 1);
    tide_plan_free(&plan);
    cr_assert_null(plan.block);
    tide_panel_free(&a);
    tide_panel_free(&b);
}
