/* history_map.c - see history_map.h. The same rules as for a store (store_map.c): the head is copied, verified and only
 * then looked at; every count, size and offset is checked for overflow, overlap and bounds before its first use; a piece
 * of a column is given out by take() alone, which checks its borders and verifies each block of 64 KiB at its first touch.
 * So a file with any content is read or refused. One thread at a time.
 *
 * A file that shrinks while mapped raises SIGBUS, as with any mapping; a history is replaced by rename, never rewritten. */
#include "io/history_map.h"
#include "host/grid.h"
#include "host/stream.h"
#include "kernels/batch.h"
#include "io/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { FORGET_BYTES = 8 << 20 };

typedef struct mapped_column {
    const unsigned char *base;
    uint64_t count, bytes, first_block;
    uint64_t size; /* of an element */
} mapped_column;

struct tide_history_file {
    int fd;
    unsigned char *map;
    uint64_t file_bytes;
    tide_history_header header;
    mapped_column column[TIDE_HIST_COLUMNS];
    uint64_t *verified; /* a bit a block */
    uint64_t forgotten; /* bytes of the map whose pages were given back */
    char path[512];     /* for messages; cut when longer */
};

static tide_status damaged(const tide_history_file *f, tide_error *err, int column, const char *what) {
    return tide_fail(err, TIDE_STORE, "history '%s': column %s is damaged: %s", f->path,
                     tide_history_describe(column).name, what);
}

static tide_status refuse(const tide_history_file *f, tide_error *err, const char *what) {
    return tide_fail(err, TIDE_STORE, "history '%s': its head is damaged: %s", f->path, what);
}

static tide_status verify_block(tide_history_file *f, int column, uint64_t b, tide_error *err) {
    const mapped_column *c = &f->column[column];
    uint64_t number = c->first_block + b, left = c->bytes - b * TIDE_BLOCK_BYTES, expected;
    if (f->verified[number / 64] >> (number % 64) & 1)
        return TIDE_OK;
    memcpy(&expected, f->column[TIDE_HIST_BLOCK_XXH3].base + number * 8, 8);
    if (XXH3_64bits(c->base + b * TIDE_BLOCK_BYTES, (size_t)(left < TIDE_BLOCK_BYTES ? left : TIDE_BLOCK_BYTES)) != expected) {
        char what[96];
        snprintf(what, sizeof what, "the checksum of block %llu of %llu differs", (unsigned long long)b + 1,
                 (unsigned long long)tide_blocks_of(c->bytes));
        return damaged(f, err, column, what);
    }
    f->verified[number / 64] |= (uint64_t)1 << (number % 64);
    return TIDE_OK;
}

/* Elements [first, first + count) of a column, in bounds and verified. */
static tide_status take(tide_history_file *f, int column, uint64_t first, uint64_t count, const unsigned char **out,
                        tide_error *err) {
    const mapped_column *c = &f->column[column];
    if (first > c->count || count > c->count - first)
        return damaged(f, err, column, "an offset leads past its end");
    *out = c->base + first * c->size;
    if (count == 0)
        return TIDE_OK;
    uint64_t from = first * c->size, to = from + count * c->size - 1;
    for (uint64_t b = from / TIDE_BLOCK_BYTES; b <= to / TIDE_BLOCK_BYTES; ++b)
        TIDE_TRY(verify_block(f, column, b, err));
    return TIDE_OK;
}

static tide_status take_value(tide_history_file *f, int column, uint64_t i, void *out, tide_error *err) {
    const unsigned char *p = NULL;
    TIDE_TRY(take(f, column, i, 1, &p, err));
    memcpy(out, p, (size_t)f->column[column].size);
    return TIDE_OK;
}

/* Borders [at[i], at[i+1]) into a column of `end` elements. */
static tide_status take_borders(tide_history_file *f, int column, uint64_t i, uint64_t end, uint64_t out[2],
                                tide_error *err) {
    const unsigned char *p = NULL;
    uint64_t at[2] = {0, 0};
    TIDE_TRY(take(f, column, i, 2, &p, err));
    memcpy(at, p, sizeof at);
    if (at[0] > at[1] || at[1] > end)
        return damaged(f, err, column, "its offsets are out of order or bounds");
    memcpy(out, at, sizeof at);
    return TIDE_OK;
}

