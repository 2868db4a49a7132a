#!/usr/bin/env python3
"""Makes the reference values of Pillow's Lanczos resize and Gaussian blur for crates/i2am-imaging.

Requirements (pip): pillow==13.0.0 numpy==2.4.6 safetensors==0.8.0

    python scripts/golden/pillow_filters.py      from the root of the repository; rewrites the fixture folder

Everything is seeded; a second run writes the same bytes, except for the date in PROVENANCE.toml.
"""

import datetime
import hashlib
from pathlib import Path

import numpy as np
import PIL
import safetensors
from PIL import Image, ImageFilter
from safetensors.numpy import save_file

SEED = 20261127
FOLDER = Path(__file__).resolve().parents[2] / "crates/i2am-imaging/tests/fixtures/pillow-filters"

SIZES = {
    "noise": ((29, 37), [(13, 17), (51, 64), (29, 12), (12, 34), (40, 37), (29, 37), (1, 1), (3, 100), (58, 74)]),
    "even": ((24, 36), [(12, 18), (24, 18), (12, 36), (6, 9), (48, 72)]),
    "tall": ((1024, 2), [(512, 1), (333, 3)]),
    "one": ((1, 1), [(3, 2)]),
}
# Of the published pipelines: 11 (512 rows), 21 (1024 rows), 9 (masks of the demonstration). Others reach every branch.
RADII = [0.4, 1, 2.5, 9, 11, 21]


def main():
    rng = np.random.default_rng(SEED)
    inputs, expected = {}, {}
    for name, (shape, sizes) in SIZES.items():
        levels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        # A mask: levels at both ends only.
        inputs[f"rgb.{name}"] = levels
        inputs[f"gray.{name}"] = (255 * (levels[:, :, 1] >= 128)).astype(np.uint8)
        for kind in ["rgb", "gray"]:
            image = Image.fromarray(inputs[f"{kind}.{name}"])
            for height, width in sizes:
                resized = image.resize((width, height), Image.Resampling.LANCZOS)
                expected[f"pillow.lanczos.{kind}.{name}.{height}x{width}"] = np.asarray(resized).copy()
        for kind in ["gray"]:
            image = Image.fromarray(inputs[f"{kind}.{name}"])
            for radius in RADII:
                expected[f"blur.{name}.{radius}"] = np.asarray(image.filter(ImageFilter.GaussianBlur(radius))).copy()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    save_file(inputs, FOLDER / "inputs.safetensors")
    save_file(expected, FOLDER / "expected.safetensors")
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(FOLDER.iterdir())}
    lines = [
        'reference = "python-pillow/Pillow"',
        'command = "python scripts/golden/pillow_filters.py"',
        f'date = "{datetime.date.today()}"',
        f"seed = {SEED}",
        'device = "cpu"',
        'tolerance = "none"',
        "",
        "[versions]",
        f'pillow = "{PIL.__version__}"',
        f'numpy = "{np.__version__}"',
        f'safetensors = "{safetensors.__version__}"',
        "",
        "[sha256]",
        *(f'"{name}" = "{digest}"' for name, digest in hashes.items()),
    ]
    (FOLDER / "PROVENANCE.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
