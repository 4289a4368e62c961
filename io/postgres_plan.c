/* postgres_plan.c - see postgres_plan.h. Names, types and the choice of the way are here; the SQL that looks into the
 * catalog for places to cut is in postgres_cut.c. */
#include "io/postgres_plan.h"
#include "host/config.h"
#include "io/postgres_binary.h"
#include "io/postgres_cut.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tide_pg_plan_free(tide_pg_plan *plan) {
    free(plan->select);
    free(plan->identity);
    for (size_t i = 0; i < plan->n_units; ++i)
        free(plan->unit[i]);
    free(plan->unit);
    for (size_t i = 0; i < plan->n_bounds; ++i)
        free(plan->bound[i]);
    free(plan->bound);
    memset(plan, 0, sizeof *plan);
}

/* --- names and types ------------------------------------------------------------------------------------- */

static int is_one_of(unsigned type, const unsigned *types) {
    while (*types && *types != type)
        ++types;
    return *types != 0;
}

static tide_status check_types(tide_pg *pg, const char *const column[3], tide_pg_plan *plan, tide_error *err) {
    static const unsigned accepted[4][9] = {
        {TIDE_PG_TEXT, TIDE_PG_VARCHAR, TIDE_PG_BPCHAR, TIDE_PG_NAME, TIDE_PG_UUID, TIDE_PG_INT2, TIDE_PG_INT4,
         TIDE_PG_INT8, 0},
        {TIDE_PG_DATE, TIDE_PG_TIMESTAMP, TIDE_PG_TIMESTAMPTZ, TIDE_PG_INT2, TIDE_PG_INT4, TIDE_PG_INT8, 0},
        {TIDE_PG_FLOAT8, TIDE_PG_FLOAT4, TIDE_PG_NUMERIC, TIDE_PG_INT2, TIDE_PG_INT4, TIDE_PG_INT8, 0},
        {TIDE_PG_FLOAT8_ARRAY, TIDE_PG_FLOAT4_ARRAY, 0}};
    static const char *const role[4] = {"id", "time", "value", "values"};
    static const char *const wanted[4] = {
        "text, varchar, char, name, uuid or an integer", "date, timestamp, timestamptz or an integer",
        "double precision, real, numeric or an integer", "double precision[] or real[], as the table is packed"};
    tide_pg_shape *shape = &plan->shape;
    unsigned *const type[3] = {&shape->id_type, &shape->ds_type, &shape->y_type};
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_describe(pg, plan->select, "checking table and columns", &result, err));
    int fields = PQnfields(result);
    for (int i = 0; i < 3 && fields == 3; ++i)
        *type[i] = PQftype(result, i);
    PQclear(result);
    if (fields != 3)
        return tide_fail(err, TIDE_INPUT, "%s: the query gives no rows", pg->name);
    for (int i = 0; i < 3; ++i) {
        int k = i == 2 && shape->packed ? 3 : i;
        char name[64];
        if (is_one_of(*type[i], accepted[k]))
            continue;
        tide_pg_type_name(pg, *type[i], name, sizeof name);
        return tide_fail(err, TIDE_INPUT, "%s: the %s column %s has type %s; it must be %s", pg->name, role[k],
                         column[i], name, wanted[k]);
    }
    shape->kind = shape->ds_type == TIDE_PG_DATE ? TIDE_DS_DATE
                  : shape->ds_type == TIDE_PG_TIMESTAMP || shape->ds_type == TIDE_PG_TIMESTAMPTZ
                      ? TIDE_DS_TIMESTAMP
                      : TIDE_DS_INTEGER;
    return TIDE_OK;
}

/* The user's query without white space and one semicolon at its end. A comment there must not swallow the bracket. */
static tide_status wrap_query(tide_pg *pg, const char *query, char **out, tide_error *err) {
    size_t n = strlen(query);
    while (n && strchr(" \t\r\n;", query[n - 1]))
        --n;
    if (n > INT32_MAX / 2)
        return tide_fail(err, TIDE_CONFIG, "%s: the query is too long", pg->name);
    return tide_pg_text(pg, out, err, "(\n%.*s\n) AS tide_query", (int)n, query);
}

static tide_status name_parts(tide_pg *pg, const tide_postgres_options *o, const char *const column[3],
                              tide_pg_names *names, tide_pg_plan *plan, tide_error *err) {
    TIDE_TRY(tide_pg_quote_name(pg, column[0], 1, &names->id, err));
    TIDE_TRY(tide_pg_quote_name(pg, column[1], 1, &names->ds, err));
    TIDE_TRY(tide_pg_quote_name(pg, column[2], 1, &names->y, err));
    if (o->table)
        TIDE_TRY(tide_pg_quote_name(pg, o->table, 2, &names->from, err));
    else
        TIDE_TRY(wrap_query(pg, o->query, &names->from, err));
    /* Columns stand without the table's name: t.x would also find a function x of the row. */
    return tide_pg_text(pg, &plan->select, err, "SELECT %s, %s, %s FROM %s", names->id, names->ds, names->y,
                        names->from);
}

