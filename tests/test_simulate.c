/* test_simulate.c - the generator: the same row for the same (seed, series, date) however it is asked for,
 * and properties of the demand that it makes. */
#include "host/simulate.h"
#include "kernels/tide_fn.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

typedef struct record {
    uint64_t series;
    int64_t ds;
    uint64_t y_bits;
} record;

typedef struct records {
    record *at;
    size_t n, room;
} records;

/* Appends the rows of the options; checks ids, order and the row numbers on the way. */
static void append(records *r, const tide_simulate_options *o) {
    tide_source source;
    tide_error err;
    cr_assert_eq(tide_simulate_open(o, &source, &err), TIDE_OK, "%s", err.message);
    cr_assert(source.grouped);
    uint64_t line = 0, last_series = 0;
    int64_t last_ds = INT64_MIN;
    for (;;) {
        tide_rows rows;
        cr_assert_eq(source.next(source.self, &rows, &err), TIDE_OK);
        if (!rows.n)
            break;
        cr_assert_eq(rows.ds_kind, TIDE_DS_DATE);
        for (size_t i = 0; i < rows.n; ++i) {
            char id[32] = "";
            cr_assert_lt(rows.id_length[i], sizeof id);
            memcpy(id, rows.bytes + rows.id_at[i], rows.id_length[i]);
            cr_assert(id[0] == 'S' && rows.id_length[i] >= 8);
            uint64_t series = strtoull(id + 1, NULL, 10);
            if (line)
                cr_assert(series > last_series || (series == last_series && rows.ds[i] > last_ds));
            last_series = series;
            last_ds = rows.ds[i];
            cr_assert_eq(rows.line[i], ++line);
            if (r->n == r->room) {
                r->room = r->room ? 2 * r->room : 1024;
                r->at = realloc(r->at, r->room * sizeof *r->at);
                cr_assert(r->at);
            }
            r->at[r->n++] = (record){series, rows.ds[i], tide_to_bits(rows.y[i])};
        }
    }
    uint64_t done, total;
    source.progress(source.self, &done, &total);
    cr_assert_eq(done, o->n_series);
    cr_assert_eq(total, o->n_series);
    source.close(source.self);
}

static int by_series_and_ds(const void *a, const void *b) {
    const record *x = a, *y = b;
    if (x->series != y->series)
        return x->series < y->series ? -1 : 1;
    return x->ds < y->ds ? -1 : x->ds > y->ds;
}

static void assert_same(records *a, records *b) {
    cr_assert_eq(a->n, b->n, "%zu and %zu rows", a->n, b->n);
    cr_assert_gt(a->n, 0);
    qsort(a->at, a->n, sizeof *a->at, by_series_and_ds);
    qsort(b->at, b->n, sizeof *b->at, by_series_and_ds);
    cr_assert_eq(memcmp(a->at, b->at, a->n * sizeof *a->at), 0);
}

static const tide_freq all_freqs[] = {
    {TIDE_UNIT_DAY, 1},   {TIDE_UNIT_BUSINESS_DAY, 1}, {TIDE_UNIT_WEEK, 1},
    {TIDE_UNIT_MONTH, 1}, {TIDE_UNIT_QUARTER, 1},      {TIDE_UNIT_YEAR, 1},
    {TIDE_UNIT_WEEK, 2},  {TIDE_UNIT_DAY, 10},         {TIDE_UNIT_MONTH, 2}};
enum { N_FREQS = sizeof all_freqs / sizeof *all_freqs };

static tide_simulate_options options(uint64_t n, tide_freq freq) {
    tide_simulate_options o;
    tide_simulate_options_init(&o);
    o.n_series = n;
    o.freq = freq;
    o.from = 16500;
    o.to = 19999;
    return o;
}

static tide_simulate_options complete(uint64_t n, tide_freq freq) {
    tide_simulate_options o = options(n, freq);
    o.intermittent_share = o.late_share = o.end_share = o.gap_share = o.missing_share = 0;
    return o;
}

Test(simulate, ranges_put_together_equal_the_whole) {
    for (int f = 0; f < N_FREQS; ++f) {
        records whole = {0}, parts = {0};
        tide_simulate_options o = options(60, all_freqs[f]), part = o;
        append(&whole, &o);
        const int64_t cut[] = {16500, 16501, 17000, 18262, 18270, 20000};
        for (int i = 0; i < 5; ++i) {
            part.from = cut[i];
            part.to = cut[i + 1] - 1;
            append(&parts, &part);
        }
        assert_same(&whole, &parts);
        free(whole.at);
        free(parts.at);
    }
}

Test(simulate, shards_put_together_equal_the_whole) {
    records whole = {0}, parts = {0};
    tide_simulate_options o = options(97, (tide_freq){TIDE_UNIT_DAY, 1}), part = o;
    append(&whole, &o);
    for (uint64_t first = 0; first < 97; first += 13) {
        part.first_series = first;
        part.n_series = first + 13 <= 97 ? 13 : 97 - first;
        append(&parts, &part);
    }
    assert_same(&whole, &parts);
    free(whole.at);
    free(parts.at);
}

