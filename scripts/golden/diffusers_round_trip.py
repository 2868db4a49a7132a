"""Round trips between this project and the Python diffusers library, both ways.

A random checkpoint saved by diffusers, and what diffusers makes of it, as the fixture that a test of i2am-runner reads:

    python scripts/golden/diffusers_round_trip.py fixture crates/i2am-runner/tests/fixtures/diffusers

A checkpoint that this project wrote, opened by diffusers and run on the same inputs and noise as here:

    cargo run --release -p i2am-runner --example round_trip -- datasets/zoo/paint-by-example /tmp/run.safetensors
    python scripts/golden/diffusers_round_trip.py compare datasets/zoo/paint-by-example /tmp/run.safetensors

Needs torch 2.13.0, diffusers 0.35.1, transformers 4.56.2, safetensors and Pillow; uses no network.
"""

import argparse
import hashlib
import json
import platform
import shutil
import warnings
from contextlib import contextmanager
from pathlib import Path

import diffusers
import numpy as np
import PIL.Image
import safetensors
import torch
import transformers
from diffusers import AutoencoderKL, PaintByExamplePipeline, PNDMScheduler, UNet2DConditionModel
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.pipelines.paint_by_example import PaintByExampleImageEncoder
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessor, CLIPVisionConfig

SEED = 6101
STEPS = 12
GUIDANCE = 5.0
HEIGHT, WIDTH = 48, 32
TOLERANCE = 1e-4


def random_pipeline():
    """Every kind of layer once, with scales and biases that are not 1 and 0."""
    torch.manual_seed(SEED)
    unet = UNet2DConditionModel(
        sample_size=24,
        in_channels=9,
        out_channels=4,
        block_out_channels=(12, 16, 16),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=12,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=0.25,
    )
    # Five layers, so that the library gives the mapper one block.
    clip = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=5,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        projection_dim=12,
    )
    encoder = PaintByExampleImageEncoder(clip)
    generator = torch.Generator().manual_seed(SEED + 1)
    for network in (unet, vae, encoder):
        network.eval()
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator)
    scheduler = PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        num_train_timesteps=1000,
        skip_prk_steps=True,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    processor = CLIPImageProcessor(
        size={"shortest_edge": clip.image_size}, crop_size={"height": clip.image_size, "width": clip.image_size}
    )
    return PaintByExamplePipeline(
        vae=vae, image_encoder=encoder, unet=unet, scheduler=scheduler, safety_checker=None, feature_extractor=processor
    )


def save_as_in_2022(pipeline, folder):
    """Pickles with the autoencoder's old attention names and the integer buffer that old files carry."""
    pipeline.save_pretrained(folder, safe_serialization=False)
    path = folder / "vae" / "diffusion_pytorch_model.bin"
    state = torch.load(path, weights_only=True)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for new, name in old.items():
        state = {key.replace(f"attentions.0.{new}.", f"attentions.0.{name}."): value for key, value in state.items()}
    torch.save(state, path)
    path = folder / "image_encoder" / "pytorch_model.bin"
    state = torch.load(path, weights_only=True)
    positions = pipeline.image_encoder.model.vision_model.embeddings.position_embedding.num_embeddings
    state["model.vision_model.embeddings.position_ids"] = torch.arange(positions)[None]
    torch.save(state, path)


def random_inputs():
    """Sizes that are not square; a mask with edges between latent cells and levels on both sides of one half."""
    rng = np.random.default_rng(SEED)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[7:35, 5:22] = 255
    mask[20:23, 22:30] = 128
    mask[36:40, 3:9] = 127
    generator = torch.Generator().manual_seed(SEED + 2)
    latent = (1, 4, HEIGHT // 2, WIDTH // 2)
    return {
        "image": torch.from_numpy(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)),
        "mask": torch.from_numpy(mask),
        "reference": torch.from_numpy(rng.integers(0, 256, (53, 37, 3), np.uint8)),
        "noise.start": torch.randn(latent, generator=generator),
        "noise.posterior": torch.randn(latent, generator=generator),
    }


@contextmanager
def posterior_noise(noise):
    """The one random draw that the pipeline does not take as an argument."""
    original = DiagonalGaussianDistribution.sample

    def sample(self, generator=None):
        assert self.mean.shape == noise.shape, (self.mean.shape, noise.shape)
        return self.mean + self.std * noise

    DiagonalGaussianDistribution.sample = sample
    try:
        yield
    finally:
        DiagonalGaussianDistribution.sample = original


