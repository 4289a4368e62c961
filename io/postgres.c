/* postgres.c - a table or query of PostgreSQL as a source of rows (postgres.h says what for,
 * postgres_binary.h the format).
 *
 *   BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY     one snapshot; a query cannot write
 *   prepare SELECT id, ds, y FROM ...                    types and names are checked before a row travels
 *   EXPLAIN (twice for text ids)                         rows for the progress, and the cheaper order, see
 * below COPY (SELECT ... WHERE ds BETWEEN ... ORDER BY id, ds) TO STDOUT (FORMAT binary) COMMIT
 *
 * Order. The server sorts, so that series can leave intake one by one. An index on (id, ds) saves the sort (2
 * million rows/s and more); without one the server sorts all rows before it sends the first, at some 0.5
 * million rows/s for integers and text in C collation, 0.15 for text in a language's collation. Text ids are
 * therefore ordered bytewise (COLLATE "C") unless the planner says that the column's own order is cheaper,
 * which is when an index has it. The own order is never taken while the server has collations that call
 * different texts equal, as it would mix their series.
 *
 * Rows are decoded from libpq's message buffer straight into the block's columns; an id is copied once a
 * series, as the rows of one id share its bytes. */
#include "io/postgres.h"
#include "host/config.h"
#include "host/quote.h"
#include "io/postgres_binary.h"
#include "io/postgres_connect.h"

enum { BLOCK_ROWS = 32768, BLOCK_BYTES = 4 << 20, FAULT_TEXTS = 8 };

typedef struct pg_source {
    tide_pg pg;
    char *query;                       /* SELECT without WHERE and ORDER BY */
    char *id_name, *ds_name, *y_name;  /* quoted */
    unsigned id_type, ds_type, y_type; /* tide_pg_type */
    tide_ds_kind kind;
    double estimated_rows; /* 0 = unknown */
    int header_seen, trailer_seen, done;
    tide_status failed; /* a failure is final: told again by every later call */
    char failure[sizeof((tide_error *)0)->message];
    uint64_t row, bytes_read;
    /* the block */
    size_t n, used, n_faults, n_fault_text;
    int64_t last_integer_id;
    char *bytes; /* [BLOCK_BYTES + TIDE_ID_MAX_BYTES] */
    uint32_t id_at[BLOCK_ROWS], id_length[BLOCK_ROWS];
    int64_t ds[BLOCK_ROWS];
    double y[BLOCK_ROWS];
    uint8_t fault[BLOCK_ROWS];
    uint64_t line[BLOCK_ROWS];
    char fault_text[FAULT_TEXTS][48];
} pg_source;

static const char reading[] = "reading rows";

int tide_postgres_is_url(const char *text) {
    return strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;
}

/* --- one tuple ---------------------------------------------------------------------------------------------
 */

static void note_fault(pg_source *s, size_t i, tide_row_fault fault, const char *text) {
    s->fault[i] = (uint8_t)fault;
    ++s->n_faults;
    if (s->n_fault_text < FAULT_TEXTS)
        snprintf(s->fault_text[s->n_fault_text++], sizeof s->fault_text[0], "%s", text);
}

static size_t write_integer(char *out, int64_t v) {
    char digits[20];
    size_t n = 0, at = 0;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do
        digits[n++] = (char)('0' + u % 10);
    while ((u /= 10) != 0);
    if (v < 0)
        out[at++] = '-';
    while (n)
        out[at++] = digits[--n];
    return at;
}

static size_t write_uuid(char *out, const unsigned char *p) {
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = hex[p[i] >> 4];
        out[at++] = hex[p[i] & 15];
    }
    return at;
}

