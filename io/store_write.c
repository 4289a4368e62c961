/* store_write.c - see store_write.h; the file's form: store_format.h; the directory's: store_dir.h.
 *
 * During the run each column grows in a spool (spool.h): 64 KiB of buffer and a temporary a column, 2 MB in all,
 * whatever the number of series. With an identity the spools have names and a journal, so that the next writer
 * can go on with them (store_resume.h). finish() then
 *     1. builds the id index from the spooled ids                          (store_index.c)
 *     2. lets libhdf5 lay out the file in anonymous memory                 (store_write_hdf5.c)
 *     3. makes the temporary and reserves its whole size by posix_fallocate: a full disk ends here
 *     4. copies HDF5's own bytes and the columns in place, taking block checksums; then the user block
 *     5. fsync, mode 0444, opens it with the reader and verifies every block
 *     6. publishes it and removes generations beyond `keep`                (store_dir.c)
 * A failure anywhere removes the temporary and leaves the store as it was; killed, the temporary is removed
 * by the next writer. The kept spools go once their generation is CURRENT: a writer that finds them knows that
 * their run died before that, and that a generation of its which is not CURRENT was never served. Disk space needed: twice the generation (spools and file) for a moment, unless
 * spool_dir is elsewhere. Memory: 2 MB of buffers, 1 to 2 bytes a series for the index (at least 1 MiB), 8
 * bytes in 65536 for checksums.
 *
 * With RLIMIT_FSIZE the kernel sends SIGXFSZ; a program that ignores it gets TIDE_DISK. */
#include "io/store_write.h"

#include "host/names.h"
#include "host/quote.h"
#include "host/tidemill_predict.h"
#include "io/spool.h"
#include "io/store_dir.h"
#include "io/store_format.h"
#include "io/store_index.h"
#include "io/store_resume.h"
#include "io/store_write_hdf5.h"
#include "kernels/tide_fn.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { COLUMN_SPOOLS = TIDE_SPOOLED };
_Static_assert((int)TIDE_COL_BLOCK_XXH3 == TIDE_COLUMNS - 1, "the checksums come last");

typedef struct writer {
    tide_store_dir dir;
    tide_store_header header;
    tide_spool spool[COLUMN_SPOOLS];
    int spool_dir_fd; /* dir.fd, or a directory of its own */
    int keep, kind_known, failed, finished;
    tide_resume resume;
    uint64_t passed; /* series that came by; those put are header.n_series */
    int resume_mixed;
    char note[256];
    char temporary[64];
    int temporary_exists;
    tide_store_written written;
} writer;

static tide_status put(writer *w, int column, const void *values, size_t n, tide_error *err) {
    return tide_spool_put(&w->spool[column], values,
                          n * (size_t)tide_type_bytes(tide_column_describe(column).type), err);
}

static void copy_text(char *to, size_t size, const char *text) {
    size_t n = text ? strlen(text) : 0;
    memset(to, 0, size);
    if (n > 0)
        memcpy(to, text, n < size ? n : size - 1);
}

/* --- series and members
 * ---------------------------------------------------------------------------------------- */

static tide_status put_ids(writer *w, const tide_panel *panel, tide_error *err) {
    uint64_t base = w->spool[TIDE_COL_IDS].bytes;
    size_t first = panel->id_at[panel->kept];
    for (size_t i = panel->kept; i < panel->n_series; ++i) {
        size_t length = panel->id_at[i + 1] - panel->id_at[i];
        if (length < 1 || length > TIDE_ID_MAX_BYTES)
            return tide_fail(err, TIDE_INPUT, "series %llu has an id of %zu bytes: 1 to %d are allowed",
                             (unsigned long long)(panel->first_number + i + 1), length, TIDE_ID_MAX_BYTES);
        uint64_t end = base + (panel->id_at[i + 1] - first);
        uint64_t key = tide_id_key(panel->ids + panel->id_at[i], length);
        TIDE_TRY(put(w, TIDE_COL_ID_AT, &end, 1, err));
        TIDE_TRY(put(w, TIDE_COL_KEY, &key, 1, err));
    }
    return put(w, TIDE_COL_IDS, panel->ids + first, panel->id_at[panel->n_series] - first, err);
}

