/* Stores whose writer died: what it had finished is taken over, compared with what comes again, and gives the same bytes
 * as a writer that never died. A death is a child process that leaves by _exit. */
#include "tests/store_fixture.h"

#include <criterion/criterion.h>
#include <sys/wait.h>

enum { N = 700, BATCH = 60, RECORD_WORDS = 3 + 2 * 31 + 1 }; /* a journal's record: io/store_resume.c */
static const char identity[] = "program=1\nfreq=\"M\"\nets.mode=average\n";

static tide_store_writer_options options_for(const char *dir) {
    tide_store_writer_options o = fix_options(dir);
    o.identity = identity;
    return o;
}

typedef struct attempt {
    uint64_t seed;
    size_t from_other; /* series from this number on are those of the next seed; 0: none */
    size_t batch, series;
    size_t stop_at; /* series after which it ends without finishing; 0: it finishes */
    int dies;       /* it ends by _exit, its journal as the last batch left it */
    char note[256], run_id[40];
    uint64_t resumed, kept;
} attempt;

static void expect_recalled(const tide_panel *p, const tide_results *got, const tide_results *want) {
    for (size_t i = 0; i < p->kept; ++i) {
        cr_assert_eq(got->outcome[i], want->outcome[i]);
        cr_assert_eq(got->n_members[i], want->n_members[i]);
        for (size_t j = 0; j < want->n_members[i]; ++j) {
            cr_assert_eq(got->family[j * p->n_series + i], want->family[j * p->n_series + i]);
            cr_assert_eq(got->form[j * p->n_series + i], want->form[j * p->n_series + i]);
        }
    }
}

/* A batch through the sink as the pipeline does it; results of kept series are spoiled first: nobody needs them. */
static tide_status pass(tide_sink *sink, fix_batch *b, tide_error *err) {
    fix_batch blank = {.results = b->results};
    size_t bytes = tide_results_map(&blank.results, NULL);
    blank.block = calloc(1, bytes + 1);
    tide_results_map(&blank.results, blank.block);
    tide_status status = sink->recall(sink->self, &b->panel, &blank.results, err);
    if (!status) {
        expect_recalled(&b->panel, &blank.results, &b->results);
        for (size_t i = 0; i < b->panel.kept; ++i)
            b->results.scale[i] = -1.0;
        status = sink->write(sink->self, &b->panel, &b->results, err);
    }
    free(blank.block);
    return status;
}

static void make_batch(const attempt *a, size_t first, size_t n, fix_batch *b) {
    fix_batch_make(b, a->seed, first, n);
    for (size_t i = 0; a->from_other && i < n; ++i)
        if (first + i >= a->from_other)
            b->panel.fingerprint[i] ^= 1;
}

static tide_status go(const tide_store_writer_options *o, attempt *a, tide_error *err) {
    tide_sink sink;
    TIDE_TRY(tide_store_writer_open(o, &sink, err));
    snprintf(a->note, sizeof a->note, "%s", tide_store_writer_note(&sink));
    snprintf(a->run_id, sizeof a->run_id, "%s", tide_store_writer_run_id(&sink));
    a->resumed = tide_store_writer_resumed(&sink);
    tide_store_writer_set_kind(&sink, TIDE_DS_DATE);
    tide_status status = TIDE_OK;
    size_t end = a->stop_at ? a->stop_at : a->series;
    for (size_t first = 0; first < end && !status; first += a->batch) {
        fix_batch b;
        make_batch(a, first, end - first < a->batch ? end - first : a->batch, &b);
        status = pass(&sink, &b, err);
        if (a->dies)
            usleep(120000 / (N / BATCH)); /* so that a few batches are recorded one by one */
        fix_batch_free(&b);
    }
    if (a->dies) {
        usleep(110000);
        fix_batch b;
        make_batch(a, end, 1, &b);
        pass(&sink, &b, err);
        _exit(status ? 1 : 0);
    }
    if (!status && !a->stop_at)
        status = sink.finish(sink.self, err);
    if (status || a->stop_at)
        a->kept = tide_store_writer_keep(&sink);
    sink.close(sink.self);
    return status;
}

