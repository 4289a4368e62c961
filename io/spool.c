/* spool.c - see spool.h. */
#include "io/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Reads into `out`, or, with `out` NULL, writes `bytes`. */
static int move_all(int fd, const unsigned char *bytes, unsigned char *out, size_t n, uint64_t at) {
    for (size_t moved = 0; moved < n;) {
        off_t from = (off_t)(at + moved);
        ssize_t done = out ? pread(fd, out + moved, n - moved, from) : pwrite(fd, bytes + moved, n - moved, from);
        if (done < 0 && errno == EINTR)
            continue;
        if (done == 0)
            errno = EIO;
        if (done <= 0)
            return -1;
        moved += (size_t)done;
    }
    return 0;
}

int tide_pwrite_all(int fd, const void *bytes, size_t n, uint64_t at) {
    return move_all(fd, bytes, NULL, n, at);
}

int tide_pread_all(int fd, void *out, size_t n, uint64_t at) {
    return move_all(fd, NULL, out, n, at);
}

tide_status tide_spool_open(tide_spool *spool, int dir_fd, const char *name, tide_error *err) {
    char file[80];
    *spool = (tide_spool){.fd = -1, .name = name};
    spool->buffer = malloc(TIDE_SPOOL_BUFFER);
    if (!spool->buffer)
        return tide_fail(err, TIDE_MEMORY, "column %s: out of memory", name);
    for (int attempt = 0; attempt < 100 && spool->fd < 0; ++attempt) {
        snprintf(file, sizeof file, ".tmp-spool-%ld-%d", (long)getpid(), attempt);
        spool->fd = openat(dir_fd, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (spool->fd < 0 && errno != EEXIST)
            break;
    }
    if (spool->fd < 0) {
        int failed = errno;
        tide_spool_close(spool);
        return tide_fail(err, TIDE_DISK, "column %s: no temporary file: %s", name, strerror(failed));
    }
    unlinkat(dir_fd, file, 0);
    return TIDE_OK;
}

static tide_status open_named(tide_spool *spool, int dir_fd, const char *file, int flags, const char *name,
                              tide_error *err) {
    *spool = (tide_spool){.fd = -1, .name = name};
    spool->buffer = malloc(TIDE_SPOOL_BUFFER);
    spool->hash = XXH3_createState();
    if (!spool->buffer || !spool->hash) {
        tide_spool_close(spool);
        return tide_fail(err, TIDE_MEMORY, "column %s: out of memory", name);
    }
    XXH3_64bits_reset(spool->hash);
    spool->fd = openat(dir_fd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (spool->fd < 0) {
        int failed = errno;
        tide_spool_close(spool);
        return tide_fail(err, TIDE_DISK, "column %s: its temporary: %s", name, strerror(failed));
    }
    return TIDE_OK;
}

tide_status tide_spool_create(tide_spool *spool, int dir_fd, const char *file, const char *name,
                              tide_error *err) {
    return open_named(spool, dir_fd, file, O_CREAT | O_EXCL, name, err);
}

tide_status tide_spool_continue(tide_spool *spool, int dir_fd, const char *file, const char *name,
                                uint64_t bytes, tide_error *err) {
    struct stat st;
    TIDE_TRY(open_named(spool, dir_fd, file, 0, name, err));
    tide_status status = TIDE_OK;
    if (fstat(spool->fd, &st) != 0 || (uint64_t)st.st_size < bytes)
        status = tide_fail(err, TIDE_DISK, "column %s: its temporary has fewer than %llu bytes", name,
                           (unsigned long long)bytes);
    else if (ftruncate(spool->fd, (off_t)bytes) != 0)
        status = tide_fail(err, TIDE_DISK, "column %s: its temporary: %s", name, strerror(errno));
    for (uint64_t at = 0; at < bytes && status == TIDE_OK;) {
        size_t n = bytes - at < TIDE_SPOOL_BUFFER ? (size_t)(bytes - at) : TIDE_SPOOL_BUFFER;
        status = tide_spool_read(spool, at, spool->buffer, n, err);
        XXH3_64bits_update(spool->hash, spool->buffer, n);
        at += n;
    }
    if (status != TIDE_OK) {
        tide_spool_close(spool);
        return status;
    }
    spool->bytes = bytes;
    return TIDE_OK;
}

uint64_t tide_spool_xxh3(const tide_spool *spool) {
    return XXH3_64bits_digest(spool->hash);
}

void tide_spool_close(tide_spool *spool) {
    if (spool->fd >= 0)
        close(spool->fd);
    free(spool->buffer);
    XXH3_freeState(spool->hash);
    spool->fd = -1;
    spool->buffer = NULL;
    spool->hash = NULL;
}

tide_status tide_spool_flush(tide_spool *spool, tide_error *err) {
    if (spool->used > 0 &&
        tide_pwrite_all(spool->fd, spool->buffer, spool->used, spool->bytes - spool->used) != 0)
        return tide_fail(err, TIDE_DISK, "column %s: cannot write its temporary: %s", spool->name,
                         strerror(errno));
    if (spool->hash && spool->used > 0)
        XXH3_64bits_update(spool->hash, spool->buffer, spool->used);
    spool->used = 0;
    return TIDE_OK;
}

tide_status tide_spool_put(tide_spool *spool, const void *bytes, size_t n, tide_error *err) {
    const unsigned char *p = bytes;
    while (n > 0) {
        if (spool->used == TIDE_SPOOL_BUFFER)
            TIDE_TRY(tide_spool_flush(spool, err));
        size_t part = n < TIDE_SPOOL_BUFFER - spool->used ? n : TIDE_SPOOL_BUFFER - spool->used;
        memcpy(spool->buffer + spool->used, p, part);
        spool->used += part;
        spool->bytes += part;
        p += part;
        n -= part;
    }
    return TIDE_OK;
}

tide_status tide_spool_read(const tide_spool *spool, uint64_t at, void *out, size_t n, tide_error *err) {
    if (tide_pread_all(spool->fd, out, n, at) != 0)
        return tide_fail(err, TIDE_DISK, "column %s: cannot read its temporary: %s", spool->name,
                         strerror(errno));
    return TIDE_OK;
}

tide_status tide_spool_reset(tide_spool *spool, tide_error *err) {
    spool->used = 0;
    spool->bytes = 0;
    if (spool->hash)
        XXH3_64bits_reset(spool->hash);
    if (ftruncate(spool->fd, 0) != 0)
        return tide_fail(err, TIDE_DISK, "column %s: cannot empty its temporary: %s", spool->name,
                         strerror(errno));
    return TIDE_OK;
}
