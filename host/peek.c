#include "host/peek.h"

#include <stdlib.h>

typedef struct peek {
    tide_source *inner;
    tide_rows first;
    int given;
} peek;

static tide_status next(void *self, tide_rows *rows, tide_error *err) {
    peek *p = (peek *)self;
    if (p->given && p->first.n)
        return p->inner->next(p->inner->self, rows, err);
    p->given = 1; /* an empty first block is the end, and stays it */
    *rows = p->first;
    return TIDE_OK;
}

static void progress(void *self, uint64_t *done, uint64_t *total) {
    peek *p = (peek *)self;
    p->inner->progress(p->inner->self, done, total);
}

static void describe(void *self, char *out, size_t size) {
    peek *p = (peek *)self;
    p->inner->describe(p->inner->self, out, size);
}

tide_status tide_peek(tide_source *inner, tide_source *out, tide_rows *first, tide_error *err) {
    peek *p = (peek *)calloc(1, sizeof *p);
    if (!p)
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    tide_status status = inner->next(inner->self, &p->first, err);
    if (status) {
        free(p);
        return status;
    }
    p->inner = inner;
    *first = p->first;
    *out = *inner; /* name, line_word, grouped */
    out->self = p;
    out->next = next;
    out->progress = inner->progress ? progress : NULL;
    out->describe = inner->describe ? describe : NULL;
    out->close = free;
    return TIDE_OK;
}
