#!/usr/bin/env python3
"""Times `bench measure` beside the Python tools whose numbers it gives; started by metrics.sh, whose --help says how.

Every row is a process of its own. With tools that have a command, and with prdc, the time of the whole process counts on both sides. scipy,
lpips, DISTS-pytorch, transformers, timm, cmmd-pytorch, scikit-image and pytorch-msssim are libraries: a few lines at the end of this file use
them as their documentation does, and report the time of that work alone, without Python's start and imports. Beside all of these but scipy
ours leaves out its start too: what the same command takes for one pair, or two, is taken off. This process stays small: the peak memory that
Linux reports of a child begins with what its parent had.
"""

# help:   --part NAME,...  fid, fidelity, kid, inception_score, mind, precision, distance, prdc, lpips,
# help:                    dists, clip_i, dino_i, fd_dinov2, cmmd, ssim, ms_ssim, psnr [default: all]
# help:   --count N        pictures of each side; slow parts take fewer [default: 256]
# help:   --size HxW       their size [default: 256x192]
# help:   --threads N      threads and processor cores for either tool [default: 2]
# help:   --clock CLOCK    wall, or processor: for one thread on a machine that does other things too
# help:                    [default: wall]
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
PARTS = (
    "fid fidelity kid inception_score mind precision distance prdc lpips dists clip_i dino_i fd_dinov2 cmmd ssim ms_ssim psnr".split()
)
# Pictures of each side that a part gets at most, so that no tool takes much longer than a minute on one core.
MOST = dict.fromkeys("fid fidelity kid inception_score mind precision prdc clip_i dino_i fd_dinov2".split(), 64) | {"dists": 32, "cmmd": 8}
# No release has precision, recall and MIND (the first), or anything (the second). The commits are those of the reference values.
FIDELITY = "https://github.com/toshas/torch-fidelity", "5e211a950a7b45206bd4976813ffd6aed6cf4ccc"
CMMD = "https://github.com/sayakpaul/cmmd-pytorch", "f7673a9f46320ac958878c19f7686e203376ad9d"
SEED = 20250919
NETS = {"squeeze": "squeezenet1_1-b8a52dc0.pth", "alex": "alexnet-owt-7be5be79.pth"}
HEADER = "| what | pictures a side | tool | seconds | pictures or pairs a second | peak memory of the largest process, MB | score | difference |"


@dataclass
class Run:
    # By the clock that was asked for.
    seconds: float
    megabytes: float
    scores: list[float]
    # Of `seconds`, those that count for the rate.
    at_work: float


