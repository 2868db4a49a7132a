//! The networks of LPIPS with their weights.

use std::collections::BTreeMap;
use std::path::Path;

use i2am_imaging::Plane;
use i2am_nets::layout::Checkpoint;
use i2am_nets::lpips::{self as net, Backbone};
use i2am_nets::{CheckpointSource, Precision};
use tch::{Device, Kind, Tensor};

use super::{ALEX, LPIPS, Net, SQUEEZE, VGG};
use crate::error::MetricError;
use crate::pair::{Pair, PairMetric, PairValue};
use crate::resources::{Resources, WeightsInfo};

/// Pixels that go through a network at a time on a CPU. More leave its caches, and libtorch asks the system for their memory anew in
/// every layer: a third of the time.
const CPU_PIXELS: usize = 200_000;

impl From<Net> for Backbone {
    fn from(variant: Net) -> Self {
        match variant {
            Net::Alex => Self::Alex,
            Net::Squeeze => Self::Squeeze,
            Net::Vgg => Self::Vgg,
        }
    }
}

/// [`Lpips`](super::Lpips) with its weights: distances of pairs, or maps of where they differ.
#[derive(Debug)]
pub struct LpipsNet {
    net: net::Lpips,
    backbone: Backbone,
    /// Most pairs that go through the network at a time.
    batch: usize,
    device: Device,
}

impl LpipsNet {
    /// The backbone's weights from where `resources` has them.
    ///
    /// # Errors
    /// As [`Lpips`](super::Lpips) says, but for the size of pictures.
    pub fn open(backbone: Backbone, resources: &Resources) -> Result<Self, MetricError> {
        let info = match backbone {
            Backbone::Alex => &ALEX,
            Backbone::Squeeze => &SQUEEZE,
            Backbone::Vgg => &VGG,
        };
        let path = resources.find(info)?;
        check_hash(&path, info)?;
        // The layers that tell what a picture shows are no part of the metric.
        let rename = |name: &str| (!name.starts_with("classifier.")).then(|| name.to_owned());
        let checkpoint = Checkpoint::open_single(&path, "lpips", rename)?;
        let source = CheckpointSource::new(&checkpoint, Precision::F32, resources.device);
        let net = net::Lpips::new(&source, backbone, resources.device);
        source.finish()?;
        Ok(Self {
            net,
            backbone,
            batch: (resources.batch / 2).max(1),
            device: resources.device,
        })
    }

    /// Where a pair differs, `[H, W]` of the pictures: equal to `lpips.LPIPS(spatial=True)`. The mean over pixels is near the
    /// distance, not equal to it.
    ///
    /// # Errors
    /// [`MetricError::TooSmall`].
    pub fn map(&self, pair: &Pair<'_>) -> Result<Plane, MetricError> {
        let [height, width] = self.size(pair)?;
        let map = self.net.maps(&self.stack(&[pair], [height, width]));
        let mut values = vec![0.0; height * width];
        map.copy_data(&mut values, height * width);
        Ok(Plane::new(height, width, values)?)
    }

    /// Height and width of a pair that the network has a value for.
    fn size(&self, pair: &Pair<'_>) -> Result<[usize; 2], MetricError> {
        let (width, height) = pair.real.dimensions();
        let least = self.backbone.least_size();
        if width.min(height) < least {
            return Err(MetricError::TooSmall {
                metric: LPIPS.name,
                least,
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

    /// All generated pictures and then all real ones, `[2 * pairs, 3, H, W]` in `[-1, 1]`, channels innermost in memory.
    fn stack(&self, pairs: &[&Pair<'_>], [height, width]: [usize; 2]) -> Tensor {
        let generated = pairs.iter().map(|pair| pair.generated);
        let pictures: Vec<&[u8]> = generated
            .chain(pairs.iter().map(|pair| pair.real))
            .map(|picture| picture.as_raw().as_slice())
            .collect();
        let levels = pictures.concat();
        let shape = [pictures.len(), height, width, 3].map(|extent| extent as i64);
        let levels = Tensor::from_data_size(&levels, &shape, Kind::Uint8).to_device(self.device);
        let mut scaled = levels.permute([0, 3, 1, 2]).to_kind(Kind::Float);
        scaled.g_div_scalar_(127.5).g_sub_scalar_(1.0)
    }
}

impl PairMetric for LpipsNet {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        let mut by_size: BTreeMap<[usize; 2], Vec<usize>> = BTreeMap::new();
        for (index, pair) in pairs.iter().enumerate() {
            by_size.entry(self.size(pair)?).or_default().push(index);
        }
        let mut values = vec![0.0; pairs.len()];
        for (size, indices) in by_size {
            for batch in indices.chunks(self.at_a_time(size)) {
                let stacked: Vec<&Pair<'_>> = batch.iter().map(|&index| &pairs[index]).collect();
                let mut distances = vec![0.0; batch.len()];
                self.net
                    .distances(&self.stack(&stacked, size))
                    .copy_data(&mut distances, batch.len());
                for (&index, distance) in batch.iter().zip(distances) {
                    values[index] = distance;
                }
            }
        }
        Ok(values.into_iter().map(PairValue::Value).collect())
    }

    fn map(&self, pair: &Pair<'_>) -> Result<Option<Plane>, MetricError> {
        LpipsNet::map(self, pair).map(Some)
    }
}

/// The names of torchvision's files end in the first digits of their hash. A file under another name is taken as it is.
fn check_hash(path: &Path, info: &WeightsInfo) -> Result<(), MetricError> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if !info.files.contains(&name) {
        return Ok(());
    }
    let expected = name
        .trim_end_matches(".pth")
        .rsplit('-')
        .next()
        .unwrap_or_default();
    let found = i2am_files::sha256_file(path)?;
    if found.starts_with(expected) {
        return Ok(());
    }
    Err(MetricError::Unusable {
        metric: LPIPS.name,
        reason: format!(
            "{}: expected a sha256 that starts with {expected}, as the name says, found {}; fetch the file again",
            path.display(),
            &found[..expected.len()]
        ),
    })
}