/* Sets id_at and id_length of row i: the bytes of the row before when the id is the same. 0 = malformed. */
static int take_id(pg_source *s, size_t i, const unsigned char *p, uint32_t length) {
    char text[40];
    const char *id = (const char *)p;
    if (s->id_type == TIDE_PG_INT2 || s->id_type == TIDE_PG_INT4 || s->id_type == TIDE_PG_INT8) {
        int64_t v;
        if (!tide_pg_integer(p, length, &v))
            return 0;
        if (i && v == s->last_integer_id && s->id_length[i - 1]) {
            s->id_at[i] = s->id_at[i - 1];
            s->id_length[i] = s->id_length[i - 1];
            return 1;
        }
        s->last_integer_id = v;
        id = text;
        length = (uint32_t)write_integer(text, v);
    } else if (s->id_type == TIDE_PG_UUID) {
        if (length != 16)
            return 0;
        id = text;
        length = (uint32_t)write_uuid(text, p);
    } else if (s->id_type == TIDE_PG_BPCHAR) {
        while (length && id[length - 1] == ' ')
            --length; /* padding, which is no part of a char(n) value */
    }
    if (length == 0 || length > TIDE_ID_MAX_BYTES) {
        char what[48];
        snprintf(what, sizeof what, length ? "id of %u bytes" : "empty id", length);
        s->id_at[i] = (uint32_t)s->used;
        s->id_length[i] = 0;
        note_fault(s, i, TIDE_ROW_BAD_ID, what);
        return 1;
    }
    if (i && s->id_length[i - 1] == length && memcmp(s->bytes + s->id_at[i - 1], id, length) == 0) {
        s->id_at[i] = s->id_at[i - 1];
    } else {
        memcpy(s->bytes + s->used, id, length);
        s->id_at[i] = (uint32_t)s->used;
        s->used += length;
    }
    s->id_length[i] = length;
    return 1;
}

static int take_ds(pg_source *s, size_t i, const unsigned char *p, uint32_t length) {
    static const char *const word[] = {"", "", "infinity", "-infinity", "a time BC"};
    if (s->kind == TIDE_DS_INTEGER)
        return tide_pg_integer(p, length, &s->ds[i]);
    tide_pg_ds found = s->kind == TIDE_DS_DATE ? tide_pg_date(p, length, &s->ds[i])
                                               : tide_pg_timestamp(p, length, &s->ds[i]);
    if (found == TIDE_PG_DS_MALFORMED)
        return 0;
    if (found != TIDE_PG_DS_GOOD && s->fault[i] == TIDE_ROW_GOOD)
        note_fault(s, i, TIDE_ROW_BAD_DS, word[found]);
    return 1;
}

/* Decodes the three fields of a tuple into row s->n; the bytes after them, or NULL when they are malformed.
 */
static const unsigned char *take_tuple(pg_source *s, const unsigned char *p, const unsigned char *end) {
    const unsigned char *field[3];
    uint32_t length[3];
    for (int f = 0; f < 3; ++f) {
        if (end - p < 4)
            return NULL;
        length[f] = tide_be32(p);
        p += 4;
        field[f] = p;
        if (length[f] == UINT32_MAX)
            continue;
        if (length[f] > (size_t)(end - p))
            return NULL;
        p += length[f];
    }
    size_t i = s->n;
    s->fault[i] = TIDE_ROW_GOOD;
    s->ds[i] = 0;
    s->y[i] = TIDE_NAN;
    s->line[i] = ++s->row;
    if (length[0] == UINT32_MAX) {
        s->id_at[i] = (uint32_t)s->used;
        s->id_length[i] = 0;
        note_fault(s, i, TIDE_ROW_BAD_ID, "id is NULL");
    } else if (!take_id(s, i, field[0], length[0])) {
        return NULL;
    }
    if (length[1] == UINT32_MAX) {
        if (s->fault[i] == TIDE_ROW_GOOD)
            note_fault(s, i, TIDE_ROW_BAD_DS, "NULL");
    } else if (!take_ds(s, i, field[1], length[1])) {
        return NULL;
    }
    if (length[2] != UINT32_MAX && !tide_pg_number(s->y_type, field[2], length[2], &s->y[i]))
        return NULL;
    ++s->n;
    return p;
}

