/* grid.c - civil-date arithmetic and the grids of host/grid.h.
 *
 * Dates are days since 1970-01-01 in the proleptic Gregorian calendar, which repeats every 400 years = 146097
 * days. Inside such an era, years are counted from March: the leap day is then the last of a year, and the
 * days before month p (March = 0) are (153p + 2)/5 rounded down. All divisions round towards minus infinity,
 * so that days before 1970 and before the year 0 need no cases of their own. Months are numbered since
 * 0000-01 (month number = 12 year + month - 1).
 *
 * Business days are numbered since Monday 1970-01-05: five a week, no loop over days. A weekend counts as the
 * Friday before it where a number is needed at all (tide_grid_at); nothing lies on a grid that starts on a
 * weekend.
 *
 * Needs libc only: this file is part of the predictor. */
#include "host/grid.h"
#include "kernels/batch.h"
#include <stdio.h>
#include <string.h>

#define DAY_US INT64_C(86400000000)

enum { ERA_DAYS = 146097, ERA_TO_1970 = 719468 /* days from 0000-03-01 to 1970-01-01 */ };

/* ---- whole numbers
 * -------------------------------------------------------------------------------------------- */

/* Quotient rounded down and its remainder in [0, b), for b > 0. */
static int64_t floor_div(int64_t a, int64_t b, int64_t *rest) {
    int64_t q = a / b, r = a % b;
    *rest = r < 0 ? r + b : r;
    return q - (r < 0);
}

static int64_t add_sat(int64_t a, int64_t b) {
    int64_t r;
    return __builtin_add_overflow(a, b, &r) ? (b < 0 ? INT64_MIN : INT64_MAX) : r;
}

static int64_t mul_sat(int64_t a, int64_t b) {
    int64_t r;
    return __builtin_mul_overflow(a, b, &r) ? ((a < 0) != (b < 0) ? INT64_MIN : INT64_MAX) : r;
}

/* ---- the calendar
 * --------------------------------------------------------------------------------------------- */

typedef struct civil {
    int64_t month; /* since 0000-01 */
    int32_t day;   /* 1..31 */
} civil;

static civil civil_of_days(int64_t days) {
    int64_t of_era;
    int64_t era = floor_div(days, ERA_DAYS, &of_era);
    int32_t day = (int32_t)of_era + ERA_TO_1970 % ERA_DAYS;
    era += ERA_TO_1970 / ERA_DAYS;
    if (day >= ERA_DAYS) {
        day -= ERA_DAYS;
        era += 1;
    }
    /* Take out the leap days that the day lies behind, then years have 365 days. */
    int32_t year = (day - day / 1460 + day / 36524 - day / (ERA_DAYS - 1)) / 365;
    int32_t of_year = day - (365 * year + year / 4 - year / 100);
    int32_t p = (5 * of_year + 2) / 153;
    civil c = {12 * (400 * era + year) + p + 2, of_year - (153 * p + 2) / 5 + 1};
    return c;
}

/* Days of the first day of a month; saturates. */
static int64_t days_of_month(int64_t month) {
    int64_t of_year, of_era;
    int64_t years = floor_div(add_sat(month, -2), 12, &of_year);
    int64_t era = floor_div(years, 400, &of_era);
    int32_t p = (int32_t)of_year, year = (int32_t)of_era;
    int32_t day = 365 * year + year / 4 - year / 100 + (153 * p + 2) / 5;
    return add_sat(mul_sat(era, ERA_DAYS), day - ERA_TO_1970);
}