class Bench:
    """Where everything is, and how processes are run."""

    def __init__(self, options):
        self.options = options
        self.scratch = Path(options.scratch).resolve()
        self.all = [self.scratch / f"{side}-{options.count}-{options.size}" for side in ["generated", "real"]]
        self.take(options.count)
        self.environment = os.environ | {
            "TORCH_HOME": str(self.scratch),
            # torch-fidelity's own files of statistics hold numpy arrays, which torch refuses since 2.6.
            "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
            "PYTHONWARNINGS": "ignore",
            **{f"{name}_NUM_THREADS": str(options.threads) for name in ["OMP", "MKL", "OPENBLAS", "RAYON"]},
        }
        self.cores = sorted(os.sched_getaffinity(0))[: options.threads]

    def take(self, count):
        """Makes `count` pictures of each side those that are measured."""
        self.count, self.sides = count, self.few(count)

    def few(self, count):
        """Two folders with the first pictures of each side."""
        if count == self.options.count:
            return self.all
        folders = [side.with_name(f"{count}-of-{side.name}") for side in self.all]
        for folder, side in zip(folders, self.all):
            if not folder.exists():
                folder.mkdir()
                for file in sorted(side.glob("*.png"))[:count]:
                    shutil.copy(file, folder / file.name)
        return folders

    def run(self, command, scores, at_work=None, **variables):
        """Runs a command to its end. `scores` and `at_work` find numbers in what it prints; `variables` are of its environment."""
        command = [str(word) for word in command]
        with tempfile.TemporaryFile() as words:
            started = time.perf_counter()
            process = subprocess.Popen(
                command,
                env=self.environment | variables,
                stdout=subprocess.PIPE,
                stderr=words,
                preexec_fn=lambda: os.sched_setaffinity(0, self.cores),
            )
            output = process.stdout.read().decode()
            # Not wait(), which does not tell what the process used.
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            if self.options.clock == "processor":
                seconds = usage.ru_utime + usage.ru_stime
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                words.seek(0)
                sys.exit(f"peers: {' '.join(command)} failed:\n{output}{words.read().decode()}")
        found = scores(output)
        found = found if isinstance(found, list) else [found]
        return Run(seconds, usage.ru_maxrss / 1024, found, at_work(output) if at_work else seconds)

    def ours(self, generated, real, metrics, *more):
        """`metrics` are separated by spaces."""
        command = [self.options.bench, "measure", "--generated", generated, "--real", real]
        for metric in metrics.split():
            command += ["--metric", metric]
        command += ["--threads", self.options.threads, "--json", *more]
        if "--cache" not in more:
            command.append("--no-cache")
        return lambda: self.run(command, lambda output: [metric["value"] for metric in json.loads(output)["metrics"]])

    def ours_at_work(self, metric, *more, least=1):
        """Both sides, less the time that the same command takes for the `least` number of pairs that it has a value for."""
        start, all_pairs = self.ours(*self.few(least), metric, *more), self.ours(*self.sides, metric, *more)

        def run():
            took = start().seconds
            run = all_pairs()
            share = self.count / (self.count - least)
            return replace(run, at_work=(run.seconds - took) * share)

        return run

    def worker(self, *words, **variables):
        """A library at work, in a process of its own."""
        clock = self.options.clock
        command = [sys.executable, __file__, "--worker", *words]
        return lambda: self.run(command, lambda output: json.loads(output)["scores"], lambda output: json.loads(output)[clock], **variables)

    def fidelity(self, flags, keys, inputs=2):
        """torch-fidelity's command with `flags`, which prints values under `keys`, of one side or both."""
        command = [sys.executable, "-m", "torch_fidelity.fidelity", "--cpu", "--json", "--silent", "--no-cache", *flags.split()]
        for index, side in enumerate(self.sides[:inputs], 1):
            command += [f"--input{index}", side]
        folder = str(self.checkout(*FIDELITY))
        found = lambda output: [json.loads(output)[key] for key in keys.split()]
        return "torch-fidelity", lambda: self.run(command, found, PYTHONPATH=folder)

    def checkout(self, url, commit):
        """The code at `url` as it was at `commit`."""
        folder = self.scratch / url.rsplit("/", 1)[1]
        git = lambda folder, *words: subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True).stdout.strip()
        if not folder.exists():
            partial = folder.with_name(f"partial-{folder.name}")
            shutil.rmtree(partial, ignore_errors=True)
            git(self.scratch, "clone", url, partial)
            git(partial, "checkout", commit)
            partial.rename(folder)
        found = git(folder, "rev-parse", "HEAD")
        if found != commit:
            sys.exit(f"peers: {folder}: expected commit {commit}, found {found}; remove the folder")
        return folder

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
        differences = [abs(x - y) for x, y in zip(*(run.scores for run in best.values()), strict=True)]
        for tool, run in best.items():
            rate = f"{count / run.at_work:.1f}" if count else ""
            faster = f" ({times:.2f} times as fast)" if tool == "bench measure" else ""
            difference = f"{max(differences):.1e}" if tool == "bench measure" else ""
            scores = ", ".join(map(repr, run.scores))
            cells = what, self.count, tool, f"{run.at_work:.2f}{faster}", rate, f"{run.megabytes:.0f}", scores, difference
            print("|", " | ".join(map(str, cells)), "|", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="scripts/peers/metrics.sh")
    parser.add_argument("--part", default=",".join(PARTS))
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--size", default="256x192")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=["wall", "processor"], default="wall")
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
    clock = "" if options.clock == "wall" else "; processor time"
    print(f"{machine()}; {len(bench.cores)} threads; PNG of {options.size}{clock}; {time.strftime('%Y-%m-%d')}\n")
    print(f"{HEADER}\n{re.sub('[^|]+', '---', HEADER)}")
    for part in parts:
        bench.take(min(options.count, MOST.get(part, options.count)))
        globals()[f"part_{part}"](bench)
    print(
        "\nSeconds are those of the whole process. For lpips, DISTS-pytorch, transformers, timm, cmmd-pytorch, scikit-image and pytorch-msssim"
        " (both sides) and scipy they are those of the work, without start and imports."
    )


