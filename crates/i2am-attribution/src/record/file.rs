//! Records as safetensors files: arrays as tensors, everything else as JSON in the metadata.

mod read;
mod write;

use serde::{Deserialize, Serialize};

use crate::{AttentionRecord, Grid, KeyRole, LayerRecord, Source};

/// Version of the file format; goes up whenever an older program could not read a newer file. Every earlier version can be read, and a
/// record is written as the earliest that can hold it.
pub const RECORD_VERSION: u32 = 4;
/// Version of records in which no token of a prompt asks, and its padding is part of the text.
const VERSION_OF_SHARES: u32 = 3;
/// Version of records in which all keys are those of one reference.
const VERSION_OF_ONE_REFERENCE: u32 = 2;
/// Version of records without [`crate::Near`].
const VERSION_WITHOUT_NEAR: u32 = 1;

/// The metadata key that holds the [`Description`] as JSON.
const METADATA_KEY: &str = "i2am.attention-record";

/// Shape of `r2g` and `g2r`.
type SumShape = [usize; 5];

/// What a file says about itself, apart from the arrays.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    version: u32,
    latent_height: usize,
    latent_width: usize,
    steps: Vec<u32>,
    layers: Vec<LayerDescription>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerDescription {
    name: String,
    #[serde(default, skip_serializing_if = "is_first")]
    reference: usize,
    source: Source,
    heads: usize,
    height: usize,
    width: usize,
    r2g_counts: [u64; 2],
    g2r_counts: [u64; 2],
    /// Radii of the sums near the matching place, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    near: Option<Vec<usize>>,
    /// Roles of the keys that are not those of the reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<KeyRole>,
    /// Roles of the queries that are not those of the generated image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    readers: Vec<KeyRole>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_first(reference: &usize) -> bool {
    *reference == 0
}

/// [`Source`] as files spell it: a single token has kept the name that it had when no other number was known.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum SourceForm {
    ImageToken,
    Tokens {
        count: usize,
    },
    Spatial {
        height: usize,
        width: usize,
    },
    Mixed {
        count: usize,
        height: usize,
        width: usize,
    },
}

impl From<Source> for SourceForm {
    fn from(source: Source) -> Self {
        match source {
            Source::Tokens { count: 1 } => Self::ImageToken,
            Source::Tokens { count } => Self::Tokens { count },
            Source::Spatial { height, width } => Self::Spatial { height, width },
            Source::Mixed {
                count,
                height,
                width,
            } => Self::Mixed {
                count,
                height,
                width,
            },
        }
    }
}

impl From<SourceForm> for Source {
    fn from(form: SourceForm) -> Self {
        match form {
            SourceForm::ImageToken => Self::Tokens { count: 1 },
            SourceForm::Tokens { count } => Self::Tokens { count },
            SourceForm::Spatial { height, width } => Self::Spatial { height, width },
            SourceForm::Mixed {
                count,
                height,
                width,
            } => Self::Mixed {
                count,
                height,
                width,
            },
        }
    }
}

impl Description {
    fn of(record: &AttentionRecord) -> Self {
        let layers = record.layers.iter().map(|layer| LayerDescription {
            name: layer.name.clone(),
            reference: layer.reference,
            source: layer.source,
            heads: layer.heads,
            height: layer.height,
            width: layer.width,
            r2g_counts: layer.r2g_counts,
            g2r_counts: layer.g2r_counts,
            near: layer.near.as_ref().map(|near| near.radii.clone()),
            others: layer.others.iter().map(|other| other.role).collect(),
            readers: layer.readers.iter().map(|reader| reader.role).collect(),
        });
        let any = |test: fn(&LayerRecord) -> bool| record.layers.iter().any(test);
        Self {
            version: if any(needs_the_latest) {
                RECORD_VERSION
            } else if any(has_shares) {
                VERSION_OF_SHARES
            } else if any(|layer| layer.near.is_some()) {
                VERSION_OF_ONE_REFERENCE
            } else {
                VERSION_WITHOUT_NEAR
            },
            latent_height: record.latent_height,
            latent_width: record.latent_width,
            steps: record.steps.clone(),
            layers: layers.collect(),
        }
    }
}

/// Whether a layer has what files before the latest version have no place for.
fn needs_the_latest(layer: &LayerRecord) -> bool {
    let mut roles = layer.others.iter().map(|other| other.role);
    let is_new = |role| matches!(role, KeyRole::Padding | KeyRole::Source);
    !layer.readers.is_empty() || roles.any(is_new)
}

/// Whether a layer has what there is since several references and other keys are recorded.
fn has_shares(layer: &LayerRecord) -> bool {
    let is_new = match layer.source {
        Source::Tokens { count } => count > 1,
        Source::Spatial { .. } => false,
        Source::Mixed { .. } => true,
    };
    let has_more = layer.share.is_some() || layer.relative.is_some() || layer.carried.is_some();
    is_new || has_more || layer.reference > 0 || !layer.others.is_empty()
}

impl LayerDescription {
    fn r2g_shape(&self, groups: usize) -> SumShape {
        [2, groups, self.heads, self.height, self.width]
    }

    fn g2r_shape(&self, groups: usize) -> Option<SumShape> {
        let grid = self.reference_grid()?;
        Some([2, groups, self.heads, grid.height, grid.width])
    }

    fn near_shape(&self, groups: usize) -> Option<[usize; 3]> {
        let radii = self.near.as_ref()?;
        Some([radii.len(), groups, self.heads])
    }

    fn other_shape(&self, groups: usize) -> [usize; 3] {
        [groups, self.heads, self.others.len()]
    }

    fn reader_shape(&self, groups: usize) -> [usize; 3] {
        [groups, self.heads, self.readers.len()]
    }

    fn specific_shape(&self) -> Option<[usize; 2]> {
        let generated = Grid {
            height: self.height,
            width: self.width,
        };
        Some([generated.len(), self.reference_grid()?.len()])
    }

    fn reference_grid(&self) -> Option<Grid> {
        match self.source {
            Source::Tokens { .. } => None,
            Source::Spatial { height, width } | Source::Mixed { height, width, .. } => {
                Some(Grid { height, width })
            }
        }
    }
}

/// The arrays of a layer; each is the tensor `LAYER/ARRAY` of a file.
mod array {
    pub(super) const R2G: &str = "r2g";
    pub(super) const G2R: &str = "g2r";
    pub(super) const RELATIVE: &str = "relative";
    pub(super) const SHARE: &str = "share";
    pub(super) const OTHERS: &str = "others";
    pub(super) const READERS: &str = "readers";
    /// Those of [`crate::Carried`].
    pub(super) const CARRIED: [&str; 3] = ["carried-r2g", "carried-g2r", "carried-share"];
    /// Those of [`crate::Near`], `r2g` and `g2r`.
    pub(super) const NEAR: [&str; 2] = ["near-r2g", "near-g2r"];
    pub(super) const SPECIFIC: &str = "specific";
}
