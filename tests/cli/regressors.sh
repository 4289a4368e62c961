#!/usr/bin/env bash
# Regressors of one's own on the command line: fit, inspect, predict from the store alone and with newer values, forecast, resume;
# wide and long files; each way that a file can be wrong.
#
# usage: tests/cli/regressors.sh [BUILD_DIR]
set -uo pipefail
suite=regressors
cd "$(dirname "$0")/../.."
. tests/lib.sh
enter "$@"

# y = 20 + 3 temp - 5 promo + AR(1) on 180 days; 20 days of future. One series begins later, one before the regressors.
python3 - <<'PY'
import datetime, gzip, random
random.seed(4)
day = lambda t: datetime.date(2023, 1, 2) + datetime.timedelta(t)
temp = [round(random.gauss(0, 1), 4) for _ in range(200)]
promo = [1 if t % 17 == 5 else 0 for t in range(200)]
wide = ["ds,temp,promo\n"] + [f"{day(t)},{temp[t]},{promo[t]}\n" for t in range(200)]
open("wide.csv", "w").writelines(wide)
gzip.open("wide.csv.gz", "wt").writelines(wide)
open("shuffled.csv", "w").writelines(["promo;ds;temp\r\n"] + [f"{promo[t]};{day(t)};{temp[t]}\r\n" for t in reversed(range(200))])
with open("long.csv", "w") as f:
    f.write("unique_id,ds,y\n")
    f.writelines(f"temp,{day(t)},{temp[t]}\n" for t in range(200))
    f.writelines(f"promo,{day(t)},1\n" for t in range(200) if promo[t])
open("future.csv", "w").writelines(["ds,promo,temp,other\n"] + [f"{day(t)},1,2.5,9\n" for t in range(190, 230)])
open("short.csv", "w").writelines(wide[:181])
open("gap.csv", "w").writelines(wide[:101] + wide[102:])
open("useless.csv", "w").writelines(["ds,one,temp,promo,twice\n"] + [f"{day(t)},7,{temp[t]},{promo[t]},{2*temp[t]}\n" for t in range(200)])
open("constant.csv", "w").writelines(["ds,one\n"] + [f"{day(t)},7\n" for t in range(200)])
def series(name, f, begin, end):
    e = 0.0
    for t in range(begin, end):
        e = 0.6 * e + random.gauss(0, 0.5)
        x, p = (temp[t], promo[t]) if t >= 0 else (0, 0)
        f.write(f"{name},{day(t)},{20 + 3 * x - 5 * p + e:.6f}\n")
for name, early in (("y.csv", False), ("early.csv", True)):
    random.seed(5)
    with open(name, "w") as f:
        f.write("unique_id,ds,y\n")
        for s in range(40):
            series(f"s{s}", f, 0, 180)
        series("late", f, 60, 180)
        if early:
            series("early", f, -3, 180)
edit = lambda name, i, line: open(name, "w").writelines(wide[:i] + [line] + wide[i + 1:])
edit("word.csv", 7, f"{day(6)},warm,0\n")
edit("empty.csv", 7, f"{day(6)},,0\n")
edit("infinite.csv", 7, f"{day(6)},inf,0\n")
edit("double.csv", 7, wide[6])
edit("fields.csv", 7, f"{day(6)},1\n")
edit("nodate.csv", 7, "2023-02-30,1,0\n")
edit("mixed.csv", 7, "17,1,0\n")
edit("twice.csv", 0, "ds,temp,temp\n")
edit("noname.csv", 0, "ds,temp,\n")
edit("nods.csv", 0, "day,temp,promo\n")
edit("quote.csv", 7, '2023-01-08,"1,0\n')
open("integers.csv", "w").writelines(["ds,temp\n"] + [f"{t},{temp[t]}\n" for t in range(200)])
open("only.csv", "w").write("ds,temp\n")
open("nothing.csv", "w").write("")
open("elsewhere.csv", "w").writelines(["ds,temp\n"] + [f"{day(t)},{random.random()}\n" for t in range(1000, 1300)])
PY
fit() { "$tidemill" fit "$1" --freq D --season 1 --models arima --store "$2" "${@:3}" --quiet 2>err; }
fit y.csv m --regressors wide.csv || bad "fit"

"$tidemill" inspect m --format csv >got
python3 - <<'PY' && ok "coefficients of all series are those that made them" || bad "coefficients of the regressors"
import csv
rows = list(csv.DictReader(open("got")))
assert len(rows) == 41
for r in rows:
    c = dict(p.split("=") for p in r["coefficients"].split(";"))
    assert abs(float(c["temp"]) - 3) < 0.3 and abs(float(c["promo"]) + 5) < 0.8, r
