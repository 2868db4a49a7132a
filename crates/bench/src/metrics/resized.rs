use i2am_imaging::RgbImage;
use i2am_metrics::{MetricError, Pictures};

use super::Filter;

/// Pictures brought to one height, each in its own ratio of the sides; those that have it already stay as they are.
pub(crate) struct Resized<'a> {
    pub(crate) pictures: &'a dyn Pictures,
    pub(crate) filter: Filter,
    pub(crate) height: u32,
}

impl Pictures for Resized<'_> {
    fn place(&self) -> String {
        self.pictures.place()
    }

    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn load(&self, index: usize) -> Result<RgbImage, MetricError> {
        let picture = self.pictures.load(index)?;
        let (width, height) = picture.dimensions();
        if height == self.height {
            return Ok(picture);
        }
        // Rounded down, as the authors of the protocol `catvton` do.
        let new = u64::from(width) * u64::from(self.height) / u64::from(height);
        let width = (new as usize).max(1);
        Ok(self.filter.resize(&picture, self.height as usize, width))
    }

    fn fingerprint(&self, index: usize) -> Result<String, MetricError> {
        let stored = self.pictures.fingerprint(index)?;
        Ok(format!("{stored} {} {}", self.filter.title(), self.height))
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    struct Two;

    impl Pictures for Two {
        fn place(&self) -> String {
            "two".to_owned()
        }

        fn len(&self) -> usize {
            2
        }

        fn load(&self, index: usize) -> Result<RgbImage, MetricError> {
            let (width, height) = [(15, 20), (7, 10)][index];
            Ok(RgbImage::from_fn(width, height, |x, y| {
                Rgb([x as u8 * 9, y as u8 * 9, 40])
            }))
        }

        fn fingerprint(&self, index: usize) -> Result<String, MetricError> {
            Ok(index.to_string())
        }
    }

    #[test]
    fn pictures_of_another_height_are_resized_and_told_apart() {
        let at = |filter| Resized {
            pictures: &Two,
            filter,
            height: 10,
        };
        let lanczos = at(Filter::PillowLanczos);
        let first = lanczos.load(0).unwrap();
        assert_eq!(first.dimensions(), (7, 10));
        let expected = i2am_imaging::pillow_lanczos_rgb(&Two.load(0).unwrap(), 10, 7);
        assert!(first == expected);
        assert!(first != at(Filter::PillowBicubic).load(0).unwrap());
        assert!(lanczos.load(1).unwrap() == Two.load(1).unwrap());
        let print = |filter| at(filter).fingerprint(0).unwrap();
        assert_ne!(print(Filter::PillowLanczos), print(Filter::PillowBicubic));
        assert_ne!(print(Filter::PillowLanczos), "0");
    }
}
