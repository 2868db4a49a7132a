//! What the shapes of a checkpoint's tensors say about the sizes of a network that has no `config.json`.

use super::Checkpoint;
use crate::NetError;
use crate::limits::{VOCABULARY, within};

/// Answers what sizes a network has from the shapes of its tensors.
pub struct Shapes<'a> {
    checkpoint: &'a Checkpoint,
    network: &'static str,
}

impl<'a> Shapes<'a> {
    /// Looks at `network` in `checkpoint`.
    pub fn new(checkpoint: &'a Checkpoint, network: &'static str) -> Self {
        Self {
            checkpoint,
            network,
        }
    }

    fn full(&self, name: &str) -> String {
        format!("{}.{name}", self.network)
    }

    /// Whether the tensor is there.
    pub fn has(&self, name: &str) -> bool {
        self.checkpoint.entries.contains_key(&self.full(name))
    }

    /// The length of one axis of a tensor.
    ///
    /// # Errors
    /// [`NetError::Infer`] if there is no such tensor or axis, [`NetError::Layout`] if no network has one as long.
    pub fn axis(&self, name: &str, axis: usize) -> Result<i64, NetError> {
        let full = self.full(name);
        let shape = self.checkpoint.shape(&full).unwrap_or_default();
        let length = shape.get(axis).copied().ok_or_else(|| NetError::Infer {
            path: self.checkpoint.path.clone(),
            network: self.network,
            tensor: name.to_owned(),
        })?;
        let key = format!("{name} (axis {axis})");
        let checked = within(&key, length, &VOCABULARY);
        self.checkpoint
            .inferred(self.network, checked)
            .map(|()| length)
    }

    /// The value of a tensor of one element, if there is such a tensor.
    ///
    /// # Errors
    /// The file's, if its bytes cannot be read.
    pub fn scalar(&self, name: &str) -> Result<Option<f64>, NetError> {
        if !self.has(name) {
            return Ok(None);
        }
        let full = self.full(name);
        let shape = self.checkpoint.shape(&full).unwrap_or_default();
        if shape.iter().any(|&length| length != 1) {
            return Ok(None);
        }
        let value = self.checkpoint.tensor(&full)?;
        Ok(Some(value.view(-1).double_value(&[0])))
    }

    /// How many numbered children `prefix` has: `prefix.0`, `prefix.1`, ...
    pub fn count(&self, prefix: &str) -> usize {
        let child = |i: usize| {
            let start = self.full(&format!("{prefix}.{i}."));
            let after = self.checkpoint.entries.range(start.clone()..).next();
            after.is_some_and(|(name, _)| name.starts_with(&start))
        };
        (0..usize::MAX).take_while(|&i| child(i)).count()
    }
}
