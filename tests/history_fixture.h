/* history_fixture.h - a table of rows that changes from night to night, a source that gives it as a database would (by id,
 * then time, rows past a bound only), and runs of it with a history and without. */
#ifndef HISTORY_FIXTURE_H
#define HISTORY_FIXTURE_H

#include "host/intake.h"
#include "io/history.h"
#include "io/history_map.h"
#include "kernels/tide_fn.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct hf_row {
    char id[24];
    int64_t ds;
    double y;
    int deleted;
} hf_row;

typedef struct hf_table {
    hf_row *row;
    size_t n, capacity;
    tide_ds_kind kind;
} hf_table;

static void hf_add(hf_table *t, const char *id, int64_t ds, double y) {
    if (t->n == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 1024;
        t->row = realloc(t->row, t->capacity * sizeof *t->row);
    }
    hf_row *r = &t->row[t->n++];
    memset(r, 0, sizeof *r);
    snprintf(r->id, sizeof r->id, "%s", id);
    r->ds = ds;
    r->y = y;
}

/* --- the source: hands out copies of the rows that match, sorted --------------------------------------------- */

enum { HF_BLOCK = 1000 };
typedef struct hf_source {
    const hf_row **list;
    size_t n, next;
    tide_ds_kind kind;
    char ids[HF_BLOCK * 24];
    uint32_t at[HF_BLOCK], length[HF_BLOCK];
    int64_t ds[HF_BLOCK];
    double y[HF_BLOCK];
    uint64_t line[HF_BLOCK];
} hf_source;

static int hf_compare(const void *a, const void *b) {
    const hf_row *x = *(const hf_row *const *)a, *y = *(const hf_row *const *)b;
    int c = strcmp(x->id, y->id);
    return c ? c : x->ds != y->ds ? (x->ds > y->ds ? 1 : -1) : (x > y) - (x < y);
}

static tide_status hf_next(void *self, tide_rows *rows, tide_error *err) {
    hf_source *s = self;
    size_t n = 0;
    (void)err;
    for (; n < HF_BLOCK && s->next < s->n; ++n, ++s->next) {
        const hf_row *r = s->list[s->next];
        s->at[n] = (uint32_t)(24 * n);
        s->length[n] = (uint32_t)strlen(r->id);
        memcpy(s->ids + 24 * n, r->id, 24);
        s->ds[n] = r->ds;
        s->y[n] = r->y;
        s->line[n] = s->next + 1;
    }
    memset(rows, 0, sizeof *rows);
    *rows = (tide_rows){.n = n, .ds_kind = s->kind, .bytes = s->ids, .id_at = s->at, .id_length = s->length, .ds = s->ds,
                        .y = s->y, .line = s->line};
    return TIDE_OK;
}

static hf_source *hf_open(const hf_table *t, int64_t from, tide_source *out) {
    hf_source *s = calloc(1, sizeof *s);
    s->list = malloc((t->n + 1) * sizeof *s->list);
    s->kind = t->kind;
    for (size_t i = 0; i < t->n; ++i)
        if (!t->row[i].deleted && t->row[i].ds >= from)
            s->list[s->n++] = &t->row[i];
    qsort(s->list, s->n, sizeof *s->list, hf_compare);
    *out = (tide_source){.self = s, .line_word = "row", .grouped = 1, .next = hf_next};
    snprintf(out->name, sizeof out->name, "table");
    return s;
}

static void hf_close(hf_source *s) {
    free(s->list);
    free(s);
}

/* --- runs ---------------------------------------------------------------------------------------------------- */

/* All panels of a run, one after the other, into *all (initialised). */
static tide_status hf_collect(tide_panel *all, const tide_panel *p, tide_error *err) {
    for (size_t i = 0; i < p->n_series; ++i) {
        TIDE_TRY(tide_panel_add(all, p->ids + p->id_at[i], p->id_at[i + 1] - p->id_at[i], p->y + p->at[i],
                                p->at[i + 1] - p->at[i], p->first_ds[i], p->last_ds[i], err));
        all->outcome[all->n_series - 1] = p->outcome[i];
        all->end_of_month[all->n_series - 1] = p->end_of_month[i];
    }
    return TIDE_OK;
}

/* A run with the config's history: everything it fits into *all; what it did into *report. rows_before_too: the source gives
 * rows before the window as well, as a file of all rows does. */
static tide_status hf_run(tide_config *cfg, const hf_table *t, int rows_before_too, tide_panel *all, tide_report *report,
                          tide_error *err) {
    tide_history *h = NULL;
    tide_panel_source *panels = NULL;
    tide_panel p;
    tide_source source;
    tide_intake *intake = NULL;
    int64_t from = INT64_MIN;
    memset(report, 0, sizeof *report);
    tide_panel_init(&p);
    TIDE_TRY(tide_history_open(cfg, 1, NULL, &h, err));
    cr_assert_eq(tide_config_bound("from", cfg->source.from, 0, t->kind, &from, NULL), TIDE_OK);
    hf_source *s = hf_open(t, rows_before_too ? INT64_MIN : from, &source);
    tide_status status = tide_history_start(h, &source, t->kind, "test-run", &panels, err);
    if (!status && !panels)
        status = tide_intake_open(&source, &cfg->intake, &report->intake, &intake, err);
    uint64_t number = 0;
    while (!status) {
        tide_panel_clear(&p);
        status = panels ? panels->next(panels->self, &p, cfg->intake.batch_series, cfg->intake.batch_values, err)
                        : tide_intake_next(intake, &p, err);
        if (status || !p.n_series)
            break;
        cr_assert_eq(p.first_number, number);
        cr_assert(p.n_series <= cfg->intake.batch_series);
        cr_assert(p.n_series == 1 || p.at[p.n_series] <= cfg->intake.batch_values);
        number += p.n_series;
        status = hf_collect(all, &p, err);
    }
    if (!status)
        status = tide_history_prepare(h, err);
    if (!status)
        status = tide_history_finish(h, report, err);
    tide_intake_close(intake);
    tide_history_close(h);
    hf_close(s);
    tide_panel_free(&p);
    return status;
}

static void hf_config(tide_config *cfg, const char *freq, const char *path) {
    tide_config_init(cfg);
    cr_assert_eq(tide_config_set(cfg, "history.path", path, NULL), TIDE_OK);
    cr_assert_eq(tide_config_set(cfg, "freq", freq, NULL), TIDE_OK);
    cr_assert_eq(tide_config_set(cfg, "source.path", "table", NULL), TIDE_OK);
    cfg->intake.batch_series = 7;
    cfg->intake.batch_values = 300;
}

/* A name in a directory of its own; hf_forget removes both. */
static void hf_place(char path[320]) {
    char dir[] = "/tmp/tide-history-XXXXXX";
    cr_assert(mkdtemp(dir));
    snprintf(path, 320, "%s/h.tide", dir);
}

static void hf_forget(const char *path) {
    char command[400];
    snprintf(command, sizeof command, "rm -rf '%.*s'", (int)(strrchr(path, '/') - path), path);
    cr_assert_eq(system(command), 0);
}

#endif