assert abs(sum(float(dict(p.split("=") for p in r["coefficients"].split(";"))["temp"]) for r in rows) / 41 - 3) < 0.03
PY
ends 0 '^  promo +-[45]\.' "inspect shows coefficients with their names" "$tidemill" inspect m --id s3
ends 0 'regressors +2023-01-02 to 2023-07-20: temp, promo' "inspect shows the regressors of the store" "$tidemill" inspect m
ends 0 '"coef_names": \[.*"temp", "promo", "steps"\]' "and so in JSON" "$tidemill" inspect m --id s3 --format json
"$tidemill" inspect m --format json | python3 -c 'import json,sys; r=json.load(sys.stdin)["regressors"]; assert r["names"]==["temp","promo"] and r["last_ds"]=="2023-07-20"' &&
    ok "the store's JSON names them" || bad "the store's JSON"

"$tidemill" predict m --all --horizon 20 --level 80,95 >want
"$tidemill" forecast y.csv --freq D --season 1 --models arima --regressors wide.csv --horizon 20 --level 80,95 --quiet >got 2>err
same "predict from the store alone has the bits of a forecast" want got
"$tidemill" predict m --all --horizon 20 --level 80,95 --regressors wide.csv >got 2>err
same "the same values given again change nothing" want got
for file in wide.csv.gz long.csv; do
    fit y.csv m2 --regressors $file && "$tidemill" predict m2 --all --horizon 20 --level 80,95 >got
    same "the same forecasts with $file" want got
done
fit y.csv m3 --regressors shuffled.csv && "$tidemill" predict m3 --all --horizon 20 >got && "$tidemill" predict m --all --horizon 20 >want
python3 - <<'PY' && ok "rows and columns in any order, CR LF and semicolons" || bad "rows and columns in another order"
import csv
a, b = list(csv.DictReader(open("want"))), list(csv.DictReader(open("got")))
assert len(a) == len(b) == 820 and all(abs(float(x["mean"]) - float(y["mean"])) < 1e-4 for x, y in zip(a, b))
PY
"$tidemill" predict m --id s1 --horizon 30 --regressors future.csv >got 2>err
python3 - <<'PY' && ok "values given at predict count where there are any, and reach further" || bad "values given at predict"
import csv
y = [float(r["mean"]) for r in csv.DictReader(open("got"))]
w = [float(r["mean"]) for r in csv.DictReader(open("want")) if r["unique_id"] == "s1"]
assert len(y) == 30 and y[:10] == w[:10] and abs(y[15] - (20 + 7.5 - 5)) < 2 and y[10] != w[10]
PY
ends 4 "series 's1': no regressors at 2023-07-21" "predict says which time lacks future values" "$tidemill" predict m --id s1 --horizon 21
ends 4 "series 's0': no regressors at 2023-07-21" "so does predict of all" "$tidemill" predict m --all --to 2023-07-25
ends 4 "series 's0': no regressors at 2023-07-01" "and forecast" "$tidemill" forecast y.csv --freq D --season 1 --models arima --regressors short.csv --horizon 5
ends 4 "lacks 'temp'" "a file at predict without one of the regressors" "$tidemill" predict m --id s1 --horizon 5 --regressors constant.csv
printf '{"arima": {"regressors": "future.csv"}}' >c.json
"$tidemill" predict m --id s1 --horizon 30 --config c.json >got2 2>err
same "predict takes the file from a configuration too" got got2

# Some series without regressors in their time.
ends 0 "no_regressors: 1" "a series that begins before the regressors is counted" "$tidemill" fit early.csv --freq D --season 1 --models arima --store me --regressors wide.csv
grep -q "series 'early': no regressors at 2022-12-30" err && ok "and named with the time" || bad "the series is not named"
ends 0 'outcome +no_regressors' "and has that outcome" "$tidemill" inspect me --id early
"$tidemill" predict me --id s1 --horizon 20 >got 2>err
"$tidemill" predict m --id s1 --horizon 20 >want 2>err
same "the others are as without it" want got
ends 4 "cover no series: series 's0': no regressors at 2023-01-02" "a file that covers no series" "$tidemill" fit y.csv --freq D --season 1 --models arima --store mx --regressors elsewhere.csv
ends 4 "cover no series: series 's0': no regressors at 2023-04-12" "a missing row is named by its time" "$tidemill" fit y.csv --freq D --season 1 --models arima --store mx --regressors gap.csv
[ ! -e mx/CURRENT ] && ok "nothing was published" || bad "a failed fit has published"
ends 0 "the other families go without" "several families: a word of it" "$tidemill" fit early.csv --freq D --season 1 --models ets,arima --store mm --regressors wide.csv
ends 0 'outcome +fitted' "smoothing fits a series that ARIMA leaves out" "$tidemill" inspect mm --id early
ends 0 'temp' "the others have both" "$tidemill" inspect mm --id s1
"$tidemill" forecast early.csv --freq D --season 1 --models ets,arima --regressors wide.csv --horizon 9 --quiet >want 2>err
"$tidemill" predict mm --all --horizon 9 >got 2>err
same "a mixture predicts the bits of its forecast" want got

