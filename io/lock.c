#include "io/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* Only a note for others: a full disk must not stop us here, it will further on. */
static void write_holder(int fd) {
    char text[256], host[64] = {0}, since[32] = "?";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (gethostname(host, sizeof host - 1) != 0)
        strcpy(host, "?");
    int n = snprintf(text, sizeof text, "process %ld on %s since %s", (long)getpid(), host, since);
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) < 0)
        n = 0;
}

tide_status tide_lock_take(int dir_fd, const char *name, const char *what, const char *path, int *out,
                           tide_error *err) {
    *out = -1;
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return tide_fail(err, TIDE_DISK, "%s '%s': cannot make its lock: %s", what, path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int failed = errno;
        char text[256] = {0};
        ssize_t n = failed == EWOULDBLOCK ? pread(fd, text, sizeof text - 1, 0) : 0;
        close(fd);
        if (failed != EWOULDBLOCK)
            return tide_fail(err, TIDE_DISK, "%s '%s': cannot be locked: %s", what, path, strerror(failed));
        return tide_fail(err, TIDE_BUSY, "%s '%s' is being written by %s", what, path,
                         n > 0 ? text : "another process");
    }
    write_holder(fd);
    *out = fd;
    return TIDE_OK;
}
