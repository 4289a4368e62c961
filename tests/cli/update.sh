#!/usr/bin/env bash
# tidemill update, end to end: nights in pieces and at once give the same rows, untouched rows keep their bytes, batches,
# threads and histories do not matter, forecasts are those of an independent recursion; refusals, damage, kills.
#
# usage: tests/cli/update.sh [BUILD_DIR]       the PostgreSQL part runs inside tests/with_postgres.sh
set -uo pipefail
suite=update
cd "$(dirname "$0")/../.."
. tests/lib.sh
enter "$@"
# rows.py STORE: a line a series with every byte of its columns but the run's; --no-fingerprint leaves that out too
cat >rows.py <<'PY'
import struct, sys
width = {1: 1, 2: 4, 3: 4, 4: 8, 5: 8, 6: 8, 7: 40}
raw, column, kind = open(sys.argv[1] + "/CURRENT", "rb").read(), {}, {}
for i in range(64):
    name, k, _, offset, count, _ = struct.unpack_from("<32sIIQQQ", raw, 512 + 64 * i)
    name = name.rstrip(b"\0").decode()
    if not name:
        break
    column[name], kind[name] = raw[offset:offset + count * width[k]], width[k]
at = lambda name, i: struct.unpack_from("<Q", column[name], 8 * i)[0]
part = lambda name, a, b: column[name][a * kind[name]:b * kind[name]]
n = len(column["series/outcome"])
print(n, "series")
skip = ("series/fingerprint",) if "--no-fingerprint" in sys.argv else ()
for i in range(n):
    out = [repr(part("series/ids", at("series/id_at", i), at("series/id_at", i + 1)))]
    for name in sorted(column):
        if name.startswith("series/") and name not in ("series/ids", "series/id_at", "series/first_member", "series/run") + skip:
            out.append(part(name, i, i + 1).hex())
    for k in range(at("series/first_member", i), at("series/first_member", i + 1)):
        for name in sorted(column):
            if name.startswith("member/") and name not in ("member/coef", "member/state", "member/coef_at", "member/state_at"):
                out.append(part(name, k, k + 1).hex())
        for heap in ("coef", "state"):
            out.append(part("member/" + heap, at(f"member/{heap}_at", k), at(f"member/{heap}_at", k + 1)).hex())
    print(" ".join(out))
PY
rows() { python3 rows.py "$@"; }

"$tidemill" simulate --series 60 --freq M --from 2015-01-01 --to 2024-12-01 --output all.csv --quiet
upto() { awk -F, -v to="$1" 'NR == 1 || $2 <= to' all.csv; }
after() { awk -F, -v from="$1" -v to="$2" 'NR == 1 || ($2 > from && $2 <= to)' all.csv; }
upto 2024-03-01 >old.csv
after 2024-03-01 2024-12-01 >new.csv
"$tidemill" fit old.csv --store base --freq M --models ets,naive,snaive,drift,mean --across mean --quiet >out 2>err || bad "fit"
copy() { rm -rf "$1" && cp -r base "$1"; }
updated() { # updated STORE SOURCE [options]
    local store=$1
    shift
    "$tidemill" update "$@" --store "$store" --quiet >out 2>err || bad "update $*"
}

# --- by every way the same rows
copy whole && updated whole all.csv
rows whole >want
rows base >got
cmp -s got want && bad "an update changes the states" || ok "an update changes the states"
copy few && updated few all.csv --jobs 1 && rows few >got && same "one thread gives the same rows" want got
copy few && updated few all.csv --jobs 3 && rows few >got && same "three threads give the same rows" want got
copy few && updated few all.csv --memory 4M && rows few >got && same "little memory gives the same rows" want got
copy part && updated part new.csv
rows whole --no-fingerprint >want_states
rows part --no-fingerprint >got && same "only new rows give the same models" want_states got
copy nights
for night in 2024-03-01:2024-04-01 2024-04-01:2024-07-01 2024-07-01:2024-08-01 2024-08-01:2024-12-01; do
    after "${night%:*}" "${night#*:}" >night.csv
    updated nights night.csv
