/* postgres_connect.c - connecting, waiting with limits, quoting, and errors with their SQLSTATE.
 *
 * Passwords: libpq repeats the URL in its parse errors, and a password with an unescaped '@' or '/' is taken
 * for a part of the host name, which then stands in the message. So such URLs are refused before libpq sees
 * them, its parse errors are withheld, and the password in use is cut out of every text that comes back. */
#include "io/postgres_connect.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXT_BYTES = 640, STOP_MS = 200 };

/* One line of `from` (line breaks become "; "), without the password; always terminated. */
static void clean_text(const tide_pg *pg, const char *from, char *out, size_t size) {
    const char *password = pg->conn ? PQpass(pg->conn) : NULL;
    size_t hidden = password ? strlen(password) : 0, used = 0;
    while (*from && used + 4 < size) {
        if (hidden && strncmp(from, password, hidden) == 0) {
            memcpy(out + used, "***", 3);
            used += 3;
            from += hidden;
        } else if (*from == '\n') {
            while (*from == '\n' || *from == '\t' || *from == ' ')
                ++from;
            if (*from)
                out[used++] = ';', out[used++] = ' ';
        } else {
            out[used++] = *from++;
        }
    }
    out[used] = 0;
}

/* Classes of SQLSTATE for which the asked-for thing is at fault, not the server or the way to it. */
static tide_status status_of(const char *state) {
    static const char *const input[] = {"0A", "20", "21", "22", "23", "25", "2B",
                                        "2F", "38", "39", "42", "44", "P0"};
    for (size_t i = 0; i < sizeof input / sizeof *input; ++i)
        if (strncmp(state, input[i], 2) == 0)
            return TIDE_INPUT;
    return TIDE_CONNECTION;
}

tide_status tide_pg_fail(tide_pg *pg, const PGresult *result, const char *doing, tide_error *err) {
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    char text[TEXT_BYTES];
    if (!primary)
        primary = result ? PQresultErrorMessage(result) : PQerrorMessage(pg->conn);
    if (!primary || !*primary)
        primary = "the connection was lost";
    clean_text(pg, primary, text, sizeof text);
    const char *detail = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) : NULL;
    if (detail && state && (strncmp(state, "23", 2) == 0 || strncmp(state, "2B", 2) == 0)) {
        /* Which key, which dependent object. */
        size_t used = strlen(text);
        if (used + 64 < sizeof text) {
            memcpy(text + used, ": ", 2);
            clean_text(pg, detail, text + used + 2, sizeof text - used - 2);
        }
    }
    /* libpq's own errors carry no state: 08006 is the standard's "connection failure". */
    if (!state)
        state = "08006";
    snprintf(pg->sqlstate, sizeof pg->sqlstate, "%s", state);
    return tide_fail(err, status_of(state), "%s: %s: %s (SQLSTATE %s)", pg->name, doing, text, state);
}

int tide_pg_may_retry(const tide_pg *pg) {
    static const char *const passing[] = {"08", "40", "53", "57P"};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; ++i)
        if (strncmp(pg->sqlstate, passing[i], strlen(passing[i])) == 0)
            return 1;
    return 0;
}

tide_status tide_pg_text(const tide_pg *pg, char **out, tide_error *err, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    char *text = NULL;
    int n = vasprintf(&text, format, ap);
    va_end(ap);
    if (n < 0)
        return tide_fail(err, TIDE_MEMORY, "%s: out of memory", pg->name);
    *out = text;
    return TIDE_OK;
}

/* --- connecting --------------------------------------------------------------------------------------------
 */

static void drop_notice(void *arg, const char *message) {
    (void)arg;
    (void)message;
}

