#!/usr/bin/env python3
"""Times `bench correlate` beside scipy.stats.bootstrap; started by stats.sh, whose --help says how.

Ours is the time of the whole process: start, reading the table, coefficients, a token permutation test, intervals. scipy's is that of the
calls alone, without Python's start and imports, in the way that its documentation shows for a paired statistic.
"""

# help:   --methods NAME,...  pearson, spearman, kendall [default: spearman,kendall]
# help:   --points N          rows of the table [default: 2000]
# help:   --metrics N         columns that the score is correlated with [default: 6]
# help:   --resamples N       [default: 10000]
# help:   --threads N         threads and processor cores for either side [default: 2]
# help:   --repeat N          runs of ours, of which the fastest is shown; scipy runs once [default: 3]
# help:   --bench FILE        [default: target/release/bench]
# help:   --scratch DIR       where the table is written [default: target/peers-stats]

import argparse
import csv
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEED = 20251125
HEADER = "| method | tool | seconds | first interval |"


def main():
    parser = argparse.ArgumentParser(prog="scripts/peers/stats.sh")
    parser.add_argument("--methods", default="spearman,kendall")
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--metrics", type=int, default=6)
    parser.add_argument("--resamples", type=int, default=10000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--bench", default=ROOT / "target/release/bench")
    parser.add_argument("--scratch", default=ROOT / "target/peers-stats")
    options = parser.parse_args()
    if not Path(options.bench).is_file():
        sys.exit(f"peers: {options.bench}: no such file; build it with cargo build --release")
    cores = sorted(os.sched_getaffinity(0))[: options.threads]
    os.sched_setaffinity(0, cores)
    # Before numpy, which reads them when it is imported.
    for name in ["OMP", "MKL", "OPENBLAS", "RAYON"]:
        os.environ[f"{name}_NUM_THREADS"] = str(options.threads)

    import numpy as np
    from scipy import stats

    table, score, metrics = draw(options, np)
    statistics = {
        "pearson": lambda x, y, axis=-1: stats.pearsonr(x, y, axis=axis).statistic,
        # Neither takes an axis, so scipy calls them once a resample.
        "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
        "kendall": lambda x, y: stats.kendalltau(x, y).statistic,
    }
    what = f"{options.points} rows, {options.metrics} metrics, {options.resamples} resamples"
    print(f"{machine()}; {len(cores)} threads; {what}; {time.strftime('%Y-%m-%d')}\n")
    print(f"{HEADER}\n{re.sub('[^|]+', '---', HEADER)}")
    for method in options.methods.split(","):
        ours, ours_interval = min(run_ours(options, table, method) for _ in range(options.repeat))
        print(f"peers: {method}: bench correlate: {ours:.2f} s", file=sys.stderr)
        started = time.perf_counter()
        intervals = []
        for metric in metrics:
            result = stats.bootstrap(
                (score, metric), statistics[method], paired=True, vectorized=method == "pearson", n_resamples=options.resamples,
                method="BCa", batch=1000, rng=np.random.default_rng(SEED),
            )
            intervals.append(list(result.confidence_interval))
        theirs = time.perf_counter() - started
        print(f"| {method} | bench correlate | {ours:.3f} ({theirs / ours:.0f} times as fast) | {shown(ours_interval)} |")
        print(f"| {method} | scipy.stats.bootstrap | {theirs:.2f} | {shown(intervals[0])} |", flush=True)


def draw(options, np):
    """A score and metrics that go with it more and more, as a CSV and as columns."""
    rng = np.random.default_rng(SEED)
    score = rng.normal(size=options.points)
    metrics = [0.1 * (index + 1) * score + rng.normal(size=options.points) for index in range(options.metrics)]
    folder = Path(options.scratch)
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "table.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["score", *(f"metric{index}" for index in range(options.metrics))])
        writer.writerows(zip(score.tolist(), *(metric.tolist() for metric in metrics)))
    return table, score, metrics


def run_ours(options, table, method):
    command = [options.bench, "correlate", "--table", table, "--x", "score", "--y", *(f"metric{index}" for index in range(options.metrics))]
    command += ["--method", method, "--resamples", options.resamples, "--permutations", 1, "--threads", options.threads, "--json"]
    started = time.perf_counter()
    output = subprocess.run([str(word) for word in command], check=True, capture_output=True).stdout
    seconds = time.perf_counter() - started
    first = json.loads(output)["correlations"][0]
    return seconds, [first["low"], first["high"]]


def shown(interval):
    return " to ".join(f"{end:.5f}" for end in interval)


def machine():
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return model[1] if model else platform.machine()


if __name__ == "__main__":
    main()
