#!/usr/bin/env python3
"""Lists the fits whose log-likelihood is short of R's by more than 1e-3, each with its cause.

usage: shortfalls.py OURS_DIR R_FORMS.csv PERIOD [LIST.csv]

OURS_DIR has FORM.csv, what `tidemill inspect --format csv` says of each form fitted alone; R_FORMS.csv is likelihood.R's.
LIST.csv gets unique_id,form,shortfall,cause,ours,r (coefficients alpha/beta/gamma/phi). Printed is a line a cause:
fits, worst shortfall, cause. Causes, the first that holds:

  not admissible      R's coefficients fail our test of the admissible region (Schur-Cohn, exact)
  beyond the border   R's beta is above the bound that the search keeps to inside that region (ets_eval.h)
  alpha at its bound  R ends at alpha = 1e-4, which no start of ours is near (up to 2e-4)
  other bound         R ends at a bound of alpha, beta, gamma or phi where ours does not
  left out            R has a fit where ours has none
  not at the end      the coefficients are R's within 0.01: the search has ended early
  other optimum       anything else: the search has ended at a different local optimum
"""
import csv, math, os, sys

LO, HI, PHI_LO, PHI_HI = 1e-4, 0.9999, 0.8, 0.98


def number(text):
    return math.nan if text in ("", "NA", "NaN", None) else float(text)


def admissible(m, a, b, g, phi):
    """The polynomial of ets_admissible.h has its roots inside the unit circle."""
    middle = a + b - a * phi
    c = [phi * (1 - a - g), middle + g - 1] + [middle] * (m - 2) + [a + b - phi, 1.0]
    while len(c) > 1:
        k = c[0] / c[-1]
        if not abs(k) < 1:
            return False
        c = [u - k * v for u, v in zip(c[1:], c[-2::-1])]
    return True


def border(m, a, phi):
    """The bound on beta of ets_eval.h."""
    gap = 1 - math.cos(2 * math.pi / m)
    cap = (2 - a - LO) * (1 - 2e-6) * ((1 - phi) ** 2 + 2 * phi * gap) / (phi * (1 + phi)) * (1 - 2 * LO / m / a)
    return min(a, cap)


def cause(form, m, ours, r):
    a, b, g, phi = r
    trend, season = "A" in form[1:-1], form[-1] != "N"
    if ours is None:
        return "left out"
    if trend and season:
        p = 1.0 if math.isnan(phi) else phi
        if not admissible(m, a, b, g, p):
            return "not admissible"
        if b > border(m, a, p):
            return "beyond the border"
    if a <= 2 * LO and ours[0] > 2 * LO:
        return "alpha at its bound"

    def bounds(c):
        at = [c[0] <= 2 * LO, c[0] >= HI - LO]
        if trend:
            at += [c[1] <= 2 * LO, c[1] >= c[0] - LO]
        if season:
            at += [c[2] <= 2 * LO, c[2] >= 1 - c[0] - LO]
        if not math.isnan(phi):
            at += [c[3] <= PHI_LO + LO, c[3] >= PHI_HI - LO]
        return at

    if any(x and not y for x, y in zip(bounds(r), bounds(ours))):
        return "other bound"
    if all(math.isnan(y) or abs(x - y) <= 0.01 for x, y in zip(ours, r)):
        return "not at the end"
    return "other optimum"


def main():
    folder, r_forms, m = sys.argv[1], sys.argv[2], int(sys.argv[3])
    names = ["alpha", "beta", "gamma", "phi"]
    ours = {}
    for name in os.listdir(folder):
        form = name[:-4]
        if name.endswith(".csv") and form[:1] in ("A", "M") and form[-1] in "NAM":
            for x in csv.DictReader(open(os.path.join(folder, name), newline="")):
                if x["family"] == "ets":
                    ours[x["unique_id"], form] = (float(x["loglik"]), [number(x[c]) for c in names])
    found, fits = [], 0
    for x in csv.DictReader(open(r_forms, newline="")):
        if x["aicc"] in ("NA", "Inf", "-Inf"):
            continue
        fits += 1
        key, loglik, coefficients = (x["unique_id"], x["form"]), float(x["loglik"]), [number(x[c]) for c in names]
        mine = ours.get(key)
        if mine is None or mine[0] < loglik - 1e-3:
            why = cause(x["form"], m, mine and mine[1], coefficients)
            found.append((math.inf if mine is None else loglik - mine[0], *key, why, mine and mine[1], coefficients))
    found.sort(key=lambda f: -f[0])
    if len(sys.argv) > 4:
        with open(sys.argv[4], "w", newline="") as f:
            out = csv.writer(f)
            out.writerow(["unique_id", "form", "shortfall", "cause", "ours", "r"])
            text = lambda c: "" if c is None else "/".join("" if math.isnan(v) else f"{v:.6g}" for v in c)
            for d, u, form, why, a, b in found:
                out.writerow([u, form, f"{d:.6g}", why, text(a), text(b)])
    causes = {}
    for d, _, _, why, _, _ in found:
        n, worst = causes.get(why, (0, 0.0))
        causes[why] = (n + 1, max(worst, d))
    print(f"{fits} 0 fits compared")
    for why, (n, worst) in sorted(causes.items(), key=lambda c: -c[1][0]):
        print(f"{n} {worst:.4f} {why}")


if __name__ == "__main__":
    main()
