//! Pictures of the data set, and pictures inside the page.

use i2am_imaging::{GrayImage, RgbImage, encode_jpeg_rgb, pillow_bicubic_gray, pillow_bicubic_rgb};
use serde::Serialize;

use super::encode;
use crate::ReportError;

/// What a model was given, as stored: sizes may differ.
#[derive(Debug, Clone)]
pub struct Pictures {
    /// The picture to inpaint, or to make better.
    pub image: RgbImage,
    /// From 128 on where it is to be repainted; none where everything is generated.
    pub mask: Option<GrayImage>,
    /// What to paint.
    pub reference: RgbImage,
    /// From 128 on where that shows the object.
    pub reference_mask: Option<GrayImage>,
    /// What the result should equal.
    pub ground_truth: Option<RgbImage>,
}

/// The data set of a run.
pub trait PictureSource: Sync {
    /// The pictures of a sample.
    ///
    /// # Errors
    /// Why there are none, in words for the page.
    fn pictures(&self, sample_id: &str) -> Result<Pictures, String>;
}

/// Quality of JPEG pictures: no artefact that could be taken for the model's.
const QUALITY: u8 = 90;

/// A mask as one bit a pixel, row by row, the highest bit first.
#[derive(Debug, Serialize)]
pub(super) struct Bits(pub(super) String);

/// What a picture of `height` x `width` is shown at: at most `most` pixels high.
pub(super) fn shown_size([height, width]: [usize; 2], most: usize) -> [usize; 2] {
    if height <= most {
        return [height, width];
    }
    let scaled = (width as f64 * most as f64 / height as f64).round() as usize;
    [most, scaled.max(1)]
}

/// A picture as a data URL at the size `[height, width]`.
pub(super) fn url(picture: &RgbImage, [height, width]: [usize; 2]) -> Result<String, ReportError> {
    let same = picture.dimensions() == (width as u32, height as u32);
    let bytes = if same {
        encode_jpeg_rgb(picture, QUALITY)?
    } else {
        encode_jpeg_rgb(&pillow_bicubic_rgb(picture, height, width), QUALITY)?
    };
    Ok(format!("data:image/jpeg;base64,{}", encode(&bytes)))
}

/// A mask at the size `[height, width]`, as the models see it: resized like Pillow, cut at the middle.
pub(super) fn bits(mask: &GrayImage, [height, width]: [usize; 2]) -> Bits {
    let resized;
    let mask = if mask.dimensions() == (width as u32, height as u32) {
        mask
    } else {
        resized = pillow_bicubic_gray(mask, height, width);
        &resized
    };
    let mut bytes = vec![0_u8; (height * width).div_ceil(8)];
    for (index, pixel) in mask.pixels().enumerate() {
        if pixel.0[0] >= 128 {
            bytes[index / 8] |= 0x80 >> (index % 8);
        }
    }
    Bits(encode(&bytes))
}

#[cfg(test)]
mod tests {
    use i2am_imaging::GrayImage;

    use super::*;

    #[test]
    fn masks_are_bits_row_by_row() {
        let mask = GrayImage::from_vec(3, 3, vec![255, 0, 0, 0, 128, 0, 0, 127, 255]).unwrap();
        // 1000 1000 1
        assert_eq!(bits(&mask, [3, 3]).0, encode(&[0b1000_1000, 0b1000_0000]));
    }

    #[test]
    fn large_pictures_are_shown_smaller_and_small_ones_as_they_are() {
        assert_eq!(shown_size([512, 384], 256), [256, 192]);
        assert_eq!(shown_size([128, 96], 256), [128, 96]);
        assert_eq!(shown_size([1000, 1], 10), [10, 1]);
    }
}
