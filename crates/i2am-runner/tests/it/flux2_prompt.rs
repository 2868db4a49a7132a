//! A prompt for FLUX.2 klein: its tokens and embeddings against the transformers and diffusers libraries on a small Qwen3, and a model that
//! reads it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use i2am_nets::layout::Checkpoint;
use i2am_nets::{Precision, Role, formula_weights};
use i2am_runner::RunnerError;
use i2am_runner::families::{
    ChatTokenizer, Flux2KleinConfig, Model as _, Pipeline as _, PromptEmbeddings, PromptEncoder,
    Request, family,
};
use i2am_testkit::{FixtureDir, assert_close, fixtures, workspace_root};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use tch::{Device, Tensor};
use tempfile::TempDir;

use crate::common::{shape, values};
use crate::flux2::{klein, load, model, noise, sample, write_embeddings};
use crate::tiny::write;

/// Of the largest magnitude: sums and angles are in 32 bits.
const TOLERANCE: f64 = 1e-5;
/// Tokens of a prompt, and the step between those whose states the fixture has.
const TOKENS: usize = 512;
const EVERY: usize = 37;
/// Three states of the small text encoder.
const WIDTH: i64 = 48;
const PROMPT: &str = "The person wears the garment of image 2.";

fn qwen3() -> Vec<FixtureDir> {
    let committed = workspace_root().join("crates/i2am-nets/tests/fixtures");
    fixtures(&committed, "qwen3")
}

#[test]
fn parity_tokens_of_a_prompt() {
    for fixture in qwen3() {
        let tokenizer = ChatTokenizer::open(&fixture.path().join("tokenizer")).unwrap();
        for (name, expected) in fixture.json("expected")["prompts"].as_object().unwrap() {
            let prompt = expected["prompt"].as_str().unwrap();
            assert_eq!(ChatTokenizer::chat(prompt), expected["chat"], "{name}");
            let (tokens, words) = tokenizer.encode(prompt, TOKENS).unwrap();
            let own: Vec<i64> = serde_json::from_value(expected["tokens"].clone()).unwrap();
            assert_eq!(tokens[..words], own, "{name}");
            let padding = expected["padding"].as_i64().unwrap();
            assert_eq!(tokens[words..], vec![padding; TOKENS - words], "{name}");
        }
    }
}

