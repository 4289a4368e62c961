#include "host/since.h"

#include <string.h>

tide_status tide_since_of(const tide_store *store, const tide_store_info *info, const tide_panel *panel, size_t i,
                          tide_since *out, tide_error *err) {
    const char *id = panel->ids + panel->id_at[i];
    size_t length = panel->id_at[i + 1] - panel->id_at[i];
    int64_t n = (int64_t)(panel->at[i + 1] - panel->at[i]), steps = 0;
    tide_since s;
    memset(&s, 0, sizeof s);
    s.known = n;
    TIDE_TRY(tide_store_find(store, id, length, &s.row, err));
    if (s.row >= 0)
        TIDE_TRY(tide_store_series(store, s.row, &s.model, err));
    if (s.row >= 0 && n > 0 && s.model.n_members > 0) {
        s.off_grid = !tide_grid_steps(info->freq, info->ds_kind, s.model.last_ds, panel->first_ds[i],
                                      panel->end_of_month[i] && s.model.end_of_month, &steps) ||
                     steps > TIDE_SINCE_GAP_MAX;
    }
    if (s.row >= 0 && n > 0 && s.model.n_members > 0 && !s.off_grid) {
        /* The panel's first step is `steps` after the model's last. */
        s.skip = steps > 1 ? steps - 1 : 0;
        s.known = steps > 0 ? 0 : 1 - steps < n ? 1 - steps : n;
        s.fresh = n - s.known;
    }
    *out = s;
    return TIDE_OK;
}
