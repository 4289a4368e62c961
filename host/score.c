#include "host/score.h"

#include "kernels/tide_fn.h"

#include <math.h>
#include <stdio.h>

static const char *const base_names[TIDE_METRIC_LEVELS] = {"mae", "rmse", "bias", "smape", "mase", "rmsse"};
static const char *const level_names[TIDE_LEVEL_METRICS] = {"coverage", "width", "msis", "pinball"};

const char *tide_metric_name(int metric, const double *level, char *out, size_t size) {
    if (metric < TIDE_METRIC_LEVELS)
        snprintf(out, size, "%s", base_names[metric]);
    else
        snprintf(out, size, "%s-%.10g", level_names[(metric - TIDE_METRIC_LEVELS) % TIDE_LEVEL_METRICS],
                 100.0 * level[(metric - TIDE_METRIC_LEVELS) / TIDE_LEVEL_METRICS]);
    return out;
}

tide_scale tide_scale_of(const double *y, size_t n, int32_t lag) {
    double absolute = 0.0, square = 0.0, count = 0.0;
    for (size_t t = (size_t)lag; t < n; ++t) {
        double d = y[t] - y[t - (size_t)lag];
        if (isnan(d))
            continue;
        absolute += fabs(d);
        square += d * d;
        count += 1.0;
    }
    return count > 0.0 ? (tide_scale){absolute / count, square / count} : (tide_scale){0.0, 0.0};
}

static double pinball(double y, double q, double u) {
    return y >= q ? u * (y - q) : (1.0 - u) * (q - y);
}

static void score_level(const tide_window *w, int l, double count, double *value) {
    double inside = 0.0, width = 0.0, score = 0.0, loss = 0.0, a = 1.0 - w->level[l];
    for (int32_t h = 0; h < w->horizon; ++h) {
        double y = w->actual[h];
        size_t at = ((size_t)l * w->rows + (size_t)h) * w->stride;
        if (isnan(y))
            continue;
        double lo = w->lo[at], hi = w->hi[at];
        inside += lo <= y && y <= hi ? 1.0 : 0.0;
        width += hi - lo;
        score += hi - lo + 2.0 / a * (fmax(lo - y, 0.0) + fmax(y - hi, 0.0));
        loss += 0.5 * (pinball(y, lo, 0.5 * a) + pinball(y, hi, 1.0 - 0.5 * a));
    }
    value[TIDE_LEVEL_COVERAGE] = inside / count;
    value[TIDE_LEVEL_WIDTH] = width / count;
    value[TIDE_LEVEL_MSIS] = w->scale.mae > 0.0 ? score / count / w->scale.mae : TIDE_NAN;
    value[TIDE_LEVEL_PINBALL] = w->scale.mae > 0.0 ? loss / count / w->scale.mae : TIDE_NAN;
}

int32_t tide_score_window(const tide_window *w, double *value) {
    double absolute = 0.0, square = 0.0, bias = 0.0, smape = 0.0, count = 0.0;
    for (int m = 0; m < tide_metric_count(w->n_levels); ++m)
        value[m] = TIDE_NAN;
    for (int32_t h = 0; h < w->horizon; ++h) {
        double y = w->actual[h], f = w->mean[(size_t)h * w->stride];
        if (isnan(y))
            continue;
        double size = fabs(y) + fabs(f);
        absolute += fabs(y - f);
        square += (y - f) * (y - f);
        bias += f - y;
        smape += size == 0.0 ? 0.0 : 200.0 * (fabs(y - f) / size);
        count += 1.0;
    }
    if (count == 0.0)
        return 0;
    value[TIDE_METRIC_MAE] = absolute / count;
    value[TIDE_METRIC_RMSE] = sqrt(square / count);
    value[TIDE_METRIC_BIAS] = bias / count;
    value[TIDE_METRIC_SMAPE] = smape / count;
    if (w->scale.mae > 0.0)
        value[TIDE_METRIC_MASE] = absolute / count / w->scale.mae;
    if (w->scale.mse > 0.0)
        value[TIDE_METRIC_RMSSE] = sqrt(square / count / w->scale.mse);
    for (int l = 0; l < w->n_levels; ++l)
        score_level(w, l, count, value + tide_metric_count(l));
    return (int32_t)count;
}

