/* arima_lanes.h - the ARIMA stages of a lane driver, for the driver of the same instruction set (batch_lanes.c). */
#ifndef TIDE_ARIMA_LANES_H
#define TIDE_ARIMA_LANES_H

#include "kernels/fit_work.h"

#define TIDE_JOIN_(a, b) a##b
#define TIDE_JOIN(a, b) TIDE_JOIN_(a, b)

typedef struct tide_arima_lanes {
    /* Bytes that `fit` needs for a range of n_blocks blocks with tiles of at most `rows` steps. */
    size_t (*bytes)(const tide_fit_spec *spec, int32_t rows, size_t n_blocks);
    /* Adds the range's ARIMA members to its results. `first` after the other candidates; memory: 64-byte aligned. */
    void (*fit)(const tide_fit_block *first, double *memory);
} tide_arima_lanes;

extern const tide_arima_lanes TIDE_JOIN(tide_arima_lanes_, TIDE_LANES_NAME);

#endif
