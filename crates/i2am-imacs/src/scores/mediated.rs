//! What the prompt hands on: where its tokens read the reference and are read by the generated image, the reference has a second path.

use i2am_attribution::{AttentionRecord, KeyRole, LayerRecord};
use i2am_quantity::{Better, Bound, Direction, Level, Measurement, Outcome, Quantity};
use serde::{Deserialize, Serialize};

use super::{Enabled, ScoreInfo, ScoreInput, Scored, Settings};

const TABLE: &str = "mediated-path";

/// A share of attention, 0 to 1.
const fn share(name: &'static str, title: &'static str) -> Quantity {
    Quantity::new(name, title, Better::Neither)
        .decimals(3)
        .tolerance(Bound::absolute(1e-4), Some(Bound::absolute(5e-4)))
        .in_table(TABLE)
}

/// Mean share of the prompt in what generated positions read.
static TEXT_SHARE: Quantity = share("text_share", "Share of prompt");
/// The same of the padding of the prompt.
static PADDING_SHARE: Quantity = share("padding_share", "Share of padding");
/// Mean share of the reference in what tokens of the prompt read.
static REFERENCE_IN_TEXT: Quantity = share("reference_in_text", "Reference in prompt");
/// The same for the padding of the prompt.
static REFERENCE_IN_PADDING: Quantity = share("reference_in_padding", "Reference in padding");

/// It has no settings.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Score {}

impl Settings for Score {
    const INFO: &'static ScoreInfo = &ScoreInfo {
        name: TABLE,
        enabled: Enabled::Always,
        needs_objects: false,
        recorded: false,
        quantities: &[
            &TEXT_SHARE,
            &PADDING_SHARE,
            &REFERENCE_IN_TEXT,
            &REFERENCE_IN_PADDING,
        ],
        summary: "where tokens of a prompt ask too: how much of what is generated reads the prompt and its padding, and how much of the \
                  reference these read, 0 to 1",
    };

    /// A row for each quantity and level; none for models whose prompt does not read the reference.
    fn score(&self, input: &ScoreInput<'_>) -> Scored {
        let record = input.record;
        let reads = |layer: &&LayerRecord| {
            layer.reference == input.convention.reference && !layer.readers.is_empty()
        };
        let layers: Vec<&LayerRecord> = record.layers.iter().filter(reads).collect();
        let mut rows = Vec::new();
        for level in levels(record, &layers) {
            for (quantity, role, part) in [
                (&TEXT_SHARE, KeyRole::Text, Part::Read),
                (&PADDING_SHARE, KeyRole::Padding, Part::Read),
                (&REFERENCE_IN_TEXT, KeyRole::Text, Part::Reads),
                (&REFERENCE_IN_PADDING, KeyRole::Padding, Part::Reads),
            ] {
                let Some(value) = mean(record, &layers, &level, role, part) else {
                    continue;
                };
                let row = Measurement::of(quantity, Outcome::of(value))
                    .on_map(Direction::ReferenceToGenerated, level.clone());
                rows.push(row);
            }
        }
        Scored::rows(rows)
    }
}

/// All layers and steps, every recorded time group, every layer; none without layers.
fn levels(record: &AttentionRecord, layers: &[&LayerRecord]) -> Vec<Level> {
    if layers.is_empty() {
        return Vec::new();
    }
    let times = (0..record.groups()).map(Level::Time);
    let named = layers.iter().map(|layer| Level::Layer(layer.name.clone()));
    [Level::Unified]
        .into_iter()
        .chain(times)
        .chain(named)
        .collect()
}

/// Which half of the path.
#[derive(Clone, Copy)]
enum Part {
    /// The generated image reads the prompt.
    Read,
    /// The prompt reads the reference.
    Reads,
}

