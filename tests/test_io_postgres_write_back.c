/* test_io_postgres_write_back.c - forecasts into a table that readers see whole, old or new: values, what is carried over,
 * what is refused, readers and writers at the same time. */
#include "io/postgres_forecasts.h"
#include "kernels/tide_fn.h"
#include "tests/postgres_fixture.h"

#include <sys/wait.h>

TestSuite(postgres_write_back, .init = connect_control, .fini = drop_schema, .timeout = 120);

enum { HORIZON = 3 };

static const double levels[2] = {0.8, 0.975};

static tide_write_back_options options(const char *table) {
    static char name[2][256];
    static int turn;
    turn = !turn;
    snprintf(name[turn], sizeof name[turn], "%s.%s", schema, table);
    return (tide_write_back_options){.url = url, .table = name[turn], .ds_kind = TIDE_DS_DATE, .n_levels = 2, .level = levels,
                                     .run_id = "run-1", .generation = 1, .connect_timeout_s = 5, .read_timeout_s = 30,
                                     .lock_timeout_s = 30};
}

static tide_grid grid_of(tide_ds_kind kind) {
    return tide_grid_start((tide_freq){kind == TIDE_DS_INTEGER ? TIDE_UNIT_STEP : TIDE_UNIT_DAY, 1}, kind,
                           kind == TIDE_DS_TIMESTAMP ? INT64_C(19722) * 86400000000 : 19722, 0); /* 2023-12-31 */
}

/* Sends n series "S0" ..., whose mean is value + step; the last has no model (NaN) when asked. */
static tide_status send_series(tide_write_back *w, const tide_write_back_options *o, int n, double value, tide_error *err) {
    for (int i = 0; i < n; ++i) {
        char id[32], *bytes = NULL;
        size_t size = 0;
        double mean[HORIZON], lo[2 * HORIZON], hi[2 * HORIZON];
        for (int h = 0; h < HORIZON; ++h) {
            mean[h] = i == 3 ? TIDE_NAN : value + h;
            for (int l = 0; l < 2; ++l) {
                lo[l * HORIZON + h] = mean[h] - 1 - l;
                hi[l * HORIZON + h] = mean[h] + 1 + l;
            }
        }
        snprintf(id, sizeof id, "S%d", i);
        const tide_write_back_series s = {.id = id, .id_length = strlen(id), .grid = grid_of(o->ds_kind), .has_ds = i != 4,
                                          .first = 1, .last = HORIZON, .horizon = HORIZON, .mean = mean, .lo = lo, .hi = hi};
        FILE *f = open_memstream(&bytes, &size);
        tide_status status = tide_write_back_rows(w, f, &s, err);
        fclose(f);
        if (!status)
            status = tide_write_back_send(w, bytes, size, HORIZON, err);
        free(bytes);
        TIDE_TRY(status);
    }
    return TIDE_OK;
}

static tide_status send_member(tide_write_back *w, const char *id, int32_t j, const tide_member *m, tide_error *err) {
    const tide_series_model series = {.id = id, .id_length = strlen(id), .n_members = 2};
    char *bytes = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&bytes, &size);
    tide_status status = tide_write_back_member(w, f, &series, j, m, err);
    fclose(f);
    if (!status)
        status = tide_write_back_send(w, bytes, size, 1, err);
    free(bytes);
    return status;
}

static tide_status try_write(const tide_write_back_options *o, int n, double value, tide_error *err) {
    tide_write_back *w = NULL;
    tide_status status = tide_write_back_open(o, &w, err);
    if (!status)
        status = send_series(w, o, n, value, err);
    if (!status && o->parameters) {
        const double coef[2] = {0.25, TIDE_NAN};
        const tide_member a = {.family = TIDE_FAMILY_ETS, .form = 0, .weight = 0.75, .sigma2 = 2, .loglik = -3, .criterion = 9, .n_coef = 2, .coef = coef};
        const tide_member b = {.family = TIDE_FAMILY_NAIVE, .form = 0, .weight = 0.25, .sigma2 = TIDE_NAN, .loglik = TIDE_NAN, .criterion = TIDE_NAN};
        status = tide_write_back_parameters(w, err);
        if (!status)
            status = send_member(w, "S0", 0, &a, err);
        if (!status)
            status = send_member(w, "S0", 1, &b, err);
    }
    if (!status)
        status = tide_write_back_finish(w, NULL, err);
    tide_write_back_close(w);
    return status;
}

