/* postgres_merge.c - a repeatable load.
 *
 *   table new or empty   BEGIN; CREATE or LOCK and TRUNCATE; COPY FREEZE; check; CREATE INDEX; ANALYZE; COMMIT
 *   else                 BEGIN; CREATE TEMP TABLE; COPY into it; ANALYZE it; LOCK the table; check;
 *                        [UPDATE what differs]; INSERT what is missing; [index]; COMMIT
 *
 * The staging table is temporary, without an index and not logged, and lives inside the transaction: so nothing is left of
 * it however that ends, not even in the catalog after a crash of the server. While rows arrive nothing is locked.
 *
 * The lock (SHARE ROW EXCLUSIVE) lets readers go on and keeps all other writers out while rows are compared and
 * added, so that (id, ds) stays unique without an index, too, and the comparison may be a hash join as well as index
 * look-ups: the planner knows the size of both tables. The join is bounded by the first and last ds of the input, so
 * that of a table partitioned by time only the partitions in question are read.
 *
 * An empty table is truncated first, which lets COPY FREEZE put the rows in order into a fresh file: nothing has to
 * visit them again. It needs an exclusive lock; of an empty table there is nothing to read. Tables in use, with
 * triggers, partitions, or foreign keys take the other way.
 *
 * Duplicates. An input that rises strictly by (id, ds) or by (ds, id) has none, which costs one comparison a row.
 * Any other input is grouped by the server. In a table filled directly, rows lie in the order in which they were
 * sent; where that n-th row stood in the input is kept as a list of jumps, one for each gap, of a million at most. */
#include "io/postgres_merge.h"

#include "host/config.h"
#include "host/queue.h"
#include "host/quote.h"
#include "io/postgres_copy.h"
#include "io/postgres_table.h"

#include <stdlib.h>
#include <string.h>

enum { ROW_BYTES = TIDE_ID_MAX_BYTES + 64, NAMED = 5, JUMPS_MAX = 1 << 20 };

typedef struct jump { /* sent row `row` and those after it stood at line + 0, 1, 2 ... */
    uint64_t row, line;
} jump;

typedef struct merge {
    tide_pg pg;
    const tide_load_options *o;
    tide_source *in;
    tide_pg_rows_table table;
    tide_pg_copy copy;
    tide_load_report report;
    tide_ds_kind kind;
    int64_t from, to;             /* asked for */
    int64_t least, most;          /* ds sent */
    uint64_t staged;              /* rows sent, without those that the policy for duplicates left out */
    char *last_id;                /* the order so far */
    size_t last_id_length;
    int64_t last_ds;
    int by_id, by_ds;
    jump *jumps;
    size_t n_jumps, room_jumps;
    uint64_t lines_known; /* rows whose line can be told: all, unless there were too many jumps */
} merge;

static const char loading[] = "loading rows";
static const char merging[] = "merging";

static void show(const merge *m, const char *stage) {
    tide_load_progress now = {.stage = stage, .rows = m->report.read};
    if (!m->o->progress)
        return;
    if (m->in->progress)
        m->in->progress(m->in->self, &now.done, &now.total);
    m->o->progress(m->o->self, &now);
}

/* --- rows --------------------------------------------------------------------------------------------------
 */

/* A row that cannot be used: ends the load, or is counted and, of the first few, named. */
static tide_status refuse(merge *m, uint64_t line, const char *what, tide_error *err) {
    char text[320];
    if (!m->o->skip_bad_rows)
        return tide_fail(err, TIDE_INPUT, "%s: %s: %s %llu: %s; nothing is loaded", m->in->name, loading,
                         m->in->line_word, (unsigned long long)line, what);
    if (m->report.refused++ < NAMED && m->o->message) {
        snprintf(text, sizeof text, "%.160s: %s %llu left out: %.90s", m->in->name, m->in->line_word,
                 (unsigned long long)line, what);
        m->o->message(m->o->self, text);
    }
    return TIDE_OK;
}

