/* test_io_postgres_faults.c - a server that cannot be reached, dies, stalls or refuses; and the loader. */
#include "host/simulate.h"
#include "kernels/tide_fn.h"
#include "tests/postgres_fixture.h"

#include <signal.h>
#include <time.h>

TestSuite(postgres_faults, .init = connect_control, .fini = drop_schema, .timeout = 120);

/* --- faults of the server ----------------------------------------------------------------------------------
 */

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

Test(postgres_faults, an_unreachable_server_is_told_soon_and_without_the_password) {
    static const struct {
        const char *url;
        tide_status status;
    } cases[] = {{"postgresql://u:s3cretPw@/db?host=/nonexistent", TIDE_CONNECTION},
                 {"postgresql://u:s3cretPw@127.0.0.1:1/db", TIDE_CONNECTION},
                 {"postgresql://u:s3cretPw@no-such-host.invalid/db", TIDE_CONNECTION},
                 {"postgresql://u:p@s3cretPw@h/db", TIDE_CONFIG},
                 {"postgresql://u:p/s3cretPw@h/db", TIDE_CONFIG},
                 {"postgresql://u:s3cretPw@h:port/db", TIDE_CONNECTION},
                 {"postgresql://u:s3cretPw@h/db?no_such=1", TIDE_CONFIG},
                 {"postgresql://u:s3cretPw%zz@h/db", TIDE_CONFIG},
                 {"postgresql://h/db?password=s3cretPw&host=/nonexistent", TIDE_CONNECTION},
                 {"postgresql://h/db?password=s3cretPw&sslmode=s3cretPw", TIDE_CONNECTION},
                 {"host=/nonexistent password=s3cretPw", TIDE_CONFIG}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        tide_postgres_options o = {.url = cases[i].url, .table = "t", .connect_timeout_s = 2};
        reading r;
        double start = seconds();
        read_all(&o, &r);
        cr_expect_eq(r.status, cases[i].status, "%s: %s", cases[i].url, r.err.message);
        cr_expect_eq(strstr(r.err.message, "s3cret"), NULL, "%s", r.err.message);
        cr_expect_eq(strncmp(r.err.message, "postgres t: ", 12), 0, "%s", r.err.message);
        cr_expect_lt(seconds() - start, 10.0);
    }
    tide_postgres_options o = {.url = NULL, .table = "t"};
    assert_fails(&o, TIDE_CONFIG, "no URL");
}

Test(postgres_faults, messages_of_a_working_connection_hide_the_password) {
    char with[512];
    snprintf(with, sizeof with, "%s&password=s3cretPw", url);
    tide_postgres_options o = {.url = with,
                               .query = "SELECT 's3cretPw'::jsonb AS unique_id, 1 AS ds, 2 AS y"};
    assert_fails(&o, TIDE_INPUT, "invalid input syntax");
    o.query = "SELECT 1 AS \"s3cretPw\", s3cretPw FROM t";
    reading r;
    read_all(&o, &r);
    cr_expect_eq(r.status, TIDE_INPUT);
    cr_expect_eq(strstr(r.err.message, "s3cret"), NULL, "%s", r.err.message);
    cr_expect_eq(strstr(r.name, "s3cret"), NULL);
}

static size_t first_rows; /* of start_long_reading */

/* 800,000 rows, in order of an index. */
static void make_long_table(void) {
    sql("CREATE UNLOGGED TABLE t AS SELECT 'id' || lpad((n / 100)::text, 8, '0') AS unique_id, n %% 100 AS ds, "
        "n::float8 AS y FROM generate_series(0, 799999) n");
    sql("CREATE INDEX ON t (unique_id COLLATE \"C\", ds)");
    sql("ANALYZE t");
}

/* Opens a long reading by one connection and takes its first block; the pid of its server process. `table` is t, whose
 * ranges are small enough that most are still to be read, or the view v, which is one stream. */
static int start_long_reading(tide_source *source, const char *table, int read_timeout_s) {
    make_long_table();
    sql("CREATE VIEW v AS SELECT * FROM t");
    tide_postgres_options o = table_options(table);
    o.read_timeout_s = read_timeout_s;
    o.connections = 1;
    o.retries = -1;
    o.range_rows = 20000;
    tide_error err;
    cr_assert_eq(tide_postgres_open(&o, source, &err), TIDE_OK, "%s", err.message);
    tide_rows rows;
    cr_assert_eq(source->next(source->self, &rows, &err), TIDE_OK, "%s", err.message);
    cr_assert_gt(rows.n, 0);
    first_rows = rows.n;
    int pid = (int)sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'tidemill' AND query LIKE "
                       "'COPY%%\"%s\"%%'",
                       schema);
    cr_assert_gt(pid, 1);
    return pid;
}

/* Reads on to the failure; returns the rows that came before it. */
static size_t read_to_failure(tide_source *source, tide_error *err) {
    size_t n = first_rows;
    tide_rows rows;
    while (source->next(source->self, &rows, err) == TIDE_OK) {
        cr_assert_gt(rows.n, 0, "the end was reported as if all were well");
        n += rows.n;
    }
    return n;
}

