//! Whether maps of single positions point at the place that each position comes from, compared with two controls.

use super::variants::Variants;

pub(super) const HITS: Variants = Variants {
    name: "correspondence",
    heading: "Within",
    caption: "Known truth: share of positions whose map over the reference has its peak within a radius (in cells) of the place that the position \
              comes from, mean over samples.",
};

pub(super) const DISTANCES: Variants = Variants {
    name: "correspondence_distance",
    heading: "Of",
    caption: "Known truth: distance in cells of the peak, or of the center of mass, of the map of a position from the place that the position \
              comes from, mean over samples.",
};
