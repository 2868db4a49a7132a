//! Features of vision transformers: the rules in use for making their input from an image, and the networks.

use std::path::Path;

use i2am_imaging::{RgbImage, pillow_bicubic_rgb};
use i2am_nets::dino::Dino;
use i2am_nets::image_encoder::ClipEmbedder;
use i2am_nets::levels::{Normalization, OF_CLIP, OF_IMAGENET};
use i2am_nets::{NetError, Precision};
use tch::{Device, Tensor};

use crate::error::MetricError;
use crate::features::{Backbone, Extractor};
use crate::resources::{Resources, WeightsInfo};

/// Height and width of what `DINOv2` is given by every tool here; its positions were learned for 518.
const DINO_SIDE: usize = 224;

/// Whose network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `OpenAI`'s CLIP: the projected embedding.
    Clip,
    /// `DINOv2`: the normalized class token.
    Dino,
}

/// How a picture becomes as large as the network's input. All resizes are Pillow's antialiased bicubic to 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// To the side of the input, proportions not kept: dgm-eval.
    Whole,
    /// The largest square in the middle, resized: CMMD.
    Square,
    /// The shorter side to so many pixels, then the middle: the processors of CLIP and `DINOv2`.
    Middle(usize),
}

/// A network whose file was looked at.
#[derive(Debug)]
pub(crate) struct Tower {
    family: Family,
    side: usize,
    width: usize,
}

/// A loaded network.
#[derive(Debug)]
pub(crate) enum Network {
    Clip(ClipEmbedder),
    Dino(Dino),
}

/// A network with what it has computed.
pub(crate) type TowerExtractor = Extractor<Tower>;

/// Finds the weights and makes sure that they fit; they are read when they are needed.
///
/// # Errors
/// Weights that are missing or do not fit.
pub(crate) fn open(
    family: Family,
    info: &'static WeightsInfo,
    resources: &Resources,
) -> Result<TowerExtractor, MetricError> {
    let path = resources.find(info)?;
    let [side, width] = match family {
        Family::Clip => {
            let config = ClipEmbedder::check(&path)?;
            [config.image_size as usize, config.projection_dim as usize]
        }
        Family::Dino => [DINO_SIDE, Dino::check(&path)?.width as usize],
    };
    let tower = Tower {
        family,
        side,
        width,
    };
    Extractor::of(tower, path, resources)
}

impl Backbone for Tower {
    type Network = Network;
    type Reading = Fit;

    fn load(
        &self,
        weights: &Path,
        precision: Precision,
        device: Device,
    ) -> Result<Network, NetError> {
        Ok(match self.family {
            Family::Clip => Network::Clip(ClipEmbedder::open(weights, precision, device)?),
            Family::Dino => Network::Dino(Dino::open(weights, precision, device)?),
        })
    }

    fn key(&self, fit: Fit) -> String {
        format!("{:?} {fit:?} {}", self.family, self.side)
    }

    fn width(&self, _: Fit) -> usize {
        self.width
    }

    fn side(&self) -> usize {
        self.side
    }

    fn input(&self, image: &RgbImage, fit: Fit) -> Vec<f32> {
        let norm = match self.family {
            Family::Clip => OF_CLIP,
            Family::Dino => OF_IMAGENET,
        };
        normalized(&fit.apply(image, self.side), norm)
    }

    fn run(network: &Network, inputs: &Tensor, _: Fit) -> Tensor {
        match network {
            Network::Clip(clip) => clip.embedding(inputs),
            Network::Dino(dino) => dino.forward(inputs),
        }
    }
}

impl Fit {
    /// `image` as `side` x `side` pixels.
    fn apply(self, image: &RgbImage, side: usize) -> RgbImage {
        let (width, height) = image.dimensions();
        match self {
            Self::Whole => pillow_bicubic_rgb(image, side, side),
            Self::Square => {
                let short = width.min(height);
                let [left, top] = [width, height].map(|extent| (extent - short) / 2);
                pillow_bicubic_rgb(&cut(image, [left, top], short), side, side)
            }
            Self::Middle(shorter) => {
                let short = u64::from(width.min(height));
                // Rounded down, as torchvision does.
                let new = |extent: u32| (u64::from(extent) * shorter as u64 / short) as usize;
                let resized = pillow_bicubic_rgb(image, new(height), new(width));
                let (width, height) = resized.dimensions();
                let offset =
                    |extent: u32| (f64::from(extent - side as u32) / 2.0).round_ties_even();
                let [left, top] = [width, height].map(|extent| offset(extent) as u32);
                cut(&resized, [left, top], side as u32)
            }
        }
    }
}

/// The square of `side` pixels whose upper left corner is at `left`, `top`.
fn cut(image: &RgbImage, [left, top]: [u32; 2], side: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| *image.get_pixel(x + left, y + top))
}

/// `[3, side, side]`, row-major.
fn normalized(image: &RgbImage, norm: Normalization) -> Vec<f32> {
    let Normalization { mean, deviation } = norm;
    let of = |channel: usize| {
        let unit = move |level: u8| f32::from(level) / 255.0;
        let values = image.pixels().map(move |pixel| unit(pixel.0[channel]));
        values.map(move |value| (value - mean[channel]) / deviation[channel])
    };
    (0..3).flat_map(of).collect()
}
