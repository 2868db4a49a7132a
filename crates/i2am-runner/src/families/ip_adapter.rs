//! IP-Adapter (Ye et al. 2023) on Stable Diffusion v1: inpainting after a text and a reference image. Each cross-attention has a second
//! softmax, over image tokens alone, whose result is added to that over the text.

mod config;
mod inputs;
mod pipeline;
mod sizes;

use std::path::{Path, PathBuf};

use i2am_datasets::Part;
use i2am_nets::image_projection::ImageProjectionConfig;
use i2am_nets::layout::Checkpoint;
use i2am_nets::unet::UNetConfig;
use i2am_nets::{ExpectedSource, Init, NetError, TensorSource};

pub use config::{IpAdapterConfig, ReferenceFit};
pub use pipeline::IpAdapterPipeline;
pub use sizes::{IpAdapterDenoiser, IpAdapterNetworks, IpAdapterSizes};

use super::kind::{Kind, Loaded, Settings, Shared};
use super::text::Tokenizer;
use super::{Attends, FamilyInfo, common};
use crate::RunnerError;
use crate::samplers::Sampler;
use crate::schedule::Schedule;

/// The family.
pub struct IpAdapter;

static INFO: FamilyInfo = FamilyInfo {
    name: "ip-adapter",
    summary: "inpainting after a text and a reference image; image tokens with their own softmax; 15 cross-attentions recorded",
    needs: &[Part::Image, Part::Mask, Part::Reference],
    attends,
};

/// Of the variant whose tokens have no places; [`IpAdapterConfig`] answers for the one that it names.
fn attends(_network: &str, layer: &str) -> Option<Attends> {
    match layer.rsplit_once('.')?.1 {
        "attn1" => Some(Attends::Own),
        "attn2" => Some(common::PROMPT),
        "attn2_ip" if layer.starts_with("mid_block.") => Some(common::MIDDLE),
        "attn2_ip" => Some(Attends::Pooled),
        _ => None,
    }
}

impl Kind for IpAdapter {
    type Sizes = IpAdapterSizes;
    type Networks = IpAdapterNetworks;
    type Settings = IpAdapterConfig;

    fn info(&self) -> &'static FamilyInfo {
        &INFO
    }

    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        let mut names = checkpoint.names();
        if names.any(|name| name.starts_with("image_proj.")) {
            Ok(())
        } else {
            Err("no image projection of an IP-Adapter".to_owned())
        }
    }

    fn sizes(&self, checkpoint: &Checkpoint) -> Result<IpAdapterSizes, NetError> {
        IpAdapterSizes::of(checkpoint)
    }

    fn published(&self) -> IpAdapterSizes {
        IpAdapterSizes::published(9, ImageProjectionConfig::ip_adapter_sd15())
    }

    fn build(sizes: &IpAdapterSizes, source: &dyn TensorSource) -> IpAdapterNetworks {
        sizes.build(source)
    }

    fn describe(&self, checkpoint: &Checkpoint) -> Option<String> {
        let projection = ImageProjectionConfig::of(checkpoint).ok()?;
        let features = projection.features();
        Some(match projection {
            ImageProjectionConfig::Pooled { tokens, .. } => {
                format!("base: {tokens} tokens from an image embedding of width {features}")
            }
            ImageProjectionConfig::Full { .. } => {
                format!("full-face: one token from each image state of width {features}")
            }
            ImageProjectionConfig::Resampled(shape) => format!(
                "plus: {} tokens that read image states of width {features}",
                shape.tokens
            ),
        })
    }

    /// An adapter's file lies apart from the UNet that it is for.
    fn expected(&self, checkpoint: &Checkpoint) -> Result<ExpectedSource, NetError> {
        let expected = ExpectedSource::new();
        if checkpoint.is_ip_adapter() {
            let projection = ImageProjectionConfig::of(checkpoint)?;
            sizes::build_projection(&projection, &expected);
            for (name, shape) in checkpoint.ip_adapter_tensors(projection.width()) {
                let _ = expected.tensor(&name, &shape, Init::FanIn(projection.width()));
            }
        } else {
            Self::build(&self.sizes(checkpoint)?, &expected);
        }
        Ok(expected)
    }
}

impl IpAdapterConfig {
    /// The folder of the image encoder: the one that is named, else `image_encoder` next to the adapter or in the checkpoint.
    ///
    /// # Errors
    /// [`RunnerError::Setting`] if there is none.
    fn encoder_folder(&self) -> Result<PathBuf, RunnerError> {
        if let Some(folder) = &self.image_encoder {
            return Ok(folder.clone());
        }
        let beside = self.adapter.with_file_name("image_encoder");
        let inside = self.checkpoint.join("image_encoder");
        let mut places = [&beside, &inside].into_iter();
        let found = places.find(|folder| folder.is_dir()).cloned();
        found.ok_or_else(|| RunnerError::Setting {
            key: "model.image_encoder",
            expected: "the folder of CLIP's image encoder".to_owned(),
            found: format!(
                "neither that setting nor {} nor {}",
                beside.display(),
                inside.display()
            ),
        })
    }
}

