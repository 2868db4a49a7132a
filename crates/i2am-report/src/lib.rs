//! Tables, plots and the page of one or several runs.
//!
//! [`write()`] reads run folders, finished or not, and writes
//!
//! | file | content |
//! |---|---|
//! | `tables/*.md`, `.tex`, `.csv` | [`Table`]s: results, correlations, detection; rounded for people, raw in the CSV |
//! | `plots/*.svg` | [`Plot`]s |
//! | `report.html` | all of it on one page, with the maps to look at; needs no network and no other file |
//!
//! Nothing is computed that a run has not recorded but means, their intervals and the lines through points.

use std::path::{Path, PathBuf};

use i2am_quantity::Quantities;
use i2am_results::RunPaths;

mod error;
mod fit;
mod interval;
mod level;
mod order;
mod page;
mod paper;
mod plots;
mod run;
mod series;
mod table;
mod tables;

pub use error::ReportError;
pub use page::{PageConfig, PictureSource, Pictures};
pub use paper::{Paper, write_paper};
pub use plots::{Plot, PlotGroup};
pub use table::{Cell, Column, Rank, Table};
pub use tables::TableConfig;

/// A run to report on.
#[derive(Clone, Copy)]
pub struct RunInput<'a> {
    /// Its folder.
    pub dir: &'a Path,
    /// Where the pictures of its data set are; without them the page shows generated ones only.
    pub pictures: Option<&'a dyn PictureSource>,
}

/// What a report says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReportConfig {
    /// What tables say.
    pub tables: TableConfig,
    /// What the page shows.
    pub page: PageConfig,
    /// A key of everything that it is made from, which the page then ends with: [`made_from`].
    pub made_from: Option<String>,
    /// Tables of the caller, behind those of the report.
    pub more: Vec<Table>,
}

/// The end of a page that is made from what has this key.
pub fn made_from(key: &str) -> String {
    format!("<!-- made from {key} -->\n")
}

/// What [`write()`] wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The tables, in the order of a reader.
    pub tables: Vec<Table>,
    /// Number of plots.
    pub plots: usize,
    /// The page.
    pub page: PathBuf,
    /// Size of the page in bytes.
    pub page_bytes: usize,
    /// What the page could not hold, in words.
    pub left_out: Vec<String>,
}

/// Writes tables, plots and page about `runs` into the folder `out`; what an earlier report wrote there is replaced. `quantities`
/// define what rows measure, in the order of columns; a row of another version of the program keeps its own name.
///
/// # Errors
/// [`ReportError`]: a run folder, picture or record that cannot be read, a file that cannot be written, or another `report.html`
/// than one of ours in its place.
pub fn write(
    runs: &[RunInput<'_>],
    out: &Path,
    config: &ReportConfig,
    quantities: Quantities<'_>,
) -> Result<Report, ReportError> {
    config.page.check()?;
    let read_runs = run::read_all(runs.iter().map(|input| input.dir), quantities)?;
    let mut tables = tables::all(&read_runs, config.tables, quantities);
    tables.extend(config.more.iter().cloned());
    let plots = plots::all(&read_runs)?;
    let sources: Vec<_> = read_runs
        .iter()
        .zip(runs)
        .map(|(run, input)| (run, input.pictures))
        .collect();
    let mut page = page::render(&sources, &tables, &plots, &config.page)?;
    page.html.extend(config.made_from.as_deref().map(made_from));

    let paths = RunPaths::new(out);
    remove_earlier(&paths)?;
    for table in &tables {
        table.write(&paths.tables())?;
    }
    for plot in &plots {
        let path = paths.plots().join(format!("{}.svg", plot.name));
        i2am_files::write_atomic(path, &plot.drawing.svg)?;
    }
    i2am_files::write_atomic(paths.page(), &page.html)?;
    Ok(Report {
        tables,
        plots: plots.len(),
        page: paths.page(),
        page_bytes: page.html.len(),
        left_out: page.left_out,
    })
}

/// The tables of [`write()`] without those of the caller; nothing is written.
///
/// # Errors
/// [`ReportError`]: a run folder that cannot be read.
pub fn tables(
    dirs: &[&Path],
    config: TableConfig,
    quantities: Quantities<'_>,
) -> Result<Vec<Table>, ReportError> {
    let runs = run::read_all(dirs.iter().copied(), quantities)?;
    Ok(tables::all(&runs, config, quantities))
}

/// The main table of the run in `dir`, its models best first; `None` before anything is scored. Of single samples nothing is kept, so
/// that this is cheap for a run of any size.
///
/// # Errors
/// [`ReportError`]: a run folder that cannot be read.
pub fn headline(
    dir: &Path,
    config: TableConfig,
    quantities: Quantities<'_>,
) -> Result<Option<Table>, ReportError> {
    let run = run::Run::outline(RunPaths::new(dir), quantities)?;
    Ok(tables::results(&[run], config))
}

/// Removes the tables and plots of an earlier report, which may show what this one has nothing for. A folder that no report was
/// written to keeps everything.
fn remove_earlier(paths: &RunPaths) -> Result<(), ReportError> {
    let page = paths.page();
    if !page.exists() {
        return Ok(());
    }
    if !page::is_ours(&i2am_files::read(&page)?) {
        return Err(ReportError::Occupied { path: page });
    }
    for folder in [paths.tables(), paths.plots()] {
        match std::fs::remove_dir_all(&folder) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                let action = i2am_files::Action::Write;
                return Err(i2am_files::FileError::new(action, folder, cause).into());
            }
            _ => {}
        }
    }
    Ok(())
}
