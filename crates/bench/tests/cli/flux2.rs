//! FLUX.2 klein as a user meets it, with the small model of its fixture.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use crate::common::{root, run, write_model_config};

fn fixture(name: &str) -> PathBuf {
    let fixtures = root().join("crates/i2am-runner/tests/fixtures/flux2-klein");
    fixtures.join(name)
}

const SET: &str = "kind = \"synth\"\nseed = 9\ncount = 2\nheight = 128\nwidth = 96\nroot = \"set\"";
const SAMPLES: usize = 2;
const BLOCKS: usize = 5;
/// Of the committed configurations, whose models have a text encoder.
const PROMPT: &str = "prompt = \"The person wears the garment of image 2.\"";

/// The fixture's networks as a diffusers folder with its text encoder, and embeddings of a prompt.
fn write_klein(folder: &Path) {
    for network in ["transformer", "vae"] {
        let place = folder.join("klein").join(network);
        fs::create_dir_all(&place).unwrap();
        let text = fs::read_to_string(fixture(&format!("{network}.json"))).unwrap();
        let sidecar: Value = serde_json::from_str(&text).unwrap();
        let config = sidecar["diffusers_config"].to_string();
        i2am_files::write_atomic(place.join("config.json"), config.as_bytes()).unwrap();
        let weights = fixture(&format!("{network}.safetensors"));
        fs::copy(weights, place.join("diffusion_pytorch_model.safetensors")).unwrap();
    }
    let bytes = fs::read(fixture("inputs.safetensors")).unwrap();
    let inputs = SafeTensors::deserialize(&bytes).unwrap();
    let given = inputs.tensor("text.prompt").unwrap();
    let (tokens, width) = (given.shape()[1], given.shape()[2]);
    let words: Vec<u8> = (0..tokens).map(|token| u8::from(token < 4)).collect();
    let view = |dtype, shape, bytes| TensorView::new(dtype, shape, bytes).unwrap();
    let tensors = [
        (
            "embeddings",
            view(Dtype::F32, vec![tokens, width], given.data()),
        ),
        ("attention_mask", view(Dtype::U8, vec![tokens], &words)),
    ];
    let path = folder.join("prompt.safetensors");
    safetensors::serialize_to_file(tensors, None::<HashMap<_, _>>, &path).unwrap();
}

fn table(name: &str, source: &str) -> String {
    format!(
        "name = \"{name}\"\nfamily = \"flux2-klein\"\ncheckpoint = \"klein\"\nprompt_embeddings = \"prompt.safetensors\"\ntask = \"inpaint\"\nsource = \"{source}\"\nsize = [128, 96]"
    )
}

#[test]
fn inspect_tells_the_family() {
    let folder = tempfile::tempdir().unwrap();
    write_klein(folder.path());
    let (code, text) = run(folder.path(), &["inspect", "klein"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("family      flux2-klein"), "{text}");
    assert!(
        text.contains("2 double and 3 single blocks of 2 heads"),
        "{text}"
    );
    // Counters of batches are read by nothing, and no fault.
    assert!(text.contains("0 missing, 0 wrong, 0 unused"), "{text}");
}

#[test]
fn a_run_scores_blocks_and_marks_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_klein(path);
    let models = format!(
        "{}\n[model.sampler]\nsteps = 2\n[[model]]\n{}",
        table("masked", "masked"),
        table("whole", "whole")
    );
    write_model_config(path, SET, &models);
    let (code, text) = run(path, &["check", "--config", "run.toml"]);
    assert_eq!(code, 0, "{text}");
    let stages = "generate,score,report";
    let (code, text) = run(path, &["--config", "run.toml", "--stages", stages]);
    assert_eq!(code, 0, "{text}");
    let rows = fs::read_to_string(path.join("out/samples.csv")).unwrap();
    let count = |parts: &[&str]| {
        let has_all = |row: &&str| parts.iter().all(|part| row.contains(part));
        rows.lines().filter(has_all).count()
    };
    for model in ["masked", "whole"] {
        for metric in [
            "imacs_g",
            "imacs_r",
            "reference_share",
            "reference_in_padding",
        ] {
            let unified = count(&[model, metric, ",unified,"]);
            assert_eq!(unified, SAMPLES, "{model}, {metric}: {rows}");
            let blocks = count(&[model, metric, "transformer_blocks.", ".attn,"]);
            assert_eq!(blocks, BLOCKS * SAMPLES, "{model}, {metric}: {rows}");
        }
    }
    assert_eq!(count(&["resolution:"]), 0, "{rows}");
    assert_eq!(count(&["masked,", "shown-answer"]), 0, "{rows}");
    assert!(count(&["whole,", "imacs_g", "shown-answer"]) > 0, "{rows}");
    let results = fs::read_to_string(path.join("out/tables/results.md")).unwrap();
    assert!(results.contains('‡'), "{results}");
    assert!(
        results.contains("The model is shown the whole image"),
        "{results}"
    );

    // The records can be scored again; conventions of UNets have no word about them.
    let arguments = ["--config", "run.toml", "--stages", "score", "--set"];
    let paper = [&arguments[..], &["attribution.convention=\"paper\""]].concat();
    let (code, text) = run(path, &paper);
    assert_eq!(code, 0, "{text}");
    let rows = fs::read_to_string(path.join("out/samples.csv")).unwrap();
    let reason = "the convention `paper` is not defined for joint attention";
    assert!(rows.contains(reason), "{rows}");
}

