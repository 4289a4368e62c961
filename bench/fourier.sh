#!/usr/bin/env bash
# Does a number of Fourier pairs chosen by the criterion forecast better than a given one? Fits ARIMA with each of the given numbers to a
# set of series with a long period and scores its forecasts: sMAPE, and MASE by the seasonal naive step of SCALE. The set is a CSV of the
# training values and one of those that follow, unique_id,ds,y with ds = 1, 2, ...; every STRIDE-th series is taken. Without files, 24
# simulated series of period 168: three harmonics of the day, two of the week, noise of AR(1).
#
# usage: bench/fourier.sh [BUILD_DIR] [TRAIN.csv[.gz] TEST.csv[.gz]]
#   KS="0 10 auto"  SEASON=168  SCALE=24  STRIDE=14  OPTIONS="--arima-max-p 3 --arima-max-q 3"
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${1:-build}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
season=${SEASON:-168}
python3 - "$scratch" "${STRIDE:-14}" "${@:2}" <<'PY'
import gzip, math, random, sys
scratch, stride, files = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
def rows(name):
    with (gzip.open if name.endswith('.gz') else open)(name, 'rt') as f:
        next(f)
        for line in f:
            yield line.rstrip('\n').split(',')
if files:
    ids = list(dict.fromkeys(r[0] for r in rows(files[0])))[::stride]
    for name, to in zip(files, ('train', 'test')):
        with open(f'{scratch}/{to}.csv', 'w') as f:
            f.write('unique_id,ds,y\n')
            f.writelines(','.join(r) + '\n' for r in rows(name) if r[0] in set(ids))
else:
    random.seed(1)
    train, test = open(f'{scratch}/train.csv', 'w'), open(f'{scratch}/test.csv', 'w')
    for f in (train, test):
        f.write('unique_id,ds,y\n')
    for s in range(24):
        wave = [(k, random.gauss(0, a), random.gauss(0, a)) for k, a in ((7, 10), (14, 4), (21, 2), (1, 3), (2, 2))]
        e = 0.0
        for t in range(1, 749):
            e = 0.7 * e + random.gauss(0, 2)
            y = 100 + e + sum(a * math.sin(2*math.pi*k*t/168) + b * math.cos(2*math.pi*k*t/168) for k, a, b in wave)
            (train if t <= 700 else test).write(f's{s},{t},{y:.6f}\n')
PY
for k in ${KS:-0 10 auto}; do
    start=$(date +%s.%N)
    # shellcheck disable=SC2086
    "$build/tidemill" fit "$scratch/train.csv" --freq N --season "$season" --store "$scratch/m$k" --models arima --arima-fourier "$k" \
        --quiet --memory 4G ${OPTIONS:---arima-max-p 3 --arima-max-q 3}
    seconds=$(echo "$(date +%s.%N) - $start" | bc)
    "$build/tidemill" predict "$scratch/m$k" --all --horizon "${HORIZON:-48}" --output "$scratch/f$k.csv"
    python3 - "$scratch" "$k" "${SCALE:-24}" "$seconds" <<'PY'
import collections, csv, sys
scratch, k, m, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
def read(name, column):
    out = collections.defaultdict(dict)
    for r in csv.DictReader(open(name)):
        out[r['unique_id']][int(r['ds'])] = float(r[column])
    return out
train, test, fc = read(f'{scratch}/train.csv', 'y'), read(f'{scratch}/test.csv', 'y'), read(f'{scratch}/f{k}.csv', 'mean')
smape = mase = 0.0
for i in test:
    y = [train[i][t] for t in sorted(train[i])]
    scale = sum(abs(a - b) for a, b in zip(y[m:], y)) / (len(y) - m)
    errors = [abs(test[i][t] - fc[i][t]) for t in test[i]]
    mase += sum(errors) / len(errors) / scale
    smape += 200 * sum(abs(test[i][t] - fc[i][t]) / (abs(test[i][t]) + abs(fc[i][t]) or 1) for t in test[i]) / len(errors)
print(f'K={k}: {len(test)} series, sMAPE {smape/len(test):.3f}, MASE {mase/len(test):.4f}, {seconds:.1f} s')
PY
done
