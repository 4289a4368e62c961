/* store_format.h - the bytes of a generation file, gen-NNNNNN.h5: what store_write.c writes and store_map.c
 * reads.
 *
 * A generation is a plain HDF5 file: one contiguous dataset a column, little-endian, rows in input order. In
 * front of it lies an HDF5 user block of 16 KiB, which HDF5 ignores and which holds all that a reader without
 * libhdf5 needs:
 *
 *        0  tide_store_header     512 bytes: version, counts, grid, provenance, checksums of the rest
 *      512  tide_store_entry[32]  64 bytes a column: name, type, absolute offset, elements, first checksum
 *           then zero
 *    16384  HDF5: superblock, groups /series /member /index /run with their attributes, and the columns,
 *           each at a multiple of 64 bytes, none overlapping another
 *
 * A series' model is the members [first_member[i], first_member[i+1]); its id the bytes [id_at[i],
 * id_at[i+1]) of `ids`; a member's coefficients coef[coef_at[k] .. coef_at[k+1]) and its final states
 * likewise. Only rows that the form has are kept: host/names.h gives their number and their meaning.
 *
 * Checksums. Each column is cut into blocks of 64 KiB from its start (the last may be shorter). The XXH3-64
 * of every block of every column stands in the column index/block_xxh3, in the order of the directory; that
 * column's own checksum stands in the header, and the header's `user_block_xxh3` covers all 16 KiB (itself as
 * zero). Why blocks: a reader promises that no byte is used unverified, and yet one forecast from a store of
 * a million models must not read it all. With blocks it verifies some thirty of them (2 MB), a server all of
 * them once; a checksum a column would force the whole file on both. They cost 8 bytes in 65536.
 *
 * Index. Open addressing with linear probing, `index_slots` = a power of two >= 2 n_series, plus
 * TIDE_INDEX_TAIL slots so that a probe never wraps. Slot value 0 is empty; else the low `index_row_bits`
 * bits are row + 1 and the bits above are those of the id's hash (XXH3-64 with `index_seed`), so that nearly
 * every other id is passed over without reading it. Home slot = hash mod index_slots; no id lies more than
 * `index_max_probe` slots past its home. The full id is always compared. A lookup costs one cache miss in the
 * index, one in id_at, one in ids.
 *
 * Regressors. What the fit was given of regressors that all series share stays in the generation, its future values
 * included, so that models with coefficients of them forecast from the store alone: header.xreg_rows steps of
 * header.xreg_n values. The table is the same for all series and small beside them.
 *
 * Limits: ids up to 16 KiB, 255 members a series, 2^40 series. Numbers of types, columns and fields are never
 * reused; a reader refuses any version, type or column list it does not know. */
#ifndef TIDE_STORE_FORMAT_H
#define TIDE_STORE_FORMAT_H

#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "stores are little-endian and mapped as they are"
#endif

#define TIDE_STORE_MAGIC "\211TIDE\r\n\032" /* as PNG's and HDF5's: survives no text-mode transfer unseen */

enum {
    TIDE_STORE_VERSION = 3,
    TIDE_STORE_OLDEST = 2, /* that is read: without the columns regressor/... */
    TIDE_USER_BLOCK = 16384, /* HDF5 wants a power of two >= 512 */
    TIDE_ENTRIES_AT = 512,
    TIDE_BLOCK_BYTES = 65536, /* of a checksum */
    TIDE_COLUMN_ALIGN = 64,
    TIDE_INDEX_TAIL = 1024, /* most slots past its home at which an id may lie */
    TIDE_RUN_ID_BYTES = 40,
};
#define TIDE_STORE_SERIES_MAX ((uint64_t)1 << 40)

typedef enum tide_type {
    TIDE_TYPE_U8 = 1,
    TIDE_TYPE_U32 = 2,
    TIDE_TYPE_I32 = 3,
    TIDE_TYPE_U64 = 4,
    TIDE_TYPE_I64 = 5,
    TIDE_TYPE_F64 = 6,
    TIDE_TYPE_TEXT40 = 7, /* zero-padded text of 40 bytes */
} tide_type;

static inline uint64_t tide_type_bytes(uint32_t type) {
    switch (type) {
    case TIDE_TYPE_U8:
        return 1;
    case TIDE_TYPE_U32:
    case TIDE_TYPE_I32:
        return 4;
    case TIDE_TYPE_U64:
    case TIDE_TYPE_I64:
    case TIDE_TYPE_F64:
        return 8;
    case TIDE_TYPE_TEXT40:
        return TIDE_RUN_ID_BYTES;
    default:
        return 0;
    }
}

