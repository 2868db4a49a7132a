//! Conventions: every choice between a record and a map, by name.

mod config;
mod layers;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{AttributionError, Direction};

pub use config::{ConventionConfig, DirectionConfig};
pub use layers::{LayerChoice, layer_matches};

/// The presets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConventionName {
    /// Ours: layers that see the reference as positions, means over the garment and the hole only, layers on an equal footing.
    #[default]
    Spatial,
    /// What the published I2AM code computes, number for number.
    ReleasedCode,
    /// The published equations, and nothing that they do not state.
    Paper,
}

impl ConventionName {
    /// All presets, in the order of listings.
    pub const ALL: [Self; 3] = [Self::Spatial, Self::ReleasedCode, Self::Paper];

    /// The name as written in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spatial => "spatial",
            Self::ReleasedCode => "released-code",
            Self::Paper => "paper",
        }
    }

    /// One line for listings.
    pub fn description(self) -> &'static str {
        match self {
            Self::Spatial => {
                "layers with spatial reference tokens, means inside the masks, layers scaled to mean 1, floor 0.4"
            }
            Self::ReleasedCode => {
                "the published I2AM code: one-token UNet layers inverted, warp block 4, raw means, floor 0.4"
            }
            Self::Paper => {
                "the published equations: all layers, all positions, raw means, no floor"
            }
        }
    }
}

impl fmt::Display for ConventionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ConventionName {
    type Err = AttributionError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| AttributionError::UnknownConvention {
                name: name.to_owned(),
                known: Self::ALL.map(Self::as_str).join(", "),
            })
    }
}

/// Which of the positions summed over enter the mean: reference tokens for a map over the generated picture, generated positions
/// for a map over the reference. One pooled token has no place, so it always enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Averaging {
    /// Those inside the mask: the garment, or the hole. Positions outside the hole need nothing from the reference and park their
    /// attention on its background, which the other means show instead of the answer.
    Inside,
    /// All, each with the same weight.
    All,
    /// Those outside the mask.
    Outside,
}

/// Whether a high softmax means much or little influence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Polarity {
    /// Attribution is the normalised map.
    Direct,
    /// Attribution is one minus the normalised map, as in every reference-to-generated output of the published code.
    Inverted,
}

/// Which of the recorded sums a map is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Over generated positions: for every reference token a softmax over the positions, which the network never computes; I2AM's map.
    ColumnSoftmax,
    /// Over generated positions: how much of what each position reads comes from the reference. It is 1 everywhere where no other keys
    /// compete, and then no map.
    Share,
    /// Over reference positions: the network's own softmax, over all keys.
    Absolute,
    /// Over reference positions: a softmax over the keys of the reference alone, in which a position counts that hardly reads the
    /// reference as much as any other.
    Relative,
}

impl Reading {
    /// Its name in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ColumnSoftmax => "column-softmax",
            Self::Share => "share",
            Self::Absolute => "absolute",
            Self::Relative => "relative",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_usual(&self) -> bool {
        matches!(self, Self::ColumnSoftmax | Self::Absolute)
    }

    /// The direction whose maps it makes.
    pub fn direction(self) -> Direction {
        match self {
            Self::ColumnSoftmax | Self::Share => Direction::ReferenceToGenerated,
            Self::Absolute | Self::Relative => Direction::GeneratedToReference,
        }
    }
}

/// How layers are weighted in a mean over layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerWeighting {
    /// As they are. Maps of low resolution have larger values (each sums to 1 over its positions) and dominate.
    Raw,
    /// Each layer's map is scaled to mean 1 first.
    UnitMean,
}

/// The interpolation by which maps change size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapResize {
    /// Bicubic as in torch: a = -0.75, half-pixel centers, no antialiasing; over- and undershoots.
    TorchBicubic,
    /// Bilinear as in torch: half-pixel centers, no antialiasing.
    TorchBilinear,
}

/// What happens to values below 0 after a layer's map is resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clamp {
    /// They become 0, per head, before any mean.
    Zero,
    /// They stay.
    Off,
}

/// What the mask of the reference does to a map over the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceMask {
    /// Nothing.
    Ignored,
    /// It is resized to the map and multiplied onto it before normalisation. A score outside the mask then only sees what the
    /// upsampling and the soft edge of the mask let through.
    BeforeMinMax,
}

/// What becomes of the values between 0 and 1 of a mask that a map is scored against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskEdges {
    /// A mask of another size is resized like a picture and cut at the middle, as the models see it.
    Cut,
    /// A mask is cut at the middle at its own size, then resized linearly; what lies between 0 and 1 along its edge stays, and
    /// counts in part inside and in part outside.
    Soft,
}

/// Settings that differ between the two directions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DirectionSettings {
    /// Sums that maps are made of. The usual ones leave no trace in a manifest, which was written before there were others.
    #[serde(skip_serializing_if = "Reading::is_usual")]
    pub reading: Reading,
    /// Layers that means run over.
    pub layers: LayerChoice,
    /// Layers that means of one time group run over.
    pub time_layers: LayerChoice,
    /// Positions that means run over.
    pub averaged_over: Averaging,
    /// Meaning of high values.
    pub polarity: Polarity,
}