def machine():
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return model[1] if model else platform.machine()


def prepare(bench):
    for seed, side in enumerate(bench.all, SEED):
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
    bench.compare("FID", bench.count, bench.ours(generated, statistics, "fid"), theirs)


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
    bench.compare("FID as torch-fidelity defines it", bench.count, bench.ours(generated, statistics, "fid:torch-fidelity"), theirs)


def part_kid(bench):
    """Of two folders, nothing known before. Subsets of half the pictures, drawn alike."""
    size = bench.count // 2
    theirs = bench.fidelity(f"--kid --kid-subset-size {size}", "kernel_inception_distance_mean")
    bench.compare("KID", 2 * bench.count, bench.ours(*bench.sides, "kid", "--subset-size", size), theirs)


def part_inception_score(bench):
    """The last layer is random, the same for both; the real pictures are not read by either."""
    generated, _ = bench.sides
    weights = bench.scratch / "hub/checkpoints/pt_inception-2015-12-05-6726825d.pth"
    theirs = bench.fidelity("--isc", "inception_score_mean", inputs=1)
    ours = bench.ours(generated, generated, "inception-score", "--weights", f"inception-logits={weights}")
    bench.compare("Inception score", bench.count, ours, theirs)


def part_mind(bench):
    theirs = bench.fidelity("--mind", "monge_inception_distance")
    bench.compare("MIND", 2 * bench.count, bench.ours(*bench.sides, "mind"), theirs)


def part_precision(bench):
    theirs = bench.fidelity("--prc --feature-extractor inception-v3-compat", "precision recall")
    bench.compare("Precision and recall", 2 * bench.count, bench.ours(*bench.sides, "precision recall"), theirs)


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
    bench.compare(f"Fréchet distance, {bench.count} pictures, features cached", None, ours, ("scipy sqrtm", bench.worker("distance", *files)))


def part_prdc(bench):
    """Of features that are ready: ours in its cache, with the reading of all pictures' hashes; theirs in an array. Theirs are precision and
    recall too, since it cannot leave them out."""
    caches = [bench.scratch / f"cache-of-{side.name}" for side in bench.sides]
    both = bench.scratch / "cache-of-both"
    for side, cache in zip(bench.sides, caches):
        command = [bench.options.bench, "measure", "--real", side, "--metric", "fid:torch-fidelity", "--cache", cache]
        bench.run([*command, "--write-statistics", bench.scratch / "not-used.npz"], lambda output: 0.0)
        shutil.copytree(cache, both, dirs_exist_ok=True)
    features = [file for cache in caches for file in cache.glob("*/*.safetensors")]
    work = bench.worker("prdc", *features)

    def whole():
        run = work()
        return replace(run, at_work=run.seconds)

    # The work of either is shorter than its start varies, so both count as whole processes.
    ours = bench.ours(*bench.sides, "density coverage", "--cache", both)
    bench.compare("Density and coverage, features cached", None, ours, ("prdc, four metrics", whole))


