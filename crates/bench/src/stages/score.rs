//! Second stage: IMACS at every level, overlays and picture sheets, from records on disk.

use anyhow::{Context as _, Result};
use i2am_attribution::{AttentionRecord, Direction, Level, levels};
use i2am_datasets::{Goal, Part};
use i2am_imacs::score;
use i2am_imaging::{Plane, read_rgb};
use i2am_results::{Measurement, Outcome, RunFolder, SampleResult, Stage, Status};
use rayon::prelude::*;

use super::masks::Masks;
use super::pictures::Pictures;
use super::{detection, locality, specific};
use crate::plan::Plan;
use crate::progress;

/// Version of the metric: goes up whenever a value can change.
pub(super) const VERSION: u32 = 2;
/// The row that says which part of the picture is to be repainted, 0 to 1: a likely cause of high IMACS and of good metrics alike.
pub(super) const MASK_AREA: &str = "mask_area";
const MASK_AREA_VERSION: u32 = 1;
/// Samples scored side by side before their rows are written.
pub(super) const BATCH: usize = 16;

/// Scores every generated sample that is not scored yet.
pub(crate) fn run(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    let ids = plan.dataset.ids();
    for entry in &plan.models {
        let generated =
            |id: &String| folder.done(Stage::Generate, &entry.name, id) == Some(Status::Ok);
        let scored = |id: &String| folder.done(Stage::Score, &entry.name, id) == Some(Status::Ok);
        let left: Vec<usize> = plan
            .indices()
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
    let shown = [Part::ReferenceMask, Part::GroundTruth];
    let sample = plan.dataset.load_present(index, &shown)?;
    let path = folder.paths().attention(model, &sample.id);
    let record = AttentionRecord::from_bytes(&i2am_files::read(&path)?, &path)?;
    let image =
        read_rgb(folder.paths().image(model, &sample.id)).context("the generated picture")?;
    let size = [image.height(), image.width()].map(|length| length as usize);
    let masks = Masks::of(
        &sample,
        plan.dataset.goal(),
        plan.config.convention.mask_edges,
        size,
    )?;
    let mut rows = Vec::new();
    for direction in Direction::ALL {
        let mask = masks.of_direction(direction);
        if let (Direction::ReferenceToGenerated, Ok(mask)) = (direction, mask) {
            rows.push(mask_area(mask));
        }
        rows.extend(score_direction(plan, &record, direction, mask));
        rows.extend(locality::rows(&record, direction));
    }
    let mut detected = detection::detect(plan, &record, &sample, index, size)?;
    if let Some(detected) = &mut detected {
        rows.append(&mut detected.rows);
    }
    let specific = specific::maps(plan, &record, &masks);
    rows.extend(specific::rows(plan, &specific, &masks));
    let pictures = Pictures {
        plan,
        paths: folder.paths(),
        model,
        sample: &sample,
        image: &image,
        detected: detected.as_ref(),
    };
    pictures.write(&record, &specific)?;
    Ok(rows)
}

/// The name of the score in `direction`.
pub(super) fn metric_of(direction: Direction) -> &'static str {
    match direction {
        Direction::ReferenceToGenerated => "imacs_g",
        Direction::GeneratedToReference => "imacs_r",
    }
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

fn score_direction(
    plan: &Plan,
    record: &AttentionRecord,
    direction: Direction,
    mask: Result<&Plane, &'static str>,
) -> Vec<Measurement> {
    let convention = &plan.config.convention;
    let metric = metric_of(direction);
    let mut offered = match plan.dataset.goal() {
        Goal::Repaint => levels(record, convention, direction),
        Goal::Enlarge { .. } => Vec::new(),
    };
    if offered.is_empty() {
        // One row says why there is nothing.
        offered.push(Level::Unified);
    }
    let row = |level: &Level| {
        let scored = mask.map_err(str::to_owned).and_then(|mask| {
            score(
                record,
                convention,
                direction,
                level,
                mask,
                &plan.config.imacs,
            )
            .map_err(|reason| reason.to_string())
        });
        let (outcome, note) = match scored {
            Ok(score) => {
                let note = if score.one_token { "one-token" } else { "" };
                (
                    Outcome::ok(score.imacs.value).unwrap_or_else(Outcome::failed),
                    note,
                )
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
