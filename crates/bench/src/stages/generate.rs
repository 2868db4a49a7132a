//! First stage: pictures and attention records.

use anyhow::{Context as _, Result};
use i2am_datasets::{Dataset, Part};
use i2am_results::{RunFolder, SampleResult, Stage, Status};
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{Pipeline, Request};
use i2am_runner::noise::NoiseSource;

use super::models;
use crate::plan::Plan;
use crate::progress;

/// Generates every sample that is not done yet. A sample that fails is noted and the others go on.
pub(crate) fn run(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    let device = models::device(&plan.device)?;
    for entry in &plan.models {
        let capture = models::capture(plan, &entry.name);
        let ids = plan.dataset.ids();
        let done = |id: &String| folder.done(Stage::Generate, &entry.name, id) == Some(Status::Ok);
        let wanted = plan.indices().count();
        let left: Vec<usize> = plan.indices().filter(|&index| !done(&ids[index])).collect();
        if left.is_empty() {
            continue;
        }
        let bar =
            progress::bar(&entry.name, wanted as u64).with_position((wanted - left.len()) as u64);
        let pipeline = entry
            .model
            .load(device)
            .with_context(|| format!("model `{}`", entry.name))?;
        let steps = progress::bar("step", pipeline.steps() as u64);
        for index in left {
            steps.set_position(0);
            bar.set_message(ids[index].clone());
            let model = Loaded {
                name: &entry.name,
                pipeline: pipeline.as_ref(),
                needs: entry.model.needs(),
                capture: &capture,
            };
            let result = model.sample(plan, folder, index, &mut |step| {
                steps.set_position(step as u64);
            });
            if let Some(reason) = &result.failure {
                tracing::warn!("{}: sample {}: {reason}", entry.name, ids[index]);
            }
            folder.append(&result)?;
            bar.inc(1);
        }
        steps.finish_and_clear();
        bar.finish_and_clear();
    }
    Ok(())
}

struct Loaded<'a> {
    name: &'a str,
    pipeline: &'a dyn Pipeline,
    needs: &'a [Part],
    capture: &'a CaptureConfig,
}

impl Loaded<'_> {
    fn sample(
        &self,
        plan: &Plan,
        folder: &RunFolder,
        index: usize,
        on_step: &mut dyn FnMut(usize),
    ) -> SampleResult {
        let id = &plan.dataset.ids()[index];
        let made = self.make(
            plan.dataset.as_ref(),
            plan.config.seed,
            folder,
            index,
            on_step,
        );
        SampleResult {
            stage: Stage::Generate,
            model: self.name.to_owned(),
            sample_id: id.clone(),
            measurements: Vec::new(),
            failure: made.err().map(|error| format!("{error:#}")),
        }
    }

    fn make(
        &self,
        dataset: &dyn Dataset,
        seed: u64,
        folder: &RunFolder,
        index: usize,
        on_step: &mut dyn FnMut(usize),
    ) -> Result<()> {
        let mut parts = self.needs.to_vec();
        // Attention to the garment is summed apart from the rest of the reference wherever the mask is known.
        let mask = dataset.path(index, Part::ReferenceMask);
        parts.extend(
            mask.filter(|mask| mask.is_file())
                .map(|_| Part::ReferenceMask),
        );
        let sample = dataset.load_parts(index, &parts)?;
        let noise = NoiseSource::Seeded {
            seed,
            dataset: dataset.name().to_owned(),
            sample: sample.id.clone(),
        };
        let request = Request {
            noise: &noise,
            capture: Some(self.capture),
            on_step,
        };
        let generated = self.pipeline.generate(&sample, request)?;
        let paths = folder.paths();
        i2am_imaging::write_png_rgb(paths.image(self.name, &sample.id), &generated.image)?;
        if let Some(record) = &generated.record {
            i2am_files::write_atomic(paths.attention(self.name, &sample.id), &record.to_bytes()?)?;
        }
        Ok(())
    }
}
