/* batch.h - what goes into a fit of many series and what comes out: tiles, fit spec, results, lane drivers.
 *
 * Shared by every backend (CPU per instruction set, CUDA), so that all address the same memory the same way and
 * their results compare with memcmp.
 *
 * Tile layout. The plan sorts series by length and cuts them into tiles of TIDE_TILE_WIDTH = 32 series (one CUDA
 * warp, one AVX-512 lane block, two AVX2 blocks, ...). Tile T holds `rows[T]` time steps of 32 lanes, time-major:
 *
 *     y of series `order[T*32 + k]` at its step t  =  y[ offset[T] + t*32 + k ],   0 <= t < length[T*32 + k]
 *
 * Steps at or past a series' length, and lanes without a series (order < 0), hold TIDE_NAN. A missing value is
 * TIDE_NAN too. Values are already scaled: y_scaled = y / scale[T*32 + k], scale a power of two, so that scaling
 * is exact and the result does not depend on the unit of the data.
 *
 * Results layout. Member slot j, row r, series i (index in the *panel*, not the tile):
 *     coef [ (j*coef_rows  + r) * n_series + i ]
 *     state[ (j*state_rows + r) * n_series + i ]
 * and `family, form, weight, ...` at [j*n_series + i]. Coefficients, states, sigma2 and log-likelihood are on the
 * scale of the data (already unscaled). Slots at or past n_members[i] are zero in every array.
 */
#ifndef TIDE_BATCH_H
#define TIDE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TIDE_TILE_WIDTH = 32 };

typedef enum tide_family {
#define TIDE_FAMILY(NAME, number, text, title) TIDE_FAMILY_##NAME = (number),
#include "kernels/families.def"
#undef TIDE_FAMILY
    TIDE_FAMILY_COUNT
} tide_family;

/* Families whose members are forms of exponential smoothing, fitted by likelihood or by absolute errors. */
#define TIDE_FAMILIES_ETS (1u << TIDE_FAMILY_ETS | 1u << TIDE_FAMILY_ETS_ROBUST)

typedef enum tide_outcome {
#define TIDE_OUTCOME(NAME, number, text, why) TIDE_OUTCOME_##NAME = (number),
#include "kernels/outcomes.def"
#undef TIDE_OUTCOME
    TIDE_OUTCOME_COUNT
} tide_outcome;

typedef enum tide_ets_form_id {
#define TIDE_ETS_FORM(name, e, t, s) TIDE_ETS_##name,
#include "kernels/forms.def"
#undef TIDE_ETS_FORM
    TIDE_ETS_FORMS
} tide_ets_form_id;

typedef enum tide_criterion { TIDE_AICC = 0, TIDE_AIC = 1, TIDE_BIC = 2 } tide_criterion;

/* How a set of fitted candidates becomes a model: the one best by the criterion, or all of them weighted. */
typedef enum tide_ets_mode { TIDE_ETS_LIKELIHOOD = 0, TIDE_ETS_AVERAGE = 1 } tide_ets_mode;

enum {
    TIDE_ETS_COEF_ROWS = 4,     /* alpha, beta, gamma, phi; 0 where the form has none */
    TIDE_SEASON_MAX = 366,      /* longest period */
    TIDE_SEASON_FREE_MAX = 24,  /* longest period whose seasonal initial states are estimated; beyond, they stay
                                   at the decomposition (memory and time a series stay bounded) */
    TIDE_WARM_ROWS = TIDE_ETS_FORMS * TIDE_ETS_COEF_ROWS /* of tide_tiles.warm */
};

/* ARIMA: limits of what can be stored, and what to search. See arima.h. */
enum {
    TIDE_ARIMA_ORDER_MAX = 5,    /* p, q */
    TIDE_ARIMA_SEASONAL_MAX = 2, /* P, Q */
    TIDE_ARIMA_SEASON_MAX = 53,  /* longest period with seasonal terms and differences; beyond, Fourier terms */
    TIDE_ARIMA_FOURIER_MAX = 31, /* pairs; of the week of hours, 28 hold the fourth harmonic of a day */
    TIDE_XREG_MAX = 64,          /* shared regressors */
    TIDE_ARIMA_MISSING_MAX = 64  /* missing values in the stretch that a model is fitted on: the latest one with no
                                    more than these */
};
typedef enum tide_arima_search { TIDE_ARIMA_GRID = 0, TIDE_ARIMA_STEPWISE = 1 } tide_arima_search;
typedef enum tide_boxcox { TIDE_BOXCOX_NONE = 0, TIDE_BOXCOX_GIVEN = 1, TIDE_BOXCOX_ESTIMATED = 2 } tide_boxcox;

