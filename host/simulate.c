/* simulate.c - the generator behind simulate.h.
 *
 * Counter-based: each random number is a hash of (seed, series, purpose, index), so there is no state to
 * carry from date to date. What depends on the path in reality is made of functions that need O(1) per date:
 *
 *   log2 of the daily mean = level                       normal over series, about four decades from end to
 * end
 *     + growth * years + slow noise                      value noise: hashed knots 730, 224, 56 and 14 days
 * apart, joined by lines; together close to a slow random walk
 *     + shift of the segment                             segments of 400 to 1200 days, one in five shifted
 *     + yearly profile(type) * a + weekly profile(type) * b
 *     + white noise                                      standard deviation shrinks as periods get longer
 *
 *   mean of the period = days * 2^that * (1 + promoted share of its weeks * (uplift - 1))
 *
 * The value is a Poisson count below a mean of 40, a rounded normal above, or money with two decimals for one
 * series in ten. Intermittent series have Poisson events (0.02 to 0.3 a day) of geometric sizes.
 *
 * Normals are sums of four 16-bit uniforms (Irwin-Hall: tails end at 3.46 sigma, exact arithmetic), 2^x is a
 * polynomial (relative error below 2e-7), so that the bits do not depend on a libm. A period longer than a
 * day has the same kind of values, but a weekly series is not the sum of the daily one.
 *
 * Periods are counted from a fixed origin (Monday 1970-01-05 for W, 1970-01-01 otherwise), never from `from`.
 */
#include "host/simulate.h"
#include "kernels/tide_fn.h"

#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_ROWS = 32768, ID_BYTES = 24, GROUPS = 16, TYPES = 6, OCTAVES = 4 };
enum { DAY_2016 = 16801, DAY_2018 = 17532, DAY_2020 = 18262, DAY_2026 = 20454, DAY_2030 = 21915 };
enum { DAY_1900 = -25567, DAY_2200 = 84006 };

/* What a random number is for; the second counter beside the index. */
enum purpose {
    DRAW_LEVEL = 1,
    DRAW_TYPE,
    DRAW_GROWTH,
    DRAW_YEARLY,
    DRAW_WEEKLY,
    DRAW_NOISE,
    DRAW_SEGMENT,
    DRAW_SHIFT,
    DRAW_UPLIFT,
    DRAW_MONEY,
    DRAW_INTERMITTENT,
    DRAW_LATE,
    DRAW_END,
    DRAW_GROUP,
    DRAW_PROMOTION,
    DRAW_GAP,
    DRAW_OUTAGE,
    DRAW_MISSING,
    DRAW_WHITE,
    DRAW_COUNT,
    DRAW_SIZE,
    DRAW_KNOT /* and the OCTAVES - 1 after it */
};

/* Monday to Sunday, log2 of the factor. */
static const double weekly_profile[TYPES][7] = {
    {-0.20, -0.25, -0.15, 0.00, 0.30, 0.45, -0.30},  /* grocery */
    {-0.30, -0.30, -0.20, -0.10, 0.15, 0.60, 0.00},  /* summer goods */
    {-0.25, -0.25, -0.20, -0.05, 0.15, 0.55, -0.05}, /* winter goods */
    {-0.20, -0.20, -0.10, 0.00, 0.20, 0.50, -0.35},  /* gifts */
    {0.35, 0.40, 0.35, 0.30, 0.15, -1.30, -2.00},    /* office */
    {0.00, 0.00, 0.00, 0.00, 0.05, 0.05, -0.10},     /* flat */
};
/* January to December, at the middle of the month, log2 of the factor. */
static const double yearly_profile[TYPES][12] = {
    {-0.12, -0.10, -0.02, 0.03, 0.02, 0.00, -0.05, -0.06, 0.00, 0.02, 0.08, 0.28},
    {-1.00, -0.80, -0.20, 0.30, 0.70, 0.90, 1.00, 0.60, 0.00, -0.50, -0.80, -0.60},
    {0.70, 0.40, 0.00, -0.50, -0.90, -1.10, -1.10, -0.80, -0.10, 0.50, 0.90, 1.00},
    {-0.50, -0.30, -0.30, -0.10, 0.10, -0.20, -0.40, -0.40, -0.20, 0.00, 0.70, 1.60},
    {0.15, 0.10, 0.12, 0.00, 0.00, 0.00, -0.35, -0.45, 0.20, 0.15, 0.10, -0.25},
    {0.02, 0.00, 0.00, 0.00, 0.00, -0.02, -0.02, 0.00, 0.00, 0.00, 0.01, 0.03},
};
static const double octave_days[OCTAVES] = {730, 224, 56, 14};
static const double octave_sigma[OCTAVES] = {0.35, 0.20, 0.12, 0.08};

