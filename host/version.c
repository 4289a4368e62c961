/* version.c - the version of the library and of its build. TIDE_VERSION and TIDE_COMMIT come from CMakeLists.txt. */
#include "host/tidemill.h"
#include "kernels/batch_cuda.h"

#if defined(__clang__)
#define TIDE_COMPILER "clang " __clang_version__
#else
#define TIDE_COMPILER "gcc " __VERSION__
#endif

const char *tide_version(void) {
    return TIDE_VERSION;
}

const char *tide_build_info(void) {
    return tide_cuda_driver() ? TIDE_VERSION " (commit " TIDE_COMMIT ", " TIDE_COMPILER ", with CUDA)"
                              : TIDE_VERSION " (commit " TIDE_COMMIT ", " TIDE_COMPILER ", without CUDA)";
}
