use std::fmt::Write as _;

use anyhow::Result;
use i2am_attribution::ConventionName;
use i2am_datasets::DATASETS;
use i2am_imacs::detection::{BaselineName, ProcedureName};
use i2am_imacs::scores::SCORES;
use i2am_metrics::METRICS;
use i2am_stats::Method;

use crate::config::PROTOCOLS;
use crate::exit::Outcome;
use crate::progress;

const LEVELS: [(&str, &str); 7] = [
    ("unified", "all steps, heads and chosen layers"),
    ("time:K", "one group of steps"),
    ("head:H", "one head of all chosen layers"),
    ("layer:NAME", "one layer"),
    ("resolution:HxW", "the chosen layers of one size"),
    (
        "specific:NAME/PLACE",
        "one position, box or masked region in one layer ([attribution.specific])",
    ),
    (
        "layer:NAME/head:H/time:K",
        "one head of one layer in one group of steps (debug/MODEL.csv)",
    ),
];

/// Everything that a configuration can name.
pub(super) fn run() -> Result<Outcome> {
    let mut text = String::new();
    let mut section = |title: &str, entries: Vec<(&str, &str)>| {
        let width = entries
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or_default();
        let _ = writeln!(text, "{title}");
        for (name, summary) in entries {
            let _ = writeln!(text, "  {name:width$}  {summary}");
        }
    };
    #[cfg(feature = "torch")]
    section(
        "families",
        i2am_runner::families::FAMILIES
            .iter()
            .map(|family| (family.info().name, family.info().summary))
            .collect(),
    );
    section(
        "datasets",
        DATASETS
            .iter()
            .map(|kind| (kind.info().name, kind.info().summary))
            .collect(),
    );
    let scores: Vec<(&str, String)> = SCORES
        .iter()
        .map(|score| {
            let info = score.info();
            let quantities = info.quantities.iter().map(|quantity| quantity.name);
            let quantities = quantities.collect::<Vec<_>>().join(", ");
            (info.name, format!("{} (rows: {quantities})", info.summary))
        })
        .collect();
    let scores = scores
        .iter()
        .map(|(name, summary)| (*name, summary.as_str()));
    section("scores", scores.collect());
    section("levels", LEVELS.to_vec());
    section(
        "detection: boxes from maps",
        ProcedureName::ALL
            .iter()
            .map(|name| (name.as_str(), name.description()))
            .collect(),
    );
    section(
        "detection: baselines",
        BaselineName::ALL
            .iter()
            .map(|name| (name.as_str(), name.description()))
            .collect(),
    );
    for metric in METRICS {
        let info = metric.info();
        let needs = if info.is_available() {
            ""
        } else {
            ", which needs libtorch"
        };
        let name = info.quantity.name;
        let title = format!("metric {name}: {}{needs} (`{}`)", info.summary, info.key);
        section(
            &title,
            info.variants
                .iter()
                .map(|variant| (variant.name, variant.summary))
                .collect(),
        );
    }
    for protocol in PROTOCOLS {
        let title = format!("protocol {}: {}", protocol.name, protocol.summary);
        let settings: Vec<(&str, String)> = protocol
            .settings
            .iter()
            .map(|setting| (setting.key, setting.to_string()))
            .collect();
        let settings = settings.iter().map(|(key, value)| (*key, value.as_str()));
        section(&title, settings.collect());
    }
    section(
        "statistics",
        Method::ALL
            .iter()
            .map(|method| (method.as_str(), method.summary()))
            .collect(),
    );
    section(
        "conventions",
        ConventionName::ALL
            .iter()
            .map(|name| (name.as_str(), name.description()))
            .collect(),
    );
    progress::print(text.trim_end())?;
    Ok(Outcome::Ok)
}
