/* config.c - defaults of a tide_config, setting a key from text, checks of values against each other. */
#include "host/config.h"
#include "host/text.h"
#include "host/tidemill.h"
#include "kernels/arima.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *copy_text(const char *s) {
    return s ? strdup(s) : NULL;
}

void tide_config_init(tide_config *cfg) {
    memset(cfg, 0, sizeof *cfg);
    cfg->source.connect_timeout_s = 10;
    cfg->source.read_timeout_s = 300;
    cfg->source.retries = 3;
    cfg->source.mixed_snapshots = 1;
    cfg->intake.freq = (tide_freq){TIDE_UNIT_STEP, 1};
    cfg->intake.out_of_order = TIDE_POLICY_SORT;
    cfg->intake.from_ds = INT64_MIN;
    cfg->intake.to_ds = INT64_MAX;
    cfg->intake.max_length = (size_t)1 << 20;
    cfg->memory_bytes = (size_t)512 << 20;
    cfg->backend.fallback_to_cpu = 1;
    cfg->fit.families = 1u << TIDE_FAMILY_ETS;
    cfg->fit.ets_forms = (1u << TIDE_ETS_FORMS) - 1u;
    cfg->fit.ets_mode = TIDE_ETS_AVERAGE;
    cfg->fit.max_iterations = 2000;
    /* Bounds as R's ets(); penalty and temperature: the best of a wide plateau on the M3 development half. */
    static const double lower[4] = {1e-4, 1e-4, 1e-4, 0.8}, upper[4] = {0.9999, 0.9999, 0.9999, 0.98};
    memcpy(cfg->fit.lower, lower, sizeof lower);
    memcpy(cfg->fit.upper, upper, sizeof upper);
    cfg->fit.penalty = 10.0;
    cfg->fit.temperature = 12.0;
    cfg->fit.min_weight = 0.01;
    /* The limits of R's auto.arima(). */
    cfg->arima.spec = (tide_arima_spec){.max_p = 5,
                                       .max_q = 5,
                                       .max_P = 2,
                                       .max_Q = 2,
                                       .max_order = 5,
                                       .max_d = 2,
                                       .max_D = 1,
                                       .d = -1,
                                       .D = -1,
                                       .search = TIDE_ARIMA_GRID,
                                       .max_iterations = 1000,
                                       .lambda = 1.0,
                                       .root_min = 1.01};
    cfg->arima.constant = TIDE_CONSTANT_IF_ANY;
    cfg->arima.fourier = TIDE_FOURIER_UNSET;
    for (int i = 0; i < 3; ++i)
        cfg->arima.order[i] = cfg->arima.seasonal[i] = -1;
    cfg->across = TIDE_ACROSS_BACKTEST;
    cfg->evaluate.origins = 3;
    cfg->predict.spec.paths = 2000;
    cfg->predict.spec.seed = 1;
}

static char **text_field(tide_config *cfg, const tide_config_key *key) {
    return (char **)(void *)((char *)cfg + key->offset);
}

static const void *field_of(const tide_config *cfg, const tide_config_key *key) {
    return (const char *)cfg + key->offset;
}

static int is_text(tide_key_type type) {
    return type == TIDE_KEY_TEXT || type == TIDE_KEY_NAME;
}

void tide_config_free(tide_config *cfg) {
    if (!cfg)
        return;
    for (size_t i = 0; i < tide_config_key_count; ++i)
        if (is_text(tide_config_keys[i].type))
            free(*text_field(cfg, &tide_config_keys[i]));
    memset(cfg, 0, sizeof *cfg);
}

tide_status tide_config_create(tide_config **out, tide_error *err) {
    tide_config *cfg = (tide_config *)malloc(sizeof *cfg);
    if (!cfg)
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    tide_config_init(cfg);
    *out = cfg;
    return TIDE_OK;
}

void tide_config_destroy(tide_config *cfg) {
    tide_config_free(cfg);
    free(cfg);
}

