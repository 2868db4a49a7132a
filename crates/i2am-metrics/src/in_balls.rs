//! Metrics that ask whether pictures lie in balls around others, among the features of the Inception network: what their settings are, and
//! what is the same for all of them.

use std::fmt::Debug;
use std::marker::PhantomData;

use i2am_quantity::{Better, Bound, Quantity};
use serde::{Deserialize, Serialize};

use crate::inception::{INCEPTION, Mode};
use crate::metric::{MetricInfo, Needs, Settings};
use crate::resources::WeightsInfo;

/// What the file of such a metric says.
pub trait OfBalls: Debug + Send + Sync + 'static {
    /// What the metric is.
    const INFO: &'static MetricInfo;
    /// How many neighbors a ball reaches to, as usually reported.
    const NEIGHBORS: usize;

    /// The value of the features of generated and real pictures, more than `neighbors` of each.
    #[cfg(feature = "torch")]
    fn score(generated: &crate::Features, real: &crate::Features, neighbors: usize) -> f64;
}

/// The settings of the metric `M`: `mode` and `neighbors`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, bound = "M: OfBalls")]
pub struct InBalls<M> {
    mode: Mode,
    /// How many neighbors a ball reaches to.
    neighbors: usize,
    #[serde(skip)]
    metric: PhantomData<fn() -> M>,
}

/// A quantity of two sets that is better if it is higher.
pub(crate) const fn quantity(name: &'static str, title: &'static str) -> Quantity {
    // The same features give the same value; on another CPU rounding may move one picture of 500 over the surface of a ball.
    Quantity::new(name, title, Better::Higher)
        .decimals(3)
        .tolerance(Bound::absolute(2e-3), None)
        .headline()
        .correlated()
        .of_sets()
}

static WEIGHTS: [&WeightsInfo; 1] = [&INCEPTION];

/// What such a metric is.
pub(crate) const fn info(
    quantity: &'static Quantity,
    summary: &'static str,
    source: &'static str,
) -> MetricInfo {
    MetricInfo {
        quantity,
        needs: Needs::Sets,
        needs_torch: true,
        weights: &WEIGHTS,
        key: "mode",
        variants: &Mode::VARIANTS,
        summary,
        source,
    }
}

impl<M: OfBalls> Default for InBalls<M> {
    fn default() -> Self {
        Self {
            mode: Mode::TorchFidelity,
            neighbors: M::NEIGHBORS,
            metric: PhantomData,
        }
    }
}

impl<M: OfBalls> Settings for InBalls<M> {
    const INFO: &'static MetricInfo = M::INFO;

    fn variant(&self) -> String {
        self.mode.with("neighbors", self.neighbors, M::NEIGHBORS)
    }

    fn check(&self) -> Result<(), String> {
        match self.neighbors {
            0 => Err("neighbors: expected at least 1, found 0".to_owned()),
            _ => Ok(()),
        }
    }

    #[cfg(feature = "torch")]
    fn open(&self, session: &crate::Session) -> Result<crate::Prepared, crate::MetricError> {
        use crate::Features;

        let Self {
            mode, neighbors, ..
        } = *self;
        let score = move |generated: &Features, real: &Features| {
            M::score(generated, real, neighbors).into()
        };
        crate::of_features::of_inception(M::INFO.quantity, neighbors + 1, mode, session, score)
    }
}
