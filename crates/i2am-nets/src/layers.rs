//! The layers that every network here is made of, each with the reference's tensor names and arithmetic.

mod attention;
mod clip_layer;
mod conv;
mod feed_forward;
mod linear;
mod norm;
pub(crate) mod products;
mod resample;
mod resnet;
mod time_embedding;
mod transformer;

pub(crate) use attention::{Asked, attend_seen, attend_shared};
pub use attention::{Attention, AttentionShape, attend, attend_causal, split_heads};
pub use clip_layer::{Activation, ClipLayer, ClipShape, Sight};
pub use conv::{Conv2d, Padding, channels_last};
pub use feed_forward::{FeedForward, Gate};
pub use linear::{Bias, Linear};
pub use norm::{GroupNorm, LayerNorm, RmsNorm, Statistics};
pub use resample::{Downsample, Upsample};
pub use resnet::{ResnetBlock, ResnetShape};
pub use time_embedding::{TimeEmbedding, sinusoid};
pub use transformer::{
    BlockShape, CrossAttention, PlusAttention, SpatialTransformer, TransformerBlock,
};
