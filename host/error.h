/* error.h - status codes, which are also the exit codes of the command line, and the caller-owned error value.
 *
 * Every fallible function returns tide_status and takes a `tide_error *` last, which may be NULL. On failure the
 * function's outputs are untouched and err holds one line that names the place: file, line, key, column or id. */
#ifndef TIDE_ERROR_H
#define TIDE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, code = exit code, text) */
#define TIDE_STATUS_LIST(X)                                                                                  \
    X(OK, 0, "success")                                                                                      \
    X(INTERNAL, 1, "a fault of the program itself")                                                          \
    X(USAGE, 2, "wrong command line")                                                                        \
    X(CONFIG, 3, "wrong configuration file")                                                                 \
    X(INPUT, 4, "input cannot be used")                                                                      \
    X(CONNECTION, 5, "database cannot be reached or failed")                                                 \
    X(STORE, 6, "model store missing, damaged or of another version")                                        \
    X(DISK, 7, "file cannot be read or written, or the disk is full")                                        \
    X(DEVICE, 8, "no usable GPU, or it failed")                                                              \
    X(BUSY, 9, "another process is writing this store")                                                      \
    X(MEMORY, 10, "out of memory")                                                                           \
    X(NOT_FOUND, 11, "no model for an id that was asked for")                                                \
    X(INTERRUPTED, 12, "stopped by a signal")

typedef enum tide_status {
#define X(NAME, code, text) TIDE_##NAME = (code),
    TIDE_STATUS_LIST(X)
#undef X
} tide_status;

typedef struct tide_error {
    tide_status status;
    char message[768]; /* one line, no newline, always terminated; control bytes escaped */
} tide_error;

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* part of the public API */
#endif
/* "INPUT", "success": name and meaning of a status; never NULL. */
const char *tide_status_name(tide_status status);
const char *tide_status_text(tide_status status);

/* Sets *err (unless NULL) and returns status. */
tide_status tide_fail(tide_error *err, tide_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " before err's message (unless NULL): for callers that know more of the place. Returns status. */
tide_status tide_error_prefix(tide_error *err, tide_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#define TIDE_TRY(expr)                                                                                       \
    do {                                                                                                     \
        tide_status tide_try_ = (expr);                                                                      \
        if (tide_try_ != TIDE_OK) return tide_try_;                                                          \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif
