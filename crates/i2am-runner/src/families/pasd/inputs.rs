//! The low-resolution image at the size that is computed at. The size follows from the sample and from `upscale`.

use i2am_datasets::{Part, Sample};
use i2am_imaging::pillow_bilinear_rgb;
use tch::{Kind, Tensor};

use super::PasdConfig;
use crate::{RunnerError, pictures};

/// The low-resolution picture as the networks take it.
#[derive(Debug)]
pub struct LowResolution {
    /// `[1, 3, H, W]` in 0 to 1.
    pub unit: Tensor,
    /// Height and width of the picture that is asked for.
    pub requested: (u32, u32),
}

impl LowResolution {
    /// The reference of `sample`, enlarged in one step by Pillow's bilinear filter. Its sides are multiples of `multiple`, rounded
    /// down.
    ///
    /// # Errors
    /// [`RunnerError::Sample`] for an empty picture.
    pub fn of(sample: &Sample, config: &PasdConfig, multiple: i64) -> Result<Self, RunnerError> {
        let (width, height) = sample.reference.dimensions();
        if width == 0 || height == 0 {
            return Err(RunnerError::Sample {
                sample: sample.id.clone(),
                part: Part::Reference,
                reason: "expected a picture, found one without pixels",
            });
        }
        let least = f64::from(config.least_side);
        let sides = [height, width].map(|side| f64::from(side) * config.upscale);
        let enlarge = (least / sides[0].min(sides[1])).max(1.0);
        let requested = sides.map(|side| side.round().max(1.0) as u32);
        let [rows, columns] = sides.map(|side| {
            let side = (side * enlarge).round() as i64;
            ((side / multiple) * multiple).max(multiple)
        });
        let picture = pillow_bilinear_rgb(&sample.reference, rows as usize, columns as usize);
        Ok(Self {
            unit: pictures::bytes(&picture).to_kind(Kind::Float) / 255.0,
            requested: (requested[0], requested[1]),
        })
    }
}
