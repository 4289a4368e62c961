/* intake.c - see intake.h. Reads blocks of rows, cuts them into groups of one id (directly, or out of
 * gather.h's chains), has each put on its grid (regular.h), and packs the series into panels.
 *
 * A finished group waits in `group` (`ready`) when the panel has no room for it, and leaves with the next
 * panel. The block's rows are borrowed from the source, so that the cursor `at` stands in the block from one
 * panel to the next. */
#include "host/intake.h"
#include "host/gather.h"
#include "host/hash.h"
#include "host/idset.h"
#include "host/quote.h"
#include "host/regular.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tide_intake {
    tide_source *source;
    tide_intake_options options;
    tide_regular regular;
    tide_group group;
    int open, ready; /* the group collects rows; it is closed and waits for a panel */
    int kind_known, ended;
    tide_rows rows;    /* present block; rows.n == 0 before the first */
    size_t at, faults; /* next row of it; faults met in it */
    tide_idset seen;
    tide_gather gather;
    int gathered;         /* all input is in `gather` */
    size_t next_gathered; /* series of it that leaves next */
    uint64_t n_emitted;
};

tide_status tide_intake_open(tide_source *source, const tide_intake_options *options,
                             tide_intake_report *report, tide_intake **out, tide_error *err) {
    if (options->freq.multiple < 1 || options->batch_series == 0 || options->batch_values == 0 ||
        options->max_length == 0 || options->max_length > SIZE_MAX / 64)
        return tide_fail(err, TIDE_CONFIG, "intake needs a frequency and positive batch and length limits");
    tide_intake *in = calloc(1, sizeof *in);
    if (!in)
        return tide_fail(err, TIDE_MEMORY, "out of memory for intake");
    tide_status status = tide_group_init(&in->group, err);
    if (status != TIDE_OK) {
        free(in);
        return status;
    }
    memset(report, 0, sizeof *report);
    in->source = source;
    in->options = *options;
    in->regular = (tide_regular){.options = &in->options,
                                 .report = report,
                                 .source = source->name,
                                 .line_word = source->line_word ? source->line_word : "row",
                                 .keep_rows = options->each != NULL};
    *out = in;
    return TIDE_OK;
}

void tide_intake_close(tide_intake *in) {
    if (!in)
        return;
    tide_group_free(&in->group);
    tide_idset_free(&in->seen);
    tide_gather_free(&in->gather);
    free(in);
}

tide_ds_kind tide_intake_ds_kind(const tide_intake *in) {
    return in->regular.ds_kind;
}

/* ---- rows
 * ---------------------------------------------------------------------------------------------------------
 */

/* The kind of the first row with a usable time is the run's; it must suit the frequency. */
static tide_status settle_kind(tide_intake *in, tide_error *err) {
    in->kind_known = 1;
    in->regular.ds_kind = in->rows.ds_kind;
    tide_status status = tide_grid_check(in->options.freq, in->rows.ds_kind, err);
    return status == TIDE_OK ? TIDE_OK : tide_error_prefix(err, status, "%s", in->source->name);
}

/* What is wrong with the present row, in words; the source keeps the text of its block's first faults. */
static const char *fault_words(tide_intake *in, tide_row_fault fault, char *out, size_t size) {
    static const char *const words[] = {"", "ds is", "y is", "id is", "row is broken:"};
    const char *text = in->faults < in->rows.n_fault_text ? in->rows.fault_text[in->faults] : "unusable";
    int quoted = in->faults < in->rows.n_fault_text && (fault == TIDE_ROW_BAD_DS || fault == TIDE_ROW_BAD_Y);
    snprintf(out, size, quoted ? "%s '%.47s'" : "%s %.47s", words[fault], text);
    in->faults += 1;
    return out;
}

/* A row that belongs to no series: ends the run, or is counted and left out. */
static tide_status stray_row(tide_intake *in, uint64_t line, const char *what, tide_error *err) {
    const tide_regular *r = &in->regular;
    if (in->options.bad_rows == TIDE_POLICY_ERROR)
        return tide_fail_case(r, NULL, line, what, err);
    tide_count_case(r, &r->report->bad_rows, NULL, line, what);
    return TIDE_OK;
}

static tide_status next_block(tide_intake *in, tide_error *err) {
    tide_rows rows;
    memset(&rows, 0, sizeof rows);
    TIDE_TRY(in->source->next(in->source->self, &rows, err));
    in->rows = rows;
    in->at = in->faults = 0;
    in->ended = rows.n == 0;
    in->regular.report->rows += rows.n;
    return TIDE_OK;
}

/* ---- groups of consecutive rows
 * ------------------------------------------------------------------------------------- */