static tide_status put_series(writer *w, const tide_panel *panel, const tide_results *r, tide_error *err) {
    size_t from = panel->kept, n = panel->n_series - from;
    const uint32_t run = 0; /* all by the run of this generation, row 0 of run/id */
    TIDE_TRY(put_ids(w, panel, err));
    TIDE_TRY(put(w, TIDE_COL_OUTCOME, r->outcome + from, n, err));
    TIDE_TRY(put(w, TIDE_COL_END_OF_MONTH, panel->end_of_month + from, n, err));
    TIDE_TRY(put(w, TIDE_COL_FIRST_DS, panel->first_ds + from, n, err));
    TIDE_TRY(put(w, TIDE_COL_LAST_DS, panel->last_ds + from, n, err));
    TIDE_TRY(put(w, TIDE_COL_N_OBS, r->n_obs + from, n, err));
    TIDE_TRY(put(w, TIDE_COL_SCALE, r->scale + from, n, err));
    TIDE_TRY(put(w, TIDE_COL_FINGERPRINT, panel->fingerprint + from, n, err));
    TIDE_TRY(put(w, TIDE_COL_BACKTEST_ERROR, panel->backtest_error + from, n, err));
    for (size_t i = from; i < panel->n_series; ++i) {
        size_t values = panel->at[i + 1] - panel->at[i];
        if (values > INT32_MAX)
            return tide_fail(err, TIDE_INPUT, "a series of %zu values is too long", values);
        int32_t n_values = (int32_t)values;
        TIDE_TRY(put(w, TIDE_COL_N_VALUES, &n_values, 1, err));
        TIDE_TRY(put(w, TIDE_COL_RUN, &run, 1, err));
    }
    return TIDE_OK;
}

/* Rows [0, count) of `rows` strided values into a heap. What is left out must be zero, as the kernels
 * promise. */
static tide_status put_heap(writer *w, int column, const double *values, size_t stride, int count, int rows,
                            tide_error *err) {
    if (count > rows)
        return tide_fail(err, TIDE_INTERNAL, "%s: the form has %d rows, the results %d",
                         tide_column_describe(column).name, count, rows);
    for (int k = 0; k < rows; ++k) {
        double value = values[(size_t)k * stride];
        if (k < count)
            TIDE_TRY(put(w, column, &value, 1, err));
        else if (tide_to_bits(value) != 0)
            return tide_fail(err, TIDE_INTERNAL, "%s: row %d is %g, but the form has only %d rows",
                             tide_column_describe(column).name, k, value, count);
    }
    return TIDE_OK;
}

static tide_status put_member(writer *w, const tide_results *r, size_t i, size_t j, tide_error *err) {
    size_t n = r->n_series, k = j * n + i;
    int family = r->family[k];
    uint32_t form = r->form[k];
    int coefs = tide_coef_count(family, form), states = tide_state_count(family, form, w->header.season);
    if (coefs < 0 || states < 0)
        return tide_fail(err, TIDE_INTERNAL, "a model of family %d, form %u", family, form);
    TIDE_TRY(put(w, TIDE_COL_FAMILY, &r->family[k], 1, err));
    TIDE_TRY(put(w, TIDE_COL_FORM, &r->form[k], 1, err));
    TIDE_TRY(put(w, TIDE_COL_CONVERGED, &r->converged[k], 1, err));
    TIDE_TRY(put(w, TIDE_COL_N_PARAMS, &r->n_params[k], 1, err));
    TIDE_TRY(put(w, TIDE_COL_WEIGHT, &r->weight[k], 1, err));
    TIDE_TRY(put(w, TIDE_COL_SIGMA2, &r->sigma2[k], 1, err));
    TIDE_TRY(put(w, TIDE_COL_LOGLIK, &r->loglik[k], 1, err));
    TIDE_TRY(put(w, TIDE_COL_CRITERION, &r->criterion[k], 1, err));
    TIDE_TRY(
        put_heap(w, TIDE_COL_COEF, r->coef + j * (size_t)r->coef_rows * n + i, n, coefs, r->coef_rows, err));
    TIDE_TRY(put_heap(w, TIDE_COL_STATE, r->state + j * (size_t)r->state_rows * n + i, n, states,
                      r->state_rows, err));
    uint64_t coef_end = w->spool[TIDE_COL_COEF].bytes / 8, state_end = w->spool[TIDE_COL_STATE].bytes / 8;
    TIDE_TRY(put(w, TIDE_COL_COEF_AT, &coef_end, 1, err));
    return put(w, TIDE_COL_STATE_AT, &state_end, 1, err);
}

