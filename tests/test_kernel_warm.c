/* Fits that begin from given coefficients: nothing is lost by good or by absurd ones, and a series' result is
 * its own. */
#include "tests/backend_cases.h"

#include <criterion/criterion.h>

typedef struct fitted {
    tide_fit_spec spec;
    tide_panel panel;
    tide_plan plan;
    tide_results results;
    size_t bytes;
} fitted;

static void fit(fitted *f) {
    const tide_tiles *tiles = &f->plan.tiles;
    size_t bytes = tide_lanes_baseline.workspace_bytes(&f->spec, tiles->rows[0], tiles->n_tiles);
    f->results = case_results(&f->spec, f->panel.n_series, &f->bytes);
    void *scratch = aligned_alloc(64, (bytes + 127) / 64 * 64);
    tide_lanes_baseline.fit_tiles(&f->spec, tiles, 0, tiles->n_tiles, scratch, &f->results);
    free(scratch);
}

static fitted open_case(const backend_case *c) {
    fitted f = {.spec = case_spec(c)};
    f.spec.min_weight = 0.0;
    f.spec.max_iterations = 2000;
    case_panel(c, &f.panel);
    cr_assert_eq(tide_plan_build(&f.plan, &f.panel, NULL), TIDE_OK);
    cr_assert_null(f.plan.tiles.warm, "cold unless told");
    return f;
}

static void close_case(fitted *f) {
    free(f->results.outcome);
    tide_plan_free(&f->plan);
    tide_panel_free(&f->panel);
}

/* The same coefficient everywhere, to be changed by the test. */
static void give(fitted *f, double value) {
    size_t count = f->plan.tiles.n_tiles * TIDE_WARM_ROWS * TIDE_TILE_WIDTH;
    f->plan.warm = malloc(count * sizeof *f->plan.warm);
    cr_assert_not_null(f->plan.warm);
    for (size_t i = 0; i < count; ++i)
        f->plan.warm[i] = value;
    f->plan.tiles.warm = f->plan.warm;
}

static double *warm_of(fitted *f, size_t lane, size_t form, size_t c) {
    size_t row = lane / TIDE_TILE_WIDTH * TIDE_WARM_ROWS + form * TIDE_ETS_COEF_ROWS + c;
    return &f->plan.warm[row * TIDE_TILE_WIDTH + lane % TIDE_TILE_WIDTH];
}

/* Members of series i as a bit set of forms. */
static uint32_t forms_of(const tide_results *r, size_t i) {
    uint32_t forms = 0;
    for (size_t j = 0; j < r->n_members[i]; ++j)
        if (r->family[j * r->n_series + i] == TIDE_FAMILY_ETS)
            forms |= 1u << r->form[j * r->n_series + i];
    return forms;
}

static const backend_case averaged = {"averaged", 60, 24, 60, 4, TIDE_ETS_AVERAGE, CASE_ETS, 0, 0, 0};
static const backend_case odd_ones = {"odd", 99, 8, 60, 4, TIDE_ETS_AVERAGE, CASE_ETS, 1, 0, 0};
static const backend_case chosen = {"chosen", 60, 24, 60, 4, TIDE_ETS_LIKELIHOOD, CASE_ETS, 0, 0, 0};

Test(warm, no_coefficients_are_a_cold_fit_to_the_bit) {
    const backend_case *cases[] = {&averaged, &odd_ones, &chosen};
    for (int i = 0; i < 3; ++i) {
        fitted cold = open_case(cases[i]), warm = open_case(cases[i]);
        give(&warm, TIDE_NAN);
        fit(&cold);
        fit(&warm);
        cr_assert_eq(memcmp(cold.results.outcome, warm.results.outcome, cold.bytes), 0, "%s", cases[i]->name);
        close_case(&cold);
        close_case(&warm);
    }
}

/* From its own optimum a fit ends no worse than it began, by more than what the searches leave (averages are
 * searched coarsely); a few end at another optimum of a hilly likelihood. */
