/* results.h - the memory map of tide_results: one block, arrays in the order of the struct, 64-byte aligned.
 *
 * Host and device use the same map, so a device's results come back with one copy. */
#ifndef TIDE_RESULTS_H
#define TIDE_RESULTS_H

#include "kernels/arima.h"
#include "kernels/batch.h"

/* Rows of results.coef and results.state that hold every family of the spec. */
static inline int32_t tide_coef_rows(const tide_fit_spec *spec) {
    int32_t arima = spec->families >> TIDE_FAMILY_ARIMA & 1u
                        ? tide_arima_n_coef(tide_arima_largest(&spec->arima, spec->season))
                        : 0;
    return arima > TIDE_ETS_COEF_ROWS ? arima : TIDE_ETS_COEF_ROWS;
}
static inline int32_t tide_state_rows(const tide_fit_spec *spec) {
    int32_t ets = 2 + spec->season; /* level, trend, then the m seasonal states, next period's first */
    int32_t arima = spec->families >> TIDE_FAMILY_ARIMA & 1u
                        ? tide_arima_n_state(tide_arima_largest(&spec->arima, spec->season), spec->season)
                        : 0;
    return arima > ets ? arima : ets;
}

static inline size_t tide_results_place_(unsigned char *base, size_t *at, size_t count, size_t size,
                                         unsigned char **where) {
    *where = base ? base + *at : NULL;
    *at += (count * size + 63) / 64 * 64;
    return *at;
}

/* Points r's arrays into `block` (NULL: only counts) and returns the bytes of the block.
 * r->n_series, slots, coef_rows and state_rows must be set. Sizes are size_t: no overflow below 2^63 bytes. */
static inline size_t tide_results_map(tide_results *r, void *block) {
    unsigned char *base = (unsigned char *)block;
    size_t n = r->n_series, m = n * (size_t)r->slots, at = 0;
#define TIDE_PLACE_(field, type, count)                                                                      \
    do {                                                                                                     \
        unsigned char *w_;                                                                                   \
        tide_results_place_(base, &at, (count), sizeof(type), &w_);                                          \
        r->field = (type *)(void *)w_;                                                                       \
    } while (0)
    TIDE_PLACE_(outcome, uint8_t, n);
    TIDE_PLACE_(n_members, uint8_t, n);
    TIDE_PLACE_(n_obs, int32_t, n);
    TIDE_PLACE_(scale, double, n);
    TIDE_PLACE_(xreg_next, int32_t, n);
    TIDE_PLACE_(family, uint8_t, m);
    TIDE_PLACE_(form, uint32_t, m);
    TIDE_PLACE_(converged, uint8_t, m);
    TIDE_PLACE_(n_params, int32_t, m);
    TIDE_PLACE_(weight, double, m);
    TIDE_PLACE_(sigma2, double, m);
    TIDE_PLACE_(loglik, double, m);
    TIDE_PLACE_(criterion, double, m);
    TIDE_PLACE_(coef, double, m * (size_t)r->coef_rows);
    TIDE_PLACE_(state, double, m * (size_t)r->state_rows);
#undef TIDE_PLACE_
    return at;
}

#endif
