//! The text encoder of FLUX.2 klein against the transformers and diffusers libraries on a small Qwen3, and at its published sizes.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use i2am_nets::layout::Checkpoint;
use i2am_nets::qwen3::{Qwen3, Qwen3Config};
use i2am_nets::{CheckpointSource, ExpectedSource, LoadReport, Precision, Scope};
use i2am_testkit::{FixtureDir, assert_close, fixtures};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::flux2::values;

/// Of the largest magnitude: sums and angles are in 32 bits.
const TOLERANCE: f64 = 1e-5;

/// What FLUX.2 klein reads.
const TAKEN: [usize; 3] = [9, 18, 27];
/// Tensors of the embedding and of the layers up to the last one that is taken.
const READ: usize = 1 + 27 * 11;

fn qwen3() -> Vec<FixtureDir> {
    fixtures(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"),
        "qwen3",
    )
}

/// The network in `folder`, and how its tensors were met.
fn open(folder: &Path, taken: &[usize]) -> (Qwen3, LoadReport) {
    open_in(folder, taken, Precision::F32)
}

fn open_in(folder: &Path, taken: &[usize], precision: Precision) -> (Qwen3, LoadReport) {
    let checkpoint = Checkpoint::open_network(folder, "text_encoder", None).unwrap();
    let source = CheckpointSource::new(&checkpoint, precision, Device::Cpu);
    let config = Qwen3Config::of(&checkpoint).unwrap().unwrap();
    let network = Qwen3::new(&Scope::root(&source, "text_encoder"), config, taken);
    (network, source.finish().unwrap())
}

/// Token numbers of a prompt of the fixture, cut or filled up to `length`, and which of them are words.
fn tokens(prompt: &Value, length: usize) -> (Tensor, Tensor) {
    let numbers: Vec<i64> = serde_json::from_value(prompt["tokens"].clone()).unwrap();
    let padding = prompt["padding"].as_i64().unwrap();
    let token = |at: usize| numbers.get(at).copied().unwrap_or(padding);
    let filled: Vec<i64> = (0..length).map(token).collect();
    let words: Vec<bool> = (0..length).map(|at| at < numbers.len()).collect();
    let row = |x: Tensor| x.unsqueeze(0);
    (
        row(Tensor::from_slice(&filled)),
        row(Tensor::from_slice(&words)),
    )
}

/// The folder is read as the transformers library saves it: shards, bfloat16, and a layer and a normalization behind what is taken.
#[test]
fn states_are_those_of_transformers() {
    for fixture in qwen3() {
        let (network, report) = open(&fixture.path().join("text_encoder"), &TAKEN);
        assert_eq!(report.loaded, READ);
        assert_eq!(report.unused, Vec::<String>::new());
        let states = fixture.tensors("states");
        for (name, prompt) in fixture.json("expected")["prompts"].as_object().unwrap() {
            let name = format!("{name}.short");
            let (tokens, words) = tokens(prompt, states.shape(&name)[0]);
            let found = network.forward(&tokens, &words);
            assert_close(&name, &values(&found), &states.f32(&name), TOLERANCE);
        }
    }
}

/// In the precision of the published weights, of which each rounding is up to 0.4 %.
#[test]
fn states_in_half_precision() {
    let fixture = &qwen3()[0];
    let folder = fixture.path().join("text_encoder");
    let (network, _) = open_in(&folder, &TAKEN, Precision::Bf16);
    let (tokens, words) = tokens(&fixture.json("expected")["prompts"]["plain"], 32);
    let found = network.forward(&tokens, &words);
    assert_eq!(found.kind(), Kind::BFloat16);
    let expected = fixture.tensors("states").f32("plain.short");
    assert_close(
        "plain.short",
        &values(&found.to_kind(Kind::Float)),
        &expected,
        0.05,
    );
}

