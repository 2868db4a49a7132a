//! DISTS: how alike two pictures are in structure and in texture, to a network that was trained to name what they show.
//!
//! VGG16 (torchvision's tensor names), with weighted means of squares in place of its poolings, gives features at five depths; the
//! picture itself is the first. For every channel the means of both pictures are compared, which is texture, and their covariance, which
//! is structure. Learned weights add these up: `alpha` and `beta`.
//!
//! # Source
//! Ding, Ma, Wang, Simoncelli: Image Quality Assessment: Unifying Structure and Texture Similarity, 2020; checked against
//! DISTS-pytorch 0.1.

use tch::{Device, Kind, Tensor};

use crate::Precision;
use crate::levels::OF_IMAGENET;
use crate::lpips::vgg::{Vgg16, WIDTHS};
use crate::scope::{Init, Scope, TensorSource};

/// Keeps the comparisons finite where a channel is empty.
const EPSILON: f64 = 1e-6;
/// Keeps the roots of the poolings from having no slope at 0.
const ROOT: f64 = 1e-12;
/// Along one axis: a Hann window of 5, of which the two ends are 0.
const WINDOW: [f32; 3] = [0.25, 0.5, 0.25];

/// Channels that are compared: of the picture, then of each depth.
const CHANNELS: [i64; 6] = {
    let [a, b, c, d, e] = WIDTHS;
    [3, a, b, c, d, e]
};

/// The network with its weights.
#[derive(Debug)]
pub struct Dists {
    vgg: Vgg16,
    /// What the means of each channel count for, by depth; with `beta` they add up to 1.
    alpha: Vec<Tensor>,
    /// What the covariance counts for.
    beta: Vec<Tensor>,
    mean: Tensor,
    deviation: Tensor,
    precision: Precision,
}

impl Dists {
    /// VGG16 in `precision` from `backbone`, as `dists.features.0.weight` and so on; `dists.alpha` and `dists.beta` `[1, 1475, 1, 1]` from `weights`.
    pub fn new(
        backbone: &dyn TensorSource,
        weights: &dyn TensorSource,
        precision: Precision,
        device: Device,
    ) -> Self {
        let scope = Scope::root(weights, "dists");
        let all: i64 = CHANNELS.iter().sum();
        let of = |name: &str| {
            let found = scope.tensor(name, &[1, all, 1, 1], Init::Normal(0.1));
            found.to_kind(Kind::Double).to_device(device)
        };
        let (alpha, beta) = (of("alpha"), of("beta"));
        let sum = alpha.sum(Kind::Double) + beta.sum(Kind::Double);
        let by_depth = |weights: Tensor| {
            // A placeholder for what is missing has no channels to share out.
            let whole = weights.numel() == all as usize;
            let parts = whole.then(|| (weights / &sum).reshape([-1]).split_with_sizes(CHANNELS, 0));
            parts.unwrap_or_default()
        };
        let of_channels = |values: [f32; 3]| {
            Tensor::from_slice(&values)
                .reshape([1, 3, 1, 1])
                .to_device(device)
        };
        Self {
            vgg: Vgg16::new(&Scope::root(backbone, "dists").sub("features")),
            alpha: by_depth(alpha),
            beta: by_depth(beta),
            mean: of_channels(OF_IMAGENET.mean),
            deviation: of_channels(OF_IMAGENET.deviation),
            precision,
        }
    }

    /// Distance of each pair, `[batch]` f64, lower is more alike, 0 for equals up to rounding.
    ///
    /// `pictures` `[2 * batch, 3, H, W]` f32 in `[0, 1]`: all of one side, then their counterparts in the same order.
    ///
    /// # Panics
    /// If it was built from a source without the weights of channels.
    pub fn distances(&self, pictures: &Tensor) -> Tensor {
        tch::no_grad(|| {
            let (mut alpha, mut beta) = (self.alpha.iter(), self.beta.iter());
            let mut of_depth = |features: &Tensor| {
                let alpha = alpha.next().expect("weights for every depth");
                let beta = beta.next().expect("weights for every depth");
                similarity(features, alpha, beta)
            };
            let mut sum = of_depth(pictures);
            let normalized = (pictures - &self.mean) / &self.deviation;
            let normalized = normalized.to_kind(self.precision.kind());
            self.vgg
                .taps_pooled_by(&normalized, pooled, &mut |features| {
                    sum += of_depth(&features);
                });
            1.0 - sum
        })
    }
}

/// The root of a weighted mean of squares, over 3 x 3 positions and every second of them.
fn pooled(x: &Tensor) -> Tensor {
    let channels = x.size()[1];
    let line = Tensor::from_slice(&WINDOW).to_device(x.device());
    let window = line.outer(&line).expand([channels, 1, 3, 3], false);
    let squares = x.to_kind(Kind::Float).square();
    let none = None::<&Tensor>;
    let means = squares.conv2d(&window, none, [2, 2], [1, 1], [1, 1], channels);
    (means + ROOT).sqrt().to_kind(x.kind())
}

/// Weighted similarity `[batch]` f64 of two halves of `features` `[2 * batch, C, h, w]`.
fn similarity(features: &Tensor, alpha: &Tensor, beta: &Tensor) -> Tensor {
    const POSITIONS: [i64; 2] = [2, 3];
    let batch = features.size()[0] / 2;
    let [x, y] = [0, batch].map(|start| features.narrow(0, start, batch).to_kind(Kind::Double));
    let mean = |of: &Tensor| of.mean_dim(POSITIONS.as_slice(), true, Kind::Double);
    let [x_mean, y_mean] = [&x, &y].map(mean);
    let (x, y) = (x - &x_mean, y - &y_mean);
    let variances = mean(&x.square()) + mean(&y.square());
    let covariance = mean(&(x * y));
    let alike = |product: Tensor, squares: Tensor| (product * 2.0 + EPSILON) / (squares + EPSILON);
    let texture = alike(&x_mean * &y_mean, x_mean.square() + y_mean.square());
    let structure = alike(covariance, variances);
    texture.flatten(1, 3).mv(alpha) + structure.flatten(1, 3).mv(beta)
}
