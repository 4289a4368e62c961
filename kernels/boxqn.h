/* boxqn.h - a damped quasi-Newton minimiser over lanes: many small problems at once, some parameters in
 * boxes.
 *
 * Ask and tell: the caller evaluates value and gradient of every lane at its `trial` point, then `start` or
 * `update` takes them in and `propose` makes the next trial. There is no line search inside a round and no
 * branch on a lane's data: a lane's sequence of operations depends on that lane alone, so lane count and
 * batch mates do not change a bit.
 *
 * A round minimises the model g'd + d'(H + lambda D)d/2, D = diag H (Marquardt), over the box. Parameters
 * come in two parts: the first n - n_box are free (states, regressors), the last n_box have bounds. H is
 * factored as LDL' over the free part; what remains is the Schur complement C over the boxed part, that is
 * the problem with the free part minimised out (variable projection). C's box problem is solved by projected
 * coordinate sweeps, then the free part follows by back-substitution. lambda falls by 0.15 after an accepted
 * step and rises by 6 after a rejected one. H comes from the caller (Gauss-Newton, whenever it likes) and is
 * updated by BFGS with Powell's damping in between (Nocedal and Wright, "Numerical Optimization", 2006,
 * procedure 18.2), so that it stays positive definite.
 *
 * Memory: arrays of (elements, lanes); symmetric matrices are packed lower triangles, (i, j) at i(i+1)/2 + j,
 * j <= i. */
#ifndef TIDE_BOXQN_H
#define TIDE_BOXQN_H

#include "kernels/tide_fn.h"

/* Large functions that every form shares: called, not inlined. */
#if defined(__CUDACC__)
#define TIDE_CALLED static __host__ __device__ __noinline__ __attribute__((unused))
#else
#define TIDE_CALLED static __attribute__((noinline, unused))
#endif

/* Where a lane stands. Kept as doubles, so that lanes stay lanes. */
#define TIDE_QN_RUNNING 0.0
#define TIDE_QN_CONVERGED 1.0
#define TIDE_QN_LIMIT 2.0  /* rounds used up; the best point is kept */
#define TIDE_QN_FAILED 3.0 /* no finite value at its start */
#define TIDE_QN_GIVEN_UP 4.0 /* ended by the caller: no hope to get below its aim */

typedef struct tide_boxqn {
    int n, n_box;
    size_t stride;    /* of the workspace; see tide_fn.h */
    double tolerance; /* an accepted decrease below this ends the search */
    double coarse;    /* the same for a lane whose value is above its aim */
    double round_limit;
    double *x, *gradient, *value; /* [n], [n], [1] best point so far */
    double *trial, *trial_gradient,
        *trial_value;      /* the point to evaluate; value TIDE_INF or NaN = not allowed */
    double *lower, *upper; /* [n_box] */
    double *hessian;       /* [n(n+1)/2] */
    double *lambda, *slope, *status, *round, *small; /* [1] each; slope = g'd of the proposed step */
    double *aim, *mark; /* [1] the caller's: a value that makes the search worth while, and one it remembers */
    double *factor, *pivot, *row, *z, *step;         /* scratch: [n(n+1)/2], [n] each */
} tide_boxqn;

TIDE_FN int tide_packed(int i, int j) {
    return i * (i + 1) / 2 + j;
}

/* Doubles a lane that tide_boxqn_place hands out. */
TIDE_FN size_t tide_boxqn_size(int n, int n_box) {
    size_t packed = (size_t)tide_packed(n, 0);
    return 2 * packed + 8 * (size_t)n + 2 * (size_t)n_box + 9;
}

/* Lays the arrays out from `at` on and returns the first element past them. n, n_box and stride are set
 * before. */