Test(postgres_faults, a_terminated_backend_is_a_failure_not_an_end) {
    tide_source source;
    tide_error err;
    int pid = start_long_reading(&source, "t", 30);
    cr_assert_eq(sql("SELECT pg_terminate_backend(%d)::int", pid), 1);
    cr_assert_lt(read_to_failure(&source, &err), 800000);
    cr_assert_eq(err.status, TIDE_CONNECTION);
    cr_assert(
        strstr(err.message, ": terminating connection due to administrator command (SQLSTATE 57P01)") ||
            strstr(err.message, "(SQLSTATE 08006)"),
        "%s", err.message);
    source.close(source.self);
}

/* A server of this test alone, to be mistreated. Writes its URL; 0 when it could not be started. */
static int start_own_server(const char *dir, char *own_url, size_t size) {
    char command[512];
    snprintf(command, sizeof command, "'%s/tests/postgres.sh' start '%s'", TIDE_SOURCE_DIR, dir);
    FILE *out = popen(command, "r");
    int given = out && fgets(own_url, (int)size, out);
    if (out)
        given &= pclose(out) == 0;
    own_url[given ? strcspn(own_url, "\n") : 0] = 0;
    return given;
}

static int postmaster_of(const char *dir) {
    char path[256];
    int pid = 0;
    snprintf(path, sizeof path, "%s/data/postmaster.pid", dir);
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%d", &pid) != 1)
            pid = 0;
        fclose(file);
    }
    return pid;
}

Test(postgres_faults, a_killed_or_stopped_server_is_a_failure_not_an_end) {
    char dir[] = "/tmp/tide-pg-own.XXXXXX", own_url[256], command[512];
    cr_assert(mkdtemp(dir));
    cr_assert(start_own_server(dir, own_url, sizeof own_url));
    PGconn *shared = control;
    const char *shared_url = url;
    control = PQconnectdb(own_url);
    url = own_url;
    sql("CREATE SCHEMA %s", schema);
    sql("SET search_path = %s", schema);
    tide_source source;
    tide_error err = {.status = TIDE_OK};
    int pid = start_long_reading(&source, "t", 30), postmaster = postmaster_of(dir);
    int may_kill = postmaster > 1 && kill(pid, SIGKILL) == 0;
    size_t n = may_kill ? read_to_failure(&source, &err) : 0;
    source.close(source.self);
    PQfinish(control);
    control = shared;
    url = shared_url;
    /* A postmaster that does not answer: the connection is refused or times out, but does not hang. */
    tide_error stopped = {.status = TIDE_OK};
    double start = seconds();
    if (may_kill) {
        kill(postmaster, SIGSTOP);
        tide_postgres_options o = {.url = own_url, .table = "t", .connect_timeout_s = 2};
        tide_postgres_open(&o, &source, &stopped);
        kill(postmaster, SIGCONT);
    }
    double waited = seconds() - start;
    snprintf(command, sizeof command, "'%s/tests/postgres.sh' stop '%s'", TIDE_SOURCE_DIR, dir);
    cr_assert_eq(system(command), 0);
    cr_assert(may_kill);
    cr_assert_lt(n, 800000);
    cr_assert_eq(err.status, TIDE_CONNECTION);
    cr_assert(strstr(err.message, ".t: reading rows: ") && strstr(err.message, "(SQLSTATE 08006)"), "%s",
              err.message);
    cr_assert_eq(stopped.status, TIDE_CONNECTION);
    cr_assert(strstr(stopped.message, "postgres t: connecting: "), "%s", stopped.message);
    cr_assert_lt(waited, 6.0);
}

Test(postgres_faults, a_cancelled_statement_is_a_failure_not_an_end) {
    tide_source source;
    tide_error err;
    int pid = start_long_reading(&source, "v", 30);
    cr_assert_eq(sql("SELECT pg_cancel_backend(%d)::int", pid), 1);
    cr_assert_lt(read_to_failure(&source, &err), 800000);
    cr_assert_eq(err.status, TIDE_CONNECTION);
    cr_assert(strstr(err.message, "reading rows: canceling statement due to user request (SQLSTATE 57014)"),
              "%s", err.message);
    source.close(source.self);
}

Test(postgres_faults, a_stalled_server_does_not_hang_the_reader) {
    tide_source source;
    tide_error err;
    int pid = start_long_reading(&source, "t", 1);
    if (kill(pid, SIGSTOP) != 0)
        cr_skip_test("no right to stop the server's process");
    double start = seconds();
    read_to_failure(&source, &err);
    double waited = seconds() - start;
    kill(pid, SIGCONT);
    cr_assert_eq(err.status, TIDE_CONNECTION);
    cr_assert(strstr(err.message, "reading rows: the server was silent for 1 s"), "%s", err.message);
    cr_assert(waited >= 0.9 && waited < 5, "%g s", waited);
    source.close(source.self);
}

