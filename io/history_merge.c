/* history_merge.c - see history_merge.h.
 *
 *     source ─► intake, gathered by id ─┐
 *                                       ├─► group of old and new rows ─► series ─► panel, new history
 *     old history, series by series ────┘
 *
 * One series is made at a time (`now`); it waits when the panel has no room for it. */
#include "io/history_merge.h"
#include "host/gather.h"
#include "host/quote.h"
#include "kernels/batch.h"
#include "kernels/tide_fn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tide_history_merge {
    tide_history_merge_options o;
    const tide_history_header *old; /* of the old history */
    tide_intake *intake;
    tide_intake_options intake_options, all; /* of the window; of the old rows and the window's together */
    tide_intake_report report;
    const tide_gather *rows; /* NULL: not read yet */
    tide_regular regular;
    tide_group group;
    tide_history_scratch scratch;
    uint32_t *fresh; /* [n_fresh] gathered series that the history has not, in the order in which they go out */
    size_t n_fresh, next_fresh;
    uint64_t next_old, n_emitted;
    unsigned order;         /* 0: new ids go last */
    int64_t newest;         /* largest time in the window, or bound */
    tide_history_series now; /* made, not yet in a panel */
    const double *y;         /* [n_y] its values for the panel */
    size_t n_y;
    int ready, same;         /* same: as the history has it */
};

/* --- the window ---------------------------------------------------------------------------------------------- */

static const char *gathered_id(const tide_history_merge *m, size_t k, size_t *length) {
    *length = m->rows->series[k].id_length;
    return m->rows->ids + m->rows->series[k].id_at;
}

/* 1 when a gathered series has anything to say: a row, or one that was left out with a word. */
static int speaks(const tide_gather_series *s) {
    return s->first != TIDE_GATHER_NONE || s->touched;
}

static int compare_fresh(const void *a, const void *b, void *context) {
    const tide_history_merge *m = context;
    uint32_t i, j;
    size_t i_length, j_length;
    memcpy(&i, a, sizeof i);
    memcpy(&j, b, sizeof j);
    const char *i_id = gathered_id(m, i, &i_length), *j_id = gathered_id(m, j, &j_length);
    return tide_history_compare(m->order, i_id, i_length, j_id, j_length);
}

/* The order that history and window have in common; by number only where all ids are numbers. */
static unsigned common_order(const tide_history_merge *m) {
    unsigned order = m->o.by_id ? m->old->order : 0;
    const char *last = NULL;
    size_t last_length = 0;
    for (size_t k = 0; k < m->rows->n_series && order; ++k) {
        size_t length;
        const char *id = gathered_id(m, k, &length);
        if (!tide_history_is_number(id, length))
            order &= ~(unsigned)TIDE_ORDER_NUMBERS;
        for (unsigned bit = TIDE_ORDER_BYTES; bit <= TIDE_ORDER_NUMBERS && last; bit *= 2)
            if ((order & bit) && tide_history_compare(bit, last, last_length, id, length) >= 0)
                order &= ~bit;
        last = id;
        last_length = length;
    }
    return order & TIDE_ORDER_NUMBERS ? TIDE_ORDER_NUMBERS : order;
}

/* Lists the gathered series that the history does not know. */
static tide_status find_fresh(tide_history_merge *m, tide_error *err) {
    size_t n = m->rows->n_series;
    uint8_t *known = calloc(n + 1, 1);
    m->fresh = malloc((n + 1) * sizeof *m->fresh);
    if (!known || !m->fresh) {
        free(known);
        return tide_fail(err, TIDE_MEMORY, "history: out of memory for %zu ids", n);
    }
    tide_status status = TIDE_OK;
    for (uint64_t i = 0; i < m->old->n_series && n && !status; ++i) {
        const char *id = NULL;
        size_t length = 0, k;
        status = tide_history_get_id(m->o.old, i, &id, &length, err);
        if (!status && tide_gather_find(m->rows, id, length, &k))
            known[k] = 1;
    }
    for (size_t k = 0; k < n; ++k)
        if (!known[k] && speaks(&m->rows->series[k]))
            m->fresh[m->n_fresh++] = (uint32_t)k;
    free(known);
    if (!status && m->order)
        qsort_r(m->fresh, m->n_fresh, sizeof *m->fresh, compare_fresh, m);
    return status;
}