/* A writer that dies after `series` and one more. */
static void die_after(const char *dir, size_t series) {
    tide_store_writer_options o = options_for(dir);
    pid_t child = fork();
    fix_must(child >= 0, "fork");
    if (child == 0) {
        attempt a = {.seed = 1, .batch = BATCH, .series = N, .stop_at = series, .dies = 1};
        tide_error err;
        go(&o, &a, &err);
        _exit(2);
    }
    int status;
    fix_must(waitpid(child, &status, 0) == child, "waitpid");
    cr_assert_eq(status, 0, "the child ended with %d", status);
}

/* The columns of a generation file one after the other, its checksums too; the caller's to free. */
static unsigned char *columns_of(const char *dir, int generation, size_t *n) {
    char path[320];
    snprintf(path, sizeof path, "%s/gen-%06d.h5", dir, generation);
    FILE *f = fopen(path, "rb");
    fix_must(f != NULL, path);
    fseek(f, 0, SEEK_END);
    size_t size = (size_t)ftell(f);
    rewind(f);
    unsigned char *all = malloc(size), *out = malloc(size);
    fix_must(fread(all, 1, size, f) == size, path);
    fclose(f);
    *n = 0;
    for (int i = 0; i < TIDE_COLUMNS; ++i) {
        tide_store_entry e;
        memcpy(&e, all + TIDE_ENTRIES_AT + (size_t)i * sizeof e, sizeof e);
        size_t bytes = (size_t)(e.count * tide_type_bytes(e.type));
        memcpy(out + *n, all + e.offset, bytes);
        *n += bytes;
    }
    free(all);
    return out;
}

static void expect_same_columns(const char *dir, int generation, const char *other, int other_generation) {
    size_t n = 0, m = 0;
    unsigned char *a = columns_of(dir, generation, &n), *b = columns_of(other, other_generation, &m);
    cr_assert_eq(n, m);
    cr_assert_gt(n, 100000u);
    cr_assert_eq(memcmp(a, b, n), 0, "the columns differ");
    free(a);
    free(b);
}

static void remove_store(const char *dir) {
    char command[320];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    fix_must(system(command) == 0, command);
}

static void expect_nothing_left(const char *dir) {
    cr_assert_eq(fix_count_entries(dir, ".resume"), 0);
    cr_assert_eq(fix_count_entries(dir, ".tmp"), 0);
}

/* What an undisturbed writer of this seed gives. */
static void make_reference(char dir[256], uint64_t seed, size_t from_other) {
    fix_directory(dir);
    tide_store_writer_options o = options_for(dir);
    attempt a = {.seed = seed, .from_other = from_other, .batch = 100, .series = N};
    tide_error err = {0};
    cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
    expect_nothing_left(dir);
}

Test(resume, a_writer_that_died_is_gone_on_with_to_the_same_bytes) {
    char reference[256], dir[256];
    const size_t deaths[] = {1, 59, 60, 61, 333, N - 1}, batches[] = {1, 7, 60, 64, N};
    make_reference(reference, 1, 0);
    for (size_t d = 0; d < sizeof deaths / sizeof *deaths; ++d) {
        fix_directory(dir);
        die_after(dir, deaths[d]);
        tide_store_writer_options o = options_for(dir);
        o.run_id = "20990101T000000Z-other";
        o.resume = 1;
        attempt a = {.seed = 1, .batch = batches[d % 5], .series = N};
        tide_error err = {0};
        cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
        cr_assert_eq(a.resumed, deaths[d] + 1);
        cr_assert_str_eq(a.run_id, fix_options(dir).run_id, "the run keeps its id");
        cr_assert(strstr(a.note, "goes on"), "%s", a.note);
        expect_same_columns(dir, 1, reference, 1);
        expect_nothing_left(dir);
        remove_store(dir);
    }
    remove_store(reference);
}

