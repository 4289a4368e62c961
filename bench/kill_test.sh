#!/usr/bin/env bash
# Kills `tidemill fit` with SIGKILL at random moments and looks at what readers get.
#
# usage: bench/kill_test.sh [ROUNDS] [SERIES]      (default 30 rounds, 2000 series); TIDEMILL names the binary
#
# A store holds a generation fitted on data A. Each round starts a fit on data B (other values, the same ids), kills it
# after a random time between 0 and 1.1 times what a whole fit takes, and checks that
#   - `predict --all` gives exactly A's forecasts, or exactly B's when the run had already made its generation CURRENT;
#   - the store opens with all checksums verified.
# When CURRENT has moved on, A is fitted again, so that each round starts from A. In the end one more whole run must leave
# no temporary, no more than --keep generations, and a sound runs.db. Prints "ok" and "not ok" lines.
set -euo pipefail
rounds=${1:-30} series=${2:-2000}
root=$(cd "$(dirname "$0")/.." && pwd)
tidemill=${TIDEMILL:-$root/build/tidemill}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
store=$work/store
data() { "$tidemill" simulate --series "$series" --freq M --from 2018-01-01 --to 2023-12-01 --seed "$1" --output "$work/$2.csv" >"$work/log" 2>&1; }
fit() { "$tidemill" fit "$work/$1.csv" --store "$store" --freq M --keep 3; }
fit_b=(fit "$work/b.csv" --store "$store" --freq M --keep 3)
predict() { "$tidemill" predict "$store" --all --horizon 6 --level 80; }
die() {
    echo "not ok kill: $*"
    tail -n 5 "$work/log" || true
    exit 1
}
data 1 a
data 2 b
fit b >"$work/log" 2>&1 || die "the first fit failed"
predict >"$work/b.forecast" 2>"$work/log" || die "predict failed"
start=$(date +%s%6N)
fit a >"$work/log" 2>&1 || die "the second fit failed"
whole=$(($(date +%s%6N) - start)) # microseconds
predict >"$work/a.forecast" 2>"$work/log" || die "predict failed"
cmp -s "$work/a.forecast" "$work/b.forecast" && die "its own test: both data sets give the same forecasts"

RANDOM=20260101
old=0 new=0 temporaries=0
for ((round = 1; round <= rounds; round++)); do
    wait_us=$((whole * 11 / 10 * (RANDOM * 32768 + RANDOM) / 1073741824))
    # exec, so that pid is the program's own and not that of a shell around it.
    (exec "$tidemill" "${fit_b[@]}") >"$work/log" 2>&1 &
    pid=$!
    sleep "$(printf '%d.%06d' $((wait_us / 1000000)) $((wait_us % 1000000)))"
    kill -9 $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
    ls -A "$store" | grep -q '^\.tmp-' && temporaries=$((temporaries + 1))
    predict >"$work/now.forecast" 2>"$work/log" || die "round $round, killed after $((wait_us / 1000)) ms: predict failed"
    if cmp -s "$work/now.forecast" "$work/a.forecast"; then
        old=$((old + 1))
    elif cmp -s "$work/now.forecast" "$work/b.forecast"; then
        new=$((new + 1))
        fit a >"$work/log" 2>&1 || die "round $round: the next whole run failed"
        predict >"$work/now.forecast" 2>"$work/log" || die "round $round: predict failed after the next run"
        cmp -s "$work/now.forecast" "$work/a.forecast" || die "round $round: the next whole run gave other forecasts"
    else
        die "round $round, killed after $((wait_us / 1000)) ms: forecasts of neither generation"
    fi
done
echo "ok kill: $rounds kills, each time a whole generation was served ($old the previous, $new the new; a fit takes $((whole / 1000)) ms, $temporaries left a temporary)"
fit a >"$work/log" 2>&1 || die "the last whole run failed"
left=$(ls -A "$store" | grep -vE '^(gen-[0-9]{6}\.h5|CURRENT|runs\.db|\.lock)$' || true)
[ -z "$left" ] || die "left behind after the next run: $left"
generations=$(ls "$store" | grep -c '^gen-')
[ "$generations" -le 3 ] || die "$generations generations with --keep 3"
predict >"$work/now.forecast" 2>"$work/log" || die "predict failed after the last run"
cmp -s "$work/now.forecast" "$work/a.forecast" || die "the last run's forecasts differ"
python3 - "$store/runs.db" <<'PY' || die "runs.db is damaged"
import sqlite3, sys
assert sqlite3.connect(sys.argv[1]).execute("PRAGMA integrity_check").fetchone()[0] == "ok"
PY
echo "ok kill: after the next run nothing is left behind, $generations generations, runs.db is sound"
