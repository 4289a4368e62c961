#!/usr/bin/env bash
# From nothing to forecasts: installs what is missing (Debian 12, Ubuntu 24.04), builds, and runs the main job on the
# bundled classic monthly series and on 10,000 simulated retail series: fit, store, predict, show.
#
# usage: ./quickstart.sh [--postgres] [--series N] [--no-install]
#   --postgres   the same way of the data through a private PostgreSQL, started and stopped by this script
#   --series N   simulated series (default 10000)
#
# Needs no server, no network once the packages are there, and no GPU. A second run builds nothing and adds a generation
# to each store. All that it makes lies under build/.
set -euo pipefail
cd "$(dirname "$0")"

postgres=0 series=10000 install=1
while (($#)); do
    case $1 in
    --postgres) postgres=1 ;;
    --series) series=${2:?--series needs a number}; shift ;;
    --no-install) install=0 ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "quickstart.sh: unknown option '$1' (see --help)" >&2; exit 2 ;;
    esac
    shift
done
step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || step() { printf '\n%s\n' "$*"; }
show() { printf '$ %s\n' "$*"; }

# Inside the private server (see the end) the build has been done already.
if [ -z "${TIDE_QUICKSTART_BUILT:-}" ]; then
    step "1. Build"
    if ((install)); then
        if ((postgres)); then tests/install_deps.sh build postgres; else tests/install_deps.sh build; fi
    fi
    log=build/quickstart-build.log
    mkdir -p build
    # One GPU architecture keeps the compile short: the machine's own, else the oldest with PTX.
    if nvidia-smi -L >/dev/null 2>&1; then arch=native; else arch=75; fi
    if ! { cmake --preset release -DTIDE_WERROR=OFF -DCMAKE_CUDA_ARCHITECTURES=$arch && cmake --build build -j "$(nproc)" --target tidemill; } >$log 2>&1; then
        tail -n 30 $log >&2
        echo "quickstart.sh: the build failed, see $log" >&2
        exit 1
    fi
    sed -n 's/^-- \(CUDA backend.*\)/\1/p' $log
    echo "built build/tidemill"
    if ((postgres)); then
        TIDE_QUICKSTART_BUILT=1 exec tests/with_postgres.sh "$0" --postgres --series "$series"
    fi
fi
tidemill=build/tidemill
work=build/quickstart
mkdir -p "$work"

