/* postgres_sort.c - see postgres_sort.h.
 *
 * Ids are numbered by a hash table as they appear; the few different ones are sorted, and each row goes straight to its
 * series' place (a counting sort). Rows of a series mostly come in order of time already, which a look finds out; the
 * others are sorted by qsort. Where rows lie by time, ids follow each other as they did the time before: who came after an id
 * last is tried before the hash table. So a row costs some 20 ns, whatever the type and collation of its id. */
#include "io/postgres_sort.h"
#include "host/hash.h"

#include <stdlib.h>

typedef struct series {
    const unsigned char *key;
    uint32_t key_length;
    uint8_t id_odd;
    uint32_t n, at; /* rows, and the first one's place */
    uint32_t number;
    uint32_t next; /* the series that came after it last; UINT32_MAX = none so far */
    uint64_t hash;
} series;

typedef struct item {
    int64_t ds;
    double y;
    uint8_t time_odd;
} item;

typedef struct sorting {
    series *all;
    size_t n, size;
    uint32_t *slot; /* [n_slots] number + 1; 0 = free */
    size_t n_slots;
    uint32_t *series_of; /* [records] */
    item *items;         /* [rows] */
} sorting;

static tide_status no_memory(tide_error *err) {
    return tide_fail(err, TIDE_MEMORY, "postgres: out of memory for sorting rows");
}

static int same_id(const series *s, const tide_pg_row *row) {
    return s->key_length == row->key_length && s->id_odd == row->id_odd &&
           memcmp(s->key, row->key, row->key_length) == 0;
}

static int grow(sorting *o) {
    size_t size = o->size ? 2 * o->size : 512, n_slots = 2 * size;
    series *all = realloc(o->all, size * sizeof *all);
    if (all)
        o->all = all;
    uint32_t *slot = all ? calloc(n_slots, sizeof *slot) : NULL;
    if (!slot)
        return 0;
    for (uint32_t i = 0; i < o->n; ++i) {
        size_t at = o->all[i].hash & (n_slots - 1);
        while (slot[at])
            at = (at + 1) & (n_slots - 1);
        slot[at] = i + 1;
    }
    free(o->slot);
    o->slot = slot;
    o->n_slots = n_slots;
    o->size = size;
    return 1;
}

/* The number of the row's series, a new one when it is the first; UINT32_MAX when memory is short. */
static uint32_t series_of(sorting *o, const tide_pg_row *row) {
    uint64_t hash = tide_hash_bytes(row->key, row->key_length);
    if (o->n == o->size && !grow(o))
        return UINT32_MAX;
    size_t at = hash & (o->n_slots - 1);
    for (; o->slot[at]; at = (at + 1) & (o->n_slots - 1)) {
        uint32_t i = o->slot[at] - 1;
        if (o->all[i].hash == hash && same_id(&o->all[i], row))
            return i;
    }
    o->all[o->n] = (series){row->key, row->key_length, row->id_odd, 0, 0, (uint32_t)o->n, UINT32_MAX, hash};
    o->slot[at] = (uint32_t)++o->n;
    return (uint32_t)o->n - 1;
}

static int by_id(const void *a, const void *b) {
    const series *x = a, *y = b;
    int x_null = x->id_odd == TIDE_PG_ID_NULL, y_null = y->id_odd == TIDE_PG_ID_NULL;
    return x_null != y_null ? x_null - y_null : tide_pg_key_compare(x->key, x->key_length, y->key, y->key_length);
}

static int by_time(const void *a, const void *b) {
    const item *x = a, *y = b;
    if (x->ds != y->ds)
        return x->ds < y->ds ? -1 : 1;
    if (x->time_odd != y->time_odd)
        return x->time_odd - y->time_odd;
    int64_t p, q;
    memcpy(&p, &x->y, 8);
    memcpy(&q, &y->y, 8);
    return (p > q) - (p < q);
}

static void *room(struct tide_pg_sorter_room *r, size_t n) {
    if (n > r->size) {
        free(r->at);
        r->at = malloc(n + n / 8);
        r->size = r->at ? n + n / 8 : 0;
    }
    return r->at;
}

unsigned char *tide_pg_sorter_room(tide_pg_sorter *sorter, size_t n) {
    return room(&sorter->records, n);
}

void tide_pg_sorter_free(tide_pg_sorter *sorter) {
    free(sorter->records.at);
    free(sorter->rows.at);
    free(sorter->numbers.at);
    *sorter = (tide_pg_sorter){{NULL, 0}, {NULL, 0}, {NULL, 0}};
}