# What tells nothing apart.
ends 0 "regressor 'one' is constant" "a constant regressor is left out" "$tidemill" fit y.csv --freq D --season 1 --models arima --store mu --regressors useless.csv
grep -q "regressor 'twice' is a combination" err && ok "and one that the others make up" || bad "a collinear regressor goes unsaid"
"$tidemill" predict mu --all --horizon 20 --level 80,95 >got 2>err
"$tidemill" predict m --all --horizon 20 --level 80,95 >want
same "the forecasts are those without them" want got
ends 4 "every regressor is constant" "nothing but constants" "$tidemill" fit y.csv --freq D --season 1 --models arima --store mx --regressors constant.csv

# Files that cannot be used.
try() { ends "$1" "$2" "$3: refused" "$tidemill" fit y.csv --freq D --season 1 --models arima --store mx --regressors "$4"; }
try 4 "word.csv line 8, column 'temp': 'warm' is not a finite number" "a word" word.csv
try 4 "empty.csv line 8, column 'temp': '' is not" "an empty cell" empty.csv
try 4 "infinite.csv line 8, column 'temp': 'inf' is not" "an infinite cell" infinite.csv
try 4 "double.csv: lines 7 and 8 are both of 2023-01-07" "a time twice" double.csv
try 4 "fields.csv line 8: 2 fields, the header has 3" "a row too short" fields.csv
try 4 "nodate.csv line 8: '2023-02-30' is not" "no date" nodate.csv
try 4 "mixed.csv line 8: '17' is a time of another kind" "two kinds of time" mixed.csv
try 4 "twice.csv: column 'temp' stands twice" "a column twice" twice.csv
try 4 "noname.csv: column 3 has no name" "a column without a name" noname.csv
try 4 "nods.csv: there is no column 'ds'" "no column of times" nods.csv
try 4 "quote.csv line 8: a quote" "an open quote" quote.csv
try 4 "integers.csv: its times are integers, those of the series are dates" "integers for dates" integers.csv
try 4 "only.csv: no row" "a header alone" only.csv
try 4 "nothing.csv: the file is empty" "an empty file" nothing.csv
try 7 "missing.csv" "no such file" missing.csv
try 3 "not standard input" "standard input" -
ends 3 "only ARIMA takes regressors" "regressors without ARIMA: refused" "$tidemill" fit y.csv --freq D --store mx --regressors wide.csv
ends 4 "models of the store have none" "values for a store without regressors: refused" \
    bash -c "'$tidemill' fit y.csv --freq D --store mn --quiet && '$tidemill' predict mn --all --regressors wide.csv"

# A run that was killed goes on with the same content, under whatever name, and with no other.
"$tidemill" simulate --series 1200 --freq D --from 2023-01-02 --to 2023-06-30 --output many.csv --quiet
cat >slow <<EOF
#!/bin/sh
store=\$1
shift
exec "$tidemill" fit many.csv --freq D --season 1 --models arima --arima-order 1,0,1 --store "\$store" --batch-series 64 --jobs 1 "\$@"
EOF
chmod +x slow
./slow mr --regressors wide.csv --quiet 2>err &
pid=$!
for _ in $(seq 300); do
    [ "$(stat -c %s mr/.resume/series.last_ds 2>/dev/null || echo 0)" -gt 3000 ] && break
    sleep 0.05
done
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
if [ -d mr/.resume ]; then
    sed 's/^\(2023-03-01,[^,]*\),0/\1,1/' wide.csv >other.csv
    ends 3 'begun with regressors [0-9a-f]{16}, now it is [0-9a-f]{16}' "resume with other regressors: refused" ./slow mr --regressors other.csv --resume
    cp wide.csv renamed.csv
    ends 0 'were fitted before the run was interrupted' "resume with the same content goes on" ./slow mr --regressors renamed.csv --resume
    ./slow mw --regressors wide.csv --quiet 2>err
    "$tidemill" predict mr --all --horizon 20 >got && "$tidemill" predict mw --all --horizon 20 >want
    same "with the bits of a run in one go" want got
