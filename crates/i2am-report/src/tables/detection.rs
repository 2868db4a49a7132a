//! Boxes from maps, and boxes that are guessed without a map.

use super::variants::Variants;

pub(super) const DETECTION: Variants = Variants {
    name: "detection",
    heading: "Procedure",
    caption: "Detection: intersection over union of predicted and true boxes, mean over samples.",
};
