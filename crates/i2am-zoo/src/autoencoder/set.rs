//! The training set: what the families encode, drawn once, held as bytes.

use i2am_imaging::GrayImage;
use i2am_runner::pictures;
use i2am_synth::{self as synth, SynthSample};
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::config::shared::DataConfig;
use crate::{progress, tensors};

/// How often each picture of a sample is drawn: person, person with the masked region in gray, garment, body parts. The person shows what is to
/// be painted; the others must not be forgotten.
const SHARES: [f32; 4] = [7.0, 2.0, 2.0, 1.0];

/// Pictures and places of prints.
pub(super) struct PictureSet {
    /// `[count, 4, 3, H, W]` bytes, in the order of [`SHARES`].
    pictures: Tensor,
    /// `[count, 1, H, W]`, true where the person shows the print or the cloth right around it.
    printed: Tensor,
    /// Row and column in the middle of each print; of the picture where there is none.
    middles: Vec<[i64; 2]>,
}

/// Crops to train on.
pub(super) struct Batch {
    /// `[batch, 3, h, w]` in `[-1, 1]`.
    pub(super) pictures: Tensor,
    /// 1 where a person shows the print, else 0: `[batch, 1, h, w]`.
    pub(super) printed: Tensor,
}

/// A person, and where the print of the garment is seen.
pub(super) struct Printed {
    person: Tensor,
    printed: Tensor,
}

impl Printed {
    pub(super) fn draw(seed: u64, index: usize, data: &DataConfig) -> Self {
        let (drawn, printed) = drawn(seed, index, data);
        Self {
            person: tensors::from_rgb(&drawn.person),
            printed: pictures::unit(&printed),
        }
    }

    /// `[1, 3, H, W]` in `[-1, 1]`.
    pub(super) fn person(&self, device: Device) -> Tensor {
        tensors::signed(&self.person.to_device(device)).unsqueeze(0)
    }

    /// 1 where the print is, else 0: `[1, 1, H, W]`.
    pub(super) fn printed(&self, device: Device) -> Tensor {
        self.printed.to_device(device)
    }
}

impl PictureSet {
    /// Draws the pictures of `data`.
    pub(super) fn draw(data: &DataConfig) -> Self {
        let bar = progress::bar("drawing", data.count as u64);
        let one = |index: usize| {
            let (drawn, print) = drawn(data.seed, index, data);
            let views = [
                &drawn.person,
                &drawn.agnostic,
                &drawn.garment,
                &drawn.densepose,
            ];
            bar.inc(1);
            let pictures = Tensor::stack(&views.map(tensors::from_rgb), 0);
            let printed = pictures::unit(&print).gt(0.5).squeeze_dim(0);
            (pictures, printed, middle(&print))
        };
        let drawn: Vec<_> = (0..data.count).into_par_iter().map(one).collect();
        let stack = |part: fn(&(Tensor, Tensor, [i64; 2])) -> &Tensor| {
            Tensor::stack(&drawn.iter().map(part).collect::<Vec<_>>(), 0)
        };
        Self {
            pictures: stack(|d| &d.0),
            printed: stack(|d| &d.1),
            middles: drawn.iter().map(|d| d.2).collect(),
        }
    }

    /// Crops of `side` x `side` pixels of random pictures: those of the first half lie around the prints, the others anywhere.
    pub(super) fn batch(&self, batch: usize, side: i64, device: Device) -> Batch {
        let size = self.pictures.size();
        let random =
            |bound: i64| Tensor::randint(bound, [1], (Kind::Int64, Device::Cpu)).int64_value(&[0]);
        let samples: Vec<i64> = (0..batch).map(|_| random(size[0])).collect();
        let kinds = Tensor::from_slice(&SHARES).multinomial(batch as i64, true);
        let (mut pictures, mut printed) = (Vec::new(), Vec::new());
        for (slot, &sample) in samples.iter().enumerate() {
            let kind = kinds.int64_value(&[slot as i64]);
            let mut picture = self.pictures.get(sample).get(kind);
            let mut print = self.printed.get(sample);
            for axis in [1, 2] {
                let length = size[axis as usize + 2];
                let side = side.min(length);
                let anywhere = random(length - side + 1);
                let around = self.middles[sample as usize][axis as usize - 1]
                    - side / 4
                    - random(side / 2 + 1);
                let start = if slot < batch / 2 { around } else { anywhere };
                let start = start.clamp(0, length - side);
                picture = picture.narrow(axis, start, side);
                print = print.narrow(axis, start, side);
            }
            pictures.push(picture);
            printed.push(if kind == 0 { print } else { print.zeros_like() });
        }
        let printed = Tensor::stack(&printed, 0).to_device(device);
        Batch {
            pictures: tensors::signed(&Tensor::stack(&pictures, 0).to_device(device)),
            printed: printed.to_kind(Kind::Float),
        }
    }
}

/// Sample `index` of the set `seed`, and where its person shows the print.
fn drawn(seed: u64, index: usize, data: &DataConfig) -> (SynthSample, GrayImage) {
    let (index, height, width) = (index as u64, data.height, data.width);
    let further = synth::render_further(seed, index, index, height, width);
    let drawn = synth::render(seed, index, height, width);
    (drawn, further.printed_mask)
}

/// Row and column in the middle of the white pixels of `mask`; of the picture if there is none.
fn middle(mask: &GrayImage) -> [i64; 2] {
    let (width, height) = mask.dimensions();
    let white = mask
        .enumerate_pixels()
        .filter(|(_, _, level)| level.0 == [255]);
    let (mut sum, mut count) = ([0, 0], 0);
    for (x, y, _) in white {
        sum = [sum[0] + i64::from(y), sum[1] + i64::from(x)];
        count += 1;
    }
    match count {
        0 => [i64::from(height) / 2, i64::from(width) / 2],
        count => sum.map(|sum| sum / count),
    }
}

#[cfg(test)]
mod tests {
    use i2am_imaging::GrayImage;

    use super::middle;

    #[test]
    fn the_middle_of_a_print_is_its_center_of_mass() {
        let mut mask = GrayImage::new(8, 6);
        assert_eq!(middle(&mask), [3, 4]);
        for (x, y) in [(5, 1), (7, 1), (5, 3), (7, 3)] {
            mask.get_pixel_mut(x, y).0 = [255];
        }
        assert_eq!(middle(&mask), [2, 6]);
    }
}
