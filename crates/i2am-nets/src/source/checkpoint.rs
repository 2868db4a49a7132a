//! Tensors of a checkpoint; what is missing or wrong is noted and reported at once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use tch::{Device, Tensor};

use crate::layout::Checkpoint;
use crate::load_report::{Damage, LoadReport, WrongShape};
use crate::scope::{Init, TensorSource};
use crate::{NetError, Precision};

/// Reads a network's tensors out of a [`Checkpoint`], converting them to one precision and device.
pub struct CheckpointSource<'a> {
    checkpoint: &'a Checkpoint,
    precision: Precision,
    device: Device,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    loaded: usize,
    /// Tensors of the checkpoint that the network has a place for, also those of another shape.
    asked: BTreeSet<String>,
    /// What the names of tensors begin with that nothing reads.
    unread: BTreeSet<String>,
    missing: BTreeMap<String, Vec<i64>>,
    wrong: Vec<WrongShape>,
    damaged: Vec<Damage>,
    failed: Option<NetError>,
}

impl<'a> CheckpointSource<'a> {
    /// Tensors of `checkpoint` in `precision` on `device`.
    pub fn new(checkpoint: &'a Checkpoint, precision: Precision, device: Device) -> Self {
        Self {
            checkpoint,
            precision,
            device,
            state: RefCell::default(),
        }
    }

    /// What was loaded, missing, wrong and unused, once every network has been built.
    pub fn report(&self) -> LoadReport {
        let state = self.state.borrow();
        LoadReport {
            loaded: state.loaded,
            missing: state.missing.keys().cloned().collect(),
            unused: self.checkpoint.unused(&state.asked, &state.unread),
            wrong: state.wrong.clone(),
            damaged: state.damaged.clone(),
        }
    }

    /// # Errors
    /// [`NetError::Tensors`] if any is missing, has another shape, or values that no training leaves; or one that could not be read.
    pub fn finish(self) -> Result<LoadReport, NetError> {
        let report = self.report();
        match self.state.into_inner().failed {
            Some(failed) if report.is_complete() => Err(failed),
            _ => report.require_sound(self.checkpoint.path()),
        }
    }

    fn placeholder(&self) -> Tensor {
        Tensor::zeros([0], (self.precision.kind(), self.device))
    }
}

impl TensorSource for CheckpointSource<'_> {
    fn unread(&self, prefix: &str) {
        self.state.borrow_mut().unread.insert(prefix.to_owned());
    }

    fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let mut state = self.state.borrow_mut();
        let Some(found) = self.checkpoint.shape(name) else {
            state.missing.insert(name.to_owned(), shape.to_vec());
            return self.placeholder();
        };
        state.asked.insert(name.to_owned());
        if found != shape {
            let name = self.checkpoint.name_in_file(name);
            state.wrong.push(WrongShape {
                name,
                expected: shape.to_vec(),
                found,
            });
            return self.placeholder();
        }
        let read = || {
            Ok((
                self.checkpoint.fault(name, init)?,
                self.checkpoint.tensor(name)?,
            ))
        };
        match read() {
            Ok((damage, tensor)) => {
                state.loaded += 1;
                state.damaged.extend(damage);
                tensor.to_device(self.device).to_kind(self.precision.kind())
            }
            Err(error) => {
                state.failed.get_or_insert(error);
                self.placeholder()
            }
        }
    }
}
