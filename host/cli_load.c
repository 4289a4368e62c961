/* cli_load.c - tidemill load: rows of any source into a Postgres table, repeatably. */
#include "host/cli.h"
#include "host/queue.h"
#include "host/text.h"
#include "io/open.h"
#include "io/postgres.h"
#include "io/postgres_merge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct screen { /* what is said on stderr */
    int quiet, terminal, drawn;
    double start, last;
    char stage[32];
} screen;

static void clear(screen *s) {
    if (s->drawn)
        fputs("\r\033[K", stderr);
    s->drawn = 0;
}

static void say(void *self, const char *text) {
    clear((screen *)self);
    fprintf(stderr, "tidemill load: %s\n", text);
}

/* A bar on a terminal, else a line every ten seconds and a stage. */
static void show(void *self, const tide_load_progress *p) {
    screen *s = (screen *)self;
    double now = tide_now_s(), share = p->total ? (double)p->done / (double)p->total : 0.0;
    int reading = strcmp(p->stage, "reading") == 0, moved = strcmp(p->stage, s->stage) != 0;
    if (s->quiet || (!moved && now - s->last < (s->terminal ? 0.2 : 10.0)))
        return;
    double rate = now > s->start ? (double)p->rows / (now - s->start) : 0.0;
    if (s->terminal) {
        int full = share > 0.0 && share <= 1.0 ? (int)(share * 30.0 + 0.5) : 0;
        fprintf(stderr, "\r\033[K[%.*s%*s] %" PRIu64 " rows, ", full, "##############################", 30 - full, "",
                p->rows);
        if (reading)
            fprintf(stderr, "%.0f/s", rate);
        else
            fprintf(stderr, "%s", p->stage);
        fflush(stderr);
        s->drawn = 1;
    } else if (!reading) {
        fprintf(stderr, "tidemill load: %" PRIu64 " rows read, %s\n", p->rows, p->stage);
    } else if (now - s->last >= 10.0 && s->last > 0.0) {
        fprintf(stderr, "tidemill load: %" PRIu64 " rows after %.0f s, %.0f/s\n", p->rows, now - s->start, rate);
    }
    s->last = now;
    snprintf(s->stage, sizeof s->stage, "%s", p->stage);
}

static void print_report(const tide_load_report *r, const tide_load_options *o, const char *source, double seconds) {
    fprintf(stderr, "%" PRIu64 " rows read from %s in %.2f s, table %s%s\n", r->read, source, seconds, o->table,
            r->created ? " (made)" : "");
    fprintf(stderr, "inserted %" PRIu64 ", corrected %" PRIu64 ", unchanged %" PRIu64 "%s", r->inserted, r->corrected,
            r->unchanged, r->unchanged && !o->corrections ? " (not compared; --corrections updates those that differ)" : "");
    if (r->duplicates)
        fprintf(stderr, ", duplicates left out %" PRIu64, r->duplicates);
    fprintf(stderr, ", out of range %" PRIu64 ", refused %" PRIu64 "\n", r->out_of_range, r->refused);
    fprintf(stderr, "reading and sending %.2f s, merging %.2f s, index and commit %.2f s%s\n", r->read_s, r->merge_s,
            r->index_s, r->direct ? "; into a new or empty table, directly" : "");
}

static tide_status write_json(const tide_load_report *r, const tide_load_options *o, const char *source, double seconds,
                              const char *path, tide_error *err) {
    int to_stdout = strcmp(path, "-") == 0;
    FILE *f = to_stdout ? stdout : fopen(path, "wb");
    if (!f)
        return tide_fail(err, TIDE_DISK, "report %.300s: %s", path, strerror(errno));
    fputs("{\"source\": ", f);
    tide_put_json(f, source, strlen(source));
    fputs(", \"table\": ", f);
    tide_put_json(f, o->table, strlen(o->table));
    fprintf(f,
            ",\n \"read\": %" PRIu64 ", \"inserted\": %" PRIu64 ", \"corrected\": %" PRIu64 ", \"unchanged\": %" PRIu64
            ",\n \"duplicates\": %" PRIu64 ", \"out_of_range\": %" PRIu64 ", \"refused\": %" PRIu64
            ",\n \"created\": %s, \"indexed\": %s, \"direct\": %s, \"corrections\": %s"
            ",\n \"read_s\": %.4f, \"merge_s\": %.4f, \"index_s\": %.4f, \"seconds\": %.4f}\n",
            r->read, r->inserted, r->corrected, r->unchanged, r->duplicates, r->out_of_range, r->refused,
            r->created ? "true" : "false", r->indexed ? "true" : "false", r->direct ? "true" : "false",
            o->corrections ? "true" : "false", r->read_s, r->merge_s, r->index_s, seconds);
    int bad = ferror(f) || (to_stdout ? fflush(f) : fclose(f));
    return bad ? tide_fail(err, TIDE_DISK, "report %.300s: %s", path, strerror(errno)) : TIDE_OK;
}

