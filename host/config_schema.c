/* config_schema.c - the table of keys as a JSON schema (draft 2020-12), and a config as a JSON file.
 *
 * configs/schema.json and configs/default.json are the output of these (tidemill --schema, tidemill
 * --defaults); a test compares them byte for byte. */
#include "host/config.h"
#include "host/text.h"
#include "host/tidemill.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(FILE *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(FILE *f, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    vfprintf(f, format, ap);
    va_end(ap);
}

static void put_quoted(FILE *f, const char *s) {
    fputc('"', f);
    for (; *s; ++s) {
        if (*s == '"' || *s == '\\')
            fputc('\\', f);
        fputc(*s, f);
    }
    fputc('"', f);
}

static void put_choices(FILE *f, const tide_choice *choices) {
    fputs("\"enum\": [", f);
    for (const tide_choice *c = choices; c->name; ++c)
        put(f, "%s\"%s\"", c == choices ? "" : ", ", c->name);
    fputs("]", f);
}

static void put_type(FILE *f, const tide_config_key *key) {
    switch (key->type) {
    case TIDE_KEY_TEXT:
        fputs("\"type\": [\"string\", \"null\"]", f);
        return;
    case TIDE_KEY_CHAR:
        fputs("\"type\": [\"string\", \"null\"], \"pattern\": \"^([^\\\"\\n\\r]|tab)$\"", f);
        return;
    case TIDE_KEY_INT:
    case TIDE_KEY_U64:
        put(f, "\"type\": \"integer\", \"minimum\": %.17g, \"maximum\": %.17g", key->min, key->max);
        return;
    case TIDE_KEY_COUNT:
        put(f, "\"anyOf\": [{\"type\": \"integer\", \"minimum\": %.17g, \"maximum\": %.17g}, {", key->min, key->max);
        put_choices(f, key->choices);
        fputs("}, {\"type\": \"null\"}]", f);
        return;
    case TIDE_KEY_SIZE:
        put(f,
            "\"type\": [\"integer\", \"string\"], \"minimum\": %.17g, \"maximum\": %.17g, "
            "\"pattern\": \"^[0-9]+[KMGkmg]?$\"",
            key->min, key->max);
        return;
    case TIDE_KEY_REAL:
        put(f, "\"type\": \"number\", \"minimum\": %.17g, \"maximum\": %.17g", key->min, key->max);
        return;
    case TIDE_KEY_BOOL:
        fputs("\"type\": \"boolean\"", f);
        return;
    case TIDE_KEY_CHOICE:
        fputs("\"type\": \"string\", ", f);
        put_choices(f, key->choices);
        return;
    case TIDE_KEY_NAME: /* unset is null */
        fputs("\"enum\": [", f);
        for (const tide_choice *c = key->choices; c->name; ++c)
            put(f, "\"%s\", ", c->name);
        fputs("null]", f);
        return;
    case TIDE_KEY_SET:
        fputs("\"type\": \"array\", \"minItems\": 1, \"items\": {\"type\": \"string\", ", f);
        put_choices(f, key->choices);
        fputs("}", f);
        return;
    case TIDE_KEY_REALS:
        put(f,
            "\"type\": \"array\", \"minItems\": 4, \"maxItems\": 4, "
            "\"items\": {\"type\": \"number\", \"minimum\": %.17g, \"maximum\": %.17g}",
            key->min, key->max);
        return;
    case TIDE_KEY_ORDER:
        put(f,
            "\"type\": [\"array\", \"null\"], \"minItems\": 3, \"maxItems\": 3, "
            "\"items\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": %.17g}",
            key->max);
        return;
    case TIDE_KEY_LEVELS:
        put(f,
            "\"type\": \"array\", \"maxItems\": %d, \"items\": {\"type\": \"number\", "
            "\"exclusiveMinimum\": 0, \"exclusiveMaximum\": 100}",
            (int)TIDE_LEVELS_MAX);
        return;
    }
}

/* Calls `each` for every key, opening and closing the sections around their keys (which follow each other in
 * the table). */
