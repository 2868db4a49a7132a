use anyhow::{Context as _, Result, ensure};
use i2am_attribution::{Convention, Direction, normalise};
use i2am_imacs::{ImacsConfig, imacs};
use i2am_imaging::{Plane, gray_to_plane, read_gray};
use i2am_weights::{FileFormat, WeightFile};
use serde_json::json;

use crate::cli::ImacsArgs;
use crate::exit::Outcome;
use crate::progress;

/// Scores one map.
pub(super) fn run(args: &ImacsArgs) -> Result<Outcome> {
    let map = read_map(&args.map)?;
    let mask =
        gray_to_plane(&read_gray(&args.mask)?)?.map(|level| if level >= 0.5 { 1.0 } else { 0.0 });
    let direction = if args.reference {
        Direction::GeneratedToReference
    } else {
        Direction::ReferenceToGenerated
    };
    let convention = Convention::preset(args.convention);
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
        format!(
            "IMACS {:.6} (inside {:.6}, outside {:.6}, penalty {})",
            score.value, score.inside, score.outside, args.penalty
        )
    };
    progress::print(&text)?;
    Ok(Outcome::Ok)
}

/// A gray picture, or the only tensor of a safetensors file.
fn read_map(path: &std::path::Path) -> Result<Plane> {
    if path
        .extension()
        .is_none_or(|extension| extension != "safetensors")
    {
        return Ok(gray_to_plane(&read_gray(path)?)?);
    }
    let file = WeightFile::open(path)?;
    ensure!(
        file.format() == FileFormat::Safetensors,
        "{}: not a safetensors file",
        path.display()
    );
    let tensors: Vec<_> = file.tensors().collect();
    let [(name, info)] = tensors[..] else {
        anyhow::bail!(
            "{}: expected one tensor, found {}",
            path.display(),
            tensors.len()
        );
    };
    let [height, width] = info.shape[..] else {
        anyhow::bail!(
            "{}: tensor `{name}`: expected two axes, found {:?}",
            path.display(),
            info.shape
        );
    };
    Ok(Plane::new(height, width, file.to_f32(name)?)?)
}
