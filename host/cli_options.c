/* cli_options.c - the one parser of flags, and --help.
 *
 * --flag VALUE or --flag=VALUE; switches take no value (--unsorted) but may be told =true or =false; "--"
 * ends the flags;
 * "-" alone is an argument. Flags are taken in two rounds: first --config, then the others over it, wherever
 * they stand. */
#include "host/cli.h"

#include <stdlib.h>
#include <string.h>

/* Levenshtein distance with two rows; words longer than 63 are far from everything. */
static size_t distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b), row[64];
    if (n > 63 || m > 63)
        return 64;
    for (size_t j = 0; j <= m; ++j)
        row[j] = j;
    for (size_t i = 1; i <= n; ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; ++j) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *tide_cli_nearest(const char *word, const char *const *words, size_t n) {
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 2; /* a third of the letters wrong is a guess too far */
    for (size_t i = 0; i < n; ++i) {
        size_t d = distance(word, words[i]);
        if (strncmp(word, words[i], strlen(word)) == 0 && *word)
            d = 1; /* an abbreviation */
        if (d < least) {
            least = d;
            best = words[i];
        }
    }
    return best;
}

static const tide_config_key *find_key(const tide_cli_command *command, const char *name, size_t length) {
    for (size_t i = 0; i < tide_config_key_count; ++i) {
        const tide_config_key *k = &tide_config_keys[i];
        if ((k->commands & command->bit) && k->flag && strlen(k->flag) == length &&
            memcmp(k->flag, name, length) == 0)
            return k;
    }
    return NULL;
}

static const tide_cli_flag *find_own(const tide_cli_flag *own, const char *name, size_t length) {
    for (; own->name; ++own)
        if (strlen(own->name) == length && memcmp(own->name, name, length) == 0)
            return own;
    return NULL;
}

static tide_status fail_unknown(const tide_cli_command *command, const tide_cli_flag *own, const char *name,
                                size_t length, tide_error *err) {
    const char *words[128];
    char word[64];
    size_t n = 0;
    words[n++] = "config";
    words[n++] = "help";
    for (; own->name && n < 128; ++own)
        words[n++] = own->name;
    for (size_t i = 0; i < tide_config_key_count && n < 128; ++i)
        if ((tide_config_keys[i].commands & command->bit) && tide_config_keys[i].flag)
            words[n++] = tide_config_keys[i].flag;
    snprintf(word, sizeof word, "%.*s", (int)(length < 60 ? length : 60), name);
    const char *near = tide_cli_nearest(word, words, n);
    return tide_fail(err, TIDE_USAGE, "unknown flag --%s%s%s%s", word, near ? "; did you mean --" : "",
                     near ? near : "", near ? "?" : " (see --help)");
}

static tide_status set_own(const tide_cli_flag *flag, const char *value, tide_error *err) {
    char *end = NULL;
    switch (flag->kind) {
    case TIDE_CLI_SWITCH:
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return tide_fail(err, TIDE_USAGE, "--%s takes no value", flag->name);
        *(int *)flag->target = *value == 't';
        return TIDE_OK;
    case TIDE_CLI_TEXT:
        *(const char **)flag->target = value;
        return TIDE_OK;
    case TIDE_CLI_U64:
        *(uint64_t *)flag->target = strtoull(value, &end, 10);
        if (*value < '0' || *value > '9' || *end)
            return tide_fail(err, TIDE_USAGE, "--%s: '%.60s' is not a whole number", flag->name, value);
        return TIDE_OK;
    case TIDE_CLI_REAL:
        *(double *)flag->target = strtod(value, &end);
        if (!*value || *end)
            return tide_fail(err, TIDE_USAGE, "--%s: '%.60s' is not a number", flag->name, value);
        return TIDE_OK;
    case TIDE_CLI_LIST: {
        tide_cli_list *list = (tide_cli_list *)flag->target;
        const char **grown = (const char **)realloc(list->item, (list->n + 1) * sizeof *grown);
        if (!grown)
            return tide_fail(err, TIDE_MEMORY, "out of memory");
        list->item = grown;
        list->item[list->n++] = value;
        return TIDE_OK;
    }
    }
    return tide_fail(err, TIDE_INTERNAL, "flag --%s has no kind", flag->name);
}