/* What fixes the number of elements of a column: series n, members m, runs; heaps are free. */
typedef enum tide_extent {
    TIDE_PER_SERIES,
    TIDE_PER_SERIES_1, /* n + 1: borders */
    TIDE_PER_MEMBER,
    TIDE_PER_MEMBER_1, /* m + 1: borders */
    TIDE_HEAP,
    TIDE_SLOTS, /* index_slots + TIDE_INDEX_TAIL */
    TIDE_XREG_ROWS, /* xreg_rows */
    TIDE_XREG_CELLS, /* xreg_rows * xreg_n */
    TIDE_BLOCKS /* n_blocks */
} tide_extent;

/* X(NAME, dataset, type, extent, unit, meaning): the columns in the order of the directory and of the file.
 */
#define TIDE_STORE_COLUMNS(X)                                                                                \
    X(ID_AT, "series/id_at", U64, PER_SERIES_1, "byte", "id of series i = ids[id_at[i] .. id_at[i+1])")      \
    X(IDS, "series/ids", U8, HEAP, "byte", "ids one after the other, kept exactly")                          \
    X(OUTCOME, "series/outcome", U8, PER_SERIES, "code", "how the series ended: attribute outcomes of /")    \
    X(END_OF_MONTH, "series/end_of_month", U8, PER_SERIES, "0 or 1",                                         \
      "the series keeps to last days of months")                                                             \
    X(FIRST_DS, "series/first_ds", I64, PER_SERIES, "ds_kind of /", "time of the first value")               \
    X(LAST_DS, "series/last_ds", I64, PER_SERIES, "ds_kind of /",                                            \
      "time of the last value; forecasts follow it")                                                         \
    X(N_VALUES, "series/n_values", I32, PER_SERIES, "step", "grid steps from first_ds to last_ds")           \
    X(N_OBS, "series/n_obs", I32, PER_SERIES, "value", "values present")                                     \
    X(SCALE, "series/scale", F64, PER_SERIES, "unit of y", "power of two by which the series was divided")   \
    X(FINGERPRINT, "series/fingerprint", U64, PER_SERIES, "hash", "of first_ds and the values fitted on")    \
    X(KEY, "series/key", U64, PER_SERIES, "XXH3-64", "of the id: its stream of random numbers")              \
    X(BACKTEST_ERROR, "series/backtest_error", F64, PER_SERIES, "1",                                         \
      "error of the backtest; NaN = none yet")                                                               \
    X(RUN, "series/run", U32, PER_SERIES, "row of run/id", "the run that fitted the series")                 \
    X(FIRST_MEMBER, "series/first_member", U64, PER_SERIES_1, "row of member/*",                             \
      "members of series i = first_member[i] .. first_member[i+1]")                                          \
    X(FAMILY, "member/family", U8, PER_MEMBER, "code", "model family: attribute families of /")              \
    X(FORM, "member/form", U32, PER_MEMBER, "code", "form within the family: attributes ets_forms, arima_forms of /")       \
    X(CONVERGED, "member/converged", U8, PER_MEMBER, "0 or 1", "the optimiser converged")                    \
    X(N_PARAMS, "member/n_params", I32, PER_MEMBER, "1",                                                     \
      "parameters counted by the criterion, sigma2 included")                                                \
    X(WEIGHT, "member/weight", F64, PER_MEMBER, "1", "weights of a series sum to 1")                         \
    X(SIGMA2, "member/sigma2", F64, PER_MEMBER, "unit of y squared",                                         \
      "innovation variance; relative for M error")                                                           \
    X(LOGLIK, "member/loglik", F64, PER_MEMBER, "1", "log-likelihood as R's ets() defines it")               \
    X(CRITERION, "member/criterion", F64, PER_MEMBER, "1", "information criterion of the run (AICc)")        \
    X(COEF_AT, "member/coef_at", U64, PER_MEMBER_1, "row of coef", "coefficients of member k")               \
    X(STATE_AT, "member/state_at", U64, PER_MEMBER_1, "row of state", "final states of member k")            \
    X(COEF, "member/coef", F64, HEAP, "1",                                                                   \
      "coefficients: ETS alpha, beta, gamma, phi as far as the form goes; ARIMA ar, ma, sar, sma, mean or "     \
      "drift, regression, lambda, steps")                                                                    \
    X(STATE, "member/state", F64, HEAP, "unit of y",                                                                     \
      "states at last_ds: ETS level, trend, then the season; ARIMA state of w, then lags")                   \
    X(SLOT, "index/slot", U64, SLOTS, "hash bits | row + 1",                                                 \
      "open-addressing index from id to row; 0 = empty")                                                     \
    X(RUN_ID, "run/id", TEXT40, HEAP, "text", "run ids: rows of runs.db")                                    \
    X(XREG_NAMES, "regressor/names", U8, HEAP, "byte", "names of the regressors, each ended by a zero byte")    \
    X(XREG_PRESENT, "regressor/present", U8, XREG_ROWS, "0 or 1", "there are values at the step")            \
    X(XREG_X, "regressor/x", F64, XREG_CELLS, "1",                                                           \
      "value of regressor c at step t after regressors_first of /: x[t*n_regressors + c]")                   \
    X(BLOCK_XXH3, "index/block_xxh3", U64, BLOCKS, "XXH3-64",                                                \
      "checksum of each 64 KiB block of the columns above")

