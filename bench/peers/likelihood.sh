#!/usr/bin/env bash
# Is our likelihood at least R's? Fits each ETS form alone to every series, compares the log-likelihood with R's ets() series
# by series, and the AICc of the form chosen from all with R's best. Rows go to bench/results.csv.
#
# usage: bench/peers/likelihood.sh NAME TRAIN.csv PERIOD [R_FORMS.csv [LIST.csv]]
#   R_FORMS.csv: kept output of likelihood.R on the same file (R needs a quarter to half a second a series); made when it
#   is not there. The worst fits are printed. LIST.csv gets all fits that are short of R's, with their causes
#   (shortfalls.py); their number by cause goes to the rows too.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
[ $# -ge 3 ] || { sed -n '5s/^# //p' "$0" >&2; exit 2; }
need_tidemill
name=$1 train=$2 period=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
r_forms=${4:-$work/r_forms.csv}
[ -s "$r_forms" ] || Rscript "$bench_dir/peers/likelihood.R" "$train" "$period" >"$r_forms"
fit() { # fit FORMS FILE
    rm -rf "$work/store"
    "$TIDEMILL" fit "$train" --store "$work/store" --freq N --season "$period" --ets-mode likelihood --ets-forms "$1" --quiet
    "$TIDEMILL" inspect "$work/store" --format csv >"$2"
}
seasons=N
if [ "$period" -gt 1 ]; then seasons="N A M"; fi
forms=()
for error in A M; do for trend in N A Ad; do for season in $seasons; do
    [ "$error$season" = AM ] || forms+=("$error$trend$season")
done; done; done
for form in "${forms[@]}"; do fit "$form" "$work/$form.csv"; done
fit "$(IFS=,; echo "${forms[*]}")" "$work/auto.csv"
python3 - "$work" "$r_forms" "${forms[@]}" <<'PY' >"$work/result"
import csv, math, sys
work, r_forms, forms = sys.argv[1], sys.argv[2], sys.argv[3:]
rows = lambda f: csv.DictReader(open(f, newline=""))
r = {(x["unique_id"], x["form"]): (float(x["loglik"]), float(x["aicc"])) for x in rows(r_forms)
     if x["aicc"] not in ("NA", "Inf", "-Inf")}
short, fits, missing = [], 0, 0
for form in forms:
    ours = {x["unique_id"]: float(x["loglik"]) for x in rows(f"{work}/{form}.csv") if x["family"] == "ets"}
    for (u, f), (loglik, _) in r.items():
        if f != form:
            continue
        fits += 1
        if u not in ours:
            missing += 1
        elif ours[u] < loglik - 1e-3:
            short.append((ours[u] - loglik, u, form))
best = {}
for (u, f), (_, aicc) in r.items():
    best[u] = min(best.get(u, math.inf), aicc)
auto = {x["unique_id"]: float(x["aicc"]) for x in rows(f"{work}/auto.csv") if x["family"] == "ets"}
chosen = [u for u in best if u in auto]
good = sum(auto[u] <= best[u] + 1e-3 for u in chosen)
print(f"{fits} {100 * (fits - len(short) - missing) / fits:.2f} {missing} {len(chosen)} {100 * good / len(chosen):.2f}")
for d, u, f in sorted(short)[:10]:
    print(f"  {u} {f}: {d:.4f}", file=sys.stderr)
PY
read -r fits share missing series auto <"$work/result"
record likelihood "$name" "fits compared with R" "$fits" fits
record likelihood "$name" "log-likelihood at least that of R - 0.001" "$share" %
record likelihood "$name" "fits that R has and we leave out" "$missing" fits
record likelihood "$name" "AICc of the choice at least as good as R's best of $series" "$auto" %
python3 "$bench_dir/peers/shortfalls.py" "$work" "$r_forms" "$period" ${5:+"$5"} | tail -n +2 | while read -r n worst cause; do
    record likelihood "$name" "short of R: $cause" "$n" fits
    record likelihood "$name" "short of R: $cause: worst" "$worst" log-likelihood
done
