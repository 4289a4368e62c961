/* arima_cuda.h - the launches of the ARIMA stages, for batch_cuda.cu. Compiled on its own, side by side with the others. */
#ifndef TIDE_ARIMA_CUDA_H
#define TIDE_ARIMA_CUDA_H

#include "kernels/batch_cuda.h"

#include <cuda_runtime.h>

/* Puts begin, every stage and end of a fit on the stream: one kernel each, so that its threads are at the same order. */
cudaError_t tide_arima_launch(const tide_device_fit *f, unsigned blocks, int block, cudaStream_t stream);

#endif
