//! Sizes of networks that are believed. Configurations and headers come from anywhere: a size beyond every published model is a fault of
//! the file, not a reason to multiply it with others.

use std::ops::RangeInclusive;

/// Channels, tokens' widths, and pixels of a side.
pub(crate) const WIDTH: RangeInclusive<i64> = 1..=65_536;
/// Resolutions of a UNet or an autoencoder; each halves the one before.
pub(crate) const LEVELS: RangeInclusive<i64> = 1..=8;
/// Residual blocks of a level.
pub(crate) const LAYERS: RangeInclusive<i64> = 1..=16;
/// Transformer blocks in a spatial transformer.
pub(crate) const DEPTH: RangeInclusive<i64> = 1..=32;
/// Layers of a CLIP tower.
pub(crate) const TOWER: RangeInclusive<i64> = 1..=256;
/// Entries of a vocabulary.
pub(crate) const VOCABULARY: RangeInclusive<i64> = 1..=10_000_000;

/// # Errors
/// That `key` is not within `range`.
pub(crate) fn within(key: &str, found: i64, range: &RangeInclusive<i64>) -> Result<(), String> {
    if range.contains(&found) {
        return Ok(());
    }
    let (first, last) = (range.start(), range.end());
    Err(format!(
        "`{key}`: expected {first} to {last}, found {found}"
    ))
}

/// The same for a count.
pub(crate) fn count_within(
    key: &str,
    found: usize,
    range: &RangeInclusive<i64>,
) -> Result<(), String> {
    within(key, i64::try_from(found).unwrap_or(i64::MAX), range)
}

/// # Errors
/// That `key` does not divide `whole`, which `of` says in words.
pub(crate) fn divides(key: &str, found: i64, of: &str, whole: i64) -> Result<(), String> {
    within(key, found, &WIDTH)?;
    if whole % found == 0 {
        return Ok(());
    }
    Err(format!(
        "`{key}`: expected a divisor of {of}, {whole}, found {found}"
    ))
}

/// Whether normalizations can have `groups` at every level.
///
/// # Errors
/// As [`divides`].
pub(crate) fn groups_fit(groups: i64, widths: &[i64]) -> Result<(), String> {
    widths
        .iter()
        .try_for_each(|&width| divides("norm_num_groups", groups, "the channels of a level", width))
}

/// # Errors
/// That `key` is not a finite number above 0, at most `most`.
pub(crate) fn positive(key: &str, found: f64, most: f64) -> Result<(), String> {
    if found > 0.0 && found <= most {
        return Ok(());
    }
    Err(format!(
        "`{key}`: expected a number above 0, at most {most}, found {found}"
    ))
}
