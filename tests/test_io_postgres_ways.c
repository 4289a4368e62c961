/* test_io_postgres_ways.c - the ways of reading a table (postgres_plan.h): the same rows in the same order whatever the
 * number of connections, the index and the memory; and what happens when the server fails meanwhile. */
#include "host/hash.h"
#include "kernels/tide_fn.h"
#include "tests/postgres_fixture.h"

TestSuite(postgres_ways, .init = connect_control, .fini = drop_schema, .timeout = 120);

/* What a reading gave: a hash over all rows in their order. */
typedef struct digest {
    tide_status status;
    uint64_t rows, faults, hash;
    char how[256];
    tide_error err;
} digest;

static void add_rows(digest *d, const tide_rows *rows) {
    for (size_t i = 0; i < rows->n; ++i) {
        int fault = rows->fault ? rows->fault[i] : 0;
        cr_assert_eq(rows->line[i], ++d->rows);
        d->faults += fault != 0;
        d->hash = tide_hash_word(d->hash, tide_hash_bytes(rows->bytes + rows->id_at[i], rows->id_length[i]));
        d->hash = tide_hash_word(tide_hash_word(d->hash, (uint64_t)rows->ds[i]), tide_to_bits(rows->y[i]));
        d->hash = tide_hash_word(d->hash, (uint64_t)fault);
    }
}

static void read_rest(tide_source *source, digest *d) {
    tide_rows rows = {0};
    do {
        d->status = source->next(source->self, &rows, &d->err);
        if (d->status == TIDE_OK)
            add_rows(d, &rows);
    } while (d->status == TIDE_OK && rows.n);
    source->describe(source->self, d->how, sizeof d->how);
    source->close(source->self);
}

static digest read_digest(const tide_postgres_options *o) {
    digest d = {.status = TIDE_OK};
    tide_source source;
    d.status = tide_postgres_open(o, &source, &d.err);
    if (d.status == TIDE_OK)
        read_rest(&source, &d);
    return d;
}

static void assert_same(const digest *a, const digest *b, const char *what) {
    cr_assert_eq(a->status, TIDE_OK, "%s: %s", what, a->err.message);
    cr_assert_eq(b->status, TIDE_OK, "%s: %s", what, b->err.message);
    cr_assert(a->rows == b->rows && a->faults == b->faults && a->hash == b->hash,
              "%s: %llu rows by %s, %llu rows by %s: not the same", what, (unsigned long long)a->rows, a->how,
              (unsigned long long)b->rows, b->how);
}

static void assert_way(const digest *d, const char *way) {
    cr_assert(strstr(d->how, way), "'%s' is not '%s'", d->how, way);
}

/* --- the same rows --------------------------------------------------------------------------------------- */

/* 60,000 rows of 600 series in order of time, with gaps, duplicates, odd times and NULL and empty ids (for texts). */
static void make_table(const char *name, const char *id, const char *type, int odd) {
    sql("CREATE TABLE %s (unique_id %s, ds date, y float8)", name, type);
    sql("INSERT INTO %s SELECT %s, '2024-01-01'::date + t, i * 1000 + t FROM generate_series(0, 99) t, "
        "generate_series(0, 599) i",
        name, id);
    if (!odd)
        return;
    sql("INSERT INTO %s SELECT unique_id, '-infinity', y FROM %s WHERE y = 3 AND ds = '2024-01-04'", name, name);
    sql("INSERT INTO %s SELECT unique_id, 'infinity', y + 1 FROM %s WHERE y = 3 AND ds = '2024-01-04'", name, name);
    sql("INSERT INTO %s SELECT unique_id, NULL, y + 2 FROM %s WHERE y = 3 AND ds = '2024-01-04'", name, name);
    sql("INSERT INTO %s SELECT unique_id, '0044-03-15 BC', y + 3 FROM %s WHERE y = 3 AND ds = '2024-01-04'", name, name);
    sql("INSERT INTO %s SELECT unique_id, '2024-01-09', -k FROM %s, generate_series(1, 3) k WHERE y = 3 AND ds = '2024-01-04'", name, name);
    sql("INSERT INTO %s SELECT NULL, '2024-01-01'::date + t, t FROM generate_series(0, 9) t", name);
}

