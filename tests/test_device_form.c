/* The GPU path without a GPU: its arithmetic as plain functions, and its kernels' bodies in a loop over
 * threads. */
#include "tests/backend_cases.h"
#include "tests/device_emulated.h"

#include "kernels/device_plan.h"
#include <criterion/criterion.h>

/* ---- arithmetic ---- */

static size_t per_row(const tide_fit_spec *spec, int32_t rows) {
    return 50 + (size_t)spec->season + 3 * (size_t)rows;
}

static size_t per_member(const tide_forecast_spec *spec, int n_members) {
    return (size_t)spec->season * (size_t)n_members;
}

typedef struct fixture {
    tide_fit_spec spec;
    tide_panel panel;
    tide_plan plan;
} fixture;

static fixture open_fixture(const backend_case *c) {
    fixture f = {.spec = case_spec(c)};
    case_panel(c, &f.panel);
    cr_assert_eq(tide_plan_build(&f.plan, &f.panel, NULL), TIDE_OK);
    case_warm(c, &f.plan);
    return f;
}

static void close_fixture(fixture *f) {
    tide_plan_free(&f->plan);
    tide_panel_free(&f->panel);
}

static const backend_case ragged = {"ragged", 1000, 0, 300, 12, TIDE_ETS_LIKELIHOOD, CASE_ALL, 1, 0, 1};

Test(device_plan, blocks_cover_all_threads_and_no_block_is_idle) {
    for (size_t threads = 1; threads < 3000; threads += 37)
        for (int sm = 1; sm <= 132; sm += 131) {
            int block = tide_device_block(threads, sm);
            size_t blocks = tide_device_blocks(threads, block);
            cr_assert(block % TIDE_WARP == 0 && block >= TIDE_WARP && block <= TIDE_DEVICE_BLOCK);
            cr_assert(blocks * (size_t)block >= threads && (blocks - 1) * (size_t)block < threads);
        }
    cr_assert_eq(tide_device_block(1u << 20, 132), TIDE_DEVICE_BLOCK);
    cr_assert_eq(tide_device_block(132 * 32, 132), TIDE_WARP,
                 "a small launch spreads over all multiprocessors");
}

Test(device_plan, parts_of_a_block_are_aligned_and_do_not_overlap) {
    fixture f = open_fixture(&ragged);
    for (size_t first = 0; first < f.plan.tiles.n_tiles; first += 5)
        for (size_t count = 1; first + count <= f.plan.tiles.n_tiles; count += 7) {
            tide_device_range r = {first, count};
            tide_device_layout l = tide_device_layout_of(&f.spec, &f.plan.tiles, r, per_row);
            size_t at[] = {l.order_at, l.length_at, l.scale_at,   l.outcome_at,   l.rows_at,     l.offset_at,
                           l.y_at,     l.warm_at,   l.results_at, l.workspace_at, l.device_bytes};
            size_t bytes[] = {l.lanes * 4, l.lanes * 4,   l.lanes * 8,     l.lanes,          count * 4,
                              count * 8,   l.y_count * 8, l.warm_bytes,    l.results_bytes, l.workspace_bytes};
            cr_assert_eq(l.warm_bytes, l.lanes * TIDE_WARM_ROWS * 8);
            for (int i = 0; i < 10; ++i) {
                cr_assert_eq(at[i] % 256, 0);
                cr_assert_leq(at[i] + bytes[i], at[i + 1]);
            }
            cr_assert_eq(l.lanes, count * 32);
            cr_assert_eq(l.rows, f.plan.tiles.rows[first], "the first tile is the longest");
            cr_assert_eq(l.workspace_bytes, l.lanes * 8 * (50 + 12 + 3 * (size_t)l.rows));
            cr_assert(l.input_bytes <= l.results_at && l.host_bytes <= l.workspace_at);
        }
    close_fixture(&f);
}

