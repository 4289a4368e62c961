/* update.c - see update.h: the run around it. The pipeline of a fit with another worker, which collects what is new; when all
 * is read, the sink's finish writes the generation (update_rows.c). */
#include "io/update.h"

#include "host/hash.h"
#include "host/pool.h"
#include "host/run.h"
#include "host/since.h"
#include "host/text.h"
#include "host/tidemill.h"
#include "io/fit.h"
#include "io/history.h"
#include "io/open.h"
#include "io/store_write.h"
#include "io/update_rows.h"
#include "kernels/tide_fn.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct updater {
    tide_config *cfg;
    const tide_observer *observer;
    tide_update_summary *summary;
    tide_store *store;
    tide_store_info info;
    tide_history *history;
    tide_panel_source *panels;
    tide_feed feed;
    tide_backend backend;
    tide_sink store_sink;
    tide_pool *pool;
    tide_update_entry *entry; /* [n_series] */
    tide_spool spool;
} updater;

/* --- the first half: what is new ----------------------------------------------------------------------------- */

/* Does the panel hold all that the model was fitted on? */
static int is_whole(const tide_since *s, const tide_panel *p, size_t i) {
    return p->first_ds[i] == s->model.first_ds && s->skip == 0 && s->known == s->model.n_values;
}

static tide_status keep_new(updater *u, const tide_since *s, const tide_panel *p, size_t i, tide_error *err) {
    const double nan = TIDE_NAN, *y = p->y + p->at[i] + s->known;
    tide_update_entry *entry = &u->entry[s->row];
    uint64_t fingerprint = p->fingerprint[i];
    if (!is_whole(s, p, i)) {
        fingerprint = tide_hash_word(tide_hash_word(TIDE_HASH_SEED, s->model.fingerprint), (uint64_t)s->skip);
        for (int64_t t = 0; t < s->fresh; ++t)
            fingerprint = tide_hash_word(fingerprint, tide_to_bits(y[t]));
        fingerprint = tide_hash_finish(fingerprint);
    }
    entry->at = u->spool.bytes;
    entry->n = (uint32_t)(s->skip + s->fresh);
    TIDE_TRY(tide_spool_put(&u->spool, &fingerprint, sizeof fingerprint, err));
    for (int64_t t = 0; t < s->skip; ++t)
        TIDE_TRY(tide_spool_put(&u->spool, &nan, sizeof nan, err));
    return tide_spool_put(&u->spool, y, (size_t)s->fresh * sizeof *y, err);
}

static tide_status collect_series(updater *u, const tide_panel *p, size_t i, tide_since *s, tide_error *err) {
    const char *id = p->ids + p->id_at[i];
    size_t length = p->id_at[i + 1] - p->id_at[i];
    TIDE_TRY(tide_since_of(u->store, &u->info, p, i, s, err));
    if (s->row < 0 || (s->model.n_members == 0 && p->at[i + 1] > p->at[i])) {
        tide_update_note(&u->summary->unknown, id, length);
        return TIDE_OK;
    }
    if (p->outcome[i] != TIDE_OUTCOME_FITTED || s->off_grid) {
        tide_update_note(&u->summary->unusable, id, length);
        return TIDE_OK;
    }
    if (is_whole(s, p, i) &&
        tide_panel_fingerprint(p->y + p->at[i], (size_t)s->known, p->first_ds[i]) != s->model.fingerprint)
        tide_update_note(&u->summary->corrected, id, length);
    return s->fresh > 0 ? keep_new(u, s, p, i, err) : TIDE_OK;
}

static tide_status collect(void *self, const tide_panel *panel, tide_results *results, tide_error *err) {
    updater *u = self;
    for (size_t i = 0; i < panel->n_series; ++i) {
        tide_since since;
        TIDE_TRY(collect_series(u, panel, i, &since, err));
        results->outcome[i] = since.row < 0 ? (uint8_t)TIDE_OUTCOME_COUNT : since.model.outcome;
        results->n_members[i] = 0;
    }
    return TIDE_OK;
}

/* --- the second half ----------------------------------------------------------------------------------------- */

static tide_status keep_nothing(void *self, const tide_panel *panel, const tide_results *results, tide_error *err) {
    (void)self, (void)panel, (void)results, (void)err;
    return TIDE_OK;
}

