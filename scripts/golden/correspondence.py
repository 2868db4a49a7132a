#!/usr/bin/env python3
"""Makes the reference values of the score of maps of single positions by known places (crates/i2am-imacs).

Requirements (pip): numpy==2.4.6

    python scripts/golden/correspondence.py    from the root of the repository; rewrites the fixture folder

Needs no network. Everything is seeded; a second run writes the same bytes, except for the date in PROVENANCE.toml. Every value comes
from its definition in docs/faithfulness.md, written out in NumPy.
"""

import datetime
import hashlib
import importlib.metadata
import json
import platform
import shutil
from pathlib import Path

import numpy as np

SEED = 20261128
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "crates/i2am-imacs/tests/fixtures/correspondence"
TOLERANCE = "1e-6 absolute (maps are float32, sums in another order)"


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    cases = [
        # Generated grid, reference grid, pixels of the picture, share of known pixels, how far maps point at the truth.
        case(rng, (4, 3), (4, 3), (32, 24), 1.0, 0.0),
        case(rng, (6, 4), (3, 5), (48, 32), 0.7, 0.5),
        case(rng, (8, 6), (8, 6), (16, 12), 0.5, 0.9),
        case(rng, (5, 7), (9, 4), (23, 31), 0.8, 0.3),
    ]
    (FOLDER / "expected.json").write_text(json.dumps(cases, allow_nan=False) + "\n")
    provenance()


def cell_of_center(index, count, cells):
    """The cell, of `cells`, in which the center of cell `index` of `count` falls."""
    return int(np.floor((index + 0.5) / count * cells + 1e-12))


def case(rng, generated, reference, pixels, known, told):
    # Levels of 16 bits, row and column; -1 where the place is not known.
    levels = rng.integers(0, 65_535, (*pixels, 2))
    levels[rng.uniform(size=pixels) >= known] = -1
    positions, tokens = np.prod(generated), np.prod(reference)
    maps = rng.dirichlet(np.full(tokens, 0.5), positions)
    truths = {}
    for index in range(positions):
        row, column = divmod(index, generated[1])
        pixel = levels[cell_of_center(row, generated[0], pixels[0]), cell_of_center(column, generated[1], pixels[1])]
        if pixel[0] >= 0:
            truths[index] = [int(min(np.floor(pixel[axis] / 65_535 * reference[axis]), reference[axis] - 1)) for axis in range(2)]
            if rng.uniform() < told:
                maps[index, truths[index][0] * reference[1] + truths[index][1]] += 1
    maps = maps.astype(np.float16)
    expected = scores(maps.astype(np.float64), truths, generated, reference, [0, 1, 2])
    return {
        "generated": generated,
        "reference": reference,
        "pixels": pixels,
        "levels": levels.reshape(-1, 2).tolist(),
        "maps": [float(value) for value in maps.ravel()],
        "expected": expected,
    }


def scores(maps, truths, generated, reference, radii):
    indices = list(truths)
    truth = np.array([truths[index] for index in indices], float)
    grid = maps[indices].reshape(-1, *reference)
    peak = np.array([np.unravel_index(np.argmax(one), reference) for one in grid], float)
    total = grid.sum((1, 2))
    mass = np.stack(
        [
            (grid * np.arange(reference[0])[:, None]).sum((1, 2)) / total,
            (grid * np.arange(reference[1])[None]).sum((1, 2)) / total,
        ],
        1,
    )
    own = [divmod(index, generated[1]) for index in indices]
    same = np.array([[cell_of_center(place[axis], generated[axis], reference[axis]) for axis in range(2)] for place in own], float)

    def hits(radius):
        return lambda a, b: (np.abs(a - b).max(-1) <= radius).astype(float)

    def distance(a, b):
        return np.linalg.norm(a - b, axis=-1)

    def compared(places, score):
        shuffled = score(places[:, None], truth[None]).mean()
        return [score(places, truth).mean(), score(same, truth).mean(), shuffled]

    expected = {}
    for radius in radii:
        value, own_place, shuffled = compared(peak, hits(radius))
        gain = (value - shuffled) / (1 - shuffled)
        expected[f"place_hit r={radius}"] = [value, own_place, shuffled, gain]
    for name, places in [("peak", peak), ("mass", mass)]:
        value, own_place, shuffled = compared(places, distance)
        expected[f"place_distance {name}"] = [value, own_place, shuffled, 1 - value / shuffled]
    return {name: [float(value) for value in values] for name, values in expected.items()}


def provenance():
    digest = hashlib.sha256((FOLDER / "expected.json").read_bytes()).hexdigest()
    text = f'''reference = "NumPy, from the definitions in docs/faithfulness.md"
command = "python scripts/golden/correspondence.py"
seed = {SEED}
device = "cpu, float64"
date = "{datetime.date.today()}"
tolerance = "{TOLERANCE}"

[versions]
python = "{platform.python_version()}"
numpy = "{importlib.metadata.version("numpy")}"

[sha256]
"expected.json" = "{digest}"
'''
    (FOLDER / "PROVENANCE.toml").write_text(text)


if __name__ == "__main__":
    main()
