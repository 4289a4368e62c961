/* bench_fit.c - fits and forecasts in memory, as a library user would call them: no file, no store, no pipeline.
 *
 *   bench_fit FILE|SERIES:STEPS PERIOD [--mode average|likelihood|robust] [--forms A,B] [--jobs N] [--isa NAME]
 *             [--horizon H] [--rounds N] [--members FILE]
 *
 * FILE: unique_id,ds,y with rows in order of time (an empty y is missing; ds is not looked at). SERIES:STEPS: synthetic
 * series, the same on every machine (level, trend, multiplicative season, noise). Printed is one line
 *
 *     series values plan_s fit_s forecast_s cpu_s
 *
 * wall seconds of the best of N rounds (default 3, by the sum of the three): tiles from the panel, fit, forecasts of
 * H steps (default 12) with intervals of 80 and 95 %; cpu_s is the processor time of the same round's fit, all
 * threads. --members FILE gets a row for each member of each series: series,form,weight,criterion,loglik. */
#include "bench/bench.h"
#include "host/backend.h"
#include "host/config.h"
#include "kernels/tide_fn.h"

static const char *const form_names[TIDE_ETS_FORMS] = {
#define TIDE_ETS_FORM(name, e, t, s) #name,
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
};

static void stop(const char *what) {
    fprintf(stderr, "bench_fit: %s\n", what);
    exit(1);
}

static void check(tide_status status, const tide_error *err) {
    if (status)
        stop(err->message);
}

static double unit(uint64_t a, uint64_t b) {
    return draw_unit(a, b, 0);
}

/* A level that wanders, with a slope, a multiplicative season and noise; some series have little season. */
static void make_series(size_t id, int season, double *y, int n) {
    double level = 100.0, slope = 0.01 * (unit(id, 1) - 0.3), depth = unit(id, 2) < 0.25 ? 0.02 : 0.4;
    for (int t = 0; t < n; ++t) {
        level *= 1.0 + slope * 100.0 / (100.0 + t) + 0.03 * (unit(id, 1000u + (uint64_t)t) - 0.5);
        double swing = season > 1 ? 1.0 + depth * (unit(id, 10u + (uint64_t)(t % season)) - 0.5) : 1.0;
        y[t] = level * swing * (1.0 + 0.08 * (unit(id, 500000u + (uint64_t)t) - 0.5));
    }
}

static void add(tide_panel *panel, const char *id, const double *y, size_t n) {
    tide_error err = {TIDE_OK, ""};
    if (n)
        check(tide_panel_add(panel, id, strlen(id), y, n, 0, (int64_t)n - 1, &err), &err);
}

static void read_file(tide_panel *panel, const char *path) {
    FILE *f = fopen(path, "re");
    if (!f)
        stop("the file cannot be opened");
    char *line = NULL, id[256] = "";
    size_t room = 0, n = 0, cap = 1024;
    double *y = (double *)malloc(cap * sizeof *y);
    if (!y || getline(&line, &room, f) < 0)
        stop("the file is empty");
    while (getline(&line, &room, f) > 0) {
        char *ds = strchr(line, ','), *value = ds ? strchr(ds + 1, ',') : NULL;
        if (!value || (size_t)(ds - line) >= sizeof id)
            stop("a line is not unique_id,ds,y");
        *ds = '\0';
        if (strcmp(id, line) != 0) {
            add(panel, id, y, n);
            n = 0;
            memcpy(id, line, (size_t)(ds - line) + 1);
        }
        if (n == cap) {
            double *more = (double *)realloc(y, 2 * cap * sizeof *y);
            if (!more)
                stop("out of memory");
            y = more;
            cap *= 2;
        }
        char *end = value + 1;
        double v = strtod(value + 1, &end);
        y[n++] = end == value + 1 ? TIDE_NAN : v;
    }
    add(panel, id, y, n);
    free(y);
    free(line);
    fclose(f);
}

static void synthesise(tide_panel *panel, size_t series, int steps, int season) {
    double *y = (double *)bench_grab(sizeof(double) * (size_t)steps);
    for (size_t i = 0; i < series; ++i) {
        char id[32];
        snprintf(id, sizeof id, "%zu", i);
        make_series(i, season, y, steps);
        add(panel, id, y, (size_t)steps);
    }
    free(y);
}

static void list_members(const char *path, const tide_panel *panel, const tide_results *r) {
    FILE *f = fopen(path, "we");
    if (!f)
        stop("the file of members cannot be written");
    fputs("series,form,weight,criterion,loglik\n", f);
    for (size_t i = 0; i < r->n_series; ++i)
        for (size_t j = 0; j < r->n_members[i]; ++j) {
            size_t at = j * r->n_series + i;
            int ets = (1u << r->family[at] & TIDE_FAMILIES_ETS) != 0;
            fprintf(f, "%.*s,%s%s,%.17g,%.17g,%.17g\n", (int)(panel->id_at[i + 1] - panel->id_at[i]),
                    panel->ids + panel->id_at[i], ets ? form_names[r->form[at]] : "none",
                    r->family[at] == TIDE_FAMILY_ETS_ROBUST ? "-robust" : "", r->weight[at], r->criterion[at],
                    r->loglik[at]);
        }
    if (fclose(f) != 0)
        stop("the file of members cannot be written");
}

