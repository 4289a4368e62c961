#include "io/postgres_forecasts.h"

#include "host/names.h"
#include "host/queue.h"
#include "host/quote.h"
#include "host/stream.h"
#include "io/postgres_replace.h"

#include <stdlib.h>
#include <string.h>

enum { MORE_BYTES = 12 * (2 * TIDE_LEVELS_MAX + 4) + 512 };

struct tide_write_back {
    tide_pg pg, pg_parameters; /* the second shares the connection and has a name of its own */
    tide_write_back_options o;
    tide_pg_replace forecasts, parameters, *now;
    unsigned ds_type;
    size_t run_id_length;
};

static const char text_key[] = "COLLATE \"C\" NOT NULL", not_null[] = "NOT NULL", real[] = "double precision";

static void set_column(tide_pg_column *c, const char *name, const char *type, const char *more, int mark) {
    snprintf(c->name, sizeof c->name, "%s", name);
    c->type = type;
    c->more = more;
    c->mark = mark;
}

/* "lo_80", "hi_97_5" */
static void level_column(tide_pg_column *c, const char *prefix, double level) {
    char name[sizeof c->name];
    snprintf(name, sizeof name, "%s_%.10g", prefix, level * 100.0);
    for (char *p = name; *p; ++p)
        if (*p == '.' || *p == '-' || *p == '+')
            *p = '_';
    set_column(c, name, real, "", 0);
}

static tide_status start_forecasts(tide_write_back *w, tide_error *err) {
    static const char *const ds_name[] = {"bigint", "date", "timestamp without time zone"};
    static const unsigned ds_type[] = {TIDE_PG_INT8, TIDE_PG_DATE, TIDE_PG_TIMESTAMP};
    tide_pg_column c[TIDE_PG_COLUMNS_MAX];
    int n = 0;
    w->ds_type = ds_type[w->o.ds_kind];
    set_column(&c[n++], "unique_id", "text", text_key, 1);
    set_column(&c[n++], "ds", ds_name[w->o.ds_kind], "", 1);
    set_column(&c[n++], "mean", real, "", 1);
    for (int i = 0; i < w->o.n_levels; ++i) {
        level_column(&c[n++], "lo", w->o.level[i]);
        level_column(&c[n++], "hi", w->o.level[i]);
    }
    set_column(&c[n++], "run_id", "text", not_null, 1);
    set_column(&c[n++], "generation", "bigint", not_null, 1);
    const tide_pg_replace_spec spec = {.table = w->o.table,
                                       .what = "forecasts",
                                       .column = c,
                                       .n_columns = n,
                                       .key = "unique_id, ds",
                                       .families = "^(lo|hi)_[0-9_e]+$",
                                       .in_place = w->o.replace_rows,
                                       .tuple_bytes = TIDE_ID_MAX_BYTES + MORE_BYTES};
    return tide_pg_replace_start(&w->forecasts, &w->pg, &spec, err);
}

static tide_status start_parameters(tide_write_back *w, tide_error *err) {
    tide_pg_column c[11];
    int n = 0;
    set_column(&c[n++], "unique_id", "text", text_key, 1);
    set_column(&c[n++], "member", "integer", not_null, 1);
    set_column(&c[n++], "family", "text", not_null, 1);
    set_column(&c[n++], "form", "text", not_null, 1);
    set_column(&c[n++], "weight", real, "", 0);
    set_column(&c[n++], "coefficients", "double precision[]", "", 1);
    set_column(&c[n++], "sigma2", real, "", 0);
    set_column(&c[n++], "loglik", real, "", 0);
    set_column(&c[n++], "criterion", real, "", 0);
    set_column(&c[n++], "run_id", "text", not_null, 1);
    set_column(&c[n++], "generation", "bigint", not_null, 1);
    const tide_pg_replace_spec spec = {.table = w->o.parameters,
                                       .what = "parameters",
                                       .column = c,
                                       .n_columns = n,
                                       .key = "unique_id, member",
                                       .in_place = w->o.replace_rows,
                                       .tuple_bytes = TIDE_ID_MAX_BYTES + MORE_BYTES};
    return tide_pg_replace_start(&w->parameters, &w->pg_parameters, &spec, err);
}

/* Silence has its limit only while rows are sent: to delete, index and lock takes what it takes. */
static void limit_silence(tide_write_back *w, int sending) {
    const int s = w->o.read_timeout_s > 0 ? w->o.read_timeout_s : 300;
    const int ms = sending && s < INT32_MAX / 1000 ? 1000 * s : INT32_MAX;
    w->pg.read_timeout_ms = w->pg_parameters.read_timeout_ms = ms;
}

