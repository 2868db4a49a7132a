//! The synthetic set as files: VITON-HD's own layout, so that the real reader reads it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use i2am_files::{create_dir, read, sorted_entries, write_atomic};
use i2am_imaging::{
    GrayImage, ImagingError, RgbImage, write_jpeg_rgb, write_png_gray, write_png_labels,
    write_png_rgb,
};
use image::DynamicImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::parse_map::PALETTE;
use super::{NAME, SynthFurther, SynthSample, VERSION, render, render_further};
use crate::dice::Dice;
use crate::viton_hd::{VitonHd, VitonHdConfig, test_split};
use crate::{DatasetError, Pairing};

/// The file that says what a folder holds and whether it is complete.
pub const MARKER: &str = "synth.json";

/// Of the JPEG files, 0 to 100.
const JPEG_QUALITY: u8 = 95;

/// Sample numbers have five digits, so that names sort like numbers.
const MOST_SAMPLES: usize = 100_000;
const SIDES: [usize; 2] = [16, 4096];

/// The table `[dataset]` of a config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SynthConfig {
    /// Seed of the set.
    pub seed: u64,
    /// Number of samples.
    pub count: usize,
    /// Height of every picture in pixels.
    pub height: usize,
    /// Width of every picture in pixels; the drawing is laid out for three quarters of the height.
    pub width: usize,
    /// Where the files go; by default a folder of their own among the generated ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// Paired (default) or unpaired.
    #[serde(default)]
    pub pairing: Pairing,
    /// Keep only the first samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl SynthConfig {
    /// Takes relative paths as relative to the folder `base`, that of the config file.
    pub fn resolve(&mut self, base: &Path) {
        if let Some(root) = &mut self.root {
            *root = base.join(&*root);
        }
    }

    /// Where the files are: the set's `root`, or a folder under `generated` whose name says what it holds.
    pub fn folder(&self, generated: &Path) -> PathBuf {
        let Self {
            seed,
            count,
            height,
            width,
            ..
        } = self;
        let own = || {
            generated.join(format!(
                "synth-v{VERSION}-seed{seed}-{count}x{height}x{width}"
            ))
        };
        self.root.clone().unwrap_or_else(own)
    }

    /// Draws the set unless it is there already, and reads it like any VITON-HD folder.
    ///
    /// # Errors
    /// Those of [`write_viton_hd`] and [`VitonHd::open`].
    pub fn open(
        &self,
        generated: &Path,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<VitonHd, DatasetError> {
        let root = self.folder(generated);
        write_viton_hd(
            &root,
            self.seed,
            self.count,
            self.height,
            self.width,
            progress,
        )?;
        let layout = VitonHdConfig {
            root,
            split: test_split(),
            pairing: self.pairing,
            limit: self.limit,
        };
        VitonHd::open_as(NAME, &layout)
    }
}

/// The content of [`MARKER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    version: u32,
    seed: u64,
    count: usize,
    height: usize,
    width: usize,
    /// Written false before the first picture and true after the last.
    complete: bool,
}

impl Marker {
    /// A complete set.
    ///
    /// # Errors
    /// [`DatasetError::SynthRange`].
    fn of(seed: u64, count: usize, height: usize, width: usize) -> Result<Self, DatasetError> {
        let ranges = [
            ("a count", 1, MOST_SAMPLES, count),
            ("a height", SIDES[0], SIDES[1], height),
            ("a width", SIDES[0], SIDES[1], width),
        ];
        for (name, low, high, found) in ranges {
            if !(low..=high).contains(&found) {
                return Err(DatasetError::SynthRange {
                    name,
                    low,
                    high,
                    found,
                });
            }
        }
        Ok(Self {
            version: VERSION,
            seed,
            count,
            height,
            width,
            complete: true,
        })
    }

    /// Writes every sample by `sample` and then what `list` writes, unless `dir` holds this set already.
    fn write_set(
        self,
        dir: &Path,
        progress: &(dyn Fn(usize) + Sync),
        sample: &(dyn Fn(usize) -> Result<(), DatasetError> + Sync),
        list: &dyn Fn() -> Result<(), DatasetError>,
    ) -> Result<(), DatasetError> {
        if found_complete(dir, self)? {
            return Ok(());
        }
        Self {
            complete: false,
            ..self
        }
        .write(dir)?;
        let done = AtomicUsize::new(0);
        let results: Vec<Result<(), DatasetError>> = (0..self.count)
            .into_par_iter()
            .map(|index| {
                sample(index)?;
                progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                Ok(())
            })
            .collect();
        results.into_iter().collect::<Result<(), _>>()?;
        list()?;
        self.write(dir)
    }

    /// The set in words, for messages.
    fn describe(&self) -> String {
        let Self {
            version,
            seed,
            count,
            height,
            width,
            ..
        } = self;
        format!("of seed {seed}, {count} samples, {height} x {width}, version {version}")
    }

    fn write(&self, dir: &Path) -> Result<(), DatasetError> {
        let mut text = serde_json::to_string_pretty(self).expect("plain numbers always serialise");
        text.push('\n');
        Ok(write_atomic(dir.join(MARKER), text)?)
    }
}

