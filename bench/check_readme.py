#!/usr/bin/env python3
"""Checks that the measured figures of a README stand in bench/results.csv.

usage: check_readme.py README.md results.csv

A line that states measurements ends with a comment that names where they come from:

    | 100,000 series from CSV | 31 s | 95 MB | <!-- bench: scale/csv_100000 -->

Every figure with a unit (ms, s, MB, series/s, x ...) on such a line must equal, at the precision it is written with, a
value of one of the benches named, in the same unit or one that converts to it. A table row with such a figure but
without the comment is refused too. Prints a line a violation, nothing when all is well.
"""
import csv, re, sys

UNITS = {  # unit as written: (kind, factor to the kind's base)
    "ns": ("s", 1e-9), "µs": ("s", 1e-6), "us": ("s", 1e-6), "ms": ("s", 1e-3), "s": ("s", 1.0), "min": ("s", 60.0),
    "h": ("s", 3600.0), "s of processor": ("s", 1.0), "s/series": ("s", 1.0),
    "KB": ("B", 1e3), "MB": ("B", 1e6), "GB": ("B", 1e9), "KiB": ("B", 1024.0), "MiB": ("B", 1024.0 ** 2),
    "GiB": ("B", 1024.0 ** 3), "bytes": ("B", 1.0),
    "series/s": ("series/s", 1.0), "rows/s": ("rows/s", 1.0), "fits/s": ("fits/s", 1.0),
    "MB/s": ("B/s", 1e6), "GB/s": ("B/s", 1e9), "%": ("%", 1.0), "×": ("x", 1.0), "x": ("x", 1.0),
}
FIGURE = re.compile(r"(?<![\w.])(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)( million)?\s?("
                    + "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True)) + r")(?![\w/])")
MARK = re.compile(r"<!--\s*bench:\s*(.*?)\s*-->")


def results(path):
    """{"bench/case": [(kind, value in the base unit)]}"""
    out = {}
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            kind, factor = UNITS.get(row["unit"], (row["unit"], 1.0))
            try:
                value = float(row["value"]) * factor
            except ValueError:
                continue
            out.setdefault(row["bench"] + "/" + row["case"], []).append((kind, value))
    return out


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    known = results(sys.argv[2])
    with open(sys.argv[1]) as f:
        for number, line in enumerate(f, 1):
            mark = MARK.search(line)
            figures = FIGURE.findall(MARK.sub("", line))
            if not mark:
                if line.lstrip().startswith("|") and figures:
                    print(f"line {number}: {' '.join(figures[0]).strip()} names no bench")
                continue
            names = [name.strip() for name in mark.group(1).split(",")]
            for name in names:
                if name not in known:
                    print(f"line {number}: {name} is not in results.csv")
            for digits, million, unit in figures:
                kind, factor = UNITS[unit]
                factor *= 1e6 if million else 1.0
                plain = digits.replace(",", "")
                value = float(plain) * factor
                decimals = len(plain.partition(".")[2])
                half = 0.5000001 * 10.0 ** -decimals * factor
                if decimals == 0:  # 240,000 is written to its last digit that is not zero
                    half *= 10.0 ** (len(plain) - len(plain.rstrip("0"))) if plain.strip("0") else 1.0
                if not any(k == kind and abs(v - value) <= half for name in names for k, v in known.get(name, [])):
                    print(f"line {number}: {digits}{million} {unit} is not a value of {', '.join(names)}")


if __name__ == "__main__":
    main()
