/* postgres_cut.c - see postgres_cut.h.
 *
 * Bounds of ids. pg_stats.histogram_bounds holds up to 100 ids (default_statistics_target) that cut the column into equal
 * parts, the most common ids left out. Where there is no histogram (not analysed, few different ids, hidden by row
 * security) or it is too coarse, ids of sampled pages are taken: TABLESAMPLE SYSTEM with some ten pages a bound. Wrong or
 * old bounds make ranges of unequal size, nothing else: every id lies in exactly one. */
#include "io/postgres_cut.h"
#include "io/postgres_binary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tide_pg_names_free(tide_pg_names *names) {
    free(names->id);
    free(names->ds);
    free(names->y);
    free(names->from);
    free(names->condition);
    memset(names, 0, sizeof *names);
}

/* A text as an SQL literal, malloc'd by libpq (PQfreemem). */
static tide_status literal(tide_pg *pg, const char *text, char **out, tide_error *err) {
    *out = PQescapeLiteral(pg->conn, text, strlen(text));
    return *out ? TIDE_OK : tide_fail(err, TIDE_CONNECTION, "%s: planning: an id is not valid text", pg->name);
}

tide_status tide_pg_select(tide_pg *pg, const tide_pg_names *names, const char *select, const char *more, int ordered,
                           char **out, tide_error *err) {
    const char *condition = names->condition ? names->condition : "";
    int both = *condition && *more;
    return tide_pg_text(pg, out, err, "%s%s%s%s%s%s%s%s%s%s", select, *condition || *more ? " WHERE " : "", condition,
                        both ? " AND " : "", more, ordered ? " ORDER BY " : "", ordered ? names->id : "",
                        ordered ? names->collate : "", ordered ? ", " : "", ordered ? names->ds : "");
}

tide_status tide_pg_identity(tide_pg *pg, const tide_pg_names *names, char **out, tide_error *err) {
    char *table = NULL;
    TIDE_TRY(literal(pg, names->from, &table, err));
    tide_status status =
        tide_pg_text(pg, out, err, "SELECT %s::pg_catalog.regclass::pg_catalog.oid::pg_catalog.text", table);
    PQfreemem(table);
    return status;
}

tide_status tide_pg_look_up(tide_pg *pg, const tide_pg_names *names, tide_pg_relation *out, tide_error *err) {
    char *table = NULL, *column = NULL, *sql = NULL;
    PGresult *result = NULL;
    TIDE_TRY(literal(pg, names->from, &table, err));
    tide_status status = literal(pg, names->id, &column, err);
    if (status == TIDE_OK)
        status = tide_pg_text(
            pg, &sql, err,
            "SELECT c.oid::text, c.relkind IN ('r', 'm', 'p'), "
            "EXISTS (SELECT 1 FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class l ON l.oid = t.relid "
            "WHERE l.relkind = 'f'), "
            "NOT COALESCE((SELECT a.attnotnull FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = "
            "(pg_catalog.parse_ident(%s))[1]), false), "
            "GREATEST(pg_catalog.pg_relation_size(c.oid), (SELECT max(pg_catalog.pg_relation_size(t.relid)) FROM "
            "pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf), 0) / "
            "pg_catalog.current_setting('block_size')::int8, "
            "GREATEST(pg_catalog.pg_table_size(c.oid), 0), "
            "(SELECT s.correlation FROM pg_catalog.pg_stats s JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            "WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = "
            "(pg_catalog.parse_ident(%s))[1] ORDER BY s.inherited DESC LIMIT 1) "
            "FROM pg_catalog.pg_class c WHERE c.oid = %s::pg_catalog.regclass",
            column, column, table);
    if (status == TIDE_OK)
        status = tide_pg_query(pg, sql, "looking at the table", &result, err);
    if (status == TIDE_OK && PQntuples(result) == 1) {
        int foreign = *PQgetvalue(result, 0, 2) == 't';
        snprintf(out->oid, sizeof out->oid, "%s", PQgetvalue(result, 0, 0));
        out->can_cut = *PQgetvalue(result, 0, 1) == 't';
        out->has_pages = out->can_cut && !foreign;
        out->id_may_be_null = *PQgetvalue(result, 0, 3) == 't';
        out->pages = strtod(PQgetvalue(result, 0, 4), NULL);
        out->bytes = strtod(PQgetvalue(result, 0, 5), NULL);
        out->correlation_known = !PQgetisnull(result, 0, 6);
        out->correlation = strtod(PQgetvalue(result, 0, 6), NULL);
    }
    PQclear(result);
    free(sql);
    PQfreemem(table);
    PQfreemem(column);
    return status;
}

