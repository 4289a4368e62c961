/* idset.h - the hashes of all ids seen in a run, to notice one that comes back after its group has ended.
 *
 * Open addressing with linear probing, at most half full: 16 to 32 bytes an id. Only hashes are kept: two
 * different ids are mistaken for one with a probability of n^2 / 2^65 (a hundred million ids: 3 in 10,000
 * runs). */
#ifndef TIDE_IDSET_H
#define TIDE_IDSET_H

#include "host/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct tide_idset {
    uint64_t *slots; /* [mask + 1]; 0 = free, so that hash 0 is kept as 1 */
    size_t mask, n;
} tide_idset; /* all zero: valid and empty */

/* *added = 1 when the hash was not there yet. */
tide_status tide_idset_add(tide_idset *set, uint64_t hash, int *added, tide_error *err);
void tide_idset_free(tide_idset *set);

#endif
