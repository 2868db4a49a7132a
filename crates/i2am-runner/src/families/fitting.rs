//! How pictures of any size come to the size of the networks, and the pixels of the person back into the result, in the arithmetic of
//! `CatVTON` and Leffa.

use i2am_datasets::Sample;
use i2am_imaging::{
    GrayImage, RgbImage, pillow_gaussian_blur, pillow_lanczos_gray, pillow_lanczos_rgb,
    pillow_nearest_gray,
};
use tch::{Kind, Tensor};

use crate::{RunnerError, pictures};

/// How a picture comes to another size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Stretched.
    Stretch,
    /// Its middle, of the wanted proportions.
    Crop,
    /// All of it in the middle of a larger one.
    Pad,
}

/// Height and width in pixels.
pub(super) type Size = (u32, u32);

/// A rectangle: its top left corner by row and column, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Area {
    corner: Size,
    size: Size,
}

/// The largest area of a picture of size `from` that has the proportions of `to`, in its middle.
fn middle((height, width): Size, (to_height, to_width): Size) -> Area {
    let is_narrower =
        u64::from(width) * u64::from(to_height) < u64::from(to_width) * u64::from(height);
    let size = if is_narrower {
        (scaled(width, to_height, to_width), width)
    } else {
        (height, scaled(height, to_width, to_height))
    };
    Area {
        corner: ((height - size.0) / 2, (width - size.1) / 2),
        size,
    }
}

/// Where a picture of size `from` lies in the middle of one of size `to` that it fills along one side.
fn inside((height, width): Size, (to_height, to_width): Size) -> Area {
    let is_narrower =
        u64::from(width) * u64::from(to_height) < u64::from(to_width) * u64::from(height);
    let size = if is_narrower {
        (to_height, scaled(width, to_height, height))
    } else {
        (scaled(height, to_width, width), to_width)
    };
    Area {
        corner: ((to_height - size.0) / 2, (to_width - size.1) / 2),
        size,
    }
}

/// `length * by / of`, rounded down, and at least one pixel.
fn scaled(length: u32, by: u32, of: u32) -> u32 {
    ((u64::from(length) * u64::from(by) / u64::from(of)) as u32).max(1)
}

fn size_of((width, height): (u32, u32)) -> Size {
    (height, width)
}

/// The `picture` at the size `to`; what is added is white.
pub(super) fn rgb(picture: &RgbImage, fit: Fit, to: Size) -> RgbImage {
    let resize = |picture: &RgbImage, size: Size| {
        if size_of(picture.dimensions()) == size {
            return picture.clone();
        }
        pillow_lanczos_rgb(picture, size.0 as usize, size.1 as usize)
    };
    let from = size_of(picture.dimensions());
    match fit {
        Fit::Stretch => resize(picture, to),
        Fit::Crop => {
            let Area { corner, size } = middle(from, to);
            let middle = RgbImage::from_fn(size.1, size.0, |x, y| {
                *picture.get_pixel(corner.1 + x, corner.0 + y)
            });
            resize(&middle, to)
        }
        Fit::Pad => {
            let Area { corner, size } = inside(from, to);
            let mut padded = RgbImage::from_pixel(to.1, to.0, [255; 3].into());
            for (x, y, pixel) in resize(picture, size).enumerate_pixels() {
                padded.put_pixel(corner.1 + x, corner.0 + y, *pixel);
            }
            padded
        }
    }
}

/// The `mask` at the size `to` by `resize`, which is given height and width; what is added is black.
pub(super) fn mask(
    mask: &GrayImage,
    fit: Fit,
    to: Size,
    resize: fn(&GrayImage, usize, usize) -> GrayImage,
) -> GrayImage {
    let resize = |mask: &GrayImage, size: Size| {
        if size_of(mask.dimensions()) == size {
            return mask.clone();
        }
        resize(mask, size.0 as usize, size.1 as usize)
    };
    let from = size_of(mask.dimensions());
    match fit {
        Fit::Stretch => resize(mask, to),
        Fit::Crop => {
            let Area { corner, size } = middle(from, to);
            let middle = GrayImage::from_fn(size.1, size.0, |x, y| {
                *mask.get_pixel(corner.1 + x, corner.0 + y)
            });
            resize(&middle, to)
        }
        Fit::Pad => {
            let Area { corner, size } = inside(from, to);
            let mut padded = GrayImage::new(to.1, to.0);
            for (x, y, pixel) in resize(mask, size).enumerate_pixels() {
                padded.put_pixel(corner.1 + x, corner.0 + y, *pixel);
            }
            padded
        }
    }
}

