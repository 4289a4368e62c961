/* postgres_load.c - rows of a source into a table by COPY ... FROM STDIN (FORMAT binary), in one transaction.
 *
 *   BEGIN; [CREATE TABLE]; COPY; [CREATE INDEX]; COMMIT; ANALYZE (when an index was asked for)
 *
 * A table made in the same transaction is filled with FREEZE: no later pass over it has to set visibility
 * bits, and the rows need no write-ahead log where wal_level is minimal. Ids get collation "C", so that an
 * index on (id, ds) serves the bytewise order in which postgres.c reads. Tuples are put together in one
 * buffer of 64 KiB, sent as one message, and libpq's own buffer is emptied after each, so that memory stays
 * bounded however slow the server is. */
#include "io/postgres.h"
#include "io/postgres_binary.h"
#include "io/postgres_connect.h"

enum { BUFFER_BYTES = 1 << 16, ROW_BYTES = TIDE_ID_MAX_BYTES + 64 };

typedef struct pg_loader {
    tide_pg pg;
    const char *column[3];                    /* as given */
    char *table, *id_name, *ds_name, *y_name; /* quoted */
    unsigned ds_type;                         /* tide_pg_type; 0 = not known yet */
    int created;
    size_t used;
    unsigned char buffer[BUFFER_BYTES + ROW_BYTES];
} pg_loader;

static const char loading[] = "loading rows";

static unsigned char *put16(unsigned char *p, uint16_t v) {
    *p++ = (unsigned char)(v >> 8);
    *p++ = (unsigned char)v;
    return p;
}

static unsigned char *put32(unsigned char *p, uint32_t v) {
    return put16(put16(p, (uint16_t)(v >> 16)), (uint16_t)v);
}

static unsigned char *put64(unsigned char *p, uint64_t v) {
    return put32(put32(p, (uint32_t)(v >> 32)), (uint32_t)v);
}

/* ds as a field of the table's type; NULL when it does not fit. */
static unsigned char *put_ds(unsigned char *p, unsigned type, int64_t ds) {
    switch (type) {
    case TIDE_PG_DATE:
        if (ds < TIDE_PG_YEAR_1_DAYS || ds > INT32_MAX - 1)
            return NULL;
        return put32(put32(p, 4), (uint32_t)(int32_t)(ds - TIDE_PG_EPOCH_DAYS));
    case TIDE_PG_TIMESTAMP:
    case TIDE_PG_TIMESTAMPTZ:
        if (ds < TIDE_PG_YEAR_1_US || ds > INT64_MAX - 1)
            return NULL;
        return put64(put32(p, 8), (uint64_t)(ds - TIDE_PG_EPOCH_US));
    case TIDE_PG_INT2:
        if (ds != (int16_t)ds)
            return NULL;
        return put16(put32(p, 2), (uint16_t)(int16_t)ds);
    case TIDE_PG_INT4:
        if (ds != (int32_t)ds)
            return NULL;
        return put32(put32(p, 4), (uint32_t)(int32_t)ds);
    default:
        return put64(put32(p, 8), (uint64_t)ds);
    }
}

/* The server refused in the midst of the rows, and has said why. */
static tide_status refused(pg_loader *l, tide_error *err) {
    tide_status status = tide_pg_finish(&l->pg, loading, NULL, err);
    return status != TIDE_OK ? status : tide_pg_fail(&l->pg, NULL, loading, err);
}

static tide_status send_buffer(pg_loader *l, tide_error *err) {
    int sent;
    while ((sent = PQputCopyData(l->pg.conn, (const char *)l->buffer, (int)l->used)) == 0)
        TIDE_TRY(tide_pg_wait(&l->pg, 1, loading, err));
    if (sent < 0)
        return refused(l, err);
    l->used = 0;
    TIDE_TRY(tide_pg_flush(&l->pg, loading, err));
    /* libpq goes on taking rows for a connection that is gone, until the input is looked at. */
    return PQconsumeInput(l->pg.conn) ? TIDE_OK : refused(l, err);
}

