//! The levels of a picture at the depth that it was stored with.

use std::path::Path;

use image::DynamicImage;

use crate::decode::{decode, luma};
use crate::mask::percent;
use crate::{ImagingError, Plane};

/// Levels by which the channels of a gray pixel may differ in a JPEG.
const GRAY: u8 = 16;
/// Share of the pixels that may differ by more.
const FEW: f64 = 0.01;

/// The values of the picture in the file `path`, black 0 and white 1, at the depth that it was stored with.
///
/// # Errors
/// As [`read_rgb`](crate::read_rgb); [`ImagingError::NotValues`] if it shows colors: a color map cannot be turned back into values.
pub fn read_values(path: impl AsRef<Path>) -> Result<Plane, ImagingError> {
    let path = path.as_ref();
    let picture = decode(path)?;
    if picture.color().has_color() {
        let colors = picture.to_rgb8();
        let spread = |[r, g, b]: [u8; 3]| r.max(g).max(b) - r.min(g).min(b);
        let colored = colors.pixels().filter(|pixel| spread(pixel.0) > GRAY);
        let share = colored.count() as f64 / colors.pixels().len().max(1) as f64;
        if share > FEW {
            return Err(ImagingError::NotValues {
                path: path.to_path_buf(),
                share: percent(share),
            });
        }
    }
    let Channels {
        size: (width, height),
        white,
        gray,
        ..
    } = Channels::of(picture);
    let values = gray
        .iter()
        .map(|&level| f32::from(level) / f32::from(white))
        .collect();
    Plane::new(height as usize, width as usize, values)
}

/// The levels of a picture: gray, or the luma of its colors, and of its alpha channel.
pub(crate) struct Channels {
    pub(crate) size: (u32, u32),
    /// The level of white.
    pub(crate) white: u16,
    pub(crate) gray: Vec<u16>,
    pub(crate) alpha: Option<Vec<u16>>,
}

impl Channels {
    pub(crate) fn of(picture: DynamicImage) -> Self {
        let size = (picture.width(), picture.height());
        let has_alpha = picture.color().has_alpha();
        let (white, levels) = match picture {
            DynamicImage::ImageLuma8(image) => (255, wide(image.as_raw())),
            DynamicImage::ImageLumaA8(image) => (255, wide(image.as_raw())),
            DynamicImage::ImageRgb8(image) => (255, gray_of(&wide(image.as_raw()), 3)),
            DynamicImage::ImageRgba8(image) => (255, gray_of(&wide(image.as_raw()), 4)),
            DynamicImage::ImageLuma16(image) => (u16::MAX, image.into_raw()),
            DynamicImage::ImageLumaA16(image) => (u16::MAX, image.into_raw()),
            DynamicImage::ImageRgb16(image) => (u16::MAX, gray_of(image.as_raw(), 3)),
            DynamicImage::ImageRgba16(image) => (u16::MAX, gray_of(image.as_raw(), 4)),
            other => (255, wide(other.into_luma8().as_raw())),
        };
        let (gray, alpha) = if has_alpha {
            let of = |channel: usize| levels.iter().skip(channel).step_by(2).copied().collect();
            (of(0), Some(of(1)))
        } else {
            (levels, None)
        };
        Self {
            size,
            white,
            gray,
            alpha,
        }
    }
}

fn wide(levels: &[u8]) -> Vec<u16> {
    levels.iter().copied().map(u16::from).collect()
}

/// Luma of colors, followed by their alpha level if there are four `channels`.
fn gray_of(levels: &[u16], channels: usize) -> Vec<u16> {
    let pixel = |pixel: &[u16]| {
        let luma = luma([pixel[0], pixel[1], pixel[2]].map(u32::from)) as u16;
        [Some(luma), pixel.get(3).copied()].into_iter().flatten()
    };
    levels.chunks_exact(channels).flat_map(pixel).collect()
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Luma, Rgb};

    use super::*;
    use crate::ColorMap;

    fn saved(picture: &DynamicImage) -> Result<Plane, ImagingError> {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("map.png");
        picture.save(&path).unwrap();
        read_values(path)
    }

    #[test]
    fn every_bit_of_a_value_counts() {
        let wide = ImageBuffer::from_fn(2, 1, |x, _| Luma([[0_u16, 257][x as usize]]));
        let values = saved(&DynamicImage::ImageLuma16(wide)).unwrap();
        assert_eq!(values.data(), [0.0, 257.0 / 65_535.0]);
        let gray = ImageBuffer::from_fn(3, 1, |x, _| Rgb([[0_u8, 51, 255][x as usize]; 3]));
        let values = saved(&DynamicImage::ImageRgb8(gray)).unwrap();
        assert_eq!(values.data(), [0.0, 0.2, 1.0]);
    }

    #[test]
    fn no_color_map_is_taken_for_values() {
        for map in ColorMap::ALL {
            let colors = ImageBuffer::from_fn(64, 64, |x, y| Rgb(map.rgb((x * y) as f32 / 4096.0)));
            let error = saved(&DynamicImage::ImageRgb8(colors))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("map.png: expected a gray picture"),
                "{error}"
            );
        }
    }
}