Test(device_plan, cut_takes_as_many_tiles_as_fit_and_at_least_one) {
    fixture f = open_fixture(&ragged);
    const tide_tiles *t = &f.plan.tiles;
    for (size_t bytes = 1; bytes < (size_t)1 << 28; bytes = bytes * 3 + 1)
        for (size_t first = 0; first < t->n_tiles; first += 3) {
            size_t n = tide_device_cut(&f.spec, t, first, 20, bytes, per_row);
            cr_assert(n >= 1 && n <= 20 && first + n <= t->n_tiles);
            tide_device_range r = {first, n}, more = {first, n + 1};
            if (n > 1)
                cr_assert_leq(tide_device_layout_of(&f.spec, t, r, per_row).device_bytes, bytes);
            if (n < 20 && first + n < t->n_tiles)
                cr_assert_gt(tide_device_layout_of(&f.spec, t, more, per_row).device_bytes, bytes);
        }
    close_fixture(&f);
}

Test(device_plan, halves_make_up_the_whole) {
    for (size_t count = 2; count < 100; ++count) {
        tide_device_range whole = {17, count}, a, b;
        tide_device_halve(whole, &a, &b);
        cr_assert(a.first == 17 && a.count >= 1 && b.count >= a.count && b.count - a.count <= 1);
        cr_assert(b.first == a.first + a.count && b.first + b.count == 17 + count);
    }
}

Test(device_plan, each_device_gets_two_batches_none_larger_than_it_can_run) {
    cr_assert_eq(tide_device_tiles_max(0, 1, 132), 1);
    cr_assert_eq(tide_device_tiles_max(1, 4, 132), 1);
    cr_assert_eq(tide_device_tiles_max(100, 1, 132), 50);
    cr_assert_eq(tide_device_tiles_max(100, 2, 132), 25);
    cr_assert_eq(tide_device_tiles_max(1000000, 1, 132), 132 * 2048 / 32);
}

Test(device_plan, what_is_staged_is_what_the_launch_finds_and_results_go_home) {
    fixture f = open_fixture(&ragged);
    const tide_tiles *t = &f.plan.tiles;
    size_t bytes;
    tide_results all = case_results(&f.spec, t->n_series, &bytes);
    for (size_t first = 0; first < t->n_tiles; first += 9) {
        tide_device_range r = {first, t->n_tiles - first < 9 ? t->n_tiles - first : 9};
        tide_device_layout l = tide_device_layout_of(&f.spec, t, r, per_row);
        unsigned char *block = aligned_alloc(256, l.device_bytes);
        tide_device_stage(t, r, &l, block);
        tide_device_fit job = tide_device_fit_of(&f.spec, r, &l, block);
        cr_assert_eq(job.threads, r.count * 32);
        cr_assert_eq((unsigned char *)(job.workspace + job.threads * per_row(&f.spec, l.rows)) <=
                         block + l.device_bytes,
                     1);
        for (size_t g = 0; g < job.threads; ++g) {
            size_t lane = first * 32 + g, tile = g / 32, k = g % 32;
            cr_assert_eq(job.tiles.order[g], t->order[lane] < 0 ? -1 : (int32_t)g);
            cr_assert_eq(job.tiles.length[g], t->length[lane]);
            cr_assert_eq(job.tiles.scale[g], t->scale[lane]);
            cr_assert_eq(job.tiles.outcome[g], t->outcome[lane]);
            for (int32_t s = 0; s < job.tiles.rows[tile]; ++s)
                cr_assert_eq(tide_to_bits(job.tiles.y[job.tiles.offset[tile] + (size_t)s * 32 + k]),
                             tide_to_bits(t->y[t->offset[first + tile] + (size_t)s * 32 + k]));
            for (size_t row = 0; row < TIDE_WARM_ROWS; ++row)
                cr_assert_eq(tide_to_bits(job.tiles.warm[(tile * TIDE_WARM_ROWS + row) * 32 + k]),
                             tide_to_bits(t->warm[((first + tile) * TIDE_WARM_ROWS + row) * 32 + k]));
            job.results.n_obs[g] = t->order[lane];
            for (size_t row = 0; row < (size_t)job.results.state_rows; ++row)
                job.results.state[row * job.threads + g] = (double)t->order[lane] * 100.0 + (double)row;
        }
        tide_device_scatter(t, r, &job.results, &all);
        free(block);
    }
    for (size_t i = 0; i < all.n_series; ++i) {
        cr_assert_eq(all.n_obs[i], (int32_t)i);
        for (size_t row = 0; row < (size_t)all.state_rows; ++row)
            cr_assert_eq(all.state[row * all.n_series + i], (double)i * 100.0 + (double)row);
    }
    free(all.outcome);
    close_fixture(&f);
}

