#!/usr/bin/env bash
# A whole night, measured: one more day of every series is read from PostgreSQL past the history, all series are fitted, the
# generation is published, and the forecasts go back into a table.
#
# usage: bench/nightly.sh [--print] [SERIES [DAYS [fit options...]]]
#
# SERIES (default 100000) simulated daily series of DAYS (200) days are loaded; `fit --history` reads them all, its models
# being naive, as the night before is not what is measured; a day more is loaded; then the night is
#
#   fit --freq D --season 7 --history H --reread 35d --resume --horizon 28 --level 80 --write-back URL --write-table forecasts
#
# with the default models (ETS, average of all forms) unless fit options say otherwise. Rows: what the whole run took from start
# to exit, its stations, the write-back, rows read, series per second, peak resident memory of the engine, and bytes of
# history and store. Stations run at the same time, so that their seconds do not add up to the whole. With --print rows go to
# standard output only, not to bench/results.csv.
#
# The private PostgreSQL of tests/with_postgres.sh runs on the same machine and takes its share of the processors.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
if [ "${1:-}" = --print ]; then RESULTS=$(mktemp) && trap 'rm -f "$RESULTS"' EXIT && shift; fi
series=${1:-100000} days=${2:-200}
shift $(($# < 2 ? $# : 2))
options=("$@")
need_tidemill
if [ -z "${TIDE_TEST_PG_URL:-}" ]; then
    export RESULTS PG_EXTRA=${PG_EXTRA:--c shared_buffers=512MB}
    "$root/tests/with_postgres.sh" "$0" "$series" "$days" "${options[@]}" # no exec: $RESULTS goes at the end
    exit
fi
url=$TIDE_TEST_PG_URL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bench_dir/machine.sh" --text
first=2023-06-15
date_of() { date -u -d "$first + $1 days" +%F; }
sql() { psql -qAtX -v ON_ERROR_STOP=1 "$url" -c "SET client_min_messages = error" -c "$1" >"$work/psql"; }
load() { "$TIDEMILL" simulate --series "$series" --freq D --late 0 --end 0 --seed 1 --from "$1" --to "$2" --output "$url" --table nightly_demand --quiet; }
fit() { # fit fit-options...
    measured "$work/log" "$TIDEMILL" fit "$url" --table nightly_demand --freq D --season 7 --store "$work/store" \
        --history "$work/history" --report "$work/report.json" "$@"
}
name="${series}x$days"
[ ${#options[@]} = 0 ] || name="$name ${options[*]}"

sql 'DROP TABLE IF EXISTS nightly_demand, nightly_forecasts'
load "$first" "$(date_of $((days - 1)))"
sql 'CREATE INDEX ON nightly_demand (ds)'
sql 'ANALYZE nightly_demand'
fit --models naive
record nightly "$name the night before" wall "$seconds" s
record nightly "$name the night before" "peak memory" "$peak_mb" MB
load "$(date_of "$days")" "$(date_of "$days")"
sql 'ANALYZE nightly_demand'

fit --reread 35d --resume --horizon 28 --level 80 --write-back "$url" --write-table nightly_forecasts "${options[@]}"
record nightly "$name" wall "$seconds" s
record nightly "$name" rate "$(awk -v n="$series" -v s="$seconds" 'BEGIN { printf "%.0f", n / s }')" series/s
record nightly "$name" "peak memory" "$peak_mb" MB
python3 - "$work/report.json" "$work/log" "$seconds" <<'PY' >"$work/figures"
import json, re, sys
r, log, whole = json.load(open(sys.argv[1])), open(sys.argv[2]).read(), float(sys.argv[3])
back = re.search(r"(\d+) forecasts of (\d+) series.* after ([0-9.]+) s \(the last step ([0-9.]+) s\)", log)
assert int(back[2]) == r["series"] and int(back[1]) == 28 * r["series"], back[0]
print(f"rows read|{r['input']['rows']}|rows")
print(f"before the first row|{whole - r['wall_s'] - float(back[3]):.3f}|s")
for station, busy in r["stations_s"].items():
    if busy > 0:
        print(f"{station} busy|{busy:.3f}|s")
print(f"write-back|{back[3]}|s")
print(f"write-back swap|{back[4]}|s")
print(f"history file|{r['history']['bytes'] / 1e6:.1f}|MB")
print(f"store file|{r['store_bytes'] / 1e6:.1f}|MB")
h = r["history"]
assert h["extended"] > 0.9 * r["series"] and h["corrected"] == h["new"] == 0, h # a few series have no row that day
PY
while IFS='|' read -r metric value unit; do record nightly "$name" "$metric" "$value" "$unit"; done <"$work/figures"
forecasts=$(psql -qAtX "$url" -c "SELECT count(*), count(DISTINCT unique_id), max(ds) FROM nightly_forecasts")
[ "$forecasts" = "$((28 * series))|$series|$(date_of $((days + 28)))" ] ||
    { echo "bench: the table of forecasts holds $forecasts" >&2; exit 1; }
sql 'DROP TABLE nightly_demand, nightly_forecasts'
