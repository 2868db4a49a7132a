//! Every metric there is.

use crate::metric::Metric;
use crate::metrics;

/// Sorted by name; this order is the order everywhere.
pub static METRICS: &[&dyn Metric] = &[
    #[cfg(feature = "torch")]
    &metrics::Baseline,
    #[cfg(feature = "torch")]
    &metrics::Fid,
    #[cfg(feature = "torch")]
    &metrics::Kid,
    #[cfg(feature = "torch")]
    &metrics::Lpips,
    &metrics::Psnr,
    &metrics::Ssim,
];

/// The metric `name`.
pub fn find(name: &str) -> Option<&'static dyn Metric> {
    METRICS
        .iter()
        .copied()
        .find(|metric| metric.info().name == name)
}

/// Metrics that a build without the feature `torch` does not have.
pub static NEED_TORCH: &[&str] = &["baseline", "fid", "kid", "lpips"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique_and_everything_is_said() {
        let names: Vec<&str> = METRICS.iter().map(|metric| metric.info().name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        for info in METRICS.iter().map(|metric| metric.info()) {
            assert!(
                !info.source.is_empty() && !info.summary.is_empty() && info.version > 0,
                "{}",
                info.name
            );
            assert!(!info.variants.is_empty(), "{}", info.name);
        }
    }

    #[test]
    fn every_variant_can_be_configured_and_is_named_in_rows() {
        for metric in METRICS {
            let info = metric.info();
            for variant in info.variants {
                let text = format!("{} = '{}'", info.key, variant.name);
                let table = toml::de::DeTable::parse(&text).unwrap();
                let value =
                    toml::Spanned::new(table.span(), toml::de::DeValue::Table(table.into_inner()));
                let configured = metric.configure(value).unwrap();
                assert!(
                    configured.variant().contains(variant.name),
                    "{} {}",
                    info.name,
                    configured.variant()
                );
                assert_eq!(configured.info().name, info.name);
            }
        }
    }

    #[cfg(feature = "torch")]
    #[test]
    fn what_needs_torch_is_listed() {
        let there: Vec<&str> = METRICS.iter().map(|metric| metric.info().name).collect();
        assert!(NEED_TORCH.iter().all(|name| there.contains(name)));
    }

    #[cfg(not(feature = "torch"))]
    #[test]
    fn what_needs_torch_is_not_there() {
        assert!(NEED_TORCH.iter().all(|name| find(name).is_none()));
    }
}
