/* test_io_postgres_load.c - the repeatable load: what is added, corrected, left alone and refused, by every way in. */
#include "io/csv.h"
#include "io/postgres_merge.h"
#include "host/simulate.h"
#include "tests/postgres_fixture.h"

#include <sys/wait.h>

TestSuite(postgres_load, .init = connect_control, .fini = drop_schema, .timeout = 120);

static char notes[2048]; /* messages of the last load, a line each */

static void note(void *self, const char *text) {
    (void)self;
    size_t used = strlen(notes);
    snprintf(notes + used, sizeof notes - used, "%s\n", text);
}

static tide_load_options options(const char *table) {
    static char name[2][256];
    static int turn;
    turn = !turn;
    snprintf(name[turn], sizeof name[turn], "%s.%s", schema, table);
    return (tide_load_options){.url = url, .table = name[turn], .message = note, .connect_timeout_s = 5,
                               .read_timeout_s = 30, .lock_timeout_s = 30};
}

/* Loads the lines (a header is put before them) from a CSV file. */
static tide_status load_text(const tide_load_options *o, const char *lines, tide_load_report *report, tide_error *err) {
    char path[64];
    tide_source source;
    snprintf(path, sizeof path, "/tmp/tide-load-%d.csv", (int)getpid());
    FILE *f = fopen(path, "wb");
    cr_assert(f);
    fprintf(f, "unique_id,ds,y\n%s", lines);
    fclose(f);
    const tide_csv_options csv = {.path = path, .block_rows = 3}; /* small blocks: borders between rows of one id */
    cr_assert_eq(tide_csv_open(&csv, &source, err), TIDE_OK, "%s", err->message);
    notes[0] = 0;
    tide_status status = tide_postgres_merge(o, &source, report, err);
    source.close(source.self);
    unlink(path);
    return status;
}

static tide_load_report loads(const tide_load_options *o, const char *lines) {
    tide_load_report r;
    tide_error err = {TIDE_OK, ""};
    cr_assert_eq(load_text(o, lines, &r, &err), TIDE_OK, "%s", err.message);
    return r;
}

static void fails(const tide_load_options *o, const char *lines, tide_status status, const char *part) {
    tide_load_report r = {.read = 77};
    tide_error err = {TIDE_OK, ""};
    tide_status got = load_text(o, lines, &r, &err);
    cr_expect_eq(got, status, "%d, not %d: %s", got, status, err.message);
    cr_expect(strstr(err.message, part), "'%s' lacks '%s'", err.message, part);
    cr_expect_eq(r.read, 77, "on failure outputs are untouched");
}

static void counts(tide_load_report r, uint64_t read, uint64_t inserted, uint64_t corrected, uint64_t unchanged) {
    cr_expect(r.read == read && r.inserted == inserted && r.corrected == corrected && r.unchanged == unchanged,
              "read %lu, inserted %lu, corrected %lu, unchanged %lu", r.read, r.inserted, r.corrected, r.unchanged);
}

/* All rows of a table as one text, with the places where they lie: what a load that changes nothing leaves. */
static void snapshot(const char *table, const char *places, char *out, size_t size) {
    char text[256];
    snprintf(text, sizeof text, "SELECT string_agg(concat_ws('|', unique_id, ds, coalesce(y::text, 'NULL')%s), ' ' ORDER BY unique_id, ds) FROM %s",
             places, table);
    PGresult *r = PQexec(control, text);
    cr_assert_eq(PQresultStatus(r), PGRES_TUPLES_OK, "%s", PQresultErrorMessage(r));
    snprintf(out, size, "%s", PQgetvalue(r, 0, 0));
    PQclear(r);
}

static void expect_rows(const char *table, const char *rows) {
    char text[4096];
    snapshot(table, "", text, sizeof text);
    cr_expect_str_eq(text, rows);
}

Test(postgres_load, a_missing_table_is_made_and_filled_directly) {
    tide_load_options o = options("t");
    fails(&o, "A,2024-01-01,1\n", TIDE_INPUT, "there is no such table; --create makes it");
    o.create = o.index = 1;
    tide_load_report r = loads(&o, "A,2024-01-01,1\nA,2024-01-02,\nB,2024-01-01,inf\n");
    counts(r, 3, 3, 0, 0);
    cr_expect(r.created && r.direct && r.indexed);
    expect_rows("t", "A|2024-01-01|1 A|2024-01-02|NULL B|2024-01-01|Infinity");
    cr_expect_eq(sql("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisunique"), 1);
    cr_expect_eq(sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'unique_id' "
                     "AND attcollation = '\"C\"'::regcollation"), 1);
    /* Filled with FREEZE: the rows' transaction is frozen for every reader. */
    cr_expect_gt(sql("SELECT reltuples FROM pg_class WHERE oid = 't'::regclass"), 0, "statistics are taken");
}