/* --- opening ------------------------------------------------------------------------------------------------ */

static int is_text(const char *text, size_t size) {
    return memchr(text, 0, size) != NULL;
}

static tide_status check_header(const tide_history_file *f, tide_error *err) {
    const tide_history_header *h = &f->header;
    if (h->head_bytes != TIDE_HISTORY_HEAD || h->block_bytes != TIDE_BLOCK_BYTES)
        return refuse(f, err, "unknown block sizes");
    if (h->n_columns != TIDE_HIST_COLUMNS)
        return refuse(f, err, "unknown number of columns");
    if (h->file_bytes != f->file_bytes)
        return tide_fail(err, TIDE_STORE, "history '%s': the file has %llu bytes, but was written with %llu", f->path,
                         (unsigned long long)f->file_bytes, (unsigned long long)h->file_bytes);
    if (h->n_series > TIDE_STORE_SERIES_MAX)
        return refuse(f, err, "impossible number of series");
    if (h->freq_unit < TIDE_UNIT_STEP || h->freq_unit > TIDE_UNIT_YEAR || h->freq_multiple < 1)
        return refuse(f, err, "unknown frequency");
    if (h->ds_kind < TIDE_DS_INTEGER || h->ds_kind > TIDE_DS_TIMESTAMP)
        return refuse(f, err, "unknown kind of ds");
    if (h->has_watermark > 1 || h->generation == 0 || h->order > (TIDE_ORDER_BYTES | TIDE_ORDER_NUMBERS))
        return refuse(f, err, "impossible generation, watermark or order");
    if (!is_text(h->run_id, sizeof h->run_id) || !is_text(h->code_version, sizeof h->code_version) ||
        !is_text(h->created_utc, sizeof h->created_utc) || !is_text(h->source, sizeof h->source))
        return refuse(f, err, "a text without an end");
    return TIDE_OK;
}

static int count_fits(const tide_history_header *h, tide_extent extent, uint64_t count) {
    return extent == TIDE_PER_SERIES     ? count == h->n_series
           : extent == TIDE_PER_SERIES_1 ? count == h->n_series + 1
           : extent == TIDE_BLOCKS       ? count == h->n_blocks
                                         : 1;
}

static tide_status check_entry(tide_history_file *f, int i, const tide_store_entry *e, uint64_t *blocks, tide_error *err) {
    tide_history_text known = tide_history_describe(i);
    char name[sizeof e->name] = {0};
    uint64_t bytes, end;
    memcpy(name, known.name, strlen(known.name));
    if (memcmp(name, e->name, sizeof name) != 0)
        return refuse(f, err, "unknown column");
    if (e->type != (uint32_t)known.type)
        return damaged(f, err, i, "unknown type");
    if (!count_fits(&f->header, known.extent, e->count))
        return damaged(f, err, i, "wrong number of elements");
    if (__builtin_mul_overflow(e->count, tide_type_bytes(e->type), &bytes) ||
        __builtin_add_overflow(e->offset, bytes, &end) || end > f->file_bytes)
        return damaged(f, err, i, "it lies outside the file");
    if (bytes > 0 && (e->offset < TIDE_HISTORY_HEAD || e->offset % TIDE_COLUMN_ALIGN != 0))
        return damaged(f, err, i, "impossible offset");
    for (int j = 0; j < i && bytes > 0; ++j) {
        uint64_t other = (uint64_t)(f->column[j].base - f->map);
        if (f->column[j].bytes > 0 && e->offset < other + f->column[j].bytes && other < end)
            return damaged(f, err, i, "it overlaps another column");
    }
    if (e->first_block != (i == TIDE_HIST_BLOCK_XXH3 ? 0 : *blocks))
        return damaged(f, err, i, "its checksums are out of place");
    if (i != TIDE_HIST_BLOCK_XXH3)
        *blocks += tide_blocks_of(bytes);
    f->column[i] = (mapped_column){.base = f->map + (bytes > 0 ? e->offset : 0),
                                   .count = e->count,
                                   .bytes = bytes,
                                   .first_block = e->first_block,
                                   .size = tide_type_bytes(e->type)};
    return TIDE_OK;
}

