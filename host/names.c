/* names.c - see names.h. All texts come from the .def files in kernels/. */
#include "host/names.h"

#include "kernels/arima.h"
#include "kernels/ets.h"

#include <stdio.h>
#include <string.h>

const char *tide_outcome_name(int outcome) {
    switch (outcome) {
#define TIDE_OUTCOME(NAME, number, name, why)                                                                \
    case number:                                                                                             \
        return name;
#include "kernels/outcomes.def"
#undef TIDE_OUTCOME
    default:
        return "?";
    }
}

const char *tide_outcome_text(int outcome) {
    switch (outcome) {
#define TIDE_OUTCOME(NAME, number, name, why)                                                                \
    case number:                                                                                             \
        return why;
#include "kernels/outcomes.def"
#undef TIDE_OUTCOME
    default:
        return "?";
    }
}

const char *tide_family_name(int family) {
    switch (family) {
#define TIDE_FAMILY(NAME, number, name, title)                                                               \
    case number:                                                                                             \
        return name;
#include "kernels/families.def"
#undef TIDE_FAMILY
    default:
        return "?";
    }
}

static const char *ets_form_name(int form) {
    switch (form) {
#define TIDE_ETS_FORM(name, e, t, s)                                                                         \
    case TIDE_ETS_##name:                                                                                    \
        return #name;
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
    default:
        return "?";
    }
}

static int is_ets(int family) {
    return family >= 0 && family < TIDE_FAMILY_COUNT && (TIDE_FAMILIES_ETS >> family & 1u);
}

/* Families without forms have the one form 0, whose name is empty. */
static int known(int family, uint32_t form) {
    if (is_ets(family))
        return form < TIDE_ETS_FORMS;
    if (family == TIDE_FAMILY_ARIMA)
        return form >> 31 == 0 && tide_arima_valid(tide_arima_order_of(form));
    return family >= 0 && family < TIDE_FAMILY_COUNT && form == 0;
}

const char *tide_form_name(int family, uint32_t form) {
    if (!known(family, form))
        return "?";
    return is_ets(family) ? ets_form_name((int)form) : family == TIDE_FAMILY_ARIMA ? "ARIMA" : "";
}

/* R's words for the constant; what R calls regression errors is said of the regressors instead. */
static void arima_text(tide_arima_order o, int season, char *out, size_t size) {
    char seasonal[40] = "", more[48] = "";
    const char *constant = o.constant ? (o.d + o.D ? " with drift" : " with non-zero mean")
                                      : (o.d + o.D ? "" : " with zero mean");
    if (o.P || o.D || o.Q)
        snprintf(seasonal, sizeof seasonal, "(%d,%d,%d)[%d]", o.P, o.D, o.Q, season);
    size_t at = 0;
    if (o.fourier)
        at += (size_t)snprintf(more, sizeof more, ", Fourier K=%d", o.fourier);
    if (o.xreg)
        at += (size_t)snprintf(more + at, sizeof more - at, ", xreg %d", o.xreg);
    snprintf(more + at, sizeof more - at, "%s", o.boxcox ? ", Box-Cox" : "");
    snprintf(out, size, "ARIMA(%d,%d,%d)%s%s%s", o.p, o.d, o.q, seasonal, constant, more);
}

const char *tide_form_text(int family, uint32_t form, int season, char *out, size_t size) {
    if (family == TIDE_FAMILY_ARIMA && known(family, form))
        arima_text(tide_arima_order_of(form), season, out, size);
    else
        snprintf(out, size, "%s", tide_form_name(family, form));
    return out;
}

static int same(const char *text, const char *name, size_t length) {
    return strlen(text) == length && memcmp(text, name, length) == 0;
}

int tide_family_number(const char *name, size_t length) {
    for (int f = 0; f < TIDE_FAMILY_COUNT; ++f)
        if (same(tide_family_name(f), name, length))
            return f;
    return -1;
}

int tide_ets_form_number(const char *name, size_t length) {
    for (int f = 0; f < TIDE_ETS_FORMS; ++f)
        if (same(ets_form_name(f), name, length))
            return f;
    return -1;
}

int tide_coef_count(int family, uint32_t form) {
    if (!known(family, form))
        return -1;
    if (family == TIDE_FAMILY_DRIFT || family == TIDE_FAMILY_MEAN)
        return 1;
    if (family == TIDE_FAMILY_ARIMA)
        return tide_arima_n_coef(tide_arima_order_of(form));
    if (!is_ets(family))
        return 0;
    tide_ets_form f = tide_ets_form_of((int)form);
    return f.trend == TIDE_DAMPED ? 4 : f.season != TIDE_NO ? 3 : f.trend != TIDE_NO ? 2 : 1;
}

