//! One sample and the names of its parts.

use std::fmt;

use i2am_imaging::{Correspondence, GrayImage, RgbImage};
use serde::{Deserialize, Serialize};

use crate::Pose;

/// Labels of a parse map: 0 to 19, those of the published human parsing (5 upper clothes, 14 left arm, ...).
pub const LABELS: u8 = 20;

/// The pictures of one sample.
///
/// `image`, `mask`, `ground_truth`, `agnostic`, `densepose`, `parse`, `agnostic_parse` and `correspondence` have one size, `reference`
/// and `reference_mask` another one, `warped` and `warped_mask` a third. All are as stored, not resized. Masks hold 0 and 255 only:
/// stored levels from 128 on count as 255, unless [`crate::MaskSettings`] say otherwise; but `warped_mask` keeps its levels.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Name of the sample, unique in its dataset and fit for a file name.
    pub id: String,
    /// The picture to inpaint.
    pub image: RgbImage,
    /// 255 in the masked region of `image`. May be empty (all 0): the score of such a sample has no value.
    pub mask: GrayImage,
    /// The reference image: what to paint, such as a garment.
    pub reference: RgbImage,
    /// 255 where `reference` shows the garment.
    pub reference_mask: Option<GrayImage>,
    /// The picture that the result should equal; none when another garment is tried on.
    pub ground_truth: Option<RgbImage>,
    /// `image` with the masked region painted gray by the data set's makers.
    pub agnostic: Option<RgbImage>,
    /// Map of the body's parts.
    pub densepose: Option<RgbImage>,
    /// The label of every pixel of `image`, below [`LABELS`].
    pub parse: Option<GrayImage>,
    /// `parse` without the upper clothes and without what they could tell: of the arms only hands are left.
    pub agnostic_parse: Option<GrayImage>,
    /// The person's joints in pixels of `image`.
    pub pose: Option<Pose>,
    /// The reference's garment, brought into the shape it has on the person.
    pub warped: Option<RgbImage>,
    /// How far `warped` shows the garment: 255 where it does.
    pub warped_mask: Option<GrayImage>,
    /// From where in `reference` every pixel comes that shows the garment on the person, as large as `image`.
    pub correspondence: Option<Correspondence>,
}

/// A file of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// [`Sample::parse`].
    Parse,
    /// [`Sample::agnostic_parse`].
    AgnosticParse,
    /// [`Sample::pose`].
    Pose,
    /// [`Sample::warped`].
    Warped,
    /// [`Sample::warped_mask`].
    WarpedMask,
    /// [`Sample::correspondence`].
    Correspondence,
}

impl Part {
    /// Every part, in the order of the fields of [`Sample`].
    pub const ALL: [Self; 13] = [
        Self::Image,
        Self::Mask,
        Self::Reference,
        Self::ReferenceMask,
        Self::GroundTruth,
        Self::Agnostic,
        Self::Densepose,
        Self::Parse,
        Self::AgnosticParse,
        Self::Pose,
        Self::Warped,
        Self::WarpedMask,
        Self::Correspondence,
    ];

    /// The parts that are masks.
    pub const MASKS: [Self; 3] = [Self::Mask, Self::ReferenceMask, Self::WarpedMask];

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
            Self::Parse => "parse",
            Self::AgnosticParse => "agnostic_parse",
            Self::Pose => "pose",
            Self::Warped => "warped",
            Self::WarpedMask => "warped_mask",
            Self::Correspondence => "correspondence",
        }
    }

    /// The part whose size this one shares.
    pub(crate) const fn size_of(self) -> Self {
        match self {
            Self::Reference | Self::ReferenceMask => Self::Reference,
            Self::Warped | Self::WarpedMask => Self::Warped,
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
