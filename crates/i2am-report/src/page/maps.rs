//! Records as the page needs them: every head of every layer in every time group, as bytes.
//!
//! The page makes maps of any combination itself, by the operations of [`i2am_attribution::attribution_map`] and
//! [`i2am_attribution::normalise`] and in their order, so what it shows is what was scored but for the rounding to bytes.

use i2am_attribution::{
    AttentionRecord, Averaging, Convention, Direction, LayerRecord, Level, attribution_map,
};
use i2am_imaging::Plane;
use serde::Serialize;

use super::base64;

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
    pub(super) one_token: bool,
    pub(super) layers: Vec<LayerMaps>,
}

/// The maps of one layer, `[time groups, heads, height, width]`.
#[derive(Debug, Serialize)]
pub(super) struct LayerMaps {
    pub(super) name: String,
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
    let averaged_over = convention.direction(direction).averaged_over;
    let groups = time_groups(record, convention);
    let layers: Vec<LayerMaps> = record
        .layers
        .iter()
        .filter_map(|layer| layer_maps(layer, direction, averaged_over, groups, most))
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
        one_token: unified.one_token,
        layers,
    })
}

fn layer_maps(
    layer: &LayerRecord,
    direction: Direction,
    averaged_over: Averaging,
    groups: usize,
    most: usize,
) -> Option<LayerMaps> {
    let sums = Sums::of(layer, direction, averaged_over)?;
    let factor = sums.size[0].div_ceil(most);
    let (mut scale, mut data) = (Vec::new(), Vec::new());
    let mut size = sums.size;
    for group in 0..groups {
        for head in 0..layer.heads {
            let plane = pooled(&sums.plane(group, groups, head), factor);
            size = plane.size();
            let top = plane.max();
            scale.push(top / LEVELS);
            data.extend(plane.data().iter().map(|value| level(*value, top)));
        }
    }
    Some(LayerMaps {
        name: layer.name.clone(),
        heads: layer.heads,
        height: size[0],
        width: size[1],
        scale: base64::encode_f32(&scale),
        data: base64::encode(&data),
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

/// The sums of one layer in one direction, and over how many positions they are.
struct Sums<'a> {
    values: &'a [f32],
    sides: &'static [usize],
    count: u64,
    heads: usize,
    recorded: usize,
    size: [usize; 2],
}

impl<'a> Sums<'a> {
    /// `None` if the layer has no map in this direction, or nothing to average over.
    fn of(layer: &'a LayerRecord, direction: Direction, averaged_over: Averaging) -> Option<Self> {
        let grid = layer.grid(direction)?;
        let (values, counts) = match direction {
            Direction::ReferenceToGenerated => (&layer.r2g, layer.r2g_counts),
            Direction::GeneratedToReference => (layer.g2r.as_ref()?, layer.g2r_counts),
        };
        // One pooled token has no place inside or outside.
        let sides: &[usize] = match averaged_over {
            _ if layer.is_one_token() => &[0, 1],
            Averaging::Inside => &[0],
            Averaging::Outside => &[1],
            Averaging::All => &[0, 1],
        };
        let count = sides.iter().map(|&side| counts[side]).sum();
        (count > 0).then(|| Self {
            values,
            sides,
            count,
            heads: layer.heads,
            recorded: values.len() / (2 * layer.heads * grid.len()),
            size: [grid.height, grid.width],
        })
    }

    /// Mean over positions of one head, summed over the steps of time group `group` of `groups`.
    fn plane(&self, group: usize, groups: usize, head: usize) -> Plane {
        let [height, width] = self.size;
        let recorded = group * self.recorded / groups..(group + 1) * self.recorded / groups;
        Plane::from_fn(height, width, |row, column| {
            let mut sum = 0.0_f64;
            for group in recorded.clone() {
                for side in self.sides {
                    let map = (side * self.recorded + group) * self.heads + head;
                    sum += f64::from(self.values[(map * height + row) * width + column]);
                }
            }
            (sum / self.count as f64) as f32
        })
    }
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
