//! From where in the garment's picture the cloth of each cell of the person comes.

use i2am_synth as synth;
use rayon::prelude::*;
use tch::{Device, Tensor};

use crate::attention::{AttentionConfig, AttentionLossKind};
use crate::config::shared::DataConfig;
use crate::encoded::pick;

/// The places of a training set, on the CPU.
pub(crate) struct Places(Tensor);

impl Places {
    /// Those of `data` in cells of `factor` x `factor` pixels, if the loss on attention compares with them.
    pub(crate) fn of(
        data: &DataConfig,
        attention: Option<&AttentionConfig>,
        factor: i64,
    ) -> Option<Self> {
        let is_compared =
            |attention: &AttentionConfig| attention.loss == AttentionLossKind::Correspondence;
        attention.filter(|attention| is_compared(attention))?;
        let all = (0..data.count).into_par_iter();
        let all: Vec<Tensor> = all.map(|index| one(data, index, factor)).collect();
        Some(Self(Tensor::cat(&all, 0)))
    }

    /// Row and column as fractions of the sides of the garment's picture, and the share of the cell whose place is known:
    /// `[batch, 3, h, w]`.
    pub(crate) fn pick(&self, indices: &Tensor, device: Device) -> Tensor {
        pick(&self.0, indices, device)
    }
}

/// One sample, `[1, 3, h, w]`: means over the pixels of each cell whose place is known.
fn one(data: &DataConfig, index: usize, factor: i64) -> Tensor {
    let (index, factor) = (index as u64, factor as usize);
    let further = synth::render_further(data.seed, index, index, data.height, data.width);
    let (rows, columns) = (data.height / factor, data.width / factor);
    let mut planes = vec![0.0_f32; 3 * rows * columns];
    for row in 0..rows {
        for column in 0..columns {
            let pixels = (0..factor * factor).filter_map(|pixel| {
                let (down, across) = (pixel / factor, pixel % factor);
                let (row, column) = (row * factor + down, column * factor + across);
                further.correspondence.place(row, column)
            });
            let (sum, known) = pixels.fold(([0.0; 2], 0_i32), |(sum, known), place| {
                ([sum[0] + place[0], sum[1] + place[1]], known + 1)
            });
            let share = f64::from(known) / (factor * factor) as f64;
            let known = f64::from(known.max(1));
            for (plane, value) in [sum[0] / known, sum[1] / known, share].iter().enumerate() {
                planes[(plane * rows + row) * columns + column] = *value as f32;
            }
        }
    }
    Tensor::from_slice(&planes).reshape([1, 3, rows as i64, columns as i64])
}