Test(postgres_ways, rows_and_order_do_not_depend_on_connections_index_and_memory) {
    static const char *const types[][2] = {{"'id ' || i * 7 % 1000", "text"},
                                           {"'id ' || i * 7 % 1000", "text COLLATE \"C\""},
                                           {"(i * 7 % 1000 - 500) * 1000000", "int4"},
                                           {"(i - 300) * 5000000000", "int8"},
                                           {"i - 300", "int2"},
                                           {"md5(i::text)::uuid", "uuid"},
                                           {"i || 'x'", "char(8)"},
                                           {"i || 'y'", "varchar(9)"},
                                           {"(i || 'z')::name", "name"}};
    for (size_t k = 0; k < sizeof types / sizeof *types; ++k) {
        make_table("t", types[k][0], types[k][1], 1);
        sql("ANALYZE t");
        tide_postgres_options o = table_options("t");
        o.range_rows = 5000;
        o.connections = 1;
        digest first = read_digest(&o);
        cr_assert_eq(first.status, TIDE_OK, "%s: %s", types[k][1], first.err.message);
        cr_assert_eq(first.rows, (uint64_t)sql("SELECT count(*) FROM t"));
        assert_way(&first, "ranges of pages, rows grouped here");
        for (int c = 2; c <= 4; c += 2) { /* the same by several, and with almost nothing in memory */
            o.connections = c;
            o.memory_bytes = c == 4 ? 1000 : 0;
            digest other = read_digest(&o);
            assert_same(&first, &other, types[k][1]);
        }
        /* By the index. Equal id and ds are in no order there, so that their number is looked at, not their hash. */
        sql("DELETE FROM t WHERE y < 0");
        sql("CREATE INDEX ON t (unique_id, ds)");
        sql("CLUSTER t USING t_unique_id_ds_idx");
        sql("ANALYZE t");
        o.memory_bytes = 0;
        o.connections = 1;
        digest ordered = read_digest(&o);
        assert_way(&ordered, "ranges of ids by an index");
        cr_assert_eq(ordered.rows, (uint64_t)sql("SELECT count(*) FROM t"));
        for (int c = 2; c <= 4; c += 2) {
            o.connections = c;
            o.memory_bytes = c == 4 ? 1000 : 0;
            digest other = read_digest(&o);
            assert_same(&ordered, &other, types[k][1]);
        }
        sql("DROP INDEX t_unique_id_ds_idx");
        o.memory_bytes = 0;
        digest grouped = read_digest(&o);
        assert_way(&grouped, "ranges of pages");
        assert_same(&ordered, &grouped, types[k][1]);
        sql("DROP TABLE t");
    }
}

Test(postgres_ways, an_own_collation_cuts_at_its_own_order) {
    sql("CREATE TABLE t (unique_id text COLLATE \"und-x-icu\", ds int, y float8)");
    sql("INSERT INTO t SELECT CASE WHEN n %% 2 = 0 THEN 'k' ELSE 'K' END || n / 100, n %% 100, n FROM "
        "generate_series(0, 59999) n");
    sql("CREATE INDEX ON t (unique_id, ds)");
    sql("CLUSTER t USING t_unique_id_ds_idx");
    sql("ANALYZE t");
    tide_postgres_options o = table_options("t");
    o.range_rows = 5000;
    o.connections = 1;
    digest one = read_digest(&o);
    o.connections = 4;
    digest four = read_digest(&o);
    assert_same(&one, &four, "icu");
    assert_way(&one, "ranges of ids by an index");
    cr_assert_eq(one.rows, 60000);
}

