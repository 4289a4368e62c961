/* postgres_connect.h - a connection whose every wait ends: what all io/postgres*.c share.
 *
 * libpq runs in non-blocking mode; all waiting is in tide_pg_wait, which gives up after read_timeout_ms of
 * silence. Messages have the form "postgres demand.sales: reading rows: <the server's text> (SQLSTATE
 * 57P01)", on one line, with the connection's password replaced by ***. */
#ifndef TIDE_POSTGRES_CONNECT_H
#define TIDE_POSTGRES_CONNECT_H

#include "host/error.h"
#include <libpq-fe.h>

typedef struct tide_pg {
    PGconn *conn;
    char name[160]; /* "postgres demand.sales", for messages and tide_source.name */
    int read_timeout_ms;
    int cancel_fd;     /* waits end with TIDE_INTERRUPTED when this can be read or is hung up; -1 = none */
    char sqlstate[6];  /* of the last failure of this connection; "" = none */
    int (*stop)(void *self); /* asked five times a second while waiting: 1 = give up, TIDE_INTERRUPTED; or NULL */
    void *stop_self;
} tide_pg;

typedef struct tide_pg_limits {
    int connect_timeout_s, statement_timeout_s, read_timeout_s; /* 0 = default, see postgres.h */
} tide_pg_limits;

/* Fills *pg; after a failure only its sqlstate, for tide_pg_may_retry. what: "demand.sales" or "query".
 * statement_timeout_s is set by the caller's first statement. */
tide_status tide_pg_connect(tide_pg *pg, const char *url, const char *what, const tide_pg_limits *limits,
                            tide_error *err);
/* The same for a connection whose waits can be ended from outside, see tide_pg. */
tide_status tide_pg_connect_watched(tide_pg *pg, const char *url, const char *what, const tide_pg_limits *limits,
                                    int cancel_fd, tide_error *err);
void tide_pg_close(tide_pg *pg); /* safe on a zeroed tide_pg; never waits */
/* Asks the server to give up the running statement, which it else ends first; for a connection about to be closed. */
void tide_pg_cancel(tide_pg *pg);

/* Waits until the socket can be read (or written, when for_write). doing: "reading rows". */
tide_status tide_pg_wait(tide_pg *pg, int for_write, const char *doing, tide_error *err);
/* Sends what libpq has buffered. */
tide_status tide_pg_flush(tide_pg *pg, const char *doing, tide_error *err);

/* Runs a text by the simple protocol (several statements allowed; for our own texts). */
tide_status tide_pg_run(tide_pg *pg, const char *sql, const char *doing, tide_error *err);
/* Runs one statement by the extended protocol, so that the server itself refuses several. *out (may be NULL)
 * is the caller's to PQclear, text format; for COPY it is the PGRES_COPY_IN or PGRES_COPY_OUT. */
tide_status tide_pg_query(tide_pg *pg, const char *sql, const char *doing, PGresult **out, tide_error *err);
/* The same with n texts for $1, $2 ... */
tide_status tide_pg_query_with(tide_pg *pg, const char *sql, int n, const char *const *texts, const char *doing,
                               PGresult **out, tide_error *err);
/* Parses a statement without running it; *out describes its columns (PQftype). */
tide_status tide_pg_describe(tide_pg *pg, const char *sql, const char *doing, PGresult **out,
                             tide_error *err);
/* Collects what is left of the running statement; *out as above. */
tide_status tide_pg_finish(tide_pg *pg, const char *doing, PGresult **out, tide_error *err);

/* Error of a result, or of the connection when result is NULL. */
tide_status tide_pg_fail(tide_pg *pg, const PGresult *result, const char *doing, tide_error *err);

/* 1 when the last failure was of the way to the server or of the server as a whole (lost, silent, shutting down, out of
 * connections, a conflict on a standby), so that another try may go well; 0 for what was asked and for cancellations. */
int tide_pg_may_retry(const tide_pg *pg);

/* Quoted form of a name of up to max_parts parts, malloc'd. TIDE_CONFIG for a malformed one. */
tide_status tide_pg_quote_name(tide_pg *pg, const char *text, int max_parts, char **out, tide_error *err);
/* malloc'd printf; TIDE_MEMORY names pg. */
tide_status tide_pg_text(const tide_pg *pg, char **out, tide_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Server's name of a type, "jsonb"; size >= 64; falls back to the number. */
void tide_pg_type_name(tide_pg *pg, Oid type, char *out, size_t size);

#endif
