/* regular.c - see regular.h.
 *
 * The common series costs one append a row and one pass at the end: its times rise, so that there is nothing
 * to sort and no duplicate, and each time is asked of the grid once. Sorting is a bottom-up merge sort
 * (stable: equal times stay in input order, which FIRST, LAST and the order of a SUM rely on) with reversal
 * of a falling series as its own case. */
#include "host/regular.h"
#include "host/quote.h"
#include "kernels/batch.h"
#include "kernels/tide_fn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tide_status tide_group_init(tide_group *g, tide_error *err) {
    memset(g, 0, sizeof *g);
    g->id = malloc(TIDE_ID_MAX_BYTES);
    return g->id ? TIDE_OK : tide_fail(err, TIDE_MEMORY, "out of memory for intake");
}

void tide_group_free(tide_group *g) {
    free(g->id);
    free(g->rows);
    free(g->spare);
    free(g->y);
    memset(g, 0, sizeof *g);
}

void tide_group_open(tide_group *g, const char *id, size_t id_length, uint64_t line) {
    memcpy(g->id, id, id_length);
    g->id_length = id_length;
    g->first_line = line;
    g->n_rows = g->n = 0;
    g->ascending = 1;
    g->touched = g->sealed = 0;
    g->n_off_grid = g->n_kept = 0;
    g->kept = NULL;
    g->outcome = TIDE_OUTCOME_FITTED;
    g->first_ds = g->last_ds = 0;
    g->end_of_month = 0;
}

/* ---- counting and naming
 * --------------------------------------------------------------------------------------- */

static void describe(const tide_regular *r, const tide_group *g, uint64_t line, const char *what,
                     char out[200]) {
    char id[72];
    if (g && line == 0)
        snprintf(out, 200, "series '%s' in the history: %s", tide_quote(id, sizeof id, g->id, g->id_length), what);
    else if (g)
        snprintf(out, 200, "series '%s' %s %" PRIu64 ": %s", tide_quote(id, sizeof id, g->id, g->id_length),
                 r->line_word, line, what);
    else
        snprintf(out, 200, "%s %" PRIu64 ": %s", r->line_word, line, what);
}

void tide_count_case(const tide_regular *r, tide_intake_count *count, const tide_group *g, uint64_t line,
                     const char *what) {
    if (count->n < TIDE_NAMED_MAX)
        describe(r, g, line, what, count->named[count->n]);
    count->n += 1;
}

tide_status tide_fail_case(const tide_regular *r, const tide_group *g, uint64_t line, const char *what,
                           tide_error *err) {
    char text[200];
    describe(r, g, line, what, text);
    return tide_fail(err, TIDE_INPUT, "%s: %s", r->source, text);
}

/* The first fault of a series decides its outcome. */
static void quarantine(tide_group *g, tide_outcome outcome) {
    if (g->outcome == TIDE_OUTCOME_FITTED)
        g->outcome = (uint8_t)outcome;
}

/* ---- rows as they come
 * ------------------------------------------------------------------------------------------ */

static tide_status grow_rows(tide_group *g, tide_error *err) {
    size_t capacity = g->cap_rows ? 2 * g->cap_rows : 256;
    tide_row *rows = capacity < SIZE_MAX / sizeof *rows ? realloc(g->rows, capacity * sizeof *rows) : NULL;
    if (!rows)
        return tide_fail(err, TIDE_MEMORY, "out of memory for a series of %zu rows", capacity);
    g->rows = rows;
    g->cap_rows = capacity;
    free(g->spare); /* made again, at the new size, when a series needs sorting */
    g->spare = NULL;
    return TIDE_OK;
}

static tide_status infinite_row(const tide_regular *r, tide_group *g, tide_row *row, tide_error *err) {
    const char *what = row->y > 0 ? "y is infinite" : "y is minus infinity";
    if (r->options->infinite == TIDE_POLICY_ERROR)
        return tide_fail_case(r, g, row->line, what, err);
    tide_count_case(r, &r->report->infinite, g, row->line, what);
    if (r->options->infinite == TIDE_POLICY_QUARANTINE) {
        quarantine(g, TIDE_OUTCOME_NOT_FINITE);
        row->y = row->y > 0 ? TIDE_WAS_INFINITE : TIDE_WAS_MINUS_INFINITE;
    } else {
        row->y = TIDE_NAN;
    }
    return TIDE_OK;
}

