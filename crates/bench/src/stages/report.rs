//! Last stage: tables, plots and the page, of everything before.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use i2am_datasets::{Dataset, Goal, Sample};
use i2am_report::{PictureSource, Pictures, Report, ReportConfig, RunInput};
use i2am_results::{Manifest, RunPaths};

use crate::plan::{GENERATED, Plan};
use crate::registry::quantities;
use crate::stages::correlate::ladder;

/// Writes the report of a run that has ended into its folder; the page ends with the `key` of what it is made from.
pub(super) fn run(plan: &Plan, paths: &RunPaths, key: &str) -> Result<()> {
    let pictures = DatasetPictures::Borrowed(plan.dataset.as_ref());
    let run = RunInput {
        dir: paths.dir(),
        pictures: Some(&pictures),
    };
    let config = ReportConfig {
        page: plan.config.page.clone(),
        made_from: Some(key.to_owned()),
        more: ladder::tables(paths)?,
        ..ReportConfig::default()
    };
    tell(&i2am_report::write(
        &[run],
        paths.dir(),
        &config,
        quantities(),
    )?);
    Ok(())
}

/// Says what was written, and what the page could not hold.
pub(crate) fn tell(report: &Report) {
    for text in &report.left_out {
        tracing::info!("{text}");
    }
    tracing::info!(
        "{}: {:.1} MB; {} tables and {} plots beside it",
        report.page.display(),
        report.page_bytes as f64 / 1e6,
        report.tables.len(),
        report.plots
    );
}

/// The pictures of a data set, for the page.
pub(crate) enum DatasetPictures<'a> {
    /// Of a run that knows its data set.
    Borrowed(&'a dyn Dataset),
    /// Of an earlier run.
    Owned(Box<dyn Dataset>),
}

impl DatasetPictures<'_> {
    /// The data set of the run of `manifest`, where it still lies where it did.
    ///
    /// # Errors
    /// Another version's settings, a data set that is gone or is another one now.
    pub(crate) fn of_manifest(manifest: &Manifest) -> Result<DatasetPictures<'static>> {
        let settings = &manifest.config["dataset"];
        let kind = settings["kind"].as_str().unwrap_or_default();
        let config = i2am_datasets::find(kind)
            .with_context(|| format!("no data set `{kind}`"))?
            .restore(settings["settings"].clone())?;
        let dataset = config.open(Path::new(GENERATED), &|_| {})?;
        let expected = manifest.inputs.get("dataset");
        ensure!(
            expected.is_none_or(|expected| *expected == dataset.index_sha256()),
            "{}: the data set is not the one of the run any more",
            dataset.root().display()
        );
        Ok(DatasetPictures::Owned(dataset))
    }

    fn dataset(&self) -> &dyn Dataset {
        match self {
            Self::Borrowed(dataset) => *dataset,
            Self::Owned(dataset) => dataset.as_ref(),
        }
    }
}

impl PictureSource for DatasetPictures<'_> {
    fn pictures(&self, sample_id: &str) -> Result<Pictures, String> {
        let dataset = self.dataset();
        let index = dataset
            .position(sample_id)
            .ok_or_else(|| "the data set has no such sample".to_owned())?;
        let sample = dataset.load(index).map_err(|error| error.to_string())?;
        let Sample {
            image,
            mask,
            reference,
            reference_mask,
            ground_truth,
            ..
        } = sample;
        Ok(Pictures {
            image,
            mask: (dataset.goal() == Goal::Repaint).then_some(mask),
            reference,
            reference_mask,
            ground_truth,
        })
    }
}
