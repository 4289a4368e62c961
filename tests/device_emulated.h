/* device_emulated.h - GPUs made of ordinary memory, for tests on machines without one.
 *
 * A tide_device_driver whose kernels are the real bodies in their device form (kernels/device_body.h), called
 * by a loop over blocks and threads. Nothing happens before `wait`: steps are kept until then, so a host that
 * touches a block too early gets wrong results. Workspace and results hold garbage before each launch.
 * Devices can be short of memory, refuse to open, or be lost at a chosen wait. */
#ifndef TIDE_TESTS_DEVICE_EMULATED_H
#define TIDE_TESTS_DEVICE_EMULATED_H

#include "kernels/batch_cuda.h"

enum { EMULATED_MAX = 4 };

typedef struct emulated_device {
    size_t memory_bytes; /* what all slots together may hold; the device says that it has more, free_bytes */
    size_t free_bytes;
    int multiprocessors;
    int refuses;      /* open fails as with too old a driver */
    int lost_at_wait; /* the n-th wait (from 1) and all after it report a lost device; 0 = never */
    /* what happened */
    int opened, closed, reset, waits, fits, forecasts, refused_reserves;
    size_t held_bytes, most_bytes, series;
} emulated_device;

typedef struct emulated_machine {
    int devices;
    emulated_device device[EMULATED_MAX];
} emulated_machine;

/* One machine at a time; the caller's, must outlive all use. */
const tide_device_driver *emulated_driver(emulated_machine *machine);

/* Runs the device bodies of a fit in place: all pointers are host memory. `block` threads a block. */
void emulated_fit(const tide_device_fit *fit, int block);

#endif
