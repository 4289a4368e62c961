/* test_io_csv_write.c - rows as CSV text: numbers that read back, quoting, and failing writes. */
#include "io/csv_write.h"
#include "kernels/tide_fn.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A source of one block. */
typedef struct one_block {
    tide_rows rows;
    int given;
} one_block;

static tide_status give(void *self, tide_rows *rows, tide_error *err) {
    (void)err;
    one_block *b = self;
    *rows = b->given++ ? (tide_rows){0} : b->rows;
    return TIDE_OK;
}

enum { MOST = 4096 };
static const uint64_t lines[MOST];

static tide_source source_of(one_block *b) {
    b->rows.line = lines;
    b->given = 0;
    return (tide_source){.self = b, .name = "test", .line_word = "row", .next = give};
}

/* What tide_csv_write makes of the block; malloc'd. */
static char *text_of(one_block *b, const char *header, uint64_t *n) {
    char path[] = "/tmp/tide_csv_write_XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    unlink(path);
    tide_source source = source_of(b);
    tide_error err;
    cr_assert_eq(tide_csv_write(&source, fd, "test file", header, n, &err), TIDE_OK, "%s", err.message);
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    cr_assert_eq(pread(fd, text, (size_t)size, 0), size);
    close(fd);
    return text;
}

Test(csv_write, rows_have_the_documented_form) {
    const char bytes[] = "Aa,b\"q\" x\xc3\xa4";
    const uint32_t at[] = {0, 1, 4, 8, 9, 0}, length[] = {1, 3, 3, 1, 2, 0};
    const int64_t ds[] = {0, -1, 19782, 18993, 11016, 0};
    const double y[] = {1, -2.5, TIDE_NAN, 0.25, 1e15, 12345.67};
    one_block b = {.rows = {.n = 6,
                            .ds_kind = TIDE_DS_DATE,
                            .bytes = bytes,
                            .id_at = at,
                            .id_length = length,
                            .ds = ds,
                            .y = y}};
    uint64_t n = 0;
    char *text = text_of(&b, "item,day,units", &n);
    cr_assert_eq(n, 6);
    cr_assert_str_eq(text,
                     "item,day,units\nA,1970-01-01,1\n\"a,b\",1969-12-31,-2.5\n\"\"\"q\"\"\",2024-02-29,\n"
                     "x,2022-01-01,0.25\n\xc3\xa4,2000-02-29,1e+15\n,1970-01-01,12345.67\n");
    free(text);
}

Test(csv_write, every_double_reads_back_to_the_same_bits) {
    static uint32_t at[MOST], length[MOST];
    static int64_t ds[MOST];
    static double y[MOST];
    uint64_t state = 1;
    for (int i = 0; i < MOST; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double v = tide_from_bits(state);
        if (!tide_is_finite(v))
            v = 0.1 * i;
        if (i % 4 == 1)
            v = (double)(int64_t)(state >> 20) / 100; /* money, and just beyond its range */
        if (i % 4 == 2)
            v = (double)(state >> 40) / 1000;
        if (i % 4 == 3)
            v = (double)(state >> 44);
        y[i] = v;
        ds[i] = i;
        length[i] = 1;
    }
    one_block b = {.rows = {.n = MOST,
                            .ds_kind = TIDE_DS_INTEGER,
                            .bytes = "a",
                            .id_at = at,
                            .id_length = length,
                            .ds = ds,
                            .y = y}};
    char *text = text_of(&b, NULL, NULL), *line = text;
    cr_assert_eq(strncmp(line, "unique_id,ds,y\n", 15), 0);
    for (int i = 0; i < MOST; ++i) {
        line = strchr(line, '\n') + 1;
        char *end;
        cr_assert_eq(strtoll(line + 2, &end, 10), i);
        cr_assert_eq(tide_to_bits(strtod(end + 1, &end)), tide_to_bits(y[i]), "%.17g", y[i]);
        cr_assert_eq(*end, '\n');
    }
    free(text);
}

Test(csv_write, a_faulty_row_and_a_full_disk_are_errors) {
    const uint32_t at[] = {0}, length[] = {1};
    const int64_t ds[] = {0};
    const double y[] = {1};
    const uint8_t fault[] = {TIDE_ROW_BAD_DS};
    one_block b = {.rows = {.n = 1, .bytes = "a", .id_at = at, .id_length = length, .ds = ds, .y = y}};
    tide_source source = source_of(&b);
    tide_error err;
    int full = open("/dev/full", O_WRONLY);
    cr_assert_geq(full, 0);
    cr_assert_eq(tide_csv_write(&source, full, "out.csv", NULL, NULL, &err), TIDE_DISK);
    cr_assert(strstr(err.message, "out.csv: cannot write: No space left"), "%s", err.message);
    b.rows.fault = fault;
    source = source_of(&b);
    cr_assert_eq(tide_csv_write(&source, full, "out.csv", NULL, NULL, &err), TIDE_INPUT);
    close(full);
}

Test(csv_write, simulated_rows_are_written_in_full) {
    int null = open("/dev/null", O_WRONLY);
    tide_simulate_options o;
    tide_simulate_options_init(&o);
    o.n_series = 100;
    o.late_share = o.end_share = o.gap_share = 0;
    uint64_t n = 0;
    tide_error err;
    cr_assert_eq(tide_simulate_write_csv(&o, null, "null", &n, &err), TIDE_OK);
    cr_assert_eq(n, 100 * 1096);
    o.freq.unit = TIDE_UNIT_SECOND;
    cr_assert_eq(tide_simulate_write_csv(&o, null, "null", &n, &err), TIDE_CONFIG);
    cr_assert_eq(n, 100 * 1096);
    close(null);
}
