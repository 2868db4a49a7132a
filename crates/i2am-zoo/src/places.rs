//! What the synthetic set knows of the cloth in each cell of the person: where in the garment's picture it comes from, and the print.

use i2am_synth as synth;
use rayon::prelude::*;
use tch::{Device, Tensor};

use crate::attention::{AttentionConfig, AttentionLossKind};
use crate::config::shared::{DataConfig, TryOnLoss};
use crate::encoded::pick;

/// The places of a training set, on the CPU.
pub(crate) struct Places(Tensor);

impl Places {
    /// Those of `data` in cells of `factor` x `factor` pixels, if the loss on attention compares with them or that of the images weighs
    /// prints.
    pub(crate) fn of(
        data: &DataConfig,
        attention: Option<&AttentionConfig>,
        loss: &TryOnLoss,
        factor: i64,
    ) -> Option<Self> {
        let is_compared =
            |attention: &AttentionConfig| attention.loss == AttentionLossKind::Correspondence;
        if !attention.is_some_and(is_compared) && loss.print_weight == 0.0 {
            return None;
        }
        let all = (0..data.count).into_par_iter();
        let all: Vec<Tensor> = all.map(|index| one(data, index, factor)).collect();
        Some(Self(Tensor::cat(&all, 0)))
    }

    /// Row and column as fractions of the sides of the garment's picture, the share of the cell whose place is known, and the share that
    /// shows the print: `[batch, 4, h, w]`.
    pub(crate) fn pick(&self, indices: &Tensor, device: Device) -> Tensor {
        pick(&self.0, indices, device)
    }
}

/// One sample, `[1, 4, h, w]`: means over the pixels of each cell, of the places over those whose place is known.
fn one(data: &DataConfig, index: usize, factor: i64) -> Tensor {
    let (index, factor) = (index as u64, factor as usize);
    let further = synth::render_further(data.seed, index, index, data.height, data.width);
    let (rows, columns) = (data.height / factor, data.width / factor);
    let mut planes = vec![0.0_f32; 4 * rows * columns];
    for row in 0..rows {
        for column in 0..columns {
            let [mut down, mut across, mut known, mut printed] = [0.0; 4];
            for pixel in 0..factor * factor {
                let y = row * factor + pixel / factor;
                let x = column * factor + pixel % factor;
                if let Some(place) = further.correspondence.place(y, x) {
                    down += place[0];
                    across += place[1];
                    known += 1.0;
                }
                let is_printed = further.printed_mask.get_pixel(x as u32, y as u32).0 == [255];
                printed += f64::from(is_printed);
            }
            let pixels = (factor * factor) as f64;
            let count = f64::max(known, 1.0);
            let values = [
                down / count,
                across / count,
                known / pixels,
                printed / pixels,
            ];
            for (plane, value) in values.into_iter().enumerate() {
                planes[(plane * rows + row) * columns + column] = value as f32;
            }
        }
    }
    Tensor::from_slice(&planes).reshape([1, 4, rows as i64, columns as i64])
}
