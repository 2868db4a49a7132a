//! A sample of a try-on data set to what DCI-VTON reads: masked region, composite with the warped garment, crop of the reference. All
//! resizes are those of the published reader, because each of them moves the generated image.

use i2am_datasets::{Part, Sample};
use i2am_imaging::{GrayImage, RgbImage, pillow_bilinear_rgb, pillow_nearest_gray};
use tch::{Device, Kind, Tensor};

use super::{DataVersion, INFO, hole};
use crate::noise::NoiseSource;
use crate::{RunnerError, pictures};

/// What hides the masked region in the agnostic picture.
const GREY: [u8; 3] = [128; 3];

/// The published range of the reference crop's enlargement.
const ENLARGEMENT: [f64; 2] = [0.1, 0.2];

/// The enlargement of a sample's crop, uniform over the published range.
pub(super) fn drawn_enlargement(noise: &NoiseSource) -> Result<f64, RunnerError> {
    let [low, high] = ENLARGEMENT;
    Ok(low + (high - low) * noise.uniform("crop_enlargement")?)
}

/// A sample as the networks take it, f32 on the CPU. `H` by `W` is the size that they work at.
#[derive(Debug)]
pub struct DciVtonInputs {
    /// `[1, 3, H, W]` in `[-1, 1]`: the person.
    pub person: Tensor,
    /// `[1, 1, H, W]`, 1 to keep, 0 to repaint.
    pub keep: Tensor,
    /// `[1, 3, H, W]`: what the UNet reads of the surroundings: the composite, with hands where they show.
    pub inpaint_image: Tensor,
    /// `[1, 3, H, W]`: the warped garment in the masked region; sampling starts from it.
    pub composite: Tensor,
    /// `[1, 3, h, w]` in `[0, 1]`: the reference around its garment.
    pub crop: Tensor,
}

impl DciVtonInputs {
    /// Prepares `sample` for networks that work at `(height, width)`, with the garment's box enlarged by `enlargement`.
    ///
    /// # Errors
    /// [`RunnerError::MissingPart`] for a part that the sample lacks, [`RunnerError::Sample`] for joints without hips or a reference
    /// without a garment.
    pub fn of(
        sample: &Sample,
        data: DataVersion,
        (height, width): (i64, i64),
        enlargement: f64,
    ) -> Result<Self, RunnerError> {
        let (height, width) = (height as usize, width as usize);
        let colors =
            |picture: &RgbImage| pictures::signed(&pillow_bilinear_rgb(picture, height, width));
        let nearest = |mask: &GrayImage| pillow_nearest_gray(mask, height, width);
        let parse = part(sample, Part::Parse, sample.parse.as_ref())?;
        let pose = part(sample, Part::Pose, sample.pose.as_ref())?;
        let painted = hole::of_joints(pose, parse).map_err(|reason| RunnerError::Sample {
            sample: sample.id.clone(),
            part: Part::Pose,
            reason,
        })?;
        let person = colors(&sample.image);
        let agnostic = colors(&greyed(&sample.image, &painted));
        let warped = colors(part(sample, Part::Warped, sample.warped.as_ref())?)
            * pictures::unit(&nearest(part(
                sample,
                Part::WarpedMask,
                sample.warped_mask.as_ref(),
            )?));
        let hole = match data {
            DataVersion::V1 => hole::of_parse(&nearest(parse)),
            DataVersion::V2 => nearest(&painted),
        };
        let hole = pictures::unit(&hole);
        let keep = -&hole + 1.0;
        let (composite, inpaint_image) = match data {
            DataVersion::V1 => {
                let hands = part(sample, Part::AgnosticParse, sample.agnostic_parse.as_ref())?;
                let hands = pictures::unit(&hole::hands(&nearest(hands)));
                let composite = warped * (-&keep + 1.0) + &person * &keep;
                let inpaint = &composite * (-&hands + 1.0) + agnostic * hands;
                (composite, inpaint)
            }
            DataVersion::V2 => {
                // The gray of the masked region is nearly 0, so the garment is added to it.
                let composite = agnostic + warped * (-&keep + 1.0);
                (composite.shallow_clone(), composite)
            }
        };
        let reference_mask = part(sample, Part::ReferenceMask, sample.reference_mask.as_ref())?;
        let bounds = Bounds::of(&nearest(reference_mask), enlargement).ok_or_else(|| {
            RunnerError::Sample {
                sample: sample.id.clone(),
                part: Part::ReferenceMask,
                reason: "it shows no garment to crop to",
            }
        })?;
        Ok(Self {
            person,
            keep,
            inpaint_image,
            composite,
            crop: bounds.cut(&((colors(&sample.reference) + 1.0) / 2.0)),
        })
    }

