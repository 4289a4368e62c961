/* names.h - texts of the stored numbers (outcomes, families, forms), and how many coefficients and states a
 * model of each family and form has: the one place that says so, for the store's writer and reader, inspect,
 * and the tests. */
#ifndef TIDE_NAMES_H
#define TIDE_NAMES_H

#include "host/tidemill_predict.h" /* tide_outcome_name, tide_outcome_text, tide_family_name, tide_form_name */

/* Rows of tide_results.coef and .state that a member of this family and form has; the rows past them are zero
 * there and are not stored. Rows keep their place: an ETS(M,N,A) has three coefficients, beta = 0 among them.
 * -1 for an unknown family or form. season is the period m. */
TIDE_API int tide_coef_count(int family, uint32_t form);
TIDE_API int tide_state_count(int family, uint32_t form, int season);

/* "alpha", "ar1", "level", "season" (every seasonal state); "?" for a row that the form does not have. */
TIDE_API const char *tide_coef_name(int family, uint32_t form, int row);
TIDE_API const char *tide_state_name(int family, uint32_t form, int season, int row);

/* Number of a name as typed by a user (exact), or -1. */
TIDE_API int tide_family_number(const char *name, size_t length);
TIDE_API int tide_ets_form_number(const char *name, size_t length);

#endif
