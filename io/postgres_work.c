/* postgres_work.c - see postgres_work.h.
 *
 * One lock guards all shared state; one condition tells of every change, which come once a range, part or (STREAM) block.
 * `round` counts the beginnings of GROUP's reading: a unit that was taken in an earlier round is not committed. */
#include "io/postgres_work.h"
#include "io/postgres_read.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STREAM_BLOCKS = 8, BLOCKS_LEAST = 4, SORTERS_MOST = 4 };

typedef enum range_state { WAITING, READING, COMPLETE } range_state;

typedef struct range {
    range_state state;
    int epoch; /* of the snapshot it is read in */
    int begun; /* STREAM: some of it has left */
    size_t in_memory; /* blocks of the reading one */
    tide_pg_blocks blocks;
} range;

typedef struct reader {
    tide_pg_work *work;
    pthread_t thread;
    int number, started, epoch, failures;
    tide_pg pg; /* conn NULL: not joined */
    tide_pg_scatter *scatter;
    tide_pg_sorter sorter;
    range *range; /* being read */
} reader;

struct tide_pg_work {
    const tide_pg_plan *plan;
    tide_pg_snapshot *snapshot;
    tide_pg_work_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int ready; /* lock, condition and disk are initialised */
    tide_pg_disk disk;
    tide_pg_group *group; /* GROUP, else NULL */
    size_t next_unit, done_units;
    int grouping; /* units are being scattered */
    int round, restarts, group_epoch;
    range *ranges; /* of ids, or sorted parts */
    size_t n_ranges, next_range, leaving;
    size_t window, blocks_most;
    int stopped, overcome, joined;
    uint64_t left_from; /* a bit for each snapshot that rows have left from */
    int snapshots;
    tide_error failure; /* status != OK: all is over */
    _Atomic uint64_t bytes, rows;
    tide_pg_block *lent;
    reader *readers;
    int n_threads; /* readers, and behind them those who only sort */
};

/* --- state ----------------------------------------------------------------------------------------------- */

static void fail(tide_pg_work *w, const tide_error *why) {
    pthread_mutex_lock(&w->lock);
    if (w->failure.status == TIDE_OK && !w->stopped)
        w->failure = *why;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static int over(const tide_pg_work *w) {
    return w->stopped || w->failure.status != TIDE_OK;
}

static tide_status ended(const tide_pg_work *w, tide_error *err) {
    return tide_fail(err, TIDE_INTERRUPTED, "postgres %s: reading rows: stopped", w->snapshot->what);
}

/* --- one unit -------------------------------------------------------------------------------------------- */

/* Waits ms milliseconds, less when all is over. */
static void sleep_unless_stopped(reader *r, int ms) {
    struct pollfd fd = {.fd = r->work->snapshot->cancel_fd, .events = POLLIN};
    poll(&fd, 1, ms);
}

static tide_status join(reader *r, tide_error *err) {
    tide_pg_work *w = r->work;
    if (r->pg.conn)
        return TIDE_OK;
    TIDE_TRY(tide_pg_snapshot_join(w->snapshot, &r->pg, &r->epoch, err));
    if (w->plan->setting)
        TIDE_TRY(tide_pg_run(&r->pg, w->plan->setting, "beginning a transaction", err));
    return TIDE_OK;
}

/* A tide_pg_taker of ranges. */
static tide_status take_into_range(void *self, const tide_pg_row *row, tide_error *err) {
    reader *r = self;
    range *g = r->range;
    if (!g->blocks.last || tide_pg_block_full(g->blocks.last)) {
        if (g->blocks.last && ++g->in_memory >= r->work->blocks_most) {
            TIDE_TRY(tide_pg_block_save(g->blocks.last, &r->work->disk, err));
            --g->in_memory;
        }
        TIDE_TRY(tide_pg_blocks_grow(&g->blocks, err));
    }
    return tide_pg_block_add(g->blocks.last, &r->work->plan->shape, row, err);
}

/* The same for a stream, whose full blocks may leave at once. The block being filled is in nobody's list. */
static tide_status take_into_stream(void *self, const tide_pg_row *row, tide_error *err) {
    reader *r = self;
    tide_pg_work *w = r->work;
    tide_pg_blocks *open = &r->range->blocks;
    if (!open->last || tide_pg_block_full(open->last)) {
        pthread_mutex_lock(&w->lock);
        while (w->ranges->blocks.n > STREAM_BLOCKS && !over(w))
            pthread_cond_wait(&w->changed, &w->lock);
        tide_status status = over(w) ? ended(w, err) : tide_pg_blocks_grow(open, err);
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->lock);
        TIDE_TRY(status);
    }
    return tide_pg_block_add(open->last, &w->plan->shape, row, err);
}

