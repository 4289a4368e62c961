#!/usr/bin/env bash
# The command line with a PostgreSQL: the same forecasts from CSV, a table, a query, a packed table, by any number of
# connections; the flags of the source. Runs inside tests/with_postgres.sh.
#
# usage: tests/cli/postgres.sh [BUILD_DIR]
set -uo pipefail
suite=postgres
cd "$(dirname "$0")/../.."
. tests/lib.sh
tidemill=$(cd "${1:-build}" && pwd)/tidemill
if [ -z "${TIDE_TEST_PG_URL:-}" ]; then
    skip "no server (run inside tests/with_postgres.sh)"
    exit 0
fi
url=$TIDE_TEST_PG_URL schema=cli$$
work=$(mktemp -d)
sql() { PGOPTIONS="-c client_min_messages=error" psql -qAtX -v ON_ERROR_STOP=1 "$url" -c "$1"; }
trap 'sql "DROP SCHEMA IF EXISTS $schema CASCADE"; rm -rf "$work"' EXIT
cd "$work"
sql "CREATE SCHEMA $schema"
"$tidemill" simulate --series 60 --freq M --from 2015-01-01 --to 2024-12-01 --output d.csv --quiet
"$tidemill" simulate --series 60 --freq M --from 2015-01-01 --to 2024-12-01 --output "$url" --table $schema.d --quiet || bad "simulate into a table"
forecasts() { "$tidemill" forecast "$@" --freq M --horizon 6 --level 80 2>err | sort; }
forecasts d.csv >want
for n in 1 2 4; do
    forecasts "$url" --table $schema.d --connections $n >got
    same "the same forecasts from a table by $n connections" want got
done
grep -qE "postgres $schema.d: [0-9]+ connections?, " err && ok "the log says how the rows are read" || bad "the log says how the rows are read"
forecasts "$url" --query "SELECT * FROM $schema.d" >got
same "the same from a query" want got
sql "CREATE TABLE $schema.shuffled AS SELECT * FROM $schema.d ORDER BY random()"
forecasts "$url" --table $schema.shuffled >got
same "the same from a table in any order" want got
sql "CREATE TABLE $schema.packed AS
SELECT s.unique_id, s.first AS ds, array_agg(t.y ORDER BY g.ds) AS amounts
FROM (SELECT unique_id, min(ds) AS first, max(ds) AS last FROM $schema.d GROUP BY unique_id) s
CROSS JOIN LATERAL (SELECT d::date AS ds FROM generate_series(s.first, s.last, interval '1 month') d) g
LEFT JOIN $schema.d t ON t.unique_id = s.unique_id AND t.ds = g.ds
GROUP BY s.unique_id, s.first"
sql "ALTER TABLE $schema.packed ADD PRIMARY KEY (unique_id)"
forecasts "$url" --table $schema.packed --packed --values-column amounts >got
same "the same from a packed table" want got
printf '{"source": {"path": "%s", "table": "%s.packed", "packed": true, "values_column": "amounts", "read_timeout_s": 60, "connections": 2, "retries": 0, "mixed_snapshots": false}}' "$url" $schema >p.json
forecasts --config p.json >got
same "the same by a configuration file" want got
fit=("$tidemill" fit "$url" --store s)
ends 4 'packed \(--freq gives the step\)' "a packed table without --freq" "${fit[@]}" --table $schema.packed --packed --values-column amounts
ends 4 'column "values" does not exist' "a packed table without its column" "${fit[@]}" --table $schema.packed --packed --freq M
ends 4 'amounts has type .*\[\]; it must be double precision, real' "a packed table that is not said to be one" "${fit[@]}" --table $schema.packed --y-column amounts --freq M
ends 3 'values_column.*--packed' "--values-column without --packed" "${fit[@]}" --table $schema.packed --values-column amounts --freq M
ends 2 '--connections' "too many connections" "${fit[@]}" --table $schema.d --connections 1000
ends 5 'silent for 1 s' "--read-timeout" "${fit[@]}" --query "SELECT 'a' AS unique_id, 1 AS ds, 1 AS y FROM pg_sleep(5)" --read-timeout 1 --retries 0
ends 5 'statement timeout \(SQLSTATE 57014\)' "--statement-timeout" "${fit[@]}" --query "SELECT 'a' AS unique_id, 1 AS ds, 1 AS y FROM pg_sleep(5)" --statement-timeout 1
[ ! -e s/CURRENT ] && ok "none of these left a store" || bad "one of these left a store"
exit $status
