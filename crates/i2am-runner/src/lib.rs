//! Model families, samplers and the attention probe: a sample becomes a picture and an attention record.
//!
//! A [`families::Family`] knows how one published model wants its pictures, which checkpoints it reads and where its reference
//! enters. It makes a [`families::Pipeline`], which generates one sample at a time and, if asked, captures the attention
//! between reference and generated picture while it samples.
//!
//! Attention is seen through an [`i2am_nets::AttentionProbe`], of which [`capture::Recorder`] is one. Another one that watches a small
//! transformer, whose keys are the positions of a reference image:
//!
//! ```
//! use i2am_nets::layers::{BlockShape, CrossAttention, SpatialTransformer};
//! use i2am_nets::{AttentionProbe, Context, FormulaSource, Observation, Precision, Scope};
//! use tch::{Device, Kind, Tensor};
//!
//! /// How much each reference position is attended to, on average over the generated positions.
//! struct Mean(Vec<Tensor>);
//!
//! impl AttentionProbe for Mean {
//!     fn observe(&mut self, seen: &Observation<'_>) {
//!         let scores = seen.query.matmul(&seen.key.transpose(2, 3)) * seen.scale;
//!         let attention = scores.softmax(-1, Kind::Float);
//!         self.0.push(attention.mean_dim([2_i64].as_slice(), false, Kind::Float));
//!     }
//! }
//!
//! let source = FormulaSource::new(Precision::F32, Device::Cpu);
//! let shape = BlockShape { width: 8, context: 6, heads: 2, groups: 4, depth: 1, cross: CrossAttention::Single };
//! let layer = SpatialTransformer::new(&Scope::root(&source, "unet"), &shape);
//! let image = Tensor::ones([1, 8, 4, 4], (Kind::Float, Device::Cpu));
//! let reference = Tensor::ones([1, 6, 3, 5], (Kind::Float, Device::Cpu));
//!
//! let mut probe = Mean(Vec::new());
//! layer.forward(&image, &Context::spatial(&reference), &mut probe);
//! assert_eq!(probe.0[0].size(), [1, 2, 15]); // batch, heads, reference positions
//! ```

pub mod capture;
pub mod damage;
mod error;
pub mod families;
pub mod noise;
pub mod pictures;
pub mod samplers;
pub mod schedule;
mod weights;

pub use error::RunnerError;
pub use weights::{Randomized, Weights};