tide_status tide_write_back_open(const tide_write_back_options *options, tide_write_back **out, tide_error *err) {
    if (!options->table)
        return tide_fail(err, TIDE_CONFIG, "postgres: no table is given to write to");
    if (options->parameters && strcmp(options->parameters, options->table) == 0)
        return tide_fail(err, TIDE_CONFIG, "postgres %s: forecasts and parameters need a table each", options->table);
    tide_write_back *w = calloc(1, sizeof *w);
    if (!w)
        return tide_fail(err, TIDE_MEMORY, "postgres: out of memory");
    w->o = *options;
    if (w->o.lock_timeout_s <= 0)
        w->o.lock_timeout_s = 300;
    w->run_id_length = strlen(options->run_id);
    tide_pg_limits limits = {options->connect_timeout_s, options->statement_timeout_s, options->read_timeout_s};
    tide_status status = tide_pg_connect(&w->pg, options->url, options->table, &limits, err);
    if (!status) {
        w->pg.stop = options->stop;
        w->pg.stop_self = options->self;
        w->pg_parameters = w->pg;
        if (options->parameters)
            snprintf(w->pg_parameters.name, sizeof w->pg_parameters.name, "postgres %s", options->parameters);
        limit_silence(w, 0);
        status = tide_pg_begin(&w->pg, options->statement_timeout_s, w->o.lock_timeout_s, err);
    }
    if (!status)
        status = start_forecasts(w, err);
    if (status) {
        tide_write_back_close(w);
        return status;
    }
    limit_silence(w, 1);
    w->now = &w->forecasts;
    *out = w;
    return TIDE_OK;
}

tide_status tide_write_back_probe(const tide_write_back_options *o, tide_error *err) {
    static const char *const mark[2] = {"mean", "coefficients"};
    const char *const tables[2] = {o->table, o->parameters};
    tide_pg_limits limits = {o->connect_timeout_s, o->statement_timeout_s, o->read_timeout_s};
    for (int i = 0; i < 2; ++i) {
        tide_pg pg = {.conn = NULL};
        tide_pg_relation found;
        char *name = NULL;
        PGresult *r = NULL;
        if (!tables[i])
            continue;
        TIDE_TRY(tide_pg_connect(&pg, o->url, tables[i], &limits, err));
        tide_status status = tide_pg_quote_name(&pg, tables[i], 2, &name, err);
        if (!status)
            status = tide_pg_find(&pg, name, &found, err);
        if (!status && found.exists) {
            const char *const texts[2] = {found.oid, mark[i]};
            status = tide_pg_query_with(&pg,
                                        "SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = $1::oid AND attname = $2 "
                                        "AND NOT attisdropped",
                                        2, texts, "looking at columns", &r, err);
            if (!status && PQntuples(r) != 1)
                status = tide_fail(err, TIDE_INPUT,
                                   "%s: the table has no column %s, so it is of something else and is left alone", pg.name,
                                   mark[i]);
            PQclear(r);
        }
        free(name);
        tide_pg_close(&pg);
        TIDE_TRY(status);
    }
    return TIDE_OK;
}

/* --- rows --------------------------------------------------------------------------------------------------
 */

static tide_status check_id(const tide_write_back *w, const char *id, size_t n, tide_error *err) {
    char quoted[96];
    if (tide_pg_takes_text(id, n))
        return TIDE_OK;
    return tide_fail(err, TIDE_INPUT, "%s: the id '%s' is not UTF-8 text, which PostgreSQL does not take; nothing is changed",
                     w->pg.name, tide_quote(quoted, sizeof quoted, id, n));
}

/* The last two columns. */
static unsigned char *put_origin(const tide_write_back *w, unsigned char *p) {
    p = tide_pg_put_bytes(p, w->o.run_id, w->run_id_length);
    return tide_pg_put_int8(p, (int64_t)w->o.generation);
}

