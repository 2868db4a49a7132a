//! Metrics on folders, no model.

mod printed;
mod source;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use i2am_imaging::{ColorMap, colored, limit_megapixels, write_png_rgb};
use i2am_metrics::{
    Configured, Needs, Pair, PairMetric, PairValue, Pictures, Prepared, Progress as _, SetMetric,
    SetScore,
};
use serde_json::{Value, json};

use crate::cache;
use crate::cli::MeasureArgs;
use crate::device::use_threads;
use crate::exit::{Outcome, usage};
use crate::metrics::{
    Resize, Setting, by_flag, measure_pairs, prepare, read_any_pair, read_pair, resources,
};
use crate::progress::{self, MetricBars};
use crate::suggest;
use source::{Source, is_statistics};

/// One line of the result.
pub(super) struct Line {
    pub(crate) metric: &'static str,
    pub(crate) variant: String,
    pub(crate) value: Option<f64>,
    pub(crate) std: Option<f64>,
    pub(crate) n_generated: Option<usize>,
    pub(crate) n_real: Option<usize>,
    /// One value per pair, `None` where the metric has none.
    pub(crate) per_sample: Option<Vec<Option<f64>>>,
    /// Whether computing the value of a pair went wrong.
    pub(crate) some_failed: bool,
    pub(crate) notes: Vec<String>,
}

/// Measures every metric asked for.
pub(super) fn run(args: &MeasureArgs) -> Result<Outcome> {
    use_threads(args.threads)?;
    limit_megapixels(args.max_megapixels);
    let metrics = configured(args)?;
    let mut resources = resources(&args.device, args.batch_size, cache(args))?;
    for weights in &args.weights {
        let (name, file) = weights
            .split_once('=')
            .ok_or_else(|| usage(format!("--weights {weights}: expected NAME=FILE")))?;
        let known = i2am_metrics::weights();
        if !known.contains_key(name) {
            let help = suggest::help(name, known.into_keys());
            return Err(usage(format!(
                "--weights {weights}: no weights `{name}`: {help}"
            )));
        }
        resources
            .weights
            .insert(name.to_owned(), PathBuf::from(file));
    }
    if let Some(path) = &args.write_statistics {
        if !is_statistics(path) {
            let path = path.display();
            return Err(usage(format!(
                "--write-statistics {path}: expected a file whose name ends in .npz, as --real needs it"
            )));
        }
        i2am_files::ensure_writable(path)?;
    }
    if let Some(folder) = &args.maps {
        i2am_files::ensure_writable(folder.join("map.png"))?;
    }
    let real = Source::open(&args.real, args.recursive)?;
    let generated = args
        .generated
        .as_ref()
        .map(|path| Source::open(path, args.recursive))
        .transpose()?;
    let prepared = prepare(&metrics, resources)?;
    let bars = MetricBars::default();

    if let Some(path) = &args.write_statistics {
        let writer = prepared.iter().find_map(|metric| match metric {
            Prepared::Sets(metric) => Some(metric),
            Prepared::Pairs(_) => None,
        });
        let writer = writer.ok_or_else(|| usage("--write-statistics: expected --metric fid"))?;
        writer.write_statistics(real.side(), path, &bars)?;
        tracing::info!("wrote {}", path.display());
    }
    let Some(generated) = generated else {
        return Ok(Outcome::Ok);
    };
    let work = Work {
        generated: &generated,
        real: &real,
        resize: args.resize.map(|filter| Resize {
            filter,
            side: args.resize_side,
        }),
        bars: &bars,
    };
    let lines = work.measure(&metrics, &prepared)?;
    if let Some(folder) = &args.maps {
        work.write_maps(&metrics, &prepared, folder)?;
    }
    for line in &lines {
        for note in &line.notes {
            tracing::warn!("{} {}: {note}", line.metric, line.variant);
        }
    }
    if args.json {
        progress::print(&as_json(&lines, &generated, args.per_sample).to_string())?;
    } else {
        let names = args.per_sample.then(|| generated.names()).flatten();
        progress::print(&printed::measured(&lines, names))?;
    }
    // A score that was asked for and is not there is no success. That of pairs is there where it is infinite.
    let is_missing = |line: &Line| line.value.is_none() && line.per_sample.is_none();
    let failed = |line: &Line| line.some_failed || is_missing(line);
    Ok(if lines.iter().any(failed) {
        Outcome::SomeFailed
    } else {
        Outcome::Ok
    })
}

