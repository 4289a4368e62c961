/* bench_store.c - the model store against its limits: writing against a plain write of the same bytes,
 * opening with all checksums, looking ids up among a million, one forecast from a freshly opened store.
 *
 *   bench_store [SERIES] [DIR]     default a million; DIR (default .) takes twice the store, some 600 MB
 *
 * Models are monthly ETS(A,A,A) with made-up numbers: 3 coefficients and 14 states, the largest usual model.
 * Ids have 13 bytes. Lines on stdout: case,metric,value,unit. Lookups: all ids once in random order, median
 * of five rounds after one that warms, processor time; the ids asked for lie in memory in that order, so that
 * only the store's own misses count. */
#include "host/names.h"
#include "host/tidemill_predict.h"
#include "io/store_write.h"
#include "kernels/results.h"
#include "kernels/tide_fn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SEASON = 12, BATCH = 4096, ID = 16, ROUNDS = 5 };

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Of this thread: what a shared machine gives to others does not count. */
static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void line(const char *what, const char *metric, double value, const char *unit) {
    printf("%s,%s,%.4g,%s\n", what, metric, value, unit);
    fflush(stdout);
}

static int say(const tide_error *err) {
    fprintf(stderr, "bench_store: %s\n", err->message);
    return 1;
}

static size_t make_id(char out[ID + 1], size_t i) {
    return (size_t)snprintf(out, ID + 1, "item_%08zu", i);
}

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/* Series [first, first + n): a panel without values and results of ETS(A,A,A). */
static tide_status fill_batch(tide_panel *panel, tide_results *r, size_t first, size_t n, tide_error *err) {
    char id[ID + 1];
    tide_panel_clear(panel);
    panel->first_number = first;
    for (size_t i = 0; i < n; ++i) {
        size_t length = make_id(id, first + i);
        TIDE_TRY(tide_panel_add(panel, id, length, NULL, 1, 18000, 18030, err));
        r->n_members[i] = 1;
        r->n_obs[i] = 120;
        r->scale[i] = 1.0;
        r->family[i] = TIDE_FAMILY_ETS;
        r->form[i] = TIDE_ETS_AAA;
        r->weight[i] = 1.0;
        r->sigma2[i] = 2.0;
        for (size_t k = 0; k < 3; ++k)
            r->coef[k * n + i] = (double)(mix(first + i + k) % 1000) * 1e-3;
        for (size_t k = 0; k < 2 + SEASON; ++k)
            r->state[k * n + i] = (double)(mix(first + i * 17 + k) % 10000) * 0.01;
    }
    return TIDE_OK;
}

static tide_status feed(tide_sink *sink, size_t n_series, double *busy, tide_error *err) {
    tide_panel panel;
    tide_status status = TIDE_OK;
    tide_panel_init(&panel);
    for (size_t first = 0; first < n_series && status == TIDE_OK; first += BATCH) {
        tide_results r = {.n_series = n_series - first < BATCH ? n_series - first : BATCH,
                          .slots = 1,
                          .coef_rows = TIDE_ETS_COEF_ROWS,
                          .state_rows = 2 + SEASON};
        void *block = calloc(1, tide_results_map(&r, NULL));
        if (!block)
            return tide_fail(err, TIDE_MEMORY, "out of memory");
        tide_results_map(&r, block);
        status = fill_batch(&panel, &r, first, r.n_series, err);
        double start = now_s();
        if (status == TIDE_OK)
            status = sink->write(sink->self, &panel, &r, err);
        *busy += now_s() - start;
        free(block);
    }
    tide_panel_free(&panel);
    return status;
}

/* The same bytes by plain writes of 1 MiB and one fsync. */
static int plain_write(const char *dir, uint64_t bytes, double *write_s, double *sync_s) {
    enum { CHUNK = 1 << 20 };
    char path[600];
    char *chunk = malloc(CHUNK);
    snprintf(path, sizeof path, "%s/bench-plain", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || !chunk)
        return 0;
    memset(chunk, 'x', CHUNK);
    double start = now_s();
    for (uint64_t done = 0; done < bytes; done += CHUNK)
        if (write(fd, chunk, bytes - done < CHUNK ? (size_t)(bytes - done) : CHUNK) < 0)
            return 0;
    *write_s = now_s() - start;
    start = now_s();
    int ok = fsync(fd) == 0;
    *sync_s = now_s() - start;
    close(fd);
    unlink(path);
    free(chunk);
    return ok;
}

