//! The files of the vision transformers that metrics read features from.

use serde::{Deserialize, Serialize};

use crate::metric::Variant;
use crate::resources::WeightsInfo;

/// CLIP ViT-B/32.
pub(crate) static CLIP_B_32: WeightsInfo = WeightsInfo {
    name: "clip-vit-b-32",
    files: &[
        "clip-vit-base-patch32/model.safetensors",
        "clip-vit-base-patch32/pytorch_model.bin",
    ],
    help: "it is in openai/clip-vit-base-patch32 on Hugging Face; give it with --weights clip-vit-b-32=FILE",
};

/// CLIP ViT-L/14.
pub(crate) static CLIP_L_14: WeightsInfo = WeightsInfo {
    name: "clip-vit-l-14",
    files: &[
        "clip-vit-large-patch14/model.safetensors",
        "clip-vit-large-patch14/pytorch_model.bin",
    ],
    help: "it is in openai/clip-vit-large-patch14 on Hugging Face; give it with --weights clip-vit-l-14=FILE",
};

/// CLIP ViT-L/14 for larger pictures.
pub(crate) static CLIP_L_14_336: WeightsInfo = WeightsInfo {
    name: "clip-vit-l-14-336",
    files: &[
        "clip-vit-large-patch14-336/model.safetensors",
        "clip-vit-large-patch14-336/pytorch_model.bin",
    ],
    help: "it is in openai/clip-vit-large-patch14-336 on Hugging Face; give it with --weights clip-vit-l-14-336=FILE",
};

/// What the messages about missing weights of `DINOv2` say.
const DINO_HELP: &str = "the README of github.com/facebookresearch/dinov2 has a link to the file; put it there under its own name, or \
                         give it with --weights NAME=FILE";

/// `DINOv2` ViT-S/14.
static DINO_S_14: WeightsInfo = WeightsInfo {
    name: "dinov2-vits14",
    files: &["dinov2_vits14_pretrain.pth"],
    help: DINO_HELP,
};

/// `DINOv2` ViT-B/14.
static DINO_B_14: WeightsInfo = WeightsInfo {
    name: "dinov2-vitb14",
    files: &["dinov2_vitb14_pretrain.pth"],
    help: DINO_HELP,
};

/// `DINOv2` ViT-L/14.
static DINO_L_14: WeightsInfo = WeightsInfo {
    name: "dinov2-vitl14",
    files: &["dinov2_vitl14_pretrain.pth"],
    help: DINO_HELP,
};

/// `DINOv2` ViT-L/14 with registers.
static DINO_L_14_REGISTERS: WeightsInfo = WeightsInfo {
    name: "dinov2-vitl14-reg4",
    files: &["dinov2_vitl14_reg4_pretrain.pth"],
    help: DINO_HELP,
};

/// The networks of `DINOv2` that metrics can use.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) enum DinoNet {
    #[default]
    #[serde(rename = "vitl14")]
    Large,
    #[serde(rename = "vitl14-reg4")]
    LargeWithRegisters,
    #[serde(rename = "vitb14")]
    Base,
    #[serde(rename = "vits14")]
    Small,
}

impl DinoNet {
    /// In the order of the networks.
    pub(crate) const WEIGHTS: [&WeightsInfo; 4] =
        [&DINO_L_14, &DINO_L_14_REGISTERS, &DINO_B_14, &DINO_S_14];

    /// In the order of the networks; the first is that of the published FD-DINOv2.
    pub(crate) const VARIANTS: [Variant; 4] = [
        Variant {
            name: "vitl14",
            summary: "DINOv2 ViT-L/14, as published for FD-DINOv2",
        },
        Variant {
            name: "vitl14-reg4",
            summary: "DINOv2 ViT-L/14 with registers",
        },
        Variant {
            name: "vitb14",
            summary: "DINOv2 ViT-B/14",
        },
        Variant {
            name: "vits14",
            summary: "DINOv2 ViT-S/14",
        },
    ];

    /// Its name among the variants.
    pub(crate) fn name(self) -> &'static str {
        Self::VARIANTS[self as usize].name
    }

    /// Its file.
    #[cfg(feature = "torch")]
    pub(crate) fn weights(self) -> &'static WeightsInfo {
        Self::WEIGHTS[self as usize]
    }
}
