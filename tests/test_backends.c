/* Backends: the same bits from every instruction set, thread count and (emulated) GPU; and who takes over
 * from whom. */
#include "tests/backend_cases.h"
#include "tests/device_emulated.h"

#include "kernels/device_plan.h"
#include <criterion/criterion.h>

typedef struct answer {
    tide_results results;
    size_t bytes, outputs;
    double *forecast; /* mean, lo, hi of both kinds of interval */
} answer;

static void free_answer(answer *a) {
    free(a->results.outcome);
    free(a->forecast);
}

/* Fits a case and forecasts from it. TIDE_OK, or what the backend said. */
static tide_status ask(tide_backend *b, const backend_case *c, answer *a, tide_error *err) {
    tide_panel panel;
    tide_plan plan = {0};
    tide_fit_spec spec = case_spec(c);
    case_panel(c, &panel);
    cr_assert_eq(tide_plan_build(&plan, &panel, NULL), TIDE_OK);
    case_warm(c, &plan);
    size_t n = c->n_series;
    a->results = case_results(&spec, n, &a->bytes);
    tide_forecast_spec f = case_forecast_spec(c, TIDE_INTERVALS_CLOSED);
    size_t one = (size_t)f.horizon * n, levels = (size_t)f.n_levels * one;
    a->outputs = 2 * (one + 2 * levels);
    a->forecast = malloc(a->outputs * sizeof *a->forecast);
    memset(a->forecast, 0xee, a->outputs * sizeof *a->forecast);
    uint64_t *key = malloc(n * sizeof *key);
    for (size_t i = 0; i < n; ++i)
        key[i] = case_bits(i, 3);
    cr_assert(b->supports(b->self, &spec));
    tide_status status = b->fit(b->self, &spec, &plan.tiles, &a->results, err);
    double *out = a->forecast;
    for (int kind = TIDE_INTERVALS_CLOSED; status == TIDE_OK && kind <= TIDE_INTERVALS_SIMULATED; ++kind) {
        f.intervals = kind;
        status = b->forecast(b->self, &f, &a->results, key, out, out + one, out + one + levels, err);
        out += one + 2 * levels;
    }
    free(key);
    tide_plan_free(&plan);
    tide_panel_free(&panel);
    return status;
}

static void must_equal(const answer *a, const answer *b, const char *what) {
    cr_assert_eq(a->bytes, b->bytes);
    cr_assert_eq(memcmp(a->results.outcome, b->results.outcome, a->bytes), 0, "fit differs: %s", what);
    cr_assert_eq(memcmp(a->forecast, b->forecast, a->outputs * sizeof *a->forecast), 0,
                 "forecast differs: %s", what);
}

static tide_backend open_cpu(const char *isa, int jobs) {
    tide_backend b;
    tide_error err = {0};
    tide_backend_options options = {.kind = TIDE_BACKEND_CPU, .isa = isa, .jobs = jobs};
    cr_assert_eq(tide_backend_open(&options, &b, NULL, 0, &err), TIDE_OK, "%s", err.message);
    return b;
}

static answer ask_cpu(const backend_case *c) {
    tide_backend b = open_cpu(NULL, 1);
    answer a;
    cr_assert_eq(ask(&b, c, &a, NULL), TIDE_OK);
    b.close(b.self);
    return a;
}

/* ---- CPU ---- */

Test(cpu, every_instruction_set_gives_the_same_bits) {
    static const char *isas[] = {"baseline", "avx2", "avx512"};
    for (int i = 0; i < BACKEND_CASES; ++i) {
        const backend_case *c = &backend_cases[i];
        if (c->slow)
            continue;
        tide_backend scalar = open_cpu("scalar", 1);
        answer want;
        cr_assert_eq(ask(&scalar, c, &want, NULL), TIDE_OK);
        scalar.close(scalar.self);
        for (size_t k = 0; k < sizeof isas / sizeof *isas; ++k) {
            tide_backend b;
            tide_backend_options options = {.kind = TIDE_BACKEND_CPU, .isa = isas[k], .jobs = 2};
            tide_error err = {0};
            tide_status status = tide_backend_open(&options, &b, NULL, 0, &err);
            if (status == TIDE_CONFIG)
                continue; /* not on this processor */
            cr_assert_eq(status, TIDE_OK);
            answer got;
            cr_assert_eq(ask(&b, c, &got, NULL), TIDE_OK);
            must_equal(&got, &want, isas[k]);
            free_answer(&got);
            b.close(b.self);
        }
        free_answer(&want);
    }
}

