/* backend_cuda.c - the fit on GPUs: who does which part of a batch, and what happens when memory or a device
 * fails.
 *
 * Knows no CUDA: it drives a table of asynchronous steps (kernels/batch_cuda.h), so all of it is tested
 * without a GPU.
 *
 * A call cuts its work into runs of tiles (of series, for a forecast), longest first, and lays them on one
 * stack that all devices take from; a fast device simply takes more. Each device has a host thread and two
 * slots:
 *
 *     slot 0   stage  upload kernels download           collect  stage ...
 *     slot 1                  stage  upload kernels download             collect ...
 *
 * Results land in place by series number, so it does not matter who computed what, nor in which order.
 *
 * Memory: a slot may take half of what the device had free when it was opened, less a tenth. When an
 * allocation fails all the same, the run is halved, both halves go back onto the stack, and the device takes
 * no larger one from then on. A single tile that does not fit with the other slot's memory given back is left
 * to the other devices. A lost device is closed and its unfinished runs go back. What nobody can take ends
 * the call with TIDE_DEVICE: the caller's results are then to be thrown away (host/backend.c computes them
 * anew on the CPU, or stops). */
#include "host/backend.h"
#include "host/pool.h"

#include "kernels/device_plan.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICES_MAX = 64, BUSY_THREADS_PER_SM = 1024 };

typedef struct gpu {
    tide_device device;
    int alive;
    size_t slot_bytes; /* most device memory that a run may need; shrinks when an allocation fails */
    unsigned halved;   /* how often that happened */
} gpu;

typedef struct cuda_backend {
    const tide_device_driver *driver;
    gpu *gpu; /* [n] */
    int n;
    size_t bytes_max; /* of a device's slots together; 0 = what there is */
    tide_pool *pool;  /* a thread a device */
    char lost[512];   /* devices lost so far, and why */
    char note[768];
} cuda_backend;

/* ---- the work of one call, whatever it is ---- */

typedef struct call call;
typedef struct work {
    /* Device bytes, and host bytes in *host, that a run needs. */
    size_t (*need)(const call *c, tide_device_range run, size_t *host);
    /* How many items from `first` on, at most `most`, fit `bytes`; at least 1. */
    size_t (*cut)(const call *c, size_t first, size_t most, size_t bytes);
    tide_cuda_code (*submit)(call *c, gpu *g, int slot, tide_device_range run);
    void (*collect)(call *c, gpu *g, int slot, tide_device_range run);
} work;

struct call {
    cuda_backend *b;
    const work *work;
    /* fit */
    const tide_fit_spec *spec;
    const tide_tiles *tiles;
    tide_results *results;
    /* forecast */
    const tide_forecast_spec *forecast;
    const tide_results *models;
    const uint64_t *key;
    double *mean, *lo, *hi;
    /* the stack; all below is under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    tide_device_range *todo; /* [items]: runs are disjoint and not empty, so there are never more */
    size_t n_todo;
    size_t in_flight;     /* runs taken and not finished or given back */
    tide_cuda_code fault; /* last reason why a device left the call */
    char why[384];
};

/* Takes a run. With `wait`, as long as another device may still give one back. Returns 0 when there is none.
 */
static int take(call *c, int wait, tide_device_range *run) {
    pthread_mutex_lock(&c->lock);
    while (wait && c->n_todo == 0 && c->in_flight > 0)
        pthread_cond_wait(&c->changed, &c->lock);
    int got = c->n_todo > 0;
    if (got) {
        *run = c->todo[--c->n_todo];
        ++c->in_flight;
    }
    pthread_mutex_unlock(&c->lock);
    return got;
}

