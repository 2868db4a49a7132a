//! Position-by-position attention as the page needs it: each row of a layer's array as bytes.

use i2am_attribution::{AttentionRecord, Grid, LayerRecord};
use serde::Serialize;

use super::maps::level;
use super::{encode, encode_f32};
use crate::level::short_layer;

/// The attention of one layer: for each generated patch, row-major, what it takes from each reference patch.
#[derive(Debug, Serialize)]
pub(super) struct SpecificMaps {
    pub(super) layer: String,
    pub(super) short: String,
    /// Patches of the generated picture, rows and columns.
    pub(super) generated: [usize; 2],
    /// Patches of the reference.
    pub(super) reference: [usize; 2],
    /// Positions of the layer along one side of a patch; 1 where nothing was put together.
    pub(super) pooled: usize,
    /// What a byte of 255 stands for, for each generated patch: 32-bit floats.
    scale: String,
    /// `[generated patches, reference patches]` bytes.
    data: String,
}

/// Every layer of `record` that has it, in no more than `most` rows of patches.
pub(super) fn of_record(record: &AttentionRecord, most: usize) -> Vec<SpecificMaps> {
    let of_layer = |layer: &LayerRecord| {
        let values = layer.specific.as_ref()?;
        let values: Vec<f32> = values.iter().map(|value| value.to_f32()).collect();
        Some(quantised(
            &layer.name,
            &values,
            layer.generated_grid(),
            layer.reference_grid()?,
            most,
        ))
    };
    record.layers.iter().filter_map(of_layer).collect()
}

fn quantised(
    name: &str,
    values: &[f32],
    generated: Grid,
    reference: Grid,
    most: usize,
) -> SpecificMaps {
    let factor = generated.height.max(reference.height).div_ceil(most);
    let onto = |grid: Grid| [grid.height.div_ceil(factor), grid.width.div_ceil(factor)];
    let (to_generated, to_reference) = (onto(generated), onto(reference));
    let patch = |index: usize, grid: Grid, onto: [usize; 2]| {
        (index / grid.width / factor) * onto[1] + (index % grid.width) / factor
    };
    let tokens = to_reference[0] * to_reference[1];
    let mut sums = vec![0.0_f32; to_generated[0] * to_generated[1] * tokens];
    let mut counts = vec![0_u32; to_generated[0] * to_generated[1]];
    for (position, row) in values.chunks_exact(reference.len()).enumerate() {
        let here = patch(position, generated, to_generated);
        counts[here] += 1;
        for (token, value) in row.iter().enumerate() {
            sums[here * tokens + patch(token, reference, to_reference)] += value;
        }
    }
    let (mut scale, mut data) = (Vec::new(), Vec::new());
    for (row, count) in sums.chunks_exact(tokens).zip(counts) {
        // Mean over the positions of the patch; what they take from the positions of a reference patch adds up.
        let row: Vec<f32> = row.iter().map(|sum| sum / count as f32).collect();
        let top = row.iter().copied().fold(0.0, f32::max);
        scale.push(top / 255.0);
        data.extend(row.iter().map(|value| level(*value, top)));
    }
    SpecificMaps {
        layer: name.to_owned(),
        short: short_layer(name),
        generated: to_generated,
        reference: to_reference,
        pooled: factor,
        scale: encode_f32(&scale),
        data: encode(&data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_take_the_mean_and_give_the_sum() {
        let grid = |height, width| Grid { height, width };
        // Two generated positions in one patch, four reference positions in two patches.
        let values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.1, 0.3, 0.1];
        let maps = quantised("a", &values, grid(2, 1), grid(2, 2), 1);
        assert_eq!(
            (maps.generated, maps.reference, maps.pooled),
            ([1, 1], [1, 1], 2)
        );
        let maps = quantised("a", &values, grid(2, 1), grid(2, 2), 2);
        assert_eq!(
            (maps.generated, maps.reference, maps.pooled),
            ([2, 1], [2, 2], 1)
        );
        let expected: Vec<u8> = vec![64, 128, 191, 255, 255, 51, 153, 51];
        assert_eq!(maps.data, encode(&expected));
        assert_eq!(maps.scale, encode_f32(&[0.4 / 255.0, 0.5 / 255.0]));
    }
}