Test(postgres_load, an_empty_table_is_filled_directly) {
    sql("CREATE TABLE t (unique_id text, ds date, y float8, note text DEFAULT 'x')");
    tide_load_options o = options("t");
    cr_expect(loads(&o, "A,2024-01-01,1\n").direct);
    cr_expect_eq(sql("SELECT count(*) FROM t WHERE note = 'x'"), 1, "other columns have their defaults");
    sql("DELETE FROM t");
    cr_expect(loads(&o, "A,2024-01-01,2\n").direct, "also one whose rows were deleted");
    expect_rows("t", "A|2024-01-01|2");
    /* While a reader uses it, it takes the other way rather than wait and hold up more readers. */
    sql("DELETE FROM t");
    sql("BEGIN");
    sql("SELECT count(*) FROM t");
    tide_load_report r = loads(&o, "A,2024-01-01,3\n");
    cr_expect(!r.direct && r.inserted == 1);
    sql("COMMIT");
    expect_rows("t", "A|2024-01-01|3");
    /* With a trigger it takes the other way, which fires it. */
    sql("CREATE TABLE u (unique_id text, ds date, y float8)");
    sql("CREATE FUNCTION twice() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.y := 2 * NEW.y; RETURN NEW; END'");
    sql("CREATE TRIGGER twice BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION twice()");
    o = options("u");
    cr_expect(!loads(&o, "A,2024-01-01,1\n").direct);
    expect_rows("u", "A|2024-01-01|2");
}

Test(postgres_load, a_repeated_load_changes_nothing) {
    static const char rows[] = "A,2024-01-01,1\nA,2024-01-02,\nB,2024-01-01,3\n";
    char before[4096], after[4096];
    for (int index = 0; index < 2; ++index)
        for (int corrections = 0; corrections < 2; ++corrections) {
            tide_load_options o = options("t");
            o.create = 1;
            o.index = index;
            o.corrections = corrections;
            loads(&o, rows);
            snapshot("t", ", ctid, xmin", before, sizeof before);
            tide_load_report r = loads(&o, rows);
            counts(r, 3, 0, 0, 3);
            cr_expect(!r.created && !r.direct && !r.indexed);
            snapshot("t", ", ctid, xmin", after, sizeof after);
            cr_expect_str_eq(after, before);
            sql("DROP TABLE t");
        }
}

Test(postgres_load, an_overlapping_load_adds_what_is_new_and_corrects_only_if_asked) {
    tide_load_options o = options("t");
    char before[4096], after[4096];
    o.create = 1;
    loads(&o, "A,2024-01-01,1\nA,2024-01-02,2\nA,2024-01-03,\nB,2024-01-01,9\n");
    sql("INSERT INTO t VALUES ('C', '2024-01-01', 'NaN')");
    static const char next[] = "A,2024-01-02,5\nA,2024-01-03,6\nA,2024-01-04,7\nB,2024-01-01,9\nC,2024-01-01,\n";
    counts(loads(&o, next), 5, 1, 0, 4);
    expect_rows("t", "A|2024-01-01|1 A|2024-01-02|2 A|2024-01-03|NULL A|2024-01-04|7 B|2024-01-01|9 C|2024-01-01|NaN");
    snapshot("t WHERE unique_id = 'B'", ", ctid, xmin", before, sizeof before);
    o.corrections = 1;
    counts(loads(&o, next), 5, 0, 3, 2); /* a value, a NULL that got one, a NaN that became NULL */
    expect_rows("t", "A|2024-01-01|1 A|2024-01-02|5 A|2024-01-03|6 A|2024-01-04|7 B|2024-01-01|9 C|2024-01-01|NULL");
    snapshot("t WHERE unique_id = 'B'", ", ctid, xmin", after, sizeof after);
    cr_expect_str_eq(after, before, "a row with the same value is not touched");
    counts(loads(&o, "A,2024-01-02,\n"), 1, 0, 1, 0);
    expect_rows("t WHERE ds = '2024-01-02'", "A|2024-01-02|NULL");
}

