#!/usr/bin/env python3
"""Makes the reference values of MS-SSIM in crates/i2am-metrics.

Requirements (pip): pytorch-msssim==1.0.0 torch==2.13.0 numpy==2.4.6 pillow==13.0.0

    python scripts/golden/ms_ssim.py         from the root of the repository; rewrites the fixture folder

The pictures are parts of those of the fixture `sets`. `peer` is what the tool gives for 64-bit pictures with its own window, which is
rounded to 32 bits; `exact` is what it gives with the same window in 64 bits. A second run writes the same bytes, except for the date.
"""

import numpy as np
import torch
from fixture import picture, write
from PIL import Image
from pytorch_msssim import ms_ssim

PACKAGES = ["pytorch-msssim", "torch", "numpy", "pillow"]
# Two pictures, and what is cut out of each: top, left; then height and width of both.
CASES = {
    "equal": ("real/23.png", (0, 0), "real/23.png", (0, 0), (170, 200)),
    "shifted": ("real/23.png", (1, 2), "real/23.png", (0, 0), (161, 161)),
    "far": ("real/23.png", (30, 9), "real/23.png", (0, 0), (176, 233)),
    "odd": ("generated/16.png", (2, 1), "generated/16.png", (0, 0), (163, 301)),
    "other": ("generated/19.png", (0, 0), "real/23.png", (0, 0), (299, 299)),
    "tall": ("generated/16.png", (0, 0), "real/20.png", (9, 0), (301, 310)),
    # Its structure is turned around, so that means are below 0.
    "inverted": ("inverted:real/23.png", (0, 0), "real/23.png", (0, 0), (180, 190)),
}


def main():
    torch.set_num_threads(1)
    values = {name: case(*given) for name, given in CASES.items()}
    write("ms-ssim", values, PACKAGES, "1e-9 of exact (order of additions in 64 bits), 1e-5 of peer (its window is rounded)")


def case(generated, generated_at, real, real_at, size):
    sides = [cut(generated, generated_at, size), cut(real, real_at, size)]
    grays = [np.asarray(Image.fromarray(side).convert("L"))[..., None] for side in sides]
    given = {"generated": [generated, *generated_at], "real": [real, *real_at], "size": size}
    return given | {variant: measured(*pair) for variant, pair in {"rgb": sides, "gray": grays}.items()}


def cut(name, at, size):
    levels = picture(name.removeprefix("inverted:"))[at[0] : at[0] + size[0], at[1] : at[1] + size[1]]
    assert levels.shape[:2] == size, (name, levels.shape)
    return np.ascontiguousarray(255 - levels if name.startswith("inverted:") else levels)


def measured(generated, real):
    pair = [torch.from_numpy(side.copy()).permute(2, 0, 1)[None].double() for side in (generated, real)]
    places = torch.arange(11, dtype=torch.float64) - 5
    window = torch.exp(-(places**2) / (2 * 1.5**2))
    window = (window / window.sum()).expand(pair[0].shape[1], 1, 1, 11)
    return {"peer": float(ms_ssim(*pair, data_range=255)), "exact": float(ms_ssim(*pair, data_range=255, win=window))}


if __name__ == "__main__":
    main()
