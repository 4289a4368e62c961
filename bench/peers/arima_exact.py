"""Exact Gaussian log-likelihood of a seasonal ARIMA model: slow, short, and apart from our kernels and from R.

Autocovariances from the linear equations of Brockwell and Davis (1991, section 3.3), one-step predictions by the recursion of
Durbin and Levinson; sigma2 at its maximum. Of the differenced series, as both R's arima() and ours count. Signs as R's.
Standard library only. Complete series only.
"""
import math
from operator import mul


def product(a, b, m, sign):
    """Lags 1.. of (1 + sign a_1 B + ...)(1 + sign b_1 B^m + ...), with that sign taken off again."""
    out = [0.0] * (len(a) + m * len(b) + 1)
    for i, x in enumerate([1.0] + [sign * v for v in a]):
        for j, y in enumerate([1.0] + [sign * v for v in b]):
            out[i + m * j] += x * y
    return [sign * v for v in out[1:]]


def solve(a, b):
    n = len(b)
    for i in range(n):
        p = max(range(i, n), key=lambda r: abs(a[r][i]))
        a[i], a[p], b[i], b[p] = a[p], a[i], b[p], b[i]
        for r in range(i + 1, n):
            f = a[r][i] / a[i][i]
            if f:
                a[r] = [x - f * y for x, y in zip(a[r], a[i])]
                b[r] -= f * b[i]
    x = [0.0] * n
    for i in reversed(range(n)):
        x[i] = (b[i] - sum(map(mul, a[i][i + 1:], x[i + 1:]))) / a[i][i]
    return x


def autocovariances(phi, theta, n):
    p, q = len(phi), len(theta)
    psi = [1.0]
    for j in range(1, q + 1):
        psi.append(theta[j - 1] + sum(phi[i] * psi[j - 1 - i] for i in range(min(p, j))))
    full = [1.0] + theta
    right = [sum(full[j] * psi[j - k] for j in range(k, q + 1)) for k in range(max(p, q) + 1)]
    a = [[0.0] * (p + 1) for _ in range(p + 1)]
    for k in range(p + 1):
        a[k][k] += 1.0
        for i in range(p):
            a[k][abs(k - i - 1)] -= phi[i]
    gamma = solve(a, right[:p + 1])
    for k in range(p + 1, n):
        gamma.append(sum(phi[i] * gamma[k - 1 - i] for i in range(p)) + (right[k] if k <= q else 0.0))
    return gamma[:n]


def stationary(phi):
    """Step-down: are all partial autocorrelations inside of -1..1?"""
    a = list(phi)
    while a:
        k = a.pop()
        if abs(k) >= 1.0:
            return False
        a = [(a[i] + k * a[-1 - i]) / (1.0 - k * k) for i in range(len(a))]
    return True


def differences(y, lag):
    return [b - a for a, b in zip(y, y[lag:])]


def loglik(y, m, order, ar, ma, sar, sma, constant):
    """order = (p, d, q, P, D, Q). NaN where the model is not stationary or degenerate."""
    d, D = order[1], order[4]
    w = [v - constant * ((t + 1) if d + D else 1.0) for t, v in enumerate(y)] if constant else list(y)
    for _ in range(D):
        w = differences(w, m)
    for _ in range(d):
        w = differences(w, 1)
    phi, theta = product(ar, sar, m, -1.0), product(ma, sma, m, 1.0)
    while phi and phi[-1] == 0.0:
        phi.pop()
    n = len(w)
    if n < 2 or not stationary(phi):
        return math.nan
    gamma = autocovariances(phi, theta, n)
    v, a, squares, logs = gamma[0], [], 0.0, 0.0
    for t in range(n):
        if not v > 0.0:
            return math.nan
        e = w[t] - sum(map(mul, a, w[t - 1::-1] if t else []))
        squares += e * e / v
        logs += math.log(v)
        if t + 1 < n:
            k = (gamma[t + 1] - sum(map(mul, a, gamma[t:0:-1]))) / v
            a = [x - k * z for x, z in zip(a, reversed(a))] + [k]
            v *= 1.0 - k * k
    return -0.5 * n * (math.log(2.0 * math.pi * squares / n) + 1.0) - 0.5 * logs if squares > 0.0 else math.nan


def from_row(row, y, m):
    """Of a row with columns p, d, q, P, D, Q and coefs (name=value;...)."""
    order = tuple(int(row[k]) for k in ("p", "d", "q", "P", "D", "Q"))
    c = dict(part.split("=") for part in row["coefs"].split(";") if "=" in part)
    get = lambda name, n: [float(c.get(f"{name}{i + 1}", 0.0)) for i in range(n)]
    constant = next((float(c[k]) for k in ("intercept", "mean", "drift", "constant") if k in c), 0.0)
    return loglik(y, m, order, get("ar", order[0]), get("ma", order[2]), get("sar", order[3]), get("sma", order[5]), constant)
