/* Damaged, truncated, foreign and hostile stores: refused with a reason that names the place, never used,
 * never a crash. Damage with right checksums (fix_seal) stands for a hostile writer. */
#include "tests/store_fixture.h"

#include <criterion/criterion.h>

typedef struct sample { /* a good generation, as bytes, and where to put variations of it */
    char dir[256], generation[320], copy[320];
    fix_file file;
} sample;

static sample sample_make(size_t n) {
    sample s;
    tide_error err = {0};
    fix_directory(s.dir);
    tide_store_writer_options options = fix_options(s.dir);
    cr_assert_eq(fix_write(&options, 1, n, NULL, &err), TIDE_OK, "%s", err.message);
    snprintf(s.generation, sizeof s.generation, "%s/gen-000001.h5", s.dir);
    snprintf(s.copy, sizeof s.copy, "%s/copy.h5", s.dir);
    s.file = fix_read(s.generation);
    return s;
}

static void sample_free(sample *s) {
    free(s->file.bytes);
    fix_remove(s->dir);
}

/* Opens `path` and reads all of it into a sum; the first error. */
static tide_status read_sum(const char *path, tide_verify verify, double *sum, tide_error *err) {
    tide_store *store = NULL;
    tide_status status = tide_store_open(path, verify, &store, err);
    if (status != TIDE_OK) {
        cr_assert_null(store, "outputs untouched");
        return status;
    }
    status = fix_read_all(store, sum, err);
    tide_store_close(store);
    return status;
}

static tide_status read_path(const char *path, tide_verify verify, tide_error *err) {
    double sum = 0;
    return read_sum(path, verify, &sum, err);
}

static tide_status read_bytes(const sample *s, const void *bytes, size_t n, tide_verify verify,
                              tide_error *err) {
    fix_write_bytes(s->copy, bytes, n);
    return read_path(s->copy, verify, err);
}

static void expect_refusal(const sample *s, const void *bytes, size_t n, const char *reason) {
    tide_error err = {0};
    cr_assert_eq(read_bytes(s, bytes, n, TIDE_VERIFY_TOUCHED, &err), TIDE_STORE, "%s: '%s'", reason,
                 err.message);
    cr_assert_not_null(strstr(err.message, reason), "%s: '%s'", reason, err.message);
}

Test(store_damage, every_byte_of_the_directory_is_guarded, .timeout = 120) {
    sample s = sample_make(20);
    fix_write_bytes(s.copy, s.file.bytes, s.file.n);
    int fd = open(s.copy, O_RDWR);
    for (size_t at = 0; at < TIDE_USER_BLOCK; ++at) {
        tide_store *store = NULL;
        unsigned char byte = (unsigned char)(s.file.bytes[at] ^ (1u << at % 8));
        cr_assert_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
        cr_assert_eq(tide_store_open(s.copy, TIDE_VERIFY_TOUCHED, &store, NULL), TIDE_STORE, "byte %zu", at);
        cr_assert_eq(pwrite(fd, s.file.bytes + at, 1, (off_t)at), 1);
    }
    close(fd);
    cr_assert_eq(read_path(s.copy, TIDE_VERIFY_ALL, NULL), TIDE_OK, "whole again");
    sample_free(&s);
}

/* Verifying all, always; verifying what is touched, unless no damaged byte was used: then every value is
 * right. */
Test(store_damage, flipped_bit_in_any_column_is_refused_by_name) {
    sample s = sample_make(3000);
    double good = 0;
    int refused = 0;
    cr_assert_eq(read_sum(s.generation, TIDE_VERIFY_TOUCHED, &good, NULL), TIDE_OK);
    for (int i = 0; i < TIDE_COLUMNS; ++i) {
        tide_store_entry e = fix_entry(&s.file, i);
        uint64_t bytes = e.count * tide_type_bytes(e.type);
        cr_assert_gt(bytes, 0u, "%s", e.name);
        for (int k = 0; k < 5; ++k) {
            uint64_t at = e.offset + (bytes - 1) * (uint64_t)k / 4;
            s.file.bytes[at] ^= (unsigned char)(1 << k);
            tide_error err = {0};
            cr_assert_eq(read_bytes(&s, s.file.bytes, s.file.n, TIDE_VERIFY_ALL, &err), TIDE_STORE);
            cr_assert_not_null(strstr(err.message, e.name), "%s: '%s'", e.name, err.message);
            double sum = 0;
            if (read_sum(s.copy, TIDE_VERIFY_TOUCHED, &sum, &err) == TIDE_OK)
                cr_assert_eq(sum, good, "%s", e.name);
            else {
                cr_assert_not_null(strstr(err.message, e.name), "%s: '%s'", e.name, err.message);
                ++refused;
            }
            s.file.bytes[at] ^= (unsigned char)(1 << k);
        }
    }
    cr_assert_gt(refused, 5 * (TIDE_COLUMNS - 3), "all but runs and unused index slots: %d", refused);
    sample_free(&s);
}

