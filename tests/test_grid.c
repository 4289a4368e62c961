/* test_grid.c - the calendar against counting day by day, grids against lists of dates, text against its own
 * round trip. */
#include "host/grid.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t day(const char *text) {
    tide_ds_kind kind;
    int64_t ds = 0;
    cr_assert(tide_ds_parse(text, strlen(text), &kind, &ds), "%s", text);
    cr_assert(kind != TIDE_DS_INTEGER, "%s", text);
    return ds;
}

static tide_freq freq(const char *text) {
    tide_freq f = {0, 0};
    tide_error err = {0};
    cr_assert_eq(tide_freq_parse(text, &f, &err), TIDE_OK, "%s", err.message);
    return f;
}

static void walks(const char *frequency, int end_of_month, const char *const *dates) {
    tide_freq f = freq(frequency);
    for (int i = 0; dates[i]; ++i) {
        char text[40];
        int64_t ds = tide_grid_add(f, TIDE_DS_DATE, day(dates[0]), i, end_of_month), steps = -1;
        tide_ds_format(TIDE_DS_DATE, ds, text, sizeof text);
        cr_assert_str_eq(text, dates[i], "%s step %d", frequency, i);
        cr_assert(tide_grid_steps(f, TIDE_DS_DATE, day(dates[0]), ds, end_of_month, &steps), "%s", dates[i]);
        cr_assert_eq(steps, i, "%s %s", frequency, dates[i]);
    }
}

static int off_grid(const char *frequency, const char *from, const char *to, int end_of_month) {
    int64_t steps = 77;
    int on = tide_grid_steps(freq(frequency), TIDE_DS_DATE, day(from), day(to), end_of_month, &steps);
    cr_assert(on || steps == 77, "steps are untouched off the grid");
    return !on;
}

Test(grid, calendar_agrees_with_counting_day_by_day_from_year_1_to_2500) {
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = -719162;
    for (int y = 1; y <= 2500; ++y) {
        for (int m = 1; m <= 12; ++m) {
            int leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0, n = lengths[m - 1] + (m == 2 && leap);
            for (int d = 1; d <= n; ++d, ++days) {
                char expected[40], text[40];
                snprintf(expected, sizeof expected, "%04d-%02d-%02d", y, m, d);
                tide_ds_format(TIDE_DS_DATE, days, text, sizeof text);
                if (strcmp(text, expected) != 0 || day(expected) != days ||
                    tide_grid_is_month_end(TIDE_DS_DATE, days) != (d == n))
                    cr_assert_fail("%s, counted %s", text, expected);
            }
        }
    }
    cr_assert_eq(day("1970-01-01"), 0);
}

Test(grid, days_before_year_1_are_exact_too) {
    /* 400 years are 146097 days, everywhere. */
    for (int64_t d = -146097 * 3; d < -146097 * 3 + 2000; ++d) {
        char a[40], b[40];
        tide_ds_format(TIDE_DS_DATE, d - 146097 * 5, a, sizeof a);
        tide_ds_format(TIDE_DS_DATE, d, b, sizeof b);
        cr_assert_str_eq(a + strlen(a) - 5, b + strlen(b) - 5);
    }
    char text[40];
    tide_ds_format(TIDE_DS_DATE, -719163, text, sizeof text);
    cr_assert_str_eq(text, "0000-12-31");
    tide_ds_format(TIDE_DS_DATE, -719163 - 366, text, sizeof text);
    cr_assert_str_eq(text, "-0001-12-31");
    cr_assert_eq(tide_grid_add(freq("M"), TIDE_DS_DATE, -719163, 1, 1), -719163 + 31);
}