tide_status tide_config_copy(const tide_config *cfg, tide_config *out, tide_error *err) {
    tide_config copy = *cfg;
    int failed = 0;
    for (size_t i = 0; i < tide_config_key_count; ++i) {
        char **field = text_field(&copy, &tide_config_keys[i]);
        if (!is_text(tide_config_keys[i].type) || !*field)
            continue;
        *field = failed ? NULL : strdup(*field);
        failed = !*field;
    }
    if (failed) {
        tide_config_free(&copy);
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    }
    *out = copy;
    return TIDE_OK;
}

/* --- text to values ----------------------------------------------------------------------------------------
 */

static tide_status fail_choice(const tide_config_key *key, const char *value, tide_error *err) {
    char all[320];
    size_t at = 0;
    all[0] = 0;
    for (const tide_choice *c = key->choices; c->name && at < sizeof all; ++c)
        at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", c == key->choices ? "" : ", ", c->name);
    return tide_fail(err, TIDE_CONFIG, "'%.60s' is not one of %s", value, all);
}

static const tide_choice *find_choice(const tide_config_key *key, const char *value, size_t length) {
    for (const tide_choice *c = key->choices; c->name; ++c)
        if (strlen(c->name) == length && memcmp(c->name, value, length) == 0)
            return c;
    return NULL;
}

/* A number with the whole text used; 0 when it is none. */
static int read_real(const char *text, double *out) {
    char *end;
    if (!*text || *text == ' ' || strpbrk(text, "xXpPnN"))
        return 0; /* no hex, nan or inf */
    *out = strtod(text, &end);
    return *end == 0 && isfinite(*out);
}

static int read_u64(const char *text, uint64_t *out, const char **rest) {
    char *end;
    if (*text < '0' || *text > '9')
        return 0;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno)
        return 0;
    *out = v;
    *rest = end;
    return 1;
}

static tide_status fail_range(const tide_config_key *key, const char *value, const char *what,
                              tide_error *err) {
    return tide_fail(err, TIDE_CONFIG, "'%.60s' is not %s from %.17g to %.17g", value, what, key->min,
                     key->max);
}

static tide_status set_size(const tide_config_key *key, const char *value, size_t *out, tide_error *err) {
    uint64_t v = 0;
    const char *rest = "";
    unsigned shift = 0;
    if (!read_u64(value, &v, &rest))
        return fail_range(key, value, "a number of bytes or items", err);
    if (*rest) {
        shift = (*rest == 'K' || *rest == 'k')   ? 10
                : (*rest == 'M' || *rest == 'm') ? 20
                : (*rest == 'G' || *rest == 'g') ? 30
                                                 : 0;
        if (!shift || rest[1])
            return fail_range(key, value, "a number (K, M or G may follow)", err);
    }
    double full = (double)v * (double)(1ull << shift);
    if (full < key->min || full > key->max)
        return fail_range(key, value, "a number", err);
    *out = (size_t)(v << shift);
    return TIDE_OK;
}

static tide_status set_reals(const tide_config_key *key, const char *value, double *out, tide_error *err) {
    double v[4];
    char copy[256];
    char *save = NULL, *word;
    int n = 0;
    if (strlen(value) >= sizeof copy)
        return tide_fail(err, TIDE_CONFIG, "too long a list");
    snprintf(copy, sizeof copy, "%s", value);
    for (word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save), ++n) {
        if (n == 4)
            break;
        if (!read_real(word, &v[n]) || v[n] < key->min || v[n] > key->max)
            return fail_range(key, word, "a number", err);
    }
    if (n != 4 || word)
        return tide_fail(err, TIDE_CONFIG, "'%.60s' is not a list of four numbers", value);
    memcpy(out, v, sizeof v);
    return TIDE_OK;
}

static tide_status set_order(const tide_config_key *key, const char *value, int32_t *out, tide_error *err) {
    int32_t v[3];
    const char *p = value;
    for (int i = 0; i < 3; ++i) {
        uint64_t u = 0;
        const char *rest = p;
        if (!read_u64(p, &u, &rest) || *rest != (i < 2 ? ',' : 0))
            return tide_fail(err, TIDE_CONFIG, "'%.60s' is not three whole numbers, such as 0,1,1", value);
        int most = i == 1 ? 2 : (int)key->max;
        if (u > (uint64_t)most)
            return tide_fail(err, TIDE_CONFIG, "'%.60s': %llu %s, at most %d", value, (unsigned long long)u,
                             i == 1 ? "differences are too many" : "is too large an order", most);
        v[i] = (int32_t)u;
        p = rest + 1;
    }
    memcpy(out, v, sizeof v);
    return TIDE_OK;
}

