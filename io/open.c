#include "io/open.h"
#include "host/peek.h"
#include "host/simulate.h"
#include "io/csv.h"
#include "io/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char simulate_prefix[] = "simulate:";

static tide_status open_simulated(const tide_config *cfg, const char *count, tide_source *out,
                                  tide_error *err) {
    tide_simulate_options o;
    char *end;
    tide_simulate_options_init(&o);
    o.n_series = strtoull(count, &end, 10);
    if (*count < '0' || *count > '9' || *end)
        return tide_fail(err, TIDE_CONFIG,
                         "source.path: simulate:%.40s is not simulate: and a number of series", count);
    if (cfg->freq)
        TIDE_TRY(tide_freq_parse(cfg->freq, &o.freq, err));
    TIDE_TRY(tide_config_bound("source.from", cfg->source.from, 0, TIDE_DS_DATE, &o.from, err));
    TIDE_TRY(tide_config_bound("source.to", cfg->source.to, 1, TIDE_DS_DATE, &o.to, err));
    return tide_simulate_open(&o, out, err);
}

static tide_status open_postgres(const tide_config *cfg, tide_source *out, tide_error *err) {
    const char *values = cfg->source.values_column;
    int packed = cfg->source.packed;
    tide_freq freq = {TIDE_UNIT_STEP, 1};
    if (values && !packed)
        return tide_fail(err, TIDE_CONFIG, "source.values_column: only a packed table has one (--packed)");
    if (packed && cfg->freq)
        TIDE_TRY(tide_freq_parse(cfg->freq, &freq, err));
    const tide_postgres_options o = {.url = cfg->source.path,
                                     .table = cfg->source.table,
                                     .query = cfg->source.query,
                                     .id_column = cfg->source.id_column,
                                     .ds_column = cfg->source.ds_column,
                                     .y_column = !packed ? cfg->source.y_column : values ? values : "values",
                                     .packed = packed,
                                     .freq = freq,
                                     .connections = cfg->source.connections,
                                     .read_timeout_s = cfg->source.read_timeout_s,
                                     .retries = cfg->source.retries > 0 ? cfg->source.retries : -1,
                                     .one_snapshot = !cfg->source.mixed_snapshots,
                                     .memory_bytes = cfg->memory_bytes / 8,
                                     .from = cfg->source.from,
                                     .to = cfg->source.to,
                                     .connect_timeout_s = cfg->source.connect_timeout_s,
                                     .statement_timeout_s = cfg->source.statement_timeout_s};
    return tide_postgres_open(&o, out, err);
}

tide_status tide_open_source(const tide_config *cfg, tide_source *out, tide_error *err) {
    const char *path = cfg->source.path;
    if (!path || !*path)
        return tide_fail(err, TIDE_CONFIG, "source.path: no source is given");
    if (tide_postgres_is_url(path))
        return open_postgres(cfg, out, err);
    if (strncmp(path, simulate_prefix, sizeof simulate_prefix - 1) == 0)
        return open_simulated(cfg, path + sizeof simulate_prefix - 1, out, err);
    const tide_csv_options o = {.path = path,
                                .id_column = cfg->source.id_column,
                                .ds_column = cfg->source.ds_column,
                                .y_column = cfg->source.y_column,
                                .delimiter = cfg->source.delimiter};
    return tide_csv_open(&o, out, err);
}

tide_status tide_obey_store(tide_config *cfg, const tide_store *store, tide_store_info *info, tide_error *err) {
    char theirs[24], ours[24];
    tide_store_get_info(store, info);
    tide_freq_format(info->freq, theirs, sizeof theirs);
    if (cfg->freq) {
        tide_freq freq;
        TIDE_TRY(tide_freq_parse(cfg->freq, &freq, err));
        tide_freq_format(freq, ours, sizeof ours);
        if (strcmp(theirs, ours) != 0)
            return tide_fail(err, TIDE_CONFIG, "freq: %s, but the models of the store are of %s", ours, theirs);
    }
    if (cfg->season && cfg->season != info->season)
        return tide_fail(err, TIDE_CONFIG, "season: %d, but that of the store is %d", cfg->season, info->season);
    TIDE_TRY(tide_config_set(cfg, "freq", theirs, err));
    cfg->season = info->season;
    cfg->predict.spec.seed = info->seed;
    return TIDE_OK;
}

tide_status tide_feed_open(tide_config *cfg, tide_source *own, const tide_observer *observer, tide_feed *out,
                           tide_error *err) {
    tide_feed in;
    tide_rows first;
    char note[160];
    memset(&in, 0, sizeof in);
    TIDE_TRY(tide_config_check(cfg, err));
    if (own) {
        in.inner = *own;
    } else {
        TIDE_TRY(tide_open_source(cfg, &in.inner, err));
        in.owned = 1;
    }
    /* The peeking source keeps a pointer to the inner one, so that must lie where it will stay. */
    out->inner = in.inner;
    tide_status status = tide_peek(&out->inner, &in.source, &first, err);
    if (!status) {
        in.ds_kind = first.ds_kind;
        status = tide_config_resolve(cfg, &first, note, sizeof note, err);
        if (status)
            in.source.close(in.source.self);
    }
    if (status) {
        if (in.owned)
            in.inner.close(in.inner.self);
        memset(out, 0, sizeof *out);
        return status;
    }
    *out = in;
    if (observer && observer->message) {
        if (*note)
            observer->message(observer->self, TIDE_LOG_INFO, note);
        const char *warning = tide_config_warning(cfg);
        if (warning)
            observer->message(observer->self, TIDE_LOG_WARNING, warning);
        tide_feed_tell(out, observer);
    }
    return TIDE_OK;
}

void tide_feed_tell(tide_feed *feed, const tide_observer *observer) {
    char how[256] = "", text[512];
    if (!feed->inner.describe || !observer || !observer->message)
        return;
    feed->inner.describe(feed->inner.self, how, sizeof how);
    if (strcmp(how, feed->told) == 0)
        return;
    memcpy(feed->told, how, sizeof how);
    snprintf(text, sizeof text, "%s: %s", feed->inner.name, how);
    observer->message(observer->self, TIDE_LOG_INFO, text);
}

void tide_feed_close(tide_feed *feed) {
    if (feed->source.close)
        feed->source.close(feed->source.self);
    if (feed->owned)
        feed->inner.close(feed->inner.self);
    memset(feed, 0, sizeof *feed);
}
