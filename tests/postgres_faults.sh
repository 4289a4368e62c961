#!/usr/bin/env bash
# A PostgreSQL of its own, mistreated at random moments of a reading, TIDE_FAULT_ROUNDS times (4) in each way, and up to ten
# times until one has met the reading. A reading may end in two ways
# only: with every row once and in order (its hash is that of a calm reading), or with exit code 5 and a message that names
# the station. A fit ends with the store it would have made in calm, or leaves the old one.
#
# usage: tests/postgres_faults.sh [BUILD_DIR]
set -uo pipefail
cd "$(dirname "$0")/.."
build=$(cd "${1:-build}" && pwd)
read=$build/bench_postgres
tidemill=$build/tidemill
work=$(mktemp -d /tmp/tide-faults.XXXXXX)
chmod 711 "$work"
stopped=()
cleanup() {
    for p in ${stopped[@]+"${stopped[@]}"}; do kill -CONT "$p" 2>/dev/null; done
    tests/postgres.sh stop "$work/db"
    rm -rf "$work"
}
trap cleanup EXIT
status=0
tries=${TIDE_FAULT_ROUNDS:-4}
ok() { echo "ok postgres_faults: $1"; }
bad() {
    echo "not ok postgres_faults: $1"
    shift
    printf '    %s\n' "$@" | head -6
    status=1
}
if ! command -v psql >/dev/null || ! url=$(tests/postgres.sh start "$work/db" 2>"$work/start"); then
    echo "skip postgres_faults: no PostgreSQL could be started"
    exit 0
fi
data=$work/db/data
binaries=$(dirname "$(readlink -f "/proc/$(head -1 "$data/postmaster.pid")/exe")")
as_server() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi; }
control() { (cd "$work/db" && as_server "$binaries/pg_ctl" -D "$data" "$@") >"$work/pg_ctl" 2>&1; }
sql() { psql -qAtX "$url" -c "$1"; }
# A moment between .05 s and .05 s and the span: a machine that reads faster than that is met by halving the span at each miss.
span=450
moment() { sleep "0.$(printf '%03d' $((RANDOM % span + 50)))"; }
missed() { span=$((span > 4 ? span / 2 : 2)); }

sql "CREATE TABLE t AS SELECT 'id' || lpad((n / 100)::text, 8, '0') AS unique_id, n % 100 AS ds, n::float8 AS y FROM generate_series(0, 399999) n;
     CREATE INDEX ON t (unique_id, ds);
     CREATE TABLE u AS SELECT k || unique_id AS unique_id, ds, y + k AS y FROM t, generate_series(1, 3) k; ANALYZE; CHECKPOINT"
# Small ranges and a slow taker: the reading lasts half a second or more, and most of it is still to come.
calm="connections=2 hash=1 range_rows=10000 retry_wait_ms=150 pause_ms=12 memory=1"
reading() { timeout 60 "$read" "$url" "$1" - $calm "${@:2}" >"$work/out" 2>"$work/err"; }
hash_of() { sed -n 's/.* hash \([0-9a-f]*\) .*/\1/p' "$work/out"; }
reading t || bad "a calm reading" "$(cat "$work/err")"
good=$(hash_of)
grep -q 'ranges of ids' "$work/out" || bad "the table is read by ranges" "$(cat "$work/out")"
good_t=$good
reading u || bad "a calm reading" "$(cat "$work/err")"
good_u=$(hash_of)
grep -q 'rows grouped here' "$work/out" || bad "the table without an index is grouped" "$(cat "$work/out")"

