/* bench_arima_diff.c - the orders of differences that ARIMA models get, and what choosing them costs.
 *
 *   bench_arima_diff TRAIN.csv PERIOD    rows unique_id,D,d,strength,kpss,lambda on standard output
 *   bench_arima_diff                     timing alone, on synthetic series of 120 and 1000 values
 *
 * TRAIN: unique_id,ds,y, the rows of a series together and in order; an empty y is missing. Standard error:
 * microseconds a series for the orders and for lambda of Box-Cox (processor time of this thread, best of
 * five). */
#include "kernels/arima_diff.h"
#include "kernels/boxcox.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const tide_arima_spec by_test = {.d = -1, .D = -1, .max_d = 2, .max_D = 1};

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static void *grown(void *p, size_t bytes) {
    p = realloc(p, bytes);
    if (!p) {
        fputs("bench_arima_diff: out of memory\n", stderr);
        exit(1);
    }
    return p;
}

typedef struct table {
    size_t n, count;
    double *y;
    size_t *first; /* [n + 1] */
    char (*id)[64];
} table;

static void add_value(table *t, double v) {
    if ((t->count & (t->count + 1)) == 0)
        t->y = grown(t->y, 2 * (t->count + 1) * sizeof *t->y);
    t->y[t->count++] = v;
    t->first[t->n] = t->count;
}

static void add_series(table *t, const char *id) {
    t->first = grown(t->first, (t->n + 2) * sizeof *t->first);
    t->id = grown(t->id, (t->n + 1) * sizeof *t->id);
    snprintf(t->id[t->n], sizeof t->id[0], "%s", id);
    t->first[t->n++] = t->count;
    t->first[t->n] = t->count;
}

static int read_table(const char *path, table *t) {
    char line[512];
    FILE *f = fopen(path, "r");
    if (!f || !fgets(line, sizeof line, f)) {
        fprintf(stderr, "bench_arima_diff: cannot read %s\n", path);
        return 0;
    }
    while (fgets(line, sizeof line, f)) {
        char *ds = strchr(line, ','), *y = ds ? strchr(ds + 1, ',') : NULL, *end;
        if (!y) {
            fprintf(stderr, "bench_arima_diff: %s: a row without three fields: %s", path, line);
            fclose(f);
            return 0;
        }
        *ds = '\0';
        if (t->n == 0 || strcmp(t->id[t->n - 1], line) != 0)
            add_series(t, line);
        double v = strtod(y + 1, &end);
        add_value(t, end == y + 1 ? (double)NAN : v);
    }
    fclose(f);
    return 1;
}

/* Rows of results if `out`; microseconds a series into orders and lambda. */
static void measure(const table *t, int period, FILE *out, double *orders, double *lambda) {
    size_t longest = 0, lags = (size_t)period;
    for (size_t i = 0; i < t->n; ++i)
        longest = t->first[i + 1] - t->first[i] > longest ? t->first[i + 1] - t->first[i] : longest;
    double *work =
        grown(NULL, (tide_arima_diff_elements((int)longest, period) + longest + lags) * sizeof *work);
    *orders = *lambda = (double)INFINITY;
    for (int round = 0; round < 5; ++round) {
        double sum = 0.0, start = now_us();
        for (size_t i = 0; i < t->n; ++i) {
            tide_arima_diffs r = tide_arima_choose_d(&by_test, t->y + t->first[i], 1,
                                                     (int)(t->first[i + 1] - t->first[i]), period, work, 1);
            sum += r.d;
        }
        double middle = now_us();
        for (size_t i = 0; i < t->n; ++i)
            sum += tide_boxcox_lambda(t->y + t->first[i], 1, (int)(t->first[i + 1] - t->first[i]), period,
                                      -1.0, 2.0, work, 1);
        double end = now_us();
        *orders = fmin(*orders, isnan(sum) ? (double)INFINITY : (middle - start) / (double)t->n);
        *lambda = fmin(*lambda, (end - middle) / (double)t->n);
    }
    for (size_t i = 0; out && i < t->n; ++i) {
        const double *y = t->y + t->first[i];
        int n = (int)(t->first[i + 1] - t->first[i]);
        tide_arima_diffs r = tide_arima_choose_d(&by_test, y, 1, n, period, work, 1);
        fprintf(out, "%s,%d,%d,%.17g,%.17g,%.17g\n", t->id[i], r.D, r.d, r.strength, r.kpss,
                tide_boxcox_lambda(y, 1, n, period, -1.0, 2.0, work, 1));
    }
    free(work);
}

static void drop(table *t) {
    free(t->y);
    free(t->first);
    free(t->id);
}

static void synthetic(table *t, size_t series, int steps, int period, int gaps) {
    uint32_t z = 12345;
    for (size_t i = 0; i < series; ++i) {
        add_series(t, "synthetic");
        double level = 100.0;
        for (int s = 0; s < steps; ++s) {
            z = z * 1664525u + 1013904223u;
            level += (double)(z >> 8) * 0x1p-24 - 0.45;
            add_value(t, gaps && z % 17 == 0 ? (double)NAN : level + 0.2 * (double)(s % period));
        }
    }
}

int main(int argc, char **argv) {
    double orders, lambda;
    if (argc != 1 && argc != 3) {
        fputs("usage: bench_arima_diff [TRAIN.csv PERIOD]\n", stderr);
        return 2;
    }
    if (argc == 3) {
        table t = {0};
        int period = atoi(argv[2]);
        if (period < 1 || period > TIDE_SEASON_MAX || !read_table(argv[1], &t))
            return 2;
        puts("unique_id,D,d,strength,kpss,lambda");
        measure(&t, period, stdout, &orders, &lambda);
        fprintf(stderr, "%zu series, period %d: orders %.2f us, lambda %.2f us a series\n", t.n, period,
                orders, lambda);
        drop(&t);
        return 0;
    }
    const int steps[] = {120, 120, 120, 1000, 1000}, periods[] = {1, 4, 12, 24, 52};
    for (int i = 0; i < 5; ++i)
        for (int gaps = 0; gaps < 2; ++gaps) {
            table t = {0};
            synthetic(&t, 200, steps[i], periods[i], gaps);
            measure(&t, periods[i], NULL, &orders, &lambda);
            printf("%d values, period %d%s: orders %.2f us, lambda %.2f us a series\n", steps[i], periods[i],
                   gaps ? ", some missing" : "", orders, lambda);
            drop(&t);
        }
    return 0;
}
