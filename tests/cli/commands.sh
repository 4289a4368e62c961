#!/usr/bin/env bash
# The command line end to end: help, flags and config, the same forecasts by every way, formats, ranges, odd outputs.
# Bad inputs and broken stores are in tests/faults.sh.
#
# usage: tests/cli/commands.sh [BUILD_DIR]
set -uo pipefail
suite=commands
cd "$(dirname "$0")/../.."
. tests/lib.sh
enter "$@"

# --- help, version
ends 0 'usage: tidemill' "help" "$tidemill" --help
ends 0 '^tidemill [0-9]+\.[0-9]+\.[0-9]+ \(commit .*, (gcc|clang) .*CUDA\)' "version" "$tidemill" --version
for c in load fit predict forecast evaluate update inspect runs history simulate bench; do ends 0 '^examples$' "help of $c" "$tidemill" "$c" --help; done
ends 2 'which command' "no command" "$tidemill"
ends 2 "did you mean 'predict'" "a command that nearly exists" "$tidemill" predcit
ends 2 'did you mean --season' "a flag that nearly exists" "$tidemill" fit x.csv --seasn 12
ends 2 'did you mean --ets-forms' "an abbreviated flag" "$tidemill" fit x.csv --ets-f ANN
ends 2 '--jobs needs a value' "a flag without its value" "$tidemill" fit x.csv --jobs
ends 2 "--jobs: 'two' is not a whole number" "an ill-typed flag" "$tidemill" fit x.csv --jobs two
ends 2 "--ets-forms: 'AMM' is not one of ANN" "a form that does not exist" "$tidemill" fit x.csv --ets-forms ANN,AMM
ends 2 "--arima-order: '0,1' is not three whole numbers" "an order of two numbers" "$tidemill" fit x.csv --arima-order 0,1
ends 2 "--across: 'best' is not one of backtest, mean, criterion" "a rule that does not exist" "$tidemill" fit x.csv --across best
ends 2 'takes one SOURCE' "two sources" "$tidemill" fit a.csv b.csv
ends 2 'which SOURCE' "no source" "$tidemill" fit --store s
ends 2 '--store DIR is needed' "no store" "$tidemill" fit a.csv
ends 2 'flags begin with --' "a flag with one dash" "$tidemill" fit -x
ends 2 'one of --id, --ids and --all' "predict without ids" "$tidemill" predict s
ends 2 'takes --all' "one id into a database" "$tidemill" predict s --id A --output postgresql://h/d --table t
ends 2 'need --table' "predict into a database without a table" "$tidemill" predict s --all --output=postgresql://h/d
ends 2 'a file or postgresql://' "predict into something else" "$tidemill" predict s --all --output mysql://h/d --table t
ends 2 'are for an --output postgresql://' "a table without a database" "$tidemill" predict s --all --table t
ends 2 '--write-back needs --write-table' "write-back without a table" "$tidemill" fit a.csv --store s --write-back postgresql://h/d
ends 2 'need --write-back URL' "a table without write-back" "$tidemill" fit a.csv --store s --write-table t
ends 2 'which SOURCE' "load without a source" "$tidemill" load --output postgresql://h/d --table t
ends 2 '--output postgresql://' "load without a database" "$tidemill" load a.csv --table t
ends 2 '--table TABLE is needed' "load without a table" "$tidemill" load a.csv --output postgresql://h/d
ends 2 'one of error, first, last' "load with an unknown policy" "$tidemill" load a.csv --output postgresql://h/d --table t --on-duplicate sum
ends 2 '--source-table and --source-query are for' "a source table of a file" "$tidemill" load a.csv --output postgresql://h/d --table t --source-table u
ends 2 'one of --source-table and --source-query' "a database as source without a table" "$tidemill" load postgresql://h/d --output postgresql://h/d --table t
ends 7 'nowhere.csv' "load of a file that is not there" "$tidemill" load nowhere.csv --output postgresql://h/d --table t
"$tidemill" --schema >out 2>err && cmp -s out "$root/configs/schema.json" && ok "--schema is configs/schema.json" || bad "--schema is configs/schema.json"
ends 3 'source.table and source.query' "Postgres without table or query" "$tidemill" fit postgresql://h/d --store s