typedef struct sim_period {
    int64_t ds;
    int64_t day; /* middle of the period */
    double days; /* selling days */
    int weekday; /* 0 = Monday; -1: the period is longer than a day */
    int month;   /* yearly profile: between month and the next one, at the fraction */
    double month_fraction;
} sim_period;

typedef struct sim_series {
    uint64_t key;
    int type;
    double log2_level, growth, yearly, weekly, sigma, uplift_minus_1;
    double segment_days;
    int64_t segment_offset, segment, start, end;
    double shift;
    const float *promoted; /* [n_periods] share of the period's weeks with a promotion of the group */
    int money, intermittent;
    double price, event_rate,
        size_more; /* intermittent: events a day; chance that a size grows by one more */
    int64_t knot[OCTAVES];
    double knot_left[OCTAVES], knot_right[OCTAVES];
} sim_series;

typedef struct simulation {
    tide_simulate_options options;
    size_t n_periods;
    sim_period *periods; /* [n_periods] */
    float *promoted;     /* [GROUPS * n_periods] */
    uint64_t series_done, row;
    size_t next_period;
    sim_series series;
    int series_open;
    /* the block */
    char *bytes;
    uint32_t *id_at, *id_length;
    int64_t *ds;
    double *y;
    uint64_t *line;
} simulation;

/* --- random numbers ----------------------------------------------------------------------------------------
 */

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ull;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static uint64_t series_key(uint64_t seed, uint64_t series) {
    return mix(mix(seed + 0x9e3779b97f4a7c15ull) + (series + 1) * 0xd1342543de82ef95ull);
}

static uint64_t draw(uint64_t key, int purpose, int64_t index) {
    uint64_t stream = mix(key + (uint64_t)purpose * 0x9e3779b97f4a7c15u);
    return mix(stream ^ (uint64_t)index * 0xa0761d6478bd642fu);
}

static double uniform_of(uint64_t bits) {
    return (double)(bits >> 11) * 0x1p-53;
}

static double uniform(uint64_t key, int purpose, int64_t index) {
    return uniform_of(draw(key, purpose, index));
}

/* Sum of four 16-bit uniforms, mean 0, variance 1: each has variance (2^32 - 1) / 12. */
static double normal(uint64_t key, int purpose, int64_t index) {
    uint64_t u = draw(key, purpose, index);
    int64_t sum = (int64_t)((u & 0xffff) + (u >> 16 & 0xffff) + (u >> 32 & 0xffff) + (u >> 48));
    return (double)(sum - 2 * 0xffff) * (1.7320508075688772 / 65536.0);
}

/* 2^x for |x| < 1000: a Taylor polynomial on [-1/2, 1/2] and an exponent. */
static double power_of_2(double x) {
    double whole = (double)(int)(x < 0 ? x - 0.5 : x + 0.5);
    double f = (x - whole) * 0.69314718055994531;
    double p = 1.0 + f * (1.0 + f * (1.0 / 2 + f * (1.0 / 6 + f * (1.0 / 24 + f * (1.0 / 120 + f / 720)))));
    return p * tide_from_bits((uint64_t)(1023 + (int)whole) << 52);
}

