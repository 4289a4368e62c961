/* store_index.c - see store_index.h.
 *
 * Memory is bounded: the table is built in at most 16 parts of consecutive slots, each by one pass over the
 * spooled hashes, in a buffer of max(1 MiB, 1/16 of the table): 1 to 2 bytes a series, and no more than 1 MiB
 * up to half a million. What probes past the end of a part goes into its tail and opens the next part. Linear
 * probing finds an id whatever the order of insertion, as long as no empty slot lies between its home and its
 * place.
 *
 * With seed 0 the hash is the column series/key, already there. Ids made to collide can drive a probe past
 * TIDE_INDEX_TAIL slots; then the next seed is tried. */
#include "io/store_index.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { PART_SLOTS_MIN = 131072, PARTS_MAX = 16, CHUNK = 8192, SEEDS_MAX = 8 };

typedef struct builder {
    const tide_index_input *in;
    const tide_spool *hash; /* [n_series] u64 */
    uint64_t slots, part_slots, row_mask;
    uint64_t *table; /* [part_slots + TIDE_INDEX_TAIL] the part at hand */
    uint64_t *chunk; /* [CHUNK] */
    uint32_t max_probe;
    int overflow; /* a probe got too long */
} builder;

static tide_status read_id(const tide_index_input *in, uint64_t row, char **out, size_t *length,
                           tide_error *err) {
    uint64_t at[2] = {0};
    TIDE_TRY(tide_spool_read(in->id_at, row * 8, at, sizeof at, err));
    size_t n = (size_t)(at[1] - at[0]);
    char *id = malloc(n + 1);
    if (!id)
        return tide_fail(err, TIDE_MEMORY, "out of memory for an id of %zu bytes", n);
    tide_status status = tide_spool_read(in->ids, at[0], id, n, err);
    if (status != TIDE_OK) {
        free(id);
        return status;
    }
    id[n] = 0;
    *out = id;
    *length = n;
    return TIDE_OK;
}

/* Two rows with the same hash bits: TIDE_INPUT when it is one id twice. */
static tide_status compare_ids(const builder *b, uint64_t row, uint64_t other, tide_error *err) {
    char *x = NULL, *y = NULL;
    size_t nx = 0, ny = 0;
    tide_status status = read_id(b->in, row, &x, &nx, err);
    if (status == TIDE_OK)
        status = read_id(b->in, other, &y, &ny, err);
    if (status == TIDE_OK && nx == ny && memcmp(x, y, nx) == 0)
        status = tide_fail(err, TIDE_INPUT, "id '%.200s' comes twice: as series %llu and %llu of the run", x,
                           (unsigned long long)other + 1, (unsigned long long)row + 1);
    free(x);
    free(y);
    return status;
}

static tide_status insert(builder *b, uint64_t at, uint64_t hash, uint64_t row, tide_error *err) {
    uint64_t slot = (hash & ~b->row_mask) | (row + 1);
    for (uint32_t probe = 0; probe < TIDE_INDEX_TAIL; ++probe) {
        uint64_t there = b->table[at + probe];
        if (there == 0) {
            b->table[at + probe] = slot;
            if (probe > b->max_probe)
                b->max_probe = probe;
            return TIDE_OK;
        }
        if (((there ^ hash) & ~b->row_mask) == 0)
            TIDE_TRY(compare_ids(b, row, (there & b->row_mask) - 1, err));
    }
    b->overflow = 1;
    return TIDE_OK;
}

/* Inserts every id whose home lies in [from, from + part_slots). */
static tide_status fill_part(builder *b, uint64_t from, tide_error *err) {
    for (uint64_t row = 0; row < b->in->n_series && !b->overflow;) {
        uint64_t left = b->in->n_series - row, n = left < CHUNK ? left : CHUNK;
        TIDE_TRY(tide_spool_read(b->hash, row * 8, b->chunk, (size_t)n * 8, err));
        for (uint64_t i = 0; i < n && !b->overflow; ++i) {
            uint64_t home = b->chunk[i] & (b->slots - 1);
            if (home - from < b->part_slots)
                TIDE_TRY(insert(b, home - from, b->chunk[i], row + i, err));
        }
        row += n;
    }
    return TIDE_OK;
}

