#!/usr/bin/env bash
# Series that ARIMA models have trouble with, end to end: no crash, no NaN, no forecast that runs away, and an outcome that says
# what happened. Searched, with a fixed order, and with Box-Cox.
#
# usage: tests/cli/arima_robust.sh [BUILD_DIR]
set -uo pipefail
suite=arima_robust
cd "$(dirname "$0")/../.."
. tests/lib.sh
enter "$@"
# One file of hard series: hard.csv; and one whose season of 24 is longer than its data: short.csv.
python3 - <<'PY'
import math, random
random.seed(7)
g = lambda: random.gauss(0, 1)
walk = lambda n, drift=0.0: [x for s in [100.0] for _ in range(n) for s in [s + drift + g()] for x in [s]]
made = {
    "constant": [5.0] * 60,
    "constant_with_gaps": [5.0 if t % 3 else None for t in range(60)],
    "zero": [0.0] * 60,
    "white": [g() for _ in range(120)],
    "walk": walk(120),
    "walk_drift": walk(120, 5.0),
    "explosive": [1.2 ** t * (1 + 0.01 * g()) for t in range(80)],
    "outlier": [10 + g() + (1e6 if t == 70 else 0) for t in range(120)],
    "ten": [10 + g() for _ in range(10)],
    "one": [3.0],
    "two": [3.0, 4.0],
    "five_of_200": [5 + g() if t % 41 == 0 else None for t in range(200)],
    "one_of_200": [5.0 if t == 100 else None for t in range(200)],
    "line": [3.0 + 2.0 * t for t in range(60)],
    "parabola": [1.0 + 0.5 * t * t for t in range(60)],
    "season": [[4, 8, 1, 9, 5, 7, 3, 2, 6, 4, 5, 1][t % 12] for t in range(72)],
    "season_line": [t + [4, 8, 1, 9, 5, 7, 3, 2, 6, 4, 5, 1][t % 12] for t in range(72)],
    "step": [1.0 if t < 50 else 1000.0 for t in range(100)],
    "alternating": [float((-1) ** t) for t in range(61)],
    "alternating_growing": [(-1.1) ** t for t in range(80)],
    "tiny": [1e-200 * (2 + math.sin(t) + 0.1 * g()) for t in range(60)],
    "huge": [1e200 * (2 + math.sin(t) + 0.1 * g()) for t in range(60)],
    "far_apart": [1e-150 if t % 2 else 1e150 for t in range(60)],
    "far_offset": [1e12 + g() for _ in range(80)],
    "noise_on_zero": [0.0] * 59 + [1.0],
    "first_differs": [9.0] + [1.0] * 70,
    "rare": [float(t % 17 == 0) for t in range(120)],
    "count": [float(max(0, int(g() + 1))) for _ in range(90)],
    "negative": [-50 + 3 * g() for _ in range(90)],
    "block_missing": [None if 30 <= t < 110 else 20 + math.sin(t / 2) + g() for t in range(150)],
}
def write(name, series):
    with open(name, "w") as f:
        f.write("unique_id,ds,y\n")
        for u, values in series.items():
            for t, v in enumerate(values):
                f.write(f"{u},{t + 1},{'' if v is None else repr(v)}\n")
write("hard.csv", made)
write("short.csv", {f"n{n}": [20 + t % 5 + g() for t in range(n)] for n in range(1, 53)})
PY
# What the forecasts of a file may be: finite, limits in order, and within what the last values can grow to.
cat >check.py <<'PY'
import collections, csv, math, sys
data, forecast, inspect, ids = sys.argv[1:5]
y = collections.defaultdict(list)
for r in csv.DictReader(open(data)):
    y[r["unique_id"]].append(float(r["y"]) if r["y"] else math.nan)
known = collections.Counter(r["unique_id"] for r in csv.DictReader(open(inspect)))
rows = collections.defaultdict(list)
for r in csv.DictReader(open(forecast)):
    rows[r["unique_id"]].append(r)
wrong = []
for u, values in y.items():
    v = [x for x in values if not math.isnan(x)]
    if not known[u]:
        wrong.append(f"{u}: not in the store")
    if len(rows[u]) != 24:
        wrong.append(f"{u}: {len(rows[u])} forecasts, not 24")
    lo, hi = min(v), max(v)
    size = max(abs(lo), abs(hi))
    spread = hi - lo
    # Growing series: 24 steps of what the last step grew by, squared as a margin.
    ratio = max(1.0, abs(v[-1] / v[-2])) if len(v) > 1 and v[-2] else 1.0
    limit = size + 24 * spread + (size * min(ratio, 4.0) ** 24 if u in ("explosive", "alternating_growing") else 0.0) + 1e-300
    limit *= 10
    for h, r in enumerate(rows[u]):
        numbers = {k: float(x) for k, x in r.items() if k not in ("unique_id", "ds", "model", "outcome") and x != ""}
        if not all(math.isfinite(x) for x in numbers.values()):
            wrong.append(f"{u} step {h + 1}: {r}")
            break
        if abs(numbers["mean"]) > limit:
            wrong.append(f"{u} step {h + 1}: forecast {numbers['mean']:g} of values in {lo:g}..{hi:g}")
            break
        if not numbers["lo-95"] <= numbers["lo-80"] <= numbers["hi-80"] <= numbers["hi-95"]:
            wrong.append(f"{u} step {h + 1}: limits out of order: {r}")
            break
print("\n".join(wrong))
sys.exit(bool(wrong))
PY
hard() { # hard FACT DATA SEASON OPTION...
    local fact=$1 data=$2 season=$3
    shift 3
    rm -rf s
    if ! timeout 300 "$tidemill" fit "$data" --store s --freq N --season "$season" --models arima "$@" --quiet >err 2>&1; then
        bad "$fact: fit"
    elif grep -qE 'Sanitizer|runtime error' err; then
        bad "$fact: a sanitizer complains"
    elif ! "$tidemill" inspect s --format csv >inspect.csv 2>err || ! "$tidemill" predict s --all --horizon 24 --level 80,95 >forecast.csv 2>err; then
        bad "$fact: inspect or predict"
    elif python3 check.py "$data" forecast.csv inspect.csv x >err 2>&1; then
        ok "$fact"
    else
        bad "$fact"
    fi
}
outcome() { # outcome ID REGEX
    if grep -qE "^$1,($2)," inspect.csv; then ok "outcome of $1"; else bad "outcome of $1: $(grep "^$1," inspect.csv | cut -c1-120), not $2"; fi
}
hard "hard series, searched, season 12" hard.csv 12
outcome constant constant
outcome zero constant
outcome one 'constant|short'
outcome five_of_200 'fitted|short|not_converged'
outcome walk 'fitted'
outcome white 'fitted'
hard "hard series, searched, no season" hard.csv 1
hard "hard series, searched, season 53" hard.csv 53
hard "hard series, searched, season 60, without seasonal terms" hard.csv 60
hard "hard series, stepwise" hard.csv 12 --arima-search stepwise
hard "hard series, airline order" hard.csv 12 --arima-order 0,1,1 --arima-seasonal 0,1,1
hard "hard series, a large order" hard.csv 12 --arima-order 5,2,5 --arima-seasonal 2,1,2
hard "hard series, an order without differences" hard.csv 12 --arima-order 2,0,2 --arima-seasonal 1,0,1
hard "hard series, Box-Cox" hard.csv 12 --boxcox auto
for season in 4 12 24 52; do hard "1 to 52 values, season $season" short.csv "$season"; done
exit $status
