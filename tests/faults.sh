#!/usr/bin/env bash
# Bad inputs and broken surroundings, end to end with the real binary: each run must end with its documented exit code
# (host/error.h), one message that names the place, and the old store intact; a bad series must not harm the others.
#
# usage: tests/faults.sh [BUILD_DIR]       the PostgreSQL part runs inside tests/with_postgres.sh
#
# A good store is made first; after every failing run CURRENT and all its forecasts must be what they were. Sanitizer
# reports and signals count as failures whatever a case expects.
set -uo pipefail
suite=faults
cd "$(dirname "$0")/.."
. tests/lib.sh
enter "$@"
fit() { "$tidemill" fit "$@"; }
intact() { # intact FACT: the good store serves what it served
    local now
    now=$("$tidemill" predict "$work/good" --all --horizon 6 --level 80 2>"$work/err" | cksum)
    if [ "$now" = "$good_forecast" ] && [ "$(readlink "$work/good/CURRENT")" = "$good_link" ] && ! ls -A "$work/good" | grep -q '^\.tmp-'; then
        return 0
    fi
    bad "the old store is not intact after: $1" "$(ls -A "$work/good")" "$(head -3 "$work/err")"
    return 1
}
# refused CODE REGEX FACT fit-arguments...: a fit into the good store that must fail and leave it as it is.
refused() {
    local code=$1 regex=$2 fact=$3
    shift 3
    ends "$code" "$regex" "$fact" "$tidemill" fit "$@" --store "$work/good" && intact "$fact"
}

# --- the good store: 30 monthly series of 48 values
series() { # series FROM TO: a long table with its header
    awk -v from="$1" -v to="$2" 'BEGIN {
        print "unique_id,ds,y"
        for (i = from; i <= to; i++) for (t = 0; t < 48; t++)
            printf "s%06d,%04d-%02d-01,%.3f\n", i, 2020 + int(t / 12), t % 12 + 1, 100 + i % 17 + t * 0.5 + 10 * sin(t * 0.5236) + (t * 7919 + i * 104729) % 13 }'
}
series 1 30 >"$work/good.csv"
if ! fit "$work/good.csv" --store "$work/good" --freq M >"$work/out" 2>"$work/err"; then
    bad "a good input is fitted" "$(tail -n 3 "$work/err")"
    exit 1
fi
good_forecast=$("$tidemill" predict "$work/good" --all --horizon 6 --level 80 | cksum)
good_link=$(readlink "$work/good/CURRENT")
ok "a good input is fitted"

# --- files
: >"$work/empty.csv"
refused 4 'empty\.csv' "an empty file" "$work/empty.csv" --freq M
tail -n +2 "$work/good.csv" >"$work/headless.csv"
refused 4 'headless\.csv.*unique_id' "no header" "$work/headless.csv" --freq M
cut -d, -f1,2 "$work/good.csv" >"$work/no_y.csv"
refused 4 "no_y\.csv.*'?y'?" "a missing column" "$work/no_y.csv" --freq M
head -1 "$work/good.csv" >"$work/only_header.csv"
refused 4 'only_header\.csv' "a header without rows" "$work/only_header.csv" --freq M
refused 7 'nowhere\.csv' "a file that does not exist" "$work/nowhere.csv" --freq M
refused 7 "$work" "a folder instead of a file" "$work" --freq M
gzip -c "$work/good.csv" | head -c 700 >"$work/cut.csv.gz"
refused 4 'cut\.csv\.gz' "a gzip file that breaks off" "$work/cut.csv.gz" --freq M
head -c 5000 /dev/urandom | gzip -c >"$work/noise.csv.gz"
refused 4 'noise\.csv\.gz' "noise" "$work/noise.csv.gz" --freq M

# --- rows
awk 'BEGIN { print "unique_id,ds,y"; for (i = 0; i < 20000; i++) for (t = 0; t < 50; t++) {
    y = (i == 12345 && t == 20) ? "12x4" : 10 + t % 7 + i % 5
    printf "k%05d,%d,%s\n", i, t + 1, y } }' >"$work/million.csv"
line=$((12345 * 50 + 20 + 2))
if ends 0 "$line" "a million rows with one bad row: the run goes on and names line $line" \
    "$tidemill" fit "$work/million.csv" --store "$work/million" --freq N --season 1 --models naive; then
    if [ "$("$tidemill" inspect "$work/million" --format csv 2>/dev/null | cut -d, -f2 | grep -c bad_row)" = 1 ]; then
        ok "of 20,000 series exactly one ends as bad_row"
    else
        bad "not exactly one series ends as bad_row"
    fi
