/* test_kernel_arima.c - arima_poly.h and arima_eval.h on one lane: the likelihood against another road in quadruple
 * precision, the gradient against differences, and independence of what must not matter. */
#include "kernels/arima_eval.h"
#include "tests/arima_reference.h"
#include "tests/draw.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { MOST = REFERENCE_STEPS, MISSING = 6, COLUMNS = 10 };

static double unit(uint64_t a, uint64_t b) {
    return draw_unit(a, b, 77);
}

static double noise(uint64_t a, uint64_t b) {
    return unit(a, 3 * b) + unit(a, 3 * b + 1) + unit(a, 3 * b + 2) - 1.5;
}

/* The coordinate of a partial autocorrelation. */
static double coordinate(double partial) {
    double low = -1.0, high = 1.0;
    for (int i = 0; i < 60; ++i) {
        double middle = 0.5 * (low + high);
        if (tide_arima_partial(middle) < partial)
            low = middle;
        else
            high = middle;
    }
    return partial >= 1.0 ? 1.0 : 0.5 * (low + high);
}

/* One series on one lane. */
typedef struct scene {
    tide_arima_order order;
    tide_arima_shape shape;
    tide_arima_work work;
    tide_arima_data data;
    double *memory;
    double n, w[MOST], y[MOST + 128], missing[16], weight[6], constant, u[TIDE_ARIMA_K_MAX], value,
        gradient[TIDE_ARIMA_K_MAX];
    int lags, at[16]; /* of the differences; steps of y that are missing */
} scene;

static void weights_of(int d, int D, double *weight) {
    const double low[3][3] = {{1, 0, 0}, {1, -1, 0}, {1, -2, 1}};
    for (int i = 0; i < 3; ++i) {
        weight[i] = low[d][i];
        weight[3 + i] = D ? -low[d][i] : 0.0;
    }
}

static double differenced(const scene *s, const double *y, int t) {
    const int m = s->shape.m, lag[6] = {0, 1, 2, m, m + 1, m + 2};
    double sum = 0.0;
    for (int i = 0; i < 6; ++i)
        if (s->weight[i] != 0.0)
            sum += s->weight[i] * y[t + s->lags - lag[i]];
    return sum;
}

/* y of n + lags steps, with n_missing values missing; w and its dummies. */
static void set_scene(scene *s, tide_arima_order o, int m, int n, int n_missing, uint64_t seed,
                      double radius) {
    memset(s, 0, sizeof *s);
    s->order = o;
    s->shape = tide_arima_shape_of(o, m, radius, 1);
    s->lags = tide_arima_diff_lags(o, m);
    s->n = n;
    weights_of(o.d, o.D, s->weight);
    for (int t = 0; t < n + s->lags; ++t)
        s->y[t] = 3.0 + (t > 0 ? 0.8 * (s->y[t - 1] - 3.0) : 0.0) + noise(seed, (uint64_t)t) +
                  0.5 * sin(6.2831853 * t / m);
    for (int i = 0; i < n_missing; ++i) {
        s->at[i] = (int)((n + s->lags) * (i + 0.5) / n_missing) + (i % 2);
        s->missing[i] = s->at[i] - s->lags;
    }
    for (int t = 0; t < n; ++t)
        s->w[t] = differenced(s, s->y, t);
    s->data.stride = 1;
    s->data.rows = n;
    s->data.m = m;
    s->data.n = &s->n;
    s->data.w = s->w;
    s->data.n_missing = n_missing;
    s->data.missing = s->missing;
    s->data.weight = s->weight;
    s->data.n_constant = o.constant;
    s->constant = 1.0;
    s->data.constant = &s->constant;
    size_t size = tide_arima_work_size(&s->shape, n, 1 + n_missing + 1, n_missing);
    s->memory = malloc(size * sizeof *s->memory);
    for (size_t i = 0; i < size; ++i)
        s->memory[i] = TIDE_NAN;
    double *end = tide_arima_work_place(&s->work, &s->shape, n, 1 + n_missing + 1, n_missing, s->memory);
    cr_assert_eq((size_t)(end - s->memory), size);
    for (int i = 0; i < s->shape.k; ++i)
        s->u[i] = coordinate(1.8 * unit(seed, 900000u + (uint64_t)i) - 0.9);
}

static void free_scene(scene *s) {
    free(s->memory);
}

static void evaluate(scene *s, int gradient) {
    tide_arima_eval(&s->shape, &s->work, &s->data, s->u, &s->value, gradient ? s->gradient : NULL);
}