Test(postgres_ways, without_statistics_pages_are_sampled) {
    make_table("t", "i", "int4", 0);
    sql("CREATE INDEX ON t (unique_id, ds)");
    sql("CLUSTER t USING t_unique_id_ds_idx");
    sql("ALTER TABLE t ALTER unique_id SET STATISTICS 0");
    sql("VACUUM ANALYZE t");
    tide_postgres_options o = table_options("t");
    o.range_rows = 5000;
    o.connections = 3;
    digest d = read_digest(&o);
    cr_assert_eq(d.status, TIDE_OK, "%s", d.err.message);
    assert_way(&d, "ranges of ids by an index");
    cr_assert_eq(d.rows, 60000);
    sql("DROP INDEX t_unique_id_ds_idx");
    digest grouped = read_digest(&o);
    assert_same(&d, &grouped, "sampled");
}

Test(postgres_ways, a_table_by_time_is_read_as_it_lies_although_it_has_an_index) {
    make_table("t", "'id' || i", "text COLLATE \"C\"", 0);
    sql("CREATE INDEX ON t (unique_id, ds)");
    sql("SET random_page_cost = 0.1");
    sql("ANALYZE t");
    tide_postgres_options o = table_options("t");
    o.range_rows = 5000;
    digest d = read_digest(&o);
    assert_way(&d, "rows grouped here");
    cr_assert_eq(d.rows, 60000);
}

Test(postgres_ways, views_partitions_and_queries_give_the_same) {
    make_table("t", "'id' || i", "text", 0);
    sql("CREATE VIEW v AS SELECT * FROM t");
    sql("CREATE TABLE p (unique_id text, ds date, y float8) PARTITION BY RANGE (ds)");
    sql("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (MINVALUE) TO ('2024-01-20')");
    sql("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2024-01-20') TO (MAXVALUE)");
    sql("INSERT INTO p SELECT * FROM t");
    sql("CREATE TABLE parent (unique_id text, ds date, y float8)");
    sql("CREATE TABLE child () INHERITS (parent)");
    sql("INSERT INTO parent SELECT * FROM t WHERE ds < '2024-03-01'");
    sql("INSERT INTO child SELECT * FROM t WHERE ds >= '2024-03-01'");
    sql("ANALYZE");
    tide_postgres_options o = table_options("t");
    o.connections = 2;
    digest table = read_digest(&o);
    static const char *const others[] = {"v", "p", "parent"};
    for (int i = 0; i < 3; ++i) {
        tide_postgres_options other = table_options(others[i]);
        other.connections = 2;
        digest d = read_digest(&other);
        assert_same(&table, &d, others[i]);
        assert_way(&d, i == 0 ? "1 connection, in one piece" : "2 connections, ");
    }
    char query[128];
    snprintf(query, sizeof query, "SELECT * FROM %s.t", schema);
    o = query_options(query);
    o.connections = 2;
    digest d = read_digest(&o);
    assert_same(&table, &d, "query");
    assert_way(&d, "1 connection, in one piece, rows grouped here");
    /* An index under a view: in order, in one stream. */
    sql("CREATE INDEX ON t (unique_id, ds)");
    sql("SET enable_seqscan = off");
    sql("CLUSTER t USING t_unique_id_ds_idx");
    sql("ANALYZE t");
    o = table_options("v");
    o.range_rows = 5000;
    d = read_digest(&o);
    assert_same(&table, &d, "view by index");
    assert_way(&d, "in one piece, in order");
}

Test(postgres_ways, wrong_cuts_and_one_large_series_are_grouped_all_the_same) {
    /* A query has no statistics, so that all rows fall into one part, which is split afterwards: 1.2 million rows, half
     * of them of one id. */
    sql("CREATE UNLOGGED TABLE t AS SELECT CASE WHEN n %% 2 = 0 THEN 'heavy' ELSE 'id' || n %% 4999 END AS unique_id, "
        "n AS ds, n::float8 AS y FROM generate_series(1, 1200000) n");
    char text[128];
    snprintf(text, sizeof text, "SELECT * FROM %s.t", schema);
    tide_postgres_options o = query_options(text);
    digest in_memory = read_digest(&o);
    o.memory_bytes = 1;
    digest on_disk = read_digest(&o);
    assert_same(&in_memory, &on_disk, "query");
    cr_assert_eq(in_memory.rows, 1200000);
    sql("ANALYZE t");
    o = table_options("t");
    o.connections = 2;
    digest table = read_digest(&o);
    assert_same(&in_memory, &table, "table");
}