static tide_status read_range(reader *r, size_t number, tide_error *err) {
    tide_pg_work *w = r->work;
    int streams = w->plan->way == TIDE_PG_STREAM;
    r->range = &w->ranges[number];
    TIDE_TRY(join(r, err));
    pthread_mutex_lock(&w->lock);
    r->range->epoch = r->epoch;
    pthread_mutex_unlock(&w->lock);
    TIDE_TRY(tide_pg_read(&r->pg, w->plan->unit[number], &w->plan->shape,
                          (tide_pg_taker){r, streams ? take_into_stream : take_into_range}, &w->bytes, &w->rows, err));
    pthread_mutex_lock(&w->lock);
    r->range->state = COMPLETE;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return TIDE_OK;
}

/* Joins in the snapshot of the group, and begins the group anew when the snapshot is a later one. *dropped: the unit
 * belongs to an earlier round and has been given back. */
static tide_status join_group(reader *r, int round, int *dropped, tide_error *err) {
    tide_pg_work *w = r->work;
    int restarts = 0, stale;
    do {
        TIDE_TRY(join(r, err));
        pthread_mutex_lock(&w->lock);
        if (r->epoch > w->group_epoch) { /* the snapshot was lost: from the first unit */
            w->group_epoch = r->epoch;
            w->next_unit = w->done_units = 0;
            ++w->round;
            restarts = ++w->restarts;
            tide_pg_group_reset(w->group);
            w->rows = 0;
            pthread_cond_broadcast(&w->changed);
        }
        stale = r->epoch < w->group_epoch;
        *dropped = w->round != round;
        pthread_mutex_unlock(&w->lock);
        if (stale)
            tide_pg_close(&r->pg);
    } while (stale);
    if (restarts > (w->options.retries > 0 ? w->options.retries : 0))
        return tide_fail(err, TIDE_CONNECTION, "%s: reading rows: the snapshot was lost %d times (SQLSTATE 08006)",
                         r->pg.name, restarts);
    return TIDE_OK;
}

/* Scatters a unit, and commits it when it still belongs to the present round. */
static tide_status scatter_unit(reader *r, size_t number, int round, tide_error *err) {
    tide_pg_work *w = r->work;
    int dropped = 0;
    if (!r->scatter)
        TIDE_TRY(tide_pg_scatter_make(w->group, &r->scatter, err));
    TIDE_TRY(join_group(r, round, &dropped, err));
    if (dropped)
        return TIDE_OK;
    TIDE_TRY(tide_pg_read(&r->pg, w->plan->unit[number], &w->plan->shape,
                          (tide_pg_taker){r->scatter, tide_pg_scatter_take}, &w->bytes, &w->rows, err));
    TIDE_TRY(tide_pg_scatter_close(r->scatter, err));
    pthread_mutex_lock(&w->lock);
    if (w->round == round) {
        tide_pg_scatter_commit(r->scatter, number);
        ++w->done_units;
    }
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    tide_pg_scatter_discard(r->scatter);
    return TIDE_OK;
}