else
    skip "the fit had ended before it could be killed"
fi

# Fourier pairs by criterion.
python3 - <<'PY'
import math, random
random.seed(2)
with open("hours.csv", "w") as f:
    f.write("unique_id,ds,y\n")
    e = 0.0
    for t in range(1, 601):
        e = 0.5 * e + random.gauss(0, 1)
        f.write(f"h,{t},{100 + e + 9 * math.sin(2 * math.pi * 7 * t / 168) + 4 * math.cos(2 * math.pi * 2 * t / 168):.6f}\n")
PY
"$tidemill" fit hours.csv --freq N --season 168 --models arima --arima-max-p 2 --arima-max-q 2 --store hd --quiet 2>err
ends 0 'Fourier K=[789][^0-9]?' "beyond seasonal terms the criterion chooses the Fourier pairs" "$tidemill" inspect hd --id h
pairs=$(grep -oE 'Fourier K=[0-9]+' out | grep -oE '[0-9]+' | head -n 1)
"$tidemill" predict hd --id h --horizon 24 --level 80 >want
for k in auto "$pairs"; do
    "$tidemill" fit hours.csv --freq N --season 168 --models arima --arima-max-p 2 --arima-max-q 2 --store "h$k" --quiet --arima-fourier "$k" 2>err
    "$tidemill" predict "h$k" --id h --horizon 24 --level 80 >got
    same "--arima-fourier $k gives the same" want got
done
printf '{"arima": {"fourier": 3}}' >c3.json
"$tidemill" fit hours.csv --freq N --season 168 --models arima --arima-max-p 2 --arima-max-q 2 --store h3 --quiet --config c3.json 2>err
ends 0 'Fourier K=3' "a number in a configuration file" "$tidemill" inspect h3 --id h
ends 2 "arima-fourier: '32'" "too many pairs: refused" "$tidemill" fit hours.csv --freq N --store hx --models arima --arima-fourier 32

# evaluate and update.
evaluated() { "$tidemill" evaluate y.csv --freq D --season 1 --models arima --horizon 10 --origins 2 --quiet --output "$@" 2>err >/dev/null; }
evaluated plain.csv && evaluated with.csv --regressors wide.csv || bad "evaluate"
if python3 - <<'PY'; then ok "evaluate fits with regressors at each origin: the errors are less than half"; else bad "evaluate with regressors"; fi
import csv
mae = lambda f: sum(float(r["mae"]) for r in csv.DictReader(open(f))) / 41
a, b = mae("plain.csv"), mae("with.csv")
assert b < 0.5 * a and b < 1.0, (a, b)
PY
python3 - <<'PY'
rows = open("y.csv").read().splitlines()
day = lambda r: r.split(",")[1]
last = sorted({day(r) for r in rows[1:]})
for name, n in (("y170.csv", 170), ("y175.csv", 175)):
    open(name, "w").write("\n".join([rows[0]] + [r for r in rows[1:] if day(r) < last[n]]) + "\n")
PY
fit y170.csv u1 --regressors wide.csv && cp -r u1 u2 || bad "fit of 170 days"
updated() { "$tidemill" update "$1" --store "$2" --quiet 2>err >/dev/null; }
updated y.csv u1 && updated y175.csv u2 && updated y.csv u2 || bad "update"
"$tidemill" predict u1 --all --horizon 10 >one 2>err && "$tidemill" predict u2 --all --horizon 10 >two 2>err || bad "predict after update"
if python3 - <<'PY'; then ok "update takes the regressors of the new steps and leaves them to the next generation"; else bad "update with regressors"; fi
import csv
x = {r["ds"]: r for r in csv.DictReader(open("wide.csv"))}
one, two = ([(r["unique_id"], r["ds"], float(r["mean"])) for r in csv.DictReader(open(f))] for f in ("one", "two"))
assert len(one) == 410 and one[0][1] == "2023-07-01", one[0]
for a, b in zip(one, two): # in two steps as in one
    assert a[:2] == b[:2] and abs(a[2] - b[2]) < 1e-9 * abs(a[2]), (a, b)
    assert abs(a[2] - 20 - 3 * float(x[a[1]]["temp"]) + 5 * float(x[a[1]]["promo"])) < 3.0, a
PY
fit y170.csv u3 --regressors short.csv || bad "fit with a short table"
head -n 1 y.csv >later.csv; sed -n '/^s1,/p' y.csv >>later.csv; printf 's1,2023-07-01,20\ns1,2023-07-02,20\n' >>later.csv
ends 0 's1' "an update beyond the regressors leaves the series as it was and names it" "$tidemill" update later.csv --store u3
exit $status