# --- one set of data by every way
"$tidemill" simulate --series 40 --freq M --from 2015-01-01 --to 2024-12-01 --output d.csv --quiet
"$tidemill" fit d.csv --store s --freq M --quiet >out 2>err || bad "fit"
[ ! -s out ] && ok "fit writes nothing on stdout" || bad "fit writes nothing on stdout"
predict() { "$tidemill" predict "$1" --all --horizon 6 --level 80,95; }
predict s >want 2>err
[ "$(head -1 want)" = "unique_id,ds,mean,lo-80,hi-80,lo-95,hi-95" ] && ok "header of the forecasts" || bad "header of the forecasts"
"$tidemill" forecast d.csv --freq M --horizon 6 --level 80,95 --quiet >got 2>err
same "forecast gives what fit and predict give" want got
fit_as() { # fit_as FACT fit-arguments...: another way to the same forecasts
    local fact=$1
    shift
    rm -rf t
    if "$tidemill" fit "$@" --store t --freq M --quiet >out 2>err && predict t >got 2>>err; then same "$fact" want got; else bad "$fact"; fi
}
fit_as "the same with one thread" d.csv --jobs 1
fit_as "the same with three threads" d.csv --jobs 3
for isa in scalar baseline avx2 avx512; do
    if "$tidemill" fit d.csv --store u --freq M --isa $isa --models naive --quiet >out 2>err; then
        fit_as "the same with $isa" d.csv --isa $isa
    else
        skip "$isa does not run here"
    fi
done
fit_as "the same in batches of 7" d.csv --batch-series 7
fit_as "the same in little memory" d.csv --memory 4M
gzip -k d.csv
fit_as "the same from gzip" d.csv.gz
rm -rf t && "$tidemill" fit - --store t --freq M --quiet <d.csv >out 2>err && predict t >got && same "the same from standard input" want got
{ head -1 d.csv; tail -n +2 d.csv | sort -t, -k2,2 -s; } >by_time.csv
ends 4 '--unsorted|unsorted|gather' "rows in order of time, not of id" "$tidemill" fit by_time.csv --store v --freq M
rm -rf t && "$tidemill" fit by_time.csv --unsorted --store t --freq M --quiet >out 2>err && predict t | sort >got && sort want >want_sorted && same "--unsorted gives the same models" want_sorted got
sed '1s/.*/item;day;amount/; s/,/;/g' d.csv >other.csv
printf '{"source": {"path": "other.csv", "id_column": "item", "ds_column": "day", "y_column": "amount"}, "freq": "D", "store": {"dir": "t"}}' >c.json
rm -rf t && "$tidemill" fit --config c.json --freq M --quiet >out 2>err && predict t >got && same "other columns by a config, whose freq a flag overrides" want got || bad "other columns by a config"
rm -rf t && "$tidemill" fit d.csv --store t >out 2>err && predict t >got && same "the frequency is found" want got
grep -q 'frequency M, found' err && ok "and it is said" || bad "and it is said"

# --- formats
"$tidemill" predict s --all --horizon 6 --level 80,95 --format json >got.json 2>err
python3 - want got.json 2>err <<'PY' && ok "JSON holds what CSV holds" || bad "JSON holds what CSV holds"
import csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1])))
flat = []
for s in json.load(open(sys.argv[2])):
    for i in range(len(s["ds"])):
        flat.append({k: s[k][i] if k != "unique_id" else s[k] for k in s})
assert len(flat) == len(rows)
for a, b in zip(flat, rows):
    assert list(a) == list(b)
    for k in a: assert (str(a[k]) == b[k]) if k in ("unique_id", "ds") else a[k] == float(b[k]), (k, a, b)
PY
"$tidemill" predict s --id S0000005 --id S0000002 --horizon 6 --level 80,95 >got 2>err
{ head -1 want; grep ^S0000005 want; grep ^S0000002 want; } >expect
same "ids come in the order asked for" expect got
printf 'S0000005\r\n\nS0000002\n' >ids.txt
"$tidemill" predict s --ids ids.txt --horizon 6 --level 80,95 >got 2>err
same "a file of ids" expect got
"$tidemill" predict s --ids - --horizon 6 --level 80,95 <ids.txt >got 2>err
same "ids from standard input" expect got
"$tidemill" predict s --all --horizon 6 --level 80,95 --output file.csv >out 2>err && same "--output" want file.csv
for jobs in 1 2 7; do
    "$tidemill" predict s --all --horizon 6 --level 80,95 --jobs $jobs >got 2>err
    same "--all with $jobs threads" want got
    "$tidemill" predict s --all --horizon 6 --level 80,95 --jobs $jobs --format json >got 2>err
    same "--all with $jobs threads as JSON" got.json got
