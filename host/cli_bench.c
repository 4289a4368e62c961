/* cli_bench.c - tidemill bench: series fitted a second, by period and length, on this machine's backend.
 *
 * Simulated series go through the whole pipeline (reading, grid, plan, fit) into a sink that throws the
 * models away; the rate is by the seconds that the fit stage was busy, so the generator does not count.
 * Median of the rounds. The benchmarks against peers and limits are in bench/. */
#include "host/cli.h"
#include "host/queue.h"
#include "host/run.h"
#include "host/simulate.h"
#include "host/tidemill.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

typedef struct bench_case {
    const char *freq;
    int32_t season, length;
} bench_case;

static const bench_case cases[] = {{"Y", 1, 40},   {"Q", 4, 60},   {"M", 12, 60},
                                   {"M", 12, 120}, {"W", 52, 156}, {"D", 7, 365}};
enum { CASES = sizeof cases / sizeof cases[0], ROUNDS_MAX = 101 };

static tide_status drop(void *self, const tide_panel *panel, const tide_results *results, tide_error *err) {
    (void)self, (void)panel, (void)results, (void)err;
    return TIDE_OK;
}

static tide_status finish(void *self, tide_error *err) {
    (void)self, (void)err;
    return TIDE_OK;
}

/* One round; *busy_s: of the fit stage. */
static tide_status one_round(const tide_config *cfg, const bench_case *c, uint64_t series,
                             tide_backend *backend, tide_report *report, tide_error *err) {
    tide_simulate_options o;
    tide_source source;
    tide_simulate_options_init(&o);
    o.n_series = series;
    o.freq = cfg->intake.freq;
    o.intermittent_share = o.late_share = o.end_share = o.gap_share = o.missing_share =
        0.0; /* all of one length */
    o.from = 0;
    o.to = tide_grid_add(o.freq, TIDE_DS_DATE, o.from, c->length - 1, 0);
    TIDE_TRY(tide_simulate_open(&o, &source, err));
    tide_sink sink = {.name = "nothing", .write = drop, .finish = finish};
    tide_observer stop = {.stop = tide_cli_stopped};
    const tide_run_parts parts = {
        .cfg = cfg, .backend = backend, .source = &source, .sink = &sink, .observer = &stop};
    tide_status status = tide_run(&parts, report, err);
    source.close(source.self);
    return status;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static tide_status one_case(tide_config *cfg, const bench_case *c, uint64_t series, uint64_t rounds,
                            tide_backend *backend, tide_report *report, tide_error *err) {
    double busy[ROUNDS_MAX];
    TIDE_TRY(tide_config_set(cfg, "freq", c->freq, err));
    cfg->season = c->season;
    TIDE_TRY(tide_config_check(cfg, err));
    for (uint64_t r = 0; r < rounds; ++r) {
        TIDE_TRY(one_round(cfg, c, series, backend, report, err));
        busy[r] = report->fit.busy_s;
    }
    qsort(busy, rounds, sizeof busy[0], by_value);
    double median = busy[rounds / 2];
    printf("%s,%d,%d,%llu,%.4f,%.1f,%.1f\n", c->freq, c->season, c->length, (unsigned long long)series,
           median, median > 0.0 ? (double)series / median : 0.0, (double)report->peak_bytes / 1048576.0);
    fflush(stdout);
    return TIDE_OK;
}

static tide_status run(const tide_cli_command *self, int argc, char **argv, tide_error *err) {
    uint64_t series = 4096, rounds = 3;
    int32_t only = 0;
    const tide_cli_flag own[] = {
        {"series", TIDE_CLI_U64, &series, "N", "series a case [4096]"},
        {"rounds", TIDE_CLI_U64, &rounds, "N", "rounds a case, of which the median is shown [3]"},
        {NULL, TIDE_CLI_SWITCH, NULL, NULL, NULL}};
    tide_cli_args args;
    tide_backend backend;
    char note[256] = "";
    struct utsname machine;
    memset(&backend, 0, sizeof backend);
    tide_report *report = (tide_report *)calloc(1, sizeof *report);
    tide_status status = tide_cli_parse(self, own, argc, argv, &args, err);
    if (status || args.helped)
        goto done;
    if (!report)
        status = tide_fail(err, TIDE_MEMORY, "out of memory");
    if (!status && (!series || !rounds || rounds > ROUNDS_MAX))
        status =
            tide_fail(err, TIDE_USAGE, "--series must be above 0 and --rounds from 1 to %d", (int)ROUNDS_MAX);
    only = args.cfg.season;
    if (!status)
        status = tide_backend_open(&args.cfg.backend, &backend, note, sizeof note, err);
    if (status)
        goto done;
    uname(&machine);
    fprintf(stderr, "%s %s %s; tidemill %s; %s%s%s\n", machine.sysname, machine.release, machine.machine,
            tide_build_info(), backend.name, *note ? "; " : "", note);
    printf("freq,season,length,series,fit_s,series_per_s,peak_mib\n");
    for (int i = 0; i < CASES && !status; ++i) {
        args.cfg.season = 0;
        if (!only || cases[i].season == only)
            status = one_case(&args.cfg, &cases[i], series, rounds, &backend, report, err);
    }
done:
    if (backend.close)
        backend.close(backend.self);
    free(report);
    tide_cli_args_free(&args, own);
    return status;
}

const tide_cli_command tide_cli_bench = {
    .name = "bench",
    .bit = TIDE_CMD_BENCH,
    .argument = NULL,
    .usage = "[options]",
    .summary = "series fitted a second on this machine, by period and length",
    .text = "Simulated series through the whole pipeline; the rate goes by the seconds of the fit alone. CSV "
            "on stdout, the\n"
            "machine and the build on stderr. --season shows only the cases of that period.\n",
    .examples = "  tidemill bench\n"
                "  tidemill bench --season 12 --backend cpu --jobs 1 --isa avx2\n",
    .run = run};
