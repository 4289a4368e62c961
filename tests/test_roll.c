/* test_roll.c - states carried over new values: the bits of one pass over all of them, the recursions of the book written out
 * anew, and for ARIMA the exact filter by dense matrices. */
#include "kernels/roll.h"
#include "kernels/ets_fit.h"
#include "tests/arima_dense.h"
#include "tests/draw.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { M = 4, N = 43, MORE = 11, ROUGH = 3 * M };

/* Positive, with a season and gaps. */
static void series(double *y, int n, int gaps) {
    uint64_t seed = 9;
    for (int t = 0; t < n; ++t) {
        y[t] = 100.0 + 10.0 * (t % M) + t + 8.0 * draw_next(&seed);
        if (gaps && (t % 9 == 5 || t == N + 2))
            y[t] = TIDE_NAN;
    }
}

static tide_ets_par par_of(tide_ets_form f) {
    return (tide_ets_par){0.37, f.trend ? 0.11 : 0.0, f.season ? 0.23 : 0.0, f.trend == TIDE_DAMPED ? 0.93 : 1.0};
}

static void coef_of(tide_ets_form f, double *coef) {
    tide_ets_par p = par_of(f);
    coef[0] = p.alpha;
    coef[1] = p.beta;
    coef[2] = p.gamma;
    coef[3] = f.trend == TIDE_DAMPED ? p.phi : 0.0;
}

/* First states: as a form's own, on a scale where values are near 1. */
static void first_states(tide_ets_form f, double *state) {
    static const double add[M] = {-0.1, -0.05, 0.05, 0.1}, mul[M] = {0.9, 0.95, 1.05, 1.1};
    state[0] = 0.9;
    state[1] = f.trend ? 0.01 : 0.0;
    for (int j = 0; j < M; ++j)
        state[2 + j] = f.season == TIDE_NO ? 0.0 : f.season == TIDE_ADD ? add[j] : mul[j];
}

/* A member without regressors. */
static int roll_member(int family, uint32_t form, int season, double scale, const double *y, int n, double *coef, double *state) {
    double *scratch = malloc(tide_roll_scratch(season) * sizeof *scratch);
    int ok = tide_roll_with(family, form, season, scale, NULL, 0, 0, y, n, coef, state, scratch);
    free(scratch);
    return ok;
}

/* The fit's own last pass over n scaled values from the first states: final states as a fit leaves them. */
static void finish(tide_ets_form form, const double *y, int n, double *state) {
    const int n_box = 1 + (form.trend != TIDE_NO) + (form.season != TIDE_NO) + (form.trend == TIDE_DAMPED);
    double tile[(N + MORE) * TIDE_TILE_WIDTH], fixed[M], ring[M], x[8], begin[2 + M], n_obs = 0.0;
    double *block = calloc(1u << 16, sizeof *block);
    int32_t length = n;
    tide_ets_work w;
    tide_ets_problem p = {.y = tile, .rows = n, .season = M, .n_free = 0, .stride = 1, .n_obs = &n_obs, .fixed = fixed,
                          .relative = fixed, .ring = ring, .lower = {0, 0, 0, 0}, .upper = {1, 1, 1, 1}, .gap = 2.0};
    first_states(form, begin);
    memset(&w, 0, sizeof w);
    tide_ets_work_place(&w, block, tide_ets_n_states(form, 0) + n_box, n_box, M, 1);
    for (int t = 0; t < n; ++t) {
        tile[t * TIDE_TILE_WIDTH] = y[t];
        n_obs += !isnan(y[t]);
    }
    memcpy(fixed, begin + 2, sizeof fixed);
    int at = 0;
    x[at++] = begin[0];
    if (form.trend != TIDE_NO)
        x[at++] = begin[1];
    x[at++] = 0.37;
    if (form.trend != TIDE_NO)
        x[at++] = 0.3; /* shares of their ranges */
    if (form.season != TIDE_NO)
        x[at++] = 0.4;
    if (form.trend == TIDE_DAMPED)
        x[at++] = 0.93;
    memcpy(w.q.x, x, (size_t)at * sizeof *x);
    tide_ets_finish(form, &p, &w, &length);
    memcpy(state, w.final_state, (2 + M) * sizeof *state);
    free(block);
}

