//! How much of what a layer reads comes from the reference, where other keys compete with those of the reference.

use i2am_imaging::Plane;

use crate::{AttentionRecord, LayerRecord, Level};

/// The share of the reference at one level of one layer or of several.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceShare {
    /// What the mean runs over: all steps and heads of every layer, a recorded time group, a head, or a layer.
    pub level: Level,
    /// One for each layer: how much of what each generated position reads comes from the reference, at the layer's own size. In `[0, 1]`.
    pub layers: Vec<Plane>,
}

/// The shares of the image `reference` at every level; none if no layer has other keys, so that the share is 1 everywhere.
///
/// # Shapes
/// Each plane has the size of its layer's generated feature map.
/// # Units and range
/// Parts of all attention, `[0, 1]`; means over heads and steps.
pub fn reference_shares(record: &AttentionRecord, reference: usize) -> Vec<ReferenceShare> {
    let of_reference = record
        .layers
        .iter()
        .filter(|layer| layer.reference == reference);
    let layers: Vec<(&LayerRecord, &[f32])> = of_reference
        .filter(|layer| layer.competes())
        .filter_map(|layer| Some((layer, layer.share.as_deref()?)))
        .collect();
    let Some((first, _)) = layers.first() else {
        return Vec::new();
    };
    let mut levels = vec![Level::Unified];
    levels.extend((0..record.groups()).map(Level::Time));
    if layers.iter().all(|(layer, _)| layer.heads == first.heads) {
        levels.extend((0..first.heads).map(Level::Head));
    }
    levels.extend(
        layers
            .iter()
            .map(|(layer, _)| Level::Layer(layer.name.clone())),
    );
    let at = |level: Level| {
        let enters = |layer: &LayerRecord| match &level {
            Level::Layer(name) => layer.name == *name,
            _ => true,
        };
        let own = layers.iter().filter(|(layer, _)| enters(layer));
        let planes = own.map(|(layer, share)| mean(layer, share, &record.steps, &level));
        ReferenceShare {
            layers: planes.collect(),
            level,
        }
    };
    levels.into_iter().map(at).collect()
}

/// The mean over the heads and steps of `level`.
fn mean(layer: &LayerRecord, share: &[f32], steps: &[u32], level: &Level) -> Plane {
    let grid = layer.generated_grid();
    let rows = steps.len() * layer.heads;
    let mut sum = vec![0.0_f64; grid.len()];
    let mut weight = 0.0;
    for row in 0..rows {
        let (group, head) = (row / layer.heads, row % layer.heads);
        let enters = match level {
            Level::Time(own) => group == *own,
            Level::Head(own) => head == *own,
            _ => true,
        };
        if !enters {
            continue;
        }
        weight += f64::from(steps[group]);
        // Of tokens inside and outside of the reference mask together.
        for row in [row, rows + row] {
            let values = &share[row * grid.len()..][..grid.len()];
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += f64::from(*value);
            }
        }
    }
    grid.plane(|index| (sum[index] / weight).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{joint, record, spatial};

    #[test]
    fn shares_are_means_over_heads_and_steps() {
        // Two heads of a 1x2 map: 0.25 and 0.75 inside, as much outside of the mask at the second position.
        let mut layer = joint("attn1", [1, 2], 2, 0.5);
        layer.share = Some(vec![0.25, 0.5, 0.75, 0.25, 0.0, 0.25, 0.0, 0.0]);
        let record = record(vec![layer, spatial("attn2", [1, 2], [1, 2], 2)]);
        let found = reference_shares(&record, 0);
        let of = |level: &Level| {
            let share = found.iter().find(|share| share.level == *level).unwrap();
            share.layers[0].data().to_vec()
        };
        assert_eq!(of(&Level::Unified), [0.5, 0.5]);
        assert_eq!(of(&Level::Head(0)), [0.25, 0.75]);
        assert_eq!(of(&Level::Head(1)), [0.75, 0.25]);
        assert_eq!(of(&Level::Layer("attn1".into())), [0.5, 0.5]);
        assert_eq!(of(&Level::Time(0)), [0.5, 0.5]);
        assert_eq!(
            found.len(),
            5,
            "no level of a layer whose keys are all the reference's"
        );
        assert_eq!(found[0].layers.len(), 1);
    }

    #[test]
    fn without_other_keys_there_is_none() {
        let record = record(vec![spatial("attn2", [1, 2], [1, 2], 2)]);
        assert!(reference_shares(&record, 0).is_empty());
    }
}
