#!/usr/bin/env python3
"""Times `bench measure` beside the Python tools whose numbers it gives; started by metrics.sh, whose --help says how.

Every row is a process of its own. Beside tools that have a command, the time of the whole process counts on both sides. scipy, prdc,
lpips, DISTS-pytorch, transformers, timm, scikit-image and pytorch-msssim are libraries: a few lines at the end of this file use them as
their documentation does, and report the time of that work alone, without Python's start and imports. Beside all of these but scipy and
prdc ours leaves out its start too: what the same command takes for one pair, or two, is taken off. This process stays small: the peak
memory that Linux reports of a child begins with what its parent had.
"""

# help:   --part NAME,...  fid, fidelity, distance, prdc, lpips, dists, clip_i, fd_dinov2, ssim,
# help:                    ms_ssim [default: all]
# help:   --count N        pictures of each side [default: 256]
# help:   --size HxW       their size [default: 256x192]
# help:   --threads N      threads and processor cores for either tool [default: 2]
# help:   --repeat N       runs of each tool, in turn; the fastest is shown [default: 2]
# help:   --bench FILE     [default: target/release/bench]
# help:   --scratch DIR    pictures, statistics and weights, kept for the next run [default: target/peers-metrics]

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/golden"))
PARTS = ["fid", "fidelity", "distance", "prdc", "lpips", "dists", "clip_i", "fd_dinov2", "ssim", "ms_ssim"]
SEED = 20250919
NETS = {"squeeze": "squeezenet1_1-b8a52dc0.pth", "alex": "alexnet-owt-7be5be79.pth"}
HEADER = "| what | tool | seconds | pictures or pairs a second | peak memory of the largest process, MB | score |"


@dataclass
class Run:
    seconds: float
    megabytes: float
    score: float
    # Of `seconds`, those that count for the rate.
    at_work: float