typedef struct wishes { /* flags of load's own */
    const char *output, *source_table, *source_query, *freq, *duplicates, *bad_rows, *report;
    uint64_t lock_timeout;
    int quiet;
    tide_load_options load;
} wishes;

static tide_status check(tide_cli_args *args, wishes *w, tide_error *err) {
    tide_config *cfg = &args->cfg;
    TIDE_TRY(tide_cli_take_source(args, err));
    if (!w->output || !tide_postgres_is_url(w->output))
        return tide_fail(err, TIDE_USAGE, "--output postgresql://... is needed");
    if (!w->load.table)
        return tide_fail(err, TIDE_USAGE, "--table TABLE is needed");
    if ((w->source_table || w->source_query) && !tide_postgres_is_url(cfg->source.path))
        return tide_fail(err, TIDE_USAGE, "--source-table and --source-query are for a SOURCE postgresql://...");
    if (w->source_table)
        TIDE_TRY(tide_config_set(cfg, "source.table", w->source_table, err));
    if (w->source_query)
        TIDE_TRY(tide_config_set(cfg, "source.query", w->source_query, err));
    if (tide_postgres_is_url(cfg->source.path) && !cfg->source.table == !cfg->source.query)
        return tide_fail(err, TIDE_USAGE, "give one of --source-table and --source-query");
    if (w->freq)
        TIDE_TRY(tide_config_set(cfg, "freq", w->freq, err));
    int duplicates = TIDE_LOAD_DUPLICATES_ERROR;
    if (w->duplicates)
        TIDE_TRY(tide_cli_choose("on-duplicate", w->duplicates, "error, first, last", &duplicates, err));
    w->load.duplicates = (tide_load_duplicates)duplicates;
    if (w->bad_rows)
        TIDE_TRY(tide_cli_choose("on-bad-row", w->bad_rows, "error, skip", &w->load.skip_bad_rows, err));
    if (w->lock_timeout > 604800)
        return tide_fail(err, TIDE_USAGE, "--lock-timeout: at most 604800 seconds");
    w->load.url = w->output;
    w->load.from = cfg->source.from;
    w->load.to = cfg->source.to;
    w->load.connect_timeout_s = cfg->source.connect_timeout_s;
    w->load.statement_timeout_s = cfg->source.statement_timeout_s;
    w->load.lock_timeout_s = (int)w->lock_timeout;
    return TIDE_OK;
}

