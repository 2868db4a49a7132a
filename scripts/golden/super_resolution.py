#!/usr/bin/env python3
"""Makes the reference values of what PASD needs beside its networks: CLIP's text encoder and tokenizer, UniPC, and the colour fix.

Requirements (pip): torch==2.13.0 diffusers==0.35.1 transformers==4.56.2 tokenizers==0.22.1 ftfy==6.3.1 safetensors==0.8.0 numpy==2.4.6,
and the diffusers that PASD's authors name, beside it: pip install --no-deps --target OLDER diffusers==0.29.2

    python scripts/golden/super_resolution.py OLDER           from the root of the repository; rewrites the fixture folder

Needs no network. Everything is seeded or filled by formula; a second run writes the same bytes.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

SEED = 7101
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "crates/i2am-runner/tests/fixtures/super-resolution"
# `model_type` and the like are left to the library.
ENCODERS = {
    "quick_gelu": dict(hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, vocab_size=96),
    "gelu": dict(hidden_size=40, intermediate_size=64, num_hidden_layers=2, num_attention_heads=5, vocab_size=64, layer_norm_eps=1e-3),
}
LENGTH = 77
STEPS = (4, 10, 20)
# The scheduler file of Stable Diffusion 1.5, which PASD's script hands to UniPC.
SCHEDULER = dict(
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    num_train_timesteps=1000,
    clip_sample=False,
    set_alpha_to_one=False,
    skip_prk_steps=True,
    steps_offset=1,
    trained_betas=None,
)
# What the small vocabulary is learned from.
LEARNED = (
    "clean, high-resolution, 8k blurry, dotted, noise, raster lines, unclear, lowres, over-smoothed "
    "a photo of a cat and the other cats in the rain, it's here, we're there, they've seen it, i'll go, she'd stay "
    "café naïve résumé 2024 1080 pixels"
)
TEXTS = {
    "nothing": "",
    "published": "clean, high-resolution, 8k",
    "negative": "blurry, dotted, noise, raster lines, unclear, lowres, over-smoothed",
    "joined": "a catclean, high-resolution, 8k",
    "contractions": "it's we're they've i'll she'd can't o'clock 's 'LL rock'n'roll",
    "digits": "2024 8k 4096x2160 3.14 ½ ² Ⅷ",
    "punctuation": "wait... what?! (yes) [no] {maybe} a/b\\c --- #tag @you & more; «so» a_b",
    "accents": "Café NAÏVE re\u0301sume\u0301 ÀÉÎ straße İstanbul",
    "emoji": "a 😀 cat 👩‍🚀🚀 ❤️",
    "scripts": "Привет 你好 مرحبا नमस्ते",
    "spaces": "  two  spaces,\ttab\nline \u00a0\u2003 end   ",
    "capitals": "A PHOTO Of The Cat",
    "unknown": "zzyzx qwerty",
    "curly": "it’s “the cat’s”",
    "marks": "a<|endoftext|>b <|startoftext|> c",
    "too long": " ".join(f"the {i}th cat" for i in range(40)),
}
TOLERANCE = (
    "text encoder 1e-5 of the largest magnitude, UniPC 1e-5, colours 1e-6 (order of additions in float32); timesteps and tokens none"
)


def main():
    if sys.argv[1] == "--unipc":
        return unipc(Path(sys.argv[2]))
    older = Path(sys.argv[1]).resolve()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    text_encoders()
    tokenizer()
    both_unipcs(older)
    colours()
    provenance()


# --- Text encoder ------------------------------------------------------------------------------------------------


def formula(name, shape):
    """`i2am_nets::formula_weights`: splitmix64 of a hash of the name, scaled by what kind of tensor it is."""
    mask = (1 << 64) - 1
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 & mask

    def unit(state):
        z = state + 0x9E3779B97F4A7C15 & mask
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        return ((z ^ z >> 31) >> 40) / (1 << 23) - 1

    shape = list(shape)
    count = torch.Size(shape).numel()
    if len(shape) == 1:
        offset, scale = (1, 0.1) if name.endswith("weight") else (0, 0.1)
    else:
        offset, scale = 0, (3 / torch.Size(shape[1:]).numel()) ** 0.5
    values = [offset + scale * unit(state + i & mask) for i in range(count)]
    return torch.tensor(values, dtype=torch.float64).float().reshape(shape)


def text_encoders():
    from transformers import CLIPTextConfig, CLIPTextModel

    generator = torch.Generator().manual_seed(SEED)
    tensors, configs = {}, {}
    for activation, sizes in ENCODERS.items():
        config = CLIPTextConfig(**sizes, max_position_embeddings=LENGTH, hidden_act=activation, attention_dropout=0.0)
        model = CLIPTextModel(config).eval()
        for name, parameter in model.named_parameters():
            parameter.copy_(formula(f"text_encoder.{name}", parameter.shape))
        tokens = torch.randint(0, sizes["vocab_size"], (2, LENGTH), generator=generator)
        tensors[f"{activation}.tokens"] = tokens
        tensors[f"{activation}.last_hidden_state"] = model(tokens).last_hidden_state.contiguous()
        configs[activation] = json.loads(config.to_json_string(use_diff=False))
    save_file(tensors, FOLDER / "text_encoder.safetensors")
    keys = [*ENCODERS["gelu"], "max_position_embeddings", "hidden_act"]
    kept = {name: {key: config[key] for key in keys} for name, config in configs.items()}
    (FOLDER / "text_encoder.json").write_text(json.dumps(kept, indent=1) + "\n")


# --- Tokenizer ---------------------------------------------------------------------------------------------------


def alphabet():
    """A printable character for every byte, as GPT-2's and CLIP's vocabularies have them."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in own]
    return {byte: chr(byte) for byte in own} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def learned(count):
    """The `count` most frequent pairs of `LEARNED`, joined one after the other; ties in alphabetical order."""
    letters = alphabet()
    words = []
    for word in LEARNED.replace(",", " ,").split():
        symbols = [letters[byte] for byte in word.encode()]
        words.append(symbols[:-1] + [symbols[-1] + "</w>"])
    merges = []
    while len(merges) < count:
        pairs = {}
        for word in words:
            for pair in zip(word, word[1:]):
                pairs[pair] = pairs.get(pair, 0) + 1
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for word in words:
            i = 0
            while i + 1 < len(word):
                if (word[i], word[i + 1]) == best:
                    word[i : i + 2] = ["".join(best)]
                i += 1
    return merges