static void refit(const backend_case *c) {
    const double left = case_spec(c).ets_mode == TIDE_ETS_AVERAGE ? 0.05 : 2e-3;
    fitted cold = open_case(c), warm = open_case(c);
    give(&warm, TIDE_NAN);
    fit(&cold);
    const tide_results *r = &cold.results;
    size_t n = r->n_series, members = 0, as_good = 0;
    for (size_t lane = 0; lane < n; ++lane) {
        size_t i = (size_t)warm.plan.tiles.order[lane];
        for (size_t j = 0; j < r->n_members[i]; ++j)
            for (size_t row = 0; row < TIDE_ETS_COEF_ROWS; ++row)
                *warm_of(&warm, lane, r->form[j * n + i], row) =
                    r->coef[(j * TIDE_ETS_COEF_ROWS + row) * n + i];
    }
    fit(&warm);
    const tide_results *w = &warm.results;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < r->n_members[i]; ++j, ++members)
            for (size_t k = 0; k < w->n_members[i]; ++k)
                as_good += w->form[k * n + i] == r->form[j * n + i] &&
                           w->criterion[k * n + i] <= r->criterion[j * n + i] + left;
    cr_assert_geq(members, n);
    cr_assert_geq(as_good, members - members / 100, "%s: %zu of %zu", c->name, as_good, members);
    close_case(&cold);
    close_case(&warm);
}

Test(warm, from_its_own_optimum_a_fit_is_as_good) {
    refit(&averaged);
    refit(&chosen);
}

Test(warm, absurd_coefficients_lose_no_form) {
    const double absurd[] = {-5.0, 0.0, 1e300, -1e300, TIDE_INF, 1.0};
    fitted cold = open_case(&odd_ones);
    fit(&cold);
    for (size_t a = 0; a < sizeof absurd / sizeof *absurd; ++a) {
        fitted warm = open_case(&odd_ones);
        give(&warm, absurd[a]);
        fit(&warm);
        for (size_t i = 0; i < cold.results.n_series; ++i)
            cr_assert_eq(forms_of(&cold.results, i) & ~forms_of(&warm.results, i), 0,
                         "series %zu from %g: %x, %x", i, absurd[a], forms_of(&cold.results, i),
                         forms_of(&warm.results, i));
        close_case(&warm);
    }
    close_case(&cold);
}

/* Every second series warm: the others keep the bits of a cold fit, and these those of an all-warm one. */
Test(warm, warm_and_cold_neighbours_do_not_touch_each_other) {
    const backend_case *cases[] = {&odd_ones, &chosen};
    for (int c = 0; c < 2; ++c) {
        fitted cold = open_case(cases[c]), warm = open_case(cases[c]), mixed = open_case(cases[c]);
        give(&warm, 0.4);
        give(&mixed, 0.4);
        size_t n = cold.results.n_series = cold.panel.n_series;
        for (size_t lane = 0; lane < n; ++lane)
            for (size_t form = 0; form < TIDE_ETS_FORMS; ++form)
                if (mixed.plan.tiles.order[lane] % 2)
                    *warm_of(&mixed, lane, form, 0) = TIDE_NAN;
        fit(&cold);
        fit(&warm);
        fit(&mixed);
        int differ = 0;
        for (size_t i = 0; i < n; ++i) {
            const tide_results *want = i % 2 ? &cold.results : &warm.results, *got = &mixed.results;
            differ += cold.results.loglik[i] != warm.results.loglik[i];
            cr_assert_eq(got->n_members[i], want->n_members[i]);
            for (size_t j = 0; j < got->n_members[i]; ++j) {
                cr_assert_eq(got->form[j * n + i], want->form[j * n + i]);
                cr_assert_eq(tide_to_bits(got->loglik[j * n + i]), tide_to_bits(want->loglik[j * n + i]));
                for (size_t row = 0; row < (size_t)got->state_rows; ++row)
                    cr_assert_eq(tide_to_bits(got->state[(j * (size_t)got->state_rows + row) * n + i]),
                                 tide_to_bits(want->state[(j * (size_t)got->state_rows + row) * n + i]));
            }
        }
        cr_assert_gt(differ, 0, "the start is used");
        close_case(&cold);
        close_case(&warm);
        close_case(&mixed);
    }
}
