//! Parts of a run that is there, and what a run ends with.

mod parts;

use std::path::Path;

use anyhow::{Context as _, Result};
use i2am_report::TableConfig;
use i2am_results::{Manifest, RunPaths, RunStatus};

use self::parts::Part;
use crate::cli::ShowArgs;
use crate::exit::{Outcome, usage};
use crate::registry::quantities;
use crate::table::{WIDTH, shown, wrapped};
use crate::{progress, suggest};

/// Warnings that a run ends with; the others are shown on request.
const WARNINGS: usize = 4;

/// Prints the parts that are asked for.
pub(super) fn run(args: &ShowArgs) -> Result<Outcome> {
    let run = Finished::open(&args.results)?;
    let asked = Part::asked(args);
    let config = TableConfig {
        intervals: args.intervals,
    };
    let texts = run.parts(&asked, &args.models, config, args.top)?;
    let missing: Vec<&str> = asked
        .iter()
        .zip(&texts)
        .filter(|(_, text)| text.is_none())
        .map(|(part, _)| part.flag())
        .collect();
    if !args.all && !missing.is_empty() {
        return Err(usage(format!(
            "{}: the run has nothing for {}; `bench show {} --all` shows what it has",
            args.results.display(),
            missing.join(", "),
            args.results.display()
        )));
    }
    let texts: Vec<String> = texts.into_iter().flatten().collect();
    progress::print(&texts.join("\n\n"))?;
    if run.manifest.status == RunStatus::Started {
        tracing::warn!(
            "{}: the run has not ended; these are its results so far",
            args.results.display()
        );
    }
    Ok(Outcome::Ok)
}

/// What a run ends with: models by their headline scores, warnings, times, and where the page is; with `verbose` everything, with the
/// `worst` heads of each model and direction.
pub(super) fn after_run(dir: &Path, verbose: bool, worst: usize) -> Result<()> {
    let run = Finished::open(dir)?;
    let mut texts = if verbose {
        let all = run.parts(&Part::ALL, &[], TableConfig::default(), worst)?;
        all.into_iter().flatten().collect()
    } else {
        run.headline()?
    };
    let page = run.paths.page();
    let mut last = Vec::new();
    if page.is_file() {
        last.push(format!("Page: {}", page.display()));
    }
    if !verbose {
        last.push(format!("More: bench show {} --all", dir.display()));
    }
    if !last.is_empty() {
        texts.push(last.join("\n"));
    }
    progress::print(&texts.join("\n\n"))?;
    Ok(())
}

/// The manifest of the run in `dir`.
///
/// # Errors
/// There is no such folder, or it is no run.
pub(crate) fn manifest_of(dir: &Path) -> Result<Manifest> {
    let paths = RunPaths::new(dir);
    if paths.manifest().is_file() {
        return Ok(Manifest::read(paths.manifest())?);
    }
    if !dir.exists() {
        anyhow::bail!("{}: there is no such folder", dir.display());
    }
    let inside = if dir.is_dir() {
        runs_in(dir)?
    } else {
        Vec::new()
    };
    let help = if inside.is_empty() {
        "a run writes one into its folder when it starts".to_owned()
    } else {
        format!("runs in it: {}", inside.join(", "))
    };
    anyhow::bail!(
        "{}: this is no run: it has no manifest.json; {help}",
        dir.display()
    )
}

/// Folders in `dir` that are runs.
fn runs_in(dir: &Path) -> Result<Vec<String>> {
    let context = || dir.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if RunPaths::new(&path).manifest().is_file() {
            found.push(path.display().to_string());
        }
    }
    found.sort();
    Ok(found)
}

/// A run that can be looked at.
struct Finished {
    paths: RunPaths,
    manifest: Manifest,
}

impl Finished {
    fn open(dir: &Path) -> Result<Self> {
        Ok(Self {
            manifest: manifest_of(dir)?,
            paths: RunPaths::new(dir),
        })
    }

    /// The text of each of `asked`; `None` for what the run has nothing for.
    fn parts(
        &self,
        asked: &[Part],
        models: &[String],
        config: TableConfig,
        worst: usize,
    ) -> Result<Vec<Option<String>>> {
        let all = i2am_results::read_aggregate(&self.paths)?;
        let known: std::collections::BTreeSet<&str> =
            all.iter().map(|row| row.model.as_str()).collect();
        if let Some(unknown) = models.iter().find(|name| !known.contains(name.as_str())) {
            return Err(usage(format!(
                "--model {unknown}: {}",
                suggest::help(unknown, known)
            )));
        }
        let source = parts::Source {
            paths: &self.paths,
            manifest: &self.manifest,
            aggregate: &all,
            models,
            config,
            worst,
        };
        source.texts(asked)
    }

    fn headline(&self) -> Result<Vec<String>> {
        let table = i2am_report::headline(self.paths.dir(), TableConfig::default(), quantities())?;
        let mut texts: Vec<String> = table.iter().map(|table| shown(table, WIDTH)).collect();
        // What a run of this task is about.
        let boxes = self.parts(&[Part::Detection], &[], TableConfig::default(), 0)?;
        texts.extend(boxes.into_iter().flatten());
        texts.extend(self.warnings());
        texts.extend(parts::time(&self.manifest));
        Ok(texts)
    }

    /// The first warnings, and how many more there are.
    fn warnings(&self) -> Option<String> {
        let all = &self.manifest.warnings;
        let mut lines: Vec<String> = all
            .iter()
            .take(WARNINGS)
            .map(|warning| wrapped(&format!("Warning: {warning}"), WIDTH))
            .collect();
        if all.len() > WARNINGS {
            let more = all.len() - WARNINGS;
            let dir = self.paths.dir().display();
            lines.push(format!("{more} more warnings: bench show {dir} --warnings"));
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}
