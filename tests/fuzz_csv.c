/* fuzz_csv.c - any bytes as a CSV file, through the reader and intake: no crash, no endless loop, and the
 * invariants below.
 *
 * The first byte chooses policies and frequency, the rest is the file (gzip included). Read in blocks of one
 * row and of many, the same rows must come; ids lie inside the limits; every series of a batch keeps to the
 * batch's arrays.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -DTIDE_FUZZER -D_GNU_SOURCE -I. -o fuzz_csv \
 *       tests/fuzz_csv.c io/csv.c io/csv_input.c io/csv_number.c host/error.c host/grid.c host/panel.c \
 *       host/quote.c host/idset.c host/gather.c host/regular.c host/intake.c -lz
 *
 * Without TIDE_FUZZER and -fsanitize=fuzzer, the program replays the files named on its command line. */
#include "host/hash.h"
#include "host/intake.h"
#include "io/csv.h"
#include "kernels/batch.h"
#include "kernels/tide_fn.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int fact) {
    if (!fact)
        abort();
}

/* Number and hash of all rows; *status is the run's. */
static uint64_t read_all(const tide_csv_options *options, tide_status *status, size_t *n_rows) {
    tide_error err = {0};
    tide_source source;
    uint64_t hash = 0;
    *n_rows = 0;
    *status = tide_csv_open(options, &source, &err);
    if (*status != TIDE_OK)
        return 0;
    for (;;) {
        tide_rows r;
        *status = source.next(source.self, &r, &err);
        if (*status != TIDE_OK || r.n == 0)
            break;
        for (size_t i = 0; i < r.n; ++i) {
            int fault = r.fault ? r.fault[i] : TIDE_ROW_GOOD;
            must(fault <= TIDE_ROW_BAD_SHAPE);
            must(fault >= TIDE_ROW_BAD_ID ? r.id_length[i] == 0
                                          : r.id_length[i] > 0 && r.id_length[i] <= TIDE_ID_MAX_BYTES);
            hash = tide_hash_word(hash, tide_hash_bytes(r.bytes + r.id_at[i], r.id_length[i]));
            hash = tide_hash_word(tide_hash_word(hash, (uint64_t)r.ds[i]), tide_to_bits(r.y[i]));
            hash = tide_hash_word(tide_hash_word(hash, r.line[i]), (uint64_t)fault);
        }
        *n_rows += r.n;
    }
    source.close(source.self);
    return hash;
}

static void check_panel(const tide_panel *p) {
    for (size_t i = 0; i < p->n_series; ++i) {
        must(p->id_at[i] < p->id_at[i + 1] && p->at[i] <= p->at[i + 1]);
        must(p->outcome[i] < TIDE_OUTCOME_COUNT && p->first_ds[i] <= p->last_ds[i]);
        must((p->outcome[i] == TIDE_OUTCOME_FITTED) == (p->at[i] < p->at[i + 1]));
        for (size_t t = p->at[i]; t < p->at[i + 1]; ++t)
            must(tide_is_finite(p->y[t]) || tide_to_bits(p->y[t]) == tide_to_bits(TIDE_NAN));
    }
}

static void take_in(const tide_csv_options *options, uint8_t choice) {
    static const tide_unit units[] = {TIDE_UNIT_STEP, TIDE_UNIT_DAY, TIDE_UNIT_MONTH, TIDE_UNIT_BUSINESS_DAY};
    tide_error err = {0};
    tide_source source;
    tide_intake *in;
    tide_intake_report report;
    tide_intake_options o = {.freq = {units[choice & 3], 1 + (choice >> 7)},
                             .bad_rows = choice & 4 ? TIDE_POLICY_SKIP : TIDE_POLICY_QUARANTINE,
                             .infinite = choice & 8 ? TIDE_POLICY_SKIP : TIDE_POLICY_QUARANTINE,
                             .duplicates = choice & 16 ? TIDE_POLICY_SUM : TIDE_POLICY_QUARANTINE,
                             .out_of_order = TIDE_POLICY_SORT,
                             .gather = choice >> 5 & 1,
                             .from_ds = INT64_MIN,
                             .to_ds = INT64_MAX,
                             .batch_series = 3,
                             .batch_values = 100,
                             .max_length = choice & 64 ? 16 : 4096};
    if (tide_csv_open(options, &source, &err) != TIDE_OK)
        return;
    must(tide_intake_open(&source, &o, &report, &in, &err) == TIDE_OK);
    tide_panel panel;
    tide_panel_init(&panel);
    while (tide_intake_next(in, &panel, &err) == TIDE_OK && panel.n_series)
        check_panel(&panel);
    tide_panel_free(&panel);
    tide_intake_close(in);
    source.close(source.self);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    tide_csv_options many = {.path = path, .buffer_bytes = 4096, .block_rows = 1000};
    tide_csv_options one = {.path = path, .buffer_bytes = 4096, .block_rows = 1};
    tide_csv_options small = {.path = path, .buffer_bytes = 64, .block_rows = 7};
    tide_status status_many, status_one;
    size_t n_many, n_one;
    uint64_t hash_many = read_all(&many, &status_many, &n_many),
             hash_one = read_all(&one, &status_one, &n_one);
    must(status_many == status_one);
    if (status_many == TIDE_OK)
        must(hash_many == hash_one && n_many == n_one);
    read_all(&small, &status_one, &n_one);
    take_in(&many, data[0]);
    take_in(&small, data[0]);
    close(fd);
    return 0;
}

#if !defined(TIDE_FUZZER)
int main(int argc, char **argv) {
    static uint8_t bytes[1 << 20];
    for (int i = 1; i < argc; ++i) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return 1;
        }
        size_t n = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        LLVMFuzzerTestOneInput(bytes, n);
    }
    return 0;
}
#endif
