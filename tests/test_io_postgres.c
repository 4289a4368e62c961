/* test_io_postgres.c - the Postgres source against a real server: types, names, order, bounds, queries. */
#include "host/simulate.h"
#include "kernels/tide_fn.h"
#include "tests/postgres_fixture.h"

TestSuite(postgres, .init = connect_control, .fini = drop_schema, .timeout = 120);

/* --- types -------------------------------------------------------------------------------------------------
 */

Test(postgres, every_documented_type_is_read) {
    static const char *const ids[][3] = {
        {"text", "'Ä \"1'", "Ä \"1"},
        {"varchar(20)", "'b'", "b"},
        {"char(6)", "'ab'", "ab"},
        {"name", "'n'", "n"},
        {"int2", "(-32768)", "-32768"},
        {"int4", "2147483647", "2147483647"},
        {"int8", "(-9223372036854775808)", "-9223372036854775808"},
        {"uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}};
    static const struct {
        const char *type, *value, *ds;
        tide_ds_kind kind;
    } times[] = {{"date", "'2024-02-29'", "19782", TIDE_DS_DATE},
                 {"date", "'0001-01-01'", "-719162", TIDE_DS_DATE},
                 {"timestamp", "'2024-02-29 12:00:00.000001'", "1709208000000001", TIDE_DS_TIMESTAMP},
                 {"timestamptz", "'2024-02-29 12:00:00+02'", "1709200800000000", TIDE_DS_TIMESTAMP},
                 {"timestamp", "'1969-12-31 23:59:59'", "-1000000", TIDE_DS_TIMESTAMP},
                 {"int2", "-7", "-7", TIDE_DS_INTEGER},
                 {"int4", "202401", "202401", TIDE_DS_INTEGER},
                 {"int8", "9007199254740993", "9007199254740993", TIDE_DS_INTEGER}};
    static const char *const values[][3] = {{"float8", "0.1", "0.10000000000000001"},
                                            {"float8", "'-Infinity'", "-inf"},
                                            {"float4", "0.5", "0.5"},
                                            {"numeric", "12.5", "12.5"},
                                            {"numeric", "'NaN'", "nan"},
                                            {"numeric(12,2)", "-0.05", "-0.050000000000000003"},
                                            {"int2", "-3", "-3"},
                                            {"int4", "7", "7"},
                                            {"int8", "4611686018427387904", "4.6116860184273879e+18"},
                                            {"float8", "'NaN'", "nan"},
                                            {"numeric", "0", "0"}};
    char query[512], expected[256];
    for (size_t i = 0; i < sizeof ids / sizeof *ids; ++i)
        for (size_t j = 0; j < sizeof times / sizeof *times; ++j) {
            const char *const *v = values[(i + j) % (sizeof values / sizeof *values)];
            snprintf(query, sizeof query, "SELECT %s::%s AS unique_id, %s::%s AS ds, %s::%s AS y", ids[i][1],
                     ids[i][0], times[j].value, times[j].type, v[1], v[0]);
            snprintf(expected, sizeof expected, "%s|%s|%s\n", ids[i][2], times[j].ds, v[2]);
            tide_postgres_options o = query_options(query);
            assert_rows(&o, times[j].kind, expected);
        }
}

Test(postgres, other_types_are_refused_by_column_and_type) {
    sql("CREATE TABLE t (unique_id text, ds date, y float8, j jsonb, b bool, i interval, c time)");
    tide_postgres_options o = table_options("t");
    o.id_column = "j";
    assert_fails(&o, TIDE_INPUT, "the id column j has type jsonb; it must be text");
    o.id_column = NULL;
    o.ds_column = "c";
    assert_fails(&o, TIDE_INPUT, "the time column c has type time without time zone; it must be date");
    o.ds_column = NULL;
    o.y_column = "b";
    assert_fails(&o, TIDE_INPUT, "the value column b has type boolean; it must be double precision");
    o.y_column = "t"; /* the whole row */
    assert_fails(&o, TIDE_INPUT, "the value column t has type");
}

Test(postgres, domains_are_read_as_their_base_type) {
    sql("CREATE DOMAIN sku AS varchar(10)");
    sql("CREATE TABLE t (unique_id sku, ds date, y float8)");
    sql("INSERT INTO t VALUES ('A', '1970-01-02', 1)");
    tide_postgres_options o = table_options("t");
    assert_rows(&o, TIDE_DS_DATE, "A|1|1\n");
}

Test(postgres, null_nan_infinite_and_bc_follow_their_rules) {
    sql("CREATE TABLE t (unique_id text, ds date, y float8)");
    sql("INSERT INTO t VALUES ('a', '1970-01-01', NULL), ('a', '1970-01-02', 'NaN'), ('a', '1970-01-03', "
        "'Infinity'),"
        "('b', '-infinity', 1), ('b', '0044-03-15 BC', 2), ('b', '0001-12-31 BC', 2), ('b', '1970-01-01', 3),"
        "('b', 'infinity', 4), ('b', NULL, 5), ('', '1970-01-01', 6), (NULL, '1970-01-01', 7), (NULL, NULL, "
        "8)");
    tide_postgres_options o = table_options("t");
    const char *rows = "|0|6|bad id empty id\na|0|nan\na|1|nan\na|2|inf\nb|0|1|bad ds -infinity\n"
                       "b|0|2|bad ds a time BC\nb|0|2|bad ds a time BC\nb|0|3\nb|0|4|bad ds infinity\n"
                       "b|0|5|bad ds NULL\n|0|7|bad id id is NULL\n|0|8|bad id id is NULL\n";
    assert_rows(&o, TIDE_DS_DATE, rows);
    sql("ALTER TABLE t ALTER ds TYPE timestamptz USING ds::timestamp AT TIME ZONE 'UTC'");
    assert_rows(
        &o, TIDE_DS_TIMESTAMP,
        "|0|6|bad id empty id\na|0|nan\na|86400000000|nan\na|172800000000|inf\nb|0|1|bad ds -infinity\n"
        "b|0|2|bad ds a time BC\nb|0|2|bad ds a time BC\nb|0|3\nb|0|4|bad ds infinity\n"
        "b|0|5|bad ds NULL\n|0|7|bad id id is NULL\n|0|8|bad id id is NULL\n");
}

Test(postgres, numerics_are_rounded_exactly) {
    /* The text of each number is its id; strtod rounds exactly. */
    sql("CREATE TABLE t (unique_id text, ds int, y numeric)");
    sql("SELECT setseed(0.5)");
    sql("INSERT INTO t SELECT n::text, i, n FROM (SELECT i, round((random() * power(10::numeric, (i %% 40) - "
        "20))::numeric"
        "  * (CASE WHEN random() < 0.5 THEN -1 ELSE 1 END), (i / 40) %% 24) AS n FROM generate_series(1, "
        "3000) i) q");
    sql("INSERT INTO t SELECT n::text, 4000, n FROM unnest(ARRAY[9007199254740993, 9007199254740992.5, 0.1, "
        "1e22, 1e23,"
        "  4503599627370497.5, 123456789012345678901234567890, 1e-320, 1e-400, 2.2250738585072014e-308, "
        "99999999999999.99,"
        "  1e308, 0.00000000000000000000000000001, 10000, 100000000, 0.0001, 0.00010001]::numeric[]) n");
    /* Halfway between two doubles, decided by a digit far behind: 2^53 + 1 + 10^-900. */
    sql("INSERT INTO t VALUES ((9007199254740993 + power(10::numeric, -900))::text, 4001,"
        "  9007199254740993 + 1 / power(10::numeric, 900))");
    sql("UPDATE t SET unique_id = y::text");
    tide_postgres_options o = table_options("t");
    tide_source source;
    tide_error err;
    cr_assert_eq(tide_postgres_open(&o, &source, &err), TIDE_OK, "%s", err.message);
    tide_rows rows;
    size_t n = 0;
    while (source.next(source.self, &rows, &err) == TIDE_OK && rows.n)
        for (size_t i = 0; i < rows.n; ++i, ++n) {
            char text[2048] = "";
            cr_assert_lt(rows.id_length[i], sizeof text);
            memcpy(text, rows.bytes + rows.id_at[i], rows.id_length[i]);
            double expected = strtod(text, NULL);
            if (expected == 0)
                expected = 0; /* the text of a small negative rounded to none has no sign either */
            cr_assert_eq(tide_to_bits(rows.y[i]), tide_to_bits(expected), "%s: %.17g, not %.17g", text,
                         rows.y[i], expected);
        }
    cr_assert_eq(n, 3018);
    source.close(source.self);
}

Test(postgres, ids_up_to_the_limit_are_kept_exactly) {
    sql("CREATE TABLE t (unique_id text, ds int, y int)");
    sql("INSERT INTO t SELECT repeat('x', n), g, n FROM (VALUES (1), (10000), (16384), (16385), (100000)) "
        "v(n),"
        "  generate_series(1, 2) g");
    sql("INSERT INTO t SELECT repeat('z', 16000) || g, 1, 1 FROM generate_series(100, 999) g");
    tide_postgres_options o = table_options("t");
    tide_source source;
    tide_error err;
    cr_assert_eq(tide_postgres_open(&o, &source, &err), TIDE_OK, "%s", err.message);
    tide_rows rows;
    size_t n = 0, bad = 0, bytes = 0, last = 0;
    while (source.next(source.self, &rows, &err) == TIDE_OK && rows.n)
        for (size_t i = 0; i < rows.n; ++i, ++n) {
            const char *id = rows.bytes + rows.id_at[i];
            if (rows.fault && rows.fault[i]) {
                ++bad;
                cr_assert_eq(rows.fault[i], TIDE_ROW_BAD_ID);
                continue;
            }
            bytes += rows.id_length[i];
            for (size_t k = 0; k < rows.id_length[i] && k < 16000; ++k)
                cr_assert(id[k] == (n < 10 ? 'x' : 'z'));
            if (n >= 10) { /* 14 MB of ids: several blocks */
                size_t number = (size_t)atoi(id + 16000);
                cr_assert(number == (last ? last + 1 : 100));
                last = number;
            }
        }
    cr_assert_eq(n, 910);
    cr_assert_eq(bad, 4);
    cr_assert_eq(bytes, 2 * (1 + 10000 + 16384) + 900 * 16003);
    source.close(source.self);
}

/* --- names, order, bounds ----------------------------------------------------------------------------------
 */

Test(postgres, quoted_and_exact_names_are_found) {
    char name[128];
    sql("CREATE SCHEMA \"My.Schema %s\"", schema);
    sql("CREATE TABLE \"My.Schema %s\".\"t\"\"x\" (\"the Id\" text, \"D.S\" date, \"select\" int)", schema);
    sql("INSERT INTO \"My.Schema %s\".\"t\"\"x\" VALUES ('a', '1970-01-01', 1)", schema);
    snprintf(name, sizeof name, "\"My.Schema %s\".\"t\"\"x\"", schema);
    tide_postgres_options o = {
        .url = url, .table = name, .id_column = "the Id", .ds_column = "D.S", .y_column = "\"select\""};
    assert_rows(&o, TIDE_DS_DATE, "a|0|1\n");
    reading r;
    read_all(&o, &r);
    cr_assert_eq(strncmp(r.name, "postgres \"My.Schema", 19), 0, "%s", r.name);
    sql("DROP SCHEMA \"My.Schema %s\" CASCADE", schema);
}

Test(postgres, what_does_not_exist_is_named) {
    sql("CREATE TABLE t (unique_id text, ds date, y float8)");
    tide_postgres_options o = table_options("nowhere");
    assert_fails(&o, TIDE_INPUT, ".nowhere\" does not exist (SQLSTATE 42P01)");
    o.table = "no_such_schema.t";
    assert_fails(&o, TIDE_INPUT, "relation \"no_such_schema.t\" does not exist");
    o = table_options("t");
    o.y_column = "quantity";
    assert_fails(&o, TIDE_INPUT, "column \"quantity\" does not exist (SQLSTATE 42703)");
    o.y_column = "text"; /* t.text would be a function of the row */
    assert_fails(&o, TIDE_INPUT, "column \"text\" does not exist");
    const char *const malformed[] = {"", "a.b.c", "\"open", "\"a\"b", ".t", "t."};
    for (int i = 0; i < 6; ++i) {
        o = (tide_postgres_options){.url = url, .table = malformed[i]};
        assert_fails(&o, TIDE_CONFIG, "is not a [schema.]table name");
    }
    o = query_options("SELECT 1 AS a");
    assert_fails(&o, TIDE_INPUT, "column \"unique_id\" does not exist");
    o.table = "t";
    assert_fails(&o, TIDE_CONFIG, "a table or a query");
}

Test(postgres, injection_through_a_name_is_an_unknown_name) {
    sql("CREATE TABLE t (unique_id text, ds date, y float8)");
    sql("INSERT INTO t VALUES ('a', '1970-01-01', 1)");
    static const char *const attack[] = {"t; DROP TABLE t",
                                         "t\"; DROP TABLE t; --",
                                         "t) TO STDOUT; DROP TABLE t; --",
                                         "t' OR 1=1",
                                         "(SELECT 1)",
                                         "t UNION SELECT 1",
                                         "t /*",
                                         "pg_sleep(100)"};
    char name[128];
    for (size_t i = 0; i < sizeof attack / sizeof *attack; ++i) {
        tide_postgres_options o = {.url = url, .table = attack[i]};
        assert_fails(&o, TIDE_INPUT, "does not exist (SQLSTATE 42P01)");
        o = table_options("t");
        o.id_column = attack[i];
        assert_fails(&o, TIDE_INPUT, "does not exist (SQLSTATE 42703)");
        o.id_column = NULL;
        o.ds_column = attack[i];
        assert_fails(&o, TIDE_INPUT, "does not exist (SQLSTATE 42703)");
        o.ds_column = NULL;
        o.y_column = attack[i];
        assert_fails(&o, TIDE_INPUT, "does not exist (SQLSTATE 42703)");
        o.y_column = NULL;
        snprintf(name, sizeof name, "1970-01-01' %s", attack[i]);
        o.from = name;
        reading r;
        read_all(&o, &r);
        cr_expect_eq(r.status, TIDE_CONFIG, "%s", r.err.message);
        tide_source source;
        tide_simulate_options s;
        tide_simulate_options_init(&s);
        s.n_series = 1;
        tide_simulate_open(&s, &source, NULL);
        tide_postgres_load_options l = {.url = url, .table = attack[i]};
        cr_expect_eq(tide_postgres_load(&l, &source, NULL, NULL), TIDE_INPUT);
        source.close(source.self);
    }
    tide_postgres_options o = {.url = url, .table = "\xff\xfe"};
    assert_fails(&o, TIDE_CONFIG, "not valid text");
    cr_assert_eq(sql("SELECT count(*) FROM t"), 1);
}

Test(postgres, bounds_take_in_both_ends) {
    static const char *const type[] = {"date", "timestamp", "timestamptz", "int4"};
    for (int i = 0; i < 4; ++i) {
        sql("SET TimeZone = 'UTC'");
        sql("CREATE TABLE t (unique_id text, ds %s, y int)", type[i]);
        if (i < 3)
            sql("INSERT INTO t SELECT 'a', '2024-01-01'::timestamp + n * interval '12 hours', n FROM "
                "generate_series(0, 9, %d) n",
                i == 0 ? 2 : 1);
        else
            sql("INSERT INTO t SELECT 'a', n, n FROM generate_series(0, 9) n");
        tide_postgres_options o = table_options("t");
        o.from = i < 3 ? "2024-01-02" : "3";
        o.to = i < 3 ? "2024-01-03" : "4";
        reading r;
        read_all(&o, &r);
        cr_assert_eq(r.status, TIDE_OK, "%s", r.err.message);
        const char *rows[] = {
            "a|19724|2\na|19725|4\n",
            "a|1704153600000000|2\na|1704196800000000|3\na|1704240000000000|4\na|1704283200000000|5\n",
            "a|1704153600000000|2\na|1704196800000000|3\na|1704240000000000|4\na|1704283200000000|5\n",
            "a|3|3\na|4|4\n"};
        cr_expect_str_eq(r.text, rows[i]);
        o.to = NULL;
        read_all(&o, &r);
        cr_expect_eq(r.rows, i == 0 ? 4 : i == 3 ? 7 : 8);
        o.to = o.from;
        o.from = NULL;
        read_all(&o, &r);
        cr_expect_eq(r.rows, i == 0 ? 2 : 4);
        o.to = i < 3 ? "7" : "2024-01-02";
        read_all(&o, &r);
        cr_expect_eq(r.status, TIDE_CONFIG);
        cr_expect(strstr(r.err.message, "source.to: "), "%s", r.err.message);
        sql("DROP TABLE t");
    }
}

Test(postgres, rows_come_ordered_whatever_the_collation_and_the_index) {
    /* ICU's root collation puts a before B, bytes do not; a loose collation even calls them equal. */
    static const char *const collation[] = {"COLLATE \"C\"", "", "COLLATE \"und-x-icu\"", "COLLATE loose"};
    for (int i = 0; i < 8; ++i) {
        if (i % 4 == 3)
            sql("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
        sql("CREATE TABLE t (unique_id text %s, ds int, y int)", collation[i % 4]);
        sql("INSERT INTO t SELECT CASE WHEN n %% 2 = 0 THEN 'k' ELSE 'K' END || n %% 700, n / 700, n FROM "
            "generate_series(0, 41999) n ORDER BY random()");
        if (i >= 4)
            sql("CREATE INDEX ON t (unique_id, ds)");
        sql("ANALYZE t");
        tide_postgres_options o = table_options("t");
        tide_source source;
        tide_error err;
        cr_assert_eq(tide_postgres_open(&o, &source, &err), TIDE_OK, "%s", err.message);
        tide_rows rows;
        size_t n = 0, series = 0;
        char last[32] = "";
        int64_t last_ds = 0;
        uint64_t done, total;
        while (source.next(source.self, &rows, &err) == TIDE_OK && rows.n) {
            for (size_t k = 0; k < rows.n; ++k, ++n) {
                char id[32] = "";
                memcpy(id, rows.bytes + rows.id_at[k], rows.id_length[k]);
                if (strcmp(id, last) != 0)
                    ++series, memcpy(last, id, sizeof last);
                else
                    cr_assert_gt(rows.ds[k], last_ds);
                last_ds = rows.ds[k];
            }
            source.progress(source.self, &done, &total);
            cr_assert(done > 0 && total >= done && total < 3 * 42000 * 40);
        }
        cr_assert_eq(n, 42000);
        cr_assert_eq(series, 700, "case %d: %zu runs of ids", i, series);
        source.close(source.self);
        sql("DROP TABLE t");
        if (i % 4 == 3)
            sql("DROP COLLATION loose");
    }
}

Test(postgres, an_empty_table_ends_at_once_with_its_kind) {
    sql("CREATE TABLE t (unique_id text, ds timestamp, y int)");
    tide_postgres_options o = table_options("t");
    assert_rows(&o, TIDE_DS_TIMESTAMP, "");
}

/* --- queries -----------------------------------------------------------------------------------------------
 */

Test(postgres, a_query_reads_and_cannot_write) {
    sql("CREATE TABLE t (unique_id text, ds date, y float8)");
    sql("CREATE FUNCTION sneak() RETURNS int LANGUAGE sql VOLATILE AS $$ INSERT INTO %s.t VALUES ('x', "
        "'1970-01-01', 1) "
        "RETURNING 1 $$",
        schema);
    tide_postgres_options o = query_options("SELECT 'a' AS unique_id, 1 AS ds, 2 AS y ; -- no comment");
    assert_fails(&o, TIDE_INPUT, "syntax error");
    o.query = "SELECT 'a' AS unique_id, 1 AS ds, 2 AS y -- a comment";
    assert_rows(&o, TIDE_DS_INTEGER, "a|1|2\n");
    o.query = "WITH q AS (SELECT 1 AS ds) SELECT text 'a' AS unique_id, ds, 2 AS y FROM q ; \n";
    assert_rows(&o, TIDE_DS_INTEGER, "a|1|2\n");
    char query[512];
    const char *const bad[][2] = {
        {"INSERT INTO %s.t VALUES ('x', '1970-01-01', 1) RETURNING unique_id, ds, y", "syntax error"},
        {"WITH w AS (DELETE FROM %s.t RETURNING *) SELECT * FROM w",
         "WITH clause containing a data-modifying"},
        {"SELECT 'a' AS unique_id, %s.sneak() AS ds, 2 AS y", "read-only transaction (SQLSTATE 25006)"},
        {"SELECT 1) q; DROP TABLE %s.t; SELECT * FROM (SELECT 1", "(SQLSTATE 42"},
        {"SELECT 'a' AS unique_id, 1 AS ds, 2 AS y; DROP TABLE %s.t", "(SQLSTATE 42"},
        {"SELECT 'a' AS unique_id, 1 AS ds, 2 AS y) AS q) TO STDOUT; DROP TABLE %s.t; --", "(SQLSTATE 42"},
        {"SELECT set_config('transaction_read_only', 'off', true) AS unique_id, %s.sneak() AS ds, 2 AS y",
         "(SQLSTATE 25"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        snprintf(query, sizeof query, bad[i][0], schema);
        o.query = query;
        assert_fails(&o, TIDE_INPUT, bad[i][1]);
    }
    o.query = "SELECT 'a'::text AS unique_id, 1 / (n - 50000) AS ds, 2 AS y FROM generate_series(1, 60000) n";
    assert_fails(&o, TIDE_INPUT, "reading rows: division by zero (SQLSTATE 22012)");
    cr_assert_eq(sql("SELECT count(*) FROM t"), 0);
}
