/* test_kernel_arima_fit.c - the search of ARIMA models through the lane drivers: what must not matter to a bit, what a fit
 * must reach (R's coefficients under the exact likelihood, in quadruple precision), and what the member says. */
#include "kernels/arima_fourier.h"
#include "tests/arima_reference.h"
#include "tests/fit_fixture.h"
#include "tests/golden.h"

#include <criterion/criterion.h>

enum { LONGEST = 700 };

static tide_fit_spec spec_of(int season, int max_order) {
    tide_fit_spec s;
    memset(&s, 0, sizeof s);
    s.season = season;
    s.families = 1u << TIDE_FAMILY_ARIMA;
    s.slots = 1;
    s.max_iterations = 100;
    s.temperature = 2.0;
    s.arima.max_p = s.arima.max_q = 3;
    s.arima.max_P = s.arima.max_Q = 1;
    s.arima.max_order = max_order;
    s.arima.max_d = 2;
    s.arima.max_D = 1;
    s.arima.d = s.arima.D = -1;
    s.arima.constant = 1;
    s.arima.max_iterations = 100;
    s.arima.root_min = 1.01;
    return s;
}

static tide_fit_spec fixed_spec(int season, tide_arima_order o) {
    tide_fit_spec s = spec_of(season, 5);
    s.arima.fixed = 1;
    s.arima.p = o.p;
    s.arima.q = o.q;
    s.arima.P = o.P;
    s.arima.Q = o.Q;
    s.arima.d = o.d;
    s.arima.D = o.D;
    s.arima.constant = o.constant;
    return s;
}

static double unit(uint64_t a, uint64_t b) {
    return draw_unit(a, b, 99);
}

/* Series i of the mixed batch: lengths 0 to 70, every kind of trouble among them. */
static int mixed_series(int i, int season, double *y) {
    uint64_t id = 31u + (uint64_t)i;
    int n = i % 11 == 3 ? i % 9 : 24 + (int)(unit(id, 1) * 46.0), kind = i % 13;
    double level = 10.0 + 300.0 * unit(id, 2), walk = 0.0;
    for (int t = 0; t < n; ++t) {
        walk += 0.1 * (unit(id, 2000u + (uint64_t)t) - 0.5);
        double v = level * (1.0 + walk + 0.3 * (unit(id, 100u + (uint64_t)(t % season)) - 0.5) +
                            0.1 * (unit(id, 1000u + (uint64_t)t) - 0.5));
        y[t] = kind == 11 && t == 7 ? TIDE_NAN : odd_value(kind, v, level, t, n, unit(id, 3000u + (uint64_t)t));
    }
    return n;
}

static void mixed_batch(batch *b, int n, int season) {
    double y[LONGEST];
    batch_begin(b);
    for (int i = 0; i < n; ++i) {
        int length = mixed_series(i, season, y);
        batch_add(b, y, length);
    }
}

Test(arima_fit, every_lane_count_gives_the_same_bits) {
    const tide_lane_driver *list[4];
    int n_drivers = drivers(list);
    for (int which = 0; which < 5; ++which) {
        const tide_arima_order order = {.p = 1, .d = 1, .q = 2, .Q = 1, .D = 1};
        tide_fit_spec spec = which == 1 ? fixed_spec(4, order) : spec_of(which == 2 ? 1 : 4, 2);
        if (which == 2) {
            spec.families |= 1u << TIDE_FAMILY_NAIVE;
            spec.slots = 2;
            spec.arima.boxcox = TIDE_BOXCOX_ESTIMATED;
        }
        if (which == 3) {
            spec.arima.search = TIDE_ARIMA_STEPWISE;
            spec.arima.max_p = spec.arima.max_q = 2;
        }
        if (which == 4) { /* lanes with numbers of pairs of their own */
            spec.season = 7;
            spec.arima.max_P = spec.arima.max_Q = 0;
            spec.arima.max_fourier = 3;
            spec.arima.fourier_auto = 1;
        }
        batch first;
        mixed_batch(&first, 71, spec.season);
        batch_fit(&first, list[0], &spec);
        for (int d = 1; d < n_drivers; ++d) {
            batch other;
            mixed_batch(&other, 71, spec.season);
            batch_fit(&other, list[d], &spec);
            for (size_t i = 0; i < 71; ++i)
                same_series(&first, i, &other, i, list[d]->name);
            batch_free(&other);
        }
        batch_free(&first);
    }
}