static tide_status send_rows(pg_loader *l, const tide_source *in, const tide_rows *rows, tide_error *err) {
    for (size_t i = 0; i < rows->n; ++i) {
        uint32_t length = rows->id_length[i];
        unsigned char *p = put16(l->buffer + l->used, 3);
        unsigned char *id = put32(p, length);
        if ((rows->fault && rows->fault[i] != TIDE_ROW_GOOD) || length > TIDE_ID_MAX_BYTES)
            return tide_fail(err, TIDE_INPUT, "%s: %s: %s %llu cannot be used, so nothing is loaded",
                             in->name, loading, in->line_word, (unsigned long long)rows->line[i]);
        memcpy(id, rows->bytes + rows->id_at[i], length);
        p = put_ds(id + length, l->ds_type, rows->ds[i]);
        if (!p)
            return tide_fail(err, TIDE_INPUT, "%s: %s: the time of %s %llu does not fit the column %s",
                             l->pg.name, loading, in->line_word, (unsigned long long)rows->line[i],
                             l->column[1]);
        p = tide_is_nan(rows->y[i]) ? put32(p, UINT32_MAX) : put64(put32(p, 8), tide_to_bits(rows->y[i]));
        l->used = (size_t)(p - l->buffer);
        if (l->used >= BUFFER_BYTES)
            TIDE_TRY(send_buffer(l, err));
    }
    return TIDE_OK;
}

static tide_status table_exists(pg_loader *l, int *exists, tide_error *err) {
    char *literal = PQescapeLiteral(l->pg.conn, l->table, strlen(l->table)), *sql = NULL;
    if (!literal)
        return tide_fail(err, TIDE_MEMORY, "%s: out of memory", l->pg.name);
    tide_status status =
        tide_pg_text(&l->pg, &sql, err, "SELECT pg_catalog.to_regclass(%s) IS NOT NULL", literal);
    PQfreemem(literal);
    PGresult *result = NULL;
    if (status == TIDE_OK)
        status = tide_pg_query(&l->pg, sql, "looking for the table", &result, err);
    free(sql);
    if (status != TIDE_OK)
        return status;
    *exists = PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return TIDE_OK;
}

/* Runs a statement made by tide_pg_text and frees it. */
static tide_status run_text(pg_loader *l, char *sql, const char *doing, tide_error *err) {
    tide_status status = tide_pg_run(&l->pg, sql, doing, err);
    free(sql);
    return status;
}

static tide_status make_table(pg_loader *l, tide_ds_kind kind, tide_error *err) {
    static const char *const type[] = {"bigint", "date", "timestamp"};
    char *sql = NULL;
    TIDE_TRY(
        tide_pg_text(&l->pg, &sql, err,
                     "CREATE TABLE %s (%s text COLLATE \"C\" NOT NULL, %s %s NOT NULL, %s double precision)",
                     l->table, l->id_name, l->ds_name, type[kind], l->y_name));
    TIDE_TRY(run_text(l, sql, "creating the table", err));
    l->created = 1;
    return TIDE_OK;
}

