//! The metrics against the implementations whose numbers they give, and what must hold for any input.

mod enlarged;
#[cfg(feature = "torch")]
mod frechet;
#[cfg(feature = "torch")]
mod guarded;
#[cfg(feature = "torch")]
mod lpips;
mod pairs;
#[cfg(feature = "torch")]
mod sets;
mod support;