Test(postgres_load, duplicates_follow_the_policy_and_are_named_by_line) {
    /* Lines 2 to 9; 3 and 6 are one time of A; 4 cannot be read, 5 is out of range, 7 spans two lines. */
    static const char rows[] = "B,2024-01-01,1\nA,2024-01-02,2\nA,2024-01-0x,2\nA,2020-01-01,3\nA,2024-01-02,4\n"
                               "\"C\nc\",2024-01-01,5\nD,2024-01-01,6\n";
    for (int direct = 0; direct < 2; ++direct) {
        tide_load_options o = options("t");
        o.create = 1;
        o.skip_bad_rows = 1;
        o.from = "2024-01-01";
        if (!direct) {
            loads(&o, "Z,2024-01-01,0\n");
        }
        fails(&o, rows, TIDE_INPUT, "lines 3 and 6 both hold 'A' at 2024-01-02");
        cr_expect_eq(sql("SELECT count(*) FROM pg_class WHERE relname = 't' AND relnamespace = '%s'::regnamespace", schema), !direct,
                     "nothing is loaded");
        o.duplicates = TIDE_LOAD_DUPLICATES_FIRST;
        tide_load_report r = loads(&o, rows);
        cr_expect(r.direct == direct && r.duplicates == 1 && r.refused == 1 && r.out_of_range == 1);
        counts(r, 7, 4, 0, 0);
        cr_expect(strstr(notes, "line 4 left out: ds is '2024-01-0x'"), "%s", notes);
        expect_rows("t WHERE unique_id = 'A'", "A|2024-01-02|2");
        if (direct) {
            sql("TRUNCATE t");
        }
        o.duplicates = TIDE_LOAD_DUPLICATES_LAST;
        o.corrections = 1;
        counts(loads(&o, rows), 7, direct ? 4 : 0, !direct, direct ? 0 : 3);
        expect_rows("t WHERE unique_id = 'A'", "A|2024-01-02|4");
        sql("DROP TABLE t");
    }
}

Test(postgres_load, an_ordered_input_is_not_looked_through_for_duplicates) {
    static const char by_id[] = "A,2024-01-01,1\nA,2024-01-02,2\nAA,2024-01-01,3\nB,2024-01-01,3\n";
    static const char by_time[] = "A,2024-01-01,1\nB,2024-01-01,2\nA,2024-01-02,3\nB,2024-01-02,3\n";
    static const char neither[] = "B,2024-01-01,1\nA,2024-01-02,2\nA,2024-01-01,2\n";
    static const char twice_id[] = "A,2024-01-01,1\nA,2024-01-01,2\nB,2024-01-01,2\n";
    static const char twice_time[] = "A,2024-01-01,1\nB,2024-01-01,2\nB,2024-01-01,2\n";
    tide_load_options o = options("t");
    o.create = 1;
    o.duplicates = TIDE_LOAD_DUPLICATES_LAST;
    const char *const text[] = {by_id, by_time, neither, twice_id, twice_time};
    const uint64_t dropped[] = {0, 0, 0, 1, 1};
    for (int i = 0; i < 5; ++i) {
        cr_expect_eq(loads(&o, text[i]).duplicates, dropped[i], "case %d", i);
        cr_expect_eq(sql("SELECT count(*) - count(DISTINCT (unique_id, ds)) FROM t"), 0);
        sql("DROP TABLE t");
    }
}

Test(postgres_load, what_cannot_be_read_ends_the_load_or_is_counted) {
    tide_load_options o = options("t");
    o.create = 1;
    fails(&o, "A,2024-01-01,1\nA,2024-01-02,x\n", TIDE_INPUT, "line 3: y is 'x'; nothing is loaded");
    fails(&o, "A,2024-01-01,1\n\xff\xfe,2024-01-02,1\n", TIDE_INPUT, "line 3: the id '\\xff\\xfe' is not UTF-8 text");
    cr_expect_eq(sql("SELECT count(*) FROM pg_class WHERE relnamespace = '%s'::regnamespace", schema), 0);
    o.skip_bad_rows = 1;
    tide_load_report r = loads(&o, "A,2024-01-01,1\nA,2024-01-02,x\n\xff\xfe,2024-01-02,1\n\xff\xfe,2024-01-03,1\nA,2024-01-03,1\n");
    cr_expect_eq(r.refused, 3);
    counts(r, 5, 2, 0, 0);
    cr_expect(strstr(notes, "line 3 left out: y is 'x'") && strstr(notes, "line 5 left out: the id"), "%s", notes);
    counts(loads(&o, ""), 0, 0, 0, 0);
    cr_expect_eq(sql("SELECT count(*) FROM t"), 2);
    o = options("u");
    o.create = 1;
    fails(&o, "", TIDE_INPUT, "no row to tell its types by");
}

