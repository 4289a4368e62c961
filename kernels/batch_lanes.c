/* batch_lanes.c - the lane driver of one instruction set: compiled once for each, with -DTIDE_LANES and
 * -DTIDE_LANES_NAME (CMakeLists.txt). A tile is 32/TIDE_LANES blocks of lanes; a range of tiles goes
 * through the stages of fit.h together. Every candidate is a function of its own, stamped out by the list of forms. */
#include "kernels/arima_lanes.h"
#include "kernels/arima_work.h"
#include "kernels/fit.h"
#include "kernels/forecast_lanes.h"

#define TIDE_TEXT_(a) #a
#define TIDE_TEXT(a) TIDE_TEXT_(a)

#define TIDE_ETS_FORM(name, error, trend, season)                                                            \
    static __attribute__((noinline)) void fit_##name(const tide_fit_block *b) {                              \
        tide_fit_candidate(b, TIDE_ETS_##name);                                                              \
    }
#include "kernels/forms.def"
#undef TIDE_ETS_FORM

static size_t y_flight_doubles(int32_t rows) {
    return TIDE_LANES > 1 ? (size_t)rows * TIDE_TILE_WIDTH : 0;
}

static size_t workspace_bytes(const tide_fit_spec *spec, int32_t rows, size_t count) {
    size_t blocks = count * (TIDE_TILE_WIDTH / TIDE_LANES);
    return (y_flight_doubles(rows) +
            (blocks * (tide_fit_carry_size(spec) + tide_arima_carry_size(spec, rows)) +
             tide_fit_scratch_size(spec, rows) + tide_arima_search_size(spec, rows)) *
                TIDE_LANES) *
           sizeof(double);
}

static void fit_tiles(const tide_fit_spec *spec, const tide_tiles *tiles, size_t first, size_t count,
                      void *workspace, tide_results *results) {
    int32_t rows = 0;
    for (size_t t = first; t < first + count; ++t)
        rows = tiles->rows[t] > rows ? tiles->rows[t] : rows;
    tide_fit_block range = {.spec = spec,
                            .tiles = tiles,
                            .tile = first,
                            .n_blocks = count * (TIDE_TILE_WIDTH / TIDE_LANES),
                            .rows = rows,
                            .y_flight = workspace,
                            .arima_carry_size = tide_arima_carry_size(spec, rows),
                            .stride = TIDE_LANES,
                            .out = results};
    range.carry = range.y_flight + y_flight_doubles(rows);
    range.scratch = range.carry + range.n_blocks * tide_fit_carry_size(spec) * TIDE_LANES;
    range.arima_carry = range.scratch + tide_fit_scratch_size(spec, rows) * TIDE_LANES;
    range.arima_scratch = range.arima_carry + range.n_blocks * range.arima_carry_size * TIDE_LANES;
    for (size_t i = 0; i < range.n_blocks; ++i) {
        tide_fit_block b = tide_fit_block_at(&range, i);
        tide_fit_begin(&b);
    }
    static void (*const fit_form[TIDE_ETS_FORMS])(const tide_fit_block *) = {
#define TIDE_ETS_FORM(name, error, trend, season) fit_##name,
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
    };
    for (int turn = 0; turn < TIDE_ETS_FORMS; ++turn)
        fit_form[tide_fit_turn(turn)](&range);
    for (int id = TIDE_ETS_FORMS; id < TIDE_CANDIDATES; ++id)
        tide_fit_candidate(&range, id);
    if (tide_fit_wants(spec, TIDE_FAMILY_ARIMA))
        TIDE_JOIN(tide_arima_lanes_, TIDE_LANES_NAME)(&range);
    for (size_t i = 0; i < range.n_blocks; ++i) {
        tide_fit_block b = tide_fit_block_at(&range, i);
        tide_fit_end(&b);
    }
}

const tide_lane_driver TIDE_JOIN(tide_lanes_, TIDE_LANES_NAME) = {
    TIDE_TEXT(TIDE_LANES_NAME), TIDE_LANES, workspace_bytes, fit_tiles,
    TIDE_JOIN(tide_forecast_lanes_, TIDE_LANES_NAME)};
