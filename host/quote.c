/* quote.c - see quote.h. */
#include "host/quote.h"

#include <string.h>

/* Length of the well-formed UTF-8 character at p (n >= 1 bytes left), or 0: stray and overlong bytes,
 * surrogates, control characters, which include U+0080..U+009F that some terminals obey. */
static size_t printable(const unsigned char *p, size_t n) {
    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] != 0x7f && p[0] != '\\';
    size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < length)
        return 0;
    for (size_t i = 1; i < length; ++i)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    int bad =
        (p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f) ||
        (p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae); /* line breaks, writing direction */
    return bad ? 0 : length;
}

const char *tide_quote(char *out, size_t size, const char *bytes, size_t length) {
    static const char hex[] = "0123456789abcdef";
    const unsigned char *p = (const unsigned char *)bytes;
    size_t at = 0, room = size - 1, fits = 0; /* fits: length of the text that leaves room for "..." */
    for (size_t i = 0; i < length;) {
        size_t n = printable(p + i, length - i), width = n ? n : p[i] == '\\' ? 2 : 4;
        if (at + width > room) {
            memcpy(out + fits, "...", 4);
            return out;
        }
        if (n) {
            memcpy(out + at, p + i, n);
        } else if (p[i] == '\\') {
            memcpy(out + at, "\\\\", 2);
        } else {
            out[at] = '\\';
            out[at + 1] = 'x';
            out[at + 2] = hex[p[i] >> 4];
            out[at + 3] = hex[p[i] & 15];
        }
        at += width;
        i += n ? n : 1;
        if (at + 3 <= room)
            fits = at;
    }
    out[at] = '\0';
    return out;
}
