#!/usr/bin/env python3
"""Makes the reference values of crates/i2am-faithfulness.

Requirements (pip): scipy==1.17.1 numpy==2.4.6

    python scripts/golden/faithfulness.py    from the root of the repository; rewrites the fixture folder

Needs no network. Everything is seeded; a second run writes the same bytes, except for the date in PROVENANCE.toml. Every value comes
from a formula of its paper, written out in NumPy, or from the function of scipy that is named next to it.
"""

import datetime
import hashlib
import importlib.metadata
import json
import platform
import shutil
from pathlib import Path

import numpy as np
from scipy import ndimage, optimize, sparse, stats
from scipy.sparse import linalg

SEED = 20261127
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "crates/i2am-faithfulness/tests/fixtures/faithfulness"
PACKAGES = "scipy numpy".split()
TOLERANCE = (
    "1e-10 absolute (sums in another order); edges 1e-5 (float32); linear imputation 1e-6 (conjugate gradients); power"
    " within three standard errors of 2,000 resamples, and the number of samples within 8 %"
)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    expected = {
        "distance": [distance(rng, *size) for size in [(1, 5, 4), (4, 8, 6), (3, 1, 7)]],
        "saco": [saco(rng, groups, noise, ties) for groups, noise, ties in [(2, 1, False), (10, 0.3, False), (10, 3, True), (20, 1, True)]],
        "correlation": [correlation(rng, sets, ties) for sets, ties in [(3, False), (100, False), (50, True)]],
        "curve": [curve(rng, steps) for steps in [1, 2, 10, 20]],
        "location": [location(rng, *size, share) for *size, share in [(6, 8, 0.05), (16, 12, 0.05), (5, 5, 0.3)]],
        "rows": [rows(rng, positions, size) for positions, size in [(4, (3, 5)), (12, (6, 6))]],
        "edges": [edges(rng, *size) for size in [(24, 18, 6, 6), (16, 16, 4, 8)]],
        "imputation": [imputation(rng, *case) for case in [(12, 10, 0.3), (24, 32, 0.9), (16, 16, 0.99)]],
        "power": [power(d) for d in [0.25, 0.4, 0.5, 0.8, 1.2]],
    }
    (FOLDER / "expected.json").write_text(json.dumps(expected, allow_nan=False) + "\n")
    provenance()


def float32(values):
    """Values that a float32 holds exactly."""
    return np.asarray(values, np.float32).astype(np.float64)


def distance(rng, channels, height, width):
    a, b = (float32(rng.normal(size=(channels, height, width))) for _ in range(2))
    weights = float32(rng.uniform(size=(height, width)) * (rng.uniform(size=(height, width)) < 0.6))
    weights[0, 0] = 1
    value = np.mean([np.average((x - y) ** 2, weights=weights) for x, y in zip(a, b)])
    return {"a": a.ravel().tolist(), "b": b.ravel().tolist(), "weights": weights.ravel().tolist(), "value": float(value)}


def saco(rng, groups, noise, ties):
    """Algorithm 1 of Wu et al. 2024."""
    claims = np.sort(rng.uniform(size=groups))[::-1]
    effects = claims + noise * rng.normal(size=groups)
    if ties:
        claims, effects = np.round(claims, 1), np.round(effects, 1)
    score = total = 0.0
    for i in range(groups - 1):
        for j in range(i + 1, groups):
            weight = claims[i] - claims[j] if effects[i] >= effects[j] else -(claims[i] - claims[j])
            score += weight
            total += abs(weight)
    order = rng.permutation(groups)
    return {"claims": claims.tolist(), "effects": effects.tolist(), "order": order.tolist(), "value": float(score / total)}


def correlation(rng, sets, ties):
    claims = rng.uniform(size=sets)
    effects = 0.5 * claims + 0.2 * rng.normal(size=sets)
    if ties:
        claims, effects = np.round(claims, 1), np.round(effects, 1)
    return {
        "claims": claims.tolist(),
        "effects": effects.tolist(),
        "pearson": float(stats.pearsonr(claims, effects).statistic),
        "spearman": float(stats.spearmanr(claims, effects).statistic),
    }


def curve(rng, steps):
    lerf, morf = (np.concatenate([[1], 1 - np.sort(rng.uniform(size=steps)) ** power]) for power in (3, 0.4))
    found = {"lerf": lerf.tolist(), "morf": morf.tolist()}
    found["auc"] = [float(np.trapezoid(values, dx=1 / steps)) for values in (lerf, morf)]
    found["between"] = found["auc"][0] - found["auc"][1]
    found["aopc"] = [float(np.mean(values[0] - values)) for values in (lerf, morf)]
    found["half"] = [half(values) for values in (lerf, morf)]
    return found


def half(values):
    if values.min() > 0.5:
        return None
    return float(optimize.brentq(lambda step: np.interp(step, np.arange(len(values)), values) - 0.5, 0, len(values) - 1, xtol=1e-13))