fi
refused 4 "$line" "the same with --on-bad-row error" "$work/million.csv" --freq N --season 1 --models naive --on-bad-row error
{ cat "$work/good.csv"; echo 's000030,2023-12-01,99'; } >"$work/twice.csv"
refused 4 's000030' "a duplicate with --on-duplicate error" "$work/twice.csv" --freq M --on-duplicate error
{ cat "$work/good.csv"; echo 's000001,2024-01-01,99'; } >"$work/back.csv"
refused 4 's000001' "an id that comes back" "$work/back.csv" --freq M

# --- ids: commas, quotes, line breaks, UTF-8, 10 kB, an empty one
python3 - "$work/ids.csv" <<'PY'
import csv, sys
ids = ['plain', 'with,comma', 'with "quotes"', "it's; DROP TABLE x --", 'Zürich 東京 🚂', 'two\nlines', ' space ', '../../etc/passwd', 'x' * 10000]
with open(sys.argv[1], "w", newline="") as f:
    w = csv.writer(f)
    w.writerow(["unique_id", "ds", "y"])
    for k, u in enumerate(ids):
        for t in range(1, 31):
            w.writerow([u, t, k + t % 4])
PY
if ends 0 '' "odd ids are fitted" "$tidemill" fit "$work/ids.csv" --store "$work/ids" --freq N --season 1; then
    "$tidemill" predict "$work/ids" --all --horizon 1 >"$work/out" 2>"$work/err"
    if python3 - "$work/ids.csv" "$work/out" "$tidemill" "$work/ids" <<'PY'; then
import csv, subprocess, sys
ids = lambda p: sorted({r["unique_id"] for r in csv.DictReader(open(p, newline=""))})
assert ids(sys.argv[1]) == ids(sys.argv[2]), "ids differ"
for u in ids(sys.argv[1]):
    out = subprocess.run([sys.argv[3], "predict", sys.argv[4], "--id", u, "--horizon", "1"], capture_output=True, text=True, check=True).stdout
    assert list(csv.DictReader(out.splitlines(keepends=True)))[0]["unique_id"] == u, u
PY
        ok "odd ids come back byte for byte, and each is found by itself"
    else
        bad "odd ids do not come back byte for byte" "$(tail -n 2 "$work/err")"
    fi
fi
printf 'unique_id,ds,y\n,1,5\na,1,5\na,2,6\na,3,7\n' >"$work/no_id.csv"
ends 0 'line 2' "a row without an id is counted and named" "$tidemill" fit "$work/no_id.csv" --store "$work/no_id" --freq N

# --- values: constant, zero, missing, one, 1e300, denormal, infinite
awk 'BEGIN { print "unique_id,ds,y"; for (t = 1; t <= 40; t++) {
    print "a_constant," t ",7"; } for (t = 1; t <= 40; t++) print "b_zero," t ",0"
    for (t = 1; t <= 40; t++) print "c_missing," t ","
    print "d_one,1,5"
    for (t = 1; t <= 40; t++) print "e_huge," t "," (t % 5 + 1) "e300"
    for (t = 1; t <= 40; t++) print "f_denormal," t "," (t % 5 + 1) "e-310"
    for (t = 1; t <= 40; t++) print "g_mixed," t "," (t % 2 ? "1e300" : "1e-300")
    for (t = 1; t <= 40; t++) print "h_infinite," t "," (t == 9 ? "inf" : t)
    for (t = 1; t <= 40; t++) print "i_negative," t "," (t % 7 - 3)
    for (t = 1; t <= 40; t++) print "j_nan," t "," (t % 9 ? t % 4 : "NaN")
    for (t = 1; t <= 40; t++) print "k_good," t "," (100 + t % 7) }' >"$work/values.csv"
if ends 0 '' "odd values are fitted" "$tidemill" fit "$work/values.csv" --store "$work/values" --freq N --season 4; then
    outcomes=$("$tidemill" inspect "$work/values" --format csv 2>/dev/null | awk -F, 'NR > 1 { print $1 "=" $2 }' | sort -u)
    for want in a_constant=constant b_zero=constant c_missing=empty h_infinite=not_finite k_good=fitted; do
        if grep -qx "$want" <<<"$outcomes"; then ok "outcome $want"; else bad "outcome $want" "$(grep "^${want%=*}" <<<"$outcomes")"; fi
    done
    if grep -qE '^d_one=(short|constant)$' <<<"$outcomes"; then ok "one value ends as short or constant"; else bad "one value" "$outcomes"; fi
    "$tidemill" predict "$work/values" --all --horizon 8 --level 80,95 >"$work/out" 2>"$work/err"
    if python3 - "$work/out" <<'PY'; then
