/* drivers.h - the lane drivers that run on this machine, for tests and benches of kernels; host/backend_cpu.c chooses for the
 * program. */
#ifndef TIDE_DRIVERS_H
#define TIDE_DRIVERS_H

#include "kernels/batch.h"

/* The scalar one first, the widest last; how many there are. */
static inline int drivers(const tide_lane_driver *list[4]) {
    int n = 0;
    list[n++] = &tide_lanes_scalar;
    list[n++] = &tide_lanes_baseline;
#if defined(__x86_64__)
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    if (avx2)
        list[n++] = &tide_lanes_avx2;
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        list[n++] = &tide_lanes_avx512;
#endif
    return n;
}

static inline const tide_lane_driver *widest(void) {
    const tide_lane_driver *list[4];
    return list[drivers(list) - 1];
}

#endif
