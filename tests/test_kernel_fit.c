/* test_kernel_fit.c - fit.h through the lane drivers: outcomes, what must not matter to a bit, and what a fit
 * must reach. Every driver that runs on this machine takes part. */
#include "tests/fit_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LONGEST = 400 };
enum { ROBUST = TIDE_ETS_AVERAGE + 1 }; /* a mode of spec_of: averaged with fits by absolute errors */

static tide_fit_spec spec_of(int season, int mode) {
    tide_fit_spec s;
    memset(&s, 0, sizeof s);
    s.season = season;
    s.families = mode == ROBUST ? TIDE_FAMILIES_ETS : 1u << TIDE_FAMILY_ETS;
    s.ets_forms = (1u << TIDE_ETS_FORMS) - 1u;
    s.ets_mode = mode == ROBUST ? TIDE_ETS_AVERAGE : mode;
    s.max_iterations = 100;
    s.slots = mode == ROBUST ? 2 * TIDE_ETS_FORMS : mode == TIDE_ETS_AVERAGE ? TIDE_ETS_FORMS : 1;
    s.penalty = 10.0;
    s.temperature = 12.0;
    s.min_weight = 0.01;
    for (int i = 0; i < 4; ++i) {
        s.lower[i] = i == 3 ? 0.8 : 1e-4;
        s.upper[i] = i == 3 ? 0.98 : 0.9999;
    }
    return s;
}

static double unit(uint64_t a, uint64_t b) {
    return draw_unit(a, b, 0);
}

