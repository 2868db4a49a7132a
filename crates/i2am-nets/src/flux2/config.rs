//! Sizes of the transformer, read from diffusers' `transformer/config.json` or inferred from the shapes of the tensors.

use serde::{Deserialize, Serialize};

use crate::NetError;
use crate::layout::{Checkpoint, Rule, Shapes};
use crate::limits::{TOWER, WIDTH, count_within, positive, within};

/// Sizes of a [`super::Flux2`], under the names of diffusers' `transformer/config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flux2Config {
    /// Channels of an image token.
    pub in_channels: i64,
    /// Channels of a predicted token; `in_channels` without it.
    #[serde(default)]
    pub out_channels: Option<i64>,
    /// Double blocks.
    pub num_layers: usize,
    /// Single blocks.
    pub num_single_layers: usize,
    /// Channels of a head.
    pub attention_head_dim: i64,
    /// Heads of each attention.
    pub num_attention_heads: i64,
    /// Width of the text's tokens.
    pub joint_attention_dim: i64,
    /// Width inside feed-forward layers, in multiples of the width.
    #[serde(default = "mlp_ratio")]
    pub mlp_ratio: f64,
    /// Channels of a head that each of the four coordinates turns.
    #[serde(default = "axes")]
    pub axes_dims_rope: Vec<i64>,
    /// Base of the angles.
    #[serde(default = "theta")]
    pub rope_theta: f64,
    /// Added to variances.
    #[serde(default = "eps")]
    pub eps: f64,
    /// Width of the sinusoid of time.
    #[serde(default = "time_channels")]
    pub timestep_guidance_channels: i64,
}

fn mlp_ratio() -> f64 {
    3.0
}

fn axes() -> Vec<i64> {
    vec![32; 4]
}

fn theta() -> f64 {
    2000.0
}

fn eps() -> f64 {
    1e-6
}

fn time_channels() -> i64 {
    256
}

/// Keys of `transformer/config.json`.
const KEYS: &[(&str, Rule)] = &[
    ("in_channels", Rule::Count),
    ("out_channels", Rule::OptionalCount),
    ("num_layers", Rule::Count),
    ("num_single_layers", Rule::Count),
    ("attention_head_dim", Rule::Count),
    ("num_attention_heads", Rule::Count),
    ("joint_attention_dim", Rule::Count),
    ("mlp_ratio", Rule::OptionalNumber),
    ("rope_theta", Rule::OptionalNumber),
    ("eps", Rule::OptionalNumber),
    ("timestep_guidance_channels", Rule::OptionalCount),
];

/// Coordinates of a place.
const AXES: usize = 4;

impl Flux2Config {
    /// FLUX.2 klein 4B, distilled or not.
    pub fn klein_4b() -> Self {
        Self {
            in_channels: 128,
            out_channels: None,
            num_layers: 5,
            num_single_layers: 20,
            attention_head_dim: 128,
            num_attention_heads: 24,
            joint_attention_dim: 7680,
            mlp_ratio: mlp_ratio(),
            axes_dims_rope: axes(),
            rope_theta: theta(),
            eps: eps(),
            timestep_guidance_channels: time_channels(),
        }
    }

    /// FLUX.2 klein 9B, distilled or not.
    pub fn klein_9b() -> Self {
        Self {
            num_layers: 8,
            num_single_layers: 24,
            num_attention_heads: 32,
            joint_attention_dim: 12_288,
            ..Self::klein_4b()
        }
    }

    /// Width of tokens inside the network.
    pub fn width(&self) -> i64 {
        self.num_attention_heads * self.attention_head_dim
    }

    /// Width inside feed-forward layers.
    pub fn hidden(&self) -> i64 {
        (self.width() as f64 * self.mlp_ratio) as i64
    }

    /// Channels of a predicted token.
    pub fn out_channels(&self) -> i64 {
        self.out_channels.unwrap_or(self.in_channels)
    }

    /// Whether a network of these sizes can be built.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub fn check(&self) -> Result<(), String> {
        const LARGEST: f64 = 1e6;
        for (key, found) in [
            ("in_channels", self.in_channels),
            ("attention_head_dim", self.attention_head_dim),
            ("num_attention_heads", self.num_attention_heads),
            ("width", self.width()),
            ("joint_attention_dim", self.joint_attention_dim),
            (
                "timestep_guidance_channels",
                self.timestep_guidance_channels,
            ),
        ] {
            within(key, found, &WIDTH)?;
        }
        // What is predicted moves what was read.
        within(
            "out_channels",
            self.out_channels(),
            &(self.in_channels..=self.in_channels),
        )?;
        count_within("num_layers", self.num_layers, &TOWER)?;
        count_within("num_single_layers", self.num_single_layers, &TOWER)?;
        positive("mlp_ratio", self.mlp_ratio, 64.0)?;
        positive("rope_theta", self.rope_theta, LARGEST)?;
        positive("eps", self.eps, 1.0)?;
        let axes = &self.axes_dims_rope;
        let even = axes
            .iter()
            .all(|channels| *channels > 0 && channels % 2 == 0);
        if axes.len() != AXES || !even || axes.iter().sum::<i64>() != self.attention_head_dim {
            return Err(format!(
                "`axes_dims_rope`: expected {AXES} even numbers that add up to `attention_head_dim`, {}, found {axes:?}",
                self.attention_head_dim
            ));
        }
        Ok(())
    }

    /// Read from `transformer/config.json` if the checkpoint has one, else inferred from tensor shapes.
    ///
    /// # Errors
    /// [`NetError::Config`] for a value that is not built here, [`NetError::Infer`] if a telling tensor is missing.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let Some(file) = checkpoint.config("transformer") else {
            let config = Self::infer(checkpoint)?;
            return checkpoint
                .inferred("transformer", config.check())
                .map(|()| config);
        };
        file.reject_other("guidance_embeds", &[false.into()])?;
        file.reject_other("patch_size", &[1.into()])?;
        let config: Self = file.parse(KEYS)?;
        config.check().map_err(|reason| file.refuse(reason))?;
        Ok(config)
    }

    fn infer(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let shapes = Shapes::new(checkpoint, "transformer");
        let width = shapes.axis("x_embedder.weight", 0)?;
        let head = shapes.axis("single_transformer_blocks.0.attn.norm_q.weight", 0)?;
        let out = shapes.axis("single_transformer_blocks.0.attn.to_out.weight", 1)?;
        Ok(Self {
            in_channels: shapes.axis("x_embedder.weight", 1)?,
            num_layers: shapes.count("transformer_blocks"),
            num_single_layers: shapes.count("single_transformer_blocks"),
            attention_head_dim: head,
            num_attention_heads: width / head.max(1),
            joint_attention_dim: shapes.axis("context_embedder.weight", 1)?,
            mlp_ratio: (out - width) as f64 / width.max(1) as f64,
            axes_dims_rope: vec![head / AXES as i64; AXES],
            ..Self::klein_4b()
        })
    }
}
