#include "io/postgres_snapshot.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Begins a transaction, in the snapshot `id` unless NULL. A reader's lock on the table comes at once or never: the one who
 * would have to let go before is the leader. So it does not wait long. */
static tide_status begin(tide_pg *pg, const tide_pg_limits *limits, const char *id, tide_error *err) {
    char text[640], import[160] = "";
    if (id)
        snprintf(import, sizeof import, "SET TRANSACTION SNAPSHOT '%s'; SET LOCAL lock_timeout = '5s'; ", id);
    snprintf(text, sizeof text,
             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; %sSET LOCAL TimeZone = 'UTC'; SET LOCAL jit = off; "
             "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL idle_in_transaction_session_timeout = 0; "
             "SET LOCAL statement_timeout = '%ds'%s",
             import, limits->statement_timeout_s > 0 ? limits->statement_timeout_s : 0,
             PQserverVersion(pg->conn) >= 140000 ? "; SET LOCAL client_connection_check_interval = '10s'" : "");
    return tide_pg_run(pg, text, "beginning a transaction", err);
}

/* Takes the table's lock and compares what is there with what was planned. */
static tide_status check_table(tide_pg_snapshot *s, tide_pg *pg, tide_error *err) {
    static const char doing[] = "checking table and columns";
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_describe(pg, s->select, doing, &result, err));
    int same = PQnfields(result) == 3;
    for (int i = 0; i < 3 && same; ++i)
        same = PQftype(result, i) == s->types[i];
    PQclear(result);
    if (same && s->identity) {
        TIDE_TRY(tide_pg_query(pg, s->identity, doing, &result, err));
        same = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), s->identity_is) == 0;
        PQclear(result);
    }
    return same ? TIDE_OK
                : tide_fail(err, TIDE_INPUT, "%s: %s: the table was replaced or altered during the run", pg->name,
                            doing);
}

static tide_status export_snapshot(tide_pg_snapshot *s, tide_error *err) {
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_query(&s->leader, "SELECT pg_catalog.pg_export_snapshot()", "exporting the snapshot", &result,
                           err));
    int good = PQntuples(result) == 1 && strlen(PQgetvalue(result, 0, 0)) < sizeof s->id &&
               !strpbrk(PQgetvalue(result, 0, 0), "'\\");
    if (good)
        strcpy(s->id, PQgetvalue(result, 0, 0));
    PQclear(result);
    return good ? TIDE_OK
                : tide_fail(err, TIDE_CONNECTION, "%s: exporting the snapshot: the server gave no usable name",
                            s->leader.name);
}

tide_status tide_pg_snapshot_open(tide_pg_snapshot *s, const char *url, const char *what, const tide_pg_limits *limits,
                                  int cancel_fd, tide_error *err) {
    tide_pg_snapshot made = {.limits = *limits, .cancel_fd = cancel_fd, .epoch = 1, .reached = 1};
    TIDE_TRY(tide_pg_connect_watched(&made.leader, url, what, limits, cancel_fd, err));
    s->reached = 1;
    tide_status status = begin(&made.leader, limits, NULL, err);
    made.url = strdup(url);
    made.what = strdup(what);
    if (status == TIDE_OK && (!made.url || !made.what || pthread_mutex_init(&made.lock, NULL)))
        status = tide_fail(err, TIDE_MEMORY, "%s: out of memory", made.leader.name);
    if (status != TIDE_OK) {
        tide_pg_close(&made.leader);
        free(made.url);
        free(made.what);
        return status;
    }
    *s = made;
    return TIDE_OK;
}

void tide_pg_snapshot_close(tide_pg_snapshot *s) {
    if (!s->url)
        return;
    tide_pg_close(&s->leader);
    pthread_mutex_destroy(&s->lock);
    free(s->url);
    free(s->what);
    s->url = NULL;
}

void tide_pg_snapshot_release(tide_pg_snapshot *s) {
    pthread_mutex_lock(&s->lock);
    tide_pg_close(&s->leader);
    pthread_mutex_unlock(&s->lock);
}

