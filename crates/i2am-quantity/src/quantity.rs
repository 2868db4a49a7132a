//! The definition of a metric or score.

use crate::{Better, Bound};

/// Where tables show a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A column of the main table, on the terminal, on paper and on the page.
    Headline,
    /// A table of its own, by name.
    Table(&'static str),
    /// In files only.
    Files,
}

/// What a quantity is to the lines of a table that shows several quantities of one map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// What the line is about.
    Value,
    /// What the value would be by chance.
    Control,
    /// How far the value is above a control.
    Gain,
    /// Whether there was anything to measure: 1 or 0. Tables show the share of samples.
    Found,
}

/// What is known of one number that rows hold. It is a static in the file that computes the number.
///
/// # Example
/// ```
/// use i2am_quantity::{Better, Bound, Quantity};
///
/// static KID: Quantity = Quantity::new("kid", "KID", Better::Lower)
///     .exponent(3)
///     .decimals(2)
///     .tolerance(Bound::absolute(1e-4), None)
///     .of_sets()
///     .headline()
///     .correlated();
/// assert_eq!(KID.name, "kid");
/// ```
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub struct Quantity {
    /// As in rows and configurations.
    pub name: &'static str,
    /// As in headings.
    pub title: &'static str,
    /// Which direction is better.
    pub better: Better,
    /// Goes up whenever a value can change.
    pub version: u32,
    /// `dB`; empty for a number without a unit.
    pub unit: &'static str,
    /// Power of ten that tables multiply values by, and headings name. Files keep raw values.
    pub exponent: i32,
    /// Digits behind the point in tables, after scaling.
    pub decimals: usize,
    /// How far the value of a model may be from that of a baseline.
    pub mean: Bound,
    /// How far the value of one sample may be; without it, as `mean`.
    pub sample: Option<Bound>,
    /// Where tables show it.
    pub place: Place,
    /// What it is to the lines of its table.
    pub role: Role,
    /// Whether it enters correlations.
    pub correlated: bool,
    /// Whether it is one value of all images of a model, rather than a mean over samples.
    pub of_sets: bool,
    /// A sentence that stands below every table that shows it; usually empty.
    pub footnote: &'static str,
}

impl Quantity {
    /// A quantity of version 1, that tables do not show, correlations leave out, and a baseline holds to a thousandth of its value.
    pub const fn new(name: &'static str, title: &'static str, better: Better) -> Self {
        Self {
            name,
            title,
            better,
            version: 1,
            unit: "",
            exponent: 0,
            decimals: 4,
            mean: Bound::relative(1e-3),
            sample: None,
            place: Place::Files,
            role: Role::Value,
            correlated: false,
            of_sets: false,
            footnote: "",
        }
    }

    /// Sets [`Quantity::version`].
    #[must_use]
    pub const fn version(self, version: u32) -> Self {
        Self { version, ..self }
    }

    /// Sets [`Quantity::unit`].
    #[must_use]
    pub const fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// Sets [`Quantity::exponent`].
    #[must_use]
    pub const fn exponent(self, exponent: i32) -> Self {
        Self { exponent, ..self }
    }

    /// Sets [`Quantity::decimals`].
    #[must_use]
    pub const fn decimals(self, decimals: usize) -> Self {
        Self { decimals, ..self }
    }

    /// Sets [`Quantity::mean`] and [`Quantity::sample`].
    #[must_use]
    pub const fn tolerance(self, mean: Bound, sample: Option<Bound>) -> Self {
        Self {
            mean,
            sample,
            ..self
        }
    }

    /// Makes it a column of the main table.
    #[must_use]
    pub const fn headline(self) -> Self {
        let place = Place::Headline;
        Self { place, ..self }
    }

    /// Shows it in the table `name`.
    #[must_use]
    pub const fn in_table(self, name: &'static str) -> Self {
        let place = Place::Table(name);
        Self { place, ..self }
    }