static tide_status keep_id(merge *m, const char *id, size_t length, tide_error *err) {
    if (!m->last_id) {
        m->last_id = malloc(TIDE_ID_MAX_BYTES);
        if (!m->last_id)
            return tide_fail(err, TIDE_MEMORY, "%s: out of memory", m->pg.name);
    }
    memcpy(m->last_id, id, length);
    m->last_id_length = length;
    return TIDE_OK;
}

/* Follows whether the input rises strictly. same: the id is that of the row before. */
static tide_status follow_order(merge *m, const char *id, size_t length, int same, int64_t ds, tide_error *err) {
    if (!m->by_id && !m->by_ds)
        return TIDE_OK;
    if (m->copy.rows) {
        size_t shorter = length < m->last_id_length ? length : m->last_id_length;
        int c = same ? 0 : memcmp(id, m->last_id, shorter);
        if (c == 0 && !same)
            c = (length > m->last_id_length) - (length < m->last_id_length);
        m->by_id &= c > 0 || (c == 0 && ds > m->last_ds);
        m->by_ds &= ds > m->last_ds || (ds == m->last_ds && c > 0);
    }
    m->last_ds = ds;
    return same && m->copy.rows ? TIDE_OK : keep_id(m, id, length, err);
}

static tide_status note_line(merge *m, uint64_t line, tide_error *err) {
    const jump *last = m->n_jumps ? &m->jumps[m->n_jumps - 1] : NULL;
    if (!m->report.direct || (last && line - last->line == m->copy.rows - last->row))
        return TIDE_OK;
    if (m->n_jumps == JUMPS_MAX) {
        m->lines_known = m->copy.rows < m->lines_known ? m->copy.rows : m->lines_known;
        return TIDE_OK;
    }
    if (m->n_jumps == m->room_jumps) {
        size_t room = m->room_jumps ? 2 * m->room_jumps : 64;
        jump *grown = realloc(m->jumps, room * sizeof *grown);
        if (!grown)
            return tide_fail(err, TIDE_MEMORY, "%s: out of memory", m->pg.name);
        m->jumps = grown;
        m->room_jumps = room;
    }
    m->jumps[m->n_jumps++] = (jump){m->copy.rows, line};
    return TIDE_OK;
}

/* 0: not known. */
static uint64_t line_of(const merge *m, uint64_t row) {
    size_t i = m->n_jumps;
    if (row >= m->lines_known)
        return 0;
    while (i && m->jumps[i - 1].row > row)
        --i;
    return i ? m->jumps[i - 1].line + (row - m->jumps[i - 1].row) : row + 1;
}

static tide_status send_row(merge *m, const tide_rows *rows, size_t i, int *id_good, tide_error *err) {
    const char *id = rows->bytes + rows->id_at[i];
    uint32_t length = rows->id_length[i];
    int64_t ds = rows->ds[i];
    char quoted[96], what[160];
    int same = i && rows->id_at[i] == rows->id_at[i - 1] && length == rows->id_length[i - 1];
    if (!same || *id_good < 0)
        *id_good = length > 0 && length <= TIDE_ID_MAX_BYTES && tide_pg_takes_text(id, length);
    if (!*id_good) {
        snprintf(what, sizeof what, "the id '%s' is not UTF-8 text", tide_quote(quoted, sizeof quoted, id, length));
        *id_good = -1;
        return refuse(m, rows->line[i], what, err);
    }
    if (ds < m->from || ds > m->to) {
        ++m->report.out_of_range;
        return TIDE_OK;
    }
    int as_sent = m->last_id_length == length && m->last_id && memcmp(m->last_id, id, length) == 0;
    unsigned char *p = tide_pg_put16(tide_pg_copy_place(&m->copy), m->report.direct ? 3 : 4);
    p = tide_pg_put_bytes(p, id, length);
    p = tide_pg_put_ds(p, m->table.ds_type, ds);
    if (!p) {
        snprintf(what, sizeof what, "its time does not fit the column %.60s", m->table.column[1]);
        return refuse(m, rows->line[i], what, err);
    }
    p = tide_pg_put_float8(p, rows->y[i]);
    if (!m->report.direct)
        p = tide_pg_put_int8(p, (int64_t)rows->line[i]);
    TIDE_TRY(follow_order(m, id, length, as_sent, ds, err));
    TIDE_TRY(note_line(m, rows->line[i], err));
    m->least = ds < m->least ? ds : m->least;
    m->most = ds > m->most ? ds : m->most;
    return tide_pg_copy_put(&m->copy, p, err);
}

