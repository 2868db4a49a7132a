//! `debug/<model>.csv`: how much of the attention of each head of each layer in each time group lies outside the mask.

use std::path::PathBuf;

use i2am_results::RunPaths;

use crate::ReportError;

/// One line: a head of a layer in a time group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    /// `r2g` or `g2r`.
    pub(crate) direction: String,
    pub(crate) layer: String,
    pub(crate) head: usize,
    pub(crate) time: usize,
    /// Mean IMACS over the samples.
    pub(crate) imacs: Option<f64>,
    /// Share of the attention outside the mask, 0 to 1.
    pub(crate) outside: Option<f64>,
}

/// Columns that are read; a file may have more.
const COLUMNS: [&str; 6] = [
    "direction",
    "layer",
    "head",
    "time_group",
    "imacs",
    "attention_outside",
];

/// The lines of the file of `model`, in its order; none if there is no such file.
pub(crate) fn read_faults(paths: &RunPaths, model: &str) -> Result<Vec<Fault>, ReportError> {
    let path = file_of(paths, model);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let damaged = |line: u64, problem: String| ReportError::Debug {
        path: path.clone(),
        line,
        problem,
    };
    let bytes = i2am_files::read(&path)?;
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let header = reader
        .headers()
        .map_err(|error| damaged(1, error.to_string()))?
        .clone();
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let found = header.iter().position(|name| name == column);
        *place = found.ok_or_else(|| damaged(1, format!("expected a column `{column}`")))?;
    }
    let mut faults = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            damaged(line, error.to_string())
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |column: usize| &record[places[column]];
        let whole = |column: usize| {
            cell(column).parse().map_err(|_cause| {
                let (name, found) = (COLUMNS[column], cell(column));
                damaged(
                    line,
                    format!("{name}: expected a whole number, found `{found}`"),
                )
            })
        };
        let number = |column: usize| match cell(column) {
            "" => Ok(None),
            text => match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(Some(value)),
                _ => {
                    let name = COLUMNS[column];
                    Err(damaged(
                        line,
                        format!("{name}: expected a finite number, found `{text}`"),
                    ))
                }
            },
        };
        faults.push(Fault {
            direction: cell(0).to_owned(),
            layer: cell(1).to_owned(),
            head: whole(2)?,
            time: whole(3)?,
            imacs: number(4)?,
            outside: number(5)?,
        });
    }
    Ok(faults)
}

/// Models are written into file names as everywhere in a run folder.
fn file_of(paths: &RunPaths, model: &str) -> PathBuf {
    let maps = paths.maps(model, "_");
    let name = maps.parent().and_then(|folder| folder.file_name());
    let mut name = name.unwrap_or_default().to_owned();
    name.push(".csv");
    paths.dir().join("debug").join(name)
}
