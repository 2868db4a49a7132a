//! Layers and networks of latent diffusion models, under the tensor names of the diffusers library.
//!
//! A network is built once from a [`Scope`], which asks a [`TensorSource`] for every tensor by name and shape. The same
//! constructors therefore serve four purposes: reading a checkpoint ([`CheckpointSource`]), training from scratch
//! ([`FreshSource`]), listing what a checkpoint must hold ([`ExpectedSource`]) and full-size trials without a download
//! ([`FormulaSource`]).
//!
//! Checkpoints come in the diffusers folder layout or under LDM names; [`layout`] maps both to the diffusers spelling, so
//! that nothing else needs to know where a tensor came from.

pub mod dino;
pub mod dists;
mod error;
pub mod flux2;
pub mod guard;
pub mod image_encoder;
pub mod image_projection;
pub mod inception;
pub mod layers;
pub mod layout;
pub mod levels;
pub mod libtorch;
mod limits;
mod load_report;
pub mod lpips;
mod probe;
pub mod qwen3;
mod scope;
mod source;
pub mod text_encoder;
pub mod unet;
pub mod vae;

pub use error::NetError;
pub use load_report::{Damage, Fault, LoadReport, WrongShape};
pub use probe::{
    AttentionProbe, Context, Intervention, Joint, NoProbe, Observation, Places, Role, Segment,
    Tokens,
};
pub use scope::{AttentionLayer, Init, Scope, TensorSource};
pub use source::{CheckpointSource, ExpectedSource, FormulaSource, FreshSource, formula_weights};

/// The number format that weights and activations are computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats: the reference for every score.
    #[default]
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// 16-bit brain floats.
    Bf16,
}

impl Precision {
    /// Bytes of a number in this precision.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The libtorch kind of tensors in this precision.
    pub fn kind(self) -> tch::Kind {
        match self {
            Self::F32 => tch::Kind::Float,
            Self::F16 => tch::Kind::Half,
            Self::Bf16 => tch::Kind::BFloat16,
        }
    }
}
