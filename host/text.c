/* text.c - shortest numbers, JSON strings.
 *
 * Printing a number with %.15g, reading it back, and going on to 16 and 17 digits takes over a microsecond; a
 * forecast of a million series prints 10^8 numbers. The fast way scales v by a power of ten into p in [10^16,
 * 10^17) in long double: for 10^-11 <= |v| < 10^43 the power is exact (5^27 < 2^64) and p has one rounding,
 * an error below 2^-7 absolute. Then
 *
 *     17 digits  round(p)
 *     16, 15     p rounded to a multiple of 10 or 100; it reads back as v when it lies within half an ulp of
 * v, scaled
 *
 * Whenever one of these decisions is closer than the error of p, or v is a power of two (whose half ulp below
 * is smaller), or long double has no 64 bits, the slow way decides: some 2 % of values. Both give the same
 * text (tested). */
#include "host/text.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t format_slowly(double v, char *out) {
    int n = 0;
    for (int digits = 15; digits <= 17; ++digits) {
        n = snprintf(out, TIDE_REAL_TEXT, "%.*g", digits, v);
        if (strtod(out, NULL) == v)
            break;
    }
    return (size_t)n;
}

#if LDBL_MANT_DIG >= 64
static const long double powers[28] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
                                       1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
                                       1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};

/* The 17 digits as %.<precision>g writes them: trailing zeros dropped, exponent form outside -4 <= e <
 * precision. */
static size_t put_digits(uint64_t digits17, int exponent, int precision, int negative, char *out) {
    char d[17];
    int n = 17;
    size_t at = 0;
    for (int i = 16; i >= 0; --i, digits17 /= 10)
        d[i] = (char)('0' + digits17 % 10);
    while (n > 1 && d[n - 1] == '0')
        --n;
    if (negative)
        out[at++] = '-';
    if (exponent < -4 || exponent >= precision) {
        out[at++] = d[0];
        if (n > 1) {
            out[at++] = '.';
            memcpy(out + at, d + 1, (size_t)n - 1);
            at += (size_t)n - 1;
        }
        return at + (size_t)snprintf(out + at, 8, "e%+03d", exponent);
    }
    if (exponent < 0) {
        out[at++] = '0';
        out[at++] = '.';
        for (int i = -1; i > exponent; --i)
            out[at++] = '0';
        memcpy(out + at, d, (size_t)n);
        at += (size_t)n;
    } else {
        for (int i = 0; i < n || i <= exponent; ++i) {
            if (i == exponent + 1)
                out[at++] = '.';
            out[at++] = i < n ? d[i] : '0';
        }
    }
    out[at] = 0;
    return at;
}

/* 0 when the slow way has to decide. */
static size_t format_fast(double v, char *out) {
    const long double margin = 0x1p-6L;
    double a = fabs(v);
    int binary;
    if (!(a >= 1e-11 && a < 1e43) || frexp(a, &binary) == 0.5)
        return 0;
    int exponent = (int)floor((binary - 1) * 0.30102999566398120); /* of ten: right, or one too small */
    long double p = 0.0L, power = 1.0L;
    for (int tries = 0; tries < 2; ++tries, ++exponent) {
        int k = 16 - exponent;
        if (k > 27 || k < -27)
            return 0;
        power = k >= 0 ? powers[k]
                       : 1.0L / powers[-k]; /* only for the half ulp, where a rounding does not matter */
        p = k >= 0 ? (long double)a * powers[k] : (long double)a / powers[-k];
        if (p < 1e17L)
            break;
    }
    if (p < 1e16L + 1.0L || p >= 1e17L - 64.0L)
        return 0; /* rounding might change the exponent */
    long double half_ulp = (long double)ldexp(0.5, binary - 53) * power;
    uint64_t whole = (uint64_t)p;
    for (int precision = 15; precision <= 16; ++precision) {
        uint64_t unit = precision == 15 ? 100 : 10;
        uint64_t c = (whole + unit / 2) / unit * unit;
        long double far = fabsl((long double)c - p);
        if (fabsl(far - half_ulp) < margin || fabsl(far - (long double)unit / 2.0L) < margin)
            return 0;
        if (far < half_ulp)
            return put_digits(c, exponent, precision, v < 0.0, out);
    }
    long double rest = p - (long double)whole;
    if (fabsl(rest - 0.5L) < margin)
        return 0;
    return put_digits(whole + (rest > 0.5L), exponent, 17, v < 0.0, out);
}
#else
static size_t format_fast(double v, char *out) {
    (void)v, (void)out;
    return 0;
}
#endif

size_t tide_format_real(double v, char out[TIDE_REAL_TEXT]) {
    if (v == 0.0)
        return (size_t)snprintf(out, TIDE_REAL_TEXT, "%g", v);
    size_t n = format_fast(v, out);
    return n ? n : format_slowly(v, out);
}

/* RFC 3629: no overlong forms, no surrogates, at most 10FFFF. */
size_t tide_utf8_length(const unsigned char *s, size_t n) {
    size_t k = s[0] < 0x80                   ? 1
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
               : (s[0] & 0xf0) == 0xe0       ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;
    if (k == 0 || k > n)
        return 0;
    for (size_t i = 1; i < k; ++i)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return k;
}

void tide_put_json(FILE *f, const char *bytes, size_t n) {
    const unsigned char *s = (const unsigned char *)bytes;
    putc('"', f);
    for (size_t i = 0; i < n;) {
        size_t k = tide_utf8_length(s + i, n - i);
        if (k == 0) {
            fprintf(f, "\\udc%02x", s[i++]);
        } else if (s[i] == '"' || s[i] == '\\') {
            fprintf(f, "\\%c", s[i++]);
        } else if (s[i] < 0x20 || s[i] == 0x7f) {
            fprintf(f, "\\u%04x", s[i++]);
        } else {
            fwrite(s + i, 1, k, f);
            i += k;
        }
    }
    putc('"', f);
}

char *tide_close_text(FILE *f, char **text) {
    int bad = ferror(f);
    if (fclose(f) || bad) {
        free(*text);
        *text = NULL;
    }
    return *text;
}
