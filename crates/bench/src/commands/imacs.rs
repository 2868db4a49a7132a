use std::path::Path;

use anyhow::{Context as _, Result, bail};
use i2am_attribution::{
    AttentionRecord, Convention, Direction, Exported, Level, attribution_map, normalise,
};
use i2am_imacs::{ImacsConfig, imacs};
use i2am_imaging::{MaskReading, Plane, gray_to_plane, limit_megapixels, read_mask, read_values};
use serde_json::json;

use crate::cli::ImacsArgs;
use crate::exit::Outcome;
use crate::table;
use crate::{exported, progress};

/// Scores one map.
pub(super) fn run(args: &ImacsArgs) -> Result<Outcome> {
    limit_megapixels(args.max_megapixels);
    let map = Map::read(&args.map)?;
    let mask = read_mask(&args.mask, MaskReading::from(&args.reading))?;
    for doubt in &mask.doubts {
        tracing::warn!("{}: {doubt}", args.mask.display());
    }
    let mask = gray_to_plane(&mask.into_binary())?;
    let direction = if args.reference {
        Direction::GeneratedToReference
    } else {
        Direction::ReferenceToGenerated
    };
    let convention = Convention::preset(args.convention);
    let map = match map {
        Map::One(map) => map,
        Map::OfLayers(record) => {
            let map = attribution_map(&record, &convention, direction, &Level::Unified);
            map.with_context(|| args.map.display().to_string())?.plane
        }
    };
    let first = map.get(0, 0).to_bits();
    if map.data().iter().all(|value| value.to_bits() == first) {
        tracing::warn!(
            "{}: the map is constant ({} everywhere): its score says nothing",
            args.map.display(),
            map.min()
        );
    }
    let [height, width] = mask.size();
    let attribution = normalise(&map, &convention, direction, height, width, Some(&mask));
    let config = ImacsConfig {
        penalty: args.penalty,
    };
    let score =
        imacs(&attribution, &mask, &config).with_context(|| args.mask.display().to_string())?;
    let text = if args.json {
        let (inside, outside) = (score.inside, score.outside);
        json!({ "imacs": score.value, "inside": inside, "outside": outside, "penalty": args.penalty }).to_string()
    } else {
        let [value, inside, outside] =
            [score.value, score.inside, score.outside].map(|value| table::number(Some(value), 6));
        let penalty = args.penalty;
        format!("IMACS {value} (inside {inside}, outside {outside}, penalty {penalty})")
    };
    progress::print(&text)?;
    Ok(Outcome::Ok)
}

/// What a file has.
enum Map {
    /// One map.
    One(Plane),
    /// The maps of all layers of a sample.
    OfLayers(AttentionRecord),
}

impl Map {
    /// A gray picture, the only array of a file, or the arrays of an export.
    fn read(path: &Path) -> Result<Self> {
        if !exported::has_ending(path) {
            return Ok(Self::One(read_values(path)?));
        }
        let mut arrays = exported::read_arrays(path)?;
        if arrays.iter().any(|array| Exported::is_name(&array.name)) {
            return Ok(Self::OfLayers(exported::record(&arrays, path)?));
        }
        let (count, array) = (arrays.len(), arrays.pop());
        let (1, Some(array)) = (count, array) else {
            bail!(
                "{}: expected one array of two axes, or arrays `generated/LAYER`, found {count}",
                path.display()
            );
        };
        let [height, width] = array.shape[..] else {
            bail!(
                "{}: tensor `{}`: expected two axes, found {:?}",
                path.display(),
                array.name,
                array.shape
            );
        };
        Ok(Self::One(Plane::new(height, width, array.values)?))
    }
}
