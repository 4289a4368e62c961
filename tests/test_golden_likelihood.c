/* test_golden_likelihood.c - every form that R's ets() fits to the classic series (forecast 8.20, opt.crit =
 * "lik", bounds = "both", tests/golden/README.md) is fitted here too, with a log-likelihood no less than R's
 * minus 1e-3.
 *
 * R stops after 2,000 evaluations, so its likelihoods are a floor and not a value to equal. `presidents` has
 * missing values, of which R uses only the longest stretch without: so does this test.
 *
 * Exceptions, each a different local optimum:
 *   AirPassengers AAdN   phi 0.80 here, 0.98 in R: two optima 0.054 apart, beta at its least in both */
#include "host/panel.h"
#include "host/plan.h"
#include "kernels/results.h"
#include "tests/golden.h"
#include "tests/results_fixture.h"

#include <criterion/criterion.h>

enum { MOST = 512 };

static const char *const form_names[TIDE_ETS_FORMS] = {
#define TIDE_ETS_FORM(name, e, t, s) #name,
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
};

static const struct {
    const char *series, *model;
    double shortfall;
} exceptions[] = {{"AirPassengers", "AAdN", 0.06}};

typedef struct fitted {
    int outcome, n_params;
    double loglik, criterion, sigma2, coef[4];
} fitted;

static fitted fit(const double *y, int n, int period, uint32_t forms) {
    tide_fit_spec spec;
    memset(&spec, 0, sizeof spec);
    spec.season = period;
    spec.families = 1u << TIDE_FAMILY_ETS;
    spec.ets_forms = forms;
    spec.max_iterations = 200;
    spec.slots = 1;
    for (int i = 0; i < 4; ++i) {
        spec.lower[i] = i == 3 ? 0.8 : 1e-4;
        spec.upper[i] = i == 3 ? 0.98 : 0.9999;
    }
    tide_panel panel;
    tide_plan plan;
    memset(&plan, 0, sizeof plan);
    tide_panel_init(&panel);
    cr_assert_eq(tide_panel_add(&panel, "x", 1, y, (size_t)n, 0, n - 1, NULL), TIDE_OK);
    cr_assert_eq(tide_plan_build(&plan, &panel, NULL), TIDE_OK);
    tide_results r;
    void *block = results_begin(&r, &spec, 1);
    void *work = aligned_alloc(64, (tide_lanes_scalar.workspace_bytes(&spec, n, 1) + 63) / 64 * 64);
    tide_lanes_scalar.fit_tiles(&spec, &plan.tiles, 0, 1, work, &r);
    fitted f = {r.outcome[0], r.n_params[0], r.loglik[0], r.criterion[0], r.sigma2[0], {0}};
    memcpy(f.coef, r.coef, sizeof f.coef);
    free(work);
    free(block);
    tide_plan_free(&plan);
    tide_panel_free(&panel);
    return f;
}

static uint32_t form_bit(const char *model) {
    for (int i = 0; i < TIDE_ETS_FORMS; ++i)
        if (strcmp(form_names[i], model) == 0)
            return 1u << i;
    cr_assert_fail("no form %s", model);
    return 0;
}

Test(golden_likelihood, every_form_reaches_r) {
    golden_table t;
    int fits = 0, reached = 0;
    char last[32] = "";
    double y[MOST];
    int n = 0, period = 1;
    golden_open(&t, "ets_fixed.csv");
    while (golden_next(&t)) {
        double want = golden_number(&t, "loglik"), allowed = 1e-3;
        const char *series = golden_text(&t, "series"), *model = golden_text(&t, "model");
        if (isnan(want))
            continue;
        if (strcmp(last, series) != 0) {
            snprintf(last, sizeof last, "%s", series);
            n = golden_longest_stretch(y, golden_series(series, y, MOST, &period));
        }
        cr_assert_eq(n, (int)golden_number(&t, "n_used"), "%s", series);
        fitted f = fit(y, n, period, form_bit(model));
        cr_assert_eq(f.outcome, TIDE_OUTCOME_FITTED, "%s %s", series, model);
        cr_assert_eq(f.n_params, (int)golden_number(&t, "npar"), "%s %s", series, model);
        for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; ++i)
            if (strcmp(exceptions[i].series, series) == 0 && strcmp(exceptions[i].model, model) == 0)
                allowed = exceptions[i].shortfall;
        cr_expect(f.loglik >= want - allowed, "%s %s: %.6f, R %.6f", series, model, f.loglik, want);
        if (fabs(f.loglik - want) < 1e-7) { /* the same optimum: then everything else is the same, too */
            cr_expect_float_eq(f.criterion, golden_number(&t, "aicc"), 1e-6, "%s %s AICc", series, model);
            cr_expect_float_eq(f.sigma2 / golden_number(&t, "sigma2"), 1.0, 1e-3, "%s %s sigma2", series,
                               model);
        }
        ++fits;
        reached += f.loglik >= want - 1e-3;
    }
    golden_close(&t);
    cr_assert_eq(fits, 162);
    cr_assert_geq(reached, 161);
}

Test(golden_likelihood, the_choice_is_no_worse_than_r) {
    golden_table t;
    golden_open(&t, "ets_auto.csv");
    while (golden_next(&t)) {
        double y[MOST];
        int period = 1, n = golden_longest_stretch(y, golden_series(golden_text(&t, "series"), y, MOST, &period));
        fitted f = fit(y, n, period, (1u << TIDE_ETS_FORMS) - 1u);
        cr_expect(f.criterion <= golden_number(&t, "aicc") + 2e-3, "%s: AICc %.6f, R's choice %.6f",
                  golden_text(&t, "series"), f.criterion, golden_number(&t, "aicc"));
    }
    golden_close(&t);
}
