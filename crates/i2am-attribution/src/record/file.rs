//! Records as safetensors files: arrays as tensors, everything else as JSON in the metadata.

mod read;
mod write;

use serde::{Deserialize, Serialize};

use crate::{AttentionRecord, Grid, Source};

/// Version of the file format; goes up whenever an older program could not read a newer file. Every earlier version can be read, and a
/// record is written as the earliest that can hold it.
pub const RECORD_VERSION: u32 = 2;
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
    source: Source,
    heads: usize,
    height: usize,
    width: usize,
    r2g_counts: [u64; 2],
    g2r_counts: [u64; 2],
    /// Radii of the sums near the matching place, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    near: Option<Vec<usize>>,
}

impl Description {
    fn of(record: &AttentionRecord) -> Self {
        let layers = record.layers.iter().map(|layer| LayerDescription {
            name: layer.name.clone(),
            source: layer.source,
            heads: layer.heads,
            height: layer.height,
            width: layer.width,
            r2g_counts: layer.r2g_counts,
            g2r_counts: layer.g2r_counts,
            near: layer.near.as_ref().map(|near| near.radii.clone()),
        });
        let has_near = record.layers.iter().any(|layer| layer.near.is_some());
        Self {
            version: if has_near {
                RECORD_VERSION
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

impl LayerDescription {
    fn r2g_shape(&self, groups: usize) -> SumShape {
        [2, groups, self.heads, self.height, self.width]
    }

    fn g2r_shape(&self, groups: usize) -> Option<SumShape> {
        match self.source {
            Source::ImageToken => None,
            Source::Spatial { height, width } => Some([2, groups, self.heads, height, width]),
        }
    }

    fn near_shape(&self, groups: usize) -> Option<[usize; 3]> {
        let radii = self.near.as_ref()?;
        Some([radii.len(), groups, self.heads])
    }

    fn specific_shape(&self) -> [usize; 2] {
        let generated = Grid {
            height: self.height,
            width: self.width,
        };
        [generated.len(), self.source.tokens()]
    }
}

fn r2g_name(layer: &str) -> String {
    format!("{layer}/r2g")
}

fn g2r_name(layer: &str) -> String {
    format!("{layer}/g2r")
}

/// Names of the sums of [`crate::Near`], `r2g` and `g2r`.
fn near_names(layer: &str) -> [String; 2] {
    ["r2g", "g2r"].map(|direction| format!("{layer}/near-{direction}"))
}

fn specific_name(layer: &str) -> String {
    format!("{layer}/specific")
}
