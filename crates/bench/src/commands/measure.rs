//! Metrics on folders, no model.

mod printed;

use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_imaging::{ColorMap, colored, write_png_rgb};
use i2am_metrics::{
    Configured, MetricError, Needs, Pair, PairMetric, PairValue, PictureFiles, Pictures, Prepared,
    Progress as _, SetMetric, SetScore, Side,
};
use serde_json::{Value, json};

use crate::cache;
use crate::cli::MeasureArgs;
use crate::device::use_threads;
use crate::exit::{Outcome, usage};
use crate::metrics::{Setting, by_flag, measure_pairs, prepare, read_pair, resources};
use crate::progress::{self, MetricBars};
use crate::suggest;

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
    Ok(if lines.iter().any(|line| line.some_failed) {
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

/// One side as it was given.
enum Source {
    Files(PictureFiles),
    Statistics(PathBuf),
}

impl Source {
    fn open(path: &Path, recursive: bool) -> Result<Self, MetricError> {
        let is_statistics = path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("npz"));
        Ok(if is_statistics {
            Self::Statistics(path.to_owned())
        } else {
            Self::Files(PictureFiles::open(path, recursive)?)
        })
    }

    fn side(&self) -> Side<'_> {
        match self {
            Self::Files(files) => Side::Pictures(files),
            Self::Statistics(path) => Side::Statistics(path),
        }
    }

    fn files(&self) -> Result<&PictureFiles> {
        match self {
            Self::Files(files) => Ok(files),
            Self::Statistics(path) => Err(usage(format!(
                "{}: expected pictures to compare pair by pair, found statistics",
                path.display()
            ))),
        }
    }

    fn names(&self) -> Option<&[String]> {
        match self {
            Self::Files(files) => Some(files.names()),
            Self::Statistics(_) => None,
        }
    }
}

struct Work<'a> {
    generated: &'a Source,
    real: &'a Source,
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
        let mut pair_scores = if of_pairs.is_empty() {
            Vec::new()
        } else {
            self.pairs(&of_pairs)?
        }
        .into_iter();
        let line = |(metric, prepared): (&dyn Configured, &Prepared)| match prepared {
            Prepared::Pairs(_) => {
                debug_assert_eq!(metric.info().needs, Needs::Pairs);
                let scores = pair_scores
                    .next()
                    .expect("one list of scores for each metric of pairs");
                Ok(pair_line(metric, &scores))
            }
            Prepared::Sets(set) => self.set_line(metric, set.as_ref()),
        };
        metrics
            .iter()
            .map(AsRef::as_ref)
            .zip(prepared)
            .map(line)
            .collect()
    }

    fn pairs(&self, metrics: &[&dyn PairMetric]) -> Result<Vec<Vec<PairValue>>> {
        /// Pairs in memory at a time, twice.
        const BATCH: usize = 16;
        let generated = self.generated.files()?;
        let real = generated.paired_with(self.real.files()?)?;
        let load = |index: usize| read_pair(&generated.files()[index], &real[index]);
        let name = |index: usize| generated.files()[index].display().to_string();
        measure_pairs(metrics, generated.len(), BATCH, &load, &name, self.bars)
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
            let (generated_picture, real) = read_pair(file, real)?;
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
            value: Some(value),
            std,
            n_generated,
            n_real,
            per_sample: None,
            some_failed: false,
            notes,
        })
    }
}

/// The mean over the pairs that have a value.
fn pair_line(metric: &dyn Configured, scores: &[PairValue]) -> Line {
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
