use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use tch::{Device, Tensor};

use crate::layout::Checkpoint;
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
    missing: BTreeMap<String, Vec<i64>>,
    wrong: Vec<WrongShape>,
    failed: Option<NetError>,
}

/// A tensor whose shape is not the one the network needs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WrongShape {
    /// The name, as it stands in the file.
    pub name: String,
    /// What the network needs.
    pub expected: Vec<i64>,
    /// What the file has.
    pub found: Vec<i64>,
}

/// How a checkpoint's tensors met a network's wants. Names are in the diffusers spelling unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LoadReport {
    /// Tensors that went into the network.
    pub loaded: usize,
    /// Tensors the network needs and the checkpoint lacks.
    pub missing: Vec<String>,
    /// Tensors of the checkpoint that nothing asked for, as they stand in the file. Known ballast (schedule buffers, averaged
    /// copies, training-only networks) is not counted.
    pub unused: Vec<String>,
    /// Tensors with another shape.
    pub wrong: Vec<WrongShape>,
}

impl LoadReport {
    /// Whether every tensor the network needs was there in the right shape.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty()
    }

    /// One line that names the first faults and counts the rest.
    pub(crate) fn complaint(&self) -> String {
        let mut parts = Vec::new();
        if let Some(first) = self.wrong.first() {
            let WrongShape {
                name,
                expected,
                found,
            } = first;
            let more = and_more(self.wrong.len());
            parts.push(format!(
                "tensor `{name}`: expected shape {expected:?}, found {found:?}{more}"
            ));
        }
        if let Some(first) = self.missing.first() {
            parts.push(format!(
                "missing tensor `{first}`{}",
                and_more(self.missing.len())
            ));
        }
        if !self.unused.is_empty() {
            parts.push(format!(
                "{} tensors of the file are unused, e.g. `{}`",
                self.unused.len(),
                self.unused[0]
            ));
        }
        parts.join("; ")
    }
}

fn and_more(count: usize) -> String {
    if count > 1 {
        format!(" (and {} more)", count - 1)
    } else {
        String::new()
    }
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
            unused: self.checkpoint.unused(&state.asked),
            wrong: state.wrong.clone(),
        }
    }

    /// # Errors
    /// A tensor that could not be read, or [`NetError::Tensors`] if any is missing or has another shape.
    pub fn finish(self) -> Result<LoadReport, NetError> {
        let report = self.report();
        if let Some(failed) = self.state.into_inner().failed {
            return Err(failed);
        }
        if report.is_complete() {
            Ok(report)
        } else {
            Err(NetError::Tensors {
                path: self.checkpoint.path().to_owned(),
                report: Box::new(report),
            })
        }
    }

    fn placeholder(&self) -> Tensor {
        Tensor::zeros([0], (self.precision.kind(), self.device))
    }
}

impl TensorSource for CheckpointSource<'_> {
    fn tensor(&self, name: &str, shape: &[i64], _init: Init) -> Tensor {
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
        match self.checkpoint.tensor(name) {
            Ok(tensor) => {
                state.loaded += 1;
                tensor.to_device(self.device).to_kind(self.precision.kind())
            }
            Err(error) => {
                state.failed.get_or_insert(error);
                self.placeholder()
            }
        }
    }
}
