/* arima_cuda.cuh - the launches of the search of ARIMA models, for batch_cuda.cu. Compiled on its own, side by side with the others. */
#ifndef TIDE_ARIMA_CUDA_H
#define TIDE_ARIMA_CUDA_H

#include "kernels/batch_cuda.h"

#include <cuda_runtime.h>

/* Puts the search of ARIMA models, if the spec wants it, on the stream: a kernel for each order, so that all threads are at
 * the same one. A C name, since the library shows no others. */
#ifdef __cplusplus
extern "C"
#endif
cudaError_t tide_arima_launch(const tide_device_fit *f, unsigned blocks, int block, cudaStream_t stream);

#endif