static tide_status read_window(tide_history_merge *m, tide_error *err) {
    const tide_regular *regular;
    const tide_gather *rows;
    int kind_known;
    TIDE_TRY(tide_intake_gather(m->intake, &rows, &regular, &kind_known, err));
    if (kind_known && (int32_t)regular->ds_kind != m->old->ds_kind)
        return tide_fail(err, TIDE_INPUT, "%s: its times are of another kind than those of the history", m->o.source->name);
    m->regular = *regular;
    m->regular.ds_kind = (tide_ds_kind)m->old->ds_kind;
    m->regular.options = &m->all;
    m->regular.keep_rows = 1;
    m->newest = m->o.bound;
    int64_t limit = tide_history_limit(m->regular.ds_kind);
    for (size_t k = 0; k < rows->n_rows; ++k) {
        int64_t ds = tide_gather_row_at(rows, (uint32_t)k)->ds;
        m->newest = ds > m->newest && ds <= limit ? ds : m->newest;
    }
    m->rows = rows;
    m->order = common_order(m);
    return find_fresh(m, err);
}

/* --- one series ---------------------------------------------------------------------------------------------- */

static tide_grid grid_of(const tide_history_merge *m, const tide_history_series *s) {
    return tide_grid_start(m->all.freq, (tide_ds_kind)m->old->ds_kind, s->first_ds, s->end_of_month);
}

static int64_t time_of(const tide_history_series *s, const tide_grid *grid, size_t i) {
    return s->times ? s->times[i] : tide_grid_at(grid, (int64_t)i);
}

static int is_row(const tide_history_series *s, size_t i) {
    return s->times || tide_to_bits(s->values[i]) != tide_to_bits(TIDE_GAP);
}

static double as_read(double y) {
    return tide_to_bits(y) == tide_to_bits(TIDE_WAS_INFINITE)         ? TIDE_INF
           : tide_to_bits(y) == tide_to_bits(TIDE_WAS_MINUS_INFINITE) ? -TIDE_INF
                                                                      : y;
}

/* The old rows up to the bound, and what else the history knows of the series, into the open group. */
static tide_status push_old(tide_history_merge *m, const tide_history_series *old, tide_error *err) {
    tide_group *g = &m->group;
    tide_grid grid = grid_of(m, old);
    if (old->flags & TIDE_SEALED) {
        g->outcome = old->outcome;
        g->sealed = g->touched = 1;
    }
    if (old->times && old->n == 0)
        g->touched = 1;
    for (size_t i = 0; i < old->n; ++i) {
        int64_t ds = time_of(old, &grid, i);
        if (ds > m->o.bound)
            break;
        if (is_row(old, i))
            TIDE_TRY(tide_group_push(&m->regular, g, (tide_row){ds, as_read(old->values[i]), 0}, err));
    }
    return TIDE_OK;
}

static tide_status push_new(tide_history_merge *m, size_t k, tide_error *err) {
    tide_group *g = &m->group;
    const tide_gather_series *s = &m->rows->series[k];
    if (g->outcome == TIDE_OUTCOME_FITTED)
        g->outcome = s->outcome;
    g->sealed |= s->sealed;
    g->touched |= s->touched;
    for (uint32_t row = s->first; row != TIDE_GATHER_NONE;) {
        const tide_gather_row *from = tide_gather_row_at(m->rows, row);
        TIDE_TRY(tide_group_push(&m->regular, g, (tide_row){from->ds, from->y, from->line}, err));
        row = from->next;
    }
    return TIDE_OK;
}

/* First index of a row past the bound. */
static size_t window_at(const tide_history_merge *m, const tide_history_series *s, const tide_grid *grid) {
    size_t i = s->n;
    while (i > 0 && time_of(s, grid, i - 1) > m->o.bound)
        --i;
    return i;
}