after() { :; }
disturbed() { # disturbed TABLE HOW OPTIONS...: does HOW at a random moment of a reading. Its code in $rc, the right hash in $good.
    local table=$1 how=$2 reader
    shift 2
    if [ "$table" = t ]; then good=$good_t; else good=$good_u; fi
    reading "$table" "$@" &
    reader=$!
    moment
    $how
    rc=0
    wait $reader || rc=$?
    after
}
# tried FACT TABLE HOW OPTIONS...: all must end well, with the good hash.
tried() {
    local fact=$1 overcome=0 n
    span=450
    shift
    for ((n = 0; n < tries || (overcome == 0 && n < 10); ++n)); do
        disturbed "$@"
        if [ $rc != 0 ]; then bad "$fact: ended with $rc" "$(cat "$work/err")"; return; fi
        if [ "$(hash_of)" != "$good" ]; then bad "$fact: other rows" "$(cat "$work/out")"; return; fi
        if grep -q overcome "$work/out"; then overcome=$((overcome + 1)); else missed; fi
    done
    if [ $overcome -gt 0 ]; then ok "$fact ($overcome of $n met the reading)"; else bad "$fact: no try met the reading"; fi
}
# ends FACT REGEX TABLE HOW OPTIONS...: each must end with $code (5 unless set) and one message, or well if it was done by then.
ends() {
    local fact=$1 regex=$2 met=0 n
    span=450
    shift 2
    for ((n = 0; n < tries || (met == 0 && n < 10); ++n)); do
        disturbed "$@"
        if [ $rc = 0 ] && [ "$(hash_of)" = "$good" ]; then missed; continue; fi
        sed -i '/^WARNING: /d' "$work/err" # libpq prints what a dying server says during connecting
        if [[ ! $rc =~ ^(${code:-5})$ ]] || [ "$(grep -c . "$work/err")" != 1 ] || ! grep -qE "$regex" "$work/err"; then
            bad "$fact: ended with $rc" "$(cat "$work/err")" "$(cat "$work/out")"
            return
        fi
        met=$((met + 1))
    done
    if [ $met -gt 0 ]; then ok "$fact ($met of $n met the reading)"; else bad "$fact: no try met the reading"; fi
}

