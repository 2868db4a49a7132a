#!/usr/bin/env python3
"""Makes the reference values of PSNR, SSIM and LPIPS in crates/i2am-metrics, and the learned heads of LPIPS in crates/i2am-nets.

Requirements (pip): lpips==0.1.4 scikit-image==0.26.0 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6 pillow==13.0.0
                    safetensors==0.8.0

    python scripts/golden/pairs.py           from the root of the repository; rewrites the fixture folder and the heads

Needs no network and no weights: the backbones of LPIPS are filled by the formula of `i2am_nets::formula_weights`. Everything is
seeded; a second run writes the same bytes, except for the date in PROVENANCE.toml.
"""

import datetime
import hashlib
import importlib.metadata
import json
import shutil
import warnings
from pathlib import Path

import lpips
import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

SEED = 20250917
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "crates/i2am-metrics/tests/fixtures/pairs"
HEADS = ROOT / "crates/i2am-nets/src/lpips/heads.safetensors"
PACKAGES = "lpips scikit-image torch torchvision numpy pillow safetensors".split()
NETS = ["alex", "squeeze", "vgg"]
# Height and width of the pairs by what they show.
SIZES = {
    "noise": (33, 47),
    "blurred": (64, 48),
    "shifted": (75, 51),
    "wide": (40, 161),
    "gray": (48, 37),
    "dark": (35, 35),
    "flat": (32, 32),
    "inverted": (31, 34),
    "equal": (36, 40),
    "window": (11, 13),
    "small": (7, 9),
}
# Pairs whose map is kept, under every net.
MAPPED = ["blurred", "shifted"]
TOLERANCE = "PSNR none, SSIM 1e-9 (order of additions in float64), LPIPS 1e-5 (order of additions in float32)"


def main():
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    warnings.filterwarnings("ignore")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    HEADS.parent.mkdir(exist_ok=True)
    rng = np.random.default_rng(SEED)
    pairs = {name: draw(name, size, rng) for name, size in SIZES.items()}
    nets = {net: filled(net) for net in NETS}
    save_file({key: value for net in NETS for key, value in heads(net, nets[net]).items()}, HEADS)

    maps = {f"{net}.{name}": spatial(nets[net], *pairs[name]) for net in NETS for name in MAPPED}
    values = {
        "pairs": {name: measured(nets, *pair) for name, pair in pairs.items()},
        "least": {f"lpips.{net}": least(nets[net]) for net in NETS},
    }
    sides = {f"{name}.{side}": levels for name, pair in pairs.items() for side, levels in zip(["generated", "real"], pair)}
    save_file(sides, FOLDER / "inputs.safetensors")
    save_file(maps, FOLDER / "maps.safetensors")
    (FOLDER / "expected.json").write_text(json.dumps(values, indent=1) + "\n")
    provenance()


# --- Pictures ----------------------------------------------------------------------------------------------------


def draw(name, size, rng):
    """A generated and a real picture, `[height, width, 3]` levels."""
    noise = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    if name == "noise":
        return noise, rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    if name == "flat":
        return np.full((*size, 3), 200, np.uint8), np.full((*size, 3), 201, np.uint8)
    real = scene(size, rng)
    generated = {
        "blurred": lambda: sum(np.roll(real, shift, axis) for shift in (-1, 0, 1) for axis in (0, 1)) / 6,
        "shifted": lambda: np.roll(real, (3, -2), (0, 1)),
        "gray": lambda: np.clip(real + rng.normal(0, 12, size)[..., None], 0, 255),
        "inverted": lambda: 255 - real,
        "equal": lambda: real,
    }.get(name, lambda: np.clip(real + rng.normal(0, 20, real.shape), 0, 255))()
    if name == "gray":
        generated, real = (np.repeat(side.mean(-1, keepdims=True), 3, -1) for side in (generated, real))
    if name == "dark":
        generated, real = generated / 40, real / 40
    return tuple(np.ascontiguousarray(side.round().astype(np.uint8)) for side in (generated, real))


