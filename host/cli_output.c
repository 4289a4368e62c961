/* cli_output.c - forecasts as CSV or JSON on standard output or in a file.
 *
 *   CSV   unique_id,ds,mean,lo-80,hi-80,lo-95,hi-95      a row a step; empty where there is no forecast
 *   JSON  [{"unique_id": "A", "ds": [...], "mean": [...], "lo-80": [...], ...}, ...]      a line a series;
 * null there
 *
 * Ids keep their bytes in CSV, quoted where it asks for it. In JSON, bytes that are not UTF-8 become lone
 * surrogates \udc80 to \udcff, which Python's surrogateescape turns back into the bytes. Times: integers as
 * they are, others ISO 8601. */
#include "host/cli.h"
#include "host/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 1 << 16 };

static tide_status fail_write(const tide_cli_output *out, tide_error *err) {
    return tide_fail(err, TIDE_DISK, "%s: %s", out->name, strerror(errno));
}

void tide_cli_put_number(FILE *f, double v, int json) {
    char text[TIDE_REAL_TEXT];
    if (!isfinite(v)) {
        if (json)
            fputs("null", f);
        return;
    }
    fwrite(text, 1, tide_format_real(v, text), f);
}

void tide_cli_put_csv(FILE *f, const char *s, size_t n) {
    int quote = n == 0 || s[0] == ' ' || s[n - 1] == ' ';
    for (size_t i = 0; i < n && !quote; ++i)
        quote = s[i] == ',' || s[i] == '"' || s[i] == '\n' || s[i] == '\r';
    if (!quote) {
        fwrite(s, 1, n, f);
        return;
    }
    putc('"', f);
    for (size_t i = 0; i < n; ++i) {
        if (s[i] == '"')
            putc('"', f);
        putc(s[i], f);
    }
    putc('"', f);
}

tide_status tide_cli_output_describe(tide_cli_output *out, const tide_config *cfg, tide_freq freq,
                                     tide_ds_kind kind, tide_error *err) {
    memset(out, 0, sizeof *out);
    out->json = cfg->predict.format && strcmp(cfg->predict.format, "json") == 0;
    out->freq = freq;
    out->ds_kind = kind;
    out->n_levels = cfg->predict.spec.n_levels;
    memcpy(out->level, cfg->predict.spec.level, sizeof out->level);
    out->horizon = cfg->predict.spec.horizon;
    out->from_ds = INT64_MIN;
    out->to_ds = INT64_MAX;
    TIDE_TRY(tide_config_bound("predict.from (--from)", cfg->predict.from, 0, kind, &out->from_ds, err));
    return tide_config_bound("predict.to (--to)", cfg->predict.to, 1, kind, &out->to_ds, err);
}

tide_status tide_cli_output_open(tide_cli_output *out, const char *path, const tide_config *cfg,
                                 tide_freq freq, tide_ds_kind kind, tide_error *err) {
    int to_stdout = !path || strcmp(path, "-") == 0;
    TIDE_TRY(tide_cli_output_describe(out, cfg, freq, kind, err));
    out->name = to_stdout ? "standard output" : path;
    out->f = to_stdout ? stdout : fopen(path, "wb");
    if (!out->f)
        return fail_write(out, err);
    out->buffer = (char *)malloc(BUFFER_BYTES);
    if (out->buffer)
        setvbuf(out->f, out->buffer, _IOFBF, BUFFER_BYTES);
    if (out->json) {
        fputs("[", out->f);
    } else {
        fputs("unique_id,ds,mean", out->f);
        for (int i = 0; i < out->n_levels; ++i)
            fprintf(out->f, ",lo-%.10g,hi-%.10g", out->level[i] * 100.0, out->level[i] * 100.0);
        fputs("\n", out->f);
    }
    return TIDE_OK;
}

