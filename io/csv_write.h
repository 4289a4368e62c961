/* csv_write.h - writes the rows of a source as CSV: unique_id,ds,y with a header line. */
#ifndef TIDE_CSV_WRITE_H
#define TIDE_CSV_WRITE_H

#include "host/simulate.h"
#include "host/stream.h"

/* Reads `in` to its end and writes its rows to the file descriptor, which stays open. header: the first line,
 * without newline; NULL = "unique_id,ds,y". name: of the file, for messages ("standard output"). *n_rows (may
 * be NULL): rows written. Missing y is an empty field; y is written so that it reads back exactly. Ids are
 * quoted where CSV asks for it. TIDE_DISK when writing fails, TIDE_INPUT for a row that the source marks as
 * faulty, else the source's status. */
tide_status tide_csv_write(tide_source *in, int fd, const char *name, const char *header, uint64_t *n_rows,
                           tide_error *err);

/* tide_csv_write of the simulated rows that the options ask for. */
tide_status tide_simulate_write_csv(const tide_simulate_options *options, int fd, const char *name,
                                    uint64_t *n_rows, tide_error *err);

#endif