/* The coefficients that the fit's last pass takes for those shares. */
static void finish_coef(tide_ets_form form, double *coef) {
    tide_ets_problem p = {.season = M, .stride = 1, .lower = {0, 0, 0, 0}, .upper = {1, 1, 1, 1}, .gap = 2.0};
    double x[4];
    int at = 0;
    x[at++] = 0.37;
    if (form.trend != TIDE_NO)
        x[at++] = 0.3;
    if (form.season != TIDE_NO)
        x[at++] = 0.4;
    if (form.trend == TIDE_DAMPED)
        x[at++] = 0.93;
    tide_ets_theta t = tide_ets_theta_of(form, &p, x, 1);
    coef[0] = t.par.alpha;
    coef[1] = t.par.beta;
    coef[2] = t.par.gamma;
    coef[3] = form.trend == TIDE_DAMPED ? t.par.phi : 0.0;
}

Test(roll, continues_the_pass_of_the_fit_bit_for_bit_in_all_15_forms) {
    double y[N + MORE], scaled[N + MORE];
    const double scale = 128.0;
    for (int gaps = 0; gaps < 2; ++gaps)
        for (int id = 0; id < TIDE_ETS_FORMS; ++id) {
            const tide_ets_form f = tide_ets_form_of(id);
            double coef[4], state[2 + M], want[2 + M];
            series(y, N + MORE, gaps);
            for (int t = 0; t < N + MORE; ++t)
                scaled[t] = y[t] / scale;
            finish(f, scaled, N, state);
            finish(f, scaled, N + MORE, want);
            finish_coef(f, coef);
            for (int j = 0; j < 2 + M; ++j) {
                double unit_of = j >= 2 && f.season == TIDE_MUL ? 1.0 : scale;
                state[j] *= unit_of;
                want[j] *= unit_of;
            }
            cr_assert(roll_member(TIDE_FAMILY_ETS, (uint32_t)id, M, scale, y + N, MORE, coef, state));
            cr_expect_eq(memcmp(state, want, sizeof want), 0, "form %d gaps %d: %.17g %.17g, %.17g %.17g", id, gaps, state[0],
                         want[0], state[2], want[2]);
        }
}

Test(roll, is_the_recursion_of_the_book_and_in_pieces_the_same_bits) {
    double y[MORE];
    series(y, MORE, 0);
    y[4] = TIDE_NAN;
    for (int id = 0; id < TIDE_ETS_FORMS; ++id) {
        const tide_ets_form f = tide_ets_form_of(id);
        const tide_ets_par p = par_of(f);
        double coef[4], state[2 + M], pieces[2 + M];
        coef_of(f, coef);
        first_states(f, state);
        state[0] *= 128.0;
        state[1] *= 128.0;
        for (int j = 0; j < M; ++j)
            state[2 + j] *= f.season == TIDE_ADD ? 128.0 : 1.0;
        memcpy(pieces, state, sizeof state);
        double l = state[0], b = state[1], s[M];
        memcpy(s, state + 2, sizeof s);
        for (int t = 0; t < MORE; ++t) { /* Hyndman et al. 2008, tables 2.2 and 2.3 */
            double damped = f.trend == TIDE_DAMPED ? p.phi * b : f.trend ? b : 0.0, q = l + damped;
            double mu = f.season == TIDE_ADD ? q + s[t % M] : f.season == TIDE_MUL ? q * s[t % M] : q;
            double e = isnan(y[t]) ? 0.0 : y[t] - mu, season = s[t % M];
            l = q + p.alpha * (f.season == TIDE_MUL ? e / season : e);
            b = damped + p.beta * (f.season == TIDE_MUL ? e / season : e);
            s[t % M] = season + p.gamma * (f.season == TIDE_MUL ? e / q : e);
        }
        cr_assert(roll_member(TIDE_FAMILY_ETS, (uint32_t)id, M, 128.0, y, MORE, coef, state));
        cr_expect(fabs(state[0] - l) <= 1e-12 * fabs(l), "form %d: level %.17g, not %.17g", id, state[0], l);
        if (f.trend)
            cr_expect(fabs(state[1] - b) <= 1e-11 * fabs(b) + 1e-13, "form %d: trend", id);
        for (int j = 0; f.season && j < M; ++j)
            cr_expect(fabs(state[2 + j] - s[(MORE + j) % M]) <= 1e-11, "form %d: season %d", id, j);
        static const int cut[] = {0, 1, 2, 7, MORE};
        for (int i = 0; i + 1 < 5; ++i)
            cr_assert(roll_member(TIDE_FAMILY_ETS, (uint32_t)id, M, 128.0, y + cut[i], cut[i + 1] - cut[i], coef, pieces));
        cr_expect_eq(memcmp(state, pieces, sizeof state), 0, "form %d: night by night", id);
    }
}