/* One message: the header (first message only), then whole tuples. Messages hold one row each. */
static tide_status take_message(pg_source *s, const unsigned char *p, size_t length, tide_error *err) {
    static const unsigned char signature[11] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0};
    const unsigned char *end = p + length;
    s->bytes_read += length;
    if (!s->header_seen) {
        if (length < 19 || memcmp(p, signature, sizeof signature) != 0 || tide_be32(p + 15) > length - 19)
            goto malformed;
        p += 19 + tide_be32(p + 15);
        s->header_seen = 1;
    }
    while (p < end) {
        if (end - p < 2 || s->trailer_seen || s->n == BLOCK_ROWS)
            goto malformed;
        int fields = (int16_t)tide_be16(p);
        p += 2;
        if (fields == -1) {
            s->trailer_seen = 1;
            continue;
        }
        if (fields != 3)
            goto malformed;
        p = take_tuple(s, p, end);
        if (!p)
            goto malformed;
    }
    return TIDE_OK;
malformed:
    return tide_fail(err, TIDE_CONNECTION, "%s: %s: row %llu is malformed (SQLSTATE 08P01)", s->pg.name,
                     reading, (unsigned long long)s->row + 1);
}

/* --- the stream --------------------------------------------------------------------------------------------
 */

/* After the last message: the server must have said that all went well, of as many rows as came. */
static tide_status finish(pg_source *s, tide_error *err) {
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_finish(&s->pg, reading, &result, err));
    unsigned long long said = strtoull(PQcmdTuples(result), NULL, 10);
    ExecStatusType kind = PQresultStatus(result);
    PQclear(result);
    if (kind != PGRES_COMMAND_OK || !s->trailer_seen || said != s->row)
        return tide_fail(err, TIDE_CONNECTION,
                         "%s: %s: the server sent %llu rows and counts %llu (SQLSTATE 08P01)", s->pg.name,
                         reading, (unsigned long long)s->row, said);
    TIDE_TRY(tide_pg_run(&s->pg, "COMMIT", "ending the transaction", err));
    s->done = 1;
    tide_pg_close(&s->pg);
    return TIDE_OK;
}

static tide_status read_block(pg_source *s, tide_error *err) {
    s->n = s->used = s->n_faults = s->n_fault_text = 0;
    while (!s->done && s->n < BLOCK_ROWS && s->used < BLOCK_BYTES) {
        char *message = NULL;
        int length = PQgetCopyData(s->pg.conn, &message, 1);
        if (length > 0) {
            tide_status status = take_message(s, (const unsigned char *)message, (size_t)length, err);
            PQfreemem(message);
            if (status != TIDE_OK)
                return status;
        } else if (length == 0) {
            TIDE_TRY(tide_pg_wait(&s->pg, 0, reading, err));
            if (!PQconsumeInput(s->pg.conn)) {
                /* A server that ends a connection says why first; libpq may hold that behind the last rows.
                 */
                while ((length = PQgetCopyData(s->pg.conn, &message, 1)) > 0)
                    PQfreemem(message);
                return length == -1 ? finish(s, err) : tide_pg_fail(&s->pg, NULL, reading, err);
            }
        } else if (length == -1) {
            return finish(s, err);
        } else {
            return tide_pg_fail(&s->pg, NULL, reading, err);
        }
    }
    return TIDE_OK;
}

static tide_status pg_next(void *self, tide_rows *rows, tide_error *err) {
    pg_source *s = self;
    if (s->failed != TIDE_OK)
        return tide_fail(err, s->failed, "%s", s->failure);
    tide_error why;
    tide_status status = read_block(s, &why);
    if (status != TIDE_OK) {
        s->failed = status;
        snprintf(s->failure, sizeof s->failure, "%s", why.message);
        return tide_fail(err, status, "%s", why.message);
    }
    *rows = (tide_rows){.n = s->n,
                        .ds_kind = s->kind,
                        .bytes = s->bytes,
                        .id_at = s->id_at,
                        .id_length = s->id_length,
                        .ds = s->ds,
                        .y = s->y,
                        .fault = s->n_faults ? s->fault : NULL,
                        .line = s->line,
                        .fault_text = (const char(*)[48])s->fault_text,
                        .n_fault_text = s->n_fault_text};
    return TIDE_OK;
}

