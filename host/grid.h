/* grid.h - regular time grids: from a `ds` value to a step number and back, calendar-aware.
 *
 * A `ds` is an int64 in the unit of its kind: a plain integer, days since 1970-01-01, or microseconds since
 * 1970-01-01 00:00 UTC (timestamps without a zone are taken as UTC). The calendar is proleptic Gregorian.
 *
 * Frequencies: N (plain integer step), s, min, h, D, B (Monday to Friday), W, M, Q, Y, each with a multiple in front
 * ("15min", "2W"). Fixed ones (s..D, W) step by a constant; B skips weekends; M, Q, Y step by calendar months and keep
 * the day of the month, where `end_of_month` series stay on the last day (2024-01-31, 02-29, 03-31).
 * Each series has its own phase: its first `ds` is step 0. Integer times take one step a number whatever the unit
 * (frequency M with ds 1, 2, 3 is monthly data whose months are numbered); only N uses its multiple on them.
 *
 * Seasonal periods by default: D 7, B 5, W 52, M 12, Q 4, Y 1, N 1, h 24, divided by the multiple where it divides
 * them, else 1. Below the hour: the longest of day, hour and minute that is a whole number of steps and at most
 * TIDE_SEASON_MAX (15min 96, 5min 288, min 60, 10s 360, s 60): what people and machines do repeats by the day, so that
 * an hour's four quarters would be the poorer guess. */
#ifndef TIDE_GRID_H
#define TIDE_GRID_H

#include "host/error.h"
#include <stddef.h>
#include <stdint.h>

typedef enum tide_ds_kind { TIDE_DS_INTEGER = 0, TIDE_DS_DATE = 1, TIDE_DS_TIMESTAMP = 2 } tide_ds_kind;

typedef enum tide_unit {
    TIDE_UNIT_STEP = 0, TIDE_UNIT_SECOND, TIDE_UNIT_MINUTE, TIDE_UNIT_HOUR, TIDE_UNIT_DAY, TIDE_UNIT_BUSINESS_DAY,
    TIDE_UNIT_WEEK, TIDE_UNIT_MONTH, TIDE_UNIT_QUARTER, TIDE_UNIT_YEAR
} tide_unit;

typedef struct tide_freq {
    int32_t unit;      /* tide_unit */
    int32_t multiple;  /* >= 1 */
} tide_freq;

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* part of the public API */
#endif
/* "15min", "D", "MS" and "ME" (as M), "W-SUN" (as W), "H" ..., a bare number (as N) -> *out; TIDE_CONFIG naming the
 * text otherwise. */
tide_status tide_freq_parse(const char *text, tide_freq *out, tide_error *err);
/* Writes the canonical alias ("15min"); size >= 24. */
void tide_freq_format(tide_freq freq, char *out, size_t size);
int32_t tide_freq_default_season(tide_freq freq);

/* Steps from `from` to `to` (negative when to < from). Returns 0 when `to` does not lie on the grid that starts at
 * `from`, 1 otherwise. end_of_month: 1 when the series keeps to last days of months (see tide_grid_end_of_month). */
int tide_grid_steps(tide_freq freq, tide_ds_kind kind, int64_t from, int64_t to, int end_of_month, int64_t *steps);
/* The ds `steps` after `from`. Saturates at the int64 range rather than overflow. */
int64_t tide_grid_add(tide_freq freq, tide_ds_kind kind, int64_t from, int64_t steps, int end_of_month);
/* 1 when `ds` is the last day of its month. A series is end_of_month when all its ds are and unit is M, Q or Y. */
int tide_grid_is_month_end(tide_ds_kind kind, int64_t ds);

/* One series' grid with the work on `from` done once; the two functions above are shorthands of these. Plain data. */
typedef struct tide_grid {
    int64_t from;       /* ds of step 0 */
    int64_t step;       /* fixed grids: units of ds a step; 0: months; -1: business days */
    int64_t multiple;   /* months or business days a step */
    int64_t from_index; /* month number since 0000-01, or business day number, of `from` */
    int64_t from_time;  /* microseconds after midnight */
    int32_t from_day;   /* day of the month, 1..31 */
    int32_t valid;      /* 0: `from` is a weekend on a grid of business days; nothing lies on this grid */
    int32_t end_of_month;
    tide_ds_kind kind;
} tide_grid;

tide_grid tide_grid_start(tide_freq freq, tide_ds_kind kind, int64_t from, int end_of_month);
int tide_grid_step_of(const tide_grid *grid, int64_t ds, int64_t *step); /* as tide_grid_steps */
int64_t tide_grid_at(const tide_grid *grid, int64_t step);              /* as tide_grid_add */
/* TIDE_INPUT when times of this kind cannot lie on such a grid: N with dates or timestamps, h with dates. On those,
 * tide_grid_steps takes N as days or microseconds, and a grid finer than a date has no second step. */
tide_status tide_grid_check(tide_freq freq, tide_ds_kind kind, tide_error *err);

/* Text to ds: integers; YYYY-MM-DD; YYYY-MM; YYYY-Qn; YYYY-MM-DD[T ]hh:mm[:ss[.ffffff]][Z|+hh[:mm]].
 * *kind is what the text is; 1 on success, 0 for anything else (also infinity, BC dates, 2024-02-30). */
int tide_ds_parse(const char *text, size_t length, tide_ds_kind *kind, int64_t *ds);
/* ISO text of a ds; returns its length; size >= 40. */
size_t tide_ds_format(tide_ds_kind kind, int64_t ds, char *out, size_t size);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