static tide_status put_batch(writer *w, const tide_panel *panel, const tide_results *r, tide_error *err) {
    if (w->failed || w->finished)
        return tide_fail(err, TIDE_INTERNAL, "store: written to after it ended");
    if (r->n_series != panel->n_series || panel->first_number != w->passed)
        return tide_fail(err, TIDE_INTERNAL,
                         "store: a batch of %zu results for %zu series from %llu, expected %llu", r->n_series,
                         panel->n_series, (unsigned long long)panel->first_number,
                         (unsigned long long)w->passed);
    w->passed += panel->n_series;
    if (panel->kept == panel->n_series)
        return TIDE_OK; /* nothing of the spools is looked at: recall may be at work on them */
    TIDE_TRY(put_series(w, panel, r, err));
    for (size_t i = panel->kept; i < r->n_series; ++i) {
        if (r->n_members[i] > r->slots)
            return tide_fail(err, TIDE_INTERNAL, "%d members in %d slots", r->n_members[i], (int)r->slots);
        for (size_t j = 0; j < r->n_members[i]; ++j)
            TIDE_TRY(put_member(w, r, i, j, err));
        w->header.n_members += r->n_members[i];
        TIDE_TRY(put(w, TIDE_COL_FIRST_MEMBER, &w->header.n_members, 1, err));
    }
    w->header.n_series += panel->n_series - panel->kept;
    return tide_resume_note(&w->resume, w->header.n_series, w->header.n_members, 0, err);
}

static tide_status writer_write(void *self, const tide_panel *panel, const tide_results *results,
                                tide_error *err) {
    writer *w = self;
    tide_status status = put_batch(w, panel, results, err);
    if (status != TIDE_OK) {
        w->failed = 1;
        return tide_error_prefix(err, status, "store '%s'", w->dir.path);
    }
    return TIDE_OK;
}

/* By the fitting thread: the first panels are those of the earlier run, while nothing is put yet. */
static tide_status writer_recall(void *self, tide_panel *panel, tide_results *results, tide_error *err) {
    writer *w = self;
    size_t kept = 0, same = 0;
    char text[160];
    TIDE_TRY(tide_resume_recall(&w->resume, panel, results, &kept, &same, err));
    panel->kept = same;
    if (same == kept)
        return TIDE_OK;
    uint64_t row = panel->first_number + same;
    if (!w->resume_mixed)
        return tide_fail(err, TIDE_INPUT,
                         "store '%s': series '%s' is not what run %s fitted as its number %llu: the source has changed "
                         "since; --resume-mixed keeps the series before it, without --resume all are fitted again",
                         w->dir.path,
                         tide_quote(text, sizeof text, panel->ids + panel->id_at[same],
                                    panel->id_at[same + 1] - panel->id_at[same]),
                         w->header.run_id, (unsigned long long)row + 1);
    TIDE_TRY(tide_resume_cut(&w->resume, row, &w->header.n_members, err));
    w->header.n_series = row;
    return TIDE_OK;
}

/* --- the file
 * ---------------------------------------------------------------------------------------------------- */

typedef struct output {
    int fd, skeleton;
    tide_store_layout layout;
    uint64_t *block_xxh3;  /* [n_blocks] */
    unsigned char *buffer; /* [TIDE_BLOCK_BYTES] */
} output;

static tide_status disk_error(tide_error *err, const char *what) {
    return tide_fail(err, TIDE_DISK, "%s: %s", what, strerror(errno));
}

/* Bytes [from, to) of HDF5's own. */
static tide_status copy_skeleton(output *o, uint64_t from, uint64_t to, tide_error *err) {
    while (from < to) {
        size_t n = to - from < TIDE_BLOCK_BYTES ? (size_t)(to - from) : TIDE_BLOCK_BYTES;
        if (tide_pread_all(o->skeleton, o->buffer, n, from) != 0 ||
            tide_pwrite_all(o->fd, o->buffer, n, from) != 0)
            return disk_error(err, "cannot write the new generation");
        from += n;
    }
    return TIDE_OK;
}