/* --- bounds of ids --------------------------------------------------------------------------------------- */

static const char *type_name(unsigned id_type) {
    switch (id_type) {
    case TIDE_PG_UUID:
        return "pg_catalog.uuid";
    case TIDE_PG_BPCHAR:
        return "pg_catalog.bpchar";
    case TIDE_PG_NAME:
        return "pg_catalog.name";
    case TIDE_PG_INT2:
    case TIDE_PG_INT4:
    case TIDE_PG_INT8:
        return "pg_catalog.int8";
    default:
        return "pg_catalog.text";
    }
}

/* Runs a statement that gives texts, and keeps at most `wanted` of them, evenly chosen, without NULLs, overlong ones and
 * equal neighbours. */
static tide_status take_texts(tide_pg *pg, const char *sql, size_t wanted, char ***out, size_t *n, tide_error *err) {
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_query(pg, sql, "looking for ranges", &result, err));
    size_t rows = (size_t)PQntuples(result), kept = 0, picks = rows < wanted ? rows : wanted;
    char **text = calloc(picks + 1, sizeof *text);
    tide_status status = text ? TIDE_OK : tide_fail(err, TIDE_MEMORY, "%s: out of memory", pg->name);
    for (size_t i = 0; i < picks && status == TIDE_OK; ++i) {
        int row = (int)(i * rows / picks);
        const char *value = PQgetvalue(result, row, 0);
        if (PQgetisnull(result, row, 0) || PQgetlength(result, row, 0) > 1000 || !*value ||
            (kept && strcmp(text[kept - 1], value) == 0))
            continue;
        text[kept] = strdup(value);
        if (!text[kept++])
            status = tide_fail(err, TIDE_MEMORY, "%s: out of memory", pg->name);
    }
    PQclear(result);
    if (status != TIDE_OK) {
        for (size_t i = 0; i < kept; ++i)
            free(text[i]);
        free(text);
        return status;
    }
    *out = text;
    *n = kept;
    return TIDE_OK;
}

/* The histogram's bounds. They are sorted as the column is, by the server: under the union with no rows of the column they
 * have its collation. Order matters, as each id must lie in exactly one range. */
static tide_status histogram(tide_pg *pg, const tide_pg_names *names, const tide_pg_relation *relation,
                             unsigned id_type, size_t wanted, char ***out, size_t *n, tide_error *err) {
    char *sql = NULL, *column = NULL;
    TIDE_TRY(literal(pg, names->id, &column, err));
    tide_status status = tide_pg_text(
        pg, &sql, err,
        "SELECT q.i::pg_catalog.text FROM (SELECT %s AS i FROM %s WHERE false UNION ALL SELECT u.b::%s FROM "
        "(SELECT s.histogram_bounds::text::text[] AS bounds FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_stats s "
        "ON s.schemaname = n.nspname AND s.tablename = c.relname WHERE c.oid = %s AND s.attname = "
        "(pg_catalog.parse_ident(%s))[1] ORDER BY s.inherited DESC LIMIT 1) h, "
        "LATERAL pg_catalog.unnest(h.bounds) AS u(b)) q ORDER BY q.i%s",
        names->id, names->from, type_name(id_type), relation->oid, column, names->collate);
    PQfreemem(column);
    if (status == TIDE_OK)
        status = take_texts(pg, sql, wanted, out, n, err);
    free(sql);
    return status;
}

static tide_status sample(tide_pg *pg, const tide_pg_names *names, const tide_pg_relation *relation, size_t wanted,
                          char ***out, size_t *n, tide_error *err) {
    char *sql = NULL;
    double percent = relation->pages > 0 ? 1000.0 * (double)wanted / relation->pages : 100;
    TIDE_TRY(tide_pg_text(pg, &sql, err,
                          "SELECT q.i FROM (SELECT %s::text AS i, row_number() OVER (ORDER BY %s%s) AS r, "
                          "count(*) OVER () AS n FROM %s TABLESAMPLE SYSTEM (%.6f) WHERE %s IS NOT NULL) q "
                          "WHERE q.r %% GREATEST(1, q.n / %zu) = 0 ORDER BY q.r",
                          names->id, names->id, names->collate, names->from, percent < 100 ? percent : 100, names->id,
                          wanted));
    tide_status status = take_texts(pg, sql, wanted, out, n, err);
    free(sql);
    return status;
}

