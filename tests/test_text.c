/* Numbers and strings as text: against printf and strtod, and by their definition. */
#include "host/text.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252ull;
static uint64_t next_bits(void) {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void check_shortest(double v) {
    char text[TIDE_REAL_TEXT], want[40];
    for (int digits = 15; digits <= 17; ++digits) {
        snprintf(want, sizeof want, "%.*g", digits, v);
        if (strtod(want, NULL) == v)
            break;
    }
    size_t n = tide_format_real(v, text);
    cr_assert_str_eq(text, want, "%a", v);
    cr_assert_eq(n, strlen(text));
}

Test(text, shortest_digits_of_any_bits_equal_printf) {
    for (int i = 0; i < 100000; ++i) {
        double v;
        uint64_t u = next_bits();
        memcpy(&v, &u, sizeof v);
        if (v == v && v - v == 0)
            check_shortest(v);
    }
}

Test(text, shortest_digits_of_usual_values_equal_printf) {
    for (int i = 0; i < 300000; ++i) {
        double v =
            (double)(int64_t)(next_bits() >> (next_bits() % 60)) / (double)(1ull << (next_bits() % 50));
        check_shortest(i % 2 ? v : -v);
        check_shortest((double)(next_bits() % 1000000) / 1000.0);
        check_shortest((double)(next_bits() % 100000) * 1e10);
    }
}

Test(text, limits_and_powers) {
    const double odd[] = {0.0,
                          -0.0,
                          1.0,
                          0.1,
                          1e15,
                          1e16,
                          1e17,
                          123456789012345678.0,
                          1e-4,
                          1e-5,
                          9.9999e-5,
                          1e300,
                          5e-324,
                          1e-310,
                          1e22,
                          1e23,
                          1e42,
                          1e43,
                          9007199254740993.0,
                          1e-11,
                          0.3,
                          2.0 / 3.0,
                          1e14,
                          1e27,
                          1e28,
                          5e-12,
                          1e11,
                          99999999999999990.0,
                          999999999999999.9,
                          0.99999999999999989};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; ++i)
        check_shortest(odd[i]);
    for (int e = -1074; e < 1024; ++e) {
        check_shortest(__builtin_ldexp(1.0, e));
        check_shortest(__builtin_ldexp(1.0 - 0x1p-53, e));
        check_shortest(__builtin_ldexp(1.0 + 0x1p-52, e));
    }
}

static const char *json(const char *bytes, size_t n) {
    static char text[256];
    memset(text, 0, sizeof text);
    FILE *f = fmemopen(text, sizeof text, "w");
    tide_put_json(f, bytes, n);
    fclose(f);
    return text;
}

Test(text, json_strings_escape_what_they_must) {
    cr_assert_str_eq(json("a\"b\\c\n\x01\x7f", 8), "\"a\\\"b\\\\c\\u000a\\u0001\\u007f\"");
    cr_assert_str_eq(json("Z\xc3\xbcrich \xf0\x9f\x9a\x82", 12), "\"Z\xc3\xbcrich \xf0\x9f\x9a\x82\"");
    cr_assert_str_eq(json("\0x", 2), "\"\\u0000x\"");
}

Test(text, json_strings_keep_bytes_that_are_no_utf8) {
    cr_assert_str_eq(json("\xff", 1), "\"\\udcff\"");
    cr_assert_str_eq(json("\xc3", 1), "\"\\udcc3\"", "cut short");
    cr_assert_str_eq(json("\xc0\x80", 2), "\"\\udcc0\\udc80\"", "overlong");
    cr_assert_str_eq(json("\xed\xa0\x80", 3), "\"\\udced\\udca0\\udc80\"", "surrogate");
    cr_assert_str_eq(json("\xf4\x90\x80\x80", 4), "\"\\udcf4\\udc90\\udc80\\udc80\"", "above 10FFFF");
}