int main(int argc, char **argv) {
    if (argc < 3)
        stop("usage: bench_fit FILE|SERIES:STEPS PERIOD [options]; see the head of bench_fit.c");
    tide_config cfg;
    tide_error err = {TIDE_OK, ""};
    tide_backend_options where = {.kind = TIDE_BACKEND_CPU, .jobs = 1};
    const char *members = NULL, *mode = "average";
    int rounds = 3, horizon = 12, season = atoi(argv[2]);
    tide_config_init(&cfg);
    for (int i = 3; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--mode") == 0)
            mode = value;
        else if (strcmp(argv[i], "--forms") == 0)
            check(tide_config_set(&cfg, "ets.forms", value, &err), &err);
        else if (strcmp(argv[i], "--jobs") == 0)
            where.jobs = atoi(value);
        else if (strcmp(argv[i], "--isa") == 0)
            where.isa = value;
        else if (strcmp(argv[i], "--horizon") == 0)
            horizon = atoi(value);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = atoi(value);
        else if (strcmp(argv[i], "--members") == 0)
            members = value;
        else
            stop("unknown option");
    }
    const int robust = strcmp(mode, "robust") == 0;
    check(tide_config_set(&cfg, "ets.mode", robust ? "average" : mode, &err), &err);
    if (robust)
        check(tide_config_set(&cfg, "ets.robust", "true", &err), &err);
    check(tide_config_set(&cfg, "freq", "N", &err), &err);
    cfg.season = season;
    cfg.predict.horizon = horizon;
    check(tide_config_check(&cfg, &err), &err);
    tide_panel panel;
    tide_panel_init(&panel);
    const char *colon = strchr(argv[1], ':');
    if (colon)
        synthesise(&panel, (size_t)atoll(argv[1]), atoi(colon + 1), season);
    else
        read_file(&panel, argv[1]);
    if (!panel.n_series)
        stop("no series");

    tide_backend backend;
    char note[256] = "";
    check(tide_backend_open(&where, &backend, note, sizeof note, &err), &err);
    tide_forecast_spec ahead = cfg.predict.spec;
    ahead.n_levels = 2;
    ahead.level[0] = 0.80;
    ahead.level[1] = 0.95;
    tide_results r;
    memset(&r, 0, sizeof r);
    r.n_series = panel.n_series;
    r.slots = cfg.fit.slots;
    r.coef_rows = tide_coef_rows(&cfg.fit);
    r.state_rows = tide_state_rows(&cfg.fit);
    void *block = bench_grab(tide_results_map(&r, NULL));
    tide_results_map(&r, block);
    size_t n = panel.n_series, steps = (size_t)ahead.horizon * n;
    double *mean = (double *)bench_grab(sizeof(double) * steps), *lo = (double *)bench_grab(2 * sizeof(double) * steps),
           *hi = (double *)bench_grab(2 * sizeof(double) * steps);
    uint64_t *key = (uint64_t *)bench_grab(sizeof *key * n);
    tide_plan plan;
    memset(&plan, 0, sizeof plan);
    double best[4] = {1e30, 1e30, 1e30, 0.0};
    for (int round = 0; round < rounds; ++round) {
        double t0 = bench_seconds(CLOCK_MONOTONIC);
        check(tide_plan_build(&plan, &panel, &err), &err);
        double t1 = bench_seconds(CLOCK_MONOTONIC), c1 = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
        check(backend.fit(backend.self, &cfg.fit, &plan.tiles, &r, &err), &err);
        double t2 = bench_seconds(CLOCK_MONOTONIC), c2 = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
        check(backend.forecast(backend.self, &ahead, &r, key, mean, lo, hi, &err), &err);
        double t3 = bench_seconds(CLOCK_MONOTONIC);
        if (t3 - t0 < best[0] + best[1] + best[2]) {
            best[0] = t1 - t0;
            best[1] = t2 - t1;
            best[2] = t3 - t2;
            best[3] = c2 - c1;
        }
    }
    printf("%zu %zu %.6f %.6f %.6f %.6f\n", n, panel.at[n], best[0], best[1], best[2], best[3]);
    if (members)
        list_members(members, &panel, &r);
    backend.close(backend.self);
    free(block);
    free(mean);
    free(lo);
    free(hi);
    free(key);
    tide_plan_free(&plan);
    tide_panel_free(&panel);
    tide_config_free(&cfg);
    return 0;
}
