/* bench_ets.c - exponential smoothing on one core: ns per observation of a fit's parts, and fits a second.
 *
 *   bench_ets [series] [steps] [season]      defaults 1024 120 12; series 0: the parts only
 *
 * Parts of a fit (value; value and gradient; Gauss-Newton pass; propose and update) at the lane width that this
 * file is compiled for: bench_ets has one lane, bench_ets_avx2 and bench_ets_avx512 have those drivers' lanes and
 * flags, and time nothing else. bench_ets then times whole fits with every lane driver that runs here: microseconds
 * a series for each form alone and for all of them, in likelihood and in average mode, by processor time of this
 * thread, best of three. The series are synthetic: level, trend, multiplicative season and noise, no missing value,
 * the same on every machine. */
#include "bench/bench.h"
#include "kernels/ets_gauss.h"

static const char *const form_names[TIDE_ETS_FORMS] = {
#define TIDE_ETS_FORM(name, e, t, s) #name,
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
};

static double now_ns(void) {
    return 1e9 * bench_cpu_s();
}

/* ---- parts of a fit, at this file's own lane width
 * ------------------------------------------------------------- */

#if TIDE_LANES > 1
/* Most fused multiply-adds a nanosecond of this core at the width of this file's registers: 12 independent chains, which
 * cover two pipes of five cycles and fit into 16 registers with their two constants (16 chains spilled, and AVX2's peak
 * came out at half). Compiled with contraction, which makes the one kind of instruction that is wanted of a product and a
 * sum. */
enum { CHAINS = 12 };
typedef double wide __attribute__((vector_size(8 * TIDE_CHUNK)));
static __attribute__((noinline, optimize("fp-contract=fast"))) wide chains(int rounds, const wide start[CHAINS], wide a,
                                                                           wide b) {
    wide c0 = start[0], c1 = start[1], c2 = start[2], c3 = start[3], c4 = start[4], c5 = start[5], c6 = start[6],
         c7 = start[7], c8 = start[8], c9 = start[9], c10 = start[10], c11 = start[11];
    for (int i = 0; i < rounds; ++i) {
        c0 = c0 * a + b, c1 = c1 * a + b, c2 = c2 * a + b, c3 = c3 * a + b;
        c4 = c4 * a + b, c5 = c5 * a + b, c6 = c6 * a + b, c7 = c7 * a + b;
        c8 = c8 * a + b, c9 = c9 * a + b, c10 = c10 * a + b, c11 = c11 * a + b;
    }
    return c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + c10 + c11;
}

static double peak_fma(void) {
    const int rounds = 200000;
    wide a, b, begin[CHAINS];
    for (int k = 0; k < TIDE_CHUNK; ++k) {
        a[k] = 0.5;
        b[k] = 1.0;
        for (int i = 0; i < CHAINS; ++i)
            begin[i][k] = i + k;
    }
    double best = 0.0;
    for (int repeat = 0; repeat < 20; ++repeat) {
        double start = now_ns();
        wide sum = chains(rounds, begin, a, b);
        double rate = (double)CHAINS * TIDE_CHUNK * rounds / (now_ns() - start);
        if (sum[0] > 0.0 && rate > best)
            best = rate;
    }
    return best;
}
#else
static double peak_fma(void) {
    return 0.0; /* one lane is no measure of a core */
}
#endif

/* Multiplications, additions and fused multiply-adds a step and series, counted in the source (ets_eval.h,
 * ets_gauss.h); comparisons, selections and what is done once a pass are left out. what: 0 value, 1 value and
 * gradient, 2 Gauss-Newton pass over n columns. */
static int operations(tide_ets_form f, int n, int what) {
    const int trend = f.trend != TIDE_NO, damped = f.trend == TIDE_DAMPED, season = f.season != TIDE_NO,
              product = f.season == TIDE_MUL, relative = f.error == TIDE_MUL;
    int step = trend + season + 1 + 9 * relative + product + 1 + trend + damped + season + product;
    int value = step + 1 + relative;
    if (what == 0)
        return value;
    if (what == 1) {
        int back = product ? 2 + trend + 3 + trend + 3 + 2 + trend + 3 + 2 * trend + 3
                           : 1 + trend + season + (relative ? 4 : 1) + 1 + trend + season + 1 + season;
        return value + back + (damped ? 3 : trend);
    }
    int column = (damped ? 1 : 0) + trend +
                 (product ? 2 + 1 + 2 * trend + 2 + 2 : (season ? 2 : 0) + 1 + trend + 1) + relative;
    return step + 1 + n * column + n * (n + 1) / 2;
}