/// `[1, 1, H, W]` f32, 1 where the `mask` is at least one half.
pub(super) fn binary(mask: &GrayImage) -> Tensor {
    pictures::unit(mask).ge(0.5).to_kind(Kind::Float)
}

/// The `mask` of a sample, `[1, 1, H, W]` at the size `to`.
pub(super) fn lanczos_mask(image: &GrayImage, fit: Fit, to: Size) -> Tensor {
    binary(&mask(image, fit, to, pillow_lanczos_gray))
}

/// Whether image and mask of `sample` are of one size.
///
/// # Errors
/// [`RunnerError::MaskSize`].
pub(super) fn check_mask(sample: &Sample) -> Result<(), RunnerError> {
    let expected = size_of(sample.image.dimensions());
    let found = size_of(sample.mask.dimensions());
    if expected == found {
        return Ok(());
    }
    Err(RunnerError::MaskSize {
        sample: sample.id.clone(),
        expected,
        found,
    })
}

/// The person's own pixels outside the masked region, which a generated image is put into.
#[derive(Debug)]
pub(super) struct Surroundings {
    person: RgbImage,
    /// How much of a generated pixel is taken, of 255.
    taken: GrayImage,
}

impl Surroundings {
    /// Of `sample` at the size `to`. The edge of the mask is blurred over `height / part` pixels, made odd.
    pub(super) fn of(sample: &Sample, fit: Fit, to: Size, part: u32) -> Self {
        let radius = (to.0 / part) | 1;
        let hole = mask(&sample.mask, fit, to, pillow_nearest_gray);
        Self {
            person: rgb(&sample.image, fit, to),
            taken: pillow_gaussian_blur(&hole, f64::from(radius)),
        }
    }

    /// The `generated` image within the masked region, the person outside; truncated to bytes.
    pub(super) fn around(&self, generated: &RgbImage) -> RgbImage {
        let (width, height) = generated.dimensions();
        RgbImage::from_fn(width, height, |x, y| {
            let taken = f64::from(self.taken.get_pixel(x, y).0[0]) / 255.0;
            let (own, new) = (self.person.get_pixel(x, y).0, generated.get_pixel(x, y).0);
            let mixed =
                |c: usize| (f64::from(own[c]) * (1.0 - taken) + f64::from(new[c]) * taken) as u8;
            [0, 1, 2].map(mixed).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Area, Fit, inside, mask, middle, rgb};
    use i2am_imaging::{GrayImage, RgbImage, pillow_lanczos_gray};

    /// A picture of 4 : 3 for a model of 4 : 3 loses nothing; others lose or gain at both ends alike, half a pixel rounded down.
    #[test]
    fn areas_are_in_the_middle() {
        let area = |corner, size| Area { corner, size };
        assert_eq!(middle((1024, 768), (512, 384)), area((0, 0), (1024, 768)));
        assert_eq!(
            middle((1000, 1000), (512, 384)),
            area((0, 125), (1000, 750))
        );
        assert_eq!(middle((101, 30), (512, 384)), area((30, 0), (40, 30)));
        assert_eq!(inside((1024, 768), (512, 384)), area((0, 0), (512, 384)));
        assert_eq!(inside((1000, 1000), (512, 384)), area((64, 0), (384, 384)));
        assert_eq!(inside((1000, 301), (512, 384)), area((0, 115), (512, 154)));
    }

    #[test]
    fn padding_is_white_and_not_masked() {
        let picture = RgbImage::from_pixel(10, 10, [7; 3].into());
        let padded = rgb(&picture, Fit::Pad, (8, 4));
        let column: Vec<u8> = (0..8).map(|y| padded.get_pixel(0, y).0[0]).collect();
        assert_eq!(column, [255, 255, 7, 7, 7, 7, 255, 255]);
        let whole = GrayImage::from_pixel(10, 10, [255].into());
        let padded = mask(&whole, Fit::Pad, (8, 4), pillow_lanczos_gray);
        let column: Vec<u8> = (0..8).map(|y| padded.get_pixel(0, y).0[0]).collect();
        assert_eq!(column, [0, 0, 255, 255, 255, 255, 0, 0]);
    }

    #[test]
    fn cropping_keeps_the_middle() {
        let picture = RgbImage::from_fn(12, 4, |x, _| [x as u8; 3].into());
        let cropped = rgb(&picture, Fit::Crop, (4, 4));
        let row: Vec<u8> = (0..4).map(|x| cropped.get_pixel(x, 0).0[0]).collect();
        assert_eq!(row, [4, 5, 6, 7]);
    }
}