Test(simulate, rows_lie_on_the_grid_and_none_is_missing_without_gaps) {
    for (int f = 0; f < N_FREQS; ++f) {
        records r = {0};
        tide_simulate_options o = complete(3, all_freqs[f]);
        append(&r, &o);
        size_t each = r.n / 3;
        cr_assert_eq(r.n, 3 * each);
        for (size_t i = 0; i < r.n; ++i) {
            int64_t steps;
            cr_assert(tide_grid_steps(o.freq, TIDE_DS_DATE, r.at[i / each * each].ds, r.at[i].ds, 0, &steps));
            cr_assert_eq((size_t)steps, i % each);
            cr_assert(r.at[i].ds >= o.from && r.at[i].ds <= o.to);
        }
        free(r.at);
    }
}

Test(simulate, bits_are_the_recorded_ones) {
    /* A pin, not a truth: a change of the generator changes every simulated data set, and has to be meant. */
    uint64_t hash[2] = {0, 0};
    for (int f = 0; f < 2; ++f) {
        records r = {0};
        tide_simulate_options o = options(200, (tide_freq){f ? TIDE_UNIT_MONTH : TIDE_UNIT_DAY, 1});
        append(&r, &o);
        for (size_t i = 0; i < r.n; ++i)
            hash[f] =
                (hash[f] ^ r.at[i].series ^ (uint64_t)r.at[i].ds << 32 ^ r.at[i].y_bits) * 0x100000001b3u;
        free(r.at);
    }
    cr_expect_eq(hash[0], 0x99ba2b067da6b60bu, "daily: 0x%llx", (unsigned long long)hash[0]);
    cr_expect_eq(hash[1], 0xa9b53915c39c4b4eu, "monthly: 0x%llx", (unsigned long long)hash[1]);
}

