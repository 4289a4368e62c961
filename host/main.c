/* main.c - the command line: finds the subcommand, keeps the signal flag, turns a tide_status into the exit
 * code.
 *
 * It is compiled twice. `tidemill` (TIDE_FRONT) knows predict and inspect and links the predictor alone, so that a
 * forecast from the shell is there in a few milliseconds: loading libhdf5, libpq and the forty libraries behind them
 * takes longer than a forecast. For every other word, and for forecasts into a database, it becomes `tidemill-engine`,
 * which knows them all.
 *
 * Of the process' globals only the signal flags are here; everything else is local to a run. After a failed
 * write nothing of libhdf5 may run (1.10.8 crashes in its exit handler after a full disk), so then the
 * process leaves by _exit. */
#include "host/cli.h"
#include "host/tidemill.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stop_signal, stop_noticed;

static void on_signal(int number) {
    stop_signal = number;
    alarm(1);
}

/* A second later nobody has asked: the main thread itself waits, for a first row or for a connection. */
static void on_alarm(int number) {
    (void)number;
    if (!stop_noticed)
        tide_cli_stuck(NULL);
}

/* A page of a mapped store that is no longer in the file: the store was cut short while it was read. Whatever else
 * raises the signal is a fault of the program and ends it as such. */
static void on_bus_error(int number, siginfo_t *info, void *context) {
    static const char text[] = "tidemill: a model store was cut short while it was being read (SIGBUS)\n";
    (void)context;
    if (info->si_code != BUS_ADRERR) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(TIDE_STORE);
    _exit(TIDE_STORE);
}

int tide_cli_stopped(void *unused) {
    static time_t since; /* of the watching thread alone */
    struct timespec now;
    (void)unused;
    if (!stop_signal)
        return 0;
    stop_noticed = 1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!since)
        since = now.tv_sec;
    if (now.tv_sec - since >= 10)
        tide_cli_stuck(NULL);
    return 1;
}

void tide_cli_stuck(void *unused) {
    static const char text[] = "tidemill: stopped by a signal while a stage was waiting\n";
    (void)unused;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(TIDE_INTERRUPTED);
    _exit(TIDE_INTERRUPTED);
}

#if defined(TIDE_FRONT)
static const tide_cli_command *const commands[] = {&tide_cli_predict, &tide_cli_inspect};
#else
static const tide_cli_command *const commands[] = {&tide_cli_load,     &tide_cli_fit,     &tide_cli_predict,
                                                   &tide_cli_forecast, &tide_cli_evaluate, &tide_cli_update, &tide_cli_inspect, &tide_cli_runs,
                                                   &tide_cli_history,  &tide_cli_simulate,
                                                   &tide_cli_bench};
#endif
enum { COMMANDS = sizeof commands / sizeof commands[0] };

#if defined(TIDE_FRONT)
/* Beside this program (a build folder), or where `cmake --install` puts it. */
tide_status tide_cli_become_engine(char **argv, tide_error *err) {
    static const char *const places[] = {"tidemill-engine", "../libexec/tidemill/tidemill-engine"};
    char self[4096], path[sizeof self + 64];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return tide_fail(err, TIDE_INTERNAL, "cannot find this program's own path: %s", strerror(errno));
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; ++i) {
        snprintf(path, sizeof path, "%s/%s", self, places[i]);
        execv(path, argv);
        if (errno != ENOENT)
            return tide_fail(err, TIDE_INTERNAL, "cannot run %s: %s", path, strerror(errno));
    }
    return tide_fail(err, TIDE_INTERNAL, "tidemill-engine is missing: neither in %s nor in %s/../libexec/tidemill", self, self);
}

/* predict into a database: libpq is the engine's. */
static int wants_database(int argc, char **argv) {
    for (int i = 2; i < argc; ++i) {
        const char *value = NULL;
        if (strncmp(argv[i], "--output=", 9) == 0)
            value = argv[i] + 9;
        else if (strcmp(argv[i], "--output") == 0 && i + 1 < argc)
            value = argv[++i];
        if (value && strstr(value, "://"))
            return 1;
    }
    return 0;
}
#else


static void print_help(void) {
    printf("tidemill %s - forecasts for millions of series: fit, store, predict\n\n"
           "usage: tidemill COMMAND [ARGUMENT] [options]\n\ncommands\n",
           tide_version());
    for (int i = 0; i < COMMANDS; ++i)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    printf("\n  tidemill COMMAND --help     options and examples\n"
           "  tidemill --version          version, commit, compiler, CUDA\n"
           "  tidemill --schema           JSON schema of the configuration file\n"
           "  tidemill --defaults         a configuration file with every default\n\n"
           "Output goes to stdout, messages go to stderr.\n\nexit codes\n");
#define X(NAME, code, text) printf("  %2d  %s\n", code, text);
    TIDE_STATUS_LIST(X)
#undef X
}

static tide_status print_owned(char *text, tide_error *err) {
    if (!text)
        return tide_fail(err, TIDE_MEMORY, "out of memory");
    fputs(text, stdout);
    free(text);
    return TIDE_OK;
}

static tide_status print_defaults(tide_error *err) {
    tide_config cfg;
    tide_config_init(&cfg);
    char *text = tide_config_dump(&cfg);
    tide_config_free(&cfg);
    return print_owned(text, err);
}
#endif

/* *who: the subcommand's name, once it is known. */
static tide_status dispatch(int argc, char **argv, const char **who, tide_error *err) {
    const char *word = argc > 1 ? argv[1] : "";
#if !defined(TIDE_FRONT)
    if (argc < 2)
        return tide_fail(err, TIDE_USAGE, "which command? (tidemill --help)");
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help();
        return TIDE_OK;
    }
    if (strcmp(word, "--version") == 0) {
        printf("tidemill %s\n", tide_build_info());
        return TIDE_OK;
    }
    if (strcmp(word, "--schema") == 0)
        return print_owned(tide_config_schema(), err);
    if (strcmp(word, "--defaults") == 0)
        return print_defaults(err);
#endif
#if defined(TIDE_FRONT)
    if (wants_database(argc, argv))
        return tide_cli_become_engine(argv, err);
#endif
    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; ++i) {
        names[i] = commands[i]->name;
        if (strcmp(word, names[i]) != 0)
            continue;
        *who = names[i];
        return commands[i]->run(commands[i], argc - 2, argv + 2, err);
    }
#if defined(TIDE_FRONT)
    return tide_cli_become_engine(argv, err);
#else
    const char *near = tide_cli_nearest(word, names, COMMANDS);
    return tide_fail(err, TIDE_USAGE, "unknown command '%.60s'%s%s%s", word, near ? "; did you mean '" : "",
                     near ? near : "", near ? "'?" : " (tidemill --help)");
#endif
}

int main(int argc, char **argv) {
    struct sigaction action;
    tide_error err = {TIDE_OK, ""};
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = (int)SA_RESETHAND; /* a second Ctrl-C ends at once */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is a failed write too */
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write, with its message */

    const char *who = NULL;
    tide_status status = dispatch(argc, argv, &who, &err);
    if (status)
        fprintf(stderr, "tidemill%s%s: %s\n", who ? " " : "", who ? who : "", err.message);
    int unwritten = fflush(stdout) != 0 || ferror(stdout);
    if (unwritten && !status) {
        fprintf(stderr, "tidemill: standard output cannot be written\n");
        status = TIDE_DISK;
    }
    if (status == TIDE_DISK)
        _exit(status);
    return (int)status;
}
