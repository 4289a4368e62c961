/* The configuration: its file, flags and schema are one table; what is wrong is named by its path. */
#include "host/config.h"
#include "host/peek.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", TIDE_SOURCE_DIR, name);
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    char *text = (char *)calloc(1, 1 << 20);
    size_t n = fread(text, 1, (1 << 20) - 1, f);
    cr_assert_gt(n, 0);
    fclose(f);
    return text;
}

static tide_status parse(const char *text, tide_error *err) {
    tide_config cfg;
    tide_config_init(&cfg);
    tide_status status = tide_config_parse(&cfg, text, strlen(text), "x.json", err);
    if (!status)
        status = tide_config_check(&cfg, err);
    tide_config_free(&cfg);
    return status;
}

Test(config, the_schema_in_configs_is_that_of_the_table) {
    char *want = tide_config_schema(), *have = read_file("configs/schema.json");
    cr_assert_str_eq(have, want,
                     "configs/schema.json is out of date: tidemill --schema > configs/schema.json");
    free(want);
    free(have);
}

Test(config, the_defaults_in_configs_are_those_of_the_program_and_read_back_as_such) {
    tide_config cfg;
    tide_error err;
    tide_config_init(&cfg);
    char *want = tide_config_dump(&cfg), *have = read_file("configs/default.json");
    cr_assert_str_eq(have, want,
                     "configs/default.json is out of date: tidemill --defaults > configs/default.json");
    cr_assert_eq(tide_config_parse(&cfg, have, strlen(have), "default.json", &err), TIDE_OK, "%s",
                 err.message);
    char *again = tide_config_dump(&cfg);
    cr_assert_str_eq(again, want);
    tide_config_free(&cfg);
    free(again);
    free(want);
    free(have);
}

Test(config, the_examples_are_right) {
    const char *const names[] = {"configs/example_csv.json", "configs/example_postgres.json",
                                 "configs/example_postgres_packed.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        char *text = read_file(names[i]);
        tide_error err = {TIDE_OK, ""};
        cr_assert_eq(parse(text, &err), TIDE_OK, "%s: %s", names[i], err.message);
        free(text);
    }
}

Test(config, a_dump_reads_back_as_the_same_config) {
    tide_config cfg, back;
    tide_error err;
    tide_config_init(&cfg);
    tide_config_init(&back);
    const char *const set[][2] = {{"freq", "15min"},
                                  {"season", "96"},
                                  {"ets.forms", "ANN,MAM"},
                                  {"models", "ets,naive"},
                                  {"ets.lower", "0.1,0.05,0.02,0.85"},
                                  {"intake.duplicates", "sum"},
                                  {"source.path", "a \"b\" \\ c.csv"},
                                  {"source.delimiter", "tab"},
                                  {"memory", "2G"},
                                  {"predict.levels", "50,80,97.5"},
                                  {"predict.format", "json"},
                                  {"backend.isa", "avx2"},
                                  {"intake.gather", "true"},
                                  {"ets.penalty", "0.1"},
                                  {"across", "mean"},
                                  {"arima.order", "2,1,0"},
                                  {"arima.seasonal", "0,1,1"},
                                  {"arima.boxcox", "auto"}};
    for (size_t i = 0; i < sizeof set / sizeof set[0]; ++i)
        cr_assert_eq(tide_config_set(&cfg, set[i][0], set[i][1], &err), TIDE_OK, "%s", err.message);
    char *first = tide_config_dump(&cfg);
    cr_assert_eq(tide_config_parse(&back, first, strlen(first), "dump", &err), TIDE_OK, "%s", err.message);
    char *second = tide_config_dump(&back);
    cr_assert_str_eq(first, second);
    cr_assert_eq(back.fit.ets_forms, 1u << TIDE_ETS_ANN | 1u << TIDE_ETS_MAM);
    cr_assert_eq(back.memory_bytes, (size_t)2 << 30);
    cr_assert_eq(back.source.delimiter, '\t');
    cr_assert_float_eq(back.predict.spec.level[2], 0.975, 1e-15);
    free(first);
    free(second);
    tide_config_free(&cfg);
    tide_config_free(&back);
}