impl Settings for IpAdapterConfig {
    type Kind = IpAdapter;
    type Pipeline = IpAdapterPipeline;

    const PLACES: &'static [&'static str] = &["checkpoint", "adapter", "image_encoder"];

    fn kind(&self) -> &'static IpAdapter {
        &IpAdapter
    }

    fn shared(&self) -> Shared<'_> {
        Shared {
            name: &self.name,
            checkpoint: &self.checkpoint,
            variant: self.variant.as_deref(),
            precision: self.precision,
            guidance: self.guidance,
            posterior: self.posterior,
        }
    }

    fn sampler(&self) -> Result<Box<dyn Sampler>, RunnerError> {
        self.sampler.build(&Schedule::default())
    }

    fn start_at(&mut self, base: &Path) {
        let own = [&mut self.checkpoint, &mut self.adapter];
        for path in self.image_encoder.iter_mut().chain(own) {
            *path = i2am_files::resolve(base, &path);
        }
    }

    fn reference_guidance(&mut self) -> Result<&mut f64, &'static str> {
        Err(
            "its pass without the reference is without the prompt too; the setting `scale` weakens the reference alone",
        )
    }

    fn check_values(&self) -> Result<(), RunnerError> {
        if self.scale.is_finite() {
            return Ok(());
        }
        Err(RunnerError::Setting {
            key: "model.scale",
            expected: "a finite number".to_owned(),
            found: self.scale.to_string(),
        })
    }

    fn own_networks(&self) -> &Path {
        &self.adapter
    }

    fn assemble(&self, mut base: Checkpoint) -> Result<Checkpoint, RunnerError> {
        let adapter = Checkpoint::open_ip_adapter(&self.adapter)?;
        // Here the error names the adapter.
        ImageProjectionConfig::of(&adapter)?;
        let adapter = adapter.of_ip_adapter(&UNetConfig::of(&base)?)?;
        let folder = self.encoder_folder()?;
        let variant = self.variant.as_deref();
        let encoder = Checkpoint::open_network(&folder, "image_encoder", variant)?;
        base.keep(&["unet", "vae", "text_encoder"]);
        base.lay_over(encoder);
        base.lay_over(adapter);
        Ok(base)
    }

    fn adjust(&self, sizes: &mut IpAdapterSizes) -> Result<(), RunnerError> {
        let (encoder, projection) = (&sizes.image_encoder, &sizes.projection);
        let (key, found) = match projection {
            ImageProjectionConfig::Pooled { .. } => ("projection_dim", encoder.projection_dim),
            _ => ("hidden_size", encoder.hidden_size),
        };
        let expected = projection.features();
        if found == expected {
            return Ok(());
        }
        Err(RunnerError::Setting {
            key: "model.image_encoder",
            expected: format!(
                "an encoder whose `{key}` is {expected}, as {} reads",
                self.adapter.display()
            ),
            found: format!("{found} in {}", self.encoder_folder()?.display()),
        })
    }

    fn image_size(&self, sizes: &IpAdapterSizes) -> Result<Option<(i64, i64)>, RunnerError> {
        sizes.image_size(self.size).map(Some)
    }

    fn attends(&self, sizes: &IpAdapterSizes, network: &str, layer: &str) -> Option<Attends> {
        Some(match (attends(network, layer)?, sizes.projection) {
            (Attends::Pooled, ImageProjectionConfig::Full { .. }) => Attends::Positions,
            (Attends::Pooled, ImageProjectionConfig::Resampled(_)) => Attends::Mixed,
            (other, _) => other,
        })
    }

    fn other_files(&self, sizes: &IpAdapterSizes) -> Result<Vec<PathBuf>, RunnerError> {
        let tokenizer = Tokenizer::of(&self.checkpoint, &sizes.text_encoder)?;
        Ok(tokenizer.files().into())
    }

    fn pipeline(&self, loaded: Loaded<'_, Self>) -> Result<IpAdapterPipeline, RunnerError> {
        let encoder = &loaded.sizes.text_encoder;
        let length = encoder.max_position_embeddings as usize;
        let tokens = Tokenizer::of(&self.checkpoint, encoder)?.batch(&self.texts(), length)?;
        let size = loaded.sizes.image_size(self.size)?;
        IpAdapterPipeline::of_networks(loaded.networks, self, &tokens, size, loaded.device)
    }
}