Test(arima_fit, a_series_alone_is_as_in_a_batch) {
    tide_fit_spec spec = spec_of(4, 2);
    batch all;
    mixed_batch(&all, 65, 4);
    batch_fit(&all, widest(), &spec);
    int fitted = 0;
    for (int i = 0; i < 65; i += 3) {
        double y[LONGEST];
        batch one;
        int n = mixed_series(i, 4, y);
        fit_one(&one, y, n, &spec);
        same_series(&one, 0, &all, (size_t)i, "alone");
        fitted += one.r.family[0] == TIDE_FAMILY_ARIMA;
        batch_free(&one);
    }
    cr_assert_gt(fitted, 12);
    batch_free(&all);
}

/* ---- R's fits ---- */

static double coef_named(const char *text, const char *name, int number) {
    char key[16];
    snprintf(key, sizeof key, "%s%d=", name, number);
    const char *at = strstr(text, key);
    while (at && at > text && at[-1] != ';')
        at = strstr(at + 1, key);
    return at ? strtod(at + strlen(key), NULL) : 0.0;
}

typedef struct golden_case {
    tide_arima_order order;
    int m, n, skip;
    double y[LONGEST];
} golden_case;

/* "(p,d,q)(P,D,Q)[m] kind"; 0 where it is something else. */
static int order_of(const char *spec, tide_arima_order *o) {
    int m;
    char kind[16];
    memset(o, 0, sizeof *o);
    if (sscanf(spec, "(%d,%d,%d)(%d,%d,%d)[%d] %15s", &o->p, &o->d, &o->q, &o->P, &o->D, &o->Q, &m, kind) !=
        8)
        return 0;
    o->constant = strcmp(kind, "none") != 0;
    return 1;
}

/* Exact log likelihood at coefficients, of the differenced values (missing ones with a dummy each). */
static double exact(const golden_case *g, const double *ar, const double *ma, const double *sar,
                    const double *sma) {
    const int n = g->n - g->skip;
    const tide_arima_order *o = &g->order;
    static quad y[LONGEST], columns[REFERENCE_COLUMNS * LONGEST], gamma[LONGEST];
    int n_missing = 0, n_col = 1;
    double filled = 0.0;
    for (int pass = 0; pass <= REFERENCE_COLUMNS;
         ++pass) { /* the data, then the dummies, then the constant */
        int at = -1, count = 0;
        for (int t = 0; t < g->n; ++t) {
            int gone = g->y[t] != g->y[t];
            at = gone && ++count == pass ? t : at;
            filled = gone ? filled : g->y[t];
            y[t] = pass == 0 ? filled : 0;
        }
        int last = pass > count;
        if (last && !o->constant)
            break;
        for (int t = 0; last && t < g->n; ++t)
            y[t] = o->d + o->D ? t + 1 : 1;
        if (pass > 0 && !last)
            y[at] = 1;
        int length = g->n;
        for (int D = 0; D < o->D; ++D, length -= g->m)
            for (int t = 0; t < length - g->m; ++t)
                y[t] = y[t + g->m] - y[t];
        for (int d = 0; d < o->d; ++d, --length)
            for (int t = 0; t < length - 1; ++t)
                y[t] = y[t + 1] - y[t];
        memcpy(columns + (size_t)pass * (size_t)n, y, (size_t)n * sizeof *y);
        n_missing = count;
        n_col = pass + 1;
        if (last)
            break;
    }
    reference_acvf(ar, o->p, ma, o->q, sar, o->P, sma, o->Q, g->m, gamma, n);
    double q = reference_objective(gamma, n, columns, n_col, n_missing), nu = n - n_missing;
    return -0.5 * (q + nu * (1.0 + 1.8378770664093453));
}