Test(config, what_is_wrong_is_named_by_its_path) {
    const char *const cases[][2] = {
        {"", "x.json line 1: not JSON"},
        {"{", "line 1: not JSON"},
        {"{}x", "line 1: not JSON"},
        {"{\n\"freq\": }", "line 2: not JSON"},
        {"[]", "must be an object"},
        {"{\"frequency\": \"M\"}", "frequency: no such key; allowed here: source, freq, season, models, across, ets"},
        {"{\"ets\": {\"form\": 1}}", "ets.form: no such key; allowed here: forms, mode"},
        {"{\"ets\": 3}", "ets: must be an object"},
        {"{\"ets.mode\": \"average\"}", "ets.mode: no such key"},
        {"{\"season\": \"12\"}", "season: must be a whole number"},
        {"{\"season\": 1.5}", "season: '1.5' is not a whole number from 0 to 366"},
        {"{\"season\": 367}", "season: '367'"},
        {"{\"season\": -1}", "season: '-1'"},
        {"{\"season\": 1e30}", "season:"},
        {"{\"freq\": 12}", "freq: must be a string"},
        {"{\"freq\": \"3x\"}", "freq"},
        {"{\"ets\": {\"forms\": [\"ANN\", 3]}}", "ets.forms[1]: must be a name"},
        {"{\"ets\": {\"forms\": [\"ANN\", \"AMM\"]}}", "ets.forms[1]: 'AMM' is not one of ANN, AAN"},
        {"{\"ets\": {\"forms\": [\"ANN,AAN\"]}}", "ets.forms[0]: 'ANN,AAN' holds a comma"},
        {"{\"ets\": {\"forms\": []}}", "ets.forms: an empty list"},
        {"{\"ets\": {\"forms\": \"ANN\"}}", "ets.forms: must be a list of names"},
        {"{\"ets\": {\"mode\": \"best\"}}", "ets.mode: 'best' is not one of likelihood, average"},
        {"{\"ets\": {\"lower\": [0, 0, 0]}}", "ets.lower: "},
        {"{\"ets\": {\"lower\": [0.1, 0, 0, 0.8], \"upper\": [0.05, 1, 1, 0.9]}}",
         "ets.lower[0] = 0.1 is not below"},
        {"{\"freq\": \"M\", \"freq\": \"D\"}", "freq: given twice"},
        {"{\"ets\": {\"mode\": \"average\", \"mode\": \"average\"}}", "ets.mode: given twice"},
        {"{\"intake\": {\"gather\": 1}}", "intake.gather: must be true or false"},
        {"{\"memory\": \"5X\"}", "memory: '5X'"},
        {"{\"memory\": \"1K\"}", "memory: '1K'"},
        {"{\"memory\": \"99999999999999999999\"}", "memory:"},
        {"{\"arima\": {\"order\": [0, 1]}}", "arima.order: '0,1' is not three whole numbers, such as 0,1,1"},
        {"{\"arima\": {\"order\": [0, 1, 1, 1]}}", "arima.order: '0,1,1,1' is not three"},
        {"{\"arima\": {\"order\": [0, 1.5, 1]}}", "arima.order: '0,1.5,1' is not three"},
        {"{\"arima\": {\"order\": \"0,1,1\"}}", "arima.order: must be a list of numbers"},
        {"{\"arima\": {\"order\": [6, 0, 0]}}", "arima.order: '6,0,0': 6 is too large an order, at most 5"},
        {"{\"arima\": {\"order\": [0, 3, 0]}}", "arima.order: '0,3,0': 3 differences are too many, at most 2"},
        {"{\"season\": 12, \"arima\": {\"seasonal\": [0, 1, 1]}}", "arima.seasonal goes with arima.order"},
        {"{\"arima\": {\"order\": [0, 1, 1], \"seasonal\": [0, 1, 1]}}", "a season of 1 has no seasonal terms"},
        {"{\"season\": 365, \"arima\": {\"order\": [0, 1, 1], \"seasonal\": [1, 0, 0]}}", "a season of 365 has no seasonal"},
        {"{\"season\": 12, \"arima\": {\"order\": [0, 1, 1], \"seasonal\": [0, 2, 1]}}", "2 seasonal differences, at most 1"},
        {"{\"season\": 12, \"arima\": {\"order\": [0, 1, 1], \"d\": \"2\"}}", "arima.d and arima.seasonal_d are for a search"},
        {"{\"arima\": {\"seasonal_d\": \"1\"}}", "a season of 1 has no differences"},
        {"{\"arima\": {\"boxcox\": \"log\"}}", "arima.boxcox: 'log' is not none, auto, or a number from -1 to 2"},
        {"{\"arima\": {\"boxcox\": \"2.5\"}}", "arima.boxcox: '2.5'"},
        {"{\"arima\": {\"root_min\": 0.9}}", "arima.root_min: '0.90000000000000002' is not a number from 1 to 10"},
        {"{\"models\": [\"arima\"], \"season\": 4, \"arima\": {\"fourier\": 3}}", "arima.fourier: 3 pairs are more than a season of 4 has"},
        {"{\"across\": \"best\"}", "across: 'best' is not one of backtest, mean, criterion"},
        {"{\"predict\": {\"levels\": [95, 80]}}", "levels must ascend"},
        {"{\"predict\": {\"levels\": [0]}}", "predict.levels: '0' is not a percentage"},
        {"{\"predict\": {\"levels\": [1,2,3,4,5,6,7,8,9]}}", "more than 8 levels"},
        {"{\"predict\": {\"horizon\": 3, \"to\": \"2024-01-01\"}}", "predict.horizon and predict.to"},
        {"{\"predict\": {\"from\": \"2024-02-30\"}}", "predict.from: '2024-02-30'"},
        {"{\"source\": {\"path\": \"postgresql://h/d\"}}", "source.table and source.query"},
        {"{\"source\": {\"path\": \"a.csv\", \"table\": \"t\"}}", "source.table is for a Postgres source"},
        {"{\"source\": {\"path\": \"a\\u0000b\"}}", "\\u0000 in a string"},
        {"{\"source\": {\"delimiter\": \";;\"}}", "source.delimiter: ';;'"},
        {"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}", "nested more than 8 deep"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        tide_error err = {TIDE_OK, ""};
        cr_assert_eq(parse(cases[i][0], &err), TIDE_CONFIG, "%s", cases[i][0]);
        cr_assert(strstr(err.message, cases[i][1]), "%s gives: %s", cases[i][0], err.message);
    }
}

Test(config, limits_of_the_file) {
    tide_config cfg;
    tide_error err;
    tide_config_init(&cfg);
    size_t n = (1 << 20) + 1;
    char *big = (char *)malloc(n);
    memset(big, ' ', n);
    memcpy(big, "{}", 2);
    cr_assert_eq(tide_config_parse(&cfg, big, n - 1, "big", &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(tide_config_parse(&cfg, big, n, "big", &err), TIDE_CONFIG);
    cr_assert_eq(tide_config_parse(&cfg, "{\"season\"\0: 3}", 14, "nul", &err), TIDE_CONFIG);
    cr_assert_eq(tide_config_load(&cfg, "/nonexistent/x.json", &err), TIDE_CONFIG);
    cr_assert(strstr(err.message, "/nonexistent/x.json"));
    free(big);
    tide_config_free(&cfg);
}

Test(config, nothing_of_any_key_is_set_by_a_wrong_value) {
    for (size_t i = 0; i < tide_config_key_count; ++i) {
        const tide_config_key *key = &tide_config_keys[i];
        tide_config cfg;
        tide_error err;
        if (key->type == TIDE_KEY_TEXT)
            continue; /* any text is one */
        tide_config_init(&cfg);
        char *before = tide_config_dump(&cfg);
        cr_assert_neq(tide_config_set(&cfg, key->path, "?!", &err), TIDE_OK, "%s", key->path);
        cr_assert_eq(strncmp(err.message, key->path, strlen(key->path)), 0, "%s", err.message);
        char *after = tide_config_dump(&cfg);
        cr_assert_str_eq(before, after);
        free(before);
        free(after);
        tide_config_free(&cfg);
    }
}

Test(config, a_fixed_order_of_arima_is_the_whole_of_its_spec) {
    tide_config cfg;
    tide_error err;
    tide_config_init(&cfg);
    const char *const set[][2] = {{"models", "arima"}, {"season", "12"}, {"arima.order", "2,1,0"}};
    for (size_t i = 0; i < sizeof set / sizeof set[0]; ++i)
        cr_assert_eq(tide_config_set(&cfg, set[i][0], set[i][1], &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(tide_config_check(&cfg, &err), TIDE_OK, "%s", err.message);
    const tide_arima_spec *a = &cfg.fit.arima;
    cr_expect(a->fixed && a->p == 2 && a->d == 1 && a->q == 0 && a->P == 0 && a->D == 0 && a->Q == 0);
    cr_expect_eq(a->constant, 1, "one difference: a drift, unless told otherwise");
    cr_expect_eq(a->max_order, 2);
    cr_expect_eq(a->boxcox, TIDE_BOXCOX_NONE);
    tide_config_set(&cfg, "arima.seasonal", "0,1,1", &err);
    tide_config_set(&cfg, "arima.boxcox", "0", &err);
    cr_assert_eq(tide_config_check(&cfg, &err), TIDE_OK, "%s", err.message);
    cr_expect(a->D == 1 && a->Q == 1 && a->constant == 0, "no constant beyond one difference");
    cr_expect_null(tide_config_warning(&cfg), "nobody asked for one");
    tide_config_set(&cfg, "arima.constant", "true", &err);
    cr_assert_eq(tide_config_check(&cfg, &err), TIDE_OK, "%s", err.message);
    cr_expect_eq(a->constant, 0);
    cr_assert_not_null(tide_config_warning(&cfg), "asked for and not fitted");
    cr_expect(strstr(tide_config_warning(&cfg), "arima.constant"));
    tide_config_set(&cfg, "arima.seasonal", "0,0,1", &err);
    cr_assert_eq(tide_config_check(&cfg, &err), TIDE_OK, "%s", err.message);
    cr_expect_eq(a->constant, 1);
    cr_expect_null(tide_config_warning(&cfg));
    tide_config_set(&cfg, "arima.seasonal", "0,1,1", &err);
    cr_expect(a->boxcox == TIDE_BOXCOX_GIVEN && a->lambda == 0.0);
    tide_config_free(&cfg);
}

Test(config, a_search_of_arima_has_the_limits_of_r) {
    tide_config cfg;
    tide_error err;
    tide_config_init(&cfg);
    tide_config_set(&cfg, "models", "ets,arima", &err);
    tide_config_set(&cfg, "freq", "M", &err);
    tide_config_set(&cfg, "arima.boxcox", "auto", &err);
    cr_assert_eq(tide_config_check(&cfg, &err), TIDE_OK, "%s", err.message);
    const tide_arima_spec *a = &cfg.fit.arima;
    cr_expect(!a->fixed && a->d == -1 && a->D == -1 && a->max_p == 5 && a->max_q == 5 && a->max_P == 2 && a->max_Q == 2);
    cr_expect(a->max_order == 5 && a->max_d == 2 && a->max_D == 1 && a->root_min == 1.01 && a->constant == 1);
    cr_expect_eq(a->boxcox, TIDE_BOXCOX_ESTIMATED);
    cr_expect_eq(cfg.fit.slots, TIDE_ETS_FORMS + 1, "a member of ARIMA beside those of ETS");
    tide_config_free(&cfg);
}

Test(config, what_follows_from_freq_and_mode_is_filled_in) {
    tide_config cfg;
    tide_error err;
    tide_config_init(&cfg);
    tide_config_set(&cfg, "freq", "M", &err);
    cr_assert_eq(tide_config_check(&cfg, &err), TIDE_OK);
    cr_assert_eq(cfg.fit.season, 12);
    cr_assert_eq(cfg.fit.ets_mode, TIDE_ETS_AVERAGE);
    cr_assert_eq(cfg.fit.slots, TIDE_ETS_FORMS);
    tide_config_set(&cfg, "ets.robust", "true", &err);
    cr_assert_eq(tide_config_check(&cfg, &err), TIDE_OK);
    cr_assert_eq(cfg.fit.families, TIDE_FAMILIES_ETS);
    cr_assert_eq(cfg.fit.slots, 2 * TIDE_ETS_FORMS);
    cr_assert_eq(cfg.predict.spec.horizon, 24);
    tide_config_set(&cfg, "season", "1", &err);
    tide_config_set(&cfg, "ets.mode", "likelihood", &err);
    cr_assert_eq(tide_config_check(&cfg, &err), TIDE_CONFIG);
    cr_assert(strstr(err.message, "ets.robust"), "%s", err.message);
    cfg.fit.families = 1u << TIDE_FAMILY_ETS;
    tide_config_set(&cfg, "ets.robust", "false", &err);
    cr_assert_eq(tide_config_check(&cfg, &err), TIDE_OK);
    cr_assert_eq(cfg.fit.season, 1);
    cr_assert_eq(cfg.fit.slots, 1);
    cr_assert_eq(cfg.predict.spec.horizon, 10);
    tide_config_free(&cfg);
}

Test(config, passwords_never_come_out) {
    const char *const cases[][2] = {
        {"postgresql://me:secret@host/db", "postgresql://me:***@host/db"},
        {"postgresql://me:sec@ret:x@host:5432/db?a=b", "postgresql://me:***@host:5432/db?a=b"},
        {"postgresql://host/db?user=me&password=secret&x=1", "postgresql://host/db?user=me&password=***&x=1"},
        {"postgresql://host/db?password=secret", "postgresql://host/db?password=***"},
        {"postgresql://me@host/db", "postgresql://me@host/db"},
        {"dir/a:b@c.csv", "dir/a:b@c.csv"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        char out[256];
        tide_redact_url(cases[i][0], out, sizeof out);
        cr_assert_str_eq(out, cases[i][1]);
    }
    tide_config cfg;
    tide_error err;
    tide_config_init(&cfg);
    tide_config_set(&cfg, "source.path", cases[0][0], &err);
    char *dump = tide_config_dump(&cfg);
    cr_assert_not(strstr(dump, "secret"));
    free(dump);
    tide_config_free(&cfg);
}

/* --- what is found out from the first rows
 * ---------------------------------------------------------------------- */
enum { MOST = 64 };
typedef struct block {
    tide_rows rows;
    uint32_t at[MOST], length[MOST];
    int64_t ds[MOST];
    double y[MOST];
} block;

static void fill(block *b, tide_ds_kind kind, const char *freq, int n) {
    tide_freq f;
    memset(b, 0, sizeof *b);
    cr_assert_eq(tide_freq_parse(freq, &f, NULL), TIDE_OK);
    int64_t start = kind == TIDE_DS_TIMESTAMP ? 19723ll * 86400000000 : 19723; /* 2024-01-01, a Monday */
    for (int i = 0; i < n; ++i) {
        b->length[i] = 1;
        b->ds[i] = tide_grid_add(f, kind, start, i, 0);
    }
    b->rows = (tide_rows){.n = (size_t)n,
                          .ds_kind = kind,
                          .bytes = "A",
                          .id_at = b->at,
                          .id_length = b->length,
                          .ds = b->ds,
                          .y = b->y};
}

static tide_status resolve(const block *b, const char *freq, const char *to, char *found, tide_config *cfg,
                           tide_error *err) {
    char note[160];
    tide_config_init(cfg);
    if (freq)
        tide_config_set(cfg, "freq", freq, err);
    if (to)
        tide_config_set(cfg, "source.to", to, err);
    tide_status status = tide_config_check(cfg, err);
    if (!status)
        status = tide_config_resolve(cfg, &b->rows, note, sizeof note, err);
    if (!status && found)
        tide_freq_format(cfg->intake.freq, found, 24);
    return status;
}

Test(config, the_frequency_is_found_from_the_rows) {
    const char *const dates[] = {"Y", "Q", "M", "W", "B", "D"}, *const times[] = {"M",     "D",    "6h", "h",
                                                                                  "30min", "5min", "s"};
    for (size_t i = 0; i < 6 + 7; ++i) {
        const char *want = i < 6 ? dates[i] : times[i - 6];
        char found[24] = "";
        block b;
        tide_config cfg;
        tide_error err = {TIDE_OK, ""};
        fill(&b, i < 6 ? TIDE_DS_DATE : TIDE_DS_TIMESTAMP, want, 40);
        cr_assert_eq(resolve(&b, NULL, NULL, found, &cfg, &err), TIDE_OK, "%s: %s", want, err.message);
        cr_assert_str_eq(found, want);
        tide_config_free(&cfg);
    }
}

Test(config, a_frequency_that_is_not_clear_is_asked_for) {
    block b;
    tide_config cfg;
    tide_error err;
    fill(&b, TIDE_DS_DATE, "D", 40);
    for (int i = 0; i < 40; ++i)
        b.ds[i] = 19723 + i * i;
    cr_assert_eq(resolve(&b, NULL, NULL, NULL, &cfg, &err), TIDE_CONFIG);
    cr_assert(strstr(err.message, "--freq"));
    tide_config_free(&cfg);
    fill(&b, TIDE_DS_DATE, "D", 1);
    cr_assert_eq(resolve(&b, NULL, NULL, NULL, &cfg, &err), TIDE_CONFIG);
    tide_config_free(&cfg);
    fill(&b, TIDE_DS_DATE, "D", 5);
    cr_assert_neq(resolve(&b, "h", NULL, NULL, &cfg, &err), TIDE_OK, "hours need timestamps");
    tide_config_free(&cfg);
}

Test(config, a_bound_takes_the_kind_of_the_data) {
    block b;
    tide_config cfg;
    tide_error err = {TIDE_OK, ""};
    fill(&b, TIDE_DS_TIMESTAMP, "h", 10);
    cr_assert_eq(resolve(&b, "h", "2024-01-01", NULL, &cfg, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(cfg.intake.to_ds, 19724ll * 86400000000 - 1, "the whole day");
    tide_config_free(&cfg);
    fill(&b, TIDE_DS_DATE, "D", 10);
    cr_assert_eq(resolve(&b, "D", "2024-01-01T12:00", NULL, &cfg, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(cfg.intake.to_ds, 19723);
    tide_config_free(&cfg);
    cr_assert_eq(resolve(&b, "D", "17", NULL, &cfg, &err), TIDE_CONFIG);
    cr_assert(strstr(err.message, "source.to"));
    tide_config_free(&cfg);
}

static tide_status two_blocks(void *self, tide_rows *rows, tide_error *err) {
    int *left = (int *)self;
    (void)err;
    memset(rows, 0, sizeof *rows);
    rows->n = *left > 0 ? (size_t)*left : 0;
    --*left;
    return TIDE_OK;
}

Test(config, peeking_loses_no_block) {
    int left = 2;
    tide_source inner = {.self = &left, .next = two_blocks}, source;
    tide_rows rows;
    cr_assert_eq(tide_peek(&inner, &source, &rows, NULL), TIDE_OK);
    cr_assert_eq(rows.n, 2);
    for (size_t want = 2;; --want) {
        cr_assert_eq(source.next(source.self, &rows, NULL), TIDE_OK);
        cr_assert_eq(rows.n, want);
        if (!want)
            break;
    }
    source.close(source.self);
}