static tide_status unordered_row(const tide_regular *r, tide_group *g, const tide_row *row, tide_error *err) {
    char what[96], ds[40], before[40];
    tide_ds_format(r->ds_kind, row->ds, ds, sizeof ds);
    tide_ds_format(r->ds_kind, g->rows[g->n_rows - 1].ds, before, sizeof before);
    snprintf(what, sizeof what, "ds %s comes after %s", ds, before);
    if (r->options->out_of_order == TIDE_POLICY_ERROR)
        return tide_fail_case(r, g, row->line, what, err);
    tide_count_case(r, &r->report->out_of_order, g, row->line, what);
    return TIDE_OK;
}

/* More rows than any grid of max_length steps can need, even with duplicates: an id that is none (a constant
 * column). */
static tide_status too_many_rows(const tide_regular *r, tide_group *g, uint64_t line, tide_error *err) {
    char what[96];
    if (g->outcome == TIDE_OUTCOME_BAD_GRID)
        return TIDE_OK;
    snprintf(what, sizeof what, "more than %zu rows, four times the most steps of a series", g->n_rows);
    if (r->options->bad_rows == TIDE_POLICY_ERROR)
        return tide_fail_case(r, g, line, what, err);
    tide_count_case(r, &r->report->off_grid, g, line, what);
    g->outcome = TIDE_OUTCOME_BAD_GRID;
    g->sealed = 1;
    return TIDE_OK;
}

tide_status tide_group_push(const tide_regular *r, tide_group *g, tide_row row, tide_error *err) {
    const tide_intake_options *o = r->options;
    if (row.ds < o->from_ds || row.ds > o->to_ds) {
        r->report->outside += 1;
        return TIDE_OK;
    }
    g->touched = 1;
    if (!(tide_abs(row.y) < TIDE_INF)) {
        if (row.y != row.y) {
            r->report->missing += 1;
            row.y = TIDE_NAN;
        } else {
            TIDE_TRY(infinite_row(r, g, &row, err));
        }
    }
    if (g->n_rows && row.ds <= g->rows[g->n_rows - 1].ds) {
        if (row.ds < g->rows[g->n_rows - 1].ds)
            TIDE_TRY(unordered_row(r, g, &row, err));
        g->ascending = 0;
    }
    if (g->n_rows / 4 >= o->max_length)
        return too_many_rows(r, g, row.line, err);
    if (g->n_rows == g->cap_rows)
        TIDE_TRY(grow_rows(g, err));
    g->rows[g->n_rows++] = row;
    return TIDE_OK;
}

tide_status tide_group_fault(const tide_regular *r, tide_group *g, uint64_t line, const char *what,
                             tide_error *err) {
    g->touched = 1;
    if (r->options->bad_rows == TIDE_POLICY_ERROR)
        return tide_fail_case(r, g, line, what, err);
    tide_count_case(r, &r->report->bad_rows, g, line, what);
    if (r->options->bad_rows == TIDE_POLICY_QUARANTINE) {
        quarantine(g, TIDE_OUTCOME_BAD_ROW);
        g->sealed = 1;
    }
    return TIDE_OK;
}

/* ---- order
 * ------------------------------------------------------------------------------------------------------ */

enum { SORT_RUN = 16 };

static void insertion_sort(tide_row *rows, size_t n) {
    for (size_t i = 1; i < n; ++i) {
        tide_row row = rows[i];
        size_t j = i;
        for (; j > 0 && rows[j - 1].ds > row.ds; --j)
            rows[j] = rows[j - 1];
        rows[j] = row;
    }
}

static void merge(tide_row *to, const tide_row *a, const tide_row *a_end, const tide_row *b,
                  const tide_row *b_end) {
    while (a < a_end && b < b_end)
        *to++ = a->ds <= b->ds ? *a++ : *b++;
    while (a < a_end)
        *to++ = *a++;
    while (b < b_end)
        *to++ = *b++;
}

static tide_status sort_rows(tide_group *g, tide_error *err) {
    size_t n = g->n_rows, i = 1;
    while (i < n && g->rows[i].ds < g->rows[i - 1].ds)
        ++i;
    if (i == n) { /* falling: newest first */
        for (size_t a = 0, b = n; a + 1 < b; ++a) {
            tide_row row = g->rows[a];
            g->rows[a] = g->rows[--b];
            g->rows[b] = row;
        }
        return TIDE_OK;
    }
    for (i = 0; i < n; i += SORT_RUN)
        insertion_sort(g->rows + i, n - i < SORT_RUN ? n - i : SORT_RUN);
    if (n <= SORT_RUN)
        return TIDE_OK;
    if (!g->spare)
        g->spare = malloc(g->cap_rows * sizeof *g->spare);
    if (!g->spare)
        return tide_fail(err, TIDE_MEMORY, "out of memory to sort a series of %zu rows", n);
    for (size_t run = SORT_RUN; run < n; run *= 2) {
        for (i = 0; i < n; i += 2 * run) {
            size_t middle = n - i < run ? n : i + run, end = n - i < 2 * run ? n : i + 2 * run;
            merge(g->spare + i, g->rows + i, g->rows + middle, g->rows + middle, g->rows + end);
        }
        tide_row *sorted = g->spare;
        g->spare = g->rows;
        g->rows = sorted;
    }
    return TIDE_OK;
}

