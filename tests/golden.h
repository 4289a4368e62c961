/* golden.h - reads the tables of tests/golden: comma-separated, quoted or not, no quote inside a field; .gz
 * through gzip. For tests only: a broken table ends the test program. */
#ifndef TIDE_TESTS_GOLDEN_H
#define TIDE_TESTS_GOLDEN_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GOLDEN_FIELDS = 24, GOLDEN_LINE = 4096 };

typedef struct golden_table {
    FILE *file;
    int piped, n_columns, n_fields;
    char header[GOLDEN_LINE], line[GOLDEN_LINE];
    char *column[GOLDEN_FIELDS], *field[GOLDEN_FIELDS];
} golden_table;

static inline int golden_split(char *line, char **field) {
    int n = 0;
    for (char *p = line;; ++n) {
        if (n == GOLDEN_FIELDS)
            abort();
        int quoted = *p == '"';
        p += quoted;
        field[n] = p;
        p += strcspn(p, quoted ? "\"" : ",\r\n");
        if (quoted)
            *p++ = '\0';
        int more = *p == ',';
        *p++ = '\0';
        if (!more)
            return n + 1;
    }
}

static inline int golden_next(golden_table *t) {
    if (!fgets(t->line, sizeof t->line, t->file))
        return 0;
    t->n_fields = golden_split(t->line, t->field);
    if (t->n_fields != t->n_columns)
        abort();
    return 1;
}

/* name: file of tests/golden. */
static inline void golden_open(golden_table *t, const char *name) {
    char path[1024];
    size_t length = strlen(name);
    t->piped = length > 3 && strcmp(name + length - 3, ".gz") == 0;
    snprintf(path, sizeof path, t->piped ? "gzip -dc '%s/tests/golden/%s'" : "%s/tests/golden/%s",
             TIDE_SOURCE_DIR, name);
    t->file = t->piped ? popen(path, "r") : fopen(path, "r");
    if (!t->file || !fgets(t->header, sizeof t->header, t->file)) {
        fprintf(stderr, "cannot read golden table %s\n", name);
        abort();
    }
    t->n_columns = golden_split(t->header, t->column);
}

static inline void golden_close(golden_table *t) {
    if (t->piped ? pclose(t->file) : fclose(t->file))
        abort();
}

static inline const char *golden_text(const golden_table *t, const char *column) {
    for (int i = 0; i < t->n_columns; ++i)
        if (strcmp(t->column[i], column) == 0)
            return t->field[i];
    fprintf(stderr, "golden table has no column %s\n", column);
    abort();
}

/* A number; NaN where the field is empty or NA. */
static inline double golden_number(const golden_table *t, const char *column) {
    const char *text = golden_text(t, column);
    return *text && strcmp(text, "NA") != 0 ? strtod(text, NULL) : (double)NAN;
}

/* Values of a series of series.csv (NaN = missing), at most `most`; returns their number, *period its
 * season. */
static inline int golden_series(const char *name, double *y, int most, int *period) {
    golden_table t;
    int n = 0;
    golden_open(&t, "series.csv");
    while (golden_next(&t)) {
        if (strcmp(golden_text(&t, "series"), name) != 0)
            continue;
        if (n == most)
            abort();
        *period = (int)golden_number(&t, "period");
        y[n++] = golden_number(&t, "y");
    }
    golden_close(&t);
    return n;
}

/* Moves the longest stretch without a missing value, which is all that R fits, to the front of y; its length. */
static inline int golden_longest_stretch(double *y, int n) {
    int best = 0, from = 0;
    for (int i = 0, run = 0; i < n; ++i) {
        run = isnan(y[i]) ? 0 : run + 1;
        if (run > best) {
            best = run;
            from = i + 1 - run;
        }
    }
    memmove(y, y + from, sizeof *y * (size_t)best);
    return best;
}

#endif
