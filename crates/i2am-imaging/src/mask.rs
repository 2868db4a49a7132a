//! Masks, and whether they mean what their maker sees in them.

use std::fmt;
use std::path::Path;

use image::GrayImage;
use serde::{Deserialize, Serialize};

use crate::ImagingError;
use crate::channels::Channels;
use crate::decode::decode;

/// Stored levels from here on count as masked, in all published families (`StableVITON`: `>= 128`; Paint-by-Example:
/// `1 - level / 255 < 0.5`).
const HALF: u8 = 128;
/// A highest level below this one is not the white that was expected, even of a JPEG.
const WHITE: u8 = 240;
/// Levels in here lie clearly between black and white.
const BETWEEN: std::ops::RangeInclusive<u8> = 32..=223;
/// Share of the picture that such levels cover at most at soft edges.
const EDGES: f64 = 0.05;
/// Share of the border above which a masked region is taken for its opposite.
const MOST: f64 = 0.5;
/// Share of the pixels in which gray levels and alpha channel may disagree.
const ALIKE: f64 = 0.01;

/// Which levels of a mask count as masked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaskLevels {
    /// The upper half of the levels from black to white.
    #[default]
    Full,
    /// Every level but 0, in masks that have none in the upper half.
    Binary,
}

/// Where a mask has its shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaskChannel {
    /// In its gray levels; of colors in their luma.
    #[default]
    Gray,
    /// In its alpha channel; in its gray levels if it has none, or none that says anything.
    Alpha,
}

/// Which side of a mask is masked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaskPolarity {
    /// White.
    #[default]
    Direct,
    /// Black.
    Inverted,
}

/// How masks are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaskReading {
    /// Which levels count.
    pub levels: MaskLevels,
    /// Where the shape is.
    pub channel: MaskChannel,
    /// Which side is masked.
    pub polarity: MaskPolarity,
}

/// A mask as it was stored, and what is strange about it.
#[derive(Clone, Debug)]
pub struct StoredMask {
    /// White in the masked region.
    pub levels: GrayImage,
    /// In the order of [`MaskDoubt`].
    pub doubts: Vec<MaskDoubt>,
}

impl StoredMask {
    /// 255 where the upper half of the levels is, else 0.
    pub fn into_binary(self) -> GrayImage {
        let mut mask = self.levels;
        for level in mask.iter_mut() {
            *level = if *level >= HALF { 255 } else { 0 };
        }
        mask
    }
}

/// What is strange about a mask that can be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaskDoubt {
    /// Nothing is masked.
    Nothing,
    /// Everything is masked.
    Everything,
    /// The masked region touches most of the border, as the background of a picture does.
    Border {
        /// Share of the picture that is masked.
        area: f64,
        /// Share of the border that is masked.
        border: f64,
    },
    /// There is no white.
    Faint {
        /// The highest level.
        highest: u8,
        /// Share of the picture that is masked.
        area: f64,
    },
    /// Large parts are neither black nor white.
    Between {
        /// Share of the picture at such levels.
        between: f64,
        /// Share of the picture that is masked.
        area: f64,
    },
    /// The alpha channel shows another region than the gray levels, which were used.
    Alpha {
        /// Share of the picture that is masked.
        area: f64,
        /// Share of the picture that is opaque.
        opaque: f64,
    },
}

impl MaskDoubt {
    /// Whether `other` is the same doubt, about another mask.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for MaskDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Nothing => f.write_str("nothing is masked (highest level 0, 0 % of the picture)"),
            Self::Everything => f.write_str("everything is masked (100 % of the picture)"),
            Self::Border { area, border } => write!(
                f,
                "the masked region is {} of the picture and touches {} of its border: the mask may be inverted",
                percent(area),
                percent(border)
            ),
            Self::Faint { highest, area } => write!(
                f,
                "expected white (level 255) in the masked region, found a highest level of {highest}; levels from {HALF} on count, {} of the picture",
                percent(area)
            ),
            Self::Between { between, area } => write!(
                f,
                "expected black and white, found {} of the picture in between (levels {} to {}); levels from {HALF} on count, {} of the picture",
                percent(between),
                BETWEEN.start(),
                BETWEEN.end(),
                percent(area)
            ),
            Self::Alpha { area, opaque } => write!(
                f,
                "its alpha channel shows another region ({} of the picture) than its gray levels ({}), which were used: `mask_channel = \"alpha\"` uses it",
                percent(opaque),
                percent(area)
            ),
        }
    }
}

/// A share as people read it, without calling a trace nothing.
pub(crate) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent > 0.0 && percent < 0.1 {
        "less than 0.1 %".to_owned()
    } else {
        format!("{percent:.1} %")
    }
}

