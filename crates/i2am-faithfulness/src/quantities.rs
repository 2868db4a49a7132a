//! What rows about the truth of maps hold.

use i2am_quantity::{Better, Bound, Quantity, Role};

/// With three decimals and the tolerance of the stage.
const fn plain(name: &'static str, title: &'static str, better: Better) -> Quantity {
    Quantity::new(name, title, better)
        .decimals(3)
        .tolerance(Bound::absolute(0.02), Some(Bound::absolute(0.1)))
}

const fn quantity(name: &'static str, title: &'static str, role: Role) -> Quantity {
    plain(name, title, Better::Higher).part_of("faithfulness", role)
}

/// [`crate::saco()`] of single cells.
pub static SACO: Quantity = quantity("saco", "SaCo", Role::Value);
/// Spearman's correlation of claims and effects of single cells.
pub static RANK_CORRELATION: Quantity =
    quantity("faithfulness_correlation", "Rank correlation", Role::Gain);
/// [`crate::between`]: least relevant first minus most relevant first.
pub static CURVE_AREA: Quantity = quantity("curve_area", "Area between curves", Role::Gain);
/// [`crate::pointing`] of a map over cells and their effects.
pub static POINTING: Quantity = quantity("pointing", "Pointing game", Role::Gain);
/// [`crate::relevance_mass`] of a map over cells and their effects.
pub static RELEVANCE_MASS: Quantity = quantity("relevance_mass", "Relevance mass", Role::Gain);
/// [`crate::relevance_rank`] of a map over cells and their effects.
pub static RELEVANCE_RANK: Quantity = quantity("relevance_rank", "Relevance rank", Role::Gain);
/// [`crate::weighted_agreement`] of maps of single cells or positions with what changes there.
pub static CHANGE_AGREEMENT: Quantity =
    plain("change_agreement", "Agreement with changes", Better::Higher)
        .part_of("counterfactual", Role::Value);
/// [`crate::agreement`] of a map over the generated image with where the image changes without the reference.
pub static AGREEMENT: Quantity =
    plain("agreement", "Agreement", Better::Higher).part_of("agreement", Role::Value);
/// [`crate::pointing`] between a planted [`crate::Mark`] and where the image changes with it, mean over marks.
pub static MARK_POINTING: Quantity =
    plain("mark_pointing", "Pointing game", Better::Higher).part_of("mark", Role::Value);
/// [`crate::relevance_mass`] between a planted [`crate::Mark`] and where the image changes with it, mean over marks.
pub static MARK_MASS: Quantity =
    plain("mark_mass", "Relevance mass", Better::Higher).part_of("mark", Role::Gain);
/// How far a planted mark moves what is predicted: 1 as far as a gray reference; mean over marks.
pub static MARK_EFFECT: Quantity = plain("mark_effect", "Effect of a mark", Better::Neither);
/// What is lost if a layer, a head or a time group reads nothing of the reference: 1 less what is [`crate::kept()`].
pub static KNOCK_OUT_EFFECT: Quantity = Quantity::new(
    "knock_out_effect",
    "Effect of switching off",
    Better::Neither,
)
.tolerance(Bound::absolute(0.02), Some(Bound::absolute(0.1)));
/// Spearman's correlation, over layers, heads or time groups, of what their maps claim and the effect of switching them off.
pub static KNOCK_OUT: Quantity =
    plain("knock_out", "Claim and effect", Better::Higher).part_of("knock_out", Role::Value);
/// Whether p of [`KNOCK_OUT`] by permutation of the units is below 0.05.
pub static KNOCK_OUT_FOUND: Quantity =
    Quantity::new("knock_out_found", "p < 0.05", Better::Neither)
        .tolerance(Bound::absolute(0.02), Some(Bound::absolute(1.0)))
        .part_of("knock_out", Role::Found);