static void acvf_of(const scene *s, quad *gamma, int n) {
    const double *c = s->work.poly.coef;
    const tide_arima_shape *p = &s->shape;
    reference_acvf(c, p->p, c + p->p, p->q, c + p->p + p->q, p->P, c + p->p + p->q + p->P, p->Q, p->m, gamma,
                   n);
}

/* Our coef; columns in quad from y itself. */
static double reference_of(const scene *s) {
    int n = (int)s->n, n_col = tide_arima_columns(&s->data);
    quad *columns = reference_memory((size_t)(n * n_col), sizeof(quad)),
         *gamma = reference_memory((size_t)n, sizeof(quad));
    double dummy[MOST + 128];
    acvf_of(s, gamma, n);
    for (int t = 0; t < n; ++t) {
        columns[t] = s->w[t];
        for (int c = 1; c <= s->data.n_missing; ++c) {
            memset(dummy, 0, sizeof dummy);
            dummy[s->at[c - 1]] = 1.0;
            columns[c * n + t] = differenced(s, dummy, t);
        }
        if (s->data.n_constant)
            columns[(n_col - 1) * n + t] = s->constant;
    }
    double q = reference_objective(gamma, n, columns, n_col, s->data.n_missing);
    free(columns);
    free(gamma);
    return q;
}

static tide_arima_order random_order(uint64_t i, int *m) {
    const int seasons[4] = {1, 4, 7, 12};
    tide_arima_order o;
    memset(&o, 0, sizeof o);
    *m = seasons[(int)(4 * unit(i, 1))];
    o.p = (int)(4 * unit(i, 2));
    o.q = (int)(4 * unit(i, 3));
    o.P = *m > 1 ? (int)(3 * unit(i, 4)) : 0;
    o.Q = *m > 1 ? (int)(3 * unit(i, 5)) : 0;
    o.d = (int)(2.2 * unit(i, 6));
    o.D = *m > 1 ? (int)(2 * unit(i, 7)) : 0;
    o.constant = o.d + o.D <= 1 ? (int)(2 * unit(i, 8)) : 0;
    return o;
}

Test(arima, ar1_has_its_closed_form) {
    scene s;
    tide_arima_order o = {.p = 1};
    set_scene(&s, o, 1, 50, 0, 5, 1.0);
    s.u[0] = coordinate(0.6);
    evaluate(&s, 0);
    double sum = s.w[0] * s.w[0] * (1 - 0.36);
    for (int t = 1; t < 50; ++t)
        sum += (s.w[t] - 0.6 * s.w[t - 1]) * (s.w[t] - 0.6 * s.w[t - 1]);
    double q = 50 * log(sum / 50) - log(1 - 0.36);
    cr_assert_float_eq(s.value, q, 1e-11 * fabs(q), "%.17g %.17g", s.value, q);
    free_scene(&s);
}

Test(arima, likelihood_matches_quadruple_precision) {
    double worst = 0.0;
    int near = 0;
    for (uint64_t i = 0; i < 240; ++i) {
        scene s;
        int m, n_missing = (int)(4 * unit(i, 10)) * (i % 2 ? 1 : 0);
        tide_arima_order o = random_order(i, &m);
        int n = i % 16 == 0 ? 1000 : 10 + (int)(150 * unit(i, 9));
        set_scene(&s, o, m, n, n_missing, i, 1.0);
        if (i % 3 == 0 && s.shape.k > 0) { /* near or on the border */
            const double edge[4] = {0.999, -0.999, 0.9999, 1.0};
            int at = (int)(s.shape.k * unit(i, 11)),
                ma = (at >= o.p && at < o.p + o.q) || at >= o.p + o.q + o.P;
            s.u[at] = coordinate(edge[(int)((ma ? 4 : 3) * unit(i, 12))]);
            ++near;
        }
        evaluate(&s, 0);
        if (s.value == TIDE_INF) {
            cr_assert_eq(s.work.poly.feasible[0], 0.0, "order %d infeasible", (int)i);
        } else {
            double q = reference_of(&s), error = fabs(s.value - q) / fmax(1.0, fabs(q));
            if (error > worst)
                worst = error;
            cr_expect_lt(error, 1e-8, "case %d (%d,%d,%d)(%d,%d,%d)%d n %d missing %d: %.12g for %.12g",
                         (int)i, o.p, o.d, o.q, o.P, o.D, o.Q, m, n, n_missing, s.value, q);
        }
        free_scene(&s);
    }
    printf("largest relative error %.2g over 240 orders, %d near a border\n", worst, near);
}

