//! Where the tensors of a network come from: a source gives them by full name, and a scope is a place among the names.

use std::fmt::Display;

use tch::Tensor;

/// How a tensor starts when a network is trained from scratch. Sources that read a file ignore it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All zeros (biases, the last convolution of a residual branch).
    Zeros,
    /// All ones (scales of normalizations).
    Ones,
    /// Uniform in ±`1/sqrt(fan_in)`, the default of PyTorch's linear and convolution layers.
    FanIn(i64),
    /// Normal with this standard deviation (embeddings).
    Normal(f64),
}

/// Where the tensors of a network come from.
///
/// Constructors do not fail half-way: a source that cannot give a tensor notes the fault and returns a placeholder, so that
/// one report can name everything that is wrong with a file.
pub trait TensorSource {
    /// The tensor `name`, which must have exactly `shape`.
    fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor;

    /// Called for a place whose tensors published files may have and nothing reads. Most sources ignore it.
    fn unread(&self, _prefix: &str) {}

    /// Called for every softmax of a network's transformers. Most sources ignore it.
    fn attention(&self, _network: &str, _layer: AttentionLayer) {}
}

/// One softmax of a network's transformers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttentionLayer {
    /// Its name below its network, as in [`crate::Observation::layer`].
    pub name: String,
    /// Number of heads.
    pub heads: i64,
}

/// A place in the tree of tensor names of one network.
#[derive(Clone)]
pub struct Scope<'a> {
    source: &'a dyn TensorSource,
    network: String,
    path: String,
}

impl<'a> Scope<'a> {
    /// The top of a network, e.g. `unet`; its tensors are asked for as `unet.conv_in.weight`.
    pub fn root(source: &'a dyn TensorSource, network: &str) -> Self {
        Self {
            source,
            network: network.to_owned(),
            path: String::new(),
        }
    }

    /// One level down.
    #[must_use]
    pub fn sub(&self, name: impl Display) -> Self {
        let path = if self.path.is_empty() {
            name.to_string()
        } else {
            format!("{}.{name}", self.path)
        };
        Self {
            source: self.source,
            network: self.network.clone(),
            path,
        }
    }

    /// The path below the network, e.g. `down_blocks.0.attentions.0`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Tells the source that a softmax of `heads` heads is at this place.
    pub fn attention(&self, heads: i64) {
        let name = self.path.clone();
        self.source
            .attention(&self.network, AttentionLayer { name, heads });
    }

    /// Tells the source that the tensors below this place, if there are any, are read by nothing.
    pub fn unread(&self) {
        self.source
            .unread(&format!("{}.{}.", self.network, self.path));
    }

    /// The tensor `name` at this place.
    pub fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let below = self.sub(name);
        self.source
            .tensor(&format!("{}.{}", self.network, below.path), shape, init)
    }
}
