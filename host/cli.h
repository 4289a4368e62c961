/* cli.h - what the files of the command line share: subcommands, their flags, output, messages.
 *
 * A subcommand is one file cli_<name>.c and a line in main.c. Flags that set a key of the configuration come from the table
 * in config_keys.c; a subcommand adds only those that are no part of a configuration (--output, --id ...). */
#ifndef TIDE_CLI_H
#define TIDE_CLI_H

#include "host/config.h"
#include "host/observer.h"
#include "host/report.h"
#include "host/tidemill_predict.h"

#include <stdio.h>

/* --- flags of a subcommand's own ------------------------------------------------------------------------------- */
typedef struct tide_cli_list { /* a flag that may be given several times */
    const char **item;
    size_t n;
} tide_cli_list;

typedef enum tide_cli_kind { TIDE_CLI_SWITCH, TIDE_CLI_TEXT, TIDE_CLI_LIST, TIDE_CLI_U64, TIDE_CLI_REAL } tide_cli_kind;

typedef struct tide_cli_flag {
    const char *name; /* without "--"; NULL ends a list */
    tide_cli_kind kind;
    void *target; /* int, const char *, tide_cli_list, uint64_t or double */
    const char *metavar, *help;
} tide_cli_flag;

typedef struct tide_cli_command {
    const char *name;
    unsigned bit;           /* TIDE_CMD_*: which keys are its flags */
    const char *argument;   /* "SOURCE", or NULL when it takes none */
    const char *usage;      /* after "tidemill <name> " */
    const char *summary;    /* one line */
    const char *text;       /* more about it, lines; may be empty */
    const char *examples;   /* lines */
    tide_status (*run)(const struct tide_cli_command *self, int argc, char **argv, tide_error *err);
} tide_cli_command;

extern const tide_cli_command tide_cli_fit, tide_cli_predict, tide_cli_forecast, tide_cli_inspect, tide_cli_simulate,
    tide_cli_bench, tide_cli_runs, tide_cli_history, tide_cli_load, tide_cli_evaluate, tide_cli_update;

typedef struct tide_cli_args {
    tide_config cfg;      /* defaults, then --config, then flags; not yet checked */
    const char *argument; /* the positional one, or NULL when it was left out */
    int helped;           /* --help was printed: nothing else to do */
} tide_cli_args;

/* Reads the command line of a subcommand. own: its flags, ended by a NULL name. TIDE_USAGE names the flag and the nearest
 * one that exists. The lists in `own` and args->cfg are freed by tide_cli_args_free, also after a failure. */
tide_status tide_cli_parse(const tide_cli_command *command, const tide_cli_flag *own, int argc, char **argv,
                           tide_cli_args *args, tide_error *err);
void tide_cli_args_free(tide_cli_args *args, const tide_cli_flag *own);
/* The positional argument becomes the configuration's source; TIDE_USAGE when neither names one. */
tide_status tide_cli_take_source(tide_cli_args *args, tide_error *err);
/* *which: the number, from 0 on, of `word` among the words ("text, csv, json"); TIDE_USAGE names flag and words. */
tide_status tide_cli_choose(const char *flag, const char *word, const char *words, int *which, tide_error *err);
/* The nearest of n words, or NULL when none is near. */
const char *tide_cli_nearest(const char *word, const char *const *words, size_t n);

/* --- messages --------------------------------------------------------------------------------------------------- */
/* 1 after SIGINT or SIGTERM. Ten seconds after it, the process is ended: a stage may be in the middle of a long batch.
 * tide_cli_stuck ends it at once; nothing has been published, and what a fit has finished stays for --resume. */
int tide_cli_stopped(void *unused);
void tide_cli_stuck(void *unused);

/* Progress and messages on stderr: a bar on a terminal, else a line every ten seconds. */
typedef struct tide_cli_progress {
    int quiet, terminal, drawn;
    double last_line_s;
} tide_cli_progress;
tide_observer tide_cli_observer(tide_cli_progress *progress, int quiet);
/* Ends the progress of a run that came to `status`, and shows the report of one that succeeded: on stderr unless quiet, and
 * as JSON into the file `path` unless NULL ("-" = stdout). Returns status, or why the report could not be written. */
tide_status tide_cli_finish(const tide_cli_progress *progress, tide_status status, const tide_report *report, int quiet,
                            const char *path, tide_error *err);

/* --- forecasts as CSV or JSON ----------------------------------------------------------------------------------- */
typedef struct tide_cli_output {
    FILE *f;
    char *buffer;
    const char *name; /* for messages */
    int json, any;
    tide_freq freq;
    tide_ds_kind ds_kind;
    int32_t n_levels;
    double level[TIDE_LEVELS_MAX];
    int32_t horizon;        /* steps, unless a range of times is asked for */
    int64_t from_ds, to_ds; /* INT64_MIN, INT64_MAX: not given */
} tide_cli_output;

/* One series: elements of mean at mean[h*stride], of lo and hi at lo[(level*horizon + h)*stride]; TIDE_NAN = empty. Steps
 * first .. last (1 = the one after last_ds) of the `horizon` that were computed are shown. */
