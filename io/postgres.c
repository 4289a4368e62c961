/* postgres.c - a table or query of PostgreSQL as a source of rows. Here it is opened and handed out; how, is in
 *
 *   postgres_connect.h   a connection whose every wait ends          postgres_snapshot.h  one snapshot for several of them
 *   postgres_plan.h      which pieces are read in which order         postgres_cut.h       SQL to find where to cut
 *   postgres_work.h      the readers, what they hold, second tries    postgres_read.h      one COPY to its end
 *   postgres_decode.h    messages to rows                             postgres_block.h     rows to columns
 *   postgres_group.h     rows in any order to rows by id              postgres_disk.h      where they are meanwhile */
#include "io/postgres.h"
#include "io/postgres_work.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTIONS_BY_DEFAULT_MOST = 4, CONNECTIONS_MOST = 64 };

typedef struct pg_source {
    tide_pg_snapshot snapshot;
    tide_pg_plan plan;
    tide_pg_work *work;
    int watched[2]; /* a pipe: closing [1] wakes all who wait for the server */
    tide_status failed; /* a failure is final: told again by every later call */
    char failure[sizeof((tide_error *)0)->message];
    uint64_t row;
    uint64_t line[TIDE_PG_BLOCK_ROWS];
} pg_source;

int tide_postgres_is_url(const char *text) {
    return strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;
}

static tide_status pg_next(void *self, tide_rows *rows, tide_error *err) {
    pg_source *s = self;
    tide_error why;
    tide_pg_block *block = NULL;
    if (s->failed != TIDE_OK)
        return tide_fail(err, s->failed, "%s", s->failure);
    tide_status status = tide_pg_work_next(s->work, &block, &why);
    if (status != TIDE_OK) {
        s->failed = status;
        snprintf(s->failure, sizeof s->failure, "%s", why.message);
        return tide_fail(err, status, "%s", why.message);
    }
    if (!block) {
        *rows = (tide_rows){.ds_kind = s->plan.shape.kind};
        return TIDE_OK;
    }
    for (size_t i = 0; i < block->n; ++i)
        s->line[i] = ++s->row;
    tide_pg_block_rows(block, s->plan.shape.kind, s->line, rows);
    return TIDE_OK;
}

static void pg_progress(void *self, uint64_t *done, uint64_t *total) {
    pg_source *s = self;
    uint64_t rows;
    int all;
    tide_pg_work_progress(s->work, done, &rows, &all);
    *total = all ? *done : 0;
    if (!all && rows && s->plan.estimated_rows >= 1)
        *total = (uint64_t)(s->plan.estimated_rows * ((double)*done / (double)rows));
    if (*total && *total < *done)
        *total = *done;
}

static void pg_describe(void *self, char *out, size_t size) {
    pg_source *s = self;
    char how[160];
    tide_pg_work_describe(s->work, how, sizeof how);
    snprintf(out, size, "%s, %s", how, s->plan.note);
}

static void pg_close(void *self) {
    pg_source *s = self;
    if (!s)
        return;
    if (s->watched[1] >= 0)
        close(s->watched[1]);
    tide_pg_work_stop(s->work);
    tide_pg_snapshot_close(&s->snapshot);
    tide_pg_plan_free(&s->plan);
    if (s->watched[0] >= 0)
        close(s->watched[0]);
    free(s);
}

static int connections(const tide_postgres_options *o, size_t n_units) {
    long n = o->connections;
    if (n <= 0) {
        n = sysconf(_SC_NPROCESSORS_ONLN);
        n = n < 1 ? 1 : n > CONNECTIONS_BY_DEFAULT_MOST ? CONNECTIONS_BY_DEFAULT_MOST : n;
    }
    if (n > CONNECTIONS_MOST)
        n = CONNECTIONS_MOST;
    return (size_t)n > n_units ? (int)n_units : (int)n;
}

/* Connects, plans, and begins. */
static tide_status begin(pg_source *s, const tide_postgres_options *o, tide_error *err) {
    const char *what = o->table ? o->table : "query";
    const tide_pg_limits limits = {o->connect_timeout_s, o->statement_timeout_s, o->read_timeout_s};
    TIDE_TRY(tide_pg_snapshot_open(&s->snapshot, o->url, what, &limits, s->watched[0], err));
    TIDE_TRY(tide_pg_plan_make(&s->snapshot.leader, o, &s->plan, err));
    return tide_pg_snapshot_share(&s->snapshot, s->plan.select, s->plan.identity,
                                  connections(o, s->plan.n_units) == 1, err);
}

static tide_status open_source(pg_source *s, const tide_postgres_options *o, const tide_pg_work_options *work,
                               tide_error *err) {
    if (pipe2(s->watched, O_CLOEXEC) != 0)
        return tide_fail(err, TIDE_MEMORY, "postgres: no pipe");
    /* A server that cannot be reached is told at once; one that was, and is lost while planning, gets further tries. */
    for (int failures = 0;; ++failures) {
        tide_status status = begin(s, o, err);
        if (status == TIDE_OK)
            break;
        int lost = !s->snapshot.url || PQstatus(s->snapshot.leader.conn) != CONNECTION_OK;
        if (status != TIDE_CONNECTION || !s->snapshot.reached || !lost || failures >= work->retries)
            return status;
        tide_pg_plan_free(&s->plan);
        tide_pg_snapshot_close(&s->snapshot);
        usleep((useconds_t)work->retry_wait_ms * 1000 << (failures < 10 ? failures : 10));
    }
    tide_pg_work_options options = *work;
    options.readers = connections(o, s->plan.n_units);
    return tide_pg_work_start(&s->plan, &s->snapshot, &options, &s->work, err);
}

tide_status tide_postgres_open(const tide_postgres_options *options, tide_source *out, tide_error *err) {
    if (!options->table == !options->query)
        return tide_fail(err, TIDE_CONFIG, "postgres: give a table or a query, and not both");
    pg_source *s = calloc(1, sizeof *s);
    if (!s)
        return tide_fail(err, TIDE_MEMORY, "postgres: out of memory");
    s->watched[0] = s->watched[1] = -1;
    const tide_pg_work_options work = {
        .retries = options->retries ? options->retries : 3,
        .retry_wait_ms = options->retry_wait_ms > 0 ? options->retry_wait_ms : 1000,
        .one_snapshot = options->one_snapshot,
        .memory_bytes = options->memory_bytes ? options->memory_bytes : (size_t)64 << 20};
    tide_status status = open_source(s, options, &work, err);
    if (status != TIDE_OK) {
        pg_close(s);
        return status;
    }
    *out = (tide_source){.self = s,
                         .line_word = "row",
                         .grouped = 1,
                         .next = pg_next,
                         .progress = pg_progress,
                         .describe = pg_describe,
                         .close = pg_close};
    snprintf(out->name, sizeof out->name, "postgres %s", options->table ? options->table : "query");
    return TIDE_OK;
}
