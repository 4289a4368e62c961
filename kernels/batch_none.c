/* batch_none.c - stands in for batch_cuda.cu in a build without nvcc: there is no CUDA to ask. */
#include "kernels/batch_cuda.h"

const tide_device_driver *tide_cuda_driver(void) {
    return NULL;
}
