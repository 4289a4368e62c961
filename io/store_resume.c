/* store_resume.c - see store_resume.h.
 *
 *     .resume/
 *       journal       head: run id, what decides the results; then a record a note
 *       series.id_at ... a spool a column, growing
 *
 * A record says how many series and members are finished and, for each column, its length and the XXH3 of all of it;
 * its own checksum shows a torn one. So nothing need be written in order: a record counts when the columns hold what it
 * says. The death of a process loses no written page, hence a record costs 32 small writes and no sync. Against a loss
 * of power columns and journal are synced every ten seconds, and such a record is marked: whoever takes over
 * tries the last record, and if it does not hold, the last marked one. After a failed sync, which must not be retried,
 * all is thrown away. A run that ends sooner than that never waits for a disk here.
 *
 * The directory exists from the start of a run until its generation is CURRENT; only the holder of the store's lock
 * looks at it. Results are a pure function of a series and the configuration, so that it does not matter where one run
 * ended and the next began. */
#include "io/store_resume.h"

#include "host/queue.h" /* tide_now_s */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static const char directory[] = ".resume", journal_name[] = "journal";
static const double note_s = 0.1, sync_s = 10.0;

typedef struct head {
    char magic[8];
    uint32_t version, columns;
    uint64_t text_bytes; /* the identity follows the head */
    char run_id[TIDE_RUN_ID_BYTES];
    uint64_t xxh3; /* of head, with this 0, and text */
} head;

typedef struct record {
    uint64_t n_series, n_members;
    uint64_t synced;
    uint64_t bytes[TIDE_SPOOLED], xxh3[TIDE_SPOOLED];
    uint64_t own_xxh3; /* of the above */
} record;

enum { VERSION = 1, TEXT_MAX = 1 << 20, MEMBERS_MAX = 255 };

static uint64_t own_xxh3(const record *r) {
    return XXH3_64bits(r, offsetof(record, own_xxh3));
}

static tide_status fail(tide_error *err, const char *what) {
    return tide_fail(err, TIDE_DISK, "%s/%s: %s", directory, what, strerror(errno));
}

static void file_of(int column, char out[64]) {
    snprintf(out, 64, "%s", tide_column_describe(column).name);
    for (char *slash = strchr(out, '/'); slash; slash = strchr(slash, '/'))
        *slash = '.';
}

