/* The store's writer and reader together: what goes in comes out, generations, locks, kills and full disks.
 */
#include "tests/store_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

static tide_store *open_store(const char *path, tide_verify verify) {
    tide_store *store = NULL;
    tide_error err = {0};
    cr_assert_eq(tide_store_open(path, verify, &store, &err), TIDE_OK, "%s", err.message);
    return store;
}

static void write_ok(const char *dir, uint64_t seed, size_t n) {
    tide_store_writer_options options = fix_options(dir);
    tide_error err = {0};
    cr_assert_eq(fix_write(&options, seed, n, NULL, &err), TIDE_OK, "%s", err.message);
}

static int same_bits(const double *a, const double *b, int n) {
    return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

/* Series i of the store is series i of the fixture, every bit of it. */
static void check_series(const tide_store *store, uint64_t seed, uint64_t i, fix_series *want) {
    tide_series_model s;
    tide_error err = {0};
    fix_make(seed, i, want);
    cr_assert_eq(tide_store_series(store, (int64_t)i, &s, &err), TIDE_OK, "%s", err.message);
    cr_assert(s.id_length == want->id_length && memcmp(s.id, want->id, s.id_length) == 0, "id of %lu",
              (unsigned long)i);
    cr_assert_eq(s.outcome, want->outcome);
    cr_assert_eq(s.end_of_month, want->end_of_month);
    cr_assert_eq(s.n_values, (int32_t)want->n_values);
    cr_assert_eq(s.n_obs, want->n_obs);
    cr_assert_eq(s.first_ds, want->first_ds);
    cr_assert_eq(s.last_ds, want->last_ds);
    cr_assert_eq(s.fingerprint, want->fingerprint);
    cr_assert_eq(s.key, XXH3_64bits(want->id, want->id_length));
    cr_assert_eq(s.key, tide_id_key(want->id, want->id_length));
    cr_assert(same_bits(&s.scale, &want->scale, 1));
    cr_assert_eq(tide_to_bits(s.backtest_error), tide_to_bits(TIDE_NAN));
    cr_assert_eq(s.n_members, want->n_members);
    for (int32_t j = 0; j < s.n_members; ++j) {
        const fix_member *w = &want->member[j];
        tide_member m;
        cr_assert_eq(tide_store_member(store, &s, j, &m, &err), TIDE_OK, "%s", err.message);
        cr_assert(m.family == w->family && m.form == w->form && m.converged == w->converged);
        cr_assert_eq(m.n_params, w->n_params);
        cr_assert(same_bits(&m.weight, &w->weight, 1) && same_bits(&m.sigma2, &w->sigma2, 1) &&
                  same_bits(&m.loglik, &w->loglik, 1) && same_bits(&m.criterion, &w->criterion, 1));
        cr_assert_eq(m.n_coef, tide_coef_count(w->family, w->form));
        cr_assert_eq(m.n_state, tide_state_count(w->family, w->form, FIX_SEASON));
        cr_assert(same_bits(m.coef, w->coef, m.n_coef) && same_bits(m.state, w->state, m.n_state));
    }
    cr_assert_eq(tide_store_member(store, &s, s.n_members, &(tide_member){0}, &err), TIDE_NOT_FOUND);
}

Test(store, every_field_comes_back_bit_for_bit) {
    char dir[256];
    fix_series *want = malloc(sizeof *want);
    fix_directory(dir);
    write_ok(dir, 1, 4000);
    for (int verify = TIDE_VERIFY_TOUCHED; verify <= TIDE_VERIFY_ALL; ++verify) {
        tide_store *store = open_store(dir, (tide_verify)verify);
        tide_store_info info;
        tide_error err = {0};
        tide_store_get_info(store, &info);
        cr_assert_eq(info.format_version, (uint32_t)TIDE_STORE_VERSION);
        cr_assert_eq(info.generation, 1u);
        cr_assert_eq(info.n_series, 4000u);
        cr_assert(info.freq.unit == TIDE_UNIT_MONTH && info.freq.multiple == 1);
        cr_assert_eq(info.season, FIX_SEASON);
        cr_assert_eq(info.ds_kind, TIDE_DS_DATE);
        cr_assert_eq(info.seed, 42u);
        cr_assert_str_eq(info.run_id, "20240131T120000Z-test");
        cr_assert_str_eq(info.backend, "cpu test");
        cr_assert_str_eq(info.code_version, TIDE_VERSION "+" TIDE_COMMIT);
        cr_assert_eq(strlen(info.created_utc), 20u);
        tide_xreg_table x;
        const tide_xreg_table *given = fix_xreg();
        cr_assert_eq(tide_store_xreg(store, &x, &err), TIDE_OK);
        cr_assert(x.n == 2 && x.rows == 5 && x.first_ds == 30 && x.end_of_month == 1);
        cr_assert_arr_eq(x.x, given->x, 10 * sizeof *x.x);
        cr_assert_arr_eq(x.present, given->present, 5);
        cr_assert_str_eq(tide_xreg_name(&x, 0), "promo");
        cr_assert_str_eq(tide_xreg_name(&x, 1), "a,\"b\"");
        cr_assert_str_eq(tide_xreg_name(&x, 2), "");
        for (uint64_t i = 0; i < 4000; ++i)
            check_series(store, 1, i, want);
        cr_assert_eq(tide_store_series(store, 4000, &(tide_series_model){0}, &err), TIDE_NOT_FOUND);
        cr_assert_eq(tide_store_series(store, -1, &(tide_series_model){0}, &err), TIDE_NOT_FOUND);
        tide_store_close(store);
    }
    free(want);
    fix_remove(dir);
}

/* A generation without regressors has the bytes of version 2 but for the directory: three empty columns more. */
Test(store, a_generation_of_version_2_is_read) {
    char dir[256], path[320];
    fix_series *want = malloc(sizeof *want);
    tide_xreg_table x;
    fix_directory(dir);
    tide_store_writer_options options = fix_options(dir);
    options.xreg = NULL;
    cr_assert_eq(fix_write(&options, 1, 300, NULL, NULL), TIDE_OK);
    snprintf(path, sizeof path, "%s/gen-000001.h5", dir);
    fix_file f = fix_read(path);
    tide_store_header h = fix_header(&f);
    h.version = 2;
    h.n_columns = TIDE_COLUMNS - TIDE_XREG_COLUMNS;
    memcpy(f.bytes, &h, sizeof h);
    unsigned char *entries = f.bytes + TIDE_ENTRIES_AT;
    const size_t size = sizeof(tide_store_entry);
    memcpy(entries + (size_t)TIDE_COL_XREG_NAMES * size, entries + (size_t)TIDE_COL_BLOCK_XXH3 * size, size);
    memset(entries + h.n_columns * size, 0, TIDE_XREG_COLUMNS * size);
    fix_seal_directory(&f);
    fix_write_bytes(path, f.bytes, f.n);
    tide_store *store = open_store(path, TIDE_VERIFY_ALL);
    for (uint64_t i = 0; i < 300; ++i)
        check_series(store, 1, i, want);
    cr_assert(tide_store_xreg(store, &x, NULL) == TIDE_OK && x.n == 0 && x.rows == 0);
    tide_store_close(store);
    free(f.bytes);
    free(want);
    fix_remove(dir);
}

Test(store, generation_file_is_read_only_and_nothing_else_is_left) {
    char dir[256], path[320], target[64] = {0};
    struct stat st;
    fix_directory(dir);
    write_ok(dir, 1, 100);
    snprintf(path, sizeof path, "%s/gen-000001.h5", dir);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0444u);
    snprintf(path, sizeof path, "%s/CURRENT", dir);
    cr_assert_gt(readlink(path, target, sizeof target - 1), 0);
    cr_assert_str_eq(target, "gen-000001.h5");
    cr_assert_eq(fix_count_entries(dir, ""), 2 + 3, "., .., .lock, CURRENT, gen");
    fix_remove(dir);
}