Test(roll, naive_families_take_the_last_values_exactly) {
    const double y[] = {0.1, TIDE_NAN, 0.3, 0.7, TIDE_NAN};
    double coef[4] = {0.02, 0, 0, 0}, state[2 + M] = {5.5, 0.0, 1, 2, 3, 4};
    cr_assert(roll_member(TIDE_FAMILY_NAIVE, 0, M, 4.0, y, 5, coef, state));
    cr_expect_eq(state[0], 0.7);
    state[0] = 0.0;
    cr_assert(roll_member(TIDE_FAMILY_SNAIVE, 0, M, 4.0, y, 5, coef, state));
    const double want[] = {2, 0.3, 0.7, 0.1}; /* steps 5, 6, 7, 8: places 1, 2, 3, 0 */
    for (int j = 0; j < M; ++j)
        cr_expect_eq(state[2 + j], want[j], "%d: %g", j, state[2 + j]);
    state[0] = 10.0;
    state[1] = 2.0;
    cr_assert(roll_member(TIDE_FAMILY_DRIFT, 0, M, 4.0, y, 5, coef, state));
    cr_expect(fabs(state[0] - 2.7) < 1e-15 && state[1] == 2.0, "a missing value goes along the slope");
    state[0] = 10.0;
    cr_assert(roll_member(TIDE_FAMILY_MEAN, 0, M, 4.0, y, 5, coef, state));
    cr_expect_eq(state[0], 10.0, "the mean was estimated");
}

Test(roll, multiplicative_forms_refuse_zero_and_below_and_nothing_infinite_comes_out) {
    const double zero[] = {0.0}, huge[] = {1e308, -1e308};
    double coef[4] = {0.9, 0.1, 0.1, 0}, state[2 + M] = {1, 1, 1, 1, 1, 1};
    cr_expect_eq(roll_member(TIDE_FAMILY_ETS, TIDE_ETS_MNN, M, 1.0, zero, 1, coef, state), 0);
    cr_expect_eq(roll_member(TIDE_FAMILY_ETS, TIDE_ETS_MNM, M, 1.0, zero, 1, coef, state), 0);
    cr_expect_eq(roll_member(TIDE_FAMILY_ETS, TIDE_ETS_ANN, M, 1.0, zero, 1, coef, state), 1);
    state[0] = -1.7e308;
    cr_expect_eq(roll_member(TIDE_FAMILY_ETS, TIDE_ETS_AAN, M, 1.0, huge, 2, coef, state), 0);
    cr_expect_eq(roll_member(TIDE_FAMILY_COUNT, 0, M, 1.0, zero, 1, coef, state), 0, "an unknown family");
}

/* --- ARIMA --- */

typedef struct arima_case {
    tide_arima_order o;
    int m;
    double coef[8];
} arima_case;

static const arima_case cases[] = {{{.p = 1, .constant = 1}, 1, {0.7, 20.0}},
                                   {{.p = 2, .q = 1}, 1, {1.2, -0.4, 0.5}},
                                   {{.d = 1, .constant = 1}, 1, {0.6}},
                                   {{.q = 1, .d = 1}, 1, {-0.6}},
                                   {{.q = 2, .d = 2}, 1, {-1.2, 0.45}},
                                   {{.q = 1, .Q = 1, .d = 1, .D = 1}, 12, {-0.4, -0.6}},
                                   {{.p = 1, .P = 1, .D = 1, .constant = 1}, 12, {0.5, 0.3, 0.1}},
                                   {{.p = 1, .d = 1, .fourier = 2}, 12, {0.4, 3.0, -2.0, 1.0, 0.5}},
                                   {{.q = 1}, 1, {-1.0}}}; /* a root on the unit circle: the gains never settle */
enum { CASES = sizeof cases / sizeof cases[0] };

static void begin(dense_arima *d, const arima_case *c) {
    memset(d, 0, sizeof *d);
    memcpy(d->coef, c->coef, sizeof c->coef);
    dense_begin(d, c->o, c->m);
}

static int roll(const arima_case *c, dense_arima *d, const double *y, int n) {
    return roll_member(TIDE_FAMILY_ARIMA, tide_arima_form(c->o), c->m, 1.0, y, n, d->coef, d->state);
}