done
rows nights --no-fingerprint >got && same "night by night gives the same models, bit for bit" want_states got
copy nights && upto 2024-06-01 >half.csv && updated nights half.csv && updated nights all.csv
rows nights >got && same "the whole source, twice, gives the same fingerprints too" want got
"$tidemill" fit old.csv --store h --freq M --models ets,naive,snaive,drift,mean --across mean --history h.history --quiet >out 2>err
"$tidemill" update new.csv --store h --history h.history --quiet >out 2>err
rows h >got && same "new rows and a history give what the whole source gives" want got
"$tidemill" fit all.csv --store fitted --freq M --models naive --quiet >out 2>err
python3 - whole fitted <<'PY' && ok "data windows and fingerprints are those of a fit of the same rows" || bad "data windows are those of a fit"
import subprocess, sys, json
def load(store):
    raw = subprocess.run(["python3", "rows.py", store], capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    return {l.split()[0]: l.split()[1:] for l in raw}
a, b = load(sys.argv[1]), load(sys.argv[2])
# columns in order: backtest_error end_of_month fingerprint first_ds key last_ds n_obs n_values outcome scale
for u in a:
    if u in b and a[u][8] != "04":
        assert [a[u][k] for k in (1, 2, 3, 4, 5, 6, 7)] == [b[u][k] for k in (1, 2, 3, 4, 5, 6, 7)], u
PY

# --- rows without news keep their bytes; order stays
copy few && grep -E '^unique_id|^S000000[3-5],' new.csv >some.csv && updated few some.csv
rows few >got
rows base >before
python3 - before got want_states <<'PY' && ok "series without new values keep every byte, in place" || bad "series without new values keep every byte"
import sys
a, b = (open(p).read().splitlines() for p in sys.argv[1:3])
assert len(a) == len(b)
differ = [x.split()[0] for x, y in zip(a, b) if x != y]
assert [x.split()[0] for x in a] == [x.split()[0] for x in b]
assert differ == [repr(b"S000000%d" % i) for i in (3, 4, 5) if any(repr(b"S000000%d" % i) in x for x in a)], differ
PY
ends 0 'nothing to update: generation 2 stays' "the same rows again: nothing is published" "$tidemill" update all.csv --store whole
[ "$(readlink whole/CURRENT)" = gen-000002.h5 ] && ok "and CURRENT stays" || bad "and CURRENT stays"
"$tidemill" runs whole --format json >runs.json 2>err
python3 - <<'PY' && ok "the book has a row of command update with its counts" || bad "the book has a row of command update"
import json
r = json.load(open("runs.json"))
assert [x["command"] for x in r] == ["fit", "update", "update"] and r[1]["generation"] == 2 and r[2]["generation"] is None, r
assert r[1]["metrics"]["updated"] > 50 and r[1]["metrics"]["before"] == 1, r[1]["metrics"]
PY

ends 0 'since generation 1: changed data, model carried on' "inspect says that a model was carried on" "$tidemill" inspect whole --id S0000003

# --- forecasts against a recursion of our own, from the printed parameters
printf 'unique_id,ds,y\n' >ets.csv
python3 - >>ets.csv <<'PY'
import random
random.seed(3)
for u in range(5):
    for t in range(60):
        print(f"u{u},{t + 1},{100 + 3 * u * (t % 4) + 0.7 * t + random.gauss(0, 2):.3f}")
PY
awk -F, 'NR == 1 || $2 <= 50' ets.csv >ets_old.csv
for form in ANN AAN AAdN ANA AAA AAdA MNN MAN MAdN MNA MAA MAdA MNM MAM MAdM; do
    rm -rf e && "$tidemill" fit ets_old.csv --store e --freq N --season 4 --ets-mode likelihood --ets-forms $form --quiet >out 2>err
    "$tidemill" inspect e --id u0 --id u1 --id u2 --id u3 --id u4 --format json >before.json 2>err
    updated e ets.csv
    "$tidemill" predict e --all --horizon 4 >after.csv 2>err # beyond a season, means of level times season have a covariance
    python3 - $form >out 2>err <<'PY' && ok "forecasts after an update of $form follow the recursion" || bad "forecasts after an update of $form"
import csv, json, sys
form = sys.argv[1]
e, trend, season = form[0], form[1:-1], form[-1]
y = {}
for r in csv.DictReader(open("ets.csv")):
    y.setdefault(r["unique_id"], []).append(float(r["y"]))
got = {}
for r in csv.DictReader(open("after.csv")):
    got.setdefault(r["unique_id"], []).append(float(r["mean"]))
seen = 0
for r in json.load(open("before.json")):
    m = r["members"][0]
    assert len(r["members"]) == 1 and m["form"] == form, m
    a, b, g, phi = (m["coef"] + [0.0] * 4)[:4]
    phi = phi if trend == "Ad" else 1.0
    l, t = (m["state"] + [0.0])[:2]
    s = m["state"][2:6] if season != "N" else [0.0] * 4
    for v in y[r["unique_id"]][50:]:
        q = l + (phi * t if trend != "N" else 0.0)
        f = q if season == "N" else q + s[0] if season == "A" else q * s[0]
        err = v - f
        d = err / s[0] if season == "M" else err
        l, t = q + a * d, (phi * t + b * d if trend != "N" else 0.0)
        s = s[1:] + [s[0] + (g * err / q if season == "M" else g * err if season == "A" else 0.0)]
    damp, want = 0.0, []
    for h in range(4):
        damp += phi ** (h + 1)
        q = l + (damp * t if trend != "N" else 0.0)
        want.append(q if season == "N" else q + s[h % 4] if season == "A" else q * s[h % 4])
    for w, x in zip(want, got[r["unique_id"]]):
        assert abs(w - x) <= 1e-10 * abs(w), (r["unique_id"], w, x)
    seen += 1
assert seen == 5, seen
PY
done

# --- ARIMA: one night after the other is all at once; a random walk with drift by hand
few() { awk -F, 'NR == 1 || $1 < "S0000008"'; }
few <old.csv >small_old.csv
few <all.csv >small.csv
rm -rf a b && "$tidemill" fit small_old.csv --store a --freq M --models arima --arima-order 1,1,1 --arima-seasonal 0,1,1 --quiet >out 2>err
cp -r a b
updated a small.csv
upto 2024-07-01 | few >small_half.csv
updated b small_half.csv && updated b small.csv
"$tidemill" predict a --all --horizon 5 --level 80 >want.csv 2>err
"$tidemill" predict b --all --horizon 5 --level 80 >got.csv 2>err
python3 - >out 2>err <<'PY' && ok "ARIMA in two steps gives the forecasts of one" || bad "ARIMA in two steps gives the forecasts of one"
import csv
a, b = (list(csv.DictReader(open(p))) for p in ("want.csv", "got.csv"))
assert len(a) == len(b) > 20
for x, y in zip(a, b):
    for k in ("mean", "lo-80", "hi-80"):
        assert x["ds"] == y["ds"] and (x[k] == y[k] or abs(float(x[k]) - float(y[k])) <= 1e-9 * abs(float(x[k]))), (x, y)
PY
rm -rf w && "$tidemill" fit ets_old.csv --store w --freq N --season 4 --models arima --arima-order 0,1,0 --quiet >out 2>err
updated w ets.csv && "$tidemill" predict w --id u1 --horizon 2 >got.csv 2>err
python3 - >out 2>err <<'PY' && ok "a random walk with drift goes on from the last value" || bad "a random walk with drift goes on from the last value"
import csv
y = [float(r["y"]) for r in csv.DictReader(open("ets.csv")) if r["unique_id"] == "u1"]
drift = (y[49] - y[0]) / 49
for h, r in enumerate(csv.DictReader(open("got.csv"))):
    assert r["ds"] == str(61 + h) and abs(float(r["mean"]) - (y[59] + drift * (h + 1))) < 1e-9, (r, y[59], drift)
PY

# --- what cannot be carried on is said, and stays
copy t && { head -1 new.csv; echo 'brandnew,2024-04-01,5'; grep '^S0000003,' new.csv; } >mixed.csv
ends 0 'without a model in the store \(tidemill fit\) 1: brandnew' "an id without a model is named" "$tidemill" update mixed.csv --store t
sed 's/^\(u2,51\),.*/\1,-4/' ets.csv >negative.csv
rm -rf e && "$tidemill" fit ets_old.csv --store e --freq N --season 4 --ets-mode likelihood --ets-forms MNN --quiet >out 2>err
ends 0 'cannot take the new values \(tidemill fit\) 1: u2' "a value that a multiplicative form cannot take is named" "$tidemill" update negative.csv --store e
"$tidemill" predict e --id u2 --horizon 1 >got.csv 2>err && grep -q '^u2,51,' got.csv && ok "and its series stays at its last step" || bad "and its series stays at its last step"
sed 's/^\(u1,7\),.*/\1,777/' ets.csv >corrected.csv
rm -rf e && "$tidemill" fit ets_old.csv --store e --freq N --season 4 --ets-forms ANN --quiet >out 2>err
ends 0 'differ from those fitted on.* 1: u1' "a corrected old value is noticed" "$tidemill" update corrected.csv --store e
{ head -1 new.csv; echo 'S0000003,2024-05-17,1'; grep '^S0000004,' new.csv; } >off.csv
copy t && ends 0 'not usable, left as they were 1: S0000003' "a time off the grid harms one series" "$tidemill" update off.csv --store t
printf 'unique_id,ds,y\nS0000003,2024-09-01,1000\n' >gap.csv
copy t && ends 0 '1 were carried over 1 new values \(5 missing\)' "a gap before the new rows is missing values" "$tidemill" update gap.csv --store t
ends 2 '--store DIR is needed' "no store" "$tidemill" update new.csv
ends 2 'which SOURCE' "no source" "$tidemill" update --store base
ends 2 'go together' "half of a write-back" "$tidemill" update new.csv --store base --write-table t
ends 2 'unknown flag --ets-forms' "options of models are not for it" "$tidemill" update new.csv --store base --ets-forms ANN
ends 6 'nowhere' "a store that is not there" "$tidemill" update new.csv --store nowhere
[ -e nowhere ] && bad "and is not made" || ok "and is not made"
ends 3 'freq: D, but the models of the store are of M' "another frequency" "$tidemill" update new.csv --store base --freq D
ends 4 'times are of another kind' "another kind of times" "$tidemill" update ets.csv --store base
ends 7 'nowhere.csv' "a source that is not there" "$tidemill" update nowhere.csv --store base
copy damaged
python3 - <<'PY'
import os
os.chmod("damaged/gen-000001.h5", 0o644)
b = bytearray(open("damaged/gen-000001.h5", "rb").read())
for i in range(16384, len(b)):
    b[i] ^= 1
open("damaged/gen-000001.h5", "wb").write(b)
b[8] = 77
os.mkdir("other")
open("other/gen-000001.h5", "wb").write(b)
os.symlink("gen-000001.h5", "other/CURRENT")
PY
ends 6 'damaged' "a damaged store" "$tidemill" update new.csv --store damaged
ends 6 'version 77' "a store of another version" "$tidemill" update new.csv --store other
[ "$(readlink damaged/CURRENT)" = gen-000001.h5 ] && [ ! -e damaged/gen-000002.h5 ] && ok "and nothing was published" || bad "and nothing was published"

# --- kills at random moments: the old generation or the new one
"$tidemill" simulate --series 4000 --freq D --from 2024-01-01 --to 2024-03-01 --output big.csv --quiet
awk -F, 'NR == 1 || $2 <= "2024-02-20"' big.csv >big_old.csv
"$tidemill" fit big_old.csv --store base_big --freq D --models naive --quiet >out 2>err
cp -r base_big big && "$tidemill" update big.csv --store big --quiet >out 2>err && rows big >want
rows base_big >before
torn=0 killed=0
for ms in 10 25 40 55 70 85 100 120; do
    rm -rf big && cp -r base_big big
    "$tidemill" update big.csv --store big --quiet >out 2>err &
    pid=$!
    sleep "$(awk -v m=$ms 'BEGIN { print m / 1000 }')"
    kill -9 $pid 2>/dev/null && killed=$((killed + 1))
    wait $pid 2>/dev/null
    rows big >got
    cmp -s got before || cmp -s got want || torn=1
    "$tidemill" update big.csv --store big --quiet >out 2>err || torn=1
    rows big >got
    cmp -s got want || torn=1
done
[ $torn = 0 ] && ok "killed $killed times, the store is the old one or the new, and the next run gets there" || bad "killed, a store was torn"

# --- PostgreSQL
if [ -n "${TIDE_TEST_PG_URL:-}" ]; then
    "$tidemill" load all.csv --output "$TIDE_TEST_PG_URL" --table update_all --create --quiet >out 2>err || bad "load"
    copy t && updated t "$TIDE_TEST_PG_URL" --table update_all && rows t >got
    rows whole >want && same "from PostgreSQL the same rows" want got
    copy t
    ends 0 '' "with write-back" "$tidemill" update "$TIDE_TEST_PG_URL" --table update_all --store t --horizon 3 \
        --write-back "$TIDE_TEST_PG_URL" --write-table update_forecasts
    "$tidemill" predict t --all --horizon 3 >all_forecasts.csv 2>err
    n=$(psql "$TIDE_TEST_PG_URL" -Atc 'SELECT count(*) FROM update_forecasts')
    [ "$n" = $(($(wc -l <all_forecasts.csv) - 1)) ] && ok "which writes the forecasts of the new generation" || bad "write-back wrote $n rows"
    psql "$TIDE_TEST_PG_URL" -qc 'DROP TABLE update_all, update_forecasts' >out 2>err
else
    skip "no PostgreSQL (TIDE_TEST_PG_URL)"
fi
exit $status