static int open_directory(int store_fd) {
    return openat(store_fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* --- the journal ---------------------------------------------------------------------------------------------- */

/* The head and its text (malloc'd); 0 when they cannot be used. */
static int read_head(int fd, head *h, char **text) {
    XXH3_state_t state;
    if (tide_pread_all(fd, h, sizeof *h, 0) != 0 || memcmp(h->magic, "TIDERUN", 8) != 0 ||
        h->version != VERSION || h->columns != TIDE_SPOOLED || h->text_bytes > TEXT_MAX ||
        !memchr(h->run_id, 0, sizeof h->run_id))
        return 0;
    char *t = malloc((size_t)h->text_bytes + 1);
    head zero = *h;
    zero.xxh3 = 0;
    if (!t || tide_pread_all(fd, t, (size_t)h->text_bytes, sizeof *h) != 0) {
        free(t);
        return 0;
    }
    t[h->text_bytes] = 0;
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, &zero, sizeof zero);
    XXH3_64bits_update(&state, t, (size_t)h->text_bytes);
    if (XXH3_64bits_digest(&state) != h->xxh3) {
        free(t);
        return 0;
    }
    *text = t;
    return 1;
}

/* The last whole record before *end (a place in the file), or the last one that was synced; *end becomes its end. */
static int last_record(int fd, uint64_t head_bytes, int synced, uint64_t *end, record *out) {
    uint64_t n = *end < head_bytes ? 0 : (*end - head_bytes) / sizeof *out;
    while (n-- > 0) {
        if (tide_pread_all(fd, out, sizeof *out, head_bytes + n * sizeof *out) == 0 &&
            out->own_xxh3 == own_xxh3(out) && (!synced || out->synced)) {
            *end = head_bytes + (n + 1) * sizeof *out;
            return 1;
        }
    }
    return 0;
}

static uint64_t size_of(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

tide_status tide_resume_look(int store_fd, tide_kept *out, tide_error *err) {
    tide_kept kept = {0};
    head h;
    record last;
    int dir_fd = open_directory(store_fd);
    if (dir_fd < 0 && errno != ENOENT)
        return fail(err, "");
    kept.exists = dir_fd >= 0;
    int fd = dir_fd < 0 ? -1 : openat(dir_fd, journal_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && read_head(fd, &h, &kept.identity)) {
        uint64_t end = size_of(fd);
        memcpy(kept.run_id, h.run_id, sizeof kept.run_id);
        if (last_record(fd, sizeof h + h.text_bytes, 0, &end, &last))
            kept.n_series = last.n_series;
    }
    if (fd >= 0)
        close(fd);
    if (dir_fd >= 0)
        close(dir_fd);
    *out = kept;
    return TIDE_OK;
}

void tide_kept_free(tide_kept *kept) {
    free(kept->identity);
    *kept = (tide_kept){0};
}

void tide_resume_remove(int store_fd) {
    int fd = open_directory(store_fd);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list && fd >= 0)
        close(fd);
    for (const struct dirent *e = list ? readdir(list) : NULL; e; e = readdir(list))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlinkat(dirfd(list), e->d_name, 0);
    if (list)
        closedir(list);
    unlinkat(store_fd, directory, AT_REMOVEDIR);
}

static tide_status write_head(tide_resume *r, const char *run_id, const char *identity, tide_error *err) {
    head h = {.version = VERSION, .columns = TIDE_SPOOLED, .text_bytes = strlen(identity)};
    XXH3_state_t state;
    memcpy(h.magic, "TIDERUN", 8);
    memcpy(h.run_id, run_id, strlen(run_id)); /* shorter than the field: the writer has looked */
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, &h, sizeof h);
    XXH3_64bits_update(&state, identity, strlen(identity));
    h.xxh3 = XXH3_64bits_digest(&state);
    r->head_bytes = r->end = sizeof h + h.text_bytes;
    return tide_pwrite_all(r->fd, &h, sizeof h, 0) == 0 &&
                   tide_pwrite_all(r->fd, identity, strlen(identity), sizeof h) == 0
               ? TIDE_OK
               : fail(err, journal_name);
}

