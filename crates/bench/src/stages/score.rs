//! Second stage: the scores of maps, overlays and picture sheets, from records on disk.

use anyhow::{Context as _, Result};
use i2am_attribution::AttentionRecord;
use i2am_datasets::{Goal, Part, Sample};
use i2am_imacs::detection::BoxSeed;
use i2am_imacs::scores::{ScoreInput, Scored};
use i2am_imacs::{Masks, fitted_mask};
use i2am_imaging::{RgbImage, read_rgb};
use i2am_results::{Measurement, RunFolder, Stage, Status};
use rayon::prelude::*;

use super::note;
use super::pictures::Pictures;
use crate::plan::Plan;
use crate::progress;

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
        let bar = progress::bar(&format!("score {}", entry.name), left.len() as u64);
        for batch in left.chunks(BATCH) {
            let one = |&index: &usize| {
                let scored = measure(plan, folder, &entry.name, index);
                bar.inc(1);
                scored
            };
            let scored: Vec<_> = batch.par_iter().map(one).collect();
            for (&index, scored) in batch.iter().zip(scored) {
                note(folder, Stage::Score, [&entry.name, &ids[index]], scored)?;
            }
        }
        bar.finish_and_clear();
    }
    Ok(())
}

/// A sample that was generated, as scores and rankings read it.
pub(super) struct Generated {
    pub(super) sample: Sample,
    pub(super) record: AttentionRecord,
    pub(super) image: RgbImage,
    pub(super) masks: Masks,
}

impl Generated {
    /// Height and width of the image.
    fn size(&self) -> [usize; 2] {
        [self.image.height(), self.image.width()].map(|length| length as usize)
    }

    /// Reads sample `index`, with the parts `shown` that people look at; without them if one cannot be read.
    pub(super) fn read(
        plan: &Plan,
        folder: &RunFolder,
        model: &str,
        index: usize,
        shown: &[Part],
    ) -> Result<Self> {
        let load = |shown: &[Part]| {
            let parts = [&[Part::ReferenceMask, Part::Correspondence][..], shown].concat();
            plan.sample_of(model, index, |index| {
                plan.dataset.load_present(index, &parts)
            })
        };
        let sample = match load(shown) {
            Err(error) if !shown.is_empty() => {
                let sample = load(&[])?;
                tracing::warn!(
                    "{model}: the sheet of sample {} lacks a picture: {error}",
                    sample.id
                );
                sample
            }
            loaded => loaded?,
        };
        let path = folder.paths().attention(model, &sample.id);
        let record = AttentionRecord::from_bytes(&i2am_files::read(&path)?, &path)?;
        let image =
            read_rgb(folder.paths().image(model, &sample.id)).context("the generated image")?;
        let size = [image.height(), image.width()].map(|length| length as usize);
        let generated = match plan.dataset.goal() {
            Goal::Repaint => Some(&sample.mask),
            Goal::Enlarge { .. } => None,
        };
        let edges = plan.config.convention.mask_edges;
        let [generated, reference] = [generated, sample.reference_mask.as_ref()]
            .map(|mask| mask.map(|mask| fitted_mask(mask, edges, size)).transpose());
        let masks = Masks {
            generated: generated?,
            reference: reference?,
        };
        Ok(Self {
            sample,
            record,
            image,
            masks,
        })
    }
}

fn measure(plan: &Plan, folder: &RunFolder, model: &str, index: usize) -> Result<Vec<Measurement>> {
    let generated = Generated::read(plan, folder, model, index, &[Part::GroundTruth])?;
    let Generated {
        sample,
        record,
        image,
        masks,
    } = &generated;
    let size = generated.size();
    let annotated = [sample.image.height(), sample.image.width()].map(|length| length as usize);
    let object = plan.dataset.object(index);
    let input = ScoreInput {
        record,
        convention: &plan.config.convention,
        imacs: &plan.config.imacs,
        masks,
        size,
        object: object.map(|object| object.scaled(annotated, size)),
        correspondence: sample.correspondence.as_ref(),
        seed: BoxSeed {
            seed: plan.config.seed,
            dataset: plan.dataset.name(),
            sample: &sample.id,
        },
    };
    let (mut rows, mut drawings) = (Vec::new(), Vec::new());
    for score in &plan.config.scores {
        let scored: Scored = score.score(&input);
        rows.extend(scored.rows);
        drawings.extend(scored.drawings);
    }
    let pictures = Pictures {
        plan,
        paths: folder.paths(),
        model,
        sample,
        image,
    };
    pictures.write(record, &drawings)?;
    Ok(plan.noted(model, rows))
}
