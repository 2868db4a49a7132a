//! Tables as text: columns with names, separated by commas unless the reader says otherwise.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::{Action, FileError, read_text, shown};

/// What stands between two cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Separator {
    /// `,`
    #[default]
    Comma,
    /// `;`, which spreadsheets write where a comma is the decimal mark.
    Semicolon,
    /// The tabulator.
    Tab,
}

impl Separator {
    /// All.
    pub const ALL: [Self; 3] = [Self::Comma, Self::Semicolon, Self::Tab];

    /// As settings name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Comma => "comma",
            Self::Semicolon => "semicolon",
            Self::Tab => "tab",
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }
}

/// By name, or by itself.
impl FromStr for Separator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_it = |one: &Self| text == one.as_str() || text.as_bytes() == [one.byte()];
        let found = Self::ALL.into_iter().find(is_it);
        found.ok_or_else(|| {
            format!(
                "expected `comma`, `semicolon` or `tab`, found {}",
                shown(text)
            )
        })
    }
}

/// Prints as the word of a sentence: `commas`.
impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.as_str())
    }
}

/// A table that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The names of the columns, each once; several may have none.
    pub header: TableRow,
    /// What is below: as many cells in each row as the header has.
    pub rows: Vec<TableRow>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRow {
    /// The line on which it starts, from 1.
    pub line: u64,
    /// Without white space around them.
    pub cells: Vec<String>,
}

impl Table {
    /// Reads the file `path`, in which `separator` stands between the cells; `remedy` says what to do about another one. Blank lines
    /// and rows whose cells are all empty are left out.
    ///
    /// # Errors
    /// [`FileError`], of the kind [`InvalidData`](io::ErrorKind::InvalidData) with the line: text as [`read_text`] refuses it, no
    /// header, another separator, two columns of one name, a row of another length, a quotation mark that is not closed.
    pub fn read(
        path: impl AsRef<Path>,
        separator: Separator,
        remedy: &str,
    ) -> Result<Self, FileError> {
        let path = path.as_ref();
        let text = read_text(path)?;
        parse(&text, separator, remedy).map_err(|problem| {
            let cause = io::Error::new(io::ErrorKind::InvalidData, problem);
            FileError::new(Action::Read, path, cause)
        })
    }

    /// Where the column `name` is.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.cells.iter().position(|column| column == name)
    }
}

impl TableRow {
    fn of(line: u64, record: &StringRecord) -> Self {
        let cells = record.iter().map(str::to_owned).collect();
        Self { line, cells }
    }
}

/// # Errors
/// The line, what was expected there, and what was found.
fn parse(text: &str, separator: Separator, remedy: &str) -> Result<Table, String> {
    if let Some(line) = open_quote(text, separator) {
        return Err(format!(
            "line {line}: expected a closing quotation mark, found none before the end of the file"
        ));
    }
    let mut reader = ReaderBuilder::new()
        .delimiter(separator.byte())
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let mut records = reader.records().map(|record| {
        // The reader takes any text apart; this is for what it may refuse in the future.
        let record = record.map_err(|error| error.to_string())?;
        Ok::<_, String>((line_of(text, &record), record))
    });
    // The line by which Excel tells itself the separator.
    let told = text
        .strip_prefix("sep=")
        .and_then(|rest| rest.chars().next());
    if told == Some(char::from(separator.byte())) {
        records.next();
    }
    let Some(header) = records.next().transpose()? else {
        return Err("expected a line with the names of columns, found an empty file".to_owned());
    };
    let header = checked(header, separator, remedy)?;
    let expected = header.cells.len();
    let mut rows = Vec::new();
    for record in records {
        let (line, record) = record?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        let found = record.len();
        if expected != found {
            return Err(format!(
                "line {line}: expected {expected} cells as in the header, found {found}"
            ));
        }
        rows.push(TableRow::of(line, &record));
    }
    Ok(Table { header, rows })
}

/// The names of the columns.
fn checked(
    (line, header): (u64, StringRecord),
    separator: Separator,
    remedy: &str,
) -> Result<TableRow, String> {
    let count = |one: Separator| {
        let of_cell = |cell: &str| cell.matches(char::from(one.byte())).count();
        header.iter().map(of_cell).sum::<usize>()
    };
    if let Some(first) = header.get(0).filter(|name| name.starts_with(['{', '['])) {
        return Err(format!(
            "line {line}: expected the names of columns, found what looks like JSON: {}",
            shown(first)
        ));
    }
    let others = Separator::ALL.into_iter().filter(|one| *one != separator);
    if let Some(found) = others.max_by_key(|one| count(*one))
        && count(found) >= header.len()
    {
        let names: Vec<&str> = header.iter().collect();
        let names = names.join(&char::from(separator.byte()).to_string());
        return Err(format!(
            "line {line}: expected columns separated by {separator}, found {found}: {}; {remedy}",
            shown(&names)
        ));
    }
    for (place, name) in header.iter().enumerate() {
        let before = header.iter().take(place).position(|other| other == name);
        if let Some(before) = before.filter(|_| !name.is_empty()) {
            return Err(format!(
                "line {line}: expected a name of its own for every column, found {} for columns {} and {}",
                shown(name),
                before + 1,
                place + 1
            ));
        }
    }
    Ok(TableRow::of(line, &header))
}

/// The line, from 1, of `record`: the reader says where it started to look for it, which is before blank lines.
fn line_of(text: &str, record: &StringRecord) -> u64 {
    let Some(position) = record.position() else {
        return 1;
    };
    let rest = text.as_bytes().iter().skip(position.byte() as usize);
    position.line() + rest.take_while(|byte| **byte == b'\n').count() as u64
}

/// The line, from 1, of a quotation mark that opens a cell and has no counterpart: the rest of the table would be one cell.
fn open_quote(text: &str, separator: Separator) -> Option<u64> {
    let mut opened = None;
    let mut starts_cell = true;
    let mut line = 1;
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        line += u64::from(byte == b'\n');
        match opened {
            None if byte == b'"' && starts_cell => opened = Some(line),
            None => starts_cell = byte == separator.byte() || byte == b'\n',
            // Two of them stand for one.
            Some(_) if byte == b'"' && bytes.next_if_eq(&b'"').is_none() => {
                (opened, starts_cell) = (None, false);
            }
            Some(_) => {}
        }
    }
    opened
}
