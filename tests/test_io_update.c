/* The second half of an update on stores with every family, form and odd id: untouched rows to the bit, rolled members as the
 * kernel alone rolls them, all or nothing by row, any number of threads; the summary. What goes before: tests/cli/update.sh. */
#include "tests/store_fixture.h"
#include "host/hash.h"
#include "io/update_rows.h"
#include "kernels/roll.h"

#include <criterion/criterion.h>
#include <math.h>

enum { SERIES = 1300, SEED = 5 };

/* New values of row i: 1 to 4, some missing, some zero or below; none for two rows of three. */
static int fresh_of(uint64_t i, double y[4]) {
    uint64_t r = i * 77 + 1;
    int n = i % 3 == 1 ? 1 + (int)(fix_random(&r) % 4) : 0;
    for (int t = 0; t < n; ++t) {
        y[t] = fix_double(&r) + (i % 2 ? 150.0 : 20.0);
        if (fix_random(&r) % 5 == 0)
            y[t] = TIDE_NAN;
    }
    return n;
}

/* Updates the store in `dir` by those values; what the writer published. */
static tide_store_written update(const char *dir, int workers, int none, tide_update_summary *summary) {
    tide_store *store = NULL;
    tide_store_info info;
    tide_sink sink;
    tide_pool *pool = NULL;
    tide_error err = {0};
    tide_spool spool = {.fd = -1};
    tide_store_writer_options options = fix_options(dir);
    tide_store_written written = {0};
    tide_update_entry *entry = calloc(SERIES, sizeof *entry);
    memset(summary, 0, sizeof *summary);
    cr_assert_eq(tide_store_open(dir, TIDE_VERIFY_TOUCHED, &store, &err), TIDE_OK, "%s", err.message);
    tide_store_get_info(store, &info);
    cr_assert_eq(tide_store_writer_open(&options, &sink, &err), TIDE_OK, "%s", err.message);
    tide_store_writer_set_kind(&sink, info.ds_kind);
    cr_assert_eq(tide_pool_create(workers, &pool, &err), TIDE_OK);
    int at = open("/tmp", O_RDONLY | O_DIRECTORY);
    cr_assert_eq(tide_spool_open(&spool, at, "test", &err), TIDE_OK, "%s", err.message);
    close(at);
    for (uint64_t i = 0; i < SERIES && !none; ++i) {
        double y[4];
        uint64_t mark = 1000 + i;
        entry[i].n = (uint32_t)fresh_of(i, y);
        entry[i].at = spool.bytes;
        if (entry[i].n) {
            cr_assert_eq(tide_spool_put(&spool, &mark, 8, &err), TIDE_OK);
            cr_assert_eq(tide_spool_put(&spool, y, entry[i].n * sizeof *y, &err), TIDE_OK);
        }
    }
    cr_assert_eq(tide_spool_flush(&spool, &err), TIDE_OK);
    const tide_update_rows rows = {
        .store = store, .info = &info, .entry = entry, .spool = &spool, .pool = pool, .sink = &sink, .summary = summary};
    cr_assert_eq(tide_update_write(&rows, &err), TIDE_OK, "%s", err.message);
    if (summary->updated)
        tide_store_writer_written(&sink, &written);
    sink.close(sink.self);
    tide_store_close(store);
    tide_spool_close(&spool);
    tide_pool_free(pool);
    free(entry);
    return written;
}