def part_lpips(bench):
    """Backbones of random weights, the same file for both; heads as published."""
    for net, name in NETS.items():
        weights = bench.scratch / f"lpips-{net}.pth"
        bench.make(weights, "backbone", net)
        # The name that lpips looks for promises a hash, which bench would check.
        shutil.copy(weights, bench.scratch / "hub/checkpoints" / name)
        tried = {}
        few = min(bench.count, 32)
        for layout in ["contiguous", "channels_last"]:
            for batch in [1, 4, 16, 32]:
                if batch <= few:
                    tried[layout, batch] = bench.worker("lpips", *bench.sides, net, layout, batch, few)().at_work
        layout, batch = min(tried, key=tried.get)
        theirs = f"lpips, batch {batch}, {layout}", bench.worker("lpips", *bench.sides, net, layout, batch, bench.count)
        ours = bench.ours_at_work(f"lpips:{net}", "--weights", f"lpips-{net}={weights}")
        bench.compare(f"LPIPS {net}", bench.count, ours, theirs)


def part_dists(bench):
    """A backbone of random weights, the same file for both; weights of channels as published with the package."""
    weights, channels = bench.scratch / "dists-vgg.pth", bench.scratch / "dists_weights.pt"
    bench.make(weights, "backbone", "vgg")
    bench.make(channels, "channels")
    few = min(bench.count, 16)
    tried = {batch: bench.worker("dists", *bench.sides, weights, channels, batch, few)().at_work for batch in [1, 4, 16] if batch <= few}
    batch = min(tried, key=tried.get)
    theirs = f"DISTS-pytorch, batch {batch}", bench.worker("dists", *bench.sides, weights, channels, batch, bench.count)
    ours = bench.ours_at_work("dists", "--weights", f"lpips-vgg={weights}", "--weights", f"dists={channels}")
    bench.compare("DISTS", bench.count, ours, theirs)


def part_clip_i(bench):
    """CLIP ViT-B/32 of random weights, the same file for both."""
    weights = bench.scratch / "clip-b-32.safetensors"
    bench.make(weights, "clip")
    theirs = "transformers", bench.worker("clip_i", *bench.sides, weights, bench.count)
    ours = bench.ours_at_work("clip-i", "--weights", f"clip-vit-b-32={weights}")
    bench.compare("CLIP-I, ViT-B/32", bench.count, ours, theirs)


def part_dino_i(bench):
    """DINOv2 ViT-S/14 of random weights, the same file for both."""
    weights = bench.scratch / "dinov2-s-14.pth"
    bench.make(weights, "dinov2")
    theirs = "timm", bench.worker("dino_i", *bench.sides, weights, bench.count)
    ours = bench.ours_at_work("dino-i:vits14", "--weights", f"dinov2-vits14={weights}")
    bench.compare("DINO-I, ViT-S/14", bench.count, ours, theirs)


def part_fd_dinov2(bench):
    """The same network."""
    weights = bench.scratch / "dinov2-s-14.pth"
    bench.make(weights, "dinov2")
    theirs = "timm", bench.worker("fd_dinov2", *bench.sides, weights, bench.count)
    ours = bench.ours_at_work("fd-dinov2:vits14", "--weights", f"dinov2-vits14={weights}", least=2)
    bench.compare("FD-DINOv2, ViT-S/14", 2 * bench.count, ours, theirs)


def part_cmmd(bench):
    """CLIP ViT-L/14 at 336 pixels of random weights, the same file for both."""
    weights = bench.scratch / "clip-l-14-336.safetensors"
    bench.make(weights, "clip_large")
    theirs = "cmmd-pytorch", bench.worker("cmmd", *bench.sides, weights, PYTHONPATH=str(bench.checkout(*CMMD)))
    ours = bench.ours_at_work("cmmd", "--weights", f"clip-vit-l-14-336={weights}", least=2)
    bench.compare("CMMD, ViT-L/14 at 336", 2 * bench.count, ours, theirs)