Test(store, ids_present_and_absent_are_told_apart) {
    char dir[256];
    fix_series *s = malloc(sizeof *s);
    fix_directory(dir);
    for (uint64_t seed = 0; seed < 2; ++seed) { /* the second generation under another hash seed */
        tide_store_writer_options options = fix_options(dir);
        tide_error err = {0};
        options.index_seed = seed * 77;
        cr_assert_eq(fix_write(&options, 1, 9000, NULL, &err), TIDE_OK, "%s", err.message);
        tide_store *store = open_store(dir, TIDE_VERIFY_TOUCHED);
        int64_t row;
        for (uint64_t i = 0; i < 9000; ++i) {
            fix_id(i, s);
            cr_assert_eq(tide_store_find(store, s->id, s->id_length, &row, &err), TIDE_OK, "%s", err.message);
            cr_assert_eq(row, (int64_t)i);
            s->id[s->id_length - 1] = '#';
            cr_assert_eq(tide_store_find(store, s->id, s->id_length, &row, &err), TIDE_OK);
            cr_assert_eq(row, -1);
        }
        cr_assert_eq(tide_store_find(store, "", 0, &row, &err), TIDE_OK);
        cr_assert_eq(row, -1);
        cr_assert_eq(tide_store_find(store, "s1\0", 3, &row, &err), TIDE_OK);
        cr_assert_eq(row, -1, "a NUL at the end makes another id");
        tide_store_close(store);
    }
    free(s);
    fix_remove(dir);
}

