//! Remarks that belong to a value wherever it is shown.

use std::convert::Infallible;
use std::fmt;
use std::ops::{BitOr, BitOrAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What stands between two notes in a cell.
const SEPARATOR: &str = "; ";
/// How [`Note::OneToken`] is written.
const ONE_TOKEN: &str = "one-token";
/// How [`Note::Composed`] is written.
const COMPOSED: &str = "composed";
/// How [`Note::ShownAnswer`] is written.
const SHOWN_ANSWER: &str = "shown-answer";

/// A remark that belongs to a value wherever it is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// The layers of the map have a single reference token. With one key the attention weight is 1 at every position, so the query and
    /// key weights that make the map cannot influence the image.
    OneToken,
    /// The map over the reference is composed of the attention to pooled tokens and of that by which they were made: an approximation.
    Composed,
    /// The model is shown what is in the masked region.
    ShownAnswer,
    /// Anything else, in words.
    Remark(String),
}

impl Note {
    /// The sentence that explains [`Note::OneToken`] below a table.
    const ONE_TOKEN_MEANS: &str = "The reference is one pooled token: attention weights are 1 at every position, so the query and key weights that make \
         this map cannot influence the image.";
    /// The sentence that explains [`Note::Composed`] below a table.
    const COMPOSED_MEANS: &str = "The reference enters as tokens that mix its positions. The map over the reference is composed of the attention to these \
         tokens and of the attention by which they were made: an approximation.";
    /// The sentence that explains [`Note::ShownAnswer`] below a table.
    const SHOWN_ANSWER_MEANS: &str = "The model is shown the whole image that it edits, with what is in the masked region: where that is the ground truth, it \
         can copy the answer.";
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneToken => ONE_TOKEN,
            Self::Composed => COMPOSED,
            Self::ShownAnswer => SHOWN_ANSWER,
            Self::Remark(text) => text,
        })
    }
}

impl FromStr for Note {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            ONE_TOKEN => Self::OneToken,
            COMPOSED => Self::Composed,
            SHOWN_ANSWER => Self::ShownAnswer,
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

    /// Those that are shown as marks.
    pub fn marks(&self) -> Marks {
        Marks {
            one_token: self.0.contains(&Note::OneToken),
            composed: self.0.contains(&Note::Composed),
            shown_answer: self.0.contains(&Note::ShownAnswer),
        }
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

    /// Those that are words.
    pub fn remarks(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|note| match note {
            Note::OneToken | Note::Composed | Note::ShownAnswer => None,
            Note::Remark(text) => Some(text.as_str()),
        })
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Note> {
        self.0.iter()
    }
}

/// The notes that are shown as marks behind a value and explained once below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "&'static str")]
pub struct Marks {
    one_token: bool,
    composed: bool,
    shown_answer: bool,
}

impl Marks {
    /// No mark.
    pub const NONE: Self = Self {
        one_token: false,
        composed: false,
        shown_answer: false,
    };

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// What is set behind a value.
    pub fn text(self) -> &'static str {
        match (self.one_token, self.composed, self.shown_answer) {
            (false, false, false) => "",
            (true, false, false) => "*",
            (false, true, false) => "†",
            (true, true, false) => "*†",
            (false, false, true) => "‡",
            (true, false, true) => "*‡",
            (false, true, true) => "†‡",
            (true, true, true) => "*†‡",
        }
    }

    /// Each mark with the sentence that explains it.
    pub fn meanings(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let one_token = self.one_token.then_some(("*", Note::ONE_TOKEN_MEANS));
        let composed = self.composed.then_some(("†", Note::COMPOSED_MEANS));
        let shown_answer = self.shown_answer.then_some(("‡", Note::SHOWN_ANSWER_MEANS));
        one_token.into_iter().chain(composed).chain(shown_answer)
    }
}

impl From<Marks> for &'static str {
    fn from(marks: Marks) -> Self {
        marks.text()
    }
}

impl From<Marks> for Notes {
    fn from(marks: Marks) -> Self {
        let one_token = marks.one_token.then_some(Note::OneToken);
        let composed = marks.composed.then_some(Note::Composed);
        let shown_answer = marks.shown_answer.then_some(Note::ShownAnswer);
        let marked = one_token.into_iter().chain(composed);
        marked.chain(shown_answer).collect()
    }
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            one_token: self.one_token | other.one_token,
            composed: self.composed | other.composed,
            shown_answer: self.shown_answer | other.shown_answer,
        }
    }
}

impl BitOrAssign for Marks {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl FromIterator<Self> for Marks {
    fn from_iter<Iter: IntoIterator<Item = Self>>(marks: Iter) -> Self {
        marks.into_iter().fold(Self::NONE, Self::bitor)
    }
}

impl From<Note> for Notes {
    fn from(note: Note) -> Self {
        Self::from_iter([note])
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
        let mut notes = Notes::from(Note::OneToken);
        notes.extend([Note::OneToken, Note::Remark(String::new())]);
        assert_eq!(notes, Notes::from(Note::OneToken));
    }

    #[test]
    fn marks_are_the_notes_that_are_explained_below() {
        let notes = Notes::from("composed; one-token; n = 3; shown-answer");
        let marks = notes.marks();
        assert_eq!(marks.text(), "*†‡");
        assert_eq!(marks.meanings().count(), 3);
        let all = Notes::from("one-token; composed; shown-answer");
        assert_eq!(Notes::from(marks), all);
        assert_eq!(Notes::from("n = 3").marks(), Marks::NONE);
        let each = ["one-token", "composed", "shown-answer"].map(|note| Notes::from(note).marks());
        assert_eq!(each.into_iter().collect::<Marks>(), marks);
    }
}
