/* batch_lanes.c - the lane driver of one instruction set: compiled once for each, with -DTIDE_LANES and
 * -DTIDE_LANES_NAME (CMakeLists.txt). A tile is 32/TIDE_LANES blocks of lanes, one after the other; each goes
 * through the stages of fit.h. Every candidate is a function of its own, stamped out by the list of forms. */
#include "kernels/fit.h"

#define TIDE_JOIN_(a, b) a##b
#define TIDE_JOIN(a, b) TIDE_JOIN_(a, b)
#define TIDE_TEXT_(a) #a
#define TIDE_TEXT(a) TIDE_TEXT_(a)

#define TIDE_ETS_FORM(name, error, trend, season)                                                            \
    static __attribute__((noinline)) void fit_##name(const tide_fit_block *b) {                              \
        tide_fit_candidate(b, TIDE_ETS_##name);                                                              \
    }
#include "kernels/forms.def"
#undef TIDE_ETS_FORM

static size_t workspace_bytes(const tide_fit_spec *spec, int32_t rows) {
    return tide_fit_workspace(spec, rows) * TIDE_LANES * sizeof(double);
}

static void fit_tile(const tide_fit_spec *spec, const tide_tiles *tiles, size_t tile, void *workspace,
                     tide_results *results) {
    for (int lane0 = 0; lane0 < TIDE_TILE_WIDTH; lane0 += TIDE_LANES) {
        tide_fit_block b = {spec, tiles, tile, lane0, (double *)workspace, TIDE_LANES, results};
        tide_fit_begin(&b);
#define TIDE_ETS_FORM(name, error, trend, season) fit_##name(&b);
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
        for (int id = TIDE_ETS_FORMS; id < TIDE_CANDIDATES; ++id)
            tide_fit_candidate(&b, id);
        tide_fit_end(&b);
    }
}

const tide_lane_driver TIDE_JOIN(tide_lanes_, TIDE_LANES_NAME) = {TIDE_TEXT(TIDE_LANES_NAME), TIDE_LANES,
                                                                  workspace_bytes, fit_tile};
