/* store_write_hdf5.h - the HDF5 side of a generation: groups, datasets and attributes around the columns. */
#ifndef TIDE_STORE_WRITE_HDF5_H
#define TIDE_STORE_WRITE_HDF5_H

#include "host/error.h"
#include "io/store_format.h"

/* Where everything lies in the file. */
typedef struct tide_store_layout {
    uint64_t count[TIDE_COLUMNS];  /* elements: given */
    uint64_t offset[TIDE_COLUMNS]; /* from the start of the file; 0 for a column without elements */
    uint64_t file_bytes;
} tide_store_layout;

/* Makes the HDF5 file without the columns' content: in anonymous memory, sparse, some 100 kB resident
 * whatever the columns' size. Fills offset and file_bytes. *fd: the caller reads all but the columns and the
 * user block from it, and closes it. The header's provenance goes into attributes of /. */
tide_status tide_hdf5_skeleton(const tide_store_header *header, tide_store_layout *layout, int *fd,
                               tide_error *err);

#endif