def tokenizer():
    from transformers import CLIPTokenizer, CLIPTokenizerFast

    folder = FOLDER / "tokenizer"
    folder.mkdir()
    letters, merges = list(alphabet().values()), learned(220)
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in merges]
    tokens = list(dict.fromkeys([*tokens, "<|startoftext|>", "<|endoftext|>"]))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":")))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")

    files = {"vocab_file": str(folder / "vocab.json"), "merges_file": str(folder / "merges.txt")}
    fast = CLIPTokenizerFast(**files, model_max_length=LENGTH)
    slow = CLIPTokenizer(**files, model_max_length=LENGTH)

    def numbers(tokenizer, text):
        return tokenizer(text, padding="max_length", max_length=LENGTH, truncation=True).input_ids

    # The fast one is followed; the slow one, a program of its own, has to agree but for what ftfy mends.
    rows = {name: numbers(fast, text) for name, text in TEXTS.items()}
    apart = [name for name, text in TEXTS.items() if numbers(slow, text) != rows[name]]
    assert apart == ["curly"], apart
    content = {"length": LENGTH, "texts": TEXTS, "tokens": rows}
    (FOLDER / "tokens.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")
    print(f"{len(vocabulary)} tokens, {len(merges)} merges")


# --- UniPC -------------------------------------------------------------------------------------------------------


def formulas():
    """Noise that needs no network."""
    return {
        "linear": lambda x, t: x * 0.3 + 0.01 * t / 1000,
        "sine": lambda x, t: x.sin() * 0.5 + 0.2 * torch.cos(torch.tensor(t / 150, dtype=torch.float64)).item(),
    }


