/* The history file: any damage is refused with the column's name, also behind right checksums; locks, full disks, identity,
 * late rows, rows that cannot be read, the order of new ids. */
#include "tests/history_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

typedef struct bytes {
    unsigned char *p;
    size_t n;
} bytes;

static bytes read_file(const char *path) {
    FILE *f = fopen(path, "rb");
    cr_assert(f);
    bytes b = {malloc(1 << 22), 0};
    b.n = fread(b.p, 1, 1 << 22, f);
    fclose(f);
    return b;
}

static void write_file(const char *path, const unsigned char *p, size_t n) {
    unlink(path);
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(p, 1, n, f) == n);
    fclose(f);
}

/* A history of 12 daily series, two of which are kept as rows. */
static void make(const char *path) {
    hf_table t = {.kind = TIDE_DS_DATE};
    tide_config cfg;
    tide_panel all;
    tide_error err = {TIDE_OK, ""};
    static tide_report report;
    for (int k = 0; k < 12; ++k)
        for (int d = 0; d < 30 + k; ++d) {
            char id[24];
            snprintf(id, sizeof id, "id%02d", k);
            if (d % 7 != 3)
                hf_add(&t, id, 19000 + d, k == 5 && d == 9 ? TIDE_INF : d % 11 == 5 ? TIDE_NAN : k + d / 4.0);
            if (k == 8 && d == 12)
                hf_add(&t, id, 19000 + d, 1);
        }
    hf_config(&cfg, "D", path);
    tide_panel_init(&all);
    cr_assert_eq(hf_run(&cfg, &t, 0, &all, &report, &err), TIDE_OK, "%s", err.message);
    tide_panel_free(&all);
    tide_config_free(&cfg);
    free(t.row);
}

static tide_status read_all(const char *path, tide_error *err) {
    tide_history_file *f = NULL;
    tide_status status = tide_history_map(path, &f, err);
    if (!status)
        status = tide_history_verify(f, err);
    tide_history_unmap(f);
    return status;
}

static tide_store_entry entry_of(const bytes *b, int column) {
    tide_store_entry e;
    memcpy(&e, b->p + TIDE_ENTRIES_AT + (size_t)column * sizeof e, sizeof e);
    return e;
}

static void set_entry(bytes *b, int column, const tide_store_entry *e) {
    memcpy(b->p + TIDE_ENTRIES_AT + (size_t)column * sizeof *e, e, sizeof *e);
}

/* 1 when the byte belongs to the head or to a column. */
static int is_covered(const bytes *b, size_t at) {
    int covered = at < TIDE_HISTORY_HEAD;
    for (int c = 0; c < TIDE_HIST_COLUMNS && !covered; ++c) {
        tide_store_entry e = entry_of(b, c);
        covered = at >= e.offset && at < e.offset + e.count * tide_type_bytes(e.type);
    }
    return covered;
}

/* Makes all checksums right again, as far as the directory makes sense. */
static void make_right(bytes *b) {
    tide_history_header h;
    tide_store_entry sums = entry_of(b, TIDE_HIST_BLOCK_XXH3);
    memcpy(&h, b->p, sizeof h);
    int sane = sums.count <= b->n / 8 && sums.offset <= b->n - sums.count * 8;
    for (int c = 0; sane && c < TIDE_HIST_BLOCK_XXH3; ++c) {
        tide_store_entry e = entry_of(b, c);
        uint64_t size = tide_type_bytes((uint32_t)tide_history_describe(c).type);
        if (e.count > b->n / size || e.offset > b->n - e.count * size || e.first_block >= sums.count)
            continue;
        uint64_t x = XXH3_64bits(b->p + e.offset, (size_t)(e.count * size)); /* columns here are of one block */
        if (e.count && e.count * size <= TIDE_BLOCK_BYTES)
            memcpy(b->p + sums.offset + 8 * e.first_block, &x, 8);
    }
    if (sane)
        h.block_xxh3_xxh3 = XXH3_64bits(b->p + sums.offset, (size_t)sums.count * 8);
    h.head_xxh3 = 0;
    memcpy(b->p, &h, sizeof h);
    h.head_xxh3 = XXH3_64bits(b->p, TIDE_HISTORY_HEAD);
    memcpy(b->p, &h, sizeof h);
}