tide_status tide_pg_snapshot_share(tide_pg_snapshot *s, const char *select, const char *identity, int solo,
                                   tide_error *err) {
    static const char doing[] = "checking table and columns";
    PGresult *result = NULL;
    s->select = select;
    s->identity = identity;
    s->solo = solo;
    TIDE_TRY(tide_pg_describe(&s->leader, select, doing, &result, err));
    for (int i = 0; i < 3 && i < PQnfields(result); ++i)
        s->types[i] = PQftype(result, i);
    PQclear(result);
    if (identity) {
        TIDE_TRY(tide_pg_query(&s->leader, identity, doing, &result, err));
        snprintf(s->identity_is, sizeof s->identity_is, "%s", PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "");
        PQclear(result);
    }
    return solo ? TIDE_OK : export_snapshot(s, err);
}

/* A new leader with a new snapshot. */
static tide_status renew(tide_pg_snapshot *s, tide_error *err) {
    tide_pg_close(&s->leader);
    TIDE_TRY(tide_pg_connect_watched(&s->leader, s->url, s->what, &s->limits, s->cancel_fd, err));
    tide_status status = begin(&s->leader, &s->limits, NULL, err);
    if (status == TIDE_OK)
        status = check_table(s, &s->leader, err);
    if (status == TIDE_OK)
        status = export_snapshot(s, err);
    if (status == TIDE_OK)
        ++s->epoch;
    else
        tide_pg_close(&s->leader);
    return status;
}

static tide_status join_solo(tide_pg_snapshot *s, tide_pg *pg, tide_error *err) {
    if (s->leader.conn) {
        *pg = s->leader;
        s->leader.conn = NULL;
        return TIDE_OK;
    }
    TIDE_TRY(tide_pg_connect_watched(pg, s->url, s->what, &s->limits, s->cancel_fd, err));
    tide_status status = begin(pg, &s->limits, NULL, err);
    if (status == TIDE_OK)
        status = check_table(s, pg, err);
    if (status == TIDE_OK)
        ++s->epoch;
    else
        tide_pg_close(pg);
    return status;
}

static int leader_lives(tide_pg_snapshot *s) {
    return s->leader.conn && tide_pg_run(&s->leader, "SELECT 1", "asking the leader", NULL) == TIDE_OK;
}

/* Begins pg's transaction in the leader's snapshot; the leader is renewed when it is gone. */
static tide_status import(tide_pg_snapshot *s, tide_pg *pg, tide_error *err) {
    for (int again = 0;; ++again) {
        tide_status status = begin(pg, &s->limits, s->id, err);
        if (status == TIDE_OK)
            status = check_table(s, pg, err);
        if (PQstatus(pg->conn) != CONNECTION_OK)
            return status;
        if (leader_lives(s))
            return status;
        if (again)
            return tide_pg_fail(&s->leader, NULL, "asking the leader", err);
        status = renew(s, err);
        if (status != TIDE_OK) {
            memcpy(pg->sqlstate, s->leader.sqlstate, sizeof pg->sqlstate);
            return status;
        }
        TIDE_TRY(tide_pg_run(pg, "ROLLBACK", "beginning a transaction", err));
    }
}

tide_status tide_pg_snapshot_join(tide_pg_snapshot *s, tide_pg *pg, int *epoch, tide_error *err) {
    tide_status status = TIDE_OK;
    if (!s->solo)
        TIDE_TRY(tide_pg_connect_watched(pg, s->url, s->what, &s->limits, s->cancel_fd, err));
    pthread_mutex_lock(&s->lock);
    if (s->solo) {
        status = join_solo(s, pg, err);
    } else {
        status = import(s, pg, err);
        if (status != TIDE_OK)
            tide_pg_close(pg);
    }
    *epoch = s->epoch;
    pthread_mutex_unlock(&s->lock);
    return status;
}
