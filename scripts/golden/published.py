#!/usr/bin/env python3
"""Makes the reference values of LPIPS and DISTS with their published weights, in crates/i2am-metrics.

Requirements (pip): lpips==0.1.4 DISTS-pytorch==0.1 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6 pillow==13.0.0 safetensors==0.8.0

    scripts/setup --weights lpips
    python scripts/golden/published.py       from the root of the repository; rewrites the fixture folder

The libraries compute; AlexNet, VGG16 and the weights of DISTS are the files that `scripts/setup` brought to .weights/. The pictures are
those of the fixture `pairs`. A second run writes the same bytes, except for the date.
"""

import warnings
from pathlib import Path
from unittest import mock

import lpips
import torch
import torchvision
from DISTS_pytorch import DISTS
from dists import measured
from fixture import FIXTURES, write
from pairs import tensor
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors

PACKAGES = ["lpips", "DISTS-pytorch", "torch", "torchvision", "numpy", "pillow", "safetensors"]
WEIGHTS = Path(__file__).resolve().parents[2] / ".weights"


def main():
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    warnings.filterwarnings("ignore")
    files = {"alex": "alexnet-convolutions-*", "vgg": "vgg16-convolutions-*"}
    tensors = {net: load_tensors(next(WEIGHTS.glob(name))) for net, name in files.items()}
    nets = {net: with_backbone(net, own) for net, own in tensors.items()}
    dists = with_weights(tensors["vgg"])
    sides = load_file(FIXTURES / "pairs/inputs.safetensors")
    values = {}
    for name in sorted({key.split(".")[0] for key in sides}):
        pair = [sides[f"{name}.{side}"] for side in ("generated", "real")]
        if min(pair[0].shape[:2]) < 32:
            continue
        values[name] = {f"lpips.{net}": float(model(*map(tensor, pair))) for net, model in nets.items()}
        values[name]["dists"] = measured(dists, *pair)
    write("published", values, PACKAGES, "LPIPS 1e-5, DISTS 1e-5 of exact and 3e-4 of peer, as with weights that are filled by formula")


def with_backbone(net, tensors):
    model = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    for i in range(model.net.N_slices):
        # Modules of a slice are called as in torchvision's `features`.
        for name, parameter in getattr(model.net, f"slice{i + 1}").named_parameters():
            parameter.copy_(tensors[f"features.{name}"])
    return model


def with_weights(tensors):
    backbone = torchvision.models.vgg16(weights=None)
    for name, parameter in backbone.features.named_parameters():
        parameter.copy_(tensors[f"features.{name}"])
    with mock.patch.object(torchvision.models, "vgg16", lambda pretrained: backbone):
        model = DISTS(load_weights=False)
    for name, own in torch.load(WEIGHTS / "dists_weights.pt").items():
        getattr(model, name).copy_(own)
    return model


if __name__ == "__main__":
    main()