Test(cpu, any_number_of_threads_gives_the_same_bits) {
    const backend_case *c = &backend_cases[3];
    answer want = ask_cpu(c);
    for (int jobs = 2; jobs <= 5; ++jobs) {
        tide_backend b = open_cpu(NULL, jobs);
        answer got;
        cr_assert_eq(ask(&b, c, &got, NULL), TIDE_OK);
        must_equal(&got, &want, "threads");
        free_answer(&got);
        b.close(b.self);
    }
    free_answer(&want);
}

Test(cpu, one_backend_serves_batches_of_any_shape_in_turn) {
    tide_backend b = open_cpu(NULL, 2);
    static const int order[] = {0, 5, 1, 4, 2, 0};
    for (size_t i = 0; i < sizeof order / sizeof *order; ++i) {
        answer want = ask_cpu(&backend_cases[order[i]]), got;
        cr_assert_eq(ask(&b, &backend_cases[order[i]], &got, NULL), TIDE_OK);
        must_equal(&got, &want, backend_cases[order[i]].name);
        free_answer(&got);
        free_answer(&want);
    }
    b.close(b.self);
}

Test(cpu, plain_series_are_fitted_and_forecast) {
    answer a = ask_cpu(&backend_cases[1]);
    for (size_t i = 0; i < a.results.n_series; ++i) {
        cr_assert(a.results.outcome[i] <= TIDE_OUTCOME_NOT_CONVERGED, "series %zu: outcome %d", i,
                  a.results.outcome[i]);
        cr_assert_eq(a.results.n_members[i], 1);
        cr_assert(tide_is_finite(a.results.loglik[i]) && tide_is_finite(a.results.state[i]));
    }
    for (size_t i = 0; i < a.outputs; ++i)
        cr_assert(tide_is_finite(a.forecast[i]));
    free_answer(&a);
}

Test(cpu, name_tells_instruction_set_and_threads) {
    tide_backend b = open_cpu("baseline", 3);
    cr_assert_str_eq(b.name, "cpu baseline, 3 threads");
    cr_assert_str_eq(b.note(b.self), "");
    b.close(b.self);
    b = open_cpu("scalar", 1);
    cr_assert_str_eq(b.name, "cpu scalar, 1 thread");
    b.close(b.self);
}

Test(cpu, refuses_an_instruction_set_or_family_that_there_is_not) {
    tide_backend b;
    tide_error err = {0};
    tide_backend_options options = {.kind = TIDE_BACKEND_CPU, .isa = "mmx"};
    cr_assert_eq(tide_backend_open(&options, &b, NULL, 0, &err), TIDE_CONFIG);
    cr_assert_not_null(strstr(err.message, "mmx"));
    b = open_cpu("scalar", 1);
    tide_fit_spec spec = {.families = 1u << TIDE_FAMILY_COUNT};
    cr_assert_not(b.supports(b.self, &spec));
    b.close(b.self);
}

/* ---- GPUs that are not there ---- */

Test(cuda, without_a_device_auto_takes_the_cpu_and_says_so) {
    emulated_machine machine = {.devices = 0};
    tide_backend_options options = {.kind = TIDE_BACKEND_AUTO, .jobs = 1};
    tide_backend b;
    char notes[200];
    cr_assert_eq(tide_backend_open_with(&options, emulated_driver(&machine), &b, notes, sizeof notes, NULL),
                 TIDE_OK);
    cr_assert_eq(strncmp(b.name, "cpu ", 4), 0);
    cr_assert_not_null(strstr(notes, "no CUDA device"), "%s", notes);
    b.close(b.self);
    cr_assert_eq(tide_backend_open_with(&options, NULL, &b, notes, sizeof notes, NULL), TIDE_OK);
    cr_assert_not_null(strstr(notes, "this build has no CUDA backend"), "%s", notes);
    b.close(b.self);
}