static tide_status set_levels(const char *value, tide_forecast_spec *spec, tide_error *err) {
    double v[TIDE_LEVELS_MAX];
    char copy[256];
    char *save = NULL;
    int n = 0;
    if (strlen(value) >= sizeof copy)
        return tide_fail(err, TIDE_CONFIG, "too long a list");
    snprintf(copy, sizeof copy, "%s", value);
    for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save), ++n) {
        if (n == TIDE_LEVELS_MAX)
            return tide_fail(err, TIDE_CONFIG, "'%.60s' has more than %d levels", value, TIDE_LEVELS_MAX);
        if (!read_real(word, &v[n]) || !(v[n] > 0.0 && v[n] < 100.0))
            return tide_fail(err, TIDE_CONFIG, "'%.60s' is not a percentage above 0 and below 100", word);
        if (n && v[n] <= v[n - 1])
            return tide_fail(err, TIDE_CONFIG, "'%.60s': levels must ascend, such as 80,95", value);
    }
    for (int i = 0; i < n; ++i)
        spec->level[i] = v[i] / 100.0;
    spec->n_levels = n;
    return TIDE_OK;
}

static tide_status set_set(const tide_config_key *key, const char *value, uint32_t *out, tide_error *err) {
    uint32_t bits = 0;
    for (const char *p = value; *p;) {
        size_t n = strcspn(p, ",");
        const tide_choice *c = find_choice(key, p, n);
        if (!c) {
            char word[64];
            snprintf(word, sizeof word, "%.*s", (int)(n < 60 ? n : 60), p);
            return fail_choice(key, word, err);
        }
        bits |= 1u << c->value;
        p += n;
        if (*p == ',')
            ++p;
    }
    if (!bits)
        return tide_fail(err, TIDE_CONFIG, "an empty list");
    *out = bits;
    return TIDE_OK;
}

static tide_status set_text(const tide_config_key *key, const char *value, char **out, tide_error *err) {
    if (key->type == TIDE_KEY_NAME && !find_choice(key, value, strlen(value)))
        return fail_choice(key, value, err);
    char *copy = copy_text(value);
    if (!copy)
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    free(*out);
    *out = copy;
    return TIDE_OK;
}

static tide_status set_number(const tide_config_key *key, const char *value, void *field, tide_error *err) {
    double v;
    if (key->type == TIDE_KEY_REAL) {
        if (!read_real(value, &v) || v < key->min || v > key->max)
            return fail_range(key, value, "a number", err);
        *(double *)field = v;
        return TIDE_OK;
    }
    uint64_t u = 0;
    const char *rest = "";
    if (!read_u64(value, &u, &rest) || *rest || (double)u < key->min || (double)u > key->max)
        return fail_range(key, value, "a whole number", err);
    if (key->type == TIDE_KEY_INT || key->type == TIDE_KEY_COUNT)
        *(int32_t *)field = (int32_t)u;
    else
        *(uint64_t *)field = u;
    return TIDE_OK;
}

