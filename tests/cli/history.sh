#!/usr/bin/env bash
# A fit with a history, end to end: night after night from CSV files of new rows and from PostgreSQL, each store compared
# column by column with that of a full read of the same rows; kills at random moments, full disks, two runs at once, refusals.
#
# usage: tests/cli/history.sh [BUILD_DIR]       the PostgreSQL part runs inside tests/with_postgres.sh
set -uo pipefail
suite=history
cd "$(dirname "$0")/../.."
. tests/lib.sh
enter "$@"
# same_store FACT A B: every column of two stores, but run ids and checksums (which cover those).
cat >same_store.py <<'PY'
import struct, sys
width = {1: 1, 2: 4, 3: 4, 4: 8, 5: 8, 6: 8, 7: 40}
def columns(store):
    bytes = open(store + "/CURRENT", "rb").read()
    found = {}
    for i in range(29):
        name, kind, _, offset, count, _ = struct.unpack_from("<32sIIQQQ", bytes, 512 + 64 * i)
        found[name.rstrip(b"\0").decode()] = bytes[offset:offset + count * width[kind]]
    return found
a, b = columns(sys.argv[1]), columns(sys.argv[2])
assert a.keys() == b.keys() and len(a["series/outcome"]) > 0, "columns"
differ = [c for c in a if a[c] != b[c] and c not in ("run/id", "index/block_xxh3")]
if differ:
    sys.exit("columns that differ: " + " ".join(differ))
PY
same_store() { if python3 same_store.py "$2" "$3" >out 2>err; then ok "$1"; else bad "$1"; fi; }
cheap=(--ets-forms ANN,AAN --quiet)
python3 same_store.py x y >out 2>err && bad "the comparison's own test: missing stores are not the same"

# --- nights of simulated data: only new rows come, in a file of their own ------------------------------------------
nights() { # nights FREQ FIRST-DAY LAST-DAY DAY...: the rows up to LAST-DAY, then those up to each DAY
    local freq=$1 first=$2 last=$3 day from
    shift 3
    rm -rf s f h.tide
    "$tidemill" simulate --series 60 --freq "$freq" --late 0.4 --end 0.3 --from "$first" --to "$last" --output n.csv --quiet
    "$tidemill" fit n.csv --freq "$freq" --store s --history h.tide "${cheap[@]}" >out 2>err || bad "$freq: the first night"
    for day in "$@"; do
        from=$(date -u -d "$last + 1 day" +%F)
        "$tidemill" simulate --series 60 --freq "$freq" --late 0.4 --end 0.3 --from "$from" --to "$day" --output n.csv --quiet
        "$tidemill" simulate --series 60 --freq "$freq" --late 0.4 --end 0.3 --from "$first" --to "$day" --output all.csv --quiet
        "$tidemill" fit n.csv --store s --history h.tide "${cheap[@]}" --report r.json >out 2>err || bad "$freq: night $day"
        "$tidemill" fit all.csv --store f --freq "$freq" "${cheap[@]}" >out 2>err || bad "$freq: all rows up to $day"
        same_store "$freq: the store of $day is that of a full read" s f
        last=$day
    done
}
nights D 2023-01-01 2023-12-30 2023-12-31 2024-01-01 2024-01-10
nights M 2016-01-01 2021-12-01 2022-01-01 2022-03-01
nights W 2020-01-06 2021-12-27 2022-01-03 2022-01-17
nights B 2022-01-03 2022-06-30 2022-07-01 2022-07-11
[ "$(python3 -c 'import json; h = json.load(open("r.json"))["history"]; print(h["before"], h["generation"], h["watermark"])')" = "2 3 2022-07-11" ] &&
    ok "the report says generation and watermark" || bad "the report says generation and watermark"
ends 0 'watermark +2022-07-11' "history shows the watermark" "$tidemill" history h.tide --verify
"$tidemill" history h.tide --format csv >rows.csv 2>err
"$tidemill" fit rows.csv --store t --freq B "${cheap[@]}" >out 2>err || bad "the rows of the history are a source"
same_store "a fit of the rows that the history prints is that of a full read" t f
rm h.tide
"$tidemill" fit all.csv --store s --freq B --history h.tide "${cheap[@]}" >out 2>err || bad "without its file"
same_store "a history that was deleted costs only time" s f

# --- timestamps and integers, with corrections, late rows, deletions, new ids, ids that end -------------------------
cat >rows.py <<'PY'
import datetime, random, sys
kind, nights, night = sys.argv[1], 4, int(sys.argv[2])
r = random.Random(kind)
start = datetime.datetime(2024, 2, 27, 22, 0)
def ds(t):
    if kind == "integer":
        return str(10 * t - 95)
    return (start + datetime.timedelta(minutes=15 * t)).isoformat()
