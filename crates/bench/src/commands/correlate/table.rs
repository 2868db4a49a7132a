//! The table that is correlated: columns of numbers by name.

use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_files::{Separator, Table, TableRow, shown};

use crate::correlations::Column;
use crate::exit::{refused_content, usage};
use crate::suggest;

/// What statistics programs and spreadsheets write where there is no number, in lower case.
const GAPS: [&str; 20] = [
    "na", "n/a", "#n/a", "<na>", "nan", "-nan", "#num!", "#div/0!", "#value!", "null", "none",
    "nil", "n.a.", "missing", "?", "-", "--", "\u{2013}", "\u{2014}", ".",
];

/// How the cells of a table are written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Format {
    pub(super) separator: Separator,
    /// Whether the decimal mark is a comma.
    pub(super) decimal_comma: bool,
    /// Whether words such as `NA` stand for missing values.
    pub(super) gaps: bool,
}

/// A table in memory, as text.
pub(super) struct TableFile {
    path: PathBuf,
    format: Format,
    table: Table,
}

impl TableFile {
    /// # Errors
    /// A file that is no table, or has no row.
    pub(super) fn read(path: &Path, format: Format) -> Result<Self> {
        let remedy =
            "--separator names another one (`separator = \"semicolon\"` or \"tab\" in [table])";
        let table = Table::read(path, format.separator, remedy).map_err(refused_content)?;
        if table.rows.is_empty() {
            return Err(usage(format!(
                "{}: expected rows below the names of the columns, found none",
                path.display()
            )));
        }
        Ok(Self {
            path: path.to_owned(),
            format,
            table,
        })
    }

    /// The numbers of the column `name`; an empty cell is a gap.
    pub(super) fn column(&self, name: &str) -> Result<Column> {
        let path = self.path.display();
        let Some(index) = self.table.column(name) else {
            let names = self.table.header.cells.iter().map(String::as_str);
            let help = suggest::help(name, names.filter(|name| !name.is_empty()));
            return Err(usage(format!("{path}: no column `{name}`: {help}")));
        };
        let number = |TableRow { line, cells }: &TableRow| {
            self.format.number(&cells[index]).map_err(|found| {
                usage(format!(
                    "{path}: line {line}: column `{name}`: expected a finite number or an empty cell, found {found}"
                ))
            })
        };
        self.table.rows.iter().map(number).collect()
    }
}

impl Format {
    /// The number in a cell, or none in a gap.
    ///
    /// # Errors
    /// What was found in its place, and what can be done.
    fn number(self, cell: &str) -> Result<Option<f64>, String> {
        let found = shown(cell);
        let is_gap = GAPS.contains(&cell.to_lowercase().as_str());
        if cell.is_empty() || (is_gap && self.gaps) {
            return Ok(None);
        }
        if is_gap {
            return Err(format!(
                "{found}; --gaps takes such cells as missing values (`gaps = true` in [table])"
            ));
        }
        let finite = |text: &str| text.parse().ok().filter(|value: &f64| value.is_finite());
        let has_comma = cell.contains(',');
        let value = match self.decimal_comma {
            true if cell.contains('.') => {
                return Err(format!(
                    "{found}, with a point where a comma is the decimal mark"
                ));
            }
            true => finite(&cell.replace(',', ".")),
            false => finite(cell),
        };
        value.map(Some).ok_or_else(|| {
            if has_comma && !self.decimal_comma && finite(&cell.replace(',', ".")).is_some() {
                format!(
                    "{found}, with a comma: --decimal-comma takes it as the decimal mark (`decimal_comma = true` in [table]); as a separator of thousands it must go"
                )
            } else if cell.contains('\u{2212}') {
                format!("{found}, with a typographic minus in place of `-`")
            } else if let Some(text) = cell.strip_suffix('%').filter(|text| finite(text.trim()).is_some()) {
                format!("{found}: write {} without the sign", shown(text.trim()))
            } else {
                found
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Format = Format {
        separator: Separator::Comma,
        decimal_comma: false,
        gaps: false,
    };

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for (cell, value) in [("1", 1.0), ("-0.5e-3", -0.5e-3), (".5", 0.5), ("+2.", 2.0)] {
            assert_eq!(PLAIN.number(cell), Ok(Some(value)));
        }
        let comma = Format {
            decimal_comma: true,
            ..PLAIN
        };
        assert_eq!(comma.number("-1,5"), Ok(Some(-1.5)));
        assert_eq!(comma.number("2"), Ok(Some(2.0)));
        assert!(comma.number("1.5").unwrap_err().contains("with a point"));
        assert!(comma.number("1.234,5").is_err());
    }

    #[test]
    fn gaps_are_taken_on_request_and_offered() {
        let gaps = Format {
            gaps: true,
            ..PLAIN
        };
        for cell in ["NaN", "nan", "NA", "N/A", "-", "None", "#DIV/0!"] {
            assert_eq!(gaps.number(cell), Ok(None), "{cell}");
            let problem = PLAIN.number(cell).unwrap_err();
            assert!(
                problem.starts_with(&format!("`{cell}`; --gaps ")),
                "{problem}"
            );
        }
        assert_eq!(PLAIN.number(""), Ok(None));
        // An infinite value is not a missing one.
        assert_eq!(gaps.number("inf"), Err("`inf`".to_owned()));
    }

    #[test]
    fn what_is_nearly_a_number_says_what_keeps_it_from_being_one() {
        for (cell, words) in [
            ("0,5", "--decimal-comma"),
            ("1,234", "separator of thousands"),
            ("\u{2212}0.5", "typographic minus"),
            ("12 %", "write `12` without the sign"),
        ] {
            let problem = PLAIN.number(cell).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
        assert_eq!(PLAIN.number("1,2,3"), Err("`1,2,3`".to_owned()));
        assert_eq!(PLAIN.number("a\nb"), Err("`a\\nb`".to_owned()));
    }
}
