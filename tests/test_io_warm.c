/* Starts from a store: found by id, put into the lane of the series; what it does not hold starts cold. */
#include "host/warm.h"
#include "kernels/ets.h"
#include "tests/store_fixture.h"

#include <criterion/criterion.h>
#include <math.h>

enum { N = 400, STEPS = 5 };

static void make_store(char dir[256], size_t n) {
    tide_error err = {0};
    fix_directory(dir);
    tide_store_writer_options options = fix_options(dir);
    cr_assert_eq(fix_write(&options, 1, n, NULL, &err), TIDE_OK, "%s", err.message);
}

/* Series [first, first + n) of the fixture with values of their own, in tiles of changed order. */
static void make_plan(uint64_t first, size_t n, tide_panel *panel, tide_plan *plan) {
    fix_series *s = malloc(sizeof *s);
    tide_panel_init(panel);
    for (size_t i = 0; i < n; ++i) {
        double y[STEPS] = {1, 2, 3, 4, 5};
        fix_make(1, first + i, s);
        cr_assert_eq(tide_panel_add(panel, s->id, s->id_length, y, 1 + i % STEPS, 0, 4, NULL), TIDE_OK);
    }
    free(s);
    *plan = (tide_plan){0};
    cr_assert_eq(tide_plan_build(plan, panel, NULL), TIDE_OK);
}

typedef struct warm_case {
    char dir[256];
    tide_warm *warm;
    tide_panel panel;
    tide_plan plan;
    uint64_t found;
} warm_case;

/* Starts from the store in c->dir for series [first, first + n): what tide_warm_fill came to. */
static tide_status fill(warm_case *c, uint64_t first, size_t n, tide_error *err) {
    c->warm = NULL;
    c->found = 0;
    cr_assert_eq(tide_warm_open(c->dir, FIX_SEASON, &c->warm, err), TIDE_OK, "%s", err->message);
    make_plan(first, n, &c->panel, &c->plan);
    return tide_warm_fill(c->warm, &c->panel, &c->plan, &c->found, err);
}

static void end(warm_case *c) {
    tide_warm_close(c->warm);
    tide_plan_free(&c->plan);
    tide_panel_free(&c->panel);
    fix_remove(c->dir);
}

static double start_of(const tide_plan *plan, size_t lane, size_t form, size_t c) {
    size_t row = lane / TIDE_TILE_WIDTH * TIDE_WARM_ROWS + form * TIDE_ETS_COEF_ROWS + c;
    return plan->tiles.warm[row * TIDE_TILE_WIDTH + lane % TIDE_TILE_WIDTH];
}

static int has(int form, int c) {
    tide_ets_form f = tide_ets_form_of(form);
    return c == 0 || (c == 1 && f.trend != TIDE_NO) || (c == 2 && f.season != TIDE_NO) ||
           (c == 3 && f.trend == TIDE_DAMPED);
}

Test(warm_store, every_series_gets_the_coefficients_of_its_id) {
    warm_case w;
    tide_error err = {0};
    uint64_t want_found = 0;
    fix_series *s = malloc(sizeof *s);
    make_store(w.dir, N);
    cr_assert_eq(fill(&w, N - 100, 200, &err), TIDE_OK, "%s", err.message); /* the second half is not in the store */
    cr_assert_eq(tide_warm_info(w.warm)->generation, 1);
    cr_assert_str_eq(tide_warm_info(w.warm)->run_id, "20240131T120000Z-test");
    for (size_t lane = 0; lane < w.plan.tiles.n_tiles * TIDE_TILE_WIDTH; ++lane) {
        int32_t i = w.plan.tiles.order[lane], any = 0;
        uint64_t number = N - 100 + (uint64_t)i;
        double want[TIDE_ETS_FORMS][TIDE_ETS_COEF_ROWS] = {{0}};
        int stored[TIDE_ETS_FORMS] = {0};
        if (i >= 0 && number < N) {
            fix_make(1, number, s);
            for (int j = 0; j < s->n_members; ++j)
                if (s->member[j].family == TIDE_FAMILY_ETS) {
                    any = stored[s->member[j].form] = 1;
                    for (int c = 0; c < TIDE_ETS_COEF_ROWS; ++c)
                        want[s->member[j].form][c] = s->member[j].coef[c];
                }
        }
        want_found += (uint64_t)any;
        for (int form = 0; form < TIDE_ETS_FORMS; ++form) {
            cr_assert_eq(isnan(start_of(&w.plan, lane, (size_t)form, 0)), !any, "lane %zu form %d", lane, form);
            for (int c = 0; stored[form] && c < TIDE_ETS_COEF_ROWS; ++c) {
                double got = start_of(&w.plan, lane, (size_t)form, (size_t)c);
                if (has(form, c))
                    cr_assert_eq(got, want[form][c], "lane %zu form %d", lane, form);
                else
                    cr_assert(isnan(got));
            }
        }
    }
    cr_assert_eq(w.found, want_found);
    cr_assert_gt(w.found, 5);
    free(s);
    end(&w);
}