rows = {}
for n in range(night + 1):
    upto = 150 + 9 * n
    for k in range(25):
        for t in range(k % 4 if k < 20 else 140, upto if k % 6 != 5 else min(upto, 155)):
            key = (f"id{k:02d}", t)
            if n and t < upto - 9 - 20:
                continue
            if n and t < upto - 9:  # inside the window of 20 steps
                if r.random() < 0.05 and key in rows:
                    rows[key] = round(r.random() * 50, 3)
                elif r.random() < 0.05:
                    rows.pop(key, None)
                elif r.random() < 0.02:
                    rows.setdefault(key, 1.5)
            elif r.random() > 0.06 and (k < 20 or n > 1):
                rows[key] = round(k + 10 * r.random(), 3)
print("unique_id,ds,y")
first = int(sys.argv[3])
for (i, t), y in sorted(rows.items()):
    if t >= first:
        print(f"{i},{ds(t)},{y}")
PY
for kind in timestamp integer; do
    rm -rf s f h.tide
    freq=15min
    [ $kind = timestamp ] || freq=10
    for night in 0 1 2 3; do
        # The file begins with the window, which is what a run may rely on.
        python3 rows.py $kind $night $((night ? 150 + 9 * (night - 1) - 20 : 0)) >n.csv
        python3 rows.py $kind $night 0 >all.csv
        "$tidemill" fit n.csv --freq $freq --season 1 --store s --history h.tide --reread 20 "${cheap[@]}" --report r.json >out 2>err || bad "$kind: night $night"
        "$tidemill" fit all.csv --freq $freq --season 1 --store f "${cheap[@]}" >out 2>err || bad "$kind: all of night $night"
        same_store "$kind: the store of night $night is that of a full read" s f
    done
    python3 -c 'import json; h = json.load(open("r.json"))["history"]; assert h["values_corrected"] and h["rows_deleted"] and h["rows_late"] and h["corrected"], h' 2>err &&
        ok "$kind: corrections, late rows and deletions are counted" || bad "$kind: corrections, late rows and deletions are counted"
done

ends 0 '^examples$' "help of history" "$tidemill" history --help
ends 2 'which FILE' "history of what" "$tidemill" history

# --- refusals -------------------------------------------------------------------------------------------------------
run=("$tidemill" fit n.csv --store s --history h.tide --freq 10 --season 1 "${cheap[@]}")
ends 3 'freq is "10N" there, "M" here' "another frequency is refused" "${run[@]}" --freq M
ends 3 'source.y_column is "y" there, "q" here' "another column is refused" "${run[@]}" --y-column q
ends 3 'intake.duplicates is "quarantine" there, "sum" here' "another policy is refused" "${run[@]}" --on-duplicate sum
ends 3 "history.reread: '1d'" "a span that the times have not is refused" "${run[@]}" --reread 1d
ends 6 'd.tide.: its head is damaged' "a damaged file is refused" sh -c "cp h.tide d.tide; chmod u+w d.tide; printf x | dd of=d.tide bs=1 seek=700 conv=notrunc 2>/dev/null; '$tidemill' fit n.csv --store s --history d.tide --freq 10"
ends 6 'cut off|was written with' "a truncated file is refused" sh -c "head -c 9000 h.tide >c.tide; '$tidemill' fit n.csv --store s --history c.tide --freq 10"
ends 7 'No such file' "a directory that is not there" "$tidemill" fit n.csv --store s --history nowhere/h.tide
ends 7 'No such file' "history of no file" "$tidemill" history nowhere.tide
ends 11 "no id 'x'" "history of an id that is not there" "$tidemill" history h.tide --id x
ends 0 'series +id03' "history of an id" "$tidemill" history h.tide --id id03
before=$(cksum <h.tide)
ends 4 "ds holds dates" "times of another kind are refused" sh -c "printf 'unique_id,ds,y\\nid01,2024-01-01,1\\n' >o.csv; '$tidemill' fit o.csv --store s --history h.tide --freq 10 --season 1"
[ "$(cksum <h.tide)" = "$before" ] && ok "a refused run leaves the history as it was" || bad "a refused run leaves the history as it was"
printf 'unique_id,ds,y\nid01,-95,1\nid01,1000000,1\n' >late.csv
ends 0 "series 'id01' line 2: ds -95 is before the window" "rows before the window are named" "$tidemill" fit late.csv --store s --history h.tide --freq 10 --season 1 --ets-forms ANN

