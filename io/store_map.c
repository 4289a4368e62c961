/* store_map.c - the store's reader: maps a generation file and hands out verified pieces of it. No libhdf5.
 *
 * Everything goes through take(): a piece of a column is first checked against the column's bounds, then the
 * checksum blocks that it touches are verified, each once, and only then a pointer is given out. A bitmap
 * remembers verified blocks; it is atomic, two threads may verify one block at the same time and both set its
 * bit. The user block is read into memory, verified, and only then looked at; every count, size and offset in
 * it is checked for overflow, overlap and bounds before the first use, and borders within the columns (id_at,
 * first_member, coef_at, state_at) where they are used. So a file with any content whatsoever is refused or
 * read, never more.
 *
 * Limits. A generation is immutable by contract (mode 0444, replaced by rename); the checks hold against
 * damage, not against a process that rewrites a verified block in place. Should the file shrink while mapped,
 * the size check at each first touch of a block says so; touching a lost page that was verified before raises
 * SIGBUS, as with any mapping: the command line ends with TIDE_STORE then (host/main.c), a server that must
 * survive it installs a handler of its own. */
#include "host/names.h"
#include "host/tidemill_predict.h"
#include "io/store_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

typedef struct mapped_column {
    const unsigned char *base;
    uint64_t count, bytes, first_block;
    uint64_t size; /* of an element */
} mapped_column;

struct tide_store {
    int fd;
    const unsigned char *map;
    uint64_t file_bytes;
    tide_store_header header;
    mapped_column column[TIDE_COLUMNS];
    _Atomic uint64_t *verified; /* a bit a block */
    double id_bytes_mean;       /* a guess where an id lies */
    char path[512];             /* for messages; cut when longer */
};

static tide_status damaged(const tide_store *s, tide_error *err, int column, const char *what) {
    return tide_fail(err, TIDE_STORE, "store '%s': column %s is damaged: %s", s->path,
                     tide_column_describe(column).name, what);
}

/* The file still as long as it was? mmap itself does not notice. */
static tide_status check_size(const tide_store *s, tide_error *err) {
    struct stat st;
    if (fstat(s->fd, &st) != 0)
        return tide_fail(err, TIDE_STORE, "store '%s': %s", s->path, strerror(errno));
    if ((uint64_t)st.st_size != s->file_bytes)
        return tide_fail(err, TIDE_STORE, "store '%s': the file changed its size from %llu to %lld bytes",
                         s->path, (unsigned long long)s->file_bytes, (long long)st.st_size);
    return TIDE_OK;
}

/* Bytes of block b of a column. */
static inline size_t block_bytes(const mapped_column *c, uint64_t b) {
    uint64_t left = c->bytes - b * TIDE_BLOCK_BYTES;
    return (size_t)(left < TIDE_BLOCK_BYTES ? left : TIDE_BLOCK_BYTES);
}

/* Block b of the column, its content at p, against its checksum. */
static tide_status verify_block(const tide_store *s, int column, uint64_t b, const unsigned char *p,
                                tide_error *err) {
    const mapped_column *c = &s->column[column];
    uint64_t number = c->first_block + b, expected;
    memcpy(&expected, s->column[TIDE_COL_BLOCK_XXH3].base + number * 8, 8);
    if (XXH3_64bits(p, block_bytes(c, b)) != expected) {
        char what[96];
        snprintf(what, sizeof what, "the checksum of block %llu of %llu differs", (unsigned long long)b + 1,
                 (unsigned long long)tide_blocks_of(c->bytes));
        return damaged(s, err, column, what);
    }
    atomic_fetch_or_explicit(&s->verified[number / 64], (uint64_t)1 << (number % 64), memory_order_release);
    return TIDE_OK;
}

/* The first touch of a block. */
static tide_status touch_block(const tide_store *s, int column, uint64_t b, tide_error *err) {
    TIDE_TRY(check_size(s, err));
    return verify_block(s, column, b, s->column[column].base + b * TIDE_BLOCK_BYTES, err);
}

