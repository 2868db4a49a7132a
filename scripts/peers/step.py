#!/usr/bin/env python3
"""Times a guided step of the full-size Paint-by-Example UNet with recorded attention, in `bench` and in Python; started by step.sh, whose
--help says how.

The Python side is diffusers' UNet with the same sizes and random weights. The hook does what the code of I2AM's authors does (qkrwnstj306/I2AM,
`hook.py`): after each of the 15 transformers outside the middle block it computes the transformer's own input again up to queries and keys
(normalization, self-attention and all), then the softmax over the positions of the generated image, and adds it to a sum for each layer.
Only the conditional row is hooked. The three ways are:

  eager   every attention forms its matrix of probabilities, and so does the self-attention that the hook repeats
  fused   every attention is the fused kernel of PyTorch, and so is that of the hook; only the recorded softmax is formed
  plain   fused attention without a hook: no recording

Ways alternate, in one process; the first round is not counted. `bench` is the program of `cargo bench -p i2am-runner --bench capture`,
run before and after. The smallest time of each counts: others at work on the machine only add.
"""

# help:   --rounds N    rounds of all three ways [default: 3]
# help:   --threads N   threads of either side [default: 2]
# help:   --latent N    side of the latent in Python, for a trial: `bench` always has 64 [default: 64]
# help:   --ours TEXT   seconds of a recorded step of `bench`, measured before, instead of running it

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from diffusers.models.transformers.transformer_2d import Transformer2DModel

ROOT = Path(__file__).resolve().parents[2]
# The sizes of Fantasy-Studio/Paint-by-Example, unet/config.json.
UNET = {
    "sample_size": 64,
    "in_channels": 9,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "block_out_channels": (320, 640, 1280, 1280),
}


class Hook:
    """Sums of the softmax over positions, one for each layer."""

    def __init__(self, unet):
        self.sums = {}
        self.handles = []
        for name, module in unet.named_modules():
            if isinstance(module, Transformer2DModel) and not name.startswith("mid_block"):
                self.handles.append(module.register_forward_hook(self.of(name), with_kwargs=True))

    def of(self, name):
        def hook(module, args, kwargs, _output):
            x = args[0][1:]
            tokens = kwargs["encoder_hidden_states"][1:]
            block = module.transformer_blocks[0]
            x = module.proj_in(module.norm(x))
            x = x.flatten(2).transpose(1, 2)
            x = block.attn1(block.norm1(x)) + x
            query = block.attn2.to_q(block.norm2(x))
            key = block.attn2.to_k(tokens)
            heads = block.attn2.heads
            query, key = (t.unflatten(2, (heads, -1)).transpose(1, 2) for t in (query, key))
            scores = query @ key.transpose(2, 3) * block.attn2.scale
            share = scores.softmax(dim=-2)[0].transpose(1, 2)
            self.sums[name] = self.sums.get(name, 0) + share

        return hook

    def remove(self):
        for handle in self.handles:
            handle.remove()
        assert len(self.sums) == 15, list(self.sums)
        for name, share in self.sums.items():
            total = share.sum(dim=-1)
            assert torch.allclose(total, torch.ones_like(total), atol=1e-3), name


def step(unet, inputs, processor, hooked):
    unet.set_attn_processor(processor())
    hook = Hook(unet) if hooked else None
    started = time.perf_counter()
    with torch.inference_mode():
        sample, tokens = inputs
        noise = unet(sample, 501, encoder_hidden_states=tokens).sample
        without, under = noise.chunk(2)
        noise = without + 5.0 * (under - without)
        assert torch.isfinite(noise).all()
    seconds = time.perf_counter() - started
    if hook:
        hook.remove()
    return seconds


def ours(threads):
    """Seconds of a step with recording off and on, the smallest of the pairs."""
    command = ["cargo", "bench", "--quiet", "-p", "i2am-runner", "--bench", "capture", "--", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines() if re.match(r" +\d+ ", line)]
    return min(float(row[1]) for row in rows), min(float(row[2]) for row in rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--latent", type=int, default=64)
    parser.add_argument("--ours", type=float)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)

    bench = [options.ours] if options.ours else [ours(options.threads)[1]]
    unet = UNet2DConditionModel(**UNET).eval()
    inputs = torch.randn(2, 9, options.latent, options.latent), torch.randn(2, 1, 768)
    ways = {
        "hook, eager attention (as the authors)": (AttnProcessor, True),
        "hook, fused attention": (AttnProcessor2_0, True),
        "fused attention, no recording": (AttnProcessor2_0, False),
    }
    times = {way: [] for way in ways}
    for turn in range(options.rounds + 1):
        for way, (processor, hooked) in ways.items():
            seconds = step(unet, inputs, processor, hooked)
            print(f"{way}: {seconds:.2f} s", file=sys.stderr)
            if turn:
                times[way].append(seconds)
    del unet
    if not options.ours:
        bench.append(ours(options.threads)[1])

    own = min(bench)
    print(f"torch {torch.__version__}, {options.threads} threads, latent {options.latent}x{options.latent}, f32\n")
    print("| a guided step | seconds | times as long as `bench` with recording |")
    print("|---|---:|---:|")
    print(f"| `bench`, recording on | {own:.2f} | 1 |")
    for way, seconds in times.items():
        print(f"| Python: {way} | {min(seconds):.2f} | {min(seconds) / own:.2f} |")


main()
