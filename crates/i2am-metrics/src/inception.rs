//! What metrics on the Inception network share: its weights, and the three rules in use for making its input from an image.

use i2am_imaging::{Plane, RgbImage, pillow_bicubic, tensorflow_bilinear, torch_bilinear};
use serde::{Deserialize, Serialize};

use crate::metric::Variant;
use crate::resources::WeightsInfo;

/// The weights of the Inception network.
pub static INCEPTION: WeightsInfo = WeightsInfo {
    name: "inception",
    files: &[
        "fid-inception-2015-12-05.pt",
        "pt_inception-2015-12-05-6726825d.pth",
    ],
    help: "get them with `scripts/setup --weights inception` or give a file with --weights inception=FILE",
};

/// Side of an Inception input.
pub(crate) const SIDE: usize = 299;

/// Whose rule. They give visibly different scores, so each is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// pytorch-fid: bilinear with half-pixel centers, no antialias, to -1..1.
    #[default]
    PytorchFid,
    /// torch-fidelity: TensorFlow 1's bilinear, `(x - 128) / 128`.
    TorchFidelity,
    /// clean-fid: Pillow's antialiased bicubic in floating point, cut to 0..255, `(x - 128) / 128`.
    Clean,
}

impl Mode {
    /// As written in settings and rows.
    pub fn as_str(self) -> &'static str {
        self.variant().name
    }

    /// The variants of a metric that torch-fidelity has and pytorch-fid has not.
    pub(crate) const VARIANTS: [Variant; 3] = [
        Self::TorchFidelity.variant(),
        Self::Clean.variant(),
        Self::PytorchFid.variant(),
    ];

    /// The variant of a metric that uses it.
    pub(crate) const fn variant(self) -> Variant {
        match self {
            Self::PytorchFid => Variant {
                name: "pytorch-fid",
                summary: "resized and scaled as pytorch-fid does",
            },
            Self::TorchFidelity => Variant {
                name: "torch-fidelity",
                summary: "resized and scaled as torch-fidelity does, that is as TensorFlow 1 did",
            },
            Self::Clean => Variant {
                name: "clean",
                summary: "resized and scaled as clean-fid does: antialiased",
            },
        }
    }

    /// The name of a variant that says a setting which is not the usual one: `clean, neighbors 7`.
    pub(crate) fn with(self, setting: &str, value: usize, usual: usize) -> String {
        if value == usual {
            self.as_str().to_owned()
        } else {
            format!("{}, {setting} {value}", self.as_str())
        }
    }

    /// One color of an input, from levels 0 to 255.
    fn plane(self, levels: &Plane) -> Plane {
        match self {
            Self::PytorchFid => {
                let unit = levels.map(|level| level / 255.0);
                torch_bilinear(&unit, SIDE, SIDE).map(|value| 2.0 * value - 1.0)
            }
            Self::TorchFidelity => {
                tensorflow_bilinear(levels, SIDE, SIDE).map(|level| (level - 128.0) / 128.0)
            }
            Self::Clean => pillow_bicubic(levels, SIDE, SIDE)
                .map(|level| (level.clamp(0.0, 255.0) - 128.0) / 128.0),
        }
    }
}

/// `[3, 299, 299]`, row-major.
///
/// # Panics
/// If the image has no pixel; no decoder gives one.
pub fn inception_input(image: &RgbImage, mode: Mode) -> Vec<f32> {
    let (width, height) = image.dimensions();
    let mut input = Vec::with_capacity(3 * SIDE * SIDE);
    for channel in 0..3 {
        let levels = image
            .pixels()
            .map(|pixel| f32::from(pixel.0[channel]))
            .collect();
        let levels = Plane::new(height as usize, width as usize, levels)
            .expect("an image has a level for each of its pixels, of which there are some");
        input.extend_from_slice(mode.plane(&levels).data());
    }
    input
}