tide_status tide_config_set_key(tide_config *cfg, const tide_config_key *key, const char *value,
                                tide_error *err) {
    void *field = (char *)cfg + key->offset;
    const tide_choice *c;
    switch (key->type) {
    case TIDE_KEY_TEXT:
    case TIDE_KEY_NAME:
        return set_text(key, value, text_field(cfg, key), err);
    case TIDE_KEY_CHAR:
        if (strcmp(value, "tab") == 0 || strcmp(value, "\\t") == 0)
            value = "\t";
        if (strlen(value) != 1 || strchr("\"\n\r", *value))
            return tide_fail(err, TIDE_CONFIG, "'%.60s' is not one character or 'tab'", value);
        *(char *)field = *value;
        return TIDE_OK;
    case TIDE_KEY_COUNT:
        c = find_choice(key, value, strlen(value));
        if (c) {
            *(int32_t *)field = c->value;
            return TIDE_OK;
        }
        return set_number(key, value, field, err);
    case TIDE_KEY_INT:
    case TIDE_KEY_U64:
    case TIDE_KEY_REAL:
        return set_number(key, value, field, err);
    case TIDE_KEY_SIZE:
        return set_size(key, value, (size_t *)field, err);
    case TIDE_KEY_BOOL:
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return tide_fail(err, TIDE_CONFIG, "'%.60s' is not true or false", value);
        *(int *)field = *value == 't';
        return TIDE_OK;
    case TIDE_KEY_CHOICE:
        c = find_choice(key, value, strlen(value));
        if (!c)
            return fail_choice(key, value, err);
        *(int32_t *)field = c->value;
        return TIDE_OK;
    case TIDE_KEY_SET:
        return set_set(key, value, (uint32_t *)field, err);
    case TIDE_KEY_REALS:
        return set_reals(key, value, (double *)field, err);
    case TIDE_KEY_ORDER:
        return set_order(key, value, (int32_t *)field, err);
    case TIDE_KEY_LEVELS:
        return set_levels(value, (tide_forecast_spec *)field, err);
    }
    return tide_fail(err, TIDE_INTERNAL, "key %s has no type", key->path);
}

tide_status tide_config_set(tide_config *cfg, const char *path, const char *value, tide_error *err) {
    const tide_config_key *key = tide_config_find(path, strlen(path));
    if (!key)
        return tide_fail(err, TIDE_CONFIG, "%.100s: no such key", path);
    tide_status status = tide_config_set_key(cfg, key, value, err);
    return status ? tide_error_prefix(err, status, "%s", path) : TIDE_OK;
}

/* --- values to text ----------------------------------------------------------------------------------------
 */

static int put_real(char *out, size_t size, double v) {
    char text[TIDE_REAL_TEXT];
    tide_format_real(v, text);
    return snprintf(out, size, "%s", text);
}

static int put_string(char *out, size_t size, const char *s) {
    size_t at = 0;
    if (!s)
        return snprintf(out, size, "null");
    if (size < 3)
        return -1;
    out[at++] = '"';
    for (; *s; ++s) {
        char c[8];
        int n = (unsigned char)*s < 0x20    ? snprintf(c, sizeof c, "\\u%04x", (unsigned char)*s)
                : (*s == '"' || *s == '\\') ? snprintf(c, sizeof c, "\\%c", *s)
                                            : snprintf(c, sizeof c, "%c", *s);
        if (at + (size_t)n + 2 > size)
            return -1;
        memcpy(out + at, c, (size_t)n);
        at += (size_t)n;
    }
    out[at++] = '"';
    out[at] = 0;
    return (int)at;
}

static int put_list(char *out, size_t size, const tide_config *cfg, const tide_config_key *key) {
    const double *reals = (const double *)field_of(cfg, key);
    uint32_t bits = key->type == TIDE_KEY_SET ? *(const uint32_t *)field_of(cfg, key) : 0;
    const tide_forecast_spec *spec = (const tide_forecast_spec *)field_of(cfg, key);
    size_t at = 0;
    int n = key->type == TIDE_KEY_REALS ? 4 : key->type == TIDE_KEY_LEVELS ? spec->n_levels : 32, any = 0;
    if (size < 64)
        return -1;
    out[at++] = '[';
    for (int i = 0; i < n; ++i) {
        char word[64];
        if (key->type == TIDE_KEY_SET) {
            const tide_choice *c = key->choices;
            while (c->name && c->value != i)
                ++c;
            if (!(bits >> i & 1u) || !c->name)
                continue;
            snprintf(word, sizeof word, "\"%s\"", c->name);
        } else if (key->type == TIDE_KEY_LEVELS) {
            snprintf(word, sizeof word, "%.10g", spec->level[i] * 100.0);
        } else {
            put_real(word, sizeof word, reals[i]);
        }
        at += (size_t)snprintf(out + at, size - at, "%s%s", any ? ", " : "", word);
        if (at + 2 > size)
            return -1;
        any = 1;
    }
    out[at++] = ']';
    out[at] = 0;
    return (int)at;
}