Test(arima_fit, exact_likelihoods_are_at_least_those_of_r) {
    golden_table table;
    golden_open(&table, "arima_fixed.csv");
    static golden_case g;
    char last[64] = "";
    int fits = 0, worse = 0, better = 0;
    while (golden_next(&table)) {
        const char *name = golden_text(&table, "series"), *text = golden_text(&table, "coefs");
        if (*golden_text(&table, "error") || !order_of(golden_text(&table, "spec"), &g.order))
            continue;
        if (strcmp(last, name) != 0)
            g.n = golden_series(name, g.y, LONGEST, &g.m);
        snprintf(last, sizeof last, "%s", name);
        if (g.y[0] != g.y[0]) { /* a stretch begins with a value */
            memmove(g.y, g.y + 1, (size_t)(g.n - 1) * sizeof *g.y);
            --g.n;
        }
        const tide_arima_order o = g.order;
        g.skip = tide_arima_diff_lags(o, g.m);
        double theirs[4][8];
        for (int i = 0; i < 8; ++i) {
            theirs[0][i] = coef_named(text, "ar", i + 1);
            theirs[1][i] = coef_named(text, "ma", i + 1);
            theirs[2][i] = coef_named(text, "sar", i + 1);
            theirs[3][i] = coef_named(text, "sma", i + 1);
        }
        double at_theirs = exact(&g, theirs[0], theirs[1], theirs[2], theirs[3]);
        tide_fit_spec spec = fixed_spec(g.m, o);
        batch b;
        fit_one(&b, g.y, g.n, &spec);
        cr_assert_eq(b.r.family[0], TIDE_FAMILY_ARIMA, "%s %s", name, golden_text(&table, "spec"));
        tide_arima_order found = tide_arima_order_of(b.r.form[0]);
        cr_assert_eq(memcmp(&found, &o, sizeof o), 0);
        const double *c = b.r.coef; /* one series: element i at c[i] */
        double ours = exact(&g, c, c + o.p, c + o.p + o.q, c + o.p + o.q + o.P);
        cr_expect_float_eq(b.r.loglik[0], ours, 1e-4, "%s %s: %.9g, exact %.9g", name,
                           golden_text(&table, "spec"), b.r.loglik[0], ours);
        ++fits;
        int is_worse = b.r.loglik[0] < at_theirs - 1e-3;
        worse += is_worse;
        better += b.r.loglik[0] > at_theirs + 1e-3;
        if (is_worse)
            printf("%s %s: %.6f, R's coefficients %.6f\n", name, golden_text(&table, "spec"), b.r.loglik[0],
                   at_theirs);
        batch_free(&b);
    }
    golden_close(&table);
    printf("%d fits, %d worse than R, %d better\n", fits, worse, better);
    cr_assert_gt(fits, 150);
    cr_assert_leq(worse * 50, fits, "98 %% must be as good");
}

/* ---- members ---- */

Test(arima_fit, a_drift_is_the_mean_difference) {
    double y[60];
    for (int t = 0; t < 60; ++t)
        y[t] = 1000.0 + 3.0 * t + 5.0 * unit(1, (uint64_t)t);
    tide_fit_spec spec = fixed_spec(1, (tide_arima_order){.d = 1, .constant = 1});
    batch b;
    fit_one(&b, y, 60, &spec);
    double drift = (y[59] - y[0]) / 59.0, s = 0.0;
    for (int t = 1; t < 60; ++t)
        s += (y[t] - y[t - 1] - drift) * (y[t] - y[t - 1] - drift);
    cr_assert_float_eq(b.r.coef[0], drift, 1e-12 * drift);
    cr_assert_eq(b.r.coef[1], 60.0); /* steps */
    cr_assert_float_eq(b.r.sigma2[0], s / 58.0, 1e-11 * s);
    cr_assert_float_eq(b.r.state[1], y[59] - 60.0 * drift, 1e-10);
    cr_assert_eq(b.r.n_params[0], 2);
    cr_assert_float_eq(b.r.loglik[0], -0.5 * 59.0 * (log(s / 59.0) + 1.0 + log(2.0 * 3.14159265358979323846)),
                       1e-9);
    batch_free(&b);
}