tide_status tide_write_back_rows(const tide_write_back *w, FILE *f, const tide_write_back_series *s, tide_error *err) {
    unsigned char head[8], row[MORE_BYTES];
    TIDE_TRY(check_id(w, s->id, s->id_length, err));
    tide_pg_put32(tide_pg_put16(head, (uint16_t)(5 + 2 * w->o.n_levels)), (uint32_t)s->id_length);
    for (int64_t h = s->first; h <= s->last; ++h) {
        unsigned char *p = s->has_ds ? tide_pg_put_ds(row, w->ds_type, tide_grid_at(&s->grid, h)) : tide_pg_put_null(row);
        if (!p)
            return tide_fail(err, TIDE_INPUT, "%s: a time of '%.200s' is none that PostgreSQL has", w->pg.name, s->id);
        p = tide_pg_put_float8(p, s->mean[h - 1]);
        for (int64_t i = 0; i < w->o.n_levels; ++i) {
            p = tide_pg_put_float8(p, s->lo[i * s->horizon + h - 1]);
            p = tide_pg_put_float8(p, s->hi[i * s->horizon + h - 1]);
        }
        p = put_origin(w, p);
        fwrite(head, 1, 6, f);
        fwrite(s->id, 1, s->id_length, f);
        fwrite(row, 1, (size_t)(p - row), f);
    }
    return TIDE_OK; /* a failed write shows when f is closed */
}

tide_status tide_write_back_member(const tide_write_back *w, FILE *f, const tide_series_model *series, int32_t j,
                                   const tide_member *m, tide_error *err) {
    unsigned char part[MORE_BYTES], *p;
    char form[TIDE_FORM_TEXT];
    const char *family = tide_family_name(m->family);
    tide_form_text(m->family, m->form, w->o.season, form, sizeof form);
    TIDE_TRY(check_id(w, series->id, series->id_length, err));
    p = tide_pg_put32(tide_pg_put16(part, 11), (uint32_t)series->id_length);
    fwrite(part, 1, (size_t)(p - part), f);
    fwrite(series->id, 1, series->id_length, f);
    p = tide_pg_put32(tide_pg_put32(part, 4), (uint32_t)j);
    p = tide_pg_put_bytes(p, family, strlen(family));
    p = tide_pg_put_bytes(p, form, strlen(form));
    p = tide_pg_put_float8(p, m->weight);
    /* An array: dimensions (none when empty), flag of NULLs, type; then length and first index; then the elements. */
    const uint32_t n = m->n_coef > 0 ? (uint32_t)m->n_coef : 0;
    p = tide_pg_put32(p, n ? 20 + 12 * n : 12);
    p = tide_pg_put32(tide_pg_put32(tide_pg_put32(p, n > 0), 0), TIDE_PG_FLOAT8);
    if (n)
        p = tide_pg_put32(tide_pg_put32(p, n), 1);
    fwrite(part, 1, (size_t)(p - part), f);
    for (uint32_t i = 0; i < n; ++i) {
        p = tide_pg_put64(tide_pg_put32(part, 8), tide_to_bits(m->coef[i]));
        fwrite(part, 1, (size_t)(p - part), f);
    }
    p = tide_pg_put_float8(part, m->sigma2);
    p = tide_pg_put_float8(p, m->loglik);
    p = tide_pg_put_float8(p, m->criterion);
    p = put_origin(w, p);
    fwrite(part, 1, (size_t)(p - part), f);
    return TIDE_OK;
}

tide_status tide_write_back_send(tide_write_back *w, const char *bytes, size_t n, uint64_t rows, tide_error *err) {
    return tide_pg_copy_tuples(&w->now->copy, bytes, n, rows, err);
}

/* --- the ends ----------------------------------------------------------------------------------------------
 */

tide_status tide_write_back_parameters(tide_write_back *w, tide_error *err) {
    limit_silence(w, 0);
    TIDE_TRY(tide_pg_replace_fill_end(&w->forecasts, err));
    TIDE_TRY(start_parameters(w, err));
    limit_silence(w, 1);
    w->now = &w->parameters;
    return TIDE_OK;
}

tide_status tide_write_back_finish(tide_write_back *w, double *swap_s, tide_error *err) {
    tide_pg_replace *const tables[2] = {&w->forecasts, &w->parameters};
    limit_silence(w, 0);
    TIDE_TRY(tide_pg_replace_fill_end(w->now, err));
    double start = tide_now_s();
    TIDE_TRY(tide_pg_replace_swap(tables, w->now == &w->parameters ? 2 : 1, w->o.lock_timeout_s, err));
    TIDE_TRY(tide_pg_run(&w->pg, "COMMIT", tide_pg_committing, err));
    if (swap_s)
        *swap_s = tide_now_s() - start;
    return TIDE_OK;
}

void tide_write_back_close(tide_write_back *w) {
    if (!w)
        return;
    if (w->pg.conn && PQtransactionStatus(w->pg.conn) == PQTRANS_ACTIVE)
        tide_pg_cancel(&w->pg);
    tide_pg_close(&w->pg);
    tide_pg_replace_free(&w->forecasts);
    tide_pg_replace_free(&w->parameters);
    free(w);
}