int tide_config_value_json(const tide_config *cfg, const tide_config_key *key, char *out, size_t size) {
    const void *field = field_of(cfg, key);
    int n = -1;
    char text[1024];
    switch (key->type) {
    case TIDE_KEY_TEXT:
    case TIDE_KEY_NAME: {
        const char *s = *(char *const *)field;
        if (s && strstr(s, "://")) {
            tide_redact_url(s, text, sizeof text);
            s = text;
        }
        n = put_string(out, size, s);
        break;
    }
    case TIDE_KEY_CHAR:
        snprintf(text, sizeof text, "%c", *(const char *)field);
        n = put_string(out, size, !text[0] ? NULL : text[0] == '\t' ? "tab" : text);
        break;
    case TIDE_KEY_INT:
        n = snprintf(out, size, "%d", *(const int32_t *)field);
        break;
    case TIDE_KEY_COUNT:
        n = *(const int32_t *)field < 0 ? snprintf(out, size, "null") : snprintf(out, size, "%d", *(const int32_t *)field);
        for (const tide_choice *c = key->choices; c->name; ++c)
            if (c->value == *(const int32_t *)field)
                n = snprintf(out, size, "\"%s\"", c->name);
        break;
    case TIDE_KEY_U64:
        n = snprintf(out, size, "%llu", (unsigned long long)*(const uint64_t *)field);
        break;
    case TIDE_KEY_SIZE:
        n = snprintf(out, size, "%zu", *(const size_t *)field);
        break;
    case TIDE_KEY_REAL:
        n = put_real(out, size, *(const double *)field);
        break;
    case TIDE_KEY_BOOL:
        n = snprintf(out, size, "%s", *(const int *)field ? "true" : "false");
        break;
    case TIDE_KEY_CHOICE:
        for (const tide_choice *c = key->choices; c->name; ++c)
            if (c->value == *(const int32_t *)field)
                n = snprintf(out, size, "\"%s\"", c->name);
        break;
    case TIDE_KEY_ORDER: {
        const int32_t *o = (const int32_t *)field;
        n = o[0] < 0 ? snprintf(out, size, "null") : snprintf(out, size, "[%d, %d, %d]", o[0], o[1], o[2]);
        break;
    }
    case TIDE_KEY_SET:
    case TIDE_KEY_REALS:
    case TIDE_KEY_LEVELS:
        n = put_list(out, size, cfg, key);
        break;
    }
    return n >= 0 && (size_t)n < size ? n : -1;
}

/* scheme://user:password@host/... and ?password=... */
void tide_redact_url(const char *url, char *out, size_t size) {
    if (!size)
        return;
    size_t at = 0;
    const char *scheme = strstr(url, "://"), *p = url;
    const char *rest = scheme ? scheme + 3 : url;
    /* libpq lets a password hold '@' only when escaped, but a user may have forgotten to: take the last '@'
     * before '?'. */
    const char *end = rest + strcspn(rest, "?"), *sign = NULL, *colon = NULL;
    for (const char *q = rest; scheme && q < end; ++q)
        if (*q == '@')
            sign = q;
    if (sign)
        colon = memchr(rest, ':', (size_t)(sign - rest));
    while (*p && at + 4 < size) {
        if (colon && p == colon + 1) {
            memcpy(out + at, "***", 3);
            at += 3;
            p = sign;
        } else if (scheme && (p[0] == '?' || p[0] == '&') && strncmp(p + 1, "password=", 9) == 0 &&
                   at + 13 < size) {
            memcpy(out + at, p, 10);
            memcpy(out + at + 10, "***", 3);
            at += 13;
            p += 10;
            p += strcspn(p, "&");
        } else {
            out[at++] = *p++;
        }
    }
    out[at] = 0;
}

