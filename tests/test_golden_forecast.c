/* test_golden_forecast.c - at R's own parameters and initial states: the recursion, likelihood, point
 * forecasts and interval limits are R's (forecast 8.20, tests/golden/README.md), for 162 fixed forms and 14
 * chosen ones.
 *
 * Three forms are not R's, because R 8.20 departs from its own model there. The tests show it three ways: R's
 * numbers come out to 1e-8 when the slip is put into the formula; ours come out of an independent formula
 * without it; simulation sides with ours (closed_form_variance_is_that_of_simulated_paths).
 *   ANA, MNA   R lets an innovation return with the season after m - 1 steps, not m: limits from h = m on.
 *   MAdM       R adds the slope undamped in the first step: (level + trend) season, where its fitted
 *              values and simulate() without innovations have (level + phi trend) season. Points and limits.
 * The independent formulas: sums over weights c_j by definition, and for multiplicative seasons the book's
 * state vec(x z') of length 2m with its dense second moments, where ours needs five numbers.
 *
 * "Relative" for a limit: to its size, but no less than 1/1000 of the point's, since limits pass through
 * zero. */
#include "kernels/forecast.h"
#include "tests/golden.h"

#include <criterion/criterion.h>

enum { MOST = 512, STATES = 2 + 24, HORIZON = 24 };

typedef struct fit {
    char series[32], model[16];
    int form, m, n;
    double y[MOST], coef[4], state[STATES], sigma2, loglik;
} fit;

static int form_by_name(const char *name) {
    static const char *const names[] = {
#define TIDE_ETS_FORM(name, e, t, s) #name,
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
    };
    char plain[16];
    size_t n = 0;
    for (const char *p = strchr(name, '(') ? strchr(name, '(') : name; *p && n < sizeof plain - 1; ++p)
        if (*p != '(' && *p != ')' && *p != ',')
            plain[n++] = *p; /* "ETS(M,Ad,M)" is MAdM */
    plain[n] = '\0';
    for (int i = 0; i < TIDE_ETS_FORMS; ++i)
        if (strcmp(plain, names[i]) == 0)
            return i;
    cr_assert_fail("no form %s", name);
    return -1;
}

static void read_fit(const golden_table *t, const char *model_column, fit *f) {
    static const char *const names[4] = {"alpha", "beta", "gamma", "phi"};
    memset(f, 0, sizeof *f);
    snprintf(f->series, sizeof f->series, "%s", golden_text(t, "series"));
    snprintf(f->model, sizeof f->model, "%s", golden_text(t, model_column));
    f->form = form_by_name(golden_text(t, "method"));
    f->n = golden_longest_stretch(f->y, golden_series(f->series, f->y, MOST, &f->m));
    cr_assert_eq(f->n, (int)golden_number(t, "n_used"), "%s %s", f->series, f->model);
    f->sigma2 = golden_number(t, "sigma2");
    f->loglik = golden_number(t, "loglik");
    for (int i = 0; i < 4; ++i) {
        double x = golden_number(t, names[i]);
        f->coef[i] = isnan(x) ? i == 3 : x;
    }
    char text[1024];
    snprintf(text, sizeof text, "%s", golden_text(t, "initstate"));
    for (char *p = strtok(text, ";"); p;
         p = strtok(NULL, ";")) { /* s1 is the season of time 0, s2 of -1 ... */
        int k = p[0] == 'l' ? 0 : p[0] == 'b' ? 1 : 2 + f->m - atoi(p + 1);
        f->state[k] = strtod(strchr(p, '=') + 1, NULL);
    }
}

/* Runs the recursion over the series: states become final, oldest season first. Returns R's
 * log-likelihood. */
static double run_states(fit *f) {
    tide_ets_form form = tide_ets_form_of(f->form);
    tide_ets_par par = {f->coef[0], f->coef[1], f->coef[2], f->coef[3]};
    double sum = 0.0, logs = 0.0, ring[STATES];
    for (int t = 0; t < f->n; ++t) {
        double mean,
            e = tide_ets_step(form, par, f->y[t], &f->state[0], &f->state[1], &f->state[2 + t % f->m], &mean);
        if (form.error == TIDE_MUL) {
            e /= mean;
            logs += tide_log(tide_abs(mean));
        }
        sum += e * e;
    }
    memcpy(ring, f->state + 2, sizeof ring - 2 * sizeof *ring);
    for (int i = 0; i < f->m; ++i)
        f->state[2 + i] = ring[(f->n + i) % f->m];
    return -0.5 * f->n * tide_log(sum) - logs;
}

static double relative(double got, double want, double floor) {
    return fabs(got - want) / fmax(fabs(want), floor);
}

/* Mean and standard deviation of steps 1..HORIZON by definition, slow and apart from the code tested. With
 * r_slips: as R 8.20 has it. */
