#!/usr/bin/env python3
"""Computes the scores of a run of the stage `faithfulness` again, in NumPy and scipy, and compares them with its rows.

Requirements (pip): scipy==1.17.1 numpy==2.4.6 safetensors==0.6.2

    python scripts/golden/counterfactual.py RUN_FOLDER    prints the largest difference of each score; exit code 1 above 1e-6

Reads `samples.csv` and `counterfactual/MODEL/ID.safetensors` of the run folder, and writes nothing. Scores that ties decide may differ
where NumPy breaks them in another way; the script takes the same expectation over ties as the definitions do.
"""

import collections
import csv
import json
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open
from scipy import stats

TOLERANCE = 1e-6
SHARE = 0.05


def main():
    folder = Path(sys.argv[1])
    worst, counts = collections.Counter(), collections.Counter()
    for row in csv.DictReader(open(folder / "samples.csv")):
        score = SCORES.get(row["metric"])
        if row["stage"] != "faithfulness" or score is None or not row["value"]:
            continue
        removed, name = row["convention"].split(": ")
        operator, moment = removed.split(", ")
        found = score(sample(folder, row["model"], row["sample_id"]), moment, operator, name)
        if found is None:
            continue
        worst[row["metric"]] = max(worst[row["metric"]], abs(found - float(row["value"])))
        counts[row["metric"]] += 1
    for metric in sorted(counts):
        print(f"{metric}: {counts[metric]} values, largest difference {worst[metric]:.1e}")
    sys.exit(0 if counts and max(worst.values()) <= TOLERANCE else 1)


FILES = {}


def sample(folder, model, name):
    path = folder / "counterfactual" / model / f"{name}.safetensors"
    if path not in FILES:
        FILES.clear()
        with safe_open(path, "numpy") as file:
            arrays = {key: file.get_tensor(key).astype(np.float64) for key in file.keys()}
            FILES[path] = json.loads(file.metadata()["i2am.counterfactual"]), arrays
    return FILES[path]


def both(sample, moment, operator, name):
    """What a map claims for each cell, and the effects."""
    about, arrays = sample
    return arrays["claims"][about["claims"].index(name)], arrays[f"{moment}/{operator}/effects"]


def saco(*key):
    claims, effects = both(*key)
    first, second = np.triu_indices(len(claims), 1)
    claim, effect = claims[first] - claims[second], effects[first] - effects[second]
    claim, effect = np.abs(claim), np.where(claim < 0, -effect, effect)
    return np.where(effect >= 0, claim, -claim).sum() / claim.sum()


def rank_correlation(*key):
    return stats.spearmanr(*both(*key)).statistic


def top(values):
    """The chance of each value to be among the largest, ties at random."""
    size = max(1, int(np.floor(SHARE * len(values) + 0.5)))
    last = np.sort(values)[-size]
    above = values > last
    return np.where(above, 1.0, np.where(values == last, (size - above.sum()) / (values == last).sum(), 0.0)), size


def pointing(*key):
    claims, effects = both(*key)
    return top(effects)[0][claims == claims.max()].mean()


def mass(*key):
    claims, effects = both(*key)
    return (claims * top(effects)[0]).sum() / claims.sum()


def rank(*key):
    claims, effects = both(*key)
    (inside, size), (chosen, _) = top(effects), top(claims)
    return (inside * chosen).sum() / size


def curve_area(sample, moment, operator, name):
    about, arrays = sample
    least, most = arrays[f"{moment}/{operator}/curves"][about["claims"].index(name)]
    return np.trapezoid(least - most, dx=1 / (len(least) - 1))


def change_agreement(sample, moment, operator, name):
    _, arrays = sample
    direction, map = name.split(", ")
    key = f"{moment}/attention/{map}"
    if key not in arrays:
        return None
    inside = arrays["mask"] >= 0.5
    claimed, changed = arrays[key][:, inside], arrays[f"{moment}/{operator}/changed"][:, inside]
    if direction == "g2r":
        claimed, changed = claimed.T, changed.T
    pairs = [(stats.spearmanr(a, b).statistic, b.sum()) for a, b in zip(claimed, changed) if np.ptp(a) > 0 and np.ptp(b) > 0]
    values, weights = np.array(pairs).T
    return (values * weights).sum() / weights.sum()


SCORES = {
    "saco": saco,
    "faithfulness_correlation": rank_correlation,
    "pointing": pointing,
    "relevance_mass": mass,
    "relevance_rank": rank,
    "curve_area": curve_area,
    "change_agreement": change_agreement,
}

if __name__ == "__main__":
    main()