static void pg_progress(void *self, uint64_t *done, uint64_t *total) {
    const pg_source *s = self;
    *done = s->bytes_read;
    *total = 0;
    if (s->done)
        *total = s->bytes_read;
    else if (s->row && s->estimated_rows >= 1)
        *total = (uint64_t)(s->estimated_rows * ((double)s->bytes_read / (double)s->row));
    if (*total && *total < *done)
        *total = *done;
}

static void pg_close(void *self) {
    pg_source *s = self;
    if (!s)
        return;
    tide_pg_close(&s->pg);
    free(s->query);
    free(s->id_name);
    free(s->ds_name);
    free(s->y_name);
    free(s->bytes);
    free(s);
}

/* --- opening -----------------------------------------------------------------------------------------------
 */

static int is_one_of(unsigned type, const unsigned *types) {
    while (*types && *types != type)
        ++types;
    return *types != 0;
}

static tide_status check_types(pg_source *s, const char *const column[3], tide_error *err) {
    static const unsigned accepted[3][8] = {
        {TIDE_PG_TEXT, TIDE_PG_VARCHAR, TIDE_PG_BPCHAR, TIDE_PG_NAME, TIDE_PG_UUID, TIDE_PG_INT2,
         TIDE_PG_INT4, TIDE_PG_INT8},
        {TIDE_PG_DATE, TIDE_PG_TIMESTAMP, TIDE_PG_TIMESTAMPTZ, TIDE_PG_INT2, TIDE_PG_INT4, TIDE_PG_INT8, 0},
        {TIDE_PG_FLOAT8, TIDE_PG_FLOAT4, TIDE_PG_NUMERIC, TIDE_PG_INT2, TIDE_PG_INT4, TIDE_PG_INT8, 0}};
    static const char *const role[3] = {"id", "time", "value"};
    static const char *const wanted[3] = {"text, varchar, char, name, uuid or an integer",
                                          "date, timestamp, timestamptz or an integer",
                                          "double precision, real, numeric or an integer"};
    unsigned list[9] = {0}, *const type[3] = {&s->id_type, &s->ds_type, &s->y_type};
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_describe(&s->pg, s->query, "checking table and columns", &result, err));
    for (int i = 0; i < 3 && PQnfields(result) == 3; ++i)
        *type[i] = PQftype(result, i);
    int fields = PQnfields(result);
    PQclear(result);
    if (fields != 3)
        return tide_fail(err, TIDE_INPUT, "%s: the query gives no rows", s->pg.name);
    for (int i = 0; i < 3; ++i) {
        memcpy(list, accepted[i], sizeof accepted[i]);
        if (is_one_of(*type[i], list))
            continue;
        char name[64];
        tide_pg_type_name(&s->pg, *type[i], name, sizeof name);
        return tide_fail(err, TIDE_INPUT, "%s: the %s column %s has type %s; it must be %s", s->pg.name,
                         role[i], column[i], name, wanted[i]);
    }
    s->kind = s->ds_type == TIDE_PG_DATE                                             ? TIDE_DS_DATE
              : s->ds_type == TIDE_PG_TIMESTAMP || s->ds_type == TIDE_PG_TIMESTAMPTZ ? TIDE_DS_TIMESTAMP
                                                                                     : TIDE_DS_INTEGER;
    return TIDE_OK;
}

/* " WHERE ds >= ... AND ds <= ...", malloc'd, or "". The texts become ds numbers and then literals of the
 * column's own type, so that nothing of the option's text reaches the server. */
