//! Conventions as they are configured: a preset and the settings that differ from it.

use serde::Deserialize;

use super::{
    Averaging, Clamp, Convention, ConventionName, DirectionSettings, LayerChoice, LayerWeighting,
    MapResize, MaskEdges, Polarity, Reading, ReferenceMask,
};
use crate::{AttributionError, Direction};

/// A preset and the settings that replace its own; each setting means what the field of the same name in [`Convention`] does.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConventionConfig {
    /// The preset.
    pub convention: ConventionName,
    /// Settings of maps over generated positions.
    pub r2g: DirectionConfig,
    /// Settings of maps over reference positions.
    pub g2r: DirectionConfig,
    /// See [`Convention::reference`].
    pub reference: Option<usize>,
    /// See [`Convention::carried`].
    pub carried: Option<bool>,
    /// See [`Convention::layer_weighting`].
    pub layer_weighting: Option<LayerWeighting>,
    /// See [`Convention::resize`].
    pub resize: Option<MapResize>,
    /// See [`Convention::clamp`].
    pub clamp: Option<Clamp>,
    /// See [`Convention::reference_mask`].
    pub reference_mask: Option<ReferenceMask>,
    /// See [`Convention::mask_edges`].
    pub mask_edges: Option<MaskEdges>,
    /// See [`Convention::floor`]; 0 stands for no floor.
    pub floor: Option<f64>,
    /// See [`Convention::epsilon`].
    pub epsilon: Option<f64>,
    /// See [`Convention::time_groups`].
    pub time_groups: Option<usize>,
}

/// Settings of one direction that replace those of the preset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectionConfig {
    /// See [`DirectionSettings::reading`].
    pub reading: Option<Reading>,
    /// See [`DirectionSettings::layers`]. Holds for time groups too, unless `time_layers` says otherwise.
    pub layers: Option<LayerChoice>,
    /// See [`DirectionSettings::time_layers`].
    pub time_layers: Option<LayerChoice>,
    /// See [`DirectionSettings::averaged_over`].
    pub averaged_over: Option<Averaging>,
    /// See [`DirectionSettings::polarity`].
    pub polarity: Option<Polarity>,
}

impl ConventionConfig {
    /// The preset `convention` with nothing replaced.
    pub fn preset(convention: ConventionName) -> Self {
        Self {
            convention,
            ..Self::default()
        }
    }

    /// All settings, those of the preset where nothing else is said.
    ///
    /// # Errors
    /// [`AttributionError::Setting`] if a number is out of range or a list of layers is empty.
    pub fn resolve(&self) -> Result<Convention, AttributionError> {
        let preset = Convention::preset(self.convention);
        let convention = Convention {
            name: self.convention,
            r2g: self.r2g.resolve(preset.r2g),
            g2r: self.g2r.resolve(preset.g2r),
            reference: self.reference.unwrap_or(preset.reference),
            carried: self.carried.unwrap_or(preset.carried),
            layer_weighting: self.layer_weighting.unwrap_or(preset.layer_weighting),
            resize: self.resize.unwrap_or(preset.resize),
            clamp: self.clamp.unwrap_or(preset.clamp),
            reference_mask: self.reference_mask.unwrap_or(preset.reference_mask),
            mask_edges: self.mask_edges.unwrap_or(preset.mask_edges),
            floor: match self.floor {
                None => preset.floor,
                Some(0.0) => None,
                floor => floor,
            },
            epsilon: self.epsilon.unwrap_or(preset.epsilon),
            time_groups: self.time_groups.unwrap_or(preset.time_groups),
        };
        check(&convention)?;
        Ok(convention)
    }
}

impl DirectionConfig {
    fn resolve(&self, preset: DirectionSettings) -> DirectionSettings {
        let time_layers = self.time_layers.clone().or_else(|| self.layers.clone());
        DirectionSettings {
            reading: self.reading.unwrap_or(preset.reading),
            layers: self.layers.clone().unwrap_or(preset.layers),
            time_layers: time_layers.unwrap_or(preset.time_layers),
            averaged_over: self.averaged_over.unwrap_or(preset.averaged_over),
            polarity: self.polarity.unwrap_or(preset.polarity),
        }
    }
}

fn check(convention: &Convention) -> Result<(), AttributionError> {
    let wrong = |setting, expected, found: String| AttributionError::Setting {
        setting,
        expected,
        found,
    };
    if let Some(floor) = convention.floor
        && !(floor > 0.0 && floor < 1.0)
    {
        return Err(wrong("floor", "at least 0 and below 1", floor.to_string()));
    }
    if !(convention.epsilon > 0.0 && convention.epsilon.is_finite()) {
        let found = convention.epsilon.to_string();
        return Err(wrong("epsilon", "above 0 and finite", found));
    }
    for (setting, direction, expected, settings) in [
        (
            "r2g.reading",
            Direction::ReferenceToGenerated,
            "column-softmax or share",
            &convention.r2g,
        ),
        (
            "g2r.reading",
            Direction::GeneratedToReference,
            "absolute or relative",
            &convention.g2r,
        ),
    ] {
        if settings.reading.direction() != direction {
            let found = settings.reading.as_str().to_owned();
            return Err(wrong(setting, expected, found));
        }
    }
    if convention.carried && convention.g2r.reading == Reading::Relative {
        let found = "relative with `carried`".to_owned();
        return Err(wrong("g2r.reading", "absolute", found));
    }
    if convention.time_groups == 0 {
        return Err(wrong("time_groups", "at least 1", "0".to_owned()));
    }
    for (setting, choice) in [
        ("r2g.layers", &convention.r2g.layers),
        ("r2g.time_layers", &convention.r2g.time_layers),
        ("g2r.layers", &convention.g2r.layers),
        ("g2r.time_layers", &convention.g2r.time_layers),
    ] {
        if let LayerChoice::Named(patterns) = choice
            && patterns.is_empty()
        {
            return Err(wrong(setting, "at least one layer", "none".to_owned()));
        }
    }
    Ok(())
}
