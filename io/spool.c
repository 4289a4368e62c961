/* spool.c - see spool.h. */
#include "io/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int tide_pwrite_all(int fd, const void *bytes, size_t n, uint64_t at) {
    const unsigned char *p = bytes;
    while (n > 0) {
        ssize_t done = pwrite(fd, p, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            if (done == 0)
                errno = EIO;
            return -1;
        }
        p += done;
        n -= (size_t)done;
        at += (uint64_t)done;
    }
    return 0;
}

int tide_pread_all(int fd, void *out, size_t n, uint64_t at) {
    unsigned char *p = out;
    while (n > 0) {
        ssize_t done = pread(fd, p, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            if (done == 0)
                errno = EIO;
            return -1;
        }
        p += done;
        n -= (size_t)done;
        at += (uint64_t)done;
    }
    return 0;
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

void tide_spool_close(tide_spool *spool) {
    if (spool->fd >= 0)
        close(spool->fd);
    free(spool->buffer);
    spool->fd = -1;
    spool->buffer = NULL;
}

tide_status tide_spool_flush(tide_spool *spool, tide_error *err) {
    if (spool->used > 0 &&
        tide_pwrite_all(spool->fd, spool->buffer, spool->used, spool->bytes - spool->used) != 0)
        return tide_fail(err, TIDE_DISK, "column %s: cannot write its temporary: %s", spool->name,
                         strerror(errno));
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
    if (ftruncate(spool->fd, 0) != 0)
        return tide_fail(err, TIDE_DISK, "column %s: cannot empty its temporary: %s", spool->name,
                         strerror(errno));
    return TIDE_OK;
}