Test(grid, months_keep_the_day_and_clip_it) {
    walks("M", 0,
          (const char *const[]){"2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", NULL});
    walks("M", 0,
          (const char *const[]){"2023-01-30", "2023-02-28", "2023-03-30", "2023-04-30", "2023-05-30", NULL});
    walks("M", 0, (const char *const[]){"2023-01-15", "2023-02-15", "2023-03-15", NULL});
    walks("2M", 0, (const char *const[]){"2023-12-31", "2024-02-29", "2024-04-30", "2024-06-30", NULL});
    walks("Q", 0, (const char *const[]){"2023-11-30", "2024-02-29", "2024-05-30", NULL});
    walks("Y", 0,
          (const char *const[]){"2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29", NULL});
    cr_assert(off_grid("M", "2024-01-31", "2024-02-28", 0));
    cr_assert(off_grid("M", "2024-01-30", "2024-03-31", 0));
    cr_assert(off_grid("2M", "2024-01-15", "2024-02-15", 0));
    cr_assert(off_grid("Q", "2024-01-01", "2024-03-01", 0));
    cr_assert(off_grid("Y", "2024-01-01", "2025-02-01", 0));
}

Test(grid, end_of_month_series_stay_on_last_days) {
    walks("M", 1, (const char *const[]){"2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31", NULL});
    walks("Q", 1,
          (const char *const[]){"2023-02-28", "2023-05-31", "2023-08-31", "2023-11-30", "2024-02-29", NULL});
    walks("Y", 1, (const char *const[]){"2023-02-28", "2024-02-29", "2025-02-28", NULL});
    cr_assert(off_grid("M", "2024-02-29", "2024-03-29", 1));
    cr_assert_not(off_grid("M", "2024-02-29", "2024-03-29", 0));
}

Test(grid, weeks_keep_the_weekday_of_the_first_time) {
    walks("W", 0, (const char *const[]){"2023-12-27", "2024-01-03", "2024-01-10", NULL});
    walks("2W", 0, (const char *const[]){"2024-02-20", "2024-03-05", "2024-03-19", NULL});
    cr_assert(off_grid("W", "2024-01-03", "2024-01-11", 0));
    cr_assert(off_grid("2W", "2024-01-03", "2024-01-10", 0));
}

Test(grid, business_days_agree_with_counting) {
    tide_freq b = freq("B");
    int64_t monday = day("1969-12-22"), expected = 0;
    for (int64_t d = monday; d < monday + 4000; ++d) {
        int weekend = (d - monday) % 7 > 4;
        int64_t steps;
        cr_assert_eq(tide_grid_steps(b, TIDE_DS_DATE, monday, d, 0, &steps), !weekend);
        if (weekend)
            continue;
        cr_assert_eq(steps, expected);
        cr_assert_eq(tide_grid_add(b, TIDE_DS_DATE, monday, expected, 0), d);
        cr_assert_eq(tide_grid_add(b, TIDE_DS_DATE, d, -expected, 0), monday);
        ++expected;
    }
    cr_assert(off_grid("B", "2024-01-06", "2024-01-08", 0), "nothing lies on a grid from a Saturday");
    walks("2B", 0,
          (const char *const[]){"2024-01-04", "2024-01-08", "2024-01-10", "2024-01-12", "2024-01-16", NULL});
}

Test(grid, quarter_hours_and_other_multiples_of_timestamps) {
    int64_t from = day("2024-03-31 23:45"), to = day("2024-04-01T00:15:00Z"), steps;
    cr_assert(tide_grid_steps(freq("15min"), TIDE_DS_TIMESTAMP, from, to, 0, &steps));
    cr_assert_eq(steps, 2);
    cr_assert_not(tide_grid_steps(freq("15min"), TIDE_DS_TIMESTAMP, from, to + 1, 0, &steps));
    cr_assert_eq(tide_grid_add(freq("15min"), TIDE_DS_TIMESTAMP, from, 2, 0), to);
    cr_assert(tide_grid_steps(freq("h"), TIDE_DS_TIMESTAMP, to, from - 30 * INT64_C(60000000), 0, &steps));
    cr_assert_eq(steps, -1);
    cr_assert(tide_grid_steps(freq("30s"), TIDE_DS_TIMESTAMP, from, to, 0, &steps));
    cr_assert_eq(steps, 60);
}

