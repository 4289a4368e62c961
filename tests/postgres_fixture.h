/* postgres_fixture.h - what the Postgres tests share: a connection of their own to look and break from, a
 * schema a test, and a reader that turns all rows into text. Include it once a test program; it defines the
 * suite's init and fini.
 *
 * The server comes from tests/with_postgres.sh, which sets TIDE_TEST_PG_URL; without it the tests are
 * skipped. Each test is a process of its own with a schema of its own, so that they may run side by side on
 * one server. */
#ifndef TIDE_TESTS_POSTGRES_FIXTURE_H
#define TIDE_TESTS_POSTGRES_FIXTURE_H

#include "io/postgres.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *url;
static PGconn *control;
static char schema[32];

static inline char *format_text(const char *format, va_list ap) {
    char *text = NULL;
    cr_assert_geq(vasprintf(&text, format, ap), 0);
    return text;
}

/* Runs a statement on the control connection; its first value as a number. */
__attribute__((format(printf, 1, 2))) static inline long sql(const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    char *text = format_text(format, ap);
    va_end(ap);
    PGresult *r = PQexec(control, text);
    cr_assert(PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK, "%s: %s", text,
              PQresultErrorMessage(r));
    long value = PQntuples(r) ? atol(PQgetvalue(r, 0, 0)) : 0;
    PQclear(r);
    free(text);
    return value;
}

/* Once a program: a skipped test says nothing by itself. */
ReportHook(PRE_ALL)(struct criterion_test_set *tests) {
    (void)tests;
    if (!getenv("TIDE_TEST_PG_URL"))
        fprintf(stderr, "all Postgres tests are skipped: TIDE_TEST_PG_URL is not set; run them under "
                        "tests/with_postgres.sh\n");
}

static inline void connect_control(void) {
    url = getenv("TIDE_TEST_PG_URL");
    if (!url)
        cr_skip_test("TIDE_TEST_PG_URL is not set: run under tests/with_postgres.sh");
    control = PQconnectdb(url);
    cr_assert_eq(PQstatus(control), CONNECTION_OK, "%s", PQerrorMessage(control));
    snprintf(schema, sizeof schema, "t%d", (int)getpid());
    sql("SET client_min_messages = error");
    sql("SET lock_timeout = '20s'"); /* a failed test may leave a reader with its lock */
    sql("DROP SCHEMA IF EXISTS %s CASCADE", schema);
    sql("CREATE SCHEMA %s", schema);
    sql("SET search_path = %s, public", schema);
}

static inline void drop_schema(void) {
    if (!control)
        return;
    sql("DROP SCHEMA %s CASCADE", schema);
    PQfinish(control);
}

/* All rows as "id|ds|y|fault\n", at most `most` bytes. */
typedef struct reading {
    tide_status status;
    tide_error err;
    char name[160];
    tide_ds_kind kind;
    size_t rows, blocks;
    char text[16384];
} reading;

static inline void read_all(const tide_postgres_options *o, reading *r) {
    memset(r, 0, sizeof *r);
    tide_source source;
    r->status = tide_postgres_open(o, &source, &r->err);
    if (r->status != TIDE_OK)
        return;
    cr_assert(source.grouped);
    snprintf(r->name, sizeof r->name, "%s", source.name);
    size_t used = 0;
    for (;; ++r->blocks) {
        tide_rows rows;
        r->status = source.next(source.self, &rows, &r->err);
        if (r->status != TIDE_OK) {
            tide_error again;
            cr_assert_eq(source.next(source.self, &rows, &again), r->status, "a failure is final");
            cr_assert_str_eq(again.message, r->err.message);
            break;
        }
        r->kind = rows.ds_kind;
        size_t faults = 0;
        for (size_t i = 0; i < rows.n; ++i) {
            cr_assert_eq(rows.line[i], ++r->rows);
            int fault = rows.fault ? rows.fault[i] : 0;
            const char *why = "";
            if (fault && faults++ < rows.n_fault_text)
                why = rows.fault_text[faults - 1];
            if (used + 200 < sizeof r->text)
                used +=
                    (size_t)snprintf(r->text + used, sizeof r->text - used, "%.*s|%lld|%.17g%s%s\n",
                                     rows.id_length[i] < 64 ? (int)rows.id_length[i] : 64,
                                     rows.bytes + rows.id_at[i], (long long)rows.ds[i], rows.y[i],
                                     fault ? fault == TIDE_ROW_BAD_ID ? "|bad id " : "|bad ds " : "", why);
        }
        if (!rows.n)
            break;
    }
    uint64_t done, total;
    source.progress(source.self, &done, &total);
    if (r->status == TIDE_OK)
        cr_assert(done == total && done >= 21);
    source.close(source.self);
}

static inline tide_postgres_options table_options(const char *table) {
    static char name[2][256];
    static int turn;
    turn = !turn;
    snprintf(name[turn], sizeof name[turn], "%s.%s", schema, table);
    return (tide_postgres_options){
        .url = url, .table = name[turn], .connect_timeout_s = 5, .read_timeout_s = 30};
}

static inline tide_postgres_options query_options(const char *query) {
    return (tide_postgres_options){.url = url, .query = query, .connect_timeout_s = 5, .read_timeout_s = 30};
}

static inline void assert_rows(const tide_postgres_options *o, tide_ds_kind kind, const char *rows) {
    reading r;
    read_all(o, &r);
    cr_assert_eq(r.status, TIDE_OK, "%s", r.err.message);
    cr_expect_eq(r.kind, kind);
    cr_expect_str_eq(r.text, rows);
}

static inline void assert_fails(const tide_postgres_options *o, tide_status status, const char *part) {
    reading r;
    read_all(o, &r);
    cr_expect_eq(r.status, status, "%d, not %d: %s", r.status, status, r.err.message);
    cr_expect(strstr(r.err.message, part), "'%s' lacks '%s'", r.err.message, part);
    cr_expect_eq(strncmp(r.err.message, "postgres", 8), 0);
    cr_expect_eq(strchr(r.err.message, '\n'), NULL);
}

#endif
