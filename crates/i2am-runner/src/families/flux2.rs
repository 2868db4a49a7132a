//! FLUX.2 klein (Black Forest Labs 2026): editing after a text and one or several images, plain or within a mask. Tokens of the text, of the
//! generated image and of all others attend to each other in every block.

mod chat;
mod config;
mod encoder;
mod inputs;
mod pipeline;
mod prompt;
mod text;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use i2am_datasets::Part;
use i2am_nets::flux2::{Flux2, Flux2Config};
use i2am_nets::layout::{Checkpoint, ConfigFile};
use i2am_nets::vae::{PackedVae, PackedVaeConfig};
use i2am_nets::{ExpectedSource, NetError, Scope, TensorSource};
use serde::Deserialize;
use tch::Device;

pub use chat::ChatTokenizer;
pub use config::{Flux2KleinConfig, Shown, SourceView, Task};
pub use encoder::PromptEncoder;
pub use inputs::Flux2KleinInputs;
pub use pipeline::Flux2KleinPipeline;
pub use text::PromptEmbeddings;

use super::common::is_guided;
use super::kind::{Kind, Loaded, Settings, Shared};
use super::{Attends, FamilyInfo, Posterior, common};
use crate::RunnerError;
use crate::samplers::{Flow, Sampler};

/// The family.
pub struct Flux2Klein;

static INFO: FamilyInfo = FamilyInfo {
    name: "flux2-klein",
    summary: "editing after a text and images, plain or within a mask; joint attention of all tokens, 25 (4B) or 32 (9B) blocks recorded",
    needs: &[Part::Image, Part::Mask, Part::Reference],
    attends,
};

fn attends(_network: &str, layer: &str) -> Option<Attends> {
    let block = layer.strip_suffix(".attn")?.rsplit_once('.')?.0;
    let is_known = ["transformer_blocks", "single_transformer_blocks"].contains(&block);
    is_known.then_some(Attends::Positions)
}

/// Sizes of the networks.
#[derive(Debug, Clone, PartialEq)]
pub struct Flux2KleinSizes {
    /// The transformer.
    pub transformer: Flux2Config,
    /// The autoencoder.
    pub vae: PackedVaeConfig,
}

impl Flux2KleinSizes {
    /// The sizes of klein 4B.
    pub fn klein_4b() -> Self {
        Self {
            transformer: Flux2Config::klein_4b(),
            vae: PackedVaeConfig::flux2(),
        }
    }

    /// As `checkpoint` tells.
    ///
    /// # Errors
    /// A configuration that is not built here or does not fit the other, [`NetError::Infer`] if a telling tensor is missing.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let sizes = Self {
            transformer: Flux2Config::of(checkpoint)?,
            vae: PackedVaeConfig::of(checkpoint)?,
        };
        let (expected, found) = (sizes.vae.channels(), sizes.transformer.in_channels);
        if expected == found {
            return Ok(sizes);
        }
        let reason = format!(
            "`in_channels` of the transformer: expected {expected}, four times `latent_channels` of the autoencoder, found {found}"
        );
        Err(match checkpoint.config("transformer") {
            Some(config) => config.refuse(reason),
            None => NetError::Layout {
                path: checkpoint.path().to_owned(),
                reason,
            },
        })
    }

    /// Builds both networks from `source`.
    pub fn build(&self, source: &dyn TensorSource) -> Flux2KleinNetworks {
        let transformer = Scope::root(source, "transformer");
        Flux2KleinNetworks {
            transformer: Flux2::new(&transformer, self.transformer.clone()),
            vae: PackedVae::new(&Scope::root(source, "vae"), self.vae.clone()),
        }
    }
}

/// The networks of a checkpoint.
#[derive(Debug)]
pub struct Flux2KleinNetworks {
    /// Predicts velocities.
    pub transformer: Flux2,
    /// Pictures to packed latents and back.
    pub vae: PackedVae,
}

/// A tensor that no other network has.
const OWN: &str = "transformer.double_stream_modulation_img.linear.weight";