def run(pipeline, inputs, steps, guidance):
    """Final latents and the picture that the library makes of them."""
    pipeline.set_progress_bar_config(disable=True)
    final = {}
    with posterior_noise(inputs["noise.posterior"]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = pipeline(
            example_image=PIL.Image.fromarray(inputs["reference"].numpy()),
            image=PIL.Image.fromarray(inputs["image"].numpy()),
            mask_image=PIL.Image.fromarray(inputs["mask"].numpy()),
            num_inference_steps=steps,
            guidance_scale=guidance,
            latents=inputs["noise.start"],
            callback=lambda step, timestep, latents: final.update(latents=latents),
        ).images
    return {"latents": final["latents"].contiguous(), "picture": torch.from_numpy(np.array(images[0]))}


def versions():
    modules = [torch, diffusers, transformers, safetensors, np, PIL]
    found = {"python": platform.python_version()}
    return found | {module.__name__: module.__version__ for module in modules}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fixture(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pipeline = random_pipeline()
    pipeline.save_pretrained(folder / "safetensors")
    save_as_in_2022(pipeline, folder / "pickles")
    inputs = random_inputs()
    expected = run(pipeline, inputs, STEPS, GUIDANCE)
    # What was saved is what ran; a loaded encoder picks another attention kernel, hence no equality.
    again = run(PaintByExamplePipeline.from_pretrained(folder / "safetensors"), inputs, STEPS, GUIDANCE)
    torch.testing.assert_close(expected["latents"], again["latents"], rtol=0, atol=1e-4)
    save_file(inputs, folder / "inputs.safetensors")
    save_file(expected, folder / "expected.safetensors")
    settings = {"steps": STEPS, "guidance": GUIDANCE}
    (folder / "expected.json").write_text(json.dumps(settings, indent=1) + "\n")

    lines = [
        'reference = "huggingface/diffusers"',
        f'version = "{diffusers.__version__}"',
        'command = "python scripts/golden/diffusers_round_trip.py fixture crates/i2am-runner/tests/fixtures/diffusers"',
        f"seed = {SEED}",
        f'device = "cpu, float32, {torch.get_num_threads()} threads"',
        f'tolerance = "latents {TOLERANCE} of the largest magnitude, as between any two correct float32 runs of this length; picture 2 levels"',
        "",
        "[versions]",
        *(f'{name} = "{version}"' for name, version in versions().items()),
        "",
        "[sha256]",
    ]
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "PROVENANCE.toml":
            path.chmod(0o644)
            lines.append(f'"{path.relative_to(folder).as_posix()}" = "{sha256(path)}"')
    (folder / "PROVENANCE.toml").write_text("\n".join(lines) + "\n")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    parameters = sum(p.numel() for n in (pipeline.unet, pipeline.vae, pipeline.image_encoder) for p in n.parameters())
    latents = expected["latents"]
    print(f"{parameters:,} parameters, {size / 1e6:.2f} MB, latents up to {latents.abs().max():.3f}")


def compare(checkpoint, path):
    ours = load_file(path)
    steps, guidance = int(ours["steps"]), float(ours["guidance"])
    pipeline = PaintByExamplePipeline.from_pretrained(checkpoint, torch_dtype=torch.float32, local_files_only=True)
    theirs = run(pipeline, ours, steps, guidance)
    parameters = sum(p.numel() for n in (pipeline.unet, pipeline.vae, pipeline.image_encoder) for p in n.parameters())
    largest = theirs["latents"].abs().max().item()
    worst = (ours["latents"] - theirs["latents"]).abs().max().item()
    levels = (ours["picture"].int() - theirs["picture"].int()).abs()
    print(f"checkpoint {checkpoint}, {parameters:,} parameters")
    for file in sorted(Path(checkpoint).rglob("*")):
        if file.suffix in (".safetensors", ".bin"):
            print(f"  {sha256(file)[:16]}  {file.relative_to(checkpoint).as_posix()}")
    print(f"run: {steps} PLMS steps, guidance {guidance:g}, latents {list(theirs['latents'].shape)}")
    print(f"latents: largest magnitude {largest:.4f}, worst difference {worst:.2e}, relative {worst / largest:.2e}")
    print(f"picture: worst difference {levels.max()} levels, {(levels > 0).float().mean() * 100:.3f} % of the values differ")
    same = worst / largest <= TOLERANCE and levels.max() <= 2
    print("the same" if same else f"NOT the same: more than {TOLERANCE} or 2 levels")
    return 0 if same else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("fixture", help="save a random checkpoint and what diffusers makes of it")
    make.add_argument("folder", type=Path)
    check = commands.add_parser("compare", help="run a checkpoint on what this project's example wrote")
    check.add_argument("checkpoint", type=Path)
    check.add_argument("run", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "fixture":
        fixture(arguments.folder)
        return 0
    return compare(arguments.checkpoint, arguments.run)


if __name__ == "__main__":
    raise SystemExit(main())
