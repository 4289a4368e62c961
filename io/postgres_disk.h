/* postgres_disk.h - one unlinked temporary file that rows go to when memory is not to hold them.
 *
 * It lies in $TMPDIR, else /tmp, is made at the first write, has no name (a killed process leaves nothing), and gives its
 * blocks back as they are read. Safe to use from several threads. A full disk is TIDE_DISK. */
#ifndef TIDE_POSTGRES_DISK_H
#define TIDE_POSTGRES_DISK_H

#include "host/error.h"
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tide_pg_disk {
    pthread_mutex_t lock;
    int fd; /* -1 before the first write */
    uint64_t end;
} tide_pg_disk;

tide_status tide_pg_disk_init(tide_pg_disk *disk, tide_error *err);
void tide_pg_disk_free(tide_pg_disk *disk);
/* Writes n bytes behind all others; *at: where. */
tide_status tide_pg_disk_write(tide_pg_disk *disk, const void *bytes, size_t n, uint64_t *at, tide_error *err);
tide_status tide_pg_disk_read(tide_pg_disk *disk, uint64_t at, void *out, size_t n, tide_error *err);
/* Says that n bytes are not needed any more. */
void tide_pg_disk_forget(tide_pg_disk *disk, uint64_t at, uint64_t n);

#endif
