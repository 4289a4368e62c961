/* update_rows.c - see update_rows.h.
 *
 * Rows go by batches, bounded in rows and in values. A pool fills the results of a batch: each item is one row, read from the
 * store and rolled where it has new values; then one thread makes the panel and hands both to the writer. */
#include "io/update_rows.h"

#include "host/names.h"
#include "host/queue.h"
#include "host/quote.h"
#include "kernels/results.h"
#include "kernels/roll.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 512, BATCH_VALUES = 1 << 22 };

typedef enum row_state { ROW_KEPT, ROW_ROLLED, ROW_REFUSED } row_state;

typedef struct row {
    tide_series_model model;
    uint64_t fingerprint;
    int32_t fresh, present; /* of ROW_ROLLED */
    uint8_t state;
} row;

typedef struct worker {
    double *values, *coef, *at_state, *scratch; /* one block each but the last three, which share one */
    size_t cap_values, cap_block;
} worker;

typedef struct batch {
    const tide_update_rows *rows;
    row row[BATCH_ROWS];
    uint64_t first;
    size_t n;
    tide_results results;
    void *block;
    size_t block_bytes;
    worker *workers;
    pthread_mutex_t lock; /* of the failure */
    tide_status status;
    tide_error err;
} batch;

void tide_update_note(tide_update_count *count, const char *id, size_t id_length) {
    if (count->n < TIDE_UPDATE_NAMED)
        tide_quote(count->named[count->n], sizeof count->named[0], id, id_length);
    ++count->n;
}

/* The next rows of the store, and results that hold their members, zero. */
static tide_status begin_batch(batch *b, uint64_t first, tide_error *err) {
    const tide_update_rows *u = b->rows;
    tide_results *r = &b->results;
    size_t values = 0;
    memset(r, 0, sizeof *r);
    r->slots = 1;
    r->coef_rows = TIDE_ETS_COEF_ROWS;
    r->state_rows = 2 + u->info->season;
    b->first = first;
    for (b->n = 0; b->n < BATCH_ROWS && first + b->n < u->info->n_series && values < BATCH_VALUES; ++b->n) {
        row *w = &b->row[b->n];
        TIDE_TRY(tide_store_series(u->store, (int64_t)(first + b->n), &w->model, err));
        values += (size_t)(w->model.n_values > 0 ? w->model.n_values : 0);
        r->slots = w->model.n_members > r->slots ? w->model.n_members : r->slots;
        for (int32_t j = 0; j < w->model.n_members; ++j) {
            tide_member m;
            TIDE_TRY(tide_store_member(u->store, &w->model, j, &m, err));
            r->coef_rows = m.n_coef > r->coef_rows ? m.n_coef : r->coef_rows;
            r->state_rows = m.n_state > r->state_rows ? m.n_state : r->state_rows;
        }
    }
    r->n_series = b->n;
    size_t bytes = (tide_results_map(r, NULL) + 63) / 64 * 64;
    if (bytes > b->block_bytes) {
        free(b->block);
        b->block = aligned_alloc(64, bytes);
        b->block_bytes = b->block ? bytes : 0;
    }
    if (!b->block)
        return tide_fail(err, TIDE_MEMORY, "no memory for the models of %zu series", b->n);
    memset(b->block, 0, bytes);
    tide_results_map(r, b->block);
    return TIDE_OK;
}

static tide_status make_room(const batch *b, worker *w, size_t values, tide_error *err) {
    size_t own = (size_t)b->results.coef_rows + (size_t)b->results.state_rows + tide_roll_scratch(b->rows->info->season);
    if (own > w->cap_block) {
        free(w->coef);
        w->coef = malloc(own * sizeof *w->coef);
        w->cap_block = w->coef ? own : 0;
    }
    if (values > w->cap_values) {
        free(w->values);
        w->values = malloc(values * sizeof *w->values);
        w->cap_values = w->values ? values : 0;
    }
    if (w->cap_block < own || w->cap_values < values)
        return tide_fail(err, TIDE_MEMORY, "no memory to roll a series over %zu values", values);
    w->at_state = w->coef + b->results.coef_rows;
    w->scratch = w->at_state + b->results.state_rows;
    return TIDE_OK;
}

