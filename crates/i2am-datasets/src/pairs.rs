//! Lists of pairs: on each line the file name of a person, white space, and that of a garment.

use std::path::Path;

use crate::ids::{self, Listed};
use crate::{DatasetError, Pairing};

/// A person and a garment, by their file names.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) person: String,
    pub(crate) cloth: String,
}

/// The pairs on the lines of `text`, the list at `path`. A paired sample's id is the person's file name without its ending; an unpaired
/// one's is `PERSON_CLOTH`.
///
/// # Errors
/// [`DatasetError::Entry`] if a line is not two file names; anything that leads into another folder is none.
pub(crate) fn parse(
    path: &Path,
    text: &str,
    pairing: Pairing,
) -> Result<Vec<Listed<Pair>>, DatasetError> {
    let lines = text.lines().enumerate();
    let full = lines.filter(|(_, line)| !line.trim().is_empty());
    full.map(|(number, line)| {
        let number = number as u64 + 1;
        let pair = pair(line).ok_or_else(|| {
            let found = i2am_files::shown(line.trim());
            DatasetError::line(path, number, "`PERSON CLOTH`, two file names", found)
        })?;
        let person = ids::stem(&pair.person);
        let id = match pairing {
            Pairing::Paired => person.to_owned(),
            Pairing::Unpaired => format!("{person}_{}", ids::stem(&pair.cloth)),
        };
        Ok(Listed {
            line: number,
            id,
            entry: pair,
        })
    })
    .collect()
}

fn pair(line: &str) -> Option<Pair> {
    let mut names = line.split_whitespace();
    let (person, cloth) = (names.next()?, names.next()?);
    let bad = |name: &str| ids::objection(name).is_some();
    if names.next().is_some() || bad(person) || bad(cloth) {
        return None;
    }
    Some(Pair {
        person: person.to_owned(),
        cloth: cloth.to_owned(),
    })
}
