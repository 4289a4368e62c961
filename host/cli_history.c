/* cli_history.c - tidemill history: what a history holds (io/history_format.h) - its header, a series, all rows as CSV. */
#include "host/cli.h"
#include "host/names.h"
#include "host/quote.h"
#include "host/regular.h"
#include "io/history_map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static tide_ds_kind kind_of(const tide_history_header *h) {
    return (tide_ds_kind)h->ds_kind;
}

static tide_status show_header(tide_history_file *f, const char *path, tide_error *err) {
    const tide_history_header *h = tide_history_get_header(f);
    static const char *const kinds[] = {"integers", "dates", "timestamps"};
    static const char *const orders[] = {"as they came", "bytewise", "by number", "bytewise and by number"};
    char freq[24], watermark[48] = "none";
    const char *identity = NULL;
    size_t length = 0;
    TIDE_TRY(tide_history_identity(f, &identity, &length, err));
    tide_freq_format((tide_freq){h->freq_unit, h->freq_multiple}, freq, sizeof freq);
    if (h->has_watermark)
        tide_ds_format(kind_of(h), h->watermark, watermark, sizeof watermark);
    printf("history        %s\n", path);
    printf("generation     %" PRIu64 ", format %u, %" PRIu64 " bytes\n", h->generation, h->version, h->file_bytes);
    printf("created        %s by tidemill %s\n", h->created_utc, h->code_version);
    printf("run            %s\n", h->run_id);
    printf("source         %s\n", h->source);
    printf("grid           freq %s, ds are %s\n", freq, kinds[h->ds_kind]);
    printf("watermark      %s\n", watermark);
    printf("series         %" PRIu64 ", of which %u are shut out; ids %s\n", h->n_series, h->n_shut_out, orders[h->order]);
    printf("values         %" PRIu64 ", %" PRIu64 " gaps, %" PRIu64 " rows without a value\n", h->n_present, h->n_gaps,
           h->n_missing);
    printf("rows mean\n");
    for (const char *end = identity + length; identity < end;) {
        const char *line_end = memchr(identity, '\n', (size_t)(end - identity));
        size_t n = line_end ? (size_t)(line_end - identity) : (size_t)(end - identity);
        const char *equal = memchr(identity, '=', n);
        int key = (int)(equal ? equal - identity : 0);
        if (equal && n > (size_t)key + 3) /* more than "" */
            printf("  %-18.*s %.*s\n", key, identity, (int)(n - (size_t)key - 1 > 200 ? 200 : n - (size_t)key - 1), equal + 1);
        identity += n + 1;
    }
    return TIDE_OK;
}

static tide_status show_series(tide_history_file *f, const tide_history_series *s, tide_error *err) {
    const tide_history_header *h = tide_history_get_header(f);
    char text[256], first[48], last[48];
    size_t values = 0;
    (void)err;
    tide_ds_format(kind_of(h), s->first_ds, first, sizeof first);
    tide_ds_format(kind_of(h), s->last_ds, last, sizeof last);
    for (size_t i = 0; i < s->n; ++i)
        values += s->values[i] == s->values[i];
    printf("series         %s\n", tide_quote(text, sizeof text, s->id, s->id_length));
    printf("outcome        %s: %s%s\n", tide_outcome_name(s->outcome),
           s->outcome == TIDE_OUTCOME_FITTED ? "on its grid" : tide_outcome_text(s->outcome),
           s->flags & TIDE_SEALED ? "; only a full read can heal it" : "");
    if (s->times && s->n == 0)
        printf("data           no rows are kept\n");
    else
        printf("data           %s to %s, %zu %s, %zu values%s\n", first, last, s->n, s->times ? "rows" : "steps", values,
               s->end_of_month ? ", last days of months" : "");
    printf("fingerprint    %016" PRIx64 ", changed in generation %" PRIu64 "\n", s->fingerprint, s->changed);
    return TIDE_OK;
}

/* Its rows: what a source gave, less what the policies took. */
static tide_status csv_series(tide_history_file *f, const tide_history_series *s, tide_error *err) {
    const tide_history_header *h = tide_history_get_header(f);
    tide_grid grid = tide_grid_start((tide_freq){h->freq_unit, h->freq_multiple}, kind_of(h), s->first_ds, s->end_of_month);
    for (size_t i = 0; i < s->n; ++i) {
        uint64_t bits = tide_to_bits(s->values[i]);
        char ds[48];
        if (!s->times && bits == tide_to_bits(TIDE_GAP))
            continue;
        tide_ds_format(kind_of(h), s->times ? s->times[i] : tide_grid_at(&grid, (int64_t)i), ds, sizeof ds);
        tide_cli_put_csv(stdout, s->id, s->id_length);
        printf(",%s,", ds);
        if (bits == tide_to_bits(TIDE_WAS_INFINITE) || bits == tide_to_bits(TIDE_WAS_MINUS_INFINITE))
            fputs(bits >> 63 ? "-inf" : "inf", stdout);
        else
            tide_cli_put_number(stdout, s->values[i], 0);
        fputs("\n", stdout);
    }
    return ferror(stdout) ? tide_fail(err, TIDE_DISK, "standard output: %s", strerror(errno)) : TIDE_OK;
}