int tide_state_count(int family, uint32_t form, int season) {
    if (!known(family, form))
        return -1;
    if (family == TIDE_FAMILY_ARIMA) {
        tide_arima_order o = tide_arima_order_of(form);
        return tide_arima_valid_at(o, season) ? tide_arima_n_state(o, season) : -1;
    }
    tide_ets_form f = tide_ets_form_of((int)form);
    switch (family) {
    case TIDE_FAMILY_ETS:
    case TIDE_FAMILY_ETS_ROBUST:
        return f.season != TIDE_NO ? 2 + season : f.trend != TIDE_NO ? 2 : 1;
    case TIDE_FAMILY_SNAIVE:
        return 2 + season;
    case TIDE_FAMILY_DRIFT:
        return 2;
    case TIDE_FAMILY_NAIVE:
    case TIDE_FAMILY_MEAN:
        return 1;
    default:
        return 0;
    }
}

static const char *arima_coef_name(tide_arima_order o, int row) {
    static const char *const ar[] = {"ar1", "ar2", "ar3", "ar4", "ar5"};
    static const char *const ma[] = {"ma1", "ma2", "ma3", "ma4", "ma5"};
    static const char *const sar[] = {"sar1", "sar2"}, *const sma[] = {"sma1", "sma2"};
    static const char *const pair[] = {
        "sin1", "cos1", "sin2", "cos2", "sin3", "cos3", "sin4", "cos4", "sin5", "cos5", "sin6", "cos6", "sin7",
        "cos7", "sin8", "cos8", "sin9", "cos9", "sin10", "cos10", "sin11", "cos11", "sin12", "cos12", "sin13",
        "cos13", "sin14", "cos14", "sin15", "cos15", "sin16", "cos16", "sin17", "cos17", "sin18", "cos18",
        "sin19", "cos19", "sin20", "cos20", "sin21", "cos21", "sin22", "cos22", "sin23", "cos23", "sin24",
        "cos24", "sin25", "cos25", "sin26", "cos26", "sin27", "cos27", "sin28", "cos28", "sin29", "cos29",
        "sin30", "cos30", "sin31", "cos31"};
    static const char *const x[] = {
        "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
        "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29",
        "x30", "x31", "x32", "x33", "x34", "x35", "x36", "x37", "x38", "x39", "x40", "x41", "x42", "x43",
        "x44", "x45", "x46", "x47", "x48", "x49", "x50", "x51", "x52", "x53", "x54", "x55", "x56", "x57",
        "x58", "x59", "x60", "x61", "x62", "x63", "x64"};
    _Static_assert(sizeof ar / sizeof *ar == TIDE_ARIMA_ORDER_MAX && sizeof ma / sizeof *ma == TIDE_ARIMA_ORDER_MAX &&
                       sizeof sar / sizeof *sar == TIDE_ARIMA_SEASONAL_MAX &&
                       sizeof sma / sizeof *sma == TIDE_ARIMA_SEASONAL_MAX &&
                       sizeof pair / sizeof *pair == 2 * TIDE_ARIMA_FOURIER_MAX && sizeof x / sizeof *x == TIDE_XREG_MAX,
                   "a name for every row");
    const int last = tide_arima_beta_at(o) + 2 * o.fourier;
    if (row < o.p)
        return ar[row];
    if (row < o.p + o.q)
        return ma[row - o.p];
    if (row < o.p + o.q + o.P)
        return sar[row - o.p - o.q];
    if (row < tide_arima_constant_at(o))
        return sma[row - o.p - o.q - o.P];
    if (row < tide_arima_beta_at(o))
        return o.d + o.D ? "drift" : "mean";
    if (row < last)
        return pair[row - tide_arima_beta_at(o)];
    if (row < tide_arima_lambda_at(o))
        return x[row - last];
    return row < tide_arima_steps_at(o) ? "lambda" : "steps";
}

const char *tide_coef_name(int family, uint32_t form, int row) {
    static const char *const names[TIDE_ETS_COEF_ROWS] = {"alpha", "beta", "gamma", "phi"};
    if (row < 0 || row >= tide_coef_count(family, form))
        return "?";
    if (family == TIDE_FAMILY_ARIMA)
        return arima_coef_name(tide_arima_order_of(form), row);
    return is_ets(family) ? names[row] : "relative_variance"; /* naive.h: of the slope or the mean */
}

const char *tide_state_name(int family, uint32_t form, int season, int row) {
    if (row < 0 || row >= tide_state_count(family, form, season))
        return "?";
    if (family == TIDE_FAMILY_ARIMA)
        return row < tide_arima_r(tide_arima_order_of(form), season) ? "x" : "lag";
    return row == 0 ? "level" : row == 1 ? "trend" : "season";
}