Test(history_file, every_flipped_byte_is_found_in_every_part) {
    char path[320], copy[340];
    hf_place(path);
    make(path);
    bytes b = read_file(path);
    snprintf(copy, sizeof copy, "%s.copy", path);
    size_t padding = 0;
    for (size_t at = 0; at < b.n; at += at < 1500 || at > TIDE_HISTORY_HEAD ? 1 : 97) {
        tide_error err = {TIDE_OK, ""};
        b.p[at] ^= 0x21;
        write_file(copy, b.p, b.n);
        tide_status status = read_all(copy, &err);
        b.p[at] ^= 0x21;
        if (!is_covered(&b, at)) {
            ++padding;
            cr_assert_eq(status, TIDE_OK, "byte %zu: %s", at, err.message);
        } else {
            cr_assert_eq(status, TIDE_STORE, "byte %zu of %zu went unseen", at, b.n);
            cr_assert(strstr(err.message, at < TIDE_HISTORY_HEAD ? "history '" : "column "), "byte %zu: %s", at, err.message);
        }
    }
    cr_assert_lt(padding, TIDE_HIST_COLUMNS * TIDE_COLUMN_ALIGN);
    free(b.p);
    hf_forget(path);
}

Test(history_file, every_truncation_and_extension_is_refused) {
    char path[320], copy[340];
    hf_place(path);
    make(path);
    bytes b = read_file(path);
    snprintf(copy, sizeof copy, "%s.copy", path);
    for (size_t n = 0; n < b.n; n += n < 4200 ? 101 : 1) {
        tide_error err = {TIDE_OK, ""};
        write_file(copy, b.p, n);
        cr_assert_eq(read_all(copy, &err), TIDE_STORE, "%zu of %zu bytes: %s", n, b.n, err.message);
    }
    write_file(copy, b.p, b.n + 8);
    cr_assert_eq(read_all(copy, NULL), TIDE_STORE);
    free(b.p);
    hf_forget(path);
}

/* Damage behind right checksums. change() alters the bytes; the message must hold `words`. */
typedef void change_fn(bytes *b, int column);
static void count_up(bytes *b, int c) {
    tide_store_entry e = entry_of(b, c);
    ++e.count;
    set_entry(b, c, &e);
}
static void count_overflow(bytes *b, int c) {
    tide_store_entry e = entry_of(b, c);
    e.count = UINT64_MAX / 4;
    set_entry(b, c, &e);
}
static void offset_overflow(bytes *b, int c) {
    tide_store_entry e = entry_of(b, c);
    e.offset = UINT64_MAX - 63;
    set_entry(b, c, &e);
}
static void offset_into_head(bytes *b, int c) {
    tide_store_entry e = entry_of(b, c);
    e.offset = 64;
    set_entry(b, c, &e);
}
static void offset_odd(bytes *b, int c) {
    tide_store_entry e = entry_of(b, c);
    e.offset += 4;
    set_entry(b, c, &e);
}
static void other_type(bytes *b, int c) {
    tide_store_entry e = entry_of(b, c);
    e.type = e.type == TIDE_TYPE_U8 ? TIDE_TYPE_F64 : TIDE_TYPE_U8;
    set_entry(b, c, &e);
}
static void overlap(bytes *b, int c) {
    tide_store_entry e = entry_of(b, c), first = entry_of(b, 0);
    if (c)
        e.offset = first.offset;
    else
        e.offset = entry_of(b, 1).offset;
    set_entry(b, c, &e);
}
static void blocks_moved(bytes *b, int c) {
    tide_store_entry e = entry_of(b, c);
    ++e.first_block;
    set_entry(b, c, &e);
}
static void large_words(bytes *b, int c) {
    tide_store_entry e = entry_of(b, c);
    memset(b->p + e.offset + tide_type_bytes(e.type), 0xff, tide_type_bytes(e.type)); /* its second element */
}
static void nothing_wrong(bytes *b, int c) {
    (void)b, (void)c;
}

