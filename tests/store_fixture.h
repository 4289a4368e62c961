/* store_fixture.h - synthetic stores for the tests: series number i is a pure function of (seed, i), so that
 * a test writes it, reads it back and makes it again to compare. No series is kept. */
#ifndef TIDE_STORE_FIXTURE_H
#define TIDE_STORE_FIXTURE_H

#include "host/names.h"
#include "host/panel.h"
#include "io/spool.h"
#include "io/store_format.h"
#include "io/store_write.h"
#include "kernels/results.h"
#include "kernels/tide_fn.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { FIX_SEASON = 12, FIX_SLOTS = 3, FIX_COEFS = 24, FIX_STATES = 48 };

/* A fault of the fixture itself ends the program: it is no test's subject, and the fuzzer has no Criterion.
 */
static inline void fix_must(int fact, const char *what) {
    if (fact)
        return;
    perror(what);
    abort();
}

static inline uint64_t fix_random(uint64_t *state) { /* splitmix64 */
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static inline double fix_double(uint64_t *state) {
    return (double)(fix_random(state) >> 11) * 0x1p-53 * 200.0 - 100.0;
}

typedef struct fix_member {
    uint8_t family, converged;
    uint32_t form;
    int32_t n_params;
    double weight, sigma2, loglik, criterion;
    double coef[FIX_COEFS], state[FIX_STATES]; /* zero past what the form has */
} fix_member;

typedef struct fix_series {
    char id[12000];
    size_t id_length, n_values;
    uint8_t outcome, end_of_month, n_members;
    int32_t n_obs;
    int64_t first_ds, last_ds;
    double scale;
    uint64_t fingerprint;
    fix_member member[FIX_SLOTS];
} fix_series;

/* Ids of all kinds: most short, some UTF-8, with NUL and quotes, or 10 kB long. */
static inline void fix_id(uint64_t i, fix_series *s) {
    if (i % 97 == 3)
        s->id_length = (size_t)snprintf(s->id, sizeof s->id, "Käse \"%llu\", süß\n", (unsigned long long)i);
    else if (i % 97 == 5) {
        s->id_length = (size_t)snprintf(s->id, sizeof s->id, "nul-%llu", (unsigned long long)i);
        s->id[3] = 0;
    } else if (i % 997 == 7) {
        memset(s->id, 'x', 10000);
        s->id_length = 10000 + (size_t)snprintf(s->id + 10000, 100, "%llu", (unsigned long long)i);
    } else
        s->id_length = (size_t)snprintf(s->id, sizeof s->id, "s%llu", (unsigned long long)i);
}

/* An order of ARIMA with up to 2 lags of each kind. */
static inline uint32_t fix_order(uint64_t bits) {
    tide_arima_order o = {.p = (int)(bits % 3),
                          .q = (int)(bits / 3 % 3),
                          .P = (int)(bits / 9 % 2),
                          .Q = (int)(bits / 18 % 3),
                          .d = (int)(bits / 54 % 3),
                          .D = (int)(bits / 162 % 2),
                          .boxcox = (int)(bits / 324 % 2),
                          .fourier = (int)(bits / 648 % 3)};
    o.constant = o.d + o.D < 2 && bits / 1944 % 2;
    return tide_arima_form(o);
}

static inline void fix_make(uint64_t seed, uint64_t i, fix_series *s) {
    uint64_t r = seed * 0x2545f4914f6cdd1dull + i;
    memset(s, 0, sizeof *s);
    fix_id(i, s);
    s->n_values = (size_t)(fix_random(&r) % 5);
    s->outcome = (uint8_t)(fix_random(&r) % TIDE_OUTCOME_COUNT);
    s->end_of_month = (uint8_t)(fix_random(&r) & 1);
    s->n_members = (uint8_t)(i % 11 == 0 ? 0 : 1 + fix_random(&r) % FIX_SLOTS);
    s->n_obs = (int32_t)s->n_values;
    s->first_ds = (int64_t)(fix_random(&r) % 20000) - 10000;
    s->last_ds = s->first_ds + (int64_t)s->n_values;
    s->scale = 1024.0;
    s->fingerprint = fix_random(&r);
    for (int j = 0; j < s->n_members; ++j) {
        fix_member *m = &s->member[j];
        m->family = (uint8_t)(1 + fix_random(&r) % (TIDE_FAMILY_COUNT - 1));
        m->form = (uint32_t)(TIDE_FAMILIES_ETS >> m->family & 1u ? fix_random(&r) % TIDE_ETS_FORMS : 0);
        if (m->family == TIDE_FAMILY_ARIMA)
            m->form = fix_order(fix_random(&r));
        m->converged = (uint8_t)(fix_random(&r) & 1);
        m->n_params = (int32_t)(fix_random(&r) % 20);
        m->weight = 1.0 / s->n_members;
        m->sigma2 = tide_abs(fix_double(&r));
        m->loglik = fix_double(&r);
        m->criterion = fix_double(&r);
        for (int k = 0; k < tide_coef_count(m->family, m->form); ++k)
            m->coef[k] = 0.005 * (100.0 + fix_double(&r));
        if (m->family == TIDE_FAMILY_ARIMA)
            m->coef[tide_arima_steps_at(tide_arima_order_of(m->form))] = 60.0;
        for (int k = 0; k < tide_state_count(m->family, m->form, FIX_SEASON); ++k)
            m->state[k] = fix_double(&r);
    }
}

/* Series [first, first + n) as a panel and its results; both to be freed with fix_batch_free. */
typedef struct fix_batch {
    tide_panel panel;
    tide_results results;
    void *block;
} fix_batch;

static inline void fix_batch_make(fix_batch *b, uint64_t seed, uint64_t first, size_t n) {
    memset(b, 0, sizeof *b);
    fix_series *s = malloc(sizeof *s);
    tide_results *r = &b->results;
    *r = (tide_results){
        .n_series = n, .slots = FIX_SLOTS, .coef_rows = FIX_COEFS, .state_rows = FIX_STATES};
    b->block = calloc(1, tide_results_map(r, NULL) + 1);
    tide_results_map(r, b->block);
    tide_panel_init(&b->panel);
    b->panel.first_number = first;
    for (size_t i = 0; i < n; ++i) {
        fix_make(seed, first + i, s);
        tide_error err = {0};
        fix_must(tide_panel_add(&b->panel, s->id, s->id_length, NULL, s->n_values, s->first_ds, s->last_ds,
                                &err) == TIDE_OK,
                 err.message);
        b->panel.end_of_month[i] = s->end_of_month;
        b->panel.fingerprint[i] = s->fingerprint;
        r->outcome[i] = s->outcome;
        r->n_members[i] = s->n_members;
        r->n_obs[i] = s->n_obs;
        r->scale[i] = s->scale;
        for (size_t j = 0; j < s->n_members; ++j) {
            const fix_member *m = &s->member[j];
            size_t k = j * n + i;
            r->family[k] = m->family;
            r->form[k] = m->form;
            r->converged[k] = m->converged;
            r->n_params[k] = m->n_params;
            r->weight[k] = m->weight;
            r->sigma2[k] = m->sigma2;
            r->loglik[k] = m->loglik;
            r->criterion[k] = m->criterion;
            for (size_t q = 0; q < FIX_COEFS; ++q)
                r->coef[(j * FIX_COEFS + q) * n + i] = m->coef[q];
            for (size_t q = 0; q < FIX_STATES; ++q)
                r->state[(j * FIX_STATES + q) * n + i] = m->state[q];
        }
    }
    free(s);
}

static inline void fix_batch_free(fix_batch *b) {
    tide_panel_free(&b->panel);
    free(b->block);
}

/* Two regressors over five months, the fourth of them missing. */
static inline const tide_xreg_table *fix_xreg(void) {
    static const double x[10] = {1.0, 0.5, 0.0, -2.25, 0.0, 1e300, 0.0, 0.0, 1.0, 3.0};
    static const uint8_t present[5] = {1, 1, 1, 0, 1};
    static const tide_xreg_table table = {
        .n = 2, .end_of_month = 1, .rows = 5, .first_ds = 30, .x = x, .present = present, .names = "promo\0a,\"b\""};
    return &table;
}

static inline tide_store_writer_options fix_options(const char *dir) {
    return (tide_store_writer_options){.dir = dir,
                                       .freq = {TIDE_UNIT_MONTH, 1},
                                       .season = FIX_SEASON,
                                       .seed = 42,
                                       .run_id = "20240131T120000Z-test",
                                       .xreg = fix_xreg(),
                                       .backend = "cpu test"};
}

/* Writes a generation of n series; the status of the step that failed, or TIDE_OK. */
static inline tide_status fix_write(const tide_store_writer_options *options, uint64_t seed, size_t n,
                                    tide_store_written *written, tide_error *err) {
    tide_sink sink;
    tide_status status = tide_store_writer_open(options, &sink, err);
    if (status != TIDE_OK)
        return status;
    tide_store_writer_set_kind(&sink, TIDE_DS_DATE);
    for (size_t first = 0; first < n && status == TIDE_OK; first += 500) {
        fix_batch b;
        fix_batch_make(&b, seed, first, n - first < 500 ? n - first : 500);
        status = sink.write(sink.self, &b.panel, &b.results, err);
        fix_batch_free(&b);
    }
    if (status == TIDE_OK)
        status = sink.finish(sink.self, err);
    if (status == TIDE_OK && written)
        tide_store_writer_written(&sink, written);
    sink.close(sink.self);
    return status;
}

/* Name of a new, empty directory under TMPDIR; removed by fix_remove. */
static inline void fix_directory(char path[256]) {
    const char *base = getenv("TMPDIR");
    snprintf(path, 256, "%s/tidemill-test-XXXXXX", base && *base ? base : "/tmp");
    fix_must(mkdtemp(path) != NULL, path);
}

static inline void fix_remove(const char *path) {
    DIR *list = opendir(path);
    if (!list)
        return;
    for (struct dirent *e = readdir(list); e; e = readdir(list))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlinkat(dirfd(list), e->d_name, 0);
    closedir(list);
    rmdir(path);
}

/* Entries that begin with `prefix`. */
static inline int fix_count_entries(const char *path, const char *prefix) {
    DIR *list = opendir(path);
    int n = 0;
    for (struct dirent *e = list ? readdir(list) : NULL; e; e = readdir(list))
        n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    if (list)
        closedir(list);
    return n;
}

/* --- generation files as bytes, for damage
 * ------------------------------------------------------------------------ */

typedef struct fix_file {
    unsigned char *bytes;
    size_t n;
} fix_file;

static inline fix_file fix_read(const char *path) {
    fix_file f = {0};
    FILE *in = fopen(path, "rb");
    fix_must(in != NULL, path);
    fseek(in, 0, SEEK_END);
    f.n = (size_t)ftell(in);
    rewind(in);
    f.bytes = malloc(f.n);
    fix_must(f.bytes && fread(f.bytes, 1, f.n, in) == f.n, path);
    fclose(in);
    return f;
}

static inline void fix_write_bytes(const char *path, const void *bytes, size_t n) {
    unlink(path);
    FILE *out = fopen(path, "wb");
    fix_must(out != NULL, path);
    fix_must(fwrite(bytes, 1, n, out) == n, path);
    fclose(out);
}

static inline tide_store_header fix_header(const fix_file *f) {
    tide_store_header h;
    memcpy(&h, f->bytes, sizeof h);
    return h;
}

static inline tide_store_entry fix_entry(const fix_file *f, int column) {
    tide_store_entry e;
    memcpy(&e, f->bytes + TIDE_ENTRIES_AT + (size_t)column * sizeof e, sizeof e);
    return e;
}

/* Makes the user block's checksum right again after a change in it. */
static inline void fix_seal_directory(fix_file *f) {
    size_t at = offsetof(tide_store_header, user_block_xxh3);
    memset(f->bytes + at, 0, 8);
    uint64_t sum = XXH3_64bits(f->bytes, TIDE_USER_BLOCK);
    memcpy(f->bytes + at, &sum, 8);
}

/* Makes all checksums right again; the directory must be sane. */
static inline void fix_seal(fix_file *f) {
    tide_store_header h = fix_header(f);
    tide_store_entry sums = fix_entry(f, TIDE_COL_BLOCK_XXH3);
    for (int i = 0; i < TIDE_COL_BLOCK_XXH3; ++i) {
        tide_store_entry e = fix_entry(f, i);
        uint64_t bytes = e.count * tide_type_bytes(e.type);
        for (uint64_t b = 0; b < tide_blocks_of(bytes); ++b) {
            uint64_t at = b * TIDE_BLOCK_BYTES,
                     n = bytes - at < TIDE_BLOCK_BYTES ? bytes - at : TIDE_BLOCK_BYTES;
            uint64_t sum = XXH3_64bits(f->bytes + e.offset + at, (size_t)n);
            memcpy(f->bytes + sums.offset + (e.first_block + b) * 8, &sum, 8);
        }
    }
    h.block_xxh3_xxh3 = XXH3_64bits(f->bytes + sums.offset, (size_t)sums.count * 8);
    memcpy(f->bytes, &h, sizeof h);
    fix_seal_directory(f);
}

/* Reads every series and member and looks every id up; the first error, or TIDE_OK. Sums what it reads, so
 * that no read can be left out. */
static inline tide_status fix_read_all(const tide_store *store, double *sum, tide_error *err) {
    tide_store_info info;
    tide_xreg_table x;
    tide_store_get_info(store, &info);
    TIDE_TRY(tide_store_xreg(store, &x, err));
    for (int64_t t = 0; t < x.rows * x.n; ++t)
        *sum += x.x[t] < 1e6 ? x.x[t] : 1.0;
    for (int64_t t = 0; t < x.rows; ++t)
        *sum += x.present[t];
    for (int i = 0; i < x.n; ++i)
        *sum += (double)strlen(tide_xreg_name(&x, i));
    for (uint64_t i = 0; i < info.n_series; ++i) {
        tide_series_model s;
        int64_t row = -1;
        TIDE_TRY(tide_store_series(store, (int64_t)i, &s, err));
        TIDE_TRY(tide_store_find(store, s.id, s.id_length, &row, err));
        *sum += (double)row + s.scale + (double)s.outcome + (double)s.last_ds;
        for (int32_t j = 0; j < s.n_members; ++j) {
            tide_member m;
            TIDE_TRY(tide_store_member(store, &s, j, &m, err));
            for (int32_t k = 0; k < m.n_coef; ++k)
                *sum += m.coef[k];
            for (int32_t k = 0; k < m.n_state; ++k)
                *sum += m.state[k];
        }
    }
    return TIDE_OK;
}

#endif