typedef struct tide_arima_spec {
    int32_t max_p, max_q, max_P, max_Q; /* each order of a candidate */
    int32_t max_order;                  /* p + q + P + Q of a candidate */
    int32_t max_d, max_D;               /* of the differences chosen by test */
    int32_t d, D;                       /* -1: by test (KPSS; seasonal strength); else fixed */
    int32_t fixed;                      /* 1: the one order p, q, P, Q instead of a search */
    int32_t p, q, P, Q;                 /* of the fixed order */
    int32_t constant;                   /* 1: a mean or drift is tried (fixed order: taken); 0: never */
    int32_t search;                     /* tide_arima_search */
    int32_t max_fourier;                /* pairs of Fourier terms; 0 = none */
    int32_t fourier_auto;               /* 1: as many of them as the criterion asks for (arima_fourier.h) */
    int32_t xreg;                       /* shared regressors, at tiles->xreg; 0 = none */
    int32_t boxcox;                     /* tide_boxcox */
    int32_t max_iterations;             /* of the optimiser, an order */
    double lambda;                      /* TIDE_BOXCOX_GIVEN */
    double root_min;                    /* least modulus of a root of an AR or MA polynomial of a search's candidate
                                           (R: 1.01); 1 = no limit. Fixed orders: no limit */
} tide_arima_spec;

/* What to fit; the same for all series of a run. Plain data: copied to the device as it is. */
typedef struct tide_fit_spec {
    int32_t season;           /* period m, 1..TIDE_SEASON_MAX; 1 = no season */
    uint32_t families;        /* bit f set: family f is a candidate */
    uint32_t ets_forms;       /* bit set of tide_ets_form_id; forms a series cannot take are left out for it */
    int32_t criterion;        /* tide_criterion */
    int32_t ets_mode;         /* tide_ets_mode */
    int32_t max_iterations;   /* of the optimiser, a form; TIDE_OUTCOME_NOT_CONVERGED past it */
    int32_t slots;            /* member slots a series: 1 in likelihood mode; in average mode one for every candidate */
    double penalty;           /* average mode: penalty*beta/alpha is added to -2 log L */
    double temperature;       /* average mode: weight = exp(-(criterion - best)/temperature) */
    double min_weight;        /* average mode: members below are dropped, the rest rescaled */
    double lower[4], upper[4]; /* usual region: alpha, beta, gamma, phi (Hyndman et al. 2008, as R's ets()) */
    tide_arima_spec arima;
} tide_fit_spec;

/* Tiles of one batch: host memory, owner is the plan (host/plan.h). All arrays borrowed by a backend for one call. */
typedef struct tide_tiles {
    size_t n_series;          /* series in tiles; n_tiles = ceil(n_series/32) */
    size_t n_tiles;
    int32_t *order;           /* [n_tiles*32] panel index of the lane's series, -1 for none */
    int32_t *length;          /* [n_tiles*32] steps of the series, 0 for none */
    double *scale;            /* [n_tiles*32] power of two, 1 for none */
    uint8_t *outcome;         /* [n_tiles*32] TIDE_OUTCOME_FITTED, or why intake shut the series out */
    int32_t *rows;            /* [n_tiles] steps of the tile = longest of its series */
    size_t *offset;           /* [n_tiles] first element of the tile in y */
    double *y;                /* [sum of rows*32] */
    size_t y_count;
    double *warm;             /* NULL, or coefficients to start from: coefficient c of form f for lane k of tile T at
                                 [(T*TIDE_WARM_ROWS + f*TIDE_ETS_COEF_ROWS + c)*32 + k]; TIDE_NAN = none, and for
                                 alpha (c = 0): the lane starts this form cold */
    /* Shared regressors, NULL where spec.arima.xreg (K) is 0: */
    const double *xreg;       /* [xreg_rows*K] row-major, the same for all lanes; borrowed from the run */
    size_t xreg_rows;
    int32_t *xreg_at;         /* [n_tiles*32] row of the lane's first step */
    double *xreg_ols;         /* [n_tiles*32*K] coefficients of least squares for the scaled values: c of lane k of
                                 tile T at [(T*K + c)*32 + k]; d and D are chosen on what they leave. TIDE_NAN: the
                                 lane's values cannot tell the regressor from the others, its models are without it */
    uint8_t *xreg_outcome;    /* [n_tiles*32] or NULL: instead of `outcome` for families that take regressors; the
                                 host's (across.h), no kernel reads it */
} tide_tiles;