static int32_t month_length(int64_t month) {
    static const uint8_t length[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t m;
    int64_t year = floor_div(month, 12, &m);
    int leap = (year & 3) == 0 && (year % 100 != 0 || year % 400 == 0);
    return length[m] + (m == 1 && leap);
}

static void split_ds(tide_ds_kind kind, int64_t ds, int64_t *days, int64_t *time_us) {
    *time_us = 0;
    *days = kind == TIDE_DS_TIMESTAMP ? floor_div(ds, DAY_US, time_us) : ds;
}

static int64_t join_ds(tide_ds_kind kind, int64_t days, int64_t time_us) {
    return kind == TIDE_DS_TIMESTAMP ? add_sat(mul_sat(days, DAY_US), time_us) : days;
}

/* Number of a business day; *weekend tells that `days` is none. */
static int64_t business_of_days(int64_t days, int *weekend) {
    int64_t weekday;
    int64_t weeks = floor_div(add_sat(days, -4), 7, &weekday);
    *weekend = weekday > 4;
    return 5 * weeks + (weekday > 4 ? 4 : weekday);
}

static int64_t days_of_business(int64_t number) {
    int64_t weekday;
    int64_t weeks = floor_div(number, 5, &weekday);
    return add_sat(add_sat(mul_sat(weeks, 7), weekday), 4);
}

/* ---- frequencies
 * ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *alias;
    tide_unit unit;
} aliases[] = {
    /* the canonical alias of a unit comes first */
    {"N", TIDE_UNIT_STEP},     {"s", TIDE_UNIT_SECOND},   {"min", TIDE_UNIT_MINUTE},
    {"h", TIDE_UNIT_HOUR},     {"D", TIDE_UNIT_DAY},      {"W", TIDE_UNIT_WEEK},
    {"M", TIDE_UNIT_MONTH},    {"Q", TIDE_UNIT_QUARTER},  {"B", TIDE_UNIT_BUSINESS_DAY},
    {"Y", TIDE_UNIT_YEAR},     {"S", TIDE_UNIT_SECOND},   {"T", TIDE_UNIT_MINUTE},
    {"H", TIDE_UNIT_HOUR},     {"MS", TIDE_UNIT_MONTH},   {"ME", TIDE_UNIT_MONTH},
    {"QS", TIDE_UNIT_QUARTER}, {"QE", TIDE_UNIT_QUARTER}, {"A", TIDE_UNIT_YEAR},
    {"AS", TIDE_UNIT_YEAR},    {"YS", TIDE_UNIT_YEAR},    {"YE", TIDE_UNIT_YEAR},
    {"W-MON", TIDE_UNIT_WEEK}, {"W-TUE", TIDE_UNIT_WEEK}, {"W-WED", TIDE_UNIT_WEEK},
    {"W-THU", TIDE_UNIT_WEEK}, {"W-FRI", TIDE_UNIT_WEEK}, {"W-SAT", TIDE_UNIT_WEEK},
    {"W-SUN", TIDE_UNIT_WEEK}, {"", TIDE_UNIT_STEP},
};
enum { N_ALIASES = sizeof aliases / sizeof aliases[0], MULTIPLE_MAX = 1000000 };

tide_status tide_freq_parse(const char *text, tide_freq *out, tide_error *err) {
    const char *p = text ? text : "";
    int64_t multiple = 0;
    while (*p >= '0' && *p <= '9' && multiple <= MULTIPLE_MAX)
        multiple = 10 * multiple + (*p++ - '0');
    if (p == text)
        multiple = 1;
    if (multiple >= 1 && multiple <= MULTIPLE_MAX && text && *text) {
        for (int i = 0; i < N_ALIASES; ++i) {
            if (strcmp(p, aliases[i].alias) == 0) {
                out->unit = aliases[i].unit;
                out->multiple = (int32_t)multiple;
                return TIDE_OK;
            }
        }
    }
    return tide_fail(
        err, TIDE_CONFIG,
        "frequency '%.40s' is not known: N, s, min, h, D, B, W, M, Q or Y, with a multiple of 1 to %d in "
        "front if any (15min)",
        text ? text : "", MULTIPLE_MAX);
}

void tide_freq_format(tide_freq freq, char *out, size_t size) {
    const char *alias = "?";
    for (int i = N_ALIASES - 1; i >= 0; --i)
        if ((int32_t)aliases[i].unit == freq.unit)
            alias = aliases[i].alias;
    if (freq.multiple == 1)
        snprintf(out, size, "%s", alias);
    else
        snprintf(out, size, "%d%s", freq.multiple, alias);
}