/// p of [`KNOCK_OUT`] by permutation of the units, two-sided.
pub static KNOCK_OUT_P: Quantity =
    plain("knock_out_p", "p", Better::Neither).part_of("knock_out", Role::Gain);

const fn worth(name: &'static str, title: &'static str, role: Role) -> Quantity {
    plain(name, title, Better::Neither).part_of("worth", role)
}

/// [`crate::Worth::presence`].
pub static WORTH_PRESENCE: Quantity = worth("worth_presence", "Effect of none", Role::Value);
/// [`crate::Worth::place`].
pub static WORTH_PLACE: Quantity = worth("worth_place", "Effect of the mean", Role::Gain);
/// [`crate::Worth::scrambled`].
pub static WORTH_SCRAMBLED: Quantity =
    worth("worth_scrambled", "Effect of other places", Role::Gain);
/// [`crate::Worth::where_by_whether`].
pub static WHERE_BY_WHETHER: Quantity = worth("where_by_whether", "Where / whether", Role::Gain);
/// [`crate::Worth::scrambled_by_whether`].
pub static SCRAMBLED_BY_WHETHER: Quantity =
    worth("scrambled_by_whether", "Scrambled / whether", Role::Gain);
const fn randomized(name: &'static str, title: &'static str) -> Quantity {
    plain(name, title, Better::Neither)
}

/// [`crate::agreement`] of a map and the same map after all layers, or the reference, became random ones.
pub static RANDOMIZED_SIMILARITY: Quantity =
    randomized("randomized_similarity", "Similarity of ranks").part_of("randomized", Role::Value);
/// The structural similarity of both maps, each stretched from 0 to 255.
pub static RANDOMIZED_SSIM: Quantity =
    randomized("randomized_ssim", "SSIM of maps").part_of("randomized", Role::Gain);
/// How far that moves what is predicted: 1 as far as a gray reference.
pub static RANDOMIZED_EFFECT: Quantity =
    randomized("randomized_effect", "Effect of the change").part_of("randomized", Role::Gain);
/// As [`RANDOMIZED_SIMILARITY`], after some layers became random.
pub static LAYERS_SIMILARITY: Quantity = randomized(
    "randomized_layers_similarity",
    "Similarity of ranks by layer",
);
/// As [`RANDOMIZED_SSIM`], after some layers became random.
pub static LAYERS_SSIM: Quantity = randomized("randomized_layers_ssim", "SSIM of maps by layer");
/// As [`RANDOMIZED_EFFECT`], after some layers became random.
pub static LAYERS_EFFECT: Quantity =
    randomized("randomized_layers_effect", "Effect of the change by layer");
/// Squared distance to the image without the reference: what there is to be explained.
pub static REFERENCE_EFFECT: Quantity = Quantity::new(
    "reference_effect",
    "Effect of the reference",
    Better::Neither,
);

/// All of them, in the order of columns.
pub static QUANTITIES: &[&Quantity] = &[
    &SACO,
    &RANK_CORRELATION,
    &CURVE_AREA,
    &POINTING,
    &RELEVANCE_MASS,
    &RELEVANCE_RANK,
    &CHANGE_AGREEMENT,
    &AGREEMENT,
    &MARK_POINTING,
    &MARK_MASS,
    &MARK_EFFECT,
    &KNOCK_OUT,
    &KNOCK_OUT_FOUND,
    &KNOCK_OUT_P,
    &KNOCK_OUT_EFFECT,
    &WORTH_PRESENCE,
    &WORTH_PLACE,
    &WORTH_SCRAMBLED,
    &WHERE_BY_WHETHER,
    &SCRAMBLED_BY_WHETHER,
    &RANDOMIZED_SIMILARITY,
    &RANDOMIZED_SSIM,
    &RANDOMIZED_EFFECT,
    &LAYERS_SIMILARITY,
    &LAYERS_SSIM,
    &LAYERS_EFFECT,
    &REFERENCE_EFFECT,
];