typedef enum tide_store_column {
#define X(NAME, dataset, type, extent, unit, meaning) TIDE_COL_##NAME,
    TIDE_STORE_COLUMNS(X)
#undef X
        TIDE_COLUMNS
} tide_store_column;

typedef struct tide_column_text {
    const char *name, *unit, *meaning;
    tide_type type;
    tide_extent extent;
} tide_column_text;

static inline tide_column_text tide_column_describe(int column) {
    static const tide_column_text list[] = {
#define X(NAME, dataset, type_, extent_, unit_, meaning_)                                                    \
    {.name = dataset,                                                                                        \
     .unit = unit_,                                                                                          \
     .meaning = meaning_,                                                                                    \
     .type = TIDE_TYPE_##type_,                                                                              \
     .extent = TIDE_##extent_},
        TIDE_STORE_COLUMNS(X)
#undef X
    };
    return list[column];
}

typedef struct tide_store_header {
    char magic[8];
    uint32_t version;
    uint32_t user_block_bytes;
    uint64_t user_block_xxh3; /* of the whole user block with this field zero */
    uint64_t file_bytes;
    uint64_t generation;
    uint64_t n_series, n_members;
    int32_t freq_unit, freq_multiple;
    int32_t season, ds_kind;
    uint64_t seed;
    uint64_t index_seed, index_slots;
    uint32_t index_row_bits, index_max_probe;
    uint32_t n_columns, block_bytes;
    uint64_t n_blocks;
    uint64_t block_xxh3_xxh3; /* of the column index/block_xxh3 */
    char run_id[TIDE_RUN_ID_BYTES];
    char code_version[64];
    char created_utc[32];
    char backend[64];
    int64_t xreg_first_ds;
    uint64_t xreg_rows;
    int32_t xreg_n, xreg_end_of_month; /* all 0 where there are none, and in version 2 */
    unsigned char reserved[160];       /* zero */
} tide_store_header;

typedef struct tide_store_entry {
    char name[32]; /* zero-padded */
    uint32_t type;
    uint32_t reserved; /* zero */
    uint64_t offset;   /* from the start of the file; 0 when there are no elements */
    uint64_t count;
    uint64_t first_block; /* of its checksums in index/block_xxh3; 0 for that column itself */
} tide_store_entry;

_Static_assert(sizeof(tide_store_header) == TIDE_ENTRIES_AT, "header");
_Static_assert(sizeof(tide_store_entry) == 64, "entry");
_Static_assert(TIDE_ENTRIES_AT + TIDE_COLUMNS * sizeof(tide_store_entry) <= TIDE_USER_BLOCK, "directory");

/* Columns of a version; entry of column i in its directory, -1: none. */
enum { TIDE_XREG_COLUMNS = 3 };
_Static_assert((int)TIDE_COL_XREG_NAMES + TIDE_XREG_COLUMNS == (int)TIDE_COL_BLOCK_XXH3, "the new columns stand together");
static inline int tide_store_columns_of(uint32_t version) {
    return version < 3 ? TIDE_COLUMNS - TIDE_XREG_COLUMNS : TIDE_COLUMNS;
}
static inline int tide_store_entry_of(uint32_t version, int column) {
    if (version >= 3 || column < (int)TIDE_COL_XREG_NAMES)
        return column;
    return column == (int)TIDE_COL_BLOCK_XXH3 ? (int)TIDE_COL_XREG_NAMES : -1;
}

/* Blocks of a column of `bytes` bytes. */
static inline uint64_t tide_blocks_of(uint64_t bytes) {
    return bytes / TIDE_BLOCK_BYTES + (bytes % TIDE_BLOCK_BYTES != 0);
}

#endif