typedef struct tide_cli_forecast_rows {
    const char *id;
    size_t id_length;
    int64_t last_ds;
    int end_of_month, has_ds; /* has_ds 0: the series has no known time; ds stays empty */
    int64_t first, last;
    int32_t horizon;
    const double *mean, *lo, *hi;
    size_t stride;
} tide_cli_forecast_rows;

/* The steps to show of a series that ends at last_ds: 0 when there are none (the range ends before them). */
int tide_cli_output_range(const tide_cli_output *out, int64_t last_ds, int end_of_month, int64_t *first, int64_t *last);

/* Fills what tide_cli_output_range and the formats need. cfg must be checked. */
tide_status tide_cli_output_describe(tide_cli_output *out, const tide_config *cfg, tide_freq freq, tide_ds_kind kind,
                                     tide_error *err);
/* path: NULL or "-" = standard output. Prints the header. cfg must be checked. */
tide_status tide_cli_output_open(tide_cli_output *out, const char *path, const tide_config *cfg, tide_freq freq,
                                 tide_ds_kind kind, tide_error *err);
tide_status tide_cli_output_rows(tide_cli_output *out, const tide_cli_forecast_rows *rows, tide_error *err);
/* The same in two steps: the text of a series to f, by any thread, and texts of one or more series, in order. */
void tide_cli_output_text(const tide_cli_output *out, FILE *f, const tide_cli_forecast_rows *rows);
tide_status tide_cli_output_bytes(tide_cli_output *out, const char *bytes, size_t n, tide_error *err);
/* Closes; a failure to write that showed late is reported here. finished 0: after a failure, nothing more is written. */
tide_status tide_cli_output_close(tide_cli_output *out, int finished, tide_error *err);

/* --- forecasts from a store ------------------------------------------------------------------------------------- */
typedef struct tide_cli_scratch { /* of one thread */
    double *mean, *lo, *hi;
    int32_t room;
} tide_cli_scratch;

typedef struct tide_cli_forecaster {
    tide_store *store;
    tide_store_info info;
    tide_forecast_spec spec;
    tide_xreg_table xreg; /* the store's regressors with those of cfg's file over them, owned; n 0: the store's as they are */
    int by_range;          /* --from or --to */
    tide_cli_output shape; /* range, kind of time, levels; no file */
    tide_cli_scratch scratch;
    uint64_t no_model, no_rows;
    uint64_t done; /* series, by tide_cli_forecast_all */
} tide_cli_forecaster;

/* Checks cfg for the season of the store. Close it also after a failure. */
tide_status tide_cli_forecaster_open(tide_cli_forecaster *f, const char *store, tide_config *cfg, tide_error *err);
void tide_cli_forecaster_close(tide_cli_forecaster *f);
enum { TIDE_CLI_FORECAST, TIDE_CLI_NO_MODEL, TIDE_CLI_NO_ROWS };
/* *state: what came of it; with NO_ROWS, the range asked for ends before, there is nothing in *rows. */
tide_status tide_cli_forecast_row(const tide_cli_forecaster *f, tide_cli_scratch *scratch, int64_t row,
                                  tide_cli_forecast_rows *rows, int *state, tide_error *err);
/* Counts, and names the first few without a model on stderr; at the end the sums. */
void tide_cli_note_row(tide_cli_forecaster *f, int64_t row, int state);
void tide_cli_note_end(const tide_cli_forecaster *f);

typedef struct tide_cli_all {
    void *self;
    int jobs; /* threads; 0 = all processors */
    tide_status (*put)(void *self, FILE *f, const tide_cli_forecast_rows *rows, tide_error *err); /* any thread */
    tide_status (*use)(void *self, const char *bytes, size_t n, uint64_t rows, tide_error *err);  /* in order */
} tide_cli_all;
/* Every series of the store, in its order; what is put and used does not depend on the number of threads. */
tide_status tide_cli_forecast_all(tide_cli_forecaster *f, const tide_cli_all *all, tide_error *err);

/* Forecasts and, if asked, parameters of a store into Postgres tables; the engine only (cli_write_back.c). */
typedef struct tide_cli_write_back {
    const char *url, *table, *parameters; /* parameters NULL: none */
    int replace_rows, quiet;
    uint64_t lock_timeout;
} tide_cli_write_back;
tide_status tide_cli_write_back_check(const tide_cli_write_back *w, tide_error *err);
/* Whether the database can be reached and its tables are such as could be replaced. */
tide_status tide_cli_write_back_probe(const tide_cli_write_back *w, const tide_config *cfg, tide_error *err);
tide_status tide_cli_write_back_run(const tide_cli_write_back *w, const char *store, tide_config *cfg, tide_error *err);
/* The same of a generation of cfg's store that was just published, whatever CURRENT names by now. A failure leaves it
 * published. */
tide_status tide_cli_write_back_generation(const tide_cli_write_back *w, tide_config *cfg, uint64_t generation,
                                           tide_error *err);

#if defined(TIDE_FRONT)
/* Becomes the engine, which has what this program does not link; argv: of main. Returns only on failure (main.c). */
tide_status tide_cli_become_engine(char **argv, tide_error *err);
#endif
/* Writes bytes as a CSV field, quoted where it must be. */
void tide_cli_put_csv(FILE *f, const char *s, size_t n);
/* The shortest text that reads back as v; nothing for NaN (CSV) or null (JSON). */
void tide_cli_put_number(FILE *f, double v, int json);

#endif
