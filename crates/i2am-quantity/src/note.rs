//! Remarks that belong to a value wherever it is shown.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What stands between two notes in a cell.
const SEPARATOR: &str = "; ";
/// How [`Note::OneToken`] is written.
const ONE_TOKEN: &str = "one-token";

/// A remark that belongs to a value wherever it is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// The layers of the map have a single reference token. With one key the attention weight is 1 at every position, so the query and
    /// key weights that make the map cannot influence the image.
    OneToken,
    /// Anything else, in words.
    Remark(String),
}

impl Note {
    /// The sentence that explains [`Note::OneToken`] below a table.
    pub const ONE_TOKEN_MEANS: &str = "The reference is one pooled token: attention weights are 1 at every position, so the query and key weights that make \
         this map cannot influence the image.";
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneToken => ONE_TOKEN,
            Self::Remark(text) => text,
        })
    }
}

impl FromStr for Note {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            ONE_TOKEN => Self::OneToken,
            other => Self::Remark(other.to_owned()),
        })
    }
}

/// The notes of one value, each once, in the order in which they were added. Files hold them in one cell, separated by semicolons.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Notes(Vec<Note>);

impl Notes {
    /// No note.
    pub const NONE: Self = Self(Vec::new());

    /// [`Note::OneToken`] if `one_token`, otherwise none.
    pub fn one_token(one_token: bool) -> Self {
        Self::from_iter(one_token.then_some(Note::OneToken))
    }

    /// Adds a note unless it is there; an empty remark is none.
    pub fn add(&mut self, note: Note) {
        let is_empty = matches!(&note, Note::Remark(text) if text.is_empty());
        if !is_empty && !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether [`Note::OneToken`] is among them.
    pub fn is_one_token(&self) -> bool {
        self.0.contains(&Note::OneToken)
    }

    /// Those that are words, without [`Note::OneToken`].
    pub fn remarks(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|note| match note {
            Note::OneToken => None,
            Note::Remark(text) => Some(text.as_str()),
        })
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Note> {
        self.0.iter()
    }
}

impl FromIterator<Note> for Notes {
    fn from_iter<Iter: IntoIterator<Item = Note>>(notes: Iter) -> Self {
        let mut all = Self::NONE;
        all.extend(notes);
        all
    }
}

impl Extend<Note> for Notes {
    fn extend<Iter: IntoIterator<Item = Note>>(&mut self, notes: Iter) {
        notes.into_iter().for_each(|note| self.add(note));
    }
}

impl IntoIterator for Notes {
    type Item = Note;
    type IntoIter = std::vec::IntoIter<Note>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Notes {
    type Item = &'a Note;
    type IntoIter = std::slice::Iter<'a, Note>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, note) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(SEPARATOR)?;
            }
            note.fmt(f)?;
        }
        Ok(())
    }
}

impl From<&str> for Notes {
    fn from(text: &str) -> Self {
        let parts = text.split(SEPARATOR);
        parts.filter_map(|part| part.parse().ok()).collect()
    }
}

impl From<String> for Notes {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Notes> for String {
    fn from(notes: Notes) -> Self {
        notes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_one_cell_of_a_file() {
        let notes = Notes::from("one-token; n = 3: no claim is possible");
        assert!(notes.is_one_token());
        assert_eq!(
            notes.remarks().collect::<Vec<_>>(),
            ["n = 3: no claim is possible"]
        );
        assert_eq!(notes.to_string(), "one-token; n = 3: no claim is possible");
        assert!(Notes::from("").is_empty());
        let json = serde_json::to_string(&notes).unwrap();
        assert_eq!(serde_json::from_str::<Notes>(&json).unwrap(), notes);
    }

    #[test]
    fn a_note_is_there_once() {
        let mut notes = Notes::one_token(true);
        notes.extend([Note::OneToken, Note::Remark(String::new())]);
        assert_eq!(notes, Notes::one_token(true));
        assert_eq!(Notes::one_token(false), Notes::NONE);
    }
}
