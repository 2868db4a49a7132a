//! The block `model-index` of a model card, as the hub of Hugging Face reads it.
//!
//! It is part of the YAML at the head of the card's `README.md`. Texts are written as JSON writes them, which YAML reads too. Values are raw,
//! never scaled. Read back by `huggingface_hub` 2.4.0 (`model_index_to_eval_results`).

use std::fmt::Write as _;

use i2am_attribution::Level;
use i2am_results::AggregateRow;
use serde_json::Value;

use super::Run;
use crate::registry::quantities;

/// One entry for each model, with its scores over whole maps and its metrics.
pub(super) fn text(run: &Run, models: &[&str]) -> String {
    let dataset = &run.manifest.dataset;
    let mut text = "model-index:\n".to_owned();
    let quoted = |text: &str| Value::from(text).to_string();
    for model in models {
        let _ = write!(
            text,
            "- name: {}\n  results:\n  - task:\n      type: image-to-image\n    dataset:\n      name: {name}\n      type: {name}\n",
            quoted(model),
            name = quoted(&dataset.name)
        );
        if !dataset.split.is_empty() {
            let _ = writeln!(text, "      split: {}", quoted(&dataset.split));
        }
        text.push_str("    metrics:\n");
        let whole = |row: &&AggregateRow| matches!(row.level, None | Some(Level::Unified));
        for row in run.scores_of(model).filter(whole) {
            let title = quantities()
                .find(&row.metric)
                .map_or(row.metric.as_str(), |quantity| quantity.title);
            let _ = write!(
                text,
                "    - type: {}\n      name: {}\n      value: {}\n      args:\n        protocol: {}\n        variant: {}\n        version: {}\n        n: {}\n",
                quoted(&row.metric),
                quoted(title),
                Value::from(row.mean),
                quoted(run.protocol()),
                quoted(&row.convention),
                row.version,
                row.n
            );
        }
    }
    text
}
