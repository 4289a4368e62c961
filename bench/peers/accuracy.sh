#!/usr/bin/env bash
# Accuracy of `tidemill fit` + `predict` on held-out values beside given forecasts. Rows go to bench/results.csv.
#
# usage: bench/peers/accuracy.sh NAME TRAIN TEST META "OPTIONS OF FIT" [FORECAST...]
#   TRAIN, TEST: unique_id,ds,y; META: unique_id,period,horizon (eval_period, when it differs, is MASE's lag)
#   FORECAST: unique_id,h,fc (plain or .gz); one that covers only some of the series is scored on those, and ours too
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
[ $# -ge 5 ] || { sed -n '4s/^# //p' "$0" >&2; exit 2; }
name=$1 train=$2 test=$3 meta=$4 options=$5
shift 5
need_tidemill
[ -e "$train" ] && [ -e "$test" ] && [ -e "$meta" ] || { echo "accuracy.sh: skipped, no $train, $test or $meta"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$bench_dir/peers/split.py" "$train" "$meta" "$work/train"
horizon=$(python3 -c 'import csv, sys; print(max(int(r["horizon"]) for r in csv.DictReader(open(sys.argv[1]))))' "$meta")
ours=$work/tidemill.csv
for file in "$work"/train/*.csv; do
    rm -rf "$work/store"
    # shellcheck disable=SC2086
    measured "$work/log" "$TIDEMILL" fit "$file" --store "$work/store" --freq N --season "$(basename "$file" .csv)" $options --quiet
    n=$(($(cut -d, -f1 "$file" | uniq | wc -l) - 1))
    record accuracy "tidemill $options $name" "fit, period $(basename "$file" .csv), $n series" "$(awk -v s="$seconds" -v n="$n" 'BEGIN { printf "%.4f", 1000 * s / n }')" ms/series
    "$TIDEMILL" predict "$work/store" --all --horizon "$horizon" --level 80,95 >"$work/part.csv"
    if [ -s "$ours" ]; then tail -n +2 "$work/part.csv" >>"$ours"; else cp "$work/part.csv" "$ours"; fi
done
score() { # score TEST FORECAST...
    python3 "$bench_dir/peers/score.py" "$train" "$@" --meta "$meta"
    python3 "$bench_dir/peers/score.py" "$train" "$@" --meta "$meta" --csv >"$work/scores"
    while IFS=, read -r who metric value; do
        record accuracy "${who%.csv} ${options:+($options) }$name" "$metric" "$value" "$metric"
    done <"$work/scores"
}
whole=() part=()
for forecast in "$@"; do
    case $(python3 - "$test" "$forecast" <<'PY'
import csv, gzip, sys
ids = lambda p: {r["unique_id"] for r in csv.DictReader(gzip.open(p, "rt") if p.endswith(".gz") else open(p))}
print("whole" if ids(sys.argv[1]) <= ids(sys.argv[2]) else "part")
PY
    ) in whole) whole+=("$forecast") ;; *) part+=("$forecast") ;; esac
done
score "$test" "$ours" "${whole[@]}"
for forecast in "${part[@]}"; do
    python3 - "$test" "$forecast" "$work/some.csv" <<'PY'
import csv, gzip, sys
opened = lambda p: gzip.open(p, "rt", newline="") if p.endswith(".gz") else open(p, newline="")
keep = {r["unique_id"] for r in csv.DictReader(opened(sys.argv[2]))}
with open(sys.argv[3], "w") as out:
    out.write("unique_id,ds,y\n")
    for r in csv.DictReader(opened(sys.argv[1])):
        if r["unique_id"] in keep:
            out.write(f"{r['unique_id']},{r['ds']},{r['y']}\n")
PY
    echo "on the $(($(cut -d, -f1 "$work/some.csv" | sort -u | wc -l) - 1)) series of $(basename "$forecast"):"
    python3 "$bench_dir/peers/score.py" "$train" "$work/some.csv" "$ours" "$forecast" --meta "$meta"
done
