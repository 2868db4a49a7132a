//! Where a model of this family has the embeddings of its prompt from: the text encoder of its checkpoint, or files.

use std::path::{Path, PathBuf};

use tch::Device;

use super::{Flux2KleinConfig, PromptEmbeddings, PromptEncoder, setting};
use crate::RunnerError;
use crate::families::common::is_guided;

/// The prompt, and under guidance the empty one behind it.
pub(super) enum Texts<'a> {
    /// To be read by the text encoder.
    Prompts(Vec<&'a str>),
    /// Files of embeddings.
    Files(Vec<&'a Path>),
}

impl Flux2KleinConfig {
    /// What is given.
    ///
    /// # Errors
    /// [`RunnerError::Setting`] unless it is given once.
    pub(super) fn texts(&self) -> Result<Texts<'_>, RunnerError> {
        let once = |found: &str| {
            let expected = "either this or `prompt_embeddings`";
            Err(setting("model.prompt", expected, &found))
        };
        let is_guided = is_guided(self.guidance);
        let negative = self.negative_embeddings.as_deref();
        match (&self.prompt, &self.prompt_embeddings) {
            (None, None) => once("neither"),
            (Some(_), Some(_)) => once("both"),
            (Some(_), None) if negative.is_some() => {
                let expected =
                    "nothing next to `prompt`, since the text encoder reads the empty prompt too";
                Err(setting("model.negative_embeddings", expected, &"a file"))
            }
            (Some(prompt), None) => {
                let empty = is_guided.then_some("");
                let prompts = [prompt.as_str()].into_iter().chain(empty);
                Ok(Texts::Prompts(prompts.collect()))
            }
            (None, Some(_)) if is_guided && negative.is_none() => {
                let expected = "a file of embeddings of the empty prompt, which guidance needs";
                Err(setting("model.negative_embeddings", expected, &"nothing"))
            }
            (None, Some(file)) => {
                let negative = negative.filter(|_| is_guided);
                let files = [file.as_path()].into_iter().chain(negative);
                Ok(Texts::Files(files.collect()))
            }
        }
    }

    fn encoder(&self, width: i64) -> Result<PromptEncoder, RunnerError> {
        PromptEncoder::open(&self.checkpoint, self.variant.as_deref(), width)
    }

    /// The files that embeddings of `width` come from, of which little is read.
    ///
    /// # Errors
    /// What [`Self::embed`] would fail with.
    pub(super) fn text_files(&self, width: i64) -> Result<Vec<PathBuf>, RunnerError> {
        match self.texts()? {
            Texts::Prompts(_) => {
                let encoder = self.encoder(width)?;
                encoder.check()?;
                Ok(encoder.files())
            }
            Texts::Files(files) => {
                for file in &files {
                    PromptEmbeddings::check(file, width)?;
                }
                Ok(files.into_iter().map(Path::to_owned).collect())
            }
        }
    }

    /// Embeddings of `width`, of the prompt and, under guidance, of the empty one.
    ///
    /// # Errors
    /// Files that cannot be read or used.
    pub(super) fn embed(
        &self,
        width: i64,
        device: Device,
    ) -> Result<Vec<PromptEmbeddings>, RunnerError> {
        match self.texts()? {
            Texts::Prompts(prompts) => {
                let encoder = self.encoder(width)?;
                encoder.embed(&prompts, self.precision, device)
            }
            Texts::Files(files) => {
                let files = files.into_iter();
                files
                    .map(|file| PromptEmbeddings::open(file, width))
                    .collect()
            }
        }
    }
}
