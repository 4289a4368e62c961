/* config_keys.c - the table of every option: its path in the JSON file, its flag, type, range and help.
 *
 * Whoever adds an option adds a field to tide_config, a line here and a default in tide_config_init; file
 * reader, schema, flags and --help follow. The lists of forms, families and policies come from where they are
 * defined. */
#include "host/config.h"

#include <string.h>

static const tide_choice families[] = {
#define TIDE_FAMILY(NAME, number, text, title) {text, number},
#include "kernels/families.def"
#undef TIDE_FAMILY
    {NULL, 0}};

static const tide_choice forms[] = {
#define TIDE_ETS_FORM(name, e, t, s) {#name, TIDE_ETS_##name},
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
    {NULL, 0}};

static const tide_choice criteria[] = {{"aicc", TIDE_AICC}, {"aic", TIDE_AIC}, {"bic", TIDE_BIC}, {NULL, 0}};
static const tide_choice ets_modes[] = {
    {"likelihood", TIDE_ETS_LIKELIHOOD}, {"average", TIDE_ETS_AVERAGE}, {NULL, 0}};
static const tide_choice backends[] = {
    {"auto", TIDE_BACKEND_AUTO}, {"cpu", TIDE_BACKEND_CPU}, {"cuda", TIDE_BACKEND_CUDA}, {NULL, 0}};
static const tide_choice isas[] = {{"scalar", 0}, {"baseline", 1}, {"avx2", 2}, {"avx512", 3}, {NULL, 0}};
static const tide_choice duplicates[] = {{"quarantine", TIDE_POLICY_QUARANTINE},
                                         {"error", TIDE_POLICY_ERROR},
                                         {"first", TIDE_POLICY_FIRST},
                                         {"last", TIDE_POLICY_LAST},
                                         {"sum", TIDE_POLICY_SUM},
                                         {"mean", TIDE_POLICY_MEAN},
                                         {NULL, 0}};
static const tide_choice bad_rows[] = {{"quarantine", TIDE_POLICY_QUARANTINE},
                                       {"error", TIDE_POLICY_ERROR},
                                       {"skip", TIDE_POLICY_SKIP},
                                       {NULL, 0}};
static const tide_choice out_of_order[] = {
    {"sort", TIDE_POLICY_SORT}, {"error", TIDE_POLICY_ERROR}, {NULL, 0}};
static const tide_choice intervals[] = {
    {"closed", TIDE_INTERVALS_CLOSED}, {"simulated", TIDE_INTERVALS_SIMULATED}, {NULL, 0}};
static const tide_choice differences[] = {{"auto", -1}, {"0", 0}, {"1", 1}, {"2", 2}, {NULL, 0}};
static const tide_choice seasonal_differences[] = {{"auto", -1}, {"0", 0}, {"1", 1}, {NULL, 0}};
static const tide_choice counts[] = {{"auto", TIDE_FOURIER_AUTO}, {NULL, 0}};
static const tide_choice searches[] = {{"grid", TIDE_ARIMA_GRID}, {"stepwise", TIDE_ARIMA_STEPWISE}, {NULL, 0}};
static const tide_choice acrosses[] = {{"backtest", TIDE_ACROSS_BACKTEST},
                                       {"mean", TIDE_ACROSS_MEAN},
                                       {"criterion", TIDE_ACROSS_CRITERION},
                                       {NULL, 0}};
static const tide_choice formats[] = {{"csv", 0}, {"json", 1}, {NULL, 0}};

#define AT(field) offsetof(tide_config, field)
#define TRAIN TIDE_CMD_TRAIN
#define INPUT (TIDE_CMD_TRAIN | TIDE_CMD_UPDATE)
#define ROWS (INPUT | TIDE_CMD_LOAD)
#define FORECASTS (TIDE_CMD_PREDICT | TIDE_CMD_FORECAST)
#define INTERVALS (FORECASTS | TIDE_CMD_FIT | TIDE_CMD_EVALUATE | TIDE_CMD_UPDATE)
#define HISTORY (TIDE_CMD_FIT | TIDE_CMD_EVALUATE | TIDE_CMD_UPDATE)
#define PUBLISH (TIDE_CMD_FIT | TIDE_CMD_UPDATE)
#define COMPUTE (TIDE_CMD_TRAIN | TIDE_CMD_BENCH)

