use std::path::Path;

use anyhow::{Result, ensure};
use i2am_nets::text_encoder::TextEncoderConfig;
use i2am_nets::unet::UNetConfig;
use i2am_nets::vae::VaeConfig;
use i2am_runner::families::PasdConfig;
use i2am_runner::samplers::SamplerConfig;
use serde::Deserialize;

use crate::config::shared::{Config, DataConfig, Keys, Schedule};

/// A training of UNet, pixel attentions and `ControlNet` around a frozen autoencoder and a text encoder that stays as it is drawn.
/// Snapshots are folders next to the finished checkpoint.
pub(crate) type PasdZoo = Config<PasdKeys>;

/// The keys of [`PasdZoo`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasdKeys {
    /// Text of all samples that see one.
    pub(crate) prompt: String,
    /// How many times as high and wide the pictures are as those the networks are shown.
    pub(crate) upscale: usize,
    pub(crate) evaluation: EvaluationConfig,
    pub(crate) text_encoder: TextEncoderConfig,
    /// Channels of the conditioning embedding at each of the autoencoder's resolutions.
    pub(crate) conditioning: Vec<i64>,
    pub(crate) unet: UNetConfig,
    pub(crate) schedule: Schedule,
    pub(crate) loss: LossConfig,
    pub(crate) crops: Option<CropConfig>,
}

/// Batches that see a part of their pictures.
///
/// Attention that is to find one place starts by weighing all alike, and what it learns from one pair of places is in proportion to one
/// over their number. Among few places it finds the right one sooner, and then knows it among many.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CropConfig {
    /// Share of batches.
    pub(crate) share: f64,
    /// Height in pixels.
    pub(crate) height: usize,
    /// Width in pixels.
    pub(crate) width: usize,
}

/// The samples that are generated on the way.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EvaluationConfig {
    /// Seed of the pictures; another one than that of the training set.
    pub(crate) seed: u64,
    /// Number of pictures.
    pub(crate) count: usize,
    /// Sampling steps.
    pub(crate) steps: u32,
    /// Attention counts as near within so many cells.
    pub(crate) radius: f64,
    /// Timesteps at which the attention is looked at.
    pub(crate) timesteps: Vec<i64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LossConfig {
    /// Share of samples that see no text.
    pub(crate) drop_text: f64,
    /// Share of samples whose UNet gets nothing added by the `ControlNet`, so that the picture comes through pixel attentions alone.
    pub(crate) drop_additions: f64,
    /// Weight of the small pictures' absolute error, added to the error of the noise.
    pub(crate) small_pictures: f64,
    /// Decay per step of the averaged weights that are saved.
    pub(crate) average_decay: f64,
    /// The loss at timestep t is weighted by `1 + min((1 - alpha) / alpha, this)`.
    pub(crate) high_noise_weight: f64,
}

impl Keys for PasdKeys {
    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn average_decay(&self) -> f64 {
        self.loss.average_decay
    }

    fn prepare(&mut self, data: &DataConfig, file: &Path) -> Result<()> {
        data.check_evaluation(self.evaluation.seed, file)?;
        data.check(self.upscale.max(1) as i64, file)
    }
}

impl PasdZoo {
    /// Whether the networks fit to the autoencoder, the tokenizer's `vocabulary` and the pictures.
    pub(super) fn check(&self, vae: &VaeConfig, vocabulary: usize) -> Result<()> {
        let keys = &self.keys;
        let (unet, text) = (&keys.unet, &keys.text_encoder);
        ensure!(
            unet.in_channels == vae.latent_channels && unet.out_channels == vae.latent_channels,
            "unet: expected {} input and output channels, found {} and {}",
            vae.latent_channels,
            unet.in_channels,
            unet.out_channels
        );
        ensure!(
            unet.cross_attention_dim == text.hidden_size,
            "unet.cross_attention_dim: expected {}, the width of the text encoder, found {}",
            text.hidden_size,
            unet.cross_attention_dim
        );
        ensure!(
            text.vocab_size == vocabulary as i64,
            "text_encoder.vocab_size: expected {vocabulary}, found {}",
            text.vocab_size
        );
        let resolutions = vae.block_out_channels.len();
        ensure!(
            keys.conditioning.len() == resolutions,
            "conditioning: expected channels for the autoencoder's {resolutions} resolutions, found {}",
            keys.conditioning.len()
        );
        // Both published networks take for granted that the two lowest levels are equally wide.
        let lowest = unet.block_out_channels.last_chunk::<2>();
        ensure!(
            lowest.is_some_and(|[above, below]| above == below),
            "unet.block_out_channels: expected two equal ones last, found {:?}",
            unet.block_out_channels
        );
        let factor = vae.factor() * unet.size_multiple();
        self.data.check(factor, Path::new("configuration"))?;
        if let Some(CropConfig { height, width, .. }) = keys.crops {
            let DataConfig {
                height: most_rows,
                width: most_columns,
                ..
            } = self.data;
            let fits = |side: usize, most: usize| {
                (1..=most).contains(&side) && side.is_multiple_of(factor as usize)
            };
            ensure!(
                fits(height, most_rows) && fits(width, most_columns),
                "crops: expected multiples of {factor} up to {most_rows} and {most_columns} for height and width, found {height} and {width}"
            );
        }
        Ok(())
    }

    /// How the pipeline samples on the way, as the family called `family`.
    pub(super) fn settings(&self, family: &str) -> PasdConfig {
        let published = PasdConfig::new(&self.name, family, self.output.clone());
        PasdConfig {
            sampler: SamplerConfig {
                steps: self.keys.evaluation.steps,
                ..published.sampler
            },
            guidance: 1.0,
            added_prompt: self.keys.prompt.clone(),
            upscale: self.keys.upscale as f64,
            least_side: 1,
            ..published
        }
    }
}