/// Texts in one batch, and other states: each is what it is alone.
#[test]
fn batches_and_other_layers() {
    let fixture = &qwen3()[0];
    let folder = fixture.path().join("text_encoder");
    let prompts = &fixture.json("expected")["prompts"];
    let [empty, plain] = ["empty", "plain"].map(|name| tokens(&prompts[name], 32));
    let both = [[&empty.0, &plain.0], [&empty.1, &plain.1]].map(|rows| Tensor::cat(&rows, 0));
    let (network, report) = open(&folder, &[2, 0, 1]);
    assert_eq!(report.loaded, 1 + 2 * 11);
    let found = network.forward(&both[0], &both[1]);
    let width = network.config().hidden_size;
    assert_eq!(found.size(), [2, 32, 3 * width]);
    for (row, (tokens, words)) in [empty, plain].iter().enumerate() {
        let alone = network.forward(tokens, words);
        let off = (found.get(row as i64) - alone.get(0)).abs().max();
        assert!(off.double_value(&[]) < 1e-5, "{row}: {off:?}");
    }
    // A layer adds to what it was given; the embedding is that of the token alone.
    let embedding = found.narrow(2, width, width);
    let same = embedding.select(1, 31).select(0, 0) - embedding.select(1, 30).select(0, 0);
    assert!(same.abs().max().double_value(&[]) == 0.0);
    let (first, _) = open(&folder, &[1]);
    let off = first.forward(&both[0], &both[1]) - found.narrow(2, 2 * width, width);
    assert!(off.abs().max().double_value(&[]) == 0.0);
}

/// What fills a text up is seen by nothing, and later words by no earlier one.
#[test]
fn words_see_words_before_them() {
    let fixture = &qwen3()[0];
    let (network, _) = open(&fixture.path().join("text_encoder"), &TAKEN);
    let prompt = &fixture.json("expected")["prompts"]["plain"];
    let (tokens, words) = tokens(prompt, 32);
    let own = network.forward(&tokens, &words);
    let moved = |at: i64| {
        let other = tokens.copy();
        let _ = other.narrow(1, at, 1).fill_(65);
        let off = (network.forward(&other, &words) - &own)
            .abs()
            .amax([2_i64], false);
        values(&off)
    };
    let words = prompt["tokens"].as_array().unwrap().len();
    for at in [words - 3, words, 31] {
        for (token, off) in moved(at as i64).into_iter().enumerate() {
            let is_reader = token == at || token > at && at < words;
            assert_eq!(off > 1e-4, is_reader, "{at}, {token}: {off}");
        }
    }
}

/// All tensors of the fixture by name, bfloat16.
fn stored(fixture: &FixtureDir) -> BTreeMap<String, Tensor> {
    let folder = fixture.path().join("text_encoder");
    let checkpoint = Checkpoint::open_network(&folder, "text_encoder", None).unwrap();
    let names = checkpoint.names();
    let own = |name: &str| {
        let below = &name["text_encoder.".len()..];
        (below.to_owned(), checkpoint.tensor(name).unwrap())
    };
    names.map(own).collect()
}

/// Writes the fixture's network with `tensors` and `config` as `folder`, in one file of 32-bit floats.
fn write(folder: &Path, config: &Value, tensors: &BTreeMap<String, Tensor>) {
    i2am_files::write_atomic(folder.join("config.json"), config.to_string()).unwrap();
    let bytes: BTreeMap<&String, Vec<u8>> = tensors
        .iter()
        .map(|(name, tensor)| {
            let floats = values(&tensor.to_kind(Kind::Float));
            (name, floats.iter().flat_map(|x| x.to_le_bytes()).collect())
        })
        .collect();
    let views = bytes.iter().map(|(name, bytes)| {
        let shape = tensors[*name].size().iter().map(|&n| n as usize).collect();
        (name, TensorView::new(Dtype::F32, shape, bytes).unwrap())
    });
    let path = folder.join("model.safetensors");
    safetensors::serialize_to_file(views, None::<HashMap<_, _>>, &path).unwrap();
}