/* All that lies between the columns, in front of them and after them. */
static tide_status copy_hdf5(output *o, tide_error *err) {
    uint64_t from = TIDE_USER_BLOCK;
    for (;;) { /* the next column in the file at or after `from`; columns do not overlap */
        int next = -1;
        for (int i = 0; i < TIDE_COLUMNS; ++i)
            if (o->layout.count[i] > 0 && o->layout.offset[i] >= from &&
                (next < 0 || o->layout.offset[i] < o->layout.offset[next]))
                next = i;
        if (next < 0)
            return copy_skeleton(o, from, o->layout.file_bytes, err);
        TIDE_TRY(copy_skeleton(o, from, o->layout.offset[next], err));
        from =
            o->layout.offset[next] + o->layout.count[next] * tide_type_bytes(tide_column_describe(next).type);
    }
}

/* A column from its spool to its place, and the checksums of its blocks. */
static tide_status copy_column(output *o, const tide_spool *spool, uint64_t to, uint64_t *block_xxh3,
                               tide_error *err) {
    for (uint64_t at = 0; at < spool->bytes; at += TIDE_BLOCK_BYTES) {
        size_t n = spool->bytes - at < TIDE_BLOCK_BYTES ? (size_t)(spool->bytes - at) : TIDE_BLOCK_BYTES;
        TIDE_TRY(tide_spool_read(spool, at, o->buffer, n, err));
        block_xxh3[at / TIDE_BLOCK_BYTES] = XXH3_64bits(o->buffer, n);
        if (tide_pwrite_all(o->fd, o->buffer, n, to + at) != 0)
            return tide_fail(err, TIDE_DISK, "column %s: %s", spool->name, strerror(errno));
    }
    return TIDE_OK;
}

static tide_status write_user_block(writer *w, const output *o, tide_error *err) {
    _Alignas(8) unsigned char block[TIDE_USER_BLOCK] = {0};
    uint64_t first_block = 0;
    tide_store_header *h = &w->header;
    h->file_bytes = o->layout.file_bytes;
    h->block_xxh3_xxh3 = XXH3_64bits(o->block_xxh3, (size_t)h->n_blocks * 8);
    h->user_block_xxh3 = 0;
    memcpy(block, h, sizeof *h);
    for (int i = 0; i < TIDE_COLUMNS; ++i) {
        tide_column_text column = tide_column_describe(i);
        tide_store_entry entry = {.type = (uint32_t)column.type,
                                  .offset = o->layout.offset[i],
                                  .count = o->layout.count[i],
                                  .first_block = first_block};
        memcpy(entry.name, column.name, strlen(column.name));
        if (i == TIDE_COL_BLOCK_XXH3)
            entry.first_block = 0;
        memcpy(block + TIDE_ENTRIES_AT + (size_t)i * sizeof entry, &entry, sizeof entry);
        first_block += tide_blocks_of(entry.count * tide_type_bytes(entry.type));
    }
    h->user_block_xxh3 = XXH3_64bits(block, sizeof block);
    memcpy(block + offsetof(tide_store_header, user_block_xxh3), &h->user_block_xxh3, 8);
    return tide_pwrite_all(o->fd, block, sizeof block, 0) == 0
               ? TIDE_OK
               : disk_error(err, "cannot write the directory");
}

