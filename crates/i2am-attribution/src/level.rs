//! What a map shows: the direction of influence, and over what it is averaged.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which way influence is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// Where in the generated picture the reference goes: a map over generated positions.
    #[serde(rename = "r2g")]
    ReferenceToGenerated,
    /// From where in the reference the generated picture takes: a map over reference positions.
    #[serde(rename = "g2r")]
    GeneratedToReference,
}

impl Direction {
    /// Both directions, in the order of tables.
    pub const ALL: [Self; 2] = [Self::ReferenceToGenerated, Self::GeneratedToReference];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReferenceToGenerated => "r2g",
            Self::GeneratedToReference => "g2r",
        })
    }
}

/// Which part of a record a map is the mean of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All steps, heads and chosen layers (ULAM).
    Unified,
    /// One group of consecutive steps, counted from the first and noisiest (TLAM).
    Time(usize),
    /// One attention head (HLAM).
    Head(usize),
    /// One layer, by name, whether or not the convention chooses it (LLAM).
    Layer(String),
    /// The chosen layers whose own map has this size (LLAM by resolution).
    Resolution {
        /// Rows of the layers' own maps.
        height: usize,
        /// Columns of the layers' own maps.
        width: usize,
    },
    /// One head of one layer in one time group.
    Cell(Cell),
}

/// The finest part of a record: one head of one layer in one time group. There are hundreds in a record, so
/// [`crate::levels`] leaves them out and [`crate::cells`] lists them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The layer, by name, whether or not the convention chooses it.
    pub layer: String,
    /// The head, counted from 0.
    pub head: usize,
    /// The time group, counted from the first and noisiest.
    pub time: usize,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unified => f.write_str("unified"),
            Self::Time(group) => write!(f, "time:{group}"),
            Self::Head(head) => write!(f, "head:{head}"),
            Self::Layer(name) => write!(f, "layer:{name}"),
            Self::Resolution { height, width } => write!(f, "resolution:{height}x{width}"),
            Self::Cell(cell) => write!(
                f,
                "layer:{}/head:{}/time:{}",
                cell.layer, cell.head, cell.time
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_result_rows() {
        assert_eq!(Direction::ALL.map(|d| d.to_string()), ["r2g", "g2r"]);
        let levels = [
            Level::Unified,
            Level::Time(0),
            Level::Head(3),
            Level::Layer("mid_block.attentions.0".to_owned()),
            Level::Resolution {
                height: 16,
                width: 12,
            },
            Level::Cell(Cell {
                layer: "mid_block.attentions.0".to_owned(),
                head: 3,
                time: 1,
            }),
        ];
        assert_eq!(
            levels.map(|level| level.to_string()),
            [
                "unified",
                "time:0",
                "head:3",
                "layer:mid_block.attentions.0",
                "resolution:16x12",
                "layer:mid_block.attentions.0/head:3/time:1"
            ]
        );
    }
}
