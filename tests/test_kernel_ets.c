/* test_kernel_ets.c - ets_eval.h, ets_gauss.h, ets_admissible.h, ets_start.h on one lane: closed forms first,
 * then derivatives against differences, then independence of what must not matter. */
#include "kernels/ets_admissible.h"
#include "kernels/ets_gauss.h"
#include "kernels/ets_start.h"

#include <complex.h>
#include <criterion/criterion.h>
#include <math.h>

enum { MOST = 96, PERIOD = 4, PARAMETERS = 16, TAPE = TIDE_ETS_TAPE_MAX * MOST };

static const char *const form_names[TIDE_ETS_FORMS] = {
#define TIDE_ETS_FORM(name, e, t, s) #name,
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
};

static const double corner = 0.05; /* delta of fits by absolute errors */

/* One series as a tile of one lane, and a problem on it. */
typedef struct scene {
    double y[MOST * TIDE_TILE_WIDTH], x[PARAMETERS], fixed[PERIOD], ring[PERIOD], ring_bar[PERIOD],
        tape[TAPE], n_obs;
    tide_ets_problem p;
} scene;

static double noise(int t) {
    return (double)((t * 7919 + 104729) % 1009) / 1009.0 - 0.5;
}

/* n steps of a trending, seasonal, positive series; every fifth value or so missing when gaps is set. */
static void set_scene(scene *s, int n, int gaps) {
    memset(s, 0, sizeof *s);
    for (int t = 0; t < MOST; ++t) {
        double season = 0.3 * sin(1.5708 * t + 0.4);
        int missing = t >= n || (gaps && (t % 5 == 2 || t < 2 || (t > 20 && t < 27)));
        s->y[t * TIDE_TILE_WIDTH] = missing ? TIDE_NAN : 1.0 + 0.01 * t + season + 0.2 * noise(t);
        s->n_obs += missing ? 0.0 : 1.0;
    }
    s->p.y = s->y;
    s->p.rows = n;
    s->p.season = PERIOD;
    s->p.stride = 1;
    s->p.gap = tide_ets_period_gap(PERIOD);
    s->p.n_obs = &s->n_obs;
    s->p.fixed = s->fixed;
    s->p.ring = s->ring;
    s->p.ring_bar = s->ring_bar;
    s->p.tape = s->tape;
    for (int i = 0; i < 4; ++i) {
        s->p.lower[i] = i == 3 ? 0.8 : 1e-4;
        s->p.upper[i] = i == 3 ? 0.98 : 0.9999;
    }
}

/* Ordinary parameters of a form; returns their number. */
static int set_parameters(scene *s, tide_ets_form form, int n_free) {
    int n = 0;
    s->p.n_free = n_free;
    for (int j = 0; j < PERIOD; ++j)
        s->fixed[j] = (form.season == TIDE_MUL ? 1.0 : 0.0) + 0.2 * sin(1.5708 * j);
    s->x[n++] = 1.1;
    if (form.trend != TIDE_NO)
        s->x[n++] = 0.013;
    for (int j = 0; form.season != TIDE_NO && j < n_free; ++j)
        s->x[n++] = s->fixed[j] + 0.05 * noise(j);
    s->x[n++] = 0.31;
    if (form.trend != TIDE_NO)
        s->x[n++] = 0.23;
    if (form.season != TIDE_NO)
        s->x[n++] = 0.19;
    if (form.trend == TIDE_DAMPED)
        s->x[n++] = 0.91;
    return n;
}

static double value_of(tide_ets_form form, const scene *s) {
    double v;
    tide_ets_eval(form, &s->p, s->x, &v, NULL);
    return v;
}

/* Innovations at s->x by the plain recursion of ets.h, in long double sums. */
static double slow_value(tide_ets_form form, const scene *s, int n) {
    int n_core = 1 + (form.trend != TIDE_NO);
    tide_ets_theta theta = tide_ets_theta_of(form, &s->p, s->x + tide_ets_n_states(form, s->p.n_free), 1);
    double level = s->x[0], trend = form.trend != TIDE_NO ? s->x[1] : 0.0, season[PERIOD];
    for (int j = 0; j < PERIOD; ++j)
        season[j] = j < s->p.n_free ? s->x[n_core + j] : s->fixed[j];
    long double sum = 0.0L, logs = 0.0L;
    for (int t = 0; t < n; ++t) {
        double f, y = s->y[t * TIDE_TILE_WIDTH];
        double eps = tide_ets_step(form, theta.par, y, &level, &trend, &season[t % PERIOD], &f);
        if (tide_is_nan(y))
            continue;
        double e = form.error == TIDE_MUL ? eps / f : eps;
        sum += s->p.delta ? hypotl((long double)e, (long double)corner) : (long double)e * (long double)e;
        if (form.error == TIDE_MUL)
            logs += logl(fabsl((long double)f));
    }
    return (double)((s->p.delta ? 2.0L : 1.0L) * (long double)s->n_obs * logl(sum) + 2.0L * logs);
}

