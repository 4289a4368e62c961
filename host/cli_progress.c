/* cli_progress.c - what a run says on stderr: a bar on a terminal, a line every ten seconds elsewhere, the
 * report. */
#include "host/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void clear_bar(tide_cli_progress *p) {
    if (p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = 0;
}

static void message(void *self, tide_log_level level, const char *text) {
    tide_cli_progress *p = (tide_cli_progress *)self;
    if (p->quiet && level == TIDE_LOG_INFO)
        return;
    clear_bar(p);
    fprintf(stderr, "tidemill: %s%s\n", level == TIDE_LOG_WARNING ? "warning: " : "", text);
}

static void eta_text(double s, char *out, size_t size) {
    if (s < 0.0)
        snprintf(out, size, "?");
    else if (s < 90.0)
        snprintf(out, size, "%.0f s", s);
    else if (s < 5400.0)
        snprintf(out, size, "%.0f min", s / 60.0);
    else
        snprintf(out, size, "%.1f h", s / 3600.0);
}

static void progress(void *self, const tide_progress *now) {
    tide_cli_progress *p = (tide_cli_progress *)self;
    char eta[32];
    if (p->quiet)
        return;
    if (now->finished) {
        clear_bar(p);
        return;
    }
    eta_text(now->eta_s, eta, sizeof eta);
    if (p->terminal) {
        double share =
            now->eta_s >= 0.0 && now->elapsed_s > 0.0 ? now->elapsed_s / (now->elapsed_s + now->eta_s) : 0.0;
        int full = (int)(share * 30.0 + 0.5);
        fprintf(stderr, "\r\033[K[%.*s%*s] %" PRIu64 " series, %.0f/s, %s left", full,
                "##############################", 30 - full, "", now->series, now->rate, eta);
        fflush(stderr);
        p->drawn = 1;
    } else if (now->elapsed_s - p->last_line_s >= 10.0) {
        p->last_line_s = now->elapsed_s;
        fprintf(stderr, "tidemill: %" PRIu64 " series after %.0f s, %.0f/s, %s left\n", now->series,
                now->elapsed_s, now->rate, eta);
    }
}

tide_observer tide_cli_observer(tide_cli_progress *p, int quiet) {
    memset(p, 0, sizeof *p);
    p->quiet = quiet;
    p->terminal = isatty(STDERR_FILENO);
    return (tide_observer){.self = p, .message = message, .progress = progress, .stop = tide_cli_stopped, .stuck = tide_cli_stuck};
}

tide_status tide_cli_finish(const tide_cli_progress *progress, tide_status status, const tide_report *report, int quiet,
                            const char *path, tide_error *err) {
    if (progress->drawn)
        fputs("\n", stderr);
    if (status)
        return status;
    if (!quiet) {
        char *text = tide_report_text(report);
        if (!text)
            return tide_fail(err, TIDE_MEMORY, "out of memory");
        fputs(text, stderr);
        free(text);
    }
    if (path) {
        char *text = tide_report_json(report);
        int to_stdout = strcmp(path, "-") == 0;
        if (!text)
            return tide_fail(err, TIDE_MEMORY, "out of memory");
        FILE *f = to_stdout ? stdout : fopen(path, "wb");
        int bad = !f || fputs(text, f) == EOF;
        if (f)
            bad = (to_stdout ? fflush(f) : fclose(f)) || bad;
        if (bad)
            status = tide_fail(err, TIDE_DISK, "report %.300s: %s", path, strerror(errno));
        free(text);
    }
    return status;
}
