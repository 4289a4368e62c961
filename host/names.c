/* names.c - see names.h. All texts come from the .def files in kernels/. */
#include "host/names.h"

#include "kernels/ets.h"

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
const char *tide_form_name(int family, uint32_t form) {
    if (is_ets(family))
        return ets_form_name((int)form);
    return family >= 0 && family < TIDE_FAMILY_COUNT && form == 0 ? "" : "?";
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

static int known(int family, uint32_t form) {
    if (is_ets(family))
        return form < TIDE_ETS_FORMS;
    return family >= 0 && family < TIDE_FAMILY_COUNT && form == 0;
}

int tide_coef_count(int family, uint32_t form) {
    if (!known(family, form))
        return -1;
    if (family == TIDE_FAMILY_DRIFT || family == TIDE_FAMILY_MEAN)
        return 1;
    if (!is_ets(family))
        return 0;
    tide_ets_form f = tide_ets_form_of((int)form);
    return f.trend == TIDE_DAMPED ? 4 : f.season != TIDE_NO ? 3 : f.trend != TIDE_NO ? 2 : 1;
}

int tide_state_count(int family, uint32_t form, int season) {
    if (!known(family, form))
        return -1;
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

const char *tide_coef_name(int family, uint32_t form, int row) {
    static const char *const names[TIDE_ETS_COEF_ROWS] = {"alpha", "beta", "gamma", "phi"};
    if (row < 0 || row >= tide_coef_count(family, form))
        return "?";
    return is_ets(family) ? names[row] : "relative_variance"; /* naive.h: of the slope or the mean */
}

const char *tide_state_name(int family, uint32_t form, int row) {
    if (row < 0 || row >= tide_state_count(family, form, TIDE_SEASON_MAX))
        return "?";
    return row == 0 ? "level" : row == 1 ? "trend" : "season";
}
