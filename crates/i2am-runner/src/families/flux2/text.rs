//! Embeddings of a prompt that were made beforehand: the prompt is the same for all samples of a try-on set.

use std::path::Path;

use i2am_nets::Role;
use i2am_nets::layout::Checkpoint;
use tch::{Kind, Tensor};

use crate::RunnerError;

/// Embeddings `[tokens, width]`.
const EMBEDDINGS: &str = "prompt.embeddings";
/// Which tokens are words, `[tokens]`: 0 for the padding of the prompt.
const MASK: &str = "prompt.attention_mask";

/// More tokens than any published text encoder gives.
const MOST_TOKENS: i64 = 8192;

/// A prompt as the transformer reads it.
#[derive(Debug)]
pub struct PromptEmbeddings {
    /// `[1, tokens, width]`.
    pub tokens: Tensor,
    /// Runs of tokens that are words or fill the prompt up, in order, with their numbers.
    pub runs: Vec<(Role, i64)>,
}

impl PromptEmbeddings {
    /// Of tokens `[1, tokens, width]` that are all words.
    pub fn of_words(tokens: Tensor) -> Self {
        let runs = vec![(Role::Text, tokens.size()[1])];
        Self { tokens, runs }
    }

    /// Reads `embeddings` `[tokens, width]` and, if it is there, `attention_mask` `[tokens]` from a safetensors file.
    ///
    /// # Errors
    /// A file that cannot be read, or [`RunnerError::Setting`] for tensors of other shapes.
    pub fn open(path: &Path, width: i64) -> Result<Self, RunnerError> {
        let file = Self::check(path, width)?;
        let tokens = file.tensor(EMBEDDINGS)?.unsqueeze(0);
        if file.shape(MASK).is_none() {
            return Ok(Self::of_words(tokens));
        }
        let mask = file.tensor(MASK)?.to_kind(Kind::Float).ne(0.0);
        let mut runs: Vec<(Role, i64)> = Vec::new();
        for token in 0..mask.size()[0] {
            let role = if mask.int64_value(&[token]) == 0 {
                Role::Padding
            } else {
                Role::Text
            };
            match runs.last_mut() {
                Some((last, count)) if *last == role => *count += 1,
                _ => runs.push((role, 1)),
            }
        }
        Ok(Self { tokens, runs })
    }

    /// Opens the file and looks at shapes only.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn check(path: &Path, width: i64) -> Result<Checkpoint, RunnerError> {
        let file = Checkpoint::open_single(path, "prompt", |name| Some(name.to_owned()))?;
        let expected =
            format!("a tensor `embeddings` [1 to {MOST_TOKENS}, {width}] as the transformer reads");
        let tokens = match file.shape(EMBEDDINGS).as_deref() {
            Some(&[tokens, found]) if found == width && (1..=MOST_TOKENS).contains(&tokens) => {
                tokens
            }
            Some(found) => return Err(refuse(path, &expected, &format!("{found:?}"))),
            None => return Err(refuse(path, &expected, "none")),
        };
        match file.shape(MASK) {
            Some(found) if found != [tokens] => {
                let expected = format!("a tensor `attention_mask` [{tokens}]");
                Err(refuse(path, &expected, &format!("{found:?}")))
            }
            _ => Ok(file),
        }
    }
}

fn refuse(path: &Path, expected: &str, found: &str) -> RunnerError {
    RunnerError::Setting {
        key: "model.prompt_embeddings",
        expected: format!("{expected} in {}", path.display()),
        found: found.to_owned(),
    }
}