/* --- bounds of time -------------------------------------------------------------------------------------- */

/* A ds as a literal of the column's own type, so that nothing of an option's text reaches the server. */
static void ds_literal(const tide_pg_shape *shape, int64_t ds, char *out, size_t size) {
    char text[64];
    tide_ds_format(shape->kind, ds, text, sizeof text - 4);
    if (shape->ds_type == TIDE_PG_TIMESTAMPTZ && !strpbrk(text, "Z+"))
        strcat(text, "+00");
    snprintf(out, size, "'%s'::%s", text,
             shape->ds_type == TIDE_PG_DATE          ? "date"
             : shape->ds_type == TIDE_PG_TIMESTAMP   ? "timestamp"
             : shape->ds_type == TIDE_PG_TIMESTAMPTZ ? "timestamptz"
                                                     : "int8");
}

/* "ds >= ... AND ds <= ...", or "", malloc'd. A packed table has no column of the last time: its lower bounds are left to
 * the unpacking. */
static tide_status time_condition(tide_pg *pg, const tide_postgres_options *o, tide_pg_names *names,
                                  tide_pg_shape *shape, tide_error *err) {
    int64_t least = shape->kind == TIDE_DS_DATE        ? TIDE_PG_YEAR_1_DAYS
                    : shape->kind == TIDE_DS_TIMESTAMP ? TIDE_PG_YEAR_1_US
                                                       : INT64_MIN;
    int after = o->has_after && o->after_ds >= least; /* below that there are no good rows */
    char literal[128];
    shape->from = INT64_MIN;
    shape->to = INT64_MAX;
    TIDE_TRY(tide_config_bound("source.from", o->from, 0, shape->kind, &shape->from, err));
    TIDE_TRY(tide_config_bound("source.to", o->to, 1, shape->kind, &shape->to, err));
    const int given[3] = {o->from && !shape->packed, after && !shape->packed, o->to != NULL};
    const int64_t value[3] = {shape->from, o->after_ds, shape->to};
    static const char *const relation[3] = {">=", ">", "<="};
    TIDE_TRY(tide_pg_text(pg, &names->condition, err, "%s", ""));
    for (int i = 0; i < 3; ++i) {
        char *before = names->condition;
        if (!given[i])
            continue;
        ds_literal(shape, value[i], literal, sizeof literal);
        TIDE_TRY(tide_pg_text(pg, &names->condition, err, "%s%s%s %s %s", before, *before ? " AND " : "", names->ds,
                              relation[i], literal));
        free(before);
    }
    if (after && o->after_ds >= shape->from)
        shape->from = o->after_ds < INT64_MAX ? o->after_ds + 1 : INT64_MAX;
    return TIDE_OK;
}

/* --- plans of the server --------------------------------------------------------------------------------- */

typedef struct explained {
    double cost, rows;
    int sorts, index_only, seq_scan, other_scan, tid_range;
} explained;

/* What the planner would do; zeros where its text cannot be read. */
static tide_status explain(tide_pg *pg, const char *sql, explained *out, tide_error *err) {
    char *text = NULL;
    PGresult *result = NULL;
    memset(out, 0, sizeof *out);
    TIDE_TRY(tide_pg_text(pg, &text, err, "EXPLAIN %s", sql));
    tide_status status = tide_pg_query(pg, text, "planning", &result, err);
    free(text);
    if (status != TIDE_OK)
        return status;
    for (int i = 0; i < PQntuples(result); ++i) {
        const char *line = PQgetvalue(result, i, 0), *cost = strstr(line, "(cost=");
        const char *dots = cost ? strstr(cost, "..") : NULL, *rows = cost ? strstr(cost, " rows=") : NULL;
        if (!cost)
            continue;
        if (i == 0 && dots && rows) {
            out->cost = strtod(dots + 2, NULL);
            out->rows = strtod(rows + 6, NULL);
        }
        out->sorts |= strstr(line, "Sort  (cost=") != NULL && !strstr(line, "Incremental Sort  (cost=");
        out->index_only |= strstr(line, "Index Only Scan") != NULL;
        out->seq_scan |= strstr(line, "Seq Scan on") != NULL;
        out->tid_range |= strstr(line, "Tid Range Scan on") != NULL;
        out->other_scan |= strstr(line, " Scan") && !strstr(line, "Seq Scan on") && !strstr(line, "Tid Range Scan on");
    }
    PQclear(result);
    return TIDE_OK;
}

