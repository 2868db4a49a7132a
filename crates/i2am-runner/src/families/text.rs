//! What families share that read texts: CLIP's tokenizer, whose tokens equal those of the transformers library, and the sizes of the text
//! encoder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use i2am_nets::NetError;
use i2am_nets::layout::Checkpoint;
use i2am_nets::text_encoder::TextEncoderConfig;
use tch::Tensor;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as Split;
use tokenizers::pre_tokenizers::split::{Split as Words, SplitPattern};
use tokenizers::{
    AddedToken, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, TokenizerImpl,
};

use crate::RunnerError;

/// Vocabulary and merges.
const FILES: [&str; 2] = ["vocab.json", "merges.txt"];
const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
/// CLIP's words: contractions, runs of letters, single digits, runs of anything else.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

type Model = TokenizerImpl<
    BPE,
    NormalizerWrapper,
    PreTokenizerWrapper,
    tokenizers::PostProcessorWrapper,
    tokenizers::DecoderWrapper,
>;

/// The sizes of the text encoder of `checkpoint`.
///
/// # Errors
/// A configuration that is not built here; [`NetError::Layout`] without a text encoder.
pub(super) fn encoder_sizes(checkpoint: &Checkpoint) -> Result<TextEncoderConfig, NetError> {
    TextEncoderConfig::of(checkpoint)?.ok_or_else(|| NetError::Layout {
        path: checkpoint.path().to_owned(),
        reason: "expected the folder text_encoder, found none".to_owned(),
    })
}

/// What the text encoder gives the UNet: in words, and its width.
pub(super) fn tokens_of(encoder: &TextEncoderConfig) -> (&'static str, i64) {
    ("`hidden_size` of the text encoder", encoder.hidden_size)
}

/// CLIP's tokenizer: text to token numbers, as the transformers library's `CLIPTokenizerFast` has them. Its slow one differs for text
/// that the `ftfy` package would mend, such as curly quotes.
pub struct Tokenizer {
    path: PathBuf,
    model: Model,
    start: i64,
    end: i64,
}

impl Tokenizer {
    /// Reads `vocab.json` and `merges.txt` of `folder`.
    ///
    /// # Errors
    /// [`RunnerError::Tokenizer`] for a file that cannot be read or a vocabulary without the two marks.
    pub fn open(folder: &Path) -> Result<Self, RunnerError> {
        let refuse = |reason: String| RunnerError::Tokenizer {
            path: folder.to_owned(),
            reason,
        };
        let bpe = read(folder).map_err(refuse)?;
        let bad = |error: tokenizers::Error| refuse(error.to_string());
        let spaces = Replace::new(
            tokenizers::normalizers::replace::ReplacePattern::Regex(r"\s+".to_owned()),
            " ",
        )
        .map_err(bad)?;
        let words = Words::new(
            SplitPattern::Regex(WORDS.to_owned()),
            SplitDelimiterBehavior::Removed,
            true,
        )
        .map_err(bad)?;
        let mut model = Model::new(bpe);
        let normal: [NormalizerWrapper; 3] = [NFC.into(), spaces.into(), Lowercase.into()];
        model.with_normalizer(Some(Sequence::new(normal.to_vec())));
        let bytes = ByteLevel::new(false, true, true).use_regex(false);
        let split: [PreTokenizerWrapper; 2] = [words.into(), bytes.into()];
        model.with_pre_tokenizer(Some(Split::new(split.to_vec())));
        let mark = |token: &str| {
            let number = model.token_to_id(token).map(i64::from);
            number.ok_or_else(|| refuse(format!("vocab.json: expected `{token}`, found none")))
        };
        let (start, end) = (mark(START)?, mark(END)?);
        model.add_special_tokens(&[AddedToken::from(START, true), AddedToken::from(END, true)]);
        Ok(Self {
            path: folder.to_owned(),
            model,
            start,
            end,
        })
    }