static tide_status number_rows(sorting *o, tide_pg_sorter *sorter, const unsigned char *records, size_t n_bytes,
                               tide_error *err) {
    size_t n = 0, n_rows = 0;
    for (size_t at = 0; at < n_bytes; at += tide_pg_record_bytes(records + at)) {
        ++n;
        n_rows += tide_pg_record_rows(records + at);
    }
    if (n_rows >= UINT32_MAX)
        return tide_fail(err, TIDE_INPUT, "postgres: more than 4,294,967,294 rows of one id");
    o->series_of = room(&sorter->numbers, (n + 1) * sizeof *o->series_of);
    o->items = room(&sorter->rows, (n_rows + 1) * sizeof *o->items);
    if (!o->series_of || !o->items)
        return no_memory(err);
    n = 0;
    uint32_t last = UINT32_MAX;
    for (size_t at = 0; at < n_bytes; at += tide_pg_record_bytes(records + at)) {
        tide_pg_row row = tide_pg_record_row(records + at);
        if (last == UINT32_MAX || !same_id(&o->all[last], &row)) {
            uint32_t before = last;
            last = before == UINT32_MAX ? UINT32_MAX : o->all[before].next;
            if (last == UINT32_MAX || !same_id(&o->all[last], &row))
                last = series_of(o, &row);
            if (last == UINT32_MAX)
                return no_memory(err);
            if (before != UINT32_MAX)
                o->all[before].next = last;
        }
        o->series_of[n++] = last;
        o->all[last].n += (uint32_t)tide_pg_record_rows(records + at);
    }
    return TIDE_OK;
}

/* Puts each row into its series' place. Afterwards `all` is in order of ids, and `at` is the end of each. */
static tide_status place_rows(sorting *o, const unsigned char *records, size_t n_bytes, tide_error *err) {
    uint32_t *place = malloc((o->n + 1) * sizeof *place), at = 0;
    if (!place)
        return no_memory(err);
    if (o->n)
        qsort(o->all, o->n, sizeof *o->all, by_id);
    for (size_t i = 0; i < o->n; ++i) {
        o->all[i].at = place[o->all[i].number] = at;
        at += o->all[i].n;
    }
    size_t i = 0;
    for (size_t from = 0; from < n_bytes; from += tide_pg_record_bytes(records + from)) {
        tide_pg_row row = tide_pg_record_row(records + from);
        item *to = &o->items[place[o->series_of[i]]];
        size_t n = tide_pg_record_rows(records + from);
        for (size_t k = 0; k < n; ++k) {
            tide_pg_record_value(records + from, &row, k, &to[k].ds, &to[k].y);
            to[k].time_odd = row.time_odd;
        }
        place[o->series_of[i++]] += (uint32_t)n;
    }
    free(place);
    return TIDE_OK;
}

static tide_status put_series(const tide_pg_shape *shape, const series *s, item *rows, tide_pg_blocks *out,
                              tide_error *err) {
    int sorted = 1;
    for (uint32_t i = 1; i < s->n && sorted; ++i)
        sorted = by_time(&rows[i - 1], &rows[i]) <= 0;
    if (!sorted)
        qsort(rows, s->n, sizeof *rows, by_time);
    tide_pg_row row = {.key = s->key, .key_length = s->key_length, .id_odd = s->id_odd};
    for (uint32_t i = 0; i < s->n; ++i) {
        row.ds = rows[i].ds;
        row.y = rows[i].y;
        row.time_odd = rows[i].time_odd;
        int full = !out->last || tide_pg_block_full(out->last);
        if (i && !full && !row.id_odd && !row.time_odd) {
            tide_pg_block_repeat(out->last, row.ds, row.y);
            continue;
        }
        if (full)
            TIDE_TRY(tide_pg_blocks_grow(out, err));
        TIDE_TRY(tide_pg_block_add(out->last, shape, &row, err));
    }
    return TIDE_OK;
}

tide_status tide_pg_sort_records(tide_pg_sorter *sorter, const tide_pg_shape *shape, size_t n_bytes, tide_pg_blocks *out,
                                 tide_error *err) {
    sorting o = {NULL, 0, 0, NULL, 0, NULL, NULL};
    const unsigned char *records = sorter->records.at;
    tide_status status = number_rows(&o, sorter, records, n_bytes, err);
    if (status == TIDE_OK)
        status = place_rows(&o, records, n_bytes, err);
    for (size_t i = 0; i < o.n && status == TIDE_OK; ++i)
        status = put_series(shape, &o.all[i], o.items + o.all[i].at, out, err);
    free(o.all);
    free(o.slot);
    return status;
}