static tide_status where_clause(pg_source *s, const tide_postgres_options *o, char **out, tide_error *err) {
    const char *type = s->ds_type == TIDE_PG_DATE          ? "date"
                       : s->ds_type == TIDE_PG_TIMESTAMP   ? "timestamp"
                       : s->ds_type == TIDE_PG_TIMESTAMPTZ ? "timestamptz"
                                                           : "int8";
    char clause[2][320] = {"", ""};
    for (int is_to = 0; is_to < 2; ++is_to) {
        const char *text = is_to ? o->to : o->from;
        if (!text)
            continue;
        int64_t ds;
        char literal[64];
        TIDE_TRY(tide_config_bound(is_to ? "source.to" : "source.from", text, is_to, s->kind, &ds, err));
        tide_ds_format(s->kind, ds, literal, sizeof literal - 4);
        if (s->ds_type == TIDE_PG_TIMESTAMPTZ && !strpbrk(literal, "Z+"))
            strcat(literal, "+00");
        snprintf(clause[is_to], sizeof clause[is_to], " %s %s %s '%s'::%s",
                 is_to && o->from ? "AND" : "WHERE", s->ds_name, is_to ? "<=" : ">=", literal, type);
    }
    return tide_pg_text(&s->pg, out, err, "%s%s", clause[0], clause[1]);
}

/* The planner's cost of a statement and its number of rows; zeros when the plan cannot be read. */
static tide_status explain(pg_source *s, const char *sql, double *cost, double *rows, tide_error *err) {
    char *text = NULL;
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_text(&s->pg, &text, err, "EXPLAIN %s", sql));
    tide_status status = tide_pg_query(&s->pg, text, "planning", &result, err);
    free(text);
    if (status != TIDE_OK)
        return status;
    *cost = *rows = 0;
    const char *found = PQntuples(result) ? strstr(PQgetvalue(result, 0, 0), "(cost=") : NULL;
    const char *dots = found ? strstr(found, "..") : NULL, *count = found ? strstr(found, " rows=") : NULL;
    if (dots && count) {
        *cost = strtod(dots + 2, NULL);
        *rows = strtod(count + 6, NULL);
    }
    PQclear(result);
    return TIDE_OK;
}

/* 1 when a column's own collation may hold different texts for equal. */
static tide_status has_loose_collations(pg_source *s, int *out, tide_error *err) {
    PGresult *result = NULL;
    TIDE_TRY(tide_pg_query(&s->pg,
                           "SELECT 1 FROM pg_catalog.pg_collation WHERE NOT collisdeterministic LIMIT 1",
                           "looking at collations", &result, err));
    *out = PQntuples(result) > 0;
    PQclear(result);
    return TIDE_OK;
}

/* The whole SELECT: bounds and the cheaper order. */
static tide_status ordered_select(pg_source *s, const tide_postgres_options *o, char **out, tide_error *err) {
    char *where = NULL, *bytewise = NULL, *own = NULL;
    int text_id = s->id_type == TIDE_PG_TEXT || s->id_type == TIDE_PG_VARCHAR ||
                  s->id_type == TIDE_PG_BPCHAR || s->id_type == TIDE_PG_NAME;
    int loose = 0;
    double own_cost = 0, own_rows, cost = 0;
    tide_status status = where_clause(s, o, &where, err);
    if (status == TIDE_OK)
        status = tide_pg_text(&s->pg, &bytewise, err, "%s%s ORDER BY %s%s, %s", s->query, where, s->id_name,
                              text_id ? " COLLATE \"C\"" : "", s->ds_name);
    if (status == TIDE_OK)
        status = explain(s, bytewise, &cost, &s->estimated_rows, err);
    if (status == TIDE_OK && text_id)
        status = has_loose_collations(s, &loose, err);
    if (status == TIDE_OK && text_id && !loose) {
        status =
            tide_pg_text(&s->pg, &own, err, "%s%s ORDER BY %s, %s", s->query, where, s->id_name, s->ds_name);
        if (status == TIDE_OK)
            status = explain(s, own, &own_cost, &own_rows, err);
    }
    if (status == TIDE_OK) {
        char **cheaper = own && own_cost < 0.999 * cost ? &own : &bytewise;
        *out = *cheaper;
        *cheaper = NULL;
    }
    free(where);
    free(bytewise);
    free(own);
    return status;
}

/* The user's query without white space and one semicolon at its end. A comment there must not swallow the
 * bracket. */