    /// The tokenizer in the folder `checkpoint`, for `encoder`.
    ///
    /// # Errors
    /// As [`Tokenizer::open`], and for one that knows more tokens than the encoder.
    pub(super) fn of(checkpoint: &Path, encoder: &TextEncoderConfig) -> Result<Self, RunnerError> {
        let folder = checkpoint.join("tokenizer");
        let tokenizer = Self::open(&folder)?;
        let vocabulary = tokenizer.model.get_vocab(true);
        check_vocabulary(&tokenizer.files()[0], vocabulary, encoder.vocab_size)?;
        Ok(tokenizer)
    }

    /// What it was read from.
    pub fn files(&self) -> [PathBuf; 2] {
        FILES.map(|name| self.path.join(name))
    }

    /// `length` token numbers: start, text, end, and ends up to `length`. A longer text is cut.
    ///
    /// # Errors
    /// [`RunnerError::Tokenizer`] for text that has no tokens in the vocabulary.
    pub fn encode(&self, text: &str, length: usize) -> Result<Vec<i64>, RunnerError> {
        let encoding = self.model.encode(text, false);
        let encoding = encoding.map_err(|error| RunnerError::Tokenizer {
            path: self.path.clone(),
            reason: format!("text `{text}`: {error}"),
        })?;
        let own = encoding.get_ids().iter().map(|&id| i64::from(id));
        let mut tokens = vec![self.start];
        tokens.extend(own.take(length.saturating_sub(2)));
        tokens.resize(length, self.end);
        Ok(tokens)
    }

    /// `texts` as one batch `[texts, length]`.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn batch(&self, texts: &[impl AsRef<str>], length: usize) -> Result<Tensor, RunnerError> {
        let rows = texts.iter().map(|text| {
            let tokens = self.encode(text.as_ref(), length)?;
            Ok(Tensor::from_slice(&tokens))
        });
        Ok(Tensor::stack(
            &rows.collect::<Result<Vec<_>, RunnerError>>()?,
            0,
        ))
    }
}

/// Whether a text encoder that knows the tokens below `known` knows all of `vocabulary`, which was read from `path`.
///
/// # Errors
/// [`RunnerError::Tokenizer`] if not.
pub(super) fn check_vocabulary(
    path: &Path,
    vocabulary: impl IntoIterator<Item = (String, u32)>,
    known: i64,
) -> Result<(), RunnerError> {
    let largest = vocabulary
        .into_iter()
        .map(|(_, number)| i64::from(number))
        .max();
    let found = largest.map_or(0, |largest| largest + 1);
    if found <= known {
        return Ok(());
    }
    Err(RunnerError::Tokenizer {
        path: path.to_owned(),
        reason: format!("expected at most the {known} tokens of the text encoder, found {found}"),
    })
}

/// The vocabulary and the merges of `folder`.
///
/// # Errors
/// What was expected of which file, and what was found.
fn read(folder: &Path) -> Result<BPE, String> {
    let file = |name: &str| {
        let path = folder.join(name);
        if !path.is_file() {
            return Err(format!("expected {name}, found none"));
        }
        i2am_files::read_text(path).map_err(|error| format!("{name}: {}", error.cause))
    };
    let [vocabulary, merges] = FILES.map(file);
    let (vocabulary, merges) = (vocabulary?, merges?);
    let vocabulary: BTreeMap<String, u32> = serde_json::from_str(&vocabulary)
        .map_err(|error| format!("vocab.json: expected tokens with their numbers: {error}"))?;
    let merge = |(number, line): (usize, &str)| {
        let parts = line.split_once(' ').filter(|(_, b)| !b.contains(' '));
        let expected = || {
            let number = number + 1;
            format!("merges.txt: line {number}: expected two tokens, found `{line}`")
        };
        let (first, second) = parts.ok_or_else(expected)?;
        Ok((first.to_owned(), second.to_owned()))
    };
    let lines = merges.lines().enumerate();
    let merges = lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"))
        .map(merge)
        .collect::<Result<Merges, String>>()?;
    BPE::builder()
        .vocab_and_merges(vocabulary.into_iter().collect::<Vocab>(), merges)
        .unk_token(END.to_owned())
        .end_of_word_suffix("</w>".to_owned())
        .build()
        .map_err(|error| format!("merges.txt does not fit vocab.json: {error}"))
}
