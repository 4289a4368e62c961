/* backend_cpu.c - the fit on the processors of this machine.
 *
 * The pool hands out ranges of tiles, long ones first and shorter ones towards the end of a batch, so that the
 * workers end together; each worker has a 64-byte aligned workspace of its own that
 * grows to the longest tile seen and is kept from call to call. The lane driver is chosen once: the widest
 * instruction set that this processor has, or the one asked for. All of them give the same bits.
 *
 * Memory: workers * workspace_bytes(spec, rows of the longest tile, tiles of a range). */
#include "host/backend.h"
#include "host/pool.h"

#include "kernels/forecast.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, FORECAST_CHUNK = 64, BATCH_SERIES_A_WORKER = 1024 };
/* Tiles of a range: many keep lanes busy, few keep workers busy at the end of a batch. Each range is the share of a
 * worker in half of what is left. Time a series against ranges of 32 tiles: 16 tiles 1.04, 8 tiles 1.07, 4 tiles 1.16, 1 tile 1.65. */
enum { RANGE_MAX = 32, RANGE_MIN = 4 };

typedef struct cpu_backend {
    const tide_lane_driver *lanes;
    tide_pool *pool;
    void **workspace; /* [workers] */
    size_t workspace_bytes;
    size_t *cut; /* [cuts + 1] first tile of each range, and the end */
    size_t cut_room;
} cpu_backend;

typedef struct isa {
    const tide_lane_driver *driver;
    int runs_here;
} isa;

/* Narrowest first. */
static int list_isas(isa list[4]) {
    int n = 0;
    list[n++] = (isa){&tide_lanes_scalar, 1};
    list[n++] = (isa){&tide_lanes_baseline, 1};
#if defined(__x86_64__)
    int avx2 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                 __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    list[n++] = (isa){&tide_lanes_avx2, avx2};
    list[n++] = (isa){&tide_lanes_avx512, avx512};
#endif
    return n;
}

static tide_status choose_isa(const char *name, const tide_lane_driver **out, tide_error *err) {
    isa list[4];
    int n = list_isas(list);
    if (!name || !*name) {
        for (int i = 0; i < n; ++i)
            if (list[i].runs_here)
                *out = list[i].driver;
        return TIDE_OK;
    }
    for (int i = 0; i < n; ++i) {
        if (strcmp(list[i].driver->name, name) != 0)
            continue;
        if (!list[i].runs_here)
            return tide_fail(err, TIDE_CONFIG, "isa: this processor has no %s", name);
        *out = list[i].driver;
        return TIDE_OK;
    }
    return tide_fail(err, TIDE_CONFIG, "isa: '%.40s' is none of scalar, baseline, avx2, avx512", name);
}

tide_forecast_spec tide_backend_forecast_spec(const tide_forecast_spec *spec, const tide_results *results) {
    tide_forecast_spec own = *spec;
    size_t n = results->n_series;
    int any = 0;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < results->n_members[i]; ++j)
            any |= results->family[j * n + i] == TIDE_FAMILY_ARIMA;
    own.no_arima = !any;
    return own;
}

int tide_backend_knows(const tide_fit_spec *spec) {
    uint32_t known = 0;
#define TIDE_FAMILY(NAME, number, text, title) known |= (number) > 0 ? 1u << (number) : 0u;
#include "kernels/families.def"
#undef TIDE_FAMILY
    return (spec->families & ~known) == 0;
}

static int supports(void *self, const tide_fit_spec *spec) {
    (void)self;
    return tide_backend_knows(spec);
}

static void free_workspaces(cpu_backend *b) {
    for (int w = 0; w < tide_pool_workers(b->pool); ++w) {
        free(b->workspace[w]);
        b->workspace[w] = NULL;
    }
    b->workspace_bytes = 0;
}

static tide_status grow_workspaces(cpu_backend *b, size_t bytes, tide_error *err) {
    if (bytes <= b->workspace_bytes)
        return TIDE_OK;
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    free_workspaces(b);
    for (int w = 0; w < tide_pool_workers(b->pool); ++w) {
        b->workspace[w] = aligned_alloc(ALIGNMENT, bytes);
        if (!b->workspace[w]) {
            free_workspaces(b);
            return tide_fail(err, TIDE_MEMORY, "no memory for the workspace of a thread (%zu bytes)", bytes);
        }
    }
    b->workspace_bytes = bytes;
    return TIDE_OK;
}

typedef struct fit_call {
    cpu_backend *b;
    const tide_fit_spec *spec;
    const tide_tiles *tiles;
    tide_results *results;
} fit_call;

static void fit_item(void *context, int worker, size_t item) {
    fit_call *c = context;
    size_t first = c->b->cut[item];
    c->b->lanes->fit_tiles(c->spec, c->tiles, first, c->b->cut[item + 1] - first, c->b->workspace[worker], c->results);
}