static tide_status read_head(tide_history_file *f, tide_error *err) {
    _Alignas(8) unsigned char head[TIDE_HISTORY_HEAD];
    tide_history_header *h = &f->header;
    uint64_t blocks = 0;
    if (tide_pread_all(f->fd, head, sizeof head, 0) != 0)
        return tide_fail(err, TIDE_STORE, "history '%s': it is cut off, or cannot be read", f->path);
    if (memcmp(head, TIDE_HISTORY_MAGIC, sizeof h->magic) != 0)
        return tide_fail(err, TIDE_STORE, "history '%s': this is no history of tidemill", f->path);
    memcpy(h, head, sizeof *h);
    if (h->version != TIDE_HISTORY_VERSION)
        return tide_fail(err, TIDE_STORE, "history '%s': format version %u, this program reads version %d", f->path,
                         h->version, TIDE_HISTORY_VERSION);
    memset(head + offsetof(tide_history_header, head_xxh3), 0, 8);
    if (XXH3_64bits(head, sizeof head) != h->head_xxh3)
        return refuse(f, err, "its checksum differs");
    TIDE_TRY(check_header(f, err));
    for (int i = 0; i < TIDE_HIST_COLUMNS; ++i) {
        tide_store_entry e;
        memcpy(&e, head + TIDE_ENTRIES_AT + (size_t)i * sizeof e, sizeof e);
        TIDE_TRY(check_entry(f, i, &e, &blocks, err));
    }
    return blocks == h->n_blocks ? TIDE_OK : refuse(f, err, "wrong number of block checksums");
}

/* The borders of the last series end where the heap does. */
static tide_status check_heap(tide_history_file *f, int borders, int heap, tide_error *err) {
    uint64_t end = 0;
    TIDE_TRY(take_value(f, borders, f->header.n_series, &end, err));
    return end == f->column[heap].count ? TIDE_OK : damaged(f, err, heap, "it has more or less than its series");
}

static tide_status check_heaps(tide_history_file *f, tide_error *err) {
    const char *identity = NULL;
    size_t length = 0;
    TIDE_TRY(check_heap(f, TIDE_HIST_ID_AT, TIDE_HIST_IDS, err));
    TIDE_TRY(check_heap(f, TIDE_HIST_VALUE_AT, TIDE_HIST_VALUES, err));
    TIDE_TRY(check_heap(f, TIDE_HIST_TIME_AT, TIDE_HIST_TIMES, err));
    return tide_history_identity(f, &identity, &length, err);
}

/* The checksums themselves, which are trusted from here on. */
static tide_status read_checksums(tide_history_file *f, tide_error *err) {
    const mapped_column *c = &f->column[TIDE_HIST_BLOCK_XXH3];
    f->verified = calloc((size_t)(f->header.n_blocks / 64 + 1), sizeof *f->verified);
    if (!f->verified)
        return tide_fail(err, TIDE_MEMORY, "history '%s': out of memory", f->path);
    if (XXH3_64bits(c->base, (size_t)c->bytes) != f->header.block_xxh3_xxh3)
        return damaged(f, err, TIDE_HIST_BLOCK_XXH3, "its checksum differs");
    return TIDE_OK;
}

static tide_status open_file(tide_history_file *f, const char *path, tide_error *err) {
    struct stat st;
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0)
        return tide_fail(err, errno == ENOENT ? TIDE_NOT_FOUND : TIDE_DISK, "history '%s': %s", f->path, strerror(errno));
    if (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return tide_fail(err, TIDE_DISK, "history '%s': it is not a file", f->path);
    f->file_bytes = (uint64_t)st.st_size;
    if (f->file_bytes < TIDE_HISTORY_HEAD)
        return tide_fail(err, TIDE_STORE, "history '%s': it is cut off, or no history of tidemill", f->path);
    void *map = mmap(NULL, (size_t)f->file_bytes, PROT_READ, MAP_SHARED, f->fd, 0);
    if (map == MAP_FAILED)
        return tide_fail(err, TIDE_DISK, "history '%s': cannot be mapped: %s", f->path, strerror(errno));
    f->map = map;
    TIDE_TRY(read_head(f, err));
    TIDE_TRY(read_checksums(f, err));
    return check_heaps(f, err);
}

