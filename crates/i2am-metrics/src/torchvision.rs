//! Backbones from torchvision's files, and pairs that go through one.

use std::collections::BTreeMap;
use std::path::Path;

use i2am_nets::layout::Checkpoint;
use tch::{Device, Kind, Tensor};

use crate::error::MetricError;
use crate::pair::{Pair, PairValue};
use crate::resources::{Resources, WeightsInfo};

/// Pixels that go through a network at a time on a CPU. More leave its caches, and libtorch asks the system for their memory anew in
/// every layer: a third of the time.
const CPU_PIXELS: usize = 200_000;

/// The file `info` as the tensors of `network`. The layers that tell what a picture shows are no part of it.
///
/// # Errors
/// [`MetricError::NoWeights`], [`MetricError::Unusable`] for a file of another hash than its name says, and one that cannot be read.
pub(crate) fn backbone(
    metric: &'static str,
    info: &'static WeightsInfo,
    resources: &Resources,
    network: &str,
) -> Result<Checkpoint, MetricError> {
    let path = resources.find(info)?;
    check_hash(metric, &path, info)?;
    let rename = |name: &str| (!name.starts_with("classifier.")).then(|| name.to_owned());
    Ok(Checkpoint::open_single(&path, network, rename)?)
}

/// The names of the known files end in the first digits of their hash. A file under another name is taken as it is.
fn check_hash(metric: &'static str, path: &Path, info: &WeightsInfo) -> Result<(), MetricError> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if !info.files.contains(&name) {
        return Ok(());
    }
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let expected = stem.rsplit('-').next().unwrap_or_default();
    let found = i2am_files::sha256_file(path)?;
    if found.starts_with(expected) {
        return Ok(());
    }
    Err(MetricError::Unusable {
        metric,
        reason: format!(
            "{}: expected a sha256 that starts with {expected}, as the name says, found {}; fetch the file again",
            path.display(),
            &found[..expected.len()]
        ),
    })
}

/// Puts pairs through a network, those of one size together.
#[derive(Debug)]
pub(crate) struct Batches {
    metric: &'static str,
    /// Least height and width of a picture.
    least: u32,
    /// Most pairs that go through the network at a time.
    batch: usize,
    device: Device,
}

impl Batches {
    pub(crate) fn new(metric: &'static str, least: u32, resources: &Resources) -> Self {
        Self {
            metric,
            least,
            batch: (resources.batch / 2).max(1),
            device: resources.device,
        }
    }

    /// One value per pair: `distances` gives `[pairs]` f64 of what [`Batches::stack`] makes.
    ///
    /// # Errors
    /// [`MetricError::TooSmall`].
    pub(crate) fn measure(
        &self,
        pairs: &[Pair<'_>],
        distances: impl Fn(Tensor) -> Tensor,
    ) -> Result<Vec<PairValue>, MetricError> {
        let mut by_size: BTreeMap<[usize; 2], Vec<usize>> = BTreeMap::new();
        for (index, pair) in pairs.iter().enumerate() {
            by_size.entry(self.size(pair)?).or_default().push(index);
        }
        let mut values = vec![0.0; pairs.len()];
        for (size, indices) in by_size {
            for batch in indices.chunks(self.at_a_time(size)) {
                let stacked: Vec<&Pair<'_>> = batch.iter().map(|&index| &pairs[index]).collect();
                let mut found = vec![0.0; batch.len()];
                distances(self.stack(&stacked, size)).copy_data(&mut found, batch.len());
                for (&index, distance) in batch.iter().zip(found) {
                    values[index] = distance;
                }
            }
        }
        Ok(values.into_iter().map(PairValue::Value).collect())
    }

    /// Height and width of a pair that the network has a value for.
    ///
    /// # Errors
    /// [`MetricError::TooSmall`].
    pub(crate) fn size(&self, pair: &Pair<'_>) -> Result<[usize; 2], MetricError> {
        let (width, height) = pair.real.dimensions();
        if width.min(height) < self.least {
            return Err(MetricError::TooSmall {
                metric: self.metric,
                least: self.least,
                found: [height, width],
            });
        }
        Ok([height as usize, width as usize])
    }

    /// Pairs of this size that go through the network together.
    fn at_a_time(&self, [height, width]: [usize; 2]) -> usize {
        match self.device {
            Device::Cpu => (CPU_PIXELS / (2 * height * width)).clamp(1, self.batch),
            _ => self.batch,
        }
    }

    /// All generated pictures and then all real ones, `[2 * pairs, 3, H, W]` f32 in levels of 0 to 255, channels innermost in memory.
    pub(crate) fn stack(&self, pairs: &[&Pair<'_>], [height, width]: [usize; 2]) -> Tensor {
        let generated = pairs.iter().map(|pair| pair.generated);
        let pictures: Vec<&[u8]> = generated
            .chain(pairs.iter().map(|pair| pair.real))
            .map(|picture| picture.as_raw().as_slice())
            .collect();
        let levels = pictures.concat();
        let shape = [pictures.len(), height, width, 3].map(|extent| extent as i64);
        let levels = Tensor::from_data_size(&levels, &shape, Kind::Uint8).to_device(self.device);
        levels.permute([0, 3, 1, 2]).to_kind(Kind::Float)
    }
}