/* More than one part of the index, with probes over its borders; every id once. */
Test(store, index_of_several_parts_finds_every_id) {
    enum { N = 200000, BATCH = 5000 };
    char dir[256], id[32];
    tide_sink sink;
    tide_error err = {0};
    fix_directory(dir);
    tide_store_writer_options options = fix_options(dir);
    cr_assert_eq(tide_store_writer_open(&options, &sink, &err), TIDE_OK, "%s", err.message);
    tide_store_writer_set_kind(&sink, TIDE_DS_DATE);
    for (size_t first = 0; first < N; first += BATCH) {
        fix_batch b;
        fix_batch_make(&b, 1, first, 1);
        tide_panel_clear(&b.panel);
        b.panel.first_number = first;
        for (size_t i = 0; i < BATCH; ++i) {
            int n = snprintf(id, sizeof id, "%zu", first + i);
            cr_assert_eq(tide_panel_add(&b.panel, id, (size_t)n, NULL, 1, 0, 0, &err), TIDE_OK);
        }
        free(b.block);
        b.results.n_series = BATCH;
        b.block = calloc(1, tide_results_map(&b.results, NULL));
        tide_results_map(&b.results, b.block);
        cr_assert_eq(sink.write(sink.self, &b.panel, &b.results, &err), TIDE_OK, "%s", err.message);
        fix_batch_free(&b);
    }
    cr_assert_eq(sink.finish(sink.self, &err), TIDE_OK, "%s", err.message);
    sink.close(sink.self);
    tide_store *store = open_store(dir, TIDE_VERIFY_ALL);
    for (size_t i = 0; i < N; ++i) {
        int64_t row;
        int n = snprintf(id, sizeof id, "%zu", i);
        cr_assert_eq(tide_store_find(store, id, (size_t)n, &row, &err), TIDE_OK);
        cr_assert_eq(row, (int64_t)i);
    }
    tide_store_close(store);
    fix_remove(dir);
}

Test(store, of_no_series_can_be_written_and_read) {
    char dir[256];
    tide_error err = {0};
    int64_t row;
    fix_directory(dir);
    write_ok(dir, 1, 0);
    tide_store *store = open_store(dir, TIDE_VERIFY_ALL);
    cr_assert_eq(tide_store_find(store, "a", 1, &row, &err), TIDE_OK);
    cr_assert_eq(row, -1);
    cr_assert_eq(tide_store_series(store, 0, &(tide_series_model){0}, &err), TIDE_NOT_FOUND);
    tide_store_close(store);
    fix_remove(dir);
}

