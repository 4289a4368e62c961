/* ets.h - exponential smoothing in innovations state-space form: the 15 forms, one step.
 *
 * Hyndman, Koehler, Ord, Snyder, "Forecasting with Exponential Smoothing" (2008), tables 2.2 and 2.3, with R's
 * parameterisation (beta and gamma multiply the innovation directly: beta = alpha beta*, gamma = (1 - alpha) gamma*):
 *
 *     q  = level (+ phi*trend)                     level before the innovation
 *     f  = q (+ season | * season)                 one-step mean
 *     eps = y - f;  innovation e = eps (additive error) or eps/f (multiplicative error)
 *     level <- q + alpha*r,   trend <- phi*trend + beta*r,   r = eps, or eps/season for multiplicative season
 *     season <- season + gamma*eps,                          or season + gamma*eps/q
 *
 * The recursion does not depend on the kind of error, only the likelihood and the variances do. A missing y has
 * eps = 0: the states are carried forward. phi = 1 for the undamped trend.
 * The seasonal state of time t lives in slot t mod m of a ring; final states are stored oldest first, so that
 * state[2] belongs to the next period. State rows: level, trend, season[0..m-1] (0 where the form has none). */
#ifndef TIDE_ETS_H
#define TIDE_ETS_H

#include "kernels/batch.h"
#include "kernels/tide_fn.h"

enum { TIDE_NO = 0, TIDE_ADD = 1, TIDE_MUL = 2, TIDE_DAMPED = 2 };

typedef struct tide_ets_form {
    int error;  /* TIDE_ADD or TIDE_MUL */
    int trend;  /* TIDE_NO, TIDE_ADD, TIDE_DAMPED (additive damped) */
    int season; /* TIDE_NO, TIDE_ADD, TIDE_MUL */
} tide_ets_form;

/* Number to form. With a constant id (the compiled forms) all of it folds away. */
TIDE_FN tide_ets_form tide_ets_form_of(int id) {
    tide_ets_form f = {TIDE_ADD, TIDE_NO, TIDE_NO};
    switch (id) {
#define TIDE_E_A TIDE_ADD
#define TIDE_E_M TIDE_MUL
#define TIDE_T_N TIDE_NO
#define TIDE_T_A TIDE_ADD
#define TIDE_T_D TIDE_DAMPED
#define TIDE_S_N TIDE_NO
#define TIDE_S_A TIDE_ADD
#define TIDE_S_M TIDE_MUL
#define TIDE_ETS_FORM(name, e, t, s)                                                                         \
    case TIDE_ETS_##name: f.error = TIDE_E_##e; f.trend = TIDE_T_##t; f.season = TIDE_S_##s; break;
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
#undef TIDE_E_A
#undef TIDE_E_M
#undef TIDE_T_N
#undef TIDE_T_A
#undef TIDE_T_D
#undef TIDE_S_N
#undef TIDE_S_A
#undef TIDE_S_M
    default: break;
    }
    return f;
}

typedef struct tide_ets_par {
    double alpha, beta, gamma, phi; /* beta = 0, gamma = 0, phi = 1 where the form has none */
} tide_ets_par;

/* Level before the innovation and one-step mean. */
TIDE_FN double tide_ets_level_ahead(tide_ets_form form, double phi, double level, double trend) {
    return form.trend == TIDE_NO    ? level
           : form.trend == TIDE_ADD ? level + trend
                                    : tide_fma(phi, trend, level);
}

TIDE_FN double tide_ets_mean(tide_ets_form form, double q, double season) {
    return form.season == TIDE_NO ? q : form.season == TIDE_ADD ? q + season : q * season;
}

/* One step: takes the states before time t and y_t (TIDE_NAN = missing), leaves the states after it.
 * Returns eps = y - f, 0 where y is missing; *mean = f. */
TIDE_FN double tide_ets_step(tide_ets_form form, tide_ets_par p, double y, double *level, double *trend,
                             double *season, double *mean) {
    double q = tide_ets_level_ahead(form, p.phi, *level, *trend);
    double s = *season;
    double f = tide_ets_mean(form, q, s);
    double eps = tide_is_nan(y) ? 0.0 : y - f;
    double r = form.season == TIDE_MUL ? eps / s : eps;
    *level = tide_fma(p.alpha, r, q);
    if (form.trend == TIDE_ADD) *trend = tide_fma(p.beta, r, *trend);
    if (form.trend == TIDE_DAMPED) *trend = tide_fma(p.beta, r, p.phi * *trend);
    if (form.season == TIDE_ADD) *season = tide_fma(p.gamma, eps, s);
    if (form.season == TIDE_MUL) *season = tide_fma(p.gamma, eps / q, s);
    *mean = f;
    return eps;
}

#endif
