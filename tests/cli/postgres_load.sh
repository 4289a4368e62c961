#!/usr/bin/env bash
# PostgreSQL by the command line: load from every kind of source and again, forecasts and models written back and read.
#
# usage: tests/cli/postgres_load.sh [BUILD_DIR]       inside tests/with_postgres.sh; uses a schema of its own
set -uo pipefail
suite=postgres_load
cd "$(dirname "$0")/../.."
. tests/lib.sh
tidemill=$(cd "${1:-build}" && pwd)/tidemill
if [ -z "${TIDE_TEST_PG_URL:-}" ] || ! command -v psql >/dev/null; then
    skip "TIDE_TEST_PG_URL is not set; run it under tests/with_postgres.sh"
    exit 0
fi
url=$TIDE_TEST_PG_URL
schema=cli$$
work=$(mktemp -d)
q() { psql "$url" -qAtX -v ON_ERROR_STOP=1 -c "SET client_min_messages = error; SET search_path = $schema" "${@/#/-c}"; }
trap 'q "DROP SCHEMA IF EXISTS $schema CASCADE" >/dev/null 2>&1; rm -rf "$work"' EXIT
cd "$work"
q "CREATE SCHEMA $schema" || exit 1
printf '#!/bin/sh\nexec "%s" load "$@" --output "%s"\n' "$tidemill" "$url" >load && chmod +x load
rows() { q "COPY (SELECT unique_id, ds, y FROM $1 ORDER BY unique_id, ds) TO STDOUT CSV"; }

# --- load
"$tidemill" simulate --series 30 --freq M --from 2015-01-01 --to 2023-12-01 --output a.csv --quiet
"$tidemill" simulate --series 30 --freq M --from 2023-06-01 --to 2024-12-01 --output b.csv --quiet
"$tidemill" simulate --series 30 --freq M --from 2015-01-01 --to 2024-12-01 --output ab.csv --quiet
q "CREATE TABLE want (unique_id text, ds date, y float8)" "\\copy want FROM ab.csv CSV HEADER"
rows want >want
n=$(($(wc -l <ab.csv) - 1))
ends 4 'there is no such table; --create makes it' "a table that is not there" ./load a.csv --table $schema.t
ends 0 "table $schema.t \(made\)" "a first load" ./load a.csv --table $schema.t --create --index --report r.json
python3 - 2>err <<'PY' && ok "its report is JSON" || bad "its report is JSON"
import json
r = json.load(open("r.json"))
assert r["created"] and r["indexed"] and r["direct"] and r["inserted"] == r["read"] > 2000 and r["seconds"] >= r["read_s"], r
PY
ends 0 'inserted [1-9][0-9]*, corrected 0, unchanged [1-9][0-9]*' "an overlapping load" ./load b.csv --table $schema.t
ends 0 "inserted 0, corrected 0, unchanged $n " "all of it again" ./load ab.csv --table $schema.t
ends 0 "inserted 0, corrected 0, unchanged $n," "and again with corrections" ./load ab.csv --table $schema.t --corrections
rows t >got
same "the table holds what the files hold" want got
gzip -k ab.csv
ends 0 "inserted $n" "from gzip" ./load ab.csv.gz --table $schema.u --create
rows u >got
same "the same from gzip" want got
q "DROP TABLE u"
ends 0 "inserted $n" "from standard input, other columns" bash -c "sed '1s/.*/item;day;qty/; s/,/;/g' ab.csv | '$tidemill' load - --id-column item --ds-column day --y-column qty --output '$url' --table $schema.u --create --table-id-column Artikel --table-ds-column 'der Tag' --table-y-column 'select'"
q "COPY (SELECT \"Artikel\", \"der Tag\", \"select\" FROM u ORDER BY 1, 2) TO STDOUT CSV" >got
same "the same with other names of columns" want got
q "DROP TABLE u"
ends 0 "inserted $n" "from another table" ./load "$url" --source-table $schema.t --table $schema.u --create
rows u >got
same "the same from another table" want got
q "DROP TABLE u"
ends 0 "inserted $n" "from a query" ./load "$url" --source-query "SELECT * FROM $schema.t" --table $schema.u --create
ends 0 'inserted 0' "from simulate:N, which is in" ./load simulate:30 --freq M --from 2015-01-01 --to 2024-12-01 --table $schema.u --corrections
rows u >got
same "the same from a query and simulate:N" want got
q "UPDATE u SET y = y + 1 WHERE ds = '2020-01-01'" "DELETE FROM u WHERE ds >= '2024-06-01'"
ends 0 'corrected [1-9].*out of range [1-9]' "a range of dates with corrections" ./load ab.csv --table $schema.u --corrections --from 2019-01-01
rows u >got
same "the range mended what was changed and deleted" want got
printf 'unique_id,ds,y\nA,2024-01-01,1\nB,2024-01-01,1\nA,2024-01-01,2\n' >twice.csv
ends 4 "lines 2 and 4 both hold 'A' at 2024-01-01" "a row twice" ./load twice.csv --table $schema.u
ends 0 'duplicates left out 1' "a row twice, the last one" ./load twice.csv --table $schema.u --on-duplicate last
printf 'unique_id,ds,y\nA,2024-01-01,1\nA,2024-01-02,x\n' >broken.csv
ends 4 "line 3: y is 'x'; nothing is loaded" "a row that cannot be read" ./load broken.csv --table $schema.u
ends 0 'refused 1' "a row that cannot be read, left out" ./load broken.csv --table $schema.u --on-bad-row skip
ends 5 'connecting' "a server that is not there" "$tidemill" load a.csv --output postgresql://me:s3cret@127.0.0.1:1/d --table t
grep -q s3cret out err && bad "no password in messages" || ok "no password in messages"

