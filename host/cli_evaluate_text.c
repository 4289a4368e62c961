/* cli_evaluate_text.c - an evaluation as a table for people, as lines method,step,metric,value (CSV), or as JSON.
 *
 * Undefined values are "-" in the table, empty in CSV, null in JSON. CSV: the counts have no method; step is empty for the
 * means over all steps. Metrics by step are means over windows, in which one step ahead is a window of its own. */
#include "host/cli.h"
#include "host/cli_evaluate.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static int metrics_of(const tide_evaluation *e, int method) {
    return method == TIDE_METHOD_MODEL ? tide_metric_count(e->options.forecast.n_levels) : TIDE_METRIC_LEVELS;
}

static const char *name_of(const tide_evaluation *e, int metric, char out[64]) {
    return tide_metric_name(metric, e->options.forecast.level, out, 64);
}

/* Metrics that mean something for one step: RMSE and RMSSE would be MAE and MASE again. */
static int is_of_step(int metric) {
    return metric != TIDE_METRIC_RMSE && metric != TIDE_METRIC_RMSSE;
}

/* --- table --------------------------------------------------------------------------------------------------- */

static void put_cell(FILE *f, double v) {
    char text[32] = "-";
    if (isfinite(v))
        snprintf(text, sizeof text, fabs(v) < 1e5 ? "%.4f" : "%.6g", v);
    fprintf(f, " %11s", text);
}

static void put_statuses(FILE *f, const char *what, const uint64_t *counts) {
    int any = 0;
    for (int s = 0; s < TIDE_WINDOW_STATUSES; ++s)
        if (counts[s]) {
            fprintf(f, "%s%s %" PRIu64, any ? ", " : what, tide_window_status_name(s), counts[s]);
            any = 1;
        }
    if (any)
        fputs("\n", f);
}

static void put_head(FILE *f, const tide_evaluation *e) {
    const tide_evaluate_options *o = &e->options;
    char freq[24];
    tide_freq_format(o->freq, freq, sizeof freq);
    fprintf(f, "%" PRIu64 " series, freq %s, season %d; ", e->series, freq, o->forecast.season);
    if (o->store)
        fprintf(f, "stored models against what came since, at most %d steps\n", o->forecast.horizon);
    else
        fprintf(f, "%d origins, %d steps apart, %d steps ahead, fitted anew at each\n", o->origins, o->step,
                o->forecast.horizon);
    put_statuses(f, "series:   ", e->by_status);
    put_statuses(f, "windows:  ", e->windows_by_status);
    for (int i = 0, any = 0; i < TIDE_OUTCOME_COUNT; ++i)
        if (e->by_outcome[i])
            fprintf(f, "%s%s %" PRIu64, any++ ? ", " : "outcomes: ", tide_outcome_name(i), e->by_outcome[i]);
    fprintf(f, "\nvalues:   compared %" PRIu64 ", missing %" PRIu64, e->values, e->missing);
    if (e->unscaled)
        fprintf(f, "; MASE undefined (naive errors are 0 or none) in %" PRIu64 " windows", e->unscaled);
    fputs("\n", f);
    for (int i = 0; i < TIDE_EVALUATE_NAMED && e->named_short[i][0]; ++i)
        fprintf(f, "%s%s", i ? ", " : "too short: ", e->named_short[i]);
    if (e->named_short[0][0])
        fputs(e->by_status[TIDE_WINDOW_SHORT] > TIDE_EVALUATE_NAMED ? ", ...\n" : "\n", f);
}

static void put_table(FILE *f, const tide_evaluation *e) {
    char name[64];
    fprintf(f, "\n%-16s", "");
    for (int method = 0; method < TIDE_METHODS; ++method)
        fprintf(f, " %11s", tide_method_name(method));
    fprintf(f, "\n%-16s", "owa");
    for (int method = 0; method < TIDE_METHODS; ++method)
        put_cell(f, tide_evaluation_owa(e, method));
    for (int m = 0; m < metrics_of(e, TIDE_METHOD_MODEL); ++m) {
        fprintf(f, "\n%-16s", name_of(e, m, name));
        for (int method = 0; method < TIDE_METHODS; ++method)
            if (m < metrics_of(e, method))
                put_cell(f, tide_tally_mean(&e->total[method], m));
    }
    fputs("\n", f);
}

static void put_steps(FILE *f, const tide_evaluation *e) {
    char name[64];
    int n = metrics_of(e, TIDE_METHOD_MODEL);
    fprintf(f, "\n%6s %9s", "step", "values");
    for (int m = 0; m < n; ++m)
        if (is_of_step(m))
            fprintf(f, " %11s", name_of(e, m, name));
    for (int32_t h = 0; h < e->options.forecast.horizon; ++h) {
        fprintf(f, "\n%6d %9" PRIu64, h + 1, e->step_values[h]);
        for (int m = 0; m < n; ++m)
            if (is_of_step(m))
                put_cell(f, tide_tally_mean(&e->by_step[h], m));
    }
    fputs("\n", f);
}

/* --- CSV ----------------------------------------------------------------------------------------------------- */

