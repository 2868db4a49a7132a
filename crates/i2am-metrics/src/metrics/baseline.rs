//! The metric `baseline`.

#[cfg(feature = "torch")]
mod measure;

use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Serialize};

use crate::inception::INCEPTION;
use crate::metric::{MetricInfo, Needs, Settings, Variant};

// Another CPU moves a value by 6e-5 of its size.
static BASELINE: Quantity = Quantity::new("baseline", "Baseline", Better::Lower)
    .decimals(4)
    .tolerance(Bound::relative(1e-4), Some(Bound::relative(5e-4)))
    .headline()
    .correlated()
    .footnote("Baseline is LPIPS's formula without learned weights, not LPIPS.");

/// A perceptual distance for where no LPIPS backbone is at hand: LPIPS's formula without learned weights, on the Inception network
/// of FID. **Not LPIPS**, and not comparable with it.
///
/// At each of the four taps both maps are scaled to unit length over their channels; the squared differences are summed over
/// channels, averaged over positions and summed over taps. Inputs as pytorch-fid prepares them.
///
/// # Shapes
/// Pairs of one size, any.
/// # Units and range
/// 0 for equal pictures, at most 8 (four taps, each at most 2, since features are not negative); lower is better.
/// # Source
/// Ours, after the `baseline` of Zhang et al. 2018 (LPIPS without its linear layers). Checked against a computation in Python on
/// pytorch-fid's network (fixture `sets`).
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Baseline {
    net: Net,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Net {
    #[default]
    Inception,
}

impl Settings for Baseline {
    const INFO: &'static MetricInfo = &MetricInfo {
        quantity: &BASELINE,
        needs: Needs::Pairs,
        needs_torch: true,
        weights: &[&INCEPTION],
        key: "net",
        variants: &[Variant {
            name: "inception",
            summary: "taps 64, 192, 768 and 2048 of the Inception network of FID",
        }],
        summary: "perceptual distance without learned weights; not LPIPS",
        source: "after Zhang et al. 2018, section 3",
    };

    fn variant(&self) -> String {
        Self::INFO.variants[self.net as usize].name.to_owned()
    }

    #[cfg(feature = "torch")]
    fn open(&self, session: &crate::Session) -> Result<crate::Prepared, crate::MetricError> {
        measure::open(session)
    }
}
