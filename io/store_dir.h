/* store_dir.h - the store's directory: who may write, which generations there are, and how one becomes
 * CURRENT. */
#ifndef TIDE_STORE_DIR_H
#define TIDE_STORE_DIR_H

#include "host/error.h"
#include <stdint.h>

typedef struct tide_store_dir {
    int fd, lock_fd;
    char path[512];
    uint64_t newest;  /* highest generation present; 0 = none */
    uint64_t current; /* what CURRENT names; 0 = none */
} tide_store_dir;

/* Creates the directory if it is missing, locks it against other writers (TIDE_BUSY names the holder) and
 * removes temporaries of dead ones. On failure *out stays closed. */
tide_status tide_store_dir_open(const char *path, tide_store_dir *out, tide_error *err);
void tide_store_dir_close(tide_store_dir *dir); /* gives the lock back; safe after a failed open */

/* "gen-000007.h5" */
void tide_generation_name(uint64_t generation, char out[32]);
/* Renames the finished temporary (written, synced) to its generation, never over one that exists, and makes
 * CURRENT name it. Before that last step a failure leaves the directory as it was; the temporary is the
 * caller's to remove. */
tide_status tide_store_dir_publish(tide_store_dir *dir, const char *temporary, uint64_t generation,
                                   tide_error *err);
/* Removes a generation that is not CURRENT, and forgets its number. */
tide_status tide_store_dir_drop(tide_store_dir *dir, uint64_t generation, tide_error *err);
/* Removes all but the newest `keep` generations, never CURRENT; keep <= 0 removes none. Returns how many
 * went. */
int tide_store_dir_prune(tide_store_dir *dir, int keep);

#endif
