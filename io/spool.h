/* spool.h - a column while it is being written: a buffered file, so that a writer of columns whose length is
 * not known before the end needs bounded memory. Unlinked from the start, a killed writer leaves nothing of
 * it behind; under a name and with a running checksum it can be taken over by the next (io/store_resume.h). */
#ifndef TIDE_SPOOL_H
#define TIDE_SPOOL_H

#include "host/error.h"
#include <stddef.h>
#include <stdint.h>

enum { TIDE_SPOOL_BUFFER = 65536 };

typedef struct tide_spool {
    int fd;
    const char *name;      /* for messages; borrowed */
    unsigned char *buffer; /* [TIDE_SPOOL_BUFFER] owned */
    size_t used;
    uint64_t bytes; /* put so far, those in the buffer included */
    void *hash;     /* XXH3 state over what was flushed, of a named spool; NULL of an unlinked one */
} tide_spool;

/* A new temporary in the directory `dir_fd`; its name is gone before this returns. */
tide_status tide_spool_open(tide_spool *spool, int dir_fd, const char *name, tide_error *err);
/* The file `file` of the directory, which must be new, or is continued after its first `bytes` bytes: cut to them, their
 * checksum taken (TIDE_DISK when there are fewer). It keeps its name. */
tide_status tide_spool_create(tide_spool *spool, int dir_fd, const char *file, const char *name, tide_error *err);
tide_status tide_spool_continue(tide_spool *spool, int dir_fd, const char *file, const char *name, uint64_t bytes,
                                tide_error *err);
/* Checksum of all that a named spool was given, which must have been flushed. */
uint64_t tide_spool_xxh3(const tide_spool *spool);
void tide_spool_close(tide_spool *spool); /* safe on {.fd = -1} and when closed before */
tide_status tide_spool_put(tide_spool *spool, const void *bytes, size_t n, tide_error *err);
tide_status tide_spool_flush(tide_spool *spool, tide_error *err);
/* Reads n bytes at `at`; all of them must have been flushed. */
tide_status tide_spool_read(const tide_spool *spool, uint64_t at, void *out, size_t n, tide_error *err);
/* Throws away what was put. */
tide_status tide_spool_reset(tide_spool *spool, tide_error *err);

/* All n bytes at an offset, through short counts and EINTR; 0, or -1 with errno (a read past the end is EIO).
 */
int tide_pwrite_all(int fd, const void *bytes, size_t n, uint64_t at);
int tide_pread_all(int fd, void *out, size_t n, uint64_t at);

#endif
