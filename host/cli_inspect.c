/* cli_inspect.c - tidemill inspect: what a store holds - its header and generations, one model and its earlier ones, all
 * members as CSV, its checksums.
 *
 * The AICc shown is computed from the log-likelihood, whatever criterion the run chose by; `criterion` is the
 * value that it did choose by. */
#include "host/cli.h"
#include "host/cli_inspect.h"
#include "host/names.h"
#include "host/quote.h"
#include "host/text.h"
#include "kernels/arima.h"
#include "kernels/criteria.h"
#include "kernels/tide_fn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void put_text_number(const char *name, double v) {
    printf("  %-14s ", name);
    tide_cli_put_number(stdout, v, 1);
    putchar('\n');
}

static void show_header(const tide_store_info *info, const char *path, uint64_t *by_outcome) {
    char freq[24];
    static const char *const kinds[] = {"integers", "dates", "timestamps"};
    tide_freq_format(info->freq, freq, sizeof freq);
    printf("store          %s\n", path);
    printf("generation     %llu, format %u, %llu bytes\n", (unsigned long long)info->generation,
           info->format_version, (unsigned long long)info->file_bytes);
    printf("created        %s by tidemill %s on %s\n", info->created_utc, info->code_version, info->backend);
    printf("run            %s\n", info->run_id);
    printf("grid           freq %s, season %d, ds are %s\n", freq, info->season,
           info->ds_kind <= TIDE_DS_TIMESTAMP ? kinds[info->ds_kind] : "?");
    printf("series         %llu, members %llu, seed of intervals %llu\n", (unsigned long long)info->n_series,
           (unsigned long long)info->n_members, (unsigned long long)info->seed);
    printf("outcomes      ");
    for (int o = 0; o < TIDE_OUTCOME_COUNT; ++o)
        if (by_outcome[o])
            printf(" %s %llu", tide_outcome_name(o), (unsigned long long)by_outcome[o]);
    printf("\n");
}

/* Name of coefficient r of a member: a regressor has that of the store's table. */
static const char *coef_name(const tide_xreg_table *x, const tide_member *m, int r) {
    if (m->family == TIDE_FAMILY_ARIMA && x->n) {
        tide_arima_order o = tide_arima_order_of(m->form);
        int column = r - tide_arima_beta_at(o) - 2 * o.fourier;
        if (column >= 0 && r < tide_arima_lambda_at(o))
            return tide_xreg_name(x, column);
    }
    return tide_coef_name(m->family, m->form, r);
}

/* AICc of a member, by the values that its likelihood is one of: differences take d + m*D at the start.
 * (Missing values within take more; the criterion of the store has counted them.) */
static double aicc(const tide_member *m, int32_t n_obs, int32_t season) {
    int lost = m->family == TIDE_FAMILY_ARIMA ? tide_arima_diff_lags(tide_arima_order_of(m->form), season) : 0;
    return tide_criterion_value(TIDE_AICC, m->loglik, m->n_params, n_obs - lost);
}

/* First and last time of the regressors. */
static void xreg_window(const tide_store_info *info, const tide_xreg_table *x, char first[40], char last[40]) {
    tide_ds_format(info->ds_kind, x->first_ds, first, 40);
    tide_ds_format(info->ds_kind, tide_grid_add(info->freq, info->ds_kind, x->first_ds, x->rows - 1, x->end_of_month), last,
                   40);
}

static void show_xreg(const tide_store_info *info, const tide_xreg_table *x) {
    char first[40], last[40], text[64];
    if (!x->n)
        return;
    xreg_window(info, x, first, last);
    printf("regressors     %s to %s:", first, last);
    for (int i = 0; i < x->n; ++i)
        printf("%s%s", i ? ", " : " ", tide_quote(text, sizeof text, tide_xreg_name(x, i), strlen(tide_xreg_name(x, i))));
    printf("\n");
}

static void put_json_xreg(const tide_store_info *info, const tide_xreg_table *x) {
    char first[40], last[40];
    if (!x->n)
        return;
    xreg_window(info, x, first, last);
    printf(", \"regressors\": {\"first_ds\": \"%s\", \"last_ds\": \"%s\", \"names\": [", first, last);
    for (int i = 0; i < x->n; ++i) {
        fputs(i ? ", " : "", stdout);
        tide_put_json(stdout, tide_xreg_name(x, i), strlen(tide_xreg_name(x, i)));
    }
    fputs("]}", stdout);
}