/// Writes samples `0..count` of the set `seed` into `dir`, in the layout that [`crate::viton_hd`] describes.
///
/// A complete set of the same seed, count, size and [`VERSION`] is left alone; an interrupted one is written anew. Masks of
/// persons and parse maps are PNG, all other pictures JPEG of quality 95, as published. In `test_pairs.txt` the second column is a permutation without
/// fixed points (for one sample: the same cloth). `progress` is told, from several threads, how many samples are written so
/// far.
///
/// # Errors
/// [`DatasetError::SynthRange`]; [`DatasetError::NotSynthetic`] and [`DatasetError::OtherSynthetic`] if the folder holds
/// something else, which is never overwritten; [`DatasetError::File`] and [`DatasetError::WritePicture`] if
/// writing fails.
pub fn write_viton_hd(
    dir: &Path,
    seed: u64,
    count: usize,
    height: usize,
    width: usize,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(), DatasetError> {
    let wanted = Marker::of(seed, count, height, width)?;
    let test = dir.join("test");
    let shift = pair_shift(seed, count);
    let sample = |index: usize| {
        let files = Files {
            test: &test,
            stem: &file_stem(index),
        };
        files.write_sample(&render(seed, index as u64, height, width))?;
        let further =
            |garment: usize| render_further(seed, index as u64, garment as u64, height, width);
        let paired = further(index);
        files.write_further(&paired)?;
        files.write_warped(["cloth-warp", "cloth-warp-mask"], &paired)?;
        files.write_warped(
            ["unpaired-cloth-warp", "unpaired-cloth-warp-mask"],
            &further((index + shift) % count),
        )
    };
    let list = || {
        Ok(write_atomic(
            dir.join("test_pairs.txt"),
            pairs(count, shift),
        )?)
    };
    wanted.write_set(dir, progress, &sample, &list)
}

/// Writes the persons of samples `0..count` of the set `seed` into `dir`, without loss: `00000.png` and so on. Else as
/// [`write_viton_hd`].
///
/// # Errors
/// As [`write_viton_hd`].
pub(crate) fn write_persons(
    dir: &Path,
    seed: u64,
    [count, height, width]: [usize; 3],
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(), DatasetError> {
    let sample = |index: usize| {
        let drawn = render(seed, index as u64, height, width);
        written(write_png_rgb(
            dir.join(format!("{index:05}.png")),
            &drawn.person,
        ))
    };
    Marker::of(seed, count, height, width)?.write_set(dir, progress, &sample, &|| Ok(()))
}

/// Whether `dir` holds the wanted set, complete. False if it holds nothing, or an interrupted set of the same kind.
fn found_complete(dir: &Path, wanted: Marker) -> Result<bool, DatasetError> {
    create_dir(dir)?;
    let marker = dir.join(MARKER);
    if !marker.is_file() {
        if sorted_entries(dir)?.is_empty() {
            return Ok(false);
        }
        return Err(not_synthetic(dir));
    }
    let found: Marker =
        serde_json::from_slice(&read(marker)?).map_err(|_not_ours| not_synthetic(dir))?;
    let same = Marker {
        complete: true,
        ..found
    } == wanted;
    if !same {
        return Err(DatasetError::OtherSynthetic {
            path: dir.to_path_buf(),
            expected: wanted.describe(),
            found: found.describe(),
        });
    }
    Ok(found.complete)
}

fn not_synthetic(dir: &Path) -> DatasetError {
    DatasetError::NotSynthetic {
        path: dir.to_path_buf(),
        marker: MARKER,
    }
}

/// Published names look like `00273_00`.
fn file_stem(index: usize) -> String {
    format!("{index:05}_00")
}

/// How far along the list the garment is that a person gets unpaired: 1 to `count - 1`, or 0 for a single sample.
fn pair_shift(seed: u64, count: usize) -> usize {
    match count {
        1 => 0,
        _ => 1 + Dice::new(seed, 0, "pairs").below(count - 1),
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

    fn jpeg(&self, folder: &str, picture: &RgbImage) -> Result<(), DatasetError> {
        written(write_jpeg_rgb(
            self.place(folder, ".jpg"),
            picture,
            JPEG_QUALITY,
        ))
    }

    fn write_sample(&self, sample: &SynthSample) -> Result<(), DatasetError> {
        self.jpeg("image", &sample.person)?;
        self.jpeg("cloth", &sample.garment)?;
        self.jpeg("cloth-mask", &grey_rgb(&sample.garment_mask))?;
        self.jpeg("agnostic-v3.2", &sample.agnostic)?;
        self.jpeg("image-densepose", &sample.densepose)?;
        let mask = self.place("agnostic-mask", "_mask.png");
        written(write_png_gray(mask, &sample.agnostic_mask))
    }

    fn write_further(&self, further: &SynthFurther) -> Result<(), DatasetError> {
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

    fn write_warped(&self, folders: [&str; 2], further: &SynthFurther) -> Result<(), DatasetError> {
        self.jpeg(folders[0], &further.warped)?;
        self.jpeg(folders[1], &grey_rgb(&further.warped_mask))
    }
}

fn written(result: Result<(), ImagingError>) -> Result<(), DatasetError> {
    result.map_err(|cause| DatasetError::WritePicture(Box::new(cause)))
}

fn grey_rgb(mask: &GrayImage) -> RgbImage {
    DynamicImage::ImageLuma8(mask.clone()).into_rgb8()
}

#[cfg(test)]
mod tests;
