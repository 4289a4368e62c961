#include "io/postgres_copy.h"

#include "host/text.h"

#include <stdlib.h>

int tide_pg_takes_text(const char *bytes, size_t n) {
    const unsigned char *s = (const unsigned char *)bytes;
    for (size_t i = 0, k; i < n; i += k)
        if (!s[i] || (k = tide_utf8_length(s + i, n - i)) == 0)
            return 0;
    return 1;
}

/* The server refused in the midst of the rows, and has said why. */
static tide_status refused(tide_pg_copy *copy, tide_error *err) {
    tide_status status = tide_pg_finish(copy->pg, copy->doing, NULL, err);
    return status != TIDE_OK ? status : tide_pg_fail(copy->pg, NULL, copy->doing, err);
}

static tide_status send(tide_pg_copy *copy, const void *bytes, size_t n, tide_error *err) {
    PGconn *conn = copy->pg->conn;
    int sent;
    while ((sent = PQputCopyData(conn, bytes, (int)n)) == 0)
        TIDE_TRY(tide_pg_wait(copy->pg, 1, copy->doing, err));
    if (sent < 0)
        return refused(copy, err);
    TIDE_TRY(tide_pg_flush(copy->pg, copy->doing, err));
    /* libpq goes on taking rows for a connection that is gone, until the input is looked at. */
    return PQconsumeInput(conn) ? TIDE_OK : refused(copy, err);
}

tide_status tide_pg_copy_send(tide_pg_copy *copy, tide_error *err) {
    if (!copy->used)
        return TIDE_OK;
    TIDE_TRY(send(copy, copy->buffer, copy->used, err));
    copy->used = 0;
    return TIDE_OK;
}

tide_status tide_pg_copy_start(tide_pg_copy *copy, tide_pg *pg, const char *sql, size_t tuple_bytes,
                               const char *doing, tide_error *err) {
    static const unsigned char header[19] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0};
    PGresult *result = NULL;
    copy->pg = pg;
    copy->doing = doing;
    copy->rows = 0;
    copy->room = TIDE_PG_COPY_BYTES + tuple_bytes + 2;
    copy->buffer = malloc(copy->room);
    if (!copy->buffer)
        return tide_fail(err, TIDE_MEMORY, "%s: out of memory", pg->name);
    TIDE_TRY(tide_pg_query(pg, sql, doing, &result, err));
    int is_copy = PQresultStatus(result) == PGRES_COPY_IN;
    PQclear(result);
    if (!is_copy)
        return tide_fail(err, TIDE_CONNECTION, "%s: %s: the server takes none", pg->name, doing);
    memcpy(copy->buffer, header, sizeof header);
    copy->used = sizeof header;
    return TIDE_OK;
}

tide_status tide_pg_copy_tuples(tide_pg_copy *copy, const void *bytes, size_t n, uint64_t rows, tide_error *err) {
    const size_t most = 1 << 20; /* what libpq may have to hold at once */
    TIDE_TRY(tide_pg_copy_send(copy, err));
    for (size_t at = 0, take; at < n; at += take) {
        take = n - at < most ? n - at : most;
        TIDE_TRY(send(copy, (const char *)bytes + at, take, err));
    }
    copy->rows += rows;
    return TIDE_OK;
}

tide_status tide_pg_copy_end(tide_pg_copy *copy, tide_error *err) {
    copy->used = (size_t)(tide_pg_put16(copy->buffer + copy->used, UINT16_MAX) - copy->buffer);
    TIDE_TRY(tide_pg_copy_send(copy, err));
    int ended;
    while ((ended = PQputCopyEnd(copy->pg->conn, NULL)) == 0)
        TIDE_TRY(tide_pg_wait(copy->pg, 1, copy->doing, err));
    if (ended < 0)
        return refused(copy, err);
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_finish(copy->pg, copy->doing, &result, err));
    unsigned long long said = strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    if (said == copy->rows)
        return TIDE_OK;
    return tide_fail(err, TIDE_CONNECTION, "%s: %s: the server counts %llu rows of %llu", copy->pg->name,
                     copy->doing, said, (unsigned long long)copy->rows);
}

void tide_pg_copy_free(tide_pg_copy *copy) {
    free(copy->buffer);
    memset(copy, 0, sizeof *copy);
}