static void put_json_header(const tide_store_info *info, const char *path, const uint64_t *by_outcome) {
    char freq[24];
    const struct {
        const char *key, *value;
    } texts[] = {{"store", path},
                 {"created", info->created_utc},
                 {"run_id", info->run_id},
                 {"code_version", info->code_version},
                 {"backend", info->backend},
                 {"freq", freq}};
    tide_freq_format(info->freq, freq, sizeof freq);
    printf("{\"generation\": %llu, \"format_version\": %u, \"bytes\": %llu, \"series\": %llu, \"members\": %llu, "
           "\"season\": %d, \"seed\": %llu",
           (unsigned long long)info->generation, info->format_version, (unsigned long long)info->file_bytes,
           (unsigned long long)info->n_series, (unsigned long long)info->n_members, info->season,
           (unsigned long long)info->seed);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
        printf(", \"%s\": ", texts[i].key);
        tide_put_json(stdout, texts[i].value, strlen(texts[i].value));
    }
    for (int o = 0; o < TIDE_OUTCOME_COUNT; ++o)
        printf("%s\"%s\": %llu", o ? ", " : ", \"outcomes\": {", tide_outcome_name(o),
               (unsigned long long)by_outcome[o]);
    putchar('}');
}

static void put_json_numbers(const char *key, const double *v, int n) {
    printf(", \"%s\": [", key);
    for (int i = 0; i < n; ++i) {
        fputs(i ? ", " : "", stdout);
        tide_cli_put_number(stdout, v[i], 1);
    }
    putchar(']');
}

static void put_json_number(const char *key, double v) {
    printf(", \"%s\": ", key);
    tide_cli_put_number(stdout, v, 1);
}

/* All but the closing brace. */
static tide_status json_series(const tide_store *store, const tide_store_info *info, const tide_xreg_table *x, int64_t row, tide_error *err) {
    tide_series_model s;
    char first[48], last[48];
    TIDE_TRY(tide_store_series(store, row, &s, err));
    tide_ds_format(info->ds_kind, s.first_ds, first, sizeof first);
    tide_ds_format(info->ds_kind, s.last_ds, last, sizeof last);
    fputs("{\"unique_id\": ", stdout);
    tide_put_json(stdout, s.id, s.id_length);
    printf(", \"outcome\": \"%s\", \"first_ds\": \"%s\", \"last_ds\": \"%s\", \"n_values\": %d, \"n_obs\": %d, "
           "\"fingerprint\": \"%016llx\", \"generation\": %llu, \"run_id\": ",
           tide_outcome_name(s.outcome), first, last, s.n_values, s.n_obs, (unsigned long long)s.fingerprint,
           (unsigned long long)info->generation);
    tide_put_json(stdout, info->run_id, strlen(info->run_id));
    fputs(", \"created\": ", stdout);
    tide_put_json(stdout, info->created_utc, strlen(info->created_utc));
    put_json_number("scale", s.scale);
    fputs(", \"members\": [", stdout);
    for (int32_t j = 0; j < s.n_members; ++j) {
        tide_member m;
        char form[TIDE_FORM_TEXT];
        TIDE_TRY(tide_store_member(store, &s, j, &m, err));
        printf("%s{\"family\": \"%s\", \"form\": \"%s\", \"converged\": %s, \"n_params\": %d", j ? ", " : "",
               tide_family_name(m.family), tide_form_text(m.family, m.form, info->season, form, sizeof form),
               m.converged ? "true" : "false", m.n_params);
        put_json_number("weight", m.weight);
        put_json_number("loglik", m.loglik);
        put_json_number("aicc", aicc(&m, s.n_obs, info->season));
        put_json_number("criterion", m.criterion);
        put_json_number("sigma2", m.sigma2);
        put_json_numbers("coef", m.coef, m.n_coef);
        fputs(", \"coef_names\": [", stdout);
        for (int r = 0; r < m.n_coef; ++r) {
            fputs(r ? ", " : "", stdout);
            tide_put_json(stdout, coef_name(x, &m, r), strlen(coef_name(x, &m, r)));
        }
        putchar(']');
        put_json_numbers("state", m.state, m.n_state);
        putchar('}');
    }
    putchar(']');
    return TIDE_OK;
}