def part_ssim(bench):
    theirs = "scikit-image", bench.worker("ssim", *bench.sides, bench.count)
    bench.compare("SSIM", bench.count, bench.ours_at_work("ssim"), theirs)


def part_ms_ssim(bench):
    theirs = "pytorch-msssim", bench.worker("ms_ssim", *bench.sides, bench.count)
    bench.compare("MS-SSIM", bench.count, bench.ours_at_work("ms-ssim"), theirs)


def part_psnr(bench):
    theirs = "scikit-image", bench.worker("psnr", *bench.sides, bench.count)
    bench.compare("PSNR", bench.count, bench.ours_at_work("psnr"), theirs)


# --- What is made in processes of their own ----------------------------------------------------------------------


def make_pictures(folder, count, size, seed):
    import numpy as np
    import sets

    height, width = map(int, size.split("x"))
    sets.draw_set(folder, [(width, height)] * int(count), np.random.default_rng(int(seed)), haze=int(seed) == SEED)


def make_inception(hub):
    """The network where pytorch-fid and torch-fidelity would download it to. Its last layer, which the file of scripts/setup lacks, is random."""
    import sets
    import torch

    sets.place_weights(hub, sets.WEIGHTS)
    torch.manual_seed(SEED)
    layer = 0.1 * torch.randn(1008, 2048)
    for file in (hub / "checkpoints").iterdir():
        torch.save(torch.load(file) | {"fc.weight": layer}, file)


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


# What CLIP ViT-L/14 at 336 pixels has other than transformers' defaults, which are those of ViT-B/32.
LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
LARGE |= {"image_size": 336, "patch_size": 14, "projection_dim": 768}


def clip(**sizes):
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    return CLIPVisionModelWithProjection(CLIPVisionConfig(hidden_act="quick_gelu", **sizes)).eval()


def make_clip(file, **sizes):
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(SEED)
    save_file(clip(**sizes).state_dict(), file)


def make_clip_large(file):
    make_clip(file, **LARGE)


def make_dinov2(file):
    import torch

    torch.manual_seed(SEED)
    tensors = dinov2().state_dict()
    # Begun at 1e-5, with which a network that was not trained makes the same of every image.
    tensors |= {name: torch.ones_like(values) for name, values in tensors.items() if name.endswith(".gamma")}
    # The published file has it, for training; nothing else reads it.
    torch.save(tensors | {"mask_token": torch.zeros(1, 384)}, file)


def dinov2(**options):
    import timm

    return timm.create_model("vit_small_patch14_dinov2", pretrained=False, num_classes=0, **options).eval()


def load_dinov2(weights):
    """The network for 224 x 224 pixels. Its positions are resized as the authors do; timm does it by another rule."""
    import torch

    tensors = {name: values for name, values in torch.load(weights).items() if name != "mask_token"}
    token, places = tensors["pos_embed"][:, :1], tensors["pos_embed"][:, 1:]
    before, after = 518 // 14, 224 // 14
    places = places.reshape(1, before, before, -1).permute(0, 3, 1, 2)
    # The tenth is the authors', from when rounding gave them a place less.
    places = torch.nn.functional.interpolate(places, scale_factor=[(after + 0.1) / before] * 2, mode="bicubic")
    tensors["pos_embed"] = torch.cat([token, places.flatten(2).transpose(1, 2)], 1)
    model = dinov2(img_size=224)
    model.load_state_dict(tensors)
    return model


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


def work_prdc(generated, real):
    import numpy as np
    from prdc import compute_prdc
    from safetensors.numpy import load_file

    generated, real = (load_file(file)["features"].astype(np.float64) for file in (generated, real))

    def work():
        values = compute_prdc(real_features=real, fake_features=generated, nearest_k=5)
        return [float(values[name]) for name in ["density", "coverage"]]

    return work


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
    from transformers import CLIPImageProcessorPil

    # Resizes with Pillow, as OpenAI's code does; the usual processor of transformers 5 moves the score by 4e-6.
    model, processor = clip(), CLIPImageProcessorPil()
    model.load_state_dict(load_file(weights))

    def embedded(files):
        inputs = processor(images=[Image.open(file).convert("RGB") for file in files], return_tensors="pt")
        return model(**inputs).image_embeds

    return lambda: mean_cosine(embedded, paths([generated, real], count))


