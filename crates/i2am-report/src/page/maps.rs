//! Records as the page needs them: every head of every layer in every time group, as bytes.
//!
//! The page makes maps of any combination itself, by the operations of [`i2am_attribution::attribution_map`] and
//! [`i2am_attribution::normalise`] and in their order, so what it shows is what was scored but for the rounding to bytes.

use i2am_attribution::{
    AttentionRecord, Cell, Convention, Direction, LayerRecord, LayerWeighting, Level,
    attribution_map, cell_attention,
};
use i2am_imaging::Plane;
use i2am_quantity::Marks;
use serde::Serialize;

use super::{encode, encode_f32};
use crate::level::short_layer;

/// Levels of a byte.
const LEVELS: f32 = 255.0;

/// All maps of one direction.
#[derive(Debug, Serialize)]
pub(super) struct DirectionMaps {
    /// Size of maps over layers: the latent's, or the largest reference grid.
    pub(super) latent: [usize; 2],
    /// Indices into `layers` of those that the convention chooses.
    pub(super) chosen: Vec<usize>,
    /// The same for maps of one time group.
    pub(super) time_chosen: Vec<usize>,
    pub(super) marks: Marks,
    /// Whether each layer's map is scaled to mean 1 before the mean over layers.
    pub(super) unit_mean: bool,
    pub(super) layers: Vec<LayerMaps>,
}

/// The maps of one layer, `[time groups, heads, height, width]`.
#[derive(Debug, Serialize)]
pub(super) struct LayerMaps {
    pub(super) name: String,
    pub(super) short: String,
    pub(super) heads: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// What a byte of 255 stands for, for each time group and head: 32-bit floats.
    scale: String,
    /// Bytes.
    data: String,
}

/// Time groups that a page can show: those of the convention, as far as steps were recorded apart.
pub(super) fn time_groups(record: &AttentionRecord, convention: &Convention) -> usize {
    convention.time_groups.min(record.groups())
}

/// The maps of `direction`, none higher than `most` rows; why there are none otherwise.
pub(super) fn of_direction(
    record: &AttentionRecord,
    convention: &Convention,
    direction: Direction,
    most: usize,
) -> Result<DirectionMaps, String> {
    let unified = attribution_map(record, convention, direction, &Level::Unified)
        .map_err(|reason| reason.to_string())?;
    let of_time = attribution_map(record, convention, direction, &Level::Time(0));
    // Steps that were recorded together cannot be shown apart.
    let recorded = Convention {
        time_groups: time_groups(record, convention),
        ..convention.clone()
    };
    let layers: Vec<LayerMaps> = record
        .layers
        .iter()
        .filter_map(|layer| layer_maps(record, &recorded, direction, layer, most))
        .collect();
    let indices = |names: &[String]| -> Vec<usize> {
        let index = |name: &String| layers.iter().position(|layer| layer.name == *name);
        names.iter().filter_map(index).collect()
    };
    let chosen = indices(&unified.layers);
    let time_chosen = of_time.map_or_else(|_| chosen.clone(), |map| indices(&map.layers));
    Ok(DirectionMaps {
        latent: unified.plane.size(),
        chosen,
        time_chosen,
        marks: unified.notes.marks(),
        unit_mean: convention.weighting(direction) == LayerWeighting::UnitMean,
        layers,
    })
}

/// `None` if the layer has no map in this direction, or nothing to average over.
fn layer_maps(
    record: &AttentionRecord,
    convention: &Convention,
    direction: Direction,
    layer: &LayerRecord,
    most: usize,
) -> Option<LayerMaps> {
    let factor = layer.grid(direction)?.height.div_ceil(most);
    let (mut scale, mut data) = (Vec::new(), Vec::new());
    let mut size = [0, 0];
    for time in 0..convention.time_groups {
        for head in 0..layer.heads {
            let cell = Cell {
                layer: layer.name.clone(),
                head,
                time,
            };
            let plane = cell_attention(record, convention, direction, &cell).ok()?;
            let plane = pooled(&plane, factor);
            size = plane.size();
            let top = plane.max();
            scale.push(top / LEVELS);
            data.extend(plane.data().iter().map(|value| level(*value, top)));
        }
    }
    Some(LayerMaps {
        name: layer.name.clone(),
        short: short_layer(&layer.name),
        heads: layer.heads,
        height: size[0],
        width: size[1],
        scale: encode_f32(&scale),
        data: encode(&data),
    })
}

/// The nearest of 256 levels from 0 to `top`.
pub(super) fn level(value: f32, top: f32) -> u8 {
    if top > 0.0 {
        (value / top * LEVELS + 0.5) as u8
    } else {
        0
    }
}

/// Means over blocks of `factor` x `factor` values; blocks at the ends may be smaller.
fn pooled(plane: &Plane, factor: usize) -> Plane {
    if factor <= 1 {
        return plane.clone();
    }
    let [height, width] = plane.size();
    Plane::from_fn(height.div_ceil(factor), width.div_ceil(factor), |r, c| {
        let (rows, columns) = (
            r * factor..((r + 1) * factor).min(height),
            c * factor..((c + 1) * factor).min(width),
        );
        let count = (rows.len() * columns.len()) as f32;
        let sum: f32 = rows
            .flat_map(|row| columns.clone().map(move |column| (row, column)))
            .map(|(row, column)| plane.get(row, column))
            .sum();
        sum / count
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_means_over_blocks_also_at_the_ends() {
        let plane = Plane::new(3, 3, (0..9).map(|value| value as f32).collect()).unwrap();
        let small = pooled(&plane, 2);
        assert_eq!(small.size(), [2, 2]);
        assert_eq!(small.data(), [2.0, 3.5, 6.5, 8.0]);
        assert_eq!(pooled(&plane, 1), plane);
    }

    #[test]
    fn levels_are_the_nearest_and_a_map_of_zeros_stays_zero() {
        assert_eq!(
            [0.0, 0.5, 1.0].map(|value| level(value, 1.0)),
            [0, 128, 255]
        );
        assert_eq!(level(0.0, 0.0), 0);
    }
}
