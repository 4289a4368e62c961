/* csv_input.h - bytes of a file or of standard input, unpacked when they are gzip (several members in a row
 * included). */
#ifndef TIDE_CSV_INPUT_H
#define TIDE_CSV_INPUT_H

#include "host/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct tide_input tide_input;

/* path "-": standard input, which is not closed. `name` (borrowed) goes in front of messages. */
tide_status tide_input_open(const char *path, const char *name, tide_input **out, tide_error *err);
/* Reads until `size` bytes are there or the input ends: *got < size only at the end. TIDE_DISK on a read
 * error, TIDE_INPUT on damaged or cut off gzip. */
tide_status tide_input_read(tide_input *in, char *to, size_t size, size_t *got, tide_error *err);
/* Bytes taken from the file so far, and its size (0: unknown). */
void tide_input_progress(const tide_input *in, uint64_t *done, uint64_t *total);
void tide_input_close(tide_input *in);

#endif