/* --- bounds ---------------------------------------------------------------------------------------------- */

Test(postgres_ways, a_days_increment_comes_by_every_way) {
    make_table("t", "'id' || i", "text", 0);
    tide_postgres_options o = table_options("t");
    digest d[4];
    o.has_after = 1;
    o.after_ds = 19723 + 98; /* 2024-01-01 is day 19723; the last is day 99 */
    for (int i = 0; i < 4; ++i) {
        if (i == 1)
            sql("CREATE INDEX ON t (ds)");
        if (i == 2)
            sql("DROP INDEX t_ds_idx");
        if (i == 2)
            sql("CREATE INDEX ON t (unique_id, ds)");
        o.connections = i == 3 ? 4 : 1;
        sql("ANALYZE t");
        d[i] = read_digest(&o);
        cr_assert_eq(d[i].status, TIDE_OK, "%s", d[i].err.message);
        cr_assert_eq(d[i].rows, 600);
        assert_same(&d[0], &d[i], "increment");
    }
    o.after_ds = 19723 + 99;
    cr_assert_eq(read_digest(&o).rows, 0);
    o.after_ds = INT64_MIN;
    cr_assert_eq(read_digest(&o).rows, 60000);
    o.after_ds = 19723 + 9;
    o.from = "2024-01-01";
    o.to = "2024-01-12";
    cr_assert_eq(read_digest(&o).rows, 1200); /* the 11th and the 12th */
}

/* --- packed tables --------------------------------------------------------------------------------------- */

/* The statement of io/POSTGRES.md over a regular grid. */
Test(postgres_ways, a_packed_table_gives_the_rows_of_the_long_one) {
    static const char *const steps[][2] = {{"D", "1 day"}, {"M", "1 month"}, {"W", "7 days"}};
    for (int k = 0; k < 3; ++k) {
        sql("CREATE TABLE t AS SELECT 'id' || i AS unique_id, ('2020-01-31'::date + t * interval '%s')::date AS ds, "
            "i + t / 10.0::float8 AS y FROM generate_series(1, 300) i, generate_series(0, 39) t",
            steps[k][1]);
        sql("DELETE FROM t WHERE ds > (SELECT min(ds) FROM t) AND ds < (SELECT max(ds) FROM t) AND y::int %% 7 = 3");
        for (int narrow = 0; narrow < 2; ++narrow) {
            sql("CREATE TABLE packed AS SELECT s.unique_id, s.first AS ds, array_agg(t.y%s ORDER BY g.n) AS values "
                "FROM (SELECT unique_id, min(ds) AS first, max(ds) AS last FROM t GROUP BY unique_id) s "
                "CROSS JOIN LATERAL (SELECT n, (s.first + n * interval '%s')::date AS ds FROM generate_series(0, 100000) n "
                "WHERE s.first + n * interval '%s' <= s.last LIMIT 40) g "
                "LEFT JOIN t ON t.unique_id = s.unique_id AND t.ds = g.ds GROUP BY 1, 2",
                narrow ? "::float4" : "", steps[k][1], steps[k][1]);
            sql("ALTER TABLE packed ADD PRIMARY KEY (unique_id)");
            sql("ANALYZE packed");
            tide_postgres_options o = table_options("packed");
            o.packed = 1;
            o.y_column = "values";
            cr_assert_eq(tide_freq_parse(steps[k][0], &o.freq, NULL), TIDE_OK);
            o.range_rows = 2000;
            o.connections = 1;
            digest one = read_digest(&o);
            o.connections = 3;
            digest three = read_digest(&o);
            assert_same(&one, &three, steps[k][0]);
            assert_way(&one, "ranges of ids by an index");
            cr_assert_eq(one.rows, 12000);
            char query[512];
            snprintf(query, sizeof query,
                     "SELECT p.unique_id, (p.ds + (u.n - 1) * interval '%s')::date AS ds, u.y FROM %s.packed p, "
                     "unnest(p.values) WITH ORDINALITY u(y, n)",
                     steps[k][1], schema);
            tide_postgres_options long_one = query_options(query);
            digest unpacked = read_digest(&long_one);
            assert_same(&one, &unpacked, steps[k][0]);
            /* Bounds cut into series. */
            o.from = long_one.from = "2020-02-15";
            o.to = long_one.to = "2020-03-05";
            one = read_digest(&o);
            unpacked = read_digest(&long_one);
            assert_same(&one, &unpacked, "bounds");
            cr_assert(one.rows > 0 && one.rows < 12000);
            sql("DROP TABLE packed");
        }
        sql("DROP TABLE t");
    }
}

