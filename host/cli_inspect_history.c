/* cli_inspect_history.c - see cli_inspect.h. Generations are opened one after the other, newest first, each beside the one
 * before it; of each only the blocks that the id needs are read. One that is damaged or of another version is said to be
 * so and passed over: the present model can be looked at all the same. */
#include "host/cli_inspect.h"
#include "host/cli.h"
#include "host/text.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* gen-000007.h5 -> 7; 0 for any other name. */
static uint64_t number_of(const char *name) {
    char again[40];
    if (strncmp(name, "gen-", 4) != 0)
        return 0;
    uint64_t n = strtoull(name + 4, NULL, 10);
    snprintf(again, sizeof again, "gen-%06" PRIu64 ".h5", n);
    return strcmp(again, name) == 0 ? n : 0;
}

static int newest_first(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x < y) - (x > y);
}

tide_status tide_generations_list(const char *path, tide_generations *out, tide_error *err) {
    tide_generations list = {NULL, 0, 0};
    size_t capacity = 0;
    DIR *dir = opendir(path);
    if (!dir) {
        *out = list;
        return errno == ENOTDIR ? TIDE_OK : tide_fail(err, TIDE_STORE, "store '%s': %s", path, strerror(errno));
    }
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        uint64_t n = number_of(e->d_name);
        if (n == 0)
            continue;
        if (list.n == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            uint64_t *grown = realloc(list.number, capacity * sizeof *grown);
            if (!grown) {
                closedir(dir);
                free(list.number);
                return tide_fail(err, TIDE_MEMORY, "out of memory");
            }
            list.number = grown;
        }
        list.number[list.n++] = n;
    }
    char name[64];
    ssize_t length = readlinkat(dirfd(dir), "CURRENT", name, sizeof name - 1);
    name[length > 0 ? length : 0] = 0;
    list.current = number_of(name);
    closedir(dir);
    if (list.n)
        qsort(list.number, list.n, sizeof *list.number, newest_first);
    *out = list;
    return TIDE_OK;
}

void tide_generations_free(tide_generations *list) {
    free(list->number);
    *list = (tide_generations){NULL, 0, 0};
}

static tide_status open_generation(const char *path, uint64_t number, tide_store **out, tide_error *err) {
    char file[4096];
    snprintf(file, sizeof file, "%s/gen-%06" PRIu64 ".h5", path, number);
    return tide_store_open(file, TIDE_VERIFY_TOUCHED, out, err);
}

static void put_json_text(const char *key, const char *text) {
    printf("\"%s\": ", key);
    tide_put_json(stdout, text, strlen(text));
}

static void show_unreadable(uint64_t number, const tide_error *why, int json) {
    if (json) {
        printf("{\"generation\": %" PRIu64 ", ", number);
        put_json_text("error", why->message);
        putchar('}');
    } else {
        printf("  %6" PRIu64 "  cannot be read: %s\n", number, why->message);
    }
}

void tide_show_generations(const char *path, const tide_generations *list, int json) {
    fputs(json ? "[" : list->n ? "generations\n" : "", stdout);
    for (size_t i = 0; i < list->n; ++i) {
        tide_store *store = NULL;
        tide_store_info info;
        tide_error err = {TIDE_OK, ""};
        int is_current = list->number[i] == list->current;
        fputs(json && i ? ", " : "", stdout);
        if (open_generation(path, list->number[i], &store, &err)) {
            show_unreadable(list->number[i], &err, json);
            continue;
        }
        tide_store_get_info(store, &info);
        tide_store_close(store);
        if (json) {
            printf("{\"generation\": %" PRIu64 ", \"current\": %s, ", list->number[i], is_current ? "true" : "false");
            put_json_text("run_id", info.run_id);
            fputs(", ", stdout);
            put_json_text("created", info.created_utc);
            printf(", \"series\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", info.n_series, info.file_bytes);
        } else {
            printf("  %6" PRIu64 "%s  %s  run %s, %" PRIu64 " series, %" PRIu64 " bytes\n", list->number[i],
                   is_current ? " current" : "        ", info.created_utc, info.run_id, info.n_series,
                   info.file_bytes);
        }
    }
    if (json)
        putchar(']');
}

/* A series in one generation. */
typedef struct version {
    uint64_t number;
    tide_store *store; /* NULL: cannot be read */
    tide_store_info info;
    tide_series_model series;
    int found; /* it holds the id */
    tide_error err;
} version;

static void look(const char *path, uint64_t number, const char *id, size_t id_length, version *v) {
    int64_t row = -1;
    memset(v, 0, sizeof *v);
    v->number = number;
    tide_status status = open_generation(path, number, &v->store, &v->err);
    if (!status) {
        tide_store_get_info(v->store, &v->info);
        status = tide_store_find(v->store, id, id_length, &row, &v->err);
    }
    if (!status && row >= 0)
        status = tide_store_series(v->store, row, &v->series, &v->err);
    v->found = !status && row >= 0;
    if (status) {
        tide_store_close(v->store);
        v->store = NULL;
    }
}

/* "same", "carried on" (the same fit, other states: an update), "refitted" (the same forms, other numbers), "other forms";
 * "unknown" when members cannot be read. */
