/* config_json.c - reads a JSON file into a tide_config (sole user of cJSON), by the table of config_keys.c.
 *
 * cJSON keeps duplicate keys and nests up to 1000 deep; both are checked here. Limits: 1 MiB, 8 levels, no
 * NUL. A message names the file and the path of the key ("fit.json: ets.forms[2]: ..."), or the line where
 * the text is not JSON. null leaves a key at its default. "$schema" is allowed at the top, for editors. */
#include "host/config.h"
#include "host/tidemill.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 1 << 20, MAX_DEPTH = 8 };

static size_t line_of(const char *text, size_t at) {
    size_t line = 1;
    for (size_t i = 0; i < at; ++i)
        line += text[i] == '\n';
    return line;
}

/* What cJSON would let pass: depth, and NUL as \u0000, which would cut a string short. */
static tide_status scan(const char *text, size_t length, const char *name, tide_error *err) {
    int depth = 0, in_string = 0;
    for (size_t i = 0; i < length; ++i) {
        char c = text[i];
        if (c == 0)
            return tide_fail(err, TIDE_CONFIG, "%.200s line %zu: a NUL byte", name, line_of(text, i));
        if (in_string) {
            if (c == '\\' && i + 5 < length && memcmp(text + i, "\\u0000", 6) == 0)
                return tide_fail(err, TIDE_CONFIG, "%.200s line %zu: \\u0000 in a string", name,
                                 line_of(text, i));
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = 0;
        } else if (c == '"') {
            in_string = 1;
        } else if ((c == '{' || c == '[') && ++depth > MAX_DEPTH) {
            return tide_fail(err, TIDE_CONFIG, "%.200s line %zu: nested more than %d deep", name,
                             line_of(text, i), MAX_DEPTH);
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return TIDE_OK;
}

static const char *type_name(tide_key_type type) {
    switch (type) {
    case TIDE_KEY_INT:
    case TIDE_KEY_U64:
        return "a whole number";
    case TIDE_KEY_COUNT:
        return "a whole number or a string";
    case TIDE_KEY_REAL:
        return "a number";
    case TIDE_KEY_SIZE:
        return "a whole number, or a string such as \"512M\"";
    case TIDE_KEY_BOOL:
        return "true or false";
    case TIDE_KEY_SET:
        return "a list of names";
    case TIDE_KEY_REALS:
    case TIDE_KEY_ORDER:
    case TIDE_KEY_LEVELS:
        return "a list of numbers";
    case TIDE_KEY_TEXT:
    case TIDE_KEY_NAME:
    case TIDE_KEY_CHAR:
    case TIDE_KEY_CHOICE:
        break;
    }
    return "a string";
}

/* A scalar as the text that tide_config_set_key takes; NULL when its JSON type does not suit. */
static const char *scalar_text(tide_key_type type, const cJSON *v, char *buffer, size_t size) {
    int number = type == TIDE_KEY_INT || type == TIDE_KEY_COUNT || type == TIDE_KEY_U64 || type == TIDE_KEY_REAL ||
                 type == TIDE_KEY_SIZE || type == TIDE_KEY_REALS || type == TIDE_KEY_LEVELS || type == TIDE_KEY_ORDER;
    if (type == TIDE_KEY_BOOL)
        return cJSON_IsBool(v) ? (cJSON_IsTrue(v) ? "true" : "false") : NULL;
    if (number && cJSON_IsNumber(v)) {
        snprintf(buffer, size, "%.17g", v->valuedouble);
        return buffer;
    }
    if (cJSON_IsString(v) && (!number || type == TIDE_KEY_SIZE || type == TIDE_KEY_COUNT))
        return v->valuestring;
    return NULL;
}

static tide_status set_list(tide_config *cfg, const tide_config_key *key, const cJSON *list,
                            tide_error *err) {
    char all[1024], buffer[40];
    size_t at = 0;
    int i = 0;
    all[0] = 0;
    for (const cJSON *v = list->child; v; v = v->next, ++i) {
        const char *word = scalar_text(key->type, v, buffer, sizeof buffer);
        if (!word)
            return tide_fail(err, TIDE_CONFIG, "%s[%d]: must be %s", key->path, i,
                             key->type == TIDE_KEY_SET ? "a name" : "a number");
        if (key->type == TIDE_KEY_SET) { /* checked one by one, so that the message can name the element */
            tide_config scratch;
            memset(&scratch, 0, sizeof scratch);
            tide_status status = strchr(word, ',')
                                     ? tide_fail(err, TIDE_CONFIG, "'%.60s' holds a comma", word)
                                     : tide_config_set_key(&scratch, key, word, err);
            if (status)
                return tide_error_prefix(err, status, "%s[%d]", key->path, i);
        }
        at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", i ? "," : "", word);
        if (at >= sizeof all)
            return tide_fail(err, TIDE_CONFIG, "%s: too long a list", key->path);
    }
    tide_status status = tide_config_set_key(cfg, key, all, err);
    return status ? tide_error_prefix(err, status, "%s", key->path) : TIDE_OK;
}

static tide_status set_json(tide_config *cfg, const tide_config_key *key, const cJSON *v, tide_error *err) {
    char buffer[40];
    int list = key->type == TIDE_KEY_SET || key->type == TIDE_KEY_REALS || key->type == TIDE_KEY_LEVELS ||
               key->type == TIDE_KEY_ORDER;
    if (cJSON_IsNull(v))
        return TIDE_OK;
    if (list && cJSON_IsArray(v))
        return set_list(cfg, key, v, err);
    const char *text = list ? NULL : scalar_text(key->type, v, buffer, sizeof buffer);
    if (!text)
        return tide_fail(err, TIDE_CONFIG, "%s: must be %s", key->path, type_name(key->type));
    tide_status status = tide_config_set_key(cfg, key, text, err);
    return status ? tide_error_prefix(err, status, "%s", key->path) : TIDE_OK;
}

/* "no such key; allowed here: ..." with the keys of the section `prefix` ("" at the top). */
static tide_status fail_unknown(const char *prefix, const char *name, tide_error *err) {
    char all[512];
    const char *last = "";
    size_t at = 0, n = strlen(prefix), last_length = 0;
    all[0] = 0;
    for (size_t i = 0; i < tide_config_key_count && at < sizeof all; ++i) {
        const char *p = tide_config_keys[i].path;
        if (strncmp(p, prefix, n) != 0)
            continue;
        size_t word = strcspn(p + n, ".");
        if (word == last_length && memcmp(p + n, last, word) == 0)
            continue; /* a section, listed already */
        at += (size_t)snprintf(all + at, sizeof all - at, "%s%.*s", *last ? ", " : "", (int)word, p + n);
        last = p + n;
        last_length = word;
    }
    return tide_fail(err, TIDE_CONFIG, "%s%.60s: no such key; allowed here: %s", prefix, name, all);
}

static int is_section(const char *name, size_t length) {
    for (size_t i = 0; i < tide_config_key_count; ++i) {
        const char *p = tide_config_keys[i].path;
        if (strncmp(p, name, length) == 0 && p[length] == '.')
            return 1;
    }
    return 0;
}

/* An object: the top (prefix "") or a section ("ets."). Sections do not nest. */
static tide_status set_object(tide_config *cfg, const cJSON *object, const char *prefix, tide_error *err) {
    for (const cJSON *v = object->child; v; v = v->next) {
        char path[160];
        for (const cJSON *w = object->child; w != v; w = w->next)
            if (strcmp(w->string, v->string) == 0)
                return tide_fail(err, TIDE_CONFIG, "%s%.60s: given twice", prefix, v->string);
        if (!*prefix && strcmp(v->string, "$schema") == 0)
            continue;
        int n = snprintf(path, sizeof path, "%s%s", prefix, v->string);
        const tide_config_key *key =
            n > 0 && (size_t)n < sizeof path ? tide_config_find(path, (size_t)n) : NULL;
        if (!*prefix && strchr(v->string, '.'))
            key = NULL; /* sections are objects, not dotted names */
        if (key) {
            TIDE_TRY(set_json(cfg, key, v, err));
        } else if (!*prefix && *v->string && is_section(v->string, strlen(v->string))) {
            char section[160];
            if (!cJSON_IsObject(v))
                return tide_fail(err, TIDE_CONFIG, "%s: must be an object", path);
            snprintf(section, sizeof section, "%.150s.", v->string);
            TIDE_TRY(set_object(cfg, v, section, err));
        } else {
            return fail_unknown(prefix, v->string, err);
        }
    }
    return TIDE_OK;
}

tide_status tide_config_parse(tide_config *cfg, const char *text, size_t length, const char *name,
                              tide_error *err) {
    if (length > MAX_BYTES)
        return tide_fail(err, TIDE_CONFIG, "%.200s: more than %d bytes", name, (int)MAX_BYTES);
    TIDE_TRY(scan(text, length, name, err));
    char *copy = malloc(length + 1); /* cJSON wants the terminator to see that nothing follows */
    if (!copy)
        return tide_fail(err, TIDE_MEMORY, "%.200s: out of memory", name);
    memcpy(copy, text, length);
    copy[length] = 0;
    const char *end = copy;
    tide_status status;
    cJSON *root = cJSON_ParseWithLengthOpts(copy, length + 1, &end, 1);
    if (!root) {
        size_t at = end ? (size_t)(end - copy) : 0;
        if (at > length)
            at = length;
        status = tide_fail(err, TIDE_CONFIG, "%.200s line %zu: not JSON", name, line_of(copy, at));
    } else if (!cJSON_IsObject(root)) {
        status = tide_fail(err, TIDE_CONFIG, "%.200s: must be an object", name);
    } else {
        status = set_object(cfg, root, "", err);
        if (status)
            tide_error_prefix(err, status, "%.200s", name);
    }
    cJSON_Delete(root);
    free(copy);
    return status;
}

tide_status tide_config_load(tide_config *cfg, const char *path, tide_error *err) {
    FILE *f = fopen(path, "rb");
    if (!f)
        return tide_fail(err, TIDE_CONFIG, "%.300s: %s", path, strerror(errno));
    char *text = malloc(MAX_BYTES + 1);
    tide_status status;
    if (!text) {
        status = tide_fail(err, TIDE_MEMORY, "%.300s: out of memory", path);
    } else {
        size_t n = fread(text, 1, MAX_BYTES + 1, f);
        status = ferror(f) ? tide_fail(err, TIDE_CONFIG, "%.300s: %s", path, strerror(errno))
                           : tide_config_parse(cfg, text, n, path, err);
    }
    free(text);
    fclose(f);
    return status;
}
