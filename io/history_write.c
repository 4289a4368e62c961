/* history_write.c - see history_write.h.
 *
 *     .NAME.lock        held from place_open to place_close
 *     .NAME.tmp-PID     being written; made only under the lock, so whoever holds it removes all of them
 *     NAME              the history: mode 0444, replaced by rename
 *
 * Values, nearly all of the bytes, go straight to their place in the temporary while the run goes on, by blocks of 1 MiB
 * whose checksums are taken on the way; space is reserved by posix_fallocate ahead of them. The other columns grow in
 * spools (spool.h) and are copied behind the values at the end; then come directory and header. So memory is a few MiB and
 * 8 bytes in 65536 for the checksums, whatever the number of series.
 *
 * Order of a publish: all written, mode 0444, fsync, read again and verified (prepare); rename over the old file, fsync of
 * the directory (commit). Killed at any point, NAME is a whole history, the old or the new one. With RLIMIT_FSIZE the
 * kernel sends SIGXFSZ; a program that ignores it gets TIDE_DISK. */
#include "io/history_write.h"
#include "io/lock.h"
#include "io/spool.h"
#include "kernels/batch.h"
#include "kernels/tide_fn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { BUFFER_BYTES = 1 << 20, SPOOLS = TIDE_HIST_VALUES };
_Static_assert(BUFFER_BYTES % TIDE_BLOCK_BYTES == 0, "whole blocks");
_Static_assert((int)TIDE_HIST_VALUES == TIDE_HIST_COLUMNS - 2, "the columns of spools come first");

/* --- the place ----------------------------------------------------------------------------------------------- */

/* What writers of this file left behind, all of which are dead: we have the lock. Also spools, which are unlinked as soon as
 * they are made, of a process killed in between. */
static void remove_stale(const tide_history_place *place) {
    char prefix[sizeof place->name + 8];
    int n = snprintf(prefix, sizeof prefix, ".%s.tmp-", place->name);
    int fd = openat(place->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (const struct dirent *e = readdir(list); e; e = readdir(list)) {
        long pid = strncmp(e->d_name, ".tmp-spool-", 11) == 0 ? strtol(e->d_name + 11, NULL, 10) : 0;
        if (strncmp(e->d_name, prefix, (size_t)n) == 0 || (pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH))
            unlinkat(place->dir_fd, e->d_name, 0);
    }
    closedir(list);
}

tide_status tide_history_place_open(const char *path, tide_history_place *out, tide_error *err) {
    tide_history_place p = {.dir_fd = -1, .lock_fd = -1};
    char dir[sizeof p.path], lock[sizeof p.name + 8];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (strlen(path) >= sizeof p.path || strlen(name) > 200 || !*name)
        return tide_fail(err, TIDE_CONFIG, "history.path: '%.200s' is not a name of a file, or too long", path);
    snprintf(p.path, sizeof p.path, "%s", path);
    snprintf(p.name, sizeof p.name, "%s", name);
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    p.dir_fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p.dir_fd < 0)
        return tide_fail(err, TIDE_DISK, "history '%s': its directory: %s", path, strerror(errno));
    snprintf(lock, sizeof lock, ".%s.lock", name);
    tide_status status = tide_lock_take(p.dir_fd, lock, "history", path, &p.lock_fd, err);
    if (status) {
        tide_history_place_close(&p);
        return status;
    }
    remove_stale(&p);
    *out = p;
    return TIDE_OK;
}

void tide_history_place_close(tide_history_place *p) {
    if (p->lock_fd >= 0)
        close(p->lock_fd);
    if (p->dir_fd >= 0)
        close(p->dir_fd);
    p->lock_fd = p->dir_fd = -1;
}

/* --- from a group to a series -------------------------------------------------------------------------------- */

void tide_history_scratch_free(tide_history_scratch *s) {
    free(s->values);
    free(s->times);
    memset(s, 0, sizeof *s);
}

static tide_status reserve(tide_history_scratch *s, size_t n, tide_error *err) {
    size_t capacity = s->capacity ? s->capacity : 256;
    if (n <= s->capacity)
        return TIDE_OK;
    while (capacity < n)
        capacity *= 2;
    free(s->values);
    free(s->times);
    s->values = malloc(capacity * sizeof *s->values);
    s->times = malloc(capacity * sizeof *s->times);
    s->capacity = s->values && s->times ? capacity : 0;
    return s->capacity ? TIDE_OK : tide_fail(err, TIDE_MEMORY, "history: out of memory for %zu rows of a series", n);
}

