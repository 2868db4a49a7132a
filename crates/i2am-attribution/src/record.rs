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

/// What the keys of a layer that belong to the reference are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "file::SourceForm", into = "file::SourceForm")]
pub enum Source {
    /// Pooled tokens of the whole reference image: there is no map over the reference. If there is one and no other key, its attention
    /// weight is 1 everywhere, so the layer's query and key weights cannot influence the image.
    Tokens {
        /// How many.
        count: usize,
    },
    /// One token for each position of a feature map of the reference, row-major.
    Spatial {
        /// Rows of the reference feature map.
        height: usize,
        /// Columns of the reference feature map.
        width: usize,
    },
    /// Tokens that each mix the positions of a feature map. A map over the reference is composed of the attention to the tokens and of
    /// the attention by which they were made; it is an approximation.
    Mixed {
        /// How many.
        count: usize,
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
            Self::Tokens { count } | Self::Mixed { count, .. } => count,
            Self::Spatial { height, width } => Grid { height, width }.len(),
        }
    }
}

/// What keys belong to that are not those of a layer's reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRole {
    /// The generated image itself.
    Generated,
    /// The prompt.
    Text,
    /// What fills a prompt up to a fixed length.
    Padding,
    /// The image that is edited, as the network is shown it.
    Source,
    /// Tokens of the same reference that have no place in it, such as a class token.
    Pooled,
    /// Another reference image.
    OtherReference,
    /// Anything else, such as registers.
    Other,
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generated => "generated",
            Self::Text => "text",
            Self::Padding => "padding",
            Self::Source => "source",
            Self::Pooled => "pooled",
            Self::OtherReference => "other-reference",
            Self::Other => "other",
        })
    }
}

/// The share that keys of one role have of the attention of generated positions.
#[derive(Debug, Clone, PartialEq)]
pub struct OtherKeys {
    /// What the keys belong to.
    pub role: KeyRole,
    /// `[groups, heads]`: mean over the generated positions, summed over the steps of the group.
    pub share: Vec<f32>,
}

/// The share that a reference has of the attention of queries that are not of the generated image: what it hands on through them.
#[derive(Debug, Clone, PartialEq)]
pub struct Reader {
    /// What the queries belong to.
    pub role: KeyRole,
    /// `[groups, heads]`: mean over the queries, summed over the steps of the group.
    pub share: Vec<f32>,
}

/// Sums in which every probability is multiplied by the length of what its token hands on, `|W_o v|` of that token and head.
///
/// # Shapes
/// As the fields of the same names in [`LayerRecord`]; `share` also where all keys are the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// Softmax over generated positions.
    pub r2g: Vec<f32>,
    /// Softmax over all keys, by reference position; absent without a map over the reference.
    pub g2r: Option<Vec<f32>>,
    /// Softmax over all keys, by generated position.
    pub share: Vec<f32>,
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
    /// Which reference image it is about, counted from 0. A layer that reads several has a record for each.
    pub reference: usize,
    /// What the layer's keys of that reference are.
    pub source: Source,
    /// Number of attention heads.
    pub heads: usize,
    /// Rows of the generated feature map.
    pub height: usize,
    /// Columns of the generated feature map.
    pub width: usize,
    /// `[2, groups, heads, H, W]`: softmax over generated positions, summed over the reference tokens inside / outside the
    /// reference mask and over the steps of the group. Tokens without a place count as inside.
    pub r2g: Vec<f32>,
    /// `[2, groups, heads, h, w]`: softmax over all keys, of which those of the reference are kept, summed over the generated positions
    /// inside / outside the inpainting mask and over the steps of the group. Absent for [`Source::Tokens`], or where it was not asked for.
    pub g2r: Option<Vec<f32>>,
    /// `[2, groups, heads, h, w]`: the same with a softmax over the keys of the reference alone. Absent where these are all keys, so that
    /// `g2r` is that already, and where `g2r` is.
    pub relative: Option<Vec<f32>>,
    /// `[2, groups, heads, H, W]`: how much of what each generated position reads comes from the reference, by a softmax over all keys;
    /// summed over the reference tokens inside / outside the reference mask and over the steps of the group. Absent where all keys are
    /// the reference, so that it is 1.
    pub share: Option<Vec<f32>>,
    /// The shares of the other keys. They and `share` add up to 1 for each step.
    pub others: Vec<OtherKeys>,
    /// How much of what tokens of the prompt read comes from the reference, in layers where these ask too.
    pub readers: Vec<Reader>,
    /// The sums weighted by what is carried. Only kept on request.
    pub carried: Option<Carried>,
    /// Reference tokens inside / outside the reference mask.
    pub r2g_counts: [u64; 2],
    /// Generated positions inside / outside the inpainting mask; not used where `g2r` is absent.
    pub g2r_counts: [u64; 2],
    /// `[H*W, h*w]`: softmax as in `g2r`, mean over heads and steps. Only kept on request.
    pub specific: Option<Vec<f16>>,
    /// Attention near the matching place. Only kept on request, and for [`Source::Spatial`].
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
    /// A layer of the first reference without sums, to be filled in.
    pub fn new(name: impl Into<String>, source: Source, heads: usize, generated: Grid) -> Self {
        Self {
            name: name.into(),
            reference: 0,
            source,
            heads,
            height: generated.height,
            width: generated.width,
            r2g: Vec::new(),
            g2r: None,
            relative: None,
            share: None,
            others: Vec::new(),
            readers: Vec::new(),
            carried: None,
            r2g_counts: [source.tokens() as u64, 0],
            g2r_counts: [generated.len() as u64, 0],
            specific: None,
            near: None,
        }
    }

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

    /// Size of the reference feature map; `None` for pooled tokens.
    pub fn reference_grid(&self) -> Option<Grid> {
        match self.source {
            Source::Tokens { .. } => None,
            Source::Spatial { height, width } | Source::Mixed { height, width, .. } => {
                Some(Grid { height, width })
            }
        }
    }

    /// Whether the reference is one pooled token, and the only key.
    pub fn is_one_token(&self) -> bool {
        self.source == Source::Tokens { count: 1 } && self.others.is_empty()
    }

    /// Whether keys that are not of the reference are among those of the softmax; otherwise its share is 1 everywhere.
    pub fn competes(&self) -> bool {
        self.others
            .iter()
            .any(|other| other.role != KeyRole::Pooled)
    }

    /// Whether it is a block of a transformer over all tokens, which has no resolutions as a UNet has.
    pub fn is_block(&self) -> bool {
        let blocks = ["transformer_blocks.", "single_transformer_blocks."];
        blocks.iter().any(|start| self.name.starts_with(start))
    }

    /// Whether the tokens of the reference have places, by themselves or by what they mix.
    pub fn has_places(&self) -> bool {
        self.reference_grid().is_some()
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
    /// Rows of the generated image's latent, the size to which maps over generated positions are brought. What is sampled may be larger
    /// and hold more than the image.
    pub latent_height: usize,
    /// Columns of that latent.
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
