/* members.h - the members of one series in a tide_results, as forecast.h takes them. Host and device. */
#ifndef TIDE_MEMBERS_H
#define TIDE_MEMBERS_H

#include "kernels/forecast.h"

/* Most member slots of a series: every ETS form by likelihood and by absolute errors, one of each other
 * family. */
enum { TIDE_MEMBERS_MAX = 2 * TIDE_ETS_FORMS + TIDE_FAMILY_COUNT };

/* Fills member[0..n) with views into r of series i, and returns n = n_members (0 for a series without a
 * model). */
TIDE_FN int tide_members_of(const tide_results *r, size_t i, tide_member_view member[TIDE_MEMBERS_MAX]) {
    size_t n = r->n_series;
    int count = r->n_members[i];
    if (count > r->slots)
        count = r->slots;
    if (count > TIDE_MEMBERS_MAX)
        count = TIDE_MEMBERS_MAX;
    for (int j = 0; j < count; ++j) {
        size_t slot = (size_t)j;
        member[j].family = r->family[slot * n + i];
        member[j].form = r->form[slot * n + i];
        member[j].n_obs = r->n_obs[i];
        member[j].weight = r->weight[slot * n + i];
        member[j].sigma2 = r->sigma2[slot * n + i];
        member[j].scale = r->scale[i];
        member[j].coef = r->coef + slot * (size_t)r->coef_rows * n + i;
        member[j].state = r->state + slot * (size_t)r->state_rows * n + i;
        member[j].stride = n;
        member[j].xreg = r->xreg ? r->xreg + (size_t)r->xreg_next[i] * (size_t)r->xreg_columns : NULL;
        member[j].xreg_rows = r->xreg ? (int64_t)r->xreg_rows - r->xreg_next[i] : 0;
        member[j].xreg_columns = r->xreg_columns;
    }
    return count;
}

#endif