Test(ets, reciprocal_is_within_two_units) {
    for (int i = 0; i < 200000; ++i) {
        double f = ldexp(1.0 + (double)i / 200000.0, i % 1800 - 900) * (i % 2 ? 1.0 : -1.0);
        long double off = ((long double)tide_ets_reciprocal(f) * (long double)f - 1.0L) * 0x1p53L;
        cr_assert(fabsl(off) <= 2.0L, "1/%a is off by %Lf units", f, off);
    }
}

Test(ets, split_product_is_the_sum_of_logarithms) {
    double product = 1.0, exponent = 0.0;
    long double want = 0.0L;
    for (int t = 0; t < 1000; ++t) {
        double f = ldexp(1.0 + 0.9 * fabs(noise(t)), t % 101 - 30);
        product *= t % 2 ? f : -f;
        want += logl((long double)f);
        tide_ets_split(&product, &exponent);
    }
    cr_assert_float_eq(tide_ets_objective(0.0, 1.0, 1.0, product, exponent), (double)(2.0L * want), 1e-9);
    product = TIDE_INF;
    tide_ets_split(&product, &exponent);
    cr_assert(tide_is_nan(exponent), "a product that has overflowed must not count as a number");
}

Test(ets, alpha_one_is_the_random_walk) {
    scene s;
    set_scene(&s, 60, 0);
    tide_ets_form form = tide_ets_form_of(TIDE_ETS_ANN);
    s.x[0] = s.y[0];
    s.x[1] = 1.0;
    long double sum = 0.0L;
    for (int t = 1; t < 60; ++t) {
        long double d = (long double)s.y[t * TIDE_TILE_WIDTH] - (long double)s.y[(t - 1) * TIDE_TILE_WIDTH];
        sum += d * d;
    }
    cr_assert_float_eq(value_of(form, &s), (double)(60.0L * logl(sum)), 1e-10);
}

Test(ets, a_line_without_noise_has_the_least_sum) {
    scene s;
    set_scene(&s, 60, 0);
    for (int t = 0; t < 60; ++t)
        s.y[t * TIDE_TILE_WIDTH] = 1.0 + 0.5 * (t + 1);
    s.x[0] = 1.0;
    s.x[1] = 0.5;
    s.x[2] = 0.4;
    s.x[3] = 0.3;
    double v = value_of(tide_ets_form_of(TIDE_ETS_AAN), &s);
    cr_assert_float_eq(v, 60.0 * log(TIDE_ETS_LEAST_S), 1e-9, "finite, whatever the rounding: %g", v);
}

Test(ets, value_is_that_of_the_plain_recursion) {
    for (int id = 0; id < TIDE_ETS_FORMS; ++id)
        for (int variant = 0; variant < 4; ++variant) { /* gaps; by absolute errors */
            scene s;
            tide_ets_form form = tide_ets_form_of(id);
            set_scene(&s, 83, variant & 1);
            set_parameters(&s, form, form.season == TIDE_NO ? 0 : PERIOD - 1);
            s.p.delta = variant & 2 ? &corner : NULL;
            double want = slow_value(form, &s, 83), got = value_of(form, &s);
            cr_assert_float_eq(got, want, 1e-10 * fabs(want), "%s: %.15g, not %.15g", form_names[id], got,
                               want);
        }
}

Test(ets, gradient_is_that_of_central_differences) {
    for (int id = 0; id < TIDE_ETS_FORMS; ++id)
        for (int variant = 0; variant < 8; ++variant) { /* gaps; seasonal states fixed, with a penalty; by
                                                           absolute errors */
            scene s;
            tide_ets_form form = tide_ets_form_of(id);
            set_scene(&s, 83, variant & 1);
            int n = set_parameters(&s, form, form.season == TIDE_NO || (variant & 2) ? 0 : PERIOD - 1);
            s.p.penalty = variant & 2 ? 10.0 : 0.0;
            s.p.delta = variant & 4 ? &corner : NULL;
            double v, g[PARAMETERS];
            tide_ets_eval(form, &s.p, s.x, &v, g);
            for (int i = 0; i < n; ++i) {
                double x = s.x[i], h = 1e-5, d[4];
                for (int j = 0; j < 4; ++j) {
                    s.x[i] = x + h * (j < 2 ? j - 2 : j - 1);
                    d[j] = value_of(form, &s);
                }
                s.x[i] = x;
                double slope = (d[0] - 8.0 * d[1] + 8.0 * d[2] - d[3]) / (12.0 * h);
                cr_assert_float_eq(g[i], slope, 1e-6 * (1.0 + fabs(slope)),
                                   "%s variant %d, parameter %d: %.12g, not %.12g", form_names[id], variant,
                                   i, g[i], slope);
            }
        }
}

