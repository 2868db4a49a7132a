//! Attribution maps of image-to-image diffusion models (I2AM), from attention captured while sampling.
//!
//! A pipeline fills one [`AttentionRecord`] per sample. Everything else follows from the record and a [`Convention`]:
//!
//! - [`levels`] lists what can be looked at (all layers together, a time group, a head, a layer, a resolution);
//! - [`attribution_map`] makes the raw map of one [`Level`] in one [`Direction`];
//! - [`cells`] lists what a fault is looked for in: each head of each layer in each time group;
//! - [`specific_map`] answers where one position, or a region, takes from or goes to; [`SpecificConfig`] says which are asked;
//! - [`reference_shares`] says how much of what is read comes from the reference, where other keys compete;
//! - [`localities`] says how much attention falls near the matching place, where positions of both pictures correspond;
//! - [`Exported`] maps of another program become a record too;
//! - [`Counterfactual`] is what changed when cells of the reference were taken away: the truth that maps are compared with;
//! - [`normalise`] turns a raw map into an attribution in `[0, 1]` at the size of a picture.
//!
//! The published equations and the published code differ in a dozen choices. Each is a field of [`Convention`], so none is made
//! silently; [`ConventionName`] names the three presets.

mod bytes;
mod convention;
mod counterfactual;
mod error;
mod exported;
mod locality;
mod map;
mod normalise;
mod record;
mod share;
mod specific;
#[cfg(test)]
mod testing;

pub use convention::{
    Averaging, Clamp, Convention, ConventionConfig, ConventionName, DirectionConfig,
    DirectionSettings, LayerChoice, LayerWeighting, MapResize, MaskEdges, Polarity, Reading,
    ReferenceMask, layer_matches,
};
pub use counterfactual::{Counterfactual, MomentTruth, Removed};
pub use error::{AttributionError, NoMap};
pub use exported::Exported;
pub use i2am_quantity::{Cell, Direction, Level};
pub use locality::{Locality, LocalityConfig, NearPair, localities, matching_place, near_pairs};
pub use map::{AttributionMap, attribution_map, cell_attention, cells, levels};
pub use normalise::{normalise, to_attribution};
pub use record::{
    AttentionRecord, Carried, Grid, KeyRole, LayerRecord, Near, OtherKeys, RECORD_VERSION, Reader,
    Source,
};
pub use share::{ReferenceShare, reference_shares};
pub use specific::{
    MaskedPositions, PlacesConfig, Positions, Specific, SpecificConfig, specific_map,
};
