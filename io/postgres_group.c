/* postgres_group.c - see postgres_group.h; sorting a part is in postgres_sort.c.
 *
 * A chunk holds whole records (postgres_sort.h). Part i takes the keys k with cut[i - 1] <= k < cut[i]; rows with a NULL id
 * go to the last.
 *
 * Cuts are compared by a word each: the 8 bytes behind what all of them begin with, big-endian, zeros behind their end. Words
 * are in the order of the keys, but for keys of one word, which are compared as a whole. */
#include "io/postgres_group.h"

#include <stdlib.h>
#include <string.h>

typedef struct chunk {
    struct chunk *next;
    unsigned char *bytes; /* NULL: on disk */
    size_t n, unit;
    uint64_t at;
} chunk;

typedef struct part {
    chunk *first, *last;
    uint64_t bytes;
} part;

/* Keys at which parts are cut, ascending, all different. */
typedef struct cuts {
    size_t n;
    unsigned char *bytes;
    uint32_t at[TIDE_PG_PARTS_MOST], length[TIDE_PG_PARTS_MOST];
    uint32_t shared; /* bytes that all begin with */
    uint64_t word[TIDE_PG_PARTS_MOST];
} cuts;

struct tide_pg_group {
    const tide_pg_shape *shape;
    tide_pg_disk *disk;
    size_t budget;
    _Atomic size_t in_memory;
    cuts cut;
    part *parts;
    size_t n_parts;
};

typedef struct open_chunk {
    unsigned char *bytes;
    size_t used, size;
} open_chunk;

struct tide_pg_scatter {
    tide_pg_group *group;
    const cuts *cut;
    size_t last_part;
    unsigned char last_key[64]; /* of the row before, when it is short */
    uint32_t last_length;
    size_t run; /* place behind the head of the last row's record, in its part's open chunk; 0 = nothing to go on with */
    open_chunk open[TIDE_PG_PARTS_MOST + 1];
    part parts[TIDE_PG_PARTS_MOST + 1];
};

static tide_status no_memory(tide_error *err) {
    return tide_fail(err, TIDE_MEMORY, "postgres: out of memory for grouping rows");
}

/* --- cuts ------------------------------------------------------------------------------------------------ */

typedef struct key_text {
    const unsigned char *bytes;
    uint32_t length;
} key_text;

static int by_key(const void *a, const void *b) {
    const key_text *x = a, *y = b;
    return tide_pg_key_compare(x->bytes, x->length, y->bytes, y->length);
}

static uint64_t word_behind(const unsigned char *key, uint32_t length, uint32_t skip) {
    uint64_t w = 0;
    if (length >= skip + 8) {
        memcpy(&w, key + skip, 8);
        return __builtin_bswap64(w);
    }
    for (uint32_t i = skip; i < length; ++i)
        w |= (uint64_t)key[i] << (56 - 8 * (i - skip));
    return w;
}

static void note_words(cuts *cut) {
    if (!cut->n)
        return;
    /* The first and the last: what they share, all between them do. */
    const unsigned char *first = cut->bytes + cut->at[0], *last = cut->bytes + cut->at[cut->n - 1];
    uint32_t shorter = cut->length[0] < cut->length[cut->n - 1] ? cut->length[0] : cut->length[cut->n - 1];
    for (cut->shared = 0; cut->shared < shorter && first[cut->shared] == last[cut->shared];)
        ++cut->shared;
    for (size_t i = 0; i < cut->n; ++i)
        cut->word[i] = word_behind(cut->bytes + cut->at[i], cut->length[i], cut->shared);
}

/* Takes up to `most` of the sorted keys, evenly, each once. A key that fills more than one part alone is cut off on both
 * sides: its successor in the order of bytes is the key and a zero byte. */
static tide_status choose_cuts(cuts *cut, const key_text *key, size_t n, size_t most, tide_error *err) {
    size_t bytes = 0;
    for (size_t i = 0; i < n; ++i)
        bytes += key[i].length + 1u;
    cut->n = 0;
    cut->bytes = malloc(2 * bytes + 1);
    if (!cut->bytes)
        return no_memory(err);
    size_t used = 0, last = n;
    for (size_t i = 1; i <= most && n; ++i) {
        size_t at = n * i / (most + 1);
        int again = last < n && by_key(&key[at], &key[last]) == 0;
        if (again && cut->n && cut->length[cut->n - 1] > key[at].length)
            continue; /* already cut off on both sides */
        if (cut->n == TIDE_PG_PARTS_MOST)
            break;
        memcpy(cut->bytes + used, key[at].bytes, key[at].length);
        cut->at[cut->n] = (uint32_t)used;
        cut->length[cut->n] = key[at].length + (again ? 1u : 0u);
        cut->bytes[used + key[at].length] = 0;
        used += key[at].length + 1u;
        ++cut->n;
        last = at;
    }
    note_words(cut);
    return TIDE_OK;
}

