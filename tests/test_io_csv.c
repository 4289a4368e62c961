/* test_io_csv.c - CSV text to rows: quoting, columns, numbers, times, damage; and from a file to series. */
#include "host/intake.h"
#include "io/csv.h"
#include "io/csv_number.h"
#include "kernels/batch.h"
#include "kernels/tide_fn.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* ---- a file from a string, its rows into one text
 * ---------------------------------------------------------------------- */

static char path[64] = "/tmp/tide_csv_XXXXXX";
static void make_path(void) {
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
}
static void remove_path(void) {
    unlink(path);
}
TestSuite(csv, .init = make_path, .fini = remove_path);
TestSuite(csv_number);

static void write_bytes(const char *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static void write_gzip(const char *bytes, size_t n, const char *mode) {
    gzFile f = gzopen(path, mode);
    cr_assert(f && gzwrite(f, bytes, (unsigned)n) == (int)n && gzclose(f) == Z_OK);
}

static char text[1 << 16]; /* a line a row: "line|id|ds|y" or "line|fault|id|words" */

static tide_status rows_to_text(tide_source *source, tide_error *err) {
    static const char *const faults[] = {"good", "bad_ds", "bad_y", "bad_id", "bad_shape"};
    size_t at = 0;
    tide_rows r;
    text[0] = '\0';
    for (;;) {
        TIDE_TRY(source->next(source->self, &r, err));
        if (r.n == 0)
            return TIDE_OK;
        for (size_t i = 0, k = 0; i < r.n; ++i) {
            char ds[40];
            int n = (int)r.id_length[i];
            const char *id = r.bytes + r.id_at[i];
            tide_ds_format(r.ds_kind, r.ds[i], ds, sizeof ds);
            cr_assert_lt(at + 400, sizeof text);
            if (r.fault && r.fault[i]) {
                at += (size_t)sprintf(text + at, "%d|%s|%.*s|%s\n", (int)r.line[i], faults[r.fault[i]], n, id,
                                      k < r.n_fault_text ? r.fault_text[k] : "?");
                ++k;
            } else {
                if (r.y[i] != r.y[i])
                    cr_assert_eq(tide_to_bits(r.y[i]), tide_to_bits(TIDE_NAN));
                at += (size_t)sprintf(text + at, "%d|%.*s|%s|", (int)r.line[i], n, id, ds);
                at += (size_t)sprintf(text + at, r.y[i] != r.y[i] ? "-\n" : "%.17g\n", r.y[i]);
            }
        }
    }
}

static tide_status read_file(tide_csv_options o, tide_error *err) {
    tide_source source;
    o.path = path;
    TIDE_TRY(tide_csv_open(&o, &source, err));
    tide_status status = rows_to_text(&source, err);
    source.close(source.self);
    return status;
}

/* The rows of a file with these bytes, the same for small blocks and small buffers. */
static const char *rows_of(const char *bytes, tide_csv_options o) {
    tide_error err = {0};
    static char first[sizeof text];
    write_bytes(bytes, strlen(bytes));
    cr_assert_eq(read_file(o, &err), TIDE_OK, "%s", err.message);
    memcpy(first, text, sizeof text);
    o.block_rows = 1;
    cr_assert_eq(read_file(o, &err), TIDE_OK, "%s", err.message);
    cr_assert_str_eq(text, first, "blocks of one row");
    for (o.buffer_bytes = 64; o.buffer_bytes < 100; o.buffer_bytes += 3) {
        o.block_rows = o.buffer_bytes;
        cr_assert_eq(read_file(o, &err), TIDE_OK, "%s", err.message);
        cr_assert_str_eq(text, first, "a buffer of %zu bytes", o.buffer_bytes);
    }
    return first;
}
#define PLAIN ((tide_csv_options){0})

static void fails(const char *bytes, size_t n, tide_csv_options o, tide_status status, const char *part) {
    tide_error err = {0};
    write_bytes(bytes, n);
    cr_assert_eq(read_file(o, &err), status, "%d: %s", err.status, err.message);
    cr_assert(strstr(err.message, part), "%s", err.message);
    cr_assert(strstr(err.message, path), "%s", err.message);
}

/* ---- fields
 * -----------------------------------------------------------------------------------------------------------------
 */

Test(csv, plain_rows) {
    cr_assert_str_eq(rows_of("unique_id,ds,y\nA,2024-01-01,1.5\nA,2024-02-01,\nB,2024-01-01,-3e2\n", PLAIN),
                     "2|A|2024-01-01|1.5\n3|A|2024-02-01|-\n4|B|2024-01-01|-300\n");
}

Test(csv, columns_stand_anywhere_and_others_are_skipped) {
    tide_csv_options o = {.id_column = "store", .ds_column = "day", .y_column = "sold"};
    cr_assert_str_eq(rows_of("note,sold,day,x,store,z\n\"a,b\n\",5,7,,S1,\n,6,8,\"\"\"\",S1,\"\"\n", o),
                     "2|S1|7|5\n4|S1|8|6\n");
}

Test(csv, quotes_commas_and_line_breaks_in_ids) {
    cr_assert_str_eq(
        rows_of(
            "\"unique_id\",\"ds\",\"y\"\n\"a,b\",1,2\n\"say \"\"no\"\"\",\"1\",\"2.5\"\n\"two\nlines\",1,3\n"
            "\"\"\"\",1,4\n5\" pipe,1,5\nlast,1,6\n",
            PLAIN),
        "2|a,b|1|2\n3|say \"no\"|1|2.5\n4|two\nlines|1|3\n6|\"|1|4\n7|5\" pipe|1|5\n8|last|1|6\n");
}

Test(csv, crlf_bom_blank_lines_and_a_last_line_without_end) {
    cr_assert_str_eq(rows_of("\xef\xbb\xbfunique_id,ds,y\r\nA,1,2\r\n\r\n\nA,2,\"3\"\r\nA,3,4", PLAIN),
                     "2|A|1|2\n5|A|2|3\n6|A|3|4\n");
    cr_assert_str_eq(rows_of("\n\r\nunique_id,ds,y\nA,1,", PLAIN), "4|A|1|-\n");
    cr_assert_str_eq(rows_of("unique_id,ds,y\nA,1,\"2\"", PLAIN), "2|A|1|2\n");
    cr_assert_str_eq(rows_of("unique_id,ds,y\nA,1,\"2\"\r", PLAIN), "2|A|1|2\n");
}

Test(csv, delimiters_are_detected_or_set) {
    cr_assert_str_eq(rows_of("unique_id;ds;y\nA,B;1;2\n", PLAIN), "2|A,B|1|2\n");
    cr_assert_str_eq(rows_of("unique_id\tds\ty\nA\t1\t2\n", PLAIN), "2|A|1|2\n");
    cr_assert_str_eq(rows_of("\"a,b,c,d\";unique_id;ds;y\n;A;1;2\n", PLAIN), "2|A|1|2\n");
    cr_assert_str_eq(rows_of("unique_id|ds|y\nA|1|2\n", (tide_csv_options){.delimiter = '|'}), "2|A|1|2\n");
}

Test(csv, missing_infinite_and_unreadable_values) {
    cr_assert_str_eq(
        rows_of(
            "unique_id,ds,y\nA,1,NA\nA,2,NaN\nA,3,nan\nA,4,null\nA,5,NULL\nA,6, \nA,7,inf\nA,8,-Infinity\n"
            "A,9, 7 \nA,10,abc\nA,11,1.2.3\nA,12,0x10\nA,13,1e\nA,14,1 2\nA,15,NAN\nA,16,1,5\n",
            PLAIN),
        "2|A|1|-\n3|A|2|-\n4|A|3|-\n5|A|4|-\n6|A|5|-\n7|A|6|-\n8|A|7|inf\n9|A|8|-inf\n10|A|9|7\n"
        "11|bad_y|A|abc\n12|bad_y|A|1.2.3\n13|bad_y|A|0x10\n14|bad_y|A|1e\n15|bad_y|A|1 2\n16|A|15|-\n"
        "17|bad_shape||4 fields instead of 3\n");
}

Test(csv, the_first_readable_time_decides_the_kind) {
    cr_assert_str_eq(
        rows_of("unique_id,ds,y\nA,soon,1\nA,2024-01-01,1\nA,5,2\nA,2024-01-02 00:00,3\nA, 2024-01-03,4\n",
                PLAIN),
        "2|bad_ds|A|soon\n3|A|2024-01-01|1\n4|bad_ds|A|5\n5|bad_ds|A|2024-01-02 00:00\n6|A|2024-01-03|4\n");
}

Test(csv, rows_of_a_wrong_shape_cost_one_line_each) {
    cr_assert_str_eq(
        rows_of("unique_id,ds,y\nA,1\nA,1,2,3\n,1,2\n\"\",1,2\nA,2,5\n\"A,3,6\nB,1,7\n\"C\"x,1,8\nD,1,9\n",
                PLAIN),
        "2|bad_shape||2 fields instead of 3\n3|bad_shape||4 fields instead of 3\n4|bad_id||empty\n"
        "5|bad_id||empty\n6|A|2|5\n7|bad_shape||text after a closing quote\n8|B|1|7\n"
        "9|bad_shape||text after a closing quote\n10|D|1|9\n");
    cr_assert_str_eq(rows_of("unique_id,ds,y\nA,1,2\n\"B,1,2\nC,1,2\n", PLAIN),
                     "2|A|1|2\n3|bad_shape||a quote that nothing closes\n4|C|1|2\n");
}

Test(csv, ids_keep_every_byte_and_long_ones_are_rejected) {
    enum { LONGEST = TIDE_ID_MAX_BYTES };
    static char bytes[8 * LONGEST];
    tide_error err = {0};
    tide_source source;
    tide_csv_options o = {.path = path};
    size_t n = (size_t)sprintf(bytes, "unique_id,ds,y\nK\xc3\xb6ln \xe2\x82\xac,1,1\na");
    bytes[n++] = '\0';
    n += (size_t)sprintf(bytes + n, "b\xff,1,2\n");
    for (int extra = 0; extra < 2; ++extra) {
        memset(bytes + n, 'x', LONGEST + (size_t)extra);
        n += LONGEST + (size_t)extra;
        n += (size_t)sprintf(bytes + n, ",1,3\n");
    }
    write_bytes(bytes, n);
    cr_assert_eq(tide_csv_open(&o, &source, &err), TIDE_OK, "%s", err.message);
    tide_rows r;
    cr_assert_eq(source.next(source.self, &r, &err), TIDE_OK);
    cr_assert_eq(r.n, 4);
    cr_assert_eq(r.id_length[0], 9);
    cr_assert_eq(r.id_length[1], 4);
    cr_assert_eq(memcmp(r.bytes + r.id_at[1], "a\0b\xff", 4), 0);
    cr_assert_eq(r.id_length[2], LONGEST);
    cr_assert_eq(r.fault[2], TIDE_ROW_GOOD);
    cr_assert_eq(r.fault[3], TIDE_ROW_BAD_ID);
    cr_assert_str_eq(r.fault_text[0], "longer than 16384 bytes");
    source.close(source.self);
}

Test(csv, a_line_longer_than_the_buffer_is_one_bad_row) {
    static char bytes[3000];
    tide_csv_options o = {.buffer_bytes = 256};
    tide_error err = {0};
    size_t n = (size_t)sprintf(bytes, "unique_id,ds,y\nA,1,1\n");
    memset(bytes + n, 'x', 2000);
    n += 2000;
    n += (size_t)sprintf(bytes + n, ",1,2\nB,1,3\n\"");
    memset(bytes + n, '\n',
           300); /* a quote that is still open after a buffer: the next line is read as one */
    n += 300;
    n += (size_t)sprintf(bytes + n, "C,1,4\nD,1,\"5\"\n");
    write_bytes(bytes, n);
    cr_assert_eq(read_file(o, &err), TIDE_OK);
    cr_assert_str_eq(text, "2|A|1|1\n3|bad_shape||a line that is too long\n4|B|1|3\n"
                           "5|bad_shape||a quoted field that is too long\n305|C|1|4\n306|D|1|5\n");
    memset(bytes + 30, 'y', 2900);
    write_bytes(bytes, 2900);
    cr_assert_eq(read_file(o, &err), TIDE_OK);
    cr_assert_str_eq(text, "2|A|1|1\n3|bad_shape||a line that is too long\n");
}

/* ---- files
 * ------------------------------------------------------------------------------------------------------------------
 */

Test(csv, unusable_files_are_named_with_the_reason) {
    fails("", 0, PLAIN, TIDE_INPUT, "the file is empty");
    fails("\n\n", 2, PLAIN, TIDE_INPUT, "the file is empty");
    fails("unique_id,ds,value\n", 19, PLAIN, TIDE_INPUT,
          "line 1: there is no column 'y'; the header has 'unique_id', 'ds', 'value'");
    fails("A,2024-01-01,5\n", 15, PLAIN, TIDE_INPUT,
          "there is no column 'unique_id'; the header has 'A', '2024-01-01', '5'");
    fails("Unique_ID,ds,y\n", 15, PLAIN, TIDE_INPUT, "there is no column 'unique_id'");
    fails("unique_id,ds,y,ds\n", 18, PLAIN, TIDE_INPUT, "column 'ds' stands twice");
    fails("\"unique_id,ds,y\n", 16, PLAIN, TIDE_INPUT, "a quote that nothing closes");
    fails("\xff\xfeu\0n\0", 6, PLAIN, TIDE_INPUT, "UTF-16");
    unlink(path);
    tide_error err = {0};
    tide_source source;
    tide_csv_options o = {.path = path};
    cr_assert_eq(tide_csv_open(&o, &source, &err), TIDE_DISK);
    cr_assert(strstr(err.message, "No such file"), "%s", err.message);
    o.path = "/tmp";
    cr_assert_eq(tide_csv_open(&o, &source, &err), TIDE_DISK);
    cr_assert(strstr(err.message, "directory"), "%s", err.message);
    o.y_column = "ds";
    cr_assert_eq(tide_csv_open(&o, &source, &err), TIDE_CONFIG);
}

Test(csv, a_header_with_many_columns_is_listed_as_far_as_it_fits) {
    static char bytes[32000];
    size_t n = 0;
    for (int i = 0; i < 2000; ++i)
        n += (size_t)sprintf(bytes + n, "column%d,", i);
    n += (size_t)sprintf(bytes + n, "unique_id,ds\n");
    fails(bytes, n, PLAIN, TIDE_INPUT, "'column0', 'column1'");
    fails(bytes, n, (tide_csv_options){.buffer_bytes = 1000}, TIDE_INPUT,
          "the header is longer than 1000 bytes");
}

Test(csv, a_header_alone_has_no_rows) {
    cr_assert_str_eq(rows_of("unique_id,ds,y\n", PLAIN), "");
    cr_assert_str_eq(rows_of("unique_id,ds,y", PLAIN), "");
}

Test(csv, gzip_is_detected_and_members_are_joined) {
    static const char bytes[] = "unique_id,ds,y\nA,1,2\n", more[] = "B,1,3\n";
    tide_error err = {0};
    write_gzip(bytes, sizeof bytes - 1, "wb");
    write_gzip(more, sizeof more - 1, "ab");
    cr_assert_eq(read_file((tide_csv_options){0}, &err), TIDE_OK, "%s", err.message);
    cr_assert_str_eq(text, "2|A|1|2\n3|B|1|3\n");
    cr_assert_eq(read_file((tide_csv_options){.buffer_bytes = 64}, &err), TIDE_OK, "%s", err.message);
    cr_assert_str_eq(text, "2|A|1|2\n3|B|1|3\n");
}

Test(csv, gzip_cut_off_or_damaged_anywhere_never_passes) {
    static char bytes[4000], packed[4000];
    size_t n = (size_t)sprintf(bytes, "unique_id,ds,y\n");
    for (int i = 0; i < 100; ++i)
        n += (size_t)sprintf(bytes + n, "A,%d,%d\n", i, i * i);
    write_gzip(bytes, n, "wb");
    FILE *f = fopen(path, "rb");
    size_t size = fread(packed, 1, sizeof packed, f);
    fclose(f);
    cr_assert_gt(size, 100);
    for (size_t cut = 2; cut < size; cut += 7) {
        tide_error err = {0};
        write_bytes(packed, cut);
        cr_assert_eq(read_file((tide_csv_options){0}, &err), TIDE_INPUT, "cut at %zu", cut);
        cr_assert(strstr(err.message, "gzip data is cut off"), "%s", err.message);
    }
    for (size_t at = size - 8; at < size; ++at) { /* checksum and length */
        tide_error err = {0};
        packed[at] ^= 4;
        write_bytes(packed, size);
        cr_assert_eq(read_file((tide_csv_options){0}, &err), TIDE_INPUT);
        cr_assert(strstr(err.message, "gzip data is damaged"), "%s", err.message);
        packed[at] ^= 4;
    }
}

Test(csv, standard_input_is_read_in_whatever_pieces_it_comes) {
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(dup2(ends[0], STDIN_FILENO), 0);
    pid_t child = fork();
    if (child == 0) {
        static const char bytes[] = "unique_id,ds,y\nA,1,2\nB,1,3\n";
        for (size_t i = 0; i + 1 < sizeof bytes; ++i)
            if (write(ends[1], bytes + i, 1) != 1)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    tide_error err = {0};
    tide_source source;
    tide_csv_options o = {.path = "-"};
    cr_assert_eq(tide_csv_open(&o, &source, &err), TIDE_OK, "%s", err.message);
    cr_assert_str_eq(source.name, "csv standard input");
    cr_assert_eq(rows_to_text(&source, &err), TIDE_OK);
    cr_assert_str_eq(text, "2|A|1|2\n3|B|1|3\n");
    uint64_t done, total;
    source.progress(source.self, &done, &total);
    cr_assert_eq(done, 27);
    cr_assert_eq(total, 0);
    source.close(source.self);
}

Test(csv, a_million_rows_with_one_bad_row_shut_out_one_series) {
    FILE *f = fopen(path, "w");
    fputs("unique_id,ds,y\n", f);
    for (int i = 0; i < 1000000; ++i)
        fprintf(f, i == 654321 ? "s%d,%d,oops\n" : "s%d,%d,1\n", i / 100, i % 100);
    cr_assert_eq(fclose(f), 0);
    tide_error err = {0};
    tide_source source;
    tide_csv_options o = {.path = path};
    cr_assert_eq(tide_csv_open(&o, &source, &err), TIDE_OK);
    tide_intake_options options = {.from_ds = INT64_MIN,
                                   .to_ds = INT64_MAX,
                                   .batch_series = 1000,
                                   .batch_values = 1 << 20,
                                   .max_length = 1000,
                                   .freq = {TIDE_UNIT_STEP, 1},
                                   .out_of_order = TIDE_POLICY_SORT};
    tide_intake_report report;
    tide_intake *in;
    cr_assert_eq(tide_intake_open(&source, &options, &report, &in, &err), TIDE_OK);
    tide_panel panel;
    tide_panel_init(&panel);
    size_t fitted = 0, bad = 0;
    for (;;) {
        cr_assert_eq(tide_intake_next(in, &panel, &err), TIDE_OK, "%s", err.message);
        if (panel.n_series == 0)
            break;
        for (size_t i = 0; i < panel.n_series; ++i) {
            fitted += panel.outcome[i] == TIDE_OUTCOME_FITTED && panel.at[i + 1] - panel.at[i] == 100;
            bad += panel.outcome[i] == TIDE_OUTCOME_BAD_ROW;
        }
    }
    cr_assert_eq(fitted, 9999);
    cr_assert_eq(bad, 1);
    cr_assert_eq(report.rows, 1000000);
    cr_assert_eq(report.bad_rows.n, 1);
    cr_assert_str_eq(report.bad_rows.named[0], "series 's6543' line 654323: y is 'oops'");
    cr_assert_lt(panel.cap_y, 1 << 18, "a batch of 1000 series of 100 values");
    uint64_t done, total;
    source.progress(source.self, &done, &total);
    cr_assert_eq(done, total);
    tide_panel_free(&panel);
    tide_intake_close(in);
    source.close(source.self);
}

/* ---- numbers
 * ------------------------------------------------------------------------------------------------------------------
 */

static double number(const char *s) {
    static locale_t c;
    if (!c)
        c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double x = -77;
    cr_assert(tide_csv_number(s, strlen(s), c, &x), "%s", s);
    return x;
}

static void same_as_strtod(const char *s) {
    if (tide_to_bits(number(s)) != tide_to_bits(strtod(s, NULL)))
        cr_assert_fail("%s: %.17g, strtod %.17g", s, number(s), strtod(s, NULL));
}

Test(csv_number, edges_round_as_strtod_does) {
    static const char *const all[] = {
        "0",
        "-0",
        "0.0e99999",
        "1",
        "+1",
        ".5",
        "5.",
        "-.5e1",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "9007199254740992",
        "9007199254740993",
        "9007199254740995",
        "9007199254740993.0",
        "9007199254740992.5e0",
        "900719925474099.35",
        "18446744073709551615",
        "9999999999999999999",
        "99999999999999999999",
        "1e308",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e400",
        "-1e400",
        "5e-324",
        "2e-324",
        "1e-400",
        "2.2250738585072011e-308",
        "0.000000000000000000000000001",
        "123456789012345678e-27",
        "1e27",
        "1844674407370955161e27",
        "1e28",
        "1e-28",
        "0.1",
        "0.2",
        "0.3",
        "3.14159265358979323846264338327950288",
        "1000000000000000000000000",
        "00000000000000000000001.5",
        "0.00000000000000000000000000000000000000000000000000000000000000015",
        "4503599627370496.5",
        "4503599627370497.5",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "0.50000000000000005551115123125782702118158340454101562",
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i)
        same_as_strtod(all[i]);
}

Test(csv_number, random_decimals_round_as_strtod_does) {
    uint64_t state = 5;
    for (int i = 0; i < 400000; ++i) {
        char s[64];
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t w = (state ^ state >> 29) >> (state >> 58) % 60;
        sprintf(s, "%llue%d", (unsigned long long)w, (int)(state >> 20 & 63) - 32);
        same_as_strtod(s);
        sprintf(s, "%.*f", (int)(state & 7), (double)(w >> 20) / 997);
        same_as_strtod(s);
        double x = tide_from_bits((state >> 12) | (uint64_t)(1000 + (state & 63)) << 52);
        sprintf(s, "%.17g", x);
        cr_assert_eq(tide_to_bits(number(s)), tide_to_bits(x), "%s", s);
    }
}

Test(csv_number, ties_between_doubles_go_to_even) {
    /* Half way between neighbours near 2^k: the exact decimal of (2m + 1) 2^(k - 54). */
    for (int k = 53; k < 63; ++k) {
        for (uint64_t m = 0; m < 64; ++m) {
            uint64_t half = (uint64_t)1 << (k - 53), w = ((uint64_t)1 << k) + (2 * m + 1) * half;
            char s[32];
            if (w > UINT64_C(9999999999999999999))
                continue;
            sprintf(s, "%llu", (unsigned long long)w);
            same_as_strtod(s);
            sprintf(s, "%llu0e-1", (unsigned long long)w / 10 * 10);
            same_as_strtod(s);
            sprintf(s, "%llu.0", (unsigned long long)w);
            same_as_strtod(s);
        }
    }
}

Test(csv_number, other_text_is_no_number) {
    static const char *const wrong[] = {"",
                                        "-",
                                        "+",
                                        ".",
                                        "e5",
                                        "1e",
                                        "1e+",
                                        "1.e",
                                        "--1",
                                        "1..2",
                                        "0x1p3",
                                        "1_000",
                                        "1,5",
                                        " 1",
                                        "1 ",
                                        "nano",
                                        "infi",
                                        "i",
                                        "1f",
                                        "-.",
                                        "1e1.5",
                                        "NA",
                                        "\xc2\xa0"
                                        "1"};
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
        double x = -77;
        cr_assert_not(tide_csv_number(wrong[i], strlen(wrong[i]), c, &x), "%s", wrong[i]);
    }
    double x;
    cr_assert_not(tide_csv_number("1\0", 2, c, &x));
    char *digits = malloc(2000);
    memset(digits, '7', 2000);
    cr_assert(tide_csv_number(digits, 300, c, &x) && x > 7e299);
    cr_assert_not(tide_csv_number(digits, 2000, c, &x), "more than 1023 bytes are not a number");
    free(digits);
    freelocale(c);
}

Test(csv_number, the_locale_of_the_program_does_not_matter) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
    for (int i = 0; i < 3; ++i)
        if (setlocale(LC_ALL, names[i]))
            break;
    cr_assert_eq(number("1234567890.12345678901234"), 1234567890.12345678901234);
    cr_assert_eq(number("1.5e300"), 1.5e300);
}
