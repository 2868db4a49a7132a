//! Every metric there is. A new one is a file in `metrics/`, and in this file its `mod`, its `pub use` and its place in [`METRICS`].

mod baseline;
mod clip_i;
mod cmmd;
mod coverage;
mod density;
mod dino_i;
mod dists;
mod fd_dinov2;
mod fid;
mod inception_score;
mod kid;
mod lpips;
mod luma;
mod mind;
mod ms_ssim;
mod precision;
mod psnr;
mod recall;
mod ssim;

use std::collections::BTreeMap;

use crate::in_balls::InBalls;
use crate::metric::{Entry, Metric};
use crate::resources::WeightsInfo;

pub use baseline::Baseline;
pub use clip_i::ClipI;
pub use cmmd::Cmmd;
pub use coverage::Coverage;
pub use density::Density;
pub use dino_i::DinoI;
pub use dists::Dists;
pub use fd_dinov2::FdDinov2;
pub use fid::Fid;
pub use inception_score::InceptionScore;
pub use kid::Kid;
pub use lpips::Lpips;
#[cfg(feature = "torch")]
pub use lpips::LpipsNet;
pub use mind::Mind;
pub use ms_ssim::MsSsim;
pub use precision::Precision;
pub use psnr::Psnr;
pub use recall::Recall;
pub use ssim::{Ssim, ssim_of_planes};

/// In the order of columns; the same in every build.
pub static METRICS: &[&dyn Metric] = &[
    &Entry::<Fid>::NEW,
    &Entry::<Kid>::NEW,
    &Entry::<Mind>::NEW,
    &Entry::<FdDinov2>::NEW,
    &Entry::<Cmmd>::NEW,
    &Entry::<InBalls<Precision>>::NEW,
    &Entry::<InBalls<Recall>>::NEW,
    &Entry::<InBalls<Density>>::NEW,
    &Entry::<InBalls<Coverage>>::NEW,
    &Entry::<InceptionScore>::NEW,
    &Entry::<ClipI>::NEW,
    &Entry::<DinoI>::NEW,
    &Entry::<Lpips>::NEW,
    &Entry::<Dists>::NEW,
    &Entry::<Baseline>::NEW,
    &Entry::<Ssim>::NEW,
    &Entry::<MsSsim>::NEW,
    &Entry::<Psnr>::NEW,
];

/// The metric `name`.
pub fn find(name: &str) -> Option<&'static dyn Metric> {
    METRICS
        .iter()
        .copied()
        .find(|metric| metric.info().quantity.name == name)
}

/// Every file of weights that a metric may need, by its name.
pub fn weights() -> BTreeMap<&'static str, &'static WeightsInfo> {
    let all = METRICS.iter().flat_map(|metric| metric.info().weights);
    all.map(|weights| (weights.name, *weights)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use toml::Spanned;
    use toml::de::{DeTable, DeValue};

    use super::*;
    use crate::error::MetricError;
    use crate::metric::Configured;
    use crate::session::Session;

    fn configured(metric: &dyn Metric, text: &str) -> Box<dyn Configured> {
        let table = DeTable::parse(text).unwrap();
        let table = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
        metric.configure(table).unwrap()
    }

    #[test]
    fn names_are_unique_and_everything_is_filled_in() {
        let infos = METRICS.iter().map(|metric| metric.info());
        let names: BTreeSet<&str> = infos.clone().map(|info| info.quantity.name).collect();
        assert_eq!(names.len(), METRICS.len(), "{names:?}");
        for info in infos {
            let name = info.quantity.name;
            assert!(
                !info.source.is_empty() && !info.summary.is_empty(),
                "{name}"
            );
            assert!(
                !info.variants.is_empty() && info.quantity.version > 0,
                "{name}"
            );
        }
    }

    #[test]
    fn every_variant_can_be_configured_and_is_named_in_rows() {
        for metric in METRICS {
            let info = metric.info();
            for variant in info.variants {
                let text = format!("{} = '{}'", info.key, variant.name);
                let configured = configured(*metric, &text);
                let found = configured.variant();
                assert!(
                    found.contains(variant.name),
                    "{}: {found}",
                    info.quantity.name
                );
                assert_eq!(configured.settings()[info.key], variant.name);
            }
            let default = configured(*metric, "").variant();
            assert_eq!(default, info.variants[0].name);
        }
    }

    #[test]
    fn settings_are_recorded_with_their_defaults() {
        for metric in METRICS {
            let settings = configured(*metric, "").settings();
            let settings_of = settings.as_object().unwrap().iter();
            let lines = settings_of.map(|(key, value)| format!("{key} = {value}"));
            let written = lines.collect::<Vec<_>>().join("\n");
            assert_eq!(configured(*metric, &written).settings(), settings);
        }
        let kid = configured(find("kid").unwrap(), "subsets = 7").settings();
        let expected = serde_json::json!(
            {"mode": "torch-fidelity", "subsets": 7, "subset_size": 1000, "seed": 2020, "precision": "f32"}
        );
        assert_eq!(kid, expected);
    }

    /// Only a metric with networks has it, and the variant names it.
    #[test]
    fn the_precision_of_networks_is_named_where_it_is_not_the_usual_one() {
        for metric in METRICS {
            let info = metric.info();
            let name = info.quantity.name;
            let text = "precision = 'bf16'";
            let table = DeTable::parse(text).unwrap();
            let table = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
            let found = metric.configure(table);
            if info.weights.is_empty() {
                let message = found.unwrap_err().to_string();
                assert!(message.contains("precision"), "{name}: {message}");
                continue;
            }
            let found = found.unwrap();
            let usual = configured(*metric, "precision = 'f32'");
            assert_eq!(usual.variant(), configured(*metric, "").variant());
            assert_eq!(found.variant(), format!("{}, bf16", usual.variant()));
            assert_eq!(found.settings()["precision"], "bf16", "{name}");
            let again = configured(*metric, text);
            assert_eq!(again.settings(), found.settings());
        }
        let table = DeTable::parse("precision = 'f8'").unwrap();
        let table = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
        let message = find("fid").unwrap().configure(table).unwrap_err();
        assert!(message.to_string().contains("unknown variant `f8`"));
    }

    #[test]
    fn weights_are_listed_once() {
        let names: Vec<&str> = weights().into_keys().collect();
        assert_eq!(
            names,
            [
                "clip-vit-b-32",
                "clip-vit-l-14",
                "clip-vit-l-14-336",
                "dinov2-vitb14",
                "dinov2-vitl14",
                "dinov2-vitl14-reg4",
                "dinov2-vits14",
                "dists",
                "inception",
                "inception-logits",
                "lpips-alex",
                "lpips-squeeze",
                "lpips-vgg"
            ]
        );
    }

    #[test]
    fn a_metric_that_this_build_cannot_measure_says_so() {
        for metric in METRICS {
            let prepared = configured(*metric, "").prepare(&Session::default());
            let needs_torch = matches!(prepared, Err(MetricError::NeedsTorch { .. }));
            assert_eq!(needs_torch, !metric.info().is_available());
        }
    }
}