Test(grid, timestamps_on_calendar_grids_keep_the_time_of_day) {
    int64_t from = day("2024-01-31 06:30:00"), steps;
    cr_assert_eq(tide_grid_add(freq("M"), TIDE_DS_TIMESTAMP, from, 1, 0), day("2024-02-29 06:30"));
    cr_assert_not(tide_grid_steps(freq("M"), TIDE_DS_TIMESTAMP, from, day("2024-02-29 06:31"), 0, &steps));
    cr_assert(tide_grid_steps(freq("M"), TIDE_DS_TIMESTAMP, day("1969-11-30 23:59:59.999999"),
                              day("1969-12-30 23:59:59.999999"), 0, &steps));
    cr_assert_eq(steps, 1);
    cr_assert_eq(tide_grid_add(freq("B"), TIDE_DS_TIMESTAMP, day("2024-01-05 12:00"), 1, 0),
                 day("2024-01-08 12:00"));
    /* A summer time change is no matter: times are UTC, a zone is taken off while reading. */
    cr_assert_eq(tide_grid_add(freq("h"), TIDE_DS_TIMESTAMP, day("2024-03-31T01:00+01:00"), 2, 0),
                 day("2024-03-31T04:00+02"));
}

Test(grid, integers_step_by_one_except_for_a_multiple_of_N) {
    int64_t steps;
    cr_assert(tide_grid_steps(freq("M"), TIDE_DS_INTEGER, 5, 17, 0, &steps));
    cr_assert_eq(steps, 12);
    cr_assert(tide_grid_steps(freq("3N"), TIDE_DS_INTEGER, -6, 6, 0, &steps));
    cr_assert_eq(steps, 4);
    cr_assert_not(tide_grid_steps(freq("3N"), TIDE_DS_INTEGER, -6, 5, 0, &steps));
    cr_assert_eq(tide_grid_is_month_end(TIDE_DS_INTEGER, 30), 0);
}

Test(grid, ends_of_the_range_saturate) {
    static const char *const all[] = {"N", "s", "15min", "h", "D", "B", "W", "M", "Q", "Y", "1000000Y"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) {
        for (int kind = TIDE_DS_INTEGER; kind <= TIDE_DS_TIMESTAMP; ++kind) {
            tide_ds_kind k = (tide_ds_kind)kind;
            int64_t steps;
            cr_assert_geq(tide_grid_add(freq(all[i]), k, 0, INT64_MAX, 0), INT64_MAX / 8, "%s %d", all[i],
                          kind);
            cr_assert_leq(tide_grid_add(freq(all[i]), k, 0, INT64_MIN, 0), INT64_MIN / 8, "%s %d", all[i],
                          kind);
            tide_grid_steps(freq(all[i]), k, INT64_MIN, INT64_MAX, 1, &steps);
            tide_grid_steps(freq(all[i]), k, INT64_MAX, INT64_MIN, 0, &steps);
            char text[40];
            cr_assert_lt(tide_ds_format(k, INT64_MIN, text, sizeof text), sizeof text);
            cr_assert_lt(tide_ds_format(k, INT64_MAX, text, sizeof text), sizeof text);
        }
    }
    cr_assert_eq(tide_grid_add(freq("D"), TIDE_DS_TIMESTAMP, INT64_MAX - 1, 1, 0), INT64_MAX);
    int64_t steps;
    cr_assert_not(tide_grid_steps(freq("N"), TIDE_DS_INTEGER, INT64_MIN, INT64_MAX, 0, &steps));
}

Test(grid, steps_and_add_are_inverse_for_random_times) {
    static const char *const all[] = {"D", "3D", "B", "7B", "W", "2W", "M", "5M", "Q", "2Q", "Y", "4Y"};
    uint64_t state = 7;
    for (int i = 0; i < 200000; ++i) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t from = (int64_t)(state >> 44) - 500000, n = (int64_t)(state >> 20 & 0xffff) - 30000, steps;
        tide_freq f = freq(all[i % 12]);
        if (f.unit == TIDE_UNIT_BUSINESS_DAY)
            from -= ((from + 3) % 7 + 7) % 7; /* a Monday */
        int64_t to = tide_grid_add(f, TIDE_DS_DATE, from, n, 0);
        cr_assert(tide_grid_steps(f, TIDE_DS_DATE, from, to, 0, &steps));
        cr_assert_eq(steps, n);
        int64_t at = from * INT64_C(86400000000) + 1234567;
        cr_assert_eq(tide_grid_add(f, TIDE_DS_TIMESTAMP, at, n, 0), to * INT64_C(86400000000) + 1234567);
    }
}