Test(arima_fit, fourier_terms_are_least_squares_where_noise_is_white) {
    enum { N = 240, M = 60, TERMS = 4 };
    double y[N];
    for (int t = 0; t < N; ++t)
        y[t] =
            50.0 + 4.0 * tide_fourier(0, t + 1, M) - 3.0 * tide_fourier(3, t + 1, M) + unit(4, (uint64_t)t);
    tide_fit_spec spec = fixed_spec(M, (tide_arima_order){.constant = 1});
    spec.arima.max_fourier = 2;
    batch b;
    fit_one(&b, y, N, &spec);
    cr_assert_eq(tide_arima_order_of(b.r.form[0]).fourier, 2);
    /* over whole periods the terms are orthogonal */
    double mean = 0.0;
    for (int t = 0; t < N; ++t)
        mean += y[t] / N;
    cr_assert_float_eq(b.r.coef[0], mean, 1e-10);
    for (int j = 0; j < TERMS; ++j) {
        double beta = 0.0;
        for (int t = 0; t < N; ++t)
            beta += y[t] * tide_fourier(j, t + 1, M) * 2.0 / N;
        cr_assert_float_eq(b.r.coef[1 + j], beta, 1e-10, "term %d: %g for %g", j, b.r.coef[1 + j], beta);
    }
    cr_assert_eq(b.r.n_params[0], 2 + TERMS);
    batch_free(&b);
}

/* Waves of 2 and 5 times the season's frequency in AR(1): five pairs, and then the models of five pairs given. */
Test(arima_fit, pairs_are_chosen_by_the_criterion_and_then_as_if_given) {
    enum { N = 400, M = 60 };
    double y[N], noise = 0.0;
    for (int d = 0; d < 2; ++d) { /* level, and a random walk */
        double level = 0.0;
        for (int t = 0; t < N; ++t) {
            noise = 0.5 * noise + unit(5, (uint64_t)t);
            level += d ? noise : 0.0;
            y[t] = 80.0 + (d ? level : noise) + 3.0 * tide_fourier(2, t + 1, M) + 4.0 * tide_fourier(9, t + 1, M);
        }
        y[100] = y[333] = TIDE_NAN;
        tide_fit_spec spec = spec_of(M, 2);
        spec.arima.max_P = spec.arima.max_Q = 0;
        spec.arima.max_fourier = 12;
        spec.arima.fourier_auto = 1;
        batch a, b, none;
        fit_one(&a, y, N, &spec);
        int pairs = tide_arima_order_of(a.r.form[0]).fourier;
        cr_assert(pairs >= 5 && pairs <= 7, "%d", pairs);
        spec.arima.fourier_auto = 0;
        spec.arima.max_fourier = pairs;
        fit_one(&b, y, N, &spec);
        cr_assert_eq(a.r.form[0], b.r.form[0]);
        cr_assert_eq(tide_to_bits(a.r.loglik[0]), tide_to_bits(b.r.loglik[0]));
        for (int i = 0; i < tide_arima_n_coef(tide_arima_order_of(a.r.form[0])); ++i)
            cr_assert_eq(tide_to_bits(a.r.coef[i]), tide_to_bits(b.r.coef[i]), "coefficient %d", i);
        spec.arima.max_fourier = 0;
        fit_one(&none, y, N, &spec);
        cr_assert_lt(a.r.criterion[0], none.r.criterion[0] - 50.0);
        batch_free(&a);
        batch_free(&b);
        batch_free(&none);
    }
}

