#!/usr/bin/env python3
"""Times statsforecast's AutoETS or AutoARIMA on a long table, one process, one thread.

usage: fit_statsforecast.py CSV PERIOD HORIZON FORECAST_OUT [MODEL]    MODEL: of AutoETS (ZZZ), or arima

Prints `version seconds_fit seconds_all series`. seconds_fit is fit and forecast of all series in memory, after a first call on
two series that loads and compiles what it needs; reading the file is timed apart (seconds_all holds both).
"""
import os, sys, time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("NIXTLA_ID_AS_COL", "1")
import pandas as pd
import statsforecast
from statsforecast import StatsForecast
from statsforecast.models import AutoARIMA, AutoETS, SeasonalNaive


def main():
    path, period, horizon, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    model = sys.argv[5] if len(sys.argv) > 5 else "ZZZ"
    start = time.monotonic()
    frame = pd.read_csv(path)
    read = time.monotonic() - start
    # Gaps and missing values are no subject of this timing: both sides get complete series on an integer grid.
    frame = frame.dropna(subset=["y"])
    frame["ds"] = frame.groupby("unique_id").cumcount() + 1
    chosen = AutoARIMA(season_length=period) if model == "arima" else AutoETS(season_length=period, model=model)
    engine = lambda: StatsForecast(models=[chosen], freq=1, n_jobs=1,
                                   fallback_model=SeasonalNaive(season_length=period))
    first = frame["unique_id"].unique()[:2]
    engine().forecast(df=frame[frame["unique_id"].isin(first)], h=horizon)
    start = time.monotonic()
    forecast = engine().forecast(df=frame, h=horizon, level=[80, 95])
    fit = time.monotonic() - start
    forecast = forecast.reset_index() if "unique_id" not in forecast.columns else forecast
    alias = type(chosen).__name__
    names = {c: c.replace(alias + "-", "") for c in forecast.columns} | {alias: "mean"}
    forecast = forecast.rename(columns=names)
    forecast["h"] = forecast.groupby("unique_id").cumcount() + 1
    forecast.to_csv(out, index=False)
    print(f"statsforecast-{statsforecast.__version__} {fit:.3f} {fit + read:.3f} {frame['unique_id'].nunique()}")


if __name__ == "__main__":
    main()