# --- write-back
"$tidemill" fit ab.csv --store s --freq M --quiet >out 2>err || bad "a fit"
"$tidemill" predict s --all --horizon 6 --level 80,95 >want.csv 2>err
ends 0 'forecasts of 30 series, generation 1' "forecasts into a table" "$tidemill" predict s --all --horizon 6 --level 80,95 --output "$url" --table $schema.f --parameters $schema.p
forecasts() { q "COPY (SELECT unique_id, ds, mean, lo_80, hi_80, lo_95, hi_95 FROM f ORDER BY 1, 2) TO STDOUT CSV"; }
tail -n +2 want.csv >want
forecasts >got
same "they are those of the CSV, to the last digit" want got
"$tidemill" inspect s --format csv >models.csv 2>err
q "COPY (SELECT unique_id, family, form, weight, sigma2, coefficients FROM p ORDER BY unique_id, member) TO STDOUT CSV" >got
python3 - 2>err <<'PY' && ok "the models are those of inspect" || bad "the models are those of inspect"
import csv
a = list(csv.DictReader(open("models.csv")))
b = list(csv.reader(open("got")))
assert len(a) == len(b) > 30
for x, y in zip(a, b):
    assert [x["unique_id"], x["family"], x["form"]] == y[:3] and float(x["weight"]) == float(y[3]), (x, y)
    assert not x.get("sigma2") or float(x["sigma2"]) == float(y[4]), (x, y)
    assert y[5].startswith("{")
PY
ends 0 'generation 1' "the same again, within the table, by one thread" "$tidemill" predict s --all --horizon 6 --level 80,95 --output "$url" --table $schema.f --replace-rows --jobs 1
forecasts >got
same "and they are the same" want got
q "CREATE VIEW v AS SELECT * FROM f"
ends 4 'view .*v; --replace-rows' "a view that a swap would lose" "$tidemill" predict s --all --output "$url" --table $schema.f
ends 4 'holds no forecasts and is left alone' "a table of something else" "$tidemill" predict s --all --output "$url" --table $schema.t
q "DROP VIEW v"
ends 0 'generation 2, in table' "fit with write-back" "$tidemill" fit ab.csv --store s --freq M --horizon 3 --write-back "$url" --write-table $schema.f
[ "$(q 'SELECT count(*), min(generation), max(generation), count(DISTINCT ds) FROM f')" = "90|2|2|3" ] && ok "the new generation is in the table" || bad "the new generation is in the table"
[ "$(q 'SELECT DISTINCT run_id FROM f')" = "$("$tidemill" inspect s | sed -n 's/^run  *//p')" ] && ok "with its run" || bad "with its run"
"$tidemill" fit ab.csv --store airline --freq M --models arima --arima-order 0,1,1 --arima-seasonal 0,1,1 --quiet >out 2>err || bad "a fit of ARIMA"
ends 0 'members of models in table' "models of ARIMA into a table" "$tidemill" predict airline --all --output "$url" --table $schema.af --parameters $schema.ap
[ "$(q "SELECT count(*) > 0 AND bool_and(form ~ '^ARIMA\(0,1,1\)\(0,1,1\)\[12\]') FROM ap WHERE family = 'arima'")" = t ] && ok "have their orders" || bad "have their orders"
ends 4 'no column mean, so it is of something else and is left alone' "a table of something else is noticed before the fits" "$tidemill" fit ab.csv --store s --freq M --quiet --write-back "$url" --write-table $schema.t
ends 5 'connecting' "so is a server that is not there" "$tidemill" fit ab.csv --store s --freq M --quiet --write-back postgresql://127.0.0.1:1/d --write-table $schema.t
[ "$(readlink s/CURRENT)" = gen-000002.h5 ] && ok "and nothing is published" || bad "and nothing is published"
q "CREATE VIEW v AS SELECT * FROM f"
# Regressors: the forecasts that go back come from the store's own future values.
python3 - <<'PY'
import datetime
month = lambda t: f"{2015 + t // 12}-{t % 12 + 1:02d}-01"
with open("x.csv", "w") as f:
    f.writelines(["ds,price\n"] + [f"{month(t)},{t * t % 7}\n" for t in range(72)])
with open("xy.csv", "w") as f:
    f.writelines(["unique_id,ds,y\n"] + [f"s{s},{month(t)},{50 + 2 * (t * t % 7) + (t * 37 + s) % 11}\n" for s in range(5) for t in range(66)])
PY
ends 0 'generation 1, in table' "fit with regressors and write-back" "$tidemill" fit xy.csv --store sx --freq M --season 1 --models arima --arima-order 1,0,0 --regressors x.csv --horizon 6 --write-back "$url" --write-table $schema.fx
"$tidemill" predict sx --all --horizon 6 | tail -n +2 | sed 's/,[^,]*$//' | sort >want
q "SELECT unique_id || ',' || ds::date FROM $schema.fx" | sort >got
[ "$(q "SELECT count(*) FROM $schema.fx WHERE mean IS NOT NULL")" = 30 ] && cmp -s want got && ok "all of its forecasts are in the table" || bad "the forecasts of a fit with regressors"
ends 4 'generation 3 is published, but not written back: .*--replace-rows' "fit with a write-back that fails" "$tidemill" fit ab.csv --store s --freq M --quiet --write-back "$url" --write-table $schema.f
[ "$(readlink s/CURRENT)" = gen-000003.h5 ] && ok "publishes all the same" || bad "publishes all the same"
[ "$(q "SELECT count(*) FROM pg_class WHERE relname LIKE 'tidemill%' AND relnamespace = '$schema'::regnamespace")" = 0 ] && ok "nothing is left behind" || bad "nothing is left behind"
exit $status
