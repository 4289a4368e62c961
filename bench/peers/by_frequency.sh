#!/usr/bin/env bash
# Scores forecast files by frequency, and all together: sMAPE, MASE, OWA against naive2, coverage and MSIS of whatever
# intervals they have (score.py), and the largest forecast over the largest value of its series, which tells of explosions.
#
# usage: bench/peers/by_frequency.sh TRAIN TEST META NAME FORECAST...
#
# Files as score.py takes them; META: unique_id,period,... A forecast's name in the rows is that of its file. Rows go to
# bench/results.csv.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
[ $# -ge 5 ] || { sed -n '5s/^# //p' "$0" >&2; exit 2; }
train=$1 test=$2 meta=$3 name=$4
shift 4
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 - "$test" "$meta" "$scratch" <<'PY'
import csv, gzip, sys
def rows(path):
    with (gzip.open(path, "rt", newline="") if path.endswith(".gz") else open(path, newline="")) as f:
        yield from csv.DictReader(f)
period = {r["unique_id"]: r["period"] for r in rows(sys.argv[2])}
out = {}
for r in rows(sys.argv[1]):
    for p in (period[r["unique_id"]], "all"):
        if p not in out:
            out[p] = csv.writer(open(f"{sys.argv[3]}/test.{p}.csv", "w", newline=""))
            out[p].writerow(["unique_id", "ds", "y"])
        out[p].writerow([r["unique_id"], r["ds"], r["y"]])
PY
for part in 1 4 7 12 24 52 all; do
    [ -s "$scratch/test.$part.csv" ] || continue
    label="$name m=$part"
    python3 "$bench_dir/peers/score.py" "$train" "$scratch/test.$part.csv" "$@" --meta "$meta" --csv >"$scratch/scores"
    python3 - "$train" "$scratch/test.$part.csv" "$@" <<'PY' >>"$scratch/scores"
import csv, gzip, os, sys
def rows(path):
    with (gzip.open(path, "rt", newline="") if path.endswith(".gz") else open(path, newline="")) as f:
        yield from csv.DictReader(f)
most = {}
wanted = {r["unique_id"] for r in rows(sys.argv[2])}
for r in rows(sys.argv[1]):
    if r["unique_id"] in wanted and r["y"] not in ("", "NA"):
        most[r["unique_id"]] = max(most.get(r["unique_id"], 0.0), abs(float(r["y"])))
for path in sys.argv[3:]:
    worst = 0.0
    for r in rows(path):
        if most.get(r["unique_id"]):
            f = next(float(r[c]) for c in ("mean", "fc", "yhat") if c in r)
            worst = max(worst, abs(f) / most[r["unique_id"]])
    print(f"{os.path.basename(path)},largest forecast over largest value,{worst:.6g}")
PY
    while IFS=, read -r forecast metric value; do
        case $metric in
        sMAPE | cov*) unit=% ;;
        *) unit=ratio ;;
        esac
        record ets-accuracy "$label $forecast" "$metric" "$value" "$unit"
    done <"$scratch/scores"
done
