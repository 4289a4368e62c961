#!/usr/bin/env bash
# Fits that die in the middle, and what becomes of them: killed at random moments with and without --resume, from a file and
# from PostgreSQL; a full disk while spooling and while publishing; a server that crashes; two writers; Ctrl-C while the
# source says nothing; a store cut short under its reader. At each moment the old generation serves, and a run that was gone
# on with ends with the bits of one that never died. Each is tried ROUNDS times, TIDE_FAULT_ROUNDS or 4 unless given.
#
# usage: tests/faults_runs.sh [BUILD_DIR] [ROUNDS]      the PostgreSQL parts need an installed server, not a running one
set -uo pipefail
suite=faults_runs
cd "$(dirname "$0")/.."
. tests/lib.sh
enter "$@"
trap '[ -z "$server" ] || "$root/tests/postgres.sh" stop "$server"; leave' EXIT
rounds=${2:-${TIDE_FAULT_ROUNDS:-4}} server='' log=log
RANDOM=20261125
options=(--freq M --batch-series 40 --jobs 2)
fit() { "$tidemill" fit "$1" --store "$2" "${options[@]}" "${@:3}"; }

# --- data A and B of the same ids, as large as this build and machine fit in half a second; what a whole fit of B gives
data() { "$tidemill" simulate --series "$1" --freq M --from 2019-01-01 --to 2023-12-01 --seed "$2" --output "$3" "${@:4}" --quiet; }
data 300 1 probe.csv
start=$(date +%s%N)
fit probe.csv probe --quiet >log 2>&1 || bad "a small fit"
series=$((300 * 500000000 / ($(date +%s%N) - start)))
series=$((series < 900 ? 900 : series > 6000 ? 6000 : series))
data "$series" 1 a.csv
data "$series" 2 b.csv
fit a.csv first --quiet >log 2>&1 || bad "the fit of A"
predict() { "$tidemill" predict "$1" --all --horizon 3 --level 80; }
start=$(date +%s%N)
fit b.csv reference --quiet >log 2>&1 || bad "the fit of B"
whole_us=$((($(date +%s%N) - start) / 1000))
predict first >a.forecast
predict reference >b.forecast
cmp -s a.forecast b.forecast && bad "its own test: A and B give the same forecasts"

# same_bits FILE FILE: every column of two generations but run/id is the same, byte for byte
cat >same_bits.py <<'PY'
import struct, sys
size = {1: 1, 2: 4, 3: 4, 4: 8, 5: 8, 6: 8, 7: 40}
def columns(path):
    b = open(path, "rb").read()
    out = {}
    for at in range(512, 16384, 64):
        name = b[at : at + 32].rstrip(b"\0").decode()
        kind, _, offset, count, _ = struct.unpack_from("<IIQQQ", b, at + 32)
        if name and name not in ("run/id", "index/block_xxh3"):
            out[name] = b[offset : offset + count * size[kind]]
    return out
