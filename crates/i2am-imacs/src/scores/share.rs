//! How much of what the masked region reads comes from the reference, where other keys compete with it.

use i2am_attribution::reference_shares;
use i2am_imaging::{Plane, torch_adaptive_average};
use i2am_quantity::{Better, Bound, Direction, Measurement, Outcome, Quantity};
use serde::{Deserialize, Serialize};

use super::{Enabled, ScoreInfo, ScoreInput, Scored, Settings};
use crate::{ImacsError, imacs};

/// Mean share of the reference in what positions of the masked region read, 0 to 1.
static REFERENCE_SHARE: Quantity =
    Quantity::new("reference_share", "Share of reference", Better::Neither)
        .decimals(3)
        .tolerance(Bound::absolute(1e-4), Some(Bound::absolute(5e-4)))
        .headline()
        .correlated();
/// [`imacs()`] of the shares themselves: they are in `[0, 1]` already, so nothing is scaled and nothing is cut.
static IMACS_SHARE: Quantity = Quantity::new("imacs_share", "IMACS of shares", Better::Higher)
    .decimals(3)
    .tolerance(Bound::absolute(2e-4), Some(Bound::absolute(5e-4)))
    .headline()
    .correlated();

/// It has no settings of its own; the penalty is that of IMACS.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Score {}

impl Settings for Score {
    const INFO: &'static ScoreInfo = &ScoreInfo {
        name: "reference-share",
        enabled: Enabled::Always,
        needs_objects: false,
        recorded: false,
        quantities: &[&REFERENCE_SHARE, &IMACS_SHARE],
        summary: "where other keys compete: how much of what the masked region reads comes from the reference (reference_share, 0 to 1), and IMACS \
                  of these shares without scaling (imacs_share)",
    };

    /// Two rows for each level; none for models whose keys are all the reference's, of which the share is 1 everywhere.
    fn score(&self, input: &ScoreInput<'_>) -> Scored {
        let mut rows = Vec::new();
        for share in reference_shares(input.record, input.convention.reference) {
            let means = means(input, &share.layers);
            let outcome = |value: fn(&[f64; 2]) -> f64| match &means {
                Ok(means) => Outcome::of(value(means)),
                Err(reason) => Outcome::empty(reason),
            };
            let measured = [
                (&REFERENCE_SHARE, outcome(|[inside, _]| *inside)),
                (&IMACS_SHARE, outcome(|[_, score]| *score)),
            ];
            rows.extend(measured.map(|(quantity, outcome)| {
                Measurement::of(quantity, outcome)
                    .on_map(Direction::ReferenceToGenerated, share.level.clone())
                    .under(input.convention.label())
            }));
        }
        Scored::rows(rows)
    }
}

/// Mean share inside the masked region, and the score, each the mean over layers. A position of a layer counts by the part of it that is
/// masked.
fn means(input: &ScoreInput<'_>, layers: &[Plane]) -> Result<[f64; 2], String> {
    let mask = input.masks.of_direction(Direction::ReferenceToGenerated);
    let mask = mask.map_err(|reason| reason.to_string())?;
    let mut sum = [0.0; 2];
    for share in layers {
        let [height, width] = share.size();
        let mask = torch_adaptive_average(mask, height, width);
        let found =
            imacs(share, &mask, input.imacs).map_err(|error: ImacsError| error.to_string())?;
        sum[0] += found.inside;
        sum[1] += found.value;
    }
    Ok(sum.map(|sum| sum / layers.len() as f64))
}

#[cfg(test)]
mod tests {
    use i2am_attribution::{
        AttentionRecord, Convention, Grid, KeyRole, LayerRecord, OtherKeys, Source,
    };
    use i2am_quantity::Level;

    use super::*;
    use crate::ImacsConfig;
    use crate::detection::BoxSeed;
    use crate::masks::Masks;

    /// Two steps of one head over 2x2 positions; the left column reads 0.75 of the reference, the right one 0.25.
    fn record() -> AttentionRecord {
        let grid = Grid {
            height: 2,
            width: 2,
        };
        let source = Source::Spatial {
            height: 1,
            width: 1,
        };
        let layer = LayerRecord {
            r2g: vec![0.5; 8],
            share: Some(vec![1.5, 0.5, 1.5, 0.5, 0.0, 0.0, 0.0, 0.0]),
            others: vec![OtherKeys {
                role: KeyRole::Text,
                share: vec![1.0],
            }],
            ..LayerRecord::new("attn1", source, 1, grid)
        };
        AttentionRecord {
            layers: vec![layer],
            steps: vec![2],
            latent_height: 2,
            latent_width: 2,
        }
    }

    fn rows(record: &AttentionRecord, mask: Option<Plane>) -> Vec<Measurement> {
        let masks = Masks {
            generated: mask,
            reference: None,
        };
        let input = ScoreInput {
            record,
            convention: &Convention::default(),
            imacs: &ImacsConfig::default(),
            masks: &masks,
            size: [4, 4],
            object: None,
            correspondence: None,
            seed: BoxSeed {
                seed: 0,
                dataset: "",
                sample: "",
            },
        };
        Score {}.score(&input).rows
    }

    fn of<'a>(rows: &'a [Measurement], name: &str) -> &'a Measurement {
        let is = |row: &&Measurement| row.metric == name && row.level == Some(Level::Unified);
        rows.iter().find(is).unwrap()
    }

    #[test]
    fn shares_are_scored_as_they_are() {
        // The left half of the image is masked.
        let left = Plane::from_fn(4, 4, |_, column| f32::from(column < 2));
        let rows = rows(&record(), Some(left));
        assert_eq!(of(&rows, "reference_share").outcome.value(), Some(0.75));
        // 0.75 inside, less three times 0.25 outside.
        assert_eq!(of(&rows, "imacs_share").outcome.value(), Some(0.0));
        assert_eq!(
            rows.len(),
            2 * 4,
            "unified, one time group, one head, one layer"
        );
    }

    #[test]
    fn without_a_mask_the_reason_stands_in_the_row() {
        let rows = rows(&record(), None);
        assert_eq!(of(&rows, "imacs_share").outcome.value(), None);
    }

    #[test]
    fn where_nothing_competes_there_is_no_row() {
        let mut record = record();
        record.layers[0].share = None;
        record.layers[0].others.clear();
        assert!(rows(&record, None).is_empty());
    }
}