Test(resume, it_may_die_again_and_again) {
    char reference[256], dir[256];
    make_reference(reference, 1, 0);
    fix_directory(dir);
    tide_store_writer_options o = options_for(dir);
    o.resume = 1;
    size_t last = 0;
    for (size_t stop = 50; stop < N; stop += 130) {
        attempt a = {.seed = 1, .batch = 33, .series = N, .stop_at = stop};
        tide_error err = {0};
        cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
        cr_assert_eq(a.resumed, last);
        cr_assert_eq(a.kept, stop);
        last = stop;
    }
    attempt a = {.seed = 1, .batch = 100, .series = N};
    tide_error err = {0};
    cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(a.resumed, last);
    expect_same_columns(dir, 1, reference, 1);
    remove_store(dir);
    remove_store(reference);
}

Test(resume, a_source_that_has_changed_is_refused_by_id_and_may_be_mixed) {
    char reference[256], dir[256];
    make_reference(reference, 1, 150);
    fix_directory(dir);
    die_after(dir, 300);
    tide_store_writer_options o = options_for(dir);
    o.resume = 1;
    for (int again = 0; again < 2; ++again) { /* a refusal changes nothing */
        attempt a = {.seed = 1, .from_other = 150, .batch = 40, .series = N};
        tide_error err = {0};
        cr_assert_eq(go(&o, &a, &err), TIDE_INPUT);
        cr_assert(strstr(err.message, "'s150'"), "%s", err.message);
        cr_assert(strstr(err.message, "number 151"), "%s", err.message);
        cr_assert_eq(a.kept, 301u);
    }
    attempt fewer = {.seed = 1, .batch = 40, .series = 200};
    tide_error err = {0};
    cr_assert_eq(go(&o, &fewer, &err), TIDE_INPUT);
    cr_assert(strstr(err.message, "200 series"), "%s", err.message);
    o.resume_mixed = 1;
    attempt mixed = {.seed = 1, .from_other = 150, .batch = 40, .series = N};
    cr_assert_eq(go(&o, &mixed, &err), TIDE_OK, "%s", err.message);
    expect_same_columns(dir, 1, reference, 1);
    expect_nothing_left(dir);
    remove_store(dir);
    remove_store(reference);
}

Test(resume, mixed_goes_with_fewer_series_too) {
    char dir[256];
    fix_directory(dir);
    die_after(dir, 300);
    tide_store_writer_options o = options_for(dir);
    o.resume = o.resume_mixed = 1;
    attempt a = {.seed = 1, .batch = 40, .series = 200};
    tide_error err = {0};
    tide_store *store = NULL;
    tide_store_info info;
    cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(tide_store_open(dir, TIDE_VERIFY_ALL, &store, &err), TIDE_OK, "%s", err.message);
    tide_store_get_info(store, &info);
    cr_assert_eq(info.n_series, 200u);
    tide_store_close(store);
    remove_store(dir);
}

Test(resume, other_options_are_refused_by_key_and_leave_it_there) {
    char dir[256];
    fix_directory(dir);
    die_after(dir, 100);
    tide_store_writer_options o = options_for(dir);
    o.resume = 1;
    o.identity = "program=1\nfreq=\"M\"\nets.mode=likelihood\n";
    attempt a = {.seed = 1, .batch = 40, .series = N};
    tide_error err = {0};
    cr_assert_eq(go(&o, &a, &err), TIDE_CONFIG);
    cr_assert(strstr(err.message, "ets.mode average, now it is likelihood"), "%s", err.message);
    o.identity = "program=1\nfreq=\"M\"\nets.robust=true\n";
    cr_assert_eq(go(&o, &a, &err), TIDE_CONFIG);
    cr_assert(strstr(err.message, "other options"), "%s", err.message);
    o.identity = identity;
    cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(a.resumed, 101u);
    remove_store(dir);
}