static void put_line(FILE *f, const char *method, int32_t step, const char *metric, double v) {
    fprintf(f, "%s,", method);
    if (step > 0)
        fprintf(f, "%d", step);
    fprintf(f, ",%s,", metric);
    tide_cli_put_number(f, v, 0);
    fputs("\n", f);
}

static void put_csv(FILE *f, const tide_evaluation *e, int by_step) {
    char name[64];
    fputs("method,step,metric,value\n", f);
    for (int s = 0; s < TIDE_WINDOW_STATUSES; ++s) {
        snprintf(name, sizeof name, "series_%s", tide_window_status_name(s));
        put_line(f, "", 0, name, (double)e->by_status[s]);
    }
    put_line(f, "", 0, "windows", (double)e->windows_by_status[TIDE_WINDOW_SCORED]);
    put_line(f, "", 0, "values", (double)e->values);
    put_line(f, "", 0, "missing", (double)e->missing);
    put_line(f, "", 0, "windows_without_mase", (double)e->unscaled);
    for (int method = 0; method < TIDE_METHODS; ++method) {
        put_line(f, tide_method_name(method), 0, "owa", tide_evaluation_owa(e, method));
        for (int m = 0; m < metrics_of(e, method); ++m)
            put_line(f, tide_method_name(method), 0, name_of(e, m, name), tide_tally_mean(&e->total[method], m));
    }
    for (int32_t h = 0; by_step && h < e->options.forecast.horizon; ++h) {
        put_line(f, "model", h + 1, "values", (double)e->step_values[h]);
        for (int m = 0; m < metrics_of(e, TIDE_METHOD_MODEL); ++m)
            if (is_of_step(m))
                put_line(f, "model", h + 1, name_of(e, m, name), tide_tally_mean(&e->by_step[h], m));
    }
}

/* --- JSON ---------------------------------------------------------------------------------------------------- */

static void put_json_statuses(FILE *f, const char *what, const uint64_t *counts) {
    fprintf(f, " \"%s\": {", what);
    for (int s = 0; s < TIDE_WINDOW_STATUSES; ++s)
        fprintf(f, "%s\"%s\": %" PRIu64, s ? ", " : "", tide_window_status_name(s), counts[s]);
    fputs("},\n", f);
}

static void put_json_metrics(FILE *f, const tide_evaluation *e, const tide_tally *tally, int n, int of_step) {
    char name[64];
    for (int m = 0; m < n; ++m) {
        if (of_step && !is_of_step(m))
            continue;
        fprintf(f, ", \"%s\": ", name_of(e, m, name));
        tide_cli_put_number(f, tide_tally_mean(tally, m), 1);
    }
    fputs("}", f);
}

static void put_json(FILE *f, const tide_evaluation *e, int by_step) {
    const tide_evaluate_options *o = &e->options;
    char freq[24];
    tide_freq_format(o->freq, freq, sizeof freq);
    fprintf(f, "{\"freq\": \"%s\", \"season\": %d, \"lag\": %d, \"horizon\": %d, \"origins\": %d, \"step\": %d, \"of_store\": %s,\n",
            freq, o->forecast.season, o->lag, o->forecast.horizon, o->origins, o->step, o->store ? "true" : "false");
    put_json_statuses(f, "series", e->by_status);
    put_json_statuses(f, "windows", e->windows_by_status);
    fputs(" \"outcomes\": {", f);
    for (int i = 0; i < TIDE_OUTCOME_COUNT; ++i)
        fprintf(f, "%s\"%s\": %" PRIu64, i ? ", " : "", tide_outcome_name(i), e->by_outcome[i]);
    fprintf(f, "},\n \"values\": %" PRIu64 ", \"missing\": %" PRIu64 ", \"windows_without_mase\": %" PRIu64 ",\n", e->values,
            e->missing, e->unscaled);
    for (int method = 0; method < TIDE_METHODS; ++method) {
        fprintf(f, " \"%s\": {\"owa\": ", tide_method_name(method));
        tide_cli_put_number(f, tide_evaluation_owa(e, method), 1);
        put_json_metrics(f, e, &e->total[method], metrics_of(e, method), 0);
        fputs(method + 1 < TIDE_METHODS || by_step ? ",\n" : "\n", f);
    }
    for (int32_t h = 0; by_step && h < o->forecast.horizon; ++h) {
        fprintf(f, "%s  {\"step\": %d, \"values\": %" PRIu64, h ? ",\n" : " \"by_step\": [\n", h + 1, e->step_values[h]);
        put_json_metrics(f, e, &e->by_step[h], metrics_of(e, TIDE_METHOD_MODEL), 1);
    }
    fputs(by_step ? "]\n}\n" : "}\n", f);
}

void tide_evaluation_print(FILE *f, const tide_evaluation *e, tide_evaluate_format format, int by_step) {
    if (format == TIDE_EVALUATE_CSV) {
        put_csv(f, e, by_step);
    } else if (format == TIDE_EVALUATE_JSON) {
        put_json(f, e, by_step);
    } else {
        put_head(f, e);
        put_table(f, e);
        if (by_step)
            put_steps(f, e);
    }
}
