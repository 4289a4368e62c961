/* runs.db: one row a run, begun and finished; no secret in it. */
#include "io/runs.h"
#include "tests/store_fixture.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <sys/wait.h>

static void expect_text(sqlite3 *db, const char *column, const char *want) {
    char sql[128];
    sqlite3_stmt *statement;
    snprintf(sql, sizeof sql, "SELECT coalesce(%s, 'NULL') FROM runs", column);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
    cr_assert_str_eq((const char *)sqlite3_column_text(statement, 0), want, "%s", column);
    cr_assert_eq(sqlite3_step(statement), SQLITE_DONE, "one row");
    sqlite3_finalize(statement);
}

typedef struct listed {
    uint64_t n;
    char state[32];
} listed;

static tide_status note_state(void *context, const tide_run_row *row, tide_error *err) {
    (void)err;
    snprintf(context, sizeof((listed *)0)->state, "%s", row->state);
    return TIDE_OK;
}

/* How many runs are listed (of this id, unless NULL), and the state of the last. */
static listed list(const char *dir, const char *id) {
    listed l = {0, ""};
    tide_runs *runs = NULL;
    tide_error err = {0};
    cr_assert_eq(tide_runs_open_existing(dir, &runs, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(tide_runs_each(runs, id, note_state, l.state, &l.n, &err), TIDE_OK, "%s", err.message);
    tide_runs_close(runs);
    return l;
}

Test(runs, run_is_one_row_begun_and_finished) {
    char dir[256], id[TIDE_RUN_ID_SIZE], path[320];
    tide_runs *runs = NULL;
    tide_error err = {0};
    sqlite3 *db;
    fix_directory(dir);
    tide_run_id_make(id);
    cr_assert_eq(strlen(id), 25u);
    cr_assert_eq(tide_runs_open(dir, &runs, &err), TIDE_OK, "%s", err.message);
    tide_run_start start = {.run_id = id,
                            .command = "fit",
                            .config = "{}",
                            .code_version = "1",
                            .source = "postgresql://user:secret@db/sales"};
    cr_assert_eq(tide_runs_begin(runs, &start, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(tide_runs_begin(runs, &start, &err), TIDE_DISK, "the same id twice");
    snprintf(path, sizeof path, "%s/runs.db", dir);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    expect_text(db, "status", "running");
    expect_text(db, "finished", "NULL");
    expect_text(db, "source", "postgresql://user:***@db/sales");
    tide_run_end end = {
        .status = "ok", .outcomes = "{\"fitted\": 3}", .series = 3, .generation = 7, .rows = 12};
    cr_assert_eq(tide_runs_finish(runs, id, &end, &err), TIDE_OK, "%s", err.message);
    expect_text(db, "status", "ok");
    expect_text(db, "series", "3");
    expect_text(db, "generation", "7");
    expect_text(db, "outcomes", "{\"fitted\": 3}");
    expect_text(db, "message", "NULL");
    cr_assert_eq(tide_runs_finish(runs, "another", &end, &err), TIDE_INTERNAL);
    sqlite3_close(db);
    tide_runs_close(runs);
    fix_remove(dir);
}

/* A book of version 0.1 as that made it, with a run in it. */
Test(runs, book_of_an_earlier_version_gets_the_columns_it_lacks) {
    static const char old[] =
        "CREATE TABLE runs (run_id TEXT PRIMARY KEY, command TEXT, status TEXT NOT NULL, message TEXT,"
        " started TEXT NOT NULL, finished TEXT, host TEXT, process INTEGER, code_version TEXT, backend TEXT,"
        " config TEXT, source TEXT, source_from TEXT, source_to TEXT, rows INTEGER, series INTEGER, members INTEGER,"
        " outcomes TEXT, forms TEXT, stages TEXT, generation INTEGER, store_bytes INTEGER,"
        " peak_memory_bytes INTEGER);"
        "INSERT INTO runs (run_id, status, started, series) VALUES ('old', 'ok', '2025-01-01T00:00:00Z', 7);";
    char dir[256], path[320];
    tide_runs *runs = NULL;
    tide_error err = {0};
    sqlite3 *db;
    fix_directory(dir);
    snprintf(path, sizeof path, "%s/runs.db", dir);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, old, NULL, NULL, NULL), SQLITE_OK);
    listed l = list(dir, NULL);
    cr_assert_eq(l.n, 1u, "an old book is read as it is");
    cr_assert_str_eq(l.state, "ok");
    for (int again = 0; again < 2; ++again) {
        cr_assert_eq(tide_runs_open(dir, &runs, &err), TIDE_OK, "%s", err.message);
        tide_runs_close(runs);
    }
    cr_assert_eq(sqlite3_exec(db, "DELETE FROM runs WHERE run_id = 'old' AND series = 7", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_changes(db), 1);
    cr_assert_eq(tide_runs_open(dir, &runs, &err), TIDE_OK, "%s", err.message);
    tide_run_start start = {.run_id = "a", .command = "fit", .config = "{}", .code_version = "1"};
    cr_assert_eq(tide_runs_begin(runs, &start, &err), TIDE_OK, "%s", err.message);
    expect_text(db, "warm", "NULL");
    tide_run_end end = {.status = "ok", .warm = "{\"generation\": 3}", .metrics = "{\"mase\": 0.9}", .first_ds = "2020-01-01"};
    cr_assert_eq(tide_runs_finish(runs, "a", &end, &err), TIDE_OK, "%s", err.message);
    expect_text(db, "json_extract(warm, '$.generation')", "3");
    expect_text(db, "json_extract(metrics, '$.mase')", "0.9");
    expect_text(db, "first_ds", "2020-01-01");
    sqlite3_close(db);
    tide_runs_close(runs);
    fix_remove(dir);
}

Test(runs, run_that_is_gone_on_with_keeps_its_row_and_lists_the_attempts) {
    char dir[256], path[320];
    tide_runs *runs = NULL;
    tide_error err = {0};
    sqlite3 *db;
    fix_directory(dir);
    cr_assert_eq(tide_runs_open(dir, &runs, &err), TIDE_OK, "%s", err.message);
    tide_run_start start = {.run_id = "a", .command = "fit", .config = "{}", .code_version = "1"};
    tide_run_end end = {.status = "CONNECTION", .message = "the server went away"};
    cr_assert_eq(tide_runs_begin(runs, &start, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(tide_runs_finish(runs, "a", &end, &err), TIDE_OK, "%s", err.message);
    start.resumed = 40;
    cr_assert_eq(tide_runs_begin(runs, &start, &err), TIDE_OK, "%s", err.message);
    start.resumed = 80;
    cr_assert_eq(tide_runs_begin(runs, &start, &err), TIDE_OK, "%s", err.message);
    snprintf(path, sizeof path, "%s/runs.db", dir);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    expect_text(db, "status", "running");
    expect_text(db, "message", "NULL");
    expect_text(db, "json_array_length(resumed)", "2");
    expect_text(db, "json_extract(resumed, '$[1].series')", "80");
    cr_assert_eq(sqlite3_exec(db, "DELETE FROM runs", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_eq(tide_runs_begin(runs, &start, &err), TIDE_OK, "a lost row is made anew: %s", err.message);
    sqlite3_close(db);
    tide_runs_close(runs);
    fix_remove(dir);
}

/* Runs by a child that is gone, by one that is there, and the same process number in another boot or at another time. */
Test(runs, run_whose_process_is_gone_is_listed_as_killed) {
    char dir[256], path[320];
    tide_error err = {0};
    sqlite3 *db;
    fix_directory(dir);
    for (int child = 0; child < 2; ++child) {
        pid_t pid = child ? fork() : 0;
        if (pid == 0) {
            tide_runs *runs = NULL;
            tide_run_start start = {.run_id = child ? "b" : "a", .command = "fit", .config = "{}", .code_version = "1"};
            cr_assert_eq(tide_runs_open(dir, &runs, &err), TIDE_OK, "%s", err.message);
            cr_assert_eq(tide_runs_begin(runs, &start, &err), TIDE_OK, "%s", err.message);
            tide_runs_close(runs);
            if (child)
                _exit(0);
            cr_assert_str_eq(list(dir, "a").state, "running");
        } else {
            waitpid(pid, NULL, 0);
        }
    }
    cr_assert_eq(list(dir, NULL).n, 2u);
    cr_assert_str_eq(list(dir, "b").state, "killed");
    cr_assert_str_eq(list(dir, "a").state, "killed", "another run of the store came after it");
    cr_assert_eq(list(dir, "c").n, 0u);
    snprintf(path, sizeof path, "%s/runs.db", dir);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "DELETE FROM runs WHERE run_id = 'b'", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_str_eq(list(dir, "a").state, "running");
    cr_assert_eq(sqlite3_exec(db, "UPDATE runs SET process_start = process_start + 1", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_str_eq(list(dir, "a").state, "killed", "the process number was given to another");
    cr_assert_eq(sqlite3_exec(db, "UPDATE runs SET process_start = process_start - 1, boot_id = 'x'", NULL, NULL, NULL),
                 SQLITE_OK);
    cr_assert_str_eq(list(dir, "a").state, "killed", "the machine was started again");
    cr_assert_eq(sqlite3_exec(db, "UPDATE runs SET host = 'elsewhere'", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_str_eq(list(dir, "a").state, "running", "nothing is known of another host");
    sqlite3_close(db);
    fix_remove(dir);
}

Test(runs, book_that_cannot_be_opened_is_an_error_by_name) {
    tide_runs *runs = NULL;
    tide_error err = {0};
    cr_assert_eq(tide_runs_open("/nonexistent", &runs, &err), TIDE_DISK);
    cr_assert_not_null(strstr(err.message, "/nonexistent/runs.db"), "%s", err.message);
    cr_assert_eq(tide_runs_open_existing("/nonexistent", &runs, &err), TIDE_STORE);
    cr_assert_null(runs);
    tide_runs_close(NULL);
}
