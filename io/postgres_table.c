#include "io/postgres_table.h"

#include <string.h>

tide_status tide_pg_begin(tide_pg *pg, int statement_timeout_s, int lock_timeout_s, tide_error *err) {
    char text[400];
    /* Without the check a server goes on merging for a client that was killed. */
    snprintf(text, sizeof text,
             "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL TimeZone = 'UTC'; SET LOCAL statement_timeout = '%ds'; "
             "SET LOCAL lock_timeout = '%ds'%s",
             statement_timeout_s > 0 ? statement_timeout_s : 0, lock_timeout_s > 0 ? lock_timeout_s : 0,
             PQserverVersion(pg->conn) >= 140000 ? "; SET LOCAL client_connection_check_interval = '2s'" : "");
    return tide_pg_run(pg, text, "beginning a transaction", err);
}

tide_status tide_pg_run_text(tide_pg *pg, char *sql, const char *doing, uint64_t *n, tide_error *err) {
    PGresult *result = NULL;
    tide_status status = tide_pg_query(pg, sql, doing, &result, err);
    free(sql);
    if (status == TIDE_OK && n)
        *n = strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return status;
}

tide_status tide_pg_lock_name(tide_pg *pg, const char *name, tide_error *err) {
    const char *const texts[1] = {name};
    return tide_pg_query_with(
        pg,
        "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(coalesce("
        "(SELECT pg_catalog.format('tidemill %I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = pg_catalog.to_regclass($1)), "
        "(SELECT pg_catalog.format('tidemill %I.%I', "
        "CASE WHEN pg_catalog.cardinality(p) = 2 THEN p[1] ELSE coalesce(pg_catalog.current_schema(), '') END, "
        "p[pg_catalog.cardinality(p)]) FROM (SELECT pg_catalog.parse_ident($1)) AS t(p))), 0))",
        1, texts, "waiting for others who write this table", NULL, err);
}

tide_status tide_pg_find(tide_pg *pg, const char *name, tide_pg_relation *out, tide_error *err) {
    const char *const texts[1] = {name};
    PGresult *r = NULL;
    TIDE_TRY(tide_pg_query_with(
        pg,
        "SELECT coalesce(c.oid, 0), c.relkind, pg_catalog.format('%I.%I', w.schema, w.relation), "
        "pg_catalog.quote_ident(w.schema), pg_catalog.quote_ident(w.relation) FROM pg_catalog.parse_ident($1) AS t(p) "
        "LEFT JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass($1) "
        "LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, "
        "LATERAL (SELECT coalesce(n.nspname, CASE WHEN pg_catalog.cardinality(p) = 2 THEN p[1] "
        "ELSE coalesce(pg_catalog.current_schema(), 'public') END)::name AS schema, "
        "coalesce(c.relname, p[pg_catalog.cardinality(p)])::name AS relation) AS w",
        1, texts, "looking for the table", &r, err));
    memset(out, 0, sizeof *out);
    if (PQntuples(r) == 1) {
        snprintf(out->oid, sizeof out->oid, "%s", PQgetvalue(r, 0, 0));
        out->exists = strcmp(out->oid, "0") != 0;
        out->kind = PQgetvalue(r, 0, 1)[0];
        snprintf(out->name, sizeof out->name, "%s", PQgetvalue(r, 0, 2));
        snprintf(out->schema, sizeof out->schema, "%s", PQgetvalue(r, 0, 3));
        snprintf(out->relation, sizeof out->relation, "%s", PQgetvalue(r, 0, 4));
    }
    PQclear(r);
    return TIDE_OK;
}

/* --- the long table ----------------------------------------------------------------------------------------
 */

tide_status tide_pg_rows_table_names(tide_pg *pg, const char *table, const char *const column[3],
                                     tide_pg_rows_table *out, tide_error *err) {
    static const char *const usual[3] = {"unique_id", "ds", "y"};
    for (int i = 0; i < 3; ++i)
        out->column[i] = column[i] ? column[i] : usual[i];
    TIDE_TRY(tide_pg_quote_name(pg, table, 2, &out->name, err));
    TIDE_TRY(tide_pg_quote_name(pg, out->column[0], 1, &out->id, err));
    TIDE_TRY(tide_pg_quote_name(pg, out->column[1], 1, &out->ds, err));
    return tide_pg_quote_name(pg, out->column[2], 1, &out->y, err);
}

void tide_pg_rows_table_free(tide_pg_rows_table *table) {
    free(table->name);
    free(table->id);
    free(table->ds);
    free(table->y);
    memset(table, 0, sizeof *table);
}

tide_status tide_pg_rows_table_create(tide_pg *pg, const tide_pg_rows_table *t, tide_ds_kind kind, tide_error *err) {
    static const char *const type[] = {"bigint", "date", "timestamp"};
    char *sql = NULL;
    TIDE_TRY(tide_pg_text(pg, &sql, err,
                          "CREATE TABLE %s (%s text COLLATE \"C\" NOT NULL, %s %s NOT NULL, %s double precision)",
                          t->name, t->id, t->ds, type[kind], t->y));
    return tide_pg_run_text(pg, sql, "creating the table", NULL, err);
}

tide_status tide_pg_rows_table_check(tide_pg *pg, tide_pg_rows_table *t, tide_ds_kind kind, tide_error *err) {
    char *sql = NULL;
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_text(pg, &sql, err, "SELECT %s, %s, %s FROM %s", t->id, t->ds, t->y, t->name));
    tide_status status = tide_pg_describe(pg, sql, "checking table and columns", &result, err);
    free(sql);
    if (status != TIDE_OK)
        return status;
    unsigned type[3];
    for (int i = 0; i < 3; ++i)
        type[i] = PQftype(result, i);
    PQclear(result);
    t->ds_type = type[1];
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
        tide_pg_type_name(pg, type[i], name, sizeof name);
        return tide_fail(err, TIDE_INPUT, "%s: the column %s has type %s; these rows need %s", pg->name, t->column[i],
                         name, wanted[i]);
    }
    return TIDE_OK;
}

tide_status tide_pg_rows_table_index(tide_pg *pg, const tide_pg_rows_table *t, int unique, int *made, tide_error *err) {
    const char *const texts[1] = {t->name};
    char *sql = NULL;
    PGresult *result = NULL;
    int exists = 0;
    TIDE_TRY(tide_pg_query_with(pg,
                                "SELECT pg_catalog.pg_get_indexdef(indexrelid, 1, true), "
                                "pg_catalog.pg_get_indexdef(indexrelid, 2, true) "
                                "FROM pg_catalog.pg_index WHERE indrelid = pg_catalog.to_regclass($1) "
                                "AND indpred IS NULL AND indisvalid",
                                1, texts, "looking at indexes", &result, err));
    for (int i = 0; i < PQntuples(result); ++i) {
        /* The server quotes only where it must; the names as given or quoted both count. */
        const char *have[2] = {PQgetvalue(result, i, 0), PQgetvalue(result, i, 1)};
        exists |= (strcmp(have[0], t->id) == 0 || strcmp(have[0], t->column[0]) == 0) &&
                  (strcmp(have[1], t->ds) == 0 || strcmp(have[1], t->column[1]) == 0);
    }
    PQclear(result);
    if (made)
        *made = !exists;
    if (exists)
        return TIDE_OK;
    TIDE_TRY(tide_pg_text(pg, &sql, err, "CREATE %sINDEX ON %s (%s, %s)", unique ? "UNIQUE " : "", t->name, t->id,
                          t->ds));
    return tide_pg_run_text(pg, sql, "creating the index", NULL, err);
}
