//! What a metric is: a name and its settings, then the same with its weights at hand, then values.

use std::fmt::Debug;
use std::marker::PhantomData;

use i2am_quantity::Quantity;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use crate::error::MetricError;
use crate::pair::PairMetric;
use crate::resources::WeightsInfo;
use crate::session::Session;
use crate::set::SetMetric;

/// A table of a configuration that still knows its lines.
pub type ConfigValue<'a> = Spanned<DeValue<'a>>;

/// What a metric compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Each generated image with its own ground truth.
    Pairs,
    /// Each generated image with the reference image it was made from.
    References,
    /// All generated images with all real ones.
    Sets,
}

/// One definition among those that share a metric's name.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// What is written after the colon in `ssim:gray`.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
}

/// What is known of a metric without its settings.
#[derive(Debug)]
pub struct MetricInfo {
    /// What its values are: how they are named, written and compared.
    pub quantity: &'static Quantity,
    /// What it compares.
    pub needs: Needs,
    /// Whether libtorch computes it. A build without the feature `torch` knows such a metric, but cannot measure it.
    pub needs_torch: bool,
    /// Every file of weights that one of its variants needs.
    pub weights: &'static [&'static WeightsInfo],
    /// The setting that chooses the variant.
    pub key: &'static str,
    /// Its variants; the first is the default.
    pub variants: &'static [Variant],
    /// One line for people.
    pub summary: &'static str,
    /// The paper, and the implementation whose numbers it gives.
    pub source: &'static str,
}

impl MetricInfo {
    /// Whether this build can measure it.
    pub const fn is_available(&self) -> bool {
        cfg!(feature = "torch") || !self.needs_torch
    }
}

/// The number format that a metric's networks compute in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkPrecision {
    /// 32-bit floats, as the tools that metrics are named after.
    #[default]
    F32,
    /// 16-bit brain floats: other numbers (`docs/precision.md` has how far off), so the variant says so.
    Bf16,
}

impl NetworkPrecision {
    /// The setting of every metric that has networks.
    pub const KEY: &str = "precision";

    #[cfg(feature = "torch")]
    pub(crate) fn of_networks(self) -> i2am_nets::Precision {
        match self {
            Self::F32 => i2am_nets::Precision::F32,
            Self::Bf16 => i2am_nets::Precision::Bf16,
        }
    }

    /// Takes its own setting out of a table of one of the metrics with networks.
    fn taken(table: &mut ConfigValue<'_>, info: &MetricInfo) -> Result<Self, toml::de::Error> {
        let own = match table.as_mut() {
            DeValue::Table(table) if !info.weights.is_empty() => table.remove(Self::KEY),
            _ => None,
        };
        own.map_or(Ok(Self::default()), |own| {
            Self::deserialize(ValueDeserializer::from(own))
        })
    }
}

/// What the file of a metric implements: its settings, which know how to measure.
pub trait Settings: Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What the metric is.
    const INFO: &'static MetricInfo;

    /// As [`Configured::variant`].
    fn variant(&self) -> String;

    /// What is wrong with settings that are of the right types.
    ///
    /// # Errors
    /// What was expected and what was found.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// As [`Configured::prepare`], which calls it. A metric that needs libtorch has its own only in a build with libtorch.
    ///
    /// # Errors
    /// As [`Configured::prepare`].
    fn open(&self, _session: &Session) -> Result<Prepared, MetricError> {
        Err(MetricError::NeedsTorch {
            metric: Self::INFO.quantity.name,
        })
    }
}

/// A metric without settings: an entry of the registry.
pub trait Metric: Sync {
    /// What it is.
    fn info(&self) -> &'static MetricInfo;

    /// The metric with the settings of `table`.
    ///
    /// # Errors
    /// An unknown key, or a value that cannot be, at its place in the table.
    fn configure(&self, table: ConfigValue<'_>) -> Result<Box<dyn Configured>, toml::de::Error>;
}

/// The entry of the metric whose settings are `S`.
pub(crate) struct Entry<S>(PhantomData<fn() -> S>);

impl<S> Entry<S> {
    pub(crate) const NEW: Self = Self(PhantomData);
}

impl<S: Settings> Metric for Entry<S> {
    fn info(&self) -> &'static MetricInfo {
        S::INFO
    }

    fn configure(
        &self,
        mut table: ConfigValue<'_>,
    ) -> Result<Box<dyn Configured>, toml::de::Error> {
        let precision = NetworkPrecision::taken(&mut table, S::INFO)?;
        let settings = S::deserialize(ValueDeserializer::from(table))?;
        settings.check().map_err(toml::de::Error::custom)?;
        Ok(Box::new(Chosen {
            settings,
            precision,
        }))
    }
}

/// Settings of one metric, with what is set alike for the networks of all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chosen<S> {
    /// Its own.
    pub settings: S,
    /// What its networks compute in.
    pub precision: NetworkPrecision,
}

/// A metric with its settings.
pub trait Configured: Debug + Send + Sync {
    /// What the metric is.
    fn info(&self) -> &'static MetricInfo;

    /// The variant, and whatever else must be named with a value: `clean`, `pytorch-fid/768`, `y, crop 4`.
    fn variant(&self) -> String;

    /// All settings with their values, including those that the configuration left at their defaults.
    fn settings(&self) -> serde_json::Value;

    /// Gets weights and everything else that can be missing. A metric that libtorch computes is guarded: where libtorch panics, the
    /// pair or the set has no value, and the program goes on.
    ///
    /// # Errors
    /// What is missing or cannot be read, before anything is computed; [`MetricError::NeedsTorch`] in a build without libtorch.
    fn prepare(&self, session: &Session) -> Result<Prepared, MetricError>;
}

impl<S: Settings> Configured for Chosen<S> {
    fn info(&self) -> &'static MetricInfo {
        S::INFO
    }

    fn variant(&self) -> String {
        let own = self.settings.variant();
        match self.precision {
            NetworkPrecision::F32 => own,
            NetworkPrecision::Bf16 => format!("{own}, bf16"),
        }
    }

    fn settings(&self) -> serde_json::Value {
        const PLAIN: &str = "settings are a table of numbers and names";
        let mut settings = serde_json::to_value(&self.settings).expect(PLAIN);
        if !S::INFO.weights.is_empty() {
            settings[NetworkPrecision::KEY] = serde_json::to_value(self.precision).expect(PLAIN);
        }
        settings
    }

    fn prepare(&self, session: &Session) -> Result<Prepared, MetricError> {
        let session = session.at(self.precision);
        #[cfg(feature = "torch")]
        if S::INFO.needs_torch {
            return crate::guarded::guarded(S::INFO.quantity.name, || self.settings.open(session));
        }
        self.settings.open(session)
    }
}

/// A metric that is ready to measure.
pub enum Prepared {
    /// Compares pair by pair.
    Pairs(Box<dyn PairMetric>),
    /// Compares sets.
    Sets(Box<dyn SetMetric>),
}
