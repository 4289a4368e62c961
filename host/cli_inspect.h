/* cli_inspect.h - the generations of a store's directory, and what each of them says of one series. */
#ifndef TIDE_CLI_INSPECT_H
#define TIDE_CLI_INSPECT_H

#include "host/tidemill_predict.h"

#include <stdint.h>

typedef struct tide_generations {
    uint64_t *number; /* [n] newest first */
    size_t n;
    uint64_t current; /* 0: none */
} tide_generations;

/* Of a store's directory; none of a single generation file. To be freed. */
tide_status tide_generations_list(const char *path, tide_generations *out, tide_error *err);
void tide_generations_free(tide_generations *list);

/* A line (or a JSON object) a generation: number, run, when, series, bytes; which is current; which cannot be read. */
void tide_show_generations(const char *path, const tide_generations *list, int json);
/* What the generations that hold the id say of it, newest first: run, data, model, and what changed since the one before. */
void tide_show_history(const char *path, const tide_generations *list, const char *id, size_t id_length, int json);

#endif
