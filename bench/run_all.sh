#!/usr/bin/env bash
# Runs the benches that fit this machine and appends their rows to bench/results.csv.
#
# usage: bench/run_all.sh [--quick] [scale|startup|kernels|load|kill|warm|peers]...      default: all but peers; --quick: small sizes
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_tidemill
quick=0 which=()
for word in "$@"; do
    case $word in
    --quick) quick=1 ;;
    scale | startup | kernels | load | kill | warm | peers) which+=("$word") ;;
    *) echo "run_all.sh: unknown '$word'" >&2; exit 2 ;;
    esac
done
((${#which[@]})) || which=(kernels scale startup load kill warm)
for bench in "${which[@]}"; do
    echo "== $bench"
    case $bench in
    kernels)
        # freq,season,length,series,fit_s,series_per_s,peak_mib
        size=4096
        if ((quick)); then size=256; fi
        "$TIDEMILL" bench --series "$size" | tail -n +2 | while IFS=, read -r freq season length series fit rate _; do
            record fit "$freq m=$season n=$length" "wall of $series series" "$fit" s
            record fit "$freq m=$season n=$length" "rate" "$rate" series/s
        done
        ;;
    scale) if ((quick)); then "$bench_dir/scale.sh" --sizes "2000 4000"; else "$bench_dir/scale.sh"; fi ;;
    startup) if ((quick)); then "$bench_dir/startup.sh" 20000 "$root/build/bench-20000"; else "$bench_dir/startup.sh"; fi ;;
    load) if ((quick)); then "$bench_dir/load.sh" --series 2000 --days 50 --rounds 1; else "$bench_dir/load.sh"; fi ;;
    kill)
        rounds=30
        if ((quick)); then rounds=5; fi
        "$bench_dir/kill_test.sh" "$rounds"
        record kill "SIGKILL during fit" "rounds survived" "$rounds" rounds
        ;;
    warm) if ((quick)); then "$bench_dir/warm.sh" --series 1000 --rounds 1; else "$bench_dir/warm.sh"; fi ;;
    peers) if ((quick)); then "$bench_dir/peers/run.sh" --series 40; else "$bench_dir/peers/run.sh"; fi ;;
    esac
done