/* Scaled residuals r_t = G e_t whose sum of squares has the likelihood's logarithm; 0 where y is missing.
 * Returns G. */
static double residuals(tide_ets_form form, scene *s, int n, double *r) {
    double sum, product, exponent;
    tide_ets_forward(form, 0, &s->p, s->x, &sum, &product, &exponent);
    double g = exp((log(product) + exponent * log(2.0)) / s->n_obs);
    for (int t = 0; t < n; ++t) {
        double e = s->tape[t * tide_ets_tape(form)];
        r[t] = tide_is_nan(e) ? 0.0 : g * e;
    }
    return g;
}

Test(ets, gauss_newton_matrix_is_that_of_differences_of_residuals) {
    for (int id = 0; id < TIDE_ETS_FORMS; ++id)
        for (int variant = 0; variant < 8; ++variant) {
            scene s;
            tide_ets_form form = tide_ets_form_of(id);
            set_scene(&s, 83, variant & 1);
            int n_free = form.season == TIDE_NO || (variant & 2) ? 0 : PERIOD - 1,
                n = set_parameters(&s, form, n_free);
            s.p.penalty = variant & 2 ? 10.0 : 0.0;
            s.p.delta = variant & 4 ? &corner : NULL;
            tide_boxqn q;
            memset(&q, 0, sizeof q);
            double room[600], more[600], v, r0[MOST], up[MOST], down[MOST], jac[PARAMETERS][MOST],
                square = 0.0;
            q.n = n;
            q.n_box = tide_ets_n_box(form);
            q.stride = 1;
            tide_boxqn_place(&q, room);
            tide_ets_columns columns;
            tide_ets_columns_place(&columns, more, n, PERIOD, 1);
            memcpy(q.x, s.x, sizeof(double) * (size_t)n);
            tide_ets_eval(form, &s.p, s.x, &v, q.gradient);
            tide_ets_gauss(form, &s.p, &columns, n, &q, NULL);
            double g = residuals(form, &s, 83, r0), weight[MOST];
            for (int t = 0; t < 83; ++t) { /* by absolute errors: of the reweighted fit, for S = sum r_t */
                double r = hypot(r0[t] / g, corner);
                int missing = tide_is_nan(s.y[t * TIDE_TILE_WIDTH]);
                weight[t] = s.p.delta ? 1.0 / (g * g * r) : 1.0;
                square += missing ? 0.0 : s.p.delta ? r : r0[t] * r0[t];
            }
            for (int i = 0; i < n; ++i) {
                double x = s.x[i], h = 1e-5;
                s.x[i] = x + h;
                residuals(form, &s, 83, up);
                s.x[i] = x - h;
                residuals(form, &s, 83, down);
                s.x[i] = x;
                for (int t = 0; t < 83; ++t)
                    jac[i][t] = (up[t] - down[t]) / (2.0 * h);
            }
            for (int i = 0; i < n; ++i)
                for (int j = 0; j <= i; ++j) {
                    double want = 0.0, scale_i = 0.0, scale_j = 0.0;
                    for (int t = 0; t < 83; ++t) {
                        want += weight[t] * jac[i][t] * jac[j][t];
                        scale_i += weight[t] * jac[i][t] * jac[i][t];
                        scale_j += weight[t] * jac[j][t] * jac[j][t];
                    }
                    double factor = 2.0 * s.n_obs / square, got = q.hessian[tide_packed(i, j)];
                    cr_assert_float_eq(got, factor * want, 1e-6 * factor * sqrt(scale_i * scale_j),
                                       "%s variant %d (%d, %d): %.12g, not %.12g", form_names[id], variant, i,
                                       j, got, factor * want);
                }
        }
}

Test(ets, a_longer_tile_does_not_change_a_bit) {
    for (int id = 0; id < TIDE_ETS_FORMS; ++id) {
        scene s;
        tide_ets_form form = tide_ets_form_of(id);
        set_scene(&s, 51, 1);
        int n = set_parameters(&s, form, form.season == TIDE_NO ? 0 : PERIOD - 1);
        double v[2], g[2][PARAMETERS];
        for (int longer = 0; longer < 2; ++longer) {
            s.p.rows = longer ? 90 : 51;
            tide_ets_eval(form, &s.p, s.x, &v[longer], g[longer]);
        }
        cr_assert_eq(memcmp(&v[0], &v[1], sizeof v[0]), 0, "%s value", form_names[id]);
        cr_assert_eq(memcmp(g[0], g[1], sizeof(double) * (size_t)n), 0, "%s gradient", form_names[id]);
    }
}

