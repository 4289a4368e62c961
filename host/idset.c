/* idset.c - see idset.h. */
#include "host/idset.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(const tide_idset *set, uint64_t hash) {
    size_t at = (size_t)hash & set->mask;
    while (set->slots[at] != 0 && set->slots[at] != hash)
        at = (at + 1) & set->mask;
    return at;
}

static tide_status grow(tide_idset *set, tide_error *err) {
    size_t old = set->slots ? set->mask + 1 : 0, capacity = old ? 2 * old : 1024;
    tide_idset bigger = {.slots = calloc(capacity, sizeof *bigger.slots), .mask = capacity - 1, .n = set->n};
    if (!bigger.slots)
        return tide_fail(err, TIDE_MEMORY, "out of memory for the set of %zu ids", set->n);
    for (size_t i = 0; i < old; ++i)
        if (set->slots[i])
            bigger.slots[slot_of(&bigger, set->slots[i])] = set->slots[i];
    free(set->slots);
    *set = bigger;
    return TIDE_OK;
}

tide_status tide_idset_add(tide_idset *set, uint64_t hash, int *added, tide_error *err) {
    if (!set->slots || set->n > set->mask / 2)
        TIDE_TRY(grow(set, err));
    if (hash == 0)
        hash = 1;
    size_t at = slot_of(set, hash);
    *added = set->slots[at] == 0;
    set->slots[at] = hash;
    set->n += (size_t)*added;
    return TIDE_OK;
}

void tide_idset_free(tide_idset *set) {
    free(set->slots);
    memset(set, 0, sizeof *set);
}
