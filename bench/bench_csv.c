/* bench_csv.c - rows a second of the CSV reader alone and with intake, beside a plain read of the same file.
 *
 *   bench_csv FILE [FREQ]        an existing file with columns unique_id, ds, y
 *   bench_csv --make FILE ROWS   writes a monthly test file: series of 120 rows, y with two decimals
 *
 * Each figure is the median of five runs after one that warms the page cache. */
#include "host/intake.h"
#include "io/csv.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 5, SERIES_ROWS = 120 };

typedef struct totals {
    uint64_t bytes, rows, series;
} totals;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static tide_status read_plain(const char *path, tide_freq freq, totals *t, tide_error *err) {
    (void)freq;
    static char buffer[1 << 20];
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return tide_fail(err, TIDE_DISK, "%s cannot be opened", path);
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0)
        t->bytes += (uint64_t)n;
    close(fd);
    return TIDE_OK;
}

static tide_status read_rows(const char *path, tide_freq freq, totals *t, tide_error *err) {
    (void)freq;
    tide_csv_options options = {.path = path};
    tide_source source;
    TIDE_TRY(tide_csv_open(&options, &source, err));
    tide_rows rows;
    tide_status status;
    while ((status = source.next(source.self, &rows, err)) == TIDE_OK && rows.n)
        t->rows += rows.n;
    source.close(source.self);
    return status;
}

static tide_status take_in(tide_source *source, tide_freq freq, totals *t, tide_error *err) {
    tide_intake_options options = {.freq = freq,
                                   .out_of_order = TIDE_POLICY_SORT,
                                   .from_ds = INT64_MIN,
                                   .to_ds = INT64_MAX,
                                   .batch_series = 4096,
                                   .batch_values = 1 << 20,
                                   .max_length = 1 << 20};
    tide_intake_report report;
    tide_intake *in;
    TIDE_TRY(tide_intake_open(source, &options, &report, &in, err));
    tide_panel panel;
    tide_panel_init(&panel);
    tide_status status;
    while ((status = tide_intake_next(in, &panel, err)) == TIDE_OK && panel.n_series)
        t->series += panel.n_series;
    t->rows = report.rows;
    tide_panel_free(&panel);
    tide_intake_close(in);
    return status;
}

static tide_status read_series(const char *path, tide_freq freq, totals *t, tide_error *err) {
    tide_csv_options options = {.path = path};
    tide_source source;
    TIDE_TRY(tide_csv_open(&options, &source, err));
    tide_status status = take_in(&source, freq, t, err);
    source.close(source.self);
    return status;
}

static int ascending(const void *a, const void *b) {
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int make(const char *path, long long rows) {
    FILE *f = fopen(path, "w");
    if (!f)
        return 1;
    fputs("unique_id,ds,y\n", f);
    uint64_t state = 1;
    for (long long i = 0; i < rows; ++i) {
        long long month = i % SERIES_ROWS;
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        fprintf(f, "store_%07lld,%04lld-%02lld-01,%.2f\n", i / SERIES_ROWS, 2014 + month / 12, month % 12 + 1,
                (double)(state >> 48) / 37.0);
    }
    return fclose(f) != 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "--make") == 0)
        return make(argv[2], atoll(argv[3]));
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: bench_csv FILE [FREQ] | bench_csv --make FILE ROWS\n");
        return 2;
    }
    static const struct {
        const char *name;
        tide_status (*run)(const char *, tide_freq, totals *, tide_error *);
    } cases[] = {{"plain read", read_plain}, {"csv", read_rows}, {"csv + intake", read_series}};
    tide_error err = {0};
    tide_freq freq;
    if (tide_freq_parse(argc == 3 ? argv[2] : "M", &freq, &err) != TIDE_OK) {
        fprintf(stderr, "bench_csv: %s\n", err.message);
        return 2;
    }
    uint64_t bytes = 0;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c) {
        double seconds[RUNS];
        totals t = {0};
        for (int run = -1; run < RUNS; ++run) {
            memset(&t, 0, sizeof t);
            double start = now_s();
            tide_status status = cases[c].run(argv[1], freq, &t, &err);
            if (status != TIDE_OK) {
                fprintf(stderr, "bench_csv: %s\n", err.message);
                return status;
            }
            if (run >= 0)
                seconds[run] = now_s() - start;
        }
        if (t.bytes)
            bytes = t.bytes;
        qsort(seconds, RUNS, sizeof seconds[0], ascending);
        double s = seconds[RUNS / 2];
        printf("%-13s %7.3f s  %8.1f MB/s", cases[c].name, s, (double)bytes / s * 1e-6);
        if (t.rows)
            printf("  %6.2f million rows/s", (double)t.rows / s * 1e-6);
        if (t.series)
            printf("  %" PRIu64 " series", t.series);
        printf("\n");
    }
    return 0;
}
