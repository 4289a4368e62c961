/* batch_cuda.cu - the table of batch_cuda.h for CUDA devices: memory, streams, launches, errors. No policy,
 * no numbers.
 *
 * One kernel a stage: begin, then one for each candidate asked for (the candidate is a template argument, so
 * that each form is compiled for itself with its own registers), then end. All are put on the slot's stream
 * at once, and the host hears of the fit again when its results have been copied back. One thread a series; a
 * warp is a tile, so that its loads of y[t*32 + lane] and of the interleaved workspace are one contiguous 256
 * bytes.
 *
 * Same bits as the CPU: --fmad=false, correctly rounded division and square root, __fma_rn where the source
 * says tide_fma, and no function of the CUDA math library. */
#include "kernels/arima_cuda.cuh"
#include "kernels/batch_cuda.h"
#include "kernels/device_body.h"
#include "kernels/device_plan.h"

#include <cstdio>
#include <cuda_runtime.h>

/* ---- kernels ---- */

static __device__ size_t thread_number() {
    return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

static __global__ void __launch_bounds__(TIDE_DEVICE_BLOCK)
    fit_begin(const __grid_constant__ tide_device_fit f) {
    size_t g = thread_number();
    if (g < f.threads)
        tide_device_begin(&f, g);
}

template <int id>
static __global__ void __launch_bounds__(TIDE_DEVICE_BLOCK)
    fit_candidate(const __grid_constant__ tide_device_fit f) {
    size_t g = thread_number();
    if (g < f.threads)
        tide_device_candidate(&f, g, id);
}

static __global__ void __launch_bounds__(TIDE_DEVICE_BLOCK)
    fit_end(const __grid_constant__ tide_device_fit f) {
    size_t g = thread_number();
    if (g < f.threads)
        tide_device_end(&f, g);
}

static __global__ void __launch_bounds__(TIDE_DEVICE_BLOCK)
    forecast_series(const __grid_constant__ tide_device_forecast f) {
    size_t g = thread_number();
    if (g < f.n)
        tide_device_forecast_one(&f, g);
}

typedef void (*fit_kernel)(const tide_device_fit);

/* Kernel of candidate `id`: the ETS forms in their order, then naive, snaive, drift, mean. */
static fit_kernel candidate_kernel(int id) {
    switch (id) {
#define TIDE_ETS_FORM(name, e, t, s)                                                                         \
    case TIDE_ETS_##name:                                                                                    \
        return fit_candidate<TIDE_ETS_##name>;
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
    case TIDE_ETS_FORMS + 0:
        return fit_candidate<TIDE_ETS_FORMS + 0>;
    case TIDE_ETS_FORMS + 1:
        return fit_candidate<TIDE_ETS_FORMS + 1>;
    case TIDE_ETS_FORMS + 2:
        return fit_candidate<TIDE_ETS_FORMS + 2>;
    default:
        return fit_candidate<TIDE_ETS_FORMS + 3>;
    }
}
static_assert(TIDE_CANDIDATES == TIDE_ETS_FORMS + 4, "candidate_kernel lists every candidate");

/* ---- errors ---- */

static tide_cuda_code code_of(cudaError_t e) {
    switch (e) {
    case cudaSuccess:
        return TIDE_CUDA_OK;
    case cudaErrorMemoryAllocation:
        return TIDE_CUDA_MEMORY;
    case cudaErrorNoDevice:
        return TIDE_CUDA_ABSENT;
    case cudaErrorInsufficientDriver:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
    case cudaErrorSystemNotReady:
    case cudaErrorDevicesUnavailable:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorJitCompilerNotFound:
    case cudaErrorInvalidPtx:
        return TIDE_CUDA_DRIVER;
    default:
        return TIDE_CUDA_LOST;
    }
}

/* Keeps the first words of what failed, and takes the error off the runtime's own record. */
static tide_cuda_code report(tide_device *d, const char *step, cudaError_t e) {
    if (e == cudaSuccess)
        return TIDE_CUDA_OK;
    (void)cudaGetLastError();
    snprintf(d->fault, sizeof d->fault, "%s: %s (%s)", step, cudaGetErrorString(e), cudaGetErrorName(e));
    return code_of(e);
}

#define CUDA_TRY(d, call)                                                                                    \
    do {                                                                                                     \
        cudaError_t e_ = (call);                                                                             \
        if (e_ != cudaSuccess)                                                                               \
            return report((d), #call, e_);                                                                   \
    } while (0)

static cudaStream_t stream_of(tide_device *d, int slot) {
    return static_cast<cudaStream_t>(d->slot[slot].stream);
}

static cudaEvent_t event_of(void *event) {
    return static_cast<cudaEvent_t>(event);
}

/* ---- the table ---- */

static size_t workspace(const tide_fit_spec *spec, int32_t rows) {
    return tide_device_workspace(spec, rows);
}

static size_t forecast_workspace(const tide_forecast_spec *spec, int n_members) {
    return tide_forecast_workspace(spec, n_members);
}

static tide_cuda_code count_devices(int *n, char *why, size_t why_size) {
    int driver = 0;
    cudaError_t e = cudaDriverGetVersion(&driver);
    *n = 0;
    if (e == cudaSuccess && driver == 0) { /* what the runtime calls an insufficient driver */
        snprintf(why, why_size, "no NVIDIA driver is installed");
        return TIDE_CUDA_ABSENT;
    }
    if (e == cudaSuccess)
        e = cudaGetDeviceCount(n);
    if (e == cudaSuccess)
        return TIDE_CUDA_OK;
    (void)cudaGetLastError();
    *n = 0;
    snprintf(why, why_size, "%s (driver for CUDA %d.%d, built with %d.%d)", cudaGetErrorString(e),
             driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    return code_of(e);
}

static tide_cuda_code open_device(int index, tide_device *d) {
    d->index = index;
    CUDA_TRY(d, cudaSetDevice(index));
    cudaDeviceProp properties;
    CUDA_TRY(d, cudaGetDeviceProperties(&properties, index));
    snprintf(d->name, sizeof d->name, "%.63s", properties.name);
    d->multiprocessors = properties.multiProcessorCount;
    cudaFuncAttributes attributes; /* fails where this build holds no code for the device */
    CUDA_TRY(d, cudaFuncGetAttributes(&attributes, fit_begin));
    for (int i = 0; i < TIDE_DEVICE_SLOTS; ++i) {
        cudaStream_t stream;
        cudaEvent_t begin, end, done;
        CUDA_TRY(d, cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
        d->slot[i].stream = stream;
        CUDA_TRY(d, cudaEventCreate(&begin));
        d->slot[i].begin = begin;
        CUDA_TRY(d, cudaEventCreate(&end));
        d->slot[i].end = end;
        /* Waiting for it lets the host's thread sleep instead of spin. */
        CUDA_TRY(d, cudaEventCreateWithFlags(&done, cudaEventBlockingSync | cudaEventDisableTiming));
        d->slot[i].done = done;
    }
    CUDA_TRY(d, cudaMemGetInfo(&d->free_bytes, &d->total_bytes));
    return TIDE_CUDA_OK;
}

static void give_memory_back(tide_device *d, int slot) {
    if (d->slot[slot].host)
        (void)cudaFreeHost(d->slot[slot].host);
    if (d->slot[slot].device)
        (void)cudaFree(d->slot[slot].device);
    d->slot[slot].host = d->slot[slot].device = NULL;
    d->slot[slot].host_bytes = d->slot[slot].device_bytes = 0;
}

static tide_cuda_code reserve(tide_device *d, int slot, size_t host_bytes, size_t device_bytes) {
    CUDA_TRY(d, cudaSetDevice(d->index));
    if (host_bytes == 0 && device_bytes == 0) {
        give_memory_back(d, slot);
        return report(d, "cudaFree", cudaGetLastError());
    }
    if (host_bytes <= d->slot[slot].host_bytes && device_bytes <= d->slot[slot].device_bytes)
        return TIDE_CUDA_OK;
    give_memory_back(d, slot);
    void *host = NULL, *device = NULL;
    cudaError_t e = cudaMalloc(&device, device_bytes);
    if (e != cudaSuccess)
        return report(d, "cudaMalloc", e);
    e = cudaMallocHost(&host, host_bytes);
    if (e != cudaSuccess) {
        (void)cudaFree(device);
        return report(d, "cudaMallocHost", e);
    }
    d->slot[slot].host = static_cast<unsigned char *>(host);
    d->slot[slot].device = static_cast<unsigned char *>(device);
    d->slot[slot].host_bytes = host_bytes;
    d->slot[slot].device_bytes = device_bytes;
    return TIDE_CUDA_OK;
}

static tide_cuda_code upload(tide_device *d, int slot, size_t at, size_t bytes) {
    CUDA_TRY(d, cudaSetDevice(d->index));
    CUDA_TRY(d, cudaMemcpyAsync(d->slot[slot].device + at, d->slot[slot].host + at, bytes,
                                cudaMemcpyHostToDevice, stream_of(d, slot)));
    return TIDE_CUDA_OK;
}

static tide_cuda_code download(tide_device *d, int slot, size_t at, size_t bytes) {
    CUDA_TRY(d, cudaSetDevice(d->index));
    CUDA_TRY(d, cudaMemcpyAsync(d->slot[slot].host + at, d->slot[slot].device + at, bytes,
                                cudaMemcpyDeviceToHost, stream_of(d, slot)));
    return TIDE_CUDA_OK;
}

static tide_cuda_code fit(tide_device *d, int slot, const tide_device_fit *f) {
    CUDA_TRY(d, cudaSetDevice(d->index));
    cudaStream_t stream = stream_of(d, slot);
    int block = tide_device_block(f->threads, d->multiprocessors);
    unsigned blocks = (unsigned)tide_device_blocks(f->threads, block);
    CUDA_TRY(d, cudaEventRecord(event_of(d->slot[slot].begin), stream));
    fit_begin<<<blocks, block, 0, stream>>>(*f);
    CUDA_TRY(d, cudaGetLastError());
    for (int turn = 0; turn < TIDE_CANDIDATES; ++turn) {
        const int id = tide_fit_turn(turn);
        if (!tide_device_wants(&f->spec, id))
            continue;
        candidate_kernel(id)<<<blocks, block, 0, stream>>>(*f);
        CUDA_TRY(d, cudaGetLastError());
    }
    CUDA_TRY(d, tide_arima_launch(f, blocks, block, stream));
    fit_end<<<blocks, block, 0, stream>>>(*f);
    CUDA_TRY(d, cudaGetLastError());
    CUDA_TRY(d, cudaEventRecord(event_of(d->slot[slot].end), stream));
    d->slot[slot].timed = 1;
    return TIDE_CUDA_OK;
}

static tide_cuda_code forecast(tide_device *d, int slot, const tide_device_forecast *f) {
    CUDA_TRY(d, cudaSetDevice(d->index));
    cudaStream_t stream = stream_of(d, slot);
    int block = tide_device_block(f->n, d->multiprocessors);
    unsigned blocks = (unsigned)tide_device_blocks(f->n, block);
    CUDA_TRY(d, cudaEventRecord(event_of(d->slot[slot].begin), stream));
    forecast_series<<<blocks, block, 0, stream>>>(*f);
    CUDA_TRY(d, cudaGetLastError());
    CUDA_TRY(d, cudaEventRecord(event_of(d->slot[slot].end), stream));
    d->slot[slot].timed = 1;
    return TIDE_CUDA_OK;
}

static tide_cuda_code wait(tide_device *d, int slot) {
    CUDA_TRY(d, cudaSetDevice(d->index));
    CUDA_TRY(d, cudaEventRecord(event_of(d->slot[slot].done), stream_of(d, slot)));
    CUDA_TRY(d, cudaEventSynchronize(event_of(d->slot[slot].done)));
    if (d->slot[slot].timed) {
        float ms = 0.0f;
        d->slot[slot].timed = 0;
        CUDA_TRY(d, cudaEventElapsedTime(&ms, event_of(d->slot[slot].begin), event_of(d->slot[slot].end)));
        d->kernel_s += (double)ms * 1e-3;
    }
    return TIDE_CUDA_OK;
}

/* Errors are of no use here: what can be freed is freed. */
static void close_device(tide_device *d, int lost) {
    if (cudaSetDevice(d->index) == cudaSuccess) {
        for (int i = 0; i < TIDE_DEVICE_SLOTS; ++i) {
            give_memory_back(d, i);
            if (d->slot[i].begin)
                (void)cudaEventDestroy(event_of(d->slot[i].begin));
            if (d->slot[i].end)
                (void)cudaEventDestroy(event_of(d->slot[i].end));
            if (d->slot[i].done)
                (void)cudaEventDestroy(event_of(d->slot[i].done));
            if (d->slot[i].stream)
                (void)cudaStreamDestroy(stream_of(d, i));
            d->slot[i].begin = d->slot[i].end = d->slot[i].done = d->slot[i].stream = NULL;
        }
        /* After a sticky error nothing else in this process can use the context either. */
        if (lost)
            (void)cudaDeviceReset();
    }
    (void)cudaGetLastError();
}

static const tide_device_driver cuda_driver = {
    workspace, forecast_workspace, count_devices, open_device, reserve,     upload,
    fit,       forecast,           download,      wait,        close_device};

const tide_device_driver *tide_cuda_driver(void) {
    return &cuda_driver;
}
