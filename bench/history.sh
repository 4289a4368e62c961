#!/usr/bin/env bash
# What a history gains: a night of a fit from PostgreSQL that reads one more day of every series, beside one that reads all
# rows; and the file itself, written, mapped and merged, beside plain writing and reading.
#
# usage: bench/history.sh [--series N] [--days N] [--print] [fit options...]
#
# N (default 100000) simulated daily series of 200 days, in a table with its usual index on (unique_id, ds) and one on ds.
# The fit is of --models naive unless options say otherwise, so that the figures are those of reading. "read busy" is from
# the first row to the last panel, "until tiles" adds connecting, planning and opening; "processor time" is that of this
# process, which a busy machine does not lengthen. Stores of both nights are compared
# by their models. Rows go to bench/results.csv, with --print only to standard output. The private PostgreSQL of
# tests/with_postgres.sh runs on the same machine and takes its share of the processors.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
series=100000 days=200 print=0
take_options series days print! -- "$@"
if ((print)); then RESULTS=$(mktemp); fi
((${#options[@]})) || options=(--models naive)
need_tidemill
if [[ -z ${TIDE_TEST_PG_URL:-} ]]; then
    export RESULTS
    exec "$root/tests/with_postgres.sh" "$0" --series "$series" --days "$days" "${options[@]}"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bench_dir/machine.sh" --text
first=2023-06-15
last=$(date -u -d "$first + $((days - 1)) days" +%F)
next=$(date -u -d "$first + $days days" +%F)
sql() { psql -qAtX "$TIDE_TEST_PG_URL" -c "$1" >"$work/psql" 2>&1; }
load() { "$TIDEMILL" simulate --series "$series" --freq D --late 0 --end 0 --from "$1" --to "$2" --output "$TIDE_TEST_PG_URL" --table history_demand --quiet; }
sql 'DROP TABLE IF EXISTS history_demand'
load "$first" "$last"
sql 'CREATE INDEX ON history_demand (ds)'
sql 'ANALYZE history_demand'

fit() { # fit CASE arguments...
    local name="$1 ${series}x$days"
    shift
    local cpu TIMEFORMAT='%U %S'
    { time measured "$work/log" "$TIDEMILL" fit "$TIDE_TEST_PG_URL" --table history_demand --freq D --report "$work/report.json" "$@" "${options[@]}"; } 2>"$work/cpu"
    cpu=$(awk '{ print $1 + $2 }' "$work/cpu")
    read -r rows read finish wall < <(python3 - "$work/report.json" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
print(r["input"].get("rows", r["series"]), r["stages"]["read"]["busy_s"], r["stages"]["finish"]["busy_s"], r["wall_s"])
PY
    )
    record history "$name" wall "$seconds" s
    record history "$name" "processor time" "$cpu" s
    record history "$name" "rows read" "$rows" rows
    record history "$name" "read busy" "$read" s
    record history "$name" "until tiles" "$(awk -v s="$seconds" -v w="$wall" -v r="$read" 'BEGIN { printf "%.3f", s - w + r }')" s
    record history "$name" finish "$finish" s
    record history "$name" "peak memory" "$peak_mb" MB
}
models() { "$TIDEMILL" inspect "$work/$1" --format csv | md5sum; }
fit "first night" --store "$work/s" --history "$work/h.tide"
load "$next" "$next"
sql 'ANALYZE history_demand'
fit "one day" --store "$work/s" --history "$work/h.tide"
fit "all rows" --store "$work/f"
[ "$(models s)" = "$(models f)" ] || { echo "bench: the two nights differ" >&2; exit 1; }
sql 'DROP INDEX history_demand_ds_idx'
load "$(date -u -d "$next + 1 day" +%F)" "$(date -u -d "$next + 1 day" +%F)"
fit "one day without an index on ds" --store "$work/s" --history "$work/h.tide"
sql 'DROP TABLE history_demand'

"$(dirname "$TIDEMILL")/bench_history" "$work" "$series" "$days" >"$work/figures"
while IFS=, read -r name value rate; do
    if [ "$name" = size ]; then
        record history "file ${series}x$days" size "$value" MB
        record history "file ${series}x$days" "size per value bytes" "$rate" ratio
    else
        record history "file ${series}x$days" "$name" "$value" s
        record history "file ${series}x$days" "$name rate" "$rate" MB/s
    fi
done <"$work/figures"