static const char *compare_models(const version *now, const version *before) {
    int same_forms = now->series.n_members == before->series.n_members, same = same_forms, same_fit = same_forms;
    for (int32_t j = 0; j < now->series.n_members && same_forms; ++j) {
        tide_member a, b;
        if (tide_store_member(now->store, &now->series, j, &a, NULL) ||
            tide_store_member(before->store, &before->series, j, &b, NULL))
            return "unknown";
        same_forms = a.family == b.family && a.form == b.form;
        same_fit = same_fit && same_forms && memcmp(&a.weight, &b.weight, sizeof a.weight) == 0 &&
                   memcmp(&a.sigma2, &b.sigma2, sizeof a.sigma2) == 0 && memcmp(&a.loglik, &b.loglik, sizeof a.loglik) == 0;
        same = same && same_forms && memcmp(&a.weight, &b.weight, sizeof a.weight) == 0 && a.n_coef == b.n_coef &&
               a.n_state == b.n_state && memcmp(a.coef, b.coef, (size_t)a.n_coef * sizeof *a.coef) == 0 &&
               memcmp(a.state, b.state, (size_t)a.n_state * sizeof *a.state) == 0;
    }
    return same && same_forms       ? "same"
           : same_fit && same_forms ? "carried on"
           : same_forms             ? "refitted"
                                    : "other forms";
}

/* "ets AAN 0.61 + ets MNN 0.39" */
static void put_model(const version *v) {
    if (v->series.n_members == 0)
        fputs("no model", stdout);
    for (int32_t j = 0; j < v->series.n_members; ++j) {
        tide_member m;
        if (tide_store_member(v->store, &v->series, j, &m, NULL)) {
            fputs(" (damaged)", stdout);
            return;
        }
        char form[TIDE_FORM_TEXT];
        tide_form_text(m.family, m.form, v->info.season, form, sizeof form);
        printf("%s%s%s%s %.3g", j ? " + " : "", tide_family_name(m.family), *form ? " " : "", form, m.weight);
    }
}

static void show_version(const version *v, const version *before, int is_current, int json) {
    char first[48], last[48];
    const tide_series_model *s = &v->series;
    const char *data = !before ? NULL : s->fingerprint == before->series.fingerprint ? "same" : "changed";
    const char *model = before ? compare_models(v, before) : NULL;
    tide_ds_format(v->info.ds_kind, s->first_ds, first, sizeof first);
    tide_ds_format(v->info.ds_kind, s->last_ds, last, sizeof last);
    if (!json) {
        printf("  %6" PRIu64 "%s  %s  run %s\n          %s, %s to %s, %d values, fingerprint %016" PRIx64 "\n          ",
               v->number, is_current ? " current" : "        ", v->info.created_utc, v->info.run_id,
               tide_outcome_name(s->outcome), first, last, s->n_obs, s->fingerprint);
        put_model(v);
        if (before)
            printf("\n          since generation %" PRIu64 ": %s data, model %s", before->number, data, model);
        putchar('\n');
        return;
    }
    printf("{\"generation\": %" PRIu64 ", \"current\": %s, ", v->number, is_current ? "true" : "false");
    put_json_text("created", v->info.created_utc);
    fputs(", ", stdout);
    put_json_text("run_id", v->info.run_id);
    fputs(", ", stdout);
    put_json_text("outcome", tide_outcome_name(s->outcome));
    fputs(", ", stdout);
    put_json_text("first_ds", first);
    fputs(", ", stdout);
    put_json_text("last_ds", last);
    printf(", \"n_values\": %d, \"n_obs\": %d, \"fingerprint\": \"%016" PRIx64 "\", \"model\": \"", s->n_values, s->n_obs,
           s->fingerprint);
    put_model(v);
    if (before)
        printf("\", \"since\": %" PRIu64 ", \"data\": \"%s\", \"model_change\": \"%s\"}", before->number, data, model);
    else
        fputs("\", \"since\": null, \"data\": null, \"model_change\": null}", stdout);
}

/* The next version from generation number i of the list on that holds the id; those that cannot be read are shown. */
static size_t next_version(const char *path, const tide_generations *list, size_t i, const char *id, size_t id_length,
                           version *v, version *unreadable, size_t *n_unreadable) {
    for (; i < list->n; ++i) {
        look(path, list->number[i], id, id_length, v);
        if (v->found)
            return i;
        if (!v->store && *n_unreadable < 8)
            unreadable[(*n_unreadable)++] = *v;
        tide_store_close(v->store);
    }
    v->store = NULL;
    v->found = 0;
    return i;
}

void tide_show_history(const char *path, const tide_generations *list, const char *id, size_t id_length, int json) {
    version now, before, unreadable[8];
    size_t n_unreadable = 0, at, any = 0;
    fputs(json ? "[" : "generations of it\n", stdout);
    at = next_version(path, list, 0, id, id_length, &now, unreadable, &n_unreadable);
    while (now.found) {
        at = next_version(path, list, at + 1, id, id_length, &before, unreadable, &n_unreadable);
        fputs(json && any++ ? ", " : "", stdout);
        show_version(&now, before.found ? &before : NULL, now.number == list->current, json);
        tide_store_close(now.store);
        now = before;
    }
    for (size_t k = 0; k < n_unreadable; ++k) {
        fputs(json && any++ ? ", " : "", stdout);
        show_unreadable(unreadable[k].number, &unreadable[k].err, json);
    }
    if (json)
        putchar(']');
}
