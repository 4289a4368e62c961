/* device_emulated.c - see device_emulated.h. Compiles the numerical source in the form that CUDA threads run.
 */
#define TIDE_DEVICE_FORM 1
#define TIDE_LANES 1
#include "tests/device_emulated.h"

#include "kernels/device_body.h"
#include "kernels/device_plan.h"
#include <stdio.h>
#include <stdlib.h>

static emulated_machine *machine;

enum { STEPS_MAX = 8 };
typedef enum step_kind { STEP_UPLOAD, STEP_DOWNLOAD, STEP_FIT, STEP_FORECAST } step_kind;
typedef struct step {
    step_kind kind;
    size_t at, bytes;
    tide_device_fit fit;
    tide_device_forecast forecast;
} step;

/* What a real stream holds. */
typedef struct stream {
    step step[STEPS_MAX];
    int n;
} stream;

static emulated_device *of(const tide_device *d) {
    return &machine->device[d->index];
}

static void fit_begin(const tide_device_fit *f, size_t g) {
    tide_device_begin(f, g);
}

static void fit_end(const tide_device_fit *f, size_t g) {
    tide_device_end(f, g);
}

static void fit_candidate(const tide_device_fit *f, size_t g, int id) {
    switch (id) {
#define TIDE_ETS_FORM(name, e, t, s)                                                                         \
    case TIDE_ETS_##name:                                                                                    \
        tide_device_candidate(f, g, TIDE_ETS_##name);                                                        \
        break;
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
    case TIDE_ETS_FORMS + 0:
        tide_device_candidate(f, g, TIDE_ETS_FORMS + 0);
        break;
    case TIDE_ETS_FORMS + 1:
        tide_device_candidate(f, g, TIDE_ETS_FORMS + 1);
        break;
    case TIDE_ETS_FORMS + 2:
        tide_device_candidate(f, g, TIDE_ETS_FORMS + 2);
        break;
    case TIDE_ETS_FORMS + 3:
        tide_device_candidate(f, g, TIDE_ETS_FORMS + 3);
        break;
    default:
        abort();
    }
}

static void fit_arima(const tide_device_fit *f, size_t g, int at) {
    tide_device_arima(f, g, at);
}

/* id: a candidate, or -1 for begin, -2 for end, or ARIMA + an order of its list. The last block has threads past the end, as on a GPU. */
enum { ARIMA = 1000 };
static void launch(const tide_device_fit *f, int block, int id) {
    size_t blocks = tide_device_blocks(f->threads, block);
    for (size_t b = 0; b < blocks; ++b)
        for (int t = 0; t < block; ++t) {
            size_t g = b * (size_t)block + (size_t)t;
            if (g >= f->threads)
                continue;
            if (id == -1)
                fit_begin(f, g);
            if (id == -2)
                fit_end(f, g);
            if (id >= ARIMA + TIDE_DEVICE_ARIMA_BEGIN)
                fit_arima(f, g, id - ARIMA);
            else if (id >= 0)
                fit_candidate(f, g, id);
        }
}

void emulated_fit(const tide_device_fit *f, int block) {
    launch(f, block, -1);
    for (int turn = 0; turn < TIDE_CANDIDATES; ++turn)
        if (tide_device_wants(&f->spec, tide_fit_turn(turn)))
            launch(f, block, tide_fit_turn(turn));
    for (int at = TIDE_DEVICE_ARIMA_BEGIN; at < tide_device_orders(&f->spec); ++at)
        if (tide_device_orders(&f->spec) > 0)
            launch(f, block, ARIMA + at);
    launch(f, block, -2);
}

static void run_forecast(const tide_device_forecast *f) {
    for (size_t g = 0; g < f->n; ++g)
        tide_device_forecast_one(f, g);
}

/* ---- the table ---- */

static size_t workspace(const tide_fit_spec *spec, int32_t rows) {
    return tide_device_workspace(spec, rows);
}

static size_t forecast_workspace(const tide_forecast_spec *spec, int n_members) {
    return tide_forecast_workspace(spec, n_members);
}

static tide_cuda_code count(int *n, char *why, size_t why_size) {
    *n = machine->devices;
    if (machine->devices > 0)
        return TIDE_CUDA_OK;
    snprintf(why, why_size, "emulated machine without devices");
    return TIDE_CUDA_ABSENT;
}

static tide_cuda_code open_device(int index, tide_device *d) {
    emulated_device *e = &machine->device[index];
    d->index = index;
    snprintf(d->name, sizeof d->name, "Emulated");
    if (e->refuses) {
        snprintf(d->fault, sizeof d->fault, "emulated driver is too old");
        return TIDE_CUDA_DRIVER;
    }
    for (int s = 0; s < TIDE_DEVICE_SLOTS; ++s)
        d->slot[s].stream = calloc(1, sizeof(stream));
    d->multiprocessors = e->multiprocessors;
    d->free_bytes = d->total_bytes = e->free_bytes;
    ++e->opened;
    return TIDE_CUDA_OK;
}

static void release(tide_device *d, int slot) {
    of(d)->held_bytes -= d->slot[slot].device_bytes;
    free(d->slot[slot].host);
    free(d->slot[slot].device);
    d->slot[slot].host = d->slot[slot].device = NULL;
    d->slot[slot].host_bytes = d->slot[slot].device_bytes = 0;
}

static tide_cuda_code reserve(tide_device *d, int slot, size_t host_bytes, size_t device_bytes) {
    emulated_device *e = of(d);
    if (((stream *)d->slot[slot].stream)->n != 0)
        abort(); /* memory moved under work in flight */
    if (host_bytes == 0 && device_bytes == 0) {
        release(d, slot);
        return TIDE_CUDA_OK;
    }
    if (host_bytes <= d->slot[slot].host_bytes && device_bytes <= d->slot[slot].device_bytes)
        return TIDE_CUDA_OK;
    release(d, slot);
    if (e->held_bytes + device_bytes > e->memory_bytes) {
        ++e->refused_reserves;
        snprintf(d->fault, sizeof d->fault, "emulated memory is full");
        return TIDE_CUDA_MEMORY;
    }
    d->slot[slot].host = malloc(host_bytes);
    d->slot[slot].device = malloc(device_bytes);
    if (!d->slot[slot].host || !d->slot[slot].device)
        abort();
    d->slot[slot].host_bytes = host_bytes;
    d->slot[slot].device_bytes = device_bytes;
    e->held_bytes += device_bytes;
    if (e->held_bytes > e->most_bytes)
        e->most_bytes = e->held_bytes;
    return TIDE_CUDA_OK;
}

static step *push(tide_device *d, int slot, step_kind kind) {
    stream *s = d->slot[slot].stream;
    if (s->n == STEPS_MAX)
        abort();
    step *p = &s->step[s->n++];
    memset(p, 0, sizeof *p);
    p->kind = kind;
    return p;
}

static tide_cuda_code upload(tide_device *d, int slot, size_t at, size_t bytes) {
    if (at + bytes > d->slot[slot].host_bytes || at + bytes > d->slot[slot].device_bytes)
        abort();
    step *p = push(d, slot, STEP_UPLOAD);
    p->at = at;
    p->bytes = bytes;
    return TIDE_CUDA_OK;
}

static tide_cuda_code download(tide_device *d, int slot, size_t at, size_t bytes) {
    if (at + bytes > d->slot[slot].host_bytes || at + bytes > d->slot[slot].device_bytes)
        abort();
    step *p = push(d, slot, STEP_DOWNLOAD);
    p->at = at;
    p->bytes = bytes;
    return TIDE_CUDA_OK;
}

static tide_cuda_code fit(tide_device *d, int slot, const tide_device_fit *f) {
    push(d, slot, STEP_FIT)->fit = *f;
    return TIDE_CUDA_OK;
}

static tide_cuda_code forecast(tide_device *d, int slot, const tide_device_forecast *f) {
    push(d, slot, STEP_FORECAST)->forecast = *f;
    return TIDE_CUDA_OK;
}

static void run_step(tide_device *d, int slot, const step *p) {
    unsigned char *host = d->slot[slot].host, *device = d->slot[slot].device,
                  *end = device + d->slot[slot].device_bytes;
    emulated_device *e = of(d);
    switch (p->kind) {
    case STEP_UPLOAD: /* what is not uploaded holds garbage: a quiet NaN, large counts, unknown families */
        memset(device, 0xff, d->slot[slot].device_bytes);
        memcpy(device + p->at, host + p->at, p->bytes);
        break;
    case STEP_DOWNLOAD:
        memcpy(host + p->at, device + p->at, p->bytes);
        break;
    case STEP_FIT:
        if ((unsigned char *)(p->fit.workspace + p->fit.threads * workspace(&p->fit.spec, 0)) > end)
            abort();
        emulated_fit(&p->fit, tide_device_block(p->fit.threads, d->multiprocessors));
        ++e->fits;
        e->series += p->fit.threads;
        break;
    case STEP_FORECAST:
        run_forecast(&p->forecast);
        ++e->forecasts;
        break;
    }
}

static tide_cuda_code wait(tide_device *d, int slot) {
    emulated_device *e = of(d);
    stream *s = d->slot[slot].stream;
    if (++e->waits >= e->lost_at_wait && e->lost_at_wait > 0) {
        s->n = 0;
        snprintf(d->fault, sizeof d->fault, "emulated ECC error");
        return TIDE_CUDA_LOST;
    }
    for (int i = 0; i < s->n; ++i)
        run_step(d, slot, &s->step[i]);
    s->n = 0;
    return TIDE_CUDA_OK;
}

static void close_device(tide_device *d, int lost) {
    for (int s = 0; s < TIDE_DEVICE_SLOTS; ++s) {
        release(d, s);
        free(d->slot[s].stream);
        d->slot[s].stream = NULL;
    }
    ++of(d)->closed;
    of(d)->reset += lost;
}

const tide_device_driver *emulated_driver(emulated_machine *m) {
    static const tide_device_driver driver = {
        workspace, forecast_workspace, count,    open_device, reserve,     upload,
        fit,       forecast,           download, wait,        close_device};
    machine = m;
    return &driver;
}