static double furthest(const dense_arima *a, const dense_arima *b) {
    double most = 0.0, size = 1.0;
    for (int i = 0; i < a->r + a->lags; ++i) {
        most = fmax(most, fabs(a->state[i] - b->state[i]));
        size = fmax(size, fabs(b->state[i]));
    }
    return most / size;
}

Test(roll, arima_states_are_those_of_the_exact_filter_over_all_values) {
    static dense_arima now, whole;
    double y[60];
    series(y, 60, 0);
    for (int i = 0; i < CASES; ++i)
        for (int n = 30; n <= 45; n += 15) {
            begin(&now, &cases[i]);
            dense_filter(&now, y, n);
            begin(&whole, &cases[i]);
            dense_filter(&whole, y, 60);
            cr_assert(roll(&cases[i], &now, y + n, 60 - n));
            cr_expect_lt(furthest(&now, &whole), 1e-9, "case %d from %d: %g", i, n, furthest(&now, &whole));
            cr_expect_eq(now.coef[tide_arima_steps_at(cases[i].o)], 60.0);
        }
}

Test(roll, arima_integrates_missing_values_out) {
    static dense_arima now, whole;
    double y[60];
    for (int i = 0; i < CASES; ++i) {
        const tide_arima_order o = cases[i].o;
        static const int missing[] = {45, 46, 50, 57};
        series(y, 60, 0);
        if (o.d + o.D == 0) { /* the filter itself leaves them out */
            for (int k = 0; k < 4; ++k)
                y[missing[k]] = TIDE_NAN;
            begin(&whole, &cases[i]);
            dense_filter(&whole, y, 60);
            begin(&now, &cases[i]);
            dense_filter(&now, y, 40);
        } else { /* the value that makes the likelihood greatest: sum v^2/F is a parabola in it */
            double at[3];
            for (int k = 0; k < 3; ++k) {
                y[50] = 100.0 * k;
                begin(&whole, &cases[i]);
                dense_filter(&whole, y, 60);
                at[k] = whole.loglik_sum;
            }
            y[50] = 100.0 - 50.0 * (at[2] - at[0]) / (at[2] - 2.0 * at[1] + at[0]);
            begin(&whole, &cases[i]);
            dense_filter(&whole, y, 60);
            begin(&now, &cases[i]);
            dense_filter(&now, y, 40);
            y[50] = TIDE_NAN;
        }
        cr_assert(roll(&cases[i], &now, y + 40, 20));
        cr_expect_lt(furthest(&now, &whole), 1e-8, "case %d: %g", i, furthest(&now, &whole));
    }
}

Test(roll, arima_at_a_missing_end_stands_where_its_forecasts_were) {
    static dense_arima now;
    double y[40], gone[ROUGH];
    series(y, 40, 0);
    for (int t = 0; t < ROUGH; ++t)
        gone[t] = TIDE_NAN;
    for (int i = 0; i < CASES; ++i) {
        double before[ROUGH + 3], after[3], *work = calloc(1u << 16, sizeof *work);
        begin(&now, &cases[i]);
        dense_filter(&now, y, 40);
        tide_forecast_spec f = {.season = cases[i].m, .horizon = ROUGH + 3};
        tide_member_view v = dense_view(&now, 1.0);
        cr_assert(tide_forecast_series(&f, &v, 1, 0, (tide_forecast_work){work, 1}, (tide_forecast_out){before, NULL, NULL, 1}));
        cr_assert(roll(&cases[i], &now, gone, ROUGH));
        v = dense_view(&now, 1.0);
        f.horizon = 3;
        cr_assert(tide_forecast_series(&f, &v, 1, 0, (tide_forecast_work){work, 1}, (tide_forecast_out){after, NULL, NULL, 1}));
        for (int h = 0; h < 3; ++h)
            cr_expect(fabs(after[h] - before[ROUGH + h]) <= 1e-9 * fabs(before[ROUGH + h]) + 1e-12, "case %d step %d", i, h);
        free(work);
    }
}

Test(roll, arima_refuses_more_missing_values_than_it_follows) {
    static dense_arima now;
    double y[TIDE_ROLL_MISSING + 1];
    series(y, 40, 0);
    begin(&now, &cases[3]);
    dense_filter(&now, y, 40);
    for (int t = 0; t <= TIDE_ROLL_MISSING; ++t)
        y[t] = TIDE_NAN;
    cr_expect_eq(roll(&cases[3], &now, y, TIDE_ROLL_MISSING), 1);
    cr_expect_eq(roll(&cases[3], &now, y, TIDE_ROLL_MISSING + 1), 0);
}