Test(cuda, without_a_device_cuda_stops_unless_told_to_fall_back) {
    emulated_machine machine = {.devices = 0};
    tide_backend_options options = {.kind = TIDE_BACKEND_CUDA, .jobs = 1};
    tide_backend b = {.self = NULL};
    tide_error err = {0};
    cr_assert_eq(tide_backend_open_with(&options, emulated_driver(&machine), &b, NULL, 0, &err), TIDE_DEVICE);
    cr_assert_not_null(strstr(err.message, "no CUDA device"));
    cr_assert_null(b.self, "outputs are untouched on failure");
    options.fallback_to_cpu = 1;
    char notes[200];
    cr_assert_eq(tide_backend_open_with(&options, emulated_driver(&machine), &b, notes, sizeof notes, &err),
                 TIDE_OK);
    cr_assert_not_null(strstr(notes, "using cpu"), "%s", notes);
    b.close(b.self);
}

Test(cuda, this_machine_is_asked_without_harm) {
    const tide_device_driver *driver = tide_cuda_driver();
    int n = 0;
    char why[200] = "";
    if (driver && driver->count(&n, why, sizeof why) == TIDE_CUDA_OK && n > 0)
        return;
    tide_backend b;
    tide_error err = {0};
    tide_backend_options options = {.kind = TIDE_BACKEND_CUDA, .jobs = 1};
    cr_assert_eq(tide_backend_open(&options, &b, NULL, 0, &err), TIDE_DEVICE);
    cr_assert(strlen(err.message) > 10);
    options.kind = TIDE_BACKEND_AUTO;
    cr_assert_eq(tide_backend_open(&options, &b, NULL, 0, &err), TIDE_OK);
    b.close(b.self);
}

/* ---- emulated GPUs ---- */

static emulated_machine gpus(int n) {
    emulated_machine m = {.devices = n};
    for (int i = 0; i < n; ++i)
        m.device[i] = (emulated_device){
            .memory_bytes = (size_t)1 << 34, .free_bytes = (size_t)1 << 34, .multiprocessors = 8};
    return m;
}

static tide_backend open_gpus(emulated_machine *machine, tide_backend_options options) {
    tide_backend b;
    tide_error err = {0};
    options.kind = TIDE_BACKEND_CUDA;
    options.jobs = 1;
    tide_status status = tide_backend_open_with(&options, emulated_driver(machine), &b, NULL, 0, &err);
    cr_assert_eq(status, TIDE_OK, "%s", err.message);
    return b;
}

Test(cuda, emulated_gpu_gives_the_bits_of_the_cpu) {
    emulated_machine machine = gpus(1);
    tide_backend b = open_gpus(&machine, (tide_backend_options){0});
    cr_assert_str_eq(b.name, "cuda Emulated x1");
    for (int i = 0; i < BACKEND_CASES; ++i) {
        if (backend_cases[i].slow)
            continue;
        answer want = ask_cpu(&backend_cases[i]), got;
        cr_assert_eq(ask(&b, &backend_cases[i], &got, NULL), TIDE_OK);
        must_equal(&got, &want, backend_cases[i].name);
        free_answer(&got);
        free_answer(&want);
    }
    cr_assert_str_eq(b.note(b.self), "");
    b.close(b.self);
    cr_assert(machine.device[0].closed == 1 && machine.device[0].reset == 0 &&
              machine.device[0].held_bytes == 0);
}