const tide_config_key tide_config_keys[] = {
    {"source.path", NULL, TIDE_KEY_TEXT, AT(source.path), 0, 0, NULL, 0, "SOURCE",
     "CSV file (plain or gzip), - for standard input, or postgresql://... (flag: the argument SOURCE)"},
    {"source.table", "table", TIDE_KEY_TEXT, AT(source.table), 0, 0, NULL, INPUT, "TABLE",
     "Postgres: read this [schema.]table"},
    {"source.query", "query", TIDE_KEY_TEXT, AT(source.query), 0, 0, NULL, INPUT, "SELECT",
     "Postgres: read this query, in a read-only transaction, instead of a table"},
    {"source.id_column", "id-column", TIDE_KEY_TEXT, AT(source.id_column), 0, 0, NULL, ROWS, "NAME",
     "column of the series' id; unique_id unless given"},
    {"source.ds_column", "ds-column", TIDE_KEY_TEXT, AT(source.ds_column), 0, 0, NULL, ROWS, "NAME",
     "column of the time, an integer, a date or a timestamp; ds unless given"},
    {"source.y_column", "y-column", TIDE_KEY_TEXT, AT(source.y_column), 0, 0, NULL, ROWS, "NAME",
     "column of the value; y unless given"},
    {"source.from", "from", TIDE_KEY_TEXT, AT(source.from), 0, 0, NULL, ROWS, "DS",
     "leave out rows before this time"},
    {"source.to", "to", TIDE_KEY_TEXT, AT(source.to), 0, 0, NULL, ROWS, "DS",
     "leave out rows after this time (a date includes its whole day)"},
    {"source.delimiter", "delimiter", TIDE_KEY_CHAR, AT(source.delimiter), 0, 0, NULL, ROWS, "CHAR",
     "CSV: field delimiter, one character or 'tab'; found out from the header unless given"},
    {"source.connect_timeout_s", "connect-timeout", TIDE_KEY_INT, AT(source.connect_timeout_s), 1, 3600, NULL,
     ROWS, "SECONDS", "Postgres: give up connecting after this time"},
    {"source.statement_timeout_s", "statement-timeout", TIDE_KEY_INT, AT(source.statement_timeout_s), 0,
     604800, NULL, ROWS, "SECONDS", "Postgres: give up a statement (one range of a table) after this time; 0 = never"},
    {"source.read_timeout_s", "read-timeout", TIDE_KEY_INT, AT(source.read_timeout_s), 1, 604800, NULL, ROWS,
     "SECONDS", "Postgres: give up a connection on which the server is silent this long, sorting included"},
    {"source.connections", "connections", TIDE_KEY_INT, AT(source.connections), 0, 64, NULL, ROWS, "N",
     "Postgres: connections that read a table, from one snapshot (one more holds it); 0 = as many as processors, at most "
     "4; the result does not depend on it"},
    {"source.retries", "retries", TIDE_KEY_INT, AT(source.retries), 0, 20, NULL, ROWS, "N",
     "Postgres: when the server or the way to it fails, throw away the range being read and try it again this many times "
     "in a row, after 1, 2, 4 ... s"},
    {"source.mixed_snapshots", "mixed-snapshots", TIDE_KEY_BOOL, AT(source.mixed_snapshots), 0, 0, NULL, INPUT, NULL,
     "Postgres: when the server goes down and up, read the series that are left from a later snapshot (=false: stop)"},
    {"source.packed", "packed", TIDE_KEY_BOOL, AT(source.packed), 0, 0, NULL, INPUT, NULL,
     "Postgres: the table has a row a series: id, first time, array of values at the steps of --freq"},
    {"source.values_column", "values-column", TIDE_KEY_TEXT, AT(source.values_column), 0, 0, NULL, INPUT, "NAME",
     "Postgres: column of a packed table's array, float8[] or float4[]; values unless given"},

    {"freq", "freq", TIDE_KEY_TEXT, AT(freq), 0, 0, NULL, INPUT, "FREQ",
     "regular step: N (integers), s, min, h, D, B, W, M, Q, Y, or a multiple such as 15min; "
     "found out from the first rows unless given"},
    {"season", "season", TIDE_KEY_INT, AT(season), 0, TIDE_SEASON_MAX, NULL, COMPUTE, "STEPS",
     "seasonal period in steps; 1 = none, 0 = the usual one of the frequency"},
    {"models", "models", TIDE_KEY_SET, AT(fit.families), 0, 0, families + 1, COMPUTE, "LIST",
     "model families to choose from"},
    {"across", "across", TIDE_KEY_CHOICE, AT(across), 0, 0, acrosses, TRAIN, "RULE",
     "several families: backtest: weights by their squared errors on the last season, kept out of a first fit; mean: equal "
     "weights; criterion: the best by the criterion, whose values compare between ARIMA and others only roughly"},

    {"ets.forms", "ets-forms", TIDE_KEY_SET, AT(fit.ets_forms), 0, 0, forms, COMPUTE, "LIST",
     "forms of exponential smoothing to choose from: error A or M, trend N, A or Ad, season N, A or M"},
    {"ets.mode", "ets-mode", TIDE_KEY_CHOICE, AT(fit.ets_mode), 0, 0, ets_modes, COMPUTE, "MODE",
     "average: penalised fits of all forms, weighted by their criterion; likelihood: maximum likelihood, the "
     "best form alone, comparable with R"},
    {"ets.criterion", "criterion", TIDE_KEY_CHOICE, AT(fit.criterion), 0, 0, criteria, COMPUTE, "NAME",
     "what choice and weights of the forms of exponential smoothing go by, and the choice of an ARIMA order"},
    {"ets.max_iterations", "max-iterations", TIDE_KEY_INT, AT(fit.max_iterations), 1, 1000000, NULL, COMPUTE,
     "N", "limit of the optimiser, a form and series"},
    {"ets.penalty", "ets-penalty", TIDE_KEY_REAL, AT(fit.penalty), 0, 1e6, NULL, COMPUTE, "X",
     "average mode: this times beta/alpha is added to -2 log likelihood"},
    {"ets.temperature", "ets-temperature", TIDE_KEY_REAL, AT(fit.temperature), 1e-3, 1e6, NULL, COMPUTE,
     "X",
     "average mode: weights are exp(-(criterion - best)/temperature)"},
    {"ets.min_weight", "ets-min-weight", TIDE_KEY_REAL, AT(fit.min_weight), 0, 0.5, NULL, COMPUTE, "X",
     "average mode: members below this weight are dropped"},
    {"ets.robust", "ets-robust", TIDE_KEY_BOOL, AT(ets_robust), 0, 0, NULL, COMPUTE, NULL,
     "average mode: all forms fitted by mean absolute error too; half of the weight is theirs"},
    {"ets.lower", NULL, TIDE_KEY_REALS, AT(fit.lower), 0, 1, NULL, 0, "A,B,G,P",
     "lower bounds of alpha, beta, gamma, phi"},
    {"ets.upper", NULL, TIDE_KEY_REALS, AT(fit.upper), 0, 1, NULL, 0, "A,B,G,P",
     "upper bounds of alpha, beta, gamma, phi"},

    {"arima.order", "arima-order", TIDE_KEY_ORDER, AT(arima.order), 0, TIDE_ARIMA_ORDER_MAX, NULL, COMPUTE, "P,D,Q",
     "fit this order of ARIMA instead of searching one"},
    {"arima.seasonal", "arima-seasonal", TIDE_KEY_ORDER, AT(arima.seasonal), 0, TIDE_ARIMA_SEASONAL_MAX, NULL, COMPUTE,
     "P,D,Q", "seasonal order to go with arima.order; 0,0,0 unless given"},
    {"arima.max_p", "arima-max-p", TIDE_KEY_INT, AT(arima.spec.max_p), 0, TIDE_ARIMA_ORDER_MAX, NULL, COMPUTE, "N",
     "search: most autoregressive terms"},
    {"arima.max_q", "arima-max-q", TIDE_KEY_INT, AT(arima.spec.max_q), 0, TIDE_ARIMA_ORDER_MAX, NULL, COMPUTE, "N",
     "search: most moving-average terms"},
    {"arima.max_seasonal_p", "arima-max-P", TIDE_KEY_INT, AT(arima.spec.max_P), 0, TIDE_ARIMA_SEASONAL_MAX, NULL, COMPUTE,
     "N", "search: most seasonal autoregressive terms"},
    {"arima.max_seasonal_q", "arima-max-Q", TIDE_KEY_INT, AT(arima.spec.max_Q), 0, TIDE_ARIMA_SEASONAL_MAX, NULL, COMPUTE,
     "N", "search: most seasonal moving-average terms"},
    {"arima.max_order", "arima-max-order", TIDE_KEY_INT, AT(arima.spec.max_order), 0, 14, NULL, COMPUTE, "N",
     "search: most terms of all four kinds together"},
    {"arima.d", "arima-d", TIDE_KEY_CHOICE, AT(arima.spec.d), 0, 0, differences, COMPUTE, "N",
     "differences: 0, 1, 2, or auto: by KPSS tests"},
    {"arima.seasonal_d", "arima-seasonal-d", TIDE_KEY_CHOICE, AT(arima.spec.D), 0, 0, seasonal_differences, COMPUTE, "N",
     "seasonal differences: 0, 1, or auto: by the strength of the season"},
    {"arima.search", "arima-search", TIDE_KEY_CHOICE, AT(arima.spec.search), 0, 0, searches, COMPUTE, "NAME",
     "grid: every order within the limits; stepwise: from a few along the best neighbours"},
    {"arima.constant", "arima-constant", TIDE_KEY_BOOL, AT(arima.constant), 0, 0, NULL, COMPUTE, NULL,
     "a mean or a drift where there is at most one difference: tried by a search, taken by a fixed order (=false: never)"},
    {"arima.root_min", "arima-root-min", TIDE_KEY_REAL, AT(arima.spec.root_min), 1, 10, NULL, COMPUTE, "X",
     "search: least modulus of the roots of both polynomials; 1 = no limit"},
    {"arima.fourier", "arima-fourier", TIDE_KEY_COUNT, AT(arima.fourier), 0, TIDE_ARIMA_FOURIER_MAX, counts, COMPUTE,
     "K", "pairs of Fourier terms of the season as regressors; auto: as many as the criterion asks for, at most 31; unless "
     "given: auto in a search at periods above 53, which have no seasonal terms, else 0"},
    {"arima.regressors", "regressors", TIDE_KEY_TEXT, AT(arima.regressors), 0, 0, NULL, TRAIN | TIDE_CMD_PREDICT, "FILE",
     "CSV file (plain or gzip) of regressors that all series share, history and future: ds,promo,price with a row a time, or "
     "unique_id,ds,y with the regressor's name as id, where a time without a row is 0. Fit: ARIMA takes them. Predict: "
     "values in the place of those that the store has kept"},
    {"arima.boxcox", "boxcox", TIDE_KEY_TEXT, AT(arima.boxcox), 0, 0, NULL, COMPUTE, "LAMBDA",
     "Box-Cox transform before ARIMA: none, auto (by Guerrero's method), or a number from -1 to 2; 0 = logarithm"},
    {"arima.max_iterations", "arima-max-iterations", TIDE_KEY_INT, AT(arima.spec.max_iterations), 1, 1000000, NULL, COMPUTE,
     "N", "limit of the optimiser, an order and series"},

    {"intake.duplicates", "on-duplicate", TIDE_KEY_CHOICE, AT(intake.duplicates), 0, 0, duplicates, INPUT,
     "POLICY", "two rows for one time of a series"},
    {"intake.bad_rows", "on-bad-row", TIDE_KEY_CHOICE, AT(intake.bad_rows), 0, 0, bad_rows, INPUT, "POLICY",
     "rows whose time or value cannot be read"},
    {"intake.infinite", "on-infinite", TIDE_KEY_CHOICE, AT(intake.infinite), 0, 0, bad_rows, INPUT, "POLICY",
     "infinite values"},
    {"intake.out_of_order", "on-out-of-order", TIDE_KEY_CHOICE, AT(intake.out_of_order), 0, 0, out_of_order,
     INPUT, "POLICY", "rows of a series that are not in order of time"},
    {"intake.gather", "unsorted", TIDE_KEY_BOOL, AT(intake.gather), 0, 0, NULL, INPUT, NULL,
     "rows of a series may be anywhere in the input: hold all of it in memory (24 bytes a row)"},
    {"intake.batch_series", "batch-series", TIDE_KEY_SIZE, AT(intake.batch_series), 0, 1 << 24, NULL, COMPUTE,
     "N", "series a batch; 0 = by memory and processors"},
    {"intake.batch_values", NULL, TIDE_KEY_SIZE, AT(intake.batch_values), 0, 1e12, NULL, 0, "N",
     "values a batch; 0 = by memory"},
    {"intake.max_length", NULL, TIDE_KEY_SIZE, AT(intake.max_length), 2, 1 << 28, NULL, 0, "N",
     "most steps a series may span"},

    {"backend.kind", "backend", TIDE_KEY_CHOICE, AT(backend.kind), 0, 0, backends, COMPUTE, "NAME",
     "where to compute; auto takes a GPU if there is one"},
    {"backend.jobs", "jobs", TIDE_KEY_INT, AT(backend.jobs), 0, 4096, NULL, COMPUTE | TIDE_CMD_PREDICT | TIDE_CMD_UPDATE, "N",
     "CPU threads; 0 = all processors"},
    {"backend.isa", "isa", TIDE_KEY_NAME, AT(backend.isa), 0, 0, isas, COMPUTE, "NAME",
     "CPU instruction set; the widest unless given (results do not depend on it)"},
    {"backend.devices", "devices", TIDE_KEY_TEXT, AT(backend.devices), 0, 0, NULL, COMPUTE, "LIST",
     "GPUs to use, such as 0,1; all unless given"},
    {"backend.fallback_to_cpu", "fallback-to-cpu", TIDE_KEY_BOOL, AT(backend.fallback_to_cpu), 0, 0, NULL,
     COMPUTE, NULL, "go on with the CPU when the GPU is missing or lost (=false: stop)"},
    {"backend.device_bytes_max", NULL, TIDE_KEY_SIZE, AT(backend.device_bytes_max), 0, 1e15, NULL, 0, "BYTES",
     "GPU memory to use at most; 0 = what there is"},
    {"memory", "memory", TIDE_KEY_SIZE, AT(memory_bytes), 1 << 22, 1e15, NULL, COMPUTE | TIDE_CMD_UPDATE, "BYTES",
     "memory for the batches in flight, such as 512M"},

    {"store.dir", "store", TIDE_KEY_TEXT, AT(store.dir), 0, 0, NULL, PUBLISH, "DIR",
     "model store to write a new generation to"},
    {"store.keep", "keep", TIDE_KEY_INT, AT(store.keep), 0, 1000000, NULL, PUBLISH, "N",
     "generations to keep; 0 = all"},
    {"store.resume", "resume", TIDE_KEY_BOOL, AT(store.resume), 0, 0, NULL, TIDE_CMD_FIT, NULL,
     "go on with what a fit of the same source and options into this store had finished when it was killed or failed; "
     "with nothing to go on with, a fit from the start"},
    {"store.resume_mixed", "resume-mixed", TIDE_KEY_BOOL, AT(store.resume_mixed), 0, 0, NULL, TIDE_CMD_FIT, NULL,
     "as --resume, and when the source has changed since, keep the series before the first that differs"},
    {"store.warm", "warm", TIDE_KEY_TEXT, AT(store.warm), 0, 0, NULL, TIDE_CMD_FIT, "STORE",
     "start each fit from the coefficients that this store (or generation file) holds for the id, which may be the "
     "store written to; ids that it lacks start cold"},

    {"history.path", "history", TIDE_KEY_TEXT, AT(history.path), 0, 0, NULL, HISTORY, "FILE",
     "keep all series in this file, and read only rows past its last time; made when it is missing"},
    {"history.reread", "reread", TIDE_KEY_TEXT, AT(history.reread), 0, 0, NULL, HISTORY, "SPAN",
     "read rows again from this far before the history's last time, for corrections and late rows: 35d, 6h, 2M, or a "
     "number of steps; only new rows unless given"},
    {"history.rebuild", "rebuild-history", TIDE_KEY_BOOL, AT(history.rebuild), 0, 0, NULL, PUBLISH, NULL,
     "read every row and make the history anew"},

    {"evaluate.origins", "origins", TIDE_KEY_INT, AT(evaluate.origins), 1, 1000, NULL, TIDE_CMD_EVALUATE, "N",
     "windows a series, each with a fit of its own: the last one ends with the series"},
    {"evaluate.step", "step", TIDE_KEY_INT, AT(evaluate.step), 0, 1000000, NULL, TIDE_CMD_EVALUATE, "STEPS",
     "distance of the origins; 0 = the horizon, so that no value is held out twice"},
    {"evaluate.min_train", "min-train", TIDE_KEY_INT, AT(evaluate.min_train), 0, 1000000, NULL, TIDE_CMD_EVALUATE, "STEPS",
     "skip windows with fewer steps before their origin; 0 = a season and one step, at least 4"},
    {"evaluate.lag", "lag", TIDE_KEY_INT, AT(evaluate.lag), 0, 1000000, NULL, TIDE_CMD_EVALUATE, "STEPS",
     "MASE, RMSSE, MSIS and pinball loss are relative to errors of y one lag ago; 0 = the season (M4), 1 as M5 has it"},

    {"predict.horizon", "horizon", TIDE_KEY_INT, AT(predict.horizon), 0, 1000000, NULL, INTERVALS, "STEPS",
     "steps to forecast; 0 = two seasons, or 10 without a season"},
    {"predict.from", "from", TIDE_KEY_TEXT, AT(predict.from), 0, 0, NULL, TIDE_CMD_PREDICT, "DS",
     "leave out forecasts before this time"},
    {"predict.to", "to", TIDE_KEY_TEXT, AT(predict.to), 0, 0, NULL, TIDE_CMD_PREDICT, "DS",
     "forecast up to this time, instead of a horizon"},
    {"predict.levels", "level", TIDE_KEY_LEVELS, AT(predict.spec), 0, 0, NULL, INTERVALS, "LIST",
     "coverage of the prediction intervals in percent, such as 80,95"},
    {"predict.intervals", "intervals", TIDE_KEY_CHOICE, AT(predict.spec.intervals), 0, 0, intervals,
     INTERVALS, "KIND", "closed form where there is one, or simulated for all"},
    {"predict.paths", "paths", TIDE_KEY_INT, AT(predict.spec.paths), 100, 1000000, NULL, INTERVALS, "N",
     "paths of a simulated interval"},
    {"predict.bias_adjust", "bias-adjust", TIDE_KEY_BOOL, AT(predict.spec.bias_adjust), 0, 0, NULL, FORECASTS | TIDE_CMD_EVALUATE, NULL,
     "point forecasts of models with a Box-Cox transform are means instead of medians"},
    {"predict.seed", "seed", TIDE_KEY_U64, AT(predict.spec.seed), 0, 9007199254740992.0, NULL, TIDE_CMD_TRAIN,
     "N", "of simulated intervals; kept in the store"},
    {"predict.format", "format", TIDE_KEY_NAME, AT(predict.format), 0, 0, formats, FORECASTS, "NAME",
     "output format; csv unless given"},
};

const size_t tide_config_key_count = sizeof tide_config_keys / sizeof tide_config_keys[0];

const tide_config_key *tide_config_find(const char *path, size_t length) {
    for (size_t i = 0; i < tide_config_key_count; ++i) {
        const char *p = tide_config_keys[i].path;
        if (strlen(p) == length && memcmp(p, path, length) == 0)
            return &tide_config_keys[i];
    }
    return NULL;
}
