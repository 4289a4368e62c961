/* store_resume.h - what a fit has finished, kept in the store's directory, so that after its death the next one goes on
 * from there: the spools under names, and a journal of how far each of them is whole. */
#ifndef TIDE_STORE_RESUME_H
#define TIDE_STORE_RESUME_H

#include "host/panel.h"
#include "io/spool.h"
#include "io/store_format.h"
#include "kernels/batch.h"

enum { TIDE_SPOOLED = TIDE_COL_BLOCK_XXH3 }; /* every column but the checksums, which are known last */

/* What a dead run has left. */
typedef struct tide_kept {
    int exists;       /* there is something, be it damaged */
    uint64_t n_series; /* finished; 0: nothing that could be used */
    char run_id[TIDE_RUN_ID_BYTES];
    char *identity; /* malloc'd: "key=value" lines that decided its results; NULL when n_series is 0 */
} tide_kept;

typedef struct tide_resume {
    int dir_fd, fd;    /* of the directory and its journal; -1: nothing is kept */
    tide_spool *spool; /* [TIDE_SPOOLED] the writer's */
    uint64_t head_bytes, end; /* of the journal */
    uint64_t noted;           /* series in its last record */
    uint64_t taken;           /* series of the earlier run; the recalling thread's */
    double noted_s, synced_s;
    int untrusted; /* a sync failed: no page of it can be believed */
} tide_resume;

#define TIDE_RESUME_NONE ((tide_resume){.dir_fd = -1, .fd = -1})

/* Looks at what there is under the lock of the store `store_fd`; damage is no failure but n_series 0. */
tide_status tide_resume_look(int store_fd, tide_kept *out, tide_error *err);
void tide_kept_free(tide_kept *kept);
/* Removes it. */
void tide_resume_remove(int store_fd);

/* Begins: the directory must be gone. Opens all spools. */
tide_status tide_resume_start(int store_fd, const char *run_id, const char *identity, tide_spool *spool,
                              tide_resume *out, tide_error *err);
/* Takes over: opens all spools at the last record whose bytes are all there, by their checksums: the last one after a
 * death of the process, one at most ten seconds older after a loss of power. *n_series is 0 when there is none. */
tide_status tide_resume_take(int store_fd, tide_spool *spool, tide_resume *out, uint64_t *n_series,
                             uint64_t *n_members, tide_error *err);
/* After a batch: records that the spools are whole up to here, at most ten times a second unless `now`. */
tide_status tide_resume_note(tide_resume *r, uint64_t n_series, uint64_t n_members, int now, tide_error *err);
/* How many of the panel's first series the earlier run has finished: fills their outcome, n_members, family and form into
 * `results` (mapped for the panel), after comparing id, times and fingerprint. `same` is the number that agree. */
tide_status tide_resume_recall(const tide_resume *r, const tide_panel *panel, tide_results *results, size_t *kept,
                               size_t *same, tide_error *err);
/* Throws away all but the first n series that were taken over. */
tide_status tide_resume_cut(tide_resume *r, uint64_t n_series, uint64_t *n_members, tide_error *err);
/* The spools are the writer's to close. */
void tide_resume_close(tide_resume *r);

#endif