Test(resume, without_resume_it_is_thrown_away_and_that_is_said) {
    char dir[256];
    fix_directory(dir);
    die_after(dir, 100);
    tide_store_writer_options o = options_for(dir);
    attempt a = {.seed = 2, .batch = 40, .series = N};
    tide_error err = {0};
    cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(a.resumed, 0u);
    cr_assert(strstr(a.note, "101 series") && strstr(a.note, "thrown away"), "%s", a.note);
    expect_nothing_left(dir);
    o.resume = 1; /* nothing to go on with: a run from the start */
    cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(a.resumed, 0u);
    cr_assert_str_eq(a.note, "");
    remove_store(dir);
}

/* Changes n bytes of a file of .resume at an offset from its end (negative) or start. */
static void spoil(const char *dir, const char *file, long at, int flip, long cut) {
    char path[400];
    snprintf(path, sizeof path, "%s/.resume/%s", dir, file);
    if (cut)
        fix_must(truncate(path, cut) == 0, path);
    FILE *f = fopen(path, "r+b");
    fix_must(f && fseek(f, at, at < 0 ? SEEK_END : SEEK_SET) == 0, path);
    int c = fgetc(f);
    if (flip) {
        fseek(f, -1, SEEK_CUR);
        fputc(c ^ 4, f);
    }
    fclose(f);
}

static long size_of_journal(const char *dir) {
    char path[400];
    struct stat st;
    snprintf(path, sizeof path, "%s/.resume/journal", dir);
    fix_must(stat(path, &st) == 0, path);
    return (long)st.st_size;
}

Test(resume, a_torn_record_costs_its_batch_alone) {
    char dir[256];
    fix_directory(dir);
    die_after(dir, 600);
    long size = size_of_journal(dir);
    cr_assert_gt(size, 2 * RECORD_WORDS * 8, "more than one record");
    spoil(dir, "journal", 0, 0, size - 5);
    tide_store_writer_options o = options_for(dir);
    o.resume = 1;
    attempt a = {.seed = 1, .batch = 40, .series = N};
    tide_error err = {0};
    cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
    cr_assert(a.resumed > 0 && a.resumed <= 600, "%llu", (unsigned long long)a.resumed);
    remove_store(dir);
}

/* After a loss of power the last records may say more than the disk has; the last synced one holds. */
Test(resume, columns_that_lack_bytes_fall_back_to_the_last_synced_record) {
    char dir[256], reference[256], path[400];
    uint64_t record[RECORD_WORDS];
    make_reference(reference, 1, 0);
    fix_directory(dir);
    die_after(dir, 600);
    snprintf(path, sizeof path, "%s/.resume/journal", dir);
    FILE *f = fopen(path, "r+b"); /* the first record is made a synced one */
    fix_must(f != NULL, path);
    long first = size_of_journal(dir) % (RECORD_WORDS * 8);
    while (first < 72)
        first += RECORD_WORDS * 8;
    fseek(f, first, SEEK_SET);
    fix_must(fread(record, sizeof record, 1, f) == 1, path);
    cr_assert_eq(record[RECORD_WORDS - 1], XXH3_64bits(record, sizeof record - 8), "this is a record");
    record[2] = 1;
    record[RECORD_WORDS - 1] = XXH3_64bits(record, sizeof record - 8);
    fseek(f, first, SEEK_SET);
    fix_must(fwrite(record, sizeof record, 1, f) == 1, path);
    fclose(f);
    spoil(dir, "member.state", -9, 1, 0);
    tide_store_writer_options o = options_for(dir);
    o.resume = 1;
    attempt a = {.seed = 1, .batch = 40, .series = N};
    tide_error err = {0};
    cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(a.resumed, record[0]);
    cr_assert_lt(a.resumed, 601u);
    expect_same_columns(dir, 1, reference, 1);
    remove_store(dir);
    remove_store(reference);
}

