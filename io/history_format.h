/* history_format.h - the bytes of a history: what history_write.c writes and history_map.c reads.
 *
 * A history is one file of all series of a source as intake left them, so that a nightly run reads only rows past its
 * watermark. Little-endian, columns one after the other, each at a multiple of 64 bytes:
 *
 *        0  tide_history_header     512 bytes: version, counts, grid, watermark, provenance, checksums of the rest
 *      512  tide_store_entry[15]    64 bytes a column, as in a store: name, type, offset, elements, first checksum
 *           then zero
 *     4096  values, which are written while the run goes on, then the other columns
 *
 * A series is one of two kinds.
 *   On its grid: values[value_at[i] .. value_at[i+1]), one a grid step from first_ds to last_ds; a step without a row is
 *     TIDE_GAP, a row without a value TIDE_NAN (host/regular.h). times is empty.
 *   As rows: times[time_at[i] .. time_at[i+1]) and as many values, in order of time, duplicates, rows off the grid and
 *     infinite values included. So are kept the series that intake shut out (outcome not fitted), and those from which a
 *     policy left something out or merged it. Then what was wrong may be corrected: whoever reads the rows of a window
 *     anew decides over the old rows before it and the new ones together, which is what a full read does.
 * A series is SEALED when its outcome does not follow from its rows: a row whose time or value could not be read (it has no
 * place in time), or more rows than max_length, which are not kept. EMPTY with no rows at all: each of them was unusable and
 * left out by the policies. A fitted series of more than max_length rows, duplicates counted, is kept on its grid.
 *
 * The watermark leaves out rows of the future, so that one row dated 2099 does not end all reading: such rows are read again
 * by every run. Any bound gives the same series; it decides only what is read again. Integers have no future.
 *
 * identity is a text of lines "key=value": what of the configuration decides what the rows mean. A run with another
 * identity may not add to the file. Its XXH3 stands in the header.
 *
 * Order. Bits of `order`: ids ascend bytewise; all ids are whole numbers and ascend as such. New ids are put in their
 * place where the order is known, else behind the others (history_merge.c).
 *
 * Checksums: as in a store (store_format.h), XXH3-64 of blocks of 64 KiB of each column, in block_xxh3; that column's own
 * checksum is in the header, and head_xxh3 covers the first 4096 bytes (itself as zero). Numbers of columns and flags are
 * never reused; a reader refuses any version or list of columns it does not know. */
#ifndef TIDE_HISTORY_FORMAT_H
#define TIDE_HISTORY_FORMAT_H

#include "io/store_format.h"

#define TIDE_HISTORY_MAGIC "\211TIDH\r\n\032"

enum { TIDE_HISTORY_VERSION = 1, TIDE_HISTORY_HEAD = 4096 };

/* X(NAME, column, type, extent): the columns in the order of the directory. VALUES lies first in the file. */
#define TIDE_HISTORY_COLUMNS(X)                                                                              \
    X(ID_AT, "id_at", U64, PER_SERIES_1)                                                                     \
    X(IDS, "ids", U8, HEAP)                                                                                  \
    X(OUTCOME, "outcome", U8, PER_SERIES)                                                                    \
    X(END_OF_MONTH, "end_of_month", U8, PER_SERIES)                                                          \
    X(FLAGS, "flags", U8, PER_SERIES)                                                                        \
    X(FIRST_DS, "first_ds", I64, PER_SERIES)                                                                 \
    X(LAST_DS, "last_ds", I64, PER_SERIES)                                                                   \
    X(FINGERPRINT, "fingerprint", U64, PER_SERIES) /* as in the store */                                     \
    X(CHANGED, "changed", U64, PER_SERIES)         /* generation of the history that changed it last */      \
    X(VALUE_AT, "value_at", U64, PER_SERIES_1)                                                               \
    X(TIME_AT, "time_at", U64, PER_SERIES_1)                                                                 \
    X(TIMES, "times", I64, HEAP)                                                                             \
    X(IDENTITY, "identity", U8, HEAP)                                                                        \
    X(VALUES, "values", F64, HEAP)                                                                           \
    X(BLOCK_XXH3, "block_xxh3", U64, BLOCKS)

typedef enum tide_history_column {
#define X(NAME, column, type, extent) TIDE_HIST_##NAME,
    TIDE_HISTORY_COLUMNS(X)
#undef X
        TIDE_HIST_COLUMNS
} tide_history_column;

typedef struct tide_history_text {
    const char *name;
    tide_type type;
    tide_extent extent;
} tide_history_text;

static inline tide_history_text tide_history_describe(int column) {
    static const tide_history_text list[] = {
#define X(NAME, column, type_, extent_) {.name = column, .type = TIDE_TYPE_##type_, .extent = TIDE_##extent_},
        TIDE_HISTORY_COLUMNS(X)
#undef X
    };
    return list[column];
}

enum { TIDE_SEALED = 1 };                              /* flags */
enum { TIDE_ORDER_BYTES = 1, TIDE_ORDER_NUMBERS = 2 }; /* order */

typedef struct tide_history_header {
    char magic[8];
    uint32_t version;
    uint32_t head_bytes;
    uint64_t head_xxh3; /* of the first head_bytes with this field zero */
    uint64_t file_bytes;
    uint64_t generation; /* 1, then one more with each run that wrote it */
    uint64_t n_series;
    int32_t freq_unit, freq_multiple;
    int32_t ds_kind;
    uint32_t order;
    uint32_t n_columns, block_bytes;
    uint64_t n_blocks;
    uint64_t block_xxh3_xxh3; /* of the column block_xxh3 */
    int64_t watermark;        /* largest time of a kept row, but for those in the future of the run (a day and more) */
    uint32_t has_watermark;   /* 0: no row has such a time */
    uint32_t n_shut_out;
    uint64_t identity_xxh3;
    uint64_t n_present, n_gaps, n_missing; /* values, steps without a row, rows without a value */
    uint64_t max_length;
    char run_id[TIDE_RUN_ID_BYTES];
    char code_version[64];
    char created_utc[32];
    char source[160];
    unsigned char reserved[72]; /* zero */
} tide_history_header;

_Static_assert(sizeof(tide_history_header) == TIDE_ENTRIES_AT, "header");
_Static_assert(TIDE_ENTRIES_AT + TIDE_HIST_COLUMNS * sizeof(tide_store_entry) <= TIDE_HISTORY_HEAD, "directory");

#endif