static void name_correction(tide_history_merge *m, const tide_history_series *s, int64_t ds, double before, double after) {
    tide_intake_count *c = &m->o.report->corrected;
    char id[72], time[40];
    if (c->n < TIDE_NAMED_MAX) {
        tide_ds_format((tide_ds_kind)m->old->ds_kind, ds, time, sizeof time);
        snprintf(c->named[c->n], sizeof c->named[0], "series '%s' ds %s: y was %.6g, is %.6g",
                 tide_quote(id, sizeof id, s->id, s->id_length), time, before, after);
    }
    ++c->n;
}

/* Counts what the window changed of rows that were read before: in `now` against `old`. 1 when there was anything. */
static int count_changes(tide_history_merge *m, const tide_history_series *old, const tide_history_series *now) {
    tide_report_history *r = m->o.report;
    tide_grid old_grid = grid_of(m, old), now_grid = grid_of(m, now);
    size_t i = window_at(m, old, &old_grid), j = window_at(m, now, &now_grid);
    uint64_t before = r->corrected.n + r->rows_late + r->rows_deleted;
    while (i < old->n || j < now->n) {
        if (i < old->n && !is_row(old, i)) {
            ++i;
        } else if (j < now->n && !is_row(now, j)) {
            ++j;
        } else {
            int64_t old_ds = i < old->n ? time_of(old, &old_grid, i) : INT64_MAX;
            int64_t now_ds = j < now->n ? time_of(now, &now_grid, j) : INT64_MAX;
            if (i < old->n && j < now->n && old_ds == now_ds) {
                if (tide_to_bits(old->values[i]) != tide_to_bits(now->values[j]))
                    name_correction(m, now, now_ds, as_read(old->values[i]), as_read(now->values[j]));
                ++i, ++j;
            } else if (i < old->n && (j == now->n || old_ds < now_ds)) {
                ++r->rows_deleted;
                ++i;
            } else {
                r->rows_late += m->old->has_watermark && now_ds <= m->old->watermark;
                ++j;
            }
        }
    }
    return r->corrected.n + r->rows_late + r->rows_deleted != before;
}

/* A series that had every row due by the old watermark, and lacks one that is due by the newest row. */
static int has_ended(const tide_history_merge *m, const tide_history_series *old, const tide_history_series *now) {
    if (!m->old->has_watermark || (old->times && old->n == 0))
        return 0;
    tide_freq freq = m->all.freq;
    tide_ds_kind kind = (tide_ds_kind)m->old->ds_kind;
    return tide_grid_add(freq, kind, old->last_ds, 1, old->end_of_month) > m->old->watermark &&
           tide_grid_add(freq, kind, now->last_ds, 1, now->end_of_month) <= m->newest;
}

static int is_same(const tide_history_series *a, const tide_history_series *b) {
    return a->outcome == b->outcome && a->end_of_month == b->end_of_month && a->flags == b->flags &&
           a->first_ds == b->first_ds && a->last_ds == b->last_ds && a->n == b->n && !a->times == !b->times &&
           (a->n == 0 || memcmp(a->values, b->values, a->n * sizeof *a->values) == 0) &&
           (!a->times || a->n == 0 || memcmp(a->times, b->times, a->n * sizeof *a->times) == 0);
}

/* Counts it as new, gone, unchanged, extended or corrected. */
static void count_series(tide_history_merge *m, const tide_history_series *old, const tide_history_series *now) {
    tide_report_history *r = m->o.report;
    int changed = old && count_changes(m, old, now);
    m->same = old && is_same(old, now);
    m->now.changed = m->same ? old->changed : m->o.generation;
    m->now.fingerprint = m->same ? old->fingerprint : 0;
    if (!old)
        ++r->series_new;
    else if (m->same)
        ++r->series_unchanged;
    else if (changed)
        ++r->series_corrected;
    else
        ++r->series_extended;
    r->series_ended += (uint64_t)(old && has_ended(m, old, now));
    r->series_healed += old && old->outcome != TIDE_OUTCOME_FITTED && now->outcome == TIDE_OUTCOME_FITTED;
    r->series_shut_out += now->outcome != TIDE_OUTCOME_FITTED && (!old || old->outcome == TIDE_OUTCOME_FITTED);
}