def location(rng, height, width, share):
    truth = float32(rng.uniform(size=(height, width)) ** 3)
    map = float32(0.4 * truth + rng.uniform(size=(height, width)) ** 2)
    size = max(1, round(share * truth.size))
    inside = np.zeros(truth.size, bool)
    inside[np.argsort(truth.ravel())[::-1][:size]] = True
    chosen = np.argsort(map.ravel())[::-1][:size]
    return {
        "size": [height, width],
        "share": share,
        "map": map.ravel().tolist(),
        "truth": truth.ravel().tolist(),
        "pointing": float(inside[map.argmax()]),
        "mass": float(map.ravel()[inside].sum() / map.sum()),
        "rank": float(inside[chosen].mean()),
        "expected": size / truth.size,
        "agreement": float(stats.spearmanr(map.ravel(), truth.ravel()).statistic),
    }


def rows(rng, positions, size):
    truths = float32(rng.uniform(size=(positions, *size)) ** 2 * rng.uniform(size=(positions, 1, 1)))
    maps = float32(truths + 0.3 * rng.uniform(size=truths.shape))
    agreements = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(maps, truths)]
    return {
        "size": list(size),
        "maps": maps.reshape(positions, -1).tolist(),
        "truths": truths.reshape(positions, -1).tolist(),
        "value": float(np.average(agreements, weights=truths.sum((1, 2)))),
    }


def edges(rng, height, width, rows, columns):
    picture = rng.integers(0, 256, (height, width, 3))
    luma = picture @ [0.299, 0.587, 0.114] / 255
    sobel = np.hypot(*(ndimage.sobel(luma, axis, mode="nearest") for axis in (0, 1)))
    cells = sobel.reshape(rows, height // rows, columns, width // columns).mean((1, 3))
    return {"size": [height, width], "grid": [rows, columns], "picture": picture.ravel().tolist(), "map": cells.ravel().tolist()}


def imputation(rng, height, width, part):
    """Every removed pixel is the weighted mean of its neighbors: the linear system of ROAD, solved directly."""
    picture = rng.integers(0, 256, (height, width, 3))
    removed = rng.uniform(size=(height, width)) < part
    removed[0, 0] = True
    removed[height // 2, width // 2] = False
    places = -np.ones((height, width), int)
    places[removed] = np.arange(removed.sum())
    system = sparse.lil_matrix((removed.sum(), removed.sum()))
    right = np.zeros((removed.sum(), 3))
    for (row, column), place in np.ndenumerate(places):
        if place < 0:
            continue
        near = [(row + y, column + x, 1 / 12 if x and y else 1 / 6) for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y]
        near = [(y, x, weight) for y, x, weight in near if 0 <= y < height and 0 <= x < width]
        total = sum(weight for *_, weight in near)
        system[place, place] = 1
        for y, x, weight in near:
            if removed[y, x]:
                system[place, places[y, x]] = -weight / total
            else:
                right[place] += weight / total * picture[y, x] / 255
    filled = picture / 255
    filled[removed] = linalg.spsolve(system.tocsc(), right).reshape(-1, 3)
    return {
        "size": [height, width],
        "picture": picture.ravel().tolist(),
        "removed": removed.ravel().tolist(),
        "filled": filled.ravel().tolist(),
    }


def power(d):
    """Pairs that a two-sided paired t-test at 0.05 needs for a power of 0.8, by the noncentral t distribution; and around it."""

    def noticed(n):
        return float(stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, d * np.sqrt(n)))

    samples = next(n for n in range(2, 1000) if noticed(n) >= 0.8)
    tried = [samples // 2 + 1, samples, 2 * samples]
    return {"d": d, "samples": samples, "tried": tried, "noticed": [noticed(n) for n in tried], "differences": normal(d)}


def normal(d, count=600):
    """Quantiles of a normal distribution, with mean `d` and standard deviation 1 exactly."""
    values = stats.norm.ppf((np.arange(count) + 0.5) / count)
    return (values / values.std() + d).tolist()


def provenance():
    digest = hashlib.sha256((FOLDER / "expected.json").read_bytes()).hexdigest()
    versions = "\n".join(f'{name} = "{importlib.metadata.version(name)}"' for name in PACKAGES)
    text = f"""reference = "scipy and NumPy; SaCo (arXiv 2404.01415) and the linear imputation of ROAD (arXiv 2202.00449) from their formulas"
command = "python scripts/golden/faithfulness.py"
seed = {SEED}
device = "cpu, float64"
date = "{datetime.date.today()}"
tolerance = "{TOLERANCE}"

[versions]
python = "{platform.python_version()}"
{versions}

[sha256]
"expected.json" = "{digest}"
"""
    (FOLDER / "PROVENANCE.toml").write_text(text)


if __name__ == "__main__":
    main()
