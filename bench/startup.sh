#!/usr/bin/env bash
# How fast one answer is, start of the process included: 12 steps for one id out of a store of a million models.
#
# usage: bench/startup.sh [SERIES] [STORE]     default: a million simulated series of 36 months, fitted with ANN,AAN
#
# The store is kept as build/bench-million for the next time. Median, 5 and 95 % of 200 starts, warm (the file in the page
# cache), each for another id; the time of an empty process (`/bin/true`) is given beside it. Rows go to bench/results.csv.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
series=${1:-1000000}
store=${2:-$root/build/bench-million}
need_tidemill
"$bench_dir/machine.sh" --text
if [ ! -e "$store/CURRENT" ]; then
    data=$(mktemp)
    trap 'rm -f "$data"' EXIT
    "$TIDEMILL" simulate --series "$series" --freq M --from 2022-01-01 --to 2024-12-01 --seed 1 --late 0 --end 0 --gaps 0 --output "$data"
    measured "$data.log" "$TIDEMILL" fit "$data" --store "$store" --freq M --season 1 --ets-forms ANN,AAN
    cat "$data.log"
    rm -f "$data" "$data.log"
fi
python3 - "$TIDEMILL" "$store" "$series" <<'PY' >"$store.times"
import os, random, statistics, subprocess, sys, time
tidemill, store, series = sys.argv[1], sys.argv[2], int(sys.argv[3])
random.seed(7)

def run(command):
    start = time.monotonic()
    with open(os.devnull, "wb") as out:
        subprocess.run(command, stdout=out, check=True)
    return 1000 * (time.monotonic() - start)

def show(name, times):
    times.sort()
    print(f"{name},median,{statistics.median(times):.3f}")
    print(f"{name},95 %,{times[int(0.95 * len(times))]:.3f}")

ids = [f"S{random.randrange(series):07d}" for _ in range(210)]
command = lambda u: [tidemill, "predict", store, "--id", u, "--horizon", "12", "--level", "80,95"]
times = [run(command(u)) for u in ids][10:]
show("one id", times)
show("one id no interval", [run(command(u)[:-2]) for u in ids][10:])
show("empty process", [run(["/bin/true"]) for _ in range(200)])
PY
while IFS=, read -r name metric value; do record startup "$name of $series" "$metric" "$value" ms; done <"$store.times"
rm -f "$store.times"
