#!/usr/bin/env python3
"""Scores forecasts against held-out values with the metrics of the M competitions.

usage: score.py TRAIN TEST FORECAST... [--period M] [--meta META] [--csv]

TRAIN     unique_id,ds,y (plain or .gz), rows in order of ds within an id; an empty y is missing
TEST      unique_id,ds,y: the future; its ds are those of the forecast file, or 1-based steps (column h)
FORECAST  unique_id, ds or h, mean (or fc, yhat), and optionally lo-L,hi-L for levels L (80, 95)
--period  the seasonal lag of naive2 and of MASE's scale (default 1); --meta gives it a series (columns unique_id,period)

A line a forecast file:
  sMAPE    mean over series of the mean of 200 |y-f| / (|y|+|f|), 0/0 counting 0
  MASE     mean over series of MAE / in-sample MAE of the seasonal naive; series whose scale is 0 are left out
  RMSSE    the same with squares
  OWA      (sMAPE / sMAPE of naive2 + MASE / MASE of naive2) / 2
  covL     % of the held-out values inside the L % interval;  MSISL its mean scaled interval score
Naive2 is the last value, seasonally adjusted by classical multiplicative decomposition when the autocorrelation at the
seasonal lag is significant at 90 % (Makridakis, Spiliotis and Assimakopoulos 2020, the M4 competition).
A held-out value without a forecast, or a forecast that is not finite, is an error: nothing is left out silently.
Our own code, from the definitions; needs the standard library only.
"""
import argparse, csv, gzip, math, os, sys
from collections import defaultdict


def rows(path):
    with (gzip.open(path, "rt", newline="") if path.endswith(".gz") else open(path, newline="")) as f:
        yield from csv.DictReader(f)


def number(text):
    return math.nan if text in ("", "NA", "NaN", "nan") else float(text)


def series(path):
    out = defaultdict(list)
    for r in rows(path):
        out[r["unique_id"]].append((r["ds"], number(r["y"])))
    return out


def seasonal(y, m):
    """Whether the autocorrelation of y at lag m is significant at 90 % (M4's test)."""
    if m < 2 or len(y) < 3 * m:
        return False
    mean = sum(y) / len(y)
    d = [v - mean for v in y]
    c0 = sum(v * v for v in d)
    if c0 == 0:
        return False
    r = [sum(d[t] * d[t - k] for t in range(k, len(d))) / c0 for k in range(1, m + 1)]
    limit = 1.645 * math.sqrt((1 + 2 * sum(v * v for v in r[:-1])) / len(y))
    return abs(r[-1]) > limit


def indices(y, m):
    """Multiplicative seasonal indices by classical decomposition, mean 1; index k belongs to t with t % m == k."""
    n, half = len(y), m // 2
    ratios = defaultdict(list)
    for t in range(half, n - half):
        if m % 2:
            trend = sum(y[t - half:t + half + 1]) / m
        else:
            trend = (0.5 * y[t - half] + sum(y[t - half + 1:t + half]) + 0.5 * y[t + half]) / m
        if trend:
            ratios[t % m].append(y[t] / trend)
    index = [sum(ratios[k]) / len(ratios[k]) if ratios[k] else 1.0 for k in range(m)]
    mean = sum(index) / m
    return [v / mean for v in index] if mean else [1.0] * m


def naive2(values, m, horizon):
    y = [v for v in values if not math.isnan(v)]
    if not y:
        return [0.0] * horizon
    if len(y) == len(values) and min(y) > 0 and seasonal(y, m):
        index = indices(y, m)
        if min(index) > 0:
            level = y[-1] / index[(len(y) - 1) % m]
            return [level * index[(len(y) + h) % m] for h in range(horizon)]
    return [y[-1]] * horizon


def scales(values, m):
    d = [b - a for a, b in zip(values, values[m:]) if not math.isnan(b - a)]
    return (sum(map(abs, d)) / len(d), sum(v * v for v in d) / len(d)) if d else (0.0, 0.0)


