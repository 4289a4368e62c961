/* postgres_read.h - one COPY ... TO STDOUT (FORMAT binary), from the statement to the server's word that all went well. */
#ifndef TIDE_POSTGRES_READ_H
#define TIDE_POSTGRES_READ_H

#include "io/postgres_connect.h"
#include "io/postgres_decode.h"

/* Runs the statement and hands its rows to the taker. Well only when the server has ended the statement and counts as many
 * rows as came; else what was taken is worth nothing. *bytes and *rows (of the table) are added to meanwhile. */
tide_status tide_pg_read(tide_pg *pg, const char *copy, const tide_pg_shape *shape, tide_pg_taker taker,
                         _Atomic uint64_t *bytes, _Atomic uint64_t *rows, tide_error *err);

#endif