Test(device_plan, forecasts_are_cut_to_memory_and_come_home) {
    tide_forecast_spec spec = case_forecast_spec(&ragged, TIDE_INTERVALS_CLOSED);
    tide_results like = {.n_series = 1000, .slots = 3, .coef_rows = 4, .state_rows = 14};
    for (size_t bytes = 1; bytes < 1u << 26; bytes = bytes * 2 + 1) {
        size_t n = tide_forecast_cut(&spec, &like, 1000, bytes, per_member);
        cr_assert(n >= 1 && n <= 1000);
        if (n > 1)
            cr_assert_leq(tide_forecast_layout_of(&spec, &like, n, per_member).device_bytes, bytes);
        if (n < 1000)
            cr_assert_gt(tide_forecast_layout_of(&spec, &like, n + 1, per_member).device_bytes, bytes);
    }
    double from[6] = {1, 2, 3, 4, 5, 6}, to[10] = {0};
    tide_forecast_scatter(from, 2, 1, 3, 5, to);
    double want[10] = {0, 1, 2, 3, 0, 0, 4, 5, 6, 0};
    cr_assert_arr_eq(to, want, sizeof want);
}

/* ---- the kernels' bodies ---- */

/* All of a case as one launch of the device form against one lane of the CPU's. */
static void compare_with_scalar(const backend_case *c, int block) {
    fixture f = open_fixture(c);
    const tide_tiles *t = &f.plan.tiles;
    size_t bytes;
    tide_results want = case_results(&f.spec, t->n_series, &bytes),
                 got = case_results(&f.spec, t->n_series, &bytes);
    int32_t rows = t->n_tiles ? t->rows[0] : 0;
    size_t scalar_bytes = tide_lanes_scalar.workspace_bytes(&f.spec, rows, 1);
    void *scratch = aligned_alloc(64, (scalar_bytes + 127) / 64 * 64);
    for (size_t tile = 0; tile < t->n_tiles; ++tile)
        tide_lanes_scalar.fit_tiles(&f.spec, t, tile, 1, scratch, &want);
    free(scratch);

    static emulated_machine none;
    const tide_device_driver *driver = emulated_driver(&none);
    tide_device_fit job = {.spec = f.spec, .tiles = *t, .results = got, .threads = t->n_tiles * 32};
    size_t doubles = job.threads * driver->workspace(&f.spec, rows);
    job.workspace = malloc((doubles + 1) * sizeof *job.workspace);
    cr_assert_not_null(job.workspace);
    memset(job.workspace, 0xff, (doubles + 1) * sizeof *job.workspace);
    emulated_fit(&job, block);
    cr_assert_eq(memcmp(got.outcome, want.outcome, bytes), 0, "%s, blocks of %d", c->name, block);
    free(job.workspace);
    free(want.outcome);
    free(got.outcome);
    close_fixture(&f);
}

Test(device_form, gives_the_bits_of_one_cpu_lane) {
    for (int i = 0; i < BACKEND_CASES; ++i)
        if (!backend_cases[i].slow)
            compare_with_scalar(&backend_cases[i], TIDE_DEVICE_BLOCK);
}

Test(device_form, gives_the_same_bits_for_any_size_of_block) {
    compare_with_scalar(&backend_cases[2], 32);
    compare_with_scalar(&backend_cases[2], 96);
}
