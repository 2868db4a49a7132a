//! Every score of attention maps: its quantities, its settings, and the rows it gives for one sample.
//!
//! A score is one file here and one line in [`SCORES`]. It says under which table of a configuration its settings stand, what must
//! be recorded for it while sampling, and which [`Quantity`]s its rows hold. Whatever lists, shows, compares or correlates scores asks
//! this registry.

mod correspondence;
mod detection;
mod imacs;
mod locality;
mod mask_area;
mod mediated;
mod share;
mod specific;

use std::fmt::Debug;
use std::marker::PhantomData;

use i2am_attribution::{AttentionRecord, Convention, LocalityConfig, SpecificConfig};
use i2am_imaging::{BoundingBox, ColorMap, Correspondence, RgbImage};
use i2am_quantity::{Direction, Level, Marks, Measurement, Quantity};
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use crate::ImacsConfig;
use crate::detection::{BoxSeed, DetectionConfig};
use crate::masks::Masks;

pub use imacs::{IMACS_G, IMACS_R};
pub use mask_area::MASK_AREA;

/// Every score, in the order of rows and columns.
pub static SCORES: &[&dyn MapScore] = &[
    &Entry::<mask_area::Score>::OF,
    &Entry::<imacs::Score>::OF,
    &Entry::<share::Score>::OF,
    &Entry::<mediated::Score>::OF,
    &Entry::<LocalityConfig>::OF,
    &Entry::<correspondence::Score>::OF,
    &Entry::<DetectionConfig>::OF,
    &Entry::<SpecificConfig>::OF,
];

/// Every quantity of every score, in the order of columns.
pub fn quantities() -> impl Iterator<Item = &'static Quantity> {
    let of = |score: &&'static dyn MapScore| score.info().quantities;
    SCORES.iter().flat_map(of).copied()
}

/// A table of a configuration that still knows its lines.
pub type ConfigValue<'a> = Spanned<DeValue<'a>>;

/// When a score is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enabled {
    /// In every run.
    Always,
    /// If the configuration has the table `[attribution.NAME]`.
    ByTable,
    /// If the configuration says `task = "NAME"`; its table is `[NAME]`.
    ByTask,
}

/// What is known of a score without its settings.
#[derive(Debug)]
pub struct ScoreInfo {
    /// As in configurations and listings.
    pub name: &'static str,
    /// When it is made.
    pub enabled: Enabled,
    /// Whether it needs the true box of an object in every sample.
    pub needs_objects: bool,
    /// Whether its settings decide what is recorded while sampling: other settings then need other records.
    pub recorded: bool,
    /// What its rows hold, in the order of columns.
    pub quantities: &'static [&'static Quantity],
    /// One line for people.
    pub summary: &'static str,
}

/// An entry of the registry.
pub trait MapScore: Sync {
    /// What it is.
    fn info(&self) -> &'static ScoreInfo;

    /// The score with the settings of `table`, which is empty where the configuration has none.
    ///
    /// # Errors
    /// An unknown key, or a value that cannot be, at its place in the table.
    fn configure(&self, table: ConfigValue<'_>) -> Result<Box<dyn Configured>, toml::de::Error>;
}

/// A score with its settings.
pub trait Configured: Debug + Send + Sync {
    /// What the score is.
    fn info(&self) -> &'static ScoreInfo;

    /// All settings, defaults filled in.
    fn settings(&self) -> Value;

    /// As [`Settings::record`].
    fn record(&self, wanted: &mut Recorded);

    /// As [`Settings::check_recorded`].
    ///
    /// # Errors
    /// What is lacking: the key, and what is expected there.
    fn check_recorded(&self, recorded: &Recorded) -> Result<(), String>;

    /// As [`Settings::score`].
    fn score(&self, input: &ScoreInput<'_>) -> Scored;
}

/// The settings of a score, and what follows from them: all that a new score has to provide. The type should refuse unknown keys
/// (`#[serde(deny_unknown_fields)]`), and take defaults for absent ones.
pub trait Settings: Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What the score is.
    const INFO: &'static ScoreInfo;

    /// Whether the values can work.
    ///
    /// # Errors
    /// The key, what is expected there, and what was found.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Adds what has to be recorded for the score while sampling.
    fn record(&self, _wanted: &mut Recorded) {}

    /// Whether the score can be made from what is recorded.
    ///
    /// # Errors
    /// What is lacking: the key, and what is expected there.
    fn check_recorded(&self, _recorded: &Recorded) -> Result<(), String> {
        Ok(())
    }

    /// The rows of one sample. What a sample does not have is an empty row with the reason.
    fn score(&self, input: &ScoreInput<'_>) -> Scored;
}

/// The entry of the registry of the score with the settings `S`.
struct Entry<S>(PhantomData<fn() -> S>);

impl<S> Entry<S> {
    const OF: Self = Self(PhantomData);
}

impl<S: Settings> MapScore for Entry<S> {
    fn info(&self) -> &'static ScoreInfo {
        S::INFO
    }

