/* cli_predict.c - tidemill predict: forecasts from a store. Touches no HDF5; threads only for --all. */
#include "host/cli.h"
#include "host/quote.h"
#include "host/tidemill_predict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct asked { /* what is asked of a store */
    tide_cli_forecaster f;
    tide_cli_output out;
    size_t not_found;
} asked;

static tide_status predict_row(asked *a, int64_t row, tide_error *err) {
    tide_cli_forecast_rows rows;
    int state;
    TIDE_TRY(tide_cli_forecast_row(&a->f, &a->f.scratch, row, &rows, &state, err));
    tide_cli_note_row(&a->f, row, state);
    return state == TIDE_CLI_NO_ROWS ? TIDE_OK : tide_cli_output_rows(&a->out, &rows, err);
}

static tide_status predict_id(asked *a, const char *id, size_t length, tide_error *err) {
    int64_t row = -1;
    char text[96];
    TIDE_TRY(tide_store_find(a->f.store, id, length, &row, err));
    if (row >= 0)
        return predict_row(a, row, err);
    if (a->not_found++ < 20)
        fprintf(stderr, "tidemill predict: no id '%s' in the store\n",
                tide_quote(text, sizeof text, id, length));
    return TIDE_OK;
}

/* A file of ids, one a line; CR LF ends a line too. */
static tide_status predict_file(asked *a, const char *path, tide_error *err) {
    int from_stdin = strcmp(path, "-") == 0;
    FILE *f = from_stdin ? stdin : fopen(path, "rb");
    if (!f)
        return tide_fail(err, TIDE_INPUT, "ids file %.300s: %s", path, strerror(errno));
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    tide_status status = TIDE_OK;
    while (!status && (n = getline(&line, &size, f)) >= 0) {
        size_t length = (size_t)n;
        if (length && line[length - 1] == '\n')
            --length;
        if (length && line[length - 1] == '\r')
            --length;
        if (length)
            status = predict_id(a, line, length, err);
    }
    if (!status && ferror(f))
        status = tide_fail(err, TIDE_INPUT, "ids file %.300s: %s", path, strerror(errno));
    free(line);
    if (!from_stdin)
        fclose(f);
    return status;
}

static tide_status put_text(void *self, FILE *f, const tide_cli_forecast_rows *rows, tide_error *err) {
    (void)err;
    tide_cli_output_text(&((asked *)self)->out, f, rows);
    return TIDE_OK;
}

static tide_status use_text(void *self, const char *bytes, size_t n, uint64_t rows, tide_error *err) {
    (void)rows;
    return tide_cli_output_bytes(&((asked *)self)->out, bytes, n, err);
}

/* A database as output: the front does not know libpq, and main.c has passed such a command on to the engine. */
static tide_status write_back(const tide_cli_write_back *w, tide_cli_args *args, int all, tide_error *err) {
    if (!all)
        return tide_fail(err, TIDE_USAGE, "an --output postgresql://... takes --all series");
#if defined(TIDE_FRONT)
    (void)w;
    (void)args;
    return tide_fail(err, TIDE_INTERNAL, "tidemill-engine should do this");
#else
    TIDE_TRY(tide_cli_write_back_check(w, err));
    return tide_cli_write_back_run(w, args->argument, &args->cfg, err);
#endif
}

