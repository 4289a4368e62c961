/* panel.c - see panel.h. Arrays of one entry a series grow together, ids and values each on their own. */
#include "host/panel.h"
#include "host/hash.h"
#include "kernels/batch.h"
#include "kernels/tide_fn.h"

#include <stdlib.h>
#include <string.h>

void tide_panel_init(tide_panel *p) {
    memset(p, 0, sizeof *p);
}

void tide_panel_free(tide_panel *p) {
    free(p->id_at);
    free(p->ids);
    free(p->at);
    free(p->y);
    free(p->first_ds);
    free(p->last_ds);
    free(p->end_of_month);
    free(p->outcome);
    free(p->fingerprint);
    free(p->backtest_error);
    tide_panel_init(p);
}

void tide_panel_clear(tide_panel *p) {
    p->n_series = 0;
    p->first_number = 0;
    p->kept = 0;
    if (p->id_at)
        p->id_at[0] = 0;
    if (p->at)
        p->at[0] = 0;
}

/* A capacity of at least `need`, by doubling; 0 when its bytes would not fit a size_t. */
static size_t doubled(size_t capacity, size_t need, size_t least, size_t width) {
    size_t n = capacity ? capacity : least;
    while (n < need) {
        if (n > SIZE_MAX / 2)
            return 0;
        n *= 2;
    }
    return n < SIZE_MAX / width - 1 ? n : 0;
}

/* Resizes one array; on failure the old one stays, and stays valid. */
static int resize(void *array, size_t bytes) {
    void *old, *bigger;
    memcpy(&old, array, sizeof old);
    bigger = realloc(old, bytes);
    if (bigger)
        memcpy(array, &bigger, sizeof bigger);
    return bigger != NULL;
}

static int reserve_series(tide_panel *p, size_t need) {
    size_t n = doubled(p->cap_series, need, 64, sizeof(uint64_t));
    if (n == 0 || !resize(&p->id_at, (n + 1) * sizeof *p->id_at) ||
        !resize(&p->at, (n + 1) * sizeof *p->at) || !resize(&p->first_ds, n * sizeof *p->first_ds) ||
        !resize(&p->last_ds, n * sizeof *p->last_ds) || !resize(&p->end_of_month, n) ||
        !resize(&p->outcome, n) || !resize(&p->fingerprint, n * sizeof *p->fingerprint) ||
        !resize(&p->backtest_error, n * sizeof *p->backtest_error))
        return 0;
    if (p->cap_series == 0)
        p->id_at[0] = p->at[0] = 0;
    p->cap_series = n;
    return 1;
}

tide_status tide_panel_reserve(tide_panel *p, size_t id_bytes, size_t n, tide_error *err) {
    size_t ids, values;
    if (p->n_series >= p->cap_series && !reserve_series(p, p->n_series + 1))
        goto no_memory;
    if (__builtin_add_overflow(p->id_at[p->n_series], id_bytes, &ids) ||
        __builtin_add_overflow(p->at[p->n_series], n, &values))
        goto no_memory;
    if (ids > p->cap_ids) {
        size_t capacity = doubled(p->cap_ids, ids, 4096, 1);
        if (capacity == 0 || !resize(&p->ids, capacity))
            goto no_memory;
        p->cap_ids = capacity;
    }
    if (values > p->cap_y) {
        size_t capacity = doubled(p->cap_y, values, 4096, sizeof *p->y);
        if (capacity == 0 || !resize(&p->y, capacity * sizeof *p->y))
            goto no_memory;
        p->cap_y = capacity;
    }
    return TIDE_OK;
no_memory:
    return tide_fail(err, TIDE_MEMORY, "out of memory for a batch of %zu series", p->n_series + 1);
}

uint64_t tide_panel_fingerprint(const double *y, size_t n, int64_t first_ds) {
    uint64_t hash = tide_hash_word(tide_hash_word(TIDE_HASH_SEED, n), (uint64_t)first_ds);
    for (size_t t = 0; t < n; ++t)
        hash = tide_hash_word(hash, tide_to_bits(y[t] == y[t] ? y[t] : TIDE_NAN));
    return tide_hash_finish(hash);
}

tide_status tide_panel_add(tide_panel *p, const char *id, size_t id_length, const double *y, size_t n,
                           int64_t first_ds, int64_t last_ds, tide_error *err) {
    TIDE_TRY(tide_panel_reserve(p, id_length, n, err));
    size_t i = p->n_series;
    double *to = n ? p->y + p->at[i] : NULL;
    for (size_t t = 0; t < n; ++t)
        to[t] = y && y[t] == y[t] ? y[t] : TIDE_NAN;
    if (id_length)
        memcpy(p->ids + p->id_at[i], id, id_length);
    p->id_at[i + 1] = p->id_at[i] + id_length;
    p->at[i + 1] = p->at[i] + n;
    p->first_ds[i] = first_ds;
    p->last_ds[i] = last_ds;
    p->end_of_month[i] = 0;
    p->outcome[i] = TIDE_OUTCOME_FITTED;
    p->fingerprint[i] = tide_panel_fingerprint(to, n, first_ds);
    p->backtest_error[i] = TIDE_NAN;
    p->n_series = i + 1;
    return TIDE_OK;
}