tide_status tide_history_of_group(tide_history_scratch *scratch, const tide_group *g, size_t max_rows,
                                  tide_history_series *out, tide_error *err) {
    tide_history_series s = {.id = g->id,
                             .id_length = g->id_length,
                             .first_ds = g->first_ds,
                             .last_ds = g->last_ds,
                             .outcome = g->outcome,
                             .end_of_month = g->end_of_month,
                             .flags = g->sealed ? TIDE_SEALED : 0};
    int fitted = s.outcome == TIDE_OUTCOME_FITTED, clean = g->n_off_grid == 0 && g->n_kept == g->n_rows;
    if (fitted && (clean || g->n_kept > max_rows)) {
        s.values = g->y;
        s.n = g->n;
    } else {
        TIDE_TRY(reserve(scratch, 1, err)); /* `times` says that it was shut out, also without rows */
        s.n = g->n_kept;
        if (s.n > max_rows) {
            s.n = 0;
            s.flags |= TIDE_SEALED;
        }
        TIDE_TRY(reserve(scratch, s.n, err));
        for (size_t i = 0; i < s.n; ++i) {
            scratch->times[i] = g->kept[i].ds;
            scratch->values[i] = g->kept[i].y;
        }
        s.values = scratch->values;
        s.times = scratch->times;
    }
    *out = s;
    return TIDE_OK;
}

/* --- times --------------------------------------------------------------------------------------------------- */

int64_t tide_history_limit(tide_ds_kind kind) {
    int64_t tomorrow = (int64_t)time(NULL) + 86400;
    return kind == TIDE_DS_INTEGER ? INT64_MAX : kind == TIDE_DS_DATE ? tomorrow / 86400 : tomorrow * 1000000;
}

/* The last row of a series up to the limit; 0 when there is none. */
static int last_row(const tide_history_header *h, int64_t limit, const tide_history_series *s, int64_t *out) {
    tide_grid grid = tide_grid_start((tide_freq){h->freq_unit, h->freq_multiple}, (tide_ds_kind)h->ds_kind, s->first_ds,
                                     s->end_of_month);
    for (size_t i = s->n; i-- > 0;) {
        *out = s->times ? s->times[i] : tide_grid_at(&grid, (int64_t)i);
        if (*out <= limit && (s->times || tide_to_bits(s->values[i]) != tide_to_bits(TIDE_GAP)))
            return 1;
    }
    return 0;
}

/* --- order of ids -------------------------------------------------------------------------------------------- */

int tide_history_is_number(const char *id, size_t length) {
    size_t i = length > 0 && id[0] == '-';
    if (i == length || length - i > 19 || (id[i] == '0' && length > 1))
        return 0;
    for (; i < length; ++i)
        if (id[i] < '0' || id[i] > '9')
            return 0;
    return 1;
}

int tide_history_compare(unsigned order, const char *a, size_t a_length, const char *b, size_t b_length) {
    size_t n = a_length < b_length ? a_length : b_length;
    if (order & TIDE_ORDER_NUMBERS) {
        int minus = a[0] == '-';
        if (minus != (b[0] == '-'))
            return minus ? -1 : 1;
        int larger = a_length != b_length ? (a_length > b_length ? 1 : -1) : memcmp(a, b, n);
        return minus ? -larger : larger;
    }
    int c = memcmp(a, b, n);
    return c ? c : (a_length > b_length) - (a_length < b_length);
}

/* --- the file ------------------------------------------------------------------------------------------------ */

struct tide_history_writer {
    const tide_history_place *place;
    int fd;
    char temporary[320];
    int temporary_exists, prepared, failed;
    tide_history_header header;
    tide_spool spool[SPOOLS];
    unsigned char *buffer; /* [BUFFER_BYTES] values not yet written */
    size_t used;
    uint64_t value_bytes, reserved; /* value bytes put so far; file bytes reserved */
    uint64_t *block_xxh3;           /* of the values */
    size_t n_blocks, cap_blocks;
    unsigned order;
    int64_t limit; /* times past it are no watermark */
    char last_id[TIDE_ID_MAX_BYTES];
    size_t last_id_length;
};

