/* postgres_plan.h - decides how a table or query is read: types, order, and the pieces several connections may take.
 *
 *   RANGES   An index gives the order (the plan of SELECT ... ORDER BY id, ds has no full sort): the ids are cut into ranges
 *            of some TIDE_PG_RANGE_ROWS rows, `id > a AND id <= b ORDER BY id, ds`. Bounds are the column's histogram, else
 *            ids of sampled pages. A range holds whole series, so ranges may even come from different snapshots.
 *   GROUP    No index gives it, or only by jumping all over the table (rows lie by time, not by id: correlation below 1/2):
 *            rows are read as they lie, by ranges of pages (`ctid >= '(a,0)' AND ctid < '(b,0)'`, PostgreSQL 14), and
 *            grouped here (postgres_group.h). All of it comes from one snapshot. Without pages (views, queries, foreign
 *            tables, older servers), or when an index finds the few rows between bounds of ds, it is one piece, planned by
 *            the server as it likes.
 *   STREAM   An index gives the order, but nothing tells where to cut (a view, a query), or a packed table must be sorted by
 *            the server: one connection, rows are handed out as they come; it cannot be tried again once some have left.
 *
 * The choice depends on the table, its statistics and the server alone, not on the number of connections. Text ids are
 * ordered bytewise (COLLATE "C") unless the planner says that the column's own order is cheaper, which is when an index has
 * it; never while the server has collations that call different texts equal, as those would mix series. */
#ifndef TIDE_POSTGRES_PLAN_H
#define TIDE_POSTGRES_PLAN_H

#include "io/postgres.h"
#include "io/postgres_connect.h"
#include "io/postgres_decode.h"

enum { TIDE_PG_RANGE_ROWS = 200000 };

typedef enum tide_pg_way { TIDE_PG_RANGES, TIDE_PG_GROUP, TIDE_PG_STREAM } tide_pg_way;

typedef struct tide_pg_plan {
    tide_pg_way way;
    tide_pg_shape shape;
    char *select;   /* SELECT id, ds, y FROM ..., describes the columns */
    char *identity; /* SELECT of the table's number, or NULL */
    char **unit;    /* [n_units] statements that copy a piece each */
    size_t n_units;
    char **bound; /* [n_bounds] ids from all over the table, for GROUP; may be none */
    size_t n_bounds;
    double estimated_rows; /* of the table or query; 0 = unknown */
    const char *setting;   /* a statement for each reader's transaction, or NULL */
    char note[160];        /* "101 ranges of ids by an index" */
} tide_pg_plan;

/* pg is in its transaction. */
tide_status tide_pg_plan_make(tide_pg *pg, const tide_postgres_options *options, tide_pg_plan *out, tide_error *err);
void tide_pg_plan_free(tide_pg_plan *plan); /* safe on a zeroed one */

#endif
