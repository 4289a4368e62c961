/* postgres.h - PostgreSQL (12 or later) as a source of rows, and the way of rows into a table.
 *
 * Only io/postgres*.c know libpq. Every wait has a limit: connecting, a statement (on the server), and
 * silence of the server (here). TIDE_CONNECTION: the server cannot be reached, failed, stalled or ended the
 * work; the message names the station and the SQLSTATE. TIDE_INPUT: what was asked for cannot be read: a
 * table or column that does not exist, a column of an unusable type, a wrong or writing query. TIDE_CONFIG:
 * wrong options. No message holds a password. */
#ifndef TIDE_POSTGRES_H
#define TIDE_POSTGRES_H

#include "host/stream.h"

/* Texts are borrowed during the call only. Names are taken exactly, letter case included; "schema.table" is
 * split at the dot, and each part may be in double quotes ("My Schema"."t"), inside which "" is one quote and
 * a dot is no border. A column is one name. */
typedef struct tide_postgres_options {
    const char *url;         /* postgresql://...; libpq's parameters, TLS modes and environment apply */
    const char *table;       /* exactly one of table and query */
    const char *query;       /* one SELECT; runs in a read-only transaction */
    const char *id_column;   /* NULL = unique_id; text, varchar, char, name, uuid, int2, int4, int8 */
    const char *ds_column;   /* NULL = ds; date, timestamp, timestamptz, int2, int4, int8 */
    const char *y_column;    /* NULL = y; float8, float4, numeric, int2, int4, int8 */
    const char *from, *to;   /* only rows with from <= ds <= to; NULL = no bound; a date as upper bound of
                                timestamps takes in the whole day */
    int has_after;           /* 1: and only rows with ds > after_ds (in units of the column's kind, host/grid.h) */
    int64_t after_ds;
    int packed;              /* 1: y_column is an array, float8[] or float4[], whose first value is at ds */
    tide_freq freq;          /* packed: the step from one value to the next */
    int connections;         /* that read; 0 = processors, at most 4. One more holds the snapshot when there are several */
    int connect_timeout_s;   /* 0 = 10; the URL's own connect_timeout comes first */
    int statement_timeout_s; /* of a statement on the server, that is of a range; 0 = never */
    int read_timeout_s;      /* longest silence of the server, sorting included; 0 = 300 */
    int retries;             /* tries after a first failure of the server or the way to it; 0 = 3, -1 = none */
    int retry_wait_ms;       /* before the first of them, then twice as long each; 0 = 1000 */
    int one_snapshot;        /* 1: stop rather than let some series come from a later snapshot than others */
    int range_rows;          /* rows that a range of ids is to have; 0 = 200,000 */
    size_t memory_bytes;     /* for rows on their way, beyond it they go to disk; 0 = 64 MiB */
} tide_postgres_options;

/* 1 when the text is a URL that these functions take: postgresql:// or postgres:// */
int tide_postgres_is_url(const char *text);

/* Connects, checks names and types, starts the reading, and fills *out ("postgres schema.table", "postgres
 * query"): rows of one snapshot, ordered by id (bytewise, or as an index has them), then ds; ds_kind is DATE,
 * TIMESTAMP or INTEGER. Blocks of up to 32768 rows. NULL and NaN y are TIDE_NAN, infinite y is passed on;
 * NULL, infinite and BC ds are TIDE_ROW_BAD_DS; NULL, empty and overlong ids are TIDE_ROW_BAD_ID. The end is
 * reported only after the server has said that all went well. Progress is in bytes, the total estimated from
 * the planner's row count. */
tide_status tide_postgres_open(const tide_postgres_options *options, tide_source *out, tide_error *err);

typedef struct tide_postgres_load_options {
    const char *url, *table;
    const char *id_column, *ds_column, *y_column; /* NULL = unique_id, ds, y */
    int create; /* make the table where it does not exist: id text COLLATE "C", ds, y double precision */
    int create_index; /* after the rows: an index on (id, ds) where the table has no index beginning with them
                       */
    int connect_timeout_s, statement_timeout_s, read_timeout_s; /* as above */
} tide_postgres_load_options;

/* Reads `rows` to its end and appends them by binary COPY in one transaction: all of them or, on any failure,
 * none. An existing table must have id text or varchar, ds of the source's kind (date; timestamp or
 * timestamptz; int2, int4, int8), y double precision. Missing y is NULL. A faulty row is TIDE_INPUT. *n_rows
 * (may be NULL): rows loaded. */
tide_status tide_postgres_load(const tide_postgres_load_options *options, tide_source *rows, uint64_t *n_rows,
                               tide_error *err);

#endif