/* Series i of the mixed batch: lengths 0..70, every kind of trouble among them. Returns its length. */
static int mixed_series(int i, int season, double *y) {
    uint64_t id = 77u + (uint64_t)i;
    int n = i % 11 == 3 ? i % 7 : 20 + (int)(unit(id, 1) * 50.0), kind = i % 12;
    double level = 10.0 + 500.0 * unit(id, 2);
    for (int t = 0; t < n; ++t) {
        double swing = 0.3 * (unit(id, 100u + (uint64_t)(t % season)) - 0.5);
        double v = level * (1.0 + swing + 0.01 * t + 0.2 * (unit(id, 1000u + (uint64_t)t) - 0.5));
        y[t] = odd_value(kind, v, level, t, n, unit(id, 3000u + (uint64_t)t));
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

static void drivers_agree(int n, int season, int mode) {
    const tide_lane_driver *list[4];
    int n_drivers = drivers(list);
    tide_fit_spec spec = spec_of(season, mode);
    spec.families |=
        1u << TIDE_FAMILY_NAIVE | 1u << TIDE_FAMILY_SNAIVE | 1u << TIDE_FAMILY_DRIFT | 1u << TIDE_FAMILY_MEAN;
    batch first, other;
    mixed_batch(&first, n, season);
    batch_fit(&first, list[0], &spec);
    for (int d = 1; d < n_drivers; ++d) {
        mixed_batch(&other, n, season);
        batch_fit(&other, list[d], &spec);
        for (int i = 0; i < n; ++i)
            same_series(&first, (size_t)i, &other, (size_t)i, list[d]->name);
        cr_assert_eq(memcmp(first.r.outcome, other.r.outcome, (size_t)n), 0);
        batch_free(&other);
    }
    batch_free(&first);
}

Test(fit, all_drivers_give_the_same_bits_likelihood) {
    const int sizes[] = {1, 3, 5, 31, 33, 257};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        drivers_agree(sizes[i], 4, TIDE_ETS_LIKELIHOOD);
}

Test(fit, all_drivers_give_the_same_bits_average) {
    const int sizes[] = {1, 15, 17, 65};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        drivers_agree(sizes[i], 7, TIDE_ETS_AVERAGE);
}

Test(fit, all_drivers_give_the_same_bits_robust) {
    const int sizes[] = {1, 17, 65};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        drivers_agree(sizes[i], 4, ROBUST);
}

Test(fit, all_drivers_give_the_same_bits_without_season) {
    drivers_agree(40, 1, TIDE_ETS_LIKELIHOOD);
}

Test(fit, a_series_alone_gets_what_it_gets_in_company) {
    for (int mode = 0; mode <= ROBUST; ++mode) {
        tide_fit_spec spec = spec_of(4, mode);
        batch all, alone, reversed;
        double y[LONGEST];
        enum { N = 70 };
        mixed_batch(&all, N, 4);
        batch_fit(&all, widest(), &spec);
        batch_begin(&reversed);
        for (int i = N - 1; i >= 0; --i) {
            int n = mixed_series(i, 4, y);
            batch_add(&reversed, y, n);
        }
        batch_fit(&reversed, widest(), &spec);
        for (size_t i = 0; i < N; ++i) {
            batch_begin(&alone);
            int n = mixed_series((int)i, 4, y);
            batch_add(&alone, y, n);
            batch_fit(&alone, widest(), &spec);
            same_series(&all, i, &alone, 0, "alone");
            same_series(&all, i, &reversed, N - 1 - i, "reversed");
            batch_free(&alone);
        }
        batch_free(&reversed);
        batch_free(&all);
    }
}

Test(fit, every_number_is_finite_and_unused_slots_are_zero) {
    for (int mode = 0; mode <= ROBUST; ++mode) {
        tide_fit_spec spec = spec_of(4, mode);
        batch b;
        mixed_batch(&b, 120, 4);
        batch_fit(&b, widest(), &spec);
        const tide_results *r = &b.r;
        size_t n = r->n_series;
        for (size_t i = 0; i < n; ++i)
            for (size_t s = 0; s < (size_t)r->slots; ++s) {
                int used = s < r->n_members[i];
                double total = fabs(r->sigma2[s * n + i]);
                int finite = isfinite(r->sigma2[s * n + i]) && isfinite(r->loglik[s * n + i]) &&
                             isfinite(r->criterion[s * n + i]) && isfinite(r->weight[s * n + i]);
                for (size_t c = 0; c < (size_t)r->state_rows; ++c) {
                    double v = r->state[(s * (size_t)r->state_rows + c) * n + i];
                    finite &= isfinite(v) != 0;
                    total += fabs(v);
                }
                for (size_t c = 0; c < (size_t)r->coef_rows; ++c) {
                    double v = r->coef[(s * (size_t)r->coef_rows + c) * n + i];
                    finite &= isfinite(v) != 0;
                    total += fabs(v);
                }
                cr_assert(finite, "series %zu slot %zu", i, s);
                cr_assert(used || (total == 0.0 && r->family[s * n + i] == 0 && r->weight[s * n + i] == 0.0 &&
                                   r->n_params[s * n + i] == 0),
                          "series %zu slot %zu is not empty", i, s);
            }
        batch_free(&b);
    }
}

Test(fit, outcomes_name_what_happened) {
    tide_fit_spec spec = spec_of(4, TIDE_ETS_LIKELIHOOD);
    double y[LONGEST], nothing[6];
    batch b;
    for (int t = 0; t < 6; ++t)
        nothing[t] = TIDE_NAN;
    fit_one(&b, nothing, 6, &spec);
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_EMPTY);
    cr_assert_eq(b.r.n_members[0], 0);
    batch_free(&b);

    for (int t = 0; t < 40; ++t)
        y[t] = t == 7 ? TIDE_NAN : 0.1;
    fit_one(&b, y, 40, &spec);
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_CONSTANT);
    cr_assert_eq(b.r.family[0], TIDE_FAMILY_MEAN);
    cr_assert_eq(b.r.state[0], 0.1);
    cr_assert_eq(b.r.sigma2[0], 0.0);
    cr_assert_eq(b.r.n_obs[0], 39);
    batch_free(&b);

    y[0] = 5.0;
    fit_one(&b, y, 1, &spec);
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_SHORT);
    cr_assert_eq(b.r.family[0], TIDE_FAMILY_MEAN);
    cr_assert_eq(b.r.state[0], 5.0);
    batch_free(&b);

    y[1] = 6.0;
    fit_one(&b, y, 2, &spec);
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_SHORT);
    cr_assert_eq(b.r.family[0], TIDE_FAMILY_NAIVE);
    cr_assert_eq(b.r.state[0], 6.0);
    batch_free(&b);

    for (int t = 0; t < 30; ++t)
        y[t] = 10.0 + unit(5, (uint64_t)t);
    spec.ets_forms = 1u << TIDE_ETS_AAA;
    fit_one(&b, y, 7, &spec); /* less than two seasons */
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_SHORT);
    cr_assert_eq(b.r.family[0], TIDE_FAMILY_SNAIVE);
    batch_free(&b);
    fit_one(&b, y, 30, &spec);
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_FITTED);
    cr_assert_eq(b.r.form[0], TIDE_ETS_AAA);
    cr_assert_eq(b.r.n_params[0], 9);
    batch_free(&b);
    spec.max_iterations = 1;
    fit_one(&b, y, 30, &spec);
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_NOT_CONVERGED);
    cr_assert_eq(b.r.n_members[0], 1);
    batch_free(&b);
}

