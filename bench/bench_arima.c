/* bench_arima.c - seasonal ARIMA on one core: ns per observation of a likelihood and its gradient, and fits a second.
 *
 *   bench_arima [series] [steps] [season] [DRIVER]      defaults 512 120 12 and every driver that runs here
 *
 * At the lane width that this file is compiled for: bench_arima has one lane, bench_arima_avx2 and bench_arima_avx512 have
 * those drivers' lanes and flags, and time only the likelihood. bench_arima then times whole fits with every lane driver
 * that runs here: microseconds a series for one fixed order, series a second for the whole grid, by processor time of this
 * thread, best of three. The series are those of bench_ets: level, trend, multiplicative season, a walk and noise. */
#include "bench/bench.h"
#include "kernels/arima_eval.h"

enum { REPEATS = 3, RANGE = 16 };

/* ---- the likelihood, at this file's own lane width ---- */

static void time_likelihood(tide_arima_order o, int steps, int season) {
    const size_t lanes = TIDE_LANES;
    tide_arima_shape shape = tide_arima_shape_of(o, season, 1.0, lanes);
    const int rows = steps - tide_arima_diff_lags(o, season);
    double *w = bench_grab((size_t)rows * lanes * sizeof *w), *u = bench_grab(TIDE_ARIMA_K_MAX * lanes * sizeof *u),
           *gradient = bench_grab(TIDE_ARIMA_K_MAX * lanes * sizeof *u), *n = bench_grab(lanes * sizeof *n),
           *value = bench_grab(lanes * sizeof *value);
    double *memory = bench_grab(tide_arima_work_size(&shape, rows, 1, 0) * lanes * sizeof *memory);
    tide_arima_work work;
    tide_arima_work_place(&work, &shape, rows, 1, 0, memory);
    for (size_t k = 0; k < lanes; ++k) {
        n[k] = rows;
        for (int t = 0; t < rows; ++t)
            w[(size_t)t * lanes + k] = draw_unit(k, (uint64_t)t, 0) - 0.5;
        for (int i = 0; i < shape.k; ++i)
            u[(size_t)i * lanes + k] = 0.8 * (draw_unit(k, 100000u + (uint64_t)i, 0) - 0.5);
    }
    tide_arima_data d = {.stride = lanes, .rows = rows, .m = season, .n = n, .w = w};
    double best[2] = {1e30, 1e30};
    for (int with = 0; with < 2; ++with)
        for (int repeat = 0; repeat < REPEATS; ++repeat) {
            int count = 2 + 400000 / (rows * shape.r);
            double start = bench_cpu_s();
            for (int i = 0; i < count; ++i)
                tide_arima_eval(&shape, &work, &d, u, value, with ? gradient : NULL);
            double ns = 1e9 * (bench_cpu_s() - start) / count / (double)lanes / rows;
            best[with] = ns < best[with] ? ns : best[with];
        }
    printf("%2zu lanes (%d,%d,%d)(%d,%d,%d)%d r=%-3d %7.2f ns an observation, with gradient %7.2f\n", lanes,
           o.p, o.d, o.q, o.P, o.D, o.Q, season, shape.r, best[0], best[1]);
    free(w);
    free(u);
    free(gradient);
    free(n);
    free(value);
    free(memory);
}

/* ---- whole fits ---- */

#if TIDE_LANES == 1
static tide_fit_spec spec_of(int season) {
    tide_fit_spec s;
    memset(&s, 0, sizeof s);
    s.season = season;
    s.families = 1u << TIDE_FAMILY_ARIMA;
    s.slots = 1;
    s.temperature = 2.0;
    s.arima.max_p = s.arima.max_q = 5;
    s.arima.max_P = s.arima.max_Q = 2;
    s.arima.max_order = 5;
    s.arima.max_d = 2;
    s.arima.max_D = 1;
    s.arima.d = 1;
    s.arima.D = tide_arima_seasonal(season);
    s.arima.max_iterations = 100;
    s.arima.root_min = 1.01;
    return s;
}

static void time_drivers(size_t n, int steps, int season, const char *only) {
    const tide_lane_driver *list[4];
    const int n_drivers = drivers(list);
    tide_panel panel;
    tide_plan plan;
    bench_plan(&panel, &plan, n, steps, season);
    tide_fit_spec grid = spec_of(season), airline = grid;
    airline.arima.fixed = 1;
    airline.arima.q = 1;
    airline.arima.Q = grid.arima.D;
    for (int i = 0; i < n_drivers; ++i) {
        if (only && strcmp(only, list[i]->name) != 0)
            continue;
        double fixed = bench_fit_s(list[i], &airline, &plan.tiles, RANGE),
               all = bench_fit_s(list[i], &grid, &plan.tiles, RANGE);
        printf("%-8s (0,1,1)(0,%d,%d)%d %8.1f us a series; the whole grid %10.1f us, %8.1f series/s\n",
               list[i]->name, airline.arima.D, airline.arima.Q, season, 1e6 * fixed / (double)n,
               1e6 * all / (double)n, (double)n / all);
    }
    tide_plan_free(&plan);
    tide_panel_free(&panel);
}
#endif

int main(int argc, char **argv) {
    int series = argc > 1 ? atoi(argv[1]) : 512, steps = argc > 2 ? atoi(argv[2]) : 120,
        season = argc > 3 ? atoi(argv[3]) : 12;
    if (argc > 5 || series < 1 || season < 1 || season > TIDE_ARIMA_SEASON_MAX || steps < 3 * season + 20) {
        fputs("usage: bench_arima [series] [steps] [season] [DRIVER]\n", stderr);
        return 2;
    }
    const tide_arima_order orders[6] = {
        {.d = 1, .q = 1, .D = 1, .Q = 1},         {.p = 2, .d = 1, .q = 1, .P = 1, .D = 1, .Q = 1},
        {.p = 1, .d = 1, .q = 1, .D = 1, .Q = 1}, {.p = 3, .D = 1, .Q = 1},
        {.p = 1, .d = 1, .q = 2, .D = 1, .Q = 2}, {.p = 5, .d = 1, .q = 5, .P = 2, .D = 1, .Q = 2}};
    for (int i = 0; i < 6 && argc < 5; ++i) {
        tide_arima_order o = orders[i];
        if (!tide_arima_seasonal(season))
            o.P = o.Q = o.D = 0;
        time_likelihood(o, steps, season);
    }
#if TIDE_LANES == 1
    time_drivers((size_t)series, steps, season, argc > 4 ? argv[4] : NULL);
#endif
    return 0;
}
