//! The networks of LPIPS with their weights.

use i2am_imaging::Plane;
use i2am_nets::CheckpointSource;
use i2am_nets::lpips::{self as net, Backbone};
use tch::Tensor;

use super::{ALEX, LPIPS, Net, SQUEEZE, VGG};
use crate::error::MetricError;
use crate::pair::{Pair, PairMetric, PairValue};
use crate::resources::Resources;
use crate::torchvision::{Batches, backbone};

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
    batches: Batches,
}

impl LpipsNet {
    /// The backbone's weights from where `resources` has them.
    ///
    /// # Errors
    /// As [`Lpips`](super::Lpips) says, but for the size of pictures.
    pub fn open(kind: Backbone, resources: &Resources) -> Result<Self, MetricError> {
        let info = match kind {
            Backbone::Alex => &ALEX,
            Backbone::Squeeze => &SQUEEZE,
            Backbone::Vgg => &VGG,
        };
        let checkpoint = backbone(LPIPS.name, info, resources, "lpips")?;
        let source = CheckpointSource::new(
            &checkpoint,
            resources.precision.of_networks(),
            resources.device,
        );
        let net = net::Lpips::new(
            &source,
            kind,
            resources.precision.of_networks(),
            resources.device,
        );
        source.finish()?;
        Ok(Self {
            net,
            batches: Batches::new(LPIPS.name, kind.least_size(), resources),
        })
    }

    /// Where a pair differs, `[H, W]` of the pictures: equal to `lpips.LPIPS(spatial=True)`. The mean over pixels is near the
    /// distance, not equal to it.
    ///
    /// # Errors
    /// [`MetricError::TooSmall`].
    pub fn map(&self, pair: &Pair<'_>) -> Result<Plane, MetricError> {
        let [height, width] = self.batches.size(pair)?;
        let levels = self.batches.stack(&[pair], [height, width]);
        let mut values = vec![0.0; height * width];
        let map = self.net.maps(&scaled(levels));
        map.copy_data(&mut values, height * width);
        Ok(Plane::new(height, width, values)?)
    }
}

/// Levels of 0 to 255 to `[-1, 1]`.
fn scaled(mut levels: Tensor) -> Tensor {
    levels.g_div_scalar_(127.5).g_sub_scalar_(1.0)
}

impl PairMetric for LpipsNet {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        let distances = |levels| self.net.distances(&scaled(levels));
        self.batches.measure(pairs, distances)
    }

    fn map(&self, pair: &Pair<'_>) -> Result<Option<Plane>, MetricError> {
        LpipsNet::map(self, pair).map(Some)
    }
}