/* A reader that verifies what it touches uses a good block next to a damaged one, and not the damaged one. */
Test(store_damage, only_damaged_blocks_are_refused) {
    sample s = sample_make(3000);
    tide_store_entry e = fix_entry(&s.file, TIDE_COL_FIRST_MEMBER);
    tide_store_entry state = fix_entry(&s.file, TIDE_COL_STATE);
    cr_assert_gt(state.count * 8, 2u * TIDE_BLOCK_BYTES);
    s.file.bytes[state.offset + state.count * 8 - 1] ^= 1;
    fix_write_bytes(s.copy, s.file.bytes, s.file.n);
    tide_store *store = NULL;
    tide_error err = {0};
    cr_assert_eq(tide_store_open(s.copy, TIDE_VERIFY_TOUCHED, &store, &err), TIDE_OK, "%s", err.message);
    int good = 0, refused = 0;
    for (int64_t i = 0; i < (int64_t)e.count - 1; ++i) {
        tide_series_model m;
        tide_member member;
        cr_assert_eq(tide_store_series(store, i, &m, &err), TIDE_OK);
        if (m.n_members == 0)
            continue;
        tide_status status = tide_store_member(store, &m, 0, &member, &err);
        good += status == TIDE_OK;
        refused += status == TIDE_STORE;
    }
    cr_assert(good > 500 && refused > 0, "%d good, %d refused", good, refused);
    cr_assert_not_null(strstr(err.message, "member/state"), "%s", err.message);
    tide_store_close(store);
    sample_free(&s);
}

Test(store_damage, truncation_and_growth_are_refused) {
    sample s = sample_make(300);
    size_t cuts[] = {0, 1, 7, 8, 511, 512, 4096, 16383, 16384, 16385, 20000, s.file.n / 2, s.file.n - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; ++i)
        expect_refusal(&s, s.file.bytes, cuts[i], "copy.h5");
    unsigned char *longer = calloc(1, s.file.n + 1);
    memcpy(longer, s.file.bytes, s.file.n);
    expect_refusal(&s, longer, s.file.n + 1, "was written with");
    free(longer);
    sample_free(&s);
}

Test(store_damage, file_that_shrinks_while_mapped_is_noticed) {
    sample s = sample_make(3000);
    tide_store *store = NULL;
    tide_error err = {0};
    fix_write_bytes(s.copy, s.file.bytes, s.file.n);
    cr_assert_eq(tide_store_open(s.copy, TIDE_VERIFY_TOUCHED, &store, &err), TIDE_OK);
    cr_assert_eq(truncate(s.copy, 20000), 0);
    cr_assert_eq(tide_store_series(store, 2999, &(tide_series_model){0}, &err), TIDE_STORE);
    cr_assert_not_null(strstr(err.message, "changed its size"), "%s", err.message);
    tide_store_close(store);
    sample_free(&s);
}

/* Sets a field of the header, makes the checksum right, and expects the reason. */
#define EXPECT_HEADER(field, value, reason)                                                                  \
    do {                                                                                                     \
        tide_store_header h_ = fix_header(&s.file);                                                          \
        h_.field = (value);                                                                                  \
        memcpy(s.file.bytes, &h_, sizeof h_);                                                                \
        fix_seal_directory(&s.file);                                                                         \
        expect_refusal(&s, s.file.bytes, s.file.n, (reason));                                                \
        memcpy(s.file.bytes, &good, sizeof good);                                                            \
    } while (0)