/* Elements [first, first + count) of a column, in bounds and verified. */
static inline tide_status take(const tide_store *s, int column, uint64_t first, uint64_t count,
                               const unsigned char **out, tide_error *err) {
    const mapped_column *c = &s->column[column];
    if (first > c->count || count > c->count - first)
        return damaged(s, err, column, "an offset leads past its end");
    *out = c->base;
    if (count == 0)
        return TIDE_OK;
    uint64_t from = first * c->size, to = from + count * c->size - 1;
    for (uint64_t b = from / TIDE_BLOCK_BYTES; b <= to / TIDE_BLOCK_BYTES; ++b) {
        uint64_t number = c->first_block + b;
        uint64_t word = atomic_load_explicit(&s->verified[number / 64], memory_order_acquire);
        if (!(word >> (number % 64) & 1))
            TIDE_TRY(touch_block(s, column, b, err));
    }
    *out = c->base + from;
    return TIDE_OK;
}

/* Element i of a column of `bytes` wide elements, by value. */
static inline tide_status take_value(const tide_store *s, int column, uint64_t i, void *out,
                                     tide_error *err) {
    const unsigned char *p = NULL;
    TIDE_TRY(take(s, column, i, 1, &p, err));
    memcpy(out, p, (size_t)s->column[column].size);
    return TIDE_OK;
}

/* Borders [at[i], at[i+1]) into a column of `end` elements. */
static inline tide_status take_borders(const tide_store *s, int column, uint64_t i, uint64_t end,
                                       uint64_t out[2], tide_error *err) {
    const unsigned char *p = NULL;
    TIDE_TRY(take(s, column, i, 2, &p, err));
    uint64_t at[2] = {0};
    memcpy(at, p, sizeof at);
    if (at[0] > at[1] || at[1] > end)
        return damaged(s, err, column, "its offsets are out of order or bounds");
    memcpy(out, at, sizeof at);
    return TIDE_OK;
}

/* --- opening
 * ------------------------------------------------------------------------------------------------ */

static int is_text(const char *text, size_t size) {
    return memchr(text, 0, size) != NULL;
}

static tide_status refuse(const tide_store *s, tide_error *err, const char *what) {
    return tide_fail(err, TIDE_STORE, "store '%s': the directory is damaged: %s", s->path, what);
}

static tide_status check_header(const tide_store *s, tide_error *err) {
    const tide_store_header *h = &s->header;
    if (h->user_block_bytes != TIDE_USER_BLOCK || h->block_bytes != TIDE_BLOCK_BYTES)
        return refuse(s, err, "unknown block sizes");
    if (h->n_columns != (uint32_t)tide_store_columns_of(h->version))
        return refuse(s, err, "unknown number of columns");
    if (h->file_bytes != s->file_bytes)
        return tide_fail(err, TIDE_STORE, "store '%s': the file has %llu bytes, but was written with %llu",
                         s->path, (unsigned long long)s->file_bytes, (unsigned long long)h->file_bytes);
    if (h->n_series > TIDE_STORE_SERIES_MAX || h->n_members > h->n_series * 255)
        return refuse(s, err, "impossible numbers of series and members");
    if (h->season < 1 || h->season > TIDE_SEASON_MAX)
        return refuse(s, err, "impossible season");
    if (h->freq_unit < TIDE_UNIT_STEP || h->freq_unit > TIDE_UNIT_YEAR || h->freq_multiple < 1)
        return refuse(s, err, "unknown frequency");
    if (h->ds_kind < TIDE_DS_INTEGER || h->ds_kind > TIDE_DS_TIMESTAMP)
        return refuse(s, err, "unknown kind of ds");
    if (h->index_slots == 0 || (h->index_slots & (h->index_slots - 1)) != 0 ||
        h->index_slots > 4 * TIDE_STORE_SERIES_MAX || h->index_max_probe >= TIDE_INDEX_TAIL)
        return refuse(s, err, "impossible index");
    if (h->index_row_bits < 1 || h->index_row_bits > 48 || h->n_series >> h->index_row_bits != 0)
        return refuse(s, err, "impossible width of index rows");
    if (h->xreg_n < 0 || h->xreg_n > TIDE_XREG_MAX || h->xreg_rows > TIDE_STORE_SERIES_MAX ||
        (h->xreg_n == 0) != (h->xreg_rows == 0))
        return refuse(s, err, "impossible numbers of regressors");
    if (!is_text(h->run_id, sizeof h->run_id) || !is_text(h->code_version, sizeof h->code_version) ||
        !is_text(h->created_utc, sizeof h->created_utc) || !is_text(h->backend, sizeof h->backend))
        return refuse(s, err, "a text without an end");
    return TIDE_OK;
}

