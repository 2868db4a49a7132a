//! The attention record: everything that is kept of the attention of one sample.

mod file;
mod validate;

use std::fmt;

use half::f16;
use i2am_imaging::Plane;
use serde::{Deserialize, Serialize};

use crate::Direction;

pub use file::RECORD_VERSION;

/// Index of the inside sum in the first axis of [`LayerRecord::r2g`] and [`LayerRecord::g2r`].
pub(crate) const INSIDE: usize = 0;
/// Index of the outside sum there.
pub(crate) const OUTSIDE: usize = 1;

/// Size of a map, in rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grid {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Grid {
    /// Number of positions; saturates, so that a size read from a damaged file cannot overflow.
    pub fn len(self) -> usize {
        self.height.saturating_mul(self.width)
    }

    /// Whether there is no position at all.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The plane of this size whose value at row-major index `i` is `value(i)`.
    pub(crate) fn plane(self, value: impl Fn(usize) -> f64) -> Plane {
        Plane::from_fn(self.height, self.width, |row, column| {
            value(row * self.width + column) as f32
        })
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

/// What the keys of a layer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// One pooled token of the whole reference picture. Its attention weight is 1 everywhere, so the layer's query and key weights
    /// cannot influence the picture, and there is no map over the reference.
    ImageToken,
    /// One token for each position of a feature map of the reference, row-major.
    Spatial {
        /// Rows of the reference feature map.
        height: usize,
        /// Columns of the reference feature map.
        width: usize,
    },
}

impl Source {
    /// Number of reference tokens.
    pub fn tokens(self) -> usize {
        match self {
            Self::ImageToken => 1,
            Self::Spatial { height, width } => Grid { height, width }.len(),
        }
    }
}

/// The reduced attention of one layer.
///
/// # Shapes
/// `H x W` is the size of the generated feature map (`height`, `width`), `h x w` that of the reference ([`Source::Spatial`]),
/// `groups` the length of [`AttentionRecord::steps`]. Arrays are contiguous and row-major. In the axis of length 2, index 0 is
/// *inside*, index 1 *outside* of a mask that lives on the positions summed over.
///
/// # Units and range
/// Sums of probabilities: not negative, finite.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRecord {
    /// Name in the spelling of diffusers, such as `down_blocks.0.attentions.0.transformer_blocks.0.attn2`.
    pub name: String,
    /// What the layer's keys are.
    pub source: Source,
    /// Number of attention heads.
    pub heads: usize,
    /// Rows of the generated feature map.
    pub height: usize,
    /// Columns of the generated feature map.
    pub width: usize,
    /// `[2, groups, heads, H, W]`: softmax over generated positions, summed over the reference tokens inside / outside the
    /// reference mask and over the steps of the group. An [`Source::ImageToken`] counts as inside.
    pub r2g: Vec<f32>,
    /// `[2, groups, heads, h, w]`: softmax over reference positions, summed over the generated positions inside / outside the
    /// inpainting mask and over the steps of the group. Absent for an [`Source::ImageToken`], or where it was not asked for.
    pub g2r: Option<Vec<f32>>,
    /// Reference tokens inside / outside the reference mask.
    pub r2g_counts: [u64; 2],
    /// Generated positions inside / outside the inpainting mask; not used where `g2r` is absent.
    pub g2r_counts: [u64; 2],
    /// `[H*W, h*w]`: softmax over reference positions, mean over heads and steps. Only kept on request.
    pub specific: Option<Vec<f16>>,
    /// Attention near the matching place. Only kept on request; absent for an [`Source::ImageToken`].
    pub near: Option<Near>,
}

/// Attention of a layer near the matching place of the other picture ([`crate::near_pairs`]), inside and outside of masks together.
///
/// # Shapes
/// `[radii, groups, heads]`, each summed over the positions that look and over the steps of the group.
/// # Units and range
/// Sums of probabilities within each radius: not negative, finite, not less than those of a smaller radius.
#[derive(Debug, Clone, PartialEq)]
pub struct Near {
    /// Distances in cells of the map looked at, ascending; the same in all layers of a record.
    pub radii: Vec<usize>,
    /// Reference positions look at generated ones.
    pub r2g: Vec<f64>,
    /// Generated positions look at reference ones.
    pub g2r: Vec<f64>,
}

impl LayerRecord {
    /// Size of the layer's own map in `direction`; `None` if it has none.
    pub fn grid(&self, direction: Direction) -> Option<Grid> {
        match direction {
            Direction::ReferenceToGenerated => Some(self.generated_grid()),
            Direction::GeneratedToReference => self.g2r.as_ref().and(self.reference_grid()),
        }
    }

    /// Size of the generated feature map.
    pub fn generated_grid(&self) -> Grid {
        Grid {
            height: self.height,
            width: self.width,
        }
    }

    /// Size of the reference feature map; `None` for one pooled token.
    pub fn reference_grid(&self) -> Option<Grid> {
        match self.source {
            Source::ImageToken => None,
            Source::Spatial { height, width } => Some(Grid { height, width }),
        }
    }

    /// Whether the reference is one pooled token.
    pub fn is_one_token(&self) -> bool {
        self.source == Source::ImageToken
    }
}

/// The attention of one sample, reduced while sampling. One capture serves every map.
///
/// # Source
/// The sums are those from which the published I2AM code makes its maps (qkrwnstj306/I2AM: `hook.py` @ 7c3e19c), reduced over
/// positions at once and kept apart by mask.
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionRecord {
    /// The captured layers, in forward order.
    pub layers: Vec<LayerRecord>,
    /// Sampling steps summed in each group, in sampling order: the first group is the noisiest.
    pub steps: Vec<u32>,
    /// Rows of the latent, the size to which maps over generated positions are brought.
    pub latent_height: usize,
    /// Columns of the latent.
    pub latent_width: usize,
}

impl AttentionRecord {
    /// Number of groups in which steps were summed.
    pub fn groups(&self) -> usize {
        self.steps.len()
    }

    /// The layer called `name`.
    pub fn layer(&self, name: &str) -> Option<&LayerRecord> {
        self.layers.iter().find(|layer| layer.name == name)
    }

    /// Size of the latent.
    pub fn latent_grid(&self) -> Grid {
        Grid {
            height: self.latent_height,
            width: self.latent_width,
        }
    }
}

#[cfg(test)]
mod tests;
