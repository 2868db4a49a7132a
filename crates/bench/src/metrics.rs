//! Metrics by name: what a flag or a configuration asks for, ready to measure.

mod pairs;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use i2am_metrics::{Configured, METRICS, MetricError, Resources, find};
use toml::de::{DeTable, DeValue};

pub(crate) use pairs::{measure_pairs, read_pair};

use crate::exit::usage;
use crate::suggest;

/// The metric that `NAME[:VARIANT]` asks for, with further `settings` of those it has.
///
/// # Errors
/// An unknown metric or variant, or settings it does not have.
pub(crate) fn by_flag(flag: &str, settings: &[(&str, &str, u32)]) -> Result<Box<dyn Configured>> {
    let (name, variant) = flag
        .split_once(':')
        .map_or((flag, None), |(name, variant)| (name, Some(variant)));
    let Some(metric) = find(name) else {
        let help = suggest::help(name, METRICS.iter().map(|metric| metric.info().name));
        return Err(usage(format!(
            "--metric {flag}: no metric `{name}`: {help}"
        )));
    };
    let info = metric.info();
    let mut text = String::new();
    if let Some(variant) = variant {
        let known = info.variants.iter().map(|variant| variant.name);
        if !known.clone().any(|name| name == variant) {
            let help = suggest::help(variant, known);
            return Err(usage(format!(
                "--metric {flag}: {name} has no variant `{variant}`: {help}"
            )));
        }
        text = format!("{} = '{variant}'\n", info.key);
    }
    for (_, key, value) in settings.iter().filter(|(metric, _, _)| *metric == name) {
        let _ = writeln!(text, "{key} = {value}");
    }
    let table =
        DeTable::parse(&text).map_err(|error| usage(format!("--metric {flag}: {error}")))?;
    let span = table.span();
    metric
        .configure(toml::Spanned::new(span, DeValue::Table(table.into_inner())))
        .map_err(|error| usage(format!("--metric {flag}: {}", error.message())))
}

/// Where features computed before are kept unless said otherwise.
pub(crate) fn default_cache() -> Option<PathBuf> {
    let from = |variable: &str| {
        std::env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let caches = from("XDG_CACHE_HOME").or_else(|| Some(from("HOME")?.join(".cache")))?;
    Some(caches.join("i2am-bench").join("features"))
}

/// Everything that metrics need beside pictures.
///
/// # Errors
/// A device that there is not.
pub(crate) fn resources(device: &str, batch: usize, cache: Option<PathBuf>) -> Result<Resources> {
    #[cfg(feature = "torch")]
    let device = crate::stages::models::device(device)?;
    #[cfg(not(feature = "torch"))]
    if device != "cpu" {
        return Err(usage(
            "this build has no libtorch, so it knows no device but cpu",
        ));
    }
    let mut resources = Resources::default();
    resources.batch = batch;
    resources.cache = cache;
    #[cfg(feature = "torch")]
    {
        resources.device = device;
    }
    Ok(resources)
}

/// Prepares `metrics`, all before any is measured.
///
/// # Errors
/// The first thing that is missing.
pub(crate) fn prepare(
    metrics: &[Box<dyn Configured>],
    resources: &Resources,
) -> Result<Vec<i2am_metrics::Prepared>, MetricError> {
    metrics
        .iter()
        .map(|metric| metric.prepare(resources))
        .collect()
}
