/* runs.db: one row a run, begun and finished; no secret in it. */
#include "io/runs.h"
#include "tests/store_fixture.h"

#include <criterion/criterion.h>
#include <sqlite3.h>

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

/* A book of version 0.1 has no column for the start; rows of both kinds then live in one table. */
Test(runs, book_of_an_earlier_version_gets_the_column_of_warm_starts) {
    char dir[256], path[320];
    tide_runs *runs = NULL;
    tide_error err = {0};
    sqlite3 *db;
    fix_directory(dir);
    snprintf(path, sizeof path, "%s/runs.db", dir);
    cr_assert_eq(tide_runs_open(dir, &runs, &err), TIDE_OK, "%s", err.message);
    tide_runs_close(runs);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "ALTER TABLE runs DROP COLUMN warm", NULL, NULL, NULL), SQLITE_OK);
    for (int again = 0; again < 2; ++again) {
        cr_assert_eq(tide_runs_open(dir, &runs, &err), TIDE_OK, "%s", err.message);
        tide_runs_close(runs);
    }
    cr_assert_eq(tide_runs_open(dir, &runs, &err), TIDE_OK, "%s", err.message);
    tide_run_start start = {.run_id = "a", .command = "fit", .config = "{}", .code_version = "1"};
    cr_assert_eq(tide_runs_begin(runs, &start, &err), TIDE_OK, "%s", err.message);
    expect_text(db, "warm", "NULL");
    tide_run_end end = {.status = "ok", .warm = "{\"generation\": 3}"};
    cr_assert_eq(tide_runs_finish(runs, "a", &end, &err), TIDE_OK, "%s", err.message);
    expect_text(db, "json_extract(warm, '$.generation')", "3");
    sqlite3_close(db);
    tide_runs_close(runs);
    fix_remove(dir);
}

Test(runs, book_that_cannot_be_opened_is_an_error_by_name) {
    tide_runs *runs = NULL;
    tide_error err = {0};
    cr_assert_eq(tide_runs_open("/nonexistent", &runs, &err), TIDE_DISK);
    cr_assert_not_null(strstr(err.message, "/nonexistent/runs.db"), "%s", err.message);
    cr_assert_null(runs);
    tide_runs_close(NULL);
}