TIDE_FN double *tide_boxqn_place(tide_boxqn *q, double *at) {
    size_t tide_stride = q->stride, n = (size_t)q->n, packed = (size_t)tide_packed(q->n, 0);
    (void)tide_stride;
    double **vectors[] = {&q->x,     &q->gradient, &q->trial, &q->trial_gradient,
                          &q->pivot, &q->row,      &q->z,     &q->step};
    double **scalars[] = {&q->value, &q->trial_value, &q->lambda, &q->slope, &q->status,
                          &q->round, &q->small,       &q->aim,    &q->mark};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; ++i, at += n * TIDE_STRIDE)
        *vectors[i] = at;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; ++i, at += TIDE_STRIDE)
        *scalars[i] = at;
    q->hessian = at;
    at += packed * TIDE_STRIDE;
    q->factor = at;
    at += packed * TIDE_STRIDE;
    q->lower = at;
    at += (size_t)q->n_box * TIDE_STRIDE;
    q->upper = at;
    return at + (size_t)q->n_box * TIDE_STRIDE;
}

/* acc[k] -= sum over p < count of a[p]*b[p], lane by lane: the inner product of all that follows. */
TIDE_FN void tide_lanes_minus_dot(double *acc, const double *a, const double *b, int count,
                                  size_t tide_stride) {
    (void)tide_stride;
    for (int p = 0; p < count; ++p)
        TIDE_EACH_LANE(k) acc[k] = tide_fma(-TIDE_AT(a, p, k), TIDE_AT(b, p, k), acc[k]);
}

/* Makes the next trial from x, gradient, hessian and lambda. With frozen_box the boxed parameters stay where
 * they are and only the free ones move. */
