#!/usr/bin/env python3
"""Makes the reference values of DISTS in crates/i2am-metrics.

Requirements (pip): DISTS-pytorch==0.1 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6 pillow==13.0.0

    python scripts/golden/dists.py           from the root of the repository; rewrites the fixture folder

Needs no network and no weights: VGG16 and the weights of channels are filled by the formula of `i2am_nets::formula_weights`. The pictures
are those of the fixtures `pairs` and, for `short-256`, parts of those of `sets`. A second run writes the same bytes, except for the date.
"""

import warnings
from unittest import mock

import numpy as np
import torch
import torchvision
from DISTS_pytorch import DISTS
from DISTS_pytorch.DISTS_pt import prepare_image
from fixture import FIXTURES, picture, write
from pairs import formula
from PIL import Image
from safetensors.numpy import load_file

PACKAGES = ["DISTS-pytorch", "torch", "torchvision", "numpy", "pillow"]
# Tops, lefts and sizes of what is compared as `short-256`.
LARGE = {
    "high": ("generated/16.png", (0, 0), "real/20.png", (9, 0), (301, 310)),
    "square": ("generated/19.png", (0, 0), "real/23.png", (0, 0), (299, 299)),
    "shifted": ("real/20.png", (1, 2), "real/20.png", (0, 0), (320, 270)),
}


def main():
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    warnings.filterwarnings("ignore")
    model = filled()
    sides = load_file(FIXTURES / "pairs/inputs.safetensors")
    names = sorted({key.split(".")[0] for key in sides})
    stored = {name: measured(model, *(sides[f"{name}.{side}"] for side in ("generated", "real"))) for name in names}
    large = {name: case(model, *given) for name, given in LARGE.items()}
    write("dists", {"stored": stored, "short-256": large}, PACKAGES, "1e-5 of exact (features in 32 bits), 3e-4 of peer (its covariances in 32 bits)")


def filled():
    """Activations keep their size through ReLUs. All weights of channels are above 0, as the published ones are."""
    backbone = torchvision.models.vgg16(weights=None)
    for name, parameter in backbone.features.named_parameters():
        values = formula(f"vgg.features.{name}", parameter.shape)
        parameter.copy_(torch.from_numpy(values * np.float32(np.sqrt(2)) if parameter.dim() > 1 else values))
    with mock.patch.object(torchvision.models, "vgg16", lambda pretrained: backbone):
        model = DISTS(load_weights=False)
    for name in ["alpha", "beta"]:
        shape = getattr(model, name).shape
        getattr(model, name).copy_(torch.from_numpy(formula(f"dists.{name}", shape) + np.float32(0.1)))
    return model


def measured(model, generated, real, resize=False):
    """As the tool computes it, and the same in 64 bits: where a picture is flat, its 32-bit covariances are mostly rounding."""
    pair = [prepare_image(Image.fromarray(side), resize=resize) for side in (generated, real)]
    peer = float(model(*pair))
    exact = float(model.double()(*(side.double() for side in pair)))
    model.float()
    return {"peer": peer, "exact": exact}


def case(model, generated, generated_at, real, real_at, size):
    cut = lambda name, at: np.ascontiguousarray(picture(name)[at[0] : at[0] + size[0], at[1] : at[1] + size[1]])
    given = {"generated": [generated, *generated_at], "real": [real, *real_at], "size": size}
    return given | measured(model, cut(generated, generated_at), cut(real, real_at), resize=True)


if __name__ == "__main__":
    main()