Test(postgres_ways, packed_values_that_cannot_be_used_are_told) {
    sql("CREATE TABLE packed (unique_id int, ds date, values float8[])");
    sql("INSERT INTO packed VALUES (1, '2024-01-01', '{1,NULL,NaN,3}'), (2, NULL, '{1}'), (3, '2024-01-05', '{}'), "
        "(4, '2024-01-05', NULL), (5, 'infinity', '{1,2}'), (6, '2024-01-05', '[5:6]={7,8}')");
    tide_postgres_options o = table_options("packed");
    o.packed = 1;
    o.y_column = "values";
    o.freq = (tide_freq){TIDE_UNIT_DAY, 1};
    assert_rows(&o, TIDE_DS_DATE,
                "1|19723|1\n1|19724|nan\n1|19725|nan\n1|19726|3\n2|0|nan|bad ds NULL\n5|0|nan|bad ds infinity\n"
                "6|19727|7\n6|19728|8\n");
    o.freq = (tide_freq){TIDE_UNIT_STEP, 1};
    assert_fails(&o, TIDE_INPUT, "packed (--freq gives the step)");
    o.freq = (tide_freq){TIDE_UNIT_DAY, 1};
    o.y_column = "ds";
    assert_fails(&o, TIDE_INPUT, "the values column ds has type date; it must be double precision[] or real[]");
    o.y_column = "values";
    o.packed = 0;
    assert_fails(&o, TIDE_INPUT, "the value column values has type double precision[]");
    o.packed = 1;
    sql("INSERT INTO packed VALUES (9, '2024-01-01', '{{1,2},{3,4}}')");
    assert_fails(&o, TIDE_INPUT, "an array has 2 dimensions");
}

/* --- failures -------------------------------------------------------------------------------------------- */

static void make_long_table(int indexed) {
    sql("CREATE UNLOGGED TABLE t AS SELECT 'id' || lpad((n / 100)::text, 8, '0') AS unique_id, n %% 100 AS ds, "
        "n::float8 AS y FROM generate_series(0, 399999) n");
    if (indexed)
        sql("CREATE INDEX ON t (unique_id COLLATE \"C\", ds)");
    sql("ANALYZE t");
}

/* Ends the connections of this test's readers; of their leader too when asked. How many. */
static long terminate_readers(int leader_too) {
    return sql("SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a WHERE application_name = 'tidemill' AND "
               "EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.relation = '%s.t'::regclass) AND (%s OR "
               "query LIKE 'COPY%%')",
               schema, leader_too ? "true" : "false");
}

static tide_postgres_options fragile_options(void) {
    tide_postgres_options o = table_options("t");
    o.connections = 2;
    o.range_rows = 10000;
    o.retry_wait_ms = 20;
    return o;
}

