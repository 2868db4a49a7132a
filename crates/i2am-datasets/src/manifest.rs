//! A CSV file that names the pictures: for data of your own.
//!
//! The first line names the columns, in any order:
//!
//! | column | |
//! |---|---|
//! | `id` | name of the sample and of its result files; without this column, the image's file name without its ending |
//! | `image`, `mask`, `reference` | needed |
//! | `reference_mask`, `ground_truth`, `agnostic`, `densepose` | may be left out, or left empty for some samples |
//! | `parse`, `agnostic_parse`, `pose`, `warped`, `warped_mask` | the same |
//!
//! Paths are relative to the CSV file. Masks are white in the masked region of the image, and where the reference shows its object.

use std::path::{Path, PathBuf};

use csv::StringRecord;
use serde::{Deserialize, Serialize};

use crate::ids::{self, Listed};
use crate::{Dataset, DatasetError, DatasetInfo, Layout, Pairing, Part};

/// The column with the sample's name.
const ID: &str = "id";

/// The table `[dataset]` of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestConfig {
    /// The CSV file.
    pub file: PathBuf,
    /// Keep only the first samples, in the order of their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl Layout for ManifestConfig {
    const INFO: &'static DatasetInfo = &DatasetInfo {
        name: "manifest",
        summary: "a CSV file that names image, mask and reference of each sample: for data of your own",
        example: "file = 'list.csv'",
    };

    const PLACES: &'static [&'static str] = &["file"];

    fn resolve(&mut self, base: &Path) {
        self.file = base.join(&self.file);
    }

    fn open(
        &self,
        _generated: &Path,
        _progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Box<dyn Dataset>, DatasetError> {
        Ok(Box::new(Manifest::open(self)?))
    }
}

/// The cell of each part, in the order of [`Part::ALL`]; none where there is no column or the cell is empty.
type Cells = [Option<PathBuf>; Part::ALL.len()];

/// A manifest, read.
#[derive(Clone, Debug)]
pub struct Manifest {
    root: PathBuf,
    ids: Vec<String>,
    cells: Vec<Cells>,
}

impl Manifest {
    /// Reads the list; pictures are read later.
    ///
    /// # Errors
    /// [`DatasetError::File`] if the file cannot be read; [`DatasetError::List`] if it is not CSV; [`DatasetError::Entry`] if a column
    /// is unknown, missing or there twice, a cell is empty, or an id cannot be used; [`DatasetError::Empty`].
    pub fn open(config: &ManifestConfig) -> Result<Self, DatasetError> {
        let path = &config.file;
        let root = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let bytes = i2am_files::read(path)?;
        // Spreadsheet programs start a file with a byte order mark.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut rows = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text);
        let header = rows
            .headers()
            .map_err(|error| malformed(path, text, &error))?;
        let columns = Columns::find(path, header)?;
        let mut listed = Vec::new();
        for row in rows.records() {
            let row = row.map_err(|error| malformed(path, text, &error))?;
            listed.push(columns.sample(path, &root, &row, line_of(text, row.position()))?);
        }
        let (ids, cells) = ids::checked(path, listed, config.limit)?;
        Ok(Self { root, ids, cells })
    }
}

/// Where each known column is.
struct Columns {
    id: Option<usize>,
    parts: [Option<usize>; Part::ALL.len()],
}

impl Columns {
    fn find(path: &Path, header: &StringRecord) -> Result<Self, DatasetError> {
        let known: Vec<&str> = [ID].into_iter().chain(Part::ALL.map(Part::name)).collect();
        for (place, column) in header.iter().enumerate() {
            let repeated = header.iter().take(place).any(|earlier| earlier == column);
            if repeated || !known.contains(&column) {
                let known = known.join(", ");
                let expected = format!("each column to be one of {known}, at most once");
                return Err(DatasetError::line(path, 1, expected, format!("`{column}`")));
            }
        }
        let find = |name: &str| header.iter().position(|column| column == name);
        for part in Part::REQUIRED {
            if find(part.name()).is_none() {
                let found = header.iter().collect::<Vec<_>>().join(", ");
                return Err(DatasetError::line(
                    path,
                    1,
                    format!("a column `{part}`"),
                    found,
                ));
            }
        }
        Ok(Self {
            id: find(ID),
            parts: Part::ALL.map(|part| find(part.name())),
        })
    }

    fn sample(
        &self,
        path: &Path,
        root: &Path,
        row: &StringRecord,
        line: u64,
    ) -> Result<Listed<Cells>, DatasetError> {
        let cell = |column: Option<usize>| {
            column
                .and_then(|c| row.get(c))
                .filter(|text| !text.is_empty())
        };
        let mut cells = Cells::default();
        for (part, (column, place)) in Part::ALL.into_iter().zip(self.parts.iter().zip(&mut cells))
        {
            *place = cell(*column).map(|name| root.join(name));
            if place.is_none() && Part::REQUIRED.contains(&part) {
                let expected = format!("a file name in column `{part}`");
                return Err(DatasetError::line(path, line, expected, "an empty cell"));
            }
        }
        let id = match self.id {
            Some(column) => row.get(column).unwrap_or_default().to_owned(),
            None => file_stem(cells[0].as_deref()),
        };
        Ok(Listed {
            line,
            id,
            entry: cells,
        })
    }
}

/// The name of the image without its folder and ending.
fn file_stem(image: Option<&Path>) -> String {
    let stem = image.and_then(Path::file_stem).unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// The line, from 1, of the row at `position`: the reader says where it started to look for the row, which is before blank lines.
fn line_of(text: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 1 };
    let rest = text.get(position.byte() as usize..).unwrap_or_default();
    let blank = rest.iter().take_while(|byte| b"\r\n".contains(byte));
    position.line() + blank.filter(|&&byte| byte == b'\n').count() as u64
}

fn malformed(path: &Path, text: &[u8], error: &csv::Error) -> DatasetError {
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            format!("expected {expected_len} cells as in the first line, found {len}")
        }
        csv::ErrorKind::Utf8 { .. } => "expected UTF-8 text".to_owned(),
        _ => error.to_string(),
    };
    DatasetError::List {
        path: path.to_path_buf(),
        reason: format!("line {}: {reason}", line_of(text, error.position())),
    }
}

impl Dataset for Manifest {
    fn name(&self) -> &'static str {
        ManifestConfig::INFO.name
    }

    fn split(&self) -> &'static str {
        "all"
    }

    fn pairing(&self) -> Option<Pairing> {
        None
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn ids(&self) -> &[String] {
        &self.ids
    }

    fn path(&self, index: usize, part: Part) -> Option<PathBuf> {
        self.cells.get(index)?[part as usize].clone()
    }

    fn why_without(&self, _part: Part) -> &'static str {
        ": add a column of that name, or fill the sample's cell"
    }
}

#[cfg(test)]
mod tests;