static tide_status bench_write(const char *dir, size_t n, tide_store_written *written, tide_error *err) {
    tide_store_writer_options options = {.dir = dir,
                                         .freq = {TIDE_UNIT_MONTH, 1},
                                         .season = SEASON,
                                         .run_id = "bench",
                                         .backend = "none",
                                         .keep = 1};
    tide_sink sink;
    double busy = 0, finish, plain_s = 0, sync_s = 0;
    TIDE_TRY(tide_store_writer_open(&options, &sink, err));
    tide_store_writer_set_kind(&sink, TIDE_DS_DATE);
    tide_status status = feed(&sink, n, &busy, err);
    double start = now_s();
    if (status == TIDE_OK)
        status = sink.finish(sink.self, err);
    finish = now_s() - start;
    if (status == TIDE_OK)
        tide_store_writer_written(&sink, written);
    sink.close(sink.self);
    if (status != TIDE_OK)
        return status;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double mb = (double)written->file_bytes * 1e-6;
    line("write", "bytes a model", (double)written->file_bytes / (double)n, "B");
    line("write", "during the run", busy, "s");
    line("write", "finish", finish, "s");
    line("write", "throughput, all", mb / (busy + finish), "MB/s");
    line("write", "peak memory", (double)usage.ru_maxrss * 1024e-6, "MB");
    if (!plain_write(dir, written->file_bytes, &plain_s, &sync_s))
        return tide_fail(err, TIDE_DISK, "plain write: %s", strerror(errno));
    line("plain write", "write", plain_s, "s");
    line("plain write", "fsync", sync_s, "s");
    line("plain write", "throughput, all", mb / (plain_s + sync_s), "MB/s");
    return TIDE_OK;
}