static int64_t round_positive(double x) {
    return (int64_t)(x + 0.5);
}

static int64_t floor_divide(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

/* A Poisson count by inversion of one uniform below a mean of 40, by a rounded normal above. */
static int64_t poisson(double mean, uint64_t key, int purpose, int64_t index) {
    if (mean >= 40) {
        double x = mean + tide_sqrt(mean) * normal(key, purpose, index);
        return x > 0 ? round_positive(x) : 0;
    }
    double u = uniform(key, purpose, index), p = power_of_2(-mean * 1.4426950408889634), sum = p;
    int64_t k = 0;
    while (u > sum && k < 200)
        p *= mean / (double)++k, sum += p;
    return k;
}

/* --- one series --------------------------------------------------------------------------------------------
 */

static void open_series(simulation *sim, sim_series *s, uint64_t number) {
    const tide_simulate_options *o = &sim->options;
    uint64_t key = series_key(o->seed, number);
    *s = (sim_series){.key = key, .start = INT64_MIN, .end = INT64_MAX};
    s->type = (int)(draw(key, DRAW_TYPE, 0) % TYPES);
    s->log2_level = 3.3 + 3.0 * normal(key, DRAW_LEVEL, 0);
    s->growth = 0.08 * normal(key, DRAW_GROWTH, 0);
    s->yearly = 0.5 + uniform(key, DRAW_YEARLY, 0);
    s->weekly = 0.5 + uniform(key, DRAW_WEEKLY, 0);
    s->sigma = 0.10 + 0.35 * uniform(key, DRAW_NOISE, 0);
    s->segment_days = 400 + 800 * uniform(key, DRAW_SEGMENT, 0);
    s->segment_offset = (int64_t)(1200 * uniform(key, DRAW_SEGMENT, 1));
    s->segment = INT64_MIN;
    double uplift = uniform(key, DRAW_UPLIFT, 0);
    s->uplift_minus_1 = uplift < 0.15 ? 0 : power_of_2(0.3 + 1.7 * uniform(key, DRAW_UPLIFT, 1)) - 1;
    s->promoted = sim->promoted + (size_t)tide_simulate_group(o, number) * sim->n_periods;
    s->intermittent = uniform(key, DRAW_INTERMITTENT, 0) < o->intermittent_share;
    s->money = !s->intermittent && uniform(key, DRAW_MONEY, 0) < 0.1;
    s->price = power_of_2(6 * uniform(key, DRAW_MONEY, 1));
    s->event_rate = 0.02 + 0.28 * uniform(key, DRAW_INTERMITTENT, 1);
    s->size_more = 0.7 * uniform(key, DRAW_INTERMITTENT, 2);
    if (uniform(key, DRAW_LATE, 0) < o->late_share)
        s->start = DAY_2016 + (int64_t)((DAY_2026 - DAY_2016) * uniform(key, DRAW_LATE, 1));
    if (uniform(key, DRAW_END, 0) < o->end_share)
        s->end = DAY_2018 + (int64_t)((DAY_2030 - DAY_2018) * uniform(key, DRAW_END, 1));
    for (int j = 0; j < OCTAVES; ++j)
        s->knot[j] = INT64_MIN;
}

/* Hashed knots joined by lines; the two knots at hand are kept, as neighbouring dates share them. */
static double slow_noise(sim_series *s, int64_t day) {
    double sum = 0;
    for (int j = 0; j < OCTAVES; ++j) {
        int64_t spacing = (int64_t)octave_days[j], knot = floor_divide(day, spacing);
        if (knot != s->knot[j]) {
            s->knot[j] = knot;
            s->knot_left[j] = normal(s->key, DRAW_KNOT + j, knot);
            s->knot_right[j] = normal(s->key, DRAW_KNOT + j, knot + 1);
        }
        double at = (double)(day - knot * spacing) / octave_days[j];
        sum += octave_sigma[j] * (s->knot_left[j] + at * (s->knot_right[j] - s->knot_left[j]));
    }
    return sum;
}

static double level_shift(sim_series *s, int64_t day) {
    int64_t segment = floor_divide(day + s->segment_offset, (int64_t)s->segment_days);
    if (segment != s->segment) {
        s->segment = segment;
        s->shift =
            uniform(s->key, DRAW_SHIFT, segment) < 0.2 ? 0.7 * normal(s->key, DRAW_SHIFT, ~segment) : 0;
    }
    return s->shift;
}

static double value_of(sim_series *s, const sim_period *p, double promoted) {
    const double *year = yearly_profile[s->type];
    double season =
        s->yearly * (year[p->month] + p->month_fraction * (year[(p->month + 1) % 12] - year[p->month]));
    if (p->weekday >= 0)
        season += s->weekly * weekly_profile[s->type][p->weekday];
    double promotion = 1 + promoted * s->uplift_minus_1;
    if (s->intermittent) {
        double mean = s->event_rate * p->days * power_of_2(0.5 * season) * promotion;
        int64_t events = poisson(mean, s->key, DRAW_COUNT, p->ds), total = 0;
        if (events > 64)
            return (double)round_positive((double)events / (1 - s->size_more));
        for (int64_t e = 0; e < events; ++e, ++total)
            for (int more = 0; more < 40; ++more, ++total)
                if (uniform(s->key, DRAW_SIZE, (p->ds * 64 + e) * 64 + more) >= s->size_more)
                    break;
        return (double)total;
    }
    double years = (double)(p->day - DAY_2020) / 365.25;
    double sigma = 0.02 + s->sigma / tide_sqrt(p->days);
    double log2_mean = s->log2_level + s->growth * years + slow_noise(s, p->day) + level_shift(s, p->day) +
                       season + sigma * normal(s->key, DRAW_WHITE, p->ds);
    double mean = p->days * power_of_2(log2_mean) * promotion;
    if (s->money)
        return (double)round_positive(100 * mean * s->price) / 100;
    return (double)poisson(mean, s->key, DRAW_COUNT, p->ds);
}

static int row_exists(const tide_simulate_options *o, const sim_series *s, const sim_period *p) {
    if (p->ds < s->start || p->ds > s->end)
        return 0;
    if (o->gap_share <= 0)
        return 1;
    return uniform(s->key, DRAW_GAP, p->ds) >= 0.5 * o->gap_share &&
           uniform(s->key, DRAW_OUTAGE, floor_divide(p->ds, 30)) >= 0.5 * o->gap_share;
}

uint32_t tide_simulate_group(const tide_simulate_options *options, uint64_t series) {
    return (uint32_t)(draw(series_key(options->seed, series), DRAW_GROUP, 0) % GROUPS);
}

int tide_simulate_promoted(const tide_simulate_options *options, uint32_t group, int64_t day) {
    int64_t week = floor_divide(day + 3, 7); /* 1969-12-29, day -3, is a Monday */
    return uniform(series_key(~options->seed, group), DRAW_PROMOTION, week) < options->promotion_rate;
}

/* --- the source --------------------------------------------------------------------------------------------
 */

static size_t write_id(char *out, uint64_t number) {
    char digits[20];
    size_t n = 0, at = 0;
    do
        digits[n++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    out[at++] = 'S';
    for (size_t pad = n; pad < 7; ++pad)
        out[at++] = '0';
    while (n)
        out[at++] = digits[--n];
    return at;
}

static tide_status sim_next(void *self, tide_rows *rows, tide_error *err) {
    (void)err;
    simulation *sim = self;
    const tide_simulate_options *o = &sim->options;
    size_t n = 0, used = 0;
    while (n < BLOCK_ROWS && sim->series_done < o->n_series) {
        uint64_t number = o->first_series + sim->series_done;
        if (!sim->series_open) {
            open_series(sim, &sim->series, number);
            sim->series_open = 1;
            sim->next_period = 0;
        }
        size_t length = write_id(sim->bytes + used, number), before = n;
        for (; sim->next_period < sim->n_periods && n < BLOCK_ROWS; ++sim->next_period) {
            const sim_period *p = &sim->periods[sim->next_period];
            if (!row_exists(o, &sim->series, p))
                continue;
            sim->id_at[n] = (uint32_t)used;
            sim->id_length[n] = (uint32_t)length;
            sim->ds[n] = p->ds;
            int missing =
                o->missing_share > 0 && uniform(sim->series.key, DRAW_MISSING, p->ds) < o->missing_share;
            sim->y[n] = missing ? TIDE_NAN
                                : value_of(&sim->series, p, (double)sim->series.promoted[sim->next_period]);
            sim->line[n++] = ++sim->row;
        }
        if (n > before)
            used += length;
        if (sim->next_period == sim->n_periods) {
            sim->series_open = 0;
            ++sim->series_done;
        }
    }
    *rows = (tide_rows){.n = n,
                        .ds_kind = TIDE_DS_DATE,
                        .bytes = sim->bytes,
                        .id_at = sim->id_at,
                        .id_length = sim->id_length,
                        .ds = sim->ds,
                        .y = sim->y,
                        .line = sim->line};
    return TIDE_OK;
}

static void sim_progress(void *self, uint64_t *done, uint64_t *total) {
    const simulation *sim = self;
    *done = sim->series_done;
    *total = sim->options.n_series;
}

static void sim_close(void *self) {
    simulation *sim = self;
    if (!sim)
        return;
    free(sim->periods);
    free(sim->promoted);
    free(sim->bytes);
    free(sim->id_at);
    free(sim->id_length);
    free(sim->ds);
    free(sim->y);
    free(sim->line);
    free(sim);
}

static int64_t period_start(tide_freq freq, int64_t index) {
    return tide_grid_add(freq, TIDE_DS_DATE, freq.unit == TIDE_UNIT_WEEK ? 4 : 0, index, 0);
}

/* Index of the first period that starts at or after the day. */
static int64_t period_from(tide_freq freq, int64_t day) {
    int64_t low = -200000, high = 200000;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (period_start(freq, middle) < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void fill_period(sim_period *p, tide_freq freq, int64_t index) {
    int64_t next = period_start(freq, index + 1);
    p->ds = period_start(freq, index);
    p->day = p->ds + (next - p->ds - 1) / 2;
    p->days = freq.unit == TIDE_UNIT_BUSINESS_DAY ? (double)freq.multiple : (double)(next - p->ds);
    int daily = (freq.unit == TIDE_UNIT_DAY || freq.unit == TIDE_UNIT_BUSINESS_DAY) && freq.multiple == 1;
    p->weekday = daily ? (int)(p->ds + 3 - 7 * floor_divide(p->ds + 3, 7)) : -1;
    /* The year in twelfths, from the middle of January; the mean length of a year keeps it within a day. */
    double year = (double)(p->day - 15) / 365.2425, fraction = year - (double)(int64_t)year;
    if (fraction < 0)
        fraction += 1;
    p->month = (int)(12 * fraction) % 12;
    p->month_fraction = 12 * fraction - (double)(int)(12 * fraction);
}

static tide_status check_options(const tide_simulate_options *o, tide_error *err) {
    const double shares[] = {o->intermittent_share, o->late_share,    o->end_share,
                             o->gap_share,          o->missing_share, o->promotion_rate};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; ++i)
        if (!(shares[i] >= 0 && shares[i] <= 1))
            return tide_fail(err, TIDE_CONFIG, "simulate: a share is %g, it must lie between 0 and 1",
                             shares[i]);
    if (o->from > o->to)
        return tide_fail(err, TIDE_CONFIG, "simulate: the range of dates ends before it begins");
    if (o->from < DAY_1900 || o->to >= DAY_2200)
        return tide_fail(err, TIDE_CONFIG, "simulate: dates must lie between 1900-01-01 and 2199-12-31");
    if (o->freq.multiple < 1 || o->freq.unit < TIDE_UNIT_DAY || o->freq.unit > TIDE_UNIT_YEAR) {
        char freq[24];
        tide_freq_format(o->freq, freq, sizeof freq);
        return tide_fail(err, TIDE_CONFIG,
                         "simulate: frequency %s; it must be D, B, W, M, Q, Y or a multiple", freq);
    }
    if (o->n_series > UINT64_MAX / 4 || o->first_series > UINT64_MAX / 4)
        return tide_fail(err, TIDE_CONFIG, "simulate: too many series");
    return TIDE_OK;
}

void tide_simulate_options_init(tide_simulate_options *options) {
    *options = (tide_simulate_options){.n_series = 1000,
                                       .from = 18993,
                                       .to = 20088,
                                       .freq = {TIDE_UNIT_DAY, 1},
                                       .seed = 1,
                                       .intermittent_share = 0.2,
                                       .late_share = 0.15,
                                       .end_share = 0.03,
                                       .gap_share = 0.004,
                                       .missing_share = 0.001,
                                       .promotion_rate = 0.09};
}

tide_status tide_simulate_open(const tide_simulate_options *options, tide_source *out, tide_error *err) {
    TIDE_TRY(check_options(options, err));
    int64_t first = period_from(options->freq, options->from),
            end = period_from(options->freq, options->to + 1);
    simulation *sim = calloc(1, sizeof *sim);
    if (!sim)
        return tide_fail(err, TIDE_MEMORY, "simulate: out of memory");
    sim->options = *options;
    sim->n_periods = end > first ? (size_t)(end - first) : 0;
    sim->periods = calloc(sim->n_periods + 1, sizeof *sim->periods);
    sim->promoted = calloc((sim->n_periods + 1) * GROUPS, sizeof *sim->promoted);
    sim->bytes = malloc((size_t)BLOCK_ROWS * ID_BYTES + ID_BYTES);
    sim->id_at = malloc(BLOCK_ROWS * sizeof *sim->id_at);
    sim->id_length = malloc(BLOCK_ROWS * sizeof *sim->id_length);
    sim->ds = malloc(BLOCK_ROWS * sizeof *sim->ds);
    sim->y = malloc(BLOCK_ROWS * sizeof *sim->y);
    sim->line = malloc(BLOCK_ROWS * sizeof *sim->line);
    if (!sim->periods || !sim->promoted || !sim->bytes || !sim->id_at || !sim->id_length || !sim->ds ||
        !sim->y || !sim->line) {
        sim_close(sim);
        return tide_fail(err, TIDE_MEMORY, "simulate: out of memory");
    }
    if (!sim->n_periods)
        sim->series_done = options->n_series;
    for (size_t i = 0; i < sim->n_periods; ++i) {
        fill_period(&sim->periods[i], options->freq, first + (int64_t)i);
        int64_t from = sim->periods[i].ds, weeks = 0, promoted;
        int64_t last = period_start(options->freq, first + (int64_t)i + 1) - 1;
        for (int64_t day = from; day <= last; day += 7)
            ++weeks;
        for (uint32_t g = 0; g < GROUPS; ++g) {
            promoted = 0;
            for (int64_t day = from; day <= last; day += 7)
                promoted += tide_simulate_promoted(options, g, day);
            sim->promoted[g * sim->n_periods + i] = (float)promoted / (float)weeks;
        }
    }
    *out = (tide_source){.self = sim,
                         .line_word = "row",
                         .grouped = 1,
                         .next = sim_next,
                         .progress = sim_progress,
                         .close = sim_close};
    snprintf(out->name, sizeof out->name, "simulate");
    return TIDE_OK;
}