/* 1 when the directory's element count is what the header makes it. */
static int count_fits(const tide_store_header *h, tide_extent extent, uint64_t count) {
    switch (extent) {
    case TIDE_PER_SERIES:
        return count == h->n_series;
    case TIDE_PER_SERIES_1:
        return count == h->n_series + 1;
    case TIDE_PER_MEMBER:
        return count == h->n_members;
    case TIDE_PER_MEMBER_1:
        return count == h->n_members + 1;
    case TIDE_SLOTS:
        return count == h->index_slots + TIDE_INDEX_TAIL;
    case TIDE_XREG_ROWS:
        return count == h->xreg_rows;
    case TIDE_XREG_CELLS:
        return count == h->xreg_rows * (uint64_t)h->xreg_n;
    case TIDE_BLOCKS:
        return count == h->n_blocks;
    case TIDE_HEAP:
        return 1;
    }
    return 0;
}

static tide_status check_entry(tide_store *s, int i, const tide_store_entry *e, uint64_t *blocks,
                               tide_error *err) {
    tide_column_text known = tide_column_describe(i);
    char name[sizeof e->name] = {0};
    memcpy(name, known.name, strlen(known.name));
    if (memcmp(name, e->name, sizeof name) != 0)
        return refuse(s, err, "unknown column");
    if (e->type != (uint32_t)known.type)
        return damaged(s, err, i, "unknown type");
    if (!count_fits(&s->header, known.extent, e->count))
        return damaged(s, err, i, "wrong number of elements");
    uint64_t bytes, end;
    if (__builtin_mul_overflow(e->count, tide_type_bytes(e->type), &bytes) ||
        __builtin_add_overflow(e->offset, bytes, &end) || end > s->file_bytes)
        return damaged(s, err, i, "it lies outside the file");
    if (bytes > 0 && (e->offset < TIDE_USER_BLOCK || e->offset % TIDE_COLUMN_ALIGN != 0))
        return damaged(s, err, i, "impossible offset");
    for (int j = 0; j < i && bytes > 0; ++j) {
        uint64_t other = (uint64_t)(s->column[j].base - s->map);
        if (s->column[j].bytes > 0 && e->offset < other + s->column[j].bytes && other < end)
            return damaged(s, err, i, "it overlaps another column");
    }
    uint64_t first = i == TIDE_COL_BLOCK_XXH3 ? 0 : *blocks;
    if (e->first_block != first)
        return damaged(s, err, i, "its checksums are out of place");
    if (i != TIDE_COL_BLOCK_XXH3)
        *blocks += tide_blocks_of(bytes);
    s->column[i] = (mapped_column){.base = s->map + (bytes > 0 ? e->offset : 0),
                                   .count = e->count,
                                   .bytes = bytes,
                                   .first_block = e->first_block,
                                   .size = tide_type_bytes(e->type)};
    return TIDE_OK;
}

