//! Sizes of an image projection, inferred from the shapes of its tensors, which also tell the three kinds apart.

use crate::NetError;
use crate::layout::{Checkpoint, Shapes};
use crate::limits::{LAYERS, VOCABULARY, WIDTH, count_within, divides, within};

/// Width of a head of every published resampler; no file says.
const HEAD_WIDTH: i64 = 64;

/// Sizes of an [`super::ImageProjection`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageProjectionConfig {
    /// Tokens from the embedding of the whole picture (`ip-adapter_sd15`).
    Pooled {
        /// Number of tokens.
        tokens: i64,
        /// Width of CLIP's embedding.
        features: i64,
        /// Width of the tokens.
        width: i64,
    },
    /// One token from each state (`ip-adapter-full-face_sd15`).
    Full {
        /// Width of CLIP's states.
        features: i64,
        /// Width between the two linear layers.
        inner: i64,
        /// Width of the tokens.
        width: i64,
    },
    /// Tokens that attend to all states (`ip-adapter-plus_sd15`).
    Resampled(ResamplerShape),
}

/// Sizes of a [`super::Resampler`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResamplerShape {
    /// Number of latents, and so of tokens.
    pub tokens: i64,
    /// Width of CLIP's states.
    pub features: i64,
    /// Width of the latents.
    pub inner: i64,
    /// Heads of each attention.
    pub heads: i64,
    /// Width inside the feed-forward layers.
    pub feed_forward: i64,
    /// Layers.
    pub depth: usize,
    /// Width of the tokens.
    pub width: i64,
}

impl ResamplerShape {
    /// Width of queries, keys and values.
    pub fn attended(&self) -> i64 {
        self.heads * HEAD_WIDTH
    }
}

impl ImageProjectionConfig {
    /// The sizes of `ip-adapter_sd15`.
    pub fn ip_adapter_sd15() -> Self {
        Self::Pooled {
            tokens: 4,
            features: 1024,
            width: 768,
        }
    }

    /// The sizes of `ip-adapter-full-face_sd15`.
    pub fn ip_adapter_full_face_sd15() -> Self {
        Self::Full {
            features: 1280,
            inner: 1280,
            width: 768,
        }
    }

    /// The sizes of `ip-adapter-plus_sd15`.
    pub fn ip_adapter_plus_sd15() -> Self {
        Self::Resampled(ResamplerShape {
            tokens: 16,
            features: 1280,
            inner: 768,
            heads: 12,
            feed_forward: 3072,
            depth: 4,
            width: 768,
        })
    }

    /// What its authors call the kind.
    pub fn variant(&self) -> &'static str {
        match self {
            Self::Pooled { .. } => "base",
            Self::Full { .. } => "full-face",
            Self::Resampled(_) => "plus",
        }
    }

    /// Width of the features that it reads.
    pub fn features(&self) -> i64 {
        match *self {
            Self::Pooled { features, .. } | Self::Full { features, .. } => features,
            Self::Resampled(shape) => shape.features,
        }
    }

    /// Width of the tokens.
    pub fn width(&self) -> i64 {
        match *self {
            Self::Pooled { width, .. } | Self::Full { width, .. } => width,
            Self::Resampled(shape) => shape.width,
        }
    }

    /// The number of tokens, where it does not follow from the picture.
    pub fn tokens(&self) -> Option<i64> {
        match *self {
            Self::Pooled { tokens, .. } => Some(tokens),
            Self::Full { .. } => None,
            Self::Resampled(shape) => Some(shape.tokens),
        }
    }

    /// Inferred from the tensors `image_proj.*` of `checkpoint`.
    ///
    /// # Errors
    /// [`NetError::Layout`] for tensors of another kind or sizes that no network has, [`NetError::Infer`] if a telling tensor is missing.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let shapes = Shapes::new(checkpoint, "image_proj");
        let config = if shapes.has("latents") {
            Self::Resampled(resampler(&shapes)?)
        } else if shapes.has("proj.3.weight") {
            Self::Full {
                features: shapes.axis("proj.0.weight", 1)?,
                inner: shapes.axis("proj.0.weight", 0)?,
                width: shapes.axis("proj.3.weight", 0)?,
            }
        } else if shapes.has("proj.weight") {
            let (outputs, width) = (
                shapes.axis("proj.weight", 0)?,
                shapes.axis("norm.weight", 0)?,
            );
            let whole = divides(
                "norm.weight (axis 0)",
                width,
                "proj.weight (axis 0)",
                outputs,
            );
            checkpoint.inferred("image projection", whole)?;
            Self::Pooled {
                tokens: outputs / width,
                features: shapes.axis("proj.weight", 1)?,
                width,
            }
        } else {
            return Err(unknown(checkpoint));
        };
        checkpoint.inferred("image projection", config.check())?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        within("width of the features", self.features(), &WIDTH)?;
        within("width of the tokens", self.width(), &WIDTH)?;
        match *self {
            Self::Pooled { tokens, .. } => within("tokens", tokens, &WIDTH),
            Self::Full { inner, .. } => within("proj.0.weight (axis 0)", inner, &WIDTH),
            Self::Resampled(shape) => {
                within("tokens", shape.tokens, &WIDTH)?;
                within("width of the latents", shape.inner, &WIDTH)?;
                within("heads", shape.heads, &WIDTH)?;
                within("width of the feed-forward", shape.feed_forward, &VOCABULARY)?;
                count_within("layers", shape.depth, &LAYERS)
            }
        }
    }
}

fn resampler(shapes: &Shapes<'_>) -> Result<ResamplerShape, NetError> {
    // A width that is no multiple is met by a wrong shape when the network is built.
    let attended = shapes.axis("layers.0.0.to_q.weight", 0)?;
    Ok(ResamplerShape {
        tokens: shapes.axis("latents", 1)?,
        features: shapes.axis("proj_in.weight", 1)?,
        inner: shapes.axis("latents", 2)?,
        heads: attended / HEAD_WIDTH,
        feed_forward: shapes.axis("layers.0.1.1.weight", 0)?,
        depth: shapes.count("layers"),
        width: shapes.axis("proj_out.weight", 0)?,
    })
}

fn unknown(checkpoint: &Checkpoint) -> NetError {
    let mut names = checkpoint.names();
    let found = names.find(|name| name.starts_with("image_proj."));
    let found = found.map_or_else(
        || "none with that prefix".to_owned(),
        |name| format!("others, e.g. `{}`", checkpoint.name_in_file(name)),
    );
    NetError::Layout {
        path: checkpoint.path().to_owned(),
        reason: format!(
            "expected one of the tensors `image_proj.proj.weight` (base), `image_proj.proj.3.weight` (full-face), `image_proj.latents` (plus), found {found}"
        ),
    }
}