/* --- checks ------------------------------------------------------------------------------------------------
 */

static int is_postgres(const char *path) {
    return path && (strncmp(path, "postgresql://", 13) == 0 || strncmp(path, "postgres://", 11) == 0);
}

static tide_status check_source(const tide_config *cfg, tide_error *err) {
    if (!cfg->source.path)
        return TIDE_OK;
    if (is_postgres(cfg->source.path)) {
        if (!cfg->source.table == !cfg->source.query)
            return tide_fail(err, TIDE_CONFIG,
                             "a Postgres source needs one of source.table and source.query%s",
                             cfg->source.table ? ", not both" : " (--table or --query)");
    } else if (cfg->source.table || cfg->source.query) {
        return tide_fail(err, TIDE_CONFIG, "source.%s is for a Postgres source, not for the file '%.200s'",
                         cfg->source.table ? "table" : "query", cfg->source.path);
    }
    return TIDE_OK;
}

/* A time of the config must at least be one, whatever kind the data turn out to have. */
static tide_status check_ds(const char *key, const char *text, tide_error *err) {
    tide_ds_kind kind;
    int64_t ds;
    if (!text || tide_ds_parse(text, strlen(text), &kind, &ds))
        return TIDE_OK;
    return tide_fail(err, TIDE_CONFIG, "%s: '%.60s' is not an integer, a date or a timestamp", key, text);
}

/* Box-Cox and the fixed order, as they were given, into fit.arima. */
static tide_status check_arima(tide_config *cfg, int32_t season, tide_error *err) {
    tide_arima_spec *a = &cfg->fit.arima;
    const int32_t *order = cfg->arima.order, *seasonal = cfg->arima.seasonal;
    const char *boxcox = cfg->arima.boxcox;
    const int fixed = order[0] >= 0;
    *a = cfg->arima.spec;
    a->constant = cfg->arima.constant != 0;
    a->boxcox = !boxcox || strcmp(boxcox, "none") == 0 ? TIDE_BOXCOX_NONE
                : strcmp(boxcox, "auto") == 0          ? TIDE_BOXCOX_ESTIMATED
                                                       : TIDE_BOXCOX_GIVEN;
    if (a->boxcox == TIDE_BOXCOX_GIVEN &&
        (!read_real(boxcox, &a->lambda) || a->lambda < -1.0 || a->lambda > 2.0))
        return tide_fail(err, TIDE_CONFIG, "arima.boxcox: '%.60s' is not none, auto, or a number from -1 to 2", boxcox);
    const int32_t pairs = cfg->arima.fourier;
    const int32_t half = (season - 1) / 2, most = half < TIDE_ARIMA_FOURIER_MAX ? half : TIDE_ARIMA_FOURIER_MAX;
    a->fourier_auto = pairs == TIDE_FOURIER_AUTO ||
                      (pairs == TIDE_FOURIER_UNSET && season > TIDE_ARIMA_SEASON_MAX && !fixed);
    a->max_fourier = a->fourier_auto ? most : pairs > 0 ? pairs : 0;
    if (2 * a->max_fourier > season && cfg->fit.families >> TIDE_FAMILY_ARIMA & 1u && a->max_fourier)
        return tide_fail(err, TIDE_CONFIG, "arima.fourier: %d pairs are more than a season of %d has", a->max_fourier,
                         season);
    if (!fixed && seasonal[0] >= 0)
        return tide_fail(err, TIDE_CONFIG, "arima.seasonal goes with arima.order (--arima-order P,D,Q)");
    if (a->D == 1 && !tide_arima_seasonal(season))
        return tide_fail(err, TIDE_CONFIG, "arima.seasonal_d: a season of %d has no differences (2 to %d have)", season,
                         TIDE_ARIMA_SEASON_MAX);
    a->fixed = fixed;
    if (!fixed)
        return TIDE_OK;
    int D = seasonal[0] < 0 ? 0 : seasonal[1];
    a->P = seasonal[0] < 0 ? 0 : seasonal[0];
    a->Q = seasonal[0] < 0 ? 0 : seasonal[2];
    if ((a->P || D || a->Q) && !tide_arima_seasonal(season))
        return tide_fail(err, TIDE_CONFIG, "arima.seasonal: a season of %d has no seasonal terms (2 to %d have)", season,
                         TIDE_ARIMA_SEASON_MAX);
    if (D > 1)
        return tide_fail(err, TIDE_CONFIG, "arima.seasonal: %d seasonal differences, at most 1", D);
    if ((a->d >= 0 && a->d != order[1]) || (a->D >= 0 && a->D != D))
        return tide_fail(err, TIDE_CONFIG, "arima.d and arima.seasonal_d are for a search; arima.order has its own");
    if (order[1] + D > 1)
        a->constant = 0; /* there is none beyond one difference */
    a->p = order[0];
    a->d = order[1];
    a->q = order[2];
    a->D = D;
    a->max_p = a->p;
    a->max_q = a->q;
    a->max_P = a->P;
    a->max_Q = a->Q;
    a->max_d = a->d;
    a->max_D = a->D;
    a->max_order = a->p + a->q + a->P + a->Q;
    return TIDE_OK;
}