import csv, math, sys
seen = set()
for r in csv.DictReader(open(sys.argv[1])):
    u = r["unique_id"]
    numbers = [r[k] for k in r if k not in ("unique_id", "ds")]
    if u in ("c_missing", "h_infinite"):
        assert all(v == "" for v in numbers), (u, numbers)
        continue
    v = [float(x) for x in numbers]
    assert all(map(math.isfinite, v)), (u, v)
    assert v[3] <= v[1] <= v[0] <= v[2] <= v[4], (u, v)
    if u == "a_constant": assert v == [7.0] * 5, v
    if u == "b_zero": assert v == [0.0] * 5, v
    seen.add(u)
assert len(seen) == 9, seen
PY
        ok "every forecast of odd values is finite and lies inside its intervals; series without a model stay empty"
    else
        bad "a forecast of odd values is wrong" "$(head -3 "$work/err")"
    fi
fi

# --- configuration and command line
printf '{"freq": "M", "ets": {"form": "ANN"}}' >"$work/wrong.json"
refused 3 'ets\.form' "an unknown config key is named by its path" "$work/good.csv" --config "$work/wrong.json"
printf '{"ets": {"forms": ["ANN", "AMM"]}}' >"$work/wrong.json"
refused 3 'ets\.forms' "an unknown form is named by its path" "$work/good.csv" --config "$work/wrong.json"
printf '{"freq": 12}' >"$work/wrong.json"
refused 3 'freq' "an ill-typed config value is named by its path" "$work/good.csv" --config "$work/wrong.json"
printf '{"freq": "M",' >"$work/wrong.json"
refused 3 'wrong\.json' "a config that breaks off" "$work/good.csv" --config "$work/wrong.json"
python3 -c 'print("{\"a\":" * 5000 + "1" + "}" * 5000)' >"$work/wrong.json"
refused 3 'wrong\.json' "a config nested 5000 deep" "$work/good.csv" --config "$work/wrong.json"
refused 2 'no-such-flag' "an unknown flag" "$work/good.csv" --no-such-flag
refused 2 'series|predict|usage|flag' "a flag of another command" "$work/good.csv" --series 3
refused 3 'freq' "a frequency that there is not" "$work/good.csv" --freq 3x
ends 2 '.' "an unknown command" "$tidemill" frobnicate
ends 0 'Usage|usage' "--help" "$tidemill" --help
for c in fit predict forecast inspect simulate bench; do ends 0 'Usage|usage|Example|example' "$c --help" "$tidemill" "$c" --help; done

# --- stores
ends 6 'nostore' "a store that does not exist" "$tidemill" predict "$work/nostore" --all --horizon 3
ends 11 'no_such_id' "an id without a model" "$tidemill" predict "$work/good" --id no_such_id --horizon 3
cp -rP "$work/good" "$work/damaged"
file=$work/damaged/$good_link
chmod u+w "$file"
size=$(stat -c %s "$file")
seen=0 refusals=0
for at in $(seq 37 $((size / 60)) "$size"); do
    cp "$work/good/$good_link" "$file" && chmod u+w "$file"
    python3 - "$file" "$at" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2])); b = f.read(1); f.seek(int(sys.argv[2])); f.write(bytes([b[0] ^ 16]))
PY
    rc=0
    now=$("$tidemill" predict "$work/damaged" --all --horizon 6 --level 80 2>"$work/err" | cksum) || rc=$?
    seen=$((seen + 1))
    if [ "$rc" = 6 ]; then
        refusals=$((refusals + 1))
    elif [ "$rc" != 0 ] || [ "$now" != "$good_forecast" ]; then
        bad "a flipped bit at byte $at of the store: ended with $rc and other forecasts" "$(tail -n 2 "$work/err")"
    fi
done
if [ "$refusals" -gt $((seen / 3)) ]; then ok "$seen flipped bits: $refusals refused, the others in bytes that no forecast reads"; else bad "only $refusals of $seen flipped bits were refused"; fi
for part in 0 100 5000 $((size / 2)) $((size - 1)); do
    cp "$work/good/$good_link" "$file" && chmod u+w "$file" && truncate -s "$part" "$file"
    ends 6 "$good_link|damaged" "a store cut to $part bytes" "$tidemill" predict "$work/damaged" --all --horizon 6
