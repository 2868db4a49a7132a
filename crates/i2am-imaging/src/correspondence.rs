//! From where in another picture every pixel comes: the truth that maps of single positions claim to show.

use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageBuffer, ImageEncoder, Rgb};

use crate::ImagingError;
use crate::decode::decode;

/// The level that stands for the far edge of the other picture, and for a known place.
const FULL: u16 = u16::MAX;

/// For every pixel of a picture the place in another picture that it comes from, where that is known.
///
/// # Format
/// A PNG of three channels of 16 bits, as large as the picture. Red is the column and green the row of the place, as fractions of the
/// other picture's width and height: level 0 is its left or top edge, level 65,535 its right or bottom edge. Blue is 65,535 where the
/// place is known, and 0 elsewhere; then red and green are 0, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correspondence {
    height: usize,
    width: usize,
    /// Row and column as levels.
    places: Vec<Option<[u16; 2]>>,
}

impl Correspondence {
    /// Of a picture of `height` x `width` pixels: `place` gives for a row and a column `[row, column]` in the other picture, as
    /// fractions of its height and width. A place outside the other picture counts as unknown.
    pub fn from_fn(
        height: usize,
        width: usize,
        mut place: impl FnMut(usize, usize) -> Option<[f64; 2]>,
    ) -> Self {
        let level = |fraction: f64| {
            let inside = (0.0..1.0).contains(&fraction);
            inside.then(|| (fraction * f64::from(FULL)).round() as u16)
        };
        let mut places = Vec::with_capacity(height * width);
        for row in 0..height {
            for column in 0..width {
                places.push(place(row, column).and_then(|[row, column]| {
                    let (row, column) = (level(row)?, level(column)?);
                    Some([row, column])
                }));
            }
        }
        Self {
            height,
            width,
            places,
        }
    }

    /// Height and width in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// The place `[row, column]` that the pixel at `row`, `column` comes from, as fractions of the other picture's height and width, 0
    /// to 1. None where it is not known, or outside the picture.
    pub fn place(&self, row: usize, column: usize) -> Option<[f64; 2]> {
        if row >= self.height || column >= self.width {
            return None;
        }
        let levels = self.places[row * self.width + column]?;
        Some(levels.map(|level| f64::from(level) / f64::from(FULL)))
    }

    /// The number of pixels whose place is known.
    pub fn known(&self) -> usize {
        self.places.iter().flatten().count()
    }
}

/// The correspondence in the file `path`.
///
/// # Errors
/// As [`read_rgb`](crate::read_rgb); [`ImagingError::NotPlaces`] if the file is not as [`Correspondence`] describes.
pub fn read_correspondence(path: impl AsRef<Path>) -> Result<Correspondence, ImagingError> {
    let path = path.as_ref();
    let not_places = |found: String| ImagingError::NotPlaces {
        path: path.to_path_buf(),
        found,
    };
    let image = match decode(path)? {
        DynamicImage::ImageRgb16(image) => image,
        other => return Err(not_places(format!("{:?}", other.color()))),
    };
    let mut places = Vec::with_capacity(image.width() as usize * image.height() as usize);
    for (x, y, &Rgb([column, row, known])) in image.enumerate_pixels() {
        places.push(match known {
            0 => None,
            FULL => Some([row, column]),
            other => {
                return Err(not_places(format!(
                    "{other} in the blue channel at row {y}, column {x}"
                )));
            }
        });
    }
    Ok(Correspondence {
        height: image.height() as usize,
        width: image.width() as usize,
        places,
    })
}

/// Writes `correspondence` to `path` as PNG, atomically; parent folders are created. The same one always gives the same bytes.
///
/// # Errors
/// [`ImagingError::Encode`] if there is no pixel; [`ImagingError::File`].
pub fn write_correspondence(
    path: impl AsRef<Path>,
    correspondence: &Correspondence,
) -> Result<(), ImagingError> {
    let [height, width] = correspondence.size();
    let image: ImageBuffer<Rgb<u16>, Vec<u16>> =
        ImageBuffer::from_fn(width as u32, height as u32, |x, y| {
            match correspondence.places[y as usize * width + x as usize] {
                Some([row, column]) => Rgb([column, row, FULL]),
                None => Rgb([0; 3]),
            }
        });
    let levels: Vec<u8> = image.iter().flat_map(|level| level.to_ne_bytes()).collect();
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(
            &levels,
            width as u32,
            height as u32,
            ExtendedColorType::Rgb16,
        )
        .map_err(|error| ImagingError::Encode {
            format: "PNG",
            height,
            width,
            reason: error.to_string(),
        })?;
    Ok(i2am_files::write_atomic(path, bytes)?)
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;
    use crate::write_png_rgb;

    /// Known in the left column of 3 x 2 pixels.
    fn example() -> Correspondence {
        Correspondence::from_fn(3, 2, |row, column| {
            (column == 0).then_some([row as f64 / 3.0, 0.25])
        })
    }

    #[test]
    fn a_file_gives_back_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/places.png");
        write_correspondence(&path, &example()).unwrap();
        let read = read_correspondence(&path).unwrap();
        assert_eq!(read, example());
        assert_eq!((read.size(), read.known()), ([3, 2], 3));
        let [row, column] = read.place(2, 0).unwrap();
        assert!((row - 2.0 / 3.0).abs() < 1e-5 && (column - 0.25).abs() < 1e-5);
        assert_eq!(read.place(2, 1), None);
        assert_eq!(read.place(0, 2), None, "outside");
        assert_eq!(read.place(3, 0), None, "outside");
    }

    #[test]
    fn the_channels_are_column_row_and_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("places.png");
        let one = Correspondence::from_fn(1, 2, |_, column| (column == 1).then_some([0.0, 0.5]));
        write_correspondence(&path, &one).unwrap();
        let DynamicImage::ImageRgb16(image) = decode(&path).unwrap() else {
            panic!("16 bits a channel");
        };
        assert_eq!(image.into_raw(), [0, 0, 0, 32_768, 0, 65_535]);
    }

    #[test]
    fn places_outside_the_other_picture_are_unknown() {
        let outside = [[1.0, 0.5], [-0.1, 0.5], [0.5, f64::NAN]];
        let all = Correspondence::from_fn(1, 3, |_, column| Some(outside[column]));
        assert_eq!(all.known(), 0);
    }

    #[test]
    fn other_pictures_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("places.png");
        write_png_rgb(&path, &RgbImage::new(2, 2)).unwrap();
        let error = read_correspondence(&path).unwrap_err().to_string();
        assert!(
            error.contains("places.png: expected") && error.contains("Rgb8"),
            "{error}"
        );
        let half: ImageBuffer<Rgb<u16>, Vec<u16>> = ImageBuffer::from_pixel(2, 2, Rgb([1, 2, 3]));
        half.save(&path).unwrap();
        let error = read_correspondence(&path).unwrap_err().to_string();
        assert!(
            error.contains("3 in the blue channel at row 0, column 0"),
            "{error}"
        );
    }
}
