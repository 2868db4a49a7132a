//! Second stage: IMACS at every level, overlays and picture sheets, from records on disk.

use anyhow::{Context as _, Result};
use i2am_attribution::{AttentionRecord, Direction, Level, levels};
use i2am_datasets::Sample;
use i2am_imacs::{ImacsError, NoScore, score};
use i2am_imaging::{GrayImage, Plane, gray_to_plane, pillow_bicubic_gray, read_rgb};
use i2am_results::{Measurement, Outcome, RunFolder, SampleResult, Stage, Status};
use rayon::prelude::*;

use super::pictures;
use crate::plan::Plan;
use crate::progress;

/// Version of the metric: goes up whenever a value can change.
const VERSION: u32 = 1;
/// The row that says which part of the picture is to be repainted, 0 to 1: a likely cause of high IMACS and of good metrics alike.
const MASK_AREA: &str = "mask_area";
const MASK_AREA_VERSION: u32 = 1;
/// Samples scored side by side before their rows are written.
const BATCH: usize = 16;

/// Scores every generated sample that is not scored yet.
pub(crate) fn run(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    let ids = &plan.dataset.ids()[..plan.samples];
    for entry in &plan.models {
        let generated =
            |id: &String| folder.done(Stage::Generate, &entry.name, id) == Some(Status::Ok);
        let scored = |id: &String| folder.done(Stage::Score, &entry.name, id) == Some(Status::Ok);
        let left: Vec<usize> = (0..ids.len())
            .filter(|&i| generated(&ids[i]) && !scored(&ids[i]))
            .collect();
        let bar = progress::bar(&format!("{}: scores", entry.name), left.len() as u64);
        for batch in left.chunks(BATCH) {
            let one = |&index: &usize| {
                let result = sample(plan, folder, &entry.name, index);
                bar.inc(1);
                result
            };
            let results: Vec<SampleResult> = batch.par_iter().map(one).collect();
            for result in &results {
                if let Some(reason) = &result.failure {
                    tracing::warn!("{}: sample {}: {reason}", entry.name, result.sample_id);
                }
                folder.append(result)?;
            }
        }
        bar.finish_and_clear();
    }
    Ok(())
}

fn sample(plan: &Plan, folder: &RunFolder, model: &str, index: usize) -> SampleResult {
    let id = &plan.dataset.ids()[index];
    let scored = measure(plan, folder, model, index);
    let (measurements, failure) = match scored {
        Ok(measurements) => (measurements, None),
        Err(error) => (Vec::new(), Some(format!("{error:#}"))),
    };
    SampleResult {
        stage: Stage::Score,
        model: model.to_owned(),
        sample_id: id.clone(),
        measurements,
        failure,
    }
}

fn measure(plan: &Plan, folder: &RunFolder, model: &str, index: usize) -> Result<Vec<Measurement>> {
    let sample = plan.dataset.load(index)?;
    let path = folder.paths().attention(model, &sample.id);
    let record = AttentionRecord::from_bytes(&i2am_files::read(&path)?, &path)?;
    let image =
        read_rgb(folder.paths().image(model, &sample.id)).context("the generated picture")?;
    let (width, height) = image.dimensions();
    let mut rows = Vec::new();
    for direction in Direction::ALL {
        let mask = mask_of(&sample, direction, height as usize, width as usize)?;
        if let (Direction::ReferenceToGenerated, Some(mask)) = (direction, &mask) {
            rows.push(mask_area(mask));
        }
        rows.extend(score_direction(plan, &record, direction, mask.as_ref()));
    }
    pictures::write(plan, folder.paths(), model, &sample, &record, &image)?;
    Ok(rows)
}

fn mask_area(mask: &Plane) -> Measurement {
    Measurement {
        direction: String::new(),
        level: String::new(),
        metric: MASK_AREA.to_owned(),
        version: MASK_AREA_VERSION,
        outcome: Outcome::ok(mask.mean()).unwrap_or_else(Outcome::failed),
        convention: String::new(),
        note: String::new(),
    }
}

/// The mask that maps of `direction` should respect, at the generated picture's size.
fn mask_of(
    sample: &Sample,
    direction: Direction,
    height: usize,
    width: usize,
) -> Result<Option<Plane>> {
    let mask = match direction {
        Direction::ReferenceToGenerated => Some(&sample.mask),
        Direction::GeneratedToReference => sample.reference_mask.as_ref(),
    };
    mask.map(|mask| fitted(mask, height, width)).transpose()
}

/// As the models see masks: resized like Pillow, then cut at the middle.
fn fitted(mask: &GrayImage, height: usize, width: usize) -> Result<Plane> {
    let same = mask.dimensions() == (width as u32, height as u32);
    let plane = if same {
        gray_to_plane(mask)?
    } else {
        gray_to_plane(&pillow_bicubic_gray(mask, height, width))?
    };
    Ok(plane.map(|level| if level > 0.5 { 1.0 } else { 0.0 }))
}

fn score_direction(
    plan: &Plan,
    record: &AttentionRecord,
    direction: Direction,
    mask: Option<&Plane>,
) -> Vec<Measurement> {
    let convention = &plan.config.convention;
    let metric = match direction {
        Direction::ReferenceToGenerated => "imacs_g",
        Direction::GeneratedToReference => "imacs_r",
    };
    let mut offered = levels(record, convention, direction);
    if offered.is_empty() {
        // One row says why there is nothing.
        offered.push(Level::Unified);
    }
    let row = |level: &Level| {
        let scored = match mask {
            Some(mask) => score(
                record,
                convention,
                direction,
                level,
                mask,
                &plan.config.imacs,
            ),
            None => Err(NoScore::Imacs(ImacsError::EmptyMask)),
        };
        let (outcome, note) = match scored {
            Ok(score) => {
                let note = if score.one_token { "one-token" } else { "" };
                (
                    Outcome::ok(score.imacs.value).unwrap_or_else(Outcome::failed),
                    note,
                )
            }
            Err(NoScore::Imacs(ImacsError::EmptyMask)) if mask.is_none() => {
                (Outcome::empty("the data set has no reference mask"), "")
            }
            Err(reason) => (Outcome::empty(reason), ""),
        };
        Measurement {
            direction: direction.to_string(),
            level: level.to_string(),
            metric: metric.to_owned(),
            version: VERSION,
            outcome,
            convention: convention.label(),
            note: note.to_owned(),
        }
    };
    offered.iter().map(row).collect()
}