Test(store, generations_count_up_and_old_ones_are_pruned) {
    char dir[256];
    tide_error err = {0};
    tide_store_info info;
    fix_directory(dir);
    for (uint64_t g = 1; g <= 5; ++g) {
        tide_store_writer_options options = fix_options(dir);
        tide_store_written written = {0};
        options.keep = g < 5 ? 0 : 2;
        cr_assert_eq(fix_write(&options, g, 50 + g, &written, &err), TIDE_OK, "%s", err.message);
        cr_assert_eq(written.generation, g);
        cr_assert_eq(written.n_series, 50 + g);
        cr_assert_eq(written.pruned, g < 5 ? 0 : 3);
        tide_store *store = open_store(dir, TIDE_VERIFY_ALL);
        tide_store_get_info(store, &info);
        cr_assert_eq(info.generation, g);
        cr_assert_eq(info.file_bytes, written.file_bytes);
        tide_store_close(store);
    }
    cr_assert_eq(fix_count_entries(dir, "gen-"), 2);
    fix_remove(dir);
}

Test(store, open_one_is_still_read_after_its_generation_is_pruned) {
    char dir[256];
    tide_error err = {0};
    double sum = 0;
    fix_directory(dir);
    write_ok(dir, 1, 300);
    tide_store *old = open_store(dir, TIDE_VERIFY_TOUCHED);
    tide_store_writer_options options = fix_options(dir);
    options.keep = 1;
    cr_assert_eq(fix_write(&options, 2, 10, NULL, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(fix_count_entries(dir, "gen-"), 1);
    cr_assert_eq(fix_read_all(old, &sum, &err), TIDE_OK, "%s", err.message);
    tide_store_close(old);
    fix_remove(dir);
}

Test(store, duplicate_id_is_refused_by_name_and_the_old_generation_stays) {
    char dir[256];
    tide_error err = {0};
    tide_sink sink;
    fix_batch b;
    fix_directory(dir);
    write_ok(dir, 1, 100);
    tide_store_writer_options options = fix_options(dir);
    cr_assert_eq(tide_store_writer_open(&options, &sink, &err), TIDE_OK);
    tide_store_writer_set_kind(&sink, TIDE_DS_DATE);
    fix_batch_make(&b, 1, 0, 100);
    cr_assert_eq(sink.write(sink.self, &b.panel, &b.results, &err), TIDE_OK, "%s", err.message);
    b.panel.first_number = 100;
    cr_assert_eq(sink.write(sink.self, &b.panel, &b.results, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(sink.finish(sink.self, &err), TIDE_INPUT);
    cr_assert_not_null(strstr(err.message, "comes twice"), "%s", err.message);
    sink.close(sink.self);
    fix_batch_free(&b);
    cr_assert_eq(fix_count_entries(dir, ".tmp"), 0);
    cr_assert_eq(fix_count_entries(dir, "gen-"), 1);
    tide_store_close(open_store(dir, TIDE_VERIFY_ALL));
    fix_remove(dir);
}

Test(store, batches_out_of_order_and_leftover_rows_are_faults) {
    char dir[256];
    tide_error err = {0};
    fix_batch b;
    fix_directory(dir);
    tide_store_writer_options options = fix_options(dir);
    for (int fault = 0; fault < 3; ++fault) {
        tide_sink sink;
        cr_assert_eq(tide_store_writer_open(&options, &sink, &err), TIDE_OK, "%s", err.message);
        tide_store_writer_set_kind(&sink, TIDE_DS_DATE);
        fix_batch_make(&b, 1, fault == 0 ? 7 : 0, 20);
        if (fault == 1) { /* a state that the form does not have would be lost */
            b.results.family[5] = TIDE_FAMILY_NAIVE;
            b.results.form[5] = 0;
            b.results.state[13 * 20 + 5] = 3.0;
        }
        if (fault == 2)
            b.results.family[5] = 200;
        cr_assert_eq(sink.write(sink.self, &b.panel, &b.results, &err), TIDE_INTERNAL);
        cr_assert_eq(sink.finish(sink.self, &err), TIDE_INTERNAL, "a failed sink does not publish");
        sink.close(sink.self);
        fix_batch_free(&b);
    }
    cr_assert_eq(fix_count_entries(dir, "gen-"), 0);
    fix_remove(dir);
}

Test(store, second_writer_is_told_who_has_the_lock) {
    char dir[256], want[64];
    tide_error err = {0};
    tide_sink first, second = {.self = &first};
    fix_directory(dir);
    tide_store_writer_options options = fix_options(dir);
    cr_assert_eq(tide_store_writer_open(&options, &first, &err), TIDE_OK);
    cr_assert_eq(tide_store_writer_open(&options, &second, &err), TIDE_BUSY);
    cr_assert_eq(second.self, (void *)&first, "outputs untouched");
    snprintf(want, sizeof want, "process %ld on ", (long)getpid());
    cr_assert_not_null(strstr(err.message, want), "%s", err.message);
    first.close(first.self);
    cr_assert_eq(tide_store_writer_open(&options, &second, &err), TIDE_OK, "%s", err.message);
    second.close(second.self);
    fix_remove(dir);
}

Test(store, spools_may_lie_elsewhere) {
    char dir[256], spools[256];
    tide_error err = {0};
    fix_directory(dir);
    fix_directory(spools);
    tide_store_writer_options options = fix_options(dir);
    options.spool_dir = spools;
    cr_assert_eq(fix_write(&options, 1, 300, NULL, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(fix_count_entries(spools, ""), 2, "nothing left");
    options.spool_dir = "/nonexistent/spools";
    cr_assert_eq(fix_write(&options, 1, 300, NULL, &err), TIDE_DISK);
    fix_remove(spools);
    fix_remove(dir);
}

Test(store, directory_that_cannot_be_made_is_named) {
    tide_error err = {0};
    tide_store_writer_options options = fix_options("/nonexistent/a/store");
    cr_assert_eq(fix_write(&options, 1, 3, NULL, &err), TIDE_DISK);
    cr_assert_not_null(strstr(err.message, "/nonexistent/a/store"), "%s", err.message);
}

/* Killed at any moment: CURRENT names a whole generation, and the next writer leaves nothing behind. */
Test(store, kill_at_any_moment_leaves_a_whole_generation, .timeout = 60) {
    char dir[256];
    int finished = 0, killed = 0;
    fix_directory(dir);
    write_ok(dir, 1, 100);
    for (int round = 0; round < 40; ++round) {
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
            tide_store_writer_options options = fix_options(dir);
            _exit(fix_write(&options, 2, 2500, NULL, NULL) == TIDE_OK ? 0 : 1);
        }
        usleep((useconds_t)(round * 997));
        kill(child, SIGKILL);
        int state = 0;
        waitpid(child, &state, 0);
        killed += WIFSIGNALED(state);
        finished += WIFEXITED(state) && WEXITSTATUS(state) == 0;
        tide_store *store = open_store(dir, TIDE_VERIFY_ALL);
        tide_store_info info;
        tide_store_get_info(store, &info);
        cr_assert(info.n_series == 100 || info.n_series == 2500);
        tide_store_close(store);
    }
    cr_assert_gt(killed, 0);
    cr_log_info("%d killed, %d finished", killed, finished);
    write_ok(dir, 3, 10);
    cr_assert_eq(fix_count_entries(dir, ".tmp"), 0);
    fix_remove(dir);
}

Test(store, temporaries_of_dead_writers_are_removed) {
    char dir[256], path[320];
    fix_directory(dir);
    write_ok(dir, 1, 10);
    snprintf(path, sizeof path, "%s/.tmp-gen-000002-99999", dir);
    fix_write_bytes(path, "half", 4);
    snprintf(path, sizeof path, "%s/.tmp-CURRENT", dir);
    cr_assert_eq(symlink("gen-000009.h5", path), 0);
    snprintf(path, sizeof path, "%s/notes.txt", dir);
    fix_write_bytes(path, "mine", 4);
    write_ok(dir, 1, 10);
    cr_assert_eq(fix_count_entries(dir, ".tmp"), 0);
    cr_assert_eq(fix_count_entries(dir, "notes"), 1, "other files stay");
    fix_remove(dir);
}

/* On file systems of all sizes from too small to enough: TIDE_DISK or success, and the old store whole. */
Test(store, full_disk_ends_with_an_error_and_the_old_store, .timeout = 60) {
    char dir[256], options_text[64], store_dir[300];
    tide_error err = {0};
    int refused = 0, written = 0;
    fix_directory(dir);
    snprintf(store_dir, sizeof store_dir, "%s/models", dir);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        rmdir(dir);
        cr_skip_test("needs a mount namespace of its own: run as root");
    }
    for (int kib = 300; kib <= 5100; kib += 200) {
        snprintf(options_text, sizeof options_text, "size=%dk", kib);
        cr_assert_eq(mount("tmpfs", dir, "tmpfs", 0, options_text), 0, "%s", strerror(errno));
        tide_store_writer_options options = fix_options(store_dir);
        if (fix_write(&options, 1, 100, NULL, &err) == TIDE_OK) {
            tide_status status = fix_write(&options, 2, 4000, NULL, &err);
            cr_assert(status == TIDE_OK || status == TIDE_DISK, "%d: %s", (int)status, err.message);
            if (status == TIDE_DISK)
                cr_assert_not_null(strstr(err.message, "No space left"), "%s", err.message);
            refused += status == TIDE_DISK;
            written += status == TIDE_OK;
            tide_store *store = open_store(store_dir, TIDE_VERIFY_ALL);
            tide_store_info info;
            tide_store_get_info(store, &info);
            cr_assert_eq(info.n_series, status == TIDE_OK ? 4000u : 100u);
            tide_store_close(store);
            cr_assert_eq(fix_count_entries(store_dir, ".tmp"), 0);
            cr_assert_eq(fix_count_entries(store_dir, "gen-"), status == TIDE_OK ? 2 : 1);
        }
        cr_assert_eq(umount(dir), 0, "nothing is kept open: %s", strerror(errno));
    }
    cr_assert(refused > 3 && written > 0, "%d refused, %d written", refused, written);
    rmdir(dir);
}

Test(store, file_size_limit_is_an_error_too) {
    char dir[256];
    tide_error err = {0};
    tide_store_written written = {0};
    fix_directory(dir);
    tide_store_writer_options options = fix_options(dir);
    cr_assert_eq(fix_write(&options, 2, 4000, &written, &err), TIDE_OK, "%s", err.message);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t part = 64; part > 1;
         part /= 2) { /* of 64: the whole file is just too long, ... a column is */
        rlim_t bytes = written.file_bytes * part / 64 - 1;
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, bytes}), 0);
        cr_assert_eq(fix_write(&options, 2, 4000, NULL, &err), TIDE_DISK, "%lu: %s", (unsigned long)bytes,
                     err.message);
        cr_assert_eq(fix_count_entries(dir, ".tmp"), 0);
    }
    cr_assert_eq(fix_count_entries(dir, "gen-"), 1);
    tide_store_close(open_store(dir, TIDE_VERIFY_ALL));
    fix_remove(dir);
}