/// The mean over layers, heads and steps of `level`; `None` if the prompt has no tokens of `role`.
fn mean(
    record: &AttentionRecord,
    layers: &[&LayerRecord],
    level: &Level,
    role: KeyRole,
    part: Part,
) -> Option<f64> {
    let of_layer = |layer: &&LayerRecord| {
        let share = match part {
            Part::Read => &layer.others.iter().find(|other| other.role == role)?.share,
            Part::Reads => {
                &layer
                    .readers
                    .iter()
                    .find(|reader| reader.role == role)?
                    .share
            }
        };
        let (mut sum, mut weight) = (0.0, 0.0);
        for (row, value) in share.iter().enumerate() {
            let group = row / layer.heads;
            let enters = match level {
                Level::Time(own) => group == *own,
                _ => true,
            };
            if enters {
                sum += f64::from(*value);
                weight += f64::from(record.steps[group]);
            }
        }
        Some(sum / weight)
    };
    let enters = |layer: &&&LayerRecord| match level {
        Level::Layer(name) => layer.name == *name,
        _ => true,
    };
    let own = layers.iter().filter(enters);
    let values: Vec<f64> = own.map(of_layer).collect::<Option<_>>()?;
    Some((values.iter().sum::<f64>() / values.len() as f64).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use i2am_attribution::{Convention, Grid, OtherKeys, Reader, Source};

    use super::*;
    use crate::ImacsConfig;
    use crate::detection::BoxSeed;
    use crate::masks::Masks;

    /// Two heads over one position; the first time group has one step, the second three.
    fn layer(name: &str, padding: [f32; 4]) -> LayerRecord {
        let grid = Grid {
            height: 1,
            width: 1,
        };
        let source = Source::Spatial {
            height: 1,
            width: 1,
        };
        LayerRecord {
            r2g: vec![0.5; 8],
            share: Some(vec![0.25; 8]),
            others: vec![OtherKeys {
                role: KeyRole::Padding,
                share: padding.to_vec(),
            }],
            readers: vec![Reader {
                role: KeyRole::Padding,
                share: vec![0.5, 0.5, 0.0, 0.0],
            }],
            ..LayerRecord::new(name, source, 2, grid)
        }
    }

    fn rows(layers: Vec<LayerRecord>) -> Vec<(String, String, f64)> {
        let record = AttentionRecord {
            layers,
            steps: vec![1, 3],
            latent_height: 1,
            latent_width: 1,
        };
        let input = ScoreInput {
            record: &record,
            convention: &Convention::default(),
            imacs: &ImacsConfig::default(),
            masks: &Masks {
                generated: None,
                reference: None,
            },
            size: [4, 4],
            object: None,
            correspondence: None,
            seed: BoxSeed {
                seed: 0,
                dataset: "",
                sample: "",
            },
        };
        let row = |row: Measurement| {
            let level = row.level.unwrap().to_string();
            (row.metric, level, row.outcome.value().unwrap())
        };
        Score {}.score(&input).rows.into_iter().map(row).collect()
    }

    #[test]
    fn means_run_over_steps_heads_and_layers() {
        let layers = vec![
            layer("transformer_blocks.0.attn", [0.25, 0.75, 1.5, 1.5]),
            layer("transformer_blocks.1.attn", [0.0, 0.0, 0.0, 0.0]),
        ];
        let found = rows(layers);
        let value = |metric: &str, level: &Level| {
            let level = level.to_string();
            let row = found.iter().find(|row| row.0 == metric && row.1 == level);
            row.unwrap().2
        };
        let first = Level::Layer("transformer_blocks.0.attn".to_owned());
        let close =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}");
        close(value("padding_share", &Level::Unified), 0.25);
        close(value("padding_share", &Level::Time(0)), 0.25);
        close(value("padding_share", &first), 0.5);
        close(value("reference_in_padding", &Level::Unified), 0.125);
        close(value("reference_in_padding", &Level::Time(0)), 0.5);
        close(value("reference_in_padding", &Level::Time(1)), 0.0);
        // There are no words: no row, and none that says 0.
        assert!(found.iter().all(|row| row.0.contains("padding")));
    }

    #[test]
    fn a_model_whose_prompt_does_not_ask_has_no_rows() {
        let mut layer = layer("attn1", [0.25; 4]);
        layer.readers.clear();
        assert!(rows(vec![layer]).is_empty());
    }
}