/* Reads t; after the first block, ends the connections `times` times, a block apart. */
static digest read_disturbed(const tide_postgres_options *o, int leader_too, int times) {
    digest d = {.status = TIDE_OK};
    tide_source source;
    tide_rows rows;
    cr_assert_eq(tide_postgres_open(o, &source, &d.err), TIDE_OK, "%s", d.err.message);
    for (int i = 0; i < times; ++i) {
        d.status = source.next(source.self, &rows, &d.err);
        if (d.status != TIDE_OK)
            break;
        add_rows(&d, &rows);
        terminate_readers(leader_too);
    }
    read_rest(&source, &d);
    return d;
}

Test(postgres_ways, a_lost_reader_tries_again_in_the_same_snapshot) {
    make_long_table(1);
    tide_postgres_options o = fragile_options();
    digest calm = read_digest(&o);
    assert_way(&calm, "ranges of ids");
    for (int i = 0; i < 10; ++i) {
        o.one_snapshot = 1;
        digest d = read_disturbed(&o, 0, 1 + i % 3);
        assert_same(&calm, &d, "after a loss");
        cr_assert(strstr(d.how, "overcome") && !strstr(d.how, "snapshots"), "%s", d.how);
    }
}

Test(postgres_ways, a_lost_snapshot_is_told_or_refused) {
    make_long_table(1);
    tide_postgres_options o = fragile_options();
    digest calm = read_digest(&o);
    for (int i = 0; i < 10; ++i) {
        digest d = read_disturbed(&o, 1, 1);
        assert_same(&calm, &d, "after the loss of all");
        cr_assert(strstr(d.how, "series from 2 snapshots"), "%s", d.how);
    }
    o.one_snapshot = 1;
    digest d = read_disturbed(&o, 1, 1);
    cr_assert_eq(d.status, TIDE_CONNECTION);
    cr_assert(strstr(d.err.message, "the snapshot was lost, and the rest would come from a later one"), "%s",
              d.err.message);
}

Test(postgres_ways, a_series_changed_between_snapshots_is_whole_in_either) {
    /* All values of a series say when it was written; no series may show both. */
    make_long_table(1);
    sql("UPDATE t SET y = 1");
    sql("ANALYZE t");
    tide_postgres_options o = fragile_options();
    tide_source source;
    tide_rows rows;
    tide_error err;
    cr_assert_eq(tide_postgres_open(&o, &source, &err), TIDE_OK, "%s", err.message);
    size_t n = 0, series = 0, later = 0;
    char id[16] = "";
    double y = 0;
    for (int turn = 0; source.next(source.self, &rows, &err) == TIDE_OK && rows.n; ++turn) {
        for (size_t i = 0; i < rows.n; ++i, ++n) {
            const char *now = rows.bytes + rows.id_at[i];
            if (memcmp(id, now, 10) != 0) {
                memcpy(id, now, 10);
                y = rows.y[i];
                ++series;
                later += y == 2;
            }
            cr_assert_eq(rows.y[i], y, "series %.10s is of two snapshots", id);
        }
        if (turn == 0) {
            sql("UPDATE t SET y = 2");
            terminate_readers(1);
        }
    }
    source.close(source.self);
    cr_assert(n == 400000 && series == 4000, "%zu rows, %zu series", n, series);
    cr_assert(later > 0 && later < series);
}

Test(postgres_ways, grouping_begins_again_when_its_snapshot_is_lost) {
    make_long_table(0);
    tide_postgres_options o = fragile_options();
    digest calm = read_digest(&o);
    assert_way(&calm, "rows grouped here");
    int hit = 0;
    for (int i = 0; i < 12; ++i) {
        digest d = {.status = TIDE_OK};
        tide_source source;
        cr_assert_eq(tide_postgres_open(&o, &source, &d.err), TIDE_OK, "%s", d.err.message);
        usleep((useconds_t)(i * 7000));
        terminate_readers(i % 2);
        sql("UPDATE t SET y = y WHERE unique_id < 'id00000100'"); /* rows move to other pages */
        read_rest(&source, &d);
        assert_same(&calm, &d, "after a loss while grouping");
        cr_assert_eq(strstr(d.how, "snapshots"), NULL, "%s", d.how);
        hit += strstr(d.how, "overcome") != NULL;
    }
    cr_assert_gt(hit, 0, "no loss came at the right moment");
}