static tide_status write_generation(void *self, tide_error *err) {
    updater *u = self;
    TIDE_TRY(tide_spool_flush(&u->spool, err));
    tide_xreg_table xreg;
    TIDE_TRY(tide_store_xreg(u->store, &xreg, err));
    const tide_update_rows rows = {.store = u->store,
                                   .xreg = xreg,
                                   .info = &u->info,
                                   .entry = u->entry,
                                   .spool = &u->spool,
                                   .pool = u->pool,
                                   .sink = &u->store_sink,
                                   .observer = u->observer,
                                   .summary = u->summary};
    return tide_update_write(&rows, err);
}

/* --- the run ------------------------------------------------------------------------------------------------- */

static void say(const updater *u, const char *text) {
    if (*text && u->observer && u->observer->message)
        u->observer->message(u->observer->self, TIDE_LOG_INFO, text);
}

/* The writer with its lock first, then the generation that is current: nobody publishes in between. */
static tide_status open_store(updater *u, const char *run_id, tide_error *err) {
    const tide_config *cfg = u->cfg;
    const uint64_t generation = u->info.generation;
    tide_xreg_table xreg;
    TIDE_TRY(tide_store_xreg(u->store, &xreg, err));
    const tide_store_writer_options o = {.dir = cfg->store.dir,
                                         .freq = u->info.freq,
                                         .season = u->info.season,
                                         .seed = u->info.seed,
                                         .run_id = run_id,
                                         .backend = u->backend.name,
                                         .xreg = xreg.n ? &xreg : NULL,
                                         .keep = cfg->store.keep};
    TIDE_TRY(tide_store_writer_open(&o, &u->store_sink, err));
    say(u, tide_store_writer_note(&u->store_sink));
    tide_store_writer_set_kind(&u->store_sink, u->info.ds_kind);
    const int had_xreg = xreg.n > 0;
    tide_store_close(u->store);
    u->store = NULL;
    int32_t season = u->info.season;
    tide_freq freq = u->info.freq;
    TIDE_TRY(tide_store_open(cfg->store.dir, TIDE_VERIFY_TOUCHED, &u->store, err));
    tide_store_get_info(u->store, &u->info);
    if (u->info.season != season || u->info.freq.unit != freq.unit || u->info.freq.multiple != freq.multiple)
        return tide_fail(err, TIDE_BUSY, "store '%s': a generation of another kind has become current", cfg->store.dir);
    TIDE_TRY(tide_store_xreg(u->store, &xreg, err));
    if (u->info.generation != generation && (had_xreg || xreg.n)) /* the writer has the other one's regressors */
        return tide_fail(err, TIDE_BUSY, "store '%s': another generation has become current", cfg->store.dir);
    u->summary->series = u->info.n_series;
    u->summary->before = u->info.generation;
    return TIDE_OK;
}