static tide_status check_table(pg_loader *l, tide_ds_kind kind, tide_error *err) {
    char *sql = NULL;
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_text(&l->pg, &sql, err, "SELECT %s, %s, %s FROM %s", l->id_name, l->ds_name, l->y_name,
                          l->table));
    tide_status status = tide_pg_describe(&l->pg, sql, "checking table and columns", &result, err);
    free(sql);
    if (status != TIDE_OK)
        return status;
    unsigned type[3];
    for (int i = 0; i < 3; ++i)
        type[i] = PQftype(result, i);
    PQclear(result);
    l->ds_type = type[1];
    int fits[3] = {type[0] == TIDE_PG_TEXT || type[0] == TIDE_PG_VARCHAR, 0, type[2] == TIDE_PG_FLOAT8};
    if (kind == TIDE_DS_DATE)
        fits[1] = type[1] == TIDE_PG_DATE;
    else if (kind == TIDE_DS_TIMESTAMP)
        fits[1] = type[1] == TIDE_PG_TIMESTAMP || type[1] == TIDE_PG_TIMESTAMPTZ;
    else
        fits[1] = type[1] == TIDE_PG_INT2 || type[1] == TIDE_PG_INT4 || type[1] == TIDE_PG_INT8;
    const char *wanted[3] = {"text or varchar",
                             kind == TIDE_DS_DATE        ? "date"
                             : kind == TIDE_DS_TIMESTAMP ? "a timestamp"
                                                         : "an integer",
                             "double precision"};
    for (int i = 0; i < 3; ++i) {
        if (fits[i])
            continue;
        char name[64];
        tide_pg_type_name(&l->pg, type[i], name, sizeof name);
        return tide_fail(err, TIDE_INPUT, "%s: the column %s has type %s; these rows need %s", l->pg.name,
                         l->column[i], name, wanted[i]);
    }
    return TIDE_OK;
}

static tide_status start_copy(pg_loader *l, const tide_postgres_load_options *o, tide_ds_kind kind,
                              tide_error *err) {
    int exists = 0;
    TIDE_TRY(table_exists(l, &exists, err));
    if (!exists && o->create)
        TIDE_TRY(make_table(l, kind, err));
    TIDE_TRY(check_table(l, kind, err));
    char *sql = NULL;
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_text(&l->pg, &sql, err, "COPY %s (%s, %s, %s) FROM STDIN (FORMAT binary%s)", l->table,
                          l->id_name, l->ds_name, l->y_name, l->created ? ", FREEZE" : ""));
    tide_status status = tide_pg_query(&l->pg, sql, loading, &result, err);
    free(sql);
    if (status != TIDE_OK)
        return status;
    int is_copy = PQresultStatus(result) == PGRES_COPY_IN;
    PQclear(result);
    if (!is_copy)
        return tide_fail(err, TIDE_CONNECTION, "%s: %s: the server takes none", l->pg.name, loading);
    static const unsigned char header[19] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0};
    memcpy(l->buffer, header, sizeof header);
    l->used = sizeof header;
    return TIDE_OK;
}

static tide_status end_copy(pg_loader *l, uint64_t n, tide_error *err) {
    l->used = (size_t)(put16(l->buffer + l->used, UINT16_MAX) - l->buffer);
    TIDE_TRY(send_buffer(l, err));
    int ended;
    while ((ended = PQputCopyEnd(l->pg.conn, NULL)) == 0)
        TIDE_TRY(tide_pg_wait(&l->pg, 1, loading, err));
    if (ended < 0)
        return refused(l, err);
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_finish(&l->pg, loading, &result, err));
    unsigned long long said = strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    if (said == n)
        return TIDE_OK;
    return tide_fail(err, TIDE_CONNECTION, "%s: %s: the server counts %llu rows of %llu", l->pg.name, loading,
                     said, (unsigned long long)n);
}

/* An index on (id, ds), unless the table has one that begins with these columns. */
static tide_status make_index(pg_loader *l, tide_error *err) {
    char *literal = PQescapeLiteral(l->pg.conn, l->table, strlen(l->table)), *sql = NULL;
    PGresult *result = NULL;
    int exists = 0;
    if (!literal)
        return tide_fail(err, TIDE_MEMORY, "%s: out of memory", l->pg.name);
    tide_status status = tide_pg_text(&l->pg, &sql, err,
                                      "SELECT pg_catalog.pg_get_indexdef(indexrelid, 1, true), "
                                      "pg_catalog.pg_get_indexdef(indexrelid, 2, true) "
                                      "FROM pg_catalog.pg_index WHERE indrelid = pg_catalog.to_regclass(%s) "
                                      "AND indpred IS NULL AND indisvalid",
                                      literal);
    PQfreemem(literal);
    if (status == TIDE_OK)
        status = tide_pg_query(&l->pg, sql, "looking at indexes", &result, err);
    free(sql);
    if (status != TIDE_OK)
        return status;
    for (int i = 0; i < PQntuples(result); ++i) {
        /* The server quotes only where it must; the names as given or quoted both count. */
        const char *have[2] = {PQgetvalue(result, i, 0), PQgetvalue(result, i, 1)};
        exists |= (strcmp(have[0], l->id_name) == 0 || strcmp(have[0], l->column[0]) == 0) &&
                  (strcmp(have[1], l->ds_name) == 0 || strcmp(have[1], l->column[1]) == 0);
    }
    PQclear(result);
    if (exists)
        return TIDE_OK;
    TIDE_TRY(
        tide_pg_text(&l->pg, &sql, err, "CREATE INDEX ON %s (%s, %s)", l->table, l->id_name, l->ds_name));
    return run_text(l, sql, "creating the index", err);
}

