//! Commands that score maps of other programs.

use std::path::PathBuf;

use clap::Args;
use i2am_attribution::ConventionName;
use i2am_imaging::{MAX_MEGAPIXELS, MaskChannel, MaskLevels, MaskPolarity, MaskReading};
use serde::Serialize;

use super::parse_word;

/// How masks are read.
#[derive(Debug, Clone, Copy, Args, Serialize)]
#[expect(
    clippy::struct_field_names,
    reason = "they are called as the flags are"
)]
pub(crate) struct MaskArgs {
    /// Which levels of the mask count: `full` (the upper half) or `binary` (all but 0).
    #[arg(long, value_name = "NAME", default_value = "full", value_parser = parse_word::<MaskLevels>)]
    pub(crate) mask_levels: MaskLevels,
    /// Where the mask has its shape: `gray` or `alpha`.
    #[arg(long, value_name = "NAME", default_value = "gray", value_parser = parse_word::<MaskChannel>)]
    pub(crate) mask_channel: MaskChannel,
    /// Which side of the mask is masked: `direct` (white) or `inverted` (black).
    #[arg(long, value_name = "NAME", default_value = "direct", value_parser = parse_word::<MaskPolarity>)]
    pub(crate) mask_polarity: MaskPolarity,
}

impl From<&MaskArgs> for MaskReading {
    fn from(args: &MaskArgs) -> Self {
        Self {
            levels: args.mask_levels,
            channel: args.mask_channel,
            polarity: args.mask_polarity,
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Every file SAMPLE.npz or SAMPLE.safetensors of the folder has the maps of one sample, which any program can write: docs/exported.md says \
which arrays, and has a program for two Python tools. The result is the folder of a run: rows of every level, means, and records for `bench report`.

Examples:
  bench score --attention attention --masks masks --out results/other
  bench score --attention attention --masks masks --reference-masks objects --model other --out results/other --convention paper"
)]
pub(crate) struct ScoreArgs {
    /// The folder with one file of maps for each sample.
    #[arg(long, value_name = "DIR")]
    pub(crate) attention: PathBuf,
    /// The folder with the mask of each sample, SAMPLE.png, of the size of the generated image; white marks the region that is generated.
    #[arg(long, value_name = "DIR")]
    pub(crate) masks: PathBuf,
    /// The folder with the masks of the objects in the reference images, SAMPLE.png; only maps over the reference need them.
    #[arg(long, value_name = "DIR")]
    pub(crate) reference_masks: Option<PathBuf>,
    /// The folder to write the run into.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The name of the model in rows and tables [default: the name of the folder --attention].
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) mask: MaskArgs,
    /// Size of the largest image that is read, in megapixels.
    #[arg(long, value_name = "N", default_value_t = MAX_MEGAPIXELS)]
    pub(crate) max_megapixels: u32,
    /// The convention that makes and normalizes the maps.
    #[arg(long, default_value = "spatial")]
    pub(crate) convention: ConventionName,
    /// Weight of the attribution outside the mask.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) penalty: f64,
    /// Delete what an earlier call wrote into the folder --out.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The map is a gray PNG, an .npz or safetensors file with one array of two axes, or such a file with the maps of all layers of one sample \
(docs/exported.md), which the convention joins. A picture in the colors of a color map is refused, because \
its values are lost. The convention normalizes it: min-max, resize to the \
size of the mask, min-max, polarity, floor.

Examples:
  bench imacs --map map.png --mask mask.png
  bench imacs --map map.safetensors --mask mask.png --convention released-code --json
  bench imacs --map attention/0001.npz --mask object.png --reference"
)]
pub(crate) struct ImacsArgs {
    /// The raw attribution map.
    #[arg(long)]
    pub(crate) map: PathBuf,
    /// The mask, an image; white marks the region that the map should agree with.
    #[arg(long)]
    pub(crate) mask: PathBuf,
    #[command(flatten)]
    pub(crate) reading: MaskArgs,
    /// Size of the largest image that is read, in megapixels.
    #[arg(long, value_name = "N", default_value_t = MAX_MEGAPIXELS)]
    pub(crate) max_megapixels: u32,
    /// The convention that normalizes the map.
    #[arg(long, default_value = "spatial")]
    pub(crate) convention: ConventionName,
    /// The map is over the reference image (`g2r`), not over the generated image.
    #[arg(long)]
    pub(crate) reference: bool,
    /// Weight of the attribution outside the mask.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) penalty: f64,
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}
