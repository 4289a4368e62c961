/* fuzz_store.c - any change to a store with right checksums, through the reader and a forecast: refused or
 * read, no crash, no endless loop, no byte outside a column.
 *
 * A random change is caught by a checksum at once and tells little of the checks behind it. So the input is a
 * list of changes to a small valid store, twelve bytes each (a place, and a value of 1 to 8 bytes), after
 * which all checksums are made right again, as a hostile writer would. Places lean towards the directory and
 * the borders.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -DTIDE_FUZZER -D_GNU_SOURCE -DTIDE_VERSION='"0"' \
 *
 *         -DTIDE_COMMIT='"0"' -I. $(pkg-config --cflags hdf5) tests/fuzz_store.c io/store_*.c io/spool.c \
 *
 *         host/{error,grid,names,panel,predict}.c $(pkg-config --libs hdf5) -o fuzz_store
 *
 * Without TIDE_FUZZER and -fsanitize=fuzzer, the program replays the files named on its command line;
 * `--random N` makes N inputs of its own. */
#include "tests/store_fixture.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static fix_file base_store(void) {
    static fix_file made; /* one base for all inputs, never freed */
    if (made.bytes)
        return made;
    char dir[256], path[320];
    fix_directory(dir);
    tide_store_writer_options options = fix_options(dir);
    if (fix_write(&options, 1, 40, NULL, NULL) != TIDE_OK)
        abort();
    snprintf(path, sizeof path, "%s/gen-000001.h5", dir);
    made = fix_read(path);
    fix_remove(dir);
    return made;
}

/* Where change number `place` goes: half of them into header and directory, a quarter into a column of
 * borders. */
static size_t place_of(const fix_file *f, uint32_t place) {
    static const int borders[] = {TIDE_COL_ID_AT, TIDE_COL_FIRST_MEMBER, TIDE_COL_COEF_AT, TIDE_COL_STATE_AT,
                                  TIDE_COL_SLOT,  TIDE_COL_FAMILY,       TIDE_COL_FORM};
    size_t directory = TIDE_ENTRIES_AT + TIDE_COLUMNS * sizeof(tide_store_entry), kind = place & 3;
    place >>= 2;
    if (kind < 2)
        return place % directory;
    if (kind == 3)
        return place % (f->n - 8);
    tide_store_entry e = fix_entry(f, borders[place % 7]);
    return (size_t)(e.offset + place / 7 % (e.count * tide_type_bytes(e.type)));
}

static void forecast_all(const tide_store *store) {
    tide_store_info info;
    tide_store_get_info(store, &info);
    tide_forecast_spec spec = {.season = info.season, .horizon = 5, .n_levels = 1, .level = {0.9}};
    double mean[5], lo[5], hi[5], sum = 0;
    for (uint64_t i = 0; i < info.n_series; ++i)
        if (tide_store_forecast(store, (int64_t)i, &spec, mean, lo, hi, NULL) == TIDE_OK)
            sum += mean[0];
    int64_t row;
    if (tide_store_find(store, "nobody", 6, &row, NULL) == TIDE_OK && row >= (int64_t)info.n_series)
        abort();
    (void)fix_read_all(store, &sum, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fix_file base = base_store(), f = {.bytes = malloc(base.n), .n = base.n};
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC), header_changed = 0;
    tide_store *store = NULL;
    if (!f.bytes || fd < 0)
        abort();
    memcpy(f.bytes, base.bytes, f.n);
    for (; size >= 12; data += 12, size -= 12) {
        uint32_t place;
        memcpy(&place, data, 4);
        size_t at = place_of(&base, place), width = (size_t)1 << (place >> 30);
        if (at + width > f.n)
            continue;
        memcpy(f.bytes + at, data + 4, width);
        header_changed |= at < TIDE_USER_BLOCK;
    }
    /* With a changed directory fix_seal could not know where the columns lie. */
    if (header_changed)
        fix_seal_directory(&f);
    else
        fix_seal(&f);
    if (tide_pwrite_all(fd, f.bytes, f.n, 0) != 0)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (int all = 0; all < 2; ++all)
        if (tide_store_open(path, all ? TIDE_VERIFY_ALL : TIDE_VERIFY_TOUCHED, &store, NULL) == TIDE_OK) {
            forecast_all(store);
            tide_store_close(store);
        }
    close(fd);
    free(f.bytes);
    return 0;
}

#if !defined(TIDE_FUZZER)
static void random_inputs(uint64_t n) {
    static const uint64_t odd[] = {0, 1, 255, 65536, UINT64_MAX, (uint64_t)1 << 63, UINT32_MAX, 16384};
    uint64_t r = 7;
    for (uint64_t k = 0; k < n; ++k) {
        uint8_t data[36];
        for (size_t at = 0; at < sizeof data; at += 12) {
            uint64_t place = fix_random(&r), value = place >> 63 ? odd[fix_random(&r) % 8] : fix_random(&r);
            memcpy(data + at, &place, 4);
            memcpy(data + at + 4, &value, 8);
        }
        LLVMFuzzerTestOneInput(data, 12 * (1 + k % 3));
    }
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--random") == 0) {
        random_inputs(strtoull(argv[2], NULL, 10));
        return 0;
    }
    for (int i = 1; i < argc; ++i) {
        fix_file f = fix_read(argv[i]);
        LLVMFuzzerTestOneInput(f.bytes, f.n);
        free(f.bytes);
    }
    return 0;
}
#endif
