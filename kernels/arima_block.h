/* arima_block.h - a range of lane blocks in the ARIMA stages of a fit, and where they have their memory.
 *
 * The stages come after the other candidates (fit.h) and before tide_fit_end, in this order:
 *
 *     tide_arima_begin    d and D by test, differences, columns
 *     tide_arima_stage    i = 0 .. tide_arima_n_stages(spec) - 1: an order, or a round of polish
 *     tide_arima_end      the best order's coefficients and states become a member
 *
 * (arima_search.h). On the CPU a range takes all stages one after the other; on a device each is a launch, so what a
 * stage leaves for the next is in `carry`. Each stage takes all blocks of the range that starts at the one given. */
#ifndef TIDE_ARIMA_BLOCK_H
#define TIDE_ARIMA_BLOCK_H

#include "kernels/fit_work.h"

typedef struct tide_arima_block {
    tide_fit_block fit;
    double *carry;   /* [n_blocks * tide_arima_carry_size] element i of lane k at [i*stride + k], block after block */
    double *scratch; /* [tide_arima_scratch_size] shared by the blocks */
} tide_arima_block;

#endif