static void by_definition(const fit *f, int r_slips, double *mean, double *sd) {
    enum { WIDE = 2 * 12 };
    tide_ets_form form = tide_ets_form_of(f->form);
    double alpha = f->coef[0], beta = f->coef[1], gamma = f->coef[2], phi = f->coef[3], v = f->sigma2;
    int m = f->m, n = 2 * m;
    cr_assert_leq(n, WIDE);
    if (form.season == TIDE_MUL) {
        static double a[3][WIDE][WIDE], s[WIDE][WIDE], t[3][WIDE][WIDE], u[WIDE], w[WIDE];
        double first = r_slips || form.trend == TIDE_ADD ? 1.0 : form.trend == TIDE_NO ? 0.0 : phi;
        double later = form.trend == TIDE_NO ? 0.0 : phi;
        double f1[2][2] = {{1.0, first}, {0.0, later}},
               g1[2][2] = {{alpha, alpha * first}, {beta, beta * first}};
        memset(a, 0, sizeof a);
        memset(s, 0, sizeof s);
        /* u[2k + i] = x_i z_k, z_0 the season of the next step; a step rotates z and multiplies what it
         * moves. */
        for (int k = 0; k < m; ++k)
            for (int i = 0; i < 2; ++i)
                for (int j = 0; j < 2; ++j) {
                    int row = 2 * (k == 0 ? m - 1 : k - 1) + i, col = 2 * k + j;
                    double g = k == 0 ? gamma : 0.0;
                    a[0][row][col] = f1[i][j];
                    a[1][row][col] = g1[i][j] + g * f1[i][j];
                    a[2][row][col] = g * g1[i][j];
                }
        for (int k = 0; k < m; ++k) {
            u[2 * k] = f->state[0] * f->state[2 + k];
            u[2 * k + 1] = form.trend == TIDE_NO ? 0.0 : f->state[1] * f->state[2 + k];
        }
        for (int i = 0; i < n; ++i)
            for (int j = 0; j < n; ++j)
                s[i][j] = u[i] * u[j];
        for (int h = 0; h < HORIZON; ++h) {
            double y = u[0] + first * u[1];
            double yy = s[0][0] + 2.0 * first * s[0][1] + first * first * s[1][1];
            mean[h] = y;
            sd[h] = sqrt((1.0 + v) * yy - y * y);
            memset(t, 0, sizeof t);
            for (int p = 0; p < 3; ++p)
                for (int i = 0; i < n; ++i)
                    for (int k = 0; k < n; ++k)
                        if (a[p][i][k] != 0.0)
                            for (int j = 0; j < n; ++j)
                                t[p][i][j] += a[p][i][k] * s[k][j];
            for (int i = 0; i < n; ++i) {
                w[i] = 0.0;
                for (int k = 0; k < n; ++k)
                    w[i] += (a[0][i][k] + v * a[2][i][k]) * u[k];
                for (int j = 0; j < n; ++j) {
                    double sum = 0.0;
                    for (int k = 0; k < n; ++k)
                        sum += t[0][i][k] * a[0][j][k] + v * t[1][i][k] * a[1][j][k] +
                               v * (t[0][i][k] * a[2][j][k] + t[2][i][k] * a[0][j][k]) +
                               3.0 * v * v * t[2][i][k] * a[2][j][k];
                    s[i][j] = sum;
                }
            }
            memcpy(u, w, sizeof u);
        }
        return;
    }
    double c[HORIZON], theta[HORIZON];
    int early = r_slips && form.trend == TIDE_NO && form.season == TIDE_ADD;
    for (int h = 1; h <= HORIZON; ++h) {
        double damped = 0.0, sum = 0.0;
        for (int j = 1; j <= h; ++j)
            damped += form.trend == TIDE_ADD ? 1.0 : pow(phi, j);
        double q = f->state[0] + (form.trend == TIDE_NO ? 0.0 : damped * f->state[1]);
        mean[h - 1] = form.season == TIDE_ADD ? q + f->state[2 + (h - 1) % m] : q;
        c[h - 1] = alpha + beta * damped + (form.season == TIDE_ADD && (h + early) % m == 0 ? gamma : 0.0);
        for (int j = 1; j < h; ++j)
            sum += c[j - 1] * c[j - 1] * (form.error == TIDE_MUL ? theta[h - j - 1] : 1.0);
        theta[h - 1] = mean[h - 1] * mean[h - 1] + v * sum;
        sd[h - 1] = sqrt(form.error == TIDE_ADD ? v * (1.0 + sum)
                                                : (1.0 + v) * theta[h - 1] - mean[h - 1] * mean[h - 1]);
    }
}

static int r_departs(int form) {
    return form == TIDE_ETS_ANA || form == TIDE_ETS_MNA || form == TIDE_ETS_MAdM;
}