Test(simulate, seed_and_series_matter) {
    records a = {0}, b = {0};
    tide_simulate_options o = complete(10, (tide_freq){TIDE_UNIT_WEEK, 1});
    append(&a, &o);
    o.seed = 2;
    append(&b, &o);
    size_t same = 0, same_as_next = 0, each = a.n / 10;
    for (size_t i = 0; i < a.n; ++i)
        same += a.at[i].y_bits == b.at[i].y_bits;
    for (size_t i = 0; i + each < a.n; ++i)
        same_as_next += a.at[i].y_bits == a.at[i + each].y_bits;
    cr_assert_lt(same, a.n / 10);
    cr_assert_lt(same_as_next, a.n / 10);
    free(a.at);
    free(b.at);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

Test(simulate, levels_span_orders_of_magnitude_and_values_are_counts_or_money) {
    records r = {0};
    enum { N = 400 };
    tide_simulate_options o = complete(N, (tide_freq){TIDE_UNIT_DAY, 1});
    append(&r, &o);
    size_t each = r.n / N, whole = 0;
    double level[N] = {0};
    for (size_t i = 0; i < r.n; ++i) {
        double y = tide_from_bits(r.at[i].y_bits);
        cr_assert(y >= 0 && y < 1e9);
        level[i / each] += y / (double)each;
        int64_t hundredths = (int64_t)(100 * y + 0.5);
        whole += y == (double)(int64_t)y;
        cr_assert_eq((double)hundredths / 100, y, "%.17g is neither a count nor money", y);
    }
    qsort(level, N, sizeof *level, by_value);
    cr_assert_gt(level[N * 95 / 100], 100 * level[N * 5 / 100]);
    cr_assert(level[N / 2] > 3 && level[N / 2] < 60, "median level %g", level[N / 2]);
    double share = (double)whole / (double)r.n;
    cr_assert(share > 0.85 && share < 0.97, "%g of the values are whole", share);
    free(r.at);
}

Test(simulate, saturdays_sell_more_than_tuesdays_and_december_more_than_july_in_gifts) {
    records r = {0};
    enum { N = 400 };
    tide_simulate_options o = complete(N, (tide_freq){TIDE_UNIT_DAY, 1});
    append(&r, &o);
    size_t each = r.n / N, more = 0, gifts = 0;
    for (size_t s = 0; s < N; ++s) {
        double day[7] = {0}, month[13] = {0};
        for (size_t i = s * each; i < (s + 1) * each; ++i) {
            int64_t ds = r.at[i].ds;
            char text[40];
            tide_ds_format(TIDE_DS_DATE, ds, text, sizeof text);
            day[(ds + 3) % 7] += tide_from_bits(r.at[i].y_bits);
            month[atoi(text + 5)] += tide_from_bits(r.at[i].y_bits);
        }
        more += day[5] > 1.1 * day[1];
        gifts += month[12] > 1.8 * month[6] && month[12] > 1.4 * month[2];
    }
    cr_assert(more > N / 2 && more < N * 3 / 4, "%zu", more); /* four of six types */
    cr_assert(gifts > N / 10 && gifts < N / 3, "%zu", gifts); /* one of six */
    free(r.at);
}

Test(simulate, shares_are_kept) {
    records r = {0};
    enum { N = 1000 };
    tide_simulate_options o = complete(N, (tide_freq){TIDE_UNIT_WEEK, 1});
    append(&r, &o);
    size_t each = r.n / N;
    r.n = 0;
    o.gap_share = 0.1;
    o.missing_share = 0.05;
    append(&r, &o);
    size_t missing = 0;
    for (size_t i = 0; i < r.n; ++i)
        missing += (size_t)tide_is_nan(tide_from_bits(r.at[i].y_bits));
    cr_expect_float_eq((double)r.n / (double)(N * each), 0.9, 0.01);
    cr_expect_float_eq((double)missing / (double)r.n, 0.05, 0.005);

    o = complete(N, (tide_freq){TIDE_UNIT_DAY, 1});
    o.from = 19000;
    o.to = 19099;
    o.intermittent_share = 1;
    r.n = 0;
    append(&r, &o);
    size_t zeros = 0;
    for (size_t i = 0; i < r.n; ++i)
        zeros += tide_from_bits(r.at[i].y_bits) == 0;
    cr_expect((double)zeros / (double)r.n > 0.75 && zeros < r.n, "%zu of %zu", zeros, r.n);

    o.intermittent_share = 0;
    o.late_share = 1;
    r.n = 0;
    append(&r, &o);
    /* Starts are uniform in 2016 to 2025: about 60 % of them lie before this range. */
    cr_expect_float_eq((double)r.n / (100.0 * N), 0.62, 0.06);

    size_t promoted = 0, series[16] = {0};
    for (uint32_t g = 0; g < 16; ++g)
        for (int64_t week = 0; week < 1000; ++week) {
            int on = tide_simulate_promoted(&o, g, 7 * week + 4);
            promoted += (size_t)on;
            for (int64_t day = 1; day < 7; ++day)
                cr_assert_eq(tide_simulate_promoted(&o, g, 7 * week + 4 + day), on,
                             "promotions last from Monday on");
        }
    cr_expect_float_eq((double)promoted / 16000, 0.09, 0.01);
    for (uint64_t s = 0; s < 1600; ++s)
        ++series[tide_simulate_group(&o, s)];
    for (int g = 0; g < 16; ++g)
        cr_expect(series[g] > 50 && series[g] < 150);
    free(r.at);
}

Test(simulate, promotions_lift_demand) {
    records with = {0}, without = {0};
    tide_simulate_options o = complete(300, (tide_freq){TIDE_UNIT_WEEK, 1});
    append(&with, &o);
    o.promotion_rate = 0;
    append(&without, &o);
    o.promotion_rate = 0.09;
    size_t lifted = 0, promoted = 0;
    for (size_t i = 0; i < with.n; ++i) {
        if (!tide_simulate_promoted(&o, tide_simulate_group(&o, with.at[i].series), with.at[i].ds)) {
            cr_assert_eq(with.at[i].y_bits, without.at[i].y_bits);
            continue;
        }
        ++promoted;
        lifted += tide_from_bits(with.at[i].y_bits) > tide_from_bits(without.at[i].y_bits);
    }
    cr_assert_gt((double)lifted, 0.7 * (double)promoted); /* 15 in 100 do not react */
    free(with.at);
    free(without.at);
}

Test(simulate, ids_grow_beyond_seven_digits) {
    records r = {0};
    tide_simulate_options o = complete(3, (tide_freq){TIDE_UNIT_YEAR, 1});
    o.first_series = 9999999;
    append(&r, &o);
    cr_assert_eq(r.at[0].series, 9999999);
    cr_assert_eq(r.at[r.n - 1].series, 10000001);
    free(r.at);
}

Test(simulate, impossible_options_are_refused) {
    tide_simulate_options good = complete(1, (tide_freq){TIDE_UNIT_DAY, 1}), o;
    tide_source source;
    tide_error err;
    for (int i = 0; i < 7; ++i) {
        o = good;
        if (i == 0)
            o.to = o.from - 1;
        if (i == 1)
            o.from = -30000;
        if (i == 2)
            o.to = 90000;
        if (i == 3)
            o.freq.unit = TIDE_UNIT_HOUR;
        if (i == 4)
            o.gap_share = 1.5;
        if (i == 5)
            o.late_share = TIDE_NAN;
        if (i == 6)
            o.freq.multiple = 0;
        cr_assert_eq(tide_simulate_open(&o, &source, &err), TIDE_CONFIG, "case %d", i);
        cr_assert_eq(strncmp(err.message, "simulate: ", 10), 0);
    }
    o = good; /* a range without a Monday holds no weekly row */
    o.freq.unit = TIDE_UNIT_WEEK;
    o.from = 5;
    o.to = 10;
    records r = {0};
    append(&r, &o);
    cr_assert_eq(r.n, 0);
}