Test(history_file, damage_behind_right_checksums_is_refused_by_column) {
    static change_fn *const changes[] = {count_up,   count_overflow, offset_overflow, offset_into_head, offset_odd,
                                         other_type, overlap,        blocks_moved,    large_words,      nothing_wrong};
    char path[320], copy[340];
    hf_place(path);
    make(path);
    snprintf(copy, sizeof copy, "%s.copy", path);
    for (int c = 0; c < TIDE_HIST_COLUMNS; ++c) {
        for (size_t k = 0; k < sizeof changes / sizeof *changes; ++k) {
            bytes b = read_file(path);
            tide_error err = {TIDE_OK, ""};
            changes[k](&b, c);
            make_right(&b);
            write_file(copy, b.p, b.n);
            tide_status status = read_all(copy, &err);
            /* Any number is a fingerprint, a generation, an id byte or a value; a column of checksums is made right. */
            int harmless = changes[k] == nothing_wrong ||
                           (changes[k] == large_words &&
                            (c == TIDE_HIST_FINGERPRINT || c == TIDE_HIST_CHANGED || c == TIDE_HIST_IDS ||
                             c == TIDE_HIST_VALUES || c == TIDE_HIST_BLOCK_XXH3));
            cr_assert_eq(status, harmless ? TIDE_OK : TIDE_STORE, "%s, change %zu: %d %s", tide_history_describe(c).name, k,
                         status, err.message);
            cr_assert(harmless || strstr(err.message, "column ") || strstr(err.message, "head is damaged"), "%s", err.message);
            free(b.p);
        }
    }
    hf_forget(path);
}

Test(history_file, random_damage_behind_right_checksums_is_read_or_refused) {
    char path[320], copy[340];
    uint64_t state = 7;
    size_t refused = 0;
    hf_place(path);
    make(path);
    snprintf(copy, sizeof copy, "%s.copy", path);
    bytes good = read_file(path), b = {malloc(good.n), good.n};
    for (int round = 0; round < 3000; ++round) {
        memcpy(b.p, good.p, good.n);
        for (int k = 0; k < 1 + round % 3; ++k) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            uint64_t r = state >> 20;
            size_t at = (size_t)(round % 2 ? r % 1500 : r % (b.n - 8));
            uint64_t v = r % 5 == 0 ? UINT64_MAX : r % 5 == 1 ? 0 : r >> (r % 40);
            memcpy(b.p + at, &v, 1 + r % 8);
        }
        make_right(&b);
        write_file(copy, b.p, b.n);
        refused += read_all(copy, NULL) != TIDE_OK;
    }
    cr_assert(refused > 500 && refused < 3000, "%zu", refused);
    free(good.p);
    free(b.p);
    hf_forget(path);
}

Test(history_file, another_version_or_file_is_named) {
    char path[320], copy[340];
    tide_error err = {TIDE_OK, ""};
    hf_place(path);
    make(path);
    snprintf(copy, sizeof copy, "%s.copy", path);
    bytes b = read_file(path);
    b.p[8] = 2;
    make_right(&b);
    write_file(copy, b.p, b.n);
    cr_assert_eq(read_all(copy, &err), TIDE_STORE);
    cr_assert(strstr(err.message, "format version 2, this program reads version 1"), "%s", err.message);
    memset(b.p, 'x', b.n);
    write_file(copy, b.p, b.n);
    cr_assert_eq(read_all(copy, &err), TIDE_STORE);
    cr_assert(strstr(err.message, "no history of tidemill"), "%s", err.message);
    cr_assert_eq(read_all("/nowhere/at/all", &err), TIDE_NOT_FOUND);
    cr_assert_eq(read_all("/tmp", &err), TIDE_DISK);
    free(b.p);
    hf_forget(path);
}

/* --- runs ---------------------------------------------------------------------------------------------------- */

static size_t files_beside(const char *path) { /* but the history and its lock */
    char command[700], line[32] = "";
    int cut = (int)(strrchr(path, '/') - path);
    snprintf(command, sizeof command, "ls -A '%.*s' | grep -vxE 'h.tide|.h.tide.lock' | wc -l", cut, path);
    FILE *f = popen(command, "r");
    cr_assert(f && fgets(line, sizeof line, f));
    pclose(f);
    return (size_t)atoi(line);
}

