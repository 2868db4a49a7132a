//! A source of tensors to be trained, drawn at random when they are first asked for.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::scope::{Init, TensorSource};

/// Trainable tensors, made on first request and shared afterwards.
///
/// Draws come from libtorch's generator; seed it (`tch::manual_seed`) before the first network is built.
pub struct FreshSource {
    device: Device,
    variables: RefCell<BTreeMap<String, Tensor>>,
}

impl FreshSource {
    /// No tensors yet.
    pub fn new(device: Device) -> Self {
        Self {
            device,
            variables: RefCell::default(),
        }
    }

    /// Every tensor made so far, by full name; shallow clones, so that an optimizer can update them in place.
    pub fn variables(&self) -> BTreeMap<String, Tensor> {
        self.variables
            .borrow()
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
            .collect()
    }
}

impl TensorSource for FreshSource {
    fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let mut variables = self.variables.borrow_mut();
        let made = variables.entry(name.to_owned()).or_insert_with(|| {
            let options = (Kind::Float, self.device);
            let value = match init {
                Init::Zeros => Tensor::zeros(shape, options),
                Init::Ones => Tensor::ones(shape, options),
                Init::Normal(std) => Tensor::randn(shape, options) * std,
                Init::FanIn(fan_in) => {
                    let bound = (fan_in as f64).powf(-0.5);
                    (Tensor::rand(shape, options) * 2.0 - 1.0) * bound
                }
            };
            value.set_requires_grad(true)
        });
        made.shallow_clone()
    }
}