Test(store_damage, impossible_headers_are_refused) {
    sample s = sample_make(300);
    tide_store_header good = fix_header(&s.file);
    EXPECT_HEADER(version, TIDE_STORE_VERSION + 1, "format version 4");
    EXPECT_HEADER(version, TIDE_STORE_OLDEST - 1, "format version 1");
    EXPECT_HEADER(version, TIDE_STORE_OLDEST, "number of columns");
    EXPECT_HEADER(xreg_n, -1, "numbers of regressors");
    EXPECT_HEADER(xreg_n, TIDE_XREG_MAX + 1, "numbers of regressors");
    EXPECT_HEADER(xreg_n, 0, "numbers of regressors");
    EXPECT_HEADER(xreg_n, 3, "regressor/x");
    EXPECT_HEADER(xreg_rows, 6, "regressor/present");
    EXPECT_HEADER(xreg_rows, UINT64_MAX, "numbers of regressors");
    EXPECT_HEADER(version, 0, "format version 0");
    EXPECT_HEADER(magic[0], 'x', "not a model store");
    EXPECT_HEADER(user_block_bytes, 512, "block sizes");
    EXPECT_HEADER(block_bytes, 0, "block sizes");
    EXPECT_HEADER(n_columns, TIDE_COLUMNS + 1, "number of columns");
    EXPECT_HEADER(n_series, UINT64_MAX, "impossible numbers");
    EXPECT_HEADER(n_series, 301, "series/id_at");
    EXPECT_HEADER(n_members, good.n_members + 1, "member/family");
    EXPECT_HEADER(n_members, UINT64_MAX, "impossible numbers");
    EXPECT_HEADER(season, 0, "season");
    EXPECT_HEADER(season, 367, "season");
    EXPECT_HEADER(freq_unit, 99, "frequency");
    EXPECT_HEADER(freq_multiple, 0, "frequency");
    EXPECT_HEADER(ds_kind, -1, "kind of ds");
    EXPECT_HEADER(index_slots, 0, "index");
    EXPECT_HEADER(index_slots, 3, "index");
    EXPECT_HEADER(index_slots, (uint64_t)1 << 63, "index");
    EXPECT_HEADER(index_slots, good.index_slots * 2, "index/slot");
    EXPECT_HEADER(index_max_probe, UINT32_MAX, "index");
    EXPECT_HEADER(index_row_bits, 0, "index rows");
    EXPECT_HEADER(index_row_bits, 64, "index rows");
    EXPECT_HEADER(index_row_bits, 2, "index rows");
    EXPECT_HEADER(n_blocks, good.n_blocks - 1, "index/block_xxh3");
    EXPECT_HEADER(file_bytes, good.file_bytes + 8, "was written with");
    EXPECT_HEADER(block_xxh3_xxh3, 0, "index/block_xxh3");
    tide_store_header h = good;
    memset(h.backend, 'x', sizeof h.backend);
    memcpy(s.file.bytes, &h, sizeof h);
    fix_seal_directory(&s.file);
    expect_refusal(&s, s.file.bytes, s.file.n, "a text without an end");
    sample_free(&s);
}

#define EXPECT_ENTRY(column, field, value, reason)                                                           \
    do {                                                                                                     \
        tide_store_entry e_ = fix_entry(&s.file, (column)), was_ = e_;                                       \
        e_.field = (value);                                                                                  \
        memcpy(s.file.bytes + TIDE_ENTRIES_AT + (size_t)(column) * sizeof e_, &e_, sizeof e_);               \
        fix_seal_directory(&s.file);                                                                         \
        expect_refusal(&s, s.file.bytes, s.file.n, (reason));                                                \
        memcpy(s.file.bytes + TIDE_ENTRIES_AT + (size_t)(column) * sizeof was_, &was_, sizeof was_);         \
    } while (0)

Test(store_damage, impossible_columns_are_refused) {
    sample s = sample_make(300);
    uint64_t other = fix_entry(&s.file, TIDE_COL_SIGMA2).offset;
    EXPECT_ENTRY(TIDE_COL_WEIGHT, name[0], 'x', "unknown column");
    EXPECT_ENTRY(TIDE_COL_WEIGHT, type, TIDE_TYPE_U8, "member/weight is damaged: unknown type");
    EXPECT_ENTRY(TIDE_COL_WEIGHT, type, 99, "unknown type");
    EXPECT_ENTRY(TIDE_COL_WEIGHT, count, 0, "wrong number");
    EXPECT_ENTRY(TIDE_COL_WEIGHT, offset, other, "overlaps");
    EXPECT_ENTRY(TIDE_COL_WEIGHT, offset, UINT64_MAX - 63, "outside");
    EXPECT_ENTRY(TIDE_COL_WEIGHT, offset, s.file.n / 64 * 64, "outside");
    EXPECT_ENTRY(TIDE_COL_WEIGHT, offset, 0, "offset");
    EXPECT_ENTRY(TIDE_COL_WEIGHT, offset, TIDE_USER_BLOCK + 1, "offset");
    EXPECT_ENTRY(TIDE_COL_COEF, count, UINT64_MAX, "outside");
    EXPECT_ENTRY(TIDE_COL_COEF, count, (uint64_t)1 << 61, "outside");
    EXPECT_ENTRY(TIDE_COL_WEIGHT, first_block, 0, "out of place");
    EXPECT_ENTRY(TIDE_COL_BLOCK_XXH3, count, UINT64_MAX, "wrong number");
    sample_free(&s);
}