/* Old rows and new ones into `now`; ready stays 0 when no row is left. old or k (SIZE_MAX) may be missing, not both. */
static tide_status merge_series(tide_history_merge *m, const tide_history_series *old, size_t k, tide_error *err) {
    tide_group *g = &m->group;
    size_t length = old ? old->id_length : 0;
    const char *id = old ? old->id : gathered_id(m, k, &length);
    tide_group_open(g, id, length, k == SIZE_MAX ? 0 : m->rows->series[k].first_line);
    if (old)
        TIDE_TRY(push_old(m, old, err));
    if (k != SIZE_MAX)
        TIDE_TRY(push_new(m, k, err));
    if (!g->touched) {
        tide_grid grid = grid_of(m, old);
        for (size_t i = 0; i < old->n; ++i)
            m->o.report->rows_deleted += (uint64_t)(is_row(old, i) && time_of(old, &grid, i) > m->o.bound);
        ++m->o.report->series_gone;
        return TIDE_OK;
    }
    TIDE_TRY(tide_group_close(&m->regular, g, err));
    if (old && (old->flags & TIDE_SEALED) && old->times && old->n == 0 && old->first_ds <= m->o.bound) {
        int64_t last = g->n_rows ? g->last_ds : old->last_ds; /* its rows were not kept, its times were */
        g->first_ds = old->first_ds;
        g->last_ds = last > old->last_ds ? last : old->last_ds;
    }
    TIDE_TRY(tide_history_of_group(&m->scratch, g, m->all.max_length, &m->now, err));
    m->y = g->y;
    m->n_y = g->n;
    count_series(m, old, &m->now);
    m->ready = 1;
    return TIDE_OK;
}

static tide_status next_old(tide_history_merge *m, tide_error *err) {
    tide_history_series old;
    size_t k = SIZE_MAX;
    TIDE_TRY(tide_history_get(m->o.old, m->next_old, &old, err));
    ++m->next_old;
    int known = tide_gather_find(m->rows, old.id, old.id_length, &k);
    int silent = !known || !speaks(&m->rows->series[k]), timeless = old.times && old.n == 0;
    int has_panel_values = !old.times || old.outcome != TIDE_OUTCOME_FITTED;
    if (silent && has_panel_values && (old.last_ds <= m->o.bound || timeless)) {
        m->now = old;
        m->y = old.values;
        m->n_y = old.times ? 0 : old.n;
        m->ready = m->same = 1;
        ++m->o.report->series_unchanged;
        m->o.report->series_ended += (uint64_t)has_ended(m, &old, &old);
        return TIDE_OK;
    }
    return merge_series(m, &old, known ? k : SIZE_MAX, err);
}

/* 1 when the next new id goes before the history's next series. */
static tide_status is_fresh_next(tide_history_merge *m, int *out, tide_error *err) {
    const char *id = NULL;
    size_t length = 0, fresh_length;
    *out = m->next_fresh < m->n_fresh;
    if (!*out || m->next_old == m->old->n_series)
        return TIDE_OK;
    *out = 0;
    if (!m->order)
        return TIDE_OK;
    TIDE_TRY(tide_history_get_id(m->o.old, m->next_old, &id, &length, err));
    const char *fresh = gathered_id(m, m->fresh[m->next_fresh], &fresh_length);
    *out = tide_history_compare(m->order, fresh, fresh_length, id, length) < 0;
    return TIDE_OK;
}

/* Makes the next series ready; not ready afterwards at the end. */
static tide_status next_series(tide_history_merge *m, tide_error *err) {
    while (!m->ready && (m->next_old < m->old->n_series || m->next_fresh < m->n_fresh)) {
        int fresh = 0;
        TIDE_TRY(is_fresh_next(m, &fresh, err));
        if (fresh)
            TIDE_TRY(merge_series(m, NULL, m->fresh[m->next_fresh++], err));
        else
            TIDE_TRY(next_old(m, err));
    }
    return TIDE_OK;
}