restart() { control restart -m immediate -w -t 30; }
tried "a server killed and started again (pg_ctl -m immediate), by ranges" t restart retries=6
tried "the same while rows are grouped" u restart retries=6
# The server itself looks out for a COPY of ours, for a second: a client's start would take longer than some readings.
copying="FROM pg_stat_activity WHERE application_name = 'tidemill' AND query LIKE 'COPY%' AND state = 'active' LIMIT 1"
terminate() {
    sql "DO \$\$ BEGIN FOR look IN 1 .. 500 LOOP
             PERFORM pg_terminate_backend(pid) $copying; EXIT WHEN FOUND;
             PERFORM pg_stat_clear_snapshot(), pg_sleep(.002); END LOOP; END \$\$"
}
tried "a terminated backend, by ranges" t terminate
tried "a terminated backend while rows are grouped" u terminate
stall() {
    local pid # of one that copies or has just done so, or of all: one may have given its last rows already
    for pid in $(sql "SELECT pid FROM pg_stat_activity WHERE application_name = 'tidemill' AND query LIKE 'COPY%'
                      ORDER BY random() LIMIT $((RANDOM % 2 + 1))"); do
        ! kill -STOP "$pid" 2>/dev/null || stopped+=("$pid")
    done
}
go_on() { for p in ${stopped[@]+"${stopped[@]}"}; do kill -CONT "$p" 2>/dev/null; done; stopped=(); }
after() { go_on; }
tried "a stopped server process (SIGSTOP) is given up and the range read by another" t stall read_timeout_s=1
ends "a stopped server process without a second try" 'postgres t: .*the server was silent for 1 s' t stall read_timeout_s=1 retries=-1
down() { control stop -m immediate -w -t 30; }
after() { control start -w -t 30 -l "$data/server.log" -o "$(sed -n 's/^[^ ]* //p' "$work/opts" | tr -d '"')"; }
cp "$data/postmaster.opts" "$work/opts"
ends "a server that stays away" 'postgres t: [a-z ]+: .*' t down retries=1
ends "a server that stays away while rows are grouped" 'postgres u: [a-z ]+: .*' u down retries=1
after() { :; }
refused=0
span=450
for ((n = 0; n < tries || (refused == 0 && n < 10); ++n)); do
    reading t &
    reader=$!
    moment
    statement=$([ $((refused % 2)) = 0 ] && echo "ALTER TABLE t ALTER y TYPE numeric" || echo "DROP TABLE t")
    sql "SET lock_timeout = '30ms'; BEGIN; $statement; ROLLBACK" 2>/dev/null && missed || refused=$((refused + 1))
    wait $reader && [ "$(hash_of)" = "$good_t" ] || bad "a table that is to be altered meanwhile" "$(cat "$work/err")"
done
if [ $refused -gt 0 ]; then ok "a table cannot be altered or dropped meanwhile: readers hold its lock ($refused of $n met the reading)"; else bad "ALTER TABLE never met the reading"; fi
# With all its connections ended at once, snapshot and lock are gone, and so is the table before they come back.
drop() {
    psql -qAtX "$url" -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemill'" -c "ALTER TABLE t RENAME TO kept" >/dev/null
}
after() { sql "ALTER TABLE kept RENAME TO t"; }
code='[45]'
ends "a table that is gone when the lost connections come back" 'postgres t: .*(does not exist|was replaced|terminating connection)' t drop
code=5
after() { :; }

sql "CREATE VIEW slow AS SELECT unique_id, ds, y FROM t, LATERAL (SELECT pg_sleep(0.01 + 0 * y)) s"
slow=0
for i in $(seq $tries); do
    timeout 30 "$read" "$url" slow - statement_timeout_s=1 >"$work/out.$i" 2>"$work/err.$i" &
    slow_pid[$i]=$!
done
for i in $(seq $tries); do
    rc=0
    wait "${slow_pid[$i]}" || rc=$?
    [ $rc = 5 ] && grep -q 'postgres slow: reading rows: canceling statement due to statement timeout (SQLSTATE 57014)' "$work/err.$i" && slow=$((slow + 1))
done
if [ $slow = $tries ]; then ok "a statement timeout ($slow tries)"; else bad "a statement timeout: $slow of $tries" "$(cat "$work"/err.*)"; fi

# --- a fit: all or nothing
fit() { timeout 60 "$tidemill" fit "$url" --table t --freq N --season 1 --models naive --store "$work/$1" --connections 2 --quiet "${@:2}"; }
forecasts() { "$tidemill" predict "$work/$1" --all --horizon 1 2>/dev/null | cksum; }
if fit calm >"$work/out" 2>"$work/err"; then
    want=$(forecasts calm)
    met=0
    for i in $(seq $tries); do
        rm -rf "$work/store"
        fit store --retries 5 >"$work/out" 2>"$work/err" &
        reader=$!
        sleep "0.0$((RANDOM % 9))"
        restart
        rc=0
        wait $reader || rc=$?
        if [ $rc = 0 ] && [ "$(forecasts store)" != "$want" ]; then bad "a fit during a restart made another store"; fi
        # Before the first row is asked for, a failure ends the run at once.
        if [ $rc != 0 ] && ! { [ $rc = 5 ] && grep -q 'postgres t: ' "$work/err" && [ ! -e "$work/store/CURRENT" ]; }; then
            bad "a fit during a restart ended with $rc" "$(cat "$work/err")"
        fi
        [ $rc = 0 ] && met=$((met + 1))
    done
    ok "a fit during a restart makes the same store or none ($met of $tries made it)"
    down
    rc=0
    fit calm --connect-timeout 2 >"$work/out" 2>"$work/err" || rc=$?
    if [ $rc = 5 ] && [ "$(forecasts calm)" = "$want" ]; then ok "without a server the old store serves on"; else bad "without a server: $rc" "$(cat "$work/err")"; fi
else
    bad "a calm fit" "$(cat "$work/err")"
fi
exit $status
