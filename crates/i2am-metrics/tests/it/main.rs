//! The metrics against the implementations whose numbers they give, and what must hold for any input.

#[cfg(feature = "torch")]
mod dists;
mod enlarged;
#[cfg(feature = "torch")]
mod features;
#[cfg(feature = "torch")]
mod frechet;
#[cfg(feature = "torch")]
mod guarded;
#[cfg(feature = "torch")]
mod half;
#[cfg(feature = "torch")]
mod lpips;
mod ms_ssim;
mod pairs;
#[cfg(feature = "torch")]
mod published;
#[cfg(feature = "torch")]
mod sets;
mod support;
#[cfg(feature = "torch")]
mod towers;
