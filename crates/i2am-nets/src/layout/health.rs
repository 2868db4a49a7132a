//! Values that no training leaves behind: what a download that stopped, a damaged file or a failed conversion gives a network.

use std::path::Path;

use i2am_weights::DType;

use super::Checkpoint;
use crate::NetError;
use crate::load_report::{Damage, Fault, LoadReport};
use crate::scope::Init;
use crate::source::ExpectedSource;

/// Ends of the names of factors that some programs store with eight-bit floats, in place of `weight` or after the whole name.
const SCALES: [&str; 3] = ["scale_weight", "weight_scale", "scale"];

impl Checkpoint {
    /// Whether the values of the tensor `name` can be read for what they are.
    ///
    /// # Errors
    /// An element type that is not read here, or eight-bit floats that are meant to be multiplied by a factor.
    pub(super) fn check_readable(&self, name: &str) -> Result<(), NetError> {
        let Some(entry) = self.entries.get(name) else {
            return Ok(());
        };
        let file = self.file(entry);
        file.check_readable(&entry.name)?;
        let stored = &entry.name;
        let is_small = matches!(self.dtype(name), Some(DType::F8E4M3 | DType::F8E5M2));
        let stem = stored.strip_suffix("weight").unwrap_or(stored);
        let mut scales = SCALES
            .iter()
            .flat_map(|end| [format!("{stem}{end}"), format!("{stored}_{end}")]);
        match scales.find(|scale| is_small && file.info(scale).is_some()) {
            None => Ok(()),
            Some(scale) => Err(NetError::Layout {
                path: file.path().to_owned(),
                reason: format!(
                    "tensor `{stored}`: expected values, found eight-bit floats to be multiplied by `{scale}`, which is not built here"
                ),
            }),
        }
    }

    /// What is wrong with the values of the tensor `name`, which training starts as `init`. Only as much is read as is needed to tell.
    ///
    /// # Errors
    /// As [`Checkpoint::tensor`], but for checksums.
    pub(crate) fn fault(&self, name: &str, init: Init) -> Result<Option<Damage>, NetError> {
        self.check_readable(name)?;
        let Some(entry) = self.entries.get(name) else {
            return Ok(None);
        };
        let file = self.file(entry);
        let all = |test: fn(f32) -> bool| file.all(&entry.name, test);
        let is_scale = init == Init::Ones;
        let is_empty = file.info(&entry.name).is_none_or(|info| info.elements == 0);
        // Biases and what training starts at zero may stay there.
        let may_be_zero = init == Init::Zeros || !name.ends_with("weight");
        let fault = if is_empty {
            None
        } else if !may_be_zero && all(|value| value == 0.0)? {
            Some(if is_scale {
                Fault::ZeroScale
            } else {
                Fault::Zero
            })
        } else if all(|value| !value.is_finite())? {
            Some(Fault::NotFinite)
        } else if is_scale && !all(f32::is_finite)? {
            Some(Fault::NotFiniteScale)
        } else {
            None
        };
        let (path, root) = (file.path(), self.path());
        let below = path
            .strip_prefix(root)
            .ok()
            .filter(|rest| *rest != Path::new(""));
        Ok(fault.map(|fault| Damage {
            file: below
                .unwrap_or(path.file_name().map_or(path, Path::new))
                .to_owned(),
            name: entry.name.clone(),
            fault,
        }))
    }

    /// How the tensors here meet what `expected` was asked for, their values included. Little of the weights is read.
    ///
    /// # Errors
    /// Tensors that a network needs and that cannot be read.
    pub fn examine(&self, expected: &ExpectedSource) -> Result<LoadReport, NetError> {
        let shapes = expected.shapes();
        let mut report = self.compare_with(&shapes, &expected.unread());
        for (name, shape) in &shapes {
            if self.shape(name).as_ref() == Some(shape) {
                report
                    .damaged
                    .extend(self.fault(name, expected.init(name))?);
            }
        }
        Ok(report)
    }
}