tide_status tide_resume_start(int store_fd, const char *run_id, const char *identity, tide_spool *spool,
                              tide_resume *out, tide_error *err) {
    tide_resume r = TIDE_RESUME_NONE;
    r.spool = spool;
    r.noted_s = r.synced_s = tide_now_s();
    if (mkdirat(store_fd, directory, 0700) != 0 || (r.dir_fd = open_directory(store_fd)) < 0)
        return fail(err, "");
    tide_status status = TIDE_OK;
    r.fd = openat(r.dir_fd, journal_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    status = r.fd < 0 ? fail(err, journal_name) : write_head(&r, run_id, identity, err);
    for (int i = 0; i < TIDE_SPOOLED && status == TIDE_OK; ++i) {
        char file[64];
        file_of(i, file);
        status = tide_spool_create(&spool[i], r.dir_fd, file, tide_column_describe(i).name, err);
    }
    if (status != TIDE_OK) {
        tide_resume_close(&r);
        tide_resume_remove(store_fd);
        return status;
    }
    *out = r;
    return TIDE_OK;
}

/* All spools at what the record says; 0 when the files do not hold it (*err then says which). */
static int open_spools_at(tide_resume *r, const record *at, tide_error *err) {
    for (int i = 0; i < TIDE_SPOOLED; ++i) {
        char file[64];
        const char *name = tide_column_describe(i).name;
        file_of(i, file);
        int good = tide_spool_continue(&r->spool[i], r->dir_fd, file, name, at->bytes[i], err) == TIDE_OK;
        if (good && tide_spool_xxh3(&r->spool[i]) != at->xxh3[i]) {
            tide_fail(err, TIDE_DISK, "column %s: its temporary is damaged", name);
            good = 0;
            ++i;
        }
        if (!good) {
            while (i-- > 0)
                tide_spool_close(&r->spool[i]);
            return 0;
        }
    }
    return 1;
}

tide_status tide_resume_take(int store_fd, tide_spool *spool, tide_resume *out, uint64_t *n_series,
                             uint64_t *n_members, tide_error *err) {
    tide_resume r = TIDE_RESUME_NONE;
    head h;
    char *text = NULL;
    record at;
    tide_error why = {TIDE_OK, ""};
    r.spool = spool;
    r.noted_s = r.synced_s = tide_now_s();
    *n_series = 0;
    r.dir_fd = open_directory(store_fd);
    r.fd = r.dir_fd < 0 ? -1 : openat(r.dir_fd, journal_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (r.fd < 0) {
        tide_status status = fail(err, journal_name);
        tide_resume_close(&r);
        return status;
    }
    int found = read_head(r.fd, &h, &text);
    free(text);
    if (found) {
        r.head_bytes = sizeof h + h.text_bytes;
        r.end = size_of(r.fd);
        found = last_record(r.fd, r.head_bytes, 0, &r.end, &at) &&
                (open_spools_at(&r, &at, &why) ||
                 (last_record(r.fd, r.head_bytes, 1, &r.end, &at) && open_spools_at(&r, &at, &why)));
    }
    if (!found || at.n_series == 0 || ftruncate(r.fd, (off_t)r.end) != 0) {
        for (int i = 0; found && i < TIDE_SPOOLED; ++i)
            tide_spool_close(&spool[i]);
        tide_resume_close(&r);
        return TIDE_OK;
    }
    *n_series = r.noted = r.taken = at.n_series;
    *n_members = at.n_members;
    *out = r;
    return TIDE_OK;
}

/* Columns, and the names of files and directory. */
static tide_status sync_all(tide_resume *r, tide_error *err) {
    int parent = openat(r->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int bad = parent < 0 || fsync(r->dir_fd) != 0 || fsync(parent) != 0;
    if (parent >= 0)
        close(parent);
    for (int i = 0; i < TIDE_SPOOLED && !bad; ++i)
        bad = fdatasync(r->spool[i].fd) != 0;
    r->untrusted = bad;
    return bad ? fail(err, "fsync") : TIDE_OK;
}

tide_status tide_resume_note(tide_resume *r, uint64_t n_series, uint64_t n_members, int now, tide_error *err) {
    double time = tide_now_s();
    if (r->fd < 0 || (!now && time - r->noted_s < note_s))
        return TIDE_OK;
    record at;
    memset(&at, 0, sizeof at);
    at.n_series = n_series;
    at.n_members = n_members;
    at.synced = time - r->synced_s >= sync_s;
    for (int i = 0; i < TIDE_SPOOLED; ++i) {
        TIDE_TRY(tide_spool_flush(&r->spool[i], err));
        at.bytes[i] = r->spool[i].bytes;
        at.xxh3[i] = tide_spool_xxh3(&r->spool[i]);
    }
    if (at.synced)
        TIDE_TRY(sync_all(r, err));
    at.own_xxh3 = own_xxh3(&at);
    if (tide_pwrite_all(r->fd, &at, sizeof at, r->end) != 0)
        return fail(err, journal_name);
    if (at.synced && fdatasync(r->fd) != 0) {
        r->untrusted = 1;
        return fail(err, "fsync");
    }
    r->end += sizeof at;
    r->noted = n_series;
    r->noted_s = tide_now_s();
    if (at.synced)
        r->synced_s = r->noted_s;
    return TIDE_OK;
}

/* --- what is there already ------------------------------------------------------------------------------------- */

/* Elements [from, from + n) of a column. */
static tide_status read_column(const tide_resume *r, int column, uint64_t from, uint64_t n, void *out,
                               tide_error *err) {
    uint64_t size = tide_type_bytes(tide_column_describe(column).type);
    return tide_spool_read(&r->spool[column], from * size, out, (size_t)(n * size), err);
}

static tide_status same_id(const tide_resume *r, const tide_panel *p, size_t i, uint64_t row, int *same,
                           tide_error *err) {
    uint64_t at[2];
    char part[4096];
    size_t length = p->id_at[i + 1] - p->id_at[i];
    TIDE_TRY(read_column(r, TIDE_COL_ID_AT, row, 2, at, err));
    *same = at[1] - at[0] == length;
    for (size_t done = 0; done < length && *same;) {
        size_t n = length - done < sizeof part ? length - done : sizeof part;
        TIDE_TRY(read_column(r, TIDE_COL_IDS, at[0] + done, n, part, err));
        *same = memcmp(part, p->ids + p->id_at[i] + done, n) == 0;
        done += n;
    }
    return TIDE_OK;
}

/* Is series i of the panel the one of this row, with the same data? */
static tide_status compare(const tide_resume *r, const tide_panel *p, size_t i, uint64_t row, int *same,
                           tide_error *err) {
    uint64_t fingerprint;
    int64_t first_ds, last_ds;
    int32_t n_values;
    uint8_t outcome, end_of_month;
    TIDE_TRY(same_id(r, p, i, row, same, err));
    if (!*same)
        return TIDE_OK;
    TIDE_TRY(read_column(r, TIDE_COL_FINGERPRINT, row, 1, &fingerprint, err));
    TIDE_TRY(read_column(r, TIDE_COL_FIRST_DS, row, 1, &first_ds, err));
    TIDE_TRY(read_column(r, TIDE_COL_LAST_DS, row, 1, &last_ds, err));
    TIDE_TRY(read_column(r, TIDE_COL_N_VALUES, row, 1, &n_values, err));
    TIDE_TRY(read_column(r, TIDE_COL_END_OF_MONTH, row, 1, &end_of_month, err));
    TIDE_TRY(read_column(r, TIDE_COL_OUTCOME, row, 1, &outcome, err));
    *same = fingerprint == p->fingerprint[i] && first_ds == p->first_ds[i] && last_ds == p->last_ds[i] &&
            (size_t)n_values == p->at[i + 1] - p->at[i] && end_of_month == p->end_of_month[i] &&
            (p->outcome[i] == TIDE_OUTCOME_FITTED || p->outcome[i] == outcome); /* shut out by intake, and why */
    return TIDE_OK;
}

static tide_status recall(const tide_resume *r, uint64_t row, tide_results *to, size_t i, tide_error *err) {
    uint64_t members[2];
    size_t n = to->n_series, form_bytes = sizeof *to->form;
    uint8_t family[MEMBERS_MAX], form[MEMBERS_MAX * sizeof *to->form];
    if (tide_type_bytes(tide_column_describe(TIDE_COL_FORM).type) != form_bytes)
        return tide_fail(err, TIDE_INTERNAL, "forms have another width in the store than in results");
    TIDE_TRY(read_column(r, TIDE_COL_OUTCOME, row, 1, &to->outcome[i], err));
    TIDE_TRY(read_column(r, TIDE_COL_FIRST_MEMBER, row, 2, members, err));
    if (members[1] - members[0] > (uint64_t)to->slots)
        return tide_fail(err, TIDE_INTERNAL, "series %llu has %llu members in %d slots", (unsigned long long)row + 1,
                         (unsigned long long)(members[1] - members[0]), (int)to->slots);
    to->n_members[i] = (uint8_t)(members[1] - members[0]);
    TIDE_TRY(read_column(r, TIDE_COL_FAMILY, members[0], to->n_members[i], family, err));
    TIDE_TRY(read_column(r, TIDE_COL_FORM, members[0], to->n_members[i], form, err));
    for (size_t j = 0; j < to->n_members[i]; ++j) {
        to->family[j * n + i] = family[j];
        memcpy(&to->form[j * n + i], form + j * form_bytes, form_bytes);
    }
    return TIDE_OK;
}

tide_status tide_resume_recall(const tide_resume *r, const tide_panel *panel, tide_results *results, size_t *kept,
                               size_t *same, tide_error *err) {
    uint64_t first = panel->first_number;
    size_t n = first >= r->taken                       ? 0
               : r->taken - first < panel->n_series ? (size_t)(r->taken - first)
                                                     : panel->n_series;
    *kept = n;
    for (*same = 0; *same < n; ++*same) {
        int equal = 0;
        TIDE_TRY(compare(r, panel, *same, first + *same, &equal, err));
        if (!equal)
            return TIDE_OK;
        TIDE_TRY(recall(r, first + *same, results, *same, err));
    }
    return TIDE_OK;
}

/* Bytes of a column that the first n series and m members take. */
static tide_status bytes_up_to(const tide_resume *r, int column, uint64_t n, uint64_t m, uint64_t *bytes,
                               tide_error *err) {
    tide_column_text c = tide_column_describe(column);
    uint64_t size = tide_type_bytes(c.type), count = 0;
    switch (c.extent) {
    case TIDE_PER_SERIES:
        count = n;
        break;
    case TIDE_PER_SERIES_1:
        count = n + 1;
        break;
    case TIDE_PER_MEMBER:
        count = m;
        break;
    case TIDE_PER_MEMBER_1:
        count = m + 1;
        break;
    case TIDE_HEAP:
        if (column == TIDE_COL_IDS)
            TIDE_TRY(read_column(r, TIDE_COL_ID_AT, n, 1, &count, err));
        else if (column == TIDE_COL_COEF)
            TIDE_TRY(read_column(r, TIDE_COL_COEF_AT, m, 1, &count, err));
        else if (column == TIDE_COL_STATE)
            TIDE_TRY(read_column(r, TIDE_COL_STATE_AT, m, 1, &count, err));
        else if (column == TIDE_COL_RUN_ID)
            count = 1;
        else if (column == TIDE_COL_XREG_NAMES)
            count = r->spool[column].bytes / size; /* of the whole run */
        else
            return tide_fail(err, TIDE_INTERNAL, "column %s cannot be cut", c.name);
        break;
    case TIDE_XREG_ROWS:
    case TIDE_XREG_CELLS:
        count = r->spool[column].bytes / size;
        break;
    case TIDE_SLOTS:
    case TIDE_BLOCKS:
        break;
    }
    *bytes = count * size;
    return TIDE_OK;
}

tide_status tide_resume_cut(tide_resume *r, uint64_t n_series, uint64_t *n_members, tide_error *err) {
    uint64_t bytes[TIDE_SPOOLED];
    TIDE_TRY(read_column(r, TIDE_COL_FIRST_MEMBER, n_series, 1, n_members, err));
    for (int i = 0; i < TIDE_SPOOLED; ++i)
        TIDE_TRY(bytes_up_to(r, i, n_series, *n_members, &bytes[i], err));
    if (ftruncate(r->fd, (off_t)r->head_bytes) != 0) /* killed here, nothing is kept */
        return fail(err, journal_name);
    r->end = r->head_bytes;
    for (int i = 0; i < TIDE_SPOOLED; ++i) {
        char file[64];
        file_of(i, file);
        tide_spool_close(&r->spool[i]);
        TIDE_TRY(tide_spool_continue(&r->spool[i], r->dir_fd, file, tide_column_describe(i).name, bytes[i], err));
    }
    r->taken = n_series;
    return tide_resume_note(r, n_series, *n_members, 1, err);
}

void tide_resume_close(tide_resume *r) {
    if (r->fd >= 0)
        close(r->fd);
    if (r->dir_fd >= 0)
        close(r->dir_fd);
    r->fd = r->dir_fd = -1;
}