int32_t tide_freq_default_season(tide_freq freq) {
    /* Per unit, cycles in units, longest first. */
    static const int32_t cycles[][3] = {
        [TIDE_UNIT_STEP] = {1},          [TIDE_UNIT_SECOND] = {86400, 3600, 60},
        [TIDE_UNIT_MINUTE] = {1440, 60}, [TIDE_UNIT_HOUR] = {24},
        [TIDE_UNIT_DAY] = {7},           [TIDE_UNIT_BUSINESS_DAY] = {5},
        [TIDE_UNIT_WEEK] = {52},         [TIDE_UNIT_MONTH] = {12},
        [TIDE_UNIT_QUARTER] = {4},       [TIDE_UNIT_YEAR] = {1},
    };
    if (freq.unit < 0 || freq.unit > TIDE_UNIT_YEAR || freq.multiple < 1)
        return 1;
    for (int i = 0; i < 3 && cycles[freq.unit][i]; ++i) {
        int32_t cycle = cycles[freq.unit][i];
        if (cycle % freq.multiple == 0 && cycle / freq.multiple <= TIDE_SEASON_MAX)
            return cycle / freq.multiple;
    }
    return 1;
}

/* ---- grids
 * ---------------------------------------------------------------------------------------------------- */

tide_status tide_grid_check(tide_freq freq, tide_ds_kind kind, tide_error *err) {
    static const char *const what[] = {"integers", "dates", "timestamps"};
    char name[24];
    tide_freq_format(freq, name, sizeof name);
    if (kind != TIDE_DS_INTEGER && freq.unit == TIDE_UNIT_STEP)
        return tide_fail(err, TIDE_INPUT,
                         "ds holds %s, which frequency %s (integers) cannot number: set D, W, M ...",
                         what[kind], name);
    if (kind == TIDE_DS_DATE && freq.unit >= TIDE_UNIT_SECOND && freq.unit <= TIDE_UNIT_HOUR)
        return tide_fail(err, TIDE_INPUT, "ds holds dates, but frequency %s needs timestamps", name);
    return TIDE_OK;
}

/* Units of ds a step; 0: months; -1: business days. */
static int64_t fixed_step(tide_freq freq, tide_ds_kind kind) {
    static const int64_t unit_s[] = {[TIDE_UNIT_SECOND] = 1,
                                     [TIDE_UNIT_MINUTE] = 60,
                                     [TIDE_UNIT_HOUR] = 3600,
                                     [TIDE_UNIT_DAY] = 86400,
                                     [TIDE_UNIT_WEEK] = 7 * 86400};
    if (freq.unit == TIDE_UNIT_STEP)
        return freq.multiple;
    if (kind == TIDE_DS_INTEGER)
        return 1;
    if (freq.unit >= TIDE_UNIT_MONTH)
        return 0;
    if (freq.unit == TIDE_UNIT_BUSINESS_DAY)
        return -1;
    int64_t step_s = unit_s[freq.unit] * freq.multiple;
    if (kind == TIDE_DS_TIMESTAMP)
        return step_s * 1000000;
    return freq.unit < TIDE_UNIT_DAY ? INT64_MAX : step_s / 86400;
}

tide_grid tide_grid_start(tide_freq freq, tide_ds_kind kind, int64_t from, int end_of_month) {
    tide_grid g = {.from = from, .step = fixed_step(freq, kind), .valid = 1, .kind = kind};
    if (g.step > 0)
        return g;
    int64_t days;
    split_ds(kind, from, &days, &g.from_time);
    g.multiple = freq.multiple;
    if (g.step < 0) {
        int weekend;
        g.from_index = business_of_days(days, &weekend);
        g.valid = !weekend;
        return g;
    }
    civil c = civil_of_days(days);
    g.multiple *= freq.unit == TIDE_UNIT_YEAR ? 12 : freq.unit == TIDE_UNIT_QUARTER ? 3 : 1;
    g.from_index = c.month;
    g.from_day = c.day;
    g.end_of_month = end_of_month != 0;
    return g;
}

int tide_grid_step_of(const tide_grid *g, int64_t ds, int64_t *step) {
    int64_t delta, unit = g->multiple;
    if (g->step > 0) {
        if (__builtin_sub_overflow(ds, g->from, &delta))
            return 0;
        unit = g->step;
    } else {
        int64_t days, time_us;
        split_ds(g->kind, ds, &days, &time_us);
        if (!g->valid || time_us != g->from_time)
            return 0;
        if (g->step < 0) {
            int weekend;
            delta = business_of_days(days, &weekend) - g->from_index;
            if (weekend)
                return 0;
        } else {
            civil c = civil_of_days(days);
            /* The last day of a month needs its length only when it may be clipped. */
            if (g->end_of_month || c.day != g->from_day) {
                if (!g->end_of_month && c.day > g->from_day)
                    return 0;
                if (c.day != month_length(c.month))
                    return 0;
            }
            delta = c.month - g->from_index;
        }
    }
    if (unit == 1) {
        *step = delta;
        return 1;
    }
    int64_t q = delta / unit;
    if (q * unit != delta)
        return 0;
    *step = q;
    return 1;
}

