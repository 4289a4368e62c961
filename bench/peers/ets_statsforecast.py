#!/usr/bin/env python3
"""Fits statsforecast's AutoETS series by series in memory, one thread, and says how much processor time the fits alone took.

usage: ets_statsforecast.py CSV PERIOD HORIZON FORECAST_OUT CHOICE_OUT

Prints `version seconds_fit seconds_forecast series`, after a first fit that loads and compiles what it needs.
FORECAST_OUT: unique_id,h,mean,lo-80,hi-80,lo-95,hi-95; CHOICE_OUT: unique_id,aicc of the model chosen. A series that
AutoETS refuses is forecast by its last season and has no row in CHOICE_OUT.
"""
import csv, os, sys, time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")
import numpy as np
import statsforecast
from statsforecast.models import AutoETS


def main():
    path, period, horizon = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    series = {}
    for row in csv.DictReader(open(path, newline="")):
        if row["y"]:
            series.setdefault(row["unique_id"], []).append(float(row["y"]))
    AutoETS(season_length=period).fit(np.array(next(iter(series.values())))).predict(horizon, level=[80, 95])
    models, fit_s = {}, 0.0
    for uid, values in series.items():
        y = np.array(values)
        start = time.process_time()
        try:
            models[uid] = AutoETS(season_length=period).fit(y)
        except Exception:
            models[uid] = None
        fit_s += time.process_time() - start
    start = time.process_time()
    ahead = {u: m.predict(horizon, level=[80, 95]) for u, m in models.items() if m is not None}
    forecast_s = time.process_time() - start
    columns = ["mean", "lo-80", "hi-80", "lo-95", "hi-95"]
    with open(sys.argv[4], "w", newline="") as f, open(sys.argv[5], "w", newline="") as g:
        out, choice = csv.writer(f), csv.writer(g)
        out.writerow(["unique_id", "h"] + columns)
        choice.writerow(["unique_id", "aicc"])
        for uid, values in series.items():
            if uid in ahead:
                choice.writerow([uid, f"{models[uid].model_['aicc']:.17g}"])
            for h in range(horizon):
                last = values[len(values) - min(period, len(values)) + h % min(period, len(values))]
                out.writerow([uid, h + 1] + [ahead[uid][c][h] if uid in ahead else last for c in columns])
    print(f"statsforecast-{statsforecast.__version__} {fit_s:.3f} {forecast_s:.3f} {len(series)}")


if __name__ == "__main__":
    main()