    /// [`Self::keep`] at a latent `factor` times smaller, fractional at edges: `[1, 1, h, w]`.
    pub fn latent_keep(&self, factor: i64) -> Tensor {
        let size = self.keep.size();
        bilinear(&self.keep, (size[2] / factor, size[3] / factor))
    }

    /// The reference as CLIP takes it, `[1, 3, side, side]`.
    pub fn clip(&self, side: i64) -> Tensor {
        pictures::clip_normalise_unit(&bilinear(&self.crop, (side, side)))
    }

    /// The picture to save of a decoded one, `[1, 3, height, width]` in `[0, 1]`: the known pixels pasted back if `paste_back`, and
    /// unsquashed to `output`.
    pub fn finish(&self, decoded: &Tensor, paste_back: bool, output: (i64, i64)) -> Tensor {
        let unit = |x: &Tensor| ((x + 1.0) / 2.0).clamp(0.0, 1.0);
        let generated = unit(&decoded.to_device(Device::Cpu).to_kind(Kind::Float));
        let whole = if paste_back {
            generated * (-&self.keep + 1.0) + &self.keep * unit(&self.person)
        } else {
            generated
        };
        bilinear(&whole, output)
    }
}

/// Torch's bilinear resize without antialias, as the tensor resizes of the published code.
fn bilinear(x: &Tensor, (height, width): (i64, i64)) -> Tensor {
    x.upsample_bilinear2d([height, width], false, None, None)
}

fn part<'a, T>(sample: &Sample, part: Part, found: Option<&'a T>) -> Result<&'a T, RunnerError> {
    found.ok_or_else(|| RunnerError::MissingPart {
        sample: sample.id.clone(),
        family: INFO.name,
        part,
    })
}

fn greyed(picture: &RgbImage, hole: &GrayImage) -> RgbImage {
    let mut greyed = picture.clone();
    for (pixel, hole) in greyed.pixels_mut().zip(hole.iter()) {
        if *hole > 0 {
            pixel.0 = GREY;
        }
    }
    greyed
}

/// Rows and columns of a crop, ends excluded.
#[derive(Debug, PartialEq, Eq)]
struct Bounds {
    rows: [i64; 2],
    columns: [i64; 2],
}

impl Bounds {
    /// The box around what is set in `mask`, larger by the share `enlargement` around its center and cut at the picture's edges. None
    /// if nothing is set.
    fn of(mask: &GrayImage, enlargement: f64) -> Option<Self> {
        let set = || mask.enumerate_pixels().filter(|(.., pixel)| pixel.0[0] > 0);
        let along = |places: &mut dyn Iterator<Item = u32>, end: u32| {
            let (low, high) = places.fold(None, |found: Option<(u32, u32)>, place| {
                let (low, high) = found.unwrap_or((place, place));
                Some((low.min(place), high.max(place)))
            })?;
            // The center is a whole pixel.
            let shift = f64::from(u32::midpoint(low, high)) * enlargement;
            let grown = |place: u32| f64::from(place) * (1.0 + enlargement) - shift;
            let first = grown(low).max(0.0);
            let past = (grown(high) + 1.0).min(f64::from(end));
            Some([first as i64, past as i64])
        };
        Some(Self {
            rows: along(&mut set().map(|(_, y, _)| y), mask.height())?,
            columns: along(&mut set().map(|(x, ..)| x), mask.width())?,
        })
    }

    fn cut(&self, picture: &Tensor) -> Tensor {
        let [top, bottom] = self.rows;
        let [left, right] = self.columns;
        picture
            .narrow(2, top, bottom - top)
            .narrow(3, left, right - left)
            .contiguous()
    }
}

#[cfg(test)]
mod tests {
    use i2am_imaging::GrayImage;

    use super::Bounds;

    #[test]
    fn boxes_grow_around_their_center_and_stop_at_the_edge() {
        // Rows 10 to 30, columns 2 to 7 of 40 x 12.
        let mask = GrayImage::from_fn(12, 40, |x, y| {
            let inside = (10..=30).contains(&y) && (2..=7).contains(&x);
            [if inside { 255 } else { 0 }].into()
        });
        let bounds = |factor| Bounds::of(&mask, factor).map(|b| (b.rows, b.columns));
        assert_eq!(bounds(0.0), Some(([10, 31], [2, 8])));
        // 10 * 1.2 - 20 * 0.2 = 8; 30 * 1.2 - 4 + 1 = 33; 2 * 1.2 - 4 * 0.2 = 1.6; 7 * 1.2 - 0.8 + 1 = 8.6.
        assert_eq!(bounds(0.2), Some(([8, 33], [1, 8])));
        assert_eq!(bounds(5.0), Some(([0, 40], [0, 12])));
        assert_eq!(Bounds::of(&GrayImage::new(3, 3), 0.1), None);
    }
}