fn configured(args: &MeasureArgs) -> Result<Vec<Box<dyn Configured>>> {
    let flags: Vec<(&str, &str, u32)> = [
        ("fid", "tap", args.tap),
        ("kid", "subset_size", args.subset_size),
        ("kid", "subsets", args.subsets),
        ("psnr", "crop_border", args.crop_border),
        ("ssim", "crop_border", args.crop_border),
    ]
    .into_iter()
    .filter_map(|(metric, key, value)| Some((metric, key, value?)))
    .collect();
    let asked = |metric: &str| {
        args.metrics
            .iter()
            .any(|flag| flag.split(':').next() == Some(metric))
    };
    for (_, key, _) in &flags {
        let owners = flags.iter().filter(|(_, other, _)| other == key);
        let owners: Vec<&str> = owners.map(|(metric, ..)| *metric).collect();
        if !owners.iter().any(|metric| asked(metric)) {
            let flag = key.replace('_', "-");
            let owners = owners.join(" and ");
            return Err(usage(format!(
                "--{flag}: a setting of {owners}, which is not measured"
            )));
        }
    }
    let mut settings: Vec<Setting> = flags
        .into_iter()
        .map(|(metric, key, value)| Setting {
            metric: metric.to_owned(),
            key: key.to_owned(),
            value: value.to_string(),
        })
        .collect();
    for set in &args.sets {
        let setting = Setting::parse(set)?;
        if !asked(&setting.metric) {
            let metric = setting.metric;
            return Err(usage(format!(
                "--set {set}: a setting of {metric}, which is not measured"
            )));
        }
        settings.push(setting);
    }
    if args.maps.is_some() && !asked("lpips") {
        return Err(usage(
            "--maps: expected --metric lpips, no other metric knows where pictures differ",
        ));
    }
    args.metrics
        .iter()
        .map(|flag| by_flag(flag, &settings))
        .collect()
}

fn cache(args: &MeasureArgs) -> Option<PathBuf> {
    match (&args.cache, args.no_cache) {
        (Some(folder), _) => Some(folder.clone()),
        (None, true) => None,
        (None, false) => cache::features(),
    }
}

struct Work<'a> {
    generated: &'a Source,
    real: &'a Source,
    resize: Option<Resize>,
    bars: &'a MetricBars,
}

impl Work<'_> {
    /// Lines in the order of `metrics`. All metrics of pairs share one reading of the pictures.
    fn measure(&self, metrics: &[Box<dyn Configured>], prepared: &[Prepared]) -> Result<Vec<Line>> {
        let of_pairs: Vec<&dyn PairMetric> = prepared
            .iter()
            .filter_map(|metric| match metric {
                Prepared::Pairs(metric) => Some(metric.as_ref()),
                Prepared::Sets(_) => None,
            })
            .collect();
        if self.resize.is_some() && of_pairs.is_empty() {
            return Err(usage(
                "--resize: a setting of metrics of pairs, of which none is measured",
            ));
        }
        // Reference images are of any size.
        let one_size = metrics
            .iter()
            .any(|metric| metric.info().needs == Needs::Pairs);
        let (pair_scores, resized) = if of_pairs.is_empty() {
            (Vec::new(), None)
        } else {
            self.pairs(&of_pairs, one_size)?
        };
        let mut pair_scores = pair_scores.into_iter();
        let mut line = |(metric, prepared): (&dyn Configured, &Prepared)| match prepared {
            Prepared::Pairs(_) => {
                debug_assert_ne!(metric.info().needs, Needs::Sets);
                let scores = pair_scores
                    .next()
                    .expect("one list of scores for each metric of pairs");
                Ok(pair_line(metric, &scores, resized.clone()))
            }
            Prepared::Sets(set) => self.set_line(metric, set.as_ref()),
        };
        let metrics = metrics.iter().map(AsRef::as_ref);
        let lines: Vec<(&dyn Configured, Result<Line>)> = metrics
            .zip(prepared)
            .map(|pair| (pair.0, line(pair)))
            .collect();
        // What was computed is shown, whatever became of the others.
        let is_lost = lines.iter().all(|(_, line)| line.is_err());
        lines
            .into_iter()
            .map(|(metric, line)| match line {
                Err(error) if !is_lost => Ok(failed_line(metric, &error)),
                line => line,
            })
            .collect()
    }

    /// One list of values for each metric, and what became of pairs of two sizes.
    fn pairs(
        &self,
        metrics: &[&dyn PairMetric],
        one_size: bool,
    ) -> Result<(Vec<Vec<PairValue>>, Option<String>)> {
        /// Pairs in memory at a time, twice.
        const BATCH: usize = 16;
        let generated = self.generated.files()?;
        let real = generated.paired_with(self.real.files()?)?;
        let resized = AtomicUsize::new(0);
        let load = |index: usize| {
            let (generated, real) = (&generated.files()[index], &real[index]);
            if !one_size && self.resize.is_none() {
                return read_any_pair(generated, real);
            }
            let (pair, was_resized) = read_pair(generated, real, self.resize)?;
            resized.fetch_add(usize::from(was_resized), Ordering::Relaxed);
            Ok(pair)
        };
        let name = |index: usize| generated.files()[index].display().to_string();
        let scores = measure_pairs(metrics, generated.len(), BATCH, &load, &name, self.bars)?;
        let resized = resized.into_inner();
        let note = self
            .resize
            .and_then(|resize| resize.note(resized, generated.len()));
        Ok((scores, note))
    }

    /// One picture per pair and metric that knows where they differ: `<name>.<metric>-<variant>.png`.
    fn write_maps(
        &self,
        metrics: &[Box<dyn Configured>],
        prepared: &[Prepared],
        folder: &Path,
    ) -> Result<()> {
        let generated = self.generated.files()?;
        let real = generated.paired_with(self.real.files()?)?;
        let mut written = 0;
        self.bars.start("maps", real.len() as u64);
        for (index, (file, real)) in generated.files().iter().zip(&real).enumerate() {
            let ((generated_picture, real), _) = read_pair(file, real, self.resize)?;
            let pair = Pair::new(&generated_picture, &real)?;
            for (metric, prepared) in metrics.iter().zip(prepared) {
                let Prepared::Pairs(of_pairs) = prepared else {
                    continue;
                };
                if let Some(map) = of_pairs.map(&pair)? {
                    let name = Path::new(&generated.names()[index]).with_extension("");
                    let name = format!(
                        "{}.{}-{}.png",
                        name.display(),
                        metric.info().quantity.name,
                        metric.variant()
                    );
                    write_png_rgb(folder.join(name), &colored(&map, ColorMap::default()))?;
                    written += 1;
                }
            }
            self.bars.advance(1);
        }
        self.bars.finish();
        tracing::info!("wrote {written} maps into {}", folder.display());
        Ok(())
    }

    fn set_line(&self, metric: &dyn Configured, set: &dyn SetMetric) -> Result<Line> {
        let SetScore {
            value,
            std,
            n_generated,
            n_real,
            notes,
        } = set.measure(self.generated.side(), self.real.side(), self.bars)?;
        Ok(Line {
            metric: metric.info().quantity.name,
            variant: metric.variant(),
            // Not -0.0.
            value: Some(value + 0.0),
            std,
            n_generated,
            n_real,
            per_sample: None,
            some_failed: false,
            notes,
        })
    }
}