impl Kind for Flux2Klein {
    type Sizes = Flux2KleinSizes;
    type Networks = Flux2KleinNetworks;
    type Settings = Flux2KleinConfig;

    fn info(&self) -> &'static FamilyInfo {
        &INFO
    }

    fn denoiser(&self) -> &'static str {
        "transformer"
    }

    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        match checkpoint.shape(OWN) {
            Some(_) => Ok(()),
            None => Err("no transformer of FLUX.2".to_owned()),
        }
    }

    fn sizes(&self, checkpoint: &Checkpoint) -> Result<Flux2KleinSizes, NetError> {
        Flux2KleinSizes::of(checkpoint)
    }

    fn published(&self) -> Flux2KleinSizes {
        Flux2KleinSizes::klein_4b()
    }

    fn build(sizes: &Flux2KleinSizes, source: &dyn TensorSource) -> Flux2KleinNetworks {
        sizes.build(source)
    }

    /// A file may hold the transformer alone, a folder the text encoder too.
    fn expected(&self, checkpoint: &Checkpoint) -> Result<ExpectedSource, NetError> {
        let expected = ExpectedSource::new();
        encoder::expect(checkpoint, &expected)?;
        if checkpoint.names().any(|name| name.starts_with("vae.")) {
            Self::build(&self.sizes(checkpoint)?, &expected);
        } else {
            let scope = Scope::root(&expected, "transformer");
            Flux2::new(&scope, Flux2Config::of(checkpoint)?);
        }
        Ok(expected)
    }

    fn describe(&self, checkpoint: &Checkpoint) -> Option<String> {
        let config = Flux2Config::of(checkpoint).ok()?;
        Some(format!(
            "{} double and {} single blocks of {} heads; prompt embeddings of width {}",
            config.num_layers,
            config.num_single_layers,
            config.num_attention_heads,
            config.joint_attention_dim
        ))
    }
}

/// The key of diffusers' `model_index.json` that matters here.
#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    is_distilled: bool,
}

impl Flux2KleinConfig {
    /// Whether the checkpoint's own index says that it was distilled.
    fn is_distilled(&self) -> Result<bool, RunnerError> {
        let index = self.checkpoint.join("model_index.json");
        if !index.is_file() {
            return Ok(false);
        }
        let Index { is_distilled } = ConfigFile::open(&index)?.parse(&[])?;
        Ok(is_distilled)
    }

    /// How it samples.
    pub(super) fn flow(&self) -> Result<Flow, RunnerError> {
        let [height, width] = self.size;
        let pixels = Self::PIXELS_PER_TOKEN;
        let strength = match self.task {
            Task::Edit => 1.0,
            Task::Inpaint => self.strength,
        };
        let tokens = (height / pixels) * (width / pixels);
        self.sampler.build(tokens, strength)
    }
}

fn setting(key: &'static str, expected: &str, found: &dyn Display) -> RunnerError {
    RunnerError::Setting {
        key,
        expected: expected.to_owned(),
        found: found.to_string(),
    }
}

impl Settings for Flux2KleinConfig {
    type Kind = Flux2Klein;
    type Pipeline = Flux2KleinPipeline;

