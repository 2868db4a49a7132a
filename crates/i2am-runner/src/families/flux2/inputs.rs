//! A sample to what the model is shown.

use i2am_datasets::{Part, Sample};
use i2am_imaging::{GrayImage, RgbImage, pillow_lanczos_gray, pillow_lanczos_rgb};
use i2am_nets::Role;
use tch::Tensor;

use super::{Flux2KleinConfig, INFO, Shown, SourceView};
use crate::families::fitting::{self, Fit};
use crate::{RunnerError, pictures};

/// A sample as the networks take it, f32 on the CPU. Pictures are `[1, 3, H, W]` in `[-1, 1]`.
#[derive(Debug)]
pub struct Flux2KleinInputs {
    /// What each picture is, and the picture, in the order of the model's tokens.
    pub shown: Vec<(Role, Tensor)>,
    /// `[1, 1, H, W]` at the size of the generated picture, 1 to repaint, 0 to keep.
    pub hole: Tensor,
    /// `[1, 1, h, w]` at the size of the first reference, 1 on the object; `None` if it is not known.
    pub reference_mask: Option<Tensor>,
}

impl Flux2KleinInputs {
    /// Prepares `sample` as `config` says.
    ///
    /// # Errors
    /// [`RunnerError::MaskSize`], [`RunnerError::MissingPart`], [`RunnerError::Sample`] for a reference smaller than a token.
    pub fn of(sample: &Sample, config: &Flux2KleinConfig) -> Result<Self, RunnerError> {
        fitting::check_mask(sample)?;
        let [height, width] = config.size.map(|side| side as u32);
        let hole = fitting::lanczos_mask(&sample.mask, Fit::Crop, (height, width));
        let mut shown = Vec::new();
        let mut reference_mask = None;
        let mut references = 0;
        for &image in &config.images {
            if image == Shown::Source {
                shown.push((Role::Source, source(sample, config, &hole)?));
                continue;
            }
            let (picture, part) = match image {
                Shown::Warped => (sample.warped.as_ref(), Part::Warped),
                _ => (Some(&sample.reference), Part::Reference),
            };
            let picture = picture.ok_or_else(|| missing(sample, part))?;
            let area = Area::of(picture.dimensions(), config.reference_area);
            if area.size.0 == 0 || area.size.1 == 0 {
                return Err(RunnerError::Sample {
                    sample: sample.id.clone(),
                    part,
                    reason: "it is smaller than one token of 16x16 pixels",
                });
            }
            let mask = sample.reference_mask.as_ref();
            if let Some(mask) = mask.filter(|_| references == 0 && image == Shown::Reference) {
                reference_mask = Some(fitting::binary(&area.gray(mask)));
            }
            shown.push((
                Role::Reference(references),
                pictures::signed(&area.rgb(picture)),
            ));
            references += 1;
        }
        Ok(Self {
            shown,
            hole,
            reference_mask,
        })
    }

    /// How far each token of the generated picture is repainted, `[1, 1, h, w]`: the mean of the four pixels at its center.
    pub fn token_hole(&self) -> Tensor {
        let size = self.hole.size();
        let side = |pixels: i64| pixels / Flux2KleinConfig::PIXELS_PER_TOKEN;
        let tokens = [side(size[2]), side(size[3])];
        self.hole.upsample_bilinear2d(tokens, false, None, None)
    }
}

fn missing(sample: &Sample, part: Part) -> RunnerError {
    RunnerError::MissingPart {
        sample: sample.id.clone(),
        family: INFO.name,
        part,
    }
}

/// What the model is shown of the image that is edited, of which `hole` is masked.
fn source(
    sample: &Sample,
    config: &Flux2KleinConfig,
    hole: &Tensor,
) -> Result<Tensor, RunnerError> {
    let [height, width] = config.size.map(|side| side as u32);
    let fitted =
        |picture: &RgbImage| pictures::signed(&fitting::rgb(picture, Fit::Crop, (height, width)));
    match config.source {
        SourceView::Masked => Ok(fitted(&sample.image) * (-hole + 1.0)),
        SourceView::Whole => Ok(fitted(&sample.image)),
        SourceView::Agnostic => {
            let agnostic = sample.agnostic.as_ref();
            let agnostic = agnostic.ok_or_else(|| missing(sample, Part::Agnostic))?;
            Ok(fitted(agnostic))
        }
    }
}

/// How a reference comes to a size in whole tokens: it is made smaller if it is too large, and cropped to its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Area {
    /// Height and width after resizing.
    resized: (u32, u32),
    /// And after cropping.
    size: (u32, u32),
}

impl Area {
    /// Of a picture of width and height `from`, which keeps at most `pixels`.
    fn of((width, height): (u32, u32), pixels: i64) -> Self {
        let own = f64::from(width) * f64::from(height);
        let scale = (pixels as f64 / own).sqrt().min(1.0);
        let resized = |side: u32| (f64::from(side) * scale) as u32;
        let whole = |side: u32| side - side % Flux2KleinConfig::PIXELS_PER_TOKEN as u32;
        let resized = (resized(height), resized(width));
        Self {
            resized,
            size: (whole(resized.0), whole(resized.1)),
        }
    }

    fn corner(self) -> (u32, u32) {
        let (resized, size) = (self.resized, self.size);
        ((resized.0 - size.0) / 2, (resized.1 - size.1) / 2)
    }

    fn rgb(self, picture: &RgbImage) -> RgbImage {
        let (height, width) = self.resized;
        let picture = if picture.dimensions() == (width, height) {
            picture.clone()
        } else {
            pillow_lanczos_rgb(picture, height as usize, width as usize)
        };
        let (top, left) = self.corner();
        let pixel = |x, y| *picture.get_pixel(left + x, top + y);
        RgbImage::from_fn(self.size.1, self.size.0, pixel)
    }

    fn gray(self, mask: &GrayImage) -> GrayImage {
        let (height, width) = self.resized;
        let mask = if mask.dimensions() == (width, height) {
            mask.clone()
        } else {
            pillow_lanczos_gray(mask, height as usize, width as usize)
        };
        let (top, left) = self.corner();
        let pixel = |x, y| *mask.get_pixel(left + x, top + y);
        GrayImage::from_fn(self.size.1, self.size.0, pixel)
    }
}

#[cfg(test)]
mod tests {
    use super::Area;

    /// As the published pipeline: nothing is enlarged, and what is no whole token is cropped.
    #[test]
    fn references_come_to_whole_tokens() {
        let area = |width, height| Area::of((width, height), 1024 * 1024);
        let expected = |resized, size| Area { resized, size };
        assert_eq!(area(768, 1024), expected((1024, 768), (1024, 768)));
        assert_eq!(area(75, 100), expected((100, 75), (96, 64)));
        assert_eq!(area(100, 75).corner(), (5, 2));
        assert_eq!(area(1536, 2048), expected((1182, 886), (1168, 880)));
        assert_eq!(area(8, 100).size, (96, 0));
    }
}