Test(fit, a_series_that_intake_shut_out_keeps_its_outcome) {
    tide_fit_spec spec = spec_of(1, TIDE_ETS_LIKELIHOOD);
    double y[20];
    for (int t = 0; t < 20; ++t)
        y[t] = t;
    batch b;
    batch_begin(&b);
    batch_add(&b, y, 20);
    b.panel.outcome[0] = TIDE_OUTCOME_DUPLICATE;
    batch_fit(&b, widest(), &spec);
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_DUPLICATE);
    cr_assert_eq(b.r.n_members[0], 0);
    batch_free(&b);
}

Test(fit, multiplicative_forms_are_left_out_at_zero_and_below) {
    double y[60];
    for (int t = 0; t < 60; ++t)
        y[t] = 10.0 + 3.0 * (t % 4) + unit(9, (uint64_t)t);
    y[30] = 0.0;
    tide_fit_spec spec = spec_of(4, TIDE_ETS_AVERAGE);
    spec.min_weight = 0.0;
    spec.temperature = 1e6;
    batch b;
    fit_one(&b, y, 60, &spec);
    cr_assert_eq(b.r.n_members[0], 6, "six additive forms, not %d", b.r.n_members[0]);
    for (int j = 0; j < 6; ++j)
        cr_assert(b.r.form[j] < TIDE_ETS_MNN);
    batch_free(&b);
    y[30] = 1.0;
    fit_one(&b, y, 60, &spec);
    cr_assert_eq(b.r.n_members[0], 15);
    batch_free(&b);
}

Test(fit, the_unit_of_the_data_does_not_matter) {
    double y[80], z[80];
    for (int t = 0; t < 80; ++t) {
        y[t] = 10.0 + 0.1 * t + 3.0 * (t % 4) + 2.0 * unit(3, (uint64_t)t);
        z[t] = ldexp(y[t], 40);
    }
    for (int id = 0; id < TIDE_ETS_FORMS; ++id) {
        tide_fit_spec spec = spec_of(4, TIDE_ETS_LIKELIHOOD);
        spec.ets_forms = 1u << id;
        batch a, b;
        fit_one(&a, y, 80, &spec);
        fit_one(&b, z, 80, &spec);
        cr_assert_eq(memcmp(a.r.coef, b.r.coef, 4 * sizeof(double)), 0);
        cr_assert_eq(ldexp(a.r.state[0], 40), b.r.state[0]);
        cr_assert_float_eq(a.r.loglik[0] - 80.0 * 40.0 * log(2.0), b.r.loglik[0], 1e-8);
        batch_free(&a);
        batch_free(&b);
    }
}

Test(fit, weights_of_members_follow_their_criteria) {
    double y[72];
    for (int t = 0; t < 72; ++t)
        y[t] = 50.0 + 0.3 * t + 5.0 * sin(0.5236 * t) + 6.0 * unit(21, (uint64_t)t);
    tide_fit_spec spec = spec_of(12, TIDE_ETS_AVERAGE);
    batch b;
    fit_one(&b, y, 72, &spec);
    double total = 0.0;
    int n = b.r.n_members[0];
    cr_assert(n > 1);
    for (int j = 0; j < n; ++j) {
        total += b.r.weight[j];
        if (j == 0)
            continue;
        cr_assert(b.r.criterion[j] >= b.r.criterion[j - 1]);
        double want = exp(-(b.r.criterion[j] - b.r.criterion[0]) / 12.0);
        cr_assert_float_eq(b.r.weight[j] / b.r.weight[0], want, 1e-12);
    }
    cr_assert_float_eq(total, 1.0, 1e-14);
    batch_free(&b);
}

