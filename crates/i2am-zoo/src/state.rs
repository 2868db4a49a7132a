//! Tensors on disk: training states, checkpoints and what can be computed once.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Device, Kind, Tensor};

/// Writes `tensors` as `kind` (f32 or f16), with `metadata`.
pub(crate) fn write(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    kind: Kind,
    metadata: &BTreeMap<String, String>,
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
    let bytes = with_metadata(&safetensors::serialize(views, None)?, metadata)?;
    i2am_files::write_atomic(path, &bytes)?;
    Ok(())
}

/// The safetensors file `bytes` with `metadata` in its header, sorted: the library's own order differs from run to run.
fn with_metadata(bytes: &[u8], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let (length, rest) = bytes
        .split_first_chunk()
        .context("a safetensors file begins with a length")?;
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let tensors: BTreeMap<String, serde_json::Value> = serde_json::from_slice(header)?;
    let mut entries = serde_json::Map::from_iter(tensors);
    entries.insert("__metadata__".to_owned(), serde_json::to_value(metadata)?);
    let mut header = serde_json::to_vec(&entries)?;
    // Data begin at a multiple of 8.
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = (header.len() as u64).to_le_bytes();
    Ok([length.as_slice(), &header, data].concat())
}

/// Reads f32 and f16 tensors, in their own precision on the CPU, and the metadata.
pub(crate) fn read(path: &Path) -> Result<(BTreeMap<String, Tensor>, BTreeMap<String, String>)> {
    let bytes = i2am_files::read(path)?;
    let broken = || path.display().to_string();
    let (_, header) = SafeTensors::read_metadata(&bytes).with_context(broken)?;
    let file = SafeTensors::deserialize(&bytes).with_context(broken)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let kind = match view.dtype() {
            Dtype::F32 => Kind::Float,
            Dtype::F16 => Kind::Half,
            other => bail!(
                "{}: tensor `{name}`: expected f32 or f16, found {other:?}",
                path.display()
            ),
        };
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        tensors.insert(name, Tensor::from_data_size(view.data(), &shape, kind));
    }
    let metadata = header.metadata().clone().unwrap_or_default();
    Ok((tensors, metadata.into_iter().collect()))
}

/// Reads f32 tensors of `path` into the tensors of the same names, and returns the metadata.
pub(crate) fn read_into(
    path: &Path,
    targets: &BTreeMap<String, Tensor>,
) -> Result<BTreeMap<String, String>> {
    let (found, metadata) = read(path)?;
    let _guard = tch::no_grad_guard();
    for (name, target) in targets {
        let found = found
            .get(name)
            .with_context(|| format!("{}: no tensor `{name}`", path.display()))?;
        ensure!(
            found.size() == target.size() && found.kind() == Kind::Float,
            "{}: tensor `{name}`: expected f32 {:?}, found {:?} {:?}; remove the folder to start anew",
            path.display(),
            target.size(),
            found.kind(),
            found.size()
        );
        target.detach().copy_(found);
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tch::{Kind, Tensor};

    use super::{read, write};

    #[test]
    fn the_same_content_gives_the_same_bytes() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("state.safetensors");
        let tensors = BTreeMap::from([
            ("b".to_owned(), Tensor::from_slice(&[1.5_f32, -2.0])),
            ("a".to_owned(), Tensor::from_slice(&[0.25_f32])),
        ]);
        let notes: BTreeMap<String, String> = (0..8)
            .map(|i| (format!("key {i}"), format!("\"{i}\"")))
            .collect();
        let mut files = Vec::new();
        for _ in 0..4 {
            write(&path, &tensors, Kind::Float, &notes)?;
            files.push(i2am_files::read(&path)?);
        }
        assert!(files.iter().all(|file| *file == files[0]));
        let (found, metadata) = read(&path)?;
        assert_eq!(metadata, notes);
        assert!(found.keys().eq(tensors.keys()));
        assert!(found.iter().all(|(name, tensor)| *tensor == tensors[name]));
        Ok(())
    }
}
