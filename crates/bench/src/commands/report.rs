use std::path::Path;

use anyhow::Result;
use i2am_report::{PageConfig, ReportConfig, RunInput, TableConfig};
use i2am_results::RunPaths;

use crate::cli::ReportArgs;
use crate::exit::{Outcome, usage};
use crate::registry::quantities;
use crate::stages::correlate::ladder;
use crate::stages::report::{DatasetPictures, tell};

/// Reports on runs that are there.
pub(super) fn run(args: &ReportArgs) -> Result<Outcome> {
    let out = match (&args.out, &args.results[..]) {
        (Some(out), _) => out,
        (None, [only]) => only,
        (None, _) => {
            return Err(usage(
                "--results: several runs need a folder of their own for the report: add --out DIR",
            ));
        }
    };
    for dir in &args.results {
        super::show::manifest_of(dir)?;
    }
    let more = match &args.results[..] {
        [run] => ladder::tables(&RunPaths::new(run))?,
        _ => Vec::new(),
    };
    let config = ReportConfig {
        tables: TableConfig {
            intervals: args.intervals,
        },
        more,
        page: PageConfig {
            samples: args.samples,
            max_megabytes: args.max_megabytes,
            ..PageConfig::default()
        },
        made_from: None,
    };
    config
        .page
        .check()
        .map_err(|error| usage(error.to_string()))?;
    let pictures: Vec<Option<DatasetPictures<'_>>> = args
        .results
        .iter()
        .map(|dir| pictures_of(dir))
        .collect::<Result<_>>()?;
    let runs: Vec<RunInput<'_>> = args
        .results
        .iter()
        .zip(&pictures)
        .map(|(dir, pictures)| RunInput {
            dir,
            pictures: pictures.as_ref().map(|pictures| pictures as _),
        })
        .collect();
    tell(&i2am_report::write(&runs, out, &config, quantities())?);
    if args.paper {
        let paper = i2am_report::write_paper(&runs, &out.join("paper"), &config, quantities())?;
        for text in &paper.left_out {
            tracing::warn!("{text}");
        }
        tracing::info!(
            "{}: {} tables and {} figures; pdflatex makes a PDF of it",
            paper.document.display(),
            paper.tables,
            paper.figures
        );
    }
    Ok(Outcome::Ok)
}

/// The pictures that the run in `dir` was given; a warning where they are gone.
fn pictures_of(dir: &Path) -> Result<Option<DatasetPictures<'static>>> {
    let manifest = super::show::manifest_of(dir)?;
    match DatasetPictures::of_manifest(&manifest) {
        Ok(pictures) => Ok(Some(pictures)),
        Err(error) => {
            tracing::warn!(
                "{}: only generated pictures are shown: {error:#}",
                dir.display()
            );
            Ok(None)
        }
    }
}