done

# --- two writers: the lock is held by flock(1) on the store's lock file
if [ -e "$work/good/.lock" ] && command -v flock >/dev/null; then
    refused_busy() { flock "$work/good/.lock" "$tidemill" fit "$work/good.csv" --store "$work/good" --freq M; }
    export -f refused_busy
    export work tidemill
    ends 9 'good' "a second writer stops at once" bash -c refused_busy && intact "a second writer"
fi

# --- disk full: a limit on file size, and as root a small file system
series 1 3000 >"$work/large.csv"
limited() { ulimit -f 200; trap '' XFSZ; exec "$tidemill" fit "$work/large.csv" --store "$work/good" --freq M --ets-forms ANN; }
export -f limited
export work tidemill
ends 7 'good' "a file that may not grow (limit on its size)" bash -c limited && intact "a limit on file size"
if [ "$(id -u)" = 0 ] && mkdir "$work/small" && mount -t tmpfs -o size=600k tmpfs "$work/small" 2>/dev/null; then
    mounted=$work/small
    fit "$work/good.csv" --store "$work/small/store" --freq M >/dev/null 2>&1
    before=$("$tidemill" predict "$work/small/store" --all --horizon 6 --level 80 | cksum)
    ends 7 'small/store' "a full disk" "$tidemill" fit "$work/large.csv" --store "$work/small/store" --freq M --ets-forms ANN
    after=$("$tidemill" predict "$work/small/store" --all --horizon 6 --level 80 | cksum)
    if [ "$before" = "$good_forecast" ] && [ "$after" = "$before" ] && ! ls -A "$work/small/store" | grep -q '^\.tmp-'; then
        ok "after a full disk the old store serves and no temporary is left"
    else
        bad "after a full disk the old store is not intact" "$(ls -lA "$work/small/store")"
    fi
else
    skip "a full disk: no right to mount a small file system"
fi
if [ -c /dev/full ]; then
    full() { "$tidemill" predict "$work/good" --all --horizon 50 >/dev/full; }
    export -f full
    ends 7 '.' "forecasts to a full device" bash -c full
fi
closed() { "$tidemill" predict "$work/good" --all --horizon 1000 | head -1 >/dev/null; case ${PIPESTATUS[0]} in 0 | 7 | 141) true ;; *) false ;; esac; }
export -f closed
ends 0 '' "a reader that goes away early" bash -c closed

# --- databases
ends 5 '127\.0\.0\.1|refused|connect' "a server that cannot be reached" "$tidemill" fit 'postgresql://tide@127.0.0.1:1/x' --table t --store "$work/good" --freq M --connect-timeout 3 && intact "an unreachable server"
python3 - >"$work/port" <<'PY' &
import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1)
print(s.getsockname()[1], flush=True)
time.sleep(60)
PY
listener=$!
for _ in $(seq 50); do
    [ -s "$work/port" ] && break
    sleep 0.1
done
start=$SECONDS
ends 5 'timeout|timed|127\.0\.0\.1' "a server that never answers" "$tidemill" fit "postgresql://tide@127.0.0.1:$(cat "$work/port")/x" --table t --store "$work/good" --freq M --connect-timeout 2 && intact "a silent server"
if [ $((SECONDS - start)) -le 30 ]; then ok "it is given up in time"; else bad "a silent server held the run for $((SECONDS - start)) s"; fi
kill $listener 2>/dev/null
wait $listener 2>/dev/null
if [ -n "${TIDE_TEST_PG_URL:-}" ]; then
    url=$TIDE_TEST_PG_URL
    refused 4 'no_such_table' "a table that does not exist" "$url" --table no_such_table --freq M
    refused 4 'no_such_column' "a query with a column that does not exist" "$url" --query 'SELECT no_such_column FROM pg_class' --freq M
    refused 4 'CREATE' "a query that would write" "$url" --query 'CREATE TABLE tide_evil (a int)' --freq M
    refused '[45]' '.' "an injected table name" "$url" --table 'x"; DROP TABLE pg_class; --' --freq M
else
    skip "the PostgreSQL part: no server (run inside tests/with_postgres.sh)"
fi

# --- killed at random moments
if TIDEMILL=$tidemill "$root/bench/kill_test.sh" 6 600 >"$work/out" 2>&1; then cat "$work/out"; else bad "kill -9" "$(cat "$work/out")"; fi
exit $status
