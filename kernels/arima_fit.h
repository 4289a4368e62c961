/* arima_fit.h - the search for the ARIMA model of each series of a range, in calls that may be launches.
 *
 * A grid goes through its list twice, and a third time for what is left. The screening fits every order loosely, from the best
 * of the optima of the largest orders nested in it (one coefficient less; without the constant), with 0 for the new coordinate.
 * The polishing takes the orders whose criterion came within a few units of the best, to the end, from where the screening left them and from the
 * second best of the nested optima. Orders whose optimum lies on the border of the search drop out then (arima_order.h),
 * and the third time takes those that may win now. On 128 series of M3 that chooses orders as good as four starts for every order do.
 *
 * A fixed order follows several points (arima_order.h). The search by steps is arima_stepwise.h. */
#ifndef TIDE_ARIMA_FIT_H
#define TIDE_ARIMA_FIT_H

#include "kernels/arima_stepwise.h"

#define TIDE_ARIMA_LOOSE 5e-2 /* tolerance of the screening */

/* Before the first call. */
TIDE_FN void tide_arima_begin(const tide_fit_block *b) {
    size_t tide_stride = b->stride;
    (void)tide_stride;
    tide_arima_carry c = tide_arima_carry_place(b);
    tide_fit_work f = tide_fit_place(b);
    const int entries = tide_arima_list_length(&b->spec->arima, b->spec->season);
    for (int k = 0; k < TIDE_LANES; ++k)
        tide_arima_begin_lane(b, &c, k, tide_fit_open(b, &f, k));
    for (int i = 0; i < entries; ++i) {
        tide_arima_fill(tide_arima_entry(b, &c, i), 1, TIDE_INF, tide_stride);
        tide_arima_fill(tide_arima_polished(b, &c, i), 1, 0.0, tide_stride);
    }
}

/* Call `at` of tide_arima_launches, in their order, for all blocks of the range. */
TIDE_FN void tide_arima_fit_order(const tide_fit_block *first, int at) {
    const tide_arima_spec *spec = &first->spec->arima;
    const int entries = tide_arima_list_length(spec, first->spec->season),
              polish = !spec->fixed && at >= entries;
    if (!spec->fixed && spec->search == TIDE_ARIMA_STEPWISE) {
        tide_arima_stepwise(first);
        return;
    }
    tide_arima_how how = {TIDE_ARIMA_ALL, TIDE_ARIMA_LOOSE, 0, 0, 0, 1, 0, 0};
    if (polish) {
        const tide_arima_how again = {at < 2 * entries ? TIDE_ARIMA_LIKELY : TIDE_ARIMA_REST, 1e-5, 1, 1, 0, 2, 0, 1};
        how = again;
    } else if (spec->fixed) {
        const int simple = (spec->p + spec->q <= 1) & (spec->P + spec->Q <= 1); /* one maximum, as a rule */
        how.tolerance = 1e-6;
        how.member = 1;
        how.starts = simple ? 4 : 8;
        how.keep = simple ? 1 : 8;
        how.finish = simple ? 0 : 3;
    }
    tide_arima_fit_entry(first, at % entries, how);
}

#endif
