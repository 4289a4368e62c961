/* runs.c - see runs.h. Times are UTC in ISO form; counts are INTEGER; nested things are JSON text, which
 * SQLite's own json functions read. A journal (not WAL) keeps it one file, which can be copied with the
 * store. */
#include "io/runs.h"

#include "host/config.h" /* tide_redact_url */

#include <errno.h>
#include <signal.h>
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

typedef struct run_column {
    const char *name, *type;
    tide_run_kind kind;
} run_column;

static const run_column columns[TIDE_RUN_COLUMNS] = {
#define X(name, type, kind) {#name, type, TIDE_RUN_##kind},
    TIDE_RUN_COLUMNS_LIST(X)
#undef X
};

const char *tide_run_column_name(int column) {
    return columns[column].name;
}

tide_run_kind tide_run_column_kind(int column) {
    return columns[column].kind;
}

/* 1 when the table has the column. */
static int has_column(sqlite3 *db, const char *name) {
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT %s FROM runs LIMIT 0", name);
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Makes the table, and adds to one of an earlier version the columns that it lacks; two processes may do so at once. */
static int make_table(sqlite3 *db) {
    char sql[2048];
    size_t at = (size_t)snprintf(sql, sizeof sql, "CREATE TABLE IF NOT EXISTS runs (");
    for (int i = 0; i < TIDE_RUN_COLUMNS; ++i)
        at += (size_t)snprintf(sql + at, sizeof sql - at, "%s%s %s", i ? ", " : "", columns[i].name, columns[i].type);
    snprintf(sql + at, sizeof sql - at, ")");
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return 0;
    for (int i = 0; i < TIDE_RUN_COLUMNS; ++i) {
        if (has_column(db, columns[i].name))
            continue;
        snprintf(sql, sizeof sql, "ALTER TABLE runs ADD COLUMN %s %s", columns[i].name, columns[i].type);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK && !has_column(db, columns[i].name))
            return 0;
    }
    return 1;
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

static tide_status open_book(const char *dir, int flags, tide_runs **out, tide_error *err) {
    tide_runs *runs = calloc(1, sizeof *runs);
    if (!runs)
        return tide_fail(err, TIDE_MEMORY, "runs.db: out of memory");
    if ((size_t)snprintf(runs->path, sizeof runs->path, "%s/runs.db", dir) >= sizeof runs->path) {
        free(runs);
        return tide_fail(err, TIDE_DISK, "runs.db: the path of the store is too long");
    }
    if (sqlite3_open_v2(runs->path, &runs->db, flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_busy_timeout(runs->db, 5000) != SQLITE_OK || (flags && !make_table(runs->db))) {
        tide_status status = failed(runs, err);
        tide_runs_close(runs);
        return status;
    }
    *out = runs;
    return TIDE_OK;
}

tide_status tide_runs_open(const char *dir, tide_runs **out, tide_error *err) {
    return open_book(dir, SQLITE_OPEN_CREATE, out, err);
}

tide_status tide_runs_open_existing(const char *dir, tide_runs **out, tide_error *err) {
    char path[600];
    snprintf(path, sizeof path, "%s/runs.db", dir);
    if (access(path, R_OK) != 0)
        return tide_fail(err, TIDE_STORE, "store '%s': no book of runs: runs.db: %s", dir, strerror(errno));
    return open_book(dir, 0, out, err);
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

/* What tells a process from every other: the boot of the machine, and when it was started, in ticks since then. */
static void boot_of_host(char out[48]) {
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (!f || !fgets(out, 48, f))
        snprintf(out, 48, "?");
    out[strcspn(out, "\n")] = 0;
    if (f)
        fclose(f);
}

/* 0: there is no such process. */
static uint64_t start_of_process(long process) {
    char path[64], text[1024];
    unsigned long long start = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", process);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = 0;
    char *p = strrchr(text, ')'); /* field 2, the name, may hold anything; the start is field 22 */
    for (int field = 2; p && field < 22; ++field)
        p = strchr(p + 1, ' ');
    if (p)
        start = strtoull(p + 1, NULL, 10);
    return start;
}

tide_status tide_runs_begin(tide_runs *runs, const tide_run_start *start, tide_error *err) {
    char started[32], host[64] = {0}, source[1024], boot[48];
    utc_now("%Y-%m-%dT%H:%M:%SZ", started, sizeof started);
    if (gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "?");
    boot_of_host(boot);
    tide_redact_url(start->source ? start->source : "", source, sizeof source);
    run_value process = number_of((uint64_t)getpid()), since = number_of(start_of_process((long)getpid()));
    if (start->resumed) {
        run_value values[] = {text_of(host),    process,       text_of(boot),
                              since,            text_of(started), text_of(host),
                              number_of(start->resumed), text_of(start->run_id)};
        tide_status status = execute(
            runs,
            "UPDATE runs SET status = 'running', message = NULL, finished = NULL, host = ?, process = ?, boot_id = ?,"
            " process_start = ?, resumed = json_insert(coalesce(resumed, '[]'), '$[#]',"
            " json_object('at', ?, 'host', ?, 'series', ?)) WHERE run_id = ?",
            values, (int)(sizeof values / sizeof *values), err);
        if (status != TIDE_INTERNAL)
            return status;
    } /* else, and where its row is lost, a new one */
    run_value values[] = {text_of(start->run_id),
                          text_of(start->command),
                          text_of(started),
                          text_of(host),
                          process,
                          text_of(boot),
                          since,
                          text_of(start->code_version),
                          text_of(start->config),
                          text_of(source),
                          text_of(start->source_from),
                          text_of(start->source_to)};
    return execute(
        runs,
        "INSERT INTO runs (status, run_id, command, started, host, process, boot_id, process_start, code_version, config,"
        " source, source_from, source_to) VALUES ('running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                          text_of(end->first_ds),
                          text_of(end->last_ds),
                          text_of(end->metrics),
                          text_of(run_id)};
    return execute(
        runs,
        "UPDATE runs SET status = ?, message = ?, finished = ?, backend = ?, outcomes = ?, forms = ?,"
        " stages = ?, rows = ?, series = ?, members = ?, generation = nullif(?, 0), store_bytes = ?,"
        " peak_memory_bytes = ?, warm = ?, first_ds = ?, last_ds = ?, metrics = ? WHERE run_id = ?",
        values, (int)(sizeof values / sizeof *values), err);
}

/* --- reading
 * ------------------------------------------------------------------------------------------------ */

/* Is the process that began this run still there? On another host: it is believed. */
static int is_alive(const tide_run_row *row) {
    char host[64] = {0}, boot[48];
    const char *const *v = row->value;
    if (gethostname(host, sizeof host - 1) != 0 || !v[TIDE_RUN_host] || strcmp(v[TIDE_RUN_host], host) != 0)
        return 1;
    boot_of_host(boot);
    if (v[TIDE_RUN_boot_id] && strcmp(v[TIDE_RUN_boot_id], boot) != 0)
        return 0;
    long process = v[TIDE_RUN_process] ? strtol(v[TIDE_RUN_process], NULL, 10) : 0;
    if (process <= 0 || (kill((pid_t)process, 0) != 0 && errno == ESRCH))
        return 0;
    return !v[TIDE_RUN_process_start] ||
           strtoull(v[TIDE_RUN_process_start], NULL, 10) == start_of_process(process);
}

/* One writer at a time has a store's lock, so that a run with a later one after it is over in any case. */
static void set_state(tide_run_row *row, int is_last) {
    row->state = row->value[TIDE_RUN_status] ? row->value[TIDE_RUN_status] : "?";
    if (strcmp(row->state, "running") == 0 && (!is_last || !is_alive(row)))
        row->state = "killed";
}

tide_status tide_runs_each(tide_runs *runs, const char *run_id,
                           tide_status (*each)(void *context, const tide_run_row *row, tide_error *err), void *context,
                           uint64_t *n, tide_error *err) {
    char sql[2048];
    sqlite3_stmt *statement = NULL;
    size_t at = (size_t)snprintf(sql, sizeof sql, "SELECT (julianday(finished) - julianday(started)) * 86400,"
                                                  " rowid = (SELECT max(rowid) FROM runs)");
    for (int i = 0; i < TIDE_RUN_COLUMNS; ++i)
        at += (size_t)snprintf(sql + at, sizeof sql - at, ", %s",
                               has_column(runs->db, columns[i].name) ? columns[i].name : "NULL");
    snprintf(sql + at, sizeof sql - at, " FROM runs WHERE ?1 IS NULL OR run_id = ?1 ORDER BY rowid");
    *n = 0;
    if (sqlite3_prepare_v2(runs->db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_bind_text(statement, 1, run_id, -1, SQLITE_TRANSIENT) != SQLITE_OK) {
        sqlite3_finalize(statement);
        return failed(runs, err);
    }
    tide_status status = TIDE_OK;
    int step = SQLITE_DONE;
    while (status == TIDE_OK && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        tide_run_row row = {.seconds = -1.0};
        if (sqlite3_column_type(statement, 0) != SQLITE_NULL)
            row.seconds = sqlite3_column_double(statement, 0);
        for (int i = 0; i < TIDE_RUN_COLUMNS; ++i)
            row.value[i] = (const char *)sqlite3_column_text(statement, i + 2);
        set_state(&row, sqlite3_column_int(statement, 1));
        ++*n;
        status = each(context, &row, err);
    }
    if (status == TIDE_OK && step != SQLITE_DONE)
        status = failed(runs, err);
    sqlite3_finalize(statement);
    return status;
}