    fn configure(&self, table: ConfigValue<'_>) -> Result<Box<dyn Configured>, toml::de::Error> {
        let settings = S::deserialize(ValueDeserializer::from(table))?;
        settings.check().map_err(toml::de::Error::custom)?;
        Ok(Box::new(settings))
    }
}

impl<S: Settings> Configured for S {
    fn info(&self) -> &'static ScoreInfo {
        S::INFO
    }

    fn settings(&self) -> Value {
        json!(self)
    }

    fn record(&self, wanted: &mut Recorded) {
        Settings::record(self, wanted);
    }

    fn check_recorded(&self, recorded: &Recorded) -> Result<(), String> {
        Settings::check_recorded(self, recorded)
    }

    fn score(&self, input: &ScoreInput<'_>) -> Scored {
        Settings::score(self, input)
    }
}

/// What is recorded while sampling, beyond the sums that every record holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// Layers whose position-by-position attention is kept, by name, where `*` stands for any text.
    pub specific: Vec<String>,
    /// Radii within which attention is summed apart.
    pub locality: Option<LocalityConfig>,
}

/// All that scores of one sample are made from.
#[derive(Debug, Clone, Copy)]
pub struct ScoreInput<'a> {
    /// The attention of the sample.
    pub record: &'a AttentionRecord,
    /// How maps are made of it.
    pub convention: &'a Convention,
    /// The settings of IMACS, which several scores use.
    pub imacs: &'a ImacsConfig,
    /// What the maps should respect, at the size of the generated image.
    pub masks: &'a Masks,
    /// Height and width of the generated image.
    pub size: [usize; 2],
    /// The true box of the object, in pixels of the generated image, where the data set knows it.
    pub object: Option<BoundingBox>,
    /// From where in the reference image the pixels of the generated image should come, where the data set knows it.
    pub correspondence: Option<&'a Correspondence>,
    /// What random numbers are drawn from.
    pub seed: BoxSeed<'a>,
}

/// What a score found in one sample.
#[derive(Default)]
pub struct Scored {
    /// The rows.
    pub rows: Vec<Measurement>,
    /// What people would rather look at.
    pub drawings: Vec<Box<dyn Drawing>>,
}

impl Scored {
    /// Rows without drawings.
    pub fn rows(rows: Vec<Measurement>) -> Self {
        let drawings = Vec::new();
        Self { rows, drawings }
    }
}

/// Something that a score draws into the images of a sample.
pub trait Drawing {
    /// Whether the configuration asks for this picture by itself; others are drawn where overlays are.
    fn is_asked_for(&self) -> bool {
        false
    }

    /// The picture; none where there is nothing to show.
    fn draw(&self, canvas: &Canvas<'_>) -> Option<Drawn>;
}

/// What a drawing may use.
#[derive(Debug, Clone, Copy)]
pub struct Canvas<'a> {
    /// How attributions are made of raw maps.
    pub convention: &'a Convention,
    /// The generated image.
    pub generated: &'a RgbImage,
    /// The reference image, as large as the generated one.
    pub reference: &'a RgbImage,
    /// The maps drawn over their images, where they are.
    pub overlays: &'a [Overlay],
    /// Colors of maps.
    pub colors: ColorMap,
    /// How far the colors cover the image, 0 to 1.
    pub strength: f32,
}

/// A map drawn over its image.
#[derive(Debug, Clone)]
pub struct Overlay {
    /// Which map.
    pub direction: Direction,
    /// Which map.
    pub level: Level,
    /// The marks that its values have in tables.
    pub marks: Marks,
    /// The image with the map over it.
    pub picture: RgbImage,
}

/// A finished drawing.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// For a file name, without an ending: `r2g.unified.box-best-fit`.
    pub name: String,
    /// For the sheet of the sample: the title of a row of cells, and the caption of this cell. None for files only.
    pub sheet: Option<(&'static str, String)>,
    /// The picture.
    pub picture: RgbImage,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_everything_is_said() {
        let names: BTreeSet<&str> = SCORES.iter().map(|score| score.info().name).collect();
        assert_eq!(names.len(), SCORES.len());
        let found: Vec<&str> = quantities().map(|quantity| quantity.name).collect();
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len());
        for score in SCORES {
            let info = score.info();
            assert!(!info.summary.is_empty() && !info.quantities.is_empty());
        }
    }

    #[test]
    fn every_score_works_without_settings_and_refuses_unknown_ones() {
        for score in SCORES {
            let table = |text| {
                let table = toml::de::DeTable::parse(text).unwrap();
                Spanned::new(table.span(), DeValue::Table(table.into_inner()))
            };
            let configured = score.configure(table("")).unwrap();
            assert_eq!(configured.info().name, score.info().name);
            let error = score.configure(table("no_such_setting = 1")).unwrap_err();
            assert!(error.to_string().contains("no_such_setting"), "{error}");
        }
    }
}
