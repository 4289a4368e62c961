/* config.h - everything a run can be told, with defaults; from a JSON file and from flags, which override it.
 *
 * The JSON file has the same keys, in sections, as configs/schema.json describes; an unknown or ill-typed key, a duplicate
 * key, too deep nesting or a file over 1 MiB is TIDE_CONFIG with its path ("ets.forms[2]: ...").
 *
 * One table (config_keys.c) holds every key: its path, flag, type, range and help. The JSON reader, the schema, the flags
 * of the command line and --help all read it, so that they cannot differ. A new option is one line there and one field
 * here. Defaults are in tide_config_init (config.c). */
#ifndef TIDE_CONFIG_H
#define TIDE_CONFIG_H

#include "host/across.h"
#include "host/backend.h"
#include "host/intake.h"
#include "host/stream.h"

enum { TIDE_CONSTANT_IF_ANY = 2 };
enum { TIDE_FOURIER_AUTO = -1, TIDE_FOURIER_UNSET = -2 };

typedef struct tide_config {
    struct { /* where rows come from */
        char *path;       /* CSV file, "-" = standard input, or postgresql://... */
        char *table;      /* Postgres: [schema.]table; exactly one of table and query */
        char *query;      /* Postgres: SELECT, run in a read-only transaction */
        char *id_column, *ds_column, *y_column; /* unique_id, ds, y */
        char *from, *to;  /* only rows in this range of ds; NULL = all */
        char delimiter;   /* CSV; 0 = found out from the header (comma, semicolon, tab) */
        int connect_timeout_s, statement_timeout_s, read_timeout_s;
        char *values_column; /* Postgres: array of a packed table */
        int packed;          /* Postgres: the table has a row a series, its values in values_column */
        int connections;     /* Postgres: that read; 0 = by processors */
        int retries;         /* Postgres: after a failure of the server */
        int mixed_snapshots; /* Postgres: go on in a later snapshot when the first is lost */
    } source;
    char *freq;           /* "M" ... */
    int32_t season;       /* 0 = the frequency's default */
    int ets_robust;       /* 1: also family ETS_ROBUST (tide_config_check puts it into fit.families) */
    tide_intake_options intake; /* freq, from_ds, to_ds are filled from the above */
    tide_fit_spec fit;
    struct {              /* tide_config_check puts these into fit.arima */
        tide_arima_spec spec; /* as given; its order, Box-Cox and constant are in what follows */
        int32_t order[3], seasonal[3]; /* p, d, q and P, D, Q of a fixed order; -1: search */
        char *boxcox;     /* "none", "auto", or lambda */
        int constant;     /* 0, 1 = asked for, TIDE_CONSTANT_IF_ANY = not a word about it */
        int32_t fourier;  /* pairs; TIDE_FOURIER_AUTO; TIDE_FOURIER_UNSET: auto in a search beyond seasonal terms */
        char *regressors; /* file of shared regressors (regressors.h); spec.xreg says how many, once it is read */
    } arima;
    int32_t across;       /* tide_across, of families */
    tide_backend_options backend; /* isa and devices are owned by the config */
    size_t memory_bytes;  /* what batches in flight may take together; limits batch_series and batch_values */
    struct {
        char *dir;        /* store directory */
        int keep;         /* generations kept, older ones removed after a publish; 0 = all */
        int resume;       /* go on with what a run that died has finished */
        int resume_mixed; /* also when the source has changed since: after the last series that has not */
        char *warm;       /* store or generation file whose coefficients the fits start from; NULL = cold */
    } store;
    struct {
        char *path;       /* history file; NULL = every row is read */
        char *reread;     /* how far before its watermark rows are read again: "35d", or a number of steps */
        int rebuild;      /* 1: made anew from all rows */
        int read_only;    /* no key: 1 = evaluate, which leaves the file as it is */
    } history;
    struct {              /* of evaluate (evaluate.h) */
        int32_t origins, step, min_train, lag;
    } evaluate;
    struct {
        int32_t horizon;
        char *from, *to;
        tide_forecast_spec spec;
        char *format;     /* "csv" or "json" */
    } predict;
} tide_config;

void tide_config_init(tide_config *cfg); /* defaults */
void tide_config_free(tide_config *cfg); /* its texts, not cfg itself; NULL is allowed */
tide_status tide_config_copy(const tide_config *cfg, tide_config *out, tide_error *err); /* out: to be freed */
/* Reads a JSON file over the present values. */
tide_status tide_config_load(tide_config *cfg, const char *path, tide_error *err);
tide_status tide_config_parse(tide_config *cfg, const char *text, size_t length, const char *name, tide_error *err);
/* Sets one key by its dotted path from a flag's text ("ets.forms", "ANN,AAN"). */
tide_status tide_config_set(tide_config *cfg, const char *key, const char *value, tide_error *err);
/* Checks values against each other and fills what is derived (season, intake.freq, fit.slots ...). */
tide_status tide_config_check(tide_config *cfg, tide_error *err);
/* Of a checked config: what was asked for and cannot be had, though it is no error; NULL when there is nothing. */
const char *tide_config_warning(const tide_config *cfg);
/* After the first rows are known: fits freq and the range of ds to their kind. Without a freq, integers get a step of 1
 * and dates the frequency that at least nine of ten neighbouring rows agree on, or an error that asks for it. note: what
 * was found out ("frequency M, found from the first rows"), else empty; may be NULL. first->n may be 0. */