static void expect_value(sample *s, int column, uint64_t i, uint64_t value, const char *reason) {
    tide_store_entry e = fix_entry(&s->file, column);
    size_t width = (size_t)tide_type_bytes(e.type);
    unsigned char *at = s->file.bytes + e.offset + i * width, was[8];
    memcpy(was, at, width);
    memcpy(at, &value, width);
    fix_seal(&s->file);
    expect_refusal(s, s->file.bytes, s->file.n, reason);
    memcpy(at, was, width);
    fix_seal(&s->file);
}

Test(store_damage, borders_and_numbers_that_lead_astray_are_refused) {
    sample s = sample_make(300);
    static const int borders[] = {TIDE_COL_ID_AT, TIDE_COL_FIRST_MEMBER, TIDE_COL_COEF_AT, TIDE_COL_STATE_AT};
    for (size_t k = 0; k < sizeof borders / sizeof *borders; ++k) {
        const char *name = tide_column_describe(borders[k]).name;
        expect_value(&s, borders[k], 5, UINT64_MAX, name);
        expect_value(&s, borders[k], 5, UINT64_MAX / 2, name);
        expect_value(&s, borders[k], 0, 1000000, name);
    }
    expect_value(&s, TIDE_COL_FAMILY, 3, 77, "unknown family or form");
    expect_value(&s, TIDE_COL_FORM, 3, 77, "unknown family or form");
    sample_free(&s);
}

/* An order of ARIMA fixes how many coefficients and states follow: no other one passes, whatever its bits. */
Test(store_damage, orders_of_arima_that_are_not_those_of_the_rows_are_refused) {
    sample s = sample_make(300);
    tide_store_entry family = fix_entry(&s.file, TIDE_COL_FAMILY), form = fix_entry(&s.file, TIDE_COL_FORM);
    uint64_t row = 0;
    uint32_t was;
    while (row < family.count && s.file.bytes[family.offset + row] != TIDE_FAMILY_ARIMA)
        ++row;
    cr_assert_lt(row, family.count, "the sample has members of family ARIMA");
    memcpy(&was, s.file.bytes + form.offset + row * 4, 4);
    expect_value(&s, TIDE_COL_FORM, row, was | 15u, "unknown family or form");         /* p = 15 */
    expect_value(&s, TIDE_COL_FORM, row, was | 3u << 12, "unknown family or form");    /* d = 3 */
    expect_value(&s, TIDE_COL_FORM, row, was | 1u << 31, "unknown family or form");    /* a bit that means nothing */
    expect_value(&s, TIDE_COL_FORM, row, was | 31u << 18, "unknown family or form");   /* 31 pairs */
    expect_value(&s, TIDE_COL_FORM, row, (was ^ 1u << 17), "not as many coefficients"); /* Box-Cox */
    tide_arima_order o = tide_arima_order_of(was);
    o.D = !o.D;
    o.constant = 0;
    if (tide_arima_n_coef(o) == tide_arima_n_coef(tide_arima_order_of(was)))
        expect_value(&s, TIDE_COL_FORM, row, tide_arima_form(o), "not as many states");
    expect_value(&s, TIDE_COL_FAMILY, row, TIDE_FAMILY_ETS, "");
    sample_free(&s);
}

/* The index may lie, as far as its checksum can be made right: a wrong row is never taken for the id asked
 * for. */
Test(store_damage, index_that_lies_gives_no_wrong_series) {
    sample s = sample_make(300);
    tide_store_header h = fix_header(&s.file);
    tide_store_entry slot = fix_entry(&s.file, TIDE_COL_SLOT);
    uint64_t mask = ((uint64_t)1 << h.index_row_bits) - 1, hash = XXH3_64bits("s10", 3),
             value = (hash & ~mask) | 12;
    uint64_t home = hash & (h.index_slots - 1), was;
    unsigned char *at = s.file.bytes + slot.offset + home * 8;
    for (;; at += 8) { /* the slot of s10: same hash bits, another series */
        memcpy(&was, at, 8);
        cr_assert_neq(was, 0u);
        if (((was ^ hash) & ~mask) == 0)
            break;
    }
    for (int lie = 0; lie < 2; ++lie) {
        value = (hash & ~mask) | (lie == 0 ? 12 : 301);
        memcpy(at, &value, 8);
        fix_seal(&s.file);
        fix_write_bytes(s.copy, s.file.bytes, s.file.n);
        tide_store *store = NULL;
        tide_error err = {0};
        int64_t row = 5;
        cr_assert_eq(tide_store_open(s.copy, TIDE_VERIFY_ALL, &store, &err), TIDE_OK, "%s", err.message);
        tide_status status = tide_store_find(store, "s10", 3, &row, &err);
        cr_assert_eq(status, lie == 0 ? TIDE_OK : TIDE_STORE);
        cr_assert_eq(row, lie == 0 ? -1 : 5);
        tide_store_close(store);
    }
    sample_free(&s);
}

