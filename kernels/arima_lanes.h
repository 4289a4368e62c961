/* arima_lanes.h - the search of ARIMA models by the lane driver of an instruction set: an object of its own
 * (arima_lanes.c), called by the fit of batch_lanes.c. */
#ifndef TIDE_ARIMA_LANES_H
#define TIDE_ARIMA_LANES_H

#include "kernels/fit_work.h"

/* Fits every series of the range and merges its ARIMA member into the results; fit.h's begin has been, its end comes. */
void tide_arima_lanes_scalar(const tide_fit_block *range);
void tide_arima_lanes_baseline(const tide_fit_block *range);
#if defined(__x86_64__)
void tide_arima_lanes_avx2(const tide_fit_block *range);
void tide_arima_lanes_avx512(const tide_fit_block *range);
#endif

#endif
