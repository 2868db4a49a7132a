//! Sizes of the network, read from `text_encoder/config.json`.

use serde::{Deserialize, Serialize};

use crate::NetError;
use crate::layout::{Checkpoint, Rule};
use crate::limits::{TOWER, VOCABULARY, WIDTH, count_within, divides, positive, within};

/// Sizes of a [`super::Qwen3`], under the names of the transformers library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Qwen3Config {
    /// Width of the states.
    pub hidden_size: i64,
    /// Width inside the feed-forward layers.
    pub intermediate_size: i64,
    /// Layers of the whole network.
    pub num_hidden_layers: usize,
    /// Heads of queries.
    pub num_attention_heads: i64,
    /// Heads of keys and values, each for as many heads of queries.
    pub num_key_value_heads: i64,
    /// Channels of a head.
    pub head_dim: i64,
    /// Number of tokens there are.
    pub vocab_size: i64,
    /// Added to mean squares.
    pub rms_norm_eps: f64,
    /// Base of the angles by which positions turn queries and keys. Files of transformers 5 have it in `rope_parameters`; 0, which no
    /// network has, until it is read from there.
    #[serde(default)]
    pub rope_theta: f64,
}

/// Keys of `text_encoder/config.json`.
const KEYS: &[(&str, Rule)] = &[
    ("hidden_size", Rule::Count),
    ("intermediate_size", Rule::Count),
    ("num_hidden_layers", Rule::Count),
    ("num_attention_heads", Rule::Count),
    ("num_key_value_heads", Rule::Count),
    ("head_dim", Rule::Count),
    ("vocab_size", Rule::Count),
    ("rms_norm_eps", Rule::Number),
    ("rope_theta", Rule::OptionalNumber),
];

/// Where files of transformers 5 say how positions turn.
#[derive(Deserialize)]
struct Rope {
    #[serde(default)]
    rope_parameters: Option<RopeParameters>,
}

#[derive(Deserialize)]
struct RopeParameters {
    rope_theta: f64,
    /// Others stretch the angles.
    #[serde(default, rename = "rope_type")]
    _kind: RopeKind,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RopeKind {
    #[default]
    Default,
}

impl Qwen3Config {
    /// Qwen3-4B, the text encoder of FLUX.2 klein 4B.
    pub fn qwen3_4b() -> Self {
        Self {
            hidden_size: 2560,
            intermediate_size: 9728,
            num_hidden_layers: 36,
            num_attention_heads: 32,
            num_key_value_heads: 8,
            head_dim: 128,
            vocab_size: 151_936,
            rms_norm_eps: 1e-6,
            rope_theta: 1e6,
        }
    }

    /// Qwen3-8B, the text encoder of FLUX.2 klein 9B.
    pub fn qwen3_8b() -> Self {
        Self {
            hidden_size: 4096,
            intermediate_size: 12_288,
            ..Self::qwen3_4b()
        }
    }

    /// Whether a network of these sizes can be built.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub fn check(&self) -> Result<(), String> {
        const LARGEST: f64 = 1e9;
        let heads = self.num_attention_heads;
        for (key, found, range) in [
            ("hidden_size", self.hidden_size, WIDTH),
            ("intermediate_size", self.intermediate_size, WIDTH),
            ("num_attention_heads", heads, WIDTH),
            ("head_dim", self.head_dim, WIDTH),
            (
                "width of all heads",
                heads.saturating_mul(self.head_dim),
                WIDTH,
            ),
            ("vocab_size", self.vocab_size, VOCABULARY),
        ] {
            within(key, found, &range)?;
        }
        count_within("num_hidden_layers", self.num_hidden_layers, &TOWER)?;
        positive("rms_norm_eps", self.rms_norm_eps, 1.0)?;
        positive("rope_theta", self.rope_theta, LARGEST)?;
        let shared = self.num_key_value_heads;
        divides("num_key_value_heads", shared, "num_attention_heads", heads)?;
        if self.head_dim % 2 == 0 {
            return Ok(());
        }
        let found = self.head_dim;
        Err(format!(
            "`head_dim`: expected an even number, found {found}"
        ))
    }

    /// Read from `text_encoder/config.json`; `None` if the checkpoint has no such folder.
    ///
    /// # Errors
    /// [`NetError::Config`] for a value that is not built here.
    pub fn of(checkpoint: &Checkpoint) -> Result<Option<Self>, NetError> {
        let Some(file) = checkpoint.config("text_encoder") else {
            return Ok(None);
        };
        file.reject_other("model_type", &["qwen3".into()])?;
        file.reject_other("hidden_act", &["silu".into()])?;
        file.reject_other("attention_bias", &[false.into()])?;
        file.reject_other("use_sliding_window", &[false.into()])?;
        file.reject_other("rope_scaling", &[])?;
        let mut config: Self = file.parse(KEYS)?;
        if let Some(rope) = file.parse::<Rope>(&[])?.rope_parameters {
            config.rope_theta = rope.rope_theta;
        }
        config.check().map_err(|reason| file.refuse(reason))?;
        Ok(Some(config))
    }
}
