//! Tables and figures for a paper: LaTeX that a document of one's own can include, and a document that includes all of it.

mod figures;

use std::path::{Path, PathBuf};

use i2am_plot::tex;
use i2am_quantity::Quantities;

use crate::plots::{Plot, PlotGroup};
use crate::table::Table;
use crate::{ReportConfig, ReportError, RunInput, plots, run, tables};

/// Tables of the kind that papers have. Others would not fit a page, and are in the folder of tables.
const TABLES: [&str; 10] = [
    "results",
    "correlations",
    "correlations_compared",
    "detection",
    "faithfulness",
    "agreement",
    "mark",
    "locality",
    "correspondence",
    "detection_power",
];
/// Lines of a table that a page can hold.
const MOST_LINES: usize = 40;
/// Plots of one kind that the document includes; all of them are in the folder.
const MOST_PLOTS: usize = 4;
/// What the document begins with.
const OURS: &str = "% Written by i2am-bench: every table and figure of this folder.\n";

/// What [`write_paper()`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// The document that includes everything.
    pub document: PathBuf,
    /// Number of tables.
    pub tables: usize,
    /// Number of figures.
    pub figures: usize,
    /// Why something that papers have is not there, in words.
    pub left_out: Vec<String>,
}

/// Writes into the folder `out`:
///
/// | file | content |
/// |---|---|
/// | `tables/NAME.tex` | tables; they need the package `booktabs` |
/// | `figures/NAME.tex`, `.svg` | plots, with the package `tikz` in the font of the document |
/// | `figures/attribution.tex` | maps of the best model over time, heads and layers; needs `graphicx` |
/// | `figures/models.tex` | every model on the same sample |
/// | `figures/pictures/*.png` | the pictures of both |
/// | `main.tex` | a document with all of it, for `pdflatex` |
///
/// # Errors
/// [`ReportError`]: a run folder, picture or record that cannot be read, a file that cannot be written, or another `main.tex` in its place.
pub fn write_paper(
    runs: &[RunInput<'_>],
    out: &Path,
    config: &ReportConfig,
    quantities: Quantities<'_>,
) -> Result<Paper, ReportError> {
    let read_runs = run::read_all(runs.iter().map(|input| input.dir), quantities)?;
    let document = out.join("main.tex");
    remove_earlier(out, &document)?;

    let mut all = tables::all(&read_runs, config.tables, quantities);
    all.extend(config.more.iter().cloned());
    let mut left_out = Vec::new();
    let mut included = Vec::new();
    let mut count = [0, 0];
    for table in chosen(&all, &mut left_out) {
        let name = format!("tables/{}.tex", table.name);
        i2am_files::write_atomic(out.join(&name), table.latex())?;
        included.push(name);
        count[0] += 1;
    }
    let drawn = plots::all(&read_runs)?;
    for plot in &drawn {
        for (ending, text) in [("svg", &plot.drawing.svg), ("tex", &plot.drawing.tikz)] {
            let path = out.join(format!("figures/{}.{ending}", plot.name));
            i2am_files::write_atomic(path, text)?;
        }
    }
    for plot in shown(&drawn) {
        let path = format!("figures/{}_figure.tex", plot.name);
        i2am_files::write_atomic(out.join(&path), figure_of(plot))?;
        included.push(path);
        count[1] += 1;
    }
    for (run, input) in read_runs.iter().zip(runs) {
        let prefix = if runs.len() > 1 {
            format!("{}_", crate::series::slug(&run.label))
        } else {
            String::new()
        };
        match figures::write(run, input.pictures, out, &prefix, config.page.colors)? {
            Ok(names) => {
                count[1] += names.len();
                included.extend(names);
            }
            Err(reason) => left_out.push(format!("{}: no attribution figure: {reason}", run.label)),
        }
    }
    i2am_files::write_atomic(&document, main(&included))?;
    Ok(Paper {
        document,
        tables: count[0],
        figures: count[1],
        left_out,
    })
}

/// Removes what an earlier call wrote.
fn remove_earlier(out: &Path, document: &Path) -> Result<(), ReportError> {
    if !document.exists() {
        return Ok(());
    }
    if !i2am_files::read(document)?.starts_with(OURS.as_bytes()) {
        return Err(ReportError::Occupied {
            path: document.to_owned(),
        });
    }
    for folder in ["tables", "figures"].map(|name| out.join(name)) {
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

/// The tables for a paper, in their order there.
fn chosen<'a>(tables: &'a [Table], left_out: &mut Vec<String>) -> Vec<&'a Table> {
    let known = TABLES
        .iter()
        .filter_map(|name| tables.iter().find(|table| table.name == *name));
    let (fit, long): (Vec<&Table>, Vec<&Table>) =
        known.partition(|table| table.rows.len() <= MOST_LINES);
    left_out.extend(long.into_iter().map(|table| {
        format!(
            "table {}: its {} lines do not fit a page; all are in its CSV",
            table.name,
            table.rows.len()
        )
    }));
    fit
}

/// The plots that the document shows: correlations, and the first clouds of points.
fn shown(plots: &[Plot]) -> Vec<&Plot> {
    let of = |start: &'static str| {
        let own =
            move |plot: &&Plot| plot.group == PlotGroup::Agreement && plot.name.starts_with(start);
        plots.iter().filter(own).take(MOST_PLOTS)
    };
    of("correlations_").chain(of("scatter_")).collect()
}

fn figure_of(plot: &Plot) -> String {
    format!(
        "% Needs \\usepackage{{tikz}}.\n\\begin{{figure}}\n  \\centering\n  \\input{{figures/{}}}\n  \\caption{{{}.}}\n  \\label{{fig:{}}}\n\\end{{figure}}\n",
        plot.name,
        tex(plot.description.trim_end_matches('.')),
        plot.name
    )
}

fn main(included: &[String]) -> String {
    let inputs: Vec<String> = included
        .iter()
        .map(|name| format!("\\input{{{name}}}\n\\clearpage\n"))
        .collect();
    let inputs = inputs.concat();
    format!(
        "{OURS}\\documentclass{{article}}\n\\usepackage[utf8]{{inputenc}}\n\\usepackage[margin=2cm]{{geometry}}\n\
         \\usepackage{{booktabs}}\n\\usepackage{{graphicx}}\n\\usepackage{{tikz}}\n\\begin{{document}}\n{inputs}\\end{{document}}\n"
    )
}