a, b = columns(sys.argv[1]), columns(sys.argv[2])
assert len(a) > 20 and a.keys() == b.keys()
differ = [k for k in a if a[k] != b[k]]
sys.exit(f"differ: {differ}" if differ else 0)
PY
same_bits() { python3 same_bits.py "$1" "$2" >>log 2>&1; }
same_bits first/gen-000001.h5 reference/gen-000001.h5 && bad "its own test: A and B have the same bits"
serves() { # serves STORE: all of A or all of B, and which
    predict "$1" >now.forecast 2>>log || return 1
    if cmp -s now.forecast a.forecast; then which=a; elif cmp -s now.forecast b.forecast; then which=b; else return 1; fi
}
clean() { # clean STORE: nothing is left behind
    [ -z "$(ls -A "$1" | grep -vE '^(gen-[0-9]{6}\.h5|CURRENT|runs\.db|\.lock)$')" ]
}
again() { rm -rf store && cp -a first store; }
sleep_us() { sleep "$(printf '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000)))"; }
kept() { # the first series are finished: the journal has a record (480 bytes) behind its head (72) and text
    local size text
    size=$(stat -c %s store/.resume/journal 2>/dev/null) && text=$(od -An -tu8 -j16 -N8 store/.resume/journal 2>/dev/null) &&
        [ -n "$text" ] && [ "$size" -ge $((72 + text + 480)) ]
}
# die [--kept] COMMAND...: runs it and kills it after a random time of up to 1.1 times what a whole fit takes; with --kept
# after a tenth of that at most, counted from when it has finished something
die() {
    local wait_us=$((whole_us * 11 / 10 * (RANDOM * 32768 + RANDOM) / 1073741824)) pid until_kept=0
    [ "$1" != --kept ] || { until_kept=1; shift; }
    (exec "$@") >>log 2>&1 &
    pid=$!
    if [ $until_kept = 1 ]; then
        while ! kept && kill -0 $pid 2>/dev/null; do sleep 0.01; done
        wait_us=$((wait_us / 10))
    fi
    sleep_us "$wait_us"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
}

# --- killed, from SOURCE
killed() { # killed NAME SOURCE fit-options...
    local name=$1 source=$2 resumed=0 kills=0 round
    shift 2
    for ((round = 1; round <= rounds || (resumed == 0 && round <= rounds + 10); round++)); do
        again
        : >log
        for ((k = 0; k <= RANDOM % 3; k++)); do
            die $([ $((round % 2 + k)) -gt 0 ] && [ $round -le $rounds ] || echo --kept) "$tidemill" fit "$source" --store store "${options[@]}" "$@" --resume --quiet
            kills=$((kills + 1))
            serves store || { bad "$name, round $round: after a kill neither generation is served"; return; }
        done
        if [ $which = a ]; then
            fit "$source" store "$@" --resume >out 2>&1 || { cat out >>log; bad "$name, round $round: --resume failed"; return; }
            grep -q 'goes on after' out && resumed=$((resumed + 1))
        fi
        same_bits "store/$(readlink store/CURRENT)" reference/gen-000001.h5 || { bad "$name, round $round: --resume gives other bits"; return; }
        [ $which = b ] || clean store || { bad "$name, round $round: left behind: $(ls -A store)"; return; }
        "$tidemill" inspect store --verify >/dev/null 2>>log || { bad "$name, round $round: the store is damaged"; return; }
    done
    if [ $resumed -gt 0 ]; then
        ok "$name, killed $kills times in $((round - 1)) runs: the old one serves, --resume gives the same bits ($resumed went on in the middle)"
    else
        bad "$name: no run was gone on with in the middle"
    fi
    for ((round = 1; round <= rounds; round++)); do
        again
        : >log
        die "$tidemill" fit "$source" --store store "${options[@]}" "$@" --quiet
        serves store || { bad "$name, round $round: after a kill neither generation is served"; return; }
        fit "$source" store "$@" --quiet >>log 2>&1 || { bad "$name, round $round: the next fit failed"; return; }
        if ! clean store || ! serves store || [ $which != b ]; then
            bad "$name, round $round: the next fit without --resume leaves $(ls -A store)"
            return
        fi
    done
    ok "$name, killed $rounds times, then without --resume: a run from the start, nothing is left"
}
killed "CSV" b.csv