# --- two runs at once ----------------------------------------------------------------------------------------------
rm -rf s h.tide
mkfifo pipe
"$tidemill" fit - --store s --history h.tide --freq M --quiet <pipe >first.out 2>&1 &
first=$!
exec 7>pipe
for _ in $(seq 100); do [ -e .h.tide.lock ] && break; sleep 0.1; done
sleep 0.2
for round in $(seq ${TIDE_FAULT_ROUNDS:-4}); do ends 9 "history 'h.tide' is being written by process [0-9]+ on" "a second run names the holder of the history ($round)" "$tidemill" fit all.csv --store s2 --history h.tide --freq M; done
"$tidemill" simulate --series 20 --freq M --from 2019-01-01 --to 2023-12-01 --quiet >&7
exec 7>&-
wait $first && [ -e h.tide ] && ok "and the first one ends well" || bad "and the first one ends well"

# --- kills at random moments --------------------------------------------------------------------------------------
sim=(simulate --series 3000 --freq M --from 2015-01-01 --quiet)
"$tidemill" "${sim[@]}" --to 2023-12-01 --output base.csv
"$tidemill" "${sim[@]}" --to 2024-01-01 --output all.csv
fit_night=(fit all.csv --freq M --store s --history h.tide --reread 1 --models naive --quiet)
rm -rf s f h.tide
"$tidemill" fit base.csv --freq M --store s --history h.tide --models naive --quiet >out 2>err || bad "the base of the kills"
"$tidemill" fit all.csv --freq M --store f --models naive --quiet >out 2>err
cp h.tide base.tide
start=$(date +%s%6N)
"$tidemill" "${fit_night[@]}" >out 2>err || bad "a night that nobody kills"
whole=$(($(date +%s%6N) - start))
rounds=${TIDE_FAULT_ROUNDS:-4}
RANDOM=20260101 killed=0 early=0
for round in $(seq $((2 * rounds))); do
    cp -f base.tide h.tide
    wait_us=$((whole * 11 / 10 * (RANDOM * 32768 + RANDOM) / 1073741824))
    (exec "$tidemill" "${fit_night[@]}") >out 2>err &
    pid=$!
    sleep "$(printf '%d.%06d' $((wait_us / 1000000)) $((wait_us % 1000000)))"
    kill -9 $pid 2>/dev/null && killed=$((killed + 1))
    wait $pid 2>/dev/null
    cmp -s h.tide base.tide && early=$((early + 1))
    "$tidemill" history h.tide --verify >out 2>err || bad "round $round: the history is whole after a kill"
    "$tidemill" "${fit_night[@]}" >out 2>err || bad "round $round: the next run succeeds"
    python3 same_store.py s f >out 2>err || bad "round $round: the next run has the right bits"
    ls -A | grep -qE '^\.h\.tide\.tmp|^\.tmp-' && bad "round $round: temporaries are left: $(ls -A | grep tmp)"
done
[ $killed -ge $((rounds / 2)) ] && ok "$((2 * rounds)) rounds, $killed killed ($early with the old history): every next run is right" || bad "too few kills to tell ($killed)"

# --- full disks ----------------------------------------------------------------------------------------------------
mkdir -p disk
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=14m tmpfs disk 2>/dev/null; then
    mounted=$work/disk
    cp base.tide disk/h.tide
    "$tidemill" fit base.csv --freq M --store disk/s --models naive --keep 1 --quiet >out 2>err || bad "the store on the small disk"
    before=$(cksum <disk/h.tide) link=$(readlink disk/s/CURRENT)
    available=$(df -B1 --output=avail disk | tail -1)
    for round in $(seq $rounds); do # what is left: from nothing to a megabyte, which is less than it needs
        head -c $((available - 1000000 * round / rounds)) /dev/zero >disk/filler 2>/dev/null
        ends 7 "disk/(h.tide|s).*(No space|reserve)" "a full disk stops the run ($round)" "$tidemill" fit all.csv --freq M --store disk/s --history disk/h.tide --reread 1 --models naive --quiet
        [ "$(cksum <disk/h.tide)" = "$before" ] && [ "$(readlink disk/s/CURRENT)" = "$link" ] && ! ls -A disk | grep -q tmp &&
            ok "and leaves history and store as they were" || bad "and leaves history and store as they were"
        rm disk/filler
    done
    ends 0 'generation' "with room again it runs" sh -c "'$tidemill' fit all.csv --freq M --store disk/s --history disk/h.tide --reread 1 --models naive 2>&1"
    same_store "and has the right bits" disk/s f
else
    skip "full disks need root and tmpfs"
fi
before=$(cksum <base.tide)
cp -f base.tide h.tide
link=$(readlink s/CURRENT)
for round in $(seq $rounds); do
    ends 7 'File too large' "a limit of file sizes stops the run ($round)" sh -c "trap '' XFSZ; ulimit -f $((1500 * round / rounds)); exec '$tidemill' fit all.csv --freq M --store s --history h.tide --reread 1 --models naive --quiet"
    [ "$(cksum <h.tide)" = "$before" ] && [ "$(readlink s/CURRENT)" = "$link" ] && ok "and leaves history and store" || bad "and leaves history and store"
