#!/usr/bin/env bash
# What may happen while rows go into PostgreSQL: tidemill killed at any moment, its backend ended while rows are sent,
# merged or put in place, the server crashing, the table dropped. After each the table holds the old rows or the new
# ones, whole, and the same command run again succeeds, with no row twice and nothing left behind.
#
# usage: tests/postgres_writing.sh [BUILD_DIR] [ROUNDS]     ROUNDS of each kind, TIDE_FAULT_ROUNDS or 4 unless given
#
# It starts a server of its own, since it crashes it: a backend that dies by SIGKILL takes all others down, and the server
# recovers from its log as after a power cut. A full disk of the server is not tried.
set -uo pipefail
suite=writing
cd "$(dirname "$0")/.."
. tests/lib.sh
root=$PWD
tidemill=$(cd "${1:-build}" && pwd)/tidemill
rounds=${2:-${TIDE_FAULT_ROUNDS:-4}}
work=$(mktemp -d)
trap '"$root/tests/postgres.sh" stop "$work/server"; rm -rf "$work"' EXIT
chmod 755 "$work"
log=$work/log
if ! command -v psql >/dev/null || ! url=$("$root/tests/postgres.sh" start "$work/server" 2>"$log"); then
    skip "no PostgreSQL to start and crash: $(head -1 "$log" 2>/dev/null)"
    exit 0
fi
q() { psql "$url" -qAtX -v ON_ERROR_STOP=1 -c "SET client_min_messages = error" -c "$1" 2>>"$log"; }
RANDOM=20260301
mine="FROM pg_stat_activity WHERE application_name = 'tidemill'"
# Sleeps a random part of so many microseconds.
doze() {
    local us=$(($1 * (RANDOM * 32768 + RANDOM) / 1073741824))
    sleep "$(printf '%d.%06d' $((us / 1000000)) $((us % 1000000)))"
}
# Waits until the server answers and no backend of tidemill is left.
settle() {
    local i
    for ((i = 0; i < 300; ++i)); do
        [ "$(q "SELECT count(*) $mine")" = 0 ] && return 0
        sleep 0.05
    done
    return 1
}
# until_query REGEX: waits until a backend of tidemill runs such a statement, at most two seconds; prints its pid.
until_query() {
    local pid
    pid=$(q "SELECT until_query('$1')")
    [ -n "$pid" ] && echo "$pid"
}
q "CREATE FUNCTION until_query(what text) RETURNS int LANGUAGE plpgsql AS \$\$
DECLARE found int;
BEGIN
    FOR i IN 1 .. 1500 LOOP
        PERFORM pg_stat_clear_snapshot();
        SELECT pid INTO found $mine AND state = 'active' AND query ~ what LIMIT 1;
        EXIT WHEN found IS NOT NULL;
        PERFORM pg_sleep(0.001);
    END LOOP;
    RETURN found;