/* Whether libpq would take a part of the password for something else. */
static tide_status check_url(const tide_pg *pg, const char *url, tide_error *err) {
    const char *start = strstr(url, "://");
    if (!start || (strncmp(url, "postgresql://", 13) != 0 && strncmp(url, "postgres://", 11) != 0))
        return tide_fail(err, TIDE_CONFIG, "%s: the URL must begin with postgresql://", pg->name);
    start += 3;
    size_t authority = strcspn(start, "?");
    const char *at = memchr(start, '@', authority);
    if (at && (memchr(start, '/', (size_t)(at - start)) ||
               memchr(at + 1, '@', authority - (size_t)(at + 1 - start))))
        return tide_fail(
            err, TIDE_CONFIG,
            "%s: the URL has a bare '@' or '/' in its user, password or database; write %%40 and %%2F",
            pg->name);
    char *message = NULL;
    PQconninfoOption *parsed = PQconninfoParse(url, &message);
    if (message)
        PQfreemem(message); /* it may repeat the password */
    if (!parsed)
        return tide_fail(
            err, TIDE_CONFIG,
            "%s: the URL cannot be parsed; its form is "
            "postgresql://user:password@host:port/database?parameter=value, special characters as %%XX",
            pg->name);
    PQconninfoFree(parsed);
    return TIDE_OK;
}

tide_status tide_pg_connect(tide_pg *pg, const char *url, const char *what, const tide_pg_limits *limits,
                            tide_error *err) {
    return tide_pg_connect_watched(pg, url, what, limits, -1, err);
}

tide_status tide_pg_connect_watched(tide_pg *pg, const char *url, const char *what, const tide_pg_limits *limits,
                                    int cancel_fd, tide_error *err) {
    tide_pg made = {.read_timeout_ms = 1000 * (limits->read_timeout_s > 0 ? limits->read_timeout_s : 300),
                    .cancel_fd = cancel_fd};
    if (limits->read_timeout_s > INT32_MAX / 1000)
        made.read_timeout_ms = INT32_MAX;
    snprintf(made.name, sizeof made.name, "postgres %s", what);
    if (!url)
        return tide_fail(err, TIDE_CONFIG, "%s: no URL is given", made.name);
    TIDE_TRY(check_url(&made, url, err));
    char connect_timeout[16];
    snprintf(connect_timeout, sizeof connect_timeout, "%d",
             limits->connect_timeout_s > 0 ? limits->connect_timeout_s : 10);
    /* Later entries win: what stands before dbname is a default that the URL may change. */
    static const char *const keywords[] = {
        "connect_timeout",  "keepalives",       "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout", "application_name", "dbname",          "client_encoding",     NULL};
    const char *const values[] = {connect_timeout, "1",        "30", "10",   "3",
                                  "60000",         "tidemill", url,  "UTF8", NULL};
    made.conn = PQconnectdbParams(keywords, values, 1);
    if (!made.conn)
        return tide_fail(err, TIDE_MEMORY, "%s: out of memory", made.name);
    if (PQstatus(made.conn) != CONNECTION_OK) {
        char text[TEXT_BYTES];
        clean_text(&made, PQerrorMessage(made.conn), text, sizeof text);
        snprintf(pg->sqlstate, sizeof pg->sqlstate, "08001");
        tide_status status = tide_fail(err, TIDE_CONNECTION, "%s: connecting: %s", made.name, text);
        PQfinish(made.conn);
        return status;
    }
    PQsetNoticeProcessor(made.conn, drop_notice, NULL);
    if (PQserverVersion(made.conn) < 120000 || PQsetnonblocking(made.conn, 1) != 0) {
        tide_status status =
            tide_fail(err, TIDE_CONNECTION, "%s: connecting: the server's version is %d, older than 12",
                      made.name, PQserverVersion(made.conn) / 10000);
        PQfinish(made.conn);
        return status;
    }
    *pg = made;
    return TIDE_OK;
}

void tide_pg_cancel(tide_pg *pg) {
    char text[256];
    PGcancel *cancel = pg->conn ? PQgetCancel(pg->conn) : NULL;
    if (!cancel)
        return;
    PQcancel(cancel, text, sizeof text);
    PQfreeCancel(cancel);
}

void tide_pg_close(tide_pg *pg) {
    if (pg->conn)
        PQfinish(pg->conn);
    pg->conn = NULL;
}

