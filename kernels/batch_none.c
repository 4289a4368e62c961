/* batch_none.c - stands in for batch_cuda.cu in a build without nvcc: there is no CUDA to ask. */
#include "kernels/batch_cuda.h"
#include "kernels/linalg.h"

const tide_device_driver *tide_cuda_driver(void) {
    return NULL;
}

int tide_linalg_cublas(int device, tide_linalg *out, char *why, size_t why_size) {
    static const char text[] = "this build has no CUDA";
    (void)device;
    (void)out;
    if (why_size) {
        size_t n = sizeof text < why_size ? sizeof text : why_size;
        memcpy(why, text, n);
        why[n - 1] = '\0';
    }
    return 0;
}
