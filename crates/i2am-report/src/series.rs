//! What a number measures, as the column of a table or the axis of a plot.

use std::cmp::Ordering;

use i2am_quantity::{Better, Direction, Place, Quantities, Quantity, number};

/// Digits behind the point of what has no definition.
const DECIMALS: usize = 4;

/// What rows have in common that can stand in one column.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// Its definition; none for one that only another version of this program knows.
    quantity: Option<&'static Quantity>,
    /// Place among the quantities; what has no definition comes last.
    rank: usize,
    metric: String,
    version: u32,
    pub(crate) convention: String,
    /// The direction of the map; none for what is not about a map.
    direction: Option<Direction>,
}

impl Series {
    pub(crate) fn new(
        quantities: Quantities<'_>,
        metric: &str,
        version: u32,
        convention: &str,
        direction: Option<Direction>,
    ) -> Self {
        Self {
            quantity: quantities.find(metric),
            rank: quantities.rank(metric).unwrap_or(usize::MAX),
            metric: metric.to_owned(),
            version,
            convention: convention.to_owned(),
            direction,
        }
    }

    fn key(&self) -> (usize, &str, u32, &str, Option<Direction>) {
        (
            self.rank,
            &self.metric,
            self.version,
            &self.convention,
            self.direction,
        )
    }

    /// Whether it is a column of the main table: also what has no definition is.
    pub(crate) fn is_column(&self) -> bool {
        self.quantity
            .is_none_or(|quantity| quantity.place == Place::Headline)
    }

    /// Whether it is a score of maps that the main table shows, as opposed to a metric of images.
    pub(crate) fn is_score(&self) -> bool {
        self.direction.is_some() && self.quantity.is_some() && self.is_column()
    }

    /// `FID`, or the metric's own name.
    pub(crate) fn title(&self) -> &str {
        self.quantity
            .map_or(&self.metric, |quantity| quantity.title)
    }

    /// `FID (clean)`.
    pub(crate) fn full_title(&self) -> String {
        if self.convention.is_empty() {
            self.title().to_owned()
        } else {
            format!("{} ({})", self.title(), self.convention)
        }
    }

    pub(crate) fn better(&self) -> Better {
        self.quantity
            .map_or(Better::Neither, |quantity| quantity.better)
    }

    /// `value` scaled and rounded as tables show it.
    pub(crate) fn format(&self, value: f64) -> String {
        self.quantity.map_or_else(
            || number(value, DECIMALS),
            |quantity| quantity.format(value),
        )
    }

    /// What the heading says about the scale: `×10³`, or nothing.
    pub(crate) fn scale(&self) -> String {
        self.quantity.map_or_else(String::new, Quantity::scale)
    }

    /// What a reader of its values has to know; empty in most cases.
    pub(crate) fn footnote(&self) -> &'static str {
        self.quantity.map_or("", |quantity| quantity.footnote)
    }

    /// For columns of CSV files and names of plots: `fid_clean`.
    pub(crate) fn slug(&self) -> String {
        let text = format!("{} {}", self.metric, self.convention);
        slug(text.trim_end())
    }
}

impl PartialEq for Series {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Series {}

impl PartialOrd for Series {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Series {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// `text` in lower case, with an underscore for each run of other characters than ASCII letters, digits, `-` and `.`.
pub(crate) fn slug(text: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let words = text
        .split(|c: char| !kept(c))
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    static KID: Quantity = Quantity::new("kid", "KID", Better::Lower)
        .exponent(3)
        .decimals(2)
        .headline();
    static AREA: Quantity = Quantity::new("area", "Area", Better::Neither);

    fn series(metric: &str, convention: &str, direction: Option<Direction>) -> Series {
        Series::new(
            Quantities::new(&[&KID, &AREA]),
            metric,
            1,
            convention,
            direction,
        )
    }

    #[test]
    fn a_definition_says_how_values_are_written() {
        let kid = series("kid", "clean", None);
        assert_eq!(kid.format(0.097_71), "97.71");
        assert_eq!(kid.scale(), " ×10³");
        assert_eq!(kid.full_title(), "KID (clean)");
        assert!(kid.is_column() && !kid.is_score());
        assert!(series("kid", "", Some(Direction::ReferenceToGenerated)).is_score());
        assert!(!series("area", "", None).is_column());
    }

    #[test]
    fn what_has_no_definition_keeps_its_own_name() {
        let other = series("clip_score", "", Some(Direction::ReferenceToGenerated));
        assert_eq!(other.title(), "clip_score");
        assert_eq!(other.better(), Better::Neither);
        assert_eq!(other.format(0.25), "0.2500");
        assert!(other.is_column() && !other.is_score());
        assert!(other > series("area", "rgb", None));
    }

    #[test]
    fn slugs_are_fit_for_file_names() {
        assert_eq!(
            series("fid", "pytorch-fid, tap 768", None).slug(),
            "fid_pytorch-fid_tap_768"
        );
        assert_eq!(slug("../a b"), ".._a_b");
    }
}