Test(arima_fit, noise_alone_asks_for_no_pairs) {
    enum { N = 300, M = 60 };
    double y[N];
    int pairs = 0;
    for (int series = 0; series < 10; ++series) {
        double noise = 0.0;
        for (int t = 0; t < N; ++t) {
            noise = 0.6 * noise + unit(20 + (uint64_t)series, (uint64_t)t);
            y[t] = 30.0 + noise;
        }
        tide_fit_spec spec = fixed_spec(M, (tide_arima_order){.p = 1, .constant = 1});
        spec.arima.max_fourier = 12;
        spec.arima.fourier_auto = 1;
        batch b;
        fit_one(&b, y, N, &spec);
        pairs += tide_arima_order_of(b.r.form[0]).fourier;
        batch_free(&b);
    }
    cr_assert_leq(pairs, 15, "%d pairs in ten series", pairs); /* AICc lets one in some seven through */
}

/* Normal equations from sums of single frequencies are those of the products. */
Test(arima_fit, least_squares_on_pairs_leave_nothing_along_them) {
    enum { N = 131, M = 52, PAIRS = 7 };
    double x[N], work[2000];
    for (int t = 0; t < N; ++t)
        x[t] = t % 13 == 4 ? TIDE_NAN : 5.0 + unit(6, (uint64_t)t) + 2.0 * tide_fourier(7, t + 1, M);
    cr_assert_leq(tide_fourier_ols_size(PAIRS), 2000u);
    tide_fourier_take_off(x, N, M, PAIRS, work, 1);
    double mean = 0.0, count = 0.0;
    for (int t = 0; t < N; ++t) {
        mean += tide_is_nan(x[t]) ? 0.0 : x[t];
        count += !tide_is_nan(x[t]);
    }
    for (int j = 0; j < 2 * PAIRS; ++j) {
        double along = 0.0;
        for (int t = 0; t < N; ++t)
            along += tide_is_nan(x[t]) ? 0.0 : (x[t] - mean / count) * tide_fourier(j, t + 1, M);
        cr_assert_float_eq(along, 0.0, 1e-10, "term %d: %g", j, along);
    }
}

Test(arima_fit, shared_regressors_do_what_fourier_terms_do) {
    enum { N = 150, M = 60, TERMS = 4 };
    double y[N], x[N * TERMS];
    for (int t = 0; t < N; ++t) {
        y[t] = 50.0 + 0.1 * t + 4.0 * tide_fourier(0, t + 1, M) - 3.0 * tide_fourier(3, t + 1, M) +
               unit(4, (uint64_t)t);
        for (int j = 0; j < TERMS; ++j)
            x[t * TERMS + j] = tide_fourier(j, t + 1, M);
    }
    y[40] = y[41] = TIDE_NAN;
    tide_fit_spec spec = fixed_spec(M, (tide_arima_order){.p = 1, .d = 1, .q = 1, .constant = 1});
    spec.arima.max_fourier = 2;
    batch a, b;
    fit_one(&a, y, N, &spec);
    spec.arima.max_fourier = 0;
    spec.arima.xreg = TERMS;
    batch_begin(&b);
    b.xreg = x;
    b.xreg_rows = N;
    batch_add(&b, y, N);
    batch_fit(&b, widest(), &spec);
    cr_assert_eq(a.r.n_params[0], b.r.n_params[0]);
    cr_assert_eq(tide_arima_order_of(b.r.form[0]).xreg, TERMS);
    cr_assert_eq(a.r.loglik[0], b.r.loglik[0]);
    for (int i = 0; i < 3 + TERMS + 1; ++i) /* ar, ma, drift, betas, steps */
        cr_assert_eq(a.r.coef[i], b.r.coef[i], "coefficient %d: %g, %g", i, a.r.coef[i], b.r.coef[i]);
    for (int i = 0; i < 3; ++i)
        cr_assert_eq(a.r.state[i], b.r.state[i]);
    batch_free(&a);
    batch_free(&b);
}