    /// Shows it in the table `name` as a part of the lines of other quantities with the same direction, level and convention.
    #[must_use]
    pub const fn part_of(self, name: &'static str, role: Role) -> Self {
        let place = Place::Table(name);
        Self {
            place,
            role,
            ..self
        }
    }

    /// Lets it enter correlations.
    #[must_use]
    pub const fn correlated(self) -> Self {
        let correlated = true;
        Self { correlated, ..self }
    }

    /// Makes it one value of all images of a model.
    #[must_use]
    pub const fn of_sets(self) -> Self {
        let of_sets = true;
        Self { of_sets, ..self }
    }

    /// Sets [`Quantity::footnote`].
    #[must_use]
    pub const fn footnote(self, footnote: &'static str) -> Self {
        Self { footnote, ..self }
    }

    /// The bound for the value of one sample.
    pub fn of_sample(&self) -> Bound {
        self.sample.unwrap_or(self.mean)
    }

    /// `value` scaled and rounded as tables show it, with a true minus sign and never `-0`.
    pub fn format(&self, value: f64) -> String {
        number(value * 10_f64.powi(self.exponent), self.decimals)
    }

    /// What a heading says about the scale: ` ×10³`, or nothing.
    pub fn scale(&self) -> String {
        match self.exponent {
            0 => String::new(),
            exponent => format!(" ×10{}", superscript(exponent)),
        }
    }
}

/// Every quantity that a program knows, in the order of columns.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quantities<'a>(&'a [&'static Quantity]);

impl<'a> Quantities<'a> {
    /// These, in this order.
    pub const fn new(quantities: &'a [&'static Quantity]) -> Self {
        Self(quantities)
    }

    /// The quantity called `name`; what stands behind a colon (`lpips:alex`) is a variant. None for one that only another version of
    /// the program knows.
    pub fn find(&self, name: &str) -> Option<&'static Quantity> {
        self.rank(name).map(|rank| self.0[rank])
    }

    /// The place of `name` among the columns.
    pub fn rank(&self, name: &str) -> Option<usize> {
        let name = name.split(':').next().unwrap_or_default();
        self.0.iter().position(|quantity| quantity.name == name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'static Quantity> + use<'a> {
        self.0.iter().copied()
    }

    /// Which direction of `name` is better; neither for an unknown one.
    pub fn better(&self, name: &str) -> Better {
        self.find(name)
            .map_or(Better::Neither, |quantity| quantity.better)
    }
}

/// `value` with `decimals` digits behind the point and a true minus sign, never `-0`.
pub fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|byte| byte == b'0' || byte == b'.') => {
            digits.to_owned()
        }
        Some(digits) => format!("−{digits}"),
        None => text,
    }
}

fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |c: char| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    exponent.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    static KID: Quantity = Quantity::new("kid", "KID", Better::Lower)
        .exponent(3)
        .decimals(2);
    static SSIM: Quantity = Quantity::new("ssim", "SSIM", Better::Higher);

    #[test]
    fn numbers_are_rounded_with_a_true_minus_and_without_minus_zero() {
        assert_eq!(number(-0.0004, 3), "0.000");
        assert_eq!(number(-0.7836, 2), "−0.78");
        assert_eq!(number(12.5, 0), "12");
    }

    #[test]
    fn a_scaled_quantity_says_so_in_the_heading() {
        assert_eq!(KID.format(0.097_71), "97.71");
        assert_eq!(KID.scale(), " ×10³");
        assert_eq!(SSIM.scale(), "");
    }

    #[test]
    fn names_are_found_with_their_variant() {
        let quantities = [&KID, &SSIM];
        let known = Quantities::new(&quantities);
        assert_eq!(
            known.find("ssim:gray").map(|found| found.title),
            Some("SSIM")
        );
        assert_eq!(known.rank("ssim"), Some(1));
        assert_eq!(known.better("kid"), Better::Lower);
        assert_eq!(known.better("speed"), Better::Neither);
    }
}
