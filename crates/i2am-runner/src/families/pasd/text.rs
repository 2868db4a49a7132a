//! CLIP's tokenizer, because PASD is the one family that reads texts. Tokens equal those of the transformers library.

use std::path::{Path, PathBuf};

use tch::Tensor;
use tokenizers::models::bpe::BPE;
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
        let file = |name: &str| {
            let path = folder.join(name);
            if !path.is_file() {
                return Err(refuse(format!("expected {name}, found none")));
            }
            path.to_str()
                .map(str::to_owned)
                .ok_or_else(|| refuse("expected a path of Unicode characters".to_owned()))
        };
        let [vocabulary, merges] = FILES.map(file);
        let (vocabulary, merges) = (vocabulary?, merges?);
        let bpe = BPE::from_file(&vocabulary, &merges)
            .unk_token(END.to_owned())
            .end_of_word_suffix("</w>".to_owned())
            .build()
            .map_err(|error| refuse(format!("vocab.json or merges.txt: {error}")))?;
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

    /// What it was read from.
    pub fn files(&self) -> [PathBuf; 2] {
        FILES.map(|name| self.path.join(name))
    }

    /// One more than the largest token number.
    pub fn tokens(&self) -> i64 {
        let largest = self.model.get_vocab(true).into_values().max();
        largest.map_or(0, |largest| i64::from(largest) + 1)
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