Test(store_damage, random_changes_with_right_checksums_never_crash, .timeout = 120) {
    sample s = sample_make(60);
    uint64_t r = 2024;
    int refused = 0;
    unsigned char *good = malloc(s.file.n);
    memcpy(good, s.file.bytes, s.file.n);
    for (int round = 0; round < 3000; ++round) {
        memcpy(s.file.bytes, good, s.file.n);
        for (int k = 0; k < 1 + round % 3; ++k) {
            static const uint64_t odd[] = {0, 1, 255, 65536, UINT64_MAX, (uint64_t)1 << 63, UINT32_MAX};
            size_t width = (size_t)1 << fix_random(&r) % 4;
            size_t span =
                round % 2 ? TIDE_ENTRIES_AT + TIDE_COLUMNS * sizeof(tide_store_entry) : s.file.n - 8;
            size_t at = (size_t)(fix_random(&r) % (span - 8)) / width * width;
            uint64_t value = fix_random(&r) % 2 ? odd[fix_random(&r) % 7] : fix_random(&r);
            memcpy(s.file.bytes + at, &value, width);
        }
        if (memcmp(s.file.bytes, good, TIDE_USER_BLOCK) == 0)
            fix_seal(&s.file);
        else
            fix_seal_directory(&s.file);
        refused += read_bytes(&s, s.file.bytes, s.file.n, TIDE_VERIFY_ALL, NULL) != TIDE_OK;
    }
    cr_assert_gt(refused, 1000);
    free(good);
    sample_free(&s);
}

static void expect_path(const char *path, const char *reason) {
    tide_error err = {0};
    cr_assert_eq(read_path(path, TIDE_VERIFY_TOUCHED, &err), TIDE_STORE, "%s", reason);
    cr_assert_not_null(strstr(err.message, reason), "%s: '%s'", reason, err.message);
}

static void set_current(const char *dir, const char *target) {
    char path[320];
    snprintf(path, sizeof path, "%s/CURRENT", dir);
    unlink(path);
    if (target)
        cr_assert_eq(symlink(target, path), 0);
}

Test(store_damage, current_names_a_generation_of_its_own_directory_or_nothing) {
    char path[400];
    sample s = sample_make(20);
    set_current(s.dir, NULL);
    expect_path(s.dir, "nothing has been published");
    set_current(s.dir, "gen-000002.h5");
    expect_path(s.dir, "is missing");
    static const char *const wrong[] = {
        "../gen-000001.h5", "/etc/passwd",    "copy.h5",        "gen-1.h5",
        "gen-000000.h5",    "gen-000001.h5/", "gen-000001.h5x", "gen-99999999999999999999999.h5"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        set_current(s.dir, wrong[i]);
        expect_path(s.dir, "no generation file");
    }
    snprintf(path, sizeof path, "%s/gen-000002.h5", s.dir); /* a link in the place of a generation */
    cr_assert_eq(symlink("gen-000001.h5", path), 0);
    set_current(s.dir, "gen-000002.h5");
    expect_path(s.dir, "is a link");
    unlink(path);
    fix_write_bytes(path, s.file.bytes, s.file.n); /* a generation under another's name */
    expect_path(s.dir, "under another name");
    unlink(path);
    cr_assert_eq(mkfifo(path, 0600), 0); /* must not hang */
    expect_path(s.dir, "not a regular file");
    set_current(s.dir, NULL);
    snprintf(path, sizeof path, "%s/CURRENT", s.dir);
    fix_write_bytes(path, "gen-000001.h5", 13);
    expect_path(s.dir, "CURRENT is not a link");
    sample_free(&s);
}

Test(store_damage, what_is_no_store_is_said_to_be_none) {
    sample s = sample_make(20);
    char *text = malloc(40000);
    memset(text, 'a', 40000);
    expect_refusal(&s, text, 40000, "not a model store");
    expect_refusal(&s, s.file.bytes + TIDE_USER_BLOCK, s.file.n - TIDE_USER_BLOCK, "not a model store");
    expect_path("/nonexistent/models", "No such file");
    expect_path("/dev/null", "not a regular file");
    free(text);
    sample_free(&s);
}