static tide_status put(tide_history_writer *w, int column, const void *values, size_t n, tide_error *err) {
    return tide_spool_put(&w->spool[column], values, n * (size_t)tide_type_bytes(tide_history_describe(column).type), err);
}

static tide_status disk_error(tide_error *err, const char *what) {
    return tide_fail(err, TIDE_DISK, "%s: %s", what, strerror(errno));
}

static int fallocate_to(tide_history_writer *w, uint64_t bytes) {
    int failed;
    do {
        failed = posix_fallocate(w->fd, (off_t)w->reserved, (off_t)(bytes - w->reserved));
    } while (failed == EINTR);
    if (!failed)
        w->reserved = bytes;
    return failed;
}

/* Reserves space up to `bytes` of the file, and an eighth more, but for a disk that has not so much. */
static tide_status reserve_file(tide_history_writer *w, uint64_t bytes, tide_error *err) {
    if (bytes <= w->reserved || fallocate_to(w, bytes + bytes / 8 + BUFFER_BYTES) == 0)
        return TIDE_OK;
    int failed = fallocate_to(w, bytes);
    return failed ? tide_fail(err, TIDE_DISK, "cannot reserve %llu bytes for it: %s", (unsigned long long)bytes,
                              strerror(failed))
                  : TIDE_OK;
}

/* The values in the buffer to their place. */
static tide_status flush_values(tide_history_writer *w, tide_error *err) {
    uint64_t at = TIDE_HISTORY_HEAD + w->value_bytes - w->used;
    size_t blocks = w->n_blocks + tide_blocks_of(w->used);
    if (w->used == 0)
        return TIDE_OK;
    if (blocks > w->cap_blocks) {
        size_t capacity = w->cap_blocks ? 2 * w->cap_blocks : 1024;
        uint64_t *grown = realloc(w->block_xxh3, capacity * sizeof *grown);
        if (!grown)
            return tide_fail(err, TIDE_MEMORY, "out of memory for its checksums");
        w->block_xxh3 = grown;
        w->cap_blocks = capacity;
    }
    for (size_t from = 0; from < w->used; from += TIDE_BLOCK_BYTES)
        w->block_xxh3[w->n_blocks++] =
            XXH3_64bits(w->buffer + from, w->used - from < TIDE_BLOCK_BYTES ? w->used - from : TIDE_BLOCK_BYTES);
    TIDE_TRY(reserve_file(w, at + w->used, err));
    if (tide_pwrite_all(w->fd, w->buffer, w->used, at) != 0)
        return disk_error(err, "its values cannot be written");
    w->used = 0;
    return TIDE_OK;
}

static tide_status put_values(tide_history_writer *w, const double *values, size_t n, tide_error *err) {
    const unsigned char *p = (const unsigned char *)values;
    size_t bytes = n * sizeof *values;
    while (bytes > 0) {
        size_t part = bytes < BUFFER_BYTES - w->used ? bytes : BUFFER_BYTES - w->used;
        memcpy(w->buffer + w->used, p, part);
        w->used += part;
        w->value_bytes += part;
        p += part;
        bytes -= part;
        if (w->used == BUFFER_BYTES)
            TIDE_TRY(flush_values(w, err));
    }
    return TIDE_OK;
}

static void note_order(tide_history_writer *w, const tide_history_series *s) {
    if (!tide_history_is_number(s->id, s->id_length))
        w->order &= ~(unsigned)TIDE_ORDER_NUMBERS;
    for (unsigned bit = TIDE_ORDER_BYTES; bit <= TIDE_ORDER_NUMBERS && w->header.n_series; bit *= 2)
        if ((w->order & bit) && tide_history_compare(bit, w->last_id, w->last_id_length, s->id, s->id_length) >= 0)
            w->order &= ~bit;
    if (w->order)
        memcpy(w->last_id, s->id, s->id_length);
    w->last_id_length = s->id_length;
}

/* Counts, and the watermark. */
static void note_series(tide_history_writer *w, const tide_history_series *s, const double *y, size_t n) {
    tide_history_header *h = &w->header;
    uint64_t gap = tide_to_bits(TIDE_GAP), missing = tide_to_bits(TIDE_NAN);
    for (size_t i = 0; i < n; ++i) {
        h->n_present += y[i] == y[i];
        h->n_gaps += tide_to_bits(y[i]) == gap;
    }
    for (size_t i = 0; i < s->n; ++i)
        h->n_missing += tide_to_bits(s->values[i]) == missing;
    h->n_shut_out += s->outcome != TIDE_OUTCOME_FITTED;
    int64_t last = s->last_ds;
    int timeless = s->times && s->n == 0 && s->first_ds == 0 && s->last_ds == 0;
    if (timeless || (h->has_watermark && last <= h->watermark) || (last > w->limit && !last_row(h, w->limit, s, &last)))
        return;
    if (!h->has_watermark || last > h->watermark) {
        h->has_watermark = 1;
        h->watermark = last;
    }
}

