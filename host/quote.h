/* quote.h - bytes of the input as one printable line for messages: an id may hold quotes, newlines, NUL
 * bytes, terminal escapes or 10 kB. Printable ASCII and well-formed UTF-8 pass; other bytes become \xNN; what
 * does not fit ends in "...", never inside a character. */
#ifndef TIDE_QUOTE_H
#define TIDE_QUOTE_H

#include <stddef.h>

/* Writes at most size - 1 bytes and a terminator (size >= 8) and returns `out`, so that it can stand in an
 * argument. */
const char *tide_quote(char *out, size_t size, const char *bytes, size_t length);

#endif