/// All settings, resolved: what a manifest records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Convention {
    /// The preset that the settings started from.
    #[serde(rename = "convention")]
    pub name: ConventionName,
    /// Settings of maps over generated positions.
    pub r2g: DirectionSettings,
    /// Settings of maps over reference positions.
    pub g2r: DirectionSettings,
    /// Which reference image maps are about, counted from 0.
    #[serde(skip_serializing_if = "is_default")]
    pub reference: usize,
    /// Whether probabilities are multiplied by the length of what their token hands on. Such sums are only recorded on request.
    #[serde(skip_serializing_if = "is_default")]
    pub carried: bool,
    /// Weighting of layers in means over layers.
    pub layer_weighting: LayerWeighting,
    /// Interpolation of maps.
    pub resize: MapResize,
    /// Treatment of negative values after a resize.
    pub clamp: Clamp,
    /// Use of the reference mask.
    pub reference_mask: ReferenceMask,
    /// Edges of the masks that maps are scored against.
    pub mask_edges: MaskEdges,
    /// Attribution at or below this becomes 0; values above stay as they are. In `(0, 1)`.
    pub floor: Option<f64>,
    /// Added to the range in min-max normalisation, so that a constant map becomes 0.
    pub epsilon: f64,
    /// Number of time groups shown.
    pub time_groups: usize,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Epsilon of the published code.
const EPSILON: f64 = 1e-8;
/// Floor of the published code.
const FLOOR: f64 = 0.4;
/// Time groups of the published code.
const TIME_GROUPS: usize = 5;

impl Convention {
    /// The preset `name` with nothing changed.
    pub fn preset(name: ConventionName) -> Self {
        match name {
            ConventionName::Spatial => Self::spatial(),
            ConventionName::ReleasedCode => Self::released_code(),
            ConventionName::Paper => Self::paper(),
        }
    }

    fn spatial() -> Self {
        let direction = |reading: Reading, layers: LayerChoice| DirectionSettings {
            reading,
            time_layers: layers.clone(),
            layers,
            averaged_over: Averaging::Inside,
            polarity: Polarity::Direct,
        };
        Self {
            name: ConventionName::Spatial,
            r2g: direction(Reading::ColumnSoftmax, LayerChoice::SpatialElseAll),
            g2r: direction(Reading::Absolute, LayerChoice::Spatial),
            reference: 0,
            carried: false,
            layer_weighting: LayerWeighting::UnitMean,
            resize: MapResize::TorchBicubic,
            clamp: Clamp::Zero,
            reference_mask: ReferenceMask::Ignored,
            mask_edges: MaskEdges::Cut,
            floor: Some(FLOOR),
            epsilon: EPSILON,
            time_groups: TIME_GROUPS,
        }
    }

    fn released_code() -> Self {
        Self {
            name: ConventionName::ReleasedCode,
            r2g: DirectionSettings {
                reading: Reading::ColumnSoftmax,
                layers: LayerChoice::UnetOneToken,
                time_layers: LayerChoice::UnetOneToken,
                averaged_over: Averaging::All,
                polarity: Polarity::Inverted,
            },
            g2r: DirectionSettings {
                reading: Reading::Absolute,
                layers: LayerChoice::warp_blocks(&[4]),
                time_layers: LayerChoice::warp_blocks(&[3, 4, 5]),
                averaged_over: Averaging::All,
                polarity: Polarity::Direct,
            },
            layer_weighting: LayerWeighting::Raw,
            reference_mask: ReferenceMask::BeforeMinMax,
            mask_edges: MaskEdges::Soft,
            ..Self::spatial()
        }
    }

    fn paper() -> Self {
        let direction = |reading: Reading, layers: LayerChoice| DirectionSettings {
            reading,
            time_layers: layers.clone(),
            layers,
            averaged_over: Averaging::All,
            polarity: Polarity::Direct,
        };
        Self {
            name: ConventionName::Paper,
            r2g: direction(Reading::ColumnSoftmax, LayerChoice::All),
            g2r: direction(Reading::Absolute, LayerChoice::Spatial),
            layer_weighting: LayerWeighting::Raw,
            floor: None,
            ..Self::spatial()
        }
    }

    /// The settings of one direction.
    pub fn direction(&self, direction: Direction) -> &DirectionSettings {
        match direction {
            Direction::ReferenceToGenerated => &self.r2g,
            Direction::GeneratedToReference => &self.g2r,
        }
    }

    /// How layers are weighted in maps of `direction`. Shares of different layers can be compared as they are.
    pub fn weighting(&self, direction: Direction) -> LayerWeighting {
        match self.direction(direction).reading {
            Reading::Share => LayerWeighting::Raw,
            _ => self.layer_weighting,
        }
    }

    /// The name for result rows: that of the preset, followed by `+overrides` if any setting was changed.
    pub fn label(&self) -> String {
        if *self == Self::preset(self.name) {
            self.name.to_string()
        } else {
            format!("{}+overrides", self.name)
        }
    }
}

impl Default for Convention {
    fn default() -> Self {
        Self::preset(ConventionName::default())
    }
}

#[cfg(test)]
mod tests;