static tide_status send_rows(merge *m, const tide_rows *rows, tide_error *err) {
    static const char *const words[] = {"", "ds is", "y is", "id is", "row is broken:"};
    size_t faults = 0;
    int id_good = -1;
    for (size_t i = 0; i < rows->n; ++i) {
        uint8_t fault = rows->fault ? rows->fault[i] : TIDE_ROW_GOOD;
        if (fault == TIDE_ROW_GOOD) {
            TIDE_TRY(send_row(m, rows, i, &id_good, err));
            continue;
        }
        char what[96];
        const char *text = faults < rows->n_fault_text ? rows->fault_text[faults] : "unusable";
        ++faults;
        id_good = -1;
        snprintf(what, sizeof what, "%s '%.47s'", words[fault], text);
        TIDE_TRY(refuse(m, rows->line[i], what, err));
    }
    return TIDE_OK;
}

static tide_status read_all(merge *m, tide_rows *rows, const char *sql, tide_error *err) {
    m->by_id = m->by_ds = 1;
    m->least = INT64_MAX;
    m->most = INT64_MIN;
    TIDE_TRY(tide_pg_copy_start(&m->copy, &m->pg, sql, ROW_BYTES, loading, err));
    while (rows->n) {
        m->report.read += rows->n;
        TIDE_TRY(send_rows(m, rows, err));
        show(m, "reading");
        if (m->o->stop && m->o->stop(m->o->self))
            return tide_fail(err, TIDE_INTERRUPTED, "%s: stopped by a signal; nothing is loaded", m->pg.name);
        TIDE_TRY(m->in->next(m->in->self, rows, err));
    }
    m->staged = m->copy.rows;
    return tide_pg_copy_end(&m->copy, err);
}

/* --- what the server does by itself ------------------------------------------------------------------------
 */

/* Its silence has no limit then, and it may use some memory, unless it is allowed more anyway. */
static tide_status begin_work(merge *m, tide_error *err) {
    m->pg.read_timeout_ms = INT32_MAX;
    return tide_pg_query(&m->pg,
                         "SELECT pg_catalog.set_config(name, (bytes / 1024) || 'kB', true) FROM (VALUES "
                         "('work_mem', 134217728::bigint), ('maintenance_work_mem', 268435456)) AS w(name, bytes) "
                         "WHERE pg_catalog.pg_size_bytes(pg_catalog.current_setting(name)) < bytes",
                         "setting limits of memory", NULL, err);
}

