/* arima_lanes.c - see arima_lanes.h: compiled once for each instruction set, with -DTIDE_LANES and -DTIDE_LANES_NAME. */
#include "kernels/arima_lanes.h"
#include "kernels/arima_fit.h"

#define TIDE_JOIN_(a, b) a##b
#define TIDE_JOIN(a, b) TIDE_JOIN_(a, b)

void TIDE_JOIN(tide_arima_lanes_, TIDE_LANES_NAME)(const tide_fit_block *range) {
    for (size_t i = 0; i < range->n_blocks; ++i) {
        tide_fit_block b = tide_fit_block_at(range, i);
        tide_arima_begin(&b);
    }
    const int launches = tide_arima_launches(&range->spec->arima, range->spec->season);
    for (int at = 0; at < launches; ++at)
        tide_arima_fit_order(range, at);
}
