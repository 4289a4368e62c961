/* tidemill.h - the public API: fit a model to every series of a source and store them; then forecast from the store
 * (tidemill_predict.h, which also stands alone as libtidemill_predict).
 *
 *     tide_config *cfg;                                       opaque; keys as in configs/schema.json
 *     tide_config_create(&cfg, &err);
 *     tide_config_set(cfg, "source.path", "sales.csv", &err);
 *     tide_config_set(cfg, "store.dir", "models", &err);
 *     tide_fit(cfg, NULL, NULL, &summary, &err);              reads, fits, publishes a generation
 *     tide_store_open("models", TIDE_VERIFY_TOUCHED, &store, &err);
 *     tide_store_find(store, "A", 1, &row, &err);
 *     tide_store_forecast(store, row, &spec, mean, lo, hi, &err);
 *
 * Every function that can fail returns a tide_status and describes the failure in a tide_error of the caller, which may be
 * NULL. There is no global state: several threads may work at once, each with its own config (one config, one thread).
 * The library prints nothing and never ends the process. Names begin with tide_ or TIDE_. */
#ifndef TIDEMILL_H
#define TIDEMILL_H

#include "host/observer.h"
#include "host/stream.h"
#include "host/tidemill_predict.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TIDEMILL_VERSION_MAJOR 0
#define TIDEMILL_VERSION_MINOR 1
#define TIDEMILL_VERSION_PATCH 0

/* "0.1.0" of the library in use; and "0.1.0 (commit 3f2a..., gcc 12.2.0, cuda)" of its build. */
TIDE_API const char *tide_version(void);
TIDE_API const char *tide_build_info(void);

typedef struct tide_config tide_config;

/* A config with its defaults; destroy allows NULL. */
TIDE_API tide_status tide_config_create(tide_config **out, tide_error *err);
TIDE_API void tide_config_destroy(tide_config *cfg);
/* Reads a JSON file over the present values, or sets one key ("ets.forms", "ANN,AAN"). */
TIDE_API tide_status tide_config_load(tide_config *cfg, const char *path, tide_error *err);
TIDE_API tide_status tide_config_set(tide_config *cfg, const char *key, const char *value, tide_error *err);
/* The values in use as a JSON file, without passwords; the schema of all keys. free() them; NULL when memory is short. */
TIDE_API char *tide_config_dump(const tide_config *cfg);
TIDE_API char *tide_config_schema(void);

typedef struct tide_fit_summary {
    uint64_t rows, series, members;
    uint64_t by_outcome[TIDE_OUTCOME_COUNT]; /* sum = series */
    uint64_t generation;                     /* number of the generation published */
    double wall_s;
    uint64_t peak_bytes; /* of resident memory */
    char run_id[40];
    char backend[128];
    char *report_json;   /* all that is known of the run; the caller frees it with free() */
} tide_fit_summary;

/* Reads every row, fits a model to every series and publishes them as a new generation of the store.
 * source: the caller's own rows, left open (the caller closes it), or NULL for the config's. observer and summary may be
 * NULL. On failure, or when the observer stops it, the store is as it was. */
TIDE_API tide_status tide_fit(const tide_config *cfg, tide_source *source, const tide_observer *observer,
                              tide_fit_summary *summary, tide_error *err);

#ifdef __cplusplus
}
#endif

#endif