def read_forecast(path, test):
    """{id: [(mean, {level: (lo, hi)})]} along test's rows; complains about what is missing or not finite."""
    by_step, by_ds, levels = defaultdict(dict), defaultdict(dict), None
    for r in rows(path):
        if levels is None:
            levels = [k[3:] for k in r if k.startswith("lo-")]
        u = r["unique_id"]
        if u not in test:
            continue
        mean = next((r[c] for c in ("mean", "fc", "yhat") if c in r), None)
        if mean is None:
            sys.exit(f"{path}: none of the columns mean, fc, yhat")
        bounds = {level: (number(r["lo-" + level]), number(r["hi-" + level])) for level in levels}
        point = (number(mean), bounds)
        if "h" in r:
            by_step[u][int(r["h"])] = point
        by_ds[u][r.get("ds")] = point
    out = {}
    for u, future in test.items():
        got = [by_ds[u].get(ds) or by_step[u].get(h + 1) for h, (ds, _) in enumerate(future)]
        if any(p is None for p in got) and len(by_ds[u]) >= len(future) and not by_step[u]:
            got = [by_ds[u][k] for k in list(by_ds[u])[:len(future)]]  # another spelling of ds: by order
        for (ds, _), p in zip(future, got):
            if p is None:
                sys.exit(f"{path}: no forecast for {u} at {ds}")
            if not math.isfinite(p[0]):
                sys.exit(f"{path}: the forecast for {u} at {ds} is {p[0]}")
        out[u] = got
    return out, levels or []


def score(train, test, forecast, levels, period):
    total, count = defaultdict(float), defaultdict(int)
    for u, future in test.items():
        values, m = [v for _, v in train[u]], period(u)
        mae, mse = scales(values, m)
        pairs = [(y, p) for (_, y), p in zip(future, forecast[u]) if not math.isnan(y)]
        if not pairs:
            continue
        n = len(pairs)

        def add(name, value, k=1):
            total[name] += value
            count[name] += k

        add("sMAPE", sum(200 * abs(y - p[0]) / (abs(y) + abs(p[0])) if y or p[0] else 0.0 for y, p in pairs) / n)
        if mae:
            add("MASE", sum(abs(y - p[0]) for y, p in pairs) / n / mae)
        if mse:
            add("RMSSE", math.sqrt(sum((y - p[0]) ** 2 for y, p in pairs) / n / mse))
        for level in levels:
            alpha = 1 - float(level) / 100
            inside = width = 0.0
            for y, (_, bounds) in pairs:
                lo, hi = bounds[level]
                if not (math.isfinite(lo) and math.isfinite(hi)):
                    sys.exit(f"the {level} % interval of {u} is {lo} to {hi}")
                inside += lo <= y <= hi
                width += hi - lo + 2 / alpha * (max(lo - y, 0.0) + max(y - hi, 0.0))
            add("cov" + level, 100 * inside, n)
            if mae:
                add("MSIS" + level, width / n / mae)
    return {k: total[k] / count[k] for k in total}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("train")
    ap.add_argument("test")
    ap.add_argument("forecast", nargs="+")
    ap.add_argument("--period", type=int, default=1)
    ap.add_argument("--meta")
    ap.add_argument("--csv", action="store_true", help="lines forecast,metric,value")
    a = ap.parse_args()
    train, test = series(a.train), series(a.test)
    lost = [u for u in test if u not in train]
    if lost:
        sys.exit(f"{a.test}: {len(lost)} ids are not in {a.train}, {lost[0]} first")
    own = {r["unique_id"]: int(r.get("eval_period") or r["period"]) for r in rows(a.meta)} if a.meta else {}
    period = lambda u: own.get(u, a.period)
    base = {u: [(v, {}) for v in naive2([v for _, v in train[u]], period(u), len(f))] for u, f in test.items()}
    ref = score(train, test, base, [], period)
    results = [("naive2", ref)]
    for path in a.forecast:
        forecast, levels = read_forecast(path, test)
        results.append((os.path.basename(path), score(train, test, forecast, levels, period)))
    for name, r in results:
        r["OWA"] = (r["sMAPE"] / ref["sMAPE"] + r["MASE"] / ref["MASE"]) / 2
        order = ["sMAPE", "MASE", "RMSSE", "OWA"] + sorted(k for k in r if k[:3] in ("cov", "MSI"))
        if a.csv:
            for k in order:
                print(f"{name},{k},{r[k]:.6g}")
        else:
            print(f"{name:32}" + "  ".join(f"{k} {r[k]:.3f}" for k in order))


if __name__ == "__main__":
    main()