Test(fit, robust_members_take_half_of_the_weight_and_leave_the_others_alone) {
    double y[72];
    for (int t = 0; t < 72; ++t)
        y[t] = 50.0 + 0.3 * t + 5.0 * sin(0.5236 * t) + 6.0 * unit(21, (uint64_t)t);
    tide_fit_spec spec = spec_of(12, ROBUST), plain = spec_of(12, TIDE_ETS_AVERAGE);
    batch b, p;
    fit_one(&b, y, 72, &spec);
    fit_one(&p, y, 72, &plain);
    int n = b.r.n_members[0], first = p.r.n_members[0];
    cr_assert(first > 0 && n > first);
    for (int j = 0; j < first; ++j) {
        cr_assert(b.r.family[j] == TIDE_FAMILY_ETS && b.r.form[j] == p.r.form[j]);
        cr_assert_eq(b.r.weight[j], 0.5 * p.r.weight[j]);
        cr_assert_eq(memcmp(&b.r.coef[4 * j], &p.r.coef[4 * j], 4 * sizeof(double)), 0);
    }
    double total = 0.0;
    for (int j = first; j < n; ++j) {
        cr_assert_eq(b.r.family[j], TIDE_FAMILY_ETS_ROBUST);
        double want = exp(-(b.r.criterion[j] - b.r.criterion[first]) / 12.0);
        cr_assert_float_eq(b.r.weight[j] / b.r.weight[first], want, 1e-12);
        total += b.r.weight[j];
    }
    cr_assert_float_eq(total, 0.5, 1e-14);
    batch_free(&b);
    batch_free(&p);
}

Test(fit, one_wild_value_hardly_moves_a_robust_fit) {
    double y[61], clean = 0.0, level[2][2];
    for (int t = 0; t < 61; ++t) {
        y[t] = 100.0 + 4.0 * (unit(8, (uint64_t)t) - 0.5);
        clean += y[t] / 61.0;
    }
    for (int wild = 0; wild < 2; ++wild) {
        tide_fit_spec spec = spec_of(1, ROBUST);
        spec.ets_forms = 1u << TIDE_ETS_ANN;
        spec.upper[0] = 2e-4; /* all but a location: mean and median */
        y[40] = wild ? 200.0 : y[40];
        batch b;
        fit_one(&b, y, 61, &spec);
        cr_assert_eq(b.r.n_members[0], 2);
        double square = 0.0;
        for (int j = 0; j < 2; ++j)
            level[wild][j] = b.r.state[3 * j];
        for (int t = 0; t < 61; ++t) /* sigma2 is the mean square about the robust level */
            square += (y[t] - level[wild][1]) * (y[t] - level[wild][1]);
        cr_assert_float_eq(b.r.sigma2[1], square / 59.0, 0.02 * square / 59.0);
        batch_free(&b);
    }
    cr_expect_gt(level[1][0] - level[0][0], 1.0, "the mean moves by %g", level[1][0] - level[0][0]);
    cr_expect_lt(fabs(level[1][1] - level[0][1]), 0.2, "the robust level moves by %g",
                 level[1][1] - level[0][1]);
    cr_expect_lt(fabs(level[0][1] - clean), 0.5);
}

