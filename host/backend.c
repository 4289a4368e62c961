/* backend.c - which backend a run gets, and what happens when a GPU is missing or lost.
 *
 *   asked for   no usable device                         device lost, or too small, in the middle of a run
 *   cpu         -                                        -
 *   auto        CPU, with a note                         as fallback_to_cpu says
 *   cuda        fallback_to_cpu: CPU, with a note;       fallback_to_cpu: the whole batch again on the CPU,
 * and all else TIDE_DEVICE                         later ones, with a note; else TIDE_DEVICE
 *
 * A batch is never made of two halves of which one failed: after a failure all of it is computed anew, and
 * since the results are the same bits on both, nothing but the note tells. */
#include "host/backend.h"

#include "kernels/batch_cuda.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A CUDA backend that knows where to go when it is lost. */
typedef struct guarded {
    tide_backend cuda, cpu; /* self == NULL: not open */
    char isa[16];
    tide_backend_options options;
    char note[1024];
} guarded;

/* The backend that works now. */
static tide_backend *present(guarded *g) {
    return g->cpu.self ? &g->cpu : &g->cuda;
}

static int guarded_supports(void *self, const tide_fit_spec *spec) {
    tide_backend *b = present(self);
    return b->supports(b->self, spec);
}

/* After `status` of the CUDA backend: opens the CPU if that is a way out, else returns the status as it is.
 */
static tide_status fall_back(guarded *g, tide_status status, const tide_error *why, tide_error *err) {
    if (status != TIDE_DEVICE || !g->options.fallback_to_cpu) {
        if (err)
            *err = *why;
        return status;
    }
    TIDE_TRY(tide_backend_open_cpu(&g->options, &g->cpu, err));
    const char *before = g->cuda.note(g->cuda.self);
    snprintf(g->note, sizeof g->note, "%s%s%s: going on with %s", before, *before ? "; " : "", why->message,
             g->cpu.name);
    g->cuda.close(g->cuda.self);
    g->cuda.self = NULL;
    return TIDE_OK;
}

static tide_status guarded_fit(void *self, const tide_fit_spec *spec, const tide_tiles *tiles,
                               tide_results *results, tide_error *err) {
    guarded *g = self;
    if (!g->cpu.self) {
        tide_error why = {TIDE_OK, ""};
        tide_status status = g->cuda.fit(g->cuda.self, spec, tiles, results, &why);
        if (status == TIDE_OK)
            return TIDE_OK;
        TIDE_TRY(fall_back(g, status, &why, err));
    }
    return g->cpu.fit(g->cpu.self, spec, tiles, results, err);
}

static tide_status guarded_forecast(void *self, const tide_forecast_spec *spec, const tide_results *results,
                                    const uint64_t *key, double *mean, double *lo, double *hi,
                                    tide_error *err) {
    guarded *g = self;
    if (!g->cpu.self) {
        tide_error why = {TIDE_OK, ""};
        tide_status status = g->cuda.forecast(g->cuda.self, spec, results, key, mean, lo, hi, &why);
        if (status == TIDE_OK)
            return TIDE_OK;
        TIDE_TRY(fall_back(g, status, &why, err));
    }
    return g->cpu.forecast(g->cpu.self, spec, results, key, mean, lo, hi, err);
}

static const char *guarded_note(void *self) {
    guarded *g = self;
    return g->cpu.self ? g->note : g->cuda.note(g->cuda.self);
}

static void guarded_close(void *self) {
    guarded *g = self;
    if (!g)
        return;
    if (g->cuda.self)
        g->cuda.close(g->cuda.self);
    if (g->cpu.self)
        g->cpu.close(g->cpu.self);
    free(g);
}

static tide_status guard(const tide_backend_options *options, const tide_backend *cuda, tide_backend *out,
                         tide_error *err) {
    guarded *g = calloc(1, sizeof *g);
    if (!g)
        return tide_fail(err, TIDE_MEMORY, "no memory for the CUDA backend");
    g->cuda = *cuda;
    g->options = *options;
    if (options->isa)
        snprintf(g->isa, sizeof g->isa, "%s", options->isa);
    g->options.isa = options->isa ? g->isa : NULL; /* the caller's texts need not outlive the call */
    g->options.devices = NULL;
    tide_backend made = {.self = g,
                         .supports = guarded_supports,
                         .fit = guarded_fit,
                         .forecast = guarded_forecast,
                         .close = guarded_close,
                         .note = guarded_note,
                         .batch_series = cuda->batch_series,
                         .gpu = cuda->gpu};
    memcpy(made.name, cuda->name, sizeof made.name);
    *out = made;
    return TIDE_OK;
}

tide_status tide_backend_open_with(const tide_backend_options *options, const tide_device_driver *driver,
                                   tide_backend *out, char *notes, size_t notes_size, tide_error *err) {
    tide_backend made = {0};
    char line[1024] = "";
    if (options->kind == TIDE_BACKEND_CPU) {
        TIDE_TRY(tide_backend_open_cpu(options, &made, err));
    } else {
        tide_error why = {TIDE_OK, ""};
        tide_backend cuda = {0};
        tide_status status = tide_backend_open_cuda(options, driver, &cuda, &why);
        if (status == TIDE_OK) {
            status = guard(options, &cuda, &made, err);
            if (status != TIDE_OK) {
                cuda.close(cuda.self);
                return status;
            }
        } else if (status == TIDE_DEVICE &&
                   (options->kind == TIDE_BACKEND_AUTO || options->fallback_to_cpu)) {
            TIDE_TRY(tide_backend_open_cpu(options, &made, err));
            snprintf(line, sizeof line, "%s: using %s", why.message, made.name);
        } else {
            if (err)
                *err = why;
            return status;
        }
    }
    if (notes && notes_size > 0)
        snprintf(notes, notes_size, "%s", line);
    *out = made;
    return TIDE_OK;
}

tide_status tide_backend_open(const tide_backend_options *options, tide_backend *out, char *notes,
                              size_t notes_size, tide_error *err) {
    return tide_backend_open_with(options, tide_cuda_driver(), out, notes, notes_size, err);
}

void tide_backend_linalg(const tide_backend *backend, tide_linalg *out, char *why, size_t why_size) {
    char line[120] = "";
    if (!backend->gpu || !tide_linalg_cublas(backend->gpu - 1, out, line, sizeof line))
        tide_linalg_cpu(out);
    if (why && why_size)
        snprintf(why, why_size, "%s", line);
}