Test(resume, what_is_damaged_is_fitted_again) {
    char dir[256];
    const char *const files[] = {"member.coef", "series.ids", "journal"};
    for (size_t i = 0; i < 3; ++i) {
        fix_directory(dir);
        die_after(dir, 600);
        spoil(dir, files[i], i == 2 ? 30 : 100, 1, 0);
        tide_store_writer_options o = options_for(dir);
        o.resume = 1;
        attempt a = {.seed = 1, .batch = 40, .series = N};
        tide_error err = {0};
        cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
        cr_assert_eq(a.resumed, 0u);
        if (i < 2)
            cr_assert(strstr(a.note, "damaged"), "%s", a.note);
        expect_nothing_left(dir);
        remove_store(dir);
    }
}

/* Killed between the two renames of a publish, or right after them. */
Test(resume, a_generation_that_never_became_current_is_published_again_or_removed) {
    char dir[256], reference[256], command[1200];
    for (int with_resume = 0; with_resume < 2; ++with_resume) {
        for (int was_current = 0; was_current < 2; ++was_current) {
            tide_error err = {0};
            make_reference(dir, 5, 0); /* generation 1 */
            make_reference(reference, 1, 0);
            tide_store_writer_options o = options_for(dir);
            o.run_id = "20240201T000000Z-second";
            attempt a = {.seed = 1, .batch = 100, .series = N, .stop_at = N};
            cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
            snprintf(command, sizeof command, "cp -r '%s/.resume' '%s/aside'", dir, reference);
            fix_must(system(command) == 0, command);
            o.resume = 1;
            a = (attempt){.seed = 1, .batch = 100, .series = N};
            cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
            snprintf(command, sizeof command, "mv '%s/aside' '%s/.resume' && ln -sfn gen-00000%d.h5 '%s/CURRENT'",
                     reference, dir, was_current ? 2 : 1, dir);
            fix_must(system(command) == 0, command);
            o.resume = with_resume;
            o.run_id = "20240301T000000Z-third";
            a = (attempt){.seed = 1, .batch = 100, .series = N};
            cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
            cr_assert(strstr(a.note, was_current   ? "current already"
                                     : with_resume ? "goes on after the 700"
                                                   : "never became current"),
                      "%s", a.note);
            cr_assert_str_eq(a.run_id, with_resume && !was_current ? "20240201T000000Z-second" : o.run_id);
            int generation = was_current ? 3 : 2;
            cr_assert_eq(fix_count_entries(dir, "gen-"), generation);
            snprintf(command, sizeof command, "[ $(readlink '%s/CURRENT') = gen-00000%d.h5 ]", dir, generation);
            cr_assert_eq(system(command), 0, "%s", command);
            expect_nothing_left(dir);
            remove_store(dir);
            remove_store(reference);
        }
    }
}

/* A full disk while publishing: the work stays, and publishing it later needs no fit. */
Test(resume, a_publish_that_fails_keeps_the_work) {
    char dir[256], reference[256], path[320];
    tide_error err = {0};
    make_reference(reference, 1, 0);
    fix_directory(dir);
    tide_store_writer_options o = options_for(dir);
    snprintf(path, sizeof path, "%s/gen-000001.h5", dir);
    tide_sink sink;
    cr_assert_eq(tide_store_writer_open(&o, &sink, &err), TIDE_OK, "%s", err.message);
    tide_store_writer_set_kind(&sink, TIDE_DS_DATE);
    fix_batch b;
    fix_batch_make(&b, 1, 0, N);
    cr_assert_eq(pass(&sink, &b, &err), TIDE_OK, "%s", err.message);
    fix_batch_free(&b);
    fclose(fopen(path, "w")); /* the name is taken: nothing is ever replaced */
    cr_assert_eq(sink.finish(sink.self, &err), TIDE_BUSY, "%s", err.message);
    cr_assert_eq(tide_store_writer_keep(&sink), (uint64_t)N);
    sink.close(sink.self);
    unlink(path);
    o.resume = 1;
    attempt a = {.seed = 1, .batch = 64, .series = N};
    cr_assert_eq(go(&o, &a, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(a.resumed, (uint64_t)N);
    expect_same_columns(dir, 1, reference, 1);
    remove_store(dir);
    remove_store(reference);
}
