#!/usr/bin/env python3
"""Cuts a long table into one file a period, since a run of tidemill, like one of R's loops here, has one period.

usage: split.py TRAIN META OUT_FOLDER [--missing SHARE] [--like TABLE] [--most N]

TRAIN: unique_id,ds,y (plain or .gz), META: unique_id,period. Writes OUT_FOLDER/PERIOD.csv. --missing empties that share of the
values at random (fixed seed); --like keeps the series that TABLE names in its column unique_id; --most keeps N series a
period, a random sample (fixed seed).
"""
import argparse, csv, gzip, os, random


def rows(path):
    with (gzip.open(path, "rt", newline="") if path.endswith(".gz") else open(path, newline="")) as f:
        yield from csv.DictReader(f)


ap = argparse.ArgumentParser()
ap.add_argument("train")
ap.add_argument("meta")
ap.add_argument("out")
ap.add_argument("--missing", type=float, default=0.0)
ap.add_argument("--like")
ap.add_argument("--most", type=int)
a = ap.parse_args()
random.seed(1)
period = {r["unique_id"]: int(r["period"]) for r in rows(a.meta)}
keep = {r["unique_id"] for r in rows(a.like)} if a.like else set(period)
if a.most:
    some = set()
    for m in sorted(set(period.values())):
        ids = [u for u in period if period[u] == m and u in keep]
        some.update(random.sample(ids, min(a.most, len(ids))))
    keep = some
os.makedirs(a.out, exist_ok=True)
files = {}
for r in rows(a.train):
    if r["unique_id"] not in keep:
        continue
    m = period[r["unique_id"]]
    if m not in files:
        files[m] = open(os.path.join(a.out, f"{m}.csv"), "w")
        files[m].write("unique_id,ds,y\n")
    files[m].write(f"{r['unique_id']},{r['ds']},{'' if random.random() < a.missing else r['y']}\n")
