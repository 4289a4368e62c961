/* history_map.h - the reader of a history (history_format.h): maps the file and hands out verified series. */
#ifndef TIDE_HISTORY_MAP_H
#define TIDE_HISTORY_MAP_H

#include "host/error.h"
#include "io/history_format.h"

#include <stddef.h>

/* A series of a history, or one on its way into it; everything borrowed. */
typedef struct tide_history_series {
    const char *id;
    size_t id_length;
    int64_t first_ds, last_ds;
    uint8_t outcome, end_of_month, flags;
    uint64_t fingerprint, changed;
    const double *values; /* [n] */
    const int64_t *times; /* [n] of a series that is kept as rows; NULL: one value a grid step */
    size_t n;
} tide_history_series;

typedef struct tide_history_file tide_history_file;

/* Opens and checks header and directory. TIDE_NOT_FOUND: there is no such file; TIDE_STORE: damaged, of another version or
 * no history, with the column named; TIDE_DISK: cannot be read. */
tide_status tide_history_map(const char *path, tide_history_file **out, tide_error *err);
void tide_history_unmap(tide_history_file *file); /* NULL is allowed */
const tide_history_header *tide_history_get_header(const tide_history_file *file);
/* Lines "key=value\n"; not terminated. */
tide_status tide_history_identity(tide_history_file *file, const char **text, size_t *length, tide_error *err);
/* Series i, every byte of it verified; pointers stay valid until the unmap. */
tide_status tide_history_get(tide_history_file *file, uint64_t i, tide_history_series *out, tide_error *err);
/* Its id alone. */
tide_status tide_history_get_id(tide_history_file *file, uint64_t i, const char **id, size_t *length, tide_error *err);
/* Reads and checks everything: all blocks, all series. */
tide_status tide_history_verify(tide_history_file *file, tide_error *err);
/* The values of series before i are not needed for now: their pages may go, so that a pass over the file stays small. */
void tide_history_forget_before(tide_history_file *file, uint64_t i);

#endif
