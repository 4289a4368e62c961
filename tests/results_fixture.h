/* results_fixture.h - what tests of fits in memory share: room for results, and a fit that is quick and averages. */
#ifndef TIDE_RESULTS_FIXTURE_H
#define TIDE_RESULTS_FIXTURE_H

#include "host/across.h"
#include "kernels/results.h"

#include <stdlib.h>
#include <string.h>

/* Makes *r ready for n series, in one block of garbage, which the caller frees. */
static inline void *results_begin(tide_results *r, const tide_fit_spec *spec, size_t n) {
    *r = (tide_results){
        .n_series = n, .slots = spec->slots, .coef_rows = tide_coef_rows(spec), .state_rows = tide_state_rows(spec)};
    size_t bytes = tide_results_map(r, NULL);
    void *block = aligned_alloc(64, bytes);
    memset(block, 0xa5, bytes);
    tide_results_map(r, block);
    return block;
}

/* Of exponential smoothing, if that is among the families: three forms. */
static inline tide_fit_spec across_spec(int season, uint32_t families) {
    tide_fit_spec spec = {.season = season,
                          .families = families,
                          .ets_forms = 1u << TIDE_ETS_ANN | 1u << TIDE_ETS_AAN | 1u << TIDE_ETS_ANA,
                          .ets_mode = TIDE_ETS_AVERAGE,
                          .max_iterations = 500,
                          .penalty = 10.0,
                          .temperature = 12.0,
                          .min_weight = 0.01,
                          .lower = {1e-4, 1e-4, 1e-4, 0.8},
                          .upper = {0.9999, 0.9999, 0.9999, 0.98}};
    spec.slots = tide_across_slots(&spec);
    return spec;
}

#endif