Test(postgres_load, bounds_take_in_both_ends) {
    tide_load_options o = options("t");
    o.create = 1;
    o.from = "2024-01-02";
    o.to = "2024-01-03";
    tide_load_report r = loads(&o, "A,2024-01-01,1\nA,2024-01-02,2\nA,2024-01-03,3\nA,2024-01-04,4\n");
    cr_expect_eq(r.out_of_range, 2);
    expect_rows("t", "A|2024-01-02|2 A|2024-01-03|3");
    o.to = "not a date";
    fails(&o, "A,2024-01-01,1\n", TIDE_CONFIG, "--to");
    o.from = o.to = "2030-01-01";
    r = loads(&o, "A,2024-01-01,1\n");
    counts(r, 1, 0, 0, 0);
    sql("DROP TABLE t");
    o = options("t");
    o.create = 1;
    o.to = "2024-01-01";
    r = loads(&o, "A,2024-01-01T23:59:59.999999,1\nA,2024-01-02T00:00:00,1\n");
    cr_expect(r.inserted == 1 && r.out_of_range == 1);
}

Test(postgres_load, every_kind_of_time_in_every_column_that_takes_it) {
    static const char *const type[] = {"int2", "int4", "int8", "date", "timestamp", "timestamptz"};
    static const char *const first[] = {"1,5", "1,5", "1,5", "2024-01-01,5", "2024-01-01T10:30:00.25,5", "2024-01-01T10:30:00+02,5"};
    static const char *const second[] = {"2,6", "2,6", "9000000000,6", "2024-12-31,6", "2024-01-01T10:30:00.250001,6", "2024-01-02T00:00:00Z,6"};
    for (int i = 0; i < 6; ++i) {
        char lines[128];
        sql("SET TimeZone = 'America/New_York'");
        sql("CREATE TABLE t (unique_id varchar(10), ds %s, y float8)", type[i]);
        tide_load_options o = options("t");
        o.index = 1;
        snprintf(lines, sizeof lines, "A,%s\n", first[i]);
        loads(&o, lines);
        snprintf(lines, sizeof lines, "A,%s\nA,%s\n", first[i], second[i]);
        o.corrections = 1;
        counts(loads(&o, lines), 2, 1, 0, 1);
        counts(loads(&o, lines), 2, 0, 0, 2);
        cr_expect_eq(sql("SELECT count(*) FROM t"), 2, "%s", type[i]);
        sql("DROP TABLE t");
    }
    sql("CREATE TABLE t (unique_id text, ds int2, y float8)");
    tide_load_options o = options("t");
    fails(&o, "A,1,1\nA,40000,1\n", TIDE_INPUT, "line 3: its time does not fit the column ds");
    sql("CREATE TABLE u (unique_id uuid, ds date, y float8)");
    o = options("u");
    fails(&o, "A,2024-01-01,1\n", TIDE_INPUT, "the column unique_id has type uuid; these rows need text or varchar");
    sql("CREATE VIEW v AS SELECT * FROM t");
    o = options("v");
    fails(&o, "A,1,1\n", TIDE_INPUT, "it is not a table");
}

Test(postgres_load, a_partitioned_table_and_the_partitions_that_it_reads) {
    sql("CREATE TABLE t (unique_id text, ds date, y float8) PARTITION BY RANGE (ds)");
    sql("CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')");
    sql("CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')");
    tide_load_options o = options("t");
    o.index = 1;
    loads(&o, "A,2024-01-31,1\nA,2024-02-01,2\n");
    o.corrections = 1;
    counts(loads(&o, "A,2024-01-31,1\nA,2024-02-01,3\nA,2024-02-02,4\n"), 3, 1, 1, 1);
    expect_rows("t2", "A|2024-02-01|3 A|2024-02-02|4");
    fails(&o, "A,2024-02-03,1\nA,2024-03-03,1\n", TIDE_INPUT, "no partition of relation");
    expect_rows("t", "A|2024-01-31|1 A|2024-02-01|3 A|2024-02-02|4");
}