Test(postgres_faults, a_statement_timeout_ends_the_reading) {
    tide_postgres_options o = query_options("SELECT 'a'::text || pg_sleep(20) AS unique_id, 1 AS ds, 2 AS y");
    o.statement_timeout_s = 1;
    double start = seconds();
    assert_fails(&o, TIDE_CONNECTION, "canceling statement due to statement timeout (SQLSTATE 57014)");
    cr_assert_lt(seconds() - start, 10.0);
}

Test(postgres_faults, a_locked_table_does_not_hang_the_reader) {
    sql("CREATE TABLE t (unique_id text, ds date, y float8)");
    sql("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    tide_postgres_options o = table_options("t");
    o.read_timeout_s = 1;
    assert_fails(&o, TIDE_CONNECTION, "checking table and columns: the server was silent for 1 s");
    sql("COMMIT");
}

Test(postgres_faults, closing_early_ends_the_servers_work) {
    tide_source source;
    int pid = start_long_reading(&source, "t", 30);
    source.close(source.self);
    for (int i = 0; i < 100 && sql("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", pid); ++i)
        usleep(50000);
    cr_assert_eq(sql("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", pid), 0);
}

/* --- loading -----------------------------------------------------------------------------------------------
 */

static tide_status load_simulated(const char *table, int create, tide_simulate_options *s, uint64_t *n,
                                  tide_error *err) {
    tide_source source;
    cr_assert_eq(tide_simulate_open(s, &source, err), TIDE_OK);
    char name[128];
    snprintf(name, sizeof name, "%s.%s", schema, table);
    tide_postgres_load_options l = {.url = url, .table = name, .create = create, .create_index = create};
    tide_status status = tide_postgres_load(&l, &source, n, err);
    source.close(source.self);
    return status;
}

Test(postgres_faults, loaded_rows_read_back_equal) {
    tide_simulate_options s;
    tide_simulate_options_init(&s);
    s.n_series = 100;
    s.missing_share = 0.01;
    uint64_t n = 0;
    tide_error err;
    cr_assert_eq(load_simulated("sim", 1, &s, &n, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(sql("SELECT count(*) FROM sim"), (long)n);
    cr_assert_gt(sql("SELECT count(*) FROM sim WHERE y IS NULL"), 0);
    cr_assert_eq(sql("SELECT count(*) FROM sim WHERE y = 'NaN'"), 0);
    cr_assert_eq(sql("SELECT count(*) FROM pg_indexes WHERE schemaname = '%s'", schema), 1);
    tide_source simulated, read;
    tide_postgres_options o = table_options("sim");
    cr_assert_eq(tide_simulate_open(&s, &simulated, &err), TIDE_OK);
    cr_assert_eq(tide_postgres_open(&o, &read, &err), TIDE_OK, "%s", err.message);
    tide_rows a = {0}, b = {0};
    for (size_t i = 0, j = 0;; ++i, ++j) {
        if (i == a.n) {
            cr_assert_eq(simulated.next(simulated.self, &a, &err), TIDE_OK);
            i = 0;
        }
        if (j == b.n) {
            cr_assert_eq(read.next(read.self, &b, &err), TIDE_OK, "%s", err.message);
            j = 0;
        }
        if (!a.n || !b.n)
            break;
        cr_assert(a.id_length[i] == b.id_length[j] && a.ds[i] == b.ds[j]);
        cr_assert_eq(memcmp(a.bytes + a.id_at[i], b.bytes + b.id_at[j], a.id_length[i]), 0);
        cr_assert_eq(tide_to_bits(a.y[i]), tide_to_bits(b.y[j]));
    }
    cr_assert(a.n == 0 && b.n == 0);
    simulated.close(simulated.self);
    read.close(read.self);
    /* A second range goes on in the same table, and makes no second index. */
    s.from = s.to + 1;
    s.to += 30;
    uint64_t more = 0;
    cr_assert_eq(load_simulated("sim", 1, &s, &more, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(sql("SELECT count(*) FROM sim"), (long)(n + more));
    cr_assert_eq(sql("SELECT count(*) FROM pg_indexes WHERE schemaname = '%s'", schema), 1);
}

Test(postgres_faults, a_failed_load_leaves_nothing) {
    tide_simulate_options s;
    tide_simulate_options_init(&s);
    s.n_series = 300;
    uint64_t n = 77;
    tide_error err;
    cr_assert_eq(load_simulated("nowhere", 0, &s, &n, &err), TIDE_INPUT);
    cr_assert(strstr(err.message, "does not exist (SQLSTATE 42P01)"), "%s", err.message);
    sql("CREATE TABLE t (unique_id text, ds date CHECK (ds < '2024-12-31'), y float8)");
    cr_assert_eq(load_simulated("t", 0, &s, &n, &err), TIDE_INPUT);
    cr_assert(strstr(err.message, "loading rows: new row for relation \"t\" violates check constraint"), "%s",
              err.message);
    sql("CREATE TABLE u (unique_id text, ds timestamp, y float8)");
    cr_assert_eq(load_simulated("u", 0, &s, &n, &err), TIDE_INPUT);
    cr_assert(strstr(err.message, "the column ds has type timestamp without time zone; these rows need date"),
              "%s", err.message);
    cr_assert_eq(sql("SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM u)"), 0);
    cr_assert_eq(n, 77);
}