/* All members of a row into the results, rolled over n values; *rolled: 0 when one of them refused. */
static tide_status put_members(const batch *b, worker *w, size_t i, int n, int *rolled, tide_error *err) {
    const tide_results *r = &b->results;
    const tide_series_model *model = &b->row[i].model;
    size_t count = r->n_series, cs = (size_t)r->coef_rows, ss = (size_t)r->state_rows;
    int64_t reach;
    const double *xreg = tide_xreg_after(&b->rows->xreg, b->rows->info, model->last_ds, n, &reach);
    *rolled = 1;
    for (int32_t j = 0; j < model->n_members && *rolled; ++j) {
        tide_member m;
        size_t at = (size_t)j * count + i;
        TIDE_TRY(tide_store_member(b->rows->store, model, j, &m, err));
        memset(w->coef, 0, (cs + ss) * sizeof *w->coef);
        memcpy(w->coef, m.coef, (size_t)m.n_coef * sizeof *w->coef);
        memcpy(w->at_state, m.state, (size_t)m.n_state * sizeof *w->coef);
        if (n > 0)
            *rolled = tide_roll_with(m.family, m.form, b->rows->info->season, model->scale, xreg, reach, b->rows->xreg.n,
                                     w->values, n, w->coef, w->at_state, w->scratch);
        r->family[at] = m.family;
        r->form[at] = m.form;
        r->converged[at] = m.converged;
        r->n_params[at] = m.n_params;
        r->weight[at] = m.weight;
        r->sigma2[at] = m.sigma2;
        r->loglik[at] = m.loglik;
        r->criterion[at] = m.criterion;
        for (size_t c = 0; c < cs; ++c)
            r->coef[((size_t)j * cs + c) * count + i] = w->coef[c];
        for (size_t c = 0; c < ss; ++c)
            r->state[((size_t)j * ss + c) * count + i] = w->at_state[c];
    }
    return TIDE_OK;
}

static tide_status fill_row(batch *b, worker *w, size_t i, tide_error *err) {
    const tide_update_entry *entry = &b->rows->entry[b->first + i];
    tide_results *r = &b->results;
    row *to = &b->row[i];
    int rolled, n = (int)entry->n;
    TIDE_TRY(make_room(b, w, (size_t)n + 1, err));
    to->state = ROW_KEPT;
    to->fingerprint = to->model.fingerprint;
    to->fresh = to->present = 0;
    r->outcome[i] = to->model.outcome;
    r->n_members[i] = (uint8_t)to->model.n_members;
    r->n_obs[i] = to->model.n_obs;
    r->scale[i] = to->model.scale;
    if (n > 0) {
        TIDE_TRY(tide_spool_read(b->rows->spool, entry->at + 8, w->values, (size_t)n * sizeof *w->values, err));
        TIDE_TRY(put_members(b, w, i, n, &rolled, err));
        to->state = rolled ? ROW_ROLLED : ROW_REFUSED;
    }
    if (to->state != ROW_ROLLED)
        return put_members(b, w, i, 0, &rolled, err);
    TIDE_TRY(tide_spool_read(b->rows->spool, entry->at, &to->fingerprint, 8, err));
    to->fresh = n;
    for (int t = 0; t < n; ++t)
        to->present += !tide_is_nan(w->values[t]);
    r->n_obs[i] += to->present;
    return TIDE_OK;
}

static void fill_item(void *context, int number, size_t item) {
    batch *b = context;
    tide_error err;
    tide_status status = fill_row(b, &b->workers[number], item, &err);
    if (!status)
        return;
    pthread_mutex_lock(&b->lock);
    if (!b->status) {
        b->status = status;
        b->err = err;
    }
    pthread_mutex_unlock(&b->lock);
}