static tide_status put_series(tide_history_writer *w, const tide_history_series *s, tide_error *err) {
    note_order(w, s);
    TIDE_TRY(put(w, TIDE_HIST_IDS, s->id, s->id_length, err));
    TIDE_TRY(put(w, TIDE_HIST_ID_AT, &w->spool[TIDE_HIST_IDS].bytes, 1, err));
    TIDE_TRY(put(w, TIDE_HIST_OUTCOME, &s->outcome, 1, err));
    TIDE_TRY(put(w, TIDE_HIST_END_OF_MONTH, &s->end_of_month, 1, err));
    TIDE_TRY(put(w, TIDE_HIST_FLAGS, &s->flags, 1, err));
    TIDE_TRY(put(w, TIDE_HIST_FIRST_DS, &s->first_ds, 1, err));
    TIDE_TRY(put(w, TIDE_HIST_LAST_DS, &s->last_ds, 1, err));
    TIDE_TRY(put(w, TIDE_HIST_FINGERPRINT, &s->fingerprint, 1, err));
    TIDE_TRY(put(w, TIDE_HIST_CHANGED, &s->changed, 1, err));
    TIDE_TRY(put_values(w, s->values, s->n, err));
    if (s->times)
        TIDE_TRY(put(w, TIDE_HIST_TIMES, s->times, s->n, err));
    uint64_t values = w->value_bytes / 8, times = w->spool[TIDE_HIST_TIMES].bytes / 8;
    TIDE_TRY(put(w, TIDE_HIST_VALUE_AT, &values, 1, err));
    TIDE_TRY(put(w, TIDE_HIST_TIME_AT, &times, 1, err));
    ++w->header.n_series;
    return TIDE_OK;
}

/* A failure is final, and told with the file's name. */
static tide_status failed(tide_history_writer *w, tide_status status, tide_error *err) {
    w->failed = 1;
    return tide_error_prefix(err, status, "history '%s'", w->place->path);
}

tide_status tide_history_put(tide_history_writer *w, const tide_history_series *series, const double *y, size_t n,
                             tide_error *err) {
    note_series(w, series, y, n);
    tide_status status = w->failed || w->prepared ? tide_fail(err, TIDE_INTERNAL, "written to after it ended")
                                                  : put_series(w, series, err);
    return status ? failed(w, status, err) : TIDE_OK;
}

/* --- the end ------------------------------------------------------------------------------------------------- */

/* A spooled column to its place, and the checksums of its blocks. */
static tide_status copy_column(tide_history_writer *w, int column, uint64_t to, uint64_t *block_xxh3, tide_error *err) {
    tide_spool *spool = &w->spool[column];
    TIDE_TRY(tide_spool_flush(spool, err));
    for (uint64_t at = 0; at < spool->bytes; at += TIDE_BLOCK_BYTES) {
        size_t n = spool->bytes - at < TIDE_BLOCK_BYTES ? (size_t)(spool->bytes - at) : TIDE_BLOCK_BYTES;
        TIDE_TRY(tide_spool_read(spool, at, w->buffer, n, err));
        block_xxh3[at / TIDE_BLOCK_BYTES] = XXH3_64bits(w->buffer, n);
        if (tide_pwrite_all(w->fd, w->buffer, n, to + at) != 0)
            return disk_error(err, "a column cannot be written");
    }
    return TIDE_OK;
}

static uint64_t aligned(uint64_t at) {
    return (at + TIDE_COLUMN_ALIGN - 1) / TIDE_COLUMN_ALIGN * TIDE_COLUMN_ALIGN;
}

