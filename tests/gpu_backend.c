/* gpu_backend.c - the CUDA backend against the CPU's, bit for bit, on a machine with a GPU. Needs no test
 * framework.
 *
 *   gpu_backend [--quick] [--devices 0,1] [--emulated]
 *
 * --quick leaves out the large cases; --emulated puts two GPUs made of ordinary memory in place of CUDA,
 * which tries this program, and the threads of the backend under a sanitizer, on any machine. Each check is a
 * line; the last line counts them. Exit code 0 when all passed, 1 when one failed, 8 when there is no GPU. */
#include "tests/backend_cases.h"
#include "tests/device_emulated.h"

#include "kernels/device_plan.h"
#include "kernels/linalg.h"

typedef struct tally {
    int passed, failed;
} tally;

static void check(tally *t, int good, const char *what, const char *detail) {
    printf("%s %s%s%s\n", good ? "ok" : "NOT OK", what, *detail ? ": " : "", detail);
    fflush(stdout);
    if (good)
        ++t->passed;
    else
        ++t->failed;
}

/* Where two results differ first, in words. */
static void first_difference(const tide_results *a, const tide_results *b, char *out, size_t size) {
    snprintf(out, size, "padding between arrays");
#define FIND_(array, n_rows)                                                                                 \
    for (size_t row = 0; row < (n_rows); ++row)                                                              \
        for (size_t i = 0; i < a->n_series; ++i)                                                             \
            if (memcmp(&a->array[row * a->n_series + i], &b->array[row * a->n_series + i],                   \
                       sizeof *a->array)) {                                                                  \
                snprintf(out, size, "%s row %zu of series %zu: %.17g on the CPU, %.17g here", #array, row,   \
                         i, (double)a->array[row * a->n_series + i],                                         \
                         (double)b->array[row * a->n_series + i]);                                           \
                return;                                                                                      \
            }
    TIDE_RESULTS_ARRAYS(FIND_, a)
#undef FIND_
}

typedef struct batch {
    const backend_case *c;
    tide_fit_spec spec;
    tide_panel panel;
    tide_plan plan;
    uint64_t *key;
    tide_results want; /* of the CPU */
    size_t bytes;
} batch;

static tide_status fit_on(tide_backend *b, batch *x, tide_results *r, tide_error *err) {
    *r = case_results(&x->spec, x->c->n_series, &x->bytes);
    return b->fit(b->self, &x->spec, &x->plan.tiles, r, err);
}

static void compare_fit(tally *t, tide_backend *gpu, batch *x, const char *how) {
    tide_error err = {TIDE_OK, ""};
    tide_results got;
    char what[160], detail[512] = "";
    snprintf(what, sizeof what, "fit, %s%s", x->c->name, how);
    tide_status status = fit_on(gpu, x, &got, &err);
    int same = status == TIDE_OK && memcmp(x->want.outcome, got.outcome, x->bytes) == 0;
    if (status != TIDE_OK)
        snprintf(detail, sizeof detail, "%.500s", err.message);
    else if (!same)
        first_difference(&x->want, &got, detail, sizeof detail);
    check(t, same, what, detail);
    free(got.outcome);
}

static void compare_forecast(tally *t, tide_backend *cpu, tide_backend *gpu, batch *x, int intervals) {
    tide_forecast_spec f = case_forecast_spec(x->c, intervals);
    size_t n = x->c->n_series, mean = (size_t)f.horizon * n, limits = mean * (size_t)f.n_levels;
    size_t bytes = (mean + 2 * limits) * sizeof(double);
    double *want = malloc(bytes), *got = malloc(bytes);
    if (!want || !got)
        abort();
    memset(want, 0xee, bytes);
    memset(got, 0x11, bytes);
    tide_error err = {TIDE_OK, ""};
    tide_status status =
        cpu->forecast(cpu->self, &f, &x->want, x->key, want, want + mean, want + mean + limits, &err);
    if (status == TIDE_OK)
        status = gpu->forecast(gpu->self, &f, &x->want, x->key, got, got + mean, got + mean + limits, &err);
    char what[160], detail[512] = "";
    snprintf(what, sizeof what, "forecast, %s intervals, %s",
             intervals == TIDE_INTERVALS_CLOSED ? "closed" : "simulated", x->c->name);
    int same = status == TIDE_OK && memcmp(want, got, bytes) == 0;
    if (status != TIDE_OK)
        snprintf(detail, sizeof detail, "%.500s", err.message);
    for (size_t i = 0; status == TIDE_OK && !same && i < mean + 2 * limits; ++i)
        if (memcmp(&want[i], &got[i], sizeof *want) != 0) {
            snprintf(detail, sizeof detail, "element %zu of series %zu: %.17g on the CPU, %.17g here", i / n,
                     i % n, want[i], got[i]);
            break;
        }
    check(t, same, what, detail);
    free(want);
    free(got);
}

static tide_status open_gpu(tide_backend_options options, const tide_device_driver *driver, tide_backend *out,
                            tide_error *err) {
    options.kind = TIDE_BACKEND_CUDA;
    return tide_backend_open_with(&options, driver, out, NULL, 0, err);
}

/* The fit once more with device memory for one tile and a half: batches must be halved, and slots take turns.
 */