/* R's Arima(lambda =) has the likelihood and AICc of the transformed values; ours is of the values, so that it compares between
 * lambdas: R's plus (lambda - 1) times the sum of log y over the differenced values, and AICc less twice that. Figures: R
 * 4.2.2, forecast 8.20, Arima(AirPassengers, c(0,1,1), c(0,1,1), lambda = l, method = "ML"). R's own likelihood is off the exact
 * one at its coefficients by up to 3e-3 here, so it is compared loosely and the exact one closely. */
Test(arima_fit, likelihoods_under_box_cox_are_those_of_r_and_the_jacobian) {
    static const struct {
        double lambda, loglik, aicc, ma, sma;
    } r[3] = {{0.0, 244.6995305966, -483.2100848153, -0.4018268, -0.5569466},
              {0.5, -125.7043221847, 257.5976207474, -0.3474187, -0.3292808},
              {1.0, -507.5014435774, 1021.1918635327, -0.3086743, -0.1074466}};
    static golden_case g;
    double y[LONGEST], sum = 0.0, before = 0.0;
    g.n = golden_series("AirPassengers", y, LONGEST, &g.m);
    g.order = (tide_arima_order){.d = 1, .q = 1, .D = 1, .Q = 1};
    g.skip = tide_arima_diff_lags(g.order, g.m);
    for (int t = g.skip; t < g.n; ++t)
        sum += log(y[t]);
    for (int i = 0; i < 3; ++i) {
        const double lambda = r[i].lambda, jacobian = (lambda - 1.0) * sum;
        for (int t = 0; t < g.n; ++t)
            g.y[t] = lambda == 0.0 ? log(y[t]) : (pow(y[t], lambda) - 1.0) / lambda;
        double want = exact(&g, NULL, &r[i].ma, NULL, &r[i].sma) + jacobian;
        tide_fit_spec spec = fixed_spec(g.m, g.order);
        spec.arima.boxcox = TIDE_BOXCOX_GIVEN;
        spec.arima.lambda = lambda;
        batch b;
        fit_one(&b, y, g.n, &spec);
        double loglik = b.r.loglik[0], n = g.n - g.skip, k = 3.0;
        cr_expect_float_eq(loglik, want, 1e-4, "lambda %g: %.9g, exact at R's coefficients %.9g", lambda, loglik, want);
        cr_expect_float_eq(loglik, r[i].loglik + jacobian, 5e-3, "lambda %g: %.9g, R %.9g", lambda, loglik,
                           r[i].loglik + jacobian);
        cr_expect_float_eq(b.r.criterion[0], r[i].aicc - 2.0 * jacobian, 1e-2, "lambda %g", lambda);
        cr_expect_float_eq(b.r.criterion[0], -2.0 * loglik + 2.0 * k * n / (n - k - 1.0), 1e-9, "lambda %g", lambda);
        cr_expect(i == 0 || loglik < before, "the logarithm suits these data best");
        before = loglik;
        batch_free(&b);
    }
}

/* A missing value's place in the lags is its estimate: with (0,1,0), the mean of the neighbours. */
Test(arima_fit, a_missing_value_is_estimated) {
    double y[40];
    for (int t = 0; t < 40; ++t)
        y[t] = 100.0 + 10.0 * unit(9, (uint64_t)t);
    y[38] = TIDE_NAN;
    tide_fit_spec spec = fixed_spec(1, (tide_arima_order){.d = 2});
    batch b;
    fit_one(&b, y, 40, &spec);
    cr_assert_eq(b.r.family[0], TIDE_FAMILY_ARIMA);
    /* least squares of second differences: those at 38 and 39 hold it */
    double a = 2.0 * y[37] - y[36], c = (y[39] + y[37]) / 2.0, estimate = (a + 4.0 * c) / 5.0;
    cr_assert_float_eq(b.r.state[1], y[39], 1e-12 * y[39]);
    cr_assert_float_eq(b.r.state[2], estimate, 1e-10 * estimate, "%.12g for %.12g", b.r.state[2], estimate);
    batch_free(&b);
}

