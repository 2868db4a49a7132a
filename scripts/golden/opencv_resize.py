#!/usr/bin/env python3
"""Makes the reference values of OpenCV's linear resize for crates/i2am-imaging.

Requirements (pip): opencv-python-headless==4.12.0.88 numpy==2.2.6 safetensors==0.8.0

    python scripts/golden/opencv_resize.py      from the root of the repository; rewrites the fixture folder

Everything is seeded; a second run writes the same bytes, except for the date in PROVENANCE.toml.
"""

import datetime
import hashlib
from pathlib import Path

import cv2
import numpy as np
import safetensors
from safetensors.numpy import save_file

SEED = 20241125
FOLDER = Path(__file__).resolve().parents[2] / "crates/i2am-imaging/tests/fixtures/opencv-resize"

# Thin pictures reach large sizes with few values. Halving both sides is a case of its own, halving one side is not.
SIZES = {
    "noise": ((29, 37), [(13, 17), (51, 64), (29, 12), (12, 34), (40, 37), (29, 37), (1, 1), (3, 100), (58, 74)]),
    "even": ((24, 36), [(12, 18), (24, 18), (12, 36), (6, 9), (8, 12), (48, 72)]),
    "wide": ((2, 768), [(1, 384), (2, 384), (1, 77), (3, 1000)]),
    "tall": ((1024, 2), [(512, 1), (512, 2), (333, 3)]),
    "one": ((1, 1), [(3, 2)]),
}


def main():
    rng = np.random.default_rng(SEED)
    inputs, expected = {}, {}
    for name, (shape, sizes) in SIZES.items():
        levels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        # A mask: levels at both ends only.
        inputs[f"rgb.{name}"] = levels
        inputs[f"gray.{name}"] = (255 * (levels[:, :, 1] >= 128)).astype(np.uint8)
        for kind in ["rgb", "gray"]:
            for height, width in sizes:
                resized = cv2.resize(inputs[f"{kind}.{name}"], (width, height), interpolation=cv2.INTER_LINEAR)
                expected[f"{kind}.{name}.{height}x{width}"] = np.ascontiguousarray(resized)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    save_file(inputs, FOLDER / "inputs.safetensors")
    save_file(expected, FOLDER / "expected.safetensors")
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(FOLDER.iterdir())}
    lines = [
        'reference = "opencv/opencv"',
        'command = "python scripts/golden/opencv_resize.py"',
        f'date = "{datetime.date.today()}"',
        f"seed = {SEED}",
        'device = "cpu"',
        'tolerance = "none"',
        "",
        "[versions]",
        f'opencv = "{cv2.__version__}"',
        f'numpy = "{np.__version__}"',
        f'safetensors = "{safetensors.__version__}"',
        "",
        "[sha256]",
        *(f'"{name}" = "{digest}"' for name, digest in hashes.items()),
    ]
    (FOLDER / "PROVENANCE.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
