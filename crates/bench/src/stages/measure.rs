//! Third stage: pictures against their ground truth, and all of a model's pictures against all real ones.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use i2am_datasets::{Goal, Part};
use i2am_imaging::{GrayImage, RgbImage, read_rgb, read_size};
use i2am_metrics::{
    Configured, DEFAULT_BATCH, Needs, Pair, PairMetric, PairValue, PictureFiles, Pictures,
    Prepared, Region, Side,
};
use i2am_quantity::{Note, Notes};
use i2am_results::{AggregateRow, Measurement, Outcome, RunFolder, SetScore, Stage, Status};
use rayon::prelude::*;

use super::note;
use crate::cache;
use crate::cli::StageName;
use crate::config::{GroundTruth, RealSets};
use crate::exit::usage;
use crate::metrics::{Resized, prepare, resources};
use crate::plan::Plan;
use crate::progress::{self, MetricBars};
use crate::shard::Shard;

/// Samples measured before their rows are written.
const BATCH: usize = 16;

/// Measures what the configuration asks for. What is measured already, and of the same images, is not measured again.
pub(crate) fn run(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    let metrics = &plan.config.metrics.configured;
    if !is_left(plan, folder) {
        return Ok(());
    }
    let resources = resources(&plan.device, DEFAULT_BATCH, cache::features())?;
    let prepared = prepare(metrics, resources)?;
    let both = metrics.iter().map(AsRef::as_ref).zip(&prepared);
    let (sets, samples): (Vec<Ready<'_>>, Vec<_>) =
        both.partition(|(metric, _)| metric.info().needs == Needs::Sets);
    measure_samples(plan, folder, &samples)?;
    let standing = folder.set_scores();
    for entry in &plan.models {
        let work = Work {
            plan,
            model: &entry.name,
        };
        if !work.set_stands(folder, &standing) {
            work.measure_set(folder, &sets)?;
        }
    }
    Ok(())
}

/// Whether there is a sample or a set to measure.
pub(super) fn is_left(plan: &Plan, folder: &RunFolder) -> bool {
    let mut metrics = plan.config.metrics.configured.iter();
    let of_samples = metrics.any(|metric| metric.info().needs != Needs::Sets);
    let standing = folder.set_scores();
    plan.models.iter().any(|entry| {
        let work = Work {
            plan,
            model: &entry.name,
        };
        let mut generated = work.generated(folder).into_iter();
        (of_samples && generated.any(|index| !work.is_measured(folder, index)))
            || !work.set_stands(folder, &standing)
    })
}

/// Measures every sample that has an image and was not measured yet, by all `metrics`. The images of one sample by all models come one
/// after the other: what a metric computes of their ground truth, it then computes once.
fn measure_samples(plan: &Plan, folder: &mut RunFolder, metrics: &[Ready<'_>]) -> Result<()> {
    if metrics.is_empty() {
        return Ok(());
    }
    let left: Vec<(usize, Vec<Work<'_>>)> = {
        let all = plan.models.iter().map(|entry| Work {
            plan,
            model: &entry.name,
        });
        let all: Vec<Work<'_>> = all.collect();
        let of = |index| {
            let is_left = |work: &&Work<'_>| {
                work.is_generated(folder, index) && !work.is_measured(folder, index)
            };
            (
                index,
                all.iter().filter(is_left).copied().collect::<Vec<_>>(),
            )
        };
        let samples = plan.indices().map(of);
        samples.filter(|(_, works)| !works.is_empty()).collect()
    };
    let count: usize = left.iter().map(|(_, works)| works.len()).sum();
    let bar = progress::bar("measure", count as u64);
    for batch in left.chunks(BATCH) {
        let load = |(index, works): &(usize, Vec<Work<'_>>)| -> Vec<Result<Loaded>> {
            let inputs = Inputs::load(plan, *index);
            let loaded = works.iter().map(|work| work.load(folder, *index, &inputs));
            loaded.collect()
        };
        let loaded: Vec<Vec<Result<Loaded>>> = batch.par_iter().map(load).collect();
        for ((index, works), loaded) in batch.iter().zip(loaded) {
            for (work, loaded) in works.iter().zip(loaded) {
                let measured = loaded.and_then(|loaded| measure_sample(&loaded, metrics));
                let measured = measured.map(|rows| plan.noted(work.model, rows));
                let sample = [work.model, &plan.dataset.ids()[*index]];
                note(folder, Stage::Measure, sample, measured)?;
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// What images of a sample are compared with.
struct Inputs {
    ground_truth: Option<Arc<RgbImage>>,
    reference: Arc<RgbImage>,
    mask: GrayImage,
}

impl Inputs {
    /// Those of sample `index`, or why they cannot be read.
    fn load(plan: &Plan, index: usize) -> Result<Self, String> {
        let loaded = plan.dataset.load_present(index, &[Part::GroundTruth]);
        let sample = loaded.map_err(|error| progress::one_line(&error.into()))?;
        Ok(Self {
            ground_truth: sample.ground_truth.map(Arc::new),
            reference: Arc::new(sample.reference),
            mask: sample.mask,
        })
    }
}

/// Makes sure that everything the metrics need is there.
///
/// # Errors
/// Weights that are missing or do not fit; a metric that this build does not have.
pub(crate) fn check(plan: &Plan) -> Result<()> {
    let configured = &plan.config.metrics.configured;
    let mut infos = configured.iter().map(|metric| metric.info());
    if let Some(info) = infos.find(|info| !info.is_available()) {
        return Err(usage(format!(
            "[metric.{}]: this build has no libtorch, so it cannot measure it; leave it out, or leave `measure` out of --stages",
            info.quantity.name
        )));
    }
    if !configured.is_empty() {
        prepare(configured, resources(&plan.device, DEFAULT_BATCH, None)?)?;
    }
    Ok(())
}

/// A sentence for each metric that was asked for and has no value for a model, with the reason. `rows` is what the run amounts to.
pub(crate) fn without_value(plan: &Plan, rows: &[AggregateRow]) -> Vec<String> {
    let mut sentences = Vec::new();
    if !plan.stages.contains(&StageName::Measure) || plan.indices().next().is_none() {
        return sentences;
    }
    for entry in &plan.models {
        for metric in &plan.config.metrics.configured {
            let (info, variant) = (metric.info(), metric.variant());
            // A shard has no whole set.
            if info.needs == Needs::Sets && plan.shard.is_some() {
                continue;
            }
            let (model, name) = (&entry.name, info.quantity.name);
            let row = rows
                .iter()
                .find(|row| row.model == *model && row.metric == name && row.convention == variant);
            let reason = match row {
                Some(row) if row.mean.is_some() => continue,
                Some(row) => row
                    .without_value()
                    .unwrap_or_else(|| format!("no value: {}", row.note)),
                None => "no value: there is no image, or none that could be read".to_owned(),
            };
            sentences.push(format!("model {model}, {name}: {reason}"));
        }
    }
    sentences
}

/// A metric and what it measures with.
type Ready<'a> = (&'a dyn Configured, &'a Prepared);

#[derive(Clone, Copy)]
struct Work<'a> {
    plan: &'a Plan,
    model: &'a str,
}

/// A generated picture, and what it is compared with.
struct Loaded {
    generated: RgbImage,
    /// What it should be, of the same size, or why there is no such picture.
    real: Result<Arc<RgbImage>, String>,
    /// What became of the size of `real`.
    note: String,
    reference: Arc<RgbImage>,
    /// The masked region of `generated`.
    region: Option<Region>,
}

impl Work<'_> {
    fn ids(&self) -> &[String] {
        self.plan.dataset.ids()
    }

    fn is_done(&self, folder: &RunFolder, stage: Stage, index: usize) -> bool {
        folder.done(stage, self.model, &self.ids()[index]) == Some(Status::Ok)
    }

    fn is_generated(&self, folder: &RunFolder, index: usize) -> bool {
        self.is_done(folder, Stage::Generate, index)
    }

    fn is_measured(&self, folder: &RunFolder, index: usize) -> bool {
        self.is_done(folder, Stage::Measure, index)
    }

    /// Indices of the samples that have a picture.
    fn generated(&self, folder: &RunFolder) -> Vec<usize> {
        let wanted = self.plan.indices();
        wanted
            .filter(|&index| self.is_generated(folder, index))
            .collect()
    }

    /// Whether the scores of its set are among `standing`, which were measured on the generated images of now. Whether the real ones
    /// are those of now is known only where every sample has an image: then the fingerprints of both are the same.
    fn set_stands(&self, folder: &RunFolder, standing: &[SetScore]) -> bool {
        let n = self.generated(folder).len();
        let stands = |score: &SetScore| {
            let whole = n == self.plan.samples && score.outcome.value().is_some();
            score.n == n && (whole || self.plan.shard.is_some())
        };
        let mut sets = self.plan.config.metrics.configured.iter();
        n == 0
            || sets.all(|metric| {
                let (info, variant) = (metric.info(), metric.variant());
                let is_it = |score: &&SetScore| {
                    score.model == self.model
                        && score.metric == info.quantity.name
                        && score.version == info.quantity.version
                        && score.convention == variant
                };
                info.needs != Needs::Sets || standing.iter().find(is_it).is_some_and(stands)
            })
    }

    fn load(
        &self,
        folder: &RunFolder,
        index: usize,
        inputs: &Result<Inputs, String>,
    ) -> Result<Loaded> {
        let id = &self.ids()[index];
        let inputs = inputs.as_ref().map_err(|error| anyhow!(error.clone()))?;
        let truth = &inputs.ground_truth;
        let generated =
            read_rgb(folder.paths().image(self.model, id)).context("the generated picture")?;
        let (width, height) = generated.dimensions();
        let mut note = String::new();
        let real = match (truth, self.plan.dataset.goal()) {
            (None, _) => Err("there is no ground truth".to_owned()),
            (Some(truth), _) if truth.dimensions() == (width, height) => Ok(Arc::clone(truth)),
            (Some(truth), Goal::Repaint) => {
                let filter = self.plan.config.ground_truth.filter;
                note = format!(
                    "ground truth resized from {}x{} ({})",
                    truth.height(),
                    truth.width(),
                    filter.title()
                );
                Ok(Arc::new(filter.resize(
                    truth,
                    height as usize,
                    width as usize,
                )))
            }
            // What resizing does to a picture is what is measured here.
            (Some(truth), Goal::Enlarge { scale }) => Err(format!(
                "expected a picture of {}x{} as the ground truth ({scale} times the low-resolution one), found {height}x{width}",
                truth.height(),
                truth.width()
            )),
        };
        Ok(Loaded {
            generated,
            real,
            note,
            reference: Arc::clone(&inputs.reference),
            region: Region::around(&inputs.mask, [height, width]),
        })
    }

    fn measure_set(&self, folder: &mut RunFolder, metrics: &[Ready<'_>]) -> Result<()> {
        let indices = self.generated(folder);
        if metrics.is_empty() || indices.is_empty() {
            return Ok(());
        }
        if let Some(Shard { index, count }) = self.plan.shard {
            let reason =
                format!("shard {index} of {count}: measured on the whole run, after `bench merge`");
            let score = |(metric, _): &Ready<'_>| {
                self.set_score(*metric, indices.len(), Outcome::empty(&reason))
            };
            return Ok(folder.put_set_scores(metrics.iter().map(score).collect())?);
        }
        let images: Vec<PathBuf> = indices
            .iter()
            .map(|&index| folder.paths().image(self.model, &self.ids()[index]))
            .collect();
        let GroundTruth { filter, sets } = self.plan.config.ground_truth;
        let first_height = || images.iter().find_map(|path| read_size(path).ok());
        let height = match sets {
            RealSets::Stored => None,
            RealSets::Resized => first_height().map(|[height, _]| height),
        };
        let generated = PictureFiles::of(folder.paths().dir(), images);
        let stored = PictureFiles::of(self.plan.dataset.root(), self.real_files());
        let resized = height.map(|height| Resized {
            pictures: &stored,
            filter,
            height: height as u32,
        });
        let real = resized
            .as_ref()
            .map_or(&stored as &dyn Pictures, |resized| resized);
        let bars = MetricBars::default();
        let mut scores = Vec::new();
        for (metric, prepared) in metrics {
            let Prepared::Sets(set) = prepared else {
                unreachable!("chosen by what they need")
            };
            let scored = set.measure(Side::Pictures(&generated), Side::Pictures(real), &bars);
            // A set that is too small is no reason to give up what can be measured.
            let (outcome, sd, notes) = match scored {
                Ok(score) => (Outcome::of(score.value), score.std, score.notes),
                Err(error) if error.is_device_lost() => return Err(error.into()),
                Err(error) => {
                    let name = metric.info().quantity.name;
                    tracing::warn!("{}: {name}: {error}", self.model);
                    (Outcome::failed(error), None, Vec::new())
                }
            };
            let resized = height.map(|height| {
                let filter = filter.title();
                format!("real pictures at the height of the generated ones, {height} ({filter})")
            });
            scores.push(SetScore {
                note: notes
                    .into_iter()
                    .chain(resized)
                    .map(Note::Remark)
                    .chain(self.plan.note_of(self.model))
                    .collect(),
                sd,
                ..self.set_score(*metric, indices.len(), outcome)
            });
        }
        Ok(folder.put_set_scores(scores)?)
    }

    /// A score over `n` pictures that needs no remark.
    fn set_score(&self, metric: &dyn Configured, n: usize, outcome: Outcome) -> SetScore {
        SetScore {
            model: self.model.to_owned(),
            metric: metric.info().quantity.name.to_owned(),
            version: metric.info().quantity.version,
            convention: metric.variant(),
            note: Notes::NONE,
            n,
            outcome,
            sd: None,
        }
    }

    /// The real picture of every sample: its ground truth, else the picture that was inpainted.
    fn real_files(&self) -> Vec<PathBuf> {
        let file = |index| {
            let dataset = &self.plan.dataset;
            let of = |part| dataset.path(index, part).filter(|path| path.is_file());
            of(Part::GroundTruth).or_else(|| of(Part::Image))
        };
        (0..self.plan.samples).filter_map(file).collect()
    }
}

/// One row per metric.
fn measure_sample(loaded: &Loaded, metrics: &[Ready<'_>]) -> Result<Vec<Measurement>> {
    let one = |(metric, prepared): &Ready<'_>| {
        let Prepared::Pairs(pairs) = prepared else {
            unreachable!("chosen by what they need")
        };
        let (quantity, needs) = (metric.info().quantity, metric.info().needs);
        let outcome = outcome(loaded, needs, pairs.as_ref()).context(quantity.name)?;
        let note = if needs == Needs::Pairs {
            Notes::from(loaded.note.as_str())
        } else {
            Notes::NONE
        };
        Ok(Measurement::of(quantity, outcome)
            .under(metric.variant())
            .with(note))
    };
    metrics.iter().map(one).collect()
}

fn outcome(loaded: &Loaded, needs: Needs, metric: &dyn PairMetric) -> Result<Outcome> {
    let pair = match (needs, &loaded.real) {
        (Needs::References, _) => {
            Pair::with_reference(&loaded.generated, &loaded.reference, loaded.region)
        }
        (_, Ok(real)) => Pair::new(&loaded.generated, real)?,
        (_, Err(reason)) => return Ok(Outcome::empty(reason)),
    };
    let values = metric.measure(&[pair])?;
    Ok(match &values[..] {
        [PairValue::Value(value)] => Outcome::ok(*value).unwrap_or_else(Outcome::failed),
        [PairValue::Undefined(reason)] => Outcome::empty(reason),
        [PairValue::Failed(reason)] => anyhow::bail!("{reason}"),
        _ => unreachable!("one value for one pair"),
    })
}