/* Lays out all columns, copies the spooled ones; the checksums are at xxh3, for n_blocks blocks. */
static tide_status write_columns(tide_history_writer *w, tide_store_entry entry[TIDE_HIST_COLUMNS], uint64_t *xxh3,
                                 tide_error *err) {
    uint64_t at = aligned(TIDE_HISTORY_HEAD + w->value_bytes), block = 0, bytes[TIDE_HIST_COLUMNS];
    for (int i = 0; i < TIDE_HIST_COLUMNS; ++i) {
        tide_history_text column = tide_history_describe(i);
        bytes[i] = i < SPOOLS ? w->spool[i].bytes : i == TIDE_HIST_VALUES ? w->value_bytes : w->header.n_blocks * 8;
        entry[i] = (tide_store_entry){.type = (uint32_t)column.type,
                                      .count = bytes[i] / tide_type_bytes(column.type),
                                      .offset = bytes[i] == 0 ? 0 : i == TIDE_HIST_VALUES ? TIDE_HISTORY_HEAD : at,
                                      .first_block = i == TIDE_HIST_BLOCK_XXH3 ? 0 : block};
        memcpy(entry[i].name, column.name, strlen(column.name));
        if (i != TIDE_HIST_BLOCK_XXH3)
            block += tide_blocks_of(bytes[i]);
        if (i != TIDE_HIST_VALUES)
            at = aligned(at + bytes[i]);
    }
    w->header.file_bytes = at;
    TIDE_TRY(reserve_file(w, at, err));
    for (int i = 0; i < SPOOLS; ++i)
        TIDE_TRY(copy_column(w, i, entry[i].offset, xxh3 + entry[i].first_block, err));
    if (w->n_blocks)
        memcpy(xxh3 + entry[TIDE_HIST_VALUES].first_block, w->block_xxh3, w->n_blocks * 8);
    w->header.block_xxh3_xxh3 = XXH3_64bits(xxh3, (size_t)w->header.n_blocks * 8);
    return tide_pwrite_all(w->fd, xxh3, (size_t)w->header.n_blocks * 8, entry[TIDE_HIST_BLOCK_XXH3].offset) == 0
               ? TIDE_OK
               : disk_error(err, "its checksums cannot be written");
}

static tide_status write_head(tide_history_writer *w, const tide_store_entry entry[TIDE_HIST_COLUMNS], tide_error *err) {
    _Alignas(8) unsigned char head[TIDE_HISTORY_HEAD] = {0};
    tide_history_header *h = &w->header;
    h->head_xxh3 = 0;
    memcpy(head, h, sizeof *h);
    memcpy(head + TIDE_ENTRIES_AT, entry, TIDE_HIST_COLUMNS * sizeof *entry);
    h->head_xxh3 = XXH3_64bits(head, sizeof head);
    memcpy(head + offsetof(tide_history_header, head_xxh3), &h->head_xxh3, 8);
    if (tide_pwrite_all(w->fd, head, sizeof head, 0) != 0)
        return disk_error(err, "its head cannot be written");
    if (ftruncate(w->fd, (off_t)h->file_bytes) != 0 || fchmod(w->fd, 0444) != 0 || fsync(w->fd) != 0)
        return disk_error(err, "it cannot be finished");
    return TIDE_OK;
}

/* Reads the finished temporary as the next run would. */
static tide_status verify_temporary(const tide_history_writer *w, tide_error *err) {
    char path[1024];
    const char *slash = strrchr(w->place->path, '/');
    tide_history_file *file = NULL;
    snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash + 1 - w->place->path) : 0, w->place->path, w->temporary);
    TIDE_TRY(tide_history_map(path, &file, err));
    tide_status status = tide_history_verify(file, err);
    tide_history_unmap(file);
    return status;
}

tide_status tide_history_prepare_file(tide_history_writer *w, tide_error *err) {
    tide_store_entry entry[TIDE_HIST_COLUMNS];
    uint64_t *xxh3 = NULL;
    w->header.order = w->order;
    tide_status status = flush_values(w, err);
    w->header.n_blocks = tide_blocks_of(w->value_bytes);
    for (int i = 0; i < SPOOLS; ++i)
        w->header.n_blocks += tide_blocks_of(w->spool[i].bytes);
    if (!status)
        xxh3 = malloc((size_t)w->header.n_blocks * 8);
    if (!status && !xxh3)
        status = tide_fail(err, TIDE_MEMORY, "out of memory");
    if (!status)
        status = write_columns(w, entry, xxh3, err);
    if (!status)
        status = write_head(w, entry, err);
    if (!status)
        status = verify_temporary(w, err);
    free(xxh3);
    w->prepared = !status;
    return status ? failed(w, status, err) : TIDE_OK;
}

