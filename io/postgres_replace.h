/* postgres_replace.h - all rows of a table replaced at once: readers see the old set or the new one, whole.
 *
 * Two ways, both in the caller's one transaction, so that nothing changes and nothing is left behind however it ends:
 *
 *   swap      a new table is made like the old one and filled by COPY FREEZE, then indexed and analysed. At the end
 *             the old table is locked, dropped, and the new one takes its name: readers wait for milliseconds.
 *             Meanwhile nobody can alter or drop the old one, which is read to make the new one like it.
 *             FREEZE lets transactions with an older snapshot, too, see all of the new rows. Owner, privileges (those
 *             of columns, too), comments, defaults, constraints, statistics objects, storage parameters and tablespace
 *             are carried over; indexes of others, too, with new names. What cannot be is looked for first and refused,
 *             naming it: views and functions that use the table, triggers, rules, foreign keys, row security,
 *             inheritance and partitions, publications.
 *   in place  DELETE and COPY within the table: whatever hangs on it stays, and so do readers, in every isolation
 *             level (TRUNCATE would lock them out and show an empty table to older snapshots). Slower, and the space
 *             of the old rows is free for the next run only after a vacuum.
 *
 * A table that does not look like what is written is refused, lest a slip of the pen replace a history. */
#ifndef TIDE_POSTGRES_REPLACE_H
#define TIDE_POSTGRES_REPLACE_H

#include "io/postgres_copy.h"
#include "io/postgres_table.h"

enum { TIDE_PG_COLUMNS_MAX = 32 };

typedef struct tide_pg_column {
    char name[48];
    const char *type;     /* as format_type gives it: "double precision", "text" ... */
    const char *more;     /* after the type where the column is made: "COLLATE \"C\" NOT NULL", or "" */
    int mark;             /* a table without it is not ours */
} tide_pg_column;

typedef struct tide_pg_replace_spec {
    const char *table;    /* [schema.]table as given */
    const char *what;     /* "forecasts", for messages */
    const tide_pg_column *column;
    int n_columns;
    const char *key;      /* of the index: "unique_id, ds" */
    const char *families; /* regular expression of our columns that may go and come, such as levels; or NULL */
    int in_place;
    size_t tuple_bytes;   /* longest tuple put by tide_pg_copy_place */
} tide_pg_replace_spec;

typedef struct tide_pg_replace {
    tide_pg *pg;
    tide_pg_relation old;
    tide_pg_copy copy;
    char fresh[320];       /* qualified name of the table being filled */
    char fresh_bare[48];
    char key[64];
    int in_place;          /* fresh is the old table */
    int index_wanted;
} tide_pg_replace;

/* Within a transaction: locks the name against other runs, looks at the old table, makes the new one, begins COPY.
 * *r is zeroed by the caller and freed by tide_pg_replace_free, also after a failure. */
tide_status tide_pg_replace_start(tide_pg_replace *r, tide_pg *pg, const tide_pg_replace_spec *spec, tide_error *err);
/* Ends the COPY, makes the index, takes statistics. */
tide_status tide_pg_replace_fill_end(tide_pg_replace *r, tide_error *err);
/* Puts n tables in place; lock_timeout_s: how long to try for, three seconds at a time, while readers are at work. The
 * caller commits. */
tide_status tide_pg_replace_swap(tide_pg_replace *const *r, int n, int lock_timeout_s, tide_error *err);
void tide_pg_replace_free(tide_pg_replace *r);

#endif
