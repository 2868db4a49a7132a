//! First stage: pictures and attention records.

use anyhow::{Context as _, Result, bail};
use i2am_datasets::Part;
use i2am_results::{RunFolder, SampleResult, Stage, Status};
use i2am_runner::RunnerError;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{Pipeline, Request};
use i2am_runner::noise::NoiseSource;

use crate::device::device;
use crate::plan::Plan;
use crate::preflight::capture;
use crate::progress;

/// Generates every sample that is not done yet. A sample that fails is noted and the others go on.
pub(crate) fn run(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    let device = device(&plan.device)?;
    for entry in &plan.models {
        let capture = capture(plan, &entry.name);
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
            })?;
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
    ) -> Result<SampleResult> {
        let made = self.make(plan, folder, index, on_step);
        result(self.name, &plan.dataset.ids()[index], made)
    }

    fn make(
        &self,
        plan: &Plan,
        folder: &RunFolder,
        index: usize,
        on_step: &mut dyn FnMut(usize),
    ) -> Result<()> {
        let parts = plan.parts(index, self.needs);
        let dataset = plan.dataset.as_ref();
        let sample = dataset.load_parts(index, &parts)?;
        let noise = NoiseSource::Seeded {
            seed: plan.config.seed,
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

/// What is noted of a sample.
///
/// # Errors
/// A device that is lost: every sample after it would fail too.
fn result(model: &str, id: &str, made: Result<()>) -> Result<SampleResult> {
    if let Err(error) = &made
        && let Some(RunnerError::DeviceLost(_)) = error.downcast_ref()
    {
        bail!(
            "model `{model}`, sample {id}: {error}; finished samples are kept, and the same command continues after them"
        );
    }
    Ok(SampleResult {
        stage: Stage::Generate,
        model: model.to_owned(),
        sample_id: id.to_owned(),
        measurements: Vec::new(),
        failure: made.err().map(|error| format!("{error:#}")),
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Result;
    use i2am_nets::guard::guard;
    use i2am_runner::RunnerError;
    use tch::TchError;

    use super::result;
    use crate::exit::Outcome;

    /// A sample in which an operator fails with `message`.
    fn failed(message: &str) -> Result<()> {
        let error = TchError::Torch(format!("{message}\nException raised from f"));
        let fault = guard(|| panic!("called `Result::unwrap()` on an `Err` value: {error:?}"));
        fault.map_err(|failure| RunnerError::from(failure).into())
    }

    #[test]
    fn an_operator_that_fails_is_noted_of_its_sample() {
        let noted = result("a", "0", failed("sizes do not match")).unwrap();
        let reason = noted.failure.unwrap();
        assert_eq!(reason, "libtorch: sizes do not match");
    }

    #[test]
    fn a_lost_device_ends_the_run() {
        let made = failed("CUDA error: an illegal memory access was encountered");
        let error = result("a", "0", made).unwrap_err();
        assert_eq!(Outcome::of(&error), Outcome::Failed);
        let message = format!("{error:#}");
        assert!(
            message.starts_with("model `a`, sample 0: the device cannot be used again")
                && message.lines().count() == 1,
            "{message}"
        );
    }
}
