//! LPIPS: how far apart two pictures look to a network that was trained to name what they show.
//!
//! A backbone (torchvision's tensor names: `features.0.weight`, ...) gives features at several depths. At every position the two
//! feature vectors are scaled to length 1; their squared difference, weighted by channel with learned heads, is the distance there.
//!
//! The heads are version 0.1 of those published with the metric, `lpips/heads.safetensors`: see `lpips/heads.LICENSE` (BSD-2-Clause).
//!
//! # Source
//! Zhang, Isola, Efros, Shechtman, Wang: The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, 2018; checked against
//! lpips 0.1.4.

mod alexnet;
mod convolution;
mod heads;
mod squeezenet;
pub(crate) mod vgg;
mod winograd;

use std::fmt::Debug;

use tch::{Device, Kind, Tensor};

use crate::Precision;
use crate::scope::{Scope, TensorSource};

/// Mean and deviation of each channel that the backbones expect to be taken off, for levels in `[-1, 1]`.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];

/// What is added to the length of a feature vector before it is divided by it.
const EPSILON: f64 = 1e-10;

/// The network that features come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backbone {
    /// `torchvision.models.alexnet`, after each of its five `ReLU`s.
    Alex,
    /// `torchvision.models.squeezenet1_1`, after the first `ReLU` and before and after poolings and fire modules.
    Squeeze,
    /// `torchvision.models.vgg16`, after the last `ReLU` before each pooling.
    Vgg,
}

impl Backbone {
    /// As in the lpips package.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alex => "alex",
            Self::Squeeze => "squeeze",
            Self::Vgg => "vgg",
        }
    }

    /// Height and width that a picture must have at least, or nothing is left of it in the deepest layers.
    pub fn least_size(self) -> u32 {
        match self {
            Self::Alex => alexnet::LEAST_SIZE,
            Self::Squeeze => squeezenet::LEAST_SIZE,
            Self::Vgg => vgg::LEAST_SIZE,
        }
    }
}

/// A backbone cut after the layers that are compared.
trait Features: Debug + Send {
    /// Gives features `[batch, C, h, w]` of normalized pictures `[batch, 3, H, W]` to `each`, from shallow to deep, as soon as nothing
    /// else needs them: the memory of one is that of the next.
    fn taps(&self, x: &Tensor, each: &mut dyn FnMut(Tensor));
}

/// A backbone with its heads.
#[derive(Debug)]
pub struct Lpips {
    features: Box<dyn Features>,
    heads: Vec<Tensor>,
    shift: Tensor,
    scale: Tensor,
    precision: Precision,
}

impl Lpips {
    /// The backbone's tensors in `precision` from `source`, as `lpips.features.0.weight` and so on; heads on `device`.
    pub fn new(
        source: &dyn TensorSource,
        backbone: Backbone,
        precision: Precision,
        device: Device,
    ) -> Self {
        let scope = Scope::root(source, "lpips").sub("features");
        let features: Box<dyn Features> = match backbone {
            Backbone::Alex => Box::new(alexnet::AlexNet::new(&scope)),
            Backbone::Squeeze => Box::new(squeezenet::SqueezeNet::new(&scope)),
            Backbone::Vgg => Box::new(vgg::Vgg16::new(&scope)),
        };
        let of_channels = |values: [f32; 3]| {
            Tensor::from_slice(&values)
                .reshape([1, 3, 1, 1])
                .to_device(device)
        };
        Self {
            features,
            heads: heads::learned(backbone, device),
            shift: of_channels(SHIFT),
            scale: of_channels(SCALE),
            precision,
        }
    }

    /// Distance of each pair, `[batch]` f64, lower is more alike, 0 for equals.
    ///
    /// `pictures` `[2 * batch, 3, H, W]` f32 in `[-1, 1]`: all of one side, then their counterparts in the same order. Faster with
    /// channels innermost in memory.
    pub fn distances(&self, pictures: &Tensor) -> Tensor {
        let of_tap = |at: Tensor| at.mean_dim([1_i64, 2].as_slice(), false, Kind::Double);
        self.sum_over_taps(pictures, of_tap)
    }

    /// Distance of each pair at each pixel, `[batch, H, W]` f32: taps are enlarged to the pictures' size (torch's bilinear). The mean
    /// over pixels is near [`Lpips::distances`], not equal to it.
    pub fn maps(&self, pictures: &Tensor) -> Tensor {
        let size = &pictures.size()[2..];
        let of_tap = |at: Tensor| {
            at.unsqueeze(1)
                .upsample_bilinear2d(size, false, None, None)
                .squeeze_dim(1)
        };
        self.sum_over_taps(pictures, of_tap)
    }

    /// `of_tap` is given the distances `[batch, h, w]` f32 at the positions of one tap.
    fn sum_over_taps(&self, pictures: &Tensor, of_tap: impl Fn(Tensor) -> Tensor) -> Tensor {
        tch::no_grad(|| {
            let (mut heads, mut sum) = (self.heads.iter(), None);
            let normalized = (pictures - &self.shift).g_div_(&self.scale);
            let normalized = normalized.to_kind(self.precision.kind());
            self.features.taps(&normalized, &mut |tap| {
                let head = heads.next().expect("a head for every tap");
                let found = of_tap(distance(tap.to_kind(Kind::Float), head));
                sum = Some(match sum.take() {
                    None => found,
                    Some(sum) => found + sum,
                });
            });
            sum.expect("a backbone has taps")
        })
    }
}

/// Consumes its features: everything large happens in place.
fn distance(mut features: Tensor, head: &Tensor) -> Tensor {
    let batch = features.size()[0] / 2;
    let length = features.norm_scalaropt_dim(2, [1_i64].as_slice(), true);
    let _ = features.g_mul_(&(length + EPSILON).reciprocal());
    let mut difference = features.narrow(0, 0, batch);
    let _ = difference.g_sub_(&features.narrow(0, batch, batch));
    let _ = difference.square_();
    difference.permute([0, 2, 3, 1]).matmul(head)
}
