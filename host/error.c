#include "host/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *tide_status_name(tide_status status) {
    switch (status) {
#define X(NAME, code, text)                                                                                  \
    case TIDE_##NAME: return #NAME;
        TIDE_STATUS_LIST(X)
#undef X
    }
    return "UNKNOWN";
}

const char *tide_status_text(tide_status status) {
    switch (status) {
#define X(NAME, code, text)                                                                                  \
    case TIDE_##NAME: return text;
        TIDE_STATUS_LIST(X)
#undef X
    }
    return "unknown status";
}

/* Messages quote input; a newline or an escape sequence in it must not break the line or the terminal. */
static void make_one_line(char *s) {
    for (; *s; ++s)
        if ((unsigned char)*s < 0x20 || *s == 0x7f) *s = '?';
}

tide_status tide_fail(tide_error *err, tide_status status, const char *format, ...) {
    if (!err) return status;
    char text[sizeof err->message]; /* format may quote err->message itself */
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    make_one_line(text);
    err->status = status;
    memcpy(err->message, text, sizeof text);
    return status;
}

tide_status tide_error_prefix(tide_error *err, tide_status status, const char *format, ...) {
    if (!err) return status;
    char context[256];
    va_list ap;
    va_start(ap, format);
    vsnprintf(context, sizeof context, format, ap);
    va_end(ap);
    return tide_fail(err, status, "%s: %s", context, err->message);
}
