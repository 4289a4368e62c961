/* postgres_table.h - a table to write to: what is there, who else writes, and the long table of rows
 * (unique_id, ds, y) that load makes, checks and indexes. */
#ifndef TIDE_POSTGRES_TABLE_H
#define TIDE_POSTGRES_TABLE_H

#include "host/stream.h"
#include "io/postgres_binary.h"
#include "io/postgres_connect.h"

/* BEGIN, with limits for the transaction (0 = none) and times in UTC. */
tide_status tide_pg_begin(tide_pg *pg, int statement_timeout_s, int lock_timeout_s, tide_error *err);
/* What is told when a connection is lost during COMMIT: nobody knows then. */
static const char tide_pg_committing[] = "committing (done or not: the same command again makes sure)";
/* Runs a statement made by tide_pg_text and frees it; *n (may be NULL): rows touched. */
tide_status tide_pg_run_text(tide_pg *pg, char *sql, const char *doing, uint64_t *n, tide_error *err);

/* One writer of Tidemill's a table, until the transaction's end, whether the table exists or not. name: quoted. */
tide_status tide_pg_lock_name(tide_pg *pg, const char *name, tide_error *err);

typedef struct tide_pg_relation {
    int exists;
    char kind;          /* pg_class.relkind: 'r' table, 'p' partitioned, 'v' view ...; 0 */
    char oid[16];       /* decimal; "0" */
    char name[300];     /* schema and name, each quoted where it must be */
    char schema[140];   /* quoted where it must be */
    char relation[140]; /* likewise, without the schema */
} tide_pg_relation;
/* Looks a quoted name up by the search path. What does not exist has the names that it would be made with. */
tide_status tide_pg_find(tide_pg *pg, const char *name, tide_pg_relation *out, tide_error *err);

/* A table of rows; names quoted and malloc'd, column[] as given. */
typedef struct tide_pg_rows_table {
    char *name, *id, *ds, *y;
    const char *column[3];
    unsigned ds_type; /* tide_pg_type; 0 until checked */
} tide_pg_rows_table;
/* NULL columns: unique_id, ds, y. */
tide_status tide_pg_rows_table_names(tide_pg *pg, const char *table, const char *const column[3],
                                     tide_pg_rows_table *out, tide_error *err);
void tide_pg_rows_table_free(tide_pg_rows_table *table);
/* id text COLLATE "C", ds of the kind, y double precision. */
tide_status tide_pg_rows_table_create(tide_pg *pg, const tide_pg_rows_table *table, tide_ds_kind kind, tide_error *err);
/* TIDE_INPUT unless id is text or varchar, ds of the kind, y double precision. Sets ds_type. */
tide_status tide_pg_rows_table_check(tide_pg *pg, tide_pg_rows_table *table, tide_ds_kind kind, tide_error *err);
/* An index on (id, ds), unless the table has one that begins with these columns. *made may be NULL. */
tide_status tide_pg_rows_table_index(tide_pg *pg, const tide_pg_rows_table *table, int unique, int *made,
                                     tide_error *err);

#endif