END \$\$" || bad "a function to wait with"
slowly() { # the second file with a pause in it, so that COPY lasts
    head -n 20000 "$work/b.csv"
    sleep 0.3
    tail -n +20001 "$work/b.csv"
}
start() { # in the background, as process $victim itself
    (exec "$tidemill" "${command[@]}" < <(slowly)) >"$log" 2>&1 &
    victim=$!
}
# fault KIND: does harm to a running command.
fault() {
    case $1 in
    kill) doze "$whole"; kill -9 "$victim" 2>/dev/null ;;
    end) doze "$whole"; q "SELECT pg_terminate_backend(pid) $mine" >/dev/null ;;
    end-in) q "SELECT pg_terminate_backend(until_query('$2'))" >/dev/null ;;
    crash) until_query "$2" >"$work/pid" && kill -9 "$(cat "$work/pid")" 2>/dev/null ;;
    esac
    local rc=0
    wait "$victim" 2>/dev/null || rc=$?
    ended[$rc]=$((${ended[$rc]:-0} + 1))
    settle
}
# tried FACT KIND [REGEX]: so many rounds of a fault upon `command`; `state` prints old, new or something worse; `reset`
# brings the old state back.
tried() {
    local fact=$1 round now old=0 new=0 failed=''
    shift
    local at_statement=$(($# > 1))
    ended=()
    # A fault at a certain statement is to hit at least one run.
    for ((round = 1; round <= rounds || (at_statement && round <= 10 && ${ended[5]:-0} == 0); ++round)); do
        reset || { failed="round $round: cannot begin anew"; break; }
        start
        fault "$@" || { failed="round $round: the server does not settle"; break; }
        now=$(state)
        case $now in old) old=$((old + 1)) ;; new) new=$((new + 1)) ;; *) failed="round $round: $now"; break ;; esac
        "$tidemill" "${command[@]}" <"$work/b.csv" >"$log" 2>&1 || { failed="round $round: the next run ends with $?"; break; }
        now=$(state)
        [ "$now" = new ] || { failed="round $round: after the next run: $now"; break; }
        now=$(q "SELECT string_agg(relname, ' ') FROM pg_class WHERE relname LIKE 'tidemill%'")
        [ -z "$now" ] || { failed="round $round: left behind: $now"; break; }
    done
    local codes=''
    for round in "${!ended[@]}"; do codes+=" ${ended[$round]}x$round"; done
    if [ -n "$failed" ]; then
        bad "$fact: $failed"
    elif [ "$1" != kill ] && [ "$1" != end ] && [ $((${ended[5]:-0})) -eq 0 ]; then
        bad "$fact: no run was hit (exit codes$codes)"
    else
        ok "$fact: $((old + new)) times, $old times the old rows, $new times the new ones, whole (exit codes$codes)"
    fi
}
timed() { # microseconds of a whole run
    local from
    from=$(date +%s%6N)
    "$tidemill" "${command[@]}" >"$log" 2>&1 || bad "a run without a fault"
    whole=$(($(date +%s%6N) - from))
}

# --- load: 60 series, a year; the second file has other values, and eleven more months ------------------------------
"$tidemill" simulate --series 60 --from 2023-01-01 --to 2023-12-31 --seed 1 --output "$work/a.csv" --quiet
"$tidemill" simulate --series 80 --from 2023-02-01 --to 2024-11-30 --seed 2 --output "$work/b.csv" --quiet
sum="count(*) || ' ' || sum(hashtextextended(unique_id || ds || coalesce(y::text, '-'), 0)) || ' ' || count(DISTINCT (unique_id, ds))"
sum_of() { q "SELECT $sum FROM $1"; }
state() {
    local now
    now=$(sum_of t)
    if [ "$now" = "$sum_old" ]; then echo old; elif [ "$now" = "$sum_new" ]; then echo new; else echo "the table holds neither: $now"; fi
}
"$tidemill" load "$work/a.csv" --output "$url" --table base --create --index --quiet || bad "the first load"
reset() { q "DROP TABLE IF EXISTS t; CREATE TABLE t (LIKE base INCLUDING ALL); INSERT INTO t SELECT * FROM base"; }
reset
sum_old=$(sum_of t)
command=(load "$work/b.csv" --output "$url" --table t --corrections --index --quiet)
timed
sum_new=$(sum_of t)
[ "$sum_old" != "$sum_new" ] || bad "its own test: both files give the same rows"
tried "load killed at random moments" kill
tried "backend of a load ended at random moments" end
tried "backend ended while rows are compared and added" end-in '^(UPDATE|INSERT|LOCK)'
command=(load - --output "$url" --table t --corrections --index --quiet)
tried "server crash while rows are sent" crash '^COPY'
command=(load "$work/b.csv" --output "$url" --table t --corrections --index --quiet)
tried "server crash while rows are compared and added" crash '^(UPDATE|INSERT)'

# Into a table that does not exist: all of it or none.
command=(load "$work/b.csv" --output "$url" --table n --create --index --quiet)
reset() { q "DROP TABLE IF EXISTS n"; }
reset && timed
sum_new=$(sum_of n)
state() {
    if [ -z "$(q "SELECT to_regclass('n')")" ]; then echo old; elif [ "$(sum_of n)" = "$sum_new" ]; then echo new; else echo "a table with $(sum_of n)"; fi
}
tried "first load killed at random moments" kill
command=(load - --output "$url" --table n --create --index --quiet)
tried "server crash while a new table is filled" crash '^COPY'
command=(load "$work/b.csv" --output "$url" --table n --create --index --quiet)