# --- the book of runs, and who is refused
again
die_in_the_middle() { # until something is kept
    until kept && [ "$(readlink store/CURRENT)" = gen-000001.h5 ]; do
        again
        die --kept "$tidemill" fit b.csv --store store "${options[@]}" --quiet
    done
}
die_in_the_middle
"$tidemill" runs store --format csv >runs.csv 2>log
[ "$(tail -1 runs.csv | cut -d, -f1)" = killed ] && ok "a killed run is listed as killed" || bad "a killed run is listed as killed"
id=$(tail -1 runs.csv | cut -d, -f2)
rc=0
fit b.csv store --resume --ets-mode likelihood --quiet >log 2>&1 || rc=$?
[ $rc = 3 ] && grep -q 'ets.mode "average", now it is "likelihood"' log && ok "--resume with another option is refused by its key" || bad "--resume with another option is refused by its key ($rc)"
cp b.csv c.csv # the third series changes, of which there are rows in the first batch
third=$(cut -d, -f1 b.csv | uniq | sed -n 4p)
awk -F, -v OFS=, -v id="$third" '$1 == id { $3 = 123456 + NR } { print }' c.csv >b.csv
rc=0
fit b.csv store --resume --quiet >log 2>&1 || rc=$?
[ $rc = 4 ] && grep -q "series '$third'.*number 3" log && ok "--resume with other data is refused by the series" || bad "--resume with other data is refused by the series ($rc)"
cp -a store mixed && fit b.csv mixed --resume-mixed --quiet >log 2>&1 && fit b.csv fresh --quiet >>log 2>&1 && same_bits mixed/gen-000002.h5 fresh/gen-000001.h5 && ok "--resume-mixed gives what a fit of the new data gives" || bad "--resume-mixed gives what a fit of the new data gives"
mv c.csv b.csv
fit b.csv store --resume --quiet >log 2>&1 && same_bits store/gen-000002.h5 reference/gen-000001.h5 && ok "and with the old data and options it goes on" || bad "and with the old data and options it goes on"
"$tidemill" runs store --run "$id" --format json >run.json 2>log
python3 - run.json "$id" 2>log <<'PY' && ok "it is one run in the book, which says where it went on" || bad "it is one run in the book, which says where it went on"
import json, sys
r = json.load(open(sys.argv[1]))
assert r["run_id"] == sys.argv[2] and r["state"] == "ok" and r["generation"] == 2, r
assert r["resumed"][-1]["series"] > 0 and r["first_ds"] == "2019-01-01" and r["last_ds"] == "2023-12-01", r
assert r["config"]["ets"]["mode"] == "average" and sum(r["outcomes"].values()) == r["series"], r
PY
"$tidemill" inspect store >out 2>log
grep -q "2 current.*run $id" out && ok "and its generation names it" || bad "and its generation names it"
die_in_the_middle
fit b.csv store >log 2>&1
grep -qE 'warning: run .* had died; the [0-9]+ series that it had finished are thrown away' log && ok "without --resume it is said what is thrown away" || bad "without --resume it is said what is thrown away"

# --- a full disk: limits on the size of files, from what a column needs to nearly what the generation needs
full() { # full KIB COMMAND...
    (ulimit -f "$1" && exec "${@:2}")
}
bytes=$(stat -c %s reference/gen-000001.h5)
last=$((rounds > 1 ? rounds - 1 : 1)) # limits go from 1/11 to 10/11 of it
spooling=0 publishing=0 fitted=0
for ((k = 1; k <= rounds; k++)); do
    again
    rc=0
    full $((bytes * (last + 9 * (k - 1)) / (11 * last) / 1024 + 1)) "$tidemill" fit b.csv --store store "${options[@]}" --quiet >log 2>&1 || rc=$?
    [ $rc = 7 ] || { bad "a limit on file sizes ended with $rc"; break; }
    serves store && [ $which = a ] || { bad "after a limit on file sizes the old generation does not serve"; break; }
    if grep -qE 'new generation|HDF5 layout' log; then publishing=$((publishing + 1)); else spooling=$((spooling + 1)); fi
    ls -A store | grep -q '^\.tmp' && { bad "a limit on file sizes leaves a temporary"; break; }
    fit b.csv store --resume >out 2>&1 || { cat out >log; bad "--resume after a limit on file sizes"; break; }
    grep -q 'goes on after' out && fitted=$((fitted + 1))
    same_bits store/gen-000002.h5 reference/gen-000001.h5 && clean store || { bad "other bits after a limit on file sizes"; break; }
