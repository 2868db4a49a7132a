//! Whether maps point at what the image depends on, compared with maps that know nothing of the model.

use super::variants::Variants;

pub(super) const FAITHFULNESS: Variants = Variants {
    name: "faithfulness",
    heading: "Removed: map",
    caption: "Faithfulness: whether cells of the reference matter to the image as much as a map over the reference claims, mean over samples.",
};

pub(super) const AGREEMENT: Variants = Variants {
    name: "agreement",
    heading: "Compared with: map",
    caption: "Agreement: whether the image changes without the reference where a map over the image says that it reads it, mean over samples.",
};

pub(super) const COUNTERFACTUAL: Variants = Variants {
    name: "counterfactual",
    heading: "Removed: direction, map",
    caption: "Counterfactual maps: whether attention between a cell of the reference and a position of the masked region says where the image \
              changes without the cell, mean over samples.",
};

pub(super) const MARK: Variants = Variants {
    name: "mark",
    heading: "Moment, direction: map",
    caption: "Planted mark: whether the map of the place where a mark changes the image points at the mark (g2r), and the map of the mark at \
              that place (r2g), mean over samples. Uniform is what chance gives.",
};

pub(super) const KNOCK_OUT: Variants = Variants {
    name: "knock_out",
    heading: "Switched off: claim",
    caption: "Knock-out: whether layers, heads or time groups whose maps claim more change the masked region more when they read nothing of the \
              reference; Spearman's correlation over them, mean over samples.",
};

pub(super) const RANDOMIZED: Variants = Variants {
    name: "randomized",
    heading: "Random: direction",
    caption: "Random weights: how alike maps are before and after weights become random, or the reference that of another sample; 1: the map \
              does not notice. Effect: how far the prediction moves, 1 as far as under a gray reference. Mean over samples.",
};

pub(super) const WORTH: Variants = Variants {
    name: "worth",
    heading: "Exchanged",
    caption: "Where or whether: what is lost if layers read nothing of the reference, the mean of its values everywhere, or the value of \
              another place; mean over samples.",
};
