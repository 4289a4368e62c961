/* csv.h - rows from a CSV file: plain, gzip, or standard input.
 *
 * The first line names the columns; three of them are used, in any place, the others are skipped. Fields are
 * separated by the delimiter, quoted as in RFC 4180 ("a,b", "say ""no""", line breaks inside quotes); a quote
 * inside an unquoted field is a character like any other. Lines end with LF or CR LF, the last one also with
 * the end of the file; empty lines are skipped; a UTF-8 byte order mark is skipped. Ids are bytes, kept
 * exactly. y is missing when empty, NA, NaN, nan, null or NULL; inf and infinity pass as infinite; other
 * numbers are rounded correctly, decimal point only. Blanks around y and ds are not part of them. The first
 * time that can be read decides whether ds is an integer, a date or a timestamp; a later one of another kind
 * is TIDE_ROW_BAD_DS.
 *
 * A line that cannot be taken apart is one TIDE_ROW_BAD_SHAPE, and reading goes on with the next line: after
 * a quote that nothing closes properly, with the line after that quote. A row is at most buffer_bytes long.
 */
#ifndef TIDE_CSV_H
#define TIDE_CSV_H

#include "host/stream.h"

typedef struct tide_csv_options {
    const char *path;                             /* "-": standard input; gzip is known by its first bytes */
    const char *id_column, *ds_column, *y_column; /* NULL: unique_id, ds, y; compared byte by byte */
    char delimiter;                               /* 0: comma, semicolon or tab, found out from the header */
    size_t buffer_bytes;                          /* 0: 1 MiB; also the longest row; at least 64 */
    size_t block_rows;                            /* most rows a block; 0: 65536 */
} tide_csv_options;

/* Opens the file and reads its header. TIDE_DISK: cannot be opened or read; TIDE_INPUT: empty, a column
 * missing or named twice (the message lists the columns found), damaged gzip. On success the caller owns
 * *out: out->close(out->self). */
tide_status tide_csv_open(const tide_csv_options *options, tide_source *out, tide_error *err);

#endif
