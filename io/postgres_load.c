/* postgres_load.c - rows of a source into a table by COPY ... FROM STDIN (FORMAT binary), in one transaction.
 *
 *   BEGIN; [CREATE TABLE]; COPY; [CREATE INDEX]; COMMIT; ANALYZE (when an index was asked for)
 *
 * A table made in the same transaction is filled with FREEZE: no later pass over it has to set visibility
 * bits, and the rows need no write-ahead log where wal_level is minimal. Ids get collation "C", so that an
 * index on (id, ds) serves the bytewise order in which postgres.c reads. Rows are only added: what leaves rows
 * alone that are there already is postgres_merge.c. */
#include "io/postgres.h"
#include "io/postgres_copy.h"
#include "io/postgres_table.h"

enum { ROW_BYTES = TIDE_ID_MAX_BYTES + 64 };

typedef struct pg_loader {
    tide_pg pg;
    tide_pg_rows_table table;
    tide_pg_copy copy;
} pg_loader;

static const char loading[] = "loading rows";

static tide_status send_rows(pg_loader *l, const tide_source *in, const tide_rows *rows, tide_error *err) {
    for (size_t i = 0; i < rows->n; ++i) {
        uint32_t length = rows->id_length[i];
        if ((rows->fault && rows->fault[i] != TIDE_ROW_GOOD) || length > TIDE_ID_MAX_BYTES)
            return tide_fail(err, TIDE_INPUT, "%s: %s: %s %llu cannot be used, so nothing is loaded",
                             in->name, loading, in->line_word, (unsigned long long)rows->line[i]);
        unsigned char *p = tide_pg_put16(tide_pg_copy_place(&l->copy), 3);
        p = tide_pg_put_bytes(p, rows->bytes + rows->id_at[i], length);
        p = tide_pg_put_ds(p, l->table.ds_type, rows->ds[i]);
        if (!p)
            return tide_fail(err, TIDE_INPUT, "%s: %s: the time of %s %llu does not fit the column %s",
                             l->pg.name, loading, in->line_word, (unsigned long long)rows->line[i],
                             l->table.column[1]);
        TIDE_TRY(tide_pg_copy_put(&l->copy, tide_pg_put_float8(p, rows->y[i]), err));
    }
    return TIDE_OK;
}

static tide_status start_copy(pg_loader *l, const tide_postgres_load_options *o, tide_ds_kind kind,
                              tide_error *err) {
    tide_pg_rows_table *t = &l->table;
    tide_pg_relation found;
    char *sql = NULL;
    TIDE_TRY(tide_pg_find(&l->pg, t->name, &found, err));
    int creates = !found.exists && o->create;
    if (creates)
        TIDE_TRY(tide_pg_rows_table_create(&l->pg, t, kind, err));
    TIDE_TRY(tide_pg_rows_table_check(&l->pg, t, kind, err));
    TIDE_TRY(tide_pg_text(&l->pg, &sql, err, "COPY %s (%s, %s, %s) FROM STDIN (FORMAT binary%s)", t->name,
                          t->id, t->ds, t->y, creates ? ", FREEZE" : ""));
    tide_status status = tide_pg_copy_start(&l->copy, &l->pg, sql, ROW_BYTES, loading, err);
    free(sql);
    return status;
}

static tide_status load(pg_loader *l, const tide_postgres_load_options *o, tide_source *in, uint64_t *n,
                        tide_error *err) {
    const char *const column[3] = {o->id_column, o->ds_column, o->y_column};
    TIDE_TRY(tide_pg_rows_table_names(&l->pg, o->table, column, &l->table, err));
    TIDE_TRY(tide_pg_begin(&l->pg, o->statement_timeout_s, 0, err));
    tide_rows rows;
    TIDE_TRY(in->next(in->self, &rows, err));
    TIDE_TRY(start_copy(l, o, rows.ds_kind, err));
    while (rows.n) {
        TIDE_TRY(send_rows(l, in, &rows, err));
        TIDE_TRY(in->next(in->self, &rows, err));
    }
    *n = l->copy.rows;
    TIDE_TRY(tide_pg_copy_end(&l->copy, err));
    if (o->create_index)
        TIDE_TRY(tide_pg_rows_table_index(&l->pg, &l->table, 0, NULL, err));
    TIDE_TRY(tide_pg_run(&l->pg, "COMMIT", "committing", err));
    if (!o->create_index)
        return TIDE_OK;
    /* The rows are safe; statistics let the planner take the index. */
    char *sql = NULL;
    TIDE_TRY(tide_pg_text(&l->pg, &sql, err, "ANALYZE %s", l->table.name));
    return tide_pg_run_text(&l->pg, sql, "analysing the table", NULL, err);
}

tide_status tide_postgres_load(const tide_postgres_load_options *options, tide_source *rows, uint64_t *n_rows,
                               tide_error *err) {
    if (!options->table)
        return tide_fail(err, TIDE_CONFIG, "postgres: no table is given to load into");
    pg_loader *l = calloc(1, sizeof *l);
    if (!l)
        return tide_fail(err, TIDE_MEMORY, "postgres: out of memory");
    tide_pg_limits limits = {options->connect_timeout_s, options->statement_timeout_s,
                             options->read_timeout_s};
    uint64_t n = 0;
    tide_status status = tide_pg_connect(&l->pg, options->url, options->table, &limits, err);
    if (status == TIDE_OK)
        status = load(l, options, rows, &n, err);
    tide_pg_close(&l->pg); /* without a COMMIT before, the server forgets all of it */
    tide_pg_copy_free(&l->copy);
    tide_pg_rows_table_free(&l->table);
    free(l);
    if (status == TIDE_OK && n_rows)
        *n_rows = n;
    return status;
}
