/* postgres_cut.h - SQL that looks for places where a table can be cut, and the statements of the pieces. For
 * postgres_plan.c alone. */
#ifndef TIDE_POSTGRES_CUT_H
#define TIDE_POSTGRES_CUT_H

#include "io/postgres_plan.h"

enum { TIDE_PG_UNIT_PAGES_LEAST = 64 };

/* Quoted names, owned. */
typedef struct tide_pg_names {
    char *id, *ds, *y, *from;
    char *condition;     /* on ds, or "" */
    unsigned id_type;
    const char *collate; /* " COLLATE \"C\"" or "": of the order by id */
} tide_pg_names;

/* What is known of a table; zeros for a query. */
typedef struct tide_pg_relation {
    char oid[16];
    int can_cut;   /* has rows of its own or of partitions, and maybe statistics: not a view or foreign table */
    int has_pages; /* and its rows have pages that we may address */
    int id_may_be_null;
    double pages; /* of the table or its largest partition */
    double bytes; /* of all, with what is stored out of line */
    int correlation_known;
    double correlation; /* of the order of ids with that of the rows: -1..1 */
    double rows_a_range;
} tide_pg_relation;

void tide_pg_names_free(tide_pg_names *names);
/* select WHERE the condition on ds and `more` (may be "") [ORDER BY id, ds]. */
tide_status tide_pg_select(tide_pg *pg, const tide_pg_names *names, const char *select, const char *more, int ordered,
                           char **out, tide_error *err);
tide_status tide_pg_look_up(tide_pg *pg, const tide_pg_names *names, tide_pg_relation *out, tide_error *err);
tide_status tide_pg_identity(tide_pg *pg, const tide_pg_names *names, char **out, tide_error *err);
/* Some `wanted` ids of the table as texts, different ones, in the order of names->collate; may
 * be none. ordered: they are to be ranges, so that a coarse histogram will not do. */
tide_status tide_pg_fetch_bounds(tide_pg *pg, const tide_pg_names *names, const tide_pg_relation *relation,
                                 size_t wanted, int ordered, char ***out, size_t *n, tide_error *err);
/* Adds a unit that copies what the statement selects. */
tide_status tide_pg_add_unit(tide_pg *pg, tide_pg_plan *plan, const char *select, tide_error *err);
tide_status tide_pg_cut_ids(tide_pg *pg, const tide_pg_names *names, const tide_pg_relation *relation,
                            char *const *bound, size_t n, tide_pg_plan *plan, tide_error *err);
tide_status tide_pg_cut_pages(tide_pg *pg, const tide_pg_names *names, const tide_pg_relation *relation,
                              tide_pg_plan *plan, tide_error *err);

#endif