Test(arima_fit, the_grid_finds_no_less_than_its_parts) {
    double y[LONGEST];
    tide_fit_spec spec = spec_of(4, 3);
    spec.arima.d = spec.arima.D = 1;
    spec.arima.root_min = 1.0;
    for (int i = 0; i < 3; ++i) {
        int n = mixed_series(13 * i + 12, 4, y);
        batch grid;
        fit_one(&grid, y, n, &spec);
        for (int p = 0; p <= 2; ++p)
            for (int q = 0; q <= 1; ++q)
                for (int Q = 0; Q + p + q <= 3 && Q <= 1; ++Q) {
                    tide_fit_spec fixed =
                        fixed_spec(4, (tide_arima_order){.p = p, .d = 1, .q = q, .D = 1, .Q = Q});
                    batch b;
                    fit_one(&b, y, n, &fixed);
                    cr_expect_leq(grid.r.criterion[0], b.r.criterion[0] + 0.05,
                                  "series %d (%d,1,%d)(0,1,%d): %g, %g", i, p, q, Q, grid.r.criterion[0],
                                  b.r.criterion[0]);
                    batch_free(&b);
                }
        batch_free(&grid);
    }
}

/* The steps end at a place that no step improves: the criterion is no worse than that of the first five orders. */
Test(arima_fit, a_search_by_steps_is_no_worse_than_where_it_begins) {
    double y[LONGEST];
    tide_fit_spec spec = spec_of(4, 3);
    spec.arima.search = TIDE_ARIMA_STEPWISE;
    spec.arima.d = 1;
    spec.arima.D = 0;
    spec.arima.root_min = 1.0;
    const tide_arima_order begin[4] = {
        {.p = 2, .q = 2, .P = 1, .Q = 1}, {.p = 0}, {.p = 1, .P = 1}, {.q = 1, .Q = 1}};
    int n = mixed_series(12, 4, y);
    batch steps;
    fit_one(&steps, y, n, &spec);
    for (int i = 0; i < 4; ++i) {
        tide_arima_order o = begin[i];
        o.d = o.constant = 1;
        tide_fit_spec fixed = fixed_spec(4, o);
        batch b;
        fit_one(&b, y, n, &fixed);
        cr_expect_leq(steps.r.criterion[0], b.r.criterion[0] + 0.05);
        batch_free(&b);
    }
    batch_free(&steps);
}

Test(arima_fit, outcomes_are_those_of_every_family) {
    double y[LONGEST];
    tide_fit_spec spec = spec_of(4, 2);
    batch b;
    for (int t = 0; t < 30; ++t)
        y[t] = 7.5;
    fit_one(&b, y, 30, &spec);
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_CONSTANT);
    batch_free(&b);
    fit_one(&b, (double[]){1.0, 2.0}, 2, &spec);
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_SHORT);
    cr_assert_neq(b.r.family[0], TIDE_FAMILY_ARIMA);
    batch_free(&b);
    int n = mixed_series(0, 4, y);
    spec.families |= 1u << TIDE_FAMILY_NAIVE;
    spec.slots = 2;
    fit_one(&b, y, n, &spec);
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_FITTED);
    cr_assert_eq(b.r.n_members[0], 2);
    cr_assert_eq(b.r.family[0], TIDE_FAMILY_NAIVE);
    cr_assert_eq(b.r.family[1], TIDE_FAMILY_ARIMA);
    cr_assert_eq(b.r.weight[0], 0.5);
    cr_assert_eq(b.r.weight[1], 0.5);
    batch_free(&b);
}
