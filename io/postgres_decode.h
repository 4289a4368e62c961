/* postgres_decode.h - messages of COPY binary to rows, and the bytes of an id to its text.
 *
 * A row's id is handed on as a key: bytes whose order by memcmp is the order of the ids, whatever their type, so that
 * grouping and sorting know no types.
 *
 *   text, varchar, char, name   the bytes themselves (char without its padding)
 *   int2, int4, int8            8 bytes, big-endian, the sign flipped
 *   uuid                        16 bytes
 *   longer than the limit       the first TIDE_ID_MAX_BYTES + 1 bytes, then the true length in 4 bytes, big-endian
 *
 * A packed table has one row a series (or a stretch of one): id, the first time, an array of values. Its rows are
 * unpacked here, value by value, at the steps of the frequency; a first time on the last day of a month makes the
 * steps of M, Q and Y end on last days too. A NULL element is a missing value, a NULL or empty array no row. */
#ifndef TIDE_POSTGRES_DECODE_H
#define TIDE_POSTGRES_DECODE_H

#include "host/stream.h"

/* Types and bounds of what is read. */
typedef struct tide_pg_shape {
    unsigned id_type, ds_type, y_type; /* tide_pg_type; y_type: of the elements when packed */
    tide_ds_kind kind;
    int packed;
    tide_freq freq;   /* packed: the step */
    int64_t from, to; /* packed: values outside are left out (no SQL can do it) */
} tide_pg_shape;

/* What is odd about a row's id and time; 0 = nothing. In the order in which such rows follow the good ones, but that
 * -infinity and BC times come before them. */
enum { TIDE_PG_ID_EMPTY = 1, TIDE_PG_ID_LONG, TIDE_PG_ID_NULL };
enum { TIDE_PG_TIME_BELOW = 1, TIDE_PG_TIME_BC, TIDE_PG_TIME_WEEKEND, TIDE_PG_TIME_ABOVE, TIDE_PG_TIME_NULL };

enum { TIDE_PG_KEY_MAX = TIDE_ID_MAX_BYTES + 5 };

typedef struct tide_pg_row {
    const unsigned char *key; /* [key_length]; borrowed */
    uint32_t key_length;      /* <= TIDE_PG_KEY_MAX; 0 for NULL and empty ids */
    uint8_t id_odd, time_odd;
    int64_t ds; /* of odd times too: the smallest, the raw, or the largest number, so that it orders them */
    double y;
} tide_pg_row;

typedef struct tide_pg_taker {
    void *self;
    tide_status (*take)(void *self, const tide_pg_row *row, tide_error *err);
} tide_pg_taker;

typedef struct tide_pg_decoder {
    const char *name; /* of the source, for messages */
    const tide_pg_shape *shape;
    tide_pg_taker taker;
    int header_seen, trailer_seen;
    uint64_t tuples; /* rows of the table so far */
    unsigned char key[TIDE_PG_KEY_MAX + 3];
} tide_pg_decoder;

int tide_pg_is_text(unsigned id_type); /* text, varchar, char, name */
/* One message: the header (in the first), then whole tuples. */
tide_status tide_pg_decode(tide_pg_decoder *d, const unsigned char *message, size_t length, tide_error *err);

/* The key of an id given as the server's text of it, into out [TIDE_PG_KEY_MAX]; its length, or -1. */
int tide_pg_key_of_text(unsigned id_type, const char *text, unsigned char *out);
/* The text of a key into out, which has room for 40 bytes or the key's length; its length. */
size_t tide_pg_key_text(unsigned id_type, const unsigned char *key, size_t length, char *out);

#endif
