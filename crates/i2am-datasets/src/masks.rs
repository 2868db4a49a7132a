//! How masks are stored, where that is not as expected.

use i2am_imaging::{MaskChannel, MaskDoubt, MaskLevels, MaskPolarity, MaskReading};

use crate::Part;

/// What `[dataset]` says about masks: the keys `mask_levels`, `mask_channel`, `mask_polarity` and `reference_mask_polarity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaskSettings {
    /// Which levels count, in every mask.
    pub levels: MaskLevels,
    /// Where the shape is, in every mask.
    pub channel: MaskChannel,
    /// Which side of [`Part::Mask`] is masked.
    pub polarity: MaskPolarity,
    /// Which side of [`Part::ReferenceMask`] and [`Part::WarpedMask`] shows the object.
    pub reference_polarity: MaskPolarity,
}

impl MaskSettings {
    /// How the mask `part` is stored.
    pub(crate) fn of(self, part: Part) -> MaskReading {
        let polarity = match part {
            Part::Mask => self.polarity,
            _ => self.reference_polarity,
        };
        MaskReading {
            levels: self.levels,
            channel: self.channel,
            polarity,
        }
    }
}

/// What is strange about a mask, and which setting would take it for what it seems to be.
pub(crate) fn remark(part: Part, doubt: &MaskDoubt) -> String {
    match (doubt, part) {
        (MaskDoubt::Border { .. }, Part::Mask) => {
            format!("{doubt}; if black is masked, set `mask_polarity = \"inverted\"`")
        }
        (MaskDoubt::Border { .. }, _) => {
            format!("{doubt}; if black is the object, set `reference_mask_polarity = \"inverted\"`")
        }
        (MaskDoubt::Nothing, Part::Mask) => {
            format!("{doubt}: nothing is generated, and IMACS has no value")
        }
        _ => doubt.to_string(),
    }
}

/// Whether a setting has its default: then it leaves no trace, so that runs keep their hash.
pub(crate) fn is_default<T: Default + PartialEq>(setting: &T) -> bool {
    *setting == T::default()
}