Test(cuda, several_gpus_share_the_tiles) {
    const backend_case *c = &backend_cases[3];
    answer want = ask_cpu(c), got;
    emulated_machine machine = gpus(3);
    tide_backend b = open_gpus(&machine, (tide_backend_options){.devices = "2,0"});
    cr_assert_str_eq(b.name, "cuda Emulated x2");
    cr_assert_eq(ask(&b, c, &got, NULL), TIDE_OK);
    must_equal(&got, &want, "two devices");
    cr_assert_eq(machine.device[1].opened, 0);
    cr_assert_eq(machine.device[0].series + machine.device[2].series, (c->n_series + 31) / 32 * 32);
    b.close(b.self);
    free_answer(&got);
    free_answer(&want);
}

Test(cuda, short_memory_halves_batches_and_changes_nothing_else) {
    const backend_case *c = &backend_cases[3];
    answer want = ask_cpu(c), got;
    emulated_machine machine = gpus(1);
    tide_backend b = open_gpus(&machine, (tide_backend_options){0});
    cr_assert_eq(ask(&b, c, &got, NULL), TIDE_OK);
    must_equal(&got, &want, "enough memory");
    free_answer(&got);
    size_t most = machine.device[0].most_bytes;
    int fits = machine.device[0].fits;
    b.close(b.self);

    machine = gpus(1); /* it says that it has plenty, and then has not */
    machine.device[0].memory_bytes = most / 3;
    b = open_gpus(&machine, (tide_backend_options){0});
    cr_assert_eq(ask(&b, c, &got, NULL), TIDE_OK);
    must_equal(&got, &want, "device short of memory");
    cr_assert_gt(machine.device[0].refused_reserves, 0);
    cr_assert_gt(machine.device[0].fits, fits);
    cr_assert_leq(machine.device[0].most_bytes, most / 3);
    cr_assert_not_null(strstr(b.note(b.self), "halved"), "%s", b.note(b.self));
    free_answer(&got);
    b.close(b.self);

    machine = gpus(1); /* the same by the option, which works on a real GPU too */
    b = open_gpus(&machine, (tide_backend_options){.device_bytes_max = most / 5});
    cr_assert_eq(ask(&b, c, &got, NULL), TIDE_OK);
    must_equal(&got, &want, "device_bytes_max");
    cr_assert_leq(machine.device[0].most_bytes, most / 5);
    cr_assert_not_null(strstr(b.note(b.self), "halved"));
    free_answer(&got);
    b.close(b.self);

    machine = gpus(1); /* little memory that is known beforehand needs no halving */
    machine.device[0].free_bytes = machine.device[0].memory_bytes = most / 2;
    b = open_gpus(&machine, (tide_backend_options){0});
    cr_assert_eq(ask(&b, c, &got, NULL), TIDE_OK);
    must_equal(&got, &want, "small device");
    cr_assert_eq(machine.device[0].refused_reserves, 0);
    free_answer(&got);
    b.close(b.self);
    free_answer(&want);
}

Test(cuda, a_tile_that_fits_no_device_goes_to_the_cpu_or_stops) {
    const backend_case *c = &backend_cases[2];
    answer want = ask_cpu(c), got;
    tide_error err = {0};
    emulated_machine machine = gpus(2);
    tide_backend b = open_gpus(&machine, (tide_backend_options){.device_bytes_max = 1000});
    cr_assert_eq(ask(&b, c, &got, &err), TIDE_DEVICE);
    cr_assert_not_null(strstr(err.message, "too little memory"), "%s", err.message);
    free_answer(&got);
    b.close(b.self);
    b = open_gpus(&machine, (tide_backend_options){.device_bytes_max = 1000, .fallback_to_cpu = 1});
    cr_assert_eq(ask(&b, c, &got, &err), TIDE_OK);
    must_equal(&got, &want, "fallback");
    cr_assert_not_null(strstr(b.note(b.self), "going on with cpu"), "%s", b.note(b.self));
    free_answer(&got);
    free_answer(&want);
    b.close(b.self);
}

