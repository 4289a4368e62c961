#!/usr/bin/env bash
# The real binary with many threads and small batches: the store and the forecasts must be the same for every number of
# jobs, batch size and instruction set. Under ThreadSanitizer (test.sh --sanitize) this is also the search for data races,
# because Criterion's runner itself does not start under it.
#
# usage: tests/threads.sh [BUILD_DIR]
set -euo pipefail
suite=threads
. "$(dirname "$0")/lib.sh"
build=${1:-build}
tidemill=$build/tidemill
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
export TSAN_OPTIONS="halt_on_error=1 exitcode=66 ${TSAN_OPTIONS:-}"
"$tidemill" simulate --series 300 --freq M --from 2019-01-01 --to 2023-12-01 --seed 3 --output "$work/a.csv" >"$log" 2>&1
reference=''
run() { # run FACT fit-options...
    local fact=$1 rc=0 sum
    shift
    rm -rf "$work/store"
    { "$tidemill" fit "$work/a.csv" --store "$work/store" --freq M --backend cpu "$@" &&
        "$tidemill" predict "$work/store" --all --horizon 60 --level 80,95 --jobs 3 --output "$work/forecast.csv" &&
        "$tidemill" inspect "$work/store" --format csv >"$work/models.csv"; } >"$log" 2>&1 || rc=$?
    if [ "$rc" != 0 ]; then
        bad "$fact: ended with $rc" "$(grep -A12 -E 'ThreadSanitizer|tidemill.*:' "$log")"
        return
    fi
    sum=$(cat "$work/forecast.csv" "$work/models.csv" | cksum)
    [ -n "$reference" ] || reference=$sum
    if [ "$sum" = "$reference" ]; then
        ok "$fact"
    else
        bad "$fact: other models or forecasts than with one job"
    fi
}
run "one job" --jobs 1
run "two jobs" --jobs 2
run "eight jobs" --jobs 8
run "eight jobs, batches of 7 series" --jobs 8 --batch-series 7
run "three jobs, batches of 1 series" --jobs 3 --batch-series 1
run "scalar lanes, four jobs" --jobs 4 --isa scalar
run "baseline lanes, four jobs, batches of 50" --jobs 4 --isa baseline --batch-series 50
exit $status
