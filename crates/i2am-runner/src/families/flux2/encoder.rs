//! The text encoder of a published folder.

use std::path::{Path, PathBuf};

use i2am_nets::layout::Checkpoint;
use i2am_nets::qwen3::{Qwen3, Qwen3Config};
use i2am_nets::{CheckpointSource, ExpectedSource, NetError, Precision, Role, Scope, TensorSource};
use tch::{Device, Tensor};

use super::{ChatTokenizer, PromptEmbeddings};
use crate::RunnerError;

const NETWORK: &str = "text_encoder";
const TOKENIZER: &str = "tokenizer";

/// The layers whose states stand side by side in an embedding.
const LAYERS: [usize; 3] = [9, 18, 27];

/// Tokens of a prompt, among them those that fill it up.
const TOKENS: usize = 512;

/// Qwen3 and its tokenizer, in the folders `text_encoder` and `tokenizer` of a checkpoint. Its weights are in memory only while it computes.
pub struct PromptEncoder {
    checkpoint: Checkpoint,
    config: Qwen3Config,
    tokenizer: ChatTokenizer,
}

impl PromptEncoder {
    /// Opens the folders in `root`, for a transformer that reads embeddings of `width`. No weights are read.
    ///
    /// # Errors
    /// [`RunnerError::Setting`] without the folders; files that cannot be read; a network that is not built here, or whose states have
    /// another width.
    pub fn open(root: &Path, variant: Option<&str>, width: i64) -> Result<Self, RunnerError> {
        if let Some(lacking) = [NETWORK, TOKENIZER]
            .iter()
            .find(|name| !root.join(name).is_dir())
        {
            return Err(RunnerError::Setting {
                key: "model.prompt",
                expected: format!(
                    "the folders {NETWORK} and {TOKENIZER} in `checkpoint`, or `prompt_embeddings` instead"
                ),
                found: format!("no folder {lacking} in {}", root.display()),
            });
        }
        let checkpoint = Checkpoint::open_network(&root.join(NETWORK), NETWORK, variant)?;
        let config = of(&checkpoint, width)?;
        let tokenizer = ChatTokenizer::open(&root.join(TOKENIZER))?;
        tokenizer.check(config.vocab_size)?;
        Ok(Self {
            checkpoint,
            config,
            tokenizer,
        })
    }

    /// What it is read from.
    pub fn files(&self) -> Vec<PathBuf> {
        let own = self.checkpoint.files().map(Path::to_owned);
        own.chain(self.tokenizer.files()).collect()
    }

    /// Looks at the tensors, and at as much of their values as tells damage.
    ///
    /// # Errors
    /// What [`Self::embed`] would fail with.
    pub fn check(&self) -> Result<(), RunnerError> {
        let expected = ExpectedSource::new();
        build(&self.config, &expected);
        let report = self.checkpoint.examine(&expected)?;
        report.require_sound(self.checkpoint.path())?;
        Ok(())
    }

    /// The embedding of every one of `prompts`, on `device` in `precision`.
    ///
    /// # Errors
    /// Tensors that are missing or wrong; text that has no tokens.
    pub fn embed(
        &self,
        prompts: &[&str],
        precision: Precision,
        device: Device,
    ) -> Result<Vec<PromptEmbeddings>, RunnerError> {
        let source = CheckpointSource::new(&self.checkpoint, precision, device);
        let network = build(&self.config, &source);
        source.finish()?;
        let embed = |prompt: &&str| {
            let (tokens, words) = self.tokenizer.encode(prompt, TOKENS)?;
            let is_word: Vec<bool> = (0..TOKENS).map(|token| token < words).collect();
            let is_word = Tensor::from_slice(&is_word).unsqueeze(0);
            let tokens = Tensor::from_slice(&tokens).unsqueeze(0);
            let states = network.forward(&tokens.to_device(device), &is_word.to_device(device));
            let runs = [(Role::Text, words), (Role::Padding, TOKENS - words)];
            let runs = runs.into_iter().filter(|(_, count)| *count > 0);
            Ok(PromptEmbeddings {
                tokens: states,
                runs: runs.map(|(role, count)| (role, count as i64)).collect(),
            })
        };
        prompts.iter().map(embed).collect()
    }
}

/// The sizes of the text encoder of `checkpoint`, whose embeddings are to be `width` wide.
fn of(checkpoint: &Checkpoint, width: i64) -> Result<Qwen3Config, NetError> {
    let config = Qwen3Config::of(checkpoint)?;
    let (file, config) = checkpoint
        .config(NETWORK)
        .zip(config)
        .expect("the folder of a network has its configuration");
    let last = LAYERS[LAYERS.len() - 1];
    // Other programs normalize what comes out of the last layer of all.
    if config.num_hidden_layers <= last {
        let found = config.num_hidden_layers;
        let reason = format!("`num_hidden_layers`: expected more than {last}, found {found}");
        return Err(file.refuse(reason));
    }
    let (found, states) = (config.hidden_size, LAYERS.len() as i64);
    if found * states == width {
        return Ok(config);
    }
    Err(file.refuse(format!(
        "`hidden_size`: {states} states make the text that the transformer reads, of width {width}; found {found}"
    )))
}

/// Builds the text encoder of `config` from `source`, as far as embeddings need it.
fn build(config: &Qwen3Config, source: &dyn TensorSource) -> Qwen3 {
    Qwen3::new(&Scope::root(source, NETWORK), config.clone(), &LAYERS)
}

/// Tells `source` what the text encoder of `checkpoint` needs, if there is one.
///
/// # Errors
/// A configuration that is not built here.
pub(super) fn expect(checkpoint: &Checkpoint, source: &dyn TensorSource) -> Result<(), NetError> {
    if let Some(config) = Qwen3Config::of(checkpoint)? {
        build(&config, source);
    }
    Ok(())
}