static tide_status wrap_query(pg_source *s, const char *query, char **out, tide_error *err) {
    size_t n = strlen(query);
    while (n && strchr(" \t\r\n;", query[n - 1]))
        --n;
    if (n > INT32_MAX / 2)
        return tide_fail(err, TIDE_CONFIG, "%s: the query is too long", s->pg.name);
    return tide_pg_text(&s->pg, out, err, "(\n%.*s\n) AS tide_query", (int)n, query);
}

static tide_status start_reading(pg_source *s, const tide_postgres_options *o, tide_error *err) {
    const char *const column[3] = {o->id_column ? o->id_column : "unique_id",
                                   o->ds_column ? o->ds_column : "ds", o->y_column ? o->y_column : "y"};
    char *from = NULL, *select = NULL, *copy = NULL;
    TIDE_TRY(tide_pg_quote_name(&s->pg, column[0], 1, &s->id_name, err));
    TIDE_TRY(tide_pg_quote_name(&s->pg, column[1], 1, &s->ds_name, err));
    TIDE_TRY(tide_pg_quote_name(&s->pg, column[2], 1, &s->y_name, err));
    tide_status status =
        o->table ? tide_pg_quote_name(&s->pg, o->table, 2, &from, err) : wrap_query(s, o->query, &from, err);
    /* Columns stand without the table's name: t.x would also find a function x of the row. */
    if (status == TIDE_OK)
        status = tide_pg_text(&s->pg, &s->query, err, "SELECT %s, %s, %s FROM %s", s->id_name, s->ds_name,
                              s->y_name, from);
    free(from);
    if (status != TIDE_OK)
        return status;
    char begin[400];
    snprintf(
        begin, sizeof begin,
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL TimeZone = 'UTC'; SET LOCAL jit = off; "
        "SET LOCAL statement_timeout = '%ds'%s",
        o->statement_timeout_s > 0 ? o->statement_timeout_s : 0,
        PQserverVersion(s->pg.conn) >= 140000 ? "; SET LOCAL client_connection_check_interval = '10s'" : "");
    TIDE_TRY(tide_pg_run(&s->pg, begin, "beginning a transaction", err));
    TIDE_TRY(check_types(s, column, err));
    TIDE_TRY(ordered_select(s, o, &select, err));
    status = tide_pg_text(&s->pg, &copy, err, "COPY (%s) TO STDOUT (FORMAT binary)", select);
    free(select);
    PGresult *result = NULL;
    if (status == TIDE_OK)
        status = tide_pg_query(&s->pg, copy, reading, &result, err);
    free(copy);
    if (status != TIDE_OK)
        return status;
    int is_copy = PQresultStatus(result) == PGRES_COPY_OUT;
    PQclear(result);
    return is_copy ? TIDE_OK
                   : tide_fail(err, TIDE_CONNECTION, "%s: %s: the server sends none", s->pg.name, reading);
}

tide_status tide_postgres_open(const tide_postgres_options *options, tide_source *out, tide_error *err) {
    if (!options->table == !options->query)
        return tide_fail(err, TIDE_CONFIG, "postgres: give a table or a query, and not both");
    pg_source *s = calloc(1, sizeof *s);
    if (s)
        s->bytes = malloc(BLOCK_BYTES + TIDE_ID_MAX_BYTES);
    if (!s || !s->bytes) {
        pg_close(s);
        return tide_fail(err, TIDE_MEMORY, "postgres: out of memory");
    }
    tide_pg_limits limits = {options->connect_timeout_s, options->statement_timeout_s,
                             options->read_timeout_s};
    tide_status status =
        tide_pg_connect(&s->pg, options->url, options->table ? options->table : "query", &limits, err);
    if (status == TIDE_OK)
        status = start_reading(s, options, err);
    if (status != TIDE_OK) {
        pg_close(s);
        return status;
    }
    *out = (tide_source){.self = s,
                         .line_word = "row",
                         .grouped = 1,
                         .next = pg_next,
                         .progress = pg_progress,
                         .close = pg_close};
    memcpy(out->name, s->pg.name, sizeof out->name);
    return TIDE_OK;
}