done
ends 11 "no id 'nobody'" "an id that is not there" "$tidemill" predict s --id nobody --id S0000002 --horizon 6
[ "$(wc -l <out)" = 7 ] && ok "the other ids are forecast all the same" || bad "the other ids are forecast all the same"
"$tidemill" predict s --id S0000002 --from 2025-02-01 --to 2025-03-15 --level 80,95 >got 2>err
{ head -1 want; grep -E '^S0000002,2025-0[23]' want; } >expect
same "a range of dates" expect got
ends 0 'no forecast in the range' "a range before the forecasts" "$tidemill" predict s --id S0000002 --to 2020-01-01
ends 3 'predict.horizon and predict.to' "horizon and range" "$tidemill" predict s --all --horizon 3 --to 2026-01-01
[ "$("$tidemill" predict s --id S0000002 | wc -l)" = 25 ] && ok "two seasons unless told" || bad "two seasons unless told"

# --- odd ids, in both formats
python3 - >odd.csv <<'PY'
import csv, sys
w = csv.writer(sys.stdout, lineterminator="\n")
w.writerow(["unique_id", "ds", "y"])
for u in ['a,b', 'a"b', 'Zürich', 'tab\there', "-", "null"]:
    for t in range(1, 21): w.writerow([u, t, t % 5 + len(u)])
PY
printf '\377raw,1,5\n\377raw,2,6\n\377raw,3,9\n' >>odd.csv
"$tidemill" fit odd.csv --store odd --quiet >out 2>err && "$tidemill" predict odd --all --horizon 2 --format json >got.json 2>>err
python3 - got.json 2>err <<'PY' && ok "odd ids in JSON" || bad "odd ids in JSON"
import json, sys
ids = [s["unique_id"] for s in json.load(open(sys.argv[1]))]
assert ids[:-1] == ['a,b', 'a"b', 'Zürich', 'tab\there', "-", "null"], ids
assert ids[-1].encode("utf-8", "surrogateescape") == b"\xffraw", ids[-1]
PY

# --- series without a model
printf 'unique_id,ds,y\nA,1,5\nA,2,6\nA,3,5\nB,1,\nB,2,\nC,1,inf\nC,2,1\n' >none.csv
"$tidemill" fit none.csv --store none --quiet >out 2>err && "$tidemill" predict none --all --horizon 1 --level 80 >got 2>err
grep -q '^B,3,,,$' got && grep -q "no model for 'B'" err && ok "a series without a model has an empty mean and is named" || bad "a series without a model has an empty mean and is named"
"$tidemill" forecast none.csv --horizon 1 --level 80 --quiet >got2 2>err
same "forecast shows it alike" got got2
"$tidemill" predict none --all --horizon 1 --level 80 --format json 2>err | python3 -c 'import json, sys; assert json.load(sys.stdin)[1]["mean"] == [None]' 2>err && ok "and null in JSON" || bad "and null in JSON"

# --- several families
for rule in backtest mean criterion; do
    "$tidemill" fit d.csv --store "a$rule" --freq M --models ets,snaive,drift --across $rule --quiet >out 2>err || bad "fit --across $rule"
    predict "a$rule" >want.$rule 2>err && "$tidemill" forecast d.csv --freq M --models ets,snaive,drift --across $rule --horizon 6 --level 80,95 --quiet >got 2>err
    same "--across $rule: forecast gives what fit and predict give" want.$rule got
    "$tidemill" inspect "a$rule" --format csv | python3 -c '
import csv, sys
w, f = {}, {}
for r in csv.DictReader(sys.stdin):
    w[r["unique_id"]] = w.get(r["unique_id"], 0) + float(r["weight"])
    f.setdefault(r["unique_id"], set()).add(r["family"])
assert all(abs(x - 1) < 1e-12 for x in w.values()), w
n = {len(x) for x in f.values()}
assert n == {1} if sys.argv[1] == "criterion" else max(n) == 3, n' $rule 2>err && ok "--across $rule: weights sum to 1" || bad "--across $rule: weights sum to 1"
done
cmp -s want.backtest want.mean && bad "backtest and mean differ" || ok "backtest and mean differ"
ends 0 'backtest +MASE [0-9]' "inspect shows the error of the backtest" "$tidemill" inspect abacktest --id S0000002