static tide_status run(const tide_cli_command *self, int argc, char **argv, tide_error *err) {
    wishes w;
    memset(&w, 0, sizeof w);
    const tide_cli_flag own[] = {
        {"output", TIDE_CLI_TEXT, &w.output, "URL", "the database to write to, postgresql://user@host/db"},
        {"table", TIDE_CLI_TEXT, &w.load.table, "TABLE", "the [schema.]table to write to"},
        {"create", TIDE_CLI_SWITCH, &w.load.create, NULL,
         "make the table where it is missing: id text, ds by the source, y double precision"},
        {"index", TIDE_CLI_SWITCH, &w.load.index, NULL,
         "a unique index on (id, ds), unless there is an index that begins with them"},
        {"corrections", TIDE_CLI_SWITCH, &w.load.corrections, NULL,
         "rows that the table has get the new value where it differs; without, they are left alone"},
        {"on-duplicate", TIDE_CLI_TEXT, &w.duplicates, "POLICY",
         "rows of one id and time in the source: error, first or last [error]"},
        {"on-bad-row", TIDE_CLI_TEXT, &w.bad_rows, "POLICY",
         "rows that cannot be read: error, or skip, which counts them and names the first [error]"},
        {"table-id-column", TIDE_CLI_TEXT, &w.load.id_column, "NAME", "the table's column of the id [unique_id]"},
        {"table-ds-column", TIDE_CLI_TEXT, &w.load.ds_column, "NAME", "the table's column of the time [ds]"},
        {"table-y-column", TIDE_CLI_TEXT, &w.load.y_column, "NAME", "the table's column of the value [y]"},
        {"source-table", TIDE_CLI_TEXT, &w.source_table, "TABLE", "SOURCE postgresql://...: read this table"},
        {"source-query", TIDE_CLI_TEXT, &w.source_query, "SELECT", "SOURCE postgresql://...: or this query"},
        {"freq", TIDE_CLI_TEXT, &w.freq, "FREQ", "SOURCE simulate:N: D, B, W, M, Q or Y, with a multiple [D]"},
        {"lock-timeout", TIDE_CLI_U64, &w.lock_timeout, "SECONDS", "longest wait for other writers of the table [300]"},
        {"report", TIDE_CLI_TEXT, &w.report, "FILE", "write the report as JSON; - for standard output"},
        {"quiet", TIDE_CLI_SWITCH, &w.quiet, NULL, "no progress and no report on stderr; errors and refused rows remain"},
        {NULL, TIDE_CLI_SWITCH, NULL, NULL, NULL}};
    tide_cli_args args;
    tide_load_report report;
    tide_source source;
    screen s = {.start = tide_now_s()};
    tide_status status = tide_cli_parse(self, own, argc, argv, &args, err);
    if (status || args.helped)
        goto done;
    s.quiet = w.quiet;
    s.terminal = isatty(STDERR_FILENO);
    w.load.self = &s;
    w.load.message = say;
    w.load.progress = show;
    w.load.stop = tide_cli_stopped;
    status = check(&args, &w, err);
    if (!status)
        status = tide_open_source(&args.cfg, &source, err);
    if (status)
        goto done;
    status = tide_postgres_merge(&w.load, &source, &report, err);
    clear(&s);
    double seconds = tide_now_s() - s.start;
    if (!status && !w.quiet)
        print_report(&report, &w.load, source.name, seconds);
    if (!status && w.report)
        status = write_json(&report, &w.load, source.name, seconds, w.report, err);
    source.close(source.self);
done:
    tide_cli_args_free(&args, own);
    return status;
}

const tide_cli_command tide_cli_load = {
    .name = "load",
    .bit = TIDE_CMD_LOAD,
    .argument = "SOURCE",
    .usage = "SOURCE --output postgresql://... --table TABLE [options]",
    .summary = "copies rows into a Postgres table, each id and time once; may be repeated",
    .text =
        "SOURCE is a CSV file with a header line (plain or gzip), - for standard input, simulate:N, or\n"
        "postgresql://user@host/db with --source-table or --source-query. Rows that the table lacks are added, those\n"
        "that it has are left alone, or with --corrections updated where their value differs: loading a file again,\n"
        "or one that overlaps, changes nothing else. All or nothing: however a load ends, the table is as before or\n"
        "has all rows, and nothing is left behind. Readers are not held up; other writers wait while rows are merged.\n"
        "A new or empty table is filled directly and locked meanwhile. Missing values become NULL.\n",
    .examples =
        "  tidemill load sales.csv.gz --output postgresql://me@db/retail --table demand --create --index\n"
        "  tidemill load today.csv --output postgresql://me@db/retail --table demand --from 2025-03-01 --corrections\n"
        "  zcat export.gz | tidemill load - --id-column item --ds-column day --y-column qty \\\n"
        "      --output postgresql:///retail --table demand --on-duplicate last --report load.json\n"
        "  tidemill load postgresql://me@old/shop --source-table public.sales --to 2024-12-31 \\\n"
        "      --output postgresql://me@db/retail --table demand --create\n"
        "  tidemill load simulate:1000 --freq M --output postgresql:///test --table demand --create --index\n",
    .run = run};
