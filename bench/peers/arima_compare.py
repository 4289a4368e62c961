#!/usr/bin/env python3
"""Compares our ARIMA fits with R's, series by series, by the exact likelihood (arima_exact.py).

usage: arima_compare.py fixed TRAIN R_FIXED OURS...    likelihood at R's coefficients against that of our fits
       arima_compare.py auto  TRAIN R_AUTO OURS...     order and AICc of our search against auto.arima's full and default one

TRAIN: unique_id,ds,y (plain or .gz). R_FIXED, R_AUTO: of arima_fixed.R, arima_auto.R. OURS: output of `tidemill inspect
--format csv`, for `fixed` a file an order with name p,d,q,P,D,Q,constant.PERIOD.csv. One line of figures on standard output
(named in arima_likelihood.sh), the worst series on standard error. R's log-likelihood is inexact where an AR root is near
the unit circle (it leaves out values whose variance is above 1e4 times sigma2), hence the exact one at its coefficients.
"""
import collections, csv, gzip, math, os, re, sys
import arima_exact


def rows(path):
    with (gzip.open(path, "rt", newline="") if path.endswith(".gz") else open(path, newline="")) as f:
        yield from csv.DictReader(f)


def series(path):
    out = collections.defaultdict(list)
    for r in rows(path):
        out[r["unique_id"]].append(math.nan if r["y"] in ("", "NA") else float(r["y"]))
    return out


def differenced(y, m, d, D):
    return len(y) - d - m * D


ORDER = re.compile(r"\((\d+),(\d+),(\d+)\)(?:\((\d+),(\d+),(\d+)\)(?:\[(\d+)\])?)?(.*)")


def our_models(path):
    """{id: row of inspect, with order}; only ARIMA."""
    out = {}
    for r in rows(path):
        if r["family"] != "arima":
            continue
        g = ORDER.search(r["form"])
        if not g:
            sys.exit(f"{path}: no order in form '{r['form']}'")
        for k, v in zip("pdqPDQ", g.groups()):
            r[k] = int(v or 0)
        r["constant"] = int("non-zero mean" in g.group(8) or "drift" in g.group(8))
        r["coefs"] = r["coefficients"]
        out[r["unique_id"]] = r
    return out


def aicc_of(loglik, n, k):
    return -2.0 * loglik + 2.0 * k + 2.0 * k * (k + 1) / (n - k - 1) if n > k + 1 else math.inf


def fixed(train, r_path, ours):
    y, short, gains, off = series(train), [], [], 0.0
    fits = missing = undefined = better = 0
    ours = {os.path.basename(p)[:-4]: our_models(p) for p in ours}
    for r in rows(r_path):
        key = ",".join(r[k] for k in ("p", "d", "q", "P", "D", "Q", "constant")) + "." + r["period"]
        if key not in ours or not r["coefs"]:
            continue
        exact = arima_exact.from_row(r, y[r["unique_id"]], int(r["period"]))
        if math.isnan(exact):
            undefined += 1
            continue
        fits += 1
        o = ours[key].get(r["unique_id"])
        if o is None:
            missing += 1
            continue
        own = arima_exact.from_row(o, y[r["unique_id"]], int(r["period"]))
        if not math.isnan(own):
            off = max(off, abs(own - float(o["loglik"])))
        gain = float(o["loglik"]) - exact
        gains.append(gain)
        better += gain > 1e-3
        if gain < -1e-3:
            short.append((gain, r["unique_id"], key))
    good = fits - missing - len(short)
    print(fits, f"{100 * good / max(fits, 1):.2f}", missing, undefined, f"{100 * better / max(fits, 1):.2f}", f"{off:.2g}")
    by = collections.Counter(k for _, _, k in short)
    for k, n in by.most_common():
        print(f"  {k}: {n} below R", file=sys.stderr)
    for gain, u, k in sorted(short)[:15]:
        print(f"  {u} {k}: {gain:.4f}", file=sys.stderr)


def auto(train, r_path, ours):
    y = series(train)
    mine = {}
    for path in ours:
        mine.update(our_models(path))
    table = {}
    for r in rows(r_path):
        if r["coefs"] or r["p"]:
            exact = arima_exact.from_row(r, y[r["unique_id"]], int(r["period"]))
            n = differenced(y[r["unique_id"]], int(r["period"]), int(r["d"]), int(r["D"]))
            r["exact"] = aicc_of(exact, n, int(r["npar"]))
            table[r["unique_id"], r["search"]] = r
    counts = collections.Counter()
    worse = []
    seconds = collections.Counter()
    for (u, search), r in table.items():
        o = mine.get(u)
        counts[search, "n"] += 1
        seconds[search] += float(r["seconds"])
        if o is None:
            counts[search, "missing"] += 1
            continue
        equal = int(r["d"]) == o["d"] and int(r["D"]) == o["D"]
        counts[search, "equal d"] += equal
        counts[search, "equal order"] += equal and all(int(r[k]) == o[k] for k in "pqPQ")
        if equal and not math.isnan(r["exact"]):
            counts[search, "compared"] += 1
            n = differenced(y[u], int(r["period"]), o["d"], o["D"])
            gap = aicc_of(float(o["loglik"]), n, int(o["n_params"])) - r["exact"]
            counts[search, "good"] += gap <= 1e-3 * 2
            counts[search, "better"] += gap < -2e-3
            if gap > 2e-3:
                worse.append((gap, u, search, o["form"], r["chosen"]))
    for search in ("full", "default"):
        c = {k: counts[search, k] for k in ("n", "missing", "equal d", "equal order", "compared", "good", "better")}
        share = lambda a, b: f"{100 * c[a] / c[b]:.2f}" if c[b] else "nan"
        print(search, c["n"], c["missing"], share("equal d", "n"), share("equal order", "n"), c["compared"], share("good", "compared"),
              share("better", "compared"), f"{seconds[search] / max(c['n'], 1):.3f}")
    for gap, u, search, form, chosen in sorted(worse, reverse=True)[:20]:
        print(f"  {u} {search}: AICc {gap:.4f} above: {form} instead of {chosen}", file=sys.stderr)


if len(sys.argv) < 5 or sys.argv[1] not in ("fixed", "auto"):
    sys.exit(__doc__)
{"fixed": fixed, "auto": auto}[sys.argv[1]](sys.argv[2], sys.argv[3], sys.argv[4:])
