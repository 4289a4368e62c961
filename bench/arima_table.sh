#!/usr/bin/env bash
# ARIMA on one core, in memory and by processor time: the likelihood and its gradient by order, length and period, fits of one
# order and of the whole grid.
#
# usage: bench/arima_table.sh [--quick]
#
# Rows go to bench/results.csv. Against the peers: peers/run.sh --models arima.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
quick=0
case ${1:-} in
--quick) quick=1 ;;
'') ;;
*) echo "usage: bench/arima_table.sh [--quick]" >&2; exit 2 ;;
esac
need_tidemill
build=$(dirname "$TIDEMILL")
for width in avx512 avx2 ""; do
    [ "$width" != avx512 ] || grep -q ' avx512dq ' /proc/cpuinfo || continue
    [ "$width" != avx2 ] || grep -q ' avx2 ' /proc/cpuinfo || continue
    break
done
core=$(taskset -cp $$ | sed -E 's/.*: ([0-9]+).*/\1/')
likelihood() { # likelihood STEPS PERIOD
    taskset -c "$core" "$build/bench_arima${width:+_$width}" 64 "$1" "$2" | sed -nE \
        's/^[0-9]+ lanes? (\([0-9,]+\)\([0-9,]+\)[0-9]*) .* ([0-9.]+) ns an observation, with gradient +([0-9.]+).*/\1 \2 \3/p' | while read -r order value gradient; do
        record arima-parts "$order n=$1 ${width:-one lane}" "likelihood" "$value" ns/observation
        record arima-parts "$order n=$1 ${width:-one lane}" "likelihood and gradient" "$gradient" ns/observation
    done
}
lengths=(60 120 500 2000) periods=(4 7 24 52) series=1024
if ((quick)); then lengths=(120) periods=(4) series=64; fi
for n in "${lengths[@]}"; do likelihood "$n" 12; done
for m in "${periods[@]}"; do likelihood 500 "$m"; done
fits() { # fits STEPS PERIOD SERIES
    local line
    line=$(taskset -c "$core" "$build/bench_arima" "$3" "$1" "$2" "${width:-scalar}")
    record arima-fits "n=$1 m=$2 ${width:-scalar} one core" "airline model a series" "$(sed -E 's/.*[0-9] +([0-9.]+) us a series.*/\1/' <<<"$line")" us
    record arima-fits "n=$1 m=$2 ${width:-scalar} one core" "whole grid" "$(sed -E 's/.* ([0-9.]+) series\/s.*/\1/' <<<"$line")" series/s
}
fits 120 12 "$series"
((quick)) || { fits 60 12 512; fits 240 12 256; fits 480 12 128; fits 240 4 512; fits 240 24 128; }