/// The configuration of `configs` on the small model and the drawn set, without metrics that need weights.
fn small(config: &str) -> String {
    let text = fs::read_to_string(root().join("configs").join(config)).unwrap();
    let mut small: Vec<String> = Vec::new();
    let mut in_dataset = false;
    for line in text.lines() {
        in_dataset = match line {
            "[dataset]" => true,
            _ if line.starts_with('[') => false,
            _ => in_dataset,
        };
        match line {
            "[dataset]" => small.push(format!("[dataset]\n{SET}")),
            _ if in_dataset || line.starts_with("[metric.") => {}
            _ => small.push(
                line.replace("../data/FLUX.2-klein-4B", "klein")
                    .replace(PROMPT, "prompt_embeddings = \"prompt.safetensors\"")
                    .replace("[512, 384]", "[128, 96]")
                    .replace("../results/", ""),
            ),
        }
    }
    small.join("\n")
}

/// Both configurations work, and every model of the paths lacks the path that its name says.
#[test]
fn paths_are_cut_as_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_klein(path);
    for config in ["flux2-klein.toml", "flux2-paths.toml"] {
        i2am_files::write_atomic(path.join("run.toml"), small(config).as_bytes()).unwrap();
        let (code, text) = run(path, &["check", "--config", "run.toml"]);
        assert_eq!(code, 0, "{config}: {text}");
    }
    let stages = "generate,score";
    let (code, text) = run(path, &["--config", "run.toml", "--stages", stages]);
    assert_eq!(code, 0, "{text}");
    let rows = fs::read_to_string(path.join("flux2-paths/samples.csv")).unwrap();
    let mut lines = rows.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let [model, level, metric, value] = ["model", "level", "metric", "value"].map(column);
    let largest = |of_model: &str, of_metric: &str| {
        let own = lines
            .clone()
            .map(|line| line.split(',').collect::<Vec<_>>());
        let own = own.filter(|cells| {
            cells[model] == of_model && cells[metric] == of_metric && cells[level] == "unified"
        });
        let values: Vec<f64> = own.map(|cells| cells[value].parse().unwrap()).collect();
        assert_eq!(values.len(), SAMPLES, "{of_model}, {of_metric}: {rows}");
        values.into_iter().fold(0.0, f64::max)
    };
    for (name, [direct, text, padding]) in [
        ("all-paths", [true, true, true]),
        ("not-direct", [false, true, true]),
        ("not-through-padding", [true, true, false]),
        ("not-through-text", [true, false, false]),
        ("not-through-source", [true, true, true]),
        ("no-path", [false, false, false]),
    ] {
        for (metric, is_open) in [
            ("reference_share", direct),
            ("reference_in_text", text),
            ("reference_in_padding", padding),
        ] {
            assert_eq!(largest(name, metric) > 0.0, is_open, "{name}: {metric}");
        }
    }
}

/// A prompt is given once, and one that nothing here can read is refused before a run.
#[test]
fn a_prompt_that_cannot_be_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_klein(path);
    let file = "prompt_embeddings = \"prompt.safetensors\"";
    let own = table("klein", "masked");
    for (given, expected) in [
        (
            "",
            "model.prompt: expected either this or `prompt_embeddings`, found neither",
        ),
        (
            &format!("{file}\n{PROMPT}"),
            "model.prompt: expected either this or `prompt_embeddings`, found both",
        ),
        (
            PROMPT,
            "model.prompt: expected the folders text_encoder and tokenizer in `checkpoint`, or `prompt_embeddings` instead, found no folder text_encoder in ",
        ),
    ] {
        write_model_config(path, SET, &own.replace(file, given));
        for arguments in [
            &["check", "--config", "run.toml"][..],
            &["--config", "run.toml"],
        ] {
            let (code, text) = run(path, arguments);
            assert_eq!(code, 2, "{text}");
            assert!(text.contains(expected), "{text}");
            assert!(!path.join("out/images").exists());
        }
    }
}