Test(history_file, a_second_writer_is_told_who_holds_it) {
    char path[320], pid[32];
    tide_config cfg;
    tide_history *first = NULL, *second = NULL;
    tide_error err = {TIDE_OK, ""};
    hf_place(path);
    hf_config(&cfg, "D", path);
    cr_assert_eq(tide_history_open(&cfg, 1, NULL, &first, &err), TIDE_OK);
    cr_assert_eq(tide_history_open(&cfg, 1, NULL, &second, &err), TIDE_BUSY);
    snprintf(pid, sizeof pid, "process %ld on ", (long)getpid());
    cr_assert(strstr(err.message, pid) && strstr(err.message, path), "%s", err.message);
    tide_history_close(first);
    cr_assert_eq(tide_history_open(&cfg, 1, NULL, &second, &err), TIDE_OK);
    tide_history_close(second);
    tide_config_free(&cfg);
    hf_forget(path);
}

Test(history_file, a_full_disk_leaves_the_old_file_whole) {
    char path[320];
    tide_config cfg;
    tide_error err = {TIDE_OK, ""};
    static tide_report report;
    hf_place(path);
    make(path);
    bytes before = read_file(path);
    hf_config(&cfg, "D", path);
    hf_table t = {.kind = TIDE_DS_DATE};
    for (int d = 0; d < 40000; ++d)
        hf_add(&t, "long", 19100 + d, d);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit whole, small;
    getrlimit(RLIMIT_FSIZE, &whole);
    for (rlim_t limit = 1000; limit < 330000; limit += 40000) { /* the new file has 336 kB */
        tide_panel all;
        tide_panel_init(&all);
        small = (struct rlimit){limit, whole.rlim_max};
        setrlimit(RLIMIT_FSIZE, &small);
        tide_status status = hf_run(&cfg, &t, 0, &all, &report, &err);
        setrlimit(RLIMIT_FSIZE, &whole);
        cr_assert_eq(status, TIDE_DISK, "limit %ld: %d %s", (long)limit, status, err.message);
        cr_assert(strstr(err.message, path), "%s", err.message);
        bytes after = read_file(path);
        cr_assert(after.n == before.n && memcmp(after.p, before.p, before.n) == 0);
        cr_assert_eq(files_beside(path), 0);
        free(after.p);
        tide_panel_free(&all);
    }
    tide_panel all;
    tide_panel_init(&all);
    cr_assert_eq(hf_run(&cfg, &t, 0, &all, &report, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(all.n_series, 13);
    struct stat st;
    cr_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0444);
    tide_panel_free(&all);
    tide_config_free(&cfg);
    free(before.p);
    free(t.row);
    hf_forget(path);
}

Test(history_file, what_a_dead_writer_left_is_removed) {
    char path[320], stale[400], spool[400];
    tide_config cfg;
    tide_history *h = NULL;
    hf_place(path);
    int cut = (int)(strrchr(path, '/') - path);
    snprintf(stale, sizeof stale, "%.*s/.h.tide.tmp-123", cut, path);
    snprintf(spool, sizeof spool, "%.*s/.tmp-spool-99999999-0", cut, path);
    write_file(stale, (const unsigned char *)"x", 1);
    write_file(spool, (const unsigned char *)"x", 1);
    cr_assert_eq(files_beside(path), 2);
    hf_config(&cfg, "D", path);
    cr_assert_eq(tide_history_open(&cfg, 1, NULL, &h, NULL), TIDE_OK);
    cr_assert_eq(files_beside(path), 0);
    tide_history_close(h);
    tide_config_free(&cfg);
    hf_forget(path);
}

static void refused(const char *path, const char *key, const char *text, const char *words) {
    tide_config cfg;
    tide_history *h = NULL;
    tide_error err = {TIDE_OK, ""};
    hf_config(&cfg, "D", path);
    cr_assert_eq(tide_config_set(&cfg, key, text, &err), TIDE_OK, "%s", err.message);
    if (strcmp(key, "source.path") == 0)
        tide_config_set(&cfg, "source.table", "t", NULL);
    cr_assert_eq(tide_history_open(&cfg, strcmp(key, "source.path") != 0, NULL, &h, &err), TIDE_CONFIG, "%s", key);
    cr_assert(strstr(err.message, words), "%s: %s", key, err.message);
    tide_config_free(&cfg);
}

Test(history_file, another_identity_is_refused_with_the_key_that_differs) {
    char path[320];
    hf_place(path);
    make(path);
    refused(path, "source.path", "postgresql://me:secret@h/d", "source is \"caller\" there, \"postgresql://me@h/d\" here");
    refused(path, "source.id_column", "sku", "source.id_column is \"unique_id\" there, \"sku\" here");
    refused(path, "source.from", "2022-03-01", "source.from is \"\" there, \"2022-03-01\" here");
    refused(path, "freq", "W", "freq is \"D\" there, \"W\" here");
    refused(path, "intake.duplicates", "sum", "intake.duplicates is \"quarantine\" there, \"sum\" here");
    refused(path, "intake.max_length", "100", "intake.max_length is \"1048576\" there, \"100\" here");
    refused(path, "source.to", "2022-01-20", "source.to: '2022-01-20' is before 2022-02-17");
    refused(path, "history.reread", "a week", "'a week' is not a number of steps");
    refused(path, "history.reread", "3weeks", "no known unit");
    refused(path, "history.reread", "6h", "cannot be taken from times that are dates");
    hf_forget(path);
}

/* The number of panels' series, and the report, of a run over a table that must go well. */
static tide_report night(const char *path, const hf_table *t, const char *key, const char *text, int all_rows, tide_panel *all) {
    static tide_report report;
    tide_config cfg;
    tide_error err = {TIDE_OK, ""};
    hf_config(&cfg, "D", path);
    if (key)
        cr_assert_eq(tide_config_set(&cfg, key, text, NULL), TIDE_OK);
    tide_panel_clear(all);
    cr_assert_eq(hf_run(&cfg, t, all_rows, all, &report, &err), TIDE_OK, "%s", err.message);
    tide_config_free(&cfg);
    return report;
}

Test(history_file, rows_before_the_window_are_counted_named_and_not_used) {
    char path[320];
    tide_panel all;
    hf_table t = {.kind = TIDE_DS_DATE};
    tide_panel_init(&all);
    hf_place(path);
    for (int d = 0; d < 10; ++d)
        hf_add(&t, "a", 19000 + d, d);
    night(path, &t, NULL, NULL, 1, &all);
    t.n = 0;
    hf_add(&t, "a", 19003, 77);
    hf_add(&t, "a", 19010, 10);
    hf_add(&t, "late", 19008, 1);
    tide_report r = night(path, &t, NULL, NULL, 1, &all);
    cr_assert_eq(r.intake.late.n, 2);
    cr_assert_str_eq(r.intake.late.named[0],
                     "series 'a' row 1: ds 2022-01-11 is before the window, which begins at 2022-01-18");
    cr_assert(all.n_series == 1 && all.at[1] == 11 && all.y[3] == 3.0);
    cr_assert_str_eq(r.history.watermark_before, "2022-01-17");
    cr_assert_str_eq(r.history.watermark, "2022-01-18");
    /* --reread takes them in; so does a new history. */
    t.n = 0;
    for (int d = 0; d < 11; ++d)
        hf_add(&t, "a", 19000 + d, d == 3 ? 77 : d);
    hf_add(&t, "late", 19008, 1);
    r = night(path, &t, "history.reread", "8", 1, &all);
    cr_assert(r.history.corrected.n == 1 && r.history.rows_deleted == 0 && r.history.series_new == 1 && r.intake.late.n == 3);
    cr_assert_str_eq(r.history.corrected.named[0], "series 'a' ds 2022-01-11: y was 3, is 77");
    cr_assert(all.n_series == 2 && all.y[3] == 77.0);
    free(t.row);
    tide_panel_free(&all);
    hf_forget(path);
}

Test(history_file, a_row_of_the_far_future_does_not_end_the_reading) {
    char path[320];
    tide_panel all;
    hf_table t = {.kind = TIDE_DS_DATE};
    tide_panel_init(&all);
    hf_place(path);
    for (int d = 0; d < 10; ++d)
        hf_add(&t, "a", 19000 + d, d);
    hf_add(&t, "b", 19001, 1);
    hf_add(&t, "b", 47500, 1); /* 2100 */
    hf_add(&t, "c", 47500, 1);
    tide_report r = night(path, &t, NULL, NULL, 0, &all);
    cr_assert_str_eq(r.history.watermark, "2022-01-17");
    hf_add(&t, "a", 19010, 10);
    t.row[11].ds = 19010; /* the year was a slip */
    r = night(path, &t, NULL, NULL, 0, &all);
    cr_assert(all.n_series == 3 && all.at[1] == 11 && all.last_ds[1] == 19010 && r.intake.rows == 3);
    cr_assert_str_eq(r.history.watermark, "2022-01-18");
    free(t.row);
    tide_panel_free(&all);
    hf_forget(path);
}

Test(history_file, new_ids_go_where_the_order_of_the_ids_puts_them) {
    static const char *const first[][3] = {{"b", "d", "f"}, {"2", "10", "30"}, {"f", "b", "d"}};
    static const char *const fresh[][2] = {{"a", "e"}, {"9", "100"}, {"e", "a"}};
    static const char *const want[] = {"abdef", "291030100", "fbdea"};
    for (int k = 0; k < 3; ++k) {
        char path[320];
        tide_panel all;
        tide_config cfg;
        static tide_report report;
        tide_error err = {TIDE_OK, ""};
        hf_table t = {.kind = TIDE_DS_DATE};
        hf_place(path);
        for (int night = 0; night < 2; ++night) {
            t.n = 0;
            for (int i = 0; i < (night ? 2 : 3); ++i)
                for (int d = 0; d < 2; ++d)
                    hf_add(&t, night ? fresh[k][i] : first[k][i], 19000 + 2 * night + d, 1);
            /* A source in the order of the table, whatever the ids. */
            tide_source source;
            tide_history *h = NULL;
            tide_panel_source *panels = NULL;
            tide_intake *intake = NULL;
            hf_config(&cfg, "D", path);
            tide_panel_init(&all);
            cr_assert_eq(tide_history_open(&cfg, 1, NULL, &h, &err), TIDE_OK);
            hf_source *s = hf_open(&t, INT64_MIN, &source);
            for (size_t i = 0; i < t.n; ++i)
                s->list[i] = &t.row[i];
            cr_assert_eq(tide_history_start(h, &source, t.kind, "r", &panels, &err), TIDE_OK);
            if (panels)
                cr_assert_eq(panels->next(panels->self, &all, 100, 1000, &err), TIDE_OK, "%s", err.message);
            else
                cr_assert(tide_intake_open(&source, &cfg.intake, &report.intake, &intake, &err) == TIDE_OK &&
                          tide_intake_next(intake, &all, &err) == TIDE_OK);
            if (night)
                cr_assert(strncmp(all.ids, want[k], strlen(want[k])) == 0, "%.12s", all.ids);
            cr_assert_eq(tide_history_prepare(h, &err), TIDE_OK, "%s", err.message);
            cr_assert_eq(tide_history_finish(h, &report, &err), TIDE_OK);
            tide_intake_close(intake);
            tide_history_close(h);
            hf_close(s);
            tide_panel_free(&all);
            tide_config_free(&cfg);
        }
        free(t.row);
        hf_forget(path);
    }
}

Test(history_file, a_run_without_new_rows_keeps_every_bit) {
    char path[320];
    tide_panel all;
    hf_table t = {.kind = TIDE_DS_DATE};
    tide_panel_init(&all);
    hf_place(path);
    make(path);
    bytes before = read_file(path);
    tide_report r = night(path, &t, NULL, NULL, 0, &all);
    cr_assert(all.n_series == 12 && r.history.series_unchanged == 12 && r.history.generation == 2 && r.intake.rows == 0);
    bytes after = read_file(path);
    cr_assert_eq(after.n, before.n);
    cr_assert_eq(memcmp(after.p + TIDE_HISTORY_HEAD, before.p + TIDE_HISTORY_HEAD, before.n - TIDE_HISTORY_HEAD), 0);
    free(before.p);
    free(after.p);
    tide_panel_free(&all);
    hf_forget(path);
}

Test(history_file, a_damaged_history_is_refused_until_it_is_made_anew) {
    char path[320];
    tide_config cfg;
    tide_history *h = NULL;
    tide_error err = {TIDE_OK, ""};
    hf_place(path);
    make(path);
    bytes b = read_file(path);
    b.p[600] ^= 1;
    write_file(path, b.p, b.n);
    hf_config(&cfg, "D", path);
    cr_assert_eq(tide_history_open(&cfg, 1, NULL, &h, &err), TIDE_STORE);
    cr_assert(strstr(err.message, "--rebuild-history makes it anew"), "%s", err.message);
    cfg.history.rebuild = 1;
    cr_assert_eq(tide_history_open(&cfg, 1, NULL, &h, &err), TIDE_OK, "%s", err.message);
    tide_history_close(h);
    tide_config_free(&cfg);
    free(b.p);
    hf_forget(path);
}
