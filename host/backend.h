/* backend.h - where the numbers are computed: the CPU always, CUDA if it is in the build and a device is there.
 *
 * One table of functions a backend, so that both are in one binary and are compared bit for bit. Which instruction set
 * or device does the work never changes a result. */
#ifndef TIDE_BACKEND_H
#define TIDE_BACKEND_H

#include "host/error.h"
#include "kernels/batch.h"
#include "kernels/linalg.h"

typedef struct tide_backend {
    void *self;
    char name[128]; /* "cpu avx512, 2 threads", "cuda NVIDIA H200 x1" */
    /* 1 when every family of the spec can be fitted here. */
    int (*supports)(void *self, const tide_fit_spec *spec);
    /* Fits all tiles. Results are mapped by the caller for tiles' series. Blocks until done; one call at a time. */
    tide_status (*fit)(void *self, const tide_fit_spec *spec, const tide_tiles *tiles, tide_results *results,
                       tide_error *err);
    /* Forecasts all series of results: mean[h*n + i]; lo and hi[(level*horizon + h)*n + i]; TIDE_NAN for a series
     * without a model. key[n]: a hash of the series' id, the stream of its random numbers. lo, hi, key may be NULL
     * when n_levels == 0. */
    tide_status (*forecast)(void *self, const tide_forecast_spec *spec, const tide_results *results,
                            const uint64_t *key, double *mean, double *lo, double *hi, tide_error *err);
    void (*close)(void *self);
    /* Series a fit should have at least to keep this backend busy; a smaller batch is only slower. */
    size_t batch_series;
    int gpu; /* 1 + number of its first GPU; 0: it has none */
    /* One line on what went other than asked since it was opened (a lost device, halved batches), "" if nothing.
     * Valid until the next call. */
    const char *(*note)(void *self);
} tide_backend;

typedef enum tide_backend_kind { TIDE_BACKEND_AUTO = 0, TIDE_BACKEND_CPU, TIDE_BACKEND_CUDA } tide_backend_kind;

typedef struct tide_backend_options {
    tide_backend_kind kind;
    int jobs;               /* CPU threads; 0 = all processors this process may use */
    const char *isa;        /* "scalar", "baseline", "avx2", "avx512"; NULL = widest that runs here */
    const char *devices;    /* "0", "0,1", NULL = all */
    int fallback_to_cpu;    /* a lost or missing GPU: 1 goes on with the CPU (and says so), 0 stops with TIDE_DEVICE */
    size_t device_bytes_max; /* 0 = what the device has; smaller to test the halving of batches */
} tide_backend_options;

/* notes: a line about what was chosen and why ("no CUDA device: using the CPU"); may be NULL. */
tide_status tide_backend_open(const tide_backend_options *options, tide_backend *out, char *notes, size_t notes_size,
                              tide_error *err);

/* The parts that tide_backend_open chooses from. The CUDA one has no fallback: without a usable device, or when the
 * last one is lost, it ends with TIDE_DEVICE. `driver` is borrowed; NULL means a build without CUDA. */
struct tide_device_driver;
tide_status tide_backend_open_cpu(const tide_backend_options *options, tide_backend *out, tide_error *err);
tide_status tide_backend_open_cuda(const tide_backend_options *options, const struct tide_device_driver *driver,
                                   tide_backend *out, tide_error *err);
/* tide_backend_open with another driver than the build's own (the tests bring one that works without a GPU). */
tide_status tide_backend_open_with(const tide_backend_options *options, const struct tide_device_driver *driver,
                                   tide_backend *out, char *notes, size_t notes_size, tide_error *err);

/* Who multiplies for regressors beside this backend: cuBLAS on its first GPU where that can be had, else the CPU, with the
 * same bits. why (may be NULL): a line when cuBLAS cannot be had, else "". Close it where it has a close. */
void tide_backend_linalg(const tide_backend *backend, tide_linalg *out, char *why, size_t why_size);

/* 1 when the spec asks only for families that this version has. */
int tide_backend_knows(const tide_fit_spec *spec);

/* The spec for forecasts of these models: without room for ARIMA models in simulations where there is none, which need
 * more than twice the memory. For a backend's forecast. */
tide_forecast_spec tide_backend_forecast_spec(const tide_forecast_spec *spec, const tide_results *results);

#endif