# --- inspect, report, generations
ends 0 '^outcomes +(short|fitted|not_converged) [0-9]+' "inspect shows outcomes" "$tidemill" inspect s
ends 0 'fitted by +run 20.*generation 1' "inspect shows where a model comes from" "$tidemill" inspect s --id S0000002
ends 0 'intact' "inspect --verify" "$tidemill" inspect s --verify
ends 11 'nobody' "inspect of an id that is not there" "$tidemill" inspect s --id nobody
"$tidemill" inspect s --format csv >got 2>err
python3 - got 2>err <<'PY' && ok "inspect as CSV: a row a member, weights sum to 1" || bad "inspect as CSV: a row a member, weights sum to 1"
import csv, sys, collections
w = collections.Counter()
for r in csv.DictReader(open(sys.argv[1])):
    w[r["unique_id"]] += float(r["weight"])
    assert r["outcome"] and r["family"] and int(r["n"]) > 0
assert w and all(abs(x - 1) < 1e-12 for x in w.values())
PY
"$tidemill" fit d.csv --store s --freq M --keep 2 --quiet --report run.json >out 2>err
"$tidemill" fit d.csv --store s --freq M --keep 2 --quiet >out 2>err
[ "$(ls s | grep -c '^gen-')" = 2 ] && [ "$(readlink s/CURRENT)" = gen-000003.h5 ] && ok "--keep 2 leaves two generations" || bad "--keep 2 leaves two generations: $(ls s)"
python3 - run.json 2>err <<'PY' && ok "the report is JSON and its counts agree" || bad "the report is JSON and its counts agree"
import json, sys
r = json.load(open(sys.argv[1]))
assert sum(r["outcomes"].values()) == r["series"] and sum(r["families"].values()) == r["members"]
assert r["generation"] == 2 and r["stages"]["fit"]["busy_s"] > 0 and r["peak_bytes"] > 1e6
PY
grep -q '^bound by [a-z ]*: busy' err || { "$tidemill" fit d.csv --store t2 --freq M >out 2>err; grep -q '^bound by [a-z ]*: busy [0-9.]* s of' err; } && ok "the report names the station that bounds the run" || bad "the report names the station that bounds the run"
python3 - run.json 2>err <<'PY' && ok "and so does its JSON, with the seconds of each station" || bad "and so does its JSON"
import json, sys
r = json.load(open(sys.argv[1]))
s = r["stations_s"]
assert list(s) == ["source", "intake", "tiling", "warm starts", "fitting", "writing", "publishing"]
assert r["bound"]["station"] in s and r["bound"]["busy_s"] == s[r["bound"]["station"]] > 0
assert abs(s["source"] + s["intake"] - r["stages"]["read"]["busy_s"]) < 1e-4 and r["resumed"] == 0
assert r["window"] == ["2015-01-01", "2024-12-01"]
PY
ends 0 '^ +3 current .* run 20' "inspect lists the generations" "$tidemill" inspect s
ends 0 'since generation 2: same data, model same' "inspect --id shows the earlier ones" "$tidemill" inspect s --id S0000002
"$tidemill" inspect s --id S0000002 --id S0000005 --format json >got.json 2>err
python3 - got.json 2>err <<'PY' && ok "and as JSON" || bad "and as JSON"
import json, sys
a, b = json.load(open(sys.argv[1]))
assert (a["unique_id"], b["unique_id"]) == ("S0000002", "S0000005")
assert abs(sum(m["weight"] for m in a["members"]) - 1) < 1e-12 and len(a["fingerprint"]) == 16
h = a["history"]
assert [v["generation"] for v in h] == [3, 2] and h[0]["current"] and not h[1]["current"]
assert h[0]["run_id"] == a["run_id"] and h[0]["data"] == "same" and h[0]["model_change"] == "same" and h[1]["since"] is None
PY
"$tidemill" inspect s --format json >got.json 2>err && python3 -c 'import json; r = json.load(open("got.json")); assert r["generation"] == 3 and len(r["generations"]) == 2 and sum(r["outcomes"].values()) == r["series"]' 2>err && ok "inspect of a store as JSON" || bad "inspect of a store as JSON"
ends 0 'since generation 1: changed data, model (refitted|other forms)' "inspect --id says that data and model changed" bash -c '"$0" fit d.csv --store h --freq M --quiet && grep -v ,2024- d.csv | "$0" fit - --store h --freq M --quiet && "$0" inspect h --id S0000005' "$tidemill"
cp -r h broken && chmod u+w broken/gen-000001.h5 && truncate -s 20000 broken/gen-000001.h5
ends 0 '1  cannot be read: .*gen-000001' "an earlier generation that is damaged is said to be so" "$tidemill" inspect broken --id S0000005
# An ARIMA model is named with its order, in every format.
airline='ARIMA\(0,1,1\)\(0,1,1\)\[12\]'
grep -E 'unique_id|^S000000[25],' d.csv >two.csv
"$tidemill" fit two.csv --store airline --freq M --models arima --arima-order 0,1,1 --arima-seasonal 0,1,1 --quiet >out 2>err || bad "a fit of ARIMA"
ends 0 "\"form\": \"$airline" "inspect as JSON names the order of an ARIMA model" "$tidemill" inspect airline --id S0000005 --format json
ends 0 "^ +arima $airline" "so does the history of an id" "$tidemill" inspect airline --id S0000005
ends 2 "'xml' is not one of text, csv, json" "inspect in a format that there is not" "$tidemill" inspect s --format xml
ends 0 '^20.* ok .* 2015-01-01\.\.2024-12-01 +3$' "runs lists the runs of a store" "$tidemill" runs s
"$tidemill" runs s --format csv >got 2>err && python3 - 2>err <<'PY' && ok "and as CSV" || bad "and as CSV"
import csv
rows = list(csv.DictReader(open("got")))
assert [r["generation"] for r in rows] == ["1", "2", "3"] and all(r["state"] == "ok" and r["seconds"] for r in rows), rows
PY
"$tidemill" runs s --format json >got.json 2>err && python3 - 2>err <<'PY' && ok "and as JSON" || bad "and as JSON"
import json, subprocess
rows = json.load(open("got.json"))
assert rows[1]["config"]["store"]["keep"] == 2 and rows[1]["outcomes"] and rows[1]["stages"]["bound"]["station"]
assert rows[1]["boot_id"] and rows[1]["metrics"] is None and rows[1]["resumed"] is None
PY
run=$("$tidemill" runs s --format csv 2>err | sed -n 2p | cut -d, -f2)
ends 0 "^run_id +$run" "runs --run shows one whole" "$tidemill" runs s --run "$run"
ends 11 "no run 'nobody'" "a run that is not there" "$tidemill" runs s --run nobody
ends 6 "no book of runs" "runs of a folder without a book" "$tidemill" runs .
ends 2 "'xml' is not one of" "runs in a format that there is not" "$tidemill" runs s --format xml
ends 2 'which STORE' "runs of no store" "$tidemill" runs
ends 0 '^published generation' "--resume with nothing to go on with is a fit from the start" "$tidemill" fit d.csv --store h2 --freq M --resume
"$tidemill" fit d.csv --store avg --freq M --ets-mode average --ets-forms ANN,AAN,MNM --quiet >out 2>err && "$tidemill" inspect avg --format csv | python3 -c '
import csv, sys
forms = {r["form"] for r in csv.DictReader(sys.stdin) if r["family"] == "ets"}
assert forms and forms <= {"ANN", "AAN", "MNM"}, forms' 2>err && ok "average mode keeps to the forms asked for" || bad "average mode keeps to the forms asked for"
"$tidemill" fit d.csv --store rob --freq M --ets-robust --quiet >out 2>err && "$tidemill" inspect rob --format csv >got && "$tidemill" predict rob --all --level 80 >out 2>err && python3 - 2>err <<'PY' && ok "--ets-robust shares the weight" || bad "--ets-robust shares the weight"
import collections, csv, math
w = collections.defaultdict(collections.Counter)
for r in csv.DictReader(open("got")):
    w[r["unique_id"]][r["family"]] += float(r["weight"] or 0)
