/* Forecasts from a store: the bits that the kernel gives on the fit's own results, and the refusals. */
#include "kernels/arima.h"
#include "kernels/members.h"
#include "tests/store_fixture.h"

#include <criterion/criterion.h>

enum { N = 400, HORIZON = 30, LEVELS = 2 };

static tide_store *make_store(char dir[256]) {
    tide_store *store = NULL;
    tide_error err = {0};
    fix_directory(dir);
    tide_store_writer_options options = fix_options(dir);
    cr_assert_eq(fix_write(&options, 1, N, NULL, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(tide_store_open(dir, TIDE_VERIFY_TOUCHED, &store, &err), TIDE_OK, "%s", err.message);
    return store;
}

static tide_forecast_spec make_spec(int intervals) {
    return (tide_forecast_spec){.season = FIX_SEASON,
                                .horizon = HORIZON,
                                .n_levels = LEVELS,
                                .intervals = intervals,
                                .paths = 200,
                                .seed = 42,
                                .level = {0.8, 0.95}};
}

static void check_intervals(int intervals) {
    char dir[256];
    tide_store *store = make_store(dir);
    tide_forecast_spec spec = make_spec(intervals);
    fix_batch b;
    fix_series *s = malloc(sizeof *s);
    int finite = 0;
    fix_batch_make(&b, 1, 0, N);
    double *work = malloc((tide_forecast_workspace(&spec, FIX_SLOTS) + 1) * sizeof *work);
    for (size_t i = 0; i < N; ++i) {
        double want[HORIZON * (1 + 2 * LEVELS)], got[HORIZON * (1 + 2 * LEVELS)];
        tide_member_view members[TIDE_MEMBERS_MAX];
        tide_error err = {0};
        int n = tide_members_of(&b.results, i, members);
        fix_make(1, i, s);
        tide_forecast_out out = {want, want + HORIZON, want + HORIZON * (1 + LEVELS), 1};
        finite += tide_forecast_series(&spec, members, n, tide_id_key(s->id, s->id_length),
                                       (tide_forecast_work){work, 1}, out);
        cr_assert_eq(tide_store_forecast(store, (int64_t)i, &spec, got, got + HORIZON,
                                         got + HORIZON * (1 + LEVELS), &err),
                     TIDE_OK, "%s", err.message);
        cr_assert_eq(memcmp(want, got, sizeof want), 0, "series %zu", i);
    }
    cr_assert_gt(finite, N / 2, "most have a model: %d", finite);
    free(work);
    free(s);
    fix_batch_free(&b);
    tide_store_close(store);
    fix_remove(dir);
}

Test(predict, closed_intervals_equal_the_kernels_bits) {
    check_intervals(TIDE_INTERVALS_CLOSED);
}

Test(predict, simulated_intervals_equal_the_kernels_bits) {
    check_intervals(TIDE_INTERVALS_SIMULATED);
}

/* Closed forms that need no kernel to compare with: a lone ETS(A,N,N) or naive model forecasts its level. */
Test(predict, level_models_forecast_their_level) {
    char dir[256];
    tide_store *store = make_store(dir);
    tide_forecast_spec spec = make_spec(TIDE_INTERVALS_CLOSED);
    fix_series *s = malloc(sizeof *s);
    int seen = 0;
    spec.n_levels = 0;
    for (uint64_t i = 0; i < N; ++i) {
        double mean[HORIZON];
        tide_error err = {0};
        fix_make(1, i, s);
        const fix_member *m = &s->member[0];
        if (s->n_members != 1 || !(m->family == TIDE_FAMILY_NAIVE || m->family == TIDE_FAMILY_MEAN))
            continue;
        cr_assert_eq(tide_store_forecast(store, (int64_t)i, &spec, mean, NULL, NULL, &err), TIDE_OK, "%s",
                     err.message);
        for (int h = 0; h < HORIZON; ++h)
            cr_assert_eq(mean[h], m->state[0], "series %lu step %d", (unsigned long)i, h);
        ++seen;
    }
    cr_assert_gt(seen, 10);
    free(s);
    tide_store_close(store);
    fix_remove(dir);
}

Test(predict, series_without_a_model_gives_nan_and_no_error) {
    char dir[256];
    tide_store *store = make_store(dir);
    tide_forecast_spec spec = make_spec(TIDE_INTERVALS_CLOSED);
    double mean[HORIZON] = {0}, lo[LEVELS * HORIZON] = {0}, hi[LEVELS * HORIZON] = {0};
    cr_assert_eq(tide_store_forecast(store, 0, &spec, mean, lo, hi, NULL),
                 TIDE_OK); /* 0 % 11 == 0: no members */
    for (int h = 0; h < HORIZON; ++h)
        cr_assert_eq(tide_to_bits(mean[h]), tide_to_bits(TIDE_NAN));
    for (int h = 0; h < LEVELS * HORIZON; ++h)
        cr_assert(tide_to_bits(lo[h]) == tide_to_bits(TIDE_NAN) &&
                  tide_to_bits(hi[h]) == tide_to_bits(TIDE_NAN));
    tide_store_close(store);
    fix_remove(dir);
}

static void expect_refusal(const tide_store *store, int64_t row, const tide_forecast_spec *spec,
                           tide_status status, const char *reason) {
    double mean[HORIZON] = {7.0}, lo[TIDE_LEVELS_MAX * HORIZON], hi[TIDE_LEVELS_MAX * HORIZON];
    tide_error err = {0};
    cr_assert_eq(tide_store_forecast(store, row, spec, mean, lo, hi, &err), status, "%s: %s", reason,
                 err.message);
    cr_assert_not_null(strstr(err.message, reason), "%s: %s", reason, err.message);
    cr_assert_eq(mean[0], 7.0, "outputs untouched");
}

Test(predict, impossible_requests_are_refused) {
    char dir[256];
    tide_store *store = make_store(dir);
    tide_forecast_spec spec = make_spec(TIDE_INTERVALS_CLOSED);
    expect_refusal(store, N, &spec, TIDE_NOT_FOUND, "no row 400");
    spec.horizon = 0;
    expect_refusal(store, 1, &spec, TIDE_CONFIG, "horizon 0");
    spec = make_spec(TIDE_INTERVALS_CLOSED);
    spec.season = 7;
    expect_refusal(store, 1, &spec, TIDE_CONFIG, "season 7: the store's is 12");
    spec = make_spec(TIDE_INTERVALS_CLOSED);
    spec.n_levels = TIDE_LEVELS_MAX + 1;
    expect_refusal(store, 1, &spec, TIDE_CONFIG, "levels");
    spec = make_spec(TIDE_INTERVALS_CLOSED);
    spec.level[1] = 95.0;
    expect_refusal(store, 1, &spec, TIDE_CONFIG, "level 95");
    spec = make_spec(TIDE_INTERVALS_SIMULATED);
    spec.paths = 0;
    expect_refusal(store, 1, &spec, TIDE_CONFIG, "0 paths");
    tide_store_close(store);
    fix_remove(dir);
}

Test(names, numbers_and_texts_agree_both_ways) {
    cr_assert_str_eq(tide_outcome_name(TIDE_OUTCOME_BAD_GRID), "bad_grid");
    cr_assert_str_eq(tide_outcome_name(99), "?");
    cr_assert_str_eq(tide_family_name(TIDE_FAMILY_SNAIVE), "snaive");
    cr_assert_str_eq(tide_family_name(-1), "?");
    cr_assert_str_eq(tide_form_name(TIDE_FAMILY_ETS, TIDE_ETS_AAdN), "AAdN");
    cr_assert_str_eq(tide_form_name(TIDE_FAMILY_ETS, TIDE_ETS_FORMS), "?");
    cr_assert_str_eq(tide_form_name(TIDE_FAMILY_MEAN, 0), "");
    for (int f = 0; f < TIDE_ETS_FORMS; ++f) {
        const char *name = tide_form_name(TIDE_FAMILY_ETS, (uint32_t)f);
        cr_assert_eq(tide_ets_form_number(name, strlen(name)), f);
    }
    cr_assert_eq(tide_family_number("ets", 3), TIDE_FAMILY_ETS);
    cr_assert_eq(tide_family_number("ets2", 4), -1);
    cr_assert_eq(tide_ets_form_number("ANNx", 3), TIDE_ETS_ANN, "length counts, not a terminator");
    cr_assert_eq(tide_ets_form_number("AN", 2), -1);
}

Test(names, rows_of_a_form_are_counted_and_named) {
    cr_assert_eq(tide_coef_count(TIDE_FAMILY_ETS, TIDE_ETS_ANN), 1);
    cr_assert_eq(tide_coef_count(TIDE_FAMILY_ETS, TIDE_ETS_MNA), 3, "gamma keeps its place");
    cr_assert_eq(tide_coef_count(TIDE_FAMILY_ETS, TIDE_ETS_AAdN), 4);
    cr_assert_eq(tide_state_count(TIDE_FAMILY_ETS, TIDE_ETS_ANN, 12), 1);
    cr_assert_eq(tide_state_count(TIDE_FAMILY_ETS, TIDE_ETS_AAN, 12), 2);
    cr_assert_eq(tide_state_count(TIDE_FAMILY_ETS, TIDE_ETS_MAdM, 12), 14);
    cr_assert_eq(tide_coef_count(TIDE_FAMILY_COUNT, 0), -1);
    cr_assert_eq(tide_coef_count(TIDE_FAMILY_NAIVE, 1), -1);
    cr_assert_str_eq(tide_coef_name(TIDE_FAMILY_ETS, TIDE_ETS_AAdN, 3), "phi");
    cr_assert_str_eq(tide_coef_name(TIDE_FAMILY_ETS, TIDE_ETS_AAN, 3), "?");
    cr_assert_str_eq(tide_state_name(TIDE_FAMILY_ETS, TIDE_ETS_MAM, 12, 13), "season");
    cr_assert_str_eq(tide_state_name(TIDE_FAMILY_ETS, TIDE_ETS_MAN, 12, 1), "trend");
}

static const char *text_of(tide_arima_order o, int season) {
    static char text[TIDE_FORM_TEXT];
    return tide_form_text(TIDE_FAMILY_ARIMA, tide_arima_form(o), season, text, sizeof text);
}

Test(names, an_arima_order_is_written_as_r_writes_it) {
    cr_expect_str_eq(text_of((tide_arima_order){.q = 1, .d = 1, .Q = 1, .D = 1}, 12), "ARIMA(0,1,1)(0,1,1)[12]");
    cr_expect_str_eq(text_of((tide_arima_order){.p = 2, .Q = 1, .D = 1, .constant = 1}, 4),
                     "ARIMA(2,0,0)(0,1,1)[4] with drift");
    cr_expect_str_eq(text_of((tide_arima_order){.p = 1, .constant = 1}, 12), "ARIMA(1,0,0) with non-zero mean");
    cr_expect_str_eq(text_of((tide_arima_order){.p = 1}, 12), "ARIMA(1,0,0) with zero mean");
    cr_expect_str_eq(text_of((tide_arima_order){5, 1, 5, 2, 1, 2, 0, 1, 10, 64}, 52),
                     "ARIMA(5,1,5)(2,1,2)[52], Fourier K=10, xreg 64, Box-Cox");
    cr_expect_str_eq(text_of((tide_arima_order){.p = 6}, 12), "?");
    char text[TIDE_FORM_TEXT], few[6];
    cr_expect_str_eq(tide_form_text(TIDE_FAMILY_ETS, TIDE_ETS_AAdN, 12, text, sizeof text), "AAdN");
    cr_expect_str_eq(tide_form_text(TIDE_FAMILY_MEAN, 0, 12, text, sizeof text), "");
    cr_expect_str_eq(tide_form_text(TIDE_FAMILY_ARIMA, 0, 12, few, sizeof few), "ARIMA", "cut to its room");
}

Test(names, rows_of_an_arima_order_follow_from_it_and_the_season) {
    tide_arima_order o = {.p = 2, .q = 1, .P = 1, .Q = 2, .D = 1, .constant = 1, .boxcox = 1, .fourier = 1, .xreg = 2};
    static const char *const coefs[] = {"ar1",  "ar2",  "ma1", "sar1", "sma1",   "sma2",  "drift",
                                        "sin1", "cos1", "x1",  "x2",   "lambda", "steps", "?"};
    uint32_t form = tide_arima_form(o);
    cr_assert_eq(tide_coef_count(TIDE_FAMILY_ARIMA, form), 13);
    for (int r = 0; r < 14; ++r)
        cr_expect_str_eq(tide_coef_name(TIDE_FAMILY_ARIMA, form, r), coefs[r]);
    cr_assert_eq(tide_state_count(TIDE_FAMILY_ARIMA, form, 12), 26 + 12);
    cr_expect_str_eq(tide_state_name(TIDE_FAMILY_ARIMA, form, 12, 25), "x");
    cr_expect_str_eq(tide_state_name(TIDE_FAMILY_ARIMA, form, 12, 26), "lag");
    cr_expect_str_eq(tide_state_name(TIDE_FAMILY_ARIMA, form, 12, 38), "?");
    cr_assert_eq(tide_state_count(TIDE_FAMILY_ARIMA, form, 1), -1, "no seasonal terms without a season");
    cr_assert_eq(tide_state_count(TIDE_FAMILY_ARIMA, form, 366), -1, "nor with so long a one");
    for (uint32_t f = 0; f < 1u << 24; f += 977) { /* whatever a damaged store says */
        int n = tide_coef_count(TIDE_FAMILY_ARIMA, f << 8 | (f & 255u));
        cr_assert(n == -1 || (n >= 1 && n <= 150));
        for (int season = 1; season <= 366; season = season * 5 + 1) {
            int rows = tide_state_count(TIDE_FAMILY_ARIMA, f << 8 | (f & 255u), season);
            cr_assert(rows == -1 || (rows >= 1 && rows <= 53 * 3 + 8));
        }
    }
}
