#!/usr/bin/env bash
# Do we take the same differences as R's auto.arima()? D, d, KPSS statistic, seasonal strength and Box-Cox lambda, series by
# series, by bench_arima_diff and by arima_orders.R. Rows go to bench/results.csv; every difference in D or d is printed.
#
# usage: bench/peers/arima_orders.sh NAME TRAIN META [MISSING]
#   TRAIN: unique_id,ds,y (plain or .gz); META: unique_id,period (series of one period are compared together)
#   MISSING: share of values taken out at random first (default 0)
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
[ $# -ge 3 ] || { sed -n '5s/^# //p' "$0" >&2; exit 2; }
name=$1 train=$2 meta=$3 missing=${4:-0}
[ -e "$train" ] && [ -e "$meta" ] || { echo "arima_orders.sh: skipped, no $train or $meta"; exit 0; }
command -v Rscript >/dev/null && Rscript -e 'library(forecast)' >/dev/null 2>&1 ||
    { echo "arima_orders.sh: skipped, Rscript or its package forecast is not there"; exit 0; }
program=${PROGRAM:-$root/build/bench_arima_diff}
[ -x "$program" ] || { echo "arima_orders.sh: no $program; build it first" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$bench_dir/peers/split.py" "$train" "$meta" "$work" --missing "$missing"
for file in "$work"/*.csv; do
    m=$(basename "$file" .csv)
    "$program" "$file" "$m" >"$work/$m.ours"
    Rscript "$bench_dir/peers/arima_orders.R" "$file" "$m" >"$work/$m.r" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
done
python3 - "$work" <<'PY' >"$work/result"
import csv, glob, math, sys
n = same = same_D = same_d = 0
worst = {k: 0.0 for k in ("strength", "kpss", "lambda")}
far = 0
value = lambda t: math.nan if t in ("", "NA", "nan", "NaN") else float(t)
for path in sorted(glob.glob(sys.argv[1] + "/*.ours")):
    ours = {r["unique_id"]: r for r in csv.DictReader(open(path, newline=""))}
    for r in csv.DictReader(open(path[:-4] + "r", newline="")):
        o = ours[r["unique_id"]]
        n += 1
        same_D += o["D"] == r["D"]
        same_d += o["d"] == r["d"]
        both = o["D"] == r["D"] and o["d"] == r["d"]
        same += both
        if not both:
            print(f"  {r['unique_id']}: D {o['D']} R {r['D']}, d {o['d']} R {r['d']}, strength {o['strength']} R {r['strength']}, "
                  f"kpss {o['kpss']} R {r['kpss']}", file=sys.stderr)
        for k in worst:
            if k == "kpss" and o["D"] != r["D"]:
                continue
            d = abs(value(o[k]) - value(r[k]))
            if not math.isnan(d):
                worst[k] = max(worst[k], d)
                far += k == "lambda" and d > 1e-3
print(n, f"{100 * same / n:.2f} {100 * same_D / n:.2f} {100 * same_d / n:.2f}",
      *(f"{v:.2g}" for v in worst.values()), far)
PY
read -r n same D d strength kpss lambda far <"$work/result"
record arima-orders "$name" "series compared with R" "$n" series
record arima-orders "$name" "D and d equal those of R" "$same" %
record arima-orders "$name" "D equal" "$D" %
record arima-orders "$name" "d equal" "$d" %
record arima-orders "$name" "largest difference of the seasonal strength" "$strength" ""
record arima-orders "$name" "largest difference of the KPSS statistic" "$kpss" ""
record arima-orders "$name" "largest difference of lambda" "$lambda" ""
record arima-orders "$name" "lambda off by more than 0.001" "$far" series