tide_status tide_config_resolve(tide_config *cfg, const tide_rows *first, char *note, size_t note_size, tide_error *err);

/* A time of the config in the unit of the data, into *out (untouched when text is NULL). A date that bounds timestamps
 * from above (is_to) stands for its last microsecond. key starts the message. */
tide_status tide_config_bound(const char *key, const char *text, int is_to, tide_ds_kind kind, int64_t *out,
                              tide_error *err);

/* --- the table of keys ------------------------------------------------------------------------------------- */
typedef enum tide_key_type {
    TIDE_KEY_TEXT,   /* char *, owned */
    TIDE_KEY_CHAR,   /* char: one byte, or "tab" */
    TIDE_KEY_INT,    /* int32_t */
    TIDE_KEY_COUNT,  /* int32_t: a whole number, or one of `choices`; below those: null */
    TIDE_KEY_U64,    /* uint64_t */
    TIDE_KEY_SIZE,   /* size_t, with an optional K, M or G (powers of 1024) */
    TIDE_KEY_REAL,   /* double */
    TIDE_KEY_BOOL,   /* int */
    TIDE_KEY_CHOICE, /* int32_t or an enum: one of `choices` */
    TIDE_KEY_NAME,   /* char *, owned: one of `choices` */
    TIDE_KEY_SET,    /* uint32_t: a bit for each of the `choices` listed */
    TIDE_KEY_REALS,  /* double[4]: four numbers */
    TIDE_KEY_ORDER,  /* int32_t[3]: three whole numbers; all -1 = none given */
    TIDE_KEY_LEVELS  /* predict.levels: percentages, 0 to TIDE_LEVELS_MAX of them, ascending */
} tide_key_type;

/* Subcommands that take a key as a flag (bits of tide_config_key.commands). */
enum {
    TIDE_CMD_FIT = 1, TIDE_CMD_PREDICT = 2, TIDE_CMD_FORECAST = 4, TIDE_CMD_INSPECT = 8, TIDE_CMD_SIMULATE = 16,
    TIDE_CMD_BENCH = 32, TIDE_CMD_RUNS = 64, TIDE_CMD_LOAD = 1024, TIDE_CMD_EVALUATE = 2048,
    TIDE_CMD_UPDATE = 4096, TIDE_CMD_TRAIN = TIDE_CMD_FIT | TIDE_CMD_FORECAST | TIDE_CMD_EVALUATE
};

typedef struct tide_choice {
    const char *name; /* NULL ends a list */
    int32_t value;    /* TIDE_KEY_SET: the bit's number */
} tide_choice;

typedef struct tide_config_key {
    const char *path;     /* "ets.forms" */
    const char *flag;     /* "ets-forms", or NULL: only in the file */
    tide_key_type type;
    size_t offset;        /* of the field in tide_config */
    double min, max;      /* numbers, inclusive */
    const tide_choice *choices;
    unsigned commands;
    const char *metavar;  /* of the flag's value in --help */
    const char *help;
} tide_config_key;

extern const tide_config_key tide_config_keys[];
extern const size_t tide_config_key_count;
const tide_config_key *tide_config_find(const char *path, size_t length); /* NULL when there is none */
/* Sets the key's field from text, lists separated by commas. Messages do not name the key: the caller knows how it was
 * given ("--ets-forms", "conf.json: ets.forms"). */
tide_status tide_config_set_key(tide_config *cfg, const tide_config_key *key, const char *value, tide_error *err);
/* Writes the key's present value as JSON text; returns its length, or -1 when it does not fit. */
int tide_config_value_json(const tide_config *cfg, const tide_config_key *key, char *out, size_t size);

/* The JSON schema of the table (configs/schema.json is its output) and the values of a config as a JSON file (secrets and
 * passwords in URLs left out): a malloc'd text, NULL when memory is short. */
char *tide_config_schema(void);
char *tide_config_dump(const tide_config *cfg);
/* A line "key=value" for each key that decides what a fit gives: two fits whose lines are equal give the same bits for the
 * same rows. Left out: where and how it is computed, batches, memory, timeouts, the store, forecasts. */
char *tide_config_identity(const tide_config *cfg);
/* Copies a URL with its password, if any, replaced by "***"; other paths as they are. */
void tide_redact_url(const char *url, char *out, size_t size);

#endif
