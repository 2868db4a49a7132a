//! What is encoded once and kept for the next start.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use tch::{Device, Kind, Tensor};

use crate::posteriors::Posteriors;
use crate::{progress, state};

/// Tensors that take long to make.
pub(crate) struct Encoded(BTreeMap<String, Tensor>);

impl Encoded {
    /// Those of the training in the folder `work` if they were made for the same `key`; otherwise what `make` returns, kept there.
    pub(crate) fn open(
        work: &Path,
        key: String,
        make: impl FnOnce() -> Result<BTreeMap<String, Tensor>>,
    ) -> Result<Self> {
        let path = work.join("encoded.safetensors");
        if path.is_file() {
            let (tensors, metadata) = state::read(&path)?;
            if metadata.get("key") == Some(&key) {
                return Ok(Self(tensors));
            }
        }
        let tensors = make()?;
        let metadata = BTreeMap::from([("key".to_owned(), key)]);
        state::write(&path, &tensors, Kind::Half, &metadata)?;
        Ok(Self(tensors))
    }

    /// Takes one out.
    pub(crate) fn take(&mut self, name: &str) -> Result<Tensor> {
        let found = self.0.remove(name);
        found.with_context(|| format!("the encoded training set has no tensor `{name}`"))
    }

    /// Takes mean and deviation of latents out, whose names begin with `prefix`.
    pub(crate) fn take_posteriors(&mut self, prefix: &str) -> Result<Posteriors> {
        Ok(Posteriors {
            mean: self.take(&format!("{prefix}mean"))?,
            deviation: self.take(&format!("{prefix}deviation"))?,
        })
    }
}

/// Calls `encode` for `size` indices at a time of `count`, and shows how far it is.
pub(crate) fn in_batches(
    count: usize,
    size: usize,
    mut encode: impl FnMut(std::ops::Range<usize>) -> Result<()>,
) -> Result<()> {
    /// Batches between lines where there is no bar.
    const SAY_EVERY: usize = 25;
    let _guard = tch::no_grad_guard();
    let bar = progress::bar("encoding", count as u64);
    for start in (0..count).step_by(size) {
        let end = (start + size).min(count);
        encode(start..end)?;
        bar.inc((end - start) as u64);
        if bar.is_hidden() && (start / size).is_multiple_of(SAY_EVERY) {
            progress::say(&format!("encoding: {start} of {count}"));
        }
    }
    Ok(())
}

/// One tensor after the other in half precision on the CPU.
pub(crate) fn halves(parts: &[Tensor]) -> Tensor {
    Tensor::cat(parts, 0)
        .to_device(Device::Cpu)
        .to_kind(Kind::Half)
}

/// The rows `indices` of `x` in f32 on `device`.
pub(crate) fn pick(x: &Tensor, indices: &Tensor, device: Device) -> Tensor {
    x.index_select(0, indices)
        .to_device(device)
        .to_kind(Kind::Float)
}