static tide_status open_memory(updater *u, tide_error *err) {
    int dir = open(u->cfg->store.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return tide_fail(err, TIDE_DISK, "store '%s': cannot be opened", u->cfg->store.dir);
    tide_status status = tide_spool_open(&u->spool, dir, "new values", err);
    close(dir);
    if (status)
        return status;
    u->entry = calloc((size_t)u->info.n_series + 1, sizeof *u->entry);
    if (!u->entry)
        return tide_fail(err, TIDE_MEMORY, "no memory for %llu series", (unsigned long long)u->info.n_series);
    return tide_pool_create(u->cfg->backend.jobs > 0 ? u->cfg->backend.jobs : tide_processors(), &u->pool, err);
}

static tide_status open_all(updater *u, const char *run_id, tide_error *err) {
    tide_config *cfg = u->cfg;
    char note[256];
    TIDE_TRY(tide_store_open(cfg->store.dir, TIDE_VERIFY_TOUCHED, &u->store, err));
    TIDE_TRY(tide_obey_store(cfg, u->store, &u->info, err));
    if (cfg->history.path)
        TIDE_TRY(tide_history_open(cfg, 0, u->observer, &u->history, err));
    TIDE_TRY(tide_feed_open(cfg, NULL, u->observer, &u->feed, err));
    if (u->history)
        TIDE_TRY(tide_history_start(u->history, &u->feed.source, u->feed.ds_kind, run_id, &u->panels, err));
    tide_ds_kind kind = u->history ? tide_history_ds_kind(u->history) : u->feed.ds_kind;
    if (u->info.n_series && u->info.ds_kind != kind)
        return tide_fail(err, TIDE_INPUT, "%s: its times are of another kind than those of store '%s'", u->feed.source.name,
                         cfg->store.dir);
    cfg->fit.families = 1u << TIDE_FAMILY_NAIVE; /* nothing is fitted: results of the pipeline stay small */
    cfg->fit.slots = 1;
    const tide_backend_options backend = {.kind = TIDE_BACKEND_CPU, .jobs = 1};
    TIDE_TRY(tide_backend_open(&backend, &u->backend, note, sizeof note, err));
    TIDE_TRY(open_store(u, run_id, err));
    return open_memory(u, err);
}

static void close_all(updater *u) {
    tide_pool_free(u->pool);
    tide_spool_close(&u->spool);
    free(u->entry);
    if (u->store_sink.close)
        u->store_sink.close(u->store_sink.self);
    if (u->backend.close)
        u->backend.close(u->backend.self);
    tide_history_close(u->history);
    tide_feed_close(&u->feed);
    tide_store_close(u->store);
}

/* Reads, writes, and puts the run into the store's book. */
static tide_status update_into(updater *u, const char *run_id, tide_report *report, tide_error *err) {
    tide_update_summary *s = u->summary;
    tide_sink sink = {.self = u, .write = keep_nothing, .finish = write_generation};
    tide_run_parts parts = {.cfg = u->cfg,
                            .backend = &u->backend,
                            .source = &u->feed.source,
                            .panels = u->panels,
                            .sink = &u->store_sink,
                            .observer = u->observer,
                            .work = collect,
                            .work_self = u,
                            .before_finish = u->history ? tide_history_prepare : NULL,
                            .before_self = u->history};
    snprintf(sink.name, sizeof sink.name, "%s", u->store_sink.name);
    tide_runs *runs = tide_book_begin(&parts, "update", run_id);
    parts.sink = &sink;
    tide_status status = tide_run(&parts, report, err);
    snprintf(report->run_id, sizeof report->run_id, "%s", run_id);
    snprintf(report->store, sizeof report->store, "%s", u->cfg->store.dir);
    report->ds_kind = u->info.ds_kind;
    if (!status && s->updated) {
        tide_store_written written;
        tide_store_writer_written(&u->store_sink, &written);
        report->generation = s->generation = written.generation;
        report->members = written.n_members;
        report->store_bytes = written.file_bytes;
    }
    if (!status && u->history)
        status = tide_history_finish(u->history, report, err);
    char *metrics = tide_update_json(s);
    tide_book_finish(runs, report, status, err, metrics, u->observer);
    free(metrics);
    tide_feed_tell(&u->feed, u->observer);
    return status;
}

tide_status tide_update_run(tide_config *cfg, const tide_observer *observer, tide_report *report,
                            tide_update_summary *summary, tide_error *err) {
    updater u;
    tide_error failure = {TIDE_OK, ""};
    memset(&u, 0, sizeof u);
    memset(report, 0, sizeof *report);
    memset(summary, 0, sizeof *summary);
    u.cfg = cfg;
    u.observer = observer;
    u.summary = summary;
    u.spool.fd = -1;
    tide_run_id_make(summary->run_id);
    tide_status status = open_all(&u, summary->run_id, &failure);
    if (!status)
        status = update_into(&u, summary->run_id, report, &failure);
    close_all(&u);
    if (status && err)
        *err = failure;
    return status;
}

char *tide_update_json(const tide_update_summary *s) {
    char *text = NULL;
    size_t size = 0;
    const struct {
        const char *name;
        uint64_t n;
    } counts[] = {{"series", s->series},         {"updated", s->updated},           {"unchanged", s->unchanged},
                  {"refused", s->refused.n},     {"values", s->values},             {"missing", s->missing},
                  {"unknown", s->unknown.n},     {"corrected", s->corrected.n},     {"unusable", s->unusable.n},
                  {"fallbacks", s->fallbacks},   {"before", s->before},             {"generation", s->generation}};
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i)
        fprintf(f, "%s\"%s\": %llu", i ? ", " : "{", counts[i].name, (unsigned long long)counts[i].n);
    fputs("}", f);
    return tide_close_text(f, &text);
}