TIDE_CALLED void tide_boxqn_propose(const tide_boxqn *q, int frozen_box) {
    const double floor_diagonal = 1e-6, floor_pivot = 1e-11;
    size_t tide_stride = q->stride;
    (void)tide_stride;
    int n = q->n, n_free = n - q->n_box, n_all = frozen_box ? n_free : n;
    double acc[TIDE_LANES], acc2[TIDE_LANES];
    /* Rows of H + lambda D by forward elimination; row i of L at factor(i, 0..), C at factor(i, n_free..). */
    for (int i = 0; i < n_all; ++i) {
        double *l = q->factor + (size_t)tide_packed(i, 0) * TIDE_STRIDE;
        const double *h = q->hessian + (size_t)tide_packed(i, 0) * TIDE_STRIDE;
        int eliminated = i < n_free ? i : n_free;
        for (int j = 0; j < eliminated; ++j) {
            TIDE_EACH_LANE(k) acc[k] = TIDE_AT(h, j, k);
            tide_lanes_minus_dot(acc, q->row, q->factor + (size_t)tide_packed(j, 0) * TIDE_STRIDE, j,
                                 tide_stride);
            TIDE_EACH_LANE(k) {
                TIDE_AT(q->row, j, k) = acc[k];
                TIDE_AT(l, j, k) = acc[k] * TIDE_AT(q->pivot, j, k);
            }
        }
        for (int j = n_free; j < i; ++j) {
            TIDE_EACH_LANE(k) acc[k] = TIDE_AT(h, j, k);
            tide_lanes_minus_dot(acc, q->row, q->factor + (size_t)tide_packed(j, 0) * TIDE_STRIDE, n_free,
                                 tide_stride);
            TIDE_EACH_LANE(k) TIDE_AT(l, j, k) = acc[k];
        }
        TIDE_EACH_LANE(k) {
            double d = TIDE_AT(h, i, k);
            acc2[k] = tide_fma(TIDE_AT(q->lambda, 0, k), tide_max(d, floor_diagonal), d);
            acc[k] = acc2[k];
        }
        tide_lanes_minus_dot(acc, q->row, l, eliminated, tide_stride);
        TIDE_EACH_LANE(k) {
            double d = tide_max(acc[k], tide_max(floor_pivot * acc2[k], 1e-200));
            TIDE_AT(l, i, k) = d;
            TIDE_AT(q->pivot, i, k) = 1.0 / d;
            acc[k] = TIDE_AT(q->gradient, i, k);
        }
        tide_lanes_minus_dot(acc, l, q->z, eliminated, tide_stride);
        TIDE_EACH_LANE(k) {
            TIDE_AT(q->z, i, k) = acc[k];
            TIDE_AT(q->step, i, k) = 0.0;
        }
    }
    /* Box problem on C with gradient z[n_free..]: coordinate sweeps from 0, each exact along its coordinate.
     */
    int sweeps = n_all - n_free > 1 ? 12 : 1;
    for (int sweep = 0; sweep < sweeps; ++sweep)
        for (int i = n_free; i < n_all; ++i) {
            TIDE_EACH_LANE(k) acc[k] = TIDE_AT(q->z, i, k);
            for (int j = n_free; j < n_all; ++j) {
                if (j == i)
                    continue;
                const double *c =
                    q->factor + (size_t)(j < i ? tide_packed(i, j) : tide_packed(j, i)) * TIDE_STRIDE;
                TIDE_EACH_LANE(k) acc[k] = tide_fma(TIDE_AT(c, 0, k), TIDE_AT(q->step, j, k), acc[k]);
            }
            TIDE_EACH_LANE(k) {
                double x = TIDE_AT(q->x, i, k), d = -acc[k] * TIDE_AT(q->pivot, i, k);
                d = tide_max(d, TIDE_AT(q->lower, i - n_free, k) - x);
                TIDE_AT(q->step, i, k) = tide_min(d, TIDE_AT(q->upper, i - n_free, k) - x);
            }
        }
    for (int i = n_free - 1; i >= 0; --i) {
        TIDE_EACH_LANE(k) acc[k] = -TIDE_AT(q->z, i, k) * TIDE_AT(q->pivot, i, k);
        for (int j = i + 1; j < n_all; ++j) {
            const double *l = q->factor + (size_t)tide_packed(j, i) * TIDE_STRIDE;
            TIDE_EACH_LANE(k) acc[k] = tide_fma(-TIDE_AT(l, 0, k), TIDE_AT(q->step, j, k), acc[k]);
        }
        TIDE_EACH_LANE(k) TIDE_AT(q->step, i, k) = acc[k];
    }
    TIDE_EACH_LANE(k) acc[k] = 0.0;
    for (int i = 0; i < n; ++i) {
        if (i < n_free) {
            TIDE_EACH_LANE(k) TIDE_AT(q->trial, i, k) = TIDE_AT(q->x, i, k) + TIDE_AT(q->step, i, k);
        } else if (i < n_all) {
            TIDE_EACH_LANE(k) {
                double t = TIDE_AT(q->x, i, k) + TIDE_AT(q->step, i, k);
                t = tide_max(t, TIDE_AT(q->lower, i - n_free, k));
                TIDE_AT(q->trial, i, k) = tide_min(t, TIDE_AT(q->upper, i - n_free, k));
            }
        } else {
            TIDE_EACH_LANE(k) TIDE_AT(q->trial, i, k) = TIDE_AT(q->x, i, k);
        }
        TIDE_EACH_LANE(k) {
            double s = TIDE_AT(q->trial, i, k) - TIDE_AT(q->x, i, k);
            acc[k] = tide_fma(TIDE_AT(q->gradient, i, k), s, acc[k]);
        }
    }
    TIDE_EACH_LANE(k) TIDE_AT(q->slope, 0, k) = acc[k];
}

/* Begins the search at the trial point of the lanes whose `begin` is not 0 (NULL: of all). The others stay as
 * they are. */
