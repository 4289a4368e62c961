/* bench_history.c - a history written, mapped and merged, beside plain writing and reading of as many bytes.
 *
 *   bench_history DIR [SERIES [VALUES]]      default 100000 series of 200 values; files go to DIR and are removed
 *
 * plain write   write() of 1 MiB at a time and one fsync
 * write         put of every series, spools, checksums, fsync, reading again and verifying, rename
 * plain read    read() of 1 MiB at a time
 * map           every series handed out, every checksum verified
 * merge         one more value a series, from rows in memory to panels and a new history, without its fsync
 * Each figure is the median of three rounds, the file in the page cache. A line a figure: name,seconds,MB/s. */
#include "host/intake.h"
#include "io/history_merge.h"
#include "kernels/tide_fn.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 3, CHUNK = 1 << 20, ID_BYTES = 8, BLOCK = 4096 };

typedef struct bench {
    char path[400], plain[420];
    size_t n_series, n_values;
    uint64_t bytes; /* of the history */
    double *y;
    tide_history_place place;
} bench;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static tide_status open_writer(bench *b, uint64_t generation, tide_history_writer **w, tide_error *err) {
    const tide_history_writer_options o = {.place = &b->place,
                                           .generation = generation,
                                           .freq = {TIDE_UNIT_DAY, 1},
                                           .ds_kind = TIDE_DS_DATE,
                                           .max_length = 1 << 20,
                                           .identity = "bench=\"\"\n",
                                           .run_id = "bench",
                                           .source = "bench"};
    return tide_history_writer_open(&o, w, err);
}

static tide_status write_history(bench *b, tide_error *err) {
    tide_history_writer *w = NULL;
    TIDE_TRY(open_writer(b, 1, &w, err));
    tide_status status = TIDE_OK;
    for (size_t i = 0; i < b->n_series && !status; ++i) {
        char id[32];
        snprintf(id, sizeof id, "S%07u", (unsigned)i % 10000000u);
        b->y[0] = (double)i;
        const tide_history_series s = {.id = id,
                                       .id_length = ID_BYTES,
                                       .first_ds = 19000,
                                       .last_ds = 19000 + (int64_t)b->n_values - 1,
                                       .values = b->y,
                                       .n = b->n_values};
        status = tide_history_put(w, &s, b->y, b->n_values, err);
    }
    if (!status)
        status = tide_history_prepare_file(w, err);
    if (!status)
        status = tide_history_commit(w, err);
    b->bytes = tide_history_written(w)->file_bytes;
    tide_history_writer_close(w);
    return status;
}