Test(ets, the_gauge_does_not_change_the_value) {
    for (int id = 0; id < TIDE_ETS_FORMS; ++id) {
        scene s;
        tide_ets_form form = tide_ets_form_of(id);
        if (form.season == TIDE_NO)
            continue;
        set_scene(&s, 83, 0);
        set_parameters(&s, form, 0);
        double before = value_of(form, &s);
        for (int j = 0; j < PERIOD; ++j)
            s.fixed[j] = form.season == TIDE_MUL ? s.fixed[j] * 1.25 : s.fixed[j] + 0.25;
        s.x[0] = form.season == TIDE_MUL ? s.x[0] / 1.25 : s.x[0] - 0.25;
        if (form.season == TIDE_MUL && form.trend != TIDE_NO)
            s.x[1] /= 1.25;
        cr_assert_float_eq(value_of(form, &s), before, 1e-10 * fabs(before), "%s", form_names[id]);
    }
}

/* Largest modulus of the roots of the characteristic polynomial, by simultaneous iteration (Durand and
 * Kerner). */
static double spectral_radius(int m, tide_ets_par p) {
    double complex root[32], c[32];
    double radius = 0.0;
    for (int i = 0; i <= m + 1; ++i)
        c[i] = p.alpha + p.beta - p.alpha * p.phi;
    c[0] = p.phi * (1.0 - p.alpha - p.gamma);
    c[1] += p.gamma - 1.0;
    c[m] = p.alpha + p.beta - p.phi;
    c[m + 1] = 1.0;
    for (int i = 0; i <= m; ++i)
        root[i] = cpow(0.4 + 0.9 * (double complex)I, i);
    for (int sweep = 0; sweep < 500; ++sweep)
        for (int i = 0; i <= m; ++i) {
            double complex value = c[m + 1], product = 1.0;
            for (int j = m; j >= 0; --j)
                value = value * root[i] + c[j];
            for (int j = 0; j <= m; ++j)
                if (j != i)
                    product *= root[i] - root[j];
            root[i] -= value / product;
        }
    for (int i = 0; i <= m; ++i)
        radius = fmax(radius, cabs(root[i]));
    return radius;
}

Test(ets, admissible_means_all_roots_inside_the_unit_circle) {
    int inside = 0, outside = 0;
    for (int m = 2; m <= 12; m += 1)
        for (int i = 0; i < 300; ++i) {
            tide_ets_par p;
            p.alpha = 0.02 + 0.96 * (noise(i * 3 + m) + 0.5);
            p.beta = p.alpha * (noise(i * 5 + 1) + 0.5);
            p.gamma = (1.0 - p.alpha) * (i % 3 ? 1e-4 : noise(i * 11) + 0.5);
            p.phi = i % 2 ? 1.0 : 0.8 + 0.18 * (noise(i * 13) + 0.5);
            double scratch[16], bad = 0.0, radius = spectral_radius(m, p);
            if (fabs(radius - 1.0) < 1e-6)
                continue; /* too near to tell from the roots */
            tide_ets_admissible(m, &p.alpha, &p.beta, &p.gamma, &p.phi, scratch, 1, &bad);
            cr_assert_eq(bad != 0.0, radius > 1.0, "m %d: alpha %g beta %g gamma %g phi %g, radius %.9g", m,
                         p.alpha, p.beta, p.gamma, p.phi, radius);
            inside += radius < 1.0;
            outside += radius > 1.0;
        }
    cr_assert(inside > 300 && outside > 50, "both kinds must occur: %d inside, %d outside", inside, outside);
}

Test(ets, decomposition_recovers_an_exact_season) {
    const double add[PERIOD] = {0.3, -0.1, -0.4, 0.2}, mul[PERIOD] = {1.3, 0.9, 0.6, 1.2};
    for (int gaps = 0; gaps < 2; ++gaps) {
        scene s;
        double season[PERIOD], scratch[2 * PERIOD];
        set_scene(&s, 60, gaps);
        s.p.n_free = 0;
        for (int kind = TIDE_ADD; kind <= TIDE_MUL; ++kind) {
            for (int t = 0; t < 60; ++t) {
                double *y = &s.y[t * TIDE_TILE_WIDTH];
                if (tide_is_nan(*y))
                    continue;
                *y = kind == TIDE_ADD ? 2.0 + 0.05 * t + add[t % PERIOD] : 2.0 * mul[t % PERIOD];
            }
            tide_ets_decompose(kind, &s.p, season, scratch);
            for (int j = 0; j < PERIOD; ++j)
                cr_assert_float_eq(season[j], kind == TIDE_ADD ? add[j] : mul[j], gaps ? 0.02 : 1e-5,
                                   "kind %d gaps %d slot %d: %g", kind, gaps, j, season[j]);
        }
    }
}