static tide_status load(pg_loader *l, const tide_postgres_load_options *o, tide_source *in, uint64_t *n,
                        tide_error *err) {
    TIDE_TRY(tide_pg_quote_name(&l->pg, o->table, 2, &l->table, err));
    TIDE_TRY(tide_pg_quote_name(&l->pg, l->column[0], 1, &l->id_name, err));
    TIDE_TRY(tide_pg_quote_name(&l->pg, l->column[1], 1, &l->ds_name, err));
    TIDE_TRY(tide_pg_quote_name(&l->pg, l->column[2], 1, &l->y_name, err));
    char begin[128];
    snprintf(begin, sizeof begin, "BEGIN; SET LOCAL statement_timeout = '%ds'",
             o->statement_timeout_s > 0 ? o->statement_timeout_s : 0);
    TIDE_TRY(tide_pg_run(&l->pg, begin, "beginning a transaction", err));
    tide_rows rows;
    TIDE_TRY(in->next(in->self, &rows, err));
    TIDE_TRY(start_copy(l, o, rows.ds_kind, err));
    while (rows.n) {
        TIDE_TRY(send_rows(l, in, &rows, err));
        *n += rows.n;
        TIDE_TRY(in->next(in->self, &rows, err));
    }
    TIDE_TRY(end_copy(l, *n, err));
    if (o->create_index)
        TIDE_TRY(make_index(l, err));
    TIDE_TRY(tide_pg_run(&l->pg, "COMMIT", "committing", err));
    if (!o->create_index)
        return TIDE_OK;
    /* The rows are safe; statistics let the planner take the index. */
    char *sql = NULL;
    TIDE_TRY(tide_pg_text(&l->pg, &sql, err, "ANALYZE %s", l->table));
    return run_text(l, sql, "analysing the table", err);
}

tide_status tide_postgres_load(const tide_postgres_load_options *options, tide_source *rows, uint64_t *n_rows,
                               tide_error *err) {
    if (!options->table)
        return tide_fail(err, TIDE_CONFIG, "postgres: no table is given to load into");
    pg_loader *l = malloc(sizeof *l);
    if (!l)
        return tide_fail(err, TIDE_MEMORY, "postgres: out of memory");
    memset(l, 0, offsetof(pg_loader, buffer));
    l->column[0] = options->id_column ? options->id_column : "unique_id";
    l->column[1] = options->ds_column ? options->ds_column : "ds";
    l->column[2] = options->y_column ? options->y_column : "y";
    tide_pg_limits limits = {options->connect_timeout_s, options->statement_timeout_s,
                             options->read_timeout_s};
    uint64_t n = 0;
    tide_status status = tide_pg_connect(&l->pg, options->url, options->table, &limits, err);
    if (status == TIDE_OK)
        status = load(l, options, rows, &n, err);
    tide_pg_close(&l->pg); /* without a COMMIT before, the server forgets all of it */
    free(l->table);
    free(l->id_name);
    free(l->ds_name);
    free(l->y_name);
    free(l);
    if (status == TIDE_OK && n_rows)
        *n_rows = n;
    return status;
}
