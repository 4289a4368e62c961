/* cli_update.c - tidemill update: a store's models carried over new values without a fit. */
#include "host/cli.h"
#include "io/update.h"

#include <inttypes.h>
#include <stdlib.h>

static void put_count(const char *what, const tide_update_count *c) {
    if (!c->n)
        return;
    fprintf(stderr, "%s %" PRIu64 ":", what, c->n);
    for (uint64_t i = 0; i < c->n && i < TIDE_UPDATE_NAMED; ++i)
        fprintf(stderr, "%s %s", i ? "," : "", c->named[i]);
    fputs(c->n > TIDE_UPDATE_NAMED ? ", ...\n" : "\n", stderr);
}

static void put_summary(const tide_update_summary *s) {
    fprintf(stderr, "of %" PRIu64 " stored series %" PRIu64 " were carried over %" PRIu64 " new values (%" PRIu64
                    " missing), %" PRIu64 " had none\n",
            s->series, s->updated, s->values, s->missing, s->unchanged);
    put_count("left as they were, since their states cannot take the new values (tidemill fit)", &s->refused);
    put_count("without a model in the store (tidemill fit)", &s->unknown);
    put_count("with values that differ from those fitted on, carried on all the same (a fit heals them)", &s->corrected);
    put_count("not usable, left as they were", &s->unusable);
    if (s->fallbacks)
        fprintf(stderr, "%" PRIu64 " of the models are fallbacks that a fit may better now\n", s->fallbacks);
    if (s->generation)
        fprintf(stderr, "published generation %" PRIu64 " (run %s)\n", s->generation, s->run_id);
    else
        fprintf(stderr, "nothing to update: generation %" PRIu64 " stays\n", s->before);
}

static tide_status run(const tide_cli_command *self, int argc, char **argv, tide_error *err) {
    const char *report_path = NULL;
    int quiet = 0;
    tide_cli_write_back w = {.url = NULL};
    const tide_cli_flag own[] = {
        {"report", TIDE_CLI_TEXT, &report_path, "FILE", "write the run's report as JSON; - for standard output"},
        {"write-back", TIDE_CLI_TEXT, &w.url, "URL",
         "after publishing, write the forecasts of all series to this database, postgresql://..."},
        {"write-table", TIDE_CLI_TEXT, &w.table, "TABLE", "write-back: the [schema.]table whose rows are replaced"},
        {"quiet", TIDE_CLI_SWITCH, &quiet, NULL, "no progress and no summary on stderr; errors and warnings remain"},
        {NULL, TIDE_CLI_SWITCH, NULL, NULL, NULL}};
    tide_cli_args args;
    tide_cli_progress progress;
    tide_update_summary summary;
    tide_report *report = calloc(1, sizeof *report);
    tide_status status = tide_cli_parse(self, own, argc, argv, &args, err);
    if (status || args.helped)
        goto done;
    status = tide_cli_take_source(&args, err);
    if (!status && !args.cfg.store.dir)
        status = tide_fail(err, TIDE_USAGE, "--store DIR is needed");
    else if (!status && !w.url != !w.table)
        status = tide_fail(err, TIDE_USAGE, "--write-back URL and --write-table TABLE go together");
    else if (!status && !report)
        status = tide_fail(err, TIDE_MEMORY, "out of memory");
    if (!status && w.url)
        status = tide_cli_write_back_check(&w, err);
    if (!status && w.url)
        status = tide_cli_write_back_probe(&w, &args.cfg, err); /* rather now than after the update */
    if (status)
        goto done;
    tide_observer observer = tide_cli_observer(&progress, quiet);
    status = tide_update_run(&args.cfg, &observer, report, &summary, err);
    status = tide_cli_finish(&progress, status, report, 1, report_path, err);
    if (!status && !quiet)
        put_summary(&summary);
    w.quiet = quiet;
    if (!status && w.url)
        status = tide_cli_write_back_generation(&w, &args.cfg, summary.generation ? summary.generation : summary.before, err);
done:
    free(report);
    tide_cli_args_free(&args, own);
    return status;
}

const tide_cli_command tide_cli_update = {
    .name = "update",
    .bit = TIDE_CMD_UPDATE,
    .argument = "SOURCE",
    .usage = "SOURCE --store DIR [options]",
    .summary = "carries a store's models over new values without fitting, into a new generation",
    .text =
        "SOURCE as for fit; it may hold all values or only new ones, and any part of the series. What lies after a model's last\n"
        "step goes through the recursion of the model: exponential smoothing from the stored final states, bit for bit as one\n"
        "pass over all values at the stored coefficients; naive and seasonal naive take the last values; ARIMA by the exact\n"
        "filter (but where values were missing among the last steps of the fit, whose place estimates have taken). Coefficients,\n"
        "weights, sigma2, likelihood, the mean of 'mean' and the slope of 'drift' stay as fitted. Series without new values keep\n"
        "their rows; ids without a model are counted and named, and left to fit. Where SOURCE holds the values fitted on, those\n"
        "that differ are noticed and named; their series are carried on from the stored states.\n"
        "Values that a model cannot take (zero or below in a multiplicative form, more than 64 missing in ARIMA) leave its\n"
        "series as it was, counted and named. The old generation stays; interrupted, it is still the current one. A second run\n"
        "on the same SOURCE finds nothing new and publishes nothing.\n"
        "\n"
        "Memory: 16 bytes a stored series and the batches (--memory); new values go through a temporary file in the store.\n",
    .examples = "  tidemill update today.csv --store models\n"
                "  tidemill update postgresql://me@db/retail --table demand --store models --history demand.history\n"
                "  tidemill update today.csv --store models --horizon 28 --level 80 \\\n"
                "      --write-back postgresql://me@db/retail --write-table forecasts\n",
    .run = run};
