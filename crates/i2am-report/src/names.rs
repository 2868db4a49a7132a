//! What a score is called on paper, which way it goes, and how it is scaled and rounded there. Files keep raw values.

use i2am_results::AggregateRow;

/// Which way a score goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Lower is better.
    Lower,
    /// Higher is better.
    Higher,
}

impl Better {
    /// The arrow of a heading.
    pub(crate) fn arrow(self) -> &'static str {
        match self {
            Self::Lower => "↓",
            Self::Higher => "↑",
        }
    }

    /// Whether `a` is better than `b`.
    pub(crate) fn prefers(self, a: f64, b: f64) -> bool {
        match self {
            Self::Lower => a < b,
            Self::Higher => a > b,
        }
    }
}

/// How one metric is written.
#[derive(Debug, PartialEq, Eq)]
pub struct Naming {
    /// As in rows.
    pub metric: &'static str,
    /// As in headings.
    pub title: &'static str,
    /// Which way it goes.
    pub better: Better,
    /// Power of ten that tables multiply values by, and headings name.
    pub exponent: i32,
    /// Digits behind the point, after scaling.
    pub decimals: usize,
}

/// Every metric that has a name on paper; this order is that of columns.
pub static NAMES: &[Naming] = &[
    naming("imacs_g", "IMACS_g", Better::Higher, 0, 3),
    naming("imacs_r", "IMACS_r", Better::Higher, 0, 3),
    naming("fid", "FID", Better::Lower, 0, 2),
    naming("kid", "KID", Better::Lower, 3, 2),
    naming("lpips", "LPIPS", Better::Lower, 0, 4),
    naming("baseline", "Baseline", Better::Lower, 0, 4),
    naming("ssim", "SSIM", Better::Higher, 0, 4),
    naming("psnr", "PSNR", Better::Higher, 0, 2),
    naming("iou", "IoU", Better::Higher, 0, 3),
];

const fn naming(
    metric: &'static str,
    title: &'static str,
    better: Better,
    exponent: i32,
    decimals: usize,
) -> Naming {
    Naming {
        metric,
        title,
        better,
        exponent,
        decimals,
    }
}

/// The naming of `metric`; `None` for one that only another version of this program knows.
pub fn naming_of(metric: &str) -> Option<&'static Naming> {
    NAMES.iter().find(|naming| naming.metric == metric)
}

/// Digits behind the point of a metric that has no name.
const DECIMALS: usize = 4;

/// What a number measures: rows of one quantity can stand in one column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity {
    /// Place of the metric among [`NAMES`]; what has no name comes last.
    rank: usize,
    pub(crate) metric: String,
    pub(crate) version: u32,
    pub(crate) convention: String,
}

impl Quantity {
    pub(crate) fn new(metric: &str, version: u32, convention: &str) -> Self {
        let rank = NAMES.iter().position(|naming| naming.metric == metric);
        Self {
            rank: rank.unwrap_or(NAMES.len()),
            metric: metric.to_owned(),
            version,
            convention: convention.to_owned(),
        }
    }

    pub(crate) fn of(row: &AggregateRow) -> Self {
        Self::new(&row.metric, row.version, &row.convention)
    }

    /// `FID`, or the metric's own name.
    pub(crate) fn title(&self) -> &str {
        self.naming().map_or(&self.metric, |naming| naming.title)
    }

    /// `FID (clean)`.
    pub(crate) fn full_title(&self) -> String {
        if self.convention.is_empty() {
            self.title().to_owned()
        } else {
            format!("{} ({})", self.title(), self.convention)
        }
    }

    pub(crate) fn naming(&self) -> Option<&'static Naming> {
        naming_of(&self.metric)
    }

    pub(crate) fn better(&self) -> Option<Better> {
        self.naming().map(|naming| naming.better)
    }

    /// `value` scaled and rounded as tables show it.
    pub(crate) fn format(&self, value: f64) -> String {
        let (exponent, decimals) = self
            .naming()
            .map_or((0, DECIMALS), |naming| (naming.exponent, naming.decimals));
        number(value * 10_f64.powi(exponent), decimals)
    }

    /// What the heading says about the scale: `×10³`, or nothing.
    pub(crate) fn scale(&self) -> String {
        match self.naming().map_or(0, |naming| naming.exponent) {
            0 => String::new(),
            exponent => format!(" ×10{}", superscript(exponent)),
        }
    }

    /// For columns of CSV files and names of plots: `fid_clean`.
    pub(crate) fn slug(&self) -> String {
        let text = format!("{} {}", self.metric, self.convention);
        slug(text.trim_end())
    }
}

/// `value` with `decimals` digits behind the point and a true minus sign, never `-0`.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|byte| byte == b'0' || byte == b'.') => {
            digits.to_owned()
        }
        Some(digits) => format!("−{digits}"),
        None => text,
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

fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |c: char| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    exponent.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_with_a_true_minus_and_without_minus_zero() {
        assert_eq!(number(-0.0004, 3), "0.000");
        assert_eq!(number(-0.7836, 2), "−0.78");
        assert_eq!(number(12.5, 0), "12");
    }

    #[test]
    fn kid_is_scaled_in_the_heading_and_the_cell() {
        let kid = Quantity::new("kid", 1, "clean");
        assert_eq!(kid.format(0.097_71), "97.71");
        assert_eq!(kid.scale(), " ×10³");
        assert_eq!(kid.full_title(), "KID (clean)");
    }

    #[test]
    fn what_has_no_name_keeps_its_own() {
        let other = Quantity::new("clip_score", 1, "");
        assert_eq!(other.title(), "clip_score");
        assert_eq!(other.better(), None);
        assert_eq!(other.format(0.25), "0.2500");
        assert!(other > Quantity::new("psnr", 1, "rgb"));
    }

    #[test]
    fn slugs_are_fit_for_file_names() {
        assert_eq!(
            Quantity::new("fid", 1, "pytorch-fid, tap 768").slug(),
            "fid_pytorch-fid_tap_768"
        );
        assert_eq!(slug("../a b"), ".._a_b");
    }
}