tide_status tide_history_map(const char *path, tide_history_file **out, tide_error *err) {
    tide_history_file *f = calloc(1, sizeof *f);
    if (!f)
        return tide_fail(err, TIDE_MEMORY, "history '%s': out of memory", path);
    f->fd = -1;
    snprintf(f->path, sizeof f->path, "%s", path);
    tide_status status = open_file(f, path, err);
    if (status) {
        tide_history_unmap(f);
        return status;
    }
    *out = f;
    return TIDE_OK;
}

void tide_history_unmap(tide_history_file *f) {
    if (!f)
        return;
    if (f->map)
        munmap(f->map, (size_t)f->file_bytes);
    if (f->fd >= 0)
        close(f->fd);
    free(f->verified);
    free(f);
}

/* --- series -------------------------------------------------------------------------------------------------- */

const tide_history_header *tide_history_get_header(const tide_history_file *f) {
    return &f->header;
}

tide_status tide_history_identity(tide_history_file *f, const char **text, size_t *length, tide_error *err) {
    const unsigned char *p = NULL;
    uint64_t n = f->column[TIDE_HIST_IDENTITY].count;
    TIDE_TRY(take(f, TIDE_HIST_IDENTITY, 0, n, &p, err));
    if (XXH3_64bits(p, (size_t)n) != f->header.identity_xxh3)
        return damaged(f, err, TIDE_HIST_IDENTITY, "its hash is not that of the header");
    *text = (const char *)p;
    *length = (size_t)n;
    return TIDE_OK;
}

tide_status tide_history_get_id(tide_history_file *f, uint64_t i, const char **id, size_t *length, tide_error *err) {
    uint64_t at[2] = {0, 0};
    const unsigned char *p = NULL;
    TIDE_TRY(take_borders(f, TIDE_HIST_ID_AT, i, f->column[TIDE_HIST_IDS].count, at, err));
    if (at[1] == at[0] || at[1] - at[0] > TIDE_ID_MAX_BYTES)
        return damaged(f, err, TIDE_HIST_ID_AT, "an id of impossible length");
    TIDE_TRY(take(f, TIDE_HIST_IDS, at[0], at[1] - at[0], &p, err));
    *id = (const char *)p;
    *length = (size_t)(at[1] - at[0]);
    return TIDE_OK;
}

/* What the columns say of a series must fit together. */
static tide_status check_series(const tide_history_file *f, const tide_history_series *s, uint64_t n_values,
                                uint64_t n_times, tide_error *err) {
    int on_grid = s->times == NULL;
    if (s->outcome >= TIDE_OUTCOME_COUNT)
        return damaged(f, err, TIDE_HIST_OUTCOME, "an unknown outcome");
    if (s->end_of_month > 1)
        return damaged(f, err, TIDE_HIST_END_OF_MONTH, "a number that is neither 0 nor 1");
    if (s->flags & ~TIDE_SEALED)
        return damaged(f, err, TIDE_HIST_FLAGS, "an unknown flag");
    if (on_grid ? n_times != 0 || n_values == 0 : n_times != n_values)
        return damaged(f, err, TIDE_HIST_TIME_AT, "a series with too few or too many times");
    if (s->first_ds > s->last_ds)
        return damaged(f, err, TIDE_HIST_LAST_DS, "a series ends before it begins");
    if (on_grid) {
        int64_t steps = 0;
        tide_freq freq = {f->header.freq_unit, f->header.freq_multiple};
        if (!tide_grid_steps(freq, (tide_ds_kind)f->header.ds_kind, s->first_ds, s->last_ds, s->end_of_month, &steps) ||
            (uint64_t)steps + 1 != n_values)
            return damaged(f, err, TIDE_HIST_VALUE_AT, "a series has not one value a step");
        return TIDE_OK;
    }
    for (size_t i = 1; i < s->n; ++i)
        if (s->times[i] < s->times[i - 1])
            return damaged(f, err, TIDE_HIST_TIMES, "times are out of order");
    return TIDE_OK;
}

