//! First stage: pictures and attention records.

mod overlap;

use anyhow::{Context as _, Result};
use i2am_attribution::AttentionRecord;
use i2am_datasets::Sample;
use i2am_imaging::RgbImage;
use i2am_results::{RunFolder, RunPaths, Stage, Status};
use i2am_runner::RunnerError;
use i2am_runner::capture::CaptureConfig;
use i2am_runner::families::{Generated, Job, Pipeline};
use i2am_runner::noise::NoiseSource;
use indicatif::ProgressBar;
use tch::Device;

use super::{note, workers};
use crate::batch;
use crate::device::{NetworkThreads, device, devices, is_small};
use crate::models::ModelEntry;
use crate::plan::Plan;
use crate::preflight::capture;
use crate::progress;
use overlap::{Sampled, overlapped};

/// Fewer samples than this for each are not worth the start of another worker, which takes as long as one or two of them.
const SAMPLES_PER_WORKER: usize = 8;

/// Indices of the samples that `model` has not generated yet.
pub(super) fn left(plan: &Plan, folder: &RunFolder, model: &str) -> Vec<usize> {
    let ids = plan.dataset.ids();
    let done = |id: &str| folder.done(Stage::Generate, model, id) == Some(Status::Ok);
    let missing = plan.indices().filter(|&index| !done(&ids[index]));
    missing.collect()
}