static void count_row(tide_update_summary *s, const row *w) {
    if (w->state == ROW_REFUSED)
        tide_update_note(&s->refused, w->model.id, w->model.id_length);
    s->unchanged += w->state == ROW_KEPT;
    if (w->state != ROW_ROLLED)
        return;
    ++s->updated;
    s->values += (uint64_t)w->present;
    s->missing += (uint64_t)(w->fresh - w->present);
    s->fallbacks += w->model.outcome != TIDE_OUTCOME_FITTED && w->model.outcome != TIDE_OUTCOME_NOT_CONVERGED;
}

/* The rows as a panel, whose values are not looked at by a writer of models. */
static tide_status make_panel(const batch *b, tide_panel *panel, tide_error *err) {
    const tide_update_rows *u = b->rows;
    tide_panel_clear(panel);
    panel->first_number = b->first;
    for (size_t i = 0; i < b->n; ++i) {
        const row *w = &b->row[i];
        const tide_series_model *m = &w->model;
        if (m->n_values > INT32_MAX - w->fresh)
            return tide_fail(err, TIDE_INPUT, "a series of more than %d steps is too long", INT32_MAX);
        int64_t last = w->fresh > 0 ? tide_grid_add(u->info->freq, u->info->ds_kind, m->last_ds, w->fresh, m->end_of_month)
                                    : m->last_ds;
        TIDE_TRY(tide_panel_add(panel, m->id, m->id_length, NULL, (size_t)(m->n_values + w->fresh), m->first_ds, last, err));
        panel->outcome[i] = m->outcome;
        panel->end_of_month[i] = m->end_of_month;
        panel->fingerprint[i] = w->fingerprint;
        panel->backtest_error[i] = m->backtest_error;
        count_row(u->summary, w);
    }
    return TIDE_OK;
}

static tide_status ask_and_tell(const tide_update_rows *u, uint64_t done, double start, tide_error *err) {
    const tide_observer *o = u->observer;
    if (o && o->stop && o->stop(o->self))
        return tide_fail(err, TIDE_INTERRUPTED, "stopped by a signal; nothing was published");
    if (!o || !o->progress)
        return TIDE_OK;
    tide_progress p = {.series = done, .series_read = u->info->n_series, .elapsed_s = tide_now_s() - start, .eta_s = -1.0};
    p.rate = p.elapsed_s > 0.0 ? (double)done / p.elapsed_s : 0.0;
    if (p.rate > 0.0)
        p.eta_s = (double)(u->info->n_series - done) / p.rate;
    o->progress(o->self, &p);
    return TIDE_OK;
}

static tide_status write_batches(batch *b, tide_panel *panel, tide_error *err) {
    const tide_update_rows *u = b->rows;
    double start = tide_now_s();
    for (uint64_t at = 0; at < u->info->n_series; at += b->n) {
        TIDE_TRY(begin_batch(b, at, err));
        tide_pool_run(u->pool, b->n, fill_item, b);
        if (b->status) {
            if (err)
                *err = b->err;
            return b->status;
        }
        TIDE_TRY(make_panel(b, panel, err));
        TIDE_TRY(u->sink->write(u->sink->self, panel, &b->results, err));
        TIDE_TRY(ask_and_tell(u, at + b->n, start, err));
    }
    return u->summary->updated ? u->sink->finish(u->sink->self, err) : TIDE_OK;
}

tide_status tide_update_write(const tide_update_rows *rows, tide_error *err) {
    tide_panel panel;
    int workers = tide_pool_workers(rows->pool);
    batch *b = calloc(1, sizeof *b);
    tide_panel_init(&panel);
    if (b)
        b->workers = calloc((size_t)workers, sizeof *b->workers);
    if (!b || !b->workers) {
        free(b);
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    }
    b->rows = rows;
    pthread_mutex_init(&b->lock, NULL);
    tide_status status = write_batches(b, &panel, err);
    pthread_mutex_destroy(&b->lock);
    for (int i = 0; i < workers; ++i) {
        free(b->workers[i].values);
        free(b->workers[i].coef);
    }
    free(b->workers);
    free(b->block);
    free(b);
    tide_panel_free(&panel);
    return status;
}
