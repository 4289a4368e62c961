#!/usr/bin/env bash
# How fast rows come out of PostgreSQL, as ratios to psql's COPY TO STDOUT (FORMAT binary) > /dev/null with as many
# connections in the same run: by an index, without one, text and integer ids, a packed table, one day's increment.
#
# usage: bench/postgres.sh [SERIES [DAYS [REPEATS [CASES]]]]        (100000, 200, 3, all: a regular expression)
#
# The tables lie by id, as one load makes them, but for by_day, which lies by time, as nightly appends make it. psql reads
# halves of the ids by two connections. psql and ours take turns, in alternating order: medians of the repeats, the median of the
# ratios of pairs, the ratio of the best, and the processor time of both clients, which a busy machine stretches less.
# bench_postgres reads into nothing, and once through intake. Prints rows of bench/results.csv on stdout (APPEND=FILE also appends them there), and what is done on stderr. The
# private server of tests/with_postgres.sh runs on the same machine and takes most of its processors: ratios say more than
# seconds. PG_EXTRA="-c shared_buffers=2GB" keeps the tables in memory.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
series=${1:-100000} days=${2:-200} repeats=${3:-3} cases=${4:-.}
if [ -z "${TIDE_TEST_PG_URL:-}" ]; then
    export PG_EXTRA=${PG_EXTRA:--c shared_buffers=1GB -c maintenance_work_mem=256MB}
    exec "$root/tests/with_postgres.sh" "$0" "$series" "$days" "$repeats" "$cases"
fi
reader=$root/build/bench_postgres
[ -x "$reader" ] || { echo "bench: no $reader; build first: ninja -C build bench_postgres" >&2; exit 1; }
url=$TIDE_TEST_PG_URL
rows=$((series * days))
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sql() { PGOPTIONS="-c client_min_messages=error" psql -qAtX -v ON_ERROR_STOP=1 "$url" -c "$1"; }
say() { echo "$*" >&2; }
out() { # out CASE METRIC VALUE UNIT
    echo "$machine_columns,postgres,$1 ${series}x$days,$2,$3,$4"
    if [ -n "${APPEND:-}" ]; then RESULTS=$APPEND record postgres "$1 ${series}x$days" "$2" "$3" "$4" >&2; fi
}

say "loading $rows rows, six tables"
sql "DROP TABLE IF EXISTS by_int, by_text, plain_int, plain_text, by_day, packed"
sql "CREATE UNLOGGED TABLE by_int AS SELECT i AS unique_id, '2024-01-01'::date + t AS ds, ((i * 31 + t * 17) % 1000) / 8.0::float8 AS y FROM generate_series(1, $series) i, generate_series(0, $days - 1) t ORDER BY 1, 2"
sql "CREATE UNLOGGED TABLE by_text AS SELECT 'item_' || lpad(unique_id::text, 8, '0') AS unique_id, ds, y FROM by_int"
sql "CREATE UNLOGGED TABLE plain_int AS SELECT * FROM by_int"
sql "CREATE UNLOGGED TABLE plain_text AS SELECT * FROM by_text"
sql "CREATE UNLOGGED TABLE by_day AS SELECT 'item_' || lpad(i::text, 8, '0') AS unique_id, '2024-01-01'::date + t AS ds, ((i * 31 + t * 17) % 1000) / 8.0::float8 AS y FROM generate_series(0, $days - 1) t, generate_series(1, $series) i ORDER BY 2, 1"
sql "CREATE UNLOGGED TABLE packed AS SELECT unique_id, min(ds) AS ds, array_agg(y ORDER BY ds) AS values FROM by_int GROUP BY unique_id ORDER BY unique_id"
for t in by_int by_text by_day; do sql "CREATE INDEX ON $t (unique_id, ds)"; done
sql "CREATE INDEX ON by_day (ds)"
sql "ALTER TABLE packed ADD PRIMARY KEY (unique_id)"
for t in by_int by_text plain_int plain_text by_day packed; do sql "VACUUM ANALYZE $t"; done
half_text=item_$(printf '%08d' $((series / 2))) half_int=$((series / 2))

