//! What a folder lacks.

use std::fmt;
use std::path::PathBuf;

use crate::Part;

/// Files of one part that do not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The part.
    pub part: Part,
    /// Files missing.
    pub missing: usize,
    /// Files needed, one for each sample.
    pub needed: usize,
    /// Where the first of the missing files should be, in the order of samples.
    pub first: PathBuf,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            part,
            missing,
            needed,
            first,
        } = self;
        let first = first.display();
        write!(
            f,
            "part `{part}`: {missing} of {needed} files missing, first {first}"
        )
    }
}