int64_t tide_grid_at(const tide_grid *g, int64_t step) {
    if (g->step > 0)
        return add_sat(g->from, mul_sat(step, g->step));
    int64_t index = add_sat(g->from_index, mul_sat(step, g->multiple));
    if (g->step < 0)
        return join_ds(g->kind, days_of_business(index), g->from_time);
    int32_t length = month_length(index);
    int32_t day = g->end_of_month || g->from_day > length ? length : g->from_day;
    return join_ds(g->kind, add_sat(days_of_month(index), day - 1), g->from_time);
}

int tide_grid_steps(tide_freq freq, tide_ds_kind kind, int64_t from, int64_t to, int end_of_month,
                    int64_t *steps) {
    tide_grid g = tide_grid_start(freq, kind, from, end_of_month);
    return tide_grid_step_of(&g, to, steps);
}

int64_t tide_grid_add(tide_freq freq, tide_ds_kind kind, int64_t from, int64_t steps, int end_of_month) {
    tide_grid g = tide_grid_start(freq, kind, from, end_of_month);
    return tide_grid_at(&g, steps);
}

int tide_grid_is_month_end(tide_ds_kind kind, int64_t ds) {
    if (kind == TIDE_DS_INTEGER)
        return 0;
    int64_t days, time_us;
    split_ds(kind, ds, &days, &time_us);
    civil c = civil_of_days(days);
    return c.day >= 28 && c.day == month_length(c.month);
}

/* ---- text
 * ----------------------------------------------------------------------------------------------------- */

/* Value of n digits at p, or -1. */
static int32_t digits(const char *p, int n) {
    int32_t value = 0;
    for (int i = 0; i < n; ++i) {
        unsigned d = (unsigned)(unsigned char)p[i] - '0';
        if (d > 9)
            return -1;
        value = 10 * value + (int32_t)d;
    }
    return value;
}

static int parse_integer(const char *p, size_t length, int64_t *out) {
    int negative = length && *p == '-';
    if (length == (size_t)negative)
        return 0;
    int64_t value = 0; /* negative, so that INT64_MIN fits */
    for (size_t i = (size_t)negative; i < length; ++i) {
        unsigned d = (unsigned)(unsigned char)p[i] - '0';
        if (d > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, (int64_t)d, &value))
            return 0;
    }
    if (!negative && value == INT64_MIN)
        return 0;
    *out = negative ? value : -value;
    return 1;
}

/* YYYY-MM-DD to days. */
static int parse_date(const char *p, int64_t *days) {
    int32_t year = digits(p, 4), month = digits(p + 5, 2), day = digits(p + 8, 2);
    if (p[4] != '-' || p[7] != '-' || year < 1 || month < 1 || month > 12 || day < 1)
        return 0;
    int64_t number = 12 * (int64_t)year + month - 1;
    if (day > 28 && day > month_length(number))
        return 0;
    *days = days_of_month(number) + day - 1;
    return 1;
}

/* YYYY-MM and YYYY-Qn to the days of its first day. */
static int parse_period(const char *p, int64_t *days) {
    int32_t year = digits(p, 4);
    int32_t month = p[5] == 'Q' ? 3 * digits(p + 6, 1) - 2 : digits(p + 5, 2);
    if (p[4] != '-' || year < 1 || month < 1 || month > 12)
        return 0;
    *days = days_of_month(12 * (int64_t)year + month - 1);
    return 1;
}

/* What follows "YYYY-MM-DD": [T ]hh:mm[:ss[.f...]][Z|+hh[:mm]], length >= 6, to microseconds (zone taken
 * off). */