    const PLACES: &'static [&'static str] = &["checkpoint", "vae"];

    fn kind(&self) -> &'static Flux2Klein {
        &Flux2Klein
    }

    fn shared(&self) -> Shared<'_> {
        Shared {
            name: &self.name,
            checkpoint: &self.checkpoint,
            variant: self.variant.as_deref(),
            precision: self.precision,
            guidance: self.guidance,
            posterior: Posterior::Mean,
        }
    }

    fn sampler(&self) -> Result<Box<dyn Sampler>, RunnerError> {
        Ok(Box::new(self.flow()?))
    }

    fn start_at(&mut self, base: &Path) {
        let embeddings = [&mut self.prompt_embeddings, &mut self.negative_embeddings];
        let given = self.vae.iter_mut().chain(embeddings.into_iter().flatten());
        for path in given.chain([&mut self.checkpoint]) {
            *path = i2am_files::resolve(base, &path);
        }
    }

    fn reference_guidance(&mut self) -> Result<&mut f64, &'static str> {
        Err("its guidance is about the prompt, and both passes see the reference")
    }

    fn needs(&self) -> &'static [Part] {
        use Part::{Agnostic, Image, Mask, Reference, Warped};
        let shows = |shown: Shown| self.images.contains(&shown);
        match (
            shows(Shown::Source) && self.source == SourceView::Agnostic,
            shows(Shown::Warped),
        ) {
            (false, false) => &[Image, Mask, Reference],
            (true, false) => &[Image, Mask, Reference, Agnostic],
            (false, true) => &[Image, Mask, Reference, Warped],
            (true, true) => &[Image, Mask, Reference, Agnostic, Warped],
        }
    }

    fn check_values(&self) -> Result<(), RunnerError> {
        let found = format!("{:?}", self.images).to_lowercase();
        let of = |shown: Shown| self.images.iter().filter(|&&other| other == shown).count();
        if self.images.iter().any(|&shown| of(shown) > 1)
            || self.images.iter().all(|&shown| shown == Shown::Source)
        {
            let expected = "a list of `source`, `reference`, `warped`, each at most once, with at least one reference";
            return Err(setting("model.images", expected, &found));
        }
        if self.task == Task::Inpaint && self.images.first() != Some(&Shown::Source) {
            let expected = "`source` first, since inpainting keeps what is outside of the mask";
            return Err(setting("model.images", expected, &found));
        }
        if !(self.strength > 0.0 && self.strength <= 1.0) {
            let expected = "a number above 0, at most 1";
            return Err(setting("model.strength", expected, &self.strength));
        }
        if self.reference_area < Self::PIXELS_PER_TOKEN.pow(2) {
            let expected = "at least the pixels of one token, 256";
            return Err(setting(
                "model.reference_area",
                expected,
                &self.reference_area,
            ));
        }
        self.texts()?;
        if is_guided(self.guidance) && self.is_distilled()? {
            let expected = "1, since `is_distilled` in model_index.json says that the checkpoint was trained without guidance";
            return Err(setting("model.guidance", expected, &self.guidance));
        }
        Ok(())
    }

    fn networks(&self) -> Option<&'static [&'static str]> {
        Some(match self.vae {
            Some(_) => &["transformer"],
            None => &["transformer", "vae"],
        })
    }

    fn assemble(&self, base: Checkpoint) -> Result<Checkpoint, RunnerError> {
        let mut checkpoint = base;
        if let Some(folder) = &self.vae {
            let variant = self.variant.as_deref();
            checkpoint.lay_over(Checkpoint::open_network(folder, "vae", variant)?);
        }
        Ok(checkpoint)
    }

    fn adjust(&self, sizes: &mut Flux2KleinSizes) -> Result<(), RunnerError> {
        common::setting("model.checkpoint", sizes.vae.vae.check_groups())
    }

    fn image_size(&self, sizes: &Flux2KleinSizes) -> Result<Option<(i64, i64)>, RunnerError> {
        let found = sizes.vae.factor();
        if found != Self::PIXELS_PER_TOKEN {
            let expected = "an autoencoder whose packed latents have 16 pixels for each place";
            return Err(setting("model.checkpoint", expected, &found));
        }
        common::checked_size(self.size, found).map(Some)
    }

    fn other_files(&self, sizes: &Flux2KleinSizes) -> Result<Vec<PathBuf>, RunnerError> {
        self.text_files(sizes.transformer.joint_attention_dim)
    }

    fn embeddings(
        &self,
        sizes: &Flux2KleinSizes,
        device: Device,
    ) -> Result<Vec<PromptEmbeddings>, RunnerError> {
        self.embed(sizes.transformer.joint_attention_dim, device)
    }

    fn pipeline(&self, loaded: Loaded<'_, Self>) -> Result<Flux2KleinPipeline, RunnerError> {
        let mut embeddings = loaded.embeddings.into_iter();
        let prompt = embeddings.next().expect("a prompt is embedded");
        let texts = (prompt, embeddings.next());
        Flux2KleinPipeline::of_networks(loaded.networks, self, texts, loaded.device)
    }
}