Test(cuda, others_finish_the_work_of_a_lost_gpu) {
    const backend_case *c = &backend_cases[3];
    answer want = ask_cpu(c), got;
    for (int at = 1; at <= 4; ++at) {
        emulated_machine machine = gpus(2);
        machine.device[1].lost_at_wait = at;
        /* Little memory makes many batches, so that the second device surely waits so often. */
        tide_backend b = open_gpus(&machine, (tide_backend_options){.device_bytes_max = 600000});
        cr_assert_eq(ask(&b, c, &got, NULL), TIDE_OK);
        must_equal(&got, &want, "one of two lost");
        if (machine.device[1].waits >= at) {
            cr_assert_eq(machine.device[1].reset, 1, "its context is torn down");
            cr_assert_not_null(strstr(b.note(b.self), "device 1 (Emulated) was lost: emulated ECC error"),
                               "%s", b.note(b.self));
        }
        free_answer(&got);
        b.close(b.self);
        cr_assert_eq(machine.device[1].closed, 1);
    }
    free_answer(&want);
}

Test(cuda, when_all_gpus_are_lost_the_cpu_takes_over_or_the_run_stops) {
    const backend_case *c = &backend_cases[3];
    answer want = ask_cpu(c), got;
    tide_error err = {0};
    for (int at = 1; at <= 3; ++at) {
        emulated_machine machine = gpus(2);
        machine.device[0].lost_at_wait = machine.device[1].lost_at_wait = at;
        tide_backend b = open_gpus(&machine, (tide_backend_options){0});
        cr_assert_eq(ask(&b, c, &got, &err), TIDE_DEVICE);
        cr_assert_not_null(strstr(err.message, "was lost: emulated ECC error"), "%s", err.message);
        free_answer(&got);
        cr_assert_eq(ask(&b, c, &got, &err), TIDE_DEVICE, "it stays lost");
        free_answer(&got);
        b.close(b.self);

        machine = gpus(2);
        machine.device[0].lost_at_wait = machine.device[1].lost_at_wait = at;
        b = open_gpus(&machine, (tide_backend_options){.fallback_to_cpu = 1});
        cr_assert_eq(ask(&b, c, &got, &err), TIDE_OK);
        must_equal(&got, &want, "CPU takes over");
        cr_assert_not_null(strstr(b.note(b.self), "going on with cpu"), "%s", b.note(b.self));
        free_answer(&got);
        cr_assert_eq(ask(&b, c, &got, &err), TIDE_OK);
        must_equal(&got, &want, "and goes on");
        free_answer(&got);
        b.close(b.self);
    }
    free_answer(&want);
}

Test(cuda, a_device_that_refuses_is_left_out_unless_it_was_asked_for) {
    emulated_machine machine = gpus(2);
    machine.device[0].refuses = 1;
    tide_backend b = open_gpus(&machine, (tide_backend_options){0});
    cr_assert_str_eq(b.name, "cuda Emulated x1");
    cr_assert_not_null(strstr(b.note(b.self), "driver is too old"));
    b.close(b.self);
    tide_backend_options options = {.kind = TIDE_BACKEND_CUDA, .devices = "0,1"};
    tide_error err = {0};
    cr_assert_eq(tide_backend_open_with(&options, emulated_driver(&machine), &b, NULL, 0, &err), TIDE_DEVICE);
    cr_assert_not_null(strstr(err.message, "emulated driver is too old"), "%s", err.message);
}

Test(cuda, device_lists_are_checked) {
    emulated_machine machine = gpus(2);
    static const char *bad[] = {"a", "0,", ",0", "0,,1", "-1", "0 1", "1,1", "99999999999999999999", "0x1"};
    tide_backend b;
    tide_error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        tide_backend_options options = {.kind = TIDE_BACKEND_AUTO, .devices = bad[i]};
        cr_assert_eq(tide_backend_open_with(&options, emulated_driver(&machine), &b, NULL, 0, &err),
                     TIDE_CONFIG, "%s", bad[i]);
    }
    tide_backend_options options = {.kind = TIDE_BACKEND_CUDA, .devices = "0,2"};
    cr_assert_eq(tide_backend_open_with(&options, emulated_driver(&machine), &b, NULL, 0, &err), TIDE_DEVICE);
    cr_assert_not_null(strstr(err.message, "device 2"), "%s", err.message);
}
