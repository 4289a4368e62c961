/* bench_postgres.c - drains the Postgres source: how fast rows come to whoever takes them.
 *
 *   bench_postgres URL TABLE|- QUERY|- [key=value ...]
 *
 * keys: connections, id, ds, y, from, to, after (days since 1970), packed=FREQ, memory (bytes), intake=FREQ (rows also pass
 * through intake, to series on their grid), hash=1 (prints a hash of all rows in their order), retries, retry_wait_ms,
 * read_timeout_s, statement_timeout_s, one_snapshot, range_rows, and pause_ms (after each block). Prints one line:
 * "rows R seconds S first F bytes B how ..." where F is when the first rows came. */
#include "host/hash.h"
#include "host/intake.h"
#include "host/queue.h"
#include "io/postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct drained {
    uint64_t rows, series, hash;
    double first_s;
} drained;

static const char *value_of(int argc, char **argv, const char *key) {
    size_t n = strlen(key);
    for (int i = 4; i < argc; ++i)
        if (strncmp(argv[i], key, n) == 0 && argv[i][n] == '=')
            return argv[i] + n + 1;
    return NULL;
}

static long number_of(int argc, char **argv, const char *key) {
    const char *text = value_of(argc, argv, key);
    return text ? atol(text) : 0;
}

static tide_status drain(tide_source *source, int hashed, long pause_ms, double start, drained *out, tide_error *err) {
    tide_rows rows;
    uint64_t h = TIDE_HASH_SEED;
    for (;;) {
        TIDE_TRY(source->next(source->self, &rows, err));
        if (!rows.n)
            break;
        if (!out->rows)
            out->first_s = tide_now_s() - start;
        out->rows += rows.n;
        if (pause_ms)
            usleep((useconds_t)pause_ms * 1000);
        for (size_t i = 0; i < rows.n && hashed; ++i) {
            uint64_t bits;
            memcpy(&bits, &rows.y[i], sizeof bits);
            h = tide_hash_word(h, tide_hash_bytes(rows.bytes + rows.id_at[i], rows.id_length[i]));
            h = tide_hash_word(tide_hash_word(h, (uint64_t)rows.ds[i]), bits);
        }
    }
    out->hash = tide_hash_finish(h);
    return TIDE_OK;
}

static tide_status through_intake(tide_source *source, const char *freq, drained *out, tide_error *err) {
    static tide_intake_report report;
    tide_intake_options options = {.out_of_order = TIDE_POLICY_SORT,
                                   .from_ds = INT64_MIN,
                                   .to_ds = INT64_MAX,
                                   .batch_series = 4096,
                                   .batch_values = 1 << 20,
                                   .max_length = 1 << 20};
    tide_intake *in = NULL;
    tide_panel panel;
    TIDE_TRY(tide_freq_parse(freq, &options.freq, err));
    TIDE_TRY(tide_intake_open(source, &options, &report, &in, err));
    tide_panel_init(&panel);
    tide_status status;
    do
        status = tide_intake_next(in, &panel, err);
    while (status == TIDE_OK && panel.n_series);
    tide_panel_free(&panel);
    tide_intake_close(in);
    out->rows = report.rows;
    out->series = report.series;
    return status;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: bench_postgres URL TABLE|- QUERY|- [key=value ...]\n");
        return 2;
    }
    tide_postgres_options o = {.url = argv[1],
                               .table = strcmp(argv[2], "-") == 0 ? NULL : argv[2],
                               .query = strcmp(argv[3], "-") == 0 ? NULL : argv[3],
                               .id_column = value_of(argc, argv, "id"),
                               .ds_column = value_of(argc, argv, "ds"),
                               .y_column = value_of(argc, argv, "y"),
                               .from = value_of(argc, argv, "from"),
                               .to = value_of(argc, argv, "to"),
                               .has_after = value_of(argc, argv, "after") != NULL,
                               .after_ds = number_of(argc, argv, "after"),
                               .connections = (int)number_of(argc, argv, "connections"),
                               .memory_bytes = (size_t)number_of(argc, argv, "memory"),
                               .retries = (int)number_of(argc, argv, "retries"),
                               .retry_wait_ms = (int)number_of(argc, argv, "retry_wait_ms"),
                               .read_timeout_s = (int)number_of(argc, argv, "read_timeout_s"),
                               .statement_timeout_s = (int)number_of(argc, argv, "statement_timeout_s"),
                               .one_snapshot = (int)number_of(argc, argv, "one_snapshot"),
                               .range_rows = (int)number_of(argc, argv, "range_rows")};
    const char *freq = value_of(argc, argv, "intake"), *packed = value_of(argc, argv, "packed");
    tide_error err = {TIDE_OK, ""};
    tide_source source;
    drained out = {0, 0, 0, 0};
    char how[256] = "";
    double start = tide_now_s();
    if (packed) {
        o.packed = 1;
        if (tide_freq_parse(packed, &o.freq, &err) != TIDE_OK)
            goto failed;
    }
    if (tide_postgres_open(&o, &source, &err) != TIDE_OK)
        goto failed;
    tide_status status = freq ? through_intake(&source, freq, &out, &err)
                              : drain(&source, number_of(argc, argv, "hash") != 0,
                                      number_of(argc, argv, "pause_ms"), start, &out, &err);
    uint64_t bytes = 0, total = 0;
    source.progress(source.self, &bytes, &total);
    source.describe(source.self, how, sizeof how);
    source.close(source.self);
    if (status != TIDE_OK)
        goto failed;
    printf("rows %" PRIu64 " seconds %.3f first %.3f bytes %" PRIu64 " hash %016" PRIx64 " how %s\n", out.rows,
           tide_now_s() - start, out.first_s, bytes, out.hash, how);
    return 0;
failed:
    fprintf(stderr, "bench_postgres: %s\n", err.message);
    return err.status;
}
