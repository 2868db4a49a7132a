//! The weights of a loaded network, and random numbers in their place for a while: a map that stays as it was does not show the model.

use std::cell::RefCell;
use std::collections::BTreeMap;

use i2am_nets::{AttentionLayer, Init, TensorSource};
use tch::{Kind, Tensor};

use crate::noise::NoiseSource;

/// The weights of the network that denoises, as its layers hold them.
#[derive(Debug)]
pub struct Weights {
    /// By name, without the network.
    tensors: BTreeMap<String, Tensor>,
}

impl Weights {
    /// Their names in diffusers' spelling, without the network, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The weights with nothing random yet. One at a time: what is dropped puts back what it found.
    pub fn randomized(&self, seed: u64) -> Randomized<'_> {
        Randomized {
            weights: self,
            seed,
            originals: BTreeMap::new(),
        }
    }
}

/// Weights of which some are random, until this is dropped: then all are again what they were, bit for bit. Until then it holds a copy of
/// those that are replaced.
#[derive(Debug)]
pub struct Randomized<'a> {
    weights: &'a Weights,
    seed: u64,
    originals: BTreeMap<&'a str, Tensor>,
}

impl Randomized<'_> {
    /// Puts Gaussian numbers with the mean and the standard deviation of a tensor in its place, for every tensor whose name `wanted` wants
    /// and that is not random yet. They are drawn by seed and name. Of a tensor whose values are all equal nothing changes.
    pub fn add(&mut self, wanted: impl Fn(&str) -> bool) {
        let _guard = tch::no_grad_guard();
        for (name, tensor) in &self.weights.tensors {
            if !wanted(name) || self.originals.contains_key(name.as_str()) {
                continue;
            }
            let values = tensor.to_kind(Kind::Float);
            let Some(deviation) = deviation(&values) else {
                continue;
            };
            let random = drawn(self.seed, name, tensor) * deviation + values.mean(Kind::Float);
            self.originals.insert(name, tensor.copy());
            tensor.shallow_clone().copy_(&random);
        }
    }
}

impl Drop for Randomized<'_> {
    fn drop(&mut self) {
        let _guard = tch::no_grad_guard();
        for (name, original) in &self.originals {
            self.weights.tensors[*name].shallow_clone().copy_(original);
        }
    }
}

/// The standard deviation of `values`; none if they are all equal, or one.
pub(crate) fn deviation(values: &Tensor) -> Option<f64> {
    let deviation = values.std(false).double_value(&[]);
    (deviation.is_finite() && deviation > 0.0).then_some(deviation)
}

/// Standard normal numbers for the tensor called `name`, f32, of its shape and on its device.
pub(crate) fn drawn(seed: u64, name: &str, tensor: &Tensor) -> Tensor {
    let source = NoiseSource::Seeded {
        seed,
        dataset: "damage".to_owned(),
        sample: name.to_owned(),
    };
    let drawn = source
        .draw("noise", &tensor.size())
        .expect("a seeded source has noise for every purpose");
    drawn.to_device(tensor.device())
}

/// Tensors of another source; those of one network are kept.
pub(crate) struct KeepingSource<'a> {
    inner: &'a dyn TensorSource,
    network: &'a str,
    kept: RefCell<BTreeMap<String, Tensor>>,
}

impl<'a> KeepingSource<'a> {
    /// Keeps those of `network`.
    pub(crate) fn new(inner: &'a dyn TensorSource, network: &'a str) -> Self {
        Self {
            inner,
            network,
            kept: RefCell::default(),
        }
    }

    /// What was kept: the very tensors that the layers hold.
    pub(crate) fn into_weights(self) -> Weights {
        Weights {
            tensors: self.kept.into_inner(),
        }
    }
}

impl TensorSource for KeepingSource<'_> {
    fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let tensor = self.inner.tensor(name, shape, init);
        let below = name.strip_prefix(self.network);
        if let Some(below) = below.and_then(|rest| rest.strip_prefix('.')) {
            let own = tensor.shallow_clone();
            self.kept.borrow_mut().insert(below.to_owned(), own);
        }
        tensor
    }

    fn unread(&self, prefix: &str) {
        self.inner.unread(prefix);
    }

    fn attention(&self, network: &str, layer: AttentionLayer) {
        self.inner.attention(network, layer);
    }
}