/* Largest relative differences: ours to R (forms where R departs left out), ours to the definition, R to the
 * definition with R's slips. */
typedef struct worst {
    double loglik, point, limit, own, slips;
} worst;

static void compare(const char *fits, const char *forecasts, const char *model_column, int expected,
                    worst *w) {
    static fit f;
    golden_table t, r;
    int count = 0;
    golden_open(&t, fits);
    golden_open(&r, forecasts);
    while (golden_next(&t)) {
        if (*golden_text(&t, "error"))
            continue;
        read_fit(&t, model_column, &f);
        double loglik = run_states(&f), mean[HORIZON], lo[2 * HORIZON], hi[2 * HORIZON];
        double e = relative(loglik, f.loglik, 1.0);
        cr_expect_lt(e, 1e-8, "%s %s: log-likelihood %.15g, R %.15g", f.series, f.model, loglik, f.loglik);
        w->loglik = fmax(w->loglik, e);
        tide_forecast_spec spec = {.season = f.m, .horizon = HORIZON, .n_levels = 2, .level = {0.8, 0.95}};
        tide_member_view v = {.family = TIDE_FAMILY_ETS, .form = (uint32_t)f.form, .n_obs = f.n, .weight = 1.0, .sigma2 = f.sigma2,
                              .scale = 1.0, .coef = f.coef, .state = f.state, .stride = 1};
        double *scratch = malloc(tide_forecast_workspace(&spec, 1) * sizeof *scratch);
        cr_assert_eq(tide_forecast_series(&spec, &v, 1, 0, (tide_forecast_work){scratch, 1},
                                          (tide_forecast_out){mean, lo, hi, 1}),
                     1);
        free(scratch);
        double right[HORIZON], right_sd[HORIZON], r_mean[HORIZON], r_sd[HORIZON];
        by_definition(&f, 0, right, right_sd);
        by_definition(&f, 1, r_mean, r_sd);
        for (int h = 0; h < HORIZON; ++h) {
            cr_assert(golden_next(&r));
            cr_assert_str_eq(golden_text(&r, "series"), f.series);
            cr_assert_eq((int)golden_number(&r, "h"), h + 1);
            static const char *const names[5] = {"point", "lo80", "hi80", "lo95", "hi95"};
            const double got[5] = {mean[h], lo[h], hi[h], lo[HORIZON + h], hi[HORIZON + h]};
            const double z80 = 1.2815515655446004, z95 = 1.959963984540054, z[5] = {0, -z80, z80, -z95, z95};
            for (int i = 0; i < 5; ++i) {
                double r_value = golden_number(&r, names[i]), floor = 1e-3 * fabs(mean[h]);
                double own = relative(got[i], right[h] + z[i] * right_sd[h], floor);
                double slips = relative(r_value, r_mean[h] + z[i] * r_sd[h], floor);
                e = relative(got[i], r_value, floor);
                cr_expect(r_departs(f.form) || e < 1e-8, "%s %s h=%d: %s %.15g, R %.15g", f.series, f.model,
                          h + 1, names[i], got[i], r_value);
                cr_expect_lt(own, 1e-9, "%s %s h=%d: %s %.15g, by definition %.15g", f.series, f.model, h + 1,
                             names[i], got[i], right[h] + z[i] * right_sd[h]);
                cr_expect_lt(slips, 1e-8, "%s %s h=%d: R's %s %.15g, its slips %.15g", f.series, f.model,
                             h + 1, names[i], r_value, r_mean[h] + z[i] * r_sd[h]);
                double *most = i == 0 ? &w->point : &w->limit;
                if (!r_departs(f.form))
                    *most = fmax(*most, e);
                w->own = fmax(w->own, own);
                w->slips = fmax(w->slips, slips);
            }
        }
        ++count;
    }
    cr_assert(!golden_next(&r));
    golden_close(&t);
    golden_close(&r);
    cr_assert_eq(count, expected);
}

static void report(const worst *w) {
    cr_log_info("largest relative differences to R: loglik %.2g, point %.2g, limit %.2g; ours to the "
                "definition %.2g, "
                "R's to its slips %.2g",
                w->loglik, w->point, w->limit, w->own, w->slips);
}

Test(golden_forecast, fixed_forms_have_r_likelihood_forecasts_and_limits) {
    worst w = {0.0, 0.0, 0.0, 0.0, 0.0};
    compare("ets_fixed.csv", "ets_fixed_fc.csv.gz", "model", 162, &w);
    report(&w);
}

Test(golden_forecast, chosen_forms_have_r_likelihood_forecasts_and_limits) {
    worst w = {0.0, 0.0, 0.0, 0.0, 0.0};
    compare("ets_auto.csv", "ets_auto_fc.csv.gz", "method", 14, &w);
    report(&w);
}
