/* peek.h - looks at the first block of a source's rows before anybody reads it. */
#ifndef TIDE_PEEK_H
#define TIDE_PEEK_H

#include "host/stream.h"

/* Reads the first block of `inner` and makes *out a source that gives this block first, then the rest. *first: the block,
 * borrowed until out->next has been called twice. Closing *out leaves `inner` open: both are closed by their owners, *out
 * first. */
tide_status tide_peek(tide_source *inner, tide_source *out, tide_rows *first, tide_error *err);

#endif
