#!/usr/bin/env python3
"""Attention as another program exports it, and its IMACS by NumPy alone, from the definitions.

Writes crates/bench/tests/fixtures/exported: two files of maps, masks, and expected.json.

    python -m venv venv && venv/bin/pip install numpy==2.3.5 safetensors==0.8.0 pillow==12.3.0
    venv/bin/python scripts/golden/exported.py

Every file is written with the same bytes by a second run. The maps are written by the program in docs/exported.md, from arrays as
attention-map-diffusers and daam keep them.
"""

import hashlib
import json
import platform
import re
from pathlib import Path

import numpy as np
import PIL
import safetensors
from PIL import Image
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "crates/bench/tests/fixtures/exported"
SEED = 20261127
SIZE = (48, 36)
FLOOR, EPSILON, PENALTY = 0.4, 1e-8, 3.0


def kernel(x, a=-0.75):
    """Keys' cubic kernel with torch's a."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def weights(source, target):
    """[target, source]: half-pixel centers, four taps, indices at the border repeated."""
    matrix = np.zeros((target, source))
    for row in range(target):
        center = (row + 0.5) * source / target - 0.5
        first = int(np.floor(center)) - 1
        for tap in range(first, first + 4):
            matrix[row, min(max(tap, 0), source - 1)] += kernel(center - tap)
    return matrix


def resized(maps, size):
    """Bicubic over the last two axes."""
    rows, columns = weights(maps.shape[-2], size[0]), weights(maps.shape[-1], size[1])
    return np.einsum("yr,...rc,xc->...yx", rows, maps, columns)


def minmax(plane):
    return (plane - plane.min()) / (plane.max() - plane.min() + EPSILON)


def unified(layers, size):
    """Mean over steps and heads of each layer, brought to `size` and clamped before, scaled to mean 1; then the mean over layers."""
    planes = []
    for maps in layers:
        plane = np.maximum(resized(maps.sum(0), size), 0).mean(0)
        planes.append(plane / plane.mean())
    return np.mean(planes, 0)


def imacs(plane, mask):
    attribution = minmax(resized(minmax(plane), mask.shape))
    attribution = np.where(attribution <= FLOOR, 0, attribution)
    inside = (attribution * mask).sum() / mask.sum()
    outside = (attribution * (1 - mask)).sum() / (1 - mask).sum()
    return inside - PENALTY * outside


def snippet():
    text = (ROOT / "docs/exported.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.S).group(1)
    names = {}
    exec(code, names)  # noqa: S102: it is the program under test
    return names


def softmax(values, axis):
    values = np.exp(values - values.max(axis, keepdims=True))
    return values / values.sum(axis, keepdims=True)


def main():
    rng = np.random.default_rng(SEED)
    OUT.mkdir(parents=True, exist_ok=True)
    python = snippet()
    # As attention-map-diffusers: two halves of a batch, probabilities over seven tokens.
    sizes = {"down.0": (24, 18), "mid": (6, 5), "up.1": (12, 9)}
    diffusers = {
        step: {
            layer: softmax(2 * rng.standard_normal((2, 2, *size, 7)), -1).astype(np.float32)
            for layer, size in sizes.items()
        }
        for step in (801, 601, 401, 201, 1)
    }
    tokens = [2, 3]
    generated = python["from_attention_map_diffusers"](diffusers, tokens)
    reference = {layer: rng.random((5, 2, *size[::-1])).astype(np.float32) for layer, size in sizes.items()}
    python["write"](OUT / "a.npz", generated, reference)
    # As daam: sums over steps for each layer and head.
    daam = {
        (factor, layer, head): rng.random((7, 24 // factor, 18 // factor)).astype(np.float32)
        for factor, layer in ((1, 0), (2, 1), (2, 2))
        for head in range(2)
    }
    of_daam = python["from_daam"](daam, tokens)
    save_file({f"generated/{layer}": maps for layer, maps in of_daam.items()}, OUT / "b.safetensors")
    np.savez(OUT / "input.npz", **{f"{step}/{layer}": maps for step, layers in diffusers.items() for layer, maps in layers.items()})

    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    masks = {
        "masks/a": (rows >= 10) & (rows < 40) & (columns >= 8) & (columns < 30),
        "masks/b": (rows - 20) ** 2 + (columns - 15) ** 2 < 150,
        "objects/a": (rows > 20) & (columns < 20),
    }
    for name, mask in masks.items():
        path = OUT / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(path)

    # From the definitions, and from the arrays as the tools keep them.
    def of_step(step, layer):
        return diffusers[step][layer][1].astype(np.float64)[..., tokens].sum(-1)

    exact = {layer: np.stack([of_step(step, layer) for step in diffusers]) for layer in sizes}
    by_daam = [np.stack([daam[key].astype(np.float64)[tokens].sum(0) for key in sorted(daam) if key[:2] == layer])[None] for layer in ((1, 0), (2, 1), (2, 2))]
    expected = {
        "a": {
            "imacs_g": imacs(unified(exact.values(), (24, 18)), masks["masks/a"].astype(float)),
            "imacs_g time:0": imacs(unified([maps[:1] for maps in exact.values()], (24, 18)), masks["masks/a"].astype(float)),
            "imacs_g head:1": imacs(unified([maps[:, 1:] for maps in exact.values()], (24, 18)), masks["masks/a"].astype(float)),
            "imacs_g layer:mid": imacs(unified([exact["mid"]], (24, 18)), masks["masks/a"].astype(float)),
            "imacs_r": imacs(unified([maps.astype(np.float64) for maps in reference.values()], (18, 24)), masks["objects/a"].astype(float)),
        },
        "b": {"imacs_g": imacs(unified(by_daam, (24, 18)), masks["masks/b"].astype(float))},
    }
    (OUT / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")

    files = sorted(path for path in OUT.rglob("*") if path.is_file() and path.name != "PROVENANCE.toml")
    hashes = [f'"{path.relative_to(OUT)}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"' for path in files]
    versions = [f'{module.__name__} = "{module.__version__}"' for module in (np, safetensors, PIL)]
    (OUT / "PROVENANCE.toml").write_text(
        "\n".join(
            [
                'reference = "NumPy, from the definitions in docs/precision.md and the shapes in docs/exported.md"',
                'command = "python scripts/golden/exported.py"',
                f"seed = {SEED}",
                'device = "cpu, float64"',
                'date = "2026-11-27"',
                'tolerance = "2e-4 absolute: maps are float32, and a pixel next to the floor may fall on its other side"',
                "",
                "[versions]",
                f'python = "{platform.python_version()}"',
                *versions,
                "",
                "[sha256]",
                *hashes,
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
