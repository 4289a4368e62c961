/* store_dir.c - see store_dir.h.
 *
 *     .lock           flock'ed by the one writer from open to close; its text names the holder
 *
 *     .tmp-*          being written; made only under the lock, so whoever holds it may remove all of them
 *
 *     .resume/        what a run has finished so far (store_resume.c)
 *
 *     gen-NNNNNN.h5   immutable, mode 0444
 *
 *     CURRENT         symbolic link to one of them, replaced by rename
 *
 * The lock file is never removed: one that comes and goes can be held by two. Readers take no lock.
 *
 * Order of a publish: temporary synced (caller), rename to gen, fsync of the directory, link under another
 * name, rename of that to CURRENT, fsync. Killed at any point, CURRENT names a whole generation, the old or
 * the new one. A generation that was renamed but never became CURRENT is removed by the next writer when .resume
 * shows that its run died there (store_write.c); else it stays, and its number is not given out again. Order is by number, never by time. fsync is never retried: after a
 * failure the kernel may have dropped the pages and would report success. */
#include "io/store_dir.h"
#include "io/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char temporary_prefix[] = ".tmp-";

void tide_generation_name(uint64_t generation, char out[32]) {
    snprintf(out, 32, "gen-%06llu.h5", (unsigned long long)generation);
}

/* The number in a generation's name; 0 for any other name. */
static uint64_t number_of(const char *name) {
    char again[32];
    if (strncmp(name, "gen-", 4) != 0 || strlen(name) > 27)
        return 0;
    uint64_t n = strtoull(name + 4, NULL, 10);
    tide_generation_name(n, again);
    return strcmp(name, again) == 0 ? n : 0;
}

/* Calls each(name) for all entries. */
static tide_status scan(tide_store_dir *dir, void (*each)(tide_store_dir *, const char *, void *),
                        void *context, tide_error *err) {
    int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        int failed = errno;
        if (fd >= 0)
            close(fd);
        return tide_fail(err, TIDE_DISK, "store '%s': cannot be listed: %s", dir->path, strerror(failed));
    }
    for (const struct dirent *e = readdir(list); e; e = readdir(list))
        each(dir, e->d_name, context);
    closedir(list);
    return TIDE_OK;
}

static void note_entry(tide_store_dir *dir, const char *name, void *context) {
    (void)context;
    if (strncmp(name, temporary_prefix, strlen(temporary_prefix)) == 0)
        unlinkat(dir->fd, name, 0);
    uint64_t n = number_of(name);
    if (n > dir->newest)
        dir->newest = n;
}

/* Makes the directory itself durable where it is new. */
static tide_status make_directory(const char *path, tide_error *err) {
    if (mkdir(path, 0777) != 0)
        return errno == EEXIST
                   ? TIDE_OK
                   : tide_fail(err, TIDE_DISK, "store '%s': cannot be created: %s", path, strerror(errno));
    char parent[512 + 4];
    snprintf(parent, sizeof parent, "%s/..", path);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return TIDE_OK; /* a parent that may not be read: cannot be synced, can be used */
    int failed = fsync(fd) != 0 ? errno : 0;
    close(fd);
    return failed && failed != EINVAL
               ? tide_fail(err, TIDE_DISK, "store '%s': fsync of '%s': %s", path, parent, strerror(failed))
               : TIDE_OK;
}

tide_status tide_store_dir_open(const char *path, tide_store_dir *out, tide_error *err) {
    tide_store_dir dir = {.fd = -1, .lock_fd = -1};
    if (strlen(path) >= sizeof dir.path)
        return tide_fail(err, TIDE_DISK, "store: its path is too long");
    snprintf(dir.path, sizeof dir.path, "%s", path);
    TIDE_TRY(make_directory(path, err));
    dir.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tide_status status = TIDE_OK;
    if (dir.fd < 0)
        status = tide_fail(err, TIDE_DISK, "store '%s': %s", path, strerror(errno));
    else
        status = tide_lock_take(dir.fd, ".lock", "store", path, &dir.lock_fd, err);
    if (status == TIDE_OK)
        status = scan(&dir, note_entry, NULL, err);
    if (status != TIDE_OK) {
        tide_store_dir_close(&dir);
        return status;
    }
    char name[64];
    ssize_t n = readlinkat(dir.fd, "CURRENT", name, sizeof name - 1);
    name[n > 0 ? n : 0] = 0;
    dir.current = number_of(name);
    if (dir.current > dir.newest)
        dir.newest = dir.current;
    *out = dir;
    return TIDE_OK;
}