TIMEFORMAT='%R %U %S'
copy_all() { # copy_all CONNECTIONS TABLE COLUMNS HALF TAIL
    if [ "$1" = 1 ]; then
        psql -qX "$url" -c "COPY (SELECT $3 FROM $2 $5) TO STDOUT (FORMAT binary)" >/dev/null
    else
        psql -qX "$url" -c "COPY (SELECT $3 FROM $2 WHERE $4 $5) TO STDOUT (FORMAT binary)" >/dev/null &
        psql -qX "$url" -c "COPY (SELECT $3 FROM $2 WHERE NOT ($4) $5) TO STDOUT (FORMAT binary)" >/dev/null
        wait $!
    fi
}
# Both give seconds and the processor time of the client.
copy() { { time copy_all "$@"; } 2>&1 | awk '{ print $1, $2 + $3 }'; }
ours() { # ours TABLE OPTIONS...; how in $work/how
    { time "$reader" "$url" "$1" - "${@:2}" >"$work/out"; } 2>&1 | awk '{ print $1, $2 + $3 }'
    sed -n 's/.* how //p' "$work/out" >"$work/how"
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
quotient() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

# against CASE CONNECTIONS TABLE COLUMNS HALF TAIL VALUES OPTIONS...: psql and ours in turn.
against() {
    local name="$1, $2 connection$([ "$2" = 1 ] || echo s)" c=$2 table=$3 columns=$4 half=$5 tail=$6 values=$7 a b
    shift 7
    seconds_of_ours=''
    [[ $name =~ $cases ]] || return 0
    : >"$work/psql.2" && : >"$work/ours.2"
    copy "$c" "$table" "$columns" "$half" "$tail" >/dev/null # warm
    for i in $(seq "$repeats"); do
        ((i % 2)) || ours "$table" connections="$c" "$@" >>"$work/ours.2"
        copy "$c" "$table" "$columns" "$half" "$tail" >>"$work/psql.2"
        ((i % 2 == 0)) || ours "$table" connections="$c" "$@" >>"$work/ours.2"
    done
    for a in psql ours; do
        cut -d' ' -f1 "$work/$a.2" >"$work/$a"
        cut -d' ' -f2 "$work/$a.2" >"$work/$a.cpu"
    done
    paste -d' ' "$work/ours" "$work/psql" | awk '{ print $1 / $2 }' >"$work/ratios"
    a=$(median "$work/psql") b=$(median "$work/ours")
    say "$name: psql $a s, ours $b s, $(median "$work/ratios") times ($(cat "$work/how"))"
    out "${name//,/}" "psql" "$a" s
    out "${name//,/}" "ours" "$b" s
    out "${name//,/}" "rate" "$(awk -v n="$values" -v s="$b" 'BEGIN { printf "%.0f", n / s }')" rows/s
    out "${name//,/}" "ours to psql" "$(awk -v r="$(median "$work/ratios")" 'BEGIN { printf "%.2f", r }')" x
    out "${name//,/}" "best to best" "$(quotient "$(sort -n "$work/ours" | head -1)" "$(sort -n "$work/psql" | head -1)")" x
    out "${name//,/}" "psql processor" "$(median "$work/psql.cpu")" s
    out "${name//,/}" "ours processor" "$(median "$work/ours.cpu")" s
    seconds_of_ours=$b
}

columns="unique_id, ds, y"
for c in 1 2; do
    against "int by index" $c by_int "$columns" "unique_id <= $half_int" "ORDER BY 1, 2" "$rows"
    against "text by index" $c by_text "$columns" "unique_id <= '$half_text'" "ORDER BY 1, 2" "$rows"
    # What psql does here is less: nobody groups its rows. Its order would cost a sort.
    against "int without index" $c plain_int "$columns" "ctid < '($((rows / 320)),0)'" "" "$rows"
    plain=$seconds_of_ours
    against "text without index" $c plain_text "$columns" "ctid < '($((rows / 300)),0)'" "" "$rows"
    if [ -n "$seconds_of_ours" ] && [ -n "$plain" ]; then
        out "text to int without index $c" "ours" "$(quotient "$seconds_of_ours" "$plain")" x
    fi
    against "text by day" $c by_day "$columns" "ctid < '($((rows / 300)),0)'" "" "$rows"
    against "packed" $c packed "unique_id, ds, values" "unique_id <= $half_int" "ORDER BY 1" "$rows" packed=D y=values
done
seconds() { ours "$@" | cut -d' ' -f1; }
b=$(seconds by_text connections=2 intake=D)
out "text by index 2 connections through intake" "ours" "$b" s
say "through intake: $b s"
after=$((19723 + days - 2)) # all but the last day
b=$(seconds by_day connections=2 after=$after)
out "one day by an index on ds" "ours" "$b" s
say "one day's increment by an index on ds: $b s, $(cat "$work/how")"
b=$(seconds plain_text connections=2 after=$after)
out "one day without index" "ours" "$b" s
say "one day's increment without an index: $b s, $(cat "$work/how")"
sql "DROP TABLE by_int, by_text, plain_int, plain_text, by_day, packed"
