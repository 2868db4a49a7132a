//! IP-Adapter's projections of CLIP's features of a reference image to the tokens that the second softmax of each cross-attention reads,
//! under the names of the published files (`image_proj`). There are three: of the embedding, of each state, and a resampler of the states.

mod config;
mod resampler;

use tch::Tensor;

pub use config::{ImageProjectionConfig, ResamplerShape};
pub use resampler::Resampler;

use crate::layers::{Bias, LayerNorm, Linear};
use crate::probe::{Places, Role, Segment, Tokens};
use crate::scope::Scope;

const EPS: f64 = 1e-5;

/// CLIP's features of the reference to image tokens.
#[derive(Debug)]
pub enum ImageProjection {
    /// Some tokens from the embedding of the whole picture.
    Pooled(PooledProjection),
    /// One token from each state: the class token and the patches.
    Full(FullProjection),
    /// Some tokens, each a mixture of all states.
    Resampled(Resampler),
}

impl ImageProjection {
    /// Builds the projection of `config`.
    pub fn new(scope: &Scope<'_>, config: &ImageProjectionConfig) -> Self {
        match *config {
            ImageProjectionConfig::Pooled {
                tokens,
                features,
                width,
            } => Self::Pooled(PooledProjection::new(scope, tokens, features, width)),
            ImageProjectionConfig::Full {
                features,
                inner,
                width,
            } => Self::Full(FullProjection::new(scope, features, inner, width)),
            ImageProjectionConfig::Resampled(shape) => {
                Self::Resampled(Resampler::new(scope, shape))
            }
        }
    }

    /// Image tokens and where they lie in the reference.
    ///
    /// # Shapes
    /// `features` `[batch, features]` of the embedding for a pooled projection, else `[batch, 1 + patches, features]`, the class token
    /// first, of a square map of patches. Tokens `[batch, tokens, width]`.
    ///
    /// # Panics
    /// If the patches are no square.
    pub fn forward(&self, features: &Tensor) -> Tokens {
        let reference = Role::Reference(0);
        match self {
            Self::Pooled(projection) => Tokens::pooled(reference, projection.forward(features)),
            Self::Full(projection) => Tokens {
                tokens: projection.forward(features),
                segments: vec![
                    Segment::pooled(reference, 0..1),
                    Segment::grid(reference, 1, patches(features)),
                ],
            },
            Self::Resampled(resampler) => {
                let grid = patches(features);
                let (tokens, mixture) = resampler.forward(features);
                let segment = Segment {
                    role: reference,
                    tokens: 0..tokens.size()[1],
                    places: Places::Mixed {
                        grid,
                        // The class token comes first, the latents themselves last.
                        weights: mixture.narrow(2, 1, grid.0 * grid.1),
                    },
                };
                Tokens {
                    tokens,
                    segments: vec![segment],
                }
            }
        }
    }
}

/// Height and width of the map of patches among `features` `[batch, 1 + patches, features]`.
fn patches(features: &Tensor) -> (i64, i64) {
    let count = features.size()[1] - 1;
    let side = (count as f64).sqrt().round() as i64;
    assert_eq!(side * side, count, "patches of a square picture");
    (side, side)
}

/// The projection of `ip-adapter_sd15`: a linear layer whose output is cut into tokens, each normalized.
#[derive(Debug)]
pub struct PooledProjection {
    proj: Linear,
    norm: LayerNorm,
    width: i64,
}

impl PooledProjection {
    fn new(scope: &Scope<'_>, tokens: i64, features: i64, width: i64) -> Self {
        Self {
            proj: Linear::new(&scope.sub("proj"), features, tokens * width, Bias::Yes),
            norm: LayerNorm::new(&scope.sub("norm"), width, EPS),
            width,
        }
    }

    fn forward(&self, embedding: &Tensor) -> Tensor {
        let batch = embedding.size()[0];
        let tokens = self.proj.forward(embedding);
        self.norm.forward(&tokens.reshape([batch, -1, self.width]))
    }
}

/// The projection of `ip-adapter-full-face_sd15`: two linear layers for each state.
#[derive(Debug)]
pub struct FullProjection {
    first: Linear,
    second: Linear,
    norm: LayerNorm,
}

impl FullProjection {
    fn new(scope: &Scope<'_>, features: i64, inner: i64, width: i64) -> Self {
        Self {
            first: Linear::new(&scope.sub("proj.0"), features, inner, Bias::Yes),
            second: Linear::new(&scope.sub("proj.2"), inner, width, Bias::Yes),
            norm: LayerNorm::new(&scope.sub("proj.3"), width, EPS),
        }
    }

    fn forward(&self, states: &Tensor) -> Tensor {
        let inner = self.first.forward(states).gelu("none");
        self.norm.forward(&self.second.forward(&inner))
    }
}
