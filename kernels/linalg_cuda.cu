/* linalg_cuda.cu - products of slices (linalg.h) by cuBLAS, which is looked for at run time.
 *
 * The matrices are row-major and cuBLAS counts by columns, so it is asked for C' = B' A: a row-major (n, s) matrix is a
 * column-major (s, n) one. Device memory grows to the largest call and is kept. Host memory is not page-locked: a
 * batch's series pass through here once, and the sliced copy is the larger cost. */
#include "kernels/linalg.h"

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct cublas {
    void *library;
    cublasHandle_t handle;
    int device;
    double *memory[3]; /* a, b, c on the device */
    size_t bytes[3];
    decltype(&cublasDestroy_v2) destroy;
    decltype(&cublasDgemm_v2) gemm;
} cublas;

static void *find_library(void) {
    static const char *const names[] = {"libcublas.so.13", "libcublas.so.12", "libcublas.so.11", "libcublas.so"};
    for (const char *name : names)
        if (void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL))
            return library;
    return NULL;
}

static int grow(cublas *b, int which, size_t bytes) {
    if (bytes <= b->bytes[which])
        return 0;
    (void)cudaFree(b->memory[which]);
    b->memory[which] = NULL;
    b->bytes[which] = 0;
    void *memory = NULL;
    if (cudaMalloc(&memory, bytes) != cudaSuccess)
        return 1;
    b->memory[which] = static_cast<double *>(memory);
    b->bytes[which] = bytes;
    return 0;
}

static int cross(void *self, size_t n, size_t k, size_t s, const double *x, const double *y, double *c) {
    cublas *b = static_cast<cublas *>(self);
    const double one = 1.0, zero = 0.0;
    size_t bytes[3] = {n * k * sizeof(double), n * s * sizeof(double), k * s * sizeof(double)};
    int failed = cudaSetDevice(b->device) != cudaSuccess;
    for (int i = 0; i < 3 && !failed; ++i)
        failed = grow(b, i, bytes[i]);
    failed = failed || cudaMemcpy(b->memory[0], x, bytes[0], cudaMemcpyHostToDevice) != cudaSuccess ||
             cudaMemcpy(b->memory[1], y, bytes[1], cudaMemcpyHostToDevice) != cudaSuccess ||
             b->gemm(b->handle, CUBLAS_OP_N, CUBLAS_OP_T, (int)s, (int)k, (int)n, &one, b->memory[1], (int)s,
                     b->memory[0], (int)k, &zero, b->memory[2], (int)s) != CUBLAS_STATUS_SUCCESS ||
             cudaMemcpy(c, b->memory[2], bytes[2], cudaMemcpyDeviceToHost) != cudaSuccess;
    if (failed)
        (void)cudaGetLastError();
    return failed;
}

static void close_cublas(void *self) {
    cublas *b = static_cast<cublas *>(self);
    if (!b)
        return;
    if (cudaSetDevice(b->device) == cudaSuccess) {
        for (double *memory : b->memory)
            (void)cudaFree(memory);
        if (b->handle)
            (void)b->destroy(b->handle);
    }
    (void)cudaGetLastError();
    if (b->library)
        (void)dlclose(b->library);
    free(b);
}

extern "C" int tide_linalg_cublas(int device, tide_linalg *out, char *why, size_t why_size) {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || device >= devices) {
        (void)cudaGetLastError();
        snprintf(why, why_size, "no CUDA device %d", device);
        return 0;
    }
    cublas *b = static_cast<cublas *>(calloc(1, sizeof *b));
    if (!b) {
        snprintf(why, why_size, "out of memory");
        return 0;
    }
    b->device = device;
    b->library = find_library();
    const char *missing = b->library ? NULL : "no libcublas.so is installed";
    decltype(&cublasCreate_v2) create = NULL;
    decltype(&cublasGetVersion_v2) version = NULL;
    if (b->library) {
        create = reinterpret_cast<decltype(create)>(dlsym(b->library, "cublasCreate_v2"));
        version = reinterpret_cast<decltype(version)>(dlsym(b->library, "cublasGetVersion_v2"));
        b->destroy = reinterpret_cast<decltype(b->destroy)>(dlsym(b->library, "cublasDestroy_v2"));
        b->gemm = reinterpret_cast<decltype(b->gemm)>(dlsym(b->library, "cublasDgemm_v2"));
        if (!create || !version || !b->destroy || !b->gemm)
            missing = "libcublas.so lacks a function";
    }
    int number = 0;
    if (!missing && (cudaSetDevice(device) != cudaSuccess || create(&b->handle) != CUBLAS_STATUS_SUCCESS ||
                     version(b->handle, &number) != CUBLAS_STATUS_SUCCESS))
        missing = "cuBLAS cannot be started";
    if (missing) {
        snprintf(why, why_size, "%s", missing);
        close_cublas(b);
        return 0;
    }
    memset(out, 0, sizeof *out);
    out->self = b;
    out->cross = cross;
    out->close = close_cublas;
    snprintf(out->name, sizeof out->name, "cublas %d.%d", number / 10000, number % 10000 / 100);
    return 1;
}