/// The mask in the file `path`, stored as `reading` says.
///
/// A JPEG loses levels like 1 and has no alpha channel, so that masks of both kinds can be read with one `reading`: what a file does not
/// have, it is not searched for.
///
/// # Errors
/// As [`read_rgb`](crate::read_rgb); [`ImagingError::Mask`] if the mask shows something and nothing of it would count: its levels are
/// all in the lower half, or only its alpha channel has a shape.
pub fn read_mask(path: impl AsRef<Path>, reading: MaskReading) -> Result<StoredMask, ImagingError> {
    let path = path.as_ref();
    let Channels {
        size: (width, height),
        white,
        gray,
        alpha,
    } = Channels::of(decode(path)?);
    let alpha = alpha.filter(|alpha| varies(alpha) || !varies(&gray));
    let refuse = |found: String| {
        let path = path.to_path_buf();
        Err(ImagingError::Mask { path, white, found })
    };
    let mut doubts = Vec::new();
    let (levels, channel) = match (alpha, reading.channel) {
        (Some(alpha), MaskChannel::Alpha) => (alpha, "alpha channel: "),
        (Some(alpha), MaskChannel::Gray) if varies(&alpha) => {
            let opaque = share(&alpha, |level| level > white / 2);
            if !varies(&gray) {
                return refuse(format!(
                    "level {} in every pixel and a shape in the alpha channel ({} of the picture is opaque); if opaque means masked, set `mask_channel = \"alpha\"`, and if transparent does, `mask_polarity = \"inverted\"` too",
                    gray.first().copied().unwrap_or_default(),
                    percent(opaque)
                ));
            }
            let differ = gray.iter().zip(&alpha);
            let differ =
                differ.filter(|(gray, alpha)| (**gray > white / 2) != (**alpha > white / 2));
            if differ.count() as f64 > ALIKE * gray.len() as f64 {
                let area = share(&gray, |level| level > white / 2);
                doubts.push(MaskDoubt::Alpha { area, opaque });
            }
            (gray, "")
        }
        _ => (gray, ""),
    };
    let highest = levels.iter().copied().max().unwrap_or_default();
    let is_faint = highest > 0 && highest <= white / 2;
    let levels: Vec<u8> = match reading.levels {
        MaskLevels::Full if is_faint => {
            return refuse(format!(
                "{channel}highest level {highest}, so that nothing would be masked ({} of the picture is not black); if every level but 0 means masked, set `mask_levels = \"binary\"`",
                percent(share(&levels, |level| level > 0))
            ));
        }
        MaskLevels::Binary if is_faint => levels
            .iter()
            .map(|&level| if level > 0 { 255 } else { 0 })
            .collect(),
        _ => levels
            .iter()
            .map(|&level| (level / (white / 255)) as u8)
            .collect(),
    };
    let lacking = ImagingError::PlaneLength {
        height: height as usize,
        width: width as usize,
        found: levels.len(),
    };
    let mut levels = GrayImage::from_raw(width, height, levels).ok_or(lacking)?;
    if reading.polarity == MaskPolarity::Inverted {
        levels.iter_mut().for_each(|level| *level = 255 - *level);
    }
    let mut found = doubts_about(&levels);
    found.append(&mut doubts);
    Ok(StoredMask {
        levels,
        doubts: found,
    })
}

fn varies(levels: &[u16]) -> bool {
    levels.iter().any(|level| *level != levels[0])
}

fn share<L: Copy>(levels: &[L], of: impl Fn(L) -> bool) -> f64 {
    let count = levels.iter().filter(|level| of(**level)).count();
    count as f64 / levels.len().max(1) as f64
}

/// What is strange about a mask that is white in the masked region.
fn doubts_about(mask: &GrayImage) -> Vec<MaskDoubt> {
    let is_masked = |level: u8| level >= HALF;
    let area = share(mask.as_raw(), is_masked);
    let any = mask.iter().any(|&level| is_masked(level));
    let all = mask.iter().all(|&level| is_masked(level));
    let (width, height) = mask.dimensions();
    let (right, bottom) = (width.saturating_sub(1), height.saturating_sub(1));
    let rows = (0..width).flat_map(|x| [(x, 0), (x, bottom)]);
    let columns = (0..height).flat_map(|y| [(0, y), (right, y)]);
    let edge: Vec<u8> = rows
        .chain(columns)
        .map(|(x, y)| mask.get_pixel(x, y).0[0])
        .collect();
    let border = share(&edge, is_masked);
    let highest = mask.iter().copied().max().unwrap_or_default();
    let between = share(mask.as_raw(), |level| BETWEEN.contains(&level));
    let doubts = [
        (!any).then_some(MaskDoubt::Nothing),
        all.then_some(MaskDoubt::Everything),
        (border > MOST && !all).then_some(MaskDoubt::Border { area, border }),
        (any && highest < WHITE).then_some(MaskDoubt::Faint { highest, area }),
        (between > EDGES).then_some(MaskDoubt::Between { between, area }),
    ];
    doubts.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