tide_status tide_history_get(tide_history_file *f, uint64_t i, tide_history_series *out, tide_error *err) {
    tide_history_series s;
    uint64_t at[2] = {0, 0}, time_at[2] = {0, 0};
    const unsigned char *values = NULL, *times = NULL;
    memset(&s, 0, sizeof s);
    if (i >= f->header.n_series)
        return tide_fail(err, TIDE_INTERNAL, "history '%s': no series %llu", f->path, (unsigned long long)i);
    TIDE_TRY(tide_history_get_id(f, i, &s.id, &s.id_length, err));
    TIDE_TRY(take_value(f, TIDE_HIST_OUTCOME, i, &s.outcome, err));
    TIDE_TRY(take_value(f, TIDE_HIST_END_OF_MONTH, i, &s.end_of_month, err));
    TIDE_TRY(take_value(f, TIDE_HIST_FLAGS, i, &s.flags, err));
    TIDE_TRY(take_value(f, TIDE_HIST_FIRST_DS, i, &s.first_ds, err));
    TIDE_TRY(take_value(f, TIDE_HIST_LAST_DS, i, &s.last_ds, err));
    TIDE_TRY(take_value(f, TIDE_HIST_FINGERPRINT, i, &s.fingerprint, err));
    TIDE_TRY(take_value(f, TIDE_HIST_CHANGED, i, &s.changed, err));
    TIDE_TRY(take_borders(f, TIDE_HIST_VALUE_AT, i, f->column[TIDE_HIST_VALUES].count, at, err));
    TIDE_TRY(take_borders(f, TIDE_HIST_TIME_AT, i, f->column[TIDE_HIST_TIMES].count, time_at, err));
    TIDE_TRY(take(f, TIDE_HIST_VALUES, at[0], at[1] - at[0], &values, err));
    TIDE_TRY(take(f, TIDE_HIST_TIMES, time_at[0], time_at[1] - time_at[0], &times, err));
    s.n = (size_t)(at[1] - at[0]);
    s.values = (const double *)(const void *)values; /* columns and elements are aligned */
    s.times = s.outcome == TIDE_OUTCOME_FITTED && time_at[1] == time_at[0] ? NULL : (const int64_t *)(const void *)times;
    if (s.times && time_at[1] - time_at[0] != s.n)
        s.n = 0; /* told below, before a time is looked at */
    TIDE_TRY(check_series(f, &s, at[1] - at[0], time_at[1] - time_at[0], err));
    *out = s;
    return TIDE_OK;
}

tide_status tide_history_verify(tide_history_file *f, tide_error *err) {
    for (int c = 0; c < TIDE_HIST_BLOCK_XXH3; ++c)
        for (uint64_t b = 0; c != TIDE_HIST_VALUES && b < tide_blocks_of(f->column[c].bytes); ++b)
            TIDE_TRY(verify_block(f, c, b, err));
    for (uint64_t i = 0; i < f->header.n_series; ++i) {
        tide_history_series s;
        TIDE_TRY(tide_history_get(f, i, &s, err));
        tide_history_forget_before(f, i);
    }
    for (uint64_t b = 0; b < tide_blocks_of(f->column[TIDE_HIST_VALUES].bytes); ++b)
        TIDE_TRY(verify_block(f, TIDE_HIST_VALUES, b, err)); /* what belongs to no series */
    tide_history_forget_before(f, 0);
    return TIDE_OK;
}

void tide_history_forget_before(tide_history_file *f, uint64_t i) {
    uint64_t at[2] = {0, 0};
    const mapped_column *c = &f->column[TIDE_HIST_VALUES];
    if (i == 0)
        f->forgotten = 0;
    if (c->bytes == 0 || i >= f->header.n_series ||
        take_borders(f, TIDE_HIST_VALUE_AT, i, c->count, at, NULL) != TIDE_OK)
        return;
    uint64_t base = (uint64_t)(c->base - f->map), upto = (base + at[0] * 8) & ~(uint64_t)0xffff;
    uint64_t from = f->forgotten ? f->forgotten : base & ~(uint64_t)0xffff;
    if (upto > from && upto - from >= FORGET_BYTES) {
        madvise(f->map + from, (size_t)(upto - from), MADV_DONTNEED);
        f->forgotten = upto;
    }
}