Test(fit, the_penalty_is_in_the_criterion_and_holds_the_trend_back) {
    double y[60], level = 100.0, trend = 0.0;
    for (int t = 0; t < 60; ++t) {
        double e = 4.0 * (unit(33, (uint64_t)t) - 0.5);
        y[t] = level + trend + e;
        level += trend + 0.9 * e;
        trend += 0.8 * e;
    }
    tide_fit_spec free_spec = spec_of(1, TIDE_ETS_AVERAGE), held = free_spec;
    free_spec.ets_forms = held.ets_forms = 1u << TIDE_ETS_AAN;
    free_spec.penalty = 0.0;
    batch a, b;
    fit_one(&a, y, 60, &free_spec);
    fit_one(&b, y, 60, &held);
    double ratio = b.r.coef[1] / b.r.coef[0], k = b.r.n_params[0];
    double aicc = 2.0 * k - 2.0 * b.r.loglik[0] + 2.0 * k * (k + 1.0) / (60.0 - k - 1.0);
    cr_assert_float_eq(b.r.criterion[0], aicc + 10.0 * ratio, 1e-9);
    cr_assert(ratio < a.r.coef[1] / a.r.coef[0] - 0.01);
    cr_assert(b.r.loglik[0] < a.r.loglik[0]);
    batch_free(&a);
    batch_free(&b);
}

Test(fit, long_periods_keep_the_season_of_the_decomposition) {
    enum { M = 52, N = 3 * M + 10 };
    double y[N];
    for (int t = 0; t < N; ++t)
        y[t] = 100.0 + 20.0 * sin(6.283185307 * t / M) + 2.0 * unit(4, (uint64_t)t);
    tide_fit_spec spec = spec_of(M, TIDE_ETS_LIKELIHOOD);
    batch b;
    fit_one(&b, y, N, &spec);
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_FITTED);
    cr_assert(b.r.form[0] == TIDE_ETS_ANA || b.r.form[0] == TIDE_ETS_MNA || b.r.form[0] == TIDE_ETS_MNM,
              "form %d", b.r.form[0]);
    double scale = b.r.form[0] == TIDE_ETS_MNM ? b.r.state[0] : 1.0,
           shift = b.r.form[0] == TIDE_ETS_MNM ? scale : 0.0;
    for (int h = 0; h < M; ++h) {
        double want = 20.0 * sin(6.283185307 * (N + h) / M), got = b.r.state[2 + h] * scale - shift;
        cr_assert_float_eq(got, want, 3.0, "step %d: season %g, not %g", h, got, want);
    }
    batch_free(&b);
}

/* An asked-for form reaches at least the likelihood of the parameters that made the data, and states that
 * forecast. */
Test(fit, a_fit_is_no_worse_than_the_truth) {
    double y[200], level = 100.0, trend = 0.5, season[4] = {5.0, -3.0, -6.0, 4.0}, sum = 0.0;
    for (int t = 0; t < 200; ++t) {
        double e = 6.0 * (unit(55, (uint64_t)t) - 0.5), *s = &season[t % 4];
        y[t] = level + trend + *s + e;
        level += trend + 0.4 * e;
        trend += 0.05 * e;
        *s += 0.2 * e;
        sum += e * e;
    }
    tide_fit_spec spec = spec_of(4, TIDE_ETS_LIKELIHOOD);
    spec.ets_forms = 1u << TIDE_ETS_AAA;
    batch b;
    fit_one(&b, y, 200, &spec);
    cr_assert_geq(b.r.loglik[0], -100.0 * log(sum));
    cr_assert_float_eq(b.r.state[0] + b.r.state[2], level + season[0], 4.0);
    batch_free(&b);
}

Test(fit, benchmark_families_compete_when_asked_for) {
    double y[60];
    y[0] = 100.0;
    for (int t = 1; t < 60; ++t)
        y[t] = y[t - 1] + unit(66, (uint64_t)t) - 0.5;
    tide_fit_spec spec = spec_of(4, TIDE_ETS_LIKELIHOOD);
    spec.families = 1u << TIDE_FAMILY_NAIVE | 1u << TIDE_FAMILY_SNAIVE | 1u << TIDE_FAMILY_MEAN;
    batch b;
    fit_one(&b, y, 60, &spec);
    cr_assert_eq(b.r.outcome[0], TIDE_OUTCOME_FITTED);
    cr_assert_eq(b.r.family[0], TIDE_FAMILY_NAIVE);
    cr_assert_eq(b.r.state[0], y[59]);
    batch_free(&b);
}