/* --- waiting -----------------------------------------------------------------------------------------------
 */

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for any of the events; *ready may be NULL. */
static tide_status wait_for(tide_pg *pg, short events, short *ready, const char *doing, tide_error *err) {
    int64_t end = now_ms() + pg->read_timeout_ms;
    for (;;) {
        struct pollfd fd[2] = {{.fd = PQsocket(pg->conn), .events = events},
                               {.fd = pg->cancel_fd, .events = POLLIN}};
        if (fd[0].fd < 0)
            return tide_pg_fail(pg, NULL, doing, err);
        if (pg->stop && pg->stop(pg->stop_self))
            return tide_fail(err, TIDE_INTERRUPTED, "%s: %s: stopped by a signal", pg->name, doing);
        int64_t left = end - now_ms();
        int slice = left <= 0 ? 0 : pg->stop && left > STOP_MS ? STOP_MS : (int)left;
        int n = poll(fd, pg->cancel_fd >= 0 ? 2 : 1, slice);
        if (n > 0 && fd[1].revents)
            return tide_fail(err, TIDE_INTERRUPTED, "%s: %s: stopped", pg->name, doing);
        if (n > 0) {
            if (ready)
                *ready = fd[0].revents;
            return TIDE_OK;
        }
        if (n == 0 && slice < left)
            continue;
        if (n == 0) {
            memcpy(pg->sqlstate, "08006", sizeof pg->sqlstate);
            return tide_fail(
                err, TIDE_CONNECTION,
                "%s: %s: the server was silent for %d s (stalled or very slow; read_timeout_s sets the "
                "limit) (SQLSTATE 08006)",
                pg->name, doing, pg->read_timeout_ms / 1000);
        }
        if (errno != EINTR)
            return tide_fail(err, TIDE_CONNECTION, "%s: %s: %s", pg->name, doing, strerror(errno));
    }
}

tide_status tide_pg_wait(tide_pg *pg, int for_write, const char *doing, tide_error *err) {
    return wait_for(pg, for_write ? POLLOUT : POLLIN, NULL, doing, err);
}

tide_status tide_pg_flush(tide_pg *pg, const char *doing, tide_error *err) {
    int left;
    while ((left = PQflush(pg->conn)) == 1) {
        short ready = 0;
        /* The server may have to be read before it reads on. */
        TIDE_TRY(wait_for(pg, POLLOUT | POLLIN, &ready, doing, err));
        if ((ready & POLLIN) && !PQconsumeInput(pg->conn))
            return tide_pg_fail(pg, NULL, doing, err);
    }
    return left == 0 ? TIDE_OK : tide_pg_fail(pg, NULL, doing, err);
}

/* --- statements --------------------------------------------------------------------------------------------
 */

tide_status tide_pg_finish(tide_pg *pg, const char *doing, PGresult **out, tide_error *err) {
    PGresult *last = NULL;
    tide_status status = tide_pg_flush(pg, doing, err);
    int failed = 0;
    while (status == TIDE_OK) {
        while (status == TIDE_OK && PQisBusy(pg->conn)) {
            status = tide_pg_wait(pg, 0, doing, err);
            if (status == TIDE_OK && !PQconsumeInput(pg->conn))
                status = tide_pg_fail(pg, NULL, doing, err);
        }
        if (status != TIDE_OK)
            break;
        PGresult *next = PQgetResult(pg->conn);
        if (!next)
            break;
        if (failed) { /* the first error is the one to tell; a lost connection adds another */
            PQclear(next);
            continue;
        }
        PQclear(last);
        last = next;
        ExecStatusType kind = PQresultStatus(next);
        if (kind == PGRES_COPY_IN || kind == PGRES_COPY_OUT)
            break;
        failed = kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK;
    }
    if (status == TIDE_OK && !last)
        status = tide_pg_fail(pg, NULL, doing, err);
    if (failed)
        status = tide_pg_fail(pg, last, doing, err);
    if (status == TIDE_OK && out)
        *out = last;
    else
        PQclear(last);
    return status;
}

