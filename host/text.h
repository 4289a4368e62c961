/* text.h - numbers and strings as text that loses nothing: for CSV and JSON that people and machines read back. */
#ifndef TIDE_TEXT_H
#define TIDE_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* The fewest of 15, 16 and 17 significant digits that read back as v, in the form of printf's %g. Returns the length.
 * NaN and infinities as printf writes them. */
enum { TIDE_REAL_TEXT = 32 };
size_t tide_format_real(double v, char out[TIDE_REAL_TEXT]);

/* Bytes of the well-formed UTF-8 character at s of which n >= 1 bytes are there, or 0. */
size_t tide_utf8_length(const unsigned char *s, size_t n);

/* Bytes as a JSON string with its quotes. Bytes that are not UTF-8 become lone surrogates \udc80 to \udcff, which Python's
 * surrogateescape turns back into the bytes; control bytes and DEL become \u00XX. */
void tide_put_json(FILE *f, const char *bytes, size_t n);

/* Closes f, which open_memstream(text, ...) opened: the malloc'd text, or NULL (and nothing to free) when memory was short. */
char *tide_close_text(FILE *f, char **text);

#endif
