/* config_resolve.c - what of a config depends on the kind of the data's times: the frequency, and the range
 * of rows.
 *
 * Finding a frequency: of the rows that follow each other within a series of the first block, count how many
 * lie exactly one step of a candidate apart. Candidates go from coarse to fine, save that business days are
 * tried before days (a Friday and the Monday after are one B apart, and so is every other pair of weekdays);
 * the first that nine of ten pairs agree on is taken. A series with gaps in more than a tenth of its steps
 * needs --freq: guessing there would be a silent choice of meaning. */
#include "host/config.h"

#include <stdio.h>
#include <string.h>

/* Candidates of dates and timestamps. 366 or 28 days apart must not pass for a coarser unit: one exact step
 * counts. */
static const char *const candidates[] = {"Y",  "Q", "M",     "W",     "B",     "D",    "12h", "6h", "4h",
                                         "2h", "h", "30min", "15min", "10min", "5min", "min", "s"};

typedef struct pair_count {
    size_t pairs, one_step, weekends;
} pair_count;

static int is_weekend(tide_ds_kind kind, int64_t ds) {
    int64_t day = ds;
    if (kind == TIDE_DS_TIMESTAMP) {
        const int64_t us = 86400000000;
        day = ds / us - (ds % us < 0);
    }
    int64_t weekday = ((day + 3) % 7 + 7) % 7; /* 0 = Monday: 1970-01-01 was a Thursday */
    return weekday >= 5;
}

static pair_count count_steps(tide_freq freq, const tide_rows *rows) {
    pair_count count = {0, 0, 0};
    for (size_t i = 1; i < rows->n; ++i) {
        if (rows->fault && (rows->fault[i] || rows->fault[i - 1]))
            continue;
        if (rows->id_length[i] != rows->id_length[i - 1] ||
            memcmp(rows->bytes + rows->id_at[i], rows->bytes + rows->id_at[i - 1], rows->id_length[i]) != 0)
            continue;
        int64_t a = rows->ds[i - 1], b = rows->ds[i], steps = 0;
        if (a == b)
            continue;
        if (a > b) {
            int64_t swap = a;
            a = b;
            b = swap;
        }
        int both_ends = tide_grid_is_month_end(rows->ds_kind, a) && tide_grid_is_month_end(rows->ds_kind, b);
        ++count.pairs;
        count.weekends += (size_t)(is_weekend(rows->ds_kind, a) || is_weekend(rows->ds_kind, b));
        count.one_step += tide_grid_steps(freq, rows->ds_kind, a, b, both_ends, &steps) && steps == 1;
    }
    return count;
}

static tide_status find_freq(const tide_rows *rows, const char **out, tide_error *err) {
    for (size_t c = 0; c < sizeof candidates / sizeof candidates[0]; ++c) {
        tide_freq freq;
        TIDE_TRY(tide_freq_parse(candidates[c], &freq, err));
        if (rows->ds_kind == TIDE_DS_DATE && freq.unit < TIDE_UNIT_DAY)
            break;
        pair_count count = count_steps(freq, rows);
        if (count.pairs < 2)
            break;
        if (freq.unit == TIDE_UNIT_BUSINESS_DAY && count.weekends)
            continue;
        /* A run of weekdays shorter than a week is more likely the start of daily data. */
        if (freq.unit == TIDE_UNIT_BUSINESS_DAY && count.pairs < 10)
            continue;
        if (count.one_step * 10 >= count.pairs * 9) {
            *out = candidates[c];
            return TIDE_OK;
        }
    }
    return tide_fail(err, TIDE_CONFIG,
                     "freq: cannot be found out from the first rows; give one (--freq M, D, h ...)");
}

tide_status tide_config_bound(const char *key, const char *text, int is_to, tide_ds_kind kind, int64_t *out,
                              tide_error *err) {
    const int64_t us = 86400000000;
    tide_ds_kind have;
    int64_t ds;
    if (!text)
        return TIDE_OK;
    if (!tide_ds_parse(text, strlen(text), &have, &ds))
        return tide_fail(err, TIDE_CONFIG, "%s: '%.60s' is not a time", key, text);
    if (have != kind) {
        if (have == TIDE_DS_INTEGER || kind == TIDE_DS_INTEGER)
            return tide_fail(err, TIDE_CONFIG, "%s: '%.60s' is %s, but the data have %s", key, text,
                             have == TIDE_DS_INTEGER ? "an integer" : "a date",
                             kind == TIDE_DS_INTEGER ? "integers" : "dates");
        if (kind == TIDE_DS_TIMESTAMP) {
            if (ds > INT64_MAX / us - 1 || ds < INT64_MIN / us + 1)
                return tide_fail(err, TIDE_CONFIG, "%s: '%.60s' is out of range", key, text);
            ds = ds * us + (is_to ? us - 1 : 0);
        } else { /* a timestamp bounding dates: floor; as lower bound the next day unless it is midnight */
            int64_t day = ds / us - (ds % us < 0);
            ds = !is_to && ds % us ? day + 1 : day;
        }
    }
    *out = ds;
    return TIDE_OK;
}

tide_status tide_config_resolve(tide_config *cfg, const tide_rows *first, char *note, size_t note_size,
                                tide_error *err) {
    tide_ds_kind kind = first->ds_kind;
    if (note && note_size)
        note[0] = 0;
    if (first->n) {
        TIDE_TRY(tide_config_bound("source.from", cfg->source.from, 0, kind, &cfg->intake.from_ds, err));
        TIDE_TRY(tide_config_bound("source.to", cfg->source.to, 1, kind, &cfg->intake.to_ds, err));
    }
    if (!cfg->freq && first->n && kind != TIDE_DS_INTEGER) {
        const char *found = NULL;
        TIDE_TRY(find_freq(first, &found, err));
        TIDE_TRY(tide_config_set(cfg, "freq", found, err));
        int64_t from = cfg->intake.from_ds, to = cfg->intake.to_ds;
        TIDE_TRY(tide_config_check(cfg, err));
        cfg->intake.from_ds = from;
        cfg->intake.to_ds = to;
        if (note)
            snprintf(note, note_size, "frequency %s, found from the first rows (--freq to set it)", found);
    }
    if (first->n) {
        tide_status status = tide_grid_check(cfg->intake.freq, kind, err);
        if (status)
            return tide_error_prefix(err, status, "freq");
    }
    return TIDE_OK;
}
