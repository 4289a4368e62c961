/* gpu_bench.c - series per second of a GPU, transfers included and excluded, beside the CPU's on the same
 * batch.
 *
 *   gpu_bench [--series N] [--steps N] [--season M] [--repeats R] [--device D] [--cpu-series N]
 *
 * Prints CSV lines `case,metric,value,unit`. "whole" is the backend's own fit from host memory to host
 * memory, as the pipeline calls it: staging, copies and kernels overlap in two slots. "kernels" repeats the
 * launches of one device batch on data that is already there, timed by device events: no copies at all.
 * "upload" and "download" time the copies alone. The least of R repeats after one to warm up. Exit code 8
 * without a GPU. */
#include "bench/bench.h"
#include "host/backend.h"
#include "kernels/device_plan.h"
#include "kernels/tide_fn.h"

typedef struct settings {
    size_t series, cpu_series;
    int steps, season, repeats, device;
} settings;

static double now_s(void) {
    return bench_seconds(CLOCK_MONOTONIC);
}

static double unit(uint64_t a, uint64_t b) {
    return draw_unit(a, b, 0);
}

/* Retail-like: level over three orders of magnitude, trend, season of a fifth of the level, noise of a tenth.
 */
static void make_panel(tide_panel *panel, const settings *s, size_t n) {
    double *y = malloc((size_t)s->steps * sizeof *y);
    if (!y)
        abort();
    tide_panel_init(panel);
    for (size_t i = 0; i < n; ++i) {
        double level = 5.0 + 5000.0 * unit(i, 1) * unit(i, 2) * unit(i, 3),
               slope = (unit(i, 4) - 0.4) * 0.005;
        for (int t = 0; t < s->steps; ++t) {
            double season = 0.4 * (unit(i, 100 + (uint64_t)(t % s->season)) - 0.5);
            double noise = unit(i, 1000 + 2 * (uint64_t)t) + unit(i, 1001 + 2 * (uint64_t)t) - 1.0;
            y[t] = level * (1.0 + slope * t) * (1.0 + season) * (1.0 + 0.2 * noise);
            if (y[t] < 0.01 * level)
                y[t] = 0.01 * level;
        }
        if (tide_panel_add(panel, "s", 1, y, (size_t)s->steps, 0, s->steps - 1, NULL) != TIDE_OK)
            abort();
    }
    free(y);
}

static tide_fit_spec make_spec(const settings *s) {
    tide_fit_spec spec;
    memset(&spec, 0, sizeof spec);
    spec.season = s->season;
    spec.families = 1u << TIDE_FAMILY_ETS;
    spec.ets_forms = (1u << TIDE_ETS_FORMS) - 1u;
    spec.max_iterations = 100;
    spec.slots = 1;
    spec.temperature = 2.0;
    for (int i = 0; i < 4; ++i) {
        spec.lower[i] = i == 3 ? 0.8 : 1e-4;
        spec.upper[i] = i == 3 ? 0.98 : 0.9999;
    }
    return spec;
}

static void row(const settings *s, size_t n, const char *metric, double value, const char *unit_name) {
    printf("ets %zu series x %d season %d,%s,%.6g,%s\n", n, s->steps, s->season, metric, value, unit_name);
    fflush(stdout);
}