done

# --- PostgreSQL ----------------------------------------------------------------------------------------------------
if [ -n "${TIDE_TEST_PG_URL:-}" ] && command -v psql >/dev/null; then
    sql() { psql "$TIDE_TEST_PG_URL" -qAtX -v ON_ERROR_STOP=1 "$@" 2>err || bad "psql: $*"; }
    sql -c 'DROP TABLE IF EXISTS hist_demand'
    rm -rf s f h.tide
    load=("$tidemill" simulate --series 80 --late 0.3 --end 0.3 --seed 5 --quiet --table hist_demand --output "$TIDE_TEST_PG_URL")
    "${load[@]}" --from 2023-03-01 --to 2023-08-31 2>err || bad "loading"
    sql -c 'CREATE INDEX ON hist_demand (ds)'
    pg=("$tidemill" fit "$TIDE_TEST_PG_URL" --table hist_demand --freq D "${cheap[@]}")
    night() { # night FACT [options]
        local fact=$1
        shift
        "${pg[@]}" --store s --history h.tide --report r.json "$@" >out 2>err || bad "$fact: with the history"
        "${pg[@]}" --store f >out 2>err || bad "$fact: all rows"
        same_store "postgres: $fact" s f
    }
    rows() { python3 -c 'import json; print(json.load(open("r.json"))["rows"])' 2>/dev/null || python3 -c 'import json; r = json.load(open("r.json")); print(r["input"]["rows"])'; }
    night "the first night"
    "${load[@]}" --from 2023-09-01 --to 2023-09-01 2>err
    night "one more day"
    n=$(sql -c "SELECT count(*) FROM hist_demand WHERE ds > '2023-08-31'")
    [ "$(rows)" = "$n" ] && ok "postgres: exactly the $n new rows were read" || bad "postgres: exactly the new rows were read ($(rows), $n)"
    "${load[@]}" --from 2023-09-02 --to 2023-09-05 2>err
    sql -c "UPDATE hist_demand SET y = y + 3 WHERE ds BETWEEN '2023-08-25' AND '2023-08-27' AND unique_id < 'S0000030';
            DELETE FROM hist_demand WHERE ds >= '2023-08-29' AND unique_id IN ('S0000003', 'S0000007');
            INSERT INTO hist_demand SELECT 'A new one', d, 5 FROM generate_series('2023-09-02'::date, '2023-09-05', '1 day') d;
            INSERT INTO hist_demand SELECT 'Z last', d, 5 FROM generate_series('2023-08-30'::date, '2023-09-03', '1 day') d"
    night "corrections, deletions and new ids in the window" --reread 14d
    sql -c "INSERT INTO hist_demand VALUES ('S0000010', '2023-09-04', 1), ('S0000011', '2023-09-05', 'Infinity')"
    night "a duplicate and an infinite value shut two series out" --reread 3
    sql -c "DELETE FROM hist_demand WHERE y = 'Infinity'; DELETE FROM hist_demand WHERE unique_id = 'S0000010' AND ds = '2023-09-04' AND y = 1"
    night "and heal when they are gone" --reread 3
    python3 -c 'import json; h = json.load(open("r.json"))["history"]; assert h["healed"] == 2, h' 2>err && ok "postgres: two series are healed" || bad "postgres: two series are healed"
    sql -c "DELETE FROM hist_demand WHERE unique_id = 'Z last'"
    night "a series whose rows all go is gone" --reread 14d
    ends 3 'source.table is "hist_demand" there, "other" here' "postgres: another table is refused" "$tidemill" fit "$TIDE_TEST_PG_URL" --table other --freq D --store s --history h.tide
    sql -c "DROP TABLE IF EXISTS hist_int; CREATE TABLE hist_int AS SELECT (unique_id IS NOT NULL)::int * substr(unique_id, 2)::int AS unique_id, ds::timestamp AS ds, y FROM hist_demand WHERE unique_id LIKE 'S%'"
    pg=("$tidemill" fit "$TIDE_TEST_PG_URL" --table hist_int --freq D "${cheap[@]}")
    rm -rf s f h.tide
    night "integer ids and timestamps"
    sql -c "INSERT INTO hist_int SELECT k, '2023-09-06', k FROM generate_series(1, 200, 9) k"
    night "new integer ids go where their number is"
    sql -c 'DROP TABLE hist_demand, hist_int'
else
    skip "no PostgreSQL (run inside tests/with_postgres.sh)"
fi
exit $status
