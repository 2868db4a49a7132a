//! Metrics by name: what a flag or a configuration asks for, ready to measure.

mod pairs;
mod resized;

use std::path::PathBuf;

use anyhow::Result;
use i2am_metrics::{Configured, METRICS, MetricError, Resources, Session, find};
use toml::de::{DeTable, DeValue};

pub(crate) use pairs::{Filter, Resize, ResizedSide, measure_pairs, read_any_pair, read_pair};
pub(crate) use resized::Resized;

use crate::exit::usage;
use crate::suggest;

/// A setting of one metric, as the command line gives it.
pub(crate) struct Setting {
    pub(crate) metric: String,
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Setting {
    /// From `METRIC.KEY=VALUE`.
    ///
    /// # Errors
    /// A text of another form.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let parts = text.split_once('=').and_then(|(place, value)| {
            let (metric, key) = place.split_once('.')?;
            Some([metric, key, value].map(str::to_owned))
        });
        let expected = || usage(format!("--set {text}: expected METRIC.KEY=VALUE"));
        let [metric, key, value] = parts.ok_or_else(expected)?;
        Ok(Self { metric, key, value })
    }
}

/// The metric that `NAME[:VARIANT]` asks for, with further `settings` of those it has.
///
/// # Errors
/// An unknown metric or variant, settings it does not have, or a metric that this build cannot measure.
pub(crate) fn by_flag(flag: &str, settings: &[Setting]) -> Result<Box<dyn Configured>> {
    let refuse = |reason: String| usage(format!("--metric {flag}: {reason}"));
    let (name, variant) = flag
        .split_once(':')
        .map_or((flag, None), |(name, variant)| (name, Some(variant)));
    let Some(metric) = find(name) else {
        let names = METRICS.iter().map(|metric| metric.info().quantity.name);
        let help = suggest::help(name, names);
        return Err(refuse(format!("no metric `{name}`: {help}")));
    };
    let info = metric.info();
    if !info.is_available() {
        return Err(refuse(
            "this build has no libtorch, so it cannot measure it".to_owned(),
        ));
    }
    let at = |value| toml::Spanned::new(0..0, value);
    let mut table = DeTable::new();
    if let Some(variant) = variant {
        let known = info.variants.iter().map(|variant| variant.name);
        if !known.clone().any(|name| name == variant) {
            let help = suggest::help(variant, known);
            return Err(refuse(format!("{name} has no variant `{variant}`: {help}")));
        }
        let key = toml::Spanned::new(0..0, info.key.into());
        table.insert(key, at(DeValue::String(variant.into())));
    }
    for Setting { key, value, .. } in settings.iter().filter(|setting| setting.metric == name) {
        // What is no TOML value is a string without its quotes.
        let value = DeValue::parse(value)
            .map_or_else(|_| DeValue::String(value.into()), toml::Spanned::into_inner);
        table.insert(toml::Spanned::new(0..0, key.as_str().into()), at(value));
    }
    let configured = metric.configure(at(DeValue::Table(table)));
    configured.map_err(|error| refuse(error.message().to_owned()))
}

/// Everything that metrics need, apart from the images.
///
/// # Errors
/// A device that there is not.
pub(crate) fn resources(device: &str, batch: usize, cache: Option<PathBuf>) -> Result<Resources> {
    #[cfg(feature = "torch")]
    let device = crate::device::device(device)?;
    #[cfg(not(feature = "torch"))]
    if device != "cpu" {
        return Err(usage(
            "this build has no libtorch, so it knows no device but cpu",
        ));
    }
    Ok(Resources {
        batch,
        cache,
        #[cfg(feature = "torch")]
        device,
        ..Resources::default()
    })
}

/// Prepares `metrics`, all before any is measured.
///
/// # Errors
/// The first thing that is missing.
pub(crate) fn prepare(
    metrics: &[Box<dyn Configured>],
    resources: Resources,
) -> Result<Vec<i2am_metrics::Prepared>, MetricError> {
    let session = Session::new(resources);
    metrics
        .iter()
        .map(|metric| metric.prepare(&session))
        .collect()
}
