#!/usr/bin/env bash
# From rows to a published store at scale: seconds, stage times and peak memory, from CSV and from PostgreSQL, for two
# sizes, so that growth of memory with the number of series would show.
#
# usage: bench/scale.sh [--sizes "100000 200000"] [--sources "csv postgres"] [fit options...]
#
# Series: simulated retail, monthly, 2015-01 to 2024-12 (n = 120). Rows go to bench/results.csv. The private PostgreSQL
# of tests/with_postgres.sh runs on the same machine and takes its share of the processors.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
sizes="100000 200000" sources="csv postgres" label=''
take_options sizes sources label -- "$@"
need_tidemill
if [[ $sources == *postgres* && -z ${TIDE_TEST_PG_URL:-} ]]; then
    exec "$root/tests/with_postgres.sh" "$0" --sizes "$sizes" --sources "$sources" --label "$label" "${options[@]}"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bench_dir/machine.sh" --text
range=(--freq M --from 2015-01-01 --to 2024-12-01 --seed 1 --late 0 --end 0) # every series has the whole range

fit() { # fit CASE SERIES SOURCE...
    local name="$1${label:+ $label}" n=$2
    shift 2
    rm -rf "$work/store"
    measured "$work/log" "$TIDEMILL" fit "$@" --store "$work/store" --freq M --report "$work/report.json" "${options[@]}"
    record scale "$name" "wall" "$seconds" s
    record scale "$name" "rate" "$(awk -v n="$n" -v s="$seconds" 'BEGIN { printf "%.0f", n / s }')" series/s
    record scale "$name" "peak memory" "$peak_mb" MB
    record scale "$name" "store" "$(awk -v b="$(stat -Lc %s "$work/store/CURRENT")" 'BEGIN { printf "%.1f", b / 1e6 }')" MB
    python3 - "$work/report.json" <<'PY' >"$work/stages"
import json, sys
stages = json.load(open(sys.argv[1]))["stages"]
for name, s in stages.items():
    for kind, value in (s.items() if isinstance(s, dict) else [("busy_s", s)]):
        print(name, kind.removesuffix("_s"), f"{value:.3f}")
PY
    while read -r stage kind value; do record scale "$name" "$stage $kind" "$value" s; done <"$work/stages"
}

for n in $sizes; do
    for source in $sources; do
        case $source in
        csv)
            measured "$work/log" "$TIDEMILL" simulate --series "$n" "${range[@]}" --output "$work/demand.csv"
            record scale "simulate csv $n" "wall" "$seconds" s
            record scale "simulate csv $n" "file" "$(awk -v b="$(stat -c %s "$work/demand.csv")" 'BEGIN { printf "%.1f", b / 1e6 }')" MB
            fit "csv $n" "$n" "$work/demand.csv"
            rm -f "$work/demand.csv"
            ;;
        postgres)
            psql -q "$TIDE_TEST_PG_URL" -c 'DROP TABLE IF EXISTS demand' 2>/dev/null
            measured "$work/log" "$TIDEMILL" simulate --series "$n" "${range[@]}" --output "$TIDE_TEST_PG_URL" --table demand
            record scale "simulate postgres $n" "wall" "$seconds" s
            fit "postgres $n" "$n" "$TIDE_TEST_PG_URL" --table demand
            ;;
        esac
    done
done
