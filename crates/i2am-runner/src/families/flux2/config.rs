//! The `[[model]]` table of this family, with the values of the distilled model as defaults.

use std::path::PathBuf;

use i2am_nets::Precision;
use serde::{Deserialize, Serialize};

use crate::samplers::FlowConfig;

/// A `[[model]]` table of this family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flux2KleinConfig {
    /// Name in rows and folders.
    pub name: String,
    /// `flux2-klein`.
    pub family: String,
    /// A diffusers folder of which `transformer`, `vae` and, for `prompt`, `text_encoder` and `tokenizer` are read; or the single file of a
    /// transformer.
    pub checkpoint: PathBuf,
    /// The folder of the autoencoder, if it lies elsewhere.
    #[serde(default)]
    pub vae: Option<PathBuf>,
    /// Which variant of the weights is taken where a network has several, such as `fp16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What is asked of the model, for the text encoder in the folder of `checkpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Embeddings of a prompt instead, a safetensors file as `scripts/prompt-embeddings.py` writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_embeddings: Option<PathBuf>,
    /// Those of the empty prompt, for guidance next to `prompt_embeddings`.
    #[serde(default)]
    pub negative_embeddings: Option<PathBuf>,
    /// Precision to compute in; files of any precision are converted.
    #[serde(default)]
    pub precision: Precision,
    /// How to sample.
    #[serde(default = "distilled_sampler")]
    pub sampler: FlowConfig,
    /// Guidance scale; 1 runs the pass with the prompt only.
    #[serde(default = "no_guidance")]
    pub guidance: f64,
    /// Plain editing, or inpainting.
    #[serde(default)]
    pub task: Task,
    /// The images that the model is shown, in their order.
    #[serde(default = "source_and_reference")]
    pub images: Vec<Shown>,
    /// What the model is shown of the image that is edited.
    #[serde(default)]
    pub source: SourceView,
    /// How much of the way from noise inpainting goes; below 1 it starts from the noised source.
    #[serde(default = "whole_way")]
    pub strength: f64,
    /// Pixels of a reference at most; larger ones are made smaller.
    #[serde(default = "published_area")]
    pub reference_area: i64,
    /// Height and width of the generated picture.
    #[serde(default = "size")]
    pub size: [i64; 2],
}

/// What is asked of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// The whole image is generated.
    #[default]
    Edit,
    /// After every step what is outside of the masked region is that of the source, as noisy as the step leaves it.
    Inpaint,
}

/// An image that the model is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// The image that is edited.
    Source,
    /// The reference image.
    Reference,
    /// The reference's garment in the shape that it has on the person, of data sets that have it.
    Warped,
}

/// What the model is shown of the image that is edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceView {
    /// It is gray in the masked region.
    #[default]
    Masked,
    /// The data set's own image without the masked region.
    Agnostic,
    /// All of it, as in the published pipelines. Where the ground truth is this image, the model can copy the answer.
    Whole,
}

fn distilled_sampler() -> FlowConfig {
    FlowConfig {
        steps: 4,
        shift: None,
    }
}

fn no_guidance() -> f64 {
    1.0
}

fn source_and_reference() -> Vec<Shown> {
    vec![Shown::Source, Shown::Reference]
}

fn whole_way() -> f64 {
    1.0
}

fn published_area() -> i64 {
    1024 * 1024
}

fn size() -> [i64; 2] {
    [512, 384]
}

impl Flux2KleinConfig {
    /// Pixels of a token along each axis.
    pub(super) const PIXELS_PER_TOKEN: i64 = 16;

    /// The configuration with every default, for `checkpoint` and a file of embeddings.
    pub fn new(name: &str, checkpoint: PathBuf, prompt_embeddings: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            family: super::INFO.name.to_owned(),
            checkpoint,
            vae: None,
            variant: None,
            prompt: None,
            prompt_embeddings: Some(prompt_embeddings),
            negative_embeddings: None,
            precision: Precision::default(),
            sampler: distilled_sampler(),
            guidance: no_guidance(),
            task: Task::default(),
            images: source_and_reference(),
            source: SourceView::default(),
            strength: whole_way(),
            reference_area: published_area(),
            size: size(),
        }
    }
}