/* 1 when a column's own collation may hold different texts for equal. */
static tide_status has_loose_collations(tide_pg *pg, int *out, tide_error *err) {
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_query(pg, "SELECT 1 FROM pg_catalog.pg_collation WHERE NOT collisdeterministic LIMIT 1",
                           "looking at collations", &result, err));
    *out = PQntuples(result) > 0;
    PQclear(result);
    return TIDE_OK;
}

static tide_status explain_ordered(tide_pg *pg, tide_pg_names *names, const char *select, int bytewise,
                                   explained *out, tide_error *err) {
    char *sql = NULL;
    names->collate = bytewise ? " COLLATE \"C\"" : "";
    TIDE_TRY(tide_pg_select(pg, names, select, "", 1, &sql, err));
    tide_status status = explain(pg, sql, out, err);
    free(sql);
    return status;
}

/* The cheaper order into names->collate, and its plan. */
static tide_status choose_order(tide_pg *pg, tide_pg_names *names, const tide_pg_plan *plan, explained *out,
                                tide_error *err) {
    int text = tide_pg_is_text(plan->shape.id_type), loose = 0;
    names->id_type = plan->shape.id_type;
    explained own;
    TIDE_TRY(explain_ordered(pg, names, plan->select, text, out, err));
    if (!text)
        return TIDE_OK;
    TIDE_TRY(has_loose_collations(pg, &loose, err));
    if (loose)
        return TIDE_OK;
    TIDE_TRY(explain_ordered(pg, names, plan->select, 0, &own, err));
    if (own.cost < 0.999 * out->cost)
        *out = own;
    else
        names->collate = " COLLATE \"C\"";
    return TIDE_OK;
}

/* --- ways ------------------------------------------------------------------------------------------------ */

static tide_status one_unit(tide_pg *pg, const tide_pg_names *names, tide_pg_plan *plan, int ordered,
                            tide_error *err) {
    char *sql = NULL;
    TIDE_TRY(tide_pg_select(pg, names, plan->select, "", ordered, &sql, err));
    tide_status status = tide_pg_add_unit(pg, plan, sql, err);
    free(sql);
    return status;
}

/* Rows as they lie: by ranges of pages where the server can, else in one piece. */
static tide_status plan_group(tide_pg *pg, const tide_pg_names *names, const tide_pg_relation *relation,
                              tide_pg_plan *plan, tide_error *err) {
    char *sql = NULL;
    explained whole = {0, 0, 0, 0, 0, 0, 0}, piece = whole;
    plan->way = TIDE_PG_GROUP;
    if (relation->has_pages && PQserverVersion(pg->conn) >= 140000 && relation->pages > 2 * TIDE_PG_UNIT_PAGES_LEAST) {
        TIDE_TRY(tide_pg_select(pg, names, plan->select, "", 0, &sql, err));
        tide_status status = explain(pg, sql, &whole, err);
        free(sql);
        TIDE_TRY(status);
        TIDE_TRY(tide_pg_select(pg, names, plan->select, "ctid >= '(0,0)' AND ctid < '(9,0)'", 0, &sql, err));
        status = explain(pg, sql, &piece, err);
        free(sql);
        TIDE_TRY(status);
    }
    if (whole.seq_scan && !whole.other_scan && piece.tid_range && !piece.seq_scan && !piece.other_scan)
        TIDE_TRY(tide_pg_cut_pages(pg, names, relation, plan, err));
    else
        TIDE_TRY(one_unit(pg, names, plan, 0, err));
    if (plan->n_units == 1) /* the server may use several processes for it */
        plan->setting = "SET LOCAL max_parallel_workers_per_gather TO DEFAULT";
    if (relation->has_pages && plan->estimated_rows > TIDE_PG_RANGE_ROWS)
        TIDE_TRY(tide_pg_fetch_bounds(pg, names, relation, 256, 0, &plan->bound, &plan->n_bounds, err));
    if (plan->n_units > 1)
        snprintf(plan->note, sizeof plan->note, "%zu ranges of pages, rows grouped here", plan->n_units);
    else
        snprintf(plan->note, sizeof plan->note, "in one piece, rows grouped here");
    return TIDE_OK;
}

