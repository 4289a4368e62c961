/* batch_cuda.h - what the host asks of a GPU: a table of small asynchronous steps, without any policy.
 *
 * Implemented by batch_cuda.cu for CUDA devices, by batch_none.c for a build without CUDA (no table), and by
 * the tests with ordinary memory and a loop over blocks and threads. How a batch is cut, when it is halved
 * and what happens after a failure is decided once, in host/backend_cuda.c, above whichever table there is.
 *
 * A device has TIDE_DEVICE_SLOTS slots. A slot is a stream, a block of page-locked host memory, and a block
 * of device memory that begins with the same map (device_plan.h). While the device works in one slot, the
 * host fills or empties the other. Steps of a slot run in the order of the calls; all but `open`, `reserve`,
 * `wait` and `close` return at once. A failure of an asynchronous step may be reported by any later call on
 * the device. */
#ifndef TIDE_BATCH_CUDA_H
#define TIDE_BATCH_CUDA_H

#include "kernels/batch.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TIDE_DEVICE_SLOTS = 2 };

typedef enum tide_cuda_code {
    TIDE_CUDA_OK = 0,
    TIDE_CUDA_ABSENT, /* no driver, or no device */
    TIDE_CUDA_DRIVER, /* a driver too old for this build, or a device for which it holds no code */
    TIDE_CUDA_MEMORY, /* device or page-locked memory is short; the device is sound */
    TIDE_CUDA_LOST    /* ECC error, device fallen off the bus, a fault in a kernel: its context is no longer
                         usable */
} tide_cuda_code;

/* Caller's memory; filled by `open`. Zero it before. */
typedef struct tide_device {
    int index; /* CUDA ordinal */
    char name[64];
    int multiprocessors;
    size_t free_bytes, total_bytes; /* of device memory, when opened */
    struct {
        void *stream, *begin, *end, *done; /* stream, events around its kernels and after its last copy */
        unsigned char *host, *device;      /* [host_bytes] page-locked, [device_bytes] on the device */
        size_t host_bytes, device_bytes;
        int timed; /* kernels were launched since the last wait */
    } slot[TIDE_DEVICE_SLOTS];
    double kernel_s; /* sum over slots of the time from the first kernel's start to the last one's end */
    char fault[224]; /* one line on the last failure */
} tide_device;

/* A fit of `threads` series, one a thread: thread g is lane g%32 of tile g/32. All pointers are device
 * memory. */
typedef struct tide_device_fit {
    tide_fit_spec spec;
    tide_tiles tiles;     /* order[g] = g, or -1 without a series */
    tide_results results; /* n_series = threads */
    double *workspace;    /* element i of thread g at [i*threads + g]; holds anything */
    size_t threads;
} tide_device_fit;

/* A forecast of n series, one a thread; outputs as host/backend.h lays them down. Pointers are device memory.
 */
typedef struct tide_device_forecast {
    tide_forecast_spec spec;
    tide_results results;
    const uint64_t *key;
    double *mean, *lo, *hi;
    double *workspace; /* element i of thread g at [i*n + g] */
    size_t n;
} tide_device_forecast;

typedef struct tide_device_driver {
    /* Doubles of workspace a thread for tiles of at most `rows` steps. */
    size_t (*workspace)(const tide_fit_spec *spec, int32_t rows);
    size_t (*forecast_workspace)(const tide_forecast_spec *spec, int n_members);
    /* Devices of this machine; 0 with ABSENT or DRIVER and a reason when there is none to use. */
    tide_cuda_code (*count)(int *n, char *why, size_t why_size);
    tide_cuda_code (*open)(int index, tide_device *d);
    /* Makes the slot's blocks at least so large; what they held is lost when they grow. Sizes of 0 give both
     * back. After MEMORY both are gone. */
    tide_cuda_code (*reserve)(tide_device *d, int slot, size_t host_bytes, size_t device_bytes);
    /* Copies `bytes` at offset `at`, which is the same in both blocks. */
    tide_cuda_code (*upload)(tide_device *d, int slot, size_t at, size_t bytes);
    tide_cuda_code (*fit)(tide_device *d, int slot, const tide_device_fit *fit);
    tide_cuda_code (*forecast)(tide_device *d, int slot, const tide_device_forecast *forecast);
    tide_cuda_code (*download)(tide_device *d, int slot, size_t at, size_t bytes);
    tide_cuda_code (*wait)(tide_device *d, int slot);
    /* Frees all that `open` and `reserve` made; after LOST it resets the device's context as well. Allowed
     * after a failed `open`, and on a zeroed device. */
    void (*close)(tide_device *d, int lost);
} tide_device_driver;

/* The CUDA driver table, or NULL in a build without CUDA. */
const tide_device_driver *tide_cuda_driver(void);

#ifdef __cplusplus
}
#endif

#endif