/* ---- duplicates
 * -------------------------------------------------------------------------------------------------- */

/* The one value of rows[0..n), all of one time. */
static double combine(tide_policy policy, const tide_row *rows, size_t n) {
    if (policy == TIDE_POLICY_LAST)
        return rows[n - 1].y;
    if (policy != TIDE_POLICY_SUM && policy != TIDE_POLICY_MEAN)
        return rows[0].y;
    double sum = 0;
    size_t present = 0;
    for (size_t i = 0; i < n; ++i) {
        if (rows[i].y != rows[i].y)
            continue;
        sum += rows[i].y;
        present += 1;
    }
    if (present == 0)
        return TIDE_NAN;
    return policy == TIDE_POLICY_SUM ? sum : sum / (double)present;
}

static tide_status duplicate_rows(const tide_regular *r, tide_group *g, const tide_row *rows, size_t n,
                                  tide_error *err) {
    for (size_t i = 1; i < n; ++i) {
        char what[160], ds[40];
        tide_ds_format(r->ds_kind, rows[0].ds, ds, sizeof ds);
        snprintf(what, sizeof what, "ds %s is there already, in %s %" PRIu64 ": y is %.6g here, %.6g there",
                 ds, r->line_word, rows[0].line, rows[i].y, rows[0].y);
        if (r->options->duplicates == TIDE_POLICY_ERROR)
            return tide_fail_case(r, g, rows[i].line, what, err);
        tide_count_case(r, &r->report->duplicates, g, rows[i].line, what);
    }
    if (r->options->duplicates == TIDE_POLICY_QUARANTINE)
        quarantine(g, TIDE_OUTCOME_DUPLICATE);
    return TIDE_OK;
}

static tide_status merge_duplicates(const tide_regular *r, tide_group *g, tide_error *err) {
    size_t n = 0;
    for (size_t i = 0, end; i < g->n_rows; i = end) {
        for (end = i + 1; end < g->n_rows && g->rows[end].ds == g->rows[i].ds;)
            ++end;
        tide_row row = g->rows[i];
        if (end - i > 1) {
            TIDE_TRY(duplicate_rows(r, g, g->rows + i, end - i, err));
            row.y = combine(r->options->duplicates, g->rows + i, end - i);
            if (tide_abs(row.y) == TIDE_INF)
                TIDE_TRY(infinite_row(r, g, &row, err)); /* a sum too large */
        }
        g->rows[n++] = row;
    }
    g->n_rows = n;
    return TIDE_OK;
}

/* ---- the grid
 * ----------------------------------------------------------------------------------------------------- */

static int all_month_ends(const tide_regular *r, const tide_group *g) {
    if (r->options->freq.unit < TIDE_UNIT_MONTH)
        return 0;
    for (size_t i = 0; i < g->n_rows; ++i)
        if (!tide_grid_is_month_end(r->ds_kind, g->rows[i].ds))
            return 0;
    return 1;
}

static tide_status off_grid_row(const tide_regular *r, tide_group *g, const tide_row *row, tide_error *err) {
    char what[128], ds[40], first[40], freq[24];
    g->n_off_grid += 1;
    tide_ds_format(r->ds_kind, row->ds, ds, sizeof ds);
    tide_ds_format(r->ds_kind, g->rows[0].ds, first, sizeof first);
    tide_freq_format(r->options->freq, freq, sizeof freq);
    snprintf(what, sizeof what, "ds %s is off the grid %s from %s", ds, freq, first);
    if (r->options->bad_rows == TIDE_POLICY_ERROR)
        return tide_fail_case(r, g, row->line, what, err);
    tide_count_case(r, &r->report->off_grid, g, row->line, what);
    if (r->options->bad_rows == TIDE_POLICY_QUARANTINE)
        quarantine(g, TIDE_OUTCOME_BAD_GRID);
    return TIDE_OK;
}