static void show_member(const tide_member *m, const tide_xreg_table *x, int32_t n_obs, int32_t season) {
    char form[TIDE_FORM_TEXT];
    tide_form_text(m->family, m->form, season, form, sizeof form);
    printf("member %s%s%s\n", tide_family_name(m->family), *form ? " " : "", form);
    put_text_number("weight", m->weight);
    printf("  %-14s %s\n", "converged", m->converged ? "yes" : "no");
    printf("  %-14s %d\n", "parameters", m->n_params);
    put_text_number("loglik", m->loglik);
    put_text_number("aicc", aicc(m, n_obs, season));
    put_text_number("criterion", m->criterion);
    put_text_number("sigma2", m->sigma2);
    for (int r = 0; r < m->n_coef; ++r) {
        char text[64];
        const char *name = coef_name(x, m, r);
        put_text_number(tide_quote(text, sizeof text, name, strlen(name)), m->coef[r]);
    }
    const char *before = "";
    for (int r = 0, first = 0; r < m->n_state; ++r) {
        char name[40];
        const char *base = tide_state_name(m->family, m->form, season, r);
        first = r == 0 || strcmp(base, before) != 0 ? r : first;
        before = base;
        if (strcmp(base, "season") == 0 || strcmp(base, "x") == 0) /* +1: of the next step */
            snprintf(name, sizeof name, "%s +%d", base, r - first + 1);
        else if (strcmp(base, "lag") == 0) /* -0: of the last step */
            snprintf(name, sizeof name, "lag -%d", r - first);
        else
            snprintf(name, sizeof name, "%s", base);
        put_text_number(name, m->state[r]);
    }
}

static tide_status show_series(const tide_store *store, const tide_store_info *info, const tide_xreg_table *x, int64_t row,
                               tide_error *err) {
    tide_series_model s;
    char text[256], first[48], last[48];
    TIDE_TRY(tide_store_series(store, row, &s, err));
    tide_ds_format(info->ds_kind, s.first_ds, first, sizeof first);
    tide_ds_format(info->ds_kind, s.last_ds, last, sizeof last);
    printf("series         %s\n", tide_quote(text, sizeof text, s.id, s.id_length));
    printf("outcome        %s: %s\n", tide_outcome_name(s.outcome), tide_outcome_text(s.outcome));
    printf("data           %s to %s, %d steps, %d values%s\n", first, last, s.n_values, s.n_obs,
           s.end_of_month ? ", last days of months" : "");
    printf("fingerprint    %016llx, key %016llx, scale %g\n", (unsigned long long)s.fingerprint,
           (unsigned long long)s.key, s.scale);
    if (!tide_is_nan(s.backtest_error))
        printf("backtest       MASE %.4g\n", s.backtest_error);
    printf("fitted by      run %s, generation %llu, tidemill %s, %s, %s\n", info->run_id,
           (unsigned long long)info->generation, info->code_version, info->backend, info->created_utc);
    for (int32_t j = 0; j < s.n_members; ++j) {
        tide_member m;
        TIDE_TRY(tide_store_member(store, &s, j, &m, err));
        show_member(&m, x, s.n_obs, info->season);
    }
    return TIDE_OK;
}

static void put_field(double v) {
    putchar(',');
    tide_cli_put_number(stdout, v, 0);
}

/* "ar1=0.5;promo=3": one field, quoted where a name of a regressor asks for it. */
static tide_status csv_coefs(const tide_xreg_table *x, const tide_member *m, tide_error *err) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    for (int r = 0; r < m->n_coef; ++r) {
        fprintf(f, "%s%s=", r ? ";" : "", coef_name(x, m, r));
        tide_cli_put_number(f, m->coef[r], 0);
    }
    if (!tide_close_text(f, &text))
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    tide_cli_put_csv(stdout, text, size);
    free(text);
    return TIDE_OK;
}

