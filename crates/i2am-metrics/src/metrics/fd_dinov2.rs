//! The metric `fd-dinov2`.

use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Serialize};

use crate::metric::{MetricInfo, Needs, Settings};
use crate::tower_weights::DinoNet;

static FD_DINOV2: Quantity = Quantity::new("fd-dinov2", "FD-DINOv2", Better::Lower)
    .decimals(2)
    .tolerance(Bound::relative(3e-4), None)
    .headline()
    .correlated()
    .of_sets();

/// Fréchet distance of `DINOv2` features: FID with another network, which people agree with more.
///
/// The features are the normalized class tokens of pictures that Pillow's bicubic filter resizes to 224 x 224, proportions not kept.
///
/// # Shapes
/// Sets of any number of pictures from 2, of any sizes; or statistics (`.npz` with `mu`, `sigma`).
/// # Units and range
/// None; 0 for equal statistics, lower is better. Depends on the number of pictures: few give a larger value.
/// # Errors
/// [`TooFew`](crate::MetricError::TooFew) below 2 pictures on a side; [`NoWeights`](crate::MetricError::NoWeights) without `DINOv2`.
/// # Source
/// Stein et al. 2023 and its tool dgm-eval, without `--clean_resize`; the network is checked against the authors' code, on small
/// networks with and without registers (fixture `towers`).
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FdDinov2 {
    net: DinoNet,
}

impl Settings for FdDinov2 {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &FD_DINOV2,
        needs: Needs::Sets,
        needs_torch: true,
        weights: &DinoNet::WEIGHTS,
        key: "net",
        variants: &DinoNet::VARIANTS,
        summary: "Fréchet distance of two sets in DINOv2 features",
        source: "Stein et al. 2023; dgm-eval",
    };

    fn variant(&self) -> String {
        self.net.name().to_owned()
    }

    #[cfg(feature = "torch")]
    fn open(&self, session: &crate::Session) -> Result<crate::Prepared, crate::MetricError> {
        use crate::tower::{Family, Fit};

        let tower = session.tower(Family::Dino, self.net.weights())?;
        let metric = crate::frechet_metric::FrechetMetric {
            quantity: &FD_DINOV2,
            width: tower.width(Fit::Whole),
            features: Box::new(move |pictures, progress| {
                tower.rows(pictures, Fit::Whole, progress)
            }),
        };
        Ok(crate::Prepared::Sets(Box::new(metric)))
    }
}
