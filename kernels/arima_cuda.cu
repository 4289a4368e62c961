/* arima_cuda.cu - see arima_cuda.cuh. One thread a series, as in batch_cuda.cu. The order is an argument: a kernel for each of
 * a grid of a hundred would take hours to compile, and the loops over lags gain nothing from constants. */
#include "kernels/arima_cuda.cuh"
#include "kernels/device_body.h"
#include "kernels/device_plan.h"

static __device__ size_t thread_number() {
    return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

static __global__ void __launch_bounds__(TIDE_DEVICE_BLOCK)
    arima_begin(const __grid_constant__ tide_device_fit f) {
    size_t g = thread_number();
    if (g < f.threads)
        tide_device_arima(&f, g, TIDE_DEVICE_ARIMA_BEGIN);
}

static __global__ void __launch_bounds__(TIDE_DEVICE_BLOCK)
    arima_order(const __grid_constant__ tide_device_fit f, int at) {
    size_t g = thread_number();
    if (g < f.threads)
        tide_device_arima(&f, g, at);
}

cudaError_t tide_arima_launch(const tide_device_fit *f, unsigned blocks, int block, cudaStream_t stream) {
    const int orders = tide_device_orders(&f->spec);
    if (orders > 0)
        arima_begin<<<blocks, block, 0, stream>>>(*f);
    for (int at = 0; at < orders; ++at)
        arima_order<<<blocks, block, 0, stream>>>(*f, at);
    return cudaGetLastError();
}
