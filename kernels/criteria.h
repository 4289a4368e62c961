/* criteria.h - information criteria from a log-likelihood, as R's forecast package counts them.
 *
 *     AIC  = -2 loglik + 2k                        k = n_params, the innovation variance included
 *     AICc = AIC + 2k(k + 1)/(n - k - 1)           n = n_obs, values present; +inf when n <= k + 1
 *     BIC  = -2 loglik + k log n
 *
 * Comparable between models of the same values only. */
#ifndef TIDE_CRITERIA_H
#define TIDE_CRITERIA_H

#include "kernels/batch.h"
#include "kernels/tide_math.h"

/* criterion: a tide_criterion. */
TIDE_FN double tide_criterion_value(int criterion, double loglik, int n_params, int n_obs) {
    double k = (double)n_params, n = (double)n_obs, room = n - k - 1.0;
    double aic = 2.0 * k - 2.0 * loglik;
    double aicc = room > 0.0 ? aic + 2.0 * k * (k + 1.0) / room : TIDE_INF;
    return criterion == TIDE_AIC ? aic : criterion == TIDE_BIC ? k * tide_log(n) - 2.0 * loglik : aicc;
}

#endif
