/* postgres_group.h - rows in any order to rows ordered by id, time and value, in bounded memory.
 *
 * Rows are scattered by their id's key into parts that follow each other in the order of keys, each a list of chunks: in
 * memory up to a budget, beyond it on disk. When all rows are in, a part that is too large is split again (one that holds
 * a single id cannot be). Each part is then sorted by itself and becomes blocks.
 *
 * Order: ids by their keys (texts bytewise, numbers by value, uuids), NULL last; then times, -infinity and BC before,
 * infinity and NULL behind the good ones; then the bits of the value. Rows that are equal in all of these cannot be told
 * apart, so that the result depends on the set of rows alone: not on readers, their number or their pace.
 *
 * Memory: the budget, plus TIDE_PG_CHUNK_BYTES a part and reader, plus some four times the part being sorted, by each
 * sorter (a part is below TIDE_PG_PART_MOST_BYTES, or one series). */
#ifndef TIDE_POSTGRES_GROUP_H
#define TIDE_POSTGRES_GROUP_H

#include "io/postgres_block.h"
#include "io/postgres_sort.h"

enum { TIDE_PG_CHUNK_BYTES = 32768, TIDE_PG_PART_BYTES = 4 << 20, TIDE_PG_PART_MOST_BYTES = 16 << 20,
       TIDE_PG_PARTS_MOST = 256 };

typedef struct tide_pg_group tide_pg_group;
typedef struct tide_pg_scatter tide_pg_scatter;

/* bounds [n_bounds]: texts of ids from anywhere in the table, in any order, by which the parts are cut; expected_rows
 * decides how many (0 = unknown). Borrows shape and disk. */
tide_status tide_pg_group_make(const tide_pg_shape *shape, tide_pg_disk *disk, size_t budget_bytes,
                               char *const *bounds, size_t n_bounds, double expected_rows, tide_pg_group **out,
                               tide_error *err);
void tide_pg_group_free(tide_pg_group *group);

/* One reader's rows on their way in. What is taken counts only when it is committed. */
tide_status tide_pg_scatter_make(tide_pg_group *group, tide_pg_scatter **out, tide_error *err);
void tide_pg_scatter_free(tide_pg_scatter *scatter); /* discards */
tide_status tide_pg_scatter_take(void *scatter, const tide_pg_row *row, tide_error *err); /* a tide_pg_taker's */
/* Closes the open chunks, so that the commit cannot fail. */
tide_status tide_pg_scatter_close(tide_pg_scatter *scatter, tide_error *err);
/* Callers take turns. unit: the number of the piece that was read, by which rows are put in the order of the table, so
 * that those that lie by time need no sorting by it. */
void tide_pg_scatter_commit(tide_pg_scatter *scatter, size_t unit);
void tide_pg_scatter_discard(tide_pg_scatter *scatter);

void tide_pg_group_reset(tide_pg_group *group); /* throws away all that was committed; callers take turns */
/* After the last commit, once: splits what is too large; *n_parts: how many there are now. */
tide_status tide_pg_group_finish(tide_pg_group *group, size_t *n_parts, tide_error *err);
/* Appends the rows of a part to *out, in order, and frees the part. Different parts may be sorted at the same time. */
tide_status tide_pg_group_sort(tide_pg_group *group, size_t part, tide_pg_sorter *sorter, tide_pg_blocks *out,
                               tide_error *err);

#endif