static tide_status close_group(tide_intake *in, tide_error *err) {
    in->open = 0;
    if (!in->group.touched)
        return TIDE_OK; /* all its rows lie outside from..to */
    TIDE_TRY(tide_group_close(&in->regular, &in->group, err));
    in->ready = 1;
    return TIDE_OK;
}

static tide_status open_group(tide_intake *in, const char *id, size_t id_length, uint64_t line,
                              tide_error *err) {
    if (!in->source->grouped) {
        int added;
        TIDE_TRY(tide_idset_add(&in->seen, tide_hash_bytes(id, id_length), &added, err));
        if (!added) {
            char text[160];
            return tide_fail(
                err, TIDE_INPUT,
                "%s: series '%s' %s %" PRIu64 ": this id was there before, and other ids since: sort "
                "the input by id, or have it gathered in memory (gather)",
                in->source->name, tide_quote(text, sizeof text, id, id_length), in->regular.line_word, line);
        }
    }
    tide_group_open(&in->group, id, id_length, line);
    in->open = 1;
    return TIDE_OK;
}

/* Takes rows of the block until its end or until a group is ready. */
static tide_status group_rows(tide_intake *in, tide_error *err) {
    const tide_rows *rows = &in->rows;
    tide_group *g = &in->group;
    for (; in->at < rows->n; in->at += 1) {
        size_t i = in->at, id_length = rows->id_length[i];
        const char *id = rows->bytes + rows->id_at[i];
        tide_row_fault fault = rows->fault ? (tide_row_fault)rows->fault[i] : TIDE_ROW_GOOD;
        char what[96];
        if (fault == TIDE_ROW_BAD_ID || fault == TIDE_ROW_BAD_SHAPE) {
            TIDE_TRY(stray_row(in, rows->line[i], fault_words(in, fault, what, sizeof what), err));
            continue;
        }
        if (!in->open || id_length != g->id_length || memcmp(id, g->id, id_length) != 0) {
            if (in->open) {
                TIDE_TRY(close_group(in, err));
                if (in->ready)
                    return TIDE_OK;
            }
            TIDE_TRY(open_group(in, id, id_length, rows->line[i], err));
        }
        if (fault != TIDE_ROW_GOOD) {
            TIDE_TRY(tide_group_fault(&in->regular, g, rows->line[i],
                                      fault_words(in, fault, what, sizeof what), err));
            continue;
        }
        if (!in->kind_known)
            TIDE_TRY(settle_kind(in, err));
        TIDE_TRY(tide_group_push(&in->regular, g, (tide_row){rows->ds[i], rows->y[i], rows->line[i]}, err));
    }
    return TIDE_OK;
}

/* Makes the next group ready; neither ready nor open at the end of input. */
static tide_status next_group(tide_intake *in, tide_error *err) {
    while (!in->ready && !in->ended) {
        TIDE_TRY(group_rows(in, err));
        if (in->ready)
            break;
        TIDE_TRY(next_block(in, err));
    }
    if (!in->ready && in->open)
        TIDE_TRY(close_group(in, err));
    return TIDE_OK;
}

/* ---- gathered groups
 * -------------------------------------------------------------------------------------------------- */

/* Faults are counted while reading, through the group, whose outcome is then kept with the gathered series.
 */
static tide_status gather_fault(tide_intake *in, size_t number, uint64_t line, const char *what,
                                tide_error *err) {
    tide_gather_series *s = &in->gather.series[number];
    tide_group_open(&in->group, in->gather.ids + s->id_at, s->id_length, s->first_line);
    in->group.outcome = s->outcome;
    TIDE_TRY(tide_group_fault(&in->regular, &in->group, line, what, err));
    s->outcome = in->group.outcome;
    s->sealed |= (uint8_t)in->group.sealed;
    s->touched = 1;
    return TIDE_OK;
}

/* A row of a time that an earlier read has been past. */
static void late_row(tide_intake *in, size_t number, size_t i) {
    const tide_gather_series *s = &in->gather.series[number];
    char what[128], ds[40], window[40];
    if (in->regular.report->late.n >= TIDE_NAMED_MAX) {
        in->regular.report->late.n += 1;
        return;
    }
    tide_ds_format(in->regular.ds_kind, in->rows.ds[i], ds, sizeof ds);
    tide_ds_format(in->regular.ds_kind, in->options.window_ds, window, sizeof window);
    snprintf(what, sizeof what, "ds %s is before the window, which begins at %s", ds, window);
    tide_group_open(&in->group, in->gather.ids + s->id_at, s->id_length, s->first_line);
    tide_count_case(&in->regular, &in->regular.report->late, &in->group, in->rows.line[i], what);
}