class Bench:
    """Where everything is, and how processes are run."""

    def __init__(self, options):
        self.options = options
        self.scratch = Path(options.scratch).resolve()
        self.sides = [self.scratch / f"{side}-{options.count}-{options.size}" for side in ["generated", "real"]]
        self.environment = os.environ | {
            "TORCH_HOME": str(self.scratch),
            # torch-fidelity's own files of statistics hold numpy arrays, which torch refuses since 2.6.
            "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
            "PYTHONWARNINGS": "ignore",
            **{f"{name}_NUM_THREADS": str(options.threads) for name in ["OMP", "MKL", "OPENBLAS", "RAYON"]},
        }
        self.cores = sorted(os.sched_getaffinity(0))[: options.threads]

    def run(self, command, score, at_work=None):
        """Runs a command to its end. `score` and `at_work` find numbers in what it prints."""
        command = [str(word) for word in command]
        with tempfile.TemporaryFile() as words:
            started = time.perf_counter()
            process = subprocess.Popen(
                command,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=words,
                preexec_fn=lambda: os.sched_setaffinity(0, self.cores),
            )
            output = process.stdout.read().decode()
            # Not wait(), which does not tell what the process used.
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                words.seek(0)
                sys.exit(f"peers: {' '.join(command)} failed:\n{output}{words.read().decode()}")
        return Run(seconds, usage.ru_maxrss / 1024, score(output), at_work(output) if at_work else seconds)

    def ours(self, generated, real, metric, *more):
        command = [self.options.bench, "measure", "--generated", generated, "--real", real, "--metric", metric]
        command += ["--threads", self.options.threads, "--json", *more]
        if "--cache" not in more:
            command.append("--no-cache")
        return lambda: self.run(command, lambda output: json.loads(output)["metrics"][0]["value"])

    def ours_at_work(self, metric, *more, least=1):
        """Both sides, less the time that the same command takes for the `least` number of pairs that it has a value for."""
        few = [side.with_name(f"{least}-of-{side.name}") for side in self.sides]
        for folder, side in zip(few, self.sides):
            if not folder.exists():
                folder.mkdir()
                for file in sorted(side.glob("*.png"))[:least]:
                    shutil.copy(file, folder / file.name)
        start, all_pairs = self.ours(*few, metric, *more), self.ours(*self.sides, metric, *more)

        def run():
            took = start().seconds
            run = all_pairs()
            share = self.options.count / (self.options.count - least)
            return replace(run, at_work=(run.seconds - took) * share)

        return run

    def worker(self, *words):
        """A library at work, in a process of its own."""
        command = [sys.executable, __file__, "--worker", *words]
        return lambda: self.run(command, lambda output: json.loads(output)["score"], lambda output: json.loads(output)["seconds"])

    def make(self, file, what, *words):
        """Makes a file or folder, if it is not there, in a process of its own."""
        if not file.exists():
            partial = file.with_name(f"partial-{file.name}")
            self.run([sys.executable, __file__, "--make", what, partial, *words], lambda output: 0.0)
            partial.rename(file)

    def compare(self, what, count, ours, theirs):
        """Runs both sides in turn and prints their rows. `theirs` is one tool's name and run."""
        name, peer = theirs
        runs = {"bench measure": [], name: []}
        for _ in range(self.options.repeat):
            for tool, run in [("bench measure", ours), (name, peer)]:
                runs[tool].append(run())
                print(f"peers: {what}: {tool}: {runs[tool][-1].seconds:.2f} s", file=sys.stderr)
        best = {tool: min(each, key=lambda run: run.at_work) for tool, each in runs.items()}
        times = best[name].at_work / best["bench measure"].at_work
        for tool, run in best.items():
            rate = f"{count / run.at_work:.1f}" if count else ""
            faster = f" ({times:.1f} times as fast)" if tool == "bench measure" else ""
            print(f"| {what} | {tool} | {run.at_work:.2f}{faster} | {rate} | {run.megabytes:.0f} | {run.score!r} |", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="scripts/peers/metrics.sh")
    parser.add_argument("--part", default=",".join(PARTS))
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--size", default="256x192")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--bench", default=ROOT / "target/release/bench")
    parser.add_argument("--scratch", default=ROOT / "target/peers-metrics")
    options = parser.parse_args()
    parts = options.part.split(",")
    unknown = set(parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if not re.fullmatch(r"\d+x\d+", options.size):
        parser.error("--size: expected HEIGHTxWIDTH, e.g. 256x192")
    if not Path(options.bench).is_file():
        sys.exit(f"peers: {options.bench}: no such file; build it with cargo build --release --bins --examples")

    bench = Bench(options)
    prepare(bench)
    print(f"{machine()}; {len(bench.cores)} threads; {options.count} PNG of {options.size} a side; {time.strftime('%Y-%m-%d')}\n")
    print(f"{HEADER}\n{re.sub('[^|]+', '---', HEADER)}")
    for part in parts:
        globals()[f"part_{part}"](bench)
    print(
        "\nSeconds are those of the whole process. For lpips, DISTS-pytorch, transformers, timm, scikit-image and pytorch-msssim (both sides), scipy and prdc they are "
        "those of the work, without start and imports."
    )


def machine():
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return model[1] if model else platform.machine()


def prepare(bench):
    for seed, side in enumerate(bench.sides, SEED):
        bench.make(side, "pictures", bench.options.count, bench.options.size, seed)
    bench.make(bench.scratch / "hub", "inception")


# --- Parts -------------------------------------------------------------------------------------------------------


def part_fid(bench):
    """A folder against ready statistics."""
    generated, real = bench.sides
    statistics = real.with_suffix(".pytorch-fid.npz")
    command = [sys.executable, "-m", "pytorch_fid", "--device", "cpu"]
    if not statistics.is_file():
        bench.run([*command, "--save-stats", real, statistics], lambda output: 0.0)
    theirs = "pytorch-fid", lambda: bench.run([*command, generated, statistics], lambda output: float(output.split("FID:")[1]))
    bench.compare("FID", bench.options.count, bench.ours(generated, statistics, "fid"), theirs)


def part_fidelity(bench):
    """The same as torch-fidelity defines FID; its ready statistics are in its cache."""
    generated, real = bench.sides
    # Without a name for the first side, that one is computed at each run.
    command = [sys.executable, "-m", "torch_fidelity.fidelity", "--cpu", "--fid", "--json", "--silent"]
    command += ["--input1", generated, "--input2", real, "--input2-cache-name", real.name]
    theirs = "torch-fidelity", lambda: bench.run(command, lambda output: json.loads(output)["frechet_inception_distance"])
    cached = bench.scratch / f"fidelity_cache/{real.name}-inception-v3-compat-stat-fid-2048.pt"
    if not cached.is_file():
        theirs[1]()
    statistics = real.with_suffix(".torch-fidelity.npz")
    bench.make(statistics, "statistics", cached)
    bench.compare("FID as torch-fidelity defines it", bench.options.count, bench.ours(generated, statistics, "fid:torch-fidelity"), theirs)


def part_distance(bench):
    """The distance alone, 2048 wide: of statistics with more samples than features, with fewer, and of features computed before."""
    for count in [4096, 256]:
        files = [bench.scratch / f"{side}-{count}-samples.npz" for side in "ab"]
        for index, file in enumerate(files):
            bench.make(file, "samples", count, index)
        command = [Path(bench.options.bench).with_name("examples") / "distance", *files]
        alone = lambda: bench.run(command, lambda output: json.loads(output)["score"], lambda output: json.loads(output)["seconds"])
        theirs = "scipy sqrtm", bench.worker("distance", *files)
        bench.compare(f"Fréchet distance alone, {count} samples, .npz", None, alone, theirs)
        bench.compare(f"Fréchet distance, {count} samples, .npz, our whole process", None, bench.ours(*files, "fid"), theirs)

    # Ours from features in its cache, with the reading of all pictures' hashes; theirs from the statistics of the same features.
    cache = bench.scratch / "cache"
    files = [side.with_suffix(".ours.npz") for side in bench.sides]
    for side, file in zip(bench.sides, files):
        if not file.is_file():
            command = [bench.options.bench, "measure", "--real", side, "--metric", "fid", "--write-statistics", file, "--cache", cache]
            bench.run(command, lambda output: 0.0)
    ours = bench.ours(*bench.sides, "fid", "--cache", cache)
    ours()
    bench.compare(f"Fréchet distance, {bench.options.count} pictures, features cached", None, ours, ("scipy sqrtm", bench.worker("distance", *files)))


def part_prdc(bench):
    """Ours of one of four metrics from features in its cache, with the reading of all pictures' hashes; theirs of all four from features of
    the same size, since it cannot compute fewer."""
    cache = bench.scratch / "cache"
    ours = bench.ours(*bench.sides, "coverage", "--cache", cache)
    ours()
    theirs = "prdc, four metrics, other features", bench.worker("prdc", bench.options.count)
    bench.compare(f"Coverage, {bench.options.count} pictures, features cached", None, ours, theirs)


def part_lpips(bench):
    """Backbones of random weights, the same file for both; heads as published."""
    for net, name in NETS.items():
        weights = bench.scratch / f"lpips-{net}.pth"
        bench.make(weights, "backbone", net)
        # The name that lpips looks for promises a hash, which bench would check.
        shutil.copy(weights, bench.scratch / "hub/checkpoints" / name)
        tried = {}
        few = min(bench.options.count, 32)
        for layout in ["contiguous", "channels_last"]:
            for batch in [1, 4, 16, 32]:
                if batch <= few:
                    tried[layout, batch] = bench.worker("lpips", *bench.sides, net, layout, batch, few)().at_work
        layout, batch = min(tried, key=tried.get)
        theirs = f"lpips, batch {batch}, {layout}", bench.worker("lpips", *bench.sides, net, layout, batch, bench.options.count)
        ours = bench.ours_at_work(f"lpips:{net}", "--weights", f"lpips-{net}={weights}")
        bench.compare(f"LPIPS {net}", bench.options.count, ours, theirs)


def part_dists(bench):
    """A backbone of random weights, the same file for both; weights of channels as published with the package."""
    weights, channels = bench.scratch / "dists-vgg.pth", bench.scratch / "dists_weights.pt"
    bench.make(weights, "backbone", "vgg")
    bench.make(channels, "channels")
    few = min(bench.options.count, 16)
    tried = {batch: bench.worker("dists", *bench.sides, weights, channels, batch, few)().at_work for batch in [1, 4, 16] if batch <= few}
    batch = min(tried, key=tried.get)
    theirs = f"DISTS-pytorch, batch {batch}", bench.worker("dists", *bench.sides, weights, channels, batch, bench.options.count)
    ours = bench.ours_at_work("dists", "--weights", f"lpips-vgg={weights}", "--weights", f"dists={channels}")
    bench.compare("DISTS", bench.options.count, ours, theirs)


def part_clip_i(bench):
    """CLIP ViT-B/32 of random weights, the same file for both."""
    weights = bench.scratch / "clip-b-32.safetensors"
    bench.make(weights, "clip")
    theirs = "transformers", bench.worker("clip_i", *bench.sides, weights, bench.options.count)
    ours = bench.ours_at_work("clip-i", "--weights", f"clip-vit-b-32={weights}")
    bench.compare("CLIP-I, ViT-B/32", bench.options.count, ours, theirs)


def part_fd_dinov2(bench):
    """DINOv2 ViT-S/14 of random weights, the same file for both. timm enlarges the learned positions by another rule than the authors, so the
    scores are near each other and not equal."""
    weights = bench.scratch / "dinov2-s-14.pth"
    bench.make(weights, "dinov2")
    theirs = "timm", bench.worker("fd_dinov2", *bench.sides, weights, bench.options.count)
    ours = bench.ours_at_work("fd-dinov2:vits14", "--weights", f"dinov2-vits14={weights}", least=2)
    bench.compare("FD-DINOv2, ViT-S/14", 2 * bench.options.count, ours, theirs)


def part_ssim(bench):
    theirs = "scikit-image", bench.worker("ssim", *bench.sides, bench.options.count)
    bench.compare("SSIM", bench.options.count, bench.ours_at_work("ssim"), theirs)


def part_ms_ssim(bench):
    theirs = "pytorch-msssim", bench.worker("ms_ssim", *bench.sides, bench.options.count)
    bench.compare("MS-SSIM", bench.options.count, bench.ours_at_work("ms-ssim"), theirs)


# --- What is made in processes of their own ----------------------------------------------------------------------


def make_pictures(folder, count, size, seed):
    import numpy as np
    import sets

    height, width = map(int, size.split("x"))
    sets.draw_set(folder, [(width, height)] * int(count), np.random.default_rng(int(seed)), haze=int(seed) == SEED)


def make_inception(hub):
    """The network where pytorch-fid and torch-fidelity would download it to."""
    import sets

    sets.place_weights(hub, sets.WEIGHTS)


def make_statistics(file, cached):
    """The statistics in the cache of torch-fidelity as .npz."""
    import numpy as np
    import torch

    np.savez(file, **{name: np.asarray(value, np.float64) for name, value in torch.load(cached, weights_only=False).items()})


def make_samples(file, count, index):
    import numpy as np

    rng = np.random.default_rng(SEED + int(index))
    features = rng.gamma(0.6 + 0.2 * int(index), 0.5, (int(count), 2048)) * rng.uniform(0.2, 2, 2048)
    np.savez(file, mu=features.mean(0), sigma=np.cov(features, rowvar=False))


def make_backbone(file, net):
    import torch
    import torchvision

    torch.manual_seed(SEED)
    nets = {"squeeze": torchvision.models.squeezenet1_1, "alex": torchvision.models.alexnet, "vgg": torchvision.models.vgg16}
    torch.save(nets[net](weights=None).state_dict(), file)


def make_clip(file):
    import torch
    from safetensors.torch import save_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(SEED)
    save_file(CLIPVisionModelWithProjection(CLIPVisionConfig(hidden_act="quick_gelu")).state_dict(), file)


def make_dinov2(file):
    import torch

    torch.manual_seed(SEED)
    # The published file has it, for training; nothing else reads it.
    torch.save(dinov2().state_dict() | {"mask_token": torch.zeros(1, 384)}, file)


def dinov2():
    import timm

    return timm.create_model("vit_small_patch14_dinov2", pretrained=False, num_classes=0, dynamic_img_size=True).eval()


def make_channels(file):
    """What DISTS-pytorch brings along."""
    import DISTS_pytorch

    shutil.copy(Path(DISTS_pytorch.__file__).with_name("weights.pt"), file)


# --- Libraries at work -------------------------------------------------------------------------------------------


def work_distance(*files):
    import numpy as np
    from pytorch_fid.fid_score import calculate_frechet_distance

    statistics = []
    for file in files:
        with np.load(file) as values:
            statistics += [values["mu"], values["sigma"]]
    return lambda: calculate_frechet_distance(*statistics)


def paths(folders, count):
    return list(zip(*(sorted(Path(folder).glob("*.png"))[: int(count)] for folder in folders)))


def work_lpips(generated, real, net, layout, batch, count):
    import lpips
    import numpy as np
    import torch
    from PIL import Image

    model = lpips.LPIPS(net=net, verbose=False).to(memory_format=getattr(torch, f"{layout}_format" if layout == "contiguous" else layout))
    pairs = paths([generated, real], count)
    batch = int(batch)

    def side(files):
        images = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
        # Pillow's order of values is channels-last already.
        tensor = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
        return tensor.contiguous() if layout == "contiguous" else tensor.contiguous(memory_format=torch.channels_last)

    def work():
        values = []
        with torch.inference_mode():
            for start in range(0, len(pairs), batch):
                sides = [side(files) for files in zip(*pairs[start : start + batch])]
                values += model(*sides).flatten().tolist()
        return sum(values) / len(values)

    return work


def work_prdc(count):
    import numpy as np
    from prdc import compute_prdc

    rng = np.random.default_rng(SEED)
    real, generated = (rng.gamma(0.6 + 0.1 * side, 0.5, (int(count), 2048)) for side in range(2))
    return lambda: compute_prdc(real_features=real, fake_features=generated, nearest_k=5)["coverage"]


def work_dists(generated, real, weights, channels, batch, count):
    from unittest import mock

    import torch
    import torchvision
    from DISTS_pytorch import DISTS
    from DISTS_pytorch.DISTS_pt import prepare_image
    from PIL import Image

    backbone = torchvision.models.vgg16(weights=None)
    backbone.load_state_dict(torch.load(weights))
    with mock.patch.object(torchvision.models, "vgg16", lambda pretrained: backbone):
        model = DISTS(load_weights=False)
    for name, values in torch.load(channels).items():
        getattr(model, name).data = values
    pairs, batch = paths([generated, real], count), int(batch)

    def work():
        values = []
        with torch.inference_mode():
            for start in range(0, len(pairs), batch):
                files = zip(*pairs[start : start + batch])
                sides = [torch.cat([prepare_image(Image.open(file).convert("RGB")) for file in side]) for side in files]
                values += model(*sides).flatten().tolist()
        return sum(values) / len(values)

    return work


def work_clip_i(generated, real, weights, count):
    import torch
    from PIL import Image
    from safetensors.torch import load_file
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    model = CLIPVisionModelWithProjection(CLIPVisionConfig(hidden_act="quick_gelu")).eval()
    model.load_state_dict(load_file(weights))
    processor = CLIPImageProcessor()
    pairs, batch = paths([generated, real], count), 8

    def embedded(files):
        inputs = processor(images=[Image.open(file).convert("RGB") for file in files], return_tensors="pt")
        return torch.nn.functional.normalize(model(**inputs).image_embeds, dim=1)

    def work():
        values = []
        with torch.inference_mode():
            for start in range(0, len(pairs), batch):
                sides = [embedded(files) for files in zip(*pairs[start : start + batch])]
                values += (sides[0] * sides[1]).sum(1).tolist()
        return sum(values) / len(values)

    return work


def work_fd_dinov2(generated, real, weights, count):
    import numpy as np
    import torch
    from PIL import Image
    from pytorch_fid.fid_score import calculate_frechet_distance
    from torchvision import transforms

    model = dinov2()
    model.load_state_dict({name: values for name, values in torch.load(weights).items() if name != "mask_token"})
    steps = [
        transforms.Resize((224, 224), transforms.InterpolationMode.BICUBIC),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
    prepare, batch = transforms.Compose(steps), 8

    def features(folder):
        files = sorted(Path(folder).glob("*.png"))[: int(count)]
        rows = []
        for start in range(0, len(files), batch):
            images = [prepare(Image.open(file).convert("RGB")) for file in files[start : start + batch]]
            rows.append(model(torch.stack(images)).double().numpy())
        return np.concatenate(rows)

    def work():
        with torch.inference_mode():
            statistics = [(rows.mean(0), np.cov(rows, rowvar=False)) for rows in map(features, [generated, real])]
        return calculate_frechet_distance(*statistics[0], *statistics[1])

    return work


def work_ms_ssim(generated, real, count):
    import numpy as np
    import torch
    from PIL import Image
    from pytorch_msssim import ms_ssim

    pairs = paths([generated, real], count)

    def read(file):
        return torch.from_numpy(np.array(Image.open(file).convert("RGB"))).permute(2, 0, 1)[None].float()

    def work():
        with torch.inference_mode():
            values = [ms_ssim(*(read(file) for file in pair), data_range=255).item() for pair in pairs]
        return sum(values) / len(values)

    return work


def work_ssim(generated, real, count):
    import numpy as np
    from PIL import Image
    from skimage.metrics import structural_similarity

    options = {"channel_axis": 2, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    pairs = paths([generated, real], count)

    def work():
        values = [structural_similarity(*(np.asarray(Image.open(file).convert("RGB")) for file in pair), **options) for pair in pairs]
        return sum(values) / len(values)

    return work


def worker(name, *words):
    import contextlib

    with contextlib.redirect_stdout(sys.stderr):
        work = globals()[f"work_{name}"](*words)
        started = time.perf_counter()
        score = float(work())
        seconds = time.perf_counter() - started
    print(json.dumps({"score": score, "seconds": seconds}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:])
    elif sys.argv[1:2] == ["--make"]:
        globals()[f"make_{sys.argv[2]}"](Path(sys.argv[3]), *sys.argv[4:])
    else:
        main()