Test(postgres_load, a_failed_load_leaves_the_table_as_it_was) {
    char before[4096], after[4096];
    sql("CREATE TABLE t (unique_id text, ds date CHECK (ds <> '2024-01-09'), y float8 CHECK (y < 100))");
    tide_load_options o = options("t");
    o.corrections = 1;
    loads(&o, "A,2024-01-01,1\nB,2024-01-01,1\n");
    snapshot("t", ", ctid, xmin", before, sizeof before);
    fails(&o, "A,2024-01-01,2\nB,2024-01-01,200\nC,2024-01-01,1\n", TIDE_INPUT, "correcting: new row for relation \"t\" violates check");
    fails(&o, "A,2024-01-01,2\nB,2024-01-09,2\n", TIDE_INPUT, "merging: new row for relation \"t\" violates check");
    snapshot("t", ", ctid, xmin", after, sizeof after);
    cr_expect_str_eq(after, before);
    /* An index that cannot be made unique takes the rows back, too. */
    sql("CREATE TABLE u (unique_id text, ds date, y float8)");
    sql("INSERT INTO u VALUES ('A', '2024-01-01', 1), ('A', '2024-01-01', 2)");
    o = options("u");
    o.index = 1;
    fails(&o, "B,2024-01-01,2\n", TIDE_INPUT, "creating the index: could not create unique index");
    cr_expect_eq(sql("SELECT count(*) FROM u"), 2);
}

/* Loads series of the range of days in a child; its exit code is the status. */
static pid_t load_in_child(const tide_load_options *o, int first_series, int n, int days) {
    pid_t pid = fork();
    if (pid)
        return pid;
    tide_simulate_options s;
    tide_source source;
    tide_simulate_options_init(&s);
    s.n_series = (uint64_t)n;
    s.first_series = (uint64_t)first_series;
    s.to = s.from + days - 1;
    tide_error err = {TIDE_OK, ""};
    tide_status status = tide_simulate_open(&s, &source, &err);
    if (!status)
        status = tide_postgres_merge(o, &source, NULL, &err);
    if (status)
        fprintf(stderr, "load in a child: %s\n", err.message);
    _exit((int)status);
}

Test(postgres_load, loads_at_once_make_no_row_twice) {
    for (int round = 0; round < 12; ++round) {
        tide_load_options o = options("t");
        pid_t pid[4];
        o.create = 1;
        o.index = round % 3 == 2;
        o.corrections = round & 1;
        for (int i = 0; i < 4; ++i)
            pid[i] = load_in_child(&o, 20 * i, 60, 60); /* each overlaps the next in two thirds */
        for (int i = 0; i < 4; ++i) {
            int how;
            waitpid(pid[i], &how, 0);
            cr_assert(WIFEXITED(how) && WEXITSTATUS(how) == 0, "round %d: child %d ended with %d", round, i, how);
        }
        cr_assert_eq(sql("SELECT count(*) - count(DISTINCT (unique_id, ds)) FROM t"), 0, "round %d", round);
        cr_assert_gt(sql("SELECT count(*) FROM t"), 4000);
        sql("DROP TABLE t");
    }
}

Test(postgres_load, other_writers_are_waited_for_but_not_forever) {
    tide_load_options o = options("t");
    o.create = 1;
    loads(&o, "A,2024-01-01,1\n");
    o.lock_timeout_s = 1;
    sql("BEGIN");
    sql("INSERT INTO t VALUES ('B', '2024-01-01', 1)");
    fails(&o, "B,2024-01-01,1\n", TIDE_CONNECTION, "waiting for other writers of the table: canceling statement due to lock timeout");
    sql("ROLLBACK");
    sql("BEGIN");
    sql("SELECT count(*) FROM t"); /* readers are in nobody's way */
    counts(loads(&o, "B,2024-01-01,1\n"), 1, 1, 0, 0);
    sql("COMMIT");
}