done
if [ $((spooling + publishing)) = "$rounds" ] && [ $publishing -gt 0 ] && [ $spooling -gt 0 ]; then
    ok "$rounds limits on file sizes, $spooling while spooling, $publishing while publishing: exit 7, the old one serves, --resume goes on ($fitted times with finished series)"
else
    bad "limits on file sizes: $spooling while spooling, $publishing while publishing, of $rounds"
fi
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=64m tmpfs small 2>/dev/null; then
    mounted=$work/small
    spooling=0 publishing=0
    for ((k = 1; k <= rounds; k++)); do
        rm -rf small/store
        mount -o remount,size=64m small
        cp -a first small/store
        used=$(du -sk small/store | cut -f1) need=$((bytes / 1024))
        mount -o remount,size=$((used + need * 15 * (last + 9 * (k - 1)) / (100 * last) + 60))k small # it takes twice the generation
        rc=0
        fit b.csv small/store --quiet >log 2>&1 || rc=$?
        [ $rc = 7 ] || { bad "a full disk ended with $rc"; break; }
        serves small/store && [ $which = a ] || { bad "after a full disk the old generation does not serve"; break; }
        if grep -q 'reserve' log; then publishing=$((publishing + 1)); else spooling=$((spooling + 1)); fi
        mount -o remount,size=64m small
        fit b.csv small/store --resume --quiet >log 2>&1 || { bad "--resume after a full disk"; break; }
        same_bits small/store/gen-000002.h5 reference/gen-000001.h5 && clean small/store || { bad "other bits after a full disk"; break; }
    done
    if [ $((spooling + publishing)) = "$rounds" ] && [ $publishing -gt 0 ] && [ $spooling -gt 0 ]; then
        ok "$rounds full disks, $spooling while spooling, $publishing while publishing: exit 7, the old one serves, --resume goes on with room"
    else
        bad "full disks: $spooling while spooling, $publishing while publishing, of $rounds"
    fi
    umount small && mounted=''
else
    skip "full disks: no right to mount a small file system"
fi

# --- two writers: the second stops at once, names the first, and does not touch what that has finished
again
"$tidemill" fit simulate:100000000 --freq M --store store --models naive --quiet >log 2>&1 &
holder=$!
until [ -s store/.resume/journal ]; do sleep 0.05; done
busy=0
for ((k = 0; k < rounds; k++)); do
    rc=0
    timeout 20 "$tidemill" fit b.csv --store store "${options[@]}" $([ $((k % 2)) = 0 ] || echo --resume) --quiet >out 2>&1 || rc=$?
    [ $rc = 9 ] && grep -q "process $holder on" out && busy=$((busy + 1))
done
[ $busy = "$rounds" ] && ok "$rounds second writers stop at once with 9 and name the first" || { cat out >>log; bad "second writers: $busy of $rounds stopped with 9 and named the first"; }
for ((k = 0; k < 50; k++)); do # its row is written soon after its journal is begun
    "$tidemill" runs store --format csv >runs.csv 2>out
    tail -1 runs.csv | grep -q '^running,' && break
    sleep 0.1
done
tail -1 runs.csv | grep -q '^running,' && ok "a run at work is listed as running" || bad "a run at work is listed as running"
kill -INT $holder
wait $holder
rc=$?
[ $rc = 12 ] && serves store && [ $which = a ] && ok "Ctrl-C ends the first with 12" || bad "Ctrl-C ends the first with 12 ($rc)"