/* Cuts n_tiles into *cuts ranges, the longest first. */
static tide_status cut_ranges(cpu_backend *b, size_t n_tiles, size_t *cuts, tide_error *err) {
    size_t workers = (size_t)tide_pool_workers(b->pool), least = n_tiles / workers;
    least = least < 1 ? 1 : least > RANGE_MIN ? RANGE_MIN : least;
    size_t most = n_tiles / least + 2;
    if (most > b->cut_room) {
        size_t *room = realloc(b->cut, most * sizeof *room);
        if (!room)
            return tide_fail(err, TIDE_MEMORY, "no memory for %zu ranges of tiles", most);
        b->cut = room;
        b->cut_room = most;
    }
    size_t n = 0, at = 0;
    while (at < n_tiles) {
        size_t left = n_tiles - at, range = left / (2 * workers);
        range = range < least ? least : range > RANGE_MAX ? RANGE_MAX : range;
        if (workers == 1)
            range = RANGE_MAX;
        b->cut[n++] = at;
        at += range < left ? range : left;
    }
    b->cut[n] = n_tiles;
    *cuts = n;
    return TIDE_OK;
}

static tide_status fit(void *self, const tide_fit_spec *spec, const tide_tiles *tiles, tide_results *results,
                       tide_error *err) {
    cpu_backend *b = self;
    int32_t rows = 0;
    for (size_t i = 0; i < tiles->n_tiles; ++i)
        if (tiles->rows[i] > rows)
            rows = tiles->rows[i];
    size_t cuts = 0;
    if (tiles->n_tiles == 0)
        return TIDE_OK;
    TIDE_TRY(cut_ranges(b, tiles->n_tiles, &cuts, err));
    TIDE_TRY(grow_workspaces(b, b->lanes->workspace_bytes(spec, rows, b->cut[1]), err));
    fit_call c = {b, spec, tiles, results};
    tide_pool_run(b->pool, cuts, fit_item, &c);
    return TIDE_OK;
}

typedef struct forecast_call {
    cpu_backend *b;
    tide_forecast_job job;
} forecast_call;

static void forecast_item(void *context, int worker, size_t chunk) {
    const forecast_call *c = context;
    size_t n = c->job.results->n_series, first = chunk * FORECAST_CHUNK;
    size_t end = n - first < FORECAST_CHUNK ? n : first + FORECAST_CHUNK;
    c->b->lanes->forecast(&c->job, first, end, c->b->workspace[worker]);
}

static tide_status forecast(void *self, const tide_forecast_spec *spec, const tide_results *results,
                            const uint64_t *key, double *mean, double *lo, double *hi, tide_error *err) {
    cpu_backend *b = self;
    tide_forecast_spec own = tide_backend_forecast_spec(spec, results);
    size_t doubles = tide_forecast_workspace(&own, results->slots);
    TIDE_TRY(grow_workspaces(b, doubles * sizeof(double), err));
    forecast_call c = {b, {&own, results, key, mean, lo, hi}};
    tide_pool_run(b->pool, (results->n_series + FORECAST_CHUNK - 1) / FORECAST_CHUNK, forecast_item, &c);
    return TIDE_OK;
}

static const char *note(void *self) {
    (void)self;
    return "";
}

static void close_cpu(void *self) {
    cpu_backend *b = self;
    if (!b)
        return;
    if (b->workspace)
        free_workspaces(b);
    free(b->workspace);
    free(b->cut);
    tide_pool_free(b->pool);
    free(b);
}

tide_status tide_backend_open_cpu(const tide_backend_options *options, tide_backend *out, tide_error *err) {
    const tide_lane_driver *lanes = NULL;
    TIDE_TRY(choose_isa(options->isa, &lanes, err));
    if (options->jobs < 0 || options->jobs > 1 << 16)
        return tide_fail(err, TIDE_CONFIG, "jobs: %d is not a number of threads", options->jobs);
    int workers = options->jobs > 0 ? options->jobs : tide_processors();
    cpu_backend *b = calloc(1, sizeof *b);
    if (!b)
        return tide_fail(err, TIDE_MEMORY, "no memory for the CPU backend");
    b->lanes = lanes;
    tide_status status = tide_pool_create(workers, &b->pool, err);
    if (status == TIDE_OK) {
        b->workspace = calloc((size_t)workers, sizeof *b->workspace);
        if (!b->workspace)
            status = tide_fail(err, TIDE_MEMORY, "no memory for %d threads", workers);
    }
    if (status != TIDE_OK) {
        close_cpu(b);
        return status;
    }
    tide_backend made = {.self = b,
                         .supports = supports,
                         .fit = fit,
                         .forecast = forecast,
                         .close = close_cpu,
                         .note = note,
                         .batch_series = (size_t)workers * BATCH_SERIES_A_WORKER};
    snprintf(made.name, sizeof made.name, "cpu %s, %d thread%s", lanes->name, workers,
             workers == 1 ? "" : "s");
    *out = made;
    return TIDE_OK;
}