static void writes(const tide_write_back_options *o, int n, double value) {
    tide_error err = {TIDE_OK, ""};
    cr_assert_eq(try_write(o, n, value, &err), TIDE_OK, "%s", err.message);
}

static void fails(const tide_write_back_options *o, tide_status status, const char *part) {
    tide_error err = {TIDE_OK, ""};
    tide_status got = try_write(o, 5, 7, &err);
    cr_expect_eq(got, status, "%d, not %d: %s", got, status, err.message);
    cr_expect(strstr(err.message, part), "'%s' lacks '%s'", err.message, part);
}

static const char *text_of(const char *query) {
    static char text[2048];
    PGresult *r = PQexec(control, query);
    cr_assert_eq(PQresultStatus(r), PGRES_TUPLES_OK, "%s", PQresultErrorMessage(r));
    snprintf(text, sizeof text, "%s", PQntuples(r) ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    return text;
}

static long leftovers(void) {
    return sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'tidemill%%' AND relnamespace = '%s'::regnamespace", schema);
}

Test(postgres_write_back, rows_are_what_was_sent) {
    tide_write_back_options o = options("f");
    char parameters[64];
    snprintf(parameters, sizeof parameters, "%s.p", schema);
    o.parameters = parameters;
    writes(&o, 6, 10);
    cr_expect_eq(sql("SELECT count(*) FROM f"), 18);
    cr_expect_str_eq(text_of("SELECT string_agg(concat_ws('|', ds, mean, lo_80, hi_80, lo_97_5, hi_97_5, run_id, generation), ' ' ORDER BY ds) FROM f WHERE unique_id = 'S1'"),
                     "2024-01-01|10|9|11|8|12|run-1|1 2024-01-02|11|10|12|9|13|run-1|1 2024-01-03|12|11|13|10|14|run-1|1");
    cr_expect_eq(sql("SELECT count(*) FROM f WHERE unique_id = 'S3' AND mean IS NULL AND lo_80 IS NULL"), 3);
    cr_expect_eq(sql("SELECT count(*) FROM f WHERE unique_id = 'S4' AND ds IS NULL AND mean = 10"), 1);
    cr_expect_str_eq(text_of("SELECT pg_get_indexdef(indexrelid, 1, true) || ', ' || pg_get_indexdef(indexrelid, 2, true) FROM pg_index WHERE indrelid = 'f'::regclass"),
                     "unique_id, ds");
    cr_expect_str_eq(text_of("SELECT string_agg(concat_ws('|', unique_id, member, family, form, weight, coefficients, sigma2, loglik, criterion), ' ' ORDER BY member) FROM p"),
                     "S0|0|ets|ANN|0.75|{0.25,NaN}|2|-3|9 S0|1|naive||0.25|{}");
    cr_expect_gt(sql("SELECT reltuples FROM pg_class WHERE oid = 'f'::regclass"), 0);
    cr_expect_eq(leftovers(), 0);
}

Test(postgres_write_back, a_new_set_replaces_the_old_one) {
    for (int in_place = 0; in_place < 2; ++in_place)
        for (int kind = 0; kind < 3; ++kind) {
            tide_write_back_options o = options("f");
            o.replace_rows = in_place;
            o.ds_kind = (tide_ds_kind)kind;
            writes(&o, 6, 10);
            long oid = sql("SELECT 'f'::regclass::oid");
            o.run_id = "run-2";
            o.generation = 2;
            writes(&o, 4, 20);
            cr_expect_eq(sql("SELECT count(*) FROM f WHERE run_id = 'run-2' AND generation = 2"), 12);
            cr_expect_eq(sql("SELECT count(*) FROM f"), 12);
            cr_expect_eq(sql("SELECT count(*) FROM f WHERE unique_id = 'S0' AND mean >= 20"), 3);
            cr_expect_eq(sql("SELECT 'f'::regclass::oid") == oid, in_place);
            cr_expect_eq(sql("SELECT count(*) FROM pg_index WHERE indrelid = 'f'::regclass"), 1);
            cr_expect_eq(sql("SELECT count(*) FROM pg_class WHERE relname = 'f_key' AND relnamespace = '%s'::regnamespace", schema), 1,
                         "the index, too, has the name that it had");
            cr_expect_eq(leftovers(), 0);
            sql("DROP TABLE f");
        }
}

Test(postgres_write_back, other_levels_make_other_columns) {
    tide_write_back_options o = options("f");
    writes(&o, 2, 1);
    o.n_levels = 1;
    writes(&o, 2, 2);
    cr_expect_str_eq(text_of("SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'f'::regclass AND attnum > 0"),
                     "unique_id,ds,mean,lo_80,hi_80,lo_97_5,hi_97_5,run_id,generation", "columns that are not written stay");
    cr_expect_eq(sql("SELECT count(*) FROM f WHERE hi_97_5 IS NULL AND lo_80 IS NOT NULL"), 6);
    sql("ALTER TABLE f DROP COLUMN lo_80");
    writes(&o, 2, 3);
    cr_expect_eq(sql("SELECT count(*) FROM f WHERE mean = 3 AND lo_80 = 2"), 2);
    sql("ALTER TABLE f ADD COLUMN note text");
    sql("ALTER TABLE f DROP COLUMN hi_80");
    fails(&o, TIDE_INPUT, "no column hi_80 but a column note of someone else's");
    sql("ALTER TABLE f ADD COLUMN hi_80 numeric");
    fails(&o, TIDE_INPUT, "the column hi_80 has type numeric, not double precision");
    o.replace_rows = 1;
    sql("ALTER TABLE f DROP COLUMN hi_80");
    fails(&o, TIDE_INPUT, "the table has no column hi_80");
    cr_expect_eq(sql("SELECT count(*) FROM f WHERE mean = 3"), 2);
}

Test(postgres_write_back, a_table_of_something_else_is_left_alone) {
    sql("CREATE TABLE f (unique_id text, ds date, y float8)");
    sql("INSERT INTO f VALUES ('A', '2024-01-01', 1)");
    tide_write_back_options o = options("f");
    for (o.replace_rows = 0; o.replace_rows < 2; ++o.replace_rows)
        fails(&o, TIDE_INPUT, "the table has no column mean, so it holds no forecasts and is left alone");
    cr_expect_eq(sql("SELECT count(*) FROM f"), 1);
    sql("CREATE VIEW v AS SELECT 1 AS unique_id");
    o = options("v");
    fails(&o, TIDE_INPUT, "it is not a table");
}

Test(postgres_write_back, owner_privileges_and_properties_are_carried_over) {
    sql("CREATE ROLE %s_owner", schema);
    sql("CREATE ROLE \"%s \"\"reader\"\"\"", schema);
    tide_write_back_options o = options("f");
    writes(&o, 2, 1);
    sql("GRANT CREATE, USAGE ON SCHEMA %s TO %s_owner", schema, schema);
    sql("ALTER TABLE f OWNER TO %s_owner", schema);
    sql("GRANT SELECT, DELETE ON f TO \"%s \"\"reader\"\"\" WITH GRANT OPTION", schema);
    sql("GRANT SELECT ON f TO PUBLIC");
    sql("GRANT UPDATE (mean) ON f TO PUBLIC");
    sql("REVOKE TRIGGER ON f FROM %s_owner", schema);
    sql("ALTER TABLE f ADD COLUMN loaded timestamptz DEFAULT now()");
    sql("ALTER TABLE f ADD CHECK (generation > 0)");
    sql("ALTER TABLE f SET (fillfactor = 70, autovacuum_enabled = false)");
    sql("COMMENT ON TABLE f IS 'it''s ours'");
    sql("COMMENT ON COLUMN f.mean IS 'the mean'");
    sql("CREATE UNIQUE INDEX ON f (generation, unique_id, ds)");
    static const char *const properties[] = {
        "SELECT relowner::regrole || ' ' || relacl::text || ' ' || reloptions::text FROM pg_class WHERE oid = 'f'::regclass",
        "SELECT string_agg(attname || attacl::text, ',') FROM pg_attribute WHERE attrelid = 'f'::regclass AND attacl IS NOT NULL",
        "SELECT string_agg(description, ',' ORDER BY objsubid) FROM pg_description WHERE objoid = 'f'::regclass",
        "SELECT string_agg(regexp_replace(pg_get_indexdef(indexrelid), 'INDEX \\S+ ON', ''), ',' ORDER BY indnatts) FROM pg_index WHERE indrelid = 'f'::regclass",
        "SELECT string_agg(pg_get_constraintdef(oid), ',') FROM pg_constraint WHERE conrelid = 'f'::regclass"};
    char before[5][2048];
    for (int i = 0; i < 5; ++i)
        snprintf(before[i], sizeof before[i], "%s", text_of(properties[i]));
    cr_expect(strstr(before[0], "_owner") && strstr(before[0], "reader") && strstr(before[1], "mean"), "%s %s", before[0], before[1]);
    for (int round = 0; round < 2; ++round) { /* and over again */
        o.generation = (uint64_t)round + 2;
        writes(&o, 2, 5);
        for (int i = 0; i < 5; ++i)
            cr_expect_str_eq(text_of(properties[i]), before[i]);
        cr_expect_eq(sql("SELECT count(*) FROM f WHERE loaded IS NOT NULL AND generation = %d", round + 2), 6);
    }
    sql("DROP TABLE f");
    sql("DROP OWNED BY %s_owner, \"%s \"\"reader\"\"\"", schema, schema);
    sql("DROP ROLE %s_owner, \"%s \"\"reader\"\"\"", schema, schema);
}

Test(postgres_write_back, what_a_swap_would_lose_is_refused_and_replaced_in_place) {
    static const char *const hang[][3] = {
        {"CREATE VIEW v AS SELECT mean FROM f", "DROP VIEW v", "view "},
        {"CREATE MATERIALIZED VIEW v AS SELECT mean FROM f", "DROP MATERIALIZED VIEW v", "view "},
        {"CREATE RULE r AS ON UPDATE TO f DO ALSO NOTHING", "DROP RULE r ON f", "rule r"},
        {"CREATE FUNCTION fn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
         "CREATE TRIGGER tr AFTER INSERT ON f FOR EACH ROW EXECUTE FUNCTION fn()", "DROP FUNCTION fn CASCADE", "trigger tr"},
        {"ALTER TABLE f ENABLE ROW LEVEL SECURITY", "ALTER TABLE f DISABLE ROW LEVEL SECURITY", "row security"},
        {"CREATE TABLE child () INHERITS (f)", "DROP TABLE child", "inheritance or partition "},
        {"CREATE TABLE other (a text PRIMARY KEY); INSERT INTO other SELECT DISTINCT unique_id FROM f; "
         "ALTER TABLE f ADD FOREIGN KEY (unique_id) REFERENCES other", "DROP TABLE other CASCADE", "foreign key"}};
    for (size_t i = 0; i < sizeof hang / sizeof *hang; ++i) {
        tide_write_back_options o = options("f");
        writes(&o, 5, 1);
        sql("%s", hang[i][0]);
        fails(&o, TIDE_INPUT, hang[i][2]);
        fails(&o, TIDE_INPUT, "--replace-rows");
        cr_expect_eq(sql("SELECT count(*) FROM f WHERE mean = 1"), 4);
        o.replace_rows = 1;
        writes(&o, 5, 2);
        cr_expect_eq(sql("SELECT count(*) FROM f WHERE mean = 2"), 4);
        sql("%s", hang[i][1]);
        o.replace_rows = 0;
        writes(&o, 5, 3);
        cr_expect_eq(sql("SELECT count(*) FROM f WHERE mean = 3"), 4);
        sql("DROP TABLE f");
    }
}

Test(postgres_write_back, a_view_made_meanwhile_is_not_lost_either) {
    tide_write_back_options o = options("f");
    tide_write_back *w;
    tide_error err;
    writes(&o, 2, 1);
    cr_assert_eq(tide_write_back_open(&o, &w, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(send_series(w, &o, 2, 2, &err), TIDE_OK);
    sql("CREATE VIEW v AS SELECT mean FROM f");
    cr_expect_eq(tide_write_back_finish(w, NULL, &err), TIDE_INPUT);
    cr_expect(strstr(err.message, "dropping the old table: cannot drop table") && strstr(err.message, "view"), "%s", err.message);
    tide_write_back_close(w);
    cr_expect_eq(sql("SELECT count(*) FROM v WHERE mean = 1"), 2);
}

/* A child that replaces the set over and over; its exit code is the status. */
static pid_t write_in_child(const tide_write_back_options *o, int rounds) {
    pid_t pid = fork();
    if (pid)
        return pid;
    tide_error err = {TIDE_OK, ""};
    tide_status status = TIDE_OK;
    char run[32];
    tide_write_back_options mine = *o;
    for (int i = 1; i <= rounds && !status; ++i) {
        snprintf(run, sizeof run, "run-%d-%d", (int)getpid(), i);
        mine.run_id = run;
        status = try_write(&mine, 100 + 100 * (i % 2), i, &err);
    }
    if (status)
        fprintf(stderr, "write-back in a child: %s\n", err.message);
    _exit((int)status);
}

Test(postgres_write_back, readers_see_one_whole_set) {
    for (int in_place = 0; in_place < 2; ++in_place) {
        tide_write_back_options o = options("f");
        o.replace_rows = in_place;
        writes(&o, 100, 0);
        pid_t pid[2] = {write_in_child(&o, 20), write_in_child(&o, 20)}; /* and two writers at once */
        int alive = 2, how, seen = 0;
        char last[64] = "";
        while (alive) {
            PGresult *r = PQexec(control, "SELECT count(*) || ' ' || count(DISTINCT run_id), min(run_id) FROM f");
            cr_assert_eq(PQresultStatus(r), PGRES_TUPLES_OK, "%s", PQresultErrorMessage(r));
            const char *sum = PQgetvalue(r, 0, 0);
            cr_assert(strcmp(sum, "300 1") == 0 || strcmp(sum, "600 1") == 0, "%s", sum);
            seen += strcmp(last, PQgetvalue(r, 0, 1)) != 0;
            snprintf(last, sizeof last, "%s", PQgetvalue(r, 0, 1));
            PQclear(r);
            for (int i = 0; i < 2; ++i)
                if (pid[i] && waitpid(pid[i], &how, WNOHANG) == pid[i]) {
                    cr_assert(WIFEXITED(how) && WEXITSTATUS(how) == 0, "a writer ended with %d", how);
                    pid[i] = 0;
                    --alive;
                }
        }
        cr_expect_gt(seen, 3, "the set changed while it was read");
        cr_expect_eq(leftovers(), 0);
        sql("DROP TABLE f");
    }
}

Test(postgres_write_back, an_older_snapshot_sees_a_whole_set) {
    for (int in_place = 0; in_place < 2; ++in_place) {
        tide_write_back_options o = options("f");
        o.replace_rows = in_place;
        writes(&o, 5, 1);
        sql("BEGIN ISOLATION LEVEL REPEATABLE READ");
        sql("SELECT 1"); /* the snapshot; the table is not locked */
        writes(&o, 5, 2);
        cr_expect_eq(sql("SELECT count(*) FROM f WHERE mean IS NOT NULL"), 12, "not an empty table");
        cr_expect_eq(sql("SELECT count(DISTINCT mean) FROM f"), 3);
        sql("COMMIT");
        sql("DROP TABLE f");
    }
}

Test(postgres_write_back, readers_at_work_are_waited_for_but_not_forever) {
    tide_write_back_options o = options("f");
    writes(&o, 5, 1);
    o.lock_timeout_s = 1;
    sql("BEGIN");
    sql("SELECT count(*) FROM f");
    fails(&o, TIDE_CONNECTION, "waiting for readers of the old table");
    cr_expect_eq(sql("SELECT count(*) FROM f WHERE mean = 1"), 4);
    o.replace_rows = 1;
    writes(&o, 5, 2); /* within the table they are in nobody's way */
    sql("COMMIT");
    o.replace_rows = 0;
    writes(&o, 5, 3);
    cr_expect_eq(sql("SELECT count(*) FROM f WHERE mean = 3"), 4);
    cr_expect_eq(leftovers(), 0);
}

Test(postgres_write_back, a_failure_leaves_the_old_set) {
    tide_write_back_options o = options("f");
    tide_write_back *w;
    tide_error err;
    writes(&o, 5, 1);
    /* Closed without a finish; a table that is dropped meanwhile; an id that is no text. */
    cr_assert_eq(tide_write_back_open(&o, &w, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(send_series(w, &o, 5, 2, &err), TIDE_OK);
    tide_write_back_close(w);
    cr_expect_eq(sql("SELECT count(*) FROM f WHERE mean = 1"), 4);
    cr_assert_eq(tide_write_back_open(&o, &w, &err), TIDE_OK, "%s", err.message);
    const tide_write_back_series s = {.id = "\xff", .id_length = 1};
    cr_expect_eq(tide_write_back_rows(w, stderr, &s, &err), TIDE_INPUT);
    cr_expect(strstr(err.message, "'\\xff' is not UTF-8"), "%s", err.message);
    sql("SET lock_timeout = '100ms'"); /* while a new table is made like it, nobody can drop the old one */
    PGresult *r = PQexec(control, "DROP TABLE f");
    cr_expect_str_eq(PQresultErrorField(r, PG_DIAG_SQLSTATE), "55P03");
    PQclear(r);
    tide_write_back_close(w);
    sql("ALTER TABLE f DROP COLUMN lo_80"); /* now it is not made like it, so it can */
    cr_assert_eq(tide_write_back_open(&o, &w, &err), TIDE_OK, "%s", err.message);
    cr_assert_eq(send_series(w, &o, 5, 2, &err), TIDE_OK);
    sql("DROP TABLE f");
    cr_expect_eq(tide_write_back_finish(w, NULL, &err), TIDE_INPUT, "%s", err.message);
    cr_expect(strstr(err.message, "does not exist"), "%s", err.message);
    tide_write_back_close(w);
    writes(&o, 5, 3); /* and the next run makes it anew */
    cr_expect_eq(sql("SELECT count(*) FROM f WHERE mean = 3"), 4);
    cr_expect_eq(leftovers(), 0);
}

Test(postgres_write_back, names_are_names_whatever_they_hold) {
    static const char *const attack[] = {"f\"; DROP TABLE f; --", "f; DROP TABLE f", "f' OR '1'='1", "F", "f\\", "$1", "%s%n", "f --"};
    sql("CREATE TABLE f (a int)");
    for (size_t i = 0; i < sizeof attack / sizeof *attack; ++i)
        for (int again = 0; again < 2; ++again) {
            char name[2][256];
            for (int k = 0; k < 2; ++k) {
                char *p = name[k] + sprintf(name[k], "%s.\"%s", schema, k ? "p " : "");
                for (const char *s = attack[i]; *s; *p++ = *s++)
                    if (*s == '"')
                        *p++ = '"';
                *p++ = '"';
                *p = 0;
            }
            tide_write_back_options o = options("f");
            o.table = name[0];
            o.parameters = name[1];
            o.run_id = "'; DROP TABLE f; --";
            writes(&o, 5, 1);
            const char *const texts[2] = {attack[i], schema};
            PGresult *r = PQexecParams(control, "SELECT count(*) FROM pg_class WHERE relname IN ($1::text, 'p ' || $1::text) AND relnamespace = $2::regnamespace",
                                       2, NULL, texts, NULL, NULL, 0);
            cr_expect_str_eq(PQgetvalue(r, 0, 0), "2", "%s", attack[i]);
            PQclear(r);
        }
    cr_expect_eq(sql("SELECT count(*) FROM f"), 0);
}
