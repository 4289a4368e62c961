/* arima_lanes.c - the ARIMA stages of one instruction set: compiled once for each, as batch_lanes.c, which calls it. On its
 * own, so that the two compile side by side. */
#include "kernels/arima_search.h"
#include "kernels/arima_lanes.h"

static size_t bytes(const tide_fit_spec *spec, int32_t rows, size_t n_blocks) {
    return (n_blocks * tide_arima_carry_size(spec, rows) + tide_arima_scratch_size(spec, rows)) * TIDE_LANES *
           sizeof(double);
}

static void fit(const tide_fit_block *first, double *memory) {
    const tide_arima_block range = {
        .fit = *first,
        .carry = memory,
        .scratch = memory + first->n_blocks * tide_arima_carry_size(first->spec, first->rows) * TIDE_LANES};
    const int stages = tide_arima_n_stages(first->spec);
    tide_arima_begin(&range);
    for (int i = 0; i < stages; ++i)
        tide_arima_stage(&range, i);
    tide_arima_end(&range);
}

const tide_arima_lanes TIDE_JOIN(tide_arima_lanes_, TIDE_LANES_NAME) = {bytes, fit};
