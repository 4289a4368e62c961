#include "io/postgres_replace.h"

#include "host/queue.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* --- the old table -----------------------------------------------------------------------------------------
 */

/* Compares columns. *same: the old table has each of ours with its type. */
static tide_status check_columns(tide_pg_replace *r, const tide_pg_replace_spec *spec, int *same, tide_error *err) {
    const char *const texts[2] = {r->old.oid, spec->families ? spec->families : "^$"};
    PGresult *a = NULL;
    TIDE_TRY(tide_pg_query_with(
        r->pg,
        "SELECT attname, pg_catalog.format_type(atttypid, atttypmod), (attname ~ $2)::int FROM pg_catalog.pg_attribute "
        "WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        2, texts, "looking at columns", &a, err));
    tide_status status = TIDE_OK;
    const char *missing = NULL, *other = NULL, *type = NULL, *wanted = NULL, *extra = NULL;
    for (int k = 0; k < spec->n_columns && !status; ++k) {
        const tide_pg_column *c = &spec->column[k];
        int at = 0;
        while (at < PQntuples(a) && strcmp(PQgetvalue(a, at, 0), c->name) != 0)
            ++at;
        if (at == PQntuples(a)) {
            missing = c->name;
            if (c->mark)
                status = tide_fail(err, TIDE_INPUT,
                                   "%s: the table has no column %s, so it holds no %s and is left alone; give another "
                                   "name, or drop it first",
                                   r->pg->name, c->name, spec->what);
        } else if (strcmp(PQgetvalue(a, at, 1), c->type) != 0) {
            other = c->name;
            type = PQgetvalue(a, at, 1);
            wanted = c->type;
        }
    }
    for (int at = 0; at < PQntuples(a); ++at) {
        int ours = PQgetvalue(a, at, 2)[0] == '1';
        for (int k = 0; k < spec->n_columns; ++k)
            ours |= strcmp(PQgetvalue(a, at, 0), spec->column[k].name) == 0;
        if (!ours)
            extra = PQgetvalue(a, at, 0);
    }
    *same = !missing && !other;
    if (!status && other)
        status = tide_fail(err, TIDE_INPUT, "%s: the column %s has type %s, not %s; drop the table first to have it made anew",
                           r->pg->name, other, type, wanted);
    else if (!status && missing && r->in_place)
        status = tide_fail(err, TIDE_INPUT, "%s: the table has no column %s, and rows are to be replaced in place", r->pg->name,
                           missing);
    else if (!status && missing && extra)
        status = tide_fail(err, TIDE_INPUT,
                           "%s: the table has no column %s but a column %s of someone else's: add the one, or drop the table",
                           r->pg->name, missing, extra);
    PQclear(a);
    return status;
}

/* What a dropped table would take with it. */
static tide_status check_dependents(tide_pg_replace *r, tide_error *err) {
    const char *const texts[1] = {r->old.oid};
    PGresult *a = NULL;
    TIDE_TRY(tide_pg_query_with(
        r->pg,
        "SELECT pg_catalog.string_agg(what, ', ') FROM (SELECT what FROM ("
        "SELECT 'view ' || w.ev_class::regclass FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid "
        "WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass "
        "AND d.refobjid = $1::oid AND w.ev_class <> $1::oid "
        "UNION SELECT 'function ' || d.objid::regprocedure FROM pg_catalog.pg_depend d "
        "WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass "
        "AND d.refobjid = $1::oid "
        "UNION SELECT 'rule ' || rulename FROM pg_catalog.pg_rewrite WHERE ev_class = $1::oid "
        "UNION SELECT 'trigger ' || tgname FROM pg_catalog.pg_trigger WHERE tgrelid = $1::oid AND NOT tgisinternal "
        "UNION SELECT 'foreign key ' || conname FROM pg_catalog.pg_constraint "
        "WHERE contype = 'f' AND (conrelid = $1::oid OR confrelid = $1::oid) "
        "UNION SELECT 'row security' FROM pg_catalog.pg_class c WHERE c.oid = $1::oid "
        "AND (relrowsecurity OR EXISTS (SELECT 1 FROM pg_catalog.pg_policy WHERE polrelid = $1::oid)) "
        "UNION SELECT 'inheritance or partition ' || inhrelid::regclass FROM pg_catalog.pg_inherits "
        "WHERE inhparent = $1::oid OR inhrelid = $1::oid "
        "UNION SELECT 'publication ' || p.pubname FROM pg_catalog.pg_publication_rel l "
        "JOIN pg_catalog.pg_publication p ON p.oid = l.prpubid WHERE l.prrelid = $1::oid) AS t(what) "
        "ORDER BY 1 LIMIT 5) AS u",
        1, texts, "looking at what depends on the table", &a, err));
    tide_status status = TIDE_OK;
    if (PQntuples(a) == 1 && !PQgetisnull(a, 0, 0))
        status = tide_fail(err, TIDE_INPUT,
                           "%s: a new table in its place would lose %.300s; --replace-rows replaces the rows within it",
                           r->pg->name, PQgetvalue(a, 0, 0));
    PQclear(a);
    return status;
}

/* --- the new table -----------------------------------------------------------------------------------------
 */

/* The old table's indexes: none but ours (or none) lets the new one be filled first and indexed then. */
static tide_status look_at_indexes(tide_pg_replace *r, int *others, char persistence[2], char **tablespace,
                                   tide_error *err) {
    const char *const texts[2] = {r->old.oid, r->key};
    PGresult *a = NULL;
    TIDE_TRY(tide_pg_query_with(
        r->pg,
        "SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_index WHERE indrelid = c.oid AND NOT (NOT indisunique "
        "AND indpred IS NULL AND indnatts = 2 AND pg_catalog.pg_get_indexdef(indexrelid, 1, true) || ', ' || "
        "pg_catalog.pg_get_indexdef(indexrelid, 2, true) = $2)), c.relpersistence, "
        "(SELECT pg_catalog.quote_ident(spcname) FROM pg_catalog.pg_tablespace WHERE oid = c.reltablespace) "
        "FROM pg_catalog.pg_class c WHERE c.oid = $1::oid",
        2, texts, "looking at indexes", &a, err));
    *others = 0;
    *tablespace = NULL;
    tide_status status = TIDE_OK;
    if (PQntuples(a) == 1) {
        *others = atoi(PQgetvalue(a, 0, 0)) > 0;
        persistence[0] = PQgetvalue(a, 0, 1)[0];
        if (!PQgetisnull(a, 0, 2))
            status = tide_pg_text(r->pg, tablespace, err, " TABLESPACE %s", PQgetvalue(a, 0, 2));
    }
    PQclear(a);
    return status;
}

/* "name type more, ..." or, bare, "name, ..."; malloc'd. Our names need quotes only for a dot, which they lack. */
static tide_status column_list(tide_pg *pg, const tide_pg_replace_spec *spec, int bare, char **out, tide_error *err) {
    size_t room = 1;
    for (int k = 0; k < spec->n_columns; ++k)
        room += strlen(spec->column[k].name) + strlen(spec->column[k].type) + strlen(spec->column[k].more) + 8;
    char *text = calloc(1, room);
    if (!text)
        return tide_fail(err, TIDE_MEMORY, "%s: out of memory", pg->name);
    size_t n = 0;
    for (int k = 0; k < spec->n_columns; ++k) {
        const tide_pg_column *c = &spec->column[k];
        int added = bare ? snprintf(text + n, room - n, "%s%s", k ? ", " : "", c->name)
                         : snprintf(text + n, room - n, "%s%s %s %s", k ? ", " : "", c->name, c->type, c->more);
        n += (size_t)added;
    }
    *out = text;
    return TIDE_OK;
}

static tide_status make_fresh(tide_pg_replace *r, const tide_pg_replace_spec *spec, int same, tide_error *err) {
    uint32_t bits = 0;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits)
        bits = (uint32_t)time(NULL);
    snprintf(r->fresh_bare, sizeof r->fresh_bare, "tidemill_new_%d_%08x", PQbackendPID(r->pg->conn), bits);
    snprintf(r->fresh, sizeof r->fresh, "%s.%s", r->old.schema, r->fresh_bare);
    char persistence[2] = "p", *tablespace = NULL, *sql = NULL, *columns = NULL;
    int others = 0;
    if (r->old.exists)
        TIDE_TRY(look_at_indexes(r, &others, persistence, &tablespace, err));
    const char *unlogged = persistence[0] == 'u' ? "UNLOGGED " : "", *place = tablespace ? tablespace : "";
    tide_status status;
    if (r->old.exists && same) {
        status = tide_pg_text(r->pg, &sql, err, "CREATE %sTABLE %s (LIKE %s INCLUDING ALL%s)%s", unlogged, r->fresh,
                              r->old.name, others ? "" : " EXCLUDING INDEXES", place);
        r->index_wanted = !others;
    } else {
        status = column_list(r->pg, spec, 0, &columns, err);
        if (!status)
            status = tide_pg_text(r->pg, &sql, err, "CREATE %sTABLE %s (%s)%s", unlogged, r->fresh, columns, place);
        r->index_wanted = 1;
    }
    free(columns);
    free(tablespace);
    return status ? status : tide_pg_run_text(r->pg, sql, "making the new table", NULL, err);
}

static tide_status empty_in_place(tide_pg_replace *r, tide_error *err) {
    char *sql = NULL;
    snprintf(r->fresh, sizeof r->fresh, "%s", r->old.name);
    TIDE_TRY(tide_pg_text(r->pg, &sql, err, "LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE", r->fresh));
    TIDE_TRY(tide_pg_run_text(r->pg, sql, "waiting for other writers of the table", NULL, err));
    TIDE_TRY(tide_pg_text(r->pg, &sql, err, "DELETE FROM %s", r->fresh));
    return tide_pg_run_text(r->pg, sql, "deleting the old rows", NULL, err);
}

tide_status tide_pg_replace_start(tide_pg_replace *r, tide_pg *pg, const tide_pg_replace_spec *spec, tide_error *err) {
    char *given = NULL, *columns = NULL, *sql = NULL;
    int same = 0;
    r->pg = pg;
    snprintf(r->key, sizeof r->key, "%s", spec->key);
    TIDE_TRY(tide_pg_quote_name(pg, spec->table, 2, &given, err));
    tide_status status = tide_pg_lock_name(pg, given, err);
    if (!status)
        status = tide_pg_find(pg, given, &r->old, err);
    free(given);
    if (status)
        return status;
    r->in_place = spec->in_place && r->old.exists;
    if (r->old.exists) {
        if (r->old.kind != 'r' && !(r->in_place && r->old.kind == 'p'))
            return tide_fail(err, TIDE_INPUT, "%s: it is %s", pg->name,
                             r->old.kind == 'p' ? "a partitioned table; --replace-rows replaces the rows within it"
                                                : "not a table");
        TIDE_TRY(check_columns(r, spec, &same, err));
        TIDE_TRY(r->in_place ? TIDE_OK : check_dependents(r, err));
    }
    TIDE_TRY(r->in_place ? empty_in_place(r, err) : make_fresh(r, spec, same, err));
    TIDE_TRY(column_list(pg, spec, 1, &columns, err));
    status = tide_pg_text(pg, &sql, err, "COPY %s (%s) FROM STDIN (FORMAT binary%s)", r->fresh, columns,
                          r->in_place ? "" : ", FREEZE");
    free(columns);
    if (!status)
        status = tide_pg_copy_start(&r->copy, pg, sql, spec->tuple_bytes, "writing rows", err);
    free(sql);
    return status;
}

tide_status tide_pg_replace_fill_end(tide_pg_replace *r, tide_error *err) {
    char *sql = NULL;
    TIDE_TRY(tide_pg_copy_end(&r->copy, err));
    if (r->index_wanted) {
        TIDE_TRY(tide_pg_text(r->pg, &sql, err, "CREATE INDEX %s_key ON %s (%s)", r->fresh_bare, r->fresh, r->key));
        TIDE_TRY(tide_pg_run_text(r->pg, sql, "creating the index", NULL, err));
    }
    TIDE_TRY(tide_pg_text(r->pg, &sql, err, "ANALYZE %s", r->fresh));
    return tide_pg_run_text(r->pg, sql, "analysing the table", NULL, err);
}

/* --- in its place ------------------------------------------------------------------------------------------
 */

/* Owner, privileges, comment and storage parameters: the server writes the statements, with its own quotes. */
static tide_status carry_over(tide_pg_replace *r, tide_error *err) {
    const char *const texts[2] = {r->old.oid, r->fresh};
    PGresult *a = NULL;
    TIDE_TRY(tide_pg_query_with(
        r->pg,
        "WITH o AS (SELECT c.* , c.oid AS id FROM pg_catalog.pg_class c WHERE c.oid = $1::oid), "
        "n AS (SELECT c.*, c.oid AS id, c.oid::regclass::text AS name FROM pg_catalog.pg_class c "
        "WHERE c.oid = pg_catalog.to_regclass($2)) "
        "SELECT text FROM ("
        "SELECT 1, pg_catalog.format('ALTER TABLE %s OWNER TO %I', n.name, pg_catalog.pg_get_userbyid(o.relowner)) FROM o, n "
        "WHERE o.relowner <> n.relowner "
        "UNION ALL SELECT 2, pg_catalog.format('REVOKE ALL ON TABLE %s FROM %s', n.name, "
        "CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END) "
        "FROM n, pg_catalog.aclexplode(n.relacl) AS a "
        "UNION ALL SELECT 2, pg_catalog.format('REVOKE ALL ON TABLE %s FROM %I', n.name, "
        "pg_catalog.pg_get_userbyid(o.relowner)) FROM o, n "
        "UNION ALL SELECT 3, pg_catalog.format('GRANT %s ON TABLE %s TO %s%s', a.privilege_type, n.name, "
        "CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END, "
        "CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END) "
        "FROM n, o, pg_catalog.aclexplode(coalesce(o.relacl, pg_catalog.acldefault('r', o.relowner))) AS a "
        "UNION ALL SELECT 4, pg_catalog.format('GRANT %s (%I) ON TABLE %s TO %s%s', a.privilege_type, t.attname, n.name, "
        "CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END, "
        "CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END) "
        "FROM n, o JOIN pg_catalog.pg_attribute t ON t.attrelid = o.id AND NOT t.attisdropped, "
        "pg_catalog.aclexplode(t.attacl) AS a WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_attribute k "
        "WHERE k.attrelid = n.id AND k.attname = t.attname AND NOT k.attisdropped) "
        "UNION ALL SELECT 5, pg_catalog.format('COMMENT ON TABLE %s IS %L', n.name, d.description) FROM n, "
        "pg_catalog.pg_description d WHERE d.objoid = $1::oid AND d.classoid = 'pg_catalog.pg_class'::regclass "
        "AND d.objsubid = 0 "
        "UNION ALL SELECT 5, pg_catalog.format('ALTER TABLE %s SET (%s)', n.name, "
        "pg_catalog.array_to_string(o.reloptions, ', ')) FROM n, o WHERE o.reloptions IS NOT NULL"
        ") AS s(step, text) ORDER BY step",
        2, texts, "looking at owner and privileges", &a, err));
    tide_status status = TIDE_OK;
    for (int i = 0; i < PQntuples(a) && !status; ++i)
        status = tide_pg_query(r->pg, PQgetvalue(a, i, 0), "carrying over owner and privileges", NULL, err);
    PQclear(a);
    return status;
}

/* Locks the old tables against readers. A reader at work is waited for, but three seconds at most at a time: others
 * queue behind the lock asked for. */
static tide_status lock_old(tide_pg_replace *const *r, int n, int lock_timeout_s, tide_error *err) {
    tide_pg *pg = r[0]->pg;
    double end = tide_now_s() + lock_timeout_s;
    char *sql = NULL;
    TIDE_TRY(tide_pg_run(pg, "SET LOCAL lock_timeout = '3s'", "setting limits", err));
    for (int i = 0; i < n; ++i) {
        if (r[i]->in_place || !r[i]->old.exists)
            continue;
        for (;;) {
            tide_error why;
            TIDE_TRY(tide_pg_run(pg, "SAVEPOINT tidemill", "locking", err));
            TIDE_TRY(tide_pg_text(pg, &sql, err, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", r[i]->old.name));
            tide_status status = tide_pg_run_text(pg, sql, "waiting for readers of the old table", NULL, &why);
            if (!status)
                break;
            if (!strstr(why.message, "(SQLSTATE 55P03)") || tide_now_s() > end)
                return tide_fail(err, status, "%s", why.message);
            TIDE_TRY(tide_pg_run(pg, "ROLLBACK TO tidemill", "locking", err));
            if (pg->stop && pg->stop(pg->stop_self))
                return tide_fail(err, TIDE_INTERRUPTED, "%s: stopped by a signal", pg->name);
            nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
        }
        TIDE_TRY(tide_pg_run(pg, "RELEASE tidemill", "locking", err));
    }
    return TIDE_OK;
}

/* "forecasts_key" where that name is free; else the index keeps the one it has. */
static tide_status name_index(tide_pg_replace *r, tide_error *err) {
    const char *const texts[3] = {r->old.schema, r->old.relation, r->fresh_bare};
    PGresult *a = NULL;
    TIDE_TRY(tide_pg_query_with(
        r->pg,
        "SELECT pg_catalog.format('ALTER INDEX %s.%I RENAME TO %I', $1::text, $3::text || '_key', w.name) FROM "
        "(SELECT pg_catalog.left((pg_catalog.parse_ident($2))[1], 40) || '_key' AS name) AS w "
        "WHERE pg_catalog.to_regclass(pg_catalog.format('%s.%I', $1::text, w.name)) IS NULL",
        3, texts, "naming the index", &a, err));
    tide_status status = TIDE_OK;
    if (PQntuples(a) == 1)
        status = tide_pg_query(r->pg, PQgetvalue(a, 0, 0), "naming the index", NULL, err);
    PQclear(a);
    return status;
}

tide_status tide_pg_replace_swap(tide_pg_replace *const *r, int n, int lock_timeout_s, tide_error *err) {
    char *sql = NULL;
    for (int i = 0; i < n; ++i)
        if (!r[i]->in_place && r[i]->old.exists)
            TIDE_TRY(carry_over(r[i], err));
    TIDE_TRY(lock_old(r, n, lock_timeout_s, err));
    for (int i = 0; i < n; ++i) {
        if (r[i]->in_place)
            continue;
        tide_pg *pg = r[i]->pg;
        if (r[i]->old.exists) {
            TIDE_TRY(tide_pg_text(pg, &sql, err, "DROP TABLE %s", r[i]->old.name));
            TIDE_TRY(tide_pg_run_text(pg, sql, "dropping the old table", NULL, err));
        }
        TIDE_TRY(tide_pg_text(pg, &sql, err, "ALTER TABLE %s RENAME TO %s", r[i]->fresh, r[i]->old.relation));
        TIDE_TRY(tide_pg_run_text(pg, sql, "putting the new table in place", NULL, err));
        if (r[i]->index_wanted)
            TIDE_TRY(name_index(r[i], err));
    }
    return TIDE_OK;
}

void tide_pg_replace_free(tide_pg_replace *r) {
    tide_pg_copy_free(&r->copy);
}
