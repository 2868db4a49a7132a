#!/usr/bin/env python3
"""Makes the reference values of the metrics of Inception features in crates/i2am-metrics: precision, recall, density, coverage, MIND and
the inception score.

Requirements (pip): torch==2.13.0 torchvision==0.28.0 numpy==2.4.6 scipy==1.17.1 pillow==13.0.0 safetensors==0.8.0 prdc==0.2
                    scikit-learn==1.9.1 and torch-fidelity at commit 5e211a9:
                    git+https://github.com/toshas/torch-fidelity@5e211a950a7b45206bd4976813ffd6aed6cf4ccc

    scripts/setup                            makes .weights/, where the network is read from
    python scripts/golden/features.py        from the root of the repository; rewrites the fixture folder

The pictures are those of the fixture `sets`. Their features are those of torch-fidelity's extractor, given the file of scripts/setup. The
last layer, which that file lacks, is filled by formula. Sets of drawn features, with members in common, need no network. A second run
writes the same bytes, except for the date.
"""

import contextlib
import importlib.metadata
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from fixture import FIXTURES, ROOT, write
from pairs import formula
from prdc import compute_prdc
from safetensors.numpy import save_file
from sets import WEIGHTS, place_weights
from torch_fidelity import metric_isc, metric_mind, metric_prc, utils

SEED = 20261127
PACKAGES = "torch torchvision numpy scipy pillow safetensors prdc scikit-learn".split()
SIDES = ["generated", "real"]
# Added to the last layer's formula, so that pictures are named surely enough for a score that is not nearly 1.
GAIN = 8.0
TOLERANCE = (
    "precision, recall, density, coverage none; of the value: MIND 1e-5 (sums in 32 bits), inception score 1e-5 (logits in 32 bits); "
    "drawn numbers 1e-5 (torch's logarithm and cosine in 32 bits)"
)


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TORCH_HOME"] = scratch
        place_weights(Path(scratch) / "hub", WEIGHTS)
        pictures = [inception(FIXTURES / "sets" / side) for side in SIDES]
    drawn = draw(np.random.default_rng(SEED))
    values = {"pictures": compared(*pictures) | {"inception-score": scores(pictures[0])}, "drawn": compared(*drawn)}
    folder = FIXTURES / "features"
    folder.mkdir(parents=True, exist_ok=True)
    tensors = dict(zip(SIDES, drawn)) | {f"randn.{count}": normal(count) for count in [16, 37, 64]}
    tensors |= {f"randperm.{count}": permutation(count) for count in [1, 2, 40]}
    save_file(tensors, folder / "drawn.safetensors")
    fidelity = importlib.metadata.version("torch-fidelity")
    write("features", values, PACKAGES, TOLERANCE, seed=SEED, torch_fidelity=f"{fidelity}, commit 5e211a950a7b45206bd4976813ffd6aed6cf4ccc")


# --- Features ----------------------------------------------------------------------------------------------------


def inception(folder):
    options = {"cuda": False, "batch_size": 1, "cache": False, "save_cpu_ram": True, "verbose": False, "input1": str(folder)}
    extractor = utils.create_feature_extractor("inception-v3-compat", ["2048"], **options)
    with contextlib.redirect_stderr(io.StringIO()):
        return utils.extract_featuresdict_from_input_id_cached(1, extractor, **options)["2048"].numpy()


def draw(rng):
    """Two sets of rows; some are in both, and some twice in one, so that distances are 0 and balls have points on their surface."""
    real = rng.normal(0, 1, (57, 24)).astype(np.float32)
    generated = (rng.normal(0.2, 0.9, (41, 24)) * rng.uniform(0.5, 1.2, 24)).astype(np.float32)
    generated[[3, 11, 30]] = real[[5, 5, 40]]
    real[20] = real[21]
    return generated, real


# --- Values ------------------------------------------------------------------------------------------------------


def compared(generated, real):
    tensors = [torch.from_numpy(side) for side in (generated, real)]
    values = {}
    for k in [1, 3, 5, 9]:
        peer = compute_prdc(real_features=real.astype(np.float64), fake_features=generated.astype(np.float64), nearest_k=k)
        values[f"neighbors.{k}"] = {name: float(value) for name, value in peer.items()}
        # Its balls have a surface, as those of the authors of precision and recall.
        exact = [side.double() for side in tensors]
        found = metric_prc.prc_features_to_metric(*exact, prc_neighborhood=k, verbose=False)
        values[f"neighbors.{k}"] |= {f"with-surface.{name}": found[name] for name in ["precision", "recall"]}
    for count in [1000, 7]:
        found = metric_mind.mind_features_to_metric(*tensors, mind_num_projections=count, rng_seed=2020, cuda=False, verbose=False)
        values[f"mind.{count}"] = found[metric_mind.KEY_METRIC_MIND]
    return values


def scores(features):
    """Of features whose classes are those of a last layer that is filled by formula."""
    layer = formula("inception.fc.weight", (1008, 2048)) * np.float32(GAIN)
    logits = torch.from_numpy(features) @ torch.from_numpy(layer).T
    values = {}
    for splits in [1, 3, 10]:
        found = metric_isc.isc_features_to_metric(logits, splits=splits, shuffle=True, rng_seed=2020)
        values[str(splits)] = {"mean": found[metric_isc.KEY_METRIC_ISC_MEAN], "std": found[metric_isc.KEY_METRIC_ISC_STD]}
    return values


def normal(count):
    return torch.randn(count, generator=torch.Generator().manual_seed(2020)).numpy()


def permutation(count):
    return torch.randperm(count, generator=torch.Generator().manual_seed(2020)).numpy()


if __name__ == "__main__":
    main()