/* Results of one batch: caller's memory, one block (tide_results_bytes, tide_results_map in results.h). */
typedef struct tide_results {
    size_t n_series;
    int32_t slots, coef_rows, state_rows;
    uint8_t *outcome;         /* [n_series] tide_outcome */
    uint8_t *n_members;       /* [n_series] 0..slots */
    int32_t *n_obs;           /* [n_series] values present */
    double *scale;            /* [n_series] */
    int32_t *xreg_next;       /* [n_series] row of the regressors at the step after the last; 0 without any */
    uint8_t *family;          /* [slots*n_series] tide_family */
    uint32_t *form;           /* [slots*n_series] tide_ets_form_id where the family is one of TIDE_FAMILIES_ETS,
                                 tide_arima_form where it is ARIMA, else 0 */
    uint8_t *converged;       /* [slots*n_series] 1 or 0 */
    int32_t *n_params;        /* [slots*n_series] as counted by the criterion, sigma2 included */
    double *weight;           /* [slots*n_series] of a series sum to 1 */
    double *sigma2;           /* [slots*n_series] S/(n - n_params + 1), the divisor of R's ets(); relative for M-error */
    double *loglik;           /* [slots*n_series] */
    double *criterion;        /* [slots*n_series] the value of spec.criterion (AICc unless told) */
    double *coef;             /* [slots*coef_rows*n_series] */
    double *state;            /* [slots*state_rows*n_series] final states; see each family for their order */
    /* Not in the block: shared regressors (xreg_rows, xreg_columns) row-major, for forecasts; borrowed, may be NULL */
    const double *xreg;
    size_t xreg_rows;
    int32_t xreg_columns;
} tide_results;

/* What to forecast: the same for all series of a call. */
enum { TIDE_LEVELS_MAX = 8 };
typedef enum tide_intervals { TIDE_INTERVALS_CLOSED = 0, TIDE_INTERVALS_SIMULATED = 1 } tide_intervals;

typedef struct tide_forecast_spec {
    int32_t season;
    int32_t horizon;              /* steps, >= 1 */
    int32_t n_levels;             /* 0..TIDE_LEVELS_MAX */
    int32_t intervals;            /* tide_intervals */
    int32_t paths;                /* of a simulation */
    int32_t bias_adjust;          /* 1: point forecasts of Box-Cox members are means, not medians */
    int32_t no_arima;             /* 1: no member is an ARIMA model, simulations need no columns for one; the backends set it */
    uint64_t seed;                /* of a simulation: with the series' key (XXH3 of its id) it fixes every draw */
    double level[TIDE_LEVELS_MAX]; /* coverage in (0, 1), ascending */
} tide_forecast_spec;

/* Forecasts of a batch: what they are made from and where they go. Arrays as in the backends' forecast
 * (host/backend.h): mean [horizon*n_series], lo and hi [n_levels*horizon*n_series] or NULL, key [n_series] or NULL. */
typedef struct tide_forecast_job {
    const tide_forecast_spec *spec;
    const tide_results *results;
    const uint64_t *key;
    double *mean, *lo, *hi;
} tide_forecast_job;

/* The lane driver of one instruction set: batch_lanes.c compiled for it. No globals, no allocation. */
typedef struct tide_lane_driver {
    const char *name;   /* "scalar", "baseline", "avx2", "avx512" */
    int lanes;
    /* Bytes of workspace (64-byte aligned) that fit_tiles needs for `count` tiles of at most `rows` steps. */
    size_t (*workspace_bytes)(const tide_fit_spec *spec, int32_t rows, size_t count);
    /* Fits every series of the tiles first .. first + count - 1 and writes their results. The more tiles at once,
     * the fewer lanes idle while the last of them end; how a batch is cut changes no bit. */
    void (*fit_tiles)(const tide_fit_spec *spec, const tide_tiles *tiles, size_t first, size_t count,
                      void *workspace, tide_results *results);
    /* Forecasts of the series first .. end - 1 of the job; workspace: tide_forecast_workspace(spec, slots) doubles. */
    void (*forecast)(const tide_forecast_job *job, size_t first, size_t end, double *workspace);
} tide_lane_driver;

extern const tide_lane_driver tide_lanes_scalar, tide_lanes_baseline;
#if defined(__x86_64__)
extern const tide_lane_driver tide_lanes_avx2, tide_lanes_avx512;
#endif

#ifdef __cplusplus
}
#endif

#endif