/* A row a member; a series without members has one row, its member's columns empty. */
static tide_status csv_series(const tide_store *store, const tide_store_info *info, const tide_xreg_table *x, int64_t row,
                              tide_error *err) {
    enum { COEFS = TIDE_ETS_COEF_ROWS };
    tide_series_model s;
    char first[48], last[48];
    TIDE_TRY(tide_store_series(store, row, &s, err));
    tide_ds_format(info->ds_kind, s.first_ds, first, sizeof first);
    tide_ds_format(info->ds_kind, s.last_ds, last, sizeof last);
    for (int32_t j = 0; j == 0 || j < s.n_members; ++j) {
        tide_member m;
        tide_cli_put_csv(stdout, s.id, s.id_length);
        printf(",%s", tide_outcome_name(s.outcome));
        if (s.n_members == 0) {
            printf(",,none,,%d,,,,,,,,,,,,,%s,%s,\n", s.n_obs, first, last);
            break;
        }
        TIDE_TRY(tide_store_member(store, &s, j, &m, err));
        const int arima = m.family == TIDE_FAMILY_ARIMA;
        put_field(m.weight);
        char form[TIDE_FORM_TEXT];
        tide_form_text(m.family, m.form, info->season, form, sizeof form);
        printf(",%s,", tide_family_name(m.family));
        tide_cli_put_csv(stdout, form, strlen(form));
        printf(",%d", s.n_obs);
        put_field(m.loglik);
        put_field(aicc(&m, s.n_obs, info->season));
        put_field(m.sigma2);
        for (int r = 0; r < COEFS; ++r)
            put_field(r < m.n_coef && !arima ? m.coef[r] : TIDE_NAN);
        printf(",%d,%d", m.n_params, m.converged);
        put_field(m.criterion);
        put_field(m.n_state > 0 && !arima ? m.state[0] : TIDE_NAN);
        put_field(m.n_state > 1 && !arima ? m.state[1] : TIDE_NAN);
        printf(",%s,%s,", first, last);
        TIDE_TRY(csv_coefs(x, &m, err));
        putchar('\n');
    }
    if (ferror(stdout))
        return tide_fail(err, TIDE_DISK, "standard output: %s", strerror(errno));
    return TIDE_OK;
}

enum { FORMAT_TEXT, FORMAT_CSV, FORMAT_JSON };

/* What is looked at. */
typedef struct inspection {
    const char *path;
    tide_store *store;
    tide_store_info info;
    tide_xreg_table xreg;
    tide_generations generations;
    int format; /* FORMAT_TEXT ... */
} inspection;

static tide_status show_ids(const inspection *in, const tide_cli_list *ids, tide_error *err) {
    size_t missing = 0, shown = 0;
    fputs(in->format == FORMAT_JSON ? "[" : "", stdout);
    for (size_t i = 0; i < ids->n; ++i) {
        char text[96];
        int64_t row = -1;
        size_t length = strlen(ids->item[i]);
        TIDE_TRY(tide_store_find(in->store, ids->item[i], length, &row, err));
        if (row < 0) {
            ++missing;
            fprintf(stderr, "tidemill inspect: no id '%s' in the store\n",
                    tide_quote(text, sizeof text, ids->item[i], length));
            continue;
        }
        if (in->format == FORMAT_CSV) {
            TIDE_TRY(csv_series(in->store, &in->info, &in->xreg, row, err));
        } else if (in->format == FORMAT_JSON) {
            fputs(shown++ ? ",\n" : "\n", stdout);
            TIDE_TRY(json_series(in->store, &in->info, &in->xreg, row, err));
            fputs(", \"history\": ", stdout);
            tide_show_history(in->path, &in->generations, ids->item[i], length, 1);
            putchar('}');
        } else {
            TIDE_TRY(show_series(in->store, &in->info, &in->xreg, row, err));
            if (in->generations.n)
                tide_show_history(in->path, &in->generations, ids->item[i], length, 0);
        }
    }
    fputs(in->format == FORMAT_JSON ? "\n]\n" : "", stdout);
    if (missing)
        return tide_fail(err, TIDE_NOT_FOUND, "%zu of the ids asked for not in the store", missing);
    return TIDE_OK;
}