/* Reads n bytes at an offset of the file; 0 when there are none. */
static int read_exactly(int fd, unsigned char *out, size_t n, uint64_t at) {
    while (n > 0) {
        ssize_t got = pread(fd, out, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        out += got;
        n -= (size_t)got;
        at += (uint64_t)got;
    }
    return 1;
}

/* Reads and checks the user block; afterwards header and columns can be trusted, the columns' content not
 * yet. */
static tide_status read_directory(tide_store *s, tide_error *err) {
    _Alignas(8) unsigned char block[TIDE_USER_BLOCK];
    tide_store_header *h = &s->header;
    if (!read_exactly(s->fd, block, sizeof block, 0))
        return tide_fail(err, TIDE_STORE, "store '%s': cannot be read", s->path);
    if (memcmp(block, TIDE_STORE_MAGIC, sizeof h->magic) != 0)
        return tide_fail(err, TIDE_STORE, "store '%s': not a model store of tidemill", s->path);
    memcpy(h, block, sizeof *h);
    if (h->version < TIDE_STORE_OLDEST || h->version > TIDE_STORE_VERSION)
        return tide_fail(err, TIDE_STORE, "store '%s': format version %u, this program reads versions %d to %d",
                         s->path, h->version, TIDE_STORE_OLDEST, TIDE_STORE_VERSION);
    memset(block + offsetof(tide_store_header, user_block_xxh3), 0, 8);
    if (XXH3_64bits(block, sizeof block) != h->user_block_xxh3)
        return refuse(s, err, "its checksum differs");
    TIDE_TRY(check_header(s, err));
    uint64_t blocks = 0;
    for (int i = 0; i < TIDE_COLUMNS; ++i) {
        tide_store_entry e;
        int at = tide_store_entry_of(h->version, i);
        if (at < 0) { /* an older store lacks the column */
            s->column[i] = (mapped_column){.base = s->map, .size = tide_type_bytes(tide_column_describe(i).type)};
            continue;
        }
        memcpy(&e, block + TIDE_ENTRIES_AT + (size_t)at * sizeof e, sizeof e);
        TIDE_TRY(check_entry(s, i, &e, &blocks, err));
    }
    if (blocks != h->n_blocks)
        return refuse(s, err, "wrong number of block checksums");
    if (h->n_series > 0)
        s->id_bytes_mean = (double)s->column[TIDE_COL_IDS].bytes / (double)h->n_series;
    return TIDE_OK;
}

/* Every block, read rather than touched in the map: whole stores do not become resident, and a file that
 * shrinks meanwhile is an error, not a signal. */
static tide_status verify_all(const tide_store *s, tide_error *err) {
    unsigned char *buffer = malloc(TIDE_BLOCK_BYTES);
    if (!buffer)
        return tide_fail(err, TIDE_MEMORY, "store '%s': out of memory", s->path);
    tide_status status = TIDE_OK;
    for (int i = 0; i < TIDE_COL_BLOCK_XXH3; ++i) {
        const mapped_column *c = &s->column[i];
        for (uint64_t b = 0; b < tide_blocks_of(c->bytes) && status == TIDE_OK; ++b) {
            uint64_t at = (uint64_t)(c->base - s->map) + b * TIDE_BLOCK_BYTES;
            status = read_exactly(s->fd, buffer, block_bytes(c, b), at)
                         ? verify_block(s, i, b, buffer, err)
                         : damaged(s, err, i, "it cannot be read");
        }
    }
    free(buffer);
    return status;
}

/* gen-000007.h5 -> 7; 0 for any other name. */
static uint64_t generation_of(const char *name) {
    if (strncmp(name, "gen-", 4) != 0)
        return 0;
    uint64_t n = 0;
    const char *p = name + 4;
    for (; *p >= '0' && *p <= '9' && p - name < 20; ++p)
        n = n * 10 + (uint64_t)(*p - '0');
    return p - name >= 10 && strcmp(p, ".h5") == 0 ? n : 0;
}

/* Opens what CURRENT names: a generation file in the directory itself, not a link. A publish may remove the
 * old generation between our two looks, so a name that has just vanished is looked up again. */
static tide_status open_current(int dir, const char *path, int *fd, uint64_t *generation, tide_error *err) {
    char name[64];
    for (int attempt = 0; attempt < 4; ++attempt) {
        ssize_t n = readlinkat(dir, "CURRENT", name, sizeof name - 1);
        if (n < 0)
            return tide_fail(err, TIDE_STORE,
                             errno == ENOENT
                                 ? "store '%s': nothing has been published in this directory (no CURRENT)"
                                 : "store '%s': CURRENT is not a link",
                             path);
        name[n] = 0;
        *generation = generation_of(name);
        if (*generation == 0)
            return tide_fail(err, TIDE_STORE, "store '%s': CURRENT names '%s', which is no generation file",
                             path, name);
        *fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (*fd >= 0)
            return TIDE_OK;
        if (errno != ENOENT)
            return tide_fail(err, TIDE_STORE, "store '%s/%s': %s", path, name,
                             errno == ELOOP ? "is a link" : strerror(errno));
    }
    return tide_fail(err, TIDE_STORE, "store '%s': CURRENT names %s, which is missing", path, name);
}

static tide_status open_file(tide_store *s, const char *path, tide_error *err) {
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    snprintf(s->path, sizeof s->path, "%s", path);
    struct stat st;
    if (s->fd < 0 || fstat(s->fd, &st) != 0)
        return tide_fail(err, TIDE_STORE, "store '%s': %s", s->path, strerror(errno));
    uint64_t generation = 0;
    if (S_ISDIR(st.st_mode)) {
        int dir = s->fd;
        s->fd = -1;
        tide_status status = open_current(dir, path, &s->fd, &generation, err);
        close(dir);
        TIDE_TRY(status);
        snprintf(s->path, sizeof s->path, "%s/gen-%06llu.h5", path, (unsigned long long)generation);
        if (fstat(s->fd, &st) != 0)
            return tide_fail(err, TIDE_STORE, "store '%s': %s", s->path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode))
        return tide_fail(err, TIDE_STORE, "store '%s': not a regular file", s->path);
    if (st.st_size < TIDE_USER_BLOCK)
        return tide_fail(err, TIDE_STORE,
                         "store '%s': not a model store of tidemill, or cut short: %lld bytes", s->path,
                         (long long)st.st_size);
    s->file_bytes = (uint64_t)st.st_size;
    void *map = mmap(NULL, (size_t)s->file_bytes, PROT_READ, MAP_SHARED, s->fd, 0);
    if (map == MAP_FAILED)
        return tide_fail(err, errno == ENOMEM ? TIDE_MEMORY : TIDE_STORE, "store '%s': cannot be mapped: %s",
                         s->path, strerror(errno));
    s->map = map;
    TIDE_TRY(read_directory(s, err));
    if (generation != 0 && s->header.generation != generation)
        return tide_fail(err, TIDE_STORE, "store '%s': the file is generation %llu under another name",
                         s->path, (unsigned long long)s->header.generation);
    return TIDE_OK;
}

tide_status tide_store_open(const char *path, tide_verify verify, tide_store **out, tide_error *err) {
    tide_store *s = calloc(1, sizeof *s);
    if (!s)
        return tide_fail(err, TIDE_MEMORY, "store '%s': out of memory", path);
    s->fd = -1;
    tide_status status = open_file(s, path, err);
    if (status == TIDE_OK) {
        const mapped_column *sums = &s->column[TIDE_COL_BLOCK_XXH3];
        s->verified = calloc((size_t)(s->header.n_blocks / 64 + 1), sizeof *s->verified);
        if (!s->verified)
            status = tide_fail(err, TIDE_MEMORY, "store '%s': out of memory", s->path);
        else if (XXH3_64bits(sums->base, (size_t)sums->bytes) != s->header.block_xxh3_xxh3)
            status = damaged(s, err, TIDE_COL_BLOCK_XXH3, "its checksum differs");
        else if (verify == TIDE_VERIFY_ALL)
            status = verify_all(s, err);
    }
    if (status != TIDE_OK) {
        tide_store_close(s);
        return status;
    }
    *out = s;
    return TIDE_OK;
}

void tide_store_close(tide_store *s) {
    if (!s)
        return;
    if (s->map)
        munmap((void *)(uintptr_t)s->map, (size_t)s->file_bytes);
    if (s->fd >= 0)
        close(s->fd);
    free((void *)s->verified);
    free(s);
}

void tide_store_get_info(const tide_store *s, tide_store_info *info) {
    const tide_store_header *h = &s->header;
    *info = (tide_store_info){.format_version = h->version,
                              .generation = h->generation,
                              .n_series = h->n_series,
                              .n_members = h->n_members,
                              .freq = {h->freq_unit, h->freq_multiple},
                              .season = h->season,
                              .ds_kind = (tide_ds_kind)h->ds_kind,
                              .seed = h->seed,
                              .file_bytes = s->file_bytes};
    memcpy(info->run_id, h->run_id, sizeof info->run_id);
    memcpy(info->code_version, h->code_version, sizeof info->code_version);
    memcpy(info->created_utc, h->created_utc, sizeof info->created_utc);
    memcpy(info->backend, h->backend, sizeof info->backend);
}

/* --- looking up and reading
 * ----------------------------------------------------------------------------------- */

tide_status tide_store_find(const tide_store *s, const char *id, size_t id_length, int64_t *row,
                            tide_error *err) {
    const tide_store_header *h = &s->header;
    uint64_t hash = XXH3_64bits_withSeed(id, id_length, h->index_seed);
    uint64_t home = hash & (h->index_slots - 1), row_mask = ((uint64_t)1 << h->index_row_bits) - 1;
    const unsigned char *slots = NULL;
    TIDE_TRY(take(s, TIDE_COL_SLOT, home, (uint64_t)h->index_max_probe + 1, &slots, err));
    for (uint64_t k = 0; k <= h->index_max_probe; ++k) {
        uint64_t slot;
        memcpy(&slot, slots + k * 8, 8);
        if (slot == 0)
            break;
        if ((slot ^ hash) & ~row_mask)
            continue;
        if ((slot & row_mask) == 0 || (slot & row_mask) > h->n_series)
            return damaged(s, err, TIDE_COL_SLOT, "it names a series that does not exist");
        uint64_t candidate = (slot & row_mask) - 1, at[2] = {0};
        const unsigned char *bytes = NULL;
        /* Ids of like length lie about here: the two misses below then overlap. */
        __builtin_prefetch(s->column[TIDE_COL_IDS].base + (uint64_t)((double)candidate * s->id_bytes_mean));
        TIDE_TRY(take_borders(s, TIDE_COL_ID_AT, candidate, s->column[TIDE_COL_IDS].count, at, err));
        if (at[1] - at[0] != id_length)
            continue;
        TIDE_TRY(take(s, TIDE_COL_IDS, at[0], id_length, &bytes, err));
        if (memcmp(bytes, id, id_length) == 0) {
            *row = (int64_t)candidate;
            return TIDE_OK;
        }
    }
    *row = -1;
    return TIDE_OK;
}

tide_status tide_store_xreg(const tide_store *s, tide_xreg_table *out, tide_error *err) {
    const tide_store_header *h = &s->header;
    const unsigned char *names = NULL, *present = NULL, *x = NULL;
    uint64_t bytes = s->column[TIDE_COL_XREG_NAMES].count, rows = h->xreg_rows;
    int32_t texts = 0;
    TIDE_TRY(take(s, TIDE_COL_XREG_NAMES, 0, bytes, &names, err));
    TIDE_TRY(take(s, TIDE_COL_XREG_PRESENT, 0, rows, &present, err));
    TIDE_TRY(take(s, TIDE_COL_XREG_X, 0, rows * (uint64_t)h->xreg_n, &x, err));
    for (uint64_t i = 0; i < bytes && texts <= h->xreg_n; ++i)
        texts += names[i] == 0;
    if (texts != h->xreg_n || (bytes > 0 && names[bytes - 1] != 0))
        return damaged(s, err, TIDE_COL_XREG_NAMES, "not a name for each regressor");
    *out = (tide_xreg_table){.n = h->xreg_n,
                             .end_of_month = h->xreg_end_of_month,
                             .rows = (int64_t)rows,
                             .first_ds = h->xreg_first_ds,
                             .x = (const double *)(const void *)x,
                             .present = present,
                             .names = (const char *)names};
    return TIDE_OK;
}

tide_status tide_store_series(const tide_store *s, int64_t row, tide_series_model *out, tide_error *err) {
    if (row < 0 || (uint64_t)row >= s->header.n_series)
        return tide_fail(err, TIDE_NOT_FOUND, "store '%s': no row %lld: it has %llu series", s->path,
                         (long long)row, (unsigned long long)s->header.n_series);
    uint64_t i = (uint64_t)row, at[2] = {0}, members[2] = {0};
    const unsigned char *id = NULL;
    tide_series_model m = {0};
    TIDE_TRY(take_borders(s, TIDE_COL_ID_AT, i, s->column[TIDE_COL_IDS].count, at, err));
    TIDE_TRY(take(s, TIDE_COL_IDS, at[0], at[1] - at[0], &id, err));
    TIDE_TRY(take_borders(s, TIDE_COL_FIRST_MEMBER, i, s->header.n_members, members, err));
    if (members[1] - members[0] > 255)
        return damaged(s, err, TIDE_COL_FIRST_MEMBER, "too many members");
    m.id = (const char *)id;
    m.id_length = (size_t)(at[1] - at[0]);
    m.first_member = members[0];
    m.n_members = (int32_t)(members[1] - members[0]);
    TIDE_TRY(take_value(s, TIDE_COL_OUTCOME, i, &m.outcome, err));
    TIDE_TRY(take_value(s, TIDE_COL_END_OF_MONTH, i, &m.end_of_month, err));
    TIDE_TRY(take_value(s, TIDE_COL_N_VALUES, i, &m.n_values, err));
    TIDE_TRY(take_value(s, TIDE_COL_N_OBS, i, &m.n_obs, err));
    TIDE_TRY(take_value(s, TIDE_COL_FIRST_DS, i, &m.first_ds, err));
    TIDE_TRY(take_value(s, TIDE_COL_LAST_DS, i, &m.last_ds, err));
    TIDE_TRY(take_value(s, TIDE_COL_SCALE, i, &m.scale, err));
    TIDE_TRY(take_value(s, TIDE_COL_BACKTEST_ERROR, i, &m.backtest_error, err));
    TIDE_TRY(take_value(s, TIDE_COL_FINGERPRINT, i, &m.fingerprint, err));
    TIDE_TRY(take_value(s, TIDE_COL_KEY, i, &m.key, err));
    *out = m;
    return TIDE_OK;
}

tide_status tide_store_member(const tide_store *s, const tide_series_model *series, int32_t j,
                              tide_member *out, tide_error *err) {
    if (j < 0 || j >= series->n_members)
        return tide_fail(err, TIDE_NOT_FOUND, "store '%s': no member %d: the series has %d", s->path, (int)j,
                         (int)series->n_members);
    uint64_t k = series->first_member + (uint64_t)j, coef[2] = {0}, state[2] = {0};
    const unsigned char *coefs = NULL, *states = NULL;
    tide_member m = {0};
    TIDE_TRY(take_value(s, TIDE_COL_FAMILY, k, &m.family, err));
    TIDE_TRY(take_value(s, TIDE_COL_FORM, k, &m.form, err));
    TIDE_TRY(take_value(s, TIDE_COL_CONVERGED, k, &m.converged, err));
    TIDE_TRY(take_value(s, TIDE_COL_N_PARAMS, k, &m.n_params, err));
    TIDE_TRY(take_value(s, TIDE_COL_WEIGHT, k, &m.weight, err));
    TIDE_TRY(take_value(s, TIDE_COL_SIGMA2, k, &m.sigma2, err));
    TIDE_TRY(take_value(s, TIDE_COL_LOGLIK, k, &m.loglik, err));
    TIDE_TRY(take_value(s, TIDE_COL_CRITERION, k, &m.criterion, err));
    TIDE_TRY(take_borders(s, TIDE_COL_COEF_AT, k, s->column[TIDE_COL_COEF].count, coef, err));
    TIDE_TRY(take_borders(s, TIDE_COL_STATE_AT, k, s->column[TIDE_COL_STATE].count, state, err));
    int n_coef = tide_coef_count(m.family, m.form);
    int n_state = tide_state_count(m.family, m.form, s->header.season);
    if (n_coef < 0 || n_state < 0)
        return damaged(s, err, TIDE_COL_FORM, "unknown family or form");
    if (coef[1] - coef[0] != (uint64_t)n_coef)
        return damaged(s, err, TIDE_COL_COEF_AT, "not as many coefficients as the form has");
    if (state[1] - state[0] != (uint64_t)n_state)
        return damaged(s, err, TIDE_COL_STATE_AT, "not as many states as the form has");
    TIDE_TRY(take(s, TIDE_COL_COEF, coef[0], (uint64_t)n_coef, &coefs, err));
    TIDE_TRY(take(s, TIDE_COL_STATE, state[0], (uint64_t)n_state, &states, err));
    m.n_coef = n_coef;
    m.n_state = n_state;
    m.coef = (const double *)(const void *)coefs;
    m.state = (const double *)(const void *)states;
    *out = m;
    return TIDE_OK;
}