/* The temporary, with its whole size reserved, so that a full disk is noticed before any column is copied. */
static tide_status make_temporary(writer *w, output *o, tide_error *err) {
    snprintf(w->temporary, sizeof w->temporary, ".tmp-gen-%06llu-%ld",
             (unsigned long long)w->header.generation, (long)getpid());
    o->fd = openat(w->dir.fd, w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (o->fd < 0)
        return disk_error(err, "no temporary file");
    w->temporary_exists = 1;
    do {
        errno = posix_fallocate(o->fd, 0, (off_t)o->layout.file_bytes);
    } while (errno == EINTR);
    if (errno != 0)
        return tide_fail(err, TIDE_DISK, "cannot reserve %llu bytes for the new generation: %s",
                         (unsigned long long)o->layout.file_bytes, strerror(errno));
    return TIDE_OK;
}

static tide_status fill_temporary(writer *w, output *o, tide_error *err) {
    uint64_t block = 0;
    TIDE_TRY(make_temporary(w, o, err));
    TIDE_TRY(copy_hdf5(o, err));
    for (int i = 0; i < COLUMN_SPOOLS; ++i) {
        TIDE_TRY(copy_column(o, &w->spool[i], o->layout.offset[i], o->block_xxh3 + block, err));
        block += tide_blocks_of(w->spool[i].bytes);
    }
    if (tide_pwrite_all(o->fd, o->block_xxh3, (size_t)block * 8, o->layout.offset[TIDE_COL_BLOCK_XXH3]) != 0)
        return disk_error(err, "cannot write the checksums");
    TIDE_TRY(write_user_block(w, o, err));
    if (fchmod(o->fd, 0444) != 0)
        return disk_error(err, "cannot make the new generation read-only");
    if (fsync(o->fd) != 0)
        return disk_error(err, "fsync of the new generation");
    return TIDE_OK;
}

/* Reads the finished temporary as a reader would. */
static tide_status verify_temporary(const writer *w, tide_error *err) {
    char path[640];
    tide_store *store = NULL;
    snprintf(path, sizeof path, "%s/%s", w->dir.path, w->temporary);
    TIDE_TRY(tide_store_open(path, TIDE_VERIFY_ALL, &store, err));
    tide_store_close(store);
    return TIDE_OK;
}

/* Counts of all columns; blocks of all but the checksums themselves. */
static void count_elements(writer *w, output *o) {
    w->header.n_blocks = 0;
    for (int i = 0; i < COLUMN_SPOOLS; ++i) {
        o->layout.count[i] = w->spool[i].bytes / tide_type_bytes(tide_column_describe(i).type);
        w->header.n_blocks += tide_blocks_of(w->spool[i].bytes);
    }
    o->layout.count[TIDE_COL_BLOCK_XXH3] = w->header.n_blocks;
}

static tide_status write_generation(writer *w, output *o, tide_error *err) {
    if (!w->kind_known && w->header.n_series > 0)
        return tide_fail(err, TIDE_INTERNAL, "the kind of ds was not said");
    if (w->passed < w->header.n_series && w->resume_mixed) {
        TIDE_TRY(tide_resume_cut(&w->resume, w->passed, &w->header.n_members, err));
        w->header.n_series = w->passed;
    }
    if (w->passed < w->header.n_series)
        return tide_fail(err, TIDE_INPUT,
                         "the source has %llu series, but run %s had fitted %llu: it has changed since; without "
                         "--resume all are fitted again",
                         (unsigned long long)w->passed, w->header.run_id, (unsigned long long)w->header.n_series);
    TIDE_TRY(tide_resume_note(&w->resume, w->header.n_series, w->header.n_members, 1, err));
    for (int i = 0; i < COLUMN_SPOOLS; ++i)
        TIDE_TRY(tide_spool_flush(&w->spool[i], err));
    tide_index_input ids = {w->header.n_series, w->spool_dir_fd, &w->spool[TIDE_COL_ID_AT],
                            &w->spool[TIDE_COL_IDS], &w->spool[TIDE_COL_KEY]};
    TIDE_TRY(tide_index_build(&ids, &w->header, &w->spool[TIDE_COL_SLOT], err));
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(w->header.created_utc, sizeof w->header.created_utc, "%Y-%m-%dT%H:%M:%SZ", &utc);
    count_elements(w, o);
    o->buffer = malloc(TIDE_BLOCK_BYTES);
    o->block_xxh3 = malloc((size_t)w->header.n_blocks * 8 + 8);
    if (!o->buffer || !o->block_xxh3)
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    TIDE_TRY(tide_hdf5_skeleton(&w->header, &o->layout, &o->skeleton, err));
    TIDE_TRY(fill_temporary(w, o, err));
    TIDE_TRY(verify_temporary(w, err));
    return tide_store_dir_publish(&w->dir, w->temporary, w->header.generation, err);
}

static tide_status writer_finish(void *self, tide_error *err) {
    writer *w = self;
    output o = {.fd = -1, .skeleton = -1};
    if (w->failed || w->finished)
        return tide_fail(err, TIDE_INTERNAL, "store '%s': finished after it had ended", w->dir.path);
    tide_status status = write_generation(w, &o, err);
    if (o.fd >= 0)
        close(o.fd);
    if (o.skeleton >= 0)
        close(o.skeleton);
    free(o.buffer);
    free(o.block_xxh3);
    w->finished = 1;
    if (w->temporary_exists && status != TIDE_OK)
        unlinkat(w->dir.fd, w->temporary, 0);
    if (status != TIDE_OK)
        return tide_error_prefix(err, status, "store '%s'", w->dir.path);
    if (w->resume.fd >= 0)
        tide_resume_remove(w->dir.fd);
    tide_resume_close(&w->resume);
    char name[32];
    tide_generation_name(w->header.generation, name);
    w->written = (tide_store_written){.generation = w->header.generation,
                                      .n_series = w->header.n_series,
                                      .n_members = w->header.n_members,
                                      .file_bytes = w->header.file_bytes,
                                      .pruned = tide_store_dir_prune(&w->dir, w->keep)};
    snprintf(w->written.path, sizeof w->written.path, "%s/%s", w->dir.path, name);
    return TIDE_OK;
}

/* Series that stay for a later run; with none, or none that can be trusted, nothing stays. */
static uint64_t keep(writer *w) {
    if (w->resume.fd < 0)
        return 0;
    if (!w->failed && !w->finished && w->header.n_series > w->resume.noted &&
        tide_resume_note(&w->resume, w->header.n_series, w->header.n_members, 1, NULL) != TIDE_OK)
        w->failed = 1;
    uint64_t kept = w->resume.untrusted ? 0 : w->resume.noted;
    if (kept == 0)
        tide_resume_remove(w->dir.fd);
    tide_resume_close(&w->resume);
    return kept;
}

static void writer_close(void *self) {
    writer *w = self;
    keep(w);
    for (int i = 0; i < COLUMN_SPOOLS; ++i)
        tide_spool_close(&w->spool[i]);
    if (w->spool_dir_fd >= 0 && w->spool_dir_fd != w->dir.fd)
        close(w->spool_dir_fd);
    tide_store_dir_close(&w->dir);
    free(w);
}

/* --- opening
 * ------------------------------------------------------------------------------------------------------ */

/* The table of regressors, whose header is there already. */
static tide_status put_xreg(writer *w, const tide_xreg_table *x, tide_error *err) {
    const uint8_t one = 1;
    const char *end = x->names;
    for (int32_t i = 0; i < x->n; ++i)
        end += strlen(end) + 1;
    TIDE_TRY(put(w, TIDE_COL_XREG_NAMES, x->names, (size_t)(end - x->names), err));
    for (int64_t t = 0; t < x->rows; ++t)
        TIDE_TRY(put(w, TIDE_COL_XREG_PRESENT, x->present ? x->present + t : &one, 1, err));
    return put(w, TIDE_COL_XREG_X, x->x, (size_t)x->rows * (size_t)x->n, err);
}

static tide_status open_spools(writer *w, const tide_store_writer_options *options, tide_error *err) {
    static const uint64_t zero = 0;
    w->spool_dir_fd = w->dir.fd;
    if (w->resume.fd >= 0)
        return TIDE_OK; /* taken over, with what follows in them */
    if (options->identity)
        TIDE_TRY(tide_resume_start(w->dir.fd, w->header.run_id, options->identity, w->spool, &w->resume, err));
    else if (options->spool_dir)
        w->spool_dir_fd = open(options->spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->spool_dir_fd < 0)
        return tide_fail(err, TIDE_DISK, "spool directory '%s': %s", options->spool_dir, strerror(errno));
    for (int i = 0; i < COLUMN_SPOOLS && !options->identity; ++i)
        TIDE_TRY(tide_spool_open(&w->spool[i], w->spool_dir_fd, tide_column_describe(i).name, err));
    TIDE_TRY(put(w, TIDE_COL_ID_AT, &zero, 1, err));
    TIDE_TRY(put(w, TIDE_COL_FIRST_MEMBER, &zero, 1, err));
    TIDE_TRY(put(w, TIDE_COL_COEF_AT, &zero, 1, err));
    TIDE_TRY(put(w, TIDE_COL_STATE_AT, &zero, 1, err));
    if (options->xreg)
        TIDE_TRY(put_xreg(w, options->xreg, err));
    return put(w, TIDE_COL_RUN_ID, w->header.run_id, 1, err);
}

/* Was the generation written by this run? */
static int is_of_run(const tide_store_dir *dir, uint64_t generation, const char *run_id) {
    char name[32], path[640];
    tide_store *store = NULL;
    tide_store_info info;
    tide_generation_name(generation, name);
    snprintf(path, sizeof path, "%s/%s", dir->path, name);
    if (!*run_id || generation == 0 || tide_store_open(path, TIDE_VERIFY_TOUCHED, &store, NULL) != TIDE_OK)
        return 0;
    tide_store_get_info(store, &info);
    tide_store_close(store);
    return strcmp(info.run_id, run_id) == 0;
}

/* The first line of `now` that `then` does not have at its place, as an error. */
static tide_status compare_identity(const tide_kept *kept, const char *now, tide_error *err) {
    const char *then = kept->identity;
    while (*now || *then) {
        size_t n = strcspn(now, "\n"), t = strcspn(then, "\n");
        if (n != t || memcmp(now, then, n) != 0) {
            size_t nk = strcspn(now, "=\n"), tk = strcspn(then, "=\n");
            if (nk != tk || memcmp(now, then, nk) != 0)
                return tide_fail(err, TIDE_CONFIG, "--resume: run %s was begun by a program with other options",
                                 kept->run_id);
            return tide_fail(err, TIDE_CONFIG,
                             "--resume: run %s was begun with %.*s %.*s, now it is %.*s; without --resume all series "
                             "are fitted again",
                             kept->run_id, (int)tk, then, t > tk ? (int)(t - tk - 1) : 0, then + tk + 1,
                             n > nk ? (int)(n - nk - 1) : 0, now + nk + 1);
        }
        now += n + (now[n] != 0);
        then += t + (then[t] != 0);
    }
    return TIDE_OK;
}

/* What a run that died has left: taken over when asked for and possible, else removed, with a note. */
static tide_status settle_kept(writer *w, const tide_store_writer_options *o, const tide_kept *kept, tide_error *err) {
    unsigned long long series = (unsigned long long)kept->n_series;
    uint64_t newest = w->dir.newest, n_series = 0;
    int unserved = newest > w->dir.current && is_of_run(&w->dir, newest, kept->run_id);
    int served = is_of_run(&w->dir, w->dir.current, kept->run_id);
    if (o->resume && o->identity && kept->n_series > 0 && !served) {
        TIDE_TRY(compare_identity(kept, o->identity, err));
        TIDE_TRY(tide_resume_take(w->dir.fd, w->spool, &w->resume, &n_series, &w->header.n_members, err));
    }
    if (unserved)
        TIDE_TRY(tide_store_dir_drop(&w->dir, newest, err));
    if (n_series > 0) {
        w->header.n_series = n_series;
        copy_text(w->header.run_id, sizeof w->header.run_id, kept->run_id);
        snprintf(w->note, sizeof w->note, "run %s goes on after the %llu series that it had finished", kept->run_id,
                 (unsigned long long)n_series);
        return TIDE_OK;
    }
    tide_resume_remove(w->dir.fd);
    if (served)
        snprintf(w->note, sizeof w->note, "run %s was killed when its generation was current already", kept->run_id);
    else if (series > 0 && o->resume && o->identity)
        snprintf(w->note, sizeof w->note, "what run %s left, %llu series, is damaged: all are fitted again", kept->run_id,
                 series);
    else if (series > 0)
        snprintf(w->note, sizeof w->note, "run %s had died; the %llu series that it had finished%s are thrown away (--resume goes on from there)",
                 kept->run_id, series, unserved ? ", and its generation that never became current," : "");
    return TIDE_OK;
}

tide_status tide_store_writer_open(const tide_store_writer_options *options, tide_sink *out,
                                   tide_error *err) {
    if (strlen(options->run_id) >= TIDE_RUN_ID_BYTES)
        return tide_fail(err, TIDE_INTERNAL, "run id '%s' is too long", options->run_id);
    if (options->season < 1 || options->season > TIDE_SEASON_MAX)
        return tide_fail(err, TIDE_CONFIG, "season %d: 1 to %d are possible", (int)options->season,
                         TIDE_SEASON_MAX);
    writer *w = calloc(1, sizeof *w);
    if (!w)
        return tide_fail(err, TIDE_MEMORY, "store '%s': out of memory", options->dir);
    for (int i = 0; i < COLUMN_SPOOLS; ++i)
        w->spool[i].fd = -1;
    w->spool_dir_fd = -1;
    w->resume = TIDE_RESUME_NONE;
    tide_status status = tide_store_dir_open(options->dir, &w->dir, err);
    if (status != TIDE_OK) {
        free(w);
        return status;
    }
    w->keep = options->keep;
    w->resume_mixed = options->resume_mixed;
    w->header = (tide_store_header){.magic = {0},
                                    .version = TIDE_STORE_VERSION,
                                    .user_block_bytes = TIDE_USER_BLOCK,
                                    .freq_unit = options->freq.unit,
                                    .freq_multiple = options->freq.multiple,
                                    .season = options->season,
                                    .seed = options->seed,
                                    .index_seed = options->index_seed,
                                    .n_columns = TIDE_COLUMNS,
                                    .block_bytes = TIDE_BLOCK_BYTES};
    if (options->xreg) {
        w->header.xreg_n = options->xreg->n;
        w->header.xreg_rows = (uint64_t)options->xreg->rows;
        w->header.xreg_first_ds = options->xreg->first_ds;
        w->header.xreg_end_of_month = options->xreg->end_of_month;
    }
    memcpy(w->header.magic, TIDE_STORE_MAGIC, sizeof w->header.magic);
    copy_text(w->header.run_id, sizeof w->header.run_id, options->run_id);
    copy_text(w->header.code_version, sizeof w->header.code_version, TIDE_VERSION "+" TIDE_COMMIT);
    copy_text(w->header.backend, sizeof w->header.backend, options->backend);
    tide_kept kept = {0};
    status = tide_resume_look(w->dir.fd, &kept, err);
    if (status == TIDE_OK && kept.exists)
        status = settle_kept(w, options, &kept, err);
    tide_kept_free(&kept);
    w->header.generation = w->dir.newest + 1;
    if (status == TIDE_OK)
        status = open_spools(w, options, err);
    if (status != TIDE_OK) {
        writer_close(w);
        return tide_error_prefix(err, status, "store '%s'", options->dir);
    }
    *out = (tide_sink){.self = w,
                       .write = writer_write,
                       .recall = writer_recall,
                       .finish = writer_finish,
                       .close = writer_close};
    snprintf(out->name, sizeof out->name, "store %s", options->dir);
    return TIDE_OK;
}

void tide_store_writer_set_kind(tide_sink *sink, tide_ds_kind kind) {
    writer *w = sink->self;
    w->header.ds_kind = (int32_t)kind;
    w->kind_known = 1;
}

void tide_store_writer_set_backend(tide_sink *sink, const char *name) {
    writer *w = sink->self;
    copy_text(w->header.backend, sizeof w->header.backend, name);
}

uint64_t tide_store_writer_generation(const tide_sink *sink) {
    const writer *w = sink->self;
    return w->header.generation;
}

const char *tide_store_writer_run_id(const tide_sink *sink) {
    const writer *w = sink->self;
    return w->header.run_id;
}

uint64_t tide_store_writer_resumed(const tide_sink *sink) {
    const writer *w = sink->self;
    return w->resume.taken;
}

const char *tide_store_writer_note(const tide_sink *sink) {
    const writer *w = sink->self;
    return w->note;
}

uint64_t tide_store_writer_keep(tide_sink *sink) {
    return keep(sink->self);
}

void tide_store_writer_written(const tide_sink *sink, tide_store_written *out) {
    const writer *w = sink->self;
    *out = w->written;
}
