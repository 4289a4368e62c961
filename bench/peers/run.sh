#!/usr/bin/env bash
# Times `tidemill fit`, statsforecast's AutoETS and R's ets on the same series in the same run, each pinned to one core;
# with --models arima: AutoARIMA and auto.arima.
#
# usage: bench/peers/run.sh [--series N] [--train CSV --freq F --period M] [--test CSV [--meta CSV]] [--horizon H]
#                          [--models ets|arima] [--label TEXT] [--no-r]
#
# Without --train: N (default 300) simulated monthly series of 120 values. With --test the forecasts are scored too
# (bench/peers/score.py); data stays where it is, outside of the repository. statsforecast goes into a Python
# environment of its own under build/peers-venv (made with pip; PEERS_VENV names another), R is used when Rscript and the
# package are there. A peer that cannot be had is named and left out. Rows go to bench/results.csv.
#
# What is timed: each peer's fit + forecast in memory, after a warm-up, with reading apart; for tidemill the whole process,
# from the CSV file to the published store, plus `predict --all` with the same levels. The comparison is thus hard on
# tidemill, on purpose.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
series=300 train='' test='' meta='' freq=M period=12 horizon=12 label='' models='' no_r=0
take_options models series train test meta freq period horizon label no-r! -- "$@"
((${#options[@]} == 0)) || { echo "run.sh: unknown option '${options[0]}'" >&2; exit 2; }
case $models in
'' | ets) ours=() model=ZZZ sf=statsforecast r_name=R-ets ;;
arima) ours=(--models arima) model=arima sf=statsforecast-arima r_name=R-auto.arima ;;
*) echo "run.sh: --models: '$models' is not one of ets, arima" >&2; exit 2 ;;
esac
need_tidemill
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$train" ]; then
    train=$work/train.csv
    "$TIDEMILL" simulate --series "$series" --freq M --from 2015-01-01 --to 2024-12-01 --seed 1 --late 0 --end 0 --gaps 0 --missing 0 --output "$train"
fi
case $train in
*.gz) zcat "$train" >"$work/plain.csv"; train=$work/plain.csv ;;
esac
core=$(taskset -cp $$ | sed -E 's/.*: ([0-9]+).*/\1/')
one=(taskset -c "$core" env OMP_NUM_THREADS=1)
"$bench_dir/machine.sh" --text

venv=${PEERS_VENV:-$root/build/peers-venv}
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv" && "$venv/bin/pip" install -q statsforecast || echo "statsforecast: left out, pip could not install it"
fi
forecasts=()
peer() { # peer NAME COMMAND...: the command prints "version fit all series"
    local name=$1 version fit all n
    shift
    if ! read -r version fit all n < <("${one[@]}" "$@" 2>"$work/$name.log" | tail -n 1) || [ -z "${n:-}" ]; then
        tail -n 5 "$work/$name.log" >&2
        echo "$name: left out, it failed"
        return
    fi
    record peers "$name ${label:-monthly} n=$n" "fit and forecast" "$fit" s
    record peers "$name ${label:-monthly} n=$n" "a series" "$(awk -v s="$fit" -v n="$n" 'BEGIN { printf "%.3f", 1000 * s / n }')" ms
    forecasts+=("$work/$name.csv")
    echo "$version"
}

measured "$work/fit.log" "${one[@]}" "$TIDEMILL" fit "$train" --store "$work/store" --freq "$freq" --season "$period" --backend cpu --jobs 1 "${ours[@]}"
fit=$seconds
measured "$work/tidemill.csv" "${one[@]}" "$TIDEMILL" predict "$work/store" --all --horizon "$horizon" --level 80,95
n=$(($(cut -d, -f1 "$train" | sort -u | wc -l) - 1))
all=$(awk -v a="$fit" -v b="$seconds" 'BEGIN { printf "%.3f", a + b }')
record peers "tidemill${models:+ $models} ${label:-monthly} n=$n" "file to store to forecasts" "$all" s
record peers "tidemill${models:+ $models} ${label:-monthly} n=$n" "a series" "$(awk -v s="$all" -v n="$n" 'BEGIN { printf "%.3f", 1000 * s / n }')" ms
forecasts+=("$work/tidemill.csv")
if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import statsforecast' 2>/dev/null; then
    peer "$sf" "$venv/bin/python" "$bench_dir/peers/fit_statsforecast.py" "$train" "$period" "$horizon" "$work/$sf.csv" "$model"
fi
if ((no_r)); then
    echo "R: left out as told"
elif command -v Rscript >/dev/null && Rscript -e 'library(forecast)' >/dev/null 2>&1; then
    peer "$r_name" Rscript "$bench_dir/peers/fit_r.R" "$train" "$period" "$horizon" "$work/$r_name.csv" "$model"
else
    echo "R: left out, Rscript or its package forecast is not there"
fi
if [ -n "$test" ]; then
    python3 "$bench_dir/peers/score.py" "$train" "$test" "${forecasts[@]}" --period "$period" ${meta:+--meta "$meta"}
    python3 "$bench_dir/peers/score.py" "$train" "$test" "${forecasts[@]}" --period "$period" ${meta:+--meta "$meta"} --csv |
        while IFS=, read -r name metric value; do record accuracy "${name%.csv} ${label:-series}" "$metric" "$value" "$metric"; done
fi