#[test]
fn parity_embeddings_of_a_prompt() {
    for fixture in qwen3() {
        let encoder = PromptEncoder::open(fixture.path(), None, WIDTH).unwrap();
        encoder.check().unwrap();
        let expected = fixture.json("expected");
        let states = fixture.tensors("states");
        let of = |name: &String| expected["prompts"][name]["prompt"].as_str().unwrap();
        let names = expected["prompts"].as_object().unwrap().keys();
        let prompts: Vec<&str> = names.clone().map(of).collect();
        let embedded = encoder
            .embed(&prompts, Precision::F32, Device::Cpu)
            .unwrap();
        for (name, found) in names.zip(embedded) {
            assert_eq!(found.tokens.size(), [1, TOKENS as i64, WIDTH]);
            let words = expected["prompts"][name]["tokens"].as_array().unwrap();
            let words = words.len() as i64;
            let padding = (Role::Padding, TOKENS as i64 - words);
            let mut runs = vec![(Role::Text, words), padding];
            runs.retain(|(_, count)| *count > 0);
            assert_eq!(found.runs, runs, "{name}");
            let rows = Tensor::arange_start_step(
                0,
                TOKENS as i64,
                EVERY as i64,
                (tch::Kind::Int64, Device::Cpu),
            );
            let kept = found.tokens.get(0).index_select(0, &rows);
            let name = format!("{name}.long");
            assert_eq!(kept.size(), shape(&states, &name));
            assert_close(&name, &values(&kept), &states.f32(&name), TOLERANCE);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The fixture's klein with a transformer that reads what the small text encoder writes, and settings with a prompt.
fn with_encoder() -> (Flux2KleinConfig, TempDir) {
    let (config, files) = model(&klein()[0]);
    for part in ["text_encoder", "tokenizer"] {
        copy(&qwen3()[0].path().join(part), &config.checkpoint.join(part));
    }
    let folder = config.checkpoint.join("transformer");
    let path = folder.join("config.json");
    let mut sizes: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    sizes["joint_attention_dim"] = WIDTH.into();
    write(&path, sizes.to_string().as_bytes());
    let path = folder.join("diffusion_pytorch_model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let name = "context_embedder.weight";
    let rows = stored.tensor(name).unwrap().shape()[0];
    let wider = formula_weights(name, &[rows as i64, WIDTH]);
    let wider: Vec<u8> = wider.iter().flat_map(|value| value.to_le_bytes()).collect();
    let wider = TensorView::new(Dtype::F32, vec![rows, WIDTH as usize], &wider).unwrap();
    let views = stored.tensors().into_iter().map(|(other, view)| {
        let view = if other == name { wider.clone() } else { view };
        (other, view)
    });
    safetensors::serialize_to_file(views, None::<HashMap<_, _>>, &path).unwrap();
    let config = Flux2KleinConfig {
        prompt: Some(PROMPT.to_owned()),
        prompt_embeddings: None,
        negative_embeddings: None,
        ..config
    };
    (config, files)
}

/// The latent of the fixture's sample.
fn latent(config: &Flux2KleinConfig) -> Tensor {
    let request = Request {
        noise: &noise(&klein()[0]),
        capture: None,
        on_step: &mut |_| {},
    };
    let done = load(config).generate(&sample(&klein()[0]), request);
    done.unwrap().latent
}

/// A file of `embedded`, as `scripts/prompt-embeddings.py` writes it.
fn stored(embedded: &PromptEmbeddings, path: PathBuf) -> PathBuf {
    let words = embedded.runs[0].1 as usize;
    let words: Vec<u8> = (0..TOKENS).map(|token| u8::from(token < words)).collect();
    let size = [TOKENS, WIDTH as usize];
    write_embeddings(&path, &values(&embedded.tokens), size, Some(&words));
    path
}

/// A run with a prompt is the run with its embeddings, and under guidance with those of the empty prompt.
#[test]
fn a_prompt_is_worth_its_embeddings() {
    let (plain, files) = with_encoder();
    let encoder = PromptEncoder::open(&plain.checkpoint, None, WIDTH).unwrap();
    let embedded = encoder.embed(&[PROMPT, ""], Precision::F32, Device::Cpu);
    let [prompt, empty] = <[_; 2]>::try_from(embedded.unwrap()).unwrap();
    let place = |name: &str| files.path().join(name);
    let prompt = stored(&prompt, place("own.safetensors"));
    let empty = stored(&empty, place("empty.safetensors"));
    for guidance in [1.0, 4.0] {
        let by_prompt = Flux2KleinConfig {
            guidance,
            ..plain.clone()
        };
        by_prompt.check(None).unwrap();
        let by_files = Flux2KleinConfig {
            prompt: None,
            prompt_embeddings: Some(prompt.clone()),
            negative_embeddings: Some(empty.clone()),
            ..by_prompt.clone()
        };
        let own = latent(&by_prompt);
        assert!(own.equal(&latent(&by_files)), "{guidance}");
        let other = Flux2KleinConfig {
            prompt: Some("Replace the shirt.".to_owned()),
            ..by_prompt.clone()
        };
        assert!(!own.equal(&latent(&other)), "{guidance}");
        assert_ne!(by_prompt.settings(), other.settings());
    }
}

/// What a run reads is named before, and looked at.
#[test]
fn the_text_encoder_is_checked_before_a_run() {
    let (config, _files) = with_encoder();
    let facts = config.check(None).unwrap();
    let names: Vec<String> = facts
        .files
        .iter()
        .map(|file| file.strip_prefix(&config.checkpoint).unwrap())
        .map(|file| file.display().to_string())
        .collect();
    for name in [
        "text_encoder/model-00001-of-00003.safetensors",
        "text_encoder/model-00003-of-00003.safetensors",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
    ] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }

    let refused = |change: &dyn Fn(&Path), expected: &str| {
        let (config, _files) = with_encoder();
        change(&config.checkpoint);
        let message = config.check(None).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        let message = config.load(Device::Cpu).map(drop).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    let replaced = |file: &'static str, from: &'static str, to: &'static str| {
        move |root: &Path| {
            let path = root.join(file);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{file}: {from}");
            write(&path, text.replace(from, to).as_bytes());
        }
    };
    for (folder, expected) in [
        (
            "text_encoder",
            "model.prompt: expected the folders text_encoder and tokenizer in `checkpoint`, or `prompt_embeddings` instead, found no folder text_encoder in ",
        ),
        ("tokenizer", "found no folder tokenizer in "),
    ] {
        refused(
            &|root| fs::remove_dir_all(root.join(folder)).unwrap(),
            expected,
        );
    }
    let sizes = "text_encoder/config.json";
    refused(
        &replaced(
            sizes,
            "\"num_hidden_layers\": 28",
            "\"num_hidden_layers\": 27",
        ),
        "`num_hidden_layers`: expected more than 27, found 27",
    );
    refused(
        &replaced(sizes, "\"hidden_size\": 16", "\"hidden_size\": 32"),
        "`hidden_size`: 3 states make the text that the transformer reads, of width 48; found 32",
    );
    refused(
        &replaced(
            sizes,
            "\"intermediate_size\": 20",
            "\"intermediate_size\": 21",
        ),
        "(and 80 more)",
    );
    refused(
        &replaced(sizes, "\"vocab_size\": 400", "\"vocab_size\": 300"),
        "tokenizer.json: expected at most the 300 tokens of the text encoder, found 361",
    );
    let tokenizer = "tokenizer/tokenizer.json";
    refused(
        &replaced(tokenizer, "</think>", "</thought>"),
        "tokenizer.json: expected `</think>`, found none",
    );
    let settings = "tokenizer/tokenizer_config.json";
    refused(
        &replaced(
            settings,
            "\"pad_token\": \"<|endoftext|>\"",
            "\"pad_token\": \"<|im_end|>\"",
        ),
        "`pad_token`: expected \"<|endoftext|>\" or null, found \"<|im_end|>\"",
    );
    refused(
        &replaced(
            settings,
            "\"backend\"",
            "\"padding_side\": \"left\", \"backend\"",
        ),
        "`padding_side`: expected \"right\" or null, found \"left\"",
    );
}

/// `bench inspect` of a folder looks at its text encoder too, and knows what of it nothing reads.
#[test]
fn an_inspected_folder_has_a_text_encoder() {
    let (config, _files) = with_encoder();
    let checkpoint = Checkpoint::open(&config.checkpoint).unwrap();
    let report = family("flux2-klein").unwrap().inspect(&checkpoint).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.unused, Vec::<String>::new());
    // Of the text encoder the last layer and the normalization behind it are left; of the autoencoder a counter of batches.
    let left = [
        "text_encoder.model.layers.27.",
        "text_encoder.model.norm.",
        "vae.bn.num_batches",
    ];
    let is_left = |name: &&str| left.iter().any(|place| name.starts_with(place));
    let left = checkpoint.names().filter(is_left).count();
    assert_eq!(report.loaded + left, checkpoint.names().count());
}

/// A prompt is given once, as text or as embeddings.
#[test]
fn a_prompt_is_given_once() {
    let (config, _files) = with_encoder();
    let refused = |change: &dyn Fn(&mut Flux2KleinConfig), expected: &str| {
        let mut config = config.clone();
        change(&mut config);
        let refused: RunnerError = config.check(None).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    };
    refused(
        &|config| config.prompt = None,
        "model.prompt: expected either this or `prompt_embeddings`, found neither",
    );
    refused(
        &|config| config.prompt_embeddings = Some("own.safetensors".into()),
        "model.prompt: expected either this or `prompt_embeddings`, found both",
    );
    refused(
        &|config| config.negative_embeddings = Some("empty.safetensors".into()),
        "model.negative_embeddings: expected nothing next to `prompt`, since the text encoder reads the empty prompt too, found a file",
    );
}