typedef tide_status show_fn(tide_history_file *f, const tide_history_series *s, tide_error *err);

static tide_status show_all(tide_history_file *f, show_fn *show, tide_error *err) {
    tide_history_series s;
    for (uint64_t i = 0; i < tide_history_get_header(f)->n_series; ++i) {
        TIDE_TRY(tide_history_get(f, i, &s, err));
        TIDE_TRY(show(f, &s, err));
        tide_history_forget_before(f, i);
        if (tide_cli_stopped(NULL))
            return tide_fail(err, TIDE_INTERRUPTED, "stopped by a signal");
    }
    return TIDE_OK;
}

/* The ids asked for, in the order of the file; one pass, as a history has no index. */
static tide_status show_ids(tide_history_file *f, const tide_cli_list *ids, show_fn *show, tide_error *err) {
    uint8_t *found = calloc(ids->n, 1);
    size_t missing = 0;
    tide_status status = found ? TIDE_OK : tide_fail(err, TIDE_MEMORY, "out of memory");
    for (uint64_t i = 0; !status && i < tide_history_get_header(f)->n_series; ++i) {
        const char *id = NULL;
        size_t length = 0, k = 0;
        tide_history_series s;
        status = tide_history_get_id(f, i, &id, &length, err);
        while (!status && k < ids->n && (strlen(ids->item[k]) != length || memcmp(ids->item[k], id, length) != 0))
            ++k;
        if (status || k == ids->n)
            continue;
        found[k] = 1;
        status = tide_history_get(f, i, &s, err);
        if (!status)
            status = show(f, &s, err);
    }
    for (size_t k = 0; !status && k < ids->n; ++k) {
        char text[96];
        if (found[k])
            continue;
        ++missing;
        fprintf(stderr, "tidemill history: no id '%s' in the history\n",
                tide_quote(text, sizeof text, ids->item[k], strlen(ids->item[k])));
    }
    free(found);
    if (!status && missing)
        return tide_fail(err, TIDE_NOT_FOUND, "%zu of the ids asked for not in the history", missing);
    return status;
}

static tide_status run(const tide_cli_command *self, int argc, char **argv, tide_error *err) {
    tide_cli_list ids = {NULL, 0};
    const char *format = "text";
    int verify = 0, csv = 0;
    const tide_cli_flag own[] = {
        {"id", TIDE_CLI_LIST, &ids, "ID", "show this series; may be given several times"},
        {"format", TIDE_CLI_TEXT, &format, "NAME", "text, or csv: a line a row, unique_id,ds,y [text]"},
        {"verify", TIDE_CLI_SWITCH, &verify, NULL, "check every byte of the file against its checksums"},
        {NULL, TIDE_CLI_SWITCH, NULL, NULL, NULL}};
    tide_cli_args args;
    tide_history_file *f = NULL;
    tide_status status = tide_cli_parse(self, own, argc, argv, &args, err);
    if (status || args.helped)
        goto done;
    if (!args.argument)
        status = tide_fail(err, TIDE_USAGE, "which FILE? (see --help)");
    else
        status = tide_cli_choose("format", format, "text, csv", &csv, err);
    if (!status)
        status = tide_history_map(args.argument, &f, err);
    if (status == TIDE_NOT_FOUND)
        status = TIDE_DISK; /* the code of a file that is not there; 11 is for ids */
    if (!status && verify)
        status = tide_history_verify(f, err);
    if (status)
        goto done;
    if (csv)
        fputs("unique_id,ds,y\n", stdout);
    if (ids.n)
        status = show_ids(f, &ids, csv ? csv_series : show_series, err);
    else if (csv)
        status = show_all(f, csv_series, err);
    else
        status = show_header(f, args.argument, err);
    if (!status && verify)
        fprintf(stderr, "tidemill history: every block of %s is intact\n", args.argument);
done:
    tide_history_unmap(f);
    tide_cli_args_free(&args, own);
    return status;
}

const tide_cli_command tide_cli_history = {
    .name = "history",
    .bit = 0, /* no key of the configuration */
    .argument = "FILE",
    .usage = "FILE [--id ID ...] [--format text|csv] [--verify]",
    .summary = "shows what the history of a fit holds, one series, or all rows as CSV",
    .text = "FILE is what tidemill fit --history FILE keeps: all series, up to its watermark. Without --id: where the rows "
            "come\n"
            "from and what they mean, counts, watermark, run. CSV has a line a row, as a source would give it; a missing "
            "value is\n"
            "empty, a step without a row has no line.\n",
    .examples = "  tidemill history sales.history\n"
                "  tidemill history sales.history --id A17\n"
                "  tidemill history sales.history --format csv | gzip > all.csv.gz\n"
                "  tidemill history sales.history --verify\n",
    .run = run};