/* Least seconds of the backend's fit, and one tide_results block in *out (caller frees outcome). */
static tide_status time_fit(tide_backend *b, const tide_fit_spec *spec, const tide_plan *plan, int repeats,
                            double *best, tide_error *err) {
    tide_results r;
    memset(&r, 0, sizeof r);
    r.n_series = plan->tiles.n_series;
    r.slots = spec->slots;
    r.coef_rows = tide_coef_rows(spec);
    r.state_rows = tide_state_rows(spec);
    size_t bytes = tide_results_map(&r, NULL);
    void *block = aligned_alloc(64, bytes + 64 - bytes % 64);
    if (!block)
        return tide_fail(err, TIDE_MEMORY, "no memory for results");
    memset(block, 0, bytes);
    tide_results_map(&r, block);
    tide_status status = TIDE_OK;
    *best = 1e300;
    for (int i = 0; i <= repeats && status == TIDE_OK; ++i) {
        double start = now_s();
        status = b->fit(b->self, spec, &plan->tiles, &r, err);
        double took = now_s() - start;
        if (i > 0 && took < *best)
            *best = took;
    }
    free(block);
    return status;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Steps of the driver by themselves: one device batch of as many tiles as the device takes at once. */
static tide_cuda_code time_steps(const settings *s, const tide_device_driver *driver, tide_device *d,
                                 const tide_fit_spec *spec, const tide_tiles *tiles) {
    size_t most = tide_device_tiles_max(tiles->n_tiles * 2, 1, d->multiprocessors);
    size_t count = tide_device_cut(spec, tiles, 0, most, d->free_bytes / 10 * 9, driver->workspace);
    tide_device_range run = {0, count};
    tide_device_layout l = tide_device_layout_of(spec, tiles, run, driver->workspace);
    tide_cuda_code code = driver->reserve(d, 0, l.host_bytes, l.device_bytes);
    if (code != TIDE_CUDA_OK)
        return code;
    tide_device_stage(tiles, run, &l, d->slot[0].host);
    tide_device_fit job = tide_device_fit_of(spec, run, &l, d->slot[0].device);
    double upload = 1e300, download = 1e300, *kernels = calloc((size_t)s->repeats + 1, sizeof *kernels);
    if (!kernels)
        return TIDE_CUDA_MEMORY;
    for (int i = 0; i <= s->repeats && code == TIDE_CUDA_OK; ++i) {
        double start = now_s();
        code = driver->upload(d, 0, 0, l.input_bytes);
        if (code == TIDE_CUDA_OK)
            code = driver->wait(d, 0);
        if (now_s() - start < upload)
            upload = now_s() - start;
        d->kernel_s = 0.0;
        if (code == TIDE_CUDA_OK)
            code = driver->fit(d, 0, &job);
        if (code == TIDE_CUDA_OK)
            code = driver->wait(d, 0);
        kernels[i] = d->kernel_s;
        start = now_s();
        if (code == TIDE_CUDA_OK)
            code = driver->download(d, 0, l.results_at, l.results_bytes);
        if (code == TIDE_CUDA_OK)
            code = driver->wait(d, 0);
        if (now_s() - start < download)
            download = now_s() - start;
    }
    if (code == TIDE_CUDA_OK) {
        size_t n = l.lanes;
        qsort(kernels + 1, (size_t)s->repeats, sizeof *kernels, by_value); /* the first run warmed up */
        double least = kernels[1], median = kernels[1 + s->repeats / 2];
        row(s, n, "kernels least", least * 1e3, "ms");
        row(s, n, "kernels median", median * 1e3, "ms");
        row(s, n, "kernels rate", (double)n / least, "series/s");
        row(s, n, "upload", (double)l.input_bytes / upload * 1e-9, "GB/s");
        row(s, n, "download", (double)l.results_bytes / download * 1e-9, "GB/s");
        row(s, n, "device memory", (double)l.device_bytes * 1e-6, "MB");
        row(s, n, "workspace a series", (double)l.workspace_bytes / (double)n, "B");
    }
    free(kernels);
    return code;
}

static int parse(int argc, char **argv, settings *s) {
    for (int i = 1; i < argc; i += 2) {
        char *end = NULL;
        long v = i + 1 < argc ? strtol(argv[i + 1], &end, 10) : 0;
        if (!end || *end || v < 0 || v > 100000000)
            return 0;
        if (strcmp(argv[i], "--series") == 0 && v > 0)
            s->series = (size_t)v;
        else if (strcmp(argv[i], "--cpu-series") == 0)
            s->cpu_series = (size_t)v;
        else if (strcmp(argv[i], "--steps") == 0 && v > 0)
            s->steps = (int)v;
        else if (strcmp(argv[i], "--season") == 0 && v > 0 && v <= TIDE_SEASON_MAX)
            s->season = (int)v;
        else if (strcmp(argv[i], "--repeats") == 0 && v > 0)
            s->repeats = (int)v;
        else if (strcmp(argv[i], "--device") == 0)
            s->device = (int)v;
        else
            return 0;
    }
    return 1;
}

/* The whole fit on one backend. */
static tide_status bench_backend(const settings *s, const tide_backend_options *options, size_t n,
                                 const char *metric) {
    tide_error err = {TIDE_OK, ""};
    tide_backend b;
    tide_status status = tide_backend_open(options, &b, NULL, 0, &err);
    if (status == TIDE_OK) {
        tide_panel panel;
        tide_plan plan = {0};
        tide_fit_spec spec = make_spec(s);
        double seconds = 0.0;
        make_panel(&panel, s, n);
        status = tide_plan_build(&plan, &panel, &err);
        if (status == TIDE_OK)
            status = time_fit(&b, &spec, &plan, s->repeats, &seconds, &err);
        if (status == TIDE_OK) {
            char name[200];
            snprintf(name, sizeof name, "%s (%s)", metric, b.name);
            for (char *p = name; *p; ++p)
                if (*p == ',')
                    *p = ' ';
            row(s, n, name, (double)n / seconds, "series/s");
        }
        tide_plan_free(&plan);
        tide_panel_free(&panel);
        b.close(b.self);
    }
    if (status != TIDE_OK)
        fprintf(stderr, "gpu_bench: %s\n", err.message);
    return status;
}

int main(int argc, char **argv) {
    settings s = {
        .series = 100000, .cpu_series = 2000, .steps = 120, .season = 12, .repeats = 5, .device = 0};
    if (!parse(argc, argv, &s)) {
        fprintf(stderr, "usage: gpu_bench [--series N] [--steps N] [--season M] [--repeats R] [--device D] "
                        "[--cpu-series N, 0 = none]\n");
        return TIDE_USAGE;
    }
    char devices[16];
    snprintf(devices, sizeof devices, "%d", s.device);
    tide_backend_options gpu = {.kind = TIDE_BACKEND_CUDA, .devices = devices},
                         cpu = {.kind = TIDE_BACKEND_CPU};
    tide_status status = bench_backend(&s, &gpu, s.series, "whole fit");
    if (status != TIDE_OK)
        return (int)status;

    const tide_device_driver *driver = tide_cuda_driver();
    tide_device device;
    memset(&device, 0, sizeof device);
    tide_fit_spec spec = make_spec(&s);
    tide_panel panel;
    tide_plan plan = {0};
    make_panel(&panel, &s, s.series);
    tide_cuda_code code =
        tide_plan_build(&plan, &panel, NULL) == TIDE_OK ? driver->open(s.device, &device) : TIDE_CUDA_MEMORY;
    if (code == TIDE_CUDA_OK)
        code = time_steps(&s, driver, &device, &spec, &plan.tiles);
    if (code != TIDE_CUDA_OK) {
        fprintf(stderr, "gpu_bench: %s\n", device.fault[0] ? device.fault : "no memory");
        status = TIDE_DEVICE;
    }
    driver->close(&device, code == TIDE_CUDA_LOST);
    tide_plan_free(&plan);
    tide_panel_free(&panel);
    if (status == TIDE_OK && s.cpu_series > 0)
        status = bench_backend(&s, &cpu, s.cpu_series, "whole fit");
    return (int)status;
}