/* --- panels -------------------------------------------------------------------------------------------------- */

static tide_status emit(tide_history_merge *m, tide_panel *panel, tide_error *err) {
    tide_history_series *s = &m->now;
    TIDE_TRY(tide_panel_add(panel, s->id, s->id_length, m->y, m->n_y, s->first_ds, s->last_ds, err));
    size_t i = panel->n_series - 1;
    panel->outcome[i] = s->outcome;
    panel->end_of_month[i] = s->end_of_month;
    if (m->same && panel->fingerprint[i] != s->fingerprint) {
        char id[96];
        return tide_fail(err, TIDE_STORE, "the history is damaged: the fingerprint of series '%s' is not that of its values",
                         tide_quote(id, sizeof id, s->id, s->id_length));
    }
    s->fingerprint = panel->fingerprint[i];
    if (m->o.writer)
        TIDE_TRY(tide_history_put(m->o.writer, s, m->y, m->n_y, err));
    m->ready = 0;
    ++m->n_emitted;
    ++m->report.series;
    return TIDE_OK;
}

static tide_status fill(tide_history_merge *m, tide_panel *panel, size_t max_series, size_t max_values, tide_error *err) {
    if (!m->rows)
        TIDE_TRY(read_window(m, err));
    while (panel->n_series < max_series) {
        TIDE_TRY(next_series(m, err));
        if (!m->ready)
            break;
        size_t values = panel->n_series ? panel->at[panel->n_series] : 0;
        if (panel->n_series && (values >= max_values || m->n_y > max_values - values))
            break;
        TIDE_TRY(emit(m, panel, err));
    }
    tide_history_forget_before(m->o.old, m->next_old);
    return TIDE_OK;
}

static tide_status next_panel(void *self, tide_panel *panel, size_t max_series, size_t max_values, tide_error *err) {
    tide_history_merge *m = self;
    panel->first_number = m->n_emitted;
    tide_status status = fill(m, panel, max_series, max_values, err);
    if (status)
        tide_panel_clear(panel);
    return status;
}

static void progress(void *self, uint64_t *done, uint64_t *total) {
    const tide_history_merge *m = self;
    *done = m->next_old + m->next_fresh;
    *total = m->old->n_series + m->n_fresh;
}

tide_status tide_history_merge_open(const tide_history_merge_options *options, tide_history_merge **merge,
                                    tide_panel_source *out, tide_error *err) {
    tide_history_merge *m = calloc(1, sizeof *m);
    if (!m)
        return tide_fail(err, TIDE_MEMORY, "history: out of memory");
    m->o = *options;
    m->old = tide_history_get_header(options->old);
    m->all = options->intake;
    m->all.each = NULL;
    m->intake_options = m->all;
    m->intake_options.gather = m->intake_options.windowed = 1;
    m->intake_options.window_ds = options->bound == INT64_MAX ? INT64_MAX : options->bound + 1;
    m->intake_options.batch_series = m->intake_options.batch_values = 1; /* no panel is asked of it */
    tide_status status = tide_group_init(&m->group, err);
    if (!status)
        status = tide_intake_open(options->source, &m->intake_options, &m->report, &m->intake, err);
    if (status) {
        tide_history_merge_close(m);
        return status;
    }
    *merge = m;
    *out = (tide_panel_source){.self = m, .next = next_panel, .progress = progress};
    memcpy(out->name, options->source->name, sizeof out->name);
    return TIDE_OK;
}

const tide_intake_report *tide_history_merge_report(const tide_history_merge *m) {
    return &m->report;
}

void tide_history_merge_close(tide_history_merge *m) {
    if (!m)
        return;
    tide_intake_close(m->intake);
    tide_group_free(&m->group);
    tide_history_scratch_free(&m->scratch);
    free(m->fresh);
    free(m);
}