static void print_wrapped(const char *text, int indent) {
    int column = indent;
    for (const char *next; *text; text = next) {
        int word = (int)strcspn(text, " ");
        next = text + word + (text[word] == ' ');
        if (column > indent && column + 1 + word > 110) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        column += printf("%s%.*s", column > indent ? " " : "", word, text);
    }
    putchar('\n');
}

static void print_flag(const char *name, const char *metavar, const char *help) {
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", name, metavar ? " " : "", metavar ? metavar : "");
    printf("  %-28s ", left);
    if (strlen(left) > 28)
        printf("\n%31s", "");
    print_wrapped(help, 31);
}

static void print_key(const tide_config *defaults, const tide_config_key *k) {
    char help[1024], value[512], *bare = value;
    size_t at = (size_t)snprintf(help, sizeof help, "%s", k->help);
    for (const tide_choice *c = k->choices; c && c->name && at < sizeof help; ++c)
        at += (size_t)snprintf(help + at, sizeof help - at, "%s%s", c == k->choices ? " (" : ", ", c->name);
    if (k->choices && at < sizeof help)
        at += (size_t)snprintf(help + at, sizeof help - at, ")");
    int n = tide_config_value_json(defaults, k, value, sizeof value);
    for (char *p = value; n > 0 && *p; ++p) /* without the quotes and brackets of JSON */
        if (!strchr("[]\"", *p))
            *bare++ = *p;
    *bare = 0;
    if (n > 0 && n < 40 && *value && strcmp(value, "null") != 0 && strcmp(value, "false") != 0 &&
        at < sizeof help)
        snprintf(help + at, sizeof help - at, " [%s]", value);
    print_flag(k->flag, k->metavar, help);
}

static void print_help(const tide_cli_command *command, const tide_cli_flag *own) {
    tide_config defaults;
    char section[32] = "";
    tide_config_init(&defaults);
    printf("tidemill %s - %s\n\nusage: tidemill %s %s\n", command->name, command->summary, command->name,
           command->usage);
    if (*command->text)
        printf("\n%s", command->text);
    if (own->name)
        printf("\noptions\n");
    for (const tide_cli_flag *f = own; f->name; ++f)
        print_flag(f->name, f->metavar, f->help);
    for (size_t i = 0; i < tide_config_key_count; ++i) {
        const tide_config_key *k = &tide_config_keys[i];
        if (!(k->commands & command->bit) || !k->flag)
            continue;
        const char *dot = strchr(k->path, '.');
        const char *word = dot ? k->path : "model";
        int length = dot ? (int)(dot - k->path) : 5;
        if (strncmp(k->path, "backend", 7) == 0 || strcmp(k->path, "memory") == 0) {
            word = "computing";
            length = 9;
        }
        if (strlen(section) != (size_t)length || strncmp(section, word, (size_t)length) != 0) {
            snprintf(section, sizeof section, "%.*s", length, word);
            printf("\n%s\n", section);
        }
        print_key(&defaults, k);
    }
    printf("\nothers\n");
    print_flag("config", "FILE",
               "JSON file with any of these options and more (tidemill --schema); flags override it");
    print_flag("help", NULL, "this text");
    if (*command->examples)
        printf("\nexamples\n%s", command->examples);
    tide_config_free(&defaults);
}

/* One flag at argv[i]; *i moves on when the value is the next argument. round 0 takes --config alone, round 1
 * the rest. */