static tide_status show_all(const inspection *in, tide_error *err) {
    uint64_t by_outcome[TIDE_OUTCOME_COUNT] = {0};
    for (uint64_t row = 0; row < in->info.n_series; ++row) {
        if (in->format == FORMAT_CSV) {
            TIDE_TRY(csv_series(in->store, &in->info, &in->xreg, (int64_t)row, err));
        } else {
            tide_series_model s;
            TIDE_TRY(tide_store_series(in->store, (int64_t)row, &s, err));
            if (s.outcome < TIDE_OUTCOME_COUNT)
                ++by_outcome[s.outcome];
        }
        if (tide_cli_stopped(NULL))
            return tide_fail(err, TIDE_INTERRUPTED, "stopped by a signal");
    }
    if (in->format == FORMAT_TEXT) {
        show_header(&in->info, in->path, by_outcome);
        show_xreg(&in->info, &in->xreg);
        tide_show_generations(in->path, &in->generations, 0);
    } else if (in->format == FORMAT_JSON) {
        put_json_header(&in->info, in->path, by_outcome);
        put_json_xreg(&in->info, &in->xreg);
        fputs(", \"generations\": ", stdout);
        tide_show_generations(in->path, &in->generations, 1);
        fputs("}\n", stdout);
    }
    return TIDE_OK;
}

static tide_status run(const tide_cli_command *self, int argc, char **argv, tide_error *err) {
    tide_cli_list ids = {NULL, 0};
    const char *format = "text";
    int verify = 0;
    const tide_cli_flag own[] = {
        {"id", TIDE_CLI_LIST, &ids, "ID", "show this series' model, and what each generation says of it; may be given several times"},
        {"format", TIDE_CLI_TEXT, &format, "NAME", "text, csv: a row a member, or json [text]"},
        {"verify", TIDE_CLI_SWITCH, &verify, NULL, "check every byte of the store against its checksums"},
        {NULL, TIDE_CLI_SWITCH, NULL, NULL, NULL}};
    tide_cli_args args;
    inspection in = {.store = NULL};
    tide_status status = tide_cli_parse(self, own, argc, argv, &args, err);
    if (status || args.helped)
        goto done;
    in.path = args.argument;
    if (!args.argument)
        status = tide_fail(err, TIDE_USAGE, "which STORE? (see --help)");
    else
        status = tide_cli_choose("format", format, "text, csv, json", &in.format, err);
    if (!status)
        status = tide_store_open(args.argument, verify ? TIDE_VERIFY_ALL : TIDE_VERIFY_TOUCHED, &in.store, err);
    if (!status)
        status = tide_generations_list(args.argument, &in.generations, err);
    if (status)
        goto done;
    tide_store_get_info(in.store, &in.info);
    status = tide_store_xreg(in.store, &in.xreg, err);
    if (status)
        goto done;
    if (in.format == FORMAT_CSV)
        fputs("unique_id,outcome,weight,family,form,n,loglik,aicc,sigma2,alpha,beta,gamma,phi,n_params,"
              "converged,criterion,"
              "level,trend,first_ds,last_ds,coefficients\n",
              stdout);
    status = ids.n ? show_ids(&in, &ids, err) : show_all(&in, err);
    if (!status && verify)
        fprintf(stderr, "tidemill inspect: every block of %s is intact\n", args.argument);
done:
    tide_generations_free(&in.generations);
    tide_store_close(in.store);
    tide_cli_args_free(&args, own);
    return status;
}

const tide_cli_command tide_cli_inspect = {
    .name = "inspect",
    .bit = TIDE_CMD_INSPECT,
    .argument = "STORE",
    .usage = "STORE [--id ID ...] [--format text|csv|json] [--verify]",
    .summary = "shows what a model store holds, one model, or all of them as CSV",
    .text = "Without --id: the header, the series by outcome and the generations. With it: where the model comes from "
            "(run, data\n"
            "window, fingerprint), its members, coefficients and final states, and the same of its earlier generations: "
            "whether\n"
            "data or model changed. CSV has a row a member; a series "
            "without a model has\n"
            "one row whose family is none.\n",
    .examples = "  tidemill inspect models\n"
                "  tidemill inspect models --id A17\n"
                "  tidemill inspect models --id A17 --format json | jq '.[0].history'\n"
                "  tidemill inspect models --format csv | head\n"
                "  tidemill inspect models/gen-000006.h5 --verify\n",
    .run = run};