/* One stored form: the others of its season and trend take all that it has, the rest what there is. */
Test(warm_store, a_form_without_coefficients_borrows_those_of_the_nearest) {
    warm_case w;
    tide_error err = {0};
    int seen = 0;
    fix_series *s = malloc(sizeof *s);
    make_store(w.dir, N);
    cr_assert_eq(fill(&w, 0, N, &err), TIDE_OK, "%s", err.message);
    for (size_t lane = 0; lane < N; ++lane) {
        fix_make(1, (uint64_t)w.plan.tiles.order[lane], s);
        if (s->n_members != 1 || s->member[0].family != TIDE_FAMILY_ETS)
            continue;
        ++seen;
        for (int form = 0; form < TIDE_ETS_FORMS; ++form)
            for (int c = 0; c < TIDE_ETS_COEF_ROWS; ++c) {
                double got = start_of(&w.plan, lane, (size_t)form, (size_t)c);
                if (has((int)s->member[0].form, c))
                    cr_assert_eq(got, s->member[0].coef[c]);
                else
                    cr_assert(isnan(got), "the usual start");
            }
    }
    cr_assert_gt(seen, 5);
    /* Of two stored forms: season before trend before error. */
    for (size_t lane = 0; lane < N; ++lane) {
        fix_make(1, (uint64_t)w.plan.tiles.order[lane], s);
        uint32_t stored = 0;
        double alpha[TIDE_ETS_FORMS] = {0};
        for (int j = 0; j < s->n_members; ++j)
            if (s->member[j].family == TIDE_FAMILY_ETS) {
                stored |= 1u << s->member[j].form;
                alpha[s->member[j].form] = s->member[j].coef[0];
            }
        if ((stored >> TIDE_ETS_AAA & 1u) && !(stored >> TIDE_ETS_MAA & 1u))
            cr_assert_eq(start_of(&w.plan, lane, TIDE_ETS_MAA, 0), alpha[TIDE_ETS_AAA]);
        if ((stored >> TIDE_ETS_MNM & 1u) && !(stored >> TIDE_ETS_MAM & 1u) &&
            !(stored >> TIDE_ETS_MAdM & 1u) && !(stored >> TIDE_ETS_AAA & 1u) &&
            !(stored >> TIDE_ETS_MAA & 1u) && !(stored >> TIDE_ETS_AAdA & 1u) &&
            !(stored >> TIDE_ETS_MAdA & 1u))
            cr_assert_eq(start_of(&w.plan, lane, TIDE_ETS_MAM, 0), alpha[TIDE_ETS_MNM]);
    }
    free(s);
    end(&w);
}

Test(warm_store, a_store_that_is_missing_or_of_another_season_is_refused_by_name) {
    char dir[256];
    tide_warm *warm = NULL;
    tide_error err = {0};
    cr_assert_eq(tide_warm_open("/nonexistent/models", FIX_SEASON, &warm, &err), TIDE_STORE);
    cr_assert(strstr(err.message, "/nonexistent/models") && strstr(err.message, "warm"), "%s", err.message);
    make_store(dir, 10);
    cr_assert_eq(tide_warm_open(dir, 4, &warm, &err), TIDE_CONFIG);
    cr_assert(strstr(err.message, dir) && strstr(err.message, "season 12") && strstr(err.message, "season 4"),
              "%s", err.message);
    cr_assert_null(warm, "outputs are untouched on failure");
    tide_warm_close(NULL);
    fix_remove(dir);
}

Test(warm_store, a_damaged_column_of_coefficients_is_found_before_it_is_used) {
    warm_case w;
    char path[320];
    tide_error err = {0};
    make_store(w.dir, N);
    snprintf(path, sizeof path, "%s/gen-000001.h5", w.dir);
    fix_file f = fix_read(path);
    tide_store_entry coef = fix_entry(&f, TIDE_COL_COEF);
    f.bytes[coef.offset + coef.count * 8 / 2] ^= 1;
    fix_write_bytes(path, f.bytes, f.n);
    free(f.bytes);
    cr_assert_eq(fill(&w, 0, N, &err), TIDE_STORE);
    cr_assert(strstr(err.message, path), "%s", err.message);
    cr_assert_null(w.plan.tiles.warm);
    end(&w);
}