both = [c for c in w.values() if c["ets_robust"]]
assert both and all(abs(c["ets"] - 0.5) < 1e-12 and abs(c["ets_robust"] - 0.5) < 1e-12 for c in both), w
assert all(float(r["lo-80"]) <= float(r["mean"]) <= float(r["hi-80"]) for r in csv.DictReader(open("out")) if r["mean"])
PY

# --- a warm start
cp -r s night && grep -v '2024-1[12]-' d.csv >older.csv
"$tidemill" fit older.csv --store night --freq M --quiet >out 2>err && "$tidemill" fit d.csv --store night --warm night --freq M --report run.json >out 2>err
grep -q 'warm start of [0-9]* series from generation 4 of night' err && ok "fit --warm from the store that it writes to" || bad "fit --warm from the store that it writes to"
python3 - night s/runs.db 2>err <<'PY' && ok "where a warm start came from is in the report and in runs.db" || bad "where a warm start came from is in the report and in runs.db"
import json, sqlite3, sys
r = json.load(open("run.json"))
rows = sqlite3.connect(sys.argv[1] + "/runs.db").execute("SELECT run_id, warm FROM runs ORDER BY generation").fetchall()
assert rows[-2][1] is None and r["generation"] == 5
w = json.loads(rows[-1][1])
assert w == r["warm"] and w["store"] == "night" and w["generation"] == 4 and w["run_id"] == rows[-2][0], (w, rows)
assert 0 < w["series"] <= r["series"]
PY
predict night >first
for way in "--jobs 1" "--isa scalar" "--batch-series 7"; do
    rm -rf t && "$tidemill" fit d.csv --store t --warm night/gen-000004.h5 --freq M --quiet $way >out 2>err
    predict t >got 2>>err
    same "a warm start with $way gives the same" first got