static void compare_short_of_memory(tally *t, tide_backend_options options, const tide_device_driver *driver,
                                    batch *x) {
    tide_device_range tile = {0, 1};
    options.device_bytes_max =
        tide_device_layout_of(&x->spec, &x->plan.tiles, tile, driver->workspace).device_bytes / 2 * 3;
    tide_backend small;
    tide_error err = {TIDE_OK, ""};
    if (open_gpu(options, driver, &small, &err) != TIDE_OK) {
        check(t, 0, "opening a second backend on the same device", err.message);
        return;
    }
    compare_fit(t, &small, x, ", short of memory");
    if (x->plan.tiles.n_tiles > 8)
        check(t, strstr(small.note(small.self), "halved") != NULL, "batches were halved",
              small.note(small.self));
    small.close(small.self);
}

typedef struct machines {
    tide_backend cpu, gpu;
    tide_backend_options options;
    const tide_device_driver *driver;
} machines;

static void run_case(tally *t, machines *m, const backend_case *c) {
    batch x = {.c = c, .spec = case_spec(c)};
    tide_error err = {TIDE_OK, ""};
    case_panel(c, &x.panel);
    x.key = malloc(c->n_series * sizeof *x.key);
    if (!x.key)
        abort();
    for (size_t i = 0; i < c->n_series; ++i)
        x.key[i] = case_bits(i, 3);
    tide_status planned = tide_plan_build(&x.plan, &x.panel, &err);
    if (planned == TIDE_OK)
        case_warm(c, &x.plan);
    if (planned != TIDE_OK || fit_on(&m->cpu, &x, &x.want, &err) != TIDE_OK) {
        check(t, 0, c->name, err.message);
    } else {
        compare_fit(t, &m->gpu, &x, "");
        if (!c->slow)
            compare_short_of_memory(t, m->options, m->driver, &x);
        compare_forecast(t, &m->cpu, &m->gpu, &x, TIDE_INTERVALS_CLOSED);
        compare_forecast(t, &m->cpu, &m->gpu, &x, TIDE_INTERVALS_SIMULATED);
    }
    free(x.want.outcome);
    free(x.key);
    tide_plan_free(&x.plan);
    tide_panel_free(&x.panel);
}

/* Products of slices by cuBLAS against the CPU's. */
static void compare_linalg(tally *t) {
    enum { N = 5000, S = 3000, A = 33 };
    tide_linalg cpu, gpu;
    char why[96];
    tide_linalg_cpu(&cpu);
    if (!tide_linalg_cublas(0, &gpu, why, sizeof why)) {
        printf("skip products by cuBLAS: %s\n", why);
        return;
    }
    double *a = malloc(sizeof *a * N * A), *b = malloc(sizeof *b * N * S), s[TIDE_SLICES];
    double *want = malloc(sizeof *want * A * S), *got = malloc(sizeof *got * A * S);
    uint64_t state = 1;
    for (size_t i = 0; i < (size_t)N * A || i < (size_t)N * S; ++i) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        tide_slice((double)(int64_t)state * 0x1p-63, s);
        if (i < (size_t)N * A)
            a[i] = s[i % TIDE_SLICES];
        if (i < (size_t)N * S)
            b[i] = s[(i + 1) % TIDE_SLICES];
    }
    cpu.cross(cpu.self, N, A, S, a, b, want);
    int failed = gpu.cross(gpu.self, N, A, S, a, b, got);
    check(t, !failed && memcmp(want, got, sizeof *want * A * S) == 0, "products of slices", gpu.name);
    gpu.close(gpu.self);
    free(a);
    free(b);
    free(want);
    free(got);
}

int main(int argc, char **argv) {
    int quick = 0, emulated = 0;
    tide_backend_options options = {.devices = NULL};
    for (int i = 1; i < argc; ++i) {
        if (strcmp(argv[i], "--quick") == 0) {
            quick = 1;
        } else if (strcmp(argv[i], "--emulated") == 0) {
            emulated = 1;
        } else if (strcmp(argv[i], "--devices") == 0 && i + 1 < argc) {
            options.devices = argv[++i];
        } else {
            fprintf(stderr, "usage: gpu_backend [--quick] [--devices 0,1] [--emulated]\n");
            return TIDE_USAGE;
        }
    }
    static emulated_machine machine = {.devices = 2};
    for (int i = 0; i < 2; ++i)
        machine.device[i] = (emulated_device){
            .memory_bytes = (size_t)1 << 33, .free_bytes = (size_t)1 << 33, .multiprocessors = 4};
    machines m = {.options = options, .driver = emulated ? emulated_driver(&machine) : tide_cuda_driver()};
    tide_error err = {TIDE_OK, ""};
    tide_backend_options on_cpu = {.kind = TIDE_BACKEND_CPU};
    tide_status status = tide_backend_open(&on_cpu, &m.cpu, NULL, 0, &err);
    if (status == TIDE_OK) {
        status = open_gpu(options, m.driver, &m.gpu, &err);
        if (status != TIDE_OK)
            m.cpu.close(m.cpu.self);
    }
    if (status != TIDE_OK) {
        fprintf(stderr, "gpu_backend: %s\n", err.message);
        return (int)status;
    }
    printf("comparing %s with %s\n", m.gpu.name, m.cpu.name);
    tally t = {0, 0};
    for (int i = 0; i < BACKEND_CASES; ++i)
        if (!(quick && backend_cases[i].slow))
            run_case(&t, &m, &backend_cases[i]);
    check(&t, m.gpu.note(m.gpu.self)[0] == '\0', "nothing happened that needs a note",
          m.gpu.note(m.gpu.self));
    m.gpu.close(m.gpu.self);
    m.cpu.close(m.cpu.self);
    compare_linalg(&t);
    printf("%d passed, %d failed\n", t.passed, t.failed);
    return t.failed > 0;
}