Test(postgres_ways, tries_end_with_the_reason) {
    /* A role that may not connect again. */
    char own_url[256];
    make_long_table(1);
    sql("CREATE ROLE r%s LOGIN", schema);
    sql("GRANT USAGE ON SCHEMA %s TO r%s", schema, schema);
    sql("GRANT SELECT ON t TO r%s", schema);
    const char *rest = strchr(url, '@');
    cr_assert(rest);
    snprintf(own_url, sizeof own_url, "postgresql://r%s%s", schema, rest);
    tide_postgres_options o = fragile_options();
    o.url = own_url;
    o.retries = 2;
    digest d = {.status = TIDE_OK};
    tide_source source;
    tide_rows rows;
    cr_assert_eq(tide_postgres_open(&o, &source, &d.err), TIDE_OK, "%s", d.err.message);
    cr_assert_eq(source.next(source.self, &rows, &d.err), TIDE_OK);
    add_rows(&d, &rows);
    sql("ALTER ROLE r%s NOLOGIN", schema);
    terminate_readers(0);
    read_rest(&source, &d);
    sql("DROP OWNED BY r%s", schema);
    sql("DROP ROLE r%s", schema);
    cr_assert_eq(d.status, TIDE_CONNECTION);
    cr_assert(strstr(d.err.message, ".t: connecting: ") && strstr(d.err.message, "not permitted to log in"), "%s",
              d.err.message);
    cr_assert_lt(d.rows, 400000);
}

Test(postgres_ways, a_table_cannot_change_under_its_readers) {
    make_long_table(1);
    tide_postgres_options o = fragile_options();
    o.retry_wait_ms = 1500;
    static const char *const change[] = {"DROP TABLE t", "TRUNCATE t", "ALTER TABLE t ALTER y TYPE int8"};
    for (int i = 0; i < 3; ++i) {
        tide_source source;
        tide_rows rows;
        digest d = {.status = TIDE_OK};
        cr_assert_eq(tide_postgres_open(&o, &source, &d.err), TIDE_OK, "%s", d.err.message);
        cr_assert_eq(source.next(source.self, &rows, &d.err), TIDE_OK);
        add_rows(&d, &rows);
        sql("SET lock_timeout = '100ms'");
        PGresult *r = PQexec(control, change[i]);
        cr_assert_str_eq(PQresultErrorField(r, PG_DIAG_SQLSTATE), "55P03", "%s went through", change[i]);
        PQclear(r);
        sql("SET lock_timeout = '20s'");
        if (i == 2) { /* without them it can: then the run ends */
            terminate_readers(1);
            sql("%s", change[i]);
            read_rest(&source, &d);
            cr_assert_eq(d.status, TIDE_INPUT, "%s", d.err.message);
            cr_assert(strstr(d.err.message, ".t: checking table and columns: the table was replaced or altered"), "%s",
                      d.err.message);
        } else {
            read_rest(&source, &d);
            cr_assert_eq(d.status, TIDE_OK, "%s", d.err.message);
            cr_assert_eq(d.rows, 400000);
        }
    }
}

Test(postgres_ways, closing_early_wakes_all_who_wait) {
    make_long_table(1);
    tide_postgres_options o = fragile_options();
    o.retry_wait_ms = 60000;
    for (int i = 0; i < 10; ++i) {
        tide_source source;
        tide_rows rows;
        tide_error err;
        o.connections = 1 + i % 4;
        cr_assert_eq(tide_postgres_open(&o, &source, &err), TIDE_OK, "%s", err.message);
        if (i % 2)
            cr_assert_eq(source.next(source.self, &rows, &err), TIDE_OK);
        if (i >= 7) {
            terminate_readers(0); /* they wait a minute for their next try */
            usleep(50000);
        }
        source.close(source.self); /* the suite's time limit is the assertion */
    }
}