tide_status tide_history_commit(tide_history_writer *w, tide_error *err) {
    const tide_history_place *p = w->place;
    if (!w->prepared || w->failed)
        return tide_fail(err, TIDE_INTERNAL, "history '%s': it is not ready", p->path);
    if (renameat(p->dir_fd, w->temporary, p->dir_fd, p->name) != 0)
        return failed(w, disk_error(err, "the old one cannot be replaced"), err);
    w->temporary_exists = 0;
    return fsync(p->dir_fd) == 0 ? TIDE_OK : failed(w, disk_error(err, "it was replaced, but fsync of its directory"), err);
}

const tide_history_header *tide_history_written(const tide_history_writer *w) {
    return &w->header;
}

void tide_history_writer_close(tide_history_writer *w) {
    if (!w)
        return;
    for (int i = 0; i < SPOOLS; ++i)
        tide_spool_close(&w->spool[i]);
    if (w->fd >= 0)
        close(w->fd);
    if (w->temporary_exists)
        unlinkat(w->place->dir_fd, w->temporary, 0);
    free(w->buffer);
    free(w->block_xxh3);
    free(w);
}

/* --- opening ------------------------------------------------------------------------------------------------- */

static tide_status open_files(tide_history_writer *w, const char *identity, tide_error *err) {
    static const uint64_t zero = 0;
    const tide_history_place *p = w->place;
    snprintf(w->temporary, sizeof w->temporary, ".%s.tmp-%ld", p->name, (long)getpid());
    w->fd = openat(p->dir_fd, w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (w->fd < 0)
        return disk_error(err, "no temporary file");
    w->temporary_exists = 1;
    for (int i = 0; i < SPOOLS; ++i)
        TIDE_TRY(tide_spool_open(&w->spool[i], p->dir_fd, tide_history_describe(i).name, err));
    TIDE_TRY(put(w, TIDE_HIST_ID_AT, &zero, 1, err));
    TIDE_TRY(put(w, TIDE_HIST_VALUE_AT, &zero, 1, err));
    TIDE_TRY(put(w, TIDE_HIST_TIME_AT, &zero, 1, err));
    return put(w, TIDE_HIST_IDENTITY, identity, strlen(identity), err);
}

tide_status tide_history_writer_open(const tide_history_writer_options *o, tide_history_writer **out, tide_error *err) {
    tide_history_writer *w = calloc(1, sizeof *w);
    if (w)
        w->buffer = malloc(BUFFER_BYTES);
    if (!w || !w->buffer) {
        free(w);
        return tide_fail(err, TIDE_MEMORY, "history '%s': out of memory", o->place->path);
    }
    time_t now = time(NULL);
    struct tm utc;
    tide_history_header *h = &w->header;
    *h = (tide_history_header){.version = TIDE_HISTORY_VERSION,
                               .head_bytes = TIDE_HISTORY_HEAD,
                               .generation = o->generation,
                               .freq_unit = o->freq.unit,
                               .freq_multiple = o->freq.multiple,
                               .ds_kind = (int32_t)o->ds_kind,
                               .n_columns = TIDE_HIST_COLUMNS,
                               .block_bytes = TIDE_BLOCK_BYTES,
                               .max_length = o->max_length,
                               .identity_xxh3 = XXH3_64bits(o->identity, strlen(o->identity))};
    memcpy(h->magic, TIDE_HISTORY_MAGIC, sizeof h->magic);
    snprintf(h->run_id, sizeof h->run_id, "%s", o->run_id);
    snprintf(h->code_version, sizeof h->code_version, "%s", TIDE_VERSION);
    snprintf(h->source, sizeof h->source, "%s", o->source);
    if (gmtime_r(&now, &utc))
        strftime(h->created_utc, sizeof h->created_utc, "%Y-%m-%dT%H:%M:%SZ", &utc);
    w->place = o->place;
    w->fd = -1;
    w->limit = tide_history_limit(o->ds_kind);
    w->order = TIDE_ORDER_BYTES | TIDE_ORDER_NUMBERS;
    for (int i = 0; i < SPOOLS; ++i)
        w->spool[i].fd = -1;
    tide_status status = open_files(w, o->identity, err);
    if (status) {
        status = failed(w, status, err);
        tide_history_writer_close(w);
        return status;
    }
    *out = w;
    return TIDE_OK;
}
