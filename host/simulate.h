/* simulate.h - deterministic, realistic retail demand, as a tide_source.
 *
 * The row of (series, date) depends on the seed, the series number, the frequency and the date alone. So
 * ranges of dates put together give the whole, any shard of series gives the rows that it has in the whole,
 * and incremental loads can be played by moving `from` and `to`. The same bits on every machine: no libm is
 * called. */
#ifndef TIDE_SIMULATE_H
#define TIDE_SIMULATE_H

#include "host/stream.h"

typedef struct tide_simulate_options {
    uint64_t n_series;     /* rows of series first_series .. first_series + n_series - 1 */
    uint64_t first_series; /* the id of series k is "S" and k in at least 7 digits */
    int64_t from, to;      /* days since 1970-01-01, both included, 1900 to 2199 */
    tide_freq freq;        /* D, B, W (Mondays), M, Q, Y (first days), with any multiple */
    uint64_t seed;
    double intermittent_share; /* share of series with sporadic demand */
    double late_share;         /* share of series that start on some day of 2016 to 2025 instead of ever */
    double end_share;          /* share of series that end on some day of 2018 to 2029 */
    double gap_share;      /* share of rows left out, half of them one by one, half as outages of a month */
    double missing_share;  /* share of rows whose y is missing (NULL) */
    double promotion_rate; /* share of weeks that a promotion group is promoted in */
} tide_simulate_options;

/* 1000 series, 2022-01-01 to 2024-12-31, D, seed 1, shares 0.2, 0.15, 0.03, 0.004, 0.001, 0.09. All shares 0:
 * every series has every row of the range. */
void tide_simulate_options_init(tide_simulate_options *options);

/* Fills *out, a source ordered by series, then date (ds is a date), in blocks of up to 32768 rows; its
 * progress counts series. TIDE_CONFIG when an option is out of range. Options are copied. */
tide_status tide_simulate_open(const tide_simulate_options *options, tide_source *out, tide_error *err);

/* The calendar of promotions, announced in advance: the group that a series belongs to (0 .. 15), and whether
 * a group is promoted in the week (Monday to Sunday) that holds the day. */
uint32_t tide_simulate_group(const tide_simulate_options *options, uint64_t series);
int tide_simulate_promoted(const tide_simulate_options *options, uint32_t group, int64_t day);

#endif
