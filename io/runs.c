/* runs.c - see runs.h. Times are UTC in ISO form; counts are INTEGER; nested things are JSON text, which
 * SQLite's own json functions read. A journal (not WAL) keeps it one file, which can be copied with the
 * store. */
#include "io/runs.h"

#include "host/config.h" /* tide_redact_url */

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

struct tide_runs {
    sqlite3 *db;
    char path[560];
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS runs ("
    " run_id TEXT PRIMARY KEY, command TEXT, status TEXT NOT NULL, message TEXT,"
    " started TEXT NOT NULL, finished TEXT, host TEXT, process INTEGER,"
    " code_version TEXT, backend TEXT, config TEXT,"
    " source TEXT, source_from TEXT, source_to TEXT,"
    " rows INTEGER, series INTEGER, members INTEGER, outcomes TEXT, forms TEXT, stages TEXT,"
    " generation INTEGER, store_bytes INTEGER, peak_memory_bytes INTEGER, warm TEXT)";

/* A book begun by an earlier version lacks the last column; two processes may add it at once. */
static int add_columns(sqlite3 *db) {
    const char *const probe = "SELECT warm FROM runs LIMIT 0";
    return sqlite3_exec(db, probe, NULL, NULL, NULL) == SQLITE_OK ||
           sqlite3_exec(db, "ALTER TABLE runs ADD COLUMN warm TEXT", NULL, NULL, NULL) == SQLITE_OK ||
           sqlite3_exec(db, probe, NULL, NULL, NULL) == SQLITE_OK;
}

static tide_status failed(const tide_runs *runs, tide_error *err) {
    return tide_fail(err, TIDE_DISK, "%s: %s", runs->path,
                     runs->db ? sqlite3_errmsg(runs->db) : "out of memory");
}

static void utc_now(const char *format, char *out, size_t size) {
    time_t now = time(NULL);
    struct tm utc;
    if (!gmtime_r(&now, &utc) || strftime(out, size, format, &utc) == 0)
        snprintf(out, size, "?");
}

void tide_run_id_make(char out[TIDE_RUN_ID_SIZE]) {
    uint32_t random = 0;
    char when[24];
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint32_t)getpid();
    utc_now("%Y%m%dT%H%M%SZ", when, sizeof when);
    snprintf(out, TIDE_RUN_ID_SIZE, "%s-%08x", when, random);
}

tide_status tide_runs_open(const char *dir, tide_runs **out, tide_error *err) {
    tide_runs *runs = calloc(1, sizeof *runs);
    if (!runs)
        return tide_fail(err, TIDE_MEMORY, "runs.db: out of memory");
    if ((size_t)snprintf(runs->path, sizeof runs->path, "%s/runs.db", dir) >= sizeof runs->path) {
        free(runs);
        return tide_fail(err, TIDE_DISK, "runs.db: the path of the store is too long");
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    if (sqlite3_open_v2(runs->path, &runs->db, flags, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(runs->db, 5000) != SQLITE_OK ||
        sqlite3_exec(runs->db, schema, NULL, NULL, NULL) != SQLITE_OK || !add_columns(runs->db)) {
        tide_status status = failed(runs, err);
        tide_runs_close(runs);
        return status;
    }
    *out = runs;
    return TIDE_OK;
}

void tide_runs_close(tide_runs *runs) {
    if (!runs)
        return;
    sqlite3_close(runs->db);
    free(runs);
}

/* Values of a statement, in the order of its parameters: a text (may be NULL), or a number where it is none.
 */
typedef struct run_value {
    const char *text;
    int64_t number;
    int is_number;
} run_value;

static run_value text_of(const char *text) {
    return (run_value){.text = text};
}

static run_value number_of(uint64_t number) {
    return (run_value){.number = number > INT64_MAX ? INT64_MAX : (int64_t)number, .is_number = 1};
}

/* Runs one statement; it must change exactly one row. */
static tide_status execute(tide_runs *runs, const char *sql, const run_value *values, int n,
                           tide_error *err) {
    sqlite3_stmt *statement = NULL;
    int ok = sqlite3_prepare_v2(runs->db, sql, -1, &statement, NULL) == SQLITE_OK;
    for (int i = 0; i < n && ok; ++i) {
        const run_value *v = &values[i];
        ok = (v->is_number ? sqlite3_bind_int64(statement, i + 1, v->number)
                           : sqlite3_bind_text(statement, i + 1, v->text, -1, SQLITE_TRANSIENT)) == SQLITE_OK;
    }
    ok = ok && sqlite3_step(statement) == SQLITE_DONE;
    tide_status status = ok ? TIDE_OK : failed(runs, err);
    sqlite3_finalize(statement);
    if (ok && sqlite3_changes(runs->db) != 1)
        return tide_fail(err, TIDE_INTERNAL, "%s: no such run", runs->path);
    return status;
}

tide_status tide_runs_begin(tide_runs *runs, const tide_run_start *start, tide_error *err) {
    char started[32], host[64] = {0}, source[1024];
    utc_now("%Y-%m-%dT%H:%M:%SZ", started, sizeof started);
    if (gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "?");
    tide_redact_url(start->source ? start->source : "", source, sizeof source);
    run_value values[] = {
        text_of(start->run_id),        text_of(start->command),      text_of(started),       text_of(host),
        number_of((uint64_t)getpid()), text_of(start->code_version), text_of(start->config), text_of(source),
        text_of(start->source_from),   text_of(start->source_to)};
    return execute(
        runs,
        "INSERT INTO runs (status, run_id, command, started, host, process, code_version, config, source,"
        " source_from, source_to) VALUES ('running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values, (int)(sizeof values / sizeof *values), err);
}

tide_status tide_runs_finish(tide_runs *runs, const char *run_id, const tide_run_end *end, tide_error *err) {
    char finished[32];
    utc_now("%Y-%m-%dT%H:%M:%SZ", finished, sizeof finished);
    run_value values[] = {text_of(end->status),
                          text_of(end->message),
                          text_of(finished),
                          text_of(end->backend),
                          text_of(end->outcomes),
                          text_of(end->forms),
                          text_of(end->stages),
                          number_of(end->rows),
                          number_of(end->series),
                          number_of(end->members),
                          number_of(end->generation),
                          number_of(end->store_bytes),
                          number_of(end->peak_memory_bytes),
                          text_of(end->warm),
                          text_of(run_id)};
    return execute(
        runs,
        "UPDATE runs SET status = ?, message = ?, finished = ?, backend = ?, outcomes = ?, forms = ?,"
        " stages = ?, rows = ?, series = ?, members = ?, generation = nullif(?, 0), store_bytes = ?,"
        " peak_memory_bytes = ?, warm = ? WHERE run_id = ?",
        values, (int)(sizeof values / sizeof *values), err);
}
