/* cli_predict.c - tidemill predict: forecasts from a store. Starts no thread and touches no HDF5. */
#include "host/cli.h"
#include "host/quote.h"
#include "host/tidemill_predict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct asked { /* what is asked of a store */
    tide_store *store;
    tide_store_info info;
    tide_forecast_spec spec;
    int by_range;           /* --from or --to */
    double *mean, *lo, *hi; /* for `room` steps */
    int32_t room;
    tide_cli_output out;
    uint64_t no_model, no_rows;
    size_t not_found;
} asked;

enum { NAMED = 5 };

static tide_status make_room(asked *a, int32_t horizon, tide_error *err) {
    if (horizon <= a->room)
        return TIDE_OK;
    size_t h = (size_t)horizon, l = (size_t)a->spec.n_levels;
    double *block = (double *)malloc((h + 2 * h * l) * sizeof *block);
    if (!block)
        return tide_fail(err, TIDE_MEMORY, "no memory for %d steps", horizon);
    free(a->mean);
    a->mean = block;
    a->lo = l ? block + h : NULL;
    a->hi = l ? block + h + h * l : NULL;
    a->room = horizon;
    return TIDE_OK;
}

static tide_status predict_row(asked *a, int64_t row, tide_error *err) {
    tide_series_model m;
    char id[64];
    TIDE_TRY(tide_store_series(a->store, row, &m, err));
    int has_ds = m.n_values > 0 || m.first_ds != 0 || m.last_ds != 0;
    tide_cli_forecast_rows rows = {.id = m.id,
                                   .id_length = m.id_length,
                                   .last_ds = m.last_ds,
                                   .end_of_month = m.end_of_month,
                                   .has_ds = has_ds,
                                   .first = 1,
                                   .last = a->spec.horizon,
                                   .stride = 1};
    tide_forecast_spec spec = a->spec;
    if (a->by_range) {
        if (!has_ds || !tide_cli_output_range(&a->out, m.last_ds, m.end_of_month, &rows.first, &rows.last)) {
            ++a->no_rows;
            return TIDE_OK;
        }
        spec.horizon = (int32_t)rows.last;
    }
    TIDE_TRY(make_room(a, spec.horizon, err));
    tide_status status = tide_store_forecast(a->store, row, &spec, a->mean, a->lo, a->hi, err);
    if (status)
        return status;
    rows.horizon = spec.horizon;
    rows.mean = a->mean;
    rows.lo = a->lo;
    rows.hi = a->hi;
    if (m.n_members == 0 && a->no_model++ < NAMED)
        fprintf(stderr, "tidemill predict: no model for '%s': %s\n",
                tide_quote(id, sizeof id, m.id, m.id_length), tide_outcome_text(m.outcome));
    return tide_cli_output_rows(&a->out, &rows, err);
}

static tide_status predict_id(asked *a, const char *id, size_t length, tide_error *err) {
    int64_t row = -1;
    char text[96];
    TIDE_TRY(tide_store_find(a->store, id, length, &row, err));
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

static tide_status predict_all(asked *a, tide_error *err) {
    for (uint64_t row = 0; row < a->info.n_series; ++row) {
        TIDE_TRY(predict_row(a, (int64_t)row, err));
        if (tide_cli_stopped(NULL))
            return tide_fail(err, TIDE_INTERRUPTED, "stopped by a signal");
    }
    return TIDE_OK;
}

static tide_status prepare(asked *a, tide_cli_args *args, const char *output, tide_error *err) {
    tide_config *cfg = &args->cfg;
    tide_store_get_info(a->store, &a->info);
    cfg->season = a->info.season; /* the default horizon follows the store */
    TIDE_TRY(tide_config_check(cfg, err));
    a->spec = cfg->predict.spec;
    a->spec.seed = a->info.seed;
    a->spec.season = a->info.season;
    a->by_range = cfg->predict.from || cfg->predict.to;
    TIDE_TRY(make_room(a, a->spec.horizon, err));
    return tide_cli_output_open(&a->out, output, cfg, a->info.freq, a->info.ds_kind, err);
}

static tide_status run(const tide_cli_command *self, int argc, char **argv, tide_error *err) {
    tide_cli_list ids = {NULL, 0};
    const char *file = NULL, *output = NULL;
    int all = 0;
    const tide_cli_flag own[] = {
        {"id", TIDE_CLI_LIST, &ids, "ID", "a series to forecast; may be given several times"},
        {"ids", TIDE_CLI_TEXT, &file, "FILE", "file of ids, one a line; - for standard input"},
        {"all", TIDE_CLI_SWITCH, &all, NULL, "all series, in the order of the store"},
        {"output", TIDE_CLI_TEXT, &output, "FILE", "write here instead of standard output"},
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
    if (!status)
        status = tide_store_open(args.argument, TIDE_VERIFY_TOUCHED, &a.store, err);
    if (!status)
        status = prepare(&a, &args, output, err);
    if (status)
        goto done;
    for (size_t i = 0; i < ids.n && !status; ++i)
        status = predict_id(&a, ids.item[i], strlen(ids.item[i]), err);
    if (!status && file)
        status = predict_file(&a, file, err);
    if (!status && all)
        status = predict_all(&a, err);
    if (a.no_model > NAMED)
        fprintf(stderr, "tidemill predict: %llu series in all have no model; their mean is empty\n",
                (unsigned long long)a.no_model);
    if (a.no_rows)
        fprintf(stderr, "tidemill predict: %llu series have no forecast in the range asked for\n",
                (unsigned long long)a.no_rows);
    {
        tide_status closed = tide_cli_output_close(&a.out, status == TIDE_OK, err);
        if (!status)
            status = closed;
    }
    if (!status && a.not_found)
        status = tide_fail(err, TIDE_NOT_FOUND, "%zu of the ids asked for %s not in the store", a.not_found,
                           a.not_found == 1 ? "is" : "are");
done:
    tide_store_close(a.store);
    free(a.mean);
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
            "Damaged data are refused, naming the column (exit code 6).\n",
    .examples = "  tidemill predict models --id A17 --horizon 12 --level 80,95\n"
                "  tidemill predict models --ids wanted.txt --to 2025-12-31 --format json\n"
                "  tidemill predict models --all --output forecasts.csv\n",
    .run = run};
