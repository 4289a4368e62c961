#!/usr/bin/env bash
# Exponential smoothing at the limit of a core: everything that is measured of it, in 10 minutes or less on 2 quiet cores.
#
# usage: bench/ets_table.sh [--quick] [--data DIR --name NAME] [parts|forms|lengths|threads|peers|accuracy]...
#
#   parts     ns an observation of an evaluation, of evaluation and gradient and of a Gauss-Newton pass, by form and lane
#             width, and their share of the FP64 peak of the same core, measured in the same run (bench_ets)
#   forms     fits a second of each form alone, and of all, by instruction set
#   lengths   series a second of the automatic choice, by period (1 to 52) and length (20 to 2000), in both modes
#   threads   the fit of 20,000 monthly series in memory on 1 thread and more, and how it scales
#   peers     the same series by statsforecast's AutoETS and R's ets, one core each, all in memory: processor time of the
#             fits alone, how often it is ours, and whose choice has the better AICc
#   accuracy  of forecasts for the held-out values of --data, beside the peers': sMAPE, MASE, OWA, coverage, MSIS
#
# --data DIR has NAME.csv.gz, NAME.test.csv.gz, NAME.meta.csv (unique_id,period,horizon,...) and forecasts of others,
# NAME.R_ets.fc.csv.gz and NAME.R_thetaf.fc.csv.gz, where they are. It stays outside of the repository. Without it
# peers fits simulated monthly series and accuracy is left out. statsforecast comes from PEERS_VENV (default
# build/peers-venv, made with pip), R if Rscript and its package are there. Rows go to bench/results.csv.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
quick=0 data='' name=m3a which=()
while (($#)); do
    case $1 in
    --quick) quick=1 ;;
    --data) data=$2; shift ;;
    --name) name=$2; shift ;;
    parts | forms | lengths | threads | peers | accuracy) which+=("$1") ;;
    *) echo "ets_table.sh: unknown '$1'" >&2; exit 2 ;;
    esac
    shift
