//! Networks that make features of pictures.

use std::path::Path;

use i2am_imaging::RgbImage;
use i2am_nets::inception::{Inception, Tap};
use i2am_nets::{NetError, Precision};
use tch::{Device, Tensor};

use crate::inception::{Mode, SIDE, inception_input};

/// A network that makes one row of features of each picture.
pub trait Backbone: Sync {
    /// The network with its weights.
    type Network;
    /// What is read off, of which of the ways to prepare a picture.
    type Reading: Copy + Sync;

    /// Reads the network, which computes in `precision`.
    ///
    /// # Errors
    /// A file that has changed since it was looked at.
    fn load(
        &self,
        weights: &Path,
        precision: Precision,
        device: Device,
    ) -> Result<Self::Network, NetError>;

    /// All that features depend on, apart from the weights and the pictures.
    fn key(&self, reading: Self::Reading) -> String;

    /// Length of a row.
    fn width(&self, reading: Self::Reading) -> usize;

    /// Height and width of what goes into the network.
    fn side(&self) -> usize;

    /// What goes into the network: `[3, side, side]`, row-major.
    fn input(&self, image: &RgbImage, reading: Self::Reading) -> Vec<f32>;

    /// `[batch, 3, side, side]` to rows `[batch, width]`, both in the network's precision.
    fn run(network: &Self::Network, inputs: &Tensor, reading: Self::Reading) -> Tensor;
}

/// The Inception network of FID.
#[derive(Debug, Clone, Copy)]
pub struct OfInception;

impl Backbone for OfInception {
    type Network = Inception;
    type Reading = (Mode, Tap);

    fn load(
        &self,
        weights: &Path,
        precision: Precision,
        device: Device,
    ) -> Result<Inception, NetError> {
        Inception::open(weights, precision, device)
    }

    fn key(&self, (mode, tap): (Mode, Tap)) -> String {
        format!("{} {}", mode.as_str(), tap.width())
    }

    fn width(&self, (_, tap): (Mode, Tap)) -> usize {
        tap.width()
    }

    fn side(&self) -> usize {
        SIDE
    }

    fn input(&self, image: &RgbImage, (mode, _): (Mode, Tap)) -> Vec<f32> {
        inception_input(image, mode)
    }

    fn run(network: &Inception, inputs: &Tensor, (_, tap): (Mode, Tap)) -> Tensor {
        network.features(inputs, tap)
    }
}
