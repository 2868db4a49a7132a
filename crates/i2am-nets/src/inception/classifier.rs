//! The network's last layer: what a picture shows.

use std::path::Path;

use tch::{Device, Tensor};

use super::NETWORK;
use crate::layout::Checkpoint;
use crate::scope::Init;
use crate::source::CheckpointSource;
use crate::{NetError, Precision, Scope};

/// Classes that the network tells apart.
const CLASSES: i64 = 1008;
/// Channels of the last features.
const CHANNELS: i64 = 2048;
/// The tensor's name in pytorch-fid's file.
const NAME: &str = "fc.weight";

/// The last layer without its bias, as the inception score is defined.
#[derive(Debug)]
pub struct Classifier {
    weight: Tensor,
}

impl Classifier {
    /// Reads `fc.weight` from pytorch-fid's `pt_inception-2015-12-05-6726825d.pth`; whatever else the file has is left alone.
    ///
    /// # Errors
    /// A file that cannot be read, or in which the tensor is missing or has another shape.
    pub fn open(path: &Path, precision: Precision, device: Device) -> Result<Self, NetError> {
        let own = |name: &str| (name == NAME).then(|| name.to_owned());
        let checkpoint = Checkpoint::open_single(path, NETWORK, own)?;
        let source = CheckpointSource::new(&checkpoint, precision, device);
        let scope = Scope::root(&source, NETWORK);
        let weight = scope.tensor(NAME, &[CLASSES, CHANNELS], Init::FanIn(CHANNELS));
        source.finish()?;
        Ok(Self { weight })
    }

    /// The last features `[batch, 2048]` to scores of classes `[batch, 1008]`, in the number format of the features.
    pub fn logits(&self, features: &Tensor) -> Tensor {
        features.matmul(&self.weight.to_kind(features.kind()).tr())
    }
}