TIDE_CALLED void tide_boxqn_start(const tide_boxqn *q, const double *begin, double lambda) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    double chosen[TIDE_LANES];
    TIDE_EACH_LANE(k) {
        int on = begin ? TIDE_AT(begin, 0, k) != 0.0 : 1;
        double value = TIDE_AT(q->trial_value, 0, k);
        chosen[k] = on ? 1.0 : 0.0;
        TIDE_AT(q->value, 0, k) = on ? value : TIDE_AT(q->value, 0, k);
        TIDE_AT(q->lambda, 0, k) = on ? lambda : TIDE_AT(q->lambda, 0, k);
        TIDE_AT(q->round, 0, k) = on ? 0.0 : TIDE_AT(q->round, 0, k);
        TIDE_AT(q->small, 0, k) = on ? 0.0 : TIDE_AT(q->small, 0, k);
        TIDE_AT(q->status, 0, k) =
            on ? (tide_is_finite(value) ? TIDE_QN_RUNNING : TIDE_QN_FAILED) : TIDE_AT(q->status, 0, k);
    }
    for (int i = 0; i < q->n; ++i)
        TIDE_EACH_LANE(k) {
            double x = TIDE_AT(q->trial, i, k), g = TIDE_AT(q->trial_gradient, i, k);
            TIDE_AT(q->x, i, k) = chosen[k] != 0.0 ? x : TIDE_AT(q->x, i, k);
            TIDE_AT(q->gradient, i, k) = chosen[k] != 0.0 ? g : TIDE_AT(q->gradient, i, k);
        }
}

/* Judges the trial of every running lane: accepts or rejects it, updates H, lambda and the best point, and
 * ends lanes that have converged or used up their rounds. */
