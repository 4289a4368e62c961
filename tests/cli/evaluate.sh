#!/usr/bin/env bash
# tidemill evaluate, end to end: the figures of bench/peers/score.py for the same split, a store against what came since,
# batches, threads, sources and histories that do not matter, formats, counts, refusals.
#
# usage: tests/cli/evaluate.sh [BUILD_DIR]       the PostgreSQL part runs inside tests/with_postgres.sh
set -uo pipefail
suite=evaluate
cd "$(dirname "$0")/../.."
. tests/lib.sh
enter "$@"
evaluate() { "$tidemill" evaluate "$@" --quiet; }

"$tidemill" simulate --series 80 --freq M --from 2015-01-01 --to 2024-12-01 --output d.csv --quiet
how=(--freq M --horizon 12 --level 80,95)

# --- the figures of score.py, for the split that one origin makes
cat >split.py <<'PY'
import csv, sys
month = lambda d: 12 * int(d[:4]) + int(d[5:7]) - 1
scored = {r["unique_id"] for r in csv.DictReader(open("rows.csv")) if r["status"] == "scored"}
series = {}
for r in csv.DictReader(open("d.csv")):
    series.setdefault(r["unique_id"], {})[month(r["ds"])] = r["y"]
out = [open(n, "w") for n in ("train.csv", "test.csv")]
for f in out:
    f.write("unique_id,ds,y\n")
for u, y in series.items():
    for k in range(min(y), max(y) + 1):
        if u in scored:
            out[k > max(y) - 12].write(f"{u},{k // 12:04d}-{k % 12 + 1:02d}-01,{y.get(k, '')}\n")
PY
cat >compare.py <<'PY'
import csv, sys
mine = {(r["method"], r["metric"]): float(r["value"] or "nan") for r in csv.DictReader(open("summary.csv")) if not r["step"]}
name = {"sMAPE": "smape", "MASE": "mase", "RMSSE": "rmsse", "OWA": "owa", "cov80": "coverage-80", "cov95": "coverage-95",
        "MSIS80": "msis-80", "MSIS95": "msis-95"}
n = 0
for line in open("score.out"):
    who, metric, value = line.strip().split(",")
    value = float(value) / (100 if metric.startswith("cov") else 1)
    got = mine[("naive2" if who == "naive2" else "model", name[metric])]
    assert abs(got - value) <= 1e-5 * abs(value) + 1e-12, (line, got)
    n += 1
assert n == 12, n
PY
for models in ets ets,arima; do
    extra=(--models $models)
    [ $models = ets,arima ] && extra+=(--arima-order 0,1,1 --arima-seasonal 0,1,1)
    evaluate d.csv "${how[@]}" "${extra[@]}" --origins 1 --format csv --output rows.csv >summary.csv 2>err || bad "evaluate $models"
    python3 split.py 2>err
    rm -rf s && "$tidemill" fit train.csv --store s --freq M "${extra[@]}" --quiet >out 2>err
    "$tidemill" predict s --all --horizon 12 --level 80,95 >model.csv 2>err
    python3 "$root/bench/peers/score.py" train.csv test.csv model.csv --period 12 --csv >score.out 2>err
    python3 compare.py 2>err && ok "figures of $models are those of score.py for a fit of the same split" || bad "figures of $models are those of score.py"
done

# --- what must not matter
evaluate d.csv "${how[@]}" --by-step --format json --output want.csv --by-origin >want 2>err
way() { # way FACT options
    local fact=$1
    shift
    evaluate "$@" "${how[@]}" --by-step --format json --output got.csv --by-origin >got 2>err
    same "$fact: the same figures" want got
    same "$fact: the same rows" want.csv got.csv
}
way "one thread" d.csv --jobs 1
way "three threads" d.csv --jobs 3
way "batches of 7" d.csv --batch-series 7
way "little memory" d.csv --memory 4M
way "standard input" - <d.csv
awk -F, 'NR == 1 || $2 <= "2024-03-01"' d.csv >old.csv
awk -F, 'NR == 1 || $2 > "2024-03-01"' d.csv >new.csv
"$tidemill" fit old.csv --store s --freq M --history h.history --quiet >out 2>err
cp h.history before.history
way "a history and the rows past it" new.csv --history h.history
same "the history stays as it was" before.history h.history
way "a history that is not there" d.csv --history none.history
[ -e none.history ] && bad "and is not made" || ok "and is not made"
if [ -n "${TIDE_TEST_PG_URL:-}" ]; then
    "$tidemill" load d.csv --output "$TIDE_TEST_PG_URL" --table evaluate_d --create --quiet >out 2>err
    way "PostgreSQL" "$TIDE_TEST_PG_URL" --table evaluate_d
    psql "$TIDE_TEST_PG_URL" -qc 'DROP TABLE evaluate_d' >out 2>err
else
    skip "no PostgreSQL (TIDE_TEST_PG_URL)"
fi

# --- rows and summary agree; M5's lag
python3 - want want.csv <<'PY' 2>err && ok "the summary is the mean of the rows" || bad "the summary is the mean of the rows"
import csv, json, sys
s, rows = json.load(open(sys.argv[1])), list(json.load(open(sys.argv[2])))
series = {}
for r in rows:
    if r["status"] == "scored":
        series.setdefault(r["unique_id"], []).append(r)