def unipc(path):
    """Runs of the diffusers that is found first."""
    import diffusers
    from diffusers import UniPCMultistepScheduler

    generator = torch.Generator().manual_seed(SEED + 1)
    start = torch.randn((1, 4, 5, 7), generator=generator)
    tensors = {"start": start}
    for steps in STEPS:
        for name, noise in formulas().items():
            scheduler = UniPCMultistepScheduler.from_config(SCHEDULER)
            scheduler.set_timesteps(steps)
            x, entering = start, []
            for timestep in scheduler.timesteps:
                entering.append(x)
                x = scheduler.step(noise(x, int(timestep)), timestep, x).prev_sample
            tensors[f"unipc.{name}.{steps}.calls"] = scheduler.timesteps.long()
            tensors[f"unipc.{name}.{steps}.x"] = torch.cat(entering).contiguous()
            tensors[f"unipc.{name}.{steps}.final"] = x
    save_file(tensors, path, {"diffusers": diffusers.__version__})


def both_unipcs(older):
    with tempfile.TemporaryDirectory() as folder:
        files = {version: Path(folder) / f"{version}.safetensors" for version in ("0.29.2", "0.35.1")}
        for version, path in files.items():
            environment = dict(os.environ) | ({"PYTHONPATH": str(older)} if version == "0.29.2" else {})
            subprocess.run([sys.executable, __file__, "--unipc", path], env=environment, check=True)
            assert f'"diffusers":"{version}"'.encode() in path.read_bytes()[:20000], version
        old, new = (load_file(path) for path in files.values())
    worst = max(((old[name] - new[name]).abs().max() / old[name].abs().max()).item() for name in old)
    print(f"UniPC of diffusers 0.29.2 and 0.35.1: relative difference {worst:.1e}")
    assert worst == 0, "the two differ: keep both"
    save_file(new, FOLDER / "samplers.safetensors")


# --- Colours -----------------------------------------------------------------------------------------------------


def low(picture):
    """Five blurs, each with twice the stride of the one before, edges repeated."""
    kernel = torch.tensor([1.0, 2.0, 1.0])
    kernel = (kernel[:, None] * kernel / 16).expand(3, 1, 3, 3)
    for level in range(5):
        stride = 2**level
        padded = torch.nn.functional.pad(picture, (stride,) * 4, mode="replicate")
        picture = torch.nn.functional.conv2d(padded, kernel, groups=3, dilation=stride)
    return picture


def colours():
    """High frequencies of the one, low ones of the other."""
    generator = torch.Generator().manual_seed(SEED + 2)
    tensors = {}
    for name, size in {"wide": (24, 41), "small": (7, 5)}.items():
        content, style = (torch.rand((1, 3, *size), generator=generator) for _ in range(2))
        style = style * 0.4 + torch.linspace(0, 0.6, size[1])
        tensors |= {f"{name}.content": content, f"{name}.style": style, f"{name}.fixed": (content - low(content) + low(style)).clamp(0, 1)}
    save_file(tensors, FOLDER / "colours.safetensors")


# --- Where it comes from -----------------------------------------------------------------------------------------


def provenance():
    import diffusers
    import ftfy
    import numpy
    import safetensors
    import tokenizers
    import transformers

    found = {"python": platform.python_version()}
    found |= {module.__name__: module.__version__ for module in (torch, diffusers, transformers, tokenizers, ftfy, safetensors, numpy)}
    lines = [
        'reference = "huggingface/transformers (text encoder, tokenizer), huggingface/diffusers (UniPC; 0.29.2 gives the same numbers as 0.35.1), and for the colours their definition"',
        'command = "python scripts/golden/super_resolution.py OLDER"',
        f"seed = {SEED}",
        'device = "cpu, float32, 1 thread"',
        f'tolerance = "{TOLERANCE}"',
        "",
        "[versions]",
        *(f'{name} = "{version}"' for name, version in found.items()),
        "",
        "[sha256]",
    ]
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            path.chmod(0o644)
            lines.append(f'"{path.relative_to(FOLDER).as_posix()}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"')
    (FOLDER / "PROVENANCE.toml").write_text("\n".join(lines) + "\n")
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    print(f"{size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
