#!/usr/bin/env bash
# Is our ARIMA likelihood at least R's, and is our search at least as good as auto.arima's? Fits fixed orders with
# `tidemill fit --models arima --arima-order ...` and compares with R's Arima(method = "ML") by the exact likelihood at either's
# coefficients; then lets both search. Rows go to bench/results.csv, the worst series are printed.
#
# usage: bench/peers/arima_likelihood.sh NAME TRAIN META [R_FIXED [R_AUTO]]
#   TRAIN: unique_id,ds,y (plain or .gz); META: unique_id,period,category
#   R_FIXED, R_AUTO: kept outputs of arima_fixed.R and arima_auto.R; made when they are not there (FIXED_MOST=100 series a
#   period, AUTO_MOST="20 20 20" series a category, unless told: R takes seconds to minutes a series)
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
[ $# -ge 3 ] || { sed -n '6s/^# //p' "$0" >&2; exit 2; }
name=$1 train=$2 meta=$3 r_fixed=${4:-} r_auto=${5:-}
need_tidemill
[ -e "$train" ] && [ -e "$meta" ] || { echo "arima_likelihood.sh: skipped, no $train or $meta"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
from_r() { # from_r FILE SCRIPT ARGUMENT...: makes the table unless it is there
    [ -s "$1" ] && return
    command -v Rscript >/dev/null && Rscript -e 'library(forecast)' >/dev/null 2>&1 ||
        { echo "arima_likelihood.sh: skipped, Rscript or its package forecast is not there"; exit 0; }
    Rscript "$bench_dir/peers/$2" "$train" "$meta" "$1" "${@:3}"
}
r_fixed=${r_fixed:-$work/r_fixed.csv} r_auto=${r_auto:-$work/r_auto.csv}
from_r "$r_fixed" arima_fixed.R "${FIXED_MOST:-100}"
# shellcheck disable=SC2086
from_r "$r_auto" arima_auto.R ${AUTO_MOST:-20 20 20}
fit() { # fit TRAIN PERIOD OUT OPTION...
    rm -rf "$work/store"
    "$TIDEMILL" fit "$1" --store "$work/store" --freq N --season "$2" --models arima "${@:4}" --quiet
    "$TIDEMILL" inspect "$work/store" --format csv >"$3"
}
python3 "$bench_dir/peers/split.py" "$train" "$meta" "$work/fixed" --like "$r_fixed"
mkdir "$work/ours"
cut -d, -f2-9 "$r_fixed" | tail -n +2 | sort -u | while IFS=, read -r m p d q P D Q c; do
    options=(--arima-order "$p,$d,$q")
    if [ "$c" = 0 ]; then options+=(--arima-constant=false); fi
    if [ "$m" -gt 1 ]; then options+=(--arima-seasonal "$P,$D,$Q"); fi
    fit "$work/fixed/$m.csv" "$m" "$work/ours/$p,$d,$q,$P,$D,$Q,$c.$m.csv" "${options[@]}"
done
read -r fits share missing undefined better off < <(python3 "$bench_dir/peers/arima_compare.py" fixed "$train" "$r_fixed" "$work"/ours/*.csv)
record arima-likelihood "$name" "fixed orders: fits compared with R" "$fits" fits
record arima-likelihood "$name" "fixed orders: exact log-likelihood at least R's - 0.001" "$share" %
record arima-likelihood "$name" "fixed orders: over R's + 0.001" "$better" %
record arima-likelihood "$name" "fixed orders: fits that R has and we leave out" "$missing" fits
record arima-likelihood "$name" "fixed orders: fits of R outside of the stationary region" "$undefined" fits
record arima-likelihood "$name" "our log-likelihood off the exact one by at most" "$off" ""
python3 "$bench_dir/peers/split.py" "$train" "$meta" "$work/auto" --like "$r_auto"
start=$(date +%s.%N)
for file in "$work"/auto/*.csv; do fit "$file" "$(basename "$file" .csv)" "$work/auto.$(basename "$file")"; done
end=$(date +%s.%N)
python3 "$bench_dir/peers/arima_compare.py" auto "$train" "$r_auto" "$work"/auto.*.csv >"$work/result"
while read -r search n missing d order compared good better seconds; do
    what="search, against auto.arima ($search)"
    record arima-search "$name" "$what: series" "$n" series
    record arima-search "$name" "$what: left out by us" "$missing" series
    record arima-search "$name" "$what: d and D equal" "$d" %
    record arima-search "$name" "$what: whole order equal" "$order" %
    record arima-search "$name" "$what: AICc at least as good where d and D are equal ($compared series)" "$good" %
    record arima-search "$name" "$what: AICc better" "$better" %
    record arima-search "$name" "$what: R" "$seconds" s/series
done <"$work/result"
series=$(cat "$work"/auto/*.csv | grep -v '^unique_id,' | cut -d, -f1 | sort -u | wc -l)
record arima-search "$name" "search: ours, file to store, wall" "$(awk -v a="$start" -v b="$end" -v n="$series" 'BEGIN { printf "%.5f", (b - a) / n }')" s/series