done
grep -v '^S000000[0-4]' older.csv >fewer.csv
rm -rf few && "$tidemill" fit fewer.csv --store few --freq M --quiet >out 2>err
rm -rf t && "$tidemill" fit d.csv --store t --warm few --freq M --quiet >out 2>err && predict t >got
{ grep '^S000000[0-4]' want; grep -v '^S000000[0-4]' first; } | sort >expect
sort got >got_sorted
same "series that the store lacks start cold, the others warm" expect got_sorted
ends 6 "warm.*nowhere" "--warm of a store that is not there" "$tidemill" fit d.csv --store t --warm nowhere --freq M
ends 3 "warm.*season 12.*season 4" "--warm of a store of another season" "$tidemill" fit d.csv --store t --warm s --freq M --season 4
python3 - <<'PY'
import os
b = bytearray(open("night/gen-000004.h5", "rb").read())
for i in range(16384, len(b)):  # every column; a single byte may lie between them
    b[i] ^= 1
open("bad.h5", "wb").write(b)
PY
ends 6 "warm.*bad.h5" "--warm of a damaged store" "$tidemill" fit d.csv --store t --warm bad.h5 --freq M

# --- standard output that fails; signals
"$tidemill" predict s --all --horizon 1000 2>err | head -1 >got
rc=${PIPESTATUS[0]}
[ "$rc" = 7 ] && grep -q 'standard output' err && ok "a closed pipe ends with 7" || bad "a closed pipe ends with 7 (was $rc)"
if [ -w /dev/full ]; then
    rc=0
    "$tidemill" predict s --all --horizon 6 >/dev/full 2>err || rc=$?
    [ "$rc" = 7 ] && grep -q 'standard output' err && ok "a full disk under stdout ends with 7" || bad "a full disk under stdout ends with 7 (was $rc)"
    rc=0
    "$tidemill" --help >/dev/full 2>err || rc=$?
    [ "$rc" = 7 ] && ok "so does --help" || bad "so does --help (was $rc)"
fi
before=$(readlink s/CURRENT)
"$tidemill" fit simulate:100000000 --freq M --store s --models naive --quiet >out 2>err &
sleep 0.7
kill -TERM $!
wait $!
rc=$?
[ "$rc" = 12 ] && [ "$(readlink s/CURRENT)" = "$before" ] && predict s >got && same "SIGTERM ends with 12 and leaves the store" want got || bad "SIGTERM ends with 12 and leaves the store (was $rc)"
ls -A s | grep -q '^\.tmp' && bad "no temporary is left behind" || ok "no temporary is left behind"

# --- bench, simulate
ends 0 '^M,12,60,64,' "bench" "$tidemill" bench --series 64 --rounds 1 --season 12 --ets-forms ANN
"$tidemill" simulate --series 10 --from 2024-01-01 --to 2024-01-31 --quiet >a.csv
"$tidemill" simulate --series 10 --from 2024-02-01 --to 2024-02-29 --quiet >b.csv
"$tidemill" simulate --series 10 --from 2024-01-01 --to 2024-02-29 --quiet >ab.csv
{ cat a.csv; tail -n +2 b.csv; } | sort >x && sort ab.csv | uniq >y
same "two ranges of dates give the whole" y <(uniq x)
exit $status