void tide_store_dir_close(tide_store_dir *dir) {
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    if (dir->fd >= 0)
        close(dir->fd);
    dir->lock_fd = dir->fd = -1;
}

/* Rename that fails with EEXIST rather than replace. Where the file system cannot, the lock is what protects
 * us. */
static int rename_new(int fd, const char *from, const char *to) {
    if (renameat2(fd, from, fd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    struct stat st;
    if (fstatat(fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(fd, from, fd, to);
}

tide_status tide_store_dir_publish(tide_store_dir *dir, const char *temporary, uint64_t generation,
                                   tide_error *err) {
    static const char link_name[] = ".tmp-CURRENT";
    char name[32];
    tide_generation_name(generation, name);
    if (rename_new(dir->fd, temporary, name) != 0)
        return tide_fail(err, errno == EEXIST ? TIDE_BUSY : TIDE_DISK, "store '%s': cannot make %s: %s",
                         dir->path, name, strerror(errno));
    unlinkat(dir->fd, link_name, 0);
    if (fsync(dir->fd) != 0 || symlinkat(name, dir->fd, link_name) != 0 ||
        renameat(dir->fd, link_name, dir->fd, "CURRENT") != 0) {
        int failed = errno;
        unlinkat(dir->fd, link_name, 0);
        unlinkat(dir->fd, name, 0);
        return tide_fail(err, TIDE_DISK, "store '%s': cannot make %s current: %s", dir->path, name,
                         strerror(failed));
    }
    dir->newest = dir->current = generation;
    if (fsync(dir->fd) != 0)
        return tide_fail(err, TIDE_DISK, "store '%s': %s is current, but fsync of the directory failed: %s",
                         dir->path, name, strerror(errno));
    return TIDE_OK;
}

tide_status tide_store_dir_drop(tide_store_dir *dir, uint64_t generation, tide_error *err) {
    char name[32];
    tide_generation_name(generation, name);
    if (generation == dir->current || unlinkat(dir->fd, name, 0) != 0)
        return tide_fail(err, TIDE_DISK, "store '%s': cannot remove %s: %s", dir->path, name,
                         generation == dir->current ? "it is current" : strerror(errno));
    dir->newest = dir->current;
    return scan(dir, note_entry, NULL, err);
}

/* The generations of the directory, in a list that grows. */
typedef struct generation_list {
    uint64_t *number;
    size_t n, capacity;
    int failed;
} generation_list;

static void list_entry(tide_store_dir *dir, const char *name, void *context) {
    generation_list *list = context;
    uint64_t n = number_of(name);
    (void)dir;
    if (n == 0 || list->failed)
        return;
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        uint64_t *grown = realloc(list->number, capacity * sizeof *grown);
        if (!grown) {
            list->failed = 1;
            return;
        }
        list->number = grown;
        list->capacity = capacity;
    }
    list->number[list->n++] = n;
}

static int newest_first(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x < y) - (x > y);
}

int tide_store_dir_prune(tide_store_dir *dir, int keep) {
    generation_list list = {0};
    int removed = 0;
    if (keep > 0 && scan(dir, list_entry, &list, NULL) == TIDE_OK && !list.failed && list.n > (size_t)keep) {
        qsort(list.number, list.n, sizeof *list.number, newest_first);
        for (size_t i = (size_t)keep; i < list.n; ++i) {
            char name[32];
            tide_generation_name(list.number[i], name);
            if (list.number[i] != dir->current && unlinkat(dir->fd, name, 0) == 0)
                ++removed;
        }
    }
    free(list.number);
    return removed;
}