static size_t part_of_bytes(const cuts *cut, const unsigned char *key, uint32_t length) {
    size_t low = 0, high = cut->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (tide_pg_key_compare(key, length, cut->bytes + cut->at[middle], cut->length[middle]) < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* guess: a part to look at first. */
static size_t part_of(const cuts *cut, const unsigned char *key, uint32_t length, size_t guess) {
    if (!cut->n || length < cut->shared || memcmp(key, cut->bytes + cut->at[0], cut->shared) != 0)
        return part_of_bytes(cut, key, length);
    uint64_t w = word_behind(key, length, cut->shared);
    if ((guess == 0 || cut->word[guess - 1] < w) && (guess == cut->n || w < cut->word[guess]))
        return guess;
    size_t low = 0, high = cut->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (w < cut->word[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low && cut->word[low - 1] == w ? part_of_bytes(cut, key, length) : low;
}

static tide_status cuts_of_texts(cuts *cut, const tide_pg_shape *shape, char *const *text, size_t n, size_t most,
                                 tide_error *err) {
    key_text *key = malloc((n + 1) * sizeof *key);
    size_t bytes = 16, used = 0, kept = 0;
    for (size_t i = 0; i < n; ++i)
        bytes += strlen(text[i]) + 16;
    unsigned char *keys = malloc(bytes), one[TIDE_PG_KEY_MAX];
    tide_status status = key && keys ? TIDE_OK : no_memory(err);
    for (size_t i = 0; status == TIDE_OK && i < n; ++i) {
        int length = tide_pg_key_of_text(shape->id_type, text[i], one);
        if (length <= 0)
            continue;
        memcpy(keys + used, one, (size_t)length);
        key[kept++] = (key_text){keys + used, (uint32_t)length};
        used += (size_t)length;
    }
    if (status == TIDE_OK) {
        qsort(key, kept, sizeof *key, by_key);
        status = choose_cuts(cut, key, kept, most < kept ? most : kept, err);
    }
    free(key);
    free(keys);
    return status;
}

/* --- chunks ---------------------------------------------------------------------------------------------- */

static void chunk_free(tide_pg_group *group, chunk *c) {
    if (c->bytes)
        group->in_memory -= c->n;
    else
        tide_pg_disk_forget(group->disk, c->at, c->n);
    free(c->bytes);
    free(c);
}

static void part_clear(tide_pg_group *group, part *p) {
    for (chunk *c = p->first, *next; c; c = next) {
        next = c->next;
        chunk_free(group, c);
    }
    *p = (part){NULL, NULL, 0};
}

/* Turns an open chunk into one of the part's; its memory goes along, or to disk when the budget is used up. */
static tide_status chunk_close(tide_pg_group *group, open_chunk *open, part *to, tide_error *err) {
    if (!open->used)
        return TIDE_OK;
    chunk *c = calloc(1, sizeof *c);
    if (!c)
        return no_memory(err);
    c->n = open->used;
    if ((group->in_memory += c->n) <= group->budget) {
        c->bytes = realloc(open->bytes, c->n);
        if (!c->bytes)
            c->bytes = open->bytes;
        *open = (open_chunk){NULL, 0, 0};
    } else {
        group->in_memory -= c->n;
        tide_status status = tide_pg_disk_write(group->disk, open->bytes, c->n, &c->at, err);
        if (status != TIDE_OK) {
            free(c);
            return status;
        }
        open->used = 0;
    }
    if (to->last)
        to->last->next = c;
    else
        to->first = c;
    to->last = c;
    to->bytes += c->n;
    return TIDE_OK;
}

/* --- scattering ------------------------------------------------------------------------------------------ */

static tide_status scatter_make(tide_pg_group *group, const cuts *cut, tide_pg_scatter **out, tide_error *err) {
    tide_pg_scatter *s = calloc(1, sizeof *s);
    if (!s)
        return no_memory(err);
    s->group = group;
    s->cut = cut;
    *out = s;
    return TIDE_OK;
}

tide_status tide_pg_scatter_make(tide_pg_group *group, tide_pg_scatter **out, tide_error *err) {
    return scatter_make(group, &group->cut, out, err);
}

void tide_pg_scatter_discard(tide_pg_scatter *s) {
    s->run = 0;
    for (size_t i = 0; i <= s->cut->n; ++i) {
        s->open[i].used = 0;
        part_clear(s->group, &s->parts[i]);
    }
}

void tide_pg_scatter_free(tide_pg_scatter *s) {
    if (!s)
        return;
    tide_pg_scatter_discard(s);
    for (size_t i = 0; i <= s->cut->n; ++i)
        free(s->open[i].bytes);
    free(s);
}

/* Room for n bytes more in an open chunk that grows up to TIDE_PG_CHUNK_BYTES (or one record). */
static tide_status make_room(tide_pg_scatter *s, size_t i, size_t n, tide_error *err) {
    open_chunk *open = &s->open[i];
    if (open->used && open->used + n > TIDE_PG_CHUNK_BYTES)
        TIDE_TRY(chunk_close(s->group, open, &s->parts[i], err));
    size_t size = open->size ? open->size : 2048;
    while (size < open->used + n)
        size *= 2;
    if (size != open->size) {
        unsigned char *more = realloc(open->bytes, size);
        if (!more)
            return no_memory(err);
        open->bytes = more;
        open->size = size;
    }
    return TIDE_OK;
}

static tide_status put_record(tide_pg_scatter *s, size_t i, const tide_pg_row *row, tide_error *err) {
    size_t n = TIDE_PG_RECORD_HEAD + row->key_length + TIDE_PG_RECORD_ROW;
    open_chunk *open = &s->open[i];
    if (open->used + n > open->size)
        TIDE_TRY(make_room(s, i, n, err));
    unsigned char *to = open->bytes + open->used;
    uint16_t length = (uint16_t)row->key_length;
    memcpy(to, &length, 2);
    to[2] = tide_pg_record_odd(row);
    to[3] = 1;
    memcpy(to + TIDE_PG_RECORD_HEAD, row->key, row->key_length);
    memcpy(open->bytes + open->used + n - 16, &row->ds, 8);
    memcpy(open->bytes + open->used + n - 8, &row->y, 8);
    s->run = open->used + TIDE_PG_RECORD_HEAD;
    open->used += n;
    return TIDE_OK;
}

/* Adds a row with the id of the last one to that one's record; 0 when it needs a record of its own. */
static int extend_record(tide_pg_scatter *s, const tide_pg_row *row) {
    open_chunk *open = &s->open[s->last_part];
    unsigned char *record = open->bytes + s->run - TIDE_PG_RECORD_HEAD;
    if (record[2] != tide_pg_record_odd(row) || record[3] == TIDE_PG_RECORD_ROWS_MOST ||
        open->used + TIDE_PG_RECORD_ROW > open->size)
        return 0;
    memcpy(open->bytes + open->used, &row->ds, 8);
    memcpy(open->bytes + open->used + 8, &row->y, 8);
    open->used += TIDE_PG_RECORD_ROW;
    ++record[3];
    return 1;
}

tide_status tide_pg_scatter_take(void *scatter, const tide_pg_row *row, tide_error *err) {
    tide_pg_scatter *s = scatter;
    uint32_t length = row->key_length;
    if (row->id_odd == TIDE_PG_ID_NULL) {
        s->last_length = 0;
        return put_record(s, s->cut->n, row, err);
    }
    if (length != s->last_length || !length || memcmp(row->key, s->last_key, length) != 0) {
        s->last_part = part_of(s->cut, row->key, length, s->last_part);
        s->last_length = length <= sizeof s->last_key ? length : 0;
        memcpy(s->last_key, row->key, s->last_length);
    } else if (s->run && extend_record(s, row)) {
        return TIDE_OK;
    }
    return put_record(s, s->last_part, row, err);
}

tide_status tide_pg_scatter_close(tide_pg_scatter *s, tide_error *err) {
    s->run = 0;
    for (size_t i = 0; i <= s->cut->n; ++i)
        TIDE_TRY(chunk_close(s->group, &s->open[i], &s->parts[i], err));
    return TIDE_OK;
}

static void part_append(part *to, part *from) {
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->bytes += from->bytes;
    *from = (part){NULL, NULL, 0};
}

void tide_pg_scatter_commit(tide_pg_scatter *s, size_t unit) {
    for (size_t i = 0; i <= s->cut->n; ++i)
        for (chunk *c = s->parts[i].first; c; c = c->next)
            c->unit = unit;
    for (size_t i = 0; i <= s->cut->n; ++i)
        part_append(&s->group->parts[i], &s->parts[i]);
}

/* --- the group ------------------------------------------------------------------------------------------- */

tide_status tide_pg_group_make(const tide_pg_shape *shape, tide_pg_disk *disk, size_t budget_bytes,
                               char *const *bounds, size_t n_bounds, double expected_rows, tide_pg_group **out,
                               tide_error *err) {
    tide_pg_group *group = calloc(1, sizeof *group);
    if (!group)
        return no_memory(err);
    group->shape = shape;
    group->disk = disk;
    group->budget = budget_bytes;
    double parts = expected_rows * 32 / TIDE_PG_PART_BYTES; /* a record of a short id has 28 to 36 bytes */
    size_t most = parts >= TIDE_PG_PARTS_MOST ? TIDE_PG_PARTS_MOST - 1 : parts > 0 ? (size_t)parts : 0;
    tide_status status = cuts_of_texts(&group->cut, shape, bounds, n_bounds, most, err);
    group->n_parts = group->cut.n + 1;
    if (status == TIDE_OK && !(group->parts = calloc(group->n_parts, sizeof *group->parts)))
        status = no_memory(err);
    if (status != TIDE_OK) {
        tide_pg_group_free(group);
        return status;
    }
    *out = group;
    return TIDE_OK;
}

void tide_pg_group_reset(tide_pg_group *group) {
    for (size_t i = 0; i < group->n_parts && group->parts; ++i)
        part_clear(group, &group->parts[i]);
}

void tide_pg_group_free(tide_pg_group *group) {
    if (!group)
        return;
    tide_pg_group_reset(group);
    free(group->parts);
    free(group->cut.bytes);
    free(group);
}

static tide_status chunk_read(tide_pg_group *group, const chunk *c, unsigned char *to, tide_error *err) {
    if (!c->bytes)
        return tide_pg_disk_read(group->disk, c->at, to, c->n, err);
    memcpy(to, c->bytes, c->n);
    return TIDE_OK;
}

/* Keys from all over a part, sorted by the caller: up to 16 from each of some 256 chunks, in `keys`. */
static tide_status sample_keys(tide_pg_group *group, const part *p, key_text *key, size_t most, size_t *n,
                               unsigned char **keys, tide_error *err) {
    size_t n_chunks = 0, number = 0, used = 0, size = 0, largest = 0;
    for (const chunk *c = p->first; c; c = c->next, ++n_chunks)
        largest = c->n > largest ? c->n : largest;
    size_t step = n_chunks / (most / 16) + 1;
    unsigned char *buffer = malloc(largest);
    if (!buffer)
        return no_memory(err);
    tide_status status = TIDE_OK;
    *n = 0;
    *keys = NULL;
    for (const chunk *c = p->first; c && status == TIDE_OK; c = c->next) {
        if (number++ % step)
            continue;
        status = chunk_read(group, c, buffer, err);
        size_t records = 0, wanted = 0;
        for (size_t at = 0; status == TIDE_OK && at < c->n; at += tide_pg_record_bytes(buffer + at))
            ++records;
        size_t every = records / 16 + 1;
        for (size_t at = 0; status == TIDE_OK && at < c->n; at += tide_pg_record_bytes(buffer + at)) {
            uint32_t length = tide_pg_record_key_length(buffer + at);
            if (wanted++ % every || *n == most || tide_pg_record_row(buffer + at).id_odd == TIDE_PG_ID_NULL)
                continue;
            if (used + length > size) {
                unsigned char *more = realloc(*keys, size = 2 * (used + length) + 65536);
                if (!more) {
                    status = no_memory(err);
                    break;
                }
                *keys = more;
            }
            memcpy(*keys + used, buffer + at + TIDE_PG_RECORD_HEAD, length);
            key[(*n)++] = (key_text){NULL, length};
            used += length;
        }
    }
    free(buffer);
    for (size_t i = 0, at = 0; i < *n; at += key[i++].length)
        key[i].bytes = *keys + at; /* they stay where they are now */
    return status;
}

/* Scatters the chunks of a part by new cuts. */
static tide_status scatter_part(tide_pg_group *group, part *p, tide_pg_scatter *s, tide_error *err) {
    unsigned char *buffer = NULL;
    tide_status status = TIDE_OK;
    while (p->first && status == TIDE_OK) {
        chunk *c = p->first;
        unsigned char *more = realloc(buffer, c->n);
        if (!more) {
            status = no_memory(err);
            break;
        }
        buffer = more;
        status = chunk_read(group, c, buffer, err);
        for (size_t at = 0; status == TIDE_OK && at < c->n; at += tide_pg_record_bytes(buffer + at)) {
            tide_pg_row row = tide_pg_record_row(buffer + at);
            for (size_t i = 0; i < tide_pg_record_rows(buffer + at) && status == TIDE_OK; ++i) {
                tide_pg_record_value(buffer + at, &row, i, &row.ds, &row.y);
                status = tide_pg_scatter_take(s, &row, err);
            }
        }
        p->first = c->next;
        if (!p->first)
            p->last = NULL;
        p->bytes -= c->n;
        chunk_free(group, c);
    }
    free(buffer);
    return status != TIDE_OK ? status : tide_pg_scatter_close(s, err);
}

/* Splits part i of the group into several, or leaves it when it holds one id. *n_new: how many it is now. */
static tide_status split_part(tide_pg_group *group, size_t i, size_t *n_new, tide_error *err) {
    enum { SAMPLE = 4096 };
    cuts *cut = calloc(1, sizeof *cut);
    key_text *key = malloc(SAMPLE * sizeof *key);
    unsigned char *keys = NULL;
    tide_pg_scatter *s = NULL;
    size_t n = 0, parts = (size_t)(group->parts[i].bytes / TIDE_PG_PART_BYTES);
    tide_status status = cut && key ? TIDE_OK : no_memory(err);
    *n_new = 1;
    if (status == TIDE_OK)
        status = sample_keys(group, &group->parts[i], key, SAMPLE, &n, &keys, err);
    if (status == TIDE_OK) {
        qsort(key, n, sizeof *key, by_key);
        int all_equal = n == 0 || by_key(&key[0], &key[n - 1]) == 0;
        if (!all_equal)
            status = choose_cuts(cut, key, n, parts < TIDE_PG_PARTS_MOST ? parts : TIDE_PG_PARTS_MOST - 1, err);
    }
    if (status == TIDE_OK && cut->n)
        status = scatter_make(group, cut, &s, err);
    if (status == TIDE_OK && s)
        status = scatter_part(group, &group->parts[i], s, err);
    if (status == TIDE_OK && s) {
        part *more = realloc(group->parts, (group->n_parts + cut->n) * sizeof *more);
        if (more) {
            group->parts = more;
            memmove(&more[i + cut->n + 1], &more[i + 1], (group->n_parts - i - 1) * sizeof *more);
            memcpy(&more[i], s->parts, (cut->n + 1) * sizeof *more);
            memset(s->parts, 0, sizeof s->parts);
            group->n_parts += cut->n;
            *n_new = cut->n + 1;
        } else {
            status = no_memory(err);
        }
    }
    tide_pg_scatter_free(s);
    free(cut ? cut->bytes : NULL);
    free(cut);
    free(key);
    free(keys);
    return status;
}

tide_status tide_pg_group_finish(tide_pg_group *group, size_t *n_parts, tide_error *err) {
    for (size_t i = 0; i < group->n_parts;) {
        size_t n_new = 1;
        uint64_t bytes = group->parts[i].bytes;
        if (bytes > TIDE_PG_PART_MOST_BYTES)
            TIDE_TRY(split_part(group, i, &n_new, err));
        if (n_new == 1 || group->parts[i].bytes == bytes)
            ++i; /* else its parts are looked at in turn */
    }
    *n_parts = group->n_parts;
    return TIDE_OK;
}

/* Puts the chunks in the order of their units. They nearly are: readers commit units as they come. */
static void order_chunks(part *p) {
    chunk *sorted = NULL, *end = NULL;
    for (chunk *c = p->first, *next; c; c = next) {
        next = c->next;
        if (!end || end->unit <= c->unit) {
            c->next = NULL;
            if (end)
                end->next = c;
            else
                sorted = c;
            end = c;
            continue;
        }
        chunk **at = &sorted;
        while ((*at)->unit <= c->unit)
            at = &(*at)->next;
        c->next = *at;
        *at = c;
    }
    p->first = sorted;
    p->last = end;
}

tide_status tide_pg_group_sort(tide_pg_group *group, size_t number, tide_pg_sorter *sorter, tide_pg_blocks *out,
                               tide_error *err) {
    part *p = &group->parts[number];
    unsigned char *bytes = tide_pg_sorter_room(sorter, (size_t)p->bytes + 1);
    if (!bytes)
        return no_memory(err);
    size_t used = 0;
    order_chunks(p);
    for (const chunk *c = p->first; c; used += c->n, c = c->next)
        TIDE_TRY(chunk_read(group, c, bytes + used, err));
    part_clear(group, p);
    return tide_pg_sort_records(sorter, group->shape, used, out, err);
}