static tide_status too_long(const tide_regular *r, tide_group *g, const tide_row *row, tide_error *err) {
    char what[160], ds[40], first[40];
    tide_ds_format(r->ds_kind, row->ds, ds, sizeof ds);
    tide_ds_format(r->ds_kind, g->rows[0].ds, first, sizeof first);
    snprintf(what, sizeof what, "from %s to %s there are more than %zu steps", first, ds,
             r->options->max_length);
    if (r->options->bad_rows == TIDE_POLICY_ERROR)
        return tide_fail_case(r, g, row->line, what, err);
    tide_count_case(r, &r->report->off_grid, g, row->line, what);
    quarantine(g, TIDE_OUTCOME_BAD_GRID);
    return TIDE_OK;
}

static tide_status reserve_y(tide_group *g, size_t n, tide_error *err) {
    if (n <= g->cap_y)
        return TIDE_OK;
    size_t capacity = g->cap_y ? g->cap_y : 256;
    while (capacity < n && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    double *y = capacity >= n && capacity < SIZE_MAX / sizeof *y ? realloc(g->y, capacity * sizeof *y) : NULL;
    if (!y)
        return tide_fail(err, TIDE_MEMORY, "out of memory for a series of %zu steps", n);
    g->y = y;
    g->cap_y = capacity;
    return TIDE_OK;
}

/* Values on the grid of the first row that can start one; rows are in order and without duplicates. */
static tide_status place(const tide_regular *r, tide_group *g, tide_error *err) {
    g->end_of_month = (uint8_t)all_month_ends(r, g);
    tide_grid grid = tide_grid_start(r->options->freq, r->ds_kind, g->rows[0].ds, g->end_of_month);
    size_t n = 0, on_grid = 0;
    for (size_t i = 0; i < g->n_rows; ++i) {
        int64_t step;
        if (!grid.valid)
            grid = tide_grid_start(r->options->freq, r->ds_kind, g->rows[i].ds, g->end_of_month);
        if (!tide_grid_step_of(&grid, g->rows[i].ds, &step)) {
            TIDE_TRY(off_grid_row(r, g, &g->rows[i], err));
            continue;
        }
        if ((uint64_t)step >= r->options->max_length) {
            TIDE_TRY(too_long(r, g, &g->rows[i], err));
            break;
        }
        if (g->outcome != TIDE_OUTCOME_FITTED)
            continue; /* only counted */
        if ((size_t)step >= g->cap_y)
            TIDE_TRY(reserve_y(g, (size_t)step + 1, err));
        for (; n < (size_t)step; ++n)
            g->y[n] = TIDE_GAP;
        if (step == 0)
            g->first_ds = g->rows[i].ds;
        g->y[n++] = g->rows[i].y;
        g->last_ds = g->rows[i].ds;
        on_grid += 1;
    }
    if (g->outcome == TIDE_OUTCOME_FITTED) {
        g->n = n;
        r->report->gaps += n - on_grid;
    }
    return TIDE_OK;
}

/* The rows as they are before duplicates are merged, where sort_rows may write. */
static tide_status copy_rows(tide_group *g, tide_error *err) {
    if (!g->spare)
        g->spare = malloc(g->cap_rows * sizeof *g->spare);
    if (!g->spare)
        return tide_fail(err, TIDE_MEMORY, "out of memory for a series of %zu rows", g->n_rows);
    memcpy(g->spare, g->rows, g->n_rows * sizeof *g->rows);
    g->kept = g->spare;
    return TIDE_OK;
}

tide_status tide_group_close(const tide_regular *r, tide_group *g, tide_error *err) {
    g->n = 0;
    g->n_kept = g->n_rows;
    g->kept = g->rows;
    if (!g->ascending) {
        TIDE_TRY(sort_rows(g, err));
        if (r->keep_rows)
            TIDE_TRY(copy_rows(g, err));
        TIDE_TRY(merge_duplicates(r, g, err));
    }
    if (g->n_rows == 0) {
        quarantine(g, TIDE_OUTCOME_EMPTY);
        return TIDE_OK;
    }
    g->first_ds = g->rows[0].ds;
    g->last_ds = g->rows[g->n_rows - 1].ds;
    TIDE_TRY(place(r, g, err));
    for (size_t t = 0; t < g->n; ++t)
        r->report->values += g->y[t] == g->y[t];
    if (g->outcome == TIDE_OUTCOME_FITTED && g->n == 0)
        g->outcome = TIDE_OUTCOME_EMPTY;
    if (g->outcome != TIDE_OUTCOME_FITTED)
        g->last_ds = g->rows[g->n_rows - 1].ds;
    return TIDE_OK;
}
