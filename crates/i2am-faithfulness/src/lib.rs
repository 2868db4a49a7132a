//! Causal checks of attribution maps: does the picture depend on what a map points at? Plain numbers, maps and pictures in; no model.
//!
//! A model is run many times on one sample, each time without some positions of the reference. This crate says which positions, paints
//! over them where they are to be removed from the picture, and scores the map against what the removals did.
//!
//! | what | where |
//! |---|---|
//! | what is left of a picture | [`distance`], [`kept`], [`Effects`] |
//! | which positions are removed | [`groups`](groups()), [`removals`], [`subsets`] |
//! | how they are removed from a picture | [`paint`](paint()), [`Paint`] |
//! | what is added to it at a known place | [`Mark`] |
//! | one after another, cumulatively | [`Curve`], [`between`] |
//! | each group alone | [`saco`](saco()) |
//! | many sets | [`Correlation`] |
//! | against a map of effects | [`pointing`], [`relevance_mass`], [`relevance_rank`], [`agreement`], [`weighted_agreement`] |
//! | where, or only whether | [`Worth`] |
//! | maps that know nothing | [`Baseline`] |
//! | samples needed to notice a damaged map | [`power`](power()) |
//!
//! # What has no value
//!
//! A score that is undefined is `None`, a reason to leave a cell empty, never 0. Maps and lists that do not fit together are a mistake of
//! the caller, and panic; a picture that cannot be painted is a [`FaithfulnessError`].
//!
//! # Numbers do not depend on the machine
//!
//! Sums run in index order in `f64`, and random numbers depend only on the seed that is given and what they are for.

#![cfg_attr(
    test,
    expect(
        clippy::float_cmp,
        reason = "constructed cases whose values are exact in binary"
    )
)]

mod baselines;
mod correlation;
mod curve;
mod effect;
mod error;
mod groups;
mod imputation;
mod location;
mod mark;
mod paint;
mod power;
mod quantities;
mod saco;
mod seeded;
mod whether;

pub use baselines::{Baseline, BaselineInput};
pub use correlation::{Correlation, subsets};
pub use curve::{Curve, between};
pub use effect::{Effects, FLOOR, distance, kept};
pub use error::FaithfulnessError;
pub use groups::{Order, claims, groups, removals};
pub use imputation::linear_imputation;
pub use location::{
    Located, SHARE, agreement, largest, pointing, relevance_mass, relevance_rank, transposed,
    weighted_agreement,
};
pub use mark::{MARK_AREA, Mark};
pub use paint::{NOISE, Paint, paint, removed_pixels};
pub use power::{FEWEST_DIFFERENCES, Power, Search, power};
pub use quantities::{
    AGREEMENT, CHANGE_AGREEMENT, CURVE_AREA, KNOCK_OUT, KNOCK_OUT_EFFECT, KNOCK_OUT_FOUND,
    KNOCK_OUT_P, LAYERS_EFFECT, LAYERS_SIMILARITY, LAYERS_SSIM, MARK_EFFECT, MARK_MASS,
    MARK_POINTING, POINTING, QUANTITIES, RANDOMIZED_EFFECT, RANDOMIZED_SIMILARITY, RANDOMIZED_SSIM,
    RANK_CORRELATION, REFERENCE_EFFECT, RELEVANCE_MASS, RELEVANCE_RANK, SACO, SCRAMBLED_BY_WHETHER,
    WHERE_BY_WHETHER, WORTH_PLACE, WORTH_PRESENCE, WORTH_SCRAMBLED,
};
pub use saco::saco;
pub use whether::Worth;

/// Whether all are finite numbers.
fn finite(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite())
}
