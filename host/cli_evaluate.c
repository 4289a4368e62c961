/* cli_evaluate.c - tidemill evaluate: what forecasts are worth, by fits cut off at earlier origins or of a store against
 * the values that came since. The summary goes to standard output, a row a series to a file. */
#include "host/cli.h"
#include "host/cli_evaluate.h"
#include "host/text.h"
#include "io/evaluate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct rows {
    FILE *f;
    const char *path;
    int json, any;
} rows;

static void put_header(rows *r, const tide_evaluate_options *o) {
    char name[64];
    fprintf(r->f, "unique_id,status,outcome,origin,windows,values,missing");
    for (int m = 0; m < tide_metric_count(o->forecast.n_levels); ++m)
        fprintf(r->f, ",%s", tide_metric_name(m, o->forecast.level, name, sizeof name));
    for (int method = 1; method < TIDE_METHODS; ++method)
        fprintf(r->f, ",%s_smape,%s_mase", tide_method_name(method), tide_method_name(method));
    fputs("\n", r->f);
}

static void put_csv(rows *r, const tide_evaluated *row, const char *outcome, const char *origin) {
    tide_cli_put_csv(r->f, row->id, row->id_length);
    fprintf(r->f, ",%s,%s,%s,%d,%d,%d", tide_window_status_name(row->status), outcome, origin, row->windows, row->values,
            row->missing);
    for (int m = 0; m < tide_metric_count(row->options->forecast.n_levels); ++m) {
        putc(',', r->f);
        tide_cli_put_number(r->f, row->value[TIDE_METHOD_MODEL][m], 0);
    }
    for (int method = 1; method < TIDE_METHODS; ++method)
        for (int i = 0; i < 2; ++i) {
            putc(',', r->f);
            tide_cli_put_number(r->f, row->value[method][i ? TIDE_METRIC_MASE : TIDE_METRIC_SMAPE], 0);
        }
    fputs("\n", r->f);
}

static void put_json(rows *r, const tide_evaluated *row, const char *outcome, const char *origin) {
    char name[64];
    fputs(r->any ? ",\n{\"unique_id\": " : "[{\"unique_id\": ", r->f);
    tide_put_json(r->f, row->id, row->id_length);
    fprintf(r->f, ", \"status\": \"%s\", \"outcome\": \"%s\", \"origin\": \"%s\", \"windows\": %d, \"values\": %d, \"missing\": %d",
            tide_window_status_name(row->status), outcome, origin, row->windows, row->values, row->missing);
    for (int method = 0; method < TIDE_METHODS; ++method)
        for (int m = 0; m < tide_metric_count(row->options->forecast.n_levels); ++m) {
            if (method && m != TIDE_METRIC_SMAPE && m != TIDE_METRIC_MASE)
                continue;
            fprintf(r->f, ", \"%s%s%s\": ", method ? tide_method_name(method) : "", method ? "_" : "",
                    tide_metric_name(m, row->options->forecast.level, name, sizeof name));
            tide_cli_put_number(r->f, row->value[method][m], 1);
        }
    fputs("}", r->f);
}

static tide_status put_row(void *self, const tide_evaluated *row, tide_error *err) {
    rows *r = self;
    char origin[48] = "";
    const char *outcome = row->outcome < 0 ? "" : tide_outcome_name(row->outcome);
    if (row->has_origin)
        tide_ds_format(row->options->ds_kind, row->origin, origin, sizeof origin);
    if (!r->any && !r->json)
        put_header(r, row->options);
    if (r->json)
        put_json(r, row, outcome, origin);
    else
        put_csv(r, row, outcome, origin);
    r->any = 1;
    return ferror(r->f) ? tide_fail(err, TIDE_DISK, "%s: %s", r->path, strerror(errno)) : TIDE_OK;
}

static tide_status close_rows(rows *r, tide_error *err) {
    FILE *f = r->f;
    if (!f)
        return TIDE_OK;
    if (r->json)
        fputs(r->any ? "]\n" : "[]\n", f);
    r->f = NULL;
    int bad = ferror(f);
    return (fclose(f) || bad) ? tide_fail(err, TIDE_DISK, "%s: %s", r->path, strerror(errno)) : TIDE_OK;
}

typedef struct asked {
    const char *store, *output, *format, *report;
    int by_step, by_origin, quiet;
} asked;

