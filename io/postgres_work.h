/* postgres_work.h - readers: threads with a connection each that work through a plan's pieces, and the window between
 * them and the one who takes the rows.
 *
 *   RANGES, STREAM   unit 0, 1, 2 ... are read by whoever is free; their rows leave in this order.
 *   GROUP            all units are scattered into a group; then its parts are sorted by whoever is free and leave in order;
 *                    where processors outnumber readers, up to four threads sort.
 *
 * Nothing of a range leaves before the server has said that all went well and of how many rows. A range is held as
 * blocks in memory up to its share of memory_bytes, further ones on disk; at most twice as many ranges as readers are held.
 *
 * Failures of the server or of the way to it (tide_pg_may_retry): what was read of the unit is thrown away, the reader
 * waits (1, 2, 4 ... s), joins again and reads it anew, `retries` times in a row. When the snapshot itself is lost, GROUP
 * begins again from the first unit, as rows of one series lie in all of them. RANGES goes on, since a series lies in one
 * range: each series is whole and as of one moment, but some are of a later moment than others, which tide_pg_work_describe
 * tells, and which one_snapshot forbids. */
#ifndef TIDE_POSTGRES_WORK_H
#define TIDE_POSTGRES_WORK_H

#include "io/postgres_group.h"
#include "io/postgres_plan.h"
#include "io/postgres_snapshot.h"

typedef struct tide_pg_work tide_pg_work;

typedef struct tide_pg_work_options {
    int readers;
    int retries, retry_wait_ms;
    int one_snapshot;
    size_t memory_bytes;
} tide_pg_work_options;

/* Starts the readers. Borrows plan and snapshot; cancel_fd: the write end of the pipe that the connections watch. */
tide_status tide_pg_work_start(const tide_pg_plan *plan, tide_pg_snapshot *snapshot, const tide_pg_work_options *options,
                               tide_pg_work **out, tide_error *err);
/* The next block, in order; borrowed until the next call. NULL at the end, after which all has gone well. */
tide_status tide_pg_work_next(tide_pg_work *work, tide_pg_block **out, tide_error *err);
void tide_pg_work_progress(tide_pg_work *work, uint64_t *bytes, uint64_t *rows, int *done);
/* "2 connections, 1 failure overcome, series from 2 snapshots" */
void tide_pg_work_describe(tide_pg_work *work, char *out, size_t size);
/* The caller has made cancel_fd readable. Waits for the readers; NULL is allowed. */
void tide_pg_work_stop(tide_pg_work *work);

#endif
