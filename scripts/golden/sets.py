#!/usr/bin/env python3
"""Makes the reference values of FID and KID in crates/i2am-metrics: two sets of pictures, and what three programs say of them.

Requirements (pip): torch==2.13.0 torchvision==0.28.0 numpy==2.4.6 scipy==1.17.1 pillow==13.0.0 safetensors==0.8.0
                    pytorch-fid==0.3.0 torch-fidelity==0.3.0 clean-fid==0.1.35

    scripts/setup                            makes .weights/, where the network is read from
    python scripts/golden/sets.py            from the root of the repository; rewrites the fixture folder

Needs no network. The programs would download one Inception network in three formats; all are given the file of scripts/setup
instead. Everything is seeded; a second run writes the same bytes, except for the date in PROVENANCE.toml. Takes two minutes.
"""

import contextlib
import datetime
import hashlib
import importlib.metadata
import io
import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from safetensors.numpy import save_file

SEED = 20250903
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "crates/i2am-metrics/tests/fixtures/sets"
WEIGHTS = ROOT / ".weights/fid-inception-2015-12-05.pt"
PACKAGES = "torch torchvision numpy scipy pillow safetensors pytorch-fid torch-fidelity clean-fid".split()
SIDES = ["generated", "real"]
# Width and height of what differs from 64 x 48: enlarged on both axes, shrunk on both, one each, left alone.
SIZES = {
    "generated": [(64, 48)] * 16 + [(330, 310), (37, 53), (410, 64), (299, 299)],
    "real": [(64, 48)] * 20 + [(310, 330), (53, 37), (64, 410), (299, 299)],
}
# Pictures of the real side whose values are kept stage by stage, and the rows and columns that are kept of them at 299 x 299.
STAGES = [0, 20, 21, 22]
TOLERANCE = (
    "of the largest value: resized 1e-6 (clean: none), features 1e-5 (another order of additions); of the value: exact FID 1e-6, KID "
    "3e-6 (at tap 2048 noise of 1e-5 in the features costs 3e-7 and 9e-7), peer 1e-5 (square root of a singular product, sums in float32)"
)
SAMPLED = np.array([*range(0, 299, 13), 298])


def main():
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    shutil.rmtree(FOLDER, ignore_errors=True)
    rng = np.random.default_rng(SEED)
    for side in SIDES:
        draw_set(FOLDER / side, SIZES[side], rng, haze=side == "generated")

    values, tensors = {}, {"sampled": SAMPLED}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        os.environ["TORCH_HOME"] = str(scratch)
        place_weights(scratch / "hub", WEIGHTS)
        values["pytorch-fid"] = pytorch_fid(tensors)
        values["torch-fidelity"] = torch_fidelity(tensors)
        values["clean"] = clean_fid(tensors)
        values["statistics"] = statistics(scratch, rng)
    values["pictures"] = {side: len(SIZES[side]) for side in SIDES}
    (FOLDER / "expected.json").write_text(json.dumps(values, indent=1) + "\n")
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, FOLDER / "expected.safetensors")
    provenance()


# --- Pictures ----------------------------------------------------------------------------------------------------


def draw_set(folder, sizes, rng, haze):
    """Pictures 00.png and on. A hazy set is smoother and paler, so that the distance is not that of two halves of one set."""
    folder.mkdir(parents=True, exist_ok=True)
    digits = max(2, len(str(len(sizes) - 1)))
    for index, (width, height) in enumerate(sizes):
        picture(width, height, rng, haze).save(folder / f"{index:0{digits}}.png", optimize=True)


