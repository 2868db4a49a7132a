//! The network of DISTS with its weights.

use std::borrow::Cow;

use i2am_imaging::{RgbImage, pillow_bilinear_rgb};
use i2am_nets::layout::Checkpoint;
use i2am_nets::{CheckpointSource, Precision, dists};
use rayon::prelude::*;

use super::{DISTS, Dists, Size, VGG, WEIGHTS};
use crate::error::MetricError;
use crate::metric::Prepared;
use crate::pair::{Pair, PairMetric, PairValue};
use crate::resources::Resources;
use crate::torchvision::{Batches, backbone};

/// The shorter side of what `short-256` compares is at most this long.
const SHORT: u32 = 256;

pub(super) fn open(settings: Dists, resources: &Resources) -> Result<Prepared, MetricError> {
    let device = resources.device;
    let vgg = backbone(DISTS.name, &VGG, resources, "dists")?;
    let path = resources.find(&WEIGHTS)?;
    let weights = Checkpoint::open_single(&path, "dists", |name| Some(name.to_owned()))?;
    let of_vgg = CheckpointSource::new(&vgg, resources.precision.of_networks(), device);
    let of_channels = CheckpointSource::new(&weights, Precision::F32, device);
    let net = dists::Dists::new(
        &of_vgg,
        &of_channels,
        resources.precision.of_networks(),
        device,
    );
    of_vgg.finish()?;
    of_channels.finish()?;
    Ok(Prepared::Pairs(Box::new(Ready {
        size: settings.size,
        net,
        batches: Batches::new(DISTS.name, 1, resources),
    })))
}

struct Ready {
    size: Size,
    net: dists::Dists,
    batches: Batches,
}

impl PairMetric for Ready {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        let size = self.size;
        let sized = move |image| match size {
            Size::Stored => Cow::Borrowed(image),
            Size::Short256 => reduced(image),
        };
        let sized: Vec<[Cow<'_, RgbImage>; 2]> = pairs
            .par_iter()
            .map(|pair| [pair.generated, pair.real].map(sized))
            .collect();
        let pairs: Result<Vec<Pair<'_>>, _> = sized
            .iter()
            .map(|[generated, real]| Pair::new(generated, real))
            .collect();
        let distances = |levels| self.net.distances(&(levels / 255.0));
        self.batches.measure(&pairs?, distances)
    }
}

/// As `torchvision.transforms.functional.resize(image, 256)`, which rounds the longer side down; a small picture as it is.
fn reduced(image: &RgbImage) -> Cow<'_, RgbImage> {
    let (width, height) = image.dimensions();
    let short = width.min(height);
    if short <= SHORT {
        return Cow::Borrowed(image);
    }
    let new = |side: u32| (u64::from(side) * u64::from(SHORT) / u64::from(short)) as usize;
    Cow::Owned(pillow_bilinear_rgb(image, new(height), new(width)))
}