typedef struct reader_job {
    const tide_store *store;
    tide_status status;
    double sum;
} reader_job;

static void *read_in_thread(void *context) {
    reader_job *job = context;
    job->status = fix_read_all(job->store, &job->sum, NULL);
    return NULL;
}

Test(store, is_read_by_several_threads_at_once) {
    enum { THREADS = 4 };
    char dir[256];
    pthread_t threads[THREADS];
    reader_job jobs[THREADS];
    fix_directory(dir);
    write_ok(dir, 1, 3000);
    tide_store *store = open_store(dir, TIDE_VERIFY_TOUCHED);
    for (int i = 0; i < THREADS; ++i) {
        jobs[i] = (reader_job){.store = store};
        cr_assert_eq(pthread_create(&threads[i], NULL, read_in_thread, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; ++i) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(jobs[i].status, TIDE_OK);
        cr_assert(same_bits(&jobs[i].sum, &jobs[0].sum, 1));
    }
    tide_store_close(store);
    fix_remove(dir);
}

Test(store, same_input_gives_the_same_columns) {
    char dir[256], path[320];
    fix_directory(dir);
    write_ok(dir, 1, 700);
    write_ok(dir, 1, 700);
    snprintf(path, sizeof path, "%s/gen-000001.h5", dir);
    fix_file a = fix_read(path);
    snprintf(path, sizeof path, "%s/gen-000002.h5", dir);
    fix_file b = fix_read(path);
    cr_assert_eq(a.n, b.n);
    cr_assert_eq(fix_header(&a).block_xxh3_xxh3, fix_header(&b).block_xxh3_xxh3);
    free(a.bytes);
    free(b.bytes);
    fix_remove(dir);
}

static int run(const char *command) {
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(store, h5dump_reads_it) {
    char dir[256], command[1024];
    if (run("command -v h5dump >/dev/null 2>&1") != 0)
        cr_skip_test("no h5dump here");
    fix_directory(dir);
    write_ok(dir, 1, 200);
    snprintf(command, sizeof command,
             "h5dump -d /series/n_obs -d /member/coef %s/gen-000001.h5 >/dev/null 2>&1", dir);
    cr_assert_eq(run(command), 0);
    snprintf(command, sizeof command,
             "h5dump -A %s/gen-000001.h5 | grep -q 'id of series i = ids' && "
             "h5dump -a /run_id %s/gen-000001.h5 | grep -q 20240131T120000Z-test",
             dir, dir);
    cr_assert_eq(run(command), 0);
    fix_remove(dir);
}

Test(store, h5py_reads_the_same_values) {
    char dir[256], path[320], command[1024];
    if (run("python3 -c 'import h5py' >/dev/null 2>&1") != 0)
        cr_skip_test("no h5py here");
    fix_directory(dir);
    write_ok(dir, 1, 2000);
    tide_store *store = open_store(dir, TIDE_VERIFY_ALL);
    tide_series_model s;
    tide_member m;
    tide_error err = {0};
    cr_assert_eq(tide_store_series(store, 1234, &s, &err), TIDE_OK);
    cr_assert_eq(tide_store_member(store, &s, 0, &m, &err), TIDE_OK);
    snprintf(path, sizeof path, "%s/check.py", dir);
    FILE *script = fopen(path, "w");
    fprintf(
        script,
        "import h5py, sys\n"
        "f = h5py.File(sys.argv[1], 'r')\n"
        "a = f['series/id_at'][1234:1236]\n"
        "assert bytes(f['series/ids'][a[0]:a[1]]) == b'%.*s'\n"
        "k = int(f['series/first_member'][1234])\n"
        "assert k == %llu and f['member/sigma2'][k] == float.fromhex('%a')\n"
        "q = f['member/state_at'][k:k + 2]\n"
        "assert list(f['member/state'][q[0]:q[1]])[-1] == float.fromhex('%a')\n"
        "assert f['run/id'][0] == b'20240131T120000Z-test' and f.attrs['n_series'] == 2000\n"
        "assert all('unit' in d.attrs and 'meaning' in d.attrs for g in f.values() for d in g.values())\n",
        (int)s.id_length, s.id, (unsigned long long)s.first_member, m.sigma2, m.state[m.n_state - 1]);
    fclose(script);
    snprintf(command, sizeof command, "python3 %s %s/gen-000001.h5", path, dir);
    cr_assert_eq(run(command), 0);
    tide_store_close(store);
    fix_remove(dir);
}