/* Series i of the updated store, by the fixture and the kernel; 1 when it was rolled, -1 when it was refused, 0 without news. */
static int check(const tide_store *store, uint64_t i, fix_series *want, double *scratch) {
    tide_series_model s;
    tide_error err = {0};
    double y[4], coef[FIX_SLOTS][FIX_COEFS], state[FIX_SLOTS][FIX_STATES];
    int n = fresh_of(i, y), ok = n > 0, present = 0;
    fix_make(SEED, i, want);
    cr_assert_eq(tide_store_series(store, (int64_t)i, &s, &err), TIDE_OK, "%s", err.message);
    cr_assert(s.id_length == want->id_length && memcmp(s.id, want->id, s.id_length) == 0, "order of rows");
    for (int j = 0; j < want->n_members && ok; ++j) {
        memcpy(coef[j], want->member[j].coef, sizeof coef[j]);
        memcpy(state[j], want->member[j].state, sizeof state[j]);
        ok = tide_roll_with(want->member[j].family, want->member[j].form, FIX_SEASON, want->scale, NULL, 0, 0, y, n, coef[j],
                            state[j], scratch);
    }
    for (int t = 0; t < n; ++t)
        present += !isnan(y[t]);
    int64_t last = ok ? tide_grid_add((tide_freq){TIDE_UNIT_MONTH, 1}, TIDE_DS_DATE, want->last_ds, n, want->end_of_month)
                      : want->last_ds;
    cr_expect_eq(s.last_ds, last);
    cr_expect_eq(s.first_ds, want->first_ds);
    cr_expect_eq(s.n_values, (int32_t)want->n_values + (ok ? n : 0));
    cr_expect_eq(s.n_obs, want->n_obs + (ok ? present : 0));
    cr_expect_eq(s.fingerprint, ok ? 1000 + i : want->fingerprint);
    cr_expect_eq(s.outcome, want->outcome);
    cr_expect_eq(s.scale, want->scale);
    cr_assert_eq(s.n_members, want->n_members);
    for (int j = 0; j < want->n_members; ++j) {
        const fix_member *w = &want->member[j];
        const double *c = ok ? coef[j] : w->coef, *x = ok ? state[j] : w->state;
        tide_member m;
        cr_assert_eq(tide_store_member(store, &s, j, &m, &err), TIDE_OK, "%s", err.message);
        cr_expect(m.family == w->family && m.form == w->form && m.converged == w->converged && m.n_params == w->n_params);
        cr_expect(m.weight == w->weight && m.sigma2 == w->sigma2 && m.loglik == w->loglik && m.criterion == w->criterion);
        cr_expect_eq(memcmp(m.coef, c, (size_t)m.n_coef * sizeof *c), 0, "coefficients of row %d", (int)i);
        cr_expect_eq(memcmp(m.state, x, (size_t)m.n_state * sizeof *x), 0, "states of row %d", (int)i);
    }
    return n == 0 ? 0 : ok ? 1 : -1;
}

Test(update, rows_are_rolled_whole_or_copied_whatever_the_threads) {
    char dir[256];
    tide_error err = {0};
    double *scratch = malloc(tide_roll_scratch(FIX_SEASON) * sizeof *scratch);
    fix_series *want = malloc(sizeof *want);
    for (int workers = 1; workers <= 3; workers += 2) {
        tide_update_summary summary;
        tide_store *store = NULL;
        uint64_t count[3] = {0};
        fix_directory(dir);
        tide_store_writer_options options = fix_options(dir);
        cr_assert_eq(fix_write(&options, SEED, SERIES, NULL, &err), TIDE_OK, "%s", err.message);
        tide_store_written written = update(dir, workers, 0, &summary);
        cr_expect_eq(written.generation, 2);
        cr_assert_eq(tide_store_open(dir, TIDE_VERIFY_ALL, &store, &err), TIDE_OK, "%s", err.message);
        for (uint64_t i = 0; i < SERIES; ++i)
            ++count[1 + check(store, i, want, scratch)];
        cr_expect_eq(summary.refused.n, count[0]);
        cr_expect_eq(summary.unchanged, count[1]);
        cr_expect_eq(summary.updated, count[2]);
        cr_expect(count[0] > 10 && count[2] > 100, "both happen: %d refused, %d rolled", (int)count[0], (int)count[2]);
        cr_expect_neq(summary.refused.named[TIDE_UPDATE_NAMED - 1][0], 0, "the first few are named");
        tide_store_close(store);
        fix_remove(dir);
    }
    free(want);
    free(scratch);
}

Test(update, without_news_nothing_is_published) {
    char dir[256];
    tide_error err = {0};
    tide_update_summary summary;
    fix_directory(dir);
    tide_store_writer_options options = fix_options(dir);
    cr_assert_eq(fix_write(&options, SEED, SERIES, NULL, &err), TIDE_OK, "%s", err.message);
    update(dir, 2, 1, &summary);
    cr_expect_eq(summary.unchanged, SERIES);
    cr_expect_eq(fix_count_entries(dir, "gen-"), 1);
    cr_expect_eq(fix_count_entries(dir, ".tmp"), 0);
    char *json = tide_update_json(&summary);
    cr_assert_not_null(json);
    cr_expect_not_null(strstr(json, "\"unchanged\": 1300"));
    free(json);
    fix_remove(dir);
}