/* A taken run is done, or goes back whole (b = NULL) or in two parts. */
static void leave(call *c, const tide_device_range *a, const tide_device_range *b) {
    pthread_mutex_lock(&c->lock);
    if (b)
        c->todo[c->n_todo++] = *b;
    if (a)
        c->todo[c->n_todo++] = *a;
    --c->in_flight;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* Cuts a taken run to what the device can hold; the rest goes onto the stack. */
static void trim(call *c, const gpu *g, tide_device_range *run) {
    size_t fits = c->work->cut(c, run->first, run->count, g->slot_bytes);
    if (fits >= run->count)
        return;
    tide_device_range rest = {run->first + fits, run->count - fits};
    run->count = fits;
    pthread_mutex_lock(&c->lock);
    c->todo[c->n_todo++] = rest;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

typedef struct slots {
    int busy[TIDE_DEVICE_SLOTS];
    tide_device_range run[TIDE_DEVICE_SLOTS];
} slots;

static tide_cuda_code reserve(call *c, gpu *g, int slot, size_t host, size_t device) {
    size_t held = 0;
    for (int s = 0; s < TIDE_DEVICE_SLOTS; ++s)
        if (s != slot)
            held += g->device.slot[s].device_bytes;
    if (c->b->bytes_max > 0 && held + device > c->b->bytes_max) {
        snprintf(g->device.fault, sizeof g->device.fault,
                 "%zu bytes of device memory are over the limit of %zu", held + device, c->b->bytes_max);
        return TIDE_CUDA_MEMORY;
    }
    return c->b->driver->reserve(&g->device, slot, host, device);
}

/* Waits for a slot, and moves its results into place. */
static tide_cuda_code drain(call *c, gpu *g, slots *s, int slot) {
    tide_cuda_code code = c->b->driver->wait(&g->device, slot);
    if (code != TIDE_CUDA_OK)
        return code;
    c->work->collect(c, g, slot, s->run[slot]);
    s->busy[slot] = 0;
    leave(c, NULL, NULL);
    return TIDE_CUDA_OK;
}

/* Starts a run in a free slot. A failure leaves nothing of it under way unless the device is lost. */
static tide_cuda_code start(call *c, gpu *g, slots *s, int slot) {
    size_t host = 0, device = c->work->need(c, s->run[slot], &host);
    tide_cuda_code code = reserve(c, g, slot, host, device);
    if (code == TIDE_CUDA_OK)
        code = c->work->submit(c, g, slot, s->run[slot]);
    if (code == TIDE_CUDA_MEMORY) {
        tide_cuda_code rest = c->b->driver->wait(&g->device, slot);
        if (rest == TIDE_CUDA_LOST)
            code = rest;
    }
    return code;
}

/* After TIDE_CUDA_MEMORY for the run in `slot`. Returns OK when the call can go on (the run is started or
 * given back), MEMORY when this device cannot do it, or another failure. */
static tide_cuda_code make_room(call *c, gpu *g, slots *s, int slot) {
    tide_device_range whole = s->run[slot];
    if (whole.count > 1) {
        tide_device_range a, b;
        size_t host, needed = c->work->need(c, whole, &host);
        tide_device_halve(whole, &a, &b);
        if (g->slot_bytes > needed / 2)
            g->slot_bytes = needed / 2;
        ++g->halved;
        s->busy[slot] = 0;
        leave(c, &a, &b);
        return TIDE_CUDA_OK;
    }
    for (int other = 0; other < TIDE_DEVICE_SLOTS; ++other) {
        if (other == slot)
            continue;
        if (s->busy[other]) {
            tide_cuda_code code = drain(c, g, s, other);
            if (code != TIDE_CUDA_OK)
                return code;
        }
        c->b->driver->reserve(&g->device, other, 0, 0);
    }
    return start(c, g, s, slot);
}

/* The device leaves the call: its runs go back to the stack. */
static void give_up(call *c, gpu *g, slots *s, tide_cuda_code code) {
    int lost = code != TIDE_CUDA_MEMORY;
    char line[352];
    snprintf(line, sizeof line, "device %d (%s) %s: %s", g->device.index, g->device.name,
             lost ? "was lost" : "has too little memory", g->device.fault);
    if (lost) {
        c->b->driver->close(&g->device, 1);
        g->alive = 0;
    } else {
        for (int slot = 0; slot < TIDE_DEVICE_SLOTS; ++slot)
            if (s->busy[slot])
                c->b->driver->wait(&g->device, slot);
    }
    pthread_mutex_lock(&c->lock);
    c->fault = code;
    snprintf(c->why, sizeof c->why, "%s", line);
    if (lost) {
        size_t used = strlen(c->b->lost);
        snprintf(c->b->lost + used, sizeof c->b->lost - used, "%s%s", used ? "; " : "", line);
    }
    pthread_mutex_unlock(&c->lock);
    for (int slot = 0; slot < TIDE_DEVICE_SLOTS; ++slot)
        if (s->busy[slot])
            leave(c, &s->run[slot], NULL);
}

/* One device's share of a call. */
static void device_main(void *context, int worker, size_t item) {
    (void)worker;
    call *c = context;
    gpu *g = &c->b->gpu[item];
    if (!g->alive)
        return;
    slots s = {0};
    int next = 0;
    for (;;) {
        tide_cuda_code code = TIDE_CUDA_OK;
        int other = (next + 1) % TIDE_DEVICE_SLOTS;
        if (s.busy[next]) {
            code = drain(c, g, &s, next);
        } else if (take(c, !s.busy[other], &s.run[next])) {
            trim(c, g, &s.run[next]);
            s.busy[next] = 1;
            code = start(c, g, &s, next);
            if (code == TIDE_CUDA_MEMORY)
                code = make_room(c, g, &s, next);
            next = other;
        } else if (s.busy[other]) {
            code = drain(c, g, &s, other);
        } else {
            return;
        }
        if (code != TIDE_CUDA_OK) {
            give_up(c, g, &s, code);
            return;
        }
    }
}

static int alive(const cuda_backend *b) {
    int n = 0;
    for (int i = 0; i < b->n; ++i)
        n += b->gpu[i].alive;
    return n;
}

/* Smallest device: runs are first cut so that each can take any. */
static void smallest(const cuda_backend *b, size_t *bytes, int *multiprocessors) {
    *bytes = SIZE_MAX;
    *multiprocessors = 0;
    for (int i = 0; i < b->n; ++i) {
        if (!b->gpu[i].alive)
            continue;
        if (b->gpu[i].slot_bytes < *bytes)
            *bytes = b->gpu[i].slot_bytes;
        int sm = b->gpu[i].device.multiprocessors;
        if (*multiprocessors == 0 || sm < *multiprocessors)
            *multiprocessors = sm;
    }
}

/* Does items 0 .. items-1 in runs of at most `most`. */
static tide_status run_call(call *c, size_t items, size_t most, size_t bytes, tide_error *err) {
    cuda_backend *b = c->b;
    if (items == 0)
        return TIDE_OK;
    c->todo = calloc(items, sizeof *c->todo);
    if (!c->todo)
        return tide_fail(err, TIDE_MEMORY, "no memory for the work list");
    for (size_t first = 0; first < items;) {
        size_t left = items - first, count = c->work->cut(c, first, left < most ? left : most, bytes);
        c->todo[c->n_todo++] = (tide_device_range){first, count};
        first += count;
    }
    for (size_t i = 0; i < c->n_todo / 2; ++i) { /* a stack: the longest series come off first */
        tide_device_range swap = c->todo[i];
        c->todo[i] = c->todo[c->n_todo - 1 - i];
        c->todo[c->n_todo - 1 - i] = swap;
    }
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    tide_pool_run(b->pool, (size_t)b->n, device_main, c);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    int done = c->n_todo == 0;
    free(c->todo);
    return done ? TIDE_OK : tide_fail(err, TIDE_DEVICE, "%s", c->why);
}

/* ---- fit ---- */

static tide_device_layout fit_layout(const call *c, tide_device_range run) {
    return tide_device_layout_of(c->spec, c->tiles, run, c->b->driver->workspace);
}

static size_t fit_need(const call *c, tide_device_range run, size_t *host) {
    tide_device_layout l = fit_layout(c, run);
    *host = l.host_bytes;
    return l.device_bytes;
}

static size_t fit_cut(const call *c, size_t first, size_t most, size_t bytes) {
    return tide_device_cut(c->spec, c->tiles, first, most, bytes, c->b->driver->workspace);
}

static tide_cuda_code fit_submit(call *c, gpu *g, int slot, tide_device_range run) {
    const tide_device_driver *d = c->b->driver;
    tide_device_layout l = fit_layout(c, run);
    tide_device_stage(c->tiles, run, &l, g->device.slot[slot].host);
    tide_device_fit job = tide_device_fit_of(c->spec, run, &l, g->device.slot[slot].device);
    tide_cuda_code code = d->upload(&g->device, slot, 0, l.input_bytes);
    if (code == TIDE_CUDA_OK)
        code = d->fit(&g->device, slot, &job);
    if (code == TIDE_CUDA_OK)
        code = d->download(&g->device, slot, l.results_at, l.results_bytes);
    return code;
}

static void fit_collect(call *c, gpu *g, int slot, tide_device_range run) {
    tide_device_layout l = fit_layout(c, run);
    tide_results part =
        tide_device_results_like(c->results, l.lanes, g->device.slot[slot].host + l.results_at);
    tide_device_scatter(c->tiles, run, &part, c->results);
}

static tide_status fit(void *self, const tide_fit_spec *spec, const tide_tiles *tiles, tide_results *results,
                       tide_error *err) {
    static const work fit_work = {fit_need, fit_cut, fit_submit, fit_collect};
    cuda_backend *b = self;
    if (alive(b) == 0)
        return tide_fail(err, TIDE_DEVICE, "no CUDA device is left: %s", b->lost);
    size_t bytes;
    int sm;
    smallest(b, &bytes, &sm);
    call c = {.b = b, .work = &fit_work, .spec = spec, .tiles = tiles, .results = results};
    return run_call(&c, tiles->n_tiles, tide_device_tiles_max(tiles->n_tiles, alive(b), sm), bytes, err);
}

/* ---- forecast ---- */

static tide_forecast_layout forecast_layout(const call *c, size_t n) {
    return tide_forecast_layout_of(c->forecast, c->models, n, c->b->driver->forecast_workspace);
}

static size_t forecast_need(const call *c, tide_device_range run, size_t *host) {
    tide_forecast_layout l = forecast_layout(c, run.count);
    *host = l.host_bytes;
    return l.device_bytes;
}

static size_t forecast_cut(const call *c, size_t first, size_t most, size_t bytes) {
    (void)first;
    return tide_forecast_cut(c->forecast, c->models, most, bytes, c->b->driver->forecast_workspace);
}

static tide_cuda_code forecast_submit(call *c, gpu *g, int slot, tide_device_range run) {
    const tide_device_driver *d = c->b->driver;
    tide_forecast_layout l = forecast_layout(c, run.count);
    tide_forecast_stage(c->models, c->key, run.first, run.count, &l, g->device.slot[slot].host);
    tide_device_forecast job =
        tide_device_forecast_of(c->forecast, c->models, run.count, &l, g->device.slot[slot].device);
    tide_cuda_code code = d->upload(&g->device, slot, 0, l.input_bytes);
    if (code == TIDE_CUDA_OK)
        code = d->forecast(&g->device, slot, &job);
    if (code == TIDE_CUDA_OK)
        code = d->download(&g->device, slot, l.mean_at, l.output_bytes);
    return code;
}

static void forecast_collect(call *c, gpu *g, int slot, tide_device_range run) {
    tide_forecast_layout l = forecast_layout(c, run.count);
    const unsigned char *host = g->device.slot[slot].host;
    size_t h = (size_t)c->forecast->horizon, levels = (size_t)c->forecast->n_levels,
           all = c->models->n_series;
    tide_forecast_scatter((const double *)(const void *)(host + l.mean_at), h, run.first, run.count, all,
                          c->mean);
    if (levels == 0)
        return;
    tide_forecast_scatter((const double *)(const void *)(host + l.lo_at), h * levels, run.first, run.count,
                          all, c->lo);
    tide_forecast_scatter((const double *)(const void *)(host + l.hi_at), h * levels, run.first, run.count,
                          all, c->hi);
}

static tide_status forecast(void *self, const tide_forecast_spec *spec, const tide_results *results,
                            const uint64_t *key, double *mean, double *lo, double *hi, tide_error *err) {
    static const work forecast_work = {forecast_need, forecast_cut, forecast_submit, forecast_collect};
    cuda_backend *b = self;
    if (alive(b) == 0)
        return tide_fail(err, TIDE_DEVICE, "no CUDA device is left: %s", b->lost);
    size_t bytes;
    int sm;
    smallest(b, &bytes, &sm);
    size_t tiles = (results->n_series + TIDE_TILE_WIDTH - 1) / TIDE_TILE_WIDTH;
    size_t most = tide_device_tiles_max(tiles, alive(b), sm) * TIDE_TILE_WIDTH;
    tide_forecast_spec own = tide_backend_forecast_spec(spec, results);
    call c = {.b = b,
              .work = &forecast_work,
              .forecast = &own,
              .models = results,
              .key = key,
              .mean = mean,
              .lo = lo,
              .hi = hi};
    return run_call(&c, results->n_series, most, bytes, err);
}

/* ---- opening and closing ---- */

static int supports(void *self, const tide_fit_spec *spec) {
    (void)self;
    return tide_backend_knows(spec);
}

static const char *note(void *self) {
    cuda_backend *b = self;
    unsigned halved = 0;
    for (int i = 0; i < b->n; ++i)
        halved += b->gpu[i].halved;
    b->note[0] = '\0';
    if (halved > 0)
        snprintf(b->note, sizeof b->note, "device memory was short: %u batch%s halved", halved,
                 halved == 1 ? "" : "es");
    size_t used = strlen(b->note);
    if (b->lost[0])
        snprintf(b->note + used, sizeof b->note - used, "%s%s", used ? "; " : "", b->lost);
    return b->note;
}

static void close_cuda(void *self) {
    cuda_backend *b = self;
    if (!b)
        return;
    for (int i = 0; i < b->n; ++i)
        if (b->gpu[i].alive)
            b->driver->close(&b->gpu[i].device, 0);
    tide_pool_free(b->pool);
    free(b->gpu);
    free(b);
}

/* "0,2" -> list; NULL or "" -> all of `present`. Returns how many, 0 after an error. */
static int parse_devices(const char *text, int present, int list[DEVICES_MAX], tide_status *status,
                         tide_error *err) {
    int n = 0;
    if (!text || !*text) {
        for (; n < present && n < DEVICES_MAX; ++n)
            list[n] = n;
        return n;
    }
    for (const char *p = text;;) {
        char *end;
        errno = 0;
        long value = *p >= '0' && *p <= '9' ? strtol(p, &end, 10) : -1;
        int good =
            value >= 0 && value < 1 << 16 && errno == 0 && (*end == ',' || *end == '\0') && n < DEVICES_MAX;
        for (int i = 0; good && i < n; ++i)
            good = list[i] != value;
        if (!good) {
            *status = tide_fail(err, TIDE_CONFIG,
                                "devices: '%.60s' is not a list of different numbers such as 0,1", text);
            return 0;
        }
        if (value >= present) {
            *status = tide_fail(err, TIDE_DEVICE, "CUDA device %ld was asked for, but the last one is %d",
                                value, present - 1);
            return 0;
        }
        list[n++] = (int)value;
        if (*end == '\0')
            return n;
        p = end + 1;
    }
}

/* Opens the listed devices. When all were asked for (`text` empty), those that fail are left out, unless all
 * do. */
static tide_status open_devices(cuda_backend *b, const int *list, int n, int all, tide_error *err) {
    for (int i = 0; i < n; ++i) {
        gpu *g = &b->gpu[b->n];
        memset(g, 0, sizeof *g);
        tide_cuda_code code = b->driver->open(list[i], &g->device);
        if (code == TIDE_CUDA_OK) {
            g->alive = 1;
            g->slot_bytes = g->device.free_bytes / 10 * 9 / TIDE_DEVICE_SLOTS;
            ++b->n;
            continue;
        }
        size_t used = strlen(b->lost);
        snprintf(b->lost + used, sizeof b->lost - used, "%sCUDA device %d cannot be used: %s",
                 used ? "; " : "", list[i], g->device.fault);
        b->driver->close(&g->device, code == TIDE_CUDA_LOST);
        if (!all)
            break;
    }
    if (b->n == n || (all && b->n > 0))
        return TIDE_OK;
    return tide_fail(err, TIDE_DEVICE, "%s", b->lost);
}

static void name_backend(const cuda_backend *b, char *out, size_t size) {
    int alike = 1;
    for (int i = 1; i < b->n; ++i)
        alike &= strcmp(b->gpu[i].device.name, b->gpu[0].device.name) == 0;
    if (alike)
        snprintf(out, size, "cuda %s x%d", b->gpu[0].device.name, b->n);
    else
        snprintf(out, size, "cuda %s and %d more", b->gpu[0].device.name, b->n - 1);
}

tide_status tide_backend_open_cuda(const tide_backend_options *options, const tide_device_driver *driver,
                                   tide_backend *out, tide_error *err) {
    if (!driver)
        return tide_fail(err, TIDE_DEVICE, "this build has no CUDA backend");
    int present = 0, list[DEVICES_MAX];
    char why[256] = "";
    tide_status status = TIDE_OK;
    if (driver->count(&present, why, sizeof why) != TIDE_CUDA_OK || present < 1)
        return tide_fail(err, TIDE_DEVICE, "no CUDA device: %s", why[0] ? why : "none is present");
    int n = parse_devices(options->devices, present, list, &status, err);
    if (n == 0)
        return status;

    cuda_backend *b = calloc(1, sizeof *b);
    if (!b)
        return tide_fail(err, TIDE_MEMORY, "no memory for the CUDA backend");
    b->driver = driver;
    b->bytes_max = options->device_bytes_max;
    b->gpu = calloc((size_t)n, sizeof *b->gpu);
    status = b->gpu ? open_devices(b, list, n, !options->devices || !*options->devices, err)
                    : tide_fail(err, TIDE_MEMORY, "no memory for %d devices", n);
    if (status == TIDE_OK)
        status = tide_pool_create(b->n, &b->pool, err);
    if (status != TIDE_OK) {
        close_cuda(b);
        return status;
    }
    size_t busy = 0;
    for (int i = 0; i < b->n; ++i)
        busy += (size_t)b->gpu[i].device.multiprocessors * BUSY_THREADS_PER_SM;
    tide_backend made = {.self = b,
                         .supports = supports,
                         .fit = fit,
                         .forecast = forecast,
                         .close = close_cuda,
                         .note = note,
                         .batch_series = busy,
                         .gpu = 1 + list[0]};
    name_backend(b, made.name, sizeof made.name);
    *out = made;
    return TIDE_OK;
}
