/* csv_number.h - decimal text to double, rounded correctly, independent of the locale.
 *
 * A number w * 10^e with w below 2^64 and |e| <= 27 is rounded from exact integers: Clinger's case first (w <
 * 2^53 and |e| <= 22: both are doubles, one operation rounds once), else w * 5^e in 128 bits, or w / 5^-e by
 * a 128-bit division whose remainder tells which side of a tie it is on. What is left over (20 digits and
 * more, huge and tiny exponents) is strtod's in the C locale. So text that printf("%.17g") or any language's
 * shortest form wrote comes back as it was. */
#ifndef TIDE_CSV_NUMBER_H
#define TIDE_CSV_NUMBER_H

#include <locale.h>
#include <stddef.h>

/* [+-](digits[.digits*] | .digits)[(e|E)[+-]digits], or inf, infinity, nan in any case, optionally signed;
 * nothing else, no blanks. 1 and *out (NaN as TIDE_NAN), or 0. `c` is the "C" locale. At most 1023 bytes. */
int tide_csv_number(const char *text, size_t length, locale_t c, double *out);

#endif