static tide_status evaluate(tide_config *cfg, const asked *a, tide_evaluate_format format, tide_report *report,
                            tide_error *err) {
    tide_cli_progress progress;
    tide_evaluator *e = NULL;
    tide_observer observer = tide_cli_observer(&progress, a->quiet);
    rows r = {.path = a->output, .json = format == TIDE_EVALUATE_JSON};
    if (a->output && !(r.f = fopen(a->output, "wb")))
        return tide_fail(err, TIDE_DISK, "%s: %s", a->output, strerror(errno));
    const tide_evaluate_job job = {
        .store = a->store, .by_origin = a->by_origin, .row = a->output ? put_row : NULL, .row_self = &r};
    tide_status status = tide_evaluate_run(cfg, &job, &observer, report, &e, err);
    if (!status)
        status = close_rows(&r, err);
    else if (r.f)
        fclose(r.f);
    status = tide_cli_finish(&progress, status, report, a->quiet, a->report, err);
    if (!status)
        tide_evaluation_print(stdout, tide_evaluator_report(e), format, a->by_step);
    tide_evaluator_destroy(e);
    return status;
}

static tide_status run(const tide_cli_command *self, int argc, char **argv, tide_error *err) {
    asked a = {.format = "text"};
    int format = 0;
    const tide_cli_flag own[] = {
        {"store", TIDE_CLI_TEXT, &a.store, "STORE",
         "evaluate the models of this store (or generation file) against the values after those that they were fitted on"},
        {"output", TIDE_CLI_TEXT, &a.output, "FILE", "write a row a series: CSV, or JSON with --format json"},
        {"by-origin", TIDE_CLI_SWITCH, &a.by_origin, NULL, "--output: a row a series and origin"},
        {"by-step", TIDE_CLI_SWITCH, &a.by_step, NULL, "the metrics of each step ahead, too"},
        {"format", TIDE_CLI_TEXT, &a.format, "NAME", "of the summary on standard output: text, csv, json [text]"},
        {"report", TIDE_CLI_TEXT, &a.report, "FILE", "write the run's report (rows, stages, memory) as JSON"},
        {"quiet", TIDE_CLI_SWITCH, &a.quiet, NULL, "no progress and no report on stderr; errors and warnings remain"},
        {NULL, TIDE_CLI_SWITCH, NULL, NULL, NULL}};
    tide_cli_args args;
    tide_report *report = calloc(1, sizeof *report);
    tide_status status = tide_cli_parse(self, own, argc, argv, &args, err);
    if (status || args.helped)
        goto done;
    status = tide_cli_take_source(&args, err);
    if (!status)
        status = tide_cli_choose("format", a.format, "text, csv, json", &format, err);
    if (!status && a.by_origin && !a.output)
        status = tide_fail(err, TIDE_USAGE, "--by-origin needs --output FILE");
    else if (!status && a.output && strcmp(a.output, "-") == 0)
        status = tide_fail(err, TIDE_USAGE, "--output: a file; the summary goes to standard output");
    else if (!status && !report)
        status = tide_fail(err, TIDE_MEMORY, "out of memory");
    if (!status)
        status = evaluate(&args.cfg, &a, (tide_evaluate_format)format, report, err);
done:
    free(report);
    tide_cli_args_free(&args, own);
    return status;
}

const tide_cli_command tide_cli_evaluate = {
    .name = "evaluate",
    .bit = TIDE_CMD_EVALUATE,
    .argument = "SOURCE",
    .usage = "SOURCE [--origins N] [--horizon H] [--store STORE] [options]",
    .summary = "measures forecasts against values that they had not seen, beside naive2 and the seasonal naive",
    .text =
        "SOURCE as for fit. Without --store, every series is cut off at several origins and fitted anew at each, exactly as fit\n"
        "would have at that time; the last origin lies a horizon before its end. With --store, the stored models are measured\n"
        "by the values of SOURCE that are later than those they were fitted on. Nothing is stored; a --history is read, with\n"
        "the rows past it, and stays as it is.\n"
        "\n"
        "Metrics, over the values that are there (missing ones are counted): mae, rmse, bias (mean of forecast less value),\n"
        "smape (0 to 200), mase and rmsse (relative to errors of y a season ago within the values before the origin; where these\n"
        "are 0 or none, undefined, left out and counted), owa (the mean of smape and mase relative to naive2's: below 1, the\n"
        "models are worth their while), and with --level coverage, mean width, msis and pinball (mean loss of both limits as\n"
        "quantiles) of each interval. A series' figure is the mean over its origins, the whole's the mean over series;\n"
        "coverage is by value. Series that are too short and such are skipped, counted, and have their status in --output.\n"
        "\n"
        "Time: that of --origins fits. Memory: bounded by --memory, whatever the number of series; batches get smaller as\n"
        "origins, horizon and levels grow (8 bytes for each of their product, a series).\n",
    .examples = "  tidemill evaluate sales.csv --freq M --horizon 12\n"
                "  tidemill evaluate sales.csv --freq M --models ets,arima --origins 1 --level 80,95 --by-step\n"
                "  tidemill evaluate postgresql://me@db/retail --table demand --freq D --horizon 28 --step 7 --format json\n"
                "  tidemill evaluate sales.csv --freq M --output by_series.csv --by-origin --level 80\n"
                "  tidemill evaluate today.csv --store models --history demand.history --level 80   # last night's forecasts\n",
    .run = run};
