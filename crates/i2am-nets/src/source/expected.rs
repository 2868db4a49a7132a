//! A source that only lists the names and shapes that a network asks for.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::scope::{CrossAttention, Init, TensorSource};

/// Lists what a network asks for, without memory for any of it.
///
/// The networks built from it are only good for being dropped.
#[derive(Default)]
pub struct ExpectedSource {
    shapes: RefCell<BTreeMap<String, Vec<i64>>>,
    cross_attentions: RefCell<BTreeMap<String, Vec<CrossAttention>>>,
}

impl ExpectedSource {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every name asked for so far, with its shape.
    pub fn shapes(&self) -> BTreeMap<String, Vec<i64>> {
        self.shapes.borrow().clone()
    }

    /// The layers of `network` that attend to a context, in the order in which they were built.
    pub fn cross_attentions(&self, network: &str) -> Vec<CrossAttention> {
        let layers = self.cross_attentions.borrow();
        layers.get(network).cloned().unwrap_or_default()
    }

    /// Number of elements over all tensors.
    pub fn parameters(&self) -> u64 {
        self.shapes
            .borrow()
            .values()
            .map(|shape| shape.iter().product::<i64>() as u64)
            .sum()
    }
}

impl TensorSource for ExpectedSource {
    fn tensor(&self, name: &str, shape: &[i64], _init: Init) -> Tensor {
        self.shapes
            .borrow_mut()
            .insert(name.to_owned(), shape.to_vec());
        Tensor::zeros([0], (Kind::Float, Device::Cpu))
    }

    fn cross_attention(&self, network: &str, layer: CrossAttention) {
        let mut layers = self.cross_attentions.borrow_mut();
        layers.entry(network.to_owned()).or_default().push(layer);
    }
}
