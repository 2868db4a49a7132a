//! A source that only lists the names and shapes that a network asks for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use tch::{Device, Kind, Tensor};

use crate::scope::{AttentionLayer, Init, TensorSource};

/// Lists what a network asks for, without memory for any of it.
///
/// The networks built from it are only good for being dropped.
#[derive(Default)]
pub struct ExpectedSource {
    shapes: RefCell<BTreeMap<String, Vec<i64>>>,
    inits: RefCell<BTreeMap<String, Init>>,
    attentions: RefCell<BTreeMap<String, Vec<AttentionLayer>>>,
    unread: RefCell<BTreeSet<String>>,
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

    /// What the full names of tensors begin with that nothing reads though files may have them.
    pub(crate) fn unread(&self) -> BTreeSet<String> {
        self.unread.borrow().clone()
    }

    /// Forgets the tensors that `wanted` does not want.
    pub fn retain(&self, wanted: impl Fn(&str) -> bool) {
        self.shapes.borrow_mut().retain(|name, _| wanted(name));
    }

    /// How training starts the tensor `name`, which was asked for.
    pub(crate) fn init(&self, name: &str) -> Init {
        self.inits
            .borrow()
            .get(name)
            .copied()
            .unwrap_or(Init::Zeros)
    }

    /// Every softmax of the transformers of `network`, in the order in which they were built.
    pub fn attentions(&self, network: &str) -> Vec<AttentionLayer> {
        let layers = self.attentions.borrow();
        layers.get(network).cloned().unwrap_or_default()
    }

    /// The networks that have any.
    pub fn attending(&self) -> Vec<String> {
        self.attentions.borrow().keys().cloned().collect()
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
    fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        self.shapes
            .borrow_mut()
            .insert(name.to_owned(), shape.to_vec());
        self.inits.borrow_mut().insert(name.to_owned(), init);
        Tensor::zeros([0], (Kind::Float, Device::Cpu))
    }

    fn unread(&self, prefix: &str) {
        self.unread.borrow_mut().insert(prefix.to_owned());
    }

    fn attention(&self, network: &str, layer: AttentionLayer) {
        let mut layers = self.attentions.borrow_mut();
        layers.entry(network.to_owned()).or_default().push(layer);
    }
}
