//! A CSV file that names the pictures: for data of your own.
//!
//! The first line names the columns, in any order:
//!
//! | column | |
//! |---|---|
//! | `id` | name of the sample and of its result files; without this column, the image's file name without its ending |
//! | `image`, `mask`, `reference` | needed |
//! | `reference_mask`, `ground_truth`, `agnostic`, `densepose` | may be left out, or left empty for some samples |
//! | `parse`, `agnostic_parse`, `pose`, `warped`, `warped_mask`, `correspondence` | the same |
//!
//! Paths are relative to the CSV file. Masks are white in the masked region of the image, and where the reference shows its object.

use std::path::{Path, PathBuf};

use i2am_files::{Separator, Table, TableRow, listed, shown};
use i2am_imaging::{MaskChannel, MaskLevels, MaskPolarity};
use serde::{Deserialize, Serialize};

use crate::ids::{self, Listed};
use crate::masks::is_default;
use crate::{Dataset, DatasetError, DatasetInfo, Layout, MaskSettings, Pairing, Part};

/// The column with the sample's name.
const ID: &str = "id";

/// The table `[dataset]` of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestConfig {
    /// The CSV file.
    pub file: PathBuf,
    /// Which levels of masks count.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mask_levels: MaskLevels,
    /// Where masks have their shape.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mask_channel: MaskChannel,
    /// Which side of masks is masked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mask_polarity: MaskPolarity,
    /// Which side of reference masks, warped ones too, shows the object.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reference_mask_polarity: MaskPolarity,
    /// Keep only the first samples, in the order of their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl ManifestConfig {
    /// The samples that the file `file` names.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            mask_levels: MaskLevels::default(),
            mask_channel: MaskChannel::default(),
            mask_polarity: MaskPolarity::default(),
            reference_mask_polarity: MaskPolarity::default(),
            limit: None,
        }
    }
}

impl Layout for ManifestConfig {
    const INFO: &'static DatasetInfo = &DatasetInfo {
        name: "manifest",
        summary: "a CSV file that names image, mask and reference of each sample: for data of your own",
        example: "file = 'list.csv'",
    };

    const PLACES: &'static [&'static str] = &["file"];

    fn resolve(&mut self, base: &Path) {
        self.file = i2am_files::resolve(base, &self.file);
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
    masks: MaskSettings,
    ids: Vec<String>,
    cells: Vec<Cells>,
}

impl Manifest {
    /// Reads the list; pictures are read later.
    ///
    /// # Errors
    /// [`DatasetError::File`] if the file cannot be read or is no table; [`DatasetError::Entry`] if a column is unknown or missing, a
    /// cell is empty, or an id cannot be used; [`DatasetError::Empty`].
    pub fn open(config: &ManifestConfig) -> Result<Self, DatasetError> {
        let path = &config.file;
        let root = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let table = Table::read(path, Separator::Comma, "export it with commas")?;
        let columns = Columns::find(path, &table)?;
        let listed = table
            .rows
            .iter()
            .map(|row| columns.sample(path, &root, row))
            .collect::<Result<_, _>>()?;
        let (ids, cells) = ids::checked(path, listed, config.limit)?;
        Ok(Self {
            root,
            masks: MaskSettings {
                levels: config.mask_levels,
                channel: config.mask_channel,
                polarity: config.mask_polarity,
                reference_polarity: config.reference_mask_polarity,
            },
            ids,
            cells,
        })
    }
}

/// Where each known column is.
struct Columns {
    id: Option<usize>,
    parts: [Option<usize>; Part::ALL.len()],
}

impl Columns {
    fn find(path: &Path, table: &Table) -> Result<Self, DatasetError> {
        let known: Vec<&str> = [ID].into_iter().chain(Part::ALL.map(Part::name)).collect();
        let TableRow {
            line,
            cells: header,
        } = &table.header;
        for column in header {
            if !known.contains(&column.as_str()) {
                let expected = format!("each column to be one of {}", known.join(", "));
                return Err(DatasetError::line(path, *line, expected, shown(column)));
            }
        }
        let find = |name: &str| table.column(name);
        for part in Part::REQUIRED {
            if find(part.name()).is_none() {
                let expected = format!("a column `{part}`");
                return Err(DatasetError::line(path, *line, expected, header.join(", ")));
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
        row: &TableRow,
    ) -> Result<Listed<Cells>, DatasetError> {
        let line = row.line;
        let cell = |column: Option<usize>| {
            let text = column.map(|column| &row.cells[column]);
            text.filter(|text| !text.is_empty())
        };
        let mut cells = Cells::default();
        for (part, (column, place)) in Part::ALL.into_iter().zip(self.parts.iter().zip(&mut cells))
        {
            *place = cell(*column).map(|name| listed(root, name));
            if place.is_none() && Part::REQUIRED.contains(&part) {
                let expected = format!("a file name in column `{part}`");
                return Err(DatasetError::line(path, line, expected, "an empty cell"));
            }
        }
        let id = match self.id {
            Some(column) => row.cells[column].clone(),
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

    fn masks(&self) -> MaskSettings {
        self.masks
    }

    fn why_without(&self, _part: Part) -> &'static str {
        ": add a column of that name, or fill the sample's cell"
    }
}

#[cfg(test)]
mod tests;
