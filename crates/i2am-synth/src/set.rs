//! A whole set as files: which one a folder holds, and whether it is complete.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use i2am_files::{create_dir, read_text, sorted_entries, write_atomic};
use i2am_imaging::write_png_rgb;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::layout::{self, written};
use super::{SynthError, VERSION, render};

/// The file that says what a folder holds and whether it is complete.
pub const MARKER: &str = "synth.json";

/// Sample numbers have five digits, so that names sort like numbers.
const MOST_SAMPLES: usize = 100_000;
const SIDES: [usize; 2] = [16, 4096];

/// A set of drawn samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SynthSet {
    /// Seed of the set.
    pub seed: u64,
    /// Number of samples.
    pub count: usize,
    /// Height of every picture in pixels.
    pub height: usize,
    /// Width of every picture in pixels; the drawing is laid out for three quarters of the height.
    pub width: usize,
}

impl SynthSet {
    /// Writes samples `0..count` into the folder `dir`, in the layout of VITON-HD.
    ///
    /// A complete set of the same seed, count, size and [`VERSION`] is left alone; an interrupted one is written anew. Masks of
    /// persons and parse maps are PNG, all other pictures JPEG of quality 95, as published. In `test_pairs.txt` the second column
    /// is a permutation without fixed points (for one sample: the same cloth). `progress` gets, from several threads, the number of
    /// samples written so far.
    ///
    /// # Errors
    /// [`SynthError::Range`]; [`SynthError::NotSynthetic`] and [`SynthError::OtherSet`] if the folder holds something else, which is
    /// never overwritten; [`SynthError::File`] and [`SynthError::Picture`] if writing fails.
    pub fn write_viton_hd(
        &self,
        dir: &Path,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<(), SynthError> {
        let sample = |index| layout::write_sample(self, dir, index);
        self.write(dir, progress, &sample, &|| layout::write_pairs(self, dir))
    }

    /// Writes only the persons of samples `0..count` into the folder `dir`, without loss: `00000.png` and so on. Everything else is
    /// as in [`SynthSet::write_viton_hd`].
    ///
    /// # Errors
    /// As [`SynthSet::write_viton_hd`].
    pub fn write_persons(
        &self,
        dir: &Path,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<(), SynthError> {
        let sample = |index: usize| {
            let drawn = render(self.seed, index as u64, self.height, self.width);
            written(write_png_rgb(
                dir.join(format!("{index:05}.png")),
                &drawn.person,
            ))
        };
        self.write(dir, progress, &sample, &|| Ok(()))
    }

    /// A folder name that says which set of which version it holds: `v2-seed7-48x128x96`.
    pub fn folder_name(&self) -> String {
        let Self {
            seed,
            count,
            height,
            width,
        } = self;
        format!("v{VERSION}-seed{seed}-{count}x{height}x{width}")
    }

    /// Writes every sample by `sample` and then what `list` writes, unless `dir` holds this set already.
    fn write(
        &self,
        dir: &Path,
        progress: &(dyn Fn(usize) + Sync),
        sample: &(dyn Fn(usize) -> Result<(), SynthError> + Sync),
        list: &dyn Fn() -> Result<(), SynthError>,
    ) -> Result<(), SynthError> {
        self.check()?;
        if self.is_complete(dir)? {
            return Ok(());
        }
        create_dir(dir)?;
        Marker::of(self, false).write(dir)?;
        let done = AtomicUsize::new(0);
        // After a full disk nothing more is drawn.
        (0..self.count).into_par_iter().try_for_each(|index| {
            sample(index)?;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            Ok::<(), SynthError>(())
        })?;
        list()?;
        Marker::of(self, true).write(dir)
    }

    fn check(&self) -> Result<(), SynthError> {
        for (name, low, high, found) in [
            ("a count", 1, MOST_SAMPLES, self.count),
            ("a height", SIDES[0], SIDES[1], self.height),
            ("a width", SIDES[0], SIDES[1], self.width),
        ] {
            if !(low..=high).contains(&found) {
                return Err(SynthError::Range {
                    name,
                    low,
                    high,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Whether `dir` holds this set, complete. False if it does not exist, or holds nothing or an interrupted set of the same kind.
    ///
    /// # Errors
    /// [`SynthError::NotSynthetic`], [`SynthError::OtherSet`]: the folder holds something else.
    pub fn is_complete(&self, dir: &Path) -> Result<bool, SynthError> {
        let not_synthetic = || SynthError::NotSynthetic {
            path: dir.to_path_buf(),
            marker: MARKER,
        };
        let marker = dir.join(MARKER);
        if !marker.is_file() {
            if !dir.exists() || sorted_entries(dir)?.is_empty() {
                return Ok(false);
            }
            return Err(not_synthetic());
        }
        let found: Marker =
            serde_json::from_str(&read_text(marker)?).map_err(|_not_ours| not_synthetic())?;
        let wanted = Marker::of(self, found.complete);
        if found == wanted {
            return Ok(found.complete);
        }
        Err(SynthError::OtherSet {
            path: dir.to_path_buf(),
            expected: wanted.describe(),
            found: found.describe(),
        })
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
    fn of(set: &SynthSet, complete: bool) -> Self {
        let SynthSet {
            seed,
            count,
            height,
            width,
        } = *set;
        Self {
            version: VERSION,
            seed,
            count,
            height,
            width,
            complete,
        }
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

    fn write(&self, dir: &Path) -> Result<(), SynthError> {
        let mut text = serde_json::to_string_pretty(self).expect("plain numbers can be written");
        text.push('\n');
        Ok(write_atomic(dir.join(MARKER), text)?)
    }
}

#[cfg(test)]
mod tests;
