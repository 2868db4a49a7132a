//! `AdamW` whose state can be saved, which libtorch's own cannot be through its C interface.

use std::collections::BTreeMap;

use tch::Tensor;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.99;
const EPS: f64 = 1e-8;
const WEIGHT_DECAY: f64 = 1e-4;
/// Gradients are scaled down to this norm.
const MAX_NORM: f64 = 1.0;

/// Loshchilov and Hutter 2019, with clipping by the global norm.
pub(crate) struct AdamW {
    variables: BTreeMap<String, Tensor>,
    moments: BTreeMap<String, (Tensor, Tensor)>,
}

impl AdamW {
    pub(crate) fn new(variables: BTreeMap<String, Tensor>) -> Self {
        let zeros = |(name, v): (&String, &Tensor)| {
            (
                name.clone(),
                (v.detach().zeros_like(), v.detach().zeros_like()),
            )
        };
        let moments = variables.iter().map(zeros).collect();
        Self { variables, moments }
    }

    /// One update with the gradients there are; `step` counts from 0. Returns the norm before clipping.
    pub(crate) fn step(&mut self, step: u64, rate: f64) -> f64 {
        let _guard = tch::no_grad_guard();
        let gradients: Vec<(&String, Tensor)> = (self.variables.iter())
            .map(|(name, variable)| (name, variable.grad()))
            .filter(|(_, gradient)| gradient.defined())
            .collect();
        let norms: Vec<Tensor> = gradients
            .iter()
            .map(|(_, gradient)| gradient.norm())
            .collect();
        let norm = Tensor::stack(&norms, 0).norm().double_value(&[]);
        let clip = (MAX_NORM / (norm + 1e-6)).min(1.0);
        let t = step as i32 + 1;
        let (correct1, correct2) = (1.0 - BETA1.powi(t), 1.0 - BETA2.powi(t));
        for (name, gradient) in gradients {
            let gradient = gradient * clip;
            let (first, second) = self
                .moments
                .get_mut(name)
                .expect("every variable has moments");
            let _ = first
                .g_mul_scalar_(BETA1)
                .g_add_(&(&gradient * (1.0 - BETA1)));
            let _ = second
                .g_mul_scalar_(BETA2)
                .g_add_(&(gradient.square() * (1.0 - BETA2)));
            let update = &*first / correct1 / ((&*second / correct2).sqrt() + EPS);
            let mut variable = self.variables[name].detach();
            let _ = variable
                .g_mul_scalar_(1.0 - rate * WEIGHT_DECAY)
                .g_sub_(&(update * rate));
        }
        for variable in self.variables.values() {
            let mut gradient = variable.grad();
            if gradient.defined() {
                let _ = gradient.detach_().zero_();
            }
        }
        norm
    }

    pub(crate) fn variables(&self) -> &BTreeMap<String, Tensor> {
        &self.variables
    }

    /// Everything that must be saved to go on exactly, by name.
    pub(crate) fn state(&self) -> BTreeMap<String, Tensor> {
        let mut state = BTreeMap::new();
        for (name, (first, second)) in &self.moments {
            state.insert(format!("first.{name}"), first.shallow_clone());
            state.insert(format!("second.{name}"), second.shallow_clone());
        }
        state
    }
}
