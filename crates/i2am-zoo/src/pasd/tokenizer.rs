//! A small tokenizer of CLIP's kind: all bytes, each also as a word's end, and a few joins.

use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::diffusers;

/// Marks of a text's start and end. Padding is the end's.
const MARKS: [&str; 2] = ["<|startoftext|>", "<|endoftext|>"];
/// Ends a word.
const END: &str = "</w>";
/// What is joined, in order: `MERGES` are frequent pairs of English.
const MERGES: [(&str, &str); 12] = [
    ("t", "h"),
    ("i", "n"),
    ("a", "n"),
    ("r", "e"),
    ("e", "r</w>"),
    ("o", "n</w>"),
    ("th", "e</w>"),
    ("in", "g</w>"),
    ("an", "d</w>"),
    ("e", "s</w>"),
    ("l", "e"),
    ("o", "r"),
];

/// A character for each byte, in the order of CLIP's vocabulary: printable ones stand for themselves and come first, the others are
/// moved behind Latin-1.
fn bytes() -> Vec<char> {
    let is_printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let printable = (0..=u8::MAX).filter(is_printable).map(char::from);
    let moved = (0..=u8::MAX).filter(|byte| !is_printable(byte));
    let moved = moved.zip('\u{100}'..).map(|(_, character)| character);
    printable.chain(moved).collect()
}

/// Every token, in the order of their numbers.
pub(super) fn vocabulary() -> Vec<String> {
    let bytes = bytes();
    let alone = bytes.iter().map(char::to_string);
    let last = bytes.iter().map(|byte| format!("{byte}{END}"));
    let joined = MERGES.iter().map(|(left, right)| format!("{left}{right}"));
    let marks = MARKS.iter().map(|&mark| mark.to_owned());
    alone.chain(last).chain(joined).chain(marks).collect()
}

/// Writes the tokenizer's files as the transformers library reads them.
pub(super) fn write(folder: &Path) -> Result<()> {
    let numbers = vocabulary().into_iter().zip(0_u64..);
    let numbers: Map<String, Value> = numbers.map(|(token, n)| (token, n.into())).collect();
    diffusers::write(&folder.join("vocab.json"), &Value::Object(numbers))?;
    let merges = MERGES.iter().map(|(left, right)| format!("{left} {right}"));
    let first = std::iter::once("#version: 0.2".to_owned());
    let merges = first.chain(merges).collect::<Vec<_>>().join("\n") + "\n";
    i2am_files::write_atomic(folder.join("merges.txt"), merges.as_bytes())?;
    let [start, end] = MARKS;
    let marks = json!({
        "bos_token": start,
        "eos_token": end,
        "pad_token": end,
        "unk_token": end,
    });
    diffusers::write(&folder.join("special_tokens_map.json"), &marks)?;
    let class = json!({
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "do_lower_case": true,
        "add_prefix_space": false,
        "errors": "replace",
    });
    let config = diffusers::with(marks, class);
    diffusers::write(&folder.join("tokenizer_config.json"), &config)
}