tide_status tide_pg_fetch_bounds(tide_pg *pg, const tide_pg_names *names, const tide_pg_relation *relation,
                                 size_t wanted, int ordered, char ***out, size_t *n, tide_error *err) {
    size_t enough = wanted < 20 ? wanted / 2 : ordered ? wanted / 2 : 10;
    TIDE_TRY(histogram(pg, names, relation, names->id_type, wanted, out, n, err));
    if (*n > enough || !relation->has_pages)
        return TIDE_OK;
    for (size_t i = 0; i < *n; ++i)
        free((*out)[i]);
    free(*out);
    *out = NULL;
    *n = 0;
    return sample(pg, names, relation, wanted, out, n, err);
}

/* --- pieces ---------------------------------------------------------------------------------------------- */

tide_status tide_pg_add_unit(tide_pg *pg, tide_pg_plan *plan, const char *select, tide_error *err) {
    if ((plan->n_units & (plan->n_units - 1)) == 0) { /* full at powers of two */
        char **more = realloc(plan->unit, (plan->n_units ? 2 * plan->n_units : 1) * sizeof *more);
        if (!more)
            return tide_fail(err, TIDE_MEMORY, "%s: out of memory", pg->name);
        plan->unit = more;
    }
    TIDE_TRY(tide_pg_text(pg, &plan->unit[plan->n_units], err, "COPY (%s) TO STDOUT (FORMAT binary)", select));
    ++plan->n_units;
    return TIDE_OK;
}

static tide_status add_piece(tide_pg *pg, const tide_pg_names *names, tide_pg_plan *plan, const char *piece,
                             int ordered, tide_error *err) {
    char *sql = NULL;
    TIDE_TRY(tide_pg_select(pg, names, plan->select, piece, ordered, &sql, err));
    tide_status status = tide_pg_add_unit(pg, plan, sql, err);
    free(sql);
    return status;
}

tide_status tide_pg_cut_ids(tide_pg *pg, const tide_pg_names *names, const tide_pg_relation *relation,
                            char *const *bound, size_t n, tide_pg_plan *plan, tide_error *err) {
    const char *type = type_name(plan->shape.id_type);
    char *piece = NULL, *low = NULL, *high = NULL;
    tide_status status = TIDE_OK;
    for (size_t i = 0; i <= n && status == TIDE_OK; ++i) {
        if (i < n)
            status = literal(pg, bound[i], &high, err);
        if (status != TIDE_OK)
            break;
        if (i == 0)
            status = tide_pg_text(pg, &piece, err, "%s%s <= %s::%s", names->id, names->collate, high, type);
        else if (i == n)
            status = tide_pg_text(pg, &piece, err, "%s%s > %s::%s", names->id, names->collate, low, type);
        else
            status = tide_pg_text(pg, &piece, err, "%s%s > %s::%s AND %s%s <= %s::%s", names->id, names->collate, low,
                                  type, names->id, names->collate, high, type);
        if (status == TIDE_OK)
            status = add_piece(pg, names, plan, piece, 1, err);
        free(piece);
        piece = NULL;
        PQfreemem(low);
        low = high;
        high = NULL;
    }
    PQfreemem(low);
    if (status == TIDE_OK && relation->id_may_be_null) {
        status = tide_pg_text(pg, &piece, err, "%s IS NULL", names->id);
        if (status == TIDE_OK)
            status = add_piece(pg, names, plan, piece, 1, err);
        free(piece);
    }
    return status;
}

tide_status tide_pg_cut_pages(tide_pg *pg, const tide_pg_names *names, const tide_pg_relation *relation,
                              tide_pg_plan *plan, tide_error *err) {
    double step = ceil(relation->pages / 64);
    step = step < TIDE_PG_UNIT_PAGES_LEAST ? TIDE_PG_UNIT_PAGES_LEAST : step > 4096 ? 4096 : step;
    char piece[96];
    for (double at = 0; at < relation->pages; at += step) {
        /* The last one has no end: the table may have grown, and partitions have sizes of their own. */
        if (at + step < relation->pages)
            snprintf(piece, sizeof piece, "ctid >= '(%.0f,0)' AND ctid < '(%.0f,0)'", at, at + step);
        else
            snprintf(piece, sizeof piece, "ctid >= '(%.0f,0)'", at);
        TIDE_TRY(add_piece(pg, names, plan, piece, 0, err));
    }
    return TIDE_OK;
}