# --- Ctrl-C while the source says nothing: before the first row, and in the middle
for lines in 20 $((series * 40)); do
    again
    mkfifo pipe
    (head -n "$lines" b.csv && exec sleep 60) >pipe &
    feeder=$!
    "$tidemill" fit - --store store "${options[@]}" <pipe >log 2>&1 &
    pid=$!
    sleep 1.5
    kill -INT $pid
    (sleep 8 && kill -9 $pid) 2>/dev/null & # where it hangs
    watcher=$!
    wait $pid
    rc=$?
    kill $feeder $watcher 2>/dev/null
    wait $feeder $watcher 2>/dev/null
    rm pipe
    [ $rc = 12 ] && serves store && [ $which = a ] && ok "Ctrl-C while a pipe is silent after $lines lines" || bad "Ctrl-C while a pipe is silent after $lines lines (ended with $rc)"
done

# --- a store cut short under its reader
cut=0
for ((k = 0; k < rounds; k++)); do
    rm -rf short && cp -a first short && chmod u+w short/gen-000001.h5
    "$tidemill" predict short --all --horizon 400 --level 80 2>out | { head -c 3000 >/dev/null; truncate -s $((16384 + bytes * k / rounds)) short/gen-000001.h5; cat >/dev/null; }
    rc=${PIPESTATUS[0]}
    [ "$rc" = 6 ] && grep -qE 'cut short|changed its size' out && cut=$((cut + 1))
done
[ $cut = "$rounds" ] && ok "$rounds stores cut short under their reader end it with 6" || { cp out log; bad "$cut of $rounds stores cut short under their reader ended it with 6 (last: $rc)"; }

# --- PostgreSQL
server=$(mktemp -d /tmp/tide-faults-pg.XXXXXX)
if url=$("$root/tests/postgres.sh" start "$server" 2>log) && data "$series" 2 "$url" --table b 2>log; then
    fit "$url" pg_reference --table b --quiet >log 2>&1 || bad "the fit of B from PostgreSQL"
    same_bits pg_reference/gen-000001.h5 reference/gen-000001.h5 && ok "PostgreSQL gives the bits that the file gives" || bad "PostgreSQL gives the bits that the file gives"
    killed "PostgreSQL" "$url" --table b
    # Several ranges of rows, so that the source is still being read while series are fitted; no second tries.
    went_on=0 crashes=0
    long=(--table d --freq D --season 7 --ets-forms ANN,AAN,ANA,AAA --batch-series 5 --jobs 2 --connections 1 --retries 0)
    "$tidemill" simulate --series 900 --from 2021-01-01 --to 2023-12-31 --output "$url" --table d --quiet 2>log
    start=$(date +%s%N)
    "$tidemill" fit "$url" --store long_reference "${long[@]}" --quiet >log 2>&1 || bad "the fit of long series"
    long_us=$((($(date +%s%N) - start) / 1000))
    for ((k = 1; k <= 20 && (crashes < rounds || went_on == 0); k++)); do
        again
        (exec "$tidemill" fit "$url" --store store "${long[@]}") >log 2>&1 &
        pid=$!
        sleep_us $((long_us * (1 + RANDOM % 80) / 100))
        "$root/tests/postgres.sh" crash "$server" >out 2>&1 || { cp out log; bad "the server does not come back"; break; }
        wait $pid
        rc=$?
        [ $rc = 0 ] && continue # it had read all rows
        crashes=$((crashes + 1))
        [ $rc = 5 ] && serves store && [ $which = a ] || { bad "a crash of the server ended with $rc"; break; }
        "$tidemill" fit "$url" --store store "${long[@]}" --resume >out 2>&1 || { cp out log; bad "--resume after a crash of the server"; break; }
        grep -q 'goes on after' out && went_on=$((went_on + 1))
        same_bits store/gen-000002.h5 long_reference/gen-000001.h5 && clean store || { bad "other bits after a crash of the server"; break; }
    done
    if [ $went_on -gt 0 ]; then ok "$crashes crashes of the server in $((k - 1)) runs: exit 5, the old one serves, --resume gives the same bits ($went_on went on in the middle)"; else bad "of $crashes crashes of the server none met a run in the middle"; fi
else
    skip "PostgreSQL: no server could be started here"
fi
exit $status
