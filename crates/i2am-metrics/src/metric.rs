//! What a metric is: a name and its settings, then the same with its weights at hand, then values.

use std::fmt::Debug;

use i2am_imaging::{Plane, RgbImage};
use toml::Spanned;
use toml::de::DeValue;

use crate::error::MetricError;
use crate::resources::Resources;
use crate::set::SetMetric;

/// A table of a configuration that still knows its lines.
pub type ConfigValue<'a> = Spanned<DeValue<'a>>;

/// Which way a metric goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Lower is better.
    Lower,
    /// Higher is better.
    Higher,
}

/// What a metric compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Each generated picture with its own ground truth.
    Pairs,
    /// All generated pictures with all real ones.
    Sets,
}

/// One definition among those that share a metric's name.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// as written after the colon in `ssim:gray`.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
}

/// What is known of a metric without its settings.
#[derive(Debug)]
pub struct MetricInfo {
    /// As written in configurations, flags and rows.
    pub name: &'static str,
    /// Goes up whenever a value can change.
    pub version: u32,
    /// Which way it goes.
    pub better: Better,
    /// What it compares.
    pub needs: Needs,
    /// The setting that chooses the variant.
    pub key: &'static str,
    /// Its variants; the first is the default.
    pub variants: &'static [Variant],
    /// One line for people.
    pub summary: &'static str,
    /// The paper, and the implementation whose numbers it gives.
    pub source: &'static str,
}

/// An entry of the registry.
pub trait Metric: Sync {
    /// What it is.
    fn info(&self) -> &'static MetricInfo;

    /// The metric with the settings of `table`.
    ///
    /// # Errors
    /// An unknown key, or a value that cannot be, at its place in the table.
    fn configure(&self, table: ConfigValue<'_>) -> Result<Box<dyn Configured>, toml::de::Error>;
}

/// A metric with its settings.
pub trait Configured: Debug + Send + Sync {
    /// What the metric is.
    fn info(&self) -> &'static MetricInfo;

    /// The variant, and whatever else must be named beside a value: `clean`, `gray`, `pytorch-fid, tap 768`.
    fn variant(&self) -> String;

    /// Gets weights and everything else that can be missing.
    ///
    /// # Errors
    /// What is missing or cannot be read, before anything is computed.
    fn prepare(&self, resources: &Resources) -> Result<Prepared, MetricError>;
}

/// A metric that is ready to measure.
pub enum Prepared {
    /// Compares pair by pair.
    Pairs(Box<dyn PairMetric>),
    /// Compares sets.
    Sets(Box<dyn SetMetric>),
}

/// A generated picture and its ground truth, of one size.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// What the model made.
    pub generated: &'a RgbImage,
    /// What it should have made.
    pub real: &'a RgbImage,
}

impl<'a> Pair<'a> {
    /// # Errors
    /// [`MetricError::PairSize`] if the sizes differ.
    pub fn new(generated: &'a RgbImage, real: &'a RgbImage) -> Result<Self, MetricError> {
        if generated.dimensions() == real.dimensions() {
            Ok(Self { generated, real })
        } else {
            let size = |image: &RgbImage| [image.height(), image.width()];
            Err(MetricError::PairSize {
                generated: size(generated),
                real: size(real),
            })
        }
    }
}

/// The value of one pair, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum PairValue {
    /// A finite number.
    Value(f64),
    /// The metric has no finite value here.
    Undefined(&'static str),
}

/// A metric of pairs that is ready to measure.
pub trait PairMetric {
    /// One value per pair, in their order. What else is in `pairs` moves a value by the rounding of 32-bit floats at most.
    ///
    /// # Errors
    /// [`MetricError::TooSmall`] for a picture that the metric cannot be computed on.
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError>;

    /// Where a pair differs, `[H, W]` of the pictures, 0 where it does not; `None` by metrics that do not know.
    ///
    /// # Errors
    /// As [`PairMetric::measure`].
    fn map(&self, _pair: &Pair<'_>) -> Result<Option<Plane>, MetricError> {
        Ok(None)
    }
}
