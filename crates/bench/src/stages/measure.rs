//! Third stage: pictures against their ground truth, and all of a model's pictures against all real ones.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use i2am_datasets::{Goal, Part, Sample};
use i2am_imaging::{RgbImage, pillow_bicubic_rgb, read_rgb};
use i2am_metrics::{
    Configured, DEFAULT_BATCH, MetricError, Needs, Pair, PairMetric, PairValue, PictureFiles,
    Prepared, Side,
};
use i2am_quantity::{Note, Notes};
use i2am_results::{Measurement, Outcome, RunFolder, SampleResult, SetScore, Stage, Status};
use rayon::prelude::*;

use crate::cache;
use crate::cli::Shard;
use crate::exit::usage;
use crate::metrics::{prepare, resources};
use crate::plan::Plan;
use crate::progress::{self, MetricBars};

/// Samples measured before their rows are written.
const BATCH: usize = 16;

/// Measures what the configuration asks for. Samples that are measured already are not measured again; scores of sets are.
pub(crate) fn run(plan: &Plan, folder: &mut RunFolder) -> Result<()> {
    let metrics = &plan.config.metrics.configured;
    if metrics.is_empty() {
        return Ok(());
    }
    let resources = resources(&plan.device, DEFAULT_BATCH, cache::features())?;
    let prepared = prepare(metrics, resources)?;
    let of = |needs| {
        let both = metrics.iter().map(AsRef::as_ref).zip(&prepared);
        both.filter(move |(metric, _)| metric.info().needs == needs)
            .collect::<Vec<_>>()
    };
    let (pairs, sets) = (of(Needs::Pairs), of(Needs::Sets));
    for index in 0..plan.models.len() {
        let work = Work {
            plan,
            model: &plan.models[index].name,
        };
        work.measure_samples(folder, &pairs)?;
        work.measure_set(folder, &sets)?;
    }
    Ok(())
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

/// A metric and what it measures with.
type Ready<'a> = (&'a dyn Configured, &'a Prepared);

struct Work<'a> {
    plan: &'a Plan,
    model: &'a str,
}

/// A generated picture and what it should be, of one size, or why there is no such picture.
struct Loaded {
    generated: RgbImage,
    real: Result<RgbImage, String>,
    note: String,
}

impl Work<'_> {
    fn ids(&self) -> &[String] {
        self.plan.dataset.ids()
    }

    /// Indices of the samples that have a picture.
    fn generated(&self, folder: &RunFolder) -> Vec<usize> {
        let done = |id: &String| folder.done(Stage::Generate, self.model, id) == Some(Status::Ok);
        let ids = self.ids();
        let wanted = self.plan.indices();
        wanted.filter(|&index| done(&ids[index])).collect()
    }

    fn measure_samples(&self, folder: &mut RunFolder, metrics: &[Ready<'_>]) -> Result<()> {
        if metrics.is_empty() {
            return Ok(());
        }
        let measured = |index: &usize| {
            folder.done(Stage::Measure, self.model, &self.ids()[*index]) == Some(Status::Ok)
        };
        let left: Vec<usize> = self
            .generated(folder)
            .into_iter()
            .filter(|index| !measured(index))
            .collect();
        let bar = progress::bar(&format!("{}: metrics", self.model), left.len() as u64);
        for batch in left.chunks(BATCH) {
            let loaded: Vec<Result<Loaded>> = batch
                .par_iter()
                .map(|&index| self.load(folder, index))
                .collect();
            for (&index, loaded) in batch.iter().zip(loaded) {
                let measured = loaded.and_then(|loaded| measure_sample(&loaded, metrics));
                let (measurements, failure) = match measured {
                    Ok(measurements) => (measurements, None),
                    Err(error) if is_device_lost(&error) => return Err(error),
                    Err(error) => (Vec::new(), Some(format!("{error:#}"))),
                };
                let id = &self.ids()[index];
                if let Some(reason) = &failure {
                    tracing::warn!("{}: sample {id}: {reason}", self.model);
                }
                folder.append(&SampleResult {
                    stage: Stage::Measure,
                    model: self.model.to_owned(),
                    sample_id: id.clone(),
                    measurements,
                    failure,
                })?;
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn load(&self, folder: &RunFolder, index: usize) -> Result<Loaded> {
        let Sample {
            id, ground_truth, ..
        } = self
            .plan
            .dataset
            .load_present(index, &[Part::GroundTruth])?;
        let generated =
            read_rgb(folder.paths().image(self.model, &id)).context("the generated picture")?;
        let (width, height) = generated.dimensions();
        let mut note = String::new();
        let real = match (ground_truth, self.plan.dataset.goal()) {
            (None, _) => Err("there is no ground truth".to_owned()),
            (Some(truth), _) if truth.dimensions() == (width, height) => Ok(truth),
            (Some(truth), Goal::Repaint) => {
                note = format!(
                    "ground truth resized from {}x{} (Pillow bicubic)",
                    truth.height(),
                    truth.width()
                );
                Ok(pillow_bicubic_rgb(&truth, height as usize, width as usize))
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
        let images = indices
            .iter()
            .map(|&index| folder.paths().image(self.model, &self.ids()[index]))
            .collect();
        let generated = PictureFiles::of(folder.paths().dir(), images);
        let real = PictureFiles::of(self.plan.dataset.root(), self.real_files());
        let bars = MetricBars::default();
        let mut scores = Vec::new();
        for (metric, prepared) in metrics {
            let Prepared::Sets(set) = prepared else {
                unreachable!("chosen by what they need")
            };
            let scored = set.measure(Side::Pictures(&generated), Side::Pictures(&real), &bars);
            // A set that is too small is no reason to give up what can be measured.
            let (outcome, sd, notes) = match scored {
                Ok(score) => (Outcome::of(score.value), score.std, score.notes),
                Err(error) if error.is_device_lost() => return Err(error.into()),
                Err(error) => {
                    let name = metric.info().quantity.name;
                    tracing::warn!("{}: {name}: {error}", self.model);
                    (Outcome::empty(error), None, Vec::new())
                }
            };
            scores.push(SetScore {
                note: notes.into_iter().map(Note::Remark).collect(),
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

/// Whether all samples that follow would fail too.
fn is_device_lost(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<MetricError>();
    error.is_some_and(MetricError::is_device_lost)
}

/// One row per metric.
fn measure_sample(loaded: &Loaded, metrics: &[Ready<'_>]) -> Result<Vec<Measurement>> {
    let one = |(metric, prepared): &Ready<'_>| {
        let Prepared::Pairs(pairs) = prepared else {
            unreachable!("chosen by what they need")
        };
        let quantity = metric.info().quantity;
        let outcome = outcome(loaded, pairs.as_ref()).context(quantity.name)?;
        let note = Notes::from(loaded.note.as_str());
        Ok(Measurement::of(quantity, outcome)
            .under(metric.variant())
            .with(note))
    };
    metrics.iter().map(one).collect()
}

fn outcome(loaded: &Loaded, metric: &dyn PairMetric) -> Result<Outcome> {
    let real = match &loaded.real {
        Ok(real) => real,
        Err(reason) => return Ok(Outcome::empty(reason)),
    };
    let values = metric.measure(&[Pair::new(&loaded.generated, real)?])?;
    Ok(match &values[..] {
        [PairValue::Value(value)] => Outcome::ok(*value).unwrap_or_else(Outcome::failed),
        [PairValue::Undefined(reason)] => Outcome::empty(reason),
        [PairValue::Failed(reason)] => anyhow::bail!("{reason}"),
        _ => unreachable!("one value for one pair"),
    })
}