/// Generates every sample that is not done yet. A sample that fails is noted and the others go on.
pub(crate) fn run(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    let device = device(&plan.device)?;
    let all = plan.models.len() * plan.indices().count();
    let models = plan.models.iter();
    let left: Vec<Vec<usize>> = models
        .map(|entry| left(plan, folder, &entry.name))
        .collect();
    let count = left.iter().map(Vec::len).sum();
    if count == 0 {
        return Ok(());
    }
    let bar = progress::bar_from("generate", (all - count) as u64, all as u64);
    let workers = workers(plan, &left)?.min(count);
    if workers > 1 {
        workers::generate(plan, folder, &left, workers, &bar)?;
        bar.finish_and_clear();
        return Ok(());
    }
    for (entry, left) in plan.models.iter().zip(&left) {
        if left.is_empty() {
            continue;
        }
        bar.set_message(format!("loading {}", entry.name));
        let loaded = Loaded::load(plan, entry, device)?;
        let size = batch::choose(entry, &plan.device)?.size;
        if device.is_cuda() {
            loaded.side_by_side(folder, left, size, &bar)?;
        } else {
            loaded.one_after_the_other(folder, left, size, &bar)?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The samples `indices` in a few words.
pub(super) fn which(ids: &[String], indices: &[usize]) -> String {
    let first = &ids[indices[0]];
    match indices.len() {
        1 => format!("sample {first}"),
        count => format!("{count} samples from {first}"),
    }
}

/// Warns of a batch that was too large.
pub(super) fn warn_split(model: &str, which: &str, size: usize, reason: &str) {
    tracing::warn!(
        "{model}: {which}: done again one by one, and {size} at a time from here on: {reason}"
    );
}

/// How many processes generate `left`, the samples that each model has not generated yet.
///
/// On the CPU, models that sample on one thread each leave the other cores to other workers; a large model takes all cores itself.
fn workers(plan: &Plan, left: &[Vec<usize>]) -> Result<usize> {
    if let Some(workers) = plan.workers {
        return Ok(workers);
    }
    if plan.device != "cpu" {
        return Ok(devices(&plan.device)?.len());
    }
    for (entry, left) in plan.models.iter().zip(left) {
        if !left.is_empty() && !is_small(entry.facts()?.parameters) {
            return Ok(1);
        }
    }
    let count: usize = left.iter().map(Vec::len).sum();
    Ok(plan.threads.min(count / SAMPLES_PER_WORKER).max(1))
}

/// A model that is loaded, on the threads that suit it.
pub(crate) struct Loaded<'a> {
    plan: &'a Plan,
    entry: &'a ModelEntry,
    pipeline: Box<dyn Pipeline>,
    capture: CaptureConfig,
    _threads: NetworkThreads,
}

/// What came of a batch.
pub(crate) struct Made {
    /// Of every sample, in their order.
    pub(crate) results: Vec<Result<()>>,
    /// Why samples were done again one by one, if they were.
    pub(crate) split: Option<RunnerError>,
}

impl<'a> Loaded<'a> {
    /// # Errors
    /// A checkpoint that cannot be used.
    pub(crate) fn load(plan: &'a Plan, entry: &'a ModelEntry, device: Device) -> Result<Self> {
        let threads = NetworkThreads::of_model(entry, device, plan.threads)?;
        let pipeline = entry.model.load(device);
        Ok(Self {
            pipeline: pipeline.with_context(|| format!("model `{}`", entry.name))?,
            capture: capture(plan, &entry.name),
            plan,
            entry,
            _threads: threads,
        })
    }

    /// Generates the samples `left`, and notes how each ended.
    ///
    /// On the CPU, where the networks take all cores anyway, other threads would also leave memory in another order each time, and products
    /// of matrices depend on where their operands lie: two runs would differ in the last bits.
    fn one_after_the_other(
        &self,
        folder: &mut RunFolder,
        mut left: &[usize],
        mut size: usize,
        bar: &ProgressBar,
    ) -> Result<()> {
        let (name, ids) = (self.entry.name.as_str(), self.plan.dataset.ids());
        while !left.is_empty() {
            let (now, later) = left.split_at(size.min(left.len()));
            left = later;
            let which = which(ids, now);
            let Made { results, split } = self.make(folder.paths(), now, &mut |step, steps| {
                bar.set_message(format!("{name}, {which}, step {step} of {steps}"));
            });
            for (&index, made) in now.iter().zip(results) {
                let made = made.map(|()| Vec::new());
                note(folder, Stage::Generate, [name, &ids[index]], made)?;
                bar.inc(1);
            }
            if let Some(error) = split {
                size = batch::after(&error, size);
                warn_split(name, &which, size, &progress::one_line(&error.into()));
            }
        }
        Ok(())
    }

    /// As [`Self::one_after_the_other`]; while the GPU samples a batch, the next is read and the last is written.
    fn side_by_side(
        &self,
        folder: &mut RunFolder,
        left: &[usize],
        size: usize,
        bar: &ProgressBar,
    ) -> Result<()> {
        let &Self { plan, entry, .. } = self;
        let (name, ids) = (entry.name.as_str(), plan.dataset.ids());
        let paths = folder.paths().clone();
        let mut current = size;
        overlapped(
            left,
            size,
            |index| read(plan, entry, index),
            |index, kept: Result<Kept>| kept?.write(&paths, name, &ids[index]),
            &mut |batch| {
                let (indices, inputs): (Vec<usize>, Vec<_>) = batch.into_iter().unzip();
                let which = which(ids, &indices);
                let (made, split) = self.sample(inputs, &mut |step, steps| {
                    bar.set_message(format!("{name}, {which}, step {step} of {steps}"));
                });
                if let Some(error) = split {
                    current = batch::after(&error, current);
                    warn_split(name, &which, current, &progress::one_line(&error.into()));
                }
                Sampled {
                    made,
                    size: current,
                }
            },
            &mut |index, written: Result<()>| {
                let made = written.map(|()| Vec::new());
                note(folder, Stage::Generate, [name, &ids[index]], made)?;
                bar.inc(1);
                Ok(())
            },
        )
    }

    /// Generates the samples at `indices` in one batch, and writes their images and attention records. `on_step` is called with the
    /// number of each step and that of all.
    pub(crate) fn make(
        &self,
        paths: &RunPaths,
        indices: &[usize],
        on_step: &mut dyn FnMut(usize, usize),
    ) -> Made {
        let inputs = indices
            .iter()
            .map(|&index| read(self.plan, self.entry, index))
            .collect();
        let (kept, split) = self.sample(inputs, on_step);
        let (name, ids) = (&self.entry.name, self.plan.dataset.ids());
        let made = indices.iter().zip(kept);
        let made = made.map(|(&index, kept)| kept?.write(paths, name, &ids[index]));
        Made {
            results: made.collect(),
            split,
        }
    }

    /// Samples one batch; a sample that could not be read has the error of that. The second is why samples were done again one by one.
    fn sample(
        &self,
        inputs: Vec<Result<(Sample, NoiseSource)>>,
        on_step: &mut dyn FnMut(usize, usize),
    ) -> (Vec<Result<Kept>>, Option<RunnerError>) {
        let jobs: Vec<Job<'_>> = inputs
            .iter()
            .flatten()
            .map(|(sample, noise)| Job { sample, noise })
            .collect();
        let steps = self.pipeline.steps();
        let on_step = &mut |step| on_step(step, steps);
        let batch = (self.pipeline).generate_batch(&jobs, Some(&self.capture), on_step);
        let mut generated = batch.results.into_iter();
        // Every sample that could be read has a result.
        let kept = inputs.into_iter().filter_map(|read| match read {
            Ok(_) => {
                let generated = generated.next()?.map_err(anyhow::Error::from);
                Some(generated.map(|Generated { image, record, .. }| Kept { image, record }))
            }
            Err(error) => Some(Err(error)),
        });
        (kept.collect(), batch.split)
    }
}

/// What `entry` reads of sample `index`, and its noise.
fn read(plan: &Plan, entry: &ModelEntry, index: usize) -> Result<(Sample, NoiseSource)> {
    let dataset = plan.dataset.as_ref();
    let needs = entry.model.needs();
    let load = |index| dataset.load_parts(index, &plan.parts(index, needs));
    let sample = plan.sample_of(&entry.name, index, load)?;
    let noise = NoiseSource::Seeded {
        seed: plan.config.seed,
        dataset: dataset.name().to_owned(),
        sample: sample.id.clone(),
    };
    Ok((sample, noise))
}

/// What is kept of a sample.
struct Kept {
    image: RgbImage,
    record: Option<AttentionRecord>,
}

impl Kept {
    fn write(&self, paths: &RunPaths, model: &str, id: &str) -> Result<()> {
        i2am_imaging::write_png_rgb(paths.image(model, id), &self.image)?;
        if let Some(record) = &self.record {
            i2am_files::write_atomic(paths.attention(model, id), &record.to_bytes()?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use i2am_nets::guard::guard;
    use i2am_runner::RunnerError;
    use tch::TchError;

    use super::super::reason;
    use crate::exit::Outcome;

    /// A sample in which an operator fails with `message`.
    fn failed(message: &str) -> anyhow::Error {
        let error = TchError::Torch(format!("{message}\nException raised from f"));
        let fault = guard(|| panic!("called `Result::unwrap()` on an `Err` value: {error:?}"));
        let fault: Result<(), _> = fault;
        RunnerError::from(fault.unwrap_err()).into()
    }

    #[test]
    fn an_operator_that_fails_is_noted_of_its_sample() {
        let reason = reason(&failed("sizes do not match"), "a", "0").unwrap();
        assert_eq!(reason, "libtorch: sizes do not match");
    }

    #[test]
    fn a_lost_device_ends_the_run() {
        let lost = failed("CUDA error: an illegal memory access was encountered");
        let error = reason(&lost, "a", "0").unwrap_err();
        assert_eq!(Outcome::of(&error), Outcome::Failed);
        let message = format!("{error:#}");
        assert!(
            message.starts_with("model `a`, sample 0: the device cannot be used again")
                && message.lines().count() == 1,
            "{message}"
        );
    }
}