static int ascending(const void *a, const void *b) {
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* Spooling with the journal that lets a run be gone on with, against spooling without, in turns: processor time. A run adds
 * to it ten notes a second, whatever it spools, and a sync every ten seconds. */
static tide_status bench_journal(const char *dir, size_t n, tide_error *err) {
    double times[2][ROUNDS], busy = 0;
    for (int k = 0; k < 2 * ROUNDS; ++k) {
        tide_store_writer_options options = {.dir = dir,
                                             .freq = {TIDE_UNIT_MONTH, 1},
                                             .season = SEASON,
                                             .run_id = "bench",
                                             .identity = k % 2 ? "bench=1\n" : NULL};
        tide_sink sink;
        double start = cpu_s();
        TIDE_TRY(tide_store_writer_open(&options, &sink, err));
        tide_status status = feed(&sink, n, &busy, err);
        if (k % 2 && status == TIDE_OK && tide_store_writer_keep(&sink) != n)
            status = tide_fail(err, TIDE_INTERNAL, "not all series are kept");
        times[k % 2][k / 2] = cpu_s() - start;
        sink.close(sink.self);
        TIDE_TRY(status);
    }
    for (int k = 0; k < 2; ++k)
        qsort(times[k], ROUNDS, sizeof *times[k], ascending);
    line("spool", "median of 5", 1e6 * times[0][ROUNDS / 2] / (double)n, "us a series");
    line("spool with journal", "median of 5", 1e6 * times[1][ROUNDS / 2] / (double)n, "us a series");
    line("spool with journal", "ratio", times[1][ROUNDS / 2] / times[0][ROUNDS / 2], "1");
    return TIDE_OK;
}

static tide_status bench_open(const char *dir, uint64_t bytes, tide_error *err) {
    tide_store *store = NULL;
    for (int all = 0; all < 2; ++all) {
        double best = 1e9;
        for (int k = 0; k < ROUNDS; ++k) {
            double start = now_s();
            TIDE_TRY(tide_store_open(dir, all ? TIDE_VERIFY_ALL : TIDE_VERIFY_TOUCHED, &store, err));
            double took = now_s() - start;
            tide_store_close(store);
            if (took < best)
                best = took;
        }
        line(all ? "open, all verified" : "open", "time, best of 5", 1e3 * best, "ms");
        if (all)
            line("open, all verified", "rate", (double)bytes * 1e-9 / best, "GB/s");
    }
    return TIDE_OK;
}

static tide_status bench_lookup(const tide_store *store, size_t n, int present, tide_error *err) {
    char(*ids)[ID + 1] = malloc(n * sizeof *ids);
    double times[ROUNDS];
    if (!ids)
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    for (size_t i = 0; i < n; ++i)
        make_id(ids[i], i + (present ? 0 : n));
    for (size_t i = n - 1; i > 0; --i) { /* shuffle */
        char swap[ID + 1];
        size_t j = (size_t)(mix(i) % (i + 1));
        memcpy(swap, ids[i], sizeof swap);
        memcpy(ids[i], ids[j], sizeof swap);
        memcpy(ids[j], swap, sizeof swap);
    }
    size_t length = strlen(ids[0]), found = 0;
    for (int round = -1; round < ROUNDS; ++round) {
        double start = cpu_s();
        for (size_t i = 0; i < n; ++i) {
            int64_t row = -1;
            TIDE_TRY(tide_store_find(store, ids[i], length, &row, err));
            found += row >= 0;
        }
        if (round >= 0)
            times[round] = (cpu_s() - start) / (double)n;
    }
    free(ids);
    if (found != (present ? n * (ROUNDS + 1) : 0))
        return tide_fail(err, TIDE_INTERNAL, "wrong answers: %zu", found);
    qsort(times, ROUNDS, sizeof *times, ascending);
    line(present ? "lookup, present" : "lookup, absent", "median of 5", 1e9 * times[ROUNDS / 2], "ns");
    return TIDE_OK;
}

/* Open, find, forecast 12 steps with two levels, close: what a command line adds to its start. */
static tide_status bench_single(const char *dir, size_t n, tide_error *err) {
    tide_forecast_spec spec = {.season = SEASON, .horizon = 12, .n_levels = 2, .level = {0.8, 0.95}};
    double times[101], mean[12], lo[24], hi[24];
    for (int k = 0; k < 101; ++k) {
        char id[ID + 1];
        tide_store *store = NULL;
        int64_t row = -1;
        double start = now_s();
        size_t length = make_id(id, (size_t)(mix((uint64_t)k) % n));
        TIDE_TRY(tide_store_open(dir, TIDE_VERIFY_TOUCHED, &store, err));
        TIDE_TRY(tide_store_find(store, id, length, &row, err));
        TIDE_TRY(tide_store_forecast(store, row, &spec, mean, lo, hi, err));
        tide_store_close(store);
        times[k] = now_s() - start;
    }
    qsort(times, 101, sizeof *times, ascending);
    line("open, find, forecast 12", "median of 101", 1e3 * times[50], "ms");
    line("open, find, forecast 12", "slowest", 1e3 * times[100], "ms");
    return TIDE_OK;
}

static tide_status bench_forecasts(const tide_store *store, size_t n, tide_error *err) {
    tide_forecast_spec spec = {.season = SEASON, .horizon = 12, .n_levels = 2, .level = {0.8, 0.95}};
    double mean[12], lo[24], hi[24], start = cpu_s();
    for (size_t i = 0; i < n; ++i)
        TIDE_TRY(tide_store_forecast(store, (int64_t)i, &spec, mean, lo, hi, err));
    line("forecast 12, all in order", "a series", 1e9 * (cpu_s() - start) / (double)n, "ns");
    return TIDE_OK;
}

static tide_status bench(const char *dir, size_t n, tide_error *err) {
    tide_store_written written = {0};
    tide_store *store = NULL;
    TIDE_TRY(bench_journal(dir, n < 100000 ? n : 100000, err));
    TIDE_TRY(bench_write(dir, n, &written, err));
    TIDE_TRY(bench_open(dir, written.file_bytes, err));
    TIDE_TRY(tide_store_open(dir, TIDE_VERIFY_ALL, &store, err));
    TIDE_TRY(bench_lookup(store, n, 1, err));
    TIDE_TRY(bench_lookup(store, n, 0, err));
    TIDE_TRY(bench_forecasts(store, n, err));
    tide_store_close(store);
    return bench_single(dir, n, err);
}

int main(int argc, char **argv) {
    size_t n = argc > 1 ? (size_t)strtoull(argv[1], NULL, 10) : 1000000;
    char dir[512], file[640];
    tide_error err = {0};
    snprintf(dir, sizeof dir, "%s/bench-store-XXXXXX", argc > 2 ? argv[2] : ".");
    if (n == 0 || n > 50000000 || !mkdtemp(dir)) {
        fprintf(stderr, "usage: bench_store [SERIES, 1 to 50000000] [DIR]\n");
        return 2;
    }
    int code = bench(dir, n, &err) == TIDE_OK ? 0 : say(&err);
    static const char *const files[] = {"gen-000001.h5", "CURRENT", ".lock", "bench-plain"};
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        snprintf(file, sizeof file, "%s/%s", dir, files[i]);
        unlink(file);
    }
    rmdir(dir);
    return code;
}