/* The order comes from an index (or the table is packed). */
static tide_status plan_ordered(tide_pg *pg, const tide_pg_names *names, const tide_pg_relation *relation,
                                const explained *ordered, tide_pg_plan *plan, tide_error *err) {
    double rows = relation->rows_a_range;
    int large = plan->estimated_rows >= 2 * rows;
    plan->way = large ? TIDE_PG_STREAM : TIDE_PG_RANGES;
    if (large && relation->can_cut && !ordered->sorts) {
        double wanted = ceil(plan->estimated_rows / rows);
        char **bound = NULL;
        size_t n = 0;
        tide_status status =
            tide_pg_fetch_bounds(pg, names, relation, wanted < 100000 ? (size_t)wanted : 100000, 1, &bound, &n, err);
        if (status == TIDE_OK && n)
            status = tide_pg_cut_ids(pg, names, relation, bound, n, plan, err);
        for (size_t i = 0; i < n; ++i)
            free(bound[i]);
        free(bound);
        TIDE_TRY(status);
    }
    if (plan->n_units) {
        plan->way = TIDE_PG_RANGES;
        /* Where rows lie in the index's order, walking along it beats collecting a range's pages and sorting its rows, which
         * the planner, who takes the rows of an index of several columns for less in order than they are, would rather do. */
        if (!plan->setting && (ordered->index_only || (relation->correlation_known && relation->correlation > 0.9)))
            plan->setting = "SET LOCAL enable_sort = off";
        snprintf(plan->note, sizeof plan->note, "%zu ranges of ids by an index", plan->n_units);
        return TIDE_OK;
    }
    snprintf(plan->note, sizeof plan->note, "in one piece, %s", ordered->sorts ? "sorted by the server" : "in order");
    return one_unit(pg, names, plan, 1, err);
}

static tide_status choose_way(tide_pg *pg, const tide_postgres_options *o, tide_pg_names *names, tide_pg_plan *plan,
                              tide_error *err) {
    tide_pg_relation relation;
    explained ordered;
    memset(&relation, 0, sizeof relation);
    if (o->table) {
        TIDE_TRY(tide_pg_look_up(pg, names, &relation, err));
        TIDE_TRY(tide_pg_identity(pg, names, &plan->identity, err));
    }
    TIDE_TRY(choose_order(pg, names, plan, &ordered, err));
    plan->estimated_rows = ordered.rows;
    double range_rows = o->range_rows > 0 ? o->range_rows : TIDE_PG_RANGE_ROWS;
    relation.rows_a_range = range_rows;
    if (plan->shape.packed && ordered.rows >= 1) { /* a row's bytes are at most that many values of 8 */
        double values = relation.bytes / ordered.rows / 8;
        relation.rows_a_range = ceil(range_rows / (values > 1 ? values : 200));
    }
    int scattered = !ordered.index_only && relation.has_pages && relation.correlation_known &&
                    fabs(relation.correlation) < 0.5 && PQserverVersion(pg->conn) >= 140000;
    if (!plan->shape.packed && (ordered.sorts || (scattered && ordered.rows >= 2 * range_rows)))
        return plan_group(pg, names, &relation, plan, err);
    return plan_ordered(pg, names, &relation, &ordered, plan, err);
}

tide_status tide_pg_plan_make(tide_pg *pg, const tide_postgres_options *o, tide_pg_plan *out, tide_error *err) {
    const char *const column[3] = {o->id_column ? o->id_column : "unique_id", o->ds_column ? o->ds_column : "ds",
                                   o->y_column ? o->y_column : "y"};
    tide_pg_names names;
    tide_pg_plan plan;
    memset(&names, 0, sizeof names);
    memset(&plan, 0, sizeof plan);
    plan.shape.packed = o->packed;
    plan.shape.freq = o->freq;
    tide_status status = name_parts(pg, o, column, &names, &plan, err);
    if (status == TIDE_OK)
        status = check_types(pg, column, &plan, err);
    if (status == TIDE_OK && o->packed) {
        status = tide_grid_check(o->freq, plan.shape.kind, err);
        if (status != TIDE_OK)
            tide_error_prefix(err, status, "%s: packed (--freq gives the step)", pg->name);
    }
    if (status == TIDE_OK && o->packed) { /* arrays are large: rather jump along the key than sort them */
        plan.setting = "SET LOCAL enable_sort = off";
        status = tide_pg_run(pg, plan.setting, "planning", err);
    }
    if (status == TIDE_OK)
        status = time_condition(pg, o, &names, &plan.shape, err);
    if (status == TIDE_OK)
        status = choose_way(pg, o, &names, &plan, err);
    tide_pg_names_free(&names);
    if (status != TIDE_OK) {
        tide_pg_plan_free(&plan);
        return status;
    }
    if (plan.shape.packed)
        plan.shape.y_type = plan.shape.y_type == TIDE_PG_FLOAT8_ARRAY ? TIDE_PG_FLOAT8 : TIDE_PG_FLOAT4;
    *out = plan;
    return TIDE_OK;
}
