#!/usr/bin/env bash
# What `tidemill fit --warm` gains: fits the first n/1.05 values of every series, then all of them, cold and warm from
# that first fit, in both modes on one thread; time, likelihoods and out-of-sample accuracy of both.
#
# usage: bench/warm.sh [--series N] [--train CSV --test CSV --period M --horizon H] [--label NAME] [--rounds N] [fit options...]
#
# Without --train: N (default 20000) simulated monthly series of 120 values, and the 12 months after. Time is the
# processor time of the fit stage alone: that of the process less that of a run which fits nothing but the last value
# (--models naive), the least of the rounds (default 3). Rows go to bench/results.csv. "as likely": the share of models
# whose log-likelihood is at least the cold one's - 1e-3; in likelihood mode a model a series, whatever its form, in
# average mode every member. "as good": the same by the criterion (+ 2e-3), which has the penalty in it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
series=20000 train='' test='' period=12 horizon=12 label=simulated rounds=3
take_options series train test period horizon label rounds -- "$@"
need_tidemill
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bench_dir/machine.sh" --text
freq=N
if [ -z "$train" ]; then
    freq=M train=$work/train.csv test=$work/test.csv
    simulated=(--series "$series" --freq M --seed 1 --late 0 --end 0 --quiet)
    "$TIDEMILL" simulate "${simulated[@]}" --from 2015-01-01 --to 2024-12-01 --output "$train"
    "$TIDEMILL" simulate "${simulated[@]}" --from 2025-01-01 --to 2025-12-01 --output "$test"
fi
python3 - "$train" "$work/old.csv" <<'PY'
import csv, gzip, itertools, sys
path = sys.argv[1]
with (gzip.open(path, "rt") if path.endswith(".gz") else open(path)) as f, open(sys.argv[2], "w") as out:
    rows = csv.DictReader(f)
    out.write("unique_id,ds,y\n")
    for _, group in itertools.groupby(rows, key=lambda r: r["unique_id"]):
        group = list(group)
        for r in group[: int(len(group) / 1.05)]:
            out.write(f"{r['unique_id']},{r['ds']},{r['y']}\n")
PY
options=(--freq "$freq" --season "$period" --jobs 1 --quiet "${options[@]}")
TIMEFORMAT=%U
least() { # least FILE ARGUMENTS...: $cpu = least processor seconds of the rounds of `tidemill fit FILE ...`
    local round now
    cpu=''
    for ((round = 0; round < rounds; ++round)); do
        now=$({ time "$TIDEMILL" fit "$@" "${options[@]}" 2>"$work/log" >&2; } 2>&1) || { cat "$work/log" >&2; exit 1; }
        cpu=$(awk -v a="${cpu:-1e9}" -v b="$now" 'BEGIN { print (b < a ? b : a) }')
    done
}
for mode in likelihood average; do
    "$TIDEMILL" fit "$work/old.csv" --store "$work/old" --ets-mode $mode "${options[@]}"
    least "$train" --store "$work/none" --models naive
    none=$cpu
    least "$train" --store "$work/cold" --ets-mode $mode
    cold=$(awk -v a="$cpu" -v b="$none" 'BEGIN { printf "%.3f", a - b }')
    least "$train" --store "$work/warm" --ets-mode $mode --warm "$work/old"
    warm=$(awk -v a="$cpu" -v b="$none" 'BEGIN { printf "%.3f", a - b }')
    name="$label $mode"
    record warm "$name" "cold fit" "$cold" s
    record warm "$name" "warm fit" "$warm" s
    record warm "$name" "warm/cold" "$(awk -v a="$warm" -v b="$cold" 'BEGIN { printf "%.3f", a / b }')" ratio
    for store in cold warm; do
        "$TIDEMILL" inspect "$work/$store" --format csv >"$work/$store.models"
        "$TIDEMILL" predict "$work/$store" --all --horizon "$horizon" --output "$work/$store.csv" 2>"$work/log"
    done
    python3 "$bench_dir/warm_compare.py" "$work/cold.models" "$work/warm.models" >"$work/compared"
    while IFS=, read -r metric value unit; do record warm "$name" "$metric" "$value" "$unit"; done <"$work/compared"
    python3 "$bench_dir/peers/score.py" "$train" "$test" "$work/cold.csv" "$work/warm.csv" --period "$period" --csv >"$work/scores"
    while IFS=, read -r store metric value; do
        case $store,$metric in naive2,*) ;; *,sMAPE | *,MASE | *,OWA) record warm "$name" "${store%.csv} $metric" "$value" "" ;; esac
    done <"$work/scores"
done
