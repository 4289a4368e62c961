/* gather.h - rows in any order, held in memory and grouped by id: for input that is not ordered by id.
 *
 *   rows     chunks of 65536 x 24 bytes, so that growth never copies: {ds, y, next row of the series, line}
 *   series   first and last row, id: 32 bytes and the id's bytes
 *   index    open addressing over full ids, at most half full: 8 to 16 bytes a series
 *
 * A series' rows form a chain in input order. Row and line numbers have 32 bits. */
#ifndef TIDE_GATHER_H
#define TIDE_GATHER_H

#include "host/error.h"
#include <stddef.h>
#include <stdint.h>

#define TIDE_GATHER_NONE UINT32_MAX /* end of a chain */

typedef struct tide_gather_row {
    int64_t ds;
    double y;
    uint32_t next, line;
} tide_gather_row;

typedef struct tide_gather_series {
    size_t id_at;
    uint32_t id_length, first, last, first_line;
    uint8_t outcome; /* tide_outcome, and whether a row was here: as in tide_group */
    uint8_t touched, sealed;
} tide_gather_series;

typedef struct tide_gather {
    tide_gather_row **chunks;
    size_t n_rows, cap_chunks;
    tide_gather_series *series;
    size_t n_series, cap_series;
    char *ids;
    size_t ids_bytes, cap_ids;
    uint32_t *index; /* [mask + 1] series number + 1; 0 = free */
    size_t mask;
} tide_gather; /* all zero: valid and empty */

/* Number of the series with this id, made when new. */
tide_status tide_gather_series_of(tide_gather *g, const char *id, size_t id_length, uint64_t line,
                                  size_t *number, tide_error *err);
/* 1 and its number when a series with this id is there. */
int tide_gather_find(const tide_gather *g, const char *id, size_t id_length, size_t *number);
/* Appends a row to a series. */
tide_status tide_gather_push(tide_gather *g, size_t series, int64_t ds, double y, uint64_t line,
                             tide_error *err);
const tide_gather_row *tide_gather_row_at(const tide_gather *g, uint32_t row);
void tide_gather_free(tide_gather *g);

#endif
