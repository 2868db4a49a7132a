#!/usr/bin/env python3
"""Makes the reference values of the metrics of vision transformers in crates/i2am-metrics: CMMD, FD-DINOv2, CLIP-I and DINO-I.

Requirements (pip): torch==2.13.0 torchvision==0.28.0 transformers==5.24.0 numpy==2.4.6 pillow==13.0.0 tqdm
and on PYTHONPATH:  github.com/sayakpaul/cmmd-pytorch at commit f7673a9 and github.com/facebookresearch/dinov2 at commit b8931f7

    python scripts/golden/towers.py          from the root of the repository; rewrites the fixture folder

Needs no network and no weights: small networks are filled by the formula of `i2am_nets::formula_weights`. The pictures are those of the
fixture `sets`. CMMD is that of cmmd-pytorch, given the small CLIP. A second run writes the same bytes, except for the date.
"""

import warnings
from unittest import mock

import distance
import embedding
import io_util
import numpy as np
import torch
import torchvision.transforms as transforms
from dinov2.layers import Attention
from dinov2.layers import NestedTensorBlock as Block
from dinov2.models.vision_transformer import DinoVisionTransformer
from fixture import FIXTURES, write
from functools import partial
from pairs import formula
from PIL import Image
from safetensors.numpy import save_file
from sets import SIDES, frechet
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

PACKAGES = "torch torchvision transformers numpy pillow safetensors".split()
BICUBIC = transforms.InterpolationMode.BICUBIC
CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# As the networks have them; small.
CLIP = {"hidden_size": 128, "intermediate_size": 192, "num_hidden_layers": 3, "num_attention_heads": 2, "patch_size": 14, "image_size": 56}
PROJECTION = 48
DINO = {"img_size": 70, "patch_size": 14, "embed_dim": 128, "depth": 2, "num_heads": 2, "mlp_ratio": 1.5, "init_values": 1.0, "block_chunks": 0}
# Learned positions are made as large as what they are added to, so that how they are resized is seen.
POSITIONS = 16.0
TOLERANCE = "of the largest value: features 1e-5; of the value: FD-DINOv2 1e-4, CMMD 1e-4, cosines 1e-6 absolute (sums in 32 bits)"


def main():
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    warnings.filterwarnings("ignore")
    clip, folder = clip_model(), FIXTURES / "towers"
    folder.mkdir(parents=True, exist_ok=True)
    values, tensors = {"cmmd": cmmd(clip)}, {}
    for name, model in {"dinov2": dino_model(0), "dinov2-reg4": dino_model(4)}.items():
        whole = transforms.Compose([transforms.Resize((224, 224), BICUBIC), transforms.ToTensor(), transforms.Normalize(*IMAGENET)])
        features = [rows(model, whole, side) for side in SIDES]
        values[name] = frechet(*features)
        tensors[f"{name}.real"] = features[1]
    middle = processor(256, 224, IMAGENET)
    values["dino-i"] = cosines(dino_model(0), middle)
    small = CLIP["image_size"]
    values["clip-i"] = cosines(lambda x: clip(pixel_values=x).image_embeds, processor(small, small, (CLIP_MEAN, CLIP_DEVIATION)))
    save_file(tensors, folder / "features.safetensors")
    write("towers", values, PACKAGES, TOLERANCE, cmmd_pytorch="f7673a9", dinov2="b8931f7")


# --- Networks ----------------------------------------------------------------------------------------------------


def fill(model, network):
    for name, parameter in model.named_parameters():
        values = formula(f"{network}.{name}", parameter.shape)
        if name == "pos_embed":
            values = values * np.float32(POSITIONS)
        parameter.copy_(torch.from_numpy(values))
    return model.eval()


def clip_model():
    config = CLIPVisionConfig(**CLIP, projection_dim=PROJECTION, hidden_act="quick_gelu")
    return fill(CLIPVisionModelWithProjection(config), "clip")


def dino_model(registers):
    # As the authors' hub sets them.
    resized = {"interpolate_antialias": True, "interpolate_offset": 0.0} if registers else {}
    block = partial(Block, attn_class=Attention)
    return fill(DinoVisionTransformer(**DINO, block_fn=block, num_register_tokens=registers, **resized), "dino")


# --- Values ------------------------------------------------------------------------------------------------------


def cmmd(clip):
    """The whole of cmmd-pytorch, from files to the distance."""
    processor = CLIPImageProcessor(crop_size={"height": CLIP["image_size"], "width": CLIP["image_size"]})
    loads = [(CLIPVisionModelWithProjection, clip), (CLIPImageProcessor, processor)]
    with mock.patch.object(loads[0][0], "from_pretrained", lambda name: clip), mock.patch.object(loads[1][0], "from_pretrained", lambda name: processor):
        model = embedding.ClipEmbeddingModel()
    embeddings = [io_util.compute_embeddings_for_dir(str(FIXTURES / "sets" / side), model, batch_size=1) for side in SIDES]
    exact = distance.mmd(*(side.astype(np.float64) for side in embeddings))
    return {"peer": float(distance.mmd(*embeddings)), "exact": float(exact)}


def processor(short, side, norm):
    """Of CLIP's and DINOv2's authors: the shorter side resized, the middle cut out."""
    steps = [transforms.Resize(short, BICUBIC), transforms.CenterCrop(side), transforms.ToTensor(), transforms.Normalize(*norm)]
    return transforms.Compose(steps)


def pictures(side):
    return [Image.open(path).convert("RGB") for path in sorted((FIXTURES / "sets" / side).glob("*.png"))]


def rows(model, transform, side):
    return np.concatenate([model(transform(image)[None]).numpy() for image in pictures(side)])


def cosines(model, transform):
    """Of the pictures of both sides in their order."""
    sides = [torch.from_numpy(rows(model, transform, side)) for side in SIDES]
    return torch.nn.functional.cosine_similarity(*(side[:20].double() for side in sides)).tolist()


if __name__ == "__main__":
    main()
