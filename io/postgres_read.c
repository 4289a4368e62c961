/* postgres_read.c - see postgres_read.h.
 *
 * PQgetCopyData gives each row in memory of its own. psql pays that too (some 40 ns a row), and nothing of libpq's public
 * interface avoids it; the server needs several times as long to make a row. */
#include "io/postgres_read.h"

#include <stdlib.h>
#include <string.h>

static const char doing[] = "reading rows";

static tide_status start(tide_pg *pg, const char *copy, tide_error *err) {
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_query(pg, copy, doing, &result, err));
    int is_copy = PQresultStatus(result) == PGRES_COPY_OUT;
    PQclear(result);
    return is_copy ? TIDE_OK
                   : tide_fail(err, TIDE_CONNECTION, "%s: %s: the server sends none", pg->name, doing);
}

/* After the last message: the server must have said that all went well, of as many rows as came. */
static tide_status finish(tide_pg *pg, const tide_pg_decoder *d, tide_error *err) {
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_finish(pg, doing, &result, err));
    unsigned long long said = strtoull(PQcmdTuples(result), NULL, 10);
    ExecStatusType kind = PQresultStatus(result);
    PQclear(result);
    if (kind != PGRES_COMMAND_OK || !d->trailer_seen || said != d->tuples)
        return tide_fail(err, TIDE_CONNECTION, "%s: %s: the server sent %llu rows and counts %llu (SQLSTATE 08P01)",
                         pg->name, doing, (unsigned long long)d->tuples, said);
    return TIDE_OK;
}

tide_status tide_pg_read(tide_pg *pg, const char *copy, const tide_pg_shape *shape, tide_pg_taker taker,
                         _Atomic uint64_t *bytes, _Atomic uint64_t *rows, tide_error *err) {
    enum { TELL = 4096 };
    tide_pg_decoder d;
    uint64_t told = 0, n_bytes = 0;
    memset(&d, 0, offsetof(tide_pg_decoder, key));
    d.name = pg->name;
    d.shape = shape;
    d.taker = taker;
    TIDE_TRY(start(pg, copy, err));
    tide_status status = TIDE_OK;
    for (int ended = 0; !ended && status == TIDE_OK;) {
        char *message = NULL;
        int length = PQgetCopyData(pg->conn, &message, 1);
        if (length > 0) {
            n_bytes += (uint64_t)length;
            status = tide_pg_decode(&d, (const unsigned char *)message, (size_t)length, err);
            PQfreemem(message);
            if (d.tuples - told >= TELL) {
                *bytes += n_bytes;
                *rows += d.tuples - told;
                told = d.tuples;
                n_bytes = 0;
            }
        } else if (length == 0) {
            status = tide_pg_wait(pg, 0, doing, err);
            if (status == TIDE_OK && !PQconsumeInput(pg->conn)) {
                /* A server that ends a connection says why first; libpq may hold that behind the last rows. */
                while ((length = PQgetCopyData(pg->conn, &message, 1)) > 0)
                    PQfreemem(message);
                status = length == -1 ? finish(pg, &d, err) : tide_pg_fail(pg, NULL, doing, err);
                ended = 1;
            }
        } else {
            status = length == -1 ? finish(pg, &d, err) : tide_pg_fail(pg, NULL, doing, err);
            ended = 1;
        }
    }
    *bytes += n_bytes;
    *rows += d.tuples - told;
    return status;
}
