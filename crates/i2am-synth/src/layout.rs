//! The files of one sample in VITON-HD's own layout, so that the reader of the published data reads them.

use std::path::{Path, PathBuf};

use i2am_files::write_atomic;
use i2am_imaging::{
    GrayImage, ImagingError, RgbImage, write_correspondence, write_jpeg_rgb, write_png_gray,
    write_png_labels,
};
use image::DynamicImage;

use super::parse_map::PALETTE;
use super::{SynthError, SynthFurther, SynthSample, SynthSet, dice, render, render_further};

/// Of the JPEG files, 0 to 100.
const JPEG_QUALITY: u8 = 95;

/// Writes all pictures of sample `index` of `set`.
pub(super) fn write_sample(set: &SynthSet, dir: &Path, index: usize) -> Result<(), SynthError> {
    let SynthSet {
        seed,
        count,
        height,
        width,
    } = *set;
    let files = Files {
        test: &dir.join("test"),
        stem: &file_stem(index),
    };
    files.write_sample(&render(seed, index as u64, height, width))?;
    let further =
        |garment: usize| render_further(seed, index as u64, garment as u64, height, width);
    let paired = further(index);
    files.write_further(&paired)?;
    files.write_warped(["cloth-warp", "cloth-warp-mask"], &paired)?;
    files.write_correspondence("correspondence", &paired)?;
    let unpaired = further((index + pair_shift(seed, count)) % count);
    files.write_warped(
        ["unpaired-cloth-warp", "unpaired-cloth-warp-mask"],
        &unpaired,
    )?;
    files.write_correspondence("unpaired-correspondence", &unpaired)
}

/// Writes the list of persons and garments.
pub(super) fn write_pairs(set: &SynthSet, dir: &Path) -> Result<(), SynthError> {
    let lines = pairs(set.count, pair_shift(set.seed, set.count));
    Ok(write_atomic(dir.join("test_pairs.txt"), lines)?)
}

/// Published names look like `00273_00`.
fn file_stem(index: usize) -> String {
    format!("{index:05}_00")
}

/// How far along the list the garment is that a person gets unpaired: 1 to `count - 1`, or 0 for a single sample.
fn pair_shift(seed: u64, count: usize) -> usize {
    match count {
        1 => 0,
        _ => 1 + dice(seed, 0, "pairs").below(count - 1),
    }
}

fn pairs(count: usize, shift: usize) -> String {
    let line = |person: usize| {
        let cloth = (person + shift) % count;
        format!("{}.jpg {}.jpg\n", file_stem(person), file_stem(cloth))
    };
    (0..count).map(line).collect::<Vec<_>>().concat()
}

/// The files of one sample.
struct Files<'a> {
    test: &'a Path,
    stem: &'a str,
}

impl Files<'_> {
    fn place(&self, folder: &str, ending: &str) -> PathBuf {
        self.test
            .join(folder)
            .join(format!("{}{ending}", self.stem))
    }

    fn jpeg(&self, folder: &str, picture: &RgbImage) -> Result<(), SynthError> {
        written(write_jpeg_rgb(
            self.place(folder, ".jpg"),
            picture,
            JPEG_QUALITY,
        ))
    }

    fn write_sample(&self, sample: &SynthSample) -> Result<(), SynthError> {
        self.jpeg("image", &sample.person)?;
        self.jpeg("cloth", &sample.garment)?;
        self.jpeg("cloth-mask", &gray_rgb(&sample.garment_mask))?;
        self.jpeg("agnostic-v3.2", &sample.agnostic)?;
        self.jpeg("image-densepose", &sample.densepose)?;
        let mask = self.place("agnostic-mask", "_mask.png");
        written(write_png_gray(mask, &sample.agnostic_mask))
    }

    fn write_further(&self, further: &SynthFurther) -> Result<(), SynthError> {
        for (folder, labels) in [
            ("image-parse-v3", &further.parse),
            ("image-parse-agnostic-v3.2", &further.agnostic_parse),
        ] {
            written(write_png_labels(
                self.place(folder, ".png"),
                labels,
                &PALETTE,
            ))?;
        }
        let joints = self.place("openpose_json", "_keypoints.json");
        Ok(write_atomic(joints, further.pose.to_json())?)
    }

    fn write_warped(&self, folders: [&str; 2], further: &SynthFurther) -> Result<(), SynthError> {
        self.jpeg(folders[0], &further.warped)?;
        self.jpeg(folders[1], &gray_rgb(&further.warped_mask))
    }

    fn write_correspondence(&self, folder: &str, further: &SynthFurther) -> Result<(), SynthError> {
        let place = self.place(folder, ".png");
        written(write_correspondence(place, &further.correspondence))
    }
}

pub(super) fn written(result: Result<(), ImagingError>) -> Result<(), SynthError> {
    result.map_err(|cause| SynthError::Picture(Box::new(cause)))
}

fn gray_rgb(mask: &GrayImage) -> RgbImage {
    DynamicImage::ImageLuma8(mask.clone()).into_rgb8()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpaired_partners_are_a_permutation_without_fixed_points() {
        for (seed, count) in [(1, 1), (1, 2), (2, 3), (5, 40)] {
            let text = pairs(count, pair_shift(seed, count));
            let lines: Vec<(&str, &str)> =
                text.lines().map(|l| l.split_once(' ').unwrap()).collect();
            assert_eq!(lines.len(), count);
            assert!(lines.windows(2).all(|two| two[0].0 < two[1].0));
            assert!(count == 1 || lines.iter().all(|(person, cloth)| person != cloth));
            let mut cloths: Vec<_> = lines.iter().map(|line| line.1).collect();
            cloths.sort_unstable();
            assert!(lines.iter().map(|line| line.0).eq(cloths));
        }
    }
}
