//! What a map shows: the direction of influence, and over what it is averaged.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which way influence is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// Where in the generated image the reference goes: a map over generated positions.
    #[serde(rename = "r2g")]
    ReferenceToGenerated,
    /// From where in the reference the generated image takes: a map over reference positions.
    #[serde(rename = "g2r")]
    GeneratedToReference,
}

impl Direction {
    /// Both directions, in the order of tables.
    pub const ALL: [Self; 2] = [Self::ReferenceToGenerated, Self::GeneratedToReference];

    /// As written in the files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReferenceToGenerated => "r2g",
            Self::GeneratedToReference => "g2r",
        }
    }

    /// As written in tables and titles.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ReferenceToGenerated => "reference to generated",
            Self::GeneratedToReference => "generated to reference",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is no direction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("direction: expected `r2g` or `g2r`, found `{0}`")]
pub struct UnknownDirection(String);

impl FromStr for Direction {
    type Err = UnknownDirection;

    fn from_str(text: &str) -> Result<Self, UnknownDirection> {
        let known = Self::ALL.into_iter();
        let mut found = known.filter(|direction| direction.as_str() == text);
        found
            .next()
            .ok_or_else(|| UnknownDirection(text.to_owned()))
    }
}

/// Which part of a record a map is the mean of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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
    /// Chosen positions of one layer (SRAM).
    Specific {
        /// The layer, by name.
        layer: String,
        /// The positions, in words: `point:0.5,0.25`, `box:0,0,0.5,1`, `mask`, or `position:12,7` (row and column on the layer's grid).
        place: String,
    },
}

/// The finest part of a record: one head of one layer in one time group. There are hundreds in a record, so lists of levels leave them
/// out.
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
            Self::Cell(Cell { layer, head, time }) => {
                write!(f, "layer:{layer}/head:{head}/time:{time}")
            }
            Self::Specific { layer, place } => write!(f, "specific:{layer}/{place}"),
        }
    }
}

/// A text that is no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "level: expected `unified`, `time:N`, `head:N`, `resolution:HxW`, `layer:NAME`, `layer:NAME/head:N/time:N` or \
     `specific:NAME/PLACE`, found `{0}`"
)]
pub struct UnknownLevel(String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let parsed = match text.split_once(':') {
            None => (text == "unified").then_some(Self::Unified),
            Some(("time", group)) => number(group).map(Self::Time),
            Some(("head", head)) => number(head).map(Self::Head),
            Some(("resolution", size)) => size.split_once('x').and_then(|(height, width)| {
                Some(Self::Resolution {
                    height: number(height)?,
                    width: number(width)?,
                })
            }),
            Some(("layer", rest)) => cell(rest)
                .map(Self::Cell)
                .or_else(|| named(rest).map(Self::Layer)),
            Some(("specific", rest)) => rest.rsplit_once('/').and_then(|(layer, place)| {
                Some(Self::Specific {
                    layer: named(layer)?,
                    place: named(place)?,
                })
            }),
            Some(_) => None,
        };
        parsed.ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

impl TryFrom<String> for Level {
    type Error = UnknownLevel;

    fn try_from(text: String) -> Result<Self, UnknownLevel> {
        text.parse()
    }
}

impl From<Level> for String {
    fn from(level: Level) -> Self {
        level.to_string()
    }
}

fn named(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A number as [`Level`] writes it: no sign, no leading zero.
fn number(text: &str) -> Option<usize> {
    let number: usize = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn cell(text: &str) -> Option<Cell> {
    let (rest, time) = text.rsplit_once("/time:")?;
    let (layer, head) = rest.rsplit_once("/head:")?;
    Some(Cell {
        layer: named(layer)?,
        head: number(head)?,
        time: number(time)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_those_of_result_rows() {
        assert_eq!(Direction::ALL.map(|d| d.to_string()), ["r2g", "g2r"]);
        let layer = "mid_block.attentions.0".to_owned();
        let levels = [
            (Level::Unified, "unified"),
            (Level::Time(0), "time:0"),
            (Level::Head(3), "head:3"),
            (Level::Layer(layer.clone()), "layer:mid_block.attentions.0"),
            (
                Level::Resolution {
                    height: 16,
                    width: 12,
                },
                "resolution:16x12",
            ),
            (
                Level::Cell(Cell {
                    layer: layer.clone(),
                    head: 3,
                    time: 1,
                }),
                "layer:mid_block.attentions.0/head:3/time:1",
            ),
            (
                Level::Specific {
                    layer,
                    place: "box:0,0,0.5,1".to_owned(),
                },
                "specific:mid_block.attentions.0/box:0,0,0.5,1",
            ),
        ];
        for (level, text) in levels {
            assert_eq!(level.to_string(), text);
            assert_eq!(serde_json::to_value(&level).unwrap(), text);
            assert_eq!(text.parse(), Ok(level));
        }
        for direction in Direction::ALL {
            assert_eq!(direction.as_str().parse(), Ok(direction));
        }
    }

    #[test]
    fn what_is_no_level_is_refused_by_name() {
        for text in [
            "",
            "layer:",
            "time:",
            "time:-1",
            "time:01",
            "resolution:3",
            "specific:a",
            "heads:3",
        ] {
            let error = text.parse::<Level>().unwrap_err();
            assert!(
                error.to_string().ends_with(&format!("found `{text}`")),
                "{error}"
            );
        }
        assert!("both".parse::<Direction>().is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_alike(text in "(unified|time:|head:|layer:|specific:|resolution:)?[a-z0-9x/:.]{0,12}") {
            if let Ok(level) = text.parse::<Level>() {
                prop_assert_eq!(level.to_string(), text);
            }
        }
    }
}
