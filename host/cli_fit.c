/* cli_fit.c - tidemill fit: a model for every series, into a store, and its forecasts into a database. */
#include "host/cli.h"
#include "io/fit.h"

#include <stdlib.h>
#include <string.h>

static tide_status run(const tide_cli_command *self, int argc, char **argv, tide_error *err) {
    const char *report_path = NULL;
    int quiet = 0;
    tide_cli_write_back w = {.url = NULL};
    const tide_cli_flag own[] = {
        {"report", TIDE_CLI_TEXT, &report_path, "FILE", "write the run's report as JSON; - for standard output"},
        {"write-back", TIDE_CLI_TEXT, &w.url, "URL",
         "after publishing, write the forecasts of all series to this database, postgresql://..."},
        {"write-table", TIDE_CLI_TEXT, &w.table, "TABLE", "write-back: the [schema.]table whose rows are replaced"},
        {"write-parameters", TIDE_CLI_TEXT, &w.parameters, "TABLE", "write-back: the models, too, into this table"},
        {"replace-rows", TIDE_CLI_SWITCH, &w.replace_rows, NULL,
         "write-back: replace the rows within the table (tidemill predict --help)"},
        {"quiet", TIDE_CLI_SWITCH, &quiet, NULL, "no progress and no summary on stderr; errors and warnings remain"},
        {NULL, TIDE_CLI_SWITCH, NULL, NULL, NULL}};
    tide_cli_args args;
    tide_cli_progress progress;
    tide_report *report = NULL;
    tide_status status = tide_cli_parse(self, own, argc, argv, &args, err);
    if (status || args.helped)
        goto done;
    status = tide_cli_take_source(&args, err);
    if (!status && !args.cfg.store.dir)
        status = tide_fail(err, TIDE_USAGE, "--store DIR is needed");
    if (!status && !w.url && (w.table || w.parameters || w.replace_rows))
        status = tide_fail(err, TIDE_USAGE, "--write-table, --write-parameters and --replace-rows need --write-back URL");
    if (!status && w.url && !w.table)
        status = tide_fail(err, TIDE_USAGE, "--write-back needs --write-table TABLE");
    if (!status && w.url)
        status = tide_cli_write_back_check(&w, err);
    if (!status && w.url)
        status = tide_cli_write_back_probe(&w, &args.cfg, err); /* rather now than after the fits */
    if (status)
        goto done;
    report = (tide_report *)calloc(1, sizeof *report);
    if (!report) {
        status = tide_fail(err, TIDE_MEMORY, "out of memory");
        goto done;
    }
    tide_observer observer = tide_cli_observer(&progress, quiet);
    status = tide_fit_run(&args.cfg, NULL, &observer, report, err);
    status = tide_cli_finish(&progress, status, report, quiet, report_path, err);
    w.quiet = quiet;
    free(args.cfg.arima.regressors); /* the generation has them */
    args.cfg.arima.regressors = NULL;
    if (!status && w.url)
        status = tide_cli_write_back_generation(&w, &args.cfg, report->generation, err);
done:
    free(report);
    tide_cli_args_free(&args, own);
    return status;
}

const tide_cli_command tide_cli_fit = {
    .name = "fit",
    .bit = TIDE_CMD_FIT,
    .argument = "SOURCE",
    .usage = "SOURCE --store DIR [options]",
    .summary = "fits a model to every series and publishes them as a new generation of a store",
    .text = "SOURCE is a CSV file with a header line (plain or gzip), - for standard input, "
            "postgresql://user@host/db with\n"
            "--table or --query, or simulate:N. Rows are unique_id, ds, y in any column order; those of one "
            "series follow each\n"
            "other (else --unsorted). An empty y, NULL or NaN is a missing value. A series that cannot be "
            "fitted gets a simpler\n"
            "model or none, and is counted by outcome; it never stops the others. Interrupted or failing, "
            "the store stays as it\n"
            "was. With --warm the fits begin from the coefficients of an earlier fit, often of the same store: "
            "faster, and nearly\n"
            "always as good (bench/warm.sh). With --history, all series are kept in a file, and a run reads only rows past its last "
            "time\n"
            "(and before it, as far as --reread goes): the models are those of a full read. A password comes from PGPASSWORD, ~/.pgpass or the URL, and is never shown.\n",
    .examples =
        "  tidemill fit sales.csv --store models --freq M\n"
        "  zcat sales.csv.gz | tidemill fit - --store models --freq D --season 7 --jobs 8\n"
        "  tidemill fit postgresql://me@db/retail --table demand.daily --y-column quantity --store models\n"
        "  tidemill fit sales.csv --store models --freq M --warm models\n"
        "  tidemill fit postgresql://me@db/retail --table demand --store models --history demand.history --reread 35d\n"
        "  tidemill fit sales.csv --store models --freq D --models arima --regressors calendar.csv\n"
        "  tidemill fit sales.csv --store models --freq D --horizon 28 --level 80 \\\n"
        "      --write-back postgresql://me@db/retail --write-table forecasts\n"
        "  tidemill fit sales.csv --store models --ets-forms ANN,AAN,AAdN --report run.json\n",
    .run = run};