static int parse_time(const char *p, size_t length, int64_t *time_us) {
    const char *end = p + length;
    int32_t hour = digits(p + 1, 2), minute = digits(p + 4, 2), second = 0, fraction = 0;
    if ((p[0] != ' ' && p[0] != 'T') || p[3] != ':' || hour < 0 || hour > 23 || minute < 0 || minute > 59)
        return 0;
    p += 6;
    if (end - p >= 3 && *p == ':') {
        second = digits(p + 1, 2);
        if (second < 0 || second > 59)
            return 0;
        p += 3;
        if (p < end && *p == '.') {
            int n = 0;
            for (++p; p < end && *p >= '0' && *p <= '9'; ++p, ++n) {
                if (n < 6)
                    fraction = 10 * fraction + (*p - '0');
                else if (*p != '0' || n >= 9)
                    return 0; /* finer than a microsecond */
            }
            if (n == 0)
                return 0;
            for (; n < 6; ++n)
                fraction *= 10;
        }
    }
    int32_t zone = 0; /* minutes east */
    if (end - p == 1 && *p == 'Z') {
        ++p;
    } else if (p < end && (*p == '+' || *p == '-')) {
        int32_t east = *p == '+' ? 1 : -1, zone_hour = end - p >= 3 ? digits(p + 1, 2) : -1, zone_minute = 0;
        if (end - p == 6 && p[3] == ':')
            zone_minute = digits(p + 4, 2);
        else if (end - p != 3)
            return 0;
        if (zone_hour < 0 || zone_hour > 15 || zone_minute < 0 || zone_minute > 59)
            return 0;
        zone = east * (60 * zone_hour + zone_minute);
        p = end;
    }
    if (p != end)
        return 0;
    *time_us = ((int64_t)(60 * hour + minute - zone) * 60 + second) * 1000000 + fraction;
    return 1;
}

int tide_ds_parse(const char *text, size_t length, tide_ds_kind *kind, int64_t *ds) {
    int64_t days, time_us;
    if (length < 7 || text[4] != '-') {
        if (!parse_integer(text, length, ds))
            return 0;
        *kind = TIDE_DS_INTEGER;
        return 1;
    }
    if (length <= 10) {
        if (length == 10 ? !parse_date(text, &days) : length != 7 || !parse_period(text, &days))
            return 0;
        *kind = TIDE_DS_DATE;
        *ds = days;
        return 1;
    }
    if (length < 16 || !parse_date(text, &days) || !parse_time(text + 10, length - 10, &time_us))
        return 0;
    int64_t at = days * DAY_US + time_us;
    if (at < DAY_US * -719162)
        return 0; /* a zone that leads before 0001-01-01 */
    *kind = TIDE_DS_TIMESTAMP;
    *ds = at;
    return 1;
}

static char *put_digits(char *p, int64_t value, int n) {
    for (int i = n - 1; i >= 0; --i) {
        p[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return p + n;
}

size_t tide_ds_format(tide_ds_kind kind, int64_t ds, char *out, size_t size) {
    char text[64], *p = text;
    if (kind == TIDE_DS_INTEGER) {
        p += snprintf(text, sizeof text, "%lld", (long long)ds);
    } else {
        int64_t days, time_us;
        split_ds(kind, ds, &days, &time_us);
        civil c = civil_of_days(days);
        int64_t month;
        int64_t year = floor_div(c.month, 12, &month);
        if (year >= 0 && year <= 9999)
            p = put_digits(p, year, 4);
        else
            p += snprintf(p, 32, "%05lld", (long long)year);
        *p++ = '-';
        p = put_digits(p, month + 1, 2);
        *p++ = '-';
        p = put_digits(p, c.day, 2);
        if (kind == TIDE_DS_TIMESTAMP) {
            int64_t second = time_us / 1000000, fraction = time_us % 1000000;
            *p++ = 'T';
            p = put_digits(p, second / 3600, 2);
            *p++ = ':';
            p = put_digits(p, second / 60 % 60, 2);
            *p++ = ':';
            p = put_digits(p, second % 60, 2);
            if (fraction) {
                *p++ = '.';
                p = put_digits(p, fraction, 6);
            }
        }
    }
    size_t length = (size_t)(p - text);
    if (size == 0)
        return 0;
    if (length >= size)
        length = size - 1;
    memcpy(out, text, length);
    out[length] = '\0';
    return length;
}
