/* csv_number.c - see csv_number.h. */
#include "io/csv_number.h"
#include "kernels/tide_fn.h"

#include <stdlib.h>
#include <strings.h>

__extension__ typedef unsigned __int128 u128;

enum { EXACT_POWERS = 28, TEXT_MAX = 1023 };

static const uint64_t five_to[EXACT_POWERS] = {
    1u,
    5u,
    25u,
    125u,
    625u,
    3125u,
    15625u,
    78125u,
    390625u,
    1953125u,
    9765625u,
    48828125u,
    244140625u,
    1220703125u,
    UINT64_C(6103515625),
    UINT64_C(30517578125),
    UINT64_C(152587890625),
    UINT64_C(762939453125),
    UINT64_C(3814697265625),
    UINT64_C(19073486328125),
    UINT64_C(95367431640625),
    UINT64_C(476837158203125),
    UINT64_C(2384185791015625),
    UINT64_C(11920928955078125),
    UINT64_C(59604644775390625),
    UINT64_C(298023223876953125),
    UINT64_C(1490116119384765625),
    UINT64_C(7450580596923828125),
};

static const double ten_to[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static int bits_of(u128 x) {
    uint64_t high = (uint64_t)(x >> 64), low = (uint64_t)x;
    return high ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll(low);
}

/* x * 2^e, x > 0, rounded to nearest, ties to even; `sticky`: a little more than x. The result is a normal
 * number. */
static double round_bits(u128 x, int e, int sticky) {
    int drop = bits_of(x) - 53;
    uint64_t m;
    if (drop <= 0) {
        m = (uint64_t)x << -drop; /* exact: sticky is only set for an x of more than 53 bits */
    } else {
        u128 half = (u128)1 << (drop - 1), rest = x & (2 * half - 1);
        m = (uint64_t)(x >> drop);
        m += rest > half || (rest == half && (sticky || (m & 1)));
    }
    /* m may have become 2^53: the carry then moves into the exponent by itself. */
    uint64_t biased = (uint64_t)(e + drop + 52 + 1023);
    return tide_from_bits((biased << 52) + (m - (UINT64_C(1) << 52)));
}

/* w * 10^e for w > 0, |e| < EXACT_POWERS. */
static double scale_exactly(uint64_t w, int e) {
    if (w < (UINT64_C(1) << 53) && e <= 22 && e >= -22)
        return e < 0 ? (double)w / ten_to[-e] : (double)w * ten_to[e];
    if (e >= 0)
        return round_bits((u128)w * five_to[e], e, 0);
    /* w 2^shift / 5^k with a quotient of at least 64 bits: the dividend has 128 bits, the divisor at most 63.
     */
    int shift = 64 + __builtin_clzll(w);
    u128 dividend = (u128)w << shift, quotient = dividend / five_to[-e];
    return round_bits(quotient, e - shift, dividend % five_to[-e] != 0);
}

/* The C library's, for text whose form has been checked. */
static int by_strtod(const char *text, size_t length, locale_t c, double *out) {
    char copy[TEXT_MAX + 1], *end;
    if (length > TEXT_MAX)
        return 0;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *out = strtod_l(copy, &end, c);
    return end == copy + length;
}

static int word(const char *text, size_t length, const char *lower) {
    return strlen(lower) == length && strncasecmp(text, lower, length) == 0;
}

int tide_csv_number(const char *text, size_t length, locale_t c, double *out) {
    const char *p = text, *end = text + length;
    int negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        ++p;
    uint64_t w = 0;
    const char *digits = p, *point = NULL;
    size_t significant = 0; /* digits from the first that is not 0 */
    for (; p < end; ++p) {
        unsigned d = (unsigned)(unsigned char)*p - '0';
        if (d <= 9) {
            w = 10 * w + d; /* wraps past 19 digits, where it is not used */
            significant += significant || d;
        } else if (*p == '.' && !point) {
            point = p;
        } else {
            break;
        }
    }
    ptrdiff_t n_digits = p - digits - (point != NULL);
    if (n_digits == 0) {
        size_t rest = (size_t)(end - digits);
        if (word(digits, rest, "inf") || word(digits, rest, "infinity"))
            *out = negative ? -TIDE_INF : TIDE_INF;
        else if (word(digits, rest, "nan"))
            *out = TIDE_NAN;
        else
            return 0;
        return 1;
    }
    int64_t e = point ? -(p - point - 1) : 0;
    if (p < end && (*p == 'e' || *p == 'E')) {
        ++p;
        int down = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+'))
            ++p;
        if (p == end)
            return 0;
        int64_t power = 0;
        for (; p < end && *p >= '0' && *p <= '9'; ++p)
            if (power < 100000)
                power = 10 * power + (*p - '0');
        e += down ? -power : power;
    }
    if (p != end)
        return 0;
    if (w == 0 && significant == 0) {
        *out = negative ? -0.0 : 0.0;
        return 1;
    }
    if (significant > 19 || e <= -EXACT_POWERS || e >= EXACT_POWERS)
        return by_strtod(text, length, c, out);
    double x = scale_exactly(w, (int)e);
    *out = negative ? -x : x;
    return 1;
}