Test(grid, frequencies_parse_to_what_they_format_as) {
    static const struct {
        const char *text, *canonical;
        int32_t season;
    } cases[] = {
        {"N", "N", 1},        {"1", "N", 1},          {"7", "7N", 1},        {"s", "s", 60},
        {"S", "s", 60},       {"10s", "10s", 360},    {"30s", "30s", 120},   {"min", "min", 60},
        {"T", "min", 60},     {"15min", "15min", 96}, {"5min", "5min", 288}, {"2min", "2min", 30},
        {"7min", "7min", 1},  {"60min", "60min", 24}, {"h", "h", 24},        {"H", "h", 24},
        {"6h", "6h", 4},      {"5h", "5h", 1},        {"D", "D", 7},         {"7D", "7D", 1},
        {"B", "B", 5},        {"W", "W", 52},         {"W-SUN", "W", 52},    {"2W", "2W", 26},
        {"4W-MON", "4W", 13}, {"M", "M", 12},         {"MS", "M", 12},       {"ME", "M", 12},
        {"3M", "3M", 4},      {"24M", "24M", 1},      {"Q", "Q", 4},         {"QS", "Q", 4},
        {"QE", "Q", 4},       {"2Q", "2Q", 2},        {"Y", "Y", 1},         {"YE", "Y", 1},
        {"A", "Y", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        char text[24];
        tide_freq f = freq(cases[i].text);
        tide_freq_format(f, text, sizeof text);
        cr_assert_str_eq(text, cases[i].canonical);
        cr_assert_eq(tide_freq_default_season(f), cases[i].season, "%s", cases[i].text);
    }
    static const char *const wrong[] = {
        "", "m", "0D", "-1D", "D2", "1.5h", "W-DAY", "1000001D", "99999999999999999999D", " D", "weekly"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
        tide_freq f = {-1, -1};
        tide_error err = {0};
        cr_assert_eq(tide_freq_parse(wrong[i], &f, &err), TIDE_CONFIG, "%s", wrong[i]);
        cr_assert_eq(f.unit, -1);
        cr_assert(strstr(err.message, wrong[i]), "%s", err.message);
    }
}

Test(grid, kinds_that_do_not_suit_a_frequency_are_refused) {
    tide_error err = {0};
    cr_assert_eq(tide_grid_check(freq("N"), TIDE_DS_DATE, &err), TIDE_INPUT);
    cr_assert_eq(tide_grid_check(freq("N"), TIDE_DS_TIMESTAMP, &err), TIDE_INPUT);
    cr_assert_eq(tide_grid_check(freq("h"), TIDE_DS_DATE, &err), TIDE_INPUT);
    cr_assert_eq(tide_grid_check(freq("h"), TIDE_DS_TIMESTAMP, &err), TIDE_OK);
    cr_assert_eq(tide_grid_check(freq("M"), TIDE_DS_INTEGER, &err), TIDE_OK);
    cr_assert_eq(tide_grid_check(freq("B"), TIDE_DS_DATE, &err), TIDE_OK);
}

Test(grid, text_of_each_form_is_read) {
    static const struct {
        const char *text;
        tide_ds_kind kind;
        int64_t ds;
    } cases[] = {
        {"0", TIDE_DS_INTEGER, 0},
        {"-12", TIDE_DS_INTEGER, -12},
        {"20240131", TIDE_DS_INTEGER, 20240131},
        {"9223372036854775807", TIDE_DS_INTEGER, INT64_MAX},
        {"-9223372036854775808", TIDE_DS_INTEGER, INT64_MIN},
        {"1970-01-01", TIDE_DS_DATE, 0},
        {"1969-12-31", TIDE_DS_DATE, -1},
        {"2000-02-29", TIDE_DS_DATE, 11016},
        {"0001-01-01", TIDE_DS_DATE, -719162},
        {"9999-12-31", TIDE_DS_DATE, 2932896},
        {"1970-03", TIDE_DS_DATE, 59},
        {"1970-Q1", TIDE_DS_DATE, 0},
        {"1970-Q4", TIDE_DS_DATE, 273},
        {"1970-01-01 00:00", TIDE_DS_TIMESTAMP, 0},
        {"1970-01-01T00:00:01", TIDE_DS_TIMESTAMP, 1000000},
        {"1970-01-01 00:00:00.5", TIDE_DS_TIMESTAMP, 500000},
        {"1970-01-01 00:00:00.000001", TIDE_DS_TIMESTAMP, 1},
        {"1970-01-01 00:00:00.000001000", TIDE_DS_TIMESTAMP, 1},
        {"1970-01-01T00:00:00Z", TIDE_DS_TIMESTAMP, 0},
        {"1970-01-01T01:00:00+01:00", TIDE_DS_TIMESTAMP, 0},
        {"1970-01-01 00:00:00+00", TIDE_DS_TIMESTAMP, 0},
        {"1969-12-31 18:30:00-05:30", TIDE_DS_TIMESTAMP, 0},
        {"1969-12-31 23:59:59.999999", TIDE_DS_TIMESTAMP, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        tide_ds_kind kind = (tide_ds_kind)9;
        int64_t ds = 99;
        cr_assert(tide_ds_parse(cases[i].text, strlen(cases[i].text), &kind, &ds), "%s", cases[i].text);
        cr_assert_eq(kind, cases[i].kind, "%s", cases[i].text);
        cr_assert_eq(ds, cases[i].ds, "%s", cases[i].text);
    }
}

Test(grid, other_text_is_rejected) {
    static const char *const wrong[] = {
        "",
        "-",
        "abc",
        "1.5",
        "1e5",
        "+5",
        " 5",
        "5 ",
        "9223372036854775808",
        "-9223372036854775809",
        "infinity",
        "-infinity",
        "NaT",
        "2024-02-30",
        "2023-02-29",
        "1900-02-29",
        "2024-13-01",
        "2024-00-10",
        "2024-01-00",
        "2024-01-32",
        "0000-01-01",
        "-0044-03-15",
        "0044-03-15 BC",
        "2024-1-1",
        "2024/01/01",
        "01-02-2024",
        "2024-Q5",
        "2024-Q0",
        "2024-13",
        "2024-1",
        "24-01-01",
        "12024-01-01",
        "2024-01-01x",
        "2024-01-01 ",
        "2024-01-01T",
        "2024-01-01 24:00",
        "2024-01-01 12:60",
        "2024-01-01 12:00:60",
        "2024-01-01 12",
        "2024-01-01 1:00",
        "2024-01-01 12:00:00.",
        "2024-01-01 12:00:00.0000001",
        "2024-01-01 12:00:00.0000000000",
        "2024-01-01 12:00:00+",
        "2024-01-01 12:00:00+1",
        "2024-01-01 12:00:00+01:",
        "2024-01-01 12:00:00+16:00",
        "2024-01-01 12:00:00+01:60",
        "2024-01-01 12:00:00ZZ",
        "2024-01-01  12:00",
        "0001-01-01 00:00:00+01:00",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
        tide_ds_kind kind = (tide_ds_kind)9;
        int64_t ds = 99;
        cr_assert_not(tide_ds_parse(wrong[i], strlen(wrong[i]), &kind, &ds), "%s", wrong[i]);
    }
}

Test(grid, every_prefix_of_a_timestamp_is_read_without_looking_past_it) {
    static const char full[] = "2024-01-31T12:34:56.789012+01:30";
    for (size_t n = 0; n < sizeof full; ++n) {
        char *exact = malloc(n ? n : 1); /* so that the address sanitizer sees a byte too many */
        memcpy(exact, full, n);
        tide_ds_kind kind;
        int64_t ds;
        tide_ds_parse(exact, n, &kind, &ds);
        free(exact);
    }
}

Test(grid, text_round_trips) {
    uint64_t state = 3;
    for (int i = 0; i < 100000; ++i) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t ds = (int64_t)(state % UINT64_C(315537897600000000)) - INT64_C(62135596800000000), back;
        if (i & 1)
            ds -= ((ds % 1000000) + 1000000) % 1000000;
        char text[40];
        tide_ds_kind kind;
        size_t n = tide_ds_format(TIDE_DS_TIMESTAMP, ds, text, sizeof text);
        cr_assert_eq(n, strlen(text));
        cr_assert(tide_ds_parse(text, n, &kind, &back), "%s", text);
        cr_assert_eq(back, ds, "%s", text);
    }
}