fn config(fixture: &FixtureDir) -> Value {
    let path = fixture.path().join("text_encoder/config.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Larger models have a head of their own. Neither it nor what is behind the last state is read, whatever it holds; what no network of this
/// kind has is reported.
#[test]
fn what_is_behind_the_last_state_is_not_read() {
    let fixture = &qwen3()[0];
    let mut tensors = stored(fixture);
    let embedding = tensors["model.embed_tokens.weight"].copy();
    tensors.insert("lm_head.weight".to_owned(), embedding);
    for (name, tensor) in &mut tensors {
        let is_behind = ["lm_head.", "model.norm.", "model.layers.27."]
            .iter()
            .any(|place| name.starts_with(place));
        if is_behind {
            let _ = tensor.fill_(f64::NAN);
        }
    }
    let surplus = "model.layers.3.surplus.weight".to_owned();
    tensors.insert(
        surplus.clone(),
        Tensor::ones([2], (Kind::Float, Device::Cpu)),
    );
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &config(fixture), &tensors);
    let (network, report) = open(folder.path(), &TAKEN);
    assert_eq!((report.loaded, report.unused), (READ, vec![surplus]));
    let (tokens, words) = tokens(&fixture.json("expected")["prompts"]["plain"], 32);
    let found = network.forward(&tokens, &words);
    let expected = fixture.tensors("states").f32("plain.short");
    assert_close("plain.short", &values(&found), &expected, TOLERANCE);
}

/// Numbers of tensors and weights are those of the transformers library's network without memory.
#[test]
fn published_sizes() {
    let published = &qwen3()[0].json("expected")["published"];
    for (name, config) in [
        ("klein-4b", Qwen3Config::qwen3_4b()),
        ("klein-9b", Qwen3Config::qwen3_8b()),
    ] {
        let source = ExpectedSource::new();
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let _ = Qwen3::new(&Scope::root(&source, "text_encoder"), config, &TAKEN);
        let shapes = source.shapes();
        let of = |key: &str| published[name][key].as_u64().unwrap();
        assert_eq!(shapes.len() as u64, of("tensors"), "{name}");
        assert_eq!(source.parameters(), of("weights"), "{name}");
        for (tensor, shape) in [
            ("embed_tokens.weight", vec![151_936, width]),
            ("layers.0.self_attn.q_proj.weight", vec![4096, width]),
            ("layers.26.self_attn.k_proj.weight", vec![1024, width]),
            ("layers.26.self_attn.k_norm.weight", vec![128]),
            ("layers.26.self_attn.o_proj.weight", vec![width, 4096]),
            ("layers.26.mlp.down_proj.weight", vec![width, inner]),
        ] {
            let full = format!("text_encoder.model.{tensor}");
            assert_eq!(shapes[&full], shape, "{name}: {tensor}");
        }
    }
}

/// Files of transformers 4 have the base of angles beside the other keys. What is not built here is refused by its key.
#[test]
fn configurations() {
    let fixture = &qwen3()[0];
    let one = Tensor::ones([1], (Kind::Float, Device::Cpu));
    let tensors = BTreeMap::from([("model.norm.weight".to_owned(), one)]);
    let read = |change: &dyn Fn(&mut Value)| {
        let mut config = config(fixture);
        change(&mut config);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &config, &tensors);
        let checkpoint = Checkpoint::open_network(folder.path(), "text_encoder", None).unwrap();
        let read = Qwen3Config::of(&checkpoint);
        read.map(Option::unwrap).map_err(|error| error.to_string())
    };
    let base = |config: Qwen3Config| config.rope_theta.to_string();
    assert_eq!(base(read(&|_| {}).unwrap()), "1000000");
    let older = |config: &mut Value| {
        config["rope_parameters"] = Value::Null;
        config["rope_scaling"] = Value::Null;
        config["rope_theta"] = 5e5.into();
    };
    assert_eq!(base(read(&older).unwrap()), "500000");
    for (key, value, expected) in [
        (
            "model_type",
            Value::from("mistral"),
            "`model_type`: expected \"qwen3\" or null, found \"mistral\"",
        ),
        (
            "attention_bias",
            true.into(),
            "`attention_bias`: expected false or null, found true",
        ),
        (
            "use_sliding_window",
            true.into(),
            "`use_sliding_window`: expected false or null, found true",
        ),
        (
            "rope_scaling",
            serde_json::json!({"rope_type": "yarn"}),
            "`rope_scaling`: expected null, found {\"rope_type\":\"yarn\"}",
        ),
        (
            "rope_parameters",
            serde_json::json!({"rope_type": "yarn", "rope_theta": 1e6}),
            "unknown variant `yarn`, expected `default`",
        ),
        (
            "rope_parameters",
            Value::Null,
            "`rope_theta`: expected a number above 0, at most 1000000000, found 0",
        ),
        (
            "num_key_value_heads",
            3.into(),
            "`num_key_value_heads`: expected a divisor of num_attention_heads, 4, found 3",
        ),
        (
            "head_dim",
            7.into(),
            "`head_dim`: expected an even number, found 7",
        ),
        (
            "vocab_size",
            0.into(),
            "`vocab_size`: expected 1 to 10000000, found 0",
        ),
    ] {
        let message = read(&|config| config[key] = value.clone()).unwrap_err();
        assert!(message.ends_with(expected), "{key}: {message}");
    }
}
