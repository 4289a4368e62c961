#!/usr/bin/env python3
"""Compares two `tidemill inspect --format csv` of the same series: are the second's models as likely as the first's?

usage: warm_compare.py COLD WARM      prints metric,value,unit lines (bench/warm.sh says what they are)
A series with one ETS member on both sides is compared whatever the forms; of several members like with like.
"""
import csv, sys
from collections import defaultdict


def models(path):
    out = defaultdict(dict)
    with open(path, newline="") as f:
        for r in csv.DictReader(f):
            if r["family"] == "ets":
                out[r["unique_id"]][r["form"]] = (float(r["loglik"]), float(r["criterion"]))
    return out


cold, warm = models(sys.argv[1]), models(sys.argv[2])
n = likely = good = same = 0
behind = []
for unique_id, members in cold.items():
    others = warm.get(unique_id, {})
    single = len(members) == 1 and len(others) == 1
    for form, (loglik, criterion) in members.items():
        n += 1
        same += form in others
        other = next(iter(others.values())) if single else others.get(form)
        if other:
            likely += other[0] >= loglik - 1e-3
            good += other[1] <= criterion + 2e-3
            behind.append(other[1] - criterion)
behind.sort()
print(f"models compared,{n},models")
print(f"of the same form,{100 * same / n:.2f},%")
print(f"as likely,{100 * likely / n:.2f},%")
print(f"as good by the criterion,{100 * good / n:.2f},%")
print(f"better by 0.01 or more,{100 * sum(d <= -0.01 for d in behind) / n:.2f},%")
print(f"criterion behind at 99 %,{max(0.0, behind[int(0.99 * len(behind))]):.3f},")
