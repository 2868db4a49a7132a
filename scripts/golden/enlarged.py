#!/usr/bin/env python3
"""Makes the reference values of PSNR and SSIM on the Y channel and without a border, in crates/i2am-metrics.

Requirements (pip): scikit-image==0.26.0 numpy==2.4.6 safetensors==0.8.0

    python scripts/golden/enlarged.py        from the root of the repository; rewrites the fixture folder

The pictures are those of the fixture `pairs`. Values are scikit-image's in float64. The definition of BasicSR and pyiqa is written out
from its formula, in the float32 that they work in, and must agree. A second run writes the same bytes, except for the date.
"""

import datetime
import hashlib
import importlib.metadata
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

ROOT = Path(__file__).resolve().parents[2]
INPUTS = ROOT / "crates/i2am-metrics/tests/fixtures/pairs/inputs.safetensors"
FOLDER = ROOT / "crates/i2am-metrics/tests/fixtures/enlarged"
PACKAGES = ["scikit-image", "numpy", "safetensors"]
BORDERS = [0, 1, 4]
# What the float32 of the luma may move: PSNR in dB (by 1.3e-4 where all of the error is one level of gray), and SSIM.
APART = {"psnr": 2e-4, "ssim": 1e-6}
TOLERANCE = "PSNR 1e-12 of its size, SSIM 1e-9 (order of additions in float64)"


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    sides = load_file(INPUTS)
    names = sorted({key.split(".")[0] for key in sides})
    values = {name: measured(sides[f"{name}.generated"], sides[f"{name}.real"]) for name in names}
    (FOLDER / "expected.json").write_text(json.dumps(values, indent=1) + "\n")
    provenance()


def measured(generated, real):
    """Every value that there is, by metric, variant and border."""
    values = {}
    for border in BORDERS:
        inside = slice(border, -border or None)
        pair = [side[inside, inside] for side in (real, generated)]
        if min(pair[0].shape[:2]) < 1:
            continue
        luma = [y_channel(side.astype(np.float64)) for side in pair]
        coarse = [y_channel(side.astype(np.float32)) for side in pair]
        large = min(pair[0].shape[:2]) >= 11
        wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
        if (pair[0] != pair[1]).any():
            values[f"psnr.rgb.{border}"] = float(peak_signal_noise_ratio(*pair, data_range=255))
        if (luma[0] != luma[1]).any():
            values[f"psnr.y.{border}"] = float(peak_signal_noise_ratio(*luma, data_range=255))
            agree("psnr", psnr(*coarse), values[f"psnr.y.{border}"])
        if large:
            values[f"ssim.gaussian.{border}"] = float(structural_similarity(*pair, channel_axis=2, **wang))
            values[f"ssim.y.{border}"] = float(structural_similarity(*luma, **wang))
            agree("ssim", ssim(*coarse), values[f"ssim.y.{border}"])
    return values


def y_channel(levels):
    """ITU-R BT.601 luma in 16 to 235 from levels of 0 to 255, not rounded."""
    weights = np.array([65.481, 128.553, 24.966], levels.dtype)
    return (levels / 255) @ weights + levels.dtype.type(16)


def psnr(x, y):
    error = np.mean((x.astype(np.float64) - y.astype(np.float64)) ** 2)
    return 20 * np.log10(255 / np.sqrt(error))


def ssim(x, y):
    """Wang et al. 2004 over all windows that lie inside."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    bell = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(bell, bell) / bell.sum() ** 2

    def mean(values):
        return np.einsum("ijkl,kl->ij", np.lib.stride_tricks.sliding_window_view(values, (11, 11)), window)

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    return float(np.mean((2 * mx * my + c1) * (2 * both + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))))


def agree(metric, value, expected):
    assert abs(value - expected) < APART[metric], (metric, value, expected)


def provenance():
    digest = hashlib.sha256((FOLDER / "expected.json").read_bytes()).hexdigest()
    inputs = hashlib.sha256(INPUTS.read_bytes()).hexdigest()
    lines = [
        'reference = "the Python libraries below; the definition that BasicSR and pyiqa share, written out, not run"',
        'command = "python scripts/golden/enlarged.py"',
        f'date = "{datetime.date.today()}"',
        'device = "cpu"',
        f'inputs = "fixture `pairs`, inputs.safetensors {inputs}"',
        f'tolerance = "{TOLERANCE}"',
        "",
        "[versions]",
        *(f'{name} = "{importlib.metadata.version(name)}"' for name in PACKAGES),
        "",
        "[sha256]",
        f'"expected.json" = "{digest}"',
    ]
    (FOLDER / "PROVENANCE.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