# The classic series as a long table with real dates: monthly ones from tests/golden/series.csv, whose `t` counts months
# from each series' first one.
long_table() {
    awk -F, '
        BEGIN {
            OFS = ","; print "unique_id,ds,y"
            start["AirPassengers"] = 1949; start["USAccDeaths"] = 1973; start["co2"] = 1959
            start["ldeaths"] = 1974; start["nottem"] = 1920
        }
        { gsub(/"/, "") }
        $2 == 12 && ($1 in start) {
            m = $3 - 1
            printf "%s,%04d-%02d-01,%s\n", $1, start[$1] + int(m / 12), m % 12 + 1, ($4 == "NA" ? "" : $4)
        }' tests/golden/series.csv
}

# chart HISTORY FORECAST ID N: the last N values as dots, the forecast as o, its 80 % interval as bars.
chart() {
    awk -F, -v id="$3" -v keep="$4" '
        function row(v) { return int((v - low) / (high - low) * (height - 1) + 0.5) }
        FNR == 1 { for (i = 1; i <= NF; i++) column[FILENAME, $i] = i; next }
        $1 != id { next }
        FILENAME == ARGV[1] { n++; past[n] = $3; when[n] = $2; next }
        { h++; mean[h] = $(column[FILENAME, "mean"]); lo[h] = $(column[FILENAME, "lo-80"]); hi[h] = $(column[FILENAME, "hi-80"]); last = $2 }
        END {
            first = n > keep ? n - keep + 1 : 1
            height = 14; low = high = past[first]
            for (i = first; i <= n; i++) { if (past[i] < low) low = past[i]; if (past[i] > high) high = past[i] }
            for (j = 1; j <= h; j++) { if (lo[j] < low) low = lo[j]; if (hi[j] > high) high = hi[j] }
            if (high == low) high = low + 1
            width = n - first + 1 + h
            for (i = first; i <= n; i++) if (past[i] != "") cell[row(past[i]), i - first + 1] = "·"
            for (j = 1; j <= h; j++) {
                for (r = row(lo[j]); r <= row(hi[j]); r++) cell[r, n - first + 1 + j] = "│"
                cell[row(mean[j]), n - first + 1 + j] = "o"
            }
            for (r = height - 1; r >= 0; r--) {
                printf "%9.4g ┤", low + (high - low) * r / (height - 1)
                for (c = 1; c <= width; c++) printf "%s", ((r, c) in cell) ? cell[r, c] : " "
                print ""
            }
            gap = width - length(when[first]) - length(last)
            printf "%9s  %s%" (gap > 1 ? gap : 1) "s%s\n", "", when[first], "", last
        }' "$1" "$2"
}

step "2. Classic monthly series: fit, store, predict"
long_table >"$work/classic.csv"
source=("$work/classic.csv")
if ((postgres)); then
    url=${TIDE_TEST_PG_URL:?tests/with_postgres.sh gives it}
    PGOPTIONS='-c client_min_messages=warning' psql -q "$url" -c 'DROP TABLE IF EXISTS classic' -c 'CREATE TABLE classic (unique_id text, ds date, y double precision)' \
        -c "\\copy classic FROM '$work/classic.csv' WITH (FORMAT csv, HEADER)"
    source=("$url" --table classic)
fi
show "tidemill fit ${source[*]} --store $work/classic --freq M"
"$tidemill" fit "${source[@]}" --store "$work/classic" --freq M
show "tidemill predict $work/classic --all --horizon 24 --level 80,95"
"$tidemill" predict "$work/classic" --all --horizon 24 --level 80,95 >"$work/classic-forecast.csv"
awk -F, 'NR == 1 || $1 == "AirPassengers"' "$work/classic-forecast.csv" | head -7 | awk -F, '
    NR == 1 { printf "  %-14s %-11s %9s %9s %9s %9s %9s\n", $1, $2, $3, $4, $5, $6, $7; next }
    { printf "  %-14s %-11s %9.2f %9.2f %9.2f %9.2f %9.2f\n", $1, $2, $3, $4, $5, $6, $7 }'
echo
echo "  AirPassengers: five years (·), 24 months ahead (o) with the 80 % interval (│)"
chart "$work/classic.csv" "$work/classic-forecast.csv" AirPassengers 60

step "3. $series simulated retail series, monthly"
if ((postgres)); then
    PGOPTIONS='-c client_min_messages=warning' psql -q "$url" -c 'DROP TABLE IF EXISTS demand'
    simulate=(--series "$series" --freq M --from 2015-01-01 --to 2024-12-01 --seed 1 --output "$url" --table demand)
    source=("$url" --table demand)
else
    simulate=(--series "$series" --freq M --from 2015-01-01 --to 2024-12-01 --seed 1 --output "$work/demand.csv")
    source=("$work/demand.csv")
fi
show "tidemill simulate ${simulate[*]}"
"$tidemill" simulate "${simulate[@]}"
show "tidemill fit ${source[*]} --store $work/demand --freq M"
"$tidemill" fit "${source[@]}" --store "$work/demand" --freq M
show "tidemill predict $work/demand --all --horizon 12 --level 80 > $work/demand-forecast.csv"
"$tidemill" predict "$work/demand" --all --horizon 12 --level 80 >"$work/demand-forecast.csv"
some=$(awk -F, 'NR == 2 { print $1; exit }' "$work/demand-forecast.csv")
show "tidemill predict $work/demand --id $some --horizon 6 --level 80"
"$tidemill" predict "$work/demand" --id "$some" --horizon 6 --level 80 | sed 's/^/  /'

step "Done"
lines=$(($(wc -l <"$work/demand-forecast.csv") - 1))
echo "forecasts:  $work/classic-forecast.csv, $work/demand-forecast.csv ($lines rows)"
echo "stores:     $work/classic -> $(readlink "$work/classic/CURRENT"), $work/demand -> $(readlink "$work/demand/CURRENT")"
echo "look into:  build/tidemill inspect $work/classic   |   build/tidemill --help"