tide_status tide_pg_run(tide_pg *pg, const char *sql, const char *doing, tide_error *err) {
    if (!PQsendQuery(pg->conn, sql))
        return tide_pg_fail(pg, NULL, doing, err);
    return tide_pg_finish(pg, doing, NULL, err);
}

tide_status tide_pg_query_with(tide_pg *pg, const char *sql, int n, const char *const *texts, const char *doing,
                               PGresult **out, tide_error *err) {
    if (!PQsendQueryParams(pg->conn, sql, n, NULL, texts, NULL, NULL, 0))
        return tide_pg_fail(pg, NULL, doing, err);
    return tide_pg_finish(pg, doing, out, err);
}

tide_status tide_pg_query(tide_pg *pg, const char *sql, const char *doing, PGresult **out, tide_error *err) {
    return tide_pg_query_with(pg, sql, 0, NULL, doing, out, err);
}

tide_status tide_pg_describe(tide_pg *pg, const char *sql, const char *doing, PGresult **out,
                             tide_error *err) {
    if (!PQsendPrepare(pg->conn, "", sql, 0, NULL))
        return tide_pg_fail(pg, NULL, doing, err);
    TIDE_TRY(tide_pg_finish(pg, doing, NULL, err));
    if (!PQsendDescribePrepared(pg->conn, ""))
        return tide_pg_fail(pg, NULL, doing, err);
    return tide_pg_finish(pg, doing, out, err);
}

void tide_pg_type_name(tide_pg *pg, Oid type, char *out, size_t size) {
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT pg_catalog.format_type(%u, NULL)", type);
    PGresult *result = NULL;
    if (tide_pg_query(pg, sql, "naming a type", &result, NULL) == TIDE_OK && PQntuples(result) == 1)
        snprintf(out, size, "%s", PQgetvalue(result, 0, 0));
    else
        snprintf(out, size, "number %u", type);
    PQclear(result);
}

/* --- names -------------------------------------------------------------------------------------------------
 */

/* Takes one part off *text into part (its size is enough for all of *text): 1, or 0 when it is malformed. */
static int take_part(const char **text, int may_split, char *part) {
    const char *p = *text;
    size_t n = 0;
    if (*p == '"') {
        for (++p;; ++p) {
            if (!*p)
                return 0;
            if (*p == '"' && *++p != '"')
                break;
            part[n++] = *p;
        }
        if (*p && !(may_split && *p == '.'))
            return 0;
    } else {
        while (*p && !(may_split && *p == '.'))
            part[n++] = *p++;
    }
    part[n] = 0;
    *text = p;
    return n > 0;
}

tide_status tide_pg_quote_name(tide_pg *pg, const char *text, int max_parts, char **out, tide_error *err) {
    size_t length = strlen(text);
    char *part = malloc(length + 1), *quoted = calloc(1, 2 * length + 3 * (size_t)max_parts + 1);
    tide_status status = TIDE_OK;
    if (!part || !quoted)
        status = tide_fail(err, TIDE_MEMORY, "%s: out of memory", pg->name);
    const char *rest = text;
    for (int n = 1; status == TIDE_OK; ++n) {
        if (n > max_parts || !take_part(&rest, max_parts > 1, part)) {
            status = tide_fail(err, TIDE_CONFIG, "%s: '%s' is not a %s", pg->name, text,
                               max_parts > 1 ? "[schema.]table name" : "column name");
            break;
        }
        char *escaped = PQescapeIdentifier(pg->conn, part, strlen(part));
        if (!escaped) { /* invalid UTF-8 */
            status = tide_fail(err, TIDE_CONFIG, "%s: the name '%s' is not valid text", pg->name, text);
            break;
        }
        if (n > 1)
            strcat(quoted, ".");
        strcat(quoted, escaped);
        PQfreemem(escaped);
        if (!*rest)
            break;
        ++rest; /* the dot */
    }
    free(part);
    if (status == TIDE_OK)
        *out = quoted;
    else
        free(quoted);
    return status;
}