/* Throws away what a failed attempt has brought; 0 when some of it has left already. */
static int throw_away(reader *r) {
    tide_pg_work *w = r->work;
    int clean = 1;
    tide_pg_close(&r->pg);
    if (r->scatter)
        tide_pg_scatter_discard(r->scatter);
    pthread_mutex_lock(&w->lock);
    if (r->range && r->range->state == READING) {
        clean = !r->range->begun;
        if (clean) {
            tide_pg_blocks_free(&r->range->blocks);
            r->range->in_memory = 0;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return clean;
}

/* After a failure: 1 when the unit is to be tried again. */
static int try_again(reader *r, const tide_error *why) {
    tide_pg_work *w = r->work;
    int passing = why->status == TIDE_CONNECTION && tide_pg_may_retry(&r->pg);
    int clean = throw_away(r);
    pthread_mutex_lock(&w->lock);
    int go_on = passing && clean && !over(w) && r->failures < w->options.retries;
    w->overcome += go_on;
    pthread_mutex_unlock(&w->lock);
    if (!go_on)
        return 0;
    int wait = r->failures < 10 ? w->options.retry_wait_ms << r->failures : w->options.retry_wait_ms << 10;
    ++r->failures;
    sleep_unless_stopped(r, wait);
    return 1;
}

/* --- what to do next ------------------------------------------------------------------------------------- */

typedef struct task {
    enum { NOTHING, SCATTER, FINISH, SORT, READ } what;
    size_t number;
    int round;
} task;

static task next_task(reader *r) {
    tide_pg_work *w = r->work;
    task t = {NOTHING, 0, 0};
    int reads = r->number < w->options.readers;
    pthread_mutex_lock(&w->lock);
    while (!over(w)) {
        if (w->grouping && reads) {
            if (w->next_unit < w->plan->n_units) {
                t = (task){SCATTER, w->next_unit++, w->round};
                break;
            }
            if (w->done_units == w->plan->n_units && w->grouping == 1) {
                w->grouping = 2; /* one of the readers does it */
                t.what = FINISH;
                break;
            }
        } else if (!w->grouping && w->next_range == w->n_ranges) {
            break;
        } else if (!w->grouping && w->next_range < w->leaving + w->window) {
            t = (task){w->group ? SORT : READ, w->next_range++, 0};
            w->ranges[t.number].state = READING;
            break;
        }
        pthread_cond_wait(&w->changed, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return t;
}

/* All rows are in: the server is not needed any more. */
static tide_status finish_grouping(reader *r, tide_error *err) {
    tide_pg_work *w = r->work;
    size_t n = 0;
    TIDE_TRY(tide_pg_group_finish(w->group, &n, err));
    range *ranges = calloc(n, sizeof *ranges);
    if (!ranges)
        return tide_fail(err, TIDE_MEMORY, "%s: out of memory", r->pg.name);
    tide_pg_snapshot_release(w->snapshot);
    pthread_mutex_lock(&w->lock);
    w->ranges = ranges;
    w->n_ranges = n;
    w->grouping = 0;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return TIDE_OK;
}

static tide_status sort_part(reader *r, size_t number, tide_error *err) {
    tide_pg_work *w = r->work;
    tide_pg_blocks sorted = {NULL, NULL, 0};
    tide_pg_close(&r->pg);
    tide_status status = tide_pg_group_sort(w->group, number, &r->sorter, &sorted, err);
    pthread_mutex_lock(&w->lock);
    w->ranges[number].blocks = sorted;
    w->ranges[number].epoch = w->group_epoch;
    if (status == TIDE_OK)
        w->ranges[number].state = COMPLETE;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return status;
}

static tide_status do_task(reader *r, task t, tide_error *err) {
    switch (t.what) {
    case SCATTER:
        return scatter_unit(r, t.number, t.round, err);
    case FINISH:
        return finish_grouping(r, err);
    case SORT:
        return sort_part(r, t.number, err);
    default:
        return read_range(r, t.number, err);
    }
}

/* A reader that finds no free connection on the server leaves the work to the others, if there are any. */
static int stay(reader *r) {
    tide_pg_work *w = r->work;
    tide_error err;
    tide_status status = join(r, &err);
    pthread_mutex_lock(&w->lock);
    w->joined += status == TIDE_OK;
    pthread_mutex_unlock(&w->lock);
    if (status != TIDE_OK)
        tide_pg_close(&r->pg);
    return status == TIDE_OK || r->number == 0;
}

static void *read_all(void *self) {
    reader *r = self;
    tide_pg_work *w = r->work;
    if (r->number < w->options.readers && !stay(r))
        return NULL;
    for (task t = next_task(r); t.what != NOTHING; t = next_task(r)) {
        tide_error err = {TIDE_OK, ""};
        while (do_task(r, t, &err) != TIDE_OK) {
            if (!try_again(r, &err)) {
                fail(w, &err);
                break;
            }
            if (t.what == SCATTER) { /* others may have begun a new round meanwhile */
                pthread_mutex_lock(&w->lock);
                int taken_back = w->round != t.round;
                pthread_mutex_unlock(&w->lock);
                if (taken_back)
                    break;
            }
        }
        if (err.status == TIDE_OK)
            r->failures = 0;
        r->range = NULL;
    }
    tide_pg_sorter_free(&r->sorter);
    tide_pg_close(&r->pg);
    return NULL;
}

/* --- taking rows ----------------------------------------------------------------------------------------- */

/* Under the lock: the first block that may leave, or NULL. */
static tide_pg_block *leave(tide_pg_work *w) {
    range *g = &w->ranges[w->leaving];
    int streams = w->plan->way == TIDE_PG_STREAM && g->state == READING && g->blocks.n > 1;
    tide_pg_block *b = g->state == COMPLETE || streams ? g->blocks.first : NULL;
    if (b) {
        g->blocks.first = b->next;
        --g->blocks.n;
        if (!b->next)
            g->blocks.last = NULL;
        g->begun = 1;
    }
    return b;
}

/* Under the lock: notes the snapshot of what leaves. */
static void note_snapshot(tide_pg_work *w, int epoch) {
    uint64_t bit = UINT64_C(1) << (epoch & 63);
    if (w->left_from & bit)
        return;
    if (w->left_from && w->options.one_snapshot) {
        tide_fail(&w->failure, TIDE_CONNECTION,
                  "postgres %s: reading rows: the snapshot was lost, and the rest would come from a later one "
                  "(mixed_snapshots allows it) (SQLSTATE 08006)",
                  w->snapshot->what);
        pthread_cond_broadcast(&w->changed);
        return;
    }
    w->left_from |= bit;
    ++w->snapshots;
}

tide_status tide_pg_work_next(tide_pg_work *w, tide_pg_block **out, tide_error *err) {
    tide_status status = TIDE_OK;
    tide_pg_block *b = NULL;
    tide_pg_block_free(w->lent);
    w->lent = NULL;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        if (w->failure.status != TIDE_OK) {
            status = tide_fail(err, w->failure.status, "%s", w->failure.message);
            break;
        }
        if (!w->grouping && w->leaving == w->n_ranges)
            break;
        if (!w->grouping && (b = leave(w)) != NULL) {
            note_snapshot(w, w->ranges[w->leaving].epoch);
            if (w->failure.status == TIDE_OK)
                break;
            tide_pg_block_free(b);
            b = NULL;
        } else if (!w->grouping && w->ranges[w->leaving].state == COMPLETE) {
            ++w->leaving;
            pthread_cond_broadcast(&w->changed);
        } else {
            pthread_cond_wait(&w->changed, &w->lock);
        }
    }
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (b) {
        w->lent = b;
        status = tide_pg_block_load(b, &w->disk, err);
    }
    if (status == TIDE_OK)
        *out = b;
    return status;
}

void tide_pg_work_progress(tide_pg_work *w, uint64_t *bytes, uint64_t *rows, int *done) {
    pthread_mutex_lock(&w->lock);
    *done = !w->grouping && w->leaving == w->n_ranges;
    pthread_mutex_unlock(&w->lock);
    *bytes = w->bytes;
    *rows = w->rows;
}

void tide_pg_work_describe(tide_pg_work *w, char *out, size_t size) {
    pthread_mutex_lock(&w->lock);
    int readers = w->leaving ? w->joined : w->options.readers; /* who found no free connection, has left by then */
    int n = snprintf(out, size, "%d connection%s", readers, readers == 1 ? "" : "s");
    if (w->overcome && n >= 0 && (size_t)n < size)
        n += snprintf(out + n, size - (size_t)n, ", %d failure%s overcome", w->overcome, w->overcome == 1 ? "" : "s");
    if (w->snapshots > 1 && n >= 0 && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, ", series from %d snapshots", w->snapshots);
    pthread_mutex_unlock(&w->lock);
}

/* --- life ------------------------------------------------------------------------------------------------ */

static tide_status init(tide_pg_work *w, tide_error *err) {
    if (pthread_mutex_init(&w->lock, NULL) || pthread_cond_init(&w->changed, NULL))
        return tide_fail(err, TIDE_MEMORY, "postgres: no mutex");
    TIDE_TRY(tide_pg_disk_init(&w->disk, err));
    w->ready = 1;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    w->n_threads = w->options.readers;
    if (w->plan->way == TIDE_PG_GROUP && w->n_threads < processors)
        w->n_threads = processors < SORTERS_MOST ? (int)processors : SORTERS_MOST;
    w->n_threads = w->n_threads < w->options.readers ? w->options.readers : w->n_threads;
    w->readers = calloc((size_t)w->n_threads, sizeof *w->readers);
    if (w->plan->way != TIDE_PG_GROUP) {
        w->n_ranges = w->plan->n_units;
        w->ranges = calloc(w->n_ranges, sizeof *w->ranges);
    }
    if (!w->readers || (w->n_ranges && !w->ranges))
        return tide_fail(err, TIDE_MEMORY, "postgres: out of memory");
    w->window = 2 * (size_t)w->n_threads;
    w->blocks_most = w->options.memory_bytes / w->window / ((size_t)TIDE_PG_BLOCK_ROWS * 25);
    if (w->blocks_most < BLOCKS_LEAST)
        w->blocks_most = BLOCKS_LEAST;
    if (w->plan->way != TIDE_PG_GROUP)
        return TIDE_OK;
    w->grouping = w->group_epoch = 1;
    return tide_pg_group_make(&w->plan->shape, &w->disk, w->options.memory_bytes, w->plan->bound, w->plan->n_bounds,
                              w->plan->estimated_rows, &w->group, err);
}

tide_status tide_pg_work_start(const tide_pg_plan *plan, tide_pg_snapshot *snapshot, const tide_pg_work_options *options,
                               tide_pg_work **out, tide_error *err) {
    tide_pg_work *w = calloc(1, sizeof *w);
    if (!w)
        return tide_fail(err, TIDE_MEMORY, "postgres: out of memory");
    w->plan = plan;
    w->snapshot = snapshot;
    w->options = *options;
    tide_status status = init(w, err);
    for (int i = 0; i < w->n_threads && status == TIDE_OK; ++i) {
        reader *r = &w->readers[i];
        r->work = w;
        r->number = i;
        r->started = pthread_create(&r->thread, NULL, read_all, r) == 0;
        if (!r->started && i == 0)
            status = tide_fail(err, TIDE_MEMORY, "postgres: no thread could be started");
    }
    if (status != TIDE_OK) {
        tide_pg_work_stop(w);
        return status;
    }
    *out = w;
    return TIDE_OK;
}

void tide_pg_work_stop(tide_pg_work *w) {
    if (!w)
        return;
    if (w->ready) {
        pthread_mutex_lock(&w->lock);
        w->stopped = 1;
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->lock);
    }
    for (int i = 0; i < w->n_threads && w->readers; ++i) {
        if (w->readers[i].started)
            pthread_join(w->readers[i].thread, NULL);
        tide_pg_scatter_free(w->readers[i].scatter);
    }
    for (size_t i = 0; i < w->n_ranges && w->ranges; ++i)
        tide_pg_blocks_free(&w->ranges[i].blocks);
    tide_pg_block_free(w->lent);
    tide_pg_group_free(w->group);
    if (w->ready) {
        tide_pg_disk_free(&w->disk);
        pthread_cond_destroy(&w->changed);
        pthread_mutex_destroy(&w->lock);
    }
    free(w->ranges);
    free(w->readers);
    free(w);
}