done
((${#which[@]})) || which=(parts forms lengths threads peers accuracy)
build=$(dirname "$TIDEMILL")
fit=$build/bench_fit
need_tidemill
[ -x "$fit" ] || { echo "ets_table.sh: no $fit; build the target bench_fit" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
core=$(taskset -cp $$ | sed -E 's/.*: ([0-9]+).*/\1/') # the first one that this process may use
one=(taskset -c "$core")
"$bench_dir/machine.sh" --text
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)"
div() { awk -v a="$1" -v b="$2" -v f="${3:-%.1f}" 'BEGIN { printf f, (b > 0 ? a / b : 0) }'; }
widths=(avx512 avx2 "") # names of bench_ets programs; those that do not run here are left out
grep -q ' avx512dq ' /proc/cpuinfo || widths=(avx2 "")
grep -q ' avx2 ' /proc/cpuinfo || widths=("")

run_parts() {
    local width what
    for width in "${widths[@]}"; do
        local program=$build/bench_ets${width:+_$width} label=${width:-one lane}
        [ -x "$program" ] || { echo "no $program"; continue; }
        "${one[@]}" "$program" 0 >"$work/parts"
        peak=$(sed -n 's/.*peak of \([0-9.]*\) FMA.*/\1/p' "$work/parts")
        if [ -n "$width" ]; then record ets-parts "$label" "FP64 peak of the core" "$peak" FMA/ns; fi
        tail -n +3 "$work/parts" | while read -r form n value gradient gauss round s0 s1 s2; do
            what="$form n=120 m=12 $label"
            record ets-parts "$what" "value" "$value" ns/observation
            record ets-parts "$what" "value and gradient" "$gradient" ns/observation
            record ets-parts "$what" "Gauss-Newton of $n columns" "$gauss" ns/observation
            record ets-parts "$what" "propose and update" "$round" ns/series
            if [ -n "${s2:-}" ]; then
                record ets-parts "$what" "value: share of peak" "$s0" %
                record ets-parts "$what" "value and gradient: share of peak" "$s1" %
                record ets-parts "$what" "Gauss-Newton: share of peak" "$s2" %
            fi
        done
    done
}

run_forms() {
    local series=512 isa mode rest
    if ((quick)); then series=128; fi
    "${one[@]}" "$build/bench_ets" "$series" | grep 'us a series' >"$work/forms"
    while IFS= read -r line; do
        isa=${line%%,*} mode=${line#*, } mode=${mode%%,*} rest=${line#*: }
        set -- ${rest%%;*}
        while (($#)); do
            record ets-forms "$1 alone n=120 m=12 $isa $mode" "rate" "$(div 1e6 "$2" %.0f)" fits/s
            shift 2
        done
        rest=${rest##*= }
        record ets-forms "all forms n=120 m=12 $isa $mode" "rate" "${rest%% *}" series/s
    done <"$work/forms"
}

run_lengths() {
    local m n mode series periods=(1 4 7 12 24 52) lengths=(20 50 120 500 2000)
    if ((quick)); then periods=(1 12) lengths=(20 120); fi
    for m in "${periods[@]}"; do
        for n in "${lengths[@]}"; do
            # About a second a cell on a fast core: the longer the period and the series, the fewer of them.
            series=$(awk -v m="$m" -v n="$n" -v q="$quick" 'BEGIN { free = m <= 24 ? m : 4
                s = 1e6 * (q ? 0.1 : 1) / (n * (2 + free)); s = s < (q ? 64 : 256) ? (q ? 64 : 256) : s > 8192 ? 8192 : s; print int(s / 32) * 32 }')
            for mode in average likelihood; do
                read -r _ _ _ _ _ seconds _ < <("${one[@]}" "$fit" "$series:$n" "$m" --mode "$mode" --rounds 2 --horizon 1)
                record ets-lengths "m=$m n=$n $mode one core" "rate of $series series" "$(div "$series" "$seconds" %.0f)" series/s
            done
        done
    done
}

run_threads() {
    local series=20000 rounds=3 jobs mode round all
    all=$(nproc)
    if ((quick)); then series=2000 rounds=1; fi
    for mode in average likelihood; do
        : >"$work/threads"
        for ((round = 0; round < rounds; ++round)); do
            for jobs in $(awk -v n="$all" 'BEGIN { for (j = 1; j < n; j *= 2) print j; print n }'); do
                echo "$jobs $("$fit" "$series:120" 12 --mode "$mode" --jobs "$jobs" --rounds 1 --horizon 1)" >>"$work/threads"
            done
        done
        awk '!($1 in wall) || $5 < wall[$1] { wall[$1] = $5; cpu[$1] = $7 } END { for (j in wall) print j, wall[j], cpu[j] }' \
            "$work/threads" | sort -n | while read -r jobs wall cpu; do
            if [ "$jobs" = 1 ]; then base=$wall; fi
            record ets-threads "$series monthly n=120 $mode best of $rounds" "fit on $jobs" "$wall" s
            record ets-threads "$series monthly n=120 $mode best of $rounds" "rate on $jobs" "$(div "$series" "$wall" %.0f)" series/s
            record ets-threads "$series monthly n=120 $mode best of $rounds" "gain on $jobs" "$(div "$base" "$wall" %.2f)" "times one"
        done
    done
}

# The parts of --data by period, as plain files: $work/data.PERIOD.csv, with horizons in $work/horizons (period horizon).
split_data() {
    [ -s "$work/horizons" ] && return
    python3 - "$data/$name" "$work" "$quick" <<'PY'
import csv, gzip, sys
base, work, quick = sys.argv[1], sys.argv[2], int(sys.argv[3])
meta = {r["unique_id"]: r for r in csv.DictReader(open(base + ".meta.csv", newline=""))}
keep = set(list(meta)[:: 20 if quick else 1])
out, horizon, seen = {}, {}, {}
for u, r in meta.items():
    horizon[r["period"]] = max(horizon.get(r["period"], 0), int(r["horizon"]))
with open(work + "/train.csv", "w", newline="") as all_rows:
    every = csv.writer(all_rows)
    every.writerow(["unique_id", "ds", "y"])
    for r in csv.DictReader(gzip.open(base + ".csv.gz", "rt", newline="")):
        u = r["unique_id"]
        if u not in keep:
            continue
        p = meta[u]["period"]
        if p not in out:
            out[p] = open(f"{work}/data.{p}.csv", "w", newline="")
            csv.writer(out[p]).writerow(["unique_id", "ds", "y"])
        csv.writer(out[p]).writerow([u, r["ds"], r["y"]])
        every.writerow([u, r["ds"], r["y"]])
with open(work + "/test.csv", "w", newline="") as f:
    w = csv.writer(f)
    w.writerow(["unique_id", "ds", "y"])
    for r in csv.DictReader(gzip.open(base + ".test.csv.gz", "rt", newline="")):
        if r["unique_id"] in keep:
            w.writerow([r["unique_id"], r["ds"], r["y"]])
with open(work + "/horizons", "w") as f:
    for p in sorted(out, key=int):
        f.write(f"{p} {horizon[p]}\n")
PY
}

venv=${PEERS_VENV:-$root/build/peers-venv}
have_statsforecast() {
    if [ ! -x "$venv/bin/python" ]; then python3 -m venv "$venv" && "$venv/bin/pip" install -q statsforecast==2.1.1 || true; fi
    "$venv/bin/python" -c 'import statsforecast' 2>/dev/null
}
have_r() { command -v Rscript >/dev/null && Rscript -e 'library(forecast)' >/dev/null 2>&1; }

# compare LABEL FILE PERIOD HORIZON PEER COMMAND...: the peer's fits of FILE against ours, of both modes.
compare() {
    local label=$1 file=$2 period=$3 horizon=$4 peer=$5 mode version fits ahead n ours total ours_ahead
    shift 5
    if ! read -r version fits ahead n < <("${one[@]}" "$@" "$file" "$period" "$horizon" "$work/$peer.$period.fc.csv" "$work/$peer.choice" 2>"$work/$peer.log"); then
        tail -n 5 "$work/$peer.log" >&2
        echo "$peer: left out, it failed"
        return
    fi
    record ets-peers "$label $n series $version" "fit" "$fits" "s of processor"
    record ets-peers "$label $n series $version" "forecast" "$ahead" "s of processor"
    for mode in average likelihood; do
        read -r _ _ plan fit_wall ours_ahead ours < <("${one[@]}" "$fit" "$file" "$period" --mode "$mode" --horizon "$horizon" --rounds 5 --members "$work/ours")
        total=$(awk -v a="$plan" -v b="$ours" 'BEGIN { printf "%.6f", a + b }')
        record ets-peers "$label $n series ours $mode" "fit" "$total" "s of processor"
        record ets-peers "$label $n series ours $mode" "forecast" "$ours_ahead" s
        record ets-peers "$label $n series ours $mode" "fit: times faster than $version" "$(div "$fits" "$total" %.0f)" times
        record ets-peers "$label $n series ours $mode" "fit and forecast: times faster than $version" \
            "$(awk -v a="$fits" -v b="$ahead" -v c="$total" -v d="$ours_ahead" 'BEGIN { printf "%.0f", (a + b) / (c + d) }')" times
    done
    # The last of them was in likelihood mode: one form a series, chosen by AICc, as the peer does.
    python3 - "$work/ours" "$work/$peer.choice" <<'PY' >"$work/choice"
import csv, sys
ours = {r["series"]: float(r["criterion"]) for r in csv.DictReader(open(sys.argv[1], newline=""))}
theirs = {r["unique_id"]: float(r["aicc"]) for r in csv.DictReader(open(sys.argv[2], newline=""))}
both = [(ours[u], theirs[u]) for u in theirs if u in ours and theirs[u] < float("inf")]
gains = sorted(b - a for a, b in both)
n = len(gains)
print(n, f"{100 * sum(g >= -1e-3 for g in gains) / n:.2f} {gains[n // 2]:.3f} {sum(gains) / n:.3f}")
PY
    read -r n share median mean <"$work/choice"
    record ets-peers "$label AICc of the choice against $version" "at least as good of $n" "$share" %
    record ets-peers "$label AICc of the choice against $version" "median gain" "$median" AICc
    record ets-peers "$label AICc of the choice against $version" "mean gain" "$mean" AICc
}

run_peers() {
    local period horizon few series=256 r_series=64 # R takes half a second a monthly series
    if ((quick)); then series=32 r_series=8; fi
    "$TIDEMILL" simulate --series "$series" --freq M --from 2015-01-01 --to 2024-12-01 --seed 1 --late 0 --end 0 --gaps 0 --missing 0 --output "$work/simulated.csv" --quiet
    statsforecast=0 r=0
    if have_statsforecast; then statsforecast=1; else echo "statsforecast: left out, $venv does not have it"; fi
    if have_r; then r=1; else echo "R: left out, Rscript or its package forecast is not there"; fi
    if ((statsforecast)); then compare "simulated monthly n=120" "$work/simulated.csv" 12 12 statsforecast "$venv/bin/python" "$bench_dir/peers/ets_statsforecast.py"; fi
    awk -F, -v most="$r_series" '$1 != last { ++n; last = $1 } n <= most + 1' "$work/simulated.csv" >"$work/few.csv"
    if ((r)); then compare "simulated monthly n=120" "$work/few.csv" 12 12 R-ets Rscript "$bench_dir/peers/ets_r.R"; fi
    [ -n "$data" ] || return 0
    split_data
    while read -r period horizon; do
        if ((statsforecast)); then compare "$name m=$period" "$work/data.$period.csv" "$period" "$horizon" statsforecast "$venv/bin/python" "$bench_dir/peers/ets_statsforecast.py"; fi
        few=$work/few.$period.csv
        awk -F, 'NR == 1 { print; next } $1 != last { ++n; last = $1 } n % 12 == 1' "$work/data.$period.csv" >"$few"
        if ((r)); then compare "$name m=$period every 12th" "$few" "$period" "$horizon" R-ets Rscript "$bench_dir/peers/ets_r.R"; fi
    done <"$work/horizons"
}

run_accuracy() {
    [ -n "$data" ] || { echo "accuracy: left out, no --data"; return 0; }
    local mode period horizon options files=() peer
    split_data
    for mode in average likelihood robust; do
        options=(--ets-mode "$mode")
        if [ "$mode" = robust ]; then options=(--ets-mode average --ets-robust); fi
        : >"$work/ours-$mode"
        while read -r period horizon; do
            rm -rf "$work/store"
            "$TIDEMILL" fit "$work/data.$period.csv" --store "$work/store" --freq N --season "$period" --quiet "${options[@]}" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
            "$TIDEMILL" predict "$work/store" --all --horizon "$horizon" --level 80,95 >"$work/part"
            if [ -s "$work/ours-$mode" ]; then tail -n +2 "$work/part" >>"$work/ours-$mode"; else cat "$work/part" >"$work/ours-$mode"; fi
        done <"$work/horizons"
        files+=("$work/ours-$mode")
    done
    if compgen -G "$work/statsforecast.*.fc.csv" >/dev/null; then
        while read -r period _; do
            if [ -s "$work/AutoETS-2.1.1" ]; then tail -n +2 "$work/statsforecast.$period.fc.csv"; else cat "$work/statsforecast.$period.fc.csv"; fi >>"$work/AutoETS-2.1.1"
        done <"$work/horizons"
        files+=("$work/AutoETS-2.1.1")
    fi
    for peer in R_ets R_thetaf; do
        if [ -s "$data/$name.$peer.fc.csv.gz" ]; then zcat "$data/$name.$peer.fc.csv.gz" >"$work/$peer"; files+=("$work/$peer"); fi
    done
    "$bench_dir/peers/by_frequency.sh" "$work/train.csv" "$work/test.csv" "$data/$name.meta.csv" "$name" "${files[@]}"
    # R's intervals are there for the series that it was run on: on these alone, beside ours.
    if compgen -G "$work/R-ets.*.fc.csv" >/dev/null; then
        while read -r period _; do
            if [ -s "$work/R-ets" ]; then tail -n +2 "$work/R-ets.$period.fc.csv"; else cat "$work/R-ets.$period.fc.csv"; fi >>"$work/R-ets"
        done <"$work/horizons"
        awk -F, 'NR == FNR { got[$1] = 1; next } $1 in got' "$work/R-ets" "$work/test.csv" >"$work/few.test.csv"
        "$bench_dir/peers/by_frequency.sh" "$work/train.csv" "$work/few.test.csv" "$data/$name.meta.csv" "$name every 12th" "$work/ours-average" "$work/ours-likelihood" "$work/R-ets"
    fi
}

started=$SECONDS
for bench in "${which[@]}"; do
    echo "== $bench ($((SECONDS - started)) s so far)"
    "run_$bench"
done
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg); $((SECONDS - started)) s in all"
