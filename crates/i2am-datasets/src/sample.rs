//! One sample and the names of its parts.

use std::fmt;

use i2am_imaging::{GrayImage, RgbImage};
use serde::{Deserialize, Serialize};

/// The pictures of one sample.
///
/// `image`, `mask`, `ground_truth`, `agnostic` and `densepose` have one size, `reference` and `reference_mask` another
/// one. All are as stored, not resized. Masks hold 0 and 255 only: stored levels from 128 on count as 255.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Name of the sample, unique in its dataset and fit for a file name.
    pub id: String,
    /// The picture to inpaint.
    pub image: RgbImage,
    /// 255 where `image` is to be repainted. May be empty (all 0): the score of such a sample has no value.
    pub mask: GrayImage,
    /// The picture that says what to paint: the garment.
    pub reference: RgbImage,
    /// 255 where `reference` shows the garment.
    pub reference_mask: Option<GrayImage>,
    /// The picture that the result should equal; none when another garment is tried on.
    pub ground_truth: Option<RgbImage>,
    /// `image` with the hole painted grey by the dataset's makers.
    pub agnostic: Option<RgbImage>,
    /// Map of the body's parts.
    pub densepose: Option<RgbImage>,
}

/// A file of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// [`Sample::image`].
    Image,
    /// [`Sample::mask`].
    Mask,
    /// [`Sample::reference`].
    Reference,
    /// [`Sample::reference_mask`].
    ReferenceMask,
    /// [`Sample::ground_truth`].
    GroundTruth,
    /// [`Sample::agnostic`].
    Agnostic,
    /// [`Sample::densepose`].
    Densepose,
}

impl Part {
    /// Every part, in the order of the fields of [`Sample`].
    pub const ALL: [Self; 7] = [
        Self::Image,
        Self::Mask,
        Self::Reference,
        Self::ReferenceMask,
        Self::GroundTruth,
        Self::Agnostic,
        Self::Densepose,
    ];

    /// The parts that every sample has.
    pub const REQUIRED: [Self; 3] = [Self::Image, Self::Mask, Self::Reference];

    /// The part's name in messages and manifest columns: that of the field of [`Sample`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Mask => "mask",
            Self::Reference => "reference",
            Self::ReferenceMask => "reference_mask",
            Self::GroundTruth => "ground_truth",
            Self::Agnostic => "agnostic",
            Self::Densepose => "densepose",
        }
    }

    /// The part whose size this one shares.
    pub(crate) const fn size_of(self) -> Self {
        match self {
            Self::Reference | Self::ReferenceMask => Self::Reference,
            _ => Self::Image,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which garment is tried on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pairing {
    /// The one that the person wears already: the result can be compared with the picture.
    #[default]
    Paired,
    /// Another one: there is no ground truth.
    Unpaired,
}

impl Pairing {
    /// `paired` or `unpaired`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paired => "paired",
            Self::Unpaired => "unpaired",
        }
    }
}

impl fmt::Display for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