static tide_status run(const tide_cli_command *self, int argc, char **argv, tide_error *err) {
    tide_cli_list ids = {NULL, 0};
    const char *file = NULL, *output = NULL;
    int all = 0;
    tide_cli_write_back w = {.url = NULL};
    const tide_cli_flag own[] = {
        {"id", TIDE_CLI_LIST, &ids, "ID", "a series to forecast; may be given several times"},
        {"ids", TIDE_CLI_TEXT, &file, "FILE", "file of ids, one a line; - for standard input"},
        {"all", TIDE_CLI_SWITCH, &all, NULL, "all series, in the order of the store"},
        {"output", TIDE_CLI_TEXT, &output, "WHERE", "write to this file, or with --all into postgresql://... [-]"},
        {"table", TIDE_CLI_TEXT, &w.table, "TABLE", "Postgres: the [schema.]table whose rows are replaced; made if missing"},
        {"parameters", TIDE_CLI_TEXT, &w.parameters, "TABLE", "Postgres: the models, too, into this table, a row a member"},
        {"replace-rows", TIDE_CLI_SWITCH, &w.replace_rows, NULL,
         "Postgres: replace the rows within the table, for one that views or triggers depend on; slower"},
        {"lock-timeout", TIDE_CLI_U64, &w.lock_timeout, "SECONDS",
         "Postgres: longest wait for readers and other writers of the table [300]"},
        {"quiet", TIDE_CLI_SWITCH, &w.quiet, NULL, "Postgres: no summary on stderr"},
        {NULL, TIDE_CLI_SWITCH, NULL, NULL, NULL}};
    tide_cli_args args;
    asked a;
    memset(&a, 0, sizeof a);
    tide_status status = tide_cli_parse(self, own, argc, argv, &args, err);
    if (status || args.helped)
        goto done;
    if (!args.argument)
        status = tide_fail(err, TIDE_USAGE, "which STORE? (see --help)");
    else if ((ids.n > 0) + (file != NULL) + all != 1)
        status = tide_fail(err, TIDE_USAGE, "give one of --id, --ids and --all");
    if (status)
        goto done;
#if defined(TIDE_FRONT)
    if (args.cfg.arima.regressors) { /* a file to read: the engine's */
        status = tide_cli_become_engine(argv - 2, err);
        goto done;
    }
#endif
    if (output && strstr(output, "://")) {
        w.url = output;
        status = write_back(&w, &args, all, err);
        goto done;
    }
    if (w.table || w.parameters || w.replace_rows)
        status = tide_fail(err, TIDE_USAGE, "--table, --parameters and --replace-rows are for an --output postgresql://...");
    if (!status)
        status = tide_cli_forecaster_open(&a.f, args.argument, &args.cfg, err);
    if (!status)
        status = tide_cli_output_open(&a.out, output, &args.cfg, a.f.info.freq, a.f.info.ds_kind, err);
    if (status)
        goto done;
    for (size_t i = 0; i < ids.n && !status; ++i)
        status = predict_id(&a, ids.item[i], strlen(ids.item[i]), err);
    if (!status && file)
        status = predict_file(&a, file, err);
    if (!status && all) {
        const tide_cli_all every = {
            .self = &a, .jobs = args.cfg.backend.jobs, .put = put_text, .use = use_text};
        status = tide_cli_forecast_all(&a.f, &every, err);
    }
    tide_cli_note_end(&a.f);
    {
        tide_status closed = tide_cli_output_close(&a.out, status == TIDE_OK, err);
        if (!status)
            status = closed;
    }
    if (!status && a.not_found)
        status = tide_fail(err, TIDE_NOT_FOUND, "%zu of the ids asked for %s not in the store", a.not_found,
                           a.not_found == 1 ? "is" : "are");
done:
    tide_cli_forecaster_close(&a.f);
    tide_cli_args_free(&args, own);
    return status;
}

const tide_cli_command tide_cli_predict = {
    .name = "predict",
    .bit = TIDE_CMD_PREDICT,
    .argument = "STORE",
    .usage = "STORE (--id ID ... | --ids FILE | --all) [options]",
    .summary = "forecasts from a model store",
    .text = "STORE is a store's directory or one generation file of it. Columns: unique_id, ds, mean, then "
            "lo- and hi- for\n"
            "each level. A series without a model has rows whose mean is empty (JSON: null), and is named on "
            "stderr. Ids that\n"
            "are not in the store are named on stderr; the others are forecast, and the exit code is 11.\n"
            "Models with regressors take the future values that the fit was given; --regressors has newer or further ones.\n"
            "Damaged data are refused, naming the column (exit code 6).\n"
            "Into a Postgres table: columns unique_id, ds, mean, lo_80, hi_80 ..., run_id, generation. Readers see the\n"
            "whole old set or the whole new one, however the command ends. By default a new table takes the place of\n"
            "the old one and its owner and privileges; what cannot be carried over (views, triggers, foreign keys,\n"
            "row security, publications) is named and needs --replace-rows.\n",
    .examples = "  tidemill predict models --id A17 --horizon 12 --level 80,95\n"
                "  tidemill predict models --ids wanted.txt --to 2025-12-31 --format json\n"
                "  tidemill predict models --all --output forecasts.csv --jobs 8\n"
                "  tidemill predict models --all --horizon 14 --regressors weather.csv\n"
                "  tidemill predict models --all --horizon 28 --level 80 --output postgresql://me@db/retail \\\n"
                "      --table forecasts --parameters forecast_models\n",
    .run = run};
