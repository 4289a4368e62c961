/* cli_runs.c - tidemill runs: the book of a store's runs, as a table for people, CSV, or JSON; one of them whole. */
#include "host/cli.h"
#include "host/text.h"
#include "io/runs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT_TEXT, FORMAT_CSV, FORMAT_JSON };

typedef struct listing {
    int format; /* FORMAT_TEXT ... */
    int whole; /* one run, all of it */
    uint64_t shown;
} listing;

static const char *or_dash(const char *text) {
    return text && *text ? text : "-";
}

/* Seconds for people. */
static void put_duration(double s, char out[24]) {
    if (s < 0.0)
        snprintf(out, 24, "-");
    else if (s < 600.0)
        snprintf(out, 24, "%.0f s", s);
    else
        snprintf(out, 24, "%.0f min", s / 60.0);
}

/* A line of the table; what went wrong, or what was gone on with, stands on the next. */
static void put_line(const listing *l, const tide_run_row *row) {
    const char *const *v = row->value;
    char took[24], data[104];
    if (!l->shown)
        printf("%-25s  %-11s  %-20s  %8s  %10s  %12s  %-23s  %10s\n", "run", "state", "started", "took", "series", "rows",
               "data", "generation");
    put_duration(row->seconds, took);
    snprintf(data, sizeof data, "%.48s..%.48s", or_dash(v[TIDE_RUN_first_ds]), or_dash(v[TIDE_RUN_last_ds]));
    printf("%-25s  %-11s  %-20s  %8s  %10s  %12s  %-23s  %10s\n", v[TIDE_RUN_run_id], row->state,
           or_dash(v[TIDE_RUN_started]), took, or_dash(v[TIDE_RUN_series]), or_dash(v[TIDE_RUN_rows]),
           v[TIDE_RUN_first_ds] ? data : "-", or_dash(v[TIDE_RUN_generation]));
    if (v[TIDE_RUN_message])
        printf("    %s\n", v[TIDE_RUN_message]);
    if (v[TIDE_RUN_resumed])
        printf("    gone on with: %s\n", v[TIDE_RUN_resumed]);
}

/* One run for people: a line a column that has something. */
static void put_whole(const tide_run_row *row) {
    printf("%-18s %s\n", "state", row->state);
    for (int i = 0; i < TIDE_RUN_COLUMNS; ++i)
        if (row->value[i] && i != TIDE_RUN_status)
            printf("%-18s %s%s", tide_run_column_name(i), row->value[i],
                   row->value[i][0] && row->value[i][strlen(row->value[i]) - 1] == '\n' ? "" : "\n");
}

static void put_csv(const listing *l, const tide_run_row *row) {
    if (!l->shown) {
        fputs("state", stdout);
        for (int i = 0; i < TIDE_RUN_COLUMNS; ++i)
            if (tide_run_column_kind(i) != TIDE_RUN_JSON)
                printf(",%s", tide_run_column_name(i));
        fputs(",seconds\n", stdout);
    }
    fputs(row->state, stdout);
    for (int i = 0; i < TIDE_RUN_COLUMNS; ++i) {
        if (tide_run_column_kind(i) == TIDE_RUN_JSON)
            continue;
        putchar(',');
        if (row->value[i])
            tide_cli_put_csv(stdout, row->value[i], strlen(row->value[i]));
    }
    if (row->seconds >= 0.0)
        printf(",%.0f\n", row->seconds);
    else
        fputs(",\n", stdout);
}

static void put_json(const listing *l, const tide_run_row *row) {
    printf("%s{\"state\": ", l->shown ? ",\n" : "");
    tide_put_json(stdout, row->state, strlen(row->state));
    for (int i = 0; i < TIDE_RUN_COLUMNS; ++i) {
        printf(", \"%s\": ", tide_run_column_name(i));
        if (!row->value[i])
            fputs("null", stdout);
        else if (tide_run_column_kind(i) == TIDE_RUN_TEXT)
            tide_put_json(stdout, row->value[i], strlen(row->value[i]));
        else
            fputs(row->value[i], stdout);
    }
    fputs(", \"seconds\": ", stdout);
    if (row->seconds >= 0.0)
        printf("%.0f}", row->seconds);
    else
        fputs("null}", stdout);
}

static tide_status show(void *context, const tide_run_row *row, tide_error *err) {
    listing *l = context;
    (void)err;
    if (l->format == FORMAT_JSON)
        put_json(l, row);
    else if (l->format == FORMAT_CSV)
        put_csv(l, row);
    else if (l->whole)
        put_whole(row);
    else
        put_line(l, row);
    ++l->shown;
    return TIDE_OK;
}

static tide_status run(const tide_cli_command *self, int argc, char **argv, tide_error *err) {
    const char *run_id = NULL, *name = "text";
    listing l = {FORMAT_TEXT, 0, 0};
    uint64_t n = 0;
    const tide_cli_flag own[] = {{"run", TIDE_CLI_TEXT, &run_id, "ID", "show this run, all of it"},
                                 {"format", TIDE_CLI_TEXT, &name, "NAME",
                                  "text, csv (without the columns that hold JSON), or json [text]"},
                                 {NULL, TIDE_CLI_SWITCH, NULL, NULL, NULL}};
    tide_cli_args args;
    tide_runs *runs = NULL;
    tide_status status = tide_cli_parse(self, own, argc, argv, &args, err);
    if (status || args.helped)
        goto done;
    l.whole = run_id != NULL;
    if (!args.argument)
        status = tide_fail(err, TIDE_USAGE, "which STORE? (see --help)");
    else
        status = tide_cli_choose("format", name, "text, csv, json", &l.format, err);
    if (!status)
        status = tide_runs_open_existing(args.argument, &runs, err);
    if (status)
        goto done;
    if (l.format == FORMAT_JSON && !l.whole)
        puts("[");
    status = tide_runs_each(runs, run_id, show, &l, &n, err);
    if (l.format == FORMAT_JSON && (!l.whole || l.shown))
        fputs(l.whole ? "\n" : l.shown ? "\n]\n" : "]\n", stdout);
    if (!status && l.whole && n == 0)
        status = tide_fail(err, TIDE_NOT_FOUND, "no run '%.60s' in the book of %s", run_id, args.argument);
done:
    tide_runs_close(runs);
    tide_cli_args_free(&args, own);
    return status;
}

const tide_cli_command tide_cli_runs = {
    .name = "runs",
    .bit = TIDE_CMD_RUNS,
    .argument = "STORE",
    .usage = "STORE [--run ID] [--format text|csv|json]",
    .summary = "lists the runs that worked on a store, or shows one whole",
    .text = "A run whose process is gone without a word is shown as killed; tidemill fit --resume may go on with it, under\n"
            "the same id. A store's generations name their run: tidemill inspect STORE.\n",
    .examples = "  tidemill runs models\n"
                "  tidemill runs models --run 20260131T020000Z-1a2b3c4d\n"
                "  tidemill runs models --format json | jq '.[-1].outcomes'\n",
    .run = run};