assert len(series) == s["series"]["scored"] > 50 and len(rows) == 3 * sum(s["series"].values())
for m in ("mae", "rmse", "bias", "smape", "mase", "rmsse", "width-80", "msis-95", "pinball-80"):
    means = []
    for windows in series.values():
        v = [w[m] for w in windows if w[m] is not None]
        if v:
            means.append(sum(v) / len(v))
    assert abs(sum(means) / len(means) - s["model"][m]) <= 1e-9 * abs(s["model"][m]), m
inside = sum(w["coverage-80"] * w["values"] for v in series.values() for w in v)
values = sum(w["values"] for v in series.values() for w in v)
assert values == s["values"] == sum(b["values"] for b in s["by_step"]) and abs(inside / values - s["model"]["coverage-80"]) < 1e-12
assert len(s["by_step"]) == 12 and s["naive2"]["owa"] == 1
PY
printf 'unique_id,ds,y\n' >two.csv
for t in 1 2 3 4 5 6 7 8 9 10; do echo "a,$t,$((t * t))"; done >>two.csv
for t in 1 2 3 4 5 6 7 8 9 10; do echo "b,$t,5"; done >>two.csv
echo 'c,1,5' >>two.csv
evaluate two.csv --freq N --season 2 --lag 1 --models naive --origins 1 --horizon 2 --output rows.csv >out 2>err
# a: naive from 64 on 81 and 100: MAE (17 + 36)/2; errors of lag 1 up to 8: (64 - 1)/7 = 9
python3 - <<'PY' 2>err && ok "MASE by --lag 1 of a series by hand; a constant has none; a short one its status" || bad "MASE by hand"
import csv
r = {x["unique_id"]: x for x in csv.DictReader(open("rows.csv"))}
assert float(r["a"]["mae"]) == 26.5 and abs(float(r["a"]["mase"]) - 26.5 / 9) < 1e-15 and r["a"]["origin"] == "8", r["a"]
assert float(r["b"]["mae"]) == 0 and r["b"]["mase"] == "" and r["b"]["outcome"] == "constant" and float(r["b"]["smape"]) == 0
assert r["c"]["status"] == "too_short" and r["c"]["mae"] == ""
PY
grep -q 'too short: c' out && grep -q 'MASE undefined.* in 1 windows' out && ok "and both are counted" || bad "and both are counted"

# --- a store against what came since
"$tidemill" predict s --all --horizon 12 --level 80 >model.csv 2>err
evaluate d.csv --store s --level 80 --horizon 12 --output rows.csv --format csv >summary.csv 2>err
python3 - <<'PY' 2>err && ok "--store measures the forecasts that predict prints" || bad "--store measures the forecasts that predict prints"
import csv
f = {(r["unique_id"], r["ds"]): float(r["mean"]) for r in csv.DictReader(open("model.csv")) if r["mean"]}
err = {}
for r in csv.DictReader(open("new.csv")):
    if r["y"] and (r["unique_id"], r["ds"]) in f:
        err.setdefault(r["unique_id"], []).append(abs(float(r["y"]) - f[r["unique_id"], r["ds"]]))
rows = [r for r in csv.DictReader(open("rows.csv")) if r["status"] == "scored"]
assert len(rows) > 50
for r in rows:
    want = err[r["unique_id"]]
    assert len(want) == int(r["values"]) and abs(sum(want) / len(want) - float(r["mae"])) <= 1e-9 * float(r["mae"]), r
    assert r["origin"] <= "2024-03-01"
PY
cp rows.csv want.csv
evaluate new.csv --store s --history h.history --level 80 --horizon 12 --output rows.csv --format csv >out 2>err
same "with a history the same" want.csv rows.csv
evaluate new.csv --store s --level 80 --horizon 12 --output rows.csv >out 2>err
cut -d, -f1,5-10 rows.csv | grep ,1, | sort >got
cut -d, -f1,5-10 want.csv | grep ,1, | sort >want
join -t, -j1 <(cut -d, -f1,4 got) <(cut -d, -f1,4 want) | awk -F, '$2 != $3 { bad = 1 } END { exit bad || NR < 50 }' &&
    ok "new rows alone give the same errors, without a scale" || bad "new rows alone give the same errors"
ends 0 'no_new_values' "a store that has seen all" "$tidemill" evaluate old.csv --store s --quiet
ends 0 'not_in_store 2' "ids that the store lacks" "$tidemill" evaluate <(printf 'unique_id,ds,y\nx,2024-01-01,1\nx,2024-02-01,1\ny,2024-01-01,2\n') --store s --quiet

# --- refusals
ends 2 'which SOURCE' "no source" "$tidemill" evaluate
ends 2 "not one of text, csv, json" "an unknown format" "$tidemill" evaluate d.csv --format xml
ends 2 'by-origin needs' "rows by origin without a file" "$tidemill" evaluate d.csv --by-origin
ends 2 "'0' is not" "no origins" "$tidemill" evaluate d.csv --origins 0
ends 6 'nowhere' "a store that is not there" "$tidemill" evaluate d.csv --store nowhere
ends 3 'season: 4, but that of the store is 12' "another season" "$tidemill" evaluate d.csv --store s --season 4
ends 7 'no/such' "a file that cannot be written" "$tidemill" evaluate d.csv --freq M --output no/such/rows.csv
ends 4 'no series' "an empty source" "$tidemill" evaluate <(echo 'unique_id,ds,y') --freq M
if [ -w /dev/full ]; then ends 7 'full' "a full disk under the rows" "$tidemill" evaluate d.csv --freq M --output /dev/full --quiet; fi
exit $status