/// A metric that could not be measured; others may have been.
fn failed_line(metric: &dyn Configured, error: &anyhow::Error) -> Line {
    Line {
        metric: metric.info().quantity.name,
        variant: metric.variant(),
        value: None,
        std: None,
        n_generated: None,
        n_real: None,
        per_sample: None,
        some_failed: true,
        notes: vec![format!("no value: {error:#}")],
    }
}

/// The mean over the pairs that have a value.
fn pair_line(metric: &dyn Configured, scores: &[PairValue], resized: Option<String>) -> Line {
    let values: Vec<Option<f64>> = scores
        .iter()
        .map(|score| match score {
            PairValue::Value(value) => Some(*value),
            PairValue::Undefined(_) | PairValue::Failed(_) => None,
        })
        .collect();
    let found: Vec<f64> = values.iter().copied().flatten().collect();
    let reason = scores.iter().find_map(|score| match score {
        PairValue::Undefined(reason) => Some(*reason),
        PairValue::Failed(reason) => Some(reason),
        PairValue::Value(_) => None,
    });
    let left_out = scores.len() - found.len();
    Line {
        metric: metric.info().quantity.name,
        variant: metric.variant(),
        value: (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64),
        std: None,
        n_generated: Some(scores.len()),
        n_real: Some(scores.len()),
        per_sample: Some(values),
        some_failed: scores
            .iter()
            .any(|score| matches!(score, PairValue::Failed(_))),
        notes: reason
            .map(|reason| {
                format!(
                    "{left_out} of {} pairs have no value: {reason}",
                    scores.len()
                )
            })
            .into_iter()
            .chain(resized)
            .collect(),
    }
}

fn as_json(lines: &[Line], generated: &Source, per_sample: bool) -> Value {
    let metric = |line: &Line| {
        let mut object = json!({
            "metric": line.metric,
            "variant": line.variant,
            "value": line.value,
            "n_generated": line.n_generated,
            "n_real": line.n_real,
            "notes": line.notes,
        });
        if let Some(std) = line.std {
            object["std"] = json!(std);
        }
        if let Some(values) = line.per_sample.as_ref().filter(|_| per_sample) {
            object["per_sample"] = json!(values);
        }
        object
    };
    let mut whole = json!({ "metrics": lines.iter().map(metric).collect::<Vec<_>>() });
    if let Some(names) = generated.names().filter(|_| per_sample) {
        whole["samples"] = json!(names);
    }
    whole
}
