#!/usr/bin/env bash
# Rows into PostgreSQL: `tidemill load` against psql's \copy of the same file, increments and overlaps into a full table,
# and forecasts written back.
#
# usage: bench/load.sh [--series N] [--days N] [--rounds N]     default 100000 series, 200 days (20 million rows), 3 rounds
#
# The private PostgreSQL of tests/with_postgres.sh runs on the same machine and takes its share of the processors; it has
# fsync off and wal_level minimal, so that disks are left out: on a server that archives its log, every way in is slower by
# about the same amount. Medians over the rounds; the ways of a comparison take turns. Rows go to bench/results.csv.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
series=100000 days=200 rounds=3
take_options series days rounds -- "$@"
((${#options[@]} == 0)) || { echo "load.sh: unknown '${options[0]}'" >&2; exit 2; }
need_tidemill
if [ -z "${TIDE_TEST_PG_URL:-}" ]; then
    export PG_EXTRA=${PG_EXTRA:-"-c shared_buffers=1GB -c max_wal_size=16GB"}
    exec "$root/tests/with_postgres.sh" "$0" --series "$series" --days "$days" --rounds "$rounds"
fi
url=$TIDE_TEST_PG_URL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bench_dir/machine.sh" --text
sql() { psql "$url" -qAtX -v ON_ERROR_STOP=1 -c "SET client_min_messages = error" "${@/#/-c}"; }
whole=(--series "$series" --late 0 --end 0 --gaps 0 --quiet) # every series has every day
day() { date -d "2024-01-01 $1 days" +%F; }
simulate() { "$TIDEMILL" simulate "${whole[@]}" --from "$1" --to "$2" --output "$3"; }
note() { echo "$3" >>"$work/figure.$1.$2"; } # CASE-KEY METRIC-KEY VALUE
median() { sort -g "$work/figure.$1.$2" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# rate KEY ROWS COMMAND...: notes the seconds of the command
rate() {
    local key=$1 rows=$2
    shift 2
    measured "$work/log" "$@"
    note "$key" rate "$(awk -v n="$rows" -v s="$seconds" 'BEGIN { printf "%.0f", n / s }')"
    note "$key" seconds "$seconds"
    note "$key" peak "$peak_mb"
}
told() { # told KEY CASE
    record load "$2" rate "$(median "$1" rate)" rows/s
    record load "$2" wall "$(median "$1" seconds)" s
}
load() { "$TIDEMILL" load "$1" --output "$url" --table "$2" "${@:3}"; }
psql_copy() { # psql_copy FILE TABLE COLUMNS [INDEX]
    psql "$url" -qX -v ON_ERROR_STOP=1 -c "CREATE TABLE $2 ($3)" -c "\\copy $2 FROM '$1' CSV HEADER" ${4:+-c "$4"}
}
export -f load psql_copy
export url TIDEMILL

rows=$((series * days))
columns='unique_id text COLLATE "C" NOT NULL, ds date NOT NULL, y float8'
size="$series x $days"
simulate "$(day 0)" "$(day $((days - 1)))" "$work/all.csv"
for ((r = 0; r < rounds; ++r)); do
    sql "DROP TABLE IF EXISTS t"
    rate load "$rows" bash -c 'load "$@"' - "$work/all.csv" t --create
    sql "DROP TABLE t"
    rate psql "$rows" bash -c 'psql_copy "$@"' - "$work/all.csv" t "$columns"
    sql "DROP TABLE t"
    rate psql_index "$rows" bash -c 'psql_copy "$@"' - "$work/all.csv" t "$columns" "CREATE UNIQUE INDEX ON t (unique_id, ds)"
    sql "DROP TABLE t"
    rate psql_key "$rows" bash -c 'psql_copy "$@"' - "$work/all.csv" t "$columns, PRIMARY KEY (unique_id, ds)"
    sql "DROP TABLE t"
    rate load_index "$rows" bash -c 'load "$@"' - "$work/all.csv" t --create --index # the last one stays
done
ratio() { awk -v a="$(median "$1" rate)" -v b="$(median "$2" rate)" 'BEGIN { printf "%.2f", a / b }'; }
told load "initial $size without index"
record load "initial $size without index" "peak memory" "$(median load peak)" MB
told psql "psql copy $size without index"
record load "initial $size without index" "rate over psql copy" "$(ratio load psql)" x
told load_index "initial $size with unique index"
told psql_index "psql copy $size then unique index"
told psql_key "psql copy $size into a primary key"
record load "initial $size with unique index" "rate over psql copy then index" "$(ratio load_index psql_index)" x

# --- increments: each round the next day, so that the table grows a little; psql has no way to leave out what is there
sql "VACUUM t" "CHECKPOINT" "CREATE TABLE u (LIKE t INCLUDING ALL)" "INSERT INTO u SELECT * FROM t" "VACUUM ANALYZE u"
for ((r = 0; r < rounds; ++r)); do
    d=$(day $((days + r)))
    simulate "$d" "$d" "$work/day.csv"
    n=$(($(wc -l <"$work/day.csv") - 1))
    rate day "$n" bash -c 'load "$@"' - "$work/day.csv" t
    rate day_psql "$n" psql "$url" -qX -c "\\copy u FROM '$work/day.csv' CSV HEADER"
done
told day "a day of $series series into $rows rows"
told day_psql "psql copy of a day of $series series into $rows rows"
sql "DROP TABLE u"

# --- overlaps: ten days that are there but for one; the same with one value in a hundred changed
changed() { awk -F, -v OFS=, -v seed="$1" 'NR > 1 && $3 != "" && (NR * 7919 + seed) % 100 == 0 { $3 += 1000 + seed } { print }'; }
for ((r = 0; r < rounds; ++r)); do
    last=$((days + rounds + r))
    simulate "$(day $((last - 9)))" "$(day $last)" "$work/ten.csv"
    n=$(($(wc -l <"$work/ten.csv") - 1))
    load "$work/ten.csv" t --quiet # the new day is in
    rate again "$n" bash -c 'load "$@"' - "$work/ten.csv" t
    rate again_corrections "$n" bash -c 'load "$@"' - "$work/ten.csv" t --corrections
    changed $r <"$work/ten.csv" >"$work/changed.csv"
    rate corrected "$n" bash -c 'load "$@"' - "$work/changed.csv" t --corrections
    note corrected rows "$(sed -n 's/.*corrected \([0-9]*\),.*/\1/p' "$work/log")"
done
told again "ten days of $series series again"
told again_corrections "ten days of $series series again with --corrections"
told corrected "ten days of $series series with 1 % corrected"
record load "ten days of $series series with 1 % corrected" corrected "$(median corrected rows)" rows
# Late corrections: one row in a thousand of all that the table has, from its first day on.
awk 'NR == 1 || (NR * 7919) % 1000 == 0' "$work/all.csv" >"$work/late.csv"
for ((r = 0; r < rounds; ++r)); do
    awk -F, -v OFS=, -v r="$r" 'NR > 1 { $3 = r + 0.5 } { print }' "$work/late.csv" >"$work/changed.csv"
    n=$(($(wc -l <"$work/changed.csv") - 1))
    rate late "$n" bash -c 'load "$@"' - "$work/changed.csv" t --corrections
done
told late "late corrections of 0.1 % of $rows rows"
sql "DROP TABLE t"
rm -f "$work"/*.csv

# --- forecasts: 28 days with two intervals; models that cost little, and the average of all forms
simulate 2024-01-01 2024-02-29 "$work/history.csv"
for models in snaive average; do
    option=(--models snaive)
    [ $models = snaive ] || option=(--ets-forms ANN,AAN,AAdN,ANA)
    rm -rf "$work/store"
    measured "$work/log" "$TIDEMILL" fit "$work/history.csv" --store "$work/store" --freq D "${option[@]}"
    n=$((28 * series))
    wanted=(predict "$work/store" --all --horizon 28 --level 80,95)
    sql "DROP TABLE IF EXISTS f"
    for ((r = 0; r < rounds; ++r)); do
        rate "csv1_$models" "$n" bash -c '"$TIDEMILL" "$@" --jobs 1 >/dev/null' - "${wanted[@]}"
        rate "csv_$models" "$n" bash -c '"$TIDEMILL" "$@" >/dev/null' - "${wanted[@]}"
        rate "back_$models" "$n" "$TIDEMILL" "${wanted[@]}" --output "$url" --table f
        note "back_$models" swap "$(sed -n 's/.*the last step \([0-9.]*\) s.*/\1/p' "$work/log")"
        rate "place_$models" "$n" "$TIDEMILL" "${wanted[@]}" --output "$url" --table f --replace-rows
        sql "VACUUM f"
    done
    told "csv1_$models" "forecasts of $series x 28 as CSV one thread $models"
    told "csv_$models" "forecasts of $series x 28 as CSV all processors $models"
    told "back_$models" "write-back of $series x 28 $models"
    record load "write-back of $series x 28 $models" "swap" "$(median "back_$models" swap)" s
    record load "write-back of $series x 28 $models" "peak memory" "$(median "back_$models" peak)" MB
    told "place_$models" "write-back of $series x 28 in place $models"
done