const char *tide_config_warning(const tide_config *cfg) {
    const tide_arima_spec *a = &cfg->fit.arima;
    if (cfg->fit.families >> TIDE_FAMILY_ARIMA & 1u && a->fixed && a->d + a->D > 1 && cfg->arima.constant == 1)
        return "arima.constant: no mean or drift is fitted, arima.order and arima.seasonal take more than one difference";
    return NULL;
}

tide_status tide_config_check(tide_config *cfg, tide_error *err) {
    tide_freq freq = {TIDE_UNIT_STEP, 1};
    int32_t season = 1;
    static const char *const bound[4] = {"alpha", "beta", "gamma", "phi"};
    TIDE_TRY(check_source(cfg, err));
    if (cfg->freq) {
        tide_status status = tide_freq_parse(cfg->freq, &freq, err);
        if (status)
            return tide_error_prefix(err, status, "freq");
        season = tide_freq_default_season(freq);
    }
    if (cfg->season)
        season = cfg->season;
    if (season < 1)
        season = 1;
    TIDE_TRY(check_ds("source.from", cfg->source.from, err));
    TIDE_TRY(check_ds("source.to", cfg->source.to, err));
    TIDE_TRY(check_ds("predict.from", cfg->predict.from, err));
    TIDE_TRY(check_ds("predict.to", cfg->predict.to, err));
    for (int i = 0; i < 4; ++i)
        if (!(cfg->fit.lower[i] < cfg->fit.upper[i]))
            return tide_fail(err, TIDE_CONFIG, "ets.lower[%d] = %g is not below ets.upper[%d] = %g (%s)", i,
                             cfg->fit.lower[i], i, cfg->fit.upper[i], bound[i]);
    if (cfg->predict.horizon && cfg->predict.to)
        return tide_fail(err, TIDE_CONFIG, "predict.horizon and predict.to exclude each other");
    if (cfg->predict.spec.n_levels == 0 && cfg->predict.spec.intervals == TIDE_INTERVALS_SIMULATED)
        return tide_fail(err, TIDE_CONFIG, "predict.intervals needs predict.levels (--level 80,95)");

    cfg->intake.freq = freq;
    cfg->fit.season = season;
    if (cfg->ets_robust)
        cfg->fit.families |= 1u << TIDE_FAMILY_ETS | 1u << TIDE_FAMILY_ETS_ROBUST;
    if (cfg->fit.ets_mode != TIDE_ETS_AVERAGE && cfg->fit.families >> TIDE_FAMILY_ETS_ROBUST & 1u)
        return tide_fail(err, TIDE_CONFIG, "ets.robust is a part of ets.mode average");
    TIDE_TRY(check_arima(cfg, season, err));
    cfg->fit.slots = tide_across_slots(&cfg->fit);
    cfg->predict.spec.season = season;
    cfg->predict.spec.horizon = cfg->predict.horizon ? cfg->predict.horizon : season > 1 ? 2 * season : 10;
    return TIDE_OK;
}