typedef struct parts {
    tide_ets_problem p;
    tide_boxqn q;
    tide_ets_columns columns;
    int n;
} parts;

#define TIDE_ETS_FORM(name, e, t, s)                                                                         \
    static __attribute__((noinline)) void eval_##name(parts *b, double *gradient) {                          \
        tide_ets_eval(tide_ets_form_of(TIDE_ETS_##name), &b->p, b->q.x, b->q.trial_value, gradient);         \
    }                                                                                                        \
    static __attribute__((noinline)) void gauss_##name(parts *b) {                                           \
        tide_ets_gauss(tide_ets_form_of(TIDE_ETS_##name), &b->p, &b->columns, b->n, &b->q, NULL);            \
    }
#include "kernels/forms.def"
#undef TIDE_ETS_FORM

static const struct {
    void (*eval)(parts *, double *);
    void (*gauss)(parts *);
} table[TIDE_ETS_FORMS] = {
#define TIDE_ETS_FORM(name, e, t, s) {eval_##name, gauss_##name},
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
};

static void time_parts(int steps, int season) {
    double *y = bench_grab(sizeof(double) * (size_t)steps * TIDE_TILE_WIDTH);
    for (int t = 0; t < steps; ++t)
        for (size_t k = 0; k < TIDE_TILE_WIDTH; ++k)
            y[(size_t)t * TIDE_TILE_WIDTH + k] = bench_value(k, t, season) / 128.0;
    double peak = peak_fma();
    printf("parts, %d lanes, %d steps, period %d: ns per observation and series; share of the core's peak of %.2f "
           "FMA/ns\n",
           TIDE_LANES, steps, season, peak);
    printf("form    n    value  +gradient  Gauss-Newton  propose+update (ns a series)  %% of peak: value +gradient "
           "Gauss-Newton\n");
    for (int id = 0; id < TIDE_ETS_FORMS; ++id) {
        tide_ets_form form = tide_ets_form_of(id);
        parts b;
        memset(&b, 0, sizeof b);
        int free_max = season <= TIDE_SEASON_FREE_MAX ? season - 1 : 0;
        if (form.season != TIDE_NO && season < 2)
            continue;
        b.p.n_free = form.season != TIDE_NO ? free_max : 0;
        int n_states = tide_ets_n_states(form, b.p.n_free), n_box = tide_ets_n_box(form);
        b.n = n_states + n_box;
        size_t lanes = TIDE_LANES;
        b.p.y = y;
        b.p.rows = steps;
        b.p.season = season;
        b.p.stride = lanes;
        b.p.gap = season > 1 ? tide_ets_period_gap(season) : 0.0;
        for (int i = 0; i < 4; ++i) {
            b.p.lower[i] = i == 3 ? 0.8 : 1e-4;
            b.p.upper[i] = i == 3 ? 0.98 : 0.9999;
        }
        size_t m = (size_t)season;
        double *block = bench_grab(sizeof(double) * lanes * (1 + 3 * m + (size_t)steps * TIDE_ETS_TAPE_MAX));
        double *n_obs = block, *fixed = block + lanes;
        b.p.n_obs = n_obs;
        b.p.fixed = b.p.relative = fixed;
        b.p.ring = fixed + m * lanes;
        b.p.ring_bar = fixed + 2 * m * lanes;
        b.p.tape = fixed + 3 * m * lanes;
        b.q.n = b.n;
        b.q.n_box = n_box;
        b.q.stride = lanes;
        b.q.round_limit = 1e9;
        double *room =
            bench_grab(sizeof(double) * lanes * (tide_boxqn_size(b.n, n_box) + tide_ets_columns_size(b.n, season)));
        tide_ets_columns_place(&b.columns, tide_boxqn_place(&b.q, room), b.n, season, lanes);
        const double guess[4] = {0.3, 0.1, 0.1, 0.9};
        for (size_t k = 0; k < lanes; ++k) {
            n_obs[k] = steps;
            for (size_t j = 0; j < m; ++j)
                fixed[j * lanes + k] = form.season == TIDE_MUL ? 1.0 : 0.0;
            b.q.x[k] = 0.8;
            for (int j = 0; form.season == TIDE_MUL && j < b.p.n_free; ++j)
                b.q.x[(size_t)(n_states - b.p.n_free + j) * lanes + k] = 1.0;
            for (int c = 0, g = 0; c < n_box; ++c, ++g) {
                if (g == 1 && form.trend == TIDE_NO)
                    ++g;
                if (g == 2 && form.season == TIDE_NO)
                    ++g;
                b.q.x[(size_t)(n_states + c) * lanes + k] = guess[g];
                b.q.upper[(size_t)c * lanes + k] = 0.98;
            }
            b.q.lambda[k] = 0.01;
        }
        double best[4] = {1e30, 1e30, 1e30, 1e30};
        for (int repeat = 0; repeat < 15; ++repeat)
            for (int what = 0; what < 4; ++what) {
                double start = now_ns();
                for (int i = 0; i < 10; ++i) {
                    if (what < 2)
                        table[id].eval(&b, what ? b.q.gradient : NULL);
                    if (what == 2)
                        table[id].gauss(&b);
                    if (what == 3) { /* all lanes at work, whatever the last update decided */
                        for (size_t k = 0; k < lanes; ++k) {
                            b.q.status[k] = TIDE_QN_RUNNING;
                            b.q.lambda[k] = 0.01;
                        }
                        tide_boxqn_propose(&b.q, 0);
                        tide_boxqn_update(&b.q);
                    }
                }
                double spent = (now_ns() - start) / 10.0 / (double)lanes / (what < 3 ? steps : 1);
                if (spent < best[what])
                    best[what] = spent;
            }
        printf("%-5s  %2d  %7.3f  %9.3f  %12.3f  %14.1f", form_names[id], b.n, best[0], best[1], best[2], best[3]);
        for (int what = 0; what < 3 && peak > 0.0; ++what)
            printf("  %5.1f", 100.0 * operations(form, b.n, what) / (best[what] * peak));
        printf("\n");
        free(room);
        free(block);
    }
    free(y);
}

/* ---- whole fits, by driver
 * ------------------------------------------------------------------------------------- */

#ifndef RANGE
#define RANGE 32 /* tiles at a time, as in host/backend_cpu.c */
#endif

static double us_a_series(const tide_lane_driver *driver, const tide_fit_spec *spec, const tide_tiles *tiles) {
    return 1e6 * bench_fit_s(driver, spec, tiles, RANGE) / (double)tiles->n_series;
}

static void time_driver(const tide_lane_driver *driver, const tide_tiles *tiles, int season) {
    tide_fit_spec spec;
    memset(&spec, 0, sizeof spec);
    spec.season = season;
    spec.families = 1u << TIDE_FAMILY_ETS;
    spec.max_iterations = 200;
    spec.penalty = 10.0;
    spec.temperature = 12.0;
    spec.min_weight = 0.01;
    for (int i = 0; i < 4; ++i) {
        spec.lower[i] = i == 3 ? 0.8 : 1e-4;
        spec.upper[i] = i == 3 ? 0.98 : 0.9999;
    }
    for (int mode = 0; mode < 2; ++mode) {
        spec.ets_mode = mode;
        spec.slots = mode == TIDE_ETS_AVERAGE ? TIDE_ETS_FORMS : 1;
        printf("%s, %s, us a series:", driver->name, mode == TIDE_ETS_AVERAGE ? "average" : "likelihood");
        for (int id = 0; id < TIDE_ETS_FORMS; ++id) {
            spec.ets_forms = 1u << id;
            if (season < 2 && tide_ets_form_of(id).season != TIDE_NO)
                continue;
            printf(" %s %.1f", form_names[id], us_a_series(driver, &spec, tiles));
            fflush(stdout);
        }
        spec.ets_forms = (1u << TIDE_ETS_FORMS) - 1u;
        double all = us_a_series(driver, &spec, tiles);
        printf("; all %.1f = %.0f series/s\n", all, 1e6 / all);
    }
}

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 1024, steps = argc > 2 ? atoi(argv[2]) : 120,
        season = argc > 3 ? atoi(argv[3]) : 12;
    if (n < 0 || steps < 4 || season < 1 || season > TIDE_SEASON_MAX) {
        fputs("usage: bench_ets [series >= 0] [steps >= 4] [season 1..366]\n", stderr);
        return 2;
    }
    time_parts(steps, season);
    if (TIDE_LANES > 1 || n == 0)
        return 0;
    tide_panel panel;
    tide_plan plan;
    bench_plan(&panel, &plan, (size_t)n, steps, season);
    const tide_lane_driver *list[4];
    for (int i = drivers(list) - 1; i >= 0; --i)
        if (n <= 1024 || i > 1) /* the narrow ones only for few series */
            time_driver(list[i], &plan.tiles, season);
    tide_plan_free(&plan);
    tide_panel_free(&panel);
    return 0;
}