static tide_status take_flag(const tide_cli_command *command, const tide_cli_flag *own, int argc, char **argv,
                             int *i, int round, tide_cli_args *args, tide_error *err) {
    const char *name = argv[*i] + 2, *value = strchr(name, '=');
    size_t length = value ? (size_t)(value - name) : strlen(name);
    if (value)
        ++value;
    const tide_config_key *key = find_key(command, name, length);
    const tide_cli_flag *mine = find_own(own, name, length);
    int is_config = length == 6 && memcmp(name, "config", 6) == 0;
    if (!key && !mine && !is_config)
        return fail_unknown(command, own, name, length, err);
    if (!value) {
        if ((key && key->type == TIDE_KEY_BOOL) || (mine && mine->kind == TIDE_CLI_SWITCH))
            value = "true";
        else if (*i + 1 < argc)
            value = argv[++*i];
        else
            return tide_fail(err, TIDE_USAGE, "--%.*s needs a value", (int)length, name);
    }
    if (is_config)
        return round == 0 ? tide_config_load(&args->cfg, value, err) : TIDE_OK;
    if (round == 0)
        return TIDE_OK;
    if (mine)
        return set_own(mine, value, err);
    tide_status status = tide_config_set_key(&args->cfg, key, value, err);
    return status ? tide_error_prefix(err, status == TIDE_CONFIG ? TIDE_USAGE : status, "--%s", key->flag)
                  : TIDE_OK;
}

static tide_status take_all(const tide_cli_command *command, const tide_cli_flag *own, int argc, char **argv,
                            int round, tide_cli_args *args, tide_error *err) {
    int flags = 1;
    for (int i = 0; i < argc; ++i) {
        if (flags && strcmp(argv[i], "--") == 0) {
            flags = 0;
        } else if (flags && argv[i][0] == '-' && argv[i][1] == '-') {
            TIDE_TRY(take_flag(command, own, argc, argv, &i, round, args, err));
        } else if (flags && argv[i][0] == '-' && argv[i][1]) {
            return tide_fail(err, TIDE_USAGE, "unknown flag %.60s (flags begin with --)", argv[i]);
        } else if (round == 1) {
            if (!command->argument)
                return tide_fail(err, TIDE_USAGE, "takes no argument, but got '%.200s'", argv[i]);
            if (args->argument)
                return tide_fail(err, TIDE_USAGE, "takes one %s, but got '%.200s' and '%.200s'",
                                 command->argument, args->argument, argv[i]);
            args->argument = argv[i];
        }
    }
    return TIDE_OK;
}

tide_status tide_cli_parse(const tide_cli_command *command, const tide_cli_flag *own, int argc, char **argv,
                           tide_cli_args *args, tide_error *err) {
    tide_config_init(&args->cfg);
    args->argument = NULL;
    args->helped = 0;
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; ++i) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(command, own);
            args->helped = 1;
            if (fflush(stdout))
                return tide_fail(err, TIDE_DISK, "standard output cannot be written");
            return TIDE_OK;
        }
    }
    for (int round = 0; round < 2; ++round)
        TIDE_TRY(take_all(command, own, argc, argv, round, args, err));
    return TIDE_OK;
}

void tide_cli_args_free(tide_cli_args *args, const tide_cli_flag *own) {
    for (; own->name; ++own)
        if (own->kind == TIDE_CLI_LIST)
            free(((tide_cli_list *)own->target)->item);
    tide_config_free(&args->cfg);
}

tide_status tide_cli_take_source(tide_cli_args *args, tide_error *err) {
    if (args->argument)
        TIDE_TRY(tide_config_set(&args->cfg, "source.path", args->argument, err));
    return args->cfg.source.path ? TIDE_OK : tide_fail(err, TIDE_USAGE, "which SOURCE? (see --help)");
}

tide_status tide_cli_choose(const char *flag, const char *word, const char *words, int *which, tide_error *err) {
    const char *at = words;
    for (int i = 0; *at; ++i) {
        size_t n = strcspn(at, ",");
        if (strlen(word) == n && strncmp(word, at, n) == 0) {
            *which = i;
            return TIDE_OK;
        }
        at += n;
        at += strspn(at, ", ");
    }
    return tide_fail(err, TIDE_USAGE, "--%s: '%.60s' is not one of %s", flag, word, words);
}
