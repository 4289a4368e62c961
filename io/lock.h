/* lock.h - one writer at a time: a lock file beside what is written, flock'ed by the writer, which the kernel
 * gives back whenever that process ends, however it ends. Its text names the holder.
 *
 * The file is never removed: one that comes and goes can be held by two. Readers take no lock. */
#ifndef TIDE_LOCK_H
#define TIDE_LOCK_H

#include "host/error.h"

/* Makes and locks the file `name` in the directory. Messages begin "store 'models'" (what 'path'). TIDE_BUSY
 * names the holder. close(*out) gives the lock back; *out is -1 after a failure. */
tide_status tide_lock_take(int dir_fd, const char *name, const char *what, const char *path, int *out,
                           tide_error *err);

#endif
