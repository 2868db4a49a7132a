"""Round trips of FLUX.2 klein between this project and the Python diffusers library.

A folder that this project wrote and what it computed there, opened by diffusers and computed again:

    cargo run --release -p i2am-nets --example flux2_round_trip -- /tmp/klein
    python scripts/golden/flux2_round_trip.py compare /tmp/klein

and one that diffusers saved, with what it computed there, as the fixture that a test of i2am-nets reads:

    python scripts/golden/flux2_round_trip.py save crates/i2am-nets/tests/fixtures/flux2-diffusers

Needs torch 2.13.0, diffusers 0.42.1, transformers 5.23.0, numpy 2.4.6 and safetensors 0.8.0; uses no network.
"""

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from safetensors.torch import load_file, save_file

SEED = 6102
TOLERANCE = 1e-4


def ids(text: int, grids: list[tuple[int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates of the text's tokens, and of images, of which the first is generated."""
    of_text = torch.tensor([[0, 0, 0, word] for word in range(text)])
    of_images = [[10 * image, row, column, 0] for image, (height, width) in enumerate(grids) for row in range(height) for column in range(width)]
    return of_text, torch.tensor(of_images)


def compute(folder: Path, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Velocity and autoencoder of the networks in `folder`."""
    transformer = Flux2Transformer2DModel.from_pretrained(folder / "transformer", torch_dtype=torch.float32).eval()
    vae = AutoencoderKLFlux2.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()
    grids = [tuple(grid) for grid in given["grids"].int().tolist()]
    of_text, of_images = ids(given["text"].shape[1], grids)
    own = grids[0][0] * grids[0][1]
    with torch.no_grad():
        velocity = transformer(
            hidden_states=given["x"],
            encoder_hidden_states=given["text"],
            timestep=given["sigma"],
            img_ids=of_images[None],
            txt_ids=of_text[None],
            guidance=None,
            return_dict=False,
        )[0][:, :own]
        moments = vae.encode(given["picture"]).latent_dist.mode()
        packed = torch.nn.functional.pixel_unshuffle(moments, 2)
        deviation = torch.sqrt(vae.bn.running_var + vae.config.batch_norm_eps)
        packed = (packed - vae.bn.running_mean[None, :, None, None]) / deviation[None, :, None, None]
        decoded = vae.decode(moments).sample
    return {"velocity": velocity, "packed": packed, "decoded": decoded}


def given() -> dict[str, torch.Tensor]:
    """Inputs for the small networks of `save`."""
    generator = torch.Generator().manual_seed(SEED)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    grids = [(4, 3), (3, 2)]
    tokens = sum(height * width for height, width in grids)
    return {
        "x": draw(1, tokens, 8),
        "text": draw(1, 5, 12),
        "sigma": torch.tensor([0.75]),
        "grids": torch.tensor(grids, dtype=torch.float32),
        "picture": draw(1, 3, 48, 32).clamp(-1, 1),
    }


def save(folder: Path) -> None:
    """Small networks of other sizes than the fixture's, as diffusers saves them, and what they compute."""
    torch.manual_seed(SEED)
    transformer = Flux2Transformer2DModel(
        in_channels=8,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=12,
        timestep_guidance_channels=64,
        mlp_ratio=2.0,
        axes_dims_rope=(2, 4, 4, 6),
        guidance_embeds=False,
    )
    vae = AutoencoderKLFlux2(
        block_out_channels=(4, 4, 4, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=2,
        norm_num_groups=2,
    )
    with torch.no_grad():
        vae.bn.running_mean.normal_()
        vae.bn.running_var.uniform_(0.2, 3.0)
        for name, parameter in transformer.named_parameters():
            if "norm" in name and parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5)
    transformer.save_pretrained(folder / "transformer", max_shard_size="100KB")
    vae.save_pretrained(folder / "vae")
    inputs = given()
    save_file({**inputs, **compute(folder, inputs)}, folder / "computed.safetensors")


def compare(folder: Path) -> None:
    """What diffusers computes in `folder`, against what this project computed there."""
    found = load_file(folder / "computed.safetensors")
    for name, expected in compute(folder, found).items():
        off = ((found[name] - expected).abs().max() / expected.abs().max()).item()
        print(f"{name}: {list(expected.shape)}, relative difference {off:.2e}")
        assert off <= TOLERANCE, f"{name} differs"
    print("the same")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["compare", "save"])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    {"compare": compare, "save": save}[arguments.what](arguments.folder)


if __name__ == "__main__":
    main()