static tide_status write_plain(bench *b, tide_error *err) {
    static char buffer[CHUNK];
    int fd = open(b->plain, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    memset(buffer, 7, sizeof buffer);
    uint64_t left = b->bytes;
    while (fd >= 0 && left > 0) {
        ssize_t n = write(fd, buffer, left < CHUNK ? (size_t)left : CHUNK);
        if (n <= 0)
            break;
        left -= (uint64_t)n;
    }
    int bad = fd < 0 || left || fsync(fd) != 0;
    if (fd >= 0)
        close(fd);
    return bad ? tide_fail(err, TIDE_DISK, "%s cannot be written", b->plain) : TIDE_OK;
}

static tide_status read_plain(bench *b, tide_error *err) {
    static char buffer[CHUNK];
    int fd = open(b->path, O_RDONLY);
    uint64_t read_bytes = 0;
    ssize_t n;
    while (fd >= 0 && (n = read(fd, buffer, sizeof buffer)) > 0)
        read_bytes += (uint64_t)n;
    if (fd >= 0)
        close(fd);
    return read_bytes == b->bytes ? TIDE_OK : tide_fail(err, TIDE_DISK, "%s cannot be read", b->path);
}

static tide_status map_history(bench *b, tide_error *err) {
    tide_history_file *f = NULL;
    TIDE_TRY(tide_history_map(b->path, &f, err));
    tide_status status = tide_history_verify(f, err);
    tide_history_unmap(f);
    return status;
}

/* One row a series, on the day after. */
typedef struct new_rows {
    const bench *b;
    size_t next;
    char ids[BLOCK * 16];
    uint32_t at[BLOCK], length[BLOCK];
    int64_t ds[BLOCK];
    double y[BLOCK];
    uint64_t line[BLOCK];
} new_rows;

static tide_status next_rows(void *self, tide_rows *rows, tide_error *err) {
    new_rows *r = (new_rows *)self;
    size_t n = 0;
    (void)err;
    for (; n < BLOCK && r->next < r->b->n_series; ++n, ++r->next) {
        snprintf(r->ids + 16 * n, 16, "S%07u", (unsigned)r->next % 10000000u);
        r->at[n] = (uint32_t)(16 * n);
        r->length[n] = ID_BYTES;
        r->ds[n] = 19000 + (int64_t)r->b->n_values;
        r->y[n] = 1.5;
        r->line[n] = r->next + 1;
    }
    memset(rows, 0, sizeof *rows);
    *rows = (tide_rows){.n = n, .ds_kind = TIDE_DS_DATE, .bytes = r->ids, .id_at = r->at, .id_length = r->length,
                        .ds = r->ds, .y = r->y, .line = r->line};
    return TIDE_OK;
}

static tide_status merge_into(bench *b, tide_history_file *old, tide_history_writer *w, tide_source *source, tide_error *err) {
    static tide_report_history report;
    tide_history_merge *m = NULL;
    tide_panel_source panels;
    tide_panel panel;
    const tide_history_merge_options o = {.old = old,
                                          .source = source,
                                          .writer = w,
                                          .report = &report,
                                          .intake = {.freq = {TIDE_UNIT_DAY, 1},
                                                     .out_of_order = TIDE_POLICY_SORT,
                                                     .from_ds = INT64_MIN,
                                                     .to_ds = INT64_MAX,
                                                     .batch_series = 1,
                                                     .batch_values = 1,
                                                     .max_length = 1 << 20},
                                          .by_id = 1,
                                          .bound = 19000 + (int64_t)b->n_values - 1,
                                          .generation = 2};
    TIDE_TRY(tide_history_merge_open(&o, &m, &panels, err));
    tide_panel_init(&panel);
    tide_status status;
    size_t n = 0;
    do {
        tide_panel_clear(&panel);
        status = panels.next(panels.self, &panel, 4096, 1 << 22, err);
        n += panel.n_series;
    } while (!status && panel.n_series);
    if (!status && n != b->n_series)
        status = tide_fail(err, TIDE_INTERNAL, "%zu series came of %zu", n, b->n_series);
    tide_panel_free(&panel);
    tide_history_merge_close(m);
    return status;
}

static tide_status merge_history(bench *b, tide_error *err) {
    tide_history_file *old = NULL;
    tide_history_writer *w = NULL;
    static new_rows rows;
    tide_source source = {.self = &rows, .name = "bench", .line_word = "row", .grouped = 1, .next = next_rows};
    rows.b = b;
    rows.next = 0;
    TIDE_TRY(tide_history_map(b->path, &old, err));
    tide_status status = open_writer(b, 2, &w, err);
    if (!status)
        status = merge_into(b, old, w, &source, err);
    tide_history_writer_close(w); /* thrown away */
    tide_history_unmap(old);
    return status;
}

static tide_status measure(bench *b, const char *name, tide_status (*work)(bench *, tide_error *), tide_error *err) {
    double t[ROUNDS];
    for (int k = 0; k < ROUNDS; ++k) {
        double start = now_s();
        TIDE_TRY(work(b, err));
        t[k] = now_s() - start;
    }
    for (int i = 1; i < ROUNDS; ++i)
        for (int j = i; j > 0 && t[j] < t[j - 1]; --j) {
            double x = t[j];
            t[j] = t[j - 1];
            t[j - 1] = x;
        }
    printf("%s,%.3f,%.0f\n", name, t[ROUNDS / 2], (double)b->bytes / 1e6 / t[ROUNDS / 2]);
    fflush(stdout);
    return TIDE_OK;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        tide_status (*work)(bench *, tide_error *);
    } works[] = {{"write", write_history},
                 {"plain write", write_plain},
                 {"plain read", read_plain},
                 {"map", map_history},
                 {"merge", merge_history}};
    bench b = {.n_series = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000,
               .n_values = argc > 3 ? strtoull(argv[3], NULL, 10) : 200};
    tide_error err = {TIDE_OK, ""};
    if (argc < 2 || b.n_series < 1 || b.n_series > 9999999 || b.n_values < 1 || b.n_values > 1 << 20) {
        fprintf(stderr, "usage: bench_history DIR [SERIES [VALUES]]\n");
        return 2;
    }
    snprintf(b.path, sizeof b.path, "%.300s/bench.tide", argv[1]);
    snprintf(b.plain, sizeof b.plain, "%.300s/bench.plain", argv[1]);
    b.y = malloc(b.n_values * sizeof *b.y);
    if (!b.y)
        return 1;
    for (size_t i = 0; i < b.n_values; ++i)
        b.y[i] = (double)(i * 7919 % 1000) / 8.0;
    tide_status status = tide_history_place_open(b.path, &b.place, &err);
    for (size_t i = 0; !status && i < sizeof works / sizeof *works; ++i)
        status = measure(&b, works[i].name, works[i].work, &err);
    unlink(b.path);
    unlink(b.plain);
    if (!status)
        printf("size,%.1f,%.2f\n", (double)b.bytes / 1e6, (double)b.bytes / (double)(b.n_series * b.n_values * 8));
    else
        fprintf(stderr, "bench_history: %s\n", err.message);
    tide_history_place_close(&b.place);
    free(b.y);
    return (int)status;
}