static tide_status gather_block(tide_intake *in, tide_error *err) {
    const tide_rows *rows = &in->rows;
    size_t number = 0;
    const char *last_id = NULL;
    size_t last_length = 0;
    for (size_t i = 0; i < rows->n; ++i) {
        tide_row_fault fault = rows->fault ? (tide_row_fault)rows->fault[i] : TIDE_ROW_GOOD;
        const char *id = rows->bytes + rows->id_at[i];
        size_t id_length = rows->id_length[i];
        char what[96];
        if (fault == TIDE_ROW_BAD_ID || fault == TIDE_ROW_BAD_SHAPE) {
            TIDE_TRY(stray_row(in, rows->line[i], fault_words(in, fault, what, sizeof what), err));
            continue;
        }
        if (!last_id || last_length != id_length || memcmp(last_id, id, id_length) != 0) {
            TIDE_TRY(tide_gather_series_of(&in->gather, id, id_length, rows->line[i], &number, err));
            last_id = id;
            last_length = id_length;
        }
        if (fault != TIDE_ROW_GOOD) {
            TIDE_TRY(gather_fault(in, number, rows->line[i], fault_words(in, fault, what, sizeof what), err));
            continue;
        }
        if (!in->kind_known)
            TIDE_TRY(settle_kind(in, err));
        if (rows->ds[i] < in->options.from_ds || rows->ds[i] > in->options.to_ds)
            in->regular.report->outside += 1;
        else if (in->options.windowed && rows->ds[i] < in->options.window_ds)
            late_row(in, number, i);
        else
            TIDE_TRY(tide_gather_push(&in->gather, number, rows->ds[i], rows->y[i], rows->line[i], err));
    }
    return TIDE_OK;
}

static tide_status gather_all(tide_intake *in, tide_error *err) {
    while (!in->gathered) {
        TIDE_TRY(next_block(in, err));
        TIDE_TRY(gather_block(in, err));
        in->gathered = in->ended;
    }
    return TIDE_OK;
}

tide_status tide_intake_gather(tide_intake *in, const struct tide_gather **rows, const struct tide_regular **regular,
                               int *kind_known, tide_error *err) {
    TIDE_TRY(gather_all(in, err));
    *rows = &in->gather;
    *regular = &in->regular;
    *kind_known = in->kind_known;
    return TIDE_OK;
}

static tide_status next_gathered(tide_intake *in, tide_error *err) {
    tide_gather *all = &in->gather;
    TIDE_TRY(gather_all(in, err));
    while (!in->ready && in->next_gathered < all->n_series) {
        const tide_gather_series *s = &all->series[in->next_gathered++];
        tide_group_open(&in->group, all->ids + s->id_at, s->id_length, s->first_line);
        in->group.outcome = s->outcome;
        in->group.touched = s->touched;
        in->group.sealed = s->sealed;
        for (uint32_t row = s->first; row != TIDE_GATHER_NONE;) {
            const tide_gather_row *from = tide_gather_row_at(all, row);
            TIDE_TRY(
                tide_group_push(&in->regular, &in->group, (tide_row){from->ds, from->y, from->line}, err));
            row = from->next;
        }
        TIDE_TRY(close_group(in, err));
    }
    return TIDE_OK;
}

/* ---- panels
 * --------------------------------------------------------------------------------------------------------------
 */

static tide_status emit(tide_intake *in, tide_panel *panel, tide_error *err) {
    const tide_group *g = &in->group;
    TIDE_TRY(tide_panel_add(panel, g->id, g->id_length, g->y, g->n, g->first_ds, g->last_ds, err));
    panel->outcome[panel->n_series - 1] = g->outcome;
    panel->end_of_month[panel->n_series - 1] = g->end_of_month;
    if (in->options.each)
        TIDE_TRY(in->options.each(in->options.each_self, g, panel->fingerprint[panel->n_series - 1], err));
    in->ready = 0;
    in->n_emitted += 1;
    in->regular.report->series += 1;
    return TIDE_OK;
}

static tide_status fill(tide_intake *in, tide_panel *panel, tide_error *err) {
    while (panel->n_series < in->options.batch_series) {
        if (!in->ready)
            TIDE_TRY(in->options.gather ? next_gathered(in, err) : next_group(in, err));
        if (!in->ready)
            return TIDE_OK; /* end of input */
        size_t values = panel->n_series ? panel->at[panel->n_series] : 0;
        if (panel->n_series && in->group.n > in->options.batch_values - values)
            return TIDE_OK;
        TIDE_TRY(emit(in, panel, err));
        if (panel->at[panel->n_series] >= in->options.batch_values)
            return TIDE_OK;
    }
    return TIDE_OK;
}

tide_status tide_intake_next(tide_intake *in, tide_panel *panel, tide_error *err) {
    tide_panel_clear(panel);
    panel->first_number = in->n_emitted;
    tide_status status = fill(in, panel, err);
    if (status != TIDE_OK)
        tide_panel_clear(panel);
    return status;
}