Test(arima, missing_values_leave_the_density_of_those_present) {
    for (uint64_t i = 0; i < 40; ++i) {
        scene s;
        int m;
        tide_arima_order o = random_order(i + 500, &m);
        o.d = o.D = o.constant = 0;
        set_scene(&s, o, m, 40, 1 + (int)(i % 6), i, 1.0);
        evaluate(&s, 0);
        if (s.value < TIDE_INF) {
            quad gamma[MOST];
            double y[MOST];
            memcpy(y, s.w, sizeof y);
            for (int j = 0; j < s.data.n_missing; ++j)
                y[s.at[j]] = TIDE_NAN;
            acvf_of(&s, gamma, 40);
            double q = reference_present(gamma, 40, y);
            cr_expect_float_eq(s.value, q, 1e-8 * fmax(1.0, fabs(q)), "case %d: %.12g for %.12g", (int)i,
                               s.value, q);
        }
        free_scene(&s);
    }
}

Test(arima, gradient_is_that_of_the_value) {
    double worst = 0.0;
    for (uint64_t i = 0; i < 120; ++i) {
        scene s;
        int m;
        tide_arima_order o = random_order(i + 1000, &m);
        set_scene(&s, o, m, 30 + (int)(120 * unit(i, 9)), i % 2 ? (int)(6 * unit(i, 10)) : 0, i,
                  i % 5 == 4 ? 1.01 : 1.0);
        evaluate(&s, 1);
        if (s.value < TIDE_INF) {
            double g[TIDE_ARIMA_K_MAX], u[TIDE_ARIMA_K_MAX], size = 1.0;
            memcpy(g, s.gradient, sizeof g);
            memcpy(u, s.u, sizeof u);
            for (int j = 0; j < s.shape.k; ++j)
                size = fmax(size, fabs(g[j]));
            for (int j = 0; j < s.shape.k; ++j) {
                const double h = 1e-3, step[4] = {-2, -1, 1, 2}, by[4] = {1, -8, 8, -1};
                double fine = 0.0, rough = 0.0; /* two widths, extrapolated */
                for (int e = 0; e < 4; ++e) {
                    s.u[j] = u[j] + h * step[e];
                    evaluate(&s, 0);
                    rough += by[e] * s.value / (12 * h);
                    s.u[j] = u[j] + h / 2 * step[e];
                    evaluate(&s, 0);
                    fine += by[e] * s.value / (6 * h);
                    s.u[j] = u[j];
                }
                fine += (fine - rough) / 15;
                double error = fabs(g[j] - fine) / size;
                worst = fmax(worst, error);
                cr_expect_lt(error, 1e-6, "case %d (%d,%d,%d)(%d,%d,%d)%d u%d missing %d: %.10g for %.10g",
                             (int)i, o.p, o.d, o.q, o.P, o.D, o.Q, m, j, s.data.n_missing, g[j], fine);
            }
        }
        free_scene(&s);
    }
    printf("largest relative error of a derivative %.2g\n", worst);
}

Test(arima, columns_that_a_series_does_not_have_change_no_bit) {
    for (uint64_t i = 0; i < 40; ++i) {
        scene s;
        int m, n_missing = (int)(i % 3);
        tide_arima_order o = random_order(i + 2000, &m);
        set_scene(&s, o, m, 60, n_missing, i, 1.0);
        evaluate(&s, 1);
        double value = s.value, gradient[TIDE_ARIMA_K_MAX];
        memcpy(gradient, s.gradient, sizeof gradient);
        free(s.memory);
        int more = n_missing + 5;
        for (int j = n_missing; j < more; ++j)
            s.missing[j] = TIDE_ARIMA_NEVER;
        for (int t = 60; t < 70; ++t) /* and rows past the end */
            s.w[t] = TIDE_NAN;
        s.data.rows = 70;
        s.data.n_missing = more;
        if (!o.constant)
            s.constant = 0.0;
        s.data.n_constant = 1;
        s.memory = calloc(tide_arima_work_size(&s.shape, 80, 2 + more, more), sizeof *s.memory);
        tide_arima_work_place(&s.work, &s.shape, 80, 2 + more, more, s.memory);
        evaluate(&s, 1);
        cr_assert_eq(memcmp(&value, &s.value, sizeof value), 0, "case %d: %.17g for %.17g", (int)i, s.value,
                     value);
        for (int j = 0; j < s.shape.k; ++j)
            cr_assert_eq(gradient[j], s.gradient[j], "case %d u%d: %.17g for %.17g", (int)i, j, s.gradient[j],
                         gradient[j]);
        free_scene(&s);
    }
}
