//! Training state on disk: variables, averages and moments in one safetensors file.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Device, Kind, Tensor};

/// Writes `tensors` as `kind` (f32 or f16), with `metadata`.
pub(crate) fn write(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    kind: Kind,
    metadata: BTreeMap<String, String>,
) -> Result<()> {
    let dtype = if kind == Kind::Half {
        Dtype::F16
    } else {
        Dtype::F32
    };
    let mut stored = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let tensor = tensor
            .detach()
            .to_device(Device::Cpu)
            .to_kind(kind)
            .contiguous();
        let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
        let mut bytes = vec![0_u8; tensor.numel() * kind.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
        stored.push((name, shape, bytes));
    }
    let views = stored
        .iter()
        .map(|(name, shape, bytes)| {
            Ok((name.as_str(), TensorView::new(dtype, shape.clone(), bytes)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let bytes = safetensors::serialize(views, Some(metadata.into_iter().collect()))?;
    i2am_files::write_atomic(path, &bytes)?;
    Ok(())
}

/// Reads f32 tensors of `path` into the tensors of the same names, and returns the metadata.
pub(crate) fn read_into(
    path: &Path,
    targets: &BTreeMap<String, Tensor>,
) -> Result<BTreeMap<String, String>> {
    let bytes = i2am_files::read(path)?;
    let (_, header) =
        SafeTensors::read_metadata(&bytes).with_context(|| path.display().to_string())?;
    let file = SafeTensors::deserialize(&bytes).with_context(|| path.display().to_string())?;
    let _guard = tch::no_grad_guard();
    for (name, target) in targets {
        let found = file
            .tensor(name)
            .with_context(|| format!("{}: tensor `{name}`", path.display()))?;
        let shape: Vec<i64> = found.shape().iter().map(|&n| n as i64).collect();
        ensure!(
            shape == target.size() && found.dtype() == Dtype::F32,
            "{}: tensor `{name}`: expected f32 {:?}, found {:?} {shape:?}; remove the folder to start anew",
            path.display(),
            target.size(),
            found.dtype()
        );
        let value = Tensor::from_data_size(found.data(), &shape, Kind::Float);
        target.detach().copy_(&value);
    }
    Ok(header
        .metadata()
        .clone()
        .unwrap_or_default()
        .into_iter()
        .collect())
}