TIDE_CALLED void tide_boxqn_update(const tide_boxqn *q) {
    size_t tide_stride = q->stride;
    (void)tide_stride;
    int n = q->n;
    double take[TIDE_LANES], sy[TIDE_LANES], shs[TIDE_LANES], a[TIDE_LANES], b[TIDE_LANES], blend[TIDE_LANES];
    TIDE_EACH_LANE(k) {
        int running = TIDE_AT(q->status, 0, k) == TIDE_QN_RUNNING;
        double before = TIDE_AT(q->value, 0, k), after = TIDE_AT(q->trial_value, 0, k);
        double lambda = TIDE_AT(q->lambda, 0, k), slope = TIDE_AT(q->slope, 0, k);
        int accept = running & (after < before), reject = running & !(after < before);
        double decrease = before - after;
        double tolerance = after > TIDE_AT(q->aim, 0, k) ? q->coarse : q->tolerance;
        int little = accept & (decrease < tolerance);
        double small = little ? TIDE_AT(q->small, 0, k) + 1.0 : accept ? 0.0 : TIDE_AT(q->small, 0, k);
        double round = TIDE_AT(q->round, 0, k) + (running ? 1.0 : 0.0);
        /* Ended: a small gain from a nearly undamped step, or three in a row; a model that promises nothing;
         * or a point where no step however short goes down (a corner of what is allowed). */
        int ended = (little & ((lambda < 0.1) | (small > 2.5))) |
                    (running & (lambda < 0.1) & (slope > -0.1 * tolerance)) | (reject & (lambda > 1e9));
        take[k] = accept ? 1.0 : 0.0;
        TIDE_AT(q->value, 0, k) = accept ? after : before;
        TIDE_AT(q->small, 0, k) = running ? small : TIDE_AT(q->small, 0, k);
        TIDE_AT(q->round, 0, k) = round;
        TIDE_AT(q->lambda, 0, k) = accept ? tide_max(lambda * 0.15, 1e-10) : reject ? lambda * 6.0 : lambda;
        TIDE_AT(q->status, 0, k) = running & ended                       ? TIDE_QN_CONVERGED
                                   : running & (round >= q->round_limit) ? TIDE_QN_LIMIT
                                                                         : TIDE_AT(q->status, 0, k);
        sy[k] = 0.0;
        shs[k] = 0.0;
    }
    /* s in `step`, y in `z`, Hs in `row`; all 0 for a lane that does not move, whatever its trial was. */
    for (int i = 0; i < n; ++i)
        TIDE_EACH_LANE(k) {
            double x = TIDE_AT(q->x, i, k), t = TIDE_AT(q->trial, i, k);
            double g = TIDE_AT(q->gradient, i, k), h = TIDE_AT(q->trial_gradient, i, k);
            double s = take[k] != 0.0 ? t - x : 0.0, y = take[k] != 0.0 ? h - g : 0.0;
            TIDE_AT(q->step, i, k) = s;
            TIDE_AT(q->z, i, k) = y;
            TIDE_AT(q->row, i, k) = 0.0;
            TIDE_AT(q->x, i, k) = take[k] != 0.0 ? t : x;
            TIDE_AT(q->gradient, i, k) = take[k] != 0.0 ? h : g;
            sy[k] = tide_fma(s, y, sy[k]);
        }
    for (int i = 0; i < n; ++i) {
        double acc[TIDE_LANES];
        TIDE_EACH_LANE(k) acc[k] = 0.0;
        for (int j = 0; j < i; ++j) {
            const double *h = q->hessian + (size_t)tide_packed(i, j) * TIDE_STRIDE;
            TIDE_EACH_LANE(k) {
                double hij = TIDE_AT(h, 0, k);
                acc[k] = tide_fma(hij, TIDE_AT(q->step, j, k), acc[k]);
                TIDE_AT(q->row, j, k) = tide_fma(hij, TIDE_AT(q->step, i, k), TIDE_AT(q->row, j, k));
            }
        }
        const double *h = q->hessian + (size_t)tide_packed(i, i) * TIDE_STRIDE;
        TIDE_EACH_LANE(k) {
            TIDE_AT(q->row, i, k) += tide_fma(TIDE_AT(h, 0, k), TIDE_AT(q->step, i, k), acc[k]);
        }
    }
    for (int i = 0; i < n; ++i)
        TIDE_EACH_LANE(k) shs[k] = tide_fma(TIDE_AT(q->step, i, k), TIDE_AT(q->row, i, k), shs[k]);
    TIDE_EACH_LANE(k) {
        int usable = (take[k] != 0.0) & (shs[k] > 0.0) & tide_is_finite(sy[k]) & tide_is_finite(shs[k]);
        double damp = sy[k] < 0.2 * shs[k] ? 0.8 * shs[k] / (shs[k] - sy[k]) : 1.0;
        blend[k] = usable ? damp : 1.0;
        double curvature = tide_fma(blend[k], sy[k], (1.0 - blend[k]) * shs[k]);
        a[k] = usable ? 1.0 / curvature : 0.0;
        b[k] = usable ? 1.0 / shs[k] : 0.0;
    }
    for (int i = 0; i < n; ++i) {
        double yi[TIDE_LANES], hi[TIDE_LANES];
        TIDE_EACH_LANE(k) {
            double hs = TIDE_AT(q->row, i, k);
            double y = tide_fma(blend[k], TIDE_AT(q->z, i, k), (1.0 - blend[k]) * hs);
            TIDE_AT(q->z, i, k) = y;
            yi[k] = a[k] != 0.0 ? a[k] * y : 0.0;
            hi[k] = a[k] != 0.0 ? b[k] * hs : 0.0;
        }
        for (int j = 0; j <= i; ++j) {
            double *h = q->hessian + (size_t)tide_packed(i, j) * TIDE_STRIDE;
            TIDE_EACH_LANE(k) {
                double y = a[k] != 0.0 ? TIDE_AT(q->z, j, k) : 0.0,
                       hs = a[k] != 0.0 ? TIDE_AT(q->row, j, k) : 0.0;
                TIDE_AT(h, 0, k) = tide_fma(yi[k], y, tide_fma(-hi[k], hs, TIDE_AT(h, 0, k)));
            }
        }
    }
}

#endif