def scene(size, rng):
    """Waves of colour, discs in front of them and a grain."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    levels = np.stack([128 + 90 * np.sin(rows / (6 + k) + k) * np.cos(columns / (9 - 2 * k)) for k in range(3)], -1)
    for _ in range(4):
        middle, radius = rng.uniform(0, 1, 2) * size, rng.uniform(0.1, 0.3) * min(size)
        levels[(rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 < radius**2] = rng.uniform(0, 255, 3)
    return np.clip(levels + rng.normal(0, 4, levels.shape), 0, 255)


# --- Networks ----------------------------------------------------------------------------------------------------


def filled(net):
    """The metric with learned heads on a backbone filled by formula, scaled so that activations keep their size through ReLUs."""
    model = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    for i in range(model.net.N_slices):
        # Modules of a slice are called as in torchvision's `features`.
        for name, parameter in getattr(model.net, f"slice{i + 1}").named_parameters():
            values = formula(f"{net}.features.{name}", parameter.shape)
            if parameter.dim() > 1:
                values = values * np.float32(np.sqrt(2))
            parameter.copy_(torch.from_numpy(values))
    return model


def formula(name, shape):
    """`i2am_nets::formula_weights`."""
    mask = (1 << 64) - 1
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001B3) & mask
    z = np.arange(np.prod(shape), dtype=np.uint64) + np.uint64((state + 0x9E3779B97F4A7C15) & mask)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    unit = ((z ^ (z >> np.uint64(31))) >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1.0
    if len(shape) > 1:
        values = np.sqrt(3.0 / np.prod(shape[1:])) * unit
    else:
        values = (1.0 if name.endswith("weight") else 0.0) + 0.1 * unit
    return values.astype(np.float32).reshape(shape)


def heads(net, model):
    """The learned weights of channels, tap by tap: all that the v0.1 files of lpips hold."""
    weights = [lin.model[-1].weight for lin in model.lins]
    return {f"{net}.lin{k}": weight.numpy().reshape(-1).copy() for k, weight in enumerate(weights)}


def tensor(levels):
    return torch.from_numpy(levels).permute(2, 0, 1)[None].float() / 127.5 - 1


def spatial(model, generated, real):
    model.spatial = True
    value = model(tensor(generated), tensor(real))
    model.spatial = False
    return value[0, 0].numpy().copy()


def least(model):
    """The smallest square that the net has a value for."""
    for size in range(1, 100):
        try:
            model(*[torch.zeros(1, 3, size, size)] * 2)
            return size
        except RuntimeError:
            pass
    raise AssertionError("no size works")


# --- Values ------------------------------------------------------------------------------------------------------


def measured(nets, generated, real):
    """Every metric that has a value, by its name and variant."""
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    luma = [np.asarray(Image.fromarray(side).convert("L")) for side in (generated, real)]
    values = {}
    if (generated != real).any():
        values["psnr.rgb"] = float(peak_signal_noise_ratio(real, generated, data_range=255))
    if min(real.shape[:2]) >= 11:
        values["ssim.gaussian"] = float(structural_similarity(real, generated, channel_axis=2, **wang))
        values["ssim.gray"] = float(structural_similarity(*luma, **wang))
    if min(real.shape[:2]) >= 7:
        values["ssim.uniform"] = float(structural_similarity(real, generated, channel_axis=2))
    for net, model in nets.items():
        try:
            values[f"lpips.{net}"] = float(model(tensor(generated), tensor(real)))
        except RuntimeError:
            pass
    return values


def provenance():
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(FOLDER.iterdir())}
    lines = [
        'reference = "the Python libraries below"',
        'command = "python scripts/golden/pairs.py"',
        f'date = "{datetime.date.today()}"',
        f"seed = {SEED}",
        'device = "cpu"',
        f'tolerance = "{TOLERANCE}"',
        "",
        "[versions]",
        *(f'{name} = "{importlib.metadata.version(name).split("+")[0]}"' for name in PACKAGES),
        "",
        "[sha256]",
        *(f'"{name}" = "{digest}"' for name, digest in hashes.items()),
    ]
    (FOLDER / "PROVENANCE.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