# The table is dropped while rows are sent: an error, and with --create the next run makes it.
hits=0
for ((round = 1; round <= rounds; ++round)); do
    q "CREATE TABLE IF NOT EXISTS n (unique_id text, ds date, y float8); INSERT INTO n VALUES ('A', '2020-01-01', 1)"
    mkfifo "$work/fifo"
    (exec "$tidemill" load "$work/fifo" --output "$url" --table n --create --quiet) >"$log" 2>&1 &
    victim=$!
    { cat "$work/b.csv"; until_query '^COPY' >/dev/null; q "DROP TABLE n"; } >"$work/fifo"
    rc=0
    wait $victim || rc=$?
    [ $rc = 4 ] && grep -q 'does not exist' "$log" && hits=$((hits + 1))
    rm -f "$work/fifo"
    "$tidemill" "${command[@]}" >"$log" 2>&1 && [ "$(state)" = new ] || { hits=-1; break; }
    q "DROP TABLE n"
done
[ $hits = "$rounds" ] && ok "table dropped during a load: $rounds times an error, and the next run makes it" || bad "table dropped during a load ($hits of $rounds)"

# --- write-back: generation 1 is in the table, generation 2 goes there ------------------------------------------------
for seed in 1 2; do
    "$tidemill" simulate --series 600 --freq M --from 2020-01-01 --to 2023-12-01 --seed $seed --output "$work/m.csv" --quiet
    "$tidemill" fit "$work/m.csv" --store "$work/s" --freq M --models snaive --quiet || bad "a fit"
done
set_sum() { q "SELECT count(*) || ' ' || sum(hashtextextended(unique_id || ds || coalesce(mean::text, '-') || generation || run_id, 0)) || ' ' || count(DISTINCT run_id) FROM $1"; }
for extra in "" "--replace-rows"; do
    name=${extra:+ in place}
    old_command=(predict "$work/s/gen-000001.h5" --all --horizon 12 --level 80,95 --output "$url" --table f --parameters p $extra)
    command=(predict "$work/s" --all --horizon 12 --level 80,95 --output "$url" --table f --parameters p $extra)
    # Forecasts and parameters change together.
    both() { echo "$(set_sum f) $(q "SELECT count(*) || ' ' || min(generation) || ' ' || max(generation) FROM p")"; }
    reset() { "$tidemill" "${old_command[@]}" >"$log" 2>&1; }
    reset || bad "the first write-back"
    sum_old=$(both)
    timed
    sum_new=$(both)
    state() {
        local now
        now=$(both)
        if [ "$now" = "$sum_old" ]; then echo old; elif [ "$now" = "$sum_new" ]; then echo new; else echo "neither set: $now"; fi
    }
    [ "$sum_old" != "$sum_new" ] || bad "its own test: both generations give the same set"
    tried "write-back$name killed at random moments" kill
    tried "backend of a write-back$name ended at random moments" end
    tried "server crash while forecasts are sent$name" crash '^COPY'
done
# A reader holds up the swap, so that it can be hit.
command=(predict "$work/s" --all --horizon 12 --level 80,95 --output "$url" --table f --parameters p)
old_command=(predict "$work/s/gen-000001.h5" --all --horizon 12 --level 80,95 --output "$url" --table f --parameters p)
held_reset() { "$tidemill" "${old_command[@]}" >"$log" 2>&1; }
hits=0
for ((round = 1; round <= rounds; ++round)); do
    held_reset
    psql "$url" -qAtX -c "BEGIN; SELECT 1 FROM f LIMIT 1; SELECT pg_sleep(20)" >/dev/null 2>&1 &
    reader=$!
    for ((i = 0; i < 200; ++i)); do # until it holds its lock
        [ "$(q "SELECT count(*) FROM pg_locks WHERE relation = 'f'::regclass AND mode = 'AccessShareLock'")" = 1 ] && break
        sleep 0.02
    done
    start
    q "SELECT pg_terminate_backend(until_query('^LOCK TABLE'))" >/dev/null
    rc=0
    wait $victim || rc=$?
    q "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()" >/dev/null
    wait $reader 2>/dev/null
    settle
    [ $rc = 5 ] && [ "$(state)" = old ] && "$tidemill" "${command[@]}" >"$log" 2>&1 && [ "$(state)" = new ] && hits=$((hits + 1))
done
[ $hits = "$rounds" ] && ok "backend ended while it waits to put the new table in place: $rounds times the old set stays" || bad "backend ended during the swap ($hits of $rounds)"
[ -z "$(q "SELECT relname FROM pg_class WHERE relname LIKE 'tidemill%'")" ] && ok "nothing is left behind" || bad "something is left behind"
exit $status