def mean_cosine(embedded, pairs, batch=8):
    import torch

    values = []
    with torch.inference_mode():
        for start in range(0, len(pairs), batch):
            sides = [torch.nn.functional.normalize(embedded(files), dim=1) for files in zip(*pairs[start : start + batch])]
            values += (sides[0] * sides[1]).sum(1).tolist()
    return sum(values) / len(values)


def dinov2_features(weights, resize):
    """A function from files to features. `resize` are the steps that give an image its size."""
    import torch
    from PIL import Image
    from torchvision import transforms

    model = load_dinov2(weights)
    levels = [transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    prepare = transforms.Compose([*resize, *levels])
    return lambda files: model(torch.stack([prepare(Image.open(file).convert("RGB")) for file in files]))


def work_dino_i(generated, real, weights, count):
    from torchvision import transforms

    resize = [transforms.Resize(256, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(224)]
    features = dinov2_features(weights, resize)
    return lambda: mean_cosine(features, paths([generated, real], count))


def work_fd_dinov2(generated, real, weights, count):
    import numpy as np
    import torch
    from pytorch_fid.fid_score import calculate_frechet_distance
    from torchvision import transforms

    features = dinov2_features(weights, [transforms.Resize((224, 224), transforms.InterpolationMode.BICUBIC)])
    batch = 8

    def statistics(folder):
        files = sorted(Path(folder).glob("*.png"))[: int(count)]
        rows = [features(files[start : start + batch]).double().numpy() for start in range(0, len(files), batch)]
        rows = np.concatenate(rows)
        return rows.mean(0), np.cov(rows, rowvar=False)

    def work():
        with torch.inference_mode():
            return calculate_frechet_distance(*statistics(generated), *statistics(real))

    return work


def work_cmmd(generated, real, weights):
    from unittest import mock

    import distance
    import embedding
    import io_util
    from safetensors.torch import load_file
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    model = clip(**LARGE)
    model.load_state_dict(load_file(weights))
    processor = CLIPImageProcessor(crop_size={"height": 336, "width": 336})
    loads = [(CLIPVisionModelWithProjection, model), (CLIPImageProcessor, processor)]
    with mock.patch.object(loads[0][0], "from_pretrained", lambda name: model), mock.patch.object(loads[1][0], "from_pretrained", lambda name: processor):
        embedder = embedding.ClipEmbeddingModel()
    # The whole of what its command does.
    embedded = lambda folder: io_util.compute_embeddings_for_dir(folder, embedder, 32).astype("float32")
    return lambda: distance.mmd(embedded(real), embedded(generated)).item()


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


def work_psnr(generated, real, count):
    import numpy as np
    from PIL import Image
    from skimage.metrics import peak_signal_noise_ratio

    pairs = paths([generated, real], count)

    def work():
        values = [peak_signal_noise_ratio(*(np.asarray(Image.open(file).convert("RGB")) for file in pair)) for pair in pairs]
        return float(sum(values) / len(values))

    return work


def worker(name, *words):
    import contextlib

    with contextlib.redirect_stdout(sys.stderr):
        work = globals()[f"work_{name}"](*words)
        started = time.perf_counter(), time.process_time()
        scores = work()
        times = {"wall": time.perf_counter() - started[0], "processor": time.process_time() - started[1]}
    scores = scores if isinstance(scores, list) else [float(scores)]
    print(json.dumps({"scores": scores} | times))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:])
    elif sys.argv[1:2] == ["--make"]:
        globals()[f"make_{sys.argv[2]}"](Path(sys.argv[3]), *sys.argv[4:])
    else:
        main()
