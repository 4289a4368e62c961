/* cli_simulate.c - tidemill simulate: realistic retail series into a CSV file, standard output or a Postgres
 * table. */
#include "host/cli.h"
#include "host/queue.h"
#include "host/simulate.h"
#include "io/csv_write.h"
#include "io/postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static tide_status read_day(const char *flag, const char *text, int64_t *out, tide_error *err) {
    tide_ds_kind kind;
    if (!text)
        return TIDE_OK;
    if (!tide_ds_parse(text, strlen(text), &kind, out) || kind != TIDE_DS_DATE)
        return tide_fail(err, TIDE_USAGE, "--%s: '%.60s' is not a date (YYYY-MM-DD)", flag, text);
    return TIDE_OK;
}

static tide_status to_csv(const tide_simulate_options *o, const char *path, uint64_t *rows, tide_error *err) {
    if (!path || strcmp(path, "-") == 0)
        return tide_simulate_write_csv(o, STDOUT_FILENO, "standard output", rows, err);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return tide_fail(err, TIDE_DISK, "%.300s: %s", path, strerror(errno));
    tide_status status = tide_simulate_write_csv(o, fd, path, rows, err);
    if (close(fd) != 0 && !status)
        status = tide_fail(err, TIDE_DISK, "%.300s: %s", path, strerror(errno));
    return status;
}

static tide_status to_postgres(const tide_simulate_options *o, const char *url, const char *table,
                               uint64_t *rows, tide_error *err) {
    tide_source source;
    const tide_postgres_load_options load = {.url = url, .table = table, .create = 1, .create_index = 1};
    if (!table)
        return tide_fail(err, TIDE_USAGE, "a Postgres output needs --table");
    TIDE_TRY(tide_simulate_open(o, &source, err));
    tide_status status = tide_postgres_load(&load, &source, rows, err);
    source.close(source.self);
    return status;
}

static tide_status run(const tide_cli_command *self, int argc, char **argv, tide_error *err) {
    tide_simulate_options o;
    const char *from = NULL, *to = NULL, *freq = NULL, *output = NULL, *table = NULL;
    int quiet = 0;
    tide_simulate_options_init(&o);
    const tide_cli_flag own[] = {
        {"series", TIDE_CLI_U64, &o.n_series, "N", "number of series [1000]"},
        {"first-series", TIDE_CLI_U64, &o.first_series, "N", "number of the first one: for shards [0]"},
        {"from", TIDE_CLI_TEXT, &from, "DATE", "first day [2022-01-01]"},
        {"to", TIDE_CLI_TEXT, &to, "DATE", "last day [2024-12-31]"},
        {"freq", TIDE_CLI_TEXT, &freq, "FREQ", "D, B, W, M, Q or Y, with a multiple [D]"},
        {"seed", TIDE_CLI_U64, &o.seed, "N", "another seed, other series [1]"},
        {"intermittent", TIDE_CLI_REAL, &o.intermittent_share, "SHARE", "series with sporadic demand [0.2]"},
        {"late", TIDE_CLI_REAL, &o.late_share, "SHARE", "series that start late [0.15]"},
        {"end", TIDE_CLI_REAL, &o.end_share, "SHARE", "series that end early [0.03]"},
        {"gaps", TIDE_CLI_REAL, &o.gap_share, "SHARE", "rows left out [0.004]"},
        {"missing", TIDE_CLI_REAL, &o.missing_share, "SHARE", "rows without a value [0.001]"},
        {"promotions", TIDE_CLI_REAL, &o.promotion_rate, "SHARE", "weeks with a promotion [0.09]"},
        {"output", TIDE_CLI_TEXT, &output, "WHERE", "file, - for standard output, or postgresql://... [-]"},
        {"table", TIDE_CLI_TEXT, &table, "TABLE", "Postgres: append to this table; made where it is missing"},
        {"quiet", TIDE_CLI_SWITCH, &quiet, NULL, "no summary on stderr"},
        {NULL, TIDE_CLI_SWITCH, NULL, NULL, NULL}};
    tide_cli_args args;
    uint64_t rows = 0;
    double start = tide_now_s();
    tide_status status = tide_cli_parse(self, own, argc, argv, &args, err);
    if (status || args.helped)
        goto done;
    status = read_day("from", from, &o.from, err);
    if (!status)
        status = read_day("to", to, &o.to, err);
    if (!status && freq)
        status = tide_freq_parse(freq, &o.freq, err);
    if (status)
        goto done;
    int to_table = output && tide_postgres_is_url(output);
    if (!to_table && table)
        status = tide_fail(err, TIDE_USAGE, "--table is for an --output postgresql://...");
    else
        status = to_table ? to_postgres(&o, output, table, &rows, err) : to_csv(&o, output, &rows, err);
    if (!status && !quiet)
        fprintf(stderr, "%llu rows of %llu series in %.2f s\n", (unsigned long long)rows,
                (unsigned long long)o.n_series, tide_now_s() - start);
done:
    tide_cli_args_free(&args, own);
    return status;
}

const tide_cli_command tide_cli_simulate = {
    .name = "simulate",
    .bit = TIDE_CMD_SIMULATE,
    .argument = NULL,
    .usage = "[options]",
    .summary = "writes realistic retail series as CSV or into a Postgres table",
    .text = "Levels over orders of magnitude, trend, weekly and yearly season, promotions, sporadic demand, "
            "level shifts, late\n"
            "starts, gaps. A row depends on seed, series, frequency and date alone: ranges of dates and "
            "shards of series put\n"
            "together give the whole, on every machine.\n",
    .examples =
        "  tidemill simulate --series 10000 --freq M --from 2015-01-01 --to 2024-12-01 --output demand.csv\n"
        "  tidemill simulate --series 1000 --from 2025-01-01 --to 2025-01-31 >> increment.csv\n"
        "  tidemill simulate --series 100000 --output postgresql://me@db/retail --table demand\n",
    .run = run};
