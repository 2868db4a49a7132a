use std::rc::Rc;

use i2am_nets::inception::Tap;
use serde::Deserialize;
use tch::{Kind, Tensor};
use toml::de::ValueDeserializer;

use crate::error::MetricError;
use crate::features::Extractor;
use crate::metric::{
    Better, ConfigValue, Configured, Metric, MetricInfo, Needs, Pair, PairMetric, PairValue,
    Prepared, Variant,
};
use crate::preprocess::{Mode, SIDE, inception_input};
use crate::resources::Resources;

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
pub struct Baseline;

static INFO: MetricInfo = MetricInfo {
    name: "baseline",
    version: 1,
    better: Better::Lower,
    needs: Needs::Pairs,
    key: "net",
    variants: &[Variant {
        name: "inception",
        summary: "taps 64, 192, 768 and 2048 of the Inception network of FID",
    }],
    summary: "perceptual distance without learned weights; not LPIPS",
    source: "after Zhang et al. 2018, section 3",
};

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    #[serde(rename = "net")]
    _net: Net,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Net {
    #[default]
    Inception,
}

impl Metric for Baseline {
    fn info(&self) -> &'static MetricInfo {
        &INFO
    }

    fn configure(&self, table: ConfigValue<'_>) -> Result<Box<dyn Configured>, toml::de::Error> {
        Ok(Box::new(Settings::deserialize(ValueDeserializer::from(
            table,
        ))?))
    }
}

impl Configured for Settings {
    fn info(&self) -> &'static MetricInfo {
        &INFO
    }

    fn variant(&self) -> String {
        "inception".to_owned()
    }

    fn prepare(&self, resources: &Resources) -> Result<Prepared, MetricError> {
        Ok(Prepared::Pairs(Box::new(Ready {
            extractor: resources.extractor()?,
        })))
    }
}

struct Ready {
    extractor: Rc<Extractor>,
}

impl PairMetric for Ready {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        let _guard = tch::no_grad_guard();
        let side = SIDE as i64;
        let network = self.extractor.network()?;
        let one = |pair: &Pair<'_>| {
            let input = |image| {
                Tensor::from_slice(&inception_input(image, Mode::PytorchFid))
                    .reshape([3, side, side])
            };
            let both = Tensor::stack(&[input(pair.generated), input(pair.real)], 0);
            let maps = network.maps(&both.to_device(network.device()), Tap::Last);
            PairValue::Value(maps.iter().map(distance).sum())
        };
        Ok(pairs.iter().map(one).collect())
    }
}

/// Of the two maps in `both`, `[2, channels, H, W]`.
fn distance(both: &Tensor) -> f64 {
    /// Keeps the length of an all-zero position from dividing by zero; as in the lpips package.
    const EPS: f64 = 1e-10;
    let length = both
        .square()
        .sum_dim_intlist([1].as_slice(), true, both.kind())
        .sqrt();
    let unit = both / (length + EPS);
    let difference = (unit.get(0) - unit.get(1)).square();
    difference
        .sum_dim_intlist([0].as_slice(), false, Kind::Double)
        .mean(Kind::Double)
        .double_value(&[])
}