/* --- benchmarks ---------------------------------------------------------------------------------------------- */

static double last_value(const double *y, size_t n) {
    while (n > 0 && isnan(y[n - 1]))
        --n;
    return n > 0 ? y[n - 1] : TIDE_NAN;
}

void tide_snaive_forecast(const double *y, size_t n, int32_t season, int32_t horizon, double *f) {
    size_t m = season > 1 ? (size_t)season : 1;
    double last = last_value(y, n);
    for (int32_t h = 0; h < horizon; ++h) {
        f[h] = last;
        if ((size_t)h >= m) {
            f[h] = f[(size_t)h - m];
            continue;
        }
        for (size_t back = m - (size_t)h; back <= n; back += m)
            if (!isnan(y[n - back])) {
                f[h] = y[n - back];
                break;
            }
    }
}

/* Is the autocorrelation of y at lag m significant at 90 %? */
static int is_seasonal(const double *y, size_t n, size_t m) {
    double mean = 0.0, c0 = 0.0, last = 0.0, squares = 0.0;
    for (size_t t = 0; t < n; ++t)
        mean += y[t];
    mean /= (double)n;
    for (size_t t = 0; t < n; ++t)
        c0 += (y[t] - mean) * (y[t] - mean);
    if (!(c0 > 0.0))
        return 0;
    for (size_t k = 1; k <= m; ++k) {
        double c = 0.0;
        squares += last * last;
        for (size_t t = k; t < n; ++t)
            c += (y[t] - mean) * (y[t - k] - mean);
        last = c / c0;
    }
    return fabs(last) > 1.645 * sqrt((1.0 + 2.0 * squares) / (double)n);
}

/* Ratio of y_t to its centred moving average over a season; TIDE_NAN where there is none. */
static double ratio_at(const double *y, size_t n, size_t m, size_t t) {
    size_t half = m / 2;
    double sum = 0.0;
    if (t < half || t + half >= n)
        return TIDE_NAN;
    for (size_t k = t - half; k <= t + half; ++k)
        sum += m % 2 == 0 && (k == t - half || k == t + half) ? 0.5 * y[k] : y[k];
    return sum > 0.0 ? y[t] / (sum / (double)m) : TIDE_NAN;
}

/* Multiplicative index of place k of the season, before they are scaled to the mean 1. */
static double index_of(const double *y, size_t n, size_t m, size_t k) {
    double sum = 0.0, count = 0.0;
    for (size_t t = k; t < n; t += m) {
        double r = ratio_at(y, n, m, t);
        sum += isnan(r) ? 0.0 : r;
        count += isnan(r) ? 0.0 : 1.0;
    }
    return count > 0.0 ? sum / count : 1.0;
}

void tide_naive2_forecast(const double *y, size_t n, int32_t season, int32_t horizon, double *f) {
    size_t m = season > 1 ? (size_t)season : 1;
    double last = last_value(y, n), index[TIDE_SEASON_MAX], mean = 0.0;
    int adjust = m > 1 && n >= 3 * m;
    for (size_t t = 0; adjust && t < n; ++t)
        adjust = y[t] > 0.0;
    if (adjust && is_seasonal(y, n, m)) {
        for (size_t k = 0; k < m; ++k)
            mean += index[k] = index_of(y, n, m, k);
        mean /= (double)m;
        for (size_t k = 0; k < m; ++k) {
            index[k] /= mean;
            adjust &= index[k] > 0.0;
        }
    } else {
        adjust = 0;
    }
    for (int32_t h = 0; h < horizon; ++h)
        f[h] = adjust ? last / index[(n - 1) % m] * index[(n + (size_t)h) % m] : last;
}
