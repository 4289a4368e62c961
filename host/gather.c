/* gather.c - see gather.h. */
#include "host/gather.h"
#include "host/hash.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BITS = 16, CHUNK_ROWS = 1 << CHUNK_BITS };

static tide_status no_memory(const tide_gather *g, tide_error *err) {
    return tide_fail(err, TIDE_MEMORY,
                     "out of memory after gathering %zu rows of %zu series: sort the input by id", g->n_rows,
                     g->n_series);
}

static int same_id(const tide_gather *g, size_t number, const char *id, size_t id_length) {
    const tide_gather_series *s = &g->series[number];
    return s->id_length == id_length && memcmp(g->ids + s->id_at, id, id_length) == 0;
}

/* Doubles the index and enters all series again. */
static int grow_index(tide_gather *g) {
    size_t capacity = g->index ? 2 * (g->mask + 1) : 1024;
    uint32_t *index = calloc(capacity, sizeof *index);
    if (!index)
        return 0;
    for (size_t i = 0; i < g->n_series; ++i) {
        size_t at =
            (size_t)tide_hash_bytes(g->ids + g->series[i].id_at, g->series[i].id_length) & (capacity - 1);
        while (index[at])
            at = (at + 1) & (capacity - 1);
        index[at] = (uint32_t)(i + 1);
    }
    free(g->index);
    g->index = index;
    g->mask = capacity - 1;
    return 1;
}

static int grow_ids(tide_gather *g, size_t need) {
    size_t capacity = g->cap_ids ? g->cap_ids : 65536;
    while (capacity < need)
        capacity *= 2;
    char *ids = realloc(g->ids, capacity);
    if (!ids)
        return 0;
    g->ids = ids;
    g->cap_ids = capacity;
    return 1;
}

static int grow_series(tide_gather *g) {
    size_t capacity = g->cap_series ? 2 * g->cap_series : 1024;
    tide_gather_series *series = realloc(g->series, capacity * sizeof *series);
    if (!series)
        return 0;
    g->series = series;
    g->cap_series = capacity;
    return 1;
}

tide_status tide_gather_series_of(tide_gather *g, const char *id, size_t id_length, uint64_t line,
                                  size_t *number, tide_error *err) {
    if ((!g->index || g->n_series > g->mask / 2) && !grow_index(g))
        return no_memory(g, err);
    size_t at = (size_t)tide_hash_bytes(id, id_length) & g->mask;
    for (; g->index[at]; at = (at + 1) & g->mask) {
        if (same_id(g, g->index[at] - 1, id, id_length)) {
            *number = g->index[at] - 1;
            return TIDE_OK;
        }
    }
    size_t need = g->ids_bytes + id_length;
    if (g->n_series >= UINT32_MAX - 1 || (g->n_series == g->cap_series && !grow_series(g)) ||
        (need > g->cap_ids && !grow_ids(g, need)))
        return no_memory(g, err);
    memcpy(g->ids + g->ids_bytes, id, id_length);
    tide_gather_series *s = &g->series[g->n_series];
    memset(s, 0, sizeof *s);
    s->id_at = g->ids_bytes;
    s->id_length = (uint32_t)id_length;
    s->first = s->last = TIDE_GATHER_NONE;
    s->first_line = line > UINT32_MAX ? UINT32_MAX : (uint32_t)line;
    g->ids_bytes = need;
    *number = g->n_series;
    g->index[at] = (uint32_t)++g->n_series;
    return TIDE_OK;
}

int tide_gather_find(const tide_gather *g, const char *id, size_t id_length, size_t *number) {
    if (!g->index)
        return 0;
    size_t at = (size_t)tide_hash_bytes(id, id_length) & g->mask;
    for (; g->index[at]; at = (at + 1) & g->mask) {
        if (same_id(g, g->index[at] - 1, id, id_length)) {
            *number = g->index[at] - 1;
            return 1;
        }
    }
    return 0;
}

static tide_gather_row *row_at(const tide_gather *g, size_t row) {
    return &g->chunks[row >> CHUNK_BITS][row & (CHUNK_ROWS - 1)];
}

const tide_gather_row *tide_gather_row_at(const tide_gather *g, uint32_t row) {
    return row_at(g, row);
}

tide_status tide_gather_push(tide_gather *g, size_t series, int64_t ds, double y, uint64_t line,
                             tide_error *err) {
    if (line > UINT32_MAX || g->n_rows >= TIDE_GATHER_NONE)
        return tide_fail(err, TIDE_INPUT,
                         "more than 2^32 rows or lines cannot be gathered: sort the input by id");
    size_t chunk = g->n_rows >> CHUNK_BITS;
    if ((g->n_rows & (CHUNK_ROWS - 1)) == 0) {
        if (chunk == g->cap_chunks) {
            size_t capacity = g->cap_chunks ? 2 * g->cap_chunks : 64;
            tide_gather_row **chunks = realloc(g->chunks, capacity * sizeof *chunks);
            if (!chunks)
                return no_memory(g, err);
            g->chunks = chunks;
            g->cap_chunks = capacity;
        }
        g->chunks[chunk] = malloc(CHUNK_ROWS * sizeof **g->chunks);
        if (!g->chunks[chunk])
            return no_memory(g, err);
    }
    tide_gather_series *s = &g->series[series];
    uint32_t row = (uint32_t)g->n_rows++;
    *row_at(g, row) = (tide_gather_row){ds, y, TIDE_GATHER_NONE, (uint32_t)line};
    if (s->last == TIDE_GATHER_NONE)
        s->first = row;
    else
        row_at(g, s->last)->next = row;
    s->last = row;
    return TIDE_OK;
}

void tide_gather_free(tide_gather *g) {
    size_t n_chunks = (g->n_rows + CHUNK_ROWS - 1) >> CHUNK_BITS;
    for (size_t i = 0; i < n_chunks; ++i)
        free(g->chunks[i]);
    free(g->chunks);
    free(g->series);
    free(g->ids);
    free(g->index);
    memset(g, 0, sizeof *g);
}
