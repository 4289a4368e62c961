/* csv_input.c - see csv_input.h. A file is read by plain read(): as fast as a mapping here, and a file cut
 * short while it is read is an end of input and no SIGBUS. */
#include "io/csv_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { PACKED_BYTES = 1 << 18 };

struct tide_input {
    int fd, own_fd;
    const char *name;
    uint64_t done, total;
    unsigned char *packed; /* [PACKED_BYTES] bytes read and not yet handed out; all input when it is gzip */
    size_t packed_at, packed_n;
    int gzip, in_member, ended;
    z_stream z;
};

static tide_status read_some(tide_input *in, void *to, size_t size, size_t *got, tide_error *err) {
    ssize_t n;
    do {
        n = read(in->fd, to, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return tide_fail(err, TIDE_DISK, "%s: cannot be read: %s", in->name, strerror(errno));
    in->done += (uint64_t)n;
    in->ended = n == 0;
    *got = (size_t)n;
    return TIDE_OK;
}

/* Looks at the first bytes: gzip starts with 1f 8b. */
static tide_status sniff(tide_input *in, tide_error *err) {
    while (in->packed_n < 2 && !in->ended) {
        size_t got = 0;
        TIDE_TRY(read_some(in, in->packed + in->packed_n, PACKED_BYTES - in->packed_n, &got, err));
        in->packed_n += got;
    }
    in->gzip = in->packed_n >= 2 && in->packed[0] == 0x1f && in->packed[1] == 0x8b;
    if (in->gzip && inflateInit2(&in->z, 15 + 16) != Z_OK) {
        in->gzip = 0;
        return tide_fail(err, TIDE_MEMORY, "out of memory to unpack %s", in->name);
    }
    in->in_member = in->gzip;
    return TIDE_OK;
}

tide_status tide_input_open(const char *path, const char *name, tide_input **out, tide_error *err) {
    tide_input *in = calloc(1, sizeof *in);
    if (in)
        in->packed = malloc(PACKED_BYTES);
    if (!in || !in->packed) {
        free(in);
        return tide_fail(err, TIDE_MEMORY, "out of memory to read %s", name);
    }
    in->name = name;
    in->own_fd = strcmp(path, "-") != 0;
    in->fd = in->own_fd ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    tide_status status = TIDE_OK;
    struct stat st;
    if (in->fd < 0)
        status = tide_fail(err, TIDE_DISK, "%s: cannot be opened: %s", name, strerror(errno));
    else if (fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode))
        in->total = (uint64_t)st.st_size;
    if (status == TIDE_OK)
        status = sniff(in, err);
    if (status != TIDE_OK) {
        tide_input_close(in);
        return status;
    }
    *out = in;
    return TIDE_OK;
}

void tide_input_close(tide_input *in) {
    if (!in)
        return;
    if (in->gzip)
        inflateEnd(&in->z);
    if (in->own_fd && in->fd >= 0)
        close(in->fd);
    free(in->packed);
    free(in);
}

void tide_input_progress(const tide_input *in, uint64_t *done, uint64_t *total) {
    *done = in->done;
    *total = in->total;
}

static tide_status read_plain(tide_input *in, char *to, size_t size, size_t *got, tide_error *err) {
    size_t n = in->packed_n - in->packed_at;
    if (n > size)
        n = size;
    if (n)
        memcpy(to, in->packed + in->packed_at, n);
    in->packed_at += n;
    while (n < size && !in->ended) {
        size_t more = 0;
        TIDE_TRY(read_some(in, to + n, size - n, &more, err));
        n += more;
    }
    *got = n;
    return TIDE_OK;
}

static tide_status refill_packed(tide_input *in, tide_error *err) {
    if (in->packed_at < in->packed_n || in->ended)
        return TIDE_OK;
    in->packed_at = in->packed_n = 0;
    return read_some(in, in->packed, PACKED_BYTES, &in->packed_n, err);
}

static tide_status read_gzip(tide_input *in, char *to, size_t size, size_t *got, tide_error *err) {
    size_t n = 0;
    while (n < size) {
        TIDE_TRY(refill_packed(in, err));
        size_t here = in->packed_n - in->packed_at;
        if (here == 0) {
            if (in->in_member)
                return tide_fail(err, TIDE_INPUT, "%s: the gzip data is cut off at byte %llu", in->name,
                                 (unsigned long long)in->done);
            break;
        }
        if (!in->in_member) { /* another member follows the one that ended */
            if (inflateReset(&in->z) != Z_OK)
                return tide_fail(err, TIDE_INTERNAL, "zlib cannot be reset");
            in->in_member = 1;
        }
        size_t room = size - n < (1u << 30) ? size - n : (1u << 30);
        in->z.next_in = in->packed + in->packed_at;
        in->z.avail_in = (uInt)here;
        in->z.next_out = (Bytef *)to + n;
        in->z.avail_out = (uInt)room;
        int result = inflate(&in->z, Z_NO_FLUSH);
        in->packed_at += here - in->z.avail_in;
        n += room - in->z.avail_out;
        if (result == Z_STREAM_END)
            in->in_member = 0;
        else if (result == Z_MEM_ERROR)
            return tide_fail(err, TIDE_MEMORY, "out of memory to unpack %s", in->name);
        else if (result != Z_OK && result != Z_BUF_ERROR)
            return tide_fail(err, TIDE_INPUT, "%s: the gzip data is damaged near byte %llu (%s)", in->name,
                             (unsigned long long)(in->done - (in->packed_n - in->packed_at)),
                             in->z.msg ? in->z.msg : "unknown reason");
    }
    *got = n;
    return TIDE_OK;
}

tide_status tide_input_read(tide_input *in, char *to, size_t size, size_t *got, tide_error *err) {
    return in->gzip ? read_gzip(in, to, size, got, err) : read_plain(in, to, size, got, err);
}