def picture(width, height, rng, haze):
    """A slanted gradient, a few shapes, the first black and white, lines of strokes as of handwriting, and noise."""
    rows, columns = np.mgrid[:height, :width]
    slant = (rows / height * rng.uniform(-1, 1) + columns / width * rng.uniform(-1, 1))[..., None]
    levels = rng.uniform(60, 200, 3) + slant * rng.uniform(-90, 90, 3)
    image = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    reach = min(width, height)
    for index in range(rng.integers(3, 6)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        a, b = rng.uniform(0.1, 0.4, 2) * reach
        colour = (255 * index,) * 3 if index < 2 else tuple(int(level) for level in rng.integers(0, 256, 3))
        match rng.integers(3):
            case 0:
                pen.ellipse((x - a, y - b, x + a, y + b), fill=colour)
            case 1:
                pen.rectangle((x - a, y - b, x + a, y + b), fill=colour)
            case _:
                pen.polygon([(x, y - b), (x + a, y + b), (x - a, y + a)], fill=colour)
    for line in range(rng.integers(1, 4)):
        y = height * (0.3 + 0.2 * line)
        strokes = y + reach * 0.06 * rng.standard_normal(12)
        pen.line([(width * (0.1 + 0.07 * k), float(at)) for k, at in enumerate(strokes)], fill=(20, 20, 40), width=1)
    if haze:
        image = Image.blend(image.filter(ImageFilter.GaussianBlur(0.7)), Image.new("RGB", image.size, (190, 180, 200)), 0.25)
    # One noise value for a block of pixels where the picture is large: its PNG would be large, too.
    block = 1 + reach // 150
    noise = rng.standard_normal((height // block + 1, width // block + 1, 1)) * (3 if haze else 9)
    noise = noise.repeat(block, 0).repeat(block, 1)[:height, :width]
    return Image.fromarray((np.asarray(image) + noise).round().clip(0, 255).astype(np.uint8))


# --- The network -------------------------------------------------------------------------------------------------


def place_weights(hub, weights):
    """Puts the network where torch looks for what pytorch-fid and torch-fidelity would download: into `$TORCH_HOME/hub`."""
    state = state_dict(torch.jit.load(weights).state_dict())
    folder = hub / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    for prefix in ["pt_", "weights-"]:
        torch.save(state, folder / f"{prefix}inception-2015-12-05-6726825d.pth")


BLOCKS = {
    "A": {
        "conv": "branch1x1",
        "tower": ["branch5x5_1", "branch5x5_2"],
        "tower_1": ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"],
        "tower_2": ["branch_pool"],
    },
    "B": {"conv": "branch3x3", "tower": ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"]},
    "C": {
        "conv": "branch1x1",
        "tower": ["branch7x7_1", "branch7x7_2", "branch7x7_3"],
        "tower_1": [f"branch7x7dbl_{k}" for k in range(1, 6)],
        "tower_2": ["branch_pool"],
    },
    "D": {"tower": ["branch3x3_1", "branch3x3_2"], "tower_1": [f"branch7x7x3_{k}" for k in range(1, 5)]},
    "E": {
        "conv": "branch1x1",
        "tower_conv": "branch3x3_1",
        "tower_mixed_conv": "branch3x3_2a",
        "tower_mixed_conv_1": "branch3x3_2b",
        "tower_1_conv": "branch3x3dbl_1",
        "tower_1_conv_1": "branch3x3dbl_2",
        "tower_1_mixed_conv": "branch3x3dbl_3a",
        "tower_1_mixed_conv_1": "branch3x3dbl_3b",
        "tower_2_conv": "branch_pool",
    },
}
STEM = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"]
MIXED = list(zip("5b 5c 5d 6a 6b 6c 6d 6e 7a 7b 7c".split(), "AAABCCCCDEE"))
LEAVES = {"weight": "conv.weight", "beta": "bn.bias", "mean": "bn.running_mean", "var": "bn.running_var"}


def numbered(name, index):
    return name if index == 0 else f"{name}_{index}"


def state_dict(scripted):
    """The tensors under the names of torchvision, with the scale and the last layer that the file lacks: one, and zero."""
    modules = {numbered("conv", index): name for index, name in enumerate(STEM)}
    for index, (name, block) in enumerate(MIXED):
        for child, branch in BLOCKS[block].items():
            many = {f"{child}.{numbered('conv', k)}": each for k, each in enumerate(branch)} if isinstance(branch, list) else {child: branch}
            modules |= {f"{numbered('mixed', index)}.{path}": f"Mixed_{name}.{each}" for path, each in many.items()}
    state = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    for name, value in scripted.items():
        module, leaf = name.removeprefix("net.layers.").rsplit(".", 1)
        state[f"{modules[module]}.{LEAVES[leaf]}"] = value.detach()
        if leaf == "beta":
            state[f"{modules[module]}.bn.weight"] = torch.ones_like(value)
    return state


# --- Distances in 64-bit numbers ---------------------------------------------------------------------------------


def frechet(generated, real):
    """The distance without a matrix square root: the trace of it is the nuclear norm of the product of centred features."""
    generated, real = (np.asarray(side, np.float64) for side in [generated, real])
    means = generated.mean(0), real.mean(0)
    a, b = ((side - mean) / np.sqrt(len(side) - 1) for side, mean in zip([generated, real], means))
    shared = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(((means[0] - means[1]) ** 2).sum() + (a * a).sum() + (b * b).sum() - 2 * shared)


def kernel_distances(generated, real, subsets):
    """The unbiased squared distance of each pair of subsets."""
    generated, real = (np.asarray(side, np.float64) for side in [generated, real])

    def kernel(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    distances = []
    for chosen in subsets:
        x, y = generated[chosen[0]], real[chosen[1]]
        m = len(x)
        within = sum(k.sum() - np.trace(k) for k in [kernel(x, x), kernel(y, y)])
        distances.append(within / (m * (m - 1)) - 2 * kernel(x, y).mean())
    return np.array(distances)


def both(peer, exact):
    return {"peer": float(peer), "exact": float(exact)}


# --- The programs ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def watched(target, name, results):
    """Appends what `target.name` returns to `results`."""
    original = getattr(target, name)

    def watch(*args, **kwargs):
        results.append(original(*args, **kwargs))
        return results[-1]

    with mock.patch.object(target, name, watch), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def keep(tensors, mode, tap, features, resized):
    """Features of STAGES, at the narrowest tap of every picture, and what of STAGES went into the network before it was scaled."""
    tensors[f"{mode}.{tap}.features"] = features[1][STAGES].astype(np.float32)
    if tap == 64:
        for side, rows in zip(SIDES, features):
            tensors[f"{mode}.{tap}.features.{side}"] = rows.astype(np.float32)
    if tap == 2048:
        for index in STAGES:
            image = np.asarray(resized[len(features[0]) + index], np.float32)
            assert image.shape == (3, 299, 299) and len(resized) == sum(map(len, features))
            tensors[f"{mode}.resized.{index:02}"] = image[:, SAMPLED][:, :, SAMPLED]


def pytorch_fid(tensors):
    from pytorch_fid import fid_score

    values = {}
    for tap in [64, 192, 768, 2048]:
        features, resized = [], []
        with watched(fid_score, "get_activations", features), watched(torch.nn.functional, "interpolate", resized):
            value = fid_score.calculate_fid_given_paths([str(FOLDER / side) for side in SIDES], 1, "cpu", tap, num_workers=0)
        values[str(tap)] = both(value, frechet(*features))
        keep(tensors, "pytorch-fid", tap, features, [image[0] for image in resized])
    return {"fid": values}


def torch_fidelity(tensors):
    import torch_fidelity as package
    from torch_fidelity import feature_extractor_inceptionv3 as extractor
    from torch_fidelity import metric_kid, utils

    options = dict(zip(["input1", "input2"], [str(FOLDER / side) for side in SIDES]))
    options |= {"cuda": False, "batch_size": 1, "cache": False, "save_cpu_ram": True, "verbose": False}
    fid, kid = {}, []
    for tap in [64, 192, 768, 2048]:
        found, resized = [], []
        with watched(utils, "get_featuresdict_from_dataset", found), watched(extractor, "interpolate_bilinear_2d_like_tensorflow1x", resized):
            value = package.calculate_metrics(**options, fid=True, feature_layer_fid=str(tap))
        features = [side[str(tap)].numpy() for side in found]
        fid[str(tap)] = both(value["frechet_inception_distance"], frechet(*features))
        keep(tensors, "torch-fidelity", tap, features, [image[0] for image in resized])
        if tap in (64, 2048):
            for size in [min(len(side) for side in features), 16]:
                settings = {"kid_subsets": 100, "kid_subset_size": size, "rng_seed": 2020}
                peer = metric_kid.kid_features_to_metric(*(torch.from_numpy(side) for side in features), verbose=False, **settings)
                random = np.random.RandomState(2020)
                subsets = [[random.choice(len(side), size, replace=False) for side in features] for _ in range(100)]
                exact = kernel_distances(*features, subsets)
                tensors[f"torch-fidelity.subsets.{size}"] = np.array([subsets[0], subsets[-1]])
                kid.append(
                    {
                        "tap": tap,
                        "subsets": 100,
                        "subset_size": size,
                        "seed": 2020,
                        "mean": both(peer[metric_kid.KEY_METRIC_KID_MEAN], exact.mean()),
                        "std": both(peer[metric_kid.KEY_METRIC_KID_STD], exact.std()),
                    }
                )
    return {"fid": fid, "kid": kid}


def clean_fid(tensors):
    from cleanfid import fid as package
    from cleanfid import inception_torchscript as loader

    # The file holds the network that clean-fid takes out of a larger one.
    network = torch.jit.load(WEIGHTS).net
    with mock.patch.object(loader, "check_download_inception", lambda fpath: None), mock.patch.object(torch.jit, "load", lambda path: network):
        model = package.build_feature_extractor("clean", torch.device("cpu"), use_dataparallel=False)
    features, resized = [], []

    def watched_model(batch):
        resized.append(batch[0].numpy())
        return model(batch)

    options = {"custom_feat_extractor": watched_model, "mode": "clean", "num_workers": 0, "batch_size": 1, "device": torch.device("cpu")}
    with watched(package, "get_folder_features", features):
        value = package.compute_fid(*(str(FOLDER / side) for side in SIDES), **options, verbose=False)
    keep(tensors, "clean", 2048, features, resized)

    # With sides of one length, whole sets are compared, and it does not matter that the choice of subsets is not seeded.
    size = min(len(side) for side in features)
    equal = [side[:size] for side in features]
    whole = both(package.kernel_distance(*equal, num_subsets=1), kernel_distances(*equal, [[slice(None)] * 2])[0])
    kid = [{"tap": 2048, "of_each_side": size, "subsets": 1, "subset_size": size, "mean": whole}]
    # Its generator is the one that torch-fidelity seeds, but it draws from its second folder first. So that either order of drawing
    # has a value, it is called with either side as the second; the distance itself is symmetric.
    for first in [0, 1]:
        np.random.seed(2020)
        peer = package.kernel_distance(features[1 - first], features[first], num_subsets=100, max_subset_size=16)
        random = np.random.RandomState(2020)
        subsets = []
        for _ in range(100):
            drawn = {side: random.choice(len(features[side]), 16, replace=False) for side in [first, 1 - first]}
            subsets.append([drawn[0], drawn[1]])
        tensors[f"clean.subsets.16.{SIDES[first]}-first"] = np.array([subsets[0], subsets[-1]])
        exact = kernel_distances(*features, subsets)
        settings = {"tap": 2048, "subsets": 100, "subset_size": 16, "seed": 2020, "drawn_first": SIDES[first]}
        kid.append({**settings, "mean": both(peer, exact.mean()), "std": {"exact": float(exact.std())}})
    return {"fid": {"2048": both(value, frechet(*features))}, "kid": kid}


def statistics(scratch, rng):
    """Files of statistics as pytorch-fid writes them, of the real side and of two sets that have more pictures than features."""
    from pytorch_fid import fid_score

    for name in ["many-a", "many-b"]:
        draw_set(scratch / name, [(40, 30)] * 96, rng, haze=name == "many-b")
    features = []
    files = {name: str(FOLDER / f"{name}-64.npz") for name in ["real", "many-a", "many-b"]}
    with watched(fid_score, "get_activations", features):
        for name, file in files.items():
            folder = FOLDER / name if name == "real" else scratch / name
            fid_score.save_fid_stats([str(folder), file], 1, "cpu", 64, num_workers=0)
        value = fid_score.calculate_fid_given_paths([files["many-a"], files["many-b"]], 1, "cpu", 64, num_workers=0)
    with np.load(files["real"]) as real:
        np.savez(FOLDER / "real-64-stored.npz", **real)
    return {"many": {"tap": 64, "pictures": 96, **both(value, frechet(*features[1:]))}}


# --- Files -------------------------------------------------------------------------------------------------------


def provenance():
    def digest(*paths):
        return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()

    hashes = {path.name: digest(path) for path in sorted(FOLDER.iterdir()) if path.is_file()}
    hashes |= {f"{side}/*.png": digest(*sorted((FOLDER / side).iterdir())) for side in SIDES}
    lines = [
        'reference = "pytorch-fid, torch-fidelity and clean-fid, given one network"',
        'command = "python scripts/golden/sets.py"',
        f'date = "{datetime.date.today()}"',
        f"seed = {SEED}",
        'device = "cpu"',
        f'tolerance = "{TOLERANCE}"',
        f'weights_sha256 = "{digest(WEIGHTS)}"',
        "",
        "[versions]",
        *(f'{name} = "{importlib.metadata.version(name)}"' for name in PACKAGES),
        "",
        "[sha256]",
        "# Of a folder: of the content of its files in the order of their names.",
        *(f'"{name}" = "{value}"' for name, value in hashes.items()),
    ]
    (FOLDER / "PROVENANCE.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
