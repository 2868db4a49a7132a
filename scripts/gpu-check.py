#!/usr/bin/env python3
"""Compares two runs of one configuration: images by PSNR, and every score of maps. scripts/gpu-check calls it.

    python3 scripts/gpu-check.py BENCH EXPECTED FOUND FORMAT

BENCH is the program, EXPECTED and FOUND are folders of runs, FORMAT is the number format of FOUND: f32, f16 or bf16. Prints a line for each
model, with the worst image and the largest difference of a score (IMACS and locality, maps at the level `unified`), and exits
with 1 if one is beyond what LIMITS allows. Needs Python 3.9 and no package.
"""

import csv
import json
import pathlib
import subprocess
import sys

# Lowest PSNR of an image in dB, and largest difference of a score. An image that is off by one level everywhere has 48 dB. Measured between
# formats on a CPU: docs/measurements.md.
LIMITS = {"f32": (55.0, 0.001), "f16": (45.0, 0.01), "bf16": (35.0, 0.1)}


def psnr(bench, expected, found):
    """PSNR of every image, by name; one that is equal has none."""
    command = [bench, "measure", "--generated", found, "--real", expected, "--metric", "psnr", "--per-sample", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 4):
        sys.exit(f"gpu-check: {done.stderr.strip()}")
    return json.loads(done.stdout)


def scores(run):
    """Values of scores of maps at the level `unified`, by model, sample, score and direction."""
    found = {}
    with open(run / "samples.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["stage"] == "score" and row["level"] == "unified" and row["value"]:
                found[row["model"], row["sample_id"], row["metric"], row["direction"]] = float(row["value"])
    return found


def main():
    bench, expected, found, name = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4]
    least, most = LIMITS[name]
    scores_of = [scores(run) for run in (expected, found)]
    if scores_of[0].keys() != scores_of[1].keys():
        sys.exit(f"gpu-check: {expected} and {found} have values for different samples")
    bad = False
    for folder in sorted((expected / "images").iterdir()):
        model = folder.name
        measured = psnr(bench, folder, found / "images" / model)
        values = [value for value in measured["metrics"][0]["per_sample"] if value is not None]
        worst = min(values, default=float("inf"))
        differences = {
            key: abs(value - scores_of[1][key]) for key, value in scores_of[0].items() if key[0] == model
        }
        largest = max(differences.values(), default=0.0)
        fine = worst >= least and largest <= most
        bad |= not fine
        print(
            f"{name:>6}  {model:<18}{worst:>10.1f}{least:>8.1f}{largest:>14.2e}{most:>9.0e}  {'ok' if fine else 'BEYOND'}"
        )
    sys.exit(bad)


main()