/* Names the lines of two rows of one (id, ds), if there are such. from: the table, or the staging table. */
static tide_status fail_duplicates(merge *m, const char *id, const char *ds, const char *from, tide_error *err) {
    const int direct = m->report.direct;
    char *place = NULL, *sql = NULL;
    PGresult *r = NULL;
    TIDE_TRY(direct ? tide_pg_text(&m->pg, &place, err, "(SELECT pg_catalog.count(*) FROM %s AS o WHERE o.ctid < d.n)",
                                   from)
                    : tide_pg_text(&m->pg, &place, err, "n"));
    tide_status status = tide_pg_text(
        &m->pg, &sql, err,
        "WITH k AS (SELECT %s AS id, %s AS ds FROM %s GROUP BY 1, 2 HAVING pg_catalog.count(*) > 1 LIMIT 1), "
        "d AS (SELECT t.%s AS n, k.id, k.ds FROM %s AS t JOIN k ON t.%s = k.id AND t.%s = k.ds ORDER BY 1 LIMIT 2) "
        "SELECT id::text, ds::text, %s FROM d ORDER BY n",
        id, ds, from, direct ? "ctid" : "line", from, id, ds, place);
    free(place);
    if (status == TIDE_OK)
        status = tide_pg_query(&m->pg, sql, "looking for duplicates", &r, err);
    free(sql);
    if (status != TIDE_OK)
        return status;
    if (PQntuples(r) == 2) {
        uint64_t line[2];
        char quoted[96];
        const char *text = PQgetvalue(r, 0, 0);
        for (int i = 0; i < 2; ++i) {
            line[i] = strtoull(PQgetvalue(r, i, 2), NULL, 10);
            if (direct)
                line[i] = line_of(m, line[i]);
        }
        char places[64] = "two rows";
        if (line[0] && line[1])
            snprintf(places, sizeof places, "%ss %llu and %llu", m->in->line_word, (unsigned long long)line[0],
                     (unsigned long long)line[1]);
        status = tide_fail(err, TIDE_INPUT,
                           "%s: %s: %s both hold '%s' at %s (--on-duplicate first or last takes one of them); nothing is "
                           "loaded",
                           m->in->name, loading, places, tide_quote(quoted, sizeof quoted, text, strlen(text)),
                           PQgetvalue(r, 0, 1));
    }
    PQclear(r);
    return status;
}

static tide_status drop_duplicates(merge *m, const char *id, const char *ds, const char *from, tide_error *err) {
    char *sql = NULL;
    TIDE_TRY(tide_pg_text(&m->pg, &sql, err,
                          "DELETE FROM %s AS t USING (SELECT ctid AS at, pg_catalog.row_number() OVER "
                          "(PARTITION BY %s, %s ORDER BY %s%s) AS n FROM %s) AS d WHERE t.ctid = d.at AND d.n > 1",
                          from, id, ds, m->report.direct ? "ctid" : "line",
                          m->o->duplicates == TIDE_LOAD_DUPLICATES_LAST ? " DESC" : "", from));
    TIDE_TRY(tide_pg_run_text(&m->pg, sql, "leaving out duplicates", &m->report.duplicates, err));
    m->staged -= m->report.duplicates;
    return TIDE_OK;
}

static tide_status treat_duplicates(merge *m, const char *id, const char *ds, const char *from, tide_error *err) {
    if (m->by_id || m->by_ds)
        return TIDE_OK;
    show(m, "looking for duplicates");
    return m->o->duplicates == TIDE_LOAD_DUPLICATES_ERROR ? fail_duplicates(m, id, ds, from, err)
                                                          : drop_duplicates(m, id, ds, from, err);
}

static tide_status index_and_commit(merge *m, tide_error *err) {
    double start = tide_now_s();
    char *sql = NULL;
    if (m->o->index) {
        show(m, "indexing");
        TIDE_TRY(tide_pg_rows_table_index(&m->pg, &m->table, 1, &m->report.indexed, err));
    }
    if (m->report.direct) {
        TIDE_TRY(tide_pg_text(&m->pg, &sql, err, "ANALYZE %s", m->table.name));
        TIDE_TRY(tide_pg_run_text(&m->pg, sql, "analysing the table", NULL, err));
    }
    TIDE_TRY(tide_pg_run(&m->pg, "COMMIT", tide_pg_committing, err));
    m->report.index_s = tide_now_s() - start;
    return TIDE_OK;
}

/* --- the two ways ------------------------------------------------------------------------------------------
 */

static tide_status is_empty(merge *m, int *empty, tide_error *err) {
    char *sql = NULL;
    PGresult *r = NULL;
    TIDE_TRY(tide_pg_text(&m->pg, &sql, err, "SELECT NOT EXISTS (SELECT 1 FROM %s)", m->table.name));
    tide_status status = tide_pg_query(&m->pg, sql, "looking at the table", &r, err);
    free(sql);
    if (status != TIDE_OK)
        return status;
    *empty = PQgetvalue(r, 0, 0)[0] == 't';
    PQclear(r);
    return TIDE_OK;
}