/* Steps after last_ds, at most `most`, whose time is not past `ds`: the grid rises, so bisect. */
static int64_t steps_until(const tide_grid *grid, int64_t ds, int64_t most) {
    int64_t low = 0, high = most;
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        if (tide_grid_at(grid, middle) <= ds)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

int tide_cli_output_range(const tide_cli_output *out, int64_t last_ds, int end_of_month, int64_t *first,
                          int64_t *last) {
    const int64_t most = 1000000; /* the longest horizon */
    tide_grid grid = tide_grid_start(out->freq, out->ds_kind, last_ds, end_of_month);
    *first = out->from_ds == INT64_MIN ? 1 : steps_until(&grid, out->from_ds - 1, most) + 1;
    *last = out->to_ds == INT64_MAX ? out->horizon : steps_until(&grid, out->to_ds, most);
    return *first <= *last;
}

static void put_ds(const tide_cli_output *out, FILE *f, const tide_cli_forecast_rows *r, const tide_grid *grid,
                   int64_t step) {
    char text[48];
    if (!r->has_ds) {
        if (out->json)
            fputs("null", f);
        return;
    }
    size_t n = tide_ds_format(out->ds_kind, tide_grid_at(grid, step), text, sizeof text);
    int quote = out->json && out->ds_kind != TIDE_DS_INTEGER;
    if (quote)
        putc('"', f);
    fwrite(text, 1, n, f);
    if (quote)
        putc('"', f);
}

static void put_array(FILE *f, const char *prefix, double level, const tide_cli_forecast_rows *r, const double *v) {
    if (level > 0.0)
        fprintf(f, ", \"%s-%.10g\": [", prefix, level * 100.0);
    else
        fprintf(f, ", \"%s\": [", prefix);
    for (int64_t h = r->first; h <= r->last; ++h) {
        if (h > r->first)
            fputs(", ", f);
        tide_cli_put_number(f, v[(size_t)(h - 1) * r->stride], 1);
    }
    putc(']', f);
}

static void put_json_series(const tide_cli_output *out, FILE *f, int first, const tide_cli_forecast_rows *r,
                            const tide_grid *grid) {
    size_t step = (size_t)r->horizon * r->stride;
    fputs(first ? "\n{\"unique_id\": " : ",\n{\"unique_id\": ", f);
    tide_put_json(f, r->id, r->id_length);
    fputs(", \"ds\": [", f);
    for (int64_t h = r->first; h <= r->last; ++h) {
        if (h > r->first)
            fputs(", ", f);
        put_ds(out, f, r, grid, h);
    }
    putc(']', f);
    put_array(f, "mean", 0.0, r, r->mean);
    for (int i = 0; i < out->n_levels; ++i) {
        put_array(f, "lo", out->level[i], r, r->lo + (size_t)i * step);
        put_array(f, "hi", out->level[i], r, r->hi + (size_t)i * step);
    }
    putc('}', f);
}

static void put_csv_series(const tide_cli_output *out, FILE *f, const tide_cli_forecast_rows *r,
                           const tide_grid *grid) {
    for (int64_t h = r->first; h <= r->last; ++h) {
        tide_cli_put_csv(f, r->id, r->id_length);
        putc(',', f);
        put_ds(out, f, r, grid, h);
        putc(',', f);
        tide_cli_put_number(f, r->mean[(size_t)(h - 1) * r->stride], 0);
        for (int i = 0; i < out->n_levels; ++i) {
            size_t at = ((size_t)i * (size_t)r->horizon + (size_t)(h - 1)) * r->stride;
            putc(',', f);
            tide_cli_put_number(f, r->lo[at], 0);
            putc(',', f);
            tide_cli_put_number(f, r->hi[at], 0);
        }
        putc('\n', f);
    }
}

static void put_series(const tide_cli_output *out, FILE *f, int first, const tide_cli_forecast_rows *rows) {
    tide_grid grid = tide_grid_start(out->freq, out->ds_kind, rows->last_ds, rows->end_of_month);
    if (out->json)
        put_json_series(out, f, first, rows, &grid);
    else
        put_csv_series(out, f, rows, &grid);
}

void tide_cli_output_text(const tide_cli_output *out, FILE *f, const tide_cli_forecast_rows *rows) {
    put_series(out, f, 0, rows);
}

/* In JSON a series begins with the comma after the one before it. */
tide_status tide_cli_output_bytes(tide_cli_output *out, const char *bytes, size_t n, tide_error *err) {
    size_t skip = out->json && !out->any && n ? 1 : 0;
    fwrite(bytes + skip, 1, n - skip, out->f);
    out->any |= n > 0;
    return ferror(out->f) ? fail_write(out, err) : TIDE_OK;
}

tide_status tide_cli_output_rows(tide_cli_output *out, const tide_cli_forecast_rows *rows, tide_error *err) {
    put_series(out, out->f, !out->any, rows);
    out->any = 1;
    return ferror(out->f) ? fail_write(out, err) : TIDE_OK;
}

tide_status tide_cli_output_close(tide_cli_output *out, int finished, tide_error *err) {
    tide_status status = TIDE_OK;
    if (!out->f)
        return TIDE_OK;
    if (finished && out->json)
        fputs(out->any ? "\n]\n" : "]\n", out->f);
    errno = 0;
    int bad = fflush(out->f) != 0 || ferror(out->f);
    if (bad && finished)
        status = fail_write(out, err);
    if (out->f != stdout && fclose(out->f) != 0 && finished && !status)
        status = fail_write(out, err);
    if (out->f == stdout)
        setvbuf(stdout, NULL, _IONBF, 0); /* the buffer goes */
    free(out->buffer);
    memset(out, 0, sizeof *out);
    return status;
}
