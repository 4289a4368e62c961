/* linalg_cpu.c - products of slices (linalg.h) by a plain loop: rows outside, columns of the series inside, so that
 * both are read once in order. Every sum is exact, so neither the order nor the instruction set changes a bit. */
#include "kernels/linalg.h"

enum { COLUMNS = 512 }; /* of the series at a time: 4 KiB of each row of c stay in the first-level cache */

static int cross(void *self, size_t n, size_t k, size_t s, const double *a, const double *b, double *c) {
    (void)self;
    for (size_t i = 0; i < k * s; ++i)
        c[i] = 0.0;
    for (size_t first = 0; first < s; first += COLUMNS) {
        size_t count = s - first < COLUMNS ? s - first : COLUMNS;
        for (size_t t = 0; t < n; ++t) {
            const double *row = b + t * s + first;
            for (size_t i = 0; i < k; ++i) {
                double x = a[t * k + i], *sum = c + i * s + first;
                if (x == 0.0)
                    continue; /* most of a dummy, and the low slices of round numbers */
                for (size_t j = 0; j < count; ++j)
                    sum[j] += x * row[j];
            }
        }
    }
    return 0;
}

void tide_linalg_cpu(tide_linalg *out) {
    memset(out, 0, sizeof *out);
    memcpy(out->name, "cpu", 4);
    out->cross = cross;
}
