/* postgres_snapshot.h - one snapshot for several connections, and a new one when it is lost.
 *
 * A leader keeps a transaction open that has exported its snapshot (pg_export_snapshot) and holds the table's lock; each
 * reader begins its own transaction with that snapshot. A reader that is lost can join again as long as the leader lives.
 * When the leader is gone too (the server went down), the next join makes a new leader with a new snapshot: `epoch` counts
 * them, and it is for the caller to decide which rows may stand beside each other.
 *
 * ALTER TABLE and TRUNCATE are not bound to snapshots. They wait for the lock that leader and readers hold; so a reader
 * counts as joined only when it has the lock and the leader has answered after that, and a new leader must find the same
 * table with the same types, or the run ends (TIDE_INPUT).
 *
 * For a single reader there is no second connection: it takes over the leader's own (solo), and every loss is a new epoch. */
#ifndef TIDE_POSTGRES_SNAPSHOT_H
#define TIDE_POSTGRES_SNAPSHOT_H

#include "io/postgres_connect.h"
#include <pthread.h>

typedef struct tide_pg_snapshot {
    pthread_mutex_t lock;
    tide_pg leader;
    char *url, *what;
    tide_pg_limits limits;
    int cancel_fd; /* of all connections, see tide_pg */
    int solo, epoch;
    int reached; /* a connection was made once */
    char id[96];               /* of the exported snapshot */
    const char *select;        /* describes the columns that are read; borrowed */
    const char *identity;      /* a SELECT of one text that names the table itself, or NULL; borrowed */
    unsigned types[3];         /* of the columns */
    char identity_is[64];
} tide_pg_snapshot;

/* Connects the leader and begins its transaction. *s is zeroed or closed; a failure leaves at most `reached` set. */
tide_status tide_pg_snapshot_open(tide_pg_snapshot *s, const char *url, const char *what, const tide_pg_limits *limits,
                                  int cancel_fd, tide_error *err);
void tide_pg_snapshot_close(tide_pg_snapshot *s); /* safe on a zeroed one */
/* After planning with the leader: fixes what must stay, and exports the snapshot unless solo. */
tide_status tide_pg_snapshot_share(tide_pg_snapshot *s, const char *select, const char *identity, int solo, tide_error *err);
/* Connects *pg (which has no connection) and begins a transaction in the present snapshot, whose number is *epoch. */
tide_status tide_pg_snapshot_join(tide_pg_snapshot *s, tide_pg *pg, int *epoch, tide_error *err);
/* Ends the leader's transaction and connection: nobody joins any more. */
void tide_pg_snapshot_release(tide_pg_snapshot *s);

#endif