Test(postgres_load, names_are_names_whatever_they_hold) {
    static const char *const attack[] = {"t\"; DROP TABLE t; --", "t; DROP TABLE t", "t' OR '1'='1", "t, (SELECT 1) AS u",
                                         "pg_catalog.pg_class", "T", "t\\", "$1", "%s%n", "t WHERE false --"};
    sql("CREATE TABLE t (unique_id text, ds date, y float8)");
    sql("INSERT INTO t VALUES ('A', '2024-01-01', 1)");
    for (size_t i = 0; i < sizeof attack / sizeof *attack; ++i) {
        tide_load_options o = options("t");
        o.id_column = attack[i];
        fails(&o, "A,2024-01-01,1\n", TIDE_INPUT, "does not exist (SQLSTATE 42703)");
        o.id_column = NULL;
        o.ds_column = attack[i];
        fails(&o, "A,2024-01-01,1\n", TIDE_INPUT, "does not exist (SQLSTATE 42703)");
        o.ds_column = NULL;
        o.y_column = attack[i];
        fails(&o, "A,2024-01-01,1\n", TIDE_INPUT, "does not exist (SQLSTATE 42703)");
        o = options("t");
        o.from = attack[i];
        fails(&o, "A,2024-01-01,1\n", TIDE_CONFIG, "--from");
        if (strchr(attack[i], '.'))
            continue;
        /* A table of that very name, with columns of that name, by both ways in. */
        char name[256];
        snprintf(name, sizeof name, "%s.", schema);
        char *p = name + strlen(name);
        *p++ = '"';
        for (const char *s = attack[i]; *s; *p++ = *s++)
            if (*s == '"')
                *p++ = '"';
        *p++ = '"';
        *p = 0;
        o = options("t");
        o.table = name;
        fails(&o, "A,2024-01-01,1\n", TIDE_INPUT, "there is no such table");
        o.create = o.index = o.corrections = 1;
        o.id_column = attack[i];
        o.ds_column = "time \" of 'day'";
        o.y_column = "y; --";
        counts(loads(&o, "A,2024-01-01,1\n\"A'; DROP TABLE t; --\",2024-01-01,2\n"), 2, 2, 0, 0);
        counts(loads(&o, "A,2024-01-01,3\n\"A'; DROP TABLE t; --\",2024-01-01,2\nB,2024-01-02,4\n"), 3, 1, 1, 1);
        PGresult *r = PQexecParams(control, "SELECT 1 FROM pg_class WHERE relname = $1 AND relnamespace = $2::regnamespace", 2,
                                   NULL, (const char *const[]){attack[i], schema}, NULL, NULL, 0);
        cr_expect_eq(PQntuples(r), 1, "%s", attack[i]);
        PQclear(r);
    }
    cr_expect_eq(sql("SELECT count(*) FROM t WHERE unique_id = 'A'"), 1);
    tide_load_options o = options("t");
    o.table = "\xff\xfe";
    fails(&o, "A,2024-01-01,1\n", TIDE_CONFIG, "not valid text");
    o.table = "a.b.c";
    fails(&o, "A,2024-01-01,1\n", TIDE_CONFIG, "'a.b.c' is not a [schema.]table name");
}

Test(postgres_load, no_message_holds_the_password) {
    tide_load_options o = options("t");
    o.url = "postgresql://nobody:s3cret@localhost:1/none";
    fails(&o, "A,2024-01-01,1\n", TIDE_CONNECTION, "connecting");
    tide_load_report r;
    tide_error err;
    load_text(&o, "A,2024-01-01,1\n", &r, &err);
    cr_expect(!strstr(err.message, "s3cret"), "%s", err.message);
    o.url = "postgresql://nobody:s3/cret@localhost:1/none";
    load_text(&o, "A,2024-01-01,1\n", &r, &err);
    cr_expect(!strstr(err.message, "cret"), "%s", err.message);
}

static int stop_after(void *self) {
    return ++*(int *)self > 3;
}

Test(postgres_load, a_signal_stops_it_and_nothing_is_loaded) {
    int asked = 0;
    tide_load_options o = options("t");
    o.create = 1;
    o.self = &asked;
    o.message = NULL;
    o.stop = stop_after;
    tide_simulate_options s;
    tide_source source;
    tide_error err;
    tide_simulate_options_init(&s);
    s.n_series = 1000;
    cr_assert_eq(tide_simulate_open(&s, &source, &err), TIDE_OK);
    cr_expect_eq(tide_postgres_merge(&o, &source, NULL, &err), TIDE_INTERRUPTED, "%s", err.message);
    source.close(source.self);
    cr_expect_eq(sql("SELECT count(*) FROM pg_class WHERE relnamespace = '%s'::regnamespace", schema), 0);
}
