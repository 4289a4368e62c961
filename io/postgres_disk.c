#include "io/postgres_disk.h"
#include "io/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOLES_FROM_BYTES (UINT64_C(1) << 30)

tide_status tide_pg_disk_init(tide_pg_disk *disk, tide_error *err) {
    disk->fd = -1;
    disk->end = 0;
    if (pthread_mutex_init(&disk->lock, NULL))
        return tide_fail(err, TIDE_MEMORY, "postgres: no mutex");
    return TIDE_OK;
}

void tide_pg_disk_free(tide_pg_disk *disk) {
    if (disk->fd >= 0)
        close(disk->fd);
    pthread_mutex_destroy(&disk->lock);
}

static const char *folder(void) {
    const char *named = getenv("TMPDIR");
    return named && *named ? named : "/tmp";
}

static int make_file(void) {
    char path[1024];
    if (snprintf(path, sizeof path, "%s/tide-rows-XXXXXX", folder()) >= (int)sizeof path)
        return errno = ENAMETOOLONG, -1;
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static tide_status failed(const char *doing, tide_error *err) {
    return tide_fail(err, TIDE_DISK, "postgres: cannot %s the temporary file for rows in %s: %s", doing, folder(),
                     strerror(errno));
}

tide_status tide_pg_disk_write(tide_pg_disk *disk, const void *bytes, size_t n, uint64_t *at, tide_error *err) {
    pthread_mutex_lock(&disk->lock);
    if (disk->fd < 0)
        disk->fd = make_file();
    int fd = disk->fd;
    uint64_t end = disk->end;
    disk->end += n;
    pthread_mutex_unlock(&disk->lock);
    if (fd < 0)
        return failed("make", err);
    if (tide_pwrite_all(fd, bytes, n, end) != 0)
        return failed("write", err);
    *at = end;
    return TIDE_OK;
}

tide_status tide_pg_disk_read(tide_pg_disk *disk, uint64_t at, void *out, size_t n, tide_error *err) {
    return tide_pread_all(disk->fd, out, n, at) == 0 ? TIDE_OK : failed("read", err);
}

void tide_pg_disk_forget(tide_pg_disk *disk, uint64_t at, uint64_t n) {
#ifdef FALLOC_FL_PUNCH_HOLE
    /* Where the file system cannot, the space is free again when the file is closed; as long as the file is small, that
     * will do, and holes would cost as much time as reading. */
    if (n && disk->end >= HOLES_FROM_BYTES && fallocate(disk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)n) != 0)
        return;
#else
    (void)disk, (void)at, (void)n;
#endif
}