/* Locks the table for this load alone, if nobody uses it: others would queue behind a lock that waits. */
static tide_status lock_if_idle(merge *m, int *locked, tide_error *err) {
    char *sql = NULL;
    tide_error why;
    TIDE_TRY(tide_pg_run(&m->pg, "SAVEPOINT tidemill", "locking the empty table", err));
    TIDE_TRY(tide_pg_text(&m->pg, &sql, err, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT", m->table.name));
    tide_status status = tide_pg_run_text(&m->pg, sql, "locking the empty table", NULL, &why);
    *locked = status == TIDE_OK;
    if (!*locked && !strstr(why.message, "(SQLSTATE 55P03)"))
        return tide_fail(err, status, "%s", why.message);
    return tide_pg_run(&m->pg, *locked ? "RELEASE tidemill" : "ROLLBACK TO tidemill", "locking the empty table", err);
}

/* *direct: the table may be filled directly, and is locked and truncated for it. */
static tide_status make_way(merge *m, const tide_pg_relation *found, int *direct, tide_error *err) {
    PGresult *r = NULL;
    char *sql = NULL;
    const char *const texts[1] = {found->oid};
    *direct = 0;
    if (found->kind != 'r')
        return TIDE_OK;
    TIDE_TRY(tide_pg_query_with(
        &m->pg,
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = $1::oid) "
        "AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits WHERE inhparent = $1::oid OR inhrelid = $1::oid) "
        "AND pg_catalog.has_table_privilege($1::oid, 'TRUNCATE')",
        1, texts, "looking at the table", &r, err));
    int may = PQntuples(r) == 1;
    PQclear(r);
    if (may)
        TIDE_TRY(is_empty(m, &may, err));
    if (may)
        TIDE_TRY(lock_if_idle(m, &may, err));
    if (may)
        TIDE_TRY(is_empty(m, &may, err)); /* still */
    if (!may)
        return TIDE_OK;
    TIDE_TRY(tide_pg_text(&m->pg, &sql, err, "TRUNCATE %s", m->table.name));
    TIDE_TRY(tide_pg_run_text(&m->pg, sql, "beginning the empty table anew", NULL, err));
    *direct = 1;
    return TIDE_OK;
}

static tide_status fill(merge *m, tide_rows *rows, tide_error *err) {
    tide_pg_rows_table *t = &m->table;
    char *sql = NULL;
    double start = tide_now_s();
    TIDE_TRY(tide_pg_text(&m->pg, &sql, err, "COPY %s (%s, %s, %s) FROM STDIN (FORMAT binary, FREEZE)", t->name, t->id,
                          t->ds, t->y));
    tide_status status = read_all(m, rows, sql, err);
    free(sql);
    if (status != TIDE_OK)
        return status;
    double read = tide_now_s();
    m->report.read_s = read - start;
    TIDE_TRY(begin_work(m, err));
    TIDE_TRY(treat_duplicates(m, t->id, t->ds, t->name, err));
    m->report.inserted = m->staged;
    m->report.merge_s = tide_now_s() - read;
    return index_and_commit(m, err);
}

/* " AND t.ds >= ... AND t.ds <= ..." of the rows that were sent: literals made from numbers. */
static tide_status time_bounds(merge *m, char *out, size_t size, tide_error *err) {
    const char *type = m->table.ds_type == TIDE_PG_DATE          ? "date"
                       : m->table.ds_type == TIDE_PG_TIMESTAMP   ? "timestamp"
                       : m->table.ds_type == TIDE_PG_TIMESTAMPTZ ? "timestamptz"
                                                                 : "int8";
    char literal[2][64];
    for (int i = 0; i < 2; ++i) {
        tide_ds_format(m->kind, i ? m->most : m->least, literal[i], sizeof literal[i] - 4);
        if (m->table.ds_type == TIDE_PG_TIMESTAMPTZ && !strpbrk(literal[i], "Z+"))
            strcat(literal[i], "+00");
    }
    int n = snprintf(out, size, " AND t.%s >= '%s'::%s AND t.%s <= '%s'::%s", m->table.ds, literal[0], type,
                     m->table.ds, literal[1], type);
    return n > 0 && (size_t)n < size ? TIDE_OK : tide_fail(err, TIDE_INTERNAL, "%s: bounds", m->pg.name);
}

static tide_status merge_staged(merge *m, tide_error *err) {
    const tide_pg_rows_table *t = &m->table;
    char bounds[768], *sql = NULL;
    TIDE_TRY(begin_work(m, err));
    TIDE_TRY(tide_pg_text(&m->pg, &sql, err, "LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE", t->name));
    TIDE_TRY(tide_pg_run_text(&m->pg, sql, "waiting for other writers of the table", NULL, err));
    TIDE_TRY(treat_duplicates(m, "id", "ds", "pg_temp.tidemill_load", err));
    show(m, merging);
    if (m->staged) {
        TIDE_TRY(time_bounds(m, bounds, sizeof bounds, err));
        if (m->o->corrections) {
            TIDE_TRY(tide_pg_text(&m->pg, &sql, err,
                                  "UPDATE %s AS t SET %s = s.y FROM pg_temp.tidemill_load AS s WHERE t.%s = s.id "
                                  "AND t.%s = s.ds AND t.%s IS DISTINCT FROM s.y%s",
                                  t->name, t->y, t->id, t->ds, t->y, bounds));
            TIDE_TRY(tide_pg_run_text(&m->pg, sql, "correcting", &m->report.corrected, err));
        }
        TIDE_TRY(tide_pg_text(&m->pg, &sql, err,
                              "INSERT INTO %s (%s, %s, %s) SELECT s.id, s.ds, s.y FROM pg_temp.tidemill_load AS s "
                              "WHERE NOT EXISTS (SELECT 1 FROM %s AS t WHERE t.%s = s.id AND t.%s = s.ds%s)",
                              t->name, t->id, t->ds, t->y, t->name, t->id, t->ds, bounds));
        TIDE_TRY(tide_pg_run_text(&m->pg, sql, merging, &m->report.inserted, err));
    }
    uint64_t known = m->report.inserted + m->report.corrected;
    m->report.unchanged = m->staged > known ? m->staged - known : 0;
    return TIDE_OK;
}

/* CREATE TEMP TABLE ... with the types and collations of the table: made from the catalog, without a lock on it. */
static tide_status make_staging(merge *m, char **out, tide_error *err) {
    const tide_pg_rows_table *t = &m->table;
    const char *const texts[4] = {t->name, t->id, t->ds, t->y};
    PGresult *r = NULL;
    TIDE_TRY(tide_pg_query_with(
        &m->pg,
        "SELECT pg_catalog.string_agg(w.name || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod) || "
        "coalesce((SELECT pg_catalog.format(' COLLATE %I.%I', n.nspname, c.collname) FROM pg_catalog.pg_collation c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = a.attcollation), ''), ', ' ORDER BY w.n) "
        "FROM (VALUES (1, 'id', $2::text), (2, 'ds', $3), (3, 'y', $4)) AS w(n, name, column_name) "
        "JOIN pg_catalog.pg_attribute a ON a.attrelid = pg_catalog.to_regclass($1) "
        "AND a.attname = ((pg_catalog.parse_ident(w.column_name))[1])::name",
        4, texts, "looking at columns", &r, err));
    tide_status status = tide_pg_text(&m->pg, out, err, "CREATE TEMP TABLE tidemill_load (%s, line bigint) ON COMMIT DROP",
                                      PQgetvalue(r, 0, 0));
    PQclear(r);
    return status;
}

static tide_status stage(merge *m, tide_rows *rows, tide_error *err) {
    char *sql = NULL;
    double start = tide_now_s();
    TIDE_TRY(make_staging(m, &sql, err));
    tide_status status = tide_pg_run(&m->pg, "COMMIT", "giving back locks", err);
    if (!status)
        status = tide_pg_begin(&m->pg, m->o->statement_timeout_s, m->o->lock_timeout_s, err);
    if (!status)
        status = tide_pg_run(&m->pg, "SET LOCAL temp_buffers = '64MB'", "setting limits of memory", err);
    if (!status)
        status = tide_pg_run(&m->pg, sql, "making a staging table", err);
    free(sql);
    if (status)
        return status;
    TIDE_TRY(read_all(m, rows, "COPY pg_temp.tidemill_load FROM STDIN (FORMAT binary)", err));
    TIDE_TRY(tide_pg_run(&m->pg, "ANALYZE pg_temp.tidemill_load", "analysing the staging table", err));
    double read = tide_now_s();
    m->report.read_s = read - start;
    TIDE_TRY(merge_staged(m, err));
    m->report.merge_s = tide_now_s() - read;
    return index_and_commit(m, err);
}

static tide_status run(merge *m, tide_error *err) {
    const tide_load_options *o = m->o;
    const char *const column[3] = {o->id_column, o->ds_column, o->y_column};
    tide_pg_relation found;
    tide_rows rows;
    TIDE_TRY(tide_pg_rows_table_names(&m->pg, o->table, column, &m->table, err));
    TIDE_TRY(m->in->next(m->in->self, &rows, err));
    m->kind = rows.ds_kind;
    if (rows.n) { /* bounds are in the unit of the data */
        TIDE_TRY(tide_config_bound("--from", o->from, 0, m->kind, &m->from, err));
        TIDE_TRY(tide_config_bound("--to", o->to, 1, m->kind, &m->to, err));
    }
    TIDE_TRY(tide_pg_begin(&m->pg, o->statement_timeout_s, o->lock_timeout_s, err));
    TIDE_TRY(tide_pg_lock_name(&m->pg, m->table.name, err));
    TIDE_TRY(tide_pg_find(&m->pg, m->table.name, &found, err));
    if (found.exists && found.kind != 'r' && found.kind != 'p')
        return tide_fail(err, TIDE_INPUT, "%s: it is not a table", m->pg.name);
    if (!found.exists && !o->create)
        return tide_fail(err, TIDE_INPUT, "%s: there is no such table; --create makes it", m->pg.name);
    if (!rows.n && !found.exists) /* without a row there is no telling the type of ds */
        return tide_fail(err, TIDE_INPUT, "%s: there is no such table, and no row to tell its types by", m->pg.name);
    if (!found.exists) {
        TIDE_TRY(tide_pg_rows_table_create(&m->pg, &m->table, m->kind, err));
        m->report.created = m->report.direct = 1;
    }
    if (!rows.n)
        return TIDE_OK;
    TIDE_TRY(tide_pg_rows_table_check(&m->pg, &m->table, m->kind, err));
    if (found.exists)
        TIDE_TRY(make_way(m, &found, &m->report.direct, err));
    return m->report.direct ? fill(m, &rows, err) : stage(m, &rows, err);
}

tide_status tide_postgres_merge(const tide_load_options *options, tide_source *rows, tide_load_report *report,
                                tide_error *err) {
    tide_load_options o = *options;
    if (!o.table)
        return tide_fail(err, TIDE_CONFIG, "postgres: no table is given to load into");
    if (o.lock_timeout_s <= 0)
        o.lock_timeout_s = 300;
    merge m = {.o = &o, .in = rows, .from = INT64_MIN, .to = INT64_MAX, .lines_known = UINT64_MAX};
    tide_pg_limits limits = {o.connect_timeout_s, o.statement_timeout_s, o.read_timeout_s};
    tide_status status = tide_pg_connect(&m.pg, o.url, o.table, &limits, err);
    if (status == TIDE_OK) {
        m.pg.stop = o.stop;
        m.pg.stop_self = o.self;
        status = run(&m, err);
    }
    if (status == TIDE_INTERRUPTED)
        tide_pg_cancel(&m.pg);
    tide_pg_close(&m.pg); /* without a COMMIT before, the server forgets all of it */
    tide_pg_copy_free(&m.copy);
    tide_pg_rows_table_free(&m.table);
    free(m.last_id);
    free(m.jumps);
    if (status == TIDE_OK && report)
        *report = m.report;
    return status;
}
