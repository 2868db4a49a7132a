//! Qwen's tokenizer, and the chat in which the text encoder reads a prompt.

use std::path::{Path, PathBuf};

use i2am_nets::layout::ConfigFile;
use tokenizers::Tokenizer;

use crate::RunnerError;
use crate::families::text::check_vocabulary;

const START: &str = "<|im_start|>";
const END: &str = "<|im_end|>";
const PADDING: &str = "<|endoftext|>";
const THINKING: [&str; 2] = ["<think>", "</think>"];

/// Tokenizer and its settings.
const FILES: [&str; 2] = ["tokenizer.json", "tokenizer_config.json"];

/// A prompt to token numbers, as the transformers library's `Qwen2Tokenizer` and the chat template of Qwen3 have them.
pub struct ChatTokenizer {
    path: PathBuf,
    model: Tokenizer,
    padding: i64,
}

impl ChatTokenizer {
    /// Reads `tokenizer.json` and `tokenizer_config.json` of `folder`.
    ///
    /// # Errors
    /// [`RunnerError::Tokenizer`] for a file that cannot be read or a vocabulary without the marks of a chat; a configuration that says that
    /// texts are filled up in another way.
    pub fn open(folder: &Path) -> Result<Self, RunnerError> {
        let refuse = |reason: String| RunnerError::Tokenizer {
            path: folder.to_owned(),
            reason,
        };
        let [tokenizer, settings] = FILES.map(|name| folder.join(name));
        let text = i2am_files::read_text(&tokenizer)
            .map_err(|error| refuse(format!("{}: {}", FILES[0], error.cause)))?;
        let bad = |error: tokenizers::Error| refuse(format!("{}: {error}", FILES[0]));
        let mut model: Tokenizer = text.parse().map_err(bad)?;
        // Texts are cut and filled up here.
        model.with_padding(None);
        model.with_truncation(None).map_err(bad)?;
        let mark = |token: &str| {
            let number = model.token_to_id(token).map(i64::from);
            number.ok_or_else(|| refuse(format!("{}: expected `{token}`, found none", FILES[0])))
        };
        for token in [START, END].into_iter().chain(THINKING) {
            mark(token)?;
        }
        let padding = mark(PADDING)?;
        let settings = ConfigFile::open(&settings)?;
        settings.reject_other("pad_token", &[PADDING.into()])?;
        settings.reject_other("padding_side", &["right".into()])?;
        settings.reject_other("truncation_side", &["right".into()])?;
        Ok(Self {
            path: folder.to_owned(),
            model,
            padding,
        })
    }

    /// What it was read from.
    pub fn files(&self) -> [PathBuf; 2] {
        FILES.map(|name| self.path.join(name))
    }

    /// # Errors
    /// [`RunnerError::Tokenizer`] if there are more tokens than the `known` ones of a text encoder.
    pub(super) fn check(&self, known: i64) -> Result<(), RunnerError> {
        check_vocabulary(&self.files()[0], self.model.get_vocab(true), known)
    }

    /// The chat that stands for `prompt`: one message of a user, and the beginning of an answer that is given without thinking.
    pub fn chat(prompt: &str) -> String {
        let [think, thought] = THINKING;
        format!("{START}user\n{prompt}{END}\n{START}assistant\n{think}\n\n{thought}\n\n")
    }

    /// `length` token numbers of the chat about `prompt`, and how many of them are words; the others fill it up. A longer chat is cut.
    ///
    /// # Errors
    /// [`RunnerError::Tokenizer`] for text that has no tokens in the vocabulary.
    pub fn encode(&self, prompt: &str, length: usize) -> Result<(Vec<i64>, usize), RunnerError> {
        let encoding = self.model.encode(Self::chat(prompt), true);
        let encoding = encoding.map_err(|error| RunnerError::Tokenizer {
            path: self.path.clone(),
            reason: format!("text `{prompt}`: {error}"),
        })?;
        let own = encoding.get_ids().iter().map(|&id| i64::from(id));
        let mut tokens: Vec<i64> = own.take(length).collect();
        let words = tokens.len();
        tokens.resize(length, self.padding);
        Ok((tokens, words))
    }
}