typedef void put_key_fn(FILE *f, const tide_config *cfg, const tide_config_key *key, const char *name);

static void put_keys(FILE *f, const tide_config *cfg, int schema, put_key_fn *each) {
    const char *in = schema ? "      " : "  ";
    char section[64] = "";
    for (size_t i = 0; i < tide_config_key_count; ++i) {
        const tide_config_key *key = &tide_config_keys[i];
        const char *dot = strchr(key->path, '.');
        size_t n = dot ? (size_t)(dot - key->path) : 0;
        int same = strlen(section) == n && strncmp(section, key->path, n) == 0;
        if (!same && *section)
            put(f, "\n%s}%s", in, schema ? "}" : "");
        fputs(i ? ",\n" : "\n", f);
        if (!same && n) {
            put(f, "%s\"%.*s\": {", in, (int)n, key->path);
            if (schema)
                fputs("\"type\": \"object\", \"additionalProperties\": false, \"properties\": {", f);
            fputs("\n", f);
        }
        snprintf(section, sizeof section, "%.*s", (int)n, key->path);
        put(f, "%s%s", n ? "  " : "", in);
        each(f, cfg, key, dot ? dot + 1 : key->path);
    }
    if (*section)
        put(f, "\n%s}%s", in, schema ? "}" : "");
}

static void put_schema_key(FILE *f, const tide_config *cfg, const tide_config_key *key, const char *name) {
    char value[1024];
    put(f, "\"%s\": {", name);
    put_type(f, key);
    put(f, ", \"default\": %s,\n%s   \"description\": ",
        tide_config_value_json(cfg, key, value, sizeof value) < 0 ? "null" : value,
        strchr(key->path, '.') ? "        " : "      ");
    put_quoted(f, key->help);
    fputs("}", f);
}

static void put_value_key(FILE *f, const tide_config *cfg, const tide_config_key *key, const char *name) {
    char value[2048];
    put(f, "\"%s\": %s", name, tide_config_value_json(cfg, key, value, sizeof value) < 0 ? "null" : value);
}

char *tide_config_schema(void) {
    char *text = NULL;
    size_t size = 0;
    tide_config cfg;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    tide_config_init(&cfg);
    fputs(
        "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
        "  \"title\": \"Tidemill configuration\",\n"
        "  \"description\": \"Output of: tidemill --schema. Flags override these values; null is unset.\",\n"
        "  \"type\": \"object\",\n  \"additionalProperties\": false,\n  \"properties\": {\n"
        "      \"$schema\": {\"type\": \"string\"},",
        f);
    put_keys(f, &cfg, 1, put_schema_key);
    fputs("\n  }\n}\n", f);
    tide_config_free(&cfg);
    return tide_close_text(f, &text);
}

static int decides_results(const char *path) {
    static const char *const not[] = {"arima.regressors", /* their content counts (io/fit.c) */
                                      "backend.", "memory", "intake.batch_", "store.", "predict.", "evaluate.",
                                      "history.", "source.connections", "source.connect_timeout_s",
                                      "source.statement_timeout_s", "source.read_timeout_s", "source.retries", "source.mixed_snapshots"};
    if (strcmp(path, "predict.seed") == 0) /* kept in the store */
        return 1;
    for (size_t i = 0; i < sizeof not / sizeof *not; ++i)
        if (strncmp(path, not[i], strlen(not[i])) == 0)
            return 0;
    return 1;
}

char *tide_config_identity(const tide_config *cfg) {
    char *text = NULL, value[2048];
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    for (size_t i = 0; i < tide_config_key_count; ++i) {
        const tide_config_key *key = &tide_config_keys[i];
        if (decides_results(key->path))
            put(f, "%s=%s\n", key->path,
                tide_config_value_json(cfg, key, value, sizeof value) < 0 ? "?" : value);
    }
    return tide_close_text(f, &text);
}

char *tide_config_dump(const tide_config *cfg) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    fputs("{", f);
    put_keys(f, cfg, 0, put_value_key);
    fputs("\n}\n", f);
    return tide_close_text(f, &text);
}