static tide_status fill(builder *b, tide_spool *slots, tide_error *err) {
    size_t tail = TIDE_INDEX_TAIL * sizeof *b->table;
    memset(b->table, 0, (size_t)b->part_slots * sizeof *b->table + tail);
    for (uint64_t from = 0; from < b->slots && !b->overflow; from += b->part_slots) {
        TIDE_TRY(fill_part(b, from, err));
        TIDE_TRY(tide_spool_put(slots, b->table, (size_t)b->part_slots * sizeof *b->table, err));
        if (from + b->part_slots == b->slots)
            break;
        memcpy(b->table, b->table + b->part_slots, tail); /* only one part is ever shorter than the tail */
        memset(b->table + TIDE_INDEX_TAIL, 0, (size_t)b->part_slots * sizeof *b->table);
    }
    return tide_spool_put(slots, b->table + b->part_slots, tail, err);
}

/* Hashes of all ids under another seed. */
static tide_status hash_ids(const builder *b, uint64_t seed, tide_spool *out, tide_error *err) {
    for (uint64_t row = 0; row < b->in->n_series; ++row) {
        char *id = NULL;
        size_t n = 0;
        TIDE_TRY(read_id(b->in, row, &id, &n, err));
        uint64_t hash = XXH3_64bits_withSeed(id, n, seed);
        free(id);
        TIDE_TRY(tide_spool_put(out, &hash, sizeof hash, err));
    }
    return tide_spool_flush(out, err);
}

/* One seed. */
static tide_status attempt(builder *b, uint64_t seed, tide_spool *slots, tide_error *err) {
    tide_spool rehashed = {.fd = -1};
    tide_status status = TIDE_OK;
    b->hash = b->in->key;
    b->max_probe = 0;
    b->overflow = 0;
    if (seed != 0) {
        status = tide_spool_open(&rehashed, b->in->dir_fd, "index hashes", err);
        if (status == TIDE_OK)
            status = hash_ids(b, seed, &rehashed, err);
        b->hash = &rehashed;
    }
    if (status == TIDE_OK)
        status = tide_spool_reset(slots, err);
    if (status == TIDE_OK)
        status = fill(b, slots, err);
    if (status == TIDE_OK)
        status = tide_spool_flush(slots, err);
    tide_spool_close(&rehashed);
    return status;
}

tide_status tide_index_build(const tide_index_input *in, tide_store_header *header, tide_spool *slots,
                             tide_error *err) {
    uint32_t row_bits = 1;
    builder b = {.in = in, .slots = 2};
    if (in->n_series > TIDE_STORE_SERIES_MAX)
        return tide_fail(err, TIDE_INPUT, "%llu series: too many for one store",
                         (unsigned long long)in->n_series);
    while (in->n_series >> row_bits != 0)
        ++row_bits;
    while (b.slots < 2 * in->n_series)
        b.slots *= 2;
    b.row_mask = ((uint64_t)1 << row_bits) - 1;
    b.part_slots = b.slots / PARTS_MAX < PART_SLOTS_MIN ? PART_SLOTS_MIN : b.slots / PARTS_MAX;
    if (b.part_slots > b.slots)
        b.part_slots = b.slots;
    b.table = malloc(((size_t)b.part_slots + TIDE_INDEX_TAIL) * sizeof *b.table);
    b.chunk = malloc(CHUNK * sizeof *b.chunk);
    tide_status status = TIDE_OK;
    uint64_t seed = header->index_seed;
    if (!b.table || !b.chunk)
        status = tide_fail(err, TIDE_MEMORY, "out of memory for the index of ids");
    for (int k = 0; status == TIDE_OK; ++k) {
        status = attempt(&b, seed + (uint64_t)k, slots, err);
        if (status == TIDE_OK && !b.overflow) {
            header->index_seed = seed + (uint64_t)k;
            header->index_slots = b.slots;
            header->index_row_bits = row_bits;
            header->index_max_probe = b.max_probe;
            break;
        }
        if (status == TIDE_OK && k + 1 == SEEDS_MAX)
            status = tide_fail(err, TIDE_INPUT, "the ids collide under %d different hashes", SEEDS_MAX);
    }
    free(b.table);
    free(b.chunk);
    return status;
}
